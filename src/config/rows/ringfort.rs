//! Rows about what only this server has: cores, shards and the kernel interface, by name.

use crate::config::row::{Kind, Parameter, integer, row};
use crate::stdx::limits::{LOOK_AROUND_US_MAX, SHARDS_MAX};

const PINNING: &[(&str, i32)] = &[("auto", 0), ("yes", 1), ("no", 2)];

const UNDECLARED: &[(&str, i32)] = &[("allow", 0), ("deny", 1)];

const DRIVERS: &[(&str, i32)] = &[("auto", 0), ("io_uring", 1), ("epoll", 2)];

pub(super) const RINGFORT: &[Parameter] = &[
    // Redis has it in a build made for its own tests, which is what it is for here too (`runtest --force-resp3`).
    row("client-default-resp", integer(2, 3), "2")
        .immutable()
        .hidden()
        .about("Protocol version that connections begin with."),
    row("driver", Kind::Choice(DRIVERS), "auto")
        .echoed()
        .about("Kernel interface for sockets: auto takes io_uring where the kernel allows it, epoll elsewhere."),
    row("look-around-us", integer(0, LOOK_AROUND_US_MAX as i64), "0")
        .about("Microseconds a core that ran out of work looks for more before it sleeps; 0 sleeps at once."),
    row("pin", Kind::Choice(PINNING), "auto")
        .echoed()
        .about(
            "Tie each thread to its core. auto does not: where clients share the machine that cost a quarter of the \
             requests (68,000 instead of 89,000 a second). yes is for a machine, or cpuset, of the server's own.",
        ),
    row("script-undeclared-keys", Kind::Choice(UNDECLARED), "allow")
        .about(
            "Keys that a script reaches for without having declared them: allow, on any core and still atomic, or deny, with \
             an error.",
        ),
    row("shards", integer(0, SHARDS_MAX as i64), "0")
        .echoed()
        .about("Shards, and threads, of the keyspace; 0 takes one for every core the process may use."),
];
