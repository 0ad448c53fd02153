//! Enforces the house rules by reading the source text: layers, bans, sizes, file headers.
//!
//! The lists are in `tests/tidy/lists.rs`. Every rule has a self-test with a bad sample, so no rule can pass vacuously.

#[path = "tidy/lists.rs"]
mod lists;
#[path = "tidy/parameters.rs"]
mod parameters;
#[path = "tidy/source.rs"]
mod source;

use lists::{
    BANS, Ban, CRATE_MACROS, FILE_LINES_MAX, FOLDERS, FUNCTION_LINES_MAX, LAYERLESS, LAYERS,
    LONG_FILES, LONG_FUNCTIONS, Scope,
};
use source::{SourceFile, find_word, functions, is_word_byte};
use std::path::Path;

/// Every `.rs` file below `folder`, which is given relative to the package root, in order of path.
fn read_folder(folder: &str, files: &mut Vec<SourceFile>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
        return;
    };
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("folder is readable")
                .file_name()
                .into_string()
                .expect("name is UTF-8")
        })
        .collect();
    names.sort();
    for name in names {
        let path = format!("{folder}/{name}");
        if root.join(&path).is_dir() {
            read_folder(&path, files);
        } else if name.ends_with(".rs") {
            let text =
                std::fs::read_to_string(root.join(&path)).expect("source file is readable UTF-8");
            files.push(SourceFile::new(&path, &text));
        }
    }
}

fn all_files() -> Vec<SourceFile> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        read_folder(folder, &mut files);
    }
    assert!(files.len() > 10, "found only {} source files", files.len());
    files
}

/// Fails with every finding on a line of its own.
fn report(rule: &str, findings: Vec<String>) {
    assert!(
        findings.is_empty(),
        "{rule}: {} finding(s)\n  {}\n",
        findings.len(),
        findings.join("\n  ")
    );
}

fn listed(path: &str, list: &[&str]) -> bool {
    list.iter()
        .any(|entry| path == *entry || (entry.ends_with('/') && path.starts_with(entry)))
}

// ---- layers ----

fn layer_of(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|line| line.contains(&folder))
}

/// The top-level module of `src/` a file belongs to, e.g. `resp` for `src/resp/request.rs`.
fn folder_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    Some(inside.split('/').next()?.trim_end_matches(".rs"))
}

/// How many `super` lead from the file's module to the crate root: 1 for `src/a/mod.rs`, 2 for `src/a/b.rs`.
fn depth_of(path: &str) -> usize {
    path.trim_start_matches("src/")
        .trim_end_matches("/mod.rs")
        .split('/')
        .count()
}

/// Top-level modules named after `crate::` (or `super::` chains that reach the root), with their positions.
fn crate_imports(file: &SourceFile) -> Vec<(usize, String)> {
    let mut imports = Vec::new();
    let to_root = format!("{}::", vec!["super"; depth_of(&file.path)].join("::"));
    for prefix in ["crate::", to_root.as_str()] {
        for at in find_word(&file.code, prefix) {
            let continued = prefix != "crate::" && file.code[..at].ends_with("::");
            if !continued {
                collect_names(&file.code, at + prefix.len(), &mut imports);
            }
        }
    }
    imports
}

/// The names at `at`: one identifier, or the first identifier of every part of a `{…}` group. A macro
/// counts as the folder that owns it.
fn collect_names(code: &str, at: usize, names: &mut Vec<(usize, String)>) {
    let rest = &code[at..];
    let skipped = rest.len() - rest.trim_start().len();
    let (at, rest) = (at + skipped, rest.trim_start());
    if !rest.starts_with('{') {
        let name: String = rest
            .bytes()
            .take_while(|&b| is_word_byte(b))
            .map(char::from)
            .collect();
        if !name.is_empty() {
            let folder = CRATE_MACROS.iter().find(|(known, _)| *known == name);
            names.push((at, folder.map_or(name, |(_, folder)| (*folder).to_owned())));
        }
        return;
    }
    let mut depth = 0;
    for (offset, byte) in rest.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
        if depth == 1 && (byte == b',' || offset == 0) {
            collect_names(code, at + offset + 1, names);
        }
    }
}

fn check_layers(file: &SourceFile) -> Vec<String> {
    let Some(folder) = folder_of(&file.path) else {
        return Vec::new();
    };
    if LAYERLESS.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let Some(own) = layer_of(folder) else {
        return vec![format!(
            "{}: folder `{folder}` is in no layer; add it to LAYERS in tests/tidy/lists.rs",
            file.path
        )];
    };
    let mut findings = Vec::new();
    for (at, name) in crate_imports(file) {
        let place = format!("{}:{}", file.path, file.line_of(at));
        match layer_of(&name) {
            Some(_) if name == folder => {}
            Some(other) if other < own => {}
            Some(other) => findings.push(format!("{place}: `{folder}` (layer {own}) may not see `{name}` (layer {other}); move the shared part down or pass it in")),
            None if name == "super" || name == "self" => {}
            None => findings.push(format!("{place}: `crate::{name}` is no folder of LAYERS; name the folder that owns it")),
        }
    }
    findings
}

// ---- bans ----

fn check_ban(ban: &Ban, file: &SourceFile) -> Vec<String> {
    if !ban.only_in.is_empty() && !listed(&file.path, ban.only_in) {
        return Vec::new();
    }
    let code = match ban.scope {
        Scope::Production => &file.production,
        Scope::Tests => &file.tests,
        Scope::All => &file.code,
    };
    let mut findings = Vec::new();
    for word in ban.words {
        for at in find_word(code, word) {
            findings.push(format!(
                "{}:{}: `{word}`: {}",
                file.path,
                file.line_of(at),
                ban.instead
            ));
        }
    }
    findings
}

/// Findings of a ban outside its exceptions, and exceptions for single files that are no longer needed.
fn check_ban_everywhere(ban: &Ban, files: &[SourceFile]) -> Vec<String> {
    let mut findings: Vec<String> = files
        .iter()
        .filter(|file| !listed(&file.path, ban.except))
        .flat_map(|file| check_ban(ban, file))
        .collect();
    for entry in ban.except.iter().filter(|entry| !entry.ends_with('/')) {
        let file = files.iter().find(|file| file.path == *entry);
        if file.is_some_and(|file| check_ban(ban, file).is_empty()) {
            findings.push(format!("{entry}: no longer needs its exception for {:?}; remove it from tests/tidy/lists.rs", ban.words));
        }
    }
    findings
}

// ---- sizes and headers ----

/// The rule for one measured length: at most `max`, or exactly the ratchet's number.
fn check_length(what: &str, lines: usize, max: usize, ratchet: Option<usize>) -> Option<String> {
    match ratchet {
        None if lines > max => Some(format!("{what} has {lines} lines, at most {max}: split it")),
        Some(number) if lines > number => Some(format!(
            "{what} grew from {number} to {lines} lines; it may only shrink"
        )),
        Some(number) if lines < number => Some(format!(
            "{what} shrank from {number} to {lines} lines: lower its ratchet (or drop it, at {max} or fewer)"
        )),
        _ => None,
    }
}

fn check_file_length(file: &SourceFile, ratchets: &[(&str, usize)]) -> Option<String> {
    let ratchet = ratchets
        .iter()
        .find(|(path, _)| *path == file.path)
        .map(|&(_, lines)| lines);
    check_length(
        &file.path,
        file.text.lines().count(),
        FILE_LINES_MAX,
        ratchet,
    )
}

fn check_function_lengths(file: &SourceFile, ratchets: &[(&str, &str, usize)]) -> Vec<String> {
    let check = |function: source::Function| {
        let ratchet = ratchets
            .iter()
            .find(|(path, name, _)| *path == file.path && *name == function.name)
            .map(|&(_, _, lines)| lines);
        let what = format!("{}:{}: fn {}", file.path, function.line, function.name);
        check_length(&what, function.lines, FUNCTION_LINES_MAX, ratchet)
    };
    functions(file).into_iter().filter_map(check).collect()
}

fn check_header(file: &SourceFile) -> Option<String> {
    (!file.text.starts_with("//!")).then(|| {
        format!(
            "{}: the file must open with `//!`: what it is, its invariants, who may call it",
            file.path
        )
    })
}

// ---- the rules on the real sources ----

#[test]
fn imports_go_downwards() {
    report(
        "layers",
        all_files().iter().flat_map(check_layers).collect(),
    );
}

#[test]
fn banned_words_are_absent() {
    let files = all_files();
    report(
        "bans",
        BANS.iter()
            .flat_map(|ban| check_ban_everywhere(ban, &files))
            .collect(),
    );
}

#[test]
fn files_and_functions_are_short() {
    let files = all_files();
    let mut findings: Vec<String> = files
        .iter()
        .filter_map(|file| check_file_length(file, LONG_FILES))
        .collect();
    findings.extend(
        files
            .iter()
            .flat_map(|file| check_function_lengths(file, LONG_FUNCTIONS)),
    );
    for path in LONG_FILES
        .iter()
        .map(|(path, _)| path)
        .chain(LONG_FUNCTIONS.iter().map(|(path, _, _)| path))
    {
        if !files.iter().any(|file| file.path == *path) {
            findings.push(format!("{path}: has a ratchet but does not exist"));
        }
    }
    report("sizes", findings);
}

#[test]
fn files_open_with_a_header() {
    report(
        "headers",
        all_files().iter().filter_map(check_header).collect(),
    );
}

// ---- self-tests: each rule finds its bad sample ----

/// Runs the layer rule on a sample and returns the lines found.
fn layer_findings(path: &str, text: &str) -> usize {
    check_layers(&SourceFile::new(path, text)).len()
}

#[test]
fn layer_rule_finds_upward_and_sideways_imports() {
    for (path, text, expected) in [
        ("src/resp/request.rs", "use crate::stdx::limits;", 0),
        ("src/resp/request.rs", "use crate::resp::reply;", 0),
        ("src/resp/request.rs", "use crate::keyspace::Db;", 1),
        ("src/resp/request.rs", "use crate::value::Object;", 1),
        (
            "src/resp/request.rs",
            "use crate::{stdx::limits, command::{table, spec}, server};",
            2,
        ),
        (
            "src/resp/request.rs",
            "fn f() { crate::session::read::go() }",
            1,
        ),
        (
            "src/resp/request.rs",
            "use super::super::command::table;",
            1,
        ),
        ("src/resp/request.rs", "use super::command;", 0),
        ("src/resp/mod.rs", "use super::command::table;", 1),
        ("src/resp/mod.rs", "crate::param!(x);", 0),
        ("src/config/mod.rs", "use crate::param;", 0),
        ("src/stats/mod.rs", "crate::param!(x);", 1),
        ("src/resp/mod.rs", "crate::unlisted!(x);", 1),
        (
            "src/resp/mod.rs",
            "// use crate::server;\nconst A: &str = \"crate::server::x\";",
            0,
        ),
        ("src/lib.rs", "use crate::server;", 0),
        ("src/novel/mod.rs", "", 1),
        ("src/server/mod.rs", "use crate::nowhere::x;", 1),
        (
            "src/server/mod.rs",
            "use crate::{session, shard, command, keyspace, resp, config, stdx};",
            0,
        ),
        ("tests/tables.rs", "use crate::server;", 0),
    ] {
        assert_eq!(layer_findings(path, text), expected, "{path}: {text}");
    }
}

#[test]
fn every_ban_finds_its_words() {
    for ban in BANS {
        for word in ban.words {
            let folder = ban.only_in.first().copied().unwrap_or("src/sample/");
            let path = format!("{folder}sample.rs");
            let used = format!("//! Sample.\nfn f() {{ {word} x; }}\n");
            let text = if ban.scope == Scope::Tests {
                format!("#[cfg(test)]\nmod tests {{\n{used}\n}}\n")
            } else {
                used
            };
            assert!(
                !check_ban(ban, &SourceFile::new(&path, &text)).is_empty(),
                "{word} was not found"
            );
            let quoted =
                format!("//! Sample {word}.\nfn f() {{ let s = \"{word}\"; /* {word} */ }}\n");
            assert!(
                check_ban(ban, &SourceFile::new(&path, &quoted)).is_empty(),
                "{word} was found in a comment or a literal"
            );
            assert!(!ban.instead.is_empty(), "{word} has no replacement");
        }
    }
}

#[test]
fn bans_respect_scope_exceptions_and_word_ends() {
    let ban = |scope, except| Ban {
        words: &["Mutex"],
        scope,
        only_in: &[],
        except,
        instead: "x",
    };
    let both = "//! S.\nfn f() { Mutex }\n#[cfg(test)]\n#[allow(x)]\nmod tests { fn g() { Mutex } }\nfn h() { FastMutex; Mutexes }\n";
    let file = SourceFile::new("src/a/b.rs", both);
    assert_eq!(
        check_ban(&ban(Scope::Production, &[]), &file),
        ["src/a/b.rs:2: `Mutex`: x"]
    );
    assert_eq!(
        check_ban(&ban(Scope::Tests, &[]), &file),
        ["src/a/b.rs:5: `Mutex`: x"]
    );
    assert_eq!(check_ban(&ban(Scope::All, &[]), &file).len(), 2);
    let declared_only = SourceFile::new(
        "src/a/b.rs",
        "#[cfg(test)]\nmod b_tests;\nfn f() { Mutex }\n",
    );
    assert_eq!(
        check_ban(&ban(Scope::Production, &[]), &declared_only).len(),
        1
    );
    let test_file = SourceFile::new("src/a/b_tests.rs", "fn f() { Mutex }\n");
    assert_eq!(check_ban(&ban(Scope::Production, &[]), &test_file).len(), 0);
    let files = [file, SourceFile::new("src/a/clean.rs", "//! S.\n")];
    assert_eq!(
        check_ban_everywhere(&ban(Scope::Production, &["src/a/"]), &files).len(),
        0
    );
    assert_eq!(
        check_ban_everywhere(&ban(Scope::Production, &["src/a/b.rs"]), &files).len(),
        0
    );
    assert_eq!(
        check_ban_everywhere(
            &ban(Scope::Production, &["src/a/b.rs", "src/a/clean.rs"]),
            &files
        )
        .len(),
        1
    );
}

#[test]
fn literals_and_lifetimes_are_told_apart() {
    let text = r####"fn f<'a>(x: &'a str) { let a = '"'; let b = b'\''; let c = r#"Mutex " "#; let d = br"Mutex"; let e = "\"Mutex"; let é = 'é'; Found }"####;
    let file = SourceFile::new("src/a.rs", text);
    assert!(!file.code.contains("Mutex"), "{}", file.code);
    assert!(file.code.contains("Found }"), "{}", file.code);
    assert_eq!(file.code.len(), text.len());
}

#[test]
fn size_rules_find_long_files_and_functions() {
    let long_file = SourceFile::new("src/a.rs", &"// x\n".repeat(FILE_LINES_MAX + 1));
    assert!(check_file_length(&long_file, &[]).is_some());
    assert!(check_file_length(&long_file, &[("src/a.rs", FILE_LINES_MAX + 1)]).is_none());
    assert!(check_file_length(&long_file, &[("src/a.rs", FILE_LINES_MAX)]).is_some());
    assert!(check_file_length(&long_file, &[("src/a.rs", FILE_LINES_MAX + 2)]).is_some());
    let of_lines = |lines: usize| {
        format!(
            "impl A {{\n    fn long(a: [u8; 4]) -> u8 {{\n{}    }}\n    fn short();\n}}\n",
            "        g('{', \"{\");\n".repeat(lines - 2)
        )
    };
    let fitting = SourceFile::new("src/a.rs", &of_lines(FUNCTION_LINES_MAX));
    let too_long = SourceFile::new("src/a.rs", &of_lines(FUNCTION_LINES_MAX + 1));
    assert_eq!(check_function_lengths(&fitting, &[]), [""; 0]);
    assert_eq!(check_function_lengths(&too_long, &[]).len(), 1);
    assert_eq!(
        check_function_lengths(&too_long, &[("src/a.rs", "long", FUNCTION_LINES_MAX + 1)]).len(),
        0
    );
    assert_eq!(
        check_function_lengths(&fitting, &[("src/a.rs", "long", FUNCTION_LINES_MAX + 1)]).len(),
        1
    );
}

#[test]
fn header_rule_finds_bare_files() {
    assert!(check_header(&SourceFile::new("src/a.rs", "use std::io;\n")).is_some());
    assert!(check_header(&SourceFile::new("src/a.rs", "//! What it is.\n")).is_none());
}
