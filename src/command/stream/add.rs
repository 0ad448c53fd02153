//! Changing a stream's entries: XADD, XTRIM, XDEL, XSETID; and XLEN.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, KeySpec, Run};
use crate::config::Config;
use crate::keyspace::write::KeyWrite;
use crate::stdx::limits::STREAM_NODE_BYTES_MAX;
use crate::stdx::number::{self, INTEGER_TEXT_BYTES_MAX};
use crate::value::stream::id::{ID_TEXT_BYTES_MAX, IdText};
use crate::value::stream::log::{Keep, Log, NodeLimits, Trim};
use crate::value::stream::{Stream, StreamId};

use super::{INVALID_ID, STREAM, check_ids, id_at, record, reply_id};

const KEY_DELETE: &[KeySpec] = &[spec::one(&["RW", "delete"])];

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "xadd",
        arity: -5,
        run: Run::Keyed(xadd),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: &[KeySpec {
            notes: "UPDATE instead of INSERT because of the optional trimming feature",
            ..spec::one(&["RW", "update"])
        }],
        summary: "Appends an entry to a stream; a key that does not exist is created.",
        complexity: "O(1); with trimming O(N), N entries removed",
        syntax: "key [NOMKSTREAM]@6.2.0 [trim{strategy(MAXLEN | MINID@6.2.0) [operator(equal='=' | approximately='~')] \
                 threshold [LIMIT count:integer]@6.2.0}] id-selector(auto-id='*' | id) data{field value}...",
        history: &[
            ("6.2.0", "Options `NOMKSTREAM` and `LIMIT`, trimming by `MINID`."),
            ("7.0.0", "IDs of the form `<ms>-*`."),
        ],
        tips: &["nondeterministic_output"],
        ..STREAM
    },
    Command {
        name: "xtrim",
        arity: -4,
        run: Run::Keyed(xtrim),
        flags: Flags::WRITE,
        keys: KEY_DELETE,
        summary: "Removes entries from the beginning of a stream.",
        complexity: "O(N), N entries removed; whole nodes of many entries go at once",
        syntax: "key trim{strategy(MAXLEN | MINID@6.2.0) [operator(equal='=' | approximately='~')] threshold \
                 [LIMIT count:integer]@6.2.0}",
        history: &[("6.2.0", "Trimming by `MINID`, option `LIMIT`.")],
        tips: &["nondeterministic_output"],
        ..STREAM
    },
    Command {
        name: "xdel",
        arity: -3,
        run: Run::Keyed(xdel),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: KEY_DELETE,
        summary: "Removes entries from a stream and returns how many there were.",
        complexity: "O(1) for each entry, whatever the length of the stream",
        syntax: "key id...",
        ..STREAM
    },
    Command {
        name: "xsetid",
        arity: -3,
        run: Run::Keyed(xsetid),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: spec::KEY_UPDATE,
        summary: "Sets the last ID of a stream; servers use it among themselves.",
        syntax: "key last-id [ENTRIESADDED entries-added:integer]@7.0.0 [MAXDELETEDID max-deleted-id]@7.0.0",
        history: &[("7.0.0", "Options `ENTRIESADDED` and `MAXDELETEDID`.")],
        ..STREAM
    },
    Command {
        name: "xlen",
        arity: 2,
        run: Run::Keyed(xlen),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_LOOK,
        summary: "Returns the number of entries of a stream.",
        syntax: "key",
        ..STREAM
    },
];

/// What `LIMIT` is when it is not given: entries of a hundred nodes, or this when a node has no limit.
const LIMIT_DEFAULT: i64 = 10_000;
/// And at most this.
const LIMIT_DEFAULT_MAX: i64 = 1_000_000;

/// The ID of a new entry.
#[derive(Clone, Copy)]
enum NewId {
    /// `*`
    Automatic,
    /// As the client says.
    Given(IdText),
}

impl NewId {
    /// The ID itself, if the log can take it.
    fn choose(self, log: Option<&Log>, now_ms: i64) -> Result<StreamId, CommandError> {
        const NOT_GREATER: CommandError =
            CommandError::Text("ERR The ID specified in XADD is equal or smaller than the target stream top item");
        let empty = Log::default();
        let log = log.unwrap_or(&empty);
        if log.last_id() == StreamId::MAX {
            let text = "ERR The stream has exhausted the last possible ID, unable to add more items";
            return Err(CommandError::Text(text));
        }
        let id = match self {
            NewId::Automatic => log.next_id(now_ms as u64),
            NewId::Given(IdText::AutomaticSequence(ms)) => log.next_id_at(ms),
            NewId::Given(IdText::Whole(id)) => Some(id),
        };
        id.filter(|&id| id > log.last_id()).ok_or(NOT_GREATER)
    }
}

/// The options of XADD and XTRIM.
struct Options {
    trim: Option<Trim>,
    no_create: bool,
    id: NewId,
    /// Where the ID stands; the number of arguments when it is missing.
    id_at: usize,
}

/// The options that trim, while they are being read.
#[derive(Default)]
struct TrimOptions {
    keep: Option<Keep>,
    approximate: bool,
    limit: Option<i64>,
}

impl TrimOptions {
    /// Reads MAXLEN or MINID at `index`; returns where its threshold stands.
    fn strategy(&mut self, args: Args<'_>, mut index: usize, by_length: bool) -> Result<usize, CommandError> {
        if self.keep.is_some() {
            let text = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible";
            return Err(CommandError::Text(text));
        }
        index += 1;
        let operator = args.get(index);
        self.approximate = operator == b"~" && index + 1 < args.len();
        if self.approximate || (operator == b"=" && index + 1 < args.len()) {
            index += 1;
        }
        self.keep = Some(if by_length {
            let count = u64::try_from(args.integer(index)?);
            Keep::Newest(count.map_err(|_| CommandError::Text("ERR The MAXLEN argument must be >= 0."))?)
        } else {
            Keep::From(id_at(args, index)?)
        });
        Ok(index)
    }

    /// What they amount to; `is_add` for XADD, which need not trim.
    fn finish(self, is_add: bool, config: &Config) -> Result<Option<Trim>, CommandError> {
        const LIMIT_ALONE: &str = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy";
        const NOTHING: &str = "ERR syntax error, XTRIM must be called with a trimming strategy";
        const LIMIT_EXACT: &str = "ERR syntax error, LIMIT cannot be used without the special ~ option";
        if self.keep.is_none() && self.limit.is_some_and(|limit| limit != 0) {
            return Err(CommandError::Text(LIMIT_ALONE));
        }
        if self.keep.is_none() && !is_add {
            return Err(CommandError::Text(NOTHING));
        }
        if self.limit.is_some() && !self.approximate {
            return Err(CommandError::Text(LIMIT_EXACT));
        }
        let limit = match self.limit {
            Some(limit) => limit,
            None if self.approximate => {
                let of_nodes = config.get_i64(crate::param!("stream-node-max-entries")).wrapping_mul(100);
                if of_nodes <= 0 { LIMIT_DEFAULT } else { of_nodes.min(LIMIT_DEFAULT_MAX) }
            }
            None => 0,
        };
        Ok(self.keep.map(|keep| Trim { keep, whole_nodes: self.approximate, limit: limit as u64 }))
    }
}

impl Options {
    fn parse(args: Args<'_>, is_add: bool, config: &Config) -> Result<Options, CommandError> {
        let mut trim = TrimOptions::default();
        let (mut no_create, mut id) = (false, NewId::Automatic);
        let mut index = 2;
        while index < args.len() {
            let more = index + 1 < args.len();
            if is_add && args.get(index) == b"*" {
                break;
            } else if args.is(index, b"MAXLEN") && more {
                index = trim.strategy(args, index, true)?;
            } else if args.is(index, b"MINID") && more {
                index = trim.strategy(args, index, false)?;
            } else if args.is(index, b"LIMIT") && more {
                index += 1;
                let limit = args.integer(index)?;
                if limit < 0 {
                    return Err(CommandError::Text("ERR The LIMIT argument must be >= 0."));
                }
                trim.limit = Some(limit);
            } else if is_add && args.is(index, b"NOMKSTREAM") {
                no_create = true;
            } else if is_add {
                id = NewId::Given(StreamId::parse_with_automatic(args.get(index)).ok_or(INVALID_ID)?);
                break;
            } else {
                return Err(CommandError::Syntax);
            }
            index += 1;
        }
        Ok(Options { trim: trim.finish(is_add, config)?, no_create, id, id_at: index })
    }
}

fn node_limits(config: &Config) -> NodeLimits {
    NodeLimits {
        bytes_max: config.get_usize(crate::param!("stream-node-max-bytes")),
        entries_max: config.get_usize(crate::param!("stream-node-max-entries")),
    }
}

fn xadd(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, config, now_ms) = (context.args, context.config, context.turn.now_ms);
    let options = Options::parse(args, true, config)?;
    let first = options.id_at + 1;
    let count = args.len().saturating_sub(first);
    if count < 2 || !count.is_multiple_of(2) {
        return Err(CommandError::Arity(context.command));
    }
    if matches!(options.id, NewId::Given(IdText::Whole(StreamId::MIN))) {
        return Err(CommandError::Text("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let (mut key, reply) = context.open(1);
    let stream = key.collection::<Stream>()?;
    if stream.is_none() && options.no_create {
        reply.null();
        return Ok(());
    }
    let id = options.id.choose(stream.as_deref().map(Stream::log), now_ms)?;
    if args.iter_from(first).map(<[u8]>::len).sum::<usize>() > STREAM_NODE_BYTES_MAX {
        return Err(CommandError::Text("ERR Elements are too large to be stored"));
    }
    let pairs = (0..count / 2).map(|pair| (args.get(first + 2 * pair), args.get(first + 2 * pair + 1)));
    let log = key.collection_or(Stream::default)?.log_mut();
    log.append(id, pairs, node_limits(config));
    if let Some(trim) = &options.trim {
        log.trim(trim);
    }
    let len = log.len();
    key.changed(1);
    if options.trim.is_some() || !matches!(options.id, NewId::Given(IdText::Whole(_))) {
        record_add(&mut key, args, (first, id), options.trim.map(|_| len));
    }
    reply_id(reply, id);
    Ok(())
}

/// The log is told the ID, and how many entries are left.
fn record_add(key: &mut KeyWrite<'_>, args: Args<'_>, (first, id): (usize, StreamId), len: Option<u64>) {
    if !key.is_recorded() {
        return;
    }
    let (mut id_text, mut count) = ([0; ID_TEXT_BYTES_MAX], [0; INTEGER_TEXT_BYTES_MAX]);
    let trim = [&b"MAXLEN"[..], b"=", number::format_u64(&mut count, len.unwrap_or(0))];
    let trim = if len.is_some() { &trim[..] } else { &[] };
    let words = trim.iter().copied().chain([id.format(&mut id_text)]).chain(args.iter_from(first));
    key.effect_of("XADD", trim.len() + 1 + args.len() - first, words);
}

fn xtrim(context: &mut Context<'_>) -> Result<(), CommandError> {
    let options = Options::parse(context.args, false, context.config)?;
    let (mut key, reply) = context.open(1);
    let deleted = match (key.collection::<Stream>()?, &options.trim) {
        (Some(stream), Some(trim)) => stream.log_mut().trim(trim),
        _ => 0,
    };
    key.changed(deleted as usize);
    if deleted > 0 {
        record::length(&mut key);
    }
    reply.integer(deleted as i64);
    Ok(())
}

fn xdel(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (mut key, reply) = context.open(1);
    let mut deleted = 0;
    if let Some(stream) = key.collection::<Stream>()? {
        // All or nothing.
        check_ids(args, 2)?;
        for index in 2..args.len() {
            deleted += usize::from(stream.log_mut().delete(id_at(args, index)?));
        }
    }
    key.changed(deleted);
    reply.integer(deleted as i64);
    Ok(())
}

fn xsetid(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let last_id = id_at(args, 2)?;
    let (mut entries_added, mut max_deleted) = (None, StreamId::MIN);
    let mut index = 3;
    while index < args.len() {
        let more = index + 1 < args.len();
        if args.is(index, b"ENTRIESADDED") && more {
            let added = u64::try_from(args.integer(index + 1)?);
            entries_added = Some(added.map_err(|_| CommandError::Text("ERR entries_added must be positive"))?);
        } else if args.is(index, b"MAXDELETEDID") && more {
            max_deleted = id_at(args, index + 1)?;
            if last_id < max_deleted {
                let text = "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id";
                return Err(CommandError::Text(text));
            }
        } else {
            return Err(CommandError::Syntax);
        }
        index += 2;
    }
    let (mut key, reply) = context.open(1);
    let log = key.collection::<Stream>()?.ok_or(CommandError::NoSuchKey)?.log_mut();
    if last_id < log.max_deleted_id() {
        let text = "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id";
        return Err(CommandError::Text(text));
    }
    if log.last_live_id().is_some_and(|top| last_id < top) {
        let text = "ERR The ID specified in XSETID is smaller than the target stream top item";
        return Err(CommandError::Text(text));
    }
    if entries_added.is_some_and(|added| !log.is_empty() && added < log.len()) {
        let text = "ERR The entries_added specified in XSETID is smaller than the target stream length";
        return Err(CommandError::Text(text));
    }
    log.set_ids(last_id, entries_added, Some(max_deleted).filter(|&id| id != StreamId::MIN));
    key.changed(1);
    reply.ok();
    Ok(())
}

fn xlen(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (stream, reply) = context.read_collection::<Stream>(1)?;
    reply.integer(stream.map_or(0, |stream| stream.log().len()) as i64);
    Ok(())
}
