//! XRANGE and XREVRANGE: the entries of an interval of IDs.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::value::stream::Stream;

use super::{STREAM, interval_end, interval_start, reply_entries};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "xrange",
        arity: -4,
        run: Run::Keyed(|context| range(context, false)),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        summary: "Returns the entries of a stream in an interval of IDs.",
        complexity: "O(log(S)+N), S entries in the stream and N returned",
        syntax: "key start end [COUNT count:integer]",
        history: &[("6.2.0", "Intervals without their first or last ID.")],
        ..STREAM
    },
    Command {
        name: "xrevrange",
        arity: -4,
        run: Run::Keyed(|context| range(context, true)),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        summary: "Returns the entries of a stream in an interval of IDs, from the last to the first.",
        complexity: "O(log(S)+N), S entries in the stream and N returned",
        syntax: "key end start [COUNT count:integer]",
        history: &[("6.2.0", "Intervals without their first or last ID.")],
        ..STREAM
    },
];

fn range(context: &mut Context<'_>, reversed: bool) -> Result<(), CommandError> {
    let args = context.args;
    let (start_at, end_at) = if reversed { (3, 2) } else { (2, 3) };
    let (start, end) = (interval_start(args.get(start_at))?, interval_end(args.get(end_at))?);
    let mut count = None;
    for index in (4..args.len()).step_by(2) {
        if !args.is(index, b"COUNT") || index + 1 == args.len() {
            return Err(CommandError::Syntax);
        }
        count = Some(args.integer(index + 1)?.max(0));
    }
    let (stream, reply) = context.read_collection::<Stream>(1)?;
    let Some(stream) = stream else {
        reply.array(0);
        return Ok(());
    };
    let count = match count {
        Some(0) => {
            reply.null_array();
            return Ok(());
        }
        Some(count) => count as usize,
        None => usize::MAX,
    };
    if reversed {
        reply_entries(reply, stream.log().range_reversed(start, end).take(count));
    } else {
        reply_entries(reply, stream.log().range(start, end).take(count));
    }
    Ok(())
}
