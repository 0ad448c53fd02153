//! Sets from RDB. Called by `value_read.rs`.

use std::collections::HashSet;

use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::intset::Intset;
use crate::value::listpack::Listpack;
use crate::value::set::{Set, SetLimits};

use super::error::LoadError;
use super::reader::Reader;

const TWICE: &str = "a member of a set twice";

/// Count, members.
pub(super) fn members(reader: &mut Reader<'_>, limits: &SetLimits) -> Result<Set, LoadError> {
    let count = reader.count()?;
    let mut set = None;
    for _ in 0..count {
        let text = reader.text()?;
        let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
        let member = text.bytes(&mut scratch);
        let set = set.get_or_insert_with(|| Set::for_members(member, count as usize, limits));
        if !set.add(member, limits) {
            return Err(reader.corrupt(TWICE));
        }
    }
    set.ok_or(reader.empty())
}

/// A string that holds an intset.
pub(super) fn of_intset(reader: &mut Reader<'_>, limits: &SetLimits) -> Result<Set, LoadError> {
    let at = reader.at();
    let integers = Intset::from_bytes(reader.text()?.into_vec());
    let integers = integers.ok_or(LoadError::corrupt(at, "Intset integrity check failed."))?;
    let is_large = integers.len() > limits.intset_entries;
    let set = Set::Integers(integers);
    Ok(if is_large { as_table(&set, limits) } else { set })
}

/// A string that holds a listpack.
pub(super) fn of_listpack(pack: Listpack, reader: &Reader<'_>, limits: &SetLimits) -> Result<Set, LoadError> {
    if pack.is_empty() {
        return Err(reader.empty());
    }
    let mut members = HashSet::new();
    if !pack.iter().all(|member| members.insert(member.to_text())) {
        return Err(reader.corrupt(TWICE));
    }
    let is_large = members.len() > limits.listpack_entries;
    drop(members);
    let set = Set::Packed(pack);
    Ok(if is_large { as_table(&set, limits) } else { set })
}

fn as_table(small: &Set, limits: &SetLimits) -> Set {
    let mut table = Set::Table(Box::default());
    for member in small.iter() {
        table.add_element(member, limits);
    }
    table
}
