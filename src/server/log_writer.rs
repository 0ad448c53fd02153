//! The log's thread: what takes longer than a write is done here. It syncs, begins new files, puts a base in its place,
//! and tries again what failed. It is home of the log's tool (`shard/log/state`), which it takes for as long as that lasts.
//!
//! With `appendfsync always` it also writes: one sync covers everything that arrived while the one before was under way,
//! and what arrives meanwhile is written for the next. With `everysec` and `no` the cores write, before they reply.
//!
//! A write that fails is repeated until it succeeds; meanwhile the server refuses writes. A sync that fails is never
//! repeated, because the kernel may have thrown the pages away: the refusal stays.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::config::Config;
use crate::config::shared::SharedConfig;
use crate::persist::aof::file::LogFile;
use crate::persist::aof::files::LogFiles;
use crate::shard::exchange::Meeting;
use crate::shard::log::link::{LogEnd, LogMeeting};
use crate::shard::log::orders::{LogOrders, Order};
use crate::shard::log::state::LogState;
use crate::stats::persistence::{SaveFacts, SaveKind};

/// Longest sleep: by then syncs are due, and failed writes are tried again.
const SLEEP_MAX: Duration = Duration::from_millis(100);
/// Time between two syncs with `appendfsync everysec`.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// What the thread works with.
pub struct LogWriter {
    meeting: Arc<LogMeeting>,
    cores: Arc<Meeting>,
    orders: Receiver<Order>,
    config: Arc<SharedConfig>,
    settings: Arc<Config>,
    last_sync: Instant,
    /// Signs that are expected: their tickets, and whether a new file begins there, or none.
    signs: Vec<(u64, bool)>,
    /// Orders that wait until what has been taken in is written.
    put_off: VecDeque<Order>,
    /// A file has begun that a base will be written for.
    awaits_base: bool,
}

/// Starts the thread; `ends` has one end per core.
pub fn start(
    meeting: Arc<LogMeeting>,
    cores: Arc<Meeting>,
    ends: Vec<LogEnd>,
    config: Arc<SharedConfig>,
) -> io::Result<LogOrders> {
    let (sender, orders) = channel();
    meeting.tool.put_down(Box::new(LogState::new(ends)), &meeting.doorbell);
    let mut writer = LogWriter {
        meeting: meeting.clone(),
        cores,
        orders,
        settings: config.current(),
        config,
        last_sync: Instant::now(),
        signs: Vec::new(),
        put_off: VecDeque::new(),
        awaits_base: false,
    };
    std::thread::Builder::new().name("log".into()).spawn(move || writer.run())?;
    Ok(LogOrders::new(sender, meeting))
}

impl LogWriter {
    fn run(&mut self) {
        loop {
            self.turn();
            if self.meeting.facts.write_error.load(Relaxed) != 0 {
                // Whatever is brought meanwhile, it is not tried more often.
                match self.orders.recv_timeout(SLEEP_MAX) {
                    Ok(order) => self.put_off.push_back(order),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            } else {
                self.park();
            }
        }
    }

    /// Everything that can be done now.
    fn turn(&mut self) {
        self.refresh();
        let mut state = self.take();
        loop {
            self.meeting.tool.begin();
            let is_written = self.write(&mut state);
            self.obey_all(&mut state);
            let always = self.meeting.facts.always.load(Relaxed);
            if !always {
                state.publish(&self.meeting, &self.cores);
            }
            let sync = if is_written && self.is_sync_due() { state.begin_sync() } else { None };
            let is_idle = sync.is_none() && !state.has_unsynced();
            if always && is_written && is_idle {
                // Chunks without bytes, or with no file to write them to.
                state.publish(&self.meeting, &self.cores);
            }
            let next = self.meeting.tool.give_back(state, &self.meeting.doorbell);
            if let Some((file, emitted)) = sync {
                self.sync(&*file, &emitted, always);
            }
            match next {
                Some(next) => state = next,
                None => return,
            }
        }
    }

    /// The log's tool, as soon as no core has it.
    fn take(&self) -> Box<LogState> {
        loop {
            if let Some(state) = self.meeting.tool.insist() {
                return state;
            }
            self.meeting.doorbell.prepare_to_park();
            if !self.meeting.tool.is_here() {
                self.wait();
            }
            self.meeting.doorbell.cancel_park();
        }
    }

    fn refresh(&mut self) {
        if self.config.generation() != self.settings.generation() {
            self.settings = self.config.current();
        }
        let facts = &self.meeting.facts;
        facts.always.store(self.settings.get_word(crate::param!("appendfsync")) == "always", Relaxed);
        facts.stamps.store(self.settings.get_bool(crate::param!("aof-timestamp-enabled")), Relaxed);
    }

    fn now_s(&self) -> Option<u64> {
        let stamps = self.meeting.facts.stamps.load(Relaxed);
        stamps.then(|| SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs()))
    }

    /// Takes in what has come and writes it. False when that failed.
    fn write(&mut self, state: &mut LogState) -> bool {
        state.drain(&self.cores, self.now_s());
        // What says where changes go was sent before them.
        self.look_at_orders(state);
        while let Some((ticket, at)) = state.next_sign() {
            self.sign(state, ticket, at);
        }
        state.write(&self.meeting)
    }

    fn look_at_orders(&mut self, state: &mut LogState) {
        self.put_off.extend(self.orders.try_iter());
        for order in std::mem::take(&mut self.put_off) {
            match order {
                Order::Base(_) | Order::Flush(_) => self.put_off.push_back(order),
                _ => self.obey(order, state),
            }
        }
    }

    fn obey_all(&mut self, state: &mut LogState) {
        while let Some(order) = self.put_off.pop_front() {
            if matches!(order, Order::Base(Some(_))) && self.signs.iter().any(|(_, goes_on)| *goes_on) {
                // Its file has not begun yet.
                self.put_off.push_front(order);
                return;
            }
            self.obey(order, state);
        }
    }

    /// What stands before a sign belongs to the old file, what follows to the new one.
    fn sign(&mut self, state: &mut LogState, ticket: u64, at: usize) {
        let Some(index) = self.signs.iter().position(|(of, _)| *of == ticket) else { return };
        let (_, goes_on) = self.signs.swap_remove(index);
        match self.rotate(state, at, goes_on) {
            Ok(()) => self.awaits_base = goes_on,
            Err(error) => tracing::warn!("A new append only file could not be begun: {error}"),
        }
    }

    fn rotate(&mut self, state: &mut LogState, at: usize, goes_on: bool) -> io::Result<()> {
        let result = state.write_up_to(&self.meeting, at).and_then(|()| self.sync_now(state));
        if !goes_on {
            if let Some(mut files) = state.files.take() {
                files.drop_waiting();
            }
            state.turn_page(at);
            return result;
        }
        result?;
        match &mut state.files {
            Some(files) if files.file.is_some() => files.open_next()?,
            _ => {
                // Changes are recorded from this sign on.
                let mut files = LogFiles::find(&self.settings).map_err(|_| io::ErrorKind::InvalidData)?;
                files.open_waiting()?;
                state.files = Some(files);
            }
        }
        state.turn_page(at);
        Ok(())
    }

    fn is_sync_due(&self) -> bool {
        let due = match self.settings.get_word(crate::param!("appendfsync")) {
            "always" => true,
            "everysec" => self.last_sync.elapsed() >= SYNC_INTERVAL,
            _ => false,
        };
        let rests = || {
            self.settings.get_bool(crate::param!("no-appendfsync-on-rewrite"))
                && self.meeting.saves.running() != SaveKind::None
        };
        due && !rests()
    }

    /// Syncs while the cores go on, and says what is safe then.
    fn sync(&mut self, file: &dyn LogFile, emitted: &[u64], always: bool) {
        if let Err(error) = self.sync_file(file) {
            return self.sync_failed(&error);
        }
        if always {
            emitted.iter().enumerate().for_each(|(shard, &count)| self.meeting.marks.set_durable(shard, count));
            self.meeting.wake_waiting(&self.cores);
        }
    }

    fn sync_file(&mut self, file: &dyn LogFile) -> io::Result<()> {
        let facts = &self.meeting.facts;
        let started = Instant::now();
        self.last_sync = started;
        facts.syncing.store(true, Relaxed);
        let result = file.sync();
        facts.syncing.store(false, Relaxed);
        facts.delayed_syncs.fetch_add(u64::from(started.elapsed() > SYNC_INTERVAL), Relaxed);
        result
    }

    /// Syncs with the tool in hand.
    fn sync_now(&mut self, state: &mut LogState) -> io::Result<()> {
        let Some((file, _)) = state.begin_sync() else { return Ok(()) };
        self.sync_file(&*file).inspect_err(|_| state.sync_failed())
    }

    fn sync_failed(&mut self, error: &io::Error) {
        if self.meeting.facts.always.load(Relaxed) {
            tracing::warn!(
                "Can't persist AOF for fsync error when the AOF fsync policy is 'always': {error}. Exiting..."
            );
            std::process::exit(1);
        }
        let number = error.raw_os_error().unwrap_or(nix::libc::EIO);
        self.meeting.saves.set_alarm(SaveFacts::LOG_FAILED, true);
        if self.meeting.facts.sync_error.swap(number, Relaxed) == 0 {
            tracing::warn!("Error syncing the AOF file, writes are refused from now on: {error}");
        }
    }

    /// Sleeps until there is something for this thread, or a sync may be due.
    fn park(&mut self) {
        self.meeting.doorbell.prepare_to_park();
        let order = self.orders.try_recv().ok();
        if order.is_none() && !self.meeting.tool.is_asked() {
            self.wait();
        }
        self.meeting.doorbell.cancel_park();
        self.put_off.extend(order);
    }

    /// Waits for the doorbell. Woken or not, the caller looks again.
    fn wait(&self) {
        let Some(descriptor) = self.meeting.doorbell.descriptor() else { return };
        let mut waited = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(SLEEP_MAX).unwrap_or(PollTimeout::ZERO);
        let _ = poll(&mut waited, timeout);
        self.meeting.doorbell.drain();
    }

    fn obey(&mut self, order: Order, state: &mut LogState) {
        match order {
            Order::Open(files) => {
                self.meeting.facts.bytes.store(files.bytes(), SeqCst);
                state.turn_page(0);
                state.files = Some(*files);
            }
            Order::Rotate(ticket) => self.signs.push((ticket, true)),
            Order::Close(ticket) => self.signs.push((ticket, false)),
            Order::Base(path) => self.base_written(state, path.as_deref()),
            Order::Flush(done) => {
                let result = self.flush(state);
                let _ = done.send(result);
            }
        }
    }

    fn base_written(&mut self, state: &mut LogState, path: Option<&Path>) {
        let taken = match path {
            Some(path) => self.take_base(state, path),
            None => Err(io::Error::other("it could not be written")),
        };
        let now_ms = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as i64);
        let began_ms = self.meeting.facts.rewrite_started_ms.swap(0, Relaxed);
        self.meeting.facts.last_rewrite_s.store((now_ms - began_ms) / 1000 + 1, Relaxed);
        match taken {
            Ok(()) => {
                self.meeting.facts.rewrites_failed.store(0, Relaxed);
                self.meeting.facts.awaits_first_base.store(false, Relaxed);
                tracing::info!("Background AOF rewrite finished successfully");
            }
            Err(error) => {
                self.awaits_base = false;
                if state.files.is_some() || path.is_some() {
                    self.meeting.facts.rewrites_failed.fetch_add(1, Relaxed);
                    self.meeting.facts.last_failure_ms.store(now_ms, Relaxed);
                }
                tracing::warn!("Background AOF rewrite failed: {error}");
                if let Some(path) = path {
                    // Nothing refers to it.
                    let _ = std::fs::remove_file(path);
                }
                if let Some(mut files) = state.files.take_if(|files| files.is_waiting) {
                    // What was recorded is worth nothing without it: once more from the beginning.
                    files.drop_waiting();
                    self.meeting.facts.enabled.store(false, Relaxed);
                    self.meeting.facts.start_scheduled.store(true, Relaxed);
                }
            }
        }
    }

    fn take_base(&mut self, state: &mut LogState, path: &Path) -> io::Result<()> {
        let awaited = std::mem::take(&mut self.awaits_base);
        let mut closed = None;
        let files = match &mut state.files {
            Some(files) if awaited => files,
            Some(_) => return Err(io::Error::other("its file could not be begun")),
            // Nothing is recorded: the base is all there is.
            None => closed.insert(LogFiles::find(&self.settings).map_err(|_| io::ErrorKind::InvalidData)?),
        };
        files.take_base(path)?;
        if !self.settings.get_bool(crate::param!("aof-disable-auto-gc")) {
            files.delete_history()?;
        }
        self.meeting.facts.bytes.store(files.bytes(), Relaxed);
        self.meeting.facts.base_bytes.store(files.bytes(), Relaxed);
        Ok(())
    }

    /// Everything that has arrived is written and synced.
    fn flush(&mut self, state: &mut LogState) -> io::Result<()> {
        loop {
            if !self.write(state) {
                let number = self.meeting.facts.write_error.load(Relaxed);
                return Err(io::Error::from_raw_os_error(number));
            }
            if !state.has_arrivals() {
                break;
            }
        }
        self.sync_now(state).inspect_err(|error| {
            self.meeting.facts.sync_error.store(error.raw_os_error().unwrap_or(nix::libc::EIO), Relaxed);
        })?;
        state.publish(&self.meeting, &self.cores);
        Ok(())
    }
}
