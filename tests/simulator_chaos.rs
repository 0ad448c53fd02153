//! The engine in the simulator under abuse: long pipelines, large values, garbage, connections that break, clients killed
//! and paused. Nothing panics, every reply comes once and in order, everything is put away and no memory is kept.
//!
//! Careful clients work on keys of their own, so each reply is known beforehand, to the byte; noisy ones do anything.
//! One test, because it counts the memory of the whole process.

mod support;

use ringfort::server::simulated::{Options, World};
use ringfort::stats::memory::used_bytes;
use ringfort::stdx::random::Random;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::history::Generator;
use support::model::{Op, encode};
use support::seeds::for_seeds;
use support::text::{encode_array, quote};

/// Seeds in CI.
const SEEDS: u64 = 1_500;
/// Commands of a careful client.
const COMMANDS_MAX: u64 = 600;
/// Keys of a careful client.
const KEYS: u64 = 5;
/// Steps before clients stop sending.
const STEPS_MAX: u64 = 20_000;
/// Memory that a world may leave behind: what the process allocates once, and keeps.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// Panics seen. The engine survives those of handlers; here they are failures.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// A client whose replies are known.
struct Careful {
    client: usize,
    left: u64,
    values: BTreeMap<u64, Vec<u8>>,
    expected: Vec<u8>,
    skip: bool,
    cut: bool,
}

impl Careful {
    fn name(&self, key: u64) -> Vec<u8> {
        format!("careful:{}:{key}", self.client).into_bytes()
    }

    /// One more command: its bytes are added to `request`, its reply to `expected`.
    fn command(&mut self, random: &mut Random, request: &mut Vec<u8>) {
        let (one, other) = (random.below(KEYS), random.below(KEYS));
        let mut command: Vec<Vec<u8>> = Vec::new();
        let mut reply = Vec::new();
        let keys = [self.name(one), self.name(other)];
        match random.below(12) {
            0 | 1 => {
                let value = value(random);
                command.extend([b"SET".to_vec(), keys[0].clone(), value.clone()]);
                self.values.insert(one, value);
                reply.extend(b"+OK\r\n");
            }
            2 | 3 => {
                command.extend([b"GET".to_vec(), keys[0].clone()]);
                bulk(&mut reply, self.values.get(&one));
            }
            4 => {
                command.extend([b"MGET".to_vec(), keys[0].clone(), keys[1].clone()]);
                reply.extend(b"*2\r\n");
                bulk(&mut reply, self.values.get(&one));
                bulk(&mut reply, self.values.get(&other));
            }
            5 => {
                let (first, second) = (value(random), value(random));
                command.extend([b"MSET".to_vec(), keys[0].clone(), first.clone(), keys[1].clone(), second.clone()]);
                self.values.insert(one, first);
                self.values.insert(other, second);
                reply.extend(b"+OK\r\n");
            }
            6 => {
                command.extend([b"DEL".to_vec(), keys[0].clone(), keys[1].clone()]);
                let count = [one, other].iter().filter(|key| self.values.remove(key).is_some()).count();
                reply.extend(format!(":{count}\r\n").bytes());
            }
            7 => {
                command.extend([b"EXISTS".to_vec(), keys[0].clone(), keys[1].clone()]);
                let count = [one, other].iter().filter(|key| self.values.contains_key(key)).count();
                reply.extend(format!(":{count}\r\n").bytes());
            }
            8 => {
                command.extend([b"RENAME".to_vec(), keys[0].clone(), keys[1].clone()]);
                match self.values.remove(&one) {
                    Some(value) => {
                        self.values.insert(other, value);
                        reply.extend(b"+OK\r\n");
                    }
                    None => reply.extend(b"-ERR no such key\r\n"),
                }
            }
            9 => {
                command.extend([b"ECHO".to_vec(), keys[0].clone()]);
                bulk(&mut reply, Some(&keys[0]));
            }
            10 if !self.skip => {
                self.skip = true;
                command.extend([b"CLIENT".to_vec(), b"REPLY".to_vec(), b"SKIP".to_vec()]);
                return encode_array(&command, request);
            }
            _ => {
                command.push(b"GET".to_vec());
                reply.extend(b"-ERR wrong number of arguments for 'get' command\r\n");
            }
        }
        encode_array(&command, request);
        if !std::mem::take(&mut self.skip) {
            self.expected.extend(reply);
        }
    }
}

/// Mostly short, sometimes beyond the limits above which arguments and values are kept by reference.
fn value(random: &mut Random) -> Vec<u8> {
    let length = match random.below(100) {
        0 => random.below(400_000),
        1..=5 => random.below(40_000),
        _ => random.below(60),
    };
    let byte = b'a' + random.below(26) as u8;
    vec![byte; length as usize]
}

fn bulk(reply: &mut Vec<u8>, value: Option<&Vec<u8>>) {
    match value {
        Some(value) => {
            reply.extend(format!("${}\r\n", value.len()).bytes());
            reply.extend(value);
            reply.extend(b"\r\n");
        }
        None => reply.extend(b"$-1\r\n"),
    }
}

/// What a noisy client sends at once. `victims`: numbers of clients it may have closed.
fn noise(random: &mut Random, generator: &mut Generator, victims: &[u64]) -> Vec<u8> {
    let victim = victims[random.below(victims.len() as u64) as usize];
    let mut bytes = Vec::new();
    for _ in 0..random.below(20) {
        match random.below(40) {
            0 => bytes.extend((0..random.below(100)).map(|_| random.next_u64() as u8)),
            1 => bytes.extend(b"*2\r\n$3\r\nGET\r\n$-7\r\n"),
            2 => bytes.extend(b"*3\r\n$3\r\nSET\r\n$1\r\nn\r\n$50000\r\nand no more"),
            3 => bytes.extend(format!("CLIENT KILL ID {victim}\r\n").bytes()),
            4 => bytes.extend(format!("CLIENT PAUSE {} {}\r\n", random.below(50), ["WRITE", "ALL"][random.below(2) as usize]).bytes()),
            5 => bytes.extend(b"CLIENT UNPAUSE\r\n"),
            6 => bytes.extend(b"CLIENT LIST\r\n"),
            7 => bytes.extend(b"CLIENT REPLY OFF\r\n"),
            8 => bytes.extend(b"HELLO 3\r\n"),
            9 => bytes.extend(b"QUIT\r\n"),
            10 => bytes.extend(b"POST / HTTP/1.1\r\nHost: here\r\n\r\n"),
            11 => bytes.extend(b"INFO all\r\n"),
            12 => bytes.extend(b"SCAN 0 COUNT 100\r\nKEYS *\r\nRANDOMKEY\r\n"),
            13 => bytes.extend(b"UNLINK k0 k1 k2 k3 k4 k5\r\nTOUCH k0 k1 k2\r\n"),
            14 => bytes.extend(b"SELECT 1\r\nDBSIZE\r\nSELECT 0\r\n"),
            15 => bytes.extend(b"MSET k0\r\nMSET k0 1 k1\r\nDEL\r\nSWAPDB 0 9\r\nCOPY k0 k1 DB 7\r\n"),
            _ => match generator.op() {
                // These would change what the careful clients find.
                Op::Flushall | Op::Swapdb => {}
                op => bytes.extend(encode(&op)),
            },
        }
    }
    bytes
}

struct Run {
    world: World,
    random: Random,
    generator: Generator,
    careful: Vec<Careful>,
    noisy: Vec<usize>,
    victims: Vec<u64>,
    cores: u64,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut random = Random::new(!seed);
        let cores = 1 + random.below(4);
        let ring_slots = 2 << random.below(3);
        let options = Options { seed, cores: cores as usize, ring_slots, databases: 2, ghosts: random.below(8) != 0 };
        let mut world = World::new(&options).expect("/dev/null opens");
        let mut careful = Vec::new();
        for _ in 0..1 + random.below(4) {
            let client = world.connect(random.below(cores) as usize);
            let left = random.below(COMMANDS_MAX);
            careful.push(Careful { client, left, values: BTreeMap::new(), expected: Vec::new(), skip: false, cut: false });
        }
        let generator = Generator::new(random.next_u64(), 6);
        let mut run = Run { world, random, generator, careful, noisy: Vec::new(), victims: Vec::new(), cores };
        for _ in 0..run.random.below(5) {
            run.connect_noisy();
        }
        run
    }

    fn connect_noisy(&mut self) {
        let client = self.world.connect(self.random.below(self.cores) as usize);
        self.noisy.push(client);
        // The server numbers its clients from 1, in the order in which they connect.
        self.victims.push(client as u64 + 1);
    }

    fn clients_act(&mut self) {
        for careful in &mut self.careful {
            if careful.cut || careful.left == 0 || self.random.below(60) != 0 {
                continue;
            }
            let mut request = Vec::new();
            for _ in 0..self.random.below(careful.left.min(200) + 1) {
                careful.command(&mut self.random, &mut request);
                careful.left -= 1;
            }
            self.world.send(careful.client, &request);
            if careful.left == 0 && self.random.below(3) == 0 {
                self.world.end_input(careful.client);
            } else if self.random.below(30) == 0 {
                careful.cut = true;
                self.world.cut(careful.client);
            }
        }
        for at in 0..self.noisy.len() {
            match self.random.below(2_000) {
                0 => self.world.cut(self.noisy[at]),
                1 => self.world.end_input(self.noisy[at]),
                2..50 => {
                    let bytes = noise(&mut self.random, &mut self.generator, &self.victims);
                    self.world.send(self.noisy[at], &bytes);
                }
                _ => {}
            }
        }
        if self.noisy.len() < 40 && self.random.below(1_000) == 0 {
            self.connect_noisy();
        }
    }

    fn play(&mut self) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            self.clients_act();
            self.world.step()?;
            if self.careful.iter().all(|careful| careful.cut || careful.left == 0) {
                break;
            }
        }
        self.world.rest()?;
        for careful in &self.careful {
            let client = careful.client;
            let received = std::mem::take(self.world.received(client));
            let all = if careful.cut { careful.expected.starts_with(&received) } else { careful.expected == received };
            if !all {
                let same = careful.expected.iter().zip(&received).take_while(|(one, other)| one == other).count();
                let shown = |bytes: &[u8]| quote(&bytes[same.min(bytes.len())..bytes.len().min(same + 200)]);
                return Err(format!(
                    "client {client} (cut: {}) got {} bytes for {}; from {same} on {} instead of {}",
                    careful.cut,
                    received.len(),
                    careful.expected.len(),
                    shown(&received),
                    shown(&careful.expected)
                ));
            }
        }
        Ok(())
    }
}

#[test]
fn abuse_leaves_nothing_behind() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        print(panic);
    }));
    let run = |seed| {
        Run::new(seed).play()?;
        match PANICS.swap(0, Ordering::Relaxed) {
            0 => Ok(()),
            count => Err(format!("{count} panics")),
        }
    };
    // What is made once for the whole process is made here.
    run(0).expect("the first seed");
    let before = used_bytes();
    for_seeds(SEEDS, 10, |seed| {
        run(seed)?;
        match used_bytes().saturating_sub(before) {
            kept if kept > KEPT_BYTES_MAX => Err(format!("{kept} bytes are kept for good")),
            _ => Ok(()),
        }
    });
}
