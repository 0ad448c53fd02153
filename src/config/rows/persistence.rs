//! Rows about snapshots, the append-only log, shutdown, by name.

use crate::config::check::{
    appenddirname_is_a_name, appendfilename_is_a_name, dbfilename_is_a_name, shutdown_options_agree,
};
use crate::config::row::{INT_MAX, Kind, Parameter, TEXT, integer, memory, row};

const APPENDFSYNC: &[(&str, i32)] = &[("everysec", 0), ("always", 1), ("no", 2)];

const SHUTDOWN_OPTIONS: &[(&str, i32)] = &[
    ("default", 0),
    ("save", 1),
    ("nosave", 2),
    ("now", 4),
    ("force", 8),
];

const SANITIZE: &[(&str, i32)] = &[("no", 0), ("yes", 1), ("clients", 2)];

pub(super) const PERSISTENCE: &[Parameter] = &[
    row("aof-disable-auto-gc", Kind::YesNo, "no")
        .hidden()
        .about("Keep log files that are no longer needed."),
    row("aof-load-truncated", Kind::YesNo, "yes")
        .about("Load a log whose last record is cut off, up to the cut, instead of refusing to start."),
    row("aof-rewrite-incremental-fsync", Kind::YesNo, "yes")
        .stored("the base file is always synced in pieces")
        .about("Flush a rewritten log to disk piece by piece."),
    row("aof-timestamp-enabled", Kind::YesNo, "no")
        .about("Put time marks into the log, for recovery to a point in time."),
    row("aof-use-rdb-preamble", Kind::YesNo, "yes")
        .about("Write the base file of the log in the snapshot format."),
    row("appenddirname", TEXT, "appendonlydir")
        .immutable()
        .check(appenddirname_is_a_name)
        .about("Folder inside dir for the files of the append-only log."),
    row("appendfilename", TEXT, "appendonly.aof")
        .immutable()
        .check(appendfilename_is_a_name)
        .about("Base name of the files of the append-only log."),
    row("appendfsync", Kind::Choice(APPENDFSYNC), "everysec")
        .about("When the log is flushed to disk: after every write, every second, or when the kernel likes."),
    row("appendonly", Kind::YesNo, "no")
        .denied_while_loading()
        .about("Log every write to the append-only log."),
    row("auto-aof-rewrite-min-size", memory(0, i64::MAX), "67108864")
        .about("Size in bytes below which the log is not rewritten by itself."),
    row("auto-aof-rewrite-percentage", integer(0, INT_MAX), "100")
        .about("Rewrite the log when it grew by this percentage since the last rewrite; 0 never does."),
    row("dbfilename", TEXT, "dump.rdb")
        .protected()
        .check(dbfilename_is_a_name)
        .about("Name of the snapshot file inside dir."),
    row("dir", Kind::Directory, "")
        .protected()
        .denied_while_loading()
        .about("Working directory: snapshots, the append-only log and relative paths live here."),
    row("key-load-delay", integer(-INT_MAX - 1, INT_MAX), "0")
        .hidden()
        .about("Microseconds to wait per key while loading, for tests."),
    row("loading-process-events-interval-bytes", integer(1024, INT_MAX), "2097152")
        .hidden()
        .stored("other cores serve clients while data is loaded")
        .about("Bytes loaded between two looks at the sockets."),
    row("no-appendfsync-on-rewrite", Kind::YesNo, "no")
        .about("Do not flush the log while a snapshot or a rewrite runs."),
    row("rdb-del-sync-files", Kind::YesNo, "no")
        .stored("there is no replication in this build")
        .about("Delete snapshot files that only replication needed."),
    row("rdb-key-save-delay", integer(-INT_MAX - 1, INT_MAX), "0")
        .hidden()
        .about("Microseconds to wait per key while writing a snapshot, for tests."),
    row("rdb-save-incremental-fsync", Kind::YesNo, "yes")
        .about("Flush a snapshot to disk piece by piece while it is written."),
    row("rdbchecksum", Kind::YesNo, "yes")
        .immutable()
        .about("Put a checksum at the end of snapshots and check it when loading."),
    row("rdbcompression", Kind::YesNo, "yes")
        .about("Compress strings in snapshots (LZF)."),
    row("sanitize-dump-payload", Kind::Choice(SANITIZE), "no")
        .stored("every payload is checked in full")
        .about("Check values received by RESTORE, replication or loading in depth."),
    row("save", Kind::SavePoints, "3600 1 300 100 60 10000")
        .about("Snapshot after so many seconds if at least so many keys changed; pairs of numbers, or \"\" for never."),
    row("shutdown-on-sigint", Kind::Choices(SHUTDOWN_OPTIONS), "default")
        .check(shutdown_options_agree)
        .about("What SIGINT does: any of save, nosave, now, force, or default."),
    row("shutdown-on-sigterm", Kind::Choices(SHUTDOWN_OPTIONS), "default")
        .check(shutdown_options_agree)
        .about("What SIGTERM does: any of save, nosave, now, force, or default."),
    row("shutdown-timeout", integer(0, INT_MAX), "10")
        .stored("there are no replicas to wait for")
        .about("Seconds a shutdown waits for replicas to catch up."),
    row("stop-writes-on-bgsave-error", Kind::YesNo, "yes")
        .about("Refuse writes while the last background snapshot failed."),
];
