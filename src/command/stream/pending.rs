//! What was delivered and not acknowledged: XACK, XPENDING.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::resp::reply::Reply;
use crate::value::stream::group::{Group, Pending};
use crate::value::stream::{Stream, StreamId};

use super::{STREAM, check_ids, id_at, interval_end, interval_start, no_key_or_group, reply_id};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "xack",
        arity: -4,
        run: Run::Keyed(xack),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: spec::KEY_UPDATE,
        summary: "Acknowledges entries that were delivered to a consumer of a group, and returns how many were pending.",
        complexity: "O(log(P)) for each ID, P entries pending",
        syntax: "key group id...",
        ..STREAM
    },
    Command {
        name: "xpending",
        arity: -3,
        run: Run::Keyed(xpending),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        summary: "Returns what is pending for a consumer group, in short or entry by entry.",
        complexity: "O(C) for the summary, C consumers; O(log(P)+N) else, P entries pending and N of them looked at",
        syntax: "key group [filters{[IDLE min-idle-time:integer]@6.2.0 start end count:integer [consumer]}]",
        history: &[("6.2.0", "Option `IDLE`, intervals without their first or last ID.")],
        tips: &["nondeterministic_output"],
        ..STREAM
    },
];

fn xack(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (mut key, reply) = context.open(1);
    let mut acknowledged = 0;
    if let Some((group, _)) = key.read_collection::<Stream>()?.and_then(|stream| stream.group_mut(args.get(2))) {
        // All or nothing.
        check_ids(args, 3)?;
        for index in 3..args.len() {
            acknowledged += usize::from(group.acknowledge(id_at(args, index)?));
        }
    }
    key.changed(acknowledged);
    reply.integer(acknowledged as i64);
    Ok(())
}

/// The filters of XPENDING.
struct Filters<'a> {
    idle_min_ms: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filters<'a> {
    /// None for the summary.
    fn parse(context: &Context<'a>) -> Result<Option<Filters<'a>>, CommandError> {
        let args = context.args;
        if args.len() == 3 {
            return Ok(None);
        }
        if !(6..=9).contains(&args.len()) {
            return Err(CommandError::Syntax);
        }
        let (mut at, mut idle_min_ms) = (3, 0);
        if args.is(3, b"IDLE") {
            idle_min_ms = args.integer(4)?;
            at = 5;
            if args.len() < at + 3 {
                return Err(CommandError::Syntax);
            }
        }
        let count = args.integer(at + 2)?.max(0) as usize;
        let (start, end) = (interval_start(args.get(at))?, interval_end(args.get(at + 1))?);
        let consumer = (at + 3 < args.len()).then(|| args.get(at + 3));
        Ok(Some(Filters { idle_min_ms, start, end, count, consumer }))
    }
}

fn xpending(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let filters = Filters::parse(context)?;
    let (stream, reply) = context.read_collection::<Stream>(1)?;
    let group = stream.and_then(|stream| stream.group(args.get(2)));
    let group = group.ok_or_else(|| no_key_or_group(args.get(1), args.get(2), "'"))?;
    match filters {
        None => reply_summary(reply, group),
        Some(filters) => reply_pending(reply, group, &filters, now_ms),
    }
    Ok(())
}

fn reply_summary(reply: &mut Reply, group: &Group) {
    reply.array(4);
    reply.integer(group.pending_count() as i64);
    let (first, last) = (group.all_pending().next(), group.all_pending().next_back());
    let (Some((first, _)), Some((last, _))) = (first, last) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    reply_id(reply, first);
    reply_id(reply, last);
    let concerned = || group.consumers().filter(|consumer| consumer.pending_count() > 0);
    reply.array(concerned().count());
    for consumer in concerned() {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_integer(consumer.pending_count() as i64);
    }
}

fn reply_pending(reply: &mut Reply, group: &Group, filters: &Filters<'_>, now_ms: i64) {
    let deferred = reply.deferred();
    let mut count = 0;
    // Redis computes with wrapping integers here.
    let idle_ms = |pending: &Pending| now_ms.wrapping_sub(pending.delivered_ms);
    let mut see = |id: StreamId, pending: Pending| {
        if id > filters.end || count == filters.count {
            return false;
        }
        if filters.idle_min_ms == 0 || idle_ms(&pending) >= filters.idle_min_ms {
            count += 1;
            reply.array(4);
            reply_id(reply, id);
            reply.bulk(group.consumer(pending.consumer).name());
            reply.integer(idle_ms(&pending).max(0));
            reply.integer(pending.deliveries as i64);
        }
        true
    };
    match filters.consumer.map(|name| group.find_consumer(name)) {
        None => {
            let _ = group.pending_from(filters.start).all(|(id, pending)| see(id, pending));
        }
        Some(Some(consumer)) => {
            let mut ids = group.consumer(consumer).pending_ids_from(filters.start);
            let _ = ids.all(|id| group.pending(id).is_none_or(|pending| see(id, pending)));
        }
        Some(None) => {}
    }
    reply.finish_array(deferred, count);
}
