//! What users may do, as far as sessions are concerned: requests of restricted users are checked here before they run, what
//! is denied goes into the log, and sessions follow when users change.
//!
//! A change is made by the handler of ACL SETUSER and its kin, on whatever core its client is. That core follows at once,
//! every other core when it is asked to (`QuestionKind::Users`) or at the beginning of its next turn, whichever is first;
//! the client is answered when all have. So nobody who learned of the change can be served by the old permissions.
//!
//! Differs from Redis in one point: a client that waits for a key and may no longer do so is told at once, not when the key
//! is written to.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::acl::User;
use crate::acl::log::{Denied, Place, Reason};
use crate::acl::users::UserMap;
use crate::command::acl::check::{Denial, check, denied_patterns};
use crate::command::acl::load::set_default_password;
use crate::command::args::Args;
use crate::command::error::CommandError;
use crate::command::request::UsersReply;
use crate::command::table::Row;
use crate::pubsub::Kind;
use crate::shard::call;
use crate::shard::message::QuestionKind;

use super::client_line::client_line;
use super::control::GatherReply;
use super::core::Core;
use super::state::{Session, SessionKey};

/// What became of a session whose user changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It goes on.
    Stays,
    /// It waits for a key, and may not do so any more.
    StopsWaiting(Denial),
    /// Its connection ends.
    Ends,
}

impl Core {
    /// The error of a request that its user may not run; noted.
    #[cold]
    pub(super) fn denied(
        &mut self,
        session: &mut Session,
        row: &'static Row,
        args: Args<'_>,
        denial: Denial,
    ) -> CommandError {
        session.client.last_command = row.full_name;
        let place = session.place();
        self.note_denial(session, denial.noted(session.client.user(), row, args, place));
        denial.error(session.client.user(), row)
    }

    /// Counts and logs what was denied to a session, which is out of its slot.
    pub(super) fn note_denial(&self, session: &Session, denied: Denied) {
        let counter = match denied.reason {
            Reason::Command => &self.server.denied_commands,
            Reason::Key => &self.server.denied_keys,
            Reason::Channel => &self.server.denied_channels,
            Reason::Authentication => &self.server.auth_failures,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let now_ms = self.clock.unix_ms();
        let client = client_line(session, now_ms).trim_end().to_string();
        let entries_max = self.config.get_usize(crate::param!("acllog-max-len"));
        self.users.log(denied, client, now_ms, entries_max);
    }

    /// The error of a command of a transaction that could be queued but is denied now that it is to run; noted.
    #[cold]
    pub(super) fn denied_in_transaction(
        &mut self,
        session: &mut Session,
        row: &'static Row,
        args: Args<'_>,
    ) -> Option<CommandError> {
        match check(session.client.user(), row, args) {
            Ok(()) => denied_patterns(session.client.user(), row, args),
            Err(denial) => {
                self.note_denial(session, denial.noted(session.client.user(), row, args, Place::Transaction));
                Some(denial.error_in_transaction())
            }
        }
    }

    /// Looks whether users have changed since the last time, and if so at all sessions. `current`: the one that is out of
    /// its slot; true when its connection is to end.
    #[inline]
    pub(super) fn refresh_users(&mut self, current: Option<&mut Session>) -> bool {
        self.users.generation() != self.users_generation && self.follow_users(current)
    }

    #[cold]
    fn follow_users(&mut self, current: Option<&mut Session>) -> bool {
        let users = self.users.clone();
        let mut ends = false;
        let mut fates = Vec::new();
        self.users_generation = users.with_current(|generation, users| {
            if let Some(session) = current {
                ends = follow(session, users) == Fate::Ends;
            }
            for session in self.sessions() {
                let fate = follow(session, users);
                if fate != Fate::Stays {
                    fates.push((session.key, fate));
                }
            }
            generation
        });
        for (key, fate) in fates {
            match fate {
                Fate::StopsWaiting(denial) => self.stop_waiting(key, denial),
                _ => self.end_session(key),
            }
        }
        ends
    }

    fn end_session(&mut self, key: SessionKey) {
        if let Some(session) = self.session(key) {
            session.killed = true;
            self.wake(key);
        }
    }

    fn stop_waiting(&mut self, key: SessionKey, denial: Denial) {
        let Some(session) = self.take_session(key) else { return };
        let Some(blocked) = &session.blocked else { return self.put_session(session) };
        let (row, waiter) = (blocked.row(), blocked.waiter.clone());
        let args = Args::new(&waiter.args.buffer, &waiter.args.ranges, &waiter.args.bigs);
        let error = denial.error(session.client.user(), row);
        let denied = denial.noted(session.client.user(), row, args, Place::TopLevel);
        self.put_session(session);
        if !self.refuse_blocked(key, &error) {
            // Somebody is serving it in this moment: that was before the change.
            return;
        }
        self.stats().per_command[row.id].rejected.add(1);
        if let Some(session) = self.take_session(key) {
            self.note_denial(&session, denied);
            self.put_session(session);
        }
    }

    /// Users were changed by the command of this session: all cores follow, then it is answered.
    pub(super) fn users_changed(&mut self, session: &mut Session, reply: UsersReply, discard: bool) {
        let ends = self.refresh_users(Some(session));
        let reply = match reply {
            UsersReply::Ok => GatherReply::Ok,
            UsersReply::Count(count) => GatherReply::Fixed(count),
        };
        self.ask_to_end(session, QuestionKind::Users, reply, discard, ends);
    }

    /// CONFIG SET requirepass.
    pub(super) fn apply_password(&mut self, session: &mut Session, pairs: &[(Vec<u8>, Vec<u8>)]) {
        if pairs.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"requirepass")) {
            set_default_password(&self.users, self.config.get_bytes(crate::param!("requirepass")));
            session.closing |= self.refresh_users(Some(session));
        }
    }

    /// Writes the error of a request that was denied while it ran.
    pub(super) fn write_denial(&self, session: &mut Session, error: &CommandError, discard: bool) {
        if !discard {
            call::write_error(session.reply(), error, self.stats());
        }
    }
}

impl Session {
    /// Where its commands run now, as ACL LOG names it.
    pub(super) fn place(&self) -> Place {
        if self.in_exec || self.transaction.is_some() { Place::Transaction } else { Place::TopLevel }
    }

    /// It listens to something that this user, who it was so far, may hear no more.
    fn hears_too_much(&self, user: &User) -> bool {
        let Some(subscriptions) = &self.subscriptions else { return false };
        let forbidden = |kind, is_pattern| subscriptions.names(kind).any(|name| !user.may_hear(name, is_pattern));
        user.may_hear_less_than(self.client.user())
            && (forbidden(Kind::Pattern, true)
                || forbidden(Kind::Channel, false)
                || forbidden(Kind::ShardChannel, false))
    }
}

/// Gives a session its user as it is now.
fn follow(session: &mut Session, users: &UserMap) -> Fate {
    let before = session.client.user();
    let Some(user) = users.get(&before.name).filter(|user| user.id == before.id) else { return Fate::Ends };
    if Arc::ptr_eq(user, before) {
        return Fate::Stays;
    }
    let ends = session.hears_too_much(user);
    session.client.set_user(user.clone());
    match &session.blocked {
        _ if ends => Fate::Ends,
        Some(blocked) => {
            let waiter = &blocked.waiter;
            let args = Args::new(&waiter.args.buffer, &waiter.args.ranges, &waiter.args.bigs);
            check(user, blocked.row(), args).map_or_else(Fate::StopsWaiting, |()| Fate::Stays)
        }
        None => Fate::Stays,
    }
}
