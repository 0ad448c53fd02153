//! Fuzzing listpacks: whatever bytes come, they are refused or become a listpack that can be walked both ways, searched and
//! edited like a vector of texts, and whose own bytes are then taken again. `cargo test` tries a few thousand; for more:
//!
//! ```text
//! BOLERO_RANDOM_ITERATIONS=10000000 cargo test --lib fuzz_listpack
//! ```

use super::{Element, Listpack};

/// Sound listpacks to begin with: every encoding of integers and strings, elements on both sides of each border.
fn seeds() -> Vec<Vec<u8>> {
    let long = |len: usize| vec![b'x'; len];
    let integers: [&[u8]; 9] =
        [b"0", b"127", b"-1", b"4095", b"-32768", b"8388607", b"2147483648", b"-9223372036854775808", b"12"];
    let rows: [Vec<Vec<u8>>; 6] = [
        vec![],
        vec![b"a".to_vec()],
        integers.map(<[u8]>::to_vec).to_vec(),
        vec![long(0), long(63), long(64), b"007".to_vec(), long(127)],
        vec![long(4095), b"5".to_vec(), long(4096)],
        (0..40).map(|number: i32| (number * number * number).to_string().into_bytes()).collect(),
    ];
    let packed = |row: &Vec<Vec<u8>>| {
        let mut pack = Listpack::new();
        row.iter().for_each(|text| pack.push_back(Element::of(text)));
        pack.as_bytes().to_vec()
    };
    rows.iter().map(packed).collect()
}

/// Changes bytes of a listpack; mostly its stated size is made true again, so that more than the header is tried.
fn change(bytes: &mut Vec<u8>, (what, place, byte): (u8, u16, u8)) {
    const INTERESTING: [u8; 12] = [0, 1, 0x7f, 0x80, 0xbf, 0xc0, 0xdf, 0xe0, 0xf0, 0xf1, 0xf4, 0xff];
    let at = usize::from(place) % (bytes.len() + 1);
    match what % 8 {
        0 | 1 if at < bytes.len() => bytes[at] = byte,
        2 if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
        3 if at < bytes.len() => bytes[at] = INTERESTING[usize::from(byte) % INTERESTING.len()],
        4 if at < bytes.len() => drop(bytes.remove(at)),
        5 => bytes.insert(at, byte),
        6 => {
            let end = bytes.len().min(at + 1 + usize::from(byte));
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        7 if byte < 8 => bytes.truncate(at),
        _ => {}
    }
    if what < 0xe0 && bytes.len() >= 4 {
        let size = (bytes.len() as u32).to_le_bytes();
        bytes[..4].copy_from_slice(&size);
    }
    if what & 0x10 != 0 && bytes.len() >= 6 {
        // "Too many to be counted", which any number of elements agrees with.
        bytes[4..6].copy_from_slice(&[0xff, 0xff]);
    }
}

fn texts(pack: &Listpack) -> Vec<Vec<u8>> {
    pack.iter().map(|element| element.to_text().into_owned()).collect()
}

/// Walks and edits what was taken; a vector goes the same way.
fn exercise(mut pack: Listpack, edits: &[(u8, u8, i16)]) {
    let mut model = texts(&pack);
    let mut backwards = Vec::new();
    let mut at = pack.end();
    while let Some(previous) = pack.previous(at) {
        backwards.push(pack.get(previous).to_text().into_owned());
        at = previous;
    }
    backwards.reverse();
    assert_eq!(backwards, model);
    for &(kind, place, number) in edits {
        let index = usize::from(place) % (model.len() + 1);
        let at = pack.seek(index as i64).unwrap_or(pack.end());
        let text = if number % 3 == 0 {
            vec![b'y'; usize::from(number.unsigned_abs() % 200)]
        } else {
            number.to_string().into()
        };
        match kind % 6 {
            0 => {
                pack.insert(at, Element::of(&text));
                model.insert(index, text);
            }
            1 if index < model.len() => {
                pack.replace(at, Element::of(&text));
                model[index] = text;
            }
            2 if index < model.len() => {
                let count = 1 + usize::from(place) % 3;
                pack.remove_range(at, count);
                model.drain(index..model.len().min(index + count));
            }
            3 => {
                let rest = pack.split_off(at);
                assert_eq!(texts(&rest), model[index..]);
                pack.append(&rest);
            }
            4 => {
                let first = pack.first().unwrap_or(pack.end());
                let found = pack.find(&text, first, 0).map(|at| pack.get(at).to_text().into_owned());
                assert_eq!(found, model.iter().find(|one| **one == text).cloned());
            }
            _ => {
                let is_short = |len: usize| len <= usize::from(place) % 8;
                pack.remove_where(|element| is_short(element.len()));
                model.retain(|one| !is_short(one.len()));
            }
        }
    }
    assert_eq!(texts(&pack), model);
    assert_eq!(pack.len(), model.len());
    let again = Listpack::from_bytes(pack.as_bytes().to_vec()).expect("what we write is taken");
    assert_eq!(texts(&again), model);
}

#[test]
fn fuzz_listpack() {
    let seeds = seeds();
    for seed in &seeds {
        exercise(Listpack::from_bytes(seed.clone()).expect("what we write is taken"), &[]);
    }
    type Input = (u8, Vec<(u8, u16, u8)>, Vec<(u8, u8, i16)>, Vec<u8>);
    bolero::check!().with_type::<Input>().with_iterations(4000).for_each(|(seed, changes, edits, raw)| {
        let mut bytes = seeds.get(usize::from(*seed) % (seeds.len() + 1)).unwrap_or(raw).clone();
        changes.iter().take(4).for_each(|&one| change(&mut bytes, one));
        if let Some(pack) = Listpack::from_bytes(bytes) {
            exercise(pack, &edits[..edits.len().min(12)]);
        }
    });
}
