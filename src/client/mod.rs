//! Layer 3: what the server knows about one client: identity, protocol, database, switches, what it did last.
//!
//! Only the core that owns the client's socket changes it.

use std::sync::{Arc, LazyLock};

use crate::acl::User;
use crate::resp::reply::Protocol;

/// Who clients are before anybody says who they are, in tests and inside the server.
static UNRESTRICTED: LazyLock<Arc<User>> = LazyLock::new(|| Arc::new(User::unrestricted()));

/// Clients are numbered from 1 over the whole server, never reused.
pub type ClientId = u64;

/// What CLIENT LIST and CLIENT KILL call the TYPE of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientKind {
    /// Sends commands.
    Normal,
    /// The link to our master.
    Master,
    /// A replica of ours.
    Replica,
    /// Subscribed to channels.
    Pubsub,
}

/// CLIENT REPLY.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReplyMode {
    /// Every command is answered.
    #[default]
    On,
    /// None is.
    Off,
    /// The next command is not; after it, all are.
    SkipNext,
}

/// What a client subscribes to, in numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct SubscriptionCounts {
    /// Channels.
    pub channels: usize,
    /// Patterns.
    pub patterns: usize,
    /// Shard channels.
    pub shard_channels: usize,
}

impl SubscriptionCounts {
    /// It subscribes to something.
    #[inline]
    pub fn any(&self) -> bool {
        self.channels | self.patterns | self.shard_channels != 0
    }
}

/// One client.
#[derive(Debug)]
pub struct Client {
    /// Its number.
    pub id: ClientId,
    /// The peer's address, `ip:port`, `[ip]:port` or `path:0`.
    pub address: String,
    /// Our address.
    pub local_address: String,
    /// Connected through the unix socket.
    pub unix_socket: bool,
    /// The socket's descriptor (CLIENT LIST shows it).
    pub descriptor: i32,
    /// CLIENT SETNAME.
    pub name: Option<Box<[u8]>>,
    /// CLIENT SETINFO LIB-NAME.
    pub library_name: Option<Box<[u8]>>,
    /// CLIENT SETINFO LIB-VER.
    pub library_version: Option<Box<[u8]>>,
    /// RESP2 or RESP3.
    pub protocol: Protocol,
    /// The selected database.
    pub database: u32,
    /// Has authenticated, or need not.
    pub authenticated: bool,
    /// Its user.
    user: Arc<User>,
    /// The user may not do everything, or it monitors. Looked at before every command, so that the user need not be.
    restricted: bool,
    /// It monitors; then it may not use keys.
    monitors: bool,
    /// CLIENT REPLY.
    pub reply_mode: ReplyMode,
    /// CLIENT NO-EVICT.
    pub no_evict: bool,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// What it subscribes to. In RESP2 it can do little else meanwhile.
    pub subscriptions: SubscriptionCounts,
    /// Unix time of connecting, milliseconds.
    pub created_ms: i64,
    /// Unix time of the last bytes received, milliseconds.
    pub last_used_ms: i64,
    /// Full name of the last command, for CLIENT LIST; "NULL" before the first.
    pub last_command: &'static str,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Commands run.
    pub commands: u64,
}

impl Client {
    /// A client that has just connected.
    pub fn new(id: ClientId, address: String, local_address: String, now_ms: i64) -> Client {
        Client {
            id,
            address,
            local_address,
            unix_socket: false,
            descriptor: -1,
            name: None,
            library_name: None,
            library_version: None,
            protocol: Protocol::Resp2,
            database: 0,
            authenticated: false,
            user: UNRESTRICTED.clone(),
            restricted: false,
            monitors: false,
            reply_mode: ReplyMode::On,
            no_evict: false,
            no_touch: false,
            subscriptions: SubscriptionCounts::default(),
            created_ms: now_ms,
            last_used_ms: now_ms,
            last_command: "NULL",
            bytes_in: 0,
            bytes_out: 0,
            commands: 0,
        }
    }

    /// Its user.
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// Its requests must be looked at before they run.
    #[inline]
    pub fn is_restricted(&self) -> bool {
        self.restricted
    }

    /// It is this user now, or its user has changed.
    pub fn set_user(&mut self, user: Arc<User>) {
        self.user = user;
        self.set_monitors(self.monitors);
    }

    /// It monitors.
    pub fn monitors(&self) -> bool {
        self.monitors
    }

    /// It monitors from now on, or does not any more.
    pub fn set_monitors(&mut self, monitors: bool) {
        self.monitors = monitors;
        self.restricted = monitors || !self.user.is_unrestricted();
    }

    /// It is the default user, as every new connection: authenticated if that takes no password.
    pub fn set_default_user(&mut self, user: Arc<User>) {
        self.authenticated = user.needs_no_password();
        self.set_user(user);
    }

    /// It must authenticate before it may do anything else. Who has not is the default user; one that connected while a
    /// password was needed may go on when none is any more.
    #[inline]
    pub fn must_authenticate(&self) -> bool {
        !self.authenticated && !self.user.needs_no_password()
    }

    /// Connected from this machine: through the unix socket or a loopback address.
    pub fn is_local(&self) -> bool {
        self.unix_socket || self.address.starts_with("127.") || self.address.starts_with("[::1]:")
    }

    /// Its TYPE.
    pub fn kind(&self) -> ClientKind {
        if self.subscriptions.any() { ClientKind::Pubsub } else { ClientKind::Normal }
    }

    /// RESET: as if it had just connected, but for its identity and statistics.
    pub fn reset(&mut self, default_user: Arc<User>, protocol: Protocol) {
        self.name = None;
        self.protocol = protocol;
        self.database = 0;
        self.set_default_user(default_user);
        self.reply_mode = ReplyMode::On;
        self.no_evict = false;
        self.no_touch = false;
    }
}
