//! When two replies count as equal: byte for byte, except for the rules written here, each with its reason.

use super::generate::Request;
use super::value::Value;

/// How the replies of a command may differ.
#[derive(Clone, Copy, Debug)]
pub enum Tolerance {
    /// Integers, or lists of them, at most this far apart; negative ones (which mean "no key" or "no expiry") must be equal.
    Near(i64),
    /// Lists with the same items in any order.
    AnyOrder,
    /// Lists (or nils, or strings) of the same type and number of items.
    SameLength,
    /// These pairs of strings, ours first, mean the same.
    Texts(&'static [(&'static str, &'static str)]),
    /// Strings and doubles that are texts of the same number are equal.
    SameNumbers,
    /// Replies of the same type; their contents are not looked at.
    SameType,
    /// Maps (or RESP2 lists of pairs) in which these fields may differ.
    ExceptFields(&'static [&'static str]),
    /// Lists of such maps.
    EachExceptFields(&'static [&'static str]),
    /// Lists of lists, in which this item of each may differ if both are integers that are not negative.
    ExceptItem(usize),
}

/// A rule: commands that begin with these words, in upper case, may differ like this. A star stands for any ending of a word.
pub struct Allowance {
    pub words: &'static [&'static str],
    pub tolerance: Tolerance,
    pub reason: &'static str,
}

/// What OBJECT ENCODING says of sets: since 7.2 small ones that are not all integers are listpacks, which 7.0 does not know.
pub const SET_ENCODINGS: Tolerance = Tolerance::Texts(&[("listpack", "hashtable")]);

/// The same of lists: since 7.2 short ones are listpacks.
pub const LIST_ENCODINGS: Tolerance = Tolerance::Texts(&[("listpack", "quicklist")]);

/// The same of sorted sets: redis-server gives up the small form of one that SORT looks at.
pub const SORTED_SET_ENCODINGS: Tolerance = Tolerance::Texts(&[("listpack", "skiplist")]);

/// Clocks of the two servers are read at different moments, and this machine may be busy in between.
const SECONDS_APART_MAX: i64 = 5;

const fn rule(words: &'static [&'static str], tolerance: Tolerance, reason: &'static str) -> Allowance {
    Allowance { words, tolerance, reason }
}

/// All rules. Errors are always compared byte for byte (but see `ERROR_VARIANTS`).
pub const ALLOWANCES: &[Allowance] = &[
    rule(&["TTL"], Tolerance::Near(SECONDS_APART_MAX), "read at different moments"),
    rule(&["PTTL"], Tolerance::Near(SECONDS_APART_MAX * 1000), "read at different moments"),
    rule(
        &["DBSIZE"],
        Tolerance::Near(50),
        "expired keys count until they are removed, by each server in its own time; CompareState compares exactly",
    ),
    rule(&["EXPIRETIME"], Tolerance::Near(SECONDS_APART_MAX), "relative expiries were set at different moments"),
    rule(
        &["PEXPIRETIME"],
        Tolerance::Near(SECONDS_APART_MAX * 1000),
        "relative expiries were set at different moments",
    ),
    rule(
        &["OBJECT", "IDLETIME"],
        Tolerance::Near(SECONDS_APART_MAX * 1000),
        "read at different moments; the integers that redis-server shares between keys are as old as their last use anywhere",
    ),
    rule(
        &["OBJECT", "REFCOUNT"],
        Tolerance::SameType,
        "redis-server shares the integers below 10,000 between keys and then answers 2147483647; we share nothing",
    ),
    rule(
        &["OBJECT", "ENCODING"],
        Tolerance::Texts(&[("listpack", "hashtable"), ("listpack", "quicklist"), ("listpack", "skiplist")]),
        "small sets, lists and sorted sets, as said there; CompareState knows the type and is exact for the others",
    ),
    rule(&["SMEMBERS"], Tolerance::AnyOrder, "sets have no order"),
    rule(&["SINTER"], Tolerance::AnyOrder, "sets have no order"),
    rule(&["SUNION"], Tolerance::AnyOrder, "sets have no order"),
    rule(&["SDIFF"], Tolerance::AnyOrder, "sets have no order"),
    rule(&["SPOP"], Tolerance::AnyOrder, "sets have no order; the grammar only pops all members or none"),
    rule(&["SRANDMEMBER"], Tolerance::SameLength, "random"),
    rule(&["SSCAN"], Tolerance::SameType, "the order of the table and its cursors are the server's own"),
    rule(&["HGETALL"], Tolerance::AnyOrder, "large hashes have no order"),
    rule(&["HKEYS"], Tolerance::AnyOrder, "large hashes have no order"),
    rule(&["HVALS"], Tolerance::AnyOrder, "large hashes have no order"),
    rule(&["HRANDFIELD"], Tolerance::SameLength, "random"),
    rule(&["HSCAN"], Tolerance::SameType, "the order of the table and its cursors are the server's own"),
    rule(&["HTTL"], Tolerance::Near(SECONDS_APART_MAX), "read at different moments"),
    rule(&["HPTTL"], Tolerance::Near(SECONDS_APART_MAX * 1000), "read at different moments"),
    rule(&["HEXPIRETIME"], Tolerance::Near(SECONDS_APART_MAX), "relative expiries were set at different moments"),
    rule(
        &["HPEXPIRETIME"],
        Tolerance::Near(SECONDS_APART_MAX * 1000),
        "relative expiries were set at different moments",
    ),
    rule(&["ZSCAN"], Tolerance::SameType, "the order of the table and its cursors are the server's own"),
    rule(&["ZRANDMEMBER"], Tolerance::SameLength, "random"),
    rule(&["Z*"], Tolerance::SameNumbers, "scores: redis-server 7.0 writes %.17g, 7.2 and later the shortest digits"),
    rule(&["BZ*"], Tolerance::SameNumbers, "likewise"),
    rule(&["RANDOMKEY"], Tolerance::SameType, "random"),
    rule(
        &["SCAN"],
        Tolerance::SameType,
        "the order of the table and its cursors are the server's own; CompareState compares whole scans",
    ),
    rule(&["KEYS"], Tolerance::AnyOrder, "the order of the table is the server's own"),
    rule(
        &["DBSIZE"],
        Tolerance::SameType,
        "expired keys count until someone finds them; CompareState waits until they are found",
    ),
    rule(&["TIME"], Tolerance::SameType, "read at different moments"),
    rule(&["CLIENT", "ID"], Tolerance::SameType, "the servers count differently"),
    rule(&["XPENDING"], Tolerance::ExceptItem(2), "how long an entry has been pending is read at different moments"),
    rule(
        &["XGROUP", "CREATECONSUMER"],
        Tolerance::SameType,
        "a consumer that only asked for entries, and got none, exists since 7.2",
    ),
    rule(&["XINFO", "GROUPS"], Tolerance::EachExceptFields(&["consumers"]), "likewise"),
    rule(&["HELLO"], Tolerance::ExceptFields(&["server", "version", "id"]), "they are different servers"),
];

/// Error texts that mean the same: ours, that of redis-server 7.0, why. Each stands for a decision to follow a newer Redis.
/// A star at the end of ours stands for any ending.
pub const ERROR_VARIANTS: &[(&str, &str, &str)] = &[
    (
        "ERR timeout is out of range",
        "ERR timeout is negative",
        "7.0 makes a negative number of a timeout that is too large",
    ),
    (
        "ERR Invalid number of arguments specified for command",
        "ERR wrong number of arguments for 'command|getkeys' command",
        "7.0.15 wants three words after COMMAND GETKEYS, 7.2 and later two (arity -3)",
    ),
    (
        "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.",
        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
        "7.2 and later name the command so",
    ),
    (
        "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
        "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
        "likewise",
    ),
    ("ERR Invalid command specified", "ERR wrong number of arguments for 'command|getkeys' command", "likewise"),
    ("ERR The command has no key arguments", "ERR wrong number of arguments for 'command|getkeys' command", "likewise"),
    (
        "ERR Client names cannot contain spaces, newlines or special characters.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "HELLO AUTH SETNAME: 7.2 and later check the name before the password",
    ),
    (
        "ERR Syntax error in HELLO option '*",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "HELLO AUTH: 7.2 and later read all options before they check the password",
    ),
    ("ERR syntax error", "ERR wrong number of arguments for 'zrank' command", "WITHSCORE came with 7.2"),
    ("ERR syntax error", "ERR wrong number of arguments for 'zrevrank' command", "likewise"),
];

/// Commands that we refuse where redis-server 7.0 already has an answer from looking at the key, with the reason.
pub const REFUSED_EARLIER: &[(&str, &str)] =
    &[("BITCOUNT", "7.2 and later check all arguments before they look for the key"), ("BITPOS", "likewise")];

/// Whether our error is one of `REFUSED_EARLIER` and their reply what a missing key or one of another type gives.
fn is_refused_earlier(request: &Request, ours: &Value, theirs: &Value) -> bool {
    let of_key = match theirs {
        Value::Integer(number) => (-1..=0).contains(number),
        Value::Error(text) => text.starts_with(b"WRONGTYPE "),
        _ => false,
    };
    let name = request.arguments.first();
    let is_listed = |(listed, _): &(&str, &str)| name.is_some_and(|name| name.eq_ignore_ascii_case(listed.as_bytes()));
    ours.is_error() && of_key && REFUSED_EARLIER.iter().any(is_listed)
}

/// The tolerance for a request, if any rule is about it.
pub fn tolerance(request: &Request) -> Option<Tolerance> {
    let says = |allowance: &&Allowance| {
        let mut arguments = request.arguments.iter();
        allowance
            .words
            .iter()
            .all(|word| arguments.next().is_some_and(|argument| is_like(&argument.to_ascii_uppercase(), word)))
    };
    ALLOWANCES.iter().find(says).map(|allowance| allowance.tolerance)
}

/// Whether two different replies to the request are nevertheless both right.
pub fn agree(request: &Request, ours: &Value, theirs: &Value) -> bool {
    if is_refused_earlier(request, ours, theirs) {
        return true;
    }
    if let (Value::Error(ours), Value::Error(theirs)) = (ours, theirs) {
        return ours == theirs || is_variant(ours, theirs, ERROR_VARIANTS);
    }
    ours == theirs
        || (!ours.is_error()
            && !theirs.is_error()
            && tolerance(request).is_some_and(|tolerance| within(tolerance, ours, theirs)))
}

/// Whether the list says that the two error texts mean the same.
pub fn is_variant(ours: &[u8], theirs: &[u8], variants: &[(&str, &str, &str)]) -> bool {
    variants.iter().any(|(our, their, _)| theirs == their.as_bytes() && is_like(ours, our))
}

/// Whether a text is the pattern, or begins with it when it ends in a star.
fn is_like(text: &[u8], pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => text.starts_with(beginning.as_bytes()),
        None => text == pattern.as_bytes(),
    }
}

/// Whether two replies that are not errors differ by no more than the tolerance.
pub fn within(tolerance: Tolerance, ours: &Value, theirs: &Value) -> bool {
    match (tolerance, ours, theirs) {
        (Tolerance::Near(_), Value::Integer(a), Value::Integer(b)) if *a < 0 || *b < 0 => a == b,
        (Tolerance::Near(distance), Value::Integer(a), Value::Integer(b)) => a.abs_diff(*b) <= distance.unsigned_abs(),
        (Tolerance::Near(_), Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| within(tolerance, a, b))
        }
        (Tolerance::AnyOrder, a, b) => a.clone().sorted() == b.clone().sorted(),
        (Tolerance::SameLength, a, b) => {
            let is_same = std::mem::discriminant(a) == std::mem::discriminant(b);
            is_same && length(a) == length(b)
        }
        (Tolerance::Texts(pairs), Value::Bulk(a), Value::Bulk(b)) => {
            pairs.iter().any(|(ours, theirs)| a == ours.as_bytes() && b == theirs.as_bytes())
        }
        (Tolerance::SameNumbers, a, b) => have_same_numbers(a, b),
        (Tolerance::SameType, a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        (Tolerance::ExceptFields(fields), a, b) => match (pairs(a), pairs(b)) {
            (Some(a), Some(b)) => {
                let differs_allowed = |key: &Value| fields.iter().any(|field| key.plain() == field.as_bytes());
                a.len() == b.len()
                    && a.iter().zip(&b).all(|((ka, va), (kb, vb))| ka == kb && (va == vb || differs_allowed(ka)))
            }
            _ => false,
        },
        (Tolerance::EachExceptFields(fields), Value::Array(a), Value::Array(b)) => {
            let alike = |(a, b)| within(Tolerance::ExceptFields(fields), a, b);
            a.len() == b.len() && a.iter().zip(b).all(alike)
        }
        (Tolerance::ExceptItem(except), Value::Array(a), Value::Array(b)) => {
            let may_differ = |at: usize, a: &Value, b: &Value| {
                at == except && matches!((a, b), (Value::Integer(0..), Value::Integer(0..)))
            };
            let alike = |(a, b): (&Value, &Value)| match (a, b) {
                (Value::Array(a), Value::Array(b)) => {
                    let mut pairs = a.iter().zip(b).enumerate();
                    a.len() == b.len() && pairs.all(|(at, (a, b))| a == b || may_differ(at, a, b))
                }
                _ => a == b,
            };
            a.len() == b.len() && a.iter().zip(b).all(alike)
        }
        _ => false,
    }
}

/// Whether two replies are equal but for the form of numbers.
fn have_same_numbers(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| have_same_numbers(ours, theirs))
        }
        (Value::Bulk(a), Value::Bulk(b)) | (Value::Double(a), Value::Double(b)) => {
            let number = |text: &[u8]| str::from_utf8(text).ok()?.parse::<f64>().ok();
            a == b || number(a).is_some_and(|a| number(b) == Some(a))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// Number of items of a list.
fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) | Value::Set(items) => Some(items.len()),
        _ => None,
    }
}

/// The pairs of a map, or of a flat list as RESP2 has it; both sides must use the same form.
fn pairs(value: &Value) -> Option<Vec<(Value, Value)>> {
    match value {
        Value::Map(pairs) => Some(pairs.clone()),
        Value::Array(items) if items.len() % 2 == 0 => {
            Some(items.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
        }
        _ => None,
    }
}
