//! `Reader`: lengths, strings and numbers of RDB, from a slice. Never reads past its end, never panics.
//!
//! ```text
//! 00nnnnnn                    length of 6 bits
//! 01nnnnnn nnnnnnnn           of 14 bits
//! 10000000 n×4, 10000001 n×8  of 32 and 64 bits, the highest byte first
//! 11000000 i, 11000001 i×2, 11000010 i×4    in the place of a string: an integer, lowest byte first
//! 11000011 length length bytes              in the place of a string: compressed bytes and plain bytes
//! ```

use crate::persist::lzf;
use crate::stdx::number::{self, INTEGER_TEXT_BYTES_MAX};

use super::error::{Cause, LoadError};

/// What the bits above say of a length, or what stands in its place.
pub(super) const LENGTH_32: u8 = 0x80;
pub(super) const LENGTH_64: u8 = 0x81;
pub(super) const INTEGER_8: u8 = 0xc0;
pub(super) const INTEGER_16: u8 = 0xc1;
pub(super) const INTEGER_32: u8 = 0xc2;
pub(super) const COMPRESSED: u8 = 0xc3;

/// Lengths of scores as text that stand for what is no finite number.
const TEXT_NAN: u8 = 253;
const TEXT_INFINITE: u8 = 254;
const TEXT_NEGATIVE_INFINITE: u8 = 255;

/// Most bytes that are reserved for elements still to come, whatever a count says.
const RESERVED_ELEMENTS_MAX: usize = 1024;

/// A string as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// Kept as an integer.
    Integer(i64),
    /// Bytes of what is read.
    Plain(&'a [u8]),
    /// Bytes that were compressed.
    Unpacked(Vec<u8>),
}

impl Text<'_> {
    /// The string's bytes; `scratch` receives the digits of an integer.
    #[inline]
    pub fn bytes<'s>(&'s self, scratch: &'s mut [u8; INTEGER_TEXT_BYTES_MAX]) -> &'s [u8] {
        match self {
            Text::Integer(integer) => number::format_i64(scratch, *integer),
            Text::Plain(bytes) => bytes,
            Text::Unpacked(bytes) => bytes,
        }
    }

    /// The bytes in a buffer of their own.
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Text::Unpacked(bytes) => bytes,
            other => other.bytes(&mut [0; INTEGER_TEXT_BYTES_MAX]).to_vec(),
        }
    }
}

/// See the file's head.
#[derive(Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes that compressed strings may still become.
    unpacked_bytes_left: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the first byte on. Compressed strings may become `unpacked_bytes_max` bytes, all together.
    pub fn new(bytes: &'a [u8], unpacked_bytes_max: usize) -> Reader<'a> {
        Reader { bytes, at: 0, unpacked_bytes_left: unpacked_bytes_max }
    }

    /// Offset of the next byte.
    #[inline]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Bytes still to come.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Something wrong at the next byte.
    #[cold]
    pub fn corrupt(&self, what: &'static str) -> LoadError {
        LoadError::corrupt(self.at, what)
    }

    /// A collection without elements.
    #[cold]
    pub fn empty(&self) -> LoadError {
        LoadError { at: self.at, cause: Cause::Empty }
    }

    /// For how many of `count` elements room may be made ahead: each takes at least a byte of what is there.
    pub fn capacity_for(&self, count: u64) -> usize {
        self.remaining().min(RESERVED_ELEMENTS_MAX).min(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// The next bytes as they are.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], LoadError> {
        match self.bytes[self.at..].get(..count) {
            Some(bytes) => {
                self.at += count;
                Ok(bytes)
            }
            None => Err(LoadError { at: self.bytes.len(), cause: Cause::Truncated }),
        }
    }

    #[inline]
    fn array<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], LoadError> {
        let mut array = [0; COUNT];
        array.copy_from_slice(self.take(COUNT)?);
        Ok(array)
    }

    /// The next byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, LoadError> {
        Ok(self.array::<1>()?[0])
    }

    /// Eight bytes, the lowest first: a time in milliseconds, the bits of a double.
    pub fn word(&mut self) -> Result<u64, LoadError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Four bytes, the lowest first: a time in seconds.
    pub fn half_word(&mut self) -> Result<u32, LoadError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A length.
    #[inline]
    pub fn length(&mut self) -> Result<u64, LoadError> {
        let begin = self.at;
        let first = self.byte()?;
        match first {
            0x00..=0x3f => Ok(u64::from(first)),
            0x40..=0x7f => Ok(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            LENGTH_32 => Ok(u64::from(u32::from_be_bytes(self.array()?))),
            LENGTH_64 => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err(LoadError::corrupt(begin, "no length")),
        }
    }

    /// How many elements follow, of which there must be one.
    pub fn count(&mut self) -> Result<u64, LoadError> {
        let begin = self.at;
        match self.length()? {
            0 => Err(LoadError { at: begin, cause: Cause::Empty }),
            count => Ok(count),
        }
    }

    /// A string.
    #[inline]
    pub fn text(&mut self) -> Result<Text<'a>, LoadError> {
        // `count` checks that a byte is there before it is looked at.
        match self.bytes.get(self.at) {
            Some(&INTEGER_8) => {
                self.at += 1;
                Ok(Text::Integer(i64::from(i8::from_le_bytes(self.array()?))))
            }
            Some(&INTEGER_16) => {
                self.at += 1;
                Ok(Text::Integer(i64::from(i16::from_le_bytes(self.array()?))))
            }
            Some(&INTEGER_32) => {
                self.at += 1;
                Ok(Text::Integer(i64::from(i32::from_le_bytes(self.array()?))))
            }
            Some(&COMPRESSED) => {
                self.at += 1;
                self.compressed().map(Text::Unpacked)
            }
            _ => {
                let length = self.length()?;
                self.take(usize::try_from(length).unwrap_or(usize::MAX)).map(Text::Plain)
            }
        }
    }

    fn compressed(&mut self) -> Result<Vec<u8>, LoadError> {
        let begin = self.at;
        let packed_len = usize::try_from(self.length()?).unwrap_or(usize::MAX);
        let plain_len = usize::try_from(self.length()?).unwrap_or(usize::MAX);
        let packed = self.take(packed_len)?;
        if plain_len > self.unpacked_bytes_left {
            return Err(LoadError { at: begin, cause: Cause::TooLarge });
        }
        let plain = lzf::decompress(packed, plain_len).ok_or(LoadError::corrupt(begin, "no compressed string"))?;
        self.unpacked_bytes_left -= plain_len;
        Ok(plain)
    }

    /// A string that is passed over, without decompressing it.
    pub fn skip_text(&mut self) -> Result<(), LoadError> {
        if self.bytes.get(self.at) == Some(&COMPRESSED) {
            self.at += 1;
            let packed_len = usize::try_from(self.length()?).unwrap_or(usize::MAX);
            self.length()?;
            self.take(packed_len)?;
        } else {
            self.text()?;
        }
        Ok(())
    }

    /// A double as text behind the byte of its length.
    pub fn double_text(&mut self) -> Result<f64, LoadError> {
        let begin = self.at;
        match self.byte()? {
            TEXT_NAN => Ok(f64::NAN),
            TEXT_INFINITE => Ok(f64::INFINITY),
            TEXT_NEGATIVE_INFINITE => Ok(f64::NEG_INFINITY),
            length => {
                let text = self.take(usize::from(length))?;
                number::parse_double(text).ok_or(LoadError::corrupt(begin, "no number"))
            }
        }
    }

    /// A double as eight bytes.
    pub fn double(&mut self) -> Result<f64, LoadError> {
        Ok(f64::from_bits(self.word()?))
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
