//! Zipmap: what small hashes were packed in before Redis 2.6. Only read, into a listpack of fields and values.
//!
//! ```text
//! number of pairs u8 (254: too many) | pairs… | 0xff
//! pair = length | field | length | free u8 | value | free bytes without meaning
//! length = one byte up to 253, or 0xfe and u32, the lowest byte first
//! ```
//!
//! Source: Redis' zipmap.c.

use crate::value::listpack::{Element, Listpack};

const END: u8 = 0xff;
const LONG_LENGTH: u8 = 0xfe;

/// Fields and values in turn; none unless every byte is in its place.
pub fn to_listpack(bytes: &[u8]) -> Option<Listpack> {
    let (&stated, rest) = bytes.split_first()?;
    let (&end, pairs) = rest.split_last()?;
    if end != END {
        return None;
    }
    let mut pack = Listpack::new();
    let (mut rest, mut count) = (pairs, 0usize);
    while !rest.is_empty() {
        let (field, after) = take_text(rest, false)?;
        let (value, after) = take_text(after, true)?;
        pack.push_back(Element::of(field));
        pack.push_back(Element::of(value));
        rest = after;
        count += 1;
    }
    // A zipmap never was without pairs: Redis takes an empty one for damage.
    (count > 0 && (stated >= LONG_LENGTH || usize::from(stated) == count)).then_some(pack)
}

/// The first string and what follows it.
fn take_text(bytes: &[u8], may_have_free: bool) -> Option<(&[u8], &[u8])> {
    let (length, header) = match *bytes.first()? {
        END => return None,
        LONG_LENGTH => (u32::from_le_bytes(*bytes.get(1..)?.first_chunk()?) as usize, 5),
        short => (usize::from(short), 1),
    };
    let (free, bytes) = if may_have_free {
        (usize::from(*bytes.get(header)?), bytes.get(header + 1..)?)
    } else {
        (0, bytes.get(header..)?)
    };
    let (text, rest) = bytes.split_at_checked(length)?;
    Some((text, rest.get(free..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(bytes: &[u8]) -> Option<Vec<String>> {
        let text = |element: Element<'_>| String::from_utf8_lossy(&element.to_text()).into_owned();
        Some(to_listpack(bytes)?.iter().map(text).collect())
    }

    #[test]
    fn pairs_are_read() {
        // The example in the format's description.
        let two = b"\x02\x03foo\x03\x00bar\x05hello\x05\x00world\xff";
        assert_eq!(pairs(two).expect("it is right"), ["foo", "bar", "hello", "world"]);
        for cut in 0..two.len() {
            assert_eq!(pairs(&two[..cut]), None);
        }
        let free = b"\xfe\xfe\x01\x00\x00\x00a\x011\x31zzz".map(|byte| byte);
        assert_eq!(pairs(&free), None);
        assert_eq!(pairs(b"\x01\xfe\x01\x00\x00\x00a\x01\x021zz\xff").expect("it is right"), ["a", "1"]);
        for wrong in [&b""[..], b"\x00\xff", b"\xff", b"\x02\x01a\x01\x00b\xff", b"\x01\x01a\xff", b"\x01\x01a\x01\x05b\xff"] {
            assert_eq!(pairs(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        bolero::check!().for_each(|bytes: &[u8]| {
            if let Some(pack) = to_listpack(bytes) {
                assert!(Listpack::from_bytes(pack.as_bytes().to_vec()).is_some());
            }
        });
    }
}
