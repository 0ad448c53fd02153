//! `Hash` against a model, and its packed forms against what Redis writes.

use std::collections::BTreeMap;

use super::*;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

const LARGE: PackedLimits = PackedLimits { entries: 512, value_bytes: 64 };
const SMALL: PackedLimits = PackedLimits { entries: 6, value_bytes: 12 };
const NONE: PackedLimits = PackedLimits { entries: 0, value_bytes: 64 };

fn text(element: Element<'_>) -> Vec<u8> {
    element.to_text().into_owned()
}

fn is_live(at_ms: Option<i64>, now_ms: i64) -> bool {
    at_ms.is_none_or(|at_ms| at_ms > now_ms)
}

fn some_text(random: &mut Random, of: &str) -> Vec<u8> {
    match random.below(8) {
        0 => format!("{}", random.below(30)).into_bytes(),
        1 => format!("{of}-{}-a little longer", random.below(4)).into_bytes(),
        2 if of == "value" => Vec::new(),
        _ => format!("{of}{}", random.below(20)).into_bytes(),
    }
}

/// Compares everything that can be asked.
fn compare(hash: &Hash, model: &Model, now_ms: i64, random: &mut Random) {
    assert_eq!(hash.len(), model.len());
    assert_eq!(hash.is_empty(), model.is_empty());
    let first = model.values().filter_map(|(_, at_ms)| *at_ms).min();
    assert_eq!(hash.first_time(), first);
    assert_eq!(hash.is_due(now_ms), first.is_some_and(|at_ms| at_ms <= now_ms));
    let live: BTreeMap<_, _> = model.iter().filter(|(_, (_, at_ms))| is_live(*at_ms, now_ms)).collect();
    let mut seen: Vec<_> = hash.iter(now_ms).map(|(field, value)| (text(field), text(value))).collect();
    seen.sort();
    let expected: Vec<_> = live.iter().map(|(field, (value, _))| ((*field).clone(), value.clone())).collect();
    assert_eq!(seen, expected);
    let (mut scanned, mut cursor) = (BTreeMap::new(), 0);
    loop {
        cursor = hash.scan(cursor, now_ms, |field, value| {
            scanned.insert(text(field), text(value));
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(scanned.into_iter().collect::<Vec<_>>(), expected);
    let mut timed = Model::new();
    hash.each_timed(|field, value, at_ms| {
        timed.insert(text(field), (text(value), at_ms));
    });
    assert_eq!(&timed, model);
    for count in [0, 1, 3, expected.len() / 4, expected.len(), 1000] {
        let mut sampled = BTreeMap::new();
        let shown = hash.sample(count, now_ms, random, |field, value| {
            assert_eq!(sampled.insert(text(field), text(value)), None, "sampled once");
        });
        assert_eq!((shown, sampled.len()), (count.min(expected.len()), shown));
        let drawn = hash.draw(count, now_ms, random, |field, value| {
            sampled.insert(text(field), text(value));
            true
        });
        assert_eq!(drawn, if expected.is_empty() { 0 } else { count });
        assert!(sampled.iter().all(|(field, value)| &live[field].0 == value));
    }
}

fn run(limits: PackedLimits, seed: u64, steps: usize) {
    let mut random = Random::new(seed);
    let (mut hash, mut model, mut now_ms) = (Hash::new(), Model::new(), 1_000);
    hash.make_room(1, 0, 0, limits);
    for step in 0..steps {
        let field = some_text(&mut random, "field");
        let value = some_text(&mut random, "value");
        let entry = model.get(&field).cloned();
        match random.below(12) {
            0..5 => {
                let keep = random.below(3) == 0;
                assert_eq!(hash.set(&field, &value, keep, limits), entry.is_none());
                let at_ms = entry.and_then(|(_, at_ms)| at_ms).filter(|_| keep);
                model.insert(field, (value, at_ms));
            }
            5 => assert_eq!(hash.remove(&field), model.remove(&field).is_some()),
            6..8 => {
                let at_ms = now_ms + 1 + random.below(40) as i64;
                assert_eq!(hash.set_time(&field, at_ms), entry.is_some());
                model.entry(field).and_modify(|(_, old_ms)| *old_ms = Some(at_ms));
            }
            8 => {
                hash.drop_time(&field);
                model.entry(field).and_modify(|(_, old_ms)| *old_ms = None);
            }
            9 => now_ms += random.below(12) as i64,
            10 => {
                let max = random.below(4) as usize;
                let mut shown = Vec::new();
                let count = hash.expire(now_ms, max, |name| shown.push(name.to_vec()));
                let due = model.values().filter(|(_, at_ms)| !is_live(*at_ms, now_ms)).count();
                assert_eq!((count, shown.len()), (due.min(max), count));
                for name in shown {
                    let (_, at_ms) = model.remove(&name).expect("what is shown was there");
                    assert!(!is_live(at_ms, now_ms));
                }
            }
            _ => {
                let gone = entry.is_some_and(|(_, at_ms)| !is_live(at_ms, now_ms));
                assert_eq!(hash.expire_field(&field, now_ms), gone);
                if gone {
                    model.remove(&field);
                }
            }
        }
        let field = some_text(&mut random, "field");
        let found = model.get(&field).filter(|(_, at_ms)| is_live(*at_ms, now_ms));
        assert_eq!(hash.get(&field, now_ms).map(text).as_ref(), found.map(|(value, _)| value));
        let time = match found {
            None => FieldTime::NoField,
            Some((_, None)) => FieldTime::Never,
            Some((_, Some(at_ms))) => FieldTime::At(*at_ms),
        };
        assert_eq!(hash.time(&field, now_ms), time);
        if step % 16 == 0 {
            compare(&hash, &model, now_ms, &mut random);
            compare(&hash.copy(), &model, now_ms, &mut random);
        }
        if let Some((pack, timed)) = hash.listpack()
            && !hash.is_empty()
        {
            hash = Hash::from_listpack(pack.clone(), timed).expect("what we make is in order");
        }
    }
    while hash.free_slice() {}
}

#[test]
fn a_hash_is_what_its_model_is() {
    for seed in 0..20 {
        run(LARGE, seed, 600);
        run(SMALL, seed, 600);
        run(NONE, seed, 600);
    }
}

#[test]
fn encodings() {
    let mut hash = Hash::new();
    hash.set(b"f", b"v", false, SMALL);
    assert_eq!(hash.encoding(), "listpack");
    hash.set_time(b"f", 5);
    assert_eq!(hash.encoding(), "listpackex");
    hash.drop_time(b"f");
    assert_eq!(hash.encoding(), "listpackex", "as in Redis, it stays");
    for number in 0..5 {
        hash.set(format!("{number}").as_bytes(), b"v", false, SMALL);
    }
    assert_eq!((hash.encoding(), hash.len()), ("listpackex", 6));
    hash.set(b"one more", b"v", false, SMALL);
    assert_eq!((hash.encoding(), hash.len()), ("hashtable", 7));
    for (field, value) in [("f", "thirteen byte"), ("thirteen byte", "v")] {
        let mut hash = Hash::new();
        hash.set(field.as_bytes(), value.as_bytes(), false, SMALL);
        assert_eq!(hash.encoding(), "hashtable");
    }
    let mut hash = Hash::new();
    hash.make_room(7, 0, 0, SMALL);
    assert_eq!(hash.encoding(), "hashtable");
}

#[test]
fn fields_with_times_stand_in_their_order() {
    let mut hash = Hash::new();
    for field in ["a", "b", "c", "d", "e"] {
        hash.set(field.as_bytes(), b"1", false, LARGE);
    }
    for (field, at_ms) in [("c", 300), ("a", 100), ("e", 200), ("b", 200)] {
        hash.set_time(field.as_bytes(), at_ms);
    }
    let (pack, timed) = hash.listpack().expect("small");
    let elements: Vec<_> = pack.iter().map(|element| String::from_utf8(text(element)).expect("ascii")).collect();
    assert!(timed);
    // An equal time goes before those that are there.
    assert_eq!(elements.join(" "), "a 1 100 b 1 200 e 1 200 c 1 300 d 1 0");
}

#[test]
fn listpacks_from_outside_are_looked_at() {
    let pack = |elements: &[&str]| {
        let mut pack = Listpack::new();
        elements.iter().for_each(|element| pack.push_back(Element::of(element.as_bytes())));
        pack
    };
    let table: &[(&[&str], bool, bool)] = &[
        (&["f", "v", "g", "w"], false, true),
        (&["f", "v", "g"], false, false),
        (&["f", "v", "f", "w"], false, false),
        (&["f", "v", "5", "g", "w", "0"], true, true),
        (&["f", "v", "5", "g", "w", "4"], true, false),
        (&["f", "v", "0", "g", "w", "4"], true, false),
        (&["f", "v", "-1"], true, false),
        (&["f", "v", "x"], true, false),
        (&["f", "v", "5", "g"], true, false),
    ];
    for (elements, timed, is_hash) in table {
        assert_eq!(Hash::from_listpack(pack(elements), *timed).is_ok(), *is_hash, "{elements:?}");
    }
}

#[test]
fn a_large_hash_is_freed_in_slices() {
    let mut hash = Hash::new();
    for number in 0..20_000_u32 {
        hash.set(format!("field {number}").as_bytes(), b"value", false, NONE);
        if number % 2 == 0 {
            hash.set_time(format!("field {number}").as_bytes(), 1 + i64::from(number));
        }
    }
    assert_eq!(hash.allocations(), 30_000);
    let mut slices = 1;
    let mut before = hash.allocations();
    while hash.free_slice() {
        slices += 1;
        let left = hash.allocations();
        assert!(before - left <= 2 * crate::value::object::ALLOCATIONS_PER_SLICE, "{before} to {left}");
        before = left;
    }
    assert!(slices >= 20, "{slices}");
}

#[test]
fn every_field_is_drawn_alike() {
    let mut random = Random::new(5);
    for limits in [LARGE, NONE] {
        let mut hash = Hash::new();
        for number in 0..60 {
            hash.set(format!("{number}").as_bytes(), b"v", false, limits);
        }
        for different in [false, true] {
            let mut counts = BTreeMap::<Vec<u8>, u32>::new();
            for _ in 0..3_000 {
                let mut see = |field: Element<'_>, _: Element<'_>| *counts.entry(text(field)).or_default() += 1;
                if different {
                    hash.sample(10, 0, &mut random, &mut see);
                } else {
                    hash.draw(10, 0, &mut random, |field, value| {
                        see(field, value);
                        true
                    });
                }
            }
            // 500 each, with a deviation of 22.
            assert_eq!(counts.len(), 60);
            assert!(counts.values().all(|count| count.abs_diff(500) < 130), "{counts:?}");
        }
    }
}
