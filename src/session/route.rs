//! Where a request goes, decided from its row and its keys; deciding and doing are apart.

use crate::command::args::Args;
use crate::command::keys;
use crate::command::spec::{Flags, Run};
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
        Run::Session(_) | Run::Control(_) | Run::Container => Route::Session,
        Run::AllShards(_) => Route::Shards(all_shards(hasher.shards())),
        Run::OneShard { pick, .. } => Route::Shard { shard: pick(&args, hasher.shards()), hash: 0 },
        Run::Keyed(_) | Run::Scatter(_) => keyed(row, args, hasher),
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

/// The set of all shards.
pub fn all_shards(shards: usize) -> u64 {
    if shards == 64 { u64::MAX } else { (1 << shards) - 1 }
}
