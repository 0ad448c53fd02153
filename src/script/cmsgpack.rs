//! The library `cmsgpack` of scripts: values as MessagePack and back, with the encodings that Redis chooses.
//!
//! A number that is an integer becomes the shortest integer, any other a float if nothing is lost and a double if it is. A
//! table whose keys are exactly 1 to n becomes an array, any other a map. What has no encoding becomes nil, and so does a
//! table within 16 others. Elements are read one by one, so that a header which claims more than there is costs nothing.
//! Installed by the engine of scripts.

use mlua::{Lua, Table, Value};

use super::native::{
    Arguments, Builder, Failure, Results, STACK_SLOTS_MAX, Tools, append, as_number, single, truncate,
};

/// Tables within tables that are packed.
const NESTING_MAX: usize = 16;

const MISSING_BYTES: &str = "Missing bytes in input.";
const BAD_FORMAT: &str = "Bad data format in input.";

/// Makes the table `cmsgpack`.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let builder = Builder::new(lua, &Tools::new(lua)?)?;
    builder.function("pack", pack)?;
    builder.function("unpack", |arguments| unpack(arguments, arguments.count(), 0, 0))?;
    builder.function("unpack_one", |arguments| unpack(arguments, 1, 1, arguments.integer_or(2, 0)?))?;
    builder.function("unpack_limit", |arguments| {
        let limit = arguments.integer(2)?;
        unpack(arguments, 1, limit, arguments.integer_or(3, 0)?)
    })?;
    builder.constant("_NAME", "cmsgpack")?;
    builder.constant("_VERSION", "lua-cmsgpack 0.4.0")?;
    builder.constant("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    builder.constant("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(builder.finish())
}

/// `pack(values...)`: their encodings, one behind the other.
fn pack(arguments: &Arguments<'_>) -> Results {
    if arguments.count() == 0 {
        return Err(arguments.wrong(0, "MessagePack pack needs input."));
    }
    let mut output = Vec::new();
    for value in arguments.iter() {
        write_value(&mut output, value, 0)?;
    }
    single(Value::String(arguments.lua.create_string(output)?))
}

fn write_value(output: &mut Vec<u8>, value: &Value, level: usize) -> Result<(), Failure> {
    match value {
        Value::Integer(integer) => write_integer(output, *integer),
        Value::Number(number) => write_number(output, *number),
        Value::Boolean(boolean) => append(output, &[0xc2 | u8::from(*boolean)]),
        Value::String(string) => write_string(output, &string.as_bytes()),
        Value::Table(table) if level < NESTING_MAX => write_table(output, table, level),
        _ => append(output, &[0xc0]),
    }
}

fn write_number(output: &mut Vec<u8>, number: f64) -> Result<(), Failure> {
    if number.is_finite() && truncate(number) as f64 == number {
        return write_integer(output, truncate(number));
    }
    let single = number as f32;
    if f64::from(single) == number {
        append(output, &[0xca])?;
        append(output, &single.to_be_bytes())
    } else {
        append(output, &[0xcb])?;
        append(output, &number.to_be_bytes())
    }
}

fn write_integer(output: &mut Vec<u8>, integer: i64) -> Result<(), Failure> {
    let bytes = integer.to_be_bytes();
    let (header, count) = match integer {
        -32..=127 => return append(output, &bytes[7..]),
        128..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        0x1_0000_0000.. => (0xcf, 8),
        -0x80..=-33 => (0xd0, 1),
        -0x8000..=-0x81 => (0xd1, 2),
        -0x8000_0000..=-0x8001 => (0xd2, 4),
        _ => (0xd3, 8),
    };
    append(output, &[header])?;
    append(output, &bytes[bytes.len() - count..])
}

fn write_string(output: &mut Vec<u8>, string: &[u8]) -> Result<(), Failure> {
    if let Ok(len @ 0..32) = u8::try_from(string.len()) {
        append(output, &[0xa0 | len])?;
    } else if let Ok(len) = u8::try_from(string.len()) {
        append(output, &[0xd9, len])?;
    } else {
        write_count(output, string.len(), 0xda, 0xdb)?;
    }
    append(output, string)
}

/// A count with its header: one for two bytes, another one for four.
fn write_count(output: &mut Vec<u8>, count: usize, short_header: u8, long_header: u8) -> Result<(), Failure> {
    if let Ok(count) = u16::try_from(count) {
        append(output, &[short_header])?;
        append(output, &count.to_be_bytes())
    } else {
        append(output, &[long_header])?;
        append(output, &(count as u32).to_be_bytes())
    }
}

fn write_table(output: &mut Vec<u8>, table: &Table, level: usize) -> Result<(), Failure> {
    let (count, is_array) = shape(table)?;
    let (fixed_header, short_header) = if is_array { (0x90, 0xdc) } else { (0x80, 0xde) };
    match u8::try_from(count) {
        Ok(count @ 0..16) => append(output, &[fixed_header | count])?,
        _ => write_count(output, count, short_header, short_header + 1)?,
    }
    if is_array {
        for index in 1..=count {
            write_value(output, &table.raw_get::<Value>(index)?, level + 1)?;
        }
        return Ok(());
    }
    for entry in table.pairs::<Value, Value>() {
        let (key, value) = entry?;
        write_value(output, &key, level + 1)?;
        write_value(output, &value, level + 1)?;
    }
    Ok(())
}

/// How many entries a table has, and whether their keys are 1 to that number.
fn shape(table: &Table) -> Result<(usize, bool), Failure> {
    let (mut count, mut greatest, mut is_array) = (0, 0.0_f64, true);
    for entry in table.pairs::<Value, Value>() {
        count += 1;
        match as_number(&entry?.0) {
            Some(key) if key > 0.0 && key.trunc() == key && key <= f64::from(i32::MAX) => greatest = greatest.max(key),
            _ => is_array = false,
        }
    }
    Ok((count, is_array && greatest == count as f64))
}

/// Unpacks values from an offset, at most so many; all of them if both are 0, and else with the offset behind them, which
/// is -1 at the end. `slots` are those that Redis' stack holds before.
fn unpack(arguments: &Arguments<'_>, slots: usize, limit: i64, offset: i64) -> Results {
    let data = arguments.string(1)?;
    let data = data.as_bytes();
    let (Ok(count_max), Ok(start)) = (usize::try_from(limit), usize::try_from(offset)) else {
        // The second number is not the limit in Redis either; both are shown as 32-bit integers.
        let message =
            format!("Invalid request to unpack with offset of {} and limit of {}.", offset as i32, data.len() as i32);
        return Err(Failure::text(message));
    };
    let Some(input) = data.get(start..) else {
        let message = format!("Start offset {} greater than input length {}.", offset as i32, data.len() as i32);
        return Err(Failure::text(message));
    };
    let is_whole = limit == 0 && offset == 0;
    let count_max = if is_whole { usize::MAX } else { count_max };
    let mut reader = Reader { lua: arguments.lua, input, slots, frames: Vec::new() };
    let mut results = Vec::new();
    while !reader.input.is_empty() && results.len() < count_max {
        results.push(reader.value()?);
        reader.slots += 1;
    }
    if !is_whole {
        if reader.slots + 1 > STACK_SLOTS_MAX {
            return Err(Failure::stack_overflow("in function mp_unpack_full"));
        }
        let behind = if reader.input.is_empty() { -1.0 } else { (data.len() - reader.input.len()) as f64 };
        results.insert(0, Value::Number(behind));
    }
    Ok(results.into_iter().collect())
}

/// An array or a map whose elements are being read.
enum Frame {
    Array { table: Table, index: u32, count: u32 },
    Map { table: Table, key: Option<Value>, remaining: u32 },
}

/// What starts at a place of the input.
enum Item {
    Value(Value),
    Array(u32),
    Map(u32),
}

/// Reads values without recursion; nesting ends where Redis' stack does.
struct Reader<'a> {
    lua: &'a Lua,
    input: &'a [u8],
    slots: usize,
    frames: Vec<Frame>,
}

impl Reader<'_> {
    /// One value with all that is in it.
    fn value(&mut self) -> Result<Value, Failure> {
        loop {
            let mut value = match self.item()? {
                Item::Value(value) => value,
                Item::Array(count) => match self.open_array(count)? {
                    Some(empty) => empty,
                    None => continue,
                },
                Item::Map(count) => match self.open_map(count)? {
                    Some(empty) => empty,
                    None => continue,
                },
            };
            loop {
                let Some(frame) = self.frames.pop() else { return Ok(value) };
                match self.put(frame, value)? {
                    Some(table) => value = table,
                    None => break,
                }
            }
        }
    }

    fn open_array(&mut self, count: u32) -> Result<Option<Value>, Failure> {
        if self.slots + 2 > STACK_SLOTS_MAX {
            return Err(Failure::stack_overflow("in function mp_decode_to_lua_array"));
        }
        let table = self.lua.create_table()?;
        if count == 0 {
            return Ok(Some(Value::Table(table)));
        }
        self.frames.push(Frame::Array { table, index: 0, count });
        self.slots += 2;
        Ok(None)
    }

    fn open_map(&mut self, remaining: u32) -> Result<Option<Value>, Failure> {
        let table = self.lua.create_table()?;
        if remaining == 0 {
            return Ok(Some(Value::Table(table)));
        }
        self.frames.push(Frame::Map { table, key: None, remaining });
        self.slots += 1;
        Ok(None)
    }

    /// Puts a value into the innermost table; the table if that was its last one.
    fn put(&mut self, frame: Frame, value: Value) -> Result<Option<Value>, Failure> {
        match frame {
            Frame::Array { table, index, count } => {
                let index = index + 1;
                table.raw_set(index, value)?;
                if index == count {
                    self.slots -= 2;
                    return Ok(Some(Value::Table(table)));
                }
                self.frames.push(Frame::Array { table, index, count });
            }
            Frame::Map { table, key: None, remaining } => {
                self.slots += 1;
                self.frames.push(Frame::Map { table, key: Some(value), remaining });
            }
            Frame::Map { table, key: Some(key), remaining } => {
                match &key {
                    Value::Nil => return Err(Failure::Plain("table index is nil")),
                    Value::Number(number) if number.is_nan() => return Err(Failure::Plain("table index is NaN")),
                    _ => table.raw_set(key, value)?,
                }
                self.slots -= 1;
                if remaining == 1 {
                    self.slots -= 1;
                    return Ok(Some(Value::Table(table)));
                }
                self.frames.push(Frame::Map { table, key: None, remaining: remaining - 1 });
            }
        }
        Ok(None)
    }

    fn item(&mut self) -> Result<Item, Failure> {
        let header = u8::from_be_bytes(self.take()?);
        if self.slots + 1 > STACK_SLOTS_MAX {
            return Err(Failure::stack_overflow(
                "too many return values at once; use unpack_one or unpack_limit instead.",
            ));
        }
        let number = match header {
            0x00..=0x7f => f64::from(header),
            0xe0..=0xff => f64::from(header.cast_signed()),
            0xca => f64::from(f32::from_be_bytes(self.take()?)),
            0xcb => f64::from_be_bytes(self.take()?),
            0xcc => f64::from(u8::from_be_bytes(self.take()?)),
            0xcd => f64::from(u16::from_be_bytes(self.take()?)),
            0xce => f64::from(u32::from_be_bytes(self.take()?)),
            0xd0 => f64::from(i8::from_be_bytes(self.take()?)),
            0xd1 => f64::from(i16::from_be_bytes(self.take()?)),
            0xd2 => f64::from(i32::from_be_bytes(self.take()?)),
            // Redis takes the unsigned integer of 64 bits for a signed one, too.
            0xcf | 0xd3 => i64::from_be_bytes(self.take()?) as f64,
            _ => return self.other_item(header),
        };
        Ok(Item::Value(Value::Number(number)))
    }

    /// What is no number.
    fn other_item(&mut self, header: u8) -> Result<Item, Failure> {
        Ok(match header {
            0x80..=0x8f => Item::Map(u32::from(header & 0xf)),
            0x90..=0x9f => Item::Array(u32::from(header & 0xf)),
            0xa0..=0xbf => self.string(u32::from(header & 0x1f))?,
            0xc0 => Item::Value(Value::Nil),
            0xc2 | 0xc3 => Item::Value(Value::Boolean(header == 0xc3)),
            0xd9 => {
                let len = u8::from_be_bytes(self.take()?);
                self.string(u32::from(len))?
            }
            0xda => {
                let len = u16::from_be_bytes(self.take()?);
                self.string(u32::from(len))?
            }
            0xdb => {
                let len = u32::from_be_bytes(self.take()?);
                self.string(len)?
            }
            0xdc => Item::Array(u32::from(u16::from_be_bytes(self.take()?))),
            0xdd => Item::Array(u32::from_be_bytes(self.take()?)),
            0xde => Item::Map(u32::from(u16::from_be_bytes(self.take()?))),
            0xdf => Item::Map(u32::from_be_bytes(self.take()?)),
            _ => return Err(Failure::text(BAD_FORMAT)),
        })
    }

    fn string(&mut self, len: u32) -> Result<Item, Failure> {
        let (string, rest) = self.input.split_at_checked(len as usize).ok_or_else(|| Failure::text(MISSING_BYTES))?;
        self.input = rest;
        Ok(Item::Value(Value::String(self.lua.create_string(string)?)))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let (bytes, rest) = self.input.split_first_chunk().ok_or_else(|| Failure::text(MISSING_BYTES))?;
        self.input = rest;
        Ok(*bytes)
    }
}

#[cfg(test)]
#[path = "cmsgpack_tests.rs"]
mod tests;
