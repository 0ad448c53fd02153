//! Commands that look at a value before they change it: DIGEST, DELEX, DELIFEQ, and the comparison that SET shares.
//!
//! DIGEST, DELEX and SET's IFEQ, IFNE, IFDEQ and IFDNE are those of Redis 8.4, told by its manual, its rows (delex.json,
//! digest.json) and its test suite (unit/type/string). A digest is the XXH3 hash of 64 bits, in 16 hexadecimal digits.
//! DELIFEQ is that of Valkey 9 (delifeq.json and its manual); SET's IFEQ is Valkey's of 8.1 too.

use xxhash_rust::xxh3::xxh3_64;

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::keys::FoundKey;
use crate::command::spec::{self, Command, Flags, KeySpec, Run};
use crate::keyspace::entry::StringValue;
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;

use super::STRING;

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "digest",
        arity: 2,
        run: Run::Keyed(digest),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        since: "8.4.0",
        summary: "Returns the XXH3 hash of a string value.",
        complexity: "O(N), N bytes of the value",
        syntax: "key",
        ..STRING
    },
    Command {
        name: "delex",
        arity: -2,
        run: Run::Keyed(delex),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[KeySpec {
            notes: "Read only with a condition, which the row's finder of keys tells",
            ..spec::one(&["RW", "delete", "variable_flags"])
        }],
        since: "8.4.0",
        summary: "Deletes a key if its value, or the digest of its value, is or is not the given one.",
        complexity: "O(1) for IFEQ and IFNE, O(N) for IFDEQ and IFDNE, N bytes of the value",
        syntax: "key [condition(IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest)]",
        find_keys: Some(keys_of_delex),
        ..STRING
    },
    Command {
        name: "delifeq",
        arity: 3,
        run: Run::Keyed(delifeq),
        flags: Flags::WRITE,
        keys: &[spec::one(&["RM", "access", "delete"])],
        since: "9.0.0",
        summary: "Deletes a key if its value is the given one.",
        syntax: "key value",
        ..STRING
    },
];

/// DELEX reads the value only with a condition.
fn keys_of_delex(args: Args<'_>, visit: &mut dyn FnMut(FoundKey)) -> bool {
    let flags: &'static [&'static str] = if args.len() > 2 { &["RW", "access", "delete"] } else { &["RM", "delete"] };
    visit(FoundKey { argument: 1, flags });
    true
}

/// Digits of a digest.
const DIGEST_DIGITS: usize = 16;

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Not the value itself, but its digest.
    by_digest: bool,
    /// It holds when they are equal, else when they are not.
    equal: bool,
}

impl Comparison {
    const NAMES: [(&'static [u8], Comparison); 4] = [
        (b"ifeq", Comparison { by_digest: false, equal: true }),
        (b"ifne", Comparison { by_digest: false, equal: false }),
        (b"ifdeq", Comparison { by_digest: true, equal: true }),
        (b"ifdne", Comparison { by_digest: true, equal: false }),
    ];

    /// The comparison that an argument names.
    pub(super) fn named(args: Args<'_>, index: usize) -> Option<Comparison> {
        Comparison::NAMES.iter().find(|(name, _)| args.is(index, name)).map(|&(_, comparison)| comparison)
    }

    /// Whether it holds for a key that does not exist: then nothing is equal.
    pub(super) fn holds_for_nothing(self) -> bool {
        !self.equal
    }

    /// Whether it holds for a value.
    pub(super) fn holds(self, value: &StringValue<'_>, expected: &[u8]) -> Result<bool, CommandError> {
        let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
        let bytes = value.bytes(&mut scratch).ok_or(CommandError::WrongType)?;
        let equal = if !self.by_digest {
            bytes == expected
        } else if expected.len() == DIGEST_DIGITS {
            digest_text(bytes).eq_ignore_ascii_case(expected)
        } else {
            return Err(CommandError::Text("ERR digest must be exactly 16 hexadecimal characters"));
        };
        Ok(equal == self.equal)
    }
}

fn digest_text(bytes: &[u8]) -> [u8; DIGEST_DIGITS] {
    let hash = xxh3_64(bytes);
    std::array::from_fn(|digit| b"0123456789abcdef"[(hash >> (4 * (DIGEST_DIGITS - 1 - digit))) as usize % 16])
}

fn digest(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (value, reply) = context.read_string(1);
    let Some(value) = value else {
        reply.null();
        return Ok(());
    };
    let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
    reply.bulk(&digest_text(value.bytes(&mut scratch).ok_or(CommandError::WrongType)?));
    Ok(())
}

fn delex(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    if args.len() != 2 && args.len() != 4 {
        return Err(CommandError::Arity(context.command));
    }
    let (mut key, reply) = context.open(1);
    let holds = match key.string() {
        None => false,
        Some(_) if args.len() == 2 => true,
        Some(StringValue::Other) => {
            return Err(CommandError::Text("ERR Key should be of string type if conditions are specified"));
        }
        Some(value) => match Comparison::named(args, 2) {
            Some(comparison) => comparison.holds(&value, args.get(3))?,
            None => return Err(CommandError::Text("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE")),
        },
    };
    let deleted = holds && key.remove();
    if deleted {
        key.effect("DEL", &[]);
    }
    reply.integer(i64::from(deleted));
    Ok(())
}

fn delifeq(context: &mut Context<'_>) -> Result<(), CommandError> {
    let expected = context.args.get(2);
    let (mut key, reply) = context.open(1);
    let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
    let equal = match key.string() {
        None => false,
        Some(value) => value.bytes(&mut scratch).ok_or(CommandError::WrongType)? == expected,
    };
    let deleted = equal && key.remove();
    if deleted {
        key.effect("DEL", &[]);
    }
    reply.integer(i64::from(deleted));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    const NO_DIGEST: &str = "-ERR digest must be exactly 16 hexadecimal characters\r\n";
    const NULL: &str = "$-1\r\n";

    /// The digests are those that the suites of Redis 8.4 and of fakeredis expect.
    #[test]
    fn digests() {
        check(&[
            ("SET k hello", "+OK\r\n"),
            ("DIGEST k", "$16\r\n9555e8555c62dcfd\r\n"),
            ("SET k \"\"", "+OK\r\n"),
            ("DIGEST k", "$16\r\n2d06800538d394c2\r\n"),
            ("SET k 123", "+OK\r\n"),
            ("DIGEST k", "$16\r\n404a763b3f4c8c9a\r\n"),
            (
                "SET k v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626sd",
                "+OK\r\n",
            ),
            ("DIGEST k", "$16\r\n00006c38adf31777\r\n"),
            ("DIGEST missing", NULL),
        ]);
    }

    #[test]
    fn setting_under_a_comparison() {
        check(&[
            ("SET k v IFEQ a", NULL),
            ("SET k v IFDEQ 123", NULL),
            ("EXISTS k", ":0\r\n"),
            ("SET k hello IFDNE 123", "+OK\r\n"),
            ("SET k x ifeq hallo", NULL),
            ("SET k x IFNE hello", NULL),
            ("SET k x IFDEQ 9555E8555c62dcfe", NULL),
            ("SET k x IFDNE 9555E8555c62dcfd", NULL),
            ("SET k x IFDEQ 123", NO_DIGEST),
            ("SET k x IFDNE \"\" GET", NO_DIGEST),
            ("SET k x IFDNE 0123456789abcdefg", NO_DIGEST),
            ("SET k x IFEQ hallo GET", "$5\r\nhello\r\n"),
            ("GET k", "$5\r\nhello\r\n"),
            ("SET k 1 GET IFDEQ 9555E8555c62dcfd EX 100", "$5\r\nhello\r\n"),
            ("TTL k", ":100\r\n"),
            ("SET k 2 IFEQ 1 KEEPTTL", "+OK\r\n"),
            ("TTL k", ":100\r\n"),
            ("SET k 3 IFNE 1", "+OK\r\n"),
            ("GET k", "$1\r\n3\r\n"),
            ("SET n 1 IFNE 1 GET", NULL),
            ("GET n", "$1\r\n1\r\n"),
            ("SET k x IFEQ", "-ERR syntax error\r\n"),
            ("SET k x NX IFEQ 3", "-ERR syntax error\r\n"),
            ("SET k x IFEQ 3 XX", "-ERR syntax error\r\n"),
            ("SET k x IFEQ 3 IFNE 4", "-ERR syntax error\r\n"),
            ("GETEX k IFEQ 3", "-ERR syntax error\r\n"),
            ("COMMAND GETKEYSANDFLAGS SET k v IFEQ x", "*1\r\n*2\r\n$1\r\nk\r\n*3\r\n+RW\r\n+access\r\n+update\r\n"),
        ]);
    }

    #[test]
    fn deleting_under_a_comparison() {
        check(&[
            ("DELEX k", ":0\r\n"),
            ("DELEX k FOO x", ":0\r\n"),
            ("SET k hello", "+OK\r\n"),
            ("DELEX k FOO x", "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE\r\n"),
            ("DELEX k IFEQ", "-ERR wrong number of arguments for 'delex' command\r\n"),
            ("DELEX missing IFEQ a b", "-ERR wrong number of arguments for 'delex' command\r\n"),
            ("DELEX k IFEQ x", ":0\r\n"),
            ("DELEX k IFNE hello", ":0\r\n"),
            ("DELEX k IFDEQ x", NO_DIGEST),
            ("DELEX k IFDEQ zzzzzzzzzzzzzzzz", ":0\r\n"),
            ("DELEX k IFDEQ 9555E8555c62dcfd", ":1\r\n"),
            ("EXISTS k", ":0\r\n"),
            ("SET k 12", "+OK\r\n"),
            ("DELIFEQ k 13", ":0\r\n"),
            ("DELIFEQ missing 12", ":0\r\n"),
            ("DELIFEQ k 12", ":1\r\n"),
            ("SET k 12", "+OK\r\n"),
            ("DELEX k IFNE 012", ":1\r\n"),
            ("SET k 12", "+OK\r\n"),
            ("DELEX k", ":1\r\n"),
        ]);
    }
}
