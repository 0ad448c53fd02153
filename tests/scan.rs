//! SCAN over the whole server: Redis' guarantee while keys come and go, its options, and cursors that nobody gave.
//!
//! The walks run against every target under test and against stock redis-server, which proves what they expect.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use support::client::Client;
use support::server::{Server, Target, skip_without_redis, targets_under_test};
use support::value::Value;

/// Bound on the calls of one walk.
const CALLS_MAX: usize = 100_000;

/// Every server to test, started.
fn servers() -> Vec<Server> {
    let mut targets = targets_under_test();
    if !targets.contains(&Target::Redis) && !skip_without_redis() {
        targets.push(Target::Redis);
    }
    targets.into_iter().map(Server::start).collect()
}

/// One call: the next cursor and the keys.
fn step(client: &mut Client, cursor: &str, options: &[&str]) -> (String, Vec<String>) {
    let reply = client.call(&[&["SCAN", cursor], options].concat());
    let text = |value: &Value| match value {
        Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("not a string: {other}"),
    };
    match &reply {
        Value::Array(parts) => match &parts[..] {
            [next, Value::Array(keys)] => (text(next), keys.iter().map(text).collect()),
            _ => panic!("SCAN {cursor} {options:?} answered {reply}"),
        },
        _ => panic!("SCAN {cursor} {options:?} answered {reply}"),
    }
}

/// A whole walk: how often each key was seen. `between` runs after each call, with the calls made so far.
fn walk(
    client: &mut Client,
    options: &[&str],
    mut between: impl FnMut(&mut Client, usize),
) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    let mut cursor = "0".to_owned();
    for call in 1..=CALLS_MAX {
        let (next, keys) = step(client, &cursor, options);
        for key in keys {
            *seen.entry(key).or_default() += 1;
        }
        if next == "0" {
            return seen;
        }
        cursor = next;
        between(client, call);
    }
    panic!("SCAN {options:?} does not end");
}

/// Sets `name:from` to `name:to`, exclusive.
fn fill(client: &mut Client, name: &str, from: usize, to: usize) {
    let keys: Vec<String> = (from..to).map(|number| format!("{name}:{number}")).collect();
    for some in keys.chunks(100) {
        let mut command = vec!["MSET"];
        command.extend(some.iter().flat_map(|key| [key.as_str(), "1"]));
        assert_eq!(client.call(&command), Value::Status(b"OK".to_vec()));
    }
}

fn remove(client: &mut Client, name: &str, from: usize, to: usize) {
    let keys: Vec<String> = (from..to).map(|number| format!("{name}:{number}")).collect();
    let mut command = vec!["DEL"];
    command.extend(keys.iter().map(String::as_str));
    assert_eq!(client.call(&command), Value::Integer((to - from) as i64));
}

fn names(name: &str, count: usize) -> BTreeSet<String> {
    (0..count).map(|number| format!("{name}:{number}")).collect()
}

#[test]
fn a_still_database_is_walked_exactly_once() {
    for server in servers() {
        let mut client = server.connect();
        assert!(walk(&mut client, &[], |_, _| ()).is_empty());
        fill(&mut client, "key", 0, 3_000);
        client.call(&["SELECT", "1"]);
        fill(&mut client, "other", 0, 100);
        client.call(&["SELECT", "0"]);
        for count in ["1", "10", "1000", "4611686018427387904", "9223372036854775807"] {
            let seen = walk(&mut client, &["COUNT", count], |_, _| ());
            assert!(seen.keys().eq(names("key", 3_000).iter()), "{:?}, COUNT {count}", server.target());
            // Redis may show a key twice even here; our table does not.
            if server.target() != Target::Redis {
                assert!(seen.values().all(|&times| times == 1));
            }
        }
    }
}

#[test]
fn what_stays_is_seen_while_the_database_grows() {
    for server in servers() {
        let mut client = server.connect();
        fill(&mut client, "stays", 0, 1_000);
        let mut added = 0;
        let seen = walk(&mut client, &["COUNT", "10"], |client, _| {
            if added < 20_000 {
                fill(client, "new", added, added + 400);
                added += 400;
            }
        });
        assert!(added >= 10_000, "it grew during the walk");
        assert!(names("stays", 1_000).iter().all(|key| seen.contains_key(key)), "{:?}", server.target());
    }
}

#[test]
fn what_stays_is_seen_while_the_database_shrinks() {
    for server in servers() {
        let mut client = server.connect();
        fill(&mut client, "stays", 0, 1_000);
        fill(&mut client, "goes", 0, 20_000);
        let mut removed = 0;
        let seen = walk(&mut client, &["COUNT", "10"], |client, _| {
            if removed < 20_000 {
                remove(client, "goes", removed, removed + 200);
                removed += 200;
            }
        });
        assert!(removed >= 10_000, "it shrank during the walk");
        assert!(names("stays", 1_000).iter().all(|key| seen.contains_key(key)), "{:?}", server.target());
    }
}

#[test]
fn what_stays_is_seen_while_the_database_swells_and_shrinks() {
    for server in servers() {
        let mut client = server.connect();
        fill(&mut client, "stays", 0, 500);
        let seen = walk(&mut client, &["COUNT", "5"], |client, call| {
            if call <= 200 && call % 2 == 1 {
                fill(client, "comes", 0, 300);
            } else if call <= 200 {
                remove(client, "comes", 0, 300);
            }
        });
        assert!(names("stays", 500).iter().all(|key| seen.contains_key(key)), "{:?}", server.target());
    }
}

#[test]
fn filters() {
    for server in servers() {
        let mut client = server.connect();
        fill(&mut client, "key", 0, 500);
        fill(&mut client, "{tag}:key", 0, 50);
        for (options, expected) in [
            (&["MATCH", "*"][..], 550),
            (&["MATCH", "key:*"], 500),
            (&["MATCH", "{tag}:*", "COUNT", "3"], 50),
            (&["MATCH", "key:7"], 1),
            (&["match", "key:[12]?", "count", "100"], 20),
            (&["MATCH", "key:*", "MATCH", "{tag}*"], 50),
            (&["TYPE", "string"], 550),
            (&["TYPE", "StRiNg", "MATCH", "?ey:1??"], 100),
            (&["TYPE", "list"], 0),
            (&["TYPE", "bogus"], 0),
            (&["MATCH", ""], 0),
        ] {
            let seen = walk(&mut client, options, |_, _| ());
            assert_eq!(seen.len(), expected, "{:?}, {options:?}", server.target());
        }
    }
}

#[test]
fn expired_keys_are_not_shown_and_go() {
    for server in servers() {
        let mut client = server.connect();
        client.call(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
        fill(&mut client, "goes", 0, 200);
        fill(&mut client, "stays", 0, 200);
        for number in 0..200 {
            client.call(&["PEXPIRE", &format!("goes:{number}"), "1"]);
        }
        // The last one expires last; asking for it removes only itself.
        let mut asked = 0;
        while client.call(&["EXISTS", "goes:199"]) == Value::Integer(1) {
            asked += 1;
            assert!(asked < CALLS_MAX, "a key with a millisecond to live expires");
        }
        let seen = walk(&mut client, &["COUNT", "20"], |_, _| ());
        assert!(seen.keys().eq(names("stays", 200).iter()), "{:?}: {seen:?}", server.target());
        assert_eq!(client.call(&["DBSIZE"]), Value::Integer(200), "{:?}", server.target());
    }
}

#[test]
fn cursors_that_nobody_gave_do_no_harm() {
    for server in servers() {
        let mut client = server.connect();
        fill(&mut client, "key", 0, 2_000);
        let mut cursors = vec![u64::MAX, u64::MAX - 1, 1 << 63, (1 << 42) - 1, 1 << 42, (1 << 48) - 1];
        cursors.extend((0..200).map(|n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (n % 64)));
        for cursor in cursors {
            let (_, keys) = step(&mut client, &cursor.to_string(), &["COUNT", "50"]);
            assert!(keys.iter().all(|key| key.starts_with("key:")), "{cursor}");
        }
        assert_eq!(client.call(&["DBSIZE"]), Value::Integer(2_000));
    }
}
