//! Splits an inline request (from nc or telnet) into arguments, by Redis' rules of quoting.

/// Quotes that do not match, or something other than space after a closing quote.
#[derive(Debug, PartialEq, Eq)]
pub struct UnbalancedQuotes;

/// Space as C's `isspace` sees it.
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Takes the next argument off `line`: its bytes are appended to `argument`. False at the end of the line.
///
/// Double quotes know `\xHH`, `\n \r \t \b \a` and `\` before anything else; single quotes only `\'`.
pub fn next_argument(line: &mut &[u8], argument: &mut Vec<u8>) -> Result<bool, UnbalancedQuotes> {
    while let [first, rest @ ..] = *line
        && (is_space(*first) || *first == 0)
    {
        // A NUL ends the line, as in Redis' C strings.
        if *first == 0 {
            *line = &[];
            return Ok(false);
        }
        *line = rest;
    }
    if line.is_empty() {
        return Ok(false);
    }
    loop {
        match *line {
            [] | [0, ..] => return Ok(true),
            [byte, rest @ ..] if is_space(*byte) => {
                *line = rest;
                return Ok(true);
            }
            [quote @ (b'"' | b'\''), rest @ ..] => {
                *line = rest;
                quoted(line, *quote, argument)?;
                return Ok(true);
            }
            [byte, rest @ ..] => {
                argument.push(*byte);
                *line = rest;
            }
        }
    }
}

fn quoted(line: &mut &[u8], quote: u8, argument: &mut Vec<u8>) -> Result<(), UnbalancedQuotes> {
    loop {
        match *line {
            [] | [0, ..] => return Err(UnbalancedQuotes),
            [b'\\', b'x', high, low, rest @ ..]
                if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                argument.push(hex(*high) << 4 | hex(*low));
                *line = rest;
            }
            [b'\\', escaped, rest @ ..] if quote == b'"' && *escaped != 0 => {
                argument.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                *line = rest;
            }
            [b'\\', b'\'', rest @ ..] if quote == b'\'' => {
                argument.push(b'\'');
                *line = rest;
            }
            [byte, rest @ ..] if *byte == quote => {
                *line = rest;
                return match rest.first() {
                    Some(&next) if next != 0 && !is_space(next) => Err(UnbalancedQuotes),
                    _ => Ok(()),
                };
            }
            [byte, rest @ ..] => {
                argument.push(*byte);
                *line = rest;
            }
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
        let (mut line, mut all) = (line, Vec::new());
        loop {
            let mut argument = Vec::new();
            if !next_argument(&mut line, &mut argument)? {
                return Ok(all);
            }
            all.push(argument);
        }
    }

    #[test]
    fn quotes_and_escapes() {
        type Case = (&'static [u8], Result<&'static [&'static [u8]], UnbalancedQuotes>);
        let cases: &[Case] = &[
            (b"", Ok(&[])),
            (b"  SET  a b ", Ok(&[b"SET", b"a", b"b"])),
            (b"SET \"a b\" 'c d'", Ok(&[b"SET", b"a b", b"c d"])),
            (br#"a "\x41\n\t\q" "" '\'' "#, Ok(&[b"a", b"A\n\tq", b"", b"'"])),
            (br#""\xzz""#, Ok(&[b"xzz"])),
            (b"ab\"cd\" e", Ok(&[b"abcd", b"e"])),
            (b"\"a\"b", Err(UnbalancedQuotes)),
            (b"\"abc", Err(UnbalancedQuotes)),
            (b"'abc", Err(UnbalancedQuotes)),
            (b"\"abc\\", Err(UnbalancedQuotes)),
        ];
        for (line, expected) in cases {
            let expected = expected.as_ref().map(|all| all.iter().map(|one| one.to_vec()).collect());
            assert_eq!(split(line).as_ref(), expected.as_ref().map_err(|_| &UnbalancedQuotes), "{line:?}");
        }
    }
}
