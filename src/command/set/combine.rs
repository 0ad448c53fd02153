//! Several sets together: intersections, unions and differences, as replies, counts and new sets.
//!
//! What is only replied is not put into a set first when it is cheaper to ask the other sets for each member.

use std::ops::Range;

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, BeginSearch, Command, FindKeys, Flags, KeySpec, Run};
use crate::keyspace::write::Expiry;
use crate::value::listpack::Element;
use crate::value::object::Collection;
use crate::value::set::{Set, SetLimits};

use super::{SET, limits, reply_member};

/// A union asks other sets as long as that takes at most so many questions per member; then it makes a set.
const UNION_QUESTIONS_MAX: usize = 4;

const READS: Command =
    Command { arity: -2, flags: Flags::READONLY, keys: spec::KEYS_READ, syntax: "key...", tips: ORDER, ..SET };
const STORES: Command = Command {
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[spec::one(&["OW", "update"]), SOURCES],
    syntax: "destination:key key...",
    ..SET
};
const ORDER: &[&str] = &["nondeterministic_output_order"];
const SOURCES: KeySpec = KeySpec { begin: BeginSearch::Index(2), ..spec::all(&["RO", "access"], 1) };

const INTERSECTION_COMPLEXITY: &str = "O(N*M), N members of the smallest of M sets";
const WHOLE_COMPLEXITY: &str = "O(N), N members of all sets together";

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "sinter",
        run: Run::Keyed(sinter),
        summary: "Returns the members that all given sets have.",
        complexity: INTERSECTION_COMPLEXITY,
        ..READS
    },
    Command {
        name: "sintercard",
        arity: -3,
        run: Run::Keyed(sintercard),
        keys: &[KeySpec {
            find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
            ..spec::one(&["RO", "access"])
        }],
        since: "7.0.0",
        summary: "Counts the members that all given sets have.",
        complexity: INTERSECTION_COMPLEXITY,
        syntax: "numkeys:integer key... [LIMIT limit:integer]",
        tips: &[],
        ..READS
    },
    Command {
        name: "sinterstore",
        run: Run::Keyed(sinterstore),
        summary: "Makes a set of the members that all given sets have.",
        complexity: INTERSECTION_COMPLEXITY,
        ..STORES
    },
    Command {
        name: "sunion",
        run: Run::Keyed(sunion),
        summary: "Returns the members that any of the given sets has.",
        complexity: WHOLE_COMPLEXITY,
        ..READS
    },
    Command {
        name: "sunionstore",
        run: Run::Keyed(sunionstore),
        summary: "Makes a set of the members that any of the given sets has.",
        complexity: WHOLE_COMPLEXITY,
        ..STORES
    },
    Command {
        name: "sdiff",
        run: Run::Keyed(sdiff),
        summary: "Returns the members of the first set that none of the others has.",
        complexity: WHOLE_COMPLEXITY,
        ..READS
    },
    Command {
        name: "sdiffstore",
        run: Run::Keyed(sdiffstore),
        summary: "Makes a set of the members of the first set that none of the others has.",
        complexity: WHOLE_COMPLEXITY,
        ..STORES
    },
];

fn sinter(context: &mut Context<'_>) -> Result<(), CommandError> {
    let keys = 1..context.args.len();
    let (sets, reply) = context.read_collections::<Set>(keys)?;
    let (deferred, mut count) = (reply.deferred(), 0);
    intersect(sets, |member| {
        reply_member(reply, member);
        count += 1;
        true
    });
    reply.finish_set(deferred, count);
    Ok(())
}

fn sinterstore(context: &mut Context<'_>) -> Result<(), CommandError> {
    let limits = limits(context.config);
    let (sets, _) = context.read_collections::<Set>(2..context.args.len())?;
    let mut result = match sets.iter().flatten().min_by_key(|set| set.len()) {
        Some(Set::Integers(_)) => Set::new(),
        _ => Set::packed(),
    };
    intersect(sets, |member| {
        result.add_element(member, &limits);
        true
    });
    result.become_integers(&limits);
    store(context, result)
}

/// The keys and the limit of SINTERCARD.
fn sintercard_arguments(args: Args<'_>) -> Result<(Range<usize>, u64), CommandError> {
    const NO_KEYS: CommandError = CommandError::Text("ERR numkeys should be greater than 0");
    const NEGATIVE_LIMIT: CommandError = CommandError::Text("ERR LIMIT can't be negative");
    let keys = args.integer(1).ok().filter(|&keys| keys > 0).ok_or(NO_KEYS)?;
    let end = usize::try_from(keys).ok().and_then(|keys| keys.checked_add(2)).filter(|&end| end <= args.len());
    let end = end.ok_or(CommandError::Text("ERR Number of keys can't be greater than number of args"))?;
    let (mut limit, mut index) = (0, end);
    while index < args.len() {
        if !args.is(index, b"limit") || index + 1 == args.len() {
            return Err(CommandError::Syntax);
        }
        limit = args.integer(index + 1).ok().and_then(|limit| u64::try_from(limit).ok()).ok_or(NEGATIVE_LIMIT)?;
        index += 2;
    }
    Ok((2..end, limit))
}

fn sintercard(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (keys, limit) = sintercard_arguments(context.args)?;
    let (sets, reply) = context.read_collections::<Set>(keys)?;
    let mut count = 0;
    intersect(sets, |_| {
        count += 1;
        count != limit
    });
    reply.integer(count as i64);
    Ok(())
}

fn sunion(context: &mut Context<'_>) -> Result<(), CommandError> {
    let limits = limits(context.config);
    let keys = 1..context.args.len();
    let (sets, reply) = context.read_collections::<Set>(keys)?;
    let mut sets = distinct(sets);
    // The largest first: nobody is asked about its members.
    sets.sort_by_key(|set| std::cmp::Reverse(set.len()));
    let members: usize = sets.iter().map(|set| set.len()).sum();
    let questions: usize = sets.iter().enumerate().map(|(before, set)| before * set.len()).sum();
    if questions > members.saturating_mul(UNION_QUESTIONS_MAX) {
        let result = union(&sets, &limits);
        return reply_and_bury(context, result);
    }
    let (deferred, mut count) = (reply.deferred(), 0);
    for (index, set) in sets.iter().enumerate() {
        for member in set.iter() {
            if sets[..index].iter().all(|before| !before.contains_element(member)) {
                reply_member(reply, member);
                count += 1;
            }
        }
    }
    reply.finish_set(deferred, count);
    Ok(())
}

fn sunionstore(context: &mut Context<'_>) -> Result<(), CommandError> {
    let limits = limits(context.config);
    let (sets, _) = context.read_collections::<Set>(2..context.args.len())?;
    let result = union(&distinct(sets), &limits);
    store(context, result)
}

fn sdiff(context: &mut Context<'_>) -> Result<(), CommandError> {
    let limits = limits(context.config);
    let keys = 1..context.args.len();
    let (sets, reply) = context.read_collections::<Set>(keys)?;
    let difference = Difference::of(sets);
    if difference.is_cheaper_removing() {
        let result = difference.by_removing(&limits);
        return reply_and_bury(context, result);
    }
    let (deferred, mut count) = (reply.deferred(), 0);
    difference.by_asking(|member| {
        reply_member(reply, member);
        count += 1;
    });
    reply.finish_set(deferred, count);
    Ok(())
}

fn sdiffstore(context: &mut Context<'_>) -> Result<(), CommandError> {
    let limits = limits(context.config);
    let (sets, _) = context.read_collections::<Set>(2..context.args.len())?;
    let difference = Difference::of(sets);
    let mut result = Set::new();
    if difference.is_cheaper_removing() {
        result = difference.by_removing(&limits);
    } else {
        difference.by_asking(|member| {
            result.add_element(member, &limits);
        });
    }
    store(context, result)
}

/// Puts a result in the place of whatever the destination holds, and replies with its size.
fn store(context: &mut Context<'_>, result: Set) -> Result<(), CommandError> {
    let len = result.len();
    let (mut key, reply) = context.open(1);
    key.store(result, Expiry::Never);
    reply.integer(len as i64);
    Ok(())
}

/// Replies with a set that was made for this reply.
fn reply_and_bury(context: &mut Context<'_>, result: Set) -> Result<(), CommandError> {
    context.reply.set(result.len());
    result.iter().for_each(|member| reply_member(context.reply, member));
    let key = context.key(1);
    context.keyspace(&key).bury(result.into_value());
    Ok(())
}

/// The sets that exist, each once: a key may be given several times.
fn distinct<'s>(sets: Vec<Option<&'s Set>>) -> Vec<&'s Set> {
    let mut sets: Vec<&'s Set> = sets.into_iter().flatten().collect();
    sets.sort_by_key(|&set| std::ptr::from_ref(set));
    sets.dedup_by(|one, other| std::ptr::eq(*one, *other));
    sets
}

/// Shows the members that all sets have, until `see` says that it is enough; a set that does not exist has none.
fn intersect(sets: Vec<Option<&Set>>, mut see: impl FnMut(Element<'_>) -> bool) {
    if sets.iter().any(Option::is_none) {
        return;
    }
    let mut sets = distinct(sets);
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    for member in smallest.iter() {
        if others.iter().all(|other| other.contains_element(member)) && !see(member) {
            return;
        }
    }
}

/// All members of all sets.
fn union(sets: &[&Set], limits: &SetLimits) -> Set {
    let mut result = Set::new();
    for member in sets.iter().flat_map(|set| set.iter()) {
        result.add_element(member, limits);
    }
    result
}

/// What one set has and others have not.
struct Difference<'s> {
    first: Option<&'s Set>,
    /// Those that exist, the largest first.
    others: Vec<&'s Set>,
}

impl<'s> Difference<'s> {
    fn of(mut sets: Vec<Option<&'s Set>>) -> Difference<'s> {
        let mut first = sets.remove(0);
        let mut others = distinct(sets);
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        if first.is_some_and(|first| others.iter().any(|other| std::ptr::eq(first, *other))) {
            first = None;
        }
        Difference { first, others }
    }

    /// Whether fewer steps are needed to remove all members of the others from a copy than to ask the others for every
    /// member of the first. A question is worth half a step, and most members are found in the first sets asked.
    fn is_cheaper_removing(&self) -> bool {
        let Some(first) = self.first else { return false };
        let questions = first.len().saturating_mul(self.others.len() + 1) / 2;
        let steps = first.len() + self.others.iter().map(|other| other.len()).sum::<usize>();
        questions > steps
    }

    fn by_asking(&self, mut see: impl FnMut(Element<'_>)) {
        for member in self.first.iter().flat_map(|first| first.iter()) {
            if self.others.iter().all(|other| !other.contains_element(member)) {
                see(member);
            }
        }
    }

    fn by_removing(&self, limits: &SetLimits) -> Set {
        let mut result = Set::new();
        for member in self.first.iter().flat_map(|first| first.iter()) {
            result.add_element(member, limits);
        }
        for other in &self.others {
            for member in other.iter() {
                result.remove_element(member);
            }
            if result.is_empty() {
                break;
            }
        }
        result
    }
}

#[cfg(test)]
#[path = "combine_tests.rs"]
mod tests;
