//! The HELP of commands with subcommands, in the shape all of Redis' have: simple strings, first how it is called, then
//! each subcommand with an indented explanation.

use crate::resp::reply::Reply;

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
