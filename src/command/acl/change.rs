//! The subcommands of ACL that change users, or write them down. The change itself is made here; that every core has seen
//! it before the client is told, and whose connections end, is up to the session.

use crate::acl::User;
use crate::acl::password::random_digits;
use crate::acl::user::DEFAULT_USER;
use crate::command::context::SessionContext;
use crate::command::error::CommandError;
use crate::command::request::{ControlRequest, UsersReply};
use crate::persist::acl_file;
use crate::stdx::limits::PASSWORD_DIGITS_MAX;

use super::load::{load_file, new_users_hear_all};
use super::rules::{apply, has_blanks, join_selectors};
use crate::command::help::bad_subcommand;

/// Bits of a password when nobody says how many.
const PASSWORD_BITS: i64 = 256;
const BITS_PER_DIGIT: i64 = 4;

pub(super) fn setuser(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    let name = context.args.get(2);
    if has_blanks(name) {
        return Err(CommandError::Text("ERR Usernames can't contain spaces or null characters"));
    }
    let rules = join_selectors(context.args.iter_from(3))
        .map_err(|word| CommandError::quoting("ERR Unmatched parenthesis in acl selector starting at '", word, "'."))?;
    let all_channels = new_users_hear_all(context.config);
    context.users.change(name, all_channels, |user: &mut User| {
        rules.iter().try_for_each(|rule| {
            let refused = |error: super::rules::RuleError| {
                let reason = ["': ", error.text()].concat();
                CommandError::quoting("ERR Error in ACL SETUSER modifier '", rule, &reason)
            };
            apply(user, rule, all_channels).map_err(refused)
        })
    })?;
    Ok(ControlRequest::UsersChanged(UsersReply::Ok))
}

pub(super) fn deluser(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    let names = context.args.iter_from(2);
    if context.args.iter_from(2).any(|name| name == DEFAULT_USER) {
        return Err(CommandError::Text("ERR The 'default' user cannot be removed"));
    }
    let removed = context.users.remove(names);
    Ok(ControlRequest::UsersChanged(UsersReply::Count(removed as i64)))
}

const NO_FILE: CommandError = CommandError::Text(
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command \
     and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis \
     configuration.",
);

fn has_file(context: &SessionContext<'_>) -> Result<(), CommandError> {
    let path = context.config.get_bytes(crate::param!("aclfile"));
    if path.is_empty() { Err(NO_FILE) } else { Ok(()) }
}

pub(super) fn load(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    has_file(context)?;
    let users = load_file(context.config).map_err(|errors| CommandError::Owned([b"ERR ", &*errors].concat()))?;
    context.users.replace(users);
    Ok(ControlRequest::UsersChanged(UsersReply::Ok))
}

pub(super) fn save(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    has_file(context)?;
    let path = context.config.get_path(crate::param!("aclfile"));
    if let Err(error) = acl_file::replace(path, &context.users.lines()) {
        tracing::warn!("The ACL file could not be written: {error}");
        return Err(CommandError::Text(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information",
        ));
    }
    context.reply.ok();
    Ok(())
}

pub(super) fn genpass(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let bits = match context.args.len() {
        2 => PASSWORD_BITS,
        3 => context.args.integer(2)?,
        _ => return Err(bad_subcommand(context.args, "ACL")),
    };
    let digits = bits.saturating_add(BITS_PER_DIGIT - 1) / BITS_PER_DIGIT;
    if bits <= 0 || digits as usize > PASSWORD_DIGITS_MAX {
        return Err(CommandError::Text(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
        ));
    }
    let password = random_digits(digits as usize);
    context.reply.bulk(&password.ok_or(CommandError::Text("ERR the system has no random numbers"))?);
    Ok(())
}
