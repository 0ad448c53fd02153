//! All rows, by name. Lookup is by words of eight bytes, without copying or lower-casing the name.

use std::sync::LazyLock;

use super::spec::{BeginSearch, Command, FindKeys, Flags, Run};

/// Every family's rows.
const FAMILIES: &[&[Command]] = &[
    super::key::COMMANDS,
    super::key::database::COMMANDS,
    super::key::expire::COMMANDS,
    super::key::object::COMMANDS,
    super::key::rename::COMMANDS,
    super::key::scan::COMMANDS,
    super::client::COMMANDS,
    super::config::COMMANDS,
    super::connection::COMMANDS,
    super::debug::COMMANDS,
    super::server::COMMANDS,
    super::string::edit::COMMANDS,
    super::string::lcs::COMMANDS,
    super::string::number::COMMANDS,
    super::string::read::COMMANDS,
    super::string::several::COMMANDS,
    super::string::write::COMMANDS,
];

const _: () = {
    let mut family = 0;
    while family < FAMILIES.len() {
        check(FAMILIES[family]);
        family += 1;
    }
};

/// Longest command name, subcommands included, in bytes; longer names are unknown without a look-up.
const NAME_BYTES_MAX: usize = 32;
/// Slots of the look-up table: a power of two, at most half full.
const SLOTS: usize = 1024;

/// Stops the build over a row that contradicts itself.
pub const fn check(rows: &[Command]) {
    let mut index = 0;
    while index < rows.len() {
        let row = &rows[index];
        let name = row.name.as_bytes();
        assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX, "a row has a name");
        let mut at = 0;
        while at < name.len() {
            assert!(!name[at].is_ascii_uppercase(), "names are lower case");
            at += 1;
        }
        assert!(row.arity != 0, "a row has an arity");
        assert!(!row.summary.is_empty(), "a row says what it does");
        assert!(!(row.flags.has(Flags::WRITE) && row.flags.has(Flags::READONLY)), "a command writes or only reads");
        assert!(!(matches!(row.run, Run::Container) && row.subcommands.is_empty()), "a container has subcommands");
        if let Run::Keyed(_) | Run::Scatter(_) = row.run {
            assert!(!row.keys.is_empty(), "a keyed command says where its keys are");
        }
        check(row.subcommands);
        index += 1;
    }
}

/// A row with what is derived from it.
pub struct Row {
    /// The row itself.
    pub command: &'static Command,
    /// Its number, dense over all rows: the index of its counters.
    pub id: usize,
    /// "get", "client|list".
    pub full_name: &'static str,
    /// The container of a subcommand.
    pub parent: Option<&'static str>,
    /// Argument of the first key, 0 without keys.
    pub first_key: usize,
    /// The last key: an argument, or negative from the end.
    pub last_key: i32,
    /// Arguments from one key to the next.
    pub key_step: usize,
    /// Subcommands.
    pub subcommands: Vec<Row>,
}

/// All rows and the way to find them.
pub struct Table {
    rows: Vec<Row>,
    slots: Box<[u16; SLOTS]>,
    count: usize,
}

/// The one table.
pub static TABLE: LazyLock<Table> = LazyLock::new(Table::build);

impl Row {
    fn derive(command: &'static Command, parent: Option<&'static Command>, next_id: &mut usize) -> Row {
        let hidden = parent.is_some_and(|parent| parent.flags.has(Flags::HIDDEN_SUBCOMMANDS));
        let parent = parent.map(|parent| parent.name);
        let id = *next_id;
        *next_id += 1;
        let full_name = match parent {
            None => command.name,
            // Made once per start and kept for good, like the row itself.
            Some(parent) if hidden => parent,
            Some(parent) => Box::leak([parent, "|", command.name].concat().into_boxed_str()),
        };
        let (first_key, last_key, key_step) = legacy_range(command);
        let subcommands =
            command.subcommands.iter().map(|sub| Row::derive(sub, Some(command), next_id)).collect();
        Row { command, id, full_name, parent, first_key, last_key, key_step, subcommands }
    }

    /// The arguments that are keys by the legacy range, for `count` arguments.
    #[inline]
    pub fn key_arguments(&self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let last = if self.last_key < 0 { count as i64 + i64::from(self.last_key) } else { i64::from(self.last_key) };
        let first = self.first_key;
        let end = if first == 0 { 0 } else { (last + 1).clamp(0, count as i64) as usize };
        (first..end.max(first)).step_by(self.key_step.max(1)).take_while(move |&at| at < end)
    }

    /// Whether a request with `count` arguments fits the arity.
    #[inline]
    pub fn accepts(&self, count: usize) -> bool {
        let arity = self.command.arity;
        if arity >= 0 { count == arity as usize } else { count >= arity.unsigned_abs() as usize }
    }

    /// The subcommand of this name, in any case.
    pub fn subcommand(&'static self, name: &[u8]) -> Option<&'static Row> {
        self.subcommands.iter().find(|row| row.command.name.as_bytes().eq_ignore_ascii_case(name))
    }
}

/// First key, last key and step as COMMAND INFO shows them: from the first key specification that is a range.
fn legacy_range(command: &Command) -> (usize, i32, usize) {
    for spec in command.keys {
        if let (BeginSearch::Index(first), FindKeys::Range { last, step, .. }) = (spec.begin, spec.find) {
            let mut end = if last < 0 { last } else { first as i32 + last };
            let mut step = step;
            // Adjoining single keys (RENAME) are one range.
            for next in command.keys {
                if let (BeginSearch::Index(at), FindKeys::Range { last: 0, .. }) = (next.begin, next.find)
                    && end >= 0
                    && at as i32 == end + 1
                {
                    end = at as i32;
                    step = 1;
                }
            }
            return (first, end, step);
        }
    }
    (0, 0, 0)
}

impl Table {
    fn build() -> Table {
        let mut next_id = 0;
        let mut rows: Vec<Row> =
            FAMILIES.iter().flat_map(|family| family.iter()).map(|row| Row::derive(row, None, &mut next_id)).collect();
        rows.sort_by_key(|row| row.command.name);
        let mut slots = Box::new([u16::MAX; SLOTS]);
        assert!(rows.len() * 2 <= SLOTS, "the look-up table is at most half full");
        for (index, row) in rows.iter().enumerate() {
            let mut slot = slot_of(row.command.name.as_bytes());
            while slots[slot] != u16::MAX {
                assert!(rows[slots[slot] as usize].command.name != row.command.name, "a name belongs to one row");
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = index as u16;
        }
        Table { rows, slots, count: next_id }
    }

    /// The row of this name, in any case.
    pub fn find(&'static self, name: &[u8]) -> Option<&'static Row> {
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        let mut slot = slot_of(name);
        loop {
            let index = self.slots[slot];
            let row = self.rows.get(index as usize)?;
            if row.command.name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(row);
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// All commands, sorted by name.
    pub fn rows(&'static self) -> &'static [Row] {
        &self.rows
    }

    /// Commands and subcommands together: one more than the highest `Row::id`.
    pub fn count(&self) -> usize {
        self.count
    }

    /// All rows, subcommands after their containers.
    pub fn all_rows(&'static self) -> impl Iterator<Item = &'static Row> {
        self.rows.iter().flat_map(|row| std::iter::once(row).chain(row.subcommands.iter()))
    }
}

fn slot_of(name: &[u8]) -> usize {
    let mut mixed = name.len() as u64;
    for chunk in name.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        // Bit 5 makes letters lower case; for other bytes it may collide, which costs a comparison and no more.
        let word = u64::from_le_bytes(word) | 0x2020_2020_2020_2020;
        mixed = (mixed ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }
    (mixed >> 40) as usize % SLOTS
}
