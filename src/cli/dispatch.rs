//! Which program a binary is: decided by the name it was called by, and for `ringfort` by the first word.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use super::terminal::{complain, print};
use super::{benchmark, definition, generate, install, program, service};

/// Names that mean something whatever the binary was built as.
const PROGRAMS: [&str; 7] =
    ["ringfort", "ringfort-cli", "redis-server", "redis-cli", "redis-benchmark", "redis-check-rdb", "redis-check-aof"];

/// Runs whatever the process was called as; `own` is the name that the binary was built under.
pub fn run(own: &str) -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    let mut words: Vec<OsString> = words.collect();
    let called = Path::new(&called).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = if PROGRAMS.contains(&called.as_str()) { called.as_str() } else { own };
    match name {
        "redis-cli" | "ringfort-cli" => return program::run(name, &words),
        "redis-benchmark" => return benchmark::run(&words),
        "redis-check-rdb" => words.insert(0, "--check-rdb".into()),
        "redis-check-aof" => words.insert(0, "--check-aof".into()),
        "ringfort" if words.first().is_some_and(|word| definition::SUBCOMMANDS.iter().any(|name| word == name)) => {
            return subcommand(&words);
        }
        _ => {}
    }
    crate::server::start::run(words)
}

fn subcommand(words: &[OsString]) -> ExitCode {
    let words = std::iter::once(OsString::from("ringfort")).chain(words.iter().cloned());
    let matches = match definition::definition().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() => {
            complain(error.render().to_string().trim_end());
            return ExitCode::FAILURE;
        }
        Err(help) => {
            print(help.render().to_string().as_bytes());
            return ExitCode::SUCCESS;
        }
    };
    match matches.subcommand() {
        Some(("service", inner)) => service::run(inner),
        Some(("generate", inner)) => generate::run(inner),
        Some(("install-links", inner)) => {
            let directory = inner.get_one::<String>("directory").map_or("", String::as_str);
            install::run(Path::new(directory), inner.get_flag("force"))
        }
        _ => ExitCode::FAILURE,
    }
}
