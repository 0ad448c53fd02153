//! Tests of the record: a report made by hand, read back from its files' texts.

use clap::Parser;
use hdrhistogram::Histogram;

use super::*;

fn sample(cpu_us: f64, requests_per_second: f64) -> Option<throughput::Sample> {
    Some(throughput::Sample { requests_per_second, cpu_us, p50_ms: 0.3, p99_ms: 0.6 })
}

fn outcome(latencies_ns: impl Iterator<Item = u64>) -> Outcome {
    let histogram = || Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("valid");
    let mut outcome = Outcome { latency: histogram(), lateness: histogram(), errors: 0, unanswered: 1, worst_ns: vec![5, 7] };
    latencies_ns.for_each(|latency| outcome.latency.saturating_record(latency));
    outcome
}

fn report() -> Report {
    let words = ["compare", "--bench", "--note", "noisy | machine", "ringfort", "redis"].map(str::to_owned);
    let command = |name: &str, words: &[&str]| ServerCommand {
        name: name.to_owned(),
        words: words.iter().map(|&word| word.to_owned()).collect(),
    };
    let mut options = Options::try_parse_from(&words).expect("valid");
    options.pipeline = vec![16];
    Report {
        options,
        words: words.to_vec(),
        machine: Machine {
            cpu: "Some CPU".to_owned(),
            cpus: 2,
            memory_bytes: 4 << 30,
            kernel: "Linux 6.18".to_owned(),
            load: "0.10".to_owned(),
            commit: "abc+".to_owned(),
            benchmark: "redis-benchmark 7.0.15".to_owned(),
        },
        date: "2026-01-02".to_owned(),
        commands: vec![command("ringfort", &["rf", "--save", ""]), command("redis", &["redis-server"])],
        versions: vec![None, Some("7.0.15".to_owned())],
        load_after: "1.00".to_owned(),
        throughput: vec![throughput::Case {
            pipeline: 16,
            test: "set".to_owned(),
            requests: 1_000,
            samples: vec![
                vec![sample(0.6, 1_500_000.0), sample(0.5, 1_600_000.0), sample(0.7, 1_400_000.0)],
                vec![sample(1.5, 600_000.0), sample(2.0, 500_000.0), None],
            ],
            failures: vec![None, None],
        }],
        latency: vec![
            Series { rounds: vec![outcome(1..1001), outcome(1_000_000..1_000_002)], failure: None },
            Series { rounds: Vec::new(), failure: Some("it | closed".to_owned()) },
        ],
        collections: Vec::new(),
        pauses: Vec::new(),
        memory: vec![
            Ok(Fill { empty_bytes: 0, full_bytes: 90_000, keys: 1_000, seconds: 0.5 }),
            Ok(Fill { empty_bytes: 10_000, full_bytes: 160_000, keys: 1_000, seconds: 0.5 }),
        ],
        memtier: None,
    }
}

#[test]
fn tables_hold_medians_and_ratios() {
    let text = report().to_markdown("2026-01-02-compare");
    for line in [
        "**Note: noisy | machine**",
        "* ringfort: `rf --save ''`",
        "* redis: `redis-server` (says version 7.0.15)",
        "| 16 | set | ringfort | 1,500,000 | 0.600 | 0.300 | 0.600 | 1 | 1 |",
        // 0.6/1.5 and 0.5/2.0; 2.5 and 3.2: the third round has no figure of redis.
        "| 16 | set | redis | 550,000 | 1.750 | 0.300 | 0.600 | 0.325 (0.250–0.400) | 2.850 (2.500–3.200) |",
        "| redis | failed: it \\| closed | | | | | | | | |",
        "| ringfort | 90.0 | 1.000 | 0.0 | 0.1 | 0.50 |",
        "| redis | 150.0 | 0.600 | 0.0 | 0.2 | 0.50 |",
        "memtier_benchmark is not on PATH: not run.",
        "* Asked with `cargo bench --bench compare -- --note 'noisy | machine' ringfort redis`",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
    }
}

#[test]
fn raw_figures_of_every_round() {
    let json = report().to_json();
    let rounds = &json["throughput"][0]["servers"]["redis"]["rounds"];
    assert_eq!((rounds[1]["cpu_us"].as_f64(), rounds[2].is_null()), (Some(2.0), true));
    assert_eq!(json["throughput"][0]["servers"]["ringfort"]["rounds"].as_array().map(Vec::len), Some(3));
    assert_eq!(json["latency"]["servers"]["ringfort"]["rounds"][0]["requests"], 1_000);
    assert_eq!(json["latency"]["servers"]["redis"]["failure"], "it | closed");
    assert_eq!(json["memory"]["servers"]["redis"]["bytes_per_key"], 150.0);
    assert_eq!(json["machine"]["commit"], "abc+");
    assert!(json["memtier"].is_string());
}

#[test]
fn pictures_only_of_what_was_measured() {
    let mut report = report();
    let suffixes = |report: &Report| report.pictures().iter().map(|(suffix, _)| *suffix).collect::<Vec<_>>().join(" ");
    assert_eq!(suffixes(&report), "cpu throughput latency timeline");
    report.throughput.clear();
    report.latency.clear();
    assert_eq!(suffixes(&report), "");
}

#[test]
fn curves_end_where_figures_get_thin() {
    let points = percentile_points(&outcome(1..100_001));
    let last = points.last().expect("points");
    assert!((0.9998..0.99995).contains(&last.0), "{last:?}");
    assert!(points.is_sorted_by(|left, right| left.1 <= right.1));
    assert_eq!(percentile_points(&outcome(1..3)).len(), 1);
}

#[test]
fn texts() {
    for (value, decimals, expected) in [(1234567.4, 0, "1,234,567"), (999.0, 1, "999.0"), (1000.0, 0, "1,000")] {
        assert_eq!(decimal(value, decimals), expected);
    }
    assert_eq!(quoted(&["a".to_owned(), String::new(), "it's".to_owned()]), r"a '' 'it'\''s'");
    assert_eq!(one_line("a|b\nc"), "a\\|b c");
    assert_eq!(one_line(&"é".repeat(500)).chars().count(), CELL_CHARACTERS_MAX);
    assert_eq!(free_stem("a", |_| true), Ok("a".to_owned()));
    assert_eq!(free_stem("a", |stem| stem.ends_with('3')), Ok("a-3".to_owned()));
    assert!(free_stem("a", |_| false).is_err());
}
