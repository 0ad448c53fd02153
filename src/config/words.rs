//! Words of configuration lines, beyond what `stdx::quote` does with them. Total: any bytes in. Private to `config`.

use crate::stdx::quote::quote;

/// The word as it is if it reads back as itself, otherwise in double quotes.
pub fn quoted_if_odd(word: &[u8]) -> Vec<u8> {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !word.is_empty() && word.iter().all(plain) {
        return word.to_vec();
    }
    quote(word).into_bytes()
}

/// Cuts blanks, tabs and line ends off both ends.
pub fn trim(text: &[u8]) -> &[u8] {
    let cut = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = text.iter().take_while(|byte| cut(byte)).count();
    let rest = &text[start..];
    let end = rest.iter().rev().take_while(|byte| cut(byte)).count();
    &rest[..rest.len() - end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::quote::split_arguments;

    #[test]
    fn odd_words_are_quoted_and_read_back() {
        for (word, text) in [("port", "port"), ("", "\"\""), ("a b", "\"a b\""), ("it's", "\"it's\""), ("\n", "\"\\n\"")] {
            let quoted = quoted_if_odd(word.as_bytes());
            assert_eq!(quoted, text.as_bytes());
            assert_eq!(split_arguments(&quoted), Ok(vec![word.as_bytes().to_vec()]));
        }
    }

    #[test]
    fn trimming_leaves_what_is_within() {
        for (text, trimmed) in [("", ""), (" \t\r\n", ""), (" a b\r\n", "a b"), ("\x0b", "\x0b")] {
            assert_eq!(trim(text.as_bytes()), trimmed.as_bytes());
        }
    }
}
