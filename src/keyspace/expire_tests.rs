//! Tests of `expire.rs`.

use crate::keyspace::database::tests::{NOW_MS, TURN, keyspace};
use crate::keyspace::write::Expiry;
use super::*;

fn volatile(keyspace: &mut Keyspace, key: &str, at_ms: i64) {
    keyspace.open(0, key).set_string(b"value", Expiry::At(at_ms));
}

/// One round of the active expiry; `between` runs after each slice. Returns how many keys it removed.
fn round(keyspace: &mut Keyspace, now_ms: i64, mut between: impl FnMut(&mut Keyspace)) -> usize {
    let (mut due, mut removed) = (Vec::new(), 0);
    for _ in 0..100_000 {
        let slice = keyspace.expire_slice(0, now_ms, &mut due);
        assert!(slice.removed <= slice.looked_at);
        removed += slice.removed;
        if slice.round_done {
            return removed;
        }
        between(keyspace);
    }
    panic!("a round ends");
}

#[test]
fn a_round_removes_what_is_due_and_nothing_else() {
    let mut keyspace = keyspace();
    assert_eq!(round(&mut keyspace, NOW_MS, |_| {}), 0);
    for n in 0..3_000 {
        volatile(&mut keyspace, &format!("due:{n}"), NOW_MS + 10);
        volatile(&mut keyspace, &format!("not:{n}"), NOW_MS + 11);
        keyspace.open(0, &format!("never:{n}")).set_integer(n, Expiry::Never);
    }
    assert_eq!(round(&mut keyspace, NOW_MS + 9, |_| {}), 0);
    assert_eq!(round(&mut keyspace, NOW_MS + 10, |_| {}), 3_000);
    assert_eq!((keyspace.database(0).len(), keyspace.database(0).expires_len()), (6_000, 3_000));
    assert_eq!(keyspace.counters.expired_keys, 3_000);
    assert_eq!(round(&mut keyspace, i64::MAX, |_| {}), 3_000);
    assert_eq!((keyspace.database(0).len(), keyspace.database(0).expires_len()), (3_000, 0));
    keyspace.assert_indexed();
}

#[test]
fn a_round_meets_every_due_key_while_the_table_grows_and_shrinks() {
    for grows in [true, false] {
        let mut keyspace = keyspace();
        for n in 0..2_000 {
            volatile(&mut keyspace, &format!("due:{n}"), NOW_MS + 1);
        }
        for n in 0..if grows { 0 } else { 40_000 } {
            volatile(&mut keyspace, &format!("more:{n}"), NOW_MS + 1_000);
        }
        let mut next = 0;
        let removed = round(&mut keyspace, NOW_MS + 1, |keyspace| {
            for _ in 0..if next < 40_000 { 40 } else { 0 } {
                let key = format!("more:{next}");
                next += 1;
                if grows {
                    volatile(keyspace, &key, NOW_MS + 1_000);
                } else {
                    keyspace.open(0, &key).remove();
                }
            }
        });
        assert!(next > 1_000, "the table changed during the walk");
        assert_eq!(removed, 2_000, "grows: {grows}");
        keyspace.assert_indexed();
    }
}

#[test]
fn a_scan_shows_what_lives_and_removes_what_does_not() {
    let mut keyspace = keyspace();
    for n in 0..500 {
        volatile(&mut keyspace, &format!("due:{n}"), NOW_MS + 1);
        keyspace.open(0, &format!("lives:{n}")).set_integer(n, Expiry::Never);
    }
    let (mut shown, mut met, mut cursor) = (Vec::new(), 0, 0);
    loop {
        let step = keyspace.scan_step(0, cursor, Turn::at(NOW_MS + 1, true), |entry| shown.push(entry.key().to_vec()));
        (cursor, met) = (step.cursor, met + step.met);
        if cursor == 0 {
            break;
        }
    }
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), 500);
    assert!(shown.iter().all(|key| key.starts_with(b"lives:")));
    assert!(met >= 1_000, "{met}");
    assert_eq!((keyspace.database(0).len(), keyspace.counters.expired_keys), (500, 500));
    keyspace.assert_indexed();
}

#[test]
fn average_times_to_live() {
    let mut keyspace = keyspace();
    assert_eq!(keyspace.average_ttl_ms(0, NOW_MS), 0);
    for n in 0..100 {
        volatile(&mut keyspace, &format!("key:{n}"), NOW_MS + 7);
    }
    assert_eq!(keyspace.average_ttl_ms(0, NOW_MS), 7);
    assert_eq!(keyspace.average_ttl_ms(0, NOW_MS + 100), 0, "what has expired has no time left");
    for n in 0..100 {
        volatile(&mut keyspace, &format!("key:{n}"), i64::MAX);
    }
    assert_eq!(keyspace.average_ttl_ms(0, 0), i64::MAX);
    keyspace.flush(0, 0);
    volatile(&mut keyspace, "short", NOW_MS + 100);
    volatile(&mut keyspace, "long", NOW_MS + 300);
    let average = keyspace.average_ttl_ms(0, NOW_MS);
    assert!((100..=300).contains(&average), "{average}");
}

#[test]
fn counters_of_uses_grow_slowly_and_decay_by_the_minute() {
    let mut keyspace = keyspace();
    keyspace.lfu = true;
    let fresh = keyspace.access_of_new(NOW_MS);
    assert_eq!(lfu_decayed(fresh, 1, NOW_MS), LFU_COUNTER_INITIAL);
    // Redis' own table: with a factor of 10, a hundred uses make about 10, a thousand 18, a hundred thousand 142.
    for (uses, low, high) in [(100, 6, 16), (1_000, 12, 26), (100_000, 120, 165)] {
        let access = (0..uses).fold(fresh, |access, _| keyspace.access_after_use(access, NOW_MS));
        let counter = lfu_decayed(access, 1, NOW_MS);
        assert!((low..=high).contains(&counter), "{uses} uses make {counter}");
        for minutes in [1, 5, 1_000] {
            assert_eq!(lfu_decayed(access, 1, NOW_MS + i64::from(minutes) * 60_000), counter.saturating_sub(minutes));
        }
    }
    for (decay_minutes, left) in [(0, 200), (1, 190), (3, 197), (20, 200)] {
        let access = (minutes(NOW_MS) << 8) | 200;
        assert_eq!(lfu_decayed(access, decay_minutes, NOW_MS + 600_000), left, "{decay_minutes}");
    }
    keyspace.lfu_curve.log_factor = 0;
    let access = (0..20).fold(fresh, |access, _| keyspace.access_after_use(access, NOW_MS));
    assert_eq!(lfu_decayed(access, 1, NOW_MS), LFU_COUNTER_INITIAL + 20, "with a factor of 0 every use counts");
    let full = fresh | LFU_COUNTER_MAX;
    assert_eq!(lfu_decayed(keyspace.access_after_use(full, NOW_MS), 1, NOW_MS), LFU_COUNTER_MAX);
}

#[test]
fn idle_times() {
    let mut keyspace = keyspace();
    let access = keyspace.access_of_new(NOW_MS);
    for (passed_ms, idle) in [(0, 0), (999, 0), (1_000, 1), (86_400_000, 86_400), (-1_000, 0), (-60_000, 0)] {
        assert_eq!(idle_seconds(access, NOW_MS + passed_ms), idle, "after {passed_ms} ms");
    }
    // The clock of 24 bits wraps.
    let wraps_ms = (i64::from(SECONDS_MASK) - 2) * 1_000;
    assert_eq!(idle_seconds(seconds(wraps_ms), wraps_ms + 10_000), 10);
    assert_eq!(keyspace.access_after_use(access, NOW_MS + 2_000), access + 2);
    let ahead = (minutes(NOW_MS + 60_000) << 8) | 9;
    assert_eq!(lfu_decayed(ahead, 1, NOW_MS), 9, "a reading from a clock that is ahead of ours");
    assert_eq!(TURN.now_ms, NOW_MS);
}
