//! Ranges of members: ZRANGE in all its forms, the commands it replaced, and ZRANGESTORE.

use std::ops::Range;

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::keyspace::write::Expiry;
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::sorted_set::{MemberRange, PackedLimits, ScoreRange, SortedSet};

use super::{SORTED_SET, limits, member_range, ranks_of, reply_count, reply_member, score_range};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "zrange",
        arity: -4,
        run: Run::Keyed(zrange),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "1.2.0",
        summary: "Returns the members in a range of ranks, scores or bytes.",
        complexity: "O(M + log N), M members returned and N in the set",
        syntax: "key start stop [sortby(BYSCORE | BYLEX)@6.2.0] [REV@6.2.0] [LIMIT limit{offset:integer \
                 count:integer}@6.2.0] [WITHSCORES]",
        history: &[("6.2.0", "Takes REV, BYSCORE, BYLEX and LIMIT.")],
        ..SORTED_SET
    },
    Command {
        name: "zrangestore",
        arity: -5,
        run: Run::Keyed(zrangestore),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[spec::one(&["OW", "update"]), spec::key_at(2, &["RO", "access"])],
        since: "6.2.0",
        summary: "Makes a sorted set of the members in a range of another one.",
        complexity: "O(M log M + log N), M members stored and N in the source",
        syntax: "dst:key src:key min max [sortby(BYSCORE | BYLEX)] [REV] [LIMIT limit{offset:integer count:integer}]",
        ..SORTED_SET
    },
    Command {
        name: "zrevrange",
        arity: -4,
        run: Run::Keyed(zrevrange),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "1.2.0",
        summary: "Returns the members whose ranks, counted from the highest score, lie in a range.",
        complexity: "O(M + log N), M members returned and N in the set",
        syntax: "key start:integer stop:integer [WITHSCORES]",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` argument")),
        ..SORTED_SET
    },
    Command {
        name: "zrangebyscore",
        arity: -4,
        run: Run::Keyed(zrangebyscore),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "1.0.5",
        summary: "Returns the members whose scores lie in a range.",
        complexity: "O(M + log N), M members returned and N in the set",
        syntax: "key min:double max:double [WITHSCORES@2.0.0] [LIMIT limit{offset:integer count:integer}]",
        history: &[("2.0.0", "Takes WITHSCORES.")],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `BYSCORE` argument")),
        ..SORTED_SET
    },
    Command {
        name: "zrevrangebyscore",
        arity: -4,
        run: Run::Keyed(zrevrangebyscore),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "2.2.0",
        summary: "Returns the members whose scores lie in a range, the highest score first.",
        complexity: "O(M + log N), M members returned and N in the set",
        syntax: "key max:double min:double [WITHSCORES] [LIMIT limit{offset:integer count:integer}]",
        history: &[("2.1.6", "Ends may be excluded.")],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")),
        ..SORTED_SET
    },
    Command {
        name: "zrangebylex",
        arity: -4,
        run: Run::Keyed(zrangebylex),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "2.8.9",
        summary: "Returns the members between two others, in the order of their bytes.",
        complexity: "O(M + log N), M members returned and N in the set",
        syntax: "key min max [LIMIT limit{offset:integer count:integer}]",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `BYLEX` argument")),
        ..SORTED_SET
    },
    Command {
        name: "zrevrangebylex",
        arity: -4,
        run: Run::Keyed(zrevrangebylex),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "2.8.9",
        summary: "Returns the members between two others, in the reverse order of their bytes.",
        complexity: "O(M + log N), M members returned and N in the set",
        syntax: "key max min [LIMIT limit{offset:integer count:integer}]",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")),
        ..SORTED_SET
    },
];

/// What a range is told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// What the command's name says already. What it leaves open, options tell.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// The argument of the key; those of the two ends follow.
    key: usize,
    by: Option<By>,
    reverse: Option<bool>,
    is_stored: bool,
}

/// The form of ZRANGE itself.
const OPEN: Form = Form { key: 1, by: None, reverse: None, is_stored: false };

#[derive(Clone, Copy, Debug)]
enum Ends<'a> {
    Ranks(i64, i64),
    Scores(ScoreRange),
    Members(MemberRange<'a>),
}

/// A range as a client asks for it.
#[derive(Clone, Copy, Debug)]
struct Request<'a> {
    ends: Ends<'a>,
    reverse: bool,
    with_scores: bool,
    /// Members passed over. With a negative number there are none left.
    offset: i64,
    /// Most members. A negative number is no limit.
    limit: i64,
}

impl<'a> Request<'a> {
    fn parse(args: Args<'a>, form: Form) -> Result<Request<'a>, CommandError> {
        let (mut by, mut reverse, mut with_scores, mut offset, mut limit) = (form.by, form.reverse, false, 0, -1);
        let mut index = form.key + 3;
        while index < args.len() {
            if !form.is_stored && args.is(index, b"withscores") {
                with_scores = true;
            } else if args.is(index, b"limit") && index + 2 < args.len() {
                (offset, limit) = (args.integer(index + 1)?, args.integer(index + 2)?);
                index += 2;
            } else if reverse.is_none() && args.is(index, b"rev") {
                reverse = Some(true);
            } else if by.is_none() && args.is(index, b"bylex") {
                by = Some(By::Member);
            } else if by.is_none() && args.is(index, b"byscore") {
                by = Some(By::Score);
            } else {
                return Err(CommandError::Syntax);
            }
            index += 1;
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            const LIMIT: &str = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
            return Err(CommandError::Text(LIMIT));
        }
        if with_scores && by == By::Member {
            const SCORES: &str = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
            return Err(CommandError::Text(SCORES));
        }
        let (first, second) = (form.key + 1, form.key + 2);
        // In reverse the higher end comes first, but for ranks.
        let (min, max) = if reverse { (second, first) } else { (first, second) };
        let ends = match by {
            By::Rank => Ends::Ranks(args.integer(first)?, args.integer(second)?),
            By::Score => Ends::Scores(score_range(args, min, max)?),
            By::Member => Ends::Members(member_range(args, min, max)?),
        };
        Ok(Request { ends, reverse, with_scores, offset, limit })
    }

    /// The ranks of the members in a set that are asked for.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let whole = match &self.ends {
            Ends::Ranks(start, stop) => {
                let (ranks, len) = (ranks_of(*start, *stop, set.len()), set.len());
                return if self.reverse { len - ranks.end..len - ranks.start } else { ranks };
            }
            Ends::Scores(range) => set.ranks(range),
            Ends::Members(range) => set.ranks(range),
        };
        let Ok(offset) = usize::try_from(self.offset) else { return 0..0 };
        let left = whole.len().saturating_sub(offset);
        let count = usize::try_from(self.limit).map_or(left, |limit| left.min(limit));
        if self.reverse {
            let end = whole.start + left;
            end - count..end
        } else {
            let start = whole.end - left;
            start..start + count
        }
    }
}

fn zrange(context: &mut Context<'_>) -> Result<(), CommandError> {
    range(context, OPEN)
}

fn zrevrange(context: &mut Context<'_>) -> Result<(), CommandError> {
    range(context, Form { by: Some(By::Rank), reverse: Some(true), ..OPEN })
}

fn zrangebyscore(context: &mut Context<'_>) -> Result<(), CommandError> {
    range(context, Form { by: Some(By::Score), reverse: Some(false), ..OPEN })
}

fn zrevrangebyscore(context: &mut Context<'_>) -> Result<(), CommandError> {
    range(context, Form { by: Some(By::Score), reverse: Some(true), ..OPEN })
}

fn zrangebylex(context: &mut Context<'_>) -> Result<(), CommandError> {
    range(context, Form { by: Some(By::Member), reverse: Some(false), ..OPEN })
}

fn zrevrangebylex(context: &mut Context<'_>) -> Result<(), CommandError> {
    range(context, Form { by: Some(By::Member), reverse: Some(true), ..OPEN })
}

fn range(context: &mut Context<'_>, form: Form) -> Result<(), CommandError> {
    let request = Request::parse(context.args, form)?;
    let (set, reply) = context.read_collection::<SortedSet>(form.key)?;
    let Some(set) = set else {
        reply.array(0);
        return Ok(());
    };
    let members = set.range(request.ranks(set), request.reverse);
    reply_count(reply, members.len(), request.with_scores);
    members.for_each(|member| reply_member(reply, &member, request.with_scores));
    Ok(())
}

fn zrangestore(context: &mut Context<'_>) -> Result<(), CommandError> {
    let request = Request::parse(context.args, Form { key: 2, is_stored: true, ..OPEN })?;
    let limits = limits(context.config);
    let (set, _) = context.read_collection::<SortedSet>(2)?;
    let result = match set {
        Some(set) => part(set, request.ranks(set), limits),
        None => SortedSet::new(0, 0, limits),
    };
    let count = result.len();
    let (mut key, reply) = context.open(1);
    key.store(result, Expiry::Never);
    reply.integer(count as i64);
    Ok(())
}

/// A set of the members of these ranks.
fn part(set: &SortedSet, ranks: Range<usize>, limits: PackedLimits) -> SortedSet {
    let mut result = SortedSet::new(ranks.len(), 0, limits);
    for entry in set.range(ranks, false) {
        result.push(entry.member.text(&mut [0; INTEGER_TEXT_BYTES_MAX]), entry.score(), limits);
    }
    result
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
