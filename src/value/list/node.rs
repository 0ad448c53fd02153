//! `Node`: a piece of a long list, and the rules of how much goes into one.
//!
//! A node holds elements packed together, or one large element in a buffer of its own ("plain" in Redis' terms). Which
//! elements share a node follows Redis' rules to the byte, because OBJECT ENCODING and DEBUG OBJECT show the result. The
//! number of packed elements stands beside the listpack, so that a search by index looks at no listpack but the right one.

use bytes::Bytes;

use crate::value::listpack::{Element, Listpack};

use super::{End, Item, NewElement};

/// Bytes of a node for `list-max-listpack-size` -1 to -5.
const NODE_BYTES: [usize; 5] = [4096, 8192, 16_384, 32_768, 65_536];
/// Bytes of a node whose limit is a number of elements.
const COUNTED_NODE_BYTES_MAX: usize = 8192;
/// What Redis adds to an element's length to guess its size in a listpack.
const ELEMENT_OVERHEAD_BYTES: usize = 8;
/// Bytes of a listpack without elements.
const EMPTY_PACK_BYTES: usize = 7;
/// A listpack's own limit is 4 GiB. Beyond this: its elements are split up, or get nodes of their own.
const PACK_BYTES_MAX: usize = 1 << 30;

/// How much goes into a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `list-max-listpack-size`: elements when positive; -1 to -5 stand for 4 to 64 kilobytes.
    pub node: i32,
    /// Length from which an element gets a node of its own; 0: when it is longer than a node may be.
    pub plain_bytes_min: usize,
}

impl Limits {
    /// Most bytes of a node that is limited in bytes.
    fn node_bytes(self) -> Option<usize> {
        let level = usize::try_from(-1 - i64::from(self.node)).ok()?;
        Some(NODE_BYTES[level.min(NODE_BYTES.len() - 1)])
    }

    /// Most elements of a node that is limited in elements: at least one.
    fn node_count(self) -> usize {
        self.node.max(1) as usize
    }

    /// Whether a node of this size is too large.
    pub(super) fn exceeded(self, bytes: usize, count: usize) -> bool {
        match self.node_bytes() {
            Some(most) => bytes > most,
            None => bytes > COUNTED_NODE_BYTES_MAX || count > self.node_count(),
        }
    }

    /// Whether a node of this size is at most half full. (Nobody looks at the bytes of a node that is limited in elements.)
    pub(super) fn is_half(self, bytes: usize, count: usize) -> bool {
        self.is_within(bytes, count, 2)
    }

    /// Whether a list of this size is small, however it came to be.
    pub(super) fn is_small(self, bytes: usize, count: usize) -> bool {
        self.is_within(bytes, count, 1)
    }

    fn is_within(self, bytes: usize, count: usize, part: usize) -> bool {
        match self.node_bytes() {
            Some(most) => bytes <= most / part,
            None => count <= self.node_count() / part,
        }
    }

    /// Whether an element of this length gets a node of its own.
    pub(super) fn is_large(self, len: usize) -> bool {
        match self.plain_bytes_min {
            0 => len > self.node_bytes().unwrap_or(COUNTED_NODE_BYTES_MAX),
            least => len >= least.min(PACK_BYTES_MAX),
        }
    }
}

/// See the file's head.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Elements packed together; never none.
    Packed {
        /// The elements.
        pack: Listpack,
        /// How many they are.
        count: u32,
    },
    /// One large element. Replies may refer to the buffer, so it is never edited.
    Plain(Bytes),
}

impl Node {
    /// A node of one element.
    pub(super) fn of(element: NewElement<'_>, limits: Limits) -> Node {
        Node::with_room(element, limits, 0)
    }

    /// A node of one element that will be filled: all of its room is taken at once, so that it is not moved as it grows.
    pub(super) fn to_be_filled(element: NewElement<'_>, limits: Limits) -> Node {
        Node::with_room(element, limits, limits.node_bytes().unwrap_or(0))
    }

    fn with_room(element: NewElement<'_>, limits: Limits, bytes: usize) -> Node {
        if limits.is_large(element.bytes.len()) {
            return Node::Plain(element.to_shared());
        }
        let mut pack = if bytes == 0 { Listpack::new() } else { Listpack::with_room(bytes - EMPTY_PACK_BYTES) };
        pack.push_back(Element::of(element.bytes));
        Node::Packed { pack, count: 1 }
    }

    /// A node of a listpack's elements.
    pub(super) fn of_pack(pack: Listpack) -> Node {
        let count = pack.len() as u32;
        Node::Packed { pack, count }
    }

    /// Number of elements.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Node::Packed { count, .. } => *count as usize,
            Node::Plain(_) => 1,
        }
    }

    /// Bytes as the limits count them.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        match self {
            Node::Packed { pack, .. } => pack.as_bytes().len(),
            Node::Plain(bytes) => bytes.len(),
        }
    }

    /// Bytes of memory behind the node.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Node::Packed { pack, .. } => pack.memory_bytes(),
            Node::Plain(bytes) => bytes.len(),
        }
    }

    /// Whether an element of this length may join the node's.
    #[inline]
    pub(super) fn takes(&self, len: usize, limits: Limits) -> bool {
        match self {
            Node::Plain(_) => false,
            Node::Packed { pack, count } => {
                let bytes = pack.as_bytes().len() + len + ELEMENT_OVERHEAD_BYTES;
                !limits.is_large(len) && !limits.exceeded(bytes, *count as usize + 1) && bytes <= PACK_BYTES_MAX
            }
        }
    }

    /// Whether an element of this length may take the place of one of the node's.
    pub(super) fn takes_instead(&self, len: usize, limits: Limits) -> bool {
        // Whatever the node's limit: only an element that is too large for any node has to leave.
        matches!(self, Node::Packed { .. }) && !limits.is_large(len) && self.bytes() + len <= PACK_BYTES_MAX
    }

    /// Whether the elements of another node may join the node's.
    pub(super) fn takes_node(&self, other: &Node, limits: Limits) -> bool {
        match (self, other) {
            (Node::Packed { .. }, Node::Packed { .. }) => {
                let bytes = self.bytes() + other.bytes() - EMPTY_PACK_BYTES;
                !limits.exceeded(bytes, self.len() + other.len()) && bytes <= PACK_BYTES_MAX
            }
            _ => false,
        }
    }

    /// The element at an index, which exists.
    pub(super) fn get(&self, index: usize) -> Item<'_> {
        match self {
            Node::Packed { pack, .. } => Item::Packed(pack.get(position(pack, index))),
            Node::Plain(bytes) => Item::Plain(bytes),
        }
    }

    /// Puts an element before the one at an index, or behind the last one. The node takes it (`takes`).
    pub(super) fn insert(&mut self, index: usize, bytes: &[u8]) {
        let Node::Packed { pack, count } = self else { unreachable!("a plain node takes no further element") };
        let element = Element::of(bytes);
        if index == *count as usize {
            pack.push_back(element);
        } else {
            pack.insert(position(pack, index), element);
        }
        *count += 1;
    }

    /// Puts an element at an end. The node takes it (`takes`).
    #[inline]
    pub(super) fn push(&mut self, end: End, bytes: &[u8]) {
        let Node::Packed { pack, count } = self else { unreachable!("a plain node takes no further element") };
        match end {
            End::Front => pack.push_front(Element::of(bytes)),
            End::Back => pack.push_back(Element::of(bytes)),
        }
        *count += 1;
    }

    /// Removes the element at an end of a packed node, which keeps others.
    #[inline]
    pub(super) fn remove_end(&mut self, end: End) {
        if let Node::Packed { pack, count } = self {
            match end {
                End::Front => pack.remove_first(),
                End::Back => pack.remove_last(),
            }
            *count -= 1;
        }
    }

    /// Puts another element in the place of the one at an index. The node takes it (`takes_instead`).
    pub(super) fn replace(&mut self, index: usize, bytes: &[u8]) {
        let Node::Packed { pack, .. } = self else { unreachable!("a plain node takes no other element") };
        pack.replace(position(pack, index), Element::of(bytes));
    }

    /// Removes elements of a packed node; all are there.
    pub(super) fn remove(&mut self, index: usize, count: usize) {
        if let Node::Packed { pack, count: total } = self {
            let removed = pack.remove_range(position(pack, index), count);
            *total -= removed as u32;
        }
    }

    /// Removes up to `most` elements of a packed node that equal `wanted`, the first ones or the last ones; returns how many.
    pub(super) fn remove_equal(&mut self, wanted: Element<'_>, most: usize, from_back: bool) -> usize {
        let Node::Packed { pack, count } = self else { return 0 };
        let mut passed = 0;
        if from_back {
            let equal = pack.iter().filter(|element| element.equals(wanted)).count();
            passed = equal.saturating_sub(most);
        }
        let mut left = most;
        let removed = pack.remove_where(|element| {
            let is_equal = left > 0 && element.equals(wanted);
            if is_equal && passed > 0 {
                passed -= 1;
                return false;
            }
            left -= usize::from(is_equal);
            is_equal
        });
        *count -= removed as u32;
        removed
    }

    /// Moves the elements from an index on into a node of their own. Both get at least one.
    pub(super) fn split_off(&mut self, index: usize) -> Node {
        let Node::Packed { pack, count } = self else { unreachable!("a plain node has one element") };
        let rest = pack.split_off(position(pack, index));
        let moved = *count - index as u32;
        *count = index as u32;
        Node::Packed { pack: rest, count: moved }
    }

    /// Appends the elements of another node, which the node takes (`takes_node`).
    pub(super) fn append(&mut self, other: &Node) {
        if let (Node::Packed { pack, count }, Node::Packed { pack: other, count: more }) = (self, other) {
            pack.append(other);
            *count += more;
        }
    }

    /// Gives back capacity that is not used: nothing is added at this place for now.
    pub(super) fn close(&mut self) {
        if let Node::Packed { pack, .. } = self {
            pack.shrink();
        }
    }
}

fn position(pack: &Listpack, index: usize) -> usize {
    pack.seek(index as i64).expect("a node's count is its listpack's")
}
