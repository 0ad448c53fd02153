//! The comparison tool of `benches/`: its modules' own tests, and one run of everything with numbers so small that it
//! takes seconds. No figure is checked here, only that all of them arrive in the record.

#[path = "../benches/compare/mod.rs"]
mod compare;
mod support;

use compare::Programs;

#[test]
fn a_run_of_everything_leaves_a_record() {
    if support::server::skip_without_redis() {
        return;
    }
    let out = std::env::temp_dir().join(format!("ringfort-compare-{}", std::process::id()));
    let line = "compare --quick --no-pin --requests 2000 --keys 1000 --memory-keys 100000 --elements 2000 --large 2000 --rate 500 --pipeline 1,16 \
                --clients 5 --rate-clients 5 -t set,get,lrange_100 --out";
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    words.extend([out.display().to_string(), "redis".to_owned(), "ringfort".to_owned()]);
    let programs = Programs {
        ringfort: env!("CARGO_BIN_EXE_ringfort").to_owned(),
        floor: None,
        scratch: env!("CARGO_TARGET_TMPDIR").into(),
    };
    let tables = compare::run(&words, &programs).expect("the tool runs");
    let text = std::fs::read_to_string(&tables).expect("the record was written");
    for row in ["| 1 | set | ringfort |", "| 16 | get | redis |", "| redis | ", "bytes/key", "| zset | 1000 | ringfort |", "| hash | delete | redis |"] {
        assert!(text.contains(row), "{row} is not in\n{text}");
    }
    let raw = std::fs::read_to_string(tables.with_extension("json")).expect("the raw figures were written");
    let raw: serde_json::Value = serde_json::from_str(&raw).expect("they are JSON");
    for case in raw["throughput"].as_array().expect("cases").iter().filter(|case| case["test"] != "lrange_100") {
        for server in ["redis", "ringfort"] {
            let rate = case["servers"][server]["rounds"][0]["requests_per_second"].as_f64();
            assert!(rate.is_some_and(|rate| rate > 0.0), "{server}: {case}");
        }
    }
    for server in ["redis", "ringfort"] {
        let round = &raw["latency"]["servers"][server]["rounds"][0];
        assert_eq!((round["requests"].as_u64(), round["unanswered"].as_u64()), (Some(500), Some(0)), "{round}");
        let per_key = raw["memory"]["servers"][server]["bytes_per_key"].as_f64();
        assert!(per_key.is_some_and(|bytes| bytes > 16.0), "{server}: {per_key:?}");
    }
    std::fs::remove_dir_all(&out).expect("the record can be removed");
}

/// A stall of 300 ms in one second of load holds up three requests in ten, by 150 ms on average: the last tenth waited for
/// more than 100 ms. A client that waits for each reply before the next request would see five slow ones in 500.
#[test]
fn a_stall_shows_in_all_requests_it_held_up() {
    if support::server::skip_without_redis() {
        return;
    }
    let out = std::env::temp_dir().join(format!("ringfort-compare-stall-{}", std::process::id()));
    let line = "compare --quick --no-pin --part latency --keys 1000 --rate 500 --rate-clients 5 --out";
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    words.push(out.display().to_string());
    words.extend(["--during", "DEBUG SLEEP 0.3"].map(str::to_owned));
    words.push("redis=redis-server --port PORT --save '' --enable-debug-command yes".to_owned());
    let programs = Programs { ringfort: "rf".to_owned(), floor: None, scratch: env!("CARGO_TARGET_TMPDIR").into() };
    let tables = compare::run(&words, &programs).expect("the tool runs");
    let raw = std::fs::read_to_string(tables.with_extension("json")).expect("the raw figures were written");
    let raw: serde_json::Value = serde_json::from_str(&raw).expect("they are JSON");
    let round = &raw["latency"]["servers"]["redis"]["rounds"][0];
    assert!(round["p90_ms"].as_f64().is_some_and(|latency| latency > 100.0), "{round}");
    std::fs::remove_dir_all(&out).expect("the record can be removed");
}

#[test]
fn a_wrong_command_line_says_what_is_wrong() {
    let programs = Programs { ringfort: "rf".to_owned(), floor: None, scratch: std::env::temp_dir() };
    for (line, expected) in [
        ("compare --rounds 0", "--rounds"),
        ("compare floor", "floor"),
        ("compare keydb", "keydb"),
        ("compare x=PORT x=PORT", "same name"),
        ("compare x=server", "PORT"),
    ] {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let failure = compare::run(&words, &programs).expect_err(line);
        assert!(failure.contains(expected), "{line}: {failure}");
    }
}
