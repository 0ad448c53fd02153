//! `FileReader`: an RDB file item by item, from whatever bytes of it are there.
//!
//! The caller keeps the bytes that were not consumed and adds to them when the reader needs more. An item is read only when
//! it is there as a whole, key and value together, and from its first byte each time: whoever doubles the bytes on offer
//! reads each of them twice at most. Nothing is believed before the checksum at the end has been compared.

use crate::keyspace::expire::Use;
use crate::persist::crc64;

use super::error::{Cause, LoadError};
use super::form::{self, Form};
use super::opcode;
use super::reader::{Reader, Text};
use super::value_read::{LoadLimits, Loaded, read_value, skip_module_value};

/// A part of a file.
#[derive(Debug)]
pub enum Item<'a> {
    /// The file's head: its version.
    Header(u16),
    /// A fact about the server that wrote the file.
    Aux {
        /// Such as `redis-ver`.
        name: Text<'a>,
        /// What it says.
        value: Text<'a>,
    },
    /// The database of the keys that follow.
    Database(u64),
    /// About how many keys follow in this database.
    Sizes {
        /// All of them.
        keys: u64,
        /// Those that expire.
        expiring: u64,
    },
    /// About how many keys follow in a slot of a cluster.
    SlotSizes {
        /// The slot.
        slot: u64,
        /// Its keys.
        keys: u64,
        /// Those that expire.
        expiring: u64,
    },
    /// The source of a library of functions.
    Function(Text<'a>),
    /// Data of a module that belongs to no key, passed over; the id of the module's type.
    ModuleData(u64),
    /// A key.
    Key(KeyItem<'a>),
    /// A key whose collection has no element, which cannot be; Redis passes over it.
    EmptyKey(Text<'a>),
    /// The end. The checksum was right, or was not to be compared.
    End,
}

/// A key with all that belongs to it.
#[derive(Debug)]
pub struct KeyItem<'a> {
    /// The key.
    pub key: Text<'a>,
    /// Its value.
    pub value: Loaded<'a>,
    /// When it expires, Unix milliseconds.
    pub expire_at_ms: Option<i64>,
    /// When or how often it was used.
    pub last_use: Option<Use>,
}

/// What came of an attempt to read an item.
#[derive(Debug)]
pub enum Step<'a> {
    /// The item is not there as a whole.
    NeedMore,
    /// An item, and how many bytes it took.
    Item(Item<'a>, usize),
}

/// See the file's head.
#[derive(Debug)]
pub struct FileReader {
    /// None before the header.
    version: Option<u16>,
    sums: bool,
    sum: u64,
    consumed: u64,
    is_at_end: bool,
}

impl FileReader {
    /// At the beginning of a file. The checksum is computed only if asked to (`rdbchecksum`).
    pub fn new(sums: bool) -> FileReader {
        FileReader { version: None, sums, sum: 0, consumed: 0, is_at_end: false }
    }

    /// Bytes consumed so far.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Whether the end has been read.
    pub fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Reads the next item from the bytes behind those that were consumed. Offsets of errors are counted from the file's
    /// beginning. After an error nothing more can be read, but for `Cause::Module`, which concerns one key.
    pub fn next<'a>(&mut self, bytes: &'a [u8], limits: &LoadLimits) -> Result<Step<'a>, LoadError> {
        let mut reader = Reader::new(bytes, usize::MAX);
        match self.read(&mut reader, limits) {
            Ok(item) => {
                let taken = reader.at();
                // The checksum itself was added to nothing.
                if self.sums && !matches!(item, Item::End) {
                    self.sum = crc64::update(self.sum, &bytes[..taken]);
                }
                self.consumed += taken as u64;
                self.is_at_end = matches!(item, Item::End);
                Ok(Step::Item(item, taken))
            }
            Err(LoadError { cause: Cause::Truncated, .. }) => Ok(Step::NeedMore),
            Err(LoadError { at, cause }) => Err(LoadError { at: self.consumed as usize + at, cause }),
        }
    }

    /// The error of a file that ends before its end.
    pub fn truncated(&self, bytes_left: usize) -> LoadError {
        LoadError { at: self.consumed as usize + bytes_left, cause: Cause::Truncated }
    }

    fn read<'a>(&mut self, reader: &mut Reader<'a>, limits: &LoadLimits) -> Result<Item<'a>, LoadError> {
        let Some(version) = self.version else {
            let version = header(reader)?;
            self.version = Some(version);
            return Ok(Item::Header(version));
        };
        let mut ahead = reader.clone();
        match ahead.byte()? {
            opcode::END => {
                reader.byte()?;
                self.check_sum(version, reader)?;
                Ok(Item::End)
            }
            opcode @ (opcode::SLOT_SIZES..=opcode::MODULE_DATA | opcode::AUX | opcode::SIZES | opcode::DATABASE) => {
                reader.byte()?;
                plain_item(opcode, reader)
            }
            _ => key_item(version, reader, limits),
        }
    }

    /// Compares the checksum behind the end's opcode; one of 0 says that none was computed.
    fn check_sum(&self, version: u16, reader: &mut Reader<'_>) -> Result<(), LoadError> {
        if version < opcode::VERSION_WITH_SUM {
            return Ok(());
        }
        let at = reader.at();
        let stated = reader.word()?;
        let sum = crc64::update(self.sum, &[opcode::END]);
        if self.sums && stated != 0 && stated != sum {
            return Err(LoadError::corrupt(at, "a wrong checksum"));
        }
        Ok(())
    }
}

fn header(reader: &mut Reader<'_>) -> Result<u16, LoadError> {
    let bytes = reader.take(opcode::HEADER_BYTES)?;
    let digits = match bytes.strip_prefix(opcode::MAGIC_REDIS) {
        Some(digits) => digits,
        None => bytes.strip_prefix(opcode::MAGIC_VALKEY).ok_or(LoadError::corrupt(0, "no RDB file"))?,
    };
    let is_valkey = digits.len() == 3;
    let number = digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0')));
    number
        .filter(|&version| version > 0 && form::is_readable_version(version))
        .filter(|&version| is_valkey == (version >= form::VERSION_VALKEY))
        .ok_or(LoadError::corrupt(opcode::HEADER_BYTES - digits.len(), "a version that cannot be read"))
}

/// What is neither a key nor the end.
fn plain_item<'a>(opcode: u8, reader: &mut Reader<'a>) -> Result<Item<'a>, LoadError> {
    Ok(match opcode {
        opcode::SLOT_SIZES => {
            Item::SlotSizes { slot: reader.length()?, keys: reader.length()?, expiring: reader.length()? }
        }
        opcode::FUNCTION => Item::Function(reader.text()?),
        opcode::MODULE_DATA => Item::ModuleData(skip_module_value(reader)?),
        opcode::AUX => Item::Aux { name: reader.text()?, value: reader.text()? },
        opcode::SIZES => Item::Sizes { keys: reader.length()?, expiring: reader.length()? },
        opcode::DATABASE => Item::Database(reader.length()?),
        opcode::FUNCTION_OLD => return Err(reader.corrupt("functions of a release candidate of Redis 7.0")),
        _ => return Err(reader.corrupt("no part of a file")),
    })
}

/// What is told of a key before it comes, then its form, the key and the value.
fn key_item<'a>(version: u16, reader: &mut Reader<'a>, limits: &LoadLimits) -> Result<Item<'a>, LoadError> {
    let (mut expire_at_ms, mut last_use) = (None, None);
    loop {
        let at = reader.at();
        match reader.byte()? {
            opcode::EXPIRY_MS => expire_at_ms = Some(reader.word()? as i64),
            opcode::EXPIRY_SECONDS => expire_at_ms = Some(i64::from(reader.half_word()? as i32) * 1000),
            opcode::FREQUENCY => last_use = Some(Use::Frequency(reader.byte()?)),
            opcode::IDLE => last_use = Some(Use::Idle(reader.length()?)),
            number => {
                let unknown = LoadError { at, cause: Cause::UnknownForm(number) };
                let form = Form::of_number(number, version).ok_or(unknown)?;
                let key = reader.text()?;
                return match read_value(reader, form, limits) {
                    Ok(value) => Ok(Item::Key(KeyItem { key, value, expire_at_ms, last_use })),
                    // The reader stands behind the value, which ends where it turned out to be empty.
                    Err(LoadError { cause: Cause::Empty, .. }) => Ok(Item::EmptyKey(key)),
                    Err(error) => Err(error),
                };
            }
        }
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
