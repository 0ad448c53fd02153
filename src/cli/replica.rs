//! `--rdb`, `--functions-rdb` and `--replica`: asks the server for its data as a replica does.
//!
//! The snapshot comes either with its length, or followed by a mark of 40 bytes that it was announced with.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::arguments::Settings;
use super::format::{self, Format};
use super::link::Link;
use super::terminal::{self, Woken, complain, print};
use crate::remote::{Client, Error, Value};

/// Bytes of the mark.
const MARK_BYTES: usize = 40;
const BUFFER_BYTES: usize = 64 * 1024;
/// A replica says that it is there once a second.
const ACKNOWLEDGE_EVERY: Duration = Duration::from_secs(1);

/// How much comes.
enum Payload {
    Length(u64),
    UntilMark([u8; MARK_BYTES]),
}

/// Writes the server's snapshot to a file, or to standard output for "-".
pub fn save(settings: Settings, path: &Path, functions_only: bool) -> ExitCode {
    done(save_to(settings, path, functions_only))
}

/// Shows what the server tells its replicas, until the connection ends.
pub fn follow(settings: Settings) -> ExitCode {
    done(follow_commands(settings))
}

fn done(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            complain(&text);
            ExitCode::FAILURE
        }
    }
}

fn connected(settings: Settings) -> Result<Link, String> {
    let mut link = Link::new(settings);
    match link.connect(false) {
        Ok(()) => Ok(link),
        Err(_) => Err("No connection.".into()),
    }
}

fn told(error: io::Error) -> String {
    format!("I/O Error reading RDB payload from socket: {error}")
}

/// Sends REPLCONF; old servers do not know every option, which some modes can do without.
fn configure(client: &mut Client, name: &str, value: &str, must: bool) -> Result<(), String> {
    match client.command(&["REPLCONF", name, value]) {
        Ok(Value::Error(text)) if must => Err(format!("REPLCONF {name} error: {}", String::from_utf8_lossy(&text))),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("Error: {error}")),
    }
}

/// Sends SYNC and reads the announcement.
fn synchronize(client: &mut Client, reader: &mut dyn Read) -> Result<Payload, String> {
    client.send_raw(b"SYNC\r\n").map_err(|error| format!("Error writing to master: {error}"))?;
    let mut line = Vec::new();
    loop {
        let mut byte = [0];
        reader.read_exact(&mut byte).map_err(|_| "Error reading bulk length while SYNCing".to_string())?;
        match byte[0] {
            // Empty lines keep the connection alive while the snapshot is made.
            b'\n' if line.is_empty() => {}
            b'\n' => break,
            b'\r' => {}
            other => line.push(other),
        }
    }
    let text = String::from_utf8_lossy(&line);
    if let Some(error) = text.strip_prefix('-') {
        return Err(format!("SYNC with master failed: {error}"));
    }
    match line.strip_prefix(b"$EOF:").map(<[u8; MARK_BYTES]>::try_from) {
        Some(Ok(mark)) => Ok(Payload::UntilMark(mark)),
        _ => match text.strip_prefix('$').and_then(|length| length.parse().ok()) {
            Some(length) => Ok(Payload::Length(length)),
            None => Err(format!("SYNC with master failed: '{text}' announces nothing")),
        },
    }
}

/// Reads the payload and gives it away; how many bytes there were. The mark is not part of it.
fn transfer(payload: &Payload, reader: &mut dyn Read, sink: &mut dyn Write) -> Result<u64, String> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let writing = |error: io::Error| format!("Error writing data to file: {error}");
    match payload {
        Payload::Length(length) => {
            let mut left = *length;
            while left > 0 {
                let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let count = reader.read(&mut buffer[..wanted]).map_err(told)?;
                if count == 0 {
                    return Err(told(io::Error::from(io::ErrorKind::UnexpectedEof)));
                }
                sink.write_all(&buffer[..count]).map_err(writing)?;
                left -= count as u64;
            }
            Ok(*length)
        }
        Payload::UntilMark(mark) => {
            // What may be the mark waits.
            let mut held: Vec<u8> = Vec::new();
            let mut total = 0;
            loop {
                // Nothing follows the mark before the first acknowledgement.
                let count = reader.read(&mut buffer).map_err(told)?;
                if count == 0 {
                    return Err(told(io::Error::from(io::ErrorKind::UnexpectedEof)));
                }
                held.extend_from_slice(&buffer[..count]);
                if held.ends_with(mark) {
                    held.truncate(held.len() - MARK_BYTES);
                    sink.write_all(&held).map_err(writing)?;
                    return Ok(total + held.len() as u64);
                }
                let certain = held.len().saturating_sub(MARK_BYTES);
                sink.write_all(&held[..certain]).map_err(writing)?;
                total += certain as u64;
                held.drain(..certain);
            }
        }
    }
}

fn save_to(settings: Settings, path: &Path, functions_only: bool) -> Result<(), String> {
    let mut link = connected(settings)?;
    let client = link.client().ok_or("No connection.")?;
    configure(client, "capa", "eof", false)?;
    configure(client, "rdb-only", "1", false)?;
    if functions_only {
        configure(client, "rdb-filter-only", "functions", true)?;
    }
    let mut reader = client.reader().map_err(|error| error.to_string())?;
    let payload = synchronize(client, &mut *reader)?;
    match &payload {
        Payload::Length(length) => {
            complain(&format!("SYNC sent to master, writing {length} bytes to '{}'", path.display()));
        }
        Payload::UntilMark(_) => complain(&format!(
            "SYNC sent to master, writing bytes of bulk transfer until EOF marker to '{}'",
            path.display()
        )),
    }
    let total = if path.as_os_str() == "-" {
        transfer(&payload, &mut *reader, &mut io::stdout().lock())?
    } else {
        let opened = File::create(path);
        let mut file = opened.map_err(|error| format!("Error opening '{}': {error}", path.display()))?;
        let total = transfer(&payload, &mut *reader, &mut file)?;
        file.sync_all().map_err(|error| format!("Fail to fsync '{}': {error}", path.display()))?;
        total
    };
    match payload {
        Payload::Length(_) => complain("Transfer finished with success."),
        Payload::UntilMark(_) => complain(&format!("Transfer finished with success after {total} bytes")),
    }
    Ok(())
}

fn follow_commands(settings: Settings) -> Result<(), String> {
    let delimiters = settings.delimiters.clone();
    let mut link = connected(settings)?;
    let client = link.client().ok_or("No connection.")?;
    configure(client, "capa", "eof", false)?;
    let mut reader = client.reader().map_err(|error| error.to_string())?;
    let payload = synchronize(client, &mut *reader)?;
    match &payload {
        Payload::Length(length) => {
            complain(&format!("Full resync with master, discarding {length} bytes of bulk transfer..."));
        }
        Payload::UntilMark(_) => {
            complain("Full resync with master, discarding bytes of bulk transfer until EOF marker...");
        }
    }
    let total = transfer(&payload, &mut *reader, &mut io::sink())?;
    match payload {
        Payload::Length(_) => complain("Full resync done. Logging commands from master."),
        Payload::UntilMark(_) => {
            complain(&format!("Full resync done after {total} bytes. Logging commands from master."));
        }
    }
    let lost = |error: Error| format!("Error: {error}");
    let mut readable = false;
    loop {
        while let Some(value) = client.message_now(std::mem::take(&mut readable)).map_err(lost)? {
            print(&format::reply(&value, Format::Csv, false, &delimiters));
        }
        // A master that is not done with the snapshot yet does not hear the first one.
        client.send(&["REPLCONF", "ACK", "0"]).map_err(lost)?;
        let woken = terminal::wait(Some(client.as_fd()), None, false, Some(ACKNOWLEDGE_EVERY));
        readable = woken.map_err(|error| format!("Error: {error}"))? == Woken::Socket;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one piece per read, as sockets do.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn payloads_end_where_they_were_announced_to_end() {
        let mark = *b"0123456789abcdefghijklmnopqrstuvwxyzABCD";
        let content: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).chain(*b"0123456789").collect();
        let marked = [&content[..], &mark].concat();
        for piece_bytes in [1, 39, 40, 41, 1000, usize::MAX] {
            let mut sink = Vec::new();
            let mut pieces = Pieces(&marked, piece_bytes);
            let total = transfer(&Payload::UntilMark(mark), &mut pieces, &mut sink).expect("it ends");
            assert!(sink == content && total == content.len() as u64, "{piece_bytes}");
            sink.clear();
            let mut pieces = Pieces(&marked, piece_bytes);
            transfer(&Payload::Length(content.len() as u64), &mut pieces, &mut sink).expect("it ends");
            assert!(sink == content && pieces.0 == mark, "{piece_bytes}");
        }
        let cut = transfer(&Payload::Length(10), &mut Pieces(b"short", 5), &mut Vec::new());
        assert!(cut.is_err());
    }
}
