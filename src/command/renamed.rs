//! `rename-command`: the names that clients call commands by, where these are not the commands' own.
//!
//! Set once, before the table is built, which then finds a row by what it is called; a look-up costs nothing more. As in
//! Redis, rules of users, counters and replies keep a command's own name, scripts call it as clients do, and the log holds
//! what clients wrote: whoever renames a command that writes should begin a new log.

use std::sync::OnceLock;

use super::{register, table};

/// A command's own name, and what it is called in lower case: none when it cannot be.
type Renamed = (&'static str, Option<Vec<u8>>);

static RENAMED: OnceLock<Vec<Renamed>> = OnceLock::new();

/// Renames commands, line by line: the name so far in any case, and the new one, empty to take the command away. Call it
/// before anything else of the server but [`super::register::register`].
///
/// # Errors
/// The first line that cannot be followed, and why; then nothing is renamed.
pub fn rename(lines: &[(&[u8], &[u8])]) -> Result<(), (usize, &'static str)> {
    if lines.is_empty() {
        return Ok(());
    }
    let names: Vec<&'static str> = table::own_names().chain(register::names()).collect();
    let renamed = follow(&names, lines)?;
    if register::is_taken() || RENAMED.set(renamed).is_err() {
        return Err((0, "Commands are renamed once, before the server starts"));
    }
    Ok(())
}

/// What clients call the command of this name.
pub(super) fn called(name: &'static str) -> Option<&'static [u8]> {
    let renamed = RENAMED.get().and_then(|all| all.iter().find(|(own, _)| *own == name));
    renamed.map_or(Some(name.as_bytes()), |(_, called)| called.as_deref())
}

/// The commands of `names` with another name than their own after all lines.
fn follow(names: &[&'static str], lines: &[(&[u8], &[u8])]) -> Result<Vec<Renamed>, (usize, &'static str)> {
    let mut called: Vec<Option<Vec<u8>>> = names.iter().map(|name| Some(name.as_bytes().to_vec())).collect();
    for (index, (from, to)) in lines.iter().enumerate() {
        let (from, to) = (from.to_ascii_lowercase(), to.to_ascii_lowercase());
        let at = called.iter().position(|called| called.as_ref() == Some(&from));
        let at = at.ok_or((index, "No such command in rename-command"))?;
        called[at] = None;
        if to.is_empty() {
            continue;
        }
        if called.iter().flatten().any(|taken| *taken == to) {
            return Err((index, "Target command name already exists"));
        }
        called[at] = Some(to);
    }
    let all = names.iter().copied().zip(called);
    Ok(all.filter(|(name, called)| called.as_deref() != Some(name.as_bytes())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["get", "set", "flushall"];

    #[test]
    fn lines_are_followed_in_turn() {
        type Case = (&'static [(&'static str, &'static str)], &'static [(&'static str, Option<&'static str>)]);
        let cases: &[Case] = &[
            (&[], &[]),
            (&[("FlushAll", "")], &[("flushall", None)]),
            (&[("get", "Fetch"), ("SET", "get")], &[("get", Some("fetch")), ("set", Some("get"))]),
            (&[("get", "a"), ("A", "b")], &[("get", Some("b"))]),
            (&[("get", "a"), ("a", "get")], &[]),
            (&[("get", "GET")], &[]),
            (&[("flushall", ""), ("get", "flushall")], &[("get", Some("flushall")), ("flushall", None)]),
        ];
        for (lines, expected) in cases {
            let lines: Vec<(&[u8], &[u8])> = lines.iter().map(|(from, to)| (from.as_bytes(), to.as_bytes())).collect();
            let expected: Vec<Renamed> =
                expected.iter().map(|(own, called)| (*own, called.map(|called| called.as_bytes().to_vec()))).collect();
            assert_eq!(follow(NAMES, &lines), Ok(expected));
        }
    }

    #[test]
    fn wrong_lines_are_told() {
        let gone = "No such command in rename-command";
        let taken = "Target command name already exists";
        let cases: &[(&[(&[u8], &[u8])], _)] = &[
            (&[(b"nosuch", b"x")], (0, gone)),
            (&[(b"get", b""), (b"get", b"x")], (1, gone)),
            (&[(b"get", b"x"), (b"get", b"y")], (1, gone)),
            (&[(b"config|set", b"")], (0, gone)),
            (&[(b"get", b"Set")], (0, taken)),
            (&[(b"", b"x")], (0, gone)),
        ];
        for (lines, error) in cases {
            assert_eq!(follow(NAMES, lines), Err(*error));
        }
        // The table of this process is not to be changed.
        assert_eq!(rename(&[(b"nosuch", b"x")]), Err((0, gone)));
    }
}
