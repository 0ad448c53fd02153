//! The hash of a collection's members: ahash with one random seed per process.
//!
//! Keys have their own (`keyspace/hash.rs`), which routes them; members stay where their key is. The simulation fixes the
//! seed before it makes the first collection, so that a run can be replayed.

use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

use ahash::RandomState;

use crate::stdx::random;

static STATE: OnceLock<RandomState> = OnceLock::new();

/// Fixes the seed; has no effect once a member was hashed.
pub fn fix_seed(seed: u64) {
    // Whoever comes second keeps the first one's seed, which is as good.
    let _ = STATE.set(RandomState::with_seeds(seed, !seed, seed.rotate_left(17), seed.rotate_left(43)));
}

/// The 64-bit hash of a member.
#[inline]
pub fn hash(member: &[u8]) -> u64 {
    let state = STATE.get_or_init(|| {
        let seed = random::seed_from_os;
        RandomState::with_seeds(seed(), seed(), seed(), seed())
    });
    let mut hasher = state.build_hasher();
    hasher.write(member);
    hasher.finish()
}
