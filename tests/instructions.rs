//! The regression guard of speed: how many instructions some commands take from the received bytes to the reply, counted
//! by valgrind (callgrind), so that neither the machine nor its mood matters. Sockets and other cores are left out: one
//! `Core` is driven as the server drives it, sixteen commands to a read.
//!
//! The test runs itself under valgrind. `tests/instructions.txt` holds the figures expected, per build profile. Compilers
//! change and so do their figures: only a quarter more is an error. What is found is printed either way:
//!
//! ```sh
//! cargo test --test instructions -- --nocapture
//! RINGFORT_INSTRUCTIONS_FILL=1 cargo test --test instructions       # writes the figures of this profile anew
//! cargo test --release --test instructions -- --nocapture           # the optimized program
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ringfort::acl::Users;
use ringfort::command::table::TABLE;
use ringfort::config::Config;
use ringfort::config::shared::SharedConfig;
use ringfort::keyspace::{KeyHasher, Keyspace};
use ringfort::pubsub::registry::Registry;
use ringfort::runtime::clock::Clock;
use ringfort::runtime::doorbell::Doorbell;
use ringfort::runtime::shelf::Shelf;
use ringfort::script::shared::SharedScripts;
use ringfort::server::start::lay_rings;
use ringfort::session::core::Core;
use ringfort::session::state::SessionKey;
use ringfort::shard::exchange::{Exchange, Meeting};
use ringfort::shard::message::Connection;
use ringfort::stats::server::ServerFacts;
use ringfort::stdx::random::Random;

/// Set in the process that valgrind runs: where to write the replies' sizes.
const INSIDE: &str = "RINGFORT_INSTRUCTIONS_INSIDE";
/// Measured commands of each kind.
const COMMANDS: usize = 1600;
/// Commands to a read.
const PIPELINE: usize = 16;
/// Keys, and members of the collections that are filled first.
const KEYS: u64 = 5000;
/// How much more than expected is an error, in percent.
const MORE_PERCENT_MAX: u64 = 25;
/// How far the yardstick may be off, in percent, before the figures are taken for another compiler's or profile's.
const YARDSTICK_PERCENT_MAX: u64 = 10;
const NOW_US: i64 = 1_700_000_000_000_000;

/// What is run: a name, what comes first, and the measured requests.
struct Workload {
    name: &'static str,
    before: fn(&mut Random) -> Vec<Vec<String>>,
    request: fn(&mut Random, usize) -> Vec<String>,
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_string).collect()
}

fn value() -> String {
    "v".repeat(64)
}

fn nothing(_: &mut Random) -> Vec<Vec<String>> {
    Vec::new()
}

fn strings(_: &mut Random) -> Vec<Vec<String>> {
    (0..KEYS).map(|number| words(&format!("SET key:{number:012} {}", value()))).collect()
}

fn list(_: &mut Random) -> Vec<Vec<String>> {
    (0..KEYS).map(|number| words(&format!("RPUSH list element:{number:012}"))).collect()
}

fn set(_: &mut Random) -> Vec<Vec<String>> {
    (0..KEYS).map(|number| words(&format!("SADD set element:{number:012}"))).collect()
}

fn hash(_: &mut Random) -> Vec<Vec<String>> {
    (0..KEYS).map(|number| words(&format!("HSET hash element:{number:012} {}", value()))).collect()
}

fn sorted_set(random: &mut Random) -> Vec<Vec<String>> {
    (0..KEYS).map(|number| words(&format!("ZADD zset {} element:{number:012}", random.below(KEYS)))).collect()
}

fn some(random: &mut Random, prefix: &str) -> String {
    format!("{prefix}:{:012}", random.below(KEYS))
}

const WORKLOADS: &[Workload] = &[
    Workload { name: "ping", before: nothing, request: |_, _| words("PING") },
    Workload { name: "get", before: strings, request: |random, _| words(&format!("GET {}", some(random, "key"))) },
    Workload {
        name: "set",
        before: strings,
        request: |random, _| words(&format!("SET {} {}", some(random, "key"), value())),
    },
    Workload { name: "incr", before: nothing, request: |random, _| words(&format!("INCR {}", some(random, "count"))) },
    Workload {
        name: "mget",
        before: strings,
        request: |random, _| {
            let mut request = words("MGET");
            request.extend((0..10).map(|_| some(random, "key")));
            request
        },
    },
    Workload { name: "lpush", before: list, request: |_, _| words(&format!("LPUSH list {}", value())) },
    Workload { name: "rpush", before: list, request: |_, _| words(&format!("RPUSH list {}", value())) },
    Workload { name: "lpop", before: list, request: |_, _| words("LPOP list") },
    Workload { name: "rpop", before: list, request: |_, _| words("RPOP list") },
    Workload { name: "lrange_100", before: list, request: |_, _| words("LRANGE list 0 99") },
    Workload {
        name: "sadd",
        before: set,
        request: |random, _| words(&format!("SADD set {}", some(random, "element"))),
    },
    Workload {
        name: "hset",
        before: hash,
        request: |random, _| words(&format!("HSET hash {} {}", some(random, "element"), value())),
    },
    Workload {
        name: "zadd",
        before: sorted_set,
        request: |random, _| words(&format!("ZADD zset {} {}", random.below(KEYS), some(random, "element"))),
    },
    Workload { name: "zpopmin", before: sorted_set, request: |_, _| words("ZPOPMIN zset") },
    Workload { name: "xadd", before: nothing, request: |_, _| words(&format!("XADD stream * field {}", value())) },
];

/// One core with one session.
struct Driven {
    core: Core,
    key: SessionKey,
    /// Bytes of replies.
    answered: usize,
}

impl Driven {
    fn new() -> Driven {
        ringfort::value::member_hash::fix_seed(0);
        let (clock, _handle) = Clock::simulated(NOW_US);
        let server = Arc::new(ServerFacts::new(1, TABLE.count(), "0".repeat(40), NOW_US / 1000));
        let hasher = KeyHasher::new(1, 7);
        let meeting = Arc::new(Meeting {
            shelves: [Shelf::new(Box::new(Keyspace::new(16, hasher.clone(), 7)))].into(),
            doorbells: [Doorbell::silent()].into(),
        });
        let (mut rings, _outside) = lay_rings(1, 16);
        let (senders, receivers) = rings.remove(0);
        let exchange = Exchange::new(0, meeting, hasher, senders, receivers);
        let scripts = Arc::new(SharedScripts::new(1, server.scripts.clone()));
        let registry = Arc::new(Registry::new(server.pubsub.clone()));
        let config = Arc::new(SharedConfig::new(Config::new()));
        let mut core = Core::new(exchange, server, config, clock, scripts, registry, Arc::new(Users::new()));
        let connection = Connection {
            descriptor: std::fs::File::open("/dev/null").expect("/dev/null opens").into(),
            unix_socket: true,
            address: "nowhere:0".to_string(),
            local_address: "nowhere:0".to_string(),
            id: 1,
        };
        let key = core.connect(&connection, -1);
        Driven { core, key, answered: 0 }
    }

    /// One read, one turn, one send.
    #[inline(always)]
    fn turn(&mut self, bytes: &[u8]) {
        self.core.session(self.key).expect("it is connected").buffer.extend_from_slice(bytes);
        self.core.process(self.key);
        let session = self.core.session(self.key).expect("it is connected");
        let (buffer, shared) = session.take_output();
        self.answered += buffer.len() + shared.len();
        assert_ne!(buffer.first(), Some(&b'-'), "{}", String::from_utf8_lossy(&buffer));
        session.output_sent(buffer);
    }
}

/// What valgrind counts: it knows the function by its name, and dumps its figures at the end of each call.
#[inline(never)]
fn counted_turns(driven: &mut Driven, reads: &[Vec<u8>]) {
    // No closure: it would have the function's name in its own.
    for read in reads {
        driven.turn(read);
    }
}

/// Work that has nothing to do with this package: its count tells whether figures are comparable.
#[inline(never)]
fn counted_yardstick(numbers: &mut [u64]) -> u64 {
    yardstick(numbers)
}

fn yardstick(numbers: &mut [u64]) -> u64 {
    let mut random = Random::new(1);
    numbers.iter_mut().for_each(|number| *number = random.next_u64());
    numbers.sort_unstable();
    numbers.iter().fold(0, |sum, number| sum.rotate_left(1) ^ number)
}

fn encode(request: &[String], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", request.len()).as_bytes());
    for word in request {
        out.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

fn reads(requests: &[Vec<String>]) -> Vec<Vec<u8>> {
    let read = |requests: &[Vec<String>]| {
        let mut bytes = Vec::new();
        requests.iter().for_each(|request| encode(request, &mut bytes));
        bytes
    };
    requests.chunks(PIPELINE).map(read).collect()
}

/// What the process under valgrind does.
fn run_inside() {
    std::hint::black_box(counted_yardstick(&mut vec![0; 10_000]));
    for workload in WORKLOADS {
        let mut driven = Driven::new();
        let mut random = Random::new(7);
        reads(&(workload.before)(&mut random)).iter().for_each(|read| driven.turn(read));
        let requests: Vec<_> = (0..2 * COMMANDS).map(|index| (workload.request)(&mut random, index)).collect();
        let (warm_up, measured) = requests.split_at(COMMANDS);
        reads(warm_up).iter().for_each(|read| driven.turn(read));
        let before = driven.answered;
        counted_turns(&mut driven, &reads(measured));
        assert!(driven.answered - before >= 4 * COMMANDS, "{} is answered", workload.name);
    }
}

/// The figures of all dumps in their order: instructions per call.
fn dumps(folder: &Path) -> Vec<u64> {
    let figure = |number: usize| {
        let text = std::fs::read_to_string(folder.join(format!("out.{number}"))).ok()?;
        let line =
            text.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
        line.and_then(|figure| figure.trim().parse().ok())
    };
    (1..).map_while(figure).collect()
}

/// Names with instructions per command.
type Figures = Vec<(&'static str, u64)>;

/// Instructions: the yardstick's, and of one command of each workload. None, with the reason, where valgrind cannot run.
fn measure() -> Result<(u64, Figures), String> {
    let folder = PathBuf::from(format!("{}/instructions-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        // Callgrind keeps one option per pattern, so the two must differ.
        .args(["--tool=callgrind", "--toggle-collect=instructions::counted_*", "--dump-after=*counted_*"])
        .arg(format!("--callgrind-out-file={}/out", folder.display()))
        .arg(std::env::current_exe().map_err(|error| error.to_string())?)
        .args(["--exact", "instructions_per_command", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .map_err(|error| format!("valgrind cannot be started ({error})"))?;
    let figures = dumps(&folder);
    let _ = std::fs::remove_dir_all(&folder);
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = text.lines().rev().take(8).collect();
        return Err(format!(
            "valgrind cannot run this program: {}",
            last.into_iter().rev().collect::<Vec<_>>().join(" | ")
        ));
    }
    assert_eq!(figures.len(), 1 + WORKLOADS.len(), "one dump for the yardstick and each workload");
    let commands = WORKLOADS.iter().zip(&figures[1..]).map(|(workload, sum)| (workload.name, sum / COMMANDS as u64));
    Ok((figures[0], commands.collect()))
}

fn figures_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instructions.txt")
}

/// The profile whose figures these are.
const PROFILE: &str = if cfg!(debug_assertions) { "dev" } else { "release" };

/// The figure expected of this profile under a name.
fn expected(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_whitespace());
    lines.find_map(|mut words| {
        (words.next() == Some(PROFILE) && words.next() == Some(name)).then(|| words.next()?.parse().ok()).flatten()
    })
}

/// The file with the figures of this profile replaced.
fn filled(text: &str, figures: &[(&str, u64)]) -> String {
    let mut filled: String =
        text.lines().filter(|line| !line.starts_with(&format!("{PROFILE} "))).map(|line| format!("{line}\n")).collect();
    for (name, figure) in figures {
        filled.push_str(&format!("{PROFILE} {name} {figure}\n"));
    }
    filled
}

#[test]
fn instructions_per_command() {
    if std::env::var_os(INSIDE).is_some() {
        return run_inside();
    }
    let (yardstick, commands) = match measure() {
        Ok(measured) => measured,
        Err(reason) => return println!("instructions are not counted: {reason}"),
    };
    let text = std::fs::read_to_string(figures_file()).expect("tests/instructions.txt is there");
    let mut all = vec![("yardstick", yardstick)];
    all.extend(&commands);
    if std::env::var_os("RINGFORT_INSTRUCTIONS_FILL").is_some() {
        std::fs::write(figures_file(), filled(&text, &all)).expect("the file is written");
    }
    println!("instructions per command, {PROFILE} profile:");
    let mut too_many = Vec::new();
    for (name, found) in &all {
        let Some(expected) = expected(&text, name) else {
            println!("  {name:12} {found:8}  (no figure to compare with)");
            continue;
        };
        println!(
            "  {name:12} {found:8}  expected {expected:8}  {:+.1} %",
            (*found as f64 / expected as f64 - 1.0) * 100.0
        );
        if *found * 100 > expected * (100 + MORE_PERCENT_MAX) {
            too_many.push(format!("{name}: {found} instead of {expected}"));
        }
    }
    let is_comparable = expected(&text, "yardstick")
        .is_some_and(|expected| yardstick.abs_diff(expected) * 100 <= expected * YARDSTICK_PERCENT_MAX);
    if !is_comparable {
        return println!("not judged: the yardstick says that another compiler or profile made this program");
    }
    assert!(too_many.is_empty(), "more than {MORE_PERCENT_MAX} % above tests/instructions.txt: {too_many:?}");
}

#[test]
fn figures_are_read_and_replaced() {
    let text = format!("# head\n{PROFILE} get 10\nother get 20\n");
    assert_eq!(expected(&text, "get"), Some(10));
    assert_eq!(expected(&text, "set"), None);
    assert_eq!(
        filled(&text, &[("get", 7), ("set", 8)]),
        format!("# head\nother get 20\n{PROFILE} get 7\n{PROFILE} set 8\n")
    );
}
