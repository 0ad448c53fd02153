//! The comparison tool's parts. `run` is called by the bench target and, with small numbers, by its smoke test.
//!
//! * [`options`]: the command line; [`server`] and [`process`]: servers under test, and what the kernel says of them;
//! * [`throughput`], [`latency`], [`memory`], [`collections`], [`pauses`], [`memtier`]: the parts;
//! * [`statistics`], [`plot`], [`machine`], [`record`]: what becomes of the figures.
//!
//! Everything is bounded: counts by the options, programs, replies and waits by time limits. Only loopback is used, and
//! only processes started here are ended, by process id.

mod collections;
mod latency;
mod machine;
mod memory;
mod memtier;
mod options;
mod pauses;
mod plot;
mod process;
mod record;
mod server;
mod statistics;
mod throughput;

use std::path::{Path, PathBuf};

use machine::{Machine, load_average};
use options::{Options, Part, ServerCommand, server_command};
use record::Report;
use server::Server;

/// The programs that the short names of servers mean, and a folder for what does not last.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Path of this package's server.
    pub ringfort: String,
    /// The words that start the floor, to which `--port PORT` is added.
    pub floor: Option<Vec<String>>,
    /// Working folders of servers, and records of `--quick`.
    pub scratch: PathBuf,
}

/// Runs what `words` (the program's name first) ask for and returns the path of the record's tables.
///
/// # Errors
/// A sentence on the first thing that made going on pointless; what fails for one server in one test is in the record.
pub fn run(words: &[String], programs: &Programs) -> Result<PathBuf, String> {
    let options = Options::read(words)?;
    let commands = commands(&options, programs)?;
    for program in options.server_pin().map(|_| "taskset").into_iter().chain(["redis-benchmark"]) {
        if !process::is_on_path(program) && (program == "taskset" || options.wants(Part::Throughput)) {
            return Err(format!("{program} is not on PATH (taskset: try --no-pin)"));
        }
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut report = Report {
        machine: Machine::here(package),
        date: chrono::Local::now().format("%Y-%m-%d").to_string(),
        words: words.to_vec(),
        versions: vec![None; commands.len()],
        commands,
        load_after: String::new(),
        throughput: Vec::new(),
        latency: Vec::new(),
        memory: Vec::new(),
        collections: Vec::new(),
        pauses: Vec::new(),
        memtier: None,
        options,
    };
    measure(&mut report, &programs.scratch)?;
    report.load_after = load_average().unwrap_or_default();
    let folder = match (&report.options.out, report.options.quick) {
        (Some(folder), _) => folder.clone(),
        (None, true) => programs.scratch.join("bench-results"),
        (None, false) => package.join("bench-results"),
    };
    report.write(&folder)
}

/// Runs the parts one after the other. Memory first: its servers come and go while nothing else runs.
fn measure(report: &mut Report, scratch: &Path) -> Result<(), String> {
    let options = &report.options;
    if options.wants(Part::Memory) {
        report.memory = memory::run(options, &report.commands, scratch);
        for (command, fill) in report.commands.iter().zip(&report.memory) {
            match fill {
                Ok(fill) => println!("memory {:12} {:7.1} bytes/key", command.name, fill.bytes_per_key()),
                Err(reason) => println!("memory {:12} {reason}", command.name),
            }
        }
    }
    if options.wants(Part::Collections) {
        report.collections = collections::run(options, &report.commands, scratch, |case| {
            for (command, fill) in report.commands.iter().zip(&case.fills) {
                let figure = fill.as_ref().map_or_else(String::clone, |fill| format!("{:7.1}", fill.bytes_per_key()));
                println!("{} of {:4} {:12} {figure} bytes/element", case.kind, case.size, command.name);
            }
        });
    }
    if options.wants(Part::Pauses) {
        report.pauses = pauses::run(options, &report.commands, scratch, |case| {
            let name = &report.commands[case.server].name;
            for phase in case.phases.iter().flatten() {
                let [p999, max] = [phase.latency.value_at_quantile(0.999), phase.latency.max()].map(|ns| ns as f64 / 1e6);
                println!("{:5} {:7} {name:12} p99.9 {p999:.3} ms, max {max:.3} ms", case.kind, phase.name);
            }
        });
    }
    if ![Part::Throughput, Part::Latency, Part::Memtier].iter().any(|part| options.wants(*part)) {
        return Ok(());
    }
    let mut servers = Vec::new();
    for command in &report.commands {
        let server = Server::start(command, options.server_pin(), scratch)?;
        server.fill(options.keys, options.size as usize)?;
        servers.push(server);
    }
    report.versions = servers.iter().map(Server::version).collect();
    if options.wants(Part::Throughput) {
        report.throughput = throughput::run(options, &servers, |case| tell_case(&servers, case));
    }
    if options.wants(Part::Memtier) && memtier::is_here() {
        report.memtier = Some(memtier::run(options, &servers, scratch));
    }
    if options.wants(Part::Latency) {
        report.latency = latency::run(options, &servers, |server, outcome| {
            let [p50, p999] = [0.5, 0.999].map(|quantile| outcome.latency.value_at_quantile(quantile) as f64 / 1e6);
            println!("latency {:12} p50 {p50:.3} ms, p99.9 {p999:.3} ms", server.name);
        });
    }
    Ok(())
}

fn tell_case(servers: &[Server], case: &throughput::Case) {
    for (index, server) in servers.iter().enumerate() {
        let (pipeline, test, name) = (case.pipeline, &case.test, &server.name);
        if let Some(reason) = &case.failures[index] {
            println!("P={pipeline:<3} {test:10} {name:12} failed: {reason}");
            continue;
        }
        let median = |figure: fn(&throughput::Sample) -> f64| {
            let figures: Vec<f64> = case.figures(index, figure).into_iter().flatten().collect();
            statistics::median(&figures).unwrap_or_default()
        };
        let (rate, cpu_us) = (median(|sample| sample.requests_per_second), median(|sample| sample.cpu_us));
        println!("P={pipeline:<3} {test:10} {name:12} {rate:>11.0} requests/s {cpu_us:7.3} µs");
    }
}

/// The servers that were named, or ringfort, redis and floor as far as they are here.
fn commands(options: &Options, programs: &Programs) -> Result<Vec<ServerCommand>, String> {
    let built_in = |name: &str| {
        let text = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let (program, arguments): (Vec<String>, &[&str]) = match name {
            "ringfort" => (
                vec![programs.ringfort.clone()],
                &["--port", "PORT", "--bind", "127.0.0.1", "--shards", "1", "--save", ""],
            ),
            "redis" if process::is_on_path("redis-server") => (
                text(&["redis-server"]),
                &["--port", "PORT", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            ),
            "floor" => (programs.floor.clone()?, &["--port", "PORT"]),
            _ => return None,
        };
        Some(ServerCommand { name: name.to_owned(), words: [program, text(arguments)].concat() })
    };
    if options.servers.is_empty() {
        return Ok(["ringfort", "redis", "floor"].into_iter().filter_map(built_in).collect());
    }
    let named = |text: &String| match built_in(text) {
        Some(command) => Ok(command),
        None => server_command(text, &programs.ringfort),
    };
    let commands: Vec<ServerCommand> = options.servers.iter().map(named).collect::<Result<_, String>>()?;
    let is_twice = |(index, command): (usize, &ServerCommand)| commands[..index].iter().any(|c| c.name == command.name);
    if commands.iter().enumerate().any(is_twice) {
        return Err("two servers have the same name".to_owned());
    }
    Ok(commands)
}
