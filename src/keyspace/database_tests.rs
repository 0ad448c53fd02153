//! Tests of `database.rs`, and a model test of everything that changes a keyspace.

use std::collections::BTreeMap;

use crate::keyspace::write::{Expiry, Taken};
use super::*;

pub(in crate::keyspace) const NOW_MS: i64 = 1_700_000_000_000;
pub(in crate::keyspace) const TURN: Turn = Turn::at(NOW_MS, true);

pub(in crate::keyspace) fn keyspace() -> Keyspace {
    Keyspace::new(16, KeyHasher::new(1, 7), 7)
}

impl Keyspace {
    /// `Keyspace::write` by the bytes of the key.
    pub(in crate::keyspace) fn open<'k>(&'k mut self, database: u32, key: &'k str) -> crate::keyspace::write::KeyWrite<'k> {
        let key = self.hasher.key(key.as_bytes());
        self.write(database, key, TURN)
    }

    /// The value of a key as text.
    pub(in crate::keyspace) fn text(&mut self, database: u32, key: &str) -> Option<String> {
        let key = self.hasher.key(key.as_bytes());
        let entry = self.peek(database, &key, TURN)?;
        let mut scratch = [0; crate::stdx::number::INTEGER_TEXT_BYTES_MAX];
        let bytes = entry.string_bytes(&mut scratch).expect("a string");
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The expiry of a key that exists.
    pub(in crate::keyspace) fn expiry(&mut self, database: u32, key: &str) -> Option<i64> {
        let key = self.hasher.key(key.as_bytes());
        self.peek(database, &key, TURN).expect("the key exists").expire_at_ms()
    }
}

#[test]
fn reads_count_hits_and_misses_and_remove_what_expired() {
    let mut keyspace = keyspace();
    keyspace.open(0, "stays").set_string(b"1", Expiry::Never);
    keyspace.open(0, "goes").set_string(b"2", Expiry::At(NOW_MS + 10));
    let (stays, goes) = (keyspace.hasher.key(b"stays"), keyspace.hasher.key(b"goes"));
    assert!(keyspace.read(0, &stays, TURN).is_some());
    assert!(keyspace.read(0, &goes, TURN).is_some());
    assert!(keyspace.read(1, &stays, TURN).is_none());
    assert_eq!((keyspace.counters.hits, keyspace.counters.misses), (2, 1));
    let later = Turn { now_ms: NOW_MS + 10, ..TURN };
    assert!(keyspace.read(0, &goes, later).is_none());
    assert_eq!((keyspace.counters.hits, keyspace.counters.misses, keyspace.counters.expired_keys), (2, 2, 1));
    assert_eq!((keyspace.database(0).len(), keyspace.database(0).expires_len()), (1, 0));
    assert!(keyspace.peek(0, &stays, later).is_some());
    assert_eq!(keyspace.counters.hits, 2, "a peek is no read");
}

#[test]
fn a_flushed_database_is_freed_in_slices() {
    const KEYS: usize = 5_000;
    let mut keyspace = keyspace();
    for n in 0..KEYS {
        let expiry = if n % 2 == 0 { Expiry::At(NOW_MS + 1) } else { Expiry::Never };
        keyspace.open(3, &format!("key:{n}")).set_string(&vec![b'x'; n], expiry);
    }
    keyspace.open(4, "other").set_string(b"stays", Expiry::Never);
    assert_eq!(keyspace.counters.changes, KEYS as u64 + 1);
    assert_eq!(keyspace.flush(3, 0), KEYS);
    assert_eq!(keyspace.counters.changes, 2 * KEYS as u64 + 1);
    assert!(keyspace.database(3).is_empty() && keyspace.database(3).expires_len() == 0);
    assert_eq!(keyspace.text(4, "other").as_deref(), Some("stays"));
    // The database is usable while the old one is being freed.
    keyspace.open(3, "key:1").set_string(b"new", Expiry::At(NOW_MS + 5));
    assert_eq!(keyspace.graveyard.pending_objects(), KEYS);
    let (mut slices, mut pending) = (0, KEYS);
    while keyspace.graveyard.free_slice() {
        slices += 1;
        let left = keyspace.graveyard.pending_objects();
        assert!(pending - left < 1_000, "a slice is small: {pending} to {left}");
        pending = left;
    }
    assert!((10..KEYS).contains(&slices), "{slices}");
    assert!(keyspace.graveyard.is_empty());
    assert_eq!(keyspace.text(3, "key:1").as_deref(), Some("new"));
    keyspace.assert_indexed();
}

#[test]
fn databases_are_exchanged_with_their_expiries() {
    let mut keyspace = keyspace();
    keyspace.open(0, "a").set_string(b"zero", Expiry::At(NOW_MS + 7));
    keyspace.open(5, "b").set_string(b"five", Expiry::Never);
    keyspace.swap_databases(0, 5, 0);
    keyspace.swap_databases(2, 2, 0);
    assert_eq!(keyspace.text(5, "a").as_deref(), Some("zero"));
    assert_eq!(keyspace.expiry(5, "a"), Some(NOW_MS + 7));
    assert_eq!(keyspace.text(0, "b").as_deref(), Some("five"));
    assert_eq!((keyspace.database(0).len(), keyspace.database(0).expires_len()), (1, 0));
    keyspace.assert_indexed();
}

#[test]
fn draws_are_fair_and_remove_what_expired() {
    const KEYS: usize = 50;
    const DRAWS: usize = 400 * KEYS;
    let mut keyspace = keyspace();
    assert!(keyspace.draw(0, TURN).is_none());
    for n in 0..KEYS {
        keyspace.open(0, &format!("key:{n}")).set_integer(1, Expiry::Never);
    }
    let mut drawn = BTreeMap::<Vec<u8>, usize>::new();
    for _ in 0..DRAWS {
        let entry = keyspace.draw(0, TURN).expect("there are keys, none volatile");
        *drawn.entry(entry.key().to_vec()).or_default() += 1;
    }
    // 400 expected each, standard deviation 20.
    assert_eq!(drawn.len(), KEYS);
    assert!(drawn.values().all(|count| (280..520).contains(count)), "{drawn:?}");
    for n in 1..KEYS {
        keyspace.open(0, &format!("key:{n}")).set_expiry(Some(NOW_MS + 1));
    }
    let (mut draws, mut found) = (0, 0);
    while keyspace.database(0).len() > 1 {
        found += usize::from(keyspace.draw(0, Turn::at(NOW_MS + 1, true)).is_some_and(|entry| entry.key() == b"key:0"));
        draws += 1;
    }
    assert_eq!(found, draws - (KEYS - 1), "what is drawn is the one that lives");
    assert_eq!(keyspace.counters.expired_keys, KEYS as u64 - 1);
    keyspace.assert_indexed();
}

/// What a keyspace should hold: by database and key, the text and the expiry.
type Model = BTreeMap<(u32, String), (String, Option<i64>)>;

/// A value of any of the ways in which strings are kept.
fn any_text(random: &mut Random) -> String {
    match random.below(6) {
        0 => random.below(100_000).to_string(),
        1 => "x".repeat(random.below(20) as usize),
        2 => "y".repeat(random.below(4096) as usize),
        3 => "z".repeat(4096 + random.below(8192) as usize),
        4 => "s".repeat(16 * 1024 + random.below(8192) as usize),
        _ => i64::MIN.to_string(),
    }
}

fn change(keyspace: &mut Keyspace, model: &mut Model, random: &mut Random) {
    let place = |random: &mut Random| (random.below(3) as u32, format!("key:{}", random.below(300)));
    let (database, key) = place(random);
    let at_ms = NOW_MS + 1 + random.below(1000) as i64;
    let old = model.get(&(database, key.clone())).cloned();
    match random.below(11) {
        0..=2 => {
            let text = any_text(random);
            let (expiry, expected) = match random.below(3) {
                0 => (Expiry::Never, None),
                1 => (Expiry::At(at_ms), Some(at_ms)),
                _ => (Expiry::Keep, old.and_then(|(_, at_ms)| at_ms)),
            };
            let mut guard = keyspace.open(database, &key);
            if random.below(2) == 0 {
                guard.set_string(text.as_bytes(), expiry);
            } else {
                guard.set_shared(text.clone().into(), expiry);
            }
            drop(guard);
            model.insert((database, key), (text, expected));
        }
        3 => {
            keyspace.open(database, &key).edit_string().expect("only strings").extend_from_slice(b"+");
            let (text, at_ms) = old.unwrap_or_default();
            model.insert((database, key), (text + "+", at_ms));
        }
        4 | 5 => {
            let new = (random.below(2) == 0).then_some(at_ms);
            assert_eq!(keyspace.open(database, &key).set_expiry(new), old.is_some());
            if let Some((text, _)) = old {
                model.insert((database, key), (text, new));
            }
        }
        6 => {
            assert_eq!(keyspace.open(database, &key).remove(), old.is_some());
            model.remove(&(database, key));
        }
        7 | 8 => {
            let (to, new_key) = place(random);
            let copies = random.below(2) == 0;
            let taken = if copies {
                keyspace.open(database, &key).entry().map(|entry| Taken::copy_of(&entry))
            } else {
                keyspace.open(database, &key).take()
            };
            assert_eq!(taken.is_some(), old.is_some());
            if let Some(taken) = taken {
                keyspace.open(to, &new_key).put(taken);
                let held = if copies { old } else { model.remove(&(database, key)) };
                model.insert((to, new_key), held.expect("it was taken"));
            }
        }
        9 if random.below(100) == 0 => {
            keyspace.flush(database, 0);
            model.retain(|(of, _), _| *of != database);
        }
        9 if random.below(20) == 0 => {
            keyspace.swap_databases(0, 1, 0);
            let swapped = std::mem::take(model).into_iter().map(|((of, key), held)| ((of ^ u32::from(of < 2), key), held));
            *model = swapped.collect();
        }
        _ => {
            keyspace.graveyard.free_slice();
        }
    }
}

#[test]
fn any_sequence_of_changes_leaves_what_it_should() {
    let (mut keyspace, mut model, mut random) = (keyspace(), Model::new(), Random::new(11));
    for step in 0..20_000 {
        change(&mut keyspace, &mut model, &mut random);
        if step % 500 == 0 {
            keyspace.assert_indexed();
            let lens: usize = (0..16).map(|database| keyspace.database(database).len()).sum();
            assert_eq!(lens, model.len(), "step {step}");
            for ((database, key), (text, at_ms)) in &model {
                assert_eq!(keyspace.text(*database, key).as_ref(), Some(text), "{key} at step {step}");
                assert_eq!(keyspace.expiry(*database, key), *at_ms, "{key} at step {step}");
            }
        }
    }
}
