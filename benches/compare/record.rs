//! The dated record: every raw figure as JSON, tables for people as Markdown, pictures as SVG.

use std::fmt::Write as _;
use std::{fs, path::Path, path::PathBuf};

use serde_json::{Value, json};

use super::latency::{Outcome, QUANTILES, Series};
use super::machine::Machine;
use super::memory::{Fill, VALUE_BYTES};
use super::options::{Options, Part, ServerCommand};
use super::plot::{Curve, Panel, bars, curves, timelines};
use super::statistics::{median, ratio_by_round};
use super::{collections, memtier, pauses, throughput};

/// Of a failure's text, in a table; the raw figures have all of it.
const CELL_CHARACTERS_MAX: usize = 100;

/// Everything one call of the tool found out.
#[derive(Debug)]
pub struct Report {
    pub options: Options,
    /// The tool's own command line.
    pub words: Vec<String>,
    pub machine: Machine,
    /// YYYY-MM-DD.
    pub date: String,
    pub commands: Vec<ServerCommand>,
    pub versions: Vec<Option<String>>,
    pub load_after: String,
    pub throughput: Vec<throughput::Case>,
    pub latency: Vec<Series>,
    pub memory: Vec<Result<Fill, String>>,
    pub collections: Vec<collections::Case>,
    pub pauses: Vec<pauses::Case>,
    /// `None` when memtier_benchmark is not installed.
    pub memtier: Option<Vec<memtier::Case>>,
}

impl Report {
    /// Writes all files into `folder` and returns the path of the tables. An earlier record of the same name and day stays:
    /// the new one gets a number. Only `--quick` replaces.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, String> {
        let stem = free_stem(&format!("{}-{}", self.date, self.options.name), |stem| {
            self.options.quick || !folder.join(format!("{stem}.md")).exists()
        })?;
        let text = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(folder).map_err(text)?;
        let raw = serde_json::to_string_pretty(&self.to_json()).map_err(|error| error.to_string())?;
        fs::write(folder.join(format!("{stem}.json")), raw + "\n").map_err(text)?;
        for (suffix, picture) in self.pictures() {
            fs::write(folder.join(format!("{stem}-{suffix}.svg")), picture).map_err(text)?;
        }
        let path = folder.join(format!("{stem}.md"));
        fs::write(&path, self.to_markdown(&stem)).map_err(text)?;
        Ok(path)
    }

    fn names(&self) -> Vec<String> {
        self.commands.iter().map(|command| command.name.clone()).collect()
    }

    fn pictures(&self) -> Vec<(&'static str, String)> {
        let mut pictures = Vec::new();
        if !self.throughput.is_empty() {
            let cpu = self.panels(|sample| sample.cpu_us);
            pictures
                .push(("cpu", bars("CPU time of the server per request, µs (less is better)", &self.names(), &cpu)));
            let rate = self.panels(|sample| sample.requests_per_second);
            pictures.push(("throughput", bars("Requests per second (more is better)", &self.names(), &rate)));
        }
        let curve = |(command, series): (&ServerCommand, &Series)| {
            Some(Curve { name: command.name.clone(), points: percentile_points(&series.total()?) })
        };
        let found: Vec<Curve> = self.commands.iter().zip(&self.latency).filter_map(curve).collect();
        if !found.is_empty() {
            let rate = self.options.rate;
            pictures.push(("latency", curves(&format!("Latency at {rate} requests/s from the time due"), &found)));
            let line = |(command, series): (&ServerCommand, &Series)| {
                Some(Curve { name: command.name.clone(), points: series.total()?.timeline() })
            };
            let lines: Vec<Curve> = self.commands.iter().zip(&self.latency).filter_map(line).collect();
            let title = "Longest latency in each tenth of a second, all rounds together";
            pictures.push(("timeline", timelines(title, &lines)));
        }
        pictures
    }

    /// One panel per pipeline depth with the medians of a figure.
    fn panels(&self, figure: impl Fn(&throughput::Sample) -> f64) -> Vec<Panel> {
        let panel = |&pipeline: &u32| {
            let cases: Vec<&throughput::Case> =
                self.throughput.iter().filter(|case| case.pipeline == pipeline).collect();
            let medians = |case: &&throughput::Case| {
                let median_of = |server| median(&present(&case.figures(server, &figure)));
                (0..self.commands.len()).map(median_of).collect()
            };
            Panel {
                title: format!("pipeline {pipeline}"),
                groups: cases.iter().map(|case| case.test.clone()).collect(),
                values: cases.iter().map(medians).collect(),
            }
        };
        self.options.pipeline.iter().map(panel).collect()
    }

    // ---- raw figures ----

    fn to_json(&self) -> Value {
        let servers: Vec<Value> = self
            .commands
            .iter()
            .zip(&self.versions)
            .map(|(command, version)| json!({"name": command.name, "command": quoted(&command.words), "version": version}))
            .collect();
        let options = &self.options;
        json!({
            "date": self.date, "name": options.name, "notes": options.note, "command_line": self.words,
            "machine": self.machine.to_json(), "load_after": self.load_after, "servers": servers,
            "settings": {
                "rounds": options.rounds, "clients": options.clients, "threads": options.threads, "keys": options.keys,
                "value_bytes": options.size, "server_cpus": options.server_pin(), "client_cpus": options.client_pin(),
                "quick": options.quick,
            },
            "throughput": self.throughput.iter().map(|case| self.case_json(case)).collect::<Vec<_>>(),
            "latency": self.latency_json(),
            "memory": self.memory_json(),
            "collections": self.collections.iter().map(|case| self.collection_json(case)).collect::<Vec<_>>(),
            "pauses": self.pauses.iter().map(|case| self.pause_json(case)).collect::<Vec<_>>(),
            "memtier": self.memtier_json(),
        })
    }

    fn case_json(&self, case: &throughput::Case) -> Value {
        let sample = |sample: &Option<throughput::Sample>| {
            sample.map(|sample| {
                json!({
                    "requests_per_second": sample.requests_per_second, "cpu_us": sample.cpu_us,
                    "p50_ms": sample.p50_ms, "p99_ms": sample.p99_ms,
                })
            })
        };
        let servers = self.by_name(case.samples.iter().zip(&case.failures).map(
            |(samples, failure)| json!({"rounds": samples.iter().map(sample).collect::<Vec<_>>(), "failure": failure}),
        ));
        json!({
            "pipeline": case.pipeline, "test": case.test, "requests": case.requests, "servers": servers,
            "command_line": throughput::command_line(&self.options, case.pipeline, &case.test),
        })
    }

    fn latency_json(&self) -> Value {
        let servers = self.by_name(self.latency.iter().map(|series| {
            let percentiles = series.total().map(|total| percentile_points(&total));
            json!({
                "rounds": series.rounds.iter().map(outcome_json).collect::<Vec<_>>(),
                "percentiles_ms": percentiles, "failure": series.failure,
                "worst_ms_by_tenth_of_a_second": series.total().map(|total| {
                    total.timeline().into_iter().map(|(_, ms)| ms).collect::<Vec<_>>()
                }),
            })
        }));
        let options = &self.options;
        json!({
            "rate": options.rate, "connections": options.rate_clients, "seconds": options.seconds,
            "before": options.before, "during": options.during, "servers": servers,
        })
    }

    fn memory_json(&self) -> Value {
        let servers = self.by_name(self.memory.iter().map(|fill| match fill {
            Ok(fill) => json!({
                "empty_bytes": fill.empty_bytes, "full_bytes": fill.full_bytes, "keys": fill.keys,
                "seconds": fill.seconds, "bytes_per_key": fill.bytes_per_key(),
            }),
            Err(reason) => json!({"failure": reason}),
        }));
        json!({"key_bytes": 16, "value_bytes": VALUE_BYTES, "servers": servers})
    }

    fn collection_json(&self, case: &collections::Case) -> Value {
        let servers = self.by_name(case.fills.iter().map(|fill| match fill {
            Ok(fill) => json!({
                "empty_bytes": fill.empty_bytes, "full_bytes": fill.full_bytes, "elements": fill.keys,
                "bytes_per_element": fill.bytes_per_key(),
            }),
            Err(reason) => json!({"failure": reason}),
        }));
        json!({"type": case.kind, "size": case.size, "servers": servers})
    }

    fn pause_json(&self, case: &pauses::Case) -> Value {
        let phase = |phase: &pauses::Phase| {
            let quantile = |quantile| milliseconds(phase.latency.value_at_quantile(quantile));
            json!({
                "phase": phase.name, "probes": phase.latency.len(), "seconds": phase.seconds, "p50_ms": quantile(0.5),
                "p99_ms": quantile(0.99), "p99.9_ms": quantile(0.999), "max_ms": milliseconds(phase.latency.max()),
            })
        };
        let phases = match &case.phases {
            Ok(phases) => phases.iter().map(phase).collect(),
            Err(reason) => json!({"failure": reason}),
        };
        json!({"type": case.kind, "server": self.commands[case.server].name, "phases": phases})
    }

    fn memtier_json(&self) -> Value {
        let Some(cases) = &self.memtier else { return json!("memtier_benchmark is not on PATH") };
        let sample = |sample: &Result<memtier::Sample, String>| match sample {
            Ok(sample) => json!({
                "requests_per_second": sample.requests_per_second, "cpu_us": sample.cpu_us,
                "p50_ms": sample.p50_ms, "p99_ms": sample.p99_ms, "p99.9_ms": sample.p999_ms,
            }),
            Err(reason) => json!({"failure": reason}),
        };
        let case = |case: &memtier::Case| {
            let servers = case.samples.iter().map(|samples| samples.iter().map(sample).collect());
            json!({
                "pipeline": case.pipeline, "servers": self.by_name(servers),
                "command_line": memtier::words(&self.options, "PORT", case.pipeline, "FILE").join(" "),
            })
        };
        cases.iter().map(case).collect()
    }

    /// An object with one value per server.
    fn by_name(&self, values: impl Iterator<Item = Value>) -> Value {
        Value::Object(self.names().into_iter().zip(values).collect())
    }

    // ---- tables ----

    fn to_markdown(&self, stem: &str) -> String {
        let mut text = String::new();
        self.write_head(&mut text, stem);
        let pictures: Vec<&str> = self.pictures().iter().map(|(suffix, _)| *suffix).collect();
        for (part, suffix) in [(Part::Throughput, "cpu"), (Part::Throughput, "throughput"), (Part::Latency, "latency"), (Part::Latency, "timeline")]
        {
            if self.options.wants(part) && pictures.contains(&suffix) {
                let _ = writeln!(text, "![{suffix}]({stem}-{suffix}.svg)\n");
            }
        }
        if self.options.wants(Part::Throughput) {
            self.write_throughput(&mut text);
        }
        if self.options.wants(Part::Latency) {
            self.write_latency(&mut text);
        }
        if self.options.wants(Part::Memory) {
            self.write_memory(&mut text);
        }
        if self.options.wants(Part::Collections) {
            self.write_collections(&mut text);
        }
        if self.options.wants(Part::Pauses) {
            self.write_pauses(&mut text);
        }
        if self.options.wants(Part::Memtier) {
            self.write_memtier(&mut text);
        }
        text
    }

    fn write_head(&self, text: &mut String, stem: &str) {
        let (machine, options) = (&self.machine, &self.options);
        let _ = writeln!(text, "# {} {}\n", self.date, options.name);
        for note in &options.note {
            let _ = writeln!(text, "**Note: {note}**\n");
        }
        let gib = machine.memory_bytes as f64 / f64::from(1 << 30);
        let _ = writeln!(text, "* Machine: {} × {}, {gib:.0} GiB, {}", machine.cpus, machine.cpu, machine.kernel);
        let _ = writeln!(text, "* Load average before and after: {} and {}", machine.load, self.load_after);
        let _ =
            writeln!(text, "* Ringfort at commit {} (+ means: with changes), {}", machine.commit, machine.benchmark);
        for (command, version) in self.commands.iter().zip(&self.versions) {
            let version = version.as_ref().map(|version| format!(" (says version {version})")).unwrap_or_default();
            let _ = writeln!(text, "* {}: `{}`{version}", command.name, quoted(&command.words));
        }
        let pins = match (options.server_pin(), options.client_pin()) {
            (Some(server), Some(client)) => format!("servers on CPU {server}, load on CPU {client}"),
            _ => "nothing pinned".to_owned(),
        };
        let _ = writeln!(
            text,
            "* {} rounds, interleaved; {pins}; {} connections, {} thread(s), {} keys, values of {} bytes",
            options.rounds, options.clients, options.threads, options.keys, options.size
        );
        let asked: Vec<String> = self.words.iter().skip(1).filter(|word| *word != "--bench").cloned().collect();
        let _ = writeln!(text, "* Asked with `cargo bench --bench compare -- {}`", quoted(&asked));
        let _ = writeln!(text, "* Raw figures: [{stem}.json]({stem}.json); how to repeat: [README.md](README.md)\n");
    }

    fn write_throughput(&self, text: &mut String) {
        let first = &self.commands[0].name;
        let _ = writeln!(text, "## redis-benchmark\n");
        let _ = writeln!(
            text,
            "Medians over the rounds. A ratio is {first}'s figure divided by that server's, round by round: median (least–most).\n"
        );
        let _ = writeln!(
            text,
            "| pipeline | test | server | requests/s | CPU µs/request | p50 ms | p99 ms | CPU ratio | requests/s ratio |"
        );
        let _ = writeln!(text, "|---|---|---|---:|---:|---:|---:|---:|---:|");
        for case in &self.throughput {
            for (server, command) in self.commands.iter().enumerate() {
                let _ = write!(text, "| {} | {} | {} |", case.pipeline, case.test, command.name);
                if let Some(reason) = &case.failures[server] {
                    let _ = writeln!(text, " failed: {} | | | | | |", one_line(reason));
                    continue;
                }
                let number = |figure: fn(&throughput::Sample) -> f64, decimals| {
                    median(&present(&case.figures(server, figure)))
                        .map_or("–".to_owned(), |value| decimal(value, decimals))
                };
                let ratio = |figure: fn(&throughput::Sample) -> f64| {
                    ratio_text(&case.figures(0, figure), &case.figures(server, figure))
                };
                let _ = writeln!(
                    text,
                    " {} | {} | {} | {} | {} | {} |",
                    number(|sample| sample.requests_per_second, 0),
                    number(|sample| sample.cpu_us, 3),
                    number(|sample| sample.p50_ms, 3),
                    number(|sample| sample.p99_ms, 3),
                    if server == 0 { "1".to_owned() } else { ratio(|sample| sample.cpu_us) },
                    if server == 0 { "1".to_owned() } else { ratio(|sample| sample.requests_per_second) },
                );
            }
        }
        text.push('\n');
    }

    fn write_latency(&self, text: &mut String) {
        let options = &self.options;
        let _ = writeln!(text, "## Latency at {} requests/s\n", options.rate);
        let before = options.before.as_ref().map(|command| format!(" Before each round: `{}`.", one_line(command)));
        let during = options.during.as_ref().map(|command| format!(" `{}` is sent meanwhile.", one_line(command)));
        let _ = writeln!(
            text,
            "Open loop, from the time a request was due: {} connections, {} s per round, one SET to nine GETs, all rounds \
             together, milliseconds. \"Sent late\" is the client's own lateness.{}{}\n",
            options.rate_clients,
            options.seconds,
            before.unwrap_or_default(),
            during.unwrap_or_default()
        );
        let _ = writeln!(
            text,
            "| server | p50 | p90 | p99 | p99.9 | max | sent late p99.9 | answered | errors | unanswered |"
        );
        let _ = writeln!(text, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        for (command, series) in self.commands.iter().zip(&self.latency) {
            let _ = write!(text, "| {} |", command.name);
            let Some(total) = series.total().filter(|_| series.failure.is_none()) else {
                let reason = series.failure.as_deref().unwrap_or("no round");
                let _ = writeln!(text, " failed: {} | | | | | | | | |", one_line(reason));
                continue;
            };
            for (_, quantile) in QUANTILES {
                let _ = write!(text, " {:.3} |", milliseconds(total.latency.value_at_quantile(quantile)));
            }
            let _ = writeln!(
                text,
                " {:.3} | {:.3} | {} | {} | {} |",
                milliseconds(total.latency.max()),
                milliseconds(total.lateness.value_at_quantile(0.999)),
                total.latency.len() - total.unanswered,
                total.errors,
                total.unanswered
            );
        }
        text.push('\n');
    }

    fn write_memory(&self, text: &mut String) {
        let keys = self.options.memory_keys;
        let first = self.memory.first().and_then(|fill| fill.as_ref().ok()).map(Fill::bytes_per_key);
        let _ = writeln!(text, "## Memory\n");
        let _ = writeln!(
            text,
            "{keys} keys of 16 bytes with values of {VALUE_BYTES}: resident memory after the fill, minus empty, per key. The \
             ratio is {}'s divided by that server's.\n",
            self.commands[0].name
        );
        let _ = writeln!(
            text,
            "| server | bytes/key | ratio | empty MiB | full MiB | fill s |\n|---|---:|---:|---:|---:|---:|"
        );
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        for (command, fill) in self.commands.iter().zip(&self.memory) {
            let _ = match fill {
                Ok(fill) => writeln!(
                    text,
                    "| {} | {:.1} | {} | {:.1} | {:.1} | {:.2} |",
                    command.name,
                    fill.bytes_per_key(),
                    first.map_or("–".to_owned(), |first| format!("{:.3}", first / fill.bytes_per_key())),
                    mebibytes(fill.empty_bytes),
                    mebibytes(fill.full_bytes),
                    fill.seconds
                ),
                Err(reason) => writeln!(text, "| {} | {} | | | | |", command.name, one_line(reason)),
            };
        }
        text.push('\n');
    }

    fn write_collections(&self, text: &mut String) {
        let first = &self.commands[0].name;
        let _ = writeln!(text, "## Memory of collections\n");
        let _ = writeln!(
            text,
            "{} elements of 16 bytes (hashes: with values of 16) in collections of each size: resident memory after the fill, \
             minus empty, per element. The ratio is {first}'s divided by that server's.\n",
            self.options.elements
        );
        let _ = writeln!(text, "| type | size | server | bytes/element | ratio |\n|---|---:|---|---:|---:|");
        for case in &self.collections {
            let own = case.fills.first().and_then(|fill| fill.as_ref().ok()).map(Fill::bytes_per_key);
            for (command, fill) in self.commands.iter().zip(&case.fills) {
                let _ = write!(text, "| {} | {} | {} |", case.kind, case.size, command.name);
                let _ = match fill {
                    Ok(fill) => {
                        let ratio = own.map_or("–".to_owned(), |own| format!("{:.3}", own / fill.bytes_per_key()));
                        writeln!(text, " {:.1} | {ratio} |", fill.bytes_per_key())
                    }
                    Err(reason) => writeln!(text, " {} | |", one_line(reason)),
                };
            }
        }
        text.push('\n');
    }

    fn write_pauses(&self, text: &mut String) {
        let _ = writeln!(text, "## Pauses\n");
        let _ = writeln!(
            text,
            "A collection of {} elements is built, read in pages, scanned and deleted, while a small key on the same core is \
             asked for 2,000 times a second: milliseconds from the time due, by phase.\n",
            self.options.large
        );
        let _ = writeln!(text, "| type | phase | server | p50 | p99 | p99.9 | max | seconds |");
        let _ = writeln!(text, "|---|---|---|---:|---:|---:|---:|---:|");
        for case in &self.pauses {
            let name = &self.commands[case.server].name;
            match &case.phases {
                Err(reason) => {
                    let _ = writeln!(text, "| {} | | {name} | {} | | | | |", case.kind, one_line(reason));
                }
                Ok(phases) => phases.iter().for_each(|phase| {
                    let [p50, p99, p999] =
                        [0.5, 0.99, 0.999].map(|quantile| milliseconds(phase.latency.value_at_quantile(quantile)));
                    let (max, seconds) = (milliseconds(phase.latency.max()), phase.seconds);
                    let _ = writeln!(
                        text,
                        "| {} | {} | {name} | {p50:.3} | {p99:.3} | {p999:.3} | {max:.3} | {seconds:.1} |",
                        case.kind, phase.name
                    );
                }),
            }
        }
        text.push('\n');
    }

    fn write_memtier(&self, text: &mut String) {
        let _ = writeln!(text, "## memtier_benchmark\n");
        let Some(cases) = &self.memtier else {
            let _ = writeln!(text, "memtier_benchmark is not on PATH: not run.");
            return;
        };
        let _ = writeln!(text, "SET and GET as 1:10, {} s per round, medians.\n", self.options.seconds);
        let _ = writeln!(text, "| pipeline | server | requests/s | CPU µs/request | p50 ms | p99 ms | p99.9 ms |");
        let _ = writeln!(text, "|---|---|---:|---:|---:|---:|---:|");
        for case in cases {
            for (command, samples) in self.commands.iter().zip(&case.samples) {
                let _ = write!(text, "| {} | {} |", case.pipeline, command.name);
                if let Some(reason) = samples.iter().find_map(|sample| sample.as_ref().err()) {
                    let _ = writeln!(text, " failed: {} | | | | |", one_line(reason));
                    continue;
                }
                let number = |figure: fn(&memtier::Sample) -> f64, decimals| {
                    let rounds: Vec<f64> = samples.iter().flatten().map(figure).collect();
                    median(&rounds).map_or("–".to_owned(), |value| decimal(value, decimals))
                };
                let _ = writeln!(
                    text,
                    " {} | {} | {} | {} | {} |",
                    number(|sample| sample.requests_per_second, 0),
                    number(|sample| sample.cpu_us, 3),
                    number(|sample| sample.p50_ms, 3),
                    number(|sample| sample.p99_ms, 3),
                    number(|sample| sample.p999_ms, 3),
                );
            }
        }
    }
}

fn outcome_json(outcome: &Outcome) -> Value {
    let mut figures: serde_json::Map<String, Value> = QUANTILES
        .iter()
        .map(|(name, quantile)| {
            (format!("{name}_ms"), json!(milliseconds(outcome.latency.value_at_quantile(*quantile))))
        })
        .collect();
    figures.insert("max_ms".to_owned(), json!(milliseconds(outcome.latency.max())));
    figures.insert("late_p99.9_ms".to_owned(), json!(milliseconds(outcome.lateness.value_at_quantile(0.999))));
    figures.insert("requests".to_owned(), json!(outcome.latency.len()));
    figures.insert("errors".to_owned(), json!(outcome.errors));
    figures.insert("unanswered".to_owned(), json!(outcome.unanswered));
    Value::Object(figures)
}

/// The curve of a histogram: ten steps per nine, up to where it has ten requests left.
fn percentile_points(outcome: &Outcome) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for step in 0..=60 {
        let left = 10_f64.powf(-f64::from(step) / 10.0);
        if step > 0 && left * (outcome.latency.len() as f64) < 10.0 {
            break;
        }
        points.push((1.0 - left, milliseconds(outcome.latency.value_at_quantile(1.0 - left))));
    }
    points
}

fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

fn present(figures: &[Option<f64>]) -> Vec<f64> {
    figures.iter().copied().flatten().collect()
}

fn ratio_text(first: &[Option<f64>], other: &[Option<f64>]) -> String {
    ratio_by_round(first, other)
        .map_or("–".to_owned(), |ratio| format!("{:.3} ({:.3}–{:.3})", ratio.median, ratio.least, ratio.most))
}

/// A number with thousands set apart.
fn decimal(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// `stem`, or `stem-2` to `stem-99`: the first that is free.
fn free_stem(stem: &str, is_free: impl Fn(&str) -> bool) -> Result<String, String> {
    let numbered = (2..100).map(|number| format!("{stem}-{number}"));
    let mut stems = std::iter::once(stem.to_owned()).chain(numbered);
    stems.find(|stem| is_free(stem)).ok_or_else(|| format!("there are a hundred records {stem} already"))
}

/// Words as one would type them in the package's folder.
fn quoted(words: &[String]) -> String {
    let quote = |word: &String| {
        let word = word.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/")).unwrap_or(word);
        let is_plain =
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./=,:+".contains(&byte));
        if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// Fit for a cell of a table, which a server's error text may not be.
fn one_line(text: &str) -> String {
    let start: String = text.chars().take(CELL_CHARACTERS_MAX).collect();
    start.replace(['\n', '\r'], " ").replace('|', "\\|")
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
