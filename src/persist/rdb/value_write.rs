//! Values into RDB, each in the oldest form that holds it, so that old servers can read as much as possible.

use crate::keyspace::entry::ValueRef;
use crate::value::hash::Hash;
use crate::value::list::{List, Part};
use crate::value::object::Value;
use crate::value::set::Set;
use crate::value::sorted_set::SortedSet;
use crate::value::stream::group::Group;
use crate::value::stream::{Stream, StreamId};

use super::form::{Form, VERSION_7_2};
use super::read_list::{NODE_PACKED, NODE_PLAIN};
use super::read_stream::UNKNOWN;
use super::writer::Writer;

/// The form in which a value is written where readers know `version`: a newer one only when nothing older holds it.
pub fn form_of(value: &ValueRef<'_>, version: u16) -> Form {
    let ValueRef::Boxed(value) = value else { return Form::String };
    match value {
        Value::String(_) => Form::String,
        Value::List(_) => Form::ListListpacks,
        Value::Set(Set::Integers(_)) => Form::SetIntset,
        Value::Set(Set::Packed(_)) if version >= VERSION_7_2 => Form::SetListpack,
        Value::Set(_) => Form::Set,
        Value::SortedSet(set) => {
            if set.packed().is_some() {
                Form::SortedSetListpack
            } else {
                Form::SortedSet
            }
        }
        Value::Hash(hash) => match (hash.listpack(), hash.first_time()) {
            (Some((_, true)), Some(_)) => Form::HashListpackExpiries,
            (_, Some(_)) => Form::HashExpiries,
            (Some((_, false)), None) => Form::HashListpack,
            _ => Form::Hash,
        },
        Value::Stream(stream) if version < VERSION_7_2 && stream.groups().all(is_known_to_7_0) => Form::Stream7,
        Value::Stream(_) => Form::Stream72,
    }
}

/// Redis 7.0 keeps only one of the two times of a consumer.
fn is_known_to_7_0(group: &Group) -> bool {
    group.consumers().all(|consumer| consumer.active_ms == consumer.seen_ms)
}

/// Writes a value in a form that `form_of` chose for it.
pub fn write_value(writer: &mut Writer, value: &ValueRef<'_>, form: Form) {
    match value {
        ValueRef::Inline(text) => writer.text(text),
        ValueRef::Integer(integer) => writer.integer(*integer),
        ValueRef::Boxed(Value::String(string)) => writer.text(string.as_bytes()),
        ValueRef::Boxed(Value::List(list)) => write_list(writer, list),
        ValueRef::Boxed(Value::Set(set)) => write_set(writer, set, form),
        ValueRef::Boxed(Value::SortedSet(set)) => write_sorted_set(writer, set),
        ValueRef::Boxed(Value::Hash(hash)) => write_hash(writer, hash, form),
        ValueRef::Boxed(Value::Stream(stream)) => write_stream(writer, stream, form),
    }
}

fn write_list(writer: &mut Writer, list: &List) {
    writer.length(list.parts().count() as u64);
    for part in list.parts() {
        match part {
            Part::Packed(pack) => {
                writer.length(NODE_PACKED);
                writer.packed(pack.as_bytes());
            }
            Part::Plain(element) => {
                writer.length(NODE_PLAIN);
                writer.text(element);
            }
        }
    }
}

fn write_set(writer: &mut Writer, set: &Set, form: Form) {
    match set {
        Set::Integers(integers) => writer.packed(integers.as_bytes()),
        Set::Packed(pack) if form == Form::SetListpack => writer.packed(pack.as_bytes()),
        Set::Packed(_) | Set::Table(_) => {
            writer.length(set.len() as u64);
            set.iter().for_each(|member| writer.element(member));
        }
    }
}

/// Members from the highest to the lowest, the order that readers are fastest with.
fn write_sorted_set(writer: &mut Writer, set: &SortedSet) {
    match set.packed() {
        Some(pack) => writer.packed(pack.as_bytes()),
        None => {
            writer.length(set.len() as u64);
            for member in set.range(0..usize::MAX, true) {
                writer.element(member.member);
                writer.double(member.score());
            }
        }
    }
}

fn write_hash(writer: &mut Writer, hash: &Hash, form: Form) {
    let first_ms = hash.first_time().unwrap_or_default();
    if matches!(form, Form::HashListpackExpiries | Form::HashExpiries) {
        writer.word(first_ms as u64);
    }
    if matches!(form, Form::HashListpackExpiries | Form::HashListpack)
        && let Some((pack, _)) = hash.listpack()
    {
        writer.packed(pack.as_bytes());
        return;
    }
    writer.length(hash.len() as u64);
    hash.each_timed(|field, value, at_ms| {
        if form == Form::HashExpiries {
            // Relative to the first one and more by one, since 0 stands for none.
            writer.length(at_ms.map_or(0, |at_ms| (at_ms - first_ms) as u64 + 1));
        }
        writer.element(field);
        writer.element(value);
    });
}

fn write_id(writer: &mut Writer, id: StreamId) {
    writer.length(id.ms);
    writer.length(id.sequence);
}

fn write_stream(writer: &mut Writer, stream: &Stream, form: Form) {
    let log = stream.log();
    writer.length(log.nodes_count() as u64);
    for (master_id, node) in log.nodes() {
        writer.packed(&master_id.to_bytes());
        writer.packed(node);
    }
    writer.length(log.len());
    write_id(writer, log.last_id());
    write_id(writer, log.first_id());
    write_id(writer, log.max_deleted_id());
    writer.length(log.entries_added());
    writer.length(stream.groups().len() as u64);
    stream.groups().for_each(|group| write_group(writer, group, form));
}

fn write_group(writer: &mut Writer, group: &Group, form: Form) {
    writer.text(group.name());
    write_id(writer, group.last_id);
    writer.length(group.entries_read.unwrap_or(UNKNOWN));
    writer.length(group.pending_count() as u64);
    for (id, pending) in group.all_pending() {
        writer.raw(&id.to_bytes());
        writer.word(pending.delivered_ms as u64);
        writer.length(pending.deliveries);
    }
    writer.length(group.consumers().len() as u64);
    for consumer in group.consumers() {
        writer.text(consumer.name());
        writer.word(consumer.seen_ms as u64);
        if form == Form::Stream72 {
            writer.word(consumer.active_ms as u64);
        }
        writer.length(consumer.pending_count() as u64);
        consumer.pending_ids().for_each(|id| writer.raw(&id.to_bytes()));
    }
}
