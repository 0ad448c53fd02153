//! HyperLogLog: how many different elements were added, about, in at most 12 KiB. A string in Redis' own format, byte for
//! byte, so that what GET returns can be given to SET on another server.
//!
//! ```text
//! 0..4    "HYLL"
//! 4       encoding: 0 dense, 1 sparse
//! 5..8    zero
//! 8..16   the last count, little endian; its highest bit says that it is out of date
//! 16..    16384 registers: dense, six bits each (`dense`), or sparse, runs of equal ones (`sparse`)
//! ```
//!
//! An element's hash chooses a register, which keeps the longest run of zeros seen in the rest of the hash; `estimate` makes
//! a count of what all registers hold. Any string may be handed in here, since clients can write what they like into it: what
//! is no HyperLogLog is refused, and nothing panics. Called by the HyperLogLog commands.

mod dense;
mod estimate;
mod hash;
mod sparse;

/// Registers, as many as 14 bits of a hash can tell apart.
pub const REGISTERS: usize = 1 << REGISTER_BITS;
const REGISTER_BITS: u32 = 14;
/// The longest run that a hash without its index can have: 50 zeros, and the one behind them.
const RUN_MAX: usize = (64 - REGISTER_BITS) as usize + 1;
/// Bytes before the registers.
const HEADER_BYTES: usize = 16;
/// Bytes of a dense string.
const DENSE_BYTES: usize = HEADER_BYTES + dense::BYTES;
const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const COUNT_AT: usize = 8;
/// The highest byte of the count, whose highest bit marks it as out of date.
const COUNT_MARK_AT: usize = 15;
const COUNT_MARK: u8 = 0x80;

/// The registers of a sparse string do not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// How registers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits each.
    Dense,
    /// Runs of equal ones.
    Sparse,
}

impl Encoding {
    /// The encoding of a string; none when its header, or the length of a dense one, says that it is no HyperLogLog.
    pub fn of(string: &[u8]) -> Option<Encoding> {
        if string.len() < HEADER_BYTES || !string.starts_with(MAGIC) {
            return None;
        }
        match string[ENCODING_AT] {
            0 if string.len() == DENSE_BYTES => Some(Encoding::Dense),
            1 => Some(Encoding::Sparse),
            _ => None,
        }
    }

    /// The encoding of a string that was checked before.
    fn of_checked(string: &[u8]) -> Encoding {
        if string[ENCODING_AT] == 0 { Encoding::Dense } else { Encoding::Sparse }
    }
}

/// An empty one.
pub fn new() -> Vec<u8> {
    let mut string = vec![0; HEADER_BYTES];
    string[..4].copy_from_slice(MAGIC);
    string[ENCODING_AT] = 1;
    string.extend_from_slice(&sparse::EMPTY);
    string
}

/// Adds an element; true when a register changed. A sparse string becomes dense when it would be longer than
/// `sparse_bytes_max`. The string must have passed `Encoding::of`, here and below.
pub fn add(string: &mut Vec<u8>, element: &[u8], sparse_bytes_max: usize) -> Result<bool, Corrupt> {
    let hash = hash::murmur64a(element);
    let register = hash as usize % REGISTERS;
    let rest = hash >> REGISTER_BITS | 1 << (64 - REGISTER_BITS);
    let mut from = sparse::Place::START;
    raise(string, register, rest.trailing_zeros() as u8 + 1, sparse_bytes_max, &mut from)
}

/// Raises a register to `run` if it is lower. `from`: see `sparse::raise`.
fn raise(
    string: &mut Vec<u8>,
    register: usize,
    run: u8,
    sparse_bytes_max: usize,
    from: &mut sparse::Place,
) -> Result<bool, Corrupt> {
    if Encoding::of_checked(string) == Encoding::Sparse {
        match sparse::raise(string, register, run, sparse_bytes_max, from)? {
            sparse::Raised::Unchanged => return Ok(false),
            sparse::Raised::Changed => return Ok(true),
            sparse::Raised::NeedsDense => make_dense(string)?,
        };
    }
    Ok(dense::raise(&mut string[HEADER_BYTES..], register, run))
}

/// Makes it dense; false when it was.
pub fn make_dense(string: &mut Vec<u8>) -> Result<bool, Corrupt> {
    if Encoding::of_checked(string) == Encoding::Dense {
        return Ok(false);
    }
    let mut dense = vec![0; DENSE_BYTES];
    dense[..HEADER_BYTES].copy_from_slice(&string[..HEADER_BYTES]);
    dense[ENCODING_AT] = 0;
    let registers = &mut dense[HEADER_BYTES..];
    sparse::visit(&string[HEADER_BYTES..], |register, run| {
        dense::raise(registers, register, run);
    })?;
    *string = dense;
    Ok(true)
}

/// Whether every register is there exactly once, so that nothing that follows can fail.
pub fn is_sound(string: &[u8]) -> bool {
    Encoding::of_checked(string) == Encoding::Dense || sparse::visit(&string[HEADER_BYTES..], |_, _| ()).is_ok()
}

/// The last count, if it still holds.
pub fn cached_count(string: &[u8]) -> Option<u64> {
    let count = string.get(COUNT_AT..HEADER_BYTES)?.try_into().ok()?;
    (string[COUNT_MARK_AT] & COUNT_MARK == 0).then(|| u64::from_le_bytes(count))
}

/// Keeps a count for later.
pub fn cache_count(string: &mut [u8], count: u64) {
    string[COUNT_AT..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
}

/// Says that the last count holds no more.
pub fn forget_count(string: &mut [u8]) {
    string[COUNT_MARK_AT] |= COUNT_MARK;
}

/// Counts.
pub fn count(string: &[u8]) -> Result<u64, Corrupt> {
    let mut histogram = estimate::Histogram::default();
    let registers = &string[HEADER_BYTES..];
    match Encoding::of_checked(string) {
        Encoding::Dense => dense::visit(registers, |run| histogram.count(run, 1)),
        Encoding::Sparse => sparse::fill(registers, &mut histogram)?,
    }
    Ok(histogram.estimate())
}

/// The registers of a string.
pub fn registers(string: &[u8]) -> Result<Merged, Corrupt> {
    let mut merged = Merged::new();
    merged.merge(string)?;
    Ok(merged)
}

/// A sparse string's runs in Redis' notation, `z:` and `Z:` for zeros in one byte and two, `v:` for a value; none for a dense
/// one.
pub fn runs_text(string: &[u8]) -> Option<Vec<u8>> {
    (Encoding::of_checked(string) == Encoding::Sparse).then(|| sparse::text(&string[HEADER_BYTES..]))
}

/// The registers of several strings as if all elements had been added to one.
pub struct Merged {
    registers: Box<[u8; REGISTERS]>,
}

impl Merged {
    /// Of none.
    pub fn new() -> Merged {
        Merged { registers: Box::new([0; REGISTERS]) }
    }

    /// Adds a string.
    pub fn merge(&mut self, string: &[u8]) -> Result<(), Corrupt> {
        let registers = &string[HEADER_BYTES..];
        match Encoding::of_checked(string) {
            Encoding::Dense => {
                let mut own = self.registers.iter_mut();
                dense::visit(registers, |run| {
                    if let Some(own) = own.next() {
                        *own = run.max(*own);
                    }
                });
                Ok(())
            }
            Encoding::Sparse => {
                let own = &mut self.registers;
                sparse::visit(registers, |register, run| own[register] = run.max(own[register]))
            }
        }
    }

    /// Counts.
    pub fn count(&self) -> u64 {
        let mut histogram = estimate::Histogram::default();
        self.registers.iter().for_each(|&run| histogram.count(run, 1));
        histogram.estimate()
    }

    /// The registers in order.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        self.registers.iter().copied()
    }

    /// Writes the registers into a string that is empty or was merged too. One after the other into a sparse one, as Redis
    /// does, since its bytes depend on the way to them.
    pub fn write(&self, string: &mut Vec<u8>, sparse_bytes_max: usize) -> Result<(), Corrupt> {
        let mut from = sparse::Place::START;
        for (register, &run) in self.registers.iter().enumerate().filter(|(_, run)| **run != 0) {
            if Encoding::of_checked(string) == Encoding::Dense {
                dense::write(&mut string[HEADER_BYTES..], &self.registers);
                break;
            }
            raise(string, register, run, sparse_bytes_max, &mut from)?;
        }
        Ok(())
    }
}

impl Default for Merged {
    fn default() -> Merged {
        Merged::new()
    }
}

/// Checks packing, both encodings and the estimate against each other with `elements` random elements, and says what is
/// wrong. For PFSELFTEST.
pub fn self_test(random: &mut impl FnMut() -> u64, elements: u64, sparse_bytes_max: usize) -> Result<(), String> {
    dense::self_test(random)?;
    let (mut dense, mut other) = (new(), new());
    make_dense(&mut dense).map_err(|Corrupt| "TESTFAILED an empty one is corrupt")?;
    let seed = random();
    let mut checkpoint = 1;
    for number in 1..=elements {
        let element = (number ^ seed).to_le_bytes();
        let added = add(&mut dense, &element, 0).and_then(|_| add(&mut other, &element, sparse_bytes_max));
        added.map_err(|Corrupt| "TESTFAILED adding corrupts")?;
        if number < checkpoint {
            continue;
        }
        if number < sparse_bytes_max as u64 / 2 && Encoding::of(&other) != Some(Encoding::Sparse) {
            return Err("TESTFAILED sparse encoding not used".to_owned());
        }
        let counts = count(&dense).and_then(|dense| Ok((dense, count(&other)?)));
        let (counted, other_counted) = counts.map_err(|Corrupt| "TESTFAILED counting fails")?;
        if counted != other_counted {
            return Err("TESTFAILED dense/sparse disagree".to_owned());
        }
        // Six times the standard error; ten elements may collide more often than that.
        let error_max = if number == 10 { 1 } else { (6.0 * 1.04 / 128.0 * number as f64).ceil() as u64 };
        let error = counted.abs_diff(number);
        if error > error_max {
            return Err(format!("TESTFAILED Too big error. card:{number} abserr:{error}"));
        }
        checkpoint *= 10;
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
