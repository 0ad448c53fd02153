//! Tests of the table against a model, with made-up pointers: an entry's address is its key number.

use std::collections::{HashMap, HashSet};

use super::*;

/// SplitMix64: the tests' random numbers, and their good hash.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn shuffle(&mut self, keys: &mut [u64]) {
        for index in (1..keys.len()).rev() {
            keys.swap(index, self.below(index as u64 + 1) as usize);
        }
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

fn entry(key: u64) -> NonNull<u8> {
    NonNull::new(std::ptr::without_provenance_mut(key as usize)).unwrap()
}

fn key(entry: NonNull<u8>) -> u64 {
    entry.as_ptr().addr() as u64
}

/// Added to an entry's address when it moves: the key, and so the hash, is the rest.
const MOVED: u64 = 1 << 40;

/// A table whose keys are their own entries, and the hash it is fed with.
struct Fixture {
    table: Table,
    hash: Hash,
}

impl Fixture {
    fn new(hash: Hash) -> Fixture {
        Fixture {
            table: Table::new(),
            hash,
        }
    }

    fn with_keys(hash: Hash, count: u64) -> Fixture {
        let mut fixture = Fixture::new(hash);
        (1..=count).for_each(|key| fixture.insert(key));
        fixture
    }

    fn hash_of(&self, number: u64) -> u64 {
        (self.hash)(number % MOVED)
    }

    fn insert(&mut self, new: u64) {
        let hash = self.hash;
        let rehash = |entry| hash(key(entry) % MOVED);
        self.table.insert(self.hash_of(new), entry(new), rehash);
    }

    fn remove(&mut self, old: u64) -> bool {
        let hash = self.hash;
        let rehash = |entry| hash(key(entry) % MOVED);
        self.table.remove(self.hash_of(old), entry(old), rehash)
    }

    fn replace(&mut self, old: u64, new: u64) {
        self.table
            .replace(self.hash_of(old), entry(old), entry(new));
    }

    fn contains(&self, wanted: u64) -> bool {
        let hash = self.hash_of(wanted);
        self.table
            .find(hash, |entry| key(entry) == wanted)
            .is_some()
    }

    fn scan_all(&self) -> Vec<u64> {
        let (mut emitted, mut cursor) = (Vec::new(), 0);
        loop {
            cursor = self.table.scan(cursor, |entry| emitted.push(key(entry)));
            if cursor == 0 {
                return emitted;
            }
        }
    }

    /// Panics unless the table's invariants hold.
    fn check(&self) {
        let table = &self.table;
        assert!(if table.directory.is_empty() {
            table.depth == 0
        } else {
            table.directory.len() == 1 << table.depth
        });
        let (mut index, mut len, mut segments, mut deepest, mut bytes) =
            (0, 0, 0, 0, table.directory.capacity() * 8);
        while index < table.directory.len() {
            let word = table.directory[index];
            let count = table.alias_count(word);
            assert!(
                index.is_multiple_of(count)
                    && table.directory[index..index + count]
                        .iter()
                        .all(|&other| other == word)
            );
            let segment = table.segment(word);
            segment.check(|entry| {
                assert_eq!(
                    table
                        .word(self.hash_of(key(entry)))
                        .unwrap()
                        .segment_address(),
                    word.segment_address()
                );
                tag_at(self.hash_of(key(entry)), word.depth())
            });
            len += segment.len();
            bytes += segment.memory_bytes();
            segments += 1;
            deepest += usize::from(word.depth() == table.depth);
            index += count;
        }
        assert_eq!(
            (len, segments, deepest),
            (table.len, table.segments, table.segments_deepest)
        );
        assert_eq!(bytes, table.memory_bytes());
        assert_eq!(table.is_empty(), table.memory_bytes() == 0);
    }
}

type Hash = fn(u64) -> u64;

/// Hashes good and bad; a table must be right with all of them.
const HASHES: [(&str, Hash); 9] = [
    ("good", mix),
    ("one shard's", |key| mix(key) & !0xFFFF_0000 | 0x1234_0000),
    ("equal", |_| 0x0123_4567_89AB_CDEF),
    ("zero", |_| 0),
    ("forty values", |key| mix(key % 40)),
    ("equal prefix, different tags", |key| {
        mix(key) & 0x0000_003F_FFFF_FFFF | 0x5555_5540_0000_0000
    }),
    ("equal but for the lowest bits", |key| {
        u64::MAX << 16 | mix(key) & 0xFFFF
    }),
    ("sequential in the top bits", |key| key << 48),
    ("up to 25 leading zeros", |key| mix(key) >> (key % 26)),
];

#[test]
fn an_empty_table_has_no_memory_and_finds_nothing() {
    const EMPTY: Table = Table::new();
    let mut fixture = Fixture {
        table: EMPTY,
        hash: mix,
    };
    assert_eq!((fixture.table.len(), fixture.table.memory_bytes()), (0, 0));
    assert!(!fixture.contains(1) && !fixture.remove(1));
    assert_eq!(fixture.table.scan(0, |_| panic!("nothing to emit")), 0);
    assert_eq!(fixture.table.random(&mut || 7), None);
    assert!(!fixture.table.drain_segment(|_| panic!("nothing to emit")));
    fixture.table.prefetch_bucket(1);
    fixture.table.prefetch_entry(1);
}

#[test]
fn it_behaves_like_a_map_for_every_hash_and_seed() {
    for (name, hash) in HASHES {
        for seed in 0..6 {
            println!("hash {name}, seed {seed}");
            run_against_model(hash, seed);
        }
    }
}

/// Random insertions, removals and replacements, more of the first or the second in turns, so the
/// table grows and shrinks. The model maps a key to its present entry.
fn run_against_model(hash: Hash, seed: u64) {
    let mut random = Random(seed);
    let mut fixture = Fixture::new(hash);
    let mut model: HashMap<u64, u64> = HashMap::new();
    let keys = [30, 300, 3_000][seed as usize % 3];
    for operation in 0..20_000 {
        let is_growing = operation / 2_500 % 2 == 0;
        let wanted = 1 + random.below(keys);
        let dice = random.below(10);
        match model.get(&wanted).copied() {
            None => {
                assert!(!fixture.contains(wanted) && !fixture.remove(wanted));
                if dice < if is_growing { 9 } else { 2 } {
                    fixture.insert(wanted);
                    model.insert(wanted, wanted);
                }
            }
            Some(present) if dice < if is_growing { 2 } else { 8 } => {
                assert!(fixture.contains(present) && fixture.remove(present));
                model.remove(&wanted);
            }
            Some(present) => {
                let moved = present + MOVED;
                fixture.replace(present, moved);
                assert!(!fixture.contains(present) && fixture.contains(moved));
                model.insert(wanted, moved);
            }
        }
        assert_eq!(fixture.table.len(), model.len());
        if operation % 1_000 == 0 {
            fixture.check();
            let emitted: HashSet<u64> = fixture.scan_all().into_iter().collect();
            assert_eq!(emitted, model.values().copied().collect());
        }
    }
    model
        .into_values()
        .for_each(|present| assert!(fixture.remove(present)));
    fixture.check();
    assert_eq!(fixture.table.memory_bytes(), 0);
}

#[test]
#[should_panic(expected = "the entry to replace is in the table")]
fn replace_of_a_stranger_is_a_bug() {
    Fixture::with_keys(mix, 10)
        .table
        .replace(mix(11), entry(11), entry(12));
}

#[test]
fn pointers_may_use_all_48_bits() {
    let top = (1 << 48) - 8;
    let mut fixture = Fixture::with_keys(mix, 100);
    fixture.insert(top);
    assert!(fixture.contains(top) && fixture.remove(top) && !fixture.contains(top));
}

#[test]
fn find_asks_about_few_others() {
    let fixture = Fixture::with_keys(mix, 100_000);
    let mut asked = 0;
    for stranger in 1_000_000..1_100_000 {
        fixture.table.find(mix(stranger), |_| {
            asked += 1;
            false
        });
    }
    assert!(asked < 1_500, "{asked} comparisons in 100000 misses");
}

#[test]
fn a_still_table_is_scanned_exactly_once() {
    for count in [1, 2, 7, 8, 100, 1_000, 50_000] {
        let fixture = Fixture::with_keys(mix, count);
        let mut emitted = fixture.scan_all();
        emitted.sort_unstable();
        assert_eq!(emitted, (1..=count).collect::<Vec<_>>());
    }
}

#[test]
fn a_scan_emits_all_that_stays_whatever_else_happens() {
    for (name, hash) in HASHES {
        for seed in 0..20 {
            println!("hash {name}, seed {seed}");
            let mut random = Random(seed);
            let stable = 1 + random.below(600);
            let (mut fixture, mut volatile) = (Fixture::with_keys(hash, stable), Vec::new());
            let mut next_key = stable + 1;
            let (mut seen, mut cursor, mut last) = (HashSet::new(), 0, 0);
            // Bursts of growth and shrinking between the steps, from a segment of a few buckets to dozens of segments.
            loop {
                cursor = fixture
                    .table
                    .scan(cursor, |entry| seen.extend([key(entry)]));
                if cursor == 0 {
                    break;
                }
                assert!(cursor > last && cursor < 1 << 42);
                last = cursor;
                let burst = random.below([4, 40, 400][seed as usize % 3]);
                if random.below(2) == 0 && volatile.len() < 4_000 {
                    volatile.extend(next_key..next_key + burst);
                    (0..burst).for_each(|offset| fixture.insert(next_key + offset));
                    next_key += burst;
                } else {
                    random.shuffle(&mut volatile);
                    let kept = volatile.len().saturating_sub(burst as usize * 2);
                    volatile
                        .drain(kept..)
                        .for_each(|key| assert!(fixture.remove(key)));
                }
            }
            fixture.check();
            assert!((1..=stable).all(|key| seen.contains(&key)));
        }
    }
}

#[test]
fn any_cursor_is_accepted_and_ends() {
    let (mut random, fixture) = (Random(1), Fixture::with_keys(mix, 5_000));
    let random_cursors: Vec<u64> = (0..1_000)
        .map(|_| random.next() >> random.below(64))
        .collect();
    for start in [1, (1 << 42) - 1, 1 << 42, u64::MAX]
        .into_iter()
        .chain(random_cursors)
    {
        let (mut cursor, mut steps) = (start, 0);
        while cursor != 0 && steps <= 10_000 {
            cursor = fixture.table.scan(cursor, |_| ());
            steps += 1;
        }
        assert!(steps <= 10_000, "cursor {start} does not end");
    }
}

#[test]
fn random_draws_all_entries_alike() {
    // Full, freshly split, and thinned-out tables; the last has segments of many sizes and depths.
    for (count, kept) in [(1, 1), (5, 5), (300, 300), (3_000, 3_000), (2_600, 700)] {
        let (mut random, mut fixture) = (Random(count), Fixture::with_keys(mix, count));
        (kept + 1..=count).for_each(|key| assert!(fixture.remove(key)));
        let mut drawn: HashMap<u64, u32> = HashMap::new();
        for _ in 0..kept * 100 {
            *drawn
                .entry(key(fixture.table.random(&mut || random.next()).unwrap()))
                .or_default() += 1;
        }
        // A hundred expected for each key, with a standard deviation of ten.
        assert_eq!(drawn.len() as u64, kept);
        assert!(
            drawn.values().all(|count| (50..=150).contains(count)),
            "{count} {kept} {drawn:?}"
        );
    }
}

#[test]
fn random_finds_an_entry_whatever_the_hashes_and_the_bits() {
    for (name, hash) in HASHES {
        println!("hash {name}");
        let fixture = Fixture::with_keys(hash, 500);
        for bits in [0, 1, u64::MAX, 1 << 63, 0xFFFF_FFFF] {
            assert!(fixture.table.random(&mut || bits).is_some());
        }
    }
}

#[test]
fn drain_takes_everything_once_in_slices_and_frees_the_memory() {
    for (name, hash) in HASHES {
        println!("hash {name}");
        let mut fixture = Fixture::with_keys(hash, 10_000);
        let mut drained = HashSet::new();
        loop {
            let goes_on = fixture
                .table
                .drain_segment(|entry| assert!(drained.insert(key(entry))));
            fixture.check();
            assert_eq!(drained.len() + fixture.table.len(), 10_000);
            assert!(
                (1..=10_000)
                    .step_by(617)
                    .all(|key| fixture.contains(key) != drained.contains(&key))
            );
            if !goes_on {
                break;
            }
        }
        assert_eq!((drained.len(), fixture.table.memory_bytes()), (10_000, 0));
    }
}

#[test]
fn a_slice_of_a_drain_is_small() {
    let mut fixture = Fixture::with_keys(mix, 100_000);
    let mut goes_on = true;
    while goes_on {
        let mut count = 0;
        goes_on = fixture.table.drain_segment(|_| count += 1);
        assert!(count <= BUCKETS_MAX * BUCKET_SLOTS);
    }
    assert!(fixture.table.is_empty());
}

#[test]
fn memory_is_under_twenty_bytes_an_entry_at_every_size() {
    let mut fixture = Fixture::new(mix);
    let mut bytes_per_entry = Vec::new();
    for count in 1..=1_000_000 {
        fixture.insert(count);
        if count >= 100_000 && count % 5_000 == 0 {
            bytes_per_entry.push(fixture.table.memory_bytes() as f64 / count as f64);
        }
        match count {
            3 => assert!(fixture.table.memory_bytes() <= 256),
            100 => assert!(fixture.table.memory_bytes() <= 2_100),
            _ => (),
        }
    }
    // Sizes weighted by their logarithm, as a doubling of the entries is one period.
    let weights: Vec<f64> = (0..bytes_per_entry.len())
        .map(|step| 1.0 / (20 + step) as f64)
        .collect();
    let sum: f64 = bytes_per_entry
        .iter()
        .zip(&weights)
        .map(|(bytes, weight)| bytes * weight)
        .sum();
    let mean = sum / weights.iter().sum::<f64>();
    let worst = bytes_per_entry.iter().copied().fold(0.0, f64::max);
    println!("mean {mean:.2}, worst {worst:.2} bytes per entry");
    assert!(mean < 16.5 && worst < 19.5, "mean {mean}, worst {worst}");
}

#[test]
fn memory_comes_back_as_entries_go() {
    let mut keys: Vec<u64> = (1..=300_000).collect();
    let mut fixture = Fixture::with_keys(mix, keys.len() as u64);
    Random(3).shuffle(&mut keys);
    while let Some(key) = keys.pop() {
        assert!(fixture.remove(key));
        if keys.len().is_power_of_two() || keys.len().is_multiple_of(50_000) {
            let bytes = fixture.table.memory_bytes();
            println!("{} entries left, {bytes} bytes", keys.len());
            assert!(
                bytes <= 25 * keys.len() + 1_500,
                "{bytes} bytes for {} entries",
                keys.len()
            );
        }
    }
    assert_eq!(fixture.table.memory_bytes(), 0);
}

#[test]
fn hashes_made_alike_do_not_blow_up_the_directory() {
    for (name, hash) in HASHES {
        let fixture = Fixture::with_keys(hash, 4_000);
        let bytes = fixture.table.memory_bytes();
        println!("hash {name}: {bytes} bytes");
        assert!(bytes <= 100_000, "hash {name}: {bytes} bytes");
        assert!((1..=4_000).all(|key| fixture.contains(key)));
    }
}

#[test]
fn a_removal_and_an_insertion_in_turns_do_not_resize_each_time() {
    for (count, turns) in (50..1_400).zip([1, 7].into_iter().cycle()) {
        let mut fixture = Fixture::with_keys(mix, count);
        let (mut resizes, mut bytes) = (0, fixture.table.memory_bytes());
        for _ in 0..20 {
            (count - turns..count).for_each(|key| assert!(fixture.remove(key)));
            resizes += u32::from(fixture.table.memory_bytes() != bytes);
            bytes = fixture.table.memory_bytes();
            (count - turns..count).for_each(|key| fixture.insert(key));
            resizes += u32::from(fixture.table.memory_bytes() != bytes);
            bytes = fixture.table.memory_bytes();
        }
        assert!(resizes <= 2, "{resizes} resizes about {count} entries");
    }
}

#[test]
fn a_table_can_be_sent() {
    fn check<T: Send>() {}
    check::<Table>();
}
