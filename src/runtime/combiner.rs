//! Work that anybody may do and only one at a time does: who has brought some takes the tool from its shelf and does all
//! that has been brought meanwhile, by others too. Who finds the tool in somebody's hand leaves: that one looks once more
//! when it has put the tool back.
//!
//! No work is forgotten: a bringer sets `asked` and then looks for the tool, a holder puts the tool back and then looks at
//! `asked`, with a sequentially consistent fence in between on both sides, so at least one sees the other's store.
//!
//! One thread is the tool's *home*: it may insist (`insist`), and others leave the tool alone until it has had its turn.

use super::doorbell::Doorbell;
use super::shelf::{PutResult, Shelf};
use super::sync::{AtomicBool, Ordering, fence};

/// See the file's head.
#[derive(Debug)]
pub struct Combiner<T> {
    shelf: Shelf<T>,
    asked: AtomicBool,
}

impl<T: Send> Combiner<T> {
    /// Without the tool: whoever makes it gives it with `give_back`.
    pub fn empty() -> Combiner<T> {
        Combiner { shelf: Shelf::empty(), asked: AtomicBool::new(false) }
    }

    /// Work was brought and home is to do it; the caller rings it.
    #[inline]
    pub fn leave(&self) {
        self.asked.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Work was brought: the tool, if it is here. None: whoever has it will look again.
    #[inline]
    pub fn bring(&self, spins: u32) -> Option<Box<T>> {
        self.leave();
        self.shelf.try_take(false, spins)
    }

    /// The holder, before it looks at what was brought.
    #[inline]
    pub fn begin(&self) {
        if self.asked.load(Ordering::Relaxed) {
            // A swap, not a store: it acquires what was brought.
            self.asked.swap(false, Ordering::AcqRel);
        }
    }

    /// Something was brought since the last holder began. A hint for all but the holder, and for home before it sleeps.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// The holder is done, and does not look again: what was brought meanwhile it leaves to home.
    pub fn put_down(&self, tool: Box<T>, home: &Doorbell) {
        if self.shelf.put(tool) == PutResult::Wanted {
            home.ring_if_parked();
        }
    }

    /// The holder is done. Some: work was brought meanwhile, and the tool is still in hand. Home, if it insists, is woken.
    #[inline]
    pub fn give_back(&self, tool: Box<T>, home: &Doorbell) -> Option<Box<T>> {
        if self.shelf.put(tool) == PutResult::Wanted {
            home.ring_if_parked();
            return None;
        }
        if self.asked.load(Ordering::Acquire) { self.shelf.try_take(false, 0) } else { None }
    }

    /// Home: the tool. None: whoever has it rings home's doorbell when it is here; until then nobody else takes it.
    pub fn insist(&self) -> Option<Box<T>> {
        self.shelf.try_take(true, 0).or_else(|| self.shelf.want())
    }

    /// Whether the tool is here just now.
    pub fn is_here(&self) -> bool {
        self.shelf.has_box()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::thread;

    use super::*;

    const THREADS: u64 = 4;
    const ROUNDS: u64 = 20_000;

    #[test]
    fn all_work_is_done_and_none_twice() {
        let combiner = Arc::new(Combiner::empty());
        let brought: Arc<Vec<AtomicU64>> = Arc::new((0..THREADS).map(|_| AtomicU64::new(0)).collect());
        let home = Arc::new(Doorbell::silent());
        assert!(combiner.give_back(Box::new(0u64), &home).is_none());
        let threads: Vec<_> = (0..THREADS)
            .map(|id| {
                let (combiner, brought, home) = (combiner.clone(), brought.clone(), home.clone());
                thread::spawn(move || {
                    for _ in 0..ROUNDS {
                        brought[id as usize].fetch_add(1, Relaxed);
                        let mut tool = combiner.bring(0);
                        while let Some(mut done) = tool {
                            combiner.begin();
                            *done += brought.iter().map(|count| count.swap(0, Relaxed)).sum::<u64>();
                            tool = combiner.give_back(done, &home);
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("a thread of the test does not panic"));
        assert_eq!(combiner.insist().map(|done| *done), Some(THREADS * ROUNDS), "nobody holds it, and nothing is left");
        assert!(combiner.bring(0).is_none() && !combiner.is_here());
    }

    #[test]
    fn home_insists() {
        let (combiner, home) = (Combiner::empty(), Doorbell::silent());
        assert!(combiner.give_back(Box::new(1), &home).is_none());
        let tool = combiner.bring(0).expect("it is here");
        assert!(combiner.insist().is_none());
        home.prepare_to_park();
        combiner.leave();
        assert!(combiner.give_back(tool, &home).is_none(), "home's turn comes first");
        assert!(home.take_rung());
        assert!(combiner.bring(9).is_none(), "others leave it alone");
        assert!(combiner.is_asked());
        assert_eq!(combiner.insist().map(|tool| *tool), Some(1));
    }
}
