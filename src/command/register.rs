//! Commands of an application: rows given before the server starts take their place in the one table, and are from then on
//! commands like any other — looked up, routed, checked, counted, in COMMAND, in ACL categories, in the client's help.
//!
//! The table is built at its first use and never changes, so the look-up costs nothing more. `examples/custom_command.rs`
//! is a whole program.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::spec::Command;
use super::{syntax, table};
use crate::stdx::limits::REGISTERED_COMMANDS_MAX;

static REGISTERED: OnceLock<&'static [Command]> = OnceLock::new();
/// The table has been built.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Why commands cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegisterError {
    /// It was done before, or the server has started.
    TooLate,
    /// More than `REGISTERED_COMMANDS_MAX`.
    TooMany,
    /// Another command has this name.
    NameTaken(&'static str),
    /// A row contradicts itself: the command's name, and how.
    Contradiction(&'static str, &'static str),
    /// A row's `syntax` cannot be read.
    Syntax(&'static str),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegisterError::TooLate => out.write_str("commands are registered once, before the server starts"),
            RegisterError::TooMany => write!(out, "more than {REGISTERED_COMMANDS_MAX} commands"),
            RegisterError::NameTaken(name) => write!(out, "there is a command '{name}' already"),
            RegisterError::Contradiction(name, rule) => write!(out, "the row of '{name}' breaks a rule: {rule}"),
            RegisterError::Syntax(name) => write!(out, "the syntax of '{name}' cannot be read"),
        }
    }
}

impl std::error::Error for RegisterError {}

/// Adds an application's commands. Call it once, with all of them, before anything else of the server.
///
/// ```
/// use ringfort::command::context::Context;
/// use ringfort::command::error::CommandError;
/// use ringfort::command::spec::{self, Command, Flags, OWN_GROUP, Run};
///
/// fn echo_length(context: &mut Context<'_>) -> Result<(), CommandError> {
///     let length = context.args.get(1).len();
///     context.reply.integer(length as i64);
///     Ok(())
/// }
///
/// let row = Command {
///     name: "keylength",
///     arity: 2,
///     run: Run::Keyed(echo_length),
///     flags: Flags::READONLY,
///     keys: spec::KEY_LOOK,
///     group: OWN_GROUP,
///     summary: "Returns the length of a key's name.",
///     syntax: "key",
///     ..Command::BASE
/// };
/// ringfort::command::register(vec![row]).expect("it is the first and the row is right");
/// ```
///
/// # Errors
/// When it is too late, a name is taken, or a row is wrong; then none is added.
pub fn register(commands: Vec<Command>) -> Result<(), RegisterError> {
    if commands.len() > REGISTERED_COMMANDS_MAX {
        return Err(RegisterError::TooMany);
    }
    for (index, row) in commands.iter().enumerate() {
        let again = commands[..index].iter().any(|earlier| earlier.name == row.name);
        if again || table::is_own(row.name) {
            return Err(RegisterError::NameTaken(row.name));
        }
        for row in std::iter::once(row).chain(row.subcommands) {
            if let Some(rule) = table::contradiction(row) {
                return Err(RegisterError::Contradiction(row.name, rule));
            }
            syntax::parse(row.syntax).map_err(|_| RegisterError::Syntax(row.name))?;
        }
    }
    if TAKEN.load(Ordering::Acquire) {
        return Err(RegisterError::TooLate);
    }
    // Rows live as long as the process, like ours.
    REGISTERED.set(Vec::leak(commands)).map_err(|_| RegisterError::TooLate)
}

/// The commands registered so far, for the table; from now on it is too late for more.
pub(super) fn take() -> &'static [Command] {
    TAKEN.store(true, Ordering::Release);
    REGISTERED.get().copied().unwrap_or_default()
}

/// Their names, while it is not too late.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    REGISTERED.get().copied().unwrap_or_default().iter().map(|row| row.name)
}

/// Whether the table has been built.
pub(super) fn is_taken() -> bool {
    TAKEN.load(Ordering::Acquire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::context::Context;
    use crate::command::error::CommandError;
    use crate::command::spec::{self, Run};
    use crate::command::table::TABLE;

    fn nothing(_: &mut Context<'_>) -> Result<(), CommandError> {
        Ok(())
    }

    const ROW: Command = Command {
        name: "ownone",
        arity: 2,
        run: Run::Keyed(nothing),
        keys: spec::KEY_LOOK,
        summary: "Nothing.",
        syntax: "key",
        ..Command::BASE
    };

    #[test]
    fn wrong_rows_are_refused_with_the_reason() {
        let refused = |row: Command| register(vec![row]).expect_err("the row is wrong").to_string();
        for (row, reason) in [
            (Command { name: "get", ..ROW }, "there is a command 'get' already"),
            (Command { name: "Own", ..ROW }, "names are lower case"),
            (Command { keys: &[], ..ROW }, "where its keys are"),
            (Command { arity: 0, ..ROW }, "an arity"),
            (Command { syntax: "[key", ..ROW }, "the syntax of 'ownone' cannot be read"),
        ] {
            let text = refused(row);
            assert!(text.contains(reason), "{text}");
        }
        assert_eq!(register(vec![ROW, ROW]), Err(RegisterError::NameTaken("ownone")));
        assert_eq!(register(vec![ROW; REGISTERED_COMMANDS_MAX + 1]), Err(RegisterError::TooMany));
        assert!(TABLE.find(b"ownone").is_none());
        assert_eq!(register(vec![ROW]), Err(RegisterError::TooLate));
    }
}
