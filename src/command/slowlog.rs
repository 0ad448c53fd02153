//! SLOWLOG: the commands that took longest. Sessions write them down (`session/slow.rs`).

use super::context::SessionContext;
use super::error::CommandError;
use super::help::{bad_subcommand, reply_help};
use super::spec::{Command, Flags, Run};

/// The family's rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "slowlog",
    arity: -2,
    run: Run::Container,
    since: "2.2.12",
    summary: "Commands about what took long.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Command::BASE
}];

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "get",
        arity: -2,
        run: Run::Session(get),
        flags: Flags::ADMIN.and(Flags::LOADING).and(Flags::STALE),
        since: "2.2.12",
        summary: "Returns the newest slow commands.",
        complexity: "O(N), N commands that are returned",
        syntax: "[count:integer]",
        history: &[("4.0.0", "Added client IP address, port and name to the reply.")],
        tips: &["request_policy:all_nodes", "nondeterministic_output"],
        ..Command::BASE
    },
    Command {
        name: "len",
        arity: 2,
        run: Run::Session(len),
        flags: Flags::ADMIN.and(Flags::LOADING).and(Flags::STALE),
        since: "2.2.12",
        summary: "Returns how many slow commands are kept.",
        complexity: "O(1)",
        tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
        ..Command::BASE
    },
    Command {
        name: "reset",
        arity: 2,
        run: Run::Session(reset),
        flags: Flags::ADMIN.and(Flags::LOADING).and(Flags::STALE),
        since: "2.2.12",
        summary: "Forgets the slow commands.",
        complexity: "O(N), N commands that were kept",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Command::BASE
    },
    Command {
        name: "help",
        arity: 2,
        run: Run::Session(help),
        flags: Flags::LOADING.and(Flags::STALE),
        since: "6.2.0",
        summary: "Explains the subcommands.",
        complexity: "O(1)",
        ..Command::BASE
    },
];

/// Commands that are shown without a count, as in Redis.
const COUNT_DEFAULT: usize = 10;

fn get(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    const RANGE: CommandError = CommandError::Text("ERR count should be greater than or equal to -1");
    if context.args.len() > 3 {
        return Err(bad_subcommand(context.args, "SLOWLOG"));
    }
    let count = match context.args.iter_from(2).next() {
        None => COUNT_DEFAULT,
        Some(_) => match context.args.integer(2).map_err(|_| RANGE)? {
            -1 => usize::MAX,
            count => usize::try_from(count).map_err(|_| RANGE)?,
        },
    };
    let commands = context.server.slow_log.newest(count);
    let reply = &mut *context.reply;
    reply.array(commands.len());
    for command in commands {
        reply.array(6);
        reply.integer(command.number as i64);
        reply.integer(command.at_s);
        reply.integer(command.spent_us as i64);
        reply.array(command.arguments.len());
        command.arguments.iter().for_each(|argument| reply.bulk(argument));
        reply.bulk(command.address.as_bytes());
        reply.bulk(&command.name);
    }
    Ok(())
}

fn len(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    context.reply.integer(context.server.slow_log.len() as i64);
    Ok(())
}

fn reset(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    context.server.slow_log.clear();
    context.reply.ok();
    Ok(())
}

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(context.reply, "SLOWLOG", &[
        "GET [<count>]",
        "    The newest slow commands, 10 unless told, all for -1: number, Unix time in seconds, microseconds it took,",
        "    arguments, address and name of the client.",
        "LEN",
        "    How many are kept.",
        "RESET",
        "    Forgets them.",
    ]);
    Ok(())
}
