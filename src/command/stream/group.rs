//! XGROUP: creating, moving and destroying consumer groups, and their consumers.

use crate::command::args::Args;
use crate::command::context::{Context, SessionContext};
use crate::command::error::CommandError;
use crate::command::help::reply_help;
use crate::command::spec::{Categories, Command, Flags, KeySpec, Run, key_at};
use crate::keyspace::write::KeyWrite;
use crate::value::stream::group::Group;
use crate::value::stream::id::until_nul;
use crate::value::stream::{Stream, StreamId};

use crate::command::help::bad_subcommand;
use super::{INVALID_ID, STREAM, no_group};

const INSERT: &[KeySpec] = &[key_at(2, &["RW", "insert"])];
const UPDATE: &[KeySpec] = &[key_at(2, &["RW", "update"])];
const DELETE: &[KeySpec] = &[key_at(2, &["RW", "delete"])];

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "xgroup",
    arity: -2,
    categories: Categories::NONE,
    summary: "Manages the consumer groups of streams.",
    complexity: "That of the subcommand.",
    subcommands: SUBCOMMANDS,
    ..STREAM
}];

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "create",
        arity: -5,
        run: Run::Keyed(create),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: INSERT,
        summary: "Creates a consumer group.",
        syntax: "key group id-selector(id | new-id='$') [MKSTREAM] [ENTRIESREAD entriesread<entries-read>:integer]",
        history: &[("7.0.0", "Option `ENTRIESREAD`.")],
        ..STREAM
    },
    Command {
        name: "createconsumer",
        arity: 5,
        run: Run::Keyed(create_consumer),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: INSERT,
        since: "6.2.0",
        summary: "Creates a consumer of a group.",
        syntax: "key group consumer",
        ..STREAM
    },
    Command {
        name: "delconsumer",
        arity: 5,
        run: Run::Keyed(delete_consumer),
        flags: Flags::WRITE,
        keys: DELETE,
        summary: "Deletes a consumer of a group with what is pending for it.",
        complexity: "O(N*log(P)), N entries pending for the consumer and P for the group",
        syntax: "key group consumer",
        ..STREAM
    },
    Command {
        name: "destroy",
        arity: 4,
        run: Run::Keyed(destroy),
        flags: Flags::WRITE,
        keys: DELETE,
        summary: "Destroys a consumer group.",
        complexity: "O(N), N entries pending for the group",
        syntax: "key group",
        ..STREAM
    },
    Command {
        name: "help",
        arity: 2,
        run: Run::Session(help),
        flags: Flags::LOADING.and(Flags::STALE),
        summary: "Describes the subcommands.",
        ..STREAM
    },
    Command {
        name: "setid",
        arity: -5,
        run: Run::Keyed(set_id),
        flags: Flags::WRITE,
        keys: UPDATE,
        summary: "Sets the ID that was last delivered to a consumer group.",
        syntax: "key group id-selector(id | new-id='$') [ENTRIESREAD entriesread<entries-read>:integer]",
        history: &[("7.0.0", "Option `ENTRIESREAD`.")],
        ..STREAM
    },
];

/// The options of CREATE and SETID.
struct Options {
    make_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(args: Args<'_>, is_create: bool) -> Result<Options, CommandError> {
        let mut options = Options { make_stream: false, entries_read: None };
        let mut index = 5;
        while index < args.len() {
            if is_create && args.is(index, b"MKSTREAM") {
                options.make_stream = true;
                index += 1;
            } else if args.is(index, b"ENTRIESREAD") && index + 1 < args.len() {
                options.entries_read = match args.integer(index + 1)? {
                    -1 => None,
                    ..-1 => return Err(CommandError::Text("ERR value for ENTRIESREAD must be positive or -1")),
                    read => Some(read as u64),
                };
                index += 2;
            } else {
                return Err(bad_subcommand(args, "XGROUP"));
            }
        }
        Ok(options)
    }
}

/// The stream, which must exist.
fn existing<'k>(key: &'k mut KeyWrite<'_>) -> Result<&'k mut Stream, CommandError> {
    const NO_STREAM: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use \
         the MKSTREAM option to create an empty stream automatically.";
    key.collection::<Stream>()?.ok_or(CommandError::Text(NO_STREAM))
}

/// The group that the arguments name, which must exist.
fn existing_group<'k>(key: &'k mut KeyWrite<'_>, args: Args<'_>) -> Result<&'k mut Group, CommandError> {
    let (key_name, group_name) = (args.get(2), args.get(3));
    let found = existing(key)?.group_mut(group_name);
    found.map(|(group, _)| group).ok_or_else(|| no_group(key_name, group_name))
}

fn create(context: &mut Context<'_>) -> Result<(), CommandError> {
    const ARGUMENTS_MAX: usize = 8;
    let args = context.args;
    let options = Options::parse(args, true)?;
    let (mut key, reply) = context.open(2);
    let stream = match options.make_stream {
        true => key.collection::<Stream>()?,
        false => Some(existing(&mut key)?),
    };
    if args.len() > ARGUMENTS_MAX {
        return Err(bad_subcommand(args, "XGROUP"));
    }
    let id = match until_nul(args.get(4)) {
        b"$" => stream.as_deref().map_or(StreamId::MIN, |stream| stream.log().last_id()),
        text => StreamId::parse(text, 0).ok_or(INVALID_ID)?,
    };
    let group = Group::new(args.get(3), id, options.entries_read);
    if !key.collection_or(Stream::default)?.add_group(group) {
        return Err(CommandError::Text("BUSYGROUP Consumer Group name already exists"));
    }
    key.changed(1);
    reply.ok();
    Ok(())
}

fn set_id(context: &mut Context<'_>) -> Result<(), CommandError> {
    const ARGUMENTS_MAX: usize = 7;
    let args = context.args;
    let options = Options::parse(args, false)?;
    let (mut key, reply) = context.open(2);
    existing_group(&mut key, args)?;
    if args.len() > ARGUMENTS_MAX {
        return Err(bad_subcommand(args, "XGROUP"));
    }
    let id = match until_nul(args.get(4)) {
        b"$" => existing(&mut key)?.log().last_id(),
        text => StreamId::parse_bound(text, 0).ok_or(INVALID_ID)?,
    };
    let group = existing_group(&mut key, args)?;
    group.last_id = id;
    group.entries_read = options.entries_read;
    key.changed(1);
    reply.ok();
    Ok(())
}

fn destroy(context: &mut Context<'_>) -> Result<(), CommandError> {
    let name = context.args.get(3);
    let (mut key, reply) = context.open(2);
    let was_there = existing(&mut key)?.remove_group(name).is_some();
    key.changed(usize::from(was_there));
    reply.integer(i64::from(was_there));
    Ok(())
}

fn create_consumer(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let (mut key, reply) = context.open(2);
    let created = existing_group(&mut key, args)?.create_consumer(args.get(4), now_ms).is_some();
    key.changed(usize::from(created));
    reply.integer(i64::from(created));
    Ok(())
}

fn delete_consumer(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (mut key, reply) = context.open(2);
    let group = existing_group(&mut key, args)?;
    let mut pending = 0;
    if let Some(consumer) = group.find_consumer(args.get(4)) {
        pending = group.delete_consumer(consumer);
        key.changed(1);
    }
    reply.integer(pending as i64);
    Ok(())
}

const HELP: &[&str] = &[
    "CREATE <key> <groupname> <id|$> [option]",
    "    Creates a consumer group that has read up to <id>. Options are:",
    "    * MKSTREAM",
    "      A key that does not exist becomes a stream without entries.",
    "    * ENTRIESREAD entries_read",
    "      How many entries the group has read (servers use it among themselves).",
    "CREATECONSUMER <key> <groupname> <consumer>",
    "    Creates a consumer of a group.",
    "DELCONSUMER <key> <groupname> <consumer>",
    "    Deletes a consumer of a group.",
    "DESTROY <key> <groupname>",
    "    Destroys a group.",
    "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
    "    Sets up to where a group has read, and how many entries that were.",
];

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(context.reply, "XGROUP", HELP);
    Ok(())
}
