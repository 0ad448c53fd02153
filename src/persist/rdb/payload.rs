//! DUMP's payload: form, value, and a footer of the version (two bytes) and the checksum (eight), lowest bytes first.

use crate::keyspace::entry::ValueRef;
use crate::persist::crc64;
use crate::stdx::limits::PAYLOAD_UNPACKED_BYTES_MAX;

use super::error::{Cause, LoadError};
use super::form::{self, Form};
use super::reader::Reader;
use super::value_read::{LoadLimits, Loaded, read_value};
use super::value_write::{form_of, write_value};
use super::writer::Writer;

const VERSION_BYTES: usize = 2;
const SUM_BYTES: usize = 8;

/// What is wrong with a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadError {
    /// The footer is missing, of a version that cannot be read, or its checksum wrong.
    Footer,
    /// The value is damaged.
    Value(LoadError),
}

impl From<LoadError> for PayloadError {
    fn from(error: LoadError) -> PayloadError {
        PayloadError::Value(error)
    }
}

/// A value as a payload of the oldest version that can hold it, Redis 7.0's or newer.
pub fn dump(value: &ValueRef<'_>, compresses: bool) -> Vec<u8> {
    let mut writer = Writer::new(compresses);
    let form = form_of(value, form::VERSION_7_0);
    writer.byte(form as u8);
    write_value(&mut writer, value, form);
    let mut payload = writer.bytes;
    payload.extend_from_slice(&form.version().to_le_bytes());
    let sum = crc64::update(0, &payload);
    payload.extend_from_slice(&sum.to_le_bytes());
    payload
}

/// The value in a payload; the checksum is compared only if asked to.
pub fn restore<'a>(payload: &'a [u8], checks_sum: bool, limits: &LoadLimits) -> Result<Loaded<'a>, PayloadError> {
    let (summed, sum) = payload.split_last_chunk::<SUM_BYTES>().ok_or(PayloadError::Footer)?;
    let (body, version) = summed.split_last_chunk::<VERSION_BYTES>().ok_or(PayloadError::Footer)?;
    let version = u16::from_le_bytes(*version);
    let is_right = !checks_sum || crc64::update(0, summed) == u64::from_le_bytes(*sum);
    if !is_right || !form::is_readable_version(version) {
        return Err(PayloadError::Footer);
    }
    let mut reader = Reader::new(body, PAYLOAD_UNPACKED_BYTES_MAX);
    let number = reader.byte()?;
    let form = Form::of_number(number, version).ok_or(LoadError { at: 0, cause: Cause::UnknownForm(number) })?;
    let loaded = read_value(&mut reader, form, limits)?;
    if reader.remaining() > 0 {
        return Err(reader.corrupt("something follows the value").into());
    }
    Ok(loaded)
}
