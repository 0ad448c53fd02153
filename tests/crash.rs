//! The server is killed at random moments under eight writers, whatever `appendfsync` says, also while it rewrites its log or
//! makes a snapshot: what was acknowledged is there when it is started again, and of what belongs together all or nothing.
//!
//! `RINGFORT_CRASH_CYCLES` (default 8) kills; `RINGFORT_CRASH_SEED` (default 1) chooses the moments.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use support::client::Client;
use support::generate::Rng;
use support::server::{Server, Target, Transport};
use support::value::Value;

const WRITERS: usize = 8;
/// Longest life of a server, milliseconds.
const LIFE_MS_MAX: u64 = 300;

/// What one writer was told: for each kind of write the last number that was acknowledged, and the last it sent.
#[derive(Clone, Copy, Default, Debug)]
struct Told {
    acknowledged: [u64; KINDS],
    sent: [u64; KINDS],
}

/// Kinds of write, each with its own keys, which always hold the same number.
const KINDS: usize = 4;

fn keys(kind: usize, writer: usize) -> Vec<String> {
    match kind {
        0 => vec![format!("single:{writer}")],
        1 => vec![format!("exec:{writer}:a"), format!("exec:{writer}:b"), format!("exec:{writer}:c")],
        2 => vec![format!("several:{writer}:a"), format!("several:{writer}:b"), format!("several:{writer}:c")],
        _ => vec![format!("script:{writer}:a"), format!("script:{writer}:b")],
    }
}

/// Writes a number; false when the server was gone before it answered.
fn write(client: &mut Client, kind: usize, writer: usize, number: u64) -> bool {
    let (keys, number) = (keys(kind, writer), number.to_string());
    let result = match kind {
        0 => client.try_call(&["SET", &keys[0], &number]),
        1 => (|| {
            client.try_call(&["MULTI"])?;
            for key in &keys {
                client.try_call(&["SET", key, &number])?;
            }
            client.try_call(&["EXEC"])
        })(),
        2 => {
            let mut words = vec!["MSET".to_string()];
            keys.iter().for_each(|key| words.extend([key.clone(), number.clone()]));
            client.try_call(&words)
        }
        _ => {
            const SCRIPT: &str = "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('SET', KEYS[2], ARGV[1])";
            client.try_call(&["EVAL", SCRIPT, "2", &keys[0], &keys[1], &number])
        }
    };
    match result {
        Ok(Value::Error(error)) => panic!("kind {kind}: {}", String::from_utf8_lossy(&error)),
        Ok(_) => true,
        Err(_) => false,
    }
}

fn read(client: &mut Client, key: &str) -> u64 {
    match client.call(&["GET", key]) {
        Value::Bulk(text) => String::from_utf8_lossy(&text).parse().expect("a number"),
        _ => 0,
    }
}

/// Writes until the server is gone.
fn writer(mut client: Client, writer: usize, seed: u64, mut told: Told, ready: std::sync::mpsc::Sender<()>) -> Told {
    let mut rng = Rng::new(seed);
    let _ = ready.send(());
    loop {
        let kind = rng.below(KINDS as u64) as usize;
        told.sent[kind] += 1;
        let number = told.sent[kind];
        if !write(&mut client, kind, writer, number) {
            return told;
        }
        told.acknowledged[kind] = number;
    }
}

fn start(shards: usize, folder: &Path, fsync: &str) -> Server {
    let folder = folder.to_str().expect("a plain name");
    let parameters = ["--dir", folder, "--appendonly", "yes", "--appendfsync", fsync, "--save", ""];
    Server::start_with(Target::Ringfort { shards }, Transport::Unix, &parameters)
}

fn kill(server: &Server) {
    let status = Command::new("kill").args(["-KILL", &server.process_id().to_string()]).stderr(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "the server was gone already: {}", server.log());
}

/// Compares what is there with what the writers were told, and goes on from there.
fn check(server: &Server, told: &mut [Told], what: &str) {
    let mut client = server.connect();
    for (writer, told) in told.iter_mut().enumerate() {
        for kind in 0..KINDS {
            let found: Vec<u64> = keys(kind, writer).iter().map(|key| read(&mut client, key)).collect();
            let (first, acknowledged, sent) = (found[0], told.acknowledged[kind], told.sent[kind]);
            assert!(
                found.iter().all(|number| *number == first),
                "{what}: writer {writer}, kind {kind}: a part of a whole: {found:?}; log:\n{}",
                server.log()
            );
            assert!(
                (acknowledged..=sent).contains(&first),
                "{what}: writer {writer}, kind {kind}: {first} is there, {acknowledged} was acknowledged, {sent} was sent; \
                 log:\n{}",
                server.log()
            );
            told.acknowledged[kind] = first;
            told.sent[kind] = first;
        }
    }
}

fn wait(nothing: &Receiver<()>, time: Duration) {
    assert_eq!(nothing.recv_timeout(time), Err(RecvTimeoutError::Timeout));
}

fn cycle(shards: usize, fsync: &str, folder: &Path, rng: &mut Rng, told: &mut [Told], what: &str) {
    let server = start(shards, folder, fsync);
    check(&server, told, what);
    let (ready, began) = channel();
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (client, seed, told, ready) = (server.connect(), rng.next(), told[number], ready.clone());
                scope.spawn(move || writer(client, number, seed, told, ready))
            })
            .collect();
        for _ in 0..WRITERS {
            began.recv().expect("a writer begins");
        }
        let (_sender, nothing) = channel();
        let mut other = server.connect();
        let moments = 1 + rng.below(3);
        for _ in 0..moments {
            wait(&nothing, Duration::from_millis(rng.below(LIFE_MS_MAX / moments)));
            match rng.below(4) {
                0 => drop(other.try_call(&["BGREWRITEAOF"])),
                1 => drop(other.try_call(&["BGSAVE"])),
                _ => {}
            }
        }
        wait(&nothing, Duration::from_micros(rng.below(30_000)));
        kill(&server);
        for (number, handle) in handles.into_iter().enumerate() {
            told[number] = handle.join().expect("a writer ends when its server does");
        }
    });
}

fn parameter(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.replace('_', "").parse().ok()).unwrap_or(default)
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("ringfort-crash-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("the temporary folder can be written");
    path
}

#[test]
fn killed_at_random_moments() {
    let seed = parameter("RINGFORT_CRASH_SEED", 1);
    let cycles = parameter("RINGFORT_CRASH_CYCLES", 8);
    let folder = folder("random");
    let mut rng = Rng::new(seed);
    let mut told = [Told::default(); WRITERS];
    for number in 0..cycles {
        let shards = [1, 2, 4][rng.below(3) as usize];
        let fsync = ["always", "everysec", "no"][rng.below(3) as usize];
        let what = format!("seed {seed}, cycle {number} of {shards} shards, {fsync}");
        cycle(shards, fsync, &folder, &mut rng, &mut told, &what);
    }
    let server = start(2, &folder, "always");
    check(&server, &mut told, &format!("seed {seed}, after the last cycle"));
    let writes: u64 = told.iter().flat_map(|told| told.acknowledged).sum();
    println!("{cycles} kills, {writes} writes acknowledged, none lost, none in part");
    drop(server);
    let _ = std::fs::remove_dir_all(&folder);
}
