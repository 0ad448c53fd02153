//! Text to number and back, with the rules Redis applies to arguments and stored values.
//!
//! Total functions without state: bytes in, number or `None` out. Anyone may call them.
//! Redis' names are given where a function follows one (`util.c`, 7.0).

use super::float_text::{FloatText, Rounded, round_binary};

/// Bytes that hold the text of any 64-bit integer ("-9223372036854775808", "18446744073709551615").
pub const INTEGER_TEXT_BYTES_MAX: usize = 20;

/// The digits "00" to "99", two bytes each.
const DIGIT_PAIRS: [u8; 200] = digit_pairs();

const fn digit_pairs() -> [u8; 200] {
    let mut pairs = [0; 200];
    let mut number = 0;
    while number < 100 {
        pairs[2 * number] = b'0' + (number / 10) as u8;
        pairs[2 * number + 1] = b'0' + (number % 10) as u8;
        number += 1;
    }
    pairs
}

/// The integer whose canonical text this is, as Redis' `string2ll`: an optional minus and digits, no leading zero,
/// no "-0", nothing else. The text can be had back from the number, so a value that parses may be kept as the number.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        // Twenty digits without a leading zero are 10^19 at least; nineteen always fit in u64.
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        [b'0'] if !negative => return Some(0),
        _ => return None,
    }
    let magnitude = digits_value(digits)?;
    if negative {
        0_i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Whether `parse_i64` takes the text, that is: whether the number stands for exactly these bytes.
#[inline]
pub fn is_canonical_i64(text: &[u8]) -> bool {
    text.len() <= INTEGER_TEXT_BYTES_MAX && parse_i64(text).is_some()
}

/// An unsigned integer as Redis' `string2ull` reads it (ids of streams). First the rules of `parse_i64`, where a negative
/// number is refused; what that does not take is read as by C's `strtoull`: leading spaces, a sign and zeros are allowed,
/// a minus wraps around ("-05" is 2^64 - 5), and the text ends at a zero byte.
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    let end = memchr::memchr(0, text).unwrap_or(text.len());
    let text = &text[..end];
    if let Some(number) = parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let text = &text[text.iter().take_while(|&&byte| is_space(byte)).count()..];
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

/// The value of one to nineteen decimal digits, eight at a time; `None` when a byte is no digit.
#[inline]
fn digits_value(digits: &[u8]) -> Option<u64> {
    debug_assert!(digits.len() <= 19);
    let (chunks, rest) = digits.as_chunks::<8>();
    let mut value = 0;
    for chunk in chunks {
        value = value * 100_000_000 + eight_digits_value(u64::from_le_bytes(*chunk))?;
    }
    for &byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// The value of eight digits in a little-endian word: neighbours are merged to pairs, fours, then eight.
#[inline]
fn eight_digits_value(word: u64) -> Option<u64> {
    const HIGH_HALVES: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    // A digit keeps its high half when 6 is added; ':' to '?' do not. No carry can leave a byte that is 0x3f or less.
    if word & HIGH_HALVES != ZEROS || (word + 0x0606_0606_0606_0606) & HIGH_HALVES != ZEROS {
        return None;
    }
    let ones = word - ZEROS;
    let pairs = ((ones * 10) + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = ((pairs * 100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some(((fours * 10_000) + (fours >> 32)) & 0xffff_ffff)
}

/// Writes the decimal text of `value` at the end of `buffer` and returns it.
#[inline]
pub fn format_i64(buffer: &mut [u8; INTEGER_TEXT_BYTES_MAX], value: i64) -> &[u8] {
    let mut start = write_digits(buffer, value.unsigned_abs());
    if value < 0 {
        start -= 1;
        buffer[start] = b'-';
    }
    &buffer[start..]
}

/// Writes the decimal text of `value` at the end of `buffer` and returns it.
#[inline]
pub fn format_u64(buffer: &mut [u8; INTEGER_TEXT_BYTES_MAX], value: u64) -> &[u8] {
    let start = write_digits(buffer, value);
    &buffer[start..]
}

/// Writes digits from the end of the buffer, two at a time; returns where they start.
#[inline]
fn write_digits(buffer: &mut [u8; INTEGER_TEXT_BYTES_MAX], mut value: u64) -> usize {
    let mut start = buffer.len();
    while value >= 10 {
        let pair = 2 * (value % 100) as usize;
        value /= 100;
        start -= 2;
        buffer[start] = DIGIT_PAIRS[pair];
        buffer[start + 1] = DIGIT_PAIRS[pair + 1];
    }
    if value > 0 || start == buffer.len() {
        start -= 1;
        buffer[start] = b'0' + value as u8;
    }
    start
}

/// Bytes of the decimal text of `value` (Redis' `digits10`).
#[inline]
pub fn digits_count(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Bytes of the decimal text of `value`, a minus included (Redis' `sdigits10`).
#[inline]
pub fn signed_digits_count(value: i64) -> usize {
    digits_count(value.unsigned_abs()) + usize::from(value < 0)
}

/// A double as Redis' `string2d` reads it: all of the text, without leading space, in the forms of C's `strtod`
/// (decimal, hexadecimal, "inf", "infinity"); not a number is refused, and so is a number too large, or one so small
/// that it becomes zero. Rounded to nearest even.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    const EXACT_MAX: u64 = 1 << 53;
    if let Some(integer) = parse_i64(text)
        && integer.unsigned_abs() <= EXACT_MAX
    {
        return Some(integer as f64);
    }
    let (value, is_in_range) = scan_double(text)?;
    is_in_range.then_some(value)
}

/// A double as an end of a range of scores: as C's `strtod`, and so with a few more liberties than `parse_double`. Spaces may
/// stand before it, the text ends at a zero byte, no text at all is 0, and what is too large or too small is infinite or 0.
pub fn parse_double_leniently(text: &[u8]) -> Option<f64> {
    let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
    if text.is_empty() {
        return Some(0.0);
    }
    let spaces = text.iter().take_while(|&&byte| is_space(byte)).count();
    scan_double(&text[spaces..]).map(|(value, _)| value)
}

/// The number in all of a text, and whether it is neither too large nor too small for a double.
fn scan_double(text: &[u8]) -> Option<(f64, bool)> {
    let (negative, number) = FloatText::scan(text)?;
    let (magnitude, is_in_range) = match number {
        FloatText::Infinite => (f64::INFINITY, true),
        FloatText::Decimal(decimal) => {
            let unsigned = text.strip_prefix(b"-").unwrap_or(text);
            let value: f64 = str::from_utf8(unsigned).ok()?.parse().ok()?;
            (value, !value.is_infinite() && (value != 0.0 || decimal.is_zero()))
        }
        FloatText::Hexadecimal(hexadecimal) => {
            let rounded = round_binary::<53, -1074, 971>(
                hexadecimal.mantissa,
                hexadecimal.exponent,
                hexadecimal.sticky,
            );
            match rounded {
                Rounded::Finite { mantissa, exponent } => {
                    (double_from_parts(mantissa, exponent), mantissa != 0 || hexadecimal.mantissa == 0)
                }
                _ => (f64::INFINITY, false),
            }
        }
    };
    Some((if negative { -magnitude } else { magnitude }, is_in_range))
}

/// `mantissa` × 2^`exponent`, which must be a double: 53 bits, or fewer at the least exponent.
fn double_from_parts(mantissa: u64, exponent: i32) -> f64 {
    const HIDDEN_BIT: u64 = 1 << 52;
    debug_assert!(mantissa < 2 * HIDDEN_BIT && (-1074..=971).contains(&exponent));
    if mantissa < HIDDEN_BIT {
        debug_assert!(exponent == -1074);
        return f64::from_bits(mantissa);
    }
    let biased = (exponent + 1075) as u64;
    f64::from_bits((biased << 52) | (mantissa & (HIDDEN_BIT - 1)))
}

/// C's `isspace` in the C locale, which Redis uses where it skips blanks.
#[inline]
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_canonical_or_refused() {
        let table: &[(&[u8], Option<i64>)] = &[
            (b"0", Some(0)),
            (b"7", Some(7)),
            (b"-1", Some(-1)),
            (b"12345678", Some(12_345_678)),
            (b"123456789012345678", Some(123_456_789_012_345_678)),
            (b"9223372036854775807", Some(i64::MAX)),
            (b"-9223372036854775808", Some(i64::MIN)),
            (b"9223372036854775808", None),
            (b"-9223372036854775809", None),
            (b"9999999999999999999", None),
            (b"18446744073709551616", None),
            (b"100000000000000000000000", None),
            (b"", None),
            (b"-", None),
            (b"-0", None),
            (b"00", None),
            (b"01", None),
            (b"-01", None),
            (b"+1", None),
            (b" 1", None),
            (b"1 ", None),
            (b"1\0", None),
            (b"1.0", None),
            (b"1e3", None),
            (b"1234567:", None),
            (b"12345678/", None),
            (b"1234567\xb9", None),
            (b"0x10", None),
            (b"--1", None),
        ];
        for &(text, expected) in table {
            assert_eq!(parse_i64(text), expected, "{}", text.escape_ascii());
            assert_eq!(
                is_canonical_i64(text),
                expected.is_some(),
                "{}",
                text.escape_ascii()
            );
        }
    }

    #[test]
    fn every_byte_at_every_place_of_eight_is_a_digit_or_refused() {
        for place in 0..8 {
            for byte in 0..=255_u8 {
                let mut text = *b"11111111";
                text[place] = byte;
                let expected = str::from_utf8(&text)
                    .ok()
                    .and_then(|text| text.parse::<u64>().ok());
                let expected = if byte == b'+' { None } else { expected };
                assert_eq!(digits_value(&text), expected, "{place} {byte}");
            }
        }
    }

    #[test]
    fn unsigned_integers_follow_strtoull() {
        let table: &[(&[u8], Option<u64>)] = &[
            (b"0", Some(0)),
            (b"007", Some(7)),
            (b"+5", Some(5)),
            (b" \t\x0b5", Some(5)),
            (b"5\0x", Some(5)),
            (b"9223372036854775808", Some(1 << 63)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"018446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b"-1", None),
            (b"-0", Some(0)),
            (b"-05", Some(u64::MAX - 4)),
            (b"", None),
            (b"+", None),
            (b"- 5", None),
            (b"5 ", None),
            (b"0x5", None),
        ];
        for &(text, expected) in table {
            assert_eq!(parse_u64(text), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn text_and_number_round_trip() {
        let mut numbers = vec![0, 1, -1, i64::MAX, i64::MIN];
        let mut power = 1_i64;
        for _ in 0..18 {
            power *= 10;
            numbers.extend([
                power - 1,
                power,
                power + 1,
                1 - power,
                -power,
                power / 7,
                power / 2,
            ]);
        }
        for number in numbers {
            let mut buffer = [0; INTEGER_TEXT_BYTES_MAX];
            let text = format_i64(&mut buffer, number);
            assert_eq!(text, number.to_string().as_bytes());
            assert_eq!(parse_i64(text), Some(number));
            assert_eq!(signed_digits_count(number), text.len());
            let magnitude = number.unsigned_abs();
            let text = magnitude.to_string();
            assert_eq!(format_u64(&mut buffer, magnitude), text.as_bytes());
            assert_eq!(parse_u64(text.as_bytes()), Some(magnitude));
            assert_eq!(digits_count(magnitude), text.len());
        }
        assert_eq!(format_u64(&mut [0; 20], u64::MAX), b"18446744073709551615");
        assert_eq!(digits_count(u64::MAX), 20);
    }

    const DOUBLES: &[(&[u8], f64)] = &[
        (b"0", 0.0),
        (b"3", 3.0),
        (b"-3", -3.0),
        (b"+3", 3.0),
        (b"007", 7.0),
        (b"3.", 3.0),
        (b".5", 0.5),
        (b"-.5e1", -5.0),
        (b"1e3", 1000.0),
        (b"1E+3", 1000.0),
        (b"3.0e-3", 0.003),
        (b"9007199254740993", 9007199254740992.0),
        (b"9223372036854775807", 9223372036854775807.0),
        (b"inf", f64::INFINITY),
        (b"+Inf", f64::INFINITY),
        (b"-INFINITY", f64::NEG_INFINITY),
        (b"0x10", 16.0),
        (b"0x1p3", 8.0),
        (b"0X.8P+1", 1.0),
        (b"-0x1.8", -1.5),
        (b"0x1.fffffffffffff8p0", 2.0),
        (
            b"0x1.fffffffffffff7p0",
            f64::from_bits(0x3fff_ffff_ffff_ffff),
        ),
        (b"0x1p-1074", f64::from_bits(1)),
        (b"0x1.8p-1074", f64::from_bits(2)),
        (b"0x1p1023", f64::from_bits(0x7fe0_0000_0000_0000)),
        (b"0x0p99999999999999999999", 0.0),
        (b"0e99999999999999999999", 0.0),
        (b"1.7976931348623157e308", f64::MAX),
        (b"5e-324", f64::from_bits(1)),
        (b"1e-320", f64::from_bits(2024)),
    ];

    const NO_DOUBLES: &[&[u8]] = &[
        b"",
        b" 1",
        b"1 ",
        b"\t1",
        b"1\0",
        b"nan",
        b"-nan",
        b"NaN(1)",
        b"in",
        b"infinit",
        b"infi",
        b".",
        b"-",
        b"+",
        b"+-1",
        b"e5",
        b".e5",
        b"1e",
        b"1e+",
        b"1e-",
        b"0x",
        b"0x.",
        b"0xg",
        b"0xp1",
        b"0x1p",
        b"0x1p+",
        b"1_0",
        b"1,5",
        b"1e400",
        b"-1e400",
        b"1e-400",
        b"1e99999999999999999999",
        b"1e-99999999999999999999",
        b"0x1p1024",
        b"0x1p-1076",
        b"0x1p-1075",
        b"abc",
        b"1f",
        b"0x1.fffffffffffff8p1023",
        b"\xff",
    ];

    #[test]
    fn doubles_follow_strtod() {
        for &(text, expected) in DOUBLES {
            assert_eq!(
                parse_double(text),
                Some(expected),
                "{}",
                text.escape_ascii()
            );
        }
        assert_eq!(
            parse_double(b"-0").map(f64::to_bits),
            Some((-0.0_f64).to_bits())
        );
        assert_eq!(
            parse_double(b"-0x0p0").map(f64::to_bits),
            Some((-0.0_f64).to_bits())
        );
        for text in NO_DOUBLES {
            assert_eq!(parse_double(text), None, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn ends_of_ranges_follow_strtod_alone() {
        for &(text, expected) in DOUBLES {
            assert_eq!(parse_double_leniently(text), Some(expected), "{}", text.escape_ascii());
        }
        let more: &[(&[u8], f64)] = &[
            (b"", 0.0),
            (b"\0abc", 0.0),
            (b" 1", 1.0),
            (b"\t\n-2.5", -2.5),
            (b"1\0abc", 1.0),
            (b"1e400", f64::INFINITY),
            (b"-1e400", f64::NEG_INFINITY),
            (b"1e-400", 0.0),
            (b"0x1p1024", f64::INFINITY),
            (b"0x1p-1076", 0.0),
        ];
        for &(text, expected) in more {
            assert_eq!(parse_double_leniently(text), Some(expected), "{}", text.escape_ascii());
        }
        let refused = [&b" "[..], b"1 ", b"(1", b"0x", b"- 1", b"nan", b"-nan", b"infi", b".", b"1e", b"abc", b"1,5", b" \0"];
        for text in refused {
            assert_eq!(parse_double_leniently(text), None, "{}", text.escape_ascii());
        }
    }
}
