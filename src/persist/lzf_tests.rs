//! Tests of LZF: known bytes, round trips, hostile inputs.

use super::*;

fn compressed(input: &[u8]) -> Vec<u8> {
    let mut output = b"before".to_vec();
    assert!(Compressor::default().compress(input, &mut output, usize::MAX));
    assert_eq!(&output[..6], b"before", "what stood there stays");
    output.split_off(6)
}

#[test]
fn known_bytes() {
    // From Redis: DUMP of 40 times "a" and of "abcabc…".
    let table: &[(&[u8], &[u8])] = &[
        (b"\x01aa\xe0\x1d\x00\x01aa", &[b'a'; 42]),
        (b"\x02abc\xe0\x10\x02", b"abcabcabcabcabcabcabcabcabcabc"[..28].as_ref()),
        (b"\x00x\x80\x00", b"xxxxxxx"),
        (b"", b""),
    ];
    for (packed, plain) in table {
        assert_eq!(decompress(packed, plain.len()).as_deref(), Some(*plain));
        assert_eq!(decompress(packed, plain.len() + 1), None);
        if !plain.is_empty() {
            assert_eq!(decompress(packed, plain.len() - 1), None);
        }
    }
}

#[test]
fn hostile_bytes_are_refused() {
    let table: &[(&[u8], usize)] = &[
        (b"\x20\x00", 3),            // Nothing stands before it.
        (b"\x00x\x20\x01", 4),       // It reaches back before the beginning.
        (b"\x1fabc", 32),            // Cut in a run.
        (b"\x00x\xe0", 10),          // Cut before the length.
        (b"\x00x\xe0\x05", 15),      // Cut before the distance.
        (b"\x00x\x20", 4),           // Cut before the distance of a short one.
        (b"\x00x\xe0\xff\x00", 100), // Longer than expected.
        (b"\x00x", usize::MAX),      // More than anything could expand to.
        (b"\x00x\xe0\xff\x00", 1 << 40),
        (b"x", 0),
    ];
    for (packed, expected) in table {
        assert_eq!(decompress(packed, *expected), None, "{packed:?}");
    }
}

#[test]
fn what_is_compressed_comes_back() {
    let mut inputs: Vec<Vec<u8>> = (0..40).map(|len| vec![b'x'; len]).collect();
    inputs.push((0..=255).collect());
    inputs.push((0..=255).cycle().take(20_000).collect());
    inputs.push([vec![7; DISTANCE_MAX], (0..100).collect(), vec![7; 600], (0..100).collect()].concat());
    // A repetition exactly as far back as it may be, and one farther.
    for gap in DISTANCE_MAX - 6..DISTANCE_MAX + 3 {
        let noise = (0..gap).map(|at| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]);
        inputs.push(b"needle".iter().copied().chain(noise).chain(*b"needle").collect());
    }
    let mut kept = Compressor::default();
    for input in &inputs {
        let fresh = compressed(input);
        assert_eq!(decompress(&fresh, input.len()).as_deref(), Some(&input[..]));
        // A compressor that has seen other inputs finds nothing of them.
        let mut output = Vec::new();
        assert!(kept.compress(input, &mut output, usize::MAX));
        assert_eq!(decompress(&output, input.len()).as_deref(), Some(&input[..]));
    }
    assert!(compressed(&[b'x'; 10_000]).len() < 150);
    assert!(compressed(&inputs[41]).len() < 1000);
}

#[test]
fn what_does_not_get_small_enough_is_not_compressed() {
    let noise: Vec<u8> = (0..1000u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]).collect();
    let mut output = b"before".to_vec();
    assert!(!Compressor::default().compress(&noise, &mut output, 500));
    assert_eq!(output, b"before");
    let exact = compressed(&[b'y'; 1000]).len();
    assert!(Compressor::default().compress(&[b'y'; 1000], &mut Vec::new(), exact));
    assert!(!Compressor::default().compress(&[b'y'; 1000], &mut Vec::new(), exact - 1));
}

#[test]
fn the_count_of_places_wraps() {
    let mut compressor = Compressor { base: INPUT_BYTES_MAX - 5000, ..Compressor::default() };
    for _ in 0..20 {
        let input: Vec<u8> = (0..200u8).cycle().take(1000).collect();
        let mut output = Vec::new();
        assert!(compressor.compress(&input, &mut output, usize::MAX));
        assert_eq!(decompress(&output, input.len()).as_deref(), Some(&input[..]));
    }
}

#[test]
fn any_bytes_are_decompressed_or_refused() {
    bolero::check!().with_type::<(Vec<u8>, u16)>().for_each(|(packed, expected)| {
        if let Some(plain) = decompress(packed, usize::from(*expected)) {
            assert_eq!(plain.len(), usize::from(*expected));
        }
    });
}

#[test]
fn any_bytes_come_back() {
    bolero::check!().with_type::<(Vec<u8>, u8, u8)>().for_each(|(bytes, repeat, mask)| {
        // Random bytes repeat nothing: fewer different ones, several times, do.
        let input: Vec<u8> = (0..=*repeat % 8).flat_map(|_| bytes.iter().map(|byte| byte & mask)).collect();
        let mut output = Vec::new();
        assert!(Compressor::default().compress(&input, &mut output, usize::MAX));
        assert_eq!(decompress(&output, input.len()).as_deref(), Some(&input[..]));
    });
}
