//! Tests of values: every form that is only read, hostile forms, and what comes back of what was written.

use super::super::error::{Cause, LoadError};
use super::super::form::{Form, VERSION_7_0, VERSION_7_2};
use super::super::reader::Reader;
use super::super::skip::skip_value;
use super::super::value_write::{form_of, write_value};
use super::super::writer::Writer;
use super::*;
use crate::keyspace::entry::ValueRef;
use crate::value::intset::Intset;
use crate::value::list::Part;
use crate::value::listpack::Element;

pub(in crate::persist::rdb) const LIMITS: LoadLimits = LoadLimits {
    list: list::Limits { node: -2, plain_bytes_min: 0 },
    set: SetLimits { intset_entries: 512, listpack_entries: 128, listpack_value: 64 },
    hash: hash::PackedLimits { entries: 128, value_bytes: 64 },
    sorted_set: sorted_set::PackedLimits { members_max: 128, member_bytes_max: 64 },
};

fn load(form: Form, bytes: &[u8]) -> Result<Value, LoadError> {
    let mut reader = Reader::new(bytes, 1 << 20);
    let loaded = read_value(&mut reader, form, &LIMITS)?;
    assert_eq!(reader.remaining(), 0, "{form:?} takes all of it");
    let mut skipping = Reader::new(bytes, 1 << 20);
    assert_eq!((skip_value(&mut skipping, form), skipping.remaining()), (Ok(()), 0), "{form:?} is passed over");
    match loaded {
        Loaded::Value(value) => Ok(value),
        Loaded::String(text) => panic!("{text:?}"),
    }
}

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(false);
    write(&mut writer);
    writer.bytes
}

/// What a value holds, as a text. Sets and hashes in order of their members.
fn shown(value: &Value) -> String {
    let text = |element: Element<'_>| String::from_utf8_lossy(&element.to_text()).into_owned();
    let mut parts: Vec<String> = Vec::new();
    match value {
        Value::List(list) => {
            for part in list.parts() {
                match part {
                    Part::Packed(pack) => parts.extend(pack.iter().map(text)),
                    Part::Plain(bytes) => parts.push(String::from_utf8_lossy(bytes).into_owned()),
                }
            }
        }
        Value::Set(set) => {
            parts.extend(set.iter().map(text));
            parts.sort();
        }
        Value::SortedSet(set) => parts.extend(set.iter().map(|one| format!("{}={}", text(one.member), one.score()))),
        Value::Hash(hash) => {
            hash.each_timed(|field, value, at_ms| {
                let time = at_ms.map_or(String::new(), |at_ms| format!("@{at_ms}"));
                parts.push(format!("{}={}{time}", text(field), text(value)));
            });
            parts.sort();
        }
        Value::String(_) | Value::Stream(_) => panic!("{value:?}"),
    }
    format!("{} {}", value.encoding(), parts.join(" "))
}

fn pack(elements: &[&str]) -> Listpack {
    let mut pack = Listpack::new();
    elements.iter().for_each(|element| pack.push_back(Element::of(element.as_bytes())));
    pack
}

/// A ziplist of short strings.
fn ziplist_of(elements: &[&str]) -> Vec<u8> {
    let (mut body, mut before, mut last) = (Vec::new(), 0, 10);
    for element in elements {
        last = 10 + body.len();
        body.extend_from_slice(&[before, element.len() as u8]);
        body.extend_from_slice(element.as_bytes());
        before = 2 + element.len() as u8;
    }
    let mut bytes = (body.len() as u32 + 11).to_le_bytes().to_vec();
    bytes.extend_from_slice(&(last as u32).to_le_bytes());
    bytes.extend_from_slice(&(elements.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes.push(0xff);
    bytes
}

fn texts(writer: &mut Writer, texts: &[&str]) {
    texts.iter().for_each(|text| writer.text(text.as_bytes()));
}

/// A field whose value is longer than a listpack's may be.
fn long_zipmap() -> Vec<u8> {
    [b"\x01\x01a\x41\0", &[b'z'; 65][..], b"\xff"].concat()
}

#[test]
fn forms_that_are_only_read() {
    let counted = |count: u64, elements: &[&str]| {
        written(|writer| {
            writer.length(count);
            texts(writer, elements);
        })
    };
    let packed = |bytes: &[u8]| written(|writer| writer.packed(bytes));
    let table: &[(Form, Vec<u8>, &str)] = &[
        (Form::List, counted(3, &["a", "-5", "x y"]), "listpack a -5 x y"),
        (Form::ListZiplist, packed(&ziplist_of(&["1", "b", ""])), "listpack 1 b "),
        (
            Form::ListZiplists,
            written(|writer| {
                writer.length(3);
                for part in [&["a", "b"][..], &[], &["c"]] {
                    writer.packed(&ziplist_of(part));
                }
            }),
            "quicklist a b c",
        ),
        (Form::Set, counted(3, &["3", "1", "2"]), "intset 1 2 3"),
        (Form::Set, counted(3, &["3", "b", "2"]), "listpack 2 3 b"),
        (Form::SetListpack, packed(pack(&["b", "1"]).as_bytes()), "listpack 1 b"),
        (
            Form::SortedSetZiplist,
            packed(&ziplist_of(&["a", "-inf", "b", "1.5", "c", "3"])),
            "listpack a=-inf b=1.5 c=3",
        ),
        (Form::SortedSetText, b"\x02\x01b\x041.25\x01a\xfe".to_vec(), "listpack b=1.25 a=inf"),
        (Form::HashZipmap, packed(b"\x02\x01a\x011\x00"), ""),
        (Form::HashZipmap, packed(b"\x02\x01a\x01\x001\x01b\x01\x02Xzz\xff"), "listpack a=1 b=X"),
        (Form::HashZipmap, packed(&long_zipmap()), &format!("hashtable a={}", "z".repeat(65))),
        (Form::HashZiplist, packed(&ziplist_of(&["a", "1", "b", "X"])), "listpack a=1 b=X"),
        (
            Form::HashExpiriesOld,
            b"\x02\x00\x01a\x011\x80\x00\x01\x00\x00\x01b\x012".to_vec(),
            "listpackex a=1 b=2@65536",
        ),
        (
            Form::HashExpiries,
            b"\x10\x27\0\0\0\0\0\0\x03\x00\x01a\x011\x01\x01b\x012\x05\x01c\x013".to_vec(),
            "listpackex a=1 b=2@10000 c=3@10004",
        ),
        (
            Form::HashListpackExpiriesOld,
            packed(pack(&["b", "1", "500", "a", "2", "500", "c", "3", "0"]).as_bytes()),
            "listpackex a=2@500 b=1@500 c=3",
        ),
        (
            Form::HashExpiriesAbsolute,
            b"\x02\x01a\x011\xff\xff\xff\xff\xff\xff\xff\xff\x01b\x012\x10\x27\0\0\0\0\0\0".to_vec(),
            "listpackex a=1 b=2@10000",
        ),
    ];
    for (form, bytes, expected) in table {
        if expected.is_empty() {
            load(*form, bytes).expect_err("it is damaged");
            continue;
        }
        let value = load(*form, bytes).unwrap_or_else(|error| panic!("{form:?}: {error}"));
        assert_eq!(shown(&value), *expected, "{form:?}");
        for cut in 0..bytes.len() {
            let error = load(*form, &bytes[..cut]).expect_err("it is cut");
            assert_eq!(error, LoadError { at: cut, cause: Cause::Truncated }, "{form:?} cut at {cut}");
        }
    }
}

#[test]
fn small_forms_get_large_when_the_parameters_want_it() {
    let numbers: Vec<String> = (0..600).map(|number| number.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let packed = |pack: &Listpack| written(|writer| writer.packed(pack.as_bytes()));
    let mut integers = Intset::new();
    (0..600).for_each(|number| assert!(integers.insert(number)));
    let table = [
        (Form::SetIntset, written(|writer| writer.packed(integers.as_bytes())), "hashtable"),
        (Form::SetListpack, packed(&pack(&numbers)), "hashtable"),
        (Form::HashListpack, packed(&pack(&numbers)), "hashtable"),
        (Form::HashListpackExpiriesOld, packed(&pack(&timed(&numbers))), "hashtable"),
        (Form::SortedSetListpack, packed(&pack(&numbers)), "skiplist"),
    ];
    for (form, bytes, encoding) in table {
        let value = load(form, &bytes).unwrap_or_else(|error| panic!("{form:?}: {error}"));
        assert_eq!(value.encoding(), encoding, "{form:?}");
    }
}

/// Fields, values and times out of a list of elements.
fn timed<'a>(elements: &[&'a str]) -> Vec<&'a str> {
    elements.chunks(2).flat_map(|pair| [pair[0], pair[1], "0"]).collect()
}

#[test]
fn hostile_values_are_refused() {
    let packed = |elements: &[&str]| written(|writer| writer.packed(pack(elements).as_bytes()));
    let nan = written(|writer| {
        writer.length(1);
        writer.text(b"a");
        writer.double(f64::NAN);
    });
    let table: &[(Form, Vec<u8>)] = &[
        (Form::Set, b"\x02\x01a\x01a".to_vec()),
        (Form::Set, b"\x02\xc0\x01\x011".to_vec()),
        (Form::SetIntset, b"\x0c\x02\0\0\0\x02\0\0\0\x05\0\x04\0".to_vec()),
        (Form::SetIntset, b"\x0c\x02\0\0\0\x02\0\0\0\x05\0\x05\0".to_vec()),
        (Form::SetIntset, b"\x0c\x03\0\0\0\x02\0\0\0\x05\0\x06\0".to_vec()),
        (Form::SetIntset, b"\x0c\x02\0\0\0\x03\0\0\0\x05\0\x06\0".to_vec()),
        (Form::SetIntset, b"\x08\x02\0\0\0\0\0\0\0".to_vec()),
        (Form::SetListpack, packed(&["a", "1", "a"])),
        (Form::SortedSet, nan),
        (Form::SortedSetText, b"\x01\x01a\xfd".to_vec()),
        (Form::SortedSetText, b"\x02\x01a\x011\x01a\x012".to_vec()),
        (Form::SortedSetListpack, packed(&["a", "1", "b"])),
        (Form::SortedSetListpack, packed(&["a", "2", "b", "1"])),
        (Form::SortedSetListpack, packed(&["b", "1", "a", "1"])),
        (Form::SortedSetListpack, packed(&["a", "1", "a", "2"])),
        (Form::SortedSetListpack, packed(&["a", "nan"])),
        (Form::SortedSetListpack, packed(&["a", "x"])),
        (Form::SortedSetZiplist, written(|writer| writer.packed(&ziplist_of(&["a", "1", "b"])))),
        (Form::Hash, b"\x02\x01a\x011\x01a\x012".to_vec()),
        (Form::HashListpack, packed(&["a", "1", "b"])),
        (Form::HashListpack, packed(&["a", "1", "a", "2"])),
        (Form::HashListpackExpiriesOld, packed(&["a", "1", "0", "b", "2", "500"])),
        (Form::HashListpackExpiriesOld, packed(&["a", "1", "501", "b", "2", "500"])),
        (Form::HashListpackExpiriesOld, packed(&["a", "1", "-1"])),
        (Form::HashListpackExpiriesOld, packed(&["a", "1", "x"])),
        (Form::HashListpackExpiriesOld, packed(&["a", "1", "281474976710655"])),
        (Form::HashListpackExpiriesOld, packed(&["a", "1"])),
        (Form::HashExpiries, b"\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x01a\x011".to_vec()),
        (Form::HashExpiriesAbsolute, b"\x01\x01a\x011\xfe\xff\xff\xff\xff\xff\xff\xff".to_vec()),
        (Form::HashZipmap, written(|writer| writer.packed(b"\x02\x01a\x01\x001\x01a\x01\x002\xff"))),
        (Form::ListListpacks, b"\x01\x03\x01a".to_vec()),
        (Form::ListListpacks, b"\x01\x01\x00".to_vec()),
        (Form::ListListpacks, b"\x01\x02\x01a".to_vec()),
        (Form::ListZiplist, b"\x01a".to_vec()),
        (Form::ListZiplist, b"\xc0\x01".to_vec()),
        (Form::ModuleOld, b"\x01a".to_vec()),
    ];
    for (form, bytes) in table {
        match load(*form, bytes) {
            Ok(value) => panic!("{form:?}: {}", shown(&value)),
            Err(error) => assert!(
                !matches!(error.cause, Cause::Truncated | Cause::Empty),
                "{form:?}: {error}: it is refused for what it says"
            ),
        }
    }
}

#[test]
fn nothing_is_empty() {
    let packed = |bytes: &[u8]| written(|writer| writer.packed(bytes));
    let table = [
        (Form::List, b"\0".to_vec()),
        (Form::Set, b"\0".to_vec()),
        (Form::SortedSet, b"\0".to_vec()),
        (Form::SortedSetText, b"\0".to_vec()),
        (Form::Hash, b"\0".to_vec()),
        (Form::HashExpiries, b"\0\0\0\0\0\0\0\0\0".to_vec()),
        (Form::HashExpiriesOld, b"\0".to_vec()),
        (Form::HashExpiriesAbsolute, b"\0".to_vec()),
        (Form::ListListpacks, b"\0".to_vec()),
        (Form::ListZiplists, [b"\x01".to_vec(), packed(&ziplist_of(&[]))].concat()),
        (Form::ListListpacks, [b"\x01\x02".to_vec(), packed(pack(&[]).as_bytes())].concat()),
        (Form::ListZiplist, packed(&ziplist_of(&[]))),
        (Form::SortedSetZiplist, packed(&ziplist_of(&[]))),
        (Form::HashZiplist, packed(&ziplist_of(&[]))),
        (Form::SetListpack, packed(pack(&[]).as_bytes())),
        (Form::HashListpack, packed(pack(&[]).as_bytes())),
        (Form::SortedSetListpack, packed(pack(&[]).as_bytes())),
    ];
    for (form, bytes) in table {
        let mut reader = Reader::new(&bytes, 1 << 20);
        let error = read_value(&mut reader, form, &LIMITS).expect_err("it is empty");
        assert_eq!((error.cause, reader.remaining()), (Cause::Empty, 0), "{form:?}");
        let mut skipping = Reader::new(&bytes, 1 << 20);
        assert_eq!((skip_value(&mut skipping, form), skipping.remaining()), (Ok(()), 0), "{form:?} is passed over");
    }
}

#[test]
fn modules_are_passed_over_and_named() {
    // Id, signed 5, unsigned 6, float, double, string, end; then something else.
    let id = b"\x81\0\0\0\0\0\0\x04\x03";
    let parts = b"\x01\x05\x02\x06\x03\0\0\0\0\x04\0\0\0\0\0\0\0\0\x05\x03abc\x00".as_slice();
    let bytes = [id, parts, b"rest"].concat();
    let mut reader = Reader::new(&bytes, 1 << 20);
    let error = read_value(&mut reader, Form::Module, &LIMITS).expect_err("nobody knows the module");
    assert_eq!((error.cause, reader.remaining()), (Cause::Module(0x403), 4));
    let wrong = [id.as_slice(), b"\x06"].concat();
    let error = load(Form::Module, &wrong).expect_err("there is no such part");
    assert_eq!(error, LoadError::corrupt(9, "no part of a module's value"));
}

/// Writes a value for a version and reads it again.
fn there_and_back(value: Value, version: u16) -> (Form, Value) {
    let by_reference = ValueRef::Boxed(&value);
    let form = form_of(&by_reference, version);
    let bytes = written(|writer| write_value(writer, &by_reference, form));
    (form, load(form, &bytes).unwrap_or_else(|error| panic!("{form:?}: {error}")))
}

#[test]
fn the_oldest_form_that_holds_it() {
    let small = |form, elements: &[&str]| {
        let bytes = written(|writer| writer.packed(pack(elements).as_bytes()));
        load(form, &bytes).unwrap_or_else(|error| panic!("{form:?}: {error}"))
    };
    let set = || small(Form::SetListpack, &["a", "2"]);
    let table = [
        (set(), VERSION_7_0, Form::Set),
        (set(), VERSION_7_2, Form::SetListpack),
        (small(Form::HashListpack, &["a", "1"]), VERSION_7_0, Form::HashListpack),
        (small(Form::SortedSetListpack, &["a", "1"]), VERSION_7_0, Form::SortedSetListpack),
        (small(Form::HashListpackExpiriesOld, &["a", "1", "5"]), VERSION_7_0, Form::HashListpackExpiries),
        // Room for times, but none: old servers can have it.
        (small(Form::HashListpackExpiriesOld, &["a", "1", "0"]), VERSION_7_0, Form::Hash),
    ];
    for (value, version, expected) in table {
        let before = shown(&value);
        let (form, back) = there_and_back(value, version);
        assert_eq!(form, expected, "{before}");
        let contents = |shown: String| shown.split_once(' ').map(|(_, contents)| contents.to_owned());
        assert_eq!(contents(shown(&back)), contents(before));
    }
}

#[test]
fn large_values_come_back() {
    let many = |count: usize, each: usize, form: Form| {
        let bytes = written(|writer| {
            writer.length(count as u64);
            for number in 0..count * each {
                if form == Form::SortedSet && number % 2 == 1 {
                    writer.double((number as f64).sin());
                } else {
                    writer.text(["element:", &number.to_string()].concat().as_bytes());
                }
            }
        });
        load(form, &bytes).unwrap_or_else(|error| panic!("{form:?}: {error}"))
    };
    for (form, each) in [(Form::List, 1), (Form::Set, 1), (Form::Hash, 2), (Form::SortedSet, 2)] {
        let value = many(3000, each, form);
        let before = shown(&value);
        let (_, back) = there_and_back(value, VERSION_7_0);
        assert_eq!(shown(&back), before, "{form:?}");
    }
}
