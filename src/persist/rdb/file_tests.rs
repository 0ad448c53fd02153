//! Tests of `FileReader` and `FileWriter` together. That stock servers read our files, and we theirs, is for `tests/rdb_file.rs`.

use super::super::file_write::FileWriter;
use super::super::form::{VERSION_7_0, VERSION_7_4};
use super::super::value_read::tests::LIMITS;
use super::*;
use crate::keyspace::entry::ValueRef;
use crate::value::listpack::{Element, Listpack};
use crate::value::object::{Collection, Value};
use crate::value::sorted_set::SortedSet;

/// A file with one of everything.
fn sample(version: u16, sums: bool) -> Vec<u8> {
    let mut writer = FileWriter::begin(version, true, sums);
    writer.aux("redis-ver", b"7.0.15");
    writer.aux("redis-bits", b"64");
    writer.function(b"#!lua name=lib\n");
    let mut file = writer.take();
    assert!(writer.is_empty());
    writer.database(0, 3, 1);
    writer.key(b"text", &ValueRef::Inline(b"some text"), None, None);
    writer.key(b"7", &ValueRef::Integer(-5), Some(1_700_000_000_123), Some(Use::Idle(70_000)));
    writer.take_with(|bytes| file.extend_from_slice(bytes));
    let mut pack = Listpack::new();
    for element in [&b"a"[..], b"1", b"b", b"2.5"] {
        pack.push_back(Element::of(element));
    }
    let value = SortedSet::from_packed(pack).map(Collection::into_value).expect("it is in order");
    writer.key(b"sorted", &ValueRef::Boxed(&value), None, Some(Use::Frequency(7)));
    writer.database(9, 1, 0);
    writer.key(&[b'k'; 100], &ValueRef::Inline(&[b'v'; 100]), None, None);
    file.extend(writer.end());
    file
}

fn text(text: &Text<'_>) -> String {
    String::from_utf8_lossy(&text.clone().into_vec()).into_owned()
}

/// An item as a line.
fn shown(item: &Item<'_>) -> String {
    match item {
        Item::Aux { name, value } => format!("{}: {}", text(name), text(value)),
        Item::Function(source) => format!("function {}", text(source).trim_end()),
        Item::EmptyKey(key) => format!("empty {}", text(key)),
        Item::Key(item) => {
            let value = match &item.value {
                Loaded::String(value) => text(value),
                Loaded::Value(Value::SortedSet(set)) => {
                    set.iter().map(|one| format!("{:?}={};", one.member, one.score())).collect()
                }
                Loaded::Value(other) => format!("{other:?}"),
            };
            format!("{} = {value} {:?} {:?}", text(&item.key), item.expire_at_ms, item.last_use)
        }
        other => format!("{other:?}"),
    }
}

/// All items of a file of which `piece` bytes more are on offer each time.
fn read(file: &[u8], piece: usize) -> Result<Vec<String>, LoadError> {
    let mut reader = FileReader::new(true);
    let (mut items, mut from, mut to) = (Vec::new(), 0, 0);
    while !reader.is_at_end() {
        // Whoever only looks for the end of a key finds it where its value ends.
        let ahead = reader.clone().next_part(&file[from..to]).map(|part| match part {
            Part::NeedMore => 0,
            Part::Item(_, taken) | Part::Key(_, taken) => taken,
        });
        match reader.next(&file[from..to], &LIMITS)? {
            Step::Item(item, taken) => {
                assert_eq!(ahead, Ok(taken));
                items.push(shown(&item));
                from += taken;
                assert_eq!(reader.consumed(), from as u64);
            }
            Step::NeedMore if to == file.len() => return Err(reader.truncated(to - from)),
            Step::NeedMore => to = file.len().min(to + piece),
        }
    }
    Ok(items)
}

#[test]
fn what_is_written_is_read() {
    let file = sample(VERSION_7_0, true);
    let long = |byte: &str| byte.repeat(100);
    let expected = [
        "Header(10)".to_owned(),
        "redis-ver: 7.0.15".to_owned(),
        "redis-bits: 64".to_owned(),
        "function #!lua name=lib".to_owned(),
        "Database(0)".to_owned(),
        "Sizes { keys: 3, expiring: 1 }".to_owned(),
        "text = some text None None".to_owned(),
        "7 = -5 Some(1700000000123) Some(Idle(70000))".to_owned(),
        "sorted = Bytes([97])=1;Bytes([98])=2.5; None Some(Frequency(7))".to_owned(),
        "Database(9)".to_owned(),
        "Sizes { keys: 1, expiring: 0 }".to_owned(),
        [long("k"), " = ".to_owned(), long("v"), " None None".to_owned()].concat(),
        "End".to_owned(),
    ];
    for piece in [1, 2, 7, 50, 10_000] {
        assert_eq!(read(&file, piece).as_deref(), Ok(&expected[..]), "{piece} bytes at a time");
    }
    assert!(file.starts_with(b"REDIS0010\xfa\x09redis-ver\x067.0.15\xfa\x0aredis-bits\xc0\x40"));
    assert!(read(&sample(VERSION_7_4, false), 1000).is_ok(), "a checksum of 0 is none");
}

#[test]
fn cut_or_changed_files_are_refused() {
    let file = sample(VERSION_7_0, true);
    for len in 0..file.len() {
        let error = read(&file[..len], 1000).expect_err("it is cut");
        assert_eq!(error, LoadError { at: len, cause: Cause::Truncated });
    }
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            // Another version may be as good; everything else is noticed by the checksum at the latest.
            let result = read(&changed, 1000);
            assert!(result.is_err(), "bit {bit} of byte {at}: {result:?}");
        }
    }
}

#[test]
fn what_only_others_write() {
    let file = |body: &[u8]| [b"REDIS0003", body, b"\xff"].concat();
    let table: &[(&[u8], &[&str])] = &[
        (b"\xfd\x40\x42\x0f\x00\x00\x01k\x01v", &["k = v Some(1000000000) None"]),
        (b"\xf4\x05\x41\x00\x02", &["SlotSizes { slot: 5, keys: 256, expiring: 2 }"]),
        (b"\x01\x01k\x00\x00\x01l\x01v", &["empty k", "l = v None None"]),
        (b"\xf7\x40\x43\x02\x02\x05\x03abc\x00", &["ModuleData(67)"]),
    ];
    for (body, expected) in table {
        let items = read(&file(body), 1000).unwrap_or_else(|error| panic!("{body:?}: {error}"));
        assert_eq!(items[1..items.len() - 1], **expected);
    }
    let refused: &[(&[u8], usize, Cause)] = &[
        (b"\xf6\x01x", 10, Cause::Corrupt("functions of a release candidate of Redis 7.0")),
        (b"\xf3\x01x", 9, Cause::UnknownForm(0xf3)),
        (b"\x1a\x01k\x01x", 9, Cause::UnknownForm(26)),
        (b"\x07\x01k\x05\x00", 12, Cause::Module(5)),
    ];
    for (body, at, cause) in refused {
        let error = read(&file(body), 1000).expect_err("nobody knows it");
        assert_eq!((error.at, error.cause), (*at, cause.clone()));
    }
}

#[test]
fn headers() {
    let end = b"\xff\0\0\0\0\0\0\0\0";
    for header in ["REDIS0005", "REDIS0012", "VALKEY080"] {
        assert!(read(&[header.as_bytes(), end].concat(), 1000).is_ok(), "{header}");
    }
    for header in
        ["REDIS0000", "REDIS0013", "REDIS0080", "VALKEY010", "VALKEY081", "REDIS00x1", "RODIS0010", "*3\r\n$3\r\nS"]
    {
        let error = read(&[header.as_bytes(), end].concat(), 1000).expect_err(header);
        assert!(matches!(error.cause, Cause::Signature | Cause::Version(_)), "{header}: {error}");
    }
}

#[test]
fn any_bytes_are_read_or_refused() {
    bolero::check!().with_type::<(u8, Vec<u8>)>().for_each(|(version, body)| {
        let version = version % 12 + 1;
        let header = [b"REDIS00".as_slice(), &[b'0' + version / 10, b'0' + version % 10]].concat();
        let _ = read(&[&header, body.as_slice()].concat(), usize::MAX);
    });
}
