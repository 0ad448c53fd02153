//! Ringfort inside an application: open a directory, run commands, close. The engine, the append-only log and the files are
//! those of the server, so a server can be started on the same directory afterwards, and stock Redis reads its files.
//!
//! ```no_run
//! use ringfort::embedded::Embedded;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut data = Embedded::open("/var/lib/my-application")?;
//! data.set("greeting", "hello")?;
//! assert_eq!(data.get("greeting")?.as_deref(), Some(&b"hello"[..]));
//! let length: i64 = data.query(&["RPUSH", "queue", "job"])?;
//! let mut for_another_thread = data.connect()?;
//! std::thread::spawn(move || for_another_thread.set("from", "elsewhere"));
//! data.close()?;
//! # Ok(())
//! # }
//! ```
//!
//! `examples/embedded.rs` is a whole program.
//!
//! How it works: the cores run as threads of this process, as many as there are shards (one unless told otherwise), and
//! listen nowhere; each handle is one end of a socket pair whose other end a core serves. A handle is a
//! [`remote::Client`](crate::remote::Client), with all that it can do.
//!
//! Invariants: one directory has one writer, a lock sees to it (`server/data_lock.rs`). Unless told otherwise a write is
//! synced to the disk before its call returns. Closing gives the directory back; the threads of the cores stay parked until
//! the process ends, with what the keyspace held in memory, since a runtime with operations under way must not be dropped:
//! open a directory once per process, not once per call.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::config::{Config, Refusal};
use crate::remote::Client;
use crate::server::data_lock::{DataLock, Refused};
use crate::server::inside::Inside;

/// How writes reach the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Synced before the call returns.
    #[default]
    Always,
    /// Synced every second.
    EverySecond,
    /// When the system likes.
    System,
    /// Nothing is written; the directory is used for nothing.
    None,
}

/// How to open a directory.
#[derive(Clone, Debug)]
pub struct Options {
    /// Cores and shards; 0 takes one for every core the process may use.
    pub shards: usize,
    /// How writes reach the disk.
    pub durability: Durability,
    /// Further parameters, as in redis.conf: name and value.
    pub parameters: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Options {
        Options { shards: 1, durability: Durability::Always, parameters: Vec::new() }
    }
}

/// Why a directory cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it open: its number, and where it listens if it does.
    Held {
        /// The process.
        process: String,
        /// A URL for [`remote::connect`](crate::remote::connect).
        url: Option<String>,
    },
    /// A parameter is unknown or has a wrong value.
    Parameter(String),
    /// What is in the directory cannot be loaded whole; the log has said why.
    Damaged,
    /// The system refuses something.
    Io(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Held { process, url: Some(url) } => {
                write!(out, "process {process} has the directory open, and listens at {url}")
            }
            OpenError::Held { process, url: None } => write!(out, "process {process} has the directory open"),
            OpenError::Parameter(text) => out.write_str(text),
            OpenError::Damaged => out.write_str("what is in the directory cannot be loaded whole"),
            OpenError::Io(error) => error.fmt(out),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> OpenError {
        OpenError::Io(error)
    }
}

/// An open directory, and the first handle to it.
pub struct Embedded {
    client: Client,
    inside: Option<Inside>,
    _lock: Option<DataLock>,
}

impl Embedded {
    /// Opens a directory, which is made if there is none, and loads what is in it.
    ///
    /// # Errors
    /// When another process has it open, or it cannot be loaded.
    pub fn open(directory: impl AsRef<Path>) -> Result<Embedded, OpenError> {
        Embedded::open_with(directory, &Options::default())
    }

    /// As `open`, with options.
    ///
    /// # Errors
    /// As `open`, and for a wrong parameter.
    pub fn open_with(directory: impl AsRef<Path>, options: &Options) -> Result<Embedded, OpenError> {
        let directory = std::path::absolute(directory)?;
        let keeps = options.durability != Durability::None;
        let lock = if keeps {
            std::fs::create_dir_all(&directory)?;
            Some(DataLock::take(&directory).map_err(|refused| match refused {
                Refused::Held { process, url } => OpenError::Held { process, url },
                Refused::Io(error) => OpenError::Io(error),
            })?)
        } else {
            None
        };
        let inside = Inside::start(configuration(&directory, options)?)?.ok_or(OpenError::Damaged)?;
        let client = connect(&inside)?;
        Ok(Embedded { client, inside: Some(inside), _lock: lock })
    }

    /// A further handle, for another thread.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub fn connect(&self) -> io::Result<Client> {
        match &self.inside {
            Some(inside) => connect(inside),
            None => Err(io::Error::from(io::ErrorKind::NotConnected)),
        }
    }

    /// Waits until everything is on the disk and gives the directory back. Further handles are of no use afterwards.
    ///
    /// # Errors
    /// When the last bytes could not be written.
    pub fn close(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        match self.inside.take() {
            Some(inside) => inside.stop(),
            None => Ok(()),
        }
    }
}

/// As `close`, for whoever cannot deal with failures.
impl Drop for Embedded {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!("The directory was not closed cleanly: {error}");
        }
    }
}

impl Deref for Embedded {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Embedded {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

fn connect(inside: &Inside) -> io::Result<Client> {
    let (own, other) = UnixStream::pair()?;
    inside.admit(other.into());
    Ok(Client::over(own))
}

fn configuration(directory: &Path, options: &Options) -> Result<Config, OpenError> {
    let mut config = Config::new();
    let (append_only, sync) = match options.durability {
        Durability::Always => ("yes", "always"),
        Durability::EverySecond => ("yes", "everysec"),
        Durability::System => ("yes", "no"),
        Durability::None => ("no", "no"),
    };
    let shards = options.shards.to_string();
    let directory = directory.to_string_lossy();
    // Only what is kept needs a directory that exists.
    let directory = (options.durability != Durability::None).then_some(("dir", &*directory));
    let own = [("save", ""), ("port", "0"), ("appendonly", append_only), ("appendfsync", sync), ("shards", &shards)];
    let further = options.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in directory.into_iter().chain(own).chain(further) {
        let found = crate::config::find(name.as_bytes());
        let index = found.ok_or_else(|| OpenError::Parameter(format!("there is no parameter '{name}'")))?.index;
        let words: &[&[u8]] = if value.is_empty() { &[b""] } else { &[value.as_bytes()] };
        let told = |reason: Refusal| OpenError::Parameter(format!("'{name} {value}' is refused: {reason}"));
        config.set_words(index, words).map_err(told)?;
    }
    Ok(config)
}
