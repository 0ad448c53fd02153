//! Layer 2: the data types as plain values. They know nothing of keys, shards, clients or the wire.

pub mod member_hash;
pub mod member_table;
pub mod object;

pub mod bits;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod intset;
pub mod lcs;
pub mod list;
pub mod listpack;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string_edit;
pub mod table;
