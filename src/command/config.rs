//! CONFIG: the parameters while the server runs. What they are and what they accept stands in `config/`.

use super::context::{Context, SessionContext};
use super::error::CommandError;
use super::help::reply_help;
use super::request::ControlRequest;
use super::spec::{Command, Flags, Run};

const ADMIN: Flags = Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE);
const TO_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// The family's rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "config",
    arity: -2,
    run: Run::Container,
    since: "2.0.0",
    summary: "Commands about the configuration.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Command::BASE
}];

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "get",
        arity: -3,
        run: Run::Session(get),
        flags: ADMIN,
        since: "2.0.0",
        summary: "Returns parameters and their values.",
        complexity: "O(N), N parameters that match",
        syntax: "parameter...",
        history: &[("7.0.0", "Takes several patterns.")],
        ..Command::BASE
    },
    Command {
        name: "set",
        arity: -4,
        run: Run::Control(set),
        flags: ADMIN,
        since: "2.0.0",
        summary: "Changes parameters, all of them or none.",
        complexity: "O(N), N parameters",
        syntax: "data{parameter value}...",
        history: &[("7.0.0", "Takes several parameters.")],
        tips: TO_ALL_NODES,
        ..Command::BASE
    },
    Command {
        name: "rewrite",
        arity: 2,
        run: Run::Control(rewrite),
        flags: ADMIN,
        since: "2.8.0",
        summary: "Writes the parameters as they are now into the configuration file.",
        tips: TO_ALL_NODES,
        ..Command::BASE
    },
    Command {
        name: "resetstat",
        arity: 2,
        run: Run::AllShards(resetstat),
        flags: ADMIN,
        since: "2.0.0",
        summary: "Sets the counters of INFO back to zero.",
        tips: TO_ALL_NODES,
        ..Command::BASE
    },
    Command {
        name: "help",
        arity: 2,
        run: Run::Session(help),
        flags: Flags::LOADING.and(Flags::STALE),
        since: "5.0.0",
        summary: "Explains the subcommands.",
        ..Command::BASE
    },
];

fn get(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let patterns: Vec<&[u8]> = context.args.iter_from(2).collect();
    let found = context.config.matching(&patterns);
    context.reply.map(found.len());
    for (name, value) in found {
        context.reply.bulk(&name);
        context.reply.bulk(&value);
    }
    Ok(())
}

fn set(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    let args = context.args;
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let pairs = (2..args.len()).step_by(2).map(|at| (args.get(at).to_vec(), args.get(at + 1).to_vec())).collect();
    Ok(ControlRequest::ConfigSet { pairs, local: context.client.is_local() })
}

fn rewrite(_: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    Ok(ControlRequest::ConfigRewrite { all: false })
}

fn resetstat(context: &mut Context<'_>) -> Result<(), CommandError> {
    context.server.reset();
    for (_, keyspace) in context.keyspaces.all() {
        let changes = keyspace.counters.changes;
        keyspace.counters = crate::keyspace::KeyspaceCounters { changes, ..Default::default() };
        keyspace.graveyard.freed_objects = 0;
    }
    context.reply.ok();
    Ok(())
}

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(context.reply, "CONFIG", &[
        "GET <pattern> [<pattern> ...]",
        "    The parameters whose names match, with their values.",
        "SET <directive> <value> [<directive> <value> ...]",
        "    Change parameters, all of them or none.",
        "RESETSTAT",
        "    Set the counters of INFO back to zero.",
        "REWRITE",
        "    Write the parameters as they are now into the configuration file.",
    ]);
    Ok(())
}
