//! The atomics of `std`, or loom's look-alikes under `--cfg loom`, and a cache line's worth of distance.
//!
//! Only the files of `runtime/` that loom models go through this shim.

#[cfg(loom)]
pub(super) use loom::{
    cell::UnsafeCell,
    hint::spin_loop,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence},
    },
};

#[cfg(not(loom))]
pub(super) use std::{
    hint::spin_loop,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, fence},
    },
};

/// `std::cell::UnsafeCell` with the closures loom needs to see each access.
#[cfg(not(loom))]
#[derive(Debug)]
pub(super) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(super) const fn new(data: T) -> Self {
        Self(std::cell::UnsafeCell::new(data))
    }

    /// Hands a pointer for writing to `access`.
    #[inline(always)]
    pub(super) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
        access(self.0.get())
    }
}

/// Stands alone on its cache lines. 128 bytes, not 64: Intel's prefetcher fetches lines in pairs, and some aarch64 cores have lines of 128 bytes.
#[repr(align(128))]
#[derive(Debug, Default)]
pub(super) struct Padded<T>(pub(super) T);
