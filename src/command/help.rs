//! The HELP of commands with subcommands, in the shape all of Redis' have: simple strings, first how it is called, then
//! each subcommand with an indented explanation.

use crate::resp::reply::Reply;

use super::args::Args;
use super::error::CommandError;

/// What Redis says of a subcommand with options it does not have, or too many; `container` in upper case.
pub fn bad_subcommand(args: Args<'_>, container: &str) -> CommandError {
    const SHOWN_BYTES_MAX: usize = 128;
    let shown = args.get(1);
    let after = ["'. Try ", container, " HELP."].concat();
    let before = "ERR unknown subcommand or wrong number of arguments for '";
    CommandError::quoting(before, &shown[..shown.len().min(SHOWN_BYTES_MAX)], &after)
}

/// Writes the help of `container` (upper case): `lines`, framed.
pub fn reply_help(reply: &mut Reply, container: &str, lines: &[&str]) {
    reply.array(lines.len() + 3);
    reply.simple(&[container, " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"].concat());
    for line in lines {
        reply.simple(line);
    }
    reply.simple("HELP");
    reply.simple("    Print this help.");
}
