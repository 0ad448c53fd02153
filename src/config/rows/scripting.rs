//! Rows about scripts and modules, by name.

use crate::config::row::{Kind, Parameter, TEXT, integer, row};

const PROTECTED_ACTIONS: &[(&str, i32)] = &[("no", 0), ("yes", 1), ("local", 2)];

pub(super) const SCRIPTING: &[Parameter] = &[
    row("busy-reply-threshold", integer(0, i64::MAX), "5000")
        .alias("lua-time-limit")
        .about("Milliseconds after which a running script makes other clients get BUSY."),
    row(
        "enable-module-command",
        Kind::Choice(PROTECTED_ACTIONS),
        "no",
    )
    .immutable()
    .stored("modules cannot be loaded")
    .about("Who may use MODULE: nobody, everybody, or clients of this machine."),
    row("locale-collate", TEXT, "")
        .stored("strings are always compared byte by byte")
        .about("Locale by which SORT ALPHA and scripts compare strings."),
];
