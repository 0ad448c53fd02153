//! Splits a line into arguments the way Redis' `sdssplitargs` (sds.c) does, for inline requests.
//!
//! Arguments are parted by blanks. "Double quotes" take `\xHH`, `\n`, `\r`, `\t`, `\b`, `\a` and `\` before any other byte
//! for that byte; 'single quotes' take `\'` only. A quote may open within an argument; closing it ends the argument, so what
//! follows must be a blank or the end. A zero byte ends the line. Plain arguments are found without copying.

use std::ops::Range;

use crate::stdx::number::is_space;

/// A line that ends within quotes, or has a closing quote with something right behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnbalancedQuotes;

/// Where an argument's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// In the line, as they are.
    Plain(Range<usize>),
    /// In the buffer for unescaped bytes, which were appended.
    Unescaped(Range<usize>),
}

/// Walks over the arguments of one line.
pub struct Splitter<'a> {
    line: &'a [u8],
    position: usize,
}

impl<'a> Splitter<'a> {
    /// Starts at the line's first byte.
    pub fn new(line: &'a [u8]) -> Splitter<'a> {
        let end = memchr::memchr(0, line).unwrap_or(line.len());
        Splitter { line: &line[..end], position: 0 }
    }

    /// The next argument, or `None` behind the last. Bytes of arguments with quotes are appended to `unescaped`.
    /// After an error the splitter must not be used further.
    pub fn next(&mut self, unescaped: &mut Vec<u8>) -> Result<Option<Argument>, UnbalancedQuotes> {
        while self.peek(0).is_some_and(is_space) {
            self.position += 1;
        }
        let start = self.position;
        while let Some(byte) = self.peek(0) {
            match byte {
                // Fewer bytes end an argument than are skipped between arguments: vertical tab and form feed are missing.
                b' ' | b'\n' | b'\r' | b'\t' => break,
                b'"' | b'\'' => {
                    let from = unescaped.len();
                    unescaped.extend_from_slice(&self.line[start..self.position]);
                    self.position += 1;
                    self.quoted(byte, unescaped)?;
                    return Ok(Some(Argument::Unescaped(from..unescaped.len())));
                }
                _ => self.position += 1,
            }
        }
        Ok((self.position > start).then_some(Argument::Plain(start..self.position)))
    }

    #[inline]
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.line.get(self.position + ahead).copied()
    }

    /// Reads behind an opening quote up to and over the closing one.
    fn quoted(&mut self, quote: u8, unescaped: &mut Vec<u8>) -> Result<(), UnbalancedQuotes> {
        loop {
            let byte = self.peek(0).ok_or(UnbalancedQuotes)?;
            self.position += 1;
            if byte == quote {
                return if self.peek(0).is_none_or(is_space) { Ok(()) } else { Err(UnbalancedQuotes) };
            }
            let plain = match (byte, quote, self.peek(0)) {
                (b'\\', b'"', Some(_)) => self.escape(),
                (b'\\', b'\'', Some(b'\'')) => {
                    self.position += 1;
                    b'\''
                }
                _ => byte,
            };
            unescaped.push(plain);
        }
    }

    /// The byte that an escape in double quotes stands for; the position is behind its backslash, and a byte follows.
    fn escape(&mut self) -> u8 {
        let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let letter = self.peek(0).unwrap_or(b'\\');
        self.position += 1;
        match letter {
            b'x' => match (hex(self.peek(0)), hex(self.peek(1))) {
                (Some(high), Some(low)) => {
                    self.position += 2;
                    (high * 16 + low) as u8
                }
                _ => b'x',
            },
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 0x08,
            b'a' => 0x07,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut splitter = Splitter::new(line);
        let mut unescaped = Vec::new();
        let mut arguments = Vec::new();
        // Each argument takes at least a byte of the line.
        for _ in 0..=line.len() {
            match splitter.next(&mut unescaped) {
                Ok(Some(Argument::Plain(range))) => arguments.push(line[range].to_vec()),
                Ok(Some(Argument::Unescaped(range))) => arguments.push(unescaped[range].to_vec()),
                Ok(None) => return Some(arguments),
                Err(UnbalancedQuotes) => return None,
            }
        }
        panic!("more arguments than bytes in {line:?}");
    }

    /// A line and its arguments, or `None` for unbalanced quotes.
    type Row = (&'static [u8], Option<&'static [&'static [u8]]>);

    /// What redis-server 7.0.15 made of these lines.
    #[test]
    fn lines_are_split_as_redis_does() {
        let table: &[Row] = &[
            (b"", Some(&[])),
            (b"  \t ", Some(&[])),
            (b"PING", Some(&[b"PING"])),
            (b" set  key\tvalue ", Some(&[b"set", b"key", b"value"])),
            (b"PING\rPING", Some(&[b"PING", b"PING"])),
            (b"PING\x0bfoo", Some(&[b"PING\x0bfoo"])),
            (b"PING \x0bfoo", Some(&[b"PING", b"foo"])),
            (b"PING \"a\"\x0b", Some(&[b"PING", b"a"])),
            (b"PING a\"b\"", Some(&[b"PING", b"ab"])),
            (b"PING \"\"", Some(&[b"PING", b""])),
            (b"\"\"", Some(&[b""])),
            (br#"PING "\x41\n\r\t\b\a\\\"\q\x4""#, Some(&[b"PING", b"A\n\r\t\x08\x07\\\"qx4"])),
            (br#"PING "a\x4g""#, Some(&[b"PING", b"ax4g"])),
            (br#""\xFf\xfF""#, Some(&[b"\xff\xff"])),
            (br"PING 'a\'b\n'", Some(&[b"PING", br"a'b\n"])),
            (br#"PING '"' "'""#, Some(&[b"PING", b"\"", b"'"])),
            (b"PING \"\xff\x80\"", Some(&[b"PING", b"\xff\x80"])),
            (b"PING\xa0x", Some(&[b"PING\xa0x"])),
            (b"a b\0c \"", Some(&[b"a", b"b"])),
            (b"set a \"b", None),
            (b"\"PING", None),
            (b"'PING", None),
            (b"PING \"a\"b", None),
            (b"PING a'b'c", None),
            (b"PING \"a\\", None),
            (b"PING \"a\\\"", None),
            (b"PING \\\"a", None),
            (b"set \"\"\"test-key\"\"\" test-value", None),
            (b"\"a\0\"", None),
        ];
        for (line, arguments) in table {
            let expected = arguments.map(|all| all.iter().map(|one| one.to_vec()).collect::<Vec<_>>());
            assert_eq!(split(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn fuzz_inline() {
        bolero::check!().with_iterations(2000).for_each(|line: &[u8]| {
            split(line);
        });
    }
}
