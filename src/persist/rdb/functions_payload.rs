//! FUNCTION DUMP's payload: libraries as an RDB file has them, each the sign of a function and its source, and the footer
//! of DUMP (`payload.rs`).

use crate::persist::crc64;
use crate::stdx::limits::PAYLOAD_UNPACKED_BYTES_MAX;

use super::reader::Reader;
use super::writer::Writer;
use super::{form, opcode};

const VERSION_BYTES: usize = 2;
const SUM_BYTES: usize = 8;

/// What is wrong with a payload of libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionsError {
    /// The footer is missing, of a version that cannot be read, or its checksum wrong.
    Footer,
    /// It ends where a sign is expected.
    Form,
    /// Libraries in the form of a release candidate of Redis 7.0.
    PreGa,
    /// Something else than a library.
    NotAFunction,
    /// A library is cut off or damaged.
    Damaged,
}

/// Libraries, given as their sources, as a payload.
pub fn dump<'a>(codes: impl Iterator<Item = &'a [u8]>, compresses: bool) -> Vec<u8> {
    let mut writer = Writer::new(compresses);
    for code in codes {
        writer.byte(opcode::FUNCTION);
        writer.packed(code);
    }
    let mut payload = writer.bytes;
    payload.extend_from_slice(&form::VERSION_7_0.to_le_bytes());
    let sum = crc64::update(0, &payload);
    payload.extend_from_slice(&sum.to_le_bytes());
    payload
}

/// The sources of the libraries in a payload; the checksum is compared only if asked to.
pub fn restore(payload: &[u8], checks_sum: bool) -> Result<Vec<Vec<u8>>, FunctionsError> {
    let (summed, sum) = payload.split_last_chunk::<SUM_BYTES>().ok_or(FunctionsError::Footer)?;
    let (body, version) = summed.split_last_chunk::<VERSION_BYTES>().ok_or(FunctionsError::Footer)?;
    let is_right = !checks_sum || crc64::update(0, summed) == u64::from_le_bytes(*sum);
    if !is_right || !form::is_readable_version(u16::from_le_bytes(*version)) {
        return Err(FunctionsError::Footer);
    }
    let mut reader = Reader::new(body, PAYLOAD_UNPACKED_BYTES_MAX);
    let mut codes = Vec::new();
    while reader.remaining() > 0 {
        match reader.byte().map_err(|_| FunctionsError::Form)? {
            opcode::FUNCTION => codes.push(reader.text().map_err(|_| FunctionsError::Damaged)?.into_vec()),
            opcode::FUNCTION_OLD => return Err(FunctionsError::PreGa),
            _ => return Err(FunctionsError::NotAFunction),
        }
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dumped_is_restored_and_nothing_else() {
        let codes = [b"#!lua name=a\nreturn 1".to_vec(), vec![b'x'; 10_000]];
        for compresses in [false, true] {
            let payload = dump(codes.iter().map(Vec::as_slice), compresses);
            assert_eq!(restore(&payload, true), Ok(codes.to_vec()));
            for end in 0..payload.len() {
                assert_eq!(restore(&payload[..end], true), Err(FunctionsError::Footer), "{end} bytes");
            }
            let mut other = payload.clone();
            other[0] = opcode::FUNCTION_OLD;
            assert_eq!(restore(&other, false), Err(FunctionsError::PreGa));
            other[0] = 0;
            assert_eq!(restore(&other, false), Err(FunctionsError::NotAFunction));
            other.drain(20..30);
            other[0] = opcode::FUNCTION;
            assert!(restore(&other, false).is_err());
        }
        assert_eq!(restore(&dump(std::iter::empty(), true), true), Ok(Vec::new()));
    }
}
