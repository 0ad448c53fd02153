//! Tests of DUMP and RESTORE. That stock servers agree is for `tests/dump.rs`.

use crate::command::testing::{Harness, START_MS};
use crate::persist::crc64;

/// What DUMP returns.
fn dump(server: &mut Harness, key: &str) -> Vec<u8> {
    let reply = server.run_args(&[b"DUMP", key.as_bytes()]);
    let body = reply.iter().position(|&byte| byte == b'\n').map(|end| end + 1).expect("a bulk string has a header");
    reply[body..reply.len() - 2].to_vec()
}

fn run(server: &mut Harness, arguments: &[&[u8]]) -> String {
    String::from_utf8_lossy(&server.run_args(arguments)).into_owned()
}

/// RESTORE with arguments behind the payload.
fn restore(server: &mut Harness, key: &str, ttl: &str, payload: &[u8], more: &[&str]) -> String {
    let mut arguments = vec![b"RESTORE".as_slice(), key.as_bytes(), ttl.as_bytes(), payload];
    arguments.extend(more.iter().map(|word| word.as_bytes()));
    run(server, &arguments)
}

/// A payload around a body.
fn payload(body: &[u8], version: u16) -> Vec<u8> {
    let mut bytes = [body, &version.to_le_bytes()].concat();
    let sum = crc64::update(0, &bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn what_was_dumped_comes_back() {
    for shards in [1, 4] {
        let mut server = Harness::new(shards);
        server.check(&[
            ("DUMP nothing", "$-1\r\n"),
            ("SET s \"some text\"", "+OK\r\n"),
            ("SET i 12345678901", "+OK\r\n"),
            ("RPUSH l a b 3", ":3\r\n"),
            ("SADD set a b 3", ":3\r\n"),
            ("HSET h f v g 2", ":2\r\n"),
            ("XADD x 5-1 f v", "$3\r\n5-1\r\n"),
        ]);
        for key in ["s", "i", "l", "set", "h", "x"] {
            let bytes = dump(&mut server, key);
            assert_eq!(bytes[bytes.len() - 10..bytes.len() - 8], [10, 0], "{key}: Redis 7.0 takes it");
            assert_eq!(restore(&mut server, "copy", "0", &bytes, &["REPLACE"]), "+OK\r\n", "{key}");
            let (before, after) = (dump(&mut server, key), dump(&mut server, "copy"));
            assert_eq!(before, after, "{key}");
            let digests = ["DEBUG DIGEST-VALUE ", key, " copy"].concat();
            let reply = server.run(&digests);
            let digests: Vec<&str> = reply.split("\r\n").filter(|line| line.len() >= 40).collect();
            assert_eq!(digests.len(), 2, "{key}");
            assert_eq!(digests[0], digests[1], "{key}");
        }
    }
}

#[test]
fn a_key_that_is_there_stays_unless_replaced() {
    let mut server = Harness::new(1);
    server.check(&[("SET k old", "+OK\r\n"), ("SET other new", "+OK\r\n"), ("EXPIRE k 100", ":1\r\n")]);
    let bytes = dump(&mut server, "other");
    assert_eq!(restore(&mut server, "k", "0", &bytes, &[]), "-BUSYKEY Target key name already exists.\r\n");
    assert_eq!(restore(&mut server, "k", "0", b"damaged", &[]), "-BUSYKEY Target key name already exists.\r\n");
    let changes = server.counters().changes;
    assert_eq!(restore(&mut server, "k", "0", &bytes, &["replace"]), "+OK\r\n");
    assert_eq!(server.counters().changes, changes + 1);
    server.check(&[("GET k", "$3\r\nnew\r\n"), ("TTL k", ":-1\r\n")]);
}

#[test]
fn expiry() {
    let mut server = Harness::new(1);
    server.check(&[("SET k v", "+OK\r\n")]);
    let bytes = dump(&mut server, "k");
    assert_eq!(restore(&mut server, "a", "5000", &bytes, &[]), "+OK\r\n");
    let absolute = (START_MS + 7000).to_string();
    assert_eq!(restore(&mut server, "b", &absolute, &bytes, &["ABSTTL"]), "+OK\r\n");
    server.check(&[("PTTL a", ":5000\r\n"), ("PTTL b", ":7000\r\n")]);
    // What has expired already is not created, and what stood there goes.
    assert_eq!(restore(&mut server, "k", "1", &bytes, &["ABSTTL", "REPLACE"]), "+OK\r\n");
    assert_eq!(restore(&mut server, "c", "9223372036854775807", &bytes, &[]), "+OK\r\n");
    server.check(&[
        ("EXISTS k c", ":0\r\n"),
        ("RESTORE k -1 x", "-ERR Invalid TTL value, must be >= 0\r\n"),
        ("RESTORE k x y", "-ERR value is not an integer or out of range\r\n"),
    ]);
}

#[test]
fn idle_time_and_frequency() {
    let mut server = Harness::new(1);
    server.check(&[("SET k v", "+OK\r\n")]);
    let bytes = dump(&mut server, "k");
    assert_eq!(restore(&mut server, "a", "0", &bytes, &["IDLETIME", "1000"]), "+OK\r\n");
    assert_eq!(restore(&mut server, "b", "0", &bytes, &["IDLETIME", "99999999999"]), "+OK\r\n");
    assert_eq!(restore(&mut server, "c", "0", &bytes, &["FREQ", "100"]), "+OK\r\n");
    server.check(&[
        ("OBJECT IDLETIME a", ":1000\r\n"),
        ("OBJECT IDLETIME c", ":0\r\n"),
        ("RESTORE d 0 x IDLETIME -1", "-ERR Invalid IDLETIME value, must be >= 0\r\n"),
        ("RESTORE d 0 x IDLETIME x", "-ERR value is not an integer or out of range\r\n"),
        ("RESTORE d 0 x FREQ -1", "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n"),
        ("RESTORE d 0 x FREQ 256", "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n"),
        ("RESTORE d 0 x IDLETIME 5 FREQ 5", "-ERR syntax error\r\n"),
        ("RESTORE d 0 x FREQ 5 IDLETIME 5", "-ERR syntax error\r\n"),
        ("RESTORE d 0 x IDLETIME", "-ERR syntax error\r\n"),
        ("RESTORE d 0 x NONSENSE", "-ERR syntax error\r\n"),
    ]);
    let idle = server.run("OBJECT IDLETIME b");
    let idle: u32 = idle[1..].trim_end().parse().expect("a number");
    assert!(idle > 90 * 24 * 3600, "as long ago as can be told: {idle}");
}

#[test]
fn footers() {
    let mut server = Harness::new(1);
    let wrong = "-ERR DUMP payload version or checksum are wrong\r\n";
    let body = b"\0\x01v";
    for version in [0, 1, 6, 9, 10, 11, 12, 80] {
        assert_eq!(restore(&mut server, "k", "0", &payload(body, version), &["REPLACE"]), "+OK\r\n", "{version}");
    }
    for version in [13, 79, 81, u16::MAX] {
        assert_eq!(restore(&mut server, "new", "0", &payload(body, version), &[]), wrong, "{version}");
    }
    let good = payload(body, 10);
    for len in 0..good.len() {
        assert_eq!(restore(&mut server, "new", "0", &good[..len], &[]), wrong, "{len} bytes");
    }
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0x40;
        assert_eq!(restore(&mut server, "new", "0", &changed, &[]), wrong, "byte {at}");
    }
    // Nobody looks at the checksum when told not to, but at everything else.
    let mut summed_wrong = good.clone();
    *summed_wrong.last_mut().expect("it has bytes") ^= 1;
    server.check(&[("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1", "+OK\r\n")]);
    assert_eq!(restore(&mut server, "new", "0", &summed_wrong, &[]), "+OK\r\n");
    assert_eq!(restore(&mut server, "newer", "0", &payload(body, 13), &[]), wrong);
    assert_eq!(restore(&mut server, "newer", "0", b"123456789", &[]), wrong);
}

#[test]
fn damaged_values_change_nothing() {
    let mut server = Harness::new(1);
    server.check(&[("SET k old", "+OK\r\n")]);
    let bodies: &[&[u8]] = &[
        b"",
        b"\0",
        b"\0\x05v",
        b"\0\x01vx",
        b"\x08\x01v",
        b"\x01\0",
        b"\x01\x02\x01v",
        b"\x07\x05\x00",
        b"\xfa\x01a\x01b",
        b"\xff",
        // Says to have 2^63 elements, or 2^40 bytes.
        b"\x02\x81\x80\0\0\0\0\0\0\0\x01v",
        b"\0\xc3\x05\x81\0\0\x01\0\0\0\0\0\0x\xe0\x5a\0",
    ];
    for body in bodies {
        let bytes = payload(body, 12);
        assert_eq!(restore(&mut server, "k", "0", &bytes, &["REPLACE"]), "-ERR Bad data format\r\n", "{body:?}");
    }
    server.check(&[("GET k", "$3\r\nold\r\n"), ("DBSIZE", ":1\r\n")]);
    assert_eq!(server.counters().changes, 1);
}
