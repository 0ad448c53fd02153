//! Lists from RDB. Called by `value_read.rs`.

use bytes::Bytes;

use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::list::{End, Limits, List, NewElement};

use super::error::LoadError;
use super::reader::Reader;
use super::value_read::{listpack, ziplist};

/// What stands before a node of a list: a large element follows, or a listpack.
pub(super) const NODE_PLAIN: u64 = 1;
pub(super) const NODE_PACKED: u64 = 2;

/// Count, elements.
pub(super) fn elements(reader: &mut Reader<'_>, limits: Limits) -> Result<List, LoadError> {
    let mut list = List::default();
    for _ in 0..reader.count()? {
        push(&mut list, reader.text()?.bytes(&mut [0; INTEGER_TEXT_BYTES_MAX]), limits);
    }
    Ok(list)
}

fn push(list: &mut List, element: &[u8], limits: Limits) {
    list.make_room(element.len(), 1, limits);
    list.push(End::Back, NewElement::new(element), limits);
}

/// One ziplist.
pub(super) fn of_ziplist(reader: &mut Reader<'_>, limits: Limits) -> Result<List, LoadError> {
    let pack = ziplist(reader, "List ziplist integrity check failed.")?;
    if pack.is_empty() {
        return Err(reader.empty());
    }
    let mut list = List::default();
    for element in pack.iter() {
        push(&mut list, element.text(&mut [0; INTEGER_TEXT_BYTES_MAX]), limits);
    }
    Ok(list)
}

/// Count, ziplists.
pub(super) fn of_ziplists(reader: &mut Reader<'_>, limits: Limits) -> Result<List, LoadError> {
    let mut list = List::loading(limits);
    for _ in 0..reader.count()? {
        list.load_packed(ziplist(reader, "Ziplist integrity check failed.")?);
    }
    settled(list, reader, limits)
}

/// Count, nodes.
pub(super) fn of_listpacks(reader: &mut Reader<'_>, limits: Limits) -> Result<List, LoadError> {
    let mut list = List::loading(limits);
    for _ in 0..reader.count()? {
        match reader.length()? {
            NODE_PACKED => list.load_packed(listpack(reader, "Listpack integrity check failed.")?),
            NODE_PLAIN => {
                let element = reader.text()?.into_vec();
                if element.is_empty() {
                    return Err(reader.corrupt("an empty node of a list"));
                }
                list.load_plain(Bytes::from(element));
            }
            _ => return Err(reader.corrupt("no node of a list")),
        }
    }
    settled(list, reader, limits)
}

/// Nodes may be empty, the list may not.
fn settled(mut list: List, reader: &Reader<'_>, limits: Limits) -> Result<List, LoadError> {
    if list.is_empty() {
        return Err(reader.empty());
    }
    list.settle(limits);
    Ok(list)
}
