//! What can happen in a world, and how often each is drawn.

use crate::stdx::random::Random;

/// What can happen next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Deliver(usize),
    Resume(usize),
    Flush(usize),
    Pump(usize),
    GhostTakes(usize),
    GhostPuts(usize),
    Cron(usize),
    /// The log takes in what it was sent, or syncs.
    Log,
    /// The next wait for a key comes to its end.
    Deadline(usize),
}

/// What becomes of boxes that were taken away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ghosts {
    /// They come back, and others are taken.
    Come,
    /// They stay away.
    Stay,
    /// They come back.
    Leave,
}

/// How often each kind of step is drawn, drawn itself: worlds differ in character, so rare orders become common in some.
pub(super) struct Character {
    pub(super) deliver: u64,
    pub(super) flush: u64,
    /// For each core: some are slow.
    pub(super) pump: Box<[u64]>,
    pub(super) ghost_takes: u64,
    pub(super) ghost_puts: u64,
    pub(super) cron: u64,
    pub(super) deadline: u64,
    /// One delivery in so many brings everything.
    pub(super) whole: u64,
}

impl Character {
    /// The character of one world.
    pub(super) fn draw(random: &mut Random, cores: usize, ghosts: bool) -> Character {
        let mut draw = |doublings: u64| 1 << random.below(doublings);
        Character {
            deliver: draw(6),
            flush: draw(6),
            pump: (0..cores).map(|_| draw(7)).collect(),
            ghost_takes: if ghosts { draw(6) } else { 0 },
            ghost_puts: draw(5),
            cron: draw(2),
            deadline: draw(4),
            whole: draw(3),
        }
    }
}

/// One of the candidates, by their weights; the first weighs something.
pub(super) fn pick(random: &mut Random, candidates: &[(Step, u64)]) -> Step {
    let mut drawn = random.below(candidates.iter().map(|(_, weight)| weight).sum());
    for &(step, weight) in candidates {
        if drawn < weight {
            return step;
        }
        drawn -= weight;
    }
    candidates[0].0
}
