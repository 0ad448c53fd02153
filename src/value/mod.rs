//! Layer 2: the data types as plain values. They know nothing of keys, shards, clients or the wire.

pub mod object;

pub mod lcs;
pub mod string_edit;
