//! Publish/subscribe in the simulator: whatever the order of things, every message comes once to everybody who listened
//! the whole time, in its publisher's order, and PUBLISH counts those who get it.
//!
//! Listeners come and go on all cores while publishers publish plainly, in transactions and in scripts. What a publisher
//! is answered tells how many had to get each message; all together they must have got as many, and none before its time.
//!
//! `RINGFORT_SIM_SEEDS=10000` runs that many seeds instead of those of CI.

mod support;

use std::collections::HashMap;

use ringfort::server::simulated::{Options, World};
use ringfort::stdx::random::Random;
use support::text::encode_array;
use support::value::parse;

const SEEDS: u64 = 60;
const PUBLISHERS: usize = 3;
/// Listen from the beginning to the end.
const LISTENERS: usize = 3;
/// Come and go.
const VISITORS: usize = 3;
const STEPS: u64 = 2500;
const CHANNELS: u64 = 3;

fn send(world: &mut World, client: usize, command: &[&str]) {
    let mut bytes = Vec::new();
    encode_array(command, &mut bytes);
    world.send(client, &bytes);
}

/// What a client has received, as text, one reply or message each.
fn take(world: &mut World, client: usize) -> Result<Vec<String>, String> {
    let received = world.received(client);
    let mut all = Vec::new();
    while let Some((reply, length)) = parse(received)? {
        all.push(reply.to_string());
        received.drain(..length);
    }
    Ok(all)
}

/// A publisher publishes its next message, in one of the ways there are.
fn publish(world: &mut World, client: usize, number: &mut u64, random: &mut Random) {
    let channel = format!("channel:{}", random.below(CHANNELS));
    *number += 1;
    let message = format!("<{client}:{number}>");
    let key = format!("key:{}", random.below(20));
    match random.below(4) {
        0 => {
            send(world, client, &["SET", &key, &message]);
            send(world, client, &["PUBLISH", &channel, &message]);
        }
        1 => {
            send(world, client, &["MULTI"]);
            send(world, client, &["SET", &key, &message]);
            send(world, client, &["PUBLISH", &channel, &message]);
            send(world, client, &["EXEC"]);
        }
        2 => {
            const SCRIPT: &str = "redis.call('get', 'other:' .. KEYS[1]) redis.call('set', KEYS[1], 'x') \
                                  return redis.call('publish', ARGV[1], ARGV[2])";
            send(world, client, &["EVAL", SCRIPT, "1", &key, &channel, &message]);
        }
        _ => send(world, client, &["PUBLISH", &channel, &message]),
    }
}

/// The messages in what somebody received, in order, each as publisher, number and text. Whoever listens to a channel by its
/// name and by a pattern gets each twice.
fn messages(received: &[String]) -> Vec<(usize, u64)> {
    let of_text = |text: &String| {
        let (_, rest) = text.split_once('<')?;
        let (client, number) = rest.split_once('>')?.0.split_once(':')?;
        Some((client.parse().ok()?, number.parse().ok()?))
    };
    received.iter().filter_map(of_text).collect()
}

fn check_order(messages: &[(usize, u64)]) -> Result<(), String> {
    let mut last = HashMap::new();
    for &(client, number) in messages {
        let before = last.insert(client, number).unwrap_or(0);
        if before >= number {
            return Err(format!("message {number} of {client} behind its {before}"));
        }
    }
    Ok(())
}

fn run(seed: u64) -> Result<(), String> {
    let mut random = Random::new(!seed);
    let cores = 1 + random.below(4) as usize;
    let options = Options { seed, cores, ring_slots: 2 << random.below(3), databases: 1, ghosts: random.below(4) != 0 };
    let mut world = World::new(&options).expect("/dev/null opens");
    for _ in 0..PUBLISHERS + LISTENERS + VISITORS {
        world.connect(random.below(cores as u64) as usize);
    }
    let (listeners, visitors) =
        (PUBLISHERS..PUBLISHERS + LISTENERS, PUBLISHERS + LISTENERS..PUBLISHERS + LISTENERS + VISITORS);
    for client in listeners.clone() {
        // One of them by a pattern, the others by names.
        if client == PUBLISHERS {
            send(&mut world, client, &["PSUBSCRIBE", "chan*:?"]);
        } else {
            send(&mut world, client, &["SUBSCRIBE", "channel:0", "channel:1", "channel:2"]);
        }
    }
    world.rest()?;
    let mut numbers = [0; PUBLISHERS];
    for _ in 0..STEPS {
        match random.below(12) {
            0 | 1 => {
                let client = random.below(PUBLISHERS as u64) as usize;
                publish(&mut world, client, &mut numbers[client], &mut random);
            }
            2 => {
                let client = visitors.start + random.below(VISITORS as u64) as usize;
                let channel = format!("channel:{}", random.below(CHANNELS));
                send(&mut world, client, &[if random.below(2) == 0 { "SUBSCRIBE" } else { "UNSUBSCRIBE" }, &channel]);
            }
            _ => {}
        }
        world.step()?;
    }
    world.rest()?;
    let mut counted = 0;
    for client in 0..PUBLISHERS {
        // Of all replies to publishers only PUBLISH's are integers, alone or in EXEC's.
        let replies = take(&mut world, client)?.join("\n");
        let counts = replies.lines().filter_map(|line| line.split_once("(integer) ")?.1.parse::<usize>().ok());
        counted += counts.sum::<usize>();
    }
    let mut got = 0;
    for client in listeners {
        let received = messages(&take(&mut world, client)?);
        got += received.len();
        check_order(&received).map_err(|error| format!("listener {client}: {error}"))?;
        if received.len() as u64 != numbers.iter().sum::<u64>() {
            return Err(format!("listener {client} got {} of {numbers:?}", received.len()));
        }
    }
    for client in visitors {
        let received = messages(&take(&mut world, client)?);
        got += received.len();
        check_order(&received).map_err(|error| format!("visitor {client}: {error}"))?;
    }
    // Who unsubscribes while messages wait beyond a full ring does not get those.
    if got > counted {
        return Err(format!("PUBLISH counted {counted}, but {got} were received"));
    }
    Ok(())
}

#[test]
fn every_message_comes_once_and_in_order() {
    let seeds = std::env::var("RINGFORT_SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        if let Err(error) = run(seed) {
            panic!("seed {seed}: {error}");
        }
    }
}

/// Who has seen the reply to SUBSCRIBE gets what is published from then on, and nothing that was published before.
#[test]
fn a_subscription_begins_with_its_reply() {
    for seed in 0..SEEDS {
        let options = Options { seed, cores: 3, ring_slots: 2, databases: 1, ghosts: false };
        let mut world = World::new(&options).expect("/dev/null opens");
        let [first, late, publisher] = [0, 0, 1].map(|core| world.connect(core));
        send(&mut world, first, &["SUBSCRIBE", "c"]);
        world.rest().expect("a world at rest");
        send(&mut world, publisher, &["PUBLISH", "c", "before"]);
        // The message may still be on its way to the core when the publisher has its reply.
        while world.received(publisher).is_empty() {
            world.step().expect("a step");
        }
        send(&mut world, late, &["SUBSCRIBE", "c"]);
        while world.received(late).is_empty() {
            world.step().expect("a step");
        }
        send(&mut world, publisher, &["PUBLISH", "c", "after"]);
        world.rest().expect("a world at rest");
        let received = take(&mut world, late).expect("replies").join("\n");
        assert!(!received.contains("before"), "seed {seed}: {received}");
        assert!(received.contains("after"), "seed {seed}: {received}");
        let received = take(&mut world, first).expect("replies").join("\n");
        assert!(received.contains("before") && received.contains("after"), "seed {seed}: {received}");
        let replies = take(&mut world, publisher).expect("replies").join("\n");
        assert_eq!(replies, "(integer) 1\n(integer) 2", "seed {seed}");
    }
}
