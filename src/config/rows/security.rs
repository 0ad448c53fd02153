//! Rows about passwords, users, protection, by name.

use crate::config::row::{Kind, OPTIONAL_TEXT, Parameter, TEXT, integer, row};

const PUBSUB_DEFAULTS: &[(&str, i32)] = &[("allchannels", 1), ("resetchannels", 0)];

const PROTECTED_ACTIONS: &[(&str, i32)] = &[("no", 0), ("yes", 1), ("local", 2)];

pub(super) const SECURITY: &[Parameter] = &[
    row("acl-pubsub-default", Kind::Choice(PUBSUB_DEFAULTS), "resetchannels")
        .about("Channels a new user may use: all or none."),
    row("aclfile", TEXT, "")
        .immutable()
        .about("File with the users, instead of 'user' lines in this one."),
    row("acllog-max-len", integer(0, i64::MAX), "128")
        .about("Entries kept by ACL LOG."),
    row("enable-debug-command", Kind::Choice(PROTECTED_ACTIONS), "no")
        .immutable()
        .about("Who may use DEBUG: nobody, everybody, or clients of this machine."),
    row("enable-protected-configs", Kind::Choice(PROTECTED_ACTIONS), "no")
        .immutable()
        .about("Who may change dir and dbfilename while running: nobody, everybody, or clients of this machine."),
    row("requirepass", OPTIONAL_TEXT, "")
        .sensitive()
        .about("Password of the default user; empty asks for none."),
];
