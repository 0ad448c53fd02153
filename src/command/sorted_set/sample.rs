//! Members by chance, and walking over a set: ZRANDMEMBER and ZSCAN.

use std::collections::HashSet;

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::repeated;
use crate::command::scan_options::{self, Page, ScanOptions, Walked};
use crate::command::spec::{self, Command, Flags, Run};
use crate::resp::reply::Reply;
use crate::stdx::double_text::{DOUBLE_TEXT_BYTES_MAX, format_double, format_seventeen_digits};
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::stdx::random::Random;
use crate::value::sorted_set::{Member, SortedSet};

use super::{SORTED_SET, reply_count, reply_element, reply_member};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "zrandmember",
        arity: -2,
        run: Run::Keyed(zrandmember),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "6.2.0",
        summary: "Returns random members of a sorted set.",
        complexity: "O(M log N), M members returned and N in the set",
        syntax: "key [options{count:integer [WITHSCORES]}]",
        tips: &["nondeterministic_output"],
        ..SORTED_SET
    },
    Command {
        name: "zscan",
        arity: -3,
        run: Run::Keyed(zscan),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "2.8.0",
        summary: "Walks over the members of a sorted set and their scores, a few with each call.",
        complexity: "O(1) a call; O(N) for the whole walk, N members",
        syntax: "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
        tips: &["nondeterministic_output"],
        ..SORTED_SET
    },
];

/// A sample of more than a `SAMPLE_SPARSE`-th of a set is taken in one walk over all members, a smaller one is drawn.
const SAMPLE_SPARSE: usize = 3;

fn zrandmember(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let count = if args.len() > 2 { Some(args.integer(2)?) } else { None };
    if count == Some(i64::MIN) {
        const OUT_OF_RANGE: &str =
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
        return Err(CommandError::Text(OUT_OF_RANGE));
    }
    let with_scores = args.len() > 3;
    if args.len() > 4 || (with_scores && !args.is(3, b"withscores")) {
        return Err(CommandError::Syntax);
    }
    // Twice as many elements must be a number too.
    if with_scores && count.is_some_and(|count| count.unsigned_abs() > i64::MAX as u64 / 2) {
        return Err(CommandError::Text("ERR value is out of range"));
    }
    let key = context.key(1);
    let mut random = Random::new(context.keyspace(&key).random_u64());
    let (set, reply) = context.read_collection::<SortedSet>(1)?;
    match (set, count) {
        (None, None) => reply.null(),
        (None, Some(_)) => reply.array(0),
        (Some(set), None) => draw(set, &mut random).into_iter().for_each(|entry| reply_element(reply, entry.member)),
        (Some(set), Some(count)) if count < 0 => {
            return reply_drawn(reply, set, count.unsigned_abs(), with_scores, &mut random);
        }
        (Some(set), Some(count)) => {
            let count = usize::try_from(count).unwrap_or(usize::MAX).min(set.len());
            reply_count(reply, count, with_scores);
            sample(set, count, &mut random, |entry| reply_member(reply, &entry, with_scores));
        }
    }
    Ok(())
}

/// Draws a member.
fn draw<'a>(set: &'a SortedSet, random: &mut Random) -> Option<Member<'a>> {
    set.get(random.below(set.len() as u64) as usize)
}

/// Replies with members, any of them several times.
fn reply_drawn(
    reply: &mut Reply,
    set: &SortedSet,
    count: u64,
    with_scores: bool,
    random: &mut Random,
) -> Result<(), CommandError> {
    repeated::check_count(count)?;
    let start = reply.position();
    reply_count(reply, count as usize, with_scores);
    for _ in 0..count {
        draw(set, random).into_iter().for_each(|entry| reply_member(reply, &entry, with_scores));
        if repeated::is_too_long(reply, start) {
            return Err(repeated::TOO_LONG);
        }
    }
    Ok(())
}

/// Draws `count` different members, at most as many as there are; every choice is as likely as any other.
fn sample(set: &SortedSet, count: usize, random: &mut Random, mut see: impl FnMut(Member<'_>)) {
    if count.saturating_mul(SAMPLE_SPARSE) < set.len() && set.packed().is_none() {
        let mut drawn = HashSet::with_capacity(count);
        while drawn.len() < count {
            let rank = random.below(set.len() as u64) as usize;
            if drawn.insert(rank) {
                set.get(rank).into_iter().for_each(&mut see);
            }
        }
        return;
    }
    // Each member is taken with the probability of the wanted ones among those that are left.
    let mut wanted = count;
    for (rank, entry) in set.iter().enumerate() {
        if random.below((set.len() - rank) as u64) < wanted as u64 {
            see(entry);
            wanted -= 1;
        }
    }
}

fn zscan(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let cursor = scan_options::cursor(args, 2)?;
    let (set, reply) = context.read_collection::<SortedSet>(1)?;
    let mut page = Page::new(reply);
    let mut next = 0;
    if let Some(set) = set {
        let options = ScanOptions::parse(args, 3, Walked::Members)?;
        // Redis prints the scores of its two forms differently.
        let is_packed = set.packed().is_some();
        next = options.walk(&mut page, cursor, |cursor, page| {
            set.scan(cursor, |member, score| {
                page.met += 1;
                if options.accepts(member.text(&mut [0; INTEGER_TEXT_BYTES_MAX])) {
                    reply_element(page.item(), member);
                    let mut text = [0; DOUBLE_TEXT_BYTES_MAX];
                    let format = if is_packed { format_double } else { format_seventeen_digits };
                    page.item().bulk(format(&mut text, score));
                }
            })
        });
    }
    page.finish(reply, next);
    Ok(())
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
