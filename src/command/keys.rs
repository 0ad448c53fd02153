//! Which arguments of a request are keys, told from the row's key specifications. The router, COMMAND GETKEYS (and later
//! ACL rules and scripts) all ask here. Safe for any arguments: nothing here trusts a number a client sent.

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
                (first, (first as i64).saturating_add(number), step)
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
/// will refuse such a request. This is the router's view.
#[inline]
pub fn visit_keys(command: &Command, args: Args<'_>, mut visit: impl FnMut(usize)) {
    let incomplete = command.keys.iter().any(|spec| spec.has("incomplete"));
    if let (Some(find), true) = (command.find_keys, incomplete) {
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
    let by_specs = if variable && command.find_keys.is_some() { Err(Unfitting) } else { by_specs(command, args, &mut found) };
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

/// SET: reads the old value only with GET.
pub fn keys_of_set(args: Args<'_>, visit: &mut dyn FnMut(FoundKey)) -> bool {
    let reads = (3..args.len()).any(|at| args.is(at, b"GET"));
    let flags: &'static [&'static str] = if reads { &["RW", "access", "update"] } else { &["OW", "update"] };
    visit(FoundKey { argument: 1, flags });
    true
}
