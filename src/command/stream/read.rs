//! XREAD and XREADGROUP: what is new in several streams, for anyone or for a consumer of a group.

use crate::command::args::Args;
use crate::command::blocking::{TimeoutReply, Wait, WaitKeys, until_ms_of_milliseconds};
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::keys::FoundKey;
use crate::command::spec::{BeginSearch, Command, FindKeys, Flags, KeySpec, Run};
use crate::resp::reply::{Protocol, Reply};
use crate::value::object::ObjectType;
use crate::value::stream::group::{ConsumerIndex, Group, Pending};
use crate::value::stream::id::{ID_TEXT_BYTES_MAX, until_nul};
use crate::value::stream::log::Log;
use crate::value::stream::{Stream, StreamId};

use super::{INVALID_ID, STREAM, no_key_or_group, record, reply_entries, reply_entry, reply_id};

const fn behind_streams(start_from: i32) -> KeySpec {
    KeySpec {
        flags: &["RO", "access"],
        begin: BeginSearch::Keyword("STREAMS", start_from),
        find: FindKeys::Range { last: -1, step: 1, limit: 2 },
        notes: "",
    }
}

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "xread",
        arity: -4,
        run: Run::Keyed(xread),
        flags: Flags::BLOCKING.and(Flags::READONLY),
        keys: &[behind_streams(1)],
        summary: "Returns entries of streams behind given IDs; may wait until there are some.",
        complexity: "O(log(S)+N) for each stream, S entries in it and N returned",
        syntax: "[COUNT count:integer] [BLOCK milliseconds:integer] STREAMS streams{key... id...}",
        find_keys: Some(keys_of_read),
        ..STREAM
    },
    Command {
        name: "xreadgroup",
        arity: -7,
        run: Run::Keyed(xreadgroup),
        flags: Flags::BLOCKING.and(Flags::WRITE),
        keys: &[behind_streams(4)],
        summary: "Returns entries of streams that are new to a group, or pending for a consumer; may wait for new ones.",
        complexity: "O(log(S)+N*log(P)) for each stream, S entries in it, N returned and P pending",
        syntax: "GROUP group-block{group consumer} [COUNT count:integer] [BLOCK milliseconds:integer] [NOACK] \
                 STREAMS streams{key... id...}",
        find_keys: Some(keys_of_read),
        ..STREAM
    },
];

/// The keys as the handlers read them: any argument may be the word STREAMS, so a search for it can be misled.
fn keys_of_read(args: Args<'_>, visit: &mut dyn FnMut(FoundKey)) -> bool {
    let mut index = 1;
    while index < args.len() {
        index += if args.is(index, b"BLOCK") || args.is(index, b"COUNT") {
            2
        } else if args.is(index, b"GROUP") {
            3
        } else if args.is(index, b"NOACK") {
            1
        } else {
            break;
        };
    }
    if index >= args.len() || !args.is(index, b"STREAMS") {
        return false;
    }
    let (first, rest) = (index + 1, args.len() - index - 1);
    if rest == 0 || !rest.is_multiple_of(2) {
        return false;
    }
    for argument in first..first + rest / 2 {
        visit(FoundKey { argument, flags: &["RO", "access"] });
    }
    true
}

/// What is asked for.
struct Request<'a> {
    args: Args<'a>,
    /// Group and consumer.
    group: Option<(&'a [u8], &'a [u8])>,
    no_ack: bool,
    /// Entries of each stream at most.
    count: usize,
    /// Until when to wait when there is nothing; `Some(None)` is for ever.
    block_until_ms: Option<Option<i64>>,
    /// Where the keys begin; their IDs follow.
    first: usize,
    streams: usize,
}

impl<'a> Request<'a> {
    fn parse(context: &Context<'a>) -> Result<Request<'a>, CommandError> {
        let (args, is_group) = (context.args, context.command == "xreadgroup");
        let mut request =
            Request { args, group: None, no_ack: false, count: 0, block_until_ms: None, first: 0, streams: 0 };
        let mut index = 1;
        while index < args.len() {
            let more = args.len() - index - 1;
            if args.is(index, b"BLOCK") && more > 0 {
                index += 1;
                request.block_until_ms = Some(until_ms_of_milliseconds(args, index, context.turn.now_ms)?);
            } else if args.is(index, b"COUNT") && more > 0 {
                index += 1;
                request.count = args.integer(index)?.max(0) as usize;
            } else if args.is(index, b"STREAMS") && more > 0 {
                if !more.is_multiple_of(2) {
                    return Err(unbalanced(context.command, is_group));
                }
                (request.first, request.streams) = (index + 1, more / 2);
                break;
            } else if args.is(index, b"GROUP") && more > 1 {
                if !is_group {
                    return Err(only_for_groups("GROUP"));
                }
                request.group = Some((args.get(index + 1), args.get(index + 2)));
                index += 2;
            } else if args.is(index, b"NOACK") {
                if !is_group {
                    return Err(only_for_groups("NOACK"));
                }
                request.no_ack = true;
            } else {
                return Err(CommandError::Syntax);
            }
            index += 1;
        }
        if request.first == 0 {
            return Err(CommandError::Syntax);
        }
        if is_group && request.group.is_none() {
            return Err(CommandError::Text("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(request)
    }

    fn keys(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.streams
    }

    fn id_argument(&self, key_at: usize) -> &'a [u8] {
        self.args.get(key_at + self.streams)
    }

    /// Where XREAD begins in a stream: behind this ID.
    fn read_after(&self, key_at: usize, stream: Option<&Stream>) -> Result<StreamId, CommandError> {
        let last_id = stream.map(|stream| stream.log().last_id());
        match (until_nul(self.id_argument(key_at)), last_id) {
            (b"$", last_id) => Ok(last_id.unwrap_or_default()),
            (b"+", None) => Ok(StreamId::MIN),
            (b"+", Some(last_id)) => {
                last_id.previous().ok_or(CommandError::Text("ERR the stream last element ID is 0-0"))
            }
            (b">", _) => Err(CommandError::Text(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
            )),
            (text, _) => StreamId::parse(text, 0).ok_or(INVALID_ID),
        }
    }

    /// Where XREADGROUP begins: behind this ID in what is pending, or none for what is new to the group.
    fn history_after(&self, key_at: usize) -> Result<Option<StreamId>, CommandError> {
        let text = until_nul(self.id_argument(key_at));
        match text {
            b"$" | b"+" => Err(meaningless(text)),
            b">" => Ok(None),
            // As in Redis the greatest ID stands for `>`.
            _ => Ok(Some(StreamId::parse(text, 0).ok_or(INVALID_ID)?).filter(|&id| id != StreamId::MAX)),
        }
    }

    /// Entries of a stream at most, where 0 means all.
    fn count_max(&self) -> usize {
        if self.count == 0 { usize::MAX } else { self.count }
    }
}

fn unbalanced(command: &str, is_group: bool) -> CommandError {
    let symbol = if is_group { ">" } else { "$" };
    let before = ["ERR Unbalanced '", command, "' list of streams: for each stream key an ID or '", symbol];
    CommandError::Owned([&before.concat(), "' must be specified."].concat().into_bytes())
}

fn only_for_groups(option: &str) -> CommandError {
    let after = " option is only supported by XREADGROUP. You called XREAD instead.";
    CommandError::Owned(["ERR The ", option, after].concat().into_bytes())
}

fn meaningless(id: &[u8]) -> CommandError {
    let between = " ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
                   specifying a proper ID, or use the > ID to get new messages. The ";
    let after = " ID would just return an empty result set.";
    CommandError::Owned([b"ERR The ", id, between.as_bytes(), id, after.as_bytes()].concat())
}

/// The reply of both commands while it is being written: begun with the first stream that has something.
#[derive(Default)]
struct Served {
    deferred: Option<crate::resp::reply::Deferred>,
    count: usize,
}

impl Served {
    /// A stream follows.
    fn begin(&mut self, reply: &mut Reply, key: &[u8]) {
        self.deferred.get_or_insert_with(|| reply.deferred());
        self.count += 1;
        if reply.protocol == Protocol::Resp2 {
            reply.array(2);
        }
        reply.bulk(key);
    }

    /// Ends the reply; false when nothing was written.
    fn finish(self, reply: &mut Reply) -> bool {
        let Some(deferred) = self.deferred else { return false };
        match reply.protocol {
            Protocol::Resp2 => reply.finish_array(deferred, self.count),
            Protocol::Resp3 => reply.finish_map(deferred, self.count),
        }
        true
    }
}

/// Ends the reply, or lets the client wait; `replaced` is what `$` stands for while it does.
fn finish(context: &mut Context<'_>, request: &Request<'_>, served: Served, replaced: Vec<(usize, Vec<u8>)>) {
    if served.finish(context.reply) {
        return;
    }
    let Some(until_ms) = request.block_until_ms else { return context.reply.null_array() };
    context.wait(Wait {
        keys: WaitKeys::All,
        until_ms,
        timeout_reply: TimeoutReply::NullArray,
        object_type: ObjectType::Stream,
        // A group is gone with its key, which its consumers are told.
        even_without_key: request.group.is_some(),
        replaced,
    });
}

/// What `$` stands for in XREAD, as arguments.
fn last_ids(context: &mut Context<'_>, request: &Request<'_>) -> Result<Vec<(usize, Vec<u8>)>, CommandError> {
    let mut replaced = Vec::new();
    for key_at in request.keys() {
        if until_nul(request.id_argument(key_at)) == b"$" && context.has(key_at) {
            let (stream, _) = context.read_collection::<Stream>(key_at)?;
            let id = request.read_after(key_at, stream)?;
            replaced.push((key_at + request.streams, id.format(&mut [0; ID_TEXT_BYTES_MAX]).to_vec()));
        }
    }
    Ok(replaced)
}

fn xread(context: &mut Context<'_>) -> Result<(), CommandError> {
    let request = Request::parse(context)?;
    for key_at in request.keys() {
        if context.has(key_at) {
            let (stream, _) = context.read_collection::<Stream>(key_at)?;
            request.read_after(key_at, stream)?;
        }
    }
    let mut served = Served::default();
    for key_at in request.keys() {
        if !context.has(key_at) {
            continue;
        }
        let (Some(stream), reply) = context.read_collection::<Stream>(key_at)? else { continue };
        let after = request.read_after(key_at, Some(stream))?;
        if stream.log().last_live_id().is_none_or(|top| top <= after) {
            continue;
        }
        served.begin(reply, request.args.get(key_at));
        let start = after.next().unwrap_or(StreamId::MAX);
        reply_entries(reply, stream.log().range(start, StreamId::MAX).take(request.count_max()));
    }
    let waits = served.count == 0 && request.block_until_ms.is_some();
    let replaced = if waits { last_ids(context, &request)? } else { Vec::new() };
    finish(context, &request, served, replaced);
    Ok(())
}

fn xreadgroup(context: &mut Context<'_>) -> Result<(), CommandError> {
    let request = Request::parse(context)?;
    let Some((group_name, consumer_name)) = request.group else { return Err(CommandError::Syntax) };
    for key_at in request.keys() {
        if !context.has(key_at) {
            continue;
        }
        let (mut key, _) = context.open(key_at);
        let stream = key.read_collection::<Stream>()?;
        if stream.is_none_or(|stream| stream.group(group_name).is_none()) {
            let after = "' in XREADGROUP with GROUP option";
            return Err(no_key_or_group(request.args.get(key_at), group_name, after));
        }
        request.history_after(key_at)?;
    }
    let now_ms = context.turn.now_ms;
    let mut served = Served::default();
    for key_at in request.keys() {
        if !context.has(key_at) {
            continue;
        }
        let (mut key, reply) = context.open(key_at);
        let found = key.read_collection::<Stream>()?.and_then(|stream| stream.group_mut(group_name));
        let Some((group, log)) = found else { continue };
        let known = group.find_consumer(consumer_name);
        let is_new = known.is_none();
        let mut changes = usize::from(is_new);
        let mut concerned = Vec::new();
        let mut moved = false;
        let Some(consumer) = known.or_else(|| group.create_consumer(consumer_name, now_ms)) else { continue };
        group.consumer_mut(consumer).seen_ms = now_ms;
        match request.history_after(key_at)? {
            Some(after) => {
                served.begin(reply, request.args.get(key_at));
                reply_history(reply, &request, (group, log), (consumer, after), now_ms, &mut concerned);
            }
            None if log.last_live_id().is_some_and(|top| top > group.last_id) => {
                served.begin(reply, request.args.get(key_at));
                moved = reply_new(reply, &request, (group, log), consumer, now_ms, &mut concerned) > 0;
                changes += usize::from(moved);
            }
            None => {}
        }
        key.changed(changes);
        if is_new {
            record::consumer(&mut key, group_name, consumer_name);
        }
        record::claims(&mut key, group_name, consumer_name, &concerned);
        if moved {
            record::position(&mut key, group_name);
        }
    }
    finish(context, &request, served, Vec::new());
    Ok(())
}

/// Delivers what is new to the group; returns how many entries.
fn reply_new(
    reply: &mut Reply,
    request: &Request<'_>,
    (group, log): (&mut Group, &Log),
    consumer: ConsumerIndex,
    now_ms: i64,
    delivered: &mut Vec<StreamId>,
) -> usize {
    let start = group.last_id.next().unwrap_or(StreamId::MAX);
    let entries = log.range(start, StreamId::MAX).take(request.count_max());
    let deliver = |entry: &crate::value::stream::Entry<'_>| {
        group.advance(log, entry.id);
        if !request.no_ack {
            group.assign(entry.id, Pending { consumer, delivered_ms: now_ms, deliveries: 1 });
            group.consumer_mut(consumer).active_ms = now_ms;
            delivered.push(entry.id);
        }
    };
    reply_entries(reply, entries.inspect(deliver))
}

/// Replies with what is pending for the consumer; an entry that is gone is replied without its fields.
fn reply_history(
    reply: &mut Reply,
    request: &Request<'_>,
    (group, log): (&mut Group, &Log),
    (consumer, after): (ConsumerIndex, StreamId),
    now_ms: i64,
    delivered: &mut Vec<StreamId>,
) {
    let deferred = reply.deferred();
    let mut count = 0;
    let start = after.next().unwrap_or(StreamId::MAX);
    group.deliver_again(consumer, start, now_ms, |id| {
        if count == request.count_max() {
            return None;
        }
        count += 1;
        let entry = log.get(id);
        match &entry {
            Some(entry) => {
                delivered.push(id);
                reply_entry(reply, entry);
            }
            None => {
                reply.array(2);
                reply_id(reply, id);
                reply.null_array();
            }
        }
        Some(entry.is_some())
    });
    reply.finish_array(deferred, count);
}
