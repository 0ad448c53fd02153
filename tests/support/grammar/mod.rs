//! The grammar of random commands: one line per command, one file per family. Later families add a file and a line in `FAMILIES`.
//!
//! A line is `WEIGHT NAME arguments`: how often the command is drawn relative to others, and what it takes. In the arguments a
//! word with a capital letter, or with no letter at all, stands for itself, a word of small letters for a kind of argument
//! (see `Kind`), `[a|b]` for nothing or one of the alternatives, `(a|b)` for one of them, and `{a b}+` for one to four
//! repetitions.

mod bitmaps;
mod connection;
mod geo;
mod hashes;
mod hyperloglog;
mod keys;
mod lists;
mod sets;
mod sort;
mod sorted_sets;
mod stream;
mod strings;

/// Every family's lines.
#[rustfmt::skip]
const FAMILIES: &[&str] = &[
    bitmaps::LINES,
    connection::LINES,
    geo::LINES,
    hashes::LINES,
    hyperloglog::LINES,
    keys::LINES,
    lists::LINES,
    sets::LINES,
    sort::LINES,
    sorted_sets::LINES,
    stream::LINES,
    strings::LINES,
];

/// Lines for oracles of this version or a later one.
const NEWER: &[((u32, u32), &str)] = &[((7, 4), hashes::LINES_7_4)];

/// What an argument is; `generate` draws the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A key of the small pool, so that commands meet.
    Key,
    /// A string: small and huge integers, floats, text, binary, empty, long.
    Value,
    /// A member of a set, out of a small pool, so that sets share some.
    Member,
    /// An integer argument, with the limits of 64 bits and non-integers among them.
    Integer,
    /// A float argument, likewise.
    Float,
    /// A position in a string or list: small, negative, out of range.
    Index,
    /// An offset to write at: small, negative, too large; never one that makes a huge string.
    Offset,
    /// How many: small, zero, negative.
    Count,
    /// A relative expiry in seconds: far in the future, zero, negative, overflowing; never one that ends during the test.
    Seconds,
    /// Likewise in milliseconds.
    Milliseconds,
    /// An absolute expiry in seconds: past or far in the future.
    UnixSeconds,
    /// Likewise in milliseconds.
    UnixMilliseconds,
    /// Number of a database, sometimes out of range.
    Db,
    /// A glob pattern.
    Pattern,
    /// A SCAN cursor, mostly 0.
    Cursor,
    /// A bit of a short string; never one that makes a huge string.
    Bit,
    /// An integer type of BITFIELD.
    Field,
    /// A place as BITFIELD takes it: a bit, or `#` and a number.
    Place,
    /// A score: whole, with a fraction, infinite, sometimes none at all.
    Score,
    /// An end of a range of scores.
    ScoreEnd,
    /// An end of a range of members.
    MemberEnd,
    /// A key of sorted sets whose members have one score.
    LexKey,
    /// A key of sorted sets of places.
    GeoKey,
    /// Degrees from east to west, sometimes too many.
    Longitude,
    /// Degrees from south to north, likewise.
    Latitude,
    /// A distance, from nothing to around the earth.
    Radius,
    /// A key that mostly is a HyperLogLog.
    Sketch,
    /// A key of numbers to sort.
    Numbers,
    /// A key of a weight.
    Weight,
    /// A pattern of SORT that names weights.
    SortKey,
    /// Any pattern of SORT.
    SortPattern,
    /// A name as CLIENT SETNAME takes it, sometimes a bad one.
    Name,
    /// A key that mostly is a stream.
    StreamKey,
    /// An ID greater than all before, mostly: as XADD takes it.
    NewId,
    /// An ID that a stream may have had.
    StreamId,
    /// An ID greater than all before: 7.0 lets XSETID go behind deleted entries.
    TopId,
    /// An end of an interval of IDs.
    StreamBound,
    /// A limit that is not reached, or one that keeps a stream short.
    StreamLength,
    /// A time that every entry has been pending for, or none.
    IdleTime,
}

/// Kinds by the word that stands for them in the grammar.
const KINDS: &[(&str, Kind)] = &[
    ("key", Kind::Key),
    ("value", Kind::Value),
    ("member", Kind::Member),
    ("integer", Kind::Integer),
    ("float", Kind::Float),
    ("index", Kind::Index),
    ("offset", Kind::Offset),
    ("count", Kind::Count),
    ("seconds", Kind::Seconds),
    ("milliseconds", Kind::Milliseconds),
    ("unix-seconds", Kind::UnixSeconds),
    ("unix-milliseconds", Kind::UnixMilliseconds),
    ("db", Kind::Db),
    ("pattern", Kind::Pattern),
    ("cursor", Kind::Cursor),
    ("bit", Kind::Bit),
    ("field", Kind::Field),
    ("place", Kind::Place),
    ("score", Kind::Score),
    ("score-end", Kind::ScoreEnd),
    ("member-end", Kind::MemberEnd),
    ("lex-key", Kind::LexKey),
    ("geo-key", Kind::GeoKey),
    ("longitude", Kind::Longitude),
    ("latitude", Kind::Latitude),
    ("radius", Kind::Radius),
    ("sketch", Kind::Sketch),
    ("numbers", Kind::Numbers),
    ("weight", Kind::Weight),
    ("sort-key", Kind::SortKey),
    ("sort-pattern", Kind::SortPattern),
    ("name", Kind::Name),
    ("stream-key", Kind::StreamKey),
    ("new-id", Kind::NewId),
    ("stream-id", Kind::StreamId),
    ("top-id", Kind::TopId),
    ("stream-bound", Kind::StreamBound),
    ("stream-length", Kind::StreamLength),
    ("idle-time", Kind::IdleTime),
];

/// A piece of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Literal(String),
    Argument(Kind),
    /// Nothing, or one of the alternatives.
    Optional(Vec<Vec<Node>>),
    /// One of the alternatives.
    Choice(Vec<Vec<Node>>),
    /// One to four times.
    Repeat(Vec<Node>),
}

/// A command of the grammar.
#[derive(Clone, Debug)]
pub struct Row {
    pub weight: u64,
    pub nodes: Vec<Node>,
}

/// All rows of all families that the oracle on this machine knows; with `RINGFORT_DIFF_GROUPS` ("list,generic"), only those
/// of commands in these groups, as COMMAND DOCS names them.
///
/// # Panics
/// If a line is malformed; the message holds it.
pub fn rows() -> Vec<Row> {
    let version = super::server::redis_version().unwrap_or_default();
    let newer = NEWER.iter().filter(|(since, _)| version >= *since);
    let families = FAMILIES.iter().chain(newer.map(|(_, lines)| lines));
    let lines = families.flat_map(|family| family.lines()).map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rows = lines.map(|line| parse_row(line).unwrap_or_else(|reason| panic!("grammar: {reason}: {line}")));
    match std::env::var("RINGFORT_DIFF_GROUPS") {
        Ok(groups) => rows.filter(|row| is_in(row, &groups)).collect(),
        Err(_) => rows.collect(),
    }
}

fn is_in(row: &Row, groups: &str) -> bool {
    let Some(Node::Literal(name)) = row.nodes.first() else { return false };
    let group = ringfort::command::table::TABLE.find(name.as_bytes()).map(|known| known.command.group);
    groups.split(',').any(|wanted| Some(wanted) == group)
}

/// Reads one line.
pub fn parse_row(line: &str) -> Result<Row, String> {
    let (weight, rest) = line.split_once(' ').ok_or("no weight")?;
    let weight = weight.parse().map_err(|_| "bad weight")?;
    let mut spaced = String::new();
    for character in rest.chars() {
        match character {
            '[' | ']' | '(' | ')' | '{' | '}' | '|' | '+' => spaced.extend([' ', character, ' ']),
            other => spaced.push(other),
        }
    }
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let mut alternatives = parse_alternatives(&tokens, &mut at)?;
    match (alternatives.pop(), alternatives.is_empty(), at == tokens.len()) {
        (Some(nodes), true, true) if matches!(nodes.first(), Some(Node::Literal(_))) => Ok(Row { weight, nodes }),
        _ => Err("not one sequence that begins with a name".to_owned()),
    }
}

/// Sequences separated by `|`, up to a closing bracket or the end.
fn parse_alternatives(tokens: &[&str], at: &mut usize) -> Result<Vec<Vec<Node>>, String> {
    let mut alternatives = vec![Vec::new()];
    while let Some(&token) = tokens.get(*at) {
        if matches!(token, "]" | ")" | "}") {
            break;
        }
        *at += 1;
        let current = alternatives.last_mut().ok_or("no alternative")?;
        match token {
            "|" => alternatives.push(Vec::new()),
            "[" => current.push(Node::Optional(parse_bracket(tokens, at, "]")?)),
            "(" => current.push(Node::Choice(parse_bracket(tokens, at, ")")?)),
            "{" => {
                let inside = parse_bracket(tokens, at, "}")?.concat();
                if tokens.get(*at) != Some(&"+") {
                    return Err("`}` without `+`".to_owned());
                }
                *at += 1;
                current.push(Node::Repeat(inside));
            }
            word if word.contains(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit())
                || !word.contains(|c: char| c.is_ascii_alphabetic()) =>
            {
                current.push(Node::Literal(word.to_owned()))
            }
            word => {
                let kind = KINDS.iter().find(|(name, _)| *name == word).ok_or(format!("unknown kind `{word}`"))?;
                current.push(Node::Argument(kind.1));
            }
        }
    }
    Ok(alternatives)
}

fn parse_bracket(tokens: &[&str], at: &mut usize, close: &str) -> Result<Vec<Vec<Node>>, String> {
    let inside = parse_alternatives(tokens, at)?;
    if tokens.get(*at) != Some(&close) {
        return Err(format!("no `{close}`"));
    }
    *at += 1;
    Ok(inside)
}
