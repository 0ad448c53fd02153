//! Which arguments of a request are keys, told from the row's key specifications. The router, COMMAND GETKEYS, ACL
//! rules and scripts all ask here. Safe for any arguments: nothing here trusts a number a client sent.

use super::args::Args;
use super::spec::{BeginSearch, Command, FindKeys, KeySpec};
use crate::stdx::number;

/// An argument that is a key, with what is done to it (as COMMAND INFO names it: "RW", "access" …).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundKey {
    /// The argument; the command's name is 0.
    pub argument: usize,
    /// The flags of its key specification, or of this request where those are variable.
    pub flags: &'static [&'static str],
}

/// Finds the keys of a request whose specifications cannot tell them, or not what is done to them. `false` when the
/// arguments make no sense.
pub type FindRequestKeys = fn(Args<'_>, &mut dyn FnMut(FoundKey)) -> bool;

/// The request does not fit a key specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfitting;

/// The arguments that one key specification means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    next: usize,
    end: usize,
    step: usize,
}

impl KeyRange {
    const NONE: KeyRange = KeyRange { next: 0, end: 0, step: 1 };
}

impl Iterator for KeyRange {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let at = self.next;
        if at >= self.end {
            return None;
        }
        self.next = at + self.step;
        Some(at)
    }
}

impl KeySpec {
    /// Whether COMMAND INFO lists this flag.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    /// Its keys in a request; none when its keyword does not occur. All lie within the arguments.
    pub fn keys(&self, args: Args<'_>) -> Result<KeyRange, Unfitting> {
        let count = args.len();
        let begin = match self.begin {
            BeginSearch::Index(index) => index,
            BeginSearch::Keyword(word, start_from) => match after_keyword(args, word, start_from) {
                Some(index) => index,
                None => return Ok(KeyRange::NONE),
            },
            BeginSearch::Unknown => return Err(Unfitting),
        };
        // `end` is one past the last key; signed, since a negative `last` may point before the arguments.
        let (first, end, step) = match self.find {
            FindKeys::Range { last, step, .. } if last >= 0 => (begin, begin as i64 + i64::from(last) + 1, step),
            FindKeys::Range { last, step, limit } => {
                let end = match limit {
                    0 => count as i64,
                    parts => begin as i64 + (count.saturating_sub(begin) / parts) as i64,
                };
                (begin, end + i64::from(last) + 1, step)
            }
            FindKeys::KeyNumber { count_index, first_key, step } => {
                let at = begin + count_index;
                let number = if at < count { number::parse_i64(args.get(at)) } else { None }.ok_or(Unfitting)?;
                let first = begin + first_key;
                let end = number.saturating_sub(1).saturating_mul(step as i64).saturating_add(first as i64 + 1);
                (first, end, step)
            }
            FindKeys::Unknown => return Err(Unfitting),
        };
        if end > count as i64 || end <= first as i64 {
            return Err(Unfitting);
        }
        Ok(KeyRange { next: first, end: end as usize, step: step.max(1) })
    }
}

/// The argument behind a keyword. Forwards from `start_from`, or, when that is negative, backwards from that far before the
/// end. The keyword cannot be the last argument forwards, nor the first one backwards: there it would be something else.
fn after_keyword(args: Args<'_>, word: &str, start_from: i32) -> Option<usize> {
    let count = args.len();
    let is_word = |&at: &usize| args.is(at, word.as_bytes());
    let found = if start_from > 0 {
        (start_from as usize..count.saturating_sub(1)).find(is_word)
    } else {
        let start = count.checked_sub(start_from.unsigned_abs() as usize)?;
        (2..=start.min(count.saturating_sub(1))).rev().find(is_word)
    };
    found.map(|at| at + 1)
}

/// Visits the keys of a request as far as they can be told: specifications that do not fit are left out, and the handler
/// will refuse such a request. This is the router's view. A row's own finder is asked where the specifications are not
/// complete or tell nothing, and where they look for a word, which may stand elsewhere too (as the name of a group, say).
#[inline]
pub fn visit_keys(command: &Command, args: Args<'_>, mut visit: impl FnMut(usize)) {
    let is_unsure = |spec: &KeySpec| spec.has("incomplete") || matches!(spec.begin, BeginSearch::Keyword(..) | BeginSearch::Unknown);
    if let (Some(find), true) = (command.find_keys, command.keys.iter().any(is_unsure)) {
        find(args, &mut |key| visit(key.argument));
        return;
    }
    for spec in command.keys {
        if let Ok(keys) = spec.keys(args) {
            keys.for_each(&mut visit);
        }
    }
}

/// All keys of a request with what is done to them, or nothing when they cannot all be told.
pub fn all_keys(command: &Command, args: Args<'_>) -> Result<Vec<FoundKey>, Unfitting> {
    let mut found = Vec::new();
    let variable = command.keys.iter().any(|spec| spec.has("variable_flags"));
    let by_specs =
        if variable && command.find_keys.is_some() { Err(Unfitting) } else { by_specs(command, args, &mut found) };
    match (by_specs, command.find_keys) {
        (Ok(()), _) => {}
        (Err(Unfitting), None) => return Err(Unfitting),
        (Err(Unfitting), Some(find)) => {
            found.clear();
            if !find(args, &mut |key| found.push(key)) {
                return Err(Unfitting);
            }
        }
    }
    if found.is_empty() { Err(Unfitting) } else { Ok(found) }
}

/// The first key of a request that `is_wanted`; none when they cannot all be told. Allocates nothing for most commands.
pub fn find_key(command: &Command, args: Args<'_>, mut is_wanted: impl FnMut(FoundKey) -> bool) -> Option<usize> {
    if let ([spec], None) = (command.keys, command.find_keys)
        && !spec.has("not_key")
        && !spec.has("incomplete")
    {
        return spec.keys(args).ok()?.find(|&argument| is_wanted(FoundKey { argument, flags: spec.flags }));
    }
    let found = all_keys(command, args).ok()?.into_iter().find(|key| is_wanted(*key));
    found.map(|key| key.argument)
}

fn by_specs(command: &Command, args: Args<'_>, found: &mut Vec<FoundKey>) -> Result<(), Unfitting> {
    for spec in command.keys.iter().filter(|spec| !spec.has("not_key")) {
        found.extend(spec.keys(args)?.map(|argument| FoundKey { argument, flags: spec.flags }));
        if spec.has("incomplete") {
            return Err(Unfitting);
        }
    }
    Ok(())
}

/// Whether any argument of the command can be a key.
pub fn has_keys(command: &Command) -> bool {
    command.find_keys.is_some() || command.keys.iter().any(|spec| !spec.has("not_key"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::TABLE;
    use crate::resp::request::ArgRange;

    /// Calls with the arguments in a buffer.
    fn with_args<T>(words: &[&[u8]], call: impl FnOnce(Args<'_>) -> T) -> T {
        let buffer = words.concat();
        let mut start = 0;
        let range = |word: &&[u8]| {
            start += word.len() as u32;
            ArgRange { start: start - word.len() as u32, len: word.len() as u32 }
        };
        let ranges: Vec<ArgRange> = words.iter().map(range).collect();
        call(Args::new(&buffer, &ranges, &[]))
    }

    fn keys_of(spec: &KeySpec, request: &str) -> Option<Vec<usize>> {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        with_args(&words, |args| spec.keys(args).ok().map(Iterator::collect))
    }

    const fn spec(begin: BeginSearch, find: FindKeys) -> KeySpec {
        KeySpec { flags: &["RO"], begin, find, notes: "" }
    }

    const fn range(last: i32, step: usize, limit: usize) -> FindKeys {
        FindKeys::Range { last, step, limit }
    }

    /// Specifications and requests, with what stock Redis 7.0 answers to COMMAND GETKEYS for commands with these.
    #[test]
    fn specifications() {
        const COUNTED: FindKeys = FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 };
        const PAIRS: FindKeys = FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 2 };
        let table: &[(KeySpec, &str, Option<&[usize]>)] = &[
            (spec(BeginSearch::Index(1), range(0, 1, 0)), "get a", Some(&[1])),
            (spec(BeginSearch::Index(1), range(0, 1, 0)), "get", None),
            (spec(BeginSearch::Index(1), range(1, 1, 0)), "rename a b", Some(&[1, 2])),
            (spec(BeginSearch::Index(1), range(1, 1, 0)), "rename a", None),
            (spec(BeginSearch::Index(1), range(-1, 1, 0)), "mget a b c", Some(&[1, 2, 3])),
            (spec(BeginSearch::Index(1), range(-1, 2, 0)), "mset a 1 b 2", Some(&[1, 3])),
            (spec(BeginSearch::Index(1), range(-1, 2, 0)), "mset a 1 b", Some(&[1, 3])),
            (spec(BeginSearch::Index(1), range(-2, 1, 0)), "blpop a b 0", Some(&[1, 2])),
            (spec(BeginSearch::Index(1), range(-2, 1, 0)), "blpop 0", None),
            (spec(BeginSearch::Index(1), range(-9, 1, 0)), "blpop a b 0", None),
            (spec(BeginSearch::Index(1), COUNTED), "lmpop 2 a b LEFT", Some(&[2, 3])),
            (spec(BeginSearch::Index(1), PAIRS), "msetex 2 a 1 b 2 EX 5", Some(&[2, 4])),
            (spec(BeginSearch::Index(1), PAIRS), "msetex 2 a 1 b", Some(&[2, 4])),
            (spec(BeginSearch::Index(1), PAIRS), "msetex 2 a 1", None),
            (spec(BeginSearch::Index(1), COUNTED), "lmpop 3 a b", None),
            (spec(BeginSearch::Index(1), COUNTED), "lmpop 0 a b", None),
            (spec(BeginSearch::Index(1), COUNTED), "lmpop -1 a b", None),
            (spec(BeginSearch::Index(1), COUNTED), "lmpop x a b", None),
            (spec(BeginSearch::Index(1), COUNTED), "lmpop", None),
            (spec(BeginSearch::Index(1), COUNTED), "lmpop 9223372036854775807 a b", None),
            (spec(BeginSearch::Index(1), COUNTED), "lmpop -9223372036854775808 a b", None),
            (spec(BeginSearch::Keyword("STREAMS", 1), range(-1, 1, 2)), "xread streams a b 0 0", Some(&[2, 3])),
            (spec(BeginSearch::Keyword("STREAMS", 1), range(-1, 1, 2)), "xread count 1 streams a 0", Some(&[4])),
            (spec(BeginSearch::Keyword("STREAMS", 1), range(-1, 1, 2)), "xread count 1 streams", Some(&[])),
            (spec(BeginSearch::Keyword("STREAMS", 1), range(-1, 1, 2)), "xread streams a", None),
            (spec(BeginSearch::Keyword("KEYS", -2), range(-1, 1, 0)), "migrate h p x 0 1 keys a b", Some(&[7, 8])),
            (spec(BeginSearch::Keyword("KEYS", -2), range(-1, 1, 0)), "migrate h p x 0 1", Some(&[])),
            (spec(BeginSearch::Keyword("KEYS", -2), range(-1, 1, 0)), "migrate keys", Some(&[])),
            (spec(BeginSearch::Unknown, FindKeys::Unknown), "sort a by b", None),
        ];
        for (spec, request, keys) in table {
            assert_eq!(keys_of(spec, request).as_deref(), *keys, "{request}");
        }
    }

    #[test]
    fn specifications_that_cannot_be_used_leave_the_work_to_the_rows_own_finder() {
        fn last_argument(args: Args<'_>, visit: &mut dyn FnMut(FoundKey)) -> bool {
            visit(FoundKey { argument: args.len() - 1, flags: &["OW"] });
            args.len() != 4
        }
        const INCOMPLETE: KeySpec =
            KeySpec { flags: &["RW", "incomplete"], begin: BeginSearch::Index(1), find: range(0, 1, 0), notes: "" };
        const FAKE: KeySpec = KeySpec { flags: &["not_key"], ..INCOMPLETE };
        let row = Command { arity: -2, keys: &[INCOMPLETE], find_keys: Some(last_argument), ..Command::BASE };
        let all = |row: &Command, words: &[&[u8]]| {
            with_args(words, |args| {
                all_keys(row, args).map(|keys| keys.iter().map(|key| key.argument).collect::<Vec<_>>())
            })
        };
        let visited = |row: &Command, words: &[&[u8]]| {
            let mut found = Vec::new();
            with_args(words, |args| visit_keys(row, args, |at| found.push(at)));
            found
        };
        assert_eq!(all(&row, &[b"x", b"a", b"b"]), Ok(vec![2]));
        assert_eq!(visited(&row, &[b"x", b"a", b"b"]), [2]);
        assert_eq!(all(&row, &[b"x", b"a", b"b", b"c"]), Err(Unfitting));
        let row = Command { find_keys: None, ..row };
        assert_eq!(all(&row, &[b"x", b"a", b"b"]), Err(Unfitting));
        assert_eq!(visited(&row, &[b"x", b"a", b"b"]), [1]);
        let row = Command { keys: &[FAKE], ..row };
        assert!(!has_keys(&row));
        assert_eq!(all(&row, &[b"x", b"a"]), Err(Unfitting));
    }

    #[test]
    fn any_request_has_its_keys_among_its_arguments() {
        const BEGINS: [BeginSearch; 5] = [
            BeginSearch::Index(1),
            BeginSearch::Index(4),
            BeginSearch::Keyword("K", 1),
            BeginSearch::Keyword("K", -2),
            BeginSearch::Unknown,
        ];
        const FINDS: [FindKeys; 6] = [
            range(0, 1, 0),
            range(-1, 2, 0),
            range(-3, 1, 0),
            range(-1, 1, 2),
            FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
            FindKeys::KeyNumber { count_index: 2, first_key: 3, step: 2 },
        ];
        let rows: Vec<_> = TABLE.all_rows().collect();
        bolero::check!().with_type::<(u8, Vec<u8>)>().for_each(|(choice, words)| {
            let words: Vec<&[u8]> = words
                .iter()
                .map(|word| match word % 8 {
                    0 => &b"k"[..],
                    1 => b"9223372036854775807",
                    2 => b"-9223372036854775808",
                    3 => b"1",
                    4 => b"2",
                    5 => b"get",
                    6 => b"",
                    _ => b"a",
                })
                .collect();
            let row = rows[*choice as usize % rows.len()];
            with_args(&words, |args| {
                for (begin, find) in BEGINS.iter().flat_map(|begin| FINDS.map(|find| (*begin, find))) {
                    for at in spec(begin, find).keys(args).into_iter().flatten() {
                        assert!(at > 0 && at < args.len());
                    }
                }
                if row.accepts(args.len()) {
                    visit_keys(row.command, args, |at| assert!(at < args.len()));
                    for key in all_keys(row.command, args).unwrap_or_default() {
                        assert!(key.argument < args.len());
                    }
                }
            });
        });
    }
}
