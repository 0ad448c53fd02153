//! The longest common subsequence of two strings, as the LCS command finds it: of several, the one Redis finds.
//!
//! Redis fills a table of lengths, four bytes a cell, and walks it back from the end. This keeps one bit a cell (Hyyrö,
//! "Bit-parallel LCS-length computation revisited", 2004), 64 cells a step: 1/16 of the memory and a few milliseconds for
//! the largest strings Redis allows by default. The walk needs no more than that bit, and so takes the same way.
//! Pure functions; strings that Redis refuses are refused for its reasons.

use crate::stdx::limits::LCS_TEXT_BYTES_MAX;
use std::ops::RangeInclusive;

/// Bytes of a cell in Redis' table, which the limit of its memory counts.
const TABLE_CELL_BYTES: u128 = size_of::<u32>() as u128;

/// What a caller wants to know; the length is always given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Only the length (LEN).
    Length,
    /// The subsequence itself.
    Text,
    /// Where it is (IDX): pieces that are contiguous in both strings, of at least this many bytes (MINMATCHLEN).
    Matches {
        /// Zero and one ask for all.
        bytes_min: u64,
    },
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lcs {
    /// Bytes of the subsequence.
    pub length: usize,
    /// The subsequence, if wanted.
    pub text: Vec<u8>,
    /// The pieces, if wanted, from the last to the first.
    pub matches: Vec<Match>,
}

/// A piece that both strings have: the places of its first and last byte in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// In the first string.
    pub a: RangeInclusive<usize>,
    /// In the second string.
    pub b: RangeInclusive<usize>,
}

/// Why a pair of strings was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LcsError {
    /// A string is longer than `LCS_TEXT_BYTES_MAX`.
    TooLong,
    /// Redis' table would be larger than `proto-max-bulk-len`.
    TableTooLarge,
    /// The system gave no memory.
    OutOfMemory,
}

impl LcsError {
    /// What a client is told.
    pub const fn text(self) -> &'static str {
        match self {
            LcsError::TooLong => "ERR String too long for LCS",
            LcsError::TableTooLarge => {
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
            }
            LcsError::OutOfMemory => {
                "ERR Insufficient memory, failed allocating transient memory for LCS"
            }
        }
    }
}

impl Match {
    /// Bytes of the piece (WITHMATCHLEN).
    pub fn bytes(&self) -> usize {
        self.a.end() - self.a.start() + 1
    }
}

/// Finds the subsequence of `a` and `b`. `table_bytes_max` is `proto-max-bulk-len`, which bounds the table of Redis:
/// four bytes for each pair of a prefix of `a` and one of `b`.
pub fn lcs(a: &[u8], b: &[u8], want: Want, table_bytes_max: u64) -> Result<Lcs, LcsError> {
    if a.len().max(b.len()) > LCS_TEXT_BYTES_MAX {
        return Err(LcsError::TooLong);
    }
    if (a.len() as u128 + 1) * (b.len() as u128 + 1) * TABLE_CELL_BYTES
        > u128::from(table_bytes_max)
    {
        return Err(LcsError::TableTooLarge);
    }
    let steps = Steps::new(a, b, want != Want::Length)?;
    let mut found = Lcs {
        length: steps.length,
        ..Lcs::default()
    };
    match want {
        Want::Length => {}
        Want::Text => {
            let pairs = Walk::new(&steps, a, b).map(|(i, _)| a[i]);
            found.text = pairs.collect();
            found.text.reverse();
        }
        Want::Matches { bytes_min } => {
            let mut walk = Walk::new(&steps, a, b).peekable();
            while let Some((a_last, b_last)) = walk.next() {
                let (mut i, mut j) = (a_last, b_last);
                // A piece goes on while the walk does not leave the diagonal.
                while walk
                    .next_if(|&(next_i, next_j)| next_i + 1 == i && next_j + 1 == j)
                    .is_some()
                {
                    (i, j) = (i - 1, j - 1);
                }
                let piece = Match {
                    a: i..=a_last,
                    b: j..=b_last,
                };
                if piece.bytes() as u64 >= bytes_min {
                    found.matches.push(piece);
                }
            }
        }
    }
    Ok(found)
}

/// For each prefix of `a`, one bit for each byte of `b`: zero where the length grows with that byte of `b`.
struct Steps {
    rows: Vec<u64>,
    words_per_row: usize,
    length: usize,
}

impl Steps {
    /// Fills the rows; only the last one is kept unless `keep_rows`.
    fn new(a: &[u8], b: &[u8], keep_rows: bool) -> Result<Steps, LcsError> {
        let words_per_row = b.len().div_ceil(64);
        let masks = Masks::new(a, b, words_per_row)?;
        let mut row = zeroed(words_per_row)?;
        row.fill(u64::MAX);
        let mut rows = Vec::new();
        let rows_kept = if keep_rows { a.len() } else { 0 };
        rows.try_reserve_exact(rows_kept * words_per_row)
            .map_err(|_| LcsError::OutOfMemory)?;
        for &byte in a {
            let mut carry = false;
            for (word, &mask) in row.iter_mut().zip(masks.of(byte)) {
                let (sum, over) = word.overflowing_add(*word & mask);
                let (sum, over_again) = sum.overflowing_add(u64::from(carry));
                carry = over | over_again;
                *word = sum | (*word & !mask);
            }
            if keep_rows {
                rows.extend_from_slice(&row);
            }
        }
        // Bits behind the end of `b` stay set: no mask has them.
        let length = row.iter().map(|word| word.count_zeros() as usize).sum();
        Ok(Steps {
            rows,
            words_per_row,
            length,
        })
    }

    /// Whether the length for `i` bytes of `a` and `j` of `b` is more than for `i` and `j - 1`.
    fn grows(&self, i: usize, j: usize) -> bool {
        let word = self.rows[(i - 1) * self.words_per_row + (j - 1) / 64];
        word >> ((j - 1) % 64) & 1 == 0
    }
}

/// For each byte that `a` has, the places where `b` has it.
struct Masks {
    words: Vec<u64>,
    words_per_row: usize,
    /// The row of each byte.
    rows: [usize; 256],
}

impl Masks {
    fn new(a: &[u8], b: &[u8], words_per_row: usize) -> Result<Masks, LcsError> {
        const NONE: usize = usize::MAX;
        let mut rows = [NONE; 256];
        let mut count = 0;
        for &byte in a {
            let row = &mut rows[usize::from(byte)];
            if *row == NONE {
                *row = count;
                count += 1;
            }
        }
        let mut words = zeroed(count * words_per_row)?;
        for (j, &byte) in b.iter().enumerate() {
            let row = rows[usize::from(byte)];
            if row != NONE {
                words[row * words_per_row + j / 64] |= 1 << (j % 64);
            }
        }
        Ok(Masks {
            words,
            words_per_row,
            rows,
        })
    }

    /// The mask of a byte of `a`.
    fn of(&self, byte: u8) -> &[u64] {
        &self.words[self.rows[usize::from(byte)] * self.words_per_row..][..self.words_per_row]
    }
}

/// Zeros, or no memory.
fn zeroed(words: usize) -> Result<Vec<u64>, LcsError> {
    let mut zeros = Vec::new();
    zeros
        .try_reserve_exact(words)
        .map_err(|_| LcsError::OutOfMemory)?;
    zeros.resize(words, 0);
    Ok(zeros)
}

/// Redis' way through its table from the end: the places of each byte of the subsequence in both strings.
struct Walk<'strings> {
    steps: &'strings Steps,
    a: &'strings [u8],
    b: &'strings [u8],
    i: usize,
    j: usize,
}

impl<'strings> Walk<'strings> {
    fn new(steps: &'strings Steps, a: &'strings [u8], b: &'strings [u8]) -> Walk<'strings> {
        Walk {
            steps,
            a,
            b,
            i: a.len(),
            j: b.len(),
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        while self.i > 0 && self.j > 0 {
            if self.a[self.i - 1] == self.b[self.j - 1] {
                (self.i, self.j) = (self.i - 1, self.j - 1);
                return Some((self.i, self.j));
            }
            // Redis shortens `a` if that leaves more than shortening `b`. The better of the two leaves all of the length,
            // so that is the case exactly if shortening `b` leaves less.
            if self.steps.grows(self.i, self.j) {
                self.i -= 1;
            } else {
                self.j -= 1;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE_BYTES_MAX: u64 = 512 * 1024 * 1024;

    fn find(a: &[u8], b: &[u8], want: Want) -> Lcs {
        lcs(a, b, want, TABLE_BYTES_MAX).unwrap()
    }

    fn ranges(matches: &[Match]) -> Vec<[usize; 4]> {
        matches
            .iter()
            .map(|found| {
                [
                    *found.a.start(),
                    *found.a.end(),
                    *found.b.start(),
                    *found.b.end(),
                ]
            })
            .collect()
    }

    /// Both strings, what LCS answers, what LCS IDX answers (redis-server 7.0.15).
    type Case = (
        &'static str,
        &'static str,
        &'static str,
        &'static [[usize; 4]],
    );

    const CASES: &[Case] = &[
        (
            "ohmytext",
            "mynewtext",
            "mytext",
            &[[4, 7, 5, 8], [2, 3, 0, 1]],
        ),
        ("", "", "", &[]),
        ("abc", "", "", &[]),
        ("", "abc", "", &[]),
        ("abc", "abc", "abc", &[[0, 2, 0, 2]]),
        ("abc", "xyz", "", &[]),
        ("abcd", "dcba", "d", &[[3, 3, 0, 0]]),
        ("aaaa", "aa", "aa", &[[2, 3, 0, 1]]),
        ("aa", "aaaa", "aa", &[[0, 1, 2, 3]]),
        (
            "axbxcx",
            "aybycy",
            "abc",
            &[[4, 4, 4, 4], [2, 2, 2, 2], [0, 0, 0, 0]],
        ),
        (
            "xaxbxc",
            "abc",
            "abc",
            &[[5, 5, 2, 2], [3, 3, 1, 1], [1, 1, 0, 0]],
        ),
        ("AGCAT", "GAC", "GA", &[[3, 3, 1, 1], [1, 1, 0, 0]]),
        ("GAC", "AGCAT", "AC", &[[2, 2, 2, 2], [1, 1, 0, 0]]),
        ("abcbdab", "bdcaba", "bdab", &[[5, 6, 3, 4], [3, 4, 0, 1]]),
        (
            "bdcaba",
            "abcbdab",
            "bcba",
            &[[5, 5, 5, 5], [4, 4, 3, 3], [2, 2, 2, 2], [0, 0, 1, 1]],
        ),
        (
            "abcabcabc",
            "cbacbacba",
            "cbabc",
            &[
                [8, 8, 6, 6],
                [7, 7, 4, 4],
                [6, 6, 2, 2],
                [4, 4, 1, 1],
                [2, 2, 0, 0],
            ],
        ),
        (
            "kitten sitting",
            "sitting kitten",
            "ittn ittn",
            &[
                [12, 12, 13, 13],
                [8, 10, 9, 11],
                [6, 6, 7, 7],
                [5, 5, 5, 5],
                [1, 3, 1, 3],
            ],
        ),
        ("0123456789", "9876543210", "9", &[[9, 9, 0, 0]]),
        (
            "foobarbazfoo",
            "foobazbarfoo",
            "foobabafoo",
            &[[9, 11, 9, 11], [6, 7, 6, 7], [0, 4, 0, 4]],
        ),
        (
            "abababababababababab",
            "babababababababababa",
            "bababababababababab",
            &[[1, 19, 0, 18]],
        ),
        ("rnatwo", "dnaone", "nao", &[[5, 5, 3, 3], [1, 2, 1, 2]]),
        (
            "xxabxxabxx",
            "abyyab",
            "abab",
            &[[6, 7, 4, 5], [2, 3, 0, 1]],
        ),
    ];

    #[test]
    fn subsequences_are_those_of_redis() {
        for &(a, b, text, matches) in CASES {
            let [a, b] = [a, b].map(str::as_bytes);
            assert_eq!(find(a, b, Want::Text).text, text.as_bytes());
            let found = find(a, b, Want::Matches { bytes_min: 0 });
            assert_eq!(
                ranges(&found.matches),
                matches,
                "{} {}",
                a.escape_ascii(),
                b.escape_ascii()
            );
            assert_eq!(
                [found.length, find(a, b, Want::Length).length],
                [text.len(); 2]
            );
        }
    }

    #[test]
    fn short_matches_are_left_out() {
        let (a, b) = (b"ohmytext", b"mynewtext");
        for (bytes_min, expected) in [
            (0, 2),
            (1, 2),
            (2, 2),
            (3, 1),
            (4, 1),
            (5, 0),
            (u64::MAX, 0),
        ] {
            let found = find(a, b, Want::Matches { bytes_min });
            assert_eq!(
                (found.matches.len(), found.length),
                (expected, 6),
                "{bytes_min}"
            );
        }
        assert_eq!(
            find(a, b, Want::Matches { bytes_min: 4 }).matches[0].bytes(),
            4
        );
    }

    #[test]
    fn what_redis_refuses_is_refused() {
        // (3 + 1) × (4 + 1) × 4 bytes.
        assert_eq!(
            lcs(b"abc", b"abcd", Want::Length, 80).map(|found| found.length),
            Ok(3)
        );
        assert_eq!(
            lcs(b"abc", b"abcd", Want::Length, 79),
            Err(LcsError::TableTooLarge)
        );
        assert_eq!(lcs(b"", b"", Want::Length, 3), Err(LcsError::TableTooLarge));
        let long = vec![0; 100_000];
        assert_eq!(
            lcs(&long, &long, Want::Text, TABLE_BYTES_MAX),
            Err(LcsError::TableTooLarge)
        );
        assert!(
            LcsError::TableTooLarge
                .text()
                .ends_with("exceeds proto-max-bulk-len")
        );
    }

    /// Redis' table and walk, plainly.
    fn plain(a: &[u8], b: &[u8]) -> Vec<(usize, usize)> {
        let mut table = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                let longer = table[i - 1][j].max(table[i][j - 1]);
                table[i][j] = if a[i - 1] == b[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    longer
                };
            }
        }
        let (mut i, mut j, mut pairs) = (a.len(), b.len(), Vec::new());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                (i, j) = (i - 1, j - 1);
                pairs.push((i, j));
            } else if table[i - 1][j] > table[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        pairs
    }

    #[test]
    fn bits_give_the_same_way_as_the_table() {
        let check = |a: &[u8], b: &[u8]| {
            let pairs = plain(a, b);
            let steps = Steps::new(a, b, true).unwrap();
            assert_eq!(
                Walk::new(&steps, a, b).collect::<Vec<_>>(),
                pairs,
                "{a:?} {b:?}"
            );
            let found = find(a, b, Want::Matches { bytes_min: 0 });
            assert_eq!(
                found.matches.iter().map(Match::bytes).sum::<usize>(),
                pairs.len()
            );
            assert_eq!(found.length, pairs.len());
        };
        bolero::check!()
            .with_type::<(Vec<u8>, Vec<u8>, u8)>()
            .for_each(|(a, b, kinds)| {
                let few = |bytes: &[u8]| -> Vec<u8> {
                    bytes.iter().map(|byte| byte % (kinds % 7 + 1)).collect()
                };
                check(&few(a), &few(b));
            });
        let mut random = crate::stdx::random::Random::new(1);
        for bytes in [63, 64, 65, 127, 128, 200, 500] {
            let mut draw =
                |bytes: u64| -> Vec<u8> { (0..bytes).map(|_| random.below(4) as u8).collect() };
            let (a, b) = (draw(bytes), draw(bytes + 1));
            check(&a, &b);
            check(&b, &a);
        }
    }
}
