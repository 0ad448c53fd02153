//! The append-only file in Redis' layout of several parts: what its manifest says (`manifest`), its files (`files`, one of them being `file`), how the commands in
//! them are read (`reader`), and a base made of commands (`commands`). Facts: Redis' aof.c, 7.0 to 7.4.

pub mod commands;
pub mod file;
pub mod files;
pub mod manifest;
pub mod reader;
