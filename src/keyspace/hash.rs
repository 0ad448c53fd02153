//! Which shard a key belongs to, and its hash inside the shard.
//!
//! One ahash of the key with a per-process random seed serves both: the table uses the top bits (directory), bits 32–37
//! (bucket) and 0–15 (fingerprint); routing uses bits 16–31. A key with a `{tag}` is routed by the hash of its tag, by
//! Redis Cluster's rule, so that related keys can be kept on one core.

use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

/// A key with its hash.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The key's bytes.
    pub bytes: &'a [u8],
    /// `KeyHasher::hash` of the bytes.
    pub hash: u64,
}

/// Hashes and routes keys; the same on every core of a process.
#[derive(Clone)]
pub struct KeyHasher {
    state: RandomState,
    shards: u64,
}

impl KeyHasher {
    /// A hasher for `shards` shards from a random seed.
    pub fn new(shards: usize, seed: u64) -> KeyHasher {
        let spread = |n: u64| seed.wrapping_add(n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ seed;
        KeyHasher { state: RandomState::with_seeds(spread(1), spread(2), spread(3), spread(4)), shards: shards as u64 }
    }

    /// Number of shards keys are spread over.
    pub fn shards(&self) -> usize {
        self.shards as usize
    }

    /// The 64-bit hash of a key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.state.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// The key with its hash.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key { bytes, hash: self.hash(bytes) }
    }

    /// The shard a key lives in.
    #[inline]
    pub fn shard_of(&self, key: &Key<'_>) -> usize {
        if self.shards == 1 {
            return 0;
        }
        let hash = match tag_of(key.bytes) {
            Some(tag) => self.hash(tag),
            None => key.hash,
        };
        ((((hash >> 16) & 0xffff) * self.shards) >> 16) as usize
    }
}

/// What stands between the first `{` and the next `}`, when that is not empty (Redis Cluster's hash tag).
pub fn tag_of(key: &[u8]) -> Option<&[u8]> {
    let open = memchr::memchr(b'{', key)?;
    let rest = &key[open + 1..];
    match memchr::memchr(b'}', rest) {
        None | Some(0) => None,
        Some(close) => Some(&rest[..close]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let table: &[(&[u8], Option<&[u8]>)] = &[
            (b"plain", None),
            (b"{user1000}.following", Some(b"user1000")),
            (b"foo{}{bar}", None),
            (b"foo{{bar}}zap", Some(b"{bar")),
            (b"foo{bar}{zap}", Some(b"bar")),
            (b"open{only", None),
        ];
        for (key, tag) in table {
            assert_eq!(tag_of(key), *tag, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn keys_spread_evenly_and_tags_stay_together() {
        let hasher = KeyHasher::new(4, 7);
        let mut counts = [0u32; 4];
        for n in 0..40_000 {
            counts[hasher.shard_of(&hasher.key(format!("key:{n}").as_bytes()))] += 1;
        }
        assert!(counts.iter().all(|&count| (9_000..11_000).contains(&count)), "{counts:?}");
        let one = hasher.shard_of(&hasher.key(b"{a}1"));
        assert!((0..100).all(|n| hasher.shard_of(&hasher.key(format!("{{a}}{n}").as_bytes())) == one));
    }
}
