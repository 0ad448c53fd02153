//! `ChunkWriter`: entries as pieces of an RDB file that may stand in it in any order, so that several cores can write one.
//!
//! Every piece begins by naming its database. Values are written in the oldest form that holds them; `version` says what
//! the file must be called so that readers know them all.

use crate::keyspace::entry::Entry;
use crate::config::Config;
use crate::keyspace::expire::{Use, idle_seconds, lfu_decayed};

use super::file_write::write_key;
use super::form::VERSION_7_0;
use super::opcode;
use super::writer::Writer;

/// Which facts about the use of keys are written: what the eviction policy goes by.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum UseWritten {
    /// None.
    #[default]
    No,
    /// When they were used last.
    Idle,
    /// How often; the counter decays by one in so many minutes (`lfu-decay-time`).
    Frequency(u32),
}

impl UseWritten {
    /// As the policy (`maxmemory-policy`) has it.
    pub fn of(config: &Config) -> UseWritten {
        match config.get_word(crate::param!("maxmemory-policy")) {
            policy if policy.ends_with("lru") => UseWritten::Idle,
            policy if policy.ends_with("lfu") => {
                UseWritten::Frequency(config.get_u64(crate::param!("lfu-decay-time")) as u32)
            }
            _ => UseWritten::No,
        }
    }
}

/// See the file's head.
pub struct ChunkWriter {
    writer: Writer,
    version: u16,
    /// The database that the piece's last key belongs to.
    database: Option<u32>,
    uses: UseWritten,
}

impl ChunkWriter {
    /// Writes; long strings compressed if asked to (`rdbcompression`).
    pub fn new(compresses: bool, uses: UseWritten) -> ChunkWriter {
        ChunkWriter { writer: Writer::new(compresses), version: VERSION_7_0, database: None, uses }
    }

    /// Adds an entry of a database; the time, Unix milliseconds, is what its last use is counted from.
    pub fn entry(&mut self, database: u32, entry: &Entry<'_>, now_ms: i64) {
        if self.database != Some(database) {
            self.database = Some(database);
            self.writer.byte(opcode::DATABASE);
            self.writer.length(u64::from(database));
        }
        let last_use = match self.uses {
            UseWritten::No => None,
            UseWritten::Idle => Some(Use::Idle(u64::from(idle_seconds(entry.access(), now_ms)))),
            UseWritten::Frequency(decay_minutes) => {
                Some(Use::Frequency(lfu_decayed(entry.access(), decay_minutes, now_ms) as u8))
            }
        };
        let (key, value) = (entry.key(), entry.value());
        let form = write_key(&mut self.writer, VERSION_7_0, key, &value, entry.expire_at_ms(), last_use);
        self.version = self.version.max(form.version());
    }

    /// Bytes of the piece so far.
    pub fn len(&self) -> usize {
        self.writer.bytes.len()
    }

    /// Whether nothing was written since the last piece was taken.
    pub fn is_empty(&self) -> bool {
        self.writer.bytes.is_empty()
    }

    /// The first version whose readers know everything that was written, all pieces together.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Takes the piece; the next one begins.
    pub fn take(&mut self) -> Vec<u8> {
        self.database = None;
        std::mem::take(&mut self.writer.bytes)
    }

    /// Shows the piece to `see` and begins the next one in the same memory.
    pub fn take_with<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> T {
        self.database = None;
        let result = see(&self.writer.bytes);
        self.writer.bytes.clear();
        result
    }
}
