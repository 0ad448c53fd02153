//! Whether a history of concurrent calls could have come from one thing that does one call at a time.
//!
//! The search of Wing and Gong (1993) with Lowe's memory of what was tried ("Testing for linearizability", 2017): choose a
//! call that nothing unfinished precedes, apply it to the model, go on; a pair of (calls done, state) is tried once, and a
//! call that changes nothing is not put off.

use std::collections::HashSet;
use std::hash::Hash;

/// Most calls of one history: sets of calls are one word.
pub const CALLS_MAX: usize = 64;

/// Pairs tried before the search gives up.
const TRIES_MAX: usize = 4_000_000;

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// When it was made.
    pub called: u64,
    /// When its reply came. Without one the call may have happened, at any time after `called`, or not.
    pub returned: Option<u64>,
    /// Calls (a bit each) that must have happened if this one has, beyond those that returned before it was made.
    pub after: u64,
    /// Wherever its reply fits, the call changes nothing.
    pub inert: bool,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains every reply.
    Legal,
    /// There is none. The calls of the longest order that explains its own replies.
    Illegal(Vec<usize>),
    /// Too many orders.
    Undecided,
}

/// Searches for an order. `step` applies a call to a state, or says that its reply does not fit there.
///
/// # Panics
/// For more than [`CALLS_MAX`] calls.
pub fn check<S: Clone + Eq + Hash>(
    initial: S,
    calls: &[Span],
    mut step: impl FnMut(&S, usize) -> Option<S>,
) -> Verdict {
    assert!(calls.len() <= CALLS_MAX, "a history has at most {CALLS_MAX} calls");
    let set = |include: &dyn Fn(&Span) -> bool| {
        calls.iter().enumerate().filter(|(_, call)| include(call)).fold(0_u64, |set, (index, _)| set | 1 << index)
    };
    let completed = set(&|call| call.returned.is_some());
    let before: Vec<u64> = calls
        .iter()
        .map(|call| call.after | set(&|other| other.returned.is_some_and(|returned| returned < call.called)))
        .collect();
    // Whatever was answered first is tried first: it is the likeliest to have happened first.
    let mut order: Vec<usize> = (0..calls.len()).collect();
    order.sort_by_key(|&call| calls[call].returned.unwrap_or(u64::MAX));
    let mut tried = HashSet::new();
    let mut longest = Vec::new();
    // One level per call done: the state reached, the call that led there, and the next place in `order` to try from it.
    let mut path = vec![(initial, usize::MAX, 0)];
    let mut done = 0_u64;
    while let Some((state, last, next)) = path.last_mut() {
        if completed & !done == 0 {
            return Verdict::Legal;
        }
        let eligible = |at: &usize| done & 1 << order[*at] == 0 && before[order[*at]] & !done == 0;
        let Some(at) = (*next..calls.len()).find(eligible) else {
            if *last != usize::MAX {
                done &= !(1 << *last);
            }
            path.pop();
            continue;
        };
        let call = order[at];
        *next = at + 1;
        let Some(reached) = step(state, call) else { continue };
        if calls[call].inert {
            // It fits and changes nothing, so it may as well come now: an order that has it later loses nothing.
            *next = calls.len();
        }
        if !tried.insert((done | 1 << call, reached.clone())) {
            continue;
        }
        if tried.len() > TRIES_MAX {
            return Verdict::Undecided;
        }
        done |= 1 << call;
        path.push((reached, call, 0));
        if path.len() > longest.len() + 1 {
            longest = path[1..].iter().map(|&(_, call, _)| call).collect();
        }
    }
    Verdict::Illegal(longest)
}
