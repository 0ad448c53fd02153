//! What handlers asked to be done elsewhere: questions to all cores about their clients, parameters, the way out.

use std::path::Path;
use std::sync::atomic::Ordering;

use crate::command::error::CommandError;
use crate::command::request::{ClientFilter, ControlRequest};
use crate::command::spec::Flags;
use crate::command::table::Row;
use crate::config::Setter;
use crate::shard::call;
use crate::shard::exchange::Event;
use crate::shard::home::Runner;
use crate::shard::message::{Answer, Message, Question, QuestionKind};

use super::core::Core;
use super::multi::Operation;
use super::state::{Session, SessionKey, Stall};

/// A question to all cores that waits for its answers.
pub(super) struct Gather {
    session: SessionKey,
    awaited: usize,
    lines: Vec<(u64, String)>,
    count: i64,
    reply: GatherReply,
    discard: bool,
}

#[derive(Clone, Copy)]
enum GatherReply {
    Lines,
    Count,
    /// The old form of CLIENT KILL.
    OkOrNoClient,
}

impl Core {
    /// Does what a handler asked for, or starts it.
    pub(super) fn control(&mut self, session: &mut Session, request: ControlRequest, discard: bool, now_ms: i64) {
        let result = match request {
            ControlRequest::ClientList(filter) => {
                return self.ask(session, QuestionKind::List(filter), GatherReply::Lines, discard);
            }
            ControlRequest::ClientKill { filter, old_form } => {
                let reply = if old_form { GatherReply::OkOrNoClient } else { GatherReply::Count };
                return self.ask(session, QuestionKind::Kill(filter), reply, discard);
            }
            ControlRequest::ClientUnblock { id, error } => {
                return self.ask(session, QuestionKind::Unblock { id, error }, GatherReply::Count, discard);
            }
            ControlRequest::ClientPause { until_ms, writes_only } => {
                self.pause(until_ms, writes_only, now_ms);
                Ok(())
            }
            ControlRequest::ClientUnpause => {
                self.server.paused_until_ms.store(0, Ordering::Release);
                for core in 0..self.exchange.shards() {
                    self.exchange.send(core, Message::Resume);
                }
                Ok(())
            }
            ControlRequest::ConfigSet { pairs, local } => self.config_set(&pairs, local),
            ControlRequest::ConfigRewrite => self.config_rewrite(),
            ControlRequest::ConfigResetStat => {
                self.server.reset();
                Ok(())
            }
            ControlRequest::Quit => {
                session.closing = true;
                Ok(())
            }
            ControlRequest::Shutdown(options) => {
                self.orders.push_back(Message::Shutdown(options));
                session.stall = Stall::Operation;
                return;
            }
        };
        if discard {
            return;
        }
        match result {
            Ok(()) => session.reply().ok(),
            Err(error) => call::write_error(session.reply(), &error, self.stats()),
        }
    }

    fn config_set(&mut self, pairs: &[(Vec<u8>, Vec<u8>)], local: bool) -> Result<(), CommandError> {
        let result = self.shared_config.set(pairs, Setter { local, loading: false });
        result.map_err(|error| CommandError::Owned(String::from_utf8_lossy(&error.text()).into_owned()))?;
        self.refresh_config();
        let lfu = self.config.get_word(crate::param!("maxmemory-policy")).ends_with("lfu");
        self.server.lfu_policy.store(lfu, Ordering::Relaxed);
        Ok(())
    }

    fn config_rewrite(&self) -> Result<(), CommandError> {
        if self.server.config_file.is_empty() {
            return Err(CommandError::Text("ERR The server is running without a config file"));
        }
        match self.shared_config.rewrite(Path::new(&self.server.config_file)) {
            Ok(()) => {
                tracing::info!("CONFIG REWRITE executed with success.");
                Ok(())
            }
            Err(error) => {
                tracing::warn!("CONFIG REWRITE failed: {error}");
                Err(CommandError::Owned(format!("ERR Rewriting config file: {error}")))
            }
        }
    }

    /// A longer pause wins over a shorter one of the same or weaker kind, as in Redis.
    fn pause(&self, until_ms: i64, writes_only: bool, now_ms: i64) {
        let current = self.server.paused_until_ms.load(Ordering::Acquire);
        let active = current > now_ms;
        let was_all = active && !self.server.paused_writes_only.load(Ordering::Relaxed);
        self.server.paused_writes_only.store(writes_only && !was_all, Ordering::Relaxed);
        self.server.paused_until_ms.store(if active { until_ms.max(current) } else { until_ms }, Ordering::Release);
    }

    /// Some pause may be on.
    pub(super) fn is_pausing(&self) -> bool {
        self.server.paused_until_ms.load(Ordering::Acquire) != 0
    }

    /// A pause is on for this command.
    pub(super) fn is_paused_for(&self, row: &Row) -> bool {
        let until_ms = self.server.paused_until_ms.load(Ordering::Acquire);
        // Clients that manage pauses must be able to end them.
        if until_ms <= self.clock.unix_ms() || matches!(row.parent, Some("client")) {
            return false;
        }
        let writes_only = self.server.paused_writes_only.load(Ordering::Relaxed);
        !writes_only || row.command.flags.has(Flags::WRITE) || row.command.flags.has(Flags::MAY_REPLICATE)
    }

    /// Lets paused sessions go on when the pause is over.
    pub(super) fn resume_paused(&mut self) {
        if self.paused.is_empty() || self.server.paused_until_ms.load(Ordering::Acquire) > self.clock.unix_ms() {
            return;
        }
        for key in std::mem::take(&mut self.paused) {
            if let Some(session) = self.session(key) {
                session.stall = Stall::None;
                self.wake(key);
            }
        }
    }

    fn ask(&mut self, session: &mut Session, kind: QuestionKind, reply: GatherReply, discard: bool) {
        // The asking client is not in its slot while it runs; put its own answer in order by asking after this turn.
        let gather = Gather {
            session: session.key,
            awaited: self.exchange.shards(),
            lines: Vec::new(),
            count: 0,
            reply,
            discard,
        };
        let operation = self.operations.insert(Operation::Gather(gather)) as u32;
        for core in 0..self.exchange.shards() {
            let question = Question { from: self.id as u16, operation, kind: kind.clone() };
            self.exchange.send(core, Message::Ask(Box::new(question)));
        }
        session.stall = Stall::Operation;
    }

    fn answer(&mut self, question: &Question) -> Answer {
        let now_ms = self.clock.unix_ms();
        let asking = question.from as usize == self.id;
        match &question.kind {
            QuestionKind::List(filter) => Answer::Lines(
                self.sessions()
                    .filter(|session| passes(filter, session, now_ms))
                    .map(|session| (session.client.id, super::client_line::client_line(session, now_ms)))
                    .collect(),
            ),
            QuestionKind::Kill(filter) => {
                let asking_session = if asking { self.asking_session(question.operation) } else { None };
                let mut killed = Vec::new();
                for session in self.sessions() {
                    if passes(filter, session, now_ms) {
                        // A client that kills itself still gets its reply.
                        if Some(session.key) == asking_session {
                            session.closing = true;
                        } else {
                            session.killed = true;
                        }
                        killed.push(session.key);
                    }
                }
                for &key in &killed {
                    self.wake(key);
                }
                Answer::Count(killed.len() as i64)
            }
            // No command blocks yet, so there is never a client to wake.
            QuestionKind::Unblock { .. } => Answer::Count(0),
        }
    }

    fn asking_session(&self, operation: u32) -> Option<SessionKey> {
        match self.operations.get(operation as usize) {
            Some(Operation::Gather(gather)) => Some(gather.session),
            _ => None,
        }
    }

    fn answered(&mut self, operation: u32, answer: Answer) {
        let Some(Operation::Gather(gather)) = self.operations.get_mut(operation as usize) else {
            unreachable!("a question stays registered until its last answer")
        };
        match answer {
            Answer::Lines(mut lines) => gather.lines.append(&mut lines),
            Answer::Count(count) => gather.count += count,
        }
        gather.awaited -= 1;
        if gather.awaited > 0 {
            return;
        }
        let Operation::Gather(mut gather) = self.operations.remove(operation as usize) else {
            unreachable!("matched above")
        };
        let Some(mut session) = self.take_session(gather.session) else { return };
        if !gather.discard {
            let reply = session.reply();
            match gather.reply {
                GatherReply::Lines => {
                    gather.lines.sort_by_key(|(id, _)| *id);
                    let text: String = gather.lines.into_iter().map(|(_, line)| line).collect();
                    reply.verbatim("txt", text.as_bytes());
                }
                GatherReply::Count => reply.integer(gather.count),
                GatherReply::OkOrNoClient if gather.count > 0 => reply.ok(),
                GatherReply::OkOrNoClient => reply.error("ERR No such client"),
            }
        }
        session.stall = Stall::None;
        self.wake(session.key);
        self.put_session(session);
    }

    /// Looks at everything that came in from other cores. Whoever drives the core empties `woken` and `orders` then.
    pub fn pump(&mut self) {
        self.end_turn();
        let now_ms = self.clock.unix_ms();
        let runner =
            Runner { now_ms, config: &self.config, server: &self.server, stats: &self.server.cores[self.id] };
        self.exchange.pump(&runner);
        while let Some(event) = self.exchange.events.pop_front() {
            match event {
                Event::BatchDone(batch) if batch.phase == crate::shard::batch::Phase::Run => {
                    self.batch_returned(batch);
                }
                Event::BatchDone(batch) => self.scatter_returned(batch),
                Event::Lent { operation, shard, keyspace } => self.box_lent(operation, shard, keyspace),
                Event::Other(Message::Ask(question)) => {
                    let answer = self.answer(&question);
                    self.exchange.send(
                        question.from as usize,
                        Message::Answer { operation: question.operation, answer },
                    );
                }
                Event::Other(Message::Answer { operation, answer }) => self.answered(operation, answer),
                Event::Other(Message::Resume) => self.resume_paused(),
                Event::Other(order) => self.orders.push_back(order),
            }
        }
    }

    /// Ten times a second: expiry, freeing, pauses, idle clients. True when `catch_up` should be called soon.
    pub fn cron(&mut self) -> bool {
        self.refresh_config();
        self.resume_paused();
        let now_ms = self.clock.unix_ms();
        self.close_idle(now_ms);
        self.exchange.cron(&mut self.cron, now_ms, &self.clock, &self.server)
    }

    /// Between two calls of `cron`: more of expiry and freeing. True when there is still more.
    pub fn catch_up(&mut self) -> bool {
        let now_ms = self.clock.unix_ms();
        self.exchange.cron(&mut self.cron, now_ms, &self.clock, &self.server)
    }

    fn close_idle(&mut self, now_ms: i64) {
        let timeout_ms = self.config.get_i64(crate::param!("timeout")) * 1000;
        if timeout_ms == 0 {
            return;
        }
        let mut idle = Vec::new();
        for session in self.sessions() {
            if now_ms - session.client.last_used_ms > timeout_ms && session.is_settled() {
                session.killed = true;
                idle.push(session.key);
            }
        }
        for key in idle {
            tracing::debug!("Closing idle client");
            self.wake(key);
        }
    }
}

fn passes(filter: &ClientFilter, session: &Session, now_ms: i64) -> bool {
    let client = &session.client;
    (filter.ids.is_empty() || filter.ids.contains(&client.id))
        && filter.address.as_ref().is_none_or(|address| *address == client.address)
        && filter.local_address.as_ref().is_none_or(|address| *address == client.local_address)
        && filter.kind.is_none_or(|kind| kind == client.kind())
        && filter.user.as_ref().is_none_or(|user| user.as_slice() == b"default" && client.authenticated)
        && filter.age_min_s.is_none_or(|age_s| now_ms / 1000 - client.created_ms / 1000 >= age_s)
        && filter.skip != Some(client.id)
}
