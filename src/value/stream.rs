//! `Stream`: a stream.
//!
//! Called by `keyspace/` and by the command family of its type.

use super::listpack::Listpack;
use super::object::{Collection, collection_conversions};

/// See the file's head.
#[derive(Debug, Default)]
pub struct Stream {
    packed: Listpack,
}

impl Collection for Stream {
    collection_conversions!(Stream);

    fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    fn encoding(&self) -> &'static str {
        "listpack"
    }

    fn memory_bytes(&self) -> usize {
        self.packed.memory_bytes()
    }

    fn copy(&self) -> Stream {
        Stream { packed: self.packed.clone() }
    }

    fn allocations(&self) -> usize {
        1
    }

    fn free_slice(&mut self) -> bool {
        false
    }
}
