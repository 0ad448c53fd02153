//! `ringfort install-links`: the names of Redis' programs as links to this binary.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::ExitCode;

use super::terminal::{complain, print};

/// The names that `dispatch` knows.
pub const LINKS: [&str; 5] = ["redis-server", "redis-cli", "redis-benchmark", "redis-check-rdb", "redis-check-aof"];

/// Makes the links; files that are there stay unless `force`.
pub fn run(directory: &Path, force: bool) -> ExitCode {
    match install(directory, force) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            complain(&text);
            ExitCode::FAILURE
        }
    }
}

fn install(directory: &Path, force: bool) -> Result<(), String> {
    let told = |what: &str, error: io::Error| format!("Cannot {what}: {error}");
    let program = std::env::current_exe().map_err(|error| told("tell where this program is", error))?;
    // Both binaries are every program; the server's has them all under its own name, too.
    fs::create_dir_all(directory).map_err(|error| told(&format!("make the folder {}", directory.display()), error))?;
    for name in LINKS {
        let link = directory.join(name);
        match fs::symlink_metadata(&link) {
            Ok(_) if fs::read_link(&link).is_ok_and(|target| target == program) => {
                print(format!("{} is there already\n", link.display()).as_bytes());
                continue;
            }
            Ok(_) if force => {
                fs::remove_file(&link).map_err(|error| told(&format!("replace {}", link.display()), error))?
            }
            Ok(_) => {
                return Err(format!("{} is there already and something else; --force replaces it", link.display()));
            }
            Err(_) => {}
        }
        symlink(&program, &link).map_err(|error| told(&format!("make {}", link.display()), error))?;
        print(format!("{} -> {}\n", link.display(), program.display()).as_bytes());
    }
    Ok(())
}
