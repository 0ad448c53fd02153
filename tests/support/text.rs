//! Quoting and unquoting of binary strings as redis-cli does it, and the encoding of requests.

use std::fmt::Write;

/// The bytes in double quotes, with everything that does not print escaped (redis-cli's form).
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => text.extend(['\\', byte as char]),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            7 => text.push_str("\\a"),
            8 => text.push_str("\\b"),
            b' '..=b'~' => text.push(byte as char),
            _ => write!(text, "\\x{byte:02x}").expect("a String takes every write"),
        }
    }
    text.push('"');
    text
}

/// A command as one would type it into redis-cli: arguments quoted where needed, long ones cut in the middle.
pub fn command_line(arguments: &[Vec<u8>]) -> String {
    let plain = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\' | b'{' | b'}');
    let shown = |argument: &Vec<u8>| {
        if !argument.is_empty() && argument.len() < 200 && argument.iter().all(plain) {
            String::from_utf8_lossy(argument).into_owned()
        } else {
            quote(argument)
        }
    };
    arguments.iter().map(shown).collect::<Vec<_>>().join(" ")
}

/// Resolves the escapes `\n \r \t \a \b \\ \" \xhh` of a double-quoted text; any other escaped character is itself.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let Some((&escaped, after)) = rest.split_first() else {
            break;
        };
        rest = after;
        let hex = rest
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(match (escaped, hex) {
            (b'n', _) => b'\n',
            (b'r', _) => b'\r',
            (b't', _) => b'\t',
            (b'a', _) => 7,
            (b'b', _) => 8,
            (b'x', Some(value)) => {
                rest = &rest[2..];
                value
            }
            _ => escaped,
        });
    }
    bytes
}

/// Splits a line into arguments by redis-cli's rules: blanks separate, `"…"` with escapes, `'…'` with `\'` only.
pub fn split_arguments(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut arguments = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (argument, after) = match rest.as_bytes()[0] {
            b'"' => {
                let end = closing_quote(rest, b'"').ok_or_else(|| format!("unbalanced quotes: {line}"))?;
                (unescape(&rest[1..end]), &rest[end + 1..])
            }
            b'\'' => {
                let end = closing_quote(rest, b'\'').ok_or_else(|| format!("unbalanced quotes: {line}"))?;
                (rest[1..end].replace("\\'", "'").into_bytes(), &rest[end + 1..])
            }
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (rest.as_bytes()[..end].to_vec(), &rest[end..])
            }
        };
        arguments.push(argument);
        rest = after.trim_start();
    }
    Ok(arguments)
}

fn closing_quote(text: &str, quote: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b if b == quote => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// Appends the command as a RESP array of bulk strings.
pub fn encode_array<A: AsRef<[u8]>>(arguments: &[A], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", arguments.len()).as_bytes());
    for argument in arguments {
        let argument = argument.as_ref();
        out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the command as an inline request; the arguments must need no quotes.
pub fn encode_inline<A: AsRef<[u8]>>(arguments: &[A], out: &mut Vec<u8>) {
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(argument.as_ref());
    }
    out.extend_from_slice(b"\r\n");
}
