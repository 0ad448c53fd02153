//! Reads the records of `bench-results/`: the raw figures of the comparison tool (JSON), and the tables of the others.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// Where a figure is found: in the newest record that has it.
#[derive(Clone, Copy, Debug)]
pub enum Measure {
    /// The server's CPU time per request as a part of another server's: pipeline, test, the other server.
    Cpu(u64, &'static str, &'static str),
    /// The same between two builds or settings: pipeline, test, the server measured, the one it is held against.
    Between(u64, &'static str, &'static str, &'static str),
    /// Our own CPU time for one test as a part of that for another one of the same record: pipeline, both tests.
    Tests(u64, &'static str, &'static str),
    /// The greatest of these, over several tests at one pipeline depth, against another server.
    CpuWorst(u64, &'static [&'static str], &'static str),
    /// Memory per key as a part of Redis'.
    Memory,
    /// Memory per element as a part of Redis': the greatest over the sizes of a type.
    Elements(&'static str),
    /// The last figure of a row that begins so, in the newest table of a record with this name.
    Row(&'static str, &'static str),
}

/// One test at one pipeline depth.
pub struct Case {
    /// The medians of ours and of the other one, µs of CPU time per request.
    pub medians: (f64, f64),
    /// Median of the ratios of the rounds.
    pub ratio: f64,
    /// The record.
    pub record: String,
}

/// All records, the newest first.
pub struct Records {
    raw: Vec<(String, Value)>,
    tables: Vec<(String, String)>,
}

/// A record's stem as its age: date, then the number behind the name.
fn age(stem: &str) -> (String, u32) {
    let number = stem.rsplit('-').next().and_then(|last| last.parse().ok()).filter(|number| *number < 100);
    (stem.get(..10).unwrap_or_default().to_owned(), number.unwrap_or(1))
}

/// A record's name without date and number.
fn name(stem: &str) -> &str {
    let name = stem.get(11..).unwrap_or_default();
    match name.rsplit_once('-') {
        Some((before, number)) if number.parse::<u32>().is_ok_and(|number| number < 100) => before,
        _ => name,
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len().checked_sub(1)? / 2;
    Some((figures[middle] + figures[figures.len() / 2]) / 2.0)
}

impl Records {
    /// Reads a folder.
    pub fn read(folder: &Path) -> Records {
        let mut files: BTreeMap<(String, u32, String), ()> = BTreeMap::new();
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let file = entry.expect("it can be read").file_name().into_string().expect("its names are text");
            let stem = file.split('.').next().unwrap_or_default().to_owned();
            let (date, number) = age(&stem);
            if date.starts_with("20") {
                files.insert((date, number, stem), ());
            }
        }
        let (mut raw, mut tables) = (Vec::new(), Vec::new());
        for (_, _, stem) in files.into_keys().rev() {
            let text = |ending: &str| std::fs::read_to_string(folder.join(format!("{stem}.{ending}"))).ok();
            raw.extend(text("json").and_then(|text| Some((stem.clone(), serde_json::from_str(&text).ok()?))));
            tables.extend(text("md").map(|text| (stem.clone(), text)));
        }
        Records { raw, tables }
    }

    /// The newest figures of a test, ours beside another server's.
    pub fn case(&self, pipeline: u64, test: &str, other: &str) -> Option<Case> {
        self.between(pipeline, test, "ringfort", other)
    }

    fn between(&self, pipeline: u64, test: &str, own: &str, other: &str) -> Option<Case> {
        self.raw.iter().find_map(|(record, raw)| {
            let cases = raw["throughput"].as_array()?;
            let case = cases.iter().find(|case| case["pipeline"] == pipeline && case["test"] == test)?;
            let rounds = |server: &str| {
                let rounds = case["servers"][server]["rounds"].as_array()?;
                Some(rounds.iter().map(|round| round["cpu_us"].as_f64()).collect::<Vec<_>>())
            };
            let (own, other) = (rounds(own)?, rounds(other)?);
            let ratios = own.iter().zip(&other).filter_map(|(own, other)| Some((*own)? / (*other)?)).collect();
            let medians =
                (median(own.into_iter().flatten().collect())?, median(other.into_iter().flatten().collect())?);
            Some(Case { medians, ratio: median(ratios)?, record: record.clone() })
        })
    }

    /// A figure and the record it is from.
    pub fn find(&self, measure: &Measure) -> Option<(f64, String)> {
        match *measure {
            Measure::Cpu(pipeline, test, other) => {
                self.case(pipeline, test, other).map(|case| (case.ratio, case.record))
            }
            Measure::Between(pipeline, test, own, other) => {
                self.between(pipeline, test, own, other).map(|case| (case.ratio, case.record))
            }
            Measure::Tests(pipeline, one, other) => self.raw.iter().find_map(|(record, raw)| {
                let cases = raw["throughput"].as_array()?;
                let median_of = |test: &str| {
                    let case = cases.iter().find(|case| case["pipeline"] == pipeline && case["test"] == test)?;
                    let rounds = case["servers"]["ringfort"]["rounds"].as_array()?;
                    median(rounds.iter().filter_map(|round| round["cpu_us"].as_f64()).collect())
                };
                Some((median_of(one)? / median_of(other)?, record.clone()))
            }),
            Measure::CpuWorst(pipeline, tests, other) => {
                let cases: Option<Vec<Case>> = tests.iter().map(|test| self.case(pipeline, test, other)).collect();
                let worst = cases?.into_iter().max_by(|one, two| one.ratio.total_cmp(&two.ratio))?;
                Some((worst.ratio, worst.record))
            }
            Measure::Memory => self.raw.iter().find_map(|(record, raw)| {
                let per_key = |server: &str| raw["memory"]["servers"][server]["bytes_per_key"].as_f64();
                Some((per_key("ringfort")? / per_key("redis")?, record.clone()))
            }),
            Measure::Elements(kind) => self.raw.iter().find_map(|(record, raw)| {
                let cases = raw["collections"].as_array()?.iter().filter(|case| case["type"] == kind);
                let ratio = |case: &Value| {
                    let per_element = |server: &str| case["servers"][server]["bytes_per_element"].as_f64();
                    Some(per_element("ringfort")? / per_element("redis")?)
                };
                Some((cases.filter_map(ratio).max_by(f64::total_cmp)?, record.clone()))
            }),
            Measure::Row(wanted, start) => {
                self.tables.iter().filter(|(stem, _)| name(stem) == wanted).find_map(|(stem, text)| {
                    let row = text.lines().find(|line| line.starts_with(&format!("| {start}")))?;
                    let figure = |cell: &str| cell.trim().trim_end_matches('%').trim().parse().ok();
                    Some((row.rsplit('|').find_map(figure)?, stem.clone()))
                })
            }
        }
    }

    /// The newest picture of CPU times of GET and SET at all depths.
    pub fn picture(&self) -> Option<String> {
        self.raw.iter().find_map(|(record, raw)| {
            let cases = raw["throughput"].as_array()?;
            let has = |pipeline: u64| cases.iter().any(|case| case["pipeline"] == pipeline && case["test"] == "get");
            let is_whole =
                [1, 16, 64].into_iter().all(has) && cases.iter().all(|case| !case["servers"]["redis"].is_null());
            is_whole.then(|| format!("{record}-cpu.svg"))
        })
    }
}

#[test]
fn names_and_ages() {
    assert_eq!((name("2026-11-21-default-p16"), name("2026-11-21-goals-2")), ("default-p16", "goals"));
    assert!(age("2026-11-21-goals-2") > age("2026-11-21-goals") && age("2026-11-22-goals") > age("2026-11-21-goals-9"));
    assert_eq!(median(vec![3.0, 1.0, 2.0, 5.0]), Some(2.5));
    assert_eq!(median(Vec::new()), None);
}
