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
use super::skip::skip_value;
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

/// A part of a file, keys as their bytes.
#[derive(Debug)]
pub enum Part<'a> {
    /// The item is not there as a whole.
    NeedMore,
    /// No key, and how many bytes it took.
    Item(Item<'a>, usize),
    /// A key with all that belongs to it takes so many bytes; `read_key` reads them.
    Key(Text<'a>, usize),
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
#[derive(Clone, Debug)]
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
        match self.read(&mut reader, |reader, version| key_item(version, reader, limits)) {
            Ok(item) => {
                let taken = reader.at();
                self.consume(&bytes[..taken], matches!(item, Item::End));
                Ok(Step::Item(item, taken))
            }
            Err(LoadError { cause: Cause::Truncated, .. }) => Ok(Step::NeedMore),
            Err(LoadError { at, cause }) => Err(LoadError { at: self.consumed as usize + at, cause }),
        }
    }

    /// As `next`, but of a key only the end is looked for.
    pub fn next_part<'a>(&mut self, bytes: &'a [u8]) -> Result<Part<'a>, LoadError> {
        let mut reader = Reader::new(bytes, usize::MAX);
        match self.read(&mut reader, |reader, version| skip_key(version, reader).map(Item::EmptyKey)) {
            Ok(item) => {
                let taken = reader.at();
                self.consume(&bytes[..taken], matches!(item, Item::End));
                Ok(match item {
                    Item::EmptyKey(key) => Part::Key(key, taken),
                    item => Part::Item(item, taken),
                })
            }
            Err(LoadError { cause: Cause::Truncated, .. }) => Ok(Part::NeedMore),
            Err(LoadError { at, cause }) => Err(LoadError { at: self.consumed as usize + at, cause }),
        }
    }

    /// The checksum itself is added to nothing.
    fn consume(&mut self, bytes: &[u8], is_end: bool) {
        if self.sums && !is_end {
            self.sum = crc64::update(self.sum, bytes);
        }
        self.consumed += bytes.len() as u64;
        self.is_at_end = is_end;
    }

    /// The file's version; 0 before the header.
    pub fn version(&self) -> u16 {
        self.version.unwrap_or_default()
    }

    /// The error of a file that ends before its end.
    pub fn truncated(&self, bytes_left: usize) -> LoadError {
        LoadError { at: self.consumed as usize + bytes_left, cause: Cause::Truncated }
    }

    fn read<'a>(
        &mut self,
        reader: &mut Reader<'a>,
        key: impl FnOnce(&mut Reader<'a>, u16) -> Result<Item<'a>, LoadError>,
    ) -> Result<Item<'a>, LoadError> {
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
            _ => key(reader, version),
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
            return Err(LoadError { at, cause: Cause::Sum { stated, computed: sum } });
        }
        Ok(())
    }
}

fn header(reader: &mut Reader<'_>) -> Result<u16, LoadError> {
    let bytes = reader.take(opcode::HEADER_BYTES)?;
    let digits = match bytes.strip_prefix(opcode::MAGIC_REDIS) {
        Some(digits) => digits,
        None => bytes.strip_prefix(opcode::MAGIC_VALKEY).ok_or(LoadError { at: 0, cause: Cause::Signature })?,
    };
    let is_valkey = digits.len() == 3;
    let number = digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0')));
    let at = opcode::HEADER_BYTES - digits.len();
    number
        .filter(|&version| version > 0 && form::is_readable_version(version))
        .filter(|&version| is_valkey == (version >= form::VERSION_VALKEY))
        .ok_or(LoadError { at, cause: Cause::Version(number.unwrap_or_default()) })
}

/// Reads a key whose bytes `next_part` found, which begin at `at` of the file.
pub fn read_key<'a>(bytes: &'a [u8], at: u64, version: u16, limits: &LoadLimits) -> Result<Item<'a>, LoadError> {
    let mut reader = Reader::new(bytes, usize::MAX);
    key_item(version, &mut reader, limits).map_err(|error| LoadError { at: at as usize + error.at, ..error })
}

/// The name of the key that a key's bytes hold, if that much can be read: for messages.
pub fn key_name(bytes: &[u8], version: u16) -> Option<Text<'_>> {
    let mut reader = Reader::new(bytes, usize::MAX);
    before_key(version, &mut reader).ok()?;
    reader.text().ok()
}

/// The form of the value that a key's bytes hold, if they are a key's.
pub fn key_form(bytes: &[u8], version: u16) -> Option<Form> {
    before_key(version, &mut Reader::new(bytes, 0)).ok().map(|(form, ..)| form)
}

/// A key with the bytes of its value as they stand in the file.
#[derive(Debug)]
pub struct KeyParts<'a> {
    /// The value's form.
    pub form: Form,
    /// The key.
    pub key: Text<'a>,
    /// When it expires, Unix milliseconds.
    pub expire_at_ms: Option<i64>,
    /// When or how often it was used.
    pub last_use: Option<Use>,
    /// The value's bytes.
    pub value: &'a [u8],
}

/// Takes apart a key's bytes; the value is not looked at.
pub fn key_parts(bytes: &[u8], version: u16) -> Result<KeyParts<'_>, LoadError> {
    let mut reader = Reader::new(bytes, usize::MAX);
    let (form, expire_at_ms, last_use) = before_key(version, &mut reader)?;
    let key = reader.text()?;
    let value = reader.take(reader.remaining())?;
    Ok(KeyParts { form, key, expire_at_ms, last_use, value })
}

/// Passes over a key's facts and value; returns its name.
fn skip_key<'a>(version: u16, reader: &mut Reader<'a>) -> Result<Text<'a>, LoadError> {
    let (form, ..) = before_key(version, reader)?;
    let key = reader.text()?;
    skip_value(reader, form)?;
    Ok(key)
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

/// What is told of a key before it comes, and its form.
fn before_key(version: u16, reader: &mut Reader<'_>) -> Result<(Form, Option<i64>, Option<Use>), LoadError> {
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
                return Ok((Form::of_number(number, version).ok_or(unknown)?, expire_at_ms, last_use));
            }
        }
    }
}

/// What is told of a key before it comes, then its form, the key and the value.
fn key_item<'a>(version: u16, reader: &mut Reader<'a>, limits: &LoadLimits) -> Result<Item<'a>, LoadError> {
    let (form, expire_at_ms, last_use) = before_key(version, reader)?;
    let key = reader.text()?;
    match read_value(reader, form, limits) {
        Ok(value) => Ok(Item::Key(KeyItem { key, value, expire_at_ms, last_use })),
        // The reader stands behind the value, which ends where it turned out to be empty.
        Err(LoadError { cause: Cause::Empty, .. }) => Ok(Item::EmptyKey(key)),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
