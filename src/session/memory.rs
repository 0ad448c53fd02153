//! What a session takes of memory, in the terms of Redis' CLIENT LIST.
//!
//! Redis answers into a buffer of fixed size first and into a list of blocks when that is full. A session here has one
//! buffer that grows, strings kept by reference, and pieces that wait for an earlier reply; to whoever watches for clients
//! that do not read, the first 16 KiB of the buffer are Redis' buffer, and all the rest is its list. Replies that other
//! cores hold for a session are not counted until they arrive.

use bytes::Bytes;

use super::state::{Segment, Session, Stall};

/// The size of Redis' own reply buffer. Output beyond is shown as its list.
const REPLY_BUFFER_BYTES: usize = 16 * 1024;

/// For so long the largest reply counts as the peak (Redis' default of `REPLYBUFFER PEAK-RESET-TIME`).
const PEAK_INTERVAL_MS: i64 = 5_000;

/// Replies that the kernel has, which are no longer in `Session::out`, and the largest of them for a while.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Sending {
    bytes: usize,
    capacity_bytes: usize,
    strings: usize,
    string_bytes: usize,
    peak_bytes: usize,
    /// When the peak began to be taken, unix time in milliseconds.
    peak_since_ms: i64,
}

/// See the file's head. In bytes but for `output_pieces`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct SessionMemory {
    /// Input that is not used up (`qbuf`).
    pub query: usize,
    /// Room for further input (`qbuf-free`).
    pub query_free: usize,
    /// Arguments of the command under way, read or waiting (`argv-mem`).
    pub arguments: usize,
    /// Commands queued since MULTI (`multi-mem`).
    pub transaction: usize,
    /// The reply buffer (`rbs`).
    pub reply_buffer: usize,
    /// The most that was in it for some seconds (`rbp`).
    pub reply_peak: usize,
    /// What is in it (`obl`).
    pub output: usize,
    /// Pieces of output beyond it (`oll`).
    pub output_pieces: usize,
    /// Their memory (`omem`).
    pub output_list: usize,
    /// All there is of the session (`tot-mem`).
    pub total: usize,
}

impl SessionMemory {
    /// Input and output of the session, for INFO's largest ones.
    pub fn input_and_output(&self) -> (usize, usize) {
        (self.query + self.query_free + self.arguments, self.reply_buffer + self.output_list)
    }
}

impl Session {
    /// Takes the replies that are ready out for sending; `output_sent` must follow.
    pub fn take_output(&mut self) -> (Vec<u8>, Vec<(usize, Bytes)>) {
        let (strings, string_bytes) = self.out.shared();
        let bytes = self.out.bytes().len();
        let now_ms = self.client.last_used_ms;
        let sending = &mut self.sending;
        (sending.bytes, sending.capacity_bytes) = (bytes, self.out.capacity_bytes());
        (sending.strings, sending.string_bytes) = (strings, string_bytes);
        if now_ms - sending.peak_since_ms > PEAK_INTERVAL_MS {
            (sending.peak_bytes, sending.peak_since_ms) = (bytes, now_ms);
        }
        sending.peak_bytes = sending.peak_bytes.max(bytes);
        self.out.take_parts()
    }

    /// What `take_output` handed out is with the client, or lost; `buffer` is its bytes.
    pub fn output_sent(&mut self, buffer: Vec<u8>) {
        self.sending =
            Sending { peak_bytes: self.sending.peak_bytes, peak_since_ms: self.sending.peak_since_ms, ..Sending::default() };
        self.out.give_back(buffer);
    }

    /// Bytes received and not used up, wherever they are: in the buffers or with the kernel.
    pub fn query_bytes(&self) -> usize {
        self.buffer.len() + self.buffer_lent.0 + self.big.as_ref().map_or(0, |big| big.received())
    }

    /// The kernel has replies that have not left yet.
    pub(super) fn is_sending(&self) -> bool {
        self.sending.bytes > 0
    }

    /// Bytes that wait to be sent, wherever they are.
    pub(super) fn output_bytes(&self) -> usize {
        self.out.len_bytes() + self.sending.bytes + self.sending.string_bytes + self.late_bytes()
    }

    /// The session's memory now.
    pub fn memory(&self, now_ms: i64) -> SessionMemory {
        // The answer to CLIENT LIST comes when its own input has been dropped; for Redis it is still there.
        let input_bytes = if self.stall == Stall::Operation { self.input_bytes } else { 0 };
        let query = self.query_bytes().max(input_bytes);
        let big = self.big.as_ref().map_or(0, |big| big.capacity_bytes());
        let query_capacity = self.buffer.capacity() + self.buffer_lent.1 + big;
        let (in_buffer, apart) = self.parser.argument_bytes();
        let arguments = if self.stall == Stall::None { in_buffer + apart } else { self.argument_bytes };

        let sending = &self.sending;
        let written = self.out.bytes().len() + sending.bytes;
        let capacity = self.out.capacity_bytes() + sending.capacity_bytes;
        let reply_buffer = if written > REPLY_BUFFER_BYTES { REPLY_BUFFER_BYTES } else { capacity };
        let beyond = capacity - reply_buffer;
        let (strings, string_bytes) = self.out.shared();
        let late = self.late_bytes() + self.segments.len() * size_of::<Segment>();
        let output_list = beyond + string_bytes + sending.string_bytes + late;
        let recent = now_ms - sending.peak_since_ms <= PEAK_INTERVAL_MS;

        let client = &self.client;
        let texts = [&client.name, &client.library_name, &client.library_version];
        let texts = texts.iter().map(|text| text.as_ref().map_or(0, |text| text.len())).sum::<usize>()
            + client.address.capacity()
            + client.local_address.capacity();
        let transaction = self.transaction.as_ref().map_or(0, |transaction| transaction.memory_bytes());
        let requests = self.requests.as_ref().map_or(0, |requests| requests.memory_bytes());
        SessionMemory {
            query,
            query_free: query_capacity.saturating_sub(query),
            arguments,
            transaction,
            reply_buffer,
            reply_peak: written.max(if recent { sending.peak_bytes } else { 0 }).min(reply_buffer),
            output: written.min(REPLY_BUFFER_BYTES),
            output_pieces: strings + sending.strings + self.segments.len() + usize::from(beyond > 0),
            output_list,
            total: size_of::<Session>()
                + query_capacity
                + apart
                + transaction
                + requests
                + reply_buffer
                + output_list
                + self.subscriptions.as_ref().map_or(0, |subscriptions| subscriptions.memory_bytes())
                + texts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::resp::request::{RequestLimits, Requests};
    use crate::session::state::SessionKey;
    use crate::stdx::limits::{BIG_ARGUMENT_BYTES_FIRST, READ_BUFFER_BYTES, SHARED_VALUE_BYTES_MIN};

    const NOW_MS: i64 = 1_000_000;

    fn session() -> Session {
        let client = Client::new(1, String::new(), String::new(), NOW_MS);
        Session::new(SessionKey { slot: 0, generation: 0 }, client)
    }

    fn parse(session: &mut Session, bytes: &[u8]) {
        session.buffer.extend_from_slice(bytes);
        let limits =
            RequestLimits { bulk_bytes_max: 1 << 20, query_buffer_bytes_max: 1 << 30, authenticated: true };
        let mut requests = Requests::default();
        let (end, used) = session.parser.parse(&session.buffer, 0, &limits, 1, &mut requests);
        assert!(requests.commands.is_empty(), "the request is not whole");
        session.buffer.drain(..used);
        if let crate::resp::request::ParseEnd::BigArgument(big) = end {
            session.big = Some(big);
        }
    }

    #[test]
    fn an_idle_session() {
        let memory = session().memory(NOW_MS);
        let expected = SessionMemory {
            query_free: READ_BUFFER_BYTES,
            total: READ_BUFFER_BYTES + size_of::<Session>(),
            ..SessionMemory::default()
        };
        assert_eq!(memory, expected);
    }

    #[test]
    fn input_that_has_not_arrived_whole() {
        let mut session = session();
        let start = b"*3\r\n$3\r\nSET\r\n$5\r\nabcde\r\n";
        parse(&mut session, start);
        let memory = session.memory(NOW_MS);
        assert_eq!((memory.query, memory.arguments), (start.len(), 8));
        assert_eq!(memory.query_free, READ_BUFFER_BYTES - start.len());

        parse(&mut session, b"$200000\r\n0123456789");
        let memory = session.memory(NOW_MS);
        assert_eq!((memory.query, memory.arguments), (10, 8), "the big argument has a buffer of its own");
        assert_eq!(memory.query + memory.query_free, READ_BUFFER_BYTES + BIG_ARGUMENT_BYTES_FIRST);
        assert_eq!(memory.total, READ_BUFFER_BYTES + BIG_ARGUMENT_BYTES_FIRST + size_of::<Session>() + 8);

        let lent = session.big.as_mut().expect("announced").lend().0;
        session.buffer_lent = (lent.len(), lent.capacity());
        assert_eq!(session.memory(NOW_MS), memory, "the kernel has the buffer");
    }

    #[test]
    fn the_command_that_waits() {
        let mut session = session();
        (session.argument_bytes, session.input_bytes) = (10, 26);
        assert_eq!((session.memory(NOW_MS).arguments, session.memory(NOW_MS).query), (0, 0));
        session.stall = Stall::Operation;
        let memory = session.memory(NOW_MS);
        assert_eq!((memory.arguments, memory.query, memory.query_free), (10, 26, READ_BUFFER_BYTES - 26));
        session.stall = Stall::Blocked;
        assert_eq!(session.memory(NOW_MS).query, 0, "its input is used up");
    }

    #[test]
    fn output_until_it_is_sent() {
        let mut session = session();
        session.out.bulk(&[0; 100]);
        let memory = session.memory(NOW_MS);
        assert_eq!((memory.output, memory.output_pieces, memory.output_list), (108, 0, 0));
        assert_eq!(memory.reply_peak, 108);
        assert!(memory.reply_buffer >= 108);

        session.out.bulk(&[0; 20_000]);
        session.out.bulk_shared(Bytes::from(vec![0; SHARED_VALUE_BYTES_MIN]));
        let full = session.memory(NOW_MS);
        assert_eq!((full.output, full.reply_buffer), (REPLY_BUFFER_BYTES, REPLY_BUFFER_BYTES));
        assert_eq!(full.output_pieces, 2, "a string, and the buffer beyond Redis'");
        assert_eq!(full.output_list, SHARED_VALUE_BYTES_MIN + session.out.capacity_bytes() - REPLY_BUFFER_BYTES);

        let (buffer, shared) = session.take_output();
        assert_eq!(shared.len(), 1);
        assert_eq!(session.memory(NOW_MS), full, "the kernel has it");
        session.output_sent(buffer);
        let sent = session.memory(NOW_MS);
        assert_eq!((sent.output, sent.output_pieces, sent.output_list), (0, 0, 0));
        assert!(sent.reply_peak > REPLY_BUFFER_BYTES && sent.reply_peak <= sent.reply_buffer);
        assert_eq!(session.memory(NOW_MS + PEAK_INTERVAL_MS + 1).reply_peak, 0);
        assert_eq!(sent.total, sent.reply_buffer + READ_BUFFER_BYTES + size_of::<Session>());
    }

    #[test]
    fn replies_that_wait_for_an_earlier_one() {
        let mut session = session();
        session.expect_remote(1, 0, false);
        session.reply().bulk(&[0; 1000]);
        let memory = session.memory(NOW_MS);
        assert_eq!((memory.output, memory.output_pieces), (0, 2));
        assert_eq!(memory.output_list, 1000 + "$1000\r\n\r\n".len() + 2 * size_of::<Segment>());
    }
}
