//! `ChunkReader`: a file in chunks of whole keys, cut by one thread so that others can make the values.
//!
//! A chunk holds some hundred kilobytes of the file and says where its keys begin, to which database each belongs, and
//! its hash. What is no key is dealt with here. Nothing of the file is to be believed before its end was reached, where
//! the checksum stands.

use std::io::{self, Read};

use bytes::{Bytes, BytesMut};

use crate::keyspace::KeyHasher;
use crate::stdx::limits::RDB_CHUNK_BYTES;
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;

use super::error::{Cause, LoadError, ModuleName};
use super::file_read::{FileReader, Item, Part};

/// Why a file cannot be loaded.
#[derive(Debug)]
pub enum LoadFailure {
    /// The file cannot be read.
    Io(io::Error),
    /// What it holds is wrong.
    Data(LoadError),
    /// A value of a module, which nobody here can make.
    Module {
        /// The key.
        key: Vec<u8>,
        /// The id of the module's type.
        id: u64,
        /// Offset of the key in the file.
        at: u64,
    },
    /// A key comes twice.
    Duplicate {
        /// The key.
        key: Vec<u8>,
        /// Its database.
        database: u32,
    },
    /// Keys of a database beyond `databases`.
    Database {
        /// Its number.
        database: u64,
        /// How many there are.
        databases: usize,
    },
}

impl From<io::Error> for LoadFailure {
    fn from(error: io::Error) -> LoadFailure {
        LoadFailure::Io(error)
    }
}

impl From<LoadError> for LoadFailure {
    fn from(error: LoadError) -> LoadFailure {
        LoadFailure::Data(error)
    }
}

impl std::fmt::Display for LoadFailure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LoadFailure::Io(error) => write!(formatter, "{error}"),
            LoadFailure::Data(error) => match &error.cause {
                Cause::Signature | Cause::Version(_) => write!(formatter, "{}", error.cause),
                _ => write!(formatter, "offset {}: {}", error.at, error.cause),
            },
            LoadFailure::Module { key, id, at } => write!(
                formatter,
                "offset {at}: the key '{}' is a value of the module '{}', which is not there",
                key.escape_ascii(),
                ModuleName(*id)
            ),
            LoadFailure::Duplicate { key, database } => {
                write!(formatter, "RDB has duplicated key '{}' in DB {database}", key.escape_ascii())
            }
            LoadFailure::Database { database, databases } => write!(
                formatter,
                "FATAL: Data file was created with a Redis server configured to handle more than {databases} databases \
                 (database {database} is needed). Exiting"
            ),
        }
    }
}

/// Where a key's bytes are in its chunk.
#[derive(Clone, Copy, Debug)]
pub struct KeySpan {
    /// The key's hash.
    pub hash: u64,
    /// The first byte of what belongs to it.
    pub start: usize,
    /// How many there are.
    pub len: usize,
    /// Its database.
    pub database: u32,
}

/// Some keys of a file.
#[derive(Debug)]
pub struct Chunk {
    /// A piece of the file.
    pub bytes: Bytes,
    /// Where it begins in the file.
    pub at: u64,
    /// The file's version.
    pub version: u16,
    /// The keys.
    pub keys: Vec<KeySpan>,
}

impl Chunk {
    /// The bytes of a key, and their offset in the file.
    pub fn key_bytes(&self, span: KeySpan) -> (&[u8], u64) {
        (&self.bytes[span.start..span.start + span.len], self.at + span.start as u64)
    }
}

/// What a file says beside its keys.
#[derive(Default, Debug)]
pub struct FileFacts {
    /// Names and values of facts about the server that wrote it.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// Sources of libraries of functions.
    pub functions: Vec<Bytes>,
}

/// See the file's head.
pub struct ChunkReader<R> {
    input: R,
    reader: FileReader,
    hasher: KeyHasher,
    databases: usize,
    /// Bytes that were read from the input and not yet given away.
    buffer: BytesMut,
    database: u32,
    /// What was read so far of what is no key.
    pub facts: FileFacts,
}

impl<R: Read> ChunkReader<R> {
    /// At the beginning of a file for a server with so many databases; checksums are compared if asked to (`rdbchecksum`).
    pub fn new(input: R, sums: bool, hasher: KeyHasher, databases: usize) -> ChunkReader<R> {
        ChunkReader {
            input,
            reader: FileReader::new(sums),
            hasher,
            databases,
            buffer: BytesMut::new(),
            database: 0,
            facts: FileFacts::default(),
        }
    }

    /// Bytes of the file that were dealt with. After the end: how long the RDB part of the file is.
    pub fn consumed(&self) -> u64 {
        self.reader.consumed()
    }

    /// The next chunk; none after the end.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, LoadFailure> {
        let mut wanted = RDB_CHUNK_BYTES;
        while !self.reader.is_at_end() {
            let is_last = self.fill(wanted)?;
            let at = self.reader.consumed();
            let mut keys = Vec::new();
            let taken = self.cut(&mut keys)?;
            if !keys.is_empty() {
                let bytes = self.buffer.split_to(taken).freeze();
                return Ok(Some(Chunk { bytes, at, version: self.reader.version(), keys }));
            }
            let _ = self.buffer.split_to(taken);
            if is_last && !self.reader.is_at_end() {
                return Err(self.reader.truncated(self.buffer.len()).into());
            }
            // An item that does not fit: twice as much the next time, so that it is looked at few times.
            wanted = RDB_CHUNK_BYTES.max(self.buffer.len() * 2);
        }
        Ok(None)
    }

    /// Reads until so many bytes are there. True when the input has no more.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        while self.buffer.len() < wanted {
            let before = self.buffer.len();
            let step = (wanted - before).min(RDB_CHUNK_BYTES);
            self.buffer.resize(before + step, 0);
            let read = loop {
                match self.input.read(&mut self.buffer[before..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result,
                }
            };
            self.buffer.truncate(before + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Goes through what is in the buffer; returns how many bytes of it are done with.
    fn cut(&mut self, keys: &mut Vec<KeySpan>) -> Result<usize, LoadFailure> {
        let mut from = 0;
        while !self.reader.is_at_end() {
            match self.reader.next_part(&self.buffer[from..])? {
                Part::NeedMore => break,
                Part::Key(key, len) => {
                    let hash = self.hasher.hash(key.bytes(&mut [0; INTEGER_TEXT_BYTES_MAX]));
                    keys.push(KeySpan { hash, start: from, len, database: self.database });
                    from += len;
                }
                Part::Item(item, len) => {
                    match item {
                        Item::Database(number) => {
                            self.database = u32::try_from(number)
                                .ok()
                                .filter(|&database| (database as usize) < self.databases)
                                .ok_or(LoadFailure::Database { database: number, databases: self.databases })?;
                        }
                        Item::Aux { name, value } => self.facts.aux.push((name.into_vec(), value.into_vec())),
                        Item::Function(source) => self.facts.functions.push(Bytes::from(source.into_vec())),
                        Item::ModuleData(id) => tracing::warn!(
                            "The RDB file contains AUX module data I can't load: no matching module '{}'. It is left out.",
                            ModuleName(id)
                        ),
                        _ => {}
                    }
                    from += len;
                }
            }
        }
        Ok(from)
    }
}
