//! The IDs of stream entries: milliseconds and a sequence number, and their text. Used everywhere in the stream family.

use crate::stdx::number::{self, INTEGER_TEXT_BYTES_MAX};

/// Bytes of the longest text of an ID: two integers and a hyphen.
pub const ID_TEXT_BYTES_MAX: usize = 2 * INTEGER_TEXT_BYTES_MAX + 1;

/// An argument of this many bytes is no ID, whatever it says (Redis copies it into a buffer of this size).
const ID_ARGUMENT_BYTES_MAX: usize = 127;

/// The ID of a stream entry. Ordered as streams are: by time, then by sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix time in milliseconds, if nobody chose otherwise.
    pub ms: u64,
    /// Counts entries of the same millisecond.
    pub sequence: u64,
}

/// What an ID given as text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdText {
    /// `ms-sequence`, or `ms` with the sequence number the caller puts in.
    Whole(StreamId),
    /// `ms-*`: the stream chooses the sequence number.
    AutomaticSequence(u64),
}

impl StreamId {
    /// The least ID, which no entry has.
    pub const MIN: StreamId = StreamId { ms: 0, sequence: 0 };
    /// The greatest ID.
    pub const MAX: StreamId = StreamId { ms: u64::MAX, sequence: u64::MAX };

    /// An ID of these parts.
    pub const fn new(ms: u64, sequence: u64) -> StreamId {
        StreamId { ms, sequence }
    }

    /// The next greater ID; none behind the greatest.
    pub fn next(self) -> Option<StreamId> {
        match self.sequence.checked_add(1) {
            Some(sequence) => Some(StreamId { sequence, ..self }),
            None => Some(StreamId { ms: self.ms.checked_add(1)?, sequence: 0 }),
        }
    }

    /// The next smaller ID; none before the least.
    pub fn previous(self) -> Option<StreamId> {
        match self.sequence.checked_sub(1) {
            Some(sequence) => Some(StreamId { sequence, ..self }),
            None => Some(StreamId { ms: self.ms.checked_sub(1)?, sequence: u64::MAX }),
        }
    }

    /// The ID as files and DUMP have it: 128 bits, most significant first.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.sequence)).to_be_bytes()
    }

    /// The ID that `to_bytes` gave these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> StreamId {
        let word = u128::from_be_bytes(bytes);
        StreamId { ms: (word >> 64) as u64, sequence: word as u64 }
    }

    /// Writes `ms-sequence` and returns it.
    pub fn format(self, buffer: &mut [u8; ID_TEXT_BYTES_MAX]) -> &[u8] {
        self.format_with(b'-', buffer)
    }

    /// As `format` with another byte between the parts (DEBUG DIGEST).
    pub fn format_with(self, between: u8, buffer: &mut [u8; ID_TEXT_BYTES_MAX]) -> &[u8] {
        let mut digits = [0; INTEGER_TEXT_BYTES_MAX];
        let ms = number::format_u64(&mut digits, self.ms);
        let mut end = ms.len();
        buffer[..end].copy_from_slice(ms);
        buffer[end] = between;
        end += 1;
        let sequence = number::format_u64(&mut digits, self.sequence);
        buffer[end..end + sequence.len()].copy_from_slice(sequence);
        end += sequence.len();
        &buffer[..end]
    }

    /// Reads `ms` or `ms-sequence`; where no sequence number is given it is `missing_sequence`.
    pub fn parse(text: &[u8], missing_sequence: u64) -> Option<StreamId> {
        match StreamId::parse_text(text, missing_sequence, false)? {
            IdText::Whole(id) => Some(id),
            IdText::AutomaticSequence(_) => None,
        }
    }

    /// As `parse`; `ms-*` is allowed too.
    pub fn parse_with_automatic(text: &[u8]) -> Option<IdText> {
        StreamId::parse_text(text, 0, true)
    }

    /// As `parse`; `-` is the least ID and `+` the greatest.
    pub fn parse_bound(text: &[u8], missing_sequence: u64) -> Option<StreamId> {
        match until_nul(text) {
            _ if text.len() > ID_ARGUMENT_BYTES_MAX => None,
            b"-" => Some(StreamId::MIN),
            b"+" => Some(StreamId::MAX),
            _ => StreamId::parse(text, missing_sequence),
        }
    }

    fn parse_text(text: &[u8], missing_sequence: u64, automatic: bool) -> Option<IdText> {
        if text.len() > ID_ARGUMENT_BYTES_MAX {
            return None;
        }
        let text = until_nul(text);
        let Some(hyphen) = memchr::memchr(b'-', text) else {
            return Some(IdText::Whole(StreamId::new(number::parse_u64(text)?, missing_sequence)));
        };
        let ms = number::parse_u64(&text[..hyphen])?;
        match &text[hyphen + 1..] {
            b"*" if automatic => Some(IdText::AutomaticSequence(ms)),
            sequence => Some(IdText::Whole(StreamId::new(ms, number::parse_u64(sequence)?))),
        }
    }
}

/// What a C string of these bytes would be.
pub fn until_nul(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: StreamId) -> String {
        String::from_utf8_lossy(id.format(&mut [0; ID_TEXT_BYTES_MAX])).into_owned()
    }

    #[test]
    fn neighbours() {
        let table = [
            (StreamId::new(0, 0), None, Some(StreamId::new(0, 1))),
            (StreamId::new(5, 0), Some(StreamId::new(4, u64::MAX)), Some(StreamId::new(5, 1))),
            (StreamId::new(5, u64::MAX), Some(StreamId::new(5, u64::MAX - 1)), Some(StreamId::new(6, 0))),
            (StreamId::MAX, Some(StreamId::new(u64::MAX, u64::MAX - 1)), None),
        ];
        for (id, previous, next) in table {
            assert_eq!((id.previous(), id.next()), (previous, next), "{id:?}");
        }
    }

    #[test]
    fn texts() {
        assert_eq!(text(StreamId::MAX), "18446744073709551615-18446744073709551615");
        assert_eq!(text(StreamId::new(12, 0)), "12-0");
        assert_eq!(StreamId::new(1, 2).format_with(b'.', &mut [0; ID_TEXT_BYTES_MAX]), b"1.2");
        let table: &[(&[u8], Option<StreamId>)] = &[
            (b"5-7", Some(StreamId::new(5, 7))),
            (b"5", Some(StreamId::new(5, 9))),
            (b"007-01", Some(StreamId::new(7, 1))),
            (b" 5-+7", Some(StreamId::new(5, 7))),
            (b"5-7\x00junk", Some(StreamId::new(5, 7))),
            (b"18446744073709551615-18446744073709551615", Some(StreamId::MAX)),
            (b"18446744073709551616", None),
            (b"5--1", None),
            (b"-5", None),
            (b"-", None),
            (b"+", None),
            (b"", None),
            (b"5-", None),
            (b"5-*", None),
            (b"x", None),
        ];
        for (given, expected) in table {
            assert_eq!(StreamId::parse(given, 9), *expected, "{:?}", String::from_utf8_lossy(given));
        }
        assert_eq!(StreamId::parse(&[b'0'; 127], 0), Some(StreamId::MIN));
        assert_eq!(StreamId::parse(&[b'0'; 128], 0), None);
        assert_eq!(StreamId::parse_bound(b"-", 0), Some(StreamId::MIN));
        assert_eq!(StreamId::parse_bound(b"+", 0), Some(StreamId::MAX));
        assert_eq!(StreamId::parse_bound(b"3", 4), Some(StreamId::new(3, 4)));
        assert_eq!(StreamId::parse_with_automatic(b"3-*"), Some(IdText::AutomaticSequence(3)));
        assert_eq!(StreamId::parse_with_automatic(b"*-3"), None);
    }

    #[test]
    fn bytes_are_ordered_as_ids_are() {
        let ids = [StreamId::MIN, StreamId::new(0, 1), StreamId::new(1, 0), StreamId::new(256, 3), StreamId::MAX];
        for pair in ids.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].to_bytes() < pair[1].to_bytes());
        }
        for id in ids {
            assert_eq!(StreamId::from_bytes(id.to_bytes()), id);
        }
    }
}
