//! Sums of long doubles. The table was had from INCRBYFLOAT of redis-server 7.0.15 on x86-64 (SET, INCRBYFLOAT).

use super::long_double::LongDouble;

const NOT_A_FLOAT: &str = "value is not a valid float";
const NOT_FINITE: &str = "increment would produce NaN or Infinity";

/// Value, increment, and what the command answers.
const SUMS: &[(&str, &str, Result<&str, &str>)] = &[
    ("0", "1", Ok("1")),
    ("0", "0", Ok("0")),
    ("10.50", "0.1", Ok("10.6")),
    ("5.0e3", "2.0e2", Ok("5200")),
    ("3.0e3", "0", Ok("3000")),
    ("0.1", "0.2", Ok("0.3")),
    ("-0.1", "0.1", Ok("0")),
    ("-0", "0", Ok("0")),
    ("-0", "-0", Ok("0")),
    ("1", "-1.0000000000000000001", Ok("0")),
    ("0", "-1e-20", Ok("0")),
    ("0", "0.000000000000000005", Ok("0")),
    ("0", "0.0000000000000000049999999999999999999999", Ok("0")),
    ("0", "0x1p-18", Ok("0.00000381469726562")),
    ("0", "0x3p-18", Ok("0.00001144409179688")),
    ("0", "0x1p-17", Ok("0.00000762939453125")),
    ("0", "5e-18", Ok("0")),
    ("0", "15e-18", Ok("0.00000000000000002")),
    ("0", "0.1234567890123456789", Ok("0.12345678901234568")),
    ("12345.67", "0", Ok("12345.66999999999999993")),
    (
        "1234567890.123456789",
        "0.00000000000000001",
        Ok("1234567890.12345678894780576"),
    ),
    (
        "3.14159265358979323846264338327950288",
        "0",
        Ok("3.14159265358979324"),
    ),
    ("17179869184", "1.5", Ok("17179869185.5")),
    ("17179869185", "1.5", Ok("17179869186.5")),
    ("9223372036854775807", "1", Ok("9223372036854775808")),
    ("9223372036854775807", "-0.5", Ok("9223372036854775806.5")),
    ("-9223372036854775808", "-1", Ok("-9223372036854775809")),
    ("18446744073709551615", "1", Ok("18446744073709551616")),
    ("18446744073709551616", "1", Ok("18446744073709551616")),
    ("18446744073709551617", "0", Ok("18446744073709551616")),
    ("18446744073709551619", "0", Ok("18446744073709551620")),
    (
        "36893488147419103233",
        "1e-4900",
        Ok("36893488147419103232"),
    ),
    (
        "36893488147419103230",
        "0x1.8p1",
        Ok("36893488147419103232"),
    ),
    (
        "100000000000000000000000000000000000000",
        "1",
        Ok("99999999999999999999312600448599326720"),
    ),
    (
        "1e38",
        "1e37",
        Ok("109999999999999999999243860493459259392"),
    ),
    (
        "123456789012345678901234567890",
        "-123456789012345678901234567889",
        Ok("0"),
    ),
    ("1e4900", "-1e4900", Ok("0")),
    ("1e-4900", "1e-4900", Ok("0")),
    ("1e-4900", "1", Ok("1")),
    ("-1e-4950", "0", Ok("0")),
    ("0x10", "0xA.8p1", Ok("37")),
    ("-0x1.8p-1", ".5", Ok("-0.25")),
    ("+5.", "+.5", Ok("5.5")),
    ("1e2", "1E-2", Ok("100.01")),
    ("0.99999999999999999", "0", Ok("0.99999999999999999")),
    ("0.999999999999999999", "0", Ok("1")),
    ("0.9999999999999999999", "0", Ok("1")),
    ("99999999999999999.99", "0.01", Ok("100000000000000000")),
    ("inf", "1", Err(NOT_FINITE)),
    ("1", "-inf", Err(NOT_FINITE)),
    ("inf", "-inf", Err(NOT_FINITE)),
    (
        "1.18973149535723176502e4932",
        "1.18973149535723176502e4932",
        Err(NOT_FINITE),
    ),
    ("1.18973149535723176509e4932", "0", Err(NOT_A_FLOAT)),
    ("1e4933", "0", Err(NOT_A_FLOAT)),
    ("1e-4951", "0", Err(NOT_A_FLOAT)),
    ("1e-5000", "0", Err(NOT_A_FLOAT)),
    ("0e99999999999", "1", Ok("1")),
    ("nan", "1", Err(NOT_A_FLOAT)),
    ("", "1", Err(NOT_A_FLOAT)),
    ("1", " 1", Err(NOT_A_FLOAT)),
    ("1 ", "1", Err(NOT_A_FLOAT)),
    ("1e", "1", Err(NOT_A_FLOAT)),
    ("0x", "1", Err(NOT_A_FLOAT)),
    ("0x1p", "1", Err(NOT_A_FLOAT)),
    ("1.2.3", "0", Err(NOT_A_FLOAT)),
    ("1,5", "0", Err(NOT_A_FLOAT)),
    ("abc", "1", Err(NOT_A_FLOAT)),
];

/// What INCRBYFLOAT does with a value and an increment.
fn increment(value: &str, increment: &str) -> Result<String, &'static str> {
    let value = LongDouble::parse(value.as_bytes()).ok_or(NOT_A_FLOAT)?;
    let sum = value.add(LongDouble::parse(increment.as_bytes()).ok_or(NOT_A_FLOAT)?);
    if sum.is_nan() || sum.is_infinite() {
        return Err(NOT_FINITE);
    }
    Ok(human(sum))
}

fn human(number: LongDouble) -> String {
    let mut text = Vec::new();
    number.write_human(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn sums_are_those_of_redis() {
    for &(value, by, expected) in SUMS {
        assert_eq!(
            increment(value, by).as_deref().map_err(|error| *error),
            expected,
            "{value} + {by}"
        );
    }
}

#[test]
fn large_numbers_are_written_to_the_last_digit() {
    // Bytes, first and last digits, and sum of the digits of what Redis answers.
    let table = [
        (
            "1e4900",
            4901,
            "10000000000000000000270831223069",
            "952246225341116846746313424896",
            22005,
        ),
        (
            "1.18973149535723176502e4932",
            4933,
            "118973149535723176502126385303",
            "444156604419552086811989770240",
            22047,
        ),
        (
            "12345678901234567e300",
            317,
            "12345678901234567000444207717514",
            "379646989926021594853807226880",
            1451,
        ),
    ];
    for (value, bytes, first, last, digits_sum) in table {
        let text = increment(value, "1").unwrap();
        assert_eq!(text.len(), bytes, "{value}");
        assert!(text.starts_with(first) && text.ends_with(last), "{value}");
        assert_eq!(
            text.bytes()
                .map(|digit| u32::from(digit - b'0'))
                .sum::<u32>(),
            digits_sum,
            "{value}"
        );
    }
}

#[test]
fn text_may_have_5119_bytes() {
    let long = format!("1.{}", "0".repeat(5116) + "1");
    assert_eq!(long.len(), 5119);
    assert_eq!(increment(&long, "0").as_deref(), Ok("1"));
    assert_eq!(increment(&(long + "0"), "0"), Err(NOT_A_FLOAT));
}

#[test]
fn one_digit_far_behind_a_tie_decides() {
    // 2^64 + 1 is halfway between two neighbours; even wins unless something follows, however late.
    let tie = "18446744073709551617";
    assert_eq!(increment(tie, "0").as_deref(), Ok("18446744073709551616"));
    let above = format!("{tie}.{}1", "0".repeat(5000));
    assert_eq!(
        increment(&above, "0").as_deref(),
        Ok("18446744073709551618")
    );
    assert_eq!(
        increment(
            "0x1.00000000000000010000000000000000000000000000001p64",
            "0"
        )
        .as_deref(),
        Ok("18446744073709551618")
    );
}

#[test]
fn the_smallest_numbers_are_kept() {
    // 2^-16445 is the smallest; half of it is a tie that becomes zero, which is refused.
    assert!(LongDouble::parse(b"0x1p-16445").is_some());
    assert!(LongDouble::parse(b"0x1p-16446").is_none());
    assert!(LongDouble::parse(b"0x1.8p-16446").is_some());
    let smallest = LongDouble::parse(b"3.6e-4951").unwrap();
    assert_eq!(Some(smallest), LongDouble::parse(b"0x1p-16445"));
    assert_eq!(
        Some(smallest.add(smallest)),
        LongDouble::parse(b"0x1p-16444")
    );
    assert_eq!(
        smallest.add(LongDouble::parse(b"-3.6e-4951").unwrap()),
        LongDouble::ZERO
    );
}

#[test]
fn integers_are_exact() {
    for value in [0, 1, -1, i64::MAX, i64::MIN, 1 << 53, (1 << 62) + 1] {
        assert_eq!(human(LongDouble::from_i64(value)), value.to_string());
        assert_eq!(
            Some(LongDouble::from_i64(value)),
            LongDouble::parse(value.to_string().as_bytes())
        );
    }
    assert!(
        LongDouble::parse(b"-inf")
            .is_some_and(|number| number.is_infinite() && human(number) == "-inf")
    );
}

#[test]
fn any_text_is_read_without_panic_and_reads_back() {
    bolero::check!()
        .with_type::<(Vec<u8>, i16)>()
        .for_each(|(choices, exponent)| {
            let alphabet = b"0123456789012345678900..-+xX1pPeEinfab";
            let mut text: Vec<u8> = choices
                .iter()
                .map(|&choice| alphabet[usize::from(choice) % alphabet.len()])
                .collect();
            for _ in 0..2 {
                let Some(number) = LongDouble::parse(&text) else {
                    break;
                };
                let shown = human(number);
                if let Some(again) = LongDouble::parse(shown.as_bytes()) {
                    // 17 digits after the point do not tell all numbers apart, but showing twice changes nothing.
                    assert_eq!(human(again), shown);
                }
                text.extend_from_slice(format!("e{exponent}").as_bytes());
            }
        });
}
