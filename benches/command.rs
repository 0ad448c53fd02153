//! Handlers on a keyspace of a million keys, called as the session calls them: a window of commands whose buckets and
//! entries are touched first, then `shard::call::call` for each. Parsing and sending are left out; routing's hash is in.
//! Times are per command (per key for MGET). `cargo bench --bench command` (about 300 MB of memory).

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringfort::command::args::Args;
use ringfort::command::blocking::Waiting;
use ringfort::command::context::{Context, Keyspaces};
use ringfort::command::table::{Row, TABLE};
use ringfort::config::Config;
use ringfort::keyspace::prefetch::{self, Wanted};
use ringfort::keyspace::{KeyHasher, Keyspace, Turn};
use ringfort::resp::reply::{Protocol, Reply};
use ringfort::resp::request::ArgRange;
use ringfort::shard::call::call;
use ringfort::stats::server::ServerFacts;
use ringfort::stdx::random::Random;

const KEYS: u64 = 1_000_000;
/// Commands run together: the session's window.
const WINDOW: usize = 32;
/// Keys of one MGET.
const MGET_KEYS: usize = 16;
const NOW_MS: i64 = 1_700_000_000_000;

/// A shard with everything its commands need.
struct Bench {
    boxes: Vec<Option<Box<Keyspace>>>,
    hasher: KeyHasher,
    server: ServerFacts,
    config: Config,
    reply: Reply,
    random: Random,
}

/// Commands as the parser leaves them: one buffer, ranges, and where each command begins.
#[derive(Default)]
struct Requests {
    buffer: Vec<u8>,
    ranges: Vec<ArgRange>,
    starts: Vec<usize>,
}

impl Requests {
    fn clear(&mut self) {
        self.buffer.clear();
        self.ranges.clear();
        self.starts.clear();
    }

    fn begin(&mut self) {
        self.starts.push(self.ranges.len());
    }

    fn argument(&mut self, bytes: &[u8]) {
        self.ranges.push(ArgRange { start: self.buffer.len() as u32, len: bytes.len() as u32 });
        self.buffer.extend_from_slice(bytes);
    }

    fn args(&self, index: usize) -> Args<'_> {
        let end = self.starts.get(index + 1).copied().unwrap_or(self.ranges.len());
        Args::new(&self.buffer, &self.ranges[self.starts[index]..end], &[])
    }
}

impl Bench {
    /// A keyspace in which every key has the value that `value` gives it.
    fn new(value: impl Fn(u64) -> Vec<u8>) -> Bench {
        let hasher = KeyHasher::new(1, 7);
        let mut bench = Bench {
            boxes: vec![Some(Box::new(Keyspace::new(1, hasher.clone(), 7)))],
            hasher,
            server: ServerFacts::new(1, TABLE.count(), "0".repeat(40), NOW_MS),
            config: Config::new(),
            reply: Reply::new(Protocol::Resp2),
            random: Random::new(7),
        };
        let set = TABLE.find(b"set").expect("SET is there");
        let mut requests = Requests::default();
        for number in 0..KEYS {
            requests.clear();
            requests.begin();
            requests.argument(b"set");
            requests.argument(key(number).as_bytes());
            requests.argument(&value(number));
            bench.run(set, &requests, 1);
        }
        bench
    }

    /// Runs a window as the session does.
    fn run(&mut self, row: &'static Row, requests: &Requests, count: usize) {
        let mut hashes = [0; WINDOW];
        let keyspace = self.boxes[0].as_deref().expect("the box is at hand");
        for (index, hash) in hashes[..count].iter_mut().enumerate() {
            *hash = self.hasher.key(requests.args(index).get(1)).hash;
            keyspace.prefetch_bucket(0, *hash);
        }
        prefetch::touch(hashes[..count].iter().map(|&hash| Wanted { keyspace, database: 0, hash, member: None }));
        for (index, &hash) in hashes[..count].iter().enumerate() {
            let mut context = Context {
                args: requests.args(index),
                reply: &mut self.reply,
                keyspaces: Keyspaces::new(&mut self.boxes, &self.hasher, Some(0)),
                database: 0,
                turn: Turn::at(NOW_MS, true),
                config: &self.config,
                server: &self.server,
                first_key: Some((1, hash)),
                command: row.full_name,
                waiting: Waiting::Denied,
                wait: None,
            };
            call(row, &mut context, &self.server.cores[0]).expect("the handler does not panic");
        }
        black_box(&self.reply);
        self.reply.clear();
    }

    /// The mean time of one of `iterations` items, `per_command` of them in a command.
    fn time(
        &mut self,
        iterations: u64,
        per_command: usize,
        name: &str,
        mut arguments: impl FnMut(&mut Random, &mut Requests),
    ) -> Duration {
        let row = TABLE.find(name.as_bytes()).expect("the command is there");
        let each_round = (WINDOW * per_command) as u64;
        let rounds = iterations.div_ceil(each_round);
        let (mut requests, mut elapsed) = (Requests::default(), Duration::ZERO);
        for _ in 0..rounds {
            requests.clear();
            for _ in 0..WINDOW {
                requests.begin();
                requests.argument(name.as_bytes());
                arguments(&mut self.random, &mut requests);
            }
            let start = Instant::now();
            self.run(row, &requests, WINDOW);
            elapsed += start.elapsed();
        }
        elapsed.mul_f64(iterations as f64 / (rounds * each_round) as f64)
    }
}

fn key(number: u64) -> String {
    format!("key:{number:012}")
}

fn some_key(random: &mut Random, requests: &mut Requests) {
    requests.argument(key(random.below(KEYS)).as_bytes());
}

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("command");
    group.sample_size(10).throughput(Throughput::Elements(1));
    let mut texts = Bench::new(|number| format!("value {number:026}").into_bytes());
    group.bench_function("GET, 32 bytes", |bencher| {
        bencher.iter_custom(|iterations| texts.time(iterations, 1, "get", some_key));
    });
    group.bench_function("GET, none there", |bencher| {
        bencher.iter_custom(|iterations| {
            texts.time(iterations, 1, "get", |random, requests| {
                requests.argument(key(KEYS + random.below(KEYS)).as_bytes());
            })
        });
    });
    group.bench_function("MGET, 16 keys of 32 bytes", |bencher| {
        bencher.iter_custom(|iterations| {
            texts.time(iterations, MGET_KEYS, "mget", |random, requests| {
                (0..MGET_KEYS).for_each(|_| some_key(random, requests));
            })
        });
    });
    group.bench_function("SET, 32 bytes over 32", |bencher| {
        bencher.iter_custom(|iterations| {
            texts.time(iterations, 1, "set", |random, requests| {
                some_key(random, requests);
                requests.argument(b"another value of 32 bytes length");
            })
        });
    });
    group.bench_function("SET, 3 and 100 bytes in turn", |bencher| {
        bencher.iter_custom(|iterations| {
            texts.time(iterations, 1, "set", |random, requests| {
                some_key(random, requests);
                let long = [b'x'; 100];
                requests.argument(if random.below(2) == 0 { &long } else { b"abc" });
            })
        });
    });
    drop(texts);
    let mut counters = Bench::new(|number| number.to_string().into_bytes());
    group.bench_function("INCR", |bencher| {
        bencher.iter_custom(|iterations| counters.time(iterations, 1, "incr", some_key));
    });
    group.bench_function("GET, an integer", |bencher| {
        bencher.iter_custom(|iterations| counters.time(iterations, 1, "get", some_key));
    });
    group.finish();
}

criterion_group!(benches, commands);
criterion_main!(benches);
