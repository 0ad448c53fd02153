//! Whether a user may run a request: its command, the keys that its key specifications name, its channels. Asked by the
//! session before a command runs or is queued, by EXEC, by scripts for each of their commands, and by ACL DRYRUN.

use std::ops::Range;

use crate::acl::log::{Denied, Place, Reason};
use crate::acl::{Access, Selector, User};
use crate::command::args::Args;
use crate::command::error::CommandError;
use crate::command::keys;
use crate::command::sort::{self, OutsidePattern};
use crate::command::spec::Flags;
use crate::command::table::Row;

/// Why a request is denied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Denial {
    /// What is not allowed.
    pub reason: Reason,
    /// The key or channel.
    argument: usize,
}

impl Denial {
    /// What is denied: the command's name, the key, the channel.
    fn object<'a>(&self, row: &'static Row, args: Args<'a>) -> &'a [u8] {
        match self.reason {
            Reason::Command | Reason::Authentication => row.full_name.as_bytes(),
            Reason::Key | Reason::Channel => args.get(self.argument),
        }
    }

    /// For the log.
    pub fn noted(&self, user: &User, row: &'static Row, args: Args<'_>, place: Place) -> Denied {
        Denied { reason: self.reason, place, object: self.object(row, args).into(), user: user.name.clone() }
    }

    /// What the client is told, without a code; it is not shown names that it may not use.
    pub fn text(&self, user: &User, row: &'static Row) -> Vec<u8> {
        match self.reason {
            Reason::Key => b"No permissions to access a key".to_vec(),
            Reason::Channel => b"No permissions to access a channel".to_vec(),
            Reason::Command | Reason::Authentication => self.full_text(user, row, Args::new(&[], &[], &[])),
        }
    }

    /// The same with names, for ACL DRYRUN.
    pub fn full_text(&self, user: &User, row: &'static Row, args: Args<'_>) -> Vec<u8> {
        let object = self.object(row, args);
        let (before, after): (&[u8], &[u8]) = match self.reason {
            Reason::Key => (b"access the '", b"' key"),
            Reason::Channel => (b"access the '", b"' channel"),
            Reason::Command | Reason::Authentication => (b"run the '", b"' command"),
        };
        [b"User ", &*user.name, b" has no permissions to ", before, object, after].concat()
    }

    /// The error of a request.
    pub fn error(&self, user: &User, row: &'static Row) -> CommandError {
        CommandError::Owned([b"NOPERM ", self.text(user, row).as_slice()].concat())
    }

    /// The error of a command that could be queued, and is denied now that the transaction runs.
    pub fn error_in_transaction(&self) -> CommandError {
        let reason = match self.reason {
            Reason::Key => "no permission to touch the specified keys",
            Reason::Channel => "no permission to access one of the channels used as arguments",
            Reason::Command | Reason::Authentication => "no permission to execute the command or subcommand",
        };
        const BEFORE: &str = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. \
                              This command is no longer allowed for the following reason: ";
        CommandError::Owned([BEFORE, reason].concat().into_bytes())
    }
}

/// Whether the user may run this request. Of several selectors that all deny, the one that came farthest says why.
pub fn check(user: &User, row: &'static Row, args: Args<'_>) -> Result<(), Denial> {
    let mut farthest = Denial { reason: Reason::Command, argument: 0 };
    for selector in &user.selectors {
        match check_selector(selector, row, args) {
            Ok(()) => return Ok(()),
            Err(denial) => farthest = farthest.max(denial),
        }
    }
    Err(farthest)
}

fn check_selector(selector: &Selector, row: &'static Row, args: Args<'_>) -> Result<(), Denial> {
    if !selector.all_commands && !row.command.flags.has(Flags::NO_AUTH) && !has_command(selector, row, args) {
        return Err(Denial { reason: Reason::Command, argument: 0 });
    }
    if !selector.all_keys && keys::has_keys(row.command) {
        let is_denied = |key: keys::FoundKey| !selector.allows_key(args.get(key.argument), access_of(key.flags));
        if let Some(argument) = keys::find_key(row.command, args, is_denied) {
            return Err(Denial { reason: Reason::Key, argument });
        }
    }
    if !selector.all_channels
        && let Some((mut channels, is_pattern)) = channels_of(row, args)
        && let Some(argument) = channels.find(|&at| !selector.allows_channel(args.get(at), is_pattern))
    {
        return Err(Denial { reason: Reason::Channel, argument });
    }
    Ok(())
}

fn has_command(selector: &Selector, row: &'static Row, args: Args<'_>) -> bool {
    let id = row.access_id();
    selector.commands.has(id)
        || (args.len() > 1
            && selector
                .first_arguments
                .get(&id)
                .is_some_and(|allowed| allowed.iter().any(|argument| args.is(1, argument))))
}

/// What a key specification with these flags does to a key, as far as it needs permission.
fn access_of(flags: &[&str]) -> Access {
    let has = |words: &[&str]| flags.iter().any(|flag| words.contains(flag));
    Access { reads: has(&["access"]), writes: has(&["insert", "delete", "update"]) }
}

/// The arguments that are channels, and whether they are patterns. Who ends subscriptions needs no permission.
fn channels_of(row: &Row, args: Args<'_>) -> Option<(Range<usize>, bool)> {
    match row.full_name {
        "publish" | "spublish" => Some((1..2, false)),
        "subscribe" | "ssubscribe" => Some((1..args.len(), false)),
        "psubscribe" => Some((1..args.len(), true)),
        _ => None,
    }
}

/// The error of a SORT whose patterns name keys beyond those of its key specifications: it takes somebody who may read
/// every key.
pub fn denied_patterns(user: &User, row: &'static Row, args: Args<'_>) -> Option<CommandError> {
    let may_store = match row.full_name {
        "sort" => true,
        "sort_ro" => false,
        _ => return None,
    };
    let reads = Access { reads: true, writes: false };
    let allows = |selector: &Selector| selector.allows_every_key(reads) && check_selector(selector, row, args).is_ok();
    if user.selectors.iter().any(allows) {
        return None;
    }
    Some(CommandError::Text(match sort::first_outside_pattern(args, may_store)? {
        OutsidePattern::By => "ERR BY option of SORT denied due to insufficient ACL permissions.",
        OutsidePattern::Get => "ERR GET option of SORT denied due to insufficient ACL permissions.",
    }))
}
