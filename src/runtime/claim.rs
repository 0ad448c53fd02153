//! A claim: who may answer a client that waits in several places at once. Exactly one claimant wins.
//!
//! A waiting client stands in the queues of several shards, and its own core may end its wait (time, CLIENT UNBLOCK, a
//! closed connection). Whoever has data for it *holds* the claim while it tries to serve it, then either *settles* it or
//! *lets go*. The core of the client only settles. Holding lasts as long as one command.

use std::sync::atomic::{AtomicU8, Ordering};

const OPEN: u8 = 0;
const HELD: u8 = 1;
const SETTLED: u8 = 2;

/// How an attempt to settle a claim ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settle {
    /// It is ours.
    Won,
    /// Somebody is about to decide; ask again in a moment.
    Busy,
    /// Somebody else settled it.
    Lost,
}

/// How an attempt to hold a claim ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// It is held by us.
    Won,
    /// Somebody else holds it, and may let go of it.
    Busy,
    /// It is settled.
    Settled,
}

/// See the file's head.
#[derive(Debug, Default)]
pub struct Claim(AtomicU8);

impl Claim {
    /// Nobody has settled it. It may be held.
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire) != SETTLED
    }

    /// Holds the claim, if nobody else does.
    pub fn hold(&self) -> Hold {
        match self.0.compare_exchange(OPEN, HELD, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Hold::Won,
            Err(HELD) => Hold::Busy,
            Err(_) => Hold::Settled,
        }
    }

    /// The holder settles it.
    pub fn settle_held(&self) {
        debug_assert_eq!(self.0.load(Ordering::Relaxed), HELD);
        self.0.store(SETTLED, Ordering::Release);
    }

    /// The holder has nothing for the client after all.
    pub fn let_go(&self) {
        debug_assert_eq!(self.0.load(Ordering::Relaxed), HELD);
        self.0.store(OPEN, Ordering::Release);
    }

    /// Settles it without having held it.
    pub fn settle(&self) -> Settle {
        match self.0.compare_exchange(OPEN, SETTLED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Settle::Won,
            Err(HELD) => Settle::Busy,
            Err(_) => Settle::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wins() {
        let claim = Claim::default();
        assert_eq!(claim.hold(), Hold::Won);
        assert_eq!(claim.hold(), Hold::Busy);
        assert_eq!(claim.settle(), Settle::Busy);
        claim.let_go();
        assert!(claim.is_open());
        assert_eq!(claim.settle(), Settle::Won);
        assert_eq!(claim.settle(), Settle::Lost);
        assert_eq!(claim.hold(), Hold::Settled);
        assert!(!claim.is_open());
    }
}
