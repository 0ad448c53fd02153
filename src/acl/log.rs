//! ACL LOG: what was denied, the newest first. Equal denials within a minute are one entry with a count.

use std::collections::VecDeque;

use crate::stdx::limits::DENIAL_SEARCH_ENTRIES_MAX;

/// Denials farther apart are two entries.
const GROUPED_MS_MAX: i64 = 60_000;

/// Why something was denied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// The command is not allowed.
    Command,
    /// One of its keys is not.
    Key,
    /// Nobody is let in with this name and password.
    Authentication,
    /// One of its channels is not.
    Channel,
}

impl Reason {
    /// As ACL LOG names it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Authentication => "auth",
            Reason::Channel => "channel",
        }
    }
}

/// Where it was denied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A command of a client.
    TopLevel,
    /// A command of a transaction.
    Transaction,
    /// A command of a script.
    Script,
}

impl Place {
    /// As ACL LOG names it.
    pub fn name(self) -> &'static str {
        match self {
            Place::TopLevel => "toplevel",
            Place::Transaction => "multi",
            Place::Script => "lua",
        }
    }
}

/// A denial.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denied {
    /// Why.
    pub reason: Reason,
    /// Where.
    pub place: Place,
    /// The command's name, the key, the channel.
    pub object: Box<[u8]>,
    /// The user.
    pub user: Box<[u8]>,
}

/// One entry of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was denied.
    pub denied: Denied,
    /// How often.
    pub count: u64,
    /// Numbered from 0 since the server began.
    pub id: u64,
    /// Unix time in milliseconds of the first time.
    pub created_ms: i64,
    /// And of the last.
    pub updated_ms: i64,
    /// The client of the last time, as CLIENT LIST shows it.
    pub client: String,
}

/// See the file's head.
#[derive(Debug, Default)]
pub struct DenialLog {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl DenialLog {
    /// Notes a denial; at most `entries_max` entries stay.
    pub fn add(&mut self, denied: Denied, client: String, now_ms: i64, entries_max: usize) {
        if entries_max == 0 {
            self.entries.clear();
            return;
        }
        let same = |entry: &Entry| entry.denied == denied && (now_ms - entry.updated_ms).abs() <= GROUPED_MS_MAX;
        let found = self.entries.iter().take(DENIAL_SEARCH_ENTRIES_MAX).position(same);
        if let Some(mut entry) = found.and_then(|at| self.entries.remove(at)) {
            entry.count += 1;
            entry.updated_ms = now_ms;
            entry.client = client;
            self.entries.push_front(entry);
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.entries.push_front(Entry { denied, count: 1, id, created_ms: now_ms, updated_ms: now_ms, client });
        self.entries.truncate(entries_max);
    }

    /// The newest entries first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Forgets all entries; their numbers are not used again.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(object: &str) -> Denied {
        Denied {
            reason: Reason::Key,
            place: Place::TopLevel,
            object: object.as_bytes().into(),
            user: (*b"anna").into(),
        }
    }

    fn shown(log: &DenialLog) -> Vec<(u64, String, u64, i64)> {
        let object = |entry: &Entry| String::from_utf8_lossy(&entry.denied.object).into_owned();
        log.entries().map(|entry| (entry.id, object(entry), entry.count, entry.updated_ms - entry.created_ms)).collect()
    }

    #[test]
    fn equal_denials_are_counted() {
        let mut log = DenialLog::default();
        for (object, now_ms) in [("a", 0), ("b", 1), ("a", 60_000), ("c", 60_001), ("a", 120_001), ("b", 120_000)] {
            log.add(denied(object), "client".into(), now_ms, 4);
        }
        let expected = [(4, "b", 1, 0), (3, "a", 1, 0), (2, "c", 1, 0), (0, "a", 2, 60_000)];
        assert_eq!(shown(&log), expected.map(|(id, object, count, age)| (id, object.to_string(), count, age)));
        log.clear();
        assert!(shown(&log).is_empty());
        log.add(denied("a"), "client".into(), 120_002, 4);
        assert_eq!(shown(&log), [(5, "a".to_string(), 1, 0)]);
        log.add(denied("z"), "client".into(), 120_003, 0);
        assert!(shown(&log).is_empty());
    }
}
