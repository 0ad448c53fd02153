//! The interpreter: compiles, runs, lets scripts stand still and go on. One script runs at a time.
//!
//! `unsafe`: the host is reached through a pointer from functions that the interpreter owns, and so live longer than any
//! host; the pointer is set only while `Engine::step` runs, which borrows the host for that time.

use std::cell::Cell;
use std::ptr::NonNull;
use std::rc::Rc;

use mlua::{ChunkMode, Function, Lua, LuaOptions, MultiValue, StdLib, Table, Thread, ThreadStatus, Value, VmState};

use crate::resp::reply::{Protocol, Reply};
use crate::stdx::limits::{SCRIPT_INTERRUPTS_PER_POLL, SCRIPT_MEMORY_BYTES_MAX};

use super::api::{self, Loading, Shared, Stopped, message_of};
use super::convert;
use super::shared::Function as FunctionFacts;
use super::Host;

/// Functions of Lua that scripts see as they are.
const BUILTINS: [&str; 14] = [
    "assert", "error", "getmetatable", "ipairs", "next", "pairs", "rawequal", "rawget", "rawset", "select", "setmetatable",
    "tonumber", "type", "unpack",
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
pub struct Script(Function);

/// See the file's head.
pub struct Engine {
    lua: Lua,
    shared: Rc<Shared>,
    environment: Table,
    /// KEYS and ARGV, used again and again.
    keys: Table,
    values: Table,
    /// These are the script's globals now.
    has_usual: Cell<bool>,
    /// What libraries see: nothing of its own, but for one table while they are loaded and for another when they run.
    library_environment: Table,
    library_view: Table,
    loading_environment: Table,
    /// Runs a function so that its error becomes a table.
    runner: Function,
    /// The thread of the last script, for the next one.
    thread: Option<Thread>,
    /// The script that stands still: what its errors call it.
    standing: Option<Vec<u8>>,
}

/// Calls the host of the running script; none when no script runs.
pub(super) fn with_host<T>(shared: &Shared, call: impl FnOnce(&mut dyn Host) -> T) -> Option<T> {
    // Taken out while it is used: a call from within the call finds nothing.
    let mut pointer = shared.host.take()?;
    // SAFETY: `Engine::step` put the pointer there and takes it back before its borrow of the host ends; it was taken out
    // of the cell just now, so this is the only reference made from it.
    let result = call(unsafe { pointer.as_mut() });
    shared.host.set(Some(pointer));
    Some(result)
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
        let runner: Function = prelude.call((native, &environment, &loading_environment))?;
        close(&environment)?;
        close(&loading_environment)?;
        let (library_environment, library_view) = (lua.create_table()?, lua.create_table()?);
        library_view.raw_set("__index", &environment)?;
        library_view.raw_set("__metatable", false)?;
        library_environment.set_metatable(Some(library_view.clone()))?;
        close(&library_environment)?;
        lua.sandbox(true)?;
        Engine::interrupt(&lua, &shared);
        let (keys, values) = (lua.create_table()?, lua.create_table()?);
        Ok(Engine {
            keys,
            values,
            has_usual: Cell::new(false),
            lua,
            shared,
            environment,
            library_environment,
            library_view,
            loading_environment,
            runner,
            thread: None,
            standing: None,
        })
    }

    fn interrupt(lua: &Lua, shared: &Rc<Shared>) {
        let shared = shared.clone();
        lua.set_interrupt(move |lua| {
            if shared.stopped.get().is_some() {
                return Err(mlua::Error::runtime("the script ends"));
            }
            // Not as a limit of the interpreter: with one, `mlua` protects each of its calls, which costs a third.
            if lua.used_memory() > SCRIPT_MEMORY_BYTES_MAX {
                return Err(mlua::Error::runtime("not enough memory"));
            }
            let ticks = shared.ticks.get() + 1;
            if ticks < SCRIPT_INTERRUPTS_PER_POLL {
                shared.ticks.set(ticks);
                return Ok(VmState::Continue);
            }
            shared.ticks.set(0);
            // A coroutine of the script's own would yield to the script.
            let stands = shared.poll()? && lua.current_thread().to_pointer() == shared.thread.get();
            Ok(if stands { VmState::Yield } else { VmState::Continue })
        });
    }

    /// Bytes of memory the interpreter takes.
    pub fn memory_bytes(&self) -> usize {
        self.lua.used_memory()
    }

    /// Compiles a script without its first line; the error is Lua's message.
    pub fn compile(&self, code: &[u8]) -> Result<Script, String> {
        compile(&self.lua, code, "@user_script", &self.environment).map(Script)
    }

    /// Runs a script: `keys` and `values` are its KEYS and ARGV. `name` is what its errors call it.
    pub fn run_script(
        &mut self,
        host: &mut dyn Host,
        (script, name): (&Script, &[u8]),
        (keys, values): (&[&[u8]], &[&[u8]]),
        reply: &mut Reply,
    ) -> Ended {
        let arguments = || -> mlua::Result<MultiValue> {
            if self.refill(&self.keys, keys)? && self.refill(&self.values, values)? {
                self.set_globals(Value::Table(self.keys.clone()), Value::Table(self.values.clone()), true)?;
            } else {
                let (keys, values) = (self.array(keys)?, self.array(values)?);
                self.set_globals(Value::Table(keys), Value::Table(values), false)?;
            }
            Ok(MultiValue::from_iter([Value::Function(script.0.clone())]))
        };
        match arguments() {
            Ok(arguments) => self.begin(host, name, arguments, reply),
            Err(error) => Ended::Failed(["ERR ", &message_of(&error)].concat().into_bytes(), false),
        }
    }

    /// As `run_script`, for a function of a library, which gets keys and values as its arguments.
    pub fn run_function(
        &mut self,
        host: &mut dyn Host,
        (function, name): (&Script, &[u8]),
        (keys, values): (&[&[u8]], &[&[u8]]),
        reply: &mut Reply,
    ) -> Ended {
        let arguments = || -> mlua::Result<MultiValue> {
            self.set_globals(Value::Nil, Value::Nil, false)?;
            let (keys, values) = (self.array(keys)?, self.array(values)?);
            Ok(MultiValue::from_iter([Value::Function(function.0.clone()), Value::Table(keys), Value::Table(values)]))
        };
        match arguments() {
            Ok(arguments) => self.begin(host, name, arguments, reply),
            Err(error) => Ended::Failed(["ERR ", &message_of(&error)].concat().into_bytes(), false),
        }
    }

    /// Puts other items into the table of KEYS or ARGV of the last script, of which nothing can be left but the table. False
    /// when the script did more to it than change items (`setmetatable`, `table.freeze`).
    fn refill(&self, table: &Table, items: &[&[u8]]) -> mlua::Result<bool> {
        if table.has_metatable() || table.is_readonly() {
            return Ok(false);
        }
        table.clear()?;
        for (index, item) in items.iter().enumerate() {
            table.raw_set(index + 1, self.lua.create_string(item)?)?;
        }
        Ok(true)
    }

    /// KEYS and ARGV, which nobody else may change or see. `usual`: the tables that are used again.
    fn set_globals(&self, keys: Value, values: Value, usual: bool) -> mlua::Result<()> {
        if usual && self.has_usual.replace(usual) {
            return Ok(());
        }
        self.has_usual.set(usual);
        self.environment.set_readonly(false);
        let set = self.environment.raw_set("KEYS", keys).and_then(|()| self.environment.raw_set("ARGV", values));
        self.environment.set_readonly(true);
        set
    }

    fn array(&self, items: &[&[u8]]) -> mlua::Result<Table> {
        let table = self.lua.create_table_with_capacity(items.len(), 0)?;
        for (index, item) in items.iter().enumerate() {
            table.raw_set(index + 1, self.lua.create_string(item)?)?;
        }
        Ok(table)
    }

    fn begin(&mut self, host: &mut dyn Host, name: &[u8], arguments: MultiValue, reply: &mut Reply) -> Ended {
        debug_assert!(self.standing.is_none(), "one script runs at a time");
        self.shared.stopped.set(None);
        self.shared.protocol.set(Protocol::Resp2);
        let reset = self.thread.take().filter(|thread| thread.reset(self.runner.clone()).is_ok());
        if self.lua.used_memory() > SCRIPT_MEMORY_BYTES_MAX / 2 {
            // What the scripts before left behind is not this one's.
            self.lua.gc_collect().ok();
        }
        let thread = match reset {
            Some(thread) => Ok(thread),
            None => self.lua.create_thread(self.runner.clone()),
        };
        match thread {
            Ok(thread) => self.step(host, thread, name, arguments, reply),
            Err(error) => Ended::Failed(["ERR ", &message_of(&error)].concat().into_bytes(), false),
        }
    }

    /// Goes on with the script that stands still.
    pub fn resume(&mut self, host: &mut dyn Host, reply: &mut Reply) -> Ended {
        match (self.standing.take(), self.thread.take()) {
            (Some(name), Some(thread)) => self.step(host, thread, &name, MultiValue::new(), reply),
            _ => Ended::Failed(b"ERR no script stands still".to_vec(), false),
        }
    }

    fn step(&mut self, host: &mut dyn Host, thread: Thread, name: &[u8], arguments: MultiValue, reply: &mut Reply) -> Ended {
        // SAFETY: only the lifetime changes, to one that the cell can name. The pointer is taken out of the cell below,
        // while this borrow of the host still lasts.
        let pointer = unsafe { std::mem::transmute::<NonNull<dyn Host + '_>, NonNull<dyn Host>>(NonNull::from(host)) };
        self.shared.host.set(Some(pointer));
        self.shared.thread.set(thread.to_pointer());
        let result = thread.resume::<MultiValue>(arguments);
        self.shared.host.set(None);
        let is_standing = thread.status() == ThreadStatus::Resumable;
        self.thread = Some(thread);
        if is_standing {
            self.standing = Some(name.to_vec());
            return Ended::Standing;
        }
        let ended = match result {
            Ok(values) => self.ended(&values, name, reply),
            Err(error) => match self.shared.stopped.get() {
                Some(stopped) => ended_by(stopped, None, name),
                None => Ended::Failed(["ERR ", &message_of(&error)].concat().into_bytes(), false),
            },
        };
        self.shared.stopped.set(None);
        ended
    }

    /// What the runner returned: success and a value, or failure and a table about it.
    fn ended(&self, values: &MultiValue, name: &[u8], reply: &mut Reply) -> Ended {
        let value = values.get(1).unwrap_or(&Value::Nil);
        if let (Some(Value::Boolean(true)), None) = (values.front(), self.shared.stopped.get()) {
            convert::write_result(value, self.shared.protocol.get(), reply);
            return Ended::Done;
        }
        let table = value.as_table();
        let field = |field: &str| table.and_then(|table| table.raw_get::<Option<mlua::String>>(field).ok().flatten());
        let place = field("source").zip(field("line")).map(|(source, line)| {
            [&b" script: "[..], name, b", on ", &source.as_bytes(), b":", &line.as_bytes(), b"."].concat()
        });
        match self.shared.stopped.get() {
            Some(stopped) => ended_by(stopped, place, name),
            None => {
                let text = field("err").map_or(b"ERR execution failure".to_vec(), |text| text.as_bytes().to_vec());
                let counted = table.and_then(|table| table.raw_get::<Option<bool>>("counted").ok().flatten());
                Ended::Failed([text, place.unwrap_or_default()].concat(), counted == Some(true))
            }
        }
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
        let arguments = MultiValue::from_iter([Value::Function(function)]);
        let mut ended = self.begin(host, b"", arguments, &mut reply);
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
        Ok(loading.functions.into_iter().map(|(facts, function)| (facts, Script(function))).collect())
    }
}

fn ended_by(stopped: Stopped, place: Option<Vec<u8>>, name: &[u8]) -> Ended {
    match stopped {
        Stopped::ByHost => Ended::Stopped,
        Stopped::Killed(why) => {
            let place = place.unwrap_or_else(|| [b" script: ", name, b"."].concat());
            Ended::Failed([b"ERR ", why.as_bytes(), &place[..]].concat(), false)
        }
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
