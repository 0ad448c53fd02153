//! Values from RDB: every form that Redis up to 7.4 and Valkey 9.0 write.
//!
//! What comes out holds to every invariant of its type; small forms get large where the parameters want that, as if the
//! elements had been added by commands. Called by RESTORE and by the reader of files.

use crate::value::hash::{self, Hash};
use crate::value::listpack::{Element, Listpack};
use crate::value::object::{Collection, Value};
use crate::value::set::SetLimits;
use crate::value::{list, sorted_set};

use super::error::{Cause, LoadError};
use super::form::Form;
use super::read_hash::Words;
use super::reader::{Reader, Text};
use super::{read_hash, read_list, read_set, read_sorted_set, read_stream, ziplist, zipmap};

// What Redis says in its log of packed forms that are damaged; tests and operators look for these words.
const SET_LISTPACK: &str = "Set listpack integrity check failed.";
const ZSET_ZIPLIST: &str = "Zset ziplist integrity check failed.";
const ZSET_LISTPACK: &str = "Zset listpack integrity check failed.";
const HASH_ZIPMAP: Words = Words { damaged: "Zipmap integrity check failed.", twice: "Hash zipmap with dup elements" };
const HASH_ZIPLIST: Words =
    Words { damaged: "Hash ziplist integrity check failed.", twice: "Hash ziplist integrity check failed." };
const HASH_LISTPACK: Words =
    Words { damaged: "Hash listpack integrity check failed.", twice: "Hash listpack with dup elements" };
const HASH_LISTPACKEX: Words =
    Words { damaged: "Hash listpackex integrity check failed.", twice: "Hash listpackex integrity check failed." };

/// Up to where small forms stay small, by type.
#[derive(Clone, Copy, Debug)]
pub struct LoadLimits {
    /// Of lists.
    pub list: list::Limits,
    /// Of sets.
    pub set: SetLimits,
    /// Of hashes.
    pub hash: hash::PackedLimits,
    /// Of sorted sets.
    pub sorted_set: sorted_set::PackedLimits,
}

/// What was read.
#[derive(Debug)]
pub enum Loaded<'a> {
    /// A string.
    String(Text<'a>),
    /// A value of another type.
    Value(Value),
}

/// Reads the value behind its form. After `Cause::Module` the reader stands behind the value, so that a file's reader may
/// pass over it.
pub fn read_value<'a>(reader: &mut Reader<'a>, form: Form, limits: &LoadLimits) -> Result<Loaded<'a>, LoadError> {
    let value = match form {
        Form::String => return reader.text().map(Loaded::String),
        Form::List => read_list::elements(reader, limits.list)?.into_value(),
        Form::ListZiplist => read_list::of_ziplist(reader, limits.list)?.into_value(),
        Form::ListZiplists => read_list::of_ziplists(reader, limits.list)?.into_value(),
        Form::ListListpacks => read_list::of_listpacks(reader, limits.list)?.into_value(),
        Form::Set => read_set::members(reader, &limits.set)?.into_value(),
        Form::SetIntset => read_set::of_intset(reader, &limits.set)?.into_value(),
        Form::SetListpack => read_set::of_listpack(listpack(reader, SET_LISTPACK)?, reader, &limits.set)?.into_value(),
        Form::SortedSet | Form::SortedSetText => {
            read_sorted_set::members(reader, form, limits.sorted_set)?.into_value()
        }
        Form::SortedSetZiplist => {
            read_sorted_set::of_listpack(ziplist(reader, ZSET_ZIPLIST)?, ZSET_ZIPLIST, reader, limits.sorted_set)?
                .into_value()
        }
        Form::SortedSetListpack => {
            read_sorted_set::of_listpack(listpack(reader, ZSET_LISTPACK)?, ZSET_LISTPACK, reader, limits.sorted_set)?
                .into_value()
        }
        Form::Hash
        | Form::HashZipmap
        | Form::HashZiplist
        | Form::HashListpack
        | Form::HashExpiriesOld
        | Form::HashListpackExpiriesOld
        | Form::HashExpiries
        | Form::HashListpackExpiries
        | Form::HashExpiriesAbsolute => hash(reader, form, limits.hash)?.into_value(),
        Form::Stream5 | Form::Stream7 | Form::Stream72 => read_stream::stream(reader, form)?.into_value(),
        Form::ModuleOld => return Err(LoadError { at: reader.at(), cause: Cause::UnknownForm(form as u8) }),
        Form::Module => {
            let at = reader.at();
            let id = skip_module_value(reader)?;
            return Err(LoadError { at, cause: Cause::Module(id) });
        }
    };
    Ok(Loaded::Value(value))
}

fn hash(reader: &mut Reader<'_>, form: Form, limits: hash::PackedLimits) -> Result<Hash, LoadError> {
    let (pack, timed, words) = match form {
        Form::HashZipmap => (zipmap(reader)?, false, HASH_ZIPMAP),
        Form::HashZiplist => (ziplist(reader, HASH_ZIPLIST.damaged)?, false, HASH_ZIPLIST),
        Form::HashListpack => (listpack(reader, HASH_LISTPACK.damaged)?, false, HASH_LISTPACK),
        Form::HashListpackExpiriesOld => (listpack(reader, HASH_LISTPACKEX.damaged)?, true, HASH_LISTPACKEX),
        Form::HashListpackExpiries => {
            // The first of the times, which stands in the listpack too.
            reader.word()?;
            (listpack(reader, HASH_LISTPACKEX.damaged)?, true, HASH_LISTPACKEX)
        }
        Form::HashExpiriesOld | Form::HashExpiries | Form::HashExpiriesAbsolute => {
            return read_hash::timed_fields(reader, form, limits);
        }
        _ => return read_hash::fields(reader, limits),
    };
    // Redis looks at the lengths of what comes out of a zipmap, and of nothing else that is packed.
    let longest = if form == Form::HashZipmap { pack.iter().map(Element::len).max().unwrap_or_default() } else { 0 };
    let mut hash = read_hash::of_listpack(pack, timed, words, reader)?;
    hash.make_room(hash.len(), longest, 0, limits);
    Ok(hash)
}

/// A string that holds a listpack; `damaged` is said when it does not.
pub(super) fn listpack(reader: &mut Reader<'_>, damaged: &'static str) -> Result<Listpack, LoadError> {
    let at = reader.at();
    Listpack::from_bytes(reader.text()?.into_vec()).ok_or(LoadError::corrupt(at, damaged))
}

/// A string that holds a ziplist; `damaged` is said when it does not.
pub(super) fn ziplist(reader: &mut Reader<'_>, damaged: &'static str) -> Result<Listpack, LoadError> {
    converted(reader, ziplist::to_listpack, damaged)
}

fn zipmap(reader: &mut Reader<'_>) -> Result<Listpack, LoadError> {
    converted(reader, zipmap::to_listpack, HASH_ZIPMAP.damaged)
}

fn converted(
    reader: &mut Reader<'_>,
    convert: fn(&[u8]) -> Option<Listpack>,
    damaged: &'static str,
) -> Result<Listpack, LoadError> {
    let at = reader.at();
    let pack = match reader.text()? {
        Text::Integer(_) => None,
        Text::Plain(bytes) => convert(bytes),
        Text::Unpacked(bytes) => convert(&bytes),
    };
    pack.ok_or(LoadError::corrupt(at, damaged))
}

/// Passes over what a module wrote; returns the id of its type.
pub fn skip_module_value(reader: &mut Reader<'_>) -> Result<u64, LoadError> {
    const END: u64 = 0;
    const SIGNED: u64 = 1;
    const UNSIGNED: u64 = 2;
    const FLOAT: u64 = 3;
    const DOUBLE: u64 = 4;
    const STRING: u64 = 5;
    let id = reader.length()?;
    loop {
        let at = reader.at();
        match reader.length()? {
            END => return Ok(id),
            SIGNED | UNSIGNED => {
                reader.length()?;
            }
            FLOAT => {
                reader.half_word()?;
            }
            DOUBLE => {
                reader.word()?;
            }
            STRING => reader.skip_text()?,
            _ => return Err(LoadError::corrupt(at, "no part of a module's value")),
        }
    }
}

#[cfg(test)]
#[path = "value_tests.rs"]
pub(super) mod tests;
