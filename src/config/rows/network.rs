//! Rows about sockets, clients and their buffers, by name.

use crate::config::row::{
    INT_MAX, Kind, OPTIONAL_TEXT, Parameter, integer, memory, octal, row, unsigned, unsigned_memory,
};

pub(super) const NETWORK: &[Parameter] = &[
    row("bind", Kind::Addresses, "* -::*")
        .about("Addresses to listen on. A leading '-' lets an address that is not available pass; '*' and '::*' mean all of IPv4 and IPv6."),
    row("bind-source-addr", OPTIONAL_TEXT, "")
        .stored("the server opens no connections")
        .about("Local address from which connections to a master and to cluster nodes are opened."),
    row("client-output-buffer-limit", Kind::BufferLimits, "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60")
        .about("Per class of client (normal, replica, pubsub): hard limit, soft limit and the seconds a client may stay over the soft one."),
    row("client-query-buffer-limit", unsigned_memory(1024 * 1024, i64::MAX as u64), "1073741824")
        .about("Most bytes of a request that one client may have pending; beyond, it is closed."),
    row("max-new-connections-per-cycle", unsigned(1, 1000), "10")
        .stored("every core accepts as many as its turn allows")
        .about("Most connections accepted in one turn of the event loop."),
    row("max-new-tls-connections-per-cycle", unsigned(1, 1000), "1")
        .stored("there is no TLS in this build")
        .about("Most TLS connections accepted in one turn of the event loop."),
    row("maxclients", unsigned(1, u32::MAX as u64), "10000")
        .about("Most clients connected at a time; further ones get an error and are closed."),
    row("port", integer(0, 65535), "6379")
        .about("TCP port to listen on; 0 listens on none."),
    row("protected-mode", Kind::YesNo, "yes")
        .about("While the default user has no password, answer only clients of this machine."),
    row("proto-max-bulk-len", memory(1024 * 1024, i64::MAX), "536870912")
        .about("Largest single argument of a request, and largest string value, in bytes."),
    row("socket-mark-id", unsigned(0, u32::MAX as u64), "0")
        .immutable()
        .stored("listening sockets are not marked")
        .about("Mark put on listening sockets for packet filters."),
    row("tcp-backlog", integer(0, INT_MAX), "511")
        .immutable()
        .about("Connections the kernel keeps waiting to be accepted."),
    row("tcp-keepalive", integer(0, INT_MAX), "300")
        .about("Seconds between TCP keepalive probes on an idle connection; 0 sends none."),
    row("timeout", integer(0, INT_MAX), "0")
        .about("Close a connection that was idle for this many seconds; 0 never does."),
    row("unixsocket", OPTIONAL_TEXT, "")
        .immutable()
        .about("Path of a Unix socket to listen on; empty listens on none."),
    row("unixsocketperm", octal(0, 0o777), "0")
        .immutable()
        .about("Permissions of the Unix socket, in octal; 0 leaves them to the umask."),
];
