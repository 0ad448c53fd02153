//! Quoted text as Redis writes it into logs and MONITOR lines, and the splitting of lines that reads it back.
//!
//! Pure functions, for `redis.conf`, logs, replies and tests. The inline form of the wire protocol has its own parser
//! in `resp/`.

use super::number::is_space;

/// A line that ends within quotes, or has a closing quote with something right behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnbalancedQuotes;

/// The bytes in double quotes, as Redis' `sdscatrepr`: printable ASCII as it is, `\\`, `\"`, `\n`, `\r`, `\t`, `\a`, `\b`,
/// and `\xhh` for the rest. `split_arguments` gives the bytes back.
pub fn quote(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    quote_into(&mut out, bytes);
    out
}

/// Appends what `quote` gives.
pub fn quote_into(out: &mut String, bytes: &[u8]) {
    const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    for &byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'"' => out.push_str("\\\""),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                out.push_str("\\x");
                out.push(char::from(HEXADECIMAL[usize::from(byte >> 4)]));
                out.push(char::from(HEXADECIMAL[usize::from(byte & 15)]));
            }
        }
    }
    out.push('"');
}

/// The arguments of a line as Redis' `sdssplitargs`: parted by blanks; "double quotes" take the escapes of `quote`,
/// 'single quotes' only `\'`; a quote may open within an argument, and closes it. A zero byte ends the line.
pub fn split_arguments(line: &[u8]) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
    let end = memchr::memchr(0, line).unwrap_or(line.len());
    let mut rest = &line[..end];
    let mut arguments = Vec::new();
    loop {
        let blanks = rest.iter().take_while(|&&byte| is_space(byte)).count();
        rest = &rest[blanks..];
        if rest.is_empty() {
            return Ok(arguments);
        }
        let (argument, after) = first_argument(rest)?;
        arguments.push(argument);
        rest = after;
    }
}

/// The argument at the start of a line without leading blanks, and what follows it.
fn first_argument(line: &[u8]) -> Result<(Vec<u8>, &[u8]), UnbalancedQuotes> {
    let mut argument = Vec::new();
    for (at, &byte) in line.iter().enumerate() {
        let after = &line[at + 1..];
        let rest = match byte {
            // Not all blanks that part arguments end one: vertical tab and form feed do not.
            b' ' | b'\n' | b'\r' | b'\t' => after,
            b'"' => double_quoted(after, &mut argument)?,
            b'\'' => single_quoted(after, &mut argument)?,
            _ => {
                argument.push(byte);
                continue;
            }
        };
        return Ok((argument, rest));
    }
    Ok((argument, &[]))
}

/// Appends the text up to the closing double quote; returns what follows that.
fn double_quoted<'line>(
    mut text: &'line [u8],
    argument: &mut Vec<u8>,
) -> Result<&'line [u8], UnbalancedQuotes> {
    loop {
        text = match text {
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                argument.push(hexadecimal_value(*high) << 4 | hexadecimal_value(*low));
                after
            }
            [b'\\', escaped, after @ ..] => {
                argument.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    _ => *escaped,
                });
                after
            }
            [b'"', after @ ..] => return closed(after),
            [byte, after @ ..] => {
                argument.push(*byte);
                after
            }
            [] => return Err(UnbalancedQuotes),
        }
    }
}

/// Appends the text up to the closing single quote; returns what follows that.
fn single_quoted<'line>(
    mut text: &'line [u8],
    argument: &mut Vec<u8>,
) -> Result<&'line [u8], UnbalancedQuotes> {
    loop {
        text = match text {
            [b'\\', b'\'', after @ ..] => {
                argument.push(b'\'');
                after
            }
            [b'\'', after @ ..] => return closed(after),
            [byte, after @ ..] => {
                argument.push(*byte);
                after
            }
            [] => return Err(UnbalancedQuotes),
        }
    }
}

/// What follows a closing quote: a blank or nothing.
fn closed(after: &[u8]) -> Result<&[u8], UnbalancedQuotes> {
    match after {
        [byte, ..] if !is_space(*byte) => Err(UnbalancedQuotes),
        _ => Ok(after),
    }
}

/// The value of a hexadecimal digit.
fn hexadecimal_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20).wrapping_sub(b'a' - 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_quoted() {
        let table: &[(&[u8], &str)] = &[
            (b"", r#""""#),
            (b"foo bar", r#""foo bar""#),
            (b"a\"b\\c'd", r#""a\"b\\c'd""#),
            (b"\n\r\t\x07\x08", r#""\n\r\t\a\b""#),
            (
                b"\0\x01\x1b ~\x7f\x80\xff",
                r#""\x00\x01\x1b ~\x7f\x80\xff""#,
            ),
        ];
        for &(bytes, expected) in table {
            assert_eq!(quote(bytes), expected);
        }
    }

    #[test]
    fn lines_are_split() {
        type Split<'line> = Result<&'line [&'line [u8]], UnbalancedQuotes>;
        let table: &[(&[u8], Split<'_>)] = &[
            (b"", Ok(&[])),
            (b" \t\r\n\x0b\x0c", Ok(&[])),
            (b"set key value", Ok(&[b"set", b"key", b"value"])),
            (b"  set\tkey \n value\r\n", Ok(&[b"set", b"key", b"value"])),
            (br#"save "" '' end"#, Ok(&[b"save", b"", b"", b"end"])),
            (br#""a b" 'c d'"#, Ok(&[b"a b", b"c d"])),
            (
                br#""\x41\xfF\x4g\n\r\t\b\a\q\"\\""#,
                Ok(&[b"A\xffx4g\n\r\t\x08\x07q\"\\"]),
            ),
            (br#"'\x41\n\'\\"'"#, Ok(&[br#"\x41\n'\\""#])),
            (br#"foo"bar""#, Ok(&[b"foobar"])),
            (br#"foo'b r' x"#, Ok(&[b"foob r", b"x"])),
            (br#"a\x41\n"#, Ok(&[br#"a\x41\n"#])),
            (b"a\x0bb \x0bc", Ok(&[b"a\x0bb", b"c"])),
            (b"\"a\"\x0b", Ok(&[b"a"])),
            (b"a b\0c \"", Ok(&[b"a", b"b"])),
            (b"\xff", Ok(&[b"\xff"])),
            (br#""foo"bar"#, Err(UnbalancedQuotes)),
            (br#"'foo'bar"#, Err(UnbalancedQuotes)),
            (br#""foo"#, Err(UnbalancedQuotes)),
            (br#"'foo"#, Err(UnbalancedQuotes)),
            (br#""foo'"#, Err(UnbalancedQuotes)),
            (br#"foo""#, Err(UnbalancedQuotes)),
            (br#""foo\""#, Err(UnbalancedQuotes)),
            (br#""foo\"#, Err(UnbalancedQuotes)),
            (br#"'foo\'"#, Err(UnbalancedQuotes)),
            (b"\"foo\0\"", Err(UnbalancedQuotes)),
        ];
        for (line, expected) in table {
            let expected = expected
                .map(|arguments| arguments.iter().map(|argument| argument.to_vec()).collect());
            assert_eq!(split_arguments(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn every_byte_comes_back_from_its_quotes() {
        let bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        assert_eq!(split_arguments(quote(&bytes).as_bytes()), Ok(vec![bytes]));
    }
}
