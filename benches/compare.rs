//! The comparison tool: runs the same load against Ringfort, redis-server and any other server, in turn, and writes a
//! dated record with plots into `bench-results/`.
//!
//! `cargo bench --bench compare -- --quick` for a look, `-- --part all` for a record, `-- --help` for the rest. Without an
//! option it says so and ends, so that a plain `cargo bench` passes it by. All the work is in `compare/`.

#[allow(
    dead_code,
    unused_imports,
    reason = "cargo sets cfg(test) for bench targets but brings no harness: the parts' tests run, and dead code is found, in tests/compare.rs"
)]
#[path = "compare/mod.rs"]
mod compare;
#[path = "floor.rs"]
mod floor;

use std::process::ExitCode;

use compare::Programs;

/// First word with which this program is the floor itself: the servers under test are processes of their own.
const FLOOR_WORD: &str = "--as-floor";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.get(1).is_some_and(|word| word == FLOOR_WORD) {
        return floor::main();
    }
    // cargo itself adds --bench.
    if words.iter().skip(1).all(|word| word == "--bench") {
        println!("compare: nothing asked for; try `cargo bench --bench compare -- --help`");
        return ExitCode::SUCCESS;
    }
    let own_path = std::env::current_exe().map(|path| path.to_string_lossy().into_owned());
    let programs = Programs {
        ringfort: env!("CARGO_BIN_EXE_ringfort").to_owned(),
        floor: own_path.ok().map(|path| vec![path, FLOOR_WORD.to_owned()]),
        scratch: env!("CARGO_TARGET_TMPDIR").into(),
    };
    match compare::run(&words, &programs) {
        Ok(path) => {
            println!("record: {}", path.display());
            ExitCode::SUCCESS
        }
        Err(help) if words.iter().any(|word| word == "--help" || word == "-h") => {
            println!("{help}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}
