//! Scattered commands with all their keyspaces in hand, and how the reply of one is put together.
//!
//! Called by `shard::call`, and for parts done elsewhere by `session::multi`.

use crate::keyspace::prefetch::{self, Wanted};
use crate::resp::reply::Reply;
use crate::stdx::limits::PREFETCH_WINDOW;

use super::context::Context;
use super::error::CommandError;
use super::spec::{Merge, PartHandler, Scatter};

/// A scattered command with all its keyspaces in hand.
pub fn run_whole(scatter: &Scatter, context: &mut Context<'_>) -> Result<(), CommandError> {
    let count = context.args.len();
    if !(count - 1).is_multiple_of(scatter.step) {
        return Err(CommandError::Arity(context.command));
    }
    if let Some(unless) = scatter.unless
        && run_items(scatter.step, unless, context)? != 0
    {
        context.reply.integer(0);
        return Ok(());
    }
    if scatter.merge == Merge::Array {
        context.reply.array(count - 1);
    }
    let sum = run_items(scatter.step, scatter.part, context)?;
    finish_merge(scatter, sum, context.reply);
    Ok(())
}

/// Runs every item, touching the keys of a window of them first: an MGET of keys that are in no cache takes a third of
/// the time.
fn run_items(step: usize, part: PartHandler, context: &mut Context<'_>) -> Result<i64, CommandError> {
    let count = context.args.len();
    let mut sum = 0;
    for window in (1..count).step_by(step * PREFETCH_WINDOW) {
        let items = (window..count).step_by(step).take(PREFETCH_WINDOW);
        if items.len() > 1 {
            prefetch_items(items.clone(), context);
        }
        for item in items {
            sum += part(context, item)?;
        }
    }
    Ok(sum)
}

fn prefetch_items(items: impl Iterator<Item = usize>, context: &mut Context<'_>) {
    let mut hashes = [(0, 0); PREFETCH_WINDOW];
    let mut filled = 0;
    for item in items {
        let key = context.key(item);
        let shard = context.keyspaces.shard_of(&key);
        context.keyspaces.shard(shard).prefetch_bucket(context.database, key.hash);
        hashes[filled] = (shard, key.hash);
        filled += 1;
    }
    let (keyspaces, database) = (&context.keyspaces, context.database);
    let wanted = |&(shard, hash): &(usize, u64)| Wanted { keyspace: keyspaces.in_hand(shard), database, hash, member: None };
    prefetch::touch(hashes[..filled].iter().map(wanted));
}

/// Writes the reply of a scattered command whose parts are done (the elements of an array are written already).
pub fn finish_merge(scatter: &Scatter, sum: i64, reply: &mut Reply) {
    match scatter.merge {
        Merge::Array => {}
        Merge::Sum => reply.integer(sum),
        Merge::Ok if scatter.unless.is_some() => reply.integer(1),
        Merge::Ok => reply.ok(),
    }
}
