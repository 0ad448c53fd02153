//! Setting one string: SET and the commands it replaced (SETNX, SETEX, PSETEX, GETSET).

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::keys::FoundKey;
use crate::command::spec::{self, Command, Flags, KeySpec, Run};
use crate::keyspace::write::{Expiry, KeyWrite};
use crate::stdx::number::{self, INTEGER_TEXT_BYTES_MAX};

use super::compare::Comparison;
use super::options::{Condition, SetOptions, Unit};
use super::{STRING, reply_string_or_null, set_to_argument};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "set",
        arity: -3,
        run: Run::Keyed(set),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[KeySpec {
            notes: "Read only with the option `GET` or a comparison, which the row's finder of keys tells",
            ..spec::one(&["RW", "access", "update", "variable_flags"])
        }],
        summary: "Sets the string value of a key, whatever it held before.",
        syntax: "key value [condition(NX | XX | IFEQ ifeq-value@8.4.0 | IFNE ifne-value@8.4.0 | IFDEQ ifdeq-digest@8.4.0 | \
                 IFDNE ifdne-digest@8.4.0)@2.6.12] [GET@6.2.0] [expiration(EX seconds:integer@2.6.12 | \
                 PX milliseconds:integer@2.6.12 | EXAT unix-time-seconds:unix-time@6.2.0 | \
                 PXAT unix-time-milliseconds:unix-time@6.2.0 | KEEPTTL@6.0.0)]",
        find_keys: Some(keys_of_set),
        history: &[
            ("2.6.12", "Takes the options `EX`, `PX`, `NX` and `XX`."),
            ("6.0.0", "Takes the option `KEEPTTL`."),
            ("6.2.0", "Takes the options `GET`, `EXAT` and `PXAT`."),
            ("7.0.0", "`NX` and `GET` may be given together."),
            ("8.4.0", "Takes `IFEQ`, `IFNE`, `IFDEQ` and `IFDNE`."),
        ],
        ..STRING
    },
    Command {
        name: "setnx",
        arity: 3,
        run: Run::Keyed(setnx),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: &[spec::one(&["OW", "insert"])],
        summary: "Sets the string value of a key that does not exist.",
        syntax: "key value",
        deprecated: Some(("2.6.12", "`SET` with the `NX` argument")),
        ..STRING
    },
    Command {
        name: "setex",
        arity: 4,
        run: Run::Keyed(setex),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: spec::KEY_OVERWRITE,
        since: "2.0.0",
        summary: "Sets the string value of a key with an expiration in seconds.",
        syntax: "key seconds:integer value",
        deprecated: Some(("2.6.12", "`SET` with the `EX` argument")),
        ..STRING
    },
    Command {
        name: "psetex",
        arity: 4,
        run: Run::Keyed(psetex),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: spec::KEY_OVERWRITE,
        since: "2.6.0",
        summary: "Sets the string value of a key with an expiration in milliseconds.",
        syntax: "key milliseconds:integer value",
        deprecated: Some(("2.6.12", "`SET` with the `PX` argument")),
        ..STRING
    },
    Command {
        name: "getset",
        arity: 3,
        run: Run::Keyed(getset),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: spec::KEY_READ_UPDATE,
        summary: "Sets the string value of a key and returns the one it had.",
        syntax: "key value",
        deprecated: Some(("6.2.0", "`SET` with the `!GET` argument")),
        ..STRING
    },
];

/// SET reads the old value only with GET, or to compare it.
fn keys_of_set(args: Args<'_>, visit: &mut dyn FnMut(FoundKey)) -> bool {
    let reads = (3..args.len()).any(|at| args.is(at, b"GET") || Comparison::named(args, at).is_some());
    let flags: &'static [&'static str] = if reads { &["RW", "access", "update"] } else { &["OW", "update"] };
    visit(FoundKey { argument: 1, flags });
    true
}

fn set(context: &mut Context<'_>) -> Result<(), CommandError> {
    if context.args.len() > 3 {
        return set_with_options(context);
    }
    let args = context.args;
    let (mut key, reply) = context.open(1);
    set_to_argument(&mut key, args, 2, Expiry::Never);
    reply.ok();
    Ok(())
}

fn set_with_options(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let options = SetOptions::parse(args)?;
    let expiry = options.expiry(args, context.turn.now_ms, context.command)?;
    let (mut key, reply) = context.open(1);
    if options.get {
        reply_string_or_null(reply, key.read_string())?;
    }
    let allowed = match options.condition {
        Condition::Always => true,
        Condition::Absent => !key.exists(),
        Condition::Present => key.exists(),
        // What is not there equals nothing. A digest that is none is an error only when it is compared.
        Condition::Compares(comparison, index) => match key.string() {
            None => comparison.holds_for_nothing(),
            Some(value) => comparison.holds(&value, args.get(index))?,
        },
    };
    if allowed {
        set_to_argument(&mut key, args, 2, expiry);
        record_set(&mut key, args.get(2), expiry);
    }
    match (options.get, allowed) {
        (true, _) => {}
        (false, true) => reply.ok(),
        (false, false) => reply.null(),
    }
    Ok(())
}

/// The log is told what the key is now, without conditions and by no clock.
pub(super) fn record_set(key: &mut KeyWrite<'_>, value: &[u8], expiry: Expiry) {
    match expiry {
        Expiry::Never => key.effect("SET", &[value]),
        Expiry::Keep => key.effect("SET", &[value, b"KEEPTTL"]),
        Expiry::At(at_ms) => {
            let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
            key.effect("SET", &[value, b"PXAT", number::format_i64(&mut scratch, at_ms)]);
        }
    }
}

fn setnx(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (mut key, reply) = context.open(1);
    let absent = !key.exists();
    if absent {
        set_to_argument(&mut key, args, 2, Expiry::Never);
    }
    reply.integer(i64::from(absent));
    Ok(())
}

fn setex(context: &mut Context<'_>) -> Result<(), CommandError> {
    set_until(context, Unit::Seconds)
}

fn psetex(context: &mut Context<'_>) -> Result<(), CommandError> {
    set_until(context, Unit::Milliseconds)
}

fn set_until(context: &mut Context<'_>, unit: Unit) -> Result<(), CommandError> {
    let args = context.args;
    let at_ms = unit.expire_at_ms(args, 2, context.turn.now_ms, context.command)?;
    let (mut key, reply) = context.open(1);
    set_to_argument(&mut key, args, 3, Expiry::At(at_ms));
    record_set(&mut key, args.get(3), Expiry::At(at_ms));
    reply.ok();
    Ok(())
}

fn getset(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (mut key, reply) = context.open(1);
    reply_string_or_null(reply, key.read_string())?;
    set_to_argument(&mut key, args, 2, Expiry::Never);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    #[test]
    fn conditions_and_get() {
        check(&[
            ("SET k 1 XX", "$-1\r\n"),
            ("SET k 1 NX", "+OK\r\n"),
            ("SET k 2 nx", "$-1\r\n"),
            ("SET k 3 XX GET", "$1\r\n1\r\n"),
            ("SET k 4 NX GET", "$1\r\n3\r\n"),
            ("GET k", "$1\r\n3\r\n"),
            ("SET m 4 XX GET", "$-1\r\n"),
            ("GET m", "$-1\r\n"),
            ("SET m 4 NX GET", "$-1\r\n"),
            ("GET m", "$1\r\n4\r\n"),
            ("SET k 1 NX XX", "-ERR syntax error\r\n"),
            ("SET k 1 XX NX", "-ERR syntax error\r\n"),
            ("SET k 5 XX XX GET GET", "$1\r\n3\r\n"),
            ("SET k 1 PERSIST", "-ERR syntax error\r\n"),
            ("SETNX k 1", ":0\r\n"),
            ("SETNX j 1", ":1\r\n"),
            ("GETSET j 2", "$1\r\n1\r\n"),
            ("GETSET i 2", "$-1\r\n"),
            ("MGET i j k m", "*4\r\n$1\r\n2\r\n$1\r\n2\r\n$1\r\n5\r\n$1\r\n4\r\n"),
        ]);
    }

    #[test]
    fn expiries() {
        const INVALID: &str = "-ERR invalid expire time in 'set' command\r\n";
        const SYNTAX: &str = "-ERR syntax error\r\n";
        const NO_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
        check(&[
            ("SET k 1 EX 0", INVALID),
            ("SET k 1 EX -1", INVALID),
            ("SET k 1 PXAT -1", INVALID),
            ("SET k 1 EXAT 0", INVALID),
            ("SET k 1 EX 9223372036854775807", INVALID),
            ("SET k 1 EX 9223372036854775", INVALID),
            ("SET k 1 EXAT 9223372036854776", INVALID),
            ("SET k 1 PX 9223372036854775807", INVALID),
            ("SET k 1 EX 9223372036854775808", NO_INTEGER),
            ("SET k 1 EX x", NO_INTEGER),
            ("SET k 1 EX", SYNTAX),
            ("SET k 1 EX 1 PX 1", SYNTAX),
            ("SET k 1 KEEPTTL EX 1", SYNTAX),
            ("SET k 1 EX 1 KEEPTTL", SYNTAX),
            ("GET k", "$-1\r\n"),
            ("SET k 1 EX x BOGUS", SYNTAX),
            ("SET k 1 EX 0 EX 9", "+OK\r\n"),
            ("SET k 1 PXAT 9223372036854775807", "+OK\r\n"),
            ("SET k 1 EXAT 1", "+OK\r\n"),
            ("GET k", "$-1\r\n"),
            ("SETEX k 0 v", "-ERR invalid expire time in 'setex' command\r\n"),
            ("PSETEX k -1 v", "-ERR invalid expire time in 'psetex' command\r\n"),
            ("PSETEX k x v", NO_INTEGER),
            ("SETEX k 9223372036854775 v", "-ERR invalid expire time in 'setex' command\r\n"),
        ]);
        for (set, lives_ms) in [("SET k 1 EX 2", 2000), ("SET k 1 PX 7", 7), ("SETEX k 3 1", 3000), ("PSETEX k 5 1", 5)]
        {
            let mut harness = Harness::new(1);
            harness.check(&[(set, "+OK\r\n")]);
            harness.now_ms += lives_ms - 1;
            harness.check(&[("SET k 2 KEEPTTL", "+OK\r\n"), ("GET k", "$1\r\n2\r\n")]);
            harness.now_ms += 1;
            harness.check(&[("GET k", "$-1\r\n")]);
            assert_eq!(harness.counters().expired_keys, 1, "{set}");
        }
    }

    #[test]
    fn setting_forgets_the_expiry_unless_told() {
        for set in ["SET k 2", "GETSET k 2", "MSET k 2"] {
            let mut harness = Harness::new(1);
            harness.run("SET k 1 PX 10");
            harness.run(set);
            harness.now_ms += 10;
            harness.check(&[("GET k", "$1\r\n2\r\n")]);
        }
    }

    #[test]
    fn a_large_argument_keeps_its_buffer() {
        let large = vec![b'x'; 50_000];
        let commands: &[&[&[u8]]] = &[
            &[b"SET", b"k", &large],
            &[b"SET", b"k", &large, b"EX", b"9"],
            &[b"SETNX", b"k", &large],
            &[b"SETEX", b"k", b"9", &large],
            &[b"GETSET", b"k", &large],
            &[b"MSET", b"k", &large],
            &[b"MSETNX", b"k", &large],
            &[b"APPEND", b"k", &large],
        ];
        for command in commands {
            let mut harness = Harness::new(1);
            let bigs = harness.run_args_keeping_bigs(command);
            let reply = harness.run_for_shared("GET k");
            let name = String::from_utf8_lossy(command[0]);
            assert_eq!(reply[0].as_ptr(), bigs[0].as_ptr(), "{name}");
        }
    }
}
