//! `--pipe`: sends standard input as it is and counts the replies, reading and writing at the same time.

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Duration;

use super::arguments::Settings;
use super::link::Link;
use super::terminal::{self, complain, print};
use crate::remote::{Client, Error, Value};
use crate::stdx::random::{Random, seed_from_os};

/// Bytes read from standard input at once.
const INPUT_BYTES: usize = 64 * 1024;

/// Runs the mode: 1 when a reply was an error or did not come.
pub fn run(settings: Settings) -> ExitCode {
    let limit = settings.pipe_timeout;
    let mut link = Link::new(settings);
    if link.connect(false).is_err() {
        return ExitCode::FAILURE;
    }
    let Some(client) = link.client() else { return ExitCode::FAILURE };
    match transfer(client, limit) {
        Ok((errors, replies)) => {
            print(format!("errors: {errors}, replies: {replies}\n").as_bytes());
            if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(text) => {
            complain(&text);
            ExitCode::FAILURE
        }
    }
}

/// Errors and replies.
fn transfer(client: &mut Client, limit: Duration) -> Result<(u64, u64), String> {
    let mut random = Random::new(seed_from_os());
    let mark: Vec<u8> = (0..20).map(|_| b'a' + random.below(26) as u8).collect();
    let mut end = b"\r\n*2\r\n$4\r\nECHO\r\n$20\r\n".to_vec();
    end.extend_from_slice(&mark);
    end.extend_from_slice(b"\r\n");
    let mut writer = client.writer().map_err(|error| error.to_string())?;
    // Written by a thread of its own, so that a server that waits for us to read does not wait for ever.
    let sender = std::thread::spawn(move || -> Result<(), String> {
        let mut buffer = vec![0; INPUT_BYTES];
        let mut stdin = io::stdin().lock();
        loop {
            let count = stdin.read(&mut buffer).map_err(|error| format!("Error reading from stdin: {error}"))?;
            let bytes = if count == 0 { &end[..] } else { &buffer[..count] };
            if count == 0 {
                print(b"All data transferred. Waiting for the last reply...\n");
            }
            io::Write::write_all(&mut writer, bytes)
                .map_err(|error| format!("Error writing to the server: {error}"))?;
            if count == 0 {
                return Ok(());
            }
        }
    });
    let (mut errors, mut replies) = (0, 0);
    loop {
        match next(client, &sender, limit) {
            Ok(Value::Bulk(text)) if text == mark => {
                print(b"Last reply received from server.\n");
                break;
            }
            Ok(Value::Error(text)) => {
                complain(&String::from_utf8_lossy(&text));
                errors += 1;
                replies += 1;
            }
            Ok(_) => replies += 1,
            Err(Error::TimedOut(limit)) => {
                complain(&format!("No replies for {} seconds: exiting.", limit.as_secs()));
                return Ok((errors + 1, replies));
            }
            Err(error) => {
                // What the other side of the transfer has to say explains more.
                let reason = if sender.is_finished() { sender.join().ok().and_then(Result::err) } else { None };
                return Err(reason.unwrap_or_else(|| format!("Error reading replies from server: {error}")));
            }
        }
    }
    match sender.join() {
        Ok(result) => result.map(|()| (errors, replies)),
        Err(_) => Err("The thread that sends has failed".into()),
    }
}

/// The next reply. The time limit counts only once everything was sent.
fn next(
    client: &mut Client,
    sender: &std::thread::JoinHandle<Result<(), String>>,
    limit: Duration,
) -> Result<Value, Error> {
    const LOOK_AGAIN: Duration = Duration::from_secs(1);
    let mut silent = Duration::ZERO;
    let mut readable = false;
    loop {
        if let Some(value) = client.message_now(readable)? {
            return Ok(value);
        }
        let woken = terminal::wait(Some(std::os::fd::AsFd::as_fd(client)), None, false, Some(LOOK_AGAIN))?;
        readable = woken == terminal::Woken::Socket;
        silent = if readable || !sender.is_finished() { Duration::ZERO } else { silent + LOOK_AGAIN };
        if !limit.is_zero() && silent >= limit {
            return Err(Error::TimedOut(limit));
        }
    }
}
