//! SORT and SORT_RO: the elements of a list, set or sorted set in order, or what other keys hold for them.
//!
//! Patterns (`pattern`) name keys by the elements' texts, so where those keys lie is not known before: a request with one
//! runs with all keyspaces in hand. What is sorted is copied first, since looking up keys needs the keyspaces.

mod elements;
mod pattern;

use crate::keyspace::write::Expiry;
use crate::stdx::number;
use crate::value::list::{End, List, NewElement};

use super::args::Args;
use super::blocking::Waiting;
use super::context::Context;
use super::error::CommandError;
use super::keys::FoundKey;
use super::list;
use super::spec::{BeginSearch, Categories, Command, FindKeys, Flags, KeySpec, Run, key_at};
use elements::{Elements, Source};
use pattern::Pattern;

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "sort",
        run: Run::KeyedOrAllShards { needs_all: needs_all_shards, handler: sort },
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[key_at(1, &["RO", "access"]), NAMED_BY_ELEMENTS, STORED],
        summary: "Sorts the elements of a list, a set or a sorted set, and may store the result.",
        syntax: "key [BY by-pattern<pattern>:pattern#1] [LIMIT limit{offset:integer count:integer}] \
                 [GET get-pattern<pattern>:pattern#1]... [order(ASC | DESC)] [sorting=ALPHA] [STORE destination:key#2]",
        find_keys: Some(keys_of_sort),
        ..SORT
    },
    Command {
        name: "sort_ro",
        run: Run::KeyedOrAllShards { needs_all: needs_all_shards, handler: sort_read_only },
        flags: Flags::READONLY,
        keys: &[key_at(1, &["RO", "access"]), NAMED_BY_ELEMENTS],
        since: "7.0.0",
        summary: "Returns the elements of a list, a set or a sorted set in order.",
        syntax: "key [BY by-pattern<pattern>:pattern#1] [LIMIT limit{offset:integer count:integer}] \
                 [GET get-pattern<pattern>:pattern#1]... [order(ASC | DESC)] [sorting=ALPHA]",
        find_keys: Some(keys_of_sort_read_only),
        ..SORT
    },
];

const SORT: Command = Command {
    arity: -2,
    categories: Categories::SET.and(Categories::SORTEDSET).and(Categories::LIST).and(Categories::DANGEROUS),
    group: "generic",
    complexity: "O(N+M*log(M)), N elements and M of them returned; O(N) when they are not sorted",
    ..Command::BASE
};

const NAMED_BY_ELEMENTS: KeySpec = KeySpec {
    flags: &["RO", "access"],
    begin: BeginSearch::Unknown,
    find: FindKeys::Unknown,
    notes: "The keys that `BY` and `GET` name, which depend on the elements that are sorted",
};

const STORED: KeySpec = KeySpec {
    flags: &["OW", "update"],
    begin: BeginSearch::Unknown,
    find: FindKeys::Unknown,
    notes: "The key behind `STORE`, which may stand anywhere",
};

/// The keys of SORT that can be told: what is sorted, and where the result goes.
fn keys_of_sort(args: Args<'_>, visit: &mut dyn FnMut(FoundKey)) -> bool {
    keys_of_sort_read_only(args, visit);
    let (mut at, mut store) = (2, None);
    while at < args.len() {
        if args.is(at, b"store") && at + 1 < args.len() {
            store = Some(at + 1);
        }
        at += Options::arguments(args, at);
    }
    if let Some(argument) = store {
        visit(FoundKey { argument, flags: &["OW", "update"] });
    }
    true
}

fn keys_of_sort_read_only(_: Args<'_>, visit: &mut dyn FnMut(FoundKey)) -> bool {
    visit(FoundKey { argument: 1, flags: &["RO", "access"] });
    true
}

/// All that is asked for.
struct Options<'a> {
    descending: bool,
    alpha: bool,
    /// Elements to be left out at the beginning, and how many follow (negative: all).
    limit: (i64, i64),
    by: Option<Pattern<'a>>,
    /// A BY without a star stands among the options: nothing is sorted, even when a real pattern follows.
    unsorted: bool,
    /// Arguments of the GET patterns: their number.
    gets: usize,
    store: Option<usize>,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>, may_store: bool) -> Result<Options<'a>, CommandError> {
        let mut options = Options {
            descending: false,
            alpha: false,
            limit: (0, -1),
            by: None,
            unsorted: false,
            gets: 0,
            store: None,
        };
        let mut at = 2;
        while at < args.len() {
            let behind = args.len() - at - 1;
            at += if args.is(at, b"asc") {
                options.descending = false;
                1
            } else if args.is(at, b"desc") {
                options.descending = true;
                1
            } else if args.is(at, b"alpha") {
                options.alpha = true;
                1
            } else if args.is(at, b"limit") && behind >= 2 {
                options.limit = (args.integer(at + 1)?, args.integer(at + 2)?);
                3
            } else if may_store && args.is(at, b"store") && behind >= 1 {
                options.store = Some(at + 1);
                2
            } else if args.is(at, b"by") && behind >= 1 {
                let by = Pattern::new(args.get(at + 1));
                options.unsorted |= !by.names_keys();
                options.by = Some(by);
                2
            } else if args.is(at, b"get") && behind >= 1 {
                options.gets += 1;
                2
            } else {
                return Err(CommandError::Syntax);
            };
        }
        Ok(options)
    }

    /// The GET patterns in order, of arguments that were parsed.
    fn gets(args: Args<'a>) -> impl Iterator<Item = Pattern<'a>> {
        let mut at = 2;
        std::iter::from_fn(move || {
            while at < args.len() {
                let (option, step) = (at, Options::arguments(args, at));
                at += step;
                if args.is(option, b"get") {
                    return Some(Pattern::new(args.get(option + 1)));
                }
            }
            None
        })
    }

    /// How many arguments the option at `at` takes, itself included.
    fn arguments(args: Args<'_>, at: usize) -> usize {
        match () {
            () if args.is(at, b"limit") => 3,
            () if args.is(at, b"by") || args.is(at, b"get") || args.is(at, b"store") => 2,
            () => 1,
        }
    }
}

/// A pattern of SORT that may name keys beyond those of the key specifications.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutsidePattern {
    /// Behind BY.
    By,
    /// Behind GET.
    Get,
}

/// The first such pattern of a request, unless something before it is wrong (the handler will say what).
pub fn first_outside_pattern(args: Args<'_>, may_store: bool) -> Option<OutsidePattern> {
    let mut at = 2;
    while at < args.len() {
        let behind = args.len() - at - 1;
        at += match () {
            () if args.is(at, b"asc") || args.is(at, b"desc") || args.is(at, b"alpha") => 1,
            () if args.is(at, b"limit") && behind >= 2 => {
                args.integer(at + 1).and(args.integer(at + 2)).ok()?;
                3
            }
            () if args.is(at, b"store") && behind >= 1 && may_store => 2,
            () if args.is(at, b"by") && behind >= 1 && memchr::memchr(b'*', args.get(at + 1)).is_some() => {
                return Some(OutsidePattern::By);
            }
            () if args.is(at, b"by") && behind >= 1 => 2,
            () if args.is(at, b"get") && behind >= 1 => return Some(OutsidePattern::Get),
            () => return None,
        };
    }
    None
}

/// Keys that elements name may lie in any shard. A request that will be refused goes where its first key lies.
fn needs_all_shards(args: Args<'_>) -> bool {
    Options::parse(args, true).is_ok_and(|options| {
        let sorts_by_keys = !options.unsorted && options.by.is_some();
        sorts_by_keys || options.gets > 0 && Options::gets(args).any(|get| get.names_keys())
    })
}

fn sort(context: &mut Context<'_>) -> Result<(), CommandError> {
    sort_and_reply(context, true)
}

fn sort_read_only(context: &mut Context<'_>) -> Result<(), CommandError> {
    sort_and_reply(context, false)
}

fn sort_and_reply(context: &mut Context<'_>, may_store: bool) -> Result<(), CommandError> {
    let mut options = Options::parse(context.args, may_store)?;
    let source = Source::of(context)?;
    let is_kept = options.store.is_some() || context.waiting == Waiting::DeniedToScript;
    if options.unsorted && is_kept && source == Source::Set {
        // A set has no order of its own that replicas would share, so what is stored, or seen by a script, is sorted by
        // something.
        (options.unsorted, options.alpha, options.by) = (false, true, None);
    }
    let elements = if options.unsorted {
        Elements::in_order(context, options.descending, options.limit)
    } else {
        let mut elements = Elements::all(context);
        elements.weigh(context, options.by.as_ref(), options.alpha)?;
        elements.sort(options.descending, options.limit);
        elements
    };
    match options.store {
        Some(destination) => store(context, &elements, options.gets > 0, destination),
        None => reply(context, &elements, options.gets),
    }
}

/// Replies with the elements, or with what the GET patterns find for them.
fn reply(context: &mut Context<'_>, elements: &Elements, gets: usize) -> Result<(), CommandError> {
    context.reply.array(elements.len() * gets.max(1));
    for element in elements.iter() {
        if gets == 0 {
            context.reply.bulk(element);
        } else {
            Options::gets(context.args).for_each(|get| get.reply(context, element));
        }
    }
    Ok(())
}

/// Stores what `reply` would reply as a list.
fn store(context: &mut Context<'_>, elements: &Elements, gets: bool, destination: usize) -> Result<(), CommandError> {
    let limits = list::limits(context);
    let mut result = List::loading(limits);
    for element in elements.iter() {
        if gets {
            for get in Options::gets(context.args) {
                get.with_value(context, element, |value| {
                    result.push(End::Back, NewElement::new(value.unwrap_or_default()), limits);
                });
            }
        } else {
            result.push(End::Back, NewElement::new(element), limits);
        }
    }
    result.settle(limits);
    let len = result.len();
    let (mut key, reply) = context.open(destination);
    key.store(result, Expiry::Never);
    // Redis counts a change for each element.
    key.changed(len.saturating_sub(1));
    reply.integer(len as i64);
    Ok(())
}

/// A number to sort by as C's `strtod` reads it: nothing is 0, spaces may precede it, and it ends at a zero byte.
fn weight(text: &[u8]) -> Option<f64> {
    let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
    if text.is_empty() {
        return Some(0.0);
    }
    let spaces = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    number::parse_double(&text[spaces..])
}

#[cfg(test)]
#[path = "sort_tests.rs"]
mod tests;
