//! Layer 2: threads, atomics and the machine. Everything above is plain single-threaded code.
//!
//! A server is one thread per core; each owns one monoio runtime ([`driver`]). What crosses from one core to another does so in three ways only:
//!
//! * [`ring`]: messages, one bounded ring per ordered pair of cores;
//! * [`shelf`]: the box that *is* a shard's data, standing in a slot while nobody works with it;
//! * [`doorbell`]: the wake-up of a core that has parked.
//!
//! A [`combiner`] is a shelf whose box is a tool: whoever has it does everybody's work. The log is written that way.
//!
//! Parking is one protocol over all three, and each side does its steps in this order:
//!
//! * the core that parks: `Doorbell::prepare_to_park`, then looks at every ring and (when it wants its box) at the shelf once more, then waits for the bell
//!   or, when it found something, `Doorbell::cancel_park`;
//! * the core that gives it something: pushes all it has or puts the box, then `Doorbell::ring_if_parked`, once per batch.
//!
//! A sequentially consistent fence stands between the two steps on either side, so at least one of them sees the other (Dekker's argument). `loom_tests` walks
//! through the interleavings; run it with `RUSTFLAGS="--cfg loom" cargo test --lib --profile fast loom_`.
//!
//! Time comes from [`clock`], real or simulated; what the machine and its cgroups allow comes from [`cpu`]. No other folder asks for either.

pub mod claim;
pub mod clock;
pub mod combiner;
pub mod cpu;
pub mod doorbell;
pub mod flag;
pub mod helper;
pub mod log_marks;
pub mod net;
pub mod notify;
pub mod open_files;
#[cfg(not(loom))]
pub mod driver;
pub mod process;
pub mod ring;
pub mod shelf;
mod sync;

#[cfg(all(test, loom))]
mod loom_tests;
