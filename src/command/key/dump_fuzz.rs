//! Fuzzing RESTORE: whatever bytes come, they become a value that every command can work with, or are refused.
//!
//! Payloads of all types are changed at random, and sound packed forms are filled with random elements. What RESTORE takes
//! must then hold to the invariants of its type: what it shows is what it counts, it survives its commands, and DUMP's
//! payload of it is taken again with the same digest. `cargo test` tries a few thousand; for more:
//!
//! ```text
//! BOLERO_RANDOM_ITERATIONS=1000000 cargo test --profile fast --lib fuzz_restore
//! ```

use std::cell::RefCell;

use crate::command::testing::Harness;
use crate::persist::crc64;
use crate::value::listpack::{Element, Listpack};

/// What is done to every value that was taken, by type. `K` is the key.
const EXERCISES: &[(&str, &[&str])] = &[
    (
        "string",
        &["STRLEN K", "GET K", "APPEND K x", "SETRANGE K 3 yy", "GETBIT K 7", "PFCOUNT K", "INCR K", "BITCOUNT K"],
    ),
    (
        "list",
        &[
            "LINDEX K 0",
            "LINDEX K -1",
            "LPOS K a COUNT 0",
            "LPUSH K x 1",
            "RPUSH K y",
            "LSET K 0 z",
            "LINSERT K BEFORE z w",
            "LRANGE K 0 -1",
            "LREM K 0 a",
            "LTRIM K 1 -2",
            "LMOVE K K LEFT RIGHT",
            "RPOP K 2",
            "LRANGE K 0 -1",
        ],
    ),
    (
        "set",
        &[
            "SISMEMBER K a",
            "SRANDMEMBER K -5",
            "SRANDMEMBER K 3",
            "SSCAN K 0",
            "SADD K 5 -70000",
            "SREM K 5 a",
            "SADD K text",
            "SMEMBERS K",
            "SINTERSTORE other K K",
            "SPOP K",
            "SPOP K 2",
            "SMEMBERS K",
        ],
    ),
    (
        "zset",
        &[
            "ZRANGEBYSCORE K -inf +inf LIMIT 1 5",
            "ZRANGEBYLEX K - +",
            "ZRANK K a",
            "ZREVRANGE K 0 3",
            "ZCOUNT K 0 5",
            "ZADD K 1.5 a -inf b",
            "ZINCRBY K 3 a",
            "ZSCAN K 0",
            "ZRANDMEMBER K -3",
            "ZRANGE K 0 -1 WITHSCORES",
            "ZREM K a",
            "ZPOPMIN K",
            "ZPOPMAX K",
            "ZREMRANGEBYRANK K 0 0",
            "ZRANGE K 0 -1 WITHSCORES",
        ],
    ),
    (
        "hash",
        &[
            "HGET K a",
            "HKEYS K",
            "HVALS K",
            "HSTRLEN K a",
            "HRANDFIELD K -3 WITHVALUES",
            "HSCAN K 0",
            "HTTL K FIELDS 1 a",
            "HSET K a 1 b 2",
            "HINCRBY K a 5",
            "HEXPIRE K 100 FIELDS 2 a b",
            "HPERSIST K FIELDS 1 b",
            "HGETALL K",
            "HDEL K a",
            "HPEXPIREAT K 1 FIELDS 1 b",
            "HGETALL K",
        ],
    ),
    (
        "stream",
        &[
            "XREVRANGE K + - COUNT 3",
            "XINFO STREAM K FULL",
            "XINFO GROUPS K",
            "XINFO CONSUMERS K g",
            "XPENDING K g",
            "XPENDING K g - + 10",
            "XRANGE K 1-1 5-0",
            "XREAD STREAMS K 0",
            "XADD K * f v",
            "XADD K 18446744073709551615-1 f v",
            "XGROUP CREATE K new 0",
            "XREADGROUP GROUP g c COUNT 2 STREAMS K >",
            "XREADGROUP GROUP new c STREAMS K >",
            "XREADGROUP GROUP g c STREAMS K 0",
            "XAUTOCLAIM K g d 0 0 COUNT 3",
            "XCLAIM K g d 0 1-1 5-0",
            "XACK K g 1-1",
            "XDEL K 1-1",
            "XTRIM K MAXLEN 2",
            "XGROUP DELCONSUMER K g c",
            "XGROUP SETID K g $",
            "XSETID K 99-99",
            "XINFO STREAM K FULL",
            "XRANGE K - +",
            "XGROUP DESTROY K g",
        ],
    ),
];

/// What is done to values of every type.
const FOR_ALL: &[&str] =
    &["OBJECT ENCODING K", "COPY K copy REPLACE", "DEL copy", "DEBUG OBJECT K", "EXPIRE K 1000", "PERSIST K"];

/// The command that tells the number of elements, and the one that shows them, with how many it shows of each.
const COUNTED: &[(&str, &str, &str, usize)] = &[
    ("list", "LLEN K", "LRANGE K 0 -1", 1),
    ("set", "SCARD K", "SMEMBERS K", 1),
    ("zset", "ZCARD K", "ZRANGE K 0 -1 WITHSCORES", 2),
    ("stream", "XLEN K", "XRANGE K - +", 1),
];

/// How the values are made whose payloads are changed.
const SEEDS: &[&[&str]] = &[
    &["SET k sometext"],
    &["SET k 12345"],
    &["SET k xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyxxxxxxxxxxxxx"],
    &["SETBIT k 100 1"],
    &["RPUSH k a b 1 -5 70000 99999999999 text"],
    &["CONFIG list-max-listpack-size 2", "RPUSH k a b 1 -5 70000 99999999999 text"],
    &["SADD k 1 2 3 500"],
    &["SADD k 1 70000 -5"],
    &["SADD k a b 1"],
    &["CONFIG set-max-listpack-entries 0", "SADD k a b 1"],
    &["ZADD k 1 a 2.5 b -inf c 100 d"],
    &["CONFIG zset-max-listpack-entries 0", "ZADD k 1 a 2.5 b -inf c 100 d"],
    &["HSET k a 1 b 2 c text"],
    &["CONFIG hash-max-listpack-entries 0", "HSET k a 1 b 2 c text"],
    &["HSET k a 1 b 2 c text", "HPEXPIREAT k 60000000000000 FIELDS 2 b c"],
    &["CONFIG hash-max-listpack-entries 0", "HSET k a 1 b 2", "HPEXPIREAT k 60000000000000 FIELDS 1 b"],
    &["XADD k 1-1 f v", "XADD k 1-2 f v g w", "XADD k 5-0 f v"],
    &[
        "XADD k 1-1 f v",
        "XADD k 1-2 f v",
        "XADD k 5-0 f v",
        "XDEL k 1-2",
        "XGROUP CREATE k g 0",
        "XREADGROUP GROUP g c COUNT 1 STREAMS k >",
        "XREADGROUP GROUP g d STREAMS k >",
        "XGROUP CREATE k h $",
    ],
];

fn seeds() -> Vec<Vec<u8>> {
    let of_steps = |steps: &&[&str]| -> Vec<u8> {
        let mut server = Harness::new(1);
        for step in *steps {
            match step.strip_prefix("CONFIG ").and_then(|words| words.split_once(' ')) {
                Some((name, value)) => server.configure(name, value),
                None => assert!(!server.run(step).starts_with('-'), "{step}"),
            }
        }
        let payload = bulk(server.run_args(&[b"DUMP", b"k"]));
        payload[..payload.len() - FOOTER_BYTES].to_vec()
    };
    SEEDS.iter().map(of_steps).chain(old_forms()).collect()
}

/// Forms that nobody writes any more.
fn old_forms() -> Vec<Vec<u8>> {
    let ziplist = b"\x0f\0\0\0\x0c\0\0\0\x02\0\x00\xf3\x02\xf6\xff";
    let of_ziplist = |form: &[u8]| [form, &[ziplist.len() as u8], ziplist].concat();
    vec![
        of_ziplist(b"\x0a"),
        of_ziplist(b"\x0c"),
        of_ziplist(b"\x0d"),
        of_ziplist(b"\x0e\x01"),
        b"\x09\x0e\x02\x01a\x01\x001\x01b\x01\x02Xzz\xff".to_vec(),
        b"\x03\x02\x01b\x041.25\x01a\xfe".to_vec(),
        b"\x01\x02\x01a\xc0\x05".to_vec(),
        b"\x16\x02\x00\x01a\x011\x80\x00\x01\x00\x00\x01b\x012".to_vec(),
        b"\x07\x40\x43\x02\x02\x05\x03abc\x00".to_vec(),
    ]
}

const FOOTER_BYTES: usize = 10;

/// The bytes of a bulk string.
fn bulk(reply: Vec<u8>) -> Vec<u8> {
    let begin = reply.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    reply[begin..reply.len() - 2].to_vec()
}

/// One change: what, where, with which byte.
type Change = (u8, u16, u8);

fn change(body: &mut Vec<u8>, (what, place, byte): Change) {
    const INTERESTING: [u8; 12] = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xf0, 0xfe, 0xff];
    let at = usize::from(place) % (body.len() + 1);
    let len = body.len();
    match what % 8 {
        0 | 1 if at < len => body[at] = byte,
        2 if at < len => body[at] ^= 1 << (byte % 8),
        3 if at < len => body[at] = INTERESTING[usize::from(byte) % INTERESTING.len()],
        4 if at < len => {
            body.remove(at);
        }
        5 => body.insert(at, byte),
        6 => {
            let from = usize::from(byte) % (len + 1);
            let piece = body[from..len.min(from + 1 + usize::from(place >> 12))].to_vec();
            body.splice(at..at, piece);
        }
        7 if byte < 16 => body.truncate(at),
        _ => {}
    }
}

thread_local! {
    static SERVER: RefCell<Harness> = RefCell::new(Harness::new(1));
}

fn payload_of(body: &[u8], version: u16) -> Vec<u8> {
    let mut payload = [body, &version.to_le_bytes()].concat();
    let sum = crc64::update(0, &payload);
    payload.extend_from_slice(&sum.to_le_bytes());
    payload
}

/// RESTOREs a body and, if it is taken, does to it whatever commands can do. Returns whether it was.
fn try_body(body: &[u8], version: u16) -> bool {
    SERVER.with_borrow_mut(|server| {
        let payload = payload_of(body, version);
        let reply = server.run_args(&[b"RESTORE", b"K", b"0", &payload, b"REPLACE"]);
        if reply != b"+OK\r\n" {
            assert_eq!(reply, b"-ERR Bad data format\r\n");
            return false;
        }
        let kind = server.run("TYPE K");
        let kind = kind.trim_start_matches('+').trim_end();
        check(server, kind);
        for command in FOR_ALL {
            server.run(command);
        }
        for (_, commands) in EXERCISES.iter().filter(|(of, _)| *of == kind) {
            for command in *commands {
                server.run(command);
            }
        }
        if server.run("EXISTS K") == ":1\r\n" {
            check(server, kind);
        }
        true
    })
}

/// What it shows is what it counts; what is dumped of it is taken again, and is the same.
fn check(server: &mut Harness, kind: &str) {
    for (_, count, show, each) in COUNTED.iter().filter(|(of, ..)| *of == kind) {
        let counted: usize = server.run(count)[1..].trim_end().parse().expect("a count");
        let shown = server.run_args(&show.split(' ').map(str::as_bytes).collect::<Vec<_>>());
        let header = shown.iter().position(|&byte| byte == b'\r').expect("an array has a header");
        let shown = String::from_utf8_lossy(&shown[1..header]).parse();
        assert_eq!(shown, Ok(counted * each), "{kind}: {count} and {show}");
    }
    let again = bulk(server.run_args(&[b"DUMP", b"K"]));
    let reply = server.run_args(&[b"RESTORE", b"again", b"0", &again, b"REPLACE"]);
    assert_eq!(String::from_utf8_lossy(&reply), "+OK\r\n", "{kind}: its own payload is taken: {again:?}");
    let digests = server.run("DEBUG DIGEST-VALUE K again");
    let digests: Vec<&str> = digests.split("\r\n").filter(|line| line.len() >= 40).collect();
    assert!(digests.len() == 2 && digests[0] == digests[1], "{kind}: {digests:?}");
}

#[test]
fn fuzz_restore_changed_payloads() {
    let seeds = seeds();
    for seed in &seeds {
        let is_module = seed[0] == 7;
        assert_eq!(try_body(seed, 12), !is_module, "{seed:?}");
    }
    bolero::check!().with_type::<(u8, [Change; 4], u8)>().with_iterations(4000).for_each(|(seed, changes, how)| {
        let mut body = seeds[usize::from(*seed) % seeds.len()].clone();
        for &one in &changes[..=usize::from(how % 4)] {
            change(&mut body, one);
        }
        try_body(&body, if how & 0x80 == 0 { 12 } else { 80 });
    });
}

#[test]
fn fuzz_restore_any_elements() {
    // As they are kept in listpacks: small and large integers, texts.
    const TEXTS: &[&[u8]] =
        &[b"", b"a", b"b", b"1.5", b"inf", b"-0", b"nan", b"007", b"a longer text than most others are"];
    const FORMS: &[&[u8]] = &[b"\x10", b"\x11", b"\x14", b"\x17", b"\x12\x01\x02", b"\x19\0\0\0\0\0\0\0\0"];
    bolero::check!().with_type::<(u8, Vec<i8>)>().with_iterations(4000).for_each(|(form, elements)| {
        let mut pack = Listpack::new();
        for &element in elements {
            pack.push_back(match element {
                -20..=100 => Element::Integer(i64::from(element)),
                101.. => Element::Integer(i64::from(element) << (element & 0x3f)),
                _ => Element::Bytes(TEXTS[usize::from(element.unsigned_abs()) % TEXTS.len()]),
            });
        }
        let prefix = FORMS[usize::from(*form) % FORMS.len()];
        let bytes = pack.as_bytes();
        let length = [0x40 | (bytes.len() >> 8) as u8, bytes.len() as u8];
        try_body(&[prefix, &length, bytes].concat(), 12);
    });
}

#[test]
fn fuzz_restore_any_stream() {
    bolero::check!().with_type::<(Vec<(u8, u8, i8, u8)>, Vec<(u8, u8)>, [u8; 4])>().with_iterations(4000).for_each(
        |(entries, pending, facts)| {
            try_body(&stream_of(entries, pending, facts), 12);
        },
    );
}

/// A stream of one node whose parts are in their places, whatever they say.
fn stream_of(entries: &[(u8, u8, i8, u8)], pending: &[(u8, u8)], facts: &[u8; 4]) -> Vec<u8> {
    let mut pack = Listpack::new();
    let deleted = entries.iter().filter(|entry| entry.0 & 1 == 1).count() as i64;
    let live = entries.len() as i64 - deleted + i64::from(facts[0] == 0);
    let mut push = |integer: i64| pack.push_back(Element::Integer(integer));
    [live, deleted, 1, 7, 0].into_iter().for_each(&mut push);
    let mut ms = 0;
    for &(flags, ahead, sequence, fields) in entries {
        ms += i64::from(ahead & 3);
        [i64::from(flags & 3), ms, i64::from(sequence)].into_iter().for_each(&mut push);
        let count = i64::from(fields & 1);
        if flags & 2 == 2 {
            [5, 4].into_iter().for_each(&mut push);
        } else {
            push(count);
            (0..2 * count).for_each(&mut push);
            push(4 + 2 * count);
        }
    }
    let id = |ms: u8, sequence: u8| [&[0; 7][..], &[ms], &[0; 7], &[sequence]].concat();
    let mut body = vec![0x15, 1, 16];
    body.extend(id(1, 1));
    let bytes = pack.as_bytes();
    body.extend([0x40 | (bytes.len() >> 8) as u8, bytes.len() as u8]);
    body.extend(bytes);
    let last = facts[1] & 0x3f;
    body.extend([live as u8 & 0x3f, last, last, facts[2] & 0x3f, 1, facts[3] & 0x3f, 0, facts[3] & 0x3f]);
    // One group: its name, last ID, entries read, what is pending, and two consumers.
    body.extend([1, 1, b'g', last, 0, 2, pending.len() as u8 & 0x3f]);
    let pending = &pending[..pending.len() & 0x3f];
    for &(ms, sequence) in pending {
        body.extend(id(ms & 7, sequence & 7));
        body.extend([0; 8]);
        body.push(ms & 0x3f);
    }
    body.push(2);
    for name in [b'c', b'd'] {
        body.extend([1, name]);
        body.extend([name; 16]);
        let own: Vec<_> = pending.iter().filter(|one| (one.0 & 8 == 0) == (name == b'c')).collect();
        body.push(own.len() as u8);
        own.iter().for_each(|one| body.extend(id(one.0 & 7, one.1 & 7)));
    }
    body
}
