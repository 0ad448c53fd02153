//! What handlers asked to be done elsewhere: questions to all cores about their clients, parameters, the way out.

use std::path::Path;
use std::sync::atomic::Ordering;

use crate::client::ClientId;
use crate::command::error::CommandError;
use crate::command::request::{ClientFilter, ControlRequest};
use crate::command::spec::{Flags, Run, Step};
use crate::command::table::Row;
use crate::config::Setter;
use crate::resp::reply::Reply;
use crate::shard::call;
use crate::shard::exchange::Event;
use crate::shard::home::Runner;
use crate::shard::message::{Answer, Message, Question, QuestionKind};

use super::block::Unblock;
use super::core::Core;
use super::jobs::Job;
use super::log_jobs::LogJob;
use super::multi::Operation;
use super::state::{Segment, Session, SessionKey, Stall};

/// A question to all cores that waits for its answers.
pub(super) struct Gather {
    session: SessionKey,
    awaited: usize,
    lines: Vec<(u64, String)>,
    count: i64,
    /// The order in which lines of these clients are shown; empty: by number.
    ids: Vec<ClientId>,
    reply: GatherReply,
    /// The asking client is one of those it wants closed: it gets its reply first.
    close_after: bool,
    /// The reply goes into a gap of EXEC's.
    in_exec: bool,
    discard: bool,
}

#[derive(Clone, Copy)]
pub(super) enum GatherReply {
    Lines,
    Count,
    /// OK, once all have answered.
    Ok,
    /// This number, once all have answered.
    Fixed(i64),
    /// The old form of CLIENT KILL.
    OkOrNoClient,
}

impl Core {
    /// Does what a handler asked for, or starts it.
    pub(super) fn control(
        &mut self,
        session: &mut Session,
        row: &'static Row,
        request: ControlRequest,
        discard: bool,
        now_ms: i64,
    ) {
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
            ControlRequest::Monitor => return self.begin_monitoring(session, discard),
            ControlRequest::UsersChanged(reply) => return self.users_changed(session, reply, discard),
            ControlRequest::ConfigSet { pairs, local } => self.config_set(session, &pairs, local),
            ControlRequest::ConfigRewrite { all } => self.config_rewrite(all),
            ControlRequest::Quit => {
                session.closing = true;
                Ok(())
            }
            ControlRequest::ReloadLog => {
                session.stall = Stall::Operation;
                self.start_job(Job::Log(LogJob::Reload(session.key, discard)));
                return;
            }
            ControlRequest::RewriteLog => {
                self.rewrite_log(session, discard);
                return;
            }
            ControlRequest::Subscribe { kind, names } => return self.subscribe(session, kind, &names),
            ControlRequest::Unsubscribe { kind, names } => return self.unsubscribe(session, kind, names),
            ControlRequest::Snapshot { schedule } => {
                self.background_save(session, schedule, discard);
                return;
            }
            ControlRequest::Shutdown(options) => {
                self.orders.push_back(Message::Shutdown { options, session: session.key.as_u64() });
                session.stall = Stall::Operation;
                return;
            }
        };
        if result.is_err() {
            self.stats().per_command[row.id].failed.add(1);
        }
        if discard {
            return;
        }
        match result {
            Ok(()) => session.reply().ok(),
            Err(error) => call::write_error(session.reply(), &error, self.stats()),
        }
    }

    fn config_set(&mut self, session: &mut Session, pairs: &[(Vec<u8>, Vec<u8>)], local: bool) -> Result<(), CommandError> {
        let result = self.shared_config.set(pairs, Setter { local, loading: self.server.saves.is_loading() });
        result.map_err(|error| CommandError::Owned(error.text()))?;
        self.refresh_config();
        let lfu = self.config.get_word(crate::param!("maxmemory-policy")).ends_with("lfu");
        self.server.lfu_policy.store(lfu, Ordering::Relaxed);
        // The other boxes learn it in their next round.
        for shard in 0..self.exchange.shards() {
            if self.exchange.take(shard) && let Some(keyspace) = self.exchange.boxes[shard].as_deref_mut() {
                keyspace.lfu = lfu;
            }
        }
        self.apply_to_log();
        self.apply_password(session, pairs);
        self.make_room();
        Ok(())
    }

    fn config_rewrite(&self, all: bool) -> Result<(), CommandError> {
        if self.server.config_file.is_empty() {
            return Err(CommandError::Text("ERR The server is running without a config file"));
        }
        match self.shared_config.rewrite(Path::new(&self.server.config_file), &self.users.lines(), all) {
            Ok(()) => {
                tracing::info!("CONFIG REWRITE executed with success.");
                Ok(())
            }
            Err(error) => {
                tracing::warn!("CONFIG REWRITE failed: {error}");
                Err(CommandError::Owned(format!("ERR Rewriting config file: {error}").into_bytes()))
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
    pub(super) fn is_paused_for(&self, session: &Session, row: &Row) -> bool {
        let until_ms = self.server.paused_until_ms.load(Ordering::Acquire);
        if until_ms <= self.clock.unix_ms() {
            return false;
        }
        let writes_only = self.server.paused_writes_only.load(Ordering::Relaxed);
        let writes = row.command.flags.has(Flags::WRITE) || row.command.flags.has(Flags::MAY_REPLICATE);
        !writes_only || writes || (matches!(row.command.run, Run::Transaction(Step::Exec)) && session.transaction_writes())
    }

    /// Lets paused sessions go on when the pause is over.
    pub(super) fn resume_paused(&mut self) {
        if self.paused.is_empty() || self.server.paused_until_ms.load(Ordering::Acquire) > self.clock.unix_ms() {
            return;
        }
        self.stats().blocked.subtract(self.paused.len() as u64);
        for key in std::mem::take(&mut self.paused) {
            if let Some(session) = self.session(key) {
                session.stall = Stall::None;
                self.wake(key);
            }
        }
    }

    /// A session is gone; it may have been paused.
    pub(super) fn forget_paused(&mut self, key: SessionKey) {
        let before = self.paused.len();
        self.paused.retain(|other| *other != key);
        self.stats().blocked.subtract((before - self.paused.len()) as u64);
    }

    fn ask(&mut self, session: &mut Session, kind: QuestionKind, reply: GatherReply, discard: bool) {
        self.ask_to_end(session, kind, reply, discard, false);
    }

    /// Asks all cores; `close_after`: the client is closed once it has its reply.
    pub(super) fn ask_to_end(
        &mut self,
        session: &mut Session,
        kind: QuestionKind,
        reply: GatherReply,
        discard: bool,
        close_after: bool,
    ) {
        // The asking client is not in its slot while it runs; put its own answer in order by asking after this turn.
        let gather = Gather {
            session: session.key,
            awaited: self.exchange.shards(),
            lines: Vec::new(),
            count: 0,
            ids: if let QuestionKind::List(filter) = &kind { filter.ids.clone() } else { Vec::new() },
            reply,
            close_after,
            in_exec: session.in_exec,
            discard,
        };
        let operation = self.operations.insert(Operation::Gather(gather)) as u32;
        for core in 0..self.exchange.shards() {
            let question = Question { from: self.id as u16, operation, kind: kind.clone() };
            self.exchange.send(core, Message::Ask(Box::new(question)));
        }
        if session.in_exec {
            session.segments.push_back(Segment::Awaited(operation));
        } else {
            session.stall = Stall::Operation;
        }
    }

    /// The answer; none when it cannot be told in this moment.
    fn answer(&mut self, question: &Question) -> Option<Answer> {
        let now_ms = self.clock.unix_ms();
        let asking = question.from as usize == self.id;
        let answer = match &question.kind {
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
                        session.killed |= Some(session.key) != asking_session;
                        killed.push(session.key);
                    }
                }
                for &key in &killed {
                    if Some(key) == asking_session {
                        self.close_after(question.operation);
                    } else {
                        self.wake(key);
                    }
                }
                Answer::Count(killed.len() as i64)
            }
            QuestionKind::Users => {
                self.refresh_users(None);
                Answer::Count(0)
            }
            &QuestionKind::Unblock { id, error } => match self.unblock_client(id, error) {
                Unblock::Done => Answer::Count(1),
                Unblock::NotWaiting => Answer::Count(0),
                Unblock::Busy => return None,
            },
        };
        Some(answer)
    }

    fn asking_session(&self, operation: u32) -> Option<SessionKey> {
        match self.operations.get(operation as usize) {
            Some(Operation::Gather(gather)) => Some(gather.session),
            _ => None,
        }
    }

    /// A client that closes itself still gets its reply.
    fn close_after(&mut self, operation: u32) {
        if let Some(Operation::Gather(gather)) = self.operations.get_mut(operation as usize) {
            gather.close_after = true;
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
        session.closing |= gather.close_after;
        if gather.in_exec {
            let mut reply = Reply::new(session.client.protocol);
            self.write_gathered(&mut gather, &mut reply);
            for segment in &mut session.segments {
                if matches!(segment, Segment::Awaited(of) if *of == operation) {
                    *segment = Segment::Ready(std::mem::replace(&mut reply, Reply::new(session.client.protocol)));
                }
            }
            self.fill_gaps(&mut session);
        } else {
            self.write_gathered(&mut gather, session.reply());
        }
        if !session.segments.iter().any(|segment| matches!(segment, Segment::Awaited(_))) {
            session.stall = Stall::None;
        }
        self.wake(session.key);
        self.put_session(session);
    }

    fn write_gathered(&self, gather: &mut Gather, reply: &mut Reply) {
        if gather.discard {
            return;
        }
        match gather.reply {
            GatherReply::Lines => reply.verbatim("txt", in_order(gather).as_bytes()),
            GatherReply::Count => reply.integer(gather.count),
            GatherReply::Ok => reply.ok(),
            GatherReply::Fixed(count) => reply.integer(count),
            GatherReply::OkOrNoClient if gather.count > 0 => reply.ok(),
            GatherReply::OkOrNoClient => {
                call::write_error(reply, &CommandError::Text("ERR No such client"), self.stats());
            }
        }
    }

    /// Looks at everything that came in from other cores. Whoever drives the core empties `woken` and `orders` then.
    pub fn pump(&mut self) {
        self.end_turn();
        self.refresh_users(None);
        let now_ms = self.clock.unix_ms();
        let stats = &self.server.cores[self.id];
        let runner = Runner { now_ms, config: &self.config, server: &self.server, stats, clock: Some(&self.clock) };
        self.exchange.pump(&runner);
        self.settle_log();
        self.open_gates();
        self.end_waits();
        while let Some(event) = self.exchange.events.pop_front() {
            match event {
                Event::BatchDone(batch) if batch.phase == crate::shard::batch::Phase::Run => {
                    self.batch_returned(batch);
                }
                Event::BatchDone(batch) => self.scatter_returned(batch),
                Event::Lent { shard, keyspace } => self.box_lent(shard, keyspace),
                Event::Other(Message::Ask(question)) => {
                    let (from, operation) = (question.from as usize, question.operation);
                    match self.answer(&question) {
                        Some(answer) => self.exchange.send(from, Message::Answer { operation, answer }),
                        None => self.exchange.send(self.id, Message::Ask(question)),
                    }
                }
                Event::Other(Message::Answer { operation, answer }) => self.answered(operation, answer),
                Event::BatchNeeds { batch, shards } => self.borrow_for_batch(batch, shards),
                Event::Other(Message::Served(served)) => self.served(&served),
                Event::Other(Message::Published(publication)) => self.published(&publication, None),
                Event::Other(Message::Shown(lines)) => self.write_shown(&lines),
                Event::Other(Message::Resume) => {
                    self.walk_now = true;
                    self.resume_paused();
                }
                Event::Other(Message::LastSave { save, force }) => self.start_job(Job::LastSave { save, force }),
                Event::Other(Message::ShutdownAnswer { session, error }) => {
                    self.reply_to(SessionKey::from_u64(session), |reply, stats| match error {
                        Some(error) => call::write_error(reply, &CommandError::Text(error), stats),
                        None => reply.ok(),
                    });
                }
                Event::Other(order) => self.orders.push_back(order),
            }
        }
        self.send_shown();
    }

    /// Ten times a second: expiry, freeing, pauses, idle clients. True when it should come again soon.
    pub fn cron(&mut self) -> bool {
        self.refresh_config();
        self.resume_paused();
        if self.id == 0 {
            self.sampler.sample(&self.clock, &self.server);
        }
        self.measure_clients();
        self.stats().interpreter_bytes.set(self.scripting.memory_bytes() as u64);
        if self.server.cron_paused.load(Ordering::Relaxed) || self.server.saves.is_loading() {
            return false;
        }
        if self.id == 0 {
            self.consider_saving();
            self.consider_rewriting();
        }
        self.walk_now = true;
        let now_ms = self.clock.unix_ms();
        self.close_idle(now_ms);
        self.make_room();
        let stats = &self.server.cores[self.id];
        let runner = Runner { now_ms, config: &self.config, server: &self.server, stats, clock: None };
        self.exchange.cron(&mut self.cron, &self.clock, &runner)
    }

    fn close_idle(&mut self, now_ms: i64) {
        let timeout_ms = self.config.get_i64(crate::param!("timeout")) * 1000;
        if timeout_ms == 0 {
            return;
        }
        let mut idle = Vec::new();
        for session in self.sessions() {
            if now_ms - session.client.last_used_ms > timeout_ms && session.is_settled() && !session.client.subscriptions.any() {
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

/// The lines of CLIENT LIST: by number, or as the request named them.
fn in_order(gather: &mut Gather) -> String {
    if gather.ids.is_empty() {
        gather.lines.sort_by_key(|(id, _)| *id);
        return gather.lines.iter().map(|(_, line)| line.as_str()).collect();
    }
    let lines = &gather.lines;
    gather.ids.iter().filter_map(|id| lines.iter().find(|(of, _)| of == id)).map(|(_, line)| line.as_str()).collect()
}

fn passes(filter: &ClientFilter, session: &Session, now_ms: i64) -> bool {
    let client = &session.client;
    !session.killed
        && (filter.ids.is_empty() || filter.ids.contains(&client.id))
        && filter.address.as_ref().is_none_or(|address| *address == client.address)
        && filter.local_address.as_ref().is_none_or(|address| *address == client.local_address)
        && filter.kind.is_none_or(|kind| kind == client.kind())
        && filter.user.as_ref().is_none_or(|user| user.as_slice() == &*client.user().name)
        && filter.age_min_s.is_none_or(|age_s| now_ms / 1000 - client.created_ms / 1000 >= age_s)
        && filter.skip != Some(client.id)
}
