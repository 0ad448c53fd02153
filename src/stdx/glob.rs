//! Glob patterns with Redis' rules (`stringmatchlen`), compiled once and matched against many texts.
//!
//! `*` stands for any bytes, `?` for one, `[...]` for one of a set with ranges and `^`, `\` takes the meaning off the next.
//! Redis' corner cases are kept:
//! * An empty text matches the empty pattern only, not even `*`. (KEYS and SCAN never ask for a lone `*`; see `is_star`.)
//! * A set that is not closed ends with the pattern; `[^` without more is any byte.
//! * `\` at the end stands for itself. Within a set it takes the next byte exactly, even where case is ignored.
//! * The ends of a range may be swapped, and are compared as signed bytes; where case is ignored, they are lowered after that.
//! * More than `GLOB_STARS_MAX` groups of stars, not counting one at the end, match nothing.
//!
//! Stars cut the pattern into segments, each of a fixed number of bytes. The first and the last are tied to the ends of
//! the text; for those between, the first place that fits is as good as any, so nothing is ever tried twice for another
//! segment: no recursion, no exponential time. A literal segment is found in linear time. One with `?` or sets may need
//! its length times the text's; `GLOB_STEPS_MAX` bounds that, and a match that needs more is no match.

use super::limits::{GLOB_STARS_MAX, GLOB_STEPS_MAX};
use memchr::memmem::Finder;

/// Steps granted for each byte of the text and of the pattern, so that what is linear is never refused.
const STEPS_PER_BYTE: u64 = 4;

/// A compiled pattern. It holds two copies of the pattern at most.
#[derive(Clone, Debug)]
pub struct Glob {
    shape: Shape,
    ignore_case: bool,
}

#[derive(Clone, Debug)]
enum Shape {
    /// One or more stars.
    Stars {
        single: bool,
    },
    /// No special bytes.
    Literal(Box<[u8]>),
    /// No special bytes but one group of stars at the end.
    Prefix(Box<[u8]>),
    /// Too many stars.
    Never,
    Segments(Segments),
}

/// What stands between groups of stars; at least one.
#[derive(Clone, Debug)]
struct Segments {
    segments: Box<[Segment]>,
    /// The first segment is not behind a star.
    starts: bool,
    /// The last segment is not before a star.
    ends: bool,
    /// Bytes of all segments in the text.
    text_bytes_min: usize,
    /// Steps granted for the pattern.
    pattern_steps: u64,
}

#[derive(Clone, Debug)]
enum Segment {
    /// Bytes, exactly.
    Literal(Finder<'static>),
    /// A pattern without stars for `text_bytes` bytes of text.
    Tokens {
        pattern: Box<[u8]>,
        text_bytes: usize,
        probe: Option<Probe>,
    },
}

/// The longest run of literal bytes of a segment, and how many bytes of text are before it.
#[derive(Clone, Debug)]
struct Probe {
    run: Finder<'static>,
    offset: usize,
}

/// What a pattern has at one place.
enum Token {
    Star,
    Any,
    Byte(u8),
    /// A set, by where its bytes start.
    Set(usize),
}

impl Glob {
    /// Compiles a pattern.
    pub fn new(pattern: &[u8]) -> Glob {
        Glob {
            shape: compile(pattern, false),
            ignore_case: false,
        }
    }

    /// Compiles a pattern that takes ASCII letters in either case (names of parameters and commands).
    pub fn ignoring_case(pattern: &[u8]) -> Glob {
        Glob {
            shape: compile(pattern, true),
            ignore_case: true,
        }
    }

    /// Whether the pattern is `*` alone, which KEYS and SCAN take for every key, the empty one included.
    pub fn is_star(&self) -> bool {
        matches!(self.shape, Shape::Stars { single: true })
    }

    /// The only text the pattern matches, if it has no special bytes.
    pub fn literal(&self) -> Option<&[u8]> {
        match &self.shape {
            Shape::Literal(literal) => Some(literal),
            _ => None,
        }
    }

    /// Whether all of `text` matches.
    #[inline]
    pub fn matches(&self, text: &[u8]) -> bool {
        match &self.shape {
            Shape::Stars { .. } => !text.is_empty(),
            Shape::Literal(literal) => text == &literal[..],
            Shape::Prefix(prefix) => text.starts_with(prefix),
            Shape::Never => false,
            Shape::Segments(segments) => segments.matches(text, self.ignore_case),
        }
    }
}

impl Segments {
    fn matches(&self, text: &[u8], ignore_case: bool) -> bool {
        if text.len() < self.text_bytes_min {
            return false;
        }
        let mut steps = Steps {
            left: GLOB_STEPS_MAX + self.pattern_steps + STEPS_PER_BYTE * text.len() as u64,
        };
        let (mut segments, mut rest) = (&self.segments[..], text);
        if self.starts
            && let [first, others @ ..] = segments
        {
            let (head, tail) = rest.split_at(first.text_bytes());
            if !first.fits(head, ignore_case, &mut steps) {
                return false;
            }
            (segments, rest) = (others, tail);
        }
        if self.ends
            && let [others @ .., last] = segments
        {
            let (head, tail) = rest.split_at(rest.len() - last.text_bytes());
            if !last.fits(tail, ignore_case, &mut steps) {
                return false;
            }
            (segments, rest) = (others, head);
        } else if self.ends && !rest.is_empty() {
            // One segment tied to both ends.
            return false;
        }
        for segment in segments {
            let Some(end) = segment.find_end(rest, ignore_case, &mut steps) else {
                return false;
            };
            rest = &rest[end..];
        }
        true
    }
}

impl Segment {
    fn text_bytes(&self) -> usize {
        match self {
            Segment::Literal(literal) => literal.needle().len(),
            Segment::Tokens { text_bytes, .. } => *text_bytes,
        }
    }

    /// Whether the segment takes `text`, which has `text_bytes`.
    fn fits(&self, text: &[u8], ignore_case: bool, steps: &mut Steps) -> bool {
        match self {
            Segment::Literal(literal) => text == literal.needle(),
            Segment::Tokens { pattern, .. } => tokens_fit(pattern, text, ignore_case, steps),
        }
    }

    /// The end of the first place in `text` the segment fits.
    fn find_end(&self, text: &[u8], ignore_case: bool, steps: &mut Steps) -> Option<usize> {
        match self {
            Segment::Literal(literal) => literal
                .find(text)
                .map(|start| start + literal.needle().len()),
            Segment::Tokens {
                pattern,
                text_bytes,
                probe,
            } => {
                let mut start = 0;
                while start + text_bytes <= text.len() && steps.left > 0 {
                    if let Some(Probe { run, offset }) = probe {
                        let found = run.find(&text[start + offset..])?;
                        start += found;
                        steps.take(found + run.needle().len());
                    }
                    let end = start + text_bytes;
                    if tokens_fit(pattern, text.get(start..end)?, ignore_case, steps) {
                        return Some(end);
                    }
                    start += 1;
                }
                None
            }
        }
    }
}

/// What a match may still do.
struct Steps {
    left: u64,
}

impl Steps {
    fn take(&mut self, steps: usize) {
        self.left = self.left.saturating_sub(steps as u64);
    }
}

/// Whether a pattern without stars takes `text`, which has as many bytes as the pattern stands for.
fn tokens_fit(pattern: &[u8], text: &[u8], ignore_case: bool, steps: &mut Steps) -> bool {
    let mut at = 0;
    let mut fits = true;
    for &byte in text {
        let (token, next) = next_token(pattern, at);
        at = next;
        fits = match token {
            Token::Star | Token::Any => true,
            Token::Byte(literal) if ignore_case => literal.eq_ignore_ascii_case(&byte),
            Token::Byte(literal) => literal == byte,
            Token::Set(start) => {
                let (holds, end) = set_holds(pattern, start, byte, ignore_case);
                at = end;
                holds
            }
        };
        if !fits {
            break;
        }
    }
    steps.take(at.max(1));
    fits && steps.left > 0
}

/// The token at a place within the pattern, and the place after it; for a set, after its `[`.
#[inline]
fn next_token(pattern: &[u8], at: usize) -> (Token, usize) {
    match pattern[at..] {
        [b'*', ..] => (Token::Star, at + 1),
        [b'?', ..] => (Token::Any, at + 1),
        [b'[', ..] => (Token::Set(at + 1), at + 1),
        [b'\\', escaped, ..] => (Token::Byte(escaped), at + 2),
        [byte, ..] => (Token::Byte(byte), at + 1),
        // Not reached while text and pattern stand for the same number of bytes.
        [] => (Token::Any, at),
    }
}

/// Whether the set whose bytes start at `start` (behind its `[`) holds `byte`, and the place after the set.
fn set_holds(pattern: &[u8], start: usize, byte: u8, ignore_case: bool) -> (bool, usize) {
    let fold = |byte: u8| {
        if ignore_case {
            byte.to_ascii_lowercase()
        } else {
            byte
        }
    };
    let negated = pattern.get(start) == Some(&b'^');
    let mut at = start + usize::from(negated);
    let mut holds = false;
    loop {
        let (found, taken) = match pattern[at..] {
            [b'\\', escaped, ..] => (escaped == byte, 2),
            [b']', ..] => return (holds != negated, at + 1),
            [] => return (holds != negated, at),
            [low, b'-', high, ..] => {
                // Redis compares `char`, which is signed on x86-64.
                let swapped = low as i8 > high as i8;
                let (low, high) = if swapped { (high, low) } else { (low, high) };
                (
                    (fold(low) as i8..=fold(high) as i8).contains(&(fold(byte) as i8)),
                    3,
                )
            }
            [member, ..] => (fold(member) == fold(byte), 1),
        };
        holds |= found;
        at += taken;
    }
}

/// Chooses the shape of a pattern.
fn compile(pattern: &[u8], ignore_case: bool) -> Shape {
    let mut builder = Builder {
        ignore_case,
        ..Builder::default()
    };
    let (mut segments, mut stars, mut starts, mut ends) = (Vec::new(), 0, true, true);
    let mut at = 0;
    while at < pattern.len() {
        let (token, next) = next_token(pattern, at);
        ends = !matches!(token, Token::Star);
        at = match token {
            Token::Star => {
                starts &= at > 0;
                segments.extend(builder.finish(pattern, at));
                builder.start = next;
                next
            }
            token => {
                if builder.text_bytes == 0 && at > 0 {
                    stars += 1;
                    if stars > GLOB_STARS_MAX {
                        return Shape::Never;
                    }
                }
                builder.push(pattern, token, next)
            }
        };
    }
    segments.extend(builder.finish(pattern, at));
    match &segments[..] {
        [] if pattern.is_empty() => Shape::Literal(Box::default()),
        [] => Shape::Stars {
            single: pattern.len() == 1,
        },
        [Segment::Literal(literal)] if starts && ends => Shape::Literal(literal.needle().into()),
        [Segment::Literal(literal)] if starts => Shape::Prefix(literal.needle().into()),
        _ => Shape::Segments(Segments {
            text_bytes_min: segments.iter().map(Segment::text_bytes).sum(),
            segments: segments.into_boxed_slice(),
            starts,
            ends,
            pattern_steps: STEPS_PER_BYTE * pattern.len() as u64,
        }),
    }
}

/// A segment in the making.
#[derive(Default)]
struct Builder {
    ignore_case: bool,
    /// Where the segment starts in the pattern.
    start: usize,
    /// Bytes of text it stands for so far.
    text_bytes: usize,
    /// The literal bytes at its end.
    run: Vec<u8>,
    /// The longest run of literal bytes before those, and the bytes of text before it.
    longest: (Vec<u8>, usize),
}

impl Builder {
    /// Takes a token that is no star; returns the place after it.
    fn push(&mut self, pattern: &[u8], token: Token, next: usize) -> usize {
        let mut end = next;
        match token {
            Token::Byte(byte) if !(self.ignore_case && byte.is_ascii_alphabetic()) => {
                self.run.push(byte)
            }
            Token::Set(start) => {
                end = set_holds(pattern, start, 0, self.ignore_case).1;
                self.end_run();
            }
            Token::Star | Token::Any | Token::Byte(_) => self.end_run(),
        }
        self.text_bytes += 1;
        end
    }

    fn end_run(&mut self) {
        if self.run.len() > self.longest.0.len() {
            let offset = self.text_bytes - self.run.len();
            self.longest = (std::mem::take(&mut self.run), offset);
        }
        self.run.clear();
    }

    /// The segment that ends at `end`, if it is not empty; the next one starts from nothing.
    fn finish(&mut self, pattern: &[u8], end: usize) -> Option<Segment> {
        let (start, text_bytes) = (self.start, self.text_bytes);
        if text_bytes == 0 {
            return None;
        }
        let literal = self.run.len() == text_bytes;
        self.end_run();
        let (run, offset) = std::mem::take(&mut self.longest);
        *self = Builder {
            ignore_case: self.ignore_case,
            ..Builder::default()
        };
        let finder = Finder::new(&run).into_owned();
        if literal {
            return Some(Segment::Literal(finder));
        }
        let probe = (!run.is_empty()).then_some(Probe {
            run: finder,
            offset,
        });
        Some(Segment::Tokens {
            pattern: pattern[start..end].into(),
            text_bytes,
            probe,
        })
    }
}
