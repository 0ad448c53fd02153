//! Tests of `hyperloglog`: both encodings against each other and against a plain list of registers; any bytes at all.

use super::*;

const MAX: usize = 3000;

fn start() -> sparse::Place {
    sparse::Place::START
}

fn of(elements: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut string = new();
    for element in elements {
        add(&mut string, element.to_string().as_bytes(), MAX).expect("sound");
    }
    string
}

fn plain(string: &[u8]) -> Vec<u8> {
    registers(string).expect("sound").iter().collect()
}

#[test]
fn an_empty_one() {
    let string = new();
    assert_eq!(string, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
    assert_eq!(Encoding::of(&string), Some(Encoding::Sparse));
    assert_eq!(count(&string), Ok(0));
    assert_eq!(cached_count(&string), Some(0));
    assert_eq!(runs_text(&string).as_deref(), Some(&b"Z:16384"[..]));
}

/// What redis-server 7.0 has after PFADD with these elements.
#[test]
fn bytes_of_redis() {
    let mut string = new();
    for element in ["", "a", "1234567", "12345678", "123456789", "\u{43a}\u{43b}\u{44e}\u{447}"] {
        add(&mut string, element.as_bytes(), MAX).expect("sound");
    }
    assert_eq!(
        runs_text(&string).as_deref().map(String::from_utf8_lossy).as_deref(),
        Some("Z:2029 v:9,1 Z:3908 v:2,1 Z:3354 v:2,1 Z:1033 v:3,1 Z:251 v:3,1 Z:2131 v:2,1 Z:3672")
    );
}

#[test]
fn both_encodings_agree_and_the_estimate_is_good() {
    let mut dense = new();
    make_dense(&mut dense).expect("sound");
    let mut string = new();
    for number in 0..200_000_u64 {
        let element = number.to_string();
        let changed = add(&mut dense, element.as_bytes(), MAX);
        assert_eq!(add(&mut string, element.as_bytes(), MAX), changed, "{number}");
        if number < 2000 || number % 10_000 == 0 {
            assert_eq!(plain(&string), plain(&dense));
            let counted = count(&string).expect("sound");
            assert_eq!(count(&dense), Ok(counted));
            assert!(counted.abs_diff(number + 1) <= (number + 1) / 30 + 1, "{counted} for {}", number + 1);
        }
    }
    assert_eq!(Encoding::of(&string), Some(Encoding::Dense));
    assert_eq!(dense[HEADER_BYTES..], string[HEADER_BYTES..]);
}

#[test]
fn a_sparse_one_becomes_dense_at_the_limit() {
    for max in [0, 18, 19, 30, 500, 6000] {
        let mut string = new();
        let mut sparse_len = string.len();
        for number in 0..100_000_u64 {
            add(&mut string, number.to_string().as_bytes(), max).expect("sound");
            if Encoding::of(&string) == Some(Encoding::Dense) {
                break;
            }
            sparse_len = string.len();
        }
        assert_eq!(Encoding::of(&string), Some(Encoding::Dense));
        assert!(sparse_len <= max.max(18) && sparse_len + 3 > max.min(12_000), "{sparse_len} with {max}");
        assert!(is_sound(&string));
    }
}

#[test]
fn registers_are_raised_in_any_order_and_runs_stay_joined() {
    bolero::check!().with_type::<Vec<(u16, u8)>>().for_each(|raises| {
        let (mut string, mut expected) = (new(), vec![0; REGISTERS]);
        for &(register, run) in raises {
            // Close together, so that runs are split and joined.
            let (register, run) = (usize::from(register) % 40, run % 51 + 1);
            let raised = raise(&mut string, register, run, MAX, &mut start());
            assert_eq!(raised, Ok(run > expected[register]));
            expected[register] = run.max(expected[register]);
            assert!(is_sound(&string));
        }
        assert_eq!(plain(&string), expected);
        make_dense(&mut string).expect("sound");
        assert_eq!(plain(&string), expected);
    });
}

#[test]
fn merging_is_as_adding_to_one() {
    let (a, b, both) = (of(0..500), of(400..4000), of(0..4000));
    let mut merged = registers(&a).expect("sound");
    merged.merge(&b).expect("sound");
    assert_eq!(merged.iter().collect::<Vec<_>>(), plain(&both));
    assert_eq!(Ok(merged.count()), count(&both));
    let mut written = new();
    merged.write(&mut written, MAX).expect("sound");
    assert_eq!(plain(&written), plain(&both));
    assert_eq!(Encoding::of(&written), Some(Encoding::Dense));
}

#[test]
fn going_on_from_the_last_register_is_as_beginning_anew() {
    bolero::check!().with_type::<(Vec<(u8, u8)>, Vec<(u8, u8)>)>().for_each(|(before, raises)| {
        let mut string = new();
        for &(register, run) in before {
            raise(&mut string, register.into(), run % 4 + 1, MAX, &mut start()).expect("sound");
        }
        let (mut other, mut from, mut register) = (string.clone(), sparse::Place::START, 0);
        for &(distance, run) in raises {
            register += usize::from(distance % 8);
            let raised = raise(&mut string, register, run % 4 + 1, MAX, &mut from);
            assert_eq!(raised, raise(&mut other, register, run % 4 + 1, MAX, &mut start()));
            assert!(string == other, "{register}");
        }
    });
}

#[test]
fn counts_are_cached() {
    let mut string = new();
    cache_count(&mut string, 0x0123_4567_89ab_cdef);
    assert_eq!(cached_count(&string), Some(0x0123_4567_89ab_cdef));
    forget_count(&mut string);
    assert_eq!(cached_count(&string), None);
}

#[test]
fn what_is_none() {
    for bytes in [&b""[..], b"HYLL", b"HYLL\x01\0\0\0\0\0\0\0\0\0\0", b"hyll\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff"] {
        assert_eq!(Encoding::of(bytes), None);
    }
    let mut string = new();
    string[ENCODING_AT] = 2;
    assert_eq!(Encoding::of(&string), None);
    string[ENCODING_AT] = 0;
    assert_eq!(Encoding::of(&string), None, "a dense one has its length");
}

#[test]
fn any_registers_are_counted_or_refused() {
    bolero::check!().with_type::<(Vec<u8>, u16, u8, bool)>().for_each(|(bytes, register, run, fills)| {
        let mut string = new();
        string.truncate(HEADER_BYTES);
        string.extend_from_slice(bytes);
        if *fills {
            string.extend_from_slice(&sparse::EMPTY);
        }
        assert_eq!(Encoding::of(&string), Some(Encoding::Sparse));
        let sound = is_sound(&string);
        assert_eq!(count(&string).is_ok(), sound);
        assert_eq!(registers(&string).is_ok(), sound);
        assert!(runs_text(&string).is_some());
        let before = string.clone();
        match raise(&mut string, usize::from(*register) % REGISTERS, run % 51 + 1, MAX, &mut start()) {
            Err(Corrupt) => assert!(string == before && !sound),
            Ok(_) => assert_eq!(is_sound(&string), sound),
        }
        assert_eq!(make_dense(&mut before.clone()).is_ok(), sound);
    });
}

#[test]
fn registers_that_no_hash_gives() {
    let mut string = new();
    make_dense(&mut string).expect("sound");
    for byte in 0..=255_u8 {
        string[HEADER_BYTES..].fill(byte);
        count(&string).expect("dense ones cannot be corrupt");
    }
    assert_eq!(count(&string), Ok(1 << 63), "all registers full");
}

#[test]
fn the_self_test_passes_and_finds_faults() {
    let mut random = crate::stdx::random::Random::new(1);
    assert_eq!(self_test(&mut || random.next_u64(), 100_000, MAX), Ok(()));
    assert_eq!(
        self_test(&mut || random.next_u64(), 100_000, 250),
        Err("TESTFAILED sparse encoding not used".to_owned()),
        "with a limit that a hundred elements exceed"
    );
}
