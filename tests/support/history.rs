//! Commands over a few keys as a model sees them: how they are drawn, sent and answered; and histories of them.
//!
//! The model is Redis with strings only: two databases, values as numbers of an interner, so that a state is a few words.

use super::linearize::{self, Span, Verdict};
use super::text::{command_line, encode_array};
use super::value::Value;
use ringfort::command::table::TABLE;
use ringfort::stdx::random::Random;
use std::collections::HashMap;
use std::fmt::Write;

/// Most keys of a history.
pub const KEYS_MAX: usize = 6;
/// Databases of the model.
pub const DATABASES: usize = 2;

/// A key by its number; its name is `k` and the number.
pub type Key = usize;

/// A command of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Get(Key),
    Set(Key, u64),
    Append(Key, u64),
    Incr(Key),
    Del(Vec<Key>),
    Exists(Vec<Key>),
    Mget(Vec<Key>),
    Mset(Vec<(Key, u64)>),
    Msetnx(Vec<(Key, u64)>),
    Rename(Key, Key),
    Renamenx(Key, Key),
    Copy { from: Key, to: Key, database: Option<usize>, replace: bool },
    Swapdb,
    Dbsize,
    Flushall,
}

/// A key's name.
pub fn key_name(key: Key) -> Vec<u8> {
    format!("k{key}").into_bytes()
}

/// The keyspace of the model: for each database and key the number of its value, 0 without one.
pub type State = [[u32; KEYS_MAX]; DATABASES];

/// Gives numbers to values.
#[derive(Default)]
pub struct Values {
    numbers: HashMap<Vec<u8>, u32>,
    texts: Vec<Vec<u8>>,
}

impl Values {
    fn number(&mut self, text: &[u8]) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        self.texts.push(text.to_vec());
        self.numbers.insert(text.to_vec(), self.texts.len() as u32);
        self.texts.len() as u32
    }

    fn text(&self, number: u32) -> &[u8] {
        match number {
            0 => b"",
            number => &self.texts[number as usize - 1],
        }
    }

    fn reply(&self, number: u32) -> Value {
        match number {
            0 => Value::Nil { resp3: false },
            number => Value::Bulk(self.text(number).to_vec()),
        }
    }
}

fn ok() -> Value {
    Value::Status(b"OK".to_vec())
}

fn error(text: &str) -> Value {
    Value::Error(text.as_bytes().to_vec())
}

impl Op {
    /// The command's name.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Get(_) => "get",
            Op::Set(..) => "set",
            Op::Append(..) => "append",
            Op::Incr(_) => "incr",
            Op::Del(_) => "del",
            Op::Exists(_) => "exists",
            Op::Mget(_) => "mget",
            Op::Mset(_) => "mset",
            Op::Msetnx(_) => "msetnx",
            Op::Rename(..) => "rename",
            Op::Renamenx(..) => "renamenx",
            Op::Copy { .. } => "copy",
            Op::Swapdb => "swapdb",
            Op::Dbsize => "dbsize",
            Op::Flushall => "flushall",
        }
    }

    /// The keys; none for commands over the whole server.
    pub fn keys(&self) -> Vec<Key> {
        match self {
            Op::Get(key) | Op::Set(key, _) | Op::Append(key, _) | Op::Incr(key) => vec![*key],
            Op::Del(keys) | Op::Exists(keys) | Op::Mget(keys) => keys.clone(),
            Op::Mset(pairs) | Op::Msetnx(pairs) => pairs.iter().map(|&(key, _)| key).collect(),
            Op::Rename(from, to) | Op::Renamenx(from, to) | Op::Copy { from, to, .. } => vec![*from, *to],
            Op::Swapdb | Op::Dbsize | Op::Flushall => Vec::new(),
        }
    }

    /// Whether the command, so answered, has changed nothing.
    fn is_inert(&self, reply: &Value) -> bool {
        match self {
            Op::Get(_) | Op::Mget(_) | Op::Exists(_) | Op::Dbsize => true,
            Op::Del(_) | Op::Msetnx(_) | Op::Renamenx(..) | Op::Copy { .. } => *reply == Value::Integer(0) || reply.is_error(),
            _ => reply.is_error(),
        }
    }

    /// The command as sent.
    pub fn arguments(&self) -> Vec<Vec<u8>> {
        let mut arguments = vec![self.name().as_bytes().to_vec()];
        match self {
            Op::Set(key, value) | Op::Append(key, value) => {
                arguments.extend([key_name(*key), value.to_string().into_bytes()]);
            }
            Op::Mset(pairs) | Op::Msetnx(pairs) => {
                arguments.extend(pairs.iter().flat_map(|&(key, value)| [key_name(key), value.to_string().into_bytes()]));
            }
            Op::Swapdb => arguments.extend([b"0".to_vec(), b"1".to_vec()]),
            Op::Copy { database, replace, .. } => {
                arguments.extend(self.keys().into_iter().map(key_name));
                if let Some(database) = database {
                    arguments.extend([b"DB".to_vec(), database.to_string().into_bytes()]);
                }
                if *replace {
                    arguments.push(b"REPLACE".to_vec());
                }
            }
            _ => arguments.extend(self.keys().into_iter().map(key_name)),
        }
        arguments
    }

    /// What the command does to the model and replies, for a client of `database`.
    pub fn apply(&self, state: &mut State, database: usize, values: &mut Values) -> Value {
        let own = &mut state[database];
        match self {
            Op::Get(key) => values.reply(own[*key]),
            Op::Set(key, value) => {
                own[*key] = values.number(value.to_string().as_bytes());
                ok()
            }
            Op::Append(key, value) => {
                let text = [values.text(own[*key]), value.to_string().as_bytes()].concat();
                own[*key] = values.number(&text);
                Value::Integer(text.len() as i64)
            }
            Op::Incr(key) => {
                let text = String::from_utf8_lossy(values.text(own[*key])).into_owned();
                let old = if own[*key] == 0 { Some(0) } else { text.parse::<i64>().ok() };
                // Only the shortest form of a number is one.
                match old.filter(|old| own[*key] == 0 || old.to_string() == text).map(|old| old.checked_add(1)) {
                    None => error("ERR value is not an integer or out of range"),
                    Some(None) => error("ERR increment or decrement would overflow"),
                    Some(Some(new)) => {
                        own[*key] = values.number(new.to_string().as_bytes());
                        Value::Integer(new)
                    }
                }
            }
            Op::Del(keys) => {
                let count = keys.iter().filter(|&&key| std::mem::take(&mut own[key]) != 0).count();
                Value::Integer(count as i64)
            }
            Op::Exists(keys) => Value::Integer(keys.iter().filter(|&&key| own[key] != 0).count() as i64),
            Op::Mget(keys) => Value::Array(keys.iter().map(|&key| values.reply(own[key])).collect()),
            Op::Mset(pairs) => {
                set_all(own, pairs, values);
                ok()
            }
            Op::Msetnx(pairs) => {
                let free = pairs.iter().all(|&(key, _)| own[key] == 0);
                if free {
                    set_all(own, pairs, values);
                }
                Value::Integer(i64::from(free))
            }
            Op::Dbsize => Value::Integer(own.iter().filter(|&&value| value != 0).count() as i64),
            Op::Flushall => {
                *state = State::default();
                ok()
            }
            Op::Swapdb => {
                state.swap(0, 1);
                ok()
            }
            Op::Rename(..) | Op::Renamenx(..) | Op::Copy { .. } => self.move_key(state, database),
        }
    }

    fn move_key(&self, state: &mut State, database: usize) -> Value {
        match *self {
            Op::Rename(from, _) | Op::Renamenx(from, _) if state[database][from] == 0 => error("ERR no such key"),
            Op::Rename(from, to) => {
                state[database][to] = std::mem::take(&mut state[database][from]);
                ok()
            }
            Op::Renamenx(_, to) if state[database][to] != 0 => Value::Integer(0),
            Op::Renamenx(from, to) => {
                state[database][to] = std::mem::take(&mut state[database][from]);
                Value::Integer(1)
            }
            Op::Copy { from, to, database: target, replace } => {
                let target = target.unwrap_or(database);
                if from == to && target == database {
                    return error("ERR source and destination objects are the same");
                }
                let copied = state[database][from] != 0 && (replace || state[target][to] == 0);
                if copied {
                    state[target][to] = state[database][from];
                }
                Value::Integer(i64::from(copied))
            }
            _ => unreachable!("called for these three"),
        }
    }
}

fn set_all(own: &mut [u32; KEYS_MAX], pairs: &[(Key, u64)], values: &mut Values) {
    for (key, value) in pairs {
        own[*key] = values.number(value.to_string().as_bytes());
    }
}

/// Draws commands. Only those that the server has.
pub struct Generator {
    random: Random,
    keys: usize,
    next_value: u64,
    weights: Vec<(usize, u64)>,
}

/// Kinds of command that `Generator::kind` makes, with their names and weights.
const KINDS: &[(&str, u64)] = &[
    ("get", 5),
    ("set", 4),
    ("mget", 5),
    ("mset", 5),
    ("append", 2),
    ("incr", 2),
    ("msetnx", 2),
    ("del", 3),
    ("exists", 2),
    ("rename", 3),
    ("renamenx", 1),
    ("copy", 2),
    ("swapdb", 1),
    ("dbsize", 1),
    ("flushall", 1),
];

/// The first so many kinds run on one shard or scattered.
const KINDS_SCATTERED: usize = 9;

impl Generator {
    /// Commands over `keys` keys, decided by a seed. Each generator favours some kinds of command.
    pub fn new(seed: u64, keys: usize) -> Generator {
        let mut random = Random::new(seed);
        // Loans cover up what happens between holds, and few kinds of command meet each other more often.
        let kinds = [3, 4, KINDS_SCATTERED, KINDS.len()][random.below(4) as usize];
        let weights: Vec<(usize, u64)> = (0..kinds)
            .filter(|&kind| TABLE.find(KINDS[kind].0.as_bytes()).is_some())
            .map(|kind| (kind, KINDS[kind].1 * random.below(4) + u64::from(kind < 3)))
            .collect();
        Generator { random, keys, next_value: 100, weights }
    }

    /// Lets the values of several generators (below 64) differ.
    pub fn with_values_from(mut self, number: u64) -> Generator {
        self.next_value += number * 1_000_000;
        self
    }

    fn key(&mut self) -> Key {
        self.random.below(self.keys as u64) as usize
    }

    fn keys(&mut self) -> Vec<Key> {
        (0..1 + self.random.below(4)).map(|_| self.key()).collect()
    }

    /// No two values are the same, so a reply tells which write it saw.
    fn value(&mut self) -> u64 {
        self.next_value += 100;
        self.next_value
    }

    fn pairs(&mut self) -> Vec<(Key, u64)> {
        (0..1 + self.random.below(4)).map(|_| (self.key(), self.value())).collect()
    }

    /// The next command.
    pub fn op(&mut self) -> Op {
        let mut drawn = self.random.below(self.weights.iter().map(|(_, weight)| weight).sum());
        let mut kind = self.weights[0].0;
        for &(candidate, weight) in &self.weights {
            if drawn < weight {
                kind = candidate;
                break;
            }
            drawn -= weight;
        }
        match KINDS[kind].0 {
            "get" => Op::Get(self.key()),
            "set" => Op::Set(self.key(), self.value()),
            "append" => Op::Append(self.key(), self.random.below(10)),
            "incr" => Op::Incr(self.key()),
            "del" => Op::Del(self.keys()),
            "exists" => Op::Exists(self.keys()),
            "mget" => Op::Mget(self.keys()),
            "mset" => Op::Mset(self.pairs()),
            "msetnx" => Op::Msetnx(self.pairs()),
            "rename" => Op::Rename(self.key(), self.key()),
            "renamenx" => Op::Renamenx(self.key(), self.key()),
            "copy" => {
                let database = (self.random.below(3) == 0).then(|| self.random.below(2) as usize);
                Op::Copy { from: self.key(), to: self.key(), database, replace: self.random.below(2) == 0 }
            }
            "swapdb" => Op::Swapdb,
            "dbsize" => Op::Dbsize,
            _ => Op::Flushall,
        }
    }
}

/// One command of a history.
#[derive(Clone, Debug)]
pub struct Call {
    pub client: usize,
    pub database: usize,
    pub op: Op,
    pub called: u64,
    pub returned: Option<(u64, Value)>,
}

/// The calls of all clients; those of one client in the order sent.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub calls: Vec<Call>,
}

impl History {
    /// Whether one order explains all replies. `in_order` says of two commands of one client whether the first must
    /// happen first although it was not answered when the second was sent.
    pub fn check(&self, in_order: impl Fn(&Op, &Op) -> bool) -> Verdict {
        let span = |index: usize, call: &Call| {
            let after = self.calls[..index]
                .iter()
                .enumerate()
                .filter(|(_, other)| other.client == call.client && in_order(&other.op, &call.op))
                .fold(0_u64, |set, (other, _)| set | 1 << other);
            let inert = call.returned.as_ref().is_some_and(|(_, reply)| call.op.is_inert(reply));
            Span { called: call.called, returned: call.returned.as_ref().map(|(at, _)| *at), after, inert }
        };
        let spans: Vec<Span> = self.calls.iter().enumerate().map(|(index, call)| span(index, call)).collect();
        let mut values = Values::default();
        linearize::check(State::default(), &spans, |state, index| {
            let call = &self.calls[index];
            let mut state = *state;
            let reply = call.op.apply(&mut state, call.database, &mut values);
            let fits = call.returned.as_ref().is_none_or(|(_, returned)| *returned == reply);
            fits.then_some(state)
        })
    }

    /// The history as text, in the order of the calls, for a failure's message.
    pub fn show(&self) -> String {
        let mut order: Vec<usize> = (0..self.calls.len()).collect();
        order.sort_by_key(|&index| self.calls[index].called);
        let mut text = String::new();
        for index in order {
            let call = &self.calls[index];
            let (end, reply) = match &call.returned {
                Some((at, reply)) => (at.to_string(), reply.to_string().replace('\n', " ")),
                None => ("-".to_string(), "no reply".to_string()),
            };
            let command = command_line(&call.op.arguments());
            writeln!(
                text,
                "#{index:<3} {:>6}..{end:<6} client {} db {}: {command} => {reply}",
                call.called, call.client, call.database
            )
            .expect("a String takes every write");
        }
        text
    }
}

/// The bytes of a command.
pub fn encode(op: &Op) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_array(&op.arguments(), &mut bytes);
    bytes
}

/// The contract within a pipeline: commands on the same key keep their order, and so does whatever concerns all keys.
pub fn shares_a_key(first: &Op, second: &Op) -> bool {
    let (first, second) = (first.keys(), second.keys());
    first.is_empty() || second.is_empty() || first.iter().any(|key| second.contains(key))
}
