//! Tests of the request parser. The tables are what redis-server 7.0.15 did with the same bytes.

use bytes::Bytes;

use super::request::{BigRead, ParseEnd, ProtocolError, RequestLimits, RequestParser, Requests};
use super::reply::{Protocol, Reply};
use crate::stdx::limits::{
    BIG_ARGUMENT_BYTES_FIRST, BIG_ARGUMENT_BYTES_MIN, BULK_BYTES_MAX_DEFAULT, INLINE_BYTES_MAX, QUERY_BUFFER_BYTES_MAX_DEFAULT,
};

const LIMITS: RequestLimits = RequestLimits {
    bulk_bytes_max: BULK_BYTES_MAX_DEFAULT,
    query_buffer_bytes_max: QUERY_BUFFER_BYTES_MAX_DEFAULT,
    authenticated: true,
};
const STRANGER: RequestLimits = RequestLimits { authenticated: false, ..LIMITS };

type Command = Vec<Vec<u8>>;
/// Commands as tables have them.
type Commands = &'static [&'static [&'static [u8]]];

/// How a connection's bytes end.
#[derive(Clone, Debug, PartialEq)]
enum End {
    Waits,
    QueryBufferLimit,
    Error(ProtocolError),
}

/// A session that runs nothing: what it does with the parser is what a session has to do.
struct Connection {
    parser: RequestParser,
    requests: Requests,
    buffer: Vec<u8>,
    big: Option<BigRead>,
    commands: Vec<Command>,
    commands_max: usize,
    limits: RequestLimits,
}

impl Connection {
    fn new(limits: RequestLimits, commands_max: usize) -> Connection {
        Connection {
            parser: RequestParser::default(),
            requests: Requests::default(),
            buffer: Vec::new(),
            big: None,
            commands: Vec::new(),
            commands_max,
            limits,
        }
    }

    fn receive(&mut self, mut bytes: &[u8], into_big: bool) -> End {
        if let Some(big) = &mut self.big {
            let taken = if into_big {
                let (mut lent, room) = big.lend();
                assert!(room > 0 && lent.capacity() - lent.len() >= room);
                let count = bytes.len().min(room);
                lent.extend_from_slice(&bytes[..count]);
                big.take_back(lent);
                count
            } else {
                big.take_from(bytes)
            };
            bytes = &bytes[taken..];
            if !big.is_complete() {
                return if bytes.is_empty() { End::Waits } else { self.receive(bytes, into_big) };
            }
            self.supply();
        }
        self.buffer.extend_from_slice(bytes);
        self.parse()
    }

    fn supply(&mut self) {
        let big = self.big.take().expect("only called with a big argument");
        self.parser.supply_big(big.finish());
    }

    fn parse(&mut self) -> End {
        loop {
            let (end, consumed) =
                self.parser.parse(&self.buffer, 0, &self.limits, self.commands_max, &mut self.requests);
            assert!(consumed <= self.buffer.len());
            let on_wire: usize = self.requests.commands.iter().map(|command| command.bytes as usize).sum();
            if self.requests.bigs.is_empty() {
                // Empty requests take bytes too.
                assert!(on_wire <= consumed);
            }
            for span in &self.requests.commands {
                let args = &self.requests.args[span.first_arg as usize..][..span.arg_count as usize];
                let argument = |arg: &super::request::ArgRange| arg.of(&self.buffer, &self.requests.bigs).to_vec();
                self.commands.push(args.iter().map(argument).collect());
            }
            let args: usize = self.requests.commands.iter().map(|command| command.arg_count as usize).sum();
            assert_eq!(args, self.requests.args.len(), "an unfinished request leaves nothing");
            assert!(self.requests.commands.len() <= self.commands_max);
            self.requests.clear();
            self.buffer.drain(..consumed);
            match end {
                ParseEnd::NeedMore => return End::Waits,
                ParseEnd::CommandLimit => {}
                ParseEnd::QueryBufferLimit => return End::QueryBufferLimit,
                ParseEnd::Error(error) => return End::Error(error),
                ParseEnd::BigArgument(big) => {
                    assert!(self.buffer.is_empty(), "a big argument leaves the read buffer free");
                    self.big = Some(big);
                    return End::Waits;
                }
            }
        }
    }
}

fn whole(bytes: &[u8], limits: RequestLimits) -> (Vec<Command>, End) {
    let mut connection = Connection::new(limits, usize::MAX);
    let end = connection.receive(bytes, false);
    (connection.commands, end)
}

/// Receives in pieces of the given sizes, over and over.
fn cut(bytes: &[u8], limits: RequestLimits, sizes: &[usize], commands_max: usize) -> (Vec<Command>, End) {
    let mut connection = Connection::new(limits, commands_max);
    let mut rest = bytes;
    let mut end = End::Waits;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() && end == End::Waits {
        let size = *sizes.next().expect("endless");
        let (now, later) = rest.split_at(size.clamp(1, rest.len()));
        end = connection.receive(now, size.is_multiple_of(2));
        rest = later;
    }
    (connection.commands, end)
}

fn commands(table: &[&[&[u8]]]) -> Vec<Command> {
    table.iter().map(|command| command.iter().map(|arg| arg.to_vec()).collect()).collect()
}

/// The bytes are read the same in one piece and in several; returns how.
fn both(bytes: &[u8], limits: RequestLimits) -> (Vec<Command>, End) {
    let result = whole(bytes, limits);
    let pieces: &[usize] = if bytes.len() < 1000 { &[1, 2, 3] } else { &[5000, 16_384] };
    for size in pieces {
        assert_eq!(cut(bytes, limits, &[*size], 2), result, "{} in {size}", bytes.escape_ascii());
    }
    result
}

#[test]
fn complete_requests_are_read_in_order() {
    let table: &[(&[u8], Commands)] = &[
        (b"", &[]),
        (b"*1\r\n$4\r\nPING\r\n", &[&[b"PING"]]),
        (b"*2\r\n$4\r\nECHO\r\n$2\r\n\r\n\r\nPING\n", &[&[b"ECHO", b"\r\n"], &[b"PING"]]),
        (b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\n012345678901\r\n", &[&[b"SET", b"", b"012345678901"]]),
        (b"*1\r\n$0\r\n\r\n", &[&[b""]]),
        (b"*1\r\n$3\r\n\0\xff\0\r\n", &[&[b"\0\xff\0"]]),
        // What ends a line or a string is skipped unseen.
        (b"*1\r\n$4\r\nPINGxx", &[&[b"PING"]]),
        (b"*1\rx$4\rxPINGxx", &[&[b"PING"]]),
        // Requests without arguments are no commands and leave nothing behind (CVE-2026-27623).
        (b"*0\r\nPING\r\n", &[&[b"PING"]]),
        (b"*-1\r\nPING\r\n", &[&[b"PING"]]),
        (b"*-10\r\n*1\r\n$4\r\nPING\r\n", &[&[b"PING"]]),
        (b"*-9223372036854775808\r\nPING\r\n", &[&[b"PING"]]),
        (b"\r\n\n   \r\nPING\r\n", &[&[b"PING"]]),
        (b"*0\r\n*-1\r\n\r\n*1\r\n$4\r\nPING\r\n", &[&[b"PING"]]),
        // Inline requests.
        (b"PING\n", &[&[b"PING"]]),
        (b"PING\r\r\n", &[&[b"PING"]]),
        (b"PING\rx\r\n", &[&[b"PING", b"x"]]),
        (b"set  k \"a\\x00b\" 'c d'\r\nget k\r\n", &[&[b"set", b"k", b"a\0b", b"c d"], &[b"get", b"k"]]),
        (b"$4\r\nPING\r\n", &[&[b"$4"], &[b"PING"]]),
        // Not whole: nothing yet.
        (b"PING\r", &[]),
        (b"PING\0\r\nPING\r\n", &[]),
        (b"\0\r\n", &[]),
        (b"*", &[]),
        (b"*1\r", &[]),
        (b"*1\0\r\n", &[]),
        (b"*1\n$4\nPING\n", &[]),
        (b"*1\r\nx", &[]),
        (b"*1\r\n$4\r\nPING\r", &[]),
        (b"*1\r\n$536870912\r\n", &[]),
        (b"*2147483647\r\n", &[]),
        (b"*2\r\n$4\r\nPING\r\n", &[]),
    ];
    for (bytes, expected) in table {
        assert_eq!(both(bytes, LIMITS), (commands(expected), End::Waits), "{}", bytes.escape_ascii());
    }
}

#[test]
fn broken_requests_are_refused_after_those_before_them() {
    use ProtocolError::{ExpectedDollar, InvalidBulkLength, InvalidMultibulkLength, UnbalancedQuotes};
    let table: &[(&[u8], ProtocolError)] = &[
        (b"*\r\n", InvalidMultibulkLength),
        (b"*01\r\n", InvalidMultibulkLength),
        (b"*00\r\n", InvalidMultibulkLength),
        (b"*+1\r\n", InvalidMultibulkLength),
        (b"*-0\r\n", InvalidMultibulkLength),
        (b"*-\r\n", InvalidMultibulkLength),
        (b"* 1\r\n", InvalidMultibulkLength),
        (b"*1 \r\n", InvalidMultibulkLength),
        (b"*12345x\r\n", InvalidMultibulkLength),
        (b"*2147483648\r\n", InvalidMultibulkLength),
        (b"*99999999999999999999\r\n", InvalidMultibulkLength),
        (b"*-9223372036854775809\r\n", InvalidMultibulkLength),
        (b"*1\r\nfoo\r\n", ExpectedDollar(b'f')),
        (b"*1\r\n\xfffoo\r\n", ExpectedDollar(0xff)),
        (b"*1\r\n\r\n", ExpectedDollar(b'\r')),
        (b"*2\r\n*1\r\n$4\r\nPING\r\n", ExpectedDollar(b'*')),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", ExpectedDollar(b'f')),
        (b"*1\r\n$\r\n", InvalidBulkLength),
        (b"*1\r\n$-1\r\n", InvalidBulkLength),
        (b"*1\r\n$-0\r\n", InvalidBulkLength),
        (b"*1\r\n$04\r\nPING\r\n", InvalidBulkLength),
        (b"*1\r\n$4x\r\n", InvalidBulkLength),
        (b"*1\r\n$4\nPING\r\n", InvalidBulkLength),
        (b"*1\r\n$536870913\r\n", InvalidBulkLength),
        (b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2000000000\r\n", InvalidBulkLength),
        (b"*1\r\n$99999999999999999999\r\n", InvalidBulkLength),
        (b"set a \"b\r\n", UnbalancedQuotes),
        (b"\"PING\r\n", UnbalancedQuotes),
        (b"PING \"a\"b\r\n", UnbalancedQuotes),
    ];
    for (bytes, error) in table {
        let after_a_command = [b"*1\r\n$4\r\nPING\r\n", *bytes, b"PING\r\n"].concat();
        let expected = (commands(&[&[b"PING"]]), End::Error(*error));
        assert_eq!(both(&after_a_command, LIMITS), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn lines_are_limited() {
    let line = |start: &[u8], bytes: usize, end: &[u8]| [start, &vec![b'1'; bytes - start.len()], end].concat();
    let max = INLINE_BYTES_MAX;
    use ProtocolError::{BulkCountTooLong, InlineTooBig, InvalidBulkLength, InvalidMultibulkLength, MultibulkCountTooLong};
    let table: Vec<(Vec<u8>, End)> = vec![
        (line(b"x", max, b""), End::Waits),
        (line(b"x", max, b"\n"), End::Waits),
        (line(b"x", max + 1, b""), End::Error(InlineTooBig)),
        (line(b"x\0", max, b""), End::Waits),
        (line(b"x\0", max + 1, b""), End::Error(InlineTooBig)),
        (line(b"*", max, b""), End::Waits),
        (line(b"*", max, b"\r\n"), End::Error(InvalidMultibulkLength)),
        (line(b"*", max + 1, b""), End::Error(MultibulkCountTooLong)),
        (line(b"*\0", max + 1, b"\r\n"), End::Error(MultibulkCountTooLong)),
        (line(b"*1\r\n$", max + 4, b""), End::Waits),
        (line(b"*1\r\n$", max + 4, b"\r\n"), End::Error(InvalidBulkLength)),
        (line(b"*1\r\n$", max + 5, b""), End::Error(BulkCountTooLong)),
        (line(b"*1\r\nx", max + 5, b""), End::Error(BulkCountTooLong)),
    ];
    for (index, (bytes, end)) in table.iter().enumerate() {
        let (commands, found) = both(bytes, LIMITS);
        assert_eq!(found, *end, "{index}");
        assert_eq!(commands.len(), usize::from(bytes.ends_with(b"\n") && *end == End::Waits));
    }
}

#[test]
fn strangers_send_little_and_one_command_at_a_time() {
    use ProtocolError::{InvalidBulkLength, InvalidMultibulkLength, UnauthenticatedBulkLength, UnauthenticatedMultibulkLength};
    let table: &[(&[u8], End)] = &[
        (b"*10\r\n", End::Waits),
        (b"*11\r\n", End::Error(UnauthenticatedMultibulkLength)),
        (b"*1048576\r\n", End::Error(UnauthenticatedMultibulkLength)),
        (b"*2147483648\r\n", End::Error(InvalidMultibulkLength)),
        (b"*1\r\n$16384\r\n", End::Waits),
        (b"*1\r\n$16385\r\n", End::Error(UnauthenticatedBulkLength)),
        (b"*1\r\n$536870913\r\n", End::Error(InvalidBulkLength)),
    ];
    for (bytes, end) in table {
        assert_eq!(both(bytes, STRANGER), (vec![], end.clone()), "{}", bytes.escape_ascii());
    }
    let mut parser = RequestParser::default();
    let mut out = Requests::default();
    let (end, consumed) = parser.parse(b"PING\r\nPING\r\n", 0, &STRANGER, 100, &mut out);
    assert!(matches!(end, ParseEnd::CommandLimit));
    assert_eq!((consumed, out.commands.len()), (6, 1));
}

#[test]
fn error_texts_are_those_of_redis() {
    let table: &[(ProtocolError, &[u8])] = &[
        (ProtocolError::MultibulkCountTooLong, b"-ERR Protocol error: too big mbulk count string\r\n"),
        (ProtocolError::InvalidMultibulkLength, b"-ERR Protocol error: invalid multibulk length\r\n"),
        (ProtocolError::UnauthenticatedMultibulkLength, b"-ERR Protocol error: unauthenticated multibulk length\r\n"),
        (ProtocolError::BulkCountTooLong, b"-ERR Protocol error: too big bulk count string\r\n"),
        (ProtocolError::ExpectedDollar(b'f'), b"-ERR Protocol error: expected '$', got 'f'\r\n"),
        (ProtocolError::ExpectedDollar(b'\r'), b"-ERR Protocol error: expected '$', got ' '\r\n"),
        (ProtocolError::ExpectedDollar(0xff), b"-ERR Protocol error: expected '$', got '\xff'\r\n"),
        (ProtocolError::InvalidBulkLength, b"-ERR Protocol error: invalid bulk length\r\n"),
        (ProtocolError::UnauthenticatedBulkLength, b"-ERR Protocol error: unauthenticated bulk length\r\n"),
        (ProtocolError::InlineTooBig, b"-ERR Protocol error: too big inline request\r\n"),
        (ProtocolError::UnbalancedQuotes, b"-ERR Protocol error: unbalanced quotes in request\r\n"),
    ];
    for (error, expected) in table {
        let mut reply = Reply::new(Protocol::Resp2);
        error.write(&mut reply);
        assert_eq!(reply.bytes(), *expected);
    }
}

/// `SET key <value>` and a PING behind it.
fn set_and_ping(value: &[u8]) -> Vec<u8> {
    let length = value.len().to_string();
    [b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$", length.as_bytes(), b"\r\n", value, b"\r\nPING\r\n"].concat()
}

#[test]
fn long_arguments_get_buffers_of_their_own() {
    for bytes in [BIG_ARGUMENT_BYTES_MIN - 1, BIG_ARGUMENT_BYTES_MIN, 5 * BIG_ARGUMENT_BYTES_FIRST + 3] {
        let value: Vec<u8> = (0..bytes).map(|index| index as u8).collect();
        let request = set_and_ping(&value);
        let expected = (commands(&[&[b"SET", b"key", &value], &[b"PING"]]), End::Waits);
        assert_eq!(whole(&request, LIMITS), expected);
        for sizes in [&[1000][..], &[1001], &[16_384], &[16_385], &[40, 100_000], &[41, 100_001], &[request.len() - 7, 1]] {
            assert_eq!(cut(&request, LIMITS, sizes, 100), expected, "{bytes} in {sizes:?}");
        }
    }
    let mut parser = RequestParser::default();
    let mut out = Requests::default();
    let value = vec![b'v'; BIG_ARGUMENT_BYTES_MIN];
    let request = [b"PING\r\n", &set_and_ping(&value)[..]].concat();
    let (end, consumed) = parser.parse(&request[..1000], 0, &LIMITS, 100, &mut out);
    let ParseEnd::BigArgument(mut big) = end else { panic!("{end:?}") };
    assert_eq!((consumed, out.commands.len()), (1000, 1));
    assert_eq!(big.take_from(&request[1000..]), request.len() - 1000 - 6);
    assert!(big.is_complete());
    assert!(matches!(parser.parse(b"", 0, &LIMITS, 100, &mut out), (ParseEnd::NeedMore, 0)));
    parser.supply_big(big.finish());
    out.clear();
    assert!(matches!(parser.parse(b"", 0, &LIMITS, 100, &mut out), (ParseEnd::NeedMore, 0)));
    assert_eq!(out.commands[0].bytes as usize, request.len() - 12);
    assert_eq!(out.bigs, [Bytes::from("SET"), Bytes::from("key"), Bytes::from(value)]);
}

#[test]
fn announcements_cost_nothing() {
    let mut big = {
        let mut parser = RequestParser::default();
        let request = b"*1000000\r\n$536870912\r\nabc";
        match parser.parse(request, 0, &LIMITS, 100, &mut Requests::default()) {
            (ParseEnd::BigArgument(big), _) => big,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(big.received(), 3);
    let mut capacity_max = BIG_ARGUMENT_BYTES_FIRST;
    let piece = vec![0; 10_000];
    while big.received() < 3_000_000 {
        let (lent, _) = big.lend();
        assert!(lent.capacity() <= capacity_max.max(2 * lent.len()));
        capacity_max = capacity_max.max(lent.capacity());
        big.take_back(lent);
        assert_eq!(big.take_from(&piece), piece.len());
    }
    // Together the arguments of a request stay within the query buffer's limit.
    let limits = RequestLimits { query_buffer_bytes_max: 100_000, ..LIMITS };
    assert_eq!(whole(b"*1000000\r\n$100001\r\nabc", limits).1, End::QueryBufferLimit);
    let two = [b"*3\r\n$60000\r\n", &[b'x'; 60_000][..], b"\r\n$60000\r\n"].concat();
    assert_eq!(cut(&two, limits, &[1000], 100), (vec![], End::QueryBufferLimit));
    let many = [b"*1000000\r\n", &b"$1\r\nx\r\n".repeat(20_000)[..]].concat();
    assert_eq!(cut(&many, limits, &[1000], 100), (vec![], End::QueryBufferLimit));
}

#[test]
fn a_long_request_in_pieces_is_read_once() {
    let count = 200_000;
    let mut request = ["*", &count.to_string(), "\r\n"].concat().into_bytes();
    for index in 0..count {
        let argument = index.to_string();
        request.extend_from_slice(["$", &argument.len().to_string(), "\r\n", &argument, "\r\n"].concat().as_bytes());
    }
    // Quadratic work would be 200,000 arguments times 2,000 pieces: minutes.
    let (commands, end) = cut(&request, LIMITS, &[1024], 10);
    assert_eq!(end, End::Waits);
    assert_eq!(commands.len(), 1);
    assert!(commands[0].iter().enumerate().all(|(index, argument)| *argument == index.to_string().as_bytes()));
}

#[test]
fn parsing_can_go_on_without_removing_bytes() {
    let bytes = b"*1\r\n$4\r\nPING\r\n\r\n*2\r\n$4\r\nECHO\r\n$1\r\nx\r\nPING\r\n";
    let mut parser = RequestParser::default();
    let mut out = Requests::default();
    let mut from = 0;
    for end in 0..=bytes.len() {
        let (_, consumed) = parser.parse(&bytes[..end], from, &LIMITS, 100, &mut out);
        from = consumed;
    }
    assert_eq!(from, bytes.len());
    let arguments: Vec<_> = out.args.iter().map(|arg| arg.of(bytes, &out.bigs)).collect();
    assert_eq!(arguments, [&b"PING"[..], b"ECHO", b"x", b"PING"]);
    assert_eq!(out.commands.iter().map(|command| command.bytes).collect::<Vec<_>>(), [14, 21, 6]);
}

/// Bytes in which what is odd about requests is frequent.
fn likely_bytes(choices: &[u8]) -> Vec<u8> {
    const FRAGMENTS: [&[u8]; 32] = [
        b"*1\r\n", b"*2\r\n", b"*3\r\n", b"*0\r\n", b"*-1\r\n", b"*12\r\n", b"$0\r\n\r\n", b"$1\r\nx\r\n", b"$4\r\nPING\r\n",
        b"$10\r\n0123456789\r\n", b"\r\n", b"\n", b"\r", b"PING\r\n", b" \"a\\x41\" ", b"\"", b"'", b"\\", b"\0", b"*", b"$",
        b"1", b"$3\r\n", b"$32768\r\n", b"$40000\r\n", b"*100000\r\n", b"*2147483648\r\n", b"$536870913\r\n", b"-", b"\x0b",
        b"$16385\r\n", b"$100\r\n",
    ];
    let mut bytes = Vec::new();
    for &choice in choices {
        match choice {
            200..=202 => bytes.extend(std::iter::repeat_n(b'y', 32_768)),
            203 => bytes.extend(std::iter::repeat_n(b'z', 40_002)),
            204..=255 => bytes.push(choice ^ 0x80),
            _ => bytes.extend_from_slice(FRAGMENTS[choice as usize % FRAGMENTS.len()]),
        }
    }
    bytes
}

/// Whatever comes, in one piece or in many, with any limit of commands: the same commands, the same end, no panic.
#[test]
fn fuzz_request() {
    bolero::check!()
        .with_type::<(bool, Vec<u8>, [u8; 3], u8)>()
        .with_iterations(3000)
        .for_each(|(authenticated, choices, sizes, commands_max)| {
            let bytes = likely_bytes(choices);
            let limits = RequestLimits { authenticated: *authenticated, query_buffer_bytes_max: u64::MAX, ..LIMITS };
            let at_once = whole(&bytes, limits);
            let sizes = sizes.map(|size| match size {
                // Small sizes only where there is little.
                0..=127 if bytes.len() < 2000 => usize::from(size % 16) + 1,
                _ => usize::from(size) * 300 + 1,
            });
            assert_eq!(cut(&bytes, limits, &sizes, usize::from(*commands_max) + 1), at_once);
            let raw = whole(choices, limits);
            assert_eq!(cut(choices, limits, &[1], 1), raw);
        });
}
