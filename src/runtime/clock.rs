//! The time, real or simulated. Read once per turn by whoever drives a core; everything below gets a number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// See the file's head.
#[derive(Clone)]
pub enum Clock {
    /// The machine's. Monotonic time counts from this moment.
    Real(Instant),
    /// Microseconds of unix time that the simulator moves.
    Simulated(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's clock.
    pub fn real() -> Clock {
        Clock::Real(Instant::now())
    }

    /// Unix time in microseconds.
    #[inline]
    pub fn unix_us(&self) -> u64 {
        match self {
            Clock::Real(_) => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_micros() as u64),
            Clock::Simulated(now_us) => now_us.load(Ordering::Relaxed),
        }
    }

    /// Unix time in milliseconds.
    #[inline]
    pub fn unix_ms(&self) -> i64 {
        (self.unix_us() / 1000) as i64
    }

    /// Nanoseconds that only grow.
    #[inline]
    pub fn monotonic_ns(&self) -> u64 {
        match self {
            Clock::Real(start) => start.elapsed().as_nanos() as u64,
            Clock::Simulated(now_us) => now_us.load(Ordering::Relaxed) * 1000,
        }
    }
}
