//! The library `struct` of scripts: numbers and strings packed into bytes and back by a format, as Redis does it.
//!
//! Formats: `>` big endian, `<` little endian, which is the default, `!n` alignment, `x` a byte of padding, `b B h H l L T`
//! integers (lower case: signed), `i[n] I[n]` integers of n bytes, `f d` floating point, `s` a string with a zero behind it,
//! `c[n]` n bytes, and spaces, which stand for nothing. A format ends at its first zero byte. Installed by the engine of
//! scripts.

use mlua::{Lua, Table, Value};

use super::native::{Arguments, Builder, Failure, Results, STACK_SLOTS_MAX, Tools, append, single, truncate};

/// Bytes of the longest integer.
const INTEGER_BYTES_MAX: usize = 32;

/// Alignment of `!` without a number.
const ALIGNMENT_DEFAULT: usize = 8;

/// Bytes of an integer whose format does not say.
const INTEGER_BYTES_DEFAULT: usize = 4;

/// Makes the table `struct`.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let builder = Builder::new(lua, &Tools::new(lua)?)?;
    builder.function("pack", pack)?;
    builder.function("unpack", unpack)?;
    builder.function("size", size)?;
    Ok(builder.finish())
}

/// A format that is being read.
struct Format<'a> {
    text: &'a [u8],
    position: usize,
    big_endian: bool,
    alignment: usize,
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8]) -> Format<'a> {
        let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
        Format { text: &text[..end], position: 0, big_endian: false, alignment: 1 }
    }

    /// The next option and the bytes it takes; 0: it says so in another way.
    fn next(&mut self) -> Result<Option<(u8, usize)>, Failure> {
        let Some(&option) = self.text.get(self.position) else { return Ok(None) };
        self.position += 1;
        let bytes = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let bytes = self.number(INTEGER_BYTES_DEFAULT)?;
                if bytes > INTEGER_BYTES_MAX {
                    let message = format!("integral size {bytes} is larger than limit of {INTEGER_BYTES_MAX}");
                    return Err(Failure::text(message));
                }
                bytes
            }
            _ => 0,
        };
        Ok(Some((option, bytes)))
    }

    /// The number at this place.
    fn number(&mut self, default: usize) -> Result<usize, Failure> {
        let mut number: Option<i32> = None;
        while let Some(digit) = self.text.get(self.position).filter(|byte| byte.is_ascii_digit()) {
            let next = number.unwrap_or(0).checked_mul(10).and_then(|tens| tens.checked_add(i32::from(digit - b'0')));
            number = Some(next.ok_or_else(|| Failure::text("integral size overflow"))?);
            self.position += 1;
        }
        Ok(number.map_or(default, |number| number.unsigned_abs() as usize))
    }

    /// Bytes of padding before an item. Sizes that are no powers of two mix bits as Redis does.
    fn padding(&self, position: usize, option: u8, bytes: usize) -> usize {
        if bytes == 0 || option == b'c' {
            return 0;
        }
        let bytes = bytes.min(self.alignment);
        (bytes - (position & (bytes - 1))) & (bytes - 1)
    }

    /// Takes an option that stands for no item.
    fn control(&mut self, option: u8, arguments: &Arguments<'_>) -> Result<(), Failure> {
        match option {
            b' ' => {}
            b'>' => self.big_endian = true,
            b'<' => self.big_endian = false,
            b'!' => {
                let alignment = self.number(ALIGNMENT_DEFAULT)?;
                if !alignment.is_power_of_two() {
                    return Err(Failure::text(format!("alignment {alignment} is not a power of 2")));
                }
                self.alignment = alignment;
            }
            _ => {
                let mut reason = b"invalid format option '".to_vec();
                reason.extend_from_slice(&[option, b'\'']);
                return Err(arguments.wrong(1, reason));
            }
        }
        Ok(())
    }

    /// Bytes of a number between its order and little endian.
    fn order(&self, bytes: &mut [u8]) {
        if self.big_endian {
            bytes.reverse();
        }
    }
}

/// `pack(format, values...)`: the bytes.
fn pack(arguments: &Arguments<'_>) -> Results {
    let text = arguments.string(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let mut position = 2;
    let mut output = Vec::new();
    while let Some((option, bytes)) = format.next()? {
        let padding = format.padding(output.len(), option, bytes);
        append(&mut output, &[0; INTEGER_BYTES_MAX][..padding])?;
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let mut integer = [0; INTEGER_BYTES_MAX];
                integer[..8].copy_from_slice(&to_unsigned(packed_number(arguments, position)?).to_le_bytes());
                append_number(&mut output, &format, &mut integer[..bytes])?;
                position += 1;
            }
            b'x' => append(&mut output, &[0])?,
            b'f' => {
                let number = packed_number(arguments, position)? as f32;
                append_number(&mut output, &format, &mut number.to_le_bytes())?;
                position += 1;
            }
            b'd' => {
                let number = packed_number(arguments, position)?;
                append_number(&mut output, &format, &mut number.to_le_bytes())?;
                position += 1;
            }
            b'c' | b's' => {
                let string = packed_string(arguments, position)?;
                position += 1;
                let string = string.as_bytes();
                let bytes = if bytes == 0 { string.len() } else { bytes };
                let string = string.get(..bytes).ok_or_else(|| arguments.wrong(position, "string too short"))?;
                append(&mut output, string)?;
                if option == b's' {
                    append(&mut output, &[0])?;
                }
            }
            _ => format.control(option, arguments)?,
        }
    }
    single(Value::String(arguments.lua.create_string(output)?))
}

/// A value to pack; one that is not there counts as nil.
fn packed_number(arguments: &Arguments<'_>, position: usize) -> Result<f64, Failure> {
    match arguments.get(position) {
        Some(_) => arguments.number(position),
        None => Err(arguments.wrong(position, "number expected, got nil")),
    }
}

fn packed_string(arguments: &Arguments<'_>, position: usize) -> Result<mlua::String, Failure> {
    match arguments.get(position) {
        Some(_) => arguments.string(position),
        None => Err(arguments.wrong(position, "string expected, got nil")),
    }
}

fn append_number(output: &mut Vec<u8>, format: &Format<'_>, bytes: &mut [u8]) -> Result<(), Failure> {
    format.order(bytes);
    append(output, bytes)
}

/// A double as C on x86-64 turns it into 64 bits: negative ones as signed integers, others as unsigned ones.
fn to_unsigned(number: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    if number >= HALF { truncate(number - HALF).cast_unsigned() ^ (1 << 63) } else { truncate(number).cast_unsigned() }
}

/// `unpack(format, data[, position])`: the values and the position behind them.
fn unpack(arguments: &Arguments<'_>) -> Results {
    let (text, data) = (arguments.string(1)?, arguments.string(2)?);
    let (text, data) = (text.as_bytes(), data.as_bytes());
    let mut format = Format::new(&text);
    let mut position = arguments.integer_or(3, 1)?.cast_unsigned() as usize;
    if position == 0 {
        return Err(arguments.wrong(3, "offset must be 1 or greater"));
    }
    // A negative position is a huge one, which padding can bring back to the front.
    position -= 1;
    let mut results: Vec<Value> = Vec::new();
    while let Some((option, bytes)) = format.next()? {
        position = position.wrapping_add(format.padding(position, option, bytes));
        let item = item_at(arguments, &data, position, bytes)?;
        if arguments.count() + results.len() + 2 > STACK_SLOTS_MAX {
            return Err(Failure::stack_overflow("too many results"));
        }
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                results.push(Value::Number(integer_of(item, format.big_endian, option.is_ascii_lowercase())));
            }
            b'x' => {}
            b'f' | b'd' => results.push(Value::Number(floating_point_of(item, format.big_endian))),
            b'c' => {
                let item = if bytes == 0 { sized_by_last(arguments, &data, position, &mut results)? } else { item };
                results.push(Value::String(arguments.lua.create_string(item)?));
                position += item.len();
                continue;
            }
            b's' => {
                let rest = &data[position..];
                let end = rest.iter().position(|&byte| byte == 0);
                let end = end.ok_or_else(|| Failure::text("unfinished string in data"))?;
                results.push(Value::String(arguments.lua.create_string(&rest[..end])?));
                position += end + 1;
            }
            _ => format.control(option, arguments)?,
        }
        position += bytes;
    }
    results.push(Value::Number(position.wrapping_add(1).cast_signed() as f64));
    Ok(results.into_iter().collect())
}

fn item_at<'a>(arguments: &Arguments<'_>, data: &'a [u8], position: usize, bytes: usize) -> Result<&'a [u8], Failure> {
    let end = position.checked_add(bytes);
    end.and_then(|end| data.get(position..end)).ok_or_else(|| arguments.wrong(2, "data string too short"))
}

/// The string whose length the last result is, which it replaces.
fn sized_by_last<'a>(
    arguments: &Arguments<'_>,
    data: &'a [u8],
    position: usize,
    results: &mut Vec<Value>,
) -> Result<&'a [u8], Failure> {
    let last = results.pop().map_or(Ok(None), |last| arguments.to_number(&last))?;
    let last = last.ok_or_else(|| Failure::text("format 'c0' needs a previous size"))?;
    item_at(arguments, data, position, to_unsigned(last) as usize)
}

/// Only the lowest eight bytes count, but the sign is looked for where C's shift of a 64-bit integer ends up.
fn integer_of(item: &[u8], big_endian: bool, is_signed: bool) -> f64 {
    let shift_in = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
    let bits = if big_endian { item.iter().fold(0, shift_in) } else { item.iter().rev().fold(0, shift_in) };
    if !is_signed {
        return bits as f64;
    }
    let sign_and_above = u64::MAX.wrapping_shl((item.len() as u32 * 8).wrapping_sub(1));
    let bits = if bits & sign_and_above == 0 { bits } else { bits | sign_and_above };
    bits.cast_signed() as f64
}

fn floating_point_of(item: &[u8], big_endian: bool) -> f64 {
    let mut bytes = [0; 8];
    let bytes = &mut bytes[..item.len().min(8)];
    bytes.copy_from_slice(&item[..bytes.len()]);
    if big_endian {
        bytes.reverse();
    }
    match <[u8; 4]>::try_from(&*bytes) {
        Ok(single) => f64::from(f32::from_le_bytes(single)),
        Err(_) => <[u8; 8]>::try_from(&*bytes).map_or(0.0, f64::from_le_bytes),
    }
}

/// `size(format)`: the bytes that it takes. Letters that mean nothing take none.
fn size(arguments: &Arguments<'_>) -> Results {
    let text = arguments.string(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let mut position: usize = 0;
    while let Some((option, bytes)) = format.next()? {
        position += format.padding(position, option, bytes);
        if option == b's' {
            return Err(arguments.wrong(1, "option 's' has no fixed size"));
        }
        if option == b'c' && bytes == 0 {
            return Err(arguments.wrong(1, "option 'c0' has no fixed size"));
        }
        if !option.is_ascii_alphanumeric() {
            format.control(option, arguments)?;
        }
        position += bytes;
    }
    single(Value::Number(position as f64))
}

#[cfg(test)]
#[path = "structs_tests.rs"]
mod tests;
