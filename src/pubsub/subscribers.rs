//! Who of one core's sessions subscribes to what, seen from the names and from the sessions. Only that core calls this.
//!
//! Sessions are numbers here. Everything that is gone through is in a fixed order, so that a seed repeats itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Kind;
use super::registry::{Name, Publication, Registry};

/// Sessions with the stamps of their subscriptions.
type Sessions = BTreeMap<u64, u64>;

/// What the sessions of one core subscribe to.
#[derive(Default)]
pub struct CoreSubscriptions {
    channels: HashMap<Name, Sessions>,
    patterns: HashMap<Name, Sessions>,
    shard_channels: HashMap<Name, Sessions>,
}

/// What one client subscribes to.
#[derive(Default)]
pub struct ClientSubscriptions {
    channels: BTreeSet<Name>,
    patterns: BTreeSet<Name>,
    shard_channels: BTreeSet<Name>,
}

impl CoreSubscriptions {
    fn of(&mut self, kind: Kind) -> &mut HashMap<Name, Sessions> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::ShardChannel => &mut self.shard_channels,
        }
    }

    /// A session of this core subscribes to something it had not subscribed to.
    pub fn add(&mut self, registry: &Registry, core: usize, kind: Kind, name: &Name, session: u64) {
        let stamp = registry.add(kind, name, core);
        self.of(kind).entry(name.clone()).or_default().insert(session, stamp);
    }

    /// It does not any more.
    pub fn remove(&mut self, registry: &Registry, core: usize, kind: Kind, name: &Name, session: u64) {
        let sessions = self.of(kind);
        let Some(of_name) = sessions.get_mut(name) else { return };
        of_name.remove(&session);
        let is_last = of_name.is_empty();
        if is_last {
            sessions.remove(name);
        }
        registry.remove(kind, name, core, is_last);
    }

    /// The sessions that get a message because they subscribe to its channel.
    pub fn by_channel<'a>(&'a self, publication: &'a Publication) -> impl Iterator<Item = u64> + 'a {
        let channels = if publication.is_sharded { &self.shard_channels } else { &self.channels };
        since(channels.get(&*publication.channel), publication.stamp)
    }

    /// The patterns of this core that match a message's channel, each with the sessions that get the message for it.
    pub fn by_pattern<'a>(
        &'a self,
        publication: &'a Publication,
    ) -> impl Iterator<Item = (&'a Name, impl Iterator<Item = u64> + 'a)> + 'a {
        publication.patterns.iter().filter_map(|pattern| {
            let (name, sessions) = self.patterns.get_key_value(pattern)?;
            Some((name, since(Some(sessions), publication.pattern_stamp)))
        })
    }

    /// All subscriptions.
    pub fn len(&self) -> usize {
        let count = |names: &HashMap<Name, Sessions>| names.values().map(BTreeMap::len).sum::<usize>();
        count(&self.channels) + count(&self.patterns) + count(&self.shard_channels)
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The sessions that had subscribed before a message was published.
fn since<'a>(sessions: Option<&'a Sessions>, stamp: u64) -> impl Iterator<Item = u64> + 'a {
    sessions.into_iter().flatten().filter(move |(_, since)| **since < stamp).map(|(session, _)| *session)
}

impl ClientSubscriptions {
    fn of(&mut self, kind: Kind) -> &mut BTreeSet<Name> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::ShardChannel => &mut self.shard_channels,
        }
    }

    /// Adds one; false if it was there.
    pub fn add(&mut self, kind: Kind, name: &Name) -> bool {
        self.of(kind).insert(name.clone())
    }

    /// Removes one; false if it was not there.
    pub fn remove(&mut self, kind: Kind, name: &Name) -> bool {
        self.of(kind).remove(name)
    }

    /// All of a kind.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &Name> {
        match kind {
            Kind::Channel => self.channels.iter(),
            Kind::Pattern => self.patterns.iter(),
            Kind::ShardChannel => self.shard_channels.iter(),
        }
    }

    /// Takes all of a kind out.
    pub fn take(&mut self, kind: Kind) -> BTreeSet<Name> {
        std::mem::take(self.of(kind))
    }

    /// How many of a kind there are.
    pub fn len(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel => self.channels.len(),
            Kind::Pattern => self.patterns.len(),
            Kind::ShardChannel => self.shard_channels.len(),
        }
    }

    /// Bytes of memory they take, about.
    pub fn memory_bytes(&self) -> usize {
        let all = [&self.channels, &self.patterns, &self.shard_channels];
        let bytes = |name: &Name| size_of::<Name>() + name.len();
        size_of::<ClientSubscriptions>() + all.into_iter().flatten().map(bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;

    fn name(text: &str) -> Name {
        text.as_bytes().into()
    }

    /// The sessions that get a message, by its channel and by patterns.
    fn receivers(subscriptions: &CoreSubscriptions, publication: &Publication) -> (Vec<u64>, Vec<(Name, Vec<u64>)>) {
        let by_pattern =
            subscriptions.by_pattern(publication).map(|(name, sessions)| (name.clone(), sessions.collect()));
        (subscriptions.by_channel(publication).collect(), by_pattern.collect())
    }

    #[test]
    fn a_message_is_for_those_who_had_subscribed_when_it_was_published() {
        let registry = Registry::new(Arc::default());
        let mut core = CoreSubscriptions::default();
        let publish =
            |channel: &str, sharded| registry.publish(channel.as_bytes(), sharded, || Bytes::from_static(b"x"));
        for session in [5, 1] {
            core.add(&registry, 0, Kind::Channel, &name("a"), session);
        }
        core.add(&registry, 0, Kind::Pattern, &name("*"), 1);
        core.add(&registry, 0, Kind::ShardChannel, &name("a"), 7);
        let (count, first) = publish("a", false);
        let first = first.expect("somebody listens");
        assert_eq!((count, first.cores), (3, 1));
        // On its way while others come and go.
        core.add(&registry, 0, Kind::Channel, &name("a"), 3);
        core.add(&registry, 0, Kind::Pattern, &name("*"), 3);
        core.add(&registry, 0, Kind::Pattern, &name("a?"), 3);
        assert_eq!(receivers(&core, &first), (vec![1, 5], vec![(name("*"), vec![1])]));
        core.remove(&registry, 0, Kind::Channel, &name("a"), 1);
        core.remove(&registry, 0, Kind::Pattern, &name("*"), 1);
        assert_eq!(receivers(&core, &first), (vec![5], vec![(name("*"), vec![])]));
        let (count, second) = publish("a", false);
        assert_eq!(count, 3);
        assert_eq!(receivers(&core, &second.expect("somebody listens")), (vec![3, 5], vec![(name("*"), vec![3])]));
        let sharded = publish("a", true).1.expect("somebody listens");
        assert_eq!(receivers(&core, &sharded), (vec![7], vec![]));
        assert_eq!(core.len(), 5);
        for (kind, of, session) in [
            (Kind::Channel, "a", 3),
            (Kind::Channel, "a", 5),
            (Kind::Pattern, "*", 3),
            (Kind::Pattern, "a?", 3),
            (Kind::ShardChannel, "a", 7),
        ] {
            core.remove(&registry, 0, kind, &name(of), session);
        }
        assert!(core.is_empty() && publish("a", false).1.is_none() && publish("a", true).1.is_none());
    }

    #[test]
    fn what_a_client_subscribes_to() {
        let mut client = ClientSubscriptions::default();
        assert!(client.add(Kind::Channel, &name("b")) && client.add(Kind::Channel, &name("a")));
        assert!(!client.add(Kind::Channel, &name("a")) && client.add(Kind::Pattern, &name("a")));
        assert_eq!([Kind::Channel, Kind::Pattern, Kind::ShardChannel].map(|kind| client.len(kind)), [2, 1, 0]);
        assert!(client.remove(Kind::Pattern, &name("a")) && !client.remove(Kind::Pattern, &name("a")));
        assert!(client.take(Kind::Channel).into_iter().eq([name("a"), name("b")]));
        assert_eq!(client.len(Kind::Channel), 0);
    }
}
