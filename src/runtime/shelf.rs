//! The shelf: one atomic slot where a box stands while nobody works with it.
//!
//! Whoever swaps the pointer out has the box; nobody waits for it. The home core that misses its box sets `wanted`: takers
//! leave a wanted box alone, and whoever puts it back is told to ring the home core's doorbell.

use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// See the file's head. On cache lines of its own.
#[repr(align(128))]
pub struct Shelf<T> {
    slot: AtomicPtr<T>,
    wanted: AtomicBool,
}

/// What the one who put a box back has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutResult {
    /// Nothing.
    Quiet,
    /// Ring the home core's doorbell: it wants its box.
    Wanted,
}

impl<T: Send> Shelf<T> {
    /// A shelf with a box on it.
    pub fn new(box_of: Box<T>) -> Shelf<T> {
        Shelf { slot: AtomicPtr::new(Box::into_raw(box_of)), wanted: AtomicBool::new(false) }
    }

    /// An empty shelf.
    pub fn empty() -> Shelf<T> {
        Shelf { slot: AtomicPtr::new(std::ptr::null_mut()), wanted: AtomicBool::new(false) }
    }

    /// Takes the box if it is there, or comes back within `spins` looks. Only the home core takes a wanted box.
    #[inline]
    pub fn try_take(&self, for_home: bool, spins: u32) -> Option<Box<T>> {
        for _ in 0..=spins {
            if !for_home && self.wanted.load(Ordering::SeqCst) {
                return None;
            }
            // A plain look first: a swap would take the cache line away from whoever works with the box.
            if !self.slot.load(Ordering::Relaxed).is_null() {
                let taken = self.slot.swap(std::ptr::null_mut(), Ordering::SeqCst);
                if !taken.is_null() {
                    if for_home {
                        self.wanted.store(false, Ordering::SeqCst);
                    }
                    // SAFETY: the pointer came from `Box::into_raw` in `new` or `put`, and the swap made this thread
                    // its only owner.
                    return Some(unsafe { Box::from_raw(taken) });
                }
            }
            std::hint::spin_loop();
        }
        None
    }

    /// The home core missed its box: says so, then looks once more (so that a box put back in between is not overlooked).
    pub fn want(&self) -> Option<Box<T>> {
        self.wanted.store(true, Ordering::SeqCst);
        self.try_take(true, 0)
    }

    /// Puts a box on the empty shelf.
    #[inline]
    pub fn put(&self, box_of: Box<T>) -> PutResult {
        let previous = self.slot.swap(Box::into_raw(box_of), Ordering::SeqCst);
        assert!(previous.is_null(), "a shard has one box");
        if self.wanted.load(Ordering::SeqCst) { PutResult::Wanted } else { PutResult::Quiet }
    }

    /// Whether the box stands here now.
    pub fn is_there(&self) -> bool {
        !self.slot.load(Ordering::SeqCst).is_null()
    }
}

impl<T> Drop for Shelf<T> {
    fn drop(&mut self) {
        let left = self.slot.swap(std::ptr::null_mut(), Ordering::SeqCst);
        if !left.is_null() {
            // SAFETY: as in `try_take`; `&mut self` rules out everybody else.
            drop(unsafe { Box::from_raw(left) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn one_hand_at_a_time() {
        let shelf = Arc::new(Shelf::new(Box::new(0u64)));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let shelf = shelf.clone();
                std::thread::spawn(move || {
                    let mut done = 0;
                    while done < 20_000 {
                        match shelf.try_take(false, 8) {
                            Some(mut count) => {
                                *count += 1;
                                done += 1;
                                shelf.put(count);
                            }
                            None => std::thread::yield_now(),
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(shelf.try_take(true, 0).as_deref(), Some(&80_000));
    }

    #[test]
    fn a_wanted_box_goes_home() {
        let shelf = Shelf::new(Box::new(1));
        let taken = shelf.try_take(false, 0).unwrap();
        assert!(shelf.want().is_none());
        assert_eq!(shelf.put(taken), PutResult::Wanted);
        assert!(shelf.try_take(false, 0).is_none(), "takers leave it alone");
        let home = shelf.try_take(true, 0).unwrap();
        assert_eq!(shelf.put(home), PutResult::Quiet);
    }
}
