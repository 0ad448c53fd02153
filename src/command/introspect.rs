//! COMMAND: what the server says of its own commands, all of it read from the rows.

use crate::stdx::glob::Glob;

use super::context::SessionContext;
use super::docs;
use super::error::CommandError;
use super::help::reply_help;
use super::keys;
use super::spec::{Categories, Command, Flags, Run};
use super::table::{Row, TABLE};

const ORDER: &[&str] = &["nondeterministic_output_order"];

/// What all of COMMAND and its subcommands have in common.
const BASE: Command = Command {
    flags: Flags::LOADING.and(Flags::STALE),
    categories: Categories::CONNECTION,
    group: "server",
    ..Command::BASE
};

/// The family's rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "command",
    arity: -1,
    run: Run::Session(command),
    since: "2.8.13",
    summary: "Returns a description of every command.",
    complexity: "O(N), N commands",
    tips: ORDER,
    subcommands: SUBCOMMANDS,
    ..BASE
}];

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "count",
        arity: 2,
        run: Run::Session(count),
        since: "2.8.13",
        summary: "Returns the number of commands.",
        ..BASE
    },
    Command {
        name: "docs",
        arity: -2,
        run: Run::Session(docs),
        since: "7.0.0",
        summary: "Returns the documentation of some commands, or of all.",
        complexity: "O(N), N commands",
        syntax: "[command-name...]",
        tips: ORDER,
        ..BASE
    },
    Command {
        name: "getkeys",
        arity: -3,
        run: Run::Session(getkeys),
        since: "2.8.13",
        summary: "Returns which arguments of a request are keys.",
        complexity: "O(N), N arguments",
        syntax: "command [arg...]",
        ..BASE
    },
    Command {
        name: "getkeysandflags",
        arity: -3,
        run: Run::Session(getkeysandflags),
        since: "7.0.0",
        summary: "Returns which arguments of a request are keys, and what is done to them.",
        complexity: "O(N), N arguments",
        syntax: "command [arg...]",
        ..BASE
    },
    Command {
        name: "help",
        arity: 2,
        run: Run::Session(help),
        since: "5.0.0",
        summary: "Explains the subcommands.",
        ..BASE
    },
    Command {
        name: "info",
        arity: -2,
        run: Run::Session(info),
        since: "2.8.13",
        summary: "Returns a description of some commands, or of all.",
        complexity: "O(N), N commands",
        syntax: "[command-name...]",
        history: &[("7.0.0", "Without names it describes all commands.")],
        tips: ORDER,
        ..BASE
    },
    Command {
        name: "list",
        arity: -2,
        run: Run::Session(list),
        since: "7.0.0",
        summary: "Returns the names of all commands, or of those that pass a filter.",
        complexity: "O(N), N commands",
        syntax: "[FILTERBY filterby(MODULE module-name | ACLCAT category | PATTERN pattern:pattern)]",
        tips: ORDER,
        ..BASE
    },
];

fn command(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    describe_all(context);
    Ok(())
}

fn describe_all(context: &mut SessionContext<'_>) {
    context.reply.array(TABLE.rows().len());
    TABLE.rows().iter().for_each(|row| docs::write_info(context.reply, row));
}

fn info(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    if context.args.len() == 2 {
        describe_all(context);
        return Ok(());
    }
    context.reply.array(context.args.len() - 2);
    for name in context.args.iter_from(2) {
        match TABLE.find_full(name) {
            Some(row) => docs::write_info(context.reply, row),
            None => context.reply.null(),
        }
    }
    Ok(())
}

fn docs(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let rows: Vec<&'static Row> = match context.args.len() {
        2 => TABLE.rows().iter().collect(),
        _ => context.args.iter_from(2).filter_map(|name| TABLE.find_full(name)).collect(),
    };
    context.reply.map(rows.len());
    for row in rows {
        context.reply.bulk(row.full_name.as_bytes());
        docs::write_docs(context.reply, row);
    }
    Ok(())
}

fn count(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    context.reply.integer(TABLE.rows().len() as i64);
    Ok(())
}

fn list(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let passes: Box<dyn Fn(&Row) -> bool> = if args.len() == 2 {
        Box::new(|_| true)
    } else if args.len() != 5 || !args.is(2, b"FILTERBY") {
        return Err(CommandError::Syntax);
    } else if args.is(3, b"MODULE") {
        Box::new(|_| false)
    } else if args.is(3, b"ACLCAT") {
        let wanted = Categories::of_name(args.get(4));
        Box::new(move |row| wanted.is_some_and(|category| row.categories.has(category)))
    } else if args.is(3, b"PATTERN") {
        let glob = Glob::ignoring_case(args.get(4));
        Box::new(move |row| glob.matches(row.full_name.as_bytes()))
    } else {
        return Err(CommandError::Syntax);
    };
    let rows: Vec<&Row> = TABLE.visible_rows().filter(|row| passes(row)).collect();
    context.reply.array(rows.len());
    rows.iter().for_each(|row| context.reply.bulk(row.full_name.as_bytes()));
    Ok(())
}

fn getkeys(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_keys(context, false)
}

fn getkeysandflags(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_keys(context, true)
}

fn reply_keys(context: &mut SessionContext<'_>, with_flags: bool) -> Result<(), CommandError> {
    let args = context.args.tail(2);
    let row = TABLE.find(args.get(0)).and_then(|row| match row.visible_subcommands() {
        [_, ..] if args.len() > 1 => row.subcommand(args.get(1)),
        _ => Some(row),
    });
    let row = row.ok_or(CommandError::Text("ERR Invalid command specified"))?;
    if !keys::has_keys(row.command) {
        return Err(CommandError::Text("ERR The command has no key arguments"));
    }
    if !row.accepts(args.len()) {
        return Err(CommandError::Text("ERR Invalid number of arguments specified for command"));
    }
    let found = match keys::all_keys(row.command, args) {
        Ok(found) => found,
        Err(keys::Unfitting) if row.flags.has(Flags::NO_MANDATORY_KEYS) => Vec::new(),
        Err(keys::Unfitting) => return Err(CommandError::Text("ERR Invalid arguments specified for command")),
    };
    context.reply.array(found.len());
    for key in found {
        if with_flags {
            context.reply.array(2);
        }
        context.reply.bulk(args.get(key.argument));
        if with_flags {
            docs::write_flag_names(context.reply, key.flags);
        }
    }
    Ok(())
}

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(
        context.reply,
        "COMMAND",
        &[
            "(no subcommand)",
            "    Describe all commands.",
            "COUNT",
            "    Return the number of commands.",
            "DOCS [<command-name> ...]",
            "    Return the documentation of the given commands, or of all.",
            "GETKEYS <full-command>",
            "    Return the keys of a request.",
            "GETKEYSANDFLAGS <full-command>",
            "    Return the keys of a request with what is done to them.",
            "INFO [<command-name> ...]",
            "    Describe the given commands, or all.",
            "LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
            "    Return the names of all commands, or of those that pass.",
        ],
    );
    Ok(())
}
