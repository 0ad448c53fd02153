//! Tests of sets against a `BTreeSet`, of their forms, and of the fairness of what is drawn from them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const LIMITS: SetLimits = SetLimits { intset_entries: 512, listpack_entries: 128, listpack_value: 64 };
/// So low that every form is met soon.
const LOW: SetLimits = SetLimits { intset_entries: 6, listpack_entries: 4, listpack_value: 5 };

fn text(member: Element<'_>) -> Vec<u8> {
    member.to_text().into_owned()
}

fn members(set: &Set) -> BTreeSet<Vec<u8>> {
    let members: Vec<_> = set.iter().map(text).collect();
    let distinct: BTreeSet<_> = members.iter().cloned().collect();
    assert_eq!(members.len(), distinct.len());
    distinct
}

fn set_of<'a>(texts: impl IntoIterator<Item = &'a str>, limits: &SetLimits) -> Set {
    let mut set = Set::new();
    texts.into_iter().for_each(|text| assert!(set.add(text.as_bytes(), limits)));
    set
}

/// A set of so many integers, in the form that the limits give it or in another one.
fn set_of_numbers(count: u64, form: &str) -> Set {
    let (intset_entries, listpack_entries) = match form {
        "intset" => (1_000_000, 0),
        "listpack" => (0, 1_000_000),
        _ => (0, 0),
    };
    let limits = SetLimits { intset_entries, listpack_entries, listpack_value: 64 };
    let mut set = Set::for_members(b"0", 1, &limits);
    for number in 0..count {
        assert!(set.add(number.to_string().as_bytes(), &limits));
    }
    assert_eq!(set.encoding(), form);
    set
}

const FORMS: [&str; 3] = ["intset", "listpack", "hashtable"];

#[derive(Clone, Debug)]
enum Step {
    Add(Vec<u8>),
    Remove(Vec<u8>),
    Pop,
    PopSeveral(usize),
    Sample(usize),
    Compact,
    Copy,
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0_i64..12).prop_map(|integer| integer.to_string().into_bytes()),
        1 => prop_oneof![Just("-5"), Just("70000"), Just("9223372036854775807"), Just("01"), Just("")]
            .prop_map(|text| text.as_bytes().to_vec()),
        3 => "[a-d]{1,2}".prop_map(String::into_bytes),
        1 => "[a-d]{6}".prop_map(String::into_bytes),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => member().prop_map(Step::Add),
        4 => member().prop_map(Step::Remove),
        1 => Just(Step::Pop),
        1 => (0_usize..20).prop_map(Step::PopSeveral),
        1 => (0_usize..20).prop_map(Step::Sample),
        1 => Just(Step::Compact),
        1 => Just(Step::Copy),
    ]
}

fn apply(set: &mut Set, model: &mut BTreeSet<Vec<u8>>, random: &mut Random, step: Step) {
    match step {
        Step::Add(member) => {
            assert_eq!(set.contains_element(Element::of(&member)), model.contains(&member));
            assert_eq!(set.add_element(Element::of(&member), &LOW), model.insert(member));
        }
        Step::Remove(member) => assert_eq!(set.remove(&member), model.remove(&member)),
        Step::Pop => {
            let mut popped = None;
            set.pop(random, |member| popped = Some(text(member)));
            assert_eq!(popped.is_none(), model.is_empty());
            assert!(popped.is_none_or(|popped| model.remove(&popped)));
        }
        Step::PopSeveral(count) => {
            let (count, mut popped) = (count.min(set.len()), Vec::new());
            set.pop_several(count, &LOW, random, |member| popped.push(text(member)));
            assert_eq!(popped.len(), count);
            assert!(popped.iter().all(|popped| model.remove(popped)));
        }
        Step::Sample(count) => {
            let (count, mut sample) = (count.min(set.len()), BTreeSet::new());
            set.sample(count, random, |member| assert!(sample.insert(text(member))));
            assert_eq!(sample.len(), count);
            assert!(sample.is_subset(model));
        }
        Step::Compact => set.become_integers(&LOW),
        Step::Copy => *set = set.copy(),
    }
    assert_eq!(set.len(), model.len());
    assert_eq!(set.is_empty(), model.is_empty());
}

proptest! {
    #[test]
    fn behaves_as_a_set(steps in prop::collection::vec(step(), 1..150), seed in any::<u64>()) {
        let (mut set, mut model, mut random) = (Set::new(), BTreeSet::new(), Random::new(seed));
        for step in steps {
            apply(&mut set, &mut model, &mut random, step);
        }
        prop_assert_eq!(members(&set), model.clone());
        prop_assert!(model.iter().all(|member| set.contains(member)));
        let (mut scanned, mut cursor) = (Vec::new(), 0);
        loop {
            cursor = set.scan(cursor, |member| scanned.push(text(member)));
            if cursor == 0 {
                break;
            }
        }
        scanned.sort();
        prop_assert!(scanned.iter().eq(&model));
    }
}

#[test]
fn forms_are_those_of_redis() {
    let encoding = |texts: &[&str], limits| set_of(texts.iter().copied(), limits).encoding();
    assert_eq!(encoding(&["1", "2", "3", "4", "5", "6"], &LOW), "intset");
    assert_eq!(encoding(&["1", "2", "3", "4", "5", "6", "7"], &LOW), "hashtable");
    assert_eq!(encoding(&["1", "2", "3", "a"], &LOW), "listpack");
    assert_eq!(encoding(&["1", "2", "3", "4", "a"], &LOW), "hashtable", "the listpack would be full");
    assert_eq!(encoding(&["1", "01"], &LOW), "listpack", "01 is no integer's text");
    assert_eq!(encoding(&["123456", "a"], &LOW), "hashtable", "an integer of six digits is too long");
    assert_eq!(encoding(&["-1000", "a"], &LOW), "listpack");
    assert_eq!(encoding(&["1", "abcdef"], &LOW), "hashtable");
    assert_eq!(encoding(&["a", "b", "c", "d"], &LOW), "listpack");
    assert_eq!(encoding(&["a", "b", "c", "d", "e"], &LOW), "hashtable");
    let for_members = |first: &str, count, limits| Set::for_members(first.as_bytes(), count, limits).encoding();
    assert_eq!(for_members("1", 512, &LIMITS), "intset");
    assert_eq!(for_members("1", 513, &LIMITS), "hashtable");
    assert_eq!(for_members("a", 128, &LIMITS), "listpack");
    assert_eq!(for_members("a", 129, &LIMITS), "hashtable");
    let none = SetLimits { intset_entries: 0, listpack_entries: 128, listpack_value: 64 };
    assert_eq!(for_members("1", 1, &none), "listpack");
}

#[test]
fn what_is_expected_decides_the_form() {
    for (form, count, expected) in [
        ("intset", 512, "intset"),
        ("intset", 513, "hashtable"),
        ("listpack", 128, "listpack"),
        ("listpack", 129, "hashtable"),
    ] {
        let mut set = set_of_numbers(3, form);
        set.expect(count, &LIMITS);
        assert_eq!(set.encoding(), expected, "{form} {count}");
        assert_eq!(set.len(), 3);
    }
}

#[test]
fn integers_become_an_intset() {
    let mut set = set_of_numbers(100, "hashtable");
    set.become_integers(&LIMITS);
    assert_eq!((set.encoding(), set.len()), ("intset", 100));
    let mut large = set_of_numbers(513, "hashtable");
    large.become_integers(&LIMITS);
    assert_eq!(large.encoding(), "hashtable");
    let mut mixed = set_of(["1", "2", "a"], &LIMITS);
    mixed.become_integers(&LIMITS);
    assert_eq!((mixed.encoding(), mixed.len()), ("listpack", 3));
}

#[test]
fn a_table_that_spop_nearly_empties_becomes_small() {
    let mut random = Random::new(1);
    for (count, left) in [(900, "listpack"), (800, "hashtable")] {
        let mut set = set_of_numbers(1_000, "hashtable");
        set.pop_several(count, &LIMITS, &mut random, |_| {});
        assert_eq!((set.len(), set.encoding()), (1_000 - count, left));
    }
}

/// Panics unless each of the counts is near `expected`, whose deviation is its root.
fn assert_even(counts: &BTreeMap<Vec<Vec<u8>>, u64>, kinds: usize, expected: u64, of: &str) {
    assert_eq!(counts.len(), kinds, "{of}");
    let bound = 7 * expected.isqrt();
    assert!(counts.values().all(|count| count.abs_diff(expected) < bound), "{of}: {counts:?}");
}

#[test]
fn all_choices_are_equally_likely() {
    let mut random = Random::new(7);
    for form in FORMS {
        let set = set_of_numbers(6, form);
        let mut counts = BTreeMap::new();
        for _ in 0..6_000 {
            let drawn = set.random(&mut random).map(text).expect("there are members");
            *counts.entry(vec![drawn]).or_insert(0) += 1;
        }
        assert_even(&counts, 6, 1_000, form);
        // Two of six: fifteen pairs. A table of six is walked for three or more, and drawn from for two or fewer.
        for count in [2, 4] {
            let (mut samples, mut pops) = (BTreeMap::new(), BTreeMap::new());
            for _ in 0..15_000 {
                let mut sample = Vec::new();
                set.sample(count, &mut random, |member| sample.push(text(member)));
                sample.sort();
                *samples.entry(sample).or_insert(0) += 1;
                let (mut popped, mut victim) = (Vec::new(), set.copy());
                victim.pop_several(count, &LIMITS, &mut random, |member| popped.push(text(member)));
                popped.sort();
                *pops.entry(popped).or_insert(0) += 1;
            }
            assert_even(&samples, 15, 1_000, form);
            assert_even(&pops, 15, 1_000, form);
        }
    }
}

#[test]
fn all_members_can_be_drawn_at_once() {
    let mut random = Random::new(3);
    for form in FORMS {
        let set = set_of_numbers(200, form);
        let mut sample = BTreeSet::new();
        set.sample(200, &mut random, |member| assert!(sample.insert(text(member))));
        assert_eq!(sample, members(&set));
        assert!(Set::new().random(&mut random).is_none());
    }
}

#[test]
fn a_large_set_is_freed_in_slices() {
    let mut set = set_of_numbers(10_000, "hashtable");
    assert!(set.allocations() > 10_000);
    let full = set.memory_bytes();
    let mut slices = 0;
    while set.free_slice() {
        slices += 1;
    }
    assert!((5..12).contains(&slices), "{slices}");
    assert!(set.memory_bytes() < full / 5);
    assert!(!set_of_numbers(10, "listpack").free_slice());
}
