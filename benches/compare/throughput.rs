//! redis-benchmark against every server in turn, round after round: requests per second, and the CPU time the server
//! spent on each, from the process' own accounting.

use std::{process::Command, time::Duration};

use super::options::Options;
use super::process::{output_within, pinned, ticks_per_second};
use super::server::Server;

/// For one run of redis-benchmark.
const RUN_TIMEOUT: Duration = Duration::from_secs(300);
/// Keys the tests of collections work on; deleted before each run, so that every round finds the same.
const COLLECTIONS: [&str; 5] = ["mylist", "myset", "myhash", "myzset", "mystream"];
/// Elements of the list that LRANGE reads.
const RANGE_LIST_LENGTH: usize = 650;

/// One run of redis-benchmark.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    pub requests_per_second: f64,
    /// CPU time of the server per request in microseconds, user and system, all threads.
    pub cpu_us: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// The rounds of one test at one pipeline depth: `samples[server][round]`.
#[derive(Clone, Debug)]
pub struct Case {
    pub pipeline: u32,
    pub test: String,
    pub requests: u64,
    pub samples: Vec<Vec<Option<Sample>>>,
    /// Why a server has no samples, by server; such a server is asked once only.
    pub failures: Vec<Option<String>>,
}

impl Case {
    /// One figure of a server, round by round.
    pub fn figures(&self, server: usize, figure: impl Fn(&Sample) -> f64) -> Vec<Option<f64>> {
        self.samples[server].iter().map(|sample| sample.as_ref().map(&figure)).collect()
    }
}

/// Bytes of all values together in a test with a size of its own.
const SIZED_BYTES_MAX: u64 = 256 << 20;

/// A test's name, the size of its values, and its number of keys: `set@4096` has values of its own size, and so few keys
/// that they fit into memory. `get#1000` uses the first thousand keys only.
fn sized<'t>(options: &Options, test: &'t str) -> (&'t str, u32, u64) {
    if let Some((name, keys)) = test.split_once('#').and_then(|(name, keys)| Some((name, keys.parse().ok()?))) {
        return (name, options.size, options.keys.min(keys));
    }
    match test.split_once('@').and_then(|(name, size)| Some((name, size.parse().ok()?))) {
        Some((name, size)) => (name, size, options.keys.min(SIZED_BYTES_MAX / u64::from(size).max(1))),
        None => (test, options.size, options.keys),
    }
}

/// How redis-benchmark is asked for a test: by its own name, or with a command.
fn test_words(test: &str, value_bytes: usize) -> Vec<String> {
    let value = "x".repeat(value_bytes);
    let key = "key:__rand_int__";
    let command: Vec<&str> = match test {
        "ping" => vec!["PING"],
        "mget" => [&["MGET"][..], &[key; 10]].concat(),
        "lrange_100" => vec!["LRANGE", "mylist", "0", "99"],
        "lrange_300" => vec!["LRANGE", "mylist", "0", "299"],
        "lrange_500" => vec!["LRANGE", "mylist", "0", "499"],
        "lrange_600" => vec!["LRANGE", "mylist", "0", "599"],
        "xadd" => vec!["XADD", "mystream", "*", "field", &value],
        "eval" => vec!["EVAL", "return redis.call('GET', KEYS[1])", "1", key],
        own => vec!["-t", own],
    };
    command.into_iter().map(str::to_owned).collect()
}

/// The test that puts in what `test` takes out.
fn filled_by(test: &str) -> Option<&'static str> {
    match test {
        "lpop" => Some("lpush"),
        "rpop" => Some("rpush"),
        "spop" => Some("sadd"),
        "zpopmin" => Some("zadd"),
        _ => None,
    }
}

fn benchmark_words(options: &Options, port: u16, pipeline: u32, requests: u64, test: &str) -> Vec<String> {
    let mut words: Vec<String> = ["redis-benchmark", "-h", "127.0.0.1", "--csv"].map(str::to_owned).to_vec();
    let mut option = |name: &str, number: u64| words.extend([name.to_owned(), number.to_string()]);
    option("-p", port.into());
    option("-n", requests);
    let (test, size, keys) = sized(options, test);
    option("-r", keys);
    option("-d", size.into());
    option("-c", options.clients.into());
    option("-P", pipeline.into());
    if options.threads > 1 {
        option("--threads", options.threads.into());
    }
    words.extend(test_words(test, size as usize));
    words
}

/// The command line for the record, without the port.
pub fn command_line(options: &Options, pipeline: u32, test: &str) -> String {
    let words = benchmark_words(options, 0, pipeline, options.requests_at(pipeline), test).join(" ");
    words.replace("-p 0 ", "-p PORT ")
}

/// Runs all tests at all depths. Servers must hold the keys already.
pub fn run(options: &Options, servers: &[Server], mut tell: impl FnMut(&Case)) -> Vec<Case> {
    let mut cases = Vec::new();
    for &pipeline in &options.pipeline {
        for test in &options.tests {
            let case = run_case(options, servers, pipeline, test);
            tell(&case);
            cases.push(case);
        }
    }
    cases
}

fn run_case(options: &Options, servers: &[Server], pipeline: u32, test: &str) -> Case {
    let requests = options.requests_at(pipeline);
    let mut case = Case {
        pipeline,
        test: test.to_owned(),
        requests,
        samples: vec![Vec::new(); servers.len()],
        failures: vec![None; servers.len()],
    };
    for round in 0..=options.rounds {
        for (index, server) in servers.iter().enumerate() {
            if case.failures[index].is_some() {
                continue;
            }
            let sample = prepare(options, server, requests, test)
                .and_then(|()| measure(options, server, pipeline, requests, test));
            match sample {
                // The first round warms caches, branch predictors and connections.
                Ok(_) if round == 0 => {}
                Ok(sample) => case.samples[index].push(Some(sample)),
                Err(reason) => case.failures[index] = Some(reason),
            }
        }
        // A round counts for all servers or is a gap: so rounds stay side by side.
        case.samples.iter_mut().for_each(|samples| samples.resize(round as usize, None));
    }
    case
}

/// Brings the collections to the same state before each run. Costs nothing that is counted.
fn prepare(options: &Options, server: &Server, requests: u64, test: &str) -> Result<(), String> {
    let (name, _, keys) = sized(options, test);
    if test.contains('@') && name == "get" {
        // The keys of the test before have other sizes.
        return benchmark(options, server, 16, 3 * keys, &test.replace("get", "set")).map(|_| ());
    }
    let test = name;
    if ["set", "get", "mset", "mget", "incr", "ping", "eval"].contains(&test) {
        return Ok(());
    }
    let mut connection = server.connect()?;
    // A server without DEL answers with an error, which its test will show.
    connection.call(&[&[&b"DEL"[..]][..], &COLLECTIONS.map(str::as_bytes)].concat())?;
    if test.starts_with("lrange") {
        let value = vec![b'x'; options.size as usize];
        let mut words: Vec<&[u8]> = vec![b"RPUSH", b"mylist"];
        words.extend(vec![value.as_slice(); RANGE_LIST_LENGTH]);
        connection.call(&words)?;
    }
    match filled_by(test) {
        Some(filler) => benchmark(options, server, 64, requests, filler).map(|_| ()),
        None => Ok(()),
    }
}

fn benchmark(options: &Options, server: &Server, pipeline: u32, requests: u64, test: &str) -> Result<String, String> {
    let words = benchmark_words(options, server.port, pipeline, requests, test);
    let command: Command = pinned(&words, options.client_pin());
    output_within(command, RUN_TIMEOUT)
}

fn measure(options: &Options, server: &Server, pipeline: u32, requests: u64, test: &str) -> Result<Sample, String> {
    let before = server.cpu_ticks()?;
    let text = benchmark(options, server, pipeline, requests, test)?;
    let ticks = server.cpu_ticks()?.saturating_sub(before);
    let seconds = ticks as f64 / ticks_per_second() as f64;
    let (requests_per_second, p50_ms, p99_ms) = parse_csv(&text)?;
    Ok(Sample { requests_per_second, cpu_us: seconds * 1e6 / requests as f64, p50_ms, p99_ms })
}

/// Reads what `redis-benchmark --csv` prints: requests per second, p50 and p99 in milliseconds. Its columns are the test,
/// requests per second, and average, minimum, p50, p95, p99 and maximum of the latency.
fn parse_csv(text: &str) -> Result<(f64, f64, f64), String> {
    let mut rows = text.lines().filter(|line| line.starts_with('"') && !line.ends_with("\"max_latency_ms\""));
    let (Some(row), None) = (rows.next(), rows.next()) else {
        return Err(format!("one test was expected from redis-benchmark, not {:?}", text.trim()));
    };
    // From the right: the test's name may hold anything.
    let mut fields: Vec<f64> = Vec::with_capacity(7);
    for field in row.rsplit(',').take(7) {
        let number = field.trim().trim_matches('"').parse();
        fields.push(number.map_err(|_| format!("redis-benchmark's figures are unreadable: {row:?}"))?);
    }
    match fields[..] {
        [_max, p99, _p95, p50, _min, _average, requests_per_second] if requests_per_second > 0.0 => {
            Ok((requests_per_second, p50, p99))
        }
        _ => Err(format!("redis-benchmark's figures are unreadable: {row:?}")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    const HEAD: &str = r#""test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms""#;

    #[test]
    fn csv_of_redis_benchmark() {
        let row = r#""SET","83333.34","0.321","0.080","0.303","0.455","0.631","1.719""#;
        assert_eq!(parse_csv(&format!("{HEAD}\n{row}\n")), Ok((83333.34, 0.303, 0.631)));
        let odd = r#""EVAL return ""x"", 1","100.00","1","2","3","4","5","6""#;
        assert_eq!(parse_csv(&format!("WARNING: x\n{HEAD}\n{odd}\n")), Ok((100.0, 3.0, 5.0)));
    }

    #[test]
    fn csv_that_is_none() {
        let row = r#""SET","83333.34","0.321","0.080","0.303","0.455","0.631","1.719""#;
        for text in ["", HEAD, "\"SET\",\"x\"\n", &format!("{HEAD}\n{row}\n{row}\n"), "\"a\",0,1,2,3,4,5,6\n"] {
            assert!(parse_csv(text).is_err(), "{text:?} was read");
        }
    }

    #[test]
    fn tests_by_name_or_command() {
        assert_eq!(test_words("set", 3), ["-t", "set"]);
        assert_eq!(test_words("xadd", 3), ["XADD", "mystream", "*", "field", "xxx"]);
        assert_eq!(test_words("mget", 3).len(), 11);
    }

    #[test]
    fn tests_with_values_of_their_own_size() {
        let options = Options::try_parse_from(["compare"]).expect("valid");
        assert_eq!(sized(&options, "set"), ("set", 64, 1_000_000));
        assert_eq!(sized(&options, "set@16"), ("set", 16, 1_000_000));
        assert_eq!(sized(&options, "get@65536"), ("get", 65_536, 4096));
        assert_eq!(sized(&options, "get#1000"), ("get", 64, 1000));
    }

    #[test]
    fn command_lines() {
        let options = Options::try_parse_from(["compare", "--threads", "2", "-t", "get"]).expect("valid");
        assert_eq!(
            command_line(&options, 16, "get"),
            "redis-benchmark -h 127.0.0.1 --csv -p PORT -n 1600000 -r 1000000 -d 64 -c 50 -P 16 --threads 2 -t get"
        );
    }
}
