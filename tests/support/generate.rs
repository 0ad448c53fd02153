//! Draws random moves of the differential test from a seed: the same seed gives the same moves.

use super::grammar::{Kind, Node, Row, rows};
use super::text::{encode_array, encode_inline};
use std::ops::Range;

/// Connections a duel holds open. The first half starts in RESP2, the second in RESP3.
pub const CONNECTIONS: usize = 4;

/// Databases the commands use; others are out of range on purpose.
pub const DATABASES: usize = 4;

/// Longest pipeline, in commands.
const PIPELINE_MAX: u64 = 50;

/// Pipelines between two comparisons of the whole state.
const STATE_EVERY: u64 = 100;

/// The keys commands meet at.
pub const KEYS: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"key:1",
    b"key:2",
    b"key:3",
    b"key:4",
    b"key:5",
    b"{tag}1",
    b"{tag}2",
    b"{tag}3",
    b"",
    b"\x00\xff\r\n",
    b"with space",
    b"\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87",
    b"long:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    b"123",
];

/// The keys at which stream commands meet.
const STREAM_KEYS: &[&[u8]] = &[b"stream:1", b"stream:2", b"stream:3", b"stream:4"];

/// IDs at which parsers break, and one far in the past; none that ends a stream, and not `+`, which XREAD knows since 7.4.
const ODD_IDS: &[&str] = &[
    "0-0",
    "0-1",
    "1-18446744073709551615",
    "18446744073709551616",
    "18446744073709551616-1",
    "-",
    "-1",
    "1-",
    "1-x",
    "001-02",
    " 1-1",
    "1--1",
    "",
    "(1-1",
    "x",
    "$",
];

/// Numbers at which 64-bit arithmetic and its parsers break.
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "10",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "9223372036854775806",
    "-9223372036854775807",
    "4611686018427387904",
    "2147483648",
    "",
    " 1",
    "1 ",
    "01",
    "+1",
    "-0",
    "1.5",
    "abc",
    "99999999999999999999",
];

const FLOATS: &[&str] = &[
    "0",
    "1.5",
    "-1.5",
    "0.1",
    "0.2",
    "1e3",
    "1e-3",
    "3.0",
    "-0.0",
    "1e17",
    "100000000000000000000",
    "0.00001",
    "inf",
    "-inf",
    "nan",
    "abc",
    "",
    " 1",
    "1 ",
    "1e400",
    "123456789.123",
    "5.0e3",
    ".5",
    "5.",
    "+2",
];

const PATTERNS: &[&[u8]] = &[
    b"*",
    b"a",
    b"key:*",
    b"key:?",
    b"key:[13]",
    b"key:[^1]",
    b"{tag}*",
    b"*1",
    b"[",
    b"\\*",
    b"",
    b"??",
    b"[a-c]",
    b"*[",
    b"no*",
];

/// Offsets that are refused, and one far out; never one that makes a huge string.
const ODD_OFFSETS: &[&str] =
    &["-1", "2000", "536870912", "9223372036854775807", "-9223372036854775808", "abc", "9223372036854775808"];

const ODD_COUNTS: &[&str] = &["0", "-1", "abc", "1000", "9223372036854775808"];

const ODD_DATABASES: &[&str] = &["16", "-1", "abc", "", "99999999999", "9223372036854775808"];

const ODD_CURSORS: &[&str] = &["abc", "1x", "18446744073709551616", "18446744073709551615", "9223372036854775808", "7"];

/// Bits that are refused, and one far out.
const ODD_BITS: &[&str] = &["-1", "20000", "4294967296", "9223372036854775807", "abc", "01", ""];

const ODD_FIELDS: &[&str] = &["u64", "i65", "u0", "U8", "8", "", "u08", "i", "u8x"];

/// None that makes redis-server's multiplication by the type's width overflow: what it then does is undefined.
const ODD_PLACES: &[&str] = &["-1", "#-1", "#", "#abc", "4294967296", "#4294967296", "20000", "#1000"];

const LEX_KEYS: &[&[u8]] = &[b"lex:1", b"lex:2", b"lex:3"];

const GEO_KEYS: &[&[u8]] = &[b"geo:1", b"geo:2", b"geo:3", b"geo:4"];
/// The keys of HyperLogLogs.
const SKETCHES: &[&[u8]] = &[b"sketch:1", b"sketch:2", b"sketch:3", b"{tag}sketch"];

/// The keys of numbers that are sorted.
const NUMBERS: &[&[u8]] = &[b"numbers:1", b"numbers:2", b"{tag}numbers"];

const SORT_KEYS: &[&[u8]] = &[b"w:*", b"w:*", b"w:*", b"w:*0", b"none:*", b"w:*->a"];

const SORT_PATTERNS: &[&[u8]] =
    &[b"#", b"a", b"", b"#*", b"*", b"key:*", b"{tag}*", b"*->a", b"key:*->1", b"*->*", b"w:*"];

const NAMES: &[&[u8]] = &[b"worker", b"a:b-c", b"", b"with space", b"line\n", b"\xff"];

/// Empty requests; none of them is answered.
const NOISE: &[&[u8]] = &[b"\r\n", b"\n", b"*0\r\n", b"*-1\r\n"];

/// A small, fast generator of numbers (SplitMix64), so that seeds mean the same for ever.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// One command and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub arguments: Vec<Vec<u8>>,
    /// Written as an inline request instead of an array.
    pub inline: bool,
    /// Empty requests written before it, which have no reply.
    pub noise: &'static [u8],
}

impl Request {
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.noise);
        if self.inline { encode_inline(&self.arguments, out) } else { encode_array(&self.arguments, out) }
    }
}

/// One step of a duel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Commands sent over one connection, cut at `cuts` (per mille of the bytes) into several writes; then all replies are read.
    Pipeline { connection: usize, requests: Vec<Request>, cuts: Vec<u64> },
    /// All databases are compared.
    CompareState,
}

/// The stream of moves of a seed.
pub struct Generator {
    rng: Rng,
    rows: Vec<Row>,
    weights: u64,
    /// The milliseconds of the newest stream ID.
    stream_ms: u64,
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        let rows = rows();
        let weights = rows.iter().map(|row| row.weight).sum();
        Generator { rng: Rng::new(seed), rows, weights, stream_ms: 1 }
    }

    /// The next move.
    pub fn next_move(&mut self) -> Move {
        if self.rng.below(STATE_EVERY) == 0 {
            return Move::CompareState;
        }
        let connection = self.rng.below(CONNECTIONS as u64) as usize;
        let length = if self.rng.chance(30) { 1 } else { 1 + self.rng.below(PIPELINE_MAX) };
        let requests = (0..length).map(|_| self.request()).collect();
        let cuts = if self.rng.chance(20) { self.rng.below(4) } else { 0 };
        let mut cuts: Vec<u64> = (0..cuts).map(|_| self.rng.below(1000)).collect();
        cuts.sort_unstable();
        Move::Pipeline { connection, requests, cuts }
    }

    fn request(&mut self) -> Request {
        let mut drawn = self.rng.below(self.weights);
        let row = self.rows.iter().find(|row| {
            let found = drawn < row.weight;
            drawn = drawn.saturating_sub(row.weight);
            found
        });
        let nodes = row.expect("the weights add up").nodes.clone();
        let mut arguments = self.arguments(&nodes);
        self.mutate(&mut arguments);
        let plain = |argument: &Vec<u8>| {
            !argument.is_empty() && argument.iter().all(|b| b.is_ascii_alphanumeric() || b"-:.{}".contains(b))
        };
        let inline = self.rng.chance(5) && arguments.iter().all(plain);
        let noise = if self.rng.chance(2) { Some(self.rng.pick(NOISE)) } else { None };
        Request { arguments, inline, noise: noise.copied().unwrap_or_default() }
    }

    /// A command of the row as the grammar has it.
    pub fn arguments(&mut self, nodes: &[Node]) -> Vec<Vec<u8>> {
        let mut arguments = Vec::new();
        for node in nodes {
            match node {
                Node::Literal(word) => arguments.push(word.clone().into_bytes()),
                Node::Argument(kind) => arguments.push(self.value(*kind)),
                Node::Optional(alternatives) => {
                    if self.rng.chance(35) {
                        let chosen = self.rng.pick(alternatives).clone();
                        arguments.extend(self.arguments(&chosen));
                    }
                }
                Node::Choice(alternatives) => {
                    let chosen = self.rng.pick(alternatives).clone();
                    arguments.extend(self.arguments(&chosen));
                }
                Node::Repeat(inside) => {
                    for _ in 0..1 + self.rng.below(4) {
                        arguments.extend(self.arguments(inside));
                    }
                }
            }
        }
        arguments
    }

    /// Now and then: an argument too few or too many, the wrong kind, another case.
    fn mutate(&mut self, arguments: &mut Vec<Vec<u8>>) {
        // A random member popped or an endless reply, by one argument more or less; an endless wait, when something else is the
        // timeout; for HELLO see its line of the grammar; KEYS alone means all keys here.
        const UNTOUCHED: &[&[u8]] = &[b"SPOP", b"SRANDMEMBER", b"HELLO", b"BLPOP", b"BRPOP", b"KEYS"];
        if UNTOUCHED.iter().any(|name| arguments[0].eq_ignore_ascii_case(name)) {
            return;
        }
        // Ranges by bytes need one score; what waits would wait for long.
        let is_blocking = arguments[0].to_ascii_uppercase().starts_with(b"BZ");
        if is_blocking || arguments.iter().any(|argument| argument.starts_with(b"lex:")) {
            return;
        }
        match self.rng.below(100) {
            0 => drop(arguments.pop()),
            1 => arguments.push(self.value(Kind::Value)),
            2 if arguments.len() > 1 => {
                let at = 1 + self.rng.below(arguments.len() as u64 - 1) as usize;
                arguments.remove(at);
            }
            3 if arguments.len() > 1 => {
                let at = 1 + self.rng.below(arguments.len() as u64 - 1) as usize;
                // Nothing that is a short expiry. As cursors, redis-server 7.0 takes "" and "-1", 7.2 and later do not.
                let is_scan = arguments[0].to_ascii_uppercase().ends_with(b"SCAN");
                let odd = if is_scan {
                    &["abc", "1x", "9223372036854775808"][..]
                } else {
                    &["abc", "", "-1", "9223372036854775808"]
                };
                arguments[at] = self.rng.pick(odd).as_bytes().to_vec();
            }
            4..8 => {
                for byte in arguments.iter_mut().take(2).flatten() {
                    if self.rng.chance(50) && byte.is_ascii_uppercase() {
                        *byte = byte.to_ascii_lowercase();
                    }
                }
            }
            _ => {}
        }
        if arguments.is_empty() {
            arguments.push(b"PING".to_vec());
        }
    }

    fn value(&mut self, kind: Kind) -> Vec<u8> {
        match kind {
            Kind::Key => self.rng.pick(KEYS).to_vec(),
            Kind::Value => self.string(),
            Kind::Member => self.member(),
            Kind::Integer => self.mostly(70, -20..200, INTEGERS),
            Kind::Float if self.rng.chance(40) => {
                let whole = self.rng.below(2000) as i64 - 1000;
                format!("{whole}.{}", self.rng.below(1000)).into_bytes()
            }
            Kind::Float => self.rng.pick(FLOATS).as_bytes().to_vec(),
            Kind::Index => self.mostly(90, -15..30, INTEGERS),
            Kind::Offset => self.mostly(90, 0..100, ODD_OFFSETS),
            Kind::Count => self.mostly(90, 1..30, ODD_COUNTS),
            Kind::Seconds => self.relative(1_000..100_000_000, "9223372036854775"),
            Kind::Milliseconds => self.relative(1_000_000..100_000_000_000, "9223372036854775807"),
            Kind::UnixSeconds => self.absolute(1, "9223372036854775"),
            Kind::UnixMilliseconds => self.absolute(1000, "9223372036854775807"),
            Kind::Db => self.mostly(92, 0..DATABASES as i64, ODD_DATABASES),
            Kind::Pattern => self.rng.pick(PATTERNS).to_vec(),
            Kind::Cursor => self.mostly(80, 0..1, ODD_CURSORS),
            Kind::Bit => self.mostly(94, 0..300, ODD_BITS),
            Kind::Field if self.rng.chance(50) => {
                self.rng.pick(&["u8", "i8", "u4", "i64", "u63", "i16"]).as_bytes().to_vec()
            }
            Kind::Field if self.rng.chance(5) => self.rng.pick(ODD_FIELDS).as_bytes().to_vec(),
            Kind::Field => [self.rng.pick(&["u", "i"]).as_bytes(), &self.small(1..64)].concat(),
            Kind::Place if self.rng.chance(40) => [&b"#"[..], &self.small(0..10)].concat(),
            Kind::Place => self.mostly(94, 0..300, ODD_PLACES),
            Kind::Score => self.score(),
            Kind::ScoreEnd if self.rng.chance(20) => [&b"("[..], &self.score()].concat(),
            Kind::ScoreEnd => self.score(),
            Kind::MemberEnd => self.member_end(),
            Kind::LexKey => self.rng.pick(LEX_KEYS).to_vec(),
            Kind::GeoKey => self.rng.pick(GEO_KEYS).to_vec(),
            Kind::Longitude => self.degrees(180),
            Kind::Latitude => self.degrees(85),
            Kind::Radius if self.rng.chance(20) => {
                self.mostly(60, 0..50_000, &["0", "-1", "0.001", "inf", "abc", "1e300"])
            }
            Kind::Radius => self.mostly(97, 0..3000, &["0", "20000"]),
            Kind::Sketch => self.rng.pick(SKETCHES).to_vec(),
            Kind::Numbers => self.rng.pick(NUMBERS).to_vec(),
            Kind::Weight => [&b"w:"[..], &self.small(0..30)].concat(),
            Kind::SortKey => self.rng.pick(SORT_KEYS).to_vec(),
            Kind::SortPattern => self.rng.pick(SORT_PATTERNS).to_vec(),
            Kind::Name => self.rng.pick(NAMES).to_vec(),
            Kind::StreamKey if self.rng.chance(92) => self.rng.pick(STREAM_KEYS).to_vec(),
            Kind::StreamKey => self.rng.pick(KEYS).to_vec(),
            Kind::NewId => self.new_id(),
            Kind::StreamId => self.stream_id(),
            Kind::TopId => {
                self.stream_ms += 2;
                format!("{}-0", self.stream_ms).into_bytes()
            }
            Kind::StreamBound => match self.rng.below(8) {
                0..3 => b"-".to_vec(),
                3 | 4 => b"+".to_vec(),
                5 => [b"(", &self.stream_id()[..]].concat(),
                _ => self.stream_id(),
            },
            Kind::StreamLength => self.mostly(90, 0..40, ODD_COUNTS),
            Kind::IdleTime => self.rng.pick(&["0", "0", "1000000000", "-5", "abc"]).as_bytes().to_vec(),
        }
    }

    fn new_id(&mut self) -> Vec<u8> {
        self.stream_ms += self.rng.below(2);
        let ms = self.stream_ms;
        match self.rng.below(20) {
            0..10 => format!("{ms}-*").into_bytes(),
            10..16 => format!("{ms}-{}", self.rng.below(5)).into_bytes(),
            16 | 17 => ms.to_string().into_bytes(),
            18 => self.stream_id(),
            _ => self.rng.pick(ODD_IDS).as_bytes().to_vec(),
        }
    }

    /// An ID near the newest ones.
    fn stream_id(&mut self) -> Vec<u8> {
        let ms = (self.stream_ms + 2).saturating_sub(self.rng.below(40));
        match self.rng.below(20) {
            0..12 => format!("{ms}-{}", self.rng.below(4)).into_bytes(),
            12..16 => ms.to_string().into_bytes(),
            16 | 17 => b"0".to_vec(),
            _ => self.rng.pick(ODD_IDS).as_bytes().to_vec(),
        }
    }

    fn score(&mut self) -> Vec<u8> {
        match self.rng.below(20) {
            0 => self.rng.pick(FLOATS).as_bytes().to_vec(),
            1 => self.rng.pick(&["inf", "-inf", "+inf", "0x10", "-0", "1e-7", "9007199254740993"]).as_bytes().to_vec(),
            2..8 => [&self.small(-20..20)[..], b".", &self.small(0..1000)].concat(),
            _ => self.small(-10..30),
        }
    }

    fn member_end(&mut self) -> Vec<u8> {
        match self.rng.below(12) {
            0 => b"-".to_vec(),
            1 => b"+".to_vec(),
            2 => self.rng.pick(&["", "a", "-a", "+a", "[", "("]).as_bytes().to_vec(),
            3..8 => [&b"["[..], &self.member()].concat(),
            _ => [&b"("[..], &self.member()].concat(),
        }
    }

    /// Mostly in a part of the world where others are, sometimes anywhere, sometimes nowhere.
    fn degrees(&mut self, most: i64) -> Vec<u8> {
        let whole = match self.rng.below(40) {
            0 => {
                return self
                    .rng
                    .pick(&["-180", "180", "85.05112878", "-85.05112878", "180.1", "-86", "abc", "inf"])
                    .as_bytes()
                    .to_vec();
            }
            1..12 => self.small(-most..most),
            _ => self.small(10..20),
        };
        [&whole[..], b".", &self.small(100_000..1_000_000)].concat()
    }

    /// `percent` times in a hundred an integer of the range, otherwise one of the odd texts.
    fn mostly(&mut self, percent: u64, range: Range<i64>, odd: &[&str]) -> Vec<u8> {
        if self.rng.chance(percent) { self.small(range) } else { self.rng.pick(odd).as_bytes().to_vec() }
    }

    /// An integer of the range.
    fn small(&mut self, range: Range<i64>) -> Vec<u8> {
        let offset = self.rng.below(range.end.abs_diff(range.start));
        range.start.saturating_add_unsigned(offset).to_string().into_bytes()
    }

    /// A relative expiry. Times that could be reached during the test are left out, and so are equal ones: GT and LT compare
    /// times that the two servers take at different moments.
    fn relative(&mut self, range: Range<i64>, overflowing: &str) -> Vec<u8> {
        match self.rng.below(20) {
            0 => b"0".to_vec(),
            1 => b"-1".to_vec(),
            2 => overflowing.as_bytes().to_vec(),
            3 => self
                .rng
                .pick(&["abc", "1.5", "", "-9223372036854775808", "9223372036854775808", "-1000"])
                .as_bytes()
                .to_vec(),
            _ => self.small(range),
        }
    }

    /// An absolute expiry, in units of which a second has `per_second`: past, or after the year 2100.
    fn absolute(&mut self, per_second: i64, overflowing: &str) -> Vec<u8> {
        match self.rng.below(20) {
            0 => b"0".to_vec(),
            1 => b"-1".to_vec(),
            2 => overflowing.as_bytes().to_vec(),
            3 => self.rng.pick(INTEGERS).as_bytes().to_vec(),
            4 | 5 => self.small(1..1_000_000_000),
            _ => self.small(4_102_444_800 * per_second..5_000_000_000 * per_second),
        }
    }

    fn member(&mut self) -> Vec<u8> {
        match self.rng.below(20) {
            0..9 => self.small(-3..20),
            9 => self.small(30_000..70_000),
            10 => self.rng.pick(INTEGERS).as_bytes().to_vec(),
            11 => vec![b'z'; 62 + self.rng.below(5) as usize],
            12 => Vec::new(),
            _ => vec![b'a' + self.rng.below(12) as u8],
        }
    }

    fn string(&mut self) -> Vec<u8> {
        match self.rng.below(20) {
            0..6 => self.small(-1000..100_000),
            6 | 7 => self.rng.pick(INTEGERS).as_bytes().to_vec(),
            8 | 9 => self.rng.pick(FLOATS).as_bytes().to_vec(),
            10 => Vec::new(),
            11 => (0..self.rng.below(20)).map(|_| self.rng.next() as u8).collect(),
            12 => vec![b'x'; self.rng.below(2000) as usize],
            13 => vec![b'y'; 40 + self.rng.below(10) as usize],
            14 => b"line\r\nbreak $5 *3 \x00".to_vec(),
            _ => (0..1 + self.rng.below(12)).map(|_| b'a' + self.rng.below(4) as u8).collect(),
        }
    }
}
