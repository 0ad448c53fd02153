//! The grammar of C's `strtod` and `strtold`, and rounding of binary numbers: what doubles and long doubles share.
//!
//! Scanning takes all of the text or nothing, knows no leading space and no "nan" (Redis refuses both), and does no
//! arithmetic but for hexadecimal digits. Called by `number` and `long_double`.

/// Exponents beyond this are cut to it: every number with one is zero, too large or too small, since no text is that long.
const EXPONENT_CUT: i64 = 1 << 40;

/// Hexadecimal digits kept exactly; what follows only matters as "not zero".
const HEXADECIMAL_DIGITS_KEPT: u32 = 30;

/// What a text of a number says, its sign aside.
pub(super) enum FloatText<'text> {
    /// "inf" or "infinity" in any case.
    Infinite,
    /// Decimal digits.
    Decimal(Decimal<'text>),
    /// "0x" and hexadecimal digits.
    Hexadecimal(Hexadecimal),
}

/// (`integer` . `fraction`) × 10^`exponent`, both of decimal digits.
pub(super) struct Decimal<'text> {
    pub(super) integer: &'text [u8],
    pub(super) fraction: &'text [u8],
    pub(super) exponent: i64,
}

/// `mantissa` × 2^`exponent`, and a little more when `sticky`; then the mantissa has at least 117 bits.
pub(super) struct Hexadecimal {
    pub(super) mantissa: u128,
    pub(super) exponent: i64,
    pub(super) sticky: bool,
}

impl Decimal<'_> {
    /// Whether all digits are zero.
    pub(super) fn is_zero(&self) -> bool {
        self.integer
            .iter()
            .chain(self.fraction)
            .all(|&digit| digit == b'0')
    }
}

impl FloatText<'_> {
    /// Reads all of `text`: whether it starts with a minus, and the number.
    pub(super) fn scan(text: &[u8]) -> Option<(bool, FloatText<'_>)> {
        let (negative, unsigned) = match text {
            [b'-', unsigned @ ..] => (true, unsigned),
            [b'+', unsigned @ ..] => (false, unsigned),
            unsigned => (false, unsigned),
        };
        let number = match unsigned {
            [b'0', b'x' | b'X', digits @ ..] => FloatText::Hexadecimal(scan_hexadecimal(digits)?),
            [b'0'..=b'9' | b'.', ..] => FloatText::Decimal(scan_decimal(unsigned)?),
            word if word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"infinity") => {
                FloatText::Infinite
            }
            _ => return None,
        };
        Some((negative, number))
    }
}

fn scan_decimal(text: &[u8]) -> Option<Decimal<'_>> {
    let (integer, fraction, rest) = split_digits(text, |byte| byte.is_ascii_digit())?;
    let exponent = match rest {
        [] => 0,
        [b'e' | b'E', exponent @ ..] => scan_exponent(exponent)?,
        _ => return None,
    };
    Some(Decimal {
        integer,
        fraction,
        exponent,
    })
}

fn scan_hexadecimal(text: &[u8]) -> Option<Hexadecimal> {
    let (integer, fraction, rest) = split_digits(text, |byte| byte.is_ascii_hexdigit())?;
    let mut exponent = match rest {
        [] => 0,
        [b'p' | b'P', exponent @ ..] => scan_exponent(exponent)?,
        _ => return None,
    };
    exponent -= 4 * fraction.len() as i64;
    let (mut mantissa, mut sticky, mut kept) = (0_u128, false, 0);
    for &byte in integer.iter().chain(fraction) {
        let digit = (byte as char).to_digit(16)?;
        if kept < HEXADECIMAL_DIGITS_KEPT {
            mantissa = mantissa << 4 | u128::from(digit);
            kept += u32::from(mantissa != 0);
        } else {
            sticky |= digit != 0;
            exponent += 4;
        }
    }
    Some(Hexadecimal {
        mantissa,
        exponent,
        sticky,
    })
}

/// The digits before a point, those after it, and what follows them. There must be a digit.
fn split_digits(text: &[u8], is_digit: impl Fn(&u8) -> bool) -> Option<(&[u8], &[u8], &[u8])> {
    let span = |text: &[u8]| text.iter().take_while(|byte| is_digit(byte)).count();
    let (integer, rest) = text.split_at(span(text));
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => rest.split_at(span(rest)),
        rest => (&rest[..0], rest),
    };
    (integer.len() + fraction.len() > 0).then_some((integer, fraction, rest))
}

/// An optional sign and at least one digit, to the end of the text.
fn scan_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude = digits.iter().fold(0, |value: i64, digit| {
        (value * 10 + i64::from(digit - b'0')).min(EXPONENT_CUT)
    });
    Some(if negative { -magnitude } else { magnitude })
}

/// What became of a number that was rounded.
pub(super) enum Rounded {
    /// `mantissa` × 2^`exponent`: the mantissa has all its bits, or the exponent is the least.
    Finite { mantissa: u64, exponent: i32 },
    /// Larger than the largest number.
    TooLarge,
}

/// Rounds `mantissa` × 2^`exponent` (and a little more when `sticky`) to `BITS` bits and an exponent from `EXPONENT_MIN`
/// to `EXPONENT_MAX`, to nearest, ties to even. A sticky mantissa must have more than `BITS` bits.
pub(super) fn round_binary<const BITS: u32, const EXPONENT_MIN: i32, const EXPONENT_MAX: i32>(
    mantissa: u128,
    exponent: i64,
    sticky: bool,
) -> Rounded {
    let bits = u128::BITS - mantissa.leading_zeros();
    debug_assert!(!sticky || bits > BITS);
    if mantissa == 0 {
        return Rounded::Finite {
            mantissa: 0,
            exponent: EXPONENT_MIN,
        };
    }
    let exponent_min = i64::from(EXPONENT_MIN);
    // Negative: to the left. The mantissa keeps at most BITS bits, or fewer where the least exponent stops it.
    let shift = (i64::from(bits) - i64::from(BITS)).max(exponent_min - exponent);
    let mut exponent = exponent + shift;
    let mut kept = if shift <= 0 {
        mantissa << -shift
    } else if shift > 128 {
        0
    } else {
        let (kept, rest) = match shift {
            128 => (0, mantissa),
            _ => (mantissa >> shift, mantissa & ((1 << shift) - 1)),
        };
        let half = 1_u128 << (shift - 1);
        let up = rest > half || (rest == half && (sticky || kept & 1 == 1));
        kept + u128::from(up)
    };
    if kept >> BITS != 0 {
        kept >>= 1;
        exponent += 1;
    }
    if exponent > i64::from(EXPONENT_MAX) {
        return Rounded::TooLarge;
    }
    if kept == 0 {
        exponent = exponent_min;
    }
    Rounded::Finite {
        mantissa: kept as u64,
        exponent: exponent as i32,
    }
}
