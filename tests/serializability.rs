//! The running server over real sockets: eight clients at once, and one order explains what all of them were answered.
//!
//! `RINGFORT_HISTORIES=5000` runs that many histories instead of CI's.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use support::client::Client;
use support::history::{Call, Generator, History};
use support::linearize::{CALLS_MAX, Verdict};
use support::model::{KEYS_MAX, encode, shares_a_key};
use support::server::{Server, Target};
use ringfort::stdx::random::Random;

const CLIENTS: usize = 8;
const PIPELINE_MAX: u64 = 3;
/// Commands of one client. All overlap, so the search for an order is harder than in the simulator.
const OPS_MAX: u64 = 6;
const HISTORIES_DEFAULT: u64 = 250;
/// One history in so many may be too hard to decide (with `OPS_MAX` 8 it was one in 30,000).
const UNDECIDED_SHARE: u64 = 1_000;

const _: () = assert!(CLIENTS * OPS_MAX as usize <= CALLS_MAX);

/// One client's part of one history.
fn play(client: &mut Client, number: usize, database: usize, seed: u64, ticks: &AtomicU64) -> std::io::Result<Vec<Call>> {
    let tick = || 1 + ticks.fetch_add(1, Ordering::SeqCst);
    // All generators of a history have the same number of keys, and values of their own.
    let keys = 2 + (seed % (KEYS_MAX as u64 - 1)) as usize;
    let mut random = Random::new(seed << 8 | number as u64);
    let mut generator = Generator::new(random.next_u64(), keys).with_values_from(number as u64);
    let mut calls: Vec<Call> = Vec::new();
    let length = 1 + random.below(OPS_MAX) as usize;
    while calls.len() < length {
        let first = calls.len();
        let mut bytes = Vec::new();
        for _ in 0..(1 + random.below(PIPELINE_MAX) as usize).min(length - first) {
            let op = generator.op();
            bytes.extend(encode(&op));
            calls.push(Call { client: number, database, op, called: 0, returned: None });
        }
        let called = tick();
        client.send_raw(&bytes)?;
        for call in &mut calls[first..] {
            let replies = (0..call.op.replies_len()).map(|_| client.read()).collect::<std::io::Result<Vec<_>>>()?;
            let reply = call.op.reply_of(replies);
            call.called = called;
            call.returned = Some((tick(), reply));
        }
    }
    Ok(calls)
}

/// What all clients of a server share.
#[derive(Default)]
struct Shared {
    ticks: AtomicU64,
    history: Mutex<History>,
    failure: Mutex<Option<String>>,
    undecided: AtomicU64,
}

impl Shared {
    fn fail(&self, reason: String) {
        self.failure.lock().expect("no panic while locked").get_or_insert(reason);
    }

    fn has_failed(&self) -> bool {
        self.failure.lock().expect("no panic while locked").is_some()
    }

    /// The first client empties the databases before, and checks the history after.
    fn run(&self, client: &mut Client, number: usize, count: u64, barrier: &Barrier) {
        let database = usize::from(number % 4 == 3);
        client.call(&["SELECT", &database.to_string()]);
        for seed in 0..count {
            if number == 0 {
                client.call(&["FLUSHALL"]);
                self.history.lock().expect("no panic while locked").calls.clear();
            }
            barrier.wait();
            match play(client, number, database, seed, &self.ticks) {
                Ok(calls) => self.history.lock().expect("no panic while locked").calls.extend(calls),
                Err(error) => self.fail(format!("history {seed}, client {number}: {error}")),
            }
            barrier.wait();
            if number == 0 && !self.has_failed() {
                let history = self.history.lock().expect("no panic while locked");
                match history.check(shares_a_key) {
                    Verdict::Legal => {}
                    Verdict::Undecided => {
                        self.undecided.fetch_add(1, Ordering::Relaxed);
                    }
                    illegal => self.fail(format!("history {seed}: {illegal:?}\n{}", history.show())),
                }
            }
            barrier.wait();
            if self.has_failed() {
                return;
            }
        }
    }
}

fn histories(shards: usize) {
    let count = std::env::var("RINGFORT_HISTORIES").map_or(HISTORIES_DEFAULT, |text| text.parse().expect("a number"));
    let server = Server::start(Target::Ringfort { shards });
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    let (shared, barrier) = (Shared::default(), Barrier::new(CLIENTS));
    std::thread::scope(|scope| {
        for (number, client) in clients.iter_mut().enumerate() {
            let (shared, barrier) = (&shared, &barrier);
            scope.spawn(move || shared.run(client, number, count, barrier));
        }
    });
    let undecided = shared.undecided.load(Ordering::Relaxed);
    assert!(undecided * UNDECIDED_SHARE <= count, "{undecided} of {count} histories are undecided");
    let failure = shared.failure.lock().expect("no panic while locked").take();
    assert!(failure.is_none(), "{shards} shards, {}\n{}", failure.unwrap_or_default(), server.log());
}

#[test]
fn sockets_are_strictly_serializable_on_four_shards() {
    histories(4);
}

#[test]
fn sockets_are_strictly_serializable_on_two_shards() {
    histories(2);
}
