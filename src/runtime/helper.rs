//! Threads beside the cores, for work that blocks: one writes a snapshot to disk.

use std::io;

/// Starts a thread of this name that ends with its work.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}
