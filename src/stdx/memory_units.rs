//! Sizes such as `100mb` in `redis.conf`, CONFIG SET and commands. Pure functions; anyone may call them.

use super::limits::MEMORY_DIGITS_MAX;
use super::number::parse_i64;

/// A limit of memory given in bytes or as a part of another one (`maxmemory-clients 5%`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryOrPercent {
    /// Bytes.
    Bytes(u64),
    /// Percent, zero or more; whether more than 100 is allowed is the parameter's matter.
    Percent(u64),
}

/// Bytes of a size as Redis' `memtoull`: decimal digits and a unit in any case: none or `b` (1), `k` (1000), `kb` (1024),
/// `m` (1000²), `mb` (1024²), `g` (1000³), `gb` (1024³). As there, no digits are zero ("" and "mb" are taken), and digits
/// that do not fit 64 bits are the largest number; a product that does not fit is refused (Redis lets it wrap around).
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits_count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits_count > MEMORY_DIGITS_MAX {
        return None;
    }
    let (digits, unit) = text.split_at(digits_count);
    let add = |value: u64, digit: &u8| value.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    digits.iter().fold(0, add).checked_mul(unit_bytes(unit)?)
}

fn unit_bytes(unit: &[u8]) -> Option<u64> {
    match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => Some(1),
        b"k" => Some(1000),
        b"kb" => Some(1 << 10),
        b"m" => Some(1000 * 1000),
        b"mb" => Some(1 << 20),
        b"g" => Some(1000 * 1000 * 1000),
        b"gb" => Some(1 << 30),
        _ => None,
    }
}

/// A size, or a canonical integer that is not negative with a percent sign behind it.
pub fn parse_memory_or_percent(text: &[u8]) -> Option<MemoryOrPercent> {
    match text {
        [percent @ .., b'%'] => u64::try_from(parse_i64(percent)?)
            .ok()
            .map(MemoryOrPercent::Percent),
        size => parse_memory(size).map(MemoryOrPercent::Bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        let table: &[(&[u8], Option<u64>)] = &[
            (b"0", Some(0)),
            (b"1", Some(1)),
            (b"007", Some(7)),
            (b"1b", Some(1)),
            (b"1B", Some(1)),
            (b"1k", Some(1000)),
            (b"1kb", Some(1024)),
            (b"1Kb", Some(1024)),
            (b"3m", Some(3_000_000)),
            (b"100mb", Some(104_857_600)),
            (b"2g", Some(2_000_000_000)),
            (b"1GB", Some(1 << 30)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"17179869183gb", Some((u64::MAX >> 30) << 30)),
            (b"", Some(0)),
            (b"mb", Some(0)),
            (b"18446744073709551616", Some(u64::MAX)),
            (b"99999999999999999999gb", None),
            (b"17179869184gb", None),
            (b"-1", None),
            (b"-1mb", None),
            (b"+1", None),
            (b" 1", None),
            (b"1 mb", None),
            (b"1mb ", None),
            (b"1.5gb", None),
            (b"1t", None),
            (b"1tb", None),
            (b"1kib", None),
            (b"5%", None),
        ];
        for &(text, expected) in table {
            assert_eq!(parse_memory(text), expected, "{}", text.escape_ascii());
        }
        assert_eq!(parse_memory(&[b'0'; MEMORY_DIGITS_MAX]), Some(0));
        assert_eq!(parse_memory(&[b'0'; MEMORY_DIGITS_MAX + 1]), None);
    }

    #[test]
    fn percents_are_canonical() {
        use MemoryOrPercent::{Bytes, Percent};
        let table: &[(&[u8], Option<MemoryOrPercent>)] = &[
            (b"5%", Some(Percent(5))),
            (b"0%", Some(Percent(0))),
            (b"250%", Some(Percent(250))),
            (b"1mb", Some(Bytes(1 << 20))),
            (b"", Some(Bytes(0))),
            (b"-5%", None),
            (b"-0%", None),
            (b"05%", None),
            (b"5 %", None),
            (b"5%%", None),
            (b"1mb%", None),
            (b"%", None),
        ];
        for &(text, expected) in table {
            assert_eq!(
                parse_memory_or_percent(text),
                expected,
                "{}",
                text.escape_ascii()
            );
        }
    }
}
