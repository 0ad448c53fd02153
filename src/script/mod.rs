//! Layer 3: Lua for EVAL and FUNCTION. An `Engine` is one interpreter with everything that scripts see; it calls out through
//! `Host`, so that it knows no keys, no clients and no clock. `Scripting` is what one core has of it, `shared` what all cores
//! have in common.
//!
//! The interpreter is Luau (crate `mlua`): made for hostile scripts (read-only tables, no loading of bytecode, a memory
//! limit, interrupts). The Lua 5.1.5 that could be had instead has the patterns of CVE-2025-49844, -46817 and -46819.
//!
//! What runs for every script goes through the interpreter's own stack (`machine`, `stack`, `convert`, and `call` in `api`);
//! what runs seldom, such as the libraries and the making of it all, through the crate's values.
//!
//! Where Luau differs from the Lua 5.1 of Redis, and we do not make up for it (`tests/scripts/lua.txt` has the cases, each
//! with Redis' reply and ours):
//! * `..` and `table.concat` turn numbers into text with up to 17 digits, Lua 5.1 with 14 (`tostring` and `cjson.encode` do
//!   as Lua 5.1).
//! * Errors do not name variables, and syntax errors sometimes not the place ("near"). `text.rs` gives the rest the words of
//!   Lua 5.1.
//! * `continue`, `+=`, `//`, `0b1`, `"\x41"` and type annotations are understood; `0x1p4` is not.
//! * `newproxy`, `setfenv` and `collectgarbage` other than "count" are not there; `getfenv` returns the script's globals.
//!   Functions with `...` get no table `arg`.
//! * The metatable of strings is closed to changes.
//! * A script that stands still for others does so only between instructions of its own main function and what that calls,
//!   not inside a callback of `table.sort`, `string.gsub` or a coroutine.

use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::ArgRange;

mod api;
mod bits;
mod cjson;
mod cmsgpack;
mod convert;
pub mod libraries;
mod machine;
mod native;
mod random;
pub mod engine;
pub mod scripting;
pub mod shared;
pub mod source;
mod stack;
mod structs;
mod text;

pub use source::ScriptFlags;

/// The script ends at once, whatever it would catch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// What a running script is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// Go on.
    Continue,
    /// Stand still, as soon as that is possible.
    Stand,
    /// End: somebody killed it, or its time is over.
    Kill(&'static str),
}

/// The arguments of a command that a script runs.
#[derive(Default, Debug)]
pub struct Arguments {
    /// All bytes, one argument behind the other.
    pub buffer: Vec<u8>,
    /// Where each argument is.
    pub ranges: Vec<ArgRange>,
}

impl Arguments {
    /// Forgets all arguments and keeps the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.ranges.clear();
    }

    /// Adds an argument.
    pub fn push(&mut self, argument: &[u8]) {
        self.ranges.push(ArgRange { start: self.buffer.len() as u32, len: argument.len() as u32 });
        self.buffer.extend_from_slice(argument);
    }
}

/// The level of a line that a script logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// For developers.
    Debug,
    /// Much of it.
    Verbose,
    /// As usual.
    Notice,
    /// Something is wrong.
    Warning,
}

/// What a script can do outside the interpreter.
pub trait Host {
    /// Runs a command and writes its one reply, which may be an error.
    fn call(&mut self, arguments: &Arguments, protocol: Protocol, reply: &mut Reply) -> Result<(), Stop>;

    /// Whether the client may run this command; an error when there is no such command.
    fn may_call(&mut self, arguments: &Arguments) -> Result<bool, Stop>;

    /// Asked every now and then while the script computes.
    fn poll(&mut self) -> Poll;

    /// A line for the log.
    fn log(&mut self, level: LogLevel, line: &[u8]);
}
