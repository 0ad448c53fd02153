//! Where a value ends, without making it: what the one thread that cuts a file into keys does for each of them.
//!
//! Only lengths are looked at; whether the value is one is found out by whoever makes it (`value_read.rs`).

use super::error::{Cause, LoadError};
use super::form::Form;
use super::reader::Reader;
use super::value_read::skip_module_value;

/// Passes over the value behind its form.
pub fn skip_value(reader: &mut Reader<'_>, form: Form) -> Result<(), LoadError> {
    match form {
        Form::String
        | Form::HashZipmap
        | Form::ListZiplist
        | Form::SetIntset
        | Form::SortedSetZiplist
        | Form::HashZiplist
        | Form::HashListpack
        | Form::SortedSetListpack
        | Form::SetListpack
        | Form::HashListpackExpiriesOld => reader.skip_text(),
        Form::HashListpackExpiries => {
            reader.word()?;
            reader.skip_text()
        }
        Form::List | Form::Set | Form::ListZiplists => texts(reader, 1),
        Form::Hash => texts(reader, 2),
        Form::SortedSet => each(reader, |reader| {
            reader.skip_text()?;
            reader.word().map(drop)
        }),
        Form::SortedSetText => each(reader, |reader| {
            reader.skip_text()?;
            reader.double_text().map(drop)
        }),
        Form::ListListpacks => each(reader, |reader| {
            reader.length()?;
            reader.skip_text()
        }),
        Form::HashExpiries => {
            reader.word()?;
            each(reader, skip_timed_field)
        }
        Form::HashExpiriesOld => each(reader, skip_timed_field),
        Form::HashExpiriesAbsolute => each(reader, |reader| {
            reader.skip_text()?;
            reader.skip_text()?;
            reader.word().map(drop)
        }),
        Form::Stream5 | Form::Stream7 | Form::Stream72 => skip_stream(reader, form),
        Form::Module => skip_module_value(reader).map(drop),
        Form::ModuleOld => Err(LoadError { at: reader.at(), cause: Cause::UnknownForm(form as u8) }),
    }
}

/// A count, and so many parts.
fn each(reader: &mut Reader<'_>, skip: impl Fn(&mut Reader<'_>) -> Result<(), LoadError>) -> Result<(), LoadError> {
    for _ in 0..reader.length()? {
        skip(reader)?;
    }
    Ok(())
}

fn texts(reader: &mut Reader<'_>, in_each: usize) -> Result<(), LoadError> {
    each(reader, |reader| (0..in_each).try_for_each(|_| reader.skip_text()))
}

fn skip_timed_field(reader: &mut Reader<'_>) -> Result<(), LoadError> {
    reader.length()?;
    reader.skip_text()?;
    reader.skip_text()
}

fn lengths(reader: &mut Reader<'_>, count: usize) -> Result<(), LoadError> {
    (0..count).try_for_each(|_| reader.length().map(drop))
}

/// The layout is in `read_stream.rs`.
fn skip_stream(reader: &mut Reader<'_>, form: Form) -> Result<(), LoadError> {
    const ID_BYTES: usize = 16;
    texts(reader, 2)?;
    lengths(reader, if form == Form::Stream5 { 3 } else { 8 })?;
    each(reader, |reader| {
        reader.skip_text()?;
        lengths(reader, if form == Form::Stream5 { 2 } else { 3 })?;
        each(reader, |reader| {
            reader.take(ID_BYTES)?;
            reader.word()?;
            reader.length().map(drop)
        })?;
        each(reader, |reader| {
            reader.skip_text()?;
            reader.word()?;
            if form == Form::Stream72 {
                reader.word()?;
            }
            each(reader, |reader| reader.take(ID_BYTES).map(drop))
        })
    })
}
