//! Reads replies: for our own client, tools and tests. RESP2 and RESP3, without streamed strings and aggregates, which
//! Redis never sends.
//!
//! The reader keeps what it has read of an unfinished reply, so the caller removes consumed bytes after every call and
//! nothing is parsed twice. Nothing is reserved for announced counts, and nesting ends at `RESPONSE_DEPTH_MAX`.

use memchr::memchr;

use crate::stdx::limits::{INLINE_BYTES_MAX, RESPONSE_DEPTH_MAX};
use crate::stdx::number::parse_i64;

/// One reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A status.
    Simple(Vec<u8>),
    /// An error's text without the minus; RESP3's errors of any bytes too.
    Error(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// A bulk string.
    Bulk(Vec<u8>),
    /// No value: `$-1` or `_`.
    Null,
    /// No array: `*-1`.
    NullArray,
    /// An array.
    Array(Vec<Value>),
    /// A map, in the order it came.
    Map(Vec<(Value, Value)>),
    /// A set, in the order it came.
    Set(Vec<Value>),
    /// A message nobody asked for.
    Push(Vec<Value>),
    /// A double.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// Text with a format of three bytes.
    Verbatim([u8; 3], Vec<u8>),
    /// An integer of any size, as its digits.
    BigNumber(Vec<u8>),
    /// A reply with attributes.
    Attributed(Vec<(Value, Value)>, Box<Value>),
}

/// Bytes that are no reply. The connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// No reply begins with this byte.
    UnknownType(u8),
    /// A line without end within `INLINE_BYTES_MAX`, or without a CR before its LF.
    InvalidLine,
    /// A number, length or count that is none, or has no such value.
    InvalidNumber,
    /// A string without CRLF behind it.
    MissingEnd,
    /// Replies nest deeper than `RESPONSE_DEPTH_MAX`.
    TooDeep,
}

/// What an unfinished aggregate will be.
#[derive(Debug)]
enum Aggregate {
    Array,
    Map,
    Set,
    Push,
    Attributes,
    /// The value behind its attributes.
    Attributed(Vec<(Value, Value)>),
}

#[derive(Debug)]
struct Unfinished {
    aggregate: Aggregate,
    /// Values that have not come.
    missing: u64,
    values: Vec<Value>,
}

/// What is next in the buffer.
enum Item {
    Value(Value),
    Begin(Aggregate, u64),
}

/// See the file's head. One per connection.
#[derive(Default, Debug)]
pub struct ResponseReader {
    /// From the outermost to the innermost.
    unfinished: Vec<Unfinished>,
}

impl ResponseReader {
    /// Reads on: the next whole reply, or `None` if more bytes are needed, and how many bytes were consumed. The caller
    /// removes these in either case. After an error the reader must not be used further.
    pub fn read(&mut self, buffer: &[u8]) -> Result<(Option<Value>, usize), ResponseError> {
        let mut position = 0;
        while let Some((item, next)) = read_item(buffer, position)? {
            position = next;
            let mut done = match item {
                Item::Value(value) => Some(value),
                Item::Begin(aggregate, missing) => {
                    if self.unfinished.len() >= RESPONSE_DEPTH_MAX {
                        return Err(ResponseError::TooDeep);
                    }
                    self.unfinished.push(Unfinished { aggregate, missing, values: Vec::new() });
                    None
                }
            };
            // A value may be the last of its aggregate, and that the last of its own.
            loop {
                let Some(innermost) = self.unfinished.last_mut() else {
                    return Ok((done, position));
                };
                if let Some(value) = done.take() {
                    innermost.values.push(value);
                    innermost.missing -= 1;
                }
                if innermost.missing > 0 {
                    break;
                }
                done = self.unfinished.pop().and_then(|finished| self.complete(finished));
                if done.is_none() {
                    break;
                }
            }
        }
        Ok((None, position))
    }

    /// The aggregate's value. Attributes have none yet: they wait for what is behind them.
    fn complete(&mut self, finished: Unfinished) -> Option<Value> {
        let values = finished.values;
        Some(match finished.aggregate {
            Aggregate::Array => Value::Array(values),
            Aggregate::Set => Value::Set(values),
            Aggregate::Push => Value::Push(values),
            Aggregate::Map => Value::Map(pairs(values)),
            Aggregate::Attributes => {
                let aggregate = Aggregate::Attributed(pairs(values));
                self.unfinished.push(Unfinished { aggregate, missing: 1, values: Vec::new() });
                return None;
            }
            Aggregate::Attributed(attributes) => Value::Attributed(attributes, Box::new(values.into_iter().next()?)),
        })
    }
}

fn pairs(values: Vec<Value>) -> Vec<(Value, Value)> {
    let mut values = values.into_iter();
    std::iter::from_fn(|| Some((values.next()?, values.next()?))).collect()
}

/// What begins at `position` and where it ends, if it is whole.
fn read_item(buffer: &[u8], position: usize) -> Result<Option<(Item, usize)>, ResponseError> {
    let Some((&marker, rest)) = buffer[position..].split_first() else { return Ok(None) };
    if !b"+-:$*%~>|,#_=(!".contains(&marker) {
        return Err(ResponseError::UnknownType(marker));
    }
    let line = &rest[..rest.len().min(INLINE_BYTES_MAX)];
    let Some(end) = memchr(b'\n', line) else {
        return if line.len() == INLINE_BYTES_MAX { Err(ResponseError::InvalidLine) } else { Ok(None) };
    };
    let line = line[..end].strip_suffix(b"\r").ok_or(ResponseError::InvalidLine)?;
    let next = position + 1 + end + 1;
    let value = match marker {
        b'+' => Value::Simple(line.to_vec()),
        b'-' => Value::Error(line.to_vec()),
        b':' => Value::Integer(parse_i64(line).ok_or(ResponseError::InvalidNumber)?),
        b',' => Value::Double(double(line)?),
        b'(' => Value::BigNumber(line.to_vec()),
        b'#' if line == b"t" => Value::Boolean(true),
        b'#' if line == b"f" => Value::Boolean(false),
        b'_' if line.is_empty() => Value::Null,
        b'#' | b'_' => return Err(ResponseError::InvalidNumber),
        b'$' if line == b"-1" => Value::Null,
        b'*' if line == b"-1" => Value::NullArray,
        b'$' | b'=' | b'!' => {
            let Some(bytes) = string(buffer, next, length(line)?)? else { return Ok(None) };
            let next = next + bytes.len() + 2;
            return Ok(Some((Item::Value(string_value(marker, bytes)?), next)));
        }
        _ => {
            let count = length(line)?;
            let (aggregate, missing) = match marker {
                b'*' => (Aggregate::Array, count),
                b'~' => (Aggregate::Set, count),
                b'>' => (Aggregate::Push, count),
                b'%' => (Aggregate::Map, count * 2),
                _ => (Aggregate::Attributes, count * 2),
            };
            return Ok(Some((Item::Begin(aggregate, missing), next)));
        }
    };
    Ok(Some((Item::Value(value), next)))
}

/// A length or a count; below 2^63.
fn length(line: &[u8]) -> Result<u64, ResponseError> {
    parse_i64(line).and_then(|length| u64::try_from(length).ok()).ok_or(ResponseError::InvalidNumber)
}

fn double(line: &[u8]) -> Result<f64, ResponseError> {
    str::from_utf8(line).ok().and_then(|text| text.parse().ok()).ok_or(ResponseError::InvalidNumber)
}

/// The bytes of a string of this length, if they and their CRLF are there.
fn string(buffer: &[u8], start: usize, length: u64) -> Result<Option<&[u8]>, ResponseError> {
    let rest = &buffer[start..];
    if (rest.len() as u64) < length + 2 {
        return Ok(None);
    }
    let (bytes, end) = rest.split_at(length as usize);
    if end.starts_with(b"\r\n") { Ok(Some(bytes)) } else { Err(ResponseError::MissingEnd) }
}

fn string_value(marker: u8, bytes: &[u8]) -> Result<Value, ResponseError> {
    Ok(match (marker, bytes) {
        (b'$', _) => Value::Bulk(bytes.to_vec()),
        (b'!', _) => Value::Error(bytes.to_vec()),
        (_, &[a, b, c, b':', ref text @ ..]) => Value::Verbatim([a, b, c], text.to_vec()),
        _ => return Err(ResponseError::InvalidNumber),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::reply::{Protocol, Reply};
    use crate::stdx::limits::SHARED_VALUE_BYTES_MIN;

    fn read_all(bytes: &[u8], piece_bytes: usize) -> Result<Vec<Value>, ResponseError> {
        let mut reader = ResponseReader::default();
        let mut buffer = Vec::new();
        let mut values = Vec::new();
        for piece in bytes.chunks(piece_bytes) {
            buffer.extend_from_slice(piece);
            loop {
                let (value, consumed) = reader.read(&buffer)?;
                assert!(consumed <= buffer.len());
                buffer.drain(..consumed);
                match value {
                    Some(value) => values.push(value),
                    None => break,
                }
            }
        }
        Ok(values)
    }

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.as_bytes().to_vec())
    }

    #[test]
    fn replies_are_read_whole_and_byte_by_byte() {
        use Value::{Array, Attributed, Boolean, Double, Integer, Map, Null, NullArray, Push, Set};
        let table: &[(&str, &[Value])] = &[
            ("+OK\r\n-ERR no\r\n", &[Value::Simple(b"OK".to_vec()), Value::Error(b"ERR no".to_vec())]),
            (":0\r\n:-12\r\n", &[Integer(0), Integer(-12)]),
            ("$0\r\n\r\n$3\r\na\r\n\r\n", &[bulk(""), bulk("a\r\n")]),
            ("$-1\r\n*-1\r\n_\r\n", &[Null, NullArray, Null]),
            ("*0\r\n*2\r\n*0\r\n*1\r\n:1\r\n", &[Array(vec![]), Array(vec![Array(vec![]), Array(vec![Integer(1)])])]),
            ("%1\r\n+a\r\n~1\r\n:1\r\n", &[Map(vec![(Value::Simple(b"a".to_vec()), Set(vec![Integer(1)]))])]),
            (">2\r\n#t\r\n#f\r\n", &[Push(vec![Boolean(true), Boolean(false)])]),
            (",1.5\r\n,inf\r\n,-inf\r\n", &[Double(1.5), Double(f64::INFINITY), Double(f64::NEG_INFINITY)]),
            ("=7\r\ntxt:abc\r\n", &[Value::Verbatim(*b"txt", b"abc".to_vec())]),
            ("(123456789012345678901\r\n", &[Value::BigNumber(b"123456789012345678901".to_vec())]),
            ("!5\r\nERR x\r\n", &[Value::Error(b"ERR x".to_vec())]),
            (
                "|1\r\n:1\r\n:2\r\n*1\r\n|0\r\n:3\r\n",
                &[Attributed(
                    vec![(Integer(1), Integer(2))],
                    Box::new(Array(vec![Attributed(vec![], Box::new(Integer(3)))])),
                )],
            ),
            // An announcement alone is no reply and costs nothing.
            ("*9223372036854775807\r\n:1\r\n", &[]),
            ("%9223372036854775807\r\n", &[]),
            ("$9223372036854775807\r\nabc", &[]),
        ];
        for (bytes, values) in table {
            for piece_bytes in [bytes.len(), 1, 3] {
                assert_eq!(read_all(bytes.as_bytes(), piece_bytes).as_deref(), Ok(*values), "{bytes:?}");
            }
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        let deep = "*1\r\n".repeat(RESPONSE_DEPTH_MAX + 1);
        let attributes = "|0\r\n".repeat(RESPONSE_DEPTH_MAX + 1);
        let long = ["+", &"x".repeat(INLINE_BYTES_MAX)].concat();
        let table: &[(&str, ResponseError)] = &[
            ("PONG\r\n", ResponseError::UnknownType(b'P')),
            ("+OK\n", ResponseError::InvalidLine),
            (&long, ResponseError::InvalidLine),
            (":\r\n", ResponseError::InvalidNumber),
            (":01\r\n", ResponseError::InvalidNumber),
            ("$-2\r\n", ResponseError::InvalidNumber),
            ("*-2\r\n", ResponseError::InvalidNumber),
            ("%-1\r\n", ResponseError::InvalidNumber),
            ("$?\r\n", ResponseError::InvalidNumber),
            ("#x\r\n", ResponseError::InvalidNumber),
            ("_x\r\n", ResponseError::InvalidNumber),
            (",x\r\n", ResponseError::InvalidNumber),
            ("=3\r\ntxt\r\n", ResponseError::InvalidNumber),
            ("$1\r\nabc\r\n", ResponseError::MissingEnd),
            (&deep, ResponseError::TooDeep),
            (&attributes, ResponseError::TooDeep),
        ];
        for (bytes, error) in table {
            assert_eq!(read_all(bytes.as_bytes(), bytes.len()), Err(*error), "{bytes:?}");
        }
    }

    #[test]
    fn fuzz_response() {
        const PIECES: [&str; 16] = [
            "*2\r\n", "%1\r\n", "~1\r\n", "|1\r\n", ">1\r\n", "$1\r\nx\r\n", ":1\r\n", "_\r\n", "*0\r\n", ",1\r\n", "$-1\r\n",
            "=4\r\ntxt:\r\n", "\r\n", "+", "*-1\r\n", "#t\r\n",
        ];
        bolero::check!().with_type::<(Vec<u8>, u8)>().with_iterations(3000).for_each(|(choices, piece_bytes)| {
            let mut bytes = Vec::new();
            for &choice in choices {
                match PIECES.get(choice as usize % 20) {
                    Some(piece) => bytes.extend_from_slice(piece.as_bytes()),
                    None => bytes.push(choice),
                }
            }
            let piece_bytes = usize::from(*piece_bytes).max(1);
            assert_eq!(read_all(&bytes, bytes.len().max(1)), read_all(&bytes, piece_bytes));
        });
    }

    /// Writes what the choices say, and says what a client should read.
    fn write(reply: &mut Reply, choices: &mut dyn Iterator<Item = u8>, depth: usize) -> Value {
        let is_resp3 = reply.protocol == Protocol::Resp3;
        let choice = choices.next().unwrap_or(0);
        let amount = usize::from(choice / 16);
        let aggregate = |reply: &mut Reply, choices: &mut dyn Iterator<Item = u8>, count: usize| -> Vec<Value> {
            (0..count).map(|_| write(reply, choices, depth + 1)).collect()
        };
        match choice % 16 {
            0 if depth < 6 => {
                reply.array(amount);
                Value::Array(aggregate(reply, choices, amount))
            }
            1 if depth < 6 => {
                let deferred = reply.deferred();
                let values = aggregate(reply, choices, 2 * amount);
                reply.finish_map(deferred, amount);
                if is_resp3 { Value::Map(pairs(values)) } else { Value::Array(values) }
            }
            2 if depth < 6 => {
                let deferred = reply.deferred();
                let values = aggregate(reply, choices, amount * 8);
                reply.finish_set(deferred, amount * 8);
                if is_resp3 { Value::Set(values) } else { Value::Array(values) }
            }
            3 => {
                let value = vec![choice; SHARED_VALUE_BYTES_MIN + amount - 1];
                reply.bulk_shared(value.clone().into());
                Value::Bulk(value)
            }
            4 => {
                let before = reply.position();
                write(reply, choices, 6);
                reply.truncate(before);
                reply.null_array();
                if is_resp3 { Value::Null } else { Value::NullArray }
            }
            5 => {
                let mut other = Reply::new(reply.protocol);
                write(&mut other, choices, 6);
                let from = other.position();
                let value = write(&mut other, choices, depth + 1);
                let to = other.position();
                write(&mut other, choices, 6);
                reply.append_range(&other, from, to);
                value
            }
            _ => write_scalar(reply, choice),
        }
    }

    fn write_scalar(reply: &mut Reply, choice: u8) -> Value {
        let is_resp3 = reply.protocol == Protocol::Resp3;
        let amount = usize::from(choice / 16);
        match choice % 16 {
            6 => {
                let integer = i64::from(choice) << (amount * 4);
                reply.integer(-integer);
                Value::Integer(-integer)
            }
            7 => {
                let integer = i64::from(choice) << (amount * 4);
                reply.bulk_integer(-integer);
                bulk(&(-integer).to_string())
            }
            8 => {
                let double = f64::from(choice) / 7.0;
                reply.double(double);
                if is_resp3 { Value::Double(double) } else { bulk(&double.to_string()) }
            }
            9 => {
                reply.verbatim("mkd", b"a\r\nb");
                if is_resp3 { Value::Verbatim(*b"mkd", b"a\r\nb".to_vec()) } else { bulk("a\r\nb") }
            }
            10 => {
                reply.error("\nERR a\r\nb\r\n");
                Value::Error(b"ERR a  b".to_vec())
            }
            11 => {
                reply.boolean(amount % 2 == 1);
                if is_resp3 { Value::Boolean(amount % 2 == 1) } else { Value::Integer(amount as i64 % 2) }
            }
            _ => {
                let value = vec![b'\r'; amount * amount];
                reply.bulk(&value);
                Value::Bulk(value)
            }
        }
    }

    #[test]
    fn fuzz_reply_round_trip() {
        bolero::check!().with_type::<(bool, Vec<u8>)>().with_iterations(2000).for_each(|(is_resp3, choices)| {
            let mut reply = Reply::new(if *is_resp3 { Protocol::Resp3 } else { Protocol::Resp2 });
            let mut choices = choices.iter().copied();
            let written = [write(&mut reply, &mut choices, 0), write(&mut reply, &mut choices, 0)];
            let bytes = reply.to_vec();
            assert_eq!(bytes.len(), reply.len_bytes());
            assert_eq!(read_all(&bytes, bytes.len()).as_deref(), Ok(&written[..]));
        });
    }
}
