//! Layer 8: one client from its bytes to its replies. `Core` is one core with all its sessions; it is synchronous and
//! driven from outside (sockets by `server/`, everything by the simulator): bytes in, a pump, bytes out.
//!
//! Replies leave in request order: what runs directly is written at once, what travels leaves a gap in the session's
//! queue that is filled when it returns.

pub mod access;
mod admit;
pub mod client_line;
pub mod control;
pub mod block;
pub mod core;
mod jobs;
pub mod evict;
mod gate;
mod log_jobs;
mod memory;
mod monitor;
pub mod multi;
pub mod output;
pub mod replay;
pub mod run;
mod sample;
pub mod script;
mod subscribe;
mod slow;
pub mod state;
pub mod transaction;
