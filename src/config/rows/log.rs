//! Rows about the log, the slow log and latency figures, by name.

use crate::config::row::{Kind, Parameter, TEXT, integer, row};

const SYSLOG_FACILITIES: &[(&str, i32)] = &[
    ("user", 0),
    ("local0", 1),
    ("local1", 2),
    ("local2", 3),
    ("local3", 4),
    ("local4", 5),
    ("local5", 6),
    ("local6", 7),
    ("local7", 8),
];

const LOG_LEVELS: &[(&str, i32)] = &[
    ("debug", 0),
    ("verbose", 1),
    ("notice", 2),
    ("warning", 3),
    ("nothing", 4),
];

pub(super) const LOG: &[Parameter] = &[
    row("hide-user-data-from-log", Kind::YesNo, "no")
        .stored("no user data is logged")
        .about("Keep keys and values out of the log."),
    row("latency-monitor-threshold", integer(0, i64::MAX), "0")
        .stored("there is no latency monitor; LATENCY HISTOGRAM is always kept")
        .about("Milliseconds from which an event is kept for LATENCY; 0 keeps none."),
    row("latency-tracking", Kind::YesNo, "yes").about("Keep a latency histogram per command."),
    row(
        "latency-tracking-info-percentiles",
        Kind::Percentiles,
        "50 99 99.9",
    )
    .about("Percentiles shown by INFO latencystats."),
    row("logfile", TEXT, "")
        .immutable()
        .about("File to log to, opened anew for each line; empty logs to standard output."),
    row("loglevel", Kind::Choice(LOG_LEVELS), "notice").about("How much is logged."),
    row("slowlog-log-slower-than", integer(-1, i64::MAX), "10000")
        .about("Microseconds from which a command enters the slow log; 0 logs all, -1 none."),
    row("slowlog-max-len", integer(0, i64::MAX), "128").about("Entries kept in the slow log."),
    row("syslog-enabled", Kind::YesNo, "no")
        .immutable()
        .stored("the log goes to logfile or standard output")
        .about("Log to the system log, too."),
    row("syslog-facility", Kind::Choice(SYSLOG_FACILITIES), "local0")
        .immutable()
        .stored("the log goes to logfile or standard output")
        .about("Facility in the system log."),
    row("syslog-ident", TEXT, "redis")
        .immutable()
        .stored("the log goes to logfile or standard output")
        .about("Name shown in the system log."),
];
