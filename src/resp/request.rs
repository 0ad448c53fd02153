//! Requests out of a read buffer: as many complete ones as it holds, arguments as ranges of it.
//!
//! The parser keeps what it knows of an unfinished request, so that one that arrives in many pieces is parsed once.
//! Contract: after `parse` the caller removes the `consumed` bytes from the front of its buffer before it parses again.
//! A large argument that has not arrived whole is read by the caller straight into a buffer of its own (`BigRead`).

use bytes::{Bytes, BytesMut};

use crate::stdx::limits::{
    ARGUMENTS_MAX, ARGUMENTS_UNAUTHENTICATED_MAX, BIG_ARGUMENT_BYTES_MIN, BIG_READ_AHEAD_BYTES,
    BULK_BYTES_UNAUTHENTICATED_MAX, INLINE_BYTES_MAX,
};
use crate::stdx::number;

use super::inline;

/// Ranges from here on name buffers of their own; a read buffer never grows so large.
const BIG_BASE: u32 = 0xf000_0000;

/// One argument: a range of the read buffer, or a buffer of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgRange {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

impl ArgRange {
    /// The argument is `bigs[index]`.
    pub fn big(index: usize) -> ArgRange {
        ArgRange { start: BIG_BASE + index as u32, len: 0 }
    }

    /// Which of `bigs` the argument is, if it is one.
    #[inline]
    pub fn big_index(self) -> Option<usize> {
        self.start.checked_sub(BIG_BASE).map(|index| index as usize)
    }
}

/// One command: a range of `Requests::args`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandSpan {
    /// Its first argument, the name.
    pub first_arg: u32,
    /// Number of arguments.
    pub arg_count: u32,
}

/// Parsed commands. Used again from read to read.
#[derive(Default, Debug)]
pub struct Requests {
    /// Arguments of all commands.
    pub args: Vec<ArgRange>,
    /// The commands, in order.
    pub commands: Vec<CommandSpan>,
    /// Arguments with a buffer of their own.
    pub bigs: Vec<Bytes>,
}

impl Requests {
    /// Forgets all commands; keeps a moderate capacity.
    pub fn clear(&mut self) {
        const KEPT_MAX: usize = 16 * 1024;
        self.args.clear();
        self.args.shrink_to(KEPT_MAX);
        self.commands.clear();
        self.bigs.clear();
    }
}

/// What this client may send.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// `proto-max-bulk-len`.
    pub bulk_bytes_max: u64,
    /// Stricter limits hold before authentication.
    pub authenticated: bool,
}

/// Why parsing ended.
#[derive(Debug)]
pub enum ParseEnd {
    /// The rest of the buffer is an unfinished request, or nothing.
    NeedMore,
    /// So many commands were asked for; more may follow.
    CommandLimit,
    /// From `start` on the buffer holds the beginning of a large argument: move it to the `BigRead`, fill that, and
    /// `supply_big` the result.
    BigArgument {
        /// Where in the buffer the argument begins.
        start: usize,
        /// Bytes it has.
        bytes: usize,
    },
    /// The client broke the protocol; nothing after the commands returned can be understood.
    Error(ProtocolError),
}

/// A breach of protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The line with the number of arguments does not end.
    CountLineTooLong,
    /// The number of arguments is none, or too large.
    InvalidCount,
    /// Too many arguments before authentication.
    UnauthenticatedCount,
    /// The line with an argument's length does not end.
    LengthLineTooLong,
    /// Something other than `$` before an argument.
    ExpectedDollar(u8),
    /// The length is none, or too large.
    InvalidLength,
    /// Too long an argument before authentication.
    UnauthenticatedLength,
    /// An inline request does not end.
    InlineTooLong,
    /// Quotes of an inline request do not match.
    UnbalancedQuotes,
}

impl ProtocolError {
    /// The error reply, without its leading minus.
    pub fn text(self) -> Vec<u8> {
        let reason: &[u8] = match self {
            ProtocolError::CountLineTooLong => b"too big mbulk count string",
            ProtocolError::InvalidCount => b"invalid multibulk length",
            ProtocolError::UnauthenticatedCount => b"unauthenticated multibulk length",
            ProtocolError::LengthLineTooLong => b"too big bulk count string",
            ProtocolError::ExpectedDollar(byte) => {
                return [b"ERR Protocol error: expected '$', got '", &[byte][..], b"'"].concat();
            }
            ProtocolError::InvalidLength => b"invalid bulk length",
            ProtocolError::UnauthenticatedLength => b"unauthenticated bulk length",
            ProtocolError::InlineTooLong => b"too big inline request",
            ProtocolError::UnbalancedQuotes => b"unbalanced quotes in request",
        };
        [b"ERR Protocol error: ", reason].concat()
    }
}

/// The state between two reads. See the file's head.
#[derive(Default, Debug)]
pub struct RequestParser {
    /// Arguments that the unfinished request still lacks; 0: none is unfinished.
    missing: u64,
    /// Where to go on, from the request's start.
    at: usize,
    /// Arguments it has already, ranges from the request's start.
    args: Vec<ArgRange>,
    bigs: Vec<Bytes>,
}

enum Step {
    Done(usize),
    End(ParseEnd),
}

impl RequestParser {
    /// Parses up to `commands_max` complete requests of `buffer` into `out`. Returns why it ended and how many bytes at
    /// the front belong to complete requests.
    pub fn parse(
        &mut self,
        buffer: &[u8],
        limits: &RequestLimits,
        commands_max: usize,
        out: &mut Requests,
    ) -> (ParseEnd, usize) {
        let mut start = 0;
        let mut at = self.at;
        loop {
            // With nothing missing but arguments kept, a large argument was supplied and completes its request.
            if self.missing == 0 && self.args.is_empty() {
                if out.commands.len() >= commands_max {
                    self.at = 0;
                    return (if start < buffer.len() { ParseEnd::CommandLimit } else { ParseEnd::NeedMore }, start);
                }
                at = start;
                let Some(&first) = buffer.get(at) else { return self.pause(ParseEnd::NeedMore, start, at) };
                let step = if first == b'*' {
                    self.count_line(buffer, at, limits)
                } else {
                    self.inline_request(buffer, at, out)
                };
                match step {
                    Step::Done(next) => at = next,
                    Step::End(end) => return self.pause(end, start, at),
                }
                if self.missing == 0 {
                    start = at;
                    continue;
                }
            }
            match self.arguments(buffer, start, &mut at, limits, out) {
                None => start = at,
                Some(end) => return self.pause(end, start, at),
            }
        }
    }

    fn pause(&mut self, end: ParseEnd, start: usize, at: usize) -> (ParseEnd, usize) {
        self.at = at - start;
        (end, start)
    }

    /// `*count\r\n`. A count of zero or less is an empty request, which is skipped.
    fn count_line(&mut self, buffer: &[u8], at: usize, limits: &RequestLimits) -> Step {
        let Some((digits, next)) = line(buffer, at + 1) else {
            let too_long = buffer.len() - at > INLINE_BYTES_MAX && !buffer[at..].contains(&b'\r');
            return Step::End(if too_long {
                ParseEnd::Error(ProtocolError::CountLineTooLong)
            } else {
                ParseEnd::NeedMore
            });
        };
        match number::parse_i64(digits) {
            Some(count) if count <= ARGUMENTS_MAX => {
                if count > ARGUMENTS_UNAUTHENTICATED_MAX && !limits.authenticated {
                    return Step::End(ParseEnd::Error(ProtocolError::UnauthenticatedCount));
                }
                self.missing = count.max(0) as u64;
                Step::Done(next)
            }
            _ => Step::End(ParseEnd::Error(ProtocolError::InvalidCount)),
        }
    }

    /// The arguments that are still missing; none when the request is complete, else why not.
    fn arguments(
        &mut self,
        buffer: &[u8],
        start: usize,
        at: &mut usize,
        limits: &RequestLimits,
        out: &mut Requests,
    ) -> Option<ParseEnd> {
        // A request that is whole in this buffer goes straight to `out`; what an earlier read began is kept apart.
        let fresh = self.args.is_empty() && self.bigs.is_empty();
        let first_arg = out.args.len();
        while self.missing > 0 {
            match argument(buffer, *at, limits) {
                Ok((range_start, len)) => {
                    let range = ArgRange { start: range_start as u32, len: len as u32 };
                    if fresh {
                        out.args.push(range);
                    } else {
                        self.args.push(ArgRange { start: range.start - start as u32, len: range.len });
                    }
                    *at = range_start + len + 2;
                    self.missing -= 1;
                }
                Err(end) => {
                    if fresh {
                        let relative = out.args.drain(first_arg..);
                        self.args.extend(relative.map(|range| ArgRange {
                            start: range.start - start as u32,
                            len: range.len,
                        }));
                    }
                    if let ParseEnd::BigArgument { start: body, .. } = end {
                        *at = body;
                    }
                    return Some(end);
                }
            }
        }
        if !fresh {
            let first_big = out.bigs.len();
            out.bigs.append(&mut self.bigs);
            out.args.extend(self.args.drain(..).map(|range| match range.big_index() {
                Some(index) => ArgRange::big(first_big + index),
                None => ArgRange { start: range.start + start as u32, len: range.len },
            }));
            self.args.shrink_to(64);
        }
        let arg_count = (out.args.len() - first_arg) as u32;
        out.commands.push(CommandSpan { first_arg: first_arg as u32, arg_count });
        None
    }

    /// Bytes of large arguments that an unfinished request already has.
    pub fn held_bytes(&self) -> usize {
        self.bigs.iter().map(Bytes::len).sum()
    }

    /// The large argument that `parse` asked for has been read.
    pub fn supply_big(&mut self, bytes: Bytes) {
        debug_assert!(self.missing > 0, "asked for by an unfinished request");
        self.args.push(ArgRange::big(self.bigs.len()));
        self.bigs.push(bytes);
        self.missing -= 1;
    }

    fn inline_request(&mut self, buffer: &[u8], at: usize, out: &mut Requests) -> Step {
        let Some(length) = memchr::memchr(b'\n', &buffer[at..]) else {
            let too_long = buffer.len() - at > INLINE_BYTES_MAX;
            return Step::End(if too_long {
                ParseEnd::Error(ProtocolError::InlineTooLong)
            } else {
                ParseEnd::NeedMore
            });
        };
        let text = &buffer[at..at + length];
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let first_arg = out.args.len();
        let (mut rest, mut argument) = (text, Vec::new());
        loop {
            match inline::next_argument(&mut rest, &mut argument) {
                Ok(true) => {
                    out.args.push(ArgRange::big(out.bigs.len()));
                    out.bigs.push(Bytes::from(std::mem::take(&mut argument)));
                }
                Ok(false) => break,
                Err(inline::UnbalancedQuotes) => {
                    out.args.truncate(first_arg);
                    return Step::End(ParseEnd::Error(ProtocolError::UnbalancedQuotes));
                }
            }
        }
        let arg_count = (out.args.len() - first_arg) as u32;
        if arg_count > 0 {
            out.commands.push(CommandSpan { first_arg: first_arg as u32, arg_count });
        }
        Step::Done(at + length + 1)
    }
}

/// One line of a header, without its CR LF, and where the next begins.
fn line(buffer: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let rest = buffer.get(from..)?;
    // Numbers are short: a plain loop over the first bytes beats a call.
    let length = match rest.iter().take(8).position(|&byte| byte == b'\r') {
        Some(length) => length,
        None => memchr::memchr(b'\r', rest)?,
    };
    let next = from + length + 2;
    (next <= buffer.len()).then(|| (&rest[..length], next))
}

/// `$length\r\n` and the argument behind it: where it begins and its length.
fn argument(buffer: &[u8], at: usize, limits: &RequestLimits) -> Result<(usize, usize), ParseEnd> {
    let Some((digits, body)) = line(buffer, at + 1) else {
        let too_long = buffer.len() > at + INLINE_BYTES_MAX && !buffer[at..].contains(&b'\r');
        return Err(if too_long { ParseEnd::Error(ProtocolError::LengthLineTooLong) } else { ParseEnd::NeedMore });
    };
    if buffer[at] != b'$' {
        return Err(ParseEnd::Error(ProtocolError::ExpectedDollar(buffer[at])));
    }
    let len = match number::parse_i64(digits) {
        Some(len) if len >= 0 && len as u64 <= limits.bulk_bytes_max => len as u64,
        _ => return Err(ParseEnd::Error(ProtocolError::InvalidLength)),
    };
    if len > BULK_BYTES_UNAUTHENTICATED_MAX && !limits.authenticated {
        return Err(ParseEnd::Error(ProtocolError::UnauthenticatedLength));
    }
    let len = len as usize;
    if buffer.len() - body < len + 2 {
        return Err(if len >= BIG_ARGUMENT_BYTES_MIN {
            ParseEnd::BigArgument { start: body, bytes: len }
        } else {
            ParseEnd::NeedMore
        });
    }
    Ok((body, len))
}

/// A large argument on its way into a buffer of its own.
#[derive(Debug)]
pub struct BigRead {
    buffer: BytesMut,
    bytes: usize,
}

impl BigRead {
    /// Expects `bytes` bytes and the CR LF behind them.
    pub fn new(bytes: usize) -> BigRead {
        BigRead { buffer: BytesMut::new(), bytes }
    }

    /// Bytes that have arrived.
    pub fn received(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes that have not arrived, the CR LF included.
    pub fn missing(&self) -> usize {
        self.bytes + 2 - self.buffer.len()
    }

    /// Takes what belongs to the argument from the front of `input`; returns how much that was.
    pub fn take_from(&mut self, input: &[u8]) -> usize {
        let taken = input.len().min(self.missing());
        self.buffer.extend_from_slice(&input[..taken]);
        taken
    }

    /// The buffer for reading into, with room for some of what is missing: an announced length alone reserves little.
    pub fn lend(&mut self) -> BytesMut {
        let ahead = BIG_READ_AHEAD_BYTES.max(self.buffer.len());
        let mut buffer = std::mem::take(&mut self.buffer);
        let missing = self.bytes + 2 - buffer.len();
        buffer.reserve(missing.min(ahead));
        buffer
    }

    /// The buffer back from reading.
    pub fn take_back(&mut self, buffer: BytesMut) {
        self.buffer = buffer;
    }

    /// Everything has arrived.
    pub fn is_complete(&self) -> bool {
        self.missing() == 0
    }

    /// The argument, without its CR LF.
    pub fn finish(mut self) -> Bytes {
        self.buffer.truncate(self.bytes);
        self.buffer.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RequestLimits = RequestLimits { bulk_bytes_max: 512 * 1024 * 1024, authenticated: true };

    /// Feeds pieces as a session does and returns the commands and the error.
    fn feed(pieces: &[&[u8]], limits: RequestLimits) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
        let (mut parser, mut buffer, mut all) = (RequestParser::default(), Vec::new(), Vec::new());
        let mut big: Option<BigRead> = None;
        for piece in pieces {
            let mut piece = *piece;
            if let Some(read) = &mut big {
                piece = &piece[read.take_from(piece)..];
                if !read.is_complete() {
                    continue;
                }
                parser.supply_big(big.take().unwrap().finish());
            }
            buffer.extend_from_slice(piece);
            loop {
                let mut out = Requests::default();
                let (end, consumed) = parser.parse(&buffer, &limits, 2, &mut out);
                for span in &out.commands {
                    let ranges = &out.args[span.first_arg as usize..][..span.arg_count as usize];
                    all.push(
                        ranges
                            .iter()
                            .map(|range| match range.big_index() {
                                Some(index) => out.bigs[index].to_vec(),
                                None => buffer[range.start as usize..][..range.len as usize].to_vec(),
                            })
                            .collect(),
                    );
                }
                match end {
                    ParseEnd::Error(error) => return (all, Some(error)),
                    ParseEnd::CommandLimit => {}
                    ParseEnd::NeedMore => {
                        buffer.drain(..consumed);
                        break;
                    }
                    ParseEnd::BigArgument { start, bytes } => {
                        let mut read = BigRead::new(bytes);
                        let taken = read.take_from(&buffer[start..]);
                        assert_eq!(taken, buffer.len() - start);
                        buffer.truncate(start);
                        buffer.drain(..consumed);
                        big = Some(read);
                        break;
                    }
                }
                buffer.drain(..consumed);
            }
        }
        (all, None)
    }

    fn words(commands: &[&[&str]]) -> Vec<Vec<Vec<u8>>> {
        commands.iter().map(|one| one.iter().map(|word| word.as_bytes().to_vec()).collect()).collect()
    }

    #[test]
    fn pipelines_inline_requests_and_empty_ones() {
        let text = b"*1\r\n$4\r\nPING\r\n\r\n*0\r\n*-1\r\nSET a \"b c\"\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
        let expected = words(&[&["PING"], &["SET", "a", "b c"], &["GET", "a"]]);
        assert_eq!(feed(&[text], LIMITS), (expected.clone(), None));
        for cut in 0..text.len() {
            assert_eq!(feed(&[&text[..cut], &text[cut..]], LIMITS), (expected.clone(), None), "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(feed(&bytes, LIMITS), (expected, None));
    }

    #[test]
    fn a_large_argument_has_its_own_buffer() {
        let body = "x".repeat(100_000);
        let text = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n{body}\r\n*1\r\n$4\r\nPING\r\n");
        let expected = words(&[&["SET", "k", &body], &["PING"]]);
        for cut in [10, 30, 34, 36, 37, 50_000, 100_035, 100_036, 100_037, 100_038, 100_040] {
            let (one, other) = text.as_bytes().split_at(cut);
            assert_eq!(feed(&[one, other], LIMITS), (expected.clone(), None), "cut at {cut}");
        }
    }

    #[test]
    fn breaches_of_protocol() {
        let table: &[(&[u8], ProtocolError)] = &[
            (b"*x\r\n", ProtocolError::InvalidCount),
            (b"*2000000000\r\n", ProtocolError::InvalidCount),
            (b"*1\r\n:1\r\n", ProtocolError::ExpectedDollar(b':')),
            (b"*1\r\n$-1\r\n", ProtocolError::InvalidLength),
            (b"*1\r\n$600000000\r\n", ProtocolError::InvalidLength),
            (b"SET \"a\r\n", ProtocolError::UnbalancedQuotes),
        ];
        for (text, error) in table {
            assert_eq!(feed(&[text], LIMITS).1, Some(*error), "{:?}", String::from_utf8_lossy(text));
        }
        let stranger = RequestLimits { authenticated: false, ..LIMITS };
        assert_eq!(feed(&[b"*11\r\n"], stranger).1, Some(ProtocolError::UnauthenticatedCount));
        assert_eq!(feed(&[b"*1\r\n$20000\r\n"], stranger).1, Some(ProtocolError::UnauthenticatedLength));
        assert_eq!(feed(&[&[b'a'; 70_000]], LIMITS).1, Some(ProtocolError::InlineTooLong));
    }
}
