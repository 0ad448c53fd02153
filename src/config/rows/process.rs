//! Rows about the process, its threads and its place in the system, by name.

use crate::config::check::title_template_is_valid;
use crate::config::row::{INT_MAX, Kind, OPTIONAL_TEXT, Parameter, TEXT, integer, row};

const SUPERVISORS: &[(&str, i32)] = &[("upstart", 0), ("systemd", 1), ("auto", 2), ("no", 3)];

const OOM_SCORE_ADJ: &[(&str, i32)] = &[("no", 0), ("yes", 1), ("relative", 1), ("absolute", 2)];

pub(super) const PROCESS: &[Parameter] = &[
    row("always-show-logo", Kind::YesNo, "no")
        .immutable()
        .stored("there is no logo")
        .about("Show the logo at start even when the output is not a terminal."),
    row("aof-rewrite-cpulist", OPTIONAL_TEXT, "")
        .alias("aof_rewrite_cpulist")
        .immutable()
        .stored("the log is rewritten by the cores that own the data")
        .about("Cores for the process that rewrites the log."),
    row("bgsave-cpulist", OPTIONAL_TEXT, "")
        .alias("bgsave_cpulist")
        .immutable()
        .stored("snapshots are written by the cores that own the data")
        .about("Cores for the process that writes a snapshot."),
    row("bio-cpulist", OPTIONAL_TEXT, "")
        .alias("bio_cpulist")
        .immutable()
        .stored("there are no background threads to pin")
        .about("Cores for background threads."),
    row("crash-log-enabled", Kind::YesNo, "yes")
        .stored("a crash leaves the message and backtrace of the Rust runtime")
        .about("Write a report when the server crashes."),
    row("crash-memcheck-enabled", Kind::YesNo, "yes")
        .stored("there is no memory check after a crash")
        .about("Check memory after a crash."),
    row("daemonize", Kind::YesNo, "no")
        .immutable()
        .about("Run in the background."),
    row("databases", integer(1, INT_MAX), "16")
        .immutable()
        .about("Number of databases, for SELECT."),
    row("dynamic-hz", Kind::YesNo, "yes")
        .stored("background work is spread over the cores")
        .about("Raise hz with the number of clients."),
    row("hz", integer(0, INT_MAX), "10")
        .stored("background work comes ten times a second, and sooner when it is behind")
        .clamp(1, 500)
        .about("Background turns per second, 1 to 500."),
    row("ignore-warnings", TEXT, "")
        .stored("none of the warnings it can silence is given here")
        .about("Warnings at start that should not stop the server."),
    row("io-threads", integer(1, 128), "1")
        .immutable()
        .stored("every core serves its own connections; see shards")
        .about("Threads that read and write sockets."),
    row("io-threads-do-reads", Kind::YesNo, "no")
        .immutable()
        .stored("every core serves its own connections; see shards")
        .about("Let the threads read, too."),
    row("oom-score-adj", Kind::Choice(OOM_SCORE_ADJ), "no")
        .stored("the kernel's score is left as the service manager set it")
        .about(
        "Tell the kernel whom to end first when memory runs out: no, relative (yes) or absolute.",
    ),
    row("oom-score-adj-values", Kind::OomScores, "0 200 800")
        .stored("the kernel's score is left as the service manager set it")
        .about("Scores for a master, a replica and a background process."),
    row("pidfile", OPTIONAL_TEXT, "")
        .immutable()
        .about("File to write the process id to."),
    row(
        "proc-title-template",
        TEXT,
        "{title} {listen-addr} {server-mode}",
    )
    .check(title_template_is_valid)
    .stored("the process keeps the title it was started with")
    .about("Text of the title that ps shows."),
    row("server-cpulist", OPTIONAL_TEXT, "")
        .alias("server_cpulist")
        .immutable()
        .stored("see shards and pin")
        .about("Cores the server's threads may use, as 0,2 or 0-7:2."),
    row("set-proc-title", Kind::YesNo, "yes")
        .immutable()
        .stored("the process keeps the title it was started with")
        .about("Change the title that ps shows."),
    row("supervised", Kind::Choice(SUPERVISORS), "no")
        .immutable()
        .about("Report readiness to upstart or systemd."),
    row("use-exit-on-panic", Kind::YesNo, "no")
        .hidden()
        .stored("only Redis' own tests use it")
        .about("Exit instead of aborting after an assertion."),
    row("watchdog-period", integer(0, INT_MAX), "0")
        .hidden()
        .stored("there is no software watchdog")
        .about("Milliseconds after which a stuck event loop is reported."),
];
