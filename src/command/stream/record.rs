//! What the log is told of groups instead of what clients said: who has which entries since when, how often, and how far the
//! group has read. As in Redis, XCLAIM says the first, XGROUP SETID the second.

use crate::keyspace::write::KeyWrite;
use crate::stdx::number::{INTEGER_TEXT_BYTES_MAX, format_i64, format_u64};
use crate::value::stream::id::ID_TEXT_BYTES_MAX;
use crate::value::stream::{Stream, StreamId};

/// These entries are pending for a consumer, as the group knows them now; those that are not any more are acknowledged.
pub(super) fn claims(key: &mut KeyWrite<'_>, group_name: &[u8], consumer: &[u8], ids: &[StreamId]) {
    if !key.is_recorded() {
        return;
    }
    for &id in ids {
        let found = key.collection::<Stream>().ok().flatten().and_then(|stream| stream.group_mut(group_name));
        let Some((group, _)) = found else { return };
        let (pending, last_id) = (group.pending(id), group.last_id);
        let (mut id_text, mut last_text) = ([0; ID_TEXT_BYTES_MAX], [0; ID_TEXT_BYTES_MAX]);
        let id = id.format(&mut id_text);
        let Some(pending) = pending else {
            key.effect("XACK", &[group_name, id]);
            continue;
        };
        let (mut time, mut count) = ([0; INTEGER_TEXT_BYTES_MAX], [0; INTEGER_TEXT_BYTES_MAX]);
        key.effect(
            "XCLAIM",
            &[
                group_name,
                consumer,
                b"0",
                id,
                b"TIME",
                format_i64(&mut time, pending.delivered_ms),
                b"RETRYCOUNT",
                format_u64(&mut count, pending.deliveries),
                b"FORCE",
                b"JUSTID",
                b"LASTID",
                last_id.format(&mut last_text),
            ],
        );
    }
}

/// A group has read so far.
pub(super) fn position(key: &mut KeyWrite<'_>, group_name: &[u8]) {
    if !key.is_recorded() {
        return;
    }
    let found = key.collection::<Stream>().ok().flatten().and_then(|stream| stream.group_mut(group_name));
    let Some((group, _)) = found else { return };
    let (last_id, entries_read) = (group.last_id, group.entries_read);
    let (mut last_text, mut count) = ([0; ID_TEXT_BYTES_MAX], [0; INTEGER_TEXT_BYTES_MAX]);
    let read = entries_read.map_or(&b"-1"[..], |read| format_u64(&mut count, read));
    key.effect_words(&[b"XGROUP", b"SETID"], &[group_name, last_id.format(&mut last_text), b"ENTRIESREAD", read]);
}

/// A group has got a consumer.
pub(super) fn consumer(key: &mut KeyWrite<'_>, group_name: &[u8], consumer: &[u8]) {
    key.effect_words(&[b"XGROUP", b"CREATECONSUMER"], &[group_name, consumer]);
}

/// A stream was trimmed to its newest entries.
pub(super) fn length(key: &mut KeyWrite<'_>) {
    if let Some(count) = key.collection::<Stream>().ok().flatten().map(|stream| stream.log().len()) {
        key.effect("XTRIM", &[b"MAXLEN", b"=", format_u64(&mut [0; INTEGER_TEXT_BYTES_MAX], count)]);
    }
}
