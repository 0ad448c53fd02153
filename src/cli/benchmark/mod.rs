//! `redis-benchmark`: a load tool in that program's place, with its options and the shape of its output.
//!
//! Each thread runs a monoio runtime with its share of the connections; each connection sends a pipeline, waits for all of
//! its replies, and sends the next. So the tool is an ordinary user of `remote::AsyncClient`.

mod arguments;
mod load;
mod report;
mod tests_of;

use std::ffi::OsString;
use std::process::ExitCode;

use self::arguments::{Request, Settings, parse};
use self::report::ServerFacts;
use self::tests_of::{Test, wanted};
use super::terminal::{complain, print};
use crate::remote::Client;

/// Runs the program.
pub fn run(words: &[OsString]) -> ExitCode {
    let settings = match parse(words) {
        Request::Run(settings) => *settings,
        Request::Tell(text) => {
            print(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Request::Refuse(text) => {
            complain(text.trim_end());
            return ExitCode::FAILURE;
        }
    };
    let tests = wanted(&settings);
    if tests.is_empty() {
        complain("None of the tests asked for with -t exists.");
        return ExitCode::FAILURE;
    }
    match all(&settings, &tests) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            complain(&text);
            ExitCode::FAILURE
        }
    }
}

fn all(settings: &Settings, tests: &[Test]) -> Result<(), String> {
    let mut client = Client::open(&settings.options).map_err(|error| error.to_string())?;
    let facts = ServerFacts::ask(&mut client).map_err(|error| error.to_string())?;
    drop(client);
    if settings.csv {
        print(report::CSV_HEADING.as_bytes());
    }
    loop {
        for test in tests {
            let outcome = load::run(settings, test)?;
            print(report::text(settings, &facts, &test.title, &outcome).as_bytes());
        }
        if !settings.forever {
            return Ok(());
        }
    }
}
