//! Finding elements: LPOS.

use std::ops::ControlFlow;

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::value::list::{End, List};
use crate::value::listpack::Element;

use super::LIST;
use super::pop::not_negative;

/// The row.
pub const COMMANDS: &[Command] = &[Command {
    name: "lpos",
    arity: -3,
    run: Run::Keyed(lpos),
    flags: Flags::READONLY,
    keys: spec::KEY_READ,
    since: "6.0.6",
    summary: "Returns the indexes of elements of a list that are equal to the one given.",
    complexity: "O(N), N elements looked at",
    syntax: "key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]",
    ..LIST
}];

/// What LPOS is asked for.
struct Search {
    /// The first match that counts, from 1.
    rank: u64,
    /// Where the search begins.
    from: End,
    /// Most matches to return, 0 for all; none when one index is wanted and no array.
    count: Option<usize>,
    /// Most elements to look at.
    looks_max: usize,
}

impl Search {
    fn parse(args: &Args<'_>) -> Result<Search, CommandError> {
        let mut search = Search { rank: 1, from: End::Front, count: None, looks_max: usize::MAX };
        let mut at = 3;
        while at < args.len() {
            if at + 1 == args.len() {
                return Err(CommandError::Syntax);
            }
            if args.is(at, b"RANK") {
                let rank = args.integer(at + 1)?;
                match rank {
                    i64::MIN => return Err(super::OUT_OF_RANGE),
                    0 => return Err(CommandError::Text(RANK_ZERO)),
                    _ => {}
                }
                search.rank = rank.unsigned_abs();
                search.from = if rank < 0 { End::Back } else { End::Front };
            } else if args.is(at, b"COUNT") {
                search.count = Some(not_negative(args, at + 1, "ERR COUNT can't be negative")?);
            } else if args.is(at, b"MAXLEN") {
                let len = not_negative(args, at + 1, "ERR MAXLEN can't be negative")?;
                search.looks_max = if len == 0 { usize::MAX } else { len };
            } else {
                return Err(CommandError::Syntax);
            }
            at += 2;
        }
        Ok(search)
    }

    /// Calls `found` with the index of every match that is wanted.
    fn run(&self, list: &List, wanted: &[u8], mut found: impl FnMut(usize)) {
        let wanted = Element::of(wanted);
        let len = list.len();
        let (mut looked, mut matches, mut told) = (0, 0, 0);
        let (start, towards) = if self.from == End::Front { (0, End::Back) } else { (len - 1, End::Front) };
        list.walk(start, towards, |item| {
            if looked == self.looks_max {
                return ControlFlow::Break(());
            }
            if item.equals(wanted) {
                matches += 1;
                if matches >= self.rank {
                    found(if self.from == End::Front { looked } else { len - 1 - looked });
                    told += 1;
                    if told == self.count.unwrap_or(1) {
                        return ControlFlow::Break(());
                    }
                }
            }
            looked += 1;
            ControlFlow::Continue(())
        });
    }
}

const RANK_ZERO: &str = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
     or use negative to start from the end of the list";

fn lpos(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let search = Search::parse(&args)?;
    let (list, reply) = context.read_collection::<List>(1)?;
    if search.count.is_none() {
        let mut index = None;
        if let Some(list) = list {
            search.run(list, args.get(2), |found| index = Some(found));
        }
        match index {
            Some(index) => reply.integer(index as i64),
            None => reply.null(),
        }
        return Ok(());
    }
    let Some(list) = list else {
        reply.array(0);
        return Ok(());
    };
    let array = reply.deferred();
    let mut count = 0;
    search.run(list, args.get(2), |found| {
        reply.integer(found as i64);
        count += 1;
    });
    reply.finish_array(array, count);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    #[test]
    fn finds() {
        check(&[
            ("RPUSH l a b c 1 2 3 c c", ":8\r\n"),
            ("LPOS l a", ":0\r\n"),
            ("LPOS l c", ":2\r\n"),
            ("LPOS l 2", ":4\r\n"),
            ("LPOS l x", "$-1\r\n"),
            ("LPOS l c RANK 2", ":6\r\n"),
            ("LPOS l c RANK -1", ":7\r\n"),
            ("LPOS l c RANK 4", "$-1\r\n"),
            ("LPOS l c COUNT 0", "*3\r\n:2\r\n:6\r\n:7\r\n"),
            ("LPOS l c COUNT 2 RANK -1", "*2\r\n:7\r\n:6\r\n"),
            ("LPOS l c COUNT 2 RANK 3", "*1\r\n:7\r\n"),
            ("LPOS l c COUNT 0 MAXLEN 3", "*1\r\n:2\r\n"),
            ("LPOS l c COUNT 0 MAXLEN 2", "*0\r\n"),
            ("LPOS l a RANK -1 MAXLEN 7", "$-1\r\n"),
            ("LPOS l a RANK -1 MAXLEN 8", ":0\r\n"),
            ("LPOS missing a", "$-1\r\n"),
            ("LPOS missing a COUNT 1", "*0\r\n"),
            ("SET s v", "+OK\r\n"),
            ("LPOS s a", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        ]);
        let mut harness = Harness::new(1);
        harness.resp3();
        harness.check(&[("LPOS missing a", "_\r\n"), ("RPUSH l a", ":1\r\n"), ("LPOS l x", "_\r\n")]);
    }

    #[test]
    fn refuses() {
        check(&[
            ("LPOS l a RANK", "-ERR syntax error\r\n"),
            ("LPOS l a BOGUS 1", "-ERR syntax error\r\n"),
            (
                "LPOS l a RANK 0",
                "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
                 or use negative to start from the end of the list\r\n",
            ),
            ("LPOS l a RANK x", "-ERR value is not an integer or out of range\r\n"),
            (
                "LPOS l a RANK -9223372036854775808",
                "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
            ),
            ("LPOS l a COUNT -1", "-ERR COUNT can't be negative\r\n"),
            ("LPOS l a COUNT x", "-ERR COUNT can't be negative\r\n"),
            ("LPOS l a MAXLEN -1", "-ERR MAXLEN can't be negative\r\n"),
        ]);
    }
}
