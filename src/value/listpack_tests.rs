//! Tests of `listpack.rs`: bytes against the specification, edits against a vector, hostile bytes.

use super::*;
use proptest::prelude::*;

fn pack(texts: &[&[u8]]) -> Listpack {
    let mut pack = Listpack::new();
    for text in texts {
        pack.push_back(Element::of(text));
    }
    pack
}

fn texts(pack: &Listpack) -> Vec<Vec<u8>> {
    pack.iter().map(|element| element.to_text().into_owned()).collect()
}

/// Worked out by hand from the specification.
#[test]
fn bytes_are_those_of_redis() {
    let pack = pack(&[b"a", b"1", b"-1", b"300", b"70000", b"5000000000", b"hello"]);
    let mut expected = vec![0, 0, 0, 0, 7, 0];
    expected.extend_from_slice(&[0x81, b'a', 2]);
    expected.extend_from_slice(&[1, 1]);
    expected.extend_from_slice(&[0xdf, 0xff, 2]);
    expected.extend_from_slice(&[0xc1, 0x2c, 2]);
    expected.extend_from_slice(&[0xf2, 0x70, 0x11, 0x01, 4]);
    expected.extend_from_slice(&[0xf4, 0x00, 0xf2, 0x05, 0x2a, 0x01, 0, 0, 0, 9]);
    expected.extend_from_slice(&[0x85, b'h', b'e', b'l', b'l', b'o', 6]);
    expected.push(0xff);
    expected[0] = expected.len() as u8;
    assert_eq!(pack.as_bytes(), expected);
}

#[test]
fn strings_of_every_length_come_back_from_both_ends() {
    for len in [0, 1, 63, 64, 126, 127, 128, 4095, 4096, 16_377, 16_378, 16_379, 16_384, 100_000, 2_097_146, 2_097_150] {
        let text = vec![b'x'; len];
        let pack = pack(&[b"before", &text, b"after"]);
        let checked = Listpack::from_bytes(pack.as_bytes().to_vec()).expect("what we write is valid");
        let last = checked.last().expect("three elements");
        let middle = checked.previous(last).expect("three elements");
        assert_eq!(checked.get(middle), Element::Bytes(&text), "{len}");
        assert_eq!(checked.previous(middle), checked.first());
        assert_eq!(checked.seek(1), Some(middle));
        assert_eq!(checked.seek(-2), Some(middle));
        assert_eq!((checked.seek(3), checked.seek(-4)), (None, None));
    }
}

#[test]
fn integers_at_the_ends_of_every_encoding() {
    let edges = [
        0, 127, 128, 4095, 4096, -1, -4096, -4097, 32_767, 32_768, -32_768, -32_769, 8_388_607, 8_388_608, -8_388_608, -8_388_609,
        i64::from(i32::MAX), i64::from(i32::MAX) + 1, i64::from(i32::MIN), i64::from(i32::MIN) - 1, i64::MAX, i64::MIN,
    ];
    for edge in edges {
        let pack = pack(&[edge.to_string().as_bytes()]);
        assert_eq!(pack.get(pack.first().expect("one")), Element::Integer(edge));
        assert!(Listpack::from_bytes(pack.as_bytes().to_vec()).is_some());
        assert_eq!(pack.as_bytes().len() - 7, Element::Integer(edge).packed_bytes());
    }
}

#[test]
fn more_elements_than_the_header_can_count() {
    let mut pack = Listpack::new();
    for number in 0..70_000 {
        pack.push_back(Element::Integer(number));
    }
    assert_eq!(pack.len(), 70_000);
    assert_eq!(pack.seek(69_999).map(|at| pack.get(at)), Some(Element::Integer(69_999)));
    assert_eq!(pack.seek(-70_000).map(|at| pack.get(at)), Some(Element::Integer(0)));
    assert!(Listpack::from_bytes(pack.as_bytes().to_vec()).is_some());
    let first = pack.first().expect("many");
    assert_eq!(pack.remove_range(first, usize::MAX), 70_000);
    assert_eq!((pack.len(), pack.as_bytes()), (0, Listpack::new().as_bytes()));
    assert!(pack.memory_bytes() < 100, "{}", pack.memory_bytes());
}

#[test]
fn finding_with_a_stride() {
    let pack = pack(&[b"f1", b"v", b"v", b"2", b"3", b"x"]);
    let first = pack.first().expect("six");
    assert_eq!(pack.find(b"v", first, 1), pack.seek(2));
    assert_eq!(pack.find(b"v", first, 0), pack.seek(1));
    assert_eq!(pack.find(b"3", first, 1), pack.seek(4));
    assert_eq!(pack.find(b"x", first, 1), None);
}

proptest! {
    /// Any edits leave what the same edits leave in a vector, in bytes that pass the check.
    #[test]
    fn edits_are_those_of_a_vector(steps in prop::collection::vec((0u8..6, 0usize..20, "[a-z0-9]{0,3}|[0-9]{1,19}|-[0-9]{3}|x{60,70}|y{120,130}"), 0..60)) {
        let (mut pack, mut model) = (Listpack::new(), Vec::<Vec<u8>>::new());
        for (kind, place, text) in steps {
            let element = Element::of(text.as_bytes());
            let index = if model.is_empty() { 0 } else { place % model.len() };
            let at = pack.seek(index as i64).unwrap_or(pack.end());
            match kind {
                0 => { pack.push_back(element); model.push(text.into_bytes()); }
                1 => { pack.push_front(element); model.insert(0, text.into_bytes()); }
                2 => { pack.insert(at, element); model.insert(index, text.into_bytes()); }
                3 if !model.is_empty() => { pack.replace(at, element); model[index] = text.into_bytes(); }
                4 if !model.is_empty() => { pack.remove(at); model.remove(index); }
                5 => {
                    let rest = pack.split_off(at);
                    let model_rest = model.split_off(index);
                    prop_assert_eq!(texts(&rest), model_rest.clone());
                    pack.append(&rest);
                    model.extend(model_rest);
                }
                _ => {}
            }
            prop_assert_eq!(texts(&pack), model.clone());
            prop_assert_eq!(pack.len(), model.len());
            prop_assert!(Listpack::from_bytes(pack.as_bytes().to_vec()).is_some());
        }
    }

    /// Bytes from outside are refused or can be walked both ways.
    #[test]
    fn hostile_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..80), flips in prop::collection::vec((0usize..80, any::<u8>()), 0..4)) {
        let mut good = pack(&[b"abc", b"12", b"-70000"]).as_bytes().to_vec();
        for (at, byte) in flips {
            let len = good.len();
            good[at % len] = byte;
        }
        if let Some(first) = bytes.get_mut(0) { *first = 80; }
        for candidate in [bytes, good] {
            if let Some(pack) = Listpack::from_bytes(candidate) {
                let forwards = texts(&pack).len();
                let mut backwards = 0;
                let mut at = pack.end();
                while let Some(previous) = pack.previous(at) {
                    at = previous;
                    backwards += 1;
                }
                prop_assert_eq!(forwards, backwards);
            }
        }
    }
}
