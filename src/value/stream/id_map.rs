//! `IdMap`: a map ordered by ID, made for lists of pending entries: they grow at their end, in the order of the IDs, and
//! shrink anywhere, mostly near their beginning.
//!
//! Items stand in chunks of up to `CHUNK_ITEMS_MAX`, each chunk under a key that is not greater than its IDs, and greater than
//! those of all chunks before it. A chunk that is full stays full when items are appended behind it, so a list that only
//! grew has no gaps; in a tree of single items leaves would be half empty. No chunk is empty. Used by groups only.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::id::StreamId;

/// Items of a chunk; moving half of them costs less than finding the chunk.
const CHUNK_ITEMS_MAX: usize = 64;
/// A chunk with fewer items than this joins a neighbour,
const CHUNK_ITEMS_FEW: usize = CHUNK_ITEMS_MAX / 4;
/// if both together have no more than this.
const JOINED_ITEMS_MAX: usize = CHUNK_ITEMS_MAX * 3 / 4;

type Chunk<V> = Vec<(StreamId, V)>;

/// See the file's head.
#[derive(Clone, Debug)]
pub struct IdMap<V> {
    chunks: BTreeMap<StreamId, Chunk<V>>,
    len: usize,
}

impl<V> Default for IdMap<V> {
    fn default() -> IdMap<V> {
        IdMap { chunks: BTreeMap::new(), len: 0 }
    }
}

impl<V: Copy> IdMap<V> {
    /// Number of items.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The chunk an ID belongs to.
    fn chunk(&self, id: StreamId) -> Option<&Chunk<V>> {
        self.chunks.range(..=id).next_back().map(|(_, chunk)| chunk)
    }

    /// The item of an ID.
    pub fn get(&self, id: StreamId) -> Option<V> {
        let chunk = self.chunk(id)?;
        chunk.binary_search_by_key(&id, |(id, _)| *id).ok().map(|at| chunk[at].1)
    }

    /// The same, for changing it.
    pub fn get_mut(&mut self, id: StreamId) -> Option<&mut V> {
        let (_, chunk) = self.chunks.range_mut(..=id).next_back()?;
        let at = chunk.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(&mut chunk[at].1)
    }

    /// Puts an item; returns the one it replaces.
    pub fn insert(&mut self, id: StreamId, value: V) -> Option<V> {
        let Some((_, chunk)) = self.chunks.range_mut(..=id).next_back() else {
            self.len += 1;
            self.chunks.insert(id, vec![(id, value)]);
            return None;
        };
        let at = match chunk.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(at) => return Some(std::mem::replace(&mut chunk[at].1, value)),
            Err(at) => at,
        };
        self.len += 1;
        if chunk.len() < CHUNK_ITEMS_MAX {
            reserve(chunk);
            chunk.insert(at, (id, value));
        } else if at == CHUNK_ITEMS_MAX {
            // Behind a full chunk, where lists grow.
            self.chunks.insert(id, vec![(id, value)]);
        } else {
            let mut upper = chunk.split_off(CHUNK_ITEMS_MAX / 2);
            let half = if at <= chunk.len() { &mut *chunk } else { &mut upper };
            let at = if at <= CHUNK_ITEMS_MAX / 2 { at } else { at - CHUNK_ITEMS_MAX / 2 };
            half.insert(at, (id, value));
            self.chunks.insert(upper[0].0, upper);
        }
        None
    }

    /// Takes an item out.
    pub fn remove(&mut self, id: StreamId) -> Option<V> {
        let (&key, chunk) = self.chunks.range_mut(..=id).next_back()?;
        let at = chunk.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        let (_, value) = chunk.remove(at);
        self.len -= 1;
        if chunk.len() < CHUNK_ITEMS_FEW {
            self.tidy(key);
        }
        Some(value)
    }

    /// Joins a chunk that has become small with one of its neighbours, or removes it when it is empty.
    fn tidy(&mut self, key: StreamId) {
        let items = self.chunks.get(&key).map_or(0, Vec::len);
        let fits = |(key, chunk): (&StreamId, &Chunk<V>)| (items + chunk.len() <= JOINED_ITEMS_MAX).then_some(*key);
        let before = self.chunks.range(..key).next_back().and_then(fits);
        let mut behind = self.chunks.range((Bound::Excluded(key), Bound::Unbounded));
        let behind = behind.next().and_then(fits);
        let (into, from) = match (before, behind) {
            _ if items == 0 => (key, Some(key)),
            (Some(before), _) => (before, Some(key)),
            (None, behind) => (key, behind),
        };
        let moved = from.and_then(|from| self.chunks.remove(&from)).unwrap_or_default();
        if let Some(chunk) = self.chunks.get_mut(&into) {
            chunk.extend(moved);
            if chunk.capacity() > 2 * chunk.len() + 4 {
                chunk.shrink_to_fit();
            }
        }
    }

    /// All items in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (StreamId, V)> + '_ {
        self.chunks.values().flatten().copied()
    }

    /// All items from an ID on.
    pub fn iter_from(&self, start: StreamId) -> impl Iterator<Item = (StreamId, V)> + '_ {
        let first = self.chunks.range(..=start).next_back().map_or(start, |(key, _)| *key);
        self.chunks.range(first..).flat_map(|(_, chunk)| chunk).copied().skip_while(move |(id, _)| *id < start)
    }

    /// Frees one chunk; false when none is left.
    pub fn free_chunk(&mut self) -> bool {
        let freed = self.chunks.pop_first();
        self.len -= freed.as_ref().map_or(0, |(_, chunk)| chunk.len());
        freed.is_some()
    }

    /// Number of chunks.
    pub fn chunks_count(&self) -> usize {
        self.chunks.len()
    }

    /// Bytes of memory it takes, about: full chunks, and their places in the index.
    pub fn memory_bytes(&self) -> usize {
        const INDEX_BYTES: usize = 80;
        self.len * size_of::<(StreamId, V)>() + self.chunks.len() * INDEX_BYTES
    }
}

/// Room for one more item: chunks grow to the full size, the first ones of a list in small steps.
fn reserve<V>(chunk: &mut Chunk<V>) {
    if chunk.len() == chunk.capacity() {
        let capacity = (2 * chunk.len()).clamp(4, CHUNK_ITEMS_MAX);
        chunk.reserve_exact(capacity - chunk.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::random::Random;

    fn check(map: &IdMap<u64>, model: &BTreeMap<StreamId, u64>) {
        assert_eq!(map.len(), model.len());
        assert!(map.iter().eq(model.iter().map(|(id, value)| (*id, *value))));
        assert!(map.iter().rev().eq(model.iter().rev().map(|(id, value)| (*id, *value))));
        let mut before = None;
        for (key, chunk) in &map.chunks {
            assert!(!chunk.is_empty() && chunk.len() <= CHUNK_ITEMS_MAX && *key <= chunk[0].0);
            assert!(before.is_none_or(|last| last < *key));
            before = chunk.last().map(|(id, _)| *id);
        }
    }

    #[test]
    fn it_behaves_like_a_tree() {
        for seed in 0..20 {
            let mut random = Random::new(seed);
            let (mut map, mut model) = (IdMap::default(), BTreeMap::new());
            let mut newest = 0;
            for step in 0..4000_u64 {
                let removes = if step / 1000 % 2 == 0 { 3 } else { 7 };
                let id = match random.below(3) {
                    0 => {
                        newest += 1;
                        StreamId::new(newest, 0)
                    }
                    _ => StreamId::new(random.below(newest + 5), random.below(2)),
                };
                if random.below(10) < removes {
                    assert_eq!(map.remove(id), model.remove(&id));
                } else {
                    assert_eq!(map.insert(id, step), model.insert(id, step));
                }
                assert_eq!(map.get(id), model.get(&id).copied());
                assert_eq!(map.get_mut(id).copied(), model.get(&id).copied());
                if step % 97 == 0 {
                    check(&map, &model);
                    let start = StreamId::new(random.below(newest + 5), 0);
                    assert!(map.iter_from(start).eq(model.range(start..).map(|(id, value)| (*id, *value))));
                }
            }
            check(&map, &model);
            while map.free_chunk() {}
            assert_eq!((map.len(), map.chunks_count()), (0, 0));
        }
    }

    #[test]
    fn a_list_that_grew_has_full_chunks_and_one_that_shrank_few() {
        let mut map = IdMap::default();
        for ms in 0..6400 {
            map.insert(StreamId::new(ms, 0), ());
        }
        assert_eq!(map.chunks_count(), 100);
        assert!(map.chunks.values().all(|chunk| chunk.capacity() == CHUNK_ITEMS_MAX));
        for ms in (0..6400).filter(|ms| ms % 20 != 0) {
            map.remove(StreamId::new(ms, 0));
        }
        assert_eq!(map.len(), 320);
        assert!(map.chunks_count() <= 30, "{}", map.chunks_count());
    }
}
