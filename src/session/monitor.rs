//! Sessions that monitor. A core writes a line for each command it runs, and sends the lines of a turn to the cores that
//! have such sessions. While nobody monitors that costs one look at a number per window of commands.
//!
//! Lines of one core come in the order in which it ran the commands. A command over several shards is not scattered
//! meanwhile, so that it is shown once; a script is shown with its commands when it has ended, and not if it has to begin
//! anew.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::command::args::Args;
use crate::command::error::CommandError;
use crate::command::monitor::{Origin, is_shown, write_line};
use crate::command::table::Row;
use crate::shard::call;
use crate::shard::exchange::bits;
use crate::shard::message::Message;
use crate::stdx::limits::MONITOR_OUTPUT_BYTES_MAX;

use super::core::Core;
use super::state::{Session, SessionKey};

/// The place of those who monitor among `client-output-buffer-limit`'s classes, as in Redis.
const NORMAL_CLASS: usize = 0;

impl Core {
    /// Somebody monitors, here or elsewhere.
    #[inline]
    pub(super) fn is_monitored(&self) -> bool {
        self.server.monitor_cores.load(Ordering::Relaxed) != 0
    }

    /// Shows a command of a session.
    #[cold]
    pub(super) fn show(&mut self, session: &Session, row: &'static Row, args: Args<'_>) {
        if is_shown(row) {
            let line = self.line_of(session, row, args);
            self.shown.push_str(&line);
        }
    }

    /// The line of a command of a session.
    #[cold]
    pub(super) fn line_of(&self, session: &Session, row: &'static Row, args: Args<'_>) -> String {
        let (mut line, client) = (String::new(), &session.client);
        write_line(&mut line, self.clock.unix_us(), client.database, Origin::Client(client), row, args);
        line
    }

    /// MONITOR.
    pub(super) fn begin_monitoring(&mut self, session: &mut Session, discard: bool) {
        if session.in_exec {
            const DENIED: CommandError = CommandError::Text("ERR MONITOR isn't allowed for DENY BLOCKING client");
            if !discard {
                call::write_error(session.reply(), &DENIED, self.stats());
            }
            return;
        }
        if session.client.monitors() {
            // As in Redis, who monitors already gets no answer.
            return;
        }
        session.client.set_monitors(true);
        self.monitors.push(session.key);
        self.server.monitor_cores.fetch_or(1 << self.id, Ordering::SeqCst);
        if !discard {
            session.reply().ok();
        }
    }

    /// The session does not monitor any more (RESET, or it is gone).
    pub(super) fn end_monitoring(&mut self, session: &mut Session) {
        let before = self.monitors.len();
        self.monitors.retain(|key| *key != session.key);
        session.client.set_monitors(false);
        if before > 0 && self.monitors.is_empty() {
            self.server.monitor_cores.fetch_and(!(1 << self.id), Ordering::SeqCst);
        }
    }

    /// Sends what was shown in this turn.
    #[inline]
    pub(super) fn send_shown(&mut self) {
        if !self.shown.is_empty() {
            let lines: Arc<str> = std::mem::take(&mut self.shown).into();
            for core in bits(self.server.monitor_cores.load(Ordering::SeqCst)) {
                self.exchange.send(core, Message::Shown(lines.clone()));
            }
        }
    }

    /// Lines for those who monitor on this core.
    pub(super) fn write_shown(&mut self, lines: &str) {
        let mut limit = self.config.buffer_limits()[NORMAL_CLASS];
        if limit.hard_bytes == 0 {
            limit.hard_bytes = MONITOR_OUTPUT_BYTES_MAX;
        }
        let keys: Vec<SessionKey> = self.monitors.clone();
        for key in keys {
            let Some(mut session) = self.take_session(key) else { continue };
            if !session.closing && !session.killed {
                session.reply().raw(lines.as_bytes());
                self.close_if_over_limit(&mut session, limit);
                self.wake(key);
            }
            self.put_session(session);
        }
    }
}
