//! Channels and patterns as all cores share them: how many subscribe to each, and on which cores.
//!
//! The only locks of publish/subscribe: many small ones for channels, by the hash of the name, and one for the patterns,
//! which PUBLISH takes only when there are any. Each is held for one look-up or change. Called by the subscribing commands,
//! PUBLISH and PUBSUB; the messages themselves travel over the exchange.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hasher;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::stats::pubsub::PubsubFacts;
use crate::stdx::glob::Glob;
use crate::stdx::limits::PUBSUB_LOCKS;

use super::Kind;

/// The name of a channel or a pattern.
pub type Name = Arc<[u8]>;

/// A message on its way to the cores that have subscribers for it.
#[derive(Debug)]
pub struct Publication {
    /// Where it was published.
    pub channel: Box<[u8]>,
    /// The message.
    pub message: Bytes,
    /// SPUBLISH.
    pub is_sharded: bool,
    /// The cores that have subscribers, one bit each.
    pub cores: u64,
    /// What must be on disk before anybody is told, where replies wait for the disk: shards with their chunks of the log.
    pub chunks: Vec<(u16, u64)>,
    /// The patterns that match the channel.
    pub(super) patterns: Vec<Name>,
    /// Who subscribed to the channel at this time or later does not get it.
    pub(super) stamp: u64,
    /// Likewise for patterns.
    pub(super) pattern_stamp: u64,
}

#[derive(Clone, Default)]
struct Audience {
    subscribers: u64,
    /// The cores they are on, one bit each.
    cores: u64,
}

impl Audience {
    fn add(&mut self, core: usize) {
        self.subscribers += 1;
        self.cores |= 1 << core;
    }

    /// One subscriber less; `is_last`: the core has no other. True when nobody is left.
    fn remove(&mut self, core: usize, is_last: bool) -> bool {
        self.subscribers -= 1;
        if is_last {
            self.cores &= !(1 << core);
        }
        self.subscribers == 0
    }
}

/// Some of the channels.
#[derive(Default)]
#[repr(align(128))]
struct Channels {
    /// Goes on with every message.
    clock: u64,
    by_name: HashMap<Name, Audience>,
}

#[derive(Clone)]
struct Pattern {
    glob: Arc<Glob>,
    audience: Audience,
}

#[derive(Default)]
struct Patterns {
    clock: u64,
    /// Publishers look through it without the lock.
    by_name: Arc<BTreeMap<Name, Pattern>>,
}

/// See the file's head.
pub struct Registry {
    channels: Box<[Mutex<Channels>]>,
    shard_channels: Box<[Mutex<Channels>]>,
    patterns: Mutex<Patterns>,
    facts: Arc<PubsubFacts>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks panics but for want of memory, which ends the process.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// Nobody has subscribed to anything.
    pub fn new(facts: Arc<PubsubFacts>) -> Registry {
        let channels = || (0..PUBSUB_LOCKS).map(|_| Mutex::default()).collect();
        Registry { channels: channels(), shard_channels: channels(), patterns: Mutex::default(), facts }
    }

    fn lock_channels(&self, kind: Kind, name: &[u8]) -> MutexGuard<'_, Channels> {
        let mut hasher = DefaultHasher::new();
        hasher.write(name);
        let all = if kind == Kind::ShardChannel { &self.shard_channels } else { &self.channels };
        lock(&all[hasher.finish() as usize % PUBSUB_LOCKS])
    }

    fn count(&self, kind: Kind) -> &std::sync::atomic::AtomicU64 {
        match kind {
            Kind::Channel => &self.facts.channels,
            Kind::Pattern => &self.facts.patterns,
            Kind::ShardChannel => &self.facts.shard_channels,
        }
    }

    /// A session of a core subscribes. The stamp tells which messages are for it.
    pub(super) fn add(&self, kind: Kind, name: &Name, core: usize) -> u64 {
        if kind == Kind::Pattern {
            let mut patterns = lock(&self.patterns);
            let by_name = Arc::make_mut(&mut patterns.by_name);
            let pattern = by_name.entry(name.clone()).or_insert_with(|| {
                self.facts.patterns.fetch_add(1, Ordering::SeqCst);
                Pattern { glob: Arc::new(Glob::new(name)), audience: Audience::default() }
            });
            pattern.audience.add(core);
            return patterns.clock;
        }
        let mut channels = self.lock_channels(kind, name);
        let audience = channels.by_name.entry(name.clone()).or_insert_with(|| {
            self.count(kind).fetch_add(1, Ordering::SeqCst);
            Audience::default()
        });
        audience.add(core);
        channels.clock
    }

    /// A session of a core does not subscribe any more; `is_last`: no other of this core does.
    pub(super) fn remove(&self, kind: Kind, name: &Name, core: usize, is_last: bool) {
        let is_gone = if kind == Kind::Pattern {
            let mut patterns = lock(&self.patterns);
            let by_name = Arc::make_mut(&mut patterns.by_name);
            let is_gone = by_name.get_mut(name).is_some_and(|pattern| pattern.audience.remove(core, is_last));
            if is_gone {
                by_name.remove(name);
            }
            is_gone
        } else {
            let mut channels = self.lock_channels(kind, name);
            let is_gone = channels.by_name.get_mut(name).is_some_and(|audience| audience.remove(core, is_last));
            if is_gone {
                channels.by_name.remove(name);
            }
            is_gone
        };
        if is_gone {
            self.count(kind).fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Publishes: how many get the message, and what is to be sent to their cores, if there are any.
    pub fn publish(
        &self,
        channel: &[u8],
        is_sharded: bool,
        message: impl FnOnce() -> Bytes,
    ) -> (u64, Option<Publication>) {
        let kind = if is_sharded { Kind::ShardChannel } else { Kind::Channel };
        let mut audience = Audience::default();
        let mut stamp = 0;
        if self.count(kind).load(Ordering::SeqCst) > 0 {
            let mut channels = self.lock_channels(kind, channel);
            if let Some(found) = channels.by_name.get(channel) {
                audience = found.clone();
                channels.clock += 1;
                stamp = channels.clock;
            }
        }
        let (mut patterns, mut pattern_stamp) = (Vec::new(), 0);
        if !is_sharded && self.facts.patterns.load(Ordering::SeqCst) > 0 {
            let by_name = {
                let mut locked = lock(&self.patterns);
                locked.clock += 1;
                pattern_stamp = locked.clock;
                locked.by_name.clone()
            };
            for (name, pattern) in by_name.iter().filter(|(_, pattern)| pattern.glob.matches(channel)) {
                audience.subscribers += pattern.audience.subscribers;
                audience.cores |= pattern.audience.cores;
                patterns.push(name.clone());
            }
        }
        let Audience { subscribers, cores } = audience;
        let publication = (subscribers > 0).then(|| Publication {
            channel: channel.into(),
            message: message(),
            is_sharded,
            cores,
            chunks: Vec::new(),
            patterns,
            stamp,
            pattern_stamp,
        });
        (subscribers, publication)
    }

    /// How many subscribe to a channel by its name.
    pub fn subscribers(&self, kind: Kind, channel: &[u8]) -> u64 {
        self.lock_channels(kind, channel).by_name.get(channel).map_or(0, |audience| audience.subscribers)
    }

    /// The channels that somebody subscribes to and that match a pattern, by name.
    pub fn names(&self, kind: Kind, pattern: Option<&Glob>) -> Vec<Name> {
        let all = if kind == Kind::ShardChannel { &self.shard_channels } else { &self.channels };
        let mut names = Vec::new();
        for channels in all {
            let channels = lock(channels);
            names.extend(channels.by_name.keys().filter(|name| pattern.is_none_or(|glob| glob.matches(name))).cloned());
        }
        names.sort_unstable();
        names
    }

    /// How many different patterns are subscribed to.
    pub fn patterns_len(&self) -> u64 {
        self.facts.patterns.load(Ordering::SeqCst)
    }
}

/// What a command can do with channels: ask, and publish. What it publishes is sent when it, its transaction or its script
/// has ended.
pub struct Publisher<'a> {
    /// Who listens.
    pub registry: &'a Registry,
    /// What was published and not sent yet.
    pub pending: &'a mut Vec<Publication>,
}

impl Publisher<'_> {
    /// Publishes; tells how many get the message.
    pub fn publish(&mut self, channel: &[u8], is_sharded: bool, message: impl FnOnce() -> Bytes) -> u64 {
        let (subscribers, publication) = self.registry.publish(channel, is_sharded, message);
        self.pending.extend(publication);
        subscribers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.as_bytes().into()
    }

    fn published(registry: &Registry, channel: &str, is_sharded: bool) -> (u64, u64, usize) {
        let (subscribers, publication) = registry.publish(channel.as_bytes(), is_sharded, || Bytes::from_static(b"x"));
        let (cores, patterns) = publication.map_or((0, 0), |found| (found.cores, found.patterns.len()));
        (subscribers, cores, patterns)
    }

    #[test]
    fn subscribers_are_counted_per_name_and_their_cores_known() {
        let facts = Arc::<PubsubFacts>::default();
        let registry = Registry::new(facts.clone());
        assert_eq!(published(&registry, "a", false), (0, 0, 0));
        registry.add(Kind::Channel, &name("a"), 0);
        registry.add(Kind::Channel, &name("a"), 0);
        registry.add(Kind::Channel, &name("a"), 63);
        registry.add(Kind::Channel, &name("b"), 1);
        registry.add(Kind::ShardChannel, &name("a"), 2);
        registry.add(Kind::Pattern, &name("[ac]"), 3);
        registry.add(Kind::Pattern, &name("a*"), 0);
        assert_eq!(published(&registry, "a", false), (5, 1 | 1 << 63 | 1 << 3, 2));
        assert_eq!(published(&registry, "a", true), (1, 1 << 2, 0), "patterns do not look at shard channels");
        assert_eq!(published(&registry, "c", false), (1, 1 << 3, 1));
        assert_eq!(published(&registry, "d", false), (0, 0, 0));
        assert_eq!(registry.names(Kind::Channel, None), [name("a"), name("b")]);
        assert_eq!(registry.names(Kind::Channel, Some(&Glob::new(b"b*"))), [name("b")]);
        assert_eq!(registry.names(Kind::ShardChannel, None), [name("a")]);
        assert_eq!((registry.patterns_len(), registry.subscribers(Kind::Channel, b"a")), (2, 3));

        registry.remove(Kind::Channel, &name("a"), 0, false);
        registry.remove(Kind::Pattern, &name("a*"), 0, true);
        registry.remove(Kind::Pattern, &name("[ac]"), 3, true);
        assert_eq!(published(&registry, "a", false), (2, 1 | 1 << 63, 0));
        registry.remove(Kind::Channel, &name("a"), 0, true);
        registry.remove(Kind::Channel, &name("a"), 63, true);
        registry.remove(Kind::Channel, &name("b"), 1, true);
        registry.remove(Kind::ShardChannel, &name("a"), 2, true);
        let load = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::SeqCst);
        assert_eq!((load(&facts.channels), load(&facts.patterns), load(&facts.shard_channels)), (0, 0, 0));
        assert!(registry.names(Kind::Channel, None).is_empty());
    }
}
