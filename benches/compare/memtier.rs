//! memtier_benchmark, where it is installed: SET and GET as 1:10, its own latency histogram read from its JSON file.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;

use super::options::Options;
use super::process::{is_on_path, output_within, pinned, ticks_per_second};
use super::server::Server;

const PROGRAM: &str = "memtier_benchmark";
/// Pipeline depths it runs at.
pub const PIPELINES: [u32; 2] = [1, 16];
/// Added to the run's own time.
const RUN_GRACE: Duration = Duration::from_secs(60);

/// One run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    pub requests_per_second: f64,
    /// CPU time of the server per request in microseconds.
    pub cpu_us: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
}

/// The rounds at one depth: `samples[server][round]`.
#[derive(Clone, Debug)]
pub struct Case {
    pub pipeline: u32,
    pub samples: Vec<Vec<Result<Sample, String>>>,
}

/// Whether it is installed.
pub fn is_here() -> bool {
    is_on_path(PROGRAM)
}

/// The words of a run.
pub fn words(options: &Options, port: &str, pipeline: u32, json_path: &str) -> Vec<String> {
    let per_thread = options.clients.div_ceil(options.threads);
    let text = format!(
        "{PROGRAM} -s 127.0.0.1 -p {port} --protocol=redis --ratio=1:10 --pipeline={pipeline} --clients={per_thread} \
         --threads={} --test-time={} --key-prefix=memtier- --key-maximum={} --data-size={} --hide-histogram \
         --print-percentiles=50,99,99.9 --json-out-file={json_path}",
        options.threads, options.seconds, options.keys, options.size
    );
    text.split_whitespace().map(str::to_owned).collect()
}

/// Runs it at every depth, round after round. Each server has a round to warm up, which does not count.
pub fn run(options: &Options, servers: &[Server], scratch: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for pipeline in PIPELINES {
        let mut samples: Vec<Vec<Result<Sample, String>>> = vec![Vec::new(); servers.len()];
        for round in 0..=options.rounds {
            for (server, samples) in servers.iter().zip(&mut samples) {
                let sample = measure(options, server, pipeline, scratch);
                if round > 0 {
                    samples.push(sample);
                }
            }
        }
        cases.push(Case { pipeline, samples });
    }
    cases
}

fn measure(options: &Options, server: &Server, pipeline: u32, scratch: &Path) -> Result<Sample, String> {
    let path = scratch.join(format!("memtier-{}.json", server.port));
    let words = words(options, &server.port.to_string(), pipeline, &path.to_string_lossy());
    let before = server.cpu_ticks()?;
    output_within(pinned(&words, options.client_pin()), Duration::from_secs(options.seconds) + RUN_GRACE)?;
    let ticks = server.cpu_ticks()?.saturating_sub(before);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let _ = fs::remove_file(&path);
    parse(&text, ticks as f64 * 1e6 / ticks_per_second() as f64)
}

/// Reads the totals of memtier_benchmark's JSON. `cpu_us` is the CPU time the server used in all.
fn parse(text: &str, cpu_us: f64) -> Result<Sample, String> {
    let document: Value = serde_json::from_str(text).map_err(|error| format!("{PROGRAM}'s file: {error}"))?;
    let totals = &document["ALL STATS"]["Totals"];
    let number = |name: &str| totals[name].as_f64().ok_or_else(|| format!("{PROGRAM}'s totals lack {name}"));
    let (requests_per_second, count) = (number("Ops/sec")?, number("Count")?);
    if count < 1.0 {
        return Err(format!("{PROGRAM} counted no request"));
    }
    Ok(Sample {
        requests_per_second,
        cpu_us: cpu_us / count,
        p50_ms: percentile(totals, 50.0)?,
        p99_ms: percentile(totals, 99.0)?,
        p999_ms: percentile(totals, 99.9)?,
    })
}

/// A percentile in milliseconds. Versions name them with two or three decimals (`p99.90`, `p99.900`).
fn percentile(totals: &Value, percent: f64) -> Result<f64, String> {
    let all = totals["Percentile Latencies"].as_object();
    let named = all.into_iter().flatten().find(|(name, _)| {
        let number = name.strip_prefix('p').and_then(|number| number.parse::<f64>().ok());
        number.is_some_and(|number| (number - percent).abs() < 0.001)
    });
    named.and_then(|(_, value)| value.as_f64()).ok_or_else(|| format!("{PROGRAM}'s totals lack p{percent}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn totals_of_its_file() {
        let text = r#"{ "configuration": {"server": "127.0.0.1"}, "ALL STATS": {
            "Sets": {"Count": 100, "Ops/sec": 10.0},
            "Totals": {"Count": 1000, "Ops/sec": 5000.25, "Latency": 0.2, "Time-Serie": {"0": {"Count": 5}},
                "Percentile Latencies": {"p50.00": 0.111, "p99.00": 0.5, "p99.900": 1.25,
                    "Histogram log format": {"Compressed Histogram": "HISTFAAA"}}}}}"#;
        let expected = Sample { requests_per_second: 5000.25, cpu_us: 9.0, p50_ms: 0.111, p99_ms: 0.5, p999_ms: 1.25 };
        assert_eq!(parse(text, 9_000.0), Ok(expected));
    }

    #[test]
    fn files_that_lack_something() {
        for text in [
            "",
            "{}",
            r#"{"ALL STATS": {"Totals": {"Count": 0, "Ops/sec": 0.0}}}"#,
            r#"{"ALL STATS": {"Totals": {"Count": 9, "Ops/sec": 1.0}}}"#,
            r#"{"ALL STATS": {"Totals": {"Count": 9, "Ops/sec": 1.0, "Percentile Latencies": {"p50.00": null}}}}"#,
        ] {
            assert!(parse(text, 1.0).is_err(), "{text} was read");
        }
    }

    #[test]
    fn clients_are_split_over_threads() {
        let options = Options::try_parse_from(["compare", "--threads", "4"]).expect("valid");
        let words = words(&options, "PORT", 16, "FILE").join(" ");
        assert!(words.contains("--clients=13 --threads=4") && words.contains("--ratio=1:10 --pipeline=16"), "{words}");
    }
}
