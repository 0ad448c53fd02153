//! Replies that wait for the log: a session's output leaves only when everything it may tell of is safe, what others wrote
//! and it only read included: on the disk with `appendfsync always`, else with the kernel. So no client ever sees a value
//! that a crash could take back, of the machine or of this process.
//!
//! After a turn the session notes, for each shard whose box was in its hand, how many chunks of the log hold what was in the
//! box then; replies from other cores bring that number along. It runs nothing more until the log has come so far, so its
//! output grows by one turn at most meanwhile, and one sync serves all who wait. Where the kernel is enough, the first
//! writer that wants to send makes the core write what all its sessions wait for (`settle`).

use crate::keyspace::wait::Chunks;
use crate::runtime::log_marks::LogMarks;

use super::core::Core;
use super::state::{Session, SessionKey};

/// What a session waits for.
#[derive(Default)]
pub struct Gate {
    needs: Vec<Chunks>,
    /// The core wakes the session when the log has come so far.
    is_noted: bool,
}

impl Gate {
    /// Nothing is waited for.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.needs.is_empty()
    }

    /// The core wakes the session when it is open.
    pub fn is_noted(&self) -> bool {
        self.is_noted
    }

    /// The output tells of these chunks.
    fn raise(&mut self, chunks: Chunks, marks: &LogMarks) {
        let (shard, count) = chunks;
        if marks.durable(shard as usize) >= count {
            return;
        }
        match self.needs.iter_mut().find(|(of, _)| *of == shard) {
            Some((_, needed)) => *needed = count.max(*needed),
            None => self.needs.push(chunks),
        }
    }

    /// Forgets what is safe; true when that is all.
    fn try_open(&mut self, marks: &LogMarks) -> bool {
        self.needs.retain(|&(shard, count)| marks.durable(shard as usize) < count);
        self.needs.is_empty()
    }
}

impl Core {
    /// The session's turn ends: what it may have seen in the boxes in hand must be safe before it tells.
    #[inline]
    pub(super) fn gate_by_boxes(&mut self, session: &mut Session) {
        if std::mem::take(&mut session.saw_data) && self.server.log.gates_replies() {
            self.gate_all(session);
        }
    }

    fn gate_all(&mut self, session: &mut Session) {
        let Some(log) = &self.exchange.log else { return };
        for (shard, slot) in self.exchange.boxes.iter().enumerate() {
            if let Some(keyspace) = slot {
                session.gate.raise((shard as u16, keyspace.journal.chunks()), log.marks());
            }
        }
    }

    /// What must be safe before anybody is told of what was in the boxes in hand; nothing where replies do not wait.
    pub(super) fn chunks_in_hand(&self) -> Vec<Chunks> {
        if !self.server.log.gates_replies() {
            return Vec::new();
        }
        let boxes = self.exchange.boxes.iter().enumerate();
        boxes.filter_map(|(shard, slot)| slot.as_ref().map(|keyspace| (shard as u16, keyspace.journal.chunks()))).collect()
    }

    /// Replies came from elsewhere that tell of these chunks.
    pub(super) fn gate_by_chunks(&mut self, session: &mut Session, chunks: impl Iterator<Item = Chunks>) {
        if self.server.log.gates_replies()
            && let Some(log) = &self.exchange.log
        {
            chunks.for_each(|chunks| session.gate.raise(chunks, log.marks()));
        }
    }

    /// The session, if it has output that may leave now.
    pub fn sendable(&mut self, key: SessionKey) -> Option<&mut Session> {
        let session = self.session(key)?;
        if session.killed || session.out.is_empty() {
            return None;
        }
        if !session.gate.is_open() {
            let mut session = self.take_session(key)?;
            let is_open = self.try_gate(&mut session);
            self.put_session(session);
            if !is_open {
                return None;
            }
        }
        self.session(key)
    }

    /// Whether the session's output may leave, and it may go on. If not, it is woken when it may.
    pub(super) fn try_gate(&mut self, session: &mut Session) -> bool {
        if session.gate.is_open() {
            return true;
        }
        if !self.is_gate_open(session) {
            self.settle_log();
        }
        self.is_gate_open(session) || {
            self.note_gated(session);
            false
        }
    }

    fn is_gate_open(&self, session: &mut Session) -> bool {
        self.exchange.log.as_ref().is_none_or(|log| session.gate.try_open(log.marks()))
    }

    /// What the boxes recorded that were put back is written, by this core or another, unless that takes a sync.
    pub(super) fn settle_log(&mut self) {
        let stamps = self.server.log.stamps.load(std::sync::atomic::Ordering::Relaxed);
        let now_s = stamps.then(|| self.clock.unix_ms() as u64 / 1000);
        self.exchange.settle_log(now_s);
    }

    fn note_gated(&mut self, session: &mut Session) {
        let Some(log) = &mut self.exchange.log else { return };
        for &(shard, count) in &session.gate.needs {
            log.await_durable(self.id, shard as usize, count);
        }
        if !std::mem::replace(&mut session.gate.is_noted, true) {
            self.gated.push(session.key);
        }
    }

    /// Lets go on who waited for what is safe now.
    pub(super) fn open_gates(&mut self) {
        if self.gated.is_empty() {
            return;
        }
        if let Some(log) = &mut self.exchange.log {
            log.forget_awaited();
        }
        for key in std::mem::take(&mut self.gated) {
            self.open_gate(key);
        }
        if self.gated.is_empty()
            && let Some(log) = &self.exchange.log
        {
            log.marks().set_waiting(self.id, false);
        }
    }

    fn open_gate(&mut self, key: SessionKey) {
        let Some(mut session) = self.take_session(key) else { return };
        session.gate.is_noted = false;
        if self.is_gate_open(&mut session) {
            self.wake(key);
        } else {
            self.note_gated(&mut session);
        }
        self.put_session(session);
    }
}
