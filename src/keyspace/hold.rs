//! Held keys: what a command scattered over several shards keeps still between its two phases.
//!
//! The table is empty nearly always (scattered commands work directly when all boxes are on their shelves), so the hot
//! path asks only `is_empty`. Holds are taken and released by the shard's home core; a taker of the box that finds it
//! not empty leaves the work to the home core.

/// Names one scattered command: the core that coordinates it and its number there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HoldId {
    /// The coordinating core.
    pub core: u16,
    /// The operation's number on that core.
    pub operation: u32,
}

#[derive(Debug)]
struct Hold {
    id: HoldId,
    hash: u64,
    key: Box<[u8]>,
    exclusive: bool,
}

/// The held keys of one shard.
#[derive(Default, Debug)]
pub struct Holds {
    held: Vec<Hold>,
}

impl Holds {
    /// No key is held.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Number of held keys.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether a command that reads (`exclusive` false) or writes the key has to wait. `own` holds do not count.
    ///
    /// A key is held in all databases at once: COPY and MOVE name a key of one and write to another.
    pub fn blocks(&self, hash: u64, key: &[u8], exclusive: bool, own: Option<HoldId>) -> bool {
        self.held.iter().any(|hold| {
            hold.hash == hash
                && (exclusive || hold.exclusive)
                && Some(hold.id) != own
                && *hold.key == *key
        })
    }

    /// Holds a key; the caller has asked `blocks` before.
    pub fn hold(&mut self, id: HoldId, hash: u64, key: &[u8], exclusive: bool) {
        debug_assert!(!self.blocks(hash, key, exclusive, Some(id)));
        self.held.push(Hold { id, hash, key: key.into(), exclusive });
    }

    /// Releases all keys that `id` holds.
    pub fn release(&mut self, id: HoldId) {
        self.held.retain(|hold| hold.id != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_share_and_writers_do_not() {
        let (a, b) = (HoldId { core: 0, operation: 1 }, HoldId { core: 1, operation: 1 });
        let mut holds = Holds::default();
        holds.hold(a, 9, b"k", false);
        assert!(!holds.blocks(9, b"k", false, None));
        assert!(holds.blocks(9, b"k", true, None));
        assert!(!holds.blocks(9, b"k", true, Some(a)), "its own hold does not block a command");
        assert!(!holds.blocks(9, b"other", true, None), "same hash, other key");
        holds.hold(b, 8, b"j", true);
        assert!(holds.blocks(8, b"j", false, None));
        holds.release(b);
        assert!(!holds.blocks(8, b"j", true, None));
        assert!(!holds.is_empty());
        holds.release(a);
        assert!(holds.is_empty());
    }
}
