//! Fields read or set together with their expiry: HGETDEL, HGETEX, HSETEX (Redis 8.0).

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, KeySpec, Run};
use crate::value::hash::Hash;

use super::expire::{NOT_POSITIVE, Unit, expire_at_ms, fields_at, set_time};
use super::{
    HASH, Names, expire_named, names, open, packed_limits, record_field, record_removed, record_times, reply_element, reply_element_or_null,
};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "hgetdel",
        arity: -5,
        run: Run::Keyed(hgetdel),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[spec::one(&["RW", "access", "delete"])],
        since: "8.0.0",
        summary: "Returns the values of fields of a hash and removes the fields.",
        complexity: "O(N), N fields named",
        syntax: "key FIELDS fields{numfields:integer field...}",
        ..HASH
    },
    Command {
        name: "hgetex",
        arity: -5,
        run: Run::Keyed(hgetex),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[KeySpec {
            notes: "RW and UPDATE because it changes the TTL",
            ..spec::one(&["RW", "access", "update"])
        }],
        since: "8.0.0",
        summary: "Returns the values of fields of a hash and sets or removes the fields' expiration.",
        complexity: "O(N), N fields named",
        syntax: "key [expiration(EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | \
                 PXAT unix-time-milliseconds:unix-time | PERSIST)] FIELDS fields{numfields:integer field...}",
        ..HASH
    },
    Command {
        name: "hsetex",
        arity: -6,
        run: Run::Keyed(hsetex),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: spec::KEY_UPDATE,
        since: "8.0.0",
        summary: "Sets fields of a hash, and when they expire.",
        complexity: "O(N), N fields set",
        syntax: "key [condition(FNX | FXX)] [expiration(EX seconds:integer | PX milliseconds:integer | \
                 EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | KEEPTTL)] \
                 FIELDS fields{numfields:integer data{field value}...}",
        ..HASH
    },
];

fn hgetdel(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let (mut key, reply) = context.open(1);
    key.collection::<Hash>()?;
    let names = fields_at(args, 2, NOT_POSITIVE)?;
    expire_named(&mut key, args, names.clone(), now_ms)?;
    reply.array(names.len());
    let mut hash = key.collection::<Hash>()?;
    let (mut removed, mut removed_fields) = (0, Vec::new());
    for index in names {
        let field = args.get(index);
        let value = hash.as_deref().and_then(|hash| hash.get(field, now_ms));
        reply_element_or_null(reply, value);
        let exists = value.is_some();
        if let Some(hash) = hash.as_deref_mut().filter(|_| exists) {
            removed += usize::from(hash.remove(field));
            removed_fields.push(field);
        }
    }
    key.changed(removed);
    record_removed(&mut key, &removed_fields);
    key.remove_if_empty::<Hash>();
    Ok(())
}

/// What becomes of a field's time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lifetime {
    /// Nothing was said.
    Unsaid,
    /// KEEPTTL.
    Keep,
    /// PERSIST.
    Persist,
    /// Unix time in milliseconds.
    At(i64),
}

/// How a time is counted that stands behind this word, and whether from now on.
fn time_of_word(word: &[u8]) -> Option<(Unit, bool)> {
    const WORDS: [(&[u8], Unit, bool); 4] = [
        (b"ex", Unit::Seconds, true),
        (b"px", Unit::Milliseconds, true),
        (b"exat", Unit::Seconds, false),
        (b"pxat", Unit::Milliseconds, false),
    ];
    WORDS.iter().find(|(name, ..)| word.eq_ignore_ascii_case(name)).map(|&(_, unit, from_now)| (unit, from_now))
}

/// The arguments of HGETEX behind the key.
fn parse_hgetex(args: Args<'_>, now_ms: i64, command: &'static str) -> Result<(Lifetime, Names), CommandError> {
    let (lifetime, fields_at_argument) = if args.is(2, b"persist") {
        (Lifetime::Persist, 3)
    } else if let Some((unit, from_now)) = time_of_word(args.get(2)) {
        let base_ms = if from_now { now_ms } else { 0 };
        (Lifetime::At(expire_at_ms(args, 3, unit, base_ms, command)?), 4)
    } else {
        (Lifetime::Unsaid, 2)
    };
    Ok((lifetime, fields_at(args, fields_at_argument, NOT_POSITIVE)?))
}

fn hgetex(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms, command) = (context.args, context.turn.now_ms, context.command);
    let (mut key, reply) = context.open(1);
    key.collection::<Hash>()?;
    let (lifetime, names) = parse_hgetex(args, now_ms, command)?;
    expire_named(&mut key, args, names.clone(), now_ms)?;
    reply.array(names.len());
    if lifetime != Lifetime::Unsaid
        && let Some(hash) = key.collection::<Hash>()?
    {
        hash.add_times();
    }
    let (mut timed, mut removed, mut persisted) = (Vec::new(), Vec::new(), Vec::new());
    for index in names {
        let field = args.get(index);
        let Some(hash) = key.collection::<Hash>()? else {
            reply.null();
            continue;
        };
        let Some(value) = hash.get(field, now_ms) else {
            reply.null();
            continue;
        };
        reply_element(reply, value);
        match lifetime {
            Lifetime::At(at_ms) => {
                let lives = set_time(&mut key, field, at_ms, now_ms)?;
                if lives { timed.push(field) } else { removed.push(field) }
            }
            Lifetime::Persist => {
                hash.drop_time(field);
                key.changed(1);
                persisted.push(field);
            }
            Lifetime::Unsaid | Lifetime::Keep => {}
        }
    }
    key.remove_if_empty::<Hash>();
    if let Lifetime::At(at_ms) = lifetime {
        record_times(&mut key, at_ms, None, &timed);
        record_removed(&mut key, &removed);
    }
    if !persisted.is_empty() {
        let count = persisted.len().to_string();
        let head = [&b"FIELDS"[..], count.as_bytes()];
        key.effect_of("HPERSIST", head.len() + persisted.len(), head.into_iter().chain(persisted));
    }
    Ok(())
}

/// On which fields HSETEX insists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Condition {
    Always,
    /// FNX: none of them exists.
    NoneExist,
    /// FXX: all of them exist.
    AllExist,
}

/// What HSETEX is asked for.
struct HsetexOptions {
    condition: Condition,
    lifetime: Lifetime,
    names: Names,
}

impl HsetexOptions {
    fn parse(args: Args<'_>, now_ms: i64, command: &'static str) -> Result<HsetexOptions, CommandError> {
        let (mut condition, mut lifetime) = (Condition::Always, Lifetime::Unsaid);
        let mut at = 2;
        while at < args.len() {
            let word = args.get(at);
            if args.is(at, b"fields") {
                return Ok(HsetexOptions { condition, lifetime, names: pairs_at(args, at, command)? });
            } else if args.is(at, b"fnx") || args.is(at, b"fxx") {
                if condition != Condition::Always {
                    return Err(CommandError::Text("ERR Only one of FXX or FNX arguments can be specified"));
                }
                condition = if args.is(at, b"fnx") { Condition::NoneExist } else { Condition::AllExist };
            } else {
                let time = time_of_word(word);
                if time.is_none() && !args.is(at, b"keepttl") {
                    return Err(CommandError::quoting("ERR unknown argument: ", word, ""));
                }
                if lifetime != Lifetime::Unsaid {
                    let text = "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
                    return Err(CommandError::Text(text));
                }
                lifetime = match time {
                    None => Lifetime::Keep,
                    Some(_) if at + 1 == args.len() => return Err(CommandError::Text("ERR missing expire time")),
                    Some((unit, from_now)) => {
                        at += 1;
                        Lifetime::At(expire_at_ms(args, at, unit, if from_now { now_ms } else { 0 }, command)?)
                    }
                };
            }
            at += 1;
        }
        Err(CommandError::Arity(command))
    }
}

/// The fields with values behind the word FIELDS, which stands at `at`, and their number.
fn pairs_at(args: Args<'_>, at: usize, command: &'static str) -> Result<Names, CommandError> {
    if at + 3 >= args.len() {
        return Err(CommandError::Arity(command));
    }
    let count = args.integer(at + 1).ok().filter(|count| (1..=i64::from(i32::MAX)).contains(count));
    let count = count.ok_or(CommandError::Text("ERR invalid number of fields"))?;
    let rest = args.len() - at - 2;
    if !rest.is_multiple_of(2) || count != (rest / 2) as i64 {
        return Err(CommandError::Arity(command));
    }
    Ok(names(args, at + 2, 2))
}

fn hsetex(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms, limits) = (context.args, context.turn.now_ms, packed_limits(context.config));
    let HsetexOptions { condition, lifetime, names } = HsetexOptions::parse(args, now_ms, context.command)?;
    let (mut key, reply) = open(context, names.clone())?;
    let hash = key.collection::<Hash>()?;
    let exists = |index| hash.as_deref().is_some_and(|hash| hash.get(args.get(index), now_ms).is_some());
    let is_met = match condition {
        Condition::Always => true,
        Condition::NoneExist => !names.clone().any(exists),
        Condition::AllExist => names.clone().all(exists),
    };
    if !is_met {
        reply.integer(0);
        return Ok(());
    }
    let hash = key.collection_or(Hash::new)?;
    let lengths = names.clone().flat_map(|index| [args.get(index).len(), args.get(index + 1).len()]);
    let (longest, all) = lengths.fold((0, 0), |(longest, all), len| (longest.max(len), all + len));
    hash.make_room(names.len(), longest, all, limits);
    if let Lifetime::At(_) = lifetime {
        hash.add_times();
    }
    let keeps_time = lifetime != Lifetime::Unsaid;
    for index in names {
        let field = args.get(index);
        key.collection_or(Hash::new)?.set(field, args.get(index + 1), keeps_time, limits);
        key.changed(1);
        if let Lifetime::At(at_ms) = lifetime {
            set_time(&mut key, field, at_ms, now_ms)?;
        }
        record_field(&mut key, field, args.get(index + 1), now_ms);
    }
    key.remove_if_empty::<Hash>();
    reply.integer(1);
    Ok(())
}
