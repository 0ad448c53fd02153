//! `Quicklist`: a long list as a sequence of nodes. Which elements share a node follows Redis' rules.
//!
//! Nodes are never compressed: `list-compress-depth` is accepted and stored, and OBJECT ENCODING is the same with it. What
//! it would save in memory, every look into the middle of a list would pay for.

use std::ops::ControlFlow;

use crate::value::listpack::{Element, Listpack};

use super::node::{Limits, Node};
use super::nodes::{Nodes, Place};
use super::walk::walk_node;
use super::{End, Item, NewElement};

/// From so many nodes on a list is long.
const NODES_LONG: usize = 8;

/// See the file's head.
#[derive(Clone, Debug)]
pub(super) struct Quicklist {
    nodes: Nodes,
    /// `list-max-listpack-size` when the list became long: a change of the parameter is for lists that become so later.
    node_limit: i32,
}

impl Quicklist {
    /// A list of a listpack's elements.
    pub(super) fn new(limits: Limits, pack: Listpack) -> Quicklist {
        let mut nodes = Nodes::new();
        if !pack.is_empty() {
            nodes.insert(0, Node::of_pack(pack));
        }
        Quicklist { nodes, node_limit: limits.node }
    }

    pub(super) fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    pub(super) fn node_limit(&self) -> i32 {
        self.node_limit
    }

    fn own(&self, limits: Limits) -> Limits {
        Limits { node: self.node_limit, ..limits }
    }

    /// Adds an element at an end.
    pub(super) fn push(&mut self, end: End, element: NewElement<'_>, limits: Limits) {
        let limits = self.own(limits);
        let len = element.bytes.len();
        let count = self.nodes.len();
        if count > 0 {
            let at = if end == End::Front { 0 } else { count - 1 };
            let taken = self.nodes.update(at, |node| {
                let takes = node.takes(len, limits);
                if takes {
                    node.push(end, element.bytes);
                } else {
                    node.close();
                }
                takes
            });
            if taken {
                return;
            }
        }
        // In a long list the room that the last node may never fill is little.
        let node = if count < NODES_LONG { Node::of(element, limits) } else { Node::to_be_filled(element, limits) };
        self.nodes.insert(if end == End::Front { 0 } else { count }, node);
    }

    /// Adds a node behind the last one, for a list that is being loaded.
    pub(super) fn push_node(&mut self, node: Node) {
        self.nodes.insert(self.nodes.len(), node);
    }

    /// The element with this index.
    pub(super) fn get(&self, index: usize) -> Option<Item<'_>> {
        let place = self.nodes.seek(index)?;
        Some(self.nodes.get(place.ordinal)?.get(place.index))
    }

    /// The element at an end.
    #[inline]
    pub(super) fn end(&self, end: End) -> Option<Item<'_>> {
        let last = self.nodes.len().checked_sub(1)?;
        let node = self.nodes.get(if end == End::Front { 0 } else { last })?;
        Some(node.get(if end == End::Front { 0 } else { node.len() - 1 }))
    }

    /// Removes the element at an end, if there is one.
    pub(super) fn remove_end(&mut self, end: End) {
        let Some(last) = self.nodes.len().checked_sub(1) else { return };
        let ordinal = if end == End::Front { 0 } else { last };
        let is_only = self.nodes.update(ordinal, |node| {
            let is_only = node.len() == 1;
            if !is_only {
                node.remove_end(end);
            }
            is_only
        });
        if is_only {
            self.nodes.remove(ordinal);
        }
    }

    /// Puts an element beside the one with this index, which exists.
    pub(super) fn insert(&mut self, index: usize, after: bool, element: NewElement<'_>, limits: Limits) {
        let Some(place) = self.nodes.seek(index) else { return };
        self.insert_beside(place, after, element, self.own(limits));
    }

    fn insert_beside(&mut self, place: Place, after: bool, element: NewElement<'_>, limits: Limits) {
        let Place { ordinal, index } = place;
        let (len, is_large) = (element.bytes.len(), limits.is_large(element.bytes.len()));
        let Some(node) = self.nodes.get(ordinal) else { return };
        if node.takes(len, limits) {
            return self.nodes.update(ordinal, |node| node.insert(index + usize::from(after), element.bytes));
        }
        let at_edge = if after { index + 1 == node.len() } else { index == 0 };
        if at_edge {
            let beside = if after { Some(ordinal + 1) } else { ordinal.checked_sub(1) };
            let takes = |at| self.nodes.get(at).is_some_and(|node: &Node| node.takes(len, limits));
            match beside.filter(|&at| takes(at)) {
                Some(at) => {
                    self.nodes.update(at, |node| node.insert(if after { 0 } else { node.len() }, element.bytes))
                }
                None => self.nodes.insert(ordinal + usize::from(after), Node::of(element, limits)),
            }
            return;
        }
        // Redis keeps what lies on the pivot's side in the node, and joins around it.
        let rest = self.nodes.update(ordinal, |node| node.split_off(index + usize::from(after)));
        self.nodes.insert(ordinal + 1, rest);
        if is_large {
            self.nodes.insert(ordinal + 1, Node::of(element, limits));
        } else if after {
            self.nodes.update(ordinal + 1, |node| node.insert(0, element.bytes));
            self.join_around(ordinal, limits);
        } else {
            self.nodes.update(ordinal, |node| node.insert(node.len(), element.bytes));
            self.join_around(ordinal + 1, limits);
        }
    }

    /// Puts an element in the place of the one with this index, which exists.
    pub(super) fn replace(&mut self, index: usize, element: NewElement<'_>, limits: Limits) {
        let limits = self.own(limits);
        let Some(Place { ordinal, index }) = self.nodes.seek(index) else { return };
        let (len, is_large) = (element.bytes.len(), limits.is_large(element.bytes.len()));
        let Some(node) = self.nodes.get(ordinal) else { return };
        let count = node.len();
        if node.takes_instead(len, limits) {
            return self.nodes.update(ordinal, |node| node.replace(index, element.bytes));
        }
        if matches!(node, Node::Plain(_)) {
            if is_large {
                return self.nodes.update(ordinal, |node| *node = Node::of(element, limits));
            }
            self.insert_beside(Place { ordinal, index }, true, element, limits);
            self.nodes.remove(ordinal);
            return;
        }
        if index + 1 < count {
            let rest = self.nodes.update(ordinal, |node| node.split_off(index + 1));
            self.nodes.insert(ordinal + 1, rest);
        }
        self.nodes.insert(ordinal + 1, Node::of(element, limits));
        if index == 0 {
            self.nodes.remove(ordinal);
        } else {
            self.nodes.update(ordinal, |node| node.remove(index, 1));
            self.join_around(ordinal + 1, limits);
        }
    }

    /// Joins nodes around one that was split, as far as the limits allow it: the two before it, the two behind it, then
    /// itself with its neighbours.
    fn join_around(&mut self, center: usize, limits: Limits) {
        let mut center = center;
        if center >= 2 && self.join(center - 2, limits) {
            center -= 1;
        }
        self.join(center + 1, limits);
        if center >= 1 && self.join(center - 1, limits) {
            center -= 1;
        }
        self.join(center, limits);
    }

    /// Joins a node and the next one, if there are both and the limits allow it.
    fn join(&mut self, left: usize, limits: Limits) -> bool {
        let joins = match (self.nodes.get(left), self.nodes.get(left + 1)) {
            (Some(node), Some(next)) => node.takes_node(next, limits),
            _ => false,
        };
        if joins {
            let next = self.nodes.remove(left + 1);
            self.nodes.update(left, |node| node.append(&next));
        }
        joins
    }

    /// Removes `count` elements from an index on; those that exist.
    pub(super) fn remove_range(&mut self, start: usize, count: usize) {
        let mut left = count.min(self.nodes.elements().saturating_sub(start));
        let Some(mut place) = self.nodes.seek(start) else { return };
        while left > 0 {
            let Place { ordinal, index } = place;
            let node_len = self.nodes.get(ordinal).map_or(0, Node::len);
            let removed = left.min(node_len - index);
            if removed == node_len {
                self.nodes.remove(ordinal);
                place = Place { ordinal, index: 0 };
            } else {
                self.nodes.update(ordinal, |node| node.remove(index, removed));
                place = Place { ordinal: ordinal + 1, index: 0 };
            }
            left -= removed;
        }
    }

    /// Removes up to `most` elements that equal `wanted`, those nearest to an end; returns how many.
    pub(super) fn remove_equal(&mut self, wanted: &[u8], most: usize, end: End) -> usize {
        let element = Element::of(wanted);
        let (mut removed, mut passed) = (0, 0);
        // `passed` nodes from the end are done with.
        while passed < self.nodes.len() && removed < most {
            let ordinal = if end == End::Front { passed } else { self.nodes.len() - 1 - passed };
            let (found, is_empty) = self.nodes.update(ordinal, |node| match node {
                Node::Plain(bytes) => (usize::from(&bytes[..] == wanted), &bytes[..] == wanted),
                Node::Packed { .. } => {
                    let found = node.remove_equal(element, most - removed, end == End::Back);
                    (found, node.len() == 0)
                }
            });
            removed += found;
            if is_empty {
                self.nodes.remove(ordinal);
            } else {
                passed += 1;
            }
        }
        removed
    }

    /// Shows elements one after the other, from the one at an index towards an end of the list.
    pub(super) fn walk(&self, start: usize, towards: End, visit: &mut impl FnMut(Item<'_>) -> ControlFlow<()>) {
        let Some(place) = self.nodes.seek(start) else { return };
        let (mut leaf, mut at) = self.nodes.leaf(place.ordinal);
        let (mut ordinal, mut first) = (place.ordinal, Some(place.index));
        loop {
            let node = &leaf[at];
            let index = first.take().unwrap_or(if towards == End::Back { 0 } else { node.len() - 1 });
            if walk_node(node, index, towards, visit).is_break() {
                return;
            }
            let next = if towards == End::Back { Some(ordinal + 1) } else { ordinal.checked_sub(1) };
            let Some(next) = next.filter(|&next| next < self.nodes.len()) else { return };
            ordinal = next;
            let in_leaf = if towards == End::Back { Some(at + 1) } else { at.checked_sub(1) };
            match in_leaf.filter(|&at| at < leaf.len()) {
                Some(next) => at = next,
                None => (leaf, at) = self.nodes.leaf(ordinal),
            }
        }
    }

    /// The only node's listpack, if `suits` says that the list is small enough to be nothing else.
    pub(super) fn take_pack(&mut self, suits: impl FnOnce(usize, usize) -> bool) -> Option<Listpack> {
        let is_small = match (self.nodes.len(), self.nodes.get(0)) {
            (1, Some(node @ Node::Packed { count, .. })) => suits(node.bytes(), *count as usize),
            _ => false,
        };
        if !is_small {
            return None;
        }
        match self.nodes.remove(0) {
            Node::Packed { pack, .. } => Some(pack),
            Node::Plain(_) => None,
        }
    }

    /// Takes the last node out, for freeing.
    pub(super) fn take_last(&mut self) -> Option<Node> {
        let last = self.nodes.len().checked_sub(1)?;
        Some(self.nodes.remove(last))
    }

    /// The last node.
    pub(super) fn last(&self) -> Option<&Node> {
        self.nodes.get(self.nodes.len().checked_sub(1)?)
    }
}
