//! Layer 3: what a shard owns. `Keyspace` is the one value that *is* the data of a shard: whoever holds its box may
//! work with it, nobody else can reach it.
//!
//! Reads go through `Keyspace::read`/`peek`, writes through the guard that `Keyspace::write` hands out; nothing else
//! changes a key.

pub mod database;
pub mod entry;
pub mod evict;
pub mod expire;
pub mod fields;
pub mod free;
pub mod hash;
pub mod hold;
pub mod snapshot;
pub mod journal;
pub mod prefetch;
pub mod records;
pub mod wait;
pub mod watch;
pub mod write;

pub use database::{Keyspace, KeyspaceCounters, Turn};
pub use hash::{Key, KeyHasher};
