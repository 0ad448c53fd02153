//! Areas in both forms of a set, their options, and storing.

use crate::command::testing::{Harness, check};

const SYNTAX: &str = "-ERR syntax error\r\n";
const NO_MEMBER: &str = "-ERR could not decode requested zset member\r\n";
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

fn sicily(limit: &str) -> Harness {
    let mut harness = Harness::new(4);
    harness.configure("zset-max-listpack-entries", limit);
    harness.run("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania");
    harness.run("GEOADD g 12.758489 38.788135 west 17.241510 38.788135 east");
    harness
}

/// The elements of a flat reply, separated by spaces.
fn words(reply: &str) -> String {
    reply.split("\r\n").skip(2).step_by(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn searching() {
    for limit in ["128", "0"] {
        let mut harness = sicily(limit);
        for (line, expected) in [
            ("GEORADIUS g 15 37 200 km ASC", "Catania Palermo"),
            ("GEORADIUS g 15 37 200 km DESC", "Palermo Catania"),
            ("GEORADIUS g 15 37 100 km", "Catania"),
            ("GEORADIUS g 15 37 1 m", ""),
            ("GEORADIUS_RO g 15 37 200 km COUNT 1", "Catania"),
            ("GEORADIUS g 15 37 200 km COUNT 1 DESC", "Palermo"),
            ("GEORADIUSBYMEMBER g Palermo 200 km ASC", "Palermo west Catania"),
            ("GEORADIUSBYMEMBER_RO g Palermo 0 m", "Palermo"),
            ("GEORADIUS g 0 0 30000 km ASC", "Catania Palermo west east"),
            ("GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC", "Catania Palermo east west"),
            ("GEOSEARCH g FROMLONLAT 15 37 BYBOX 450 450 km ASC", "Catania Palermo east west"),
            ("GEOSEARCH g FROMMEMBER Catania BYRADIUS 120 mi ASC", "Catania Palermo"),
            ("GEOSEARCH g BYRADIUS 1 ft FROMMEMBER Catania FROMMEMBER east", "east"),
            ("GEOSEARCH x FROMMEMBER Catania BYRADIUS 1 ft", ""),
            ("GEORADIUSBYMEMBER x y z m", ""),
            ("GEORADIUS x 1 1 1 m", ""),
        ] {
            let reply = harness.run(line);
            assert_eq!(words(&reply), expected, "{line}: {reply}");
        }
        let any = harness.run("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 2000 km COUNT 2 ANY");
        assert_eq!(words(&any).split(' ').count(), 2);
    }
}

#[test]
fn what_is_told_of_each_member() {
    let mut harness = sicily("128");
    harness.check(&[
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 100 km WITHDIST", "*1\r\n*2\r\n$7\r\nCatania\r\n$7\r\n56.4413\r\n"),
        (
            "GEORADIUS g 15 37 100 km WITHCOORD WITHHASH WITHDIST",
            "*1\r\n*4\r\n$7\r\nCatania\r\n$7\r\n56.4413\r\n:3479447370796909\r\n\
             *2\r\n$20\r\n15.08726745843887329\r\n$20\r\n37.50266842333162032\r\n",
        ),
    ]);
    harness.resp3();
    harness.check(&[(
        "GEORADIUS g 15 37 100 km WITHCOORD WITHDIST",
        "*1\r\n*3\r\n$7\r\nCatania\r\n$7\r\n56.4413\r\n*2\r\n,15.08726745843887329\r\n,37.50266842333162032\r\n",
    )]);
}

#[test]
fn storing() {
    let mut harness = sicily("128");
    harness.check(&[
        ("GEORADIUS g 15 37 200 km STORE d", ":2\r\n"),
        ("ZSCORE d Catania", "$16\r\n3479447370796909\r\n"),
        ("GEORADIUS g 15 37 200 km COUNT 1 STOREDIST d", ":1\r\n"),
        ("ZRANGE d 0 -1 WITHSCORES", "*2\r\n$7\r\nCatania\r\n$16\r\n56.4412578701582\r\n"),
        ("GEOSEARCHSTORE e g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST DESC COUNT 1", ":1\r\n"),
        ("ZRANGE e 0 -1", "*1\r\n$7\r\nPalermo\r\n"),
        ("GEOSEARCHSTORE g g FROMMEMBER Palermo BYRADIUS 1 km", ":1\r\n"),
        ("ZCARD g", ":1\r\n"),
        ("GEOSEARCHSTORE d g FROMLONLAT 0 0 BYRADIUS 1 km", ":0\r\n"),
        ("EXISTS d", ":0\r\n"),
        ("GEORADIUSBYMEMBER x y 1 m STORE e", ":0\r\n"),
        ("EXISTS e", ":0\r\n"),
        ("GEORADIUS g 15 37 200 km STORE d STOREDIST e", ":1\r\n"),
        ("EXISTS d e", ":1\r\n"),
        ("GEORADIUS g 15 37 200 km STORE d STORE e", SYNTAX),
        ("GEORADIUS g 15 37 200 km STORE STOREDIST STOREDIST e", SYNTAX),
        ("GEORADIUSBYMEMBER g Palermo 200 km STOREDIST store", ":1\r\n"),
    ]);
    let mut harness = sicily("128");
    let changes = harness.counters().changes;
    harness.run("GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km");
    assert_eq!(harness.counters().changes, changes + 2);
    harness.run("GEOSEARCHSTORE d g FROMLONLAT 0 0 BYRADIUS 1 m");
    harness.run("GEOSEARCHSTORE d g FROMLONLAT 0 0 BYRADIUS 1 m");
    assert_eq!(harness.counters().changes, changes + 3);
}

#[test]
fn what_is_refused() {
    check(&[
        ("GEOADD g 1 1 a", ":1\r\n"),
        ("GEORADIUS g 1 91 1 m", "-ERR invalid longitude,latitude pair 1.000000,91.000000\r\n"),
        ("GEORADIUS g 1 x 1 m", "-ERR value is not a valid float\r\n"),
        ("GEORADIUS g 1 1 x m", "-ERR need numeric radius\r\n"),
        ("GEORADIUS g 1 1 -1 m", "-ERR radius cannot be negative\r\n"),
        ("GEORADIUS g 1 1 1 cm", "-ERR unsupported unit provided. please use M, KM, FT, MI\r\n"),
        ("GEORADIUS g 1 1 1 m COUNT 0", "-ERR COUNT must be > 0\r\n"),
        ("GEORADIUS g 1 1 1 m COUNT x", "-ERR value is not an integer or out of range\r\n"),
        ("GEORADIUS g 1 1 1 m COUNT", SYNTAX),
        ("GEORADIUS g 1 1 1 m ANY", "-ERR the ANY argument requires COUNT argument\r\n"),
        ("GEORADIUS g 1 1 1 m STORE", SYNTAX),
        ("GEORADIUS g 1 1 1 m BYRADIUS 1 m", SYNTAX),
        ("GEORADIUS_RO g 1 1 1 m STORE d", SYNTAX),
        (
            "GEORADIUS g 1 1 1 m WITHDIST STORE d",
            "-ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options\r\n",
        ),
        ("GEORADIUSBYMEMBER g x 1 m", NO_MEMBER),
        ("GEORADIUSBYMEMBER_RO g a 1 m STOREDIST d", SYNTAX),
        (
            "GEOSEARCH g BYRADIUS 1 m ASC DESC",
            "-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH\r\n",
        ),
        (
            "geosearch g FROMMEMBER a ASC DESC ASC",
            "-ERR exactly one of BYRADIUS and BYBOX can be specified for geosearch\r\n",
        ),
        ("GEOSEARCH g FROMMEMBER a FROMLONLAT 1 1 BYRADIUS 1 m", SYNTAX),
        ("GEOSEARCH g FROMLONLAT 1 1 FROMMEMBER a BYRADIUS 1 m", SYNTAX),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m BYBOX 1 1 m", SYNTAX),
        ("GEOSEARCH g FROMLONLAT 1 1 BYBOX 1 1 m BYRADIUS 1 m", SYNTAX),
        ("GEOSEARCH g FROMLONLAT 1 1 BYBOX x 1 m", "-ERR need numeric width\r\n"),
        ("GEOSEARCH g FROMLONLAT 1 1 BYBOX 1 x m", "-ERR need numeric height\r\n"),
        ("GEOSEARCH g FROMLONLAT 1 1 BYBOX 1 -1 m", "-ERR height or width cannot be negative\r\n"),
        ("GEOSEARCH g FROMMEMBER x BYBOX 1 1 m", NO_MEMBER),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m STOREDIST", SYNTAX),
        ("GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 m STORE x", SYNTAX),
        (
            "GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 m WITHHASH",
            "-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options\r\n",
        ),
        ("SET s x", "+OK\r\n"),
        ("GEORADIUS s x y z m", WRONG_TYPE),
        ("GEOSEARCH s FROMLONLAT 1 1 BYRADIUS 1 m", WRONG_TYPE),
    ]);
}
