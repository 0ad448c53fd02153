//! Listpack: a sequence of strings and integers packed into one run of bytes, byte for byte as Redis has it.
//!
//! ```text
//! total bytes u32 | number of elements u16 (65535: too many, count them) | elements… | 0xff
//! element = encoding and data | back length (of encoding and data, readable from behind, 1 to 5 bytes)
//! 0xxxxxxx  integer 0..127           10xxxxxx  string of up to 63 bytes
//! 110xxxxx  integer of 13 bits       1110xxxx  string of up to 4095 bytes
//! f0        string, length u32       f1 f2 f3 f4  integer of 16, 24, 32, 64 bits
//! ```
//!
//! Source of the format: the specification in Redis' listpack.md and the RDB format. A string that is the canonical form
//! of a 64-bit integer is always kept as one. Positions are byte offsets of elements; a change makes all positions behind
//! it void. Bytes from outside come in through `from_bytes`, which looks at every one of them; everything else may then
//! rely on the format. Used by every collection for its small form.

use std::borrow::Cow;

use crate::stdx::number::{self, INTEGER_TEXT_BYTES_MAX};

const HEADER_BYTES: usize = 6;
const END: u8 = 0xff;
const COUNT_UNKNOWN: u16 = u16::MAX;
/// Capacity grows in steps of this, which is the allocator's own granularity.
const GRAIN_BYTES: usize = 16;

/// One element.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Element<'a> {
    /// The canonical form of an integer.
    Integer(i64),
    /// Any other bytes.
    Bytes(&'a [u8]),
}

impl<'a> Element<'a> {
    /// The element's text; `scratch` receives the digits of an integer.
    #[inline]
    pub fn text<'s>(self, scratch: &'s mut [u8; INTEGER_TEXT_BYTES_MAX]) -> &'s [u8]
    where
        'a: 's,
    {
        match self {
            Element::Integer(integer) => number::format_i64(scratch, integer),
            Element::Bytes(bytes) => bytes,
        }
    }

    /// The element's text as a value of its own when it is an integer.
    pub fn to_text(self) -> Cow<'a, [u8]> {
        match self {
            Element::Integer(integer) => {
                Cow::Owned(number::format_i64(&mut [0; INTEGER_TEXT_BYTES_MAX], integer).to_vec())
            }
            Element::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// How these bytes would be kept.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Element<'a> {
        match number::parse_i64(bytes) {
            Some(integer) => Element::Integer(integer),
            None => Element::Bytes(bytes),
        }
    }

    /// Bytes of the element's text.
    pub fn len(self) -> usize {
        match self {
            Element::Integer(integer) => number::signed_digits_count(integer),
            Element::Bytes(bytes) => bytes.len(),
        }
    }

    /// An empty string.
    pub fn is_empty(self) -> bool {
        self == Element::Bytes(b"")
    }

    /// Whether it has the text that `wanted` was made of; `self` may be an integer that came from outside as a string.
    #[inline]
    pub fn equals(self, wanted: Element<'_>) -> bool {
        match (self, wanted) {
            (Element::Integer(one), Element::Integer(other)) => one == other,
            (Element::Bytes(one), Element::Bytes(other)) => one == other,
            (Element::Bytes(bytes), Element::Integer(integer)) => number::parse_i64(bytes) == Some(integer),
            (Element::Integer(_), Element::Bytes(_)) => false,
        }
    }

    /// Bytes it takes in a listpack.
    pub fn packed_bytes(self) -> usize {
        let body = match self {
            Element::Integer(integer) => match integer {
                0..=127 => 1,
                -4096..=4095 => 2,
                -32768..=32767 => 3,
                -8_388_608..=8_388_607 => 4,
                -2_147_483_648..=2_147_483_647 => 5,
                _ => 9,
            },
            Element::Bytes(bytes) => match bytes.len() {
                len @ 0..=63 => 1 + len,
                len @ 64..=4095 => 2 + len,
                len => 5 + len,
            },
        };
        body + back_length_bytes(body)
    }

    /// What stands before the data of a string, or the whole encoding of an integer.
    #[inline]
    fn prefix(self) -> ([u8; 9], usize) {
        let mut prefix = [0; 9];
        let len = match self {
            Element::Integer(integer) => return integer_prefix(integer),
            Element::Bytes(bytes) => match bytes.len() {
                len @ 0..=63 => {
                    prefix[0] = 0x80 | len as u8;
                    1
                }
                len @ 64..=4095 => {
                    prefix[..2].copy_from_slice(&[0xe0 | (len >> 8) as u8, len as u8]);
                    2
                }
                len => {
                    prefix[0] = 0xf0;
                    prefix[1..5].copy_from_slice(&(len as u32).to_le_bytes());
                    5
                }
            },
        };
        (prefix, len)
    }

    /// Writes encoding, data and back length; the slot has `packed_bytes` bytes.
    #[inline]
    fn write(self, slot: &mut [u8]) {
        let (prefix, prefix_len) = self.prefix();
        slot[..prefix_len].copy_from_slice(&prefix[..prefix_len]);
        let mut body = prefix_len;
        if let Element::Bytes(bytes) = self {
            slot[body..body + bytes.len()].copy_from_slice(bytes);
            body += bytes.len();
        }
        write_back_length(body, &mut slot[body..]);
    }
}

fn integer_prefix(integer: i64) -> ([u8; 9], usize) {
    let mut prefix = [0; 9];
    let bytes = integer.to_le_bytes();
    let (mark, len) = match integer {
        0..=127 => {
            prefix[0] = integer as u8;
            return (prefix, 1);
        }
        -4096..=4095 => {
            prefix[..2].copy_from_slice(&[0xc0 | ((integer >> 8) & 0x1f) as u8, integer as u8]);
            return (prefix, 2);
        }
        -32768..=32767 => (0xf1, 2),
        -8_388_608..=8_388_607 => (0xf2, 3),
        -2_147_483_648..=2_147_483_647 => (0xf3, 4),
        _ => (0xf4, 8),
    };
    prefix[0] = mark;
    prefix[1..1 + len].copy_from_slice(&bytes[..len]);
    (prefix, 1 + len)
}

/// Bytes of the back length of a body of so many bytes.
#[inline]
fn back_length_bytes(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// Writes the back length to the start of the slot, most significant bits first.
#[inline]
fn write_back_length(body: usize, slot: &mut [u8]) {
    let count = back_length_bytes(body);
    for (position, byte) in slot[..count].iter_mut().enumerate() {
        let more = if position == 0 { 0 } else { 0x80 };
        *byte = ((body >> (7 * (count - 1 - position))) & 0x7f) as u8 | more;
    }
}

/// The element at `at` and the length of its body; none when the bytes are no element or are cut off.
#[inline]
fn decode(bytes: &[u8], at: usize) -> Option<(Element<'_>, usize)> {
    let first = *bytes.get(at)?;
    let signed = |count: usize| -> Option<i64> {
        let mut word = [0; 8];
        word[8 - count..].copy_from_slice(bytes.get(at + 1..at + 1 + count)?);
        Some(i64::from_le_bytes(word) >> (64 - 8 * count))
    };
    let string = |prefix: usize, len: usize| -> Option<(Element<'_>, usize)> {
        Some((Element::Bytes(bytes.get(at + prefix..(at + prefix).checked_add(len)?)?), prefix + len))
    };
    Some(match first {
        0..=0x7f => (Element::Integer(i64::from(first)), 1),
        0x80..=0xbf => string(1, usize::from(first & 0x3f))?,
        0xc0..=0xdf => {
            let value = i64::from(first & 0x1f) << 8 | i64::from(*bytes.get(at + 1)?);
            (Element::Integer(value << 51 >> 51), 2)
        }
        0xe0..=0xef => string(2, usize::from(first & 0x0f) << 8 | usize::from(*bytes.get(at + 1)?))?,
        0xf0 => {
            let length = bytes.get(at + 1..at + 5)?;
            string(5, u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize)?
        }
        0xf1 => (Element::Integer(signed(2)?), 3),
        0xf2 => (Element::Integer(signed(3)?), 4),
        0xf3 => (Element::Integer(signed(4)?), 5),
        0xf4 => (Element::Integer(signed(8)?), 9),
        _ => return None,
    })
}

/// The length of the body of the element at `at`, which must be one.
#[inline]
fn body_bytes(bytes: &[u8], at: usize) -> usize {
    match bytes[at] {
        0..=0x7f => 1,
        first @ 0x80..=0xbf => 1 + usize::from(first & 0x3f),
        0xc0..=0xdf => 2,
        first @ 0xe0..=0xef => 2 + (usize::from(first & 0x0f) << 8 | usize::from(bytes[at + 1])),
        0xf0 => 5 + u32::from_le_bytes([bytes[at + 1], bytes[at + 2], bytes[at + 3], bytes[at + 4]]) as usize,
        0xf1 => 3,
        0xf2 => 4,
        0xf3 => 5,
        _ => 9,
    }
}

/// See the file's head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listpack {
    bytes: Vec<u8>,
}

impl Default for Listpack {
    fn default() -> Listpack {
        Listpack::new()
    }
}

/// What an allocator hands out for so many bytes: four sizes between a power of two and the next (mimalloc's and jemalloc's
/// classes), so that room is neither paid for and not used, nor asked for again at once. A node of 8,179 bytes with 500
/// bytes of room would take a block of 10,240.
fn block_bytes(bytes: usize) -> usize {
    const CLASSES_FROM_BYTES: usize = 256;
    if bytes < CLASSES_FROM_BYTES {
        return bytes.next_multiple_of(GRAIN_BYTES);
    }
    let below = 1 << (bytes - 1).ilog2();
    bytes.next_multiple_of(below / 4)
}

impl Listpack {
    /// An empty listpack.
    pub fn new() -> Listpack {
        Listpack { bytes: vec![HEADER_BYTES as u8 + 1, 0, 0, 0, 0, 0, END] }
    }

    /// An empty listpack with room for so many bytes of packed elements.
    pub fn with_room(bytes: usize) -> Listpack {
        let mut new = Vec::with_capacity((HEADER_BYTES + 1 + bytes).next_multiple_of(GRAIN_BYTES));
        new.extend_from_slice(&[HEADER_BYTES as u8 + 1, 0, 0, 0, 0, 0, END]);
        Listpack { bytes: new }
    }

    /// A listpack from outside. None unless every byte of it is in its place: sizes, encodings, back lengths, the number
    /// of elements. An integer kept as a string is accepted, as Redis does.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Listpack> {
        let total = u32::from_le_bytes(*bytes.first_chunk::<4>()?) as usize;
        if total != bytes.len() || total < HEADER_BYTES + 1 || bytes[total - 1] != END {
            return None;
        }
        let (mut at, mut count) = (HEADER_BYTES, 0usize);
        let mut back = [0; 5];
        while at < total - 1 {
            let (_, body) = decode(&bytes[..total - 1], at)?;
            let back_bytes = back_length_bytes(body);
            write_back_length(body, &mut back);
            if bytes.get(at + body..at + body + back_bytes)? != &back[..back_bytes] {
                return None;
            }
            at += body + back_bytes;
            count += 1;
        }
        let stated = u16::from_le_bytes([bytes[4], bytes[5]]);
        let is_right = at == total - 1 && (stated == COUNT_UNKNOWN || usize::from(stated) == count);
        is_right.then_some(Listpack { bytes })
    }

    /// The listpack as bytes, as RDB files have it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Number of elements. Counts them when they are 65535 or more.
    pub fn len(&self) -> usize {
        match u16::from_le_bytes([self.bytes[4], self.bytes[5]]) {
            COUNT_UNKNOWN => self.iter().count(),
            count => usize::from(count),
        }
    }

    /// Whether it has no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER_BYTES + 1
    }

    /// Position behind the last element, for `insert`.
    #[inline]
    pub fn end(&self) -> usize {
        self.bytes.len() - 1
    }

    /// Position of the first element.
    #[inline]
    pub fn first(&self) -> Option<usize> {
        (!self.is_empty()).then_some(HEADER_BYTES)
    }

    /// Position of the last element.
    #[inline]
    pub fn last(&self) -> Option<usize> {
        self.previous(self.end())
    }

    /// Position of the element behind the one at `at`.
    #[inline]
    pub fn next(&self, at: usize) -> Option<usize> {
        let next = self.end_of(at);
        (next < self.end()).then_some(next)
    }

    /// Position of the element before `at`, which may be `end()`.
    #[inline]
    pub fn previous(&self, at: usize) -> Option<usize> {
        if at <= HEADER_BYTES {
            return None;
        }
        let (mut body, mut shift, mut from) = (0usize, 0, at - 1);
        loop {
            let byte = self.bytes[from];
            body |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(from - body);
            }
            from -= 1;
            shift += 7;
        }
    }

    /// The element at a position.
    #[inline]
    pub fn get(&self, at: usize) -> Element<'_> {
        self.decoded(at).0
    }

    /// Position of the element with this index, from the end when negative (-1 is the last).
    pub fn seek(&self, index: i64) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        let known = u16::from_le_bytes([self.bytes[4], self.bytes[5]]);
        let mut index = index;
        if known != COUNT_UNKNOWN {
            // The shorter way.
            let count = i64::from(known);
            if index >= count || index < -count {
                return None;
            }
            if index > count / 2 {
                index -= count;
            } else if index < -count / 2 {
                index += count;
            }
        }
        if index >= 0 {
            let mut at = self.first();
            for _ in 0..index {
                at = self.next(at?);
            }
            at
        } else {
            let mut at = self.last();
            for _ in 0..-(index + 1) {
                at = self.previous(at?);
            }
            at
        }
    }

    /// All elements in order.
    pub fn iter(&self) -> Elements<'_> {
        Elements { pack: self, at: HEADER_BYTES }
    }

    /// All elements from a position on.
    pub fn iter_from(&self, at: usize) -> Elements<'_> {
        Elements { pack: self, at }
    }

    /// Position of the first element equal to `wanted` among those at `from`, then every `skip + 1`-th.
    pub fn find(&self, wanted: &[u8], from: usize, skip: usize) -> Option<usize> {
        let wanted = Element::of(wanted);
        let mut at = from;
        while at < self.end() {
            let (element, body) = self.decoded(at);
            if element.equals(wanted) {
                return Some(at);
            }
            at += body + back_length_bytes(body);
            for _ in 0..skip {
                if at >= self.end() {
                    return None;
                }
                at = self.end_of(at);
            }
        }
        None
    }

    /// Puts an element before the one at `at` (or behind the last one, at `end()`). Returns its position, which is `at`.
    pub fn insert(&mut self, at: usize, element: Element<'_>) -> usize {
        self.splice(at, at, &[element], 1);
        at
    }

    /// Puts two elements before the one at `at` (or behind the last one, at `end()`).
    pub fn insert_pair(&mut self, at: usize, first: Element<'_>, second: Element<'_>) {
        self.splice(at, at, &[first, second], 2);
    }

    /// Puts an element behind the last one.
    pub fn push_back(&mut self, element: Element<'_>) {
        let added = element.packed_bytes();
        self.reserve(added);
        let at = self.end();
        self.bytes.resize(at + added + 1, END);
        element.write(&mut self.bytes[at..at + added]);
        self.count(1);
    }

    /// Puts elements behind the last one.
    pub fn extend<'a>(&mut self, elements: impl Iterator<Item = Element<'a>>) {
        let mut back = [0; 5];
        let mut count = 0;
        self.bytes.pop();
        for element in elements {
            let (prefix, prefix_len) = element.prefix();
            let data = if let Element::Bytes(bytes) = element { bytes } else { b"" };
            let body = prefix_len + data.len();
            let back_bytes = back_length_bytes(body);
            write_back_length(body, &mut back);
            // One byte more for the end, so that pushing it never allocates.
            self.reserve(body + back_bytes + 1);
            self.bytes.extend_from_slice(&prefix[..prefix_len]);
            self.bytes.extend_from_slice(data);
            self.bytes.extend_from_slice(&back[..back_bytes]);
            count += 1;
        }
        self.bytes.push(END);
        self.count(count);
    }

    /// Takes room for so many bytes in all.
    pub fn reserve_total(&mut self, bytes: usize) {
        self.bytes.reserve_exact(bytes.saturating_sub(self.bytes.len()));
    }

    /// Puts an element before the first one.
    pub fn push_front(&mut self, element: Element<'_>) {
        let added = element.packed_bytes();
        self.reserve(added);
        let old_len = self.bytes.len();
        self.bytes.resize(old_len + added, END);
        self.bytes.copy_within(HEADER_BYTES..old_len, HEADER_BYTES + added);
        element.write(&mut self.bytes[HEADER_BYTES..HEADER_BYTES + added]);
        self.count(1);
    }

    /// Removes the first element, if there is one.
    pub fn remove_first(&mut self) {
        if !self.is_empty() {
            let (to, len) = (self.end_of(HEADER_BYTES), self.bytes.len());
            self.bytes.copy_within(to.., HEADER_BYTES);
            self.bytes.truncate(len - (to - HEADER_BYTES));
            self.count(-1);
            self.release();
        }
    }

    /// Removes the last element, if there is one.
    pub fn remove_last(&mut self) {
        if let Some(at) = self.last() {
            self.bytes[at] = END;
            self.bytes.truncate(at + 1);
            self.count(-1);
            self.release();
        }
    }

    /// Puts another element in the place of the one at `at`, where the new one stands then.
    pub fn replace(&mut self, at: usize, element: Element<'_>) {
        let to = self.end_of(at);
        if element.packed_bytes() == to - at {
            element.write(&mut self.bytes[at..to]);
        } else {
            self.splice(at, to, &[element], 0);
        }
    }

    /// Removes an element; `at` is the position of what followed it then (or `end()`).
    pub fn remove(&mut self, at: usize) {
        self.splice(at, self.end_of(at), &[], -1);
    }

    /// Removes up to `count` elements from `at` on; returns how many.
    pub fn remove_range(&mut self, at: usize, count: usize) -> usize {
        let (mut to, mut removed) = (at, 0);
        while removed < count && to < self.end() {
            to = self.end_of(to);
            removed += 1;
        }
        self.splice(at, to, &[], -(removed as i64));
        removed
    }

    /// Removes all elements that `remove` says, in one pass; returns how many.
    pub fn remove_where(&mut self, mut remove: impl FnMut(Element<'_>) -> bool) -> usize {
        let (mut at, mut to, mut removed) = (HEADER_BYTES, HEADER_BYTES, 0);
        while at < self.end() {
            let (element, body) = self.decoded(at);
            let next = at + body + back_length_bytes(body);
            if remove(element) {
                removed += 1;
            } else {
                if to < at {
                    self.bytes.copy_within(at..next, to);
                }
                to += next - at;
            }
            at = next;
        }
        if removed > 0 {
            self.splice(to, self.end(), &[], -removed);
        }
        removed as usize
    }

    /// Moves the elements from `at` on into a listpack of their own.
    pub fn split_off(&mut self, at: usize) -> Listpack {
        let mut rest = Listpack::new();
        let count = self.iter_from(at).count();
        rest.reserve(self.end() - at);
        rest.bytes.pop();
        rest.bytes.extend_from_slice(&self.bytes[at..self.end()]);
        rest.bytes.push(END);
        rest.count(count as i64);
        self.splice(at, self.end(), &[], -(count as i64));
        rest
    }

    /// Appends all elements of another listpack.
    pub fn append(&mut self, other: &Listpack) {
        let count = other.len();
        self.reserve(other.end() - HEADER_BYTES);
        self.bytes.pop();
        self.bytes.extend_from_slice(&other.bytes[HEADER_BYTES..]);
        self.count(count as i64);
    }

    /// Gives back capacity that is not used.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    #[inline]
    fn decoded(&self, at: usize) -> (Element<'_>, usize) {
        decode(&self.bytes, at).expect("the format was checked when the bytes came in")
    }

    #[inline]
    fn end_of(&self, at: usize) -> usize {
        let body = self.decoded(at).1;
        at + body + back_length_bytes(body)
    }

    /// Room for so many more bytes, without the doubling that would cost small collections half of their memory.
    fn reserve(&mut self, added: usize) {
        let needed = self.bytes.len() + added;
        if needed > self.bytes.capacity() {
            self.bytes.reserve_exact(block_bytes(needed) - self.bytes.len());
        }
    }

    /// Puts elements in the place of the bytes `from..to`; `change` is by how much the number of elements changes.
    fn splice(&mut self, from: usize, to: usize, elements: &[Element<'_>], change: i64) {
        let added: usize = elements.iter().map(|element| element.packed_bytes()).sum();
        self.reserve(added.saturating_sub(to - from));
        let old_len = self.bytes.len();
        if added > to - from {
            let more = added - (to - from);
            self.bytes.resize(old_len + more, 0);
            self.bytes.copy_within(to..old_len, to + more);
        } else if added < to - from {
            self.bytes.copy_within(to..old_len, from + added);
            self.bytes.truncate(old_len - (to - from - added));
        }
        let mut start = from;
        for element in elements {
            let packed = element.packed_bytes();
            element.write(&mut self.bytes[start..start + packed]);
            start += packed;
        }
        self.count(change);
        if added < to - from {
            self.release();
        }
    }

    /// Capacity that has become far too large is given back.
    fn release(&mut self) {
        if self.bytes.capacity() > 2 * self.bytes.len() + 4 * GRAIN_BYTES {
            self.bytes.shrink_to(self.bytes.len().next_multiple_of(GRAIN_BYTES));
        }
    }

    /// Brings the header up to date after a change of the number of elements.
    fn count(&mut self, change: i64) {
        let known = u16::from_le_bytes([self.bytes[4], self.bytes[5]]);
        let total = (self.bytes.len() as u32).to_le_bytes();
        self.bytes[..4].copy_from_slice(&total);
        let count = match known {
            // Once unknown, stays unknown until somebody counts fewer: as Redis does, only emptiness is noticed here.
            COUNT_UNKNOWN if self.bytes.len() > HEADER_BYTES + 1 => COUNT_UNKNOWN,
            COUNT_UNKNOWN => 0,
            known => (i64::from(known) + change).clamp(0, i64::from(COUNT_UNKNOWN)) as u16,
        };
        self.bytes[4..6].copy_from_slice(&count.to_le_bytes());
    }
}

/// The elements of a listpack in order.
#[derive(Clone)]
pub struct Elements<'a> {
    pack: &'a Listpack,
    at: usize,
}

impl Elements<'_> {
    /// Position of the next element, or `end()`.
    pub fn next_at(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.at >= self.pack.end() {
            return None;
        }
        let (element, body) = self.pack.decoded(self.at);
        self.at += body + back_length_bytes(body);
        Some(element)
    }

    /// Passes over elements by their lengths.
    #[inline]
    fn nth(&mut self, count: usize) -> Option<Element<'a>> {
        for _ in 0..count {
            if self.at >= self.pack.end() {
                return None;
            }
            let body = body_bytes(&self.pack.bytes, self.at);
            self.at += body + back_length_bytes(body);
        }
        self.next()
    }
}

#[cfg(test)]
#[path = "listpack_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "listpack_fuzz.rs"]
mod fuzz;
