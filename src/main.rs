//! The server binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringfort::server::start::run(std::env::args_os().skip(1).collect())
}
