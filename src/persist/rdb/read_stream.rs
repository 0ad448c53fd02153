//! Streams from RDB. Called by `value_read.rs`.

use crate::value::stream::load::{Damaged, Facts, LoadingGroup, NewerFacts};
use crate::value::stream::{Stream, StreamId};

use super::error::LoadError;
use super::form::Form;
use super::reader::Reader;

/// What stands for a number of entries that nobody knows.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// Nodes, what is remembered of the entries, groups.
pub(super) fn stream(reader: &mut Reader<'_>, form: Form) -> Result<Stream, LoadError> {
    let mut stream = Stream::default();
    for _ in 0..reader.length()? {
        let master_id = reader.text()?.into_vec();
        let Ok(master_id) = <[u8; 16]>::try_from(master_id) else {
            return Err(reader.corrupt("no ID of a stream"));
        };
        let node = reader.text()?.into_vec();
        checked(reader, stream.load_node(StreamId::from_bytes(master_id), node))?;
    }
    let (length, last_id) = (reader.length()?, id(reader)?);
    let since_7_0 = if form == Form::Stream5 {
        None
    } else {
        let (first_id, max_deleted_id) = (id(reader)?, id(reader)?);
        Some(NewerFacts { first_id, max_deleted_id, entries_added: reader.length()? })
    };
    checked(reader, stream.load_facts(Facts { length, last_id, since_7_0 }))?;
    for _ in 0..reader.length()? {
        let group = group(reader, &stream, form)?;
        checked(reader, stream.load_group(group))?;
    }
    Ok(stream)
}

fn checked<T>(reader: &Reader<'_>, result: Result<T, Damaged>) -> Result<T, LoadError> {
    result.map_err(|Damaged(what)| reader.corrupt(what))
}

/// An ID as two lengths.
fn id(reader: &mut Reader<'_>) -> Result<StreamId, LoadError> {
    Ok(StreamId { ms: reader.length()?, sequence: reader.length()? })
}

/// An ID as sixteen bytes.
fn raw_id(reader: &mut Reader<'_>) -> Result<StreamId, LoadError> {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(reader.take(16)?);
    Ok(StreamId::from_bytes(bytes))
}

/// Name, last ID, all that is pending, then the consumers each with what is pending for it.
fn group(reader: &mut Reader<'_>, stream: &Stream, form: Form) -> Result<LoadingGroup, LoadError> {
    let name = reader.text()?.into_vec();
    let last_id = id(reader)?;
    let entries_read = if form == Form::Stream5 {
        stream.log().entries_added_up_to(last_id)
    } else {
        Some(reader.length()?).filter(|&read| read != UNKNOWN)
    };
    let mut group = LoadingGroup::new(&name, last_id, entries_read);
    for _ in 0..reader.length()? {
        let (id, delivered_ms, deliveries) = (raw_id(reader)?, reader.word()? as i64, reader.length()?);
        checked(reader, group.pending(id, delivered_ms, deliveries))?;
    }
    for _ in 0..reader.length()? {
        let name = reader.text()?.into_vec();
        let seen_ms = reader.word()? as i64;
        let active_ms = if form == Form::Stream72 { reader.word()? as i64 } else { seen_ms };
        let consumer = checked(reader, group.consumer(&name, seen_ms, active_ms))?;
        for _ in 0..reader.length()? {
            let id = raw_id(reader)?;
            checked(reader, group.consumer_pending(consumer, id))?;
        }
    }
    Ok(group)
}
