//! The log of a stream: its entries in nodes, ordered by ID, and what is remembered of those that are gone.
//!
//! A node's key is its master ID, which is not greater than the IDs of its entries and greater than those of all nodes
//! before it. `length` is the number of live entries of all nodes. A node without live entries may stay (exact trimming
//! leaves it, as in Redis); deleting its last live entry removes it. Used by the stream commands through `Stream`.

use std::collections::BTreeMap;
use std::collections::btree_map;

use crate::stdx::limits::STREAM_NODE_BYTES_MAX;

use super::id::StreamId;
use super::node::{self, Entry, Node};

/// A stream of so many nodes takes the room of a new one at once, so that it is not moved as it grows. What is not used of
/// it is then little beside the rest.
const FILLED_NODES_MIN: usize = 8;

/// So much room at most; nodes as the parameters' defaults make them are smaller.
const ROOM_BYTES_MAX: usize = 8192;

/// When an entry goes to a new node (`stream-node-max-bytes` and `stream-node-max-entries`; 0 sets no limit).
#[derive(Clone, Copy, Debug)]
pub struct NodeLimits {
    /// Bytes of a node's listpack.
    pub bytes_max: usize,
    /// Entries of a node, deleted ones included.
    pub entries_max: usize,
}

/// What trimming keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// So many of the newest entries.
    Newest(u64),
    /// Entries with at least this ID.
    From(StreamId),
}

/// How to trim.
#[derive(Clone, Copy, Debug)]
pub struct Trim {
    /// What stays.
    pub keep: Keep,
    /// Only whole nodes go.
    pub whole_nodes: bool,
    /// Entries to remove at most, in whole nodes; 0 sets no limit.
    pub limit: u64,
}

/// The entries of a stream. The fields are what RDB files say of it.
#[derive(Debug, Default)]
pub struct Log {
    nodes: BTreeMap<StreamId, Node>,
    nodes_bytes: usize,
    length: u64,
    pub(super) first_id: StreamId,
    pub(super) last_id: StreamId,
    pub(super) max_deleted_id: StreamId,
    pub(super) entries_added: u64,
}

impl Clone for Log {
    fn clone(&self) -> Log {
        let nodes = self.nodes.clone();
        // A copy has no room for more.
        let nodes_bytes = nodes.values().map(Node::memory_bytes).sum();
        Log { nodes, nodes_bytes, ..*self }
    }
}

impl Log {
    /// Number of entries.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// ID of the first entry, 0-0 when there is none.
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// The greatest ID ever given, or what XSETID said.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The greatest ID that XDEL removed.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// Entries ever added, or what XSETID said.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// XSETID: sets what is remembered, where it is given.
    pub fn set_ids(&mut self, last: StreamId, entries_added: Option<u64>, max_deleted: Option<StreamId>) {
        self.last_id = last;
        self.entries_added = entries_added.unwrap_or(self.entries_added);
        self.max_deleted_id = max_deleted.unwrap_or(self.max_deleted_id);
    }

    /// The nodes in order: master ID and listpack, as RDB files have them.
    pub fn nodes(&self) -> impl Iterator<Item = (StreamId, &[u8])> {
        self.nodes.iter().map(|(master_id, node)| (*master_id, node.as_bytes()))
    }

    /// Number of nodes.
    pub fn nodes_count(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes of memory the entries take.
    pub fn memory_bytes(&self) -> usize {
        self.nodes_bytes + self.nodes.len() * super::NODE_INDEX_BYTES
    }

    /// The ID an entry gets that is added now.
    pub fn next_id(&self, now_ms: u64) -> Option<StreamId> {
        if now_ms > self.last_id.ms { Some(StreamId::new(now_ms, 0)) } else { self.last_id.next() }
    }

    /// The ID an entry gets whose milliseconds are given: a new time begins with 0.
    pub fn next_id_at(&self, ms: u64) -> Option<StreamId> {
        if ms == self.last_id.ms {
            Some(StreamId::new(ms, self.last_id.sequence.checked_add(1)?))
        } else {
            Some(StreamId::new(ms, 0))
        }
    }

    /// Appends an entry; its ID must be greater than `last_id`, its fields and values together not longer than
    /// `STREAM_NODE_BYTES_MAX`.
    pub fn append<'a>(
        &mut self,
        id: StreamId,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        limits: NodeLimits,
    ) {
        debug_assert!(id > self.last_id, "IDs grow");
        let bytes_max = match limits.bytes_max {
            0 => STREAM_NODE_BYTES_MAX,
            bytes => bytes.min(STREAM_NODE_BYTES_MAX),
        };
        let pairs_bytes: usize = pairs.clone().map(|(field, value)| field.len() + value.len()).sum();
        match self.nodes.last_entry() {
            Some(mut last) => {
                let master_id = *last.key();
                let node = last.get_mut();
                let bytes_before = node.memory_bytes();
                let (live, deleted) = node.counts();
                let full_bytes = node.bytes_len();
                let is_full = full_bytes + pairs_bytes >= bytes_max
                    || (limits.entries_max > 0 && live + deleted >= limits.entries_max);
                if is_full {
                    node.shrink();
                } else {
                    node.append(master_id, id, pairs.clone(), bytes_max);
                }
                self.nodes_bytes = self.nodes_bytes + node.memory_bytes() - bytes_before;
                if is_full {
                    // A stream of several nodes fills the next one too, and likely with as much.
                    let is_long = self.nodes.len() >= FILLED_NODES_MIN;
                    self.append_node(id, pairs, if is_long { full_bytes.min(ROOM_BYTES_MAX) } else { 0 });
                }
            }
            None => self.append_node(id, pairs, 0),
        }
        self.length += 1;
        self.entries_added = self.entries_added.wrapping_add(1);
        self.last_id = id;
        if self.length == 1 {
            self.first_id = id;
        }
    }

    fn append_node<'a>(
        &mut self,
        id: StreamId,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        room_bytes: usize,
    ) {
        let node = Node::of_first(pairs, room_bytes);
        self.nodes_bytes += node.memory_bytes();
        self.nodes.insert(id, node);
    }

    /// Live entries from `start` to `end`, both included.
    pub fn range(&self, start: StreamId, end: StreamId) -> Range<'_> {
        if start > end {
            return Range { nodes: btree_map::Range::default(), last_master: None, current: None, start, end };
        }
        let first = self.nodes.range(..=start).next_back().map_or(start, |(master_id, _)| *master_id);
        let last_master = self.nodes.last_key_value().map(|(master_id, _)| *master_id);
        Range { nodes: self.nodes.range(first..=end), last_master, current: None, start, end }
    }

    /// The same from the last to the first.
    pub fn range_reversed(&self, start: StreamId, end: StreamId) -> RangeReversed<'_> {
        let nodes = if start > end { btree_map::Range::default() } else { self.nodes.range(..=end) };
        RangeReversed { nodes, current: None, start, end }
    }

    /// All live entries.
    pub fn iter(&self) -> Range<'_> {
        self.range(StreamId::MIN, StreamId::MAX)
    }

    /// The live entry with this ID.
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// ID of the last live entry.
    pub fn last_live_id(&self) -> Option<StreamId> {
        self.range_reversed(StreamId::MIN, StreamId::MAX).next().map(|entry| entry.id)
    }

    /// Deletes an entry; false when it is not there.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some((&master_id, node)) = self.nodes.range_mut(..=id).next_back() else { return false };
        let mut entries = node.entries(master_id);
        entries.seek(id, false);
        let found = entries.take_while(|entry| entry.id == id).find(|entry| !entry.is_deleted());
        let Some(place) = found.map(|entry| entry.place()) else { return false };
        let bytes_before = node.memory_bytes();
        let left = node.delete(place);
        self.nodes_bytes = self.nodes_bytes + node.memory_bytes() - bytes_before;
        if left == 0 {
            self.remove_node(master_id);
        }
        self.length -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        if self.is_empty() || id == self.first_id {
            self.find_first();
        }
        true
    }

    /// Finds the first entry again after it was removed.
    pub(super) fn find_first(&mut self) {
        self.first_id = self.iter().next().map_or(StreamId::MIN, |entry| entry.id);
    }

    fn remove_node(&mut self, master_id: StreamId) {
        if let Some(node) = self.nodes.remove(&master_id) {
            self.nodes_bytes -= node.memory_bytes();
        }
    }

    /// Removes entries from the beginning; returns how many.
    pub fn trim(&mut self, trim: &Trim) -> u64 {
        let mut deleted = 0;
        while let Some((&master_id, node)) = self.nodes.first_key_value() {
            if matches!(trim.keep, Keep::Newest(count) if self.length <= count) {
                break;
            }
            let live = node.counts().0 as u64;
            if trim.limit > 0 && deleted + live > trim.limit {
                break;
            }
            let whole = match trim.keep {
                Keep::Newest(count) => self.length - live >= count,
                Keep::From(id) => node.last(master_id).is_none_or(|last| last.id < id),
            };
            if whole {
                self.remove_node(master_id);
                self.length -= live;
                deleted += live;
                continue;
            }
            if !trim.whole_nodes {
                deleted += self.trim_within_first(trim.keep);
            }
            break;
        }
        if deleted > 0 || self.is_empty() {
            self.find_first();
        }
        deleted
    }

    fn trim_within_first(&mut self, keep: Keep) -> u64 {
        let Some(mut first) = self.nodes.first_entry() else { return 0 };
        let (master_id, length) = (*first.key(), self.length);
        let node = first.get_mut();
        let bytes_before = node.memory_bytes();
        let deleted = node.delete_first(master_id, |id, deleted| match keep {
            Keep::Newest(count) => length - deleted as u64 <= count,
            Keep::From(least) => id >= least,
        });
        self.nodes_bytes = self.nodes_bytes + node.memory_bytes() - bytes_before;
        self.length -= deleted as u64;
        deleted as u64
    }

    /// Puts a node from outside behind all others; false when it does not belong there.
    pub(super) fn load_node(&mut self, master_id: StreamId, node: Node) -> bool {
        let is_behind = self.nodes.last_key_value().is_none_or(|(last, _)| *last < master_id);
        if is_behind {
            self.length += node.counts().0 as u64;
            self.nodes_bytes += node.memory_bytes();
            self.nodes.insert(master_id, node);
        }
        is_behind
    }

    /// Frees up to so many nodes of a log that nobody will look at again; false when none is left.
    pub(super) fn free_nodes(&mut self, count: usize) -> bool {
        for _ in 0..count {
            if self.nodes.pop_first().is_none() {
                return false;
            }
        }
        true
    }

    /// Whether an entry that XDEL removed lies at or behind `start`: then nobody can tell how many are there.
    pub fn has_deleted_behind(&self, start: StreamId) -> bool {
        let deleted = self.max_deleted_id;
        !self.is_empty() && deleted != StreamId::MIN && self.first_id <= deleted && start <= deleted
    }

    /// How many entries were ever added up to this ID, where that can be told.
    pub fn entries_added_up_to(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        if (self.is_empty() && id <= self.last_id) || id == self.last_id {
            return Some(self.entries_added);
        }
        if id > self.last_id {
            return None;
        }
        if self.max_deleted_id != StreamId::MIN && self.max_deleted_id >= self.first_id {
            return None;
        }
        let before_first = self.entries_added.wrapping_sub(self.length);
        match id.cmp(&self.first_id) {
            std::cmp::Ordering::Less => Some(before_first),
            std::cmp::Ordering::Equal => Some(before_first.wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }
}

/// Live entries of a log in order.
pub struct Range<'a> {
    nodes: btree_map::Range<'a, StreamId, Node>,
    last_master: Option<StreamId>,
    current: Option<node::Entries<'a>>,
    start: StreamId,
    end: StreamId,
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some(entries) = &mut self.current {
                for entry in entries {
                    if entry.id > self.end {
                        self.nodes = btree_map::Range::default();
                        break;
                    }
                    if !entry.is_deleted() && entry.id >= self.start {
                        return Some(entry);
                    }
                }
                self.current = None;
            }
            let (&master_id, node) = self.nodes.next()?;
            let mut entries = node.entries(master_id);
            if master_id < self.start {
                // Readers mostly ask for what is new.
                entries.seek(self.start, self.last_master == Some(master_id));
            }
            self.current = Some(entries);
        }
    }
}

/// Live entries of a log from the last to the first.
pub struct RangeReversed<'a> {
    nodes: btree_map::Range<'a, StreamId, Node>,
    current: Option<node::EntriesReversed<'a>>,
    start: StreamId,
    end: StreamId,
}

impl<'a> Iterator for RangeReversed<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some(entries) = &mut self.current {
                for entry in entries {
                    if entry.id < self.start {
                        self.nodes = btree_map::Range::default();
                        break;
                    }
                    if !entry.is_deleted() && entry.id <= self.end {
                        return Some(entry);
                    }
                }
                self.current = None;
            }
            let (&master_id, node) = self.nodes.next_back()?;
            self.current = Some(node.entries(master_id).reversed());
        }
    }
}
