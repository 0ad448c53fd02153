//! JSON texts of values, for the library `cjson`.

use mlua::{Function, Table, Value};

use super::{InvalidNumbers, Settings};
use crate::script::native::{
    Failure, OUTPUT_BYTES_MAX, STACK_SLOTS_MAX, append, as_number, too_long, type_name, write_number,
};

/// Slots of Redis' stack that a table needs while it is written.
const SLOTS_NEEDED: usize = 3;

/// The text of a value. `next` is Lua's function of this name.
pub(super) fn encode(settings: &Settings, next: &Function, value: &Value) -> Result<Vec<u8>, Failure> {
    let mut writer = Writer { settings, next, output: Vec::new(), slots: 1, frames: Vec::new() };
    let mut nested = writer.value(value)?;
    loop {
        nested = match (nested, writer.frames.pop()) {
            (Some(table), frame) => {
                writer.frames.extend(frame);
                writer.open(table)?
            }
            (None, Some(Frame::Array { table, index, length })) => writer.go_on_array(table, index, length)?,
            (None, Some(Frame::Object { table, key })) => writer.go_on_object(table, key)?,
            (None, None) => return Ok(writer.output),
        };
    }
}

/// A table that has been written in part.
enum Frame {
    /// `index` is that of the last element written.
    Array { table: Table, index: usize, length: usize },
    /// `key` is that of the last member written.
    Object { table: Table, key: Value },
}

struct Writer<'a> {
    settings: &'a Settings,
    next: &'a Function,
    output: Vec<u8>,
    /// Slots of Redis' stack in use.
    slots: usize,
    frames: Vec<Frame>,
}

impl Writer<'_> {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        append(&mut self.output, bytes)
    }

    /// Writes a value; a table is left to the caller.
    fn value(&mut self, value: &Value) -> Result<Option<Table>, Failure> {
        match value {
            Value::Table(table) => return Ok(Some(table.clone())),
            Value::String(string) => self.string(&string.as_bytes())?,
            Value::Integer(_) | Value::Number(_) => self.number(value)?,
            Value::Boolean(true) => self.push(b"true")?,
            Value::Boolean(false) => self.push(b"false")?,
            Value::Nil => self.push(b"null")?,
            value if value.is_null() => self.push(b"null")?,
            value => return Err(cannot_serialise(value, "type not supported")),
        }
        Ok(None)
    }

    fn number(&mut self, value: &Value) -> Result<(), Failure> {
        let number = as_number(value).unwrap_or(f64::NAN);
        if !number.is_finite() {
            match self.settings.encode_invalid_numbers.get() {
                InvalidNumbers::Error => return Err(cannot_serialise(value, "must not be NaN or Inf")),
                InvalidNumbers::Null => return self.push(b"null"),
                InvalidNumbers::Name if number.is_nan() => return self.push(b"nan"),
                InvalidNumbers::Name => {}
            }
        }
        let digits = usize::try_from(self.settings.number_digits.get()).unwrap_or_default();
        write_number(&mut self.output, number, digits);
        Ok(())
    }

    /// Control characters, DEL, quotes and both slashes are escaped; all else is copied.
    fn string(&mut self, string: &[u8]) -> Result<(), Failure> {
        self.push(b"\"")?;
        let mut rest = string;
        while let Some(plain) = rest.iter().position(|&byte| is_escaped(byte)) {
            self.push(&rest[..plain])?;
            self.escape(rest[plain])?;
            rest = &rest[plain + 1..];
        }
        self.push(rest)?;
        self.push(b"\"")
    }

    fn escape(&mut self, byte: u8) -> Result<(), Failure> {
        let letter = match byte {
            b'"' | b'\\' | b'/' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => {
                let digit = |value: u8| b"0123456789abcdef"[usize::from(value & 15)];
                return self.push(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
            }
        };
        self.push(&[b'\\', letter])
    }

    /// Starts a table and writes its elements up to a table, which is returned, or the end.
    fn open(&mut self, table: Table) -> Result<Option<Table>, Failure> {
        let depth = self.frames.len() + 1;
        let depth_max = usize::try_from(self.settings.encode_depth_max.get()).unwrap_or_default();
        if depth > depth_max || self.slots + SLOTS_NEEDED > STACK_SLOTS_MAX {
            return Err(Failure::text(format!("Cannot serialise, excessive nesting ({depth})")));
        }
        if let Some(length) = self.array_length(&table)? {
            self.push(b"[")?;
            self.slots += 1;
            return self.go_on_array(table, 0, length);
        }
        self.push(b"{")?;
        self.slots += 2;
        // This loop is the faster one, but it cannot be left and entered again: behind a table `next` goes on.
        let mut is_first = true;
        for entry in table.pairs::<Value, Value>() {
            let (key, value) = entry?;
            let nested = self.member(&key, &value, is_first)?;
            if nested.is_some() {
                self.frames.push(Frame::Object { table: table.clone(), key });
                return Ok(nested);
            }
            is_first = false;
        }
        self.end_object()
    }

    /// The greatest index of an array with elements; None: the table is to be an object.
    fn array_length(&self, table: &Table) -> Result<Option<usize>, Failure> {
        let (mut greatest, mut count) = (0_i64, 0_i64);
        for entry in table.pairs::<Value, Value>() {
            match as_number(&entry?.0) {
                // A greater index has no place in an array of lua-cjson.
                Some(key) if key >= 1.0 && key.floor() == key && key <= f64::from(i32::MAX) => {
                    greatest = greatest.max(key as i64);
                }
                _ => return Ok(None),
            }
            count += 1;
        }
        let ratio = i64::from(self.settings.sparse_ratio.get());
        let safe = i64::from(self.settings.sparse_safe.get());
        if ratio > 0 && greatest > count.saturating_mul(ratio) && greatest > safe {
            if self.settings.sparse_convert.get() {
                return Ok(None);
            }
            return Err(Failure::text("Cannot serialise table: excessively sparse array"));
        }
        let length = usize::try_from(greatest).unwrap_or_default();
        // Every missing element is a null and a comma: this tells before they are written that they are too many.
        let missing = usize::try_from(greatest - count).unwrap_or_default();
        if missing.saturating_mul(b"null,".len()) > OUTPUT_BYTES_MAX.saturating_sub(self.output.len()) {
            return Err(too_long());
        }
        Ok(Some(length).filter(|&length| length > 0))
    }

    /// Writes elements up to a table, which is returned, or the end.
    fn go_on_array(&mut self, table: Table, index: usize, length: usize) -> Result<Option<Table>, Failure> {
        for index in index + 1..=length {
            if index > 1 {
                self.push(b",")?;
            }
            let nested = self.value(&table.raw_get(index)?)?;
            if nested.is_some() {
                self.frames.push(Frame::Array { table, index, length });
                return Ok(nested);
            }
        }
        self.slots -= 1;
        self.push(b"]")?;
        Ok(None)
    }

    /// Writes members up to a table, which is returned, or the end.
    fn go_on_object(&mut self, table: Table, mut key: Value) -> Result<Option<Table>, Failure> {
        loop {
            let value: Value;
            (key, value) = self.next.call((&table, key))?;
            if key.is_nil() {
                return self.end_object();
            }
            let nested = self.member(&key, &value, false)?;
            if nested.is_some() {
                self.frames.push(Frame::Object { table, key });
                return Ok(nested);
            }
        }
    }

    fn end_object(&mut self) -> Result<Option<Table>, Failure> {
        self.slots -= 2;
        self.push(b"}")?;
        Ok(None)
    }

    /// Writes a key and its value; a table is left to the caller.
    fn member(&mut self, key: &Value, value: &Value, is_first: bool) -> Result<Option<Table>, Failure> {
        if !is_first {
            self.push(b",")?;
        }
        match key {
            Value::String(string) => self.string(&string.as_bytes())?,
            Value::Integer(_) | Value::Number(_) => {
                self.push(b"\"")?;
                self.number(key)?;
                self.push(b"\"")?;
            }
            key => return Err(cannot_serialise(key, "table key must be a number or string")),
        }
        self.push(b":")?;
        self.value(value)
    }
}

fn is_escaped(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b'\\' | b'/' | 0x7f)
}

fn cannot_serialise(value: &Value, reason: &str) -> Failure {
    Failure::text(format!("Cannot serialise {}: {reason}", type_name(value)))
}
