//! RDB files between Ringfort's reader and writer and stock redis-server: a file that the server saved is read and written
//! again, by version; `redis-check-rdb` accepts what was written, and a server that starts with it has the same data.

mod support;

use std::path::Path;
use std::process::Command;

use ringfort::keyspace::entry::ValueRef;
use ringfort::persist::rdb::file_read::{FileReader, Item, Step};
use ringfort::persist::rdb::file_write::FileWriter;
use ringfort::persist::rdb::form::{VERSION_7_0, VERSION_7_2, VERSION_7_4};
use ringfort::persist::rdb::reader::Text;
use ringfort::persist::rdb::value_read::{LoadLimits, Loaded};
use ringfort::value::{hash, list, set, sorted_set};
use support::client::Client;
use support::server::{Server, Target, Transport, redis_version, skip_without_redis};

const LIMITS: LoadLimits = LoadLimits {
    list: list::Limits { node: -2, plain_bytes_min: 0 },
    set: set::SetLimits { intset_entries: 512, listpack_entries: 128, listpack_value: 64 },
    hash: hash::PackedLimits { entries: 128, value_bytes: 64 },
    sorted_set: sorted_set::PackedLimits { members_max: 128, member_bytes_max: 64 },
};

/// Some of everything, in two databases.
fn fill(client: &mut Client) {
    for line in [
        "SET text sometext",
        "SET number 12345",
        "SET long xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "SET leaving v EX 100000",
        "RPUSH list a b 1 2 -70000",
        "SADD integers 1 2 3",
        "SADD set a b 1",
        "ZADD sorted 1 a 2.5 b -inf c",
        "HSET hash a 1 b 2",
        "XADD stream 1-1 f v",
        "XADD stream 1-2 f v g w",
        "XGROUP CREATE stream g 0",
        "XREADGROUP GROUP g c COUNT 1 STREAMS stream >",
        "PFADD hll a b c",
        "SELECT 9",
        "SET other v PX 99999999",
    ] {
        client.call(&line.split(' ').collect::<Vec<_>>());
    }
    for number in 0..1000 {
        let (element, number) = (format!("element:{number}"), number.to_string());
        client.call(&["RPUSH", "long-list", &element]);
        client.call(&["SADD", "large-set", &element]);
        client.call(&["ZADD", "large-sorted", &number, &element]);
        client.call(&["HSET", "large-hash", &element, &number]);
    }
    if redis_version() >= Some((7, 4)) {
        client.call(&["HSET", "timed", "a", "1", "b", "2"]);
        client.call(&["HPEXPIRE", "timed", "99999999", "FIELDS", "1", "b"]);
    } else {
        eprintln!("skipped: hashes whose fields expire: they need redis-server 7.4");
    }
    client.call(&["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"]);
}

fn owned(text: &Text<'_>) -> Vec<u8> {
    text.clone().into_vec()
}

/// Reads a file and writes it again.
fn rewritten(file: &[u8], version: u16, compresses: bool, sums: bool) -> Vec<u8> {
    let mut reader = FileReader::new(true);
    let mut writer = FileWriter::begin(version, compresses, sums);
    let (mut from, mut database, mut out) = (0, 0, Vec::new());
    while !reader.is_at_end() {
        let step = reader.next(&file[from..], &LIMITS).unwrap_or_else(|error| panic!("{error}"));
        let Step::Item(item, taken) = step else { panic!("the file ends too early") };
        from += taken;
        match item {
            Item::Header(_) | Item::End => {}
            Item::Aux { name, value } => writer.aux(&String::from_utf8_lossy(&owned(&name)), &owned(&value)),
            Item::Database(number) => database = number,
            Item::Sizes { keys, expiring } => writer.database(database, keys, expiring),
            Item::Function(source) => writer.function(&owned(&source)),
            Item::Key(item) => {
                let key = owned(&item.key);
                match &item.value {
                    Loaded::String(Text::Integer(integer)) => {
                        writer.key(&key, &ValueRef::Integer(*integer), item.expire_at_ms, item.last_use);
                    }
                    Loaded::String(text) => {
                        writer.key(&key, &ValueRef::Inline(&owned(text)), item.expire_at_ms, item.last_use);
                    }
                    Loaded::Value(value) => {
                        writer.key(&key, &ValueRef::Boxed(value), item.expire_at_ms, item.last_use);
                    }
                }
                out.extend(writer.take());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(from, file.len());
    out.extend(writer.end());
    out
}

fn check_rdb(path: &Path) {
    let output = Command::new("redis-check-rdb").arg(path).output().expect("redis-check-rdb is there");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("RDB looks OK"), "{text}");
}

#[test]
fn files_go_both_ways() {
    if skip_without_redis() {
        return;
    }
    let origin = Server::start(Target::Redis);
    let mut client = origin.connect();
    fill(&mut client);
    let digest = client.call(&["DEBUG", "DIGEST"]).to_string();
    let functions = client.call(&["FUNCTION", "LIST", "WITHCODE"]).to_string();
    assert_eq!(client.call(&["SAVE"]).to_string(), "OK");
    let file = std::fs::read(origin.directory().join("dump.rdb")).expect("it was saved");
    let version = redis_version().unwrap_or_default();
    let newest = if version >= (7, 4) { VERSION_7_4 } else { VERSION_7_0 };
    for (version, compresses, sums) in
        [(newest, true, true), (newest, false, true), (newest, true, false), (VERSION_7_2, true, true)]
    {
        if version > newest {
            eprintln!("skipped: version {version} needs a newer redis-server");
            continue;
        }
        // What fits into no older version makes the file newer than its head says.
        let is_mixed = version < newest && newest == VERSION_7_4;
        let ours = rewritten(&file, version, compresses, sums);
        let folder = origin.directory().join(["ours-", &version.to_string()].concat());
        std::fs::create_dir_all(&folder).expect("the server's folder is writable");
        let path = folder.join("dump.rdb");
        std::fs::write(&path, &ours).expect("the server's folder is writable");
        if !is_mixed {
            check_rdb(&path);
        }
        let folder = folder.to_str().expect("a temporary path is text");
        let second = Server::start_with(Target::Redis, Transport::Unix, &["--dir", folder]);
        let mut client = second.connect();
        assert_eq!(client.call(&["DEBUG", "DIGEST"]).to_string(), digest, "version {version}");
        assert_eq!(client.call(&["FUNCTION", "LIST", "WITHCODE"]).to_string(), functions, "version {version}");
    }
}
