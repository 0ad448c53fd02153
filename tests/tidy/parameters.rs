//! The rule on parameters of the configuration: each is read somewhere, or its row says why it does nothing.
//!
//! Read is `param!("name")` outside `src/config/`, or a call, outside, of the accessor in `src/config/store.rs` that
//! names it. Text only: that what is read also matters is the business of other tests.

use crate::source::{SourceFile, find_word, functions};
use std::collections::BTreeSet;

const ROWS: &str = "src/config/rows/";
const STORE: &str = "src/config/store.rs";

/// A row as its source tells it.
struct Row {
    name: String,
    is_stored: bool,
}

/// The string literal that begins within the few bytes after `at`, which may be blanks, line ends and `index of`.
fn literal_after(file: &SourceFile, at: usize) -> Option<&str> {
    let rest = &file.text[at..];
    let (before, rest) = rest.split_once('"')?;
    let is_near = matches!(before.split_whitespace().collect::<Vec<_>>()[..], [] | ["index", "of"]);
    is_near.then(|| rest.split('"').next()).flatten()
}

/// The rows of a file of rows: `row("name", …)` up to the next.
fn rows_of(file: &SourceFile) -> Vec<Row> {
    let starts: Vec<usize> = find_word(&file.production, "row(");
    let row = |(index, at): (usize, &usize)| {
        let end = starts.get(index + 1).copied().unwrap_or(file.production.len());
        let name = literal_after(file, at + "row(".len())?.to_owned();
        Some(Row { name, is_stored: file.production[*at..end].contains(".stored(") })
    };
    starts.iter().enumerate().filter_map(row).collect()
}

/// The parameters that a file's code names, with the positions.
fn named_in(file: &SourceFile) -> Vec<(usize, &str)> {
    let starts = find_word(&file.production, "param!(").into_iter();
    starts.filter_map(|at| Some((at, literal_after(file, at + "param!(".len())?))).collect()
}

/// What the store itself reads: for its own work, or for accessors that somebody calls.
fn read_by_store(store: &SourceFile, others: &[&SourceFile]) -> Vec<String> {
    let functions = functions(store);
    let is_read = |at: usize| {
        let line = store.line_of(at);
        let within = |function: &&_| -> bool {
            let function: &crate::source::Function = function;
            (function.line..function.line + function.lines).contains(&line)
        };
        let Some(function) = functions.iter().rfind(within) else { return false };
        let head = store.text.lines().nth(function.line - 1).unwrap_or_default();
        let call = format!(".{}(", function.name);
        !head.contains("pub fn ") || others.iter().any(|file| file.production.contains(&call))
    };
    named_in(store).into_iter().filter(|(at, _)| is_read(*at)).map(|(_, name)| name.to_owned()).collect()
}

/// Rows that do nothing and do not say so.
fn check(files: &[SourceFile]) -> Vec<String> {
    let outside: Vec<&SourceFile> =
        files.iter().filter(|file| file.path.starts_with("src/") && !file.path.starts_with("src/config/")).collect();
    let mut read: BTreeSet<String> =
        outside.iter().flat_map(|file| named_in(file)).map(|(_, name)| name.to_owned()).collect();
    for store in files.iter().filter(|file| file.path == STORE) {
        read.extend(read_by_store(store, &outside));
    }
    let themes = files.iter().filter(|file| file.path.starts_with(ROWS) && !file.path.ends_with("/mod.rs"));
    let mute = |row: &Row| !row.is_stored && !read.contains(&row.name);
    let finding = |path: &str, name: &str| {
        format!("{path}: nothing reads `{name}`: read it, or say `.stored(\"why it does nothing\")`")
    };
    themes.flat_map(|file| rows_of(file).into_iter().filter(mute).map(|row| finding(&file.path, &row.name))).collect()
}

#[test]
fn parameters_do_something_or_say_why_not() {
    let files = crate::all_files();
    let rows: usize = files.iter().filter(|file| file.path.starts_with(ROWS)).map(|file| rows_of(file).len()).sum();
    assert!(rows > 180, "found only {rows} rows");
    crate::report("parameters", check(&files));
}

#[test]
fn parameter_rule_finds_rows_that_do_nothing() {
    let rows = r#"
const ROWS: &[Parameter] = &[
    row("read", Kind::YesNo, "no").about("."),
    row(
        "by-position", TEXT, "").about("."),
    row("told", TEXT, "").stored("it does nothing").about("."),
    row("called", Kind::Events, "").about("."),
    row("inner", TEXT, "").about("."),
    row("uncalled", Kind::Events, "").about("."),
    row("tested", TEXT, "").about("."),
    row("mentioned", TEXT, "").about(".stored("),
];
"#;
    let store = r#"
impl Config {
    pub fn called(&self) -> u8 { self.special(crate::param!("called")) }
    pub fn uncalled(&self) -> u8 { self.special(crate::param!("uncalled")) }
    fn admit(&self) -> u8 { self.special(crate::param!("inner")) }
}
"#;
    let user = r#"
fn f(config: &Config) {
    // param!("mentioned")
    config.get_bool(crate::param!("read"));
    changed.includes(param!(index of "by-position"));
    let called = config . called() + config.called();
    log("param!(\"mentioned\")");
}
#[cfg(test)]
mod tests { fn t(config: &Config) { config.get_str(param!("tested")); config.uncalled(); } }
"#;
    let files = [("src/config/rows/theme.rs", rows), (STORE, store), ("src/session/user.rs", user)];
    let files = files.map(|(path, text)| SourceFile::new(path, text));
    let found: Vec<String> =
        check(&files).iter().map(|line| line.split('`').nth(1).unwrap_or_default().into()).collect();
    assert_eq!(found, ["uncalled", "tested", "mentioned"]);
}
