//! Snapshots in the simulator: whatever the order of things, a snapshot beside the commands is one point in time.
//!
//! Money moves between accounts on several shards, keys come and go, and BGSAVE is asked for in between. Every file must
//! hold all the money, every key that never changes once, and nothing twice (a key that comes twice is refused).
//!
//! `RINGFORT_SIM_SEEDS=10000` runs that many seeds instead of those of CI.

mod support;

use std::time::{Duration, Instant};

use ringfort::keyspace::{KeyHasher, Keyspace, Turn};
use ringfort::persist::rdb::load::{LoadOptions, load};
use ringfort::persist::rdb::value_read::LoadLimits;
use ringfort::server::simulated::{Options, World};
use ringfort::stdx::number::INTEGER_TEXT_BYTES_MAX;
use ringfort::stdx::random::Random;
use ringfort::value::{hash, list, set, sorted_set};
use support::text::encode_array;
use support::value::parse;

const SEEDS: u64 = 150;
const CLIENTS: usize = 4;
const ACCOUNTS: u64 = 12;
const MONEY: i64 = 1000;
const STILL_KEYS: usize = 400;
const STEPS: u64 = 4000;
const PATIENCE: Duration = Duration::from_secs(30);

fn send(world: &mut World, client: usize, commands: &[&[&str]]) {
    let mut bytes = Vec::new();
    commands.iter().for_each(|command| encode_array(command, &mut bytes));
    world.send(client, &bytes);
}

/// What one client does next.
fn act(world: &mut World, client: usize, random: &mut Random) {
    let [from, to, churn] = [ACCOUNTS, ACCOUNTS, 60].map(|count| random.below(count).to_string());
    let [from, to] = [from, to].map(|account| ["account:", &account].concat());
    let (churn, amount) = (["churn:", &churn].concat(), random.below(50).to_string());
    match random.below(16) {
        0..8 => {
            send(world, client, &[&["MULTI"], &["DECRBY", &from, &amount], &["INCRBY", &to, &amount], &["EXEC"]]);
        }
        8..11 => send(world, client, &[&["SET", &churn, &amount]]),
        11..13 => send(world, client, &[&["DEL", &churn, "churn:1", "churn:2"]]),
        13 => send(world, client, &[&["RENAME", &churn, "churn:3"]]),
        14 => send(world, client, &[&["SWAPDB", "1", "2"]]),
        _ => send(world, client, &[&["SELECT", "1"], &["HSET", &churn, &amount, "x"], &["SELECT", "0"]]),
    }
}

/// Whether something went wrong in what a client was answered. Its open replies are taken away.
fn look(world: &mut World, client: usize) -> Result<(), String> {
    let received = world.received(client);
    while let Some((reply, length)) = parse(received)? {
        let text = reply.to_string();
        received.drain(..length);
        if reply.is_error() && !text.contains("no such key") && !text.contains("already in progress") {
            return Err(text);
        }
    }
    Ok(())
}

/// Loads the file that a snapshot left; says what is wrong with it.
fn check(file: &std::path::Path) -> Result<(), String> {
    let limits = LoadLimits {
        list: list::Limits { node: -2, plain_bytes_min: 0 },
        set: set::SetLimits { intset_entries: 512, listpack_entries: 128, listpack_value: 64 },
        hash: hash::PackedLimits { entries: 512, value_bytes: 64 },
        sorted_set: sorted_set::PackedLimits { members_max: 128, member_bytes_max: 64 },
    };
    let options = LoadOptions { limits, sums: true, drops_expired: true, replaces: false, now_ms: 0, key_delay_us: 0 };
    let hasher = KeyHasher::new(1, 1);
    let mut keyspace = Keyspace::new(3, hasher.clone(), 1);
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    load(&bytes[..], &mut [&mut keyspace], &hasher, &options).map_err(|error| error.to_string())?;
    let mut money = 0;
    for account in 0..ACCOUNTS {
        let name = format!("account:{account}");
        let entry =
            keyspace.peek(0, &hasher.key(name.as_bytes()), Turn::at(0, false)).ok_or("an account is missing")?;
        let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
        let text = entry.string_bytes(&mut scratch).unwrap_or_default();
        money += String::from_utf8_lossy(text).parse::<i64>().map_err(|error| error.to_string())?;
    }
    let mut still = 0;
    keyspace.each(0, |entry| still += usize::from(entry.key().starts_with(b"still:")));
    match (money, still) {
        (money, _) if money != MONEY * ACCOUNTS as i64 => Err(format!("{money} of the money is there")),
        (_, still) if still != STILL_KEYS => Err(format!("{still} of the keys that never change are there")),
        _ => Ok(()),
    }
}

/// One world. Returns how many entries were written before they changed, in bytes.
fn run(seed: u64, file: &std::path::Path) -> Result<u64, String> {
    let mut random = Random::new(!seed);
    let cores = 1 + random.below(4) as usize;
    let options = Options { seed, cores, ring_slots: 2 << random.below(3), databases: 3, ghosts: random.below(4) != 0 };
    let mut world = World::new(&options).expect("/dev/null opens");
    for _ in 0..CLIENTS {
        world.connect(random.below(cores as u64) as usize);
    }
    for number in 0..STILL_KEYS {
        send(&mut world, 0, &[&["SET", &format!("still:{number}"), "x"]]);
    }
    for account in 0..ACCOUNTS {
        send(&mut world, 0, &[&["SET", &format!("account:{account}"), &MONEY.to_string()]]);
    }
    world.rest()?;
    let _ = std::fs::remove_file(file);
    let begin = random.below(STEPS / 2);
    for step in 0..STEPS {
        if step == begin {
            send(&mut world, 0, &[&["BGSAVE"]]);
        }
        if random.below(4) == 0 {
            let client = random.below(CLIENTS as u64) as usize;
            act(&mut world, client, &mut random);
        }
        if random.below(64) == 0 {
            world.walk();
        }
        world.step()?;
    }
    world.rest()?;
    (0..CLIENTS).try_for_each(|client| look(&mut world, client))?;
    let deadline = Instant::now() + PATIENCE;
    while world.walk() {
        world.rest()?;
        if Instant::now() > deadline {
            return Err("the snapshot does not end".to_owned());
        }
    }
    let early = world.facts().saves.last_copied_bytes.load(std::sync::atomic::Ordering::Relaxed);
    check(file).map(|()| early)
}

#[test]
fn every_snapshot_is_one_point_in_time() {
    // Worlds write into the folder that the process is in, one after the other.
    let folder = std::env::temp_dir().join(format!("rf-{}-worlds", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
    std::env::set_current_dir(&folder).expect("it was just made");
    let seeds = std::env::var("RINGFORT_SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let mut early = 0;
    for seed in 0..seeds {
        match run(seed, &folder.join("dump.rdb")) {
            Ok(bytes) => early += u64::from(bytes > 0),
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    assert!(early > seeds / 4, "in {early} of {seeds} worlds something changed before the walk came to it");
}
