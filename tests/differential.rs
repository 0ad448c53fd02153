//! Random commands on our server and on stock redis-server side by side: replies and states must be equal.
//!
//! `RINGFORT_DIFF_COMMANDS` (default 100,000) commands are split over the targets under test; `RINGFORT_DIFF_SEED` (default 1)
//! chooses them, `RINGFORT_DIFF_GROUPS` (default all) the groups of commands. A difference is printed with its seed and shrunk to a short list of commands.

mod support;

use support::compare::{ALLOWANCES, Tolerance, agree, is_variant, tolerance, within};
use support::duel::{Duel, Fault};
use support::generate::{Generator, Move, Request};
use support::grammar::{Node, parse_row, rows};
use support::server::{Server, Target, skip_without_redis, targets_under_test};
use support::shrink::{describe, flatten, minimise};
use support::value::Value;

const COMMANDS_DEFAULT: usize = 100_000;
const SEED_DEFAULT: u64 = 1;

fn parameter<T: std::str::FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text
            .replace('_', "")
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not `{text}`")),
        Err(_) => default,
    }
}

/// Plays `commands` random commands; the error is the report of the first difference, shrunk.
fn run(
    target: Target,
    seed: u64,
    commands: usize,
    fault: Option<Fault>,
) -> Result<(), (String, Vec<Move>)> {
    let mut generator = Generator::new(seed);
    let mut duel = Duel::start(target, fault);
    let (mut history, mut made) = (Vec::new(), 0);
    while made < commands {
        let step = if history.is_empty() {
            Move::CompareState
        } else {
            generator.next_move()
        };
        if let Move::Pipeline { requests, .. } = &step {
            made += requests.len();
        }
        history.push(step);
        let last = history.last().expect("just pushed");
        let last_of_all = if made < commands { Ok(()) } else { Err(()) };
        let result = duel
            .make(last)
            .and_then(|()| last_of_all.or_else(|()| duel.compare_state()));
        if let Err(what) = result {
            let place = format!(
                "{target:?}, seed {seed}, move {}, within commands up to {made}",
                history.len() - 1
            );
            let log = duel.our_log();
            let small = shrink(&mut duel, history);
            let report = format!(
                "{place}\n{what}\nSmallest list of commands found ([connection] command):\n{}Output of our server:\n{log}",
                describe(&small)
            );
            return Err((report, small));
        }
    }
    Ok(())
}

/// A small part of the history that still makes a difference.
fn shrink(duel: &mut Duel, history: Vec<Move>) -> Vec<Move> {
    let mut fails = |moves: &[Move]| {
        duel.reset();
        duel.play(moves).is_err() || duel.compare_state().is_err()
    };
    let flat = flatten(&history);
    let start = if fails(&flat) { flat } else { history };
    minimise(start, fails)
}

#[test]
fn the_server_under_test_replies_like_redis() {
    if skip_without_redis() {
        return;
    }
    let seed = parameter("RINGFORT_DIFF_SEED", SEED_DEFAULT);
    let targets = targets_under_test();
    let commands = parameter("RINGFORT_DIFF_COMMANDS", COMMANDS_DEFAULT) / targets.len();
    for (index, target) in targets.into_iter().enumerate() {
        if let Err((report, _)) = run(target, seed + index as u64, commands, None) {
            panic!("{report}");
        }
    }
}

#[test]
fn redis_replies_like_itself() {
    if skip_without_redis() {
        return;
    }
    if let Err((report, _)) = run(Target::Redis, 7, 5_000, None) {
        panic!("{report}");
    }
}

/// Alters GETRANGE replies of two bytes: rare, and only after a write that gave the key its value.
fn false_getrange(request: &Request, reply: &mut [u8]) {
    if request.arguments[0].eq_ignore_ascii_case(b"GETRANGE") && reply.starts_with(b"$2\r\n") {
        reply[4] ^= 1;
    }
}

#[test]
fn a_false_reply_is_found_and_shrunk() {
    if skip_without_redis() {
        return;
    }
    let (report, small) =
        run(Target::Redis, 3, 120_000, Some(false_getrange)).expect_err("the fault must be found");
    let commands: Vec<&Request> = small
        .iter()
        .flat_map(|step| {
            if let Move::Pipeline { requests, .. } = step {
                &requests[..]
            } else {
                &[]
            }
        })
        .collect();
    assert!(commands.len() <= 3, "not shrunk:\n{report}");
    assert!(
        commands
            .last()
            .is_some_and(|request| request.arguments[0].eq_ignore_ascii_case(b"GETRANGE")),
        "{report}"
    );
    assert!(report.contains("seed 3"), "{report}");
}

#[test]
fn a_false_state_is_found() {
    if skip_without_redis() {
        return;
    }
    let mut duel = Duel::start(Target::Redis, Some(|_, _| {}));
    let on_both = |line: &str| Move::Pipeline {
        connection: 0,
        requests: vec![request(line)],
        cuts: Vec::new(),
    };
    duel.play(&[
        on_both("SELECT 2"),
        on_both("SET a 1"),
        on_both("RPUSH b 1 2"),
        Move::CompareState,
    ])
    .expect("equal states are equal");
    for (line, undo) in [
        ("SET a 2", "SET a 1"),
        ("SET c 1", "DEL c"),
        ("EXPIRE a 1000", "PERSIST a"),
        ("RPUSH b 3", "RPOP b"),
        ("DEL b", "RPUSH b 1 2"),
    ] {
        duel.our_client(0)
            .call(&line.split(' ').collect::<Vec<_>>());
        let what = duel.compare_state().expect_err(line);
        assert!(what.contains("database 2"), "{what}");
        duel.our_client(0)
            .call(&undo.split(' ').collect::<Vec<_>>());
        duel.compare_state().expect("equal again");
    }
}

#[test]
fn the_same_seed_gives_the_same_moves() {
    let moves = |seed| {
        let mut generator = Generator::new(seed);
        (0..200).map(|_| generator.next_move()).collect::<Vec<_>>()
    };
    assert_eq!(moves(5), moves(5));
    assert_ne!(moves(5), moves(6));
}

#[test]
fn every_row_of_the_grammar_is_a_command_of_redis() {
    if skip_without_redis() {
        return;
    }
    let server = Server::start(Target::Redis);
    let mut client = server.connect();
    let mut generator = Generator::new(1);
    for row in rows() {
        let name = row.nodes.iter().map_while(|node| {
            if let Node::Literal(word) = node {
                Some(word.as_str())
            } else {
                None
            }
        });
        if name.clone().any(|word| word.eq_ignore_ascii_case("bogus")) {
            continue; // Unknown on purpose.
        }
        for _ in 0..20 {
            let arguments = generator.arguments(&row.nodes);
            let reply = client.call(&arguments).to_string();
            let unknown = [
                "wrong number of arguments",
                "unknown command",
                "unknown subcommand",
            ]
            .iter()
            .any(|text| reply.contains(text));
            assert!(!unknown, "{:?}: {reply}", name.clone().collect::<Vec<_>>());
        }
    }
}

#[test]
fn malformed_grammar_lines_are_refused() {
    assert!(parse_row("1 SET key value [NX|XX] {key value}+ (A|B)").is_ok());
    for line in [
        "SET key",
        "x SET key",
        "1 key",
        "1 SET nosuchkind",
        "1 SET [NX",
        "1 SET NX]",
        "1 SET {key}",
        "1 A | B",
        "1 ",
    ] {
        assert!(parse_row(line).is_err(), "{line}");
    }
}

/// The command of a line, in an array.
fn request(line: &str) -> Request {
    let arguments = line.split(' ').map(|word| word.as_bytes().to_vec());
    Request {
        arguments: arguments.collect(),
        inline: false,
        noise: b"",
    }
}

/// An array of bulk strings.
fn list(items: &[&str]) -> Value {
    let bulk = |item: &&str| Value::Bulk(item.as_bytes().to_vec());
    Value::Array(items.iter().map(bulk).collect())
}

#[test]
fn tolerances_allow_what_they_say_and_no_more() {
    let integer = Value::Integer;
    let error = |text: &str| Value::Error(text.as_bytes().to_vec());
    let bulk = |text: &str| Value::Bulk(text.as_bytes().to_vec());
    for (line, ours, theirs, expected) in [
        ("GET a", integer(1), integer(2), false),
        ("ttl a", integer(100), integer(98), true),
        ("TTL a", integer(100), integer(90), false),
        ("TTL a", integer(-1), integer(-2), false),
        ("TTL a", integer(0), integer(-1), false),
        ("PTTL a", integer(100_000), integer(98_000), true),
        ("KEYS *", list(&["a", "b"]), list(&["b", "a"]), true),
        ("KEYS *", list(&["a", "b"]), list(&["b", "c"]), false),
        ("KEYS *", list(&["a", "b"]), list(&["b"]), false),
        ("MGET a b", list(&["a", "b"]), list(&["b", "a"]), false),
        (
            "RANDOMKEY",
            Value::Nil { resp3: false },
            Value::Bulk(b"a".to_vec()),
            false,
        ),
        ("CLIENT ID", integer(3), integer(9), true),
        ("CLIENT ID", integer(3), error("ERR no"), false),
        ("CLIENT ID", error("ERR yes"), error("ERR no"), false),
        ("SRANDMEMBER a 2", list(&["a", "b"]), list(&["c", "d"]), true),
        ("SRANDMEMBER a 2", list(&["a", "b"]), list(&["a"]), false),
        ("OBJECT ENCODING a", bulk("listpack"), bulk("hashtable"), true),
        ("OBJECT ENCODING a", bulk("hashtable"), bulk("listpack"), false),
        (
            "HELLO 2",
            list(&["id", "1", "role", "master"]),
            list(&["id", "2", "role", "master"]),
            true,
        ),
        (
            "HELLO 2",
            list(&["id", "1", "role", "master"]),
            list(&["id", "1", "role", "slave"]),
            false,
        ),
    ] {
        assert_eq!(
            agree(&request(line), &ours, &theirs),
            expected,
            "{line}: {ours} / {theirs}"
        );
    }
}

#[test]
fn rules_are_about_their_command_and_type_only() {
    assert!(tolerance(&request("OBJECT FREQ a")).is_none());
    assert!(!within(
        Tolerance::AnyOrder,
        &list(&["a"]),
        &Value::Set(vec![Value::Bulk(b"a".to_vec())])
    ));
    assert!(
        ALLOWANCES
            .iter()
            .all(|allowance| !allowance.reason.is_empty() && !allowance.words.is_empty())
    );
    let variants = &[("ERR new", "ERR old", "reworded in 7.4")];
    assert!(is_variant(b"ERR new", b"ERR old", variants));
    assert!(!is_variant(b"ERR old", b"ERR new", variants));
}

#[test]
fn shrinking_finds_the_items_that_matter() {
    let items: Vec<u32> = (0..1000).collect();
    let small = minimise(items, |items| items.contains(&17) && items.contains(&701));
    assert_eq!(small, [17, 701]);
    let even = |items: &[u32]| items.contains(&4) && items.len() % 2 == 1;
    assert_eq!(
        minimise((0..9).collect(), even),
        [4],
        "pairs that can only go together"
    );
    assert_eq!(minimise(Vec::<u32>::new(), |_| true), [0; 0]);
}
