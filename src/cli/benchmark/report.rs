//! What a test brought, in redis-benchmark's words: a line, a row of a table, or the whole distribution.

use super::arguments::Settings;
use super::load::Outcome;
use crate::remote::{Client, Error, FromReply};

/// First line of `--csv`.
pub const CSV_HEADING: &str = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\
                               \"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n";

/// Steps of the cumulative distribution: fine ones first.
const FINE_STEP_US: u64 = 100;
const COARSE_STEP_US: u64 = 1000;
const FINE_UP_TO_US: u64 = 2000;

/// What the report says about the server.
pub struct ServerFacts {
    save: String,
    append_only: String,
}

impl ServerFacts {
    /// Asks the server; one that does not tell is reported without.
    ///
    /// # Errors
    /// When the connection fails, or without the rights to be here.
    pub fn ask(client: &mut Client) -> Result<ServerFacts, Error> {
        let mut value = |name: &str| -> Result<String, Error> {
            match client.command(&["CONFIG", "GET", name]).map(Vec::<String>::from_reply)? {
                Err(Error::Server(error)) if error.code() == "NOAUTH" => Err(Error::Server(error)),
                Err(_) => Ok(String::new()),
                Ok(pair) => Ok(pair.into_iter().nth(1).unwrap_or_default()),
            }
        };
        Ok(ServerFacts { save: value("save")?, append_only: value("appendonly")? })
    }
}

fn milliseconds(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// The report of one test.
pub fn text(settings: &Settings, facts: &ServerFacts, title: &str, outcome: &Outcome) -> String {
    let rate = outcome.requests as f64 / outcome.time.as_secs_f64();
    let found = &outcome.latencies;
    let at = |quantile: f64| milliseconds(found.value_at_quantile(quantile));
    if settings.csv {
        return format!(
            "\"{title}\",\"{rate:.2}\",\"{:.3}\",\"{:.3}\",\"{:.3}\",\"{:.3}\",\"{:.3}\",\"{:.3}\"\n",
            found.mean() / 1000.0,
            milliseconds(found.min()),
            at(0.5),
            at(0.95),
            at(0.99),
            milliseconds(found.max())
        );
    }
    if settings.quiet {
        return format!("{title}: {rate:.2} requests per second, p50={:.*} msec\n", settings.precision, at(0.5));
    }
    let mut text = heading(settings, facts, title, outcome);
    text.push_str("\nLatency by percentile distribution:\n");
    for step in found.iter_quantiles(1) {
        text.push_str(&format!(
            "{:.3}% <= {:.3} milliseconds (cumulative count {})\n",
            step.quantile_iterated_to() * 100.0,
            milliseconds(step.value_iterated_to()),
            found.count_between(0, step.value_iterated_to())
        ));
    }
    text.push_str("\nCumulative distribution of latencies:\n");
    text.push_str(&cumulative(outcome));
    text.push_str(&format!(
        "\nSummary:\n  throughput summary: {rate:.2} requests per second\n  latency summary (msec):\n          avg       min       \
         p50       p95       p99       max\n    {:9.3} {:9.3} {:9.3} {:9.3} {:9.3} {:9.3}\n\n",
        found.mean() / 1000.0,
        milliseconds(found.min()),
        at(0.5),
        at(0.95),
        at(0.99),
        milliseconds(found.max())
    ));
    text
}

fn heading(settings: &Settings, facts: &ServerFacts, title: &str, outcome: &Outcome) -> String {
    let threads = match settings.threads {
        Some(threads) => format!("yes\n  threads: {threads}"),
        None => "no".to_string(),
    };
    format!(
        "====== {title} ======\n  {} requests completed in {:.2} seconds\n  {} parallel clients\n  {} bytes payload\n  keep \
         alive: {}\n  host configuration \"save\": {}\n  host configuration \"appendonly\": {}\n  multi-thread: {threads}\n",
        outcome.requests,
        outcome.time.as_secs_f64(),
        settings.clients,
        settings.data_bytes,
        i32::from(settings.keep_alive),
        facts.save,
        facts.append_only
    )
}

/// How many requests took at most so long, for steps at which more did.
fn cumulative(outcome: &Outcome) -> String {
    let found = &outcome.latencies;
    let mut text = String::new();
    let (mut limit, mut before) = (FINE_STEP_US, 0);
    while before < found.len() {
        let count = found.count_between(0, limit);
        if count > before {
            let share = 100.0 * count as f64 / found.len() as f64;
            text.push_str(&format!(
                "{share:.3}% <= {:.3} milliseconds (cumulative count {count})\n",
                milliseconds(limit)
            ));
            before = count;
        }
        limit += if limit < FINE_UP_TO_US { FINE_STEP_US } else { COARSE_STEP_US };
    }
    text
}
