//! Layer 9: the process. Starts the cores, accepts connections, drives each core's `Core` with sockets, and ends it all.

mod acceptors;
pub mod check_aof;
pub mod check_rdb;
pub mod background;
pub mod connection;
pub mod data_lock;
pub mod inside;
pub mod listen;
pub mod load;
pub mod log;
pub mod shutdown;
pub mod log_writer;
pub mod simulated;
pub mod start;
pub mod supervisor;
pub mod worker;

/// Our own version, and that of the Redis we stand in for.
pub use crate::stats::server::{REDIS_VERSION, RINGFORT_VERSION as VERSION};
