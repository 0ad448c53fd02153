//! Numbers as configuration writes them where that is neither Redis' canonical form (`stdx::number`) nor a size
//! (`stdx::memory_units`). Total: any bytes in, a number or `None` out. Private to `config`.

use crate::stdx::number::is_space;

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
    let blanks = text.iter().take_while(|byte| is_space(**byte)).count();
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

#[cfg(test)]
mod tests {
    use super::*;

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
