//! The interpreter: compiles, runs, lets scripts stand still and go on. One script runs at a time.
//!
//! `unsafe`: the host is reached through a pointer from functions that the interpreter owns, and so live longer than any
//! host; the pointer is set only while `Engine::step` runs, which borrows the host for that time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::rc::Rc;

use mlua::{ChunkMode, Function, Lua, LuaOptions, StdLib, Table, Value};

use crate::resp::reply::{Protocol, Reply};
use crate::stdx::limits::SCRIPT_MEMORY_BYTES_MAX;

use super::Host;
use super::api::{self, Loading, Shared, Stopped, message_of};
use super::convert;
use super::machine::{Kept, Machine, Outcome, Place};
use super::libraries::Function as FunctionFacts;

/// Functions of Lua that scripts see as they are.
const BUILTINS: [&str; 14] = [
    "assert",
    "error",
    "getmetatable",
    "ipairs",
    "next",
    "pairs",
    "rawequal",
    "rawget",
    "rawset",
    "select",
    "setmetatable",
    "tonumber",
    "type",
    "unpack",
];

/// How a script, or a slice of it, ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its reply is written.
    Done,
    /// The text of an error reply, and whether the error was counted already.
    Failed(Vec<u8>, bool),
    /// The host stopped it.
    Stopped,
    /// It stands still.
    Standing,
}

/// A script that was compiled.
#[derive(Clone, Debug)]
pub struct Script(Rc<Kept>);

/// See the file's head.
pub struct Engine {
    environment: Table,
    /// KEYS and ARGV, used again and again.
    keys: Kept,
    values: Kept,
    /// These are the script's globals now.
    has_arguments: bool,
    /// What libraries see: nothing of its own, but for one table while they are loaded and for another when they run.
    library_environment: Table,
    library_view: Table,
    loading_environment: Table,
    /// Says what an error is that ended a script.
    finish: Function,
    machine: Machine,
    /// The script that stands still: what its errors call it.
    standing: Option<Vec<u8>>,
    lua: Lua,
    /// Dropped last: the interpreter knows its address.
    shared: Rc<Shared>,
}

/// Calls the host of the running script; none when no script runs.
pub(super) fn with_host<T>(shared: &Shared, call: impl FnOnce(&mut dyn Host) -> T) -> Option<T> {
    // Taken out while it is used: a call from within the call finds nothing.
    let mut pointer = shared.host.take()?;
    // SAFETY: `Engine::step` put the pointer there and takes it back before its borrow of the host ends; it was taken out
    // of the cell just now, so this is the only reference made from it.
    let host = unsafe { pointer.as_mut() };
    // A panic must not pass through the interpreter.
    let result = catch_unwind(AssertUnwindSafe(|| call(host)));
    shared.host.set(Some(pointer));
    match result {
        Ok(result) => Some(result),
        Err(panic) => {
            shared.panic.set(Some(panic));
            shared.stopped.set(Some(Stopped::ByHost));
            None
        }
    }
}

/// Compiles text; the error is Lua's message.
pub(super) fn compile(lua: &Lua, code: &[u8], name: &str, environment: &Table) -> Result<Function, String> {
    let chunk = lua.load(code).set_name(name).set_mode(ChunkMode::Text).set_environment(environment.clone());
    chunk.into_function().map_err(|error| super::text::syntax_as_lua51(&message_of(&error)))
}

fn copy_of(lua: &Lua, table: &Table) -> mlua::Result<Table> {
    let copy = lua.create_table()?;
    table.for_each(|key: Value, value: Value| copy.raw_set(key, value))?;
    Ok(copy)
}

/// Closes a table, and those in it, to changes.
fn close(table: &Table) -> mlua::Result<()> {
    if table.is_readonly() {
        return Ok(());
    }
    table.set_readonly(true);
    table.for_each(|_: Value, value: Value| match value {
        Value::Table(inner) => close(&inner),
        _ => Ok(()),
    })?;
    if let Some(metatable) = table.metatable() {
        metatable.set_readonly(true);
    }
    Ok(())
}

impl Engine {
    /// An interpreter. Fails only for want of memory.
    pub fn new() -> Result<Engine, String> {
        Engine::build().map_err(|error| message_of(&error))
    }

    fn build() -> mlua::Result<Engine> {
        // `mlua`'s own pcall and xpcall, which would end panics, cannot be interrupted in the way a standing script takes.
        let lua = Lua::new_with(StdLib::ALL_SAFE, LuaOptions::new().catch_rust_panics(true))?;
        let shared = Rc::new(Shared::new());
        let globals = lua.globals();
        let environment = lua.create_table()?;
        for name in BUILTINS {
            environment.raw_set(name, globals.get::<Value>(name)?)?;
        }
        for name in ["string", "math", "table"] {
            environment.raw_set(name, copy_of(&lua, &globals.get(name)?)?)?;
        }
        let clock = lua.create_table()?;
        clock.raw_set("clock", globals.get::<Table>("os")?.get::<Value>("clock")?)?;
        environment.raw_set("os", clock)?;
        environment.raw_set("_VERSION", "Lua 5.1")?;
        environment.raw_set("_G", &environment)?;
        environment.raw_set("redis", api::redis_table(&lua)?)?;
        environment.raw_set("server", environment.raw_get::<Table>("redis")?)?;
        environment.raw_set("cjson", super::cjson::library(&lua)?)?;
        environment.raw_set("cmsgpack", super::cmsgpack::library(&lua)?)?;
        environment.raw_set("struct", super::structs::library(&lua)?)?;
        environment.raw_set("bit", super::bits::library(&lua)?)?;
        let loading_environment = lua.create_table()?;
        let native = api::native(&lua, &shared, &environment)?;
        loading_environment.raw_set("redis", api::loading_table(&lua)?)?;
        loading_environment.raw_set("server", loading_environment.raw_get::<Table>("redis")?)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=prelude").set_mode(ChunkMode::Text);
        let (finish, set_main): (Function, Function) = prelude.call((native, &environment, &loading_environment))?;
        close(&environment)?;
        close(&loading_environment)?;
        let (library_environment, library_view) = (lua.create_table()?, lua.create_table()?);
        library_view.raw_set("__index", &environment)?;
        library_view.raw_set("__metatable", false)?;
        library_environment.set_metatable(Some(library_view.clone()))?;
        close(&library_environment)?;
        lua.sandbox(true)?;
        let machine = Machine::new(&lua, &shared)?;
        set_main.call::<()>(machine.thread())?;
        shared.thread.set(machine.address());
        let (keys, values) = (Kept::table(&lua, &lua.create_table()?)?, Kept::table(&lua, &lua.create_table()?)?);
        Ok(Engine {
            environment,
            keys,
            values,
            has_arguments: false,
            library_environment,
            library_view,
            loading_environment,
            finish,
            machine,
            standing: None,
            lua,
            shared,
        })
    }

    /// Bytes of memory the interpreter takes.
    pub fn memory_bytes(&self) -> usize {
        self.machine.memory_bytes()
    }

    /// Compiles a script without its first line; the error is Lua's message.
    pub fn compile(&self, code: &[u8]) -> Result<Script, String> {
        self.keep(compile(&self.lua, code, "@user_script", &self.environment)?)
    }

    fn keep(&self, function: Function) -> Result<Script, String> {
        Kept::function(&self.lua, function).map(|kept| Script(Rc::new(kept))).map_err(|error| message_of(&error))
    }

    /// Runs a script: `keys` and `values` are its KEYS and ARGV. `name` is what its errors call it.
    pub fn run_script(
        &mut self,
        host: &mut dyn Host,
        (script, name): (&Script, &[u8]),
        (keys, values): (&[&[u8]], &[&[u8]]),
        reply: &mut Reply,
    ) -> Ended {
        self.prepare();
        if let Err(error) = self.set_arguments(keys, values) {
            return failed(&error);
        }
        self.machine.push_kept(&script.0);
        self.step(host, name, 0, reply)
    }

    /// As `run_script`, for a function of a library, which gets keys and values as its arguments.
    pub fn run_function(
        &mut self,
        host: &mut dyn Host,
        (function, name): (&Script, &[u8]),
        (keys, values): (&[&[u8]], &[&[u8]]),
        reply: &mut Reply,
    ) -> Ended {
        self.prepare();
        if self.has_arguments {
            self.has_arguments = false;
            if let Err(error) = self.set_globals(Value::Nil, Value::Nil) {
                return failed(&error);
            }
        }
        self.machine.push_kept(&function.0);
        self.machine.push_list(keys);
        self.machine.push_list(values);
        self.step(host, name, 2, reply)
    }

    /// Puts other items into the tables of KEYS and ARGV, of which nothing can be left from the last script but the tables
    /// themselves. If that did more to one than change items (`setmetatable`, `table.freeze`), there are new ones.
    fn set_arguments(&mut self, keys: &[&[u8]], values: &[&[u8]]) -> mlua::Result<()> {
        let filled = self.machine.refill(&self.keys, keys) && self.machine.refill(&self.values, values);
        if filled && self.has_arguments {
            return Ok(());
        }
        self.renew_arguments()?;
        self.machine.refill(&self.keys, keys);
        self.machine.refill(&self.values, values);
        Ok(())
    }

    /// New tables of KEYS and ARGV, which nobody else has seen.
    fn renew_arguments(&mut self) -> mlua::Result<()> {
        let (keys, values) = (self.lua.create_table()?, self.lua.create_table()?);
        self.keys = Kept::table(&self.lua, &keys)?;
        self.values = Kept::table(&self.lua, &values)?;
        self.set_globals(Value::Table(keys), Value::Table(values))?;
        self.has_arguments = true;
        Ok(())
    }

    fn set_globals(&self, keys: Value, values: Value) -> mlua::Result<()> {
        self.environment.set_readonly(false);
        let set = self.environment.raw_set("KEYS", keys).and_then(|()| self.environment.raw_set("ARGV", values));
        self.environment.set_readonly(true);
        set
    }

    /// Before each run.
    fn prepare(&mut self) {
        debug_assert!(self.standing.is_none(), "one script runs at a time");
        self.shared.stopped.set(None);
        self.shared.protocol.set(Protocol::Resp2);
        self.machine.reset();
        if self.machine.memory_bytes() > SCRIPT_MEMORY_BYTES_MAX / 2 {
            // What the scripts before left behind is not this one's; their tables of arguments may be large ones.
            self.has_arguments = false;
            self.lua.gc_collect().ok();
        }
    }

    /// Goes on with the script that stands still.
    pub fn resume(&mut self, host: &mut dyn Host, reply: &mut Reply) -> Ended {
        match self.standing.take() {
            Some(name) => self.step(host, &name, 0, reply),
            None => Ended::Failed(b"ERR no script stands still".to_vec(), false),
        }
    }

    fn step(&mut self, host: &mut dyn Host, name: &[u8], arguments: i32, reply: &mut Reply) -> Ended {
        // SAFETY: only the lifetime changes, to one that the cell can name. The pointer is taken out of the cell below,
        // while this borrow of the host still lasts; nothing between panics.
        let pointer = unsafe { std::mem::transmute::<NonNull<dyn Host + '_>, NonNull<dyn Host>>(NonNull::from(host)) };
        self.shared.host.set(Some(pointer));
        let outcome = self.machine.resume(arguments);
        self.shared.host.set(None);
        if let Some(panic) = self.shared.panic.take() {
            resume_unwind(panic);
        }
        match (outcome, self.shared.stopped.take()) {
            (Outcome::Yielded, _) => {
                self.standing = Some(name.to_vec());
                Ended::Standing
            }
            (_, Some(Stopped::ByHost)) => Ended::Stopped,
            (_, Some(Stopped::Killed(why))) => {
                let place = self
                    .machine
                    .place()
                    .map_or_else(|| [b" script: ", name, b"."].concat(), |place| place_text(&place, name));
                Ended::Failed([b"ERR ", why.as_bytes(), &place[..]].concat(), false)
            }
            (Outcome::Finished, None) => {
                let mut stack = self.machine.stack();
                // An error that is returned is an error of the script, for the statistics too.
                if let Some((text, counted)) = convert::returned_error(&mut stack) {
                    return Ended::Failed(text, counted);
                }
                convert::write_result(&mut stack, self.shared.protocol.get(), reply);
                Ended::Done
            }
            (Outcome::Failed, None) => self.failure(name),
        }
    }

    /// What the error says that ended a script.
    fn failure(&mut self, name: &[u8]) -> Ended {
        let place = self.machine.place();
        let (source, line) = match &place {
            Some(place) => (Some(String::from_utf8_lossy(&place.source[1..]).into_owned()), Some(place.line)),
            None => (None, None),
        };
        let described = self.machine.take_error().and_then(|error| {
            let (text, counted): (Value, Value) = self.finish.call((error, source, line))?;
            let text = self.lua.coerce_string(text)?.map(|text| text.as_bytes().to_vec());
            Ok((text, counted == Value::Boolean(true)))
        });
        let (text, counted) = match described {
            Ok((text, counted)) => (text.unwrap_or_else(|| b"ERR execution failure".to_vec()), counted),
            Err(error) => (["ERR ", &message_of(&error)].concat().into_bytes(), false),
        };
        Ended::Failed([text, place.map(|place| place_text(&place, name)).unwrap_or_default()].concat(), counted)
    }

    /// What libraries see from now on.
    fn view(&self, seen: &Table) -> Result<(), Vec<u8>> {
        self.library_view.set_readonly(false);
        let set = self.library_view.raw_set("__index", seen);
        self.library_view.set_readonly(true);
        set.map_err(|error| ["ERR ", &message_of(&error)].concat().into_bytes())
    }

    /// Runs a library's code; returns the functions it registered. The error is the reply's text.
    pub fn load_library(&mut self, host: &mut dyn Host, code: &[u8]) -> Result<Vec<(FunctionFacts, Script)>, Vec<u8>> {
        let function = compile(&self.lua, code, "@user_function", &self.library_environment)
            .map_err(|error| ["ERR Error compiling function: ", &error].concat().into_bytes())?;
        self.view(&self.loading_environment)?;
        *self.shared.loading.borrow_mut() = Some(Loading::default());
        let mut reply = Reply::new(Protocol::Resp2);
        let function = self.keep(function).map_err(|error| ["ERR ", &error].concat().into_bytes())?;
        self.prepare();
        self.machine.push_kept(&function.0);
        let mut ended = self.step(host, b"", 0, &mut reply);
        while ended == Ended::Standing {
            ended = self.resume(host, &mut reply);
        }
        let loading = self.shared.loading.borrow_mut().take().unwrap_or_default();
        self.view(&self.environment)?;
        if let Ended::Failed(text, _) = ended {
            // As in Redis, the place is not said again.
            let end = memchr::memmem::find(&text, b" script: ").unwrap_or(text.len());
            return Err([b"ERR Error registering functions: ", &text[..end]].concat());
        }
        if loading.functions.is_empty() {
            return Err(b"ERR No functions registered".to_vec());
        }
        let keep = |(facts, function)| Ok((facts, self.keep(function)?));
        let functions: Result<_, String> = loading.functions.into_iter().map(keep).collect();
        functions.map_err(|error| ["ERR ", &error].concat().into_bytes())
    }
}

/// Where an error was raised, as it stands behind its text.
fn place_text(place: &Place, name: &[u8]) -> Vec<u8> {
    [b" script: ", name, b", on ", place.source, b":", place.line.to_string().as_bytes(), b"."].concat()
}

fn failed(error: &mlua::Error) -> Ended {
    Ended::Failed(["ERR ", &message_of(error)].concat().into_bytes(), false)
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
