//! A reply as a value, and the finder of a reply's end. Total: any bytes give a value, "need more", or a reason.
//!
//! `Display` is redis-cli's form with two differences, so that every RESP type can be told from its text: item numbers are
//! not padded, and a null array is `(nil array)`, a verbatim string `(verbatim txt) "…"`.

use super::text::quote;
use std::fmt;

/// One reply of RESP2 or RESP3. Numbers keep their text, so that two values are equal exactly if their bytes were.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Status(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    /// `$-1`, or RESP3 `_`.
    Nil {
        resp3: bool,
    },
    NilArray,
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Set(Vec<Value>),
    Push(Vec<Value>),
    Double(Vec<u8>),
    Boolean(bool),
    BigNumber(Vec<u8>),
    /// Three letters of format, then the text.
    Verbatim(Vec<u8>),
    BulkError(Vec<u8>),
    /// Attributes, then the reply they belong to.
    Attributed(Vec<(Value, Value)>, Box<Value>),
}

/// Deepest nesting accepted: more than any command replies, few enough for the stack.
const DEPTH_MAX: usize = 64;

/// Parses the first complete reply of `bytes`: `Ok(None)` if more bytes are needed, else the value and its length.
pub fn parse(bytes: &[u8]) -> Result<Option<(Value, usize)>, String> {
    let mut at = 0;
    match parse_at(bytes, &mut at, 0) {
        Ok(value) => Ok(Some((value, at))),
        Err(None) => Ok(None),
        Err(Some(reason)) => Err(reason),
    }
}

/// `Err(None)` means that more bytes are needed.
type Parsed<T> = Result<T, Option<String>>;

fn parse_at(bytes: &[u8], at: &mut usize, depth: usize) -> Parsed<Value> {
    if depth > DEPTH_MAX {
        return Err(Some(format!("nested deeper than {DEPTH_MAX}")));
    }
    let line = take_line(bytes, at)?;
    let Some((&kind, rest)) = line.split_first() else {
        return Err(Some("empty line where a reply should begin".to_owned()));
    };
    Ok(match kind {
        b'+' => Value::Status(rest.to_vec()),
        b'-' => Value::Error(rest.to_vec()),
        b':' => Value::Integer(number(rest)?),
        b',' => Value::Double(rest.to_vec()),
        b'(' => Value::BigNumber(rest.to_vec()),
        b'_' if rest.is_empty() => Value::Nil { resp3: true },
        b'#' if rest == b"t" || rest == b"f" => Value::Boolean(rest == b"t"),
        b'$' | b'*' if rest == b"-1" => {
            if kind == b'$' {
                Value::Nil { resp3: false }
            } else {
                Value::NilArray
            }
        }
        b'$' => Value::Bulk(take_bulk(bytes, at, rest)?),
        b'!' => Value::BulkError(take_bulk(bytes, at, rest)?),
        b'=' => Value::Verbatim(take_bulk(bytes, at, rest)?),
        b'*' => Value::Array(take_items(bytes, at, number(rest)?, depth)?),
        b'~' => Value::Set(take_items(bytes, at, number(rest)?, depth)?),
        b'>' => Value::Push(take_items(bytes, at, number(rest)?, depth)?),
        b'%' => Value::Map(take_pairs(bytes, at, number(rest)?, depth)?),
        b'|' => {
            let attributes = take_pairs(bytes, at, number(rest)?, depth)?;
            Value::Attributed(attributes, Box::new(parse_at(bytes, at, depth + 1)?))
        }
        _ => return Err(Some(format!("no reply begins with {}", quote(line)))),
    })
}

fn take_line<'a>(bytes: &'a [u8], at: &mut usize) -> Parsed<&'a [u8]> {
    let rest = &bytes[*at..];
    let length = rest.windows(2).position(|pair| pair == b"\r\n").ok_or(None)?;
    *at += length + 2;
    Ok(&rest[..length])
}

fn number(text: &[u8]) -> Parsed<i64> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| Some(format!("not a number: {}", quote(text))))
}

fn count(text: i64) -> Parsed<usize> {
    usize::try_from(text).map_err(|_| Some(format!("negative count {text}")))
}

fn take_bulk(bytes: &[u8], at: &mut usize, length: &[u8]) -> Parsed<Vec<u8>> {
    let length = count(number(length)?)?;
    let rest = &bytes[*at..];
    if rest.len() < length + 2 {
        return Err(None);
    }
    if &rest[length..length + 2] != b"\r\n" {
        return Err(Some("bulk string without CRLF at its end".to_owned()));
    }
    *at += length + 2;
    Ok(rest[..length].to_vec())
}

fn take_items(bytes: &[u8], at: &mut usize, items: i64, depth: usize) -> Parsed<Vec<Value>> {
    (0..count(items)?).map(|_| parse_at(bytes, at, depth + 1)).collect()
}

fn take_pairs(bytes: &[u8], at: &mut usize, pairs: i64, depth: usize) -> Parsed<Vec<(Value, Value)>> {
    (0..count(pairs)?).map(|_| Ok((parse_at(bytes, at, depth + 1)?, parse_at(bytes, at, depth + 1)?))).collect()
}

impl Value {
    /// Whether this is an error reply.
    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_) | Value::BulkError(_))
    }

    /// The plain text of a string, status or number: what a variable of a table holds.
    pub fn plain(&self) -> Vec<u8> {
        match self {
            Value::Status(text) | Value::Error(text) | Value::Bulk(text) => text.clone(),
            other => other.to_string().trim_start_matches("(integer) ").as_bytes().to_vec(),
        }
    }

    /// The integer of the reply.
    ///
    /// # Panics
    /// If it is anything else.
    pub fn integer(&self) -> i64 {
        match self {
            Value::Integer(number) => *number,
            other => panic!("expected an integer, got {other}"),
        }
    }

    /// The items of an array, set or push.
    ///
    /// # Panics
    /// If it is anything else.
    pub fn items(&self) -> &[Value] {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => items,
            other => panic!("expected an array, got {other}"),
        }
    }

    /// The value with every array or set that holds only scalars, and every map, in sorted order, at all depths.
    pub fn sorted(self) -> Value {
        let sort = |items: Vec<Value>| {
            let mut items: Vec<Value> = items.into_iter().map(Value::sorted).collect();
            let scalar = |item: &Value| !matches!(item, Value::Array(_) | Value::Map(_) | Value::Set(_));
            if items.iter().all(scalar) {
                items.sort();
            }
            items
        };
        match self {
            Value::Array(items) => Value::Array(sort(items)),
            Value::Set(items) => Value::Set(sort(items)),
            Value::Map(mut pairs) => {
                pairs.sort();
                Value::Map(pairs)
            }
            other => other,
        }
    }

    fn fmt_items(f: &mut fmt::Formatter<'_>, items: &[Value], mark: char, indent: usize) -> fmt::Result {
        for (index, item) in items.iter().enumerate() {
            let prefix = format!("{}{mark} ", index + 1);
            Self::fmt_lead(f, &prefix, index, indent)?;
            item.fmt_indented(f, indent + prefix.len())?;
        }
        Ok(())
    }

    fn fmt_pairs(f: &mut fmt::Formatter<'_>, pairs: &[(Value, Value)], mark: char, indent: usize) -> fmt::Result {
        for (index, (key, value)) in pairs.iter().enumerate() {
            let prefix = format!("{}{mark} ", index + 1);
            Self::fmt_lead(f, &prefix, index, indent)?;
            let key = key.to_string();
            write!(f, "{key} => ")?;
            value.fmt_indented(f, indent + prefix.len() + key.chars().count() + 4)?;
        }
        Ok(())
    }

    fn fmt_lead(f: &mut fmt::Formatter<'_>, prefix: &str, index: usize, indent: usize) -> fmt::Result {
        if index > 0 {
            write!(f, "\n{:indent$}", "")?;
        }
        f.write_str(prefix)
    }

    fn fmt_indented(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let lossy = String::from_utf8_lossy;
        match self {
            Value::Status(text) => write!(f, "{}", lossy(text)),
            Value::Error(text) => write!(f, "(error) {}", lossy(text)),
            Value::Integer(number) => write!(f, "(integer) {number}"),
            Value::Bulk(text) => write!(f, "{}", quote(text)),
            Value::Nil { .. } => f.write_str("(nil)"),
            Value::NilArray => f.write_str("(nil array)"),
            Value::Array(items) if items.is_empty() => f.write_str("(empty array)"),
            Value::Set(items) if items.is_empty() => f.write_str("(empty set)"),
            Value::Map(pairs) if pairs.is_empty() => f.write_str("(empty hash)"),
            Value::Push(items) if items.is_empty() => f.write_str("(empty push)"),
            Value::Array(items) => Self::fmt_items(f, items, ')', indent),
            Value::Set(items) => Self::fmt_items(f, items, '~', indent),
            Value::Push(items) => Self::fmt_items(f, items, '>', indent),
            Value::Map(pairs) => Self::fmt_pairs(f, pairs, '#', indent),
            Value::Double(text) => write!(f, "(double) {}", lossy(text)),
            Value::Boolean(value) => write!(f, "({value})"),
            Value::BigNumber(text) => write!(f, "(big number) {}", lossy(text)),
            Value::Verbatim(text) => {
                let format = lossy(text.get(..3).unwrap_or_default());
                write!(f, "(verbatim {format}) {}", quote(text.get(4..).unwrap_or_default()))
            }
            Value::BulkError(text) => write!(f, "(bulk error) {}", quote(text)),
            Value::Attributed(attributes, value) => {
                f.write_str("(attributes) ")?;
                Self::fmt_pairs(f, attributes, '|', indent + 13)?;
                write!(f, "\n{:indent$}  => ", "")?;
                value.fmt_indented(f, indent + 5)
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_indented(f, 0)
    }
}
