//! MULTI, EXEC, DISCARD, WATCH, UNWATCH. What they do concerns the session and its queue, so it stands in
//! `session/transaction`; here are the rows.

use super::spec::{Categories, Command, Flags, Run, Step, all};

const BASE: Command = Command {
    arity: 1,
    flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::ALLOW_BUSY),
    categories: Categories::TRANSACTION,
    group: "transactions",
    ..Command::BASE
};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "multi",
        run: Run::Transaction(Step::Multi),
        since: "1.2.0",
        summary: "Begins a transaction: commands are queued until EXEC.",
        ..BASE
    },
    Command {
        name: "exec",
        run: Run::Transaction(Step::Exec),
        flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::SKIP_SLOWLOG),
        since: "1.2.0",
        summary: "Runs the queued commands as one, unless a watched key was changed.",
        complexity: "Depends on commands in the transaction",
        ..BASE
    },
    Command {
        name: "discard",
        run: Run::Transaction(Step::Discard),
        since: "2.0.0",
        summary: "Drops the queued commands and the watched keys.",
        complexity: "O(N), when N is the number of queued commands",
        ..BASE
    },
    Command {
        name: "watch",
        arity: -2,
        run: Run::Transaction(Step::Watch),
        keys: &[all(&["RO"], 1)],
        since: "2.2.0",
        summary: "Makes the next EXEC depend on keys staying as they are.",
        complexity: "O(1) for every key.",
        syntax: "key...",
        ..BASE
    },
    Command {
        name: "unwatch",
        run: Run::Transaction(Step::Unwatch),
        since: "2.2.0",
        summary: "Forgets the watched keys.",
        ..BASE
    },
];
