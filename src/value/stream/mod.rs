//! `Stream`: a stream is its log of entries and its consumer groups.
//!
//! `id` IDs; `node` entries packed as Redis packs them; `log` the nodes in order; `group` who has read what; `id_map` what is
//! pending; `load` streams from files. A stream lives on when its last entry is gone, since it remembers its last ID and its groups. Called by
//! `keyspace/`, by the stream commands, and by whoever writes and reads RDB files.

pub mod group;
pub mod id;
mod id_map;
pub mod load;
pub mod log;
mod node;

use super::object::{ALLOCATIONS_PER_SLICE, Collection, collection_conversions};

use group::Group;
pub use id::StreamId;
use log::Log;
pub use node::Entry;

/// Bytes of memory one node takes in the index: leaves of the tree are six of eleven full when nodes come in order.
const NODE_INDEX_BYTES: usize = 80;

/// See the file's head. One pointer, so that values of other types stay small.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    parts: Box<Parts>,
}

#[derive(Clone, Debug, Default)]
struct Parts {
    log: Log,
    /// In the order of their names.
    groups: Vec<Box<Group>>,
}

impl Stream {
    /// The entries.
    pub fn log(&self) -> &Log {
        &self.parts.log
    }

    /// The entries, for changing them.
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.parts.log
    }

    /// All groups in the order of their names.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &Group> {
        self.parts.groups.iter().map(|group| &**group)
    }

    fn place_of(&self, name: &[u8]) -> Result<usize, usize> {
        self.parts.groups.binary_search_by(|group| group.name().cmp(name))
    }

    /// The group of this name.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.place_of(name).ok().map(|place| &*self.parts.groups[place])
    }

    /// The group of this name for changing it, with the entries beside it.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<(&mut Group, &Log)> {
        let place = self.place_of(name).ok()?;
        Some((&mut self.parts.groups[place], &self.parts.log))
    }

    /// Adds a group; false when there is one of its name.
    pub fn add_group(&mut self, group: Group) -> bool {
        match self.place_of(group.name()) {
            Ok(_) => false,
            Err(place) => {
                self.parts.groups.insert(place, Box::new(group));
                true
            }
        }
    }

    /// Takes a group out; none when there is none of this name.
    pub fn remove_group(&mut self, name: &[u8]) -> Option<Box<Group>> {
        let place = self.place_of(name).ok()?;
        Some(self.parts.groups.remove(place))
    }
}

impl Collection for Stream {
    collection_conversions!(Stream);

    /// A stream without entries is still a stream.
    fn is_empty(&self) -> bool {
        false
    }

    fn encoding(&self) -> &'static str {
        "stream"
    }

    /// Grows with the number of groups, which is small; not with entries, pending entries or consumers.
    fn memory_bytes(&self) -> usize {
        let groups: usize = self.groups().map(Group::memory_bytes).sum();
        size_of::<Parts>() + self.log().memory_bytes() + groups
    }

    fn copy(&self) -> Stream {
        self.clone()
    }

    fn allocations(&self) -> usize {
        let groups: usize = self.groups().map(Group::allocations).sum();
        1 + self.log().nodes_count() + groups
    }

    fn free_slice(&mut self) -> bool {
        if let Some(group) = self.parts.groups.last_mut() {
            if !group.free_slice(ALLOCATIONS_PER_SLICE) {
                self.parts.groups.pop();
            }
            return true;
        }
        self.parts.log.free_nodes(ALLOCATIONS_PER_SLICE)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
