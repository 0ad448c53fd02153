//! Reads Rust source text just well enough for `tests/tidy.rs`: blanks out comments and literals, finds the items under
//! `#[cfg(test)]`, and finds functions with their lengths. Positions and line numbers stay those of the file.
//!
//! Not a parser: text that does not compile may be misread, and that is the compiler's business.

use std::ops::Range;

/// One source file in the three views the rules need.
pub struct SourceFile {
    /// Path from the package root, with `/`.
    pub path: String,
    /// The text as it stands.
    pub text: String,
    /// The text with comments and literals blanked; same length, same lines, ASCII only.
    pub code: String,
    /// `code` with test items blanked (all of it, in a test file).
    pub production: String,
    /// `code` with everything but test items blanked (all of it kept, in a test file).
    pub tests: String,
}

impl SourceFile {
    /// Reads `text`; `path` decides whether the whole file is a test.
    pub fn new(path: &str, text: &str) -> SourceFile {
        let code = blank_comments_and_literals(text);
        let whole = 0..code.len();
        let test_ranges = if is_test_path(path) {
            vec![whole]
        } else {
            cfg_test_items(&code)
        };
        let mut production = code.clone().into_bytes();
        let mut tests = blank(&code).into_bytes();
        for range in test_ranges {
            tests[range.clone()].copy_from_slice(&code.as_bytes()[range.clone()]);
            let blanked = blank(&code[range.clone()]);
            production[range].copy_from_slice(blanked.as_bytes());
        }
        SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            production: String::from_utf8(production).expect("blanked code is ASCII"),
            tests: String::from_utf8(tests).expect("blanked code is ASCII"),
        }
    }

    /// Number of the line (from 1) that holds byte `at`.
    pub fn line_of(&self, at: usize) -> usize {
        1 + self.code.as_bytes()[..at]
            .iter()
            .filter(|&&b| b == b'\n')
            .count()
    }
}

/// Whether the file holds nothing but tests: outside `src/`, or named `tests.rs` or `*_tests.rs`, or in a `tests/` folder.
fn is_test_path(path: &str) -> bool {
    !path.starts_with("src/")
        || path.contains("/tests/")
        || path.ends_with("_tests.rs")
        || path.ends_with("/tests.rs")
}

/// Whether `b` can stand inside an identifier.
pub fn is_word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// Byte positions where `word` occurs in `code` as a whole word (its ends are not continued by identifier characters).
pub fn find_word(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let first_is_word = is_word_byte(word.as_bytes()[0]);
    let last_is_word = is_word_byte(word.as_bytes()[word.len() - 1]);
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|&at| !first_is_word || at == 0 || !is_word_byte(bytes[at - 1]))
        .filter(|&at| !last_is_word || bytes.get(at + word.len()).is_none_or(|&b| !is_word_byte(b)))
        .collect()
}

fn blank(text: &str) -> String {
    text.bytes()
        .map(|b| if b == b'\n' { '\n' } else { ' ' })
        .collect()
}

/// The text with the contents of comments, strings and characters replaced by blanks, byte for byte.
fn blank_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment_end(bytes, at);
        if end == at {
            code.push(if bytes[at].is_ascii() {
                bytes[at]
            } else {
                b' '
            });
            at += 1;
        } else {
            code.extend(
                bytes[at..end]
                    .iter()
                    .map(|&b| if b == b'\n' { b'\n' } else { b' ' }),
            );
            at = end;
        }
    }
    String::from_utf8(code).expect("only ASCII was pushed")
}

/// Where the comment or literal that opens at `at` ends; `at` itself if none opens there.
fn literal_or_comment_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    match rest[0] {
        b'/' if rest.starts_with(b"//") => {
            at + rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())
        }
        b'/' if rest.starts_with(b"/*") => block_comment_end(bytes, at),
        b'"' => quoted_end(bytes, at + 1, b'"'),
        b'r' if at == 0 || !is_word_byte(bytes[at - 1]) || is_literal_prefix(bytes, at) => {
            raw_string_end(bytes, at).unwrap_or(at)
        }
        b'\'' if rest.get(1) == Some(&b'\\') => quoted_end(bytes, at + 1, b'\''),
        b'\'' => {
            // A character closes after one code point; otherwise this is a lifetime.
            let length = (1..=4).find(|&n| rest.get(1 + n) == Some(&b'\''));
            let length = length.filter(|&n| {
                std::str::from_utf8(&rest[1..1 + n]).is_ok_and(|s| s.chars().count() == 1)
            });
            length.map_or(at, |n| at + n + 2)
        }
        _ => at,
    }
}

/// Whether the byte before `at` is the `b` or `c` of a literal prefix such as `br"`.
fn is_literal_prefix(bytes: &[u8], at: usize) -> bool {
    matches!(bytes[at - 1], b'b' | b'c') && (at == 1 || !is_word_byte(bytes[at - 2]))
}

fn block_comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut end) = (0, at);
    while end < bytes.len() {
        if bytes[end..].starts_with(b"/*") {
            depth += 1;
            end += 2;
        } else if bytes[end..].starts_with(b"*/") {
            depth -= 1;
            end += 2;
            if depth == 0 {
                return end;
            }
        } else {
            end += 1;
        }
    }
    end
}

fn quoted_end(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|&&b| b == b'#').count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"')
        .chain(std::iter::repeat_n(b'#', hashes))
        .collect();
    let body = &bytes[open + 1..];
    let length = body.windows(close.len()).position(|window| window == close);
    Some(length.map_or(bytes.len(), |n| open + 1 + n + close.len()))
}

/// Ranges of the items that stand under `#[cfg(test)]` or `#[cfg(all(test, …))]`, attributes included.
fn cfg_test_items(code: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for needle in ["#[cfg(test)]", "#[cfg(all(test"] {
        for (start, _) in code.match_indices(needle) {
            let mut end = bracket_end(code.as_bytes(), start + 1);
            while let Some(next) = code[end..]
                .find(|c: char| !c.is_whitespace())
                .filter(|&n| code[end + n..].starts_with("#["))
            {
                end = bracket_end(code.as_bytes(), end + next + 1);
            }
            ranges.push(start..item_end(code.as_bytes(), end));
        }
    }
    ranges
}

/// Where the bracket pair that opens at `at` is closed (one past it).
fn bracket_end(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0;
    for (offset, &b) in bytes[at..].iter().enumerate() {
        match b {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + offset + 1;
        }
    }
    bytes.len()
}

/// Where the item that begins at or after `at` ends: its block, or its `;`.
fn item_end(bytes: &[u8], at: usize) -> usize {
    block_start(bytes, at).map_or_else(|end| end, |open| bracket_end(bytes, open))
}

/// `Ok` with the position of the `{` that opens the item's block, or `Err` with one past the `;` that ends it.
fn block_start(bytes: &[u8], at: usize) -> Result<usize, usize> {
    let mut at = at;
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' => at = bracket_end(bytes, at),
            b'{' => return Ok(at),
            b';' => return Err(at + 1),
            _ => at += 1,
        }
    }
    Err(bytes.len())
}

/// A function with a body.
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line of its `fn`, from 1.
    pub line: usize,
    /// Lines from `fn` to the closing brace, both included.
    pub lines: usize,
}

/// Every function of the file that has a body, nested ones too.
pub fn functions(file: &SourceFile) -> Vec<Function> {
    let bytes = file.code.as_bytes();
    let mut found = Vec::new();
    for at in find_word(&file.code, "fn") {
        let name: String = file.code[at + 2..]
            .trim_start()
            .chars()
            .take_while(|&c| c.is_ascii() && is_word_byte(c as u8))
            .collect();
        if name.is_empty() {
            continue; // A function pointer type.
        }
        let Ok(open) = block_start(bytes, at) else {
            continue;
        };
        let line = file.line_of(at);
        let lines = file.line_of(bracket_end(bytes, open) - 1) - line + 1;
        found.push(Function { name, line, lines });
    }
    found
}
