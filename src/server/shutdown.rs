//! The control thread: it waits for the end of the server and sees to it that nothing is lost on the way out.
//!
//! Signals, SHUTDOWN and what the cores report come in through one channel, one after the other. Before the cores are
//! stopped the last snapshot is written (`session/jobs.rs`), and the boxes never leave that hand again, so nobody is
//! answered a write that the file does not hold. When it cannot be written the server goes on. A second SIGINT ends the
//! process at once.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use signal_hook::consts::SIGINT;

use crate::command::request::Shutdown;
use crate::command::script::eval::BUSY_SCRIPT;
use crate::config::Config;
use crate::config::shared::SharedConfig;
use crate::persist::rdb::output::SaveOptions;
use crate::shard::log::orders::LogOrders;
use crate::shard::message::Message;
use crate::stats::persistence::{SaveFacts, SaveKind};
use crate::stats::server::ServerFacts;

use super::listen::Outside;
use super::start::ControlEvent;
use super::supervisor::Supervisor;

/// Longest time that stopping cores may take: one that hangs must not keep the process alive.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time between two looks at what others do.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// See the file's head.
pub struct Control<'a> {
    /// What happens.
    pub inbox: mpsc::Receiver<ControlEvent>,
    /// The way to the cores.
    pub outside: Arc<Outside>,
    /// Facts and switches of the server.
    pub server: Arc<ServerFacts>,
    /// The parameters.
    pub config: Arc<SharedConfig>,
    /// Cores that have stopped.
    pub stopped: Arc<AtomicUsize>,
    /// What is listened on, and whether it is.
    pub doors: [(&'static str, bool); 2],
    /// Who wants to know.
    pub supervisor: &'a Supervisor,
    /// The append-only log.
    pub log: LogOrders,
    /// A signal that waits until DEBUG PAUSE-CRON lets it through.
    pub put_off: Option<i32>,
}

/// A client that asked for the end: its core and its session.
type Asker = (usize, u64);

impl Control<'_> {
    /// Until the server is to end; returns the exit code.
    pub fn run(mut self) -> i32 {
        loop {
            let event = match self.next() {
                Some(event) => event,
                None => continue,
            };
            match event {
                ControlEvent::Loaded(true) => self.open_doors(),
                ControlEvent::Loaded(false) => return 1,
                ControlEvent::CoreFailed(reason) => {
                    tracing::warn!("A core cannot run: {reason}");
                    return 1;
                }
                ControlEvent::LastSaved(_) => {}
                ControlEvent::Signal(signal) => {
                    if let Some(code) = self.signal(signal) {
                        return code;
                    }
                }
                ControlEvent::Shutdown { options, asker } if options.abort => self.abort(asker),
                ControlEvent::Shutdown { options, asker } => {
                    if let Some(code) = self.shutdown(options, Some(asker)) {
                        return code;
                    }
                }
            }
        }
    }

    /// The next event; none when it is time to look at a signal that was put off, or all senders are gone.
    fn next(&mut self) -> Option<ControlEvent> {
        if self.put_off.is_none() {
            return Some(self.inbox.recv().unwrap_or_else(|_| ControlEvent::CoreFailed("all are gone".into())));
        }
        if !self.server.cron_paused.load(Ordering::Relaxed) {
            return self.put_off.take().map(ControlEvent::Signal);
        }
        self.inbox.recv_timeout(LOOK_INTERVAL).ok()
    }

    fn open_doors(&self) {
        self.server.saves.set_alarm(SaveFacts::LOADING, false);
        for (door, _) in self.doors.into_iter().filter(|(_, is_open)| *is_open) {
            tracing::info!("Ready to accept connections {door}");
        }
        self.supervisor.ready();
    }

    fn signal(&mut self, signal: i32) -> Option<i32> {
        let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
        if self.server.saves.is_loading() {
            tracing::warn!("Received shutdown signal during loading, exiting now.");
            return Some(0);
        }
        tracing::warn!("Received {name} scheduling shutdown...");
        if self.server.cron_paused.load(Ordering::Relaxed) {
            self.put_off = Some(signal);
            return None;
        }
        let config = self.config.current();
        let options = match signal {
            SIGINT => options_of(&config, crate::param!("shutdown-on-sigint")),
            _ => options_of(&config, crate::param!("shutdown-on-sigterm")),
        };
        self.shutdown(options, None)
    }

    /// SHUTDOWN ABORT: takes back a signal that was put off.
    fn abort(&mut self, asker: Asker) {
        let is_aborted = self.put_off.take().is_some();
        if is_aborted {
            tracing::info!("Shutdown manually aborted.");
        }
        self.answer(asker, if is_aborted { None } else { Some("ERR No shutdown in progress.") });
    }

    fn answer(&self, (core, session): Asker, error: Option<&'static str>) {
        self.send(core, || Message::ShutdownAnswer { session, error });
    }

    /// Sends although the ring may be full for a moment.
    fn send(&self, core: usize, message: impl Fn() -> Message) {
        while !self.outside.send(core, message()) {
            std::thread::yield_now();
        }
    }

    /// The exit code, or none when the server goes on.
    fn shutdown(&mut self, options: Shutdown, asker: Option<Asker>) -> Option<i32> {
        let config = self.config.current();
        let saves = !self.server.saves.is_loading() && options.save.unwrap_or(!config.save_points().is_empty());
        // What is to be kept could only be read when the script has come to its end.
        let is_busy = self.server.scripts.is_busy.load(Ordering::Relaxed);
        if is_busy
            && options.save != Some(false)
            && let Some(asker) = asker
        {
            self.answer(asker, Some(BUSY_SCRIPT));
            return None;
        }
        tracing::warn!("User requested shutdown...");
        if self.server.log.awaits_first_base.load(Ordering::Relaxed) {
            if !options.force {
                tracing::warn!("Writing initial AOF, can't exit.");
                self.supervisor.status("Writing initial AOF, can't exit.");
                return self.refuse(asker);
            }
            tracing::warn!("Writing initial AOF. Exit anyway.");
        }
        let running = self.server.saves.running();
        if running != SaveKind::None {
            tracing::warn!("There is a snapshot being saved. It is given up!");
        }
        let is_logging = self.server.log.enabled.load(Ordering::Relaxed) && !self.server.saves.is_loading();
        // The boxes are taken out of use then, so that nobody is answered what the log's last flush comes too early for.
        // A script that takes for ever keeps its boxes; everybody else gets BUSY.
        if saves || (!is_busy && (is_logging || running != SaveKind::None)) {
            self.send(0, || Message::LastSave { save: saves, force: options.force });
            match self.await_last_save(&config) {
                Some(true) => {}
                Some(false) if options.force => tracing::warn!("Error trying to save the DB. Exit anyway."),
                Some(false) => {
                    tracing::warn!("Error trying to save the DB, can't exit.");
                    self.supervisor.status("Error trying to save the DB, can't exit.");
                    return self.refuse(asker);
                }
                None => return Some(1),
            }
        }
        Some(self.stop())
    }

    /// The server goes on.
    fn refuse(&self, asker: Option<Asker>) -> Option<i32> {
        tracing::warn!("Errors trying to shut down the server. Check the logs for more information.");
        if let Some(asker) = asker {
            self.answer(asker, Some("ERR Errors trying to SHUTDOWN. Check logs."));
        }
        None
    }

    /// Whether the last snapshot was written; none when somebody insists on leaving at once.
    fn await_last_save(&self, config: &Config) -> Option<bool> {
        loop {
            match self.inbox.recv() {
                Ok(ControlEvent::LastSaved(is_saved)) => {
                    // What was under way takes its file away first.
                    let deadline = Instant::now() + PATIENCE;
                    while self.server.saves.running() != SaveKind::None && Instant::now() < deadline {
                        std::thread::yield_now();
                    }
                    return Some(is_saved);
                }
                Ok(ControlEvent::Signal(SIGINT)) => {
                    tracing::warn!("You insist... exiting now.");
                    for background in [false, true] {
                        // Nobody will finish it.
                        let _ = fs::remove_file(SaveOptions::new(config, background, 0).temporary);
                    }
                    return None;
                }
                Ok(ControlEvent::Shutdown { asker, .. }) => {
                    self.answer(asker, Some("ERR No shutdown in progress."));
                }
                Ok(ControlEvent::CoreFailed(_)) | Err(_) => return None,
                Ok(ControlEvent::Signal(_) | ControlEvent::Loaded(_)) => {}
            }
        }
    }

    /// Lets the cores send what they have to say, and ends. Returns the exit code.
    fn stop(&self) -> i32 {
        self.supervisor.stopping();
        self.server.stopping.store(true, Ordering::SeqCst);
        let cores = self.server.cores.len();
        for core in 0..cores {
            self.outside.send(core, Message::Stop);
        }
        let deadline = Instant::now() + PATIENCE;
        while self.stopped.load(Ordering::SeqCst) < cores && Instant::now() < deadline {
            if let Ok(ControlEvent::Signal(SIGINT)) = self.inbox.recv_timeout(Duration::from_millis(2)) {
                tracing::warn!("You insist... exiting now.");
                return 1;
            }
        }
        if self.server.log.enabled.load(Ordering::Relaxed) {
            tracing::info!("Calling fsync() on the AOF file.");
            if let Err(error) = self.log.flush() {
                tracing::warn!("Fail to fsync the AOF file: {error}.");
            }
        }
        0
    }
}

/// What a signal asks for.
fn options_of(config: &Config, parameter: crate::config::Param<crate::config::Word>) -> Shutdown {
    let has = |option| config.has_option(parameter, option);
    let save = match (has("save"), has("nosave")) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    Shutdown { save, now: has("now"), force: has("force"), abort: false }
}
