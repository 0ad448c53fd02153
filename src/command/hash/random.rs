//! HRANDFIELD.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::repeated;
use crate::command::spec::{self, Command, Flags, Run};
use crate::resp::reply::{Protocol, Reply};
use crate::stdx::limits::DUE_FIELDS_REMOVED_MAX;
use crate::stdx::random::Random;
use crate::value::hash::Hash;
use crate::value::listpack::Element;

use super::{HASH, reply_element};

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "hrandfield",
    arity: -2,
    run: Run::Keyed(hrandfield),
    flags: Flags::READONLY,
    keys: spec::KEY_READ,
    since: "6.2.0",
    summary: "Returns random fields of a hash.",
    complexity: "O(N), N fields returned",
    syntax: "key [options{count:integer [WITHVALUES]}]",
    tips: &["nondeterministic_output"],
    ..HASH
}];

/// What is asked for.
#[derive(Clone, Copy)]
enum Wanted {
    /// One field, not in an array.
    One,
    /// Different fields.
    Different { count: usize, values: bool },
    /// Fields that may come several times.
    Any { count: usize, values: bool },
}

impl Wanted {
    fn parse(args: Args<'_>) -> Result<Wanted, CommandError> {
        if args.len() == 2 {
            return Ok(Wanted::One);
        }
        let count = args.integer(2)?;
        if count == i64::MIN {
            let text = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
            return Err(CommandError::Text(text));
        }
        if args.len() > 4 || (args.len() == 4 && !args.is(3, b"withvalues")) {
            return Err(CommandError::Syntax);
        }
        let values = args.len() == 4;
        if values && count.unsigned_abs() > i64::MAX as u64 / 2 {
            return Err(CommandError::Text("ERR value is out of range"));
        }
        let is_any = count < 0;
        let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        Ok(if is_any { Wanted::Any { count, values } } else { Wanted::Different { count, values } })
    }
}

fn hrandfield(context: &mut Context<'_>) -> Result<(), CommandError> {
    let wanted = Wanted::parse(context.args)?;
    let now_ms = context.turn.now_ms;
    let key = context.key(1);
    let mut random = Random::new(context.keyspace(&key).random_u64());
    let (hash, reply) = context.read_collection::<Hash>(1)?;
    if hash.is_some_and(|hash| hash.is_due(now_ms)) {
        let (mut key, reply) = context.open(1);
        // What is left beyond the limit is passed over below.
        key.expire_due_fields(DUE_FIELDS_REMOVED_MAX);
        write(reply, key.collection::<Hash>()?.as_deref(), wanted, now_ms, &mut random)
    } else {
        write(reply, hash, wanted, now_ms, &mut random)
    }
}

fn write(
    reply: &mut Reply,
    hash: Option<&Hash>,
    wanted: Wanted,
    now_ms: i64,
    random: &mut Random,
) -> Result<(), CommandError> {
    let Some(hash) = hash else {
        match wanted {
            Wanted::One => reply.null(),
            Wanted::Different { .. } | Wanted::Any { .. } => reply.array(0),
        }
        return Ok(());
    };
    let (is_different, count, values) = match wanted {
        Wanted::One => {
            let see = |field: Element<'_>, _: Element<'_>| {
                reply_element(reply, field);
                true
            };
            if hash.draw(1, now_ms, random, see) == 0 {
                reply.null();
            }
            return Ok(());
        }
        Wanted::Different { count, values } => (true, count, values),
        Wanted::Any { count, values } => (false, count, values),
    };
    if !is_different {
        repeated::check_count(count as u64)?;
    }
    let (start, deferred) = (reply.position(), reply.deferred());
    let is_nested = reply.protocol == Protocol::Resp3;
    let show = |reply: &mut Reply, field: Element<'_>, value: Element<'_>| {
        if values && is_nested {
            reply.array(2);
        }
        reply_element(reply, field);
        if values {
            reply_element(reply, value);
        }
    };
    let shown = if is_different {
        hash.sample(count, now_ms, random, |field, value| show(reply, field, value))
    } else {
        hash.draw(count, now_ms, random, |field, value| {
            show(reply, field, value);
            !repeated::is_too_long(reply, start)
        })
    };
    if !is_different && repeated::is_too_long(reply, start) {
        return Err(repeated::TOO_LONG);
    }
    reply.finish_array(deferred, if values && !is_nested { 2 * shown } else { shown });
    Ok(())
}
