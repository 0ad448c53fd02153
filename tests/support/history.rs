//! Histories of the model's commands: how commands are drawn, and whether one order explains what was answered.

use super::linearize::{self, Span, Verdict};
use super::model::{Key, Op, State, Values};
use super::text::command_line;
use super::value::Value;
use ringfort::command::table::TABLE;
use ringfort::stdx::random::Random;
use std::fmt::Write;

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
    ("rpush", 4),
    ("lpop", 1),
    ("lmove", 1),
    ("blpop", 3),
    ("blmove", 3),
    ("exec", 4),
    ("watch", 3),
    ("eval", 4),
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

    /// A command for the inside of a transaction or script.
    fn simple_op(&mut self) -> Op {
        match self.random.below(6) {
            0 => Op::Get(self.key()),
            1 => Op::Set(self.key(), self.value()),
            2 => Op::Mget(self.keys()),
            3 => Op::Mset(self.pairs()),
            4 => Op::Rename(self.key(), self.key()),
            _ => Op::Rpush(self.key(), vec![self.value()]),
        }
    }

    fn script(&mut self) -> Op {
        Op::Script {
            ops: (0..self.random.below(4)).map(|_| self.simple_op()).collect(),
            declared: self.random.below(2) == 0,
            number: self.random.below(20),
        }
    }

    fn op_of_transaction(&mut self) -> Op {
        if self.random.below(8) == 0 { self.script() } else { self.simple_op() }
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
            "rpush" => Op::Rpush(self.key(), (0..1 + self.random.below(2)).map(|_| self.value()).collect()),
            "lpop" => Op::Lpop(self.key()),
            "lmove" => Op::Lmove(self.key(), self.key()),
            "blpop" => Op::Blpop(self.keys()),
            "blmove" => Op::Blmove(self.key(), self.key()),
            "exec" => Op::Exec((0..self.random.below(4)).map(|_| self.op_of_transaction()).collect()),
            "eval" => self.script(),
            "watch" => Op::Swap(self.key(), self.value()),
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
            let returned = call.returned.as_ref().map(|(_, reply)| reply);
            let reply = call.op.apply(&mut state, call.database, &mut values, returned);
            let fits = returned.is_none_or(|returned| *returned == reply);
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
