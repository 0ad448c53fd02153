//! SORT by number against stock redis-server: random numbers in lists, sets and sorted sets, sorted by themselves and by the
//! numbers of other keys, on every server under test; replies must be equal byte for byte.
//!
//! This is not part of the differential test because redis-server does not clear `errno` before it reads a number, and so
//! fails when any earlier command met one out of range. Here nothing does.

mod support;

use support::client::Client;
use support::server::{Server, Target, skip_without_redis, targets_under_test};

/// Rounds for each server; each makes new data and sorts it some times.
const ROUNDS: usize = 300;
const SORTS_PER_ROUND: usize = 12;

/// What is sorted and what it is sorted by: all of them numbers, of every form that is taken for one, or none at all.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "2",
    "3",
    "10",
    "-1",
    "-10",
    "007",
    "+3",
    "1.5",
    "-1.5",
    "1e3",
    "1E-3",
    ".5",
    "5.",
    "0x10",
    "inf",
    "-inf",
    "Infinity",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "0.1",
    "0.10",
    "3.0e0",
];
const NO_NUMBERS: &[&str] = &["nan", "abc", "1 ", "1x", "--1", "0x", "1e", "-"];

/// A linear congruential generator: the same rounds every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn is(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|word| (*word).to_owned()).collect()
}

/// Commands that make one round's data.
fn data(chance: &mut Chance) -> Vec<Vec<String>> {
    let mut commands = vec![words(&["FLUSHALL"])];
    let mut elements: Vec<&str> = (0..chance.below(24)).map(|_| chance.one(NUMBERS)).collect();
    if chance.is(15) {
        elements.push(chance.one(NO_NUMBERS));
    }
    for element in &elements {
        commands.push(words(&["RPUSH", "list", element]));
        commands.push(words(&["SADD", "set", element]));
        commands.push(words(&["ZADD", "zset", &chance.below(5).to_string(), element]));
        if chance.is(70) {
            let weight = if chance.is(3) { chance.one(NO_NUMBERS) } else { chance.one(NUMBERS) };
            commands.push(words(&["SET", &format!("weight:{element}"), weight]));
            commands.push(words(&["HSET", &format!("hash:{element}"), "field", chance.one(NUMBERS)]));
        }
    }
    commands
}

fn sort(chance: &mut Chance) -> Vec<String> {
    let mut command =
        words(&[if chance.is(80) { "SORT" } else { "SORT_RO" }, chance.one(&["list", "set", "zset", "none"])]);
    if chance.is(40) {
        command.extend(words(&["BY", chance.one(&["weight:*", "hash:*->field", "hash:*->none"])]));
    }
    if chance.is(40) {
        let limits = [chance.below(8).to_string(), (chance.below(10) as i64 - 1).to_string()];
        command.extend(["LIMIT".to_owned()].into_iter().chain(limits));
    }
    for _ in 0..chance.below(3) {
        command.extend(words(&["GET", chance.one(&["#", "weight:*", "hash:*->field"])]));
    }
    if chance.is(50) {
        command.push(chance.one(&["ASC", "DESC"]).to_owned());
    }
    if command[0] == "SORT" && chance.is(20) {
        command.extend(words(&["STORE", "stored"]));
    }
    command
}

fn reply(client: &mut Client, command: &[String]) -> Vec<u8> {
    client.send(command).and_then(|()| client.read_raw()).expect("a reply")
}

#[test]
fn numbers_are_sorted_as_redis_sorts_them() {
    if skip_without_redis() {
        return;
    }
    let redis = Server::start(Target::Redis);
    for target in targets_under_test() {
        let ours = Server::start(target);
        let (mut one, mut other, mut chance) = (ours.connect(), redis.connect(), Chance(2026));
        for round in 0..ROUNDS {
            let mut commands = data(&mut chance);
            for _ in 0..SORTS_PER_ROUND {
                commands.push(sort(&mut chance));
                commands.push(words(&["LRANGE", "stored", "0", "-1"]));
            }
            for command in &commands {
                let (mine, theirs) = (reply(&mut one, command), reply(&mut other, command));
                let text = |reply: &[u8]| reply.escape_ascii().to_string();
                assert!(mine == theirs, "{target:?}, round {round}: {command:?}\n{}\n{}", text(&mine), text(&theirs));
            }
        }
    }
}
