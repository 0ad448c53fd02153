//! Snapshots of the running server: they go both ways between Ringfort and stock redis-server, are one point in time however
//! much is written meanwhile, and a disk that fails takes nothing away.

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ringfort::keyspace::{KeyHasher, Keyspace};
use ringfort::persist::rdb::chunks::LoadFailure;
use ringfort::persist::rdb::load::{LoadOptions, LoadReport, load};
use ringfort::persist::rdb::value_read::LoadLimits;
use ringfort::stdx::random::Random;
use ringfort::value::{hash, list, set, sorted_set};
use support::client::Client;
use support::server::{Server, Target, Transport, redis_version, skip_without_redis};

/// Longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(60);

fn line(client: &mut Client, line: &str) -> String {
    let text = client.call(&line.split(' ').collect::<Vec<_>>()).to_string();
    text.trim_start_matches("(integer) ").trim_matches('"').to_owned()
}

/// A field of INFO.
fn info(client: &mut Client, field: &str) -> String {
    let text = String::from_utf8_lossy(&client.call(&["INFO", "everything"]).plain()).into_owned();
    let found = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("no field {field}")).trim().to_owned()
}

fn await_info(client: &mut Client, field: &str, wanted: &str) {
    let deadline = Instant::now() + PATIENCE;
    while info(client, field) != wanted {
        assert!(Instant::now() < deadline, "{field} does not become {wanted}: {}", info(client, field));
    }
}

/// Some of everything in every form, in three databases. What redis-server knows that stands on the other side.
fn fill(client: &mut Client, with_field_times: bool) {
    for one in [
        "SET text sometext",
        "SET number 12345",
        "SET large-number 9223372036854775807",
        "SET float 0.1",
        "SET empty-not x",
        "SET leaving v EX 100000",
        "RPUSH list a b 1 2 -70000",
        "SADD integers 1 2 3",
        "SADD integers-wide 1 70000 5000000000",
        "SADD set a b 1",
        "ZADD sorted 1 a 2.5 b -inf c inf d",
        "HSET hash a 1 b 2",
        "XADD stream 1-1 f v",
        "XADD stream 1-2 f v g w",
        "XADD stream 5-0 f v",
        "XDEL stream 1-2",
        "XGROUP CREATE stream g 0",
        "XGROUP CREATE stream empty-group $",
        "XREADGROUP GROUP g c COUNT 1 STREAMS stream >",
        "PFADD hll a b c",
        "SETBIT bits 1000 1",
        "GEOADD geo 13.361389 38.115556 Palermo",
        "SELECT 9",
        "SET other v PX 99999999",
        "SELECT 15",
        "HSET last f v",
        "SELECT 0",
    ] {
        let reply = line(client, one);
        assert!(!reply.contains("ERR"), "{one}: {reply}");
    }
    let long = "x".repeat(9000);
    client.call(&["SET", "long", &long]);
    client.call(&["RPUSH", "list-of-long", "small", &long, "small"]);
    client.call(&["SADD", "set-of-long", &long]);
    client.call(&["ZADD", "sorted-of-long", "1", &long]);
    client.call(&["HSET", "hash-of-long", "f", &long]);
    client.call(&["SET", &"k".repeat(70_000), "long key"]);
    for number in 0..1000 {
        let (element, number) = (format!("element:{number}"), number.to_string());
        client.call(&["RPUSH", "long-list", &element]);
        client.call(&["SADD", "large-set", &element]);
        client.call(&["ZADD", "large-sorted", &number, &element]);
        client.call(&["HSET", "large-hash", &element, &number]);
        client.call(&["XADD", "large-stream", "*", "field", &element]);
        client.call(&["SET", &element, &number]);
    }
    if with_field_times {
        line(client, "XGROUP CREATECONSUMER stream g idle");
        line(client, "HSET timed a 1 b 2");
        line(client, "HPEXPIRE timed 99999999 FIELDS 1 b");
        line(client, "HPEXPIRE large-hash 99999999 FIELDS 1 element:5");
    }
}

fn digest(client: &mut Client) -> String {
    line(client, "DEBUG DIGEST")
}

fn check_rdb(path: &Path) {
    let output = Command::new("redis-check-rdb").arg(path).output().expect("redis-check-rdb is there");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("RDB looks OK"), "{text}");
}

/// A server that loads what another one left in its folder.
fn second(target: Target, origin: &Server) -> Server {
    let folder = origin.directory().to_str().expect("a temporary path is text");
    Server::start_with(target, Transport::Unix, &["--dir", folder])
}

#[test]
fn both_ways_with_stock_redis() {
    if skip_without_redis() {
        return;
    }
    let knows_field_times = redis_version() >= Some((7, 4));
    for shards in [1, 2, 4] {
        let ours = Server::start(Target::Ringfort { shards });
        let mut client = ours.connect();
        fill(&mut client, knows_field_times);
        let before = digest(&mut client);
        for save in ["SAVE", "BGSAVE"] {
            let _ = std::fs::remove_file(ours.directory().join("dump.rdb"));
            let reply = line(&mut client, save);
            assert!(["OK", "Background saving started"].contains(&reply.as_str()), "{reply}");
            await_info(&mut client, "rdb_bgsave_in_progress", "0");
            let path = ours.directory().join("dump.rdb");
            if !knows_field_times {
                check_rdb(&path);
                let file = std::fs::read(&path).expect("it was saved");
                assert!(file.starts_with(b"REDIS0010"), "the lowest version that holds the data");
            }
            let theirs = second(Target::Redis, &ours);
            assert_eq!(digest(&mut theirs.connect()), before, "{save} by {shards} shards");
            for shards in [1, 3] {
                let again = second(Target::Ringfort { shards }, &ours);
                assert_eq!(digest(&mut again.connect()), before);
            }
        }
        line(&mut client, "CONFIG SET rdbcompression no");
        assert_eq!(line(&mut client, "DEBUG RELOAD"), "OK");
        assert_eq!(digest(&mut client), before);
        assert_eq!(info(&mut client, "rdb_changes_since_last_save"), "0");
    }
    let theirs = Server::start(Target::Redis);
    let mut client = theirs.connect();
    fill(&mut client, knows_field_times);
    let before = digest(&mut client);
    assert_eq!(line(&mut client, "SAVE"), "OK");
    for shards in [1, 4] {
        let ours = second(Target::Ringfort { shards }, &theirs);
        let mut client = ours.connect();
        assert_eq!(digest(&mut client), before, "{shards} shards");
        let keys: usize = info(&mut client, "rdb_last_load_keys_loaded").parse().expect("a number");
        assert!(keys > 1000, "{keys}");
    }
}

/// Accounts between which money moves while snapshots are made.
const ACCOUNTS: u64 = 400;
const MONEY: i64 = 1000;

/// Ends the writers, whatever becomes of the test.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn move_money(mut client: Client, seed: u64, is_over: &AtomicBool) {
    let mut random = Random::new(seed);
    let mut number = 0u64;
    while !is_over.load(Ordering::Relaxed) {
        let (from, to) = (random.below(ACCOUNTS).to_string(), random.below(ACCOUNTS).to_string());
        let amount = random.below(100).to_string();
        number += 1;
        match random.below(4) {
            0 => {
                // Strings and hashes, by a transaction over two shards.
                for call in
                    [vec!["MULTI"], vec!["DECRBY", &from, &amount], vec!["HINCRBY", "hash", &to, &amount], vec!["EXEC"]]
                {
                    client.call(&call);
                }
            }
            1 => {
                // What is not there at one moment is there at the next, under another name.
                client.call(&[
                    "RENAME",
                    &format!("move:{seed}:{}", number % 50),
                    &format!("move:{seed}:{}", (number + 7) % 50),
                ]);
                client.call(&["SET", &format!("new:{seed}:{number}"), "x", "PX", "20"]);
            }
            _ => {
                for call in [vec!["MULTI"], vec!["DECRBY", &from, &amount], vec!["INCRBY", &to, &amount], vec!["EXEC"]]
                {
                    client.call(&call);
                }
            }
        }
    }
}

/// All the money of a server that stands still.
fn count_money(client: &mut Client) -> i64 {
    let names: Vec<String> = (0..ACCOUNTS).map(|account| account.to_string()).collect();
    let mut request = vec!["MGET"];
    request.extend(names.iter().map(String::as_str));
    let strings: i64 = client.call(&request).items().iter().map(|item| number(&item.plain())).sum();
    let hash: i64 = client.call(&["HVALS", "hash"]).items().iter().map(|item| number(&item.plain())).sum();
    strings + hash
}

fn number(text: &[u8]) -> i64 {
    String::from_utf8_lossy(text).parse().expect("a number")
}

#[test]
fn a_snapshot_is_one_point_in_time() {
    for shards in [1, 3] {
        let server = Server::start(Target::Ringfort { shards });
        let mut client = server.connect();
        line(&mut client, "DEBUG POPULATE 30000 filler 50");
        for account in 0..ACCOUNTS {
            client.call(&["SET", &account.to_string(), &MONEY.to_string()]);
        }
        for writer in 0..4 {
            (0..50).step_by(2).for_each(|at| drop(client.call(&["SET", &format!("move:{writer}:{at}"), "1"])));
        }
        let is_over = AtomicBool::new(false);
        let mut early = 0;
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let (client, is_over) = (server.connect(), &is_over);
                scope.spawn(move || move_money(client, seed, is_over));
            }
            let over = Over(&is_over);
            for round in 0..5 {
                assert_eq!(line(&mut client, "BGSAVE"), "Background saving started");
                await_info(&mut client, "rdb_bgsave_in_progress", "0");
                assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "ok");
                early += info(&mut client, "rdb_last_cow_size").parse::<u64>().expect("a number");
                if skip_without_redis() {
                    continue;
                }
                check_rdb(&server.directory().join("dump.rdb"));
                let copy = second(Target::Ringfort { shards: 2 }, &server);
                let mut copy = copy.connect();
                assert_eq!(count_money(&mut copy), MONEY * ACCOUNTS as i64, "round {round}");
                // Renaming keeps their number; one that was renamed onto another took it away for good.
                assert_eq!(line(&mut copy, "EXISTS filler:0 filler:29999"), "2");
            }
            drop(over);
        });
        assert!(early > 0, "something changed while snapshots were made");
        assert_eq!(count_money(&mut client), MONEY * ACCOUNTS as i64);
    }
}

/// A server of our own; it ends with the test.
struct Loading(std::process::Child);

impl Drop for Loading {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

#[test]
fn clients_are_told_while_data_is_loaded() {
    let origin = Server::start(Target::Ringfort { shards: 2 });
    let mut client = origin.connect();
    line(&mut client, "DEBUG POPULATE 3000");
    line(&mut client, "DEBUG SET-ACTIVE-EXPIRE 0");
    line(&mut client, "SET gone x PX 1");
    line(&mut client, "SAVE");
    let folder = origin.directory().to_str().expect("a temporary path is text");
    let parameters = ["--dir", folder, "--key-load-delay", "300"];
    // It is ready when it answers PING, so this connects before.
    let socket = origin.directory().join("second.sock");
    let child = Command::new(env!("CARGO_BIN_EXE_ringfort"))
        .args(["--port", "0", "--unixsocket"])
        .arg(&socket)
        .args(["--save", "", "--shards", "2"])
        .args(parameters)
        .stdout(std::process::Stdio::null())
        .spawn();
    let mut child = Loading(child.expect("it starts"));
    let address = support::client::Address::Unix(socket);
    let deadline = Instant::now() + PATIENCE;
    let mut client = loop {
        match Client::connect(&address) {
            Ok(client) => break client,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    assert_eq!(info(&mut client, "loading"), "1");
    // Clients may be quicker than the file's opening.
    while info(&mut client, "loading_total_bytes").parse::<u64>().expect("a number") <= 3000 {
        assert!(Instant::now() < deadline, "the file's size is known");
    }
    for refused in ["GET x", "SET x y", "PING"] {
        let reply = line(&mut client, refused);
        assert!(reply.contains("LOADING Redis is loading the dataset in memory"), "{refused}: {reply}");
    }
    await_info(&mut client, "loading", "0");
    assert_eq!(line(&mut client, "DBSIZE"), "3000");
    assert_eq!(info(&mut client, "rdb_last_load_keys_loaded"), "3000");
    assert_eq!(info(&mut client, "rdb_last_load_keys_expired"), "1");
    let _ = client.send(&["SHUTDOWN", "NOSAVE"]);
    child.0.wait().expect("it was started");
}

/// Starts a server on a file; how it ended and what it said.
fn start_on(file: &[u8], name: &str, shards: usize) -> (Option<i32>, String) {
    let folder = std::env::temp_dir().join(format!("rf-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
    std::fs::write(folder.join("dump.rdb"), file).expect("the folder is ours");
    let output = Command::new(env!("CARGO_BIN_EXE_ringfort"))
        .args(["--port", "0", "--unixsocket", "s", "--save", "", "--shards", &shards.to_string(), "--dir"])
        .arg(&folder)
        .output()
        .expect("it starts");
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_damaged_file_ends_the_start() {
    let origin = Server::start(Target::Ringfort { shards: 1 });
    let mut client = origin.connect();
    fill(&mut client, true);
    line(&mut client, "SAVE");
    let file = std::fs::read(origin.directory().join("dump.rdb")).expect("it was saved");
    let mut changed = file.clone();
    changed[file.len() / 2] ^= 1;
    let mut sum = file.clone();
    *sum.last_mut().expect("it is long") ^= 1;
    let mut version = file.clone();
    version[5..9].copy_from_slice(b"0042");
    let module =
        [b"REDIS0010".as_slice(), b"\x07\x06modkey\x81\0\0\0\0\0\0\x04\x03\x05\x03abc\x00\xff\0\0\0\0\0\0\0\0"]
            .concat();
    let twice = [b"REDIS0010".as_slice(), b"\xfe\0\0\x01k\x01v\0\x01k\x01w\xff\0\0\0\0\0\0\0\0"].concat();
    for (file, words) in [
        (&file[..file.len() / 3], "offset"),
        (&file[..file.len() - 4], "offset"),
        (&changed, "offset"),
        (&sum, "RDB CRC error"),
        (&version, "Can't handle RDB format version 42"),
        (b"something else", "Wrong signature trying to load DB from file"),
        (&module, "the key 'modkey' is a value of the module 'AAAAAAAAB'"),
        (&twice, "RDB has duplicated key 'k' in DB 0"),
        (b"", "offset 0"),
    ] {
        for shards in [1, 2] {
            let (code, log) = start_on(file, "damaged", shards);
            assert_eq!(code, Some(1), "{log}");
            assert!(log.contains(words), "{words}: {log}");
            assert!(log.trim_end().ends_with("Fatal error loading the DB, check server logs. Exiting."), "{log}");
        }
    }
}

#[test]
fn the_checker_says_what_is_wrong() {
    let origin = Server::start(Target::Ringfort { shards: 1 });
    let mut client = origin.connect();
    fill(&mut client, true);
    line(&mut client, "SAVE");
    let path = origin.directory().join("dump.rdb");
    let alias = origin.directory().join("redis-check-rdb");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ringfort"), &alias).expect("the folder is ours");
    let check = |by_name: bool, path: &Path| {
        let mut command = Command::new(if by_name { alias.as_path() } else { env!("CARGO_BIN_EXE_ringfort").as_ref() });
        command.args(if by_name { &[][..] } else { &["--check-rdb"][..] }).arg(path);
        let output = command.output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for by_name in [false, true] {
        let (code, text) = check(by_name, &path);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("] Checksum OK\n") && text.contains("RDB looks OK! \\o/\n"), "{text}");
        assert!(text.contains("[info] 2 expires\n") && text.contains("[info] 2 subexpires\n"), "{text}");
    }
    let file = std::fs::read(&path).expect("it was saved");
    let mut changed = file.clone();
    changed[file.len() - 5] ^= 1;
    for (file, words) in [
        (&file[..file.len() / 2], "Unexpected EOF reading RDB file\n[additional info] While doing: read-"),
        (&changed, "RDB CRC error\n[additional info] While doing: check-sum"),
        (b"REDIS0099", "Can't handle RDB format version 99"),
        (b"RODIS0010", "Wrong signature trying to load DB from file"),
        (b"REDIS0010\x1b\x01k", "Invalid object type: 27"),
    ] {
        std::fs::write(&path, file).expect("the folder is ours");
        let (code, text) = check(true, &path);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("--- RDB ERROR DETECTED ---") && text.contains(words), "{words}: {text}");
    }
    assert_eq!(check(false, Path::new("/nowhere")).0, Some(1));
}

/// Loads bytes here, without a server; what was loaded is dropped again.
fn load_here(file: &[u8], sums: bool) -> Result<LoadReport, LoadFailure> {
    let limits = LoadLimits {
        list: list::Limits { node: -2, plain_bytes_min: 0 },
        set: set::SetLimits { intset_entries: 512, listpack_entries: 128, listpack_value: 64 },
        hash: hash::PackedLimits { entries: 512, value_bytes: 64 },
        sorted_set: sorted_set::PackedLimits { members_max: 128, member_bytes_max: 64 },
    };
    let options =
        LoadOptions { limits, sums, drops_expired: true, replaces: false, now_ms: 1_800_000_000_000, key_delay_us: 0 };
    let hasher = KeyHasher::new(2, 1);
    let mut boxes = [1, 2].map(|seed| Keyspace::new(16, hasher.clone(), seed));
    load(file, &mut boxes.iter_mut().collect::<Vec<_>>(), &hasher, &options)
}

#[test]
fn a_file_cut_or_changed_anywhere_is_refused() {
    let origin = Server::start(Target::Ringfort { shards: 2 });
    let mut client = origin.connect();
    fill(&mut client, true);
    for large in ["long-list", "large-set", "large-sorted", "large-stream"] {
        line(&mut client, &["DEL ", large].concat());
    }
    (100..1000).for_each(|number| drop(client.call(&["DEL", &format!("element:{number}")])));
    client.call(&["SET", "random", &"random".repeat(1000)]);
    line(&mut client, "SAVE");
    let file = std::fs::read(origin.directory().join("dump.rdb")).expect("it was saved");
    assert!((10_000..64_000).contains(&file.len()), "{}", file.len());
    let whole = load_here(&file, true).unwrap_or_else(|error| panic!("{error}"));
    assert!(whole.keys > 100 && whole.bytes == file.len() as u64, "{whole:?}");
    for len in (0..file.len()).step_by(if cfg!(debug_assertions) { 5 } else { 1 }) {
        match load_here(&file[..len], true) {
            Err(LoadFailure::Data(error)) => assert_eq!(error.at, len),
            other => panic!("cut at {len}: {other:?}"),
        }
    }
    let mut random = Random::new(5);
    for _ in 0..1000 {
        let mut changed = file.clone();
        let at = random.below(file.len() as u64) as usize;
        changed[at] ^= 1 << random.below(8);
        assert!(load_here(&changed, true).is_err(), "byte {at}");
        // Without the checksum it may pass for another one, but nothing worse.
        let _ = load_here(&changed, false);
    }
}

#[test]
fn the_end_saves_or_does_not_happen() {
    for shards in [1, 2] {
        let parameters = ["--enable-protected-configs", "yes"];
        let server = Server::start_with(Target::Ringfort { shards }, Transport::Unix, &parameters);
        let mut client = server.connect();
        client.call(&["CONFIG", "SET", "save", "900 1"]);
        line(&mut client, "SET kept 1");
        let blocked = server.directory().join("dump.rdb");
        std::fs::create_dir(&blocked).expect("the folder is ours");
        for refused in ["SHUTDOWN", "SHUTDOWN SAVE"] {
            assert!(line(&mut client, refused).contains("ERR Errors trying to SHUTDOWN. Check logs."), "{refused}");
        }
        assert_eq!(line(&mut client, "BGSAVE"), "Background saving started");
        await_info(&mut client, "rdb_last_bgsave_status", "err");
        assert!(line(&mut client, "SET kept 2").contains("MISCONF Redis is configured to save RDB snapshots"));
        assert!(line(&mut client, "PING").contains("MISCONF"));
        assert_eq!(line(&mut client, "GET kept"), "1");
        line(&mut client, "MULTI");
        assert!(line(&mut client, "INCR kept").contains("MISCONF"));
        assert!(line(&mut client, "EXEC").contains("EXECABORT"));
        assert!(line(&mut client, "SAVE").contains("ERR"));
        std::fs::remove_dir(&blocked).expect("it is empty");
        assert_eq!(line(&mut client, "BGSAVE"), "Background saving started");
        await_info(&mut client, "rdb_last_bgsave_status", "ok");
        assert_eq!(line(&mut client, "SET kept 3"), "OK");
        let files: Vec<_> = std::fs::read_dir(server.directory()).expect("the folder is ours").flatten().collect();
        assert!(!files.iter().any(|file| file.file_name().to_string_lossy().starts_with("temp-")), "{files:?}");
        let folder = server.directory().to_path_buf();
        let copy = folder.with_extension("copy");
        std::fs::create_dir_all(&copy).expect("the temporary folder is writable");
        let target = copy.to_str().expect("a temporary path is text");
        line(&mut client, &["CONFIG SET dir ", target].concat());
        let (status, log) = server.end();
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{log}");
        assert!(log.contains("Saving the final RDB snapshot before exiting."), "{log}");
        let next = Server::start_with(Target::Ringfort { shards }, Transport::Unix, &["--dir", target]);
        assert_eq!(line(&mut next.connect(), "GET kept"), "3");
        drop(next);
        std::fs::remove_dir_all(&copy).expect("the folder is ours");
    }
}

/// A file system of one megabyte, if this machine lets us have one.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn new() -> Option<SmallDisk> {
        let path = std::env::temp_dir().join(format!("rf-{}-disk", std::process::id()));
        std::fs::create_dir_all(&path).ok()?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&path).output().ok()?;
        mounted.status.success().then_some(SmallDisk(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let folder = disk.0.to_str().expect("a temporary path is text");
    let server = Server::start_with(
        Target::Ringfort { shards: 2 },
        Transport::Unix,
        &["--rdbcompression", "no", "--enable-protected-configs", "yes"],
    );
    let mut client = server.connect();
    line(&mut client, &["CONFIG SET dir ", folder].concat());
    client.call(&["CONFIG", "SET", "save", "900 1000000"]);
    line(&mut client, "SET small 1");
    assert_eq!(line(&mut client, "SAVE"), "OK");
    let good = std::fs::read(disk.0.join("dump.rdb")).expect("it was saved");
    line(&mut client, "DEBUG POPULATE 3000 key 1000");
    for _ in 0..3 {
        line(&mut client, "BGSAVE");
        await_info(&mut client, "rdb_bgsave_in_progress", "0");
        assert_eq!(info(&mut client, "rdb_last_bgsave_status"), "err");
        assert!(line(&mut client, "SET small 2").contains("MISCONF"));
        assert_eq!(line(&mut client, "GET small"), "1");
        assert!(line(&mut client, "SAVE").contains("ERR"));
    }
    assert_eq!(std::fs::read(disk.0.join("dump.rdb")).ok(), Some(good), "the last good one is still there");
    assert_eq!(std::fs::read_dir(&disk.0).expect("it is mounted").count(), 1, "and nothing else");
    client.call(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "no"]);
    assert_eq!(line(&mut client, "FLUSHALL"), "OK");
    client.call(&["CONFIG", "SET", "stop-writes-on-bgsave-error", "yes"]);
    line(&mut client, "BGSAVE");
    await_info(&mut client, "rdb_last_bgsave_status", "ok");
    assert_eq!(line(&mut client, "SET small 3"), "OK");
}

#[test]
fn save_points_come_by_themselves() {
    let server = Server::start(Target::Ringfort { shards: 2 });
    let mut client = server.connect();
    client.call(&["CONFIG", "SET", "save", "1 10"]);
    let before = line(&mut client, "LASTSAVE");
    for number in 0..10 {
        client.call(&["SET", &number.to_string(), "x"]);
    }
    await_info(&mut client, "rdb_changes_since_last_save", "0");
    assert!(line(&mut client, "LASTSAVE") > before);
    assert!(server.log().contains("10 changes in 1 seconds. Saving..."), "{}", server.log());
    assert!(server.directory().join("dump.rdb").exists());
    line(&mut client, "SET one-more x");
    assert_eq!(info(&mut client, "rdb_changes_since_last_save"), "1");
}
