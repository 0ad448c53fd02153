//! Ringfort: a drop-in replacement for Redis that uses every core of one Linux machine.

/// Sanitizers only see what goes through the system's allocator: they are built with `--cfg system_allocator`.
#[cfg(not(system_allocator))]
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
