//! Pauses: a large collection is built, read in pages, scanned and deleted, while a second connection asks for a small key
//! at a fixed rate. Each phase has its own histogram of those answers, from the moment they were due.
//!
//! Both keys have the same `{tag}`, so they live on the same core. One thread does everything without ever sleeping. The
//! large requests are small enough (`CHUNK` elements) that none of them alone takes a millisecond.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use ringfort::resp::response::{ResponseReader, Value};

use super::collections::{KINDS, add_elements};
use super::options::{Options, ServerCommand};
use super::server::{Server, write_request};

const KEY: &[u8] = b"{tag}large";
const PROBE: &[u8] = b"{tag}small";
/// Elements added, or read, at a time.
const CHUNK: u64 = 100;
/// Probes per second.
const RATE: u64 = 2_000;
/// Longest latency that is told apart from longer ones, in nanoseconds.
const LATENCY_MAX_NS: u64 = 60_000_000_000;
/// For one phase.
const PHASE_TIMEOUT: Duration = Duration::from_secs(300);
/// Pages read in the phase `read`, and probes after the deletion.
const PAGES: u64 = 2_000;
const AFTER_PROBES: u64 = 4_000;

/// The answers to the probes during one phase.
#[derive(Clone, Debug)]
pub struct Phase {
    pub name: &'static str,
    pub latency: Histogram<u64>,
    pub seconds: f64,
}

/// One type on one server.
#[derive(Clone, Debug)]
pub struct Case {
    pub kind: &'static str,
    pub server: usize,
    pub phases: Result<Vec<Phase>, String>,
}

/// Runs every type on every server.
pub fn run(options: &Options, commands: &[ServerCommand], scratch: &Path, mut tell: impl FnMut(&Case)) -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, command) in KINDS {
        for (server, words) in commands.iter().enumerate() {
            let phases = run_one(options, words, scratch, kind, command);
            let case = Case { kind, server, phases };
            tell(&case);
            cases.push(case);
        }
    }
    cases
}

fn run_one(
    options: &Options,
    words: &ServerCommand,
    scratch: &Path,
    kind: &'static str,
    command: &str,
) -> Result<Vec<Phase>, String> {
    let server = Server::start(words, options.server_pin(), scratch)?;
    server.connect()?.call(&[b"SET", PROBE, b"value"])?;
    let (large, count) = (options.large, options.large.div_ceil(CHUNK));
    let mut lanes = Lanes { work: Lane::open(&server)?, probe: Lane::open(&server)? };
    let mut phases = Vec::new();
    phases.push(lanes.phase("quiet", AFTER_PROBES, |_, requests, _| write_request(requests, &[b"PING"]))?);
    phases.push(lanes.phase("build", count, |index, requests, _| {
        add_elements(requests, command, KEY, index * CHUNK..((index + 1) * CHUNK).min(large));
    })?);
    phases.push(lanes.phase("read", PAGES, |index, requests, _| read_page(requests, kind, index, large))?);
    if kind != "list" {
        let scan = ["SSCAN", "HSCAN", "ZSCAN"][["set", "hash", "zset"].iter().position(|of| *of == kind).unwrap_or(0)];
        phases.push(lanes.phase("scan", PAGES, |_, requests, last| {
            let cursor = match last {
                Some(Value::Array(parts)) => match parts.first() {
                    Some(Value::Bulk(cursor)) => cursor.to_vec(),
                    _ => b"0".to_vec(),
                },
                _ => b"0".to_vec(),
            };
            write_request(requests, &[scan.as_bytes(), KEY, &cursor, b"COUNT", b"100"]);
        })?);
    }
    phases.push(lanes.phase("delete", AFTER_PROBES, |index, requests, _| match index {
        0 => write_request(requests, &[b"DEL", KEY]),
        _ => write_request(requests, &[b"PING"]),
    })?);
    Ok(phases)
}

/// A page of a hundred elements somewhere, or a few single ones.
fn read_page(requests: &mut Vec<u8>, kind: &str, index: u64, large: u64) {
    let from = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % large;
    let (start, end) = (from.to_string(), (from + CHUNK - 1).to_string());
    let name = super::collections::element_name(from);
    match kind {
        "list" => write_request(requests, &[b"LRANGE", KEY, start.as_bytes(), end.as_bytes()]),
        "zset" => write_request(requests, &[b"ZRANGE", KEY, start.as_bytes(), end.as_bytes(), b"WITHSCORES"]),
        "hash" => write_request(requests, &[b"HMGET", KEY, &name]),
        _ => write_request(requests, &[b"SMISMEMBER", KEY, &name]),
    }
}

struct Lanes {
    work: Lane,
    probe: Lane,
}

impl Lanes {
    /// Sends `count` requests one after the other, each made from its number and the reply before it, and probes meanwhile.
    fn phase(
        &mut self,
        name: &'static str,
        count: u64,
        mut request: impl FnMut(u64, &mut Vec<u8>, Option<&Value>),
    ) -> Result<Phase, String> {
        let mut latency = Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3).map_err(|error| error.to_string())?;
        let started = Instant::now();
        let interval_ns = 1_000_000_000 / RATE;
        let (mut sent, mut probes, mut last): (u64, u64, Option<Value>) = (0, 0, None);
        let mut probe_due_ns = None;
        loop {
            let now_ns = started.elapsed().as_nanos() as u64;
            if started.elapsed() > PHASE_TIMEOUT {
                return Err(format!("{name}: not done within {} s", PHASE_TIMEOUT.as_secs()));
            }
            if !self.work.waits {
                if sent == count {
                    return Ok(Phase { name, latency, seconds: started.elapsed().as_secs_f64() });
                }
                request(sent, &mut self.work.output, last.take().as_ref());
                self.work.waits = true;
                sent += 1;
            }
            if probe_due_ns.is_none() && probes * interval_ns <= now_ns {
                probe_due_ns = Some(probes * interval_ns);
                write_request(&mut self.probe.output, &[b"GET", PROBE]);
                self.probe.waits = true;
                probes += 1;
            }
            if let Some(reply) = self.work.exchange()? {
                last = Some(reply);
            }
            if self.probe.exchange()?.is_some()
                && let Some(due_ns) = probe_due_ns.take()
            {
                latency.saturating_record((started.elapsed().as_nanos() as u64).saturating_sub(due_ns).max(1));
            }
        }
    }
}

/// A connection with at most one request under way.
struct Lane {
    stream: TcpStream,
    reader: ResponseReader,
    output: Vec<u8>,
    input: Vec<u8>,
    waits: bool,
}

impl Lane {
    fn open(server: &Server) -> Result<Lane, String> {
        let text = |error: std::io::Error| format!("{}: {error}", server.name);
        let stream = TcpStream::connect(server.address()).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        stream.set_nonblocking(true).map_err(text)?;
        Ok(Lane { stream, reader: ResponseReader::default(), output: Vec::new(), input: Vec::new(), waits: false })
    }

    /// Writes and reads what the socket takes and gives; the reply when it is complete. An error reply is an error.
    fn exchange(&mut self) -> Result<Option<Value>, String> {
        if !self.waits {
            return Ok(None);
        }
        if !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => return Err("the server closed the connection".to_owned()),
            Ok(count) => self.input.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.to_string()),
        }
        let (reply, consumed) = self.reader.read(&self.input).map_err(|error| format!("no reply: {error:?}"))?;
        self.input.drain(..consumed);
        if let Some(Value::Error(text)) = &reply {
            return Err(String::from_utf8_lossy(text).into_owned());
        }
        self.waits = reply.is_none();
        Ok(reply)
    }
}
