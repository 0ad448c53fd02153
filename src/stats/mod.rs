//! Layer 1: counters. Each core writes its own and anybody reads them, so that INFO needs no message.

pub mod core;
pub mod latency;
pub mod log;
pub mod memory;
pub mod persistence;
pub mod pubsub;
pub mod scripts;
pub mod server;
pub mod slow_log;
