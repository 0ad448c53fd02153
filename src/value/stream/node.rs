//! A node of a stream: up to some hundred entries in one listpack, in exactly the layout that Redis writes to RDB files.
//!
//! ```text
//! live entries | deleted entries | number of master fields | master field… | 0 |
//! entry: flags | ms delta | sequence delta | [number of fields] | field and value… | elements before this one
//! ```
//!
//! IDs are kept as differences to the node's master ID, the key under which the log has it. An entry whose fields are the
//! master fields (flag `SAME_FIELDS`) has values only. A deleted entry stays where it is, with its flag set. The last
//! element of an entry makes it possible to walk backwards. Bytes from outside come in through `from_bytes`, which checks
//! all of this; everything else may rely on it. Used by the log only.

use crate::value::listpack::{Element, Elements, Listpack};

use super::id::StreamId;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// Bytes of a listpack without elements.
const EMPTY_PACK_BYTES: usize = 7;

/// Capacity a new node has for sure when a second entry comes, so that small streams do not reallocate with each.
const FIRST_GROWTH_BYTES: usize = 128;

/// One node. Which master ID it has, the log knows.
#[derive(Clone, Debug)]
pub struct Node {
    pack: Listpack,
}

/// An entry of a node.
#[derive(Clone)]
pub struct Entry<'a> {
    /// Its ID.
    pub id: StreamId,
    /// How many fields it has.
    pub fields_count: usize,
    is_deleted: bool,
    /// Where its flags stand.
    at: usize,
    /// Its own elements from its first field or value on.
    own: Elements<'a>,
    /// The names of its fields when they are the node's.
    master: Option<Elements<'a>>,
}

impl<'a> Entry<'a> {
    /// Its fields with their values.
    pub fn fields(&self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> + use<'a> {
        let (mut own, mut master) = (self.own.clone(), self.master.clone());
        (0..self.fields_count).map_while(move |_| {
            let field = match &mut master {
                Some(master) => master.next()?,
                None => own.next()?,
            };
            Some((field, own.next()?))
        })
    }
}

fn integer(element: Option<Element<'_>>) -> i64 {
    match element {
        Some(Element::Integer(integer)) => integer,
        // `from_bytes` and `append` let nothing else in where an integer must be.
        other => unreachable!("a stream node has an integer here, not {other:?}"),
    }
}

impl Node {
    /// A node for one entry, whose fields become the master fields; with room for at least so many bytes in all.
    pub fn of_first<'a>(pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone, room_bytes: usize) -> Node {
        let count = pairs.len();
        let head = [Element::Integer(1), Element::Integer(0), Element::Integer(count as i64)];
        let master = pairs.clone().map(|(field, _)| Element::of(field));
        let entry = [Element::Integer(SAME_FIELDS), Element::Integer(0), Element::Integer(0)];
        let values = pairs.map(|(_, value)| Element::of(value));
        let elements = head.into_iter().chain(master).chain([Element::Integer(0)]).chain(entry).chain(values);
        let elements = elements.chain([Element::Integer(count as i64 + 3)]);
        let packed_bytes: usize = elements.clone().map(Element::packed_bytes).sum();
        let mut pack = Listpack::with_room(packed_bytes.max(room_bytes.saturating_sub(EMPTY_PACK_BYTES)));
        pack.extend(elements);
        Node { pack }
    }

    /// Appends an entry; `bytes_max` is up to where room is kept for more.
    pub fn append<'a>(
        &mut self,
        master_id: StreamId,
        id: StreamId,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        bytes_max: usize,
    ) {
        let count = pairs.len();
        let same_fields = self.has_master_fields(pairs.clone());
        self.grow(bytes_max);
        let (flags, own_elements) = if same_fields { (SAME_FIELDS, count + 3) } else { (0, 2 * count + 4) };
        let head =
            [flags, id.ms.wrapping_sub(master_id.ms) as i64, id.sequence.wrapping_sub(master_id.sequence) as i64];
        let head = head.map(Element::Integer);
        let end = [Element::Integer(own_elements as i64)];
        if same_fields {
            self.pack.extend(head.into_iter().chain(pairs.map(|(_, value)| Element::of(value))).chain(end));
        } else {
            let both = pairs.flat_map(|(field, value)| [Element::of(field), Element::of(value)]);
            self.pack.extend(head.into_iter().chain([Element::Integer(count as i64)]).chain(both).chain(end));
        }
        let (live, _) = self.counts();
        self.pack.replace(self.live_at(), Element::Integer(live as i64 + 1));
    }

    /// Makes room before the buffer is full: it doubles, up to what a node may have.
    fn grow(&mut self, bytes_max: usize) {
        let len = self.bytes_len();
        if self.pack.memory_bytes() - len < len / 4 {
            let wanted = (2 * len).max(FIRST_GROWTH_BYTES).min(bytes_max);
            self.pack.reserve_total(wanted);
        }
    }

    fn has_master_fields<'a>(&self, pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>) -> bool {
        let mut elements = self.pack.iter_from(self.live_at());
        let master_count = integer(elements.nth(2));
        master_count == pairs.len() as i64
            && pairs.zip(elements).all(|((field, _), master)| match master {
                Element::Bytes(bytes) => bytes == field,
                Element::Integer(_) => master == Element::of(field),
            })
    }

    /// Gives back what was kept for more entries.
    pub fn shrink(&mut self) {
        self.pack.shrink();
    }

    /// The listpack, as files have it.
    pub fn as_bytes(&self) -> &[u8] {
        self.pack.as_bytes()
    }

    /// Bytes of the listpack.
    pub fn bytes_len(&self) -> usize {
        self.pack.as_bytes().len()
    }

    /// Bytes of memory it takes.
    pub fn memory_bytes(&self) -> usize {
        self.pack.memory_bytes()
    }

    fn live_at(&self) -> usize {
        self.pack.first().expect("a node has its head")
    }

    /// Live and deleted entries.
    pub fn counts(&self) -> (usize, usize) {
        let mut elements = self.pack.iter();
        (integer(elements.next()) as usize, integer(elements.next()) as usize)
    }

    /// All entries in order, deleted ones included.
    pub fn entries(&self, master_id: StreamId) -> Entries<'_> {
        let mut elements = self.pack.iter();
        let master_count = integer(elements.nth(2)) as usize;
        let master = elements.clone();
        // Master fields and the zero behind them.
        elements.nth(master_count);
        let head = Head { pack: &self.pack, master_id, master, master_count };
        Entries { first: elements.next_at(), head, elements }
    }

    /// The last entry, deleted or not.
    pub fn last(&self, master_id: StreamId) -> Option<Entry<'_>> {
        self.entries(master_id).reversed().next()
    }

    /// Marks a live entry as deleted; returns how many live ones are left. What the entry says is void afterwards.
    pub fn delete(&mut self, at: usize) -> usize {
        let flags = integer(Some(self.pack.get(at)));
        debug_assert!(flags & DELETED == 0, "deleted twice");
        self.pack.replace(at, Element::Integer(flags | DELETED));
        self.count_deleted(1)
    }

    /// Marks entries from the first one on as deleted, up to the first for which `stop` holds. `stop` is asked with each
    /// entry and the number deleted before it. Returns how many were deleted.
    pub fn delete_first(&mut self, master_id: StreamId, mut stop: impl FnMut(StreamId, usize) -> bool) -> usize {
        let mut deleted = 0;
        let mut at = self.entries(master_id).first;
        while at < self.pack.end() {
            let mut entries = self.entries(master_id);
            entries.elements = self.pack.iter_from(at);
            let Some(entry) = entries.next().filter(|entry| !stop(entry.id, deleted)) else { break };
            let (is_deleted, next) = (entry.is_deleted, entries.elements.next_at());
            if !is_deleted {
                let flags = integer(Some(self.pack.get(at)));
                // Flags are small integers before and after, so nothing moves.
                self.pack.replace(at, Element::Integer(flags | DELETED));
                deleted += 1;
            }
            at = next;
        }
        self.count_deleted(deleted);
        deleted
    }

    fn count_deleted(&mut self, more: usize) -> usize {
        let (live, deleted) = self.counts();
        let left = live.saturating_sub(more);
        self.pack.replace(self.live_at(), Element::Integer(left as i64));
        let deleted_at = self.pack.next(self.live_at()).expect("a node has its head");
        self.pack.replace(deleted_at, Element::Integer((deleted + more) as i64));
        left
    }

    /// A node from outside; none unless everything in it is as the head of this file says.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Node> {
        let pack = Listpack::from_bytes(bytes)?;
        let mut elements = pack.iter();
        let next_count = |elements: &mut Elements<'_>| match elements.next()? {
            Element::Integer(integer) => usize::try_from(integer).ok(),
            Element::Bytes(_) => None,
        };
        let (live, deleted) = (next_count(&mut elements)?, next_count(&mut elements)?);
        let master_count = next_count(&mut elements)?;
        skip(&mut elements, master_count)?;
        if next_count(&mut elements)? != 0 {
            return None;
        }
        let (mut seen_live, mut seen_deleted) = (0, 0);
        while let Some(flags) = elements.next() {
            let Element::Integer(flags) = flags else { return None };
            for _ in 0..2 {
                let Some(Element::Integer(_)) = elements.next() else { return None };
            }
            let own_elements = if flags & SAME_FIELDS != 0 {
                skip(&mut elements, master_count)?;
                master_count + 3
            } else {
                let count = next_count(&mut elements)?;
                let own = count.checked_mul(2)?;
                skip(&mut elements, own)?;
                own.checked_add(4)?
            };
            if next_count(&mut elements)? != own_elements {
                return None;
            }
            if flags & DELETED != 0 {
                seen_deleted += 1;
            } else {
                seen_live += 1;
            }
        }
        (live == seen_live && deleted == seen_deleted).then_some(Node { pack })
    }
}

/// Passes over so many elements; none when there are not so many.
fn skip(elements: &mut Elements<'_>, count: usize) -> Option<()> {
    if count > 0 {
        elements.nth(count - 1)?;
    }
    Some(())
}

/// What is needed to read any entry of a node.
#[derive(Clone)]
struct Head<'a> {
    pack: &'a Listpack,
    master_id: StreamId,
    master: Elements<'a>,
    master_count: usize,
}

impl<'a> Head<'a> {
    /// The entry at the iterator's position, and moves the iterator to its first field or value.
    fn read(&self, elements: &mut Elements<'a>) -> Option<Entry<'a>> {
        let at = elements.next_at();
        let flags = integer(Some(elements.next()?));
        let ms = self.master_id.ms.wrapping_add(integer(elements.next()) as u64);
        let sequence = self.master_id.sequence.wrapping_add(integer(elements.next()) as u64);
        let same_fields = flags & SAME_FIELDS != 0;
        let fields_count = if same_fields { self.master_count } else { integer(elements.next()) as usize };
        let master = same_fields.then(|| self.master.clone());
        let is_deleted = flags & DELETED != 0;
        Some(Entry { id: StreamId { ms, sequence }, fields_count, is_deleted, at, own: elements.clone(), master })
    }
}

/// The entries of a node in order.
#[derive(Clone)]
pub struct Entries<'a> {
    head: Head<'a>,
    /// Where the first entry begins.
    first: usize,
    elements: Elements<'a>,
}

impl<'a> Entries<'a> {
    /// The same from the last entry to the first.
    pub fn reversed(self) -> EntriesReversed<'a> {
        EntriesReversed { at: self.head.pack.end(), first: self.first, head: self.head }
    }

    /// Begins with the first entry that is not before `id`. `from_end` is the quicker way when that is near the end.
    pub fn seek(&mut self, id: StreamId, from_end: bool) {
        if from_end {
            let at = self.clone().reversed().take_while(|entry| entry.id >= id).last().map(|entry| entry.at);
            self.elements = self.head.pack.iter_from(at.unwrap_or(self.head.pack.end()));
        } else {
            let at = self.clone().find(|entry| entry.id >= id).map(|entry| entry.at);
            self.elements = self.head.pack.iter_from(at.unwrap_or(self.head.pack.end()));
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let entry = self.head.read(&mut self.elements)?;
        let own = if entry.master.is_some() { entry.fields_count } else { 2 * entry.fields_count };
        // The element that counts is passed over too.
        self.elements.nth(own);
        Some(entry)
    }
}

/// The entries of a node from the last one to the first.
pub struct EntriesReversed<'a> {
    head: Head<'a>,
    first: usize,
    /// Where the entry given last begins, or the end.
    at: usize,
}

impl<'a> Iterator for EntriesReversed<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        if self.at <= self.first {
            return None;
        }
        let mut at = self.head.pack.previous(self.at)?;
        for _ in 0..integer(Some(self.head.pack.get(at))) {
            at = self.head.pack.previous(at)?;
        }
        self.at = at;
        self.head.read(&mut self.head.pack.iter_from(at))
    }
}

impl Entry<'_> {
    /// Whether it was deleted and only its place is left.
    pub fn is_deleted(&self) -> bool {
        self.is_deleted
    }

    /// Its place in its node, for `Node::delete`.
    pub fn place(&self) -> usize {
        self.at
    }
}
