//! A snapshot of boxes that are all in hand, written in one piece while nobody else gets at them: SAVE, DEBUG RELOAD, the
//! last snapshot before the end. Snapshots beside the commands are in `snapshot.rs`.

use std::io;

use crate::keyspace::Keyspace;
use crate::runtime::process::hold_thread_us;
use crate::stdx::limits::RDB_CHUNK_BYTES;

use super::chunk_write::ChunkWriter;
use super::output::{Output, SaveOptions, preface};

/// Writes the file. When this returns it is in its place and on disk; what went wrong has been logged.
pub fn save(keyspaces: &[&Keyspace], options: &SaveOptions) -> io::Result<()> {
    let mut output = Output::create(options)?;
    output.write(&preface(options, keyspaces))?;
    let mut writer = ChunkWriter::new(options.compresses, options.uses);
    let mut result = Ok(());
    for keyspace in keyspaces {
        for database in 0..keyspace.databases_len() as u32 {
            keyspace.each(database, |entry| {
                if result.is_err() {
                    return;
                }
                hold_thread_us(options.key_delay_us);
                writer.entry(database, &entry, options.now_ms);
                if writer.len() >= RDB_CHUNK_BYTES {
                    result = writer.take_with(|bytes| output.write(bytes));
                }
            });
        }
    }
    result?;
    writer.take_with(|bytes| output.write(bytes))?;
    output.finish(writer.version())
}
