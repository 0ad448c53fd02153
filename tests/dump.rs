//! DUMP and RESTORE between Ringfort and stock redis-server, both ways, every type in every encoding: the value that arrives
//! has the same DEBUG DIGEST-VALUE and the same OBJECT ENCODING as the one that was sent.
//!
//! What only newer servers know is skipped on an older one, with its reason; `RINGFORT_REDIS_SERVER=/path/to/7.4` runs it.

mod support;

use support::client::Client;
use support::server::{Server, Target, redis_version, skip_without_redis};
use support::value::Value;

/// A value: how it is made, and the oldest server that can take it.
struct Case {
    name: &'static str,
    since: (u32, u32),
    commands: Vec<Vec<Vec<u8>>>,
}

const ALL: (u32, u32) = (7, 0);

fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// A case of command lines whose words hold no spaces.
fn case(name: &'static str, lines: &[&str]) -> Case {
    Case { name, since: ALL, commands: lines.iter().map(|line| words(line)).collect() }
}

/// A case of one command with `count` elements that `element` makes.
fn many<I: IntoIterator<Item = Vec<u8>>>(
    name: &'static str,
    begin: &str,
    count: u64,
    element: impl Fn(u64) -> I,
) -> Case {
    let mut command = words(begin);
    command.extend((0..count).flat_map(element));
    Case { name, since: ALL, commands: vec![command] }
}

/// Bytes that do not compress, always the same ones.
fn noise(seed: u64, len: u64) -> Vec<u8> {
    let mix =
        |at: u64| (at + 1 + (seed << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(at | 1);
    (0..len).map(|at| mix(at).to_be_bytes()[1]).collect()
}

fn text(text: impl ToString) -> Vec<u8> {
    text.to_string().into_bytes()
}

fn strings() -> Vec<Case> {
    let mut cases = Vec::new();
    for number in ["0", "127", "-128", "128", "-32768", "32768", "-2147483648", "2147483648", "-9223372036854775808"] {
        cases.push(Case { name: "integer", since: ALL, commands: vec![words(&["SET k ", number].concat())] });
    }
    for len in [0, 1, 20, 44, 45, 63, 64, 4096, 4097, 16383, 16384, 20_000, 100_000] {
        cases.push(Case { name: "noise", since: ALL, commands: vec![vec![text("SET"), text("k"), noise(len, len)]] });
        let repeated = b"abcabd".iter().copied().cycle().take(len as usize).collect();
        cases.push(Case { name: "repeated", since: ALL, commands: vec![vec![text("SET"), text("k"), repeated]] });
    }
    cases.push(case("text that looks like a number", &["SET k 12", "APPEND k 3"]));
    cases.push(case("leading zero", &["SET k 0123"]));
    cases.push(case("bitmap", &["SETBIT k 70000 1"]));
    cases
}

fn lists() -> Vec<Case> {
    vec![
        case("list of one", &["RPUSH k x"]),
        many("small list", "RPUSH k", 20, |at| [text(at * at)]),
        many("list of large numbers", "RPUSH k", 50, |at| [text(i64::MIN + (1 << at))]),
        many("long list", "RPUSH k", 5000, |at| [text(format!("element:{at}"))]),
        many("list of longer elements", "RPUSH k", 300, |at| [noise(at, at * 3)]),
        case("list with an empty element", &["RPUSH k a", "RPUSH k "]),
    ]
}

fn sets() -> Vec<Case> {
    let set_listpack = "SADD k a b c 1 2 3 -7 99999999999";
    vec![
        many("intset of 2 bytes", "SADD k", 100, |at| [text(at * 3)]),
        many("intset of 4 bytes", "SADD k", 100, |at| [text(at as i64 * -70_000)]),
        many("intset of 8 bytes", "SADD k", 100, |at| [text(i64::MAX - at as i64)]),
        many("set of many integers", "SADD k", 600, |at| [text(at)]),
        many("set of many members", "SADD k", 2000, |at| [text(format!("member:{at}"))]),
        many("set of a long member", "SADD k", 3, |at| [noise(at, 100 * at + 1)]),
        case("small set of strings", &[set_listpack]),
        case("set with an empty member", &["SADD k a", "SADD k "]),
    ]
}

fn sorted_sets() -> Vec<Case> {
    vec![
        many("small sorted set", "ZADD k", 20, |at| [text(at as f64 / 8.0), text(at * 11)]),
        many("equal scores", "ZADD k", 30, |_at| [text(5), text(format!("m{}", _at * 7 % 30))]),
        case("special scores", &["ZADD k inf a -inf b 0 c 3 h"]),
        many("large sorted set", "ZADD k", 1000, |at| [text((at as f64) / 16.0), text(format!("member:{at}"))]),
        many("sorted set of a long member", "ZADD k", 3, |at| [text(at), noise(at, 100 * at + 1)]),
    ]
}

fn hashes() -> Vec<Case> {
    let since_7_4 = |case: Case| Case { since: (7, 4), ..case };
    let mut timed = many("large hash with times", "HSET k", 1000, |at| [text(format!("field:{at}")), text(at)]);
    timed.commands.push(words("HPEXPIREAT k 60000000000000 FIELDS 2 field:3 field:999"));
    timed.commands.push(words("HPEXPIREAT k 60000000000999 FIELDS 1 field:5"));
    vec![
        case("hash of one", &["HSET k f v"]),
        many("small hash", "HSET k", 50, |at| [text(at), text(at as i64 * -1000)]),
        many("large hash", "HSET k", 1000, |at| [text(format!("field:{at}")), noise(at, at)]),
        many("hash of a long value", "HSET k", 2, |at| [text(at), noise(at, 100 * at + 1)]),
        case("hash with empty parts", &["HSET k  v", "HSET k f "]),
        since_7_4(case(
            "small hash with times",
            &[
                "HSET k a 1 b 2 c 3 d 4",
                "HPEXPIREAT k 60000000000000 FIELDS 2 b d",
                "HPEXPIREAT k 59999999990000 FIELDS 1 c",
            ],
        )),
        // Nothing is left that old servers do not know.
        case("small hash of plain fields", &["HSET k a 1 b 2"]),
        since_7_4(timed),
    ]
}

fn streams() -> Vec<Case> {
    let mut long = Case { name: "long stream", since: ALL, commands: Vec::new() };
    for at in 0..250u64 {
        let id = format!("{}-{}", at / 2 + 5, at);
        long.commands.push(vec![text("XADD"), text("k"), text(id), text("f"), text(at), text("g"), noise(at, at)]);
    }
    long.commands.push(words("XDEL k 7-5 9-8 9-9"));
    let mut groups = vec!["XADD k 1-1 a 1", "XADD k 1-2 a 2 b 3", "XADD k 5-0 c 4", "XADD k 6-0 a 9"];
    groups.extend(["XGROUP CREATE k one 0", "XGROUP CREATE k two $", "XGROUP CREATE k three 1-2 ENTRIESREAD 2"]);
    groups.extend(["XREADGROUP GROUP one ann COUNT 2 STREAMS k >", "XREADGROUP GROUP one bob STREAMS k >"]);
    groups.push("XCLAIM k one bob 0 1-1 TIME 1000 RETRYCOUNT 7");
    groups.push("XACK k one 5-0");
    vec![
        case("stream of one", &["XADD k 1-1 f v"]),
        long,
        case("empty stream", &["XADD k 5-5 f v", "XDEL k 5-5"]),
        case("stream without an entry ever", &["XGROUP CREATE k g $ MKSTREAM"]),
        case(
            "trimmed stream",
            &["XADD k 1-1 f v", "XADD k 1-2 f v", "XADD k 1-3 f v", "XTRIM k MAXLEN 1", "XSETID k 9-9"],
        ),
        case("stream with groups", &groups),
        Case {
            // Only newer servers keep both of its times.
            since: (7, 2),
            ..case(
                "consumer that never got anything",
                &["XADD k 1-1 a 1", "XGROUP CREATE k g $", "XGROUP CREATECONSUMER k g idle"],
            )
        },
    ]
}

/// Cases whose commands both servers and the oracle's version know.
fn cases() -> Vec<Case> {
    let version = redis_version().unwrap_or(ALL);
    let families = [strings(), lists(), sets(), sorted_sets(), hashes(), streams()];
    let (cases, skipped): (Vec<Case>, Vec<Case>) =
        families.into_iter().flatten().partition(|case| case.since <= version);
    for case in skipped {
        eprintln!("skipped: {}: needs redis-server {}.{}", case.name, case.since.0, case.since.1);
    }
    cases
}

fn shown(client: &mut Client, command: &[&str]) -> String {
    client.call(command).to_string()
}

/// What is compared of a value beside its digest, which leaves groups of streams out.
fn facts(client: &mut Client, key: &str) -> Vec<(&'static str, String)> {
    let mut facts =
        vec![("type", shown(client, &["TYPE", key])), ("digest", shown(client, &["DEBUG", "DIGEST-VALUE", key]))];
    match facts[0].1.as_str() {
        "stream" => {
            facts.push(("groups", shown(client, &["XINFO", "GROUPS", key])));
            facts.push(("entries", shown(client, &["XRANGE", key, "-", "+"])));
            for group in ["one", "two", "three", "g"] {
                facts.push(("pending", shown(client, &["XPENDING", key, group]).replace(&format!("'{key}'"), "")));
            }
        }
        "zset" => {
            facts.push(("members", shown(client, &["ZRANGE", key, "0", "-1"])));
            facts.push(("encoding", shown(client, &["OBJECT", "ENCODING", key])));
        }
        // Sets are listpacks since 7.2 only, and list and set forms depend on how they were made.
        "hash" => facts.push(("encoding", shown(client, &["OBJECT", "ENCODING", key]))),
        _ => {}
    }
    facts
}

fn payload_of(client: &mut Client, key: &str) -> Vec<u8> {
    match client.call(&["DUMP", key]) {
        Value::Bulk(payload) => payload,
        other => panic!("DUMP answered {other}"),
    }
}

fn make(client: &mut Client, case: &Case) {
    for command in &case.commands {
        let reply = client.call(command);
        assert!(!matches!(reply, Value::Error(_)), "{}: {reply}", case.name);
    }
}

/// Makes every case at `from`, moves it to `to` and compares.
fn move_all(from: &Server, to: &Server) {
    let (mut source, mut target) = (from.connect(), to.connect());
    for case in cases() {
        source.call(&["FLUSHALL"]);
        target.call(&["FLUSHALL"]);
        make(&mut source, &case);
        let payload = payload_of(&mut source, "k");
        let reply = target.call(&[&b"RESTORE"[..], b"k", b"0", &payload]);
        let label = format!("{} from {:?} to {:?}", case.name, from.target(), to.target());
        assert_eq!(reply.to_string(), "OK", "{label}");
        assert_eq!(facts(&mut source, "k"), facts(&mut target, "k"), "{label}");
        // And once more, from there.
        let again = payload_of(&mut target, "k");
        let reply = source.call(&[&b"RESTORE"[..], b"k2", b"0", &again]);
        assert_eq!(reply.to_string(), "OK", "{label} and back");
        assert_eq!(facts(&mut source, "k"), facts(&mut source, "k2"), "{label} and back");
        let digest = |key: &str, client: &mut Client| shown(client, &["DEBUG", "DIGEST-VALUE", key]);
        assert_eq!(digest("k", &mut source), digest("k2", &mut source), "{label} and back");
    }
}

#[test]
fn values_of_redis_arrive() {
    if skip_without_redis() {
        return;
    }
    move_all(&Server::start(Target::Redis), &Server::start(Target::Ringfort { shards: 2 }));
}

#[test]
fn values_arrive_at_redis() {
    if skip_without_redis() {
        return;
    }
    move_all(&Server::start(Target::Ringfort { shards: 2 }), &Server::start(Target::Redis));
}

/// With the same commands the payloads are the same to the byte, but for what compression finds and for the order of sets.
#[test]
fn payloads_are_those_of_redis() {
    if skip_without_redis() || redis_version() >= Some((7, 2)) {
        eprintln!("skipped: newer servers put newer numbers into the footer");
        return;
    }
    let servers = [Server::start(Target::Redis), Server::start(Target::Ringfort { shards: 1 })];
    let [mut redis, mut ringfort] = servers.each_ref().map(Server::connect);
    for client in [&mut redis, &mut ringfort] {
        client.call(&["CONFIG", "SET", "rdbcompression", "no"]);
    }
    let has_order = |case: &&Case| !case.name.contains("large hash") && !case.name.contains("hash of a long");
    for case in strings().iter().chain(&lists()).chain(&sorted_sets()).chain(&hashes()).filter(has_order) {
        if case.since > ALL {
            continue;
        }
        for client in [&mut redis, &mut ringfort] {
            client.call(&["FLUSHALL"]);
            make(client, case);
        }
        assert_eq!(payload_of(&mut redis, "k"), payload_of(&mut ringfort, "k"), "{}", case.name);
    }
}
