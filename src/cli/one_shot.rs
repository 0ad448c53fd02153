//! One command, from the words of the command line, standard input or a script file.

use std::io::{self, Read};
use std::process::ExitCode;

use super::arguments::{Mode, Settings};
use super::link::{Failure, Link};
use super::terminal;
use crate::stdx::quote::split_arguments;

/// Sends the command and returns the exit code: 1 when it could not be sent, its reply did not come, or, with `-e`, was an
/// error.
pub fn run(settings: Settings) -> ExitCode {
    let words = match command(&settings) {
        Ok(words) => words,
        Err(text) => {
            if !text.is_empty() {
                terminal::complain(&text);
            }
            return ExitCode::FAILURE;
        }
    };
    let repeat = settings.repeat;
    let must_connect = settings.mode == Mode::Eval;
    let mut link = Link::new(settings);
    // Told when the command is sent.
    let connected = link.connect(!must_connect);
    if must_connect && connected.is_err() {
        return ExitCode::FAILURE;
    }
    let result = link.run(&words, repeat).and_then(|()| {
        while link.is_subscribed() {
            let value = link.next(true)?;
            let settings = link.settings();
            terminal::print(&super::format::reply(&value, settings.format, false, &settings.delimiters));
        }
        Ok(())
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Lost(error)) => {
            terminal::complain(&format!("Error: {error}"));
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// The words to send; or what is wrong with them, empty when it was said.
fn command(settings: &Settings) -> Result<Vec<Vec<u8>>, String> {
    let mut words = settings.words.clone();
    if settings.quoted_input {
        for word in words.iter_mut().filter(|word| word.starts_with(b"\"")) {
            *word = match split_arguments(word) {
                Ok(mut parts) if parts.len() == 1 => parts.pop().unwrap_or_default(),
                _ => {
                    // redis-cli says this where replies go.
                    terminal::print(b"Invalid quoted string\n");
                    return Err(String::new());
                }
            };
        }
    }
    if settings.mode == Mode::Eval {
        words = evaluation(settings, words)?;
    }
    if settings.last_from_input {
        words.push(standard_input()?);
    } else if let Some(tag) = &settings.tag_from_input {
        match words.iter_mut().find(|word| *word == tag) {
            Some(word) => *word = standard_input()?,
            None => return Err("Using -X option but stdin tag not match.".into()),
        }
    }
    Ok(words)
}

fn standard_input() -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let result = io::stdin().read_to_end(&mut bytes);
    result.map(|_| bytes).map_err(|error| format!("Cannot read standard input: {error}"))
}

/// EVAL of the file, with keys up to a comma and arguments after it.
fn evaluation(settings: &Settings, words: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, String> {
    let path = settings.script.clone().unwrap_or_default();
    let script = std::fs::read(&path).map_err(|error| {
        let text = error.to_string();
        let reason = text.split(" (os error").next().unwrap_or_default();
        format!("Can't open file '{}': {reason}", path.display())
    })?;
    let keys = words.iter().position(|word| word == b",").unwrap_or(words.len());
    let mut command = vec![b"EVAL".to_vec(), script, keys.to_string().into_bytes()];
    command.extend(words.into_iter().enumerate().filter(|(index, _)| *index != keys).map(|(_, word)| word));
    Ok(command)
}
