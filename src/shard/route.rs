//! Where a request goes, decided from its row and its keys; deciding and doing are apart.

use crate::command::args::Args;
use crate::command::keys;
use crate::command::script::request::{FIRST_KEY, key_count};
use crate::command::spec::{Flags, Run, ScriptCall};
use crate::command::table::Row;
use crate::keyspace::KeyHasher;

/// Where a request runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// On the core of its client.
    Session,
    /// On one shard. `hash` is that of the first key.
    Shard {
        /// Which.
        shard: usize,
        /// The first key's hash.
        hash: u64,
    },
    /// On several shards at once, one bit each.
    Shards(u64),
}

/// Decides. A request whose keys cannot be told (a bad number of keys) goes to one shard, where its handler refuses it.
#[inline]
pub fn route(row: &Row, args: Args<'_>, hasher: &KeyHasher) -> Route {
    match row.command.run {
        // It changes function libraries, which are in no box: the first one's history tells of them.
        Run::Session(_) if row.flags.has(Flags::WRITE) => Route::Shards(1),
        Run::Session(_) | Run::Control(_) | Run::Transaction(_) | Run::Container => Route::Session,
        Run::AllShards(_) => Route::Shards(all_shards(hasher.shards())),
        Run::Script(call) => declared(call, args, hasher),
        Run::OneShard { pick, .. } => Route::Shard { shard: pick(&args, hasher.shards()), hash: 0 },
        Run::Keyed(_) | Run::Scatter(_) => keyed(row, args, hasher),
        Run::KeyedOrAllShards { needs_all, .. } if needs_all(args) => Route::Shards(all_shards(hasher.shards())),
        Run::KeyedOrAllShards { .. } => keyed(row, args, hasher),
    }
}

#[inline]
fn keyed(row: &Row, args: Args<'_>, hasher: &KeyHasher) -> Route {
    if row.first_key == 0 || row.flags.has(Flags::MOVABLE_KEYS) || row.first_key >= args.len() {
        return by_specs(row, args, hasher);
    }
    let first = hasher.key(args.get(row.first_key));
    let shard = hasher.shard_of(&first);
    if hasher.shards() == 1 || row.last_key == row.first_key as i32 {
        return Route::Shard { shard, hash: first.hash };
    }
    let mut shards = 1u64 << shard;
    for at in row.key_arguments(args.len()).skip(1) {
        shards |= 1 << hasher.shard_of(&hasher.key(args.get(at)));
    }
    if shards.is_power_of_two() { Route::Shard { shard, hash: first.hash } } else { Route::Shards(shards) }
}

/// Keys that no single range of arguments has (ZUNIONSTORE, LMPOP, XREAD and their kin).
fn by_specs(row: &Row, args: Args<'_>, hasher: &KeyHasher) -> Route {
    let mut shards = 0u64;
    let mut first = None;
    keys::visit_keys(row.command, args, |at| {
        let key = hasher.key(args.get(at));
        first.get_or_insert(key.hash);
        shards |= 1 << hasher.shard_of(&key);
    });
    // Handlers take `hash` for that of the argument `row.first_key`, if there is one; else it is only for prefetching.
    let hash = match row.first_key {
        at if at > 0 && at < args.len() => hasher.key(args.get(at)).hash,
        _ => first.unwrap_or(0),
    };
    match shards {
        0 => Route::Shard { shard: 0, hash },
        one if one.is_power_of_two() => Route::Shard { shard: one.trailing_zeros() as usize, hash },
        several => Route::Shards(several),
    }
}

/// The shards of the keys that a request to run a script declares; it may declare none.
fn declared(call: ScriptCall, args: Args<'_>, hasher: &KeyHasher) -> Route {
    let (mut shards, mut first) = (0u64, 0);
    // A wrong number of keys is refused before the script runs.
    for at in 0..key_count(call, args).unwrap_or(0) {
        let key = hasher.key(args.get(FIRST_KEY + at));
        if at == 0 {
            first = key.hash;
        }
        shards |= 1 << hasher.shard_of(&key);
    }
    if shards.is_power_of_two() {
        Route::Shard { shard: shards.trailing_zeros() as usize, hash: first }
    } else {
        Route::Shards(shards)
    }
}

/// The set of all shards.
pub fn all_shards(shards: usize) -> u64 {
    if shards == 64 { u64::MAX } else { (1 << shards) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::spec::{BeginSearch, Command, FindKeys, KeySpec};
    use crate::resp::request::ArgRange;

    const DESTINATION: KeySpec = KeySpec {
        flags: &["OW", "update"],
        begin: BeginSearch::Index(1),
        find: FindKeys::Range { last: 0, step: 1, limit: 0 },
        notes: "",
    };
    const COUNTED: KeySpec = KeySpec {
        begin: BeginSearch::Index(2),
        find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
        ..DESTINATION
    };
    static STORE: Command = Command {
        name: "store",
        arity: -4,
        run: Run::Keyed(|_| Ok(())),
        keys: &[DESTINATION, COUNTED],
        ..Command::BASE
    };

    /// The shards of some keys, and what the router makes of a request with all of them (ZUNIONSTORE's shape).
    #[test]
    fn destination_and_counted_keys_are_all_routed() {
        let row = Row::alone(&STORE);
        let hasher = KeyHasher::new(8, 1);
        for number in 0..100 {
            let words = [
                b"store".to_vec(),
                format!("to{number}").into(),
                b"2".to_vec(),
                format!("a{number}").into(),
                format!("b{number}").into(),
                b"WEIGHTS".to_vec(),
            ];
            let mut start = 0;
            let ranges = words.each_ref().map(|word| {
                start += word.len() as u32;
                ArgRange { start: start - word.len() as u32, len: word.len() as u32 }
            });
            let buffer = words.concat();
            let mut shards = 0;
            for at in [1, 3, 4] {
                shards |= 1 << hasher.shard_of(&hasher.key(&words[at]));
            }
            match route(&row, Args::new(&buffer, &ranges, &[]), &hasher) {
                Route::Shard { shard, hash } => assert_eq!((1 << shard, hash), (shards, hasher.key(&words[1]).hash)),
                other => assert_eq!(other, Route::Shards(shards)),
            }
        }
    }
}
