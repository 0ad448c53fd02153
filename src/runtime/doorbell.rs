//! The doorbell of a core: rung only when the core has said that it is about to park.
//!
//! The core announces (`prepare_to_park`), looks for work once more, and parks; a sender publishes its message, then asks
//! whether the core is parked. One of the two sees the other (both are sequentially consistent), so no ring is lost.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering, fence};

/// See the file's head. On cache lines of its own.
#[repr(align(128))]
pub struct Doorbell {
    parked: AtomicBool,
    rung: AtomicBool,
    event: Option<OwnedFd>,
}

impl Doorbell {
    /// A doorbell with an eventfd.
    pub fn new() -> std::io::Result<Doorbell> {
        // SAFETY: no pointer is passed; the result is checked below.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just created and belongs to nobody else.
        let event = unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(descriptor) };
        Ok(Doorbell { parked: AtomicBool::new(false), rung: AtomicBool::new(false), event: Some(event) })
    }

    /// A doorbell for the simulator: only the flags.
    pub fn silent() -> Doorbell {
        Doorbell { parked: AtomicBool::new(false), rung: AtomicBool::new(false), event: None }
    }

    /// Wakes the core if it has announced to park. Called after the message was published.
    #[inline]
    pub fn ring_if_parked(&self) {
        fence(Ordering::SeqCst);
        if self.parked.load(Ordering::SeqCst) && self.parked.swap(false, Ordering::SeqCst) {
            self.ring();
        }
    }

    /// Wakes the core whether it has announced to park or not.
    pub fn ring(&self) {
        self.rung.store(true, Ordering::SeqCst);
        if let Some(event) = &self.event {
            let one = 1u64.to_ne_bytes();
            // SAFETY: the buffer has the eight bytes that an eventfd takes. A full counter (EAGAIN) means it is rung.
            unsafe { libc::write(event.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        }
    }

    /// The core is about to park; it must look for work once more before it does.
    pub fn prepare_to_park(&self) {
        self.parked.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// The core is at work again.
    #[inline]
    pub fn unpark(&self) {
        if self.parked.load(Ordering::Relaxed) {
            self.parked.store(false, Ordering::SeqCst);
        }
    }

    /// Whether it was rung since the last call; takes the ring back.
    pub fn take_rung(&self) -> bool {
        if let Some(event) = &self.event {
            let mut count = [0u8; 8];
            // SAFETY: the buffer has the eight bytes that an eventfd gives. Nothing to read (EAGAIN) is fine.
            unsafe { libc::read(event.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
        }
        self.rung.swap(false, Ordering::SeqCst)
    }

    /// The descriptor to wait for; none in the simulator.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.event.as_ref().map(|event| event.as_raw_fd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rung_only_when_parked_and_only_once() {
        let bell = Doorbell::new().unwrap();
        bell.ring_if_parked();
        assert!(!bell.take_rung());
        bell.prepare_to_park();
        bell.ring_if_parked();
        bell.ring_if_parked();
        assert!(bell.take_rung());
        assert!(!bell.take_rung());
        bell.prepare_to_park();
        bell.unpark();
        bell.ring_if_parked();
        assert!(!bell.take_rung());
    }
}
