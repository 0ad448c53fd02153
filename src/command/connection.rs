//! The connection family: who a client is and how it speaks. CLIENT has a file of its own.

use crate::acl::log::{Denied, Place, Reason};
use crate::acl::user::DEFAULT_USER;
use crate::client::Client;
use crate::config::Config;
use crate::resp::reply::Protocol;
use crate::stats::server::REDIS_VERSION;
use crate::stdx::number;

use super::context::SessionContext;
use super::error::CommandError;
use super::request::ControlRequest;
use super::spec::{Categories, Command, Flags, Run};

/// Commands a client needs before it has authenticated.
const GREETING: Flags =
    Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::NO_AUTH).and(Flags::ALLOW_BUSY);

/// The family's rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "ping",
        arity: -1,
        run: Run::Session(ping),
        flags: Flags::FAST,
        categories: Categories::CONNECTION,
        group: "connection",
        summary: "Answers PONG, or with what it was given.",
        syntax: "[message]",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Command::BASE
    },
    Command {
        name: "echo",
        arity: 2,
        run: Run::Session(echo),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
        categories: Categories::CONNECTION,
        group: "connection",
        summary: "Answers with what it was given.",
        syntax: "message",
        ..Command::BASE
    },
    Command {
        name: "quit",
        arity: -1,
        run: Run::Control(quit),
        flags: GREETING,
        categories: Categories::CONNECTION,
        group: "connection",
        summary: "Closes the connection once everything before it is answered.",
        deprecated: Some(("7.2.0", "just closing the connection")),
        ..Command::BASE
    },
    Command {
        name: "reset",
        arity: 1,
        run: Run::Session(reset),
        flags: GREETING,
        categories: Categories::CONNECTION,
        group: "connection",
        since: "6.2.0",
        summary: "Puts the connection back into the state it began in.",
        ..Command::BASE
    },
    Command {
        name: "select",
        arity: 2,
        run: Run::Session(select),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
        categories: Categories::CONNECTION,
        group: "connection",
        summary: "Chooses the database of the connection.",
        syntax: "index:integer",
        ..Command::BASE
    },
    Command {
        name: "hello",
        arity: -1,
        run: Run::Session(hello),
        flags: GREETING,
        categories: Categories::CONNECTION,
        group: "connection",
        since: "6.0.0",
        summary: "Greets the server: chooses the protocol, may authenticate and name the connection.",
        syntax: "[arguments{protover:integer [AUTH auth{username password}] [SETNAME clientname]}]",
        history: &[("6.2.0", "The protocol version may be left out; the reply then only describes the connection.")],
        ..Command::BASE
    },
    Command {
        name: "auth",
        arity: -2,
        run: Run::Session(auth),
        flags: GREETING,
        categories: Categories::CONNECTION,
        group: "connection",
        summary: "Authenticates the connection.",
        complexity: "O(N), N passwords of the user",
        syntax: "[username@6.0.0] password",
        history: &[("6.0.0", "May name a user.")],
        ..Command::BASE
    },
];

/// Checks what CLIENT LIST prints with blanks between the fields: names and versions must be one printable word.
pub fn is_printable_word(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

/// The error for a name that is not one printable word.
pub const BAD_NAME: CommandError =
    CommandError::Text("ERR Client names cannot contain spaces, newlines or special characters.");

/// Sets a client's name that was checked; an empty one is none.
pub fn set_name(client: &mut Client, name: &[u8]) {
    client.name = (!name.is_empty()).then(|| name.into());
}

fn ping(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let client = &context.client;
    // What a script runs is not run by the client itself.
    let is_own = context.scripting.is_some();
    if is_own && client.subscriptions.any() && client.protocol == Protocol::Resp2 && context.args.len() <= 2 {
        // Among messages the answer looks like one.
        context.reply.array(2);
        context.reply.bulk(b"pong");
        context.reply.bulk(if context.args.len() == 2 { context.args.get(1) } else { b"" });
        return Ok(());
    }
    match context.args.len() {
        1 => context.reply.simple("PONG"),
        2 => context.reply.bulk(context.args.get(1)),
        _ => return Err(CommandError::Arity("ping")),
    }
    Ok(())
}

fn echo(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    match context.args.shared(1) {
        Some(large) => context.reply.bulk_shared(large.clone()),
        None => context.reply.bulk(context.args.get(1)),
    }
    Ok(())
}

fn quit(_: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    Ok(ControlRequest::Quit)
}

/// The protocol that a connection begins with.
pub fn first_protocol(config: &Config) -> Protocol {
    match config.get_i64(crate::param!("client-default-resp")) {
        3 => Protocol::Resp3,
        _ => Protocol::Resp2,
    }
}

fn reset(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let protocol = first_protocol(context.config);
    context.client.reset(context.users.default_user(), protocol);
    context.reply.protocol = protocol;
    context.reply.simple("RESET");
    Ok(())
}

fn select(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let index = context.args.integer(1)?;
    let Ok(index) = i32::try_from(index) else {
        return Err(CommandError::Text(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    };
    if i64::from(index) < 0 || i64::from(index) >= context.config.get_i64(crate::param!("databases")) {
        return Err(CommandError::DatabaseOutOfRange);
    }
    context.client.database = index as u32;
    context.reply.ok();
    Ok(())
}

fn auth(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let args = context.args;
    match args.len() {
        2 if context.users.default_user().no_password => {
            return Err(CommandError::Text(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ));
        }
        2 => authenticate(context, DEFAULT_USER, args.get(1))?,
        3 => authenticate(context, args.get(1), args.get(2))?,
        _ => return Err(CommandError::Syntax),
    }
    context.reply.ok();
    Ok(())
}

/// Lets the client in, or tells it WRONGPASS and leaves it as it was.
fn authenticate(context: &mut SessionContext<'_>, user: &[u8], given: &[u8]) -> Result<(), CommandError> {
    if let Some(user) = context.users.authenticate(user, given) {
        context.client.authenticated = true;
        context.client.set_user(user);
        return Ok(());
    }
    // Where that was, the session knows.
    let (reason, place) = (Reason::Authentication, Place::TopLevel);
    context.denied = Some(Denied { reason, place, object: context.args.get(0).into(), user: user.into() });
    Err(CommandError::Text("WRONGPASS invalid username-password pair or user is disabled."))
}

/// What HELLO was given after the protocol's version.
#[derive(Default)]
struct Greeting<'a> {
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

fn hello(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let mut protocol = context.client.protocol;
    if args.len() >= 2 {
        protocol = match number::parse_i64(args.get(1)) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(CommandError::Text("NOPROTO unsupported protocol version")),
            None => return Err(CommandError::Text("ERR Protocol version is not an integer or out of range")),
        };
    }
    let greeting = read_greeting(context)?;
    if let Some((user, given)) = greeting.credentials {
        authenticate(context, user, given)?;
    }
    // Stricter than for other commands, as in Redis: a client that connected while a password was needed gives one here
    // even when none is needed any more.
    if !context.client.authenticated {
        return Err(CommandError::Text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> \
             <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = greeting.name {
        set_name(context.client, name);
    }
    context.client.protocol = protocol;
    context.reply.protocol = protocol;
    describe(context);
    Ok(())
}

fn read_greeting<'a>(context: &SessionContext<'a>) -> Result<Greeting<'a>, CommandError> {
    let args = context.args;
    let mut greeting = Greeting::default();
    let mut at = 2;
    while at < args.len() {
        let more = args.len() - 1 - at;
        if args.is(at, b"auth") && more >= 2 {
            greeting.credentials = Some((args.get(at + 1), args.get(at + 2)));
            at += 3;
        } else if args.is(at, b"setname") && more >= 1 {
            if !is_printable_word(args.get(at + 1)) {
                return Err(BAD_NAME);
            }
            greeting.name = Some(args.get(at + 1));
            at += 2;
        } else {
            return Err(CommandError::quoting("ERR Syntax error in HELLO option '", args.get(at), "'"));
        }
    }
    Ok(greeting)
}

/// HELLO's reply.
fn describe(context: &mut SessionContext<'_>) {
    let reply = &mut *context.reply;
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.integer(if context.client.protocol == Protocol::Resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(context.client.id as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_words() {
        for (text, printable) in
            [(&b""[..], true), (b"a-b:1.2", true), (b"a b", false), (b"a\n", false), (b"\xc3\xa9", false), (b"~!", true)]
        {
            assert_eq!(is_printable_word(text), printable, "{text:?}");
        }
    }
}
