//! The list family: one file per kind of command, rows beside their handlers.
//!
//! `push` LPUSH and its kin; `pop` LPOP, RPOP and LMPOP; `read` LLEN, LINDEX, LRANGE; `position` LPOS; `edit` LSET,
//! LINSERT, LREM, LTRIM; `transfer` LMOVE and RPOPLPUSH; `blocking` the forms that wait. What several of them need stands here.

pub mod blocking;
pub mod edit;
pub mod pop;
pub mod position;
pub mod push;
pub mod read;
pub mod transfer;

use std::ops::ControlFlow;
use std::sync::atomic::Ordering::Relaxed;

use crate::config::Config;
use crate::keyspace::write::KeyWrite;
use crate::resp::reply::Reply;
use crate::stats::server::ServerFacts;
use crate::stdx::limits::SHARED_VALUE_BYTES_MIN;
use crate::value::list::{End, Item, Limits, List, NewElement};
use crate::value::listpack::Element;

use super::args::Args;
use super::context::Context;
use super::error::CommandError;
use super::spec::{self, Categories, Command, KeySpec};

/// What the rows of this family have in common.
const LIST: Command = Command { categories: Categories::LIST, group: "list", ..Command::BASE };

/// One key, elements of which are returned and removed.
const KEY_POP: &[KeySpec] = &[spec::one(&["RW", "access", "delete"])];
/// One key that elements are added to.
const KEY_INSERT: &[KeySpec] = &[spec::one(&["RW", "insert"])];

/// The one 64-bit integer that has no negative.
const OUT_OF_RANGE: CommandError =
    CommandError::Text("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");

/// How much goes into the nodes of a list now.
#[inline]
pub fn limits(context: &Context<'_>) -> Limits {
    node_limits(context.config, context.server)
}

/// The same for whoever has no context.
pub(super) fn node_limits(config: &Config, server: &ServerFacts) -> Limits {
    Limits {
        node: config.get_i64(crate::param!("list-max-listpack-size")) as i32,
        plain_bytes_min: server.list_plain_bytes_min.load(Relaxed),
    }
}

/// An argument as an element of a list.
#[inline]
fn element<'a>(args: &Args<'a>, index: usize) -> NewElement<'a> {
    NewElement { bytes: args.get(index), shared: args.shared(index) }
}

/// LEFT or RIGHT.
fn side(args: &Args<'_>, index: usize) -> Result<End, CommandError> {
    if args.is(index, b"LEFT") {
        Ok(End::Front)
    } else if args.is(index, b"RIGHT") {
        Ok(End::Back)
    } else {
        Err(CommandError::Syntax)
    }
}

/// Replies with an element. A large one goes along by reference.
#[inline]
fn reply_item(reply: &mut Reply, item: Item<'_>) {
    match item {
        Item::Packed(Element::Integer(integer)) => reply.bulk_integer(integer),
        Item::Packed(Element::Bytes(bytes)) => reply.bulk(bytes),
        Item::Plain(bytes) if bytes.len() < SHARED_VALUE_BYTES_MIN => reply.bulk(bytes),
        Item::Plain(bytes) => reply.bulk_shared(bytes.clone()),
    }
}

/// Replies with an array of `count` elements, which exist, from the one at an index towards an end.
fn reply_range(reply: &mut Reply, list: &List, start: usize, count: usize, towards: End) {
    reply.array(count);
    let mut left = count;
    if count == 0 {
        return;
    }
    list.walk(start, towards, |item| {
        reply_item(reply, item);
        left -= 1;
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
}

/// Replies with the `count` elements nearest to an end, in the order of popping them one by one, and removes them; all are there.
fn pop_range(reply: &mut Reply, list: &mut List, end: End, count: usize) {
    let len = list.len();
    match end {
        End::Front => {
            reply_range(reply, list, 0, count, End::Back);
            list.remove_range(0, count);
        }
        End::Back => {
            reply_range(reply, list, len - 1, count, End::Front);
            list.remove_range(len - count, count);
        }
    }
}

/// The log is told which list elements were taken from.
fn record_pop(key: &mut KeyWrite<'_>, end: End, count: Option<usize>) {
    let name = if end == End::Front { "LPOP" } else { "RPOP" };
    match count {
        None => key.effect(name, &[]),
        Some(count) => key.effect_number(name, count as i64),
    }
}

/// Elements were removed from the list at a key: counts them, and removes the key when none is left.
#[inline]
fn finish_removal(key: &mut KeyWrite<'_>, removed: usize, limits: Limits) -> Result<(), CommandError> {
    if let Some(list) = key.collection::<List>()? {
        list.shrink(limits);
    }
    key.changed(removed);
    key.remove_if_empty::<List>();
    Ok(())
}

/// The elements from `start` to `stop`, both included and counted from the end when negative, of a list of `len`.
fn range(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    // A list is far shorter than 2^63 elements, and a negative number plus a length cannot overflow.
    let len = len as i64;
    let place = |index: i64| if index < 0 { index + len } else { index };
    let (start, stop) = (place(start).max(0), place(stop).min(len - 1));
    if start > stop || start >= len { 0..0 } else { start as usize..stop as usize + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let table: &[(i64, i64, usize, std::ops::Range<usize>)] = &[
            (0, -1, 5, 0..5),
            (1, 3, 5, 1..4),
            (-2, -1, 5, 3..5),
            (-100, 100, 5, 0..5),
            (3, 2, 5, 0..0),
            (5, 5, 5, 0..0),
            (0, -6, 5, 0..0),
            (i64::MIN, i64::MAX, 5, 0..5),
            (i64::MAX, i64::MIN, 5, 0..0),
            (0, 0, 0, 0..0),
        ];
        for (start, stop, len, expected) in table {
            assert_eq!(range(*start, *stop, *len), *expected, "{start} {stop} of {len}");
        }
    }
}
