//! FCALL, FCALL_RO, and FUNCTION: libraries of functions.

use std::sync::Arc;

use crate::command::context::SessionContext;
use crate::command::error::CommandError;
use crate::command::help::reply_help;
use crate::command::spec::{Categories, Command, Flags, Run, ScriptCall};
use crate::persist::rdb::functions_payload::{self, FunctionsError};
use crate::resp::reply::Reply;
use crate::script::libraries::{FunctionTaken, Libraries, Library};
use crate::stdx::glob::Glob;

use super::eval::{BUSY_SCRIPT, READS_ONLY, RUNS_SCRIPT, SCRIPT_KEYS_NOTED, SCRIPT_KEYS_READ_NOTED, kill_running};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "fcall",
        run: Run::Script(ScriptCall::Function),
        keys: SCRIPT_KEYS_NOTED,
        since: "7.0.0",
        summary: "Runs a function.",
        complexity: "Depends on the function that is executed.",
        syntax: "function numkeys:integer [key...] [arg...]",
        ..RUNS_SCRIPT
    },
    Command {
        name: "fcall_ro",
        run: Run::Script(ScriptCall::Function),
        flags: READS_ONLY,
        keys: SCRIPT_KEYS_READ_NOTED,
        since: "7.0.0",
        summary: "Runs a function that only reads.",
        complexity: "Depends on the function that is executed.",
        syntax: "function numkeys:integer [key...] [arg...]",
        ..RUNS_SCRIPT
    },
    Command {
        name: "function",
        arity: -2,
        group: "scripting",
        since: "7.0.0",
        summary: "Commands about functions and their libraries.",
        complexity: "Depends on subcommand.",
        subcommands: SUBCOMMANDS,
        ..Command::BASE
    },
];

const SUBCOMMAND: Command = Command {
    flags: Flags::NOSCRIPT,
    categories: Categories::SCRIPTING,
    group: "scripting",
    since: "7.0.0",
    ..Command::BASE
};
const EVERYWHERE: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "delete",
        arity: 3,
        run: Run::Session(delete),
        flags: Flags::NOSCRIPT.and(Flags::WRITE),
        summary: "Removes a library with its functions.",
        syntax: "library-name",
        tips: EVERYWHERE,
        ..SUBCOMMAND
    },
    Command {
        name: "dump",
        arity: 2,
        run: Run::Session(dump),
        summary: "Returns all libraries as one payload.",
        complexity: "O(N) where N is the number of functions",
        ..SUBCOMMAND
    },
    Command {
        name: "flush",
        arity: -2,
        run: Run::Session(flush),
        flags: Flags::NOSCRIPT.and(Flags::WRITE),
        summary: "Removes all libraries.",
        complexity: "O(N) where N is the number of functions deleted",
        syntax: "[flush-type(ASYNC | SYNC)]",
        tips: EVERYWHERE,
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
    Command {
        name: "kill",
        arity: 2,
        run: Run::Session(kill),
        flags: Flags::NOSCRIPT.and(Flags::ALLOW_BUSY),
        summary: "Ends the running function, if it has not written anything.",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..SUBCOMMAND
    },
    Command {
        name: "list",
        arity: -2,
        run: Run::Session(list),
        summary: "Tells about all libraries.",
        complexity: "O(N) where N is the number of functions",
        syntax: "[LIBRARYNAME library-name-pattern] [withcode=WITHCODE]",
        tips: &["nondeterministic_output_order"],
        ..SUBCOMMAND
    },
    Command {
        name: "load",
        arity: -3,
        run: Run::Session(load),
        flags: Flags::NOSCRIPT.and(Flags::WRITE).and(Flags::DENYOOM),
        summary: "Makes a library from its source.",
        complexity: "O(1) (considering compilation time is redundant)",
        syntax: "[replace=REPLACE] function-code",
        tips: EVERYWHERE,
        ..SUBCOMMAND
    },
    Command {
        name: "restore",
        arity: -3,
        run: Run::Session(restore),
        flags: Flags::NOSCRIPT.and(Flags::WRITE).and(Flags::DENYOOM),
        summary: "Makes libraries from a payload.",
        complexity: "O(N) where N is the number of functions on the payload",
        syntax: "serialized-value [policy(FLUSH | APPEND | REPLACE)]",
        tips: EVERYWHERE,
        ..SUBCOMMAND
    },
    Command {
        name: "stats",
        arity: 2,
        run: Run::Session(stats),
        flags: Flags::NOSCRIPT.and(Flags::ALLOW_BUSY),
        summary: "Tells which function runs, and how many there are.",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..SUBCOMMAND
    },
];

fn already(kind: &str, name: &[u8], quote: &str) -> CommandError {
    CommandError::Owned(
        [b"ERR ", kind.as_bytes(), b" ", quote.as_bytes(), name, quote.as_bytes(), b" already exists"].concat(),
    )
}

fn function_taken(FunctionTaken(name): FunctionTaken) -> CommandError {
    already("Function", &name, "")
}

fn load(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let last = context.args.len() - 1;
    let mut replaces = false;
    for index in 2..last {
        if !context.args.is(index, b"replace") {
            return Err(CommandError::quoting("ERR Unknown option given: ", context.args.get(index), ""));
        }
        replaces = true;
    }
    let code = context.args.get(last);
    let shared = context.scripting().shared.clone();
    let is_taken = |name: &[u8]| !replaces && shared.libraries().contains(name);
    let library = context.scripting().make_library(code, &is_taken).map_err(CommandError::Owned)?;
    let name = library.name.clone();
    shared.change_libraries(|libraries| {
        if !replaces && libraries.contains(&library.name) {
            return Err(already("Library", &library.name, "'"));
        }
        libraries.put(Arc::new(library)).map_err(function_taken)
    })?;
    context.reply.bulk(&name);
    Ok(())
}

fn delete(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let name = context.args.get(2);
    context.scripting().shared.clone().change_libraries(|libraries| match libraries.remove(name) {
        true => Ok(()),
        false => Err(CommandError::Text("ERR Library not found")),
    })?;
    context.reply.ok();
    Ok(())
}

fn flush(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    match context.args.len() {
        2 => {}
        3 if context.args.is(2, b"sync") || context.args.is(2, b"async") => {}
        3 => return Err(CommandError::Text("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")),
        _ => return Err(wrong_form(context)),
    }
    context.scripting().shared.clone().change_libraries(|libraries| {
        *libraries = Libraries::default();
        Ok::<(), CommandError>(())
    })?;
    context.reply.ok();
    Ok(())
}

fn wrong_form(context: &SessionContext<'_>) -> CommandError {
    const ADVICE: &str = "'. Try FUNCTION HELP.";
    CommandError::quoting("ERR unknown subcommand or wrong number of arguments for '", context.args.get(1), ADVICE)
}

fn list(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let (mut with_code, mut pattern) = (false, None);
    let mut index = 2;
    while index < context.args.len() {
        if !with_code && context.args.is(index, b"withcode") {
            with_code = true;
        } else if pattern.is_none() && context.args.is(index, b"libraryname") {
            index += 1;
            if index == context.args.len() {
                return Err(CommandError::Text("ERR library name argument was not given"));
            }
            pattern = Some(Glob::ignoring_case(context.args.get(index)));
        } else {
            return Err(CommandError::quoting("ERR Unknown argument ", context.args.get(index), ""));
        }
        index += 1;
    }
    let libraries = context.scripting().shared.libraries();
    let shown: Vec<&Arc<Library>> = libraries
        .iter()
        .filter(|library| pattern.as_ref().is_none_or(|pattern| pattern.matches(&library.name)))
        .collect();
    context.reply.array(shown.len());
    for library in shown {
        write_library(context.reply, library, with_code);
    }
    Ok(())
}

fn write_library(reply: &mut Reply, library: &Library, with_code: bool) {
    reply.map(if with_code { 4 } else { 3 });
    reply.bulk(b"library_name");
    reply.bulk(&library.name);
    reply.bulk(b"engine");
    reply.bulk(b"LUA");
    reply.bulk(b"functions");
    reply.array(library.functions.len());
    for function in &library.functions {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(&function.name);
        reply.bulk(b"description");
        match &function.description {
            Some(description) => reply.bulk(description),
            None => reply.null(),
        }
        reply.bulk(b"flags");
        reply.set(function.flags.names().count());
        for name in function.flags.names() {
            reply.simple(name);
        }
    }
    if with_code {
        reply.bulk(b"library_code");
        reply.bulk(&library.code);
    }
}

fn dump(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let libraries = context.scripting().shared.libraries();
    let compresses = context.config.get_bool(crate::param!("rdbcompression"));
    let payload = functions_payload::dump(libraries.iter().map(|library| &library.code[..]), compresses);
    context.reply.bulk(&payload);
    Ok(())
}

/// What RESTORE does with the libraries that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Flush,
    Append,
    Replace,
}

fn restore(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let policy = match context.args.len() {
        3 => Policy::Append,
        4 if context.args.is(3, b"append") => Policy::Append,
        4 if context.args.is(3, b"replace") => Policy::Replace,
        4 if context.args.is(3, b"flush") => Policy::Flush,
        4 => {
            return Err(CommandError::Text(
                "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            ));
        }
        _ => return Err(wrong_form(context)),
    };
    let checks_sum = !context.server.skip_checksums.load(std::sync::atomic::Ordering::Relaxed);
    let codes = functions_payload::restore(context.args.get(2), checks_sum).map_err(|error| {
        CommandError::Text(match error {
            FunctionsError::Footer => "ERR DUMP payload version or checksum are wrong",
            FunctionsError::Form => "ERR can not read data type",
            FunctionsError::PreGa => "ERR Pre-GA function format not supported",
            FunctionsError::NotAFunction => "ERR given type is not a function",
            FunctionsError::Damaged => "ERR failed loading the given functions payload",
        })
    })?;
    let mut fresh = Libraries::default();
    for code in &codes {
        let library =
            context.scripting().make_library(code, &|name| fresh.contains(name)).map_err(CommandError::Owned)?;
        fresh.put(Arc::new(library)).map_err(function_taken)?;
    }
    context.scripting().shared.clone().change_libraries(|libraries| {
        if policy == Policy::Flush {
            *libraries = fresh;
            return Ok(());
        }
        if policy == Policy::Append
            && let Some(library) = fresh.iter().find(|library| libraries.contains(&library.name))
        {
            return Err(already("Library", &library.name, ""));
        }
        let mut next = libraries.clone();
        for library in fresh.iter() {
            next.remove(&library.name);
        }
        fresh.iter().try_for_each(|library| next.put(library.clone())).map_err(function_taken)?;
        *libraries = next;
        Ok(())
    })?;
    context.reply.ok();
    Ok(())
}

fn stats(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let shared = context.scripting().shared.clone();
    if shared.busy() == Some(false) {
        return Err(CommandError::Text(BUSY_SCRIPT));
    }
    let reply = &mut *context.reply;
    reply.map(2);
    reply.bulk(b"running_script");
    let running = shared.running.iter().find_map(|running| Some((running, running.state().filter(|(_, is)| *is)?)));
    match running {
        None => reply.null(),
        Some((running, (started_ms, _))) => {
            let (name, command) = running.description();
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(&name);
            reply.bulk(b"command");
            reply.array(command.len());
            command.iter().for_each(|argument| reply.bulk(argument));
            reply.bulk(b"duration_ms");
            reply.integer(context.now_ms - started_ms);
        }
    }
    let libraries = shared.libraries();
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.integer(libraries.len() as i64);
    reply.bulk(b"functions_count");
    reply.integer(libraries.functions_len() as i64);
    Ok(())
}

fn kill(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    kill_running(context, true)
}

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(
        context.reply,
        "FUNCTION",
        &[
            "DELETE <LIBRARY NAME>",
            "    Remove a library with its functions.",
            "DUMP",
            "    Return all libraries as one payload, which RESTORE understands.",
            "FLUSH [ASYNC|SYNC]",
            "    Remove all libraries.",
            "KILL",
            "    End the running function, if it has not written anything.",
            "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
            "    Tell about all libraries, or those whose name matches, with their source if asked to.",
            "LOAD [REPLACE] <FUNCTION CODE>",
            "    Make a library from its source and return its name.",
            "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
            "    Make libraries from a payload: FLUSH removes all others before, APPEND (the default) refuses names that are",
            "    taken, REPLACE replaces them.",
            "STATS",
            "    Tell which function runs, and how many there are.",
        ],
    );
    Ok(())
}
