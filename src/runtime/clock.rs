//! The only place that asks the machine for the time.
//!
//! A core reads its clock once per turn and hands the number down; nothing below `runtime/` asks. The wall clock (expiry, LRU, log lines) may jump, in both directions;
//! the monotonic one (latency, idle times, budgets) never goes back. All clones of a clock share one origin, so monotonic times of different cores compare.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A source of time: the machine's, or one a test or the simulation sets.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clocks; monotonic time counts from this instant.
    Real(Instant),
    /// A clock that stands still until it is told otherwise.
    Simulated(Arc<SimulatedClock>),
}

/// The settable state behind [`Clock::Simulated`].
#[derive(Debug)]
pub struct SimulatedClock {
    unix_us: AtomicI64,
    monotonic_ns: AtomicU64,
}

impl Clock {
    /// The machine's clock. Take one per process and clone it for each core.
    pub fn real() -> Self {
        Self::Real(Instant::now())
    }

    /// A simulated clock that shows `unix_us` (microseconds since 1970) and monotonic time zero, and the handle that moves it.
    pub fn simulated(unix_us: i64) -> (Self, Arc<SimulatedClock>) {
        let simulated = Arc::new(SimulatedClock { unix_us: AtomicI64::new(unix_us), monotonic_ns: AtomicU64::new(0) });
        (Self::Simulated(Arc::clone(&simulated)), simulated)
    }

    /// Milliseconds since 1970: the unit of Redis' expiry times.
    #[inline]
    pub fn unix_ms(&self) -> i64 {
        self.unix_us().div_euclid(1000)
    }

    /// Microseconds since 1970. Negative when the machine's clock stands before 1970.
    #[inline]
    pub fn unix_us(&self) -> i64 {
        match self {
            Self::Real(_) => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(since) => microseconds(since),
                Err(before) => -microseconds(before.duration()),
            },
            Self::Simulated(simulated) => simulated.unix_us.load(Ordering::Relaxed),
        }
    }

    /// Nanoseconds since the clock was made. Never goes back.
    #[inline]
    pub fn monotonic_ns(&self) -> u64 {
        match self {
            // 2^64 ns are 584 years.
            Self::Real(origin) => u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX),
            Self::Simulated(simulated) => simulated.monotonic_ns.load(Ordering::Relaxed),
        }
    }
}

impl SimulatedClock {
    /// Lets both clocks go on by `duration`.
    pub fn advance(&self, duration: Duration) {
        self.monotonic_ns.fetch_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.unix_us.fetch_add(microseconds(duration), Ordering::Relaxed);
    }

    /// Sets the wall clock, forwards or back, as an administrator or NTP would. Monotonic time stays.
    pub fn set_unix_us(&self, unix_us: i64) {
        self.unix_us.store(unix_us, Ordering::Relaxed);
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_clock_moves_only_when_told() {
        let (clock, handle) = Clock::simulated(1_700_000_000_123_456);
        let other_core = clock.clone();
        assert_eq!(
            (clock.unix_us(), clock.unix_ms(), clock.monotonic_ns()),
            (1_700_000_000_123_456, 1_700_000_000_123, 0)
        );
        handle.advance(Duration::from_micros(1_500));
        assert_eq!((other_core.unix_ms(), other_core.monotonic_ns()), (1_700_000_000_124, 1_500_000));
        handle.set_unix_us(-1);
        assert_eq!((clock.unix_us(), clock.unix_ms(), clock.monotonic_ns()), (-1, -1, 1_500_000));
    }

    #[test]
    fn the_real_clock_is_the_machines() {
        let clock = Clock::real();
        let other_core = clock.clone();
        let first = clock.monotonic_ns();
        assert!(other_core.monotonic_ns() >= first);
        // 2024-01-01 and 2100-01-01.
        assert!((1_704_067_200_000..4_102_444_800_000).contains(&clock.unix_ms()));
    }
}
