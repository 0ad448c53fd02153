//! Registers as runs of equal ones, in the order of the registers. For `hyperloglog` only.
//!
//! ```text
//! 00llllll             ZERO   l+1 registers (1 to 64) are zero
//! 01llllll llllllll    XZERO  l+1 registers (1 to 16384) are zero
//! 1vvvvvll             VAL    l+1 registers (1 to 4) are v+1 (1 to 32)
//! ```
//!
//! How runs are split and joined when a register changes follows Redis step by step: equal calls give equal bytes.

use super::estimate::Histogram;
use super::{Corrupt, HEADER_BYTES, REGISTERS, forget_count};

/// All registers zero.
pub(super) const EMPTY: [u8; 2] = extended_zeros(REGISTERS);

const ZERO_LEN_MAX: usize = 64;
const VALUE_MAX: u8 = 32;
const VALUE_LEN_MAX: usize = 4;

/// One run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Run {
    Zero { len: usize },
    ExtendedZero { len: usize },
    Value { value: u8, len: usize },
}

impl Run {
    /// The run at the beginning of `bytes`; none when they are empty, or all there is of a longer one.
    fn first(bytes: &[u8]) -> Option<Run> {
        let (&first, rest) = bytes.split_first()?;
        let low = usize::from(first & 0x3f);
        Some(match first & 0xc0 {
            0x00 => Run::Zero { len: low + 1 },
            0x40 => Run::ExtendedZero { len: (low << 8 | usize::from(*rest.first()?)) + 1 },
            _ => Run::Value { value: (first >> 2 & 0x1f) + 1, len: usize::from(first & 3) + 1 },
        })
    }

    /// How many registers it stands for.
    fn len(self) -> usize {
        match self {
            Run::Zero { len } | Run::ExtendedZero { len } | Run::Value { len, .. } => len,
        }
    }

    /// How many bytes it takes.
    fn bytes(self) -> usize {
        if let Run::ExtendedZero { .. } = self { 2 } else { 1 }
    }
}

const fn extended_zeros(len: usize) -> [u8; 2] {
    [0x40 | ((len - 1) >> 8) as u8, (len - 1) as u8]
}

fn value_run(value: u8, len: usize) -> u8 {
    0x80 | (value - 1) << 2 | (len - 1) as u8
}

/// All runs of the registers' bytes; the last one may be cut off.
fn runs(bytes: &[u8]) -> impl Iterator<Item = Result<Run, Corrupt>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let run = Run::first(rest);
        rest = run.map_or(&[], |run| &rest[run.bytes()..]);
        Some(run.ok_or(Corrupt))
    })
}

/// Shows all registers that are not zero. `Corrupt` (perhaps after some) when there are not exactly as many registers as
/// there must be.
pub(super) fn visit(bytes: &[u8], mut see: impl FnMut(usize, u8)) -> Result<(), Corrupt> {
    let mut register = 0;
    for run in runs(bytes) {
        let run = run?;
        let end = register + run.len();
        if end > REGISTERS {
            return Err(Corrupt);
        }
        if let Run::Value { value, .. } = run {
            (register..end).for_each(|register| see(register, value));
        }
        register = end;
    }
    if register == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

/// Counts all registers by what they hold.
pub(super) fn fill(bytes: &[u8], histogram: &mut Histogram) -> Result<(), Corrupt> {
    let mut registers = 0;
    for run in runs(bytes) {
        let run = run?;
        registers += run.len();
        if registers > REGISTERS {
            return Err(Corrupt);
        }
        let value = if let Run::Value { value, .. } = run { value } else { 0 };
        histogram.count(value, run.len() as u32);
    }
    if registers == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

/// The runs as PFDEBUG DECODE shows them.
pub(super) fn text(bytes: &[u8]) -> Vec<u8> {
    let mut text = String::new();
    for run in runs(bytes).flatten() {
        let separator = if text.is_empty() { "" } else { " " };
        text += &match run {
            Run::Zero { len } => format!("{separator}z:{len}"),
            Run::ExtendedZero { len } => format!("{separator}Z:{len}"),
            Run::Value { value, len } => format!("{separator}v:{value},{len}"),
        };
    }
    text.into_bytes()
}

/// What became of a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Raised {
    /// It was as high.
    Unchanged,
    /// It was raised.
    Changed,
    /// It is lower, but the string must become dense first; nothing was changed.
    NeedsDense,
}

/// Where a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// In the whole string.
    at: usize,
    /// Its first register.
    first: usize,
    /// Where the run before it stands.
    before: Option<usize>,
}

impl Place {
    /// The first run.
    pub(super) const START: Place = Place { at: HEADER_BYTES, first: 0, before: None };
}

/// The run of a register and where it stands, and where the one before it does. Looks from `from` on, whose first register
/// must not be higher.
fn find(string: &[u8], register: usize, from: Place) -> Result<(Run, Place, Option<Place>), Corrupt> {
    let (mut place, mut before) = (from, None);
    loop {
        let run = string.get(place.at..).and_then(Run::first).ok_or(Corrupt)?;
        if register < place.first + run.len() {
            return Ok((run, place, before));
        }
        before = Some(place);
        place = Place { at: place.at + run.bytes(), first: place.first + run.len(), before: Some(place.at) };
    }
}

/// Raises a register of a whole sparse string to `value` if it is lower. `from` is where to look from; afterwards it is the
/// place for registers that are not lower than this one.
pub(super) fn raise(
    string: &mut Vec<u8>,
    register: usize,
    value: u8,
    bytes_max: usize,
    from: &mut Place,
) -> Result<Raised, Corrupt> {
    if value > VALUE_MAX {
        return Ok(Raised::NeedsDense);
    }
    let (run, Place { at, first, before }, place_before) = find(string, register, *from)?;
    // The run before is the first that joining may change, and it will still begin where it does.
    *from = place_before.unwrap_or(Place::START);
    match run {
        Run::Value { value: old, .. } if old >= value => return Ok(Raised::Unchanged),
        Run::Value { len: 1, .. } | Run::Zero { len: 1 } => string[at] = value_run(value, 1),
        _ => {
            // In place of the run: what of it lies before the register, the register, what lies behind it.
            let mut pieces = Pieces::default();
            pieces.push(run, register - first);
            pieces.push_bytes(&[value_run(value, 1)]);
            pieces.push(run, first + run.len() - 1 - register);
            let pieces = pieces.as_slice();
            let grows = pieces.len() > run.bytes();
            if grows && string.len() - run.bytes() + pieces.len() > bytes_max {
                return Ok(Raised::NeedsDense);
            }
            string.splice(at..at + run.bytes(), pieces.iter().copied());
        }
    }
    join(string, before.unwrap_or(HEADER_BYTES));
    forget_count(string);
    Ok(Raised::Changed)
}

/// The bytes of at most three runs.
#[derive(Default)]
struct Pieces {
    bytes: [u8; 5],
    len: usize,
}

impl Pieces {
    fn push_bytes(&mut self, bytes: &[u8]) {
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// A part of a run, `len` registers long.
    fn push(&mut self, run: Run, len: usize) {
        match run {
            _ if len == 0 => {}
            Run::Value { value, .. } => self.push_bytes(&[value_run(value, len)]),
            Run::Zero { .. } | Run::ExtendedZero { .. } if len > ZERO_LEN_MAX => self.push_bytes(&extended_zeros(len)),
            Run::Zero { .. } | Run::ExtendedZero { .. } => self.push_bytes(&[len as u8 - 1]),
        }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Joins equal values that stand side by side, looking at five places from `at` on.
fn join(string: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let Some(run) = string.get(at..).and_then(Run::first) else { return };
        let next = string.get(at + 1..).and_then(Run::first);
        if let (Run::Value { value, len }, Some(Run::Value { value: next_value, len: next_len })) = (run, next)
            && value == next_value
            && len + next_len <= VALUE_LEN_MAX
        {
            string[at] = value_run(value, len + next_len);
            string.remove(at + 1);
            continue;
        }
        at += run.bytes();
    }
}
