//! EVAL, EVALSHA, their read-only forms, and SCRIPT.

use crate::command::context::SessionContext;
use crate::command::error::CommandError;
use crate::command::help::reply_help;
use crate::command::spec::{BeginSearch, Categories, Command, FindKeys, Flags, KeySpec, Run, ScriptCall};
use crate::script::shared::KillRefused;

const KEYS: FindKeys = FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 };

/// The keys of a script that may write.
pub const SCRIPT_KEYS: &[KeySpec] = &[KeySpec {
    flags: &["RW", "access", "update"],
    begin: BeginSearch::Index(2),
    find: KEYS,
    notes: "",
}];
/// As `SCRIPT_KEYS`, with Redis' remark.
pub const SCRIPT_KEYS_NOTED: &[KeySpec] = &[KeySpec {
    notes: "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
    ..SCRIPT_KEYS[0]
}];
/// The keys of a script that only reads.
pub const SCRIPT_KEYS_READ: &[KeySpec] =
    &[KeySpec { flags: &["RO", "access"], begin: BeginSearch::Index(2), find: KEYS, notes: "" }];
/// As `SCRIPT_KEYS_READ`, with Redis' remark.
pub const SCRIPT_KEYS_READ_NOTED: &[KeySpec] = &[KeySpec {
    notes: "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
    ..SCRIPT_KEYS_READ[0]
}];

/// What a row of a command that runs a script says.
pub const RUNS_SCRIPT: Command = Command {
    arity: -3,
    flags: Flags::NOSCRIPT
        .and(Flags::STALE)
        .and(Flags::SKIP_MONITOR)
        .and(Flags::NO_MANDATORY_KEYS)
        .and(Flags::MAY_REPLICATE),
    categories: Categories::SCRIPTING,
    group: "scripting",
    since: "2.6.0",
    complexity: "Depends on the script that is executed.",
    ..Command::BASE
};
/// The flags of those that only read.
pub const READS_ONLY: Flags =
    Flags::NOSCRIPT.and(Flags::STALE).and(Flags::SKIP_MONITOR).and(Flags::NO_MANDATORY_KEYS).and(Flags::READONLY);

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "eval",
        run: Run::Script(ScriptCall::Source),
        keys: SCRIPT_KEYS_NOTED,
        summary: "Runs a Lua script on the server.",
        syntax: "script numkeys:integer [key...] [arg...]",
        ..RUNS_SCRIPT
    },
    Command {
        name: "evalsha",
        run: Run::Script(ScriptCall::Digest),
        keys: SCRIPT_KEYS,
        summary: "Runs a Lua script that the server knows, named by its SHA-1.",
        syntax: "sha1 numkeys:integer [key...] [arg...]",
        ..RUNS_SCRIPT
    },
    Command {
        name: "eval_ro",
        run: Run::Script(ScriptCall::Source),
        flags: READS_ONLY,
        keys: SCRIPT_KEYS_READ_NOTED,
        since: "7.0.0",
        summary: "Runs a Lua script that only reads.",
        syntax: "script numkeys:integer [key...] [arg...]",
        ..RUNS_SCRIPT
    },
    Command {
        name: "evalsha_ro",
        run: Run::Script(ScriptCall::Digest),
        flags: READS_ONLY,
        keys: SCRIPT_KEYS_READ,
        since: "7.0.0",
        summary: "Runs a Lua script that only reads and that the server knows, named by its SHA-1.",
        syntax: "sha1 numkeys:integer [key...] [arg...]",
        ..RUNS_SCRIPT
    },
    Command {
        name: "script",
        arity: -2,
        group: "scripting",
        since: "2.6.0",
        summary: "Commands about the scripts that the server knows.",
        complexity: "Depends on subcommand.",
        subcommands: SUBCOMMANDS,
        ..Command::BASE
    },
];

const SUBCOMMAND: Command = Command {
    flags: Flags::NOSCRIPT,
    categories: Categories::SCRIPTING,
    group: "scripting",
    since: "2.6.0",
    ..Command::BASE
};

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "debug",
        arity: 3,
        run: Run::Session(debug),
        since: "3.2.0",
        summary: "Turns the debugger for the scripts of this client on or off.",
        syntax: "mode(YES | SYNC | NO)",
        ..SUBCOMMAND
    },
    Command {
        name: "exists",
        arity: -3,
        run: Run::Session(exists),
        summary: "Tells which scripts the server knows.",
        complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
        syntax: "sha1...",
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
        ..SUBCOMMAND
    },
    Command {
        name: "flush",
        arity: -2,
        run: Run::Session(flush),
        summary: "Makes the server forget all scripts.",
        complexity: "O(N) with N being the number of scripts in cache",
        syntax: "[flush-type(ASYNC | SYNC)]@6.2.0",
        history: &[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
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
    Command {
        name: "kill",
        arity: 2,
        run: Run::Session(kill),
        flags: Flags::NOSCRIPT.and(Flags::ALLOW_BUSY),
        summary: "Ends the running script, if it has not written anything.",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..SUBCOMMAND
    },
    Command {
        name: "load",
        arity: 3,
        run: Run::Session(load),
        flags: Flags::NOSCRIPT.and(Flags::STALE),
        summary: "Makes a script known to the server.",
        complexity: "O(N) with N being the length in bytes of the script body.",
        syntax: "script",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..SUBCOMMAND
    },
    Command {
        name: "show",
        arity: 3,
        run: Run::Session(show),
        since: "8.0.0",
        summary: "Returns the source of a script.",
        syntax: "sha1",
        ..SUBCOMMAND
    },
];

fn debug(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    if context.args.is(2, b"no") {
        context.reply.ok();
        return Ok(());
    }
    if context.args.is(2, b"yes") || context.args.is(2, b"sync") {
        return Err(CommandError::Text("ERR the Lua debugger is not part of Ringfort"));
    }
    Err(CommandError::Text("ERR Use SCRIPT DEBUG YES/SYNC/NO"))
}

fn exists(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let shared = context.scripting().shared.clone();
    context.reply.array(context.args.len() - 2);
    for name in context.args.iter_from(2) {
        // As in Redis, whose look-up here does not fold the case.
        let known = <[u8; 40]>::try_from(name).is_ok_and(|sha| shared.source(&sha).is_some());
        context.reply.integer(i64::from(known));
    }
    Ok(())
}

fn flush(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let known = match context.args.len() {
        2 => true,
        3 => context.args.is(2, b"sync") || context.args.is(2, b"async"),
        _ => false,
    };
    if !known {
        return Err(CommandError::Text("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    context.scripting().shared.flush();
    context.reply.ok();
    Ok(())
}

fn load(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let source = context.args.get(2);
    let sha = context.scripting().define(source).map_err(CommandError::Owned)?;
    context.reply.bulk(&sha);
    Ok(())
}

fn show(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let mut name = context.args.get(2).to_vec();
    name.make_ascii_lowercase();
    let source = <[u8; 40]>::try_from(&name[..]).ok().and_then(|sha| context.scripting().shared.source(&sha));
    let source = source.ok_or(CommandError::Text("NOSCRIPT No matching script."))?;
    context.reply.bulk(&source);
    Ok(())
}

fn kill(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    kill_running(context, false)
}

/// SCRIPT KILL and FUNCTION KILL.
pub(super) fn kill_running(context: &mut SessionContext<'_>, functions: bool) -> Result<(), CommandError> {
    context.scripting().shared.kill(functions).map_err(|refused| {
        CommandError::Text(match refused {
            KillRefused::NotBusy => "NOTBUSY No scripts in execution right now.",
            KillRefused::HasWritten => {
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the \
                 script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
            }
            KillRefused::IsScript => BUSY_SCRIPT,
            KillRefused::IsFunction => BUSY_FUNCTION,
        })
    })?;
    context.reply.ok();
    Ok(())
}

/// What others get while a script runs for too long.
pub const BUSY_SCRIPT: &str =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
/// The same for a function.
pub const BUSY_FUNCTION: &str =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(context.reply, "SCRIPT", &[
        "DEBUG (YES|SYNC|NO)",
        "    Only NO is accepted: there is no debugger.",
        "EXISTS <sha1> [<sha1> ...]",
        "    Tell which of these scripts the server knows.",
        "FLUSH [ASYNC|SYNC]",
        "    Forget all scripts.",
        "KILL",
        "    End the running script, if it has not written anything.",
        "LOAD <script>",
        "    Make a script known without running it.",
        "SHOW <sha1>",
        "    Return the source of a script.",
    ]);
    Ok(())
}
