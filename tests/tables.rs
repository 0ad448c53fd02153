//! Runs the command tables of `tests/tables/` against stock redis-server, which proves them, and against Ringfort.
//!
//! `RINGFORT_TABLES=name` runs the tables whose file name contains `name`. `RINGFORT_TABLES_FILL=1` writes redis-server's
//! replies below commands that have none yet (see `tests/tables/README.md`).

mod support;

use std::path::PathBuf;
use support::client::Client;
use support::server::{Server, Target, Transport, skip_without_redis, targets_under_test};
use support::table::{self, Table, matches};
use support::value;

/// Failures printed in full; of the rest, the number.
const FAILURES_SHOWN_MAX: usize = 25;

/// Every table with its path and text, in order of name.
fn tables() -> Vec<(PathBuf, String, Table)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tables");
    let wanted = std::env::var("RINGFORT_TABLES").unwrap_or_default();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("tests/tables exists")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.retain(|path| {
        path.extension().is_some_and(|extension| extension == "txt")
            && path.to_string_lossy().contains(&wanted)
    });
    paths.sort();
    assert!(
        !paths.is_empty(),
        "no table matches RINGFORT_TABLES={wanted}"
    );
    let read = |path: PathBuf| {
        let name = path
            .file_name()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&path).expect("a table is UTF-8 text");
        let table = Table::parse(&name, &text).unwrap_or_else(|reason| panic!("{reason}"));
        (path, text, table)
    };
    paths.into_iter().map(read).collect()
}

fn run_all(target: Target) {
    let mut failures = Vec::new();
    for (_, _, table) in tables() {
        failures.extend(table::run(&table, target));
    }
    let shown = failures
        .iter()
        .take(FAILURES_SHOWN_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        failures.is_empty(),
        "{target:?}: {} step(s) went wrong\n{shown}",
        failures.len()
    );
}

#[test]
fn stock_redis_proves_the_tables() {
    if skip_without_redis() {
        return;
    }
    if std::env::var("RINGFORT_TABLES_FILL").is_ok() {
        for (path, text, table) in tables() {
            let filled = table::fill(&table, &text);
            if filled != text {
                std::fs::write(path, filled).expect("the table is writable");
            }
        }
    }
    run_all(Target::Redis);
}

#[test]
fn the_server_under_test_answers_as_the_tables_say() {
    for target in targets_under_test() {
        if target == Target::Redis {
            eprintln!(
                "skipped: RINGFORT_UNDER_TEST=redis, and stock_redis_proves_the_tables has done this"
            );
        } else {
            run_all(target);
        }
    }
}

// ---- the machinery itself ----

#[test]
fn patterns_match_what_they_say() {
    for (pattern, text, expected) in [
        ("OK", "OK", true),
        ("OK", "OKAY", false),
        ("(integer) <int>", "(integer) -12", true),
        ("(integer) <int>", "(integer) x", false),
        ("(integer) <int 95..100>", "(integer) 99", true),
        ("(integer) <int 95..100>", "(integer) 94", false),
        ("(integer) <int 95..100>", "(integer) 101", false),
        (
            "id=<int> addr=<*> fd=<int>",
            "id=3 addr=/tmp/x:0 fd=8",
            true,
        ),
        ("id=<int> addr=<*> fd=<int>", "id=3 addr=/tmp/x:0", false),
        ("1) <*>\n2) \"b\"", "1) \"a\"\n2) \"b\"", true),
        ("1) <*>", "1) \"a\"\n2) \"b\"", false),
        ("<*>", "", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
    }
}

/// Runs a table text on stock redis-server and returns the lines that went wrong.
fn failing_lines(text: &str) -> Vec<usize> {
    let table = Table::parse("sample", text).expect("sample parses");
    let line = |failure: &String| {
        failure
            .split(':')
            .nth(1)
            .and_then(|line| line.parse().ok())
            .expect("failure names its line")
    };
    table::run(&table, Target::Redis).iter().map(line).collect()
}

#[test]
fn wrong_expectations_are_found() {
    if skip_without_redis() {
        return;
    }
    assert_eq!(
        failing_lines("== a\n> SET a 1\nOK\n> GET a\n\"1\"\n"),
        [0; 0]
    );
    assert_eq!(
        failing_lines("== a\n> SET a 1\nKO\n> GET a\n\"2\"\n"),
        [2, 4]
    );
    assert_eq!(
        failing_lines("== a\n> SET a 1\n"),
        [2],
        "a command needs an expected reply"
    );
    assert_eq!(
        failing_lines("== a\n> MGET a b\n1) (nil)\n"),
        [2],
        "a list must be complete"
    );
    assert_eq!(failing_lines("== a\n@conn 2\n> PING\n(closed)\n"), [3]);
    assert_eq!(
        failing_lines("== a\n> PING\n(no reply)\n> ECHO x\n\"x\"\n"),
        [4]
    );
    assert_eq!(
        failing_lines(
            "== a @ringfort-only: sample\n> PING\nno\n== b\n@ringfort-only: sample\n> PING\nno\n> PING\nno\n"
        ),
        [8]
    );
    assert_eq!(
        failing_lines("== a\n@since 99.0: sample\n> PING\nno\n@since 6.0: sample\n> PING\nno\n"),
        [6]
    );
    assert_eq!(
        failing_lines("== a\n@save x\n> ECHO hi\n\"hi\"\n> ECHO {{x}}{{y*3}}\n\"hiyyy\"\n"),
        [0; 0]
    );
    assert_eq!(
        failing_lines(
            "== a\n@sorted\n> COMMAND LIST FILTERBY PATTERN [gs]et\n1) \"get\"\n2) \"set\"\n"
        ),
        [0; 0]
    );
}

#[test]
fn malformed_tables_are_refused() {
    for text in [
        "> PING\nPONG\n",
        "== a\nPONG\n",
        "== a\n@bogus\n",
        "== a @since 7.4\n",
        "== a\n> CLIENT REPLY SKIP\n(no reply)\n",
        "== a\n@conn x\n",
    ] {
        assert!(Table::parse("sample", text).is_err(), "{text}");
    }
}

#[test]
fn servers_listen_on_tcp_too_and_end_with_their_value() {
    if skip_without_redis() {
        return;
    }
    for target in targets_under_test() {
        let server = Server::start_with(target, Transport::Tcp, &["--databases", "4"]);
        let mut client = server.connect();
        assert_eq!(client.call(&["SELECT", "3"]).to_string(), "OK");
        assert_eq!(
            client.call(&["SELECT", "4"]).to_string(),
            "(error) ERR DB index is out of range"
        );
        let (directory, log) = (server.directory().to_owned(), server.log());
        assert!(!log.is_empty(), "the output is kept");
        drop(server);
        assert!(client.is_closed().expect("the socket reports its end"));
        assert!(!directory.exists());
    }
}

#[test]
fn replies_split_over_reads_are_whole() {
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a socket pair");
    let reply: &[u8] = b"*2\r\n$5\r\nab\r\nc\r\n%1\r\n+k\r\n~2\r\n:1\r\n_\r\n";
    for length in 0..reply.len() {
        assert_eq!(
            value::parse(&reply[..length]),
            Ok(None),
            "{length} bytes are not a reply"
        );
    }
    let (value, length) = value::parse(reply).expect("valid").expect("complete");
    assert_eq!(length, reply.len());
    assert_eq!(
        value.to_string(),
        "1) \"ab\\r\\nc\"\n2) 1# k => 1~ (integer) 1\n           2~ (nil)"
    );
    assert!(value::parse(b"?x\r\n").is_err());
    let mut client = Client::over(theirs);
    for byte in reply.iter().chain(b"+OK\r\n") {
        std::io::Write::write_all(&mut ours, &[*byte]).expect("the pair takes a byte");
    }
    assert_eq!(client.read_raw().expect("whole"), reply);
    assert_eq!(client.read().expect("whole").to_string(), "OK");
}
