//! Replies as text: for people, for pipes, and for other programs. The shapes are those of redis-cli 7.4.
//!
//! Pure functions from values to bytes; nothing is printed here.

use crate::remote::Value;
use crate::stdx::double_text::{DOUBLE_TEXT_BYTES_MAX, format_double};
use crate::stdx::quote::quote;

/// How replies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people: quoted, numbered, with types.
    Standard,
    /// The bytes as they are.
    Raw,
    /// Values parted by commas.
    Csv,
    /// JSON in UTF-8.
    Json,
    /// JSON in ASCII, other bytes as escapes within the strings.
    QuotedJson,
}

/// What stands between values and behind replies in raw text.
#[derive(Clone, Debug)]
pub struct Delimiters {
    /// Between the elements of an aggregate.
    pub element: Vec<u8>,
    /// Behind each reply.
    pub reply: Vec<u8>,
}

impl Default for Delimiters {
    fn default() -> Delimiters {
        Delimiters { element: b"\n".to_vec(), reply: b"\n".to_vec() }
    }
}

/// A whole reply with its end. `verbatim` is text for people already (INFO): never quoted.
pub fn reply(value: &Value, format: Format, verbatim: bool, delimiters: &Delimiters) -> Vec<u8> {
    let mut out = Vec::new();
    match format {
        _ if verbatim => {
            raw(&mut out, value, delimiters);
            if format == Format::Standard && out.last().is_some_and(|byte| *byte != b'\n') {
                out.push(b'\n');
            }
        }
        Format::Standard => standard(&mut out, value, ""),
        Format::Raw => {
            raw(&mut out, value, delimiters);
            out.extend_from_slice(&delimiters.reply);
        }
        Format::Csv => {
            csv(&mut out, value);
            out.push(b'\n');
        }
        Format::Json | Format::QuotedJson => {
            json(&mut out, value, format == Format::QuotedJson);
            out.push(b'\n');
        }
    }
    out
}

/// The invalidation message of client-side caching, `None` for anything else.
pub fn invalidation(values: &[Value]) -> Option<Vec<u8>> {
    let [Value::Bulk(kind) | Value::Simple(kind), Value::Array(keys)] = values else { return None };
    if kind != b"invalidate" {
        return None;
    }
    let mut out = b"-> invalidate: ".to_vec();
    for (index, key) in keys.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        out.push(b'\'');
        out.extend_from_slice(text_of(key).unwrap_or_default());
        out.push(b'\'');
    }
    out.push(b'\n');
    Some(out)
}

/// The bytes of strings of any kind and of errors.
pub fn text_of(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Simple(bytes) | Value::Bulk(bytes) | Value::Verbatim(_, bytes) | Value::Error(bytes) => Some(bytes),
        _ => None,
    }
}

/// The shortest text of a double, as servers send it.
pub fn double_text(number: f64) -> Vec<u8> {
    let mut buffer = [0; DOUBLE_TEXT_BYTES_MAX];
    format_double(&mut buffer, number).to_vec()
}

fn standard(out: &mut Vec<u8>, value: &Value, prefix: &str) {
    let line = |out: &mut Vec<u8>, parts: &[&[u8]]| {
        parts.iter().for_each(|part| out.extend_from_slice(part));
        out.push(b'\n');
    };
    match value {
        Value::Error(text) => line(out, &[b"(error) ", text]),
        Value::Simple(text) | Value::Verbatim(_, text) => line(out, &[text]),
        Value::Integer(number) => line(out, &[format!("(integer) {number}").as_bytes()]),
        Value::Double(number) => line(out, &[b"(double) ", &double_text(*number)]),
        Value::BigNumber(digits) => line(out, &[b"(big number) ", digits]),
        Value::Bulk(bytes) => line(out, &[quote(bytes).as_bytes()]),
        Value::Null | Value::NullArray => line(out, &[b"(nil)"]),
        Value::Boolean(true) => line(out, &[b"(true)"]),
        Value::Boolean(false) => line(out, &[b"(false)"]),
        Value::Attributed(_, inner) => standard(out, inner, prefix),
        Value::Array(values) if values.is_empty() => line(out, &[b"(empty array)"]),
        Value::Set(values) if values.is_empty() => line(out, &[b"(empty set)"]),
        Value::Push(values) if values.is_empty() => line(out, &[b"(empty push)"]),
        Value::Map(pairs) if pairs.is_empty() => line(out, &[b"(empty hash)"]),
        Value::Array(values) | Value::Push(values) => numbered(out, values, ')', prefix),
        Value::Set(values) => numbered(out, values, '~', prefix),
        Value::Map(pairs) => numbered_pairs(out, pairs, prefix),
    }
}

/// Digits of the highest number, and what stands before the lines of nested values.
fn indentation(count: usize, prefix: &str) -> (usize, String) {
    let digits = count.to_string().len();
    (digits, format!("{prefix}{}", " ".repeat(digits + 2)))
}

fn numbered(out: &mut Vec<u8>, values: &[Value], mark: char, prefix: &str) {
    let (digits, inner) = indentation(values.len(), prefix);
    for (index, value) in values.iter().enumerate() {
        let before = if index == 0 { "" } else { prefix };
        out.extend_from_slice(format!("{before}{:>digits$}{mark} ", index + 1).as_bytes());
        standard(out, value, &inner);
    }
}

fn numbered_pairs(out: &mut Vec<u8>, pairs: &[(Value, Value)], prefix: &str) {
    let (digits, inner) = indentation(pairs.len(), prefix);
    for (index, (key, value)) in pairs.iter().enumerate() {
        let before = if index == 0 { "" } else { prefix };
        out.extend_from_slice(format!("{before}{:>digits$}# ", index + 1).as_bytes());
        standard(out, key, &inner);
        out.pop();
        out.extend_from_slice(b" => ");
        if takes_lines(value) {
            out.push(b'\n');
            out.extend_from_slice(inner.as_bytes());
        }
        standard(out, value, &inner);
    }
}

/// Whether the value is written on more than one line.
fn takes_lines(value: &Value) -> bool {
    match value {
        Value::Array(values) | Value::Set(values) | Value::Push(values) => match values.as_slice() {
            [] => false,
            [only] => takes_lines(only),
            _ => true,
        },
        Value::Map(pairs) => match pairs.as_slice() {
            [] => false,
            [(_, only)] => takes_lines(only),
            _ => true,
        },
        Value::Attributed(_, inner) => takes_lines(inner),
        _ => false,
    }
}

fn raw(out: &mut Vec<u8>, value: &Value, delimiters: &Delimiters) {
    match value {
        Value::Null | Value::NullArray => {}
        Value::Error(text) => {
            out.extend_from_slice(text);
            out.push(b'\n');
        }
        Value::Array(values) | Value::Set(values) | Value::Push(values) => {
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(&delimiters.element);
                }
                raw(out, value, delimiters);
            }
        }
        Value::Map(pairs) => {
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(&delimiters.element);
                }
                raw(out, key, delimiters);
                out.push(b' ');
                raw(out, value, delimiters);
            }
        }
        Value::Boolean(truth) => out.extend_from_slice(if *truth { b"(true)" } else { b"(false)" }),
        Value::Attributed(_, inner) => raw(out, inner, delimiters),
        other => scalar(out, other),
    }
}

/// Numbers and strings as they are.
fn scalar(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Double(number) => out.extend_from_slice(&double_text(*number)),
        Value::BigNumber(digits) => out.extend_from_slice(digits),
        other => out.extend_from_slice(text_of(other).unwrap_or_default()),
    }
}

fn csv(out: &mut Vec<u8>, value: &Value) {
    let list = |out: &mut Vec<u8>, values: &mut dyn Iterator<Item = &Value>| {
        for (index, value) in values.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            csv(out, value);
        }
    };
    match value {
        Value::Error(text) => {
            out.extend_from_slice(b"ERROR,");
            out.extend_from_slice(quote(text).as_bytes());
        }
        Value::Null | Value::NullArray => out.extend_from_slice(b"NULL"),
        Value::Boolean(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Value::Array(values) | Value::Set(values) | Value::Push(values) => list(out, &mut values.iter()),
        Value::Map(pairs) => list(out, &mut pairs.iter().flat_map(|(key, value)| [key, value])),
        Value::Attributed(_, inner) => csv(out, inner),
        other => match text_of(other) {
            Some(text) => out.extend_from_slice(quote(text).as_bytes()),
            None => scalar(out, other),
        },
    }
}

fn json(out: &mut Vec<u8>, value: &Value, ascii: bool) {
    match value {
        Value::Error(text) => {
            out.extend_from_slice(b"error:");
            json_text(out, text, ascii);
        }
        Value::Null | Value::NullArray => out.extend_from_slice(b"null"),
        Value::Boolean(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Value::Array(values) | Value::Set(values) | Value::Push(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                json(out, value, ascii);
            }
            out.push(b']');
        }
        Value::Map(pairs) => {
            out.push(b'{');
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                json_key(out, key, ascii);
                out.push(b':');
                json(out, value, ascii);
            }
            out.push(b'}');
        }
        Value::Attributed(_, inner) => json(out, inner, ascii),
        other => match text_of(other) {
            Some(text) => json_text(out, text, ascii),
            None => scalar(out, other),
        },
    }
}

/// Keys of objects are strings, whatever they were.
fn json_key(out: &mut Vec<u8>, key: &Value, ascii: bool) {
    let mut text = Vec::new();
    json(&mut text, key, ascii);
    let is_string = text_of(key).is_some();
    if !is_string {
        out.push(b'"');
    }
    out.extend_from_slice(&text);
    if !is_string {
        out.push(b'"');
    }
}

fn json_text(out: &mut Vec<u8>, text: &[u8], ascii: bool) {
    if ascii {
        // The backslashes of the quoted text are doubled, so that whoever reads the JSON gets the quoted text.
        for byte in quote(text).bytes() {
            if byte == b'\\' {
                out.push(b'\\');
            }
            out.push(byte);
        }
        return;
    }
    out.push(b'"');
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
