//! Serves clients that wait for keys, at once, by whoever wrote to the key and with the boxes that are in hand.
//!
//! Order: keys in the order in which they were written, clients in the order in which they came; before any later command.
//! A client that takes boxes of other shards to be served (BLMOVE to another shard) is the reason for
//! `missing_for_waiters`: a write to its key is only begun when those boxes are in hand too.

use std::sync::Arc;

use crate::command::args::Args;
use crate::command::blocking::{Wait, WaitKeys, Waiting};
use crate::command::context::{Context, Keyspaces};
use crate::command::keys;
use crate::command::spec::{Flags, Run};
use crate::command::table::{Row, TABLE};
use crate::keyspace::wait::{OwnedArgs, Served, Waiter};
use crate::keyspace::{KeyHasher, Keyspace};
use crate::resp::reply::Reply;
use crate::resp::request::ArgRange;
use crate::runtime::claim::{Claim, Hold};
use crate::stats::core::CoreStats;

use super::call::{self, Panicked};
use super::home::Runner;

/// A waiting client with what its own core has to know.
pub struct Registration<'a> {
    /// The client's core.
    pub core: u16,
    /// Its session there.
    pub session: u64,
    /// Its database.
    pub database: u32,
    /// Its protocol.
    pub protocol: crate::resp::reply::Protocol,
    /// Reads count as uses of their keys.
    pub touch: bool,
    /// The command.
    pub row: &'static Row,
    /// Its arguments.
    pub args: Args<'a>,
}

/// Puts a client into the queues of the keys it waits for, whose boxes are in hand.
pub fn register(
    boxes: &mut [Option<Box<Keyspace>>],
    hasher: &KeyHasher,
    client: &Registration<'_>,
    wait: &Wait,
) -> Arc<Waiter> {
    let mut places = Vec::new();
    keys::visit_keys(client.row.command, client.args, |at| places.push(at));
    let shard_of = |at: usize| hasher.shard_of(&hasher.key(client.args.get(at)));
    let needs = match wait.keys {
        WaitKeys::All => 0,
        WaitKeys::First => places.iter().fold(0u64, |all, &at| all | 1 << shard_of(at)),
    };
    if wait.keys == WaitKeys::First {
        places.truncate(1);
    }
    let waiter = Arc::new(Waiter {
        claim: Claim::default(),
        core: client.core,
        session: client.session,
        row: client.row.id,
        args: own(client.args, &wait.replaced),
        database: client.database,
        protocol: client.protocol,
        touch: client.touch,
        // One shard alone is always in hand when its key is written.
        needs: if needs.is_power_of_two() { 0 } else { needs },
        object_type: wait.object_type,
        even_without_key: wait.even_without_key,
    });
    for at in places {
        let keyspace =
            boxes[shard_of(at)].as_deref_mut().expect("a blocking command runs with the boxes of all its keys");
        keyspace.waiters.get_or_insert_default().register(client.database, client.args.get(at), &waiter);
    }
    waiter
}

fn own(args: Args<'_>, replaced: &[(usize, Vec<u8>)]) -> OwnedArgs {
    let mut owned = OwnedArgs::default();
    for index in 0..args.len() {
        let other = replaced.iter().find(|(at, _)| *at == index);
        if let (None, Some(big)) = (other, args.shared(index)) {
            owned.bigs.push(big.clone());
            owned.ranges.push(ArgRange::big(owned.bigs.len() - 1));
            continue;
        }
        let bytes = other.map_or(args.get(index), |(_, bytes)| bytes);
        owned.ranges.push(ArgRange { start: owned.buffer.len() as u32, len: bytes.len() as u32 });
        owned.buffer.extend_from_slice(bytes);
    }
    owned
}

/// The shards, beyond those in hand, that must be there before this command writes: clients that wait for its keys could
/// not be served without them. `only`: the one shard of all its keys.
pub fn missing_for_waiters(
    boxes: &[Option<Box<Keyspace>>],
    hasher: &KeyHasher,
    only: Option<usize>,
    row: &'static Row,
    args: Args<'_>,
) -> u64 {
    let foreign = |slot: &Option<Box<Keyspace>>| {
        slot.as_ref().and_then(|keyspace| keyspace.waiters.as_ref()).is_some_and(|waiters| waiters.has_foreign())
    };
    let any_foreign = match only {
        Some(shard) => foreign(&boxes[shard]),
        None => boxes.iter().any(foreign),
    };
    // What is scattered makes strings, or removes: that concerns nobody who waits with boxes of other shards.
    if !any_foreign || !row.command.flags.has(Flags::WRITE) || matches!(row.command.run, Run::Scatter(_)) {
        return 0;
    }
    let mut needs = 0;
    keys::visit_keys(row.command, args, |at| needs |= needs_of(boxes, hasher, args.get(at)));
    boxes
        .iter()
        .enumerate()
        .fold(needs, |missing, (shard, slot)| if slot.is_some() { missing & !(1 << shard) } else { missing })
}

/// The shards that serving the waiters of a key takes, and the waiters of the keys that those write to, as far as their
/// boxes are in hand.
fn needs_of(boxes: &[Option<Box<Keyspace>>], hasher: &KeyHasher, key: &[u8]) -> u64 {
    let mut needs = 0;
    // A chain of moves is as long as there are waiters; each key is looked at once.
    let mut keys_left = vec![key.to_vec()];
    let mut keys_seen = Vec::<Vec<u8>>::new();
    while let Some(key) = keys_left.pop() {
        let shard = hasher.shard_of(&hasher.key(&key));
        let Some(waiters) = boxes[shard].as_ref().and_then(|keyspace| keyspace.waiters.as_ref()) else { continue };
        // A move within this shard needs no other one itself, but what it moves may be waited for by one that does.
        for waiter in waiters.waiters_of(&key).filter(|waiter| waiter.claim.is_open()) {
            needs |= waiter.needs;
            let args = args_of(waiter);
            keys::visit_keys(TABLE.row(waiter.row).command, args, |at| {
                let other = args.get(at);
                if other != key && !keys_seen.iter().any(|seen| seen == other) {
                    keys_left.push(other.to_vec());
                }
            });
        }
        keys_seen.push(key);
    }
    needs
}

/// A key that the waiters of this key write to is held, so they could not be served now.
pub fn blocked_by_holds(keyspace: &Keyspace, hasher: &KeyHasher, key: &[u8]) -> bool {
    let Some(waiters) = &keyspace.waiters else { return false };
    waiters.waiters_of(key).filter(|waiter| waiter.claim.is_open()).any(|waiter| {
        let args = args_of(waiter);
        let mut blocked = false;
        keys::visit_keys(TABLE.row(waiter.row).command, args, |at| {
            let other = hasher.key(args.get(at));
            blocked |= keyspace.holds.blocks(other.hash, other.bytes, true, None);
        });
        blocked
    })
}

/// The arguments of a client's command.
pub fn args_of(waiter: &Waiter) -> Args<'_> {
    Args::new(&waiter.args.buffer, &waiter.args.ranges, &waiter.args.bigs)
}

/// Serves the clients whose keys were written in the boxes in hand. Serving one may write to further keys; ends when no key
/// is left.
pub fn serve(boxes: &mut [Option<Box<Keyspace>>], hasher: &KeyHasher, runner: &Runner<'_>) {
    while let Some((shard, database, key)) = next_ready(boxes) {
        let Some(waiters) = boxes[shard].as_ref().and_then(|keyspace| keyspace.waiters.as_ref()) else { continue };
        let mut again = false;
        for waiter in waiters.of_key(database, &key) {
            if !is_concerned(boxes, hasher, runner, &waiter, shard, &key) {
                continue;
            }
            match waiter.claim.hold() {
                Hold::Won => serve_one(boxes, hasher, runner, shard, &waiter),
                Hold::Busy => again = true,
                Hold::Settled => {}
            }
        }
        if let Some(waiters) = boxes[shard].as_deref_mut().and_then(|keyspace| keyspace.waiters.as_deref_mut()) {
            waiters.sweep_key(database, &key);
            if again {
                waiters.retries.push((database, key));
            }
        }
    }
}

fn next_ready(boxes: &mut [Option<Box<Keyspace>>]) -> Option<(usize, u32, Box<[u8]>)> {
    boxes.iter_mut().enumerate().find_map(|(shard, slot)| {
        let waiters = slot.as_deref_mut()?.waiters.as_deref_mut()?;
        let (database, key) = waiters.next_ready()?;
        Some((shard, database, key))
    })
}

/// The key holds what the client waits for, and all boxes that it takes are in hand.
fn is_concerned(
    boxes: &mut [Option<Box<Keyspace>>],
    hasher: &KeyHasher,
    runner: &Runner<'_>,
    waiter: &Waiter,
    shard: usize,
    key: &[u8],
) -> bool {
    let in_hand = boxes.iter().enumerate().fold(0u64, |all, (at, slot)| all | u64::from(slot.is_some()) << at);
    if waiter.needs & !in_hand != 0 {
        return false;
    }
    let turn = runner.turn(false);
    let keyspace = boxes[shard].as_deref_mut().expect("its key was signalled from this box");
    let holds = keyspace.peek(waiter.database, &hasher.key(key), turn).map(|entry| entry.object_type());
    waiter.even_without_key || holds == Some(waiter.object_type)
}

/// Runs the command of a client whose claim is held; it is served, or goes on waiting.
fn serve_one(
    boxes: &mut [Option<Box<Keyspace>>],
    hasher: &KeyHasher,
    runner: &Runner<'_>,
    shard: usize,
    waiter: &Arc<Waiter>,
) {
    let mut reply = Reply::new(waiter.protocol);
    let row = TABLE.row(waiter.row);
    let mut context = Context {
        args: args_of(waiter),
        reply: &mut reply,
        keyspaces: Keyspaces::new(boxes, hasher, None),
        database: waiter.database,
        turn: runner.turn(waiter.touch),
        config: runner.config,
        server: runner.server,
        first_key: None,
        command: row.full_name,
        waiting: Waiting::Serving,
        wait: None,
    };
    let panicked = call::run_counted(row, &mut context, runner.stats) == Err(Panicked);
    if context.wait.is_some() {
        waiter.claim.let_go();
        return;
    }
    waiter.claim.settle_held();
    let mut chunks = Vec::new();
    if runner.server.log.gates_replies() {
        let in_hand = boxes.iter().enumerate().filter_map(|(shard, slot)| Some((shard, slot.as_ref()?)));
        chunks.extend(in_hand.map(|(shard, keyspace)| (shard as u16, keyspace.journal.chunks())));
    }
    let served = Served { core: waiter.core, session: waiter.session, reply, panicked, chunks };
    let keyspace = boxes[shard].as_deref_mut().expect("its key was signalled from this box");
    keyspace.waiters.get_or_insert_default().served.push(served);
}

/// After a command: serves whoever waits for what it wrote.
#[inline]
pub fn after_command(context: &mut Context<'_>, stats: &CoreStats) {
    if context.keyspaces.has_ready() {
        let (now_ms, config, server) = (context.turn.now_ms, context.config, context.server);
        let (boxes, hasher) = context.keyspaces.boxes();
        serve(boxes, hasher, &Runner { now_ms, config, server, stats, clock: None });
    }
}
