//! Intset: a set of integers in one sorted run of bytes, byte for byte as Redis has it.
//!
//! ```text
//! width u32 (2, 4 or 8 bytes) | number of integers u32 | integers, ascending, little endian
//! ```
//!
//! The width is that of the widest integer there ever was: a wider one makes all wider, and removing it does not make them
//! narrow again. Source of the format: the RDB format. Bytes from outside come in through `from_bytes`, which looks at
//! every one of them; everything else may then rely on the format. Used by sets for their smallest form.

/// Bytes before the first integer.
const HEADER_BYTES: usize = 8;
/// Capacity grows in steps of this, which is the allocator's own granularity.
const GRAIN_BYTES: usize = 16;

/// See the file's head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intset {
    bytes: Vec<u8>,
}

impl Default for Intset {
    fn default() -> Intset {
        Intset::new()
    }
}

/// Bytes that an integer needs.
fn width_of(integer: i64) -> usize {
    if i16::try_from(integer).is_ok() {
        2
    } else if i32::try_from(integer).is_ok() {
        4
    } else {
        8
    }
}

/// The integer at the start of `bytes`.
#[inline]
fn read(bytes: &[u8], width: usize) -> i64 {
    let mut word = [0; 8];
    word[8 - width..].copy_from_slice(&bytes[..width]);
    i64::from_le_bytes(word) >> (64 - 8 * width)
}

/// Writes an integer to the start of `bytes`.
#[inline]
fn write(bytes: &mut [u8], width: usize, integer: i64) {
    bytes[..width].copy_from_slice(&integer.to_le_bytes()[..width]);
}

impl Intset {
    /// An empty set.
    pub fn new() -> Intset {
        Intset { bytes: vec![2, 0, 0, 0, 0, 0, 0, 0] }
    }

    /// An intset from outside. None unless the width is one of the three, the number is right, and the integers ascend.
    /// Like Redis it takes an empty one for broken.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Intset> {
        let width = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
        let len = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?) as usize;
        let is_whole =
            matches!(width, 2 | 4 | 8) && len > 0 && (bytes.len() - HEADER_BYTES) as u64 == width as u64 * len as u64;
        if !is_whole {
            return None;
        }
        let set = Intset { bytes };
        set.iter().is_sorted_by(|before, after| before < after).then_some(set)
    }

    /// The set as bytes, as RDB files have it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Number of integers.
    #[inline]
    pub fn len(&self) -> usize {
        u32::from_le_bytes([self.bytes[4], self.bytes[5], self.bytes[6], self.bytes[7]]) as usize
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER_BYTES
    }

    #[inline]
    fn width(&self) -> usize {
        usize::from(self.bytes[0])
    }

    /// The integer with this index in ascending order.
    ///
    /// # Panics
    /// When the index is not below `len`.
    #[inline]
    pub fn get(&self, index: usize) -> i64 {
        let width = self.width();
        read(&self.bytes[HEADER_BYTES + index * width..], width)
    }

    /// The smallest and the largest integer.
    pub fn ends(&self) -> Option<(i64, i64)> {
        let last = self.len().checked_sub(1)?;
        Some((self.get(0), self.get(last)))
    }

    /// All integers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = i64> {
        let width = self.width();
        self.bytes[HEADER_BYTES..].chunks_exact(width).map(move |bytes| read(bytes, width))
    }

    /// Where an integer is, or else where it would have to be.
    fn search(&self, integer: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        // Sets are often made in ascending order.
        if high > 0 && self.get(high - 1) < integer {
            return Err(high);
        }
        while low < high {
            let middle = low.midpoint(high);
            let found = self.get(middle);
            if found == integer {
                return Ok(middle);
            }
            if found < integer {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Err(low)
    }

    /// Whether the integer is in the set.
    #[inline]
    pub fn contains(&self, integer: i64) -> bool {
        width_of(integer) <= self.width() && self.search(integer).is_ok()
    }

    /// Adds an integer; false when it was there already.
    pub fn insert(&mut self, integer: i64) -> bool {
        let needed = width_of(integer);
        if needed > self.width() {
            self.widen(needed);
        }
        let Err(index) = self.search(integer) else { return false };
        let width = self.width();
        self.reserve(width);
        let (at, end) = (HEADER_BYTES + index * width, self.bytes.len());
        self.bytes.resize(end + width, 0);
        self.bytes.copy_within(at..end, at + width);
        write(&mut self.bytes[at..], width, integer);
        self.set_len();
        true
    }

    /// Removes an integer; false when it was not there.
    pub fn remove(&mut self, integer: i64) -> bool {
        if width_of(integer) > self.width() {
            return false;
        }
        let Ok(index) = self.search(integer) else { return false };
        let width = self.width();
        let at = HEADER_BYTES + index * width;
        self.bytes.copy_within(at + width.., at);
        self.bytes.truncate(self.bytes.len() - width);
        self.set_len();
        self.release();
        true
    }

    /// Removes the integers that `keep` does not want, asked in ascending order.
    pub fn retain(&mut self, mut keep: impl FnMut(i64) -> bool) {
        let width = self.width();
        let mut to = HEADER_BYTES;
        for from in (HEADER_BYTES..self.bytes.len()).step_by(width) {
            if keep(read(&self.bytes[from..], width)) {
                self.bytes.copy_within(from..from + width, to);
                to += width;
            }
        }
        self.bytes.truncate(to);
        self.set_len();
        self.release();
    }

    /// Makes every integer wider.
    fn widen(&mut self, width: usize) {
        let mut wide = Intset { bytes: Vec::new() };
        wide.reserve(HEADER_BYTES + (self.len() + 1) * width);
        wide.bytes.extend_from_slice(&(width as u32).to_le_bytes());
        wide.bytes.extend_from_slice(&self.bytes[4..HEADER_BYTES]);
        for integer in self.iter() {
            wide.bytes.extend_from_slice(&integer.to_le_bytes()[..width]);
        }
        *self = wide;
    }

    /// Brings the header up to date.
    fn set_len(&mut self) {
        let len = (self.bytes.len() - HEADER_BYTES) / self.width();
        self.bytes[4..HEADER_BYTES].copy_from_slice(&(len as u32).to_le_bytes());
    }

    /// Room for so many more bytes, without the doubling that would cost small sets half of their memory.
    fn reserve(&mut self, added: usize) {
        let needed = self.bytes.len() + added;
        if needed > self.bytes.capacity() {
            let slack = if needed < 1024 { 0 } else { needed / 8 };
            let capacity = (needed + slack).next_multiple_of(GRAIN_BYTES);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }

    /// Capacity that has become far too large is given back.
    fn release(&mut self) {
        if self.bytes.capacity() > 2 * self.bytes.len() + 4 * GRAIN_BYTES {
            self.bytes.shrink_to(self.bytes.len().next_multiple_of(GRAIN_BYTES));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn integer() -> impl Strategy<Value = i64> {
        let edges = [i64::from(i16::MIN), i64::from(i16::MAX), i64::from(i32::MIN), i64::from(i32::MAX)];
        prop_oneof![
            8 => -20_i64..20,
            2 => (0_usize..4, -2_i64..3).prop_map(move |(edge, off)| edges[edge] + off),
            1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), any::<i64>()],
        ]
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(steps in prop::collection::vec((0_u8..4, integer()), 1..200)) {
            let (mut set, mut model, mut width) = (Intset::new(), BTreeSet::new(), 2);
            for (kind, integer) in steps {
                match kind {
                    0 | 1 => {
                        prop_assert_eq!(set.insert(integer), model.insert(integer));
                        width = width.max(width_of(integer));
                    }
                    2 => prop_assert_eq!(set.remove(integer), model.remove(&integer)),
                    _ => {
                        set.retain(|kept| kept % 5 != integer % 5);
                        model.retain(|kept| kept % 5 != integer % 5);
                    }
                }
                prop_assert_eq!(set.len(), model.len());
                prop_assert_eq!(set.is_empty(), model.is_empty());
                prop_assert_eq!(set.contains(integer), model.contains(&integer));
                prop_assert_eq!(set.width(), width);
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            prop_assert_eq!(set.ends(), model.first().copied().zip(model.last().copied()));
            prop_assert!((0..set.len()).all(|index| model.contains(&set.get(index))));
            let copy = Intset::from_bytes(set.as_bytes().to_vec());
            prop_assert_eq!(copy, (!set.is_empty()).then_some(set));
        }

        #[test]
        fn any_bytes_are_accepted_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40), width in 0_u8..9) {
            let mut bytes = bytes;
            if let Some(header) = bytes.first_chunk_mut::<8>() {
                *header = [width, 0, 0, 0, header[4] % 16, 0, 0, 0];
            }
            if let Some(set) = Intset::from_bytes(bytes.clone()) {
                prop_assert_eq!(set.iter().collect::<BTreeSet<_>>().len(), set.len());
                prop_assert_eq!(set.as_bytes(), &bytes[..]);
            }
        }
    }

    #[test]
    fn the_bytes_are_those_of_redis() {
        let mut set = Intset::new();
        set.insert(3);
        set.insert(-1);
        assert_eq!(set.as_bytes(), [2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 3, 0]);
        set.insert(65_535);
        let wide = [4, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 3, 0, 0, 0, 0xff, 0xff, 0, 0];
        assert_eq!(set.as_bytes(), wide);
        assert!(Intset::from_bytes(wide.to_vec()).is_some());
        let broken: [&[u8]; 6] = [
            b"",
            b"\x02\0\0\0\0\0\0",
            b"\x02\0\0\0\0\0\0\0",
            b"\x03\0\0\0\x01\0\0\0\0\0\0",
            b"\x02\0\0\0\x02\0\0\0\x01\0",
            b"\x02\0\0\0\x02\0\0\0\x01\0\x01\0",
        ];
        assert!(broken.iter().all(|bytes| Intset::from_bytes(bytes.to_vec()).is_none()));
    }

    #[test]
    fn memory_follows_the_content() {
        let mut set = Intset::new();
        (0..10).for_each(|integer| assert!(set.insert(integer)));
        assert_eq!(set.memory_bytes(), 32);
        (10..100_000).for_each(|integer| assert!(set.insert(integer)));
        assert!(set.memory_bytes() < 100_000 * 4 * 5 / 4);
        (0..99_999).rev().for_each(|integer| assert!(set.remove(integer)));
        assert!(set.memory_bytes() < 200);
    }
}
