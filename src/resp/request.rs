//! Reads requests from a connection's bytes: RESP arrays of bulk strings, and inline requests. Redis' limits and texts.
//!
//! The parser sees the connection's read buffer, in which the unfinished request, if there is one, comes first. It never
//! copies what is whole: arguments of complete requests are ranges of the buffer. What it knows of an unfinished request it
//! keeps relative to that request's first byte, so bytes before it may be removed at will, and nothing is parsed twice.
//! A long argument that has not arrived whole is read into a buffer of its own (`BigRead`); the request's earlier
//! arguments are then copied out, so that the read buffer is free for what follows.
//! Behaviour checked against Redis 7.0.15 and networking.c. Like there, the two bytes behind a bulk string and the byte behind
//! the CR of a header are skipped unseen, and a zero byte in a line hides the line's end, so the line grows to its limit.

use bytes::Bytes;
use memchr::memchr2;

use crate::stdx::limits::{
    ARGUMENTS_MAX, ARGUMENTS_UNAUTHENTICATED_MAX, BIG_ARGUMENT_BYTES_FIRST, BIG_ARGUMENT_BYTES_MIN,
    BULK_BYTES_UNAUTHENTICATED_MAX, INLINE_BYTES_MAX, PARSED_ARGUMENTS_KEPT_MAX, QUERY_BUFFER_BYTES_ADDRESSABLE,
};
use crate::stdx::number::parse_i64;

use super::inline::{Argument, Splitter};
use super::reply::Reply;

/// Bytes behind each header and each bulk string.
const CRLF_BYTES: usize = 2;

/// Where an argument is: in the read buffer, or in a buffer of its own among `Requests::bigs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArgRange {
    /// Offset of the first byte in the read buffer; with the highest bit set, an index into `bigs` instead.
    pub start: u32,
    /// Bytes; 0 for an argument among `bigs`, which knows its own length.
    pub len: u32,
}

impl ArgRange {
    const BIG: u32 = QUERY_BUFFER_BYTES_ADDRESSABLE as u32;

    /// An argument in the read buffer. The parser looks at no more of it than `QUERY_BUFFER_BYTES_ADDRESSABLE`.
    #[inline]
    fn in_buffer(start: usize, len: usize) -> ArgRange {
        ArgRange { start: start as u32, len: len as u32 }
    }

    /// The argument with this index among `bigs`.
    #[inline]
    pub fn big(index: usize) -> ArgRange {
        ArgRange { start: ArgRange::BIG | index as u32, len: 0 }
    }

    /// The index among `bigs`, if the argument is there.
    #[inline]
    pub fn big_index(self) -> Option<usize> {
        (self.start & ArgRange::BIG != 0).then_some((self.start & !ArgRange::BIG) as usize)
    }

    /// The argument's bytes, given the buffer that was parsed and the `bigs` filled with it.
    #[inline]
    pub fn of<'a>(self, buffer: &'a [u8], bigs: &'a [Bytes]) -> &'a [u8] {
        match self.big_index() {
            None => &buffer[self.start as usize..self.start as usize + self.len as usize],
            Some(index) => &bigs[index],
        }
    }
}

/// One complete request. It has at least one argument, the command's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandSpan {
    /// Index of its first argument in `Requests::args`.
    pub first_arg: u32,
    /// Number of its arguments.
    pub arg_count: u32,
    /// Bytes it took on the wire (at most `u32::MAX`).
    pub bytes: u32,
}

/// Complete requests in the order they came. Reused from read to read; no allocation in steady state.
#[derive(Default, Debug)]
pub struct Requests {
    /// The arguments of all commands.
    pub args: Vec<ArgRange>,
    /// The commands.
    pub commands: Vec<CommandSpan>,
    /// Arguments with buffers of their own: long ones, unescaped ones, and the neighbours of long ones.
    pub bigs: Vec<Bytes>,
}

impl Requests {
    /// Empties it for the next read; capacity beyond `PARSED_ARGUMENTS_KEPT_MAX` is given back.
    pub fn clear(&mut self) {
        self.args.clear();
        self.commands.clear();
        self.bigs.clear();
        let largest = self.args.capacity().max(self.commands.capacity()).max(self.bigs.capacity());
        if largest > PARSED_ARGUMENTS_KEPT_MAX {
            self.args.shrink_to(PARSED_ARGUMENTS_KEPT_MAX);
            self.commands.shrink_to(PARSED_ARGUMENTS_KEPT_MAX);
            self.bigs.shrink_to(PARSED_ARGUMENTS_KEPT_MAX);
        }
    }

    /// Bytes it takes of memory, arguments with buffers of their own included.
    pub fn memory_bytes(&self) -> usize {
        self.args.capacity() * size_of::<ArgRange>()
            + self.commands.capacity() * size_of::<CommandSpan>()
            + self.bigs.iter().map(Bytes::len).sum::<usize>()
    }

    fn push_command(&mut self, first_arg: usize, bytes: u64) {
        self.commands.push(CommandSpan {
            first_arg: first_arg as u32,
            arg_count: (self.args.len() - first_arg) as u32,
            bytes: bytes.min(u64::from(u32::MAX)) as u32,
        });
    }
}

/// What a client may send now.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Largest bulk string, in bytes (`proto-max-bulk-len`).
    pub bulk_bytes_max: u64,
    /// Largest request, arguments with buffers of their own included, in bytes (`client-query-buffer-limit`).
    pub query_buffer_bytes_max: u64,
    /// Whether the client has authenticated or need not. Until then arguments are few and short, and each call to `parse`
    /// yields one command at most, as that command may be the AUTH that changes this.
    pub authenticated: bool,
}

/// Why `parse` returned.
#[derive(Debug)]
pub enum ParseEnd {
    /// The buffer's rest is an unfinished request, or empty.
    NeedMore,
    /// As many commands as asked for; the buffer may hold more.
    CommandLimit,
    /// A long argument is under way. Fill the buffer, give it to `RequestParser::supply_big`, then parse again.
    /// Everything else of the read buffer is used up (`consumed` says so), and its arguments are in buffers of their own.
    BigArgument(BigRead),
    /// The unfinished request is larger than `query_buffer_bytes_max`: log it and close without a reply, as Redis does.
    QueryBufferLimit,
    /// The client broke the protocol: say so after the replies to the commands before it, then close.
    Error(ProtocolError),
}

/// How a client broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The line with the number of arguments has no end within `INLINE_BYTES_MAX`.
    MultibulkCountTooLong,
    /// The number of arguments is no number, or larger than `ARGUMENTS_MAX`.
    InvalidMultibulkLength,
    /// More arguments than a client may send before it authenticates.
    UnauthenticatedMultibulkLength,
    /// The line with the length of an argument has no end within `INLINE_BYTES_MAX`.
    BulkCountTooLong,
    /// An argument starts with this byte.
    ExpectedDollar(u8),
    /// The length of an argument is no number, negative, or larger than `bulk_bytes_max`.
    InvalidBulkLength,
    /// A longer argument than a client may send before it authenticates.
    UnauthenticatedBulkLength,
    /// An inline request has no end within `INLINE_BYTES_MAX`.
    InlineTooBig,
    /// Quotes of an inline request do not match.
    UnbalancedQuotes,
}

impl ProtocolError {
    /// The error reply's text, without the leading minus.
    pub fn text(self) -> Vec<u8> {
        let (text, byte): (&str, Option<u8>) = match self {
            ProtocolError::MultibulkCountTooLong => ("too big mbulk count string", None),
            ProtocolError::InvalidMultibulkLength => ("invalid multibulk length", None),
            ProtocolError::UnauthenticatedMultibulkLength => ("unauthenticated multibulk length", None),
            ProtocolError::BulkCountTooLong => ("too big bulk count string", None),
            ProtocolError::ExpectedDollar(byte) => ("expected '$', got '", Some(byte)),
            ProtocolError::InvalidBulkLength => ("invalid bulk length", None),
            ProtocolError::UnauthenticatedBulkLength => ("unauthenticated bulk length", None),
            ProtocolError::InlineTooBig => ("too big inline request", None),
            ProtocolError::UnbalancedQuotes => ("unbalanced quotes in request", None),
        };
        let mut all = [b"ERR Protocol error: ", text.as_bytes()].concat();
        if let Some(byte) = byte {
            all.extend_from_slice(&[byte, b'\'']);
        }
        all
    }

    /// Writes the error reply.
    pub fn write(self, reply: &mut Reply) {
        reply.error(self.text());
    }
}

/// A long argument on its way into a buffer of its own.
///
/// Either copy received bytes with `take_from`, or read into the buffer itself between `lend` and `take_back`. The capacity follows what has arrived, so an announcement alone costs `BIG_ARGUMENT_BYTES_FIRST` bytes.
#[derive(Debug)]
pub struct BigRead {
    buffer: Vec<u8>,
    /// The argument with its CRLF.
    total: usize,
}

impl BigRead {
    fn new(bytes: usize) -> BigRead {
        BigRead { buffer: Vec::new(), total: bytes + CRLF_BYTES }
    }

    /// Bytes that have arrived.
    pub fn received(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes allocated for it.
    pub fn capacity_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Bytes that have not arrived, the argument's CRLF included.
    pub fn missing(&self) -> usize {
        self.total - self.buffer.len()
    }

    /// All is there.
    pub fn is_complete(&self) -> bool {
        self.missing() == 0
    }

    /// Takes what belongs to the argument from the front of `bytes`; returns how many that are.
    pub fn take_from(&mut self, mut bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.missing());
        bytes = &bytes[..taken];
        while !bytes.is_empty() {
            self.make_room();
            let (now, later) = bytes.split_at(bytes.len().min(self.buffer.capacity() - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        taken
    }

    /// The buffer, with what has arrived in front, and how many bytes the next read may put behind that: all that is
    /// missing, or as many as there is room for; none only when complete.
    pub fn lend(&mut self) -> (Vec<u8>, usize) {
        self.make_room();
        let room = (self.buffer.capacity() - self.buffer.len()).min(self.missing());
        (std::mem::take(&mut self.buffer), room)
    }

    /// The lent buffer, with what was read behind what had arrived before. More than `missing` is cut off.
    pub fn take_back(&mut self, mut buffer: Vec<u8>) {
        buffer.truncate(self.total);
        self.buffer = buffer;
    }

    /// The argument without its CRLF, once complete.
    pub fn finish(mut self) -> Bytes {
        self.buffer.truncate(self.total - CRLF_BYTES);
        Bytes::from(self.buffer)
    }

    /// Capacity doubles, up to exactly the announced length: half of it has arrived then.
    fn make_room(&mut self) {
        if self.buffer.len() == self.buffer.capacity() {
            let wanted = (self.buffer.capacity() * 2).max(BIG_ARGUMENT_BYTES_FIRST).min(self.total);
            self.buffer.reserve_exact(wanted - self.buffer.len());
        }
    }
}

/// Why no further argument could be read.
enum Stop {
    NeedMore,
    /// A long argument of this length, whose first byte is here in the buffer (or would be).
    Big { bytes: usize, start: usize },
    Error(ProtocolError),
}

/// See the file's head. One per connection.
#[derive(Default, Debug)]
pub struct RequestParser {
    /// A request is under way; the rest is about it.
    unfinished: bool,
    /// Its arguments that have not been read.
    missing: usize,
    /// Its arguments that have been read; ranges count from its first byte in the buffer, indices point to `bigs`.
    args: Vec<ArgRange>,
    bigs: Vec<Bytes>,
    /// Where its next header begins, from its first byte in the buffer.
    parsed: usize,
    /// Bytes of it that have left the buffer or go around it.
    detached_bytes: u64,
    /// The session reads a long argument.
    awaits_big: bool,
}

impl RequestParser {
    /// Reads requests from `buffer[from..]`, where the unfinished request of the last call, or else a new one, begins. Appends
    /// complete ones to `out`, at most `commands_max`. Returns why it stopped, and up to where bytes belong to completed
    /// commands: the caller removes these when the commands are done, or passes the number as the next `from`.
    pub fn parse(
        &mut self,
        buffer: &[u8],
        from: usize,
        limits: &RequestLimits,
        commands_max: usize,
        out: &mut Requests,
    ) -> (ParseEnd, usize) {
        let whole = buffer;
        let buffer = &whole[..whole.len().min(QUERY_BUFFER_BYTES_ADDRESSABLE)];
        let mut start = from;
        if self.awaits_big {
            return (ParseEnd::NeedMore, start);
        }
        let commands_max = if limits.authenticated { commands_max } else { commands_max.min(1) };
        let commands_end = out.commands.len().saturating_add(commands_max);
        loop {
            if out.commands.len() >= commands_end {
                return (ParseEnd::CommandLimit, start);
            }
            let next = if self.unfinished {
                self.resume(buffer, start, limits, out)
            } else {
                match buffer.get(start) {
                    Some(b'*') => self.multibulk(buffer, start, limits, out),
                    Some(_) => inline(buffer, start, out),
                    None => Err(Stop::NeedMore),
                }
            };
            match next {
                Ok(next) => start = next,
                Err(stop) => return self.stop(stop, whole, from, start, limits),
            }
        }
    }

    /// Goes on with the request whose long argument was announced by `ParseEnd::BigArgument`. Parse again after it, even if
    /// nothing else has arrived.
    pub fn supply_big(&mut self, argument: Bytes) {
        self.awaits_big = false;
        self.missing = self.missing.saturating_sub(1);
        self.args.push(ArgRange::big(self.bigs.len()));
        self.bigs.push(argument);
    }

    /// Bytes of the unfinished request's arguments that have been read: in the read buffer, and in buffers of their own.
    pub fn argument_bytes(&self) -> (usize, usize) {
        let in_buffer = self.args.iter().map(|arg| arg.len as usize).sum();
        (in_buffer, self.bigs.iter().map(Bytes::len).sum())
    }

    /// A new request; its first byte is a star.
    #[inline]
    fn multibulk(
        &mut self,
        buffer: &[u8],
        start: usize,
        limits: &RequestLimits,
        out: &mut Requests,
    ) -> Result<usize, Stop> {
        let (count, mut next) = match short_header(buffer, start, b'*') {
            Some((count, next)) => (count as i64, next),
            None => multibulk_header(buffer, start)?,
        };
        if count > ARGUMENTS_UNAUTHENTICATED_MAX && !limits.authenticated {
            return Err(Stop::Error(ProtocolError::UnauthenticatedMultibulkLength));
        }
        if count <= 0 {
            return Ok(next);
        }
        let first = out.args.len();
        for read in 0..count as usize {
            match bulk(buffer, next, limits) {
                Ok((data, len)) => {
                    out.args.push(ArgRange::in_buffer(data, len));
                    next = data + len + CRLF_BYTES;
                }
                Err(stop) => {
                    if !matches!(stop, Stop::Error(_)) {
                        self.suspend(start, next, count as usize - read, &out.args[first..]);
                    }
                    out.args.truncate(first);
                    return Err(stop);
                }
            }
        }
        out.push_command(first, (next - start) as u64);
        Ok(next)
    }

    /// Remembers the request that begins at `start` and goes on at `next`, so that no argument is parsed twice.
    #[cold]
    fn suspend(&mut self, start: usize, next: usize, missing: usize, args: &[ArgRange]) {
        self.unfinished = true;
        self.missing = missing;
        self.parsed = next - start;
        self.detached_bytes = 0;
        self.args.extend(args.iter().map(|arg| ArgRange { start: arg.start - start as u32, len: arg.len }));
    }

    /// Goes on with the unfinished request.
    fn resume(
        &mut self,
        buffer: &[u8],
        start: usize,
        limits: &RequestLimits,
        out: &mut Requests,
    ) -> Result<usize, Stop> {
        while self.missing > 0 {
            let (data, len) = bulk(buffer, start + self.parsed, limits)?;
            self.args.push(ArgRange::in_buffer(data - start, len));
            self.parsed = data + len + CRLF_BYTES - start;
            self.missing -= 1;
        }
        let first = out.args.len();
        let bigs_before = out.bigs.len();
        out.bigs.append(&mut self.bigs);
        out.args.extend(self.args.drain(..).map(|arg| match arg.big_index() {
            Some(index) => ArgRange::big(bigs_before + index),
            None => ArgRange { start: arg.start + start as u32, len: arg.len },
        }));
        out.push_command(first, self.detached_bytes + self.parsed as u64);
        self.args.shrink_to(PARSED_ARGUMENTS_KEPT_MAX);
        self.unfinished = false;
        Ok(start + self.parsed)
    }

    /// What a stop in the request that begins at `start` means for the caller. `from` is where the call began.
    #[cold]
    fn stop(
        &mut self,
        stop: Stop,
        buffer: &[u8],
        from: usize,
        start: usize,
        limits: &RequestLimits,
    ) -> (ParseEnd, usize) {
        let detached = if self.unfinished { self.detached_bytes } else { 0 };
        let arrived = detached + buffer.len().saturating_sub(start) as u64;
        match stop {
            Stop::Error(error) => (ParseEnd::Error(error), start),
            Stop::NeedMore => {
                let is_full = buffer.len() >= QUERY_BUFFER_BYTES_ADDRESSABLE && start == from;
                if arrived > limits.query_buffer_bytes_max || is_full {
                    return (ParseEnd::QueryBufferLimit, start);
                }
                (ParseEnd::NeedMore, start)
            }
            Stop::Big { bytes, start: data } => {
                let with_big = detached + (data - start + CRLF_BYTES) as u64 + bytes as u64;
                if with_big > limits.query_buffer_bytes_max {
                    return (ParseEnd::QueryBufferLimit, start);
                }
                self.detach(buffer, start);
                self.detached_bytes = with_big;
                self.awaits_big = true;
                let mut big = BigRead::new(bytes);
                let taken = big.take_from(&buffer[data.min(buffer.len())..]);
                (ParseEnd::BigArgument(big), data + taken)
            }
        }
    }

    /// Copies the arguments read so far out of the buffer.
    fn detach(&mut self, buffer: &[u8], start: usize) {
        for arg in &mut self.args {
            if arg.big_index().is_none() {
                let first = start + arg.start as usize;
                self.bigs.push(Bytes::copy_from_slice(&buffer[first..first + arg.len as usize]));
                *arg = ArgRange::big(self.bigs.len() - 1);
            }
        }
        self.parsed = 0;
    }
}

/// The number and the end of a header of 1 to 9 digits that is whole in the buffer; anything else is for the slow path.
#[inline(always)]
fn short_header(buffer: &[u8], start: usize, marker: u8) -> Option<(u64, usize)> {
    let rest = &buffer[start..];
    let &[first, tens, ones, after, ..] = rest else { return None };
    let tens = tens.wrapping_sub(b'0');
    if first != marker || tens > 9 {
        return None;
    }
    if ones == b'\r' {
        return Some((u64::from(tens), start + 4));
    }
    let ones = ones.wrapping_sub(b'0');
    if ones > 9 || tens == 0 {
        return None;
    }
    let mut value = u64::from(tens) * 10 + u64::from(ones);
    if after == b'\r' && rest.len() > 4 {
        return Some((value, start + 5));
    }
    for (index, &byte) in rest.iter().enumerate().take(11).skip(3) {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + u64::from(digit);
        } else if byte == b'\r' && rest.len() > index + 1 {
            return Some((value, start + index + 2));
        } else {
            return None;
        }
    }
    None
}

/// The offset of the byte that ends the line beginning at `start`. Redis looks for it with C's `strchr`, so not behind
/// a zero byte.
#[inline]
fn line_end(buffer: &[u8], start: usize, end: u8, too_long: ProtocolError) -> Result<usize, Stop> {
    let line = &buffer[start.min(buffer.len())..];
    // The end may stand right behind the longest line.
    let line = &line[..line.len().min(INLINE_BYTES_MAX + 1)];
    match memchr2(end, 0, line) {
        Some(index) if line[index] == end => Ok(start + index),
        _ if line.len() > INLINE_BYTES_MAX => Err(Stop::Error(too_long)),
        _ => Err(Stop::NeedMore),
    }
}

/// Any header with a number of arguments: the number, at most `ARGUMENTS_MAX`, and where the header ends.
#[cold]
fn multibulk_header(buffer: &[u8], start: usize) -> Result<(i64, usize), Stop> {
    let end = line_end(buffer, start, b'\r', ProtocolError::MultibulkCountTooLong)?;
    if end + CRLF_BYTES > buffer.len() {
        return Err(Stop::NeedMore);
    }
    match parse_i64(&buffer[start + 1..end]) {
        Some(count) if count <= ARGUMENTS_MAX => Ok((count, end + CRLF_BYTES)),
        _ => Err(Stop::Error(ProtocolError::InvalidMultibulkLength)),
    }
}

/// Any header with the length of an argument: the length, not negative, and where the header ends.
#[cold]
fn bulk_header(buffer: &[u8], start: usize) -> Result<(u64, usize), Stop> {
    let end = line_end(buffer, start, b'\r', ProtocolError::BulkCountTooLong)?;
    if end + CRLF_BYTES > buffer.len() {
        return Err(Stop::NeedMore);
    }
    if buffer[start] != b'$' {
        return Err(Stop::Error(ProtocolError::ExpectedDollar(buffer[start])));
    }
    match parse_i64(&buffer[start + 1..end]).map(u64::try_from) {
        Some(Ok(length)) => Ok((length, end + CRLF_BYTES)),
        _ => Err(Stop::Error(ProtocolError::InvalidBulkLength)),
    }
}

/// One argument that is whole in the buffer: its first byte and its length.
#[inline(always)]
fn bulk(buffer: &[u8], start: usize, limits: &RequestLimits) -> Result<(usize, usize), Stop> {
    let header = if start < buffer.len() { short_header(buffer, start, b'$') } else { None };
    let (length, data) = match header {
        Some(header) => header,
        None => bulk_header(buffer, start)?,
    };
    if length > limits.bulk_bytes_max {
        return Err(Stop::Error(ProtocolError::InvalidBulkLength));
    }
    if length > BULK_BYTES_UNAUTHENTICATED_MAX && !limits.authenticated {
        return Err(Stop::Error(ProtocolError::UnauthenticatedBulkLength));
    }
    // What is behind a header is there or not yet: `data` is at most the buffer's length.
    let here = (buffer.len() - data) as u64;
    if here >= length && here - length >= CRLF_BYTES as u64 {
        Ok((data, length as usize))
    } else if length >= BIG_ARGUMENT_BYTES_MIN as u64 {
        Err(Stop::Big { bytes: length as usize, start: data })
    } else {
        Err(Stop::NeedMore)
    }
}

/// A request that does not begin with a star. An empty one yields nothing.
fn inline(buffer: &[u8], start: usize, out: &mut Requests) -> Result<usize, Stop> {
    let end = line_end(buffer, start, b'\n', ProtocolError::InlineTooBig)?;
    let next = end + 1;
    let line = &buffer[start..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (first, bigs_before) = (out.args.len(), out.bigs.len());
    let mut unescaped = Vec::new();
    let mut splitter = Splitter::new(line);
    loop {
        match splitter.next(&mut unescaped) {
            Ok(Some(Argument::Plain(range))) => {
                out.args.push(ArgRange::in_buffer(start + range.start, range.len()));
            }
            Ok(Some(Argument::Unescaped(range))) => {
                out.args.push(ArgRange::big(out.bigs.len()));
                out.bigs.push(Bytes::copy_from_slice(&unescaped[range]));
            }
            Ok(None) => break,
            Err(_) => {
                out.args.truncate(first);
                out.bigs.truncate(bigs_before);
                return Err(Stop::Error(ProtocolError::UnbalancedQuotes));
            }
        }
    }
    if out.args.len() > first {
        out.push_command(first, (next - start) as u64);
    }
    Ok(next)
}
