//! A small, fast generator of random numbers: the same seed gives the same numbers on every machine.
//!
//! xoshiro256** by Blackman and Vigna (2018), its state filled by splitmix64 (Steele, Lea and Flood, 2014). Not for
//! secrets. One generator belongs to one owner; only `runtime/` may ask for a seed from the system.

use std::hash::{BuildHasher, RandomState};

/// A generator.
#[derive(Clone, Debug)]
pub struct Random {
    /// Never all zero.
    state: [u64; 4],
}

impl Random {
    /// A generator whose numbers `seed` decides. Every seed is as good as another.
    pub fn new(seed: u64) -> Random {
        let mut counter = seed;
        // Splitmix64 gives each number once in its period, so at most one of the four is zero.
        Random {
            state: std::array::from_fn(|_| splitmix64(&mut counter)),
        }
    }

    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let [zeroth, first, second, third] = &mut self.state;
        let result = first.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *first << 17;
        *second ^= *zeroth;
        *third ^= *first;
        *first ^= *second;
        *zeroth ^= *third;
        *second ^= shifted;
        *third = third.rotate_left(45);
        result
    }

    /// A number below `bound`, each equally likely; zero when `bound` is zero. (Lemire, "Fast random integer generation in
    /// an interval", 2019: the high half of a product, drawn again where the low half is in the uneven rest.)
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let rest = bound.wrapping_neg() % bound;
            // Less than half of all draws are drawn again, for any bound.
            while (product as u64) < rest {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }
}

/// A seed that the system's randomness decides, different at each call.
pub fn seed_from_os() -> u64 {
    // The standard library draws the keys of its hasher from the system, once per thread, and counts them up after that.
    RandomState::new().hash_one(0_u64)
}

fn splitmix64(counter: &mut u64) -> u64 {
    *counter = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*counter ^ (*counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_published_ones() {
        // splitmix64 from 1234567, as in its author's example.
        let mut counter = 1_234_567;
        assert_eq!(splitmix64(&mut counter), 6_457_827_717_110_365_317);
        assert_eq!(splitmix64(&mut counter), 3_203_168_211_198_807_973);
        // xoshiro256** from the state 1, 2, 3, 4.
        let mut random = Random {
            state: [1, 2, 3, 4],
        };
        let expected = [
            11_520,
            0,
            1_509_978_240,
            1_215_971_899_390_074_240,
            1_216_172_134_540_287_360,
        ];
        assert_eq!(expected.map(|_| random.next_u64()), expected);
    }

    #[test]
    fn a_seed_decides_the_numbers() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            [random.next_u64(), random.next_u64(), random.next_u64()]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_ne!(seed_from_os(), seed_from_os());
    }

    #[test]
    fn numbers_below_a_bound_are_even() {
        let mut random = Random::new(1);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[random.below(7) as usize] += 1;
        }
        // The deviation of each count is 93.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 500),
            "{counts:?}"
        );
        assert_eq!(random.below(1), 0);
        assert_eq!(random.below(0), 0);
        // Of three quarters of 2^64, every third number would come twice as often if none were drawn again.
        let bound = 3 << 62;
        let thirds = (0..30_000)
            .filter(|_| random.below(bound).is_multiple_of(3))
            .count();
        assert!(thirds.abs_diff(10_000) < 500, "{thirds}");
    }
}
