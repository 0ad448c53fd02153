//! Watched keys (WATCH): who wants to know that a key was changed before its transaction runs.
//!
//! The watchers of a shard's keys stand in its box, as flags that belong to their sessions. Whoever writes to a key raises the
//! flags while it has the box; whoever runs EXEC has the boxes of all watched keys, so the check and the transaction are
//! one step. A raised flag is taken out at once; one whose session has forgotten it is taken out by `sweep`.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use crate::runtime::flag::Flag;

/// The flags of those who watch a key.
type Flags = Vec<Weak<Flag>>;

/// The watchers of one shard.
#[derive(Debug, Default)]
pub struct Watchers {
    databases: Vec<BTreeMap<Box<[u8]>, Flags>>,
}

impl Watchers {
    /// Adds a watcher of a key; once, if it watches it already.
    pub fn watch(&mut self, database: u32, key: &[u8], flag: &Arc<Flag>) {
        if self.databases.len() <= database as usize {
            self.databases.resize_with(database as usize + 1, BTreeMap::new);
        }
        let flags = self.databases[database as usize].entry(key.into()).or_default();
        flags.retain(is_wanted);
        let flag = Arc::downgrade(flag);
        if !flags.iter().any(|other| Weak::ptr_eq(other, &flag)) {
            flags.push(flag);
        }
    }

    /// A key was changed or is gone.
    pub fn touch(&mut self, database: u32, key: &[u8]) {
        let Some(keys) = self.databases.get_mut(database as usize) else { return };
        keys.remove(key).iter().flatten().for_each(raise);
    }

    /// Watched keys of a database were changed: those that `is_changed` says.
    pub fn touch_where(&mut self, database: u32, mut is_changed: impl FnMut(&[u8]) -> bool) {
        let Some(keys) = self.databases.get_mut(database as usize) else { return };
        keys.retain(|key, flags| {
            let changed = is_changed(key);
            if changed {
                flags.iter().for_each(raise);
            }
            !changed
        });
    }

    /// The watched keys of a database.
    pub fn keys(&self, database: u32) -> impl Iterator<Item = &[u8]> {
        self.databases.get(database as usize).into_iter().flat_map(|keys| keys.keys().map(|key| &**key))
    }

    /// Calls `see` with a number of each session that watches a key, once per key.
    pub fn sessions(&self, see: impl FnMut(usize)) {
        let flags = self.databases.iter().flat_map(BTreeMap::values).flatten();
        flags.filter(|flag| is_wanted(flag)).map(|flag| flag.as_ptr().addr()).for_each(see);
    }

    /// Removes the flags of sessions that have forgotten them; true when none is left.
    pub fn sweep(&mut self) -> bool {
        for keys in &mut self.databases {
            keys.retain(|_, flags| {
                flags.retain(is_wanted);
                !flags.is_empty()
            });
        }
        self.databases.iter().all(BTreeMap::is_empty)
    }

    /// Keys that somebody watches, or has watched (INFO's `total_watched_keys`).
    pub fn keys_len(&self) -> usize {
        self.databases.iter().map(BTreeMap::len).sum()
    }
}

/// The session that made the flag still has it.
fn is_wanted(flag: &Weak<Flag>) -> bool {
    flag.strong_count() > 0
}

fn raise(flag: &Weak<Flag>) {
    if let Some(flag) = flag.upgrade() {
        flag.raise();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raised_once_and_forgotten() {
        let mut watchers = Watchers::default();
        let (one, other) = (Arc::new(Flag::default()), Arc::new(Flag::default()));
        watchers.watch(1, b"k", &one);
        watchers.watch(1, b"k", &one);
        watchers.watch(1, b"j", &other);
        watchers.touch(0, b"k");
        assert!(!one.is_raised());
        watchers.touch(1, b"k");
        assert!(one.is_raised() && !other.is_raised());
        assert_eq!(watchers.keys_len(), 1);
        watchers.touch_where(1, |key| key == b"k");
        assert!(!other.is_raised());
        assert!(!watchers.sweep());
        drop(other);
        assert!(watchers.sweep());
    }

    #[test]
    fn a_session_that_forgets_several_keys_leaves_nothing() {
        let mut watchers = Watchers::default();
        let (one, other) = (Arc::new(Flag::default()), Arc::new(Flag::default()));
        for key in [b"a", b"b", b"c"] {
            watchers.watch(0, key, &one);
        }
        watchers.watch(0, b"b", &other);
        drop(one);
        assert!(!watchers.sweep());
        assert_eq!(watchers.keys_len(), 1);
        let mut sessions = 0;
        watchers.sessions(|_| sessions += 1);
        assert_eq!(sessions, 1);
        drop(other);
        assert!(watchers.sweep());
    }
}
