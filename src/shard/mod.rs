//! Layer 6: what one core does for data. The `Exchange` holds the rings to the other cores, the boxes in hand, and the
//! home side of this core's own shard; `call` is the one place where handlers of keyed commands run.
//!
//! Words: a *core* is a thread; its *home shard* is the one it owns; the *box* is the `Box<Keyspace>` of a shard; the
//! *shelf* is where it stands while nobody works with it; a *batch* is work sent to a shard's home core; a *loan* lends
//! whole boxes; a *hold* keeps single keys still between the two phases of a scattered command.
//!
//! Everything here is synchronous and knows no socket and no clock, so the simulator drives the same code.

pub mod batch;
pub mod call;
pub mod cron;
pub mod exchange;
pub mod home;
pub mod message;
pub mod route;
pub mod script;
pub mod log;
pub mod record;
pub mod wait;
