//! The time of expiry of keys: EXPIRE and its kin, TTL and its kin, PERSIST.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};

/// The module's rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "expire",
        run: Run::Keyed(|context| expire(context, Unit::Seconds, Origin::Now)),
        summary: "Sets the time to live of a key in seconds.",
        syntax: "key seconds:integer [condition(NX | XX | GT | LT)@7.0.0]",
        ..SETS
    },
    Command {
        name: "pexpire",
        run: Run::Keyed(|context| expire(context, Unit::Milliseconds, Origin::Now)),
        since: "2.6.0",
        summary: "Sets the time to live of a key in milliseconds.",
        syntax: "key milliseconds:integer [condition(NX | XX | GT | LT)@7.0.0]",
        ..SETS
    },
    Command {
        name: "expireat",
        run: Run::Keyed(|context| expire(context, Unit::Seconds, Origin::Epoch)),
        since: "1.2.0",
        summary: "Sets when a key expires, as a Unix time in seconds.",
        syntax: "key unix-time-seconds:unix-time [condition(NX | XX | GT | LT)@7.0.0]",
        ..SETS
    },
    Command {
        name: "pexpireat",
        run: Run::Keyed(|context| expire(context, Unit::Milliseconds, Origin::Epoch)),
        since: "2.6.0",
        summary: "Sets when a key expires, as a Unix time in milliseconds.",
        syntax: "key unix-time-milliseconds:unix-time [condition(NX | XX | GT | LT)@7.0.0]",
        ..SETS
    },
    Command {
        name: "ttl",
        run: Run::Keyed(|context| expires(context, Unit::Seconds, Origin::Now)),
        summary: "Returns the time to live of a key in seconds.",
        history: &[("2.8.0", "Replies -2 for a key that does not exist.")],
        tips: &["nondeterministic_output"],
        ..ASKS
    },
    Command {
        name: "pttl",
        run: Run::Keyed(|context| expires(context, Unit::Milliseconds, Origin::Now)),
        since: "2.6.0",
        summary: "Returns the time to live of a key in milliseconds.",
        history: &[("2.8.0", "Replies -2 for a key that does not exist.")],
        tips: &["nondeterministic_output"],
        ..ASKS
    },
    Command {
        name: "expiretime",
        run: Run::Keyed(|context| expires(context, Unit::Seconds, Origin::Epoch)),
        since: "7.0.0",
        summary: "Returns when a key expires, as a Unix time in seconds.",
        ..ASKS
    },
    Command {
        name: "pexpiretime",
        run: Run::Keyed(|context| expires(context, Unit::Milliseconds, Origin::Epoch)),
        since: "7.0.0",
        summary: "Returns when a key expires, as a Unix time in milliseconds.",
        ..ASKS
    },
    Command {
        name: "persist",
        arity: 2,
        run: Run::Keyed(persist),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: spec::KEY_UPDATE,
        since: "2.2.0",
        summary: "Takes the expiry off a key, which lives until it is removed.",
        syntax: "key",
        ..super::BASE
    },
];

const SETS: Command = Command {
    arity: -3,
    flags: Flags::WRITE.and(Flags::FAST),
    keys: spec::KEY_UPDATE,
    history: &[("7.0.0", "Takes the conditions NX, XX, GT and LT.")],
    ..super::BASE
};

const ASKS: Command = Command {
    arity: 2,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: spec::KEY_READ,
    syntax: "key",
    ..super::BASE
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
}

/// What times are counted from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Now,
    Epoch,
}

/// On which keys EXPIRE sets its time.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Condition {
    /// NX: on those without an expiry.
    only_lasting: bool,
    /// XX: on those with one.
    only_volatile: bool,
    /// GT: where it is later than the present one. No expiry is the latest.
    only_later: bool,
    /// LT: where it is earlier.
    only_earlier: bool,
}

impl Condition {
    fn parse(args: Args<'_>, first: usize) -> Result<Condition, CommandError> {
        let mut condition = Condition::default();
        for index in first..args.len() {
            let field = match () {
                () if args.is(index, b"nx") => &mut condition.only_lasting,
                () if args.is(index, b"xx") => &mut condition.only_volatile,
                () if args.is(index, b"gt") => &mut condition.only_later,
                () if args.is(index, b"lt") => &mut condition.only_earlier,
                () => return Err(unsupported(args.get(index))),
            };
            *field = true;
        }
        if condition.only_lasting && (condition.only_volatile || condition.only_later || condition.only_earlier) {
            return Err(CommandError::Text("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if condition.only_later && condition.only_earlier {
            return Err(CommandError::Text("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(condition)
    }

    fn holds(self, present_ms: Option<i64>, new_ms: i64) -> bool {
        match present_ms {
            None => !self.only_volatile && !self.only_later,
            Some(present_ms) => {
                !self.only_lasting
                    && (!self.only_later || new_ms > present_ms)
                    && (!self.only_earlier || new_ms < present_ms)
            }
        }
    }
}

fn unsupported(option: &[u8]) -> CommandError {
    CommandError::quoting("ERR Unsupported option ", option, "")
}

fn expire(context: &mut Context<'_>, unit: Unit, origin: Origin) -> Result<(), CommandError> {
    let now_ms = context.turn.now_ms;
    let condition = Condition::parse(context.args, 3)?;
    let time = context.args.integer(2)?;
    let ms = match unit {
        Unit::Seconds => time.checked_mul(1000),
        Unit::Milliseconds => Some(time),
    };
    let origin_ms = if origin == Origin::Now { now_ms } else { 0 };
    let at_ms = ms.and_then(|ms| ms.checked_add(origin_ms)).ok_or(CommandError::InvalidExpire(context.command))?;
    let mut key = context.write(1);
    let is_set = key.entry().is_some_and(|entry| condition.holds(entry.expire_at_ms(), at_ms));
    if !is_set {
    } else if at_ms <= now_ms {
        key.remove();
        key.effect("DEL", &[]);
    } else {
        key.set_expiry(Some(at_ms));
        key.effect_number("PEXPIREAT", at_ms);
    }
    drop(key);
    context.reply.integer(i64::from(is_set));
    Ok(())
}

fn expires(context: &mut Context<'_>, unit: Unit, origin: Origin) -> Result<(), CommandError> {
    let now_ms = context.turn.now_ms;
    let reply = match context.look(1).map(|entry| entry.expire_at_ms()) {
        None => -2,
        Some(None) => -1,
        Some(Some(at_ms)) => {
            let ms = if origin == Origin::Now { at_ms.saturating_sub(now_ms) } else { at_ms };
            // Seconds are rounded, halves up.
            if unit == Unit::Seconds { ms / 1000 + i64::from(ms % 1000 >= 500) } else { ms }
        }
    };
    context.reply.integer(reply);
    Ok(())
}

fn persist(context: &mut Context<'_>) -> Result<(), CommandError> {
    let mut key = context.write(1);
    let is_volatile = key.entry().is_some_and(|entry| entry.expire_at_ms().is_some());
    if is_volatile {
        key.set_expiry(None);
    }
    drop(key);
    context.reply.integer(i64::from(is_volatile));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        let nx = Condition { only_lasting: true, ..Condition::default() };
        let xx = Condition { only_volatile: true, ..Condition::default() };
        let gt = Condition { only_later: true, ..Condition::default() };
        let lt = Condition { only_earlier: true, ..Condition::default() };
        let table: &[(Condition, Option<i64>, bool, bool, bool)] = &[
            // Present expiry, and whether 9, 10 and 11 replace it.
            (Condition::default(), None, true, true, true),
            (Condition::default(), Some(10), true, true, true),
            (nx, None, true, true, true),
            (nx, Some(10), false, false, false),
            (xx, None, false, false, false),
            (xx, Some(10), true, true, true),
            (gt, None, false, false, false),
            (gt, Some(10), false, false, true),
            (lt, None, true, true, true),
            (lt, Some(10), true, false, false),
            (Condition { only_volatile: true, ..lt }, None, false, false, false),
            (Condition { only_volatile: true, ..lt }, Some(10), true, false, false),
        ];
        for (condition, present, nine, ten, eleven) in table {
            let held = [9, 10, 11].map(|new| condition.holds(*present, new));
            assert_eq!(held, [*nine, *ten, *eleven], "{condition:?} on {present:?}");
        }
    }
}
