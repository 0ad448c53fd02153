//! Tests of the tree of nodes: against a plain vector of node lengths, over enough nodes for three levels.

use super::*;
use crate::stdx::random::Random;
use crate::value::list::{Limits, NewElement};
use crate::value::listpack::{Element, Listpack};

const ANY: Limits = Limits { node: -2, plain_bytes_min: 0 };

/// A node with so many elements.
fn node(len: usize) -> Node {
    let mut pack = Listpack::new();
    (0..len).for_each(|element| pack.push_back(Element::Integer(element as i64)));
    Node::of_pack(pack)
}

/// Counts, capacities and heights as they must be; returns the height.
fn check(subtree: &Subtree) -> (usize, usize, usize) {
    match subtree {
        Subtree::Leaf(nodes) => {
            assert!(nodes.len() <= CHILDREN_MAX);
            (nodes.len(), nodes.iter().map(Node::len).sum(), 0)
        }
        Subtree::Branch(children) => {
            assert!((1..=CHILDREN_MAX).contains(&children.len()));
            let mut sums = (0, 0, 0);
            for (at, child) in children.iter().enumerate() {
                let (len, elements, height) = check(&child.subtree);
                assert!(len > 0);
                assert_eq!((child.len, child.elements), (len, elements));
                assert!(at == 0 || sums.2 == height + 1);
                sums = (sums.0 + len, sums.1 + elements, height + 1);
            }
            sums
        }
    }
}

fn check_all(nodes: &Nodes, model: &[usize]) -> usize {
    let (len, elements, height) = check(&nodes.root);
    assert_eq!((nodes.len(), nodes.elements()), (len, elements));
    assert_eq!(nodes.iter().map(Node::len).collect::<Vec<_>>(), model);
    assert_eq!(nodes.memory_bytes, nodes.iter().map(Node::memory_bytes).sum::<usize>());
    let mut index = 0;
    for (ordinal, len) in model.iter().enumerate().step_by(7) {
        assert_eq!(nodes.get(ordinal).map(Node::len), Some(*len));
        index = model[..ordinal].iter().sum();
        assert_eq!(nodes.seek(index), Some(Place { ordinal, index: 0 }));
        assert_eq!(nodes.seek(index + len - 1), Some(Place { ordinal, index: len - 1 }));
    }
    assert!(nodes.seek(elements).is_none() && nodes.get(model.len()).is_none() && index <= elements);
    height
}

#[test]
fn growth_at_the_ends_fills_the_tree() {
    for at_back in [true, false] {
        let (mut nodes, mut model) = (Nodes::new(), Vec::new());
        for step in 0..5000 {
            let at = if at_back { step } else { 0 };
            nodes.insert(at, node(1 + step % 3));
            model.insert(at, 1 + step % 3);
        }
        assert_eq!(check_all(&nodes, &model), 2, "5000 nodes are 79 full leaves");
        while let Some(last) = nodes.len().checked_sub(1) {
            let at = if at_back { 0 } else { last };
            assert_eq!(nodes.remove(at).len(), model.remove(at));
        }
        assert_eq!(check_all(&nodes, &model), 0);
    }
}

#[test]
fn growth_at_one_place_within_keeps_the_tree_low() {
    let (mut nodes, mut model) = (Nodes::new(), vec![2, 2]);
    nodes.insert(0, node(2));
    nodes.insert(0, node(2));
    for _ in 0..10_000 {
        nodes.insert(1, node(1));
        model.insert(1, 1);
    }
    assert!(check_all(&nodes, &model) <= 3);
}

#[test]
fn random_changes() {
    let mut random = Random::new(1);
    for round in 0..6 {
        let (mut nodes, mut model): (Nodes, Vec<usize>) = (Nodes::new(), Vec::new());
        let mut below = |bound: usize| random.below(bound as u64) as usize;
        for step in 0..6000 {
            // Grows for a while, then shrinks.
            let grows = below(10) < if step < 3500 { 8 } else { 2 };
            if grows || model.is_empty() {
                let at = match round % 3 {
                    0 => below(model.len() + 1),
                    1 => model.len() / 2,
                    _ => [0, model.len()][below(2)],
                };
                let len = 1 + below(4);
                nodes.insert(at, node(len));
                model.insert(at, len);
            } else if below(2) == 0 {
                let at = below(model.len());
                assert_eq!(nodes.remove(at).len(), model.remove(at));
            } else {
                let at = below(model.len());
                nodes.update(at, |node| node.insert(0, b"more"));
                model[at] += 1;
            }
            if step % 500 == 0 {
                assert!(check_all(&nodes, &model) <= 3);
            }
        }
        check_all(&nodes, &model);
    }
}

#[test]
fn a_large_element_is_kept_without_copying() {
    let bytes = bytes::Bytes::from(vec![b'x'; 10_000]);
    let node = Node::of(NewElement { bytes: &bytes, shared: Some(&bytes) }, ANY);
    assert!(matches!(&node, Node::Plain(kept) if kept.as_ptr() == bytes.as_ptr()));
}
