//! A B+tree of scores and member pointers with counts: the order of a large sorted set.
//!
//! The tree knows ranks and keeps scores beside the pointers, so that a search looks behind a pointer only where scores are
//! equal. What is behind a pointer is the caller's business: positions are told by a predicate "stands before what I look
//! for", which must hold for a first part of the items and for no other. Ranks count from 0.
//!
//! Invariants: no node but the root is empty; a child's `count` is the number of items below it and its `first` the first of
//! them, always up to date (a pointer may only be freed once its item is out of the tree); all leaves have one depth. Nodes
//! are allocated no larger than they need. Called by `large` only.

use std::ops::Range;

/// Items a leaf's room grows by: 128 bytes.
const LEAF_STEP: usize = 8;

/// A tree with at most `LEAF` items in a leaf and `INNER` children in an inner node.
#[derive(Debug)]
pub(super) struct Tree<P, const LEAF: usize, const INNER: usize> {
    root: Node<P>,
    len: usize,
}

#[derive(Debug)]
enum Node<P> {
    Leaf(Vec<(f64, P)>),
    Inner(Vec<Child<P>>),
}

#[derive(Debug)]
struct Child<P> {
    count: usize,
    first: (f64, P),
    node: Node<P>,
}

impl<P: Copy> Child<P> {
    /// None when there is nothing below the node.
    fn of(node: Node<P>) -> Option<Child<P>> {
        let first = node.first()?;
        Some(Child { count: node.count(), first, node })
    }

    /// Brings what is known of the node up to date, when it is not empty.
    fn refresh(&mut self) {
        self.count = self.node.count();
        if let Some(first) = self.node.first() {
            self.first = first;
        }
    }
}

impl<P: Copy> Node<P> {
    fn first(&self) -> Option<(f64, P)> {
        match self {
            Node::Leaf(items) => items.first().copied(),
            Node::Inner(children) => children.first().map(|child| child.first),
        }
    }

    fn count(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Inner(children) => children.iter().map(|child| child.count).sum(),
        }
    }

    /// Items or children in this node itself.
    fn width(&self) -> usize {
        match self {
            Node::Leaf(items) => items.len(),
            Node::Inner(children) => children.len(),
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Node::Leaf(items) => items.capacity() * size_of::<(f64, P)>(),
            Node::Inner(children) => {
                let below: usize = children.iter().map(|child| child.node.memory_bytes()).sum();
                children.capacity() * size_of::<Child<P>>() + below
            }
        }
    }

    /// Hands out all items in order.
    fn emit(self, emit: &mut impl FnMut(f64, P)) {
        match self {
            Node::Leaf(items) => items.into_iter().for_each(|(score, member)| emit(score, member)),
            Node::Inner(children) => children.into_iter().for_each(|child| child.node.emit(emit)),
        }
    }
}

/// Room that has become far too large is given back.
fn release<T>(vec: &mut Vec<T>, step: usize) {
    if vec.capacity() >= vec.len() + 2 * step {
        vec.shrink_to(vec.len().next_multiple_of(step));
    }
}

/// Adds an item, with room for a few more at most.
fn insert_item<P>(items: &mut Vec<(f64, P)>, at: usize, item: (f64, P)) {
    if items.len() == items.capacity() {
        items.reserve_exact(LEAF_STEP);
    }
    items.insert(at, item);
}

impl<P: Copy, const LEAF: usize, const INNER: usize> Default for Tree<P, LEAF, INNER> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Copy, const LEAF: usize, const INNER: usize> Tree<P, LEAF, INNER> {
    /// Nodes that are smaller than this are merged with a neighbour or filled up from it.
    const LEAF_MIN: usize = LEAF.div_ceil(3);
    const INNER_MIN: usize = INNER.div_ceil(3);

    /// An empty tree, which has allocated nothing.
    pub(super) const fn new() -> Self {
        Tree { root: Node::Leaf(Vec::new()), len: 0 }
    }

    /// Number of items.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of the heap it takes, as computed by a walk over all nodes.
    #[cfg(test)]
    pub(super) fn memory_bytes_exact(&self) -> usize {
        self.root.memory_bytes()
    }

    /// Bytes of the heap it takes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        match &self.root {
            Node::Leaf(_) => self.root.memory_bytes(),
            // Leaves are about three quarters full and have room for less than `LEAF_STEP` more; inner nodes add a tenth.
            Node::Inner(_) => {
                let leaves = self.len.div_ceil(LEAF * 3 / 4);
                (self.len + leaves * LEAF_STEP / 2) * size_of::<(f64, P)>() + leaves * size_of::<Child<P>>() * 4 / 3
            }
        }
    }

    /// How many items stand before what is looked for.
    pub(super) fn rank(&self, before: impl Fn(f64, P) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(items) => return rank + items.partition_point(|&(score, member)| before(score, member)),
                Node::Inner(children) => {
                    let index = children.partition_point(|child| before(child.first.0, child.first.1));
                    let Some(index) = index.checked_sub(1) else { return rank };
                    rank += children[..index].iter().map(|child| child.count).sum::<usize>();
                    node = &children[index].node;
                }
            }
        }
    }

    /// The leaf with the item of this rank, which exists, and its place in the leaf.
    fn leaf(&self, rank: usize) -> (&[(f64, P)], usize) {
        let (mut node, mut rank) = (&self.root, rank);
        loop {
            match node {
                Node::Leaf(items) => return (items, rank),
                Node::Inner(children) => node = &children[child_at(children, &mut rank)].node,
            }
        }
    }

    /// The item of this rank.
    pub(super) fn get(&self, rank: usize) -> Option<(f64, P)> {
        if rank >= self.len {
            return None;
        }
        let (items, at) = self.leaf(rank);
        Some(items[at])
    }

    /// The items that stand so many places from the first one, or from the last one when `reverse`; where the leaf at that
    /// end is shorter, none.
    #[inline]
    pub(super) fn near_end<const N: usize>(&self, distances: [usize; N], reverse: bool) -> [Option<(f64, P)>; N] {
        if self.len == 0 {
            return [None; N];
        }
        let (items, at) = self.leaf(if reverse { self.len - 1 } else { 0 });
        distances.map(|distance| {
            let at = if reverse { at.checked_sub(distance) } else { Some(distance) };
            items.get(at?).copied()
        })
    }

    /// The items of these ranks, from the last to the first when `reverse`. Ranks beyond the end are left out.
    pub(super) fn range(&self, ranks: Range<usize>, reverse: bool) -> Items<'_, P, LEAF, INNER> {
        let end = ranks.end.min(self.len);
        Items { tree: self, leaf: &[], from: ranks.start.min(end), to: end, reverse }
    }

    /// Adds an item where `before` says.
    pub(super) fn insert(&mut self, item: (f64, P), before: impl Fn(f64, P) -> bool) {
        if let Some(right) = Self::insert_below(&mut self.root, item, &before) {
            let left = std::mem::replace(&mut self.root, Node::Inner(Vec::with_capacity(2)));
            if let (Node::Inner(children), Some(left)) = (&mut self.root, Child::of(left)) {
                children.push(left);
                children.push(right);
            }
        }
        self.len += 1;
    }

    /// Adds an item below a node. What no longer has room there is returned: the node's new neighbour to the right.
    fn insert_below(node: &mut Node<P>, item: (f64, P), before: &impl Fn(f64, P) -> bool) -> Option<Child<P>> {
        match node {
            Node::Leaf(items) => {
                let at = items.partition_point(|&(score, member)| before(score, member));
                if items.len() < LEAF {
                    insert_item(items, at, item);
                    return None;
                }
                // Behind a full leaf a new one begins, so that what is added in order fills its leaves.
                let mut right = if at == LEAF { Vec::new() } else { items.split_off(LEAF / 2) };
                if at == LEAF || at > LEAF / 2 {
                    insert_item(&mut right, at - items.len(), item);
                } else {
                    insert_item(items, at, item);
                }
                release(items, LEAF_STEP);
                Child::of(Node::Leaf(right))
            }
            Node::Inner(children) => {
                let index = children.partition_point(|child| before(child.first.0, child.first.1)).saturating_sub(1);
                let child = &mut children[index];
                let split = Self::insert_below(&mut child.node, item, before);
                child.count += 1;
                if let Some(first) = child.node.first() {
                    child.first = first;
                }
                let right = split?;
                child.count -= right.count;
                Self::insert_child(children, index + 1, right)
            }
        }
    }

    fn insert_child(children: &mut Vec<Child<P>>, at: usize, child: Child<P>) -> Option<Child<P>> {
        if children.len() < INNER {
            if children.len() == children.capacity() {
                // Rounded as allocators round.
                children.reserve_exact((INNER - children.len()).min(4));
            }
            children.insert(at, child);
            return None;
        }
        let mut right = if at == INNER { Vec::new() } else { children.split_off(INNER / 2) };
        if at == INNER || at > INNER / 2 {
            right.insert(at - children.len(), child);
        } else {
            children.insert(at, child);
        }
        release(children, 4);
        Child::of(Node::Inner(right))
    }

    /// Gives the item of this rank another score, with which it stays where it is.
    pub(super) fn set_score(&mut self, rank: usize, score: f64) {
        fn set<P: Copy>(node: &mut Node<P>, mut rank: usize, score: f64) {
            match node {
                Node::Leaf(items) => items[rank].0 = score,
                Node::Inner(children) => {
                    let index = child_at(children, &mut rank);
                    let child = &mut children[index];
                    set(&mut child.node, rank, score);
                    if rank == 0 {
                        child.first.0 = score;
                    }
                }
            }
        }
        debug_assert!(rank < self.len);
        set(&mut self.root, rank, score);
    }

    /// Takes the items of these ranks out, which must exist, and hands them out in order.
    pub(super) fn remove(&mut self, ranks: Range<usize>, mut emit: impl FnMut(f64, P)) {
        debug_assert!(ranks.end <= self.len);
        if ranks.is_empty() {
            return;
        }
        self.len -= ranks.len();
        if self.len == 0 {
            let root = std::mem::replace(&mut self.root, Node::Leaf(Vec::new()));
            root.emit(&mut emit);
            return;
        }
        Self::remove_below(&mut self.root, ranks.start, ranks.len(), &mut emit);
        while let Node::Inner(children) = &mut self.root
            && children.len() == 1
            && let Some(only) = children.pop()
        {
            self.root = only.node;
        }
    }

    /// Takes `count` items from rank `from` on out from below a node, which must hold more than those.
    fn remove_below(node: &mut Node<P>, from: usize, count: usize, emit: &mut impl FnMut(f64, P)) {
        match node {
            Node::Leaf(items) => {
                items.drain(from..from + count).for_each(|(score, member)| emit(score, member));
                release(items, LEAF_STEP);
            }
            Node::Inner(children) => {
                let (mut from, mut left) = (from, count);
                let mut index = child_at(children, &mut from);
                while left > 0 {
                    let child = &mut children[index];
                    let taken = left.min(child.count - from);
                    left -= taken;
                    if taken == child.count {
                        children.remove(index).node.emit(emit);
                    } else {
                        Self::remove_below(&mut child.node, from, taken, emit);
                        child.refresh();
                        from = 0;
                        index += 1;
                    }
                }
                // Only the neighbours of what was taken out can have become small.
                for near in [index, index.saturating_sub(1), index.saturating_sub(2)] {
                    Self::fill(children, near);
                }
                release(children, 8);
            }
        }
    }

    /// Merges a child that has become small with a neighbour, or evens the two out.
    fn fill(children: &mut Vec<Child<P>>, index: usize) {
        let Some(child) = children.get(index) else { return };
        let (min, max) = match &child.node {
            Node::Leaf(_) => (Self::LEAF_MIN, LEAF),
            Node::Inner(_) => (Self::INNER_MIN, INNER),
        };
        if child.node.width() >= min || children.len() == 1 {
            return;
        }
        let at = index.saturating_sub(1);
        let [left, right] = &mut children[at..at + 2] else {
            unreachable!("there are two, and one stands at the index")
        };
        let whole = left.node.width() + right.node.width();
        // Merged nodes have room, so that the next item does not split them again.
        let is_merged = whole <= max * 3 / 4;
        let middle = if is_merged { whole } else { whole / 2 };
        match (&mut left.node, &mut right.node) {
            (Node::Leaf(left), Node::Leaf(right)) => move_over(left, right, middle, LEAF_STEP),
            (Node::Inner(left), Node::Inner(right)) => move_over(left, right, middle, 8),
            _ => unreachable!("all leaves have one depth"),
        }
        left.refresh();
        if is_merged {
            children.remove(at + 1);
        } else {
            right.refresh();
        }
    }
}

/// The child with the item of this rank, which is made the rank within the child.
fn child_at<P>(children: &[Child<P>], rank: &mut usize) -> usize {
    let mut index = 0;
    while *rank >= children[index].count {
        *rank -= children[index].count;
        index += 1;
    }
    index
}

/// Moves elements between neighbours so that the left one has `middle`.
fn move_over<T>(left: &mut Vec<T>, right: &mut Vec<T>, middle: usize, step: usize) {
    if left.len() < middle {
        let moved = middle - left.len();
        left.reserve_exact(moved.next_multiple_of(step));
        left.extend(right.drain(..moved));
        release(right, step);
    } else {
        let moved = left.len() - middle;
        right.reserve_exact(moved.next_multiple_of(step));
        right.splice(..0, left.drain(middle..));
        release(left, step);
    }
}

/// Items of a tree in order. From leaf to leaf it searches by rank, which costs little for as many items.
#[derive(Debug)]
pub(super) struct Items<'a, P, const LEAF: usize, const INNER: usize> {
    tree: &'a Tree<P, LEAF, INNER>,
    /// What is left of the leaf at hand: its items begin at rank `from`, or end before `to` when in reverse.
    leaf: &'a [(f64, P)],
    from: usize,
    to: usize,
    reverse: bool,
}

impl<P: Copy, const LEAF: usize, const INNER: usize> Iterator for Items<'_, P, LEAF, INNER> {
    type Item = (f64, P);

    #[inline]
    fn next(&mut self) -> Option<(f64, P)> {
        if self.from >= self.to {
            return None;
        }
        if self.reverse {
            if self.leaf.is_empty() {
                let (items, at) = self.tree.leaf(self.to - 1);
                self.leaf = &items[..=at];
            }
            self.to -= 1;
            let (&last, rest) = self.leaf.split_last()?;
            self.leaf = rest;
            Some(last)
        } else {
            if self.leaf.is_empty() {
                let (items, at) = self.tree.leaf(self.from);
                self.leaf = &items[at..];
            }
            self.from += 1;
            let (&first, rest) = self.leaf.split_first()?;
            self.leaf = rest;
            Some(first)
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.to - self.from;
        (left, Some(left))
    }
}

impl<P: Copy, const LEAF: usize, const INNER: usize> ExactSizeIterator for Items<'_, P, LEAF, INNER> {}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
