//! Tests of `evict.rs`.

use crate::keyspace::database::tests::{NOW_MS, keyspace};
use crate::keyspace::write::Expiry;
use super::*;

/// Many samples: the draw meets nearly every key of a small database.
const SAMPLES: usize = 64;

fn policy(name: &str) -> Policy {
    Policy::of_name(name).expect("a policy that evicts")
}

/// Evicts until nothing is left that may go; which keys went, in order.
fn evict_all(keyspace: &mut Keyspace, name: &str, now_ms: i64) -> Vec<String> {
    let mut gone = Vec::new();
    let keys = |keyspace: &Keyspace| {
        let mut keys = Vec::new();
        (0..2).for_each(|database| {
            keyspace.each(database, |entry| keys.push(String::from_utf8_lossy(entry.key()).into_owned()));
        });
        keys
    };
    let mut before = keys(keyspace);
    while keyspace.evict(policy(name), SAMPLES, now_ms) {
        let after = keys(keyspace);
        assert_eq!(after.len() + 1, before.len(), "one at a time");
        before.retain(|key| !after.contains(key));
        gone.push(before.remove(0));
        before = after;
    }
    keyspace.assert_indexed();
    gone
}

#[test]
fn names() {
    assert_eq!(Policy::of_name("noeviction"), None);
    for volatile in ["volatile", "allkeys"] {
        for (choice, expected) in [("lru", Choice::Lru), ("lfu", Choice::Lfu), ("random", Choice::Random)] {
            let policy = policy(&format!("{volatile}-{choice}"));
            assert_eq!(policy, Policy { volatile: volatile == "volatile", choice: expected });
        }
    }
    assert_eq!(policy("volatile-ttl"), Policy { volatile: true, choice: Choice::TimeToLive });
}

#[test]
fn what_would_expire_first_goes_first_and_what_never_does_stays() {
    let mut keyspace = keyspace();
    for (key, ttl_ms) in [("b", 2_000), ("a", 1_000), ("d", 4_000), ("c", 3_000)] {
        keyspace.open(0, key).set_string(b"x", Expiry::At(NOW_MS + ttl_ms));
    }
    keyspace.open(0, "never").set_string(b"x", Expiry::Never);
    assert_eq!(evict_all(&mut keyspace, "volatile-ttl", NOW_MS), ["a", "b", "c", "d"]);
    assert_eq!((keyspace.database(0).len(), keyspace.counters.evicted_keys), (1, 4));
    assert_eq!(evict_all(&mut keyspace, "volatile-lru", NOW_MS), Vec::<String>::new());
    assert_eq!(evict_all(&mut keyspace, "allkeys-random", NOW_MS), ["never"]);
}

#[test]
fn what_was_used_longest_ago_goes_first_in_all_databases() {
    let mut keyspace = keyspace();
    let by_age = ["oldest", "old", "young", "youngest"];
    for (seconds, key) in by_age.iter().enumerate() {
        let turn = crate::keyspace::Turn::at(NOW_MS + seconds as i64 * 5_000, true);
        let hasher = keyspace.hasher.clone();
        keyspace.write(seconds as u32 % 2, hasher.key(key.as_bytes()), turn).set_string(b"x", Expiry::Never);
    }
    assert_eq!(evict_all(&mut keyspace, "allkeys-lru", NOW_MS + 60_000), by_age);
}

#[test]
fn what_is_used_least_goes_first() {
    let mut keyspace = keyspace();
    keyspace.lfu = true;
    keyspace.lfu_curve.log_factor = 0;
    let hasher = keyspace.hasher.clone();
    for (uses, key) in ["never", "seldom", "often"].iter().enumerate() {
        keyspace.open(0, key).set_string(b"x", Expiry::Never);
        for _ in 0..uses * 10 {
            keyspace.read(0, &hasher.key(key.as_bytes()), crate::keyspace::Turn::at(NOW_MS, true));
        }
    }
    assert_eq!(evict_all(&mut keyspace, "allkeys-lfu", NOW_MS), ["never", "seldom", "often"]);
}
