//! Ziplist: what small collections were packed in before listpacks (Redis 2.2 to 6.2). Only read, into a listpack.
//!
//! ```text
//! total bytes u32 | offset of the last element u32 | number of elements u16 (65535: too many) | elements… | 0xff
//! element = length of the element before (one byte, or 0xfe and u32) | encoding | data
//! 00nnnnnn  string of up to 63 bytes      01nnnnnn nnnnnnnn  of up to 16383      10xxxxxx n×4  of any length
//! c0 d0 e0  integer of 2, 4, 8 bytes      f0 fe  of 3 bytes, of 1                f1…fd  0 to 12
//! ```
//!
//! Lengths of strings have their highest byte first, all other numbers their lowest. Source: Redis' ziplist.c.

use crate::value::listpack::{Element, Listpack};

const HEADER_BYTES: usize = 10;
const END: u8 = 0xff;
const LONG_LENGTH: u8 = 0xfe;

/// The elements of a ziplist as a listpack; none unless every byte of it is in its place.
pub fn to_listpack(bytes: &[u8]) -> Option<Listpack> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
    let total = u32::from_le_bytes(*header.first_chunk()?);
    let last = u32::from_le_bytes(*header[4..].first_chunk()?) as usize;
    let stated = u16::from_le_bytes(*header[8..].first_chunk()?);
    let (&end, elements) = rest.split_last()?;
    if total as usize != bytes.len() || end != END || last > bytes.len() - 1 {
        return None;
    }
    let mut pack = Listpack::new();
    let (mut at, mut before, mut count) = (0, 0, 0usize);
    while at < elements.len() {
        let (element, bytes_taken) = decode(&elements[at..], before)?;
        pack.push_back(element);
        before = bytes_taken;
        at += bytes_taken;
        count += 1;
    }
    let last_is_right = count == 0 || last == HEADER_BYTES + at - before;
    let count_is_right = stated == u16::MAX || usize::from(stated) == count;
    (last_is_right && count_is_right).then_some(pack)
}

/// The first element, which says that the one before it takes `before` bytes, and the bytes it takes itself.
fn decode(bytes: &[u8], before: usize) -> Option<(Element<'_>, usize)> {
    let (stated, prefix) = match *bytes.first()? {
        END => return None,
        LONG_LENGTH => (u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?) as usize, 5),
        short => (usize::from(short), 1),
    };
    if stated != before {
        return None;
    }
    let bytes = &bytes[prefix..];
    let string = |header: usize, length: usize| -> Option<(Element<'_>, usize)> {
        let text = bytes.get(header..header.checked_add(length)?)?;
        Some((Element::of(text), prefix + header + length))
    };
    let integer = |count: usize| -> Option<(Element<'_>, usize)> {
        let mut word = [0; 8];
        word[8 - count..].copy_from_slice(bytes.get(1..1 + count)?);
        Some((Element::Integer(i64::from_le_bytes(word) >> (64 - 8 * count)), prefix + 1 + count))
    };
    match *bytes.first()? {
        first @ 0x00..=0x3f => string(1, usize::from(first)),
        first @ 0x40..=0x7f => string(2, usize::from(first & 0x3f) << 8 | usize::from(*bytes.get(1)?)),
        0x80..=0xbf => string(5, u32::from_be_bytes(*bytes.get(1..)?.first_chunk()?) as usize),
        0xc0 => integer(2),
        0xd0 => integer(4),
        0xe0 => integer(8),
        0xf0 => integer(3),
        0xfe => integer(1),
        first @ 0xf1..=0xfd => Some((Element::Integer(i64::from(first) - 0xf1), prefix + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
        Some(to_listpack(bytes)?.iter().map(|element| element.to_text().into_owned()).collect())
    }

    fn texts(texts: &[&str]) -> Option<Vec<Vec<u8>>> {
        Some(texts.iter().map(|text| text.as_bytes().to_vec()).collect())
    }

    #[test]
    fn every_encoding() {
        // The example in the format's description.
        let two_and_five = b"\x0f\0\0\0\x0c\0\0\0\x02\0\x00\xf3\x02\xf6\xff";
        assert_eq!(elements(two_and_five), texts(&["2", "5"]));
        assert_eq!(elements(b"\x0b\0\0\0\x0a\0\0\0\0\0\xff"), texts(&[]));
        let mut bytes = b"\0\0\0\0\0\0\0\0\x0b\0".to_vec();
        let parts: &[&[u8]] = &[
            b"\xf1",
            b"\xfd",
            b"\xfe\xff",
            b"\xc0\x00\x80",
            b"\xf0\x00\x00\x80",
            b"\xd0\x00\x00\x00\x80",
            b"\xe0\x00\x00\x00\x00\x00\x00\x00\x80",
            b"\x03abc",
            b"\x40\x0212",
            b"\x80\x00\x00\x00\x01x",
            b"\x00",
        ];
        let mut before = 0;
        for (index, part) in parts.iter().enumerate() {
            let last = bytes.len() as u32;
            bytes[4..8].copy_from_slice(&last.to_le_bytes());
            // A length may be written the long way though it is short.
            if index == 3 {
                bytes.extend_from_slice(&[0xfe, before, 0, 0, 0])
            } else {
                bytes.push(before)
            }
            bytes.extend_from_slice(part);
            before = (bytes.len() as u32 - last) as u8;
        }
        bytes.push(END);
        let total = bytes.len() as u32;
        bytes[..4].copy_from_slice(&total.to_le_bytes());
        let expected =
            ["0", "12", "-1", "-32768", "-8388608", "-2147483648", "-9223372036854775808", "abc", "12", "x", ""];
        assert_eq!(elements(&bytes), texts(&expected));
        // No byte of it can be cut off, and hardly one be another.
        for cut in 0..bytes.len() {
            assert_eq!(elements(&bytes[..cut]), None);
        }
        for at in 0..HEADER_BYTES {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(elements(&changed), None, "byte {at}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        bolero::check!().with_type::<(Vec<u8>, u16)>().for_each(|(inner, last)| {
            let mut bytes = (inner.len() as u32 + 11).to_le_bytes().to_vec();
            bytes.extend_from_slice(&u32::from(*last).to_le_bytes());
            bytes.extend_from_slice(b"\xff\xff");
            bytes.extend_from_slice(inner);
            bytes.push(END);
            if let Some(pack) = to_listpack(&bytes) {
                assert!(Listpack::from_bytes(pack.as_bytes().to_vec()).is_some());
            }
        });
    }
}
