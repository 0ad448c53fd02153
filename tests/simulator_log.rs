//! Power cuts and kills in the simulator: at any moment what is left of the log holds everything that any client was told,
//! what others wrote and it only read included, and of what belongs together all or nothing. Where replies wait for the disk
//! what was synced is left, and any part of what follows; else what was written.
//!
//! In a third of the worlds the disk fails now and then (EIO, ENOSPC, short writes, cuts that fail): writes are refused
//! meanwhile, and when it works again the log has everything.
//!
//! `RINGFORT_SIM_SEEDS` and `RINGFORT_SIM_SEED` as in `simulator.rs`. Half of the seeds have a log.

mod support;

use std::collections::{BTreeMap, VecDeque};

use ringfort::persist::aof::reader::{Step, next};
use ringfort::server::simulated::{Options, World};
use ringfort::stdx::random::Random;
use support::seeds::for_seeds;
use support::text::encode_array;
use support::value::{Value, parse};

/// Seeds in CI.
const SEEDS: u64 = 1_000;
/// Most steps before the power is cut.
const STEPS_MAX: u64 = 1_500;
/// Groups of keys that always hold one number, each written by one client.
const GROUPS: usize = 4;

/// What a reply will tell.
enum Expected {
    /// Nothing, or nothing that matters.
    Nothing,
    /// That a group of keys holds at least this number.
    Written(usize, u64),
    /// The number of a group.
    Read(usize),
}

struct Actor {
    client: usize,
    number: u64,
    expected: VecDeque<Expected>,
}

fn keys(group: usize) -> [String; 3] {
    ["a", "b", "c"].map(|part| format!("{group}:{part}"))
}

/// The commands of a log, applied; a transaction that does not end is none.
fn replay(bytes: &[u8]) -> Result<BTreeMap<String, u64>, String> {
    let (mut at, mut ranges) = (0, Vec::new());
    let mut data = BTreeMap::new();
    let mut group: Option<Vec<(String, u64)>> = None;
    while at < bytes.len() {
        let bytes_len = match next(&bytes[at..], &mut ranges) {
            Step::Command { bytes_len } => bytes_len,
            // The last write came to the disk in part.
            Step::NeedMore => return Ok(data),
            _ => return Err(format!("the log is no log at {at}")),
        };
        let words: Vec<String> =
            ranges.iter().map(|range| String::from_utf8_lossy(range.of(&bytes[at..], &[])).into_owned()).collect();
        at += bytes_len;
        let mut writes = Vec::new();
        match words[0].to_uppercase().as_str() {
            "SELECT" => {}
            "MULTI" => group = Some(Vec::new()),
            "EXEC" => writes = group.take().ok_or("EXEC without MULTI")?,
            "SET" | "MSET" => {
                for pair in words[1..].chunks_exact(2) {
                    writes.push((pair[0].clone(), pair[1].parse::<u64>().map_err(|error| error.to_string())?));
                }
                if let Some(group) = &mut group {
                    group.append(&mut writes);
                }
            }
            other => return Err(format!("nobody sent {other}")),
        }
        data.extend(writes);
    }
    Ok(data)
}

impl Actor {
    /// The next pipeline.
    fn send(&mut self, world: &mut World, random: &mut Random, own: usize) {
        let mut bytes = Vec::new();
        for _ in 0..1 + random.below(3) {
            let [a, b, c] = keys(own);
            self.number += 1;
            let number = self.number.to_string();
            match random.below(5) {
                0 => {
                    encode_array(&["MSET", &a, &number, &b, &number, &c, &number], &mut bytes);
                    self.expected.push_back(Expected::Written(own, self.number));
                }
                1 => {
                    encode_array(&["MULTI"], &mut bytes);
                    for key in [&a, &b, &c] {
                        encode_array(&["SET", key, &number], &mut bytes);
                    }
                    encode_array(&["EXEC"], &mut bytes);
                    self.expected.extend((0..4).map(|_| Expected::Nothing));
                    self.expected.push_back(Expected::Written(own, self.number));
                }
                _ => {
                    let group = random.below(GROUPS as u64) as usize;
                    let key = &keys(group)[random.below(3) as usize];
                    self.number -= 1;
                    encode_array(&["GET", key], &mut bytes);
                    self.expected.push_back(Expected::Read(group));
                }
            }
        }
        world.send(self.client, &bytes);
    }

    /// What the client was told since.
    fn receive(&mut self, world: &mut World, told: &mut [u64; GROUPS]) -> Result<(), String> {
        let received = world.received(self.client);
        while let Some((value, len)) = parse(received)? {
            received.drain(..len);
            match (self.expected.pop_front().ok_or("a reply that nobody asked for")?, value) {
                // The disk fails.
                (_, Value::Error(error)) if error.starts_with(b"MISCONF") || error.starts_with(b"EXECABORT") => {}
                (_, Value::Error(error)) => return Err(String::from_utf8_lossy(&error).into_owned()),
                (Expected::Written(group, number), _) => told[group] = told[group].max(number),
                (Expected::Read(group), Value::Bulk(text)) => {
                    let number: u64 = String::from_utf8_lossy(&text).parse().map_err(|_| "no number")?;
                    told[group] = told[group].max(number);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn run(seed: u64) -> Result<(), String> {
    let mut random = Random::new(seed ^ 0x6c6f67);
    let cores = 1 + random.below(4) as usize;
    let options = Options { seed, cores, ring_slots: 2 << random.below(3), databases: 1, ghosts: random.below(4) != 0 };
    let mut world = World::new(&options).map_err(|error| error.to_string())?;
    if world.surviving_log(&mut random).is_none() {
        return Ok(());
    }
    if random.below(3) == 0 {
        world.let_disk_fail();
    }
    let mut actors: Vec<Actor> = (0..GROUPS)
        .map(|_| {
            let client = world.connect(random.below(cores as u64) as usize);
            Actor { client, number: 0, expected: VecDeque::new() }
        })
        .collect();
    let mut told = [0; GROUPS];
    for _ in 0..random.below(STEPS_MAX) {
        for (own, actor) in actors.iter_mut().enumerate() {
            if actor.expected.is_empty() && random.below(4) == 0 {
                actor.send(&mut world, &mut random, own);
            }
        }
        world.step()?;
        for actor in &mut actors {
            actor.receive(&mut world, &mut told)?;
        }
    }
    let mut check = |world: &World, told: &[u64; GROUPS]| {
        if world.may_log_owe() {
            return Ok(());
        }
        let data = replay(&world.surviving_log(&mut random).unwrap_or_default())?;
        for (group, &told) in told.iter().enumerate() {
            let found = keys(group).map(|key| data.get(&key).copied().unwrap_or(0));
            if found[0] < told || found.iter().any(|number| *number != found[0]) {
                let kind = world.log_kind();
                return Err(format!("group {group}: {told} was told, the log ({kind}) has {found:?}"));
            }
        }
        Ok(())
    };
    check(&world, &told)?;
    world.rest()?;
    for actor in &mut actors {
        actor.receive(&mut world, &mut told)?;
        if !actor.expected.is_empty() {
            return Err("a client waits for good".to_string());
        }
    }
    check(&world, &told)
}

#[test]
fn what_was_told_survives_a_power_cut() {
    for_seeds(SEEDS, 1, run);
}
