//! Values between RESP and Lua, by Redis' rules ("Lua API reference": conversions).

use mlua::{Lua, Result, String as LuaString, Table, Value};

use crate::resp::reply::{Protocol, Reply};
use crate::stdx::number;

use super::text;

/// Nested tables in a script's result. Beyond: an error stands in the reply, as where Lua's stack ends in Redis.
const RESULT_DEPTH_MAX: usize = 1000;

/// Nested aggregates in the reply of a command; no command comes near it.
const REPLY_DEPTH_MAX: usize = 64;

/// The value of a command's reply, and whether it is an error.
pub(super) fn value_of_reply(lua: &Lua, reply: &[u8]) -> Result<(Value, bool)> {
    let is_error = reply.first() == Some(&b'-');
    let mut reader = ReplyReader { lua, bytes: reply, at: 0 };
    Ok((reader.value(0)?, is_error))
}

/// An error table, as `redis.error_reply` makes it and `redis.pcall` returns it.
pub(super) fn error_table(lua: &Lua, text: &[u8]) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("err", lua.create_string(text)?)?;
    Ok(table)
}

struct ReplyReader<'a> {
    lua: &'a Lua,
    bytes: &'a [u8],
    at: usize,
}

fn broken() -> mlua::Error {
    mlua::Error::runtime("a command's reply is broken")
}

impl<'a> ReplyReader<'a> {
    fn line(&mut self) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.at..).ok_or_else(broken)?;
        let end = memchr::memchr(b'\r', rest).ok_or_else(broken)?;
        self.at += end + 2;
        Ok(&rest[..end])
    }

    fn block(&mut self, count: usize) -> Result<&'a [u8]> {
        let block = self.bytes.get(self.at..self.at + count).ok_or_else(broken)?;
        self.at += count + 2;
        Ok(block)
    }

    fn single(&self, name: &str, value: impl mlua::IntoLua) -> Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        if depth > REPLY_DEPTH_MAX {
            return Err(broken());
        }
        let lua = self.lua;
        let line = self.line()?;
        let (sign, line) = line.split_first().ok_or_else(broken)?;
        let length = || number::parse_i64(line).ok_or_else(broken);
        Ok(match sign {
            b':' => Value::Number(length()? as f64),
            b'$' => match usize::try_from(length()?) {
                Ok(count) => Value::String(lua.create_string(self.block(count)?)?),
                Err(_) => Value::Boolean(false),
            },
            b'*' => match usize::try_from(length()?) {
                Ok(count) => self.array(count, depth)?,
                Err(_) => Value::Boolean(false),
            },
            b'+' => self.single("ok", lua.create_string(line)?)?,
            b'-' => Value::Table(error_table(lua, line)?),
            b'_' => Value::Nil,
            b'#' => Value::Boolean(line == b"t"),
            b',' => self.single("double", number::parse_double_leniently(line).unwrap_or(f64::NAN))?,
            b'(' => self.single("big_number", lua.create_string(line)?)?,
            b'=' => {
                let block = self.block(usize::try_from(length()?).map_err(|_| broken())?)?;
                let (format, string) = (block.get(..3).ok_or_else(broken)?, block.get(4..).ok_or_else(broken)?);
                let table = lua.create_table_with_capacity(0, 2)?;
                table.raw_set("format", lua.create_string(format)?)?;
                table.raw_set("string", lua.create_string(string)?)?;
                self.single("verbatim_string", table)?
            }
            b'%' => self.map(usize::try_from(length()?).map_err(|_| broken())?, depth)?,
            b'~' => self.set(usize::try_from(length()?).map_err(|_| broken())?, depth)?,
            b'|' => {
                for _ in 0..2 * length()? {
                    self.value(depth + 1)?;
                }
                self.value(depth)?
            }
            _ => return Err(broken()),
        })
    }

    fn array(&mut self, count: usize, depth: usize) -> Result<Value> {
        let table = self.lua.create_table_with_capacity(count.min(self.bytes.len()), 0)?;
        for index in 1..=count {
            let value = self.value(depth + 1)?;
            table.raw_set(index, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, count: usize, depth: usize) -> Result<Value> {
        let table = self.lua.create_table()?;
        for _ in 0..count {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            table.raw_set(key, value)?;
        }
        self.single("map", table)
    }

    fn set(&mut self, count: usize, depth: usize) -> Result<Value> {
        let table = self.lua.create_table()?;
        for _ in 0..count {
            let member = self.value(depth + 1)?;
            table.raw_set(member, true)?;
        }
        self.single("set", table)
    }
}

/// Writes what a script returned. `protocol` is the script's own (`redis.setresp`): it decides how booleans are meant.
pub(super) fn write_result(value: &Value, protocol: Protocol, reply: &mut Reply) {
    // The tables are read without metamethods, so nothing can fail but memory, and nothing runs.
    if write(value, protocol, reply, 0).is_err() {
        reply.null();
    }
}

fn write(value: &Value, protocol: Protocol, reply: &mut Reply, depth: usize) -> Result<()> {
    if depth > RESULT_DEPTH_MAX {
        reply.error("ERR reached lua stack limit");
        return Ok(());
    }
    match value {
        Value::String(string) => reply.bulk(&string.as_bytes()),
        Value::Integer(integer) => reply.integer(*integer),
        // As C's conversion does on the machines we run on.
        Value::Number(double) if double.is_nan() || *double >= 9.3e18 => reply.integer(i64::MIN),
        Value::Number(double) => reply.integer(*double as i64),
        Value::Boolean(boolean) if protocol == Protocol::Resp3 => reply.boolean(*boolean),
        Value::Boolean(true) => reply.integer(1),
        Value::Table(table) => return write_table(table, protocol, reply, depth),
        _ => reply.null(),
    }
    Ok(())
}

fn write_table(table: &Table, protocol: Protocol, reply: &mut Reply, depth: usize) -> Result<()> {
    if let Some(form) = named_form(table)? {
        return write_named(&form, protocol, reply, depth);
    }
    let array = reply.deferred();
    let mut count = 0;
    loop {
        let value = table.raw_get::<Value>(count + 1)?;
        if value.is_nil() {
            break;
        }
        write(&value, protocol, reply, depth + 1)?;
        count += 1;
    }
    reply.finish_array(array, count);
    Ok(())
}

/// What a table with one of the special fields stands for.
enum Form {
    Error(Vec<u8>),
    Status(Vec<u8>),
    Double(f64),
    BigNumber(Vec<u8>),
    Verbatim(LuaString, LuaString),
    Map(Table),
    Set(Table),
}

/// Strings and what Lua takes for one.
fn line_of(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(string) => Some(string.as_bytes().to_vec()),
        _ => None,
    }
}

fn named_form(table: &Table) -> Result<Option<Form>> {
    if let Some(text) = line_of(&table.raw_get("err")?) {
        return Ok(Some(Form::Error(text)));
    }
    if let Some(text) = line_of(&table.raw_get("ok")?) {
        return Ok(Some(Form::Status(text)));
    }
    match table.raw_get("double")? {
        Value::Number(double) => return Ok(Some(Form::Double(double))),
        Value::Integer(integer) => return Ok(Some(Form::Double(integer as f64))),
        _ => {}
    }
    if let Some(text) = line_of(&table.raw_get("big_number")?) {
        return Ok(Some(Form::BigNumber(text)));
    }
    if let Value::Table(verbatim) = table.raw_get("verbatim_string")?
        && let (Value::String(format), Value::String(string)) =
            (verbatim.raw_get::<Value>("format")?, verbatim.raw_get::<Value>("string")?)
    {
        return Ok(Some(Form::Verbatim(format, string)));
    }
    if let Value::Table(map) = table.raw_get("map")? {
        return Ok(Some(Form::Map(map)));
    }
    if let Value::Table(set) = table.raw_get("set")? {
        return Ok(Some(Form::Set(set)));
    }
    Ok(None)
}

fn write_named(form: &Form, protocol: Protocol, reply: &mut Reply, depth: usize) -> Result<()> {
    match form {
        Form::Error(error) => reply.error(text::error_line(error)),
        Form::Status(status) => reply.simple(&String::from_utf8_lossy(status)),
        Form::Double(double) => reply.double(*double),
        Form::BigNumber(digits) => {
            reply.big_number(&String::from_utf8_lossy(digits).replace(['\r', '\n'], " "));
        }
        Form::Verbatim(format, string) => {
            reply.verbatim(&String::from_utf8_lossy(&format.as_bytes()), &string.as_bytes());
        }
        Form::Map(map) => {
            let deferred = reply.deferred();
            let mut count = 0;
            map.for_each(|key: Value, value: Value| {
                count += 1;
                write(&key, protocol, reply, depth + 1)?;
                write(&value, protocol, reply, depth + 1)
            })?;
            reply.finish_map(deferred, count);
        }
        Form::Set(set) => {
            let deferred = reply.deferred();
            let mut count = 0;
            set.for_each(|member: Value, _: Value| {
                count += 1;
                write(&member, protocol, reply, depth + 1)
            })?;
            reply.finish_set(deferred, count);
        }
    }
    Ok(())
}
