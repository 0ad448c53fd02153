//! The connection family: who a client is and how it speaks.

use super::context::SessionContext;
use super::error::CommandError;
use super::spec::{Categories, Command, Flags, Run};

/// The family's rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "ping",
    arity: -1,
    run: Run::Session(ping),
    flags: Flags::FAST,
    categories: Categories::CONNECTION,
    group: "connection",
    summary: "Answers PONG, or with what it was given.",
    syntax: "[message]",
    ..Command::BASE
}];

fn ping(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    match context.args.len() {
        1 => context.reply.simple("PONG"),
        2 => context.reply.bulk(context.args.get(1)),
        _ => return Err(CommandError::Arity("ping")),
    }
    Ok(())
}
