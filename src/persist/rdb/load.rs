//! From a file's keys to entries of a keyspace. Who has all boxes in hand uses `load`; a server that starts cuts the file
//! with a `ChunkReader` and lets one thread per shard `insert` what is its own.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;

use crate::config::Config;
use crate::keyspace::write::Taken;
use crate::keyspace::{Key, KeyHasher, Keyspace};
use crate::runtime::process::hold_thread_us;
use crate::stdx::limits::RDB_EMPTY_KEYS_LOGGED_MAX;
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;

use super::chunks::{Chunk, ChunkReader, KeySpan, LoadFailure};
use super::error::{Cause, LoadError};
use super::file_read::{Item, KeyItem, key_name, read_key};
use super::reader::Text;
use super::value_read::{LoadLimits, Loaded};

/// How a file is loaded.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Up to where small forms stay small.
    pub limits: LoadLimits,
    /// Checksums are compared (`rdbchecksum`).
    pub sums: bool,
    /// Keys whose time has come are left out: for a master that loads a snapshot, not for the base of a log.
    pub drops_expired: bool,
    /// A key that is there already is replaced, instead of ending the load (DEBUG RELOAD NOFLUSH).
    pub replaces: bool,
    /// Unix time in milliseconds.
    pub now_ms: i64,
    /// Microseconds to wait at each key (`key-load-delay`).
    pub key_delay_us: i64,
}

impl LoadOptions {
    /// As the parameters say, for a snapshot.
    pub fn new(config: &Config, limits: LoadLimits, now_ms: i64) -> LoadOptions {
        LoadOptions {
            limits,
            sums: config.get_bool(crate::param!("rdbchecksum")),
            drops_expired: true,
            replaces: false,
            now_ms,
            key_delay_us: config.get_i64(crate::param!("key-load-delay")),
        }
    }
}

/// What came of loading.
#[derive(Clone, Default, Debug)]
pub struct LoadReport {
    /// Keys taken in.
    pub keys: u64,
    /// Keys left out since their time had come.
    pub expired: u64,
    /// Keys left out since their collections had no element.
    pub empty: u64,
    /// Sources of libraries of functions.
    pub functions: Vec<Bytes>,
    /// Names and values of facts about the server that wrote the file.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// Length of the RDB part of the file; a log may follow.
    pub bytes: u64,
}

impl LoadReport {
    /// Adds what another part of the file came to.
    pub fn add(&mut self, other: &LoadReport) {
        self.keys += other.keys;
        self.expired += other.expired;
        self.empty += other.empty;
    }
}

/// As `load`, of the file at a path.
pub fn load_path(
    path: &Path,
    keyspaces: &mut [&mut Keyspace],
    hasher: &KeyHasher,
    options: &LoadOptions,
) -> Result<LoadReport, LoadFailure> {
    load(File::open(path)?, keyspaces, hasher, options)
}

/// Loads a file into boxes that are all in hand, one for each shard.
pub fn load(
    input: impl Read,
    keyspaces: &mut [&mut Keyspace],
    hasher: &KeyHasher,
    options: &LoadOptions,
) -> Result<LoadReport, LoadFailure> {
    let databases = keyspaces.first().map_or(0, |keyspace| keyspace.databases_len());
    let mut chunks = ChunkReader::new(input, options.sums, hasher.clone(), databases);
    let mut report = LoadReport::default();
    while let Some(chunk) = chunks.next_chunk()? {
        for &span in &chunk.keys {
            let shard = shard_of(&chunk, span, hasher)?;
            hold_thread_us(options.key_delay_us);
            insert(keyspaces[shard], &chunk, span, options, &mut report)?;
        }
    }
    report.bytes = chunks.consumed();
    (report.functions, report.aux) = (chunks.facts.functions, chunks.facts.aux);
    Ok(report)
}

/// The shard of a key of a chunk.
pub fn shard_of(chunk: &Chunk, span: KeySpan, hasher: &KeyHasher) -> Result<usize, LoadError> {
    if hasher.shards() == 1 {
        return Ok(0);
    }
    let (bytes, at) = chunk.key_bytes(span);
    let name = key_name(bytes, chunk.version).ok_or(LoadError { at: at as usize, cause: Cause::Truncated })?;
    let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
    Ok(hasher.shard_of(&Key { bytes: name.bytes(&mut scratch), hash: span.hash }))
}

/// Makes one key's value and puts it into its keyspace.
pub fn insert(
    keyspace: &mut Keyspace,
    chunk: &Chunk,
    span: KeySpan,
    options: &LoadOptions,
    report: &mut LoadReport,
) -> Result<(), LoadFailure> {
    let (bytes, at) = chunk.key_bytes(span);
    let item = match read_key(bytes, at, chunk.version, &options.limits) {
        Ok(Item::Key(item)) => item,
        Ok(Item::EmptyKey(key)) => {
            if report.empty < RDB_EMPTY_KEYS_LOGGED_MAX {
                tracing::warn!("rdbLoadObject skipping empty key: {}", key.into_vec().escape_ascii());
            }
            report.empty += 1;
            return Ok(());
        }
        Ok(_) => return Err(LoadError::corrupt(at as usize, "no key").into()),
        Err(LoadError { cause: Cause::Module(id), .. }) => {
            let key = key_name(bytes, chunk.version).map(Text::into_vec).unwrap_or_default();
            return Err(LoadFailure::Module { key, id, at });
        }
        Err(error) => {
            let key = key_name(bytes, chunk.version).map(Text::into_vec).unwrap_or_default();
            tracing::warn!("Internal error in RDB reading the value of key '{}': {error}", key.escape_ascii());
            return Err(error.into());
        }
    };
    put(keyspace, span, item, options, report)
}

fn put(
    keyspace: &mut Keyspace,
    span: KeySpan,
    item: KeyItem<'_>,
    options: &LoadOptions,
    report: &mut LoadReport,
) -> Result<(), LoadFailure> {
    if options.drops_expired && item.expire_at_ms.is_some_and(|at_ms| at_ms < options.now_ms) {
        report.expired += 1;
        return Ok(());
    }
    let mut taken = match &item.value {
        Loaded::String(text) => Taken::of_string(text.bytes(&mut [0; INTEGER_TEXT_BYTES_MAX])),
        Loaded::Value(_) => {
            let Loaded::Value(value) = item.value else { unreachable!("matched above") };
            Taken::of_value(value)
        }
    };
    taken.expire_at_ms = item.expire_at_ms;
    let access = item.last_use.and_then(|last_use| keyspace.access_as_of(last_use, options.now_ms));
    let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
    let key = Key { bytes: item.key.bytes(&mut scratch), hash: span.hash };
    if !keyspace.load(span.database, key, taken.with_access(access), options.replaces, options.now_ms) {
        return Err(LoadFailure::Duplicate { key: key.bytes.to_vec(), database: span.database });
    }
    report.keys += 1;
    Ok(())
}
