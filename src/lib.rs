//! Ringfort: a drop-in replacement for Redis that uses every core of one Linux machine.

#[global_allocator]
static ALLOCATOR: stats::memory::CountingAllocator = stats::memory::CountingAllocator;

pub mod stdx;

pub mod config;
pub mod stats;

pub mod resp;
pub mod runtime;
pub mod value;

pub mod client;
pub mod keyspace;

pub mod command;
pub mod shard;

pub mod session;

pub mod server;
