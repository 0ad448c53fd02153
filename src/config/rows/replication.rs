//! Rows about replication, by name.

use crate::config::row::{INT_MAX, Kind, OPTIONAL_TEXT, Parameter, integer, memory, row};

const DISKLESS_LOAD: &[(&str, i32)] = &[("disabled", 0), ("on-empty-db", 1), ("swapdb", 2)];

const PROPAGATION_ERRORS: &[(&str, i32)] = &[("ignore", 0), ("panic", 1), ("panic-on-replicas", 2)];

pub(super) const REPLICATION: &[Parameter] = &[
    row("masterauth", OPTIONAL_TEXT, "")
        .sensitive()
        .stored("there is no replication in this build")
        .about("Password to log in at the master with."),
    row("masteruser", OPTIONAL_TEXT, "")
        .sensitive()
        .stored("there is no replication in this build")
        .about("User to log in at the master as; empty means the default user."),
    row("min-replicas-max-lag", integer(0, INT_MAX), "10")
        .alias("min-slaves-max-lag")
        .stored("there is no replication in this build")
        .about("Seconds within which a replica must have reported to count as in touch."),
    row("min-replicas-to-write", integer(0, INT_MAX), "0")
        .alias("min-slaves-to-write")
        .stored("there is no replication in this build")
        .about("Refuse writes while fewer replicas than this are in touch; 0 does not ask."),
    row(
        "propagation-error-behavior",
        Kind::Choice(PROPAGATION_ERRORS),
        "ignore",
    )
    .stored("commands that fail while data is loaded are told in the server's log")
        .about("What to do when a replicated or logged command fails here."),
    row("repl-backlog-size", memory(1, i64::MAX), "1048576")
        .about("Bytes of the replication stream kept for replicas that reconnect."),
    row("repl-backlog-ttl", integer(0, i64::MAX), "3600")
        .stored("there is no replication in this build")
        .about("Seconds after the last replica left until the backlog is freed; 0 keeps it."),
    row("repl-disable-tcp-nodelay", Kind::YesNo, "no")
        .stored("there is no replication in this build")
        .about(
        "Let the kernel gather small packets to replicas: less bandwidth, up to 40 ms later.",
    ),
    row(
        "repl-diskless-load",
        Kind::Choice(DISKLESS_LOAD),
        "disabled",
    )
    .denied_while_loading()
    .stored("there is no replication in this build")
        .about("How a replica loads a full sync straight from the socket."),
    row("repl-diskless-sync", Kind::YesNo, "yes")
        .stored("there is no replication in this build")
        .about("Send a full sync straight to the replicas' sockets instead of through a file."),
    row("repl-diskless-sync-delay", integer(0, INT_MAX), "5")
        .stored("there is no replication in this build")
        .about("Seconds to wait for more replicas before a diskless sync starts."),
    row("repl-diskless-sync-max-replicas", integer(0, INT_MAX), "0")
        .stored("there is no replication in this build")
        .about("Start a diskless sync at once when this many replicas wait; 0 always waits."),
    row("repl-ping-replica-period", integer(1, INT_MAX), "10")
        .alias("repl-ping-slave-period")
        .stored("there is no replication in this build")
        .about("Seconds between a master's pings to its replicas."),
    row("repl-timeout", integer(1, INT_MAX), "60")
        .stored("there is no replication in this build")
        .about("Seconds of silence after which a replication link is considered broken."),
    row("replica-announce-ip", OPTIONAL_TEXT, "")
        .alias("slave-announce-ip")
        .stored("there is no replication in this build")
        .about("Address a replica tells its master instead of the one the connection shows."),
    row("replica-announce-port", integer(0, 65535), "0")
        .alias("slave-announce-port")
        .stored("there is no replication in this build")
        .about("Port a replica tells its master instead of its own; 0 tells its own."),
    row("replica-announced", Kind::YesNo, "yes")
        .stored("there is no replication in this build")
        .about("Whether Sentinel lists this replica."),
    row("replica-ignore-disk-write-errors", Kind::YesNo, "no")
        .stored("there is no replication in this build")
        .about("Go on as a replica when the log cannot be written, instead of stopping."),
    row("replica-lazy-flush", Kind::YesNo, "no")
        .alias("slave-lazy-flush")
        .stored("the old data set is always freed in slices")
        .about("Free the old data set in the background before a full sync is loaded."),
    row("replica-priority", integer(0, INT_MAX), "100")
        .alias("slave-priority")
        .stored("there is no replication in this build")
        .about("Rank for promotion by Sentinel: the lowest wins, 0 is never promoted."),
    row("replica-read-only", Kind::YesNo, "yes")
        .alias("slave-read-only")
        .stored("there is no replication in this build")
        .about("Refuse writes from clients on a replica."),
    row("replica-serve-stale-data", Kind::YesNo, "yes")
        .alias("slave-serve-stale-data")
        .stored("there is no replication in this build")
        .about("Answer reads from old data while the link to the master is down."),
    row("replicaof", Kind::Master, "")
        .alias("slaveof")
        .immutable()
        .stored("there is no replication in this build")
        .about("Master to follow: host and port."),
];
