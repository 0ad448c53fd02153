//! The engine in the simulator: histories drawn from seeds are strictly serializable, nothing is lost or left behind.
//!
//! `RINGFORT_SIM_SEEDS=10000` runs that many seeds instead of the few hundred of CI; `RINGFORT_SIM_SEED=7` runs one
//! again, and prints its history. A failure names its seed.

mod support;

use ringfort::server::simulated::{Options, World};
use ringfort::stdx::limits::{COMMANDS_PER_TURN_MAX, OUTPUT_BYTES_PAUSE};
use ringfort::stdx::random::Random;
use std::sync::atomic::{AtomicU64, Ordering};
use support::history::{Call, Generator, History};
use support::linearize::{CALLS_MAX, Verdict};
use support::model::{DATABASES, KEYS_MAX, Op, encode, key_name, shares_a_key};
use support::seeds::for_seeds;
use support::text::encode_array;
use support::value::{Value, parse};

/// Seeds in CI.
const SEEDS: u64 = 5_000;
/// Histories that may be too hard to decide: of 20,000 with waiting clients it was one.
const UNDECIDED_MAX: u64 = 10;
/// Those that were.
static UNDECIDED: AtomicU64 = AtomicU64::new(0);
/// Steps after which a history must be over.
const STEPS_MAX: u64 = 50_000;
/// Most clients of a history.
const CLIENTS_MAX: u64 = 6;
/// Longest pipeline.
const PIPELINE_MAX: u64 = 8;

/// A client that sends pipelines one after the other, each when the one before is answered.
struct Actor {
    database: usize,
    left: u64,
    /// SELECT was sent and not answered.
    selecting: bool,
    /// Indices of calls sent and not answered.
    open: Vec<usize>,
    /// The first replies of a transaction.
    replies: Vec<Value>,
    cut: bool,
}

struct Run {
    world: World,
    random: Random,
    generator: Generator,
    actors: Vec<Actor>,
    history: History,
    now: u64,
    /// Steps that a client thinks about its next pipeline, on average.
    pause: u64,
    pipeline_max: u64,
    cuts: bool,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut random = Random::new(!seed);
        let cores = 1 + random.below(4) as usize;
        let options = Options {
            seed,
            cores,
            ring_slots: 2 << random.below(3),
            databases: DATABASES,
            ghosts: random.below(8) != 0,
        };
        let mut world = World::new(&options).expect("/dev/null opens");
        let mut actors = Vec::new();
        let clients = 2 + random.below(CLIENTS_MAX - 1);
        for _ in 0..clients {
            world.connect(random.below(cores as u64) as usize);
            let left = 1 + random.below(CALLS_MAX as u64 / clients);
            actors.push(Actor { database: 0, left, selecting: false, open: Vec::new(), replies: Vec::new(), cut: false });
        }
        let keys = 2 + random.below(KEYS_MAX as u64 - 1) as usize;
        let generator = Generator::new(random.next_u64(), keys);
        let cuts = random.below(4) == 0;
        let (pause, pipeline_max) = (1 + random.below(16), 1 + random.below(PIPELINE_MAX));
        Run { world, random, generator, actors, history: History::default(), now: 0, pause, pipeline_max, cuts }
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn send_pipeline(&mut self, client: usize) {
        let mut bytes = Vec::new();
        let length = (1 + self.random.below(self.pipeline_max)).min(self.actors[client].left);
        self.actors[client].left -= length;
        if self.actors[client].database == 0 && self.random.below(4) == 0 {
            self.actors[client].database = 1;
            self.actors[client].selecting = true;
            bytes.extend_from_slice(b"SELECT 1\r\n");
        }
        for _ in 0..length {
            let op = self.generator.op();
            bytes.extend(encode(&op));
            let called = self.tick();
            self.actors[client].open.push(self.history.calls.len());
            let database = self.actors[client].database;
            self.history.calls.push(Call { client, database, op, called, returned: None });
        }
        self.world.send(client, &bytes);
    }

    fn receive(&mut self, client: usize) -> Result<(), String> {
        loop {
            let received = self.world.received(client);
            let Some((reply, length)) = parse(received)? else { return Ok(()) };
            received.drain(..length);
            if std::mem::take(&mut self.actors[client].selecting) {
                assert!(!reply.is_error(), "SELECT: {reply}");
                continue;
            }
            if self.actors[client].open.is_empty() {
                return Err(format!("client {client} got a reply to nothing: {reply}"));
            }
            self.actors[client].replies.push(reply);
            let call = self.actors[client].open[0];
            if self.actors[client].replies.len() < self.history.calls[call].op.replies_len() {
                continue;
            }
            self.actors[client].open.remove(0);
            let replies = std::mem::take(&mut self.actors[client].replies);
            let at = self.tick();
            self.history.calls[call].returned = Some((at, self.history.calls[call].op.reply_of(replies)));
        }
    }

    fn is_over(&self) -> bool {
        self.actors.iter().all(|actor| actor.cut || (actor.left == 0 && actor.open.is_empty()))
    }

    fn play(&mut self) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            for client in 0..self.actors.len() {
                self.receive(client)?;
                let actor = &mut self.actors[client];
                if actor.cut {
                    continue;
                }
                if self.cuts && self.random.below(200) == 0 {
                    actor.cut = true;
                    self.world.cut(client);
                } else if actor.open.is_empty() && actor.left > 0 && self.random.below(self.pause) == 0 {
                    self.send_pipeline(client);
                }
            }
            if self.is_over() {
                return self.world.rest();
            }
            let waits = self.actors.iter().all(|actor| actor.cut || !actor.open.is_empty());
            if !self.world.step()? && waits && !self.is_over() {
                // What has arrived and not been looked at is no loss.
                let unread = (0..self.actors.len()).any(|client| !self.world.received(client).is_empty());
                if !unread {
                    self.world.rest()?;
                    return Err("all clients wait and nothing can happen: a wake-up was lost".to_string());
                }
            }
        }
        // Ghosts come and go for ever; without them it shows what is missing.
        self.world.rest()?;
        Err("the history does not end".to_string())
    }

    /// The engine's order within a pipeline: that of each shard, and commands over several shards stand for themselves.
    fn in_order(&self, first: &Op, second: &Op) -> bool {
        let shards = |op: &Op| -> Vec<usize> { op.keys().into_iter().map(|key| self.world.shard_of(&key_name(key))).collect() };
        let several = |shards: &[usize]| shards.iter().any(|shard| *shard != shards[0]);
        let (one, other) = (shards(first), shards(second));
        shares_a_key(first, second) || several(&one) || several(&other) || one.first() == other.first()
    }
}

fn serializable(seed: u64) -> Result<(), String> {
    let mut run = Run::new(seed);
    let played = run.play();
    let result = played.and_then(|()| match run.history.check(|first, second| run.in_order(first, second)) {
        Verdict::Legal => Ok(()),
        Verdict::Illegal(longest) => Err(format!("no order explains the replies; the longest: {longest:?}")),
        Verdict::Undecided => {
            UNDECIDED.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    });
    if std::env::var("RINGFORT_SIM_SEED").is_ok() {
        eprintln!("{}", run.history.show());
    }
    result.map_err(|reason| format!("{reason}\n{}", run.history.show()))
}

#[test]
fn histories_are_strictly_serializable() {
    for_seeds(SEEDS, 1, serializable);
    let undecided = UNDECIDED.load(Ordering::Relaxed);
    assert!(undecided <= UNDECIDED_MAX, "{undecided} searches were given up");
}

#[test]
fn seeds_reach_the_rare_paths() {
    let (mut batches, mut scatters, mut loans, mut scripts_anew, mut calls) = (0, 0, 0, 0, 0);
    for seed in 0..100 {
        let mut run = Run::new(seed);
        run.play().unwrap_or_else(|reason| panic!("seed {seed}: {reason}"));
        let facts = run.world.facts();
        batches += facts.sum(|core| core.batches.get());
        scatters += facts.sum(|core| core.scatters.get());
        loans += facts.sum(|core| core.loans.get());
        scripts_anew += facts.sum(|core| core.scripts_anew.get());
        calls += facts.sum(|core| core.commands.get());
    }
    eprintln!("of {calls} commands: {batches} batches, {scatters} scattered, {loans} loans, {scripts_anew} scripts begun anew");
    assert!(calls > 1000 && batches > calls / 10 && scatters > calls / 50 && loans > calls / 50 && scripts_anew > 0);
}

/// What a client gets for these bytes, and whether it is still connected then.
fn answer(seed: u64, bytes: &[u8]) -> (String, bool) {
    let cores = 1 + seed as usize % 4;
    let options = Options { seed, cores, ring_slots: 2, databases: DATABASES, ghosts: true };
    let mut world = World::new(&options).expect("/dev/null opens");
    let client = world.connect(0);
    world.send(client, bytes);
    for _ in 0..100 {
        world.step().expect("cores come to rest");
    }
    world.rest().expect("everything is done");
    let reply = String::from_utf8_lossy(world.received(client)).into_owned();
    (reply, world.is_open(client))
}

#[test]
fn nothing_runs_after_an_attack() {
    let request = b"POST / HTTP/1.1\r\nHost: here\r\nSET k 1\r\nPING\r\n";
    for seed in 0..40 {
        assert_eq!(answer(seed, request), (String::new(), false), "seed {seed}");
    }
}

#[test]
fn replies_of_other_cores_leave_before_the_end() {
    let (request, reply) = (b"SET a 1\r\nSET b 2\r\nGET a\r\nGET b\r\nQUIT\r\n", "+OK\r\n+OK\r\n$1\r\n1\r\n$1\r\n2\r\n+OK\r\n");
    for seed in 0..200 {
        assert_eq!(answer(seed, request), (reply.to_string(), false), "seed {seed}");
    }
}

#[test]
fn replies_behind_a_missing_one_are_bounded() {
    let options = Options { seed: 1, cores: 2, ring_slots: 8, databases: DATABASES, ghosts: false };
    let mut world = World::new(&options).expect("/dev/null opens");
    let client = world.connect(0);
    let key_of = |shard| (0..100).map(key_name).find(|key| world.shard_of(key) == shard).expect("one of a hundred keys");
    let (missing, large) = (key_of(1), key_of(0));
    let (value, count) = (vec![b'v'; 10_000], 3_000);
    let mut request = Vec::new();
    encode_array(&[b"SET", &large[..], &value[..]], &mut request);
    encode_array(&[b"GET", &missing[..]], &mut request);
    for _ in 0..count {
        encode_array(&[b"GET", &large[..]], &mut request);
    }
    assert!(world.take_away(1));
    world.send(client, &request);
    while world.step().expect("cores come to rest") {}
    // What one turn adds may come on top.
    assert!(world.late_bytes(client) < OUTPUT_BYTES_PAUSE + COMMANDS_PER_TURN_MAX * (value.len() + 20));
    world.rest().expect("everything is done");
    let expected = [&b"+OK\r\n$-1\r\n"[..], &[&b"$10000\r\n"[..], &value, b"\r\n"].concat().repeat(count)].concat();
    assert!(*world.received(client) == expected);
}

#[test]
fn a_chain_of_moves_that_begins_with_a_batch_ends() {
    for seed in 0..20 {
        let options = Options { seed, cores: 4, ring_slots: 8, databases: DATABASES, ghosts: false };
        let mut world = World::new(&options).expect("/dev/null opens");
        let key_of = |shard| (0..200).map(key_name).find(|key| world.shard_of(key) == shard).expect("one of 200 keys");
        let keys = [key_of(1), key_of(2), key_of(3)];
        let requests: [&[&[u8]]; 4] = [
            &[b"BLMOVE", &keys[0], &keys[1], b"LEFT", b"RIGHT", b"0"],
            &[b"BLMOVE", &keys[1], &keys[2], b"LEFT", b"RIGHT", b"0"],
            &[b"BLPOP", &keys[2], b"0"],
            &[b"RPUSH", &keys[0], b"x"],
        ];
        let clients = [0, 1, 2, 3].map(|core| world.connect(core));
        for (index, arguments) in requests.iter().enumerate() {
            let mut request = Vec::new();
            encode_array(arguments, &mut request);
            // The write finds its box away, so it travels; each further box of the chain is known when the last is there.
            assert!(index < 3 || world.take_away(1));
            world.send(clients[index], &request);
            while world.step().expect("cores come to rest") {}
        }
        world.rest().expect("everything is done");
        let received = clients.map(|client| String::from_utf8_lossy(world.received(client)).into_owned());
        let last = format!("*2\r\n${}\r\n{}\r\n$1\r\nx\r\n", keys[2].len(), String::from_utf8_lossy(&keys[2]));
        assert_eq!(received, ["$1\r\nx\r\n", "$1\r\nx\r\n", last.as_str(), ":1\r\n"], "seed {seed}");
    }
}
