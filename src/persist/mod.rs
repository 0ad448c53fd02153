//! Layer 4: what is kept and sent: RDB payloads, and the files of snapshots and of the log. The formats do no input or output:
//! bytes in, values out; `rdb/output.rs`, `rdb/load.rs`, `aof/files.rs` and `acl_file.rs` are where files are.

pub mod acl_file;
pub mod aof;
pub mod crc64;
pub mod lzf;
pub mod rdb;
