//! Several sorted sets together: unions, intersections and differences, as replies, counts and new sets. Plain sets may be
//! among them; their members have the score 1.
//!
//! Results are lists of references into the sets, put in order at the end; nothing is copied before that.

use ahash::AHashMap;

use crate::command::args::Args;
use crate::command::context::{Context, Keyspaces};
use crate::command::error::CommandError;
use crate::command::spec::{self, BeginSearch, Command, FindKeys, Flags, KeySpec, Run};
use crate::keyspace::Key;
use crate::keyspace::write::Expiry;
use crate::resp::reply::Reply;
use crate::stdx::number::{self, INTEGER_TEXT_BYTES_MAX};
use crate::value::listpack::Element;
use crate::value::set::Set;
use crate::value::sorted_set::SortedSet;

use super::{Found, SORTED_SET, compare, limits, reply_count, reply_pair, set_of};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "zunion",
        arity: -3,
        run: Run::Keyed(zunion),
        flags: Flags::READONLY,
        keys: &[KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
            ..spec::one(&["RO", "access"])
        }],
        since: "6.2.0",
        summary: "Returns the members that any of the given sets has.",
        complexity: "O(N + M log M), N members of all sets together and M in the result",
        syntax: "numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM | MIN | MAX)] \
                 [WITHSCORES]",
        ..SORTED_SET
    },
    Command {
        name: "zinter",
        arity: -3,
        run: Run::Keyed(zinter),
        flags: Flags::READONLY,
        keys: &[KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
            ..spec::one(&["RO", "access"])
        }],
        since: "6.2.0",
        summary: "Returns the members that all given sets have.",
        complexity: "O(N*K + M log M), N members of the smallest of K sets and M in the result",
        syntax: "numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM | MIN | MAX)] \
                 [WITHSCORES]",
        ..SORTED_SET
    },
    Command {
        name: "zdiff",
        arity: -3,
        run: Run::Keyed(zdiff),
        flags: Flags::READONLY,
        keys: &[KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
            ..spec::one(&["RO", "access"])
        }],
        since: "6.2.0",
        summary: "Returns the members of the first set that none of the others has.",
        complexity: "O(N + M log M), N members of all sets together and M in the result",
        syntax: "numkeys:integer key... [WITHSCORES]",
        ..SORTED_SET
    },
    Command {
        name: "zunionstore",
        arity: -4,
        run: Run::Keyed(zunionstore),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[
            spec::one(&["OW", "update"]),
            KeySpec {
                begin: BeginSearch::Index(2),
                find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
                ..spec::one(&["RO", "access"])
            },
        ],
        since: "2.0.0",
        summary: "Makes a sorted set of the members that any of the given sets has.",
        complexity: "O(N + M log M), N members of all sets together and M in the result",
        syntax: "destination:key numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM | MIN | \
                 MAX)]",
        ..SORTED_SET
    },
    Command {
        name: "zinterstore",
        arity: -4,
        run: Run::Keyed(zinterstore),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[
            spec::one(&["OW", "update"]),
            KeySpec {
                begin: BeginSearch::Index(2),
                find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
                ..spec::one(&["RO", "access"])
            },
        ],
        since: "2.0.0",
        summary: "Makes a sorted set of the members that all given sets have.",
        complexity: "O(N*K + M log M), N members of the smallest of K sets and M in the result",
        syntax: "destination:key numkeys:integer key... [WEIGHTS weight:integer...] [AGGREGATE aggregate(SUM | MIN | \
                 MAX)]",
        ..SORTED_SET
    },
    Command {
        name: "zdiffstore",
        arity: -4,
        run: Run::Keyed(zdiffstore),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[
            spec::one(&["OW", "update"]),
            KeySpec {
                begin: BeginSearch::Index(2),
                find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
                ..spec::one(&["RO", "access"])
            },
        ],
        since: "6.2.0",
        summary: "Makes a sorted set of the members of the first set that none of the others has.",
        complexity: "O(N + M log M), N members of all sets together and M in the result",
        syntax: "destination:key numkeys:integer key...",
        ..SORTED_SET
    },
    Command {
        name: "zintercard",
        arity: -3,
        run: Run::Keyed(zintercard),
        flags: Flags::READONLY,
        keys: &[KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
            ..spec::one(&["RO", "access"])
        }],
        since: "7.0.0",
        summary: "Counts the members that all given sets have.",
        complexity: "O(N*K), N members of the smallest of K sets",
        syntax: "numkeys:integer key... [LIMIT limit:integer]",
        ..SORTED_SET
    },
];

/// How several sets become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What becomes of the members found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Reply,
    Store,
    Count,
}

/// How the scores of one member become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    /// Infinity and its opposite make 0 together.
    fn merge(self, one: f64, other: f64) -> f64 {
        match self {
            Aggregate::Sum => number_or_zero(one + other),
            Aggregate::Min if other < one => other,
            Aggregate::Max if other > one => other,
            Aggregate::Min | Aggregate::Max => one,
        }
    }
}

fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A sorted or a plain set.
#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Sorted(&'a SortedSet),
    Plain(&'a Set),
}

impl<'a> Source<'a> {
    fn len(self) -> usize {
        match self {
            Source::Sorted(set) => set.len(),
            Source::Plain(set) => set.len(),
        }
    }

    fn is(self, other: Source<'_>) -> bool {
        match (self, other) {
            (Source::Sorted(one), Source::Sorted(other)) => std::ptr::eq(one, other),
            (Source::Plain(one), Source::Plain(other)) => std::ptr::eq(one, other),
            _ => false,
        }
    }

    fn score(self, member: Element<'_>) -> Option<f64> {
        match self {
            Source::Sorted(set) => set.score(member.text(&mut [0; INTEGER_TEXT_BYTES_MAX])),
            Source::Plain(set) => set.contains_element(member).then_some(1.0),
        }
    }

    /// Shows members with their scores until `see` says that it is enough. Integers are shown as such, wherever they come
    /// from, so that equal members are equal elements.
    fn each(self, mut see: impl FnMut(Element<'a>, f64) -> bool) {
        let canonical = |member| if let Element::Bytes(bytes) = member { Element::of(bytes) } else { member };
        match self {
            Source::Sorted(set) => set.iter().all(|entry| see(canonical(entry.member), entry.score())),
            Source::Plain(set) => set.iter().all(|member| see(canonical(member), 1.0)),
        };
    }
}

/// A source with the factor for its scores. No set is as good as an empty one.
#[derive(Clone, Copy, Debug)]
struct Input<'a> {
    source: Option<Source<'a>>,
    weight: f64,
}

impl Input<'_> {
    fn len(&self) -> usize {
        self.source.map_or(0, Source::len)
    }

    fn weighted(&self, score: f64) -> f64 {
        number_or_zero(self.weight * score)
    }
}

type Scores<'a> = AHashMap<Element<'a>, f64>;

/// What stands behind the number of keys, the keys themselves aside.
struct Options {
    weights: Option<usize>,
    aggregate: Aggregate,
    with_scores: bool,
    /// Most members counted; 0 is no limit.
    limit: u64,
}

impl Options {
    /// Reads the arguments from `first` on.
    fn parse(
        args: Args<'_>,
        first: usize,
        keys: usize,
        operation: Operation,
        purpose: Purpose,
    ) -> Result<Options, CommandError> {
        let mut options = Options { weights: None, aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
        let has_scores = operation != Operation::Difference && purpose != Purpose::Count;
        let mut index = first;
        while index < args.len() {
            let left = args.len() - index;
            if has_scores && left > keys && args.is(index, b"weights") {
                for weight in index + 1..=index + keys {
                    self::weight(args, weight)?;
                }
                options.weights = Some(index + 1);
                index += 1 + keys;
            } else if has_scores && left >= 2 && args.is(index, b"aggregate") {
                options.aggregate = aggregate(args.get(index + 1))?;
                index += 2;
            } else if purpose == Purpose::Reply && args.is(index, b"withscores") {
                options.with_scores = true;
                index += 1;
            } else if purpose == Purpose::Count && left >= 2 && args.is(index, b"limit") {
                let limit = args.integer(index + 1).ok().and_then(|limit| u64::try_from(limit).ok());
                options.limit = limit.ok_or(CommandError::Text("ERR LIMIT can't be negative"))?;
                index += 2;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

fn weight(args: Args<'_>, index: usize) -> Result<f64, CommandError> {
    number::parse_double(args.get(index)).ok_or(CommandError::Text("ERR weight value is not a float"))
}

fn aggregate(word: &[u8]) -> Result<Aggregate, CommandError> {
    let known: [(&[u8], Aggregate); 3] = [(b"sum", Aggregate::Sum), (b"min", Aggregate::Min), (b"max", Aggregate::Max)];
    let found = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, aggregate)| aggregate).ok_or(CommandError::Syntax)
}

fn zunion(context: &mut Context<'_>) -> Result<(), CommandError> {
    combine(context, Operation::Union, Purpose::Reply)
}

fn zinter(context: &mut Context<'_>) -> Result<(), CommandError> {
    combine(context, Operation::Intersection, Purpose::Reply)
}

fn zdiff(context: &mut Context<'_>) -> Result<(), CommandError> {
    combine(context, Operation::Difference, Purpose::Reply)
}

fn zunionstore(context: &mut Context<'_>) -> Result<(), CommandError> {
    combine(context, Operation::Union, Purpose::Store)
}

fn zinterstore(context: &mut Context<'_>) -> Result<(), CommandError> {
    combine(context, Operation::Intersection, Purpose::Store)
}

fn zdiffstore(context: &mut Context<'_>) -> Result<(), CommandError> {
    combine(context, Operation::Difference, Purpose::Store)
}

fn zintercard(context: &mut Context<'_>) -> Result<(), CommandError> {
    combine(context, Operation::Intersection, Purpose::Count)
}

fn combine(context: &mut Context<'_>, operation: Operation, purpose: Purpose) -> Result<(), CommandError> {
    let args = context.args;
    let count_at = if purpose == Purpose::Store { 2 } else { 1 };
    let count = args.integer(count_at)?;
    if count < 1 {
        let text = ["ERR at least 1 input key is needed for '", context.command, "' command"].concat();
        return Err(CommandError::Owned(text.into_bytes()));
    }
    let first = count_at + 1;
    let count = usize::try_from(count).ok().filter(|&count| count <= args.len() - first).ok_or(CommandError::Syntax)?;
    let keys: Vec<Key<'_>> = (first..first + count).map(|index| context.key(index)).collect();
    look_up(context, &keys)?;
    let options = Options::parse(args, first + count, count, operation, purpose)?;
    let weights = (0..count).map(|index| options.weights.map_or(Ok(1.0), |first| weight(args, first + index)));
    let inputs = inputs(&context.keyspaces, context.database, &keys, weights)?;
    if purpose == Purpose::Count {
        let count = count_common(inputs, options.limit);
        context.reply.integer(count as i64);
        return Ok(());
    }
    let mut found = match operation {
        Operation::Union => union(inputs, options.aggregate),
        Operation::Intersection => intersection(inputs, options.aggregate),
        Operation::Difference => difference(&inputs),
    };
    if purpose == Purpose::Reply {
        found.sort_unstable_by(compare);
        reply_found(context.reply, &found, options.with_scores);
        return Ok(());
    }
    let result = set_of(found, limits(context.config));
    let (mut key, reply) = context.open(1);
    reply.integer(result.len() as i64);
    key.store(result, Expiry::Never);
    Ok(())
}

/// Looks all keys up, which counts and touches them and removes those whose time has come, and checks their types.
fn look_up(context: &mut Context<'_>, keys: &[Key<'_>]) -> Result<(), CommandError> {
    let (database, turn) = (context.database, context.turn);
    for key in keys {
        if let Some(entry) = context.keyspaces.of(key).read(database, key, turn)
            && entry.collection::<SortedSet>().is_none()
            && entry.collection::<Set>().is_none()
        {
            return Err(CommandError::WrongType);
        }
    }
    Ok(())
}

/// The sets at keys that were looked up.
fn inputs<'k>(
    keyspaces: &'k Keyspaces<'_>,
    database: u32,
    keys: &[Key<'_>],
    weights: impl Iterator<Item = Result<f64, CommandError>>,
) -> Result<Vec<Input<'k>>, CommandError> {
    let source = |key| {
        let entry = keyspaces.find(database, key)?;
        let sorted = entry.collection::<SortedSet>().map(Source::Sorted);
        sorted.or_else(|| entry.collection::<Set>().map(Source::Plain))
    };
    keys.iter().zip(weights).map(|(key, weight)| Ok(Input { source: source(key), weight: weight? })).collect()
}

fn reply_found(reply: &mut Reply, found: &Found<'_>, with_scores: bool) {
    reply_count(reply, found.len(), with_scores);
    for (score, member) in found {
        reply_pair(reply, *member, with_scores.then_some(*score));
    }
}

/// Any set's members. Small sets come first, as in Redis: the order in which scores are added may decide the last digit.
fn union(mut inputs: Vec<Input<'_>>, aggregate: Aggregate) -> Found<'_> {
    inputs.sort_by_key(Input::len);
    let mut scores = Scores::default();
    scores.reserve(inputs.last().map_or(0, Input::len));
    for input in &inputs {
        let Some(source) = input.source else { continue };
        source.each(|member, score| {
            let score = input.weighted(score);
            scores.entry(member).and_modify(|sum| *sum = aggregate.merge(*sum, score)).or_insert(score);
            true
        });
    }
    scores.into_iter().map(|(member, score)| (score, member)).collect()
}

/// Shows the members that all sets have, with the merged scores, until `see` says that it is enough.
fn each_common<'a>(mut inputs: Vec<Input<'a>>, aggregate: Aggregate, mut see: impl FnMut(Element<'a>, f64) -> bool) {
    inputs.sort_by_key(Input::len);
    let Some((smallest, others)) = inputs.split_first() else { return };
    let Some(source) = smallest.source else { return };
    source.each(|member, score| {
        let mut merged = smallest.weighted(score);
        for other in others {
            let Some(other_source) = other.source else { return false };
            let other_score = if other_source.is(source) { Some(score) } else { other_source.score(member) };
            let Some(other_score) = other_score else { return true };
            merged = aggregate.merge(merged, other.weight * other_score);
        }
        see(member, merged)
    });
}

fn intersection(inputs: Vec<Input<'_>>, aggregate: Aggregate) -> Found<'_> {
    let mut found = Vec::new();
    each_common(inputs, aggregate, |member, score| {
        found.push((score, member));
        true
    });
    found
}

fn count_common(inputs: Vec<Input<'_>>, limit: u64) -> u64 {
    let mut count = 0;
    each_common(inputs, Aggregate::Sum, |_, _| {
        count += 1;
        count != limit
    });
    count
}

/// The members of the first set that no other has.
fn difference<'a>(inputs: &[Input<'a>]) -> Found<'a> {
    let mut found = Vec::new();
    let Some(first) = inputs[0].source else { return found };
    let mut others: Vec<Source<'_>> = inputs[1..].iter().filter_map(|input| input.source).collect();
    if others.iter().any(|other| other.is(first)) {
        return found;
    }
    others.sort_by_key(|other| std::cmp::Reverse(other.len()));
    // Asking the others for every member takes about half the time that removing all of theirs does, step for step.
    let questions = first.len().saturating_mul(inputs.len()) / 2;
    let steps = first.len() + others.iter().map(|other| other.len()).sum::<usize>();
    if questions <= steps {
        first.each(|member, score| {
            if others.iter().all(|other| other.score(member).is_none()) {
                found.push((score, member));
            }
            true
        });
        return found;
    }
    let mut scores = Scores::default();
    first.each(|member, score| {
        scores.insert(member, score);
        true
    });
    for other in others {
        other.each(|member, _| {
            scores.remove(&member);
            !scores.is_empty()
        });
    }
    scores.into_iter().map(|(member, score)| (score, member)).collect()
}

#[cfg(test)]
#[path = "combine_tests.rs"]
mod tests;
