//! Hashes from RDB. Called by `value_read.rs`.

use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::hash::{Hash, PackedLimits, Refused};
use crate::value::listpack::{Element, Listpack};

use super::error::LoadError;
use super::form::Form;
use super::reader::Reader;

/// Latest time at which a field may expire, Unix milliseconds (Redis' EB_EXPIRE_TIME_MAX).
const TIME_MAX_MS: i64 = (1 << 48) - 2;

/// What is said of a packed hash that is none.
#[derive(Clone, Copy)]
pub(super) struct Words {
    /// Elements are missing or in no order.
    pub(super) damaged: &'static str,
    /// A field stands in it twice.
    pub(super) twice: &'static str,
}

const NO_TIME: &str = "a field that expires at no possible time";

/// Count, fields each with its value.
pub(super) fn fields(reader: &mut Reader<'_>, limits: PackedLimits) -> Result<Hash, LoadError> {
    let count = reader.count()?;
    let mut hash = Hash::new();
    hash.make_room(count as usize, 0, 0, limits);
    for _ in 0..count {
        set_next(&mut hash, reader, None, limits)?;
    }
    Ok(hash)
}

/// Reads a field and its value.
fn set_next(
    hash: &mut Hash,
    reader: &mut Reader<'_>,
    at_ms: Option<i64>,
    limits: PackedLimits,
) -> Result<(), LoadError> {
    let (field, value) = (reader.text()?, reader.text()?);
    let (mut field_scratch, mut value_scratch) = ([0; INTEGER_TEXT_BYTES_MAX], [0; INTEGER_TEXT_BYTES_MAX]);
    let (field, value) = (field.bytes(&mut field_scratch), value.bytes(&mut value_scratch));
    if !hash.set(field, value, false, limits) {
        return Err(reader.corrupt("a field of a hash twice"));
    }
    // Valkey's times follow the value.
    if let Some(at_ms) = at_ms {
        hash.add_times();
        hash.set_time(field, at_ms);
    }
    Ok(())
}

/// Fields with values and times, in the three ways there are.
pub(super) fn timed_fields(reader: &mut Reader<'_>, form: Form, limits: PackedLimits) -> Result<Hash, LoadError> {
    let first_ms = if form == Form::HashExpiries { reader.word()? } else { 1 };
    let count = reader.count()?;
    let mut hash = Hash::new();
    hash.make_room(count as usize, 0, 0, limits);
    for _ in 0..count {
        if form == Form::HashExpiriesAbsolute {
            set_valkey_field(&mut hash, reader, limits)?;
            continue;
        }
        // Relative to the first one and more by one, since 0 stands for none.
        let at_ms = match reader.length()? {
            0 => None,
            relative => {
                Some(first_ms.wrapping_sub(1).checked_add(relative).and_then(|at_ms| i64::try_from(at_ms).ok()))
            }
        };
        let at_ms = match at_ms {
            None => None,
            Some(Some(at_ms @ 1..=TIME_MAX_MS)) => Some(at_ms),
            Some(_) => return Err(reader.corrupt(NO_TIME)),
        };
        set_next(&mut hash, reader, at_ms, limits)?;
    }
    Ok(hash)
}

/// Field, value, and the time or -1.
fn set_valkey_field(hash: &mut Hash, reader: &mut Reader<'_>, limits: PackedLimits) -> Result<(), LoadError> {
    let mut ahead = reader.clone();
    ahead.skip_text()?;
    ahead.skip_text()?;
    let at_ms = match ahead.word()? as i64 {
        -1 => None,
        // A field whose time came before time began is as gone as one whose time came then.
        at_ms @ 0..=TIME_MAX_MS => Some(at_ms.max(1)),
        _ => return Err(ahead.corrupt(NO_TIME)),
    };
    set_next(hash, reader, at_ms, limits)?;
    reader.word().map(drop)
}

/// A listpack of fields and values in turn, or of fields, values and times.
pub(super) fn of_listpack(pack: Listpack, timed: bool, words: Words, reader: &Reader<'_>) -> Result<Hash, LoadError> {
    if pack.is_empty() {
        return Err(reader.empty());
    }
    let is_time = |element| matches!(element, Element::Integer(0..=TIME_MAX_MS));
    if timed && !pack.iter().skip(2).step_by(3).all(is_time) {
        return Err(reader.corrupt(NO_TIME));
    }
    Hash::from_listpack(pack, timed).map_err(|refused| {
        reader.corrupt(match refused {
            Refused::Damaged => words.damaged,
            Refused::Twice => words.twice,
        })
    })
}
