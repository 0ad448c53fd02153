//! How long commands took: one histogram per command and core, from which INFO latencystats and LATENCY HISTOGRAM are made.
//!
//! Buckets are log-linear: sixteen equal steps between one power of two and the next, so a figure read back is at most a
//! sixteenth too large. Only the owning core counts (`Counter`), anybody reads. A histogram takes 4 KiB and exists once
//! its command has run on that core.
//!
//! No clock is read per command: the commands of a window (`session/run.rs`) share its time evenly, and each is counted
//! with that share. So a slow command among fast ones of the same pipeline shows in all of them; without pipelining, and
//! for commands that run alone, the figure is the command's own.

use super::core::Counter;

/// Steps between a power of two and the next, as a power of two.
const STEP_BITS: u32 = 4;
const STEPS: usize = 1 << STEP_BITS;

/// Times from 2^this nanoseconds on (69 seconds) count as just below it.
const POWER_MAX: u32 = 36;

/// Buckets: one per nanosecond below `STEPS`, then `STEPS` for each power of two.
const BUCKETS: usize = STEPS + (POWER_MAX - STEP_BITS) as usize * STEPS;

/// The smallest power of two that LATENCY HISTOGRAM tells apart: 2^10 ns are about a microsecond.
const SHOWN_POWER_MIN: u32 = 10;

/// Where a time is counted.
#[derive(Clone, Copy, Debug)]
pub struct Bucket(usize);

impl Bucket {
    /// The bucket of a time.
    #[inline]
    pub fn of(time_ns: u64) -> Bucket {
        let time_ns = time_ns.min((1 << POWER_MAX) - 1);
        if time_ns < STEPS as u64 {
            return Bucket(time_ns as usize);
        }
        let power = time_ns.ilog2();
        let step = (time_ns >> (power - STEP_BITS)) as usize & (STEPS - 1);
        Bucket(STEPS + (power - STEP_BITS) as usize * STEPS + step)
    }

    /// The longest time counted here, in nanoseconds.
    fn highest_ns(self) -> u64 {
        if self.0 < STEPS {
            return self.0 as u64;
        }
        let shift = (self.0 - STEPS) / STEPS;
        let step = (self.0 % STEPS) as u64;
        ((STEPS as u64 + step + 1) << shift) - 1
    }
}

/// One core's counts for one command.
pub struct LatencyHistogram([Counter; BUCKETS]);

impl Default for LatencyHistogram {
    fn default() -> LatencyHistogram {
        LatencyHistogram([const { Counter::zero() }; BUCKETS])
    }
}

impl LatencyHistogram {
    /// Counts `calls` commands; only the owning core may call this.
    #[inline]
    pub fn add(&self, bucket: Bucket, calls: u64) {
        self.0[bucket.0].add(calls);
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        self.0.iter().for_each(Counter::reset);
    }
}

/// The counts of several cores, or of several rows that go by one name.
pub struct LatencySum {
    counts: Box<[u64]>,
    calls: u64,
}

impl LatencySum {
    /// The sum of some histograms.
    pub fn of<'a>(histograms: impl Iterator<Item = &'a LatencyHistogram>) -> LatencySum {
        let mut sum = LatencySum { counts: vec![0; BUCKETS].into(), calls: 0 };
        for histogram in histograms {
            for (count, more) in sum.counts.iter_mut().zip(&histogram.0) {
                *count += more.get();
            }
        }
        sum.calls = sum.counts.iter().sum();
        sum
    }

    /// Commands counted.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The time within which this percentage of the commands was done, in nanoseconds; 0 without any.
    pub fn percentile_ns(&self, percentage: f64) -> u64 {
        let wanted = ((percentage / 100.0 * self.calls as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Bucket(index).highest_ns();
            }
        }
        0
    }

    /// Pairs of a time in microseconds and how many commands took no longer, one for each power of two of nanoseconds
    /// that adds some. The times are those that Redis' histogram of two significant digits shows for these powers.
    pub fn cumulative_us(&self) -> Vec<(u64, u64)> {
        let mut pairs = Vec::new();
        let (mut seen, mut index) = (0, 0);
        for power in SHOWN_POWER_MIN..=POWER_MAX {
            let before = seen;
            while index < BUCKETS && Bucket(index).highest_ns() < 1 << power {
                seen += self.counts[index];
                index += 1;
            }
            if seen > before {
                let shown_ns = (1u64 << power) + (1 << (power - 7)) - 1;
                pairs.push((shown_ns / 1000, seen));
            }
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_narrow() {
        for (index, times) in [(0, 0..=0), (15, 15..=15), (16, 16..=16), (31, 31..=31), (32, 32..=33), (47, 62..=63), (48, 64..=67)] {
            for time_ns in times.clone() {
                assert_eq!(Bucket::of(time_ns).0, index, "{time_ns}");
            }
            assert_eq!(Bucket(index).highest_ns(), *times.end());
        }
        let mut next_ns = 0;
        for index in 0..BUCKETS {
            let highest_ns = Bucket(index).highest_ns();
            assert_eq!((Bucket::of(next_ns).0, Bucket::of(highest_ns).0), (index, index));
            assert!(highest_ns - next_ns <= next_ns / STEPS as u64, "at most a sixteenth too large");
            next_ns = highest_ns + 1;
        }
        assert_eq!(next_ns, 1 << POWER_MAX);
        assert_eq!(Bucket::of(u64::MAX).0, BUCKETS - 1);
    }

    #[test]
    fn percentiles() {
        let one = LatencyHistogram::default();
        let other = LatencyHistogram::default();
        for time_ns in 1..=1000 {
            let histogram = if time_ns % 2 == 0 { &one } else { &other };
            histogram.add(Bucket::of(time_ns), 1);
        }
        let sum = LatencySum::of([&one, &other].into_iter());
        assert_eq!(sum.calls(), 1000);
        for (percentage, exact_ns) in [(0.0, 1), (1.0, 10), (50.0, 500), (99.0, 990), (99.9, 999), (100.0, 1000)] {
            let found_ns = sum.percentile_ns(percentage);
            assert!(found_ns >= exact_ns && found_ns <= exact_ns + exact_ns / 16, "{percentage}: {found_ns}");
        }
        one.reset();
        assert_eq!(LatencySum::of([&one, &other].into_iter()).calls(), 500);
        assert_eq!(LatencySum::of([&one].into_iter()).percentile_ns(50.0), 0);
    }

    #[test]
    fn cumulative_counts_as_redis_shows_them() {
        let histogram = LatencyHistogram::default();
        for (time_ns, calls) in [(300, 4), (9_000, 3), (12_031, 1), (200_000, 2), (u64::MAX, 1)] {
            histogram.add(Bucket::of(time_ns), calls);
        }
        let sum = LatencySum::of([&histogram].into_iter());
        // Redis 7.4.1 showed 16 and 264 for calls of 12 and 200 microseconds.
        assert_eq!(sum.cumulative_us(), [(1, 4), (16, 8), (264, 10), (69_256_347, 11)]);
    }
}
