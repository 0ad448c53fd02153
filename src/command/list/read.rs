//! Reading lists: LLEN, LINDEX, LRANGE.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::value::list::{End, List};

use super::{LIST, range, reply_item, reply_range};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "llen",
        arity: 2,
        run: Run::Keyed(llen),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_LOOK,
        summary: "Returns the length of a list.",
        syntax: "key",
        ..LIST
    },
    Command {
        name: "lindex",
        arity: 3,
        run: Run::Keyed(lindex),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        summary: "Returns the element of a list at an index.",
        complexity: "O(log N) for a list of N elements",
        syntax: "key index:integer",
        ..LIST
    },
    Command {
        name: "lrange",
        arity: 4,
        run: Run::Keyed(lrange),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        summary: "Returns the elements of a list between two indexes.",
        complexity: "O(log N + M) for a list of N elements, M of them returned",
        syntax: "key start:integer stop:integer",
        ..LIST
    },
];

fn llen(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (list, reply) = context.read_collection::<List>(1)?;
    reply.integer(list.map_or(0, List::len) as i64);
    Ok(())
}

fn lindex(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (list, reply) = context.read_collection::<List>(1)?;
    // Redis looks at the index only when there is a list.
    let Some(list) = list else {
        reply.null();
        return Ok(());
    };
    match list.index(args.integer(2)?).and_then(|index| list.get(index)) {
        Some(item) => reply_item(reply, item),
        None => reply.null(),
    }
    Ok(())
}

fn lrange(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (start, stop) = (context.args.integer(2)?, context.args.integer(3)?);
    let (list, reply) = context.read_collection::<List>(1)?;
    match list {
        None => reply.array(0),
        Some(list) => {
            let range = range(start, stop, list.len());
            reply_range(reply, list, range.start, range.len(), End::Back);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    #[test]
    fn reads() {
        check(&[
            ("LLEN l", ":0\r\n"),
            ("LRANGE l 0 -1", "*0\r\n"),
            ("LINDEX l 0", "$-1\r\n"),
            ("LINDEX l x", "$-1\r\n"),
            ("RPUSH l a 10 \"\" d", ":4\r\n"),
            ("LLEN l", ":4\r\n"),
            ("LINDEX l 0", "$1\r\na\r\n"),
            ("LINDEX l -1", "$1\r\nd\r\n"),
            ("LINDEX l 1", "$2\r\n10\r\n"),
            ("LINDEX l 2", "$0\r\n\r\n"),
            ("LINDEX l 4", "$-1\r\n"),
            ("LINDEX l -5", "$-1\r\n"),
            ("LINDEX l x", "-ERR value is not an integer or out of range\r\n"),
            ("LRANGE l 1 2", "*2\r\n$2\r\n10\r\n$0\r\n\r\n"),
            ("LRANGE l -1 -1", "*1\r\n$1\r\nd\r\n"),
            ("LRANGE l 2 1", "*0\r\n"),
            ("LRANGE l x 1", "-ERR value is not an integer or out of range\r\n"),
            ("LRANGE missing 0 x", "-ERR value is not an integer or out of range\r\n"),
            ("SET s v", "+OK\r\n"),
            ("LLEN s", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("LINDEX s x", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("LRANGE s 0 1", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        ]);
    }

    #[test]
    fn a_long_list_is_read_in_pages() {
        let mut harness = Harness::new(1);
        for page in 0..20 {
            let numbers: Vec<String> = (page * 1000..(page + 1) * 1000).map(|number| number.to_string()).collect();
            harness.run(&["RPUSH l ", &numbers.join(" ")].concat());
        }
        assert_eq!(harness.run("LLEN l"), ":20000\r\n");
        assert_eq!(harness.run("LRANGE l 12345 12346"), "*2\r\n$5\r\n12345\r\n$5\r\n12346\r\n");
        for index in (0..20_000).step_by(777) {
            let (text, back) = (index.to_string(), index - 20_000);
            let expected = format!("${}\r\n{text}\r\n", text.len());
            assert_eq!(harness.run(&format!("LINDEX l {index}")), expected);
            assert_eq!(harness.run(&format!("LINDEX l {back}")), expected);
        }
        let counters = harness.counters();
        assert_eq!((counters.hits, counters.misses), (2 + 2 * 26, 0));
    }
}
