//! Consumer groups: how far a group has read, its consumers, and what was delivered but not acknowledged (Redis' pending
//! entries list).
//!
//! Every pending entry stands once in its group with its data and once in the consumer it was delivered to, by its ID;
//! both change together, here only. Consumers are numbered; a number is used again once its consumer is gone.

use super::id::StreamId;
use super::id_map::IdMap;
use super::log::Log;

/// The number of a consumer in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerIndex(u32);

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Whom it was delivered to last.
    pub consumer: ConsumerIndex,
    /// When, Unix milliseconds.
    pub delivered_ms: i64,
    /// How often.
    pub deliveries: u64,
}

/// One consumer of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last asked for something, Unix milliseconds.
    pub seen_ms: i64,
    /// When it last got something; -1 for never.
    pub active_ms: i64,
    pending: IdMap<()>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// IDs of what it has not acknowledged, in order.
    pub fn pending_ids(&self) -> impl Iterator<Item = StreamId> + '_ {
        self.pending.iter().map(|(id, ())| id)
    }

    /// The same from an ID on.
    pub fn pending_ids_from(&self, start: StreamId) -> impl Iterator<Item = StreamId> + '_ {
        self.pending.iter_from(start).map(|(id, ())| id)
    }

    /// Number of entries it has not acknowledged.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }
}

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group {
    name: Box<[u8]>,
    /// The last entry that was delivered to anyone.
    pub last_id: StreamId,
    /// How many entries were added up to that one, where it is known.
    pub entries_read: Option<u64>,
    pending: IdMap<Pending>,
    consumers: Vec<Option<Box<Consumer>>>,
    /// The consumers' numbers in the order of their names.
    by_name: Vec<u32>,
}

impl Group {
    /// A group without consumers.
    pub fn new(name: &[u8], last_id: StreamId, entries_read: Option<u64>) -> Group {
        Group {
            name: name.into(),
            last_id,
            entries_read,
            pending: IdMap::default(),
            consumers: Vec::new(),
            by_name: Vec::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How many entries the group has still to read, where it can be told.
    pub fn lag(&self, log: &Log) -> Option<i64> {
        if log.entries_added() == 0 {
            return Some(0);
        }
        let read = match self.entries_read {
            Some(read) if !log.has_deleted_behind(self.last_id) => read,
            _ => log.entries_added_up_to(self.last_id)?,
        };
        Some(log.entries_added().wrapping_sub(read) as i64)
    }

    /// An entry behind all that were delivered so far is delivered.
    pub fn advance(&mut self, log: &Log, id: StreamId) {
        self.entries_read = match self.entries_read {
            Some(read) if !log.has_deleted_behind(id) => Some(read.wrapping_add(1)),
            _ if log.entries_added() > 0 => log.entries_added_up_to(id),
            unchanged => unchanged,
        };
        self.last_id = id;
    }

    // ---- consumers ----

    fn place_of(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|&number| self.consumer(ConsumerIndex(number)).name().cmp(name))
    }

    /// The consumer of this name.
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerIndex> {
        self.place_of(name).ok().map(|place| ConsumerIndex(self.by_name[place]))
    }

    /// Creates a consumer; none when there is one of this name.
    pub fn create_consumer(&mut self, name: &[u8], now_ms: i64) -> Option<ConsumerIndex> {
        let place = self.place_of(name).err()?;
        let consumer = Consumer { name: name.into(), seen_ms: now_ms, active_ms: -1, pending: IdMap::default() };
        let has_free = self.by_name.len() < self.consumers.len();
        let free = if has_free { self.consumers.iter().position(Option::is_none) } else { None };
        let number = free.unwrap_or(self.consumers.len());
        if number == self.consumers.len() {
            self.consumers.push(None);
        }
        self.consumers[number] = Some(Box::new(consumer));
        self.by_name.insert(place, number as u32);
        Some(ConsumerIndex(number as u32))
    }

    /// Removes a consumer with what is pending for it; returns how much that was.
    pub fn delete_consumer(&mut self, index: ConsumerIndex) -> usize {
        if let Ok(place) = self.place_of(&self.consumer(index).name.clone()) {
            self.by_name.remove(place);
        }
        let Some(consumer) = self.consumers[index.0 as usize].take() else { return 0 };
        for (id, ()) in consumer.pending.iter() {
            self.pending.remove(id);
        }
        consumer.pending.len()
    }

    /// A consumer that was not deleted.
    pub fn consumer(&self, index: ConsumerIndex) -> &Consumer {
        self.consumers[index.0 as usize].as_deref().expect("whoever deletes a consumer forgets its number")
    }

    /// As `consumer`, for changing its times.
    pub fn consumer_mut(&mut self, index: ConsumerIndex) -> &mut Consumer {
        self.consumers[index.0 as usize].as_deref_mut().expect("whoever deletes a consumer forgets its number")
    }

    /// All consumers in the order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        self.by_name.iter().map(|&number| self.consumer(ConsumerIndex(number)))
    }

    // ---- pending entries ----

    /// Number of pending entries.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// What is pending of an entry.
    pub fn pending(&self, id: StreamId) -> Option<Pending> {
        self.pending.get(id)
    }

    /// All that is pending, in order.
    pub fn all_pending(&self) -> impl DoubleEndedIterator<Item = (StreamId, Pending)> + '_ {
        self.pending.iter()
    }

    /// The same from an ID on.
    pub fn pending_from(&self, start: StreamId) -> impl Iterator<Item = (StreamId, Pending)> + '_ {
        self.pending.iter_from(start)
    }

    /// An entry is pending from now on for this consumer, as `pending` says, and for no other one.
    pub fn assign(&mut self, id: StreamId, pending: Pending) {
        let before = self.pending.insert(id, pending).map(|before| before.consumer);
        if before != Some(pending.consumer) {
            if let Some(before) = before {
                self.consumer_mut(before).pending.remove(id);
            }
            self.consumer_mut(pending.consumer).pending.insert(id, ());
        }
    }

    /// An entry is not pending any more; false when it was not.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(id) else { return false };
        self.consumer_mut(pending.consumer).pending.remove(id);
        true
    }

    /// What is pending for a consumer from an ID on is delivered to it again: `deliver` says of each whether it counts, or
    /// none to end.
    pub fn deliver_again(
        &mut self,
        index: ConsumerIndex,
        start: StreamId,
        now_ms: i64,
        mut deliver: impl FnMut(StreamId) -> Option<bool>,
    ) {
        let Group { pending, consumers, .. } = self;
        let Some(consumer) = consumers[index.0 as usize].as_deref() else { return };
        for (id, ()) in consumer.pending.iter_from(start) {
            let Some(counts) = deliver(id) else { return };
            if let Some(pending) = pending.get_mut(id).filter(|_| counts) {
                pending.delivered_ms = now_ms;
                pending.deliveries = pending.deliveries.wrapping_add(1);
            }
        }
    }

    // ---- memory ----

    /// Bytes of memory it takes, about: names of consumers count as short ones, what is pending as evenly spread.
    pub(super) fn memory_bytes(&self) -> usize {
        const CONSUMER_BYTES: usize = 160;
        let in_consumers = self.pending.len() * size_of::<StreamId>();
        let of_consumers = self.by_name.len() * CONSUMER_BYTES;
        size_of::<Group>() + self.name.len() + self.pending.memory_bytes() + in_consumers + of_consumers
    }

    /// How many allocations dropping it frees, about.
    pub(super) fn allocations(&self) -> usize {
        4 + 3 * self.by_name.len() + 2 * self.pending.chunks_count()
    }

    /// Frees about so many allocations; false when little is left.
    pub(super) fn free_slice(&mut self, allocations: usize) -> bool {
        let mut budget = allocations;
        self.by_name = Vec::new();
        while budget > 0 {
            if self.pending.free_chunk() {
                budget -= 1;
                continue;
            }
            let Some(last) = self.consumers.last_mut() else { return false };
            if last.as_mut().is_some_and(|consumer| consumer.pending.free_chunk()) {
                budget -= 1;
            } else {
                self.consumers.pop();
                budget = budget.saturating_sub(2);
            }
        }
        true
    }
}
