//! The text of a double in replies, as Redis 7.4 writes it (`d2string` in util.c over deps/fpconv): the shortest digits that
//! read back as the same double, whole numbers without a point, an exponent only for very large or small ones.
//!
//! Redis 7.0 wrote `%.17g` instead (0.10000000000000001 for 0.1). fpconv's grisu2 misses the shortest digits for about one
//! double in a thousand and then writes one digit more; here they are always the shortest.

use std::io::Write;

use super::number::{INTEGER_TEXT_BYTES_MAX, format_i64, format_u64};

/// Bytes that hold the text of any double ("-1.2345678901234567e-300").
pub const DOUBLE_TEXT_BYTES_MAX: usize = 32;

/// Most significant digits a double needs.
const DIGITS_MAX: usize = 17;

/// Whole numbers within this are written as integers (Redis' `double2ll`).
const INTEGER_MAX: f64 = (i64::MAX / 2) as f64;

/// Writes the text of `value` into the buffer and returns it. Infinities are "inf" and "-inf", not a number is "nan".
pub fn format_double(buffer: &mut [u8; DOUBLE_TEXT_BYTES_MAX], value: f64) -> &[u8] {
    if value.is_nan() {
        return b"nan";
    }
    if value.is_infinite() {
        return if value < 0.0 { b"-inf" } else { b"inf" };
    }
    if value == 0.0 {
        return if value.is_sign_negative() { b"-0" } else { b"0" };
    }
    if let Some(integer) = exact_i64(value) {
        let mut digits = [0; INTEGER_TEXT_BYTES_MAX];
        let text = format_i64(&mut digits, integer);
        buffer[..text.len()].copy_from_slice(text);
        return &buffer[..text.len()];
    }
    format_fpconv(buffer, value)
}

/// The integer that a double is, when it is a whole number within half of the integers' range (Redis' `double2ll`). Such
/// scores are kept as integers; the sign of a zero is lost.
#[inline]
pub fn exact_i64(value: f64) -> Option<i64> {
    (value.abs() <= INTEGER_MAX && value.trunc() == value).then_some(value as i64)
}

/// As `format_double`, but whole numbers too get an exponent when they are large (1e+8): fpconv alone, as DEBUG DIGEST takes it.
pub fn format_fpconv(buffer: &mut [u8; DOUBLE_TEXT_BYTES_MAX], value: f64) -> &[u8] {
    if value == 0.0 || !value.is_finite() {
        return format_double(buffer, value);
    }
    let mut text = Text { buffer, len: 0 };
    if value < 0.0 {
        text.push(b"-");
    }
    let absolute = value.abs();
    let few = if value.trunc() == value { None } else { few_digits(absolute) };
    let (digits, count, exponent) = few.unwrap_or_else(|| shortest_digits(absolute));
    write_digits(&mut text, &digits[..count], exponent);
    let len = text.len;
    &buffer[..len]
}

/// The text of C's `%.17g`, as ZSCAN shows the scores of a large sorted set: seventeen digits without zeros at the end.
pub fn format_seventeen_digits(buffer: &mut [u8; DOUBLE_TEXT_BYTES_MAX], value: f64) -> &[u8] {
    if value == 0.0 || !value.is_finite() {
        return format_double(buffer, value);
    }
    let mut text = Text { buffer, len: 0 };
    if value < 0.0 {
        text.push(b"-");
    }
    let (digits, mut count, exponent) = digits_of(format_args!("{:.16e}", value.abs()));
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    let digits = &digits[..count];
    if !(-4..DIGITS_MAX as i32).contains(&exponent) {
        write_scientific(&mut text, digits, exponent, 2);
    } else if exponent < 0 {
        write_point(&mut text, digits, exponent);
    } else if exponent >= count as i32 - 1 {
        text.push(digits);
        text.push_zeros(exponent - (count as i32 - 1));
    } else {
        write_point(&mut text, digits, exponent);
    }
    let len = text.len;
    &buffer[..len]
}

/// The text of a double with up to seventeen digits behind the point and no zeros at its end, as coordinates are shown
/// (C's `%.17f`). For numbers below 1,000; longer texts are cut off.
pub fn format_seventeen_places(buffer: &mut [u8; DOUBLE_TEXT_BYTES_MAX], value: f64) -> &[u8] {
    let mut rest = &mut buffer[..];
    let written = write!(rest, "{value:.17}").map(|()| DOUBLE_TEXT_BYTES_MAX - rest.len());
    let mut text = &buffer[..written.unwrap_or(DOUBLE_TEXT_BYTES_MAX)];
    if text.contains(&b'.') {
        while let [shorter @ .., b'0'] = text {
            text = shorter;
        }
        text = text.strip_suffix(b".").unwrap_or(text);
    }
    if text == b"-0" { b"0" } else { text }
}

/// The text of a double rounded to four digits behind the point, as distances are shown. For numbers up to 9 * 10^14.
pub fn format_four_places(buffer: &mut [u8; DOUBLE_TEXT_BYTES_MAX], value: f64) -> &[u8] {
    let scaled = (value * 1e4).round_ties_even() as i64;
    let mut text = Text { buffer, len: 0 };
    let mut digits = [0; INTEGER_TEXT_BYTES_MAX];
    if scaled < 0 {
        text.push(b"-");
    }
    text.push(format_u64(&mut digits, scaled.unsigned_abs() / 10_000));
    text.push(b".");
    let fraction = format_u64(&mut digits, scaled.unsigned_abs() % 10_000);
    text.push_zeros(4 - fraction.len() as i32);
    text.push(fraction);
    let len = text.len;
    &buffer[..len]
}

/// The digits of a number, how many they are, and the power of ten of the first.
type Digits = ([u8; DIGITS_MAX], usize, i32);

/// Powers of ten for `few_digits`.
const POWERS: [f64; 6] = [1e1, 1e2, 1e3, 1e4, 1e5, 1e6];

/// Numbers such as 12.5 or 1700000000.123, which people use as scores: at most 15 digits, of which at most 6 behind the
/// point. Four times as fast as `shortest_digits`, with the same result: a whole number below 10^15 divided by one of these
/// powers is rounded as reading its text is, texts of so few digits are all different numbers, and fewer digits behind the
/// point are tried first.
fn few_digits(value: f64) -> Option<Digits> {
    if !(1e-3..1e9).contains(&value) {
        return None;
    }
    let (index, power) = POWERS.iter().enumerate().find(|(_, power)| {
        let whole = (value * *power + 0.5) as u64;
        whole as f64 / *power == value
    })?;
    let mut integer = [0; INTEGER_TEXT_BYTES_MAX];
    let text = format_i64(&mut integer, (value * power + 0.5) as i64);
    let mut digits = [0; DIGITS_MAX];
    digits.get_mut(..text.len())?.copy_from_slice(text);
    Some((digits, text.len(), text.len() as i32 - 2 - index as i32))
}

/// The shortest digits of a positive finite number.
fn shortest_digits(value: f64) -> Digits {
    // Rust's scientific form: "1.2345e-7". It is shortest and never longer than 24 bytes.
    digits_of(format_args!("{value:e}"))
}

/// Digits and exponent of a text such as "1.2345e-7".
fn digits_of(scientific: std::fmt::Arguments<'_>) -> Digits {
    let mut bytes = [0u8; DOUBLE_TEXT_BYTES_MAX];
    let mut rest = &mut bytes[..];
    let written = rest.write_fmt(scientific).map(|()| DOUBLE_TEXT_BYTES_MAX - rest.len());
    let scientific = &bytes[..written.unwrap_or(0)];
    let mut digits = [0; DIGITS_MAX];
    let mut count = 0;
    let mut exponent = 0;
    let mut bytes = scientific.iter();
    for &byte in bytes.by_ref() {
        match byte {
            b'0'..=b'9' if count < DIGITS_MAX => {
                digits[count] = byte;
                count += 1;
            }
            b'e' => break,
            _ => {}
        }
    }
    let is_negative = bytes.as_slice().first() == Some(&b'-');
    for byte in bytes.filter(|byte| byte.is_ascii_digit()) {
        exponent = exponent * 10 + i32::from(byte - b'0');
    }
    (digits, count, if is_negative { -exponent } else { exponent })
}

/// fpconv's choice of form: `0.d × 10^exponent` as a whole number, with a point, or with an exponent.
fn write_digits(text: &mut Text<'_>, digits: &[u8], exponent: i32) {
    let count = digits.len() as i32;
    // The power of ten of the last digit.
    let last = exponent - (count - 1);
    if last >= 0 && exponent < count + 7 {
        text.push(digits);
        text.push_zeros(last);
    } else if last < 0 && (last > -7 || exponent.abs() < 4) {
        write_point(text, digits, exponent);
    } else {
        write_scientific(text, digits, exponent, 1);
    }
}

/// `0.00ddd` or `dd.ddd`; in the latter case digits stand on both sides of the point.
fn write_point(text: &mut Text<'_>, digits: &[u8], exponent: i32) {
    if exponent < 0 {
        text.push(b"0.");
        text.push_zeros(-exponent - 1);
        text.push(digits);
    } else {
        let (whole, fraction) = digits.split_at(exponent as usize + 1);
        text.push(whole);
        text.push(b".");
        text.push(fraction);
    }
}

/// `d.ddde+10`, with at least so many digits in the exponent.
fn write_scientific(text: &mut Text<'_>, digits: &[u8], exponent: i32, exponent_digits_min: usize) {
    text.push(&digits[..1]);
    if digits.len() > 1 {
        text.push(b".");
        text.push(&digits[1..]);
    }
    text.push(if exponent < 0 { b"e-" } else { b"e+" });
    let mut integer = [0; INTEGER_TEXT_BYTES_MAX];
    let exponent = format_i64(&mut integer, i64::from(exponent.abs()));
    text.push_zeros(exponent_digits_min as i32 - exponent.len() as i32);
    text.push(exponent);
}

/// A buffer being filled. Nothing that is written here is longer than the buffer; what would be is cut off.
struct Text<'a> {
    buffer: &'a mut [u8; DOUBLE_TEXT_BYTES_MAX],
    len: usize,
}

impl Text<'_> {
    fn push(&mut self, bytes: &[u8]) {
        let room = &mut self.buffer[self.len..];
        let count = bytes.len().min(room.len());
        room[..count].copy_from_slice(&bytes[..count]);
        self.len += count;
    }

    fn push_zeros(&mut self, count: i32) {
        for _ in 0..count {
            self.push(b"0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_fpconv() {
        let table: &[(f64, &str)] = &[
            (0.0, "0"),
            (-0.0, "-0"),
            (f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (1.0, "1"),
            (-15.0, "-15"),
            (0.1, "0.1"),
            (-0.25, "-0.25"),
            (3.3, "3.3"),
            (std::f64::consts::PI, "3.141592653589793"),
            (1e15, "1000000000000000"),
            (1e17, "100000000000000000"),
            (4_611_686_018_427_387_904.0, "4611686018427387904"),
            (-4_611_686_018_427_387_904.0, "-4611686018427387904"),
            (9_223_372_036_854_775_808.0, "9223372036854776000"),
            (1e19, "1e+19"),
            (1e20, "1e+20"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (1e100, "1e+100"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (-1.7976931348623157e308, "-1.7976931348623157e+308"),
            (1e-1, "0.1"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-5, "0.000015"),
            (1.5e-6, "1.5e-6"),
            (1.234567e-3, "0.001234567"),
            (1.234567e-4, "1.234567e-4"),
            (123456.7890123, "1.234567890123e+5"),
            (1234.567890123, "1234.567890123"),
            (5e-324, "5e-324"),
            (2.2250738585072014e-308, "2.2250738585072014e-308"),
        ];
        for (value, expected) in table {
            let mut buffer = [0; DOUBLE_TEXT_BYTES_MAX];
            let text = format_double(&mut buffer, *value);
            assert_eq!(text.escape_ascii().to_string(), *expected);
        }
    }

    #[test]
    fn other_forms() {
        let table: &[(f64, &str, &str)] = &[
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (f64::NEG_INFINITY, "-inf", "-inf"),
            (1.0, "1", "1"),
            (-100_000_000.0, "-1e+8", "-100000000"),
            (10_000_000.0, "10000000", "10000000"),
            (1e16, "1e+16", "10000000000000000"),
            (1e17, "1e+17", "1e+17"),
            (-1e19, "-1e+19", "-1e+19"),
            (0.1, "0.1", "0.10000000000000001"),
            (0.5, "0.5", "0.5"),
            (-1.5, "-1.5", "-1.5"),
            (123456.7890123, "1.234567890123e+5", "123456.7890123"),
            (1e-4, "0.0001", "0.0001"),
            (1e-5, "0.00001", "1.0000000000000001e-05"),
            (5e-324, "5e-324", "4.9406564584124654e-324"),
            (1.7976931348623157e308, "1.7976931348623157e+308", "1.7976931348623157e+308"),
            (9_007_199_254_740_993.0, "9007199254740992", "9007199254740992"),
            (1_234_567_890_123_456_789.0, "1234567890123456800", "1.2345678901234568e+18"),
        ];
        for (value, fpconv, seventeen) in table {
            let mut buffer = [0; DOUBLE_TEXT_BYTES_MAX];
            assert_eq!(format_fpconv(&mut buffer, *value).escape_ascii().to_string(), *fpconv);
            assert_eq!(format_seventeen_digits(&mut buffer, *value).escape_ascii().to_string(), *seventeen);
        }
        assert_eq!(exact_i64(-0.0), Some(0));
        assert_eq!(exact_i64(-7.0), Some(-7));
        assert_eq!(exact_i64(0.5), None);
        assert_eq!(exact_i64(1e19), None);
        assert_eq!(exact_i64(f64::INFINITY), None);
    }

    #[test]
    fn fixed_places() {
        let table: &[(f64, &str, &str)] = &[
            (0.0, "0", "0.0000"),
            (-0.0, "0", "0.0000"),
            (1.0, "1", "1.0000"),
            (-1.5, "-1.5", "-1.5000"),
            (13.361389338970184, "13.36138933897018433", "13.3614"),
            (-122.2, "-122.20000000000000284", "-122.2000"),
            (0.00005, "0.00005", "0.0000"),
            (0.00015, "0.00015", "0.0001"),
            (0.775, "0.77500000000000002", "0.7750"),
            (100.0, "100", "100.0000"),
            (166.27415156960033, "166.2741515696003205", "166.2742"),
        ];
        for (value, seventeen, four) in table {
            let mut buffer = [0; DOUBLE_TEXT_BYTES_MAX];
            assert_eq!(format_seventeen_places(&mut buffer, *value).escape_ascii().to_string(), *seventeen);
            assert_eq!(format_four_places(&mut buffer, *value).escape_ascii().to_string(), *four);
        }
    }

    #[test]
    fn few_digits_are_the_shortest() {
        bolero::check!().with_type::<(u32, u16, u8)>().with_iterations(20_000).for_each(|(high, low, places)| {
            let whole = (u64::from(*high) << 16 | u64::from(*low)) % 1_000_000_000_000_000;
            let value = whole as f64 / 10_f64.powi(i32::from(*places % 9));
            if let Some((digits, count, exponent)) = few_digits(value).filter(|_| value.fract() != 0.0) {
                let (shortest, shortest_count, shortest_exponent) = shortest_digits(value);
                assert_eq!((&digits[..count], exponent), (&shortest[..shortest_count], shortest_exponent), "{value}");
            }
        });
    }

    #[test]
    fn texts_read_back() {
        bolero::check!().with_type::<u64>().with_iterations(5000).for_each(|bits| {
            let value = f64::from_bits(*bits);
            let mut buffer = [0; DOUBLE_TEXT_BYTES_MAX];
            let text = str::from_utf8(format_double(&mut buffer, value)).expect("ASCII");
            let back: f64 = text.parse().expect("a number");
            assert!(back == value || (back.is_nan() && value.is_nan()), "{value:e} became {text}");
        });
    }
}
