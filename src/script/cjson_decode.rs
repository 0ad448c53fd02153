//! Values of JSON texts, for the library `cjson`.

use mlua::{Lua, Table, Value};

use super::Settings;
use crate::script::native::{Failure, STACK_SLOTS_MAX};

/// Slots of Redis' stack that an array needs while it is read.
const SLOTS_ARRAY: usize = 2;

/// Slots of Redis' stack that an object needs while it is read.
const SLOTS_OBJECT: usize = 3;

/// The value of a text.
pub(super) fn decode(lua: &Lua, settings: &Settings, text: &[u8]) -> Result<Value, Failure> {
    if text.len() >= 2 && text[..2].contains(&0) {
        return Err(Failure::text("JSON parser does not support UTF-16 or UTF-32"));
    }
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    Reader {
        lua,
        allows_invalid_numbers: settings.decode_invalid_numbers.get(),
        depth_max: usize::try_from(settings.decode_depth_max.get()).unwrap_or_default(),
        text: &text[..end],
        position: 0,
        token_start: 0,
        string: Vec::new(),
        slots: 1,
        frames: Vec::new(),
    }
    .document()
}

#[derive(Clone, Copy, PartialEq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    /// Its bytes are in the reader.
    String,
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Invalid(&'static str),
}

impl Token {
    /// What an error calls it.
    fn name(self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Invalid(what) => what,
        }
    }
}

/// An array or an object that is being read; an object has the key of the value to come.
enum Frame {
    Array { table: Table, length: usize },
    Object { table: Table, key: mlua::String },
}

struct Reader<'a> {
    lua: &'a Lua,
    allows_invalid_numbers: bool,
    depth_max: usize,
    text: &'a [u8],
    position: usize,
    /// Where the last token starts, or where it is wrong.
    token_start: usize,
    /// Bytes of the last string.
    string: Vec<u8>,
    /// Slots of Redis' stack in use.
    slots: usize,
    frames: Vec<Frame>,
}

impl Reader<'_> {
    fn document(mut self) -> Result<Value, Failure> {
        let mut token = self.token();
        loop {
            let Some(mut value) = self.begin_value(&mut token)? else { continue };
            loop {
                let Some(frame) = self.frames.pop() else {
                    return match self.token() {
                        Token::End => Ok(value),
                        token => Err(self.unexpected("the end", token)),
                    };
                };
                match self.put(frame, value, &mut token)? {
                    Some(table) => value = table,
                    None => break,
                }
            }
        }
    }

    /// The value that starts with a token; None: one with others in it, of which the first starts with the token put there.
    fn begin_value(&mut self, token: &mut Token) -> Result<Option<Value>, Failure> {
        Ok(Some(match *token {
            Token::String => Value::String(self.lua.create_string(&self.string)?),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(boolean) => Value::Boolean(boolean),
            Token::Null => Value::NULL,
            Token::ArrayBegin => {
                self.descend(SLOTS_ARRAY)?;
                let table = self.lua.create_table()?;
                *token = self.token();
                if *token == Token::ArrayEnd {
                    return Ok(Some(Value::Table(table)));
                }
                self.slots += 1;
                self.frames.push(Frame::Array { table, length: 0 });
                return Ok(None);
            }
            Token::ObjectBegin => {
                self.descend(SLOTS_OBJECT)?;
                let table = self.lua.create_table()?;
                let first = self.token();
                if first == Token::ObjectEnd {
                    return Ok(Some(Value::Table(table)));
                }
                self.slots += 2;
                *token = self.begin_member(table, first)?;
                return Ok(None);
            }
            other => return Err(self.unexpected("value", other)),
        }))
    }

    fn descend(&mut self, slots_needed: usize) -> Result<(), Failure> {
        let depth = self.frames.len() + 1;
        if depth > self.depth_max || self.slots + slots_needed > STACK_SLOTS_MAX {
            let position = self.position;
            let message = format!("Found too many nested data structures ({depth}) at character {position}");
            return Err(Failure::text(message));
        }
        Ok(())
    }

    /// Takes a key and its colon; the token behind them.
    fn begin_member(&mut self, table: Table, token: Token) -> Result<Token, Failure> {
        if token != Token::String {
            return Err(self.unexpected("object key string", token));
        }
        let key = self.lua.create_string(&self.string)?;
        match self.token() {
            Token::Colon => {}
            other => return Err(self.unexpected("colon", other)),
        }
        self.frames.push(Frame::Object { table, key });
        Ok(self.token())
    }

    /// Puts a value into the innermost table; the table if it ends there, and else the token that the next value starts with.
    fn put(&mut self, frame: Frame, value: Value, token: &mut Token) -> Result<Option<Value>, Failure> {
        match frame {
            Frame::Array { table, length } => {
                let length = length + 1;
                table.raw_set(length, value)?;
                match self.token() {
                    Token::ArrayEnd => {
                        self.slots -= 1;
                        return Ok(Some(Value::Table(table)));
                    }
                    Token::Comma => {}
                    other => return Err(self.unexpected("comma or array end", other)),
                }
                self.frames.push(Frame::Array { table, length });
                *token = self.token();
            }
            Frame::Object { table, key } => {
                table.raw_set(key, value)?;
                match self.token() {
                    Token::ObjectEnd => {
                        self.slots -= 2;
                        return Ok(Some(Value::Table(table)));
                    }
                    Token::Comma => {}
                    other => return Err(self.unexpected("comma or object end", other)),
                }
                let first = self.token();
                *token = self.begin_member(table, first)?;
            }
        }
        Ok(None)
    }

    fn unexpected(&self, expected: &str, found: Token) -> Failure {
        let (found, position) = (found.name(), self.token_start + 1);
        Failure::text(format!("Expected {expected} but found {found} at character {position}"))
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn token(&mut self) -> Token {
        let spaces = self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.position += spaces;
        self.token_start = self.position;
        let Some(&first) = self.rest().first() else { return Token::End };
        let token = match first {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if !self.allows_invalid_numbers && is_invalid_number(self.rest()) {
                    return Token::Invalid("invalid number");
                }
                return self.number();
            }
            b'f' | b'i' | b'I' | b'n' | b'N' | b't' | b'+' => return self.word(),
            _ => return Token::Invalid("invalid token"),
        };
        self.position += 1;
        token
    }

    /// A name, or a number that starts like one.
    fn word(&mut self) -> Token {
        for (name, token) in [("true", Token::Boolean(true)), ("false", Token::Boolean(false)), ("null", Token::Null)] {
            if self.rest().starts_with(name.as_bytes()) {
                self.position += name.len();
                return token;
            }
        }
        if self.allows_invalid_numbers && is_invalid_number(self.rest()) {
            return self.number();
        }
        Token::Invalid("invalid token")
    }

    fn number(&mut self) -> Token {
        match scan_number(self.rest()) {
            Some((number, len)) => {
                self.position += len;
                Token::Number(number)
            }
            None => Token::Invalid("invalid number"),
        }
    }

    /// An error is where the reader stands then.
    fn string(&mut self) -> Token {
        self.position += 1;
        self.string.clear();
        loop {
            let rest = self.text.get(self.position..).unwrap_or_default();
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
            self.string.extend_from_slice(&rest[..plain]);
            self.position += plain;
            let problem = match rest.get(plain) {
                Some(b'"') => {
                    self.position += 1;
                    return Token::String;
                }
                Some(_) => self.escape(&rest[plain..]),
                None => Some("unexpected end of string"),
            };
            if let Some(problem) = problem {
                self.token_start = self.position;
                return Token::Invalid(problem);
            }
        }
    }

    /// Takes an escape, or tells what is wrong with it.
    fn escape(&mut self, text: &[u8]) -> Option<&'static str> {
        let byte = match text.get(1) {
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 0x08,
            Some(b't') => b'\t',
            Some(b'n') => b'\n',
            Some(b'f') => 0x0c,
            Some(b'r') => b'\r',
            Some(b'u') => {
                let Some((character, len)) = unicode_escape(text) else { return Some("invalid unicode escape code") };
                self.string.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                self.position += len;
                return None;
            }
            _ => return Some("invalid escape code"),
        };
        self.string.push(byte);
        self.position += 2;
        None
    }
}

/// The character of an escape and the bytes it takes; one beyond 16 bits is two escapes.
fn unicode_escape(text: &[u8]) -> Option<(char, usize)> {
    let high = hexadecimal(text.get(2..6)?)?;
    if let Some(character) = char::from_u32(high) {
        return Some((character, 6));
    }
    let low = text.get(6..12)?.strip_prefix(b"\\u").and_then(hexadecimal)?;
    if high >= 0xdc00 || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let character = char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
    Some((character, 12))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
}

/// Whether this is, or may become, a number that C reads and JSON does not have.
fn is_invalid_number(text: &[u8]) -> bool {
    if text.first() == Some(&b'+') {
        return true;
    }
    let text = text.strip_prefix(b"-").unwrap_or(text);
    match text {
        [b'0', second, ..] => second.is_ascii_digit() || matches!(second, b'x' | b'X'),
        _ => starts_with_name(text, b"inf") || starts_with_name(text, b"nan"),
    }
}

fn starts_with_name(text: &[u8], name: &[u8]) -> bool {
    text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// A number as C's `strtod` reads it, and its length.
fn scan_number(text: &[u8]) -> Option<(f64, usize)> {
    let sign_len = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let unsigned = &text[sign_len..];
    let (number, len) = if starts_with_name(unsigned, b"infinity") {
        (f64::INFINITY, 8)
    } else if starts_with_name(unsigned, b"inf") {
        (f64::INFINITY, 3)
    } else if starts_with_name(unsigned, b"nan") {
        (f64::NAN, 3 + nan_payload_len(&unsigned[3..]))
    } else if starts_with_name(unsigned, b"0x") {
        scan_hexadecimal(unsigned).unwrap_or((0.0, 1))
    } else {
        scan_decimal(unsigned)?
    };
    Some((if text[0] == b'-' { -number } else { number }, sign_len + len))
}

/// Letters, digits and underscores in parentheses.
fn nan_payload_len(text: &[u8]) -> usize {
    let Some(inner) = text.strip_prefix(b"(") else { return 0 };
    let len = inner.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    if inner.get(len) == Some(&b')') { len + 2 } else { 0 }
}

fn digits_len(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Length of an exponent with this letter; 0: there is none.
fn exponent_len(text: &[u8], letter: u8) -> usize {
    if !text.first().is_some_and(|first| first.eq_ignore_ascii_case(&letter)) {
        return 0;
    }
    let sign_len = usize::from(matches!(text.get(1), Some(b'+' | b'-')));
    match digits_len(&text[1 + sign_len..]) {
        0 => 0,
        digits => 1 + sign_len + digits,
    }
}

fn scan_decimal(text: &[u8]) -> Option<(f64, usize)> {
    let mut len = digits_len(text);
    let mut digits = len;
    if text.get(len) == Some(&b'.') {
        let fraction = digits_len(&text[len + 1..]);
        digits += fraction;
        len += if digits > 0 { 1 + fraction } else { 0 };
    }
    if digits == 0 {
        return None;
    }
    len += exponent_len(&text[len..], b'e');
    let number = std::str::from_utf8(&text[..len]).ok()?.parse().ok()?;
    Some((number, len))
}

/// `0x`, digits with or without a point, and perhaps a binary exponent.
fn scan_hexadecimal(text: &[u8]) -> Option<(f64, usize)> {
    let (mut significand, mut exponent, mut digits, mut after_point) = (0_u64, 0_i64, 0_usize, false);
    let mut len = 2;
    while let Some(&byte) = text.get(len) {
        if let Some(digit) = char::from(byte).to_digit(16) {
            digits += 1;
            exponent -= if after_point { 4 } else { 0 };
            if significand >> 59 == 0 {
                significand = significand << 4 | u64::from(digit);
            } else {
                // What does not fit only tells that the number is not exactly half way between two.
                significand |= u64::from(digit != 0);
                exponent += 4;
            }
        } else if byte == b'.' && !after_point {
            after_point = true;
        } else {
            break;
        }
        len += 1;
    }
    if digits == 0 {
        return None;
    }
    let exponent_text = &text[len..len + exponent_len(&text[len..], b'p')];
    if let Some(written) = exponent_text.get(1..) {
        let written = std::str::from_utf8(written).ok()?;
        let beyond = if written.starts_with('-') { -0x1_0000_0000 } else { 0x1_0000_0000 };
        exponent += written.parse::<i64>().unwrap_or(beyond).clamp(-0x1_0000_0000, 0x1_0000_0000);
    }
    Some((scale(significand, exponent), len + exponent_text.len()))
}

/// `significand * 2^exponent`, in two steps since the power alone may be no double.
fn scale(significand: u64, exponent: i64) -> f64 {
    const EXPONENT_MAX: i64 = 1_200;
    let exponent = exponent.clamp(-EXPONENT_MAX, EXPONENT_MAX) as i32;
    significand as f64 * 2_f64.powi(exponent / 2) * 2_f64.powi(exponent - exponent / 2)
}
