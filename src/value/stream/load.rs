//! Streams from files: nodes come in as bytes, groups entry by entry, and everything is checked, so that a damaged or
//! malicious file cannot break what the rest of the stream code relies on. Called by readers of RDB files and by RESTORE.

use super::Stream;
use super::group::{ConsumerIndex, Group, Pending};
use super::id::StreamId;
use super::node::Node;

/// The file contradicts itself; says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged(pub &'static str);

/// What a file says of a stream beside its entries; older files (RDB type 15) have the last ID only.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Number of entries.
    pub length: u64,
    /// The greatest ID ever given.
    pub last_id: StreamId,
    /// What came with Redis 7.0.
    pub since_7_0: Option<NewerFacts>,
}

/// What files say since Redis 7.0.
#[derive(Clone, Copy, Debug)]
pub struct NewerFacts {
    /// ID of the first entry.
    pub first_id: StreamId,
    /// The greatest ID that was deleted.
    pub max_deleted_id: StreamId,
    /// Entries ever added.
    pub entries_added: u64,
}

impl Stream {
    /// Puts the next node, a listpack in Redis' layout, behind those that are there.
    pub fn load_node(&mut self, master_id: StreamId, listpack: Vec<u8>) -> Result<(), Damaged> {
        let node = Node::from_bytes(listpack).ok_or(Damaged("Stream listpack integrity check failed."))?;
        if !self.parts.log.load_node(master_id, node) {
            return Err(Damaged("Listpack re-added with existing key"));
        }
        Ok(())
    }

    /// Sets what is remembered, when all nodes are there.
    pub fn load_facts(&mut self, facts: Facts) -> Result<(), Damaged> {
        let log = &mut self.parts.log;
        if facts.length != log.len() {
            return Err(Damaged("Stream length inconsistent with rax entries"));
        }
        if !log.iter().map(|entry| entry.id).is_sorted_by(|before, after| before < after) {
            return Err(Damaged("Stream entries out of order"));
        }
        if log.last_live_id().is_some_and(|last| last > facts.last_id) {
            return Err(Damaged("Stream entry behind the last ID"));
        }
        log.last_id = facts.last_id;
        match facts.since_7_0 {
            Some(newer) => {
                log.first_id = newer.first_id;
                log.max_deleted_id = newer.max_deleted_id;
                log.entries_added = newer.entries_added;
            }
            None => {
                log.find_first();
                log.max_deleted_id = StreamId::MIN;
                log.entries_added = log.len();
            }
        }
        Ok(())
    }

    /// Adds a group that was loaded whole.
    pub fn load_group(&mut self, loading: LoadingGroup) -> Result<(), Damaged> {
        if !loading.unowned.is_empty() {
            return Err(Damaged("NACK entry without consumer"));
        }
        if !self.add_group(loading.group) {
            return Err(Damaged("Duplicated consumer group name"));
        }
        Ok(())
    }
}

/// A group while it is being loaded: files have first everything that is pending, then the consumers.
#[derive(Debug)]
pub struct LoadingGroup {
    group: Group,
    /// Pending entries whose consumer has not come yet, with when and how often they were delivered.
    unowned: std::collections::BTreeMap<StreamId, (i64, u64)>,
}

impl LoadingGroup {
    /// A group of this name.
    pub fn new(name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> LoadingGroup {
        LoadingGroup { group: Group::new(name, last_id, entries_read), unowned: Default::default() }
    }

    /// A pending entry.
    pub fn pending(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) -> Result<(), Damaged> {
        match self.unowned.insert(id, (delivered_ms, deliveries)) {
            None => Ok(()),
            Some(_) => Err(Damaged("Duplicated global PEL entry loading stream consumer group")),
        }
    }

    /// A consumer. Files before Redis 7.2 do not say when it was active: then `seen_ms` is the best guess.
    pub fn consumer(&mut self, name: &[u8], seen_ms: i64, active_ms: i64) -> Result<ConsumerIndex, Damaged> {
        let created = self.group.create_consumer(name, seen_ms);
        let index = created.ok_or(Damaged("Duplicate stream consumer detected."))?;
        self.group.consumer_mut(index).active_ms = active_ms;
        Ok(index)
    }

    /// An entry that is pending for this consumer.
    pub fn consumer_pending(&mut self, consumer: ConsumerIndex, id: StreamId) -> Result<(), Damaged> {
        let found = self.unowned.remove(&id);
        let (delivered_ms, deliveries) = found.ok_or(Damaged("Consumer entry not found in group global PEL"))?;
        self.group.assign(id, Pending { consumer, delivered_ms, deliveries });
        Ok(())
    }
}
