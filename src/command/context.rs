//! What a handler sees: its arguments, its reply, the keyspaces of its keys, the time as a number. Nothing else.

use std::ops::Range;

use crate::acl::Users;
use crate::acl::log::Denied;
use crate::client::Client;
use crate::config::Config;
use crate::keyspace::entry::{Entry, StringValue};
use crate::keyspace::write::KeyWrite;
use crate::keyspace::{Key, KeyHasher, Keyspace, Turn};
use crate::pubsub::registry::Publisher;
use crate::resp::reply::Reply;
use crate::script::scripting::Scripting;
use crate::stats::server::ServerFacts;
use crate::value::object::Collection;

use super::args::Args;
use super::blocking::{Wait, Waiting};
use super::error::CommandError;

/// The keyspaces a command may reach: those whose boxes are in hand.
pub struct Keyspaces<'a> {
    boxes: &'a mut [Option<Box<Keyspace>>],
    hasher: &'a KeyHasher,
    /// All keys of the command lie in this shard, so nothing has to be routed.
    only: Option<usize>,
}

impl<'a> Keyspaces<'a> {
    /// A view of the boxes in hand; `only` when one of them serves all keys of the command.
    pub fn new(boxes: &'a mut [Option<Box<Keyspace>>], hasher: &'a KeyHasher, only: Option<usize>) -> Keyspaces<'a> {
        Keyspaces { boxes, hasher, only }
    }

    /// The keyspace of a key. That its box is in hand was seen to by the router.
    #[inline]
    pub fn of(&mut self, key: &Key<'_>) -> &mut Keyspace {
        self.shard(self.shard_of(key))
    }

    /// The shard of a key.
    #[inline]
    pub fn shard_of(&self, key: &Key<'_>) -> usize {
        match self.only {
            Some(shard) => shard,
            None => self.hasher.shard_of(key),
        }
    }

    /// The keyspace of a shard whose box is in hand.
    #[inline]
    pub fn shard(&mut self, shard: usize) -> &mut Keyspace {
        self.boxes[shard].as_deref_mut().expect("the router took the box before it called the handler")
    }

    /// The same to look at.
    #[inline]
    pub fn in_hand(&self, shard: usize) -> &Keyspace {
        self.boxes[shard].as_deref().expect("the router took the box before it called the handler")
    }

    /// The entry of a key that was looked up in this turn, so that several can be looked at together.
    pub fn find(&self, database: u32, key: &Key<'_>) -> Option<Entry<'_>> {
        let keyspace = self.boxes[self.shard_of(key)].as_deref();
        keyspace.expect("the router took the box before it called the handler").find(database, key)
    }

    /// All keyspaces in hand with their shard numbers; for commands that run with all of them, that is the whole server.
    pub fn all(&mut self) -> impl Iterator<Item = (usize, &mut Keyspace)> {
        self.boxes.iter_mut().enumerate().filter_map(|(shard, slot)| Some((shard, slot.as_deref_mut()?)))
    }

    /// A key with its hash.
    #[inline]
    pub fn key<'k>(&self, bytes: &'k [u8]) -> Key<'k> {
        self.hasher.key(bytes)
    }

    /// Number of shards of the server.
    pub fn shards(&self) -> usize {
        self.boxes.len()
    }

    /// Number of logical databases.
    pub fn databases_len(&self) -> usize {
        self.boxes.iter().flatten().next().map_or(0, |keyspace| keyspace.databases_len())
    }

    /// The boxes, for whoever runs another command with them.
    pub fn boxes(&mut self) -> (&mut [Option<Box<Keyspace>>], &'a KeyHasher) {
        (self.boxes, self.hasher)
    }

    /// Keys were written in one of the boxes in hand that somebody waits for.
    #[inline]
    pub fn has_ready(&self) -> bool {
        let ready = |slot: &Option<Box<Keyspace>>| slot.as_ref().is_some_and(|keyspace| keyspace.has_ready());
        match self.only {
            Some(shard) => ready(&self.boxes[shard]),
            None => self.boxes.iter().any(ready),
        }
    }

    /// The one shard this command was sent to.
    pub fn only(&self) -> Option<usize> {
        self.only
    }
}

/// What a handler of a keyed command sees.
pub struct Context<'a> {
    /// The arguments, the name at 0.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub reply: &'a mut Reply,
    /// The keyspaces of its keys.
    pub keyspaces: Keyspaces<'a>,
    /// The client's database.
    pub database: u32,
    /// The time, and whether reads count as uses.
    pub turn: Turn,
    /// The parameters.
    pub config: &'a Config,
    /// Facts about the server and its counters.
    pub server: &'a ServerFacts,
    /// The hash of the first key, when the router computed it.
    pub first_key: Option<(usize, u64)>,
    /// The command's full name in lower case, for error texts.
    pub command: &'static str,
    /// What may happen when a blocking command finds nothing to do.
    pub waiting: Waiting,
    /// The client shall wait, and gets no reply now.
    pub wait: Option<Wait>,
}

impl<'a> Context<'a> {
    /// Nothing to do: the client waits, if it may, else it gets the reply of a wait that is over.
    pub fn wait(&mut self, wait: Wait) {
        match self.waiting {
            Waiting::Denied | Waiting::DeniedToScript => wait.timeout_reply.write(self.reply),
            Waiting::Allowed | Waiting::Serving => self.wait = Some(wait),
        }
    }

    /// Whether the key at an argument can be reached. Always, unless a client that waits for several keys is being served.
    #[inline]
    pub fn has(&self, index: usize) -> bool {
        self.waiting != Waiting::Serving || {
            let key = self.key(index);
            self.keyspaces.boxes[self.keyspaces.shard_of(&key)].is_some()
        }
    }

    /// The key at an argument; the hash of the first one is not computed again.
    #[inline]
    pub fn key(&self, index: usize) -> Key<'a> {
        let bytes = self.args.get(index);
        match self.first_key {
            Some((at, hash)) if at == index => Key { bytes, hash },
            _ => self.keyspaces.hasher.key(bytes),
        }
    }

    /// The keyspace of a key.
    #[inline]
    pub fn keyspace(&mut self, key: &Key<'_>) -> &mut Keyspace {
        self.keyspaces.of(key)
    }

    /// The entry of the key at an argument, counted as a hit or miss but not as a use (EXISTS, TTL, TYPE, OBJECT).
    pub fn look(&mut self, index: usize) -> Option<Entry<'_>> {
        let (key, database) = (self.key(index), self.database);
        let turn = Turn { touch: false, ..self.turn };
        self.keyspaces.of(&key).read(database, &key, turn)
    }

    /// Opens the key at an argument for writing in the client's database.
    #[inline]
    pub fn write(&mut self, index: usize) -> KeyWrite<'_> {
        let (key, database, turn) = (self.key(index), self.database, self.turn);
        self.keyspaces.of(&key).write(database, key, turn)
    }

    /// As `write`, with the reply beside it.
    #[inline]
    pub fn open(&mut self, index: usize) -> (KeyWrite<'_>, &mut Reply) {
        let (key, database, turn) = (self.key(index), self.database, self.turn);
        (self.keyspaces.of(&key).write(database, key, turn), &mut *self.reply)
    }

    /// The collection at an argument's key for reading, counted and touched, with the reply beside it.
    #[inline]
    pub fn read_collection<T: Collection>(&mut self, index: usize) -> Result<(Option<&T>, &mut Reply), CommandError> {
        let (key, database, turn) = (self.key(index), self.database, self.turn);
        match self.keyspaces.of(&key).read(database, &key, turn) {
            None => Ok((None, &mut *self.reply)),
            Some(entry) => Ok((Some(entry.collection().ok_or(CommandError::WrongType)?), &mut *self.reply)),
        }
    }

    /// The collections at the keys of several arguments for reading at once, each counted and touched, with the reply
    /// beside them. All keys are looked up before anything is returned, as expired ones are removed.
    pub fn read_collections<T: Collection>(
        &mut self,
        arguments: Range<usize>,
    ) -> Result<(Vec<Option<&T>>, &mut Reply), CommandError> {
        let (database, turn) = (self.database, self.turn);
        let keys: Vec<Key<'a>> = arguments.map(|index| self.key(index)).collect();
        for key in &keys {
            if let Some(entry) = self.keyspaces.of(key).read(database, key, turn) {
                entry.collection::<T>().ok_or(CommandError::WrongType)?;
            }
        }
        let keyspaces = &self.keyspaces;
        let found = keys.iter().map(|key| keyspaces.find(database, key)?.collection()).collect();
        Ok((found, &mut *self.reply))
    }

    /// The string at an argument's key for reading, counted and touched, with the reply beside it.
    #[inline]
    pub fn read_string(&mut self, index: usize) -> (Option<StringValue<'_>>, &mut Reply) {
        let (key, database, turn) = (self.key(index), self.database, self.turn);
        (self.keyspaces.of(&key).read_string(database, &key, turn), &mut *self.reply)
    }
}

/// What a handler of a command without keys sees.
pub struct SessionContext<'a> {
    /// The arguments, the name at 0.
    pub args: Args<'a>,
    /// Where the reply goes.
    pub reply: &'a mut Reply,
    /// The client.
    pub client: &'a mut Client,
    /// The parameters.
    pub config: &'a Config,
    /// Facts about the server and its counters.
    pub server: &'a ServerFacts,
    /// Unix time in milliseconds.
    pub now_ms: i64,
    /// Unix time in microseconds, read when the command began.
    pub now_us: i64,
    /// The command's full name in lower case, for error texts.
    pub command: &'static str,
    /// Channels: who listens, and the way to publish.
    pub publisher: Publisher<'a>,
    /// All users.
    pub users: &'a Users,
    /// A failed attempt to authenticate, for the log of denials.
    pub denied: Option<Denied>,
    /// The scripts of this core; not for commands that scripts run.
    pub scripting: Option<&'a mut Scripting>,
}

impl SessionContext<'_> {
    /// The scripts of this core. Commands that need them cannot be run from scripts.
    pub fn scripting(&mut self) -> &mut Scripting {
        let scripting = self.scripting.as_deref_mut().expect("a command about scripts is not run from one");
        scripting.adopt_loaded();
        scripting
    }
}
