//! `redis-benchmark` as a name of ours, end to end: the shape of its output and what it leaves in the server.

mod support;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use support::client::Address;
use support::server::{Server, Target, Transport};
use support::value::Value;

struct Place {
    server: Server,
    program: PathBuf,
    socket: String,
}

impl Place {
    fn new() -> Place {
        let server = Server::start_with(Target::Ringfort { shards: 2 }, Transport::Unix, &[]);
        let program = server.directory().join("redis-benchmark");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ringfort"), &program).expect("the folder is ours");
        let Address::Unix(socket) = server.address() else { panic!("it listens on a socket") };
        let socket = socket.display().to_string();
        Place { server, program, socket }
    }

    fn run(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(&self.program);
        let output = command.args(["-s", &self.socket]).args(words).stdin(Stdio::null()).output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

#[test]
fn every_test_runs_and_says_how_fast() {
    let place = Place::new();
    let (code, stdout, stderr) = place.run(&["-q", "-n", "200", "-c", "5", "-P", "4", "-r", "100", "--threads", "2"]);
    assert_eq!(code, Some(0), "{stderr}");
    let titles: Vec<&str> = stdout.lines().filter_map(|line| line.split(": ").next()).collect();
    let expected = [
        "PING_INLINE",
        "PING_MBULK",
        "SET",
        "GET",
        "INCR",
        "LPUSH",
        "RPUSH",
        "LPOP",
        "RPOP",
        "SADD",
        "HSET",
        "SPOP",
        "ZADD",
        "ZPOPMIN",
        "LPUSH (needed to benchmark LRANGE)",
        "LRANGE_100 (first 100 elements)",
        "LRANGE_300 (first 300 elements)",
        "LRANGE_500 (first 500 elements)",
        "LRANGE_600 (first 600 elements)",
        "MSET (10 keys)",
    ];
    assert_eq!(titles, expected);
    for line in stdout.lines() {
        assert!(line.contains(" requests per second, p50=") && line.ends_with(" msec"), "{line}");
    }
}

#[test]
fn a_command_of_ones_own_with_random_numbers() {
    let place = Place::new();
    let words = ["-n", "1000", "-c", "4", "-r", "10", "SADD", "numbers", "n:__rand_int__"];
    let (code, stdout, stderr) = place.run(&words);
    assert_eq!(code, Some(0), "{stderr}");
    for part in [
        "====== SADD numbers n:__rand_int__ ======\n  1000 requests completed in ",
        "\n  4 parallel clients\n  3 bytes payload\n  keep alive: 1\n  host configuration \"save\": \n  host configuration \
         \"appendonly\": no\n  multi-thread: no\n",
        "\nLatency by percentile distribution:\n0.000% <= ",
        "\n100.000% <= ",
        "(cumulative count 1000)\n\nCumulative distribution of latencies:\n",
        "\nSummary:\n  throughput summary: ",
        "          avg       min       p50       p95       p99       max\n",
    ] {
        assert!(stdout.contains(part), "{part:?} is missing: {stdout}");
    }
    let mut client = place.server.connect();
    assert_eq!(client.call(&["SCARD", "numbers"]), Value::Integer(10), "all of ten in a thousand tries");
    assert_eq!(client.call(&["SISMEMBER", "numbers", "n:000000000007"]), Value::Integer(1));
}

#[test]
fn tables_new_connections_and_errors() {
    let place = Place::new();
    let (code, stdout, _) = place.run(&["--csv", "-n", "50", "-c", "5", "-k", "0", "-d", "10", "-t", "set,GET"]);
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!((code, lines.len()), (Some(0), 3), "{stdout}");
    assert!(
        lines[0].starts_with("\"test\",\"rps\",\"avg_latency_ms\"") && lines[2].starts_with("\"GET\",\""),
        "{stdout}"
    );
    assert!(lines.iter().all(|line| line.split(',').count() == 8), "{stdout}");
    let mut client = place.server.connect();
    assert_eq!(client.call(&["STRLEN", "key:__rand_int__"]), Value::Integer(10));
    let info = client.call(&["INFO", "stats"]).to_string();
    let count = info.split("total_connections_received:").nth(1).expect("INFO tells").chars();
    let count: u32 = count.take_while(char::is_ascii_digit).collect::<String>().parse().expect("it is a number");
    assert!(count > 100, "every pipeline has a connection of its own: {count}");
    let (code, _, stderr) = place.run(&["-n", "10", "INCRBY", "x", "no"]);
    assert!(code == Some(1) && stderr.starts_with("Error from server: ERR value is not an integer"), "{stderr}");
    let (code, _, stderr) = place.run(&["-t", "nosuch"]);
    assert!(code == Some(1) && stderr.contains("None of the tests"), "{stderr}");
}
