//! The one place where handlers of keyed commands run: for clients, batches of other cores, and loans alike.
//!
//! An error removes what the handler had written and becomes the reply; a panic is reported and ends its client, not the
//! shard. What a command did is counted here and nowhere else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::scatter;
use crate::command::spec::{Flags, Run};
use crate::command::table::Row;
use crate::stats::core::CoreStats;

use super::{record, wait};

/// The member (field) of a collection that a request names first.
#[inline]
pub fn member_of<'a>(row: &Row, args: Args<'a>) -> Option<&'a [u8]> {
    let at = row.command.member;
    (at > 0 && at < args.len()).then(|| args.get(at))
}

/// A handler panicked: an error of ours. The client that sent the command is closed.
#[derive(Debug, PartialEq, Eq)]
pub struct Panicked;

/// Runs a command whose keyspaces are in hand, then serves the clients that wait for what it wrote.
#[inline]
pub fn call(row: &'static Row, context: &mut Context<'_>, stats: &CoreStats) -> Result<(), Panicked> {
    let result = run_counted(row, context, stats);
    wait::after_command(context, stats);
    result
}

/// Runs a command, without serving anybody; whoever calls this serves afterwards (EXEC, `wait`).
#[inline]
pub fn run_counted(row: &'static Row, context: &mut Context<'_>, stats: &CoreStats) -> Result<(), Panicked> {
    let start = context.reply.position();
    let records = record::before(&mut context.keyspaces);
    let result = match catch_unwind(AssertUnwindSafe(|| run(row, context))) {
        Ok(result) => result,
        Err(_) => {
            tracing::warn!("a handler panicked: command '{}'; its client is closed", row.full_name);
            context.reply.truncate(start);
            return Err(Panicked);
        }
    };
    if records {
        record::after(row, context, result.is_err());
    }
    if context.wait.is_some() {
        // Counted when it is answered.
        return Ok(());
    }
    let counters = &stats.per_command[row.id];
    counters.calls.add(1);
    if let Err(error) = result {
        context.reply.truncate(start);
        write_error(context.reply, &error, stats);
        counters.failed.add(1);
    }
    Ok(())
}

/// Whether a command among others is timed by itself, for the slow log (`slowlog-log-slower-than`, here in microseconds):
/// one that may take long by its nature (no `fast` flag), and all when that is so low that it is asked for.
#[inline]
pub fn is_timed(threshold_us: i64, row: &Row) -> bool {
    const EACH_BELOW_US: i64 = 1_000;
    threshold_us >= 0 && (threshold_us < EACH_BELOW_US || !row.flags.has(Flags::FAST))
}

/// Writes an error reply and counts it.
pub fn write_error(reply: &mut crate::resp::reply::Reply, error: &CommandError, stats: &CoreStats) {
    let text = error.text();
    stats.count_error(&text);
    reply.error(&text);
}

fn run(row: &'static Row, context: &mut Context<'_>) -> Result<(), CommandError> {
    match &row.command.run {
        Run::Keyed(handler)
        | Run::AllShards(handler)
        | Run::OneShard { handler, .. }
        | Run::KeyedOrAllShards { handler, .. } => handler(context),
        Run::Scatter(row) => scatter::run_whole(row, context),
        Run::Session(_) | Run::Control(_) | Run::Transaction(_) | Run::Script(_) | Run::Container => {
            unreachable!("these have no keyspace to run with")
        }
    }
}

/// Runs one item of a scattered command between its phases. Parts do not fail on valid input: what can be wrong with the
/// arguments was checked before they were scattered.
pub fn call_part(
    row: &'static Row,
    part: crate::command::spec::PartHandler,
    context: &mut Context<'_>,
    item: usize,
    stats: &CoreStats,
) -> Result<i64, Panicked> {
    let result = catch_unwind(AssertUnwindSafe(|| part(context, item)));
    wait::after_command(context, stats);
    match result {
        Ok(Ok(sum)) => Ok(sum),
        Ok(Err(_)) | Err(_) => {
            tracing::warn!("a part of a scattered command failed: '{}'; its client is closed", row.full_name);
            Err(Panicked)
        }
    }
}
