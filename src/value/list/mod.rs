//! `List`: a list. Short ones are one listpack, long ones a sequence of nodes (`quicklist`) that is found by index.
//!
//! `node` a node and its limits; `nodes` the tree of nodes; `quicklist` the rules of a long list; `walk` reading in order.
//! Elements are added after `make_room`, which turns a short list into a long one when it has to be; after elements were
//! removed, `shrink` does the opposite. Called by `keyspace/`, by the command family, and by whoever saves or loads lists
//! (`parts`, `push_part`, `settle`).

mod node;
mod nodes;
mod quicklist;
mod walk;

use std::ops::ControlFlow;

use bytes::Bytes;

use super::listpack::{Element, Listpack};
use super::object::{ALLOCATIONS_PER_SLICE, Collection, collection_conversions};
pub use node::Limits;
use node::Node;
use quicklist::Quicklist;

/// A side of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Where index 0 is (LEFT).
    Front,
    /// Where index -1 is (RIGHT).
    Back,
}

/// An element by reference.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// Packed together with others.
    Packed(Element<'a>),
    /// In a buffer of its own, which replies may refer to.
    Plain(&'a Bytes),
}

impl Item<'_> {
    /// Whether the element is these bytes, which `wanted` was made of.
    #[inline]
    pub fn equals(self, wanted: Element<'_>) -> bool {
        match self {
            Item::Packed(element) => element.equals(wanted),
            Item::Plain(bytes) => Element::Bytes(bytes).equals(wanted),
        }
    }
}

/// An element to be put into a list.
#[derive(Clone, Copy, Debug)]
pub struct NewElement<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The same in a buffer that the list may keep.
    pub shared: Option<&'a Bytes>,
}

impl<'a> NewElement<'a> {
    /// An element that has to be copied.
    pub fn new(bytes: &'a [u8]) -> NewElement<'a> {
        NewElement { bytes, shared: None }
    }

    fn to_shared(self) -> Bytes {
        self.shared.cloned().unwrap_or_else(|| Bytes::copy_from_slice(self.bytes))
    }
}

/// A piece of a list, for saving and loading.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// Elements packed together.
    Packed(&'a Listpack),
    /// One large element.
    Plain(&'a Bytes),
}

/// See the file's head.
#[derive(Debug)]
pub struct List {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Packed(Listpack),
    Quick(Box<Quicklist>),
}

impl Default for List {
    fn default() -> List {
        List { form: Form::Packed(Listpack::new()) }
    }
}

/// What DEBUG OBJECT tells of a long list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Figures {
    /// Number of nodes.
    pub nodes: usize,
    /// The limit of its nodes, as `list-max-listpack-size`.
    pub node_limit: i32,
    /// Bytes of all nodes, as the limits count them.
    pub bytes: usize,
}

impl List {
    /// An empty list with room for `count` elements with so many bytes together, if it stays short.
    pub fn with_room(bytes: usize, count: usize, limits: Limits) -> List {
        // Most elements take two bytes more than their text.
        let packed = bytes + 2 * count;
        let room = if limits.exceeded(packed, count) { 0 } else { packed };
        List { form: Form::Packed(Listpack::with_room(room)) }
    }

    /// Figures of a long list.
    pub fn figures(&self) -> Option<Figures> {
        let Form::Quick(quick) = &self.form else { return None };
        let bytes = quick.nodes().iter().map(Node::bytes).sum();
        Some(Figures { nodes: quick.nodes().len(), node_limit: quick.node_limit(), bytes })
    }

    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.len(),
            Form::Quick(quick) => quick.nodes().elements(),
        }
    }

    /// Whether it has no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match &self.form {
            Form::Packed(pack) => pack.is_empty(),
            Form::Quick(quick) => quick.nodes().len() == 0,
        }
    }

    /// The index that Redis means by an index that counts from the end when it is negative; none when it is out of range.
    pub fn index(&self, index: i64) -> Option<usize> {
        let len = self.len();
        let index = if index < 0 { index + len as i64 } else { index };
        usize::try_from(index).ok().filter(|&index| index < len)
    }

    /// Must be called before elements with so many bytes together are added or put in the place of others.
    #[inline]
    pub fn make_room(&mut self, bytes: usize, count: usize, limits: Limits) {
        if let Form::Packed(pack) = &mut self.form
            && limits.exceeded(pack.as_bytes().len() + bytes, pack.len() + count)
        {
            self.form = Form::Quick(Box::new(Quicklist::new(limits, std::mem::take(pack))));
        }
    }

    /// Must be called after elements were removed or replaced: a list that has become much smaller than it may be is packed.
    #[inline]
    pub fn shrink(&mut self, limits: Limits) {
        if let Form::Quick(quick) = &mut self.form
            && let Some(pack) = quick.take_pack(|bytes, count| limits.is_half(bytes, count))
        {
            self.form = Form::Packed(pack);
        }
    }

    /// Adds an element at an end.
    #[inline]
    pub fn push(&mut self, end: End, element: NewElement<'_>, limits: Limits) {
        match &mut self.form {
            Form::Packed(pack) => match end {
                End::Front => pack.push_front(Element::of(element.bytes)),
                End::Back => pack.push_back(Element::of(element.bytes)),
            },
            Form::Quick(quick) => quick.push(end, element, limits),
        }
    }

    /// The element at an end.
    #[inline]
    pub fn end(&self, end: End) -> Option<Item<'_>> {
        match &self.form {
            Form::Packed(pack) => {
                let at = if end == End::Front { pack.first() } else { pack.last() };
                at.map(|at| Item::Packed(pack.get(at)))
            }
            Form::Quick(quick) => quick.end(end),
        }
    }

    /// Removes the element at an end, if there is one.
    #[inline]
    pub fn remove_end(&mut self, end: End) {
        match &mut self.form {
            Form::Packed(pack) => match end {
                End::Front => pack.remove_first(),
                End::Back => pack.remove_last(),
            },
            Form::Quick(quick) => quick.remove_end(end),
        }
    }

    /// The element with this index.
    pub fn get(&self, index: usize) -> Option<Item<'_>> {
        match &self.form {
            Form::Packed(pack) => pack.seek(index as i64).map(|at| Item::Packed(pack.get(at))),
            Form::Quick(quick) => quick.get(index),
        }
    }

    /// Puts an element before or after the one with this index, which exists.
    pub fn insert(&mut self, index: usize, after: bool, element: NewElement<'_>, limits: Limits) {
        match &mut self.form {
            Form::Packed(pack) => {
                let at = pack.seek((index + usize::from(after)) as i64).unwrap_or(pack.end());
                pack.insert(at, Element::of(element.bytes));
            }
            Form::Quick(quick) => quick.insert(index, after, element, limits),
        }
    }

    /// Puts an element in the place of the one with this index, which exists.
    pub fn replace(&mut self, index: usize, element: NewElement<'_>, limits: Limits) {
        match &mut self.form {
            Form::Packed(pack) => {
                if let Some(at) = pack.seek(index as i64) {
                    pack.replace(at, Element::of(element.bytes));
                }
            }
            Form::Quick(quick) => quick.replace(index, element, limits),
        }
    }

    /// Removes `count` elements from an index on; those that exist.
    pub fn remove_range(&mut self, start: usize, count: usize) {
        match &mut self.form {
            Form::Packed(pack) => {
                if count > 0
                    && let Some(at) = pack.seek(start as i64)
                {
                    pack.remove_range(at, count);
                }
            }
            Form::Quick(quick) => quick.remove_range(start, count),
        }
    }

    /// Removes up to `most` elements that equal `wanted`, those nearest to an end; returns how many.
    pub fn remove_equal(&mut self, wanted: &[u8], most: usize, end: End) -> usize {
        match &mut self.form {
            Form::Packed(pack) => {
                let mut node = Node::of_pack(std::mem::take(pack));
                let removed = node.remove_equal(Element::of(wanted), most, end == End::Back);
                if let Node::Packed { pack: rest, .. } = node {
                    *pack = rest;
                }
                removed
            }
            Form::Quick(quick) => quick.remove_equal(wanted, most, end),
        }
    }

    /// Shows elements one after the other, from the one at an index towards an end of the list, until `visit` breaks off.
    #[inline]
    pub fn walk(&self, start: usize, towards: End, mut visit: impl FnMut(Item<'_>) -> ControlFlow<()>) {
        match &self.form {
            Form::Packed(pack) => {
                let _ = walk::walk_pack(pack, start, towards, &mut visit);
            }
            Form::Quick(quick) => quick.walk(start, towards, &mut visit),
        }
    }

    /// The pieces the list is made of, in order: one of a short list, the nodes of a long one.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let (pack, quick) = match &self.form {
            Form::Packed(pack) => (Some(Part::Packed(pack)), None),
            Form::Quick(quick) => (None, Some(quick)),
        };
        let nodes = quick.into_iter().flat_map(|quick| quick.nodes().iter());
        pack.into_iter().chain(nodes.map(|node| match node {
            Node::Packed { pack, .. } => Part::Packed(pack),
            Node::Plain(bytes) => Part::Plain(bytes),
        }))
    }

    /// An empty long list, for loading; `settle` must follow when all its parts are there.
    pub fn loading(limits: Limits) -> List {
        List { form: Form::Quick(Box::new(Quicklist::new(limits, Listpack::new()))) }
    }

    /// Adds a listpack of elements behind the last element of a list that is being loaded.
    pub fn load_packed(&mut self, pack: Listpack) {
        if let Form::Quick(quick) = &mut self.form
            && !pack.is_empty()
        {
            quick.push_node(Node::of_pack(pack));
        }
    }

    /// Adds a large element behind the last element of a list that is being loaded.
    pub fn load_plain(&mut self, element: Bytes) {
        if let Form::Quick(quick) = &mut self.form {
            quick.push_node(Node::Plain(element));
        }
    }

    /// Gives a list that was loaded the form that suits its size.
    pub fn settle(&mut self, limits: Limits) {
        match &mut self.form {
            Form::Packed(_) => self.make_room(0, 0, limits),
            Form::Quick(quick) => {
                if let Some(pack) = quick.take_pack(|bytes, count| limits.is_small(bytes, count)) {
                    self.form = Form::Packed(pack);
                }
            }
        }
    }
}

impl Collection for List {
    collection_conversions!(List);

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn encoding(&self) -> &'static str {
        match &self.form {
            Form::Packed(_) => "listpack",
            Form::Quick(_) => "quicklist",
        }
    }

    fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.memory_bytes(),
            Form::Quick(quick) => std::mem::size_of::<Quicklist>() + quick.nodes().memory_bytes(),
        }
    }

    fn copy(&self) -> List {
        List { form: self.form.clone() }
    }

    /// A node of the usual size counts as several: freeing takes time by the page too.
    fn allocations(&self) -> usize {
        match &self.form {
            Form::Packed(_) => 1,
            Form::Quick(quick) => quick.nodes().len() + quick.nodes().memory_bytes() / BYTES_AS_ALLOCATION,
        }
    }

    fn free_slice(&mut self) -> bool {
        let Form::Quick(quick) = &mut self.form else { return false };
        let mut freed = 0;
        while let Some(bytes) = quick.last().map(Node::memory_bytes) {
            // A large element is the next slice, or taken out before.
            if freed > 0 && freed + bytes / BYTES_AS_ALLOCATION > ALLOCATIONS_PER_SLICE {
                return true;
            }
            quick.take_last();
            freed += 1 + bytes / BYTES_AS_ALLOCATION;
        }
        false
    }

    fn take_large_string(&mut self, bytes: usize) -> Option<Bytes> {
        let Form::Quick(quick) = &mut self.form else { return None };
        match quick.last() {
            Some(Node::Plain(last)) if last.len() > bytes => match quick.take_last() {
                Some(Node::Plain(last)) => Some(last),
                _ => None,
            },
            _ => None,
        }
    }
}

/// So many bytes take about as long to free as one allocation.
const BYTES_AS_ALLOCATION: usize = 4096;

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
