//! The subcommands of ACL that only tell something.

use crate::acl::Selector;
use crate::acl::log::Entry;
use crate::command::context::SessionContext;
use crate::command::error::CommandError;
use crate::command::spec::Categories;
use crate::command::table::TABLE;
use crate::resp::reply::Reply;

use super::check::check;
use crate::command::help::bad_subcommand;

/// Entries that ACL LOG returns when nobody says how many.
const LOG_ENTRIES: i64 = 10;
/// Longest part of an unknown category in the error, as in Redis.
const SHOWN_BYTES_MAX: usize = 128;

pub(super) fn cat(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let args = context.args;
    match args.len() {
        2 => {
            context.reply.array(Categories::NAMES.len());
            Categories::NAMES.iter().for_each(|(_, name)| context.reply.bulk(name.as_bytes()));
        }
        3 => {
            let name = args.get(2);
            let category = Categories::of_name(name).ok_or_else(|| {
                CommandError::quoting("ERR Unknown category '", &name[..name.len().min(SHOWN_BYTES_MAX)], "'")
            })?;
            let rows = || TABLE.visible_own_rows().filter(|row| row.categories.has(category));
            context.reply.array(rows().count());
            rows().for_each(|row| context.reply.bulk(row.full_name.as_bytes()));
        }
        _ => return Err(bad_subcommand(context.args, "ACL")),
    }
    Ok(())
}

pub(super) fn whoami(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    context.reply.bulk(&context.client.user().name);
    Ok(())
}

pub(super) fn users(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let users = context.users.all();
    context.reply.array(users.len());
    users.iter().for_each(|user| context.reply.bulk(&user.name));
    Ok(())
}

pub(super) fn list(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let lines = context.users.lines();
    context.reply.array(lines.len());
    lines.iter().for_each(|line| context.reply.bulk(line));
    Ok(())
}

pub(super) fn getuser(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let Some(user) = context.users.find(context.args.get(2)) else {
        context.reply.null();
        return Ok(());
    };
    let reply = &mut *context.reply;
    reply.map(6);
    reply.bulk(b"flags");
    reply.set(user.flags().count());
    user.flags().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(user.passwords.len());
    user.passwords.iter().for_each(|password| reply.bulk(password.digits()));
    describe(reply, &user.selectors[0]);
    reply.bulk(b"selectors");
    reply.array(user.selectors.len() - 1);
    for selector in &user.selectors[1..] {
        reply.map(3);
        describe(reply, selector);
    }
    Ok(())
}

fn describe(reply: &mut Reply, selector: &Selector) {
    type Write = fn(&Selector, &mut Vec<u8>);
    let parts: [(&[u8], Write); 3] = [
        (b"commands", Selector::write_commands),
        (b"keys", Selector::write_keys),
        (b"channels", Selector::write_channels),
    ];
    for (name, write) in parts {
        let mut text = Vec::new();
        write(selector, &mut text);
        reply.bulk(name);
        reply.bulk(&text);
    }
}

pub(super) fn dryrun(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let (name, args) = (context.args.get(2), context.args.tail(3));
    let Some(user) = context.users.find(name) else {
        return Err(CommandError::quoting("ERR User '", name, "' not found"));
    };
    let row = TABLE.find(args.get(0)).and_then(|row| match row.visible_subcommands() {
        [_, ..] if args.len() > 1 => row.subcommand(args.get(1)),
        _ => Some(row),
    });
    let row = row.ok_or_else(|| CommandError::quoting("ERR Command '", args.get(0), "' not found"))?;
    if !row.accepts(args.len()) {
        return Err(CommandError::Arity(row.full_name));
    }
    match check(&user, row, args) {
        Ok(()) => context.reply.ok(),
        Err(denial) => context.reply.bulk(&denial.full_text(&user, row, args)),
    }
    Ok(())
}

pub(super) fn log(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let count = match args.len() {
        2 => LOG_ENTRIES,
        3 if args.is(2, b"reset") => {
            context.users.clear_log();
            context.reply.ok();
            return Ok(());
        }
        3 => args.integer(2)?,
        _ => return Err(bad_subcommand(context.args, "ACL")),
    };
    let entries = context.users.log_entries(usize::try_from(count).unwrap_or(0));
    context.reply.array(entries.len());
    entries.iter().for_each(|entry| write_entry(context.reply, entry, context.now_ms));
    Ok(())
}

fn write_entry(reply: &mut Reply, entry: &Entry, now_ms: i64) {
    reply.map(10);
    reply.bulk(b"count");
    reply.integer(entry.count as i64);
    let texts: [(&[u8], &[u8]); 4] = [
        (b"reason", entry.denied.reason.name().as_bytes()),
        (b"context", entry.denied.place.name().as_bytes()),
        (b"object", &entry.denied.object),
        (b"username", &entry.denied.user),
    ];
    for (name, value) in texts {
        reply.bulk(name);
        reply.bulk(value);
    }
    reply.bulk(b"age-seconds");
    reply.double((now_ms - entry.updated_ms) as f64 / 1000.0);
    reply.bulk(b"client-info");
    reply.bulk(entry.client.as_bytes());
    for (name, value) in [
        (&b"entry-id"[..], entry.id as i64),
        (b"timestamp-created", entry.created_ms),
        (b"timestamp-last-updated", entry.updated_ms),
    ] {
        reply.bulk(name);
        reply.integer(value);
    }
}
