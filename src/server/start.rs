//! From the command line to running cores, and back out again.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use crate::acl::Users;
use crate::command::acl::load::{at_start, check_lines};
use crate::command::renamed::rename;
use crate::command::request::Shutdown;
use crate::command::table::TABLE;
use crate::config::command_line::{Request, Versions, parse};
use crate::config::file::{Line, LoadError, Loaded, load};
use crate::config::shared::SharedConfig;
use crate::config::Config;
use crate::keyspace::{KeyHasher, Keyspace};
use crate::runtime::clock::Clock;
use crate::runtime::combiner::Combiner;
use crate::runtime::cpu;
use crate::runtime::doorbell::Doorbell;
use crate::runtime::log_marks::LogMarks;
use crate::runtime::driver::{self, DriverChoice, DriverKind};
use crate::runtime::ring::{Receiver, Sender, ring};
use crate::runtime::shelf::Shelf;
use crate::session::core::Core;
use crate::shard::exchange::{Exchange, Meeting};
use crate::shard::log::link::{LogLink, LogMeeting, link};
use crate::shard::log::orders::LogOrders;
use crate::shard::message::Message;
use crate::stats::persistence::SaveFacts;
use crate::pubsub::registry::Registry;
use crate::script::shared::SharedScripts;
use crate::stats::server::ServerFacts;
use crate::runtime::open_files::raise_limit;
use crate::stdx::limits::{DESCRIPTORS_RESERVED, LOG_RING_SLOTS, RING_SLOTS};
use crate::stdx::random::{Random, seed_from_os};

use super::acceptors::Acceptors;
use super::{background, data_lock};
use super::listen::{Listeners, Outside};
use super::load::Loading;
use super::log::Log;
use super::log_writer;
use super::shutdown::Control;
use super::supervisor::Supervisor;
use super::worker::{DoorbellTask, Worker};
use super::{VERSION, REDIS_VERSION};

/// What the control thread waits for.
pub enum ControlEvent {
    /// SIGTERM or SIGINT.
    Signal(i32),
    /// SHUTDOWN.
    Shutdown {
        /// Its options.
        options: Shutdown,
        /// Core and session of the client.
        asker: (usize, u64),
    },
    /// The last snapshot was written, or could not be.
    LastSaved(bool),
    /// A core could not run.
    CoreFailed(String),
    /// Loading has ended; false: what was there cannot be loaded whole.
    Loaded(bool),
}

/// The whole life of the server process.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    if let Some((first, rest)) = arguments.split_first()
        && first == "--check-rdb"
    {
        return super::check_rdb::run(rest);
    }
    if let Some((first, rest)) = arguments.split_first()
        && first == "--check-aof"
    {
        return super::check_aof::run(rest);
    }
    let sources = match parse(&arguments, Versions { redis: REDIS_VERSION, own: VERSION }) {
        Request::Serve(sources) => sources,
        Request::Tell(text) => {
            print(&mut io::stdout(), text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Request::Refuse(text) => {
            print(&mut io::stderr(), text.as_bytes());
            return ExitCode::FAILURE;
        }
    };
    let mut input = Vec::new();
    if sources.stdin {
        // What cannot be read is missing from the configuration, as for Redis.
        let _ = io::stdin().read_to_end(&mut input);
    }
    let loaded = load(&sources, &mut input.as_slice());
    let loaded = loaded.and_then(|loaded| rename_commands(&loaded.renamed_commands).map(|()| loaded));
    let loaded = loaded.and_then(|loaded| check_lines(&loaded.users, &loaded.config).map(|()| loaded));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            let stream: &mut dyn Write = match error {
                LoadError::CannotOpen { .. } => &mut io::stdout(),
                LoadError::Refused { .. } => &mut io::stderr(),
            };
            print(stream, &error.text(REDIS_VERSION));
            return ExitCode::FAILURE;
        }
    };
    let supervisor = Supervisor::of(&loaded.config);
    let in_background = loaded.config.get_bool(crate::param!("daemonize")) && supervisor.name() == "no";
    if in_background && !background::is_here() {
        return match background::start(&arguments, &input) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                print(&mut io::stderr(), format!("Can't go to the background: {error}\n").as_bytes());
                ExitCode::FAILURE
            }
        };
    }
    if background::is_here() {
        background::leave_session();
    }
    let config_file = sources.file.map(|path| path.display().to_string()).unwrap_or_default();
    match serve(loaded, config_file, &supervisor) {
        Ok(code) => code,
        Err(error) => {
            tracing::warn!("{error}");
            print(&mut io::stderr(), format!("{error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// Before the table of commands is used: checking the lines of users does.
fn rename_commands(lines: &[Line]) -> Result<(), LoadError> {
    let wanted: Vec<(&[u8], &[u8])> = lines.iter().map(|line| (&line.words[1][..], &line.words[2][..])).collect();
    rename(&wanted).map_err(|(index, reason)| lines[index].error(reason))
}

/// Nobody reads it when this fails.
fn print(stream: &mut dyn Write, text: &[u8]) {
    let _ = stream.write_all(text).and_then(|()| stream.flush());
}

fn serve(loaded: Loaded, config_file: String, supervisor: &Supervisor) -> io::Result<ExitCode> {
    let config = loaded.config;
    std::env::set_current_dir(config.directory())?;
    let log = Log::start(&config)?;
    greet(&config, &config_file, &loaded.warnings);
    let users = at_start(&config, &loaded.users).map_err(io::Error::other)?;
    let mut config = config;
    fit_clients_into_descriptors(&mut config);
    let listeners = Listeners::open(&config)?;
    if listeners.is_empty() {
        return Err(io::Error::other("Configured to not listen anywhere, exiting."));
    }
    // Until the process ends.
    let _data_lock = data_lock::hold(&config, &listeners)?;
    let (events, inbox) = mpsc::channel();
    let (driver, warning) = driver::probe(driver_of(&config)).map_err(io::Error::other)?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let pidfile = write_pidfile(&config);
    let unix_path = listeners.unix_path().map(ToOwned::to_owned);
    let listens_on_tcp = !listeners.tcp.is_empty();
    let plan = Plan::new(config, users, config_file, driver, supervisor.name(), events.clone())?;
    let (server, stopped, config) = (plan.server.clone(), plan.stopped.clone(), plan.config.clone());
    let loading = plan.loading();
    let log_orders = plan.log.clone();
    let outside = Arc::new(plan.start_cores(driver)?);
    let acceptors = Arc::new(Acceptors::start(listeners, outside.clone())?);
    let doormen = acceptors.clone();
    config.apply_with(Box::new(move |config, changed| {
        acceptors.apply(config, changed)?;
        log.apply(config, changed);
        Ok(())
    }));
    server.memory_startup_bytes.store(crate::stats::memory::used_bytes(), Ordering::Relaxed);
    tracing::info!("Server initialized");
    watch_signals(events.clone())?;
    start_loading(loading, events)?;
    let doors = [("tcp", listens_on_tcp), ("unix", unix_path.is_some())];
    let put_off = None;
    let code = Control { inbox, outside, server: server.clone(), config, stopped, doors, supervisor, put_off, log: log_orders }.run();
    for (what, path) in [("unix socket", unix_path), ("pid", pidfile)] {
        if let Some(path) = path {
            tracing::info!("Removing the {what} file.");
            let _ = fs::remove_file(path);
        }
    }
    if server.saves.is_loading() && code != 0 {
        tracing::warn!("Fatal error loading the DB, check server logs. Exiting.");
    } else {
        tracing::warn!("Ringfort is now ready to exit, bye bye...");
    }
    doormen.close();
    // A runtime must never be dropped while operations are in flight, so the process ends as a whole.
    std::process::exit(code)
}

/// The kernel interface that the configuration asks for.
pub(super) fn driver_of(config: &Config) -> DriverChoice {
    match config.get_word(crate::param!("driver")) {
        "io_uring" => DriverChoice::IoUring,
        "epoll" => DriverChoice::Epoll,
        _ => DriverChoice::Auto,
    }
}

/// Everything the cores share, before they start.
pub(super) struct Plan {
    pub(super) server: Arc<ServerFacts>,
    pub(super) config: Arc<SharedConfig>,
    users: Arc<Users>,
    meeting: Arc<Meeting>,
    hasher: KeyHasher,
    clock: Clock,
    events: mpsc::Sender<ControlEvent>,
    pub(super) stopped: Arc<AtomicUsize>,
    /// Each core's way to the log.
    log_links: Vec<LogLink>,
    pub(super) log: LogOrders,
}

impl Plan {
    /// Makes everything, and starts the log's thread.
    pub(super) fn new(
        config: Config,
        users: Users,
        config_file: String,
        driver: DriverKind,
        supervised: &'static str,
        events: mpsc::Sender<ControlEvent>,
    ) -> io::Result<Plan> {
        let shards = shards_of(&config);
        let clock = Clock::real();
        let mut random = Random::new(seed_from_os());
        let run_id = (0..5).map(|_| format!("{:08x}", random.next_u64() as u32)).collect();
        let mut server = ServerFacts::new(shards, TABLE.count(), run_id, clock.unix_ms());
        server.config_file = config_file;
        server.supervised = supervised;
        server.executable = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
        server.multiplexing_api = driver.name().to_string();
        server.replication_seed.store(random.next_u64(), Ordering::Relaxed);
        server.build_id = build_id();
        server.machine = crate::runtime::process::machine();
        server.system_memory_bytes = crate::runtime::process::system_memory_bytes();
        let lfu = config.get_word(crate::param!("maxmemory-policy")).ends_with("lfu");
        server.lfu_policy.store(lfu, Ordering::Relaxed);
        let databases = config.get_usize(crate::param!("databases"));
        let hasher = KeyHasher::new(shards, random.next_u64());
        let meeting = Meeting {
            shelves: (0..shards)
                .map(|_| Shelf::new(Box::new(Keyspace::new(databases, hasher.clone(), random.next_u64()))))
                .collect(),
            doorbells: (0..shards).map(|_| Doorbell::new()).collect::<io::Result<_>>()?,
        };
        let (server, config, meeting) = (Arc::new(server), Arc::new(SharedConfig::new(config)), Arc::new(meeting));
        let log_meeting = Arc::new(LogMeeting {
            marks: Arc::new(LogMarks::new(shards)),
            doorbell: Doorbell::new()?,
            tool: Combiner::empty(),
            facts: server.log.clone(),
            saves: server.saves.clone(),
        });
        let (log_links, ends) = (0..shards).map(|_| link(log_meeting.clone(), LOG_RING_SLOTS)).unzip();
        let log = log_writer::start(log_meeting, meeting.clone(), ends, config.clone())?;
        Ok(Plan {
            log_links,
            log,
            server,
            config,
            users: Arc::new(users),
            meeting,
            hasher,
            clock,
            events,
            stopped: Arc::default(),
        })
    }

    /// What loading takes. From now on only some commands are answered.
    pub(super) fn loading(&self) -> Loading {
        let (saves, now_ms) = (&self.server.saves, self.clock.unix_ms());
        saves.load_started_ms.store(now_ms, Ordering::Relaxed);
        saves.set_alarm(SaveFacts::LOADING, true);
        Loading {
            meeting: self.meeting.clone(),
            hasher: self.hasher.clone(),
            config: self.config.current(),
            server: self.server.clone(),
            now_ms,
            log: self.log.clone(),
        }
    }

    /// Starts one thread per core; what is left is the way to talk to them from outside.
    pub(super) fn start_cores(self, driver: DriverKind) -> io::Result<Outside> {
        let (rings, outside) = lay_rings(self.server.cores.len(), RING_SLOTS);
        let scripts = Arc::new(SharedScripts::new(self.server.cores.len(), self.server.scripts.clone()));
        let registry = Arc::new(Registry::new(self.server.pubsub.clone()));
        for (id, ((senders, receivers), log_link)) in rings.into_iter().zip(self.log_links).enumerate() {
            let mut exchange = Exchange::new(id, self.meeting.clone(), self.hasher.clone(), senders, receivers);
            exchange.log = Some(log_link);
            let log = self.log.clone();
            let core_parts = (self.server.clone(), self.config.clone(), self.clock.clone());
            let (scripts, registry, users) = (scripts.clone(), registry.clone(), self.users.clone());
            let worker_parts = (self.events.clone(), self.stopped.clone());
            let pin = pin_of(&self.config.current(), id);
            let failed = self.events.clone();
            std::thread::Builder::new().name(format!("core {id}")).spawn(move || {
                let _all_or_nothing = EndsWithItsCore(id);
                if let Some(cpu) = pin {
                    cpu::pin_current_thread(cpu);
                }
                let result = driver::run(driver, async move {
                    let doorbell = DoorbellTask::new(exchange.doorbell())?;
                    let mut core = Core::new(exchange, core_parts.0, core_parts.1, core_parts.2, scripts, registry, users);
                    core.log = Some(log);
                    Worker::new(core, worker_parts.0, worker_parts.1).run(doorbell).await;
                    io::Result::Ok(())
                });
                if let Err(error) = result.and_then(|result| result) {
                    // The control thread lives as long as the process.
                    let _ = failed.send(ControlEvent::CoreFailed(error.to_string()));
                }
            })?;
        }
        Ok(Outside::new(outside, self.meeting, self.server, self.config, self.users))
    }
}

/// On a core's thread: a panic outside of handlers, where it is caught, is an error of ours after which the core's shard
/// would be gone and everybody who asks for it would wait for ever. The process ends instead, as after a failed assertion.
struct EndsWithItsCore(usize);

impl Drop for EndsWithItsCore {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::warn!("Core {} panicked: an error of this program. The server ends.", self.0);
            std::process::abort();
        }
    }
}

/// A number that another build of this binary does not have: made from the version and the binary's size and time.
fn build_id() -> String {
    let binary = std::env::current_exe().and_then(fs::metadata).ok();
    let size = binary.as_ref().map_or(0, fs::Metadata::len);
    let modified = binary.and_then(|binary| binary.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok());
    let seed = VERSION.bytes().fold(size, |seed, byte| seed.rotate_left(8) ^ u64::from(byte));
    format!("{:016x}", Random::new(seed ^ modified.map_or(0, |time| time.as_nanos() as u64)).next_u64())
}

/// Rings for one core: to each core, and from each core and from outside.
pub type CoreRings = (Vec<Option<Sender<Message>>>, Vec<Receiver<Message>>);

/// A ring for every ordered pair of cores, and one from outside to each.
pub fn lay_rings(shards: usize, slots: usize) -> (Vec<CoreRings>, Vec<Sender<Message>>) {
    let mut senders: Vec<Vec<Option<Sender<Message>>>> =
        (0..shards).map(|_| (0..shards).map(|_| None).collect()).collect();
    let mut receivers: Vec<Vec<Receiver<Message>>> = (0..shards).map(|_| Vec::new()).collect();
    let mut outside = Vec::new();
    for to in 0..shards {
        for from in (0..shards).filter(|&from| from != to) {
            let (sender, receiver) = ring(slots);
            senders[from][to] = Some(sender);
            receivers[to].push(receiver);
        }
        let (sender, receiver) = ring(slots);
        outside.push(sender);
        receivers[to].push(receiver);
    }
    (senders.into_iter().zip(receivers).collect(), outside)
}

fn shards_of(config: &Config) -> usize {
    match config.get_usize(crate::param!("shards")) {
        0 => cpu::shards_default(&cpu::usable_cpus()),
        shards => shards,
    }
}

/// The CPU a core is tied to. `auto` leaves threads free: on a machine whose cores are shared with the clients pinning cost
/// a quarter of the throughput (68 k against 89 k requests/s at pipeline 1), and the server cannot know at its start
/// whether others will want its cores; whoever keeps them for it says `yes`.
fn pin_of(config: &Config, core: usize) -> Option<usize> {
    if config.get_word(crate::param!("pin")) != "yes" {
        return None;
    }
    let ids = cpu::usable_cpus().ids;
    Some(*ids.get(core % ids.len().max(1))?)
}

fn greet(config: &Config, config_file: &str, warnings: &[String]) {
    tracing::info!("oO0OoO0OoO0Oo Ringfort is starting oO0OoO0OoO0Oo");
    tracing::info!(
        "Ringfort version={VERSION}, Redis version={REDIS_VERSION}, bits=64, pid={}, just started",
        std::process::id()
    );
    if config_file.is_empty() {
        tracing::warn!(
            "Warning: no config file specified, using the default config. In order to specify a config file use \
             ringfort /path/to/redis.conf"
        );
    } else {
        tracing::info!("Configuration loaded");
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    tracing::info!(
        "Running mode=standalone, port={}. PID: {}",
        config.get_i64(crate::param!("port")),
        std::process::id()
    );
}

/// Raises the limit of open descriptors to what `maxclients` needs, or lowers `maxclients` to what is to be had.
fn fit_clients_into_descriptors(config: &mut Config) {
    let clients = config.get_u64(crate::param!("maxclients"));
    let limit = raise_limit(clients + DESCRIPTORS_RESERVED);
    if limit >= clients + DESCRIPTORS_RESERVED {
        return;
    }
    let fitting = limit.saturating_sub(DESCRIPTORS_RESERVED).max(1);
    tracing::warn!(
        "You requested maxclients of {clients} requiring at least {} max file descriptors. Server can't set maximum open \
         files to so many, maxclients has been reduced to {fitting}. Raise the limit with 'ulimit -n'.",
        clients + DESCRIPTORS_RESERVED
    );
    let text = fitting.to_string();
    if let Err(reason) = config.set_words(crate::param!(index of "maxclients"), &[text.as_bytes()]) {
        tracing::warn!("maxclients could not be reduced: {reason:?}");
    }
}

fn write_pidfile(config: &Config) -> Option<std::path::PathBuf> {
    let mut path = config.get_path(crate::param!("pidfile"));
    if path.as_os_str().is_empty() {
        if !config.get_bool(crate::param!("daemonize")) {
            return None;
        }
        path = Path::new("/var/run/redis.pid");
    }
    match fs::write(path, format!("{}\n", std::process::id())) {
        Ok(()) => Some(path.to_owned()),
        Err(error) => {
            tracing::warn!("Failed to write PID file: {error}");
            None
        }
    }
}

fn watch_signals(events: mpsc::Sender<ControlEvent>) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            if events.send(ControlEvent::Signal(signal)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

/// Loads in a thread of its own, so that signals are heard meanwhile.
fn start_loading(loading: Loading, events: mpsc::Sender<ControlEvent>) -> io::Result<()> {
    std::thread::Builder::new().name("load".into()).spawn(move || {
        let is_whole = loading.run();
        // The control thread lives as long as the process.
        let _ = events.send(ControlEvent::Loaded(is_whole));
    })?;
    Ok(())
}
