//! What a handler wants done that it cannot do itself, as data.

use crate::client::ClientId;
use crate::pubsub::Kind;
use crate::pubsub::registry::Name;

/// Work for the session, the other cores or the server.
#[derive(Debug)]
pub enum ControlRequest {
    /// CLIENT LIST: a line for each client that passes.
    ClientList(ClientFilter),
    /// CLIENT KILL: closes the clients that pass; `old_form` replies OK or "No such client" instead of a count.
    ClientKill {
        /// Which clients.
        filter: ClientFilter,
        /// The form with a bare address.
        old_form: bool,
    },
    /// CLIENT PAUSE until a time, for all commands or only writes.
    ClientPause {
        /// Unix time in milliseconds.
        until_ms: i64,
        /// Reads go on.
        writes_only: bool,
    },
    /// CLIENT UNPAUSE.
    ClientUnpause,
    /// CLIENT UNBLOCK: wakes a client that waits in a blocking command.
    ClientUnblock {
        /// Which client.
        id: ClientId,
        /// It gets an UNBLOCKED error instead of a timeout's reply.
        error: bool,
    },
    /// CONFIG SET.
    ConfigSet {
        /// Names and values.
        pairs: Vec<(Vec<u8>, Vec<u8>)>,
        /// The client is connected from this machine.
        local: bool,
    },
    /// CONFIG REWRITE.
    ConfigRewrite {
        /// Parameters at their defaults are written too (DEBUG CONFIG-REWRITE-FORCE-ALL).
        all: bool,
    },
    /// Users were changed: whoever holds one looks again, then the client is told.
    UsersChanged(UsersReply),
    /// MONITOR.
    Monitor,
    /// BGSAVE.
    Snapshot {
        /// It may wait until what is running now has ended.
        schedule: bool,
    },
    /// BGREWRITEAOF.
    RewriteLog,
    /// DEBUG LOADAOF.
    ReloadLog,
    /// SUBSCRIBE and its kin.
    Subscribe {
        /// To what.
        kind: Kind,
        /// Channels or patterns.
        names: Vec<Name>,
    },
    /// UNSUBSCRIBE and its kin.
    Unsubscribe {
        /// From what.
        kind: Kind,
        /// Channels or patterns; none: from all there are.
        names: Vec<Name>,
    },
    /// SHUTDOWN.
    Shutdown(Shutdown),
    /// QUIT: the client is closed once its replies are sent.
    Quit,
}

/// What a client is told once all cores have seen that users were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsersReply {
    /// OK.
    Ok,
    /// How many were concerned.
    Count(i64),
}

/// The options of SHUTDOWN.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// SAVE or NOSAVE, when given.
    pub save: Option<bool>,
    /// Do not wait for replicas.
    pub now: bool,
    /// Go even when saving fails.
    pub force: bool,
    /// ABORT: take a running shutdown back.
    pub abort: bool,
}

/// Which clients a CLIENT LIST or CLIENT KILL means; every condition that is given must hold.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct ClientFilter {
    /// One of these ids.
    pub ids: Vec<ClientId>,
    /// This peer address, "ip:port".
    pub address: Option<String>,
    /// This own address.
    pub local_address: Option<String>,
    /// This type.
    pub kind: Option<crate::client::ClientKind>,
    /// This user.
    pub user: Option<Vec<u8>>,
    /// Connected for at least so many seconds.
    pub age_min_s: Option<i64>,
    /// Not the asking client.
    pub skip: Option<ClientId>,
}
