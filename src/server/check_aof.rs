//! `ringfort --check-aof MANIFEST|FILE`, also as redis-check-aof: looks through the append-only log and says up to where it
//! is sound; `--fix` cuts the last file off there, `--truncate-to-timestamp` where a later time begins. In the words and with
//! the exit codes of Redis' tool.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::keyspace::KeyHasher;
use crate::persist::aof::files::part_name;
use crate::persist::aof::manifest::{Manifest, Part};
use crate::persist::aof::reader::timestamp;
use crate::persist::rdb::chunks::ChunkReader;
use crate::stats::server::{REDIS_VERSION, RINGFORT_VERSION};

/// Longest header line, in bytes, as in Redis' tool.
const LINE_BYTES_MAX: u64 = 128;
/// Largest argument that is looked at, in bytes.
const ARGUMENT_BYTES_MAX: i64 = 1 << 40;
/// Databases a snapshot in front of a log may name.
const DATABASES_MAX: usize = 1 << 20;

/// What is asked for.
#[derive(Clone, Copy, Default)]
struct Wish {
    fixes: bool,
    /// Unix seconds.
    until_s: Option<i64>,
}

/// What became of a file.
enum Verdict {
    Valid,
    Empty,
    Truncated,
    TruncatedToTime,
}

/// The process ends; what was wrong has been said.
struct Ends;

type Checked<T> = Result<T, Ends>;

/// The program; the words behind `--check-aof`.
pub fn run(words: &[OsString]) -> ExitCode {
    let texts: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (wish, file) = match texts[..] {
        ["-v" | "--version"] => {
            say(&format!("redis-check-aof v={REDIS_VERSION} ringfort={RINGFORT_VERSION}\n"));
            return ExitCode::SUCCESS;
        }
        [_] => (Wish::default(), &words[0]),
        ["--fix", _] | [_, "--fix"] => {
            (Wish { fixes: true, until_s: None }, if texts[0] == "--fix" { &words[1] } else { &words[0] })
        }
        ["--truncate-to-timestamp", time, _] => match time.parse() {
            Ok(until_s) => (Wish { fixes: false, until_s: Some(until_s) }, &words[2]),
            Err(_) => {
                say("Invalid timestamp, aborting...\n");
                return ExitCode::FAILURE;
            }
        },
        _ => {
            say("Usage: redis-check-aof [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>\n");
            return ExitCode::FAILURE;
        }
    };
    match check(Path::new(file), wish) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ends) => ExitCode::FAILURE,
    }
}

fn say(text: &str) {
    let mut stream = io::stdout();
    // Nobody reads it when this fails.
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

fn end(text: &str) -> Ends {
    say(text);
    Ends
}

fn check(path: &Path, wish: Wish) -> Checked<()> {
    let mut start = Vec::new();
    let file = File::open(path);
    file.and_then(|file| file.take(5).read_to_end(&mut start))
        .map_err(|error| end(&format!("Cannot open file {}: {}\n", path.display(), reason(&error))))?;
    if is_manifest(path) {
        return check_parts(path, wish);
    }
    say("Start checking Old-Style AOF\n");
    let name = path.display().to_string();
    let verdict = check_file(&name, path, true, start == b"REDIS", wish)?;
    tell(&verdict, &name, "AOF", wish);
    Ok(())
}

/// The first line that is no comment begins like one of a manifest.
fn is_manifest(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut input = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut input).take(LINE_BYTES_MAX * 8).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return false,
            Ok(_) if line.starts_with(b"#") => {}
            Ok(_) => return line.starts_with(b"file"),
        }
    }
}

fn check_parts(path: &Path, wish: Wish) -> Checked<()> {
    say("Start checking Multi Part AOF\n");
    let folder = path.parent().unwrap_or(Path::new("."));
    let text = fs::read(path).map_err(|error| end(&format!("Cannot open file {}: {error}\n", path.display())))?;
    let manifest = Manifest::parse(&text).map_err(|error| {
        let place =
            error.line.map(|(number, line)| format!("Reading the manifest file, at line {number}\n>>> '{line}'\n"));
        end(&format!("*** FATAL AOF MANIFEST FILE ERROR ***\n{}{}\n", place.unwrap_or_default(), error.reason))
    })?;
    let count = manifest.data().count();
    let mut told_increments = false;
    for (index, part) in manifest.data().enumerate() {
        let is_base = index == 0 && manifest.base.is_some();
        let file = folder.join(std::ffi::OsStr::new(&part_name(part)));
        let is_snapshot = is_base && has_snapshot(&file, part)?;
        if is_base {
            say(&format!("Start to check BASE AOF ({} format).\n", if is_snapshot { "RDB" } else { "RESP" }));
        } else if !std::mem::replace(&mut told_increments, true) {
            say("Start to check INCR files.\n");
        }
        let verdict = check_file(&part_name(part), &file, index + 1 == count, is_snapshot, wish)?;
        tell(&verdict, &part_name(part), if is_base { "BASE AOF" } else { "INCR AOF" }, wish);
    }
    say("All AOF files and manifest are valid\n");
    Ok(())
}

fn has_snapshot(path: &Path, part: &Part) -> Checked<bool> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(5).read_to_end(&mut start));
    read.map_err(|error| end(&format!("Cannot open file {}: {}\n", part_name(part), reason(&error))))?;
    Ok(start == b"REDIS")
}

fn tell(verdict: &Verdict, name: &str, kind: &str, wish: Wish) {
    say(&match verdict {
        Verdict::Valid => format!("{kind} {name} is valid\n"),
        Verdict::Empty => format!("{kind} {name} is empty\n"),
        Verdict::Truncated => format!("Successfully truncated AOF {name}\n"),
        Verdict::TruncatedToTime => {
            format!("Successfully truncated AOF {name} to timestamp {}\n", wish.until_s.unwrap_or_default())
        }
    });
}

/// An error's words without its number.
fn reason(error: &io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_string()
}

/// A file on its way through the check.
struct Reading {
    input: BufReader<File>,
    position: u64,
    /// Where the line or bytes stand that are being looked at.
    looked_at: u64,
    line: u64,
    is_in_group: bool,
    fault: Option<String>,
}

impl Reading {
    fn fault(&mut self, text: &str) -> Option<()> {
        self.fault = Some(format!("0x{:16x}: {text}\n", self.looked_at));
        None
    }

    /// A header's number; none at the end of the file or when it is no header.
    fn number(&mut self, prefix: u8) -> Option<i64> {
        self.looked_at = self.position;
        let mut line = Vec::new();
        let read = (&mut self.input).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).unwrap_or(0);
        self.position += read as u64;
        let first = *line.first()?;
        if first != prefix {
            self.fault(&format!("Expected prefix '{}', got: '{}'", char::from(prefix), char::from(first)))?;
        }
        let digits = line[1..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
        let number = std::str::from_utf8(&line[1..=digits]).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        self.newline(&line[1 + digits..])?;
        Some(number)
    }

    fn newline(&mut self, bytes: &[u8]) -> Option<()> {
        if bytes.starts_with(b"\r\n") {
            self.line += 1;
            return Some(());
        }
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        self.fault(&format!("Expected \\r\\n, got: {:02x}{:02x}", byte(0), byte(1)))
    }

    /// An argument, of which only short ones are kept.
    fn argument(&mut self) -> Option<Vec<u8>> {
        let len = self.number(b'$')?;
        if !(0..ARGUMENT_BYTES_MAX).contains(&len) {
            self.fault(&format!("Expected to read string of {len} bytes, which is not in the suitable range"))?;
        }
        self.looked_at = self.position;
        let wanted = len as u64 + 2;
        let mut kept = Vec::new();
        let mut read = 0;
        while read < wanted {
            let available = self.input.fill_buf().ok()?;
            let taken = (wanted - read).min(available.len() as u64) as usize;
            if taken == 0 {
                break;
            }
            kept.extend_from_slice(&available[..taken]);
            // The name of a command and the line's end are all that is wanted.
            if kept.len() > 64 {
                kept.drain(..kept.len() - 2);
            }
            self.input.consume(taken);
            read += taken as u64;
        }
        self.position += read;
        if read < wanted {
            self.fault(&format!("Expected to read {wanted} bytes, got {read} bytes"))?;
        }
        let end = kept.len() - 2;
        self.newline(&kept.clone()[end..])?;
        kept.truncate(end);
        Some(kept)
    }

    /// One command; none when it is broken or the file ends in it.
    fn command(&mut self, name: &str) -> Option<()> {
        let count = self.number(b'*')?;
        for index in 0..count {
            let argument = self.argument()?;
            if index > 0 {
                continue;
            }
            let opens = argument.eq_ignore_ascii_case(b"multi");
            if (opens && self.is_in_group) || (argument.eq_ignore_ascii_case(b"exec") && !self.is_in_group) {
                self.fault(&format!("Unexpected {} in AOF {name}", if opens { "MULTI" } else { "EXEC" }))?;
            }
            self.is_in_group = opens || (self.is_in_group && !argument.eq_ignore_ascii_case(b"exec"));
        }
        Some(())
    }
}

fn check_file(name: &str, path: &Path, is_last: bool, is_snapshot: bool, wish: Wish) -> Checked<Verdict> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|error| end(&format!("Cannot open file {}: {}, aborting...\n", path.display(), reason(&error))))?;
    let size = file.metadata().map_err(|_| end(&format!("Cannot stat file: {name}, aborting...\n")))?.len();
    if size == 0 {
        return Ok(Verdict::Empty);
    }
    let mut start = 0;
    if is_snapshot {
        start = snapshot_len(path).ok_or_else(|| end("RDB preamble of AOF file is not sane, aborting.\n"))?;
        say("RDB preamble is OK, proceeding with AOF tail...\n");
    }
    let mut input = BufReader::new(file);
    input.seek(SeekFrom::Start(start)).map_err(|_| end("Cannot read the file, aborting...\n"))?;
    let mut reading = Reading { input, position: start, looked_at: 0, line: 1, is_in_group: false, fault: None };
    let mut sound_up_to = start;
    loop {
        if !reading.is_in_group {
            sound_up_to = reading.position;
        }
        let first = match reading.input.fill_buf() {
            Ok(bytes) => bytes.first().copied(),
            Err(_) => return Err(end(&format!("Failed to read from AOF {name}, aborting...\n"))),
        };
        match first {
            None => break,
            Some(b'#') => {
                if annotation(&mut reading, &path.display().to_string(), is_last, wish)? {
                    return Ok(Verdict::TruncatedToTime);
                }
            }
            Some(b'*') if reading.command(&path.display().to_string()).is_some() => {}
            Some(b'*') => break,
            Some(_) => {
                say(&format!("AOF {name} format error\n"));
                break;
            }
        }
    }
    if reading.position == size && reading.is_in_group && reading.fault.is_none() {
        let _ = reading.fault("Reached EOF before reading EXEC for MULTI");
    }
    conclude(&reading, name, (sound_up_to, size), is_last, wish)
}

/// Says how far the file is sound, and cuts it off if that is wanted.
fn conclude(reading: &Reading, name: &str, (pos, size): (u64, u64), is_last: bool, wish: Wish) -> Checked<Verdict> {
    if let Some(fault) = &reading.fault {
        say(fault);
    }
    let diff = size - pos;
    if let (0, Some(until_s)) = (diff, wish.until_s) {
        say(&format!("Truncate nothing in AOF {name} to timestamp {until_s}\n"));
        return Ok(Verdict::Valid);
    }
    let line = reading.line;
    say(&format!("AOF analyzed: filename={name}, size={size}, ok_up_to={pos}, ok_up_to_line={line}, diff={diff}\n"));
    if diff == 0 {
        return Ok(Verdict::Valid);
    }
    if !wish.fixes {
        return Err(end(&format!("AOF {name} is not valid. Use the --fix option to try fixing it.\n")));
    }
    if !is_last {
        return Err(end(&format!("Failed to truncate AOF {name} because it is not the last file\n")));
    }
    say(&format!(
        "This will shrink the AOF {name} from {size} bytes, with {diff} bytes, to {pos} bytes\nContinue? [y/N]: "
    ));
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    if !answer.to_ascii_lowercase().starts_with('y') {
        return Err(end("Aborting...\n"));
    }
    let cut = reading.input.get_ref().set_len(pos).and_then(|()| reading.input.get_ref().sync_all());
    cut.map_err(|_| end(&format!("Failed to truncate AOF {name}\n")))?;
    Ok(Verdict::Truncated)
}

/// True when the file was cut off in front of the annotation.
fn annotation(reading: &mut Reading, name: &str, is_last: bool, wish: Wish) -> Checked<bool> {
    let at = reading.position;
    let mut line = Vec::new();
    let read = (&mut reading.input).take(1024).read_until(b'\n', &mut line);
    reading.position +=
        read.map_err(|_| end(&format!("Failed to read annotations from AOF {name}, aborting...\n")))? as u64;
    let Some(until_s) = wish.until_s.filter(|_| line.starts_with(b"#TS:")) else { return Ok(false) };
    let time = timestamp(&line).ok_or_else(|| end("Invalid timestamp annotation\n"))?;
    if time <= until_s {
        return Ok(false);
    }
    if at == 0 {
        return Err(end(&format!("AOF {name} has nothing before timestamp {until_s}, aborting...\n")));
    }
    if !is_last {
        return Err(end(&format!(
            "Failed to truncate AOF {name} to timestamp {until_s} to offset {at} because it is not the last file.\nIf you \
             insist, please delete all files after this file according to the manifest file and delete the corresponding \
             records in manifest file manually. Then re-run redis-check-aof.\n"
        )));
    }
    match reading.input.get_ref().set_len(at) {
        Ok(()) => Ok(true),
        Err(_) => Err(end(&format!("Failed to truncate AOF {name} to timestamp {until_s}\n"))),
    }
}

/// Length of the snapshot at the beginning of a file; none when it is damaged.
fn snapshot_len(path: &Path) -> Option<u64> {
    let file = File::open(path).ok()?;
    let mut chunks = ChunkReader::new(file, true, KeyHasher::new(1, 0), DATABASES_MAX);
    while chunks.next_chunk().ok()?.is_some() {}
    Some(chunks.consumed())
}
