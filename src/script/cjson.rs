//! The library `cjson` of scripts: values as JSON and back, with the choices of lua-cjson 2.1 as Redis has it.
//!
//! A table whose keys are positive integers becomes an array, with null for what is missing; any other and an empty one an
//! object. An array with much more missing than there is an error. Strings are bytes: nothing checks that they are UTF-8. A
//! text ends at its first zero byte. Neither direction recurses; nesting ends at the configured depth, and in any case where
//! Redis' stack does. Every table of functions (`cjson.new`) has settings of its own. Installed by the engine of scripts.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};

use super::native::{Arguments, Builder, Failure, NUMBER_DIGITS, Results, Tools, single};

#[path = "cjson_decode.rs"]
mod decode;
#[path = "cjson_encode.rs"]
mod encode;

/// Tables within tables unless configured otherwise.
const DEPTH_MAX_DEFAULT: i32 = 1_000;

/// An array may be this many times as long as it has elements.
const SPARSE_RATIO_DEFAULT: i32 = 2;

/// An array up to this length is never sparse.
const SPARSE_SAFE_DEFAULT: i32 = 10;

/// Makes the table `cjson`.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    instance(lua, &Tools::new(lua)?)
}

/// What is written for NaN and infinities, which JSON lacks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InvalidNumbers {
    Error,
    Name,
    Null,
}

/// Settings of one table of functions.
struct Settings {
    sparse_convert: Cell<bool>,
    sparse_ratio: Cell<i32>,
    sparse_safe: Cell<i32>,
    encode_depth_max: Cell<i32>,
    decode_depth_max: Cell<i32>,
    number_digits: Cell<i32>,
    keep_buffer: Cell<bool>,
    encode_invalid_numbers: Cell<InvalidNumbers>,
    decode_invalid_numbers: Cell<bool>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sparse_convert: Cell::new(false),
            sparse_ratio: Cell::new(SPARSE_RATIO_DEFAULT),
            sparse_safe: Cell::new(SPARSE_SAFE_DEFAULT),
            encode_depth_max: Cell::new(DEPTH_MAX_DEFAULT),
            decode_depth_max: Cell::new(DEPTH_MAX_DEFAULT),
            number_digits: Cell::new(NUMBER_DIGITS as i32),
            keep_buffer: Cell::new(true),
            encode_invalid_numbers: Cell::new(InvalidNumbers::Error),
            decode_invalid_numbers: Cell::new(true),
        }
    }
}

fn instance(lua: &Lua, tools: &Rc<Tools>) -> mlua::Result<Table> {
    let builder = Builder::new(lua, tools)?;
    let settings = Rc::new(Settings::default());
    let (encoding, next) = (Rc::clone(&settings), tools.next.clone());
    builder.function("encode", move |arguments| {
        let value = only_argument(arguments)?;
        let text = encode::encode(&encoding, &next, value)?;
        single(Value::String(arguments.lua.create_string(text)?))
    })?;
    let decoding = Rc::clone(&settings);
    builder.function("decode", move |arguments| {
        only_argument(arguments)?;
        let text = arguments.string(1)?;
        single(decode::decode(arguments.lua, &decoding, &text.as_bytes())?)
    })?;
    let tools = Rc::clone(tools);
    builder.function("new", move |arguments| single(Value::Table(instance(arguments.lua, &tools)?)))?;
    add_settings(&builder, &settings)?;
    builder.constant("null", Value::NULL)?;
    builder.constant("_NAME", "cjson")?;
    builder.constant("_VERSION", "2.1.0")?;
    Ok(builder.finish())
}

fn only_argument<'a>(arguments: &'a Arguments<'_>) -> Result<&'a Value, Failure> {
    match arguments.get(1) {
        Some(value) if arguments.count() == 1 => Ok(value),
        _ => Err(arguments.wrong(1, "expected 1 argument")),
    }
}

/// Adds the functions that change settings; each returns what is set then.
fn add_settings(builder: &Builder<'_>, settings: &Rc<Settings>) -> mlua::Result<()> {
    let of = settings;
    let settings = Rc::clone(of);
    builder.function("encode_sparse_array", move |arguments| {
        count_at_most(arguments, 3)?;
        Ok(MultiValue::from_iter([
            boolean(arguments, &settings.sparse_convert)?,
            integer(arguments, 2, &settings.sparse_ratio, 0, i32::MAX)?,
            integer(arguments, 3, &settings.sparse_safe, 0, i32::MAX)?,
        ]))
    })?;
    let settings = Rc::clone(of);
    builder.function("encode_max_depth", move |arguments| {
        count_at_most(arguments, 1)?;
        single(integer(arguments, 1, &settings.encode_depth_max, 1, i32::MAX)?)
    })?;
    let settings = Rc::clone(of);
    builder.function("decode_max_depth", move |arguments| {
        count_at_most(arguments, 1)?;
        single(integer(arguments, 1, &settings.decode_depth_max, 1, i32::MAX)?)
    })?;
    let settings = Rc::clone(of);
    builder.function("encode_number_precision", move |arguments| {
        count_at_most(arguments, 1)?;
        single(integer(arguments, 1, &settings.number_digits, 1, NUMBER_DIGITS as i32)?)
    })?;
    // There is no buffer to keep: it makes no difference to a script.
    let settings = Rc::clone(of);
    builder.function("encode_keep_buffer", move |arguments| {
        count_at_most(arguments, 1)?;
        single(boolean(arguments, &settings.keep_buffer)?)
    })?;
    let settings = Rc::clone(of);
    builder.function("encode_invalid_numbers", move |arguments| {
        count_at_most(arguments, 1)?;
        invalid_numbers(arguments, &settings.encode_invalid_numbers)
    })?;
    let settings = Rc::clone(of);
    builder.function("decode_invalid_numbers", move |arguments| {
        count_at_most(arguments, 1)?;
        single(boolean(arguments, &settings.decode_invalid_numbers)?)
    })
}

fn count_at_most(arguments: &Arguments<'_>, count: usize) -> Result<(), Failure> {
    if arguments.count() > count {
        return Err(arguments.wrong(count + 1, "found too many arguments"));
    }
    Ok(())
}

/// Sets an integer if the argument is there. Whichever it is, the first one is blamed, as lua-cjson does.
fn integer(
    arguments: &Arguments<'_>,
    position: usize,
    setting: &Cell<i32>,
    least: i32,
    greatest: i32,
) -> Result<Value, Failure> {
    if !arguments.is_absent(position) {
        // C keeps the low 32 bits.
        let value = arguments.integer(position)? as i32;
        if !(least..=greatest).contains(&value) {
            return Err(arguments.wrong(1, format!("expected integer between {least} and {greatest}")));
        }
        setting.set(value);
    }
    Ok(Value::Number(f64::from(setting.get())))
}

fn boolean(arguments: &Arguments<'_>, setting: &Cell<bool>) -> Result<Value, Failure> {
    if let Some(chosen) = option(arguments, &["off", "on"])? {
        setting.set(chosen == 1);
    }
    Ok(Value::Boolean(setting.get()))
}

fn invalid_numbers(arguments: &Arguments<'_>, setting: &Cell<InvalidNumbers>) -> Results {
    match option(arguments, &["off", "on", "null"])? {
        None => {}
        Some(0) => setting.set(InvalidNumbers::Error),
        Some(1) => setting.set(InvalidNumbers::Name),
        Some(_) => setting.set(InvalidNumbers::Null),
    }
    single(match setting.get() {
        InvalidNumbers::Error => Value::Boolean(false),
        InvalidNumbers::Name => Value::Boolean(true),
        InvalidNumbers::Null => Value::String(arguments.lua.create_string("null")?),
    })
}

/// Which of the names the first argument is; false is the first one and true the second.
fn option(arguments: &Arguments<'_>, names: &[&str]) -> Result<Option<usize>, Failure> {
    match arguments.get(1) {
        None | Some(Value::Nil) => Ok(None),
        Some(Value::Boolean(boolean)) => Ok(Some(usize::from(*boolean))),
        Some(_) => {
            let name = arguments.string(1)?;
            let name = name.as_bytes();
            let chosen = names.iter().position(|candidate| candidate.as_bytes() == &*name);
            chosen.map(Some).ok_or_else(|| {
                let reason = [&b"invalid option '"[..], &name, b"'"].concat();
                arguments.wrong(1, reason)
            })
        }
    }
}

#[cfg(test)]
#[path = "cjson_tests.rs"]
mod tests;
