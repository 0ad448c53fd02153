//! Clients that wait for a key: BLPOP and its kin, XREAD and XREADGROUP with BLOCK.
//!
//! A shard's waiters stand in its box, so whoever has the box and writes to a key can serve them before anybody else sees
//! the element. A client that waits for keys of several shards stands in the queues of all of them, with one claim. An
//! entry whose claim is settled is dead; it is removed when its queue is looked at, or by `sweep`.
//!
//! The write guard, deletion, expiry, FLUSH and SWAPDB report keys with `signal`; `shard/wait` serves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::ArgRange;
use crate::runtime::claim::Claim;
use crate::value::object::ObjectType;

/// Arguments that outlive the buffer they arrived in.
#[derive(Debug, Default)]
pub struct OwnedArgs {
    /// Bytes of the short arguments.
    pub buffer: Vec<u8>,
    /// Where each argument stands.
    pub ranges: Vec<ArgRange>,
    /// Long arguments.
    pub bigs: Vec<Bytes>,
}

/// One waiting client.
#[derive(Debug)]
pub struct Waiter {
    /// Who may answer it.
    pub claim: Claim,
    /// The client's core.
    pub core: u16,
    /// Its session there.
    pub session: u64,
    /// The number of its command's row.
    pub row: usize,
    /// The command, to be run again.
    pub args: OwnedArgs,
    /// The client's database.
    pub database: u32,
    /// The client's protocol.
    pub protocol: Protocol,
    /// Reads count as uses of their keys.
    pub touch: bool,
    /// Serving it takes the boxes of all these shards, one bit each; 0: any one that has data will do.
    pub needs: u64,
    /// What it waits for.
    pub object_type: ObjectType,
    /// It wants to know when the key is deleted or becomes something else, too.
    pub even_without_key: bool,
}

/// A shard, and how many chunks of its part of the log hold what was seen in its box.
pub type Chunks = (u16, u64);

/// A reply for a client that waited, on its way to the client's core.
#[derive(Debug)]
pub struct Served {
    /// The client's core.
    pub core: u16,
    /// Its session there.
    pub session: u64,
    /// What it gets.
    pub reply: Reply,
    /// The command panicked; the client is to be closed.
    pub panicked: bool,
    /// What must be on the disk before the reply is sent; empty when nothing waits for the disk.
    pub chunks: Vec<Chunks>,
}

type Queue = VecDeque<Arc<Waiter>>;

/// The waiters of one shard.
#[derive(Debug, Default)]
pub struct Waiters {
    databases: Vec<BTreeMap<Box<[u8]>, Queue>>,
    ready: VecDeque<(u32, Box<[u8]>)>,
    /// Entries of waiters that need other shards, dead ones included.
    foreign: usize,
    /// All entries, dead ones included.
    entries: usize,
    /// Replies that leave when the box is put back.
    pub served: Vec<Served>,
    /// Keys with a client whom another core was about to serve with another key, and may not have: they are signalled
    /// anew when the box has been put back.
    pub retries: Vec<(u32, Box<[u8]>)>,
}

impl Waiters {
    /// Nobody waits, nothing is to be sent.
    pub fn is_empty(&self) -> bool {
        self.entries == 0 && self.served.is_empty() && self.retries.is_empty()
    }

    /// Keys were written that somebody waits for.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Some waiters can only be served with boxes of other shards.
    pub fn has_foreign(&self) -> bool {
        self.foreign > 0
    }

    /// Puts a waiter at the end of a key's queue; once, if the key was named twice.
    pub fn register(&mut self, database: u32, key: &[u8], waiter: &Arc<Waiter>) {
        if self.databases.len() <= database as usize {
            self.databases.resize_with(database as usize + 1, BTreeMap::new);
        }
        let queue = self.databases[database as usize].entry(key.into()).or_default();
        let before = queue.len();
        let foreign_before = queue.iter().filter(|other| other.needs != 0).count();
        queue.retain(|other| other.claim.is_open());
        self.entries -= before - queue.len();
        self.foreign -= foreign_before - queue.iter().filter(|other| other.needs != 0).count();
        if queue.iter().any(|other| Arc::ptr_eq(other, waiter)) {
            return;
        }
        queue.push_back(waiter.clone());
        self.entries += 1;
        self.foreign += usize::from(waiter.needs != 0);
    }

    /// A key was changed or is gone.
    pub fn signal(&mut self, database: u32, key: &[u8]) {
        let waited_for = self.databases.get(database as usize).is_some_and(|keys| keys.contains_key(key));
        if waited_for && !self.ready.iter().any(|(of, ready)| *of == database && **ready == *key) {
            self.ready.push_back((database, key.into()));
        }
    }

    /// All keys of a database may have changed (FLUSHDB, SWAPDB).
    pub fn signal_all(&mut self, database: u32) {
        let Some(keys) = self.databases.get(database as usize) else { return };
        let keys: Vec<Box<[u8]>> = keys.keys().cloned().collect();
        for key in keys {
            self.signal(database, &key);
        }
    }

    /// The next key that was signalled.
    pub fn next_ready(&mut self) -> Option<(u32, Box<[u8]>)> {
        self.ready.pop_front()
    }

    /// The clients that wait for a key, first come first.
    pub fn of_key(&self, database: u32, key: &[u8]) -> Vec<Arc<Waiter>> {
        let queue = self.databases.get(database as usize).and_then(|keys| keys.get(key));
        queue.into_iter().flatten().filter(|waiter| waiter.claim.is_open()).cloned().collect()
    }

    /// The shards that serving the waiters of a key takes; in any database, because COPY and MOVE write to another one.
    pub fn needs(&self, key: &[u8]) -> u64 {
        let queues = self.databases.iter().filter_map(|keys| keys.get(key));
        queues.flatten().filter(|waiter| waiter.claim.is_open()).fold(0, |all, waiter| all | waiter.needs)
    }

    /// The first argument that is a key of each waiter of this key, for holds: see `shard/home`.
    pub fn waiters_of(&self, key: &[u8]) -> impl Iterator<Item = &Arc<Waiter>> {
        self.databases.iter().filter_map(move |keys| keys.get(key)).flatten()
    }

    /// Removes dead entries of a key.
    pub fn sweep_key(&mut self, database: u32, key: &[u8]) {
        let Some(keys) = self.databases.get_mut(database as usize) else { return };
        let Some(queue) = keys.get_mut(key) else { return };
        let (entries, foreign) = sweep_queue(queue);
        self.entries -= entries;
        self.foreign -= foreign;
        if queue.is_empty() {
            keys.remove(key);
        }
    }

    /// Removes all dead entries; true when none is left at all.
    pub fn sweep(&mut self) -> bool {
        for keys in &mut self.databases {
            keys.retain(|_, queue| {
                let (entries, foreign) = sweep_queue(queue);
                self.entries -= entries;
                self.foreign -= foreign;
                !queue.is_empty()
            });
        }
        self.is_empty() && self.ready.is_empty()
    }

    /// Keys that somebody waits for (INFO's `total_blocking_keys`).
    pub fn keys_len(&self) -> usize {
        self.databases.iter().map(BTreeMap::len).sum()
    }

    /// Those of them whose absence somebody waits for, too (INFO's `total_blocking_keys_on_nokey`).
    pub fn keys_without_len(&self) -> usize {
        let queues = self.databases.iter().flat_map(BTreeMap::values);
        queues.filter(|queue| queue.iter().any(|waiter| waiter.even_without_key)).count()
    }
}

/// Removes dead entries; returns how many, and how many of them needed other shards.
fn sweep_queue(queue: &mut Queue) -> (usize, usize) {
    let (mut entries, mut foreign) = (0, 0);
    queue.retain(|waiter| {
        let open = waiter.claim.is_open();
        entries += usize::from(!open);
        foreign += usize::from(!open && waiter.needs != 0);
        open
    });
    (entries, foreign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::claim::Settle;

    fn waiter(needs: u64) -> Arc<Waiter> {
        Arc::new(Waiter {
            claim: Claim::default(),
            core: 0,
            session: 0,
            row: 0,
            args: OwnedArgs::default(),
            database: 0,
            protocol: Protocol::Resp2,
            touch: true,
            needs,
            object_type: ObjectType::List,
            even_without_key: false,
        })
    }

    #[test]
    fn the_dead_leave_nothing_behind() {
        let mut waiters = Waiters::default();
        let (one, other) = (waiter(0b11), waiter(0));
        waiters.register(3, b"k", &one);
        waiters.register(3, b"k", &one);
        waiters.register(3, b"k", &other);
        assert_eq!((waiters.entries, waiters.needs(b"k"), waiters.has_foreign()), (2, 0b11, true));
        waiters.signal(3, b"unknown");
        waiters.signal(2, b"k");
        assert!(!waiters.has_ready());
        waiters.signal(3, b"k");
        waiters.signal_all(3);
        assert_eq!(waiters.next_ready(), Some((3, b"k"[..].into())));
        assert!(!waiters.has_ready(), "signalled once");
        assert!(Arc::ptr_eq(&waiters.of_key(3, b"k")[0], &one), "first come first");
        assert_eq!(one.claim.settle(), Settle::Won);
        assert_eq!((waiters.of_key(3, b"k").len(), waiters.needs(b"k")), (1, 0));
        waiters.sweep_key(3, b"k");
        assert_eq!((waiters.entries, waiters.has_foreign(), waiters.keys_len()), (1, false, 1));
        assert_eq!(other.claim.settle(), Settle::Won);
        assert!(waiters.sweep());
        assert_eq!(waiters.keys_len(), 0);
    }
}
