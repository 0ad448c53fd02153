//! The command line client: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringfort::cli::dispatch::run("ringfort-cli")
}
