//! Taking over what is pending for other consumers: XCLAIM, XAUTOCLAIM.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::resp::reply::Reply;
use crate::stdx::number;
use crate::value::stream::group::{ConsumerIndex, Group, Pending};
use crate::value::stream::id::until_nul;
use crate::value::stream::log::Log;
use crate::value::stream::{Stream, StreamId};

use super::{STREAM, id_at, interval_start, no_key_or_group, record, reply_entry, reply_id};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "xclaim",
        arity: -6,
        run: Run::Keyed(xclaim),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: spec::KEY_UPDATE,
        summary: "Makes a consumer the owner of entries that are pending for its group.",
        complexity: "O(log(P)) for each ID, P entries pending",
        syntax: "key group consumer min-idle-time id... [IDLE ms:integer] \
                 [TIME unix-time-milliseconds:unix-time] [RETRYCOUNT count:integer] [FORCE] [JUSTID] [LASTID lastid]",
        tips: &["nondeterministic_output"],
        ..STREAM
    },
    Command {
        name: "xautoclaim",
        arity: -6,
        run: Run::Keyed(xautoclaim),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[spec::one(&["RW", "delete"])],
        since: "6.2.0",
        summary: "Makes a consumer the owner of entries that have been pending for its group for some time.",
        complexity: "O(log(P)+N), P entries pending and N of them looked at, ten times `COUNT` at most",
        syntax: "key group consumer min-idle-time start [COUNT count:integer] [JUSTID]",
        history: &[("7.0.0", "The reply's third element: entries that were deleted meanwhile.")],
        tips: &["nondeterministic_output"],
        ..STREAM
    },
];

/// An integer, or this error.
fn integer_or(args: Args<'_>, index: usize, text: &'static str) -> Result<i64, CommandError> {
    number::parse_i64(args.get(index)).ok_or(CommandError::Text(text))
}

/// The group and the entries, which must exist.
fn existing<'s>(stream: Option<&'s mut Stream>, args: Args<'_>) -> Result<(&'s mut Group, &'s Log), CommandError> {
    let found = stream.and_then(|stream| stream.group_mut(args.get(2)));
    found.ok_or_else(|| no_key_or_group(args.get(1), args.get(2), "'"))
}

/// The claiming consumer, created when it is new; with the number of changes that was.
fn claimer(group: &mut Group, name: &[u8], now_ms: i64) -> (ConsumerIndex, usize) {
    let found = group.find_consumer(name);
    let index = found.or_else(|| group.create_consumer(name, now_ms)).expect("it is there, or it can be created");
    group.consumer_mut(index).seen_ms = now_ms;
    (index, usize::from(found.is_none()))
}

fn reply_claimed(reply: &mut Reply, log: &Log, id: StreamId, just_id: bool) {
    match log.get(id) {
        Some(entry) if !just_id => reply_entry(reply, &entry),
        _ => reply_id(reply, id),
    }
}

/// The options of XCLAIM.
struct ClaimOptions {
    /// One past the last ID.
    ids_end: usize,
    idle_min_ms: i64,
    /// -1: not given.
    delivered_ms: i64,
    retries: i64,
    force: bool,
    just_id: bool,
    last_id: StreamId,
}

impl ClaimOptions {
    fn parse(args: Args<'_>, now_ms: i64) -> Result<ClaimOptions, CommandError> {
        let idle_min_ms = integer_or(args, 4, "ERR Invalid min-idle-time argument for XCLAIM")?.max(0);
        let ids_end = (5..args.len()).find(|&index| id_at(args, index).is_err()).unwrap_or(args.len());
        let mut options = ClaimOptions {
            ids_end,
            idle_min_ms,
            delivered_ms: -1,
            retries: -1,
            force: false,
            just_id: false,
            last_id: StreamId::MIN,
        };
        let mut index = ids_end;
        while index < args.len() {
            let more = index + 1 < args.len();
            if args.is(index, b"FORCE") {
                options.force = true;
            } else if args.is(index, b"JUSTID") {
                options.just_id = true;
            } else if args.is(index, b"IDLE") && more {
                index += 1;
                let idle_ms = integer_or(args, index, "ERR Invalid IDLE option argument for XCLAIM")?;
                options.delivered_ms = now_ms.wrapping_sub(idle_ms);
            } else if args.is(index, b"TIME") && more {
                index += 1;
                options.delivered_ms = integer_or(args, index, "ERR Invalid TIME option argument for XCLAIM")?;
            } else if args.is(index, b"RETRYCOUNT") && more {
                index += 1;
                options.retries = integer_or(args, index, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
            } else if args.is(index, b"LASTID") && more {
                index += 1;
                options.last_id = id_at(args, index)?;
            } else {
                let option = until_nul(args.get(index));
                return Err(CommandError::quoting("ERR Unrecognized XCLAIM option '", option, "'"));
            }
            index += 1;
        }
        // A time that makes no sense is taken for now: clients compute it from clocks of their own.
        if !(0..=now_ms).contains(&options.delivered_ms) {
            options.delivered_ms = now_ms;
        }
        Ok(options)
    }

    /// What is pending of an entry that is claimed; none when it is not to be.
    fn claim(&self, before: Option<Pending>, consumer: ConsumerIndex, now_ms: i64) -> Option<Pending> {
        let deliveries = match before {
            Some(pending) => {
                let idle_ms = now_ms.wrapping_sub(pending.delivered_ms);
                if self.idle_min_ms > 0 && idle_ms < self.idle_min_ms {
                    return None;
                }
                pending.deliveries
            }
            None if self.force => 1,
            None => return None,
        };
        let deliveries = match u64::try_from(self.retries) {
            Ok(retries) => retries,
            Err(_) if self.just_id => deliveries,
            Err(_) => deliveries.wrapping_add(1),
        };
        Some(Pending { consumer, delivered_ms: self.delivered_ms, deliveries })
    }
}

fn xclaim(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let (mut key, reply) = context.open(1);
    let (group, log) = existing(key.read_collection::<Stream>()?, args)?;
    let options = ClaimOptions::parse(args, now_ms)?;
    // Moving the group on is a change of its own only when no claim says it too.
    let mut moved = options.last_id > group.last_id;
    group.last_id = group.last_id.max(options.last_id);
    let (consumer, mut changes) = claimer(group, args.get(3), now_ms);
    let is_new = changes > 0;
    let mut claimed = Vec::new();
    let deferred = reply.deferred();
    let mut count = 0;
    for index in 5..options.ids_end {
        let id = id_at(args, index)?;
        let before = group.pending(id);
        if log.get(id).is_none() {
            // It was deleted meanwhile, so nobody will ever acknowledge it.
            if group.acknowledge(id) {
                changes += 1;
                moved = false;
                claimed.push(id);
            }
            continue;
        }
        let Some(pending) = options.claim(before, consumer, now_ms) else { continue };
        group.assign(id, pending);
        group.consumer_mut(consumer).active_ms = now_ms;
        reply_claimed(reply, log, id, options.just_id);
        count += 1;
        changes += 1;
        moved = false;
        claimed.push(id);
    }
    reply.finish_array(deferred, count);
    key.changed(changes + usize::from(moved));
    if is_new {
        record::consumer(&mut key, args.get(2), args.get(3));
    }
    record::claims(&mut key, args.get(2), args.get(3), &claimed);
    if moved {
        record::position(&mut key, args.get(2));
    }
    Ok(())
}

/// The options of XAUTOCLAIM.
struct AutomaticOptions {
    idle_min_ms: i64,
    start: StreamId,
    count: usize,
    just_id: bool,
}

impl AutomaticOptions {
    fn parse(args: Args<'_>) -> Result<AutomaticOptions, CommandError> {
        const COUNT_DEFAULT: usize = 100;
        /// Redis keeps so many IDs of 16 bytes addressable.
        const COUNT_MAX: i64 = i64::MAX / 16;
        const BAD_COUNT: &str = "ERR COUNT must be > 0";
        let idle_min_ms = integer_or(args, 4, "ERR Invalid min-idle-time argument for XAUTOCLAIM")?.max(0);
        let start = interval_start(args.get(5))?;
        let mut options = AutomaticOptions { idle_min_ms, start, count: COUNT_DEFAULT, just_id: false };
        let mut index = 6;
        while index < args.len() {
            if args.is(index, b"COUNT") && index + 1 < args.len() {
                index += 1;
                let count = integer_or(args, index, BAD_COUNT)?;
                if !(1..=COUNT_MAX).contains(&count) {
                    return Err(CommandError::Text(BAD_COUNT));
                }
                options.count = count as usize;
            } else if args.is(index, b"JUSTID") {
                options.just_id = true;
            } else {
                return Err(CommandError::Syntax);
            }
            index += 1;
        }
        Ok(options)
    }
}

/// What XAUTOCLAIM found: entries to claim, entries that are gone, and where to go on.
struct Found {
    claimed: Vec<(StreamId, Pending)>,
    deleted: Vec<StreamId>,
    next: StreamId,
}

fn find_idle(group: &Group, log: &Log, options: &AutomaticOptions, now_ms: i64) -> Found {
    const LOOKED_AT_FACTOR: usize = 10;
    let mut found = Found { claimed: Vec::new(), deleted: Vec::new(), next: StreamId::MIN };
    for (looked_at, (id, pending)) in group.pending_from(options.start).enumerate() {
        let taken = found.claimed.len() + found.deleted.len();
        if taken == options.count || looked_at == options.count.saturating_mul(LOOKED_AT_FACTOR) {
            found.next = id;
            break;
        }
        if log.get(id).is_none() {
            found.deleted.push(id);
        } else if options.idle_min_ms == 0 || now_ms.wrapping_sub(pending.delivered_ms) >= options.idle_min_ms {
            found.claimed.push((id, pending));
        }
    }
    found
}

fn xautoclaim(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let options = AutomaticOptions::parse(args)?;
    let (mut key, reply) = context.open(1);
    let (group, log) = existing(key.read_collection::<Stream>()?, args)?;
    let (consumer, mut changes) = claimer(group, args.get(3), now_ms);
    let is_new = changes > 0;
    let found = find_idle(group, log, &options, now_ms);
    let concerned: Vec<StreamId> =
        found.claimed.iter().map(|(id, _)| *id).chain(found.deleted.iter().copied()).collect();
    changes += found.claimed.len() + found.deleted.len();
    reply.array(3);
    reply_id(reply, found.next);
    reply.array(found.claimed.len());
    for (id, before) in found.claimed {
        let deliveries = before.deliveries.wrapping_add(u64::from(!options.just_id));
        group.assign(id, Pending { consumer, delivered_ms: now_ms, deliveries });
        group.consumer_mut(consumer).active_ms = now_ms;
        reply_claimed(reply, log, id, options.just_id);
    }
    reply.array(found.deleted.len());
    for id in found.deleted {
        group.acknowledge(id);
        reply_id(reply, id);
    }
    key.changed(changes);
    if is_new {
        record::consumer(&mut key, args.get(2), args.get(3));
    }
    record::claims(&mut key, args.get(2), args.get(3), &concerned);
    Ok(())
}
