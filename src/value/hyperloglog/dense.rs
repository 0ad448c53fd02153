//! Registers of six bits each, the first in the lowest bits of the first byte. For `hyperloglog` only.

use super::REGISTERS;

/// Bits of a register.
const BITS: usize = 6;
/// The largest number of a register.
const REGISTER_MAX: u8 = (1 << BITS) - 1;
/// Bytes of all registers.
pub(super) const BYTES: usize = REGISTERS * BITS / 8;

/// Raises a register to `run` if it is lower, and tells so. `bytes` are those of all registers.
pub(super) fn raise(bytes: &mut [u8], register: usize, run: u8) -> bool {
    let raises = run > get(bytes, register);
    if raises {
        set(bytes, register, run);
    }
    raises
}

/// The byte where a register begins, and the bit.
fn place(register: usize) -> (usize, usize) {
    (register * BITS / 8, register * BITS % 8)
}

fn get(bytes: &[u8], register: usize) -> u8 {
    let (at, shift) = place(register);
    // The last register ends with the last byte.
    let next = bytes.get(at + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([bytes[at], next]) >> shift) as u8 & REGISTER_MAX
}

fn set(bytes: &mut [u8], register: usize, run: u8) {
    let (at, shift) = place(register);
    let mask = (u16::from(REGISTER_MAX) << shift).to_le_bytes();
    let run = (u16::from(run & REGISTER_MAX) << shift).to_le_bytes();
    bytes[at] = bytes[at] & !mask[0] | run[0];
    if mask[1] != 0 {
        bytes[at + 1] = bytes[at + 1] & !mask[1] | run[1];
    }
}

/// Shows all registers in order. Four of them are three bytes.
#[inline]
pub(super) fn visit(bytes: &[u8], mut see: impl FnMut(u8)) {
    for &[first, second, third] in bytes.as_chunks::<3>().0 {
        see(first & REGISTER_MAX);
        see((first >> 6 | second << 2) & REGISTER_MAX);
        see((second >> 4 | third << 4) & REGISTER_MAX);
        see(third >> 2);
    }
}

/// Writes all registers.
pub(super) fn write(bytes: &mut [u8], registers: &[u8; REGISTERS]) {
    for (bytes, &[a, b, c, d]) in bytes.as_chunks_mut::<3>().0.iter_mut().zip(registers.as_chunks::<4>().0) {
        *bytes = [a | b << 6, b >> 2 | c << 4, c >> 4 | d << 2];
    }
}

/// Writes and reads all registers several times.
pub(super) fn self_test(random: &mut impl FnMut() -> u64) -> Result<(), String> {
    let mut bytes = [0; BYTES];
    let mut expected = [0; REGISTERS];
    for _ in 0..100 {
        for (register, expected) in expected.iter_mut().enumerate() {
            *expected = random() as u8 & REGISTER_MAX;
            set(&mut bytes, register, *expected);
        }
        for (register, expected) in expected.iter().enumerate() {
            let got = get(&bytes, register);
            if got != *expected {
                return Err(format!("TESTFAILED Register {register} should be {expected} but is {got}"));
            }
        }
    }
    Ok(())
}
