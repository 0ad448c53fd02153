//! When fields expire: HEXPIRE and its kin, HPERSIST. HTTL and its kin are in `expires.rs`.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::keyspace::write::KeyWrite;
use crate::stdx::limits::FIELD_TIME_MS_MAX;
use crate::value::hash::{FieldTime, Hash};

use super::{HASH, Names, expire_named, names, record_removed, record_times};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "hexpire",
        run: Run::Keyed(|context| expire(context, Unit::Seconds, Origin::Now)),
        summary: "Sets the time to live of fields of a hash in seconds.",
        syntax: "key seconds:integer [condition(NX | XX | GT | LT)] FIELDS fields{numfields:integer field...}",
        ..SETS
    },
    Command {
        name: "hpexpire",
        run: Run::Keyed(|context| expire(context, Unit::Milliseconds, Origin::Now)),
        summary: "Sets the time to live of fields of a hash in milliseconds.",
        syntax: "key milliseconds:integer [condition(NX | XX | GT | LT)] FIELDS fields{numfields:integer field...}",
        ..SETS
    },
    Command {
        name: "hexpireat",
        run: Run::Keyed(|context| expire(context, Unit::Seconds, Origin::Epoch)),
        summary: "Sets when fields of a hash expire, as a Unix time in seconds.",
        syntax: "key unix-time-seconds:unix-time [condition(NX | XX | GT | LT)] \
                 FIELDS fields{numfields:integer field...}",
        ..SETS
    },
    Command {
        name: "hpexpireat",
        run: Run::Keyed(|context| expire(context, Unit::Milliseconds, Origin::Epoch)),
        summary: "Sets when fields of a hash expire, as a Unix time in milliseconds.",
        syntax: "key unix-time-milliseconds:unix-time [condition(NX | XX | GT | LT)] \
                 FIELDS fields{numfields:integer field...}",
        ..SETS
    },
    Command {
        name: "hpersist",
        arity: -5,
        run: Run::Keyed(hpersist),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: spec::KEY_UPDATE,
        since: "7.4.0",
        summary: "Takes the expiry off fields of a hash.",
        complexity: "O(N), N fields named",
        syntax: "key FIELDS fields{numfields:integer field...}",
        ..HASH
    },
];

const SETS: Command = Command {
    arity: -6,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: spec::KEY_UPDATE,
    since: "7.4.0",
    complexity: "O(N), N fields named",
    ..HASH
};

/// What times are counted in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
}

/// What times are counted from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    Now,
    Epoch,
}

/// Replies of HEXPIRE and its kin.
const SET: i64 = 1;
const CONDITION_NOT_MET: i64 = 0;
const REMOVED: i64 = 2;
/// Replies that it shares with HPERSIST and with HTTL and its kin.
pub(super) const NO_FIELD: i64 = -2;
pub(super) const NO_TIME: i64 = -1;

/// The Unix time in milliseconds that an argument means.
pub(super) fn expire_at_ms(
    args: Args<'_>,
    index: usize,
    unit: Unit,
    base_ms: i64,
    command: &'static str,
) -> Result<i64, CommandError> {
    let time = args.integer(index)?;
    if time < 0 {
        return Err(CommandError::Text("ERR invalid expire time, must be >= 0"));
    }
    let time_ms = match unit {
        Unit::Seconds => time.checked_mul(1000),
        Unit::Milliseconds => Some(time),
    };
    let at_ms = time_ms.and_then(|time_ms| time_ms.checked_add(base_ms));
    at_ms.filter(|&at_ms| at_ms <= FIELD_TIME_MS_MAX).ok_or(CommandError::InvalidExpire(command))
}

/// The fields behind the word FIELDS, which stands at `at`, and their number. `not_positive` is said when that is none.
pub(super) fn fields_at(args: Args<'_>, at: usize, not_positive: &'static str) -> Result<Names, CommandError> {
    if at >= args.len() || !args.is(at, b"fields") {
        return Err(CommandError::Text("ERR Mandatory argument FIELDS is missing or not at the right position"));
    }
    let count = if at + 1 < args.len() { args.integer(at + 1).ok() } else { None };
    let count = count.filter(|&count| count > 0).ok_or(CommandError::Text(not_positive))?;
    if count != (args.len() - at - 2) as i64 {
        return Err(CommandError::Text("ERR The `numfields` parameter must match the number of arguments"));
    }
    Ok(names(args, at + 2, 1))
}

/// What `fields_at` says of all commands but HEXPIRE and its kin.
pub(super) const NOT_POSITIVE: &str = "ERR Number of fields must be a positive integer";

/// Which fields get a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Condition {
    Always,
    /// NX: those that have none.
    None,
    /// XX: those that have one.
    Some,
    /// GT: those that have an earlier one.
    Greater,
    /// LT: those that have a later one, or none.
    Less,
}

impl Condition {
    fn of(word: &[u8]) -> Option<Condition> {
        const WORDS: [(&[u8], Condition); 4] =
            [(b"nx", Condition::None), (b"xx", Condition::Some), (b"gt", Condition::Greater), (b"lt", Condition::Less)];
        WORDS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|&(_, condition)| condition)
    }

    fn allows(self, old_ms: Option<i64>, at_ms: i64) -> bool {
        match self {
            Condition::Always => true,
            Condition::None => old_ms.is_none(),
            Condition::Some => old_ms.is_some(),
            Condition::Greater => old_ms.is_some_and(|old_ms| old_ms < at_ms),
            Condition::Less => old_ms.is_none_or(|old_ms| old_ms > at_ms),
        }
    }
}

fn expire(context: &mut Context<'_>, unit: Unit, origin: Origin) -> Result<(), CommandError> {
    let (args, now_ms, command) = (context.args, context.turn.now_ms, context.command);
    let (mut key, reply) = context.open(1);
    // The type is looked at before the arguments.
    key.collection::<Hash>()?;
    let base_ms = if origin == Origin::Now { now_ms } else { 0 };
    let at_ms = expire_at_ms(args, 2, unit, base_ms, command)?;
    let condition = Condition::of(args.get(3));
    let fields_at_argument = if condition.is_some() { 4 } else { 3 };
    let names = fields_at(args, fields_at_argument, "ERR Parameter `numFields` should be greater than 0")?;
    let condition = condition.unwrap_or(Condition::Always);
    expire_named(&mut key, args, names.clone(), now_ms)?;
    reply.array(names.len());
    if let Some(hash) = key.collection::<Hash>()? {
        hash.add_times();
    }
    let (mut timed, mut removed) = (Vec::new(), Vec::new());
    let is_recorded = key.is_recorded();
    for index in names {
        let field = args.get(index);
        let result = expire_field(&mut key, field, condition, at_ms, now_ms)?;
        reply.integer(result);
        match result {
            SET if is_recorded => timed.push(field),
            REMOVED if is_recorded => removed.push(field),
            _ => {}
        }
    }
    key.remove_if_empty::<Hash>();
    let word = (fields_at_argument == 4).then(|| args.get(3));
    record_times(&mut key, at_ms, word, &timed);
    // One by one, as in Redis.
    removed.iter().for_each(|field| record_removed(&mut key, &[*field]));
    Ok(())
}

/// Gives one field a time; one that has passed removes the field.
fn expire_field(
    key: &mut KeyWrite<'_>,
    field: &[u8],
    condition: Condition,
    at_ms: i64,
    now_ms: i64,
) -> Result<i64, CommandError> {
    let Some(hash) = key.collection::<Hash>()? else { return Ok(NO_FIELD) };
    let old_ms = match hash.time(field, now_ms) {
        FieldTime::NoField => return Ok(NO_FIELD),
        FieldTime::Never => None,
        FieldTime::At(old_ms) => Some(old_ms),
    };
    if !condition.allows(old_ms, at_ms) {
        return Ok(CONDITION_NOT_MET);
    }
    Ok(if set_time(key, field, at_ms, now_ms)? { SET } else { REMOVED })
}

/// Gives a field that exists a time, which is one change; false when that has passed, and the field is removed. The hash may
/// be empty then.
pub(super) fn set_time(key: &mut KeyWrite<'_>, field: &[u8], at_ms: i64, now_ms: i64) -> Result<bool, CommandError> {
    let Some(hash) = key.collection::<Hash>()? else { return Ok(false) };
    let lives = at_ms > now_ms;
    if lives {
        hash.set_time(field, at_ms);
    } else {
        hash.remove(field);
        key.count_expired_fields(1);
    }
    key.changed(1);
    Ok(lives)
}

fn hpersist(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let (mut key, reply) = context.open(1);
    key.collection::<Hash>()?;
    let names = fields_at(args, 2, NOT_POSITIVE)?;
    expire_named(&mut key, args, names.clone(), now_ms)?;
    reply.array(names.len());
    let mut hash = key.collection::<Hash>()?;
    let mut is_changed = false;
    for index in names {
        let field = args.get(index);
        let time = hash.as_deref().map_or(FieldTime::NoField, |hash| hash.time(field, now_ms));
        reply.integer(match time {
            FieldTime::NoField => NO_FIELD,
            FieldTime::Never => NO_TIME,
            FieldTime::At(_) => {
                if let Some(hash) = &mut hash {
                    hash.drop_time(field);
                }
                is_changed = true;
                1
            }
        });
    }
    key.changed(usize::from(is_changed));
    Ok(())
}
