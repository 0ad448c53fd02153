//! Splitting lines into words, quoting words, and patterns for names. Total: any bytes in.
//!
//! Private to `config`; copies of what `stdx::quote` and `stdx::glob` are to offer, kept until the lead unifies them.

use super::numbers::is_blank;

/// Splits a line into words as Redis' `sdssplitargs` does: blanks separate; `"…"` knows `\n \r \t \b \a \xHH` and
/// `\c` for any other `c`; `'…'` knows only `\'`. `None` when a quote is not closed or is followed by something that is
/// not a blank.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|byte| is_blank(*byte)) {
            at += 1;
        }
        if at == line.len() {
            return Some(words);
        }
        let mut word = Vec::new();
        at = one_word(line, at, &mut word)?;
        words.push(word);
    }
}

/// Reads the word that starts at `at`; returns where it ends.
fn one_word(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    while let Some(&byte) = line.get(at) {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => return Some(at),
            b'"' | b'\'' => {
                at = quoted(line, at + 1, byte, word)?;
                return line
                    .get(at)
                    .is_none_or(|next| is_blank(*next))
                    .then_some(at);
            }
            _ => word.push(byte),
        }
        at += 1;
    }
    Some(at)
}

/// Reads up to the closing quote; returns the place after it.
fn quoted(line: &[u8], mut at: usize, quote: u8, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        let byte = *line.get(at)?;
        let next = line.get(at + 1).copied();
        match (byte, next) {
            (b'\\', Some(b'\'')) if quote == b'\'' => {
                word.push(b'\'');
                at += 2;
            }
            (b'\\', Some(escaped)) if quote == b'"' => {
                if let Some(value) = hex_pair(escaped, line.get(at + 2), line.get(at + 3)) {
                    word.push(value);
                    at += 4;
                } else {
                    word.push(unescape(escaped));
                    at += 2;
                }
            }
            _ if byte == quote => return Some(at + 1),
            _ => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

fn hex_pair(marker: u8, high: Option<&u8>, low: Option<&u8>) -> Option<u8> {
    let high = char::from(*high?).to_digit(16)?;
    let low = char::from(*low?).to_digit(16)?;
    (marker == b'x').then_some((high * 16 + low) as u8)
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// Appends the word in double quotes, so that [`split`] gives back the same bytes and no line ends inside it.
pub fn quote(word: &[u8], line: &mut Vec<u8>) {
    line.push(b'"');
    for &byte in word {
        match byte {
            b'\\' | b'"' => line.extend([b'\\', byte]),
            b'\n' => line.extend(b"\\n"),
            b'\r' => line.extend(b"\\r"),
            b'\t' => line.extend(b"\\t"),
            0x07 => line.extend(b"\\a"),
            0x08 => line.extend(b"\\b"),
            b' '..=b'~' => line.push(byte),
            other => line.extend(format!("\\x{other:02x}").bytes()),
        }
    }
    line.push(b'"');
}

/// The word as it is if it reads back as itself, otherwise in double quotes.
pub fn quoted_if_odd(word: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !word.is_empty() && word.iter().all(plain) {
        return word.to_vec();
    }
    let mut text = Vec::new();
    quote(word, &mut text);
    text
}

/// Cuts blanks, tabs and line ends off both ends.
pub fn trim(text: &[u8]) -> &[u8] {
    let cut = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = text.iter().take_while(|byte| cut(byte)).count();
    let rest = &text[start..];
    let end = rest.iter().rev().take_while(|byte| cut(byte)).count();
    &rest[..rest.len() - end]
}

/// Whether the text has the shape of the pattern, by Redis' rules: `*`, `?`, `[a-z]`, `[^a]`, `\` before a byte that
/// stands for itself. Time is at most the product of both lengths, whatever the pattern.
pub fn matches(pattern: &[u8], text: &[u8], any_case: bool) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at + 1, place));
            at += 1;
            continue;
        }
        if place == text.len() {
            return at == pattern.len();
        }
        if let Some(next) = one_matches(pattern, at, text[place], any_case) {
            at = next;
            place += 1;
            continue;
        }
        let Some((after_star, taken)) = star else {
            return false;
        };
        star = Some((after_star, taken + 1));
        at = after_star;
        place = taken + 1;
    }
}

/// If the element of the pattern at `at` fits the byte: where the next element starts.
fn one_matches(pattern: &[u8], at: usize, byte: u8, any_case: bool) -> Option<usize> {
    let fold = |byte: u8| {
        if any_case {
            byte.to_ascii_lowercase()
        } else {
            byte
        }
    };
    match *pattern.get(at)? {
        b'?' => Some(at + 1),
        b'[' => {
            let (fits, next) = class_matches(pattern, at + 1, fold(byte), fold);
            fits.then_some(next)
        }
        b'\\' if at + 1 < pattern.len() => (fold(pattern[at + 1]) == fold(byte)).then_some(at + 2),
        own => (fold(own) == fold(byte)).then_some(at + 1),
    }
}

/// Reads a class that starts at `at`; a class that is not closed ends with the pattern.
fn class_matches(
    pattern: &[u8],
    mut at: usize,
    byte: u8,
    fold: impl Fn(u8) -> u8,
) -> (bool, usize) {
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut fits = false;
    loop {
        match pattern.get(at..) {
            None | Some([]) => return (fits != negated, pattern.len()),
            Some([b']', ..]) => return (fits != negated, at + 1),
            Some([b'\\', own, ..]) => {
                fits |= fold(*own) == byte;
                at += 2;
            }
            Some([first, b'-', last, ..]) => {
                let (first, last) = (fold(*first.min(last)), fold(*first.max(last)));
                fits |= (first..=last).contains(&byte);
                at += 3;
            }
            Some([own, ..]) => {
                fits |= fold(*own) == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_split() {
        for (line, expected) in [
            ("", Some(vec![])),
            ("  \t ", Some(vec![])),
            ("port 6379", Some(vec!["port", "6379"])),
            ("save \"\"", Some(vec!["save", ""])),
            (r#"a "b c" 'd e'"#, Some(vec!["a", "b c", "d e"])),
            (r#""\x41\n\q\"" '\'\n'"#, Some(vec!["A\nq\"", "'\\n"])),
            (r#"pre"fix""#, Some(vec!["prefix"])),
            (r#""\x4""#, Some(vec!["x4"])),
            ("\"open", None),
            ("'open", None),
            ("\"a\"b", None),
            ("'a'b", None),
            ("\"a\\", None),
        ] {
            let words = split(line.as_bytes());
            let expected =
                expected.map(|words| words.iter().map(|word| word.as_bytes().to_vec()).collect());
            assert_eq!(words, expected, "{line}");
        }
    }

    #[test]
    fn quoting_is_undone_by_splitting() {
        let all: Vec<u8> = (0..=255).collect();
        let mut line = Vec::new();
        quote(&all, &mut line);
        assert!(line.iter().all(|byte| (b' '..=b'~').contains(byte)));
        assert_eq!(split(&line), Some(vec![all]));
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "port", true),
            ("PO?t", "port", true),
            ("p*rt*", "port", true),
            ("*max*memory*", "maxmemory-samples", true),
            ("[a-p]ort", "port", true),
            ("[p-a]ort", "port", true),
            ("[^p]ort", "port", false),
            ("[^a]ort", "port", true),
            ("[po", "p", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("port\\", "port\\", true),
            ("por", "port", false),
            ("portx", "port", false),
            ("", "", true),
            ("[]", "a", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes(), true),
                expected,
                "{pattern} {text}"
            );
        }
        assert!(!matches(b"PORT", b"port", false));
        let stars = b"*a".repeat(500);
        assert!(
            !matches(&stars, &b"a".repeat(499), true),
            "ends in bounded time"
        );
    }
}
