//! RDB: how values are written into DUMP's payloads and into files, and read back.
//!
//! A value is one byte that says how it is kept (its *form*, `form.rs`), then lengths, strings and numbers (`reader.rs`,
//! `writer.rs`). `value_read.rs` and `value_write.rs` turn them into values and back, `payload.rs` adds DUMP's footer.
//! Small collections travel as the packed bytes they are kept in: listpacks and intsets; the older ziplists and zipmaps
//! (`ziplist.rs`, `zipmap.rs`) are read too.
//!
//! Files: `file_read.rs` and `file_write.rs` are the format. A file is loaded through `chunks.rs` (cut into keys by one thread)
//! and `load.rs` (keys into keyspaces); it is written through `output.rs` (beside its place, renamed when it is on disk) by
//! `save.rs` (in one piece, everybody waits) or `snapshot.rs` (beside the commands; `keyspace/snapshot.rs` is the walk).
//! Pieces of several cores stand in it in any order (`chunk_write.rs`).
//!
//! Reading is total: any bytes become a value or a `LoadError` that says where and why. What was read holds to every
//! invariant of its type, whatever the bytes said. Nothing is reserved on the word of a count alone.
//! Source of the format: Redis' rdb.h and rdb.c up to 7.4, Valkey's up to 9.0.

pub mod chunk_write;
pub mod chunks;
pub mod error;
pub mod file_read;
pub mod file_write;
pub mod form;
pub mod functions_payload;
pub mod load;
mod opcode;
pub mod output;
pub mod payload;
mod read_hash;
mod read_list;
mod read_set;
mod read_sorted_set;
mod read_stream;
pub mod reader;
pub mod save;
mod skip;
pub mod snapshot;
pub mod value_read;
pub mod value_write;
pub mod writer;
mod ziplist;
mod zipmap;
