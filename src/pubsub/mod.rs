//! Layer 3: publish/subscribe: who listens to which channels and patterns.
//!
//! `registry` is shared by all cores: how many subscribers a name has, and on which cores, so that PUBLISH can answer at
//! once and sends one message to each core concerned. `subscribers` is what each core keeps for itself: which of its
//! sessions subscribe to what. A message gets to those, and only those, who had subscribed when it was published: both
//! sides carry a stamp, the time of the lock under which they happened.

pub mod registry;
pub mod subscribers;

/// What one can subscribe to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A channel (SUBSCRIBE).
    Channel,
    /// All channels that match a pattern (PSUBSCRIBE).
    Pattern,
    /// A channel of its shard of a cluster (SSUBSCRIBE); not one of those that patterns look at.
    ShardChannel,
}
