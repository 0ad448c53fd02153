//! From registers to a count. For `hyperloglog` only.
//!
//! The improved raw estimator of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017),
//! algorithm 6, which Redis uses since version 5: no correction tables, one formula for the whole range.

use super::{REGISTERS, RUN_MAX};

/// 1 / (2 ln 2), the limit of the bias correction for infinitely many registers.
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// How many registers hold what.
pub(super) struct Histogram {
    counts: [u32; 64],
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: [0; 64] }
    }
}

impl Histogram {
    /// Counts `registers` registers that hold `run`, which is below 64.
    #[inline]
    pub(super) fn count(&mut self, run: u8, registers: u32) {
        self.counts[usize::from(run) % 64] += registers;
    }

    /// The estimated count. Registers that no hash can give (of strings that clients made up) are taken as they are.
    pub(super) fn estimate(&self) -> u64 {
        const M: f64 = REGISTERS as f64;
        let full = f64::from(self.counts[RUN_MAX]);
        let mut z = M * tau((M - full) / M);
        for &count in self.counts[1..RUN_MAX].iter().rev() {
            z += f64::from(count);
            z *= 0.5;
        }
        z += M * sigma(f64::from(self.counts[0]) / M);
        let estimate = (ALPHA * M * M / z).round();
        // What is too large for 63 bits becomes what a processor makes of it, and so what Redis replies.
        if estimate < (1_u64 << 63) as f64 { estimate as u64 } else { 1 << 63 }
    }
}

/// The contribution of registers that are zero.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// The contribution of registers that are full.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}
