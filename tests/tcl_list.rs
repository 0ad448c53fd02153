//! `tests/tcl/expected.txt`, the list of cases of the stock Redis Tcl suite that do not pass, kept from going stale: its
//! form, its counts, and that what its reasons call missing is missing.
//!
//! With `REDIS_TREE` set to a source tree of Redis 7.4 the suite itself runs too (`tests/tcl/run.sh`), on one shard and on
//! four.

use ringfort::command::table::TABLE;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// The units that this version is meant to stand.
const UNITS: &[&str] = &[
    "unit/type/string",
    "unit/type/incr",
    "unit/type/list",
    "unit/type/list-2",
    "unit/type/list-3",
    "unit/type/set",
    "unit/type/zset",
    "unit/type/stream",
    "unit/type/stream-cgroups",
    "unit/type/hash",
    "unit/type/hash-field-expire",
    "unit/keyspace",
    "unit/expire",
    "unit/scan",
    "unit/scripting",
    "unit/protocol",
    "unit/querybuf",
    "unit/quit",
    "unit/limits",
    "unit/networking",
    "unit/info-command",
    "unit/bitops",
    "unit/bitfield",
    "unit/hyperloglog",
    "unit/sort",
    "unit/geo",
    "unit/dump",
    "integration/corrupt-dump",
    "integration/corrupt-dump-fuzzer",
    "integration/convert-zipmap-hash-on-load",
    "integration/convert-ziplist-hash-on-load",
    "integration/convert-ziplist-zset-on-load",
    "integration/rdb",
    "integration/aof",
    "integration/logging",
    "unit/aofrw",
    "integration/shutdown",
    "unit/shutdown",
    "unit/multi",
    "unit/functions",
    "unit/maxmemory",
    "unit/slowlog",
    "unit/acl",
    "unit/acl-v2",
    "unit/auth",
    "unit/introspection",
];

/// One line of a case.
#[derive(Debug)]
struct Case {
    unit: String,
    name: String,
    class: String,
    more: String,
}

#[derive(Default, Debug)]
struct List {
    classes: Vec<String>,
    totals: BTreeMap<String, usize>,
    cases: Vec<Case>,
}

impl List {
    fn parse(text: &str) -> Result<List, String> {
        let mut list = List::default();
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        for (index, line) in lines {
            let fields: Vec<&str> = line.split(" | ").collect();
            let wrong = |what: &str| format!("line {}: {what}: {line}", index + 1);
            match fields[..] {
                ["class", name, _] => list.classes.push(name.to_owned()),
                ["cases", unit, count] => {
                    let count = count.parse().map_err(|_| wrong("not a number"))?;
                    if list.totals.insert(unit.to_owned(), count).is_some() {
                        return Err(wrong("twice"));
                    }
                }
                [unit, name, reason] => {
                    let (class, more) = reason.split_once(": ").ok_or_else(|| wrong("no class"))?;
                    let [unit, name, class, more] = [unit, name, class, more].map(str::to_owned);
                    list.cases.push(Case { unit, name, class, more });
                }
                _ => return Err(wrong("not three fields")),
            }
        }
        Ok(list)
    }

    /// What is wrong with it, a line each. `exists` tells whether a command is there.
    fn findings(&self, exists: impl Fn(&str) -> bool) -> Vec<String> {
        let mut findings = Vec::new();
        for class in &self.classes {
            if !self.cases.iter().any(|case| case.class == *class) {
                findings.push(format!("no case has the class {class}"));
            }
        }
        for case in &self.cases {
            let Case { unit, name, class, more } = case;
            if !self.classes.contains(class) {
                findings.push(format!("{unit}: {name}: no such class: {class}"));
            }
            if !self.totals.contains_key(unit) {
                findings.push(format!("{unit}: {name}: the unit has no number of cases"));
            }
            match class.as_str() {
                "command" => findings.extend(
                    more.split(' ')
                        .filter(|command| exists(command))
                        .map(|command| format!("{unit}: {name}: stale: {command} is there now, run tests/tcl/run.sh")),
                ),
                "after" if !self.cases.iter().any(|other| other.unit == *unit && other.name == *more) => {
                    findings.push(format!("{unit}: {name}: stale: {more} is not listed"));
                }
                _ => {}
            }
        }
        for (unit, total) in &self.totals {
            let listed = self.cases.iter().filter(|case| case.unit == *unit).count();
            if listed > *total {
                findings.push(format!("{unit}: {listed} cases listed of {total}"));
            }
        }
        findings
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tcl")
}

fn expected() -> List {
    let text = std::fs::read_to_string(folder().join("expected.txt")).expect("the list is there");
    List::parse(&text).expect("the list is well formed")
}

#[test]
fn the_list_is_not_stale() {
    let list = expected();
    let mut units: Vec<&str> = UNITS.to_vec();
    units.sort();
    assert_eq!(list.totals.keys().collect::<Vec<_>>(), units);
    let findings = list.findings(|command| TABLE.find_full(command.as_bytes()).is_some());
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn a_bad_list_is_found_out() {
    for text in ["unit/x | name", "unit/x | name | reason", "unit/x | a | b | command: c", "cases | unit/x | many"] {
        assert!(List::parse(text).is_err(), "{text}");
    }
    let list = "class | command | c\nclass | after | a\nclass | unused | u\ncases | unit/x | 3\ncases | unit/y | 0\n\
                unit/x | 1 | command: later\nunit/x | 2 | command: later now\nunit/x | 3 | after: 1\n\
                unit/y | 4 | after: 1\nunit/z | 5 | whim: w\n";
    let findings = List::parse(list).expect("well formed").findings(|command| command == "now");
    let expected = [
        "no case has the class unused",
        "unit/x: 2: stale: now is there now, run tests/tcl/run.sh",
        "unit/y: 4: stale: 1 is not listed",
        "unit/z: 5: no such class: whim",
        "unit/z: 5: the unit has no number of cases",
        "unit/y: 1 cases listed of 0",
    ];
    assert_eq!(findings, expected);
}

#[test]
fn the_suite_passes_but_for_the_list() {
    if std::env::var_os("REDIS_TREE").is_none() {
        eprintln!("skipped: REDIS_TREE does not name a source tree of Redis 7.4");
        return;
    }
    for shards in ["1", "4"] {
        let output = Command::new(folder().join("run.sh"))
            .env("RINGFORT", env!("CARGO_BIN_EXE_ringfort"))
            .env("SHARDS", shards)
            .output()
            .expect("run.sh starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{shards} shards:\n{text}{}", String::from_utf8_lossy(&output.stderr));
        println!("{shards} shards:\n{text}");
    }
}
