//! Snapshots against a copy made at their moment, under random changes in between.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use super::*;
use crate::keyspace::entry::ValueRef;
use crate::keyspace::write::Expiry;
use crate::keyspace::{KeyHasher, Turn};
use crate::stdx::random::Random;
use crate::value::hash::{Hash, PackedLimits};
use crate::value::object::Value;

const NOW_MS: i64 = 1_000_000;
const DATABASES: u32 = 3;
const LIMITS: PackedLimits = PackedLimits { entries: 4, value_bytes: 8 };

/// Database and key.
type Name = (u32, Vec<u8>);

struct Collector {
    out: mpsc::Sender<Option<(Name, String)>>,
    failed: Arc<AtomicBool>,
}

impl SnapshotSink for Collector {
    fn entry(&mut self, database: u32, entry: &Entry<'_>, _: bool) {
        self.out.send(Some(((database, entry.key().to_vec()), shown(entry)))).expect("the test listens");
    }
    fn pause(&mut self) {}
    fn is_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
    fn is_full(&self) -> bool {
        false
    }
    fn end(self: Box<Self>) {
        self.out.send(None).expect("the test listens");
    }
}

fn shown(entry: &Entry<'_>) -> String {
    let mut text = format!("{:?} ", entry.expire_at_ms());
    match entry.value() {
        ValueRef::Boxed(Value::Hash(hash)) => {
            let mut fields = Vec::new();
            hash.each_timed(|field, value, at_ms| fields.push(format!("{field:?}={value:?}@{at_ms:?}")));
            fields.sort();
            text += &fields.concat();
        }
        other => text += &format!("{other:?}"),
    }
    text
}

fn copy(keyspace: &Keyspace) -> BTreeMap<Name, String> {
    let mut all = BTreeMap::new();
    for database in 0..DATABASES {
        keyspace.each(database, |entry| {
            all.insert((database, entry.key().to_vec()), shown(&entry));
        });
    }
    all
}

fn marks(keyspace: &Keyspace) -> usize {
    let mut count = 0;
    (0..DATABASES).for_each(|database| keyspace.each(database, |entry| count += usize::from(entry.is_marked())));
    count
}

/// One random change of a random key.
fn change(keyspace: &mut Keyspace, random: &mut Random, keys: u64, now_ms: i64) {
    let hasher = keyspace.hasher.clone();
    let database = random.below(u64::from(DATABASES)) as u32;
    let (name, other) = (random.below(keys).to_string(), random.below(keys).to_string());
    let turn = Turn::at(now_ms, true);
    let number = random.below(1000) as i64;
    let mut key = keyspace.write(database, hasher.key(name.as_bytes()), turn);
    match random.below(24) {
        0..6 => key.set_string(number.to_string().as_bytes(), Expiry::Keep),
        6..8 => key.set_string(&vec![b'x'; number as usize * 9], Expiry::At(now_ms + 50)),
        8..10 => {
            key.set_expiry(Some(now_ms + number));
        }
        10 => {
            key.set_expiry(None);
        }
        11..15 => {
            key.remove();
        }
        15..19 => {
            if let Ok(hash) = key.collection_or(Hash::new) {
                hash.make_room(1, 8, 8, LIMITS);
                hash.set(number.to_string().as_bytes(), b"value", false, LIMITS);
                hash.add_times();
                hash.set_time(number.to_string().as_bytes(), now_ms + number);
                key.changed(1);
            }
        }
        19..22 => {
            if let Some(taken) = key.take() {
                drop(key);
                keyspace.write((database + 1) % DATABASES, hasher.key(other.as_bytes()), turn).put(taken);
            }
        }
        22 => {
            drop(key);
            keyspace.expire_slice(database, now_ms, &mut Vec::new());
            keyspace.expire_fields_slice(database, now_ms, &mut Vec::new());
        }
        _ => {
            drop(key);
            match number {
                0..40 => {
                    keyspace.flush(database, now_ms);
                }
                40..150 => keyspace.swap_databases(database, (database + 1) % DATABASES, now_ms),
                _ => {
                    keyspace.draw(database, turn);
                }
            }
        }
    }
}

/// Snapshots of one box while it grows and shrinks. `fails`: each is given up somewhere.
fn run(seed: u64, fails: bool) {
    let mut random = Random::new(seed);
    let mut keyspace = Keyspace::new(DATABASES as usize, KeyHasher::new(1, seed), seed);
    let mut now_ms = NOW_MS;
    for round in 0..6u64 {
        let keys = [10, 3000, 500, 20_000, 100, 5][round as usize];
        for _ in 0..random.below(4 * keys) {
            change(&mut keyspace, &mut random, keys, now_ms);
        }
        let expected = copy(&keyspace);
        let (out, taken) = mpsc::channel();
        let failed = Arc::new(AtomicBool::new(false));
        keyspace.begin_snapshot(Box::new(Collector { out, failed: failed.clone() }), round);
        let pace = 1 + random.below(30);
        let mut slices = 0;
        while keyspace.snapshot_slice() != SnapshotSlice::Done {
            slices += 1;
            for _ in 0..random.below(pace) {
                now_ms += random.below(2) as i64;
                change(&mut keyspace, &mut random, keys, now_ms);
            }
            if fails && random.below(50) == 0 {
                match random.below(2) {
                    0 => failed.store(true, Ordering::Relaxed),
                    _ => keyspace.abort_snapshot(),
                }
            }
            assert!(slices < 1_000_000, "it comes to its end");
        }
        assert_eq!(marks(&keyspace), 0, "seed {seed} round {round}");
        keyspace.assert_indexed();
        let items: Vec<_> = taken.iter().collect();
        if matches!(items.last(), Some(None)) {
            let mut found = BTreeMap::new();
            for (name, value) in items.into_iter().flatten() {
                assert_eq!(found.insert(name, value), None, "written once");
            }
            assert_eq!(found, expected, "seed {seed} round {round}");
        } else {
            assert!(fails, "seed {seed} round {round} has no end");
        }
    }
}

#[test]
fn every_entry_of_the_moment_once_and_nothing_else() {
    (0..30).for_each(|seed| run(seed, false));
}

#[test]
fn one_that_was_given_up_leaves_no_marks() {
    (100..130).for_each(|seed| run(seed, true));
}
