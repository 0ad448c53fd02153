//! `FileWriter`: an RDB file item by item, into a buffer that the caller takes away whenever it likes.
//!
//! The order of a file: `begin`, facts, functions, then for each database `database`, `sizes` and its keys, and `end`.

use crate::keyspace::entry::ValueRef;
use crate::keyspace::expire::Use;
use crate::persist::crc64;

use super::form::Form;
use super::opcode;
use super::value_write::{form_of, write_value};
use super::writer::Writer;

/// See the file's head.
pub struct FileWriter {
    writer: Writer,
    version: u16,
    sums: bool,
    /// Of all bytes that were taken away.
    sum: u64,
}

impl FileWriter {
    /// A file of Redis' version `version`. Long strings are compressed if asked to (`rdbcompression`), and the checksum
    /// is 0, which stands for none, unless it is asked for (`rdbchecksum`).
    ///
    /// Values that this version does not know are written all the same, in the oldest form that holds them: whoever writes
    /// hashes whose fields expire chooses `form::VERSION_7_4`.
    pub fn begin(version: u16, compresses: bool, sums: bool) -> FileWriter {
        let mut writer = Writer::new(compresses);
        writer.raw(opcode::MAGIC_REDIS);
        writer.raw(&[1000, 100, 10, 1].map(|place| b'0' + (version / place % 10) as u8));
        FileWriter { writer, version, sums, sum: 0 }
    }

    /// Bytes that wait to be taken.
    pub fn len(&self) -> usize {
        self.writer.bytes.len()
    }

    /// Whether no bytes wait.
    pub fn is_empty(&self) -> bool {
        self.writer.bytes.is_empty()
    }

    /// Takes what was written since the last time. Every byte must be taken through here.
    pub fn take(&mut self) -> Vec<u8> {
        self.add_to_sum();
        std::mem::take(&mut self.writer.bytes)
    }

    /// As `take`, for whoever copies the bytes: the buffer's memory stays here.
    pub fn take_with(&mut self, see: impl FnOnce(&[u8])) {
        self.add_to_sum();
        see(&self.writer.bytes);
        self.writer.bytes.clear();
    }

    fn add_to_sum(&mut self) {
        if self.sums {
            self.sum = crc64::update(self.sum, &self.writer.bytes);
        }
    }

    /// A fact about this server.
    pub fn aux(&mut self, name: &str, value: &[u8]) {
        self.writer.byte(opcode::AUX);
        self.writer.text(name.as_bytes());
        self.writer.text(value);
    }

    /// The source of a library of functions.
    pub fn function(&mut self, source: &[u8]) {
        self.writer.byte(opcode::FUNCTION);
        self.writer.text(source);
    }

    /// The keys that follow are of this database, which has so many, of which so many expire.
    pub fn database(&mut self, database: u64, keys: u64, expiring: u64) {
        self.writer.byte(opcode::DATABASE);
        self.writer.length(database);
        self.writer.byte(opcode::SIZES);
        self.writer.length(keys);
        self.writer.length(expiring);
    }

    /// A key.
    pub fn key(&mut self, key: &[u8], value: &ValueRef<'_>, expire_at_ms: Option<i64>, last_use: Option<Use>) {
        write_key(&mut self.writer, self.version, key, value, expire_at_ms, last_use);
    }

    /// The end, with the checksum; returns what was written since the last time.
    pub fn end(mut self) -> Vec<u8> {
        self.writer.byte(opcode::END);
        self.add_to_sum();
        let sum = if self.sums { self.sum } else { 0 };
        self.writer.word(sum);
        self.writer.bytes
    }
}

/// Writes a key with all that belongs to it where readers know `version`; returns the form of its value.
pub(super) fn write_key(
    writer: &mut Writer,
    version: u16,
    key: &[u8],
    value: &ValueRef<'_>,
    expire_at_ms: Option<i64>,
    last_use: Option<Use>,
) -> Form {
    if let Some(at_ms) = expire_at_ms {
        writer.byte(opcode::EXPIRY_MS);
        writer.word(at_ms as u64);
    }
    match last_use {
        Some(Use::Idle(seconds)) => {
            writer.byte(opcode::IDLE);
            writer.length(seconds);
        }
        Some(Use::Frequency(counter)) => writer.raw(&[opcode::FREQUENCY, counter]),
        None => {}
    }
    let form = form_of(value, version);
    writer.byte(form as u8);
    writer.text(key);
    write_value(writer, value, form);
    form
}
