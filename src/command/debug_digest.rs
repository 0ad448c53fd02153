//! DEBUG DIGEST: a signature of the data set, equal to Redis' for equal data, whatever the order of unordered things.
//!
//! The algorithm is that of Redis' debug.c: what has no order is xor-ed together by its SHA-1, what has is fed back through
//! SHA-1. Times of expiry do not count, only that there is one.

use std::ops::ControlFlow;

use sha1::{Digest as _, Sha1};

use crate::keyspace::Keyspace;
use crate::keyspace::entry::Entry;
use crate::stdx::double_text::{DOUBLE_TEXT_BYTES_MAX, format_fpconv};
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::hash::Hash;
use crate::value::list::{End, Item, List};
use crate::value::object::ObjectType;
use crate::value::set::Set;
use crate::value::sorted_set::SortedSet;
use crate::value::stream::Stream;
use crate::value::stream::id::ID_TEXT_BYTES_MAX;

use super::context::Keyspaces;

/// A signature in the making.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Digest([u8; 20]);

impl Digest {
    /// Adds something without order.
    fn xor(&mut self, bytes: &[u8]) {
        for (own, other) in self.0.iter_mut().zip(Sha1::digest(bytes)) {
            *own ^= other;
        }
    }

    /// Adds something whose place counts.
    fn mix(&mut self, bytes: &[u8]) {
        self.xor(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    /// 40 hexadecimal digits.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The number that stands for a type in signatures and in RDB files.
fn type_number(of: ObjectType) -> u32 {
    match of {
        ObjectType::String => 0,
        ObjectType::List => 1,
        ObjectType::Set => 2,
        ObjectType::SortedSet => 3,
        ObjectType::Hash => 4,
        ObjectType::Stream => 6,
    }
}

/// Adds a key's value and whether it expires.
pub(super) fn mix_value(digest: &mut Digest, entry: &Entry<'_>) {
    digest.mix(&type_number(entry.object_type()).to_be_bytes());
    match entry.object_type() {
        ObjectType::String => {
            let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
            digest.mix(entry.string_bytes(&mut scratch).unwrap_or_default());
        }
        ObjectType::Set => {
            for member in entry.collection::<Set>().iter().flat_map(|set| set.iter()) {
                digest.xor(member.text(&mut [0; INTEGER_TEXT_BYTES_MAX]));
            }
        }
        ObjectType::List => {
            if let Some(list) = entry.collection::<List>() {
                list.walk(0, End::Back, |item| {
                    match item {
                        Item::Packed(element) => digest.mix(element.text(&mut [0; INTEGER_TEXT_BYTES_MAX])),
                        Item::Plain(bytes) => digest.mix(bytes),
                    }
                    ControlFlow::Continue(())
                });
            }
        }
        ObjectType::Hash => mix_hash(digest, entry),
        ObjectType::SortedSet => mix_sorted_set(digest, entry.collection()),
        ObjectType::Stream => mix_stream(digest, entry),
    }
    if entry.expire_at_ms().is_some() {
        digest.xor(b"!!expire!!");
    }
}

fn mix_sorted_set(digest: &mut Digest, set: Option<&SortedSet>) {
    for entry in set.iter().flat_map(|set| set.iter()) {
        let mut pair = Digest::default();
        pair.mix(entry.member.text(&mut [0; INTEGER_TEXT_BYTES_MAX]));
        pair.mix(format_fpconv(&mut [0; DOUBLE_TEXT_BYTES_MAX], entry.score()));
        digest.xor(&pair.0);
    }
}

/// Adds the entries of a stream in their order; its groups do not count.
fn mix_stream(digest: &mut Digest, entry: &Entry<'_>) {
    let Some(stream) = entry.collection::<Stream>() else { return };
    let (mut id, mut digits) = ([0; ID_TEXT_BYTES_MAX], [0; INTEGER_TEXT_BYTES_MAX]);
    for entry in stream.log().iter() {
        digest.mix(entry.id.format_with(b'.', &mut id));
        for (field, value) in entry.fields() {
            digest.mix(field.text(&mut digits));
            digest.mix(value.text(&mut digits));
        }
    }
}

/// Fields have no order, but each comes before its value; of its time of expiry counts only that there is one.
fn mix_hash(digest: &mut Digest, entry: &Entry<'_>) {
    let Some(hash) = entry.collection::<Hash>() else { return };
    let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
    hash.each_timed(|field, value, at_ms| {
        let mut of_field = Digest::default();
        of_field.mix(field.text(&mut scratch));
        of_field.mix(value.text(&mut scratch));
        if at_ms.is_some() {
            of_field.xor(b"!!hexpire!!");
        }
        digest.xor(&of_field.0);
    });
}

/// The signature of everything in hand.
pub(super) fn whole(keyspaces: &mut Keyspaces<'_>) -> Digest {
    let mut shards: Vec<&mut Keyspace> = keyspaces.all().map(|(_, keyspace)| keyspace).collect();
    let databases = shards.first().map_or(0, |keyspace| keyspace.databases_len() as u32);
    let mut digest = Digest::default();
    for database in 0..databases {
        if shards.iter().all(|keyspace| keyspace.database(database).is_empty()) {
            continue;
        }
        digest.mix(&database.to_be_bytes());
        for keyspace in &mut shards {
            let mut cursor = 0;
            loop {
                // Nothing changes between the steps, so every key is seen once.
                cursor = keyspace.scan(database, cursor, |entry| {
                    let mut of_key = Digest::default();
                    of_key.mix(entry.key());
                    mix_value(&mut of_key, &entry);
                    digest.xor(&of_key.0);
                });
                if cursor == 0 {
                    break;
                }
            }
        }
    }
    digest
}
