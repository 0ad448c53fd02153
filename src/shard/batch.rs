//! A batch: commands on their way to a shard's home core and back, in one box that is used again and again.
//!
//! Arguments are copied into the batch's own buffer (large ones go along by reference); the home core runs the commands
//! in order and writes their replies; the same box returns. In steady state nothing is allocated.

use bytes::Bytes;

use crate::command::args::Args;
use crate::command::table::Row;
use crate::keyspace::hold::HoldId;
use crate::keyspace::journal::Joint;
use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::ArgRange;
use crate::stdx::limits::{BATCH_BYTES_KEPT_MAX, BATCH_COMMANDS_MAX, BATCH_BYTES_MAX};

/// What the home core shall do with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Run the commands.
    Run,
    /// Phase 1 of a scattered command: hold the items' keys; read, or check, in the same step.
    Hold,
    /// Phase 2: do the items and let go of their keys. (A command that is not applied sends `Message::Release`.)
    Apply,
}

/// How a batch came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As asked.
    Done,
    /// A hold was refused: a loan is queued or a key is held by another.
    Refused,
    /// A handler panicked at this command; its client is to be closed.
    Panicked,
}

/// One command of a batch.
#[derive(Clone, Copy)]
pub struct BatchCommand {
    /// Its row.
    pub row: &'static Row,
    first_range: u32,
    range_count: u32,
    /// The client's database.
    pub database: u32,
    /// The hash of the first key.
    pub hash: u64,
    /// The client's protocol when it sent the command.
    pub protocol: Protocol,
    /// Reads count as uses of their keys.
    pub touch: bool,
}

/// See the file's head.
pub struct Batch {
    /// The sending core.
    pub from: u16,
    /// The shard.
    pub shard: u16,
    /// The sender's number for it.
    pub ticket: u32,
    /// The sender's session, so that a session's batches keep their order at the home core.
    pub session: u64,
    /// What to do.
    pub phase: Phase,
    /// Names the scattered command in phases other than `Run`.
    pub hold: HoldId,
    /// Phase `Apply` of a command that is recorded: its place among what concerns several shards.
    pub joint: Option<Joint>,
    /// When it came back: the shard's chunks that its replies depend on.
    pub chunks: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// Replies of all commands, one after the other.
    pub reply: Reply,
    /// The sum of what scattered parts returned.
    pub sum: i64,
    /// Nanoseconds that a scattered command's items took here.
    pub spent_ns: u64,
    /// Commands that took long here (`slowlog-log-slower-than`): which, and nanoseconds.
    pub slow: Vec<(u32, u64)>,
    /// The next command to run (a batch that met a held key goes on here).
    pub next: usize,
    commands: Vec<BatchCommand>,
    buffer: Vec<u8>,
    ranges: Vec<ArgRange>,
    bigs: Vec<Bytes>,
    ends: Vec<usize>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch {
            from: 0,
            shard: 0,
            ticket: 0,
            session: 0,
            phase: Phase::Run,
            hold: HoldId { core: 0, operation: 0 },
            joint: None,
            chunks: 0,
            outcome: Outcome::Done,
            reply: Reply::new(Protocol::Resp2),
            sum: 0,
            spent_ns: 0,
            slow: Vec::new(),
            next: 0,
            commands: Vec::new(),
            buffer: Vec::new(),
            ranges: Vec::new(),
            bigs: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Empties the batch for its next use; buffers beyond `BATCH_BYTES_KEPT_MAX` are given back.
    pub fn clear(&mut self) {
        self.phase = Phase::Run;
        self.outcome = Outcome::Done;
        (self.joint, self.chunks) = (None, 0);
        self.sum = 0;
        self.spent_ns = 0;
        self.slow.clear();
        self.next = 0;
        self.reply.clear();
        self.commands.clear();
        self.ranges.clear();
        self.bigs.clear();
        self.ends.clear();
        self.buffer.clear();
        self.buffer.shrink_to(BATCH_BYTES_KEPT_MAX);
        self.ranges.shrink_to(BATCH_BYTES_KEPT_MAX / 8);
    }

    /// No more commands should be added: the batch has reached a limit.
    pub fn is_full(&self) -> bool {
        self.commands.len() >= BATCH_COMMANDS_MAX || self.buffer.len() >= BATCH_BYTES_MAX
    }

    /// Bytes of memory the commands take.
    pub fn memory_bytes(&self) -> usize {
        let bigs: usize = self.bigs.iter().map(Bytes::len).sum();
        self.buffer.capacity() + self.ranges.capacity() * size_of::<ArgRange>() + bigs
    }

    /// Number of commands.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// No commands.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Adds a command, or the given arguments of one.
    pub fn push<'a>(
        &mut self,
        row: &'static Row,
        args: Args<'a>,
        picked: impl Iterator<Item = usize>,
        database: u32,
        hash: u64,
        protocol: Protocol,
        touch: bool,
    ) {
        let first_range = self.ranges.len() as u32;
        for index in picked {
            let range = match args.shared(index) {
                Some(big) => {
                    self.bigs.push(big.clone());
                    ArgRange::big(self.bigs.len() - 1)
                }
                None => {
                    let start = self.buffer.len() as u32;
                    let bytes = args.get(index);
                    self.buffer.extend_from_slice(bytes);
                    ArgRange { start, len: bytes.len() as u32 }
                }
            };
            self.ranges.push(range);
        }
        let range_count = self.ranges.len() as u32 - first_range;
        self.commands.push(BatchCommand { row, first_range, range_count, database, hash, protocol, touch });
    }

    /// One command.
    pub fn command(&self, index: usize) -> BatchCommand {
        self.commands[index]
    }

    /// A command's arguments and the reply it shall write to.
    pub fn command_and_reply(&mut self, index: usize) -> (Args<'_>, &mut Reply) {
        let command = self.commands[index];
        let first = command.first_range as usize;
        let ranges = &self.ranges[first..first + command.range_count as usize];
        (Args::new(&self.buffer, ranges, &self.bigs), &mut self.reply)
    }

    /// A command's arguments.
    pub fn args(&self, index: usize) -> Args<'_> {
        let command = self.commands[index];
        let first = command.first_range as usize;
        Args::new(&self.buffer, &self.ranges[first..first + command.range_count as usize], &self.bigs)
    }

    /// Notes that the reply of the next command ends here.
    pub fn end_reply(&mut self) {
        self.ends.push(self.reply.position());
    }

    /// Where the replies of the commands `from..to` stand in `reply`.
    pub fn reply_range(&self, from: usize, to: usize) -> (usize, usize) {
        let start = if from == 0 { 0 } else { self.ends[from - 1] };
        (start, self.ends[to - 1])
    }

    /// Number of replies written.
    pub fn replies_len(&self) -> usize {
        self.ends.len()
    }
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}
