//! The state of one session.

use std::collections::VecDeque;

use crate::client::{Client, ReplyMode};
use crate::command::table::Row;
use crate::pubsub::subscribers::ClientSubscriptions;
use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::{BigRead, ProtocolError, RequestParser, Requests};
use super::block::Blocked;
use super::gate::Gate;
use super::transaction::{Transaction, Watch};
use crate::stdx::limits::{LATE_PIECES_MAX, OUTPUT_BYTES_PAUSE, READ_BUFFER_BYTES};

use super::memory::Sending;

/// Names a session on its core: its slot and how often the slot was used before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct SessionKey {
    /// The slot.
    pub slot: u32,
    /// Its use.
    pub generation: u32,
}

impl SessionKey {
    /// As one word, for messages.
    pub fn as_u64(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    /// Back from a message.
    pub fn from_u64(word: u64) -> SessionKey {
        SessionKey { slot: word as u32, generation: (word >> 32) as u32 }
    }
}

/// Why a session does not go on with its commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stall {
    /// It goes on.
    None,
    /// Its batches must return first.
    Drain,
    /// Boxes it needs were out; it tries again in its next turn.
    Retry,
    /// A command over several cores is under way.
    Operation,
    /// Clients are paused.
    Paused,
    /// Its command waits for a key.
    Blocked,
}

/// A piece of a session's replies that cannot leave yet because something before it is missing.
pub enum Segment {
    /// Written, waiting for what stands before it.
    Ready(Reply),
    /// Replies `from..to` of the batch with this ticket.
    Remote {
        /// The batch.
        ticket: u32,
        /// First reply.
        from: u32,
        /// One past the last.
        to: u32,
        /// CLIENT REPLY OFF: thrown away.
        discard: bool,
    },
    /// The reply of this operation, inside the reply of EXEC.
    Awaited(u32),
}

/// One session.
pub struct Session {
    /// Its name on this core.
    pub key: SessionKey,
    /// What is known of the client.
    pub client: Client,
    /// Bytes received and not yet used up. Given to the kernel while a read is under way.
    pub buffer: Vec<u8>,
    /// Length and capacity of the buffer (or of the big argument's) while the kernel has it, else zeros. For CLIENT LIST.
    pub buffer_lent: (usize, usize),
    /// What the kernel has of the replies. For CLIENT LIST.
    pub(super) sending: Sending,
    /// Bytes of the arguments of the command that runs alone or waits. For CLIENT LIST.
    pub(super) argument_bytes: usize,
    /// Bytes of the buffer when that command began. For CLIENT LIST.
    pub(super) input_bytes: usize,
    /// A large argument being read into its own buffer.
    pub big: Option<BigRead>,
    pub(super) parser: RequestParser,
    /// Parsed commands that wait because the session stalled among them.
    pub(super) requests: Option<Box<Requests>>,
    /// The next of them.
    pub(super) next: usize,
    /// Bytes of `buffer` that belong to parsed commands.
    pub(super) consumed: usize,
    /// Unparsed bytes may hold further commands.
    pub(super) more_input: bool,
    /// The client broke the protocol; said after the replies of what came before, then the connection closes.
    pub(super) protocol_error: Option<ProtocolError>,
    /// The client sent a request beyond `client-query-buffer-limit`: closed without a word.
    pub(super) over_limit: bool,
    /// It ran something in this turn that tells of data; INFO does not, so that it is there when the disk is full.
    pub(super) saw_data: bool,
    /// What the replies wait for.
    pub gate: Gate,
    /// Replies ready to leave.
    pub out: Reply,
    pub(super) segments: VecDeque<Segment>,
    /// Shards with batches of this session out; cleared when none is.
    pub(super) remote_shards: u64,
    pub(super) batches_out: usize,
    pub(super) stall: Stall,
    /// Commands queued since MULTI.
    pub(super) transaction: Option<Box<Transaction>>,
    /// Keys that EXEC depends on.
    pub(super) watch: Option<Box<Watch>>,
    /// The commands of a transaction are being run.
    pub(super) in_exec: bool,
    /// Channels and patterns it listens to.
    pub(super) subscriptions: Option<Box<ClientSubscriptions>>,
    /// Since when more waits to be sent to it than the soft limit allows, Unix time in milliseconds.
    pub(super) over_soft_limit_since_ms: Option<i64>,
    /// Its wait for a key.
    pub(super) blocked: Option<Box<Blocked>>,
    /// Shards that the script at which it stands turned out to need.
    pub(super) needs: u64,
    /// Times in a row that the boxes for its command were not all there.
    pub(super) misses: u32,
    /// The row of the last command: pipelines repeat themselves.
    pub(super) last_row: Option<&'static Row>,
    /// No more commands are read; the connection closes when the replies have left.
    pub closing: bool,
    /// The connection is to be closed at once.
    pub killed: bool,
    /// No more input will come (the client closed its side).
    pub input_ended: bool,
}

impl Session {
    /// A session of a client that has just connected.
    pub fn new(key: SessionKey, client: Client) -> Session {
        Session {
            key,
            client,
            buffer: Vec::with_capacity(READ_BUFFER_BYTES),
            buffer_lent: (0, 0),
            sending: Sending::default(),
            argument_bytes: 0,
            input_bytes: 0,
            big: None,
            parser: RequestParser::default(),
            requests: None,
            next: 0,
            consumed: 0,
            more_input: false,
            protocol_error: None,
            over_limit: false,
            saw_data: false,
            gate: Gate::default(),
            out: Reply::new(Protocol::Resp2),
            segments: VecDeque::new(),
            remote_shards: 0,
            batches_out: 0,
            stall: Stall::None,
            transaction: None,
            watch: None,
            in_exec: false,
            subscriptions: None,
            over_soft_limit_since_ms: None,
            blocked: None,
            needs: 0,
            misses: 0,
            last_row: None,
            closing: false,
            killed: false,
            input_ended: false,
        }
    }

    /// Where the next reply is written: straight to the output when nothing before it is missing.
    #[inline]
    pub(super) fn reply(&mut self) -> &mut Reply {
        let protocol = self.client.protocol;
        let reply = if self.segments.is_empty() {
            &mut self.out
        } else {
            if !matches!(self.segments.back(), Some(Segment::Ready(_))) {
                self.segments.push_back(Segment::Ready(Reply::new(protocol)));
            }
            match self.segments.back_mut() {
                Some(Segment::Ready(reply)) => reply,
                _ => unreachable!("pushed above"),
            }
        };
        reply.protocol = protocol;
        reply
    }

    /// Leaves a gap for one reply of a batch.
    pub(super) fn expect_remote(&mut self, ticket: u32, index: u32, discard: bool) {
        if let Some(Segment::Remote { ticket: last, to, discard: same, .. }) = self.segments.back_mut()
            && *last == ticket
            && *to == index
            && *same == discard
        {
            *to += 1;
            return;
        }
        self.segments.push_back(Segment::Remote { ticket, from: index, to: index + 1, discard });
    }

    /// Whether the reply of the command that begins now is thrown away (CLIENT REPLY).
    #[inline]
    pub(super) fn discards_reply(&mut self) -> bool {
        match self.client.reply_mode {
            ReplyMode::On => false,
            ReplyMode::Off => true,
            ReplyMode::SkipNext => {
                self.client.reply_mode = ReplyMode::On;
                true
            }
        }
    }

    /// Bytes of replies that wait for an earlier one from another core. Grows by a turn's replies at a time.
    pub fn late_bytes(&self) -> usize {
        let bytes = |segment: &Segment| match segment {
            Segment::Ready(reply) => reply.len_bytes(),
            Segment::Remote { .. } | Segment::Awaited(_) => 0,
        };
        self.segments.iter().map(bytes).sum()
    }

    /// So much waits for an earlier reply that no more should be added.
    pub(super) fn is_held_up(&self) -> bool {
        !self.segments.is_empty()
            && (self.segments.len() >= LATE_PIECES_MAX || self.late_bytes() >= OUTPUT_BYTES_PAUSE)
    }

    /// Takes in what arrived while the session stood still and its buffer was in use.
    pub fn receive_ahead(&mut self, mut bytes: &[u8]) {
        if let Some(big) = &mut self.big {
            let (mut buffer, room) = big.lend();
            let (own, rest) = bytes.split_at(room.min(bytes.len()));
            buffer.extend_from_slice(own);
            big.take_back(buffer);
            bytes = rest;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// It has output, and nobody has found out yet that it must wait.
    pub fn may_send(&self) -> bool {
        !self.out.is_empty() && !self.gate.is_noted()
    }

    /// Why it does not go on.
    pub fn stall(&self) -> Stall {
        self.stall
    }

    /// All commands received so far are done and their replies are in `out`.
    pub fn is_settled(&self) -> bool {
        self.stall == Stall::None && self.requests.is_none() && self.segments.is_empty() && !self.more_input
    }
}
