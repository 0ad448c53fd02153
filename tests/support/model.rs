//! Commands over a few keys as a model sees them: how they are sent and what they answer.
//!
//! The model is Redis with strings only: two databases, values as numbers of an interner, so that a state is a few words.

use super::text::encode_array;
use super::value::Value;
use std::collections::HashMap;

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
    pub fn is_inert(&self, reply: &Value) -> bool {
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
