//! LCS: the longest common subsequence of two strings.

use bytes::Bytes;

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{BeginSearch, Command, FindKeys, Flags, KeySpec, Run};
use crate::keyspace::entry::StringValue;
use crate::resp::reply::Reply;
use crate::stdx::limits::SHARED_VALUE_BYTES_MIN;
use crate::stdx::number;
use crate::value::lcs::{Lcs, Want, lcs};

use super::STRING;

/// The row.
pub const COMMANDS: &[Command] = &[Command {
    name: "lcs",
    arity: -3,
    run: Run::Keyed(run),
    flags: Flags::READONLY,
    keys: &[KeySpec {
        flags: &["RO", "access"],
        begin: BeginSearch::Index(1),
        find: FindKeys::Range { last: 1, step: 1, limit: 0 },
        notes: "",
    }],
    since: "7.0.0",
    summary: "Finds the longest common subsequence of two string values.",
    complexity: "O(N*M), N and M bytes of the two strings",
    syntax: "key1:key key2:key#0 [LEN] [IDX] [MINMATCHLEN min-match-len:integer] [WITHMATCHLEN]",
    ..STRING
}];

/// What LCS is asked for.
#[derive(Clone, Copy, Default)]
struct Options {
    length: bool,
    matches: bool,
    match_bytes_min: u64,
    with_match_len: bool,
}

fn run(context: &mut Context<'_>) -> Result<(), CommandError> {
    // Redis looks at the types before it reads the options.
    let first = text_at(context, 1);
    let second = text_at(context, 2);
    let (Some(first), Some(second)) = (first, second) else {
        return Err(CommandError::Text("ERR The specified keys must contain string values"));
    };
    let options = parse(context)?;
    let want = match options {
        Options { matches: true, match_bytes_min: bytes_min, .. } => Want::Matches { bytes_min },
        Options { length: true, .. } => Want::Length,
        _ => Want::Text,
    };
    let bytes_max = context.config.get_u64(crate::param!("proto-max-bulk-len"));
    let found = lcs(&first, &second, want, bytes_max).map_err(|error| CommandError::Text(error.text()))?;
    match want {
        Want::Length => context.reply.integer(found.length as i64),
        Want::Text => context.reply.bulk_shared(Bytes::from(found.text)),
        Want::Matches { .. } => reply_matches(context.reply, &found, options.with_match_len),
    }
    Ok(())
}

/// The string at a key, empty when there is none; none when it is of another type.
fn text_at(context: &mut Context<'_>, index: usize) -> Option<Bytes> {
    match context.read_string(index).0 {
        None => Some(Bytes::new()),
        Some(StringValue::Short(bytes)) => Some(Bytes::copy_from_slice(bytes)),
        Some(StringValue::Integer(integer)) => {
            let mut digits = [0; number::INTEGER_TEXT_BYTES_MAX];
            Some(Bytes::copy_from_slice(number::format_i64(&mut digits, integer)))
        }
        Some(StringValue::Long(string)) if string.as_bytes().len() >= SHARED_VALUE_BYTES_MIN => Some(string.share()),
        Some(StringValue::Long(string)) => Some(Bytes::copy_from_slice(string.as_bytes())),
        Some(StringValue::Other) => None,
    }
}

fn parse(context: &Context<'_>) -> Result<Options, CommandError> {
    let args = context.args;
    let mut options = Options::default();
    let mut at = 3;
    while at < args.len() {
        if args.is(at, b"idx") {
            options.matches = true;
        } else if args.is(at, b"len") {
            options.length = true;
        } else if args.is(at, b"withmatchlen") {
            options.with_match_len = true;
        } else if args.is(at, b"minmatchlen") && at + 1 < args.len() {
            options.match_bytes_min = args.integer(at + 1)?.max(0).unsigned_abs();
            at += 1;
        } else {
            return Err(CommandError::Syntax);
        }
        at += 1;
    }
    if options.length && options.matches {
        return Err(CommandError::Text("ERR If you want both the length and indexes, please just use IDX."));
    }
    Ok(options)
}

fn reply_matches(reply: &mut Reply, found: &Lcs, with_match_len: bool) {
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(found.matches.len());
    for piece in &found.matches {
        reply.array(2 + usize::from(with_match_len));
        for range in [&piece.a, &piece.b] {
            reply.array(2);
            reply.integer(*range.start() as i64);
            reply.integer(*range.end() as i64);
        }
        if with_match_len {
            reply.integer(piece.bytes() as i64);
        }
    }
    reply.bulk(b"len");
    reply.integer(found.length as i64);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn every_form() {
        const BOTH: &str = "-ERR If you want both the length and indexes, please just use IDX.\r\n";
        check(&[
            ("MSET a ohmytext b mynewtext n 12345 m 234", "+OK\r\n"),
            ("LCS a b", "$6\r\nmytext\r\n"),
            ("LCS a b LEN", ":6\r\n"),
            ("LCS n m", "$3\r\n234\r\n"),
            ("LCS a a", "$8\r\nohmytext\r\n"),
            ("LCS a missing", "$0\r\n\r\n"),
            ("LCS missing missing IDX", "*4\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n"),
            (
                "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
                "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n$3\r\nlen\r\n:6\r\n",
            ),
            ("LCS a b MINMATCHLEN 9", "$6\r\nmytext\r\n"),
            ("LCS a b LEN IDX", BOTH),
            ("LCS a b MINMATCHLEN", "-ERR syntax error\r\n"),
            ("LCS a b MINMATCHLEN x", "-ERR value is not an integer or out of range\r\n"),
            ("LCS a", "-ERR wrong number of arguments for 'lcs' command\r\n"),
        ]);
    }

    #[test]
    fn what_would_need_too_much_memory_in_redis_is_refused() {
        check(&[
            ("SETRANGE a 19999 x", ":20000\r\n"),
            ("LCS a a LEN", "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len\r\n"),
            ("SETRANGE b 5 x", ":6\r\n"),
            ("LCS a b LEN", ":6\r\n"),
        ]);
    }
}
