//! Which program a binary is: decided by the name it was called by, and for `ringfort` by the first word.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Names that mean something whatever the binary was built as.
const PROGRAMS: [&str; 4] = ["ringfort", "ringfort-cli", "redis-server", "redis-cli"];

/// Runs whatever the process was called as; `own` is the name that the binary was built under.
pub fn run(own: &str) -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    let called = Path::new(&called).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = if PROGRAMS.contains(&called.as_str()) { called.as_str() } else { own };
    match name {
        "redis-cli" | "ringfort-cli" => super::program::run(name, &words),
        _ => crate::server::start::run(words),
    }
}
