//! The tree against a sorted vector, with nodes so small that they split and merge all the time.

use super::*;
use crate::stdx::random::Random;

type Small = Tree<u32, 4, 5>;

/// Checks every invariant; gives the depth.
fn check_node<P: Copy + PartialEq + std::fmt::Debug>(node: &Node<P>, leaf: usize, inner: usize) -> usize {
    match node {
        Node::Leaf(items) => {
            assert!(items.len() <= leaf);
            0
        }
        Node::Inner(children) => {
            assert!((1..=inner).contains(&children.len()));
            let depths: Vec<usize> = children
                .iter()
                .map(|child| {
                    assert_eq!(child.count, child.node.count());
                    assert_eq!(Some(child.first), child.node.first());
                    check_node(&child.node, leaf, inner)
                })
                .collect();
            assert!(depths.iter().all(|depth| *depth == depths[0]));
            depths[0] + 1
        }
    }
}

fn check(tree: &Small, model: &[(f64, u32)]) {
    let depth = check_node(&tree.root, 4, 5);
    assert!(depth <= 12, "{depth} levels for {}", model.len());
    assert_eq!(tree.len(), model.len());
    assert_eq!(tree.range(0..usize::MAX, false).collect::<Vec<_>>(), model);
}

fn before(item: (f64, u32)) -> impl Fn(f64, u32) -> bool {
    move |score, member| (score, member) < item
}

#[test]
fn it_is_a_sorted_list_with_ranks() {
    let mut random = Random::new(5);
    for round in 0..30 {
        let (mut tree, mut model) = (Small::new(), Vec::<(f64, u32)>::new());
        // Rounds grow, stay and shrink; some add in order.
        for step in 0..600 {
            let grows = if step < 300 { 80 } else { 25 };
            if random.below(100) < grows {
                let score = if round % 3 == 0 { step as f64 } else { random.below(40) as f64 };
                let item = (score, random.below(1000) as u32);
                let at = model.partition_point(|other| *other < item);
                assert_eq!(tree.rank(before(item)), at);
                tree.insert(item, before(item));
                model.insert(at, item);
            } else if !model.is_empty() {
                let from = random.below(model.len() as u64) as usize;
                let width = if random.below(10) == 0 { random.below(40) as usize } else { 1 };
                let to = (from + width).min(model.len());
                let mut out = Vec::new();
                tree.remove(from..to, |score, member| out.push((score, member)));
                assert_eq!(out, model.drain(from..to).collect::<Vec<_>>());
            }
            check(&tree, &model);
            let rank = random.below(model.len() as u64 + 2) as usize;
            assert_eq!(tree.get(rank), model.get(rank).copied());
        }
        tree.remove(0..model.len(), |_, _| {});
        check(&tree, &[]);
    }
}

#[test]
fn ranges_go_both_ways() {
    let mut tree = Small::new();
    for number in 0..100 {
        tree.insert((f64::from(number / 3), number), |_, _| true);
    }
    for from in 0..100 {
        for to in [from, from + 1, from + 7, 100, 200] {
            let forwards: Vec<u32> = tree.range(from..to, false).map(|(_, member)| member).collect();
            let expected: Vec<u32> = (from as u32..(to as u32).min(100)).collect();
            assert_eq!(forwards, expected);
            let backwards: Vec<u32> = tree.range(from..to, true).map(|(_, member)| member).collect();
            assert_eq!(backwards, expected.into_iter().rev().collect::<Vec<_>>());
        }
    }
    assert_eq!(tree.range(100..90, true).count(), 0, "an empty range");
    assert_eq!(tree.range(5..9, true).len(), 4);
}

#[test]
fn what_stands_near_an_end_is_in_its_leaf() {
    let mut tree = Small::new();
    assert_eq!(tree.near_end([0, 1], false), [None, None], "an empty tree");
    for number in 0..100 {
        tree.insert((f64::from(number), number), |_, _| true);
    }
    while tree.len() > 0 {
        let len = tree.len();
        for reverse in [false, true] {
            let of_rank = |distance: usize| tree.get(if reverse { len - 1 - distance } else { distance });
            let [first, second, far] = tree.near_end([0, 1, 1000], reverse);
            assert_eq!(first, of_rank(0));
            assert!(second.is_none() || second == of_rank(1), "{second:?} of {len}");
            assert!(second.is_some() || len < 100, "the leaves are full at first");
            assert_eq!(far, None);
        }
        tree.remove(0..1, |_, _| {});
    }
}

#[test]
fn scores_change_in_place() {
    let mut tree = Small::new();
    let mut model: Vec<(f64, u32)> = (0..50).map(|number| (f64::from(number), number)).collect();
    for item in &model {
        tree.insert(*item, |_, _| true);
    }
    for rank in 0..50 {
        tree.set_score(rank, rank as f64 + 0.5);
        model[rank].0 += 0.5;
        check(&tree, &model);
    }
}

#[test]
fn what_is_added_in_order_fills_its_leaves() {
    let mut tree = Tree::<u64, 64, 42>::new();
    for number in 0..100_000_u64 {
        tree.insert((number as f64, number), |_, _| true);
    }
    let bytes = tree.memory_bytes_exact();
    assert!(bytes < 100_000 * 18, "{bytes}");
    assert!(tree.memory_bytes().abs_diff(bytes) < bytes / 4, "{} for {bytes}", tree.memory_bytes());
}

#[test]
fn memory_is_about_what_it_says() {
    let mut random = Random::new(3);
    let mut tree = Tree::<u64, 64, 42>::new();
    for target in [100, 1000, 10_000, 100_000] {
        while tree.len() < target {
            let item = (random.below(1 << 30) as f64, 1);
            tree.insert(item, |score, _| score < item.0);
        }
        let (bytes, said) = (tree.memory_bytes_exact(), tree.memory_bytes());
        assert!(bytes < target * 20, "{bytes} for {target}");
        assert!(said.abs_diff(bytes) < bytes / 4, "{said} for {bytes}");
    }
    while tree.len() > 100 {
        let rank = random.below(tree.len() as u64) as usize;
        tree.remove(rank..rank + 1, |_, _| {});
    }
    let bytes = tree.memory_bytes_exact();
    assert!(bytes < 100 * 40, "{bytes} for 100 that are left of many");
}
