//! A bounded queue from one core to one other core.
//!
//! Invariants: one [`Sender`] and one [`Receiver`] per ring, each on one thread at a time (both take `&mut self`). `head` counts what was ever popped, `tail` what
//! was ever pushed; both wrap, and `tail - head` is at most the capacity. The slots from `head` to `tail` hold values, and belong to the receiver; the others are
//! vacant, and belong to the sender. Only the sender writes `tail`, only the receiver writes `head`.
//!
//! Each side keeps its own index and the last value it saw of the other's in its own handle, and reads the shared word only when that says "full" or "empty". So a
//! stream of messages costs one cache line for the index per batch, not per message. (The scheme of Lamport's queue with cached indices, as in folly's and rigtorp's SPSC queues.)
//!
//! A full ring gives the value back: what then happens is the caller's rule (`shard/`: a bounded local queue, then no more reading). It also leaves a mark, so that a
//! receiver that has made room knows whom to wake: [`Receiver::take_starved`].

use std::{fmt, mem::MaybeUninit};

use super::sync::{Arc, AtomicBool, AtomicUsize, Ordering, Padded, UnsafeCell, fence};

struct Shared<T> {
    /// Values popped so far. Written by the receiver.
    head: Padded<AtomicUsize>,
    /// Values pushed so far. Written by the sender.
    tail: Padded<AtomicUsize>,
    /// Read by both, and hardly ever written.
    fixed: Padded<Fixed<T>>,
}

struct Fixed<T> {
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
    /// The sender found the ring full. Set by the sender, cleared by the receiver.
    starved: AtomicBool,
}

// SAFETY: a slot is touched by one side at a time: the sender before it publishes `tail`, the receiver after it saw that and before it publishes `head`. Values move
// from one thread to another, so `T: Send` is needed, and no reference to a value is ever shared, so `T: Sync` is not.
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: as above; the last handle to go drops the values that are left, on whichever thread it is.
unsafe impl<T: Send> Send for Shared<T> {}

/// The pushing end. Aligned, so that the ends that belong to different cores never share a cache line, wherever they are stored.
#[repr(align(128))]
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
    /// Equal to `shared.tail`.
    tail: usize,
    /// `shared.head` when last seen; the real one is this or later.
    head_seen: usize,
    mask: usize,
}

/// The popping end.
#[repr(align(128))]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// Equal to `shared.head`.
    head: usize,
    /// `shared.tail` when last seen; the real one is this or later.
    tail_seen: usize,
    /// Something was popped since `take_starved` was asked.
    popped: bool,
    mask: usize,
}

/// A ring of `capacity` slots, which must be a power of two.
///
/// # Panics
/// When `capacity` is no power of two.
pub fn ring<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity.is_power_of_two(), "the capacity of a ring is a power of two");
    let shared = Arc::new(Shared {
        head: Padded(AtomicUsize::new(0)),
        tail: Padded(AtomicUsize::new(0)),
        fixed: Padded(Fixed {
            slots: (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
            starved: AtomicBool::new(false),
        }),
    });
    let mask = capacity - 1;
    let sender = Sender { shared: Arc::clone(&shared), tail: 0, head_seen: 0, mask };
    let receiver = Receiver { shared, head: 0, tail_seen: 0, popped: false, mask };
    (sender, receiver)
}

impl<T: Send> Sender<T> {
    /// Appends `value`, or gives it back when the ring is full. Who then parks must do so by the protocol of the doorbell and look at
    /// [`len`](Self::len) before it waits: it is rung when there is room.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), T> {
        if self.tail.wrapping_sub(self.head_seen) > self.mask {
            // Acquire: the receiver has moved the value out of the slot before it is written again.
            self.head_seen = self.shared.head.0.load(Ordering::Acquire);
            if self.tail.wrapping_sub(self.head_seen) > self.mask {
                self.shared.fixed.0.starved.store(true, Ordering::Relaxed);
                return Err(value);
            }
        }
        self.shared.fixed.0.slots[self.tail & self.mask].with_mut(|slot| {
            // SAFETY: `tail - head <= mask`, so the slot is vacant and ours until `tail` is published.
            unsafe { (*slot).write(value) };
        });
        self.tail = self.tail.wrapping_add(1);
        // Release: the value is in its slot before the receiver can see the index.
        self.shared.tail.0.store(self.tail, Ordering::Release);
        Ok(())
    }

    /// Values in the ring. The receiver may have popped some meanwhile: at most this many are left.
    pub fn len(&self) -> usize {
        self.tail.wrapping_sub(self.shared.head.0.load(Ordering::Acquire))
    }

    /// Whether the receiver has popped everything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values the ring can hold.
    pub fn capacity(&self) -> usize {
        self.mask + 1
    }
}

impl<T: Send> Receiver<T> {
    /// Takes the oldest value.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.head == self.tail_seen {
            // Acquire: what the sender wrote into the slots before it published the index is visible.
            self.tail_seen = self.shared.tail.0.load(Ordering::Acquire);
            if self.head == self.tail_seen {
                return None;
            }
        }
        let value = self.shared.fixed.0.slots[self.head & self.mask].with_mut(|slot| {
            // SAFETY: `head != tail`, so the slot holds a value, which is ours until `head` is published; it is moved out once, because `head` moves past it.
            unsafe { (*slot).assume_init_read() }
        });
        self.head = self.head.wrapping_add(1);
        // Release: the value is out of its slot before the sender can see the index.
        self.shared.head.0.store(self.head, Ordering::Release);
        self.popped = true;
        Some(value)
    }

    /// Whether the sender has found the ring full and there is room now: then its doorbell must be rung. Ask after popping, before parking. No wake-up is lost: the
    /// sender marks the ring, announces to park and looks at `head`; this side moves `head` and looks at the mark; a sequentially consistent fence stands between on either side.
    #[inline]
    pub fn take_starved(&mut self) -> bool {
        if !std::mem::take(&mut self.popped) {
            return false;
        }
        fence(Ordering::SeqCst);
        let starved = &self.shared.fixed.0.starved;
        starved.load(Ordering::Relaxed) && starved.swap(false, Ordering::AcqRel)
    }

    /// Values in the ring; the sender may have added some meanwhile. After `Doorbell::prepare_to_park` this sees every push whose doorbell was not rung.
    #[inline]
    pub fn len(&self) -> usize {
        self.shared.tail.0.load(Ordering::Acquire).wrapping_sub(self.head)
    }

    /// Whether there is nothing to pop.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Both handles are gone, and the count of the `Arc` orders what they did before this.
        let tail = self.tail.0.load(Ordering::Relaxed);
        let mut head = self.head.0.load(Ordering::Relaxed);
        let mask = self.fixed.0.slots.len() - 1;
        while head != tail {
            self.fixed.0.slots[head & mask].with_mut(|slot| {
                // SAFETY: the slots from `head` to `tail` hold values, nobody else is left to touch them, and each is dropped once.
                unsafe { (*slot).assume_init_drop() };
            });
            head = head.wrapping_add(1);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sender").field("tail", &self.tail).field("capacity", &(self.mask + 1)).finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receiver").field("head", &self.head).field("capacity", &(self.mask + 1)).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn gives_back_in_order_and_refuses_when_full() {
        let (mut sender, mut receiver) = ring(4);
        assert_eq!(sender.capacity(), 4);
        for round in 0..10 {
            for i in 0..4 {
                assert_eq!(sender.push(round * 4 + i), Ok(()));
            }
            assert_eq!(sender.push(99), Err(99));
            assert_eq!((sender.len(), receiver.len(), receiver.is_empty()), (4, 4, false));
            for i in 0..4 {
                assert_eq!(receiver.pop(), Some(round * 4 + i));
            }
            assert_eq!(receiver.pop(), None);
            assert!(receiver.is_empty() && sender.is_empty());
        }
    }

    #[test]
    fn a_sender_that_found_it_full_is_told_of_room_once() {
        let (mut sender, mut receiver) = ring(2);
        assert_eq!((sender.push(1), sender.push(2)), (Ok(()), Ok(())));
        assert_eq!(receiver.pop(), Some(1));
        assert!(!receiver.take_starved(), "it was never full for the sender");
        assert_eq!((sender.push(3), sender.push(4)), (Ok(()), Err(4)));
        assert!(!receiver.take_starved(), "no room yet");
        assert_eq!(receiver.pop(), Some(2));
        assert!(receiver.take_starved());
        assert!(!receiver.take_starved());
        assert_eq!(receiver.pop(), Some(3));
        assert!(!receiver.take_starved());
    }

    #[test]
    fn a_ring_of_one_slot_works() {
        let (mut sender, mut receiver) = ring(1);
        for i in 0..5 {
            assert_eq!(sender.push(i), Ok(()));
            assert_eq!(sender.push(100), Err(100));
            assert_eq!(receiver.pop(), Some(i));
        }
    }

    #[test]
    #[should_panic(expected = "power of two")]
    fn refuses_other_capacities() {
        let _ = ring::<u8>(3);
    }

    #[test]
    fn frees_what_is_left() {
        let witness = Arc::new(());
        let (mut sender, mut receiver) = ring(8);
        for _ in 0..7 {
            assert!(sender.push(Arc::clone(&witness)).is_ok());
        }
        for _ in 0..3 {
            drop(receiver.pop());
        }
        assert_eq!(Arc::strong_count(&witness), 5);
        drop(sender);
        assert_eq!(Arc::strong_count(&witness), 5, "the receiver may still pop");
        drop(receiver);
        assert_eq!(Arc::strong_count(&witness), 1);
    }

    #[test]
    fn ends_do_not_share_cache_lines() {
        assert_eq!(align_of::<Sender<Box<u8>>>(), 128);
        assert_eq!(align_of::<Receiver<Box<u8>>>(), 128);
        assert_eq!(align_of::<Shared<Box<u8>>>(), 128);
        assert_eq!(size_of::<Shared<Box<u8>>>(), 3 * 128);
    }

    /// Boxes pass through a small ring from one thread to another: none is lost, doubled or out of order.
    #[test]
    fn passes_between_threads() {
        const COUNT: u64 = 200_000;
        let (mut sender, mut receiver) = ring::<Box<u64>>(64);
        let pusher = thread::spawn(move || {
            for i in 0..COUNT {
                let mut value = Box::new(i);
                while let Err(back) = sender.push(value) {
                    value = back;
                    thread::yield_now();
                }
            }
        });
        let mut next = 0;
        while next < COUNT {
            match receiver.pop() {
                Some(value) => {
                    assert_eq!(*value, next);
                    next += 1;
                }
                None if pusher.is_finished() && receiver.is_empty() => break,
                None => thread::yield_now(),
            }
        }
        assert_eq!((next, receiver.pop()), (COUNT, None));
        assert!(pusher.join().is_ok());
    }
}
