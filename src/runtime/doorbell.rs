//! Waking a core that has parked, and nobody else.
//!
//! A doorbell belongs to one core. The core sets `parked` before it waits; others ring only while it is set, so a core that is awake costs them one load, and a
//! parked one costs one `write` for all that was brought in one batch. Waking costs tens of microseconds on a virtual machine, the load a nanosecond.
//!
//! Invariant: after `prepare_to_park` the core looks at everything it could be woken for; others bring something first and call `ring_if_parked` afterwards. Both have a
//! sequentially consistent fence between the two steps, so either the core finds what was brought, or the bringer finds the flag and rings. Who finds the flag clears it: one ring per parking.
//!
//! A silent doorbell has no descriptor: the simulation and the models ask [`Doorbell::take_rung`] instead of waiting.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use super::sync::{AtomicBool, Ordering, Padded, fence};

/// One core's doorbell.
#[derive(Debug)]
pub struct Doorbell {
    /// Whether the core waits, or is about to. Set by the core, cleared by the core or by who rings.
    parked: Padded<AtomicBool>,
    bell: Bell,
}

#[derive(Debug)]
enum Bell {
    /// An eventfd: readable once rung, until it is drained.
    Event(OwnedFd),
    /// Only a flag: rung and not asked for yet.
    Silent(Padded<AtomicBool>),
}

impl Doorbell {
    /// A doorbell that a runtime can wait for. Fails as `eventfd(2)` does: too many open files, or no memory.
    pub fn new() -> io::Result<Self> {
        // SAFETY: the call takes two numbers and touches no memory of ours.
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was opened just now, and nobody else knows it.
        let event = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self { parked: Padded(AtomicBool::new(false)), bell: Bell::Event(event) })
    }

    /// A doorbell without a descriptor, for the simulation and for models.
    pub fn silent() -> Self {
        Self { parked: Padded(AtomicBool::new(false)), bell: Bell::Silent(Padded(AtomicBool::new(false))) }
    }

    /// Anyone, after having brought something: wakes the core if it is parked. True when this call rang.
    #[inline]
    pub fn ring_if_parked(&self) -> bool {
        fence(Ordering::SeqCst);
        // The load first: an awake core's line stays shared. Of all who see the flag only one clears it, and rings.
        let rings = self.is_parked() && self.clear_parked();
        if rings {
            self.ring();
        }
        rings
    }

    /// The core: announces that it is going to wait. It must now look at everything it could be woken for, and then wait or [`cancel_park`](Self::cancel_park).
    #[inline]
    pub fn prepare_to_park(&self) {
        // A swap, not a store: it acquires what was brought by who cleared the flag last.
        self.parked.0.swap(true, Ordering::AcqRel);
        fence(Ordering::SeqCst);
    }

    /// The core: it is awake, whatever woke it. Someone may have rung at the same time: then the bell is rung for nothing, and the next wait ends at once.
    #[inline]
    pub fn cancel_park(&self) {
        self.clear_parked();
    }

    /// Whether the core waits or is about to. Only a hint for anyone else.
    #[inline]
    pub fn is_parked(&self) -> bool {
        self.parked.0.load(Ordering::Relaxed)
    }

    /// The core: forgets rings that were heard. True when there was one. Never blocks.
    pub fn drain(&self) -> bool {
        match &self.bell {
            Bell::Event(event) => {
                let mut count = 0_u64;
                // SAFETY: the kernel writes at most the 8 bytes of `count`, which lives until the call returns.
                let read = unsafe { libc::read(event.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
                read == 8
            }
            Bell::Silent(rung) => rung.0.compare_exchange(true, false, Ordering::AcqRel, Ordering::Relaxed).is_ok(),
        }
    }

    /// A silent doorbell: whether it was rung since last asked. For the simulation's scheduler, which wakes the core then.
    pub fn take_rung(&self) -> bool {
        debug_assert!(matches!(self.bell, Bell::Silent(_)), "a doorbell with a descriptor is waited for");
        self.drain()
    }

    /// The descriptor that is readable while the bell is rung and not drained; None for a silent one.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.bell {
            Bell::Event(event) => Some(event.as_fd()),
            Bell::Silent(_) => None,
        }
    }

    /// Clears the flag. True for the one caller that found it set; the others write nothing.
    #[inline]
    fn clear_parked(&self) -> bool {
        self.parked.0.compare_exchange(true, false, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    #[cold]
    fn ring(&self) {
        match &self.bell {
            Bell::Event(event) => {
                let one = 1_u64;
                // SAFETY: the kernel reads the 8 bytes of `one`, which lives until the call returns.
                let written = unsafe { libc::write(event.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
                // A write of 1 fails only at a count of 2^64 - 2 (EAGAIN): then the bell is rung anyway.
                debug_assert!(written == 8 || io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock);
            }
            Bell::Silent(rung) => {
                rung.0.swap(true, Ordering::AcqRel);
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        thread,
    };

    use super::*;
    use crate::runtime::ring::ring;

    /// Whether the descriptor becomes readable within `timeout_ms`.
    fn readable(bell: &Doorbell, timeout_ms: i32) -> bool {
        let descriptor = bell.descriptor().expect("not a silent one");
        let mut poll = libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, alive until the call returns.
        unsafe { libc::poll(&raw mut poll, 1, timeout_ms) == 1 }
    }

    #[test]
    fn rings_a_parked_core_once() {
        for bell in [Doorbell::new().expect("an eventfd"), Doorbell::silent()] {
            assert!(!bell.ring_if_parked(), "awake");
            assert!(!bell.drain());
            bell.prepare_to_park();
            assert!(bell.is_parked());
            assert!(bell.ring_if_parked());
            assert!(!bell.ring_if_parked(), "one ring per parking");
            assert!(!bell.is_parked());
            assert!(bell.drain());
            assert!(!bell.drain());
            bell.prepare_to_park();
            bell.cancel_park();
            assert!(!bell.ring_if_parked());
            assert!(!bell.drain());
        }
    }

    #[test]
    fn the_descriptor_is_readable_while_rung() {
        let bell = Doorbell::new().expect("an eventfd");
        assert!(!readable(&bell, 0));
        bell.prepare_to_park();
        bell.ring_if_parked();
        assert!(readable(&bell, 0));
        assert!(bell.drain());
        assert!(!readable(&bell, 0));
        assert!(Doorbell::silent().descriptor().is_none());
    }

    /// Messages go one by one to a thread that parks on the descriptor whenever it finds nothing; the next one is sent only when the last was answered, so a lost wake-up hangs it.
    #[test]
    fn no_wake_up_is_lost_between_threads() {
        const ROUNDS: u32 = 5_000;
        let bell = Arc::new(Doorbell::new().expect("an eventfd"));
        let (mut sender, mut receiver) = ring::<u32>(2);
        let (answer, answers) = mpsc::channel();
        let core = {
            let bell = Arc::clone(&bell);
            thread::spawn(move || {
                let mut done = 0;
                while done < ROUNDS {
                    if let Some(value) = receiver.pop() {
                        assert_eq!(value, done);
                        done += 1;
                        assert!(answer.send(value).is_ok());
                        continue;
                    }
                    bell.prepare_to_park();
                    if !receiver.is_empty() {
                        bell.cancel_park();
                        continue;
                    }
                    assert!(readable(&bell, 10_000), "a wake-up was lost");
                    bell.drain();
                }
            })
        };
        for i in 0..ROUNDS {
            assert!(sender.push(i).is_ok());
            bell.ring_if_parked();
            assert_eq!(answers.recv(), Ok(i));
        }
        assert!(core.join().is_ok());
    }
}
