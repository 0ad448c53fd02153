//! Layer 1: counters.
pub mod memory;
