//! LZF, the compression of strings in RDB files, both ways.
//!
//! ```text
//! 000nnnnn                     n + 1 bytes follow as they are
//! lllddddd dddddddd            l + 2 bytes again from d + 1 bytes back (l 1 to 6)
//! 111ddddd llllllll dddddddd   l + 9 bytes again from d + 1 bytes back
//! ```
//!
//! Source of the format: LibLZF's documentation. A repetition may reach into itself. `decompress` is total: it takes any
//! bytes and allocates no more than they can expand to. Called by the reader and the writer of RDB strings.

/// Longest run of bytes kept as they are.
const LITERAL_BYTES_MAX: usize = 32;
/// Farthest a repetition reaches back.
const DISTANCE_MAX: usize = 1 << 13;
/// Shortest and longest repetition.
const MATCH_BYTES_MIN: usize = 3;
const MATCH_BYTES_MAX: usize = 264;
/// Three bytes become 264 at most.
const EXPANSION_MAX: usize = MATCH_BYTES_MAX / 3;

/// The `expected` bytes that `input` was compressed from; none when it is not that.
pub fn decompress(input: &[u8], expected: usize) -> Option<Vec<u8>> {
    if expected > input.len().saturating_mul(EXPANSION_MAX) {
        return None;
    }
    let mut output = Vec::new();
    output.try_reserve_exact(expected).ok()?;
    let mut at = 0;
    while let Some(&control) = input.get(at) {
        at += 1;
        let control = usize::from(control);
        if control < LITERAL_BYTES_MAX {
            let run = input.get(at..=at + control)?;
            if run.len() > expected - output.len() {
                return None;
            }
            output.extend_from_slice(run);
            at += run.len();
            continue;
        }
        let mut length = (control >> 5) + 2;
        if length == 9 {
            length += usize::from(*input.get(at)?);
            at += 1;
        }
        let distance = ((control & 0x1f) << 8 | usize::from(*input.get(at)?)) + 1;
        at += 1;
        let from = output.len().checked_sub(distance)?;
        if length > expected - output.len() {
            return None;
        }
        // What is copied doubles each time when the repetition reaches into itself.
        let mut left = length;
        while left > 0 {
            let piece = left.min(output.len() - from);
            output.extend_from_within(from..from + piece);
            left -= piece;
        }
    }
    (output.len() == expected).then_some(output)
}

/// Bits of a place in the table of what was seen: few for short inputs, whose tables are cheaper to make.
const TABLE_BITS_MIN: u32 = 8;
const TABLE_BITS_MAX: u32 = 14;

/// Longest input that is compressed, so that places in it can be counted in 32 bits.
const INPUT_BYTES_MAX: u32 = 1 << 31;

/// Compresses; keeps its memory from string to string.
#[derive(Default)]
pub struct Compressor {
    /// Where three bytes with a hash were last seen, counted through all inputs.
    seen: Vec<u32>,
    /// The place of the present input's first byte in that count. Smaller numbers in the table are of earlier inputs.
    base: u32,
}

impl Compressor {
    /// Appends the compressed form of `input` to `output` if it takes at most `bytes_max` bytes; else appends nothing and
    /// returns false.
    pub fn compress(&mut self, input: &[u8], output: &mut Vec<u8>, bytes_max: usize) -> bool {
        if input.len() >= INPUT_BYTES_MAX as usize {
            return false;
        }
        let input_len = input.len() as u32;
        let begin = output.len();
        let end_max = begin.saturating_add(bytes_max);
        let bits = input_len.checked_ilog2().unwrap_or(0).clamp(TABLE_BITS_MIN, TABLE_BITS_MAX);
        self.prepare(input_len, 1 << bits);
        let (mut at, mut literals_from) = (0, 0);
        while at + MATCH_BYTES_MIN <= input.len() {
            match self.find(input, at, bits) {
                None => at += 1 + ((at - literals_from) >> 7),
                Some(from) => {
                    let length = common_bytes(input, from, at);
                    write_literals(&input[literals_from..at], output);
                    write_match(length, at - from, output);
                    at += length;
                    literals_from = at;
                }
            }
            if output.len() > end_max {
                break;
            }
        }
        write_literals(&input[literals_from..], output);
        self.base += input_len;
        let fits = output.len() <= end_max;
        if !fits {
            output.truncate(begin);
        }
        fits
    }

    /// Room for `size` places, and numbers for the bytes of an input of so many bytes.
    fn prepare(&mut self, input_len: u32, size: usize) {
        // 0 is what an empty place holds.
        self.base = self.base.max(1);
        if self.base > INPUT_BYTES_MAX || self.base + input_len > INPUT_BYTES_MAX {
            self.seen.fill(0);
            self.base = 1;
        }
        if self.seen.len() < size {
            self.seen.resize(size, 0);
        }
    }

    /// Where the three bytes at `at` were seen before, near enough; notes that they are here.
    #[inline]
    fn find(&mut self, input: &[u8], at: usize, bits: u32) -> Option<usize> {
        let here = input.get(at..at + MATCH_BYTES_MIN)?;
        let word = u32::from_le_bytes([here[0], here[1], here[2], 0]);
        let place = (word.wrapping_mul(0x9e37_79b1) >> (32 - bits)) as usize;
        let before = std::mem::replace(&mut self.seen[place], self.base + at as u32);
        let from = before.checked_sub(self.base)? as usize;
        let is_near = from < at && at - from <= DISTANCE_MAX;
        (is_near && input[from..from + MATCH_BYTES_MIN] == *here).then_some(from)
    }
}

/// How many bytes from `from` on equal those from `at` on, of which the first three do.
#[inline]
fn common_bytes(input: &[u8], from: usize, at: usize) -> usize {
    let here = &input[at..input.len().min(at + MATCH_BYTES_MAX)];
    let before = &input[from..];
    here.iter().zip(before).take_while(|(one, other)| one == other).count()
}

fn write_literals(literals: &[u8], output: &mut Vec<u8>) {
    for run in literals.chunks(LITERAL_BYTES_MAX) {
        output.push(run.len() as u8 - 1);
        output.extend_from_slice(run);
    }
}

fn write_match(length: usize, distance: usize, output: &mut Vec<u8>) {
    let (length, distance) = (length - 2, distance - 1);
    let high = (distance >> 8) as u8;
    if length < 7 {
        output.push((length as u8) << 5 | high);
    } else {
        output.extend_from_slice(&[0xe0 | high, (length - 7) as u8]);
    }
    output.push(distance as u8);
}

#[cfg(test)]
#[path = "lzf_tests.rs"]
mod tests;
