//! How one core reaches data: boxes taken from shelves, messages over the rings, its own shard's home side.
//!
//! Invariants: a box is at one place — on its shelf, in `boxes` of one core, in a message, or in a borrower's loan.
//! Between two calls from above, `boxes` is empty unless the home side keeps its own box for queued work.
//! Only the owning core calls this.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::keyspace::{KeyHasher, Keyspace};
use crate::pubsub::registry::Publication;
use crate::runtime::doorbell::Doorbell;
use crate::runtime::ring::{Receiver, Sender};
use crate::runtime::shelf::{PutResult, Shelf};
use crate::stdx::limits::{BATCHES_KEPT_MAX, OVERFLOW_MESSAGES_MAX, SHELF_SPINS};

use super::batch::Batch;
use super::home::Home;
use super::log::link::LogLink;
use super::message::Message;

/// What all cores share: where boxes stand, and how to wake each other.
pub struct Meeting {
    /// One shelf per shard.
    pub shelves: Box<[Shelf<Keyspace>]>,
    /// One doorbell per core.
    pub doorbells: Box<[Doorbell]>,
}

/// What one core's session side has to look at after a pump.
pub enum Event {
    /// A batch came back.
    BatchDone(Box<Batch>),
    /// A borrowed box arrived.
    Lent {
        /// Whose box it is.
        shard: usize,
        /// The box.
        keyspace: Box<Keyspace>,
    },
    /// A batch stands at a command that takes further boxes: clients wait for its keys who could not be served without.
    BatchNeeds {
        /// The batch.
        batch: Box<Batch>,
        /// The shards, one bit each, this one among them.
        shards: u64,
    },
    /// Anything that does not concern data.
    Other(Message),
}

/// One core's way to all data.
pub struct Exchange {
    /// This core, and its home shard.
    pub core: usize,
    /// Boxes in hand, by shard.
    pub boxes: Vec<Option<Box<Keyspace>>>,
    /// Hashes and routes keys.
    pub hasher: KeyHasher,
    /// The home side of this core's shard.
    pub home: Home,
    /// For the session side: what came in.
    pub events: VecDeque<Event>,
    meeting: Arc<Meeting>,
    senders: Vec<Option<Sender<Message>>>,
    receivers: Vec<Receiver<Message>>,
    overflow: Vec<VecDeque<Message>>,
    overflow_len: usize,
    to_self: VecDeque<Message>,
    spare_batches: Vec<Box<Batch>>,
    /// The way to the log.
    pub log: Option<LogLink>,
    missed: u64,
}

impl Exchange {
    /// The exchange of one core. `senders` has a ring to every other core, `receivers` all rings that end here.
    pub fn new(
        core: usize,
        meeting: Arc<Meeting>,
        hasher: KeyHasher,
        senders: Vec<Option<Sender<Message>>>,
        receivers: Vec<Receiver<Message>>,
    ) -> Exchange {
        let shards = meeting.shelves.len();
        Exchange {
            core,
            boxes: (0..shards).map(|_| None).collect(),
            hasher,
            home: Home::default(),
            events: VecDeque::new(),
            meeting,
            senders,
            receivers,
            overflow: (0..shards).map(|_| VecDeque::new()).collect(),
            overflow_len: 0,
            to_self: VecDeque::new(),
            spare_batches: Vec::new(),
            log: None,
            missed: 0,
        }
    }

    /// Number of shards.
    pub fn shards(&self) -> usize {
        self.boxes.len()
    }

    /// This core's doorbell.
    pub fn doorbell(&self) -> &Doorbell {
        &self.meeting.doorbells[self.core]
    }

    /// Takes a shard's box into hand, unless it was missed before in this turn. False: send a batch.
    #[inline]
    pub fn take(&mut self, shard: usize) -> bool {
        if self.boxes[shard].is_some() {
            return true;
        }
        if self.missed & (1 << shard) != 0 {
            return false;
        }
        if shard == self.core && self.home.is_busy() {
            self.missed |= 1 << shard;
            return false;
        }
        match self.meeting.shelves[shard].try_take(shard == self.core, SHELF_SPINS) {
            Some(keyspace) if keyspace.holds.is_empty() => {
                self.boxes[shard] = Some(keyspace);
                true
            }
            Some(keyspace) => {
                self.put(shard, keyspace);
                self.missed |= 1 << shard;
                false
            }
            None => {
                self.missed |= 1 << shard;
                false
            }
        }
    }

    /// Takes the boxes of all shards in the set, or none.
    pub fn take_all(&mut self, shards: u64) -> bool {
        for shard in bits(shards) {
            if !self.take(shard) {
                return false;
            }
        }
        true
    }

    /// Puts every box in hand back on its shelf, and forgets which were missed. Ends each turn of the session side.
    pub fn put_all(&mut self) {
        self.missed = 0;
        for shard in 0..self.boxes.len() {
            if let Some(keyspace) = self.boxes[shard].take() {
                self.put(shard, keyspace);
            }
        }
        self.flush_log();
    }

    pub(super) fn put(&mut self, shard: usize, mut keyspace: Box<Keyspace>) {
        self.leave_hand(shard, &mut keyspace);
        if self.meeting.shelves[shard].put(keyspace) == PutResult::Wanted {
            self.meeting.doorbells[shard].ring_if_parked();
        }
    }

    /// What must be done before a box leaves the hand.
    #[inline]
    pub(super) fn leave_hand(&mut self, shard: usize, keyspace: &mut Keyspace) {
        self.send_served(shard, keyspace);
        if let Some(log) = &mut self.log {
            log.ship(shard, &mut keyspace.journal);
        }
    }

    /// The changes of the boxes that left the hand go to the log.
    #[inline]
    pub fn flush_log(&mut self) {
        if let Some(log) = &mut self.log {
            log.flush();
        }
    }

    /// What left for the log is written: see `LogLink::settle`.
    #[inline]
    pub fn settle_log(&mut self, now_s: Option<u64>) {
        if let Some(log) = &mut self.log {
            log.settle(&self.meeting, now_s);
        }
    }

    /// Clients that were served while the box was in hand get their replies. Must be done before it leaves the hand.
    #[inline]
    fn send_served(&mut self, shard: usize, keyspace: &mut Keyspace) {
        let Some(waiters) = &mut keyspace.waiters else { return };
        debug_assert!(!waiters.has_ready(), "whoever writes serves");
        for served in std::mem::take(&mut waiters.served) {
            self.send(served.core as usize, Message::Served(Box::new(served)));
        }
        for (database, key) in std::mem::take(&mut waiters.retries) {
            self.send(shard, Message::Signal { database, key });
        }
        if waiters.is_empty() {
            keyspace.waiters = None;
        }
    }

    /// The home side asks for its own box: takers leave it alone from now on, and whoever has it rings our doorbell.
    pub(super) fn want_own(&mut self) -> bool {
        if self.boxes[self.core].is_some() {
            return true;
        }
        let shelf = &self.meeting.shelves[self.core];
        let taken = shelf.try_take(true, SHELF_SPINS).or_else(|| shelf.want());
        self.boxes[self.core] = taken;
        self.boxes[self.core].is_some()
    }

    /// Sends a message; to this core itself it is processed by the next pump.
    pub fn send(&mut self, to: usize, message: Message) {
        if to == self.core {
            self.to_self.push_back(message);
            return;
        }
        if self.overflow[to].is_empty() {
            let sender = self.senders[to].as_mut().expect("there is a ring to every other core");
            match sender.push(message) {
                Ok(()) => {
                    self.meeting.doorbells[to].ring_if_parked();
                }
                Err(message) => {
                    self.overflow[to].push_back(message);
                    self.overflow_len += 1;
                }
            }
        } else {
            self.overflow[to].push_back(message);
            self.overflow_len += 1;
        }
    }

    /// So much is queued beyond the rings that sessions must not be read for now.
    pub fn is_congested(&self) -> bool {
        self.overflow_len >= OVERFLOW_MESSAGES_MAX || self.log.as_ref().is_some_and(LogLink::is_congested)
    }

    /// Moves what did not fit before into the rings.
    fn drain_overflow(&mut self) {
        for to in 0..self.overflow.len() {
            let mut pushed = false;
            while let Some(message) = self.overflow[to].pop_front() {
                let sender = self.senders[to].as_mut().expect("only other cores have an overflow");
                if let Err(message) = sender.push(message) {
                    self.overflow[to].push_front(message);
                    break;
                }
                self.overflow_len -= 1;
                pushed = true;
            }
            if pushed {
                self.meeting.doorbells[to].ring_if_parked();
            }
        }
    }

    /// The next message for this core, rings in turn.
    pub(super) fn receive(&mut self) -> Option<Message> {
        if let Some(message) = self.to_self.pop_front() {
            return Some(message);
        }
        self.receivers.iter_mut().find_map(Receiver::pop)
    }

    /// Whether a pump would find anything to do. Asked once more between announcing to park and parking.
    pub fn has_work(&mut self) -> bool {
        let shelf = &self.meeting.shelves[self.core];
        !self.to_self.is_empty()
            || !self.events.is_empty()
            || self.receivers.iter_mut().any(|ring| !ring.is_empty())
            || (self.home.wants_box() && shelf.has_box())
            || (self.overflow_len > 0 && self.overflow_has_room())
            || self.log.as_ref().is_some_and(LogLink::has_work)
    }

    /// What is not done or not put away. For tests and the simulation.
    pub fn leftover(&mut self) -> Option<&'static str> {
        [
            (self.has_work(), "work for its pump"),
            (self.boxes.iter().any(Option::is_some), "a box in hand"),
            (self.overflow_len > 0, "messages beyond a ring"),
            (self.log.as_ref().is_some_and(LogLink::is_waiting), "changes beyond the ring to the log"),
            (self.missed != 0, "a turn that did not end"),
        ]
        .into_iter()
        .find_map(|(left, what)| left.then_some(what))
        .or_else(|| self.home.leftover())
    }

    fn overflow_has_room(&self) -> bool {
        self.overflow.iter().zip(&self.senders).any(|(queue, sender)| {
            !queue.is_empty() && sender.as_ref().is_some_and(|sender| sender.len() < sender.capacity())
        })
    }

    /// An empty batch for a shard.
    pub fn new_batch(&mut self, shard: usize, ticket: u32, session: u64) -> Box<Batch> {
        let mut batch = self.spare_batches.pop().unwrap_or_default();
        batch.from = self.core as u16;
        batch.shard = shard as u16;
        batch.ticket = ticket;
        batch.session = session;
        batch
    }

    /// Takes a batch back whose replies have been used.
    pub fn recycle(&mut self, mut batch: Box<Batch>) {
        if self.spare_batches.len() < BATCHES_KEPT_MAX {
            batch.clear();
            self.spare_batches.push(batch);
        }
    }

    /// One look at everything that came in: other cores' batches and loans are served, what concerns the session side
    /// is left in `events`. The box of the home shard is on its shelf afterwards, unless it is out.
    pub fn pump(&mut self, runner: &super::home::Runner<'_>) {
        // A bounded share per pump keeps sessions from waiting behind an endless stream of messages.
        const MESSAGES_PER_PUMP_MAX: usize = 4 * crate::stdx::limits::RING_SLOTS;
        for _ in 0..MESSAGES_PER_PUMP_MAX {
            let Some(message) = self.receive() else { break };
            match message {
                Message::Batch(batch) => self.enqueue_batch(batch),
                Message::Release(id) => self.home.enqueue_release(id),
                Message::Signal { database, key } => self.home.enqueue_signal(database, key),
                Message::Lend { to } => self.home.enqueue_loan(to),
                Message::Returned(keyspace) => {
                    self.boxes[self.core] = Some(keyspace);
                    self.home.returned();
                }
                Message::LoanRequest { from, shards } => {
                    for shard in bits(shards) {
                        self.send(shard, Message::Lend { to: from });
                    }
                }
                Message::BatchDone(batch) => self.events.push_back(Event::BatchDone(batch)),
                Message::Lent { keyspace, shard } => {
                    self.events.push_back(Event::Lent { shard: shard as usize, keyspace });
                }
                other => self.events.push_back(Event::Other(other)),
            }
        }
        self.wake_starved();
        self.run_home(runner);
        if self.overflow_len > 0 {
            self.drain_overflow();
        }
        self.flush_log();
    }

    /// The published messages that have come in, before everything else that has. Other messages keep their order.
    pub fn take_published(&mut self) -> Vec<Arc<Publication>> {
        let mut published = Vec::new();
        self.events.retain(|event| match event {
            Event::Other(Message::Published(publication)) => {
                published.push(publication.clone());
                false
            }
            _ => true,
        });
        for ring in &mut self.receivers {
            for _ in 0..ring.len() {
                match ring.pop() {
                    Some(Message::Published(publication)) => published.push(publication),
                    Some(other) => self.to_self.push_back(other),
                    None => break,
                }
            }
        }
        published
    }

    /// Wakes the cores that have more for us than their rings held.
    fn wake_starved(&mut self) {
        for (index, ring) in self.receivers.iter_mut().enumerate() {
            // Rings stand in the order of their senders, without our own; the last is from outside, which never waits.
            let from = index + usize::from(index >= self.core);
            if ring.take_starved()
                && let Some(doorbell) = self.meeting.doorbells.get(from)
            {
                doorbell.ring_if_parked();
            }
        }
    }

    /// The loan desk is the first core.
    pub fn request_loan(&mut self, shards: u64) {
        const LOAN_DESK: usize = 0;
        self.send(LOAN_DESK, Message::LoanRequest { from: self.core as u16, shards });
    }

    /// Sends borrowed boxes home.
    pub fn return_borrowed(&mut self, shards: u64) {
        for shard in bits(shards) {
            let mut keyspace = self.boxes[shard].take().expect("borrowed boxes are in hand while the command runs");
            self.leave_hand(shard, &mut keyspace);
            self.send(shard, Message::Returned(keyspace));
        }
    }
}

/// The numbers of the bits that are set.
pub fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if set == 0 {
            return None;
        }
        let bit = set.trailing_zeros() as usize;
        set &= set - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session's commands for one shard must not overtake each other within a turn: see `Core::run_window`.
    #[test]
    fn a_box_missed_once_is_missed_for_the_whole_turn() {
        let hasher = KeyHasher::new(1, 1);
        let meeting = Arc::new(Meeting {
            shelves: [Shelf::new(Box::new(Keyspace::new(1, hasher.clone(), 1)))].into(),
            doorbells: [Doorbell::silent()].into(),
        });
        let mut exchange = Exchange::new(0, meeting.clone(), hasher, vec![None], Vec::new());
        let keyspace = meeting.shelves[0].try_take(false, 0).expect("the box is here");
        assert!(!exchange.take(0));
        assert_eq!(meeting.shelves[0].put(keyspace), PutResult::Quiet);
        assert!(!exchange.take(0), "it is back, but not for this turn");
        exchange.put_all();
        assert!(exchange.take(0));
        exchange.put_all();
    }
}
