//! Adding members and changing scores: ZADD and ZINCRBY.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::stdx::number;
use crate::value::sorted_set::{Change, SortedSet};

use super::{SORTED_SET, limits};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "zadd",
        arity: -4,
        run: Run::Keyed(zadd),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: spec::KEY_UPDATE,
        member: 3,
        since: "1.2.0",
        summary: "Adds members to a sorted set, or gives them other scores.",
        complexity: "O(M log N), M members given and N in the set",
        syntax: "key [condition(NX | XX)@3.0.2] [comparison(GT | LT)@6.2.0] [change=CH@3.0.2] [increment=INCR@3.0.2] \
                 data{score:double member}...",
        history: &[
            ("2.4.0", "Takes several members."),
            ("3.0.2", "Takes XX, NX, CH and INCR."),
            ("6.2.0", "Takes GT and LT."),
        ],
        ..SORTED_SET
    },
    Command {
        name: "zincrby",
        arity: 4,
        run: Run::Keyed(zincrby),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: spec::KEY_READ_UPDATE,
        member: 3,
        since: "1.2.0",
        summary: "Adds a number to the score of a member, which is 0 for one that is new.",
        complexity: "O(log N), N members of the set",
        syntax: "key increment:integer member",
        ..SORTED_SET
    },
];

/// The words behind the key.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::command) struct Options {
    /// NX: no member is changed that is there.
    pub only_new: bool,
    /// XX: no member is added.
    pub only_old: bool,
    /// GT: no score is lowered.
    pub only_greater: bool,
    /// LT: no score is raised.
    pub only_less: bool,
    /// CH: the reply counts changed scores too.
    pub counts_changed: bool,
    /// INCR: the score is added to the old one.
    pub increments: bool,
    /// The argument of the first score.
    pub first: usize,
}

impl Options {
    /// Reads them, and checks that pairs of scores and members follow.
    fn parse(args: Args<'_>, increments: bool) -> Result<Options, CommandError> {
        let mut options = Options { increments, first: 2, ..Options::default() };
        while options.first < args.len() {
            let index = options.first;
            if args.is(index, b"nx") {
                options.only_new = true;
            } else if args.is(index, b"xx") {
                options.only_old = true;
            } else if args.is(index, b"ch") {
                options.counts_changed = true;
            } else if args.is(index, b"incr") {
                options.increments = true;
            } else if args.is(index, b"gt") {
                options.only_greater = true;
            } else if args.is(index, b"lt") {
                options.only_less = true;
            } else {
                break;
            }
            options.first += 1;
        }
        options.check(args.len() - options.first)?;
        Ok(options)
    }

    fn check(&self, arguments_left: usize) -> Result<(), CommandError> {
        if arguments_left == 0 || !arguments_left.is_multiple_of(2) {
            return Err(CommandError::Syntax);
        }
        if self.only_new && self.only_old {
            return Err(CommandError::Text("ERR XX and NX options at the same time are not compatible"));
        }
        if [self.only_new, self.only_greater, self.only_less].iter().filter(|is_set| **is_set).count() > 1 {
            return Err(CommandError::Text("ERR GT, LT, and/or NX options at the same time are not compatible"));
        }
        if self.increments && arguments_left > 2 {
            return Err(CommandError::Text("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    /// The score a member shall have that has the score `old`; none when it shall stay as it is.
    #[inline]
    fn decide(&self, old: Option<f64>, given: f64) -> Result<Option<f64>, CommandError> {
        let Some(old) = old else { return Ok(Some(given).filter(|_| !self.only_old)) };
        if self.only_new {
            return Ok(None);
        }
        let new = if self.increments { old + given } else { given };
        if new.is_nan() {
            return Err(CommandError::Text("ERR resulting score is not a number (NaN)"));
        }
        let is_refused = (self.only_less && new >= old) || (self.only_greater && new <= old);
        Ok(Some(new).filter(|_| !is_refused))
    }
}

fn zadd(context: &mut Context<'_>) -> Result<(), CommandError> {
    add_scores(context, false)
}

fn zincrby(context: &mut Context<'_>) -> Result<(), CommandError> {
    add_scores(context, true)
}

fn add_scores(context: &mut Context<'_>, increments: bool) -> Result<(), CommandError> {
    let args = context.args;
    let options = Options::parse(args, increments)?;
    let score = |index| number::parse_double(args.get(index)).ok_or(CommandError::NotAFloat);
    // Nothing is changed unless all scores are numbers.
    for index in (options.first..args.len()).step_by(2) {
        score(index)?;
    }
    add(context, &options, 2, score)
}

/// Adds the members behind the options, which stand at the end of every `step` arguments; `score` tells the score of those
/// that begin at an argument.
pub(in crate::command) fn add(
    context: &mut Context<'_>,
    options: &Options,
    step: usize,
    score: impl Fn(usize) -> Result<f64, CommandError>,
) -> Result<(), CommandError> {
    let args = context.args;
    let limits = limits(context.config);
    let count = (args.len() - options.first) / step;
    let (mut key, reply) = context.open(1);
    if key.collection::<SortedSet>()?.is_none() && options.only_old {
        if options.increments {
            reply.null()
        } else {
            reply.integer(0)
        }
        return Ok(());
    }
    let first_member = args.get(options.first + step - 1);
    let set = key.collection_or(|| SortedSet::new(count, first_member.len(), limits))?;
    set.reserve(count, limits);
    let (mut added, mut updated, mut result) = (0, 0, None);
    for index in (options.first..args.len()).step_by(step) {
        let given = score(index)?;
        let mut decided = Ok(None);
        let change = set.update(args.get(index + step - 1), limits, |old| {
            decided = options.decide(old, given);
            decided.as_ref().ok().copied().flatten()
        });
        // An error comes from INCR alone, which has a single pair: nothing was changed before.
        result = decided?;
        match change {
            Change::Added => added += 1,
            Change::Updated(_) => updated += 1,
            Change::Kept(_) | Change::Absent => {}
        }
    }
    key.changed(added + updated);
    match (options.increments, result) {
        (true, Some(score)) => reply.double(score),
        (true, None) => reply.null(),
        (false, _) => reply.integer((added + if options.counts_changed { updated } else { 0 }) as i64),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    const NO_FLOAT: &str = "-ERR value is not a valid float\r\n";
    const SYNTAX: &str = "-ERR syntax error\r\n";
    const COMPARISON: &str = "-ERR GT, LT, and/or NX options at the same time are not compatible\r\n";

    #[test]
    fn adding() {
        check(&[
            ("ZADD z 1 a 2 b 1.5 c", ":3\r\n"),
            ("ZADD z 1 a 3 b 4 d", ":1\r\n"),
            ("ZADD z CH 1 a 4 b 5 e", ":2\r\n"),
            ("ZADD z 7 a 8 a", ":0\r\n"),
            ("ZSCORE z a", "$1\r\n8\r\n"),
            ("ZADD z NX 9 a 9 f", ":1\r\n"),
            ("ZADD z XX 9 a 9 g", ":0\r\n"),
            ("ZADD z XX CH 10 a 9 g", ":1\r\n"),
            ("ZADD z GT CH 9 a 11 f 1 h", ":2\r\n"),
            ("ZADD z LT CH 9 a 12 f 1 h", ":1\r\n"),
            ("ZADD z inf a -inf b +inf c", ":0\r\n"),
            ("ZRANGE z 0 -1", "*7\r\n$1\r\nb\r\n$1\r\nh\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n$1\r\na\r\n$1\r\nc\r\n"),
            ("ZADD x XX 1 a", ":0\r\n"),
            ("EXISTS x", ":0\r\n"),
            ("SET s x", "+OK\r\n"),
            ("ZADD s 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("ZADD s x a", NO_FLOAT),
        ]);
    }

    #[test]
    fn what_is_refused() {
        check(&[
            ("ZADD z 1", "-ERR wrong number of arguments for 'zadd' command\r\n"),
            ("ZADD z 1 a 2", SYNTAX),
            ("ZADD z NX XX", SYNTAX),
            ("ZADD z nan a", NO_FLOAT),
            ("ZADD z 1 a x b", NO_FLOAT),
            ("ZADD z '' a", NO_FLOAT),
            ("ZADD z ' 1' a", NO_FLOAT),
            ("ZADD z NX XX 1 a", "-ERR XX and NX options at the same time are not compatible\r\n"),
            ("ZADD z NX GT 1 a", COMPARISON),
            ("ZADD z GT LT 1 a", COMPARISON),
            ("ZADD z LT NX 1 a", COMPARISON),
            ("ZADD z INCR 1 a 2 b", "-ERR INCR option supports a single increment-element pair\r\n"),
            ("EXISTS z", ":0\r\n"),
        ]);
    }

    #[test]
    fn incrementing() {
        check(&[
            ("ZINCRBY z 1.5 a", "$3\r\n1.5\r\n"),
            ("ZINCRBY z -0.5 a", "$1\r\n1\r\n"),
            ("ZADD z INCR 2 a", "$1\r\n3\r\n"),
            ("ZADD z INCR NX 2 a", "$-1\r\n"),
            ("ZADD z INCR XX 2 b", "$-1\r\n"),
            ("ZADD z INCR GT -1 a", "$-1\r\n"),
            ("ZADD z INCR GT 0 a", "$-1\r\n"),
            ("ZADD z INCR LT -1 a", "$1\r\n2\r\n"),
            ("ZADD z INCR 0 a", "$1\r\n2\r\n"),
            ("ZADD y INCR XX 2 b", "$-1\r\n"),
            ("ZINCRBY z inf a", "$3\r\ninf\r\n"),
            ("ZINCRBY z -inf a", "-ERR resulting score is not a number (NaN)\r\n"),
            ("ZINCRBY z -inf b", "$4\r\n-inf\r\n"),
            ("ZINCRBY z x b", NO_FLOAT),
            ("ZINCRBY z nx b", SYNTAX),
        ]);
        let mut harness = Harness::new(1);
        harness.resp3();
        assert_eq!(harness.run("ZINCRBY z 0.1 a"), ",0.1\r\n");
        assert_eq!(harness.run("ZADD z INCR XX 1 b"), "_\r\n");
    }

    #[test]
    fn changes_are_counted_as_redis_does() {
        let mut harness = Harness::new(1);
        for (line, changes) in [
            ("ZADD z 1 a 2 b", 2),
            ("ZADD z 1 a 3 b 4 c", 4),
            ("ZADD z 1 a", 4),
            ("ZADD z XX 1 x", 4),
            ("ZADD y XX 1 x", 4),
            ("ZINCRBY z 0 a", 4),
            ("ZINCRBY z 1 a", 5),
            ("ZADD z x a", 5),
        ] {
            harness.run(line);
            assert_eq!(harness.counters().changes, changes, "{line}");
        }
    }

    #[test]
    fn sets_grow_when_redis_lets_them() {
        let mut harness = Harness::new(1);
        let encoding = |harness: &mut Harness, key: &str| harness.run(&format!("OBJECT ENCODING {key}"));
        harness.configure("zset-max-listpack-entries", "3");
        harness.configure("zset-max-listpack-value", "4");
        harness.run("ZADD z 1 a 2 b 3 c");
        assert_eq!(encoding(&mut harness, "z"), "$8\r\nlistpack\r\n");
        harness.run("ZADD z XX 1 a 2 b 3 c 4 d");
        assert_eq!(encoding(&mut harness, "z"), "$8\r\nskiplist\r\n", "more pairs than fit, whatever they are");
        harness.run("ZADD y 1 a 2 a 3 a 4 a");
        assert_eq!(encoding(&mut harness, "y"), "$8\r\nskiplist\r\n");
        harness.run("ZADD x 1 abcd");
        assert_eq!(encoding(&mut harness, "x"), "$8\r\nlistpack\r\n");
        harness.run("ZADD x 1 abcde");
        assert_eq!(encoding(&mut harness, "x"), "$8\r\nskiplist\r\n");
    }
}
