//! The server family: what the server says of itself, and its end. INFO's text is made in `info.rs`.

use super::context::{Context, SessionContext};
use super::error::CommandError;
use super::info;
use super::request::{ControlRequest, Shutdown};
use super::spec::{Categories, Command, Flags, Run};
use crate::stats::server::{REDIS_VERSION, RINGFORT_VERSION};
use crate::stdx::number;

/// The family's rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "info",
        arity: -1,
        run: Run::AllShards(info_command),
        flags: Flags::LOADING.and(Flags::STALE),
        categories: Categories::DANGEROUS,
        summary: "Describes the server and what it has done.",
        syntax: "[section...]",
        history: &[("7.0.0", "Takes several sections.")],
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..Command::BASE
    },
    Command {
        name: "time",
        arity: 1,
        run: Run::Session(time),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
        since: "2.6.0",
        summary: "Returns the server's clock: unix time in seconds, and the microseconds beyond.",
        tips: &["nondeterministic_output"],
        ..Command::BASE
    },
    Command {
        name: "lolwut",
        arity: -1,
        run: Run::Session(lolwut),
        flags: Flags::READONLY.and(Flags::FAST),
        since: "5.0.0",
        summary: "Draws a picture and names the version.",
        complexity: "",
        syntax: "[VERSION version:integer]",
        ..Command::BASE
    },
    Command {
        name: "role",
        arity: 1,
        run: Run::Session(role),
        flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST),
        categories: Categories::ADMIN.and(Categories::DANGEROUS),
        since: "2.8.12",
        summary: "Returns the server's part in replication.",
        ..Command::BASE
    },
    Command {
        name: "shutdown",
        arity: -1,
        run: Run::Control(shutdown),
        flags: Flags::ADMIN
            .and(Flags::NOSCRIPT)
            .and(Flags::LOADING)
            .and(Flags::STALE)
            .and(Flags::NO_MULTI)
            .and(Flags::ALLOW_BUSY),
        summary: "Ends the server.",
        complexity: "O(N) when data is saved, N keys; else O(1)",
        syntax: "[save-selector(NOSAVE | SAVE)] [NOW@7.0.0] [FORCE@7.0.0] [ABORT@7.0.0]",
        history: &[("7.0.0", "NOW, FORCE and ABORT.")],
        ..Command::BASE
    },
];

fn info_command(context: &mut Context<'_>) -> Result<(), CommandError> {
    let text = info::render(context);
    context.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn time(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    context.reply.array(2);
    context.reply.bulk_integer(context.now_us / 1_000_000);
    context.reply.bulk_integer(context.now_us % 1_000_000);
    Ok(())
}

fn role(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    context.reply.array(3);
    context.reply.bulk(b"master");
    context.reply.integer(0);
    context.reply.array(0);
    Ok(())
}

/// A fort with one tower for each shard, up to as many as a terminal shows. Clients look at the last line.
fn lolwut(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    const TOWERS_MAX: usize = 12;
    let args = context.args;
    if args.len() >= 3 && args.is(1, b"version") && number::parse_i64(args.get(2)).is_none() {
        return Err(CommandError::NotAnInteger);
    }
    let towers = context.server.cores.len().clamp(1, TOWERS_MAX);
    let mut text = String::new();
    for floor in ["   |>  ", " n_n_n ", " |   | ", " | # | ", "_|   |_", "__ _ __"] {
        text.push_str(&floor.repeat(towers));
        text.push('\n');
    }
    text.push_str(&format!("\nRingfort {RINGFORT_VERSION}: a tower a shard, and nobody waits at the gate.\n"));
    text.push_str(&format!("Redis ver. {REDIS_VERSION}\n"));
    context.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn shutdown(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    let args = context.args;
    let mut options = Shutdown::default();
    for at in 1..args.len() {
        if args.is(at, b"nosave") && options.save != Some(true) {
            options.save = Some(false);
        } else if args.is(at, b"save") && options.save != Some(false) {
            options.save = Some(true);
        } else if args.is(at, b"now") {
            options.now = true;
        } else if args.is(at, b"force") {
            options.force = true;
        } else if args.is(at, b"abort") {
            options.abort = true;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    if options.abort && options != (Shutdown { abort: true, ..Shutdown::default() }) {
        return Err(CommandError::Syntax);
    }
    Ok(ControlRequest::Shutdown(options))
}
