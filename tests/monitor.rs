//! MONITOR on several cores: who monitors sees what all others do, each command once, those of scripts and transactions
//! included.

mod support;

use support::client::Client;
use support::server::{Server, Target, Transport};
use support::value::Value;

/// The database, who, and the arguments of the next line.
fn line(monitor: &mut Client) -> String {
    let Value::Status(line) = monitor.read().expect("a line") else { panic!("lines are status replies") };
    let line = String::from_utf8(line).expect("text");
    let (time, rest) = line.split_once(' ').expect("a time");
    assert!(time.parse::<f64>().expect("a number") > 1e9, "{line}");
    let (who, arguments) = rest.split_once("] ").expect("who");
    let who = if who.contains("unix:") { who.split(' ').next().expect("a database") } else { who };
    format!("{who}] {arguments}")
}

#[test]
fn everybody_is_seen_once() {
    let server = Server::start_with(Target::Ringfort { shards: 4 }, Transport::Unix, &[]);
    let mut monitors: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    for monitor in &mut monitors {
        assert_eq!(monitor.call(&["MONITOR"]).to_string(), "OK");
    }
    // On several cores; each waits for its reply, so the lines of one core come in this order.
    let mut client = server.connect();
    let mut lines = Vec::new();
    let mut say = |words: &[&str], shown: &[&str]| {
        client.call(words);
        lines.extend(shown.iter().map(|line| line.to_string()));
    };
    say(&["SET", "a", "x y"], &["[0] \"SET\" \"a\" \"x y\""]);
    say(&["CONFIG", "GET", "timeout"], &[]);
    say(&["nosuch"], &[]);
    say(&["AUTH", "anna", "secret"], &["[0] \"AUTH\" \"(redacted)\" \"(redacted)\""]);
    say(&["SELECT", "9"], &["[9] \"SELECT\" \"9\""]);
    say(
        &["MSET", "b", "1", "c", "2", "d", "3", "e", "4"],
        &["[9] \"MSET\" \"b\" \"1\" \"c\" \"2\" \"d\" \"3\" \"e\" \"4\""],
    );
    say(&["RENAME", "b", "f"], &["[9] \"RENAME\" \"b\" \"f\""]);
    say(&["MULTI"], &["[9] \"MULTI\""]);
    say(&["GET", "c"], &[]);
    say(&["PING"], &[]);
    say(&["EXEC"], &["[9] \"GET\" \"c\"", "[9] \"PING\"", "[9] \"EXEC\""]);
    let script = "for n = 1, 3 do redis.call('set', 'k' .. n, n) end return redis.call('ping')";
    let eval = format!("[9] \"EVAL\" \"{script}\" \"0\"");
    let own = [
        "[9 lua] \"set\" \"k1\" \"1\"",
        "[9 lua] \"set\" \"k2\" \"2\"",
        "[9 lua] \"set\" \"k3\" \"3\"",
        "[9 lua] \"ping\"",
    ];
    say(&["EVAL", script, "0"], &[&[eval.as_str()], &own[..]].concat());
    for monitor in &mut monitors {
        for expected in &lines {
            assert_eq!(line(monitor), *expected);
        }
    }
    let mut monitor = monitors.pop().expect("there are some");
    assert_eq!(monitor.call(&["GET", "a"]).to_string(), "(error) ERR Replica can't interact with the keyspace");
    assert!(client.call(&["CLIENT", "LIST"]).to_string().contains(" flags=OU "));
    monitor.send(&["RESET"]).expect("it listens");
    while monitor.read().expect("a line").to_string() != "RESET" {}
    drop(monitors);
    assert_eq!(monitor.call(&["GET", "a"]).to_string(), "\"x y\"");
    assert_eq!(client.call(&["PING"]).to_string(), "PONG");
    assert_eq!(monitor.call(&["PING"]).to_string(), "PONG");
}
