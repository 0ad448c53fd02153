//! `Writer`: lengths, strings and numbers of RDB, into a buffer. The layout is in `reader.rs`.

use crate::persist::lzf::Compressor;
use crate::stdx::number;
use crate::value::listpack::Element;

use super::reader::{COMPRESSED, INTEGER_8, INTEGER_16, INTEGER_32, LENGTH_32, LENGTH_64};

/// Longest string that may be an integer of 32 bits, in bytes ("-2147483648").
const INTEGER_TEXT_BYTES_MAX: usize = 11;

/// Shorter strings are not compressed: there is little to gain.
const COMPRESSED_BYTES_MIN: usize = 21;

/// Bytes that compression must gain.
const COMPRESSED_GAIN_BYTES_MIN: usize = 4;

/// See the file's head.
#[derive(Default)]
pub struct Writer {
    /// What has been written. Whoever owns the writer may take it and go on.
    pub bytes: Vec<u8>,
    compressor: Compressor,
    compresses: bool,
}

impl Writer {
    /// Writes; long strings compressed if asked to (`rdbcompression`).
    pub fn new(compresses: bool) -> Writer {
        Writer { compresses, ..Writer::default() }
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Bytes whose number the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A length.
    #[inline]
    pub fn length(&mut self, length: u64) {
        match length {
            0..=0x3f => self.bytes.push(length as u8),
            0x40..=0x3fff => self.bytes.extend_from_slice(&[0x40 | (length >> 8) as u8, length as u8]),
            _ => match u32::try_from(length) {
                Ok(short) => {
                    self.bytes.push(LENGTH_32);
                    self.bytes.extend_from_slice(&short.to_be_bytes());
                }
                Err(_) => {
                    self.bytes.push(LENGTH_64);
                    self.bytes.extend_from_slice(&length.to_be_bytes());
                }
            },
        }
    }

    /// A string.
    #[inline]
    pub fn text(&mut self, text: &[u8]) {
        if text.len() <= INTEGER_TEXT_BYTES_MAX
            && let Some(integer) = number::parse_i64(text)
            && self.short_integer(integer)
        {
            return;
        }
        self.packed(text);
    }

    /// A string that is no integer, such as the bytes of a listpack.
    pub fn packed(&mut self, text: &[u8]) {
        if !(self.compresses && text.len() >= COMPRESSED_BYTES_MIN && self.compressed(text)) {
            self.length(text.len() as u64);
            self.bytes.extend_from_slice(text);
        }
    }

    /// A string that is the canonical form of an integer.
    pub fn integer(&mut self, integer: i64) {
        if !self.short_integer(integer) {
            let mut digits = [0; number::INTEGER_TEXT_BYTES_MAX];
            let text = number::format_i64(&mut digits, integer);
            self.length(text.len() as u64);
            self.bytes.extend_from_slice(text);
        }
    }

    /// An element of a listpack as a string.
    pub fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Integer(integer) => self.integer(integer),
            // It may have come from outside as a string although it is an integer.
            Element::Bytes(bytes) => self.text(bytes),
        }
    }

    fn short_integer(&mut self, integer: i64) -> bool {
        if let Ok(integer) = i8::try_from(integer) {
            self.bytes.extend_from_slice(&[INTEGER_8, integer as u8]);
        } else if let Ok(integer) = i16::try_from(integer) {
            self.bytes.push(INTEGER_16);
            self.bytes.extend_from_slice(&integer.to_le_bytes());
        } else if let Ok(integer) = i32::try_from(integer) {
            self.bytes.push(INTEGER_32);
            self.bytes.extend_from_slice(&integer.to_le_bytes());
        } else {
            return false;
        }
        true
    }

    /// Writes the string compressed if that gains enough; else writes nothing.
    fn compressed(&mut self, text: &[u8]) -> bool {
        let begin = self.bytes.len();
        // The compressed bytes come behind their length, which is known only afterwards: they are moved then.
        if !self.compressor.compress(text, &mut self.bytes, text.len() - COMPRESSED_GAIN_BYTES_MIN) {
            return false;
        }
        let packed_len = self.bytes.len() - begin;
        let prefix_begin = self.bytes.len();
        self.byte(COMPRESSED);
        self.length(packed_len as u64);
        self.length(text.len() as u64);
        let prefix_len = self.bytes.len() - prefix_begin;
        self.bytes[begin..].rotate_right(prefix_len);
        true
    }

    /// Eight bytes, the lowest first: a time in milliseconds.
    pub fn word(&mut self, word: u64) {
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }

    /// A double as eight bytes.
    pub fn double(&mut self, double: f64) {
        self.word(double.to_bits());
    }
}
