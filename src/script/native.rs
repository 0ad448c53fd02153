//! What the libraries of scripts (cjson, cmsgpack, struct, bit) share: their making, their arguments, and errors as the C
//! libraries of Redis raise them.
//!
//! A function raises its errors as strings with the place of the call in front, as `luaL_error` does, so that a script which
//! catches them with pcall finds a string and no object of the engine. Errors of the engine itself, such as too little
//! memory, stay what they are. Arguments are converted as Lua 5.1 does: numbers to strings and back. Called by the files of
//! the four libraries only.

use std::io::Write;
use std::rc::Rc;

use mlua::{Function, IntoLua, Lua, MultiValue, Table, Value};

/// Values that a C function may hold on its stack in the Lua that Redis embeds; nesting and results end there.
pub(super) const STACK_SLOTS_MAX: usize = 8_000;

/// Bytes that one call may write; Redis has no such limit, but its strings end there.
pub(super) const OUTPUT_BYTES_MAX: usize = 512 << 20;

/// Digits of a number that becomes a string.
pub(super) const NUMBER_DIGITS: usize = 14;

/// Level of `error` at which the call in the script is named: `settle`, the function around it, the caller.
const LEVEL_CALLER: i32 = 3;

/// Level of `error` at which no place is named.
const LEVEL_NONE: i32 = 0;

/// Turns a native function, which tells of its errors in its first result, into one that raises them.
const RAISING: &str = "local raise = ...
local function settle(level, ...)
    if level then
        raise((...), level)
    end
    return ...
end
return function(native)
    return function(...)
        return settle(native(...))
    end
end";

/// Why a function of a library gives no results.
#[derive(Debug)]
pub(super) enum Failure {
    /// To be raised with the place of the call in front.
    Raised(Vec<u8>),
    /// To be raised as it is.
    Plain(&'static str),
    /// Of the engine.
    Engine(mlua::Error),
}

impl Failure {
    /// An error with this text.
    pub(super) fn text(text: impl Into<String>) -> Failure {
        Failure::Raised(text.into().into_bytes())
    }

    /// An error as `luaL_checkstack` raises it.
    pub(super) fn stack_overflow(reason: &str) -> Failure {
        Failure::text(format!("stack overflow ({reason})"))
    }
}

impl From<mlua::Error> for Failure {
    fn from(error: mlua::Error) -> Failure {
        Failure::Engine(error)
    }
}

/// What a function gives its caller.
pub(super) type Results = Result<MultiValue, Failure>;

/// One result.
pub(super) fn single(value: Value) -> Results {
    Ok(MultiValue::from_iter([value]))
}

/// Functions of the engine that libraries are made of.
pub(super) struct Tools {
    raising: Function,
    /// `next`: goes on behind a key of a table.
    pub(super) next: Function,
}

impl Tools {
    /// Takes `error` and `next` as they are now.
    pub(super) fn new(lua: &Lua) -> mlua::Result<Rc<Tools>> {
        let raise: Function = lua.globals().get("error")?;
        let raising = lua.load(RAISING).set_name("=library").call(raise)?;
        Ok(Rc::new(Tools { raising, next: lua.globals().get("next")? }))
    }
}

/// A library that is being made.
pub(super) struct Builder<'a> {
    lua: &'a Lua,
    tools: Rc<Tools>,
    table: Table,
}

impl<'a> Builder<'a> {
    /// An empty library.
    pub(super) fn new(lua: &'a Lua, tools: &Rc<Tools>) -> mlua::Result<Builder<'a>> {
        Ok(Builder { lua, tools: Rc::clone(tools), table: lua.create_table()? })
    }

    /// Adds a function.
    pub(super) fn function<F>(&self, name: &'static str, body: F) -> mlua::Result<()>
    where
        F: Fn(&Arguments<'_>) -> Results + 'static,
    {
        let native = self.lua.create_function(move |lua, values: MultiValue| {
            let (level, message) = match body(&Arguments { lua, function: name, values }) {
                Ok(mut results) => {
                    results.push_front(Value::Nil);
                    return Ok(results);
                }
                Err(Failure::Raised(message)) => (LEVEL_CALLER, lua.create_string(message)?),
                Err(Failure::Plain(message)) => (LEVEL_NONE, lua.create_string(message)?),
                Err(Failure::Engine(error)) => return Err(error),
            };
            Ok(MultiValue::from_iter([Value::Number(f64::from(level)), Value::String(message)]))
        })?;
        let function: Function = self.tools.raising.call(native)?;
        self.table.raw_set(name, function)
    }

    /// Adds a constant.
    pub(super) fn constant(&self, name: &str, value: impl IntoLua) -> mlua::Result<()> {
        self.table.raw_set(name, value)
    }

    /// The library.
    pub(super) fn finish(self) -> Table {
        self.table
    }
}

/// Arguments of a call; their positions count from 1.
pub(super) struct Arguments<'a> {
    /// The engine.
    pub(super) lua: &'a Lua,
    function: &'static str,
    values: MultiValue,
}

impl Arguments<'_> {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.values.len()
    }

    /// All in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }

    /// One of them; None: it is not there.
    pub(super) fn get(&self, position: usize) -> Option<&Value> {
        self.values.get(position.checked_sub(1)?)
    }

    /// Whether one is nil or not there.
    pub(super) fn is_absent(&self, position: usize) -> bool {
        self.get(position).is_none_or(Value::is_nil)
    }

    /// The error that an argument is wrong.
    pub(super) fn wrong(&self, position: usize, reason: impl AsRef<[u8]>) -> Failure {
        let mut message = format!("bad argument #{position} to '{}' (", self.function).into_bytes();
        message.extend_from_slice(reason.as_ref());
        message.push(b')');
        Failure::Raised(message)
    }

    fn wrong_type(&self, position: usize, expected: &str) -> Failure {
        let found = self.get(position).map_or("no value", type_name);
        self.wrong(position, format!("{expected} expected, got {found}"))
    }

    /// A string, or a number as one.
    pub(super) fn string(&self, position: usize) -> Result<mlua::String, Failure> {
        match self.get(position) {
            Some(Value::String(string)) => Ok(string.clone()),
            Some(value) if as_number(value).is_some() => {
                let mut text = Vec::new();
                write_number(&mut text, as_number(value).unwrap_or_default(), NUMBER_DIGITS);
                Ok(self.lua.create_string(text)?)
            }
            _ => Err(self.wrong_type(position, "string")),
        }
    }

    /// A number, or a string that is one.
    pub(super) fn number(&self, position: usize) -> Result<f64, Failure> {
        match self.get(position) {
            Some(value) => self.to_number(value)?.ok_or_else(|| self.wrong_type(position, "number")),
            None => Err(self.wrong_type(position, "number")),
        }
    }

    /// A number without its fraction.
    pub(super) fn integer(&self, position: usize) -> Result<i64, Failure> {
        self.number(position).map(truncate)
    }

    /// A number without its fraction, or the default for nil or nothing.
    pub(super) fn integer_or(&self, position: usize, default: i64) -> Result<i64, Failure> {
        if self.is_absent(position) { Ok(default) } else { self.integer(position) }
    }

    /// The number that a value is or that its text stands for.
    pub(super) fn to_number(&self, value: &Value) -> Result<Option<f64>, Failure> {
        match value {
            Value::String(_) => Ok(self.lua.coerce_number(value.clone())?),
            _ => Ok(as_number(value)),
        }
    }
}

/// The number that a value is.
pub(super) fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(integer) => Some(*integer as f64),
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

/// Lua's name of a value's type.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) => "userdata",
        _ => value.type_name(),
    }
}

/// A double as C on x86-64 turns it into a signed integer: what does not fit is the least one.
pub(super) fn truncate(number: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&number) { number as i64 } else { i64::MIN }
}

/// Adds bytes to an output, which does not grow beyond its limit.
pub(super) fn append(output: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Failure> {
    if bytes.len() > OUTPUT_BYTES_MAX.saturating_sub(output.len()) {
        return Err(too_long());
    }
    output.extend_from_slice(bytes);
    Ok(())
}

/// The error that an output is longer than its limit.
pub(super) fn too_long() -> Failure {
    Failure::text(format!("result is longer than {OUTPUT_BYTES_MAX} bytes"))
}

/// Writes a number with so many significant digits (1 to 17) as C's `%g` does.
pub(super) fn write_number(output: &mut Vec<u8>, number: f64, digits_max: usize) {
    if number.is_sign_negative() {
        output.push(b'-');
    }
    let number = number.abs();
    if !number.is_finite() {
        output.extend_from_slice(if number.is_nan() { b"nan" } else { b"inf" });
        return;
    }
    let mut buffer = [0; 40];
    let mut rest = &mut buffer[..];
    // The buffer is longer than any such text: sign-free digits, a point, and an exponent of up to four characters.
    let written = write!(rest, "{number:.*e}", digits_max.clamp(1, 17) - 1);
    let free = rest.len();
    let text = if written.is_ok() { &buffer[..buffer.len() - free] } else { &b"0e0"[..] };
    let mut digits = Vec::with_capacity(digits_max);
    let mut parts = text.split(|&byte| byte == b'e');
    digits.extend(parts.next().unwrap_or_default().iter().filter(|&&byte| byte != b'.'));
    let exponent = parts.next().and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| text.parse().ok());
    let exponent: i32 = exponent.unwrap_or_default();
    while digits.len() > 1 && digits.last() == Some(&b'0') {
        digits.pop();
    }
    place_point(output, &digits, exponent, digits_max);
}

/// Writes digits, the first of which stands before the point when the exponent is 0.
fn place_point(output: &mut Vec<u8>, digits: &[u8], exponent: i32, digits_max: usize) {
    let whole = usize::try_from(exponent).ok().filter(|&exponent| exponent < digits_max).map(|exponent| exponent + 1);
    if let Some(whole) = whole {
        let (before, after) = digits.split_at(whole.min(digits.len()));
        output.extend_from_slice(before);
        output.resize(output.len() + whole - before.len(), b'0');
        if !after.is_empty() {
            output.push(b'.');
            output.extend_from_slice(after);
        }
    } else if (-4..0).contains(&exponent) {
        output.extend_from_slice(b"0.");
        output.resize(output.len() + (exponent.unsigned_abs() as usize - 1), b'0');
        output.extend_from_slice(digits);
    } else {
        output.extend_from_slice(&digits[..1]);
        if digits.len() > 1 {
            output.push(b'.');
            output.extend_from_slice(&digits[1..]);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        output.extend_from_slice(format!("e{sign}{:02}", exponent.unsigned_abs()).as_bytes());
    }
}

/// For the tests of the libraries: runs a script that is given a library as `library`.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// What the script returns, in one line; an error's text after `error: `.
    pub(in crate::script) fn run(name: &str, library: fn(&Lua) -> mlua::Result<Table>, script: &str) -> String {
        let lua = Lua::new();
        let table = library(&lua).expect("a library is made");
        table.set_readonly(true);
        lua.globals().set(name, table).expect("a global is set");
        let script = format!("return pcall(function() {script} end)");
        let results: MultiValue = lua.load(script).set_name("=user_script").eval().expect("the script is caught");
        let shown: Vec<String> = results.iter().skip(1).map(show).collect();
        let has_failed = results.front() == Some(&Value::Boolean(false));
        format!("{}{}", if has_failed { "error: " } else { "" }, shown.join(" "))
    }

    /// Checks scripts and what they return.
    pub(in crate::script) fn check(name: &str, library: fn(&Lua) -> mlua::Result<Table>, cases: &[(&str, &str)]) {
        for (script, expected) in cases {
            assert_eq!(&run(name, library, script), expected, "{script}");
        }
    }

    fn show(value: &Value) -> String {
        match value {
            Value::Nil => "nil".into(),
            Value::Boolean(boolean) => boolean.to_string(),
            Value::String(string) => {
                let printable = |byte: &u8| match byte {
                    b' '..=b'~' => char::from(*byte).to_string(),
                    _ => format!("<{byte:02x}>"),
                };
                string.as_bytes().iter().map(printable).collect()
            }
            Value::Table(table) => {
                let items: Vec<String> = table.sequence_values::<Value>().map(|item| show(&item.unwrap())).collect();
                format!("[{}]", items.join(" "))
            }
            value if value.is_null() => "null".into(),
            value => match as_number(value) {
                Some(number) => {
                    let mut text = Vec::new();
                    write_number(&mut text, number, 17);
                    String::from_utf8_lossy(&text).into_owned()
                }
                None => type_name(value).into(),
            },
        }
    }

    #[test]
    fn numbers_are_written_as_c_writes_them() {
        let text = |number: f64, digits: usize| {
            let mut text = Vec::new();
            write_number(&mut text, number, digits);
            String::from_utf8_lossy(&text).into_owned()
        };
        for (number, digits, expected) in [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (1e14, 14, "1e+14"),
            (1e13, 14, "10000000000000"),
            (99_999_999_999_999.5, 14, "1e+14"),
            (0.0001, 14, "0.0001"),
            (0.00001, 14, "1e-05"),
            (1.0 / 3.0, 14, "0.33333333333333"),
            (123_456.0, 3, "1.23e+05"),
            (0.00012345, 3, "0.000123"),
            (9.99, 1, "1e+01"),
            (5e-324, 17, "4.9406564584124654e-324"),
            (f64::MAX, 17, "1.7976931348623157e+308"),
            (f64::NEG_INFINITY, 14, "-inf"),
        ] {
            assert_eq!(text(number, digits), expected);
        }
    }
}
