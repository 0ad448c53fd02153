//! Both forms of a sorted set against a sorted vector; memory; freeing; listpacks from outside.

use super::*;
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::stdx::random::Random;
use crate::value::object::ALLOCATIONS_PER_SLICE;

const USUAL: PackedLimits = PackedLimits { members_max: 128, member_bytes_max: 64 };
const NEVER_PACKED: PackedLimits = PackedLimits { members_max: 0, member_bytes_max: 64 };

type Model = Vec<(f64, Vec<u8>)>;

fn contents(members: Members<'_>) -> Model {
    let text = |element: Element<'_>| element.text(&mut [0; INTEGER_TEXT_BYTES_MAX]).to_vec();
    members.map(|entry| (entry.score(), text(entry.member))).collect()
}

fn random_member(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => random.below(50).to_string().into_bytes(),
        1 => (random.below(20) as i64 - 10).to_string().into_bytes(),
        2 => vec![b'x'; random.below(6) as usize],
        _ => format!("member:{}", random.below(60)).into_bytes(),
    }
}

fn random_score(random: &mut Random) -> f64 {
    match random.below(8) {
        0 => f64::INFINITY,
        1 => f64::NEG_INFINITY,
        2 => random.below(1000) as f64 / 8.0,
        3 => random.below(1 << 40) as f64 * 1e6,
        _ => random.below(9) as f64 - 4.0,
    }
}

fn model_score(model: &Model, member: &[u8]) -> Option<f64> {
    model.iter().find(|(_, other)| other == member).map(|(score, _)| *score)
}

fn set_in_model(model: &mut Model, member: &[u8], score: f64) {
    model.retain(|(_, other)| other != member);
    let item = (score, member.to_vec());
    let at = model.partition_point(|other| *other < item);
    model.insert(at, item);
}

fn bounds(random: &mut Random) -> ScoreRange {
    let excluded = random.below(2) == 0;
    ScoreRange { min: random_score(random), min_excluded: excluded, max: random_score(random), max_excluded: !excluded }
}

fn in_range(range: ScoreRange, score: f64) -> bool {
    let above = if range.min_excluded { score > range.min } else { score >= range.min };
    above && if range.max_excluded { score < range.max } else { score <= range.max }
}

fn check(set: &SortedSet, model: &Model, random: &mut Random) {
    assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
    assert_eq!(contents(set.iter()), *model);
    let member = random_member(random);
    let rank = model.iter().position(|(_, other)| *other == member);
    assert_eq!(set.score(&member), model_score(model, &member));
    assert_eq!(set.rank(&member), rank.map(|rank| (rank, model[rank].0)));
    let rank = random.below(model.len() as u64 + 2) as usize;
    assert_eq!(set.get(rank).map(|entry| entry.score()), model.get(rank).map(|(score, _)| *score));
    let end = rank + random.below(9) as usize;
    let expected = &model[rank.min(model.len())..end.min(model.len())];
    assert_eq!(contents(set.range(rank..end, false)), expected);
    assert_eq!(contents(set.range(rank..end, true)), expected.iter().rev().cloned().collect::<Vec<_>>());
    let range = bounds(random);
    let expected: Model = model.iter().filter(|(score, _)| in_range(range, *score)).cloned().collect();
    assert_eq!(contents(set.range(set.ranks(&range), false)), expected, "{range:?}");
}

#[test]
fn both_forms_are_sorted_lists() {
    let mut random = Random::new(11);
    for (limits, encoding) in [(USUAL, "listpack"), (NEVER_PACKED, "skiplist")] {
        for _ in 0..20 {
            let (mut set, mut model) = (SortedSet::new(1, 1, limits), Model::new());
            for _ in 0..400 {
                let (member, score) = (random_member(&mut random), random_score(&mut random));
                match random.below(10) {
                    0..7 => {
                        let old = model_score(&model, &member);
                        let expected = match old {
                            None => Change::Added,
                            Some(old) if old == score => Change::Kept(old),
                            Some(old) => Change::Updated(old),
                        };
                        if old.is_some() || model.len() < 100 {
                            assert_eq!(set.insert(&member, score, limits), expected);
                            set_in_model(&mut model, &member, score);
                        }
                    }
                    7 | 8 => {
                        assert_eq!(set.remove(&member), model_score(&model, &member));
                        model.retain(|(_, other)| *other != member);
                    }
                    _ => {
                        let from = random.below(model.len() as u64 + 1) as usize;
                        let to = (from + random.below(4) as usize).min(model.len());
                        set.remove_ranks(from..to);
                        model.drain(from..to);
                    }
                }
                check(&set, &model, &mut random);
            }
            assert_eq!(set.encoding(), encoding);
            assert_eq!(contents(set.copy().iter()), model);
        }
    }
}

#[test]
fn members_of_one_score_are_ranged_by_their_bytes() {
    for limits in [USUAL, NEVER_PACKED] {
        let mut set = SortedSet::new(1, 1, limits);
        for member in [&b""[..], b"10", b"9", b"a", b"a\0", b"ab", b"b", b"\xff"] {
            set.insert_absent(member, 0.0, limits);
        }
        use MemberBound::{Excluded, Highest, Included, Lowest};
        let table: &[(MemberBound<'_>, MemberBound<'_>, Range<usize>)] = &[
            (Lowest, Highest, 0..8),
            (Highest, Lowest, 8..8),
            (Lowest, Lowest, 0..0),
            (Highest, Highest, 8..8),
            (Included(b"a"), Included(b"b"), 3..7),
            (Excluded(b"a"), Excluded(b"b"), 4..6),
            (Included(b"10"), Included(b"9"), 1..3),
            (Included(b"1"), Excluded(b"a"), 1..3),
            (Included(b"c"), Highest, 7..8),
            (Included(b"b"), Included(b"a"), 6..6),
            (Excluded(b""), Included(b""), 1..1),
        ];
        for (min, max, ranks) in table {
            let range = MemberRange { min: *min, max: *max };
            let found = set.ranks(&range);
            assert!(found == *ranks || (found.is_empty() && ranks.is_empty()), "{range:?}: {found:?} for {ranks:?}");
        }
    }
}

#[test]
fn a_set_grows_when_redis_would_let_it() {
    let mut set = SortedSet::new(1, 64, USUAL);
    for number in 0..128 {
        set.insert(&[number; 64], 1.0, USUAL);
    }
    assert_eq!(set.encoding(), "listpack");
    set.insert(&[0; 64], 2.0, USUAL);
    set.reserve(128, USUAL);
    assert_eq!(set.encoding(), "listpack");
    set.insert(&[200; 64], 1.0, USUAL);
    assert_eq!((set.encoding(), set.len()), ("skiplist", 129));
    set.remove_ranks(1..129);
    assert_eq!((set.encoding(), set.len()), ("skiplist", 1), "large sets stay large");

    assert_eq!(SortedSet::new(1, 65, USUAL).encoding(), "skiplist");
    assert_eq!(SortedSet::new(129, 1, USUAL).encoding(), "skiplist");
    let mut set = SortedSet::new(1, 1, USUAL);
    set.insert(&[1; 65], 1.0, USUAL);
    assert_eq!(set.encoding(), "skiplist");
    let mut set = SortedSet::new(1, 1, USUAL);
    set.reserve(129, USUAL);
    assert_eq!(set.encoding(), "skiplist");
}

#[test]
fn scores_are_packed_as_redis_packs_them() {
    let mut set = SortedSet::new(1, 1, USUAL);
    for (member, score) in [("a", 0.5), ("b", 3.0), ("c", 1e17), ("d", 1e19), ("e", f64::INFINITY), ("f", -0.0)] {
        set.insert(member.as_bytes(), score, USUAL);
    }
    let pack = set.packed().expect("a small set");
    let elements: Vec<Vec<u8>> = pack.iter().map(|element| element.to_text().into_owned()).collect();
    let texts: Vec<&str> = elements.iter().map(|text| str::from_utf8(text).expect("ASCII")).collect();
    assert_eq!(texts, ["f", "0", "a", "0.5", "b", "3", "c", "100000000000000000", "d", "1e+19", "e", "inf"]);
    assert_eq!(pack.get(pack.seek(3).expect("there")), Element::Bytes(b"0.5"));
    assert_eq!(pack.get(pack.seek(7).expect("there")), Element::Integer(100_000_000_000_000_000));
}

fn pack(elements: &[&str]) -> Listpack {
    let mut pack = Listpack::new();
    elements.iter().for_each(|element| pack.push_back(Element::Bytes(element.as_bytes())));
    pack
}

#[test]
fn listpacks_from_outside_are_looked_at() {
    let set = SortedSet::from_packed(pack(&["7", "-1.5", "a", "2", "b", "2", "c", "inf"])).expect("a sorted set");
    assert_eq!(set.len(), 4);
    assert_eq!((set.score(b"7"), set.rank(b"7"), set.rank(b"b")), (Some(-1.5), Some((0, -1.5)), Some((2, 2.0))));
    assert_eq!(set.packed().map(|pack| pack.iter().nth(3)), Some(Some(Element::Integer(2))), "made canonical");
    assert!(SortedSet::from_packed(pack(&[])).is_some());
    let bad: &[&[&str]] = &[
        &["a"],
        &["a", "x"],
        &["a", "nan"],
        &["a", ""],
        &["a", "2", "b", "1"],
        &["b", "1", "a", "1"],
        &["a", "1", "b", "2", "a", "3"],
        &["a", "1", "a", "1"],
    ];
    for elements in bad {
        assert!(SortedSet::from_packed(pack(elements)).is_none(), "{elements:?}");
    }
}

#[test]
fn a_walk_shows_everything_once() {
    for (limits, count) in [(USUAL, 100), (USUAL, 3000)] {
        let mut set = SortedSet::new(1, 1, limits);
        (0..count).for_each(|number| set.push(format!("{number:05}").as_bytes(), 1.5, limits));
        let (mut cursor, mut seen) = (0, Vec::new());
        loop {
            cursor = set.scan(cursor, |member, score| {
                assert_eq!(score, 1.5);
                seen.push(member.to_text().into_owned());
            });
            if cursor == 0 {
                break;
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}

#[test]
fn large_sets_are_freed_in_slices() {
    let mut set = SortedSet::new(1, 1, NEVER_PACKED);
    (0..20_000).for_each(|number| set.push(format!("{number:05}").as_bytes(), 1.0, NEVER_PACKED));
    assert!(set.allocations() >= 20_000);
    let mut slices = 1;
    while set.free_slice() {
        slices += 1;
        assert!(slices < 100);
    }
    assert!(slices >= 20_000 / ALLOCATIONS_PER_SLICE, "{slices}");
    drop(set);
}

#[test]
fn large_sets_are_compact() {
    let mut random = Random::new(1);
    for count in [200, 1000, 10_000] {
        let mut set = SortedSet::new(1, 1, USUAL);
        for number in 0..count {
            set.insert(format!("member:{number:06}").as_bytes(), random.below(1 << 32) as f64, USUAL);
        }
        // Redis 7.0 takes about 110 bytes for such a member.
        let each = set.memory_bytes() / count;
        assert!(each < 75, "{each} bytes for each of {count}");
    }
}

#[test]
fn pops_that_ask_ahead_take_the_same_members() {
    let mut random = Random::new(11);
    let mut set = SortedSet::new(5000, 8, NEVER_PACKED);
    for number in 0..5000 {
        set.insert(format!("member:{number}").as_bytes(), random.below(700) as f64, NEVER_PACKED);
    }
    let mut model = contents(set.iter());
    while set.len() > 1000 {
        let highest = random.below(2) == 0;
        set.prefetch_pops(highest);
        let rank = if highest { set.len() - 1 } else { 0 };
        set.remove_ranks(rank..rank + 1);
        model.remove(rank);
        if set.len().is_multiple_of(500) {
            assert_eq!(contents(set.iter()), model);
        }
    }
    set.prefetch_pops(true);
    SortedSet::new(1, 1, USUAL).prefetch_pops(false);
    check(&set, &model, &mut random);
}
