//! Numbers as configuration writes them. Total: any bytes in, a number or `None` out.
//!
//! Private to `config`; to be replaced by `stdx` once that has the same rules (noted for the lead).

/// Bytes with an optional unit: nothing or `b` (1), `k`, `m`, `g` (powers of 1000), `kb`, `mb`, `gb` (powers of 1024).
///
/// As in Redis, no digits at all mean 0 and too many digits mean the largest number; a product that does not fit is
/// refused (Redis lets it wrap around).
pub fn memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = text.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let number = digits.iter().fold(0u64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    number.checked_mul(factor)
}

/// A whole number written in the one canonical way: no `+`, no leading zeros, no blanks, within `i64`.
pub fn canonical(text: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = digits.first().is_some_and(u8::is_ascii_digit);
    let padded = digits.first() == Some(&b'0') && text != b"0";
    (plain && !padded).then_some(number)
}

/// A whole number as C's `strtoll` reads it when it must use all of the text: leading blanks, a sign and leading zeros
/// are fine, the empty text is 0, and what does not fit becomes the nearest bound.
pub fn lenient(text: &[u8]) -> Option<i64> {
    in_base(text, 10).map(|(number, _)| number)
}

/// A number in base eight by the rules of [`lenient`], except that one that does not fit is refused.
pub fn octal(text: &[u8]) -> Option<i64> {
    in_base(text, 8).and_then(|(number, exact)| exact.then_some(number))
}

/// The number, and whether it fitted.
fn in_base(text: &[u8], base: u8) -> Option<(i64, bool)> {
    if text.is_empty() {
        return Some((0, true));
    }
    let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
    let text = &text[blanks..];
    let (negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let (mut number, mut exact) = (0i64, true);
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit >= base {
            return None;
        }
        let signed = if negative {
            -i64::from(digit)
        } else {
            i64::from(digit)
        };
        let next = number
            .checked_mul(i64::from(base))
            .and_then(|shifted| shifted.checked_add(signed));
        exact &= next.is_some();
        number = next.unwrap_or(if negative { i64::MIN } else { i64::MAX });
    }
    Some((number, exact))
}

/// A finite or infinite number in decimal notation, without leading blanks.
pub fn decimal(text: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!number.is_nan()).then_some(number)
}

/// Whether C's `isspace` says so in the C locale.
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_units() {
        for (text, expected) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("mb", Some(0)),
            ("1024", Some(1024)),
            ("7b", Some(7)),
            ("1k", Some(1000)),
            ("1KB", Some(1024)),
            ("2m", Some(2_000_000)),
            ("2mB", Some(2 << 20)),
            ("3g", Some(3_000_000_000)),
            ("3GB", Some(3 << 30)),
            ("99999999999999999999", Some(u64::MAX)),
            ("99999999999999999999gb", None),
            ("-1", None),
            ("1 mb", None),
            ("1tb", None),
            ("x", None),
        ] {
            assert_eq!(memory(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn canonical_numbers() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-0", None),
            ("01", None),
            ("+1", None),
            (" 1", None),
            ("", None),
            ("-", None),
            ("1x", None),
        ] {
            assert_eq!(canonical(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn lenient_and_octal_numbers() {
        for (text, ten, eight) in [
            ("", Some(0), Some(0)),
            (" 010", Some(10), Some(8)),
            ("+7", Some(7), Some(7)),
            ("-8", Some(-8), None),
            ("777", Some(777), Some(0o777)),
            ("99999999999999999999", Some(i64::MAX), None),
            ("-99999999999999999999", Some(i64::MIN), None),
            ("7777777777777777777777", Some(i64::MAX), None),
            (" ", None, None),
            ("-", None, None),
            ("1 ", None, None),
        ] {
            assert_eq!(lenient(text.as_bytes()), ten, "{text:?}");
            assert_eq!(octal(text.as_bytes()), eight, "{text:?}");
        }
    }
}
