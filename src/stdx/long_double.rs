//! x87 extended precision (64-bit mantissa) in software: the arithmetic of INCRBYFLOAT and HINCRBYFLOAT.
//!
//! Redis computes these with C's `long double`, which on x86-64 is the 80-bit format; this gives the same digits on every
//! machine. Reading, adding and writing are each correctly rounded, to nearest, ties to even.
//! A command is `parse` twice, `add`, a check of `is_nan` and `is_infinite`, `write_human`. Anyone may call it.
//!
//! Numbers of up to 38 digits with up to 18 after the point are read and written in 128-bit integers (some 50 ns each);
//! the rest goes through big integers (some 100 µs for the longest text and the largest exponent).

use super::float_text::{Decimal, FloatText, Rounded, round_binary};
use super::limits::LONG_DOUBLE_TEXT_BYTES_MAX;
use super::number::{INTEGER_TEXT_BYTES_MAX, format_u64};
use num_bigint::BigUint;

/// Bits of the mantissa.
const BITS: u32 = 64;
/// The least exponent of a 64-bit integer mantissa; smaller numbers have fewer bits (2^-16382 is the smallest with all).
const EXPONENT_MIN: i32 = -16445;
/// The largest exponent of a 64-bit integer mantissa (the largest number is just under 2^16384).
const EXPONENT_MAX: i32 = 16320;

/// Decimal exponents (of a number 0.d₁d₂… × 10^e) outside these are surely too large, or surely round to zero:
/// the largest number is 1.19 × 10^4932, half the smallest 1.82 × 10^-4951.
const DECIMAL_EXPONENT_MAX: i64 = 4933;
const DECIMAL_EXPONENT_MIN: i64 = -4950;

/// Digits after the point that Redis writes, and the power of ten that moves them before it.
const FRACTION_DIGITS: usize = 17;
const FRACTION_SCALE: u64 = 10_u64.pow(FRACTION_DIGITS as u32);

/// Most digits that surely fit 128 bits.
const SHORT_DIGITS_MAX: usize = 38;
/// Largest power of ten a short number is divided by: below 2^60, so the quotient of 128 bits keeps more than 64.
const SHORT_DIVISOR_EXPONENT_MAX: i64 = 18;

/// A long double.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LongDouble {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Magnitude {
    NotANumber,
    Infinite,
    /// `mantissa` × 2^`exponent`: the top bit is set, or the exponent is `EXPONENT_MIN`.
    Finite {
        mantissa: u64,
        exponent: i32,
    },
}

impl LongDouble {
    /// Zero: the value of a key or field that does not exist.
    pub const ZERO: LongDouble = LongDouble {
        negative: false,
        magnitude: Magnitude::Finite {
            mantissa: 0,
            exponent: EXPONENT_MIN,
        },
    };

    /// Reads a whole text as Redis' `string2ld`: the forms of C's `strtold` without leading space; "inf" is taken, not a
    /// number is refused, and so is a number too large, one so small that it becomes zero, and a text longer than
    /// `LONG_DOUBLE_TEXT_BYTES_MAX`. `None` is answered with "value is not a valid float".
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() > LONG_DOUBLE_TEXT_BYTES_MAX {
            return None;
        }
        let (negative, number) = FloatText::scan(text)?;
        let (magnitude, zero) = match number {
            FloatText::Infinite => {
                return Some(LongDouble {
                    negative,
                    magnitude: Magnitude::Infinite,
                });
            }
            FloatText::Decimal(decimal) => (decimal_magnitude(&decimal)?, decimal.is_zero()),
            FloatText::Hexadecimal(number) => (
                Magnitude::round(number.mantissa, number.exponent, number.sticky),
                number.mantissa == 0,
            ),
        };
        match magnitude {
            Magnitude::Finite { mantissa, .. } if mantissa != 0 || zero => Some(LongDouble {
                negative,
                magnitude,
            }),
            _ => None,
        }
    }

    /// An integer, exactly.
    pub fn from_i64(value: i64) -> LongDouble {
        let magnitude = Magnitude::round(u128::from(value.unsigned_abs()), 0, false);
        LongDouble {
            negative: value < 0,
            magnitude,
        }
    }

    /// Whether this is not a number, as the sum of opposite infinities.
    pub fn is_nan(&self) -> bool {
        self.magnitude == Magnitude::NotANumber
    }

    /// Whether this is an infinity: from a text, or a sum too large.
    pub fn is_infinite(&self) -> bool {
        self.magnitude == Magnitude::Infinite
    }

    /// The sum, correctly rounded. When it is infinite or not a number, Redis answers "increment would produce NaN or Infinity".
    #[expect(
        clippy::should_implement_trait,
        reason = "one operation does not make an arithmetic type"
    )]
    pub fn add(self, other: LongDouble) -> LongDouble {
        use Magnitude::{Finite, Infinite, NotANumber};
        match (self.magnitude, other.magnitude) {
            (NotANumber, _) | (_, NotANumber) => LongDouble {
                negative: false,
                magnitude: NotANumber,
            },
            (Infinite, Infinite) if self.negative != other.negative => LongDouble {
                negative: false,
                magnitude: NotANumber,
            },
            (Infinite, _) => self,
            (_, Infinite) => other,
            (
                Finite { exponent: left, .. },
                Finite {
                    exponent: right, ..
                },
            ) if left < right => other.add_finite(self),
            (Finite { .. }, Finite { .. }) => self.add_finite(other),
        }
    }

    /// The sum of two finite numbers, of which `self` has the larger exponent.
    fn add_finite(self, other: LongDouble) -> LongDouble {
        let (
            Magnitude::Finite {
                mantissa: large,
                exponent,
            },
            Magnitude::Finite {
                mantissa: small,
                exponent: low,
            },
        ) = (self.magnitude, other.magnitude)
        else {
            return LongDouble {
                negative: false,
                magnitude: Magnitude::NotANumber,
            };
        };
        debug_assert!(exponent >= low);
        // Up to 63 places apart both fit 127 bits exactly. Beyond that the large one has its top bit set (only zero and
        // the smallest have not, and those have the least exponent), and of the small one it matters that it is there.
        let places = (exponent - low).unsigned_abs();
        let up = places.min(63);
        let down = places - up;
        let (large, small) = (u128::from(large) << up, u128::from(small));
        let kept = small.checked_shr(down).unwrap_or(0);
        let sticky =
            down > 0 && small & (1_u128.checked_shl(down).unwrap_or(0)).wrapping_sub(1) != 0;
        let exponent = i64::from(exponent) - i64::from(up);
        let (negative, sum) = if self.negative == other.negative {
            (self.negative, large + kept)
        } else if large >= kept {
            // What was cut off makes the difference smaller: one less, and a little more.
            (self.negative, large - kept - u128::from(sticky))
        } else {
            (other.negative, kept - large)
        };
        // The sum of a number and its opposite is +0, that of two negative zeros -0.
        let negative = negative && (sum != 0 || self.negative == other.negative);
        LongDouble {
            negative,
            magnitude: Magnitude::round(sum, exponent, sticky),
        }
    }

    /// Appends the number as Redis shows it (`ld2string` with LD_STR_HUMAN): 17 digits after the point, correctly rounded,
    /// without the zeros at their end (nor the point when all are), and "0" for "-0". At most 4,933 digits before the point.
    pub fn write_human(&self, out: &mut Vec<u8>) {
        let (mantissa, exponent) = match self.magnitude {
            Magnitude::NotANumber => return out.extend_from_slice(b"nan"),
            Magnitude::Infinite => {
                let text: &[u8] = if self.negative { b"-inf" } else { b"inf" };
                return out.extend_from_slice(text);
            }
            Magnitude::Finite { mantissa, exponent } => (mantissa, exponent),
        };
        if exponent >= 0 {
            if self.negative {
                out.push(b'-');
            }
            return match exponent {
                0..=64 => write_u128(out, u128::from(mantissa) << exponent),
                _ => out.extend_from_slice(
                    (BigUint::from(mantissa) << exponent).to_string().as_bytes(),
                ),
            };
        }
        let (integer, fraction) = split_fraction(mantissa, exponent.unsigned_abs());
        if self.negative && (integer, fraction) != (0, 0) {
            out.push(b'-');
        }
        write_u128(out, integer);
        if fraction != 0 {
            // The scale before the digits keeps the zeros between the point and the first of them.
            let mut buffer = [0; INTEGER_TEXT_BYTES_MAX];
            let digits = &format_u64(&mut buffer, FRACTION_SCALE + fraction)[1..];
            let zeros = digits
                .iter()
                .rev()
                .take_while(|&&digit| digit == b'0')
                .count();
            out.push(b'.');
            out.extend_from_slice(&digits[..FRACTION_DIGITS - zeros]);
        }
    }
}

impl Magnitude {
    /// `mantissa` × 2^`exponent` (and a little more when `sticky`), rounded.
    fn round(mantissa: u128, exponent: i64, sticky: bool) -> Magnitude {
        match round_binary::<BITS, EXPONENT_MIN, EXPONENT_MAX>(mantissa, exponent, sticky) {
            Rounded::Finite { mantissa, exponent } => Magnitude::Finite { mantissa, exponent },
            Rounded::TooLarge => Magnitude::Infinite,
        }
    }

    /// A big integer × 2^`exponent` (and a little more when `sticky`), rounded. A sticky one has at least 66 bits.
    fn round_big(number: &BigUint, exponent: i64, sticky: bool) -> Magnitude {
        let excess = number.bits().saturating_sub(128);
        let cut = number.trailing_zeros().is_some_and(|zeros| zeros < excess);
        let top = u128::try_from(number >> excess).expect("at most 128 bits are left");
        Magnitude::round(top, exponent + excess as i64, sticky || cut)
    }
}

/// Integer part, and 10^17 times the rest rounded to nearest even, of `mantissa` / 2^`places`, for one place or more.
fn split_fraction(mantissa: u64, places: u32) -> (u128, u64) {
    let integer = mantissa.checked_shr(places).unwrap_or(0);
    let rest = mantissa & 1_u64.checked_shl(places).unwrap_or(0).wrapping_sub(1);
    // Below 2^121, so from 128 places on it is less than a half, and nothing of it is left.
    let scaled = u128::from(rest) * u128::from(FRACTION_SCALE);
    if places >= 128 {
        return (0, 0);
    }
    let (digits, lost) = ((scaled >> places) as u64, scaled & ((1 << places) - 1));
    let half = 1_u128 << (places - 1);
    let digits = digits + u64::from(lost > half || (lost == half && digits & 1 == 1));
    (
        u128::from(integer) + u128::from(digits / FRACTION_SCALE),
        digits % FRACTION_SCALE,
    )
}

/// Appends the decimal text, 19 digits at a time.
fn write_u128(out: &mut Vec<u8>, value: u128) {
    const CHUNK: u128 = 10_u128.pow(19);
    let mut buffer = [0; INTEGER_TEXT_BYTES_MAX];
    if let Ok(value) = u64::try_from(value) {
        return out.extend_from_slice(format_u64(&mut buffer, value));
    }
    write_u128(out, value / CHUNK);
    let digits = format_u64(&mut buffer, (value % CHUNK) as u64);
    out.resize(out.len() + 19 - digits.len(), b'0');
    out.extend_from_slice(digits);
}

/// The value of decimal text; `None` where it is surely too large or surely becomes zero.
fn decimal_magnitude(decimal: &Decimal<'_>) -> Option<Magnitude> {
    let fraction_zeros = decimal
        .fraction
        .iter()
        .rev()
        .take_while(|&&digit| digit == b'0')
        .count();
    let fraction = &decimal.fraction[..decimal.fraction.len() - fraction_zeros];
    let leading_zeros = decimal
        .integer
        .iter()
        .chain(fraction)
        .take_while(|&&digit| digit == b'0')
        .count();
    let digits_count = decimal.integer.len() + fraction.len() - leading_zeros;
    let digits = decimal.integer.iter().chain(fraction).skip(leading_zeros);
    if digits_count == 0 {
        return Some(LongDouble::ZERO.magnitude);
    }
    let exponent = decimal.exponent - fraction.len() as i64;
    if !(DECIMAL_EXPONENT_MIN..=DECIMAL_EXPONENT_MAX).contains(&(digits_count as i64 + exponent)) {
        return None;
    }
    if digits_count <= SHORT_DIGITS_MAX {
        let value = digits.fold(0, |value: u128, digit| {
            value * 10 + u128::from(digit - b'0')
        });
        return Some(
            short_magnitude(value, exponent)
                .unwrap_or_else(|| big_magnitude(BigUint::from(value), exponent)),
        );
    }
    let digits: Vec<u8> = digits.copied().collect();
    Some(big_magnitude(
        BigUint::parse_bytes(&digits, 10).expect("decimal digits"),
        exponent,
    ))
}

/// `value` × 10^`exponent`, if that can be done in 128 bits.
fn short_magnitude(value: u128, exponent: i64) -> Option<Magnitude> {
    if exponent >= 0 {
        let power = 10_u128.checked_pow(u32::try_from(exponent).ok()?)?;
        return Some(Magnitude::round(value.checked_mul(power)?, 0, false));
    }
    if exponent < -SHORT_DIVISOR_EXPONENT_MAX {
        return None;
    }
    let power = u128::from(10_u64.pow(exponent.unsigned_abs() as u32));
    let shift = value.leading_zeros();
    let shifted = value << shift;
    Some(Magnitude::round(
        shifted / power,
        -i64::from(shift),
        !shifted.is_multiple_of(power),
    ))
}

/// `value` × 10^`exponent`, rounded. The caller bounds both.
fn big_magnitude(value: BigUint, exponent: i64) -> Magnitude {
    let power = BigUint::from(10_u8).pow(exponent.unsigned_abs() as u32);
    if exponent >= 0 {
        return Magnitude::round_big(&(value * power), 0, false);
    }
    let shift = (power.bits() + u64::from(BITS) + 2).saturating_sub(value.bits());
    let shifted = value << shift;
    let quotient = &shifted / &power;
    let sticky = &quotient * power != shifted;
    Magnitude::round_big(&quotient, -(shift as i64), sticky)
}
