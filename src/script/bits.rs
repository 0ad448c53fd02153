//! The library `bit` of scripts: bitwise operations on numbers as 32-bit integers, with the results of LuaBitOp.
//!
//! A number is rounded to an integer, ties to the even one, and taken modulo 2^32; results are signed. Installed by the
//! engine of scripts.

use mlua::{Lua, Table, Value};

use super::native::{Arguments, Builder, Failure, Results, Tools, single};

/// Digits of a number in `tohex`.
const HEX_DIGITS_MAX: u32 = 8;

/// Added to a double, leaves its integral part in the low bits: 2^52 + 2^51.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// Makes the table `bit`.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let builder = Builder::new(lua, &Tools::new(lua)?)?;
    builder.function("tobit", |arguments| signed(operand(arguments, 1)?))?;
    builder.function("bnot", |arguments| signed(!operand(arguments, 1)?))?;
    builder.function("bswap", |arguments| signed(operand(arguments, 1)?.swap_bytes()))?;
    builder.function("band", |arguments| fold(arguments, |left, right| left & right))?;
    builder.function("bor", |arguments| fold(arguments, |left, right| left | right))?;
    builder.function("bxor", |arguments| fold(arguments, |left, right| left ^ right))?;
    builder.function("lshift", |arguments| shift(arguments, u32::wrapping_shl))?;
    builder.function("rshift", |arguments| shift(arguments, u32::wrapping_shr))?;
    builder.function("arshift", |arguments| {
        shift(arguments, |bits, count| bits.cast_signed().wrapping_shr(count) as u32)
    })?;
    builder.function("rol", |arguments| shift(arguments, |bits, count| bits.rotate_left(count & 31)))?;
    builder.function("ror", |arguments| shift(arguments, |bits, count| bits.rotate_right(count & 31)))?;
    builder.function("tohex", tohex)?;
    Ok(builder.finish())
}

fn operand(arguments: &Arguments<'_>, position: usize) -> Result<u32, Failure> {
    Ok((arguments.number(position)? + ROUNDING).to_bits() as u32)
}

fn signed(bits: u32) -> Results {
    single(Value::Number(f64::from(bits.cast_signed())))
}

/// The last arguments come first, which shows in which of several wrong ones is named.
fn fold(arguments: &Arguments<'_>, combine: fn(u32, u32) -> u32) -> Results {
    let mut bits = operand(arguments, 1)?;
    for position in (2..=arguments.count()).rev() {
        bits = combine(bits, operand(arguments, position)?);
    }
    signed(bits)
}

fn shift(arguments: &Arguments<'_>, operation: fn(u32, u32) -> u32) -> Results {
    let bits = operand(arguments, 1)?;
    signed(operation(bits, operand(arguments, 2)?))
}

/// The last digits of a number, eight unless told; a negative count stands for upper-case digits.
fn tohex(arguments: &Arguments<'_>) -> Results {
    let bits = operand(arguments, 1)?;
    let count = match arguments.get(2) {
        None => HEX_DIGITS_MAX.cast_signed(),
        Some(_) => operand(arguments, 2)?.cast_signed(),
    };
    let text = if count < 0 { format!("{bits:08X}") } else { format!("{bits:08x}") };
    let shown = count.unsigned_abs().min(HEX_DIGITS_MAX) as usize;
    single(Value::String(arguments.lua.create_string(&text[text.len() - shown..])?))
}

#[cfg(test)]
mod tests {
    use super::library;
    use crate::script::native::testing::check;

    #[test]
    fn operations_have_the_results_of_redis() {
        check(
            "bit",
            library,
            &[
                (
                    "return bit.tobit(0/0), bit.tobit(2^31), bit.tobit(2^33 + 5.5), bit.tobit(-1.5)",
                    "0 -2147483648 6 -2",
                ),
                (
                    "return bit.tobit(1e300), bit.tobit('0xff'), bit.tobit(2^32 - 1), bit.tobit(1/0)",
                    "-2013235812 255 -1 0",
                ),
                ("return bit.lshift(1, 33), bit.rol(0x12345678, 0), bit.ror(0x12345678, -4)", "2 305419896 591751041"),
                ("return bit.arshift(-256, 4), bit.bswap(0x12345678), bit.rshift(-1, 28)", "-16 2018915346 15"),
                ("return bit.band(7, 11, 14), bit.bor(1, 2, 4), bit.bxor(5, 1), bit.bnot(0)", "2 7 4 -1"),
                ("return bit.band(5), bit.lshift(1, 31), bit.rshift(-1, 0)", "5 -2147483648 -1"),
            ],
        );
    }

    #[test]
    fn hexadecimal_digits_do_not_overflow() {
        check(
            "bit",
            library,
            &[
                ("return bit.tohex(65535, -2147483648), bit.tohex(65535, 2147483647)", "0000FFFF 0000ffff"),
                ("return bit.tohex(65535, -4), bit.tohex(-1), '<' .. bit.tohex(5, 0) .. '>'", "FFFF ffffffff <>"),
                ("return bit.tohex(255, 3), bit.tohex(0x87654321, 4)", "0ff 4321"),
            ],
        );
    }

    #[test]
    fn wrong_arguments_are_named() {
        let expected = |position: usize, function: &str, found: &str| {
            format!("user_script:1: bad argument #{position} to '{function}' (number expected, got {found})")
        };
        for (call, position, function, found) in [
            ("bit.tobit('x')", 1, "tobit", "string"),
            ("bit.tobit()", 1, "tobit", "no value"),
            ("bit.tobit(nil)", 1, "tobit", "nil"),
            ("bit.band(1, {}, nil)", 3, "band", "nil"),
            ("bit.band()", 1, "band", "no value"),
            ("bit.lshift(1)", 2, "lshift", "no value"),
            ("bit.tohex(1, nil)", 2, "tohex", "nil"),
        ] {
            let script =
                format!("local ok, message = pcall(function() return ({call}) end) return ok, type(message), message");
            check("bit", library, &[(&script, &format!("false string {}", expected(position, function, found)))]);
        }
    }
}
