//! Sessions that subscribe, and messages on their way to them.
//!
//! A message is written behind everything its session was answered before, never into the middle of a reply: to sessions
//! of this core at once, to those of others by one message to each core concerned. What a session publishes to itself
//! comes behind the reply of the command, transaction or script that published it, as in Redis since 7.2.

use std::sync::Arc;

use crate::client::Client;
use crate::config::BufferLimit;
use crate::pubsub::Kind;
use crate::pubsub::registry::{Name, Publication};
use crate::resp::reply::Reply;
use crate::shard::exchange::bits;
use crate::shard::message::Message;

use super::core::Core;
use super::state::{Session, SessionKey};

/// The place of subscribers among `client-output-buffer-limit`'s classes.
const PUBSUB_CLASS: usize = 2;

impl Core {
    /// SUBSCRIBE and its kin.
    pub(super) fn subscribe(&mut self, session: &mut Session, kind: Kind, names: &[Name]) {
        let word: &[u8] = match kind {
            Kind::Channel => b"subscribe",
            Kind::Pattern => b"psubscribe",
            Kind::ShardChannel => b"ssubscribe",
        };
        for name in names {
            if session.subscriptions.get_or_insert_default().add(kind, name) {
                let (registry, key) = (&self.registry, session.key.as_u64());
                self.subscriptions.add(registry, self.id, kind, name, key);
                self.count_subscriptions(session);
            }
            confirm(session, word, Some(name), kind);
        }
    }

    /// UNSUBSCRIBE and its kin; without names: all of the kind.
    pub(super) fn unsubscribe(&mut self, session: &mut Session, kind: Kind, names: Vec<Name>) {
        // What was published before goes to the session before.
        for publication in self.exchange.take_published() {
            self.published(&publication, Some(session));
        }
        let word: &[u8] = match kind {
            Kind::Channel => b"unsubscribe",
            Kind::Pattern => b"punsubscribe",
            Kind::ShardChannel => b"sunsubscribe",
        };
        let is_all = names.is_empty();
        let names = match &mut session.subscriptions {
            Some(subscriptions) if is_all => subscriptions.take(kind).into_iter().collect(),
            _ => names,
        };
        if names.is_empty() {
            confirm(session, word, None, kind);
        }
        let mut left = *count_of(&mut session.client, kind);
        for name in &names {
            let was_there = is_all || session.subscriptions.as_mut().is_some_and(|all| all.remove(kind, name));
            if was_there {
                let key = session.key.as_u64();
                self.subscriptions.remove(&self.registry, self.id, kind, name, key);
                left -= 1;
                self.set_subscriptions(session, kind, left);
            }
            confirm(session, word, Some(name), kind);
        }
    }

    /// The session subscribes to nothing any more (RESET, or it is gone).
    pub(super) fn forget_subscriptions(&mut self, session: &mut Session) {
        let Some(mut subscriptions) = session.subscriptions.take() else { return };
        for kind in [Kind::Channel, Kind::Pattern, Kind::ShardChannel] {
            for name in subscriptions.take(kind) {
                self.subscriptions.remove(&self.registry, self.id, kind, &name, session.key.as_u64());
            }
        }
        self.count_subscriptions(session);
    }

    fn count_subscriptions(&self, session: &mut Session) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::ShardChannel] {
            let count = session.subscriptions.as_ref().map_or(0, |all| all.len(kind));
            self.set_subscriptions(session, kind, count);
        }
    }

    fn set_subscriptions(&self, session: &mut Session, kind: Kind, count: usize) {
        let was_subscribed = session.client.subscriptions.any();
        *count_of(&mut session.client, kind) = count;
        match (was_subscribed, session.client.subscriptions.any()) {
            (false, true) => self.stats().pubsub_clients.add(1),
            (true, false) => {
                session.over_soft_limit_since_ms = None;
                self.stats().pubsub_clients.subtract(1);
            }
            _ => {}
        }
    }

    /// Sends what was published and waits for that. `session`: the one that is out of its slot now.
    pub(super) fn send_publications(&mut self, mut session: Option<&mut Session>) {
        if self.publications.is_empty() {
            return;
        }
        let chunks = self.chunks_in_hand();
        let mut publications = std::mem::take(&mut self.publications);
        for mut publication in publications.drain(..) {
            publication.chunks.clone_from(&chunks);
            let cores = publication.cores;
            let publication = Arc::new(publication);
            for core in bits(cores) {
                if core == self.id {
                    self.published(&publication, session.as_deref_mut());
                } else {
                    self.exchange.send(core, Message::Published(publication.clone()));
                }
            }
        }
        // The list keeps its memory.
        self.publications = publications;
    }

    /// A message for sessions of this core.
    pub(super) fn published(&mut self, publication: &Arc<Publication>, mut session: Option<&mut Session>) {
        let limit = self.config.buffer_limits()[PUBSUB_CLASS];
        let subscriptions = std::mem::take(&mut self.subscriptions);
        let mut body = Reply::new(Default::default());
        let word: &[u8] = if publication.is_sharded { b"smessage" } else { b"message" };
        write_body(&mut body, word, None, publication);
        for key in subscriptions.by_channel(publication) {
            self.write_message(publication, key, 3, &body, limit, session.as_deref_mut());
        }
        for (pattern, sessions) in subscriptions.by_pattern(publication) {
            body.clear();
            write_body(&mut body, b"pmessage", Some(pattern), publication);
            for key in sessions {
                self.write_message(publication, key, 4, &body, limit, session.as_deref_mut());
            }
        }
        self.subscriptions = subscriptions;
    }

    fn write_message(
        &mut self,
        publication: &Publication,
        key: u64,
        elements: usize,
        body: &Reply,
        limit: BufferLimit,
        current: Option<&mut Session>,
    ) {
        let key = SessionKey::from_u64(key);
        match current {
            // Its output waits for the disk with the rest of its turn.
            Some(session) if session.key == key => self.write_to(session, elements, body, limit),
            _ => {
                let Some(mut session) = self.take_session(key) else { return };
                self.gate_by_chunks(&mut session, publication.chunks.iter().copied());
                self.write_to(&mut session, elements, body, limit);
                self.put_session(session);
            }
        }
    }

    fn write_to(&mut self, session: &mut Session, elements: usize, body: &Reply, limit: BufferLimit) {
        if session.closing || session.killed {
            return;
        }
        let reply = session.reply();
        reply.push(elements);
        reply.append_range(body, 0, body.position());
        self.close_if_over_limit(session, limit);
        self.wake(session.key);
    }

    /// Closes a session that gets more than it takes.
    pub(super) fn close_if_over_limit(&self, session: &mut Session, limit: BufferLimit) {
        if session.is_over_limit(limit, self.clock.unix_ms()) {
            close_slow(session);
            self.stats().output_limit_disconnections.add(1);
        }
    }

    /// Closes the subscribers that are slow for too long. Once a second.
    pub(super) fn close_slow_subscribers(&mut self) {
        if self.stats().pubsub_clients.get() == 0 {
            return;
        }
        let (limit, now_ms) = (self.config.buffer_limits()[PUBSUB_CLASS], self.clock.unix_ms());
        let mut slow = Vec::new();
        for session in self.sessions().filter(|session| session.client.subscriptions.any() && !session.killed) {
            if session.is_over_limit(limit, now_ms) {
                close_slow(session);
                slow.push(session.key);
            }
        }
        self.stats().output_limit_disconnections.add(slow.len() as u64);
        slow.into_iter().for_each(|key| self.wake(key));
    }
}

impl Session {
    /// More waits to be sent than the limit allows, or has done so for too long.
    fn is_over_limit(&mut self, limit: BufferLimit, now_ms: i64) -> bool {
        let bytes = self.output_bytes() as u64;
        if limit.hard_bytes > 0 && bytes >= limit.hard_bytes {
            return true;
        }
        if limit.soft_bytes == 0 || bytes < limit.soft_bytes {
            self.over_soft_limit_since_ms = None;
            return false;
        }
        let since_ms = *self.over_soft_limit_since_ms.get_or_insert(now_ms);
        // Whole seconds, as Redis counts them.
        now_ms / 1000 - since_ms / 1000 > limit.soft_seconds
    }
}

fn close_slow(session: &mut Session) {
    tracing::warn!(
        "Client id={} addr={} scheduled to be closed ASAP for overcoming of output buffer limits.",
        session.client.id,
        session.client.address
    );
    session.killed = true;
}

/// Where a client's subscriptions of a kind are counted.
fn count_of(client: &mut Client, kind: Kind) -> &mut usize {
    match kind {
        Kind::Channel => &mut client.subscriptions.channels,
        Kind::Pattern => &mut client.subscriptions.patterns,
        Kind::ShardChannel => &mut client.subscriptions.shard_channels,
    }
}

/// Tells a client what became of one name (`None`: there was nothing to unsubscribe from), and how much it listens to now.
fn confirm(session: &mut Session, word: &[u8], name: Option<&Name>, kind: Kind) {
    let counts = session.client.subscriptions;
    let reply = session.reply();
    reply.push(3);
    reply.bulk(word);
    match name {
        Some(name) => reply.bulk(name),
        None => reply.null(),
    }
    reply.integer(match kind {
        Kind::Channel | Kind::Pattern => counts.channels + counts.patterns,
        Kind::ShardChannel => counts.shard_channels,
    } as i64);
}

/// A message without the marker before it, which depends on the protocol.
fn write_body(body: &mut Reply, word: &[u8], pattern: Option<&Name>, publication: &Publication) {
    body.bulk(word);
    if let Some(pattern) = pattern {
        body.bulk(pattern);
    }
    body.bulk(&publication.channel);
    body.bulk_shared(publication.message.clone());
}
