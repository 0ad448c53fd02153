//! What a row says about a command. Rows are constants; `table::check` stops the build over a bad one.

use super::context::{Context, SessionContext};
use super::error::CommandError;
use super::keys::FindRequestKeys;
use super::request::ControlRequest;

/// A handler of a command that works on keys.
pub type KeyedHandler = fn(&mut Context<'_>) -> Result<(), CommandError>;
/// A handler of a command that only concerns its client.
pub type SessionHandler = fn(&mut SessionContext<'_>) -> Result<(), CommandError>;
/// A handler that reads its arguments and returns what must be done elsewhere.
pub type ControlHandler = fn(&mut SessionContext<'_>) -> Result<ControlRequest, CommandError>;
/// The part of a scattered command that concerns one item (a key, or a key and its value); the item's first argument.
pub type PartHandler = fn(&mut Context<'_>, usize) -> Result<i64, CommandError>;

/// How the parts of a scattered command become one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Every part wrote one element of an array (MGET).
    Array,
    /// The sum of what the parts returned (DEL, EXISTS).
    Sum,
    /// OK (MSET).
    Ok,
}

/// A command whose items are independent of each other, so that every shard can do its own.
#[derive(Clone, Copy)]
pub struct Scatter {
    /// Does one item.
    pub part: PartHandler,
    /// Arguments per item: 1 for keys, 2 for keys with values.
    pub step: usize,
    /// How the reply is made.
    pub merge: Merge,
    /// Checked for every item before any is done; a non-zero sum means that none is done and the reply is 0, else 1 (MSETNX).
    pub unless: Option<PartHandler>,
}

/// The steps of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Commands are queued from now on.
    Multi,
    /// They run.
    Exec,
    /// They do not.
    Discard,
    /// EXEC depends on these keys.
    Watch,
    /// No longer.
    Unwatch,
}

/// How a request names the script that it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScriptCall {
    /// By its source (EVAL).
    Source,
    /// By its SHA-1 (EVALSHA).
    Digest,
    /// By the name of a function (FCALL).
    Function,
}

/// Where a command runs.
#[derive(Clone, Copy)]
pub enum Run {
    /// On the core of the client, without any key.
    Session(SessionHandler),
    /// On the shard of its keys; when they lie in several shards, as a loan of those.
    Keyed(KeyedHandler),
    /// As `Keyed` when one shard has all its keys, else every shard does its part between two phases.
    Scatter(Scatter),
    /// As `Keyed`, but with all keyspaces in hand when the request may reach keys that cannot be told before (SORT).
    KeyedOrAllShards {
        /// Tells from the arguments whether it may.
        needs_all: fn(super::args::Args<'_>) -> bool,
        /// Runs with the one or the others.
        handler: KeyedHandler,
    },
    /// With all keyspaces in hand.
    AllShards(KeyedHandler),
    /// With the keyspace that the handler's cursor or argument names: `pick` tells the shard.
    OneShard {
        /// Tells the shard from the arguments and the number of shards.
        pick: fn(&super::args::Args<'_>, usize) -> usize,
        /// Runs there.
        handler: KeyedHandler,
    },
    /// A step of a transaction, done by the session: see `session/transaction`.
    Transaction(Step),
    /// A script, with the boxes of the keys it declares in hand, and of those it turns out to need: see `session/script`.
    Script(ScriptCall),
    /// Read here, done by the session, the other cores, or the server.
    Control(ControlHandler),
    /// Only its subcommands do something.
    Container,
}

/// A set of flags, as COMMAND INFO names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(pub u32);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:expr, $text:expr;)*) => {
        impl Flags {
            $($(#[$doc])* pub const $name: Flags = Flags(1 << $bit);)*
            /// Every flag with the name COMMAND INFO prints, in Redis' order.
            pub const NAMES: &'static [(Flags, &'static str)] = &[$((Flags::$name, $text)),*];
        }
    };
}

flags! {
    /// Changes data.
    WRITE = 0, "write";
    /// Only reads.
    READONLY = 1, "readonly";
    /// May need more memory; refused when there is none left.
    DENYOOM = 2, "denyoom";
    /// Not for everybody.
    ADMIN = 3, "admin";
    /// Publishes or subscribes.
    PUBSUB = 4, "pubsub";
    /// Not from scripts.
    NOSCRIPT = 5, "noscript";
    /// May block its client.
    BLOCKING = 6, "blocking";
    /// Answered while data is being loaded.
    LOADING = 7, "loading";
    /// Answered by a replica whose data is stale.
    STALE = 8, "stale";
    /// Not shown by MONITOR.
    SKIP_MONITOR = 9, "skip_monitor";
    /// Not in the slow log.
    SKIP_SLOWLOG = 10, "skip_slowlog";
    /// The cluster's ASKING is implied.
    ASKING = 11, "asking";
    /// Constant or logarithmic time.
    FAST = 12, "fast";
    /// Allowed before authentication.
    NO_AUTH = 13, "no_auth";
    /// It takes keys, but need not have any.
    NO_MANDATORY_KEYS = 19, "no_mandatory_keys";
    /// Not while an asynchronous load is running.
    NO_ASYNC_LOADING = 18, "no_async_loading";
    /// Not inside a transaction.
    NO_MULTI = 15, "no_multi";
    /// Its keys are not all in one range of arguments. Follows from the key specifications; rows need not say it.
    MOVABLE_KEYS = 16, "movablekeys";
    /// Allowed while a script runs for too long.
    ALLOW_BUSY = 17, "allow_busy";
}

impl Flags {
    /// May be replicated although it is not a write. Not shown by COMMAND INFO.
    pub const MAY_REPLICATE: Flags = Flags(1 << 14);
    /// Only as far as `enable-debug-command` allows. Not shown by COMMAND INFO.
    pub const PROTECTED: Flags = Flags(1 << 30);
    /// The subcommands are an inner matter: COMMAND does not show them, and a subcommand that has no row (or not with this
    /// number of arguments) goes to the container's own handler.
    pub const HIDDEN_SUBCOMMANDS: Flags = Flags(1 << 31);
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// Both sets together.
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
    /// Whether all of `other` are set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A set of ACL categories.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Categories(pub u32);

macro_rules! categories {
    ($($(#[$doc:meta])* $name:ident = $bit:expr, $text:expr;)*) => {
        impl Categories {
            $($(#[$doc])* pub const $name: Categories = Categories(1 << $bit);)*
            /// Every category with its name, in Redis' order.
            pub const NAMES: &'static [(Categories, &'static str)] = &[$((Categories::$name, $text)),*];
        }
    };
}

categories! {
    /// Reading or writing keys as such.
    KEYSPACE = 0, "keyspace";
    /// Reads keys. Follows from the flag.
    READ = 1, "read";
    /// Writes keys. Follows from the flag.
    WRITE = 2, "write";
    /// Sets.
    SET = 3, "set";
    /// Sorted sets.
    SORTEDSET = 4, "sortedset";
    /// Lists.
    LIST = 5, "list";
    /// Hashes.
    HASH = 6, "hash";
    /// Strings.
    STRING = 7, "string";
    /// Bitmaps.
    BITMAP = 8, "bitmap";
    /// HyperLogLogs.
    HYPERLOGLOG = 9, "hyperloglog";
    /// Geo.
    GEO = 10, "geo";
    /// Streams.
    STREAM = 11, "stream";
    /// Publish and subscribe. Follows from the flag.
    PUBSUB = 12, "pubsub";
    /// Administration. Follows from the flag.
    ADMIN = 13, "admin";
    /// Fast. Follows from the flag.
    FAST = 14, "fast";
    /// Not fast. Follows from the flag.
    SLOW = 15, "slow";
    /// Blocking. Follows from the flag.
    BLOCKING = 16, "blocking";
    /// Dangerous; administration implies it.
    DANGEROUS = 17, "dangerous";
    /// The connection.
    CONNECTION = 18, "connection";
    /// Transactions.
    TRANSACTION = 19, "transaction";
    /// Scripts.
    SCRIPTING = 20, "scripting";
}

impl Categories {
    /// The category of this name, in any case.
    pub fn of_name(name: &[u8]) -> Option<Categories> {
        let found = Categories::NAMES.iter().find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some(found.0)
    }
    /// No category.
    pub const NONE: Categories = Categories(0);
    /// Both sets together.
    pub const fn and(self, other: Categories) -> Categories {
        Categories(self.0 | other.0)
    }
    /// Whether all of `other` are in.
    pub const fn has(self, other: Categories) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Where keys begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this argument.
    Index(usize),
    /// After this word, looked for from `start_from` on (backwards when negative).
    Keyword(&'static str, i32),
    /// Not to be told.
    Unknown,
}

/// Which arguments from there on are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindKeys {
    /// Up to `last` (relative to the first; negative from the end), every `step`; `limit` 2 means half of the rest.
    Range {
        /// The last key relative to the first one, or, when negative, counted from the end.
        last: i32,
        /// Arguments from one key to the next.
        step: usize,
        /// 0 or 1: no limit; n: only the first n-th part of the rest.
        limit: usize,
    },
    /// A count stands at `count_index`, the keys follow from `first_key` on (both relative), every `step`.
    KeyNumber {
        /// Where the count stands.
        count_index: usize,
        /// Where the first key stands.
        first_key: usize,
        /// Arguments from one key to the next.
        step: usize,
    },
    /// Not to be told.
    Unknown,
}

/// One group of key arguments with what is done to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// As COMMAND INFO prints them ("RW", "access", "update" …), in its order.
    pub flags: &'static [&'static str],
    /// Where keys begin.
    pub begin: BeginSearch,
    /// Which arguments are keys.
    pub find: FindKeys,
    /// Remarks for people.
    pub notes: &'static str,
}

/// The group of commands that Redis does not have; their versions are ours.
pub const OWN_GROUP: &str = "ringfort";

/// One command or subcommand.
#[derive(Clone, Copy)]
pub struct Command {
    /// Lower case; for a subcommand only its own word.
    pub name: &'static str,
    /// Number of arguments with the name (and the subcommand's word); negative: at least so many.
    pub arity: i32,
    /// Where it runs.
    pub run: Run,
    /// What kind of command it is.
    pub flags: Flags,
    /// ACL categories beyond those that follow from the flags.
    pub categories: Categories,
    /// Its keys.
    pub keys: &'static [KeySpec],
    /// The argument that names a member (field) of the first key's collection, 0 for none. A hint: it is asked for ahead.
    pub member: usize,
    /// The group of the documentation ("string", "generic", "connection", "server" …).
    pub group: &'static str,
    /// The Redis version it came with.
    pub since: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// What it costs.
    pub complexity: &'static str,
    /// Its arguments in the notation of `syntax.rs`; COMMAND DOCS' argument tree is made from it.
    pub syntax: &'static str,
    /// Changes over the versions: version and what changed.
    pub history: &'static [(&'static str, &'static str)],
    /// Command tips, as COMMAND INFO prints them.
    pub tips: &'static [&'static str],
    /// Documentation flags and replacement of a deprecated command: version since, what replaces it.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// A command that servers use among themselves ("syscmd").
    pub internal: bool,
    /// Finds the keys where `keys` is incomplete or has variable flags.
    pub find_keys: Option<FindRequestKeys>,
    /// Its subcommands.
    pub subcommands: &'static [Command],
}

impl Command {
    /// What a row says when it says nothing.
    pub const BASE: Command = Command {
        name: "",
        arity: 0,
        run: Run::Container,
        flags: Flags::NONE,
        categories: Categories::NONE,
        keys: &[],
        member: 0,
        group: "server",
        since: "1.0.0",
        summary: "",
        complexity: "O(1)",
        syntax: "",
        history: &[],
        tips: &[],
        deprecated: None,
        internal: false,
        find_keys: None,
        subcommands: &[],
    };
}

/// One key at the given argument, with the given flags.
pub const fn key_at(index: usize, flags: &'static [&'static str]) -> KeySpec {
    KeySpec { flags, begin: BeginSearch::Index(index), find: FindKeys::Range { last: 0, step: 1, limit: 0 }, notes: "" }
}

/// One key at argument 1, with the given flags.
pub const fn one(flags: &'static [&'static str]) -> KeySpec {
    key_at(1, flags)
}

/// All arguments from 1 on, every `step`, with the given flags.
pub const fn all(flags: &'static [&'static str], step: usize) -> KeySpec {
    KeySpec { flags, begin: BeginSearch::Index(1), find: FindKeys::Range { last: -1, step, limit: 0 }, notes: "" }
}

/// One key, read and returned.
pub const KEY_READ: &[KeySpec] = &[one(&["RO", "access"])];
/// One key, looked at but not returned.
pub const KEY_LOOK: &[KeySpec] = &[one(&["RO"])];
/// One key, overwritten.
pub const KEY_OVERWRITE: &[KeySpec] = &[one(&["OW", "update"])];
/// One key, updated.
pub const KEY_UPDATE: &[KeySpec] = &[one(&["RW", "update"])];
/// One key, updated and returned.
pub const KEY_READ_UPDATE: &[KeySpec] = &[one(&["RW", "access", "update"])];
/// All arguments are keys, read and returned.
pub const KEYS_READ: &[KeySpec] = &[all(&["RO", "access"], 1)];
/// All arguments are keys, looked at.
pub const KEYS_LOOK: &[KeySpec] = &[all(&["RO"], 1)];
/// All arguments are keys, removed.
pub const KEYS_REMOVE: &[KeySpec] = &[all(&["RM", "delete"], 1)];
/// Keys and values in turn, overwritten.
pub const KEYS_OVERWRITE_PAIRS: &[KeySpec] = &[all(&["OW", "update"], 2)];
/// Keys and values in turn, inserted.
pub const KEYS_INSERT_PAIRS: &[KeySpec] = &[all(&["OW", "insert"], 2)];
