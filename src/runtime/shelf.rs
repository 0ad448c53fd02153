//! The place where a shard's box stands while nobody works with it.
//!
//! Invariants: a shelf belongs to one box and one home core. The box is on the shelf or in exactly one hand; whoever took it puts it back. Only the home core
//! writes `wanted`. Nobody waits: a miss is a miss after the few spins the caller chose, because the thread that has the box may have been descheduled.
//!
//! A home core that finds its box out says so with [`Shelf::want`]; from then on other takers leave the box alone, and whoever puts it back is told
//! [`PutResult::Wanted`] and rings the home core's doorbell. No wake-up is lost: the putter stores the box and then reads `wanted`, the home core stores `wanted` and
//! then reads the slot, with a sequentially consistent fence in between on both sides, so at least one sees the other's store.
//!
//! A taker that read `wanted` just before it was set may still take the box. It, too, is told when it puts the box back, so the home core is only later, never forgotten.

use std::{fmt, marker::PhantomData, ptr};

use super::sync::{AtomicBool, AtomicPtr, Ordering, fence, spin_loop};

/// One box's slot and its home core's wish. Both words share a line on purpose: whoever touches one touches the other next.
#[repr(align(128))]
pub struct Shelf<T> {
    /// The box as a raw pointer, or null while it is in someone's hands.
    slot: AtomicPtr<T>,
    wanted: AtomicBool,
    owns: PhantomData<Box<T>>,
}

// SAFETY: a shelf hands whole boxes from thread to thread and never a reference into one, so `T: Send` is enough (as for a `Mutex`).
unsafe impl<T: Send> Sync for Shelf<T> {}

/// What [`Shelf::put`] found.
#[must_use = "a wanted box's home core must be rung"]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PutResult {
    /// Nobody waits for the box.
    Quiet,
    /// The home core waits for its box: the caller must call `ring_if_parked` on its doorbell.
    Wanted,
}

impl<T: Send> Shelf<T> {
    /// A shelf with its box on it.
    pub fn new(data: Box<T>) -> Self {
        Self { slot: AtomicPtr::new(Box::into_raw(data)), wanted: AtomicBool::new(false), owns: PhantomData }
    }

    /// A shelf whose box is in someone's hands.
    pub fn empty() -> Self {
        Self { slot: AtomicPtr::new(ptr::null_mut()), wanted: AtomicBool::new(false), owns: PhantomData }
    }

    /// Takes the box if it is here, looking once and `spins` times more. A taker other than home leaves a wanted box alone; home's success ends its wish.
    #[inline]
    pub fn try_take(&self, for_home: bool, spins: u32) -> Option<Box<T>> {
        let mut left = spins;
        loop {
            if !for_home && self.wanted.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(data) = self.take_out() {
                if for_home {
                    self.clear_wanted();
                }
                return Some(data);
            }
            if left == 0 {
                return None;
            }
            left -= 1;
            spin_loop();
        }
    }

    /// Puts the box back. [`PutResult::Wanted`] obliges the caller to ring the home core.
    ///
    /// # Panics
    /// When a box is on the shelf already: two boxes for one shard would be a fault of ours.
    #[inline]
    pub fn put(&self, data: Box<T>) -> PutResult {
        // The one box was taken from here, by us or by whoever handed it to us, so its null is visible.
        assert!(self.slot.load(Ordering::Relaxed).is_null(), "a shelf holds one box");
        // Release: what was done to the data is visible to the next taker.
        self.slot.store(Box::into_raw(data), Ordering::Release);
        fence(Ordering::SeqCst);
        if self.wanted.load(Ordering::Relaxed) { PutResult::Wanted } else { PutResult::Quiet }
    }

    /// Home only: says that the box is wanted, and looks once more. Some: here it is, and the wish is over. None: whoever puts the box back will ring.
    pub fn want(&self) -> Option<Box<T>> {
        self.wanted.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.try_take(true, 0)
    }

    /// Home only: takes the wish back. Other takers may have the box again.
    #[inline]
    pub fn clear_wanted(&self) {
        // Only home writes the flag, so its own view is exact; the load keeps the line clean in the usual case.
        if self.wanted.load(Ordering::Relaxed) {
            self.wanted.store(false, Ordering::Relaxed);
        }
    }

    /// Whether the home core has said that it wants the box. Only a hint for anyone but the home core.
    #[inline]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Whether the box is on the shelf just now. Only a hint: it may be gone when the caller looks again.
    #[inline]
    pub fn has_box(&self) -> bool {
        !self.slot.load(Ordering::Relaxed).is_null()
    }

    #[inline]
    fn take_out(&self) -> Option<Box<T>> {
        // A plain load first: an exchange would pull the line away from whoever is about to put the box.
        let pointer = self.slot.load(Ordering::Relaxed);
        // Acquire: everything the last holder did to the data is visible. Exchanged only if still here, so that who comes too late writes nothing.
        if pointer.is_null()
            || self.slot.compare_exchange(pointer, ptr::null_mut(), Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            return None;
        }
        // SAFETY: every non-null pointer in the slot came from `Box::into_raw`, and the exchange gave it to us alone.
        Some(unsafe { Box::from_raw(pointer) })
    }
}

impl<T> Drop for Shelf<T> {
    fn drop(&mut self) {
        let pointer = self.slot.swap(ptr::null_mut(), Ordering::Acquire);
        if !pointer.is_null() {
            // SAFETY: as in `take_out`; `&mut self` says that nobody else is looking.
            drop(unsafe { Box::from_raw(pointer) });
        }
    }
}

impl<T> fmt::Debug for Shelf<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_box = !self.slot.load(Ordering::Relaxed).is_null();
        formatter
            .debug_struct("Shelf")
            .field("has_box", &has_box)
            .field("wanted", &self.wanted.load(Ordering::Relaxed))
            .finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn the_box_is_here_or_in_one_hand() {
        let shelf = Shelf::new(Box::new(1));
        assert!(shelf.has_box());
        let mut data = shelf.try_take(false, 0).expect("the box is here");
        assert_eq!((shelf.has_box(), shelf.try_take(false, 10), shelf.try_take(true, 10)), (false, None, None));
        *data = 2;
        assert_eq!(shelf.put(data), PutResult::Quiet);
        assert_eq!(shelf.try_take(true, 0), Some(Box::new(2)));
    }

    #[test]
    fn a_wanted_box_is_for_home_alone() {
        let shelf = Shelf::new(Box::new(1));
        let data = shelf.try_take(false, 0).expect("the box is here");
        assert_eq!(shelf.want(), None);
        assert!(shelf.is_wanted());
        assert_eq!(shelf.put(data), PutResult::Wanted);
        assert_eq!(shelf.try_take(false, 100), None);
        let data = shelf.try_take(true, 0).expect("home may take it");
        assert!(!shelf.is_wanted(), "home has it: the wish is over");
        assert_eq!(shelf.put(data), PutResult::Quiet);
        assert!(shelf.want().is_some());
        assert!(!shelf.is_wanted());
    }

    #[test]
    fn a_wish_can_be_taken_back() {
        let shelf = Shelf::<u8>::empty();
        assert_eq!(shelf.want(), None);
        shelf.clear_wanted();
        assert_eq!(shelf.put(Box::new(3)), PutResult::Quiet);
        assert!(shelf.try_take(false, 0).is_some());
    }

    #[test]
    #[should_panic(expected = "a shelf holds one box")]
    fn a_second_box_is_a_fault() {
        let shelf = Shelf::new(Box::new(1));
        let _ = shelf.put(Box::new(2));
    }

    #[test]
    fn frees_the_box() {
        let witness = Arc::new(());
        let shelf = Shelf::new(Box::new(Arc::clone(&witness)));
        assert_eq!(Arc::strong_count(&witness), 2);
        drop(shelf);
        assert_eq!(Arc::strong_count(&witness), 1);
    }

    /// Four threads take, count up without any atomic, and put back: no step is lost.
    #[test]
    fn never_in_two_hands() {
        const STEPS: usize = 20_000;
        let shelf = Arc::new(Shelf::new(Box::new(0_usize)));
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let shelf = Arc::clone(&shelf);
                thread::spawn(move || {
                    let mut done = 0;
                    while done < STEPS {
                        let Some(mut data) = shelf.try_take(false, 30) else {
                            thread::yield_now();
                            continue;
                        };
                        *data += 1;
                        done += 1;
                        assert_eq!(shelf.put(data), PutResult::Quiet);
                    }
                })
            })
            .collect();
        for worker in workers {
            assert!(worker.join().is_ok());
        }
        assert_eq!(shelf.try_take(true, 0).as_deref(), Some(&(4 * STEPS)));
    }
}
