//! `ringfort-cli` as a whole: reads its options and does what they ask for.

use std::ffi::OsString;
use std::process::ExitCode;

use super::arguments::{Mode, Request, parse};
use super::keys::{self, Search};
use super::terminal::{self, complain};
use super::{interactive, local, one_shot, pipe, replica, watch};

/// Runs the program. `name` is what it was called as, `words` what follows.
pub fn run(name: &str, words: &[OsString]) -> ExitCode {
    let settings = match parse(name, words) {
        Request::Run(settings) => *settings,
        Request::Tell(text) => {
            terminal::print(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Request::Refuse(text) => {
            complain(text.trim_end());
            return ExitCode::FAILURE;
        }
    };
    if let Some(action) = &settings.local {
        return local::run(&settings, action);
    }
    match settings.mode {
        Mode::Commands if settings.words.is_empty() => interactive::run(name, settings),
        Mode::Commands | Mode::Eval => one_shot::run(settings),
        Mode::Pipe => pipe::run(settings),
        Mode::Scan => keys::run(settings, Search::Names),
        Mode::BigKeys => keys::run(settings, Search::Elements),
        Mode::MemoryKeys => keys::run(settings, Search::Memory),
        Mode::HotKeys => keys::run(settings, Search::Frequency),
        Mode::Stat => watch::statistics(settings),
        Mode::Latency { history } => watch::latency(settings, history),
        Mode::Snapshot { functions_only } => {
            let path = settings.snapshot.clone();
            replica::save(settings, &path, functions_only)
        }
        Mode::Replica => replica::follow(settings),
        Mode::IntrinsicLatency { seconds } => watch::intrinsic_latency(seconds),
    }
}
