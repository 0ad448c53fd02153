//! Writes replies: RESP2 and RESP3 with one set of calls, as Redis' `addReply*` (networking.c).
//!
//! Replies are bytes, one behind the other. A long bulk string is not copied: its bytes are kept by reference and come
//! between the bytes around them when the reply is sent (`pieces`). Such a string always has its header before it and its
//! CRLF behind it in `bytes`, so an offset in `bytes` between two replies (a *position*) tells which strings are before it.

use bytes::Bytes;
use memchr::memchr2;

use crate::stdx::double_text::{DOUBLE_TEXT_BYTES_MAX, format_double};
use crate::stdx::limits::{REPLY_BYTES_KEPT_MAX, SHARED_VALUE_BYTES_MIN};
use crate::stdx::number::{INTEGER_TEXT_BYTES_MAX, digits_count, format_i64};

/// A marker, the digits of any integer, and CRLF.
const HEADER_BYTES_MAX: usize = INTEGER_TEXT_BYTES_MAX + 3;

/// The protocol a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// What every client starts with.
    #[default]
    Resp2,
    /// After HELLO 3.
    Resp3,
}

/// Replies on their way to a client.
#[derive(Debug)]
pub struct Reply {
    /// The form of what is written next.
    pub protocol: Protocol,
    bytes: Vec<u8>,
    /// Strings kept by reference, each with the offset in `bytes` that it comes before, ascending.
    shared: Vec<(usize, Bytes)>,
    shared_bytes: usize,
}

/// A part of a reply to be sent.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    /// Bytes of the reply itself.
    Slice(&'a [u8]),
    /// A string kept by reference.
    Shared(&'a Bytes),
}

/// Where an aggregate begins whose length is not known yet. Must be given to one of the `finish_` methods.
#[derive(Debug)]
#[must_use = "an aggregate without its length is not a reply"]
pub struct Deferred(usize);

impl Reply {
    /// An empty reply. Allocates nothing until it is written to.
    pub fn new(protocol: Protocol) -> Reply {
        Reply { protocol, bytes: Vec::new(), shared: Vec::new(), shared_bytes: 0 }
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.bytes.extend_from_slice(b"+OK\r\n");
    }

    /// A status. CR and LF become spaces.
    #[inline]
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error. `text` is all but the leading minus. As in Redis CR and LF are cut from both ends and become spaces within.
    #[inline]
    pub fn error(&mut self, text: impl AsRef<[u8]>) {
        let mut text = text.as_ref();
        while let [b'\r' | b'\n', rest @ ..] | [rest @ .., b'\r' | b'\n'] = text {
            text = rest;
        }
        self.line(b'-', text);
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.header(b':', value);
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, value: &[u8]) {
        self.bytes.reserve(value.len() + HEADER_BYTES_MAX + 2);
        self.length_header(b'$', value.len());
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// A bulk string whose bytes are kept by reference, if it has `SHARED_VALUE_BYTES_MIN` of them; otherwise copied.
    pub fn bulk_shared(&mut self, value: Bytes) {
        if value.len() < SHARED_VALUE_BYTES_MIN {
            return self.bulk(&value);
        }
        self.length_header(b'$', value.len());
        self.shared_bytes += value.len();
        self.shared.push((self.bytes.len(), value));
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// An integer as a bulk string.
    #[inline]
    pub fn bulk_integer(&mut self, value: i64) {
        if let Some((digits, count)) = short_digits(value) {
            let header = u32::from_le_bytes([b'$', b'0' + count as u8, b'\r', b'\n']);
            let line = u128::from(header) | (u128::from(digits) << 32) | (CRLF << (32 + 8 * count));
            self.short_line(line, 4 + count + 2);
        } else {
            let mut buffer = [0; INTEGER_TEXT_BYTES_MAX];
            self.bulk(format_i64(&mut buffer, value));
        }
    }

    /// No value where a single one would be.
    #[inline]
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// No value where an array would be.
    #[inline]
    pub fn null_array(&mut self) {
        self.bytes.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// An array; its `count` elements follow.
    #[inline]
    pub fn array(&mut self, count: usize) {
        self.length_header(b'*', count);
    }

    /// A map; `pairs` keys, each followed by its value, follow. In RESP2 an array of them all.
    #[inline]
    pub fn map(&mut self, pairs: usize) {
        let (marker, count) = self.map_form(pairs);
        self.length_header(marker, count);
    }

    /// A set; its `count` elements follow. In RESP2 an array.
    #[inline]
    pub fn set(&mut self, count: usize) {
        self.length_header(self.resp3_marker(b'~'), count);
    }

    /// A message nobody asked for; its `count` elements follow. In RESP2 an array.
    #[inline]
    pub fn push(&mut self, count: usize) {
        self.length_header(self.resp3_marker(b'>'), count);
    }

    /// Attributes of the reply behind them; `pairs` keys with values follow. RESP2 has no form for these: the caller must
    /// not write any.
    pub fn attribute(&mut self, pairs: usize) {
        debug_assert!(self.protocol == Protocol::Resp3, "attributes exist in RESP3 only");
        self.length_header(b'|', pairs);
    }

    /// A double in the shortest form. In RESP2 a bulk string.
    pub fn double(&mut self, value: f64) {
        let mut buffer = [0; DOUBLE_TEXT_BYTES_MAX];
        self.number_text(b',', format_double(&mut buffer, value));
    }

    /// A double in a form of its own. In RESP2 a bulk string.
    pub fn double_text(&mut self, text: &[u8]) {
        self.number_text(b',', text);
    }

    /// A boolean. In RESP2 the integer 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        self.bytes.extend_from_slice(match (self.protocol, value) {
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
        });
    }

    /// Text with a format ("txt", "mkd"; three bytes, padded or cut as in Redis). In RESP2 a bulk string.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        if self.protocol == Protocol::Resp2 {
            return self.bulk(text);
        }
        let mut prefix = *b"   :";
        for (to, from) in prefix[..3].iter_mut().zip(format.bytes()) {
            *to = from;
        }
        self.length_header(b'=', prefix.len() + text.len());
        self.bytes.extend_from_slice(&prefix);
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// An integer of any size, given as its digits. In RESP2 a bulk string.
    pub fn big_number(&mut self, digits: &str) {
        self.number_text(b'(', digits.as_bytes());
    }

    /// Bytes that are replies already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Begins an aggregate whose length is told afterwards. Its elements are moved once when it is, so where the length is
    /// known `array` is better.
    #[inline]
    pub fn deferred(&mut self) -> Deferred {
        Deferred(self.bytes.len())
    }

    /// The aggregate was an array of `count` elements.
    pub fn finish_array(&mut self, deferred: Deferred, count: usize) {
        self.finish(deferred, b'*', count);
    }

    /// The aggregate was a map of `pairs` keys with values.
    pub fn finish_map(&mut self, deferred: Deferred, pairs: usize) {
        let (marker, count) = self.map_form(pairs);
        self.finish(deferred, marker, count);
    }

    /// The aggregate was a set of `count` elements.
    pub fn finish_set(&mut self, deferred: Deferred, count: usize) {
        self.finish(deferred, self.resp3_marker(b'~'), count);
    }

    /// The aggregate was a message of `count` elements.
    pub fn finish_push(&mut self, deferred: Deferred, count: usize) {
        self.finish(deferred, self.resp3_marker(b'>'), count);
    }

    /// Where the next reply will begin, for `truncate` and `append_range`. Not the number of bytes to send.
    #[inline]
    pub fn position(&self) -> usize {
        self.bytes.len()
    }

    /// Drops what was written behind a position.
    pub fn truncate(&mut self, position: usize) {
        self.bytes.truncate(position);
        while let Some((_, value)) = self.shared.pop_if(|(offset, _)| *offset >= position) {
            self.shared_bytes -= value.len();
        }
    }

    /// Appends what another reply holds between two of its positions. References are taken along.
    pub fn append_range(&mut self, other: &Reply, from: usize, to: usize) {
        if !other.shared.is_empty() {
            let first = other.shared.partition_point(|(offset, _)| *offset < from);
            let taken = other.shared[first..].iter().take_while(|(offset, _)| *offset < to);
            for (offset, value) in taken {
                self.shared_bytes += value.len();
                self.shared.push((offset - from + self.bytes.len(), value.clone()));
            }
        }
        self.bytes.extend_from_slice(&other.bytes[from..to]);
    }

    /// Nothing is to be sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes to be sent, those kept by reference included.
    #[inline]
    pub fn len_bytes(&self) -> usize {
        self.bytes.len() + self.shared_bytes
    }

    /// Bytes allocated for the reply's own bytes.
    pub fn capacity_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Strings kept by reference: how many, and their bytes.
    pub fn shared(&self) -> (usize, usize) {
        (self.shared.len(), self.shared_bytes)
    }

    /// Empties the reply; capacity beyond `REPLY_BYTES_KEPT_MAX` is given back.
    pub fn clear(&mut self) {
        self.bytes.clear();
        if self.bytes.capacity() > REPLY_BYTES_KEPT_MAX {
            self.bytes.shrink_to(REPLY_BYTES_KEPT_MAX);
        }
        self.shared.clear();
        self.shared_bytes = 0;
    }

    /// Everything is in `bytes`, nothing is kept by reference.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.shared.is_empty()
    }

    /// The reply's own bytes: all of it if it is contiguous, otherwise what is around the strings kept by reference.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All parts in the order they are to be sent. None is empty.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let starts = std::iter::once(0).chain(self.shared.iter().map(|(offset, _)| *offset));
        let ends = self.shared.iter().map(|(offset, _)| *offset).chain(std::iter::once(self.bytes.len()));
        let slices = starts.zip(ends).map(|(start, end)| &self.bytes[start..end]);
        let strings = self.shared.iter().map(|(_, value)| Some(value)).chain(std::iter::once(None));
        slices.zip(strings).flat_map(|(slice, string)| {
            let slice = (!slice.is_empty()).then_some(Piece::Slice(slice));
            slice.into_iter().chain(string.map(Piece::Shared))
        })
    }

    /// All that is to be sent, copied together.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len_bytes());
        for piece in self.pieces() {
            all.extend_from_slice(match piece {
                Piece::Slice(bytes) => bytes,
                Piece::Shared(bytes) => bytes,
            });
        }
        all
    }

    /// The parts themselves, for a writer that must own what it sends; the reply is empty and without capacity afterwards.
    /// Each string goes behind the bytes up to the offset beside it.
    pub fn take_parts(&mut self) -> (Vec<u8>, Vec<(usize, Bytes)>) {
        self.shared_bytes = 0;
        (std::mem::take(&mut self.bytes), std::mem::take(&mut self.shared))
    }

    /// Gives a buffer of `take_parts` back for the next replies, unless they have one already or it is too large to keep.
    pub fn give_back(&mut self, mut bytes: Vec<u8>) {
        if self.bytes.capacity() == 0 && bytes.capacity() <= REPLY_BYTES_KEPT_MAX {
            bytes.clear();
            self.bytes = bytes;
        }
    }

    #[inline]
    fn resp3_marker(&self, marker: u8) -> u8 {
        match self.protocol {
            Protocol::Resp2 => b'*',
            Protocol::Resp3 => marker,
        }
    }

    #[inline]
    fn map_form(&self, pairs: usize) -> (u8, usize) {
        match self.protocol {
            Protocol::Resp2 => (b'*', pairs * 2),
            Protocol::Resp3 => (b'%', pairs),
        }
    }

    /// A marker and a line of text.
    fn line(&mut self, marker: u8, text: &[u8]) {
        self.bytes.reserve(text.len() + 3);
        self.bytes.push(marker);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        if memchr2(b'\r', b'\n', text).is_some() {
            for byte in &mut self.bytes[start..] {
                if matches!(*byte, b'\r' | b'\n') {
                    *byte = b' ';
                }
            }
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// A number's text: in RESP3 a line, in RESP2 a bulk string.
    fn number_text(&mut self, marker: u8, text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => self.line(marker, text),
        }
    }

    /// A marker and a length.
    #[inline]
    fn length_header(&mut self, marker: u8, length: usize) {
        // No length reaches 2^63.
        self.header(marker, length as i64);
    }

    /// A marker and an integer.
    #[inline]
    fn header(&mut self, marker: u8, value: i64) {
        match usize::try_from(value).ok().and_then(|value| SHORT_HEADERS.get(value)) {
            Some(header) => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(&(header | u64::from(marker)).to_le_bytes());
                self.bytes.truncate(start + (header >> 56) as usize);
            }
            None => self.long_header(marker, value),
        }
    }

    fn long_header(&mut self, marker: u8, value: i64) {
        if let Some((digits, count)) = short_digits(value) {
            let line = u128::from(marker) | (u128::from(digits) << 8) | (CRLF << (8 + 8 * count));
            self.short_line(line, 1 + count + 2);
        } else {
            let mut buffer = [0; INTEGER_TEXT_BYTES_MAX];
            let digits = format_i64(&mut buffer, value);
            self.bytes.push(marker);
            self.bytes.extend_from_slice(digits);
            self.bytes.extend_from_slice(b"\r\n");
        }
    }

    /// Appends the lowest `count` bytes of `line`, lowest first. Sixteen are copied always, which needs no call to memcpy.
    #[inline]
    fn short_line(&mut self, line: u128, count: usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&line.to_le_bytes());
        self.bytes.truncate(start + count);
    }

    /// Puts the header of an aggregate before its elements.
    fn finish(&mut self, deferred: Deferred, marker: u8, count: usize) {
        let Deferred(start) = deferred;
        let end = self.bytes.len();
        let header_bytes = digits_count(count as u64) + 3;
        self.length_header(marker, count);
        // The header stands behind the elements now.
        self.bytes[start..].rotate_right(header_bytes);
        debug_assert_eq!(self.bytes.len(), end + header_bytes);
        for (offset, _) in self.shared.iter_mut().rev().take_while(|(offset, _)| *offset > start) {
            *offset += header_bytes;
        }
    }
}


/// Headers of the numbers below 1000, which most lengths are: room for the marker, digits, CRLF; the highest byte says how
/// many bytes that is.
static SHORT_HEADERS: [u64; 1000] = {
    let mut headers = [0; 1000];
    let mut value = 0;
    while value < headers.len() as u64 {
        let digits = [value / 100, value / 10 % 10, value % 10];
        let mut digit = if value < 10 { 2 } else if value < 100 { 1 } else { 0 };
        let mut shift = 8;
        while digit < digits.len() {
            headers[value as usize] |= (b'0' as u64 + digits[digit]) << shift;
            digit += 1;
            shift += 8;
        }
        headers[value as usize] |= (CRLF as u64) << shift | (shift / 8 + 2) << 56;
        value += 1;
    }
    headers
};

/// CR and LF as the lowest bytes of a number.
const CRLF: u128 = u16::from_le_bytes(*b"\r\n") as u128;

/// The digits of an integer of at most eight, as the lowest bytes of a word, first digit lowest, and how many they are.
///
/// All digits are computed side by side in one word, without a trip through memory: half the time of writing them one by
/// one into a buffer that is copied at once, as then the copy waits for the small writes. (The method is Paul Khuong's,
/// "How to print integers really fast"; products by reciprocals are exact in these ranges.)
#[inline]
fn short_digits(value: i64) -> Option<(u64, usize)> {
    let value = u64::try_from(value).ok().filter(|value| *value < 100_000_000)?;
    // Lanes of 32 bits below 10^4, of 16 below 10^2, of 8 below 10; the higher digits are in the lower lane.
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | ((twos - tens * 10) << 8);
    // Leading zeros are the lowest bytes; the last digit stays even if it is one.
    let zeros = (ones.trailing_zeros() / 8).min(7);
    let digits = (ones | 0x3030_3030_3030_3030) >> (8 * zeros);
    Some((digits, 8 - zeros as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Write = fn(&mut Reply);

    #[test]
    fn both_protocols_as_redis_writes_them() {
        let table: &[(Write, &str, &str)] = &[
            (|r| r.ok(), "+OK\r\n", "+OK\r\n"),
            (|r| r.simple("a\r\nb"), "+a  b\r\n", "+a  b\r\n"),
            (|r| r.error("ERR no"), "-ERR no\r\n", "-ERR no\r\n"),
            (|r| r.error("\r\nERR a\nb\r\n"), "-ERR a b\r\n", "-ERR a b\r\n"),
            (|r| r.error("\n\n"), "-\r\n", "-\r\n"),
            (|r| r.integer(0), ":0\r\n", ":0\r\n"),
            (|r| r.integer(9), ":9\r\n", ":9\r\n"),
            (|r| r.integer(10), ":10\r\n", ":10\r\n"),
            (|r| r.integer(-1), ":-1\r\n", ":-1\r\n"),
            (|r| r.integer(256), ":256\r\n", ":256\r\n"),
            (|r| r.integer(i64::MIN), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"),
            (|r| r.integer(i64::MAX), ":9223372036854775807\r\n", ":9223372036854775807\r\n"),
            (|r| r.bulk(b""), "$0\r\n\r\n", "$0\r\n\r\n"),
            (|r| r.bulk(b"0123456789"), "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n"),
            (|r| r.bulk_shared(Bytes::from_static(b"ab")), "$2\r\nab\r\n", "$2\r\nab\r\n"),
            (|r| r.bulk_integer(0), "$1\r\n0\r\n", "$1\r\n0\r\n"),
            (|r| r.bulk_integer(1_234_567_890), "$10\r\n1234567890\r\n", "$10\r\n1234567890\r\n"),
            (|r| r.bulk_integer(i64::MIN), "$20\r\n-9223372036854775808\r\n", "$20\r\n-9223372036854775808\r\n"),
            (|r| r.bulk_integer(-10), "$3\r\n-10\r\n", "$3\r\n-10\r\n"),
            (|r| r.null(), "$-1\r\n", "_\r\n"),
            (|r| r.null_array(), "*-1\r\n", "_\r\n"),
            (|r| r.array(0), "*0\r\n", "*0\r\n"),
            (|r| r.array(99), "*99\r\n", "*99\r\n"),
            (|r| r.array(100), "*100\r\n", "*100\r\n"),
            (|r| r.map(50), "*100\r\n", "%50\r\n"),
            (|r| r.set(3), "*3\r\n", "~3\r\n"),
            (|r| r.push(3), "*3\r\n", ">3\r\n"),
            (|r| r.double(0.1), "$3\r\n0.1\r\n", ",0.1\r\n"),
            (|r| r.double(-2.0), "$2\r\n-2\r\n", ",-2\r\n"),
            (|r| r.double(1e20), "$5\r\n1e+20\r\n", ",1e+20\r\n"),
            (|r| r.double(f64::INFINITY), "$3\r\ninf\r\n", ",inf\r\n"),
            (|r| r.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n"),
            (|r| r.double(f64::NAN), "$3\r\nnan\r\n", ",nan\r\n"),
            (|r| r.double_text(b"1.50"), "$4\r\n1.50\r\n", ",1.50\r\n"),
            (|r| r.boolean(true), ":1\r\n", "#t\r\n"),
            (|r| r.boolean(false), ":0\r\n", "#f\r\n"),
            (|r| r.verbatim("txt", b"abc"), "$3\r\nabc\r\n", "=7\r\ntxt:abc\r\n"),
            (|r| r.verbatim("x", b""), "$0\r\n\r\n", "=4\r\nx  :\r\n"),
            (|r| r.big_number("123"), "$3\r\n123\r\n", "(123\r\n"),
            (|r| r.raw(b":1\r\n"), ":1\r\n", ":1\r\n"),
        ];
        for (index, (write, resp2, resp3)) in table.iter().enumerate() {
            for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
                let mut reply = Reply::new(protocol);
                write(&mut reply);
                assert_eq!(reply.bytes().escape_ascii().to_string(), expected.escape_default().to_string(), "{index}");
                assert!(reply.is_contiguous());
            }
        }
    }

    #[test]
    fn integers_of_all_sizes() {
        let edges = (0..19).flat_map(|power| {
            let power = 10_i64.pow(power);
            [power - 1, power, power + 1, power / 3, power / 7 * 5]
        });
        for value in edges.chain(0..20_000).chain((0..100_000_000).step_by(9_973)) {
            let mut reply = Reply::new(Protocol::Resp2);
            reply.integer(value);
            reply.bulk_integer(value);
            reply.integer(-value);
            reply.bulk_integer(-value);
            let (positive, negative) = (value.to_string(), (-value).to_string());
            let expected = format!(
                ":{positive}\r\n${}\r\n{positive}\r\n:{negative}\r\n${}\r\n{negative}\r\n",
                positive.len(),
                negative.len()
            );
            assert_eq!(reply.bytes().escape_ascii().to_string(), expected.escape_default().to_string());
        }
    }

    #[test]
    fn lengths_can_be_told_afterwards() {
        for count in [0, 1, 9, 10, 99, 100, 12_345] {
            let mut reply = Reply::new(Protocol::Resp3);
            let outer = reply.deferred();
            let inner = reply.deferred();
            (0..count).for_each(|index| reply.integer(index as i64));
            reply.finish_array(inner, count);
            reply.ok();
            reply.finish_map(outer, 1);
            let mut expected = Reply::new(Protocol::Resp3);
            expected.map(1);
            expected.array(count);
            (0..count).for_each(|index| expected.integer(index as i64));
            expected.ok();
            assert_eq!(reply.bytes(), expected.bytes());
        }
    }

    #[test]
    fn long_strings_are_kept_by_reference() {
        let long = Bytes::from(vec![b'x'; SHARED_VALUE_BYTES_MIN]);
        let mut reply = Reply::new(Protocol::Resp2);
        let array = reply.deferred();
        reply.bulk_shared(long.clone());
        reply.finish_array(array, 1);
        let middle = reply.position();
        reply.bulk_shared(long.clone());
        reply.bulk_shared(long.clone());
        let end = reply.position();

        assert!(!reply.is_contiguous());
        let pieces: Vec<_> = reply.pieces().collect();
        assert_eq!(pieces.len(), 7);
        for (index, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Slice(bytes) => assert!(index % 2 == 0 && !bytes.is_empty()),
                Piece::Shared(bytes) => assert!(index % 2 == 1 && bytes.as_ptr() == long.as_ptr()),
            }
        }
        let whole = reply.to_vec();
        let one = [b"$16384\r\n", &long[..], b"\r\n"].concat();
        assert_eq!(whole, [b"*1\r\n", &one[..], &one[..], &one[..]].concat());
        assert_eq!(reply.len_bytes(), whole.len());

        let mut other = Reply::new(Protocol::Resp2);
        other.ok();
        other.append_range(&reply, middle, end);
        assert_eq!(other.to_vec(), [b"+OK\r\n", &one[..], &one[..]].concat());
        assert_eq!(other.len_bytes(), other.to_vec().len());

        reply.truncate(middle);
        assert_eq!(reply.to_vec(), [b"*1\r\n", &one[..]].concat());
        assert_eq!(reply.len_bytes(), one.len() + 4);
        reply.truncate(0);
        assert!(reply.is_empty() && reply.is_contiguous());
        assert_eq!(reply.len_bytes(), 0);
    }

    #[test]
    fn parts_are_taken_and_the_buffer_comes_back() {
        let long = Bytes::from(vec![b'x'; SHARED_VALUE_BYTES_MIN]);
        let mut reply = Reply::new(Protocol::Resp2);
        reply.bulk_shared(long.clone());
        let (bytes, shared) = reply.take_parts();
        assert_eq!((&bytes[..], &shared[..]), (&b"$16384\r\n\r\n"[..], &[(8, long)][..]));
        assert!(reply.is_empty() && reply.len_bytes() == 0);
        let buffer = bytes.as_ptr();
        reply.give_back(bytes);
        reply.ok();
        assert_eq!((reply.bytes(), reply.bytes().as_ptr()), (&b"+OK\r\n"[..], buffer));
        reply.give_back(Vec::with_capacity(10));
        assert_eq!(reply.bytes(), b"+OK\r\n");
    }

    #[test]
    fn clear_gives_back_what_is_too_much() {
        let mut reply = Reply::new(Protocol::Resp2);
        reply.bulk(&vec![0; 4 * REPLY_BYTES_KEPT_MAX]);
        reply.clear();
        assert!(reply.is_empty());
        assert!(reply.bytes.capacity() <= REPLY_BYTES_KEPT_MAX);
    }
}
