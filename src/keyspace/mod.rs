//! TODO(module docs)
//! `table`: the hash table from a key's hash to its entry.
pub mod table;
