//! Tests of `fields.rs`.

use crate::keyspace::database::tests::{NOW_MS, keyspace};
use crate::keyspace::entry::NewValue;
use crate::keyspace::write::{Expiry, Taken};
use crate::stdx::random::Random;
use crate::value::hash::PackedLimits;

use super::*;

const LIMITS: PackedLimits = PackedLimits { entries: 8, value_bytes: 64 };

/// A field that expires at a time, and one that does not.
fn put(keyspace: &mut Keyspace, key: &str, at_ms: i64, lasting: bool) {
    let mut key = keyspace.open(0, key);
    let hash = key.collection_or(Hash::new).expect("a hash");
    hash.set(b"volatile", b"1", false, LIMITS);
    hash.set_time(b"volatile", at_ms);
    if lasting {
        hash.set(b"lasting", b"1", false, LIMITS);
    }
}

/// One round of the active expiry of fields; returns how many it removed, and in how many slices.
fn round(keyspace: &mut Keyspace, now_ms: i64) -> (usize, usize) {
    let (mut due, mut removed) = (Vec::new(), 0);
    for slices in 1..100_000 {
        let slice = keyspace.expire_fields_slice(0, now_ms, &mut due);
        assert!(slice.removed <= FIELDS_EXPIRED_PER_SLICE);
        removed += slice.removed;
        if slice.round_done {
            return (removed, slices);
        }
    }
    panic!("a round ends");
}

#[test]
fn a_round_removes_fields_that_are_due_and_keys_without_others() {
    let mut keyspace = keyspace();
    for n in 0..1_000 {
        put(&mut keyspace, &format!("due:{n}"), NOW_MS + 10, false);
        put(&mut keyspace, &format!("part:{n}"), NOW_MS + 10, true);
        put(&mut keyspace, &format!("later:{n}"), NOW_MS + 11, false);
    }
    assert_eq!(keyspace.database(0).field_expires_len(), 3_000);
    assert_eq!(round(&mut keyspace, NOW_MS + 9).0, 0);
    assert_eq!(round(&mut keyspace, NOW_MS + 10).0, 2_000);
    assert_eq!((keyspace.database(0).len(), keyspace.database(0).field_expires_len()), (2_000, 1_000));
    assert_eq!(keyspace.counters.expired_fields, 2_000);
    keyspace.assert_indexed();
}

#[test]
fn one_round_empties_a_large_hash_slice_by_slice() {
    const FIELDS: usize = 20_000;
    let mut keyspace = keyspace();
    {
        let mut key = keyspace.open(0, "large");
        let hash = key.collection_or(Hash::new).expect("a hash");
        for n in 0..FIELDS {
            hash.set(format!("field:{n}").as_bytes(), b"1", false, LIMITS);
            hash.set_time(format!("field:{n}").as_bytes(), NOW_MS + 1 + n as i64 % 5);
        }
    }
    let (removed, slices) = round(&mut keyspace, NOW_MS + 10);
    assert_eq!(removed, FIELDS);
    assert!(slices >= FIELDS / FIELDS_EXPIRED_PER_SLICE, "{slices}");
    assert!(keyspace.database(0).is_empty());
    keyspace.assert_indexed();
}

#[test]
fn the_index_follows_whatever_is_done_to_keys() {
    for seed in 0..8 {
        let (mut keyspace, mut random) = (keyspace(), Random::new(seed));
        for step in 0..2_000 {
            let name = format!("key:{}", random.below(20));
            let other = format!("key:{}", random.below(20));
            match random.below(12) {
                0..4 => {
                    keyspace.open(0, &name).remove();
                    let lasting = random.below(2) == 0;
                    put(&mut keyspace, &name, NOW_MS + 1 + random.below(2_000) as i64, lasting);
                }
                4 => keyspace.open(0, &name).set_string(b"text", Expiry::Keep),
                5 => {
                    let at_ms = Some(NOW_MS + 1_000_000).filter(|_| random.below(2) == 0);
                    keyspace.open(0, &name).set_expiry(at_ms);
                }
                6 => {
                    if let Ok(Some(hash)) = keyspace.open(0, &name).collection::<Hash>() {
                        hash.drop_time(b"volatile");
                    }
                }
                7 => {
                    let taken = keyspace.open(0, &name).take();
                    if let Some(taken) = taken {
                        keyspace.open(0, &other).put(taken);
                    }
                }
                8 => {
                    let copied = keyspace.open(0, &name).entry().map(|entry| Taken::copy_of(&entry));
                    if let Some(copied) = copied {
                        keyspace.open(0, &other).put(copied);
                    }
                }
                9 => {
                    let mut hash = Hash::new();
                    hash.set(b"volatile", b"2", false, LIMITS);
                    hash.set_time(b"volatile", NOW_MS + 5);
                    let value = NewValue::Boxed(Box::new(hash.into_value()));
                    keyspace.open(0, &name).set_value(value, Expiry::Keep);
                }
                10 => keyspace.open(0, &name).expire_due_fields(1),
                _ => {
                    round(&mut keyspace, NOW_MS + step);
                }
            }
            if step % 50 == 0 {
                keyspace.assert_indexed();
            }
        }
        keyspace.flush(0, NOW_MS);
        assert_eq!(keyspace.database(0).field_expires_len(), 0);
        while keyspace.graveyard.free_slice() {}
    }
}
