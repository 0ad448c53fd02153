//! Values between RESP and Lua, by Redis' rules ("Lua API reference": conversions).

use crate::resp::reply::{Protocol, Reply};
use crate::stdx::number;

use super::stack::{Kind, Stack};
use super::text;

/// Nested tables in a script's result. Beyond: an error stands in the reply, as where Lua's stack ends in Redis.
const RESULT_DEPTH_MAX: usize = 1000;

/// Nested aggregates in the reply of a command; no command comes near it.
const REPLY_DEPTH_MAX: usize = 64;

/// Pushes an error table, as `redis.error_reply` makes it and `redis.pcall` returns it. `counted`: the statistics of errors
/// have it already.
pub(super) fn push_error(stack: &mut Stack, text: &[u8], counted: bool) {
    stack.push_table(0, 2);
    stack.push_bytes(text);
    stack.set_field(-2, c"err");
    if counted {
        stack.push_boolean(true);
        stack.set_field(-2, c"ignore_error_stats_update");
    }
}

/// Pushes the value of a command's reply; true: it is an error.
pub(super) fn push_reply(stack: &mut Stack, reply: &[u8]) -> bool {
    if let [b'-', rest @ ..] = reply {
        push_error(stack, rest.strip_suffix(b"\r\n").unwrap_or(rest), true);
        return true;
    }
    ReplyReader { bytes: reply }.push(stack, 0);
    false
}

/// Reads replies that were written here: what it does not understand becomes nil.
struct ReplyReader<'a> {
    bytes: &'a [u8],
}

impl<'a> ReplyReader<'a> {
    /// The bytes up to the next end of a line, which is left out.
    fn line(&mut self) -> &'a [u8] {
        let end = memchr::memchr(b'\r', self.bytes).unwrap_or(self.bytes.len());
        self.block(end)
    }

    /// So many bytes and the end of the line behind them.
    fn block(&mut self, count: usize) -> &'a [u8] {
        let (block, rest) = self.bytes.split_at(count.min(self.bytes.len()));
        self.bytes = rest.get(2..).unwrap_or_default();
        block
    }

    fn push_single(&mut self, stack: &mut Stack, name: &std::ffi::CStr, line: &[u8]) {
        stack.push_table(0, 1);
        stack.push_bytes(line);
        stack.set_field(-2, name);
    }

    fn push(&mut self, stack: &mut Stack, depth: usize) {
        let line = self.line();
        let Some((sign, line)) = line.split_first().filter(|_| depth <= REPLY_DEPTH_MAX) else {
            return stack.push_nil();
        };
        let number = number::parse_i64(line);
        let count = number.and_then(|number| usize::try_from(number).ok());
        match (sign, count) {
            (b':', _) => stack.push_number(number.unwrap_or(0) as f64),
            (b'$', Some(count)) => stack.push_bytes(self.block(count)),
            (b'*', Some(count)) => self.push_array(stack, count, depth),
            (b'$' | b'*', None) => stack.push_boolean(false),
            (b'+', _) => self.push_single(stack, c"ok", line),
            (b'-', _) => push_error(stack, line, false),
            (b'#', _) => stack.push_boolean(line == b"t"),
            (b',', _) => {
                stack.push_table(0, 1);
                stack.push_number(number::parse_double_leniently(line).unwrap_or(f64::NAN));
                stack.set_field(-2, c"double");
            }
            (b'(', _) => self.push_single(stack, c"big_number", line),
            (b'=', Some(count)) => self.push_verbatim(stack, count),
            (b'%', Some(count)) => self.push_pairs(stack, c"map", count, depth),
            (b'~', Some(count)) => self.push_pairs(stack, c"set", count, depth),
            (b'|', Some(count)) => {
                // Attributes are of no interest; the value is behind them.
                let top = stack.top();
                for _ in 0..2 * count {
                    self.push(stack, depth + 1);
                    stack.shorten(top);
                }
                self.push(stack, depth);
            }
            _ => stack.push_nil(),
        }
    }

    fn push_array(&mut self, stack: &mut Stack, count: usize, depth: usize) {
        stack.push_table(count.min(self.bytes.len()), 0);
        for index in 1..=count {
            self.push(stack, depth + 1);
            stack.set_item(-2, index as i32);
        }
    }

    fn push_verbatim(&mut self, stack: &mut Stack, count: usize) {
        let block = self.block(count);
        let (format, string) = block.split_at(block.len().min(3));
        stack.push_table(0, 1);
        stack.push_table(0, 2);
        stack.push_bytes(format);
        stack.set_field(-2, c"format");
        stack.push_bytes(string.get(1..).unwrap_or_default());
        stack.set_field(-2, c"string");
        stack.set_field(-2, c"verbatim_string");
    }

    /// A table of keys and values, or of members, each of which is true; within a table, as `name`.
    fn push_pairs(&mut self, stack: &mut Stack, name: &std::ffi::CStr, count: usize, depth: usize) {
        stack.push_table(0, 1);
        stack.push_table(0, count.min(self.bytes.len()));
        for _ in 0..count {
            self.push(stack, depth + 1);
            if name == c"map" {
                self.push(stack, depth + 1);
            } else {
                stack.push_boolean(true);
            }
            stack.set_pair(-3);
        }
        stack.set_field(-2, name);
    }
}

/// The error that a script returned, if its first value is one, and whether it was counted already.
pub(super) fn returned_error(stack: &mut Stack) -> Option<(Vec<u8>, bool)> {
    let top = stack.top();
    if top == 0 || stack.push_field(1, c"err") != Kind::String {
        stack.shorten(top);
        return None;
    }
    let line = text::error_line(stack.bytes(-1).unwrap_or_default()).to_vec();
    let counted = stack.push_field(1, c"ignore_error_stats_update") == Kind::Boolean && stack.is_true(-1);
    Some((line, counted))
}

/// Writes the first value on the stack, which a script returned. `protocol` is the script's own (`redis.setresp`): it
/// decides how booleans are meant. Tables are read without metamethods, so nothing of the script runs.
pub(super) fn write_result(stack: &mut Stack, protocol: Protocol, reply: &mut Reply) {
    stack.shorten(1);
    if stack.top() == 0 {
        return reply.null();
    }
    write(stack, protocol, reply, 0);
}

/// Writes the value on the top.
fn write(stack: &mut Stack, protocol: Protocol, reply: &mut Reply, depth: usize) {
    if depth > RESULT_DEPTH_MAX {
        return reply.error("ERR reached lua stack limit");
    }
    let index = stack.top();
    match stack.kind(index) {
        Kind::String => reply.bulk(stack.bytes(index).unwrap_or_default()),
        Kind::Number => match stack.number(index).unwrap_or_default() {
            // As C's conversion does on the machines we run on.
            double if double.is_nan() || double >= 9.3e18 => reply.integer(i64::MIN),
            double => reply.integer(double as i64),
        },
        Kind::Boolean if protocol == Protocol::Resp3 => reply.boolean(stack.is_true(index)),
        Kind::Boolean if stack.is_true(index) => reply.integer(1),
        Kind::Table => {
            if !write_named(stack, index, protocol, reply, depth) {
                stack.shorten(index);
                write_array(stack, index, protocol, reply, depth);
            }
        }
        _ => reply.null(),
    }
    stack.shorten(index);
}

fn write_array(stack: &mut Stack, table: i32, protocol: Protocol, reply: &mut Reply, depth: usize) {
    let array = reply.deferred();
    let mut count = 0;
    while stack.push_item(table, count + 1) != Kind::Nil {
        write(stack, protocol, reply, depth + 1);
        stack.shorten(table);
        count += 1;
    }
    reply.finish_array(array, count as usize);
}

/// A table with one of the special fields stands for something else than an array.
fn write_named(stack: &mut Stack, table: i32, protocol: Protocol, reply: &mut Reply, depth: usize) -> bool {
    if stack.push_field(table, c"err") == Kind::String {
        reply.error(text::error_line(stack.bytes(-1).unwrap_or_default()));
    } else if stack.push_field(table, c"ok") == Kind::String {
        reply.simple(&String::from_utf8_lossy(stack.bytes(-1).unwrap_or_default()));
    } else if stack.push_field(table, c"double") == Kind::Number {
        reply.double(stack.number(-1).unwrap_or_default());
    } else if stack.push_field(table, c"big_number") == Kind::String {
        let digits = String::from_utf8_lossy(stack.bytes(-1).unwrap_or_default());
        reply.big_number(&digits.replace(['\r', '\n'], " "));
    } else if stack.push_field(table, c"verbatim_string") == Kind::Table
        && stack.push_field(table + 5, c"format") == Kind::String
        && stack.push_field(table + 5, c"string") == Kind::String
    {
        let format = String::from_utf8_lossy(stack.bytes(-2).unwrap_or_default());
        reply.verbatim(&format, stack.bytes(-1).unwrap_or_default());
    } else if stack.push_field(table, c"map") == Kind::Table {
        let deferred = reply.deferred();
        let count = write_items(stack, protocol, reply, (depth, true));
        reply.finish_map(deferred, count);
    } else if stack.push_field(table, c"set") == Kind::Table {
        let deferred = reply.deferred();
        let count = write_items(stack, protocol, reply, (depth, false));
        reply.finish_set(deferred, count);
    } else {
        return false;
    }
    true
}

/// Writes the keys of the table on the top, with their values if so asked, and says how many there are.
fn write_items(stack: &mut Stack, protocol: Protocol, reply: &mut Reply, (depth, with_values): (usize, bool)) -> usize {
    let table = stack.top();
    let mut count = 0;
    stack.push_nil();
    while stack.next(table) {
        count += 1;
        stack.push_copy(-2);
        write(stack, protocol, reply, depth + 1);
        stack.shorten(table + 2);
        if with_values {
            write(stack, protocol, reply, depth + 1);
        }
        stack.shorten(table + 1);
    }
    count
}
