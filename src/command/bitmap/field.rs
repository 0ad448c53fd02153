//! BITFIELD and BITFIELD_RO: integers of any width at any place of a string.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::keys::FoundKey;
use crate::command::spec::{self, Command, Flags, KeySpec, Run};
use crate::config::Config;
use crate::keyspace::write::KeyWrite;
use crate::resp::reply::Reply;
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::bits::{FieldType, Overflow};
use crate::value::string_edit;

use super::{BITMAP, bit_offset};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "bitfield",
        arity: -2,
        run: Run::Keyed(bitfield),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[KeySpec {
            notes: "Read only when all its operations are `GET`, which the row's finder of keys tells",
            ..spec::one(&["RW", "access", "update", "variable_flags"])
        }],
        since: "3.2.0",
        summary: "Reads, sets and increments integers of any width at any place of a string value.",
        complexity: "O(1) for each operation",
        syntax: "key [operation(GET get-block{encoding offset:integer} | write{[OVERFLOW overflow-block(WRAP | SAT | FAIL)] \
                 write-operation(SET set-block{encoding offset:integer value:integer} | \
                 INCRBY incrby-block{encoding offset:integer increment:integer})})...]",
        find_keys: Some(keys_of_bitfield),
        ..BITMAP
    },
    Command {
        name: "bitfield_ro",
        arity: -2,
        run: Run::Keyed(bitfield_read_only),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        since: "6.0.0",
        summary: "Reads integers of any width at any place of a string value.",
        complexity: "O(1) for each operation",
        syntax: "key [GET get-block{encoding offset:integer}]...",
        ..BITMAP
    },
];

/// BITFIELD only reads when it consists of GETs; OVERFLOW alone changes nothing.
fn keys_of_bitfield(args: Args<'_>, visit: &mut dyn FnMut(FoundKey)) -> bool {
    let mut at = 2;
    let mut reads = true;
    while at < args.len() && reads {
        let behind = args.len() - at - 1;
        if args.is(at, b"get") && behind >= 2 {
            at += 3;
        } else if args.is(at, b"overflow") && behind >= 1 {
            at += 2;
        } else {
            reads = false;
        }
    }
    let flags: &'static [&'static str] = if reads { &["RO", "access"] } else { &["RW", "access", "update"] };
    visit(FoundKey { argument: 1, flags });
    true
}

/// What one operation does.
#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Increment(i64),
}

/// One operation.
#[derive(Clone, Copy)]
struct Step {
    action: Action,
    field: FieldType,
    bit: u64,
    overflow: Overflow,
}

/// Reads one operation after the other from the arguments.
struct Steps<'a> {
    args: Args<'a>,
    config: &'a Config,
    at: usize,
    overflow: Overflow,
}

impl<'a> Steps<'a> {
    fn new(context: &Context<'a>) -> Steps<'a> {
        Steps { args: context.args, config: context.config, at: 2, overflow: Overflow::Wrap }
    }

    fn step(&mut self) -> Result<Step, CommandError> {
        let (args, at) = (self.args, self.at);
        let behind = args.len() - at - 1;
        let needed = if args.is(at, b"get") {
            2
        } else if args.is(at, b"set") || args.is(at, b"incrby") {
            3
        } else {
            return Err(CommandError::Syntax);
        };
        if behind < needed {
            return Err(CommandError::Syntax);
        }
        // Redis reads the type as a C string.
        let name = args.get(at + 1).split(|&byte| byte == 0).next().unwrap_or_default();
        let field = FieldType::of_name(name).ok_or(CommandError::Text(INVALID_TYPE))?;
        let bit = bit_offset(args, at + 2, self.config, Some(field.width))?;
        let action = match needed {
            2 => Action::Get,
            _ if args.is(at, b"set") => Action::Set(args.integer(at + 3)?),
            _ => Action::Increment(args.integer(at + 3)?),
        };
        self.at += 1 + needed;
        Ok(Step { action, field, bit, overflow: self.overflow })
    }

    /// OVERFLOW, as often as it stands here.
    fn read_overflow(&mut self) -> Result<(), CommandError> {
        while self.at + 1 < self.args.len() && self.args.is(self.at, b"overflow") {
            self.overflow = match () {
                () if self.args.is(self.at + 1, b"wrap") => Overflow::Wrap,
                () if self.args.is(self.at + 1, b"sat") => Overflow::Saturate,
                () if self.args.is(self.at + 1, b"fail") => Overflow::Fail,
                () => return Err(CommandError::Text("ERR Invalid OVERFLOW type specified")),
            };
            self.at += 2;
        }
        Ok(())
    }
}

const INVALID_TYPE: &str =
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";

impl Iterator for Steps<'_> {
    type Item = Result<Step, CommandError>;

    fn next(&mut self) -> Option<Result<Step, CommandError>> {
        if let Err(error) = self.read_overflow() {
            return Some(Err(error));
        }
        (self.at < self.args.len()).then(|| self.step())
    }
}

/// What all operations together need.
struct Plan {
    count: usize,
    /// Bytes the string must have for what is written; none when nothing is.
    reach_bytes: Option<usize>,
}

/// Checks all operations.
fn plan(steps: Steps<'_>) -> Result<Plan, CommandError> {
    let mut plan = Plan { count: 0, reach_bytes: None };
    for step in steps {
        let step = step?;
        plan.count += 1;
        if !matches!(step.action, Action::Get) {
            let reach_bytes = ((step.bit + u64::from(step.field.width) - 1) / 8) as usize + 1;
            plan.reach_bytes = plan.reach_bytes.max(Some(reach_bytes));
        }
    }
    Ok(plan)
}

fn bitfield(context: &mut Context<'_>) -> Result<(), CommandError> {
    let plan = plan(Steps::new(context))?;
    let Some(reach_bytes) = plan.reach_bytes else { return read_all(context, plan.count) };
    let steps = Steps::new(context);
    let (mut key, reply) = context.open(1);
    if key.raw_string().is_none() {
        return Err(CommandError::WrongType);
    }
    reply.array(plan.count);
    write_all(steps, &mut key, reply, reach_bytes)
}

fn bitfield_read_only(context: &mut Context<'_>) -> Result<(), CommandError> {
    let plan = plan(Steps::new(context))?;
    if plan.reach_bytes.is_some() {
        return Err(CommandError::Text("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    read_all(context, plan.count)
}

/// Nothing but GET.
fn read_all(context: &mut Context<'_>, count: usize) -> Result<(), CommandError> {
    let steps = Steps::new(context);
    let (value, reply) = context.read_string(1);
    let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
    let bytes = match &value {
        None => &[],
        Some(value) => value.bytes(&mut scratch).ok_or(CommandError::WrongType)?,
    };
    reply.array(count);
    for step in steps {
        let step = step?;
        reply.integer(step.field.read(bytes, step.bit));
    }
    Ok(())
}

/// Does all operations; the string is first made as long as they need. As in Redis that happens even when OVERFLOW FAIL
/// then keeps all of them from writing (and counts as a change here, so that it is not lost to those who follow the changes).
fn write_all(
    steps: Steps<'_>,
    key: &mut KeyWrite<'_>,
    reply: &mut Reply,
    reach_bytes: usize,
) -> Result<(), CommandError> {
    let bytes = key.raw_string().ok_or(CommandError::WrongType)?;
    let grows = reach_bytes > bytes.len();
    string_edit::grow_zeroed(bytes, reach_bytes);
    let mut changes = 0;
    for step in steps {
        let Step { action, field, bit, overflow } = step?;
        let old = field.read(bytes, bit);
        let (kept, returns_old) = match action {
            Action::Get => (Some(old), true),
            Action::Set(number) => (field.fit_given(number, overflow), true),
            Action::Increment(number) => (field.fit(i128::from(old) + i128::from(number), overflow), false),
        };
        let Some(new) = kept else {
            reply.null();
            continue;
        };
        reply.integer(if returns_old { old } else { new });
        if !matches!(action, Action::Get) {
            field.write(bytes, bit, new);
            changes += usize::from(grows || new != old);
        }
    }
    key.changed(changes.max(usize::from(grows)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    const OUT_OF_RANGE: &str = "-ERR bit offset is not an integer or out of range\r\n";
    const SYNTAX: &str = "-ERR syntax error\r\n";

    #[test]
    fn operations_in_order() {
        check(&[
            ("BITFIELD k", "*0\r\n"),
            ("EXISTS k", ":0\r\n"),
            ("BITFIELD k GET u8 0", "*1\r\n:0\r\n"),
            ("EXISTS k", ":0\r\n"),
            ("BITFIELD k SET u8 0 255 GET u4 4 INCRBY u8 #0 2", "*3\r\n:0\r\n:15\r\n:1\r\n"),
            ("BITFIELD k SET i5 7 -3 GET i5 7 GET u5 7", "*3\r\n:-16\r\n:-3\r\n:29\r\n"),
            ("STRLEN k", ":2\r\n"),
            (
                "BITFIELD s OVERFLOW SAT INCRBY i8 0 100 INCRBY i8 0 100 OVERFLOW FAIL INCRBY i8 0 1",
                "*3\r\n:100\r\n:127\r\n$-1\r\n",
            ),
            ("BITFIELD s OVERFLOW WRAP OVERFLOW SAT SET u8 0 -1", "*1\r\n:127\r\n"),
            ("BITFIELD_RO s GET u8 0 GET i64 0", "*2\r\n:255\r\n:-72057594037927936\r\n"),
            ("BITFIELD_RO s", "*0\r\n"),
            ("SET n 1", "+OK\r\n"),
            ("BITFIELD_RO n GET u8 0 GET u8 8", "*2\r\n:49\r\n:0\r\n"),
            ("BITFIELD n INCRBY u8 0 1", "*1\r\n:50\r\n"),
            ("GET n", "$1\r\n2\r\n"),
            ("BITFIELD n GET i64 #67108863", "*1\r\n:0\r\n"),
        ]);
    }

    #[test]
    fn refusals() {
        const TYPE: &str =
            "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.\r\n";
        check(&[
            ("BITFIELD k GET", SYNTAX),
            ("BITFIELD k GET u8", SYNTAX),
            ("BITFIELD k SET u8 0", SYNTAX),
            ("BITFIELD k OVERFLOW", SYNTAX),
            ("BITFIELD k FOO u8 0 1", SYNTAX),
            ("BITFIELD k OVERFLOW NO", "-ERR Invalid OVERFLOW type specified\r\n"),
            ("BITFIELD k SET u64 0 1", TYPE),
            ("BITFIELD k SET U8 0 1", TYPE),
            ("BITFIELD k SET u8 -1 1", OUT_OF_RANGE),
            ("BITFIELD k SET u8 4294967296 1", OUT_OF_RANGE),
            ("BITFIELD k SET u8 #536870912 1", OUT_OF_RANGE),
            ("BITFIELD k SET u8 #9223372036854775807 1", OUT_OF_RANGE),
            ("BITFIELD k SET u8 # 1", OUT_OF_RANGE),
            ("BITFIELD k SET u8 0 x", "-ERR value is not an integer or out of range\r\n"),
            ("BITFIELD k SET u8 0 1 FOO", SYNTAX),
            ("EXISTS k", ":0\r\n"),
            ("BITFIELD_RO k SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand\r\n"),
            ("BITFIELD_RO k SET u8 0 1 FOO", SYNTAX),
            ("BITFIELD k OVERFLOW FAIL SET u8 0 256", "*1\r\n$-1\r\n"),
            ("GET k", "$1\r\n\0\r\n"),
        ]);
    }

    #[test]
    fn only_real_changes_count() {
        let mut harness = Harness::new(1);
        for (line, changes) in [
            ("BITFIELD k SET u8 0 5 SET u8 8 0", 2),
            ("BITFIELD k SET u8 0 5 GET u8 0 INCRBY u8 0 0", 2),
            ("BITFIELD k OVERFLOW FAIL INCRBY u8 0 1000", 2),
            ("BITFIELD k OVERFLOW FAIL SET u8 16 1000", 3),
            ("BITFIELD k SET u8 0 6 INCRBY u8 0 1", 5),
        ] {
            harness.run(line);
            assert_eq!(harness.counters().changes, changes, "{line}");
        }
    }
}
