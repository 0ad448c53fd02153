//! Everything one core can say to another. A closed enum: a new kind of message is a new variant here.

use std::sync::Arc;

use crate::client::ClientId;
use crate::command::request::{ClientFilter, Shutdown};
use crate::keyspace::Keyspace;
use crate::keyspace::hold::HoldId;
use crate::keyspace::wait::Served;
use crate::pubsub::registry::Publication;

use super::batch::Batch;

/// A message between cores, or from outside (the acceptor, the signal handler) to a core.
pub enum Message {
    /// To a shard's home core: do this.
    Batch(Box<Batch>),
    /// To a shard's home core: let go of the keys this command holds.
    Release(HoldId),
    /// Back to the sender: done, with replies.
    BatchDone(Box<Batch>),
    /// To the loan desk: core `from` needs the boxes of all shards in `shards` (a bit each).
    LoanRequest {
        /// The borrowing core.
        from: u16,
        /// The shards, one bit each.
        shards: u64,
    },
    /// From the desk to a home core: lend your box.
    Lend {
        /// The borrowing core.
        to: u16,
    },
    /// To the borrower: here it is.
    Lent {
        /// The box.
        keyspace: Box<Keyspace>,
        /// Whose it is.
        shard: u16,
    },
    /// To the home core: its box comes home.
    Returned(Box<Keyspace>),
    /// From outside: a connection to serve.
    Accepted(Connection),
    /// A question to all cores about their clients.
    Ask(Box<Question>),
    /// The answer of one core.
    Answer {
        /// The asking operation.
        operation: u32,
        /// What came out.
        answer: Answer,
    },
    /// To a shard's home core: look again at the clients that wait for this key.
    Signal {
        /// Its database.
        database: u32,
        /// The key.
        key: Box<[u8]>,
    },
    /// To a client's core: what it waited for.
    Served(Box<Served>),
    /// For this core's subscribers: something was published.
    Published(Arc<Publication>),
    /// For this core's clients who monitor: commands that were run.
    Shown(Arc<str>),
    /// Paused clients may go on.
    Resume,
    /// A client asked for SHUTDOWN; for whoever drives the core.
    Shutdown {
        /// Its options.
        options: Shutdown,
        /// Its session.
        session: u64,
    },
    /// From outside: what became of it, if the server goes on: an error, or OK.
    ShutdownAnswer {
        /// The session that asked.
        session: u64,
        /// The error.
        error: Option<&'static str>,
    },
    /// From outside, to the first core: the server is about to end (`Job::LastSave`).
    LastSave {
        /// Write a snapshot.
        save: bool,
        /// It ends even if that fails.
        force: bool,
    },
    /// Whether that could be done; for whoever drives the core.
    LastSaved(bool),
    /// From outside: send what is waiting to be sent, then acknowledge.
    Stop,
}

/// A connection on its way from the acceptor to its core.
#[derive(Debug)]
pub struct Connection {
    /// The socket; the core that serves it closes it.
    pub descriptor: std::os::fd::OwnedFd,
    /// Which kind of socket.
    pub unix_socket: bool,
    /// The peer's address.
    pub address: String,
    /// Our address.
    pub local_address: String,
    /// The client's number.
    pub id: ClientId,
}

/// What a core wants to know of the clients of all cores.
#[derive(Debug, Clone)]
pub struct Question {
    /// The asking core.
    pub from: u16,
    /// Its operation.
    pub operation: u32,
    /// What it wants.
    pub kind: QuestionKind,
}

/// The kinds of question.
#[derive(Debug, Clone)]
pub enum QuestionKind {
    /// A CLIENT LIST line for each client that passes.
    List(ClientFilter),
    /// Close the clients that pass.
    Kill(ClientFilter),
    /// Users were changed: look at the clients that are one of them.
    Users,
    /// Wake a blocked client.
    Unblock {
        /// Which.
        id: ClientId,
        /// With an error.
        error: bool,
    },
}

/// What one core answers.
#[derive(Debug)]
pub enum Answer {
    /// Lines with the client's number, for sorting.
    Lines(Vec<(ClientId, String)>),
    /// How many clients it concerned.
    Count(i64),
}
