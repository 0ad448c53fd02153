//! A safe view of the interpreter's stack: what functions written in Rust may do with their arguments and results.
//!
//! Only `machine` makes one, and only while the state behind it is alive. An index counts from 1 at the bottom, or from -1
//! at the top; one that names no value reads as nothing. Slices borrowed from the stack live as long as the shared borrow;
//! whatever could take a value off the stack needs `&mut self`, so a borrowed string cannot be collected meanwhile.
//!
//! Methods that allocate may leave by an exception of the interpreter (memory). It runs the destructors on its way, as a
//! panic would, and ends the call of the script that is under way.

use std::ffi::{CStr, c_char, c_int};

use mlua::ffi;

/// Items that a new table is given room for at the most; more come as they are put in.
const TABLE_ROOM_MAX: usize = 1 << 16;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No value, or `nil`.
    Nil,
    /// `true`, `false`
    Boolean,
    /// A double.
    Number,
    /// Bytes.
    String,
    /// A table.
    Table,
    /// Anything else.
    Other,
}

/// See the file's head.
pub(super) struct Stack {
    state: *mut ffi::lua_State,
}

impl Stack {
    /// A view of a state.
    ///
    /// # Safety
    /// The state is alive as long as the view, and nothing else uses its stack meanwhile.
    pub(super) unsafe fn new(state: *mut ffi::lua_State) -> Stack {
        Stack { state }
    }

    /// Number of values.
    pub(super) fn top(&self) -> i32 {
        // SAFETY: the state is alive (see `new`).
        unsafe { ffi::lua_gettop(self.state) }
    }

    /// Keeps the first `count` values, if there are more.
    pub(super) fn shorten(&mut self, count: i32) {
        if count < self.top() {
            // SAFETY: the count is not above the number of values.
            unsafe { ffi::lua_settop(self.state, count.max(0)) }
        }
    }

    /// Makes sure that values can be pushed.
    fn room(&self, count: i32) {
        // SAFETY: the state is alive; the stack grows, or an exception is raised.
        unsafe { ffi::lua_rawcheckstack(self.state, count) }
    }

    /// The index counted from the bottom; beyond the top when there is no such value.
    fn slot(&self, index: i32) -> c_int {
        let top = self.top();
        if index > 0 {
            index.min(top + 1)
        } else if index < 0 && -index <= top {
            top + index + 1
        } else {
            top + 1
        }
    }

    /// What the value is.
    pub(super) fn kind(&self, index: i32) -> Kind {
        // SAFETY: `slot` gives an index of a value, or the first one beyond, which reads as nothing.
        match unsafe { ffi::lua_type(self.state, self.slot(index)) } {
            ffi::LUA_TNONE | ffi::LUA_TNIL => Kind::Nil,
            ffi::LUA_TBOOLEAN => Kind::Boolean,
            ffi::LUA_TNUMBER => Kind::Number,
            ffi::LUA_TSTRING => Kind::String,
            ffi::LUA_TTABLE => Kind::Table,
            _ => Kind::Other,
        }
    }

    /// The bytes of a string.
    pub(super) fn bytes(&self, index: i32) -> Option<&[u8]> {
        if self.kind(index) != Kind::String {
            return None;
        }
        let mut length = 0;
        // SAFETY: the value is a string, so nothing is converted; it stays on the stack as long as the slice lives.
        unsafe {
            let start = ffi::lua_tolstring(self.state, self.slot(index), &mut length);
            Some(std::slice::from_raw_parts(start.cast::<u8>(), length))
        }
    }

    /// The value of a number.
    pub(super) fn number(&self, index: i32) -> Option<f64> {
        if self.kind(index) != Kind::Number {
            return None;
        }
        // SAFETY: the index names a number.
        Some(unsafe { ffi::lua_tonumberx(self.state, self.slot(index), std::ptr::null_mut()) })
    }

    /// False for nil, false and nothing.
    pub(super) fn is_true(&self, index: i32) -> bool {
        // SAFETY: as in `kind`.
        unsafe { ffi::lua_toboolean(self.state, self.slot(index)) != 0 }
    }

    /// Pushes nil.
    pub(super) fn push_nil(&mut self) {
        self.room(1);
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnil(self.state) }
    }

    /// Pushes a boolean.
    pub(super) fn push_boolean(&mut self, value: bool) {
        self.room(1);
        // SAFETY: there is room.
        unsafe { ffi::lua_pushboolean(self.state, c_int::from(value)) }
    }

    /// Pushes a number.
    pub(super) fn push_number(&mut self, value: f64) {
        self.room(1);
        // SAFETY: there is room.
        unsafe { ffi::lua_pushnumber(self.state, value) }
    }

    /// Pushes a string.
    pub(super) fn push_bytes(&mut self, value: &[u8]) {
        self.room(1);
        // SAFETY: there is room; the bytes are copied (or, if they are too many, an exception is raised).
        unsafe { ffi::lua_pushlstring_(self.state, value.as_ptr().cast::<c_char>(), value.len()) }
    }

    /// Pushes a value once more.
    pub(super) fn push_copy(&mut self, index: i32) {
        let slot = self.slot(index);
        if slot > self.top() {
            return self.push_nil();
        }
        self.room(1);
        // SAFETY: the index names a value and there is room.
        unsafe { ffi::lua_pushvalue(self.state, slot) }
    }

    /// Pushes a new table with room for so many items.
    pub(super) fn push_table(&mut self, items: usize, fields: usize) {
        self.room(1);
        let clip = |count: usize| count.min(TABLE_ROOM_MAX) as c_int;
        // SAFETY: there is room; the sizes are hints.
        unsafe { ffi::lua_createtable(self.state, clip(items), clip(fields)) }
    }

    /// Pushes the item of a table, without metamethods; nil if it is no table.
    pub(super) fn push_item(&mut self, table: i32, index: i32) -> Kind {
        let slot = self.slot(table);
        if self.kind(slot) != Kind::Table {
            self.push_nil();
            return Kind::Nil;
        }
        self.room(1);
        // SAFETY: the index names a table and there is room.
        unsafe { ffi::lua_rawgeti_(self.state, slot, index) };
        self.kind(-1)
    }

    /// Pushes the field of a table, without metamethods; nil if it is no table.
    pub(super) fn push_field(&mut self, table: i32, name: &CStr) -> Kind {
        let slot = self.slot(table);
        if self.kind(slot) != Kind::Table {
            self.push_nil();
            return Kind::Nil;
        }
        self.room(2);
        // SAFETY: the index names a table, the name ends with a zero, and there is room.
        unsafe { ffi::lua_rawgetfield(self.state, slot, name.as_ptr()) };
        self.kind(-1)
    }

    /// Pops a value into a new table's item.
    pub(super) fn set_item(&mut self, table: i32, index: i32) {
        let slot = self.slot(table);
        if slot < self.top() && self.is_open(slot) {
            // SAFETY: the index names a table below the value, which may be changed.
            unsafe { ffi::lua_rawseti_(self.state, slot, index) }
        }
    }

    /// Pops a value into a new table's field.
    pub(super) fn set_field(&mut self, table: i32, name: &CStr) {
        let slot = self.slot(table);
        if slot < self.top() && self.is_open(slot) {
            self.room(1);
            // SAFETY: the index names a table below the value, which may be changed; the name ends with a zero.
            unsafe { ffi::lua_rawsetfield(self.state, slot, name.as_ptr()) }
        }
    }

    /// Pops a value and the key below it into a new table. What cannot be a key (nil, not a number) is left out.
    pub(super) fn set_pair(&mut self, table: i32) {
        let slot = self.slot(table);
        let top = self.top();
        let is_key = match self.kind(-2) {
            Kind::Nil => false,
            Kind::Number => self.number(-2).is_some_and(|number| !number.is_nan()),
            _ => true,
        };
        if slot < top - 1 && is_key && self.is_open(slot) {
            // SAFETY: the index names a table below key and value, which may be changed; the key can be one.
            unsafe { ffi::lua_rawset(self.state, slot) }
        } else {
            self.shorten(top - 2);
        }
    }

    /// It is a table that may be changed.
    fn is_open(&self, slot: c_int) -> bool {
        // SAFETY: `slot` names a table when it is asked whether that is read-only.
        self.kind(slot) == Kind::Table && unsafe { ffi::lua_getreadonly(self.state, slot) == 0 }
    }

    /// Replaces the key on the top by the next key and its value; at the end the key is popped and the answer is false.
    /// Begin with nil; a key that this returned must be on the top otherwise.
    pub(super) fn next(&mut self, table: i32) -> bool {
        let slot = self.slot(table);
        if self.kind(slot) != Kind::Table || slot >= self.top() {
            self.shorten(self.top() - 1);
            return false;
        }
        self.room(1);
        // SAFETY: the index names a table below the key and there is room. (An exception, if the key is not of the table.)
        unsafe { ffi::lua_next(self.state, slot) != 0 }
    }
}
