//! Tests of the table of members against a `HashMap`, of its counts, its walks and its draws.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::stdx::random::Random;

type Model = HashMap<Vec<u8>, Vec<u8>>;

#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<u8>, Vec<u8>),
    Edit(Vec<u8>),
    Remove(Vec<u8>),
    Take(Vec<u8>),
    Clone,
    Look,
}

/// Few members, so that they meet again; lengths on both sides of where a varint needs another byte.
fn member() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![4 => 0_usize..20, 2 => 60_usize..70, 1 => 8_190_usize..8_195];
    (0_u8..6, length).prop_map(|(first, length)| vec![first; length])
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![4 => 0_usize..20, 2 => 124_usize..132, 1 => 16_380_usize..16_390];
    (any::<u8>(), length).prop_map(|(first, length)| (0..length).map(|index| first.wrapping_add(index as u8)).collect())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (member(), payload()).prop_map(|(member, payload)| Step::Insert(member, payload)),
        2 => member().prop_map(Step::Edit),
        3 => member().prop_map(Step::Remove),
        2 => member().prop_map(Step::Take),
        1 => Just(Step::Clone),
        1 => Just(Step::Look),
    ]
}

fn apply(table: &mut MemberTable, model: &mut Model, step: Step) {
    match step {
        Step::Insert(member, payload) => {
            assert_eq!(table.insert(&member, &payload), model.insert(member, payload).is_none());
        }
        Step::Edit(member) => {
            let (found, expected) = (table.get_mut(&member), model.get_mut(&member));
            assert_eq!(found.as_deref(), expected.as_deref().map(Vec::as_slice));
            if let (Some(found), Some(expected)) = (found, expected) {
                found.reverse();
                expected.reverse();
            }
        }
        Step::Remove(member) => assert_eq!(table.remove(&member), model.remove(&member).is_some()),
        Step::Take(member) => {
            let taken = table.take(&member);
            let expected = model.remove_entry(&member);
            assert_eq!(
                taken.as_ref().map(|taken| (taken.member(), taken.payload())),
                expected.as_ref().map(|(member, payload)| (&member[..], &payload[..]))
            );
        }
        Step::Clone => {
            let copy = table.clone();
            check(&copy, model);
            *table = copy;
        }
        Step::Look => {
            check(table, model);
            for (member, payload) in &*model {
                assert!(table.contains(member));
                assert_eq!(table.get(member), Some(&payload[..]));
            }
        }
    }
    assert_eq!((table.len(), table.is_empty()), (model.len(), model.is_empty()));
}

/// Panics unless the table's walks show just what the model has, and its memory is the sum of its parts.
fn check(table: &MemberTable, model: &Model) {
    let owned = |(member, payload): (&[u8], &[u8])| (member.to_vec(), payload.to_vec());
    let walked: Vec<_> = table.iter().map(owned).collect();
    assert_eq!(walked.len(), model.len());
    assert_eq!(&walked.into_iter().collect::<Model>(), model);
    let mut scanned = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = table.scan(cursor, |member, payload| scanned.push(owned((member, payload))));
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(scanned.len(), model.len(), "nothing comes twice while nothing changes");
    assert_eq!(&scanned.into_iter().collect::<Model>(), model);
    // SAFETY: the table's entries are live.
    let members_bytes: usize = table.table.entries().map(|at| unsafe { shape(at) }.bytes()).sum();
    assert_eq!(table.members_bytes, members_bytes);
    assert_eq!(table.memory_bytes(), members_bytes + table.table.memory_bytes());
}

proptest! {
    #[test]
    fn behaves_as_a_map(steps in prop::collection::vec(step(), 1..300)) {
        let (mut table, mut model) = (MemberTable::new(), Model::new());
        for step in steps {
            apply(&mut table, &mut model, step);
        }
        check(&table, &model);
    }
}

fn text(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn table_of(numbers: std::ops::Range<u64>) -> MemberTable {
    let mut table = MemberTable::new();
    numbers.for_each(|number| assert!(table.insert(&text(number), b"")));
    table
}

#[test]
fn grows_and_shrinks_through_many_segments() {
    let mut table = table_of(0..20_000);
    assert_eq!(table.len(), 20_000);
    assert_eq!(table.memory_bytes() - table.table.memory_bytes(), 20_000 * GRAIN_BYTES);
    assert!((0..20_000).all(|number| table.contains(&text(number))));
    assert!(!table.contains(b"20000") && !table.contains(b""));
    assert!((0..20_000).all(|number| table.remove(&text(number))));
    assert_eq!(table.memory_bytes(), 0);
}

#[test]
fn a_short_member_costs_one_byte_more() {
    for (member, payload, header) in [(63, 0, 1), (64, 0, 2), (63, 127, 2), (8_191, 16_383, 4), (8_192, 16_384, 6)] {
        let (at, shape) = create(&vec![7; member], &vec![7; payload]);
        let owned = OwnedMember { at };
        assert_eq!((owned.member().len(), owned.payload().len()), (member, payload));
        assert_eq!(shape.content(), header + member + payload);
    }
}

#[test]
fn a_payload_of_the_same_size_class_stays_in_place() {
    let mut table = MemberTable::new();
    table.insert(b"field", b"12345678");
    let place = table.get(b"field").map(<[u8]>::as_ptr);
    assert!(!table.insert(b"field", b"123456789"));
    assert_eq!(table.get(b"field"), Some(&b"123456789"[..]));
    assert_eq!(table.get(b"field").map(<[u8]>::as_ptr), place);
    assert!(!table.insert(b"field", b"1234567890"));
    assert_eq!(table.get(b"field"), Some(&b"1234567890"[..]));
    assert_eq!(table.members_bytes, 2 * GRAIN_BYTES);
    assert!(!table.insert(b"field", b""));
    assert_eq!(table.get(b"field"), Some(&b""[..]));
    assert_eq!(table.members_bytes, GRAIN_BYTES);
}

#[test]
fn a_walk_shows_what_stays_whatever_else_happens() {
    let mut random = Random::new(1);
    for round in 0..20 {
        let mut table = table_of(0..3_000);
        let (mut seen, mut cursor) = (HashSet::new(), 0);
        loop {
            cursor = table.scan(cursor, |member, _| {
                seen.insert(member.to_vec());
            });
            if cursor == 0 {
                break;
            }
            // The members below 1000 stay. The others leave, or a crowd comes.
            for _ in 0..20 {
                let number = 1_000 + random.below(40_000);
                if round % 2 == 0 {
                    table.remove(&text(number % 3_000 + 1_000))
                } else {
                    table.insert(&text(number), b"")
                };
            }
        }
        assert!((0..1_000).all(|number| seen.contains(&text(number))));
    }
}

#[test]
fn draws_are_fair() {
    for count in [1, 5, 40, 600] {
        let table = table_of(0..count);
        let mut source = Random::new(count);
        let mut counts = HashMap::new();
        let draws = 2_000 * count;
        for _ in 0..draws {
            let (member, payload) = table.random(&mut || source.next_u64()).expect("there are members");
            assert!(payload.is_empty());
            *counts.entry(member.to_vec()).or_insert(0_u64) += 1;
        }
        assert_eq!(counts.len() as u64, count);
        // The deviation of each count is 45.
        assert!(counts.values().all(|drawn| drawn.abs_diff(2_000) < 300), "{counts:?}");
    }
    assert!(MemberTable::new().random(&mut || 0).is_none());
    let (mut table, mut source) = (table_of(0..600), Random::new(1));
    let taken = std::iter::from_fn(|| table.take_random(&mut || source.next_u64()));
    let taken: HashSet<Vec<u8>> = taken.map(|taken| taken.member().to_vec()).collect();
    assert_eq!(taken, (0..600).map(text).collect());
    assert_eq!(table.memory_bytes(), 0);
}

#[test]
fn is_freed_in_slices() {
    let mut table = table_of(0..20_000);
    let mut slices = 0;
    let mut before = table.len();
    while table.free_slice() {
        let freed = before - table.len();
        assert!((ALLOCATIONS_PER_SLICE..2 * ALLOCATIONS_PER_SLICE).contains(&freed), "{freed}");
        before = table.len();
        slices += 1;
    }
    assert!((10..20).contains(&slices), "{slices}");
    assert!(table.len() <= ALLOCATIONS_PER_SLICE);
    while !table.is_empty() {
        table.free_slice();
    }
    assert_eq!(table.memory_bytes(), 0);
    assert!(!table.free_slice());
}

#[test]
fn may_go_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    let mut table = table_of(0..10);
    is_send(&table);
    is_send(&table.take(b"3"));
}
