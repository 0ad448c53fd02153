//! `daemonize yes`: the program starts itself once more, in a session of its own, without a terminal, and ends.
//!
//! A thread may already run in a process that wants to fork (the log, a test harness), so a new process is started instead;
//! it learns from its environment that it is the one.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Command, Stdio};

/// Set in the environment of a process that was started to be in the background.
pub const VARIABLE: &str = "RINGFORT_IN_BACKGROUND";

/// Whether this process is the one in the background.
pub fn is_here() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Leaves the session of whoever started this process, so that the end of a terminal is not its end.
pub fn leave_session() {
    // Fails for the leader of a session, which has left already.
    let _ = nix::unistd::setsid();
}

/// Starts the program again with the same words; `input` is what it is to read from standard input.
///
/// # Errors
/// When the system cannot start it.
pub fn start(arguments: &[OsString], input: &[u8]) -> io::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).env(VARIABLE, "1").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A child that ends before it has read all of its configuration has said why in its log.
        let _ = stdin.write_all(input);
    }
    Ok(())
}
