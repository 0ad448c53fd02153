//! Layer 2: the machine. Threads, atomics, rings, sockets, the clock. Nothing above asks the clock or the system itself.

pub mod clock;
pub mod doorbell;
pub mod notify;
pub mod ring;
pub mod shelf;
