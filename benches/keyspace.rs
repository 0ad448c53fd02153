//! The keyspace's hash table with boxed entries: insertions, and finds with and without prefetch, below and beyond the
//! caches. Times are per entry. `cargo bench --bench keyspace` (about 500 MB of memory).

use std::hint::black_box;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringfort::value::table::Table;

/// Keys looked up together: what a session with a pipeline of 64 has in hand.
const BATCH: usize = 64;

/// An entry as small as they come: 16 bytes of header and key, 16 of value.
struct Entry {
    key: u64,
    _rest: [u64; 3],
}

fn hash_of(key: u64) -> u64 {
    let bits = (key ^ key >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

fn key_of(entry: NonNull<u8>) -> u64 {
    // SAFETY: the tables here hold pointers to the boxes of `entries`, which outlive them.
    unsafe { entry.cast::<Entry>().as_ref().key }
}

#[expect(
    clippy::vec_box,
    reason = "a keyspace's entries are allocations of their own"
)]
/// Entries with the keys `0..count`, in memory in another order than their keys'.
fn entries(count: u64) -> Vec<Box<Entry>> {
    let mut entries: Vec<Box<Entry>> = (0..count)
        .map(|key| Box::new(Entry { key, _rest: [0; 3] }))
        .collect();
    for index in (1..count).rev() {
        let other = ((u128::from(hash_of(index)) * u128::from(index + 1)) >> 64) as usize;
        let (key, other_key) = (entries[index as usize].key, entries[other].key);
        entries[index as usize].key = other_key;
        entries[other].key = key;
    }
    entries
}

fn table_of(entries: &[Box<Entry>]) -> Table {
    let mut table = Table::new();
    for entry in entries {
        table.insert(
            hash_of(entry.key),
            NonNull::from(&**entry).cast(),
            |entry| hash_of(key_of(entry)),
        );
    }
    table
}

/// The mean time of `per_key` over batches of random keys.
fn time_batches(
    iterations: u64,
    key_min: u64,
    count: u64,
    mut batch: impl FnMut(&[u64; BATCH]),
) -> Duration {
    let rounds = iterations.div_ceil(BATCH as u64);
    let mut elapsed = Duration::ZERO;
    for round in 0..rounds {
        let keys = std::array::from_fn(|index| {
            let bits = hash_of(!(round * BATCH as u64 + index as u64));
            key_min + ((u128::from(bits) * u128::from(count)) >> 64) as u64
        });
        let start = Instant::now();
        batch(&keys);
        elapsed += start.elapsed();
    }
    elapsed.mul_f64(iterations as f64 / (rounds * BATCH as u64) as f64)
}

fn find_all(table: &Table, keys: &[u64; BATCH]) {
    for &key in keys {
        black_box(table.find(hash_of(key), |entry| key_of(entry) == key));
    }
}

fn find_all_prefetched(table: &Table, keys: &[u64; BATCH]) {
    keys.iter()
        .for_each(|&key| table.prefetch_bucket(hash_of(key)));
    keys.iter()
        .for_each(|&key| drop(table.prefetch_entry(hash_of(key))));
    find_all(table, keys);
}

fn keyspace(criterion: &mut Criterion) {
    for count in [1_000_000, 10_000_000] {
        let entries = entries(count);
        let mut group = criterion.benchmark_group("table");
        group.sample_size(10).throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("insert", count), |bencher| {
            bencher.iter_custom(|iterations| {
                // Whole tables only, so that every growth is in the mean.
                let start = Instant::now();
                black_box(table_of(&entries));
                start.elapsed().mul_f64(iterations as f64 / count as f64)
            });
        });
        let table = table_of(&entries);
        println!(
            "{:.2} bytes of table per entry",
            table.memory_bytes() as f64 / count as f64
        );
        group.bench_function(BenchmarkId::new("find hit", count), |bencher| {
            bencher.iter_custom(|iterations| {
                time_batches(iterations, 0, count, |keys| find_all(&table, keys))
            });
        });
        group.bench_function(BenchmarkId::new("find hit prefetched", count), |bencher| {
            bencher.iter_custom(|iterations| {
                time_batches(iterations, 0, count, |keys| {
                    find_all_prefetched(&table, keys)
                })
            });
        });
        group.bench_function(BenchmarkId::new("find miss", count), |bencher| {
            bencher.iter_custom(|iterations| {
                time_batches(iterations, count, count, |keys| find_all(&table, keys))
            });
        });
        group.finish();
    }
}

criterion_group!(benches, keyspace);
criterion_main!(benches);
