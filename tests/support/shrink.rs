//! Makes a failing history small: removes ever smaller chunks of it while it still fails (delta debugging).

use super::generate::Move;
use super::text::command_line;
use std::time::{Duration, Instant};

/// Bounds on the search; what is reached by then is printed.
const TRIES_MAX: usize = 3_000;
const TIME_MAX: Duration = Duration::from_secs(40);

/// Longest list of which pairs are tried, too.
const PAIRS_LENGTH_MAX: usize = 30;

/// The search: what is left, and what it may still spend.
struct Search<T, F> {
    items: Vec<T>,
    fails: F,
    tries: usize,
    deadline: Instant,
}

/// A smaller list that still fails. `fails` must give the same answer for the same list.
pub fn minimise<T: Clone>(items: Vec<T>, fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let deadline = Instant::now() + TIME_MAX;
    let mut search = Search { items, fails, tries: 0, deadline };
    search.remove_chunks();
    while search.remove_a_pair() {}
    search.items
}

impl<T: Clone, F: FnMut(&[T]) -> bool> Search<T, F> {
    /// Leaves out the items that `keep` (by position) does not name, if the rest still fails.
    fn try_keeping(&mut self, keep: impl Fn(usize) -> bool) -> bool {
        self.tries += 1;
        let kept = self.items.iter().enumerate().filter(|(at, _)| keep(*at));
        let candidate: Vec<T> = kept.map(|(_, item)| item.clone()).collect();
        let fails = (self.fails)(&candidate);
        if fails {
            self.items = candidate;
        }
        fails
    }

    fn is_spent(&self) -> bool {
        self.tries >= TRIES_MAX || Instant::now() > self.deadline
    }

    /// Removes chunks of half the list, a quarter, and so on down to single items, until none can go.
    fn remove_chunks(&mut self) {
        let mut chunk = self.items.len().div_ceil(2);
        while chunk > 0 {
            let (mut removed_any, mut from) = (false, 0);
            while from < self.items.len() {
                if self.is_spent() {
                    return;
                }
                if self.try_keeping(|at| at < from || at >= from + chunk) {
                    removed_any = true;
                } else {
                    from += chunk;
                }
            }
            if !removed_any {
                chunk /= 2;
            }
        }
    }

    /// Removes two items that need each other, such as the same SELECT on two connections.
    fn remove_a_pair(&mut self) -> bool {
        let length = self.items.len();
        if length > PAIRS_LENGTH_MAX {
            return false;
        }
        let mut pairs = (0..length).flat_map(|first| (first + 1..length).map(move |second| (first, second)));
        pairs.any(|(first, second)| !self.is_spent() && self.try_keeping(|at| at != first && at != second))
    }
}

/// The moves with every pipeline taken apart into single commands, each sent in one piece.
pub fn flatten(moves: &[Move]) -> Vec<Move> {
    let single = |step: &Move| match step {
        Move::CompareState => vec![Move::CompareState],
        Move::Pipeline { connection, requests, .. } => {
            let alone = |request| Move::Pipeline { connection: *connection, requests: vec![request], cuts: Vec::new() };
            requests.iter().cloned().map(alone).collect()
        }
    };
    moves.iter().flat_map(single).collect()
}

/// The moves as text, one command a line with the number of its connection.
pub fn describe(moves: &[Move]) -> String {
    let mut text = String::new();
    for step in moves {
        match step {
            Move::CompareState => text.push_str("  (compare all databases)\n"),
            Move::Pipeline { connection, requests, cuts } => {
                for (index, request) in requests.iter().enumerate() {
                    let joined = if index > 0 { "  + " } else { "  " };
                    let inline = if request.inline { " (inline)" } else { "" };
                    text.push_str(&format!("{joined}[{connection}] {}{inline}\n", command_line(&request.arguments)));
                }
                if !cuts.is_empty() {
                    text.push_str(&format!("    sent in pieces, cut at {cuts:?} per mille\n"));
                }
            }
        }
    }
    text
}
