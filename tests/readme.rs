//! README.md against the program: the part that is counted from the rows, and the first session, command by command.

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ringfort::command::spec::OWN_GROUP;
use ringfort::command::table::TABLE;
use support::client::Address;
use support::server::{Server, Target, Transport};

const BEGIN: &str = "<!-- coverage: begin -->\n";
const END: &str = "<!-- coverage: end -->\n";
/// The group that is another program.
const SENTINEL: &str = "sentinel";

fn readme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

/// The commands of Redis 7.4 by group.
fn redis_commands() -> BTreeMap<&'static str, Vec<&'static str>> {
    let lines = include_str!("support/redis_commands.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(": ")).map(|(group, names)| (group, names.split(' ').collect())).collect()
}

/// The part of README that says what there is.
fn coverage() -> String {
    let has = |name: &str| TABLE.find_full(name.as_bytes()).is_some();
    let shown = |name: &&str| format!("`{}`", name.replace('|', " ").to_uppercase());
    let list = |names: &[&str]| names.iter().map(shown).collect::<Vec<_>>().join(" ");
    // A container stands for its subcommands.
    let shortened = |names: &[&str]| {
        let missing = |name: &str| names.contains(&name);
        let alone = names.iter().filter(|name| !name.split_once('|').is_some_and(|(container, _)| missing(container)));
        let with_others =
            |name: &str| names.iter().any(|other| other.strip_prefix(name).is_some_and(|rest| rest.starts_with('|')));
        alone
            .map(|name| format!("{}{}", shown(name), if with_others(name) { "…" } else { "" }))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut text = String::from("| group | here | of Redis 7.4's | missing |\n|---|---|---|---|\n");
    let (mut here_all, mut of_all) = (0, 0);
    let mut all = String::new();
    for (group, names) in redis_commands().into_iter().filter(|(group, _)| *group != SENTINEL) {
        let (here, missing): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| has(name));
        let title = group.replace('_', " ");
        text.push_str(&format!("| {title} | {} | {} | {} |\n", here.len(), names.len(), shortened(&missing)));
        if !here.is_empty() {
            all.push_str(&format!("* {title}: {}\n", list(&here)));
        }
        here_all += here.len();
        of_all += names.len();
    }
    text.push_str(&format!("| **together** | **{here_all}** | **{of_all}** | |\n\n"));
    let known: Vec<&str> = redis_commands().into_values().flatten().collect();
    let further = |own: bool| {
        let rows = TABLE.visible_rows().filter(|row| !known.contains(&row.full_name));
        let names: Vec<&str> =
            rows.filter(|row| (row.command.group == OWN_GROUP) == own).map(|row| row.full_name).collect();
        list(&names)
    };
    text.push_str(&format!("Newer than 7.4: {}. Our own: {}.\n", further(false), further(true)));
    text.push_str(&format!("\n<details><summary>All of them</summary>\n\n{all}\n</details>\n"));
    text
}

#[test]
fn the_coverage_is_what_the_rows_say() {
    let path = readme();
    let text = std::fs::read_to_string(&path).expect("there is a README");
    let (before, rest) = text.split_once(BEGIN).expect("README has the mark of the beginning");
    let (found, after) = rest.split_once(END).expect("README has the mark of the end");
    let expected = coverage();
    if std::env::var_os("RINGFORT_README_FILL").is_some() {
        // In one step: the other tests read it meanwhile.
        let new = path.with_extension("md.new");
        std::fs::write(&new, [before, BEGIN, &expected, END, after].concat()).expect("README can be written");
        std::fs::rename(&new, &path).expect("README can be replaced");
        return;
    }
    assert!(found == expected, "README is behind the rows: run RINGFORT_README_FILL=1 cargo test --test readme");
}

/// What is typed at a prompt in README, and what is shown for it.
fn session(text: &str) -> Vec<(String, String)> {
    let block = text.split("## A first session").nth(1).and_then(|rest| rest.split("```").nth(1));
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in block.expect("README has a first session").lines() {
        match line.strip_prefix("127.0.0.1:7000> ") {
            Some(typed) => steps.push((typed.to_owned(), String::new())),
            None if line.starts_with("$ ") => {}
            None => {
                if let Some((_, shown)) = steps.last_mut() {
                    shown.push_str(line);
                    shown.push('\n');
                }
            }
        }
    }
    steps
}

#[test]
fn the_first_session_is_as_shown() {
    let text = std::fs::read_to_string(readme()).expect("there is a README");
    let steps = session(&text);
    assert!(steps.len() >= 5, "{steps:?}");
    let server = Server::start_with(Target::Ringfort { shards: 2 }, Transport::Tcp, &[]);
    let Address::Tcp(address) = server.address() else { panic!("it listens on TCP") };
    let mut child = Command::new(env!("CARGO_BIN_EXE_ringfort-cli"))
        .args(["-p", &address.port().to_string(), "--no-raw"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the client starts");
    let typed: String = steps.iter().map(|(typed, _)| format!("{typed}\n")).collect();
    child.stdin.take().expect("it is piped").write_all(typed.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("EXIT ends it");
    let shown: String = steps.into_iter().map(|(_, shown)| shown).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), shown);
}

/// Every program and subcommand that README names in a shell block is there.
#[test]
fn shell_lines_name_things_that_exist() {
    let text = std::fs::read_to_string(readme()).expect("there is a README");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("ringfort ")).collect();
    assert!(lines.len() >= 4, "{lines:?}");
    for line in lines {
        let words: Vec<&str> =
            line.split_whitespace().skip(1).take_while(|word| word.starts_with(char::is_alphabetic)).collect();
        let output =
            Command::new(env!("CARGO_BIN_EXE_ringfort")).args(&words).arg("--help").output().expect("it starts");
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && help.contains("Usage: ringfort"), "{line}: {help}");
    }
}
