//! What scripts see beside Lua itself: `redis.*`. The functions are in Rust; `prelude.lua` puts them into their places.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Result, Table, Value, Variadic};
use sha1::{Digest, Sha1};

use crate::resp::reply::{Protocol, Reply};
use crate::stats::server::REDIS_VERSION;
use crate::stdx::double_text::{DOUBLE_TEXT_BYTES_MAX, exact_i64, format_fpconv};
use crate::stdx::limits::SCRIPT_INTERRUPTS_PER_POLL;
use crate::stdx::number::{INTEGER_TEXT_BYTES_MAX, format_i64};

use super::convert::{push_error, push_reply};
use super::machine::Interruption;
use super::libraries::Function as FunctionFacts;
use super::stack::Stack;
use super::{Arguments, Host, LogLevel, Poll, ScriptFlags, Stop, text};

/// A library while it is being loaded.
#[derive(Default)]
pub(super) struct Loading {
    pub(super) functions: Vec<(FunctionFacts, Function)>,
}

/// Why a script must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The host said so.
    ByHost,
    /// It was killed, for this reason.
    Killed(&'static str),
}

/// What the functions of one interpreter share.
pub(super) struct Shared {
    /// The host of the running script. Set only while the interpreter runs: see `engine.rs`.
    pub(super) host: Cell<Option<NonNull<dyn Host>>>,
    pub(super) stopped: Cell<Option<Stopped>>,
    /// The thread of the running script; only compared.
    pub(super) thread: Cell<*const c_void>,
    pub(super) protocol: Cell<Protocol>,
    pub(super) loading: RefCell<Option<Loading>>,
    /// Times the interpreter could have been interrupted since it was last looked at.
    pub(super) ticks: Cell<u32>,
    /// The host panicked; the engine goes on with that when the interpreter is left.
    pub(super) panic: Cell<Option<Box<dyn Any + Send>>>,
    arguments: RefCell<Arguments>,
    reply: RefCell<Reply>,
}

/// The error of a script that must end.
const STOPPED: &str = "the script ends";

impl Shared {
    pub(super) fn new() -> Shared {
        Shared {
            host: Cell::new(None),
            stopped: Cell::new(None),
            thread: Cell::new(std::ptr::null()),
            protocol: Cell::new(Protocol::Resp2),
            loading: RefCell::new(None),
            ticks: Cell::new(0),
            panic: Cell::new(None),
            arguments: RefCell::default(),
            reply: RefCell::new(Reply::new(Protocol::Resp2)),
        }
    }

    /// A script runs.
    pub(super) fn is_running(&self) -> bool {
        self.host.get().is_some()
    }

    /// Asks the host, every now and then, what comes next; `thread` is the one that is running.
    pub(super) fn interruption(&self, thread: *const c_void) -> Interruption {
        if self.stopped.get().is_some() {
            return Interruption::Error(STOPPED);
        }
        let ticks = self.ticks.get() + 1;
        if ticks < SCRIPT_INTERRUPTS_PER_POLL {
            self.ticks.set(ticks);
            return Interruption::None;
        }
        self.ticks.set(0);
        match super::engine::with_host(self, |host| host.poll()) {
            // A coroutine of the script's own would yield to the script.
            Some(Poll::Stand) if thread == self.thread.get() => Interruption::Yield,
            Some(Poll::Kill(why)) => {
                self.stopped.set(Some(Stopped::Killed(why)));
                Interruption::Error(STOPPED)
            }
            None if self.stopped.get().is_some() => Interruption::Error(STOPPED),
            None | Some(Poll::Continue | Poll::Stand) => Interruption::None,
        }
    }
}

/// A failed call: the error table, to be raised in Lua.
fn failed(lua: &Lua, text: &str) -> Result<(Value, bool)> {
    Ok((Value::Table(error_table(lua, ["ERR ", text].concat().as_bytes())?), true))
}

/// An error table, as `redis.error_reply` makes it.
fn error_table(lua: &Lua, text: &[u8]) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("err", lua.create_string(text)?)?;
    Ok(table)
}

const NO_ARGUMENTS: &str = "ERR Please specify at least one argument for this redis lib call";
const BAD_ARGUMENT: &str = "ERR Lua redis lib command arguments must be strings or integers";

fn push_number(arguments: &mut Arguments, double: f64) {
    match exact_i64(double) {
        Some(integer) => arguments.push(format_i64(&mut [0; INTEGER_TEXT_BYTES_MAX], integer)),
        None => arguments.push(format_fpconv(&mut [0; DOUBLE_TEXT_BYTES_MAX], double)),
    }
}

/// Reads the arguments of a command; the error says what is wrong with them.
fn read_stack(stack: &Stack, arguments: &mut Arguments) -> std::result::Result<(), &'static str> {
    arguments.clear();
    let count = stack.top();
    if count == 0 {
        return Err(NO_ARGUMENTS);
    }
    for index in 1..=count {
        if let Some(bytes) = stack.bytes(index) {
            arguments.push(bytes);
        } else if let Some(double) = stack.number(index) {
            push_number(arguments, double);
        } else {
            return Err(BAD_ARGUMENT);
        }
    }
    Ok(())
}

/// What `redis.call` left on the top of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// The command's value.
    Value,
    /// An error table.
    Error,
    /// What ends the script.
    Stop,
}

/// `redis.call` and `redis.pcall`: runs the command on the stack.
pub(super) fn call(stack: &mut Stack, shared: &Shared) -> Called {
    let mut arguments = shared.arguments.borrow_mut();
    if let Err(text) = read_stack(stack, &mut arguments) {
        push_error(stack, text.as_bytes(), false);
        return Called::Error;
    }
    let mut reply = shared.reply.borrow_mut();
    reply.clear();
    let protocol = shared.protocol.get();
    match super::engine::with_host(shared, |host| host.call(&arguments, protocol, &mut reply)) {
        None if shared.stopped.get().is_none() => {
            push_error(stack, b"ERR redis.call can only be called from a running script", false);
            return Called::Error;
        }
        Some(Ok(())) => {}
        stopped => {
            if stopped.is_some() {
                shared.stopped.set(Some(Stopped::ByHost));
            }
            stack.push_bytes(STOPPED.as_bytes());
            return Called::Stop;
        }
    }
    let is_error =
        if reply.is_contiguous() { push_reply(stack, reply.bytes()) } else { push_reply(stack, &reply.to_vec()) };
    if is_error { Called::Error } else { Called::Value }
}

fn log(shared: &Shared, lua: &Lua, values: &[Value]) -> Result<(Value, bool)> {
    let Some((level, rest)) = values.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return failed(lua, "redis.log() requires two arguments or more.");
    };
    let Some(level) = lua.coerce_number(level.clone())? else {
        return failed(lua, "First argument must be a number (log level).");
    };
    let level = match level as i64 {
        0 => LogLevel::Debug,
        1 => LogLevel::Verbose,
        2 => LogLevel::Notice,
        3 => LogLevel::Warning,
        _ => return failed(lua, "Invalid log level."),
    };
    let mut line = Vec::new();
    for (index, value) in rest.iter().enumerate() {
        if let Some(string) = lua.coerce_string(value.clone())? {
            if index > 0 {
                line.push(b' ');
            }
            line.extend_from_slice(&string.as_bytes());
        }
    }
    super::engine::with_host(shared, |host| host.log(level, &line));
    Ok((Value::Nil, false))
}

fn set_protocol(shared: &Shared, lua: &Lua, values: &[Value]) -> Result<(Value, bool)> {
    let [version] = values else { return failed(lua, "redis.setresp() requires one argument.") };
    match lua.coerce_number(version.clone())?.unwrap_or(0.0) as i64 {
        2 => shared.protocol.set(Protocol::Resp2),
        3 => shared.protocol.set(Protocol::Resp3),
        _ => return failed(lua, "RESP version must be 2 or 3."),
    }
    Ok((Value::Nil, false))
}

fn set_replication(lua: &Lua, values: &[Value]) -> Result<(Value, bool)> {
    let [flags] = values else { return failed(lua, "redis.set_repl() requires one argument.") };
    match lua.coerce_number(flags.clone())?.unwrap_or(0.0) as i64 {
        0..=3 => Ok((Value::Nil, false)),
        _ => failed(lua, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."),
    }
}

fn sha1_hex(lua: &Lua, values: &[Value]) -> Result<(Value, bool)> {
    let [value] = values else { return failed(lua, "wrong number of arguments") };
    let text = lua.coerce_string(value.clone())?.map_or(Vec::new(), |text| text.as_bytes().to_vec());
    let digest = Sha1::digest(text);
    Ok((Value::String(lua.create_string(super::scripting::hex(&digest))?), false))
}

fn may_call(shared: &Shared, lua: &Lua, values: &[Value]) -> Result<(Value, bool)> {
    let mut arguments = shared.arguments.borrow_mut();
    arguments.clear();
    for value in values {
        match value {
            Value::String(string) => arguments.push(&string.as_bytes()),
            Value::Integer(integer) => push_number(&mut arguments, *integer as f64),
            Value::Number(double) => push_number(&mut arguments, *double),
            _ => return failed(lua, BAD_ARGUMENT.trim_start_matches("ERR ")),
        }
    }
    if values.is_empty() {
        return failed(lua, NO_ARGUMENTS.trim_start_matches("ERR "));
    }
    match super::engine::with_host(shared, |host| host.may_call(&arguments)) {
        Some(Ok(may)) => Ok((Value::Boolean(may), false)),
        Some(Err(Stop)) | None => failed(lua, "Invalid command passed to redis.acl_check_cmd()"),
    }
}

/// `{err=…}` and `{ok=…}` for one string argument.
fn single_field(lua: &Lua, field: &str, values: &[Value]) -> Result<Table> {
    let [Value::String(string)] = values else {
        return error_table(lua, b"ERR wrong number or type of arguments");
    };
    if field == "err" {
        // A code before the text, as error replies have one.
        let string = string.as_bytes();
        let text: &[u8] = &string;
        return match text.strip_prefix(b"-") {
            Some(coded) if coded.contains(&b' ') => error_table(lua, coded),
            None if text.contains(&b' ') => error_table(lua, text),
            coded => error_table(lua, &[b"ERR ", coded.unwrap_or(text)].concat()),
        };
    }
    let table = lua.create_table()?;
    table.raw_set(field, string)?;
    Ok(table)
}

fn register(shared: &Shared, lua: &Lua, values: &[Value]) -> Result<(Value, bool)> {
    let mut loading = shared.loading.borrow_mut();
    let Some(loading) = &mut *loading else {
        return failed(lua, "redis.register_function can only be called on FUNCTION LOAD command");
    };
    let (facts, callback) = match values {
        [Value::Table(named)] => match read_named(lua, named)? {
            Ok(read) => read,
            Err(text) => return failed(lua, text),
        },
        [_] => {
            return failed(
                lua,
                "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
            );
        }
        [name, callback] => {
            let Value::String(name) = name else {
                return failed(lua, "first argument to redis.register_function must be a string");
            };
            let Value::Function(callback) = callback else {
                return failed(lua, "second argument to redis.register_function must be a function");
            };
            (
                FunctionFacts { name: name.as_bytes().to_vec(), description: None, flags: ScriptFlags::DECLARED },
                callback.clone(),
            )
        }
        _ => return failed(lua, "wrong number of arguments to redis.register_function"),
    };
    if facts.name.is_empty() || !facts.name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return failed(
            lua,
            "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long",
        );
    }
    if loading.functions.iter().any(|(known, _)| known.name == facts.name) {
        return failed(lua, "Function already exists in the library");
    }
    loading.functions.push((facts, callback));
    Ok((Value::Nil, false))
}

type Registered = (FunctionFacts, Function);

fn read_named(lua: &Lua, named: &Table) -> Result<std::result::Result<Registered, &'static str>> {
    let (mut name, mut description, mut callback, mut flags) = (None, None, None, ScriptFlags::DECLARED);
    for pair in named.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let Value::String(key) = key else {
            return Ok(Err("named argument key given to redis.register_function is not a string"));
        };
        match (&key.as_bytes().to_ascii_lowercase()[..], value) {
            (b"function_name", Value::String(text)) => name = Some(text.as_bytes().to_vec()),
            (b"function_name", _) => {
                return Ok(Err("function_name argument given to redis.register_function must be a string"));
            }
            (b"description", Value::String(text)) => description = Some(text.as_bytes().to_vec()),
            (b"description", _) => {
                return Ok(Err("description argument given to redis.register_function must be a string"));
            }
            (b"callback", Value::Function(function)) => callback = Some(function),
            (b"callback", _) => {
                return Ok(Err("callback argument given to redis.register_function must be a function"));
            }
            (b"flags", Value::Table(names)) => match read_flags(lua, &names)? {
                Some(read) => flags = read,
                None => return Ok(Err("unknown flag given")),
            },
            (b"flags", _) => {
                return Ok(Err(
                    "flags argument to redis.register_function must be a table representing function flags",
                ));
            }
            _ => return Ok(Err("unknown argument given to redis.register_function")),
        }
    }
    let Some(name) = name else { return Ok(Err("redis.register_function must get a function name argument")) };
    let Some(callback) = callback else { return Ok(Err("redis.register_function must get a callback argument")) };
    Ok(Ok((FunctionFacts { name, description, flags }, callback)))
}

fn read_flags(lua: &Lua, names: &Table) -> Result<Option<ScriptFlags>> {
    let mut flags = ScriptFlags::DECLARED;
    for value in names.sequence_values::<Value>() {
        let Some(name) = lua.coerce_string(value?)? else { return Ok(None) };
        match flags.with(&name.as_bytes().to_ascii_lowercase()) {
            Some(with) => flags = with,
            None => return Ok(None),
        }
    }
    Ok(Some(flags))
}

/// Puts constants of `redis.*` that libraries see while they are loaded, too.
fn common_constants(redis: &Table) -> Result<()> {
    for (name, value) in [("LOG_DEBUG", 0), ("LOG_VERBOSE", 1), ("LOG_NOTICE", 2), ("LOG_WARNING", 3)] {
        redis.raw_set(name, value)?;
    }
    let mut number = 0;
    for part in REDIS_VERSION.split('.') {
        number = number << 8 | part.parse::<i64>().unwrap_or(0);
    }
    redis.raw_set("REDIS_VERSION", REDIS_VERSION)?;
    redis.raw_set("REDIS_VERSION_NUM", number)
}

/// `redis` for scripts, without what the prelude adds.
pub(super) fn redis_table(lua: &Lua) -> Result<Table> {
    let redis = lua.create_table()?;
    common_constants(&redis)?;
    for (name, value) in [("REPL_NONE", 0), ("REPL_AOF", 1), ("REPL_SLAVE", 2), ("REPL_REPLICA", 2), ("REPL_ALL", 3)] {
        redis.raw_set(name, value)?;
    }
    let status = |lua: &Lua, values: Variadic<Value>| single_field(lua, "ok", &values);
    redis.raw_set("status_reply", lua.create_function(status)?)?;
    let error = |lua: &Lua, values: Variadic<Value>| single_field(lua, "err", &values);
    redis.raw_set("error_reply", lua.create_function(error)?)?;
    redis.raw_set("replicate_commands", lua.create_function(|_, _: MultiValue| Ok(true))?)?;
    redis.raw_set("breakpoint", lua.create_function(|_, _: MultiValue| Ok(false))?)?;
    redis.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    Ok(redis)
}

/// `redis` for libraries that are being loaded, without what the prelude adds.
pub(super) fn loading_table(lua: &Lua) -> Result<Table> {
    let redis = lua.create_table()?;
    common_constants(&redis)?;
    Ok(redis)
}

/// The functions that the prelude puts into their places.
pub(super) fn native(lua: &Lua, shared: &Rc<Shared>, environment: &Table) -> Result<Table> {
    type Raising = fn(&Shared, &Lua, &[Value]) -> Result<(Value, bool)>;
    let native = lua.create_table()?;
    let put = |table: &Table, name: &str, function: Raising| -> Result<()> {
        let shared = shared.clone();
        let function = lua.create_function(move |lua, values: Variadic<Value>| function(&shared, lua, &values))?;
        table.raw_set(name, function)
    };
    let (call, pcall) = super::machine::call_functions(lua, shared)?;
    native.raw_set("call", call)?;
    native.raw_set("pcall", pcall)?;
    put(&native, "register_function", register)?;
    let raising = lua.create_table()?;
    put(&raising, "log", log)?;
    put(&raising, "setresp", set_protocol)?;
    put(&raising, "set_repl", |_, lua, values| set_replication(lua, values))?;
    put(&raising, "sha1hex", |_, lua, values| sha1_hex(lua, values))?;
    put(&raising, "acl_check_cmd", may_call)?;
    native.raw_set("raising", raising)?;
    let flag = shared.clone();
    native.raw_set("is_stopped", lua.create_function(move |_, ()| Ok(flag.stopped.get().is_some()))?)?;
    native.raw_set("text_of", lua.create_function(|_, error: Value| Ok(text_of(&error)))?)?;
    let translate = |lua: &Lua, line: mlua::String| match line.to_str().ok() {
        Some(text) => lua.create_string(text::as_lua51(&text)),
        None => Ok(line.clone()),
    };
    native.raw_set("as_lua51", lua.create_function(translate)?)?;
    native.raw_set("used_kilobytes", lua.create_function(|lua, ()| Ok(lua.used_memory() as f64 / 1024.0))?)?;
    super::random::put(lua, &native)?;
    let environment = environment.clone();
    let compile = move |lua: &Lua, code: mlua::String| match super::engine::compile(
        lua,
        &code.as_bytes(),
        "@user_script",
        &environment,
    ) {
        Ok(function) => Ok((Some(function), None)),
        Err(text) => Ok((None, Some(lua.create_string(text)?))),
    };
    native.raw_set("compile", lua.create_function(compile)?)?;
    Ok(native)
}

/// The text of an error that was raised in Rust.
fn text_of(value: &Value) -> String {
    match value {
        Value::Error(error) => message_of(error),
        _ => "execution failure".to_string(),
    }
}

/// The message of an error, without what `mlua` puts around it.
pub(super) fn message_of(error: &mlua::Error) -> String {
    match error {
        mlua::Error::RuntimeError(message) => message.clone(),
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        mlua::Error::MemoryError(_) => "not enough memory".to_string(),
        mlua::Error::CallbackError { cause, .. } => message_of(cause),
        mlua::Error::BadArgument { cause, .. } => message_of(cause),
        other => other.to_string().lines().next().unwrap_or_default().to_string(),
    }
}
