//! A server with a command of its own: INCREXISTING, an INCR that demands that the key exists and holds an integer.
//!
//! ```console
//! $ cargo run --example custom_command -- --port 7000
//! $ ringfort-cli -p 7000
//! 127.0.0.1:7000> INCREXISTING visits
//! (error) ERR no such key
//! 127.0.0.1:7000> SET visits 7
//! OK
//! 127.0.0.1:7000> INCREXISTING visits
//! (integer) 8
//! 127.0.0.1:7000> HELP INCREXISTING
//! ```
//!
//! One row says everything that the server must know: where the keys are (so that the command runs on the core that owns
//! them), that it writes, and what to tell in COMMAND DOCS and in the client's help. The handler is plain synchronous code;
//! what it changes is logged and replicated as its effect, here a SET, so that other servers need not know the command.

use std::process::ExitCode;

use ringfort::command::context::Context;
use ringfort::command::error::CommandError;
use ringfort::command::spec::{self, Command, Flags, OWN_GROUP, Run};
use ringfort::keyspace::entry::StringValue;
use ringfort::keyspace::write::Expiry;
use ringfort::stdx::number::parse_i64;

const INCREXISTING: Command = Command {
    name: "increxisting",
    arity: 2,
    run: Run::Keyed(increment_existing),
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    categories: spec::Categories::STRING,
    keys: spec::KEY_READ_UPDATE,
    group: OWN_GROUP,
    since: "0.1.0",
    summary: "Adds one to the integer value of a key that must exist.",
    syntax: "key",
    ..Command::BASE
};

/// A handler that returns an error must not have changed anything.
fn increment_existing(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (mut key, reply) = context.open(1);
    let old = match key.string() {
        None => return Err(CommandError::NoSuchKey),
        Some(StringValue::Integer(integer)) => integer,
        Some(StringValue::Short(bytes)) => parse_i64(bytes).ok_or(CommandError::NotAnInteger)?,
        Some(StringValue::Long(string)) => parse_i64(string.as_bytes()).ok_or(CommandError::NotAnInteger)?,
        Some(StringValue::Other) => return Err(CommandError::WrongType),
    };
    let new = old.checked_add(1).ok_or(CommandError::Overflow)?;
    key.set_integer(new, Expiry::Keep);
    reply.integer(new);
    Ok(())
}

fn main() -> ExitCode {
    if let Err(error) = ringfort::command::register(vec![INCREXISTING]) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ringfort::server::start::run(std::env::args_os().skip(1).collect())
}
