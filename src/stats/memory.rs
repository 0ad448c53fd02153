//! The global allocator: mimalloc, and a count of the bytes in use.
//!
//! Every thread counts in a cell of its own with a plain load and store; whoever asks adds the cells up. A cell is what its thread allocated less what it freed, so one that
//! frees what others allocated goes below zero, and only the sum means something. Reading while others work gives a sum that was true within those nanoseconds, give or
//! take what is being moved.
//!
//! What counts is the size asked for (`Layout::size`). It leaves out what mimalloc rounds up to its size classes (steps of 12.5–25 %, exact multiples of 8 or 16 below 64 bytes),
//! the allocator's own pages and free lists, thread stacks, the kernel's rings and buffers. The resident set says what those cost.
//!
//! A pair of `alloc` and `dealloc` took 3.6–4.1 ns, and counting added 0.0–0.4 ns to it (AMD EPYC, 16 to 200 bytes, in turn and in batches of 256, smallest of 25 runs; fat LTO).
//! Without LTO the thread-local is reached through a call, and counting adds 4.5 ns.
//!
//! Safe at any time of a thread's life: the cell number lives in a thread-local that needs neither initialisation nor destruction, and counting never allocates.

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

/// What INFO calls the allocator.
pub const HEAP_NAME: &str = if cfg!(system_allocator) { "libc" } else { "mimalloc" };

#[cfg(not(system_allocator))]
use mimalloc::MiMalloc as Heap;
/// Sanitizers only see what goes through the system's allocator (`tests/run.sh asan`).
#[cfg(system_allocator)]
use std::alloc::System as Heap;

use crate::stdx::limits::MEMORY_CELLS;

/// Counts bytes in use and passes everything on to mimalloc. The crate's `#[global_allocator]`.
#[derive(Debug)]
pub struct CountingAllocator;

/// One thread's balance, alone on its cache lines (128 bytes: Intel fetches them in pairs). It wraps around below zero.
#[repr(align(128))]
struct Balance(AtomicUsize);

static BALANCES: [Balance; MEMORY_CELLS] = [const { Balance(AtomicUsize::new(0)) }; MEMORY_CELLS];

/// Cells with one owner each. The last cell is shared by all threads that come later.
const OWNED: usize = MEMORY_CELLS - 1;

/// Owned cells given out; may count beyond [`OWNED`].
static GIVEN: AtomicUsize = AtomicUsize::new(0);

/// The largest sum that anyone has read.
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// No cell yet.
const UNASSIGNED: usize = usize::MAX;

thread_local! {
    static OWN: Cell<usize> = const { Cell::new(UNASSIGNED) };
}

/// Bytes in use by the whole process. Any thread may ask; costs one load per thread ever started (at most [`MEMORY_CELLS`]). Raises [`peak_bytes`] when it is a new high.
pub fn used_bytes() -> usize {
    let sum = given().iter().fold(0_usize, |sum, cell| sum.wrapping_add(cell.0.load(Ordering::Relaxed)));
    // Below zero only for the moment in which a free was seen and its allocation was not.
    let used = usize::try_from(sum as isize).unwrap_or(0);
    if used > PEAK.load(Ordering::Relaxed) {
        PEAK.fetch_max(used, Ordering::Relaxed);
    }
    used
}

/// What each thread allocated less what it freed, in bytes, in the order of their first allocations; the last of [`MEMORY_CELLS`] stands for all threads that came later.
/// For diagnosis: a balance may be negative.
pub fn used_bytes_of_thread_cells() -> Vec<isize> {
    given().iter().map(|cell| cell.0.load(Ordering::Relaxed) as isize).collect()
}

/// The most that [`used_bytes`] has ever returned (`used_memory_peak`): a peak between two readings is missed, as in Redis.
pub fn peak_bytes() -> usize {
    PEAK.load(Ordering::Relaxed)
}

/// Forgets the peak (`CONFIG RESETSTAT`); the next reading sets it anew.
pub fn reset_peak() {
    PEAK.store(0, Ordering::Relaxed);
}

/// Gives pages that the calling thread's heap does not use back to the system. Without being asked the heap does so too, a few
/// milliseconds after they became unused.
pub fn purge() {
    #[cfg(not(system_allocator))]
    {
        unsafe extern "C" {
            /// Mimalloc's own, which its crate links in and does not show.
            fn mi_collect(force: bool);
        }
        // SAFETY: declared as in mimalloc.h; it may be called with any flag, at any time, from any thread.
        unsafe { mi_collect(true) };
    }
}

/// The cells that threads use.
fn given() -> &'static [Balance] {
    &BALANCES[..GIVEN.load(Ordering::Relaxed).min(MEMORY_CELLS)]
}

/// Adds to the calling thread's balance; a decrease comes wrapped around.
#[inline(always)]
fn count(change: usize) {
    let own = OWN.get();
    if own < OWNED {
        // Nobody else writes this cell, so nothing can come between load and store.
        let cell = &BALANCES[own].0;
        cell.store(cell.load(Ordering::Relaxed).wrapping_add(change), Ordering::Relaxed);
    } else {
        BALANCES[late_cell(own)].0.fetch_add(change, Ordering::Relaxed);
    }
}

/// The cell of a thread that has none yet, or that came after the owned ones were gone.
#[cold]
#[inline(never)]
fn late_cell(own: usize) -> usize {
    if own != UNASSIGNED {
        return own;
    }
    // Once per thread, so the counter does not wrap around.
    let given = GIVEN.fetch_add(1, Ordering::Relaxed).min(OWNED);
    OWN.set(given);
    given
}

// SAFETY: every call goes to the heap unchanged; counting touches only statics and a thread-local without destructor, allocates nothing and cannot panic (`own < OWNED` bounds the index).
unsafe impl GlobalAlloc for CountingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is passed on unchanged.
        let pointer = unsafe { Heap.alloc(layout) };
        if !pointer.is_null() {
            count(layout.size());
        }
        pointer
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is passed on unchanged.
        let pointer = unsafe { Heap.alloc_zeroed(layout) };
        if !pointer.is_null() {
            count(layout.size());
        }
        pointer
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is passed on unchanged.
        unsafe { Heap.dealloc(pointer, layout) };
        count(layout.size().wrapping_neg());
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's contract is passed on unchanged.
        let moved = unsafe { Heap.realloc(pointer, layout, new_size) };
        if !moved.is_null() {
            count(new_size.wrapping_sub(layout.size()));
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only bounds here: other tests allocate at the same time. The exact figures are in `tests/memory.rs`, which has a process of its own.
    #[test]
    #[cfg_attr(system_allocator, ignore = "sanitizers refuse a reservation of a tebibyte")]
    fn what_is_held_is_counted() {
        const HELD: usize = 1 << 40;
        // Reserved, never touched: costs no memory.
        let held = Vec::<u8>::with_capacity(HELD);
        assert!(used_bytes() >= HELD);
        assert!(peak_bytes() >= HELD);
        drop(held);
        assert!(used_bytes() < HELD);
        assert!(used_bytes_of_thread_cells().len() <= MEMORY_CELLS);
    }
}
