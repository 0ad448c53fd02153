//! Glob patterns: tables had from KEYS and CONFIG GET of redis-server 7.0.15, a comparison with a plain matcher, and the
//! patterns that take other matchers forever.

use super::glob::Glob;
use std::time::{Duration, Instant};

/// A match that takes longer than this stalls a shard.
const MATCH_TIME_MAX: Duration = Duration::from_millis(100);

#[test]
fn patterns_match_as_in_redis() {
    // Pattern, texts that match, texts that do not.
    let table: &[(&str, &[&str], &[&str])] = &[
        ("", &[""], &["a"]),
        ("*", &["a", "abc"], &[""]),
        ("**", &["a", "abc"], &[""]),
        ("abc", &["abc"], &["", "ab", "abcd", "ABC"]),
        ("abc*", &["abc", "abcd"], &["ab", "xabc"]),
        ("abc**", &["abc", "abcd"], &["ab"]),
        ("*abc", &["abc", "xabc", "abcabc"], &["abcx", "bc"]),
        ("a*c", &["ac", "abc", "acc", "acbc"], &["a", "c", "acb"]),
        ("a*a", &["aa", "aba"], &["a", "ab"]),
        ("*ab*ab*", &["abab", "xabxabx"], &["ab", "aab", "abb"]),
        ("ab*ba", &["abba", "abxba"], &["aba"]),
        ("h?llo", &["hello", "hallo"], &["hllo", "heello"]),
        ("?", &["a"], &["", "ab"]),
        ("*?", &["a", "ab"], &[""]),
        ("?*?", &["ab", "abc"], &["a"]),
        ("h[ae]llo", &["hello", "hallo"], &["hillo"]),
        ("h[^e]llo", &["hallo"], &["hello"]),
        ("h[a-c]llo", &["hallo", "hcllo"], &["hdllo", "h-llo"]),
        ("h[c-a]llo", &["hallo", "hcllo"], &["hdllo"]),
        ("*[0-9][0-9]:?*", &["a12:b", "12:34"], &["a1:b", "12:"]),
        ("[]", &[], &["]", "a", "[]"]),
        ("[]a]", &[], &["a", "]", "a]"]),
        ("[^]", &["a", "]"], &["", "aa"]),
        ("[^", &["a"], &["", "aa"]),
        ("[", &[], &["[", "a"]),
        ("[ab", &["a", "b"], &["[", "ab"]),
        ("[a-", &["a", "-"], &["b"]),
        ("[a-]", &["]", "a", "^"], &["-", "b"]),
        ("[a-b-c]", &["a", "b", "-", "c"], &["d"]),
        ("[-a]", &["-", "a"], &["b"]),
        ("[\\]]", &["]"], &["\\", "a"]),
        ("[\\", &["\\"], &["a"]),
        ("[\\a-c]", &["a", "-", "c"], &["b", "\\"]),
        ("[a\\", &["a", "\\"], &["b"]),
        ("a\\*", &["a*"], &["ab", "a\\*"]),
        ("a\\*b", &["a*b"], &["aab"]),
        ("\\", &["\\"], &["", "a"]),
        ("a\\", &["a\\"], &["a"]),
        ("\\[a]", &["[a]"], &["a"]),
        ("*\\?", &["a?", "?"], &["aa"]),
        ("a-b", &["a-b"], &["ab"]),
        ("a]", &["a]"], &["a"]),
    ];
    for &(pattern, matching, others) in table {
        for (texts, expected) in [(matching, true), (others, false)] {
            for text in texts {
                assert_eq!(
                    Glob::new(pattern.as_bytes()).matches(text.as_bytes()),
                    expected,
                    "{pattern} {text}"
                );
            }
        }
    }
}

#[test]
fn case_is_ignored_where_asked() {
    let table = [
        ("MaxMem*", "maxmemory", true),
        ("max-*-SIZE", "MAX-value-size", true),
        ("[A-C]x", "bX", true),
        ("[abc]X", "Bx", true),
        ("[^B]", "b", false),
        ("[\\B]", "b", false),
        ("[\\B]", "B", true),
        ("\\B", "b", true),
        // 'Z' is before 'a', and after lowering behind it: an empty range.
        ("[Z-a]", "z", false),
        ("[Z-a]", "_", false),
        ("a_*", "A_", true),
        ("*_A", "x@a", false),
    ];
    for (pattern, text, expected) in table {
        assert_eq!(
            Glob::ignoring_case(pattern.as_bytes()).matches(text.as_bytes()),
            expected,
            "{pattern} {text}"
        );
    }
    assert!(!Glob::new(b"A*").matches(b"abc"));
}

#[test]
fn ranges_compare_signed_bytes() {
    assert!(Glob::new(b"[\x80-\x10]").matches(b"\x00"));
    assert!(Glob::new(b"[\x80-\x10]").matches(b"\xff"));
    assert!(!Glob::new(b"[\x80-\x10]").matches(b"\x7f"));
    assert!(Glob::new(b"\xff*\x00").matches(b"\xff\xfe\x00"));
}

#[test]
fn simple_patterns_are_known() {
    assert!(Glob::new(b"*").is_star());
    assert!(
        !Glob::new(b"**").is_star() && !Glob::new(b"a*").is_star() && !Glob::new(b"\\*").is_star()
    );
    assert_eq!(Glob::new(b"a\\*b").literal(), Some(&b"a*b"[..]));
    assert_eq!(Glob::new(b"").literal(), Some(&b""[..]));
    assert_eq!(Glob::new(b"a*").literal(), None);
    assert_eq!(Glob::new(b"[a]").literal(), None);
    assert_eq!(Glob::ignoring_case(b"a").literal(), None);
}

#[test]
fn too_many_stars_match_nothing() {
    let text = [b'a'; 3000];
    for (groups, tail, expected) in [
        (1000, "", true),
        (1000, "*", true),
        (1001, "", false),
        (1001, "*", false),
    ] {
        let pattern = "*a".repeat(groups) + tail;
        assert_eq!(
            Glob::new(pattern.as_bytes()).matches(&text),
            expected,
            "{groups} {tail}"
        );
    }
    let pattern = "a**".repeat(1001);
    assert!(Glob::new(pattern.as_bytes()).matches(&text));
    assert!(!Glob::new((pattern + "a").as_bytes()).matches(&text));
}

#[test]
fn no_pattern_takes_long() {
    const BYTES: usize = 1 << 20;
    let all_a = vec![b'a'; BYTES];
    let repeat = |piece: &str, bytes: usize| piece.repeat(bytes / piece.len());
    let table: &[(&str, String, bool)] = &[
        ("1 MB of *a", repeat("*a", BYTES), false),
        ("1000 of *a, then b", repeat("*a", 2000) + "b", false),
        ("1000 of *a, then b*", repeat("*a", 1998) + "*b*", false),
        ("1 MB of *", repeat("*", BYTES), true),
        ("1 MB of ?", repeat("?", BYTES), true),
        ("1 MB of [", repeat("[", BYTES), false),
        ("1 MB of [a]", repeat("[a]", BYTES), false),
        (
            "one set of 1 MB",
            "*[".to_owned() + &repeat("b", BYTES),
            false,
        ),
        (
            "literal of half",
            "*".to_owned() + &repeat("a", BYTES / 2) + "b*",
            false,
        ),
        (
            "half with ?",
            "*".to_owned() + &repeat("a", BYTES / 4) + "?" + &repeat("a", BYTES / 4) + "b*",
            false,
        ),
        (
            "half of a?",
            "*".to_owned() + &repeat("a?", BYTES / 2) + "b*",
            false,
        ),
        (
            "half of ?",
            "*".to_owned() + &repeat("?", BYTES / 2) + "b*",
            false,
        ),
        ("1000 of a?b", repeat("*a?b", 4000) + "*", false),
        ("1000 of aaa?", repeat("*aaa?", 5000) + "*", true),
    ];
    for (name, pattern, expected) in table {
        for glob in [Glob::new, Glob::ignoring_case] {
            let begin = Instant::now();
            assert_eq!(
                glob(pattern.as_bytes()).matches(&all_a),
                *expected,
                "{name}"
            );
            let time = begin.elapsed();
            // Test machines are slow and shared, and sanitizers slower; what is not bounded takes minutes.
            assert!(time < 100 * MATCH_TIME_MAX, "{name}: {time:?}");
        }
    }
}

/// The rules as a plain recursive matcher over a pattern taken to pieces.
fn plain_match(pattern: &[u8], text: &[u8], ignore_case: bool) -> bool {
    let pieces = pieces(pattern, ignore_case);
    if text.is_empty() {
        pattern.is_empty()
    } else {
        pieces_match(&pieces, text)
    }
}

enum Piece {
    Star,
    Bytes(Box<[bool; 256]>),
}

fn pieces_match(pieces: &[Piece], text: &[u8]) -> bool {
    match (pieces, text) {
        ([], text) => text.is_empty(),
        ([Piece::Star, rest @ ..], text) => {
            (0..=text.len()).any(|taken| pieces_match(rest, &text[taken..]))
        }
        ([Piece::Bytes(bytes), rest @ ..], [byte, text @ ..]) => {
            bytes[usize::from(*byte)] && pieces_match(rest, text)
        }
        ([Piece::Bytes(_), ..], []) => false,
    }
}

fn pieces(pattern: &[u8], ignore_case: bool) -> Vec<Piece> {
    let same =
        |left: u8, right: u8| left == right || (ignore_case && left.eq_ignore_ascii_case(&right));
    let set = |holds: &dyn Fn(u8) -> bool| {
        let mut bytes = Box::new([false; 256]);
        (0..=255).for_each(|byte: u8| bytes[usize::from(byte)] = holds(byte));
        Piece::Bytes(bytes)
    };
    let mut pieces = Vec::new();
    let mut rest = pattern.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        pieces.push(match byte {
            b'*' => Piece::Star,
            b'?' => set(&|_| true),
            b'\\' => {
                let escaped = rest.next().unwrap_or(b'\\');
                set(&|byte| same(byte, escaped))
            }
            b'[' => {
                let negated = rest.next_if_eq(&b'^').is_some();
                let mut members: Vec<(u8, u8, bool)> = Vec::new();
                while let Some(member) = rest.next_if(|&byte| byte != b']') {
                    let mut ahead = rest.clone();
                    match (ahead.next(), ahead.next()) {
                        (Some(escaped), _) if member == b'\\' => {
                            rest.next();
                            members.push((escaped, escaped, true));
                        }
                        (Some(b'-'), Some(high)) => {
                            rest = ahead;
                            let signed = |byte: u8| byte as i8;
                            let (low, high) = if signed(member) <= signed(high) {
                                (member, high)
                            } else {
                                (high, member)
                            };
                            members.push((low, high, false));
                        }
                        _ => members.push((member, member, false)),
                    }
                }
                rest.next();
                let lower = |byte: u8| {
                    if ignore_case {
                        byte.to_ascii_lowercase() as i8
                    } else {
                        byte as i8
                    }
                };
                set(&|byte| {
                    let found = members.iter().any(|&(low, high, exact)| match exact {
                        true => byte == low,
                        false => lower(low) <= lower(byte) && lower(byte) <= lower(high),
                    });
                    found != negated
                })
            }
            literal => set(&|byte| same(byte, literal)),
        });
    }
    pieces
}

#[test]
fn any_pattern_matches_as_the_plain_matcher_says() {
    bolero::check!()
        .with_type::<(Vec<u8>, Vec<u8>, bool)>()
        .for_each(|(pattern, text, ignore_case)| {
            let pick = |alphabet: &[u8], bytes: &[u8], bytes_max: usize| -> Vec<u8> {
                bytes
                    .iter()
                    .take(bytes_max)
                    .map(|&byte| alphabet[usize::from(byte) % alphabet.len()])
                    .collect()
            };
            let pattern = pick(b"aabBb*?[]^-\\c\xff", pattern, 12);
            let text = pick(b"aabAb]-\\c\x80", text, 10);
            let glob = if *ignore_case {
                Glob::ignoring_case(&pattern)
            } else {
                Glob::new(&pattern)
            };
            let expected = plain_match(&pattern, &text, *ignore_case);
            assert_eq!(
                glob.matches(&text),
                expected,
                "{} {}",
                pattern.escape_ascii(),
                text.escape_ascii()
            );
        });
}
