//! One core's thread: its runtime, its sessions' tasks, and the pump between them and the other cores.
//!
//! The pump is the runtime's main future: monoio polls it after all tasks that are ready have run, which makes it the
//! place to drain the rings, to wake sessions, and to announce that the core is about to park.

use std::cell::{Cell, RefCell};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use socket2::SockRef;

use crate::runtime::doorbell::Doorbell;
use crate::runtime::notify::Notify;
use crate::session::core::{Core, Progress};
use crate::session::state::SessionKey;
use crate::shard::message::{Connection, Message};
use crate::stdx::limits::CRON_ROUNDS_PER_SECOND;

use super::connection::{Link, serve};
use super::start::ControlEvent;

/// Pumps in a row before sessions get their turn although more is there to pump.
const PUMPS_IN_A_ROW_MAX: usize = 8;
/// Time between two slices of a script that runs for long.
const SCRIPT_PAUSE: Duration = Duration::from_millis(1);
/// Time between two rounds of the cron.
const CRON_INTERVAL: Duration = Duration::from_millis(1000 / CRON_ROUNDS_PER_SECOND);
/// Time to the next round when one ran out of its budget: at 2 ms of work each, a quarter of the core as in Redis.
const CRON_INTERVAL_BUSY: Duration = Duration::from_millis(6);

/// Longest sleep of the task that ends waits, so that a clock that was set is noticed.
const DEADLINE_SLEEP_MS_MAX: i64 = 60_000;

/// A core with its connections.
pub struct Worker {
    core: RefCell<Core>,
    links: RefCell<Vec<Option<Rc<Link>>>>,
    /// Wakes the pump.
    pump: Notify,
    /// A script stands still and wants to go on.
    script: Notify,
    /// Wakes the task that waits for the end of the next wait for a key.
    deadline: Notify,
    /// Wakes the task that walks the box for snapshots.
    walk: Notify,
    /// What that task waits for, Unix time in milliseconds.
    armed_ms: Cell<Option<i64>>,
    /// Sessions that had their share of the turn and want more.
    yielded: RefCell<Vec<Rc<Link>>>,
    control: mpsc::Sender<ControlEvent>,
    /// The server is stopping; this core says so once its clients have their replies.
    stopping: Cell<bool>,
    /// Cores that have stopped.
    stopped: Arc<AtomicUsize>,
}

impl Worker {
    /// A worker around a core.
    pub fn new(core: Core, control: mpsc::Sender<ControlEvent>, stopped: Arc<AtomicUsize>) -> Rc<Worker> {
        Rc::new(Worker {
            core: RefCell::new(core),
            links: RefCell::new(Vec::new()),
            pump: Notify::default(),
            deadline: Notify::default(),
            walk: Notify::default(),
            script: Notify::default(),
            armed_ms: Cell::new(None),
            yielded: RefCell::new(Vec::new()),
            control,
            stopping: Cell::new(false),
            stopped,
        })
    }

    /// Runs the core for good. The process ends it.
    pub async fn run(self: Rc<Self>, doorbell: DoorbellTask) {
        monoio::spawn(doorbell.run(self.clone()));
        monoio::spawn(cron(self.clone()));
        monoio::spawn(deadlines(self.clone()));
        monoio::spawn(walk(self.clone()));
        monoio::spawn(scripts(self.clone()));
        loop {
            for _ in 0..PUMPS_IN_A_ROW_MAX {
                self.pump_once();
                if !self.core.borrow_mut().exchange.has_work() {
                    break;
                }
            }
            for link in self.yielded.take() {
                link.reader.notify();
            }
            if self.stopping.get() && self.is_flushed() {
                self.stopping.set(false);
                self.stopped.fetch_add(1, Ordering::SeqCst);
            }
            self.look_around();
            self.announce_park();
            self.pump.wait().await;
            let core = self.core.borrow();
            core.exchange.doorbell().cancel_park();
            core.stats().cycles.add(1);
        }
    }

    /// Says that the core is about to park, then looks once more; with work there it rings its own doorbell, and the event
    /// comes back through the driver, so sockets get their turn before the next pump.
    fn announce_park(&self) {
        let mut core = self.core.borrow_mut();
        core.exchange.doorbell().prepare_to_park();
        if core.exchange.has_work() {
            core.exchange.doorbell().ring_if_parked();
        }
    }

    /// Every client has what it was answered.
    fn is_flushed(&self) -> bool {
        let mut core = self.core.borrow_mut();
        let links = self.links.borrow();
        links.iter().flatten().all(|link| {
            !link.is_writing() && core.session(link.key).is_none_or(|session| session.out.is_empty())
        })
    }

    /// Before a core parks it looks around for `look-around-us`: waking it again costs more (about 30 µs on a virtual
    /// machine). Only with other cores about; sockets wait meanwhile.
    fn look_around(self: &Rc<Self>) {
        let (shards, look_around_us) = {
            let core = self.core.borrow();
            (core.exchange.shards(), core.config().get_u64(crate::param!("look-around-us")))
        };
        if shards == 1 || look_around_us == 0 {
            return;
        }
        let end = std::time::Instant::now() + Duration::from_micros(look_around_us);
        while std::time::Instant::now() < end {
            let found = self.core.borrow_mut().exchange.has_work();
            if found {
                return self.pump_once();
            }
            std::hint::spin_loop();
        }
    }

    fn pump_once(self: &Rc<Self>) {
        let mut core = self.core.borrow_mut();
        core.pump();
        self.arm(&core);
        if std::mem::take(&mut core.walk_now) {
            self.walk.notify();
        }
        if core.has_standing_script() {
            self.script.notify();
        }
        let woken = std::mem::take(&mut core.woken);
        let orders = std::mem::take(&mut core.orders);
        drop(core);
        for &key in &woken {
            self.wake(key);
        }
        for order in orders {
            self.obey(order);
        }
        let mut core = self.core.borrow_mut();
        if core.woken.is_empty() {
            // The list keeps its memory.
            core.woken = woken;
            core.woken.clear();
        }
    }

    /// A session has output, or can go on, or is to be closed.
    fn wake(self: &Rc<Self>, key: SessionKey) {
        let Some(link) = self.link(key) else { return };
        let (has_output, killed) = match self.core.borrow_mut().session(key) {
            Some(session) => (!session.out.is_empty(), session.killed),
            None => return,
        };
        if killed {
            crate::runtime::net::shutdown(link.descriptor);
        }
        link.reader.notify();
        if has_output {
            link.wake_writer();
        }
    }

    fn link(&self, key: SessionKey) -> Option<Rc<Link>> {
        self.links.borrow().get(key.slot as usize)?.clone().filter(|link| link.key == key)
    }

    fn obey(self: &Rc<Self>, order: Message) {
        match order {
            Message::Accepted(connection) => self.accept(connection),
            // The control thread lives as long as the process.
            Message::Shutdown { options, session } => {
                let core = self.core.borrow().id;
                let _ = self.control.send(ControlEvent::Shutdown { options, asker: (core, session) });
            }
            Message::LastSaved(is_saved) => {
                let _ = self.control.send(ControlEvent::LastSaved(is_saved));
            }
            Message::Stop => self.stopping.set(true),
            _ => unreachable!("the exchange and the core deal with all others"),
        }
    }

    fn accept(self: &Rc<Self>, connection: Connection) {
        let descriptor = connection.descriptor.as_raw_fd();
        let key = self.core.borrow_mut().connect(&connection, descriptor);
        let link = Rc::new(Link::new(key, descriptor));
        let mut links = self.links.borrow_mut();
        if links.len() <= key.slot as usize {
            links.resize(key.slot as usize + 1, None);
        }
        links[key.slot as usize] = Some(link.clone());
        drop(links);
        // epoll says when a socket is ready and must not block on it; io_uring waits by itself and needs it to be blocking.
        if let Err(error) = SockRef::from(&connection.descriptor).set_nonblocking(monoio::utils::is_legacy()) {
            return self.refuse(&link, &error);
        }
        if connection.unix_socket {
            match monoio::net::UnixStream::from_std(connection.descriptor.into()) {
                Ok(stream) => drop(monoio::spawn(serve(self.clone(), link, stream))),
                Err(error) => self.refuse(&link, &error),
            }
        } else {
            match monoio::net::TcpStream::from_std(connection.descriptor.into()) {
                Ok(stream) => drop(monoio::spawn(serve(self.clone(), link, stream))),
                Err(error) => self.refuse(&link, &error),
            }
        }
    }

    fn refuse(&self, link: &Link, error: &std::io::Error) {
        tracing::warn!("Error registering a client's socket: {error}");
        self.forget(link);
    }

    /// The connection is gone.
    pub fn forget(&self, link: &Link) {
        self.core.borrow_mut().disconnect(link.key);
        self.links.borrow_mut()[link.key.slot as usize] = None;
        self.pump.notify();
    }

    /// Runs what a session has received.
    pub fn process(&self, key: SessionKey) -> Progress {
        let mut core = self.core.borrow_mut();
        let progress = core.process(key);
        self.arm(&core);
        if core.has_standing_script() {
            self.script.notify();
        }
        if core.needs_pump() {
            self.pump.notify();
        }
        progress
    }

    /// A wait that ends earlier than all others has begun: the task below sleeps less.
    fn arm(&self, core: &Core) {
        if let Some(next_ms) = core.next_deadline_ms()
            && self.armed_ms.get().is_none_or(|armed_ms| next_ms < armed_ms)
        {
            self.deadline.notify();
        }
    }

    /// Lets the other sessions have their turn; the link is notified then.
    pub fn yield_turn(&self, link: Rc<Link>) {
        self.yielded.borrow_mut().push(link);
        self.pump.notify();
    }

    /// Works with the core. Must not be held over an await.
    pub fn core(&self) -> std::cell::RefMut<'_, Core> {
        self.core.borrow_mut()
    }
}

async fn cron(worker: Rc<Worker>) {
    let mut interval = CRON_INTERVAL;
    loop {
        monoio::time::sleep(interval).await;
        let more = worker.core.borrow_mut().cron();
        interval = if more { CRON_INTERVAL_BUSY } else { CRON_INTERVAL };
        worker.pump.notify();
    }
}

/// Walks the core's box for a running snapshot, bit by bit.
async fn walk(worker: Rc<Worker>) {
    loop {
        let pause = worker.core.borrow_mut().walk();
        worker.pump.notify();
        match pause {
            // Either way it looks again.
            Some(pause) => drop(monoio::time::timeout(pause, worker.walk.wait()).await),
            None => worker.walk.wait().await,
        }
    }
}

/// Wakes the pump when the next wait for a key comes to its end.
async fn deadlines(worker: Rc<Worker>) {
    loop {
        let (next_ms, left_ms) = {
            let core = worker.core.borrow();
            (core.next_deadline_ms(), core.next_deadline_ms().map_or(0, |at_ms| at_ms - core.now_ms()))
        };
        worker.armed_ms.set(next_ms);
        if next_ms.is_none() {
            worker.deadline.wait().await;
            continue;
        }
        let left = Duration::from_millis(left_ms.clamp(1, DEADLINE_SLEEP_MS_MAX) as u64);
        // Either way the loop looks again.
        let _ = monoio::time::timeout(left, worker.deadline.wait()).await;
        worker.pump.notify();
    }
}

/// Lets a script that stands still go on, slice by slice; between two slices sockets have their turn.
async fn scripts(worker: Rc<Worker>) {
    loop {
        if !worker.core.borrow().has_standing_script() {
            worker.script.wait().await;
            continue;
        }
        monoio::time::sleep(SCRIPT_PAUSE).await;
        worker.core.borrow_mut().resume_script();
        worker.pump.notify();
    }
}

/// Waits for the core's doorbell and wakes the pump.
pub struct DoorbellTask {
    stream: monoio::net::UnixStream,
}

impl DoorbellTask {
    /// Must be made inside the runtime.
    pub fn new(doorbell: &Doorbell) -> std::io::Result<DoorbellTask> {
        let event = doorbell.descriptor().ok_or(std::io::ErrorKind::Unsupported)?;
        let duplicate = event.try_clone_to_owned()?;
        // The stream is only asked whether it is readable, which works for any descriptor.
        let stream = monoio::net::UnixStream::from_std(duplicate.into())?;
        Ok(DoorbellTask { stream })
    }

    async fn run(self, worker: Rc<Worker>) {
        loop {
            if let Err(error) = self.stream.readable(false).await {
                tracing::warn!("waiting for the doorbell failed: {error}");
                return;
            }
            worker.core.borrow().exchange.doorbell().drain();
            worker.pump.notify();
        }
    }
}
