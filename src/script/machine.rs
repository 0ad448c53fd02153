//! The raw way into the interpreter: the one coroutine that scripts run on, what is put on its stack, `redis.call`, and the
//! look at the clock in the midst of a script. All of it runs for every script; the rest of the engine goes through `mlua`.
//!
//! `unsafe`, with these invariants:
//! * The interpreter raises errors as C++ exceptions, which only a protected call catches: `lua_resume` here, or `mlua`'s.
//!   Outside of one nothing is called that raises, but for want of memory, where the process ends, as elsewhere.
//! * A panic never passes through the interpreter: what runs commands is caught (`with_host`), and a panic in the few lines
//!   between the interpreter and that ends the process (`NoPanic`).
//! * An exception passes through frames of Rust and runs their destructors; `lua_error` is called with none left.
//! * `Shared` is reached from the interpreter by address; the engine drops the interpreter before it.

use std::ffi::{CStr, c_int, c_void};
use std::rc::Rc;

use mlua::{Function, Lua, Table, Thread, Value, ffi};

use crate::stdx::limits::SCRIPT_MEMORY_BYTES_MAX;

use super::api::{self, Called, Shared};
use super::stack::Stack;

/// Frames that are looked at for the place of an error.
const FRAMES_MAX: c_int = 24;

/// Names of chunks that are scripts.
const SCRIPT_CHUNKS: [&[u8]; 2] = [b"@user_script", b"@user_function"];

/// A value that the interpreter keeps until this is dropped.
pub(super) struct Kept {
    /// Keeps the interpreter.
    _lua: Lua,
    main: *mut ffi::lua_State,
    reference: c_int,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Kept({})", self.reference)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: the interpreter is alive, and the reference came from `lua_ref`.
        unsafe { ffi::lua_unref(self.main, self.reference) }
    }
}

impl Kept {
    /// Keeps a table.
    pub(super) fn table(lua: &Lua, table: &Table) -> mlua::Result<Kept> {
        Kept::value(lua, Value::Table(table.clone()))
    }

    /// Keeps a function.
    pub(super) fn function(lua: &Lua, function: Function) -> mlua::Result<Kept> {
        Kept::value(lua, Value::Function(function))
    }

    fn value(lua: &Lua, value: Value) -> mlua::Result<Kept> {
        let mut kept = None;
        // SAFETY: the value is the only one on the stack; it is taken off again.
        unsafe {
            lua.exec_raw::<()>(value, |state| {
                kept = Some((ffi::lua_mainthread(state), ffi::lua_ref(state, -1)));
                ffi::lua_settop(state, -2);
            })?;
        }
        let (main, reference) = kept.ok_or_else(|| mlua::Error::runtime("nothing was kept"))?;
        Ok(Kept { _lua: lua.clone(), main, reference })
    }
}

/// How a run of the coroutine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The results are on the coroutine's stack.
    Finished,
    /// It stands still.
    Yielded,
    /// The error is on the top of its stack, and its frames are still there.
    Failed,
}

/// A place in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Name of the chunk, as "@user_script".
    pub(super) source: &'static [u8],
    /// Line, counted from 1.
    pub(super) line: i64,
}

/// See the file's head.
pub(super) struct Machine {
    thread: *mut ffi::lua_State,
    lua: Lua,
    /// Keeps it.
    coroutine: Thread,
    /// Something is left of the last run.
    dirty: bool,
}

/// Ends the process when it is dropped by a panic. An exception of the interpreter passes.
struct NoPanic;

impl Drop for NoPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

impl Machine {
    /// The coroutine of an interpreter, which asks `shared` from now on when a script has run for a while.
    pub(super) fn new(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Machine> {
        let address = Rc::as_ptr(shared).cast_mut().cast::<c_void>();
        let mut thread = std::ptr::null_mut();
        // SAFETY: the callbacks belong to the interpreter, which is dropped before `shared`; `mlua` uses neither the
        // interrupt, as long as it is not told to, nor the main thread's data.
        let coroutine: Thread = unsafe {
            lua.exec_raw((), |state| {
                thread = ffi::lua_newthread(state);
                let main = ffi::lua_mainthread(state);
                ffi::lua_setthreaddata(main, address);
                (*ffi::lua_callbacks(main)).interrupt = Some(interrupt);
            })?
        };
        Ok(Machine { thread, lua: lua.clone(), coroutine, dirty: false })
    }

    /// The coroutine as a value.
    pub(super) fn thread(&self) -> &Thread {
        &self.coroutine
    }

    /// The coroutine, only to be compared.
    pub(super) fn address(&self) -> *const c_void {
        self.thread.cast()
    }

    /// The coroutine's stack.
    pub(super) fn stack(&mut self) -> Stack {
        // SAFETY: the coroutine is kept; it is not running, since what runs it borrows this, too.
        unsafe { Stack::new(self.thread) }
    }

    /// Makes the coroutine ready for the next run.
    pub(super) fn reset(&mut self) {
        // SAFETY: the coroutine is not running: `resume` has returned.
        unsafe {
            if self.dirty {
                ffi::lua_resetthread(self.thread);
                self.dirty = false;
            }
            ffi::lua_settop(self.thread, 0);
        }
    }

    /// Puts other items into a table. False when it cannot be used for that: it is closed to changes, or has a metatable.
    pub(super) fn refill(&mut self, table: &Kept, items: &[&[u8]]) -> bool {
        // SAFETY: the coroutine stands at its beginning; there is room for what is pushed; the table may be changed; the
        // items are shorter than what the interpreter takes for a string, as arguments of requests are.
        unsafe {
            ffi::lua_rawcheckstack(self.thread, 4);
            ffi::lua_rawgeti_(self.thread, ffi::LUA_REGISTRYINDEX, table.reference);
            let usable = ffi::lua_getreadonly(self.thread, -1) == 0 && ffi::lua_getmetatable(self.thread, -1) == 0;
            if usable {
                ffi::lua_cleartable(self.thread, -1);
                self.fill(items);
            }
            ffi::lua_settop(self.thread, 0);
            usable
        }
    }

    /// # Safety
    /// A table that may be changed is on the top, and there is room for one value.
    unsafe fn fill(&mut self, items: &[&[u8]]) {
        for (index, item) in (1..).zip(items) {
            // SAFETY: by the caller.
            unsafe {
                ffi::lua_pushlstring_(self.thread, item.as_ptr().cast(), item.len());
                ffi::lua_rawseti_(self.thread, -2, index);
            }
        }
    }

    /// Pushes a function.
    pub(super) fn push_kept(&mut self, kept: &Kept) {
        // SAFETY: there is room for what is pushed.
        unsafe {
            ffi::lua_rawcheckstack(self.thread, 1);
            ffi::lua_rawgeti_(self.thread, ffi::LUA_REGISTRYINDEX, kept.reference);
        }
    }

    /// Pushes a new table with these items.
    pub(super) fn push_list(&mut self, items: &[&[u8]]) {
        self.stack().push_table(items.len(), 0);
        // SAFETY: the table was pushed just now.
        unsafe {
            ffi::lua_rawcheckstack(self.thread, 1);
            self.fill(items);
        }
    }

    /// Runs the coroutine: the function below this many arguments on its stack, or on from where it stands.
    pub(super) fn resume(&mut self, arguments: c_int) -> Outcome {
        self.dirty = true;
        // SAFETY: the function and its arguments are on the coroutine's stack, or it stands still.
        match unsafe { ffi::lua_resume_(self.thread, std::ptr::null_mut(), arguments) } {
            ffi::LUA_OK => {
                self.dirty = false;
                Outcome::Finished
            }
            ffi::LUA_YIELD => Outcome::Yielded,
            _ => Outcome::Failed,
        }
    }

    /// The error of a run that failed; it leaves the coroutine's stack.
    pub(super) fn take_error(&mut self) -> mlua::Result<Value> {
        let thread = self.thread;
        // SAFETY: the error is on the top, and `mlua` has made room on the other stack.
        unsafe { self.lua.exec_raw((), |state| ffi::lua_xmove(thread, state, 1)) }
    }

    /// Where the coroutine stands: the innermost function of a script.
    pub(super) fn place(&self) -> Option<Place> {
        for level in 0..FRAMES_MAX {
            // SAFETY: the coroutine is not running and its frames are still there; all zeros are a valid `lua_Debug`, into
            // which the interpreter puts pointers that it keeps alive.
            let (source, line) = unsafe {
                let mut info: ffi::lua_Debug = std::mem::zeroed();
                if ffi::lua_getinfo(self.thread, level, c"sl".as_ptr(), &mut info) == 0 {
                    return None;
                }
                (CStr::from_ptr(info.source).to_bytes(), info.currentline)
            };
            if let Some(source) = SCRIPT_CHUNKS.into_iter().find(|chunk| *chunk == source) {
                return Some(Place { source, line: i64::from(line) });
            }
        }
        None
    }

    /// Bytes that the interpreter takes.
    pub(super) fn memory_bytes(&self) -> usize {
        memory_bytes(self.thread)
    }
}

fn memory_bytes(state: *mut ffi::lua_State) -> usize {
    // SAFETY: the state is alive; below zero means all memory.
    unsafe { ffi::lua_totalbytes(state, -1) }
}

/// `redis.call` and `redis.pcall`.
pub(super) fn call_functions(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<(Function, Function)> {
    let address = Rc::as_ptr(shared).cast_mut().cast::<c_void>();
    let make = |native: ffi::lua_CFunction, name: &'static CStr| -> mlua::Result<Function> {
        // SAFETY: `mlua` has made room for three values; the function finds the address as its first upvalue.
        unsafe {
            lua.exec_raw((), |state| {
                ffi::lua_pushlightuserdata(state, address);
                ffi::lua_pushcclosurek(state, native, name.as_ptr(), 1, None);
            })
        }
    };
    Ok((make(call, c"call")?, make(pcall, c"pcall")?))
}

/// Runs the command on the stack, with its value, or error, on the top afterwards.
///
/// # Safety
/// The interpreter calls a function made by `call_functions`.
unsafe fn run_command(state: *mut ffi::lua_State) -> Called {
    let _guard = NoPanic;
    // SAFETY: the engine drops the interpreter before `Shared`.
    let shared = unsafe { &*ffi::lua_tolightuserdata(state, ffi::lua_upvalueindex(1)).cast::<Shared>() };
    // SAFETY: the interpreter calls with a state that is alive, whose stack is this function's.
    api::call(&mut unsafe { Stack::new(state) }, shared)
}

unsafe extern "C-unwind" fn call(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: see `call_functions`; the error is on the top, and nothing is left here that has a destructor.
    unsafe {
        if run_command(state) != Called::Value {
            ffi::lua_error(state);
        }
    }
    1
}

unsafe extern "C-unwind" fn pcall(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `call`.
    unsafe {
        if run_command(state) == Called::Stop {
            ffi::lua_error(state);
        }
    }
    1
}

/// What a script is told in its midst.
pub(super) enum Interruption {
    /// To go on.
    None,
    /// To stand still.
    Yield,
    /// To end.
    Error(&'static str),
}

/// Called at every call, return and backward jump of a script; and by the collector, which is of no interest.
unsafe extern "C-unwind" fn interrupt(state: *mut ffi::lua_State, collecting: c_int) {
    if collecting >= 0 {
        return;
    }
    // SAFETY: `Machine::new` put the address there; the engine drops the interpreter before `Shared`.
    let shared = unsafe { &*ffi::lua_getthreaddata(ffi::lua_mainthread(state)).cast::<Shared>() };
    let interruption = {
        let _guard = NoPanic;
        if memory_bytes(state) > SCRIPT_MEMORY_BYTES_MAX && shared.is_running() {
            Interruption::Error("not enough memory")
        } else {
            shared.interruption(state.cast_const().cast())
        }
    };
    match interruption {
        Interruption::None => {}
        // SAFETY: the state is alive; it stands still where the interpreter says that it can.
        Interruption::Yield => unsafe {
            if ffi::lua_isyieldable(state) != 0 {
                ffi::lua_yield(state, 0);
            }
        },
        // SAFETY: there is room for the error, and nothing is left here that has a destructor.
        Interruption::Error(text) => unsafe {
            ffi::lua_rawcheckstack(state, 4);
            ffi::luaL_where(state, 0);
            ffi::lua_pushlstring_(state, text.as_ptr().cast(), text.len());
            ffi::lua_concat(state, 2);
            ffi::lua_error(state)
        },
    }
}
