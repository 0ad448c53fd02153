//! `--stat`, `--latency`, `--latency-history` and `--intrinsic-latency`: numbers again and again.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::arguments::Settings;
use super::format::Format;
use super::link::Link;
use super::terminal::{self, complain, print};
use crate::remote::Error;

/// Lines of `--stat` after which the heading comes again.
const HEADING_EVERY: u64 = 20;
/// Pause between two measurements of `--latency`.
const SAMPLE_PAUSE: Duration = Duration::from_millis(10);
/// What `--latency-history` sums up in a line, unless `-i` says otherwise.
const HISTORY_INTERVAL: Duration = Duration::from_secs(15);

/// Shows a line of INFO every second, or as `-i` says, for ever.
pub fn statistics(settings: Settings) -> ExitCode {
    let interval = if settings.interval.is_zero() { Duration::from_secs(1) } else { settings.interval };
    let mut link = Link::new(settings);
    if link.connect(false).is_err() {
        return ExitCode::FAILURE;
    }
    let mut requests_before = None;
    for line in 0_u64.. {
        let info = match asked(&mut link, &["INFO"]) {
            Ok(info) => info,
            Err(error) => {
                complain(&format!("ERROR: {error}"));
                return ExitCode::FAILURE;
            }
        };
        if line.is_multiple_of(HEADING_EVERY) {
            print(
                b"------- data ------ --------------------- load -------------------- - child -\nkeys       mem      \
                  clients blocked requests            connections          \n",
            );
        }
        print(statistics_line(&info, &mut requests_before).as_bytes());
        terminal::pause(interval);
    }
    ExitCode::SUCCESS
}

/// Asks, and connects anew once when the connection was lost meanwhile.
fn asked(link: &mut Link, words: &[&str]) -> Result<String, Error> {
    let result = link.client().map_or(Err(Error::Closed), |client| client.query::<String>(words));
    match result {
        Err(error) if error.is_fatal() && link.connect(false).is_ok() => {
            link.client().map_or(Err(Error::Closed), |client| client.query(words))
        }
        result => result,
    }
}

fn field<'info>(info: &'info str, name: &str) -> Option<&'info str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn number(info: &str, name: &str) -> u64 {
    field(info, name).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn statistics_line(info: &str, requests_before: &mut Option<u64>) -> String {
    let databases = info.lines().filter(|line| line.starts_with("db"));
    let keys = databases.filter_map(|line| line.split_once(":keys=")?.1.split(',').next()?.parse::<u64>().ok());
    let keys: u64 = keys.sum();
    let requests = number(info, "total_commands_processed");
    let more = requests_before.replace(requests).map_or(0, |before| requests.saturating_sub(before));
    let requests = format!("{requests} (+{more})");
    let saving = number(info, "rdb_bgsave_in_progress") > 0;
    let rewriting = number(info, "aof_rewrite_in_progress") > 0;
    let child = match (number(info, "loading") > 0, saving, rewriting) {
        (true, ..) => "LOAD",
        (_, true, true) => "SAVE+AOF",
        (_, true, false) => "SAVE",
        (_, false, true) => "AOF",
        _ => "",
    };
    let line = format!(
        "{keys:<11}{:<8} {:<8}{:<8}{requests:<19} {:<12}{child}",
        human_bytes(number(info, "used_memory")),
        number(info, "connected_clients"),
        number(info, "blocked_clients"),
        number(info, "total_connections_received"),
    );
    format!("{line}\n")
}

/// "12.34M".
fn human_bytes(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "K", "M", "G", "T"] {
        if size < 1024.0 {
            return if unit == "B" { format!("{bytes}B") } else { format!("{size:.2}{unit}") };
        }
        size /= 1024.0;
    }
    format!("{size:.2}P")
}

#[derive(Default)]
struct Latencies {
    min: u64,
    max: u64,
    total: u64,
    count: u64,
}

impl Latencies {
    fn add(&mut self, milliseconds: u64) {
        self.min = if self.count == 0 { milliseconds } else { self.min.min(milliseconds) };
        self.max = self.max.max(milliseconds);
        self.total += milliseconds;
        self.count += 1;
    }

    fn text(&self, format: Format) -> String {
        let Latencies { min, max, total, count } = self;
        let average = *total as f64 / (*count).max(1) as f64;
        match format {
            Format::Standard => format!("min: {min}, max: {max}, avg: {average:.2} ({count} samples)"),
            Format::Raw => format!("{min} {max} {average:.2} {count}\n"),
            Format::Csv => format!("{min},{max},{average:.2},{count}\n"),
            _ => format!("{{\"min\": {min}, \"max\": {max}, \"avg\": {average:.2}, \"count\": {count}}}\n"),
        }
    }
}

/// Measures PINGs: for ever on a terminal or with `history`, else once for a second or as `-i` says.
pub fn latency(settings: Settings, history: bool) -> ExitCode {
    let format = settings.format;
    let given = settings.interval;
    let history_interval = if given.is_zero() { HISTORY_INTERVAL } else { given };
    let once = if given.is_zero() { Duration::from_secs(1) } else { given };
    let mut link = Link::new(settings);
    if link.connect(false).is_err() {
        return ExitCode::FAILURE;
    }
    let mut found = Latencies::default();
    let mut begun = Instant::now();
    loop {
        let start = Instant::now();
        if let Err(error) = asked(&mut link, &["PING"]) {
            complain(&format!("Error: {error}"));
            return ExitCode::FAILURE;
        }
        found.add(start.elapsed().as_millis() as u64);
        let range = begun.elapsed();
        if format == Format::Standard {
            print(format!("\x1b[0G\x1b[2K{}", found.text(format)).as_bytes());
        } else if !history && range >= once {
            print(found.text(format).as_bytes());
            return ExitCode::SUCCESS;
        }
        if history && range >= history_interval {
            let text = if format == Format::Standard { String::new() } else { found.text(format) };
            print(format!("{} -- {:.2} seconds range\n", text.trim_end(), range.as_secs_f64()).as_bytes());
            begun = Instant::now();
            found = Latencies::default();
        }
        terminal::pause(SAMPLE_PAUSE);
    }
}

/// Measures the longest time this machine keeps a busy program from running.
pub fn intrinsic_latency(seconds: u64) -> ExitCode {
    let limit = Duration::from_secs(seconds);
    let start = Instant::now();
    let (mut runs, mut longest, mut last) = (0_u64, Duration::ZERO, start);
    loop {
        let now = Instant::now();
        let latency = now - last;
        last = now;
        runs += 1;
        if latency > longest {
            longest = latency;
            print(format!("Max latency so far: {} microseconds.\n", longest.as_micros()).as_bytes());
        }
        if now - start >= limit {
            break;
        }
    }
    let average = start.elapsed().as_micros() as f64 / runs as f64;
    print(
        format!(
            "\n{runs} total runs (avg latency: {average:.4} microseconds / {:.2} nanoseconds per run).\nWorst run took \
             {:.0}x longer than the average latency.\n",
            average * 1000.0,
            longest.as_micros() as f64 / average
        )
        .as_bytes(),
    );
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Clients\r\nconnected_clients:3\r\nblocked_clients:1\r\nused_memory:1258291\r\nloading:0\r\n\
        rdb_bgsave_in_progress:1\r\naof_rewrite_in_progress:0\r\ntotal_connections_received:9\r\n\
        total_commands_processed:70\r\n# Keyspace\r\ndb0:keys=5,expires=0\r\ndb3:keys=2,expires=0\r\n";

    #[test]
    fn a_line_of_statistics() {
        let mut before = None;
        let line = statistics_line(INFO, &mut before);
        assert_eq!(line, "7          1.20M    3       1       70 (+0)             9           SAVE\n");
        assert!(statistics_line(&INFO.replace(":70", ":75"), &mut before).contains("75 (+5)"));
    }

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1536 * 1024, "1.50M")] {
            assert_eq!(human_bytes(bytes), text);
        }
    }

    #[test]
    fn latencies_are_summed_up() {
        let mut found = Latencies::default();
        [3, 1, 2].into_iter().for_each(|time| found.add(time));
        assert_eq!(found.text(Format::Standard), "min: 1, max: 3, avg: 2.00 (3 samples)");
        assert_eq!(found.text(Format::Raw), "1 3 2.00 3\n");
        assert_eq!(found.text(Format::Csv), "1,3,2.00,3\n");
    }
}
