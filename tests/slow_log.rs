//! SLOWLOG on several shards: a command is written down once, wherever it ran, with its client, and without secrets.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use support::client::Client;
use support::server::{Server, Target, Transport};
use support::value::Value;

fn text(value: &Value) -> String {
    match value {
        Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("{other:?} is no text"),
    }
}

/// Number, command and client's name of every entry, the newest first.
fn entries(client: &mut Client) -> Vec<(i64, String, String)> {
    let Value::Array(entries) = client.call(&["SLOWLOG", "GET", "-1"]) else { panic!("SLOWLOG GET answers an array") };
    let entry = |entry: &Value| match entry {
        Value::Array(parts) => match &parts[..] {
            [Value::Integer(number), Value::Integer(at), Value::Integer(spent), Value::Array(words), address, name] => {
                assert!(*at > 1_600_000_000 && *spent >= 0 && !text(address).is_empty());
                (*number, words.iter().map(text).collect::<Vec<_>>().join(" "), text(name))
            }
            other => panic!("{other:?} is no entry"),
        },
        other => panic!("{other:?} is no entry"),
    };
    entries.iter().map(entry).collect()
}

#[test]
fn every_command_is_written_down_once() {
    for shards in [1, 4] {
        let arguments = ["--slowlog-log-slower-than", "0", "--slowlog-max-len", "10000"];
        let server = Server::start_with(Target::Ringfort { shards }, Transport::Unix, &arguments);
        // Others keep the boxes busy, so that commands travel.
        let busy = Arc::new(AtomicBool::new(true));
        let others: Vec<_> = (0..3)
            .map(|_| {
                let (mut client, busy) = (server.connect(), busy.clone());
                std::thread::spawn(move || {
                    client.call(&["CLIENT", "SETNAME", "other"]);
                    while busy.load(Ordering::Relaxed) {
                        client.call(&["MGET", "a", "b", "c", "d", "e", "f"]);
                    }
                })
            })
            .collect();
        let mut client = server.connect();
        client.call(&["CLIENT", "SETNAME", "me"]);
        let mut sent = vec!["CLIENT SETNAME me".to_owned()];
        let requests = ["SET a 1", "GET b", "MSET a 1 b 2 c 3 d 4", "DEL a b c d", "LRANGE l 0 -1", "EVAL return(1) 0", "SUNION s t u"];
        for _ in 0..100 {
            for request in requests {
                client.send(&request.split(' ').collect::<Vec<_>>()).expect("sent");
                sent.push(request.to_owned());
            }
            for _ in requests {
                client.read().expect("a reply");
            }
        }
        busy.store(false, Ordering::Relaxed);
        others.into_iter().for_each(|other| other.join().expect("it ends"));
        client.call(&["MULTI"]);
        client.call(&["SET", "a", "1"]);
        client.call(&["EXEC"]);
        client.call(&["CONFIG", "SET", "requirepass", "secret"]);
        sent.extend(["MULTI", "SET a 1", "CONFIG SET requirepass (redacted)"].map(str::to_owned));
        let entries = entries(&mut client);
        let mut mine: Vec<String> =
            entries.iter().filter(|(_, _, name)| name == "me").map(|(_, command, _)| command.clone()).collect();
        let mut numbers: Vec<i64> = entries.iter().map(|(number, ..)| *number).collect();
        assert!(numbers.iter().rev().eq(&(0..).take(numbers.len()).map(|number| numbers.last().unwrap_or(&0) + number).collect::<Vec<_>>()));
        numbers.dedup();
        mine.sort();
        sent.sort();
        let found = mine.iter().zip(&sent).find(|(mine, sent)| mine != sent);
        assert_eq!((found, mine.len()), (None, sent.len()), "on {shards} shards");
    }
}

#[test]
fn only_what_took_long_is_written_down() {
    let server = Server::start_with(
        Target::Ringfort { shards: 2 },
        Transport::Unix,
        &["--slowlog-log-slower-than", "50000", "--enable-debug-command", "yes"],
    );
    let mut client = server.connect();
    client.call(&["SET", "a", "1"]);
    client.call(&["DEBUG", "SLEEP", "0.1"]);
    client.call(&["GET", "a"]);
    assert_eq!(entries(&mut client), [(0, "DEBUG SLEEP 0.1".to_owned(), String::new())]);
    assert_eq!(client.call(&["SLOWLOG", "LEN"]), Value::Integer(1));
    client.call(&["SLOWLOG", "RESET"]);
    client.call(&["CONFIG", "SET", "slowlog-log-slower-than", "-1"]);
    client.call(&["DEBUG", "SLEEP", "0.1"]);
    assert_eq!(entries(&mut client), []);
}
