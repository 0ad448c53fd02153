//! The slow log (SLOWLOG): the last commands that took longer than `slowlog-log-slower-than`, of all cores.
//!
//! Behind a lock, which only slow commands and who asks for them take.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Arguments that are kept of a command, as in Redis; of more the last place tells their number.
const ARGUMENTS_MAX: usize = 32;
/// Bytes that are kept of an argument, as in Redis; behind them stands how many more there were.
const ARGUMENT_BYTES_MAX: usize = 128;

/// A command that was slow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowCommand {
    /// Counts all since the start.
    pub number: u64,
    /// When it ran, Unix seconds.
    pub at_s: i64,
    /// How long it took, microseconds.
    pub spent_us: u64,
    /// Its arguments, shortened.
    pub arguments: Vec<Vec<u8>>,
    /// Its client's address.
    pub address: String,
    /// Its client's name.
    pub name: Vec<u8>,
}

#[derive(Default)]
struct Entries {
    /// The newest stands first.
    commands: VecDeque<SlowCommand>,
    next: u64,
}

/// See the file's head.
#[derive(Default)]
pub struct SlowLog(Mutex<Entries>);

impl SlowLog {
    /// What somebody wrote before it panicked is whole: entries are pushed and popped as such.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a command, of which its number is given here; at most `max` are kept (`slowlog-max-len`).
    /// Where none are kept none are counted, as in Redis 7.4.
    pub fn push(&self, mut command: SlowCommand, max: usize) {
        if max == 0 {
            return;
        }
        let mut entries = self.entries();
        command.number = entries.next;
        entries.next += 1;
        entries.commands.push_front(command);
        entries.commands.truncate(max);
    }

    /// The newest ones.
    pub fn newest(&self, count: usize) -> Vec<SlowCommand> {
        self.entries().commands.iter().take(count).cloned().collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries().commands.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets them all.
    pub fn clear(&self) {
        self.entries().commands.clear();
    }
}

/// Arguments as they are kept.
pub fn shortened<'a>(count: usize, arguments: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let shown = if count > ARGUMENTS_MAX { ARGUMENTS_MAX - 1 } else { count };
    let short = |argument: &[u8]| match argument.len().checked_sub(ARGUMENT_BYTES_MAX) {
        None | Some(0) => argument.to_vec(),
        Some(more) => [&argument[..ARGUMENT_BYTES_MAX], format!("... ({more} more bytes)").as_bytes()].concat(),
    };
    let mut kept: Vec<Vec<u8>> = arguments.take(shown).map(short).collect();
    if shown < count {
        kept.push(format!("... ({} more arguments)", count - shown).into_bytes());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(name: &str) -> SlowCommand {
        let arguments = vec![name.into()];
        SlowCommand { number: 0, at_s: 1, spent_us: 2, arguments, address: String::new(), name: Vec::new() }
    }

    #[test]
    fn the_newest_are_kept_and_numbers_go_on() {
        let log = SlowLog::default();
        for name in ["a", "b", "c"] {
            log.push(command(name), 2);
        }
        let kept = |log: &SlowLog| log.newest(10).into_iter().map(|of| (of.number, of.arguments)).collect::<Vec<_>>();
        assert_eq!(kept(&log), [(2, vec![b"c".to_vec()]), (1, vec![b"b".to_vec()])]);
        assert_eq!((log.newest(1).len(), log.len()), (1, 2));
        log.push(command("d"), 0);
        assert_eq!(log.len(), 2);
        log.push(command("e"), 1);
        assert_eq!(kept(&log), [(3, vec![b"e".to_vec()])]);
        log.clear();
        assert!(log.is_empty());
    }

    #[test]
    fn long_commands_are_shortened() {
        let words: Vec<String> = (0..40).map(|number| number.to_string()).collect();
        let of = |count: usize| shortened(count, words[..count].iter().map(String::as_bytes));
        assert_eq!(of(32).len(), 32);
        assert_eq!(of(32)[31], b"31");
        assert_eq!((of(33).len(), &of(33)[31][..]), (32, &b"... (2 more arguments)"[..]));
        let long = vec![b'A'; 130];
        assert_eq!(shortened(1, [&long[..128]].into_iter()), [&long[..128]]);
        assert_eq!(shortened(1, [&long[..]].into_iter()), [[&long[..128], b"... (2 more bytes)"].concat()]);
    }
}
