//! Ringfort: a drop-in replacement for Redis that uses every core of one Linux machine.
//!
//! # The one idea
//!
//! Ownership is the lock. The data of a shard is one value, a `Box<Keyspace>`; whoever has the box has the data. Every
//! core runs one thread with its own runtime and is *home* to one shard. Commands reach data in three ways, each a move
//! of a box: **direct** (take the box from its shelf, work, put it back), **batch** (send the commands to the home core
//! over a ring, get the same batch back with replies), **loan** (several home cores lend their boxes to one core, which
//! then runs the ordinary handler over all of them). Commands whose items are independent (MGET, MSET, DEL …) are
//! **scattered** instead of borrowed: every shard *holds* the keys concerned, then does its part.
//!
//! # A tour, in the order of a command's life
//!
//! `server/connection` reads bytes into a session → `resp/request` finds the requests → `session/admit` finds the row
//! and checks it → `session/route` decides where it runs → `session/run` touches all buckets and entries of a window of
//! commands, then runs them → `shard/call` calls the handler in `command/` → the handler reads or writes through
//! `keyspace/` → `resp/reply` holds the answer → `session/output` puts late answers in their place → the connection
//! sends once per turn.
//!
//! # Layers
//!
//! Imports go strictly downwards; folders on one line do not see each other (`tests/tidy.rs` checks it).
//!
//! | layer | folders |
//! |---|---|
//! | 11 | `cli` what people type: the client program, and what the binaries do besides serving |
//! | 10 | `embedded` the engine inside an application |
//! | 9 | `server` the process: start, listen, connections, signals |
//! | 8 | `session` one client: admit, route, run, scatter and borrow, output |
//! | 6 | `shard` what one core does for data: exchange, home side, batches, holds, cron, `call` |
//! | 5 | `command` rows and handlers, one file per family |
//! | 4 | `persist` what is kept and sent: RDB, the log |
//! | 3 | `keyspace` tables, entries, expiry, the write guard; `client` what is known of a client; `pubsub` who listens to which channels; `remote` a client of other servers |
//! | 3 | `acl` users and what they may do |
//! | 2 | `resp` the wire; `value` the data types; `runtime` threads, atomics, rings, sockets, the clock |
//! | 1 | `config` one row per parameter; `stats` counters |
//! | 0 | `stdx` limits, numbers, globs, quoting |
//!
//! # Words
//!
//! *Core*: a thread. *Shard*: a part of the keyspace. *Home core*: the core that owns a shard. *Box*: a shard's data.
//! *Shelf*: where a box stands while nobody works with it. *Batch*: commands sent to a home core. *Loan*: whole boxes
//! lent to one core. *Hold*: single keys kept still between the two phases of a scattered command. *Session*: one
//! client on its core. *Turn*: one call of a core from outside. *Window*: commands that are prefetched together.

#[global_allocator]
static ALLOCATOR: stats::memory::CountingAllocator = stats::memory::CountingAllocator;

pub mod stdx;

pub mod config;
pub mod stats;

pub mod resp;
pub mod runtime;
pub mod value;

pub mod acl;

pub mod client;
pub mod keyspace;
pub mod pubsub;
pub mod script;
pub mod remote;

pub mod persist;

pub mod command;
pub mod shard;

pub mod session;

// Loom's models are of rings, shelf, doorbell: what runs on monoio stays out of them.
#[cfg(not(loom))]
pub mod server;

#[cfg(not(loom))]
pub mod embedded;

#[cfg(not(loom))]
pub mod cli;
