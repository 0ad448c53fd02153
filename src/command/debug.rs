//! DEBUG: what test suites and those who look for errors need. Allowed only as far as `enable-debug-command` says.
//!
//! Runs with all keyspaces in hand, whatever the subcommand: it is rare, and so DEBUG SLEEP holds up the whole server as
//! in Redis. One row, as in Redis; a subcommand that must run elsewhere has a hidden row of its own.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::keyspace::Turn;
use crate::keyspace::expire::idle_seconds;
use crate::keyspace::entry::{Entry, ValueRef};
use crate::keyspace::write::Expiry;
use crate::resp::reply::{Protocol, Reply};
use crate::runtime::process;
use crate::stdx::glob::Glob;
use crate::stdx::limits::DEBUG_SLEEP_MS_MAX;
use crate::stdx::memory_units::parse_memory;
use crate::stdx::number;
use crate::stdx::random::Random;
use crate::value::list::List;

use super::context::{Context, SessionContext};
use super::debug_digest::{Digest, mix_value, whole};
use super::error::CommandError;
use super::help::{bad_subcommand, reply_help};
use super::request::ControlRequest;
use super::spec::{Command, Flags, KeyedHandler, Run};

const FLAGS: Flags =
    Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE).and(Flags::PROTECTED);

/// The family's rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "debug",
    arity: -2,
    run: Run::AllShards(debug),
    flags: FLAGS.and(Flags::HIDDEN_SUBCOMMANDS),
    summary: "Commands for tests and for looking into the server.",
    complexity: "Depends on subcommand.",
    internal: true,
    subcommands: &[Command {
        name: "config-rewrite-force-all",
        arity: 2,
        run: Run::Control(config_rewrite_force_all),
        flags: FLAGS,
        summary: "CONFIG REWRITE with the parameters at their defaults too.",
        ..Command::BASE
    }, Command {
        name: "loadaof",
        arity: 2,
        run: Run::Control(|_| Ok(ControlRequest::ReloadLog)),
        flags: FLAGS,
        summary: "Empties the server and loads the append-only log.",
        ..Command::BASE
    }],
    ..Command::BASE
}];

/// Name, number of arguments (DEBUG and the name included) from and to, what does it.
type Subcommand = (&'static str, usize, usize, KeyedHandler);

/// Any number of arguments.
const MANY: usize = usize::MAX;

const SUBCOMMANDS: &[Subcommand] = &[
    ("aof-flush-sleep", 3, 3, aof_flush_sleep),
    ("assert", 2, MANY, |_| panic!("DEBUG ASSERT: a client asked for a failed assertion")),
    ("panic", 2, MANY, |_| panic!("DEBUG PANIC: a client asked for a panic")),
    ("segfault", 2, MANY, |_| process::crash()),
    ("change-repl-id", 2, 2, change_repl_id),
    ("dict-resizing", 3, 3, accept),
    ("digest", 2, 2, digest),
    ("digest-value", 2, MANY, digest_value),
    ("error", 3, 3, error),
    ("help", 2, 2, help),
    ("htstats", 3, MANY, htstats),
    ("listpack", 3, 3, listpack),
    ("log", 3, 3, log),
    ("object", 3, 3, object),
    ("pause-cron", 3, 3, pause_cron),
    ("populate", 3, 5, populate),
    ("protocol", 3, 3, protocol),
    ("quicklist", 3, 4, quicklist),
    ("quicklist-packed-threshold", 3, 3, quicklist_packed_threshold),
    ("reload", 2, MANY, super::persist::reload),
    ("replybuffer", 4, 4, replybuffer),
    ("set-active-expire", 3, 3, set_active_expire),
    ("set-disable-deny-scripts", 3, 3, set_disable_deny_scripts),
    ("set-skip-checksum-validation", 3, 3, set_skip_checksum_validation),
    ("sleep", 3, 3, hold_up),
    ("stringmatch-test", 2, 2, stringmatch_test),
];

fn debug(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let found = SUBCOMMANDS
        .iter()
        .find(|(name, least, most, _)| args.is(1, name.as_bytes()) && (*least..=*most).contains(&args.len()));
    match found {
        Some((_, _, _, handler)) => handler(context),
        None => Err(bad_subcommand(args, "DEBUG")),
    }
}

/// The switch at argument 2: a number other than 0 is on, anything that is no number is off.
fn is_on(context: &Context<'_>) -> bool {
    number::parse_i64(context.args.get(2)).is_some_and(|number| number != 0)
}

fn config_rewrite_force_all(_: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    Ok(ControlRequest::ConfigRewrite { all: true })
}

fn change_repl_id(context: &mut Context<'_>) -> Result<(), CommandError> {
    let seed = context.keyspaces.shard(0).random_u64();
    context.server.replication_seed.store(seed, Relaxed);
    tracing::info!("Changing replication IDs after receiving DEBUG change-repl-id");
    context.reply.ok();
    Ok(())
}

/// For switches over something that does not exist here, so that nothing is lost by leaving it as it is.
fn accept(context: &mut Context<'_>) -> Result<(), CommandError> {
    context.reply.ok();
    Ok(())
}

fn digest(context: &mut Context<'_>) -> Result<(), CommandError> {
    let digest = whole(&mut context.keyspaces);
    context.reply.simple(&digest.text());
    Ok(())
}

fn digest_value(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (database, turn, count) = (context.database, context.turn, context.args.len());
    context.reply.array(count - 2);
    for index in 2..count {
        let key = context.key(index);
        let mut digest = Digest::default();
        if let Some(entry) = context.keyspaces.of(&key).peek(database, &key, turn) {
            mix_value(&mut digest, &entry);
        }
        context.reply.simple(&digest.text());
    }
    Ok(())
}

fn error(context: &mut Context<'_>) -> Result<(), CommandError> {
    context.reply.error(context.args.get(2));
    Ok(())
}

/// A few figures of the tables, in a form of our own.
fn htstats(context: &mut Context<'_>) -> Result<(), CommandError> {
    let index = context.args.integer(2)?;
    let databases = context.keyspaces.shard(0).databases_len() as i64;
    if !(0..databases).contains(&index) {
        return Err(CommandError::Text("ERR Out of range database"));
    }
    let (mut keys, mut expires, mut bytes) = (0, 0, 0);
    for (_, keyspace) in context.keyspaces.all() {
        let database = keyspace.database(index as u32);
        keys += database.len();
        expires += database.expires_len();
        bytes += database.table_bytes();
    }
    let text = format!(
        "[Dictionary HT]\nHash table 0 stats (main hash table):\n number of elements: {keys}\n\
         [Expires HT]\nHash table 0 stats (main hash table):\n number of elements: {expires}\n\
         [Both]\n bytes: {bytes}\n"
    );
    context.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Microseconds that the log sleeps before each write.
fn aof_flush_sleep(context: &mut Context<'_>) -> Result<(), CommandError> {
    let sleep_us = context.args.integer(2)?;
    context.server.log.write_sleep_us.store(sleep_us, std::sync::atomic::Ordering::Relaxed);
    context.reply.ok();
    Ok(())
}

fn log(context: &mut Context<'_>) -> Result<(), CommandError> {
    tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(context.args.get(2)));
    context.reply.ok();
    Ok(())
}

fn object(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (key, database, turn) = (context.key(2), context.database, context.turn);
    // As Redis, also of a key whose time has come, as long as nobody else has looked: at the beginning of time none had.
    let Some(entry) = context.keyspaces.of(&key).peek(database, &key, Turn { now_ms: i64::MIN, ..turn }) else {
        return Err(CommandError::NoSuchKey);
    };
    let compresses = context.config.get_i64(crate::param!("list-compress-depth")) != 0;
    let text = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}{}",
        entry.key().as_ptr(),
        entry.encoding(),
        serialized_len(&entry),
        entry.access(),
        idle_seconds(entry.access(), turn.now_ms),
        list_figures(&entry, compresses),
    );
    context.reply.simple(&text);
    Ok(())
}

/// What DEBUG OBJECT says about a long list. Nodes are never compressed; the figure for it is that of the parameter, as in Redis.
fn list_figures(entry: &Entry<'_>, compresses: bool) -> String {
    let Some(list) = entry.collection::<List>() else { return String::new() };
    let Some(figures) = list.figures() else { return String::new() };
    format!(
        " ql_nodes:{} ql_avg_node:{:.2} ql_listpack_max:{} ql_compressed:{} ql_uncompressed_size:{}",
        figures.nodes,
        list.len() as f64 / figures.nodes as f64,
        figures.node_limit,
        u8::from(compresses),
        figures.bytes,
    )
}

/// Redis prints the structure to its standard output; we have nothing there to print to but the log.
fn structure(context: &mut Context<'_>, encoding: &str, refusal: &'static str, done: &str) -> Result<(), CommandError> {
    let (key, database, turn) = (context.key(2), context.database, context.turn);
    let entry = context.keyspaces.of(&key).peek(database, &key, turn).ok_or(CommandError::NoSuchKey)?;
    if entry.encoding() != encoding {
        return Err(CommandError::Text(refusal));
    }
    let digest = {
        let mut digest = Digest::default();
        mix_value(&mut digest, &entry);
        digest.text()
    };
    tracing::info!("DEBUG {encoding}: digest {digest}{}", list_figures(&entry, false));
    context.reply.simple(done);
    Ok(())
}

fn listpack(context: &mut Context<'_>) -> Result<(), CommandError> {
    structure(context, "listpack", "ERR Not a listpack encoded object.", "Listpack structure printed on stdout")
}

fn quicklist(context: &mut Context<'_>) -> Result<(), CommandError> {
    structure(context, "quicklist", "ERR Not a quicklist encoded object.", "Quicklist structure printed on stdout")
}

/// Bytes of the value in an RDB file, as if nothing were compressed there (Redis compresses strings of more than 20 bytes).
fn serialized_len(entry: &Entry<'_>) -> usize {
    match entry.value() {
        ValueRef::Integer(number) if i8::try_from(number).is_ok() => 2,
        ValueRef::Integer(number) if i16::try_from(number).is_ok() => 3,
        ValueRef::Integer(number) if i32::try_from(number).is_ok() => 5,
        _ => {
            let len = entry.string_len().unwrap_or_default();
            let prefix = match len {
                0..64 => 1,
                64..16_384 => 2,
                _ => 5,
            };
            prefix + len
        }
    }
}

fn pause_cron(context: &mut Context<'_>) -> Result<(), CommandError> {
    context.server.cron_paused.store(is_on(context), Relaxed);
    context.reply.ok();
    Ok(())
}

fn populate(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let positive = |at: usize| {
        let number = number::parse_i64(args.get(at)).filter(|&number| number >= 0);
        number.ok_or(CommandError::Text("ERR value is out of range, must be positive"))
    };
    let count = positive(2)?;
    let size = if args.len() == 5 { positive(4)? as usize } else { 0 };
    if size as u64 > context.config.get_u64(crate::param!("proto-max-bulk-len")) {
        return Err(CommandError::StringTooLong);
    }
    let prefix = if args.len() > 3 { args.get(3) } else { b"key" };
    let (database, turn) = (context.database, context.turn);
    for index in 0..count {
        let digits = index.to_string();
        let name = [prefix, b":", digits.as_bytes()].concat();
        let mut value = [b"value:", digits.as_bytes()].concat();
        if size > 0 {
            value.resize(size, 0);
        }
        let key = context.keyspaces.key(&name);
        let mut key = context.keyspaces.of(&key).write(database, key, turn);
        if key.entry().is_none() {
            key.set_string(&value, Expiry::Never);
        }
    }
    context.reply.ok();
    Ok(())
}

#[expect(clippy::approx_constant, reason = "the number Redis shows, not pi")]
const EXAMPLE_DOUBLE: f64 = 3.141;

fn protocol(context: &mut Context<'_>) -> Result<(), CommandError> {
    let name = context.args.get(2).to_ascii_lowercase();
    let reply: &mut Reply = context.reply;
    match name.as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double(EXAMPLE_DOUBLE),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.integer(number);
                reply.boolean(number == 1);
            }
        }
        b"attrib" => {
            if reply.protocol == Protocol::Resp3 {
                reply.attribute(1);
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.integer(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if reply.protocol == Protocol::Resp2 {
                return Err(CommandError::Text("ERR RESP2 is not supported by this command"));
            }
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.integer(42);
            reply.bulk(b"Some real reply following the push reply");
        }
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        _ => {
            return Err(CommandError::Text(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}

/// Largest size Redis takes here: somewhat below 4 GiB.
const PACKED_THRESHOLD_BYTES_MAX: u64 = (1 << 32) - (1 << 20);

/// Elements that long get nodes of their own; 0 leaves it to `list-max-listpack-size`.
fn quicklist_packed_threshold(context: &mut Context<'_>) -> Result<(), CommandError> {
    match parse_memory(context.args.get(2)) {
        Some(bytes) if bytes <= PACKED_THRESHOLD_BYTES_MAX => {
            context.server.list_plain_bytes_min.store(bytes as usize, Relaxed);
            accept(context)
        }
        _ => Err(CommandError::Text("ERR argument must be a memory value bigger than 1 and smaller than 4gb")),
    }
}

/// Reply buffers here are not resized by the cron, so there is nothing to switch.
fn replybuffer(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    if args.is(2, b"peak-reset-time") {
        if !args.is(3, b"never") && !args.is(3, b"reset") {
            args.integer(3)?;
        }
    } else if !args.is(2, b"resizing") {
        return Err(bad_subcommand(args, "DEBUG"));
    }
    accept(context)
}

fn set_active_expire(context: &mut Context<'_>) -> Result<(), CommandError> {
    context.server.active_expire.store(is_on(context), Relaxed);
    context.reply.ok();
    Ok(())
}

fn set_disable_deny_scripts(context: &mut Context<'_>) -> Result<(), CommandError> {
    context.server.scripts_may_all.store(is_on(context), Relaxed);
    context.reply.ok();
    Ok(())
}

fn set_skip_checksum_validation(context: &mut Context<'_>) -> Result<(), CommandError> {
    context.server.skip_checksums.store(is_on(context), Relaxed);
    context.reply.ok();
    Ok(())
}

/// All keyspaces are in hand meanwhile, so nobody else gets at any data either.
fn hold_up(context: &mut Context<'_>) -> Result<(), CommandError> {
    let seconds = number::parse_double(context.args.get(2)).unwrap_or(0.0).max(0.0);
    let milliseconds = (seconds * 1000.0).min(DEBUG_SLEEP_MS_MAX as f64);
    process::hold_thread(Duration::from_micros((milliseconds * 1000.0) as u64));
    context.reply.ok();
    Ok(())
}

/// Random patterns on random texts: whatever comes out, it must come out.
fn stringmatch_test(context: &mut Context<'_>) -> Result<(), CommandError> {
    const ROUNDS: usize = 100_000;
    const BYTES_MAX: u64 = 32;
    const ALPHABET: &[u8] = b"*?[]^-\\ab";
    let mut random = Random::new(context.keyspaces.shard(0).random_u64());
    let mut word = || -> Vec<u8> {
        let len = random.below(BYTES_MAX + 1);
        (0..len).map(|_| ALPHABET[random.below(ALPHABET.len() as u64) as usize]).collect()
    };
    for _ in 0..ROUNDS {
        let (pattern, text) = (word(), word());
        Glob::new(&pattern).matches(&text);
    }
    context.reply.simple("Apparently Redis did not crash: test passed");
    Ok(())
}

fn help(context: &mut Context<'_>) -> Result<(), CommandError> {
    reply_help(context.reply, "DEBUG", &[
        "ASSERT, PANIC",
        "    An error inside the server: it ends this connection and is logged.",
        "CHANGE-REPL-ID",
        "    Take a new replication id.",
        "CONFIG-REWRITE-FORCE-ALL",
        "    CONFIG REWRITE, with the parameters at their defaults too.",
        "DICT-RESIZING <0|1>",
        "    Accepted without effect: the tables grow piece by piece.",
        "DIGEST",
        "    A signature of all data.",
        "DIGEST-VALUE <key> [<key> ...]",
        "    A signature of each key's value.",
        "ERROR <string>",
        "    Answer with <string> as the error.",
        "HTSTATS <dbid>",
        "    Figures about the tables of a database.",
        "LOG <message>",
        "    Write <message> to the log.",
        "OBJECT <key>",
        "    How the key's value is kept. The serialized length leaves out compression.",
        "PAUSE-CRON <0|1>",
        "    Stop expiry and the closing of idle connections in the background.",
        "POPULATE <count> [<prefix>] [<size>]",
        "    Create <count> strings named key:<num>, or <prefix>:<num>, unless they exist.",
        "PROTOCOL <type>",
        "    Answer with an example of a type: string, integer, double, bignum, null, array, set, map, attrib, push,",
        "    verbatim, true, false.",
        "LISTPACK <key>, QUICKLIST <key> [<0|1>]",
        "    Write figures of a value with that encoding to the log.",
        "QUICKLIST-PACKED-THRESHOLD <size>",
        "    From now on an element of a long list gets a node of its own when it has at least <size> bytes. With 0 it",
        "    gets one when it is too large for any other.",
        "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
        "    Save, empty all databases, and load the snapshot; without saving, without emptying, or replacing keys that",
        "    are there.",
        "REPLYBUFFER PEAK-RESET-TIME <NEVER|RESET|time>, REPLYBUFFER RESIZING <0|1>",
        "    Accepted without effect.",
        "SEGFAULT",
        "    End the process as a crash would.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    Whether keys expire before anybody asks for them.",
        "SET-DISABLE-DENY-SCRIPTS <0|1>",
        "    Whether scripts may run commands they otherwise may not.",
        "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
        "    Whether checksums of payloads are looked at.",
        "SLEEP <seconds>",
        "    Hold up the whole server. Fractions allowed, an hour at most.",
        "STRINGMATCH-TEST",
        "    Try random glob patterns on random texts.",
    ]);
    Ok(())
}
