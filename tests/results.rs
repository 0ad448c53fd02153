//! What was measured beside what was to be reached: `bench-results/GOALS.md` and README's part on speed are made from the
//! records in `bench-results/` by this test, and it fails when they are behind.
//!
//! `RINGFORT_README_FILL=1 cargo test --test results` writes both anew, after a new record was made. The goals, and what
//! is to be said of those that are missed, stand in `results/goals.rs`; no figure does.

#[path = "results/goals.rs"]
mod goals;
#[path = "results/records.rs"]
mod records;

use std::path::{Path, PathBuf};

use goals::{GOALS, Goal, Limit};
use records::Records;

const BEGIN: &str = "<!-- speed: begin -->\n";
const END: &str = "<!-- speed: end -->\n";

/// Rows of README's table: pipeline and test.
const SHOWN: &[(u64, &str)] = &[
    (1, "set"),
    (1, "get"),
    (16, "set"),
    (16, "get"),
    (64, "set"),
    (64, "get"),
    (16, "mset"),
    (16, "incr"),
    (16, "rpush"),
    (16, "lpop"),
    (16, "sadd"),
    (16, "hset"),
    (16, "zadd"),
    (16, "zpopmin"),
    (16, "xadd"),
    (16, "lrange_100"),
];

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn link(record: &str) -> String {
    format!("[{record}]({record}.md)")
}

/// Three digits that matter.
fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn verdict(goal: &Goal, value: f64) -> &'static str {
    let is_met = match goal.limit {
        Limit::AtMost(limit) => value <= limit,
        Limit::AtLeast(limit) => value >= limit,
    };
    if is_met { "yes" } else { "**no**" }
}

/// `bench-results/GOALS.md`.
fn goals_page(records: &Records) -> String {
    let mut text = String::from(
        "# Goals and what was measured\n\nMade from the newest records by `RINGFORT_README_FILL=1 cargo test --test results`; a \
         record's name leads to its machine, commit, commands and raw figures. CPU times are the server's, user and system, \
         per request, as ratios taken round by round.\n\n| | goal | measured | met | record |\n|---|---|---:|---|---|\n",
    );
    let mut notes: Vec<(&str, Vec<&str>)> = Vec::new();
    for goal in GOALS {
        let limit = match goal.limit {
            Limit::AtMost(limit) => format!("≤ {limit}"),
            Limit::AtLeast(limit) => format!("≥ {limit}"),
        };
        match records.find(&goal.measure) {
            Some((value, record)) => {
                let is_met = verdict(goal, value);
                text.push_str(&format!(
                    "| {} | {limit} {} | {} | {is_met} | {} |\n",
                    goal.what,
                    goal.unit,
                    short(value),
                    link(&record)
                ));
                if is_met != "yes" && !goal.note.is_empty() {
                    match notes.iter_mut().find(|(note, _)| *note == goal.note) {
                        Some((_, goals)) => goals.push(goal.what),
                        None => notes.push((goal.note, vec![goal.what])),
                    }
                }
            }
            None => text.push_str(&format!("| {} | {limit} {} | not measured | | |\n", goal.what, goal.unit)),
        }
    }
    text.push_str("\n## Of those that are missed\n\n");
    for (note, goals) in notes {
        text.push_str(&format!("* **{}**: {note}\n", goals.join(", ")));
    }
    text
}

/// README's part.
fn summary(records: &Records) -> String {
    let mut text = String::from(
        "CPU time of the server per request, µs, Ringfort on one core beside redis-server 7.0: what one core can do, whatever \
         the client does.\n\n| pipeline | test | Ringfort | Redis | ratio |\n|---:|---|---:|---:|---:|\n",
    );
    for &(pipeline, test) in SHOWN {
        if let Some(case) = records.case(pipeline, test, "redis") {
            let (own, other) = case.medians;
            let test = test.to_uppercase();
            text.push_str(&format!(
                "| {pipeline} | {test} | {} | {} | {:.2} |\n",
                short(own),
                short(other),
                case.ratio
            ));
        }
    }
    let measured: Vec<(&Goal, f64)> =
        GOALS.iter().filter_map(|goal| Some((goal, records.find(&goal.measure)?.0))).collect();
    let met = measured.iter().filter(|(goal, value)| verdict(goal, *value) == "yes").count();
    text.push_str(&format!(
        "\nOf {} goals {} are measured and {met} are met: [the table, with what was tried for the others](bench-results/GOALS.md).\n",
        GOALS.len(),
        measured.len()
    ));
    if let Some(picture) = records.picture() {
        text.push_str(&format!("\n![CPU time per request](bench-results/{picture})\n"));
    }
    text
}

fn replace(path: &Path, text: &str) {
    // In one step: other tests read it meanwhile.
    let new = path.with_extension("md.new");
    std::fs::write(&new, text).expect("the file can be written");
    std::fs::rename(&new, path).expect("the file can be replaced");
}

#[test]
fn goals_and_readme_are_what_the_records_say() {
    let records = Records::read(&package().join("bench-results"));
    let (goals, readme) = (package().join("bench-results/GOALS.md"), package().join("README.md"));
    let text = std::fs::read_to_string(&readme).expect("there is a README");
    let (before, rest) = text.split_once(BEGIN).expect("README has the mark of the beginning");
    let (found, after) = rest.split_once(END).expect("README has the mark of the end");
    let (page, part) = (goals_page(&records), summary(&records));
    if std::env::var_os("RINGFORT_README_FILL").is_some() {
        replace(&goals, &page);
        return replace(&readme, &[before, BEGIN, &part, END, after].concat());
    }
    let how = "run RINGFORT_README_FILL=1 cargo test --test results";
    assert!(found == part, "README is behind the records: {how}");
    assert!(std::fs::read_to_string(&goals).is_ok_and(|found| found == page), "GOALS.md is behind the records: {how}");
}

#[test]
fn numbers_for_people() {
    assert_eq!([0.41234, 12.34, 123.4].map(short), ["0.41", "12.3", "123"]);
}
