//! Figures of publish/subscribe for INFO. Written by the registry of channels under its locks, read by every core.

use std::sync::atomic::AtomicU64;

/// See the file's head.
#[derive(Default)]
pub struct PubsubFacts {
    /// Channels that somebody subscribes to.
    pub channels: AtomicU64,
    /// Patterns, likewise.
    pub patterns: AtomicU64,
    /// Shard channels, likewise.
    pub shard_channels: AtomicU64,
}
