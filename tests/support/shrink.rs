//! Makes a failing history small: removes ever smaller chunks of it while it still fails (delta debugging).

use super::generate::Move;
use super::text::command_line;
use std::time::{Duration, Instant};

/// Bounds on the search; what is reached by then is printed.
const TRIES_MAX: usize = 3_000;
const TIME_MAX: Duration = Duration::from_secs(40);

/// A smaller list that still fails. `fails` must give the same answer for the same list.
pub fn minimise<T: Clone>(items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let (mut items, mut tries) = (items, 0);
    let deadline = Instant::now() + TIME_MAX;
    let mut chunk = items.len().div_ceil(2);
    while chunk > 0 && !items.is_empty() {
        let mut removed_any = false;
        let mut from = 0;
        while from < items.len() {
            if tries >= TRIES_MAX || Instant::now() > deadline {
                return items;
            }
            tries += 1;
            let to = (from + chunk).min(items.len());
            let candidate: Vec<T> = items[..from].iter().chain(&items[to..]).cloned().collect();
            if fails(&candidate) {
                items = candidate;
                removed_any = true;
            } else {
                from = to;
            }
        }
        if chunk == 1 && !removed_any {
            break;
        }
        chunk = if removed_any {
            chunk.min(items.len().max(1))
        } else {
            chunk / 2
        };
    }
    items
}

/// The moves with every pipeline taken apart into single commands, each sent in one piece.
pub fn flatten(moves: &[Move]) -> Vec<Move> {
    let single = |step: &Move| match step {
        Move::CompareState => vec![Move::CompareState],
        Move::Pipeline {
            connection,
            requests,
            ..
        } => {
            let alone = |request| Move::Pipeline {
                connection: *connection,
                requests: vec![request],
                cuts: Vec::new(),
            };
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
            Move::Pipeline {
                connection,
                requests,
                cuts,
            } => {
                for (index, request) in requests.iter().enumerate() {
                    let joined = if index > 0 { "  + " } else { "  " };
                    let inline = if request.inline { " (inline)" } else { "" };
                    text.push_str(&format!(
                        "{joined}[{connection}] {}{inline}\n",
                        command_line(&request.arguments)
                    ));
                }
                if !cuts.is_empty() {
                    text.push_str(&format!("    sent in pieces, cut at {cuts:?} per mille\n"));
                }
            }
        }
    }
    text
}
