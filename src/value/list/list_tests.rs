//! Tests of lists: against a vector of strings with limits so small that nodes split and join all the time, and the forms
//! that Redis gives lists of known contents.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;

const USUAL: Limits = Limits { node: -2, plain_bytes_min: 0 };

fn text(item: Item<'_>) -> Vec<u8> {
    match item {
        Item::Packed(element) => element.text(&mut [0; INTEGER_TEXT_BYTES_MAX]).to_vec(),
        Item::Plain(bytes) => bytes.to_vec(),
    }
}

fn contents(list: &List) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    list.walk(0, End::Back, |item| {
        all.push(text(item));
        ControlFlow::Continue(())
    });
    all
}

fn push(list: &mut List, end: End, bytes: &[u8], limits: Limits) {
    list.make_room(bytes.len(), 1, limits);
    list.push(end, NewElement::new(bytes), limits);
}

#[derive(Clone, Debug)]
enum Step {
    Push(bool, Vec<u8>),
    Pop(bool),
    Insert(usize, bool, Vec<u8>),
    Replace(usize, Vec<u8>),
    RemoveRange(usize, usize),
    RemoveEqual(Vec<u8>, usize, bool),
    Walk(usize, bool, usize),
    Threshold(usize),
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..20i64).prop_map(|number| number.to_string().into_bytes()),
        3 => "[ab]{0,3}".prop_map(String::into_bytes),
        2 => (0usize..40).prop_map(|len| vec![b'x'; len]),
        1 => (4000usize..9000).prop_map(|len| vec![b'y'; len]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<bool>(), element()).prop_map(|(end, bytes)| Step::Push(end, bytes)),
        3 => any::<bool>().prop_map(Step::Pop),
        6 => (any::<usize>(), any::<bool>(), element()).prop_map(|(at, after, bytes)| Step::Insert(at, after, bytes)),
        4 => (any::<usize>(), element()).prop_map(|(at, bytes)| Step::Replace(at, bytes)),
        2 => (any::<usize>(), 0usize..12).prop_map(|(at, count)| Step::RemoveRange(at, count)),
        2 => (element(), 0usize..5, any::<bool>()).prop_map(|(bytes, most, end)| Step::RemoveEqual(bytes, most, end)),
        1 => (any::<usize>(), any::<bool>(), 0usize..9).prop_map(|(at, end, count)| Step::Walk(at, end, count)),
        1 => prop_oneof![Just(0usize), Just(1), Just(5), Just(30)].prop_map(Step::Threshold),
    ]
}

fn end(is_front: bool) -> End {
    if is_front { End::Front } else { End::Back }
}

/// Does a step to both; what both show must be equal.
fn make(list: &mut List, model: &mut VecDeque<Vec<u8>>, step: &Step, limits: &mut Limits) {
    let len = model.len();
    match step {
        Step::Push(front, bytes) => {
            push(list, end(*front), bytes, *limits);
            if *front { model.push_front(bytes.clone()) } else { model.push_back(bytes.clone()) }
        }
        Step::Pop(front) => {
            let expected = if *front { model.pop_front() } else { model.pop_back() };
            assert_eq!(list.end(end(*front)).map(text), expected);
            list.remove_end(end(*front));
        }
        Step::Insert(at, after, bytes) if len > 0 => {
            list.make_room(bytes.len(), 1, *limits);
            list.insert(at % len, *after, NewElement::new(bytes), *limits);
            model.insert(at % len + usize::from(*after), bytes.clone());
        }
        Step::Replace(at, bytes) if len > 0 => {
            list.make_room(bytes.len(), 1, *limits);
            list.replace(at % len, NewElement::new(bytes), *limits);
            model[at % len].clone_from(bytes);
        }
        Step::RemoveRange(at, count) => {
            let start = at % (len + 1);
            list.remove_range(start, *count);
            model.drain(start..(start + count).min(len));
        }
        Step::RemoveEqual(bytes, most, front) => {
            let equal = (0..len).filter(|&at| model[at] == *bytes);
            let mut found: Vec<usize> = if *front { equal.collect() } else { equal.rev().collect() };
            found.truncate(*most);
            assert_eq!(list.remove_equal(bytes, *most, end(*front)), found.len());
            let mut at = 0;
            model.retain(|_| {
                at += 1;
                !found.contains(&(at - 1))
            });
        }
        Step::Walk(at, to_front, count) if len > 0 && *count > 0 => {
            let mut shown = Vec::new();
            list.walk(at % len, end(*to_front), |item| {
                shown.push(text(item));
                if shown.len() == *count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            let start = at % len;
            let expected: Vec<_> = if *to_front {
                model.range(..=start).rev().take(*count).cloned().collect()
            } else {
                model.range(start..).take(*count).cloned().collect()
            };
            assert_eq!(shown, expected);
        }
        Step::Threshold(bytes) => limits.plain_bytes_min = *bytes,
        Step::Insert(..) | Step::Replace(..) | Step::Walk(..) => {}
    }
    list.shrink(*limits);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn behaves_like_a_vector(
        node in prop_oneof![Just(-1), Just(-2), Just(0), 1..9i32],
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut limits = Limits { node, plain_bytes_min: 0 };
        let (mut list, mut model) = (List::default(), VecDeque::new());
        for step in &steps {
            make(&mut list, &mut model, step, &mut limits);
            prop_assert_eq!(list.len(), model.len());
            prop_assert_eq!(list.is_empty(), model.is_empty());
            prop_assert_eq!(list.end(End::Back).map(text), model.back().cloned());
        }
        prop_assert_eq!(contents(&list), model.iter().cloned().collect::<Vec<_>>());
        for (index, expected) in model.iter().enumerate() {
            prop_assert_eq!(list.get(index).map(text), Some(expected.clone()));
        }
        prop_assert!(list.get(model.len()).is_none());
        prop_assert_eq!(contents(&list.copy()), contents(&list));
        let mut loaded = List::loading(limits);
        for part in list.parts() {
            match part {
                Part::Packed(pack) => loaded.load_packed(pack.clone()),
                Part::Plain(bytes) => loaded.load_plain(bytes.clone()),
            }
        }
        loaded.settle(limits);
        prop_assert_eq!(contents(&loaded), contents(&list));
    }
}

/// Lengths of the nodes; a plain one is 0.
fn node_lens(list: &List) -> Vec<usize> {
    list.parts()
        .map(|part| match part {
            Part::Packed(pack) => pack.len(),
            Part::Plain(_) => 0,
        })
        .collect()
}

fn numbers(count: usize, limits: Limits) -> List {
    let mut list = List::default();
    (0..count).for_each(|number| push(&mut list, End::Back, number.to_string().as_bytes(), limits));
    list
}

#[test]
fn nodes_have_the_elements_that_redis_gives_them() {
    let three = Limits { node: 3, plain_bytes_min: 0 };
    let mut list = numbers(9, three);
    assert_eq!(node_lens(&list), [3, 3, 3]);
    // Within a full node it is split, and what fits together joins.
    list.insert(4, false, NewElement::new(b"x"), three);
    assert_eq!(node_lens(&list), [3, 2, 2, 3]);
    // At the edge of a full node the element goes to a neighbour with room, or gets a node of its own.
    list.insert(2, true, NewElement::new(b"y"), three);
    assert_eq!(node_lens(&list), [3, 3, 2, 3]);
    list.insert(2, true, NewElement::new(b"z"), three);
    assert_eq!(node_lens(&list), [3, 1, 3, 2, 3]);
    // A large element stands alone, and so does a small one in its place when the next node has no room.
    let large = vec![b'l'; 10_000];
    list.replace(5, NewElement::new(&large), three);
    assert_eq!(node_lens(&list), [3, 2, 0, 3, 3]);
    list.replace(5, NewElement::new(b"s"), three);
    assert_eq!(node_lens(&list), [3, 2, 1, 3, 3]);
    list.remove_range(1, 10);
    assert_eq!(node_lens(&list), [1, 1]);
}

#[test]
fn long_lists_become_short_again_at_half_of_the_limit() {
    let ten = Limits { node: 10, plain_bytes_min: 0 };
    let mut list = numbers(10, ten);
    assert_eq!(list.encoding(), "listpack");
    push(&mut list, End::Back, b"10", ten);
    assert_eq!(list.encoding(), "quicklist");
    list.remove_end(End::Back);
    for len in (6..=9).rev() {
        list.remove_end(End::Front);
        list.shrink(ten);
        assert_eq!((list.len(), list.encoding()), (len, "quicklist"));
    }
    list.remove_end(End::Front);
    list.shrink(ten);
    assert_eq!((list.len(), list.encoding()), (5, "listpack"));

    let mut list = List::default();
    push(&mut list, End::Back, &[b'x'; 8192], USUAL);
    assert_eq!(list.encoding(), "quicklist", "with its header it would be larger than a node");
    list.replace(0, NewElement::new(b"small"), USUAL);
    list.shrink(USUAL);
    assert_eq!(list.encoding(), "listpack");
}

#[test]
fn a_long_list_is_read_anywhere_and_freed_in_slices() {
    const COUNT: usize = 300_000;
    let list = numbers(COUNT, USUAL);
    for index in (0..COUNT).step_by(COUNT / 97) {
        let mut expected = index;
        list.walk(index, End::Back, |item| {
            assert_eq!(text(item), expected.to_string().into_bytes());
            expected += 1;
            if expected == index + 1000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }
    let bytes: usize =
        list.parts().map(|part| if let Part::Packed(pack) = part { pack.memory_bytes() } else { 0 }).sum();
    assert!(list.memory_bytes() >= bytes && list.memory_bytes() < bytes + bytes / 10);
    assert!(list.allocations() > 200);

    let five = Limits { node: 5, plain_bytes_min: 0 };
    let mut list = numbers(COUNT, five);
    let mut slices = 1;
    while list.free_slice() {
        slices += 1;
    }
    assert!((COUNT / 5 / ALLOCATIONS_PER_SLICE..COUNT / 5 / ALLOCATIONS_PER_SLICE + 10).contains(&slices), "{slices}");
    assert!(list.is_empty());
}
