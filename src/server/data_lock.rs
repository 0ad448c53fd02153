//! One writer for a data directory: a lock on the file `ringfort.lock` in it, which also says where that writer listens, so
//! that others can talk to it instead.
//!
//! The system gives the lock back when the process ends, however it ends; the file stays.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::config::Config;

use super::listen::Listeners;

const NAME: &str = "ringfort.lock";
/// How long a server that starts waits for another one that ends.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The lock, held as long as the value lives.
#[derive(Debug)]
pub struct DataLock {
    file: File,
}

/// Why there is no lock.
#[derive(Debug)]
pub enum Refused {
    /// Another process writes there: its number, and where it listens if it does.
    Held {
        /// The process.
        process: String,
        /// A URL, as `remote` takes it.
        url: Option<String>,
    },
    /// The file cannot be made or locked.
    Io(io::Error),
}

impl DataLock {
    /// Takes the lock of a directory.
    ///
    /// # Errors
    /// When somebody else has it, or the file cannot be made.
    pub fn take(directory: &Path) -> Result<DataLock, Refused> {
        let path = directory.join(NAME);
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = options.map_err(Refused::Io)?;
        match file.try_lock() {
            Ok(()) => {
                let mut lock = DataLock { file };
                lock.announce(None).map_err(Refused::Io)?;
                Ok(lock)
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(Refused::Io)?;
                let mut lines = text.lines().map(str::to_owned);
                Err(Refused::Held { process: lines.next().unwrap_or_default(), url: lines.next() })
            }
            Err(TryLockError::Error(error)) => Err(Refused::Io(error)),
        }
    }

    /// As `take`, but waits a moment for one who is about to leave.
    ///
    /// # Errors
    /// As `take`.
    pub fn take_patiently(directory: &Path) -> Result<DataLock, Refused> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match DataLock::take(directory) {
                Err(Refused::Held { .. }) if Instant::now() < deadline => std::thread::park_timeout(LOOK_AGAIN),
                result => return result,
            }
        }
    }

    /// Says where this process listens.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce(&mut self, url: Option<&str>) -> io::Result<()> {
        let text = match url {
            Some(url) => format!("{}\n{url}\n", std::process::id()),
            None => format!("{}\n", std::process::id()),
        };
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }
}

/// The lock of a server that keeps its data in a directory, with where it listens; none for one that keeps nothing, or where
/// the file cannot be made (a directory that may only be read has no second writer either).
///
/// # Errors
/// When another process writes its log there.
pub fn hold(config: &Config, listeners: &Listeners) -> io::Result<Option<DataLock>> {
    let logs = config.get_bool(crate::param!("appendonly"));
    if !logs && config.save_points().is_empty() {
        return Ok(None);
    }
    let directory = config.directory();
    let held = if logs { DataLock::take_patiently(&directory) } else { DataLock::take(&directory) };
    match held {
        Ok(mut lock) => {
            let unix = listeners.unix_path().and_then(|path| std::path::absolute(path).ok());
            let url = match unix {
                Some(path) => format!("unix://{}", path.display()),
                None => format!("redis://127.0.0.1:{}", config.get_i64(crate::param!("port"))),
            };
            lock.announce(Some(&url))?;
            Ok(Some(lock))
        }
        // Two logs in one folder would destroy each other; snapshots replace each other, as those of Redis do.
        Err(Refused::Held { process, .. }) if logs => Err(io::Error::other(format!(
            "Process {process} has the data directory {} open and writes its log there: use another dir, or stop it.",
            directory.display()
        ))),
        Err(Refused::Held { process, .. }) => {
            tracing::warn!(
                "Process {process} keeps its data in {} too: snapshots will replace each other.",
                directory.display()
            );
            Ok(None)
        }
        Err(Refused::Io(error)) => {
            tracing::debug!("No lock on {}: {error}", directory.display());
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_writer_and_it_says_where_it_is() {
        let directory = std::env::temp_dir().join(format!("ringfort-lock-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("the temporary folder is writable");
        let mut lock = DataLock::take(&directory).expect("nobody has it");
        let held = |url: Option<&str>| match DataLock::take(&directory) {
            Err(Refused::Held { process, url: found }) => {
                assert_eq!((process, found.as_deref()), (std::process::id().to_string(), url));
            }
            other => panic!("it is held, but: {other:?}"),
        };
        held(None);
        lock.announce(Some("unix:///tmp/a-rather-long-name.sock")).expect("it is ours");
        lock.announce(Some("unix:///tmp/s")).expect("it is ours");
        held(Some("unix:///tmp/s"));
        drop(lock);
        DataLock::take(&directory).expect("it was given back");
        std::fs::remove_dir_all(&directory).expect("the folder is ours");
    }
}
