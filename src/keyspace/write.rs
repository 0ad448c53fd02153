//! The write guard: the only way to change a key. Dropping it records the change; nothing else records writes.
//!
//! Called by the command families through their context.

use bytes::Bytes;

use crate::stdx::limits::SHARED_VALUE_BYTES_MIN;
use crate::stdx::number;
use crate::value::object::{Collection, LongString, Value};

use super::database::{Keyspace, Turn, hash_of_entry};
use super::entry::{Entry, EntryPointer, INLINE_VALUE_BYTES_MAX, NewValue, StringValue, ValueRef};
use super::hash::Key;

/// What happens to a key's expiry when its value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The key keeps what it has.
    Keep,
    /// The key does not expire.
    Never,
    /// Unix time in milliseconds.
    At(i64),
}

/// The key holds a value of another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherType;

/// Sole access to one key for writing.
pub struct KeyWrite<'k> {
    pub(super) keyspace: &'k mut Keyspace,
    pub(super) database: u32,
    pub(super) key: Key<'k>,
    pub(super) turn: Turn,
    pub(super) pointer: Option<EntryPointer>,
    changes: u32,
    /// Changed, besides what is counted.
    changed_uncounted: bool,
    /// What stands at the key may have got or lost elements that expire, so the index must be looked at.
    pub(super) may_have_field_times: bool,
}

impl Keyspace {
    /// Opens a key for writing, which is a use of it; one whose time has come is removed first.
    #[inline]
    pub fn write<'k>(&'k mut self, database: u32, key: Key<'k>, turn: Turn) -> KeyWrite<'k> {
        // A writer may change the key, so it may as well remove it.
        let mut pointer = self.find_live(database, &key, Turn { keep_expired: false, ..turn });
        if turn.touch
            && let Some(pointer) = &mut pointer
        {
            self.touch(pointer, turn.now_ms);
        }
        if self.snapshot.is_some()
            && let Some(pointer) = pointer
        {
            self.write_early(database, key.hash, pointer);
        }
        KeyWrite {
            keyspace: self,
            database,
            key,
            turn,
            pointer,
            changes: 0,
            changed_uncounted: false,
            may_have_field_times: false,
        }
    }
}

impl Keyspace {
    /// Takes a key in from a file; no change that anybody counts. False when it is there already and may not be replaced.
    pub fn load(&mut self, database: u32, key: Key<'_>, taken: Taken, replaces: bool, now_ms: i64) -> bool {
        let mut guard = self.write(database, key, Turn::at(now_ms, false));
        if guard.exists() && !replaces {
            return false;
        }
        guard.put(taken);
        guard.changes = 0;
        true
    }
}

impl KeyWrite<'_> {
    /// The key's entry, if it exists.
    pub fn entry(&self) -> Option<Entry<'_>> {
        // SAFETY: the guard has sole access to the keyspace; the entry is only changed through `&mut self`.
        self.pointer.map(|pointer| unsafe { pointer.entry() })
    }

    /// Whether the key exists.
    #[inline]
    pub fn exists(&self) -> bool {
        self.pointer.is_some()
    }

    /// The key's value as a string, if it exists.
    #[inline]
    pub fn string(&mut self) -> Option<StringValue<'_>> {
        // SAFETY: the guard has sole access to the keyspace, and the result keeps the guard borrowed.
        self.pointer.map(|pointer| unsafe { pointer.string_value() })
    }

    /// As `string`, counted as a read that hit or missed (commands that return what they replace).
    pub fn read_string(&mut self) -> Option<StringValue<'_>> {
        match self.pointer {
            Some(_) => self.keyspace.counters.hits += 1,
            None => self.keyspace.counters.misses += 1,
        }
        self.string()
    }

    /// Sets a string. It becomes an integer when it is the canonical form of one; a long one gets a buffer of its own.
    pub fn set_string(&mut self, bytes: &[u8], expiry: Expiry) {
        if let Some(integer) = number::parse_i64(bytes) {
            self.set_value(NewValue::Integer(integer), expiry);
        } else {
            self.set_text(bytes, expiry);
        }
    }

    /// As `set_string` for bytes that already have a buffer of their own: a large one is kept without copying.
    pub fn set_shared(&mut self, bytes: Bytes, expiry: Expiry) {
        if bytes.len() < SHARED_VALUE_BYTES_MIN {
            self.set_string(&bytes, expiry);
        } else {
            self.set_value(LongString::Shared(bytes).boxed(), expiry);
        }
    }

    /// Sets a string that is an integer; one that stands there already is overwritten in place.
    #[inline]
    pub fn set_integer(&mut self, integer: i64, expiry: Expiry) {
        if expiry == Expiry::Keep
            && let Some(pointer) = &mut self.pointer
            && pointer.try_set_integer(integer)
        {
            self.changes += 1;
            return;
        }
        self.set_value(NewValue::Integer(integer), expiry);
    }

    /// Sets a string that stays text even when it is a number (INCRBYFLOAT, whose results Redis keeps as text).
    pub fn set_text(&mut self, bytes: &[u8], expiry: Expiry) {
        if bytes.len() <= INLINE_VALUE_BYTES_MAX {
            self.set_value(NewValue::Inline(bytes), expiry);
        } else {
            self.set_value(LongString::Private(bytes.to_vec()).boxed(), expiry);
        }
    }

    /// Sets any value.
    pub fn set_value(&mut self, value: NewValue<'_>, expiry: Expiry) {
        self.changes += 1;
        self.may_have_field_times |= matches!(value, NewValue::Boxed(_));
        let Some(mut old) = self.pointer else {
            let at_ms = if let Expiry::At(at_ms) = expiry { Some(at_ms) } else { None };
            let access = self.keyspace.access_of_new(self.turn.now_ms);
            self.insert(value, at_ms, access);
            return;
        };
        // SAFETY: the guard's pointer is live.
        let old_at_ms = unsafe { old.entry() }.expire_at_ms();
        let at_ms = match expiry {
            Expiry::Keep => old_at_ms,
            Expiry::Never => None,
            Expiry::At(at_ms) => Some(at_ms),
        };
        if old_at_ms.is_some() == at_ms.is_some() && old.try_overwrite(&value) {
            if let Some(at_ms) = at_ms {
                old.try_set_expiry(at_ms);
            }
            return;
        }
        // SAFETY: as above.
        let access = unsafe { old.entry() }.access();
        let new = EntryPointer::create(self.key.bytes, value, at_ms, access);
        self.replace(old, new, old_at_ms.is_some(), at_ms.is_some());
        // SAFETY: `replace` took the old pointer out of every table.
        if let Some(value) = unsafe { old.destroy() } {
            self.keyspace.graveyard.bury(*value);
        }
    }

    /// The string in a buffer of its own, for editing in place (`raw` in Redis' terms); an absent key becomes an empty
    /// string first. None when the key holds another type. The edit counts as a change.
    pub fn edit_string(&mut self) -> Option<&mut Vec<u8>> {
        self.become_raw()?;
        self.changes += 1;
        self.boxed_string()
    }

    /// As `edit_string`, but nothing is counted: `changed` must tell what was.
    pub fn raw_string(&mut self) -> Option<&mut Vec<u8>> {
        self.become_raw()?;
        self.boxed_string()
    }

    /// Gives the string a buffer of its own.
    fn become_raw(&mut self) -> Option<()> {
        if let Some(ValueRef::Boxed(value)) = self.entry().map(|entry| entry.value()) {
            return matches!(value, Value::String(_)).then_some(());
        }
        let mut scratch = [0; number::INTEGER_TEXT_BYTES_MAX];
        let bytes = match self.entry() {
            Some(entry) => entry.string_bytes(&mut scratch)?.to_vec(),
            None => Vec::new(),
        };
        self.set_value(LongString::Private(bytes).boxed(), Expiry::Keep);
        self.changes -= 1;
        Some(())
    }

    fn boxed_string(&mut self) -> Option<&mut Vec<u8>> {
        match self.pointer.as_mut()?.boxed_mut()? {
            Value::String(string) => Some(string.edit()),
            _ => None,
        }
    }

    /// The key's collection of this type; none when there is no key. `Err` when the key holds another type. A change must be
    /// counted with `changed`, and what was emptied removed with `remove_if_empty`.
    pub fn collection<T: Collection>(&mut self) -> Result<Option<&mut T>, OtherType> {
        self.may_have_field_times |= T::HAS_FIELD_TIMES;
        match &mut self.pointer {
            None => Ok(None),
            Some(pointer) => pointer.boxed_mut().and_then(T::of_mut).map(Some).ok_or(OtherType),
        }
    }

    /// As `collection`; an absent key first becomes what `make` returns. Never leave it empty.
    pub fn collection_or<T: Collection>(&mut self, make: impl FnOnce() -> T) -> Result<&mut T, OtherType> {
        if self.pointer.is_none() {
            self.set_value(NewValue::Boxed(Box::new(make().into_value())), Expiry::Never);
            self.changes -= 1;
        }
        self.collection()?.ok_or(OtherType)
    }

    /// As `collection`, counted as a read that hit or missed (commands that return what they take).
    pub fn read_collection<T: Collection>(&mut self) -> Result<Option<&mut T>, OtherType> {
        match self.pointer {
            Some(_) => self.keyspace.counters.hits += 1,
            None => self.keyspace.counters.misses += 1,
        }
        self.collection()
    }

    /// Puts a collection in the place of whatever the key holds (the *STORE commands); an empty one removes the key. One
    /// change, or none when there was nothing to remove.
    pub fn store<T: Collection>(&mut self, collection: T, expiry: Expiry) {
        if collection.is_empty() {
            self.remove();
        } else {
            self.set_value(NewValue::Boxed(Box::new(collection.into_value())), expiry);
        }
    }

    /// Counts changes made to a collection in place (INFO's `rdb_changes_since_last_save` counts elements as Redis does).
    pub fn changed(&mut self, count: usize) {
        self.changes += count as u32;
    }

    /// The key was changed, but that is counted at another key (where a move came from), or is no change that Redis counts.
    pub fn changed_uncounted(&mut self) {
        self.changed_uncounted = true;
    }

    /// Changes are recorded: `effect` is of use.
    #[inline]
    pub fn is_recorded(&self) -> bool {
        self.keyspace.journal.is_on()
    }

    /// The key's name.
    pub fn name(&self) -> &[u8] {
        self.key.bytes
    }

    /// What the log is told instead of the command that runs: the name of another one, which gets this key and these
    /// arguments. For what depends on the clock, on chance, or on who was served; several are recorded as one.
    pub fn effect(&mut self, name: &str, words: &[&[u8]]) {
        self.effect_of(name, words.len(), words.iter().copied());
    }

    /// As `effect` for a command whose name is more than one word.
    pub fn effect_words(&mut self, names: &[&[u8]], words: &[&[u8]]) {
        if self.is_recorded() {
            let Keyspace { journal, .. } = &mut *self.keyspace;
            let all = names.iter().copied().chain([self.key.bytes]).chain(words.iter().copied());
            journal.effects.push(self.database, names.len() + 1 + words.len(), all);
        }
    }

    /// As `effect`, with a number behind the key.
    pub fn effect_number(&mut self, name: &str, number: i64) {
        self.effect(name, &[number::format_i64(&mut [0; number::INTEGER_TEXT_BYTES_MAX], number)]);
    }

    /// As `effect`, for arguments that are not at hand together; `len` of them.
    pub fn effect_of<'w>(&mut self, name: &str, len: usize, words: impl Iterator<Item = &'w [u8]>) {
        if self.is_recorded() {
            let Keyspace { journal, .. } = &mut *self.keyspace;
            journal.effects.push_behind(self.database, &[name.as_bytes(), self.key.bytes], len, words);
        }
    }

    /// Removes the key if its collection has no element left; it counts as part of the change that emptied it.
    pub fn remove_if_empty<T: Collection>(&mut self) -> bool {
        let is_empty = matches!(self.collection::<T>(), Ok(Some(collection)) if collection.is_empty());
        if is_empty {
            self.remove();
            self.changes -= 1;
        }
        is_empty
    }

    /// Sets or removes the key's expiry; false when the key does not exist.
    pub fn set_expiry(&mut self, at_ms: Option<i64>) -> bool {
        let Some(mut old) = self.pointer else { return false };
        self.changes += 1;
        // SAFETY: the guard's pointer is live.
        let had = unsafe { old.entry() }.expire_at_ms().is_some();
        match at_ms {
            Some(at_ms) if had => {
                old.try_set_expiry(at_ms);
            }
            None if !had => {}
            _ => {
                // SAFETY: `replace_rebuilt` exchanges the pointer in every table before anyone looks.
                let new = unsafe { self.rebuild(old, at_ms, had) };
                self.created(new);
            }
        }
        true
    }

    /// Removes the key; false when it does not exist.
    pub fn remove(&mut self) -> bool {
        let Some(pointer) = self.pointer.take() else { return false };
        self.changes += 1;
        self.keyspace.remove_entry(self.database, self.key.hash, pointer);
        true
    }

    /// Takes the value out of the key for a move to another one (RENAME, MOVE), with its expiry and access field. The
    /// move is one change, which is counted where the value is put.
    pub fn take(&mut self) -> Option<Taken> {
        let pointer = self.pointer.take()?;
        // SAFETY: the guard's pointer is live.
        let entry = unsafe { pointer.entry() };
        let (expire_at_ms, access) = (entry.expire_at_ms(), Some(entry.access()));
        let short = match entry.value() {
            ValueRef::Inline(bytes) => Some(TakenValue::Inline(bytes.into())),
            ValueRef::Integer(integer) => Some(TakenValue::Integer(integer)),
            ValueRef::Boxed(_) => None,
        };
        let boxed = self.keyspace.unlink_entry(self.database, self.key.hash, pointer);
        let value = short.or(boxed.map(TakenValue::Boxed))?;
        Some(Taken { value, expire_at_ms, access })
    }

    /// Puts a value that was taken from another key, with its expiry; whatever the key held is removed. One change.
    pub fn put(&mut self, taken: Taken) {
        if let Some(old) = self.pointer.take() {
            self.keyspace.remove_entry(self.database, self.key.hash, old);
        }
        self.changes += 1;
        let value = match &taken.value {
            TakenValue::Inline(bytes) => NewValue::Inline(bytes),
            TakenValue::Integer(integer) => NewValue::Integer(*integer),
            TakenValue::Boxed(_) => {
                let TakenValue::Boxed(boxed) = taken.value else { unreachable!("matched above") };
                NewValue::Boxed(boxed)
            }
        };
        let access = taken.access.unwrap_or_else(|| self.keyspace.access_of_new(self.turn.now_ms));
        self.insert(value, taken.expire_at_ms, access);
    }

    fn insert(&mut self, value: NewValue<'_>, at_ms: Option<i64>, access: u32) {
        self.may_have_field_times |= matches!(value, NewValue::Boxed(_));
        let new = EntryPointer::create(self.key.bytes, value, at_ms, access);
        let Keyspace { databases, hasher, .. } = &mut *self.keyspace;
        let rehash = |at| hash_of_entry(hasher, at);
        let tables = &mut databases[self.database as usize];
        tables.keys.insert(self.key.hash, new.as_raw(), rehash);
        if at_ms.is_some() {
            tables.expires.insert(self.key.hash, new.as_raw(), rehash);
        }
        self.created(new);
    }

    /// The key has a new entry.
    fn created(&mut self, new: EntryPointer) {
        self.pointer = Some(new);
        if self.keyspace.snapshot.is_some() {
            self.keyspace.mark_new(self.database, self.key.hash, new);
        }
    }

    fn replace(&mut self, old: EntryPointer, new: EntryPointer, had_expiry: bool, has_expiry: bool) {
        let Keyspace { databases, hasher, .. } = &mut *self.keyspace;
        let rehash = |at| hash_of_entry(hasher, at);
        let tables = &mut databases[self.database as usize];
        tables.keys.replace(self.key.hash, old.as_raw(), new.as_raw());
        match (had_expiry, has_expiry) {
            (true, true) => tables.expires.replace(self.key.hash, old.as_raw(), new.as_raw()),
            (true, false) => {
                tables.expires.remove(self.key.hash, old.as_raw(), rehash);
            }
            (false, true) => tables.expires.insert(self.key.hash, new.as_raw(), rehash),
            (false, false) => {}
        }
        // SAFETY: the old entry is freed by the caller afterwards.
        if unsafe { old.entry() }.has_field_times() {
            tables.field_expires.remove(self.key.hash, old.as_raw(), rehash);
        }
        self.created(new);
    }

    /// # Safety
    /// `old` must be the live entry of this guard.
    unsafe fn rebuild(&mut self, old: EntryPointer, at_ms: Option<i64>, had: bool) -> EntryPointer {
        let Keyspace { databases, hasher, .. } = &mut *self.keyspace;
        let tables = &mut databases[self.database as usize];
        if had {
            // Before the rebuild frees the old entry: a merge in `remove` may rehash entries.
            tables.expires.remove(self.key.hash, old.as_raw(), |at| hash_of_entry(hasher, at));
        }
        // SAFETY: by contract `old` is live.
        if unsafe { old.entry() }.has_field_times() {
            // The new entry, which is not marked, gets into the index when the guard is dropped.
            tables.field_expires.remove(self.key.hash, old.as_raw(), |at| hash_of_entry(hasher, at));
            self.may_have_field_times = true;
        }
        let old_raw = old.as_raw();
        // SAFETY: by contract `old` is live; its pointer is replaced in the keys' table in the next statement, and
        // `Table::replace` compares pointers without looking behind them.
        let new = unsafe { old.rebuild_with_expiry(at_ms) };
        tables.keys.replace(self.key.hash, old_raw, new.as_raw());
        if at_ms.is_some() {
            tables.expires.insert(self.key.hash, new.as_raw(), |at| hash_of_entry(hasher, at));
        }
        new
    }
}

impl Drop for KeyWrite<'_> {
    fn drop(&mut self) {
        self.keyspace.counters.changes += u64::from(self.changes);
        if self.may_have_field_times {
            self.index_fields();
        }
        if self.changes > 0 || self.changed_uncounted {
            self.keyspace.journal.changes += 1;
            self.keyspace.report(self.database, self.key.bytes);
        }
    }
}

enum TakenValue {
    Inline(Box<[u8]>),
    Integer(i64),
    Boxed(Box<Value>),
}

/// A value on its way from one key to another.
pub struct Taken {
    value: TakenValue,
    /// The expiry it takes along, unix time in milliseconds.
    pub expire_at_ms: Option<i64>,
    /// None for a copy, which begins its life where it is put.
    access: Option<u32>,
}

impl Taken {
    /// A copy of a key's value with its expiry (COPY). A buffer that is shared already is shared once more.
    pub fn copy_of(entry: &Entry<'_>) -> Taken {
        let value = match entry.value() {
            ValueRef::Inline(bytes) => TakenValue::Inline(bytes.into()),
            ValueRef::Integer(integer) => TakenValue::Integer(integer),
            ValueRef::Boxed(value) => TakenValue::Boxed(Box::new(value.copy())),
        };
        Taken { value, expire_at_ms: entry.expire_at_ms(), access: None }
    }

    /// A string from outside, without expiry.
    pub fn of_string(bytes: &[u8]) -> Taken {
        let value = match number::parse_i64(bytes) {
            Some(integer) => TakenValue::Integer(integer),
            None if bytes.len() <= INLINE_VALUE_BYTES_MAX => TakenValue::Inline(bytes.into()),
            None => TakenValue::Boxed(Box::new(Value::String(LongString::Private(bytes.to_vec())))),
        };
        Taken { value, expire_at_ms: None, access: None }
    }

    /// A value of another type from outside, without expiry.
    pub fn of_value(value: Value) -> Taken {
        Taken { value: TakenValue::Boxed(Box::new(value)), expire_at_ms: None, access: None }
    }

    /// The same with an access field (`Keyspace::access_as_of`), if there is one.
    pub fn with_access(self, access: Option<u32>) -> Taken {
        Taken { access: access.or(self.access), ..self }
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
