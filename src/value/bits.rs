//! Bits of a string. Bit 0 is the most significant bit of the first byte, as SETBIT and its kin number them.
//!
//! Plain functions over bytes: single bits, counting, finding, integers of any width at any place, and combining whole
//! strings. What lies behind the end of a string reads as zero. Called by the bitmap commands.

use std::ops::Range;

/// Whether a bit is set.
#[inline]
pub fn is_set(bytes: &[u8], bit: u64) -> bool {
    usize::try_from(bit / 8).ok().and_then(|at| bytes.get(at)).is_some_and(|byte| byte & mask_of(bit) != 0)
}

/// Sets or clears a bit, which must lie within the string.
#[inline]
pub fn assign(bytes: &mut [u8], bit: u64, is_one: bool) {
    let byte = &mut bytes[(bit / 8) as usize];
    if is_one { *byte |= mask_of(bit) } else { *byte &= !mask_of(bit) }
}

fn mask_of(bit: u64) -> u8 {
    0x80 >> (bit % 8)
}

// ---- counting ----

/// Vectors of this many words are counted side by side; the compiler keeps them in vector registers.
const LANES: usize = 4;
type Lanes = [u64; LANES];
/// Bytes of one block of sixteen vectors.
const BLOCK_BYTES: usize = 16 * LANES * 8;

/// How many bits are set.
///
/// Blocks of sixteen vectors go through a tree of carry-save adders (Harley and Seal), so that bits are counted in only one
/// of sixteen vectors: more than twice as fast as counting in every word on processors of the baseline, which lack POPCNT.
pub fn count_ones(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
    let (words, tail) = rest.as_chunks::<8>();
    let of_words: u64 = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    let of_tail: u64 = tail.iter().map(|byte| u64::from(byte.count_ones())).sum();
    of_words + of_tail + if blocks.is_empty() { 0 } else { count_blocks(blocks) }
}

fn count_blocks(blocks: &[[u8; BLOCK_BYTES]]) -> u64 {
    let mut sums = [[0; LANES]; 4];
    let mut sixteens = 0;
    for block in blocks {
        let half = |sums: &mut [Lanes; 4], from: usize| {
            let quarter = |sums: &mut [Lanes; 4], from: usize| {
                let twos_a = add(&mut sums[0], lanes(block, from), lanes(block, from + 1));
                let twos_b = add(&mut sums[0], lanes(block, from + 2), lanes(block, from + 3));
                add(&mut sums[1], twos_a, twos_b)
            };
            let (fours_a, fours_b) = (quarter(sums, from), quarter(sums, from + 4));
            add(&mut sums[2], fours_a, fours_b)
        };
        let (eights_a, eights_b) = (half(&mut sums, 0), half(&mut sums, 8));
        sixteens += ones_of(add(&mut sums[3], eights_a, eights_b));
    }
    let [ones, twos, fours, eights] = sums.map(ones_of);
    16 * sixteens + 8 * eights + 4 * fours + 2 * twos + ones
}

#[inline(always)]
fn lanes(block: &[u8; BLOCK_BYTES], index: usize) -> Lanes {
    let words = &block.as_chunks::<8>().0[index * LANES..][..LANES];
    std::array::from_fn(|lane| u64::from_ne_bytes(words[lane]))
}

/// Adds two vectors to a third one, bit by bit; what carries is returned.
#[inline(always)]
fn add(sum: &mut Lanes, a: Lanes, b: Lanes) -> Lanes {
    let mut carry = [0; LANES];
    for lane in 0..LANES {
        let half = sum[lane] ^ a[lane];
        carry[lane] = (sum[lane] & a[lane]) | (half & b[lane]);
        sum[lane] = half ^ b[lane];
    }
    carry
}

#[inline(always)]
fn ones_of(lanes: Lanes) -> u64 {
    lanes.iter().map(|word| u64::from(word.count_ones())).sum()
}

/// How many bits are set from `first` to `last`, both included and both within the string.
pub fn count_between(bytes: &[u8], first: u64, last: u64) -> u64 {
    let (whole, before, behind) = split(bytes, first, last);
    count_ones(whole) - u64::from(before.count_ones()) - u64::from(behind.count_ones())
}

/// The bytes that the bits from `first` to `last` touch; then what is set in them before the first and behind the last.
fn split(bytes: &[u8], first: u64, last: u64) -> (&[u8], u8, u8) {
    let (first_byte, last_byte) = ((first / 8) as usize, (last / 8) as usize);
    let (before, behind) = edges(first, last);
    (&bytes[first_byte..=last_byte], bytes[first_byte] & before, bytes[last_byte] & behind)
}

/// Masks of what lies before a bit in its byte, and behind another one in its own.
fn edges(first: u64, last: u64) -> (u8, u8) {
    (!(0xff >> (first % 8)), mask_of(last) - 1)
}

// ---- finding ----

/// The first bit from `first` to `last` (both included and within the string) that is one, or zero.
pub fn find_between(bytes: &[u8], is_one: bool, first: u64, last: u64) -> Option<u64> {
    let (first_byte, last_byte) = ((first / 8) as usize, (last / 8) as usize);
    let (before, behind) = edges(first, last);
    // A byte with the wanted bits as ones, and no others.
    let wanted = |byte: u8| if is_one { byte } else { !byte };
    let place = |at: usize, byte: u8| at as u64 * 8 + u64::from(byte.leading_zeros());
    let mut head = wanted(bytes[first_byte]) & !before;
    if first_byte == last_byte {
        head &= !behind;
        return (head != 0).then(|| place(first_byte, head));
    }
    if head != 0 {
        return Some(place(first_byte, head));
    }
    let middle = &bytes[first_byte + 1..last_byte];
    let skipped = count_leading(middle, if is_one { 0 } else { 0xff });
    if let Some(&byte) = middle.get(skipped) {
        return Some(place(first_byte + 1 + skipped, wanted(byte)));
    }
    let tail = wanted(bytes[last_byte]) & !behind;
    (tail != 0).then(|| place(last_byte, tail))
}

/// How many of the first bytes are `byte`, looked at in blocks.
fn count_leading(bytes: &[u8], byte: u8) -> usize {
    let (blocks, _) = bytes.as_chunks::<128>();
    // Without a way out of the loop over a block it becomes a few instructions on vectors.
    let is_alike = |block: &[u8; 128]| block.iter().fold(0, |others, &other| others | (other ^ byte)) == 0;
    let skipped = 128 * blocks.iter().take_while(|block| is_alike(block)).count();
    skipped + bytes[skipped..].iter().take_while(|&&other| other == byte).count()
}

// ---- integers ----

/// An integer type of BITFIELD: `i1` to `i64`, `u1` to `u63`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    /// It has a sign.
    pub signed: bool,
    /// Its bits.
    pub width: u32,
}

/// What to do with a number that does not fit into its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The lowest bits are kept.
    Wrap,
    /// The nearest number that fits is taken.
    Saturate,
    /// Nothing is written.
    Fail,
}

impl FieldType {
    /// The type of this name: 64 bits only with a sign, since replies have no larger number.
    pub fn of_name(name: &[u8]) -> Option<FieldType> {
        let (signed, digits) = match name {
            [b'i', digits @ ..] => (true, digits),
            [b'u', digits @ ..] => (false, digits),
            _ => return None,
        };
        let width = crate::stdx::number::parse_i64(digits)?;
        let width_max = if signed { 64 } else { 63 };
        (1..=width_max).contains(&width).then_some(FieldType { signed, width: width as u32 })
    }

    /// The number in these bits, of which only as many as the type has count.
    fn of_bits(self, bits: u64) -> i64 {
        let spare = 64 - self.width;
        if self.signed { (bits << spare) as i64 >> spare } else { bits as i64 }
    }

    /// The number that begins at a bit.
    pub fn read(self, bytes: &[u8], bit: u64) -> i64 {
        let window = window_at(bytes, bit / 8);
        let shift = 128 - (bit % 8) as u32 - self.width;
        self.of_bits((window >> shift) as u64 & (u64::MAX >> (64 - self.width)))
    }

    /// Writes the lowest bits of a number; the string must reach as far.
    pub fn write(self, bytes: &mut [u8], bit: u64, number: i64) {
        let shift = 128 - (bit % 8) as u32 - self.width;
        let mask = u128::from(u64::MAX >> (64 - self.width)) << shift;
        let changed = (window_at(bytes, bit / 8) & !mask) | (((number as u64 as u128) << shift) & mask);
        let at = (bit / 8) as usize;
        let touched = ((bit % 8) as usize + self.width as usize).div_ceil(8);
        bytes[at..at + touched].copy_from_slice(&changed.to_be_bytes()[..touched]);
    }

    /// The number that BITFIELD SET keeps for `number`.
    pub fn fit_given(self, number: i64, overflow: Overflow) -> Option<i64> {
        if !self.signed {
            // A negative number for a type without a sign is a large one, as in Redis.
            return self.fit((number as u64).into(), overflow);
        }
        // Redis compares what is left up to the largest number, which for the lowest numbers does not fit into 64 bits: these
        // count as too large. We must do the same, because servers send this command to each other as it is.
        let max = i64::MAX >> (64 - self.width);
        let counts_as_large = self.width < 64 && max.checked_sub(number).is_none();
        if counts_as_large && overflow == Overflow::Saturate { Some(max) } else { self.fit(number.into(), overflow) }
    }

    /// What is kept for a number; none when it does not fit and that means failure.
    pub fn fit(self, number: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = if self.signed {
            (-(1_i128 << (self.width - 1)), (1_i128 << (self.width - 1)) - 1)
        } else {
            (0, (1_i128 << self.width) - 1)
        };
        if (min..=max).contains(&number) {
            return Some(number as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.of_bits(number as u64 & (u64::MAX >> (64 - self.width)))),
            Overflow::Saturate => Some(number.clamp(min, max) as i64),
            Overflow::Fail => None,
        }
    }
}

/// Sixteen bytes of the string from `at` on as one number, with zeros behind its end.
fn window_at(bytes: &[u8], at: u64) -> u128 {
    let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
    let mut window = [0; 16];
    let len = rest.len().min(16);
    window[..len].copy_from_slice(&rest[..len]);
    u128::from_be_bytes(window)
}

// ---- combining strings ----

/// What BITOP does to several strings, bit by bit. X is the first of them, Y any of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Set in all.
    And,
    /// Set in any.
    Or,
    /// Set in an odd number of them.
    Xor,
    /// Not set (in the only one).
    Not,
    /// Set in X, but in no Y.
    Diff,
    /// Set in a Y, but not in X.
    Diff1,
    /// Set in X and in a Y.
    AndOr,
    /// Set in exactly one.
    One,
}

/// Bytes that are combined at a time: the result and one string's part of it fit into the first-level cache.
const COMBINED_BYTES: usize = 8 * 1024;

/// Combines strings, of which there is at least one (for `Not`, one). The result is as long as the longest; shorter ones go on
/// with zeros.
pub fn combine(operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
    let Some((first, others)) = sources.split_first() else { return Vec::new() };
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let mut result = vec![0; len];
    let mut repeated = if operation == Operation::One { vec![0; len.min(COMBINED_BYTES)] } else { Vec::new() };
    for (index, own) in result.chunks_mut(COMBINED_BYTES).enumerate() {
        let range = index * COMBINED_BYTES..index * COMBINED_BYTES + own.len();
        repeated.fill(0);
        combine_part(
            operation,
            own,
            part_of(first, &range),
            others.iter().map(|other| part_of(other, &range)),
            &mut repeated,
        );
    }
    result
}

/// As much of a range as the string has.
fn part_of<'a>(source: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    &source[range.start.min(source.len())..range.end.min(source.len())]
}

/// Combines a part of all strings into `own`, which is zero. `repeated` is zero too, and there for `One`: what was set more
/// than once.
fn combine_part<'a>(
    operation: Operation,
    own: &mut [u8],
    first: &[u8],
    others: impl Iterator<Item = &'a [u8]>,
    repeated: &mut [u8],
) {
    use Operation::{And, AndOr, Diff, Diff1, Not, One, Or, Xor};
    match operation {
        And | Or | Xor | Not | One => own[..first.len()].copy_from_slice(first),
        // These need all of the others before the first one.
        Diff | Diff1 | AndOr => {}
    }
    for other in others {
        match operation {
            And => {
                zip(own, other, |own, other| own & other);
                own[other.len()..].fill(0);
            }
            Xor => zip(own, other, |own, other| own ^ other),
            One => {
                for ((own, other), repeated) in own.iter_mut().zip(other).zip(&mut *repeated) {
                    *repeated |= *own & other;
                    *own |= other;
                }
            }
            Or | Not | Diff | Diff1 | AndOr => zip(own, other, |own, other| own | other),
        }
    }
    match operation {
        And | Or | Xor => {}
        Not => own.iter_mut().for_each(|byte| *byte = !*byte),
        One => zip(own, repeated, |own, repeated| own & !repeated),
        Diff1 => zip(own, first, |own, first| own & !first),
        Diff | AndOr => {
            if operation == Diff {
                zip(own, first, |own, first| first & !own);
            } else {
                zip(own, first, |own, first| first & own);
            }
            own[first.len()..].fill(0);
        }
    }
}

/// Changes each byte by its counterpart; short enough for the compiler to do many at once.
#[inline(always)]
fn zip(own: &mut [u8], other: &[u8], change: impl Fn(u8, u8) -> u8) {
    own.iter_mut().zip(other).for_each(|(own, other)| *own = change(*own, *other));
}

#[cfg(test)]
#[path = "bits_tests.rs"]
mod tests;
