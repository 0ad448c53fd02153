//! From returned batches to the output: gaps are filled in request order.

use crate::shard::batch::{Batch, Outcome};

use super::core::Core;
use super::state::{Segment, Session, SessionKey};

/// A batch that is out, or back and not used up.
pub(super) struct Ticket {
    pub(super) session: SessionKey,
    pub(super) batch: Option<Box<Batch>>,
    /// Replies not used yet.
    pub(super) unused: usize,
}

impl Core {
    /// A batch of phase `Run` came back.
    pub(super) fn batch_returned(&mut self, batch: Box<Batch>) {
        let ticket = batch.ticket;
        let key = self.tickets[ticket as usize].session;
        let Some(mut session) = self.take_session(key) else {
            self.tickets.remove(ticket as usize);
            self.exchange.recycle(batch);
            return;
        };
        if batch.outcome == Outcome::Panicked {
            session.killed = true;
        }
        self.gate_by_chunks(&mut session, std::iter::once((batch.shard, batch.chunks)));
        for &(index, spent_ns) in &batch.slow {
            let index = index as usize;
            self.note_spent(&session, batch.command(index).row, batch.args(index), spent_ns);
        }
        self.tickets[ticket as usize].batch = Some(batch);
        session.batches_out -= 1;
        if session.batches_out == 0 {
            session.remote_shards = 0;
        }
        self.fill_gaps(&mut session);
        self.wake(key);
        self.put_session(session);
    }

    /// Moves everything that is no longer waited for into the output.
    pub(super) fn fill_gaps(&mut self, session: &mut Session) {
        while let Some(segment) = session.segments.front_mut() {
            match segment {
                Segment::Ready(reply) => {
                    let end = reply.position();
                    session.out.append_range(reply, 0, end);
                }
                Segment::Awaited(_) => return,
                Segment::Remote { ticket, from, to, discard } => {
                    let index = *ticket as usize;
                    let entry = &mut self.tickets[index];
                    let Some(batch) = &entry.batch else { return };
                    let written = (batch.replies_len() as u32).min(*to);
                    if !*discard && *from < written {
                        let (start, end) = batch.reply_range(*from as usize, written as usize);
                        session.out.append_range(&batch.reply, start, end);
                    }
                    entry.unused -= (*to - *from) as usize;
                    if entry.unused == 0 {
                        let entry = self.tickets.remove(index);
                        if let Some(batch) = entry.batch {
                            self.exchange.recycle(batch);
                        }
                    }
                }
            }
            session.segments.pop_front();
        }
    }
}
