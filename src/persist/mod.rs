//! Layer 4: the formats of what is kept and sent: RDB payloads and files. No input or output: bytes in, values out.

pub mod aof;
pub mod crc64;
pub mod lzf;
pub mod rdb;
