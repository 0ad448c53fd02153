//! `Hash`: a hash, small as a listpack (`hash/packed.rs`), large as a table (`hash/fields.rs`). Fields may expire.
//!
//! A field whose time has come is there until somebody removes it (`expire`, `expire_field`): it counts in `len`, as in
//! Redis, but `get`, `iter`, `scan` and `sample` do not show it. Who changes a field must remove it first when it is due.
//! Called by `keyspace/`, by the command family, and by what writes and reads RDB files.

use crate::stdx::random::Random;

use super::listpack::{Element, Listpack};
use super::member_table::MemberTable;
use super::object::{Collection, collection_conversions};

#[path = "hash/fields.rs"]
mod fields;
#[path = "hash/packed.rs"]
mod packed;
#[path = "hash/sample.rs"]
mod sample;
#[cfg(test)]
#[path = "hash/tests.rs"]
mod tests;

use fields::Fields;
use packed::Packed;

/// See the file's head.
#[derive(Clone, Debug)]
pub struct Hash {
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Packed(Packed),
    Table(Box<Fields>),
}

/// Up to where a hash stays packed (`hash-max-listpack-entries`, `hash-max-listpack-value`).
#[derive(Clone, Copy, Debug)]
pub struct PackedLimits {
    /// Fields.
    pub entries: usize,
    /// Bytes of a field or a value.
    pub value_bytes: usize,
}

/// Why a listpack is no hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Elements are missing, or times are none or out of order.
    Damaged,
    /// A field stands in it twice.
    Twice,
}

/// What stands behind a field's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldTime {
    /// There is no such field, or its time has come.
    NoField,
    /// It does not expire.
    Never,
    /// Unix time in milliseconds.
    At(i64),
}

impl Default for Hash {
    fn default() -> Hash {
        Hash::new()
    }
}

impl Hash {
    /// An empty hash.
    pub fn new() -> Hash {
        Hash { body: Body::Packed(Packed::default()) }
    }

    /// A hash from the listpack of an RDB file: fields and values in turn, or, when it is timed, fields, values and times
    /// (Unix milliseconds, 0 for none) in the order of the times.
    pub fn from_listpack(pack: Listpack, timed: bool) -> Result<Hash, Refused> {
        Ok(Hash { body: Body::Packed(Packed::from_listpack(pack, timed)?) })
    }

    /// The table of a large hash.
    #[inline]
    pub fn member_table(&self) -> Option<&MemberTable> {
        match &self.body {
            Body::Packed(_) => None,
            Body::Table(fields) => Some(&fields.members),
        }
    }

    /// The listpack of a packed hash, and whether it has times.
    pub fn listpack(&self) -> Option<(&Listpack, bool)> {
        match &self.body {
            Body::Packed(packed) => Some((packed.listpack(), packed.is_timed())),
            Body::Table(_) => None,
        }
    }

    /// Number of fields, those included whose time has come but that were not removed yet.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.body {
            Body::Packed(packed) => packed.len(),
            Body::Table(fields) => fields.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8], now_ms: i64) -> Option<Element<'_>> {
        match &self.body {
            Body::Packed(packed) => {
                let (value, at_ms) = packed.get(field)?;
                (at_ms == 0 || at_ms > now_ms).then_some(value)
            }
            Body::Table(fields) => {
                let value = fields.members.get(field)?;
                let is_gone = self.is_due(now_ms) && fields.is_due(field, now_ms);
                (!is_gone).then_some(Element::Bytes(value))
            }
        }
    }

    /// Whether there is such a field, and when it expires.
    pub fn time(&self, field: &[u8], now_ms: i64) -> FieldTime {
        let at_ms = match &self.body {
            Body::Packed(packed) => packed.get(field).map(|(_, at_ms)| Some(at_ms).filter(|&at_ms| at_ms != 0)),
            Body::Table(fields) => fields.members.contains(field).then(|| fields.time(field)),
        };
        match at_ms {
            Some(None) => FieldTime::Never,
            Some(Some(at_ms)) if at_ms > now_ms => FieldTime::At(at_ms),
            Some(Some(_)) | None => FieldTime::NoField,
        }
    }

    /// Leaves the packed form when what is about to be set does not belong there: so many fields, or fields and values of
    /// which the longest has so many bytes, and all together so many.
    pub fn make_room(&mut self, fields: usize, longest_bytes: usize, all_bytes: usize, limits: PackedLimits) {
        if let Body::Packed(packed) = &self.body
            && (fields > limits.entries || longest_bytes > limits.value_bytes || !packed.has_room(all_bytes))
        {
            self.unpack();
        }
    }

    /// Sets a field, which loses its time unless that is kept. True when it is new.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8], keep_time: bool, limits: PackedLimits) -> bool {
        if let Body::Packed(packed) = &mut self.body {
            if field.len().max(value.len()) <= limits.value_bytes && packed.has_room(field.len() + value.len()) {
                let is_new = packed.set(field, value, keep_time);
                if is_new && packed.len() > limits.entries {
                    self.unpack();
                }
                return is_new;
            }
            self.unpack();
        }
        match &mut self.body {
            Body::Packed(_) => unreachable!("unpacked above"),
            Body::Table(fields) => fields.set(field, value, keep_time),
        }
    }

    /// Removes a field, whether its time has come or not; false when there is none.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.body {
            Body::Packed(packed) => packed.remove(field),
            Body::Table(fields) => fields.remove(field),
        }
    }

    /// Makes room for times, which a packed hash has from its first HEXPIRE on.
    pub fn add_times(&mut self) {
        if let Body::Packed(packed) = &mut self.body {
            packed.add_times();
        }
    }

    /// Gives a field a time, Unix milliseconds above 0; false when there is no such field.
    pub fn set_time(&mut self, field: &[u8], at_ms: i64) -> bool {
        debug_assert!(at_ms > 0, "0 stands for no time");
        self.add_times();
        match &mut self.body {
            Body::Packed(packed) => packed.set_time(field, at_ms),
            Body::Table(fields) => fields.set_time(field, at_ms),
        }
    }

    /// Takes the time of a field away, if it has one.
    pub fn drop_time(&mut self, field: &[u8]) {
        match &mut self.body {
            Body::Packed(packed) if packed.is_timed() => {
                packed.set_time(field, 0);
            }
            Body::Packed(_) => {}
            Body::Table(fields) => {
                fields.drop_time(field);
            }
        }
    }

    /// The earliest time at which a field expires.
    #[inline]
    pub fn first_time(&self) -> Option<i64> {
        match &self.body {
            Body::Packed(packed) => packed.first_time(),
            Body::Table(fields) => fields.first_time(),
        }
    }

    /// Whether the time of some field has come.
    #[inline]
    pub fn is_due(&self, now_ms: i64) -> bool {
        self.first_time().is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// Removes up to `max` fields whose time has come, and shows their names before; returns how many.
    pub fn expire(&mut self, now_ms: i64, max: usize, see: impl FnMut(&[u8])) -> usize {
        match &mut self.body {
            Body::Packed(packed) => packed.expire(now_ms, max, see),
            Body::Table(fields) => fields.expire(now_ms, max, see),
        }
    }

    /// Removes a field if its time has come.
    pub fn expire_field(&mut self, field: &[u8], now_ms: i64) -> bool {
        let is_due = match &self.body {
            Body::Packed(packed) => packed.get(field).is_some_and(|(_, at_ms)| at_ms != 0 && at_ms <= now_ms),
            Body::Table(fields) => fields.is_due(field, now_ms),
        };
        is_due && self.remove(field)
    }

    /// All fields with their values.
    #[inline]
    pub fn iter(&self, now_ms: i64) -> impl Iterator<Item = (Element<'_>, Element<'_>)> {
        let some_due = self.is_due(now_ms);
        let (packed, table) = match &self.body {
            Body::Packed(packed) => (Some(packed), None),
            Body::Table(fields) => (None, Some(fields)),
        };
        let packed = packed.into_iter().flat_map(move |packed| packed.iter(Some(now_ms)));
        let table = table.into_iter().flat_map(move |fields| {
            let live = move |field: &[u8]| !(some_due && fields.is_due(field, now_ms));
            fields.members.iter().filter(move |(field, _)| live(field))
        });
        let table = table.map(|(field, value)| (Element::Bytes(field), Element::Bytes(value)));
        packed.map(|(field, value, _)| (field, value)).chain(table)
    }

    /// Calls `see` with all fields, their values and their times, those whose time has come included (for RDB files).
    pub fn each_timed(&self, mut see: impl FnMut(Element<'_>, Element<'_>, Option<i64>)) {
        match &self.body {
            Body::Packed(packed) => {
                for (field, value, at_ms) in packed.iter(None) {
                    see(field, value, Some(at_ms).filter(|&at_ms| at_ms != 0));
                }
            }
            Body::Table(fields) => {
                for (field, value) in fields.members.iter() {
                    see(Element::Bytes(field), Element::Bytes(value), fields.time(field));
                }
            }
        }
    }

    /// One step of a walk that began with cursor 0: shows some fields with their values, all of them when the hash is
    /// packed, and returns the cursor for the next step, 0 when this was the last. What is there throughout the walk is shown
    /// at least once.
    pub fn scan(&self, cursor: u64, now_ms: i64, mut see: impl FnMut(Element<'_>, Element<'_>)) -> u64 {
        match &self.body {
            Body::Packed(_) => {
                self.iter(now_ms).for_each(|(field, value)| see(field, value));
                0
            }
            Body::Table(fields) => {
                let some_due = self.is_due(now_ms);
                fields.members.scan(cursor, |field, value| {
                    if !(some_due && fields.is_due(field, now_ms)) {
                        see(Element::Bytes(field), Element::Bytes(value));
                    }
                })
            }
        }
    }

    /// Fields with their values, drawn one by one, each field as likely as the others each time. Shows `count` of them, fewer
    /// when `see` wants no more, or none when the time of all fields has come; returns how many.
    pub fn draw<'a>(
        &'a self,
        count: usize,
        now_ms: i64,
        random: &mut Random,
        see: impl FnMut(Element<'a>, Element<'a>) -> bool,
    ) -> usize {
        sample::draw(self, count, now_ms, random, see)
    }

    /// Up to `count` different fields with their values, every selection as likely as the others; returns how many.
    pub fn sample<'a>(
        &'a self,
        count: usize,
        now_ms: i64,
        random: &mut Random,
        see: impl FnMut(Element<'a>, Element<'a>),
    ) -> usize {
        sample::sample(self, count, now_ms, random, see)
    }

    /// Leaves the packed form for good.
    fn unpack(&mut self) {
        let Body::Packed(packed) = &self.body else { return };
        let mut fields = Box::<Fields>::default();
        for (field, value, at_ms) in packed.iter(None) {
            let (field, value) = (field.to_text(), value.to_text());
            fields.set(&field, &value, true);
            if at_ms != 0 {
                fields.set_time(&field, at_ms);
            }
        }
        self.body = Body::Table(fields);
    }
}

impl Collection for Hash {
    collection_conversions!(Hash);

    const HAS_FIELD_TIMES: bool = true;

    fn is_empty(&self) -> bool {
        match &self.body {
            Body::Packed(packed) => packed.is_empty(),
            Body::Table(fields) => fields.len() == 0,
        }
    }

    fn encoding(&self) -> &'static str {
        match &self.body {
            Body::Packed(packed) if packed.is_timed() => "listpackex",
            Body::Packed(_) => "listpack",
            Body::Table(_) => "hashtable",
        }
    }

    fn memory_bytes(&self) -> usize {
        match &self.body {
            Body::Packed(packed) => packed.listpack().memory_bytes(),
            Body::Table(fields) => fields.memory_bytes(),
        }
    }

    fn copy(&self) -> Hash {
        self.clone()
    }

    fn allocations(&self) -> usize {
        match &self.body {
            Body::Packed(_) => 1,
            Body::Table(fields) => fields.allocations(),
        }
    }

    fn free_slice(&mut self) -> bool {
        match &mut self.body {
            Body::Packed(_) => false,
            Body::Table(fields) => fields.free_slice(),
        }
    }
}
