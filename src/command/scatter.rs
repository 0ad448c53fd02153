//! Scattered commands with all their keyspaces in hand, and how the reply of one is put together.
//!
//! Called by `shard::call`, and for parts done elsewhere by `session::multi`.

use crate::resp::reply::Reply;

use super::context::Context;
use super::error::CommandError;
use super::spec::{Merge, Scatter};

/// A scattered command with all its keyspaces in hand.
pub fn run_whole(scatter: &Scatter, context: &mut Context<'_>) -> Result<(), CommandError> {
    let count = context.args.len();
    if !(count - 1).is_multiple_of(scatter.step) {
        return Err(CommandError::Arity(context.command));
    }
    let items = (1..count).step_by(scatter.step);
    if let Some(unless) = scatter.unless {
        for item in items.clone() {
            if unless(context, item)? != 0 {
                context.reply.integer(0);
                return Ok(());
            }
        }
    }
    if scatter.merge == Merge::Array {
        context.reply.array(count - 1);
    }
    let mut sum = 0;
    for item in items {
        sum += (scatter.part)(context, item)?;
    }
    finish_merge(scatter, sum, context.reply);
    Ok(())
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
