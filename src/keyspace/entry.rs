//! One key of the keyspace in one allocation: header, time of expiry, key, and the value when it is short.
//!
//! ```text
//! byte 0      kind (low nibble) and flags (high nibble)
//! bytes 1-3   access: the clock of the last use in seconds, or Redis' LFU counter, 24 bits
//! bytes 4-5   length of the key (flag LONG_KEY: it stands in eight bytes of its own instead)
//! bytes 6-7   bytes of the value part ("tail")
//! [8 bytes]   expiry, unix time in milliseconds (flag EXPIRES)
//! [8 bytes]   length of the key (flag LONG_KEY)
//! key bytes, then the tail: the string itself, an i64, or a `Box<Value>` as eight bytes
//! ```
//!
//! Invariants: the allocation's size is always `rounded(content)`, so it never has to be stored; a tail of kind `Boxed`
//! owns its `Value`; an entry belongs to exactly one `Db`. Only `keyspace/` may call this; every other layer sees `&Entry`.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::stdx::number::{self, INTEGER_TEXT_BYTES_MAX};
use crate::value::object::{Collection, LongString, ObjectType, Value};
use crate::value::table::prefetch_line;

const HEADER_BYTES: usize = 8;
const KIND_MASK: u8 = 0x0f;
const FLAG_EXPIRES: u8 = 0x10;
const FLAG_LONG_KEY: u8 = 0x20;
const FLAG_FIELD_TIMES: u8 = 0x40;
const FLAG_MARKED: u8 = 0x80;
const KIND_INLINE: u8 = 0;
const KIND_INTEGER: u8 = 1;
const KIND_BOXED: u8 = 2;
/// Allocations are multiples of this, the allocator's own granularity, so nothing is lost by rounding.
const GRAIN_BYTES: usize = 16;
const ALIGN_BYTES: usize = 8;

/// Longest string kept inside its entry, in bytes; longer ones get a buffer of their own.
pub const INLINE_VALUE_BYTES_MAX: usize = 4096;

/// Longest string that OBJECT ENCODING calls "embstr", in bytes (Redis' OBJ_ENCODING_EMBSTR_SIZE_LIMIT).
const EMBEDDED_STRING_BYTES_MAX: usize = 44;

/// What an entry's value is, by reference.
#[derive(Debug)]
pub enum ValueRef<'a> {
    /// A short string inside the entry.
    Inline(&'a [u8]),
    /// A string that is the canonical decimal form of this number.
    Integer(i64),
    /// Anything else.
    Boxed(&'a Value),
}

/// A string value, a long one so that it can be edited or shared.
#[derive(Debug)]
pub enum StringValue<'a> {
    /// A short string inside the entry.
    Short(&'a [u8]),
    /// A string that is the canonical decimal form of this number.
    Integer(i64),
    /// A string in a buffer of its own.
    Long(&'a mut LongString),
    /// The value is of another type.
    Other,
}

impl StringValue<'_> {
    /// The bytes; `scratch` receives the digits of an integer. None when the value is no string.
    pub fn bytes<'s>(&'s self, scratch: &'s mut [u8; INTEGER_TEXT_BYTES_MAX]) -> Option<&'s [u8]> {
        match self {
            StringValue::Short(bytes) => Some(bytes),
            StringValue::Integer(integer) => Some(number::format_i64(scratch, *integer)),
            StringValue::Long(string) => Some(string.as_bytes()),
            StringValue::Other => None,
        }
    }
}

/// What a new entry's value shall be.
pub enum NewValue<'a> {
    /// A string of at most `INLINE_VALUE_BYTES_MAX` bytes.
    Inline(&'a [u8]),
    /// A string that is the canonical decimal form of this number.
    Integer(i64),
    /// Anything else.
    Boxed(Box<Value>),
}

impl NewValue<'_> {
    #[inline]
    fn tail_len(&self) -> usize {
        match self {
            NewValue::Inline(bytes) => bytes.len(),
            NewValue::Integer(_) | NewValue::Boxed(_) => 8,
        }
    }
}

/// An owned pointer to an entry, as the tables keep it. Copyable because tables hold it twice (keys and expiries);
/// the keys' table is the owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryPointer(NonNull<u8>);

/// An entry seen from above: key, value, expiry, access.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    at: NonNull<u8>,
    lifetime: PhantomData<&'a u8>,
}

const fn rounded(content_bytes: usize) -> usize {
    (content_bytes + GRAIN_BYTES - 1) & !(GRAIN_BYTES - 1)
}

fn layout_of(content_bytes: usize) -> Layout {
    Layout::from_size_align(rounded(content_bytes), ALIGN_BYTES).expect("an entry is far smaller than isize::MAX")
}

impl EntryPointer {
    /// Allocates an entry. `access` is the 24-bit access field.
    pub fn create(key: &[u8], value: NewValue<'_>, expire_at_ms: Option<i64>, access: u32) -> EntryPointer {
        let long_key = key.len() > u16::MAX as usize;
        let tail_len = value.tail_len();
        assert!(tail_len <= INLINE_VALUE_BYTES_MAX, "longer strings are boxed");
        let prefix = HEADER_BYTES + 8 * (expire_at_ms.is_some() as usize) + 8 * (long_key as usize);
        let layout = layout_of(prefix + key.len() + tail_len);
        // SAFETY: the layout has a non-zero size (the header alone is 8 bytes).
        let raw = unsafe { alloc(layout) };
        let Some(at) = NonNull::new(raw) else { handle_alloc_error(layout) };
        let kind = match value {
            NewValue::Inline(_) => KIND_INLINE,
            NewValue::Integer(_) => KIND_INTEGER,
            NewValue::Boxed(_) => KIND_BOXED,
        };
        let flags = if expire_at_ms.is_some() { FLAG_EXPIRES } else { 0 } | if long_key { FLAG_LONG_KEY } else { 0 };
        let key_len = if long_key { 0 } else { key.len() as u16 };
        // SAFETY: all writes lie inside the allocation made above, whose size covers header, optional words, key and tail.
        unsafe {
            let base = at.as_ptr();
            base.write(kind | flags);
            base.add(4).cast::<u16>().write(key_len);
            base.add(6).cast::<u16>().write(tail_len as u16);
            let mut offset = HEADER_BYTES;
            if let Some(ms) = expire_at_ms {
                base.add(offset).cast::<i64>().write(ms);
                offset += 8;
            }
            if long_key {
                base.add(offset).cast::<u64>().write(key.len() as u64);
                offset += 8;
            }
            base.add(offset).copy_from_nonoverlapping(key.as_ptr(), key.len());
            let tail = base.add(offset + key.len());
            match value {
                NewValue::Inline(bytes) => tail.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()),
                NewValue::Integer(number) => tail.cast::<i64>().write_unaligned(number),
                NewValue::Boxed(boxed) => tail.cast::<*mut Value>().write_unaligned(Box::into_raw(boxed)),
            }
        }
        let mut pointer = EntryPointer(at);
        pointer.set_access(access);
        pointer
    }

    /// The pointer as the table keeps it.
    pub fn as_raw(self) -> NonNull<u8> {
        self.0
    }

    /// # Safety
    /// `at` must come from `as_raw` of an entry that has not been freed.
    pub unsafe fn from_raw(at: NonNull<u8>) -> EntryPointer {
        EntryPointer(at)
    }

    /// The entry behind the pointer.
    ///
    /// # Safety
    /// The entry must not be freed, moved or changed while the reference lives.
    pub unsafe fn entry<'a>(self) -> Entry<'a> {
        Entry { at: self.0, lifetime: PhantomData }
    }

    #[inline]
    fn view(&self) -> Entry<'_> {
        Entry { at: self.0, lifetime: PhantomData }
    }

    /// Sets the 24-bit access field.
    pub fn set_access(&mut self, access: u32) {
        // SAFETY: bytes 1 to 3 of a live entry are the access field.
        unsafe {
            let bytes = access.to_le_bytes();
            self.0.as_ptr().add(1).copy_from_nonoverlapping(bytes.as_ptr(), 3);
        }
    }

    /// Overwrites the value in place when the allocation keeps its size and nothing boxed is involved; else false.
    pub fn try_overwrite(&mut self, value: &NewValue<'_>) -> bool {
        let view = self.view();
        let (old_kind, prefix, old_tail) = (view.kind(), view.tail_offset(), view.tail_len());
        if old_kind == KIND_BOXED || matches!(value, NewValue::Boxed(_)) {
            return false;
        }
        let tail_len = value.tail_len();
        if tail_len > INLINE_VALUE_BYTES_MAX || rounded(prefix + tail_len) != rounded(prefix + old_tail) {
            return false;
        }
        // SAFETY: the allocation has rounded(prefix + old_tail) bytes, which equals rounded(prefix + tail_len); the old
        // tail owns nothing (not boxed); `value` cannot alias the entry because callers hold it by `&mut`.
        unsafe {
            let base = self.0.as_ptr();
            let tail = base.add(prefix);
            let kind = match value {
                NewValue::Inline(bytes) => {
                    tail.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                    KIND_INLINE
                }
                NewValue::Integer(number) => {
                    tail.cast::<i64>().write_unaligned(*number);
                    KIND_INTEGER
                }
                NewValue::Boxed(_) => unreachable!("refused above"),
            };
            base.write((*base & !KIND_MASK) | kind);
            base.add(6).cast::<u16>().write(tail_len as u16);
        }
        true
    }

    /// Sets the expiry of an entry that has one already; false when it has none (the entry must be rebuilt then).
    pub fn try_set_expiry(&mut self, expire_at_ms: i64) -> bool {
        if self.view().flags() & FLAG_EXPIRES == 0 {
            return false;
        }
        // SAFETY: with FLAG_EXPIRES the word after the header is the expiry; the allocation is 8-aligned.
        unsafe { self.0.as_ptr().add(HEADER_BYTES).cast::<i64>().write(expire_at_ms) };
        true
    }

    /// Overwrites an integer with another one; false when the value is no integer.
    #[inline]
    pub fn try_set_integer(&mut self, integer: i64) -> bool {
        let view = self.view();
        if view.kind() != KIND_INTEGER {
            return false;
        }
        // SAFETY: kind Integer: the tail is eight bytes that hold an i64; `&mut self` stands for sole access.
        unsafe { view.tail().cast_mut().cast::<i64>().write_unaligned(integer) };
        true
    }

    /// Marks the entry as one whose hash has fields that expire, or as none.
    pub fn set_field_times(&mut self, has_times: bool) {
        // SAFETY: the first byte of a live entry; `&mut self` stands for sole access.
        let byte = unsafe { self.0.as_mut() };
        *byte = if has_times { *byte | FLAG_FIELD_TIMES } else { *byte & !FLAG_FIELD_TIMES };
    }

    /// Marks the entry as one that a running snapshot passes over, or as none (`snapshot.rs`).
    pub fn set_marked(&mut self, is_marked: bool) {
        // SAFETY: the first byte of a live entry; `&mut self` stands for sole access.
        let byte = unsafe { self.0.as_mut() };
        *byte = if is_marked { *byte | FLAG_MARKED } else { *byte & !FLAG_MARKED };
    }

    /// The value as a string.
    ///
    /// # Safety
    /// As for `entry`; besides, nothing else may refer to the entry's value while the result lives.
    #[inline]
    pub unsafe fn string_value<'a>(self) -> StringValue<'a> {
        let view: Entry<'a> = Entry { at: self.0, lifetime: PhantomData };
        match view.kind() {
            KIND_INLINE => StringValue::Short(view.tail_bytes()),
            KIND_INTEGER => StringValue::Integer(view.integer()),
            // SAFETY: kind Boxed: the tail is the pointer of a live Box owned by this entry; sole access by contract.
            _ => match unsafe { &mut *view.tail().cast::<*mut Value>().read_unaligned() } {
                Value::String(string) => StringValue::Long(string),
                _ => StringValue::Other,
            },
        }
    }

    /// The boxed value for editing, if the value is boxed.
    pub fn boxed_mut(&mut self) -> Option<&mut Value> {
        let view = self.view();
        if view.kind() != KIND_BOXED {
            return None;
        }
        // SAFETY: kind Boxed: the tail is the raw pointer of a Box this entry owns; `&mut self` stands for sole access.
        unsafe { Some(&mut *view.tail().cast::<*mut Value>().read_unaligned()) }
    }

    /// Frees the entry and hands out its boxed value, if it had one, so that large ones can be freed in slices.
    ///
    /// # Safety
    /// No table may keep the pointer, and no reference to the entry may live.
    pub unsafe fn destroy(self) -> Option<Box<Value>> {
        let view = self.view();
        // SAFETY: kind Boxed: the tail owns the Box; it is taken exactly once because the entry is freed below.
        let boxed = (view.kind() == KIND_BOXED)
            .then(|| unsafe { Box::from_raw(view.tail().cast::<*mut Value>().read_unaligned()) });
        let content = view.tail_offset() + view.tail_len();
        // SAFETY: allocated by `create` with the layout of the same content size (kept by `try_overwrite`).
        unsafe { dealloc(self.0.as_ptr(), layout_of(content)) };
        boxed
    }

    /// A new entry with the same key and value and another expiry; the old one is freed.
    ///
    /// # Safety
    /// As for `destroy`: the caller replaces the pointer in every table before anyone looks at it again.
    pub unsafe fn rebuild_with_expiry(self, expire_at_ms: Option<i64>) -> EntryPointer {
        let view = self.view();
        let value = match view.kind() {
            KIND_INLINE => NewValue::Inline(view.tail_bytes()),
            KIND_INTEGER => NewValue::Integer(view.integer()),
            // SAFETY: ownership of the Box moves into the new entry; the old one is marked as owning nothing below.
            _ => NewValue::Boxed(unsafe { Box::from_raw(view.tail().cast::<*mut Value>().read_unaligned()) }),
        };
        let rebuilt = EntryPointer::create(view.key(), value, expire_at_ms, view.access());
        let content = view.tail_offset() + view.tail_len();
        // SAFETY: as in `destroy`; a boxed value has moved to `rebuilt` and is not dropped here.
        unsafe { dealloc(self.0.as_ptr(), layout_of(content)) };
        rebuilt
    }
}

impl<'a> Entry<'a> {
    #[inline]
    fn byte(&self, offset: usize) -> u8 {
        // SAFETY: only called with offsets inside the 8-byte header of a live entry.
        unsafe { *self.at.as_ptr().add(offset) }
    }

    #[inline]
    fn kind(&self) -> u8 {
        self.byte(0) & KIND_MASK
    }

    #[inline]
    fn flags(&self) -> u8 {
        self.byte(0) & !KIND_MASK
    }

    #[inline]
    fn tail_len(&self) -> usize {
        // SAFETY: bytes 6 and 7 of the header, 2-aligned because the allocation is 8-aligned.
        unsafe { self.at.as_ptr().add(6).cast::<u16>().read() as usize }
    }

    #[inline]
    fn key_offset(&self) -> usize {
        let flags = self.flags();
        HEADER_BYTES + if flags & FLAG_EXPIRES != 0 { 8 } else { 0 } + if flags & FLAG_LONG_KEY != 0 { 8 } else { 0 }
    }

    #[inline]
    fn key_len(&self) -> usize {
        // SAFETY: the header always holds the short length; with LONG_KEY the word before the key holds the long one.
        unsafe {
            if self.flags() & FLAG_LONG_KEY != 0 {
                self.at.as_ptr().add(self.key_offset() - 8).cast::<u64>().read() as usize
            } else {
                self.at.as_ptr().add(4).cast::<u16>().read() as usize
            }
        }
    }

    #[inline]
    fn tail_offset(&self) -> usize {
        self.key_offset() + self.key_len()
    }

    #[inline]
    fn tail(&self) -> *const u8 {
        // SAFETY: the tail lies inside the allocation by construction.
        unsafe { self.at.as_ptr().add(self.tail_offset()) }
    }

    #[inline]
    fn tail_bytes(&self) -> &'a [u8] {
        // SAFETY: `tail_len` bytes at the tail are initialised for kind Inline.
        unsafe { std::slice::from_raw_parts(self.tail(), self.tail_len()) }
    }

    #[inline]
    fn integer(&self) -> i64 {
        // SAFETY: kind Integer: the tail holds an i64.
        unsafe { self.tail().cast::<i64>().read_unaligned() }
    }

    /// Asks for the cache lines behind the first one; of a long value only the first ones, the processor sees to the rest.
    #[inline]
    pub fn prefetch_rest(&self) {
        const LINE_BYTES: usize = 64;
        const LINES_MAX: usize = 4;
        let end = (self.tail_offset() + self.tail_len()).min(LINES_MAX * LINE_BYTES);
        let mut offset = LINE_BYTES - self.at.as_ptr() as usize % LINE_BYTES;
        while offset < end {
            prefetch_line(self.at.as_ptr().wrapping_add(offset));
            offset += LINE_BYTES;
        }
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &'a [u8] {
        // SAFETY: `key_len` initialised bytes stand at `key_offset`.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr().add(self.key_offset()), self.key_len()) }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'a> {
        match self.kind() {
            KIND_INLINE => ValueRef::Inline(self.tail_bytes()),
            KIND_INTEGER => ValueRef::Integer(self.integer()),
            // SAFETY: kind Boxed: the tail is the pointer of a live Box owned by this entry.
            _ => ValueRef::Boxed(unsafe { &*self.tail().cast::<*const Value>().read_unaligned() }),
        }
    }

    /// The type of the value.
    pub fn object_type(&self) -> ObjectType {
        match self.value() {
            ValueRef::Inline(_) | ValueRef::Integer(_) => ObjectType::String,
            ValueRef::Boxed(value) => value.object_type(),
        }
    }

    /// How the value is kept, in the words of OBJECT ENCODING. Strings inside the entry go by Redis' limit, not ours.
    pub fn encoding(&self) -> &'static str {
        match self.value() {
            ValueRef::Integer(_) => "int",
            ValueRef::Inline(bytes) if bytes.len() <= EMBEDDED_STRING_BYTES_MAX => "embstr",
            ValueRef::Inline(_) => "raw",
            ValueRef::Boxed(value) => value.encoding(),
        }
    }

    /// When the key expires, unix time in milliseconds.
    pub fn expire_at_ms(&self) -> Option<i64> {
        // SAFETY: with FLAG_EXPIRES the word after the header is the expiry.
        (self.flags() & FLAG_EXPIRES != 0).then(|| unsafe { self.at.as_ptr().add(HEADER_BYTES).cast::<i64>().read() })
    }

    /// Whether the entry is marked as one whose hash has fields that expire.
    #[inline]
    pub fn has_field_times(&self) -> bool {
        self.flags() & FLAG_FIELD_TIMES != 0
    }

    /// Whether a running snapshot passes over the entry.
    #[inline]
    pub fn is_marked(&self) -> bool {
        self.flags() & FLAG_MARKED != 0
    }

    /// Whether the key's time has come.
    #[inline]
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.expire_at_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// The 24-bit access field.
    pub fn access(&self) -> u32 {
        u32::from_le_bytes([self.byte(1), self.byte(2), self.byte(3), 0])
    }

    /// Bytes of memory the entry takes, its boxed value included.
    pub fn memory_bytes(&self) -> usize {
        let own = rounded(self.tail_offset() + self.tail_len());
        match self.value() {
            ValueRef::Boxed(value) => own + value.memory_bytes(),
            _ => own,
        }
    }

    /// The collection, if the value is one of this type.
    #[inline]
    pub fn collection<T: Collection>(&self) -> Option<&'a T> {
        match self.value() {
            ValueRef::Boxed(value) => T::of(value),
            _ => None,
        }
    }

    /// Length of a string value in bytes; none for other types.
    pub fn string_len(&self) -> Option<usize> {
        match self.value() {
            ValueRef::Inline(bytes) => Some(bytes.len()),
            ValueRef::Integer(integer) => Some(number::signed_digits_count(integer)),
            ValueRef::Boxed(Value::String(string)) => Some(string.as_bytes().len()),
            ValueRef::Boxed(_) => None,
        }
    }

    /// The bytes of a string that is not an integer; `scratch` receives the digits of one that is.
    pub fn string_bytes<'s>(&self, scratch: &'s mut [u8; INTEGER_TEXT_BYTES_MAX]) -> Option<&'s [u8]>
    where
        'a: 's,
    {
        match self.value() {
            ValueRef::Inline(bytes) => Some(bytes),
            ValueRef::Integer(integer) => Some(number::format_i64(scratch, integer)),
            ValueRef::Boxed(Value::String(string)) => Some(string.as_bytes()),
            ValueRef::Boxed(_) => None,
        }
    }
}

impl LongString {
    /// The value that keeps `bytes` outside its entry.
    pub fn boxed(self) -> NewValue<'static> {
        NewValue::Boxed(Box::new(Value::String(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(pointer: EntryPointer) {
        // SAFETY: the tests keep no other pointer to the entry.
        drop(unsafe { pointer.destroy() });
    }

    #[test]
    fn what_goes_in_comes_out() {
        let long_key = vec![b'k'; 70_000];
        for key in [&b""[..], b"k", b"some key", &long_key] {
            for expiry in [None, Some(0), Some(i64::MAX), Some(-5)] {
                let pointer = EntryPointer::create(key, NewValue::Inline(b"hello"), expiry, 0xabcdef);
                let entry = pointer.view();
                assert_eq!(entry.key(), key);
                assert_eq!(entry.expire_at_ms(), expiry);
                assert_eq!(entry.access(), 0xabcdef);
                assert!(matches!(entry.value(), ValueRef::Inline(b"hello")));
                free(pointer);
                let pointer = EntryPointer::create(key, NewValue::Integer(-42), expiry, 1);
                assert!(matches!(pointer.view().value(), ValueRef::Integer(-42)));
                free(pointer);
            }
        }
    }

    #[test]
    fn a_boxed_value_moves_with_its_entry() {
        let value = LongString::Private(vec![b'x'; 10_000]).boxed();
        let pointer = EntryPointer::create(b"key", value, None, 7);
        // SAFETY: no other pointer or reference exists.
        let mut pointer = unsafe { pointer.rebuild_with_expiry(Some(99)) };
        assert_eq!(pointer.view().expire_at_ms(), Some(99));
        assert_eq!(pointer.view().string_len(), Some(10_000));
        let Some(Value::String(string)) = pointer.boxed_mut() else { panic!("boxed") };
        string.edit().push(b'y');
        assert_eq!(pointer.view().string_len(), Some(10_001));
        free(pointer);
    }

    #[test]
    fn overwriting_in_place_only_within_the_same_allocation() {
        let mut pointer = EntryPointer::create(b"0123456789", NewValue::Inline(b"ab"), Some(5), 0);
        assert!(pointer.try_overwrite(&NewValue::Inline(b"cdef")));
        assert!(matches!(pointer.view().value(), ValueRef::Inline(b"cdef")));
        assert!(!pointer.try_overwrite(&NewValue::Inline(&[0; 40])));
        assert_eq!(pointer.view().expire_at_ms(), Some(5));
        assert!(pointer.try_set_expiry(6));
        assert_eq!(pointer.view().expire_at_ms(), Some(6));
        free(pointer);
    }
}
