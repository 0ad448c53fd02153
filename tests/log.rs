//! The append-only log: what a server did is there again when it is started anew, whatever the number of shards, and stock
//! redis-server loads our files as we load its.
//!
//! `RINGFORT_LOG_COMMANDS` (default 6,000) random commands are tried for each number of shards.

mod support;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ringfort::persist::aof::reader::{Step, next};
use support::client::{Address, Client};
use support::generate::{Generator, Move};
use support::server::{Server, Target, Transport, skip_without_redis};
use support::value::Value;

const SHARDS: [usize; 3] = [1, 2, 4];

/// A folder of its own, removed with the value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("ringfort-log-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the temporary folder can be written");
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join("appendonlydir").join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start(target: Target, folder: &Path, more: &[&str]) -> Server {
    let folder = folder.to_str().expect("a plain name");
    let mut parameters = vec!["--dir", folder, "--appendonly", "yes", "--save", "", "--enable-debug-command", "yes"];
    parameters.extend(more);
    Server::start_with(target, Transport::Unix, &parameters)
}

fn ringfort(shards: usize, folder: &Path, more: &[&str]) -> Server {
    start(Target::Ringfort { shards }, folder, more)
}

fn text(value: &Value) -> String {
    format!("{value}")
}

fn digest(server: &Server) -> String {
    text(&server.connect().call(&["DEBUG", "DIGEST"]))
}

/// Every key with the digest of its value, to see where two servers differ.
fn values(server: &Server) -> Vec<String> {
    let mut client = server.connect();
    let mut lines = Vec::new();
    for database in 0..16 {
        client.call(&["SELECT", &database.to_string()]);
        let Value::Array(keys) = client.call(&["KEYS", "*"]) else { continue };
        for key in keys {
            let Value::Bulk(name) = key else { continue };
            let value = client.call(&[&b"DEBUG"[..], b"DIGEST-VALUE", &name]);
            let expiry = client.call(&[&b"PEXPIRETIME"[..], &name]);
            lines.push(format!("{database} {} {} {}", String::from_utf8_lossy(&name), text(&value), text(&expiry)));
        }
    }
    lines.sort();
    lines
}

fn call_line(client: &mut Client, line: &str) -> Value {
    client.call(&line.split(' ').collect::<Vec<_>>())
}

fn commands() -> usize {
    std::env::var("RINGFORT_LOG_COMMANDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6_000)
}

/// Commands that a plain caller cannot read the replies of, or waits for.
fn is_awkward(name: &str) -> bool {
    const WAITING: [&str; 8] = ["BLPOP", "BRPOP", "BLMOVE", "BLMPOP", "BRPOPLPUSH", "BZPOPMIN", "BZPOPMAX", "BZMPOP"];
    const OTHERS: [&str; 10] =
        ["CLIENT", "HELLO", "RESET", "QUIT", "SUBSCRIBE", "PSUBSCRIBE", "MONITOR", "SHUTDOWN", "DEBUG", "CONFIG"];
    WAITING.contains(&name) || OTHERS.contains(&name)
}

/// Plays random commands over a few connections; `seen` gets those that were sent.
fn play(address: &Address, seed: u64, commands: usize) {
    let mut generator = Generator::new(seed);
    let connect = || Client::connect(address).expect("the server listens");
    let mut clients: Vec<Client> = (0..4).map(|_| connect()).collect();
    let mut made = 0;
    while made < commands {
        let Move::Pipeline { connection, requests, .. } = generator.next_move() else { continue };
        let client = connection % clients.len();
        for request in requests {
            let name = String::from_utf8_lossy(&request.arguments[0]).to_uppercase();
            let blocks = request.arguments.iter().any(|word| word.eq_ignore_ascii_case(b"BLOCK"));
            if is_awkward(&name) || blocks {
                continue;
            }
            if clients[client].try_call(&request.arguments).is_err() {
                clients[client] = connect();
            }
            made += 1;
        }
    }
}

fn assert_same(before: &(String, Vec<String>), after: &(String, Vec<String>), what: &str) {
    if before.0 != after.0 {
        let gone: Vec<_> = before.1.iter().filter(|line| !after.1.contains(line)).collect();
        let new: Vec<_> = after.1.iter().filter(|line| !before.1.contains(line)).collect();
        panic!("{what}: the data differs.\nbefore: {gone:#?}\nafter: {new:#?}");
    }
}

#[test]
fn random_commands_are_there_again() {
    for (index, shards) in SHARDS.into_iter().enumerate() {
        let folder = Folder::new(&format!("random-{shards}"));
        let seed = 11 + index as u64;
        let server = ringfort(shards, &folder.0, &[]);
        play(server.address(), seed, commands());
        let before = (digest(&server), values(&server));
        drop(server);
        let server = ringfort(SHARDS[(index + 1) % SHARDS.len()], &folder.0, &[]);
        let after = (digest(&server), values(&server));
        assert_same(&before, &after, &format!("seed {seed} of {shards} shards"));
    }
}

/// Some of everything that 7.0 knows.
const LINES: &[&str] = &[
    "SET a 1",
    "SETEX b 1000 v",
    "SET c v PX 100000",
    "APPEND a x",
    "INCRBYFLOAT f 1.5",
    "MSET k1 1 k2 2 k3 3 k4 4",
    "RENAME k1 k5",
    "DEL k2 k3 nothing",
    "RPUSH l 1 2 3 4",
    "LMPOP 2 no l LEFT COUNT 2",
    "LMOVE l m LEFT RIGHT",
    "SADD s a b c d e f",
    "SPOP s 2",
    "SPOP s",
    "ZADD z 1 a 2 b 3 c",
    "ZMPOP 1 z MIN",
    "ZPOPMAX z",
    "HSET h f 1 g 2",
    "HINCRBYFLOAT h f 0.1",
    "EXPIRE h 500",
    "GETEX a EX 900",
    "PERSIST a",
    "XADD x * f v",
    "XADD x * f w",
    "XADD x MAXLEN ~ 10 * f y",
    "XGROUP CREATE x g 0",
    "XREADGROUP GROUP g c COUNT 2 STREAMS x >",
    "XAUTOCLAIM x g d 0 0 COUNT 1",
    "XREADGROUP GROUP g c NOACK STREAMS x >",
    "MULTI",
    "SET t 1",
    "RENAME t u",
    "SELECT 5",
    "INCR n",
    "EXEC",
    "SET n2 v",
    "SELECT 0",
    "COPY a other DB 3",
    "SWAPDB 3 4",
    "PFADD hll a b c",
    "PFCOUNT hll",
    "SETRANGE a 10 x",
    "GETDEL k4",
    "SORT l STORE sorted",
    "SUNIONSTORE su s s",
    "BITFIELD bits SET u8 0 255",
    "GEOADD geo 13.3 38.1 p",
    "EXPIREAT f 1",
];

/// What 7.0 knows of the grammar is loaded by stock redis-server too; the rest stops it at an unknown command.
#[test]
fn stock_servers_load_our_files_and_we_load_theirs() {
    if skip_without_redis() {
        return;
    }
    for shards in SHARDS {
        let folder = Folder::new(&format!("stock-{shards}"));
        let ours = ringfort(shards, &folder.0, &[]);
        let mut client = ours.connect();
        for line in LINES {
            let reply = text(&call_line(&mut client, line));
            assert!(!reply.contains("ERR"), "{line}: {reply}");
        }
        let before = (digest(&ours), values(&ours));
        drop(ours);
        let stock = start(Target::Redis, &folder.0, &[]);
        let after = (digest(&stock), values(&stock));
        assert_same(&before, &after, &format!("{shards} shards, loaded by stock"));
        let mut client = stock.connect();
        for line in LINES {
            call_line(&mut client, line);
        }
        let before = (digest(&stock), values(&stock));
        drop(stock);
        let ours = ringfort(shards, &folder.0, &[]);
        let after = (digest(&ours), values(&ours));
        assert_same(&before, &after, &format!("{shards} shards, written by stock"));
    }
}

#[test]
fn who_waited_is_not_asked_again() {
    for shards in SHARDS {
        let folder = Folder::new(&format!("waiting-{shards}"));
        let server = ringfort(shards, &folder.0, &[]);
        let mut writer = server.connect();
        let waiting: [&str; 6] = [
            "BLPOP l1 l2 0",
            "BRPOPLPUSH l3 l4 0",
            "BLMOVE l5 l6 LEFT RIGHT 0",
            "BLMPOP 0 2 l7 l8 LEFT COUNT 2",
            "BZPOPMIN z1 z2 0",
            "BZMPOP 0 1 z3 MAX COUNT 2",
        ];
        let mut clients: Vec<Client> = waiting.iter().map(|_| server.connect()).collect();
        for (client, line) in clients.iter_mut().zip(waiting) {
            client.send(&line.split(' ').collect::<Vec<_>>()).expect("sent");
        }
        while !text(&writer.call(&["INFO", "clients"])).contains("blocked_clients:6") {}
        for line in
            ["RPUSH l2 a b", "RPUSH l3 a b", "RPUSH l5 a b", "RPUSH l8 a b c", "ZADD z2 1 a 2 b", "ZADD z3 1 a 2 b 3 c"]
        {
            call_line(&mut writer, line);
        }
        for client in &mut clients {
            client.read().expect("it is served");
        }
        let before = (digest(&server), values(&server));
        drop(server);
        let log = std::fs::read_to_string(folder.file("appendonly.aof.1.incr.aof")).expect("there is a log");
        assert!(!log.contains("BLPOP") && !log.contains("BZ"), "{log}");
        let server = ringfort(shards, &folder.0, &[]);
        assert_same(&before, &(digest(&server), values(&server)), &format!("{shards} shards"));
    }
}

/// A log that is cut off anywhere is loaded up to the last whole command or transaction, or the start is refused.
#[test]
fn a_log_cut_anywhere() {
    let folder = Folder::new("cut");
    let server = ringfort(2, &folder.0, &[]);
    let mut client = server.connect();
    for line in ["SET a 1", "MULTI", "SET b 1", "SET c 1", "EXEC", "INCR a", "MSET d 1 e 1"] {
        call_line(&mut client, line);
    }
    drop(server);
    let path = folder.file("appendonly.aof.1.incr.aof");
    let whole = std::fs::read(&path).expect("there is a log");
    let step = if std::env::var("RINGFORT_LOG_EVERY_BYTE").is_ok() { 1 } else { 23 };
    for cut in (0..=whole.len()).rev().step_by(step) {
        for zeros in [0, 100] {
            let bytes = [&whole[..cut], &vec![0; zeros]].concat();
            std::fs::write(&path, &bytes).expect("it can be written");
            let server = ringfort(2, &folder.0, &[]);
            let mut client = server.connect();
            let reply = text(&client.call(&["MGET", "a", "b", "c", "d", "e"]));
            let size = reply.matches("\"1\"").count() + reply.matches("\"2\"").count();
            let exists = |key: &str, client: &mut Client| text(&client.call(&["EXISTS", key])).contains('1');
            let pairs = [("b", "c"), ("d", "e")];
            for (one, other) in pairs {
                assert_eq!(exists(one, &mut client), exists(other, &mut client), "{cut}: {reply}");
            }
            assert!(cut < whole.len() || size == 5, "{cut}: {reply}");
        }
    }
    std::fs::write(&path, &whole[..whole.len() - 1]).expect("it can be written");
    let refused = std::panic::catch_unwind(|| ringfort(2, &folder.0, &["--aof-load-truncated", "no"]));
    assert!(refused.is_err(), "it started although the log was cut off");
}

fn info(client: &mut Client, field: &str) -> String {
    let page = text(&client.call(&["INFO", "persistence"]));
    let at = page.find(&format!("{field}:")).unwrap_or_else(|| panic!("INFO has no {field}: {page}"));
    page[at + field.len() + 1..].chars().take_while(|letter| !letter.is_whitespace() && *letter != '\\').collect()
}

fn wait_for_rewrite(client: &mut Client) {
    while info(client, "aof_rewrite_in_progress") != "0" || info(client, "aof_rewrite_scheduled") != "0" {}
    assert_eq!(info(client, "aof_last_bgrewrite_status"), "ok");
}

/// A rewrite, and recording that is turned off and on, while others write.
#[test]
fn rewritten_while_others_write() {
    for shards in SHARDS {
        let folder = Folder::new(&format!("rewrite-{shards}"));
        let server = ringfort(shards, &folder.0, &["--appendfsync", "always"]);
        let mut client = server.connect();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for seed in 0..2 {
                let (address, stop) = (server.address().clone(), &stop);
                scope.spawn(move || {
                    for round in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        play(&address, 100 * (seed + 1) + round, 200);
                    }
                });
            }
            for _ in 0..3 {
                client.call(&["BGREWRITEAOF"]);
                wait_for_rewrite(&mut client);
            }
            client.call(&["CONFIG", "SET", "appendonly", "no"]);
            while info(&mut client, "aof_enabled") != "0" {}
            play(server.address(), 7, 100);
            client.call(&["CONFIG", "SET", "appendonly", "yes"]);
            wait_for_rewrite(&mut client);
            assert_eq!(info(&mut client, "aof_enabled"), "1");
            stop.store(true, Ordering::Relaxed);
        });
        let before = (digest(&server), values(&server));
        let manifest = std::fs::read_to_string(folder.file("appendonly.aof.manifest")).expect("there is one");
        assert_eq!(manifest.lines().count(), 2, "{manifest}");
        drop(server);
        let server = ringfort(shards, &folder.0, &[]);
        assert_same(&before, &(digest(&server), values(&server)), &format!("{shards} shards"));
    }
}

/// A file system of its own with so many bytes; none where nobody may mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(name: &str, bytes: usize) -> Option<SmallDisk> {
        let folder = Folder::new(name);
        let path = folder.0.clone();
        std::mem::forget(folder);
        let size = format!("size={bytes}");
        let path_text = path.to_str()?.to_string();
        let status = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs", &path_text]).status();
        status.is_ok_and(|status| status.success()).then_some(SmallDisk(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A full disk: writes are refused, reads go on, and when there is room again so do writes; nothing acknowledged is lost.
#[test]
fn a_full_disk_recovers() {
    for fsync in ["always", "everysec"] {
        let Some(disk) = SmallDisk::mount(&format!("full-{fsync}"), 1 << 20) else {
            eprintln!("skipped: no file system can be mounted here");
            return;
        };
        let ballast = disk.0.join("ballast");
        std::fs::write(&ballast, vec![1; 700 << 10]).expect("there is room");
        let server = ringfort(2, &disk.0, &["--appendfsync", fsync]);
        let mut client = server.connect();
        client.call(&["SET", "before", "1"]);
        let mut writer = server.connect();
        let value = "x".repeat(20_000);
        let mut sent = 0;
        // With `always` the write that does not fit is not answered, so nobody waits for it here.
        while info(&mut client, "aof_last_write_status") == "ok" {
            writer.send(&["SET", &format!("key:{sent}"), &value]).expect("sent");
            sent += 1;
            assert!(sent < 10_000, "the disk is never full");
        }
        let mut other = server.connect();
        let refused = text(&other.call(&["SET", "refused", "1"]));
        assert!(refused.contains("MISCONF Errors writing to the AOF file: No space left on device"), "{refused}");
        assert!(text(&other.call(&["PING"])).contains("MISCONF"));
        if fsync == "everysec" {
            assert_eq!(text(&other.call(&["GET", "before"])), "\"1\"");
        }
        std::fs::remove_file(&ballast).expect("it is there");
        while info(&mut client, "aof_last_write_status") != "ok" {}
        let answered = (0..sent).filter(|_| matches!(writer.read(), Ok(Value::Status(_)))).count();
        assert!(answered > 0 && text(&other.call(&["SET", "after", "1"])) == "OK");
        let before = (digest(&server), values(&server));
        drop(server);
        let server = ringfort(1, &disk.0, &[]);
        assert_same(&before, &(digest(&server), values(&server)), fsync);
    }
}

/// Libraries as FUNCTION LIST tells of them, without the order in which their functions stand.
fn libraries(server: &Server) -> String {
    text(&server.connect().call(&["FUNCTION", "LIST", "WITHCODE"]))
}

const LIBRARY: &str = "#!lua name=NAME\nredis.register_function('NAME_put', function(keys, args) \
                       redis.call('SET', keys[1], args[1]) redis.call('INCR', keys[2]) return 1 end)";

/// Libraries, and what scripts did: one transaction for each script that wrote more than once, never the script itself.
#[test]
fn functions_and_scripts() {
    for shards in SHARDS {
        let folder = Folder::new(&format!("functions-{shards}"));
        let server = ringfort(shards, &folder.0, &["--appendfsync", "no"]);
        let mut client = server.connect();
        let source = |name: &str| LIBRARY.replace("NAME", name);
        for name in ["one", "two", "three"] {
            client.call(&["FUNCTION", "LOAD", &source(name)]);
        }
        client.call(&["FUNCTION", "DELETE", "two"]);
        let Value::Bulk(dump) = client.call(&["FUNCTION", "DUMP"]) else { panic!("a payload") };
        client.call(&["FUNCTION", "FLUSH"]);
        client.call(&[&b"FUNCTION"[..], b"RESTORE", &dump, b"FLUSH"]);
        for line in ["MULTI", "SET inside 1"] {
            call_line(&mut client, line);
        }
        client.call(&["FUNCTION", "LOAD", &source("four")]);
        assert!(text(&client.call(&["EXEC"])).contains("four"));
        assert_eq!(text(&client.call(&["FCALL", "one_put", "2", "a", "b", "x"])), "(integer) 1");
        const RANDOM: &str = "redis.call('SADD', KEYS[1], 'a', 'b', 'c', 'd', 'e') \
                              local gone = redis.call('SPOP', KEYS[1]) redis.call('SET', KEYS[2], gone, 'EX', 1000) \
                              redis.call('INCRBYFLOAT', KEYS[3], '0.1') redis.call('HINCRBYFLOAT', 'undeclared', 'f', 1.5) \
                              return redis.call('TIME')[1]";
        for number in 0..20 {
            let (s, t, f) = (format!("s{number}"), format!("t{number}"), format!("f{number}"));
            let reply = text(&client.call(&["EVAL", RANDOM, "3", &s, &t, &f]));
            assert!(!reply.contains("error"), "{reply}");
        }
        let failed = text(&client.call(&["EVAL", "redis.call('SET', KEYS[1], 1) error('no')", "1", "half"]));
        assert!(failed.contains("error"), "{failed}");
        let before = (digest(&server), values(&server));
        let functions = libraries(&server);
        assert!(functions.contains("four") && !functions.contains("two"), "{functions}");
        drop(server);
        let log = std::fs::read(folder.file("appendonly.aof.1.incr.aof")).expect("there is a log");
        let log = String::from_utf8_lossy(&log);
        for word in ["EVAL", "FCALL", "SPOP", "INCRBYFLOAT"] {
            assert!(!log.contains(&format!("\r\n{word}\r\n")), "{word} in {log}");
        }
        assert!(log.matches("MULTI").count() >= 20 && log.matches("MULTI").count() == log.matches("EXEC").count());
        let server = ringfort(shards, &folder.0, &[]);
        assert_same(&before, &(digest(&server), values(&server)), &format!("{shards} shards"));
        assert_eq!(libraries(&server), functions);
        drop(server);
        if !skip_without_redis() {
            let stock = start(Target::Redis, &folder.0, &[]);
            assert_same(&before, &(digest(&stock), values(&stock)), "stock redis-server");
            assert_eq!(stock.connect().call(&["FUNCTION", "STATS"]).to_string(), server_stats(&folder.0));
        }
    }
}

/// What FUNCTION STATS says of the libraries in a folder.
fn server_stats(folder: &Path) -> String {
    ringfort(1, folder, &[]).connect().call(&["FUNCTION", "STATS"]).to_string()
}

/// `aof-use-rdb-preamble no`: the base consists of commands, which stock servers load.
#[test]
fn a_base_of_commands() {
    let folder = Folder::new("commands");
    let server = ringfort(2, &folder.0, &["--aof-use-rdb-preamble", "no"]);
    play(server.address(), 5, commands() / 4);
    let mut client = server.connect();
    client.call(&["FUNCTION", "LOAD", &LIBRARY.replace("NAME", "one")]);
    call_line(&mut client, "SET expires v PX 10000000");
    call_line(&mut client, "RPUSH list 1 2 3");
    call_line(&mut client, "PEXPIRE list 10000000");
    call_line(&mut client, "BGREWRITEAOF");
    while !text(&client.call(&["INFO", "persistence"])).contains("aof_rewrite_in_progress:0") {}
    call_line(&mut client, "SET behind 1");
    let before = (digest(&server), values(&server));
    drop(server);
    let base = std::fs::read(folder.file("appendonly.aof.2.base.aof")).expect("there is a base of commands");
    assert!(base.starts_with(b"*3\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n"), "{}", String::from_utf8_lossy(&base[..80]));
    let server = ringfort(4, &folder.0, &[]);
    assert_same(&before, &(digest(&server), values(&server)), "started anew");
    assert!(libraries(&server).contains("one_put"));
    let mut client = server.connect();
    let idle = text(&call_line(&mut client, "OBJECT IDLETIME behind"));
    assert!(["(integer) 0", "(integer) 1", "(integer) 2"].contains(&idle.as_str()) || idle.len() == 12, "idle for {idle}");
    drop(server);
    if !skip_without_redis() {
        // Digests of fractions differ between versions, and streams may need 7.2; the keys and their ends do not.
        let names = |lines: &[String]| -> Vec<String> {
            let plain = |line: &String| line.split(' ').filter(|word| word.len() != 40).collect::<Vec<_>>().join(" ");
            lines.iter().filter(|line| !line.contains(" stream:")).map(plain).collect()
        };
        let stock = start(Target::Redis, &folder.0, &[]);
        assert_eq!(names(&before.1), names(&values(&stock)));
    }
}

/// How a start with a damaged log ends: it serves, or it says that it cannot and exits with 1. Never otherwise.
fn starts_or_refuses(folder: &Path, what: &str) -> bool {
    let socket = folder.join("damaged.sock");
    let _ = std::fs::remove_file(&socket);
    let words = ["--port", "0", "--appendonly", "yes", "--save", "", "--shards", "2", "--logfile", "/dev/null"];
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_ringfort"))
        .args(words)
        .args(["--dir".as_ref(), folder.as_os_str(), "--unixsocket".as_ref(), socket.as_os_str()])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            assert_eq!(status.code(), Some(1), "{what}: {status}");
            return false;
        }
        let Ok(mut client) = Client::connect(&Address::Unix(socket.clone())) else { continue };
        // While it loads it says so, and may end.
        if client.try_call(&["PING"]).is_ok_and(|reply| text(&reply).contains("PONG")) {
            assert!(client.try_call(&["DEBUG", "DIGEST"]).is_ok(), "{what}: it ended after it had begun to serve");
            child.kill().expect("it runs");
            child.wait().expect("it ends");
            return true;
        }
    }
}

/// Random bits of a log are changed: a change of a value cannot be noticed, since a log has no checksums; whatever it is,
/// the server starts or refuses to. `RINGFORT_LOG_FLIPS` (default 12) changes.
#[test]
fn a_log_changed_anywhere() {
    let folder = Folder::new("changed");
    let server = ringfort(2, &folder.0, &["--appendfsync", "no"]);
    play(server.address(), 9, commands() / 10);
    drop(server);
    let path = folder.file("appendonly.aof.1.incr.aof");
    let whole = std::fs::read(&path).expect("there is a log");
    let whole = &whole[..whole.len().min(64 << 10)];
    // Cut at every byte: nothing is found in a part of a command that would not be found in the whole.
    let (mut at, mut ranges) = (0, Vec::new());
    while let Step::Command { bytes_len } = next(&whole[at..], &mut ranges) {
        for cut in at..at + bytes_len {
            assert!(matches!(next(&whole[at..cut], &mut ranges), Step::NeedMore), "cut at {cut}");
        }
        at += bytes_len;
    }
    let flips = std::env::var("RINGFORT_LOG_FLIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let (mut rng, mut started) = (support::generate::Rng::new(3), 0);
    for _ in 0..flips {
        let (byte, bit) = (rng.below(whole.len() as u64) as usize, rng.below(8));
        let mut changed = whole.to_vec();
        changed[byte] ^= 1 << bit;
        std::fs::write(&path, &changed).expect("it can be written");
        started += u64::from(starts_or_refuses(&folder.0, &format!("bit {bit} of byte {byte}")));
    }
    println!("{flips} bits changed: {started} starts, {} refusals", flips - started);
}
