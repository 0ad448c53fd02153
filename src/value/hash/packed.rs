//! The packed form of a hash: one listpack of fields and values in turn (Redis' encoding "listpack"), or of fields, values
//! and times ("listpackex").
//!
//! Times are Unix milliseconds, 0 for a field that does not expire. With times, the fields that expire come first, the
//! earliest at the front, and those without a time last: so the fields whose time has come are a prefix. Both forms are
//! byte for byte Redis' own, and go as they are into RDB files. Called by `hash.rs` only.

use crate::stdx::limits::LISTPACK_BYTES_MAX;
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::listpack::{Element, Elements, Listpack};

use super::Refused;

/// The time of a field that does not expire.
const NO_TIME: i64 = 0;
/// Bytes that encodings, back lengths and a time add to a field and its value, at the most.
const OVERHEAD_BYTES_MAX: usize = 32;
/// Why a field is never the last element.
const HAS_VALUE: &str = "a field is followed by its value, and by its time where there are times";

/// See the file's head.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    pack: Listpack,
    timed: bool,
}

impl Packed {
    /// Takes a listpack from outside; refused when it is no hash: elements missing, a field twice, times that are none or
    /// are out of order.
    pub(super) fn from_listpack(pack: Listpack, timed: bool) -> Result<Packed, Refused> {
        let packed = Packed { pack, timed };
        let mut names = std::collections::HashSet::new();
        let mut last_ms = None;
        let mut elements = packed.pack.iter();
        while let Some(field) = elements.next() {
            let is_new = names.insert(field.to_text());
            let _value = elements.next().ok_or(Refused::Damaged)?;
            if timed {
                let Some(Element::Integer(at_ms @ NO_TIME..)) = elements.next() else { return Err(Refused::Damaged) };
                // What does not expire counts as expiring last.
                let order = if at_ms == NO_TIME { i64::MAX } else { at_ms };
                if last_ms.is_some_and(|last| last > order) {
                    return Err(Refused::Damaged);
                }
                last_ms = Some(order);
            }
            if !is_new {
                return Err(Refused::Twice);
            }
        }
        Ok(packed)
    }

    pub(super) fn listpack(&self) -> &Listpack {
        &self.pack
    }

    pub(super) fn is_timed(&self) -> bool {
        self.timed
    }

    /// Elements per field.
    fn step(&self) -> usize {
        if self.timed { 3 } else { 2 }
    }

    pub(super) fn len(&self) -> usize {
        self.pack.len() / self.step()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pack.is_empty()
    }

    /// Whether so many bytes more still fit into a listpack.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let bytes = bytes.saturating_add(OVERHEAD_BYTES_MAX);
        self.pack.as_bytes().len().saturating_add(bytes) <= LISTPACK_BYTES_MAX
    }

    #[inline]
    fn find(&self, field: &[u8]) -> Option<usize> {
        self.pack.find(field, self.pack.first()?, self.step() - 1)
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        self.pack.next(at).expect(HAS_VALUE)
    }

    /// The time of the field at a position; 0 when it does not expire.
    fn time_at(&self, field_at: usize) -> i64 {
        if !self.timed {
            return NO_TIME;
        }
        match self.pack.get(self.after(self.after(field_at))) {
            Element::Integer(at_ms) => at_ms,
            Element::Bytes(_) => NO_TIME,
        }
    }

    /// The value of a field, and its time, 0 when it does not expire.
    #[inline]
    pub(super) fn get(&self, field: &[u8]) -> Option<(Element<'_>, i64)> {
        let at = self.find(field)?;
        Some((self.pack.get(self.after(at)), self.time_at(at)))
    }

    /// Sets a field, which loses its time unless that is kept. True when it is new.
    pub(super) fn set(&mut self, field: &[u8], value: &[u8], keep_time: bool) -> bool {
        let Some(at) = self.find(field) else {
            self.push(Element::of(field), Element::of(value), NO_TIME);
            return true;
        };
        self.pack.replace(self.after(at), Element::of(value));
        if !keep_time && self.time_at(at) != NO_TIME {
            self.move_to(at, NO_TIME);
        }
        false
    }

    /// Gives a field a time, or takes it away with 0; false when there is no such field.
    pub(super) fn set_time(&mut self, field: &[u8], at_ms: i64) -> bool {
        let Some(at) = self.find(field) else { return false };
        if self.time_at(at) != at_ms {
            self.move_to(at, at_ms);
        }
        true
    }

    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        let Some(at) = self.find(field) else { return false };
        self.pack.remove_range(at, self.step());
        true
    }

    /// Makes room for times.
    pub(super) fn add_times(&mut self) {
        if self.timed {
            return;
        }
        let mut pack = Listpack::new();
        for (field, value, _) in self.iter(None) {
            for element in [field, value, Element::Integer(NO_TIME)] {
                pack.push_back(element);
            }
        }
        *self = Packed { pack, timed: true };
    }

    /// The earliest time of a field.
    #[inline]
    pub(super) fn first_time(&self) -> Option<i64> {
        if !self.timed {
            return None;
        }
        Some(self.time_at(self.pack.first()?)).filter(|&at_ms| at_ms != NO_TIME)
    }

    /// Removes up to `max` fields whose time has come, and shows their names before.
    pub(super) fn expire(&mut self, now_ms: i64, max: usize, mut see: impl FnMut(&[u8])) -> usize {
        let (mut at, mut count) = (self.pack.first(), 0);
        while let Some(field_at) = at
            && count < max
            && self.is_due(field_at, now_ms)
        {
            see(self.pack.get(field_at).text(&mut [0; INTEGER_TEXT_BYTES_MAX]));
            count += 1;
            at = self.behind(field_at);
        }
        if let Some(first) = self.pack.first() {
            self.pack.remove_range(first, count * self.step());
        }
        count
    }

    /// All fields with their values and times; those whose time has come are left out when it is told what time it is.
    pub(super) fn iter(&self, now_ms: Option<i64>) -> Entries<'_> {
        let mut at = self.pack.first();
        if let Some(now_ms) = now_ms {
            while let Some(field_at) = at
                && self.is_due(field_at, now_ms)
            {
                at = self.behind(field_at);
            }
        }
        Entries { elements: self.pack.iter_from(at.unwrap_or(self.pack.end())), timed: self.timed }
    }

    /// Whether the time of the field at a position has come.
    fn is_due(&self, field_at: usize, now_ms: i64) -> bool {
        let at_ms = self.time_at(field_at);
        at_ms != NO_TIME && at_ms <= now_ms
    }

    /// The position of the next field.
    fn behind(&self, field_at: usize) -> Option<usize> {
        let mut at = self.after(field_at);
        if self.timed {
            at = self.after(at);
        }
        self.pack.next(at)
    }

    fn push(&mut self, field: Element<'_>, value: Element<'_>, at_ms: i64) {
        self.pack.push_back(field);
        self.pack.push_back(value);
        if self.timed {
            self.pack.push_back(Element::Integer(at_ms));
        }
    }

    /// Moves the field at a position to where its new time belongs.
    fn move_to(&mut self, at: usize, at_ms: i64) {
        let field = self.pack.get(at).to_text().into_owned();
        let value = self.pack.get(self.after(at)).to_text().into_owned();
        let (field, value) = (Element::of(&field), Element::of(&value));
        self.pack.remove_range(at, self.step());
        if at_ms == NO_TIME {
            return self.push(field, value, at_ms);
        }
        let mut place = self.pack.first();
        while let Some(other_at) = place
            && !matches!(self.time_at(other_at), NO_TIME)
            && self.time_at(other_at) < at_ms
        {
            place = self.behind(other_at);
        }
        let place = place.unwrap_or(self.pack.end());
        for element in [Element::Integer(at_ms), value, field] {
            self.pack.insert(place, element);
        }
    }
}

/// Fields with their values and times; the time is 0 when the field does not expire.
pub(super) struct Entries<'a> {
    elements: Elements<'a>,
    timed: bool,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Element<'a>, Element<'a>, i64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (field, value) = (self.elements.next()?, self.elements.next()?);
        let at_ms = match self.timed.then(|| self.elements.next()) {
            Some(Some(Element::Integer(at_ms))) => at_ms,
            _ => NO_TIME,
        };
        Some((field, value, at_ms))
    }
}
