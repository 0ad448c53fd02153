//! Latency under open-loop load: requests are due at a fixed rate whatever the server does, and each one's latency counts
//! from the moment it was due. So a stall of the server shows in all the requests that it held up, not in one (Gil Tene's
//! "coordinated omission").
//!
//! One thread looks at the clock and at non-blocking sockets without ever sleeping: being woken would cost tens of
//! microseconds, as much as what is measured. One request in ten is a SET, the others are GETs, over random keys. How late
//! requests were sent is kept in a histogram of its own: if that is long, the figures are the client's, not the server's.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use ringfort::resp::response::{ResponseReader, Value};
use ringfort::stdx::random::Random;

use super::options::{Options, shell_words};
use super::server::{Server, key_name, write_request};

/// One request in so many is a SET.
const SET_EVERY: u64 = 10;
/// Longest latency that is told apart from longer ones, in nanoseconds.
const LATENCY_MAX_NS: u64 = 60_000_000_000;
/// How long replies are awaited after the last request was due.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests without reply, all connections together. At this limit none is sent until replies come; their latency counts
/// on from when they were due.
const OUTSTANDING_MAX: usize = 200_000;
/// Requests sent between two looks at the replies.
const BURST: u32 = 16;
const SEED: u64 = 0x5EED;

/// Quantiles of the tables and records.
pub const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// What one server did under the load, over one or all rounds.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// From due to answered, nanoseconds.
    pub latency: Histogram<u64>,
    /// From due to sent, nanoseconds.
    pub lateness: Histogram<u64>,
    /// Requests answered with an error.
    pub errors: u64,
    /// Requests that had no answer when waiting ended; their age then is in `latency`.
    pub unanswered: u64,
    /// The longest latency of the requests due in each tenth of a second, nanoseconds.
    pub worst_ns: Vec<u64>,
}

/// Nanoseconds of one step of `Outcome::worst_ns`.
const STEP_NS: u64 = 100_000_000;

impl Outcome {
    fn new() -> Outcome {
        let histogram = || Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3).expect("the bounds are valid");
        Outcome { latency: histogram(), lateness: histogram(), errors: 0, unanswered: 0, worst_ns: Vec::new() }
    }

    /// A request that was due then took so long.
    fn record(&mut self, due_ns: u64, latency_ns: u64) {
        self.latency.saturating_record(latency_ns);
        let step = (due_ns / STEP_NS) as usize;
        if self.worst_ns.len() <= step {
            self.worst_ns.resize(step + 1, 0);
        }
        self.worst_ns[step] = self.worst_ns[step].max(latency_ns);
    }

    /// Seconds since the start, and the longest latency of the requests due then in milliseconds.
    pub fn timeline(&self) -> Vec<(f64, f64)> {
        let steps = self.worst_ns.iter().enumerate();
        steps.map(|(step, worst_ns)| (step as f64 * STEP_NS as f64 / 1e9, *worst_ns as f64 / 1e6)).collect()
    }

    /// Adds another round.
    pub fn add(&mut self, other: &Outcome) {
        self.latency.add(&other.latency).expect("all histograms have the same bounds");
        self.lateness.add(&other.lateness).expect("all histograms have the same bounds");
        self.errors += other.errors;
        self.unanswered += other.unanswered;
        let steps = self.worst_ns.len().max(other.worst_ns.len());
        self.worst_ns.resize(steps, 0);
        self.worst_ns.iter_mut().zip(&other.worst_ns).for_each(|(worst, other)| *worst = (*worst).max(*other));
    }
}

/// The rounds of one server, or why there are none.
#[derive(Clone, Debug)]
pub struct Series {
    pub rounds: Vec<Outcome>,
    pub failure: Option<String>,
}

impl Series {
    /// All rounds together; `None` without rounds.
    pub fn total(&self) -> Option<Outcome> {
        let (first, others) = self.rounds.split_first()?;
        let mut total = first.clone();
        others.iter().for_each(|round| total.add(round));
        Some(total)
    }
}

/// Runs the load against every server in turn, `options.rounds` times. Servers must hold the keys already.
pub fn run(options: &Options, servers: &[Server], mut tell: impl FnMut(&Server, &Outcome)) -> Vec<Series> {
    if let Some(cpu) = options.client_pin().and_then(first_cpu) {
        core_affinity::set_for_current(core_affinity::CoreId { id: cpu });
    }
    let mut series = vec![Series { rounds: Vec::new(), failure: None }; servers.len()];
    for round in 0..options.rounds {
        for (server, series) in servers.iter().zip(&mut series) {
            if series.failure.is_some() {
                continue;
            }
            match run_round(options, server, u64::from(round)) {
                Ok(outcome) => {
                    tell(server, &outcome);
                    series.rounds.push(outcome);
                }
                Err(reason) => series.failure = Some(reason),
            }
        }
    }
    series
}

/// The first CPU of a list as taskset takes it.
fn first_cpu(list: &str) -> Option<usize> {
    list.split([',', '-', ':']).next()?.trim().parse().ok()
}

fn run_round(options: &Options, server: &Server, round: u64) -> Result<Outcome, String> {
    if let Some(command) = &options.before {
        let words = shell_words(&at_times(command))?;
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        if let Value::Error(text) = server.connect()?.call(&words)? {
            return Err(format!("the command before: {}", String::from_utf8_lossy(&text)));
        }
    }
    let mut load = Load::open(options, server, SEED + round)?;
    let total = options.rate * options.seconds;
    let mut during = options.during.as_deref().map(|command| During::new(command, server)).transpose()?;
    let started = Instant::now();
    let end_ns = options.seconds * 1_000_000_000;
    let give_up_ns = end_ns + DRAIN_TIMEOUT.as_nanos() as u64;
    loop {
        let now_ns = started.elapsed().as_nanos() as u64;
        if let Some(during) = during.as_mut().filter(|_| now_ns >= end_ns / 4) {
            during.send_once()?;
        }
        load.send_due(now_ns, total);
        load.exchange(started)?;
        let is_answered = load.sent == total && load.outstanding == 0;
        if !is_answered && now_ns > give_up_ns {
            load.give_up(now_ns, total);
        } else if !is_answered {
            continue;
        }
        if let Some(during) = &mut during {
            during.check()?;
        }
        return Ok(load.outcome);
    }
}

/// The command with each `NOW+MS` replaced by the time so many milliseconds from now.
fn at_times(command: &str) -> String {
    let Some((before, rest)) = command.split_once("NOW+") else { return command.to_owned() };
    let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    let later_ms: u128 = rest[..digits].parse().unwrap_or_default();
    let now_ms = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis());
    format!("{before}{}{}", now_ms + later_ms, at_times(&rest[digits..]))
}

/// The command that runs beside the load. Its reply is read when the load is over.
struct During {
    request: Vec<u8>,
    connection: super::server::Connection,
    is_sent: bool,
}

impl During {
    fn new(command: &str, server: &Server) -> Result<During, String> {
        let words = shell_words(command)?;
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let mut request = Vec::new();
        write_request(&mut request, &words);
        Ok(During { request, connection: server.connect()?, is_sent: false })
    }

    fn send_once(&mut self) -> Result<(), String> {
        if !self.is_sent {
            self.is_sent = true;
            self.connection.send(&self.request)?;
        }
        Ok(())
    }

    /// A command that the server refused has disturbed nothing: such a round says nothing.
    fn check(&mut self) -> Result<(), String> {
        match self.connection.reply()? {
            Value::Error(text) => Err(format!("the command meanwhile: {}", String::from_utf8_lossy(&text))),
            _ => Ok(()),
        }
    }
}

/// The state of one round.
struct Load {
    connections: Vec<Lane>,
    random: Random,
    keys: u64,
    value: Vec<u8>,
    interval_ns: f64,
    sent: u64,
    outstanding: usize,
    outcome: Outcome,
}

impl Load {
    fn open(options: &Options, server: &Server, seed: u64) -> Result<Load, String> {
        let connections: Result<Vec<Lane>, String> = (0..options.rate_clients).map(|_| Lane::open(server)).collect();
        Ok(Load {
            connections: connections?,
            random: Random::new(seed),
            keys: options.keys,
            value: vec![b'x'; options.size as usize],
            interval_ns: 1e9 / options.rate as f64,
            sent: 0,
            outstanding: 0,
            outcome: Outcome::new(),
        })
    }

    /// When a request is due, in nanoseconds after the start.
    fn due_ns(&self, number: u64) -> u64 {
        (number as f64 * self.interval_ns) as u64
    }

    /// Hands what is due by now to the connections in turn, a burst at most.
    fn send_due(&mut self, now_ns: u64, total: u64) {
        for _ in 0..BURST {
            let due_ns = self.due_ns(self.sent);
            if self.sent == total || due_ns > now_ns || self.outstanding >= OUTSTANDING_MAX {
                return;
            }
            let key = key_name(self.random.below(self.keys));
            let lane = (self.sent % self.connections.len() as u64) as usize;
            let output = &mut self.connections[lane].output;
            if self.random.below(SET_EVERY) == 0 {
                write_request(output, &[b"SET", &key, &self.value]);
            } else {
                write_request(output, &[b"GET", &key]);
            }
            self.connections[lane].due_ns.push_back(due_ns);
            self.outcome.lateness.saturating_record((now_ns - due_ns).max(1));
            self.sent += 1;
            self.outstanding += 1;
        }
    }

    /// Writes and reads what the sockets take and give.
    fn exchange(&mut self, started: Instant) -> Result<(), String> {
        for lane in self.connections.iter_mut().filter(|lane| !lane.due_ns.is_empty()) {
            let waiting = lane.due_ns.len();
            lane.flush()?;
            lane.receive(started, &mut self.outcome)?;
            self.outstanding -= waiting - lane.due_ns.len();
        }
        Ok(())
    }

    /// Counts what is left with the age it has: an answer that never came is the worst latency of all.
    fn give_up(&mut self, now_ns: u64, total: u64) {
        let never_sent: Vec<u64> = (self.sent..total).map(|number| self.due_ns(number)).collect();
        let unanswered = self.connections.iter().flat_map(|lane| &lane.due_ns).chain(&never_sent);
        for due_ns in unanswered {
            self.outcome.record(*due_ns, now_ns - due_ns);
            self.outcome.unanswered += 1;
        }
    }
}

/// One connection: what is to be written, and when its unanswered requests were due, oldest first.
struct Lane {
    stream: TcpStream,
    reader: ResponseReader,
    output: Vec<u8>,
    input: Vec<u8>,
    due_ns: VecDeque<u64>,
}

impl Lane {
    fn open(server: &Server) -> Result<Lane, String> {
        let text = |error: std::io::Error| format!("{}: {error}", server.name);
        let stream = TcpStream::connect(server.address()).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        stream.set_nonblocking(true).map_err(text)?;
        let (reader, due_ns) = (ResponseReader::default(), VecDeque::new());
        Ok(Lane { stream, reader, output: Vec::new(), input: Vec::new(), due_ns })
    }

    fn flush(&mut self) -> Result<(), String> {
        if self.output.is_empty() {
            return Ok(());
        }
        match self.stream.write(&self.output) {
            Ok(count) => {
                self.output.drain(..count);
                Ok(())
            }
            Err(error) if is_for_later(&error) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn receive(&mut self, started: Instant, outcome: &mut Outcome) -> Result<(), String> {
        let mut chunk = [0; 16 * 1024];
        let count = match self.stream.read(&mut chunk) {
            Ok(0) => return Err("the server closed a connection".to_owned()),
            Ok(count) => count,
            Err(error) if is_for_later(&error) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        let now_ns = started.elapsed().as_nanos() as u64;
        self.input.extend_from_slice(&chunk[..count]);
        let mut start = 0;
        loop {
            let read = self.reader.read(&self.input[start..]);
            let (reply, consumed) = read.map_err(|error| format!("no reply: {error:?}"))?;
            start += consumed;
            let Some(reply) = reply else { break };
            let Some(due_ns) = self.due_ns.pop_front() else {
                return Err("a reply nobody asked for".to_owned());
            };
            outcome.record(due_ns, now_ns - due_ns);
            outcome.errors += u64::from(matches!(reply, Value::Error(_)));
        }
        self.input.drain(..start);
        Ok(())
    }
}

fn is_for_later(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(latencies_ns: &[u64]) -> Outcome {
        let mut outcome = Outcome::new();
        latencies_ns.iter().for_each(|latency| outcome.latency.saturating_record(*latency));
        outcome
    }

    fn load_without_connections(rate: f64) -> Load {
        Load {
            connections: Vec::new(),
            random: Random::new(1),
            keys: 1,
            value: Vec::new(),
            interval_ns: 1e9 / rate,
            sent: 0,
            outstanding: 0,
            outcome: Outcome::new(),
        }
    }

    #[test]
    fn the_schedule_does_not_drift() {
        let load = load_without_connections(30_000.0);
        assert_eq!(
            (load.due_ns(0), load.due_ns(30_000), load.due_ns(90_000_000)),
            (0, 1_000_000_000, 3_000_000_000_000)
        );
    }

    #[test]
    fn what_was_never_answered_counts_with_its_age() {
        let mut load = load_without_connections(1_000.0);
        load.sent = 1;
        // Due at 1 and 2 ms, given up at 10 ms.
        load.give_up(10_000_000, 3);
        assert_eq!((load.outcome.unanswered, load.outcome.latency.len()), (2, 2));
        let longest = load.outcome.latency.max();
        assert!((9_000_000..9_010_000).contains(&longest), "{longest}");
    }

    #[test]
    fn rounds_add_up() {
        let series = Series { rounds: vec![outcome(&[1_000, 2_000]), outcome(&[4_000_000])], failure: None };
        let total = series.total().expect("two rounds");
        assert_eq!(total.latency.len(), 3);
        assert!(total.latency.value_at_quantile(0.5) < 2_010 && total.latency.max() >= 4_000_000);
        assert!(Series { rounds: Vec::new(), failure: None }.total().is_none());
    }

    #[test]
    fn the_worst_of_each_tenth_of_a_second() {
        let mut outcome = Outcome::new();
        outcome.record(10_000_000, 3_000_000);
        outcome.record(20_000_000, 2_000_000);
        outcome.record(210_000_000, 1_000_000);
        assert_eq!(outcome.timeline(), [(0.0, 3.0), (0.1, 0.0), (0.2, 1.0)]);
    }

    #[test]
    fn times_in_commands() {
        assert_eq!(at_times("PING x"), "PING x");
        let text = at_times("SET a NOW+1000 b");
        let time: u128 = text.split(' ').nth(2).and_then(|word| word.parse().ok()).expect("a number");
        assert!(text.ends_with(" b") && time > 1_700_000_000_000, "{text}");
    }

    #[test]
    fn lists_of_cpus() {
        for (list, expected) in [("1", Some(1)), ("2-5", Some(2)), ("3,4", Some(3)), ("", None), ("x", None)] {
            assert_eq!(first_cpu(list), expected, "{list}");
        }
    }
}
