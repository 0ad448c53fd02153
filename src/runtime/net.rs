//! Small things about sockets that need the system: closing one that a task is waiting on.

use std::os::fd::RawFd;

/// Ends a connection in both directions, so that a read or write that waits on it comes back. The descriptor stays open
/// until its owner drops it. Unknown descriptors are ignored.
pub fn shutdown(descriptor: RawFd) {
    // SAFETY: shutdown(2) takes no pointer; on a descriptor that is no socket it only returns an error.
    unsafe { libc::shutdown(descriptor, libc::SHUT_RDWR) };
}
