//! Tests of `bits`: every function against one that goes bit by bit.

use super::*;

fn naive(bytes: &[u8], bit: u64) -> bool {
    bytes.get((bit / 8) as usize).is_some_and(|byte| byte >> (7 - bit % 8) & 1 == 1)
}

#[test]
fn single_bits() {
    let mut bytes = vec![0; 3];
    for bit in [0, 7, 8, 9, 23] {
        assert!(!is_set(&bytes, bit));
        assign(&mut bytes, bit, true);
        assert!(is_set(&bytes, bit));
    }
    assert_eq!(bytes, [0x81, 0xc0, 0x01]);
    assign(&mut bytes, 7, false);
    assert_eq!(bytes, [0x80, 0xc0, 0x01]);
    assert!(!is_set(&bytes, 24));
    assert!(!is_set(&bytes, u64::MAX));
}

#[test]
fn counting_and_finding_as_bit_by_bit() {
    bolero::check!().with_type::<(Vec<u8>, u8, u16, u16)>().for_each(|(seed, fill, first, last)| {
        // Long runs, so that blocks are skipped, and enough bytes for whole blocks.
        let mut bytes = vec![if fill & 1 == 0 { 0 } else { 0xff }; usize::from(*fill) * 9];
        bytes.extend_from_slice(seed);
        if fill & 2 == 0 {
            bytes.extend(std::iter::repeat_n(*fill, 600));
        }
        let len = bytes.len() as u64 * 8;
        assert_eq!(count_ones(&bytes), (0..len).filter(|&bit| naive(&bytes, bit)).count() as u64);
        if len == 0 {
            return;
        }
        let (first, last) = (u64::from(*first) % len, u64::from(*last) % len);
        let (first, last) = (first.min(last), first.max(last));
        let ones = (first..=last).filter(|&bit| naive(&bytes, bit)).count() as u64;
        assert_eq!(count_between(&bytes, first, last), ones, "{first}..={last}");
        for is_one in [false, true] {
            let found = (first..=last).find(|&bit| naive(&bytes, bit) == is_one);
            assert_eq!(find_between(&bytes, is_one, first, last), found, "{is_one} {first}..={last}");
        }
    });
}

#[test]
fn many_bytes_are_counted_right() {
    for len in [0, 1, 7, 8, 511, 512, 513, 1024, 5000] {
        let bytes: Vec<u8> = (0..len).map(|at| (at * 7 + at / 3) as u8).collect();
        let expected: u64 = bytes.iter().map(|byte| u64::from(byte.count_ones())).sum();
        assert_eq!(count_ones(&bytes), expected, "{len} bytes");
        assert_eq!(count_ones(&vec![0xff; len]), len as u64 * 8);
    }
}

#[test]
fn names_of_types() {
    let of = FieldType::of_name;
    assert_eq!(of(b"u8"), Some(FieldType { signed: false, width: 8 }));
    assert_eq!(of(b"i64"), Some(FieldType { signed: true, width: 64 }));
    for name in
        [&b""[..], b"u", b"u0", b"u64", b"i0", b"i65", b"i-1", b"I8", b"x8", b"u08", b"u8 ", b"u9999999999999999999"]
    {
        assert_eq!(of(name), None, "{name:?}");
    }
}

#[test]
fn integers_at_any_place() {
    bolero::check!().with_type::<(Vec<u8>, u8, u8, bool, i64)>().for_each(|(bytes, bit, width, signed, number)| {
        let width = u32::from(*width) % if *signed { 64 } else { 63 } + 1;
        let (field, bit) = (FieldType { signed: *signed, width }, u64::from(*bit));
        let mut expected = 0_i128;
        for at in bit..bit + u64::from(width) {
            expected = expected * 2 + i128::from(naive(bytes, at));
        }
        if *signed && expected >= 1 << (width - 1) {
            expected -= 1 << width;
        }
        assert_eq!(i128::from(field.read(bytes, bit)), expected);
        let mut changed = bytes.clone();
        changed.resize(((bit + u64::from(width)).div_ceil(8) as usize).max(bytes.len()), 0);
        let before = changed.clone();
        field.write(&mut changed, bit, *number);
        for at in 0..changed.len() as u64 * 8 {
            let inside = at.wrapping_sub(bit);
            let expected = if at >= bit && inside < u64::from(width) {
                number >> (u64::from(width) - 1 - inside) & 1 == 1
            } else {
                naive(&before, at)
            };
            assert_eq!(naive(&changed, at), expected, "bit {at}");
        }
        assert_eq!(Some(field.read(&changed, bit)), field.fit(i128::from(*number), Overflow::Wrap));
    });
}

#[test]
fn what_does_not_fit() {
    use Overflow::{Fail, Saturate, Wrap};
    let (i8_, u8_) = (FieldType { signed: true, width: 8 }, FieldType { signed: false, width: 8 });
    let (i64_, u63) = (FieldType { signed: true, width: 64 }, FieldType { signed: false, width: 63 });
    let table: &[(FieldType, i128, Overflow, Option<i64>)] = &[
        (i8_, 127, Fail, Some(127)),
        (i8_, 128, Fail, None),
        (i8_, 128, Wrap, Some(-128)),
        (i8_, 128, Saturate, Some(127)),
        (i8_, -129, Wrap, Some(127)),
        (i8_, -129, Saturate, Some(-128)),
        (u8_, 255, Fail, Some(255)),
        (u8_, 256, Wrap, Some(0)),
        (u8_, 256, Saturate, Some(255)),
        (u8_, -1, Wrap, Some(255)),
        (u8_, -1, Saturate, Some(0)),
        (u8_, -1, Fail, None),
        (i64_, i64::MAX as i128 + 1, Wrap, Some(i64::MIN)),
        (i64_, i64::MAX as i128 + 1, Saturate, Some(i64::MAX)),
        (i64_, i64::MIN as i128 * 2, Wrap, Some(0)),
        (u63, i64::MAX as i128, Fail, Some(i64::MAX)),
        (u63, i64::MAX as i128 + 1, Wrap, Some(0)),
        (u63, i64::MAX as i128 + 1, Saturate, Some(i64::MAX)),
    ];
    for (field, number, overflow, kept) in table {
        assert_eq!(field.fit(*number, *overflow), *kept, "{field:?} {number} {overflow:?}");
    }
}

#[test]
fn what_does_not_fit_when_it_is_given() {
    use Overflow::{Saturate, Wrap};
    let (i8_, u8_) = (FieldType { signed: true, width: 8 }, FieldType { signed: false, width: 8 });
    let i64_ = FieldType { signed: true, width: 64 };
    let table: &[(FieldType, i64, Overflow, i64)] = &[
        (u8_, -1, Saturate, 255),
        (u8_, -1, Wrap, 255),
        (i8_, -129, Saturate, -128),
        (i8_, i64::MIN + 128, Saturate, -128),
        (i8_, i64::MIN + 127, Saturate, 127),
        (i8_, i64::MIN, Saturate, 127),
        (i8_, i64::MIN, Wrap, 0),
        (i64_, i64::MIN, Saturate, i64::MIN),
    ];
    for (field, number, overflow, kept) in table {
        assert_eq!(field.fit_given(*number, *overflow), Some(*kept), "{field:?} {number} {overflow:?}");
    }
}

/// Parts are combined one after the other: their ends must meet.
#[test]
fn long_strings_are_combined_in_parts() {
    let strings: Vec<Vec<u8>> = [3 * COMBINED_BYTES + 5, 2 * COMBINED_BYTES, COMBINED_BYTES - 1, 7]
        .iter()
        .enumerate()
        .map(|(nth, &len)| (0..len).map(|at| (at * (2 * nth + 3) + at / 7) as u8).collect())
        .collect();
    let sources: Vec<&[u8]> = strings.iter().map(Vec::as_slice).collect();
    for operation in [Operation::And, Operation::Xor, Operation::Diff, Operation::Diff1, Operation::One] {
        let whole = combine(operation, &sources);
        let mut by_parts = Vec::new();
        for at in 0..whole.len() {
            let bytes: Vec<&[u8]> =
                sources.iter().map(|source| &source[at.min(source.len())..(at + 1).min(source.len())]).collect();
            by_parts.extend(combine(operation, &bytes));
        }
        assert!(whole == by_parts, "{operation:?}");
    }
}

#[test]
fn combinations_as_bit_by_bit() {
    use Operation::{And, AndOr, Diff, Diff1, Not, One, Or, Xor};
    bolero::check!().with_type::<Vec<Vec<u8>>>().for_each(|sources| {
        let len = sources.iter().map(Vec::len).max().unwrap_or(0);
        for operation in [And, Or, Xor, Not, Diff, Diff1, AndOr, One] {
            let sources = if operation == Not { &sources[..sources.len().min(1)] } else { &sources[..] };
            let len = if operation == Not { sources.first().map_or(0, Vec::len) } else { len };
            if sources.is_empty() {
                continue;
            }
            let sources: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
            let result = combine(operation, &sources);
            assert_eq!(result.len(), len);
            for bit in 0..len as u64 * 8 {
                let first = naive(&sources[0], bit);
                let others = sources[1..].iter().filter(|source| naive(source, bit)).count();
                let all = others + usize::from(first);
                let expected = match operation {
                    And => all == sources.len(),
                    Or => all > 0,
                    Xor => all % 2 == 1,
                    Not => !first,
                    Diff => first && others == 0,
                    Diff1 => !first && others > 0,
                    AndOr => first && others > 0,
                    One => all == 1,
                };
                assert_eq!(naive(&result, bit), expected, "{operation:?} bit {bit} of {sources:?}");
            }
        }
    });
}
