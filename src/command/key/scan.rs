//! SCAN: walking all keys of a database over many calls.
//!
//! The cursor is the table's own (below 2^42) with the number of the shard in the low bits, as many as there are shards to
//! tell apart. Shards are walked one after the other; a call stays within one, so even a small database takes as many
//! calls as there are shards: going on into the next one would take its box, or a loan when it is out, for every call of
//! a walk. A cursor is only good for the process that gave it. One that nobody gave ends the walk or begins somewhere in
//! it, no worse.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::scan_options::{self, Page, ScanOptions, Walked};
use crate::command::spec::{Command, Flags, Run};

/// The module's rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "scan",
    arity: -2,
    run: Run::OneShard { pick, handler: scan },
    flags: Flags::READONLY,
    since: "2.8.0",
    summary: "Walks over the keys of the database, a few with each call.",
    complexity: "O(1) a call; O(N) for the whole walk, N keys in the database",
    syntax: "cursor:integer [MATCH pattern:pattern] [COUNT count:integer] [TYPE type@6.0.0]",
    history: &[("6.0.0", "Takes TYPE.")],
    tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
    ..super::BASE
}];

/// Where a walk stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Position {
    shard: usize,
    /// The table's cursor in that shard.
    local: u64,
}

/// Bits of a cursor that name the shard.
fn shard_bits(shards: usize) -> u32 {
    shards.next_power_of_two().trailing_zeros()
}

impl Position {
    /// Where a client's cursor points to; none when there is no such shard.
    fn of_cursor(cursor: u64, shards: usize) -> Option<Position> {
        let bits = shard_bits(shards);
        let shard = (cursor & ((1 << bits) - 1)) as usize;
        (shard < shards).then_some(Position { shard, local: cursor >> bits })
    }

    /// The cursor for the next call, when this one has come so far; 0 at the end.
    fn cursor(self, shards: usize) -> u64 {
        let next = match self.local {
            0 if self.shard + 1 == shards => return 0,
            0 => Position { shard: self.shard + 1, local: 0 },
            _ => self,
        };
        next.local << shard_bits(shards) | next.shard as u64
    }
}

fn position(args: &Args<'_>, shards: usize) -> Result<Option<Position>, CommandError> {
    Ok(Position::of_cursor(scan_options::cursor(*args, 1)?, shards))
}

/// The shard that a call walks; what is wrong with its cursor is for the handler to say, wherever.
fn pick(args: &Args<'_>, shards: usize) -> usize {
    position(args, shards).ok().flatten().map_or(0, |position| position.shard)
}

fn scan(context: &mut Context<'_>) -> Result<(), CommandError> {
    let shards = context.keyspaces.shards();
    let position = position(&context.args, shards)?;
    let options = ScanOptions::parse(context.args, 2, Walked::Keys)?;
    let (database, turn) = (context.database, context.turn);
    let mut page = Page::new(context.reply);
    let mut cursor = 0;
    if let Some(Position { shard, local }) = position {
        let keyspace = context.keyspaces.shard(shard);
        let local = options.walk(&mut page, local, |local, page| {
            let step = keyspace.scan_step(database, local, turn, |entry| {
                let fits = options.accepts(entry.key())
                    && options.type_name.is_none_or(|name| name.eq_ignore_ascii_case(entry.object_type().name().as_bytes()));
                if fits {
                    page.item().bulk(entry.key());
                }
            });
            page.met += step.met;
            step.cursor
        });
        cursor = Position { shard, local }.cursor(shards);
    }
    page.finish(context.reply, cursor);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors() {
        let table: &[(usize, Position, u64)] = &[
            (1, Position { shard: 0, local: 0 }, 0),
            (1, Position { shard: 0, local: 5 }, 5),
            (2, Position { shard: 0, local: 0 }, 1),
            (2, Position { shard: 1, local: 0 }, 0),
            (2, Position { shard: 1, local: 3 }, 7),
            (3, Position { shard: 1, local: 0 }, 2),
            (3, Position { shard: 2, local: 0 }, 0),
            (3, Position { shard: 2, local: 1 }, 6),
            (64, Position { shard: 63, local: (1 << 42) - 1 }, (1 << 48) - 1),
        ];
        for &(shards, position, cursor) in table {
            assert_eq!(position.cursor(shards), cursor, "{position:?} of {shards}");
            if position.local != 0 {
                assert_eq!(Position::of_cursor(cursor, shards), Some(position));
            }
        }
    }

    #[test]
    fn cursors_that_nobody_gave() {
        assert_eq!(Position::of_cursor(3, 3), None, "there is no fourth shard");
        for shards in 1..=64 {
            for cursor in [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, 12_345_678_901_234_567] {
                assert!(Position::of_cursor(cursor, shards).is_none_or(|position| position.shard < shards));
            }
        }
    }
}
