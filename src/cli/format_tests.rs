//! The text of replies of every type in every format.

use super::*;

fn bulk(text: &str) -> Value {
    Value::Bulk(text.as_bytes().to_vec())
}

fn written(value: &Value, format: Format) -> String {
    String::from_utf8(reply(value, format, false, &Delimiters::default())).expect("the texts are UTF-8")
}

#[test]
fn scalars_in_every_format() {
    let table: &[(Value, &str, &str, &str, &str)] = &[
        (Value::Simple(b"OK".to_vec()), "OK\n", "OK\n", "\"OK\"\n", "\"OK\"\n"),
        (Value::Error(b"ERR a".to_vec()), "(error) ERR a\n", "ERR a\n\n", "ERROR,\"ERR a\"\n", "error:\"ERR a\"\n"),
        (Value::Integer(-1), "(integer) -1\n", "-1\n", "-1\n", "-1\n"),
        (bulk("a\"\n"), "\"a\\\"\\n\"\n", "a\"\n\n", "\"a\\\"\\n\"\n", "\"a\\\"\\n\"\n"),
        (Value::Null, "(nil)\n", "\n", "NULL\n", "null\n"),
        (Value::NullArray, "(nil)\n", "\n", "NULL\n", "null\n"),
        (Value::Double(1.5), "(double) 1.5\n", "1.5\n", "1.5\n", "1.5\n"),
        (Value::Boolean(true), "(true)\n", "(true)\n", "true\n", "true\n"),
        (Value::Boolean(false), "(false)\n", "(false)\n", "false\n", "false\n"),
        (Value::Verbatim(*b"txt", b"a b".to_vec()), "a b\n", "a b\n", "\"a b\"\n", "\"a b\"\n"),
        (Value::BigNumber(b"123".to_vec()), "(big number) 123\n", "123\n", "123\n", "123\n"),
    ];
    for (value, standard, raw, csv, json) in table {
        assert_eq!(written(value, Format::Standard), *standard);
        assert_eq!(written(value, Format::Raw), *raw);
        assert_eq!(written(value, Format::Csv), *csv);
        assert_eq!(written(value, Format::Json), *json);
    }
}

#[test]
fn aggregates_for_people() {
    use Value::{Array, Integer, Map, Push, Set};
    for (value, expected) in [
        (Array(vec![]), "(empty array)\n"),
        (Map(vec![]), "(empty hash)\n"),
        (Set(vec![]), "(empty set)\n"),
        (Push(vec![]), "(empty push)\n"),
        (Array(vec![bulk("a"), Integer(2)]), "1) \"a\"\n2) (integer) 2\n"),
        (Set(vec![bulk("a"), bulk("b")]), "1~ \"a\"\n2~ \"b\"\n"),
        (
            Map(vec![(bulk("a"), Integer(1)), (bulk("b"), Integer(2))]),
            "1# \"a\" => (integer) 1\n2# \"b\" => (integer) 2\n",
        ),
        (
            Array(vec![Array(vec![bulk("a"), Array(vec![bulk("b"), bulk("c")])]), bulk("d")]),
            "1) 1) \"a\"\n   2) 1) \"b\"\n      2) \"c\"\n2) \"d\"\n",
        ),
        (
            Map(vec![(bulk("k"), Array(vec![bulk("x"), bulk("y")])), (bulk("l"), Array(vec![bulk("z")]))]),
            "1# \"k\" => \n   1) \"x\"\n   2) \"y\"\n2# \"l\" => 1) \"z\"\n",
        ),
    ] {
        assert_eq!(written(&value, Format::Standard), expected);
    }
    let ten = Array((0..10).map(Integer).collect());
    assert!(written(&ten, Format::Standard).starts_with(" 1) (integer) 0\n 2) "));
    assert!(written(&ten, Format::Standard).ends_with("\n10) (integer) 9\n"));
}

#[test]
fn aggregates_for_programs() {
    let value = Value::Array(vec![
        bulk("a"),
        Value::Map(vec![(Value::Integer(1), Value::Set(vec![bulk("b")])), (bulk("c"), Value::Null)]),
    ]);
    assert_eq!(written(&value, Format::Raw), "a\n1 b\nc \n");
    assert_eq!(written(&value, Format::Csv), "\"a\",1,\"b\",\"c\",NULL\n");
    assert_eq!(written(&value, Format::Json), "[\"a\",{\"1\":[\"b\"],\"c\":null}]\n");
    let delimiters = Delimiters { element: b"|".to_vec(), reply: Vec::new() };
    assert_eq!(reply(&Value::Array(vec![bulk("a"), bulk("b")]), Format::Raw, false, &delimiters), b"a|b");
}

#[test]
fn json_in_utf8_and_in_ascii() {
    let value = Value::Bulk("é\u{1}\\".as_bytes().to_vec());
    assert_eq!(written(&value, Format::Json), "\"é\\u0001\\\\\"\n");
    assert_eq!(written(&value, Format::QuotedJson), "\"\\\\xc3\\\\xa9\\\\x01\\\\\\\\\"\n");
}

#[test]
fn text_for_people_is_not_quoted() {
    let info = bulk("# Server\r\nversion:1\r\n");
    assert_eq!(reply(&info, Format::Standard, true, &Delimiters::default()), b"# Server\r\nversion:1\r\n");
    assert_eq!(reply(&bulk("no end"), Format::Standard, true, &Delimiters::default()), b"no end\n");
}

#[test]
fn invalidations_are_told_in_a_line() {
    let keys = Value::Array(vec![bulk("a"), bulk("b")]);
    assert_eq!(invalidation(&[bulk("invalidate"), keys.clone()]), Some(b"-> invalidate: 'a', 'b'\n".to_vec()));
    assert_eq!(invalidation(&[bulk("message"), keys]), None);
}
