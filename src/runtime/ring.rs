//! A bounded ring from one core to another: one sender, one receiver, no lock.
//!
//! Invariants: slots `head..tail` hold messages; only the sender moves `tail`, only the receiver moves `head`. Each side
//! keeps a copy of the other's index and reads the shared one only when the copy says full or empty.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An index on cache lines of its own (two are fetched together on x86_64).
#[repr(align(128))]
struct Index(AtomicUsize);

struct Shared<T> {
    head: Index,
    tail: Index,
    mask: usize,
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

// SAFETY: messages move from the sender's thread to the receiver's; slots are handed over through the indices.
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Shared<T> {}

/// The sending end.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
    tail: usize,
    head_seen: usize,
}

/// The receiving end.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    head: usize,
    tail_seen: usize,
}

/// A ring with room for `capacity` messages, a power of two.
pub fn ring<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity.is_power_of_two(), "indices are masked");
    let shared = Arc::new(Shared {
        head: Index(AtomicUsize::new(0)),
        tail: Index(AtomicUsize::new(0)),
        mask: capacity - 1,
        slots: (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
    });
    (Sender { shared: shared.clone(), tail: 0, head_seen: 0 }, Receiver { shared, head: 0, tail_seen: 0 })
}

impl<T> Sender<T> {
    /// Sends a message, or gives it back when the ring is full.
    #[inline]
    pub fn push(&mut self, message: T) -> Result<(), T> {
        if self.tail.wrapping_sub(self.head_seen) > self.shared.mask {
            self.head_seen = self.shared.head.0.load(Ordering::Acquire);
            if self.tail.wrapping_sub(self.head_seen) > self.shared.mask {
                return Err(message);
            }
        }
        // SAFETY: the slot at `tail` is free: the receiver has moved `head` past its last message (acquired above), and
        // only this sender writes slots.
        unsafe { (*self.shared.slots[self.tail & self.shared.mask].get()).write(message) };
        self.tail = self.tail.wrapping_add(1);
        self.shared.tail.0.store(self.tail, Ordering::Release);
        Ok(())
    }

    /// No room now.
    pub fn is_full(&self) -> bool {
        self.tail.wrapping_sub(self.shared.head.0.load(Ordering::Acquire)) > self.shared.mask
    }
}

impl<T> Receiver<T> {
    /// The oldest message.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        // SAFETY: `head` is below the acquired `tail`, so the slot holds a message; it is taken exactly once because
        // `head` moves past it.
        let message = unsafe { (*self.shared.slots[self.head & self.shared.mask].get()).assume_init_read() };
        self.head = self.head.wrapping_add(1);
        self.shared.head.0.store(self.head, Ordering::Release);
        Some(message)
    }

    /// Nothing has come in.
    #[inline]
    pub fn is_empty(&mut self) -> bool {
        if self.head == self.tail_seen {
            self.tail_seen = self.shared.tail.0.load(Ordering::Acquire);
        }
        self.head == self.tail_seen
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_nothing_lost_nothing_twice() {
        let (mut sender, mut receiver) = ring::<Box<u64>>(8);
        let count = 100_000u64;
        let thread = std::thread::spawn(move || {
            for number in 0..count {
                let mut message = Box::new(number);
                while let Err(back) = sender.push(message) {
                    message = back;
                    std::thread::yield_now();
                }
            }
        });
        let mut expected = 0;
        while expected < count {
            match receiver.pop() {
                Some(number) => {
                    assert_eq!(*number, expected);
                    expected += 1;
                }
                None => std::thread::yield_now(),
            }
        }
        thread.join().unwrap();
        assert!(receiver.pop().is_none());
    }

    #[test]
    fn a_full_ring_gives_the_message_back() {
        let (mut sender, mut receiver) = ring(2);
        assert!(sender.push(1).is_ok() && sender.push(2).is_ok() && !receiver.is_empty());
        assert!(sender.is_full());
        assert_eq!(sender.push(3), Err(3));
        assert_eq!(receiver.pop(), Some(1));
        assert!(sender.push(3).is_ok());
    }

    #[test]
    fn what_was_not_received_is_freed() {
        let witness = Arc::new(());
        let (mut sender, receiver) = ring(4);
        assert!(sender.push(witness.clone()).is_ok());
        drop(receiver);
        drop(sender);
        assert_eq!(Arc::strong_count(&witness), 1);
    }
}
