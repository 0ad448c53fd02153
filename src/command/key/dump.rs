//! DUMP and RESTORE: a value as bytes that any server of the family can take in, and back.

use std::sync::atomic::Ordering;

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::load_limits::load_limits;
use crate::command::spec::{self, Categories, Command, Flags, Run};
use crate::keyspace::Turn;
use crate::keyspace::expire::Use;
use crate::keyspace::write::{KeyWrite, Taken};
use crate::persist::rdb::payload::{self, PayloadError};
use crate::persist::rdb::value_read::Loaded;
use crate::stdx::number::{self, INTEGER_TEXT_BYTES_MAX};

/// The module's rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "dump",
        arity: 2,
        run: Run::Keyed(dump),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "2.6.0",
        summary: "Returns a key's value as bytes that RESTORE takes.",
        complexity: "O(N), N bytes of the value",
        syntax: "key",
        tips: &["nondeterministic_output"],
        ..super::BASE
    },
    Command { name: "restore", summary: "Creates a key from what DUMP returned.", ..RESTORE },
    Command {
        name: "restore-asking",
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::ASKING),
        group: "server",
        since: "3.0.0",
        summary: "As RESTORE, for keys that a cluster moves between its nodes.",
        internal: true,
        ..RESTORE
    },
];

const RESTORE: Command = Command {
    arity: -4,
    run: Run::Keyed(restore),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    categories: Categories::KEYSPACE.and(Categories::DANGEROUS),
    keys: spec::KEY_OVERWRITE,
    since: "2.6.0",
    complexity: "O(N), N bytes of the value; O(N*log(N)) for sorted sets",
    syntax: "key ttl:integer serialized-value [REPLACE]@3.0.0 [ABSTTL]@5.0.0 [IDLETIME seconds:integer]@5.0.0 \
             [FREQ frequency:integer]@5.0.0",
    history: &[
        ("3.0.0", "Takes the option `REPLACE`."),
        ("5.0.0", "Takes the option `ABSTTL`."),
        ("5.0.0", "Takes the options `IDLETIME` and `FREQ`."),
    ],
    ..super::BASE
};

fn dump(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (key, database, turn) = (context.key(1), context.database, context.turn);
    let compresses = context.config.get_bool(crate::param!("rdbcompression"));
    match context.keyspaces.of(&key).read(database, &key, turn) {
        Some(entry) => context.reply.bulk(&payload::dump(&entry.value(), compresses)),
        None => context.reply.null(),
    }
    Ok(())
}

/// The options of RESTORE.
struct RestoreOptions {
    replace: bool,
    is_absolute: bool,
    last_use: Option<Use>,
}

impl RestoreOptions {
    fn parse(args: Args<'_>) -> Result<RestoreOptions, CommandError> {
        let mut options = RestoreOptions { replace: false, is_absolute: false, last_use: None };
        let mut index = 4;
        while index < args.len() {
            let has_value = index + 1 < args.len();
            if args.is(index, b"replace") {
                options.replace = true;
            } else if args.is(index, b"absttl") {
                options.is_absolute = true;
            } else if args.is(index, b"idletime") && has_value && !matches!(options.last_use, Some(Use::Frequency(_))) {
                index += 1;
                let seconds = u64::try_from(args.integer(index)?);
                let seconds = seconds.map_err(|_| CommandError::Text("ERR Invalid IDLETIME value, must be >= 0"))?;
                options.last_use = Some(Use::Idle(seconds));
            } else if args.is(index, b"freq") && has_value && !matches!(options.last_use, Some(Use::Idle(_))) {
                index += 1;
                let counter = u8::try_from(args.integer(index)?);
                let refusal = CommandError::Text("ERR Invalid FREQ value, must be >= 0 and <= 255");
                options.last_use = Some(Use::Frequency(counter.map_err(|_| refusal)?));
            } else {
                return Err(CommandError::Syntax);
            }
            index += 1;
        }
        Ok(options)
    }
}

fn restore(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let options = RestoreOptions::parse(args)?;
    // Finding the key that is in the way is no use of it.
    let turn = Turn { touch: false, ..context.turn };
    let (key, database) = (context.key(1), context.database);
    if !options.replace && context.keyspaces.of(&key).write(database, key, turn).exists() {
        return Err(CommandError::Text("BUSYKEY Target key name already exists."));
    }
    let ttl_ms = args.integer(2)?;
    if ttl_ms < 0 {
        return Err(CommandError::Text("ERR Invalid TTL value, must be >= 0"));
    }
    let limits = load_limits(context.config, context.server);
    let checks_sum = !context.server.skip_checksums.load(Ordering::Relaxed);
    let loaded = payload::restore(args.get(3), checks_sum, &limits).map_err(|error| match error {
        PayloadError::Footer => CommandError::Text("ERR DUMP payload version or checksum are wrong"),
        PayloadError::Value(error) => {
            tracing::debug!("RESTORE: {error}");
            CommandError::Text("ERR Bad data format")
        }
    })?;
    // A sum past the end of time is as long ago as Redis has it.
    let expire_at_ms = match ttl_ms {
        0 => None,
        at_ms if options.is_absolute => Some(at_ms),
        ttl_ms => Some(ttl_ms.wrapping_add(now_ms)),
    };
    let keyspace = context.keyspaces.of(&key);
    // A policy that was set a moment ago counts at once, not from the next round of the cron on.
    keyspace.lfu = context.server.lfu_policy.load(Ordering::Relaxed);
    let access = options.last_use.and_then(|last_use| keyspace.access_as_of(last_use, now_ms));
    let mut guard = keyspace.write(database, key, turn);
    if expire_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
        if guard.remove() {
            guard.effect("DEL", &[]);
        }
    } else {
        let mut taken = match loaded {
            Loaded::String(text) => Taken::of_string(text.bytes(&mut [0; INTEGER_TEXT_BYTES_MAX])),
            Loaded::Value(value) => Taken::of_value(value),
        };
        taken.expire_at_ms = expire_at_ms;
        guard.put(taken.with_access(access));
        record_restore(&mut guard, args, expire_at_ms);
    }
    drop(guard);
    context.reply.ok();
    Ok(())
}

/// The log is told the time of the end instead of the time that is left.
fn record_restore(key: &mut KeyWrite<'_>, args: Args<'_>, expire_at_ms: Option<i64>) {
    if let Some(at_ms) = expire_at_ms {
        let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
        let head = [number::format_i64(&mut scratch, at_ms), args.get(3)];
        let is_said = (4..args.len()).any(|at| args.is(at, b"ABSTTL"));
        let tail = if is_said { &[][..] } else { &[&b"ABSTTL"[..]][..] };
        let words = head.into_iter().chain(args.iter_from(4)).chain(tail.iter().copied());
        key.effect_of("RESTORE", args.len() - 2 + tail.len(), words);
    }
}

#[cfg(test)]
#[path = "dump_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "dump_fuzz.rs"]
mod fuzz;
