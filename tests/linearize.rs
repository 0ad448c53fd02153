//! The checker checked: it accepts what one thing doing one command at a time could have answered, and nothing else.

mod support;

use support::history::{Call, History};
use support::linearize::Verdict;
use support::model::{Op, shares_a_key};
use support::value::Value;

fn ok() -> Value {
    Value::Status(b"OK".to_vec())
}

fn int(number: i64) -> Value {
    Value::Integer(number)
}

fn text(value: &str) -> Value {
    match value {
        "" => Value::Nil { resp3: false },
        text => Value::Bulk(text.as_bytes().to_vec()),
    }
}

fn texts(values: &[&str]) -> Value {
    Value::Array(values.iter().map(|value| text(value)).collect())
}

/// Client, time of the call, time of the reply (0: none came), command, reply.
type Line = (usize, u64, u64, Op, Value);

fn verdict(lines: &[Line]) -> Verdict {
    let call = |(client, called, returned, op, reply): &Line| Call {
        client: *client,
        database: 0,
        op: op.clone(),
        called: *called,
        returned: (*returned > 0).then(|| (*returned, reply.clone())),
    };
    History { calls: lines.iter().map(call).collect() }.check(shares_a_key)
}

fn legal(name: &str, lines: &[Line]) {
    assert_eq!(verdict(lines), Verdict::Legal, "{name}");
}

fn illegal(name: &str, lines: &[Line]) {
    assert!(matches!(verdict(lines), Verdict::Illegal(_)), "{name}");
}

#[test]
fn accepts_what_some_order_explains() {
    legal("nothing", &[]);
    legal("one after the other", &[(0, 1, 2, Op::Set(0, 5), ok()), (1, 3, 4, Op::Get(0), text("5"))]);
    for seen in ["", "5"] {
        legal("at the same time", &[(0, 1, 4, Op::Set(0, 5), ok()), (1, 2, 3, Op::Get(0), text(seen))]);
        legal("without a reply", &[(0, 1, 0, Op::Set(0, 5), ok()), (1, 2, 3, Op::Get(0), text(seen))]);
    }
    legal(
        "the later call first",
        &[
            (0, 1, 9, Op::Set(0, 5), ok()),
            (1, 2, 8, Op::Set(0, 6), ok()),
            (2, 3, 4, Op::Get(0), text("6")),
            (2, 5, 6, Op::Get(0), text("5")),
        ],
    );
    legal(
        "a pipeline's commands on different keys",
        &[(0, 1, 8, Op::Set(0, 5), ok()), (0, 2, 9, Op::Set(1, 6), ok()), (1, 3, 4, Op::Mget(vec![0, 1]), texts(&["", "6"]))],
    );
    legal(
        "an empty database emptied again, at the time when it matters",
        &[(0, 1, 9, Op::Flushall, ok()), (1, 2, 3, Op::Set(0, 5), ok()), (1, 4, 5, Op::Get(0), text(""))],
    );
}

#[test]
fn refuses_what_no_order_explains() {
    illegal("a value from nowhere", &[(0, 1, 2, Op::Get(0), text("5"))]);
    illegal("a stale read", &[(0, 1, 2, Op::Set(0, 5), ok()), (1, 3, 4, Op::Get(0), text(""))]);
    illegal(
        "a value that comes and goes",
        &[
            (0, 1, 9, Op::Set(0, 5), ok()),
            (1, 2, 3, Op::Get(0), text("5")),
            (2, 4, 5, Op::Get(0), text("")),
        ],
    );
    illegal(
        "a torn MSET",
        &[
            (0, 1, 9, Op::Mset(vec![(0, 5), (1, 6)]), ok()),
            (1, 2, 3, Op::Get(0), text("5")),
            (1, 4, 5, Op::Get(1), text("")),
        ],
    );
    illegal(
        "a torn MGET",
        &[
            (0, 1, 9, Op::Mget(vec![0, 1]), texts(&["", "6"])),
            (1, 2, 3, Op::Set(0, 5), ok()),
            (1, 4, 5, Op::Set(1, 6), ok()),
        ],
    );
    illegal("a lost update", &[(0, 1, 9, Op::Incr(0), int(1)), (1, 2, 8, Op::Incr(0), int(1))]);
    illegal("two renames of one key", &[
        (0, 1, 2, Op::Set(0, 5), ok()),
        (0, 3, 9, Op::Rename(0, 1), ok()),
        (1, 4, 8, Op::Rename(0, 1), ok()),
    ]);
    illegal(
        "a pipeline's commands on one key turned round",
        &[(0, 1, 8, Op::Set(0, 5), ok()), (0, 2, 9, Op::Set(0, 6), ok()), (1, 10, 11, Op::Get(0), text("5"))],
    );
    illegal(
        "a half of a command without a reply",
        &[(0, 1, 0, Op::Mset(vec![(0, 5), (1, 6)]), ok()), (1, 2, 3, Op::Mget(vec![0, 1]), texts(&["5", ""]))],
    );
    illegal(
        "two readers that disagree on the order of two writes",
        &[
            (0, 1, 20, Op::Set(0, 5), ok()),
            (1, 2, 21, Op::Set(1, 6), ok()),
            (2, 3, 4, Op::Mget(vec![0, 1]), texts(&["5", ""])),
            (3, 5, 6, Op::Mget(vec![0, 1]), texts(&["", "6"])),
        ],
    );
}
