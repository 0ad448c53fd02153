//! CLIENT: what is known of the clients, and what can be done to them. What concerns other clients is asked of all cores
//! by the session (`session/control.rs`).

use crate::client::{ClientKind, ReplyMode};
use crate::stdx::number;

use super::args::Args;
use super::connection::{BAD_NAME, is_printable_word, set_name};
use super::context::SessionContext;
use super::error::CommandError;
use super::help::{bad_subcommand, reply_help};
use super::request::{ClientFilter, ControlRequest};
use super::spec::{Categories, Command, Flags, Run};

const PLAIN: Flags = Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE);
const ADMIN: Flags = PLAIN.and(Flags::ADMIN);

/// A subcommand's row before it says what it is about.
const SUBCOMMAND: Command =
    Command { flags: PLAIN, categories: Categories::CONNECTION, group: "connection", ..Command::BASE };

const TO_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// The family's rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "client",
    arity: -2,
    run: Run::Container,
    group: "connection",
    since: "2.4.0",
    summary: "Commands about client connections.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Command::BASE
}];

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "id",
        arity: 2,
        run: Run::Session(id),
        since: "5.0.0",
        summary: "Returns the number of the connection.",
        ..SUBCOMMAND
    },
    Command {
        name: "getname",
        arity: 2,
        run: Run::Session(getname),
        since: "2.6.9",
        summary: "Returns the name of the connection.",
        ..SUBCOMMAND
    },
    Command {
        name: "setname",
        arity: 3,
        run: Run::Session(setname),
        since: "2.6.9",
        summary: "Names the connection.",
        syntax: "connection-name",
        tips: TO_ALL_NODES,
        ..SUBCOMMAND
    },
    Command {
        name: "setinfo",
        arity: 4,
        run: Run::Session(setinfo),
        since: "7.2.0",
        summary: "Says which client library is at the other end, and its version.",
        syntax: "attr(LIB-NAME libname | LIB-VER libver)",
        tips: TO_ALL_NODES,
        ..SUBCOMMAND
    },
    Command {
        name: "info",
        arity: 2,
        run: Run::Control(info),
        since: "6.2.0",
        summary: "Describes the connection in a line of CLIENT LIST.",
        tips: &["nondeterministic_output"],
        ..SUBCOMMAND
    },
    Command {
        name: "list",
        arity: -2,
        run: Run::Control(list),
        flags: ADMIN,
        since: "2.4.0",
        summary: "Describes the open connections, one a line.",
        complexity: "O(N), N connections",
        syntax: "[TYPE client-type(NORMAL | MASTER | REPLICA | PUBSUB)@5.0.0] [ID client-id:integer...@6.2.0]",
        history: &[
            ("2.8.12", "Shows the number of each connection."),
            ("5.0.0", "TYPE chooses by type."),
            ("6.0.0", "Shows the user."),
            ("6.2.0", "Shows argv-mem, tot-mem, laddr and redir; ID chooses by number."),
            ("7.0.0", "Shows resp, multi-mem, rbs and rbp."),
            ("7.0.3", "Shows ssub."),
        ],
        tips: &["nondeterministic_output"],
        ..SUBCOMMAND
    },
    Command {
        name: "kill",
        arity: -3,
        run: Run::Control(kill),
        flags: ADMIN,
        since: "2.4.0",
        summary: "Closes connections.",
        complexity: "O(N), N connections",
        syntax: "filter(old-format<ip:port>!2.8.12 | new-format([ID client-id:integer@2.8.12] | \
                 [TYPE client-type(NORMAL | MASTER@3.2.0 | SLAVE | REPLICA@5.0.0 | PUBSUB)@2.8.12] | [USER username] | \
                 [ADDR addr<ip:port>] | [LADDR laddr<ip:port>@6.2.0] | [SKIPME skipme(YES | NO)] | \
                 [MAXAGE maxage:integer@7.4.0])...)",
        history: &[
            ("2.8.12", "Takes filters."),
            ("2.8.12", "Filter ID."),
            ("3.2.0", "TYPE knows masters."),
            ("5.0.0", "TYPE says replica; slave is still understood."),
            ("6.2.0", "Filter LADDR."),
            ("7.4.0", "Filter MAXAGE."),
        ],
        ..SUBCOMMAND
    },
    Command {
        name: "no-evict",
        arity: 3,
        run: Run::Session(no_evict),
        flags: ADMIN,
        since: "7.0.0",
        summary: "Keeps the connection from being closed when clients take too much memory.",
        syntax: "enabled(ON | OFF)",
        ..SUBCOMMAND
    },
    Command {
        name: "no-touch",
        arity: 3,
        run: Run::Session(no_touch),
        since: "7.2.0",
        summary: "Says whether what the connection reads counts as used.",
        syntax: "enabled(ON | OFF)",
        ..SUBCOMMAND
    },
    Command {
        name: "reply",
        arity: 3,
        run: Run::Session(reply),
        since: "3.2.0",
        summary: "Says whether commands are answered.",
        syntax: "action(ON | OFF | SKIP)",
        ..SUBCOMMAND
    },
    Command {
        name: "unblock",
        arity: -3,
        run: Run::Control(unblock),
        flags: ADMIN,
        since: "5.0.0",
        summary: "Ends the wait of a client in a blocking command.",
        complexity: "O(log N), N connections",
        syntax: "client-id:integer [unblock-type(TIMEOUT | ERROR)]",
        ..SUBCOMMAND
    },
    Command {
        name: "pause",
        arity: -3,
        run: Run::Control(pause),
        flags: ADMIN,
        since: "3.0.0",
        summary: "Holds back the commands of all clients, or only writes.",
        syntax: "timeout:integer [mode(WRITE | ALL)@6.2.0]",
        history: &[("6.2.0", "WRITE holds back writes only.")],
        ..SUBCOMMAND
    },
    Command {
        name: "unpause",
        arity: 2,
        run: Run::Control(unpause),
        flags: ADMIN,
        since: "6.2.0",
        summary: "Ends a pause.",
        complexity: "O(N), N paused clients",
        ..SUBCOMMAND
    },
    Command {
        name: "getredir",
        arity: 2,
        run: Run::Session(getredir),
        since: "6.0.0",
        summary: "Returns the client that is told what this connection should forget.",
        ..SUBCOMMAND
    },
    Command {
        name: "trackinginfo",
        arity: 2,
        run: Run::Session(trackinginfo),
        since: "6.2.0",
        summary: "Describes the connection's client-side caching.",
        ..SUBCOMMAND
    },
    Command {
        name: "help",
        arity: 2,
        run: Run::Session(help),
        flags: Flags::LOADING.and(Flags::STALE),
        since: "5.0.0",
        summary: "Explains the subcommands.",
        ..SUBCOMMAND
    },
];

fn id(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    context.reply.integer(context.client.id as i64);
    Ok(())
}

fn getname(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    match &context.client.name {
        Some(name) => context.reply.bulk(name),
        None => context.reply.null(),
    }
    Ok(())
}

fn setname(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let name = context.args.get(2);
    if !is_printable_word(name) {
        return Err(BAD_NAME);
    }
    set_name(context.client, name);
    context.reply.ok();
    Ok(())
}

fn setinfo(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let (attribute, value) = (context.args.get(2), context.args.get(3));
    let target = if attribute.eq_ignore_ascii_case(b"lib-name") {
        &mut context.client.library_name
    } else if attribute.eq_ignore_ascii_case(b"lib-ver") {
        &mut context.client.library_version
    } else {
        return Err(CommandError::quoting("ERR Unrecognized option '", attribute, "'"));
    };
    if !is_printable_word(value) {
        let reason = " cannot contain spaces, newlines or special characters.";
        return Err(CommandError::quoting("ERR ", attribute, reason));
    }
    *target = (!value.is_empty()).then(|| value.into());
    context.reply.ok();
    Ok(())
}

fn info(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    let filter = ClientFilter { ids: vec![context.client.id], ..ClientFilter::default() };
    Ok(ControlRequest::ClientList(filter))
}

fn list(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    let args = context.args;
    let mut filter = ClientFilter::default();
    if args.len() == 4 && args.is(2, b"type") {
        filter.kind = Some(client_kind(args.get(3))?);
    } else if args.len() > 3 && args.is(2, b"id") {
        for text in args.iter_from(3) {
            let id = number::parse_i64(text).ok_or(CommandError::Text("ERR Invalid client ID"))?;
            // No client has a negative number, and none the huge one it becomes.
            filter.ids.push(id as u64);
        }
    } else if args.len() != 2 {
        return Err(CommandError::Syntax);
    }
    Ok(ControlRequest::ClientList(filter))
}

fn client_kind(text: &[u8]) -> Result<ClientKind, CommandError> {
    let kinds = [
        (&b"normal"[..], ClientKind::Normal),
        (b"slave", ClientKind::Replica),
        (b"replica", ClientKind::Replica),
        (b"pubsub", ClientKind::Pubsub),
        (b"master", ClientKind::Master),
    ];
    let found = kinds.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, kind)| *kind).ok_or_else(|| {
        CommandError::quoting("ERR Unknown client type '", text, "'")
    })
}

fn kill(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    let args = context.args;
    if args.len() == 3 {
        // The old form may end the asking client too.
        let address = Some(String::from_utf8_lossy(args.get(2)).into_owned());
        let filter = ClientFilter { address, ..ClientFilter::default() };
        return Ok(ControlRequest::ClientKill { filter, old_form: true });
    }
    let mut filter = ClientFilter { skip: Some(context.client.id), ..ClientFilter::default() };
    for at in (2..args.len()).step_by(2) {
        if at + 1 >= args.len() {
            return Err(CommandError::Syntax);
        }
        add_filter(&mut filter, &args, at, context)?;
    }
    Ok(ControlRequest::ClientKill { filter, old_form: false })
}

/// Reads the filter at `at` and its value.
fn add_filter(filter: &mut ClientFilter, args: &Args<'_>, at: usize, context: &SessionContext<'_>) -> Result<(), CommandError> {
    let value = args.get(at + 1);
    let text = || String::from_utf8_lossy(value).into_owned();
    if args.is(at, b"id") {
        let id = number::parse_i64(value).filter(|&id| id > 0);
        let id = id.ok_or(CommandError::Text("ERR client-id should be greater than 0"))?;
        filter.ids = vec![id as u64];
    } else if args.is(at, b"maxage") {
        let age_s = number::parse_i64(value)
            .ok_or(CommandError::Text("ERR maxage is not an integer or out of range"))?;
        if age_s <= 0 {
            return Err(CommandError::Text("ERR maxage should be greater than 0"));
        }
        filter.age_min_s = Some(age_s);
    } else if args.is(at, b"type") {
        filter.kind = Some(client_kind(value)?);
    } else if args.is(at, b"addr") {
        filter.address = Some(text());
    } else if args.is(at, b"laddr") {
        filter.local_address = Some(text());
    } else if args.is(at, b"user") {
        if context.users.find(value).is_none() {
            return Err(CommandError::quoting("ERR No such user '", value, "'"));
        }
        filter.user = Some(value.to_vec());
    } else if args.is(at, b"skipme") {
        filter.skip = if args.is(at + 1, b"yes") {
            Some(context.client.id)
        } else if args.is(at + 1, b"no") {
            None
        } else {
            return Err(CommandError::Syntax);
        };
    } else {
        return Err(CommandError::Syntax);
    }
    Ok(())
}

/// ON or OFF at argument 2.
fn on_or_off(args: &Args<'_>) -> Result<bool, CommandError> {
    if args.is(2, b"on") {
        Ok(true)
    } else if args.is(2, b"off") {
        Ok(false)
    } else {
        Err(CommandError::Syntax)
    }
}

fn no_evict(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    context.client.no_evict = on_or_off(&context.args)?;
    context.reply.ok();
    Ok(())
}

fn no_touch(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    context.client.no_touch = on_or_off(&context.args)?;
    context.reply.ok();
    Ok(())
}

fn reply(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    if context.args.is(2, b"on") {
        context.client.reply_mode = ReplyMode::On;
        context.reply.ok();
    } else if context.args.is(2, b"off") {
        context.client.reply_mode = ReplyMode::Off;
    } else if context.args.is(2, b"skip") {
        if context.client.reply_mode != ReplyMode::Off {
            context.client.reply_mode = ReplyMode::SkipNext;
        }
    } else {
        return Err(CommandError::Syntax);
    }
    Ok(())
}

fn unblock(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    let args = context.args;
    let error = match args.len() {
        3 => false,
        4 if args.is(3, b"timeout") => false,
        4 if args.is(3, b"error") => true,
        4 => return Err(CommandError::Text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        _ => return Err(bad_subcommand(args, "CLIENT")),
    };
    Ok(ControlRequest::ClientUnblock { id: args.integer(2)? as u64, error })
}

fn pause(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    let args = context.args;
    let writes_only = match args.len() {
        3 => false,
        4 if args.is(3, b"write") => true,
        4 if args.is(3, b"all") => false,
        4 => return Err(CommandError::Text("ERR CLIENT PAUSE mode must be WRITE or ALL")),
        _ => return Err(bad_subcommand(args, "CLIENT")),
    };
    let timeout_ms = number::parse_i64(args.get(2))
        .ok_or(CommandError::Text("ERR timeout is not an integer or out of range"))?;
    if timeout_ms < 0 {
        return Err(CommandError::Text("ERR timeout is negative"));
    }
    let until_ms = timeout_ms
        .checked_add(context.now_ms)
        .ok_or(CommandError::Text("ERR timeout is out of range"))?;
    Ok(ControlRequest::ClientPause { until_ms, writes_only })
}

fn unpause(_: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    Ok(ControlRequest::ClientUnpause)
}

/// Nothing is tracked, so nothing is redirected.
const NO_REDIRECTION: i64 = -1;

fn getredir(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    context.reply.integer(NO_REDIRECTION);
    Ok(())
}

fn trackinginfo(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let reply = &mut *context.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(1);
    reply.bulk(b"off");
    reply.bulk(b"redirect");
    reply.integer(NO_REDIRECTION);
    reply.bulk(b"prefixes");
    reply.array(0);
    Ok(())
}

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(context.reply, "CLIENT", &[
        "GETREDIR",
        "    The client that is told what this connection should forget (-1: none).",
        "GETNAME",
        "    The name of this connection.",
        "ID",
        "    The number of this connection.",
        "INFO",
        "    This connection's line of CLIENT LIST.",
        "KILL <ip:port>",
        "    Close the connection that comes from <ip:port>.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Close all connections for which every option given holds:",
        "    * ADDR (<ip:port>|<unixsocket>:0)",
        "      It comes from this address.",
        "    * LADDR (<ip:port>|<unixsocket>:0)",
        "      It goes to this address of ours.",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      It is of this type.",
        "    * USER <username>",
        "      It has authenticated as this user.",
        "    * SKIPME (YES|NO)",
        "      Whether this connection is left alone (default: yes).",
        "    * ID <client-id>",
        "      It has this number.",
        "    * MAXAGE <maxage>",
        "      It is at least so many seconds old.",
        "LIST [options ...]",
        "    One line for each connection. Options:",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Those of a type.",
        "    * ID <client-id> [<client-id> ...]",
        "      Those with these numbers.",
        "UNPAUSE",
        "    End a pause at once.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Hold back writes, or all commands, for <timeout> milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Whether commands of this connection are answered.",
        "SETNAME <name>",
        "    Give this connection a name.",
        "SETINFO <option> <value>",
        "    Describe this connection. Options:",
        "    * LIB-NAME: the name of the client library.",
        "    * LIB-VER: its version.",
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        "    End the wait of a client in a blocking command.",
        "TRACKINGINFO",
        "    How this connection's client-side caching is set up.",
        "NO-EVICT (ON|OFF)",
        "    Keep this connection when clients take too much memory.",
        "NO-TOUCH (ON|OFF)",
        "    Whether what this connection reads leaves its last use as it was.",
    ]);
    Ok(())
}
