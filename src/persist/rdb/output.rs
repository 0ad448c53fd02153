//! `Output`: an RDB file on its way to disk. It is written under another name beside its place, and takes its place when
//! it is whole and on disk; dropped before, it leaves nothing behind.
//!
//! The version stands at the beginning and is known at the end only, when every value was written: so the head is written
//! last, and the checksum is put together from that of the head and that of what follows.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::config::Config;
use crate::keyspace::Keyspace;
use crate::persist::crc64;
use crate::stats::memory;
use crate::stats::server::REDIS_VERSION;
use crate::stdx::limits::RDB_BYTES_BETWEEN_SYNCS;

use super::chunk_write::UseWritten;
use super::form::VERSION_7_0;
use super::opcode;
use super::writer::Writer;

/// How a file is written.
#[derive(Clone, Debug)]
pub struct SaveOptions {
    /// Its place.
    pub path: PathBuf,
    /// The name under which it is written, in the same folder.
    pub temporary: PathBuf,
    /// Long strings are compressed (`rdbcompression`).
    pub compresses: bool,
    /// The file ends with a checksum (`rdbchecksum`).
    pub sums: bool,
    /// It is flushed piece by piece (`rdb-save-incremental-fsync`).
    pub syncs_pieces: bool,
    /// Microseconds to wait at each key (`rdb-key-save-delay`).
    pub key_delay_us: i64,
    /// What is written about the use of keys.
    pub uses: UseWritten,
    /// It is the base of a log, and says so.
    pub is_log_base: bool,
    /// Sources of the libraries of functions.
    pub functions: Vec<Bytes>,
    /// Unix time in milliseconds.
    pub now_ms: i64,
}

impl SaveOptions {
    /// As the parameters say, to the place that `dir` and `dbfilename` name. `background` tells the names apart under
    /// which a snapshot that blocks and one that does not are written: both may be under way.
    pub fn new(config: &Config, background: bool, now_ms: i64) -> SaveOptions {
        let path = config.directory().join(config.get_path(crate::param!("dbfilename")));
        let name = if background { "temp-bg-" } else { "temp-" };
        let temporary = [name, &std::process::id().to_string(), ".rdb"].concat();
        SaveOptions {
            temporary: config.directory().join(temporary),
            path,
            compresses: config.get_bool(crate::param!("rdbcompression")),
            sums: config.get_bool(crate::param!("rdbchecksum")),
            syncs_pieces: config.get_bool(crate::param!("rdb-save-incremental-fsync")),
            key_delay_us: config.get_i64(crate::param!("rdb-key-save-delay")),
            uses: UseWritten::of(config),
            is_log_base: false,
            functions: Vec::new(),
            now_ms,
        }
    }

    /// The same with the libraries of functions.
    pub fn with_functions(self, functions: Vec<Bytes>) -> SaveOptions {
        SaveOptions { functions, ..self }
    }

    /// The same to another place, for the base of a log.
    pub fn for_log_base(self, path: PathBuf) -> SaveOptions {
        let temporary = ["temp-base-", &std::process::id().to_string(), ".rdb"].concat();
        let temporary = path.with_file_name(temporary);
        SaveOptions { temporary, path, is_log_base: true, ..self }
    }
}

/// See the file's head.
pub struct Output {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    sums: bool,
    syncs_pieces: bool,
    /// Checksum and length of what follows the head.
    body_sum: u64,
    body_bytes: u64,
    bytes_unsynced: usize,
    is_done: bool,
}

impl Output {
    /// Begins a file.
    pub fn create(options: &SaveOptions) -> io::Result<Output> {
        let file = File::create(&options.temporary).inspect_err(|error| {
            tracing::warn!("Failed opening the temp RDB file {} for saving: {error}", options.temporary.display());
        })?;
        let mut output = Output {
            file,
            temporary: options.temporary.clone(),
            path: options.path.clone(),
            sums: options.sums,
            syncs_pieces: options.syncs_pieces,
            body_sum: 0,
            body_bytes: 0,
            bytes_unsynced: 0,
            is_done: false,
        };
        output.raw(&head(VERSION_7_0))?;
        Ok(output)
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).inspect_err(|error| tracing::warn!("Write error saving DB on disk: {error}"))
    }

    /// Adds a piece.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.sums {
            self.body_sum = crc64::update(self.body_sum, bytes);
        }
        self.body_bytes += bytes.len() as u64;
        self.raw(bytes)?;
        self.bytes_unsynced += bytes.len();
        if self.syncs_pieces && self.bytes_unsynced >= RDB_BYTES_BETWEEN_SYNCS {
            self.bytes_unsynced = 0;
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Ends the file, which needs readers of this version; when this returns it is in its place and on disk.
    pub fn finish(mut self, version: u16) -> io::Result<()> {
        self.write(&[opcode::END])?;
        let head = head(version);
        let sum = if self.sums { crc64::joined(crc64::update(0, &head), self.body_sum, self.body_bytes) } else { 0 };
        self.raw(&sum.to_le_bytes())?;
        if version != VERSION_7_0 {
            self.file.seek(SeekFrom::Start(0))?;
            self.raw(&head)?;
        }
        self.file.sync_all().inspect_err(|error| tracing::warn!("Write error saving DB on disk(fsync): {error}"))?;
        fs::rename(&self.temporary, &self.path).inspect_err(|error| {
            tracing::warn!(
                "Error moving temp DB file {} on the final destination {}: {error}",
                self.temporary.display(),
                self.path.display()
            );
        })?;
        self.is_done = true;
        sync_folder_of(&self.path)
            .inspect_err(|error| tracing::warn!("Failed to fsync directory while saving DB: {error}"))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.is_done {
            // Whatever went wrong has been said.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// The first bytes of a file.
fn head(version: u16) -> [u8; opcode::HEADER_BYTES] {
    let mut head = [0; opcode::HEADER_BYTES];
    let (magic, digits) = head.split_at_mut(opcode::MAGIC_REDIS.len());
    magic.copy_from_slice(opcode::MAGIC_REDIS);
    digits.copy_from_slice(&[1000, 100, 10, 1].map(|place| b'0' + (version / place % 10) as u8));
    head
}

/// What stands before the keys: facts about this server, functions, and how many keys each database has.
pub fn preface(options: &SaveOptions, keyspaces: &[&Keyspace]) -> Vec<u8> {
    let mut writer = Writer::new(options.compresses);
    let mut aux = |name: &str, value: &str| {
        writer.byte(opcode::AUX);
        writer.text(name.as_bytes());
        writer.text(value.as_bytes());
    };
    aux("redis-ver", REDIS_VERSION);
    aux("redis-bits", "64");
    aux("ctime", &(options.now_ms / 1000).to_string());
    aux("used-mem", &memory::used_bytes().to_string());
    aux("aof-base", if options.is_log_base { "1" } else { "0" });
    for source in &options.functions {
        writer.byte(opcode::FUNCTION);
        writer.text(source);
    }
    for database in 0..keyspaces.first().map_or(0, |keyspace| keyspace.databases_len()) as u32 {
        let sum = |of: fn(&crate::keyspace::database::Database) -> usize| -> u64 {
            keyspaces.iter().map(|keyspace| of(keyspace.database(database)) as u64).sum()
        };
        let (keys, expiring) = (sum(|tables| tables.len()), sum(|tables| tables.expires_len()));
        if keys > 0 {
            writer.byte(opcode::DATABASE);
            writer.length(u64::from(database));
            writer.byte(opcode::SIZES);
            writer.length(keys);
            writer.length(expiring);
        }
    }
    writer.bytes
}
