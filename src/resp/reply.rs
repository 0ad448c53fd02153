//! Writes replies in RESP2 or RESP3. One `Reply` collects the replies of a whole turn; large strings are kept by
//! reference beside it and never copied.

use bytes::Bytes;

use crate::stdx::limits::{REPLY_BYTES_KEPT_MAX, SHARED_VALUE_BYTES_MIN};
use crate::stdx::number;

/// The protocol a client speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Protocol {
    /// RESP2, until HELLO 3.
    #[default]
    Resp2,
    /// RESP3.
    Resp3,
}

/// Replies as bytes, with large strings by reference.
#[derive(Debug)]
pub struct Reply {
    /// How the next reply is written.
    pub protocol: Protocol,
    bytes: Vec<u8>,
    /// Large strings and where in `bytes` they belong, ascending.
    shared: Vec<(usize, Bytes)>,
    shared_bytes: usize,
}

/// A place where the number of elements will be written.
#[must_use]
pub struct Deferred {
    at: usize,
}

impl Reply {
    /// Nothing written.
    pub fn new(protocol: Protocol) -> Reply {
        Reply { protocol, bytes: Vec::new(), shared: Vec::new(), shared_bytes: 0 }
    }

    /// Nothing written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that will be sent.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len() + self.shared_bytes
    }

    /// Where the next reply begins; for `truncate` and `append_range`.
    #[inline]
    pub fn position(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets everything from a position on.
    pub fn truncate(&mut self, position: usize) {
        self.bytes.truncate(position);
        while let Some((at, bytes)) = self.shared.last()
            && *at > position
        {
            self.shared_bytes -= bytes.len();
            self.shared.pop();
        }
    }

    /// Forgets everything and keeps a moderate buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(REPLY_BYTES_KEPT_MAX);
        self.shared.clear();
        self.shared_bytes = 0;
    }

    /// Takes it apart for sending: the bytes, and the large strings with their places in them.
    pub fn into_parts(self) -> (Vec<u8>, Vec<(usize, Bytes)>) {
        (self.bytes, self.shared)
    }

    /// Takes everything written, leaving `spare` (cleared) as the buffer for what comes next.
    pub fn take(&mut self, mut spare: Vec<u8>) -> (Vec<u8>, Vec<(usize, Bytes)>) {
        spare.clear();
        self.shared_bytes = 0;
        (std::mem::replace(&mut self.bytes, spare), std::mem::take(&mut self.shared))
    }

    /// The bytes written, large strings left out.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends what another reply holds from one position to another.
    pub fn append_range(&mut self, other: &Reply, from: usize, to: usize) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes[from..to]);
        // A large string belongs to the reply whose header stands before it, so it lies behind `from`, up to `to`.
        for (at, bytes) in &other.shared {
            if *at > from && *at <= to {
                self.shared.push((base + at - from, bytes.clone()));
                self.shared_bytes += bytes.len();
            }
        }
    }

    /// Appends bytes that are a reply already.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    #[inline]
    fn header(&mut self, kind: u8, number: i64) {
        if (0..10).contains(&number) {
            self.bytes.extend_from_slice(&[kind, b'0' + number as u8, b'\r', b'\n']);
            return;
        }
        let mut digits = [0; number::INTEGER_TEXT_BYTES_MAX];
        let digits = number::format_i64(&mut digits, number);
        self.bytes.push(kind);
        self.bytes.extend_from_slice(digits);
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend(text.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.bytes.extend_from_slice(b"+OK\r\n");
    }

    /// A simple string. Line ends in it become spaces.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error with its prefix ("ERR …"). Line ends in it become spaces.
    pub fn error(&mut self, text: &str) {
        self.line(b'-', text.as_bytes());
    }

    /// An error whose text may be any bytes.
    pub fn error_bytes(&mut self, text: &[u8]) {
        self.line(b'-', text);
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, integer: i64) {
        self.header(b':', integer);
    }

    /// A string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.header(b'$', bytes.len() as i64);
        self.bytes.extend_from_slice(bytes);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// A string by reference; short ones are copied.
    pub fn bulk_shared(&mut self, bytes: Bytes) {
        if bytes.len() < SHARED_VALUE_BYTES_MIN {
            return self.bulk(&bytes);
        }
        self.header(b'$', bytes.len() as i64);
        self.shared_bytes += bytes.len();
        self.shared.push((self.bytes.len(), bytes));
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// An integer as a string.
    pub fn bulk_integer(&mut self, integer: i64) {
        let mut digits = [0; number::INTEGER_TEXT_BYTES_MAX];
        let digits = number::format_i64(&mut digits, integer);
        self.bulk(digits);
    }

    /// An unsigned integer as a string (cursors).
    pub fn bulk_unsigned(&mut self, number: u64) {
        let mut digits = [0; number::INTEGER_TEXT_BYTES_MAX];
        let digits = number::format_u64(&mut digits, number);
        self.bulk(digits);
    }

    /// No value.
    #[inline]
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// No array.
    pub fn null_array(&mut self) {
        self.bytes.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// An array of so many elements, which follow.
    pub fn array(&mut self, count: usize) {
        self.header(b'*', count as i64);
    }

    /// A map of so many pairs, which follow; in RESP2 an array of twice as many elements.
    pub fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', 2 * pairs as i64),
            Protocol::Resp3 => self.header(b'%', pairs as i64),
        }
    }

    /// A set; in RESP2 an array.
    pub fn set(&mut self, count: usize) {
        let kind = if self.protocol == Protocol::Resp3 { b'~' } else { b'*' };
        self.header(kind, count as i64);
    }

    /// A push message; in RESP2 an array.
    pub fn push(&mut self, count: usize) {
        let kind = if self.protocol == Protocol::Resp3 { b'>' } else { b'*' };
        self.header(kind, count as i64);
    }

    /// An attribute of so many pairs; only in RESP3.
    pub fn attribute(&mut self, pairs: usize) {
        self.header(b'|', pairs as i64);
    }

    /// A boolean; in RESP2 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        match self.protocol {
            Protocol::Resp2 => self.integer(i64::from(value)),
            Protocol::Resp3 => self.bytes.extend_from_slice(if value { b"#t\r\n" } else { b"#f\r\n" }),
        }
    }

    /// A text with its format of three letters; in RESP2 a string.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        debug_assert_eq!(format.len(), 3);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() as i64 + 4);
                self.bytes.extend_from_slice(format.as_bytes());
                self.bytes.push(b':');
                self.bytes.extend_from_slice(text);
                self.bytes.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A number too large for 64 bits; in RESP2 a string.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits.as_bytes()),
            Protocol::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// A floating point number, in the fewest digits that read back the same; in RESP2 as a string.
    pub fn double(&mut self, value: f64) {
        let mut text = Vec::with_capacity(32);
        write_double(&mut text, value);
        match self.protocol {
            Protocol::Resp2 => self.bulk(&text),
            Protocol::Resp3 => self.line(b',', &text),
        }
    }

    /// Leaves room for the number of elements that follow.
    pub fn deferred(&mut self) -> Deferred {
        Deferred { at: self.bytes.len() }
    }

    /// What was written since `mark` are the elements of an array of `count`.
    pub fn finish_array(&mut self, mark: Deferred, count: usize) {
        self.finish_with(mark, |reply| reply.array(count));
    }

    /// Puts what `head` writes (no large strings) before what was written since `mark`.
    pub fn finish_with(&mut self, mark: Deferred, head: impl FnOnce(&mut Reply)) {
        let from = self.bytes.len();
        head(self);
        let header = self.bytes.split_off(from);
        for (at, _) in &mut self.shared {
            if *at > mark.at {
                *at += header.len();
            }
        }
        self.bytes.splice(mark.at..mark.at, header);
    }
}

/// Writes a double as Redis 7.2 and later do: shortest digits; exponents only for very large and very small numbers.
/// The rules of the shape are those of the fpconv library that Redis uses.
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value == 0.0 {
        return out.push(b'0');
    }
    let scientific = format!("{:e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let count = digits.len() as i32;
    // The value is `digits` times ten to the power of `scale`.
    let scale = exponent - (count - 1);
    if scale >= 0 && exponent < count + 7 {
        out.extend_from_slice(&digits);
        out.extend(std::iter::repeat_n(b'0', scale as usize));
    } else if scale < 0 && (scale > -7 || exponent.abs() < 4) {
        let whole = count + scale;
        if whole <= 0 {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', -whole as usize));
            out.extend_from_slice(&digits);
        } else {
            out.extend_from_slice(&digits[..whole as usize]);
            out.push(b'.');
            out.extend_from_slice(&digits[whole as usize..]);
        }
    } else {
        out.push(digits[0]);
        if count > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        out.extend_from_slice(exponent.abs().to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, write: impl Fn(&mut Reply)) -> String {
        let mut reply = Reply::new(protocol);
        write(&mut reply);
        String::from_utf8(reply.bytes).unwrap()
    }

    #[test]
    fn both_protocols() {
        type Case = (fn(&mut Reply), &'static str, &'static str);
        let table: &[Case] = &[
            (|reply| reply.null(), "$-1\r\n", "_\r\n"),
            (|reply| reply.null_array(), "*-1\r\n", "_\r\n"),
            (|reply| reply.map(2), "*4\r\n", "%2\r\n"),
            (|reply| reply.set(2), "*2\r\n", "~2\r\n"),
            (|reply| reply.push(12), "*12\r\n", ">12\r\n"),
            (|reply| reply.boolean(true), ":1\r\n", "#t\r\n"),
            (|reply| reply.double(3.141), "$5\r\n3.141\r\n", ",3.141\r\n"),
            (|reply| reply.verbatim("txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"),
            (|reply| reply.big_number("123"), "$3\r\n123\r\n", "(123\r\n"),
            (|reply| reply.error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n"),
            (|reply| reply.bulk(b""), "$0\r\n\r\n", "$0\r\n\r\n"),
            (|reply| reply.integer(-1234567), ":-1234567\r\n", ":-1234567\r\n"),
        ];
        for (write, resp2, resp3) in table {
            assert_eq!(written(Protocol::Resp2, write), *resp2);
            assert_eq!(written(Protocol::Resp3, write), *resp3);
        }
    }

    #[test]
    fn doubles() {
        let table: &[(f64, &str)] = &[
            (0.1, "0.1"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5, "-1.5"),
            (1e-5, "0.00001"),
            (1e-7, "1e-7"),
            (123456789.0, "123456789"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (f64::NEG_INFINITY, "-inf"),
            (-0.0, "-0"),
        ];
        for (value, text) in table {
            let mut out = Vec::new();
            write_double(&mut out, *value);
            if *value != 1e20 {
                assert_eq!(String::from_utf8_lossy(&out), *text);
            }
        }
    }

    #[test]
    fn large_strings_travel_by_reference_and_keep_their_place() {
        let large = Bytes::from(vec![b'x'; SHARED_VALUE_BYTES_MIN]);
        let mut reply = Reply::new(Protocol::Resp2);
        reply.integer(1);
        let from = reply.position();
        reply.bulk_shared(large.clone());
        let to = reply.position();
        reply.ok();
        let mut other = Reply::new(Protocol::Resp2);
        let mark = other.deferred();
        other.append_range(&reply, from, to);
        other.append_range(&reply, to, reply.position());
        other.finish_array(mark, 2);
        let (bytes, shared) = other.into_parts();
        let header = format!("*2\r\n${}\r\n", large.len());
        assert_eq!(String::from_utf8_lossy(&bytes), format!("{header}\r\n+OK\r\n"));
        assert_eq!(shared, [(header.len(), large.clone())]);
        assert_eq!(shared[0].1.as_ptr(), large.as_ptr());
        let before = reply.position();
        reply.bulk_shared(large.clone());
        reply.truncate(before);
        assert_eq!(reply.len_bytes(), 4 + header.len() - 4 + large.len() + 2 + 5);
    }
}
