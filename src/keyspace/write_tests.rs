//! Tests of `write.rs`: what a change does to the value, the expiry, the access field and the count of changes.

use crate::keyspace::database::tests::{NOW_MS, TURN, keyspace};
use super::*;

const LATER_MS: i64 = NOW_MS + 60_000;

/// Strings of every way in which they are kept.
fn texts() -> [String; 5] {
    ["12".into(), "short".into(), "m".repeat(4096), "l".repeat(4097), "s".repeat(SHARED_VALUE_BYTES_MIN)]
}

#[test]
fn a_renamed_key_takes_everything_along_and_is_one_change() {
    for text in texts() {
        let mut keyspace = keyspace();
        keyspace.open(0, "old").set_shared(text.clone().into(), Expiry::At(LATER_MS));
        keyspace.open(1, "new").set_string(b"removed", Expiry::At(LATER_MS + 1));
        let access = keyspace.open(0, "old").entry().expect("just set").access();
        let changes = keyspace.counters.changes;
        let taken = keyspace.open(0, "old").take().expect("it exists");
        assert_eq!(taken.expire_at_ms, Some(LATER_MS));
        assert!(keyspace.open(0, "old").entry().is_none());
        let much_later = Turn::at(NOW_MS + 30_000, true);
        let key = Key { bytes: b"new", hash: keyspace.hasher.hash(b"new") };
        keyspace.write(1, key, much_later).put(taken);
        assert_eq!(keyspace.counters.changes, changes + 1);
        assert_eq!(keyspace.text(1, "new"), Some(text));
        assert_eq!(keyspace.expiry(1, "new"), Some(LATER_MS));
        let quiet = Turn { touch: false, ..TURN };
        assert_eq!(keyspace.write(1, key, quiet).entry().expect("just put").access(), access);
        keyspace.assert_indexed();
    }
    assert!(keyspace().open(0, "missing").take().is_none());
}

#[test]
fn a_copy_is_independent() {
    for text in texts() {
        let mut keyspace = keyspace();
        keyspace.open(0, "source").set_shared(text.clone().into(), Expiry::At(LATER_MS));
        let copied = Taken::copy_of(&keyspace.open(0, "source").entry().expect("just set"));
        keyspace.open(0, "copy").put(copied);
        assert_eq!(keyspace.expiry(0, "copy"), Some(LATER_MS));
        keyspace.open(0, "copy").edit_string().expect("a string").push(b'!');
        assert_eq!(keyspace.text(0, "source").as_ref(), Some(&text));
        assert_eq!(keyspace.text(0, "copy"), Some(text.clone() + "!"));
        keyspace.open(0, "source").remove();
        assert_eq!(keyspace.text(0, "copy"), Some(text + "!"));
    }
}

#[test]
fn a_copy_of_a_large_string_shares_its_buffer() {
    let mut keyspace = keyspace();
    keyspace.open(0, "source").set_shared(vec![b'x'; SHARED_VALUE_BYTES_MIN].into(), Expiry::Never);
    let copied = Taken::copy_of(&keyspace.open(0, "source").entry().expect("just set"));
    keyspace.open(0, "copy").put(copied);
    let mut place = |key: &str| match keyspace.open(0, key).entry().map(|entry| entry.value()) {
        Some(ValueRef::Boxed(Value::String(string))) => string.as_bytes().as_ptr(),
        other => panic!("{other:?}"),
    };
    assert_eq!(place("source"), place("copy"));
}

#[test]
fn an_expiry_comes_changes_and_goes() {
    for text in texts() {
        let mut keyspace = keyspace();
        keyspace.open(0, "key").set_string(text.as_bytes(), Expiry::Never);
        for at_ms in [Some(LATER_MS), Some(LATER_MS + 1), None, None, Some(i64::MAX)] {
            let changes = keyspace.counters.changes;
            let mut guard = keyspace.open(0, "key");
            assert!(guard.set_expiry(at_ms));
            assert_eq!(guard.entry().and_then(|entry| entry.expire_at_ms()), at_ms, "seen through the guard");
            drop(guard);
            assert_eq!(keyspace.counters.changes, changes + 1);
            assert_eq!(keyspace.expiry(0, "key"), at_ms);
            assert_eq!(keyspace.text(0, "key").as_ref(), Some(&text));
            assert_eq!(keyspace.database(0).expires_len(), usize::from(at_ms.is_some()));
            keyspace.assert_indexed();
        }
    }
    assert!(!keyspace().open(0, "missing").set_expiry(Some(LATER_MS)));
}

#[test]
fn a_new_value_keeps_drops_or_sets_the_expiry() {
    for (old, expiry, expected) in [
        (None, Expiry::Keep, None),
        (None, Expiry::Never, None),
        (None, Expiry::At(LATER_MS), Some(LATER_MS)),
        (Some(LATER_MS), Expiry::Keep, Some(LATER_MS)),
        (Some(LATER_MS), Expiry::Never, None),
        (Some(LATER_MS), Expiry::At(LATER_MS + 5), Some(LATER_MS + 5)),
    ] {
        for before in texts() {
            for after in texts() {
                let mut keyspace = keyspace();
                keyspace.open(0, "key").set_string(before.as_bytes(), old.map_or(Expiry::Never, Expiry::At));
                keyspace.open(0, "key").set_shared(after.clone().into(), expiry);
                assert_eq!(keyspace.text(0, "key"), Some(after));
                assert_eq!(keyspace.expiry(0, "key"), expected, "{old:?} and {expiry:?}");
                keyspace.assert_indexed();
            }
        }
    }
}

#[test]
fn editing_is_one_change_and_keeps_the_expiry() {
    let mut keyspace = keyspace();
    for (n, text) in texts().into_iter().enumerate() {
        let key = format!("key:{n}");
        keyspace.open(0, &key).set_shared(text.clone().into(), Expiry::At(LATER_MS));
        let changes = keyspace.counters.changes;
        keyspace.open(0, &key).edit_string().expect("a string").push(b'+');
        assert_eq!(keyspace.counters.changes, changes + 1);
        assert_eq!(keyspace.text(0, &key), Some(text + "+"));
        assert_eq!(keyspace.expiry(0, &key), Some(LATER_MS));
    }
    keyspace.open(0, "new").edit_string().expect("made").extend_from_slice(b"made");
    assert_eq!(keyspace.text(0, "new").as_deref(), Some("made"));
    keyspace.assert_indexed();
}

#[test]
fn writing_is_a_use_and_overwriting_keeps_the_count_of_uses() {
    let mut keyspace = keyspace();
    let quiet = Turn { touch: false, ..TURN };
    let access = |keyspace: &mut Keyspace, turn: Turn| {
        let key = Key { bytes: b"key", hash: keyspace.hasher.hash(b"key") };
        keyspace.write(0, key, turn).entry().expect("it exists").access()
    };
    keyspace.open(0, "key").set_integer(1, Expiry::Never);
    let created = access(&mut keyspace, quiet);
    let later = Turn::at(NOW_MS + 5_000, true);
    assert_eq!(access(&mut keyspace, Turn { touch: false, ..later }), created, "not for CLIENT NO-TOUCH");
    assert_eq!(access(&mut keyspace, later), created + 5);
    keyspace.lfu = true;
    keyspace.open(0, "busy").set_integer(1, Expiry::Never);
    for _ in 0..2_000 {
        drop(keyspace.open(0, "busy"));
    }
    let uses = |keyspace: &mut Keyspace| keyspace.open(0, "busy").entry().expect("it exists").access() & 0xff;
    let before = uses(&mut keyspace);
    assert!(before > 10, "{before}");
    keyspace.open(0, "busy").set_string(&[b'x'; 10_000], Expiry::At(LATER_MS));
    assert!(uses(&mut keyspace) >= before);
}
