//! Layer 5: the commands. One command is one row, one function and its tests, in one family file; everything that is
//! known about commands (lookup, arity, routing, COMMAND, ACL categories, help) derives from the rows.
//!
//! Handlers are plain synchronous code over a narrow context. They never await, and never see a socket, another core or
//! a file (but for SAVE and its kin, which hold everybody up to write one, and the small files of ACL); what must happen elsewhere they return as data.

pub mod acl;
pub mod args;
pub mod bitmap;
pub mod blocking;
pub mod client;
pub mod config;
pub mod connection;
pub mod context;
pub mod debug;
mod debug_digest;
mod docs;
pub mod error;
pub mod geo;
pub mod hash;
pub mod help;
pub mod hyperloglog;
pub mod info;
pub mod introspect;
pub mod key;
pub mod keys;
pub mod latency;
pub mod redact;
pub mod slowlog;
pub mod list;
pub mod load_limits;
pub mod memory;
pub mod monitor;
pub mod persist;
pub mod pubsub;
pub mod register;
pub mod renamed;
mod repeated;
pub mod request;
pub mod scan_options;
pub mod scatter;
pub mod script;
pub mod server;
pub mod set;
pub mod sort;
pub mod sorted_set;
pub mod spec;
pub mod stream;
pub mod string;
pub mod syntax;
pub mod table;
pub mod transaction;
#[cfg(test)]
pub mod testing;

pub use register::{RegisterError, register};
