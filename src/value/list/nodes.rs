//! `Nodes`: the nodes of a long list in order, found by their own number (*ordinal*) or by the index of an element.
//!
//! A B-tree whose inner levels keep how many nodes and elements are below each child, so that every operation takes
//! logarithmic time, no growth moves more than one tree node, and a list of ten million elements is entered in its middle
//! as fast as at its ends. Growth at an end fills the tree nodes there; elsewhere a full tree node is halved, which keeps
//! the tree low whatever the order of operations.

use super::node::Node;

/// Children of a tree node. Beyond: it is split.
const CHILDREN_MAX: usize = 64;
/// A tree node with fewer children joins a neighbour, if there is one with room.
const CHILDREN_FEW: usize = 16;
/// Children of two tree nodes that join: not full, so that the next insertion does not part them again.
const CHILDREN_JOINED_MAX: usize = 48;

/// See the file's head.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    root: Subtree,
    len: usize,
    elements: usize,
    /// Of all nodes.
    memory_bytes: usize,
}

#[derive(Clone, Debug)]
enum Subtree {
    Leaf(Vec<Node>),
    Branch(Vec<Child>),
}

#[derive(Clone, Debug)]
struct Child {
    subtree: Subtree,
    /// Nodes below.
    len: usize,
    /// Their elements.
    elements: usize,
}

/// Where an element is: the node, and the index in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) ordinal: usize,
    pub(super) index: usize,
}

/// Where a new tree node comes from: what grows at an end of the list fills up what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Growth {
    AtFront,
    AtBack,
    Within,
}

impl Nodes {
    pub(super) fn new() -> Nodes {
        Nodes { root: Subtree::Leaf(Vec::new()), len: 0, elements: 0, memory_bytes: 0 }
    }

    /// Number of nodes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Number of elements of all nodes.
    pub(super) fn elements(&self) -> usize {
        self.elements
    }

    /// Bytes of memory of the nodes and, about, of the tree.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes + self.len * std::mem::size_of::<Node>()
    }

    /// The place of the element with this index.
    pub(super) fn seek(&self, index: usize) -> Option<Place> {
        if index >= self.elements {
            return None;
        }
        let mut place = Place { ordinal: 0, index };
        let mut subtree = &self.root;
        loop {
            match subtree {
                Subtree::Branch(children) => {
                    let mut below = children.iter();
                    subtree = loop {
                        let child = below.next().expect("the sum of all children is the tree node's own count");
                        if place.index < child.elements {
                            break &child.subtree;
                        }
                        place.index -= child.elements;
                        place.ordinal += child.len;
                    };
                }
                Subtree::Leaf(nodes) => {
                    for node in nodes {
                        if place.index < node.len() {
                            return Some(place);
                        }
                        place.index -= node.len();
                        place.ordinal += 1;
                    }
                    unreachable!("the sum of all nodes is the leaf's own count");
                }
            }
        }
    }

    /// The nodes of the leaf that has the node with this ordinal, and where in it the node is.
    pub(super) fn leaf(&self, ordinal: usize) -> (&[Node], usize) {
        let (mut subtree, mut len, mut rest) = (&self.root, self.len, ordinal);
        loop {
            match subtree {
                Subtree::Leaf(nodes) => return (nodes, rest),
                Subtree::Branch(children) => {
                    let (at, below) = child_of(children, rest, len);
                    (subtree, len, rest) = (&children[at].subtree, children[at].len, below);
                }
            }
        }
    }

    /// The node with this ordinal.
    pub(super) fn get(&self, ordinal: usize) -> Option<&Node> {
        if ordinal >= self.len {
            return None;
        }
        let (nodes, at) = self.leaf(ordinal);
        nodes.get(at)
    }

    /// All nodes in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Node> {
        let mut leaf: (&[Node], usize) = (&[], 0);
        (0..self.len).map(move |ordinal| {
            if leaf.1 == leaf.0.len() {
                leaf = self.leaf(ordinal);
            }
            leaf.1 += 1;
            &leaf.0[leaf.1 - 1]
        })
    }

    /// Changes the node with this ordinal, which exists. It must keep an element, or be removed afterwards.
    pub(super) fn update<R>(&mut self, ordinal: usize, change: impl FnOnce(&mut Node) -> R) -> R {
        let node = self.root.node_mut(ordinal, self.len);
        let (elements, bytes) = (node.len(), node.memory_bytes());
        let result = change(node);
        let (elements_now, bytes_now) = (node.len(), node.memory_bytes());
        self.memory_bytes = self.memory_bytes + bytes_now - bytes;
        if elements_now != elements {
            self.elements = self.elements + elements_now - elements;
            self.root.recount(ordinal, self.len, elements, elements_now);
        }
        result
    }

    /// Puts a node before the one with this ordinal, or behind the last one.
    pub(super) fn insert(&mut self, ordinal: usize, node: Node) {
        let growth = match ordinal {
            _ if ordinal == self.len => Growth::AtBack,
            0 => Growth::AtFront,
            _ => Growth::Within,
        };
        self.elements += node.len();
        self.memory_bytes += node.memory_bytes();
        let right = self.root.insert(ordinal, self.len, node, growth);
        self.len += 1;
        if let Some(right) = right {
            let left = std::mem::replace(&mut self.root, Subtree::Branch(Vec::with_capacity(4)));
            let (len, elements) = (self.len - right.len, self.elements - right.elements);
            if let Subtree::Branch(children) = &mut self.root {
                children.extend([Child { subtree: left, len, elements }, right]);
            }
        }
    }

    /// Takes the node with this ordinal out, which exists.
    pub(super) fn remove(&mut self, ordinal: usize) -> Node {
        let node = self.root.remove(ordinal, self.len);
        self.len -= 1;
        self.elements -= node.len();
        self.memory_bytes -= node.memory_bytes();
        while let Subtree::Branch(children) = &mut self.root
            && children.len() <= 1
        {
            self.root = children.pop().map_or(Subtree::Leaf(Vec::new()), |child| child.subtree);
        }
        node
    }
}

/// Which of the children has the node with this ordinal, and its ordinal there. Looked for from the nearer end.
fn child_of(children: &[Child], ordinal: usize, len: usize) -> (usize, usize) {
    if ordinal < len / 2 {
        let mut rest = ordinal;
        for (at, child) in children.iter().enumerate() {
            if rest < child.len {
                return (at, rest);
            }
            rest -= child.len;
        }
    } else {
        let mut end = len;
        for (at, child) in children.iter().enumerate().rev() {
            end -= child.len;
            if ordinal >= end {
                return (at, ordinal - end);
            }
        }
    }
    unreachable!("the sum of all children is the tree node's own count")
}

impl Subtree {
    fn children_len(&self) -> usize {
        match self {
            Subtree::Leaf(nodes) => nodes.len(),
            Subtree::Branch(children) => children.len(),
        }
    }

    fn node_mut(&mut self, ordinal: usize, len: usize) -> &mut Node {
        let (mut subtree, mut len, mut rest) = (self, len, ordinal);
        loop {
            match subtree {
                Subtree::Leaf(nodes) => return &mut nodes[rest],
                Subtree::Branch(children) => {
                    let (at, below) = child_of(children, rest, len);
                    let child = &mut children[at];
                    (subtree, len, rest) = (&mut child.subtree, child.len, below);
                }
            }
        }
    }

    /// The node with this ordinal had `before` elements and has `after`.
    fn recount(&mut self, ordinal: usize, len: usize, before: usize, after: usize) {
        let (mut subtree, mut len, mut rest) = (self, len, ordinal);
        while let Subtree::Branch(children) = subtree {
            let (at, below) = child_of(children, rest, len);
            let child = &mut children[at];
            child.elements = child.elements + after - before;
            (subtree, len, rest) = (&mut child.subtree, child.len, below);
        }
    }

    /// Puts a node before the one with this ordinal; returns what had to go into a tree node of its own, to the right.
    fn insert(&mut self, ordinal: usize, len: usize, node: Node, growth: Growth) -> Option<Child> {
        match self {
            Subtree::Leaf(nodes) => insert_split(nodes, ordinal, node, growth).map(|right| Child {
                len: right.len(),
                elements: right.iter().map(Node::len).sum(),
                subtree: Subtree::Leaf(right),
            }),
            Subtree::Branch(children) => {
                // Before the first node of a child is as good as behind the last one of the child before it.
                let (at, below) = match ordinal {
                    0 => (0, 0),
                    _ => child_of(children, ordinal - 1, len),
                };
                let below = if ordinal == 0 { 0 } else { below + 1 };
                let child = &mut children[at];
                child.elements += node.len();
                let right = child.subtree.insert(below, child.len, node, growth);
                child.len += 1;
                let right = right?;
                child.len -= right.len;
                child.elements -= right.elements;
                insert_split(children, at + 1, right, growth).map(|right| Child {
                    len: right.iter().map(|child| child.len).sum(),
                    elements: right.iter().map(|child| child.elements).sum(),
                    subtree: Subtree::Branch(right),
                })
            }
        }
    }

    fn remove(&mut self, ordinal: usize, len: usize) -> Node {
        match self {
            Subtree::Leaf(nodes) => nodes.remove(ordinal),
            Subtree::Branch(children) => {
                let (at, below) = child_of(children, ordinal, len);
                let child = &mut children[at];
                let node = child.subtree.remove(below, child.len);
                child.len -= 1;
                child.elements -= node.len();
                match child.subtree.children_len() {
                    0 => {
                        children.remove(at);
                    }
                    few if few < CHILDREN_FEW => join(children, at),
                    _ => {}
                }
                node
            }
        }
    }

    /// Appends the children of the subtree to the right, which has the same height.
    fn append(&mut self, right: Subtree) {
        match (self, right) {
            (Subtree::Leaf(nodes), Subtree::Leaf(more)) => nodes.extend(more),
            (Subtree::Branch(children), Subtree::Branch(more)) => children.extend(more),
            _ => unreachable!("the children of a tree node have one height"),
        }
    }
}

/// Inserts into the children of a tree node; returns those that had to leave it, to the right.
fn insert_split<T>(children: &mut Vec<T>, at: usize, new: T, growth: Growth) -> Option<Vec<T>> {
    if children.len() < CHILDREN_MAX {
        children.insert(at, new);
        return None;
    }
    let left_len = match growth {
        Growth::AtBack => CHILDREN_MAX,
        Growth::AtFront => at.min(1),
        Growth::Within => CHILDREN_MAX / 2,
    };
    let mut right = children.split_off(left_len);
    if at <= left_len && growth != Growth::AtBack {
        children.insert(at, new);
    } else {
        right.insert(at - left_len, new);
    }
    if growth == Growth::AtFront {
        children.shrink_to(4);
    }
    Some(right)
}

/// The child at `at` has become small: its children and those of a neighbour come together if they have room.
fn join(children: &mut Vec<Child>, at: usize) {
    let fits = |left: usize| {
        children
            .get(left..left + 2)
            .is_some_and(|pair| pair[0].subtree.children_len() + pair[1].subtree.children_len() <= CHILDREN_JOINED_MAX)
    };
    let left = if fits(at) {
        at
    } else if at > 0 && fits(at - 1) {
        at - 1
    } else {
        return;
    };
    let right = children.remove(left + 1);
    let child = &mut children[left];
    child.len += right.len;
    child.elements += right.elements;
    child.subtree.append(right.subtree);
}

#[cfg(test)]
#[path = "nodes_tests.rs"]
mod tests;
