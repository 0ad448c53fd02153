//! OBJECT: how values are kept and when they were used.

use crate::command::context::{Context, SessionContext};
use crate::command::error::CommandError;
use crate::command::help::reply_help;
use crate::command::spec::{Categories, Command, Flags, KeySpec, Run, key_at};
use crate::keyspace::entry::{Entry, ValueRef};
use crate::keyspace::expire;
use std::sync::atomic::Ordering;

/// The module's rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "object",
    arity: -2,
    categories: Categories::NONE,
    since: "2.2.3",
    summary: "Tells how the values of keys are kept.",
    complexity: "That of the subcommand.",
    subcommands: &[
        Command {
            name: "encoding",
            run: Run::Keyed(encoding),
            summary: "Returns how the value of a key is kept in memory.",
            ..ASKS
        },
        Command {
            name: "freq",
            run: Run::Keyed(frequency),
            since: "4.0.0",
            summary: "Returns how often a key is used, as a logarithm.",
            ..ASKS
        },
        Command {
            name: "help",
            arity: 2,
            run: Run::Session(help),
            flags: Flags::LOADING.and(Flags::STALE),
            since: "6.2.0",
            summary: "Describes the subcommands.",
            ..super::BASE
        },
        Command {
            name: "idletime",
            run: Run::Keyed(idle_time),
            summary: "Returns for how many seconds a key was not used.",
            ..ASKS
        },
        Command {
            name: "refcount",
            run: Run::Keyed(reference_count),
            summary: "Returns how many references to the value of a key there are.",
            ..ASKS
        },
    ],
    ..super::BASE
}];

const KEY: &[KeySpec] = &[key_at(2, &["RO"])];

const ASKS: Command = Command {
    arity: 3,
    flags: Flags::READONLY,
    keys: KEY,
    since: "2.2.3",
    syntax: "key",
    tips: &["nondeterministic_output"],
    ..super::BASE
};

const NOT_LFU: &str = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
     switching between policies at runtime LRU and LFU data will take some time to adjust.";
const IS_LFU: &str = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching \
     between policies at runtime LRU and LFU data will take some time to adjust.";

fn encoding(context: &mut Context<'_>) -> Result<(), CommandError> {
    match context.look(2).map(|entry| entry.encoding()) {
        Some(name) => context.reply.bulk(name.as_bytes()),
        None => context.reply.null(),
    }
    Ok(())
}

fn frequency(context: &mut Context<'_>) -> Result<(), CommandError> {
    let now_ms = context.turn.now_ms;
    let decay_minutes = context.config.get_u64(crate::param!("lfu-decay-time")) as u32;
    about_access(context, true, NOT_LFU, |entry| expire::lfu_decayed(entry.access(), decay_minutes, now_ms))
}

fn idle_time(context: &mut Context<'_>) -> Result<(), CommandError> {
    let now_ms = context.turn.now_ms;
    about_access(context, false, IS_LFU, |entry| expire::idle_seconds(entry.access(), now_ms))
}

/// Values are not shared between keys here, so there is one reference to each. Small integers get the figure by which
/// clients know Redis' shared ones; it shares none when each needs an access field of its own (`maxmemory` by use).
fn reference_count(context: &mut Context<'_>) -> Result<(), CommandError> {
    const SHARED_INTEGERS: std::ops::Range<i64> = 0..10_000;
    const SHARED_COUNT: i64 = i32::MAX as i64;
    let policy = context.config.get_word(crate::param!("maxmemory-policy"));
    let by_use = policy.ends_with("lru") || policy.ends_with("lfu");
    let shares = context.config.get_u64(crate::param!("maxmemory")) == 0 || !by_use;
    match context.look(2).map(|entry| entry.value()) {
        Some(ValueRef::Integer(integer)) if shares && SHARED_INTEGERS.contains(&integer) => context.reply.integer(SHARED_COUNT),
        Some(_) => context.reply.integer(1),
        None => context.reply.null(),
    }
    Ok(())
}

/// Replies with what the access field tells, which depends on the policy it is kept for.
fn about_access(
    context: &mut Context<'_>,
    needs_lfu: bool,
    refusal: &'static str,
    read: impl FnOnce(&Entry<'_>) -> u32,
) -> Result<(), CommandError> {
    let is_lfu = context.server.lfu_policy.load(Ordering::Relaxed);
    let Some(figure) = context.look(2).map(|entry| read(&entry)) else {
        context.reply.null();
        return Ok(());
    };
    if is_lfu != needs_lfu {
        return Err(CommandError::Text(refusal));
    }
    context.reply.integer(i64::from(figure));
    Ok(())
}

const HELP: &[&str] = &[
    "ENCODING <key>",
    "    How the value of <key> is kept: int, embstr or raw for strings, and so on.",
    "FREQ <key>",
    "    How often <key> is used: a logarithmic counter that decays with time. Needs an",
    "    LFU policy.",
    "IDLETIME <key>",
    "    Seconds since <key> was last used. Not with an LFU policy.",
    "REFCOUNT <key>",
    "    References to the value of <key>.",
];

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(context.reply, "OBJECT", HELP);
    Ok(())
}
