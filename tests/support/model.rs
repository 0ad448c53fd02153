//! Commands over a few keys as a model sees them: how they are sent and what they answer.
//!
//! The model is Redis with strings and lists: two databases, values as numbers of an interner, so that a state is a few
//! words. A list is interned as a mark and its elements.

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
    Copy {
        from: Key,
        to: Key,
        database: Option<usize>,
        replace: bool,
    },
    Swapdb,
    Dbsize,
    Flushall,
    Rpush(Key, Vec<u64>),
    Lpop(Key),
    Lmove(Key, Key),
    /// Waits up to `WAIT_SECONDS`.
    Blpop(Vec<Key>),
    /// Likewise.
    Blmove(Key, Key),
    /// MULTI, these, EXEC: one step.
    Exec(Vec<Op>),
    /// A script that runs these; `declared`: it says which keys. `number` makes it another script than the others, of which
    /// nothing has been learned.
    Script {
        ops: Vec<Op>,
        declared: bool,
        number: u64,
    },
    /// WATCH the key, GET it, MULTI, SET it, EXEC: one step, unless EXEC says that the key was changed.
    Swap(Key, u64),
}

/// How long blocking commands wait.
const WAIT_SECONDS: &str = "0.02";

/// Begins the text of a list, which no string of a history does.
const LIST_MARK: u8 = 1;
/// Ends each element of a list.
const ELEMENT_END: u8 = 2;

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

    /// The reply of GET.
    fn reply(&self, number: u32) -> Value {
        match number {
            0 => Value::Nil { resp3: false },
            number if self.is_list(number) => wrong_type(),
            number => Value::Bulk(self.text(number).to_vec()),
        }
    }

    fn is_list(&self, number: u32) -> bool {
        self.text(number).first() == Some(&LIST_MARK)
    }

    /// The elements of a list, or of no value.
    fn elements(&self, number: u32) -> Vec<Vec<u8>> {
        let text = self.text(number);
        text.get(1..)
            .unwrap_or_default()
            .split(|&byte| byte == ELEMENT_END)
            .map(<[u8]>::to_vec)
            .filter(|element| !element.is_empty())
            .collect()
    }

    /// The number of a list; an empty one is no value.
    fn list(&mut self, elements: &[Vec<u8>]) -> u32 {
        if elements.is_empty() {
            return 0;
        }
        let mut text = vec![LIST_MARK];
        for element in elements {
            text.extend_from_slice(element);
            text.push(ELEMENT_END);
        }
        self.number(&text)
    }
}

fn ok() -> Value {
    Value::Status(b"OK".to_vec())
}

fn error(text: &str) -> Value {
    Value::Error(text.as_bytes().to_vec())
}

fn wrong_type() -> Value {
    error("WRONGTYPE Operation against a key holding the wrong kind of value")
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
            Op::Rpush(..) => "rpush",
            Op::Lpop(_) => "lpop",
            Op::Lmove(..) => "lmove",
            Op::Blpop(_) => "blpop",
            Op::Blmove(..) => "blmove",
            Op::Exec(_) => "exec",
            Op::Script { .. } => "eval",
            Op::Swap(..) => "watch",
        }
    }

    /// The keys; none for commands over the whole server.
    pub fn keys(&self) -> Vec<Key> {
        match self {
            Op::Get(key) | Op::Set(key, _) | Op::Append(key, _) | Op::Incr(key) => vec![*key],
            Op::Rpush(key, _) | Op::Lpop(key) | Op::Swap(key, _) => vec![*key],
            Op::Lmove(from, to) | Op::Blmove(from, to) => vec![*from, *to],
            Op::Exec(ops) | Op::Script { ops, .. } if ops.iter().any(|op| op.keys().is_empty()) => Vec::new(),
            Op::Exec(ops) | Op::Script { ops, .. } => ops.iter().flat_map(Op::keys).collect(),
            Op::Del(keys) | Op::Exists(keys) | Op::Mget(keys) | Op::Blpop(keys) => keys.clone(),
            Op::Mset(pairs) | Op::Msetnx(pairs) => pairs.iter().map(|&(key, _)| key).collect(),
            Op::Rename(from, to) | Op::Renamenx(from, to) | Op::Copy { from, to, .. } => vec![*from, *to],
            Op::Swapdb | Op::Dbsize | Op::Flushall => Vec::new(),
        }
    }

    /// Whether the command, so answered, has changed nothing.
    pub fn is_inert(&self, reply: &Value) -> bool {
        match self {
            Op::Get(_) | Op::Mget(_) | Op::Exists(_) | Op::Dbsize => true,
            Op::Del(_) | Op::Msetnx(_) | Op::Renamenx(..) | Op::Copy { .. } => {
                *reply == Value::Integer(0) || reply.is_error()
            }
            Op::Lpop(_) | Op::Lmove(..) | Op::Blpop(_) | Op::Blmove(..) => {
                matches!(reply, Value::Nil { .. } | Value::NilArray) || reply.is_error()
            }
            Op::Exec(ops) | Op::Script { ops, .. } => match reply {
                Value::Array(replies) => ops.iter().zip(replies).all(|(op, reply)| op.is_inert(reply)),
                _ => false,
            },
            Op::Swap(..) => self.has_failed(reply),
            _ => reply.is_error(),
        }
    }

    /// An EXEC that says that the watched key was changed.
    fn has_failed(&self, reply: &Value) -> bool {
        matches!(reply, Value::Array(replies) if matches!(replies[..], [_, Value::Nil { .. } | Value::NilArray]))
    }

    /// How many replies the server gives.
    pub fn replies_len(&self) -> usize {
        match self {
            Op::Exec(ops) => ops.len() + 2,
            Op::Swap(..) => 5,
            _ => 1,
        }
    }

    /// What the model calls the reply, from all that the server gave.
    pub fn reply_of(&self, mut replies: Vec<Value>) -> Value {
        let last = replies.pop().expect("at least one");
        match self {
            Op::Swap(..) => Value::Array(vec![replies.swap_remove(1), last]),
            _ => last,
        }
    }

    /// The command as sent, or the last of them.
    pub fn arguments(&self) -> Vec<Vec<u8>> {
        let mut arguments = vec![self.name().as_bytes().to_vec()];
        match self {
            Op::Exec(_) => {}
            Op::Script { ops, declared, number } => arguments.extend(script_arguments(ops, *declared, *number)),
            Op::Rpush(key, elements) => {
                arguments.push(key_name(*key));
                arguments.extend(elements.iter().map(|element| element.to_string().into_bytes()));
            }
            Op::Lmove(..) | Op::Blmove(..) => {
                arguments.extend(self.keys().into_iter().map(key_name));
                arguments.extend([b"LEFT".to_vec(), b"RIGHT".to_vec()]);
                if matches!(self, Op::Blmove(..)) {
                    arguments.push(WAIT_SECONDS.as_bytes().to_vec());
                }
            }
            Op::Blpop(keys) => {
                arguments.extend(keys.iter().copied().map(key_name));
                arguments.push(WAIT_SECONDS.as_bytes().to_vec());
            }
            Op::Set(key, value) | Op::Append(key, value) => {
                arguments.extend([key_name(*key), value.to_string().into_bytes()]);
            }
            Op::Mset(pairs) | Op::Msetnx(pairs) => {
                arguments
                    .extend(pairs.iter().flat_map(|&(key, value)| [key_name(key), value.to_string().into_bytes()]));
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

    /// What the command does to the model and replies, for a client of `database`. `returned`: what the server answered,
    /// for the one command that may fail without a reason the model knows.
    pub fn apply(&self, state: &mut State, database: usize, values: &mut Values, returned: Option<&Value>) -> Value {
        let own = &mut state[database];
        match self {
            Op::Rpush(..) | Op::Lpop(_) | Op::Lmove(..) | Op::Blpop(_) | Op::Blmove(..) => {
                self.apply_to_list(own, values, returned)
            }
            Op::Exec(ops) | Op::Script { ops, .. } => {
                Value::Array(ops.iter().map(|op| op.apply(state, database, values, None)).collect())
            }
            Op::Swap(key, value) => self.apply_swap(&mut own[*key], *value, values, returned),
            Op::Get(key) => values.reply(own[*key]),
            Op::Set(key, value) => {
                own[*key] = values.number(value.to_string().as_bytes());
                ok()
            }
            Op::Append(key, _) | Op::Incr(key) if values.is_list(own[*key]) => wrong_type(),
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
            Op::Mget(keys) => {
                let string = |key: Key| if values.is_list(own[key]) { 0 } else { own[key] };
                Value::Array(keys.iter().map(|&key| values.reply(string(key))).collect())
            }
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

    fn apply_swap(&self, slot: &mut u32, value: u64, values: &mut Values, returned: Option<&Value>) -> Value {
        let before = values.reply(*slot);
        if returned.is_some_and(|reply| self.has_failed(reply)) {
            return Value::Array(vec![before, Value::NilArray]);
        }
        *slot = values.number(value.to_string().as_bytes());
        Value::Array(vec![before, Value::Array(vec![ok()])])
    }

    /// A blocking command that meets a string fails when it is called or served, and passes it over while it waits; so
    /// `returned` decides what is looked at.
    fn apply_to_list(&self, own: &mut [u32; KEYS_MAX], values: &mut Values, returned: Option<&Value>) -> Value {
        let fails = returned.is_some_and(Value::is_error);
        let is_other = |number: u32, values: &Values| number != 0 && !values.is_list(number);
        match self {
            Op::Rpush(key, _) | Op::Lpop(key) if is_other(own[*key], values) => wrong_type(),
            Op::Rpush(key, pushed) => {
                let mut elements = values.elements(own[*key]);
                elements.extend(pushed.iter().map(|element| element.to_string().into_bytes()));
                own[*key] = values.list(&elements);
                Value::Integer(elements.len() as i64)
            }
            Op::Lpop(key) => match pop(own, *key, values) {
                Some(element) => Value::Bulk(element),
                None => Value::Nil { resp3: false },
            },
            Op::Blpop(keys) => {
                for &key in keys {
                    if fails && is_other(own[key], values) {
                        return wrong_type();
                    }
                    if values.is_list(own[key]) {
                        let element = pop(own, key, values).expect("a list has elements");
                        return Value::Array(vec![Value::Bulk(key_name(key)), Value::Bulk(element)]);
                    }
                }
                Value::NilArray
            }
            Op::Lmove(from, to) | Op::Blmove(from, to) => {
                let passed_over = matches!(self, Op::Blmove(..)) && is_other(own[*from], values) && !fails;
                if own[*from] == 0 || passed_over {
                    return if matches!(self, Op::Blmove(..)) { Value::NilArray } else { Value::Nil { resp3: false } };
                }
                if is_other(own[*from], values) || is_other(own[*to], values) {
                    return wrong_type();
                }
                let element = pop(own, *from, values).expect("a list has elements");
                let mut elements = values.elements(own[*to]);
                elements.push(element.clone());
                own[*to] = values.list(&elements);
                Value::Bulk(element)
            }
            _ => unreachable!("called for these"),
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

fn pop(own: &mut [u32; KEYS_MAX], key: Key, values: &mut Values) -> Option<Vec<u8>> {
    let mut elements = values.elements(own[key]);
    let first = (!elements.is_empty()).then(|| elements.remove(0));
    own[key] = values.list(&elements);
    first
}

/// Runs the commands that stand in ARGV, each behind its number of arguments, and returns their replies.
const SCRIPT: &str = "local replies, at = {}, 1
while ARGV[at] do
  local command = {}
  for offset = 1, tonumber(ARGV[at]) do command[offset] = ARGV[at + offset] end
  replies[#replies + 1] = redis.pcall(unpack(command))
  at = at + #command + 1
end
return replies -- ";

/// The arguments of EVAL.
fn script_arguments(ops: &[Op], declared: bool, number: u64) -> Vec<Vec<u8>> {
    let keys: Vec<Key> = if declared { ops.iter().flat_map(Op::keys).collect() } else { Vec::new() };
    let mut arguments = vec![format!("{SCRIPT}{number}").into_bytes(), keys.len().to_string().into_bytes()];
    arguments.extend(keys.into_iter().map(key_name));
    for op in ops {
        let command = op.arguments();
        arguments.push(command.len().to_string().into_bytes());
        arguments.extend(command);
    }
    arguments
}

/// The bytes of a command.
pub fn encode(op: &Op) -> Vec<u8> {
    let mut bytes = Vec::new();
    match op {
        Op::Exec(ops) => {
            encode_array(&[b"MULTI"], &mut bytes);
            bytes.extend(ops.iter().flat_map(encode));
        }
        Op::Swap(key, value) => {
            encode_array(&[&b"WATCH"[..], &key_name(*key)], &mut bytes);
            encode_array(&[&b"GET"[..], &key_name(*key)], &mut bytes);
            encode_array(&[b"MULTI"], &mut bytes);
            bytes.extend(encode(&Op::Set(*key, *value)));
            encode_array(&[b"EXEC"], &mut bytes);
            return bytes;
        }
        _ => {}
    }
    encode_array(&op.arguments(), &mut bytes);
    bytes
}

/// The contract within a pipeline: commands on the same key keep their order, and so does whatever concerns all keys.
pub fn shares_a_key(first: &Op, second: &Op) -> bool {
    let (first, second) = (first.keys(), second.keys());
    first.is_empty() || second.is_empty() || first.iter().any(|key| second.contains(key))
}
