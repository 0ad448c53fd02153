//! `maxmemory`: writes at three times the limit, under every policy, on one and four shards; what is refused where nothing
//! may go; and the same refusals from stock redis-server.

mod support;

use support::client::Client;
use support::server::{Server, Target, Transport, skip_without_redis};
use support::value::Value;

const POLICIES: [&str; 7] = [
    "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
];
/// Above what the empty server uses.
const ROOM_BYTES: u64 = 4 << 20;
/// What one key with its value takes, about.
const VALUE_BYTES: usize = 1000;
const KEYS: usize = 3 * ROOM_BYTES as usize / VALUE_BYTES;
/// What may be used beyond the limit: the commands that are read at once, and the buffers of clients.
const SLACK_BYTES: u64 = 256 << 10;
const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

fn field(client: &mut Client, section: &str, name: &str) -> u64 {
    let text = match client.call(&["INFO", section]) {
        Value::Bulk(text) => String::from_utf8(text).expect("text"),
        other => panic!("INFO answers {other:?}"),
    };
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
}

fn set_limit(client: &mut Client, room_bytes: u64, policy: &str) -> u64 {
    let limit = field(client, "memory", "used_memory") + room_bytes;
    let words = ["CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", &limit.to_string()];
    assert_eq!(client.call(&words), Value::Status(b"OK".to_vec()));
    limit
}

#[test]
fn what_is_written_fits_under_every_policy() {
    for shards in [1, 4] {
        for policy in POLICIES {
            let server = Server::start_with(Target::Ringfort { shards }, Transport::Unix, &[]);
            let mut client = server.connect();
            let limit = set_limit(&mut client, ROOM_BYTES, policy);
            let value = "v".repeat(VALUE_BYTES);
            client.call(&["SET", "kept", "x"]);
            for number in 0..KEYS {
                let set = client.call(&["SET", &format!("key:{number}"), &value, "EX", "10000"]);
                assert_eq!(set, Value::Status(b"OK".to_vec()), "{policy} on {shards}");
                if number % 500 == 0 {
                    let used = field(&mut client, "memory", "used_memory");
                    assert!(used <= limit + SLACK_BYTES, "{policy} on {shards}: {used} of {limit}");
                }
            }
            let (evicted, left) = (field(&mut client, "stats", "evicted_keys"), client.call(&["DBSIZE"]));
            let Value::Integer(left) = left else { panic!("DBSIZE answers {left:?}") };
            assert_eq!(evicted + left as u64, KEYS as u64 + 1, "{policy} on {shards}");
            assert!(left as u64 > ROOM_BYTES / VALUE_BYTES as u64 / 2, "{policy} on {shards}: too much went, {left} left");
            if policy.starts_with("volatile") {
                assert_eq!(client.call(&["GET", "kept"]), Value::Bulk(b"x".to_vec()), "{policy} on {shards}");
            }
        }
    }
}

#[test]
fn what_is_used_stays() {
    for (shards, policy) in [(1, "allkeys-lfu"), (4, "allkeys-lfu")] {
        let server = Server::start_with(Target::Ringfort { shards }, Transport::Unix, &["--lfu-log-factor", "1", "--maxmemory-policy", policy]);
        let mut client = server.connect();
        set_limit(&mut client, ROOM_BYTES, policy);
        let value = "v".repeat(VALUE_BYTES);
        let hot: Vec<String> = (0..100).map(|number| format!("hot:{number}")).collect();
        for key in &hot {
            client.call(&["SET", key, &value]);
            (0..20).for_each(|_| drop(client.call(&["GET", key])));
        }
        for number in 0..KEYS {
            client.call(&["SET", &format!("key:{number}"), &value]);
        }
        let left = hot.iter().filter(|key| client.call(&["EXISTS", key]) == Value::Integer(1)).count();
        assert!(left >= 95, "{left} of the hundred keys in use are left, {policy} on {shards}");
    }
}

#[test]
fn a_large_value_does_not_drive_all_others_out() {
    let server = Server::start_with(Target::Ringfort { shards: 1 }, Transport::Unix, &["--maxmemory-samples", "64"]);
    let mut client = server.connect();
    let fields: Vec<String> = (0..200_000).map(|number| format!("member:{number}")).collect();
    for chunk in fields.chunks(1000) {
        let mut words = vec!["SADD", "large"];
        words.extend(chunk.iter().map(String::as_str));
        client.call(&words);
    }
    client.call(&["EXPIRE", "large", "100"]);
    for number in 0..100 {
        client.call(&["SET", &format!("key:{number}"), "v", "EX", "100000"]);
    }
    set_limit(&mut client, 0, "volatile-ttl");
    client.call(&["SET", "key:0", &"v".repeat(100_000), "EX", "100000"]);
    let mut used_up = 0;
    while client.call(&["EXISTS", "large"]) == Value::Integer(1) {
        used_up += 1;
        assert!(used_up < 1000, "the large value, which expires first, goes");
        client.call(&["SET", &format!("more:{used_up}"), &"v".repeat(10_000), "EX", "100000"]);
    }
    let Value::Integer(left) = client.call(&["DBSIZE"]) else { panic!("a number") };
    assert_eq!(left, 100 + used_up, "nothing else went");
}

/// The same script of requests and replies for both servers.
fn refusals(target: Target) -> Vec<Value> {
    let server = Server::start_with(target, Transport::Unix, &[]);
    let (mut client, mut other) = (server.connect(), server.connect());
    let mut replies = Vec::new();
    let mut say = |client: &mut Client, words: &[&str]| replies.push(client.call(words));
    say(&mut client, &["RPUSH", "list", "a", "b"]);
    say(&mut client, &["SET", "k", "v"]);
    say(&mut other, &["MULTI"]);
    say(&mut other, &["SET", "k", "queued"]);
    say(&mut client, &["CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1"]);
    for words in [
        &["SET", "k", "w"][..],
        &["GET", "k"],
        &["LPUSH", "list", "x"],
        &["LPOP", "list"],
        &["INCR", "n"],
        &["EXPIRE", "k", "100"],
        &["EVAL", "return redis.call('set', KEYS[1], 1)", "1", "k"],
        &["EVAL", "return redis.call('get', KEYS[1])", "1", "k"],
        &["EVAL", "redis.call('del', KEYS[1]) redis.call('set', KEYS[1], 'after') return 1", "1", "k"],
        &["EVAL", "#!lua\nreturn redis.call('set', KEYS[1], 2)", "1", "k"],
        &["EVAL", "#!lua flags=allow-oom\nreturn redis.call('set', KEYS[1], 3)", "1", "k"],
        &["EVAL", "#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])", "1", "k"],
        &["MULTI"],
        &["GET", "k"],
        &["EXEC"],
        &["MULTI"],
        &["SET", "k", "x"],
        &["DISCARD"],
        &["PING"],
    ] {
        say(&mut client, words);
    }
    say(&mut other, &["EXEC"]);
    say(&mut client, &["CONFIG", "SET", "maxmemory", "0"]);
    say(&mut client, &["SET", "k", "again"]);
    replies
}

#[test]
fn what_is_refused_is_refused_as_redis_does() {
    let ours = refusals(Target::Ringfort { shards: 4 });
    assert_eq!(refusals(Target::Ringfort { shards: 1 }), ours);
    let refused = |value: &&Value| matches!(value, Value::Error(text) if text.starts_with(OUT_OF_MEMORY.as_bytes()));
    assert!(ours.iter().filter(refused).count() >= 4, "{ours:?}");
    if !skip_without_redis() {
        let theirs = refusals(Target::Redis);
        for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(ours, theirs, "reply {index}");
        }
    }
}
