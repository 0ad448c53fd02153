//! The log's thread: takes the changes of all cores, puts them in order, writes them to the file, and says what is safe.
//!
//! With `appendfsync always` one sync covers everything that arrived while the one before was under way. With `everysec`
//! and `no` the thread does not hurry: it looks a thousand times a second at most, so cores seldom have to wake it. What a
//! process that is killed can lose of it is what was recorded in the last milliseconds; with `always` nothing that was
//! answered.
//!
//! A write that fails is repeated until it succeeds; meanwhile the server refuses writes. A sync that fails is never
//! repeated, because the kernel may have thrown the pages away: the refusal stays.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::config::Config;
use crate::config::shared::SharedConfig;
use crate::keyspace::records::{Records, push_select};
use crate::persist::aof::files::LogFiles;
use crate::runtime::process::hold_thread_us;
use crate::shard::exchange::Meeting;
use crate::shard::log::link::{LogEnd, LogMeeting};
use crate::shard::log::merge::Merger;
use crate::shard::log::orders::{LogOrders, Order};
use crate::stats::log::LogFacts;
use crate::stats::persistence::{SaveFacts, SaveKind};
use crate::stdx::limits::{JOURNAL_BYTES_KEPT_MAX, LOG_BYTES_PER_WRITE_MAX};

/// Time between two looks while there is something to do but no hurry.
const LINGER: Duration = Duration::from_millis(1);
/// Looks without anything to do before the thread sleeps until it is woken.
const LOOKS_BEFORE_PARK: u32 = 20;
/// Longest sleep: by then syncs are due, and failed writes are tried again.
const SLEEP_MAX: Duration = Duration::from_millis(100);
/// Time between two syncs with `appendfsync everysec`.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// What the thread works with.
pub struct LogWriter {
    meeting: Arc<LogMeeting>,
    cores: Arc<Meeting>,
    ends: Vec<LogEnd>,
    orders: Receiver<Order>,
    config: Arc<SharedConfig>,
    settings: Arc<Config>,
    facts: Arc<LogFacts>,
    saves: Arc<SaveFacts>,
    merger: Merger,
    out: Records,
    /// Bytes of `out` that are written.
    written: usize,
    /// Bytes that cores count as waiting and that are in `out`.
    counted: u64,
    files: Option<LogFiles>,
    /// The database that is selected at the end of the file.
    selected: Option<u32>,
    /// Written and not synced.
    unsynced: bool,
    last_sync: Instant,
    stamped_s: u64,
    /// An annotation that stands before everything that is not written yet.
    stamp: Vec<u8>,
    /// Signs that are expected: their tickets, and whether a new file begins there, or none.
    signs: Vec<(u64, bool)>,
    /// Orders that wait until what has been taken in is written.
    put_off: VecDeque<Order>,
    /// A file has begun that a base will be written for.
    awaits_base: bool,
    /// Chunks of each shard that were published as safe.
    published: Vec<u64>,
}

/// What a log needs to be started.
pub struct LogParts {
    /// Marks and doorbell.
    pub meeting: Arc<LogMeeting>,
    /// Whom to wake when something is safe.
    pub cores: Arc<Meeting>,
    /// One end per core.
    pub ends: Vec<LogEnd>,
    /// The parameters.
    pub config: Arc<SharedConfig>,
    /// What is known of it.
    pub facts: Arc<LogFacts>,
    /// What else is being written.
    pub saves: Arc<SaveFacts>,
}

/// Starts the thread.
pub fn start(parts: LogParts) -> io::Result<LogOrders> {
    let (sender, orders) = channel();
    let shards = parts.ends.len();
    let meeting = parts.meeting.clone();
    let mut writer = LogWriter {
        meeting: parts.meeting,
        cores: parts.cores,
        ends: parts.ends,
        orders,
        settings: parts.config.current(),
        config: parts.config,
        facts: parts.facts,
        saves: parts.saves,
        merger: Merger::new(shards),
        out: Records::default(),
        written: 0,
        counted: 0,
        files: None,
        selected: None,
        unsynced: false,
        last_sync: Instant::now(),
        stamped_s: 0,
        stamp: Vec::new(),
        signs: Vec::new(),
        put_off: VecDeque::new(),
        awaits_base: false,
        published: vec![0; shards],
    };
    std::thread::Builder::new().name("log".into()).spawn(move || writer.run())?;
    Ok(LogOrders::new(sender, meeting))
}

impl LogWriter {
    fn run(&mut self) {
        let mut idle = 0;
        loop {
            let busy = self.turn();
            idle = if busy { 0 } else { idle + 1 };
            let always = self.facts.always.load(Relaxed);
            let failing = self.facts.write_error.load(Relaxed) != 0;
            let order = if failing {
                self.orders.recv_timeout(SLEEP_MAX).ok()
            } else if !busy && (always || idle > LOOKS_BEFORE_PARK) {
                self.park();
                None
            } else if always {
                None
            } else {
                match self.orders.recv_timeout(LINGER) {
                    Ok(order) => Some(order),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            };
            if let Some(order) = order {
                self.put_off.push_back(order);
            }
            self.put_off.extend(self.orders.try_iter());
            while let Some(order) = self.put_off.pop_front() {
                if matches!(order, Order::Base(Some(_))) && self.signs.iter().any(|(_, goes_on)| *goes_on) {
                    // Its file has not begun yet.
                    self.put_off.push_front(order);
                    break;
                }
                self.obey(order);
            }
        }
    }

    /// Everything that can be done now. False when there was nothing.
    fn turn(&mut self) -> bool {
        self.refresh();
        let mut busy = false;
        while self.drain() {
            busy = true;
            if self.out.bytes().len() >= LOG_BYTES_PER_WRITE_MAX {
                break;
            }
        }
        busy |= !self.out.is_empty();
        let written = self.write();
        if written {
            self.sync_if_due();
        }
        self.publish();
        busy
    }

    fn refresh(&mut self) {
        if self.config.generation() != self.settings.generation() {
            self.settings = self.config.current();
        }
        let always = self.settings.get_word(crate::param!("appendfsync")) == "always";
        self.facts.always.store(always, Relaxed);
    }

    /// Takes in what the cores have sent, one shipment of each.
    fn drain(&mut self) -> bool {
        let mut any = false;
        for core in 0..self.ends.len() {
            let Some(mut shipment) = self.ends[core].receiver.pop() else { continue };
            any = true;
            self.look_at_orders();
            self.counted += shipment.bytes.len() as u64;
            self.stamp();
            let mut signs = Vec::new();
            let LogWriter { merger, out, .. } = self;
            // What follows a sign in this shipment, or waits for it, must not be in front of it in the file.
            merger.accept(&shipment, out, |ticket, out| {
                signs.push((ticket, out.bytes().len()));
                out.forget_database();
            });
            for (ticket, at) in signs {
                self.sign(ticket, at);
            }
            shipment.clear();
            // When the way back is full the box is dropped.
            let _ = self.ends[core].empties.push(shipment);
            if self.ends[core].receiver.take_starved() {
                self.cores.doorbells[core].ring_if_parked();
            }
        }
        any
    }

    /// What says where changes go was sent before them; the other orders wait.
    fn look_at_orders(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Base(_) | Order::Flush(_) => self.put_off.push_back(order),
                _ => self.obey(order),
            }
        }
    }

    /// An annotation of the time, once a second, when they are wanted.
    fn stamp(&mut self) {
        if !self.settings.get_bool(crate::param!("aof-timestamp-enabled")) {
            return;
        }
        let now_s = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs());
        if now_s != self.stamped_s {
            self.stamped_s = now_s;
            if self.out.is_empty() {
                // In front of the SELECT that may have to stand before what follows.
                self.stamp = format!("#TS:{now_s}\r\n").into_bytes();
            } else {
                self.out.annotate(now_s);
            }
        }
    }

    /// What stands before a sign belongs to the old file, what follows to the new one.
    fn sign(&mut self, ticket: u64, at: usize) {
        let Some(index) = self.signs.iter().position(|(of, _)| *of == ticket) else { return };
        let (_, goes_on) = self.signs.swap_remove(index);
        match self.rotate(at, goes_on) {
            Ok(()) => self.awaits_base = goes_on,
            Err(error) => tracing::warn!("A new append only file could not be begun: {error}"),
        }
    }

    fn rotate(&mut self, at: usize, goes_on: bool) -> io::Result<()> {
        let result = self.write_up_to(at).and_then(|()| self.sync());
        self.selected = None;
        if !goes_on {
            if let Some(mut files) = self.files.take() {
                files.drop_waiting();
            }
            return result;
        }
        result?;
        match &mut self.files {
            Some(files) if files.file.is_some() => files.open_next(),
            _ => {
                // Changes are recorded from this sign on.
                let mut files = LogFiles::find(&self.settings).map_err(|_| io::ErrorKind::InvalidData)?;
                files.open_waiting()?;
                self.written = at;
                self.files = Some(files);
                Ok(())
            }
        }
    }

    fn write(&mut self) -> bool {
        self.facts.buffer_bytes.store((self.out.bytes().len() - self.written) as u64, Relaxed);
        let result = self.write_up_to(self.out.bytes().len());
        match result {
            Ok(()) => {
                self.out.clear(JOURNAL_BYTES_KEPT_MAX);
                self.written = 0;
                self.meeting.marks.remove_waiting(std::mem::take(&mut self.counted));
                if self.facts.write_error.swap(0, Relaxed) != 0 {
                    self.saves.set_alarm(SaveFacts::LOG_FAILED, self.facts.sync_error.load(Relaxed) != 0);
                    tracing::warn!("AOF write error looks solved. The server can write again.");
                }
                true
            }
            Err(error) => {
                let number = error.raw_os_error().unwrap_or(nix::libc::EIO);
                self.saves.set_alarm(SaveFacts::LOG_FAILED, true);
                if self.facts.write_error.swap(number, Relaxed) != number {
                    tracing::warn!("Error writing to the AOF file: {error}");
                }
                false
            }
        }
    }

    /// Writes what has been put in order, up to this place.
    fn write_up_to(&mut self, end: usize) -> io::Result<()> {
        if end == self.written {
            return Ok(());
        }
        let Some(files) = &mut self.files else {
            // Nothing is recorded while there is no file.
            self.written = end;
            return Ok(());
        };
        let Some(file) = &mut files.file else { return Err(io::ErrorKind::NotFound.into()) };
        hold_thread_us(self.facts.write_sleep_us.load(Relaxed));
        if self.written == 0 && !self.stamp.is_empty() {
            append(file, &self.stamp, &mut files.file_bytes)?;
            self.stamp.clear();
        }
        if self.written == 0 && self.selected != Some(self.out.extent().first) {
            let mut select = Vec::new();
            push_select(&mut select, self.out.extent().first);
            append(file, &select, &mut files.file_bytes)?;
            self.selected = Some(self.out.extent().first);
        }
        let bytes = &self.out.bytes()[self.written..end];
        append(file, bytes, &mut files.file_bytes)?;
        self.facts.bytes.fetch_add(bytes.len() as u64, Relaxed);
        self.written = end;
        self.selected = Some(self.out.extent().last);
        self.unsynced = true;
        Ok(())
    }

    fn sync_if_due(&mut self) {
        if !self.unsynced {
            return;
        }
        let due = match self.settings.get_word(crate::param!("appendfsync")) {
            "always" => true,
            "everysec" => self.last_sync.elapsed() >= SYNC_INTERVAL,
            _ => false,
        };
        let rests = self.settings.get_bool(crate::param!("no-appendfsync-on-rewrite"))
            && self.saves.running() != SaveKind::None;
        if due
            && !rests
            && let Err(error) = self.sync()
        {
            self.sync_failed(&error);
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let started = Instant::now();
        self.last_sync = started;
        if let Some(file) = self.files.as_ref().and_then(|files| files.file.as_ref())
            && self.unsynced
        {
            self.facts.syncing.store(true, Relaxed);
            let result = file.sync_data();
            self.facts.syncing.store(false, Relaxed);
            self.facts.delayed_syncs.fetch_add(u64::from(started.elapsed() > SYNC_INTERVAL), Relaxed);
            result?;
        }
        self.unsynced = false;
        Ok(())
    }

    fn sync_failed(&mut self, error: &io::Error) {
        if self.facts.always.load(Relaxed) {
            tracing::warn!(
                "Can't persist AOF for fsync error when the AOF fsync policy is 'always': {error}. Exiting..."
            );
            std::process::exit(1);
        }
        let number = error.raw_os_error().unwrap_or(nix::libc::EIO);
        self.saves.set_alarm(SaveFacts::LOG_FAILED, true);
        if self.facts.sync_error.swap(number, Relaxed) == 0 {
            tracing::warn!("Error syncing the AOF file, writes are refused from now on: {error}");
        }
    }

    /// Says what is safe: what is written, and synced if that is waited for.
    fn publish(&mut self) {
        if !self.out.is_empty() || (self.unsynced && self.facts.always.load(Relaxed)) {
            return;
        }
        let mut moved = false;
        for shard in 0..self.published.len() {
            let emitted = self.merger.emitted(shard);
            if self.published[shard] != emitted {
                self.published[shard] = emitted;
                self.meeting.marks.set_durable(shard, emitted);
                moved = true;
            }
        }
        if moved {
            for core in 0..self.cores.doorbells.len() {
                if self.meeting.marks.is_waiting(core) {
                    self.cores.doorbells[core].ring_if_parked();
                }
            }
        }
    }

    /// Sleeps until a core has something or a sync is due.
    fn park(&mut self) {
        self.meeting.doorbell.prepare_to_park();
        let has_work = self.ends.iter().any(|end| !end.receiver.is_empty());
        let order = self.orders.try_recv().ok();
        if !has_work && order.is_none() {
            let Some(descriptor) = self.meeting.doorbell.descriptor() else { return };
            let mut waited = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
            let timeout = PollTimeout::try_from(SLEEP_MAX).unwrap_or(PollTimeout::ZERO);
            // Woken or not, the loop looks again.
            let _ = poll(&mut waited, timeout);
        }
        self.meeting.doorbell.cancel_park();
        self.meeting.doorbell.drain();
        self.put_off.extend(order);
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Open(files) => {
                self.facts.bytes.store(files.bytes(), SeqCst);
                self.selected = None;
                self.files = Some(*files);
            }
            Order::Rotate(ticket) => self.signs.push((ticket, true)),
            Order::Close(ticket) => self.signs.push((ticket, false)),
            Order::Base(path) => self.base_written(path.as_deref()),
            Order::Flush(done) => {
                let result = self.flush();
                let _ = done.send(result);
            }
        }
    }

    fn base_written(&mut self, path: Option<&Path>) {
        let taken = match path {
            Some(path) => self.take_base(path),
            None => Err(io::Error::other("it could not be written")),
        };
        let now_ms = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as i64);
        let began_ms = self.facts.rewrite_started_ms.swap(0, Relaxed);
        self.facts.last_rewrite_s.store((now_ms - began_ms) / 1000 + 1, Relaxed);
        match taken {
            Ok(()) => {
                self.facts.rewrites_failed.store(0, Relaxed);
                self.facts.awaits_first_base.store(false, Relaxed);
                tracing::info!("Background AOF rewrite finished successfully");
            }
            Err(error) => {
                self.awaits_base = false;
                if self.files.is_some() || path.is_some() {
                    self.facts.rewrites_failed.fetch_add(1, Relaxed);
                    self.facts.last_failure_ms.store(now_ms, Relaxed);
                }
                tracing::warn!("Background AOF rewrite failed: {error}");
                if let Some(path) = path {
                    // Nothing refers to it.
                    let _ = std::fs::remove_file(path);
                }
                if let Some(mut files) = self.files.take_if(|files| files.is_waiting) {
                    // What was recorded is worth nothing without it: once more from the beginning.
                    files.drop_waiting();
                    self.facts.enabled.store(false, Relaxed);
                    self.facts.start_scheduled.store(true, Relaxed);
                }
            }
        }
    }

    fn take_base(&mut self, path: &Path) -> io::Result<()> {
        let awaited = std::mem::take(&mut self.awaits_base);
        let mut closed = None;
        let files = match &mut self.files {
            Some(files) if awaited => files,
            Some(_) => return Err(io::Error::other("its file could not be begun")),
            // Nothing is recorded: the base is all there is.
            None => closed.insert(LogFiles::find(&self.settings).map_err(|_| io::ErrorKind::InvalidData)?),
        };
        files.take_base(path, "rdb")?;
        if !self.settings.get_bool(crate::param!("aof-disable-auto-gc")) {
            files.delete_history()?;
        }
        self.facts.bytes.store(files.bytes(), Relaxed);
        self.facts.base_bytes.store(files.bytes(), Relaxed);
        Ok(())
    }

    /// Everything that has arrived is written and synced.
    fn flush(&mut self) -> io::Result<()> {
        while self.drain() {}
        if !self.write() {
            let number = self.facts.write_error.load(Relaxed);
            return Err(io::Error::from_raw_os_error(number));
        }
        self.sync().inspect_err(|error| self.sync_failed_quietly(error))?;
        self.publish();
        Ok(())
    }

    fn sync_failed_quietly(&self, error: &io::Error) {
        self.facts.sync_error.store(error.raw_os_error().unwrap_or(nix::libc::EIO), Relaxed);
    }
}

/// Appends bytes, all or none: what was written of them when it fails is cut off again.
fn append(file: &mut std::fs::File, bytes: &[u8], len: &mut u64) -> io::Result<()> {
    match file.write_all(bytes) {
        Ok(()) => {
            *len += bytes.len() as u64;
            Ok(())
        }
        Err(error) => {
            if let Err(cut) = file.set_len(*len) {
                tracing::warn!(
                    "Could not remove short write from the append-only file. The file may be corrupt: {cut}"
                );
            }
            Err(error)
        }
    }
}
