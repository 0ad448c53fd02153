//! Starts and ends servers for tests: Ringfort or stock redis-server, chosen by `Target`. Readiness is a PING that was
//! answered, not a delay. A server is ended by its process id when its `Server` is dropped; its directory goes with it.

use super::client::{Address, Client};
use super::value::Value;
use std::io::{PipeReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// What tests run against when `RINGFORT_UNDER_TEST` is not set: `redis` or `ringfort`. THE switch.
pub const UNDER_TEST_DEFAULT: &str = "ringfort";

/// Longest a server may take to answer its first PING, and to end after SIGTERM.
const START_TIMEOUT: Duration = Duration::from_secs(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts to start on a TCP port that was free a moment before.
const PORT_ATTEMPTS: usize = 5;

/// Which program to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The server of this package.
    Ringfort {
        /// Number of shards (and so of cores).
        shards: usize,
    },
    /// Stock redis-server: the oracle.
    Redis,
}

/// How tests reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Unix,
    Tcp,
}

/// The targets that tests of our server run against: Ringfort with 1, 2 and 4 shards, or redis-server while
/// `RINGFORT_UNDER_TEST=redis`.
pub fn targets_under_test() -> Vec<Target> {
    let choice = std::env::var("RINGFORT_UNDER_TEST").unwrap_or_else(|_| UNDER_TEST_DEFAULT.to_owned());
    match choice.as_str() {
        "redis" => vec![Target::Redis],
        "ringfort" => [1, 2, 4].map(|shards| Target::Ringfort { shards }).to_vec(),
        other => panic!("RINGFORT_UNDER_TEST must be `redis` or `ringfort`, not `{other}`"),
    }
}

/// Path of the oracle: `RINGFORT_REDIS_SERVER` or `redis-server`.
fn redis_program() -> String {
    std::env::var("RINGFORT_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// Version of the oracle as (major, minor); `None` if there is no redis-server on this machine.
pub fn redis_version() -> Option<(u32, u32)> {
    static VERSION: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *VERSION.get_or_init(|| {
        let output = Command::new(redis_program()).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut numbers = text.split("v=").nth(1)?.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}

/// Whether a test that needs redis-server must be skipped (the reason is printed).
///
/// # Panics
/// If redis-server is absent in CI (`CI=true`): there, the oracle must not go missing unnoticed.
pub fn skip_without_redis() -> bool {
    if redis_version().is_some() {
        return false;
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "CI needs redis-server as the oracle, but {} does not start",
        redis_program()
    );
    eprintln!("skipped: no redis-server on this machine to compare with");
    true
}

/// A running server. Ends with the value.
pub struct Server {
    target: Target,
    address: Address,
    directory: PathBuf,
    child: Child,
    /// One message for each piece of output; disconnected once the process and its children have closed theirs.
    output: Receiver<()>,
}

impl Server {
    /// Starts a server on a Unix socket of its own.
    ///
    /// # Panics
    /// If it does not answer a PING in time; the message holds its output.
    pub fn start(target: Target) -> Server {
        Self::start_with(target, Transport::Unix, &[])
    }

    /// Starts a server with further command line parameters, e.g. `["--databases", "4"]`.
    ///
    /// # Panics
    /// If it does not answer a PING in time; the message holds its output.
    pub fn start_with(target: Target, transport: Transport, parameters: &[&str]) -> Server {
        Self::start_changed(target, transport, parameters, &|_| {})
    }

    /// As `start_with`; `change` sees the command before it is run.
    ///
    /// # Panics
    /// If it does not answer a PING in time; the message holds its output.
    pub fn start_changed(
        target: Target,
        transport: Transport,
        parameters: &[&str],
        change: &dyn Fn(&mut Command),
    ) -> Server {
        let attempts = if transport == Transport::Tcp { PORT_ATTEMPTS } else { 1 };
        let mut failure = String::new();
        for _ in 0..attempts {
            match Self::try_start(target, transport, parameters, change) {
                Ok(server) => return server,
                Err(reason) => failure = reason,
            }
        }
        panic!("{target:?} did not start: {failure}");
    }

    fn try_start(
        target: Target,
        transport: Transport,
        parameters: &[&str],
        change: &dyn Fn(&mut Command),
    ) -> Result<Server, String> {
        let directory = fresh_directory();
        let address = match transport {
            Transport::Unix => Address::Unix(directory.join("server.sock")),
            Transport::Tcp => Address::Tcp(free_port()),
        };
        let (reader, writer) = std::io::pipe().map_err(|error| error.to_string())?;
        let mut command = command_for(target, &address, &directory);
        command.args(parameters).stdin(Stdio::null());
        command.stdout(writer.try_clone().map_err(|error| error.to_string())?).stderr(writer);
        change(&mut command);
        let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        drop(command); // Its ends of the pipe would keep the output open.
        let output = keep_output(reader, log_path(&directory));
        let mut server = Server { target, address, directory, child, output };
        server.wait_until_ready().map_err(|reason| format!("{reason}; output:\n{}", server.log()))?;
        Ok(server)
    }

    /// Tries until a PING is answered. Between attempts it waits for output of the server, at most for a moment.
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_TIMEOUT;
        let mut failure = String::new();
        while Instant::now() < deadline {
            match Client::connect(&self.address).and_then(|mut client| client.try_call(&["PING"])) {
                Ok(Value::Status(text)) if text == b"PONG" => {
                    // A server of someone else could have answered on our port: ours must still be alive.
                    return match self.child.try_wait() {
                        Ok(None) => Ok(()),
                        ended => Err(format!("ended while starting: {ended:?}")),
                    };
                }
                Ok(other) => failure = format!("PING answered {other}"),
                Err(error) => failure = error.to_string(),
            }
            if self.output.recv_timeout(Duration::from_millis(5)) == Err(RecvTimeoutError::Disconnected) {
                return Err(format!("ended while starting: {:?}", self.child.wait()));
            }
        }
        Err(format!("not ready after {START_TIMEOUT:?}: {failure}"))
    }

    /// Which program this is.
    pub fn target(&self) -> Target {
        self.target
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Its working directory; removed with the server.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Opens a connection.
    ///
    /// # Panics
    /// If that fails; the message holds the server's output.
    pub fn connect(&self) -> Client {
        Client::connect(&self.address)
            .unwrap_or_else(|error| panic!("cannot connect to {:?}: {error}; output:\n{}", self.target, self.log()))
    }

    /// Everything the server has written to its standard output and error so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(log_path(&self.directory)).unwrap_or_default()
    }

    /// Ends the server with SIGTERM; the status it ended with and what it had said. None when it had to be killed.
    pub fn end(mut self) -> (Option<ExitStatus>, String) {
        self.stop();
        (self.child.wait().ok().filter(|status| status.code().is_some()), self.log())
    }

    /// Ends the server: SIGTERM, and SIGKILL if it has not ended within a bounded time.
    fn stop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let signal = format!("kill -TERM {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &signal]).stderr(Stdio::null()).status();
        let deadline = Instant::now() + STOP_TIMEOUT;
        while Instant::now() < deadline {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                }
            }
        }
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("output of {:?}:\n{}", self.target, self.log());
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A new folder below the system's temporary folder; short, since socket paths may have 107 bytes only.
fn fresh_directory() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("rf-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&path).expect("the temporary folder is writable");
    path
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("output.log")
}

/// A loopback port that was free a moment ago.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address")
}

fn command_for(target: Target, address: &Address, directory: &Path) -> Command {
    let mut command = match target {
        Target::Ringfort { shards } => {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ringfort"));
            command.args(["--shards", &shards.to_string()]);
            command
        }
        Target::Redis => Command::new(redis_program()),
    };
    match address {
        Address::Unix(path) => command.args(["--port", "0", "--unixsocket"]).arg(path),
        Address::Tcp(address) => command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]),
    };
    command.arg("--dir").arg(directory);
    command.args(["--save", "", "--appendonly", "no", "--enable-debug-command", "yes", "--logfile", ""]);
    command
}

/// Copies the server's output to a file on a thread of its own; each piece is announced on the channel.
fn keep_output(mut reader: PipeReader, path: PathBuf) -> Receiver<()> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut file = std::fs::File::create(path).ok();
        let mut chunk = [0; 4096];
        while let Ok(length) = reader.read(&mut chunk) {
            if length == 0 {
                break;
            }
            if let Some(file) = &mut file {
                let _ = file.write_all(&chunk[..length]);
            }
            let _ = sender.send(());
        }
    });
    receiver
}
