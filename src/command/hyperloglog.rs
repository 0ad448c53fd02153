//! HyperLogLogs: PFADD, PFCOUNT, PFMERGE, and what helps to look into them, PFDEBUG and PFSELFTEST.
//!
//! A HyperLogLog is a string (`value/hyperloglog`), which clients may also write themselves. What is none is refused before
//! anything is done; what has the form of one but registers that do not add up, when that is noticed.

use crate::command::context::{Context, SessionContext};
use crate::command::error::CommandError;
use crate::command::spec::{self, BeginSearch, Categories, Command, FindKeys, Flags, KeySpec, Run, key_at};
use crate::config::Config;
use crate::keyspace::entry::StringValue;
use crate::keyspace::write::{Expiry, KeyWrite};
use crate::stdx::limits::HYPERLOGLOG_TEST_ELEMENTS;
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::stdx::random::Random;
use crate::value::hyperloglog::{self, Corrupt, Encoding, Merged};
use crate::value::object::LongString;

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "pfadd",
        arity: -2,
        run: Run::Keyed(pfadd),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: &[spec::one(&["RW", "insert"])],
        summary: "Adds elements to a HyperLogLog; a key that does not exist is created.",
        complexity: "O(1) for each element",
        syntax: "key [element...]",
        ..HYPERLOGLOG
    },
    Command {
        name: "pfcount",
        arity: -2,
        run: Run::Keyed(pfcount),
        flags: Flags::READONLY.and(Flags::MAY_REPLICATE),
        keys: &[KeySpec { notes: "RW because the count is kept in the value", ..spec::all(&["RW", "access"], 1) }],
        summary: "Returns about how many different elements were added to one HyperLogLog, or to any of several.",
        complexity: "O(1) for one key, with a small constant; O(N) for N keys, with a large one",
        syntax: "key...",
        ..HYPERLOGLOG
    },
    Command {
        name: "pfmerge",
        arity: -2,
        run: Run::Keyed(pfmerge),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[
            key_at(1, &["RW", "access", "insert"]),
            KeySpec {
                flags: &["RO", "access"],
                begin: BeginSearch::Index(2),
                find: FindKeys::Range { last: -1, step: 1, limit: 0 },
                notes: "",
            },
        ],
        summary: "Adds to a HyperLogLog all that was added to others.",
        complexity: "O(N), N HyperLogLogs, with a large constant",
        syntax: "destkey:key [sourcekey:key...]",
        ..HYPERLOGLOG
    },
    Command {
        name: "pfdebug",
        arity: 3,
        run: Run::Keyed(pfdebug),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::ADMIN),
        keys: &[key_at(2, &["RW", "access"])],
        summary: "Shows the inside of a HyperLogLog.",
        complexity: "O(N), N registers",
        syntax: "subcommand key",
        internal: true,
        ..HYPERLOGLOG
    },
    Command {
        name: "pfselftest",
        arity: 1,
        run: Run::Session(pfselftest),
        flags: Flags::ADMIN,
        summary: "Tests the implementation of HyperLogLogs.",
        complexity: "O(N), N elements of the test",
        internal: true,
        ..HYPERLOGLOG
    },
];

const HYPERLOGLOG: Command =
    Command { categories: Categories::HYPERLOGLOG, group: "hyperloglog", since: "2.8.9", ..Command::BASE };

const NOT_ONE: CommandError = CommandError::Text("WRONGTYPE Key is not a valid HyperLogLog string value.");

impl From<Corrupt> for CommandError {
    fn from(_: Corrupt) -> CommandError {
        CommandError::Text("INVALIDOBJ Corrupted HLL object detected")
    }
}

/// The key's HyperLogLog for changing it; none when there is no key. A change must be counted.
fn open<'k>(key: &'k mut KeyWrite<'_>) -> Result<Option<&'k mut Vec<u8>>, CommandError> {
    let is_one = match key.string() {
        None => return Ok(None),
        Some(StringValue::Other) => return Err(CommandError::WrongType),
        // As bytes these have no header.
        Some(StringValue::Integer(_)) => false,
        Some(StringValue::Short(bytes)) => Encoding::of(bytes).is_some(),
        Some(StringValue::Long(string)) => Encoding::of(string.as_bytes()).is_some(),
    };
    if is_one { Ok(key.raw_string()) } else { Err(NOT_ONE) }
}

/// As `open`; an absent key becomes an empty one, which is a change.
fn open_or_new<'k>(key: &'k mut KeyWrite<'_>) -> Result<&'k mut Vec<u8>, CommandError> {
    if !key.exists() {
        key.set_value(LongString::Private(hyperloglog::new()).boxed(), Expiry::Never);
    }
    open(key)?.ok_or(NOT_ONE)
}

fn sparse_bytes_max(config: &Config) -> usize {
    config.get_u64(crate::param!("hll-sparse-max-bytes")) as usize
}

fn pfadd(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, bytes_max) = (context.args, sparse_bytes_max(context.config));
    let (mut key, reply) = context.open(1);
    let is_new = !key.exists();
    let string = open_or_new(&mut key)?;
    // Redis keeps what it added before it met the fault. Here a command that fails has changed nothing.
    let backup = (args.len() > 3 && !hyperloglog::is_sound(string)).then(|| string.clone());
    let mut changes = 0;
    for element in args.iter_from(2) {
        match hyperloglog::add(string, element, bytes_max) {
            Ok(changed) => changes += usize::from(changed),
            Err(corrupt) => {
                if let Some(backup) = backup {
                    *string = backup;
                }
                return Err(corrupt.into());
            }
        }
    }
    let is_changed = is_new || changes > 0;
    if is_changed {
        hyperloglog::forget_count(string);
    }
    key.changed(changes);
    reply.integer(i64::from(is_changed));
    Ok(())
}

fn pfcount(context: &mut Context<'_>) -> Result<(), CommandError> {
    if context.args.len() > 2 {
        let count = merge_all(context)?.0.count();
        context.reply.integer(count as i64);
        return Ok(());
    }
    let (mut key, reply) = context.open(1);
    // Counted as a read.
    key.read_string();
    let Some(string) = open(&mut key)? else {
        reply.integer(0);
        return Ok(());
    };
    let count = match hyperloglog::cached_count(string) {
        Some(count) => count,
        None => {
            let count = hyperloglog::count(string)?;
            hyperloglog::cache_count(string, count);
            key.changed(1);
            count
        }
    };
    reply.integer(count as i64);
    Ok(())
}

/// All HyperLogLogs of the command's keys together, and whether one of them is dense.
fn merge_all(context: &mut Context<'_>) -> Result<(Merged, bool), CommandError> {
    let (database, turn) = (context.database, context.turn);
    let (mut merged, mut any_dense) = (Merged::new(), false);
    for index in 1..context.args.len() {
        let key = context.key(index);
        let Some(entry) = context.keyspace(&key).read(database, &key, turn) else { continue };
        let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
        let string = entry.string_bytes(&mut scratch).ok_or(CommandError::WrongType)?;
        any_dense |= Encoding::of(string).ok_or(NOT_ONE)? == Encoding::Dense;
        merged.merge(string)?;
    }
    Ok((merged, any_dense))
}

fn pfmerge(context: &mut Context<'_>) -> Result<(), CommandError> {
    let bytes_max = sparse_bytes_max(context.config);
    let (merged, any_dense) = merge_all(context)?;
    let (mut key, reply) = context.open(1);
    let is_new = !key.exists();
    // What is there was merged, so it is sound, and nothing below fails.
    let string = open_or_new(&mut key)?;
    if any_dense {
        hyperloglog::make_dense(string)?;
    }
    merged.write(string, bytes_max)?;
    hyperloglog::forget_count(string);
    key.changed(usize::from(!is_new));
    reply.ok();
    Ok(())
}

fn pfdebug(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (mut key, reply) = context.open(2);
    let string = open(&mut key)?.ok_or(CommandError::Text("ERR The specified key does not exist"))?;
    let mut changed = false;
    if args.is(1, b"getreg") {
        changed = hyperloglog::make_dense(string)?;
        reply.array(hyperloglog::REGISTERS);
        hyperloglog::registers(string)?.iter().for_each(|run| reply.integer(run.into()));
    } else if args.is(1, b"decode") {
        reply.bulk(&hyperloglog::runs_text(string).ok_or(CommandError::Text("ERR HLL encoding is not sparse"))?);
    } else if args.is(1, b"encoding") {
        reply.simple(if Encoding::of(string) == Some(Encoding::Dense) { "dense" } else { "sparse" });
    } else if args.is(1, b"todense") {
        changed = hyperloglog::make_dense(string)?;
        reply.integer(i64::from(changed));
    } else {
        return Err(CommandError::quoting("ERR Unknown PFDEBUG subcommand '", args.get(1), "'"));
    }
    key.changed(usize::from(changed));
    Ok(())
}

/// As Redis' test, with a tenth of its elements: for one second no core shall stand still.
fn pfselftest(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let mut random = Random::new(context.now_us as u64);
    let bytes_max = sparse_bytes_max(context.config);
    match hyperloglog::self_test(&mut || random.next_u64(), HYPERLOGLOG_TEST_ELEMENTS, bytes_max) {
        Ok(()) => context.reply.ok(),
        Err(fault) => return Err(CommandError::Owned(fault.into_bytes())),
    }
    Ok(())
}

#[cfg(test)]
#[path = "hyperloglog_tests.rs"]
mod tests;
