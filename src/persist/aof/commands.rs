//! A base as commands (`aof-use-rdb-preamble no`): made from the snapshot that was written for it. Strings become SET and
//! PEXPIREAT, everything else RESTORE with the value as the snapshot has it, libraries FUNCTION LOAD. Every server that can
//! load the snapshot can load the commands.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use crate::keyspace::KeyHasher;
use crate::keyspace::expire::Use;
use crate::keyspace::records::{Records, push_select};
use crate::persist::crc64;
use crate::persist::rdb::chunks::{Chunk, ChunkReader, KeySpan, LoadFailure};
use crate::persist::rdb::error::LoadError;
use crate::persist::rdb::file_read::{KeyParts, key_parts};
use crate::persist::rdb::form::Form;
use crate::persist::rdb::reader::Reader;
use crate::stdx::limits::COMMAND_FILE_BUFFER_BYTES;
use crate::stdx::number::{INTEGER_TEXT_BYTES_MAX, format_i64, format_u64};

/// A snapshot's file becomes one of the commands that make what it holds, and is on the disk.
/// `stamp_s`: an annotation of this time stands first.
pub fn replace_by_commands(path: &Path, stamp_s: Option<u64>) -> io::Result<()> {
    let commands = path.with_extension("commands");
    let result = write_commands(path, &commands, stamp_s).and_then(|()| fs::rename(&commands, path));
    if result.is_err() {
        // Nothing refers to it.
        let _ = fs::remove_file(&commands);
    }
    result
}

fn write_commands(snapshot: &Path, commands: &Path, stamp_s: Option<u64>) -> io::Result<()> {
    let input = BufReader::new(File::open(snapshot)?);
    let file = File::create(commands)?;
    let mut output = BufWriter::with_capacity(COMMAND_FILE_BUFFER_BYTES, &file);
    if let Some(stamp_s) = stamp_s {
        write!(output, "#TS:{stamp_s}\r\n")?;
    }
    translate(input, &mut output).map_err(|failure| match failure {
        LoadFailure::Io(error) => error,
        other => io::Error::other(other.to_string()),
    })?;
    output.flush()?;
    drop(output);
    file.sync_all()
}

fn translate(input: impl io::Read, output: &mut impl Write) -> Result<(), LoadFailure> {
    // Neither places of keys nor a number of databases matter here.
    let mut chunks = ChunkReader::new(input, true, KeyHasher::new(1, 0), u32::MAX as usize);
    let (mut database, mut records) = (0, Records::default());
    loop {
        let chunk = chunks.next_chunk()?;
        for source in std::mem::take(&mut chunks.facts.functions) {
            records.push_words(database, &[b"FUNCTION", b"LOAD", &source]);
        }
        let Some(chunk) = chunk else { break };
        for &span in &chunk.keys {
            if span.database != database {
                // The records' own SELECT is left out in front of the first.
                flush(&mut records, output)?;
                let mut select = Vec::new();
                push_select(&mut select, span.database);
                output.write_all(&select)?;
                database = span.database;
            }
            push_key(&mut records, &chunk, span)?;
            if records.bytes().len() >= COMMAND_FILE_BUFFER_BYTES {
                flush(&mut records, output)?;
            }
        }
    }
    flush(&mut records, output)?;
    Ok(())
}

fn flush(records: &mut Records, output: &mut impl Write) -> io::Result<()> {
    output.write_all(records.bytes())?;
    records.clear(COMMAND_FILE_BUFFER_BYTES);
    Ok(())
}

fn push_key(records: &mut Records, chunk: &Chunk, span: KeySpan) -> Result<(), LoadError> {
    let (bytes, at) = chunk.key_bytes(span);
    let parts = key_parts(bytes, chunk.version).map_err(|error| LoadError { at: at as usize + error.at, ..error })?;
    let KeyParts { form, key, expire_at_ms, last_use, value } = parts;
    let (mut name, mut time, mut text) =
        ([0; INTEGER_TEXT_BYTES_MAX], [0; INTEGER_TEXT_BYTES_MAX], [0; INTEGER_TEXT_BYTES_MAX]);
    let key = key.bytes(&mut name);
    let expiry = format_i64(&mut time, expire_at_ms.unwrap_or(0));
    if form == Form::String {
        let value = Reader::new(value, usize::MAX).text()?;
        records.push_words(span.database, &[b"SET", key, value.bytes(&mut text)]);
        if expire_at_ms.is_some() {
            records.push_words(span.database, &[b"PEXPIREAT", key, expiry]);
        }
        return Ok(());
    }
    let mut payload = Vec::with_capacity(1 + value.len() + 10);
    payload.push(form as u8);
    payload.extend_from_slice(value);
    payload.extend_from_slice(&form.version().to_le_bytes());
    let sum = crc64::update(0, &payload);
    payload.extend_from_slice(&sum.to_le_bytes());
    let words: [&[u8]; 5] = [b"RESTORE", key, expiry, &payload, b"ABSTTL"];
    match last_use {
        None => records.push_words(span.database, &words),
        Some(last_use) => {
            let (option, number): (&[u8], u64) = match last_use {
                Use::Idle(seconds) => (b"IDLETIME", seconds),
                Use::Frequency(counter) => (b"FREQ", u64::from(counter)),
            };
            let [a, b, c, d, e] = words;
            records.push_words(span.database, &[a, b, c, d, e, option, format_u64(&mut text, number)]);
        }
    }
    Ok(())
}
