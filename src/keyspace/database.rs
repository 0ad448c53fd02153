//! `Keyspace`: the data of one shard, all logical databases of it, and everything that belongs to that data.
//!
//! Invariants: every entry stands in exactly one `keys` table, which owns it; the `expires` table of the same database
//! holds exactly those entries that have an expiry, and `field_expires` those marked as hashes with fields that expire;
//! all are changed only in this folder. Whoever holds the box of a
//! `Keyspace` is the only one who can reach it, so nothing here is shared or locked.


use crate::stdx::random::Random;
use crate::value::object::Value;

use super::entry::{Entry, EntryPointer, StringValue};
use super::expire::LfuCurve;
use super::free::Graveyard;
use super::hash::{Key, KeyHasher};
use super::hold::Holds;
use super::snapshot::{Snapshot, Walk};
use super::journal::Journal;
use super::wait::Waiters;
use super::watch::Watchers;
use crate::value::table::Table;

/// When and how a command looks at keys. Time is read once per turn, above.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Unix time in milliseconds.
    pub now_ms: i64,
    /// Whether reads count as a use of the key (false for CLIENT NO-TOUCH).
    pub touch: bool,
    /// Keys whose time has come are not there for reads but stay in place (CLIENT PAUSE: nothing changes meanwhile).
    pub keep_expired: bool,
}

impl Turn {
    /// A turn at this time in which nothing is paused.
    pub const fn at(now_ms: i64, touch: bool) -> Turn {
        Turn { now_ms, touch, keep_expired: false }
    }
}

/// What a shard counted; read through INFO.
#[derive(Clone, Copy, Default, Debug)]
pub struct KeyspaceCounters {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys removed because their time had come.
    pub expired_keys: u64,
    /// Keys removed because memory was short.
    pub evicted_keys: u64,
    /// Fields of hashes removed because their time had come.
    pub expired_fields: u64,
    /// The share of volatile keys whose time had come when active expiry looked at them: each round counts for a
    /// twentieth, as in Redis.
    pub stale_share: f64,
    /// Rounds of active expiry that ended because their time was over.
    pub expiry_cut_short: u64,
    /// Time active expiry took, nanoseconds.
    pub expiry_ns: u64,
    /// Writes since the last save (`rdb_changes_since_last_save`).
    pub changes: u64,
}

/// One logical database of one shard.
pub struct Database {
    pub(super) keys: Table,
    pub(super) expires: Table,
    /// Where the active expiry goes on.
    pub(super) expire_cursor: u64,
    /// The entries whose hashes have fields that expire (`fields.rs`).
    pub(super) field_expires: Table,
    /// Where the active expiry of fields goes on.
    pub(super) field_expire_cursor: u64,
    /// How far a running snapshot has come.
    pub(super) walk: Walk,
}

impl Database {
    const fn new() -> Database {
        Database {
            keys: Table::new(),
            expires: Table::new(),
            expire_cursor: 0,
            field_expires: Table::new(),
            field_expire_cursor: 0,
            walk: Walk::DONE,
        }
    }

    /// Whether the key is there and its time has not come.
    fn has_live(&self, key: &Key<'_>, now_ms: i64) -> bool {
        // SAFETY: just found; nothing changes while the reference lives.
        self.find(key).is_some_and(|pointer| !unsafe { pointer.entry() }.is_expired(now_ms))
    }

    /// Number of keys, those included that have expired but were not removed yet (as in Redis).
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// No key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Number of keys with an expiry.
    pub fn expires_len(&self) -> usize {
        self.expires.len()
    }

    /// Number of keys whose hashes have fields that expire.
    pub fn field_expires_len(&self) -> usize {
        self.field_expires.len()
    }

    /// Bytes the tables take, without the entries.
    pub fn table_bytes(&self) -> usize {
        self.keys.memory_bytes() + self.expires.memory_bytes() + self.field_expires.memory_bytes()
    }

    /// Those of them that hold keys with an expiry.
    pub fn expires_table_bytes(&self) -> usize {
        self.expires.memory_bytes()
    }

    /// Asks for the first line of the entry that is probably the key's; its bucket should have arrived by now.
    #[inline]
    pub(super) fn prefetch_entry(&self, hash: u64) -> Option<std::ptr::NonNull<u8>> {
        self.keys.prefetch_entry(hash)
    }

    #[inline]
    fn find(&self, key: &Key<'_>) -> Option<EntryPointer> {
        let found = self.keys.find(key.hash, |at| {
            // SAFETY: the table only holds pointers of live entries of this database.
            unsafe { EntryPointer::from_raw(at).entry() }.key() == key.bytes
        })?;
        // SAFETY: as above.
        Some(unsafe { EntryPointer::from_raw(found) })
    }
}

/// The data of one shard. See the file's head for the invariants.
pub struct Keyspace {
    pub(super) databases: Vec<Database>,
    /// Keys held by scattered commands.
    pub holds: Holds,
    /// What was counted.
    pub counters: KeyspaceCounters,
    /// What waits to be freed in slices.
    pub graveyard: Graveyard,
    pub(super) hasher: KeyHasher,
    pub(super) random: Random,
    /// Whether the access field keeps Redis' LFU counter instead of the time of the last use.
    pub lfu: bool,
    /// How that counter grows and decays.
    pub lfu_curve: LfuCurve,
    /// The log is being loaded: nothing goes because its time has come.
    pub keeps_all: bool,
    /// When a log is replayed, Unix milliseconds: keys count as used then. 0: none is.
    pub replayed_at_ms: i64,
    /// What was changed and has not been given to the log.
    pub journal: Journal,
    /// Clients that wait for keys; none as long as nobody does.
    pub waiters: Option<Box<Waiters>>,
    /// Clients that watch keys; none as long as nobody does.
    pub watchers: Option<Box<Watchers>>,
    /// The snapshot that is being made beside the commands; none as long as there is none.
    pub snapshot: Option<Box<Snapshot>>,
}

// SAFETY: a keyspace owns everything its raw pointers refer to (entries are reachable only through its tables), so it
// can move between threads as a whole; it is never shared (no Sync).
unsafe impl Send for Keyspace {}

impl Keyspace {
    /// An empty keyspace with `databases` logical databases.
    pub fn new(databases: usize, hasher: KeyHasher, seed: u64) -> Keyspace {
        Keyspace {
            databases: (0..databases).map(|_| Database::new()).collect(),
            holds: Holds::default(),
            counters: KeyspaceCounters::default(),
            graveyard: Graveyard::default(),
            hasher,
            random: Random::new(seed),
            lfu: false,
            lfu_curve: LfuCurve::DEFAULT,
            journal: Journal::default(),
            keeps_all: false,
            replayed_at_ms: 0,
            waiters: None,
            watchers: None,
            snapshot: None,
        }
    }

    /// One logical database.
    pub fn database(&self, database: u32) -> &Database {
        &self.databases[database as usize]
    }

    /// Number of logical databases.
    pub fn databases_len(&self) -> usize {
        self.databases.len()
    }

    /// Touches the cache line in which the key's word will be looked for.
    #[inline]
    pub fn prefetch_bucket(&self, database: u32, hash: u64) {
        self.databases[database as usize].keys.prefetch_bucket(hash);
    }


    /// The key's entry, counted as a hit or miss and as a use of the key; one whose time has come is removed first.
    #[inline]
    pub fn read(&mut self, database: u32, key: &Key<'_>, turn: Turn) -> Option<Entry<'_>> {
        let pointer = self.find_counted(database, key, turn)?;
        // SAFETY: the entry lives as long as nobody changes the keyspace, which the borrow of `self` rules out.
        Some(unsafe { pointer.entry() })
    }

    /// The key's entry without counting or touching (TTL, TYPE, OBJECT, KEYS).
    pub fn peek(&mut self, database: u32, key: &Key<'_>, turn: Turn) -> Option<Entry<'_>> {
        let pointer = self.find_live(database, key, turn)?;
        // SAFETY: as in `read`.
        Some(unsafe { pointer.entry() })
    }

    /// The key's entry, without removing it when its time has come: for keys that were read in this turn, to look at
    /// several together.
    pub fn find(&self, database: u32, key: &Key<'_>) -> Option<Entry<'_>> {
        let pointer = self.databases[database as usize].find(key)?;
        // SAFETY: as in `read`.
        Some(unsafe { pointer.entry() })
    }

    /// Takes a value that a command made for itself and needs no more; a large one is freed in slices.
    pub fn bury(&mut self, value: Value) {
        self.graveyard.bury(value);
    }

    /// As `read` for a string; a long one can be shared with the reply instead of being copied.
    #[inline]
    pub fn read_string(&mut self, database: u32, key: &Key<'_>, turn: Turn) -> Option<StringValue<'_>> {
        let pointer = self.find_counted(database, key, turn)?;
        // SAFETY: the entry lives, and nobody else reaches it, as long as the borrow of `self` that the result keeps.
        Some(unsafe { pointer.string_value() })
    }

    /// Looks a key up for reading: counts a hit or a miss, and a use of the key.
    #[inline]
    fn find_counted(&mut self, database: u32, key: &Key<'_>, turn: Turn) -> Option<EntryPointer> {
        let Some(mut pointer) = self.find_live(database, key, turn) else {
            self.counters.misses += 1;
            return None;
        };
        self.counters.hits += 1;
        if turn.touch {
            self.touch(&mut pointer, turn.now_ms);
        }
        Some(pointer)
    }

    /// Looks the key up; one whose time has come is not there, and is removed unless the turn keeps it.
    #[inline]
    pub(super) fn find_live(&mut self, database: u32, key: &Key<'_>, turn: Turn) -> Option<EntryPointer> {
        let pointer = self.databases[database as usize].find(key)?;
        // SAFETY: just found, nobody has changed it since.
        if unsafe { pointer.entry() }.is_expired(turn.now_ms) && !self.keeps_all {
            if !turn.keep_expired {
                self.counters.expired_keys += 1;
                self.journal.removed(database, key.bytes);
                self.remove_entry(database, key.hash, pointer);
            }
            return None;
        }
        Some(pointer)
    }

    pub(super) fn touch(&mut self, pointer: &mut EntryPointer, now_ms: i64) {
        // SAFETY: the pointer was just found in a table of this keyspace.
        let old = unsafe { pointer.entry() }.access();
        let access = self.access_after_use(old, now_ms);
        if access != old {
            pointer.set_access(access);
        }
    }

    /// Takes an entry out of its tables and frees it; a boxed value goes to the graveyard.
    pub(super) fn remove_entry(&mut self, database: u32, hash: u64, pointer: EntryPointer) {
        if let Some(value) = self.unlink_entry(database, hash, pointer) {
            self.graveyard.bury(*value);
        }
    }

    /// Takes an entry out of its tables, frees it and hands out its boxed value.
    pub(super) fn unlink_entry(&mut self, database: u32, hash: u64, pointer: EntryPointer) -> Option<Box<Value>> {
        if self.snapshot.is_some() {
            self.write_early(database, hash, pointer);
        }
        // SAFETY: still in the table, so alive.
        let entry = unsafe { pointer.entry() };
        self.report(database, entry.key());
        let hasher = &self.hasher;
        let rehash = |at| hash_of_entry(hasher, at);
        let tables = &mut self.databases[database as usize];
        if entry.expire_at_ms().is_some() {
            tables.expires.remove(hash, pointer.as_raw(), rehash);
        }
        // SAFETY: as above.
        if unsafe { pointer.entry() }.has_field_times() {
            tables.field_expires.remove(hash, pointer.as_raw(), rehash);
        }
        let removed = tables.keys.remove(hash, pointer.as_raw(), rehash);
        assert!(removed, "an entry stands in its table");
        // SAFETY: no table holds the pointer any more.
        unsafe { pointer.destroy() }
    }

    /// Calls `see` with the entries of at least one bucket from the cursor on, expired ones included; returns where to go
    /// on, 0 at the end. Redis' guarantee holds: what is there from the first call to the last is seen at least once, and
    /// just once when nothing was removed meanwhile.
    pub fn scan(&self, database: u32, cursor: u64, mut see: impl FnMut(Entry<'_>)) -> u64 {
        self.databases[database as usize].keys.scan(cursor, |at| {
            // SAFETY: the table only holds live entries; `see` cannot change the keyspace (shared borrow).
            see(unsafe { EntryPointer::from_raw(at).entry() });
        })
    }

    /// Calls `see` with every entry of a database, expired ones included.
    pub fn each(&self, database: u32, mut see: impl FnMut(Entry<'_>)) {
        for at in self.databases[database as usize].keys.entries() {
            // SAFETY: as in `scan`.
            see(unsafe { EntryPointer::from_raw(at).entry() });
        }
    }

    /// Draws an entry, each with the same probability. None when there is no key or when the drawn one had expired (it is
    /// removed then): draw again, from all shards alike, or keys next to expired ones would be drawn more often.
    pub fn draw(&mut self, database: u32, turn: Turn) -> Option<Entry<'_>> {
        let random = &mut self.random;
        let at = self.databases[database as usize].keys.random(&mut || random.next_u64())?;
        // SAFETY: the table only holds live entries.
        let pointer = unsafe { EntryPointer::from_raw(at) };
        // SAFETY: as above, and nothing is changed while the reference lives.
        if unsafe { pointer.entry() }.is_expired(turn.now_ms) {
            if !turn.keep_expired {
                let hash = hash_of_entry(&self.hasher, at);
                self.counters.expired_keys += 1;
                // SAFETY: as above.
                self.journal.removed(database, unsafe { pointer.entry() }.key());
                self.remove_entry(database, hash, pointer);
            }
            return None;
        }
        // SAFETY: as above; the borrow of `self` keeps the entry.
        Some(unsafe { pointer.entry() })
    }

    /// Empties one database; what was in it is freed in slices. Returns the number of keys it had.
    pub fn flush(&mut self, database: u32, now_ms: i64) -> usize {
        if let Some(watchers) = &mut self.watchers {
            let (tables, hasher) = (&self.databases[database as usize], &self.hasher);
            watchers.touch_where(database, |key| tables.has_live(&hasher.key(key), now_ms));
        }
        let emptied = std::mem::replace(&mut self.databases[database as usize], Database::new());
        let count = emptied.len();
        self.bury_or_keep(emptied);
        self.counters.changes += count as u64;
        self.journal.changes += 1;
        if let Some(waiters) = &mut self.waiters {
            waiters.signal_all(database);
        }
        count
    }

    /// SWAPDB: this shard's part of exchanging two databases. The change is the server's; its command counts it once.
    pub fn swap_databases(&mut self, one: u32, other: u32, now_ms: i64) {
        self.remove_stale_watched([one, other], now_ms);
        if let Some(watchers) = &mut self.watchers {
            let (first, second) = (&self.databases[one as usize], &self.databases[other as usize]);
            let hasher = &self.hasher;
            // A watched key changes unless it is in neither.
            let mut is_changed = |key: &[u8]| {
                let key = hasher.key(key);
                first.has_live(&key, now_ms) || second.has_live(&key, now_ms)
            };
            watchers.touch_where(one, &mut is_changed);
            watchers.touch_where(other, &mut is_changed);
        }
        self.databases.swap(one as usize, other as usize);
        self.journal.changes += 1;
        if let Some(waiters) = &mut self.waiters {
            waiters.signal_all(one);
            waiters.signal_all(other);
        }
    }

    /// Removes what has expired under the names of watched keys of two databases without telling their watchers: for them
    /// nothing was there, and nothing is there after the exchange.
    fn remove_stale_watched(&mut self, databases: [u32; 2], now_ms: i64) {
        let Some(watchers) = self.watchers.take() else { return };
        for key in databases.into_iter().flat_map(|database| watchers.keys(database)) {
            let key = self.hasher.clone().key(key);
            for database in databases {
                self.find_live(database, &key, Turn::at(now_ms, false));
            }
        }
        self.watchers = Some(watchers);
    }

    /// A key was changed or is gone: whoever waits for it or watches it is told.
    #[inline]
    pub(super) fn report(&mut self, database: u32, key: &[u8]) {
        if let Some(waiters) = &mut self.waiters {
            waiters.signal(database, key);
        }
        if let Some(watchers) = &mut self.watchers {
            watchers.touch(database, key);
        }
    }

    /// Keys were written that somebody waits for: `shard/wait` must serve them before the box leaves the hand.
    #[inline]
    pub fn has_ready(&self) -> bool {
        self.waiters.as_ref().is_some_and(|waiters| waiters.has_ready())
    }

    /// A random number for commands that need one.
    pub fn random_u64(&mut self) -> u64 {
        self.random.next_u64()
    }

    /// A random number below `bound`, each with the same probability; `bound` must not be 0.
    pub fn random_below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }
}

#[cfg(test)]
impl Keyspace {
    /// Asserts that the index of expiries holds exactly the volatile entries.
    pub(super) fn assert_indexed(&self) {
        use std::collections::BTreeSet;

        use crate::value::hash::Hash;

        for tables in &self.databases {
            let (mut volatile, mut indexed, mut count) = (BTreeSet::new(), BTreeSet::new(), 0);
            let (mut with_times, mut fields_indexed) = (BTreeSet::new(), BTreeSet::new());
            let mut cursor = 0;
            loop {
                cursor = tables.keys.scan(cursor, |at| {
                    count += 1;
                    // SAFETY: the table only holds live entries.
                    let entry = unsafe { EntryPointer::from_raw(at).entry() };
                    if entry.expire_at_ms().is_some() {
                        volatile.insert(at);
                    }
                    let has_times = entry.collection::<Hash>().is_some_and(|hash| hash.first_time().is_some());
                    assert_eq!(has_times, entry.has_field_times());
                    if has_times {
                        with_times.insert(at);
                    }
                });
                if cursor == 0 {
                    break;
                }
            }
            loop {
                cursor = tables.expires.scan(cursor, |at| assert!(indexed.insert(at), "indexed once"));
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(count, tables.keys.len());
            assert_eq!(indexed.len(), tables.expires.len());
            assert_eq!(volatile, indexed);
            loop {
                cursor = tables.field_expires.scan(cursor, |at| assert!(fields_indexed.insert(at), "indexed once"));
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(with_times, fields_indexed);
        }
    }
}

impl Drop for Keyspace {
    fn drop(&mut self) {
        self.abort_snapshot();
        for database in &mut self.databases {
            self.graveyard.bury_table(std::mem::take(&mut database.keys));
        }
        while self.graveyard.free_slice() {}
    }
}

/// The hash of the entry at `at`, for tables that split or merge.
pub(super) fn hash_of_entry(hasher: &KeyHasher, at: std::ptr::NonNull<u8>) -> u64 {
    // SAFETY: tables call this with pointers they hold, which are live entries.
    hasher.hash(unsafe { EntryPointer::from_raw(at).entry() }.key())
}

#[cfg(test)]
#[path = "database_tests.rs"]
pub(super) mod tests;
