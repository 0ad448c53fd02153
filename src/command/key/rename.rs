//! Moving and copying keys, within a database and between two of them: RENAME, RENAMENX, COPY, MOVE.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{Command, Flags, Run, key_at};
use crate::keyspace::write::Taken;

/// The module's rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "rename",
        arity: 3,
        run: Run::Keyed(rename),
        flags: Flags::WRITE,
        keys: &[key_at(1, &["RW", "access", "delete"]), key_at(2, &["OW", "update"])],
        summary: "Gives a key another name; what had that name is removed.",
        syntax: "key newkey:key",
        ..super::BASE
    },
    Command {
        name: "renamenx",
        arity: 3,
        run: Run::Keyed(rename_new),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[key_at(1, &["RW", "access", "delete"]), key_at(2, &["OW", "insert"])],
        summary: "Gives a key another name unless that is taken.",
        syntax: "key newkey:key",
        history: &[("3.2.0", "Equal names are no error any more.")],
        ..super::BASE
    },
    Command {
        name: "copy",
        arity: -3,
        run: Run::Keyed(copy),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[key_at(1, &["RO", "access"]), key_at(2, &["OW", "update"])],
        since: "6.2.0",
        summary: "Copies the value of a key to another key.",
        complexity: "O(N), N elements of a collection; O(1) for strings",
        syntax: "source:key destination:key [DB destination-db:integer] [REPLACE]",
        ..super::BASE
    },
    Command {
        name: "move",
        arity: 3,
        run: Run::Keyed(move_key),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[key_at(1, &["RW", "access", "update"])],
        summary: "Moves a key to another database.",
        syntax: "key db:integer",
        ..super::BASE
    },
];

fn rename(context: &mut Context<'_>) -> Result<(), CommandError> {
    rename_unless(context, false)?;
    context.reply.ok();
    Ok(())
}

fn rename_new(context: &mut Context<'_>) -> Result<(), CommandError> {
    let renamed = rename_unless(context, true)?;
    context.reply.integer(i64::from(renamed));
    Ok(())
}

/// Renames argument 1 to argument 2. Does nothing, and returns false, when they are equal, or when the new name is taken
/// and must not be.
fn rename_unless(context: &mut Context<'_>, taken_name_stays: bool) -> Result<bool, CommandError> {
    if context.write(1).entry().is_none() {
        return Err(CommandError::NoSuchKey);
    }
    let is_same = context.args.get(1) == context.args.get(2);
    if is_same || taken_name_stays && context.write(2).entry().is_some() {
        return Ok(false);
    }
    let taken = context.write(1).take().ok_or(CommandError::NoSuchKey)?;
    context.write(2).put(taken);
    Ok(true)
}

/// The options of COPY.
struct CopyOptions {
    database: u32,
    replace: bool,
}

impl CopyOptions {
    fn parse(args: Args<'_>, database: u32, databases: usize) -> Result<CopyOptions, CommandError> {
        let mut options = CopyOptions { database, replace: false };
        let mut index = 3;
        while index < args.len() {
            if args.is(index, b"replace") {
                options.replace = true;
            } else if args.is(index, b"db") && index + 1 < args.len() {
                index += 1;
                options.database = args.database(index, databases)?;
            } else {
                return Err(CommandError::Syntax);
            }
            index += 1;
        }
        Ok(options)
    }
}

fn copy(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (database, turn) = (context.database, context.turn);
    let options = CopyOptions::parse(context.args, database, context.keyspaces.databases_len())?;
    let (source, destination) = (context.key(1), context.key(2));
    if options.database == database && source.bytes == destination.bytes {
        return Err(CommandError::SameObject);
    }
    // The source is looked up before the destination, which may expire then, and nothing is copied in vain.
    let is_copied = context.keyspaces.of(&source).read(database, &source, turn).is_some() && {
        let target = context.keyspaces.of(&destination).write(options.database, destination, turn);
        options.replace || target.entry().is_none()
    };
    if is_copied && let Some(entry) = context.keyspaces.of(&source).peek(database, &source, turn) {
        let copied = Taken::copy_of(&entry);
        context.keyspaces.of(&destination).write(options.database, destination, turn).put(copied);
    }
    context.reply.integer(i64::from(is_copied));
    Ok(())
}

fn move_key(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (database, turn) = (context.database, context.turn);
    let target = context.args.database(2, context.keyspaces.databases_len())?;
    if target == database {
        return Err(CommandError::SameObject);
    }
    let key = context.key(1);
    let keyspace = context.keyspaces.of(&key);
    let is_moved = keyspace.write(database, key, turn).entry().is_some()
        && keyspace.write(target, key, turn).entry().is_none();
    let taken = if is_moved { keyspace.write(database, key, turn).take() } else { None };
    if let Some(taken) = taken {
        keyspace.write(target, key, turn).put(taken);
    }
    context.reply.integer(i64::from(is_moved));
    Ok(())
}
