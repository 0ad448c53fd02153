//! ACL: users and what they may do. `rules` reads what people write, `check` asks about a request, `load` reads the files;
//! here are the rows of the command, in `change` and `show` its handlers.
//!
//! What users are stands in `crate::acl`. The session asks `check` for restricted users only, and follows changes: see
//! `session/access`.

mod change;
pub mod check;
pub mod load;
pub mod rules;
mod show;

use super::context::SessionContext;
use super::error::CommandError;
use super::help::reply_help;
use super::spec::{Command, Flags, Run};

const ANYBODY: Flags = Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE);
const ADMIN: Flags = ANYBODY.and(Flags::ADMIN);
const TO_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// A row before it says what it is about.
const SUBCOMMAND: Command = Command { flags: ADMIN, since: "6.0.0", ..Command::BASE };

/// The family's rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "acl",
    arity: -2,
    run: Run::Container,
    since: "6.0.0",
    summary: "Commands about users and what they may do.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Command::BASE
}];

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "cat",
        arity: -2,
        run: Run::Session(show::cat),
        flags: ANYBODY,
        summary: "Returns the categories of commands, or the commands of one.",
        complexity: "O(N), N categories or commands",
        syntax: "[category]",
        ..SUBCOMMAND
    },
    Command {
        name: "deluser",
        arity: -3,
        run: Run::Control(change::deluser),
        summary: "Removes users and closes their connections.",
        complexity: "O(N), N connections",
        syntax: "username...",
        tips: TO_ALL_NODES,
        ..SUBCOMMAND
    },
    Command {
        name: "dryrun",
        arity: -4,
        run: Run::Session(show::dryrun),
        since: "7.0.0",
        summary: "Tells whether a user may run a command, without running it.",
        syntax: "username command [arg...]",
        ..SUBCOMMAND
    },
    Command {
        name: "genpass",
        arity: -2,
        run: Run::Session(change::genpass),
        flags: ANYBODY,
        summary: "Makes up a password.",
        syntax: "[bits:integer]",
        ..SUBCOMMAND
    },
    Command {
        name: "getuser",
        arity: 3,
        run: Run::Session(show::getuser),
        summary: "Describes a user.",
        complexity: "O(N), N rules of the user",
        syntax: "username",
        history: &[
            ("6.2.0", "Shows the channels."),
            ("7.0.0", "Shows the selectors; keys and channels are shown as they are written in rules."),
        ],
        ..SUBCOMMAND
    },
    Command {
        name: "list",
        arity: 2,
        run: Run::Session(show::list),
        summary: "Returns all users as lines of an ACL file.",
        complexity: "O(N), N users",
        ..SUBCOMMAND
    },
    Command {
        name: "load",
        arity: 2,
        run: Run::Control(change::load),
        summary: "Reads the ACL file again.",
        complexity: "O(N), N users",
        ..SUBCOMMAND
    },
    Command {
        name: "log",
        arity: -2,
        run: Run::Session(show::log),
        summary: "Returns what was denied lately, or forgets it.",
        complexity: "O(N), N entries",
        syntax: "[operation(count:integer | RESET)]",
        history: &[("7.2.0", "Shows the entry's number, when it was made, and when it last happened.")],
        ..SUBCOMMAND
    },
    Command {
        name: "save",
        arity: 2,
        run: Run::Session(change::save),
        summary: "Writes the users into the ACL file.",
        complexity: "O(N), N users",
        tips: TO_ALL_NODES,
        ..SUBCOMMAND
    },
    Command {
        name: "setuser",
        arity: -3,
        run: Run::Control(change::setuser),
        summary: "Makes or changes a user.",
        complexity: "O(N), N rules",
        syntax: "username [rule...]",
        history: &[("6.2.0", "Takes channels."), ("7.0.0", "Takes selectors, and keys for reading or writing only.")],
        tips: TO_ALL_NODES,
        ..SUBCOMMAND
    },
    Command {
        name: "users",
        arity: 2,
        run: Run::Session(show::users),
        summary: "Returns the names of all users.",
        complexity: "O(N), N users",
        ..SUBCOMMAND
    },
    Command {
        name: "whoami",
        arity: 2,
        run: Run::Session(show::whoami),
        flags: ANYBODY,
        summary: "Returns the user of the connection.",
        ..SUBCOMMAND
    },
    Command {
        name: "help",
        arity: 2,
        run: Run::Session(help),
        flags: Flags::LOADING.and(Flags::STALE),
        summary: "Explains the subcommands.",
        ..SUBCOMMAND
    },
];

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(
        context.reply,
        "ACL",
        &[
            "CAT [<category>]",
            "    The categories of commands, or the commands of <category>.",
            "DELUSER <username> [<username> ...]",
            "    Remove users, and close their connections.",
            "DRYRUN <username> <command> [<arg> ...]",
            "    Whether the user may run this command; it is not run.",
            "GETUSER <username>",
            "    What is known of a user.",
            "GENPASS [<bits>]",
            "    Make up a password of 256 bits, or of so many.",
            "LIST",
            "    All users as lines of an ACL file.",
            "LOAD",
            "    Read the users from the ACL file again.",
            "LOG [<count> | RESET]",
            "    What was denied lately, the newest first; or forget it.",
            "SAVE",
            "    Write the users into the ACL file.",
            "SETUSER <username> <attribute> [<attribute> ...]",
            "    Make or change a user.",
            "USERS",
            "    The names of all users.",
            "WHOAMI",
            "    The user of this connection.",
        ],
    );
    Ok(())
}
