//! Sessions that wait for keys: into the queues, and out of them by data, time, CLIENT UNBLOCK or a closed connection.

use std::sync::Arc;

use crate::client::ClientId;
use crate::command::args::Args;
use crate::command::blocking::{TimeoutReply, Wait};
use crate::command::error::CommandError;
use crate::command::table::Row;
use crate::keyspace::wait::{Served, Waiter};
use crate::resp::reply::Reply;
use crate::runtime::claim::Settle;
use crate::shard::wait::{self, Registration};

use super::core::Core;
use super::state::{Session, SessionKey, Stall};

/// Time until a wait that somebody is about to decide is looked at again.
const BUSY_RETRY_MS: i64 = 1;

/// What a session that waits knows of its wait.
pub struct Blocked {
    pub(super) waiter: Arc<Waiter>,
    until_ms: Option<i64>,
    timeout_reply: TimeoutReply,
    row: &'static Row,
    /// CLIENT REPLY OFF: the reply is thrown away.
    discard: bool,
    /// What it took to find that it has to wait; counted already.
    pub(super) spent_ns: u64,
}

/// How CLIENT UNBLOCK went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unblock {
    /// The client goes on.
    Done,
    /// No such client waits here.
    NotWaiting,
    /// Somebody is about to serve it; ask again.
    Busy,
}

impl Blocked {
    /// The command that waits.
    pub(super) fn row(&self) -> &'static Row {
        self.row
    }
}

impl Core {
    /// The command found nothing to do: its client waits. The boxes of all its keys are in hand.
    pub(super) fn block(
        &mut self,
        session: &mut Session,
        row: &'static Row,
        args: Args<'_>,
        wait: &Wait,
        discard: bool,
    ) {
        let client = Registration {
            core: self.id as u16,
            session: session.key.as_u64(),
            database: session.client.database,
            protocol: session.client.protocol,
            touch: !session.client.no_touch,
            row,
            args,
        };
        let waiter = wait::register(&mut self.exchange.boxes, &self.exchange.hasher, &client, wait);
        if let Some(until_ms) = wait.until_ms {
            self.deadlines.insert((until_ms, session.key.as_u64()));
        }
        let (until_ms, timeout_reply) = (wait.until_ms, wait.timeout_reply);
        session.blocked = Some(Box::new(Blocked { waiter, until_ms, timeout_reply, row, discard, spent_ns: 0 }));
        session.stall = Stall::Blocked;
        self.stats().blocked.add(1);
        self.stats().timeouts.set(self.deadlines.len() as u64);
    }

    /// When the next wait ends, Unix time in milliseconds. Whoever drives the core pumps it then.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first().map(|(until_ms, _)| *until_ms)
    }

    /// Ends the waits whose time is over.
    pub(super) fn end_waits(&mut self) {
        self.orphans.retain(|waiter| waiter.claim.settle() == Settle::Busy);
        if self.deadlines.is_empty() {
            return;
        }
        let now_ms = self.clock.unix_ms();
        while let Some(&(until_ms, key)) = self.deadlines.first()
            && until_ms <= now_ms
        {
            self.deadlines.pop_first();
            let session_key = SessionKey::from_u64(key);
            let settled = match self.session(session_key).and_then(|session| session.blocked.as_ref()) {
                Some(blocked) => blocked.waiter.claim.settle(),
                None => Settle::Lost,
            };
            match settled {
                Settle::Won => self.unblock(session_key, |blocked, reply| blocked.timeout_reply.write(reply)),
                Settle::Busy => {
                    self.deadlines.insert((now_ms + BUSY_RETRY_MS, key));
                }
                // Its reply is on the way.
                Settle::Lost => {}
            }
        }
    }

    /// A client of this core that waited was served by whoever wrote to its key.
    pub(super) fn served(&mut self, served: &Served) {
        let key = SessionKey::from_u64(served.session);
        if served.panicked
            && let Some(session) = self.session(key)
        {
            session.killed = true;
        }
        if !served.chunks.is_empty()
            && let Some(mut session) = self.take_session(key)
        {
            self.gate_by_chunks(&mut session, served.chunks.iter().copied());
            self.put_session(session);
        }
        self.end_block(key, |_, reply| reply.append_range(&served.reply, 0, served.reply.position()));
    }

    /// CLIENT UNBLOCK.
    pub(super) fn unblock_client(&mut self, id: ClientId, error: bool) -> Unblock {
        let waiting = self.sessions().find(|session| session.client.id == id && session.blocked.is_some());
        let Some((key, settled)) =
            waiting.and_then(|session| Some((session.key, session.blocked.as_ref()?.waiter.claim.settle())))
        else {
            return Unblock::NotWaiting;
        };
        match settled {
            Settle::Won if error => {
                const UNBLOCKED: CommandError = CommandError::Text("UNBLOCKED client unblocked via CLIENT UNBLOCK");
                self.stats().count_error(&UNBLOCKED.text());
                self.unblock(key, |_, reply| reply.error(UNBLOCKED.text()));
                Unblock::Done
            }
            Settle::Won => {
                self.unblock(key, |blocked, reply| blocked.timeout_reply.write(reply));
                Unblock::Done
            }
            Settle::Busy => Unblock::Busy,
            Settle::Lost => Unblock::NotWaiting,
        }
    }

    /// Ends a wait with an error, as if the command had not run; false when somebody is serving it.
    pub(super) fn refuse_blocked(&mut self, key: SessionKey, error: &CommandError) -> bool {
        let blocked = self.session(key).and_then(|session| session.blocked.as_ref());
        if blocked.is_none_or(|blocked| blocked.waiter.claim.settle() != Settle::Won) {
            return false;
        }
        if let Some(blocked) = self.session(key).and_then(|session| session.blocked.as_ref()) {
            let (id, spent_ns) = (blocked.row.id, blocked.spent_ns);
            self.stats().per_command[id].duration_ns.subtract(spent_ns);
        }
        self.stats().count_error(&error.text());
        self.end_block(key, |_, reply| reply.error(error.text()));
        true
    }

    /// A session is gone; it may have been waiting.
    pub(super) fn forget_blocked(&mut self, session: &mut Session) {
        let Some(blocked) = session.blocked.take() else { return };
        self.stats().blocked.subtract(1);
        if let Some(until_ms) = blocked.until_ms {
            self.deadlines.remove(&(until_ms, session.key.as_u64()));
            self.stats().timeouts.set(self.deadlines.len() as u64);
        }
        if blocked.waiter.claim.settle() == Settle::Busy {
            // Whoever holds the claim may let go of it; then nobody must serve it any more.
            self.orphans.push(blocked.waiter);
        }
    }

    /// A wait ends without having been served; the command is counted now.
    fn unblock(&mut self, key: SessionKey, write: impl FnOnce(&Blocked, &mut Reply)) {
        if let Some(blocked) = self.session(key).and_then(|session| session.blocked.as_ref()) {
            let id = blocked.row.id;
            self.stats().per_command[id].calls.add(1);
        }
        self.end_block(key, write);
    }

    fn end_block(&mut self, key: SessionKey, write: impl FnOnce(&Blocked, &mut Reply)) {
        let Some(mut session) = self.take_session(key) else { return };
        if let Some(blocked) = session.blocked.take() {
            if let Some(until_ms) = blocked.until_ms {
                self.deadlines.remove(&(until_ms, key.as_u64()));
                self.stats().timeouts.set(self.deadlines.len() as u64);
            }
            if !blocked.discard {
                write(&blocked, session.reply());
            }
            session.stall = Stall::None;
            self.note_spent(&session, blocked.row, wait::args_of(&blocked.waiter), blocked.spent_ns);
            self.stats().blocked.subtract(1);
            self.wake(key);
        }
        self.put_session(session);
    }
}
