//! All rows, by name. Lookup is by words of eight bytes, without copying or lower-casing the name.
//!
//! A row has its own name, by which rules of users, counters and replies know it, and the name that clients call it by,
//! which is another one, or none, only where `rename-command` says so (`super::renamed`).

use std::sync::LazyLock;

use super::spec::{BeginSearch, Categories, Command, FindKeys, Flags, Run};
use crate::stdx::limits::ACCESS_COMMANDS_MAX;

/// Every family's rows.
const FAMILIES: &[&[Command]] = &[
    super::acl::COMMANDS,
    super::bitmap::bit::COMMANDS,
    super::bitmap::combine::COMMANDS,
    super::bitmap::field::COMMANDS,
    super::bitmap::range::COMMANDS,
    super::client::COMMANDS,
    super::config::COMMANDS,
    super::connection::COMMANDS,
    super::debug::COMMANDS,
    super::geo::add::COMMANDS,
    super::geo::read::COMMANDS,
    super::geo::search::COMMANDS,
    super::hash::expire::COMMANDS,
    super::hash::expires::COMMANDS,
    super::hash::extended::COMMANDS,
    super::hash::number::COMMANDS,
    super::hash::random::COMMANDS,
    super::hash::read::COMMANDS,
    super::hash::scan::COMMANDS,
    super::hash::write::COMMANDS,
    super::hyperloglog::COMMANDS,
    super::introspect::COMMANDS,
    super::key::COMMANDS,
    super::key::database::COMMANDS,
    super::key::dialect::COMMANDS,
    super::key::dump::COMMANDS,
    super::key::expire::COMMANDS,
    super::key::object::COMMANDS,
    super::key::rename::COMMANDS,
    super::key::scan::COMMANDS,
    super::latency::COMMANDS,
    super::slowlog::COMMANDS,
    super::list::blocking::COMMANDS,
    super::list::edit::COMMANDS,
    super::list::pop::COMMANDS,
    super::list::position::COMMANDS,
    super::list::push::COMMANDS,
    super::list::read::COMMANDS,
    super::list::transfer::COMMANDS,
    super::memory::COMMANDS,
    super::monitor::COMMANDS,
    super::persist::COMMANDS,
    super::pubsub::COMMANDS,
    super::script::eval::COMMANDS,
    super::script::function::COMMANDS,
    super::server::COMMANDS,
    super::set::change::COMMANDS,
    super::set::combine::COMMANDS,
    super::set::random::COMMANDS,
    super::set::read::COMMANDS,
    super::sort::COMMANDS,
    super::sorted_set::add::COMMANDS,
    super::sorted_set::combine::COMMANDS,
    super::sorted_set::pop::COMMANDS,
    super::sorted_set::range::COMMANDS,
    super::sorted_set::read::COMMANDS,
    super::sorted_set::remove::COMMANDS,
    super::sorted_set::sample::COMMANDS,
    super::stream::add::COMMANDS,
    super::stream::claim::COMMANDS,
    super::stream::group::COMMANDS,
    super::stream::info::COMMANDS,
    super::stream::pending::COMMANDS,
    super::stream::range::COMMANDS,
    super::stream::read::COMMANDS,
    super::string::compare::COMMANDS,
    super::string::edit::COMMANDS,
    super::string::lcs::COMMANDS,
    super::string::number::COMMANDS,
    super::string::read::COMMANDS,
    super::string::several::COMMANDS,
    super::string::write::COMMANDS,
    super::transaction::COMMANDS,
];

const _: () = {
    let mut family = 0;
    while family < FAMILIES.len() {
        check(FAMILIES[family]);
        family += 1;
    }
};

/// Longest name of a row, subcommands included, in bytes.
const NAME_BYTES_MAX: usize = 32;
/// Slots of the look-up table: a power of two, at most half full.
const SLOTS: usize = 1024;

/// Stops the build over a row that contradicts itself.
pub const fn check(rows: &[Command]) {
    let mut index = 0;
    while index < rows.len() {
        if let Some(problem) = contradiction(&rows[index]) {
            panic!("{}", problem);
        }
        check(rows[index].subcommands);
        index += 1;
    }
}

/// What is wrong with a row, its subcommands left aside.
pub(super) const fn contradiction(row: &Command) -> Option<&'static str> {
    let name = row.name.as_bytes();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Some("a row has a name, of at most 32 bytes");
    }
    let mut at = 0;
    while at < name.len() {
        if name[at].is_ascii_uppercase() {
            return Some("names are lower case");
        }
        at += 1;
    }
    if row.arity == 0 {
        return Some("a row has an arity");
    }
    if row.summary.is_empty() {
        return Some("a row says what it does");
    }
    if row.flags.has(Flags::WRITE) && row.flags.has(Flags::READONLY) {
        return Some("a command writes or only reads");
    }
    if matches!(row.run, Run::Container) && row.subcommands.is_empty() {
        return Some("a container has subcommands");
    }
    let keyed = matches!(row.run, Run::Keyed(_) | Run::Scatter(_) | Run::KeyedOrAllShards { .. } | Run::Script(_));
    if keyed && row.keys.is_empty() {
        return Some("a keyed command says where its keys are");
    }
    None
}

/// The row of this name among those of the families.
pub(super) fn is_own(name: &str) -> bool {
    own_names().any(|own| own == name)
}

/// The names of the families' rows.
pub(super) fn own_names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().flat_map(|family| family.iter()).map(|row| row.name)
}

/// A row with what is derived from it.
pub struct Row {
    /// The row itself.
    pub command: &'static Command,
    /// What clients call it, in lower case; none when they cannot. A subcommand's is always its name.
    called: Option<&'static [u8]>,
    /// Its number, dense over all rows: the index of its counters.
    pub id: usize,
    /// "get", "client|list".
    pub full_name: &'static str,
    /// The row's flags with those that follow from its keys.
    pub flags: Flags,
    /// The row's ACL categories with those that follow from its flags.
    pub categories: Categories,
    /// The container of a subcommand.
    pub parent: Option<&'static str>,
    /// Argument of the first key, 0 without keys or when no range has them.
    pub first_key: usize,
    /// The last key: an argument, or negative from the end.
    pub last_key: i32,
    /// Arguments from one key to the next.
    pub key_step: usize,
    /// Subcommands.
    pub subcommands: Vec<Row>,
    /// `folded` of `called`, 0 when that does not tell it from all others.
    name_word: u64,
}

/// A name of 3 to 8 bytes as one word, in which upper and lower case are alike. Two names of one length, one of which is
/// letters only, are the same but for their case when their words are equal.
#[inline]
fn folded(name: &[u8]) -> Option<u64> {
    const LOWER_CASE: u64 = 0x2020_2020_2020_2020;
    let word = match (name, name.first_chunk::<4>(), name.last_chunk::<4>()) {
        (&[first, second, third], ..) => u64::from(u32::from_le_bytes([first, second, third, 0])),
        (_, Some(first), Some(last)) if name.len() <= 8 => {
            // Four to eight bytes: what overlaps is in both halves.
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
        }
        _ => return None,
    };
    Some(word | LOWER_CASE)
}

/// See `Row::name_word`.
fn name_word(called: &[u8]) -> u64 {
    let is_letters = called.iter().all(|byte| byte.is_ascii_lowercase());
    folded(called).filter(|_| is_letters).unwrap_or_default()
}

/// All rows and the way to find them.
pub struct Table {
    rows: Vec<Row>,
    slots: Box<[u16; SLOTS]>,
    /// So many rows, the first, can be called by clients.
    called_count: usize,
    /// The longest name that clients call a row by; longer ones are unknown without a look-up.
    name_bytes_max: usize,
    /// For each `Row::id` the index of its row, or of its container's.
    places: Vec<u16>,
    count: usize,
}

/// The one table.
pub static TABLE: LazyLock<Table> = LazyLock::new(Table::build);

impl Row {
    /// A row outside the table, for tests of shapes that no command has yet.
    #[cfg(test)]
    pub fn alone(command: &'static Command) -> Row {
        Row::derive(command, None, &mut 0)
    }

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
        let LegacyRange { first_key, last_key, key_step, movable } = legacy_range(command);
        let flags = if movable { command.flags.and(Flags::MOVABLE_KEYS) } else { command.flags };
        let categories = all_categories(command);
        let subcommands = command.subcommands.iter().map(|sub| Row::derive(sub, Some(command), next_id)).collect();
        let called = match parent {
            None => super::renamed::called(command.name),
            Some(_) => Some(command.name.as_bytes()),
        };
        let name_word = called.map_or(0, name_word);
        Row { command, called, id, full_name, flags, categories, parent, first_key, last_key, key_step, subcommands, name_word }
    }

    /// The arguments that are keys by the legacy range, for `count` arguments.
    #[inline]
    pub fn key_arguments(&self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let last = if self.last_key < 0 { count as i64 + i64::from(self.last_key) } else { i64::from(self.last_key) };
        let first = self.first_key;
        let end = if first == 0 { 0 } else { (last + 1).clamp(0, count as i64) as usize };
        (first..end.max(first)).step_by(self.key_step.max(1)).take_while(move |&at| at < end)
    }

    /// Whether clients call the row by this name, in any case.
    #[inline]
    pub fn is_named(&self, name: &[u8]) -> bool {
        match folded(name) {
            Some(word) if self.name_word != 0 => {
                word == self.name_word && self.called.is_some_and(|called| called.len() == name.len())
            }
            _ => self.called.is_some_and(|called| called.eq_ignore_ascii_case(name)),
        }
    }

    /// Whether a request with `count` arguments fits the arity.
    #[inline]
    pub fn accepts(&self, count: usize) -> bool {
        let arity = self.command.arity;
        if arity >= 0 { count == arity as usize } else { count >= arity.unsigned_abs() as usize }
    }

    /// Its number in sets of allowed commands (`crate::acl`): subcommands that do not show are their container.
    pub fn access_id(&'static self) -> usize {
        let container = TABLE.row(self.id);
        if container.command.flags.has(Flags::HIDDEN_SUBCOMMANDS) { container.id } else { self.id }
    }

    /// The subcommands that COMMAND shows.
    pub fn visible_subcommands(&'static self) -> &'static [Row] {
        if self.command.flags.has(Flags::HIDDEN_SUBCOMMANDS) { &[] } else { &self.subcommands }
    }

    /// The rows that are counted under this one's name: itself, and subcommands that do not show.
    pub fn counted_with(&'static self) -> impl Iterator<Item = &'static Row> {
        let hidden = self.command.flags.has(Flags::HIDDEN_SUBCOMMANDS);
        std::iter::once(self).chain(self.subcommands.iter().filter(move |_| hidden))
    }

    /// The subcommand of this name, in any case.
    pub fn subcommand(&'static self, name: &[u8]) -> Option<&'static Row> {
        self.subcommands.iter().find(|row| row.command.name.as_bytes().eq_ignore_ascii_case(name))
    }
}

/// First key, last key and step as COMMAND INFO shows them, and whether that is less than the specifications tell.
struct LegacyRange {
    first_key: usize,
    last_key: i32,
    key_step: usize,
    movable: bool,
}

/// Redis' rule (populateCommandLegacyRangeSpec): a single range is taken as it is; of several, plain ranges (step 1) that
/// adjoin each other become one, and whatever else there is makes the keys movable.
fn legacy_range(command: &Command) -> LegacyRange {
    let ranges = command.keys.iter().filter_map(|spec| match (spec.begin, spec.find) {
        (BeginSearch::Index(first), FindKeys::Range { last, step, .. }) => {
            Some((first, if last < 0 { last } else { first as i32 + last }, step))
        }
        _ => None,
    });
    let mut movable =
        command.keys.iter().any(|spec| spec.has("incomplete")) || ranges.clone().count() < command.keys.len();
    if let ([_], Some((first_key, last_key, key_step))) = (command.keys, ranges.clone().next()) {
        return LegacyRange { first_key, last_key, key_step, movable };
    }
    let mut joined: Option<(usize, i32)> = None;
    for (first, last, step) in ranges {
        let adjoins = joined.is_none_or(|(_, end)| end == first as i32 - 1);
        if step != 1 || !adjoins {
            movable = true;
            continue;
        }
        joined = Some((joined.map_or(first, |(begin, _)| begin), last));
    }
    match joined {
        Some((first_key, last_key)) => LegacyRange { first_key, last_key, key_step: 1, movable },
        None => LegacyRange { first_key: 0, last_key: 0, key_step: 0, movable },
    }
}

/// Redis' rule (setImplicitACLCategories) for the categories that follow from flags.
fn all_categories(command: &Command) -> Categories {
    let mut categories = command.categories;
    let scripting = categories.has(Categories::SCRIPTING);
    for (flag, implied) in [
        (Flags::WRITE, Categories::WRITE),
        (Flags::READONLY, if scripting { Categories::NONE } else { Categories::READ }),
        (Flags::ADMIN, Categories::ADMIN.and(Categories::DANGEROUS)),
        (Flags::PUBSUB, Categories::PUBSUB),
        (Flags::FAST, Categories::FAST),
        (Flags::BLOCKING, Categories::BLOCKING),
    ] {
        if command.flags.has(flag) {
            categories = categories.and(implied);
        }
    }
    if categories.has(Categories::FAST) { categories } else { categories.and(Categories::SLOW) }
}

impl Table {
    fn build() -> Table {
        let mut next_id = 0;
        let commands = FAMILIES.iter().flat_map(|family| family.iter()).chain(super::register::take());
        let mut rows: Vec<Row> = commands.map(|row| Row::derive(row, None, &mut next_id)).collect();
        rows.sort_by_key(|row| (row.called.is_none(), row.command.name));
        let called_count = rows.iter().filter(|row| row.called.is_some()).count();
        let name_bytes_max = rows.iter().filter_map(|row| row.called).map(<[u8]>::len).max().unwrap_or(0);
        let mut slots = Box::new([u16::MAX; SLOTS]);
        assert!(rows.len() * 2 <= SLOTS, "the look-up table is at most half full");
        for (index, row) in rows.iter().enumerate() {
            let Some(called) = row.called else { continue };
            let mut slot = slot_of(called);
            while slots[slot] != u16::MAX {
                assert!(rows[slots[slot] as usize].called != Some(called), "a name belongs to one row");
                slot = (slot + 1) % SLOTS;
            }
            slots[slot] = index as u16;
        }
        assert!(next_id < ACCESS_COMMANDS_MAX, "sets of allowed commands have room for every command");
        let mut places = vec![0; next_id];
        for (index, row) in rows.iter().enumerate() {
            places[row.id] = index as u16;
            for subcommand in &row.subcommands {
                places[subcommand.id] = index as u16;
            }
        }
        Table { rows, slots, called_count, name_bytes_max, places, count: next_id }
    }

    /// The row that clients call by this name, in any case.
    pub fn find(&'static self, name: &[u8]) -> Option<&'static Row> {
        if name.len() > self.name_bytes_max {
            return None;
        }
        let mut slot = slot_of(name);
        loop {
            let index = self.slots[slot];
            let row = self.rows.get(index as usize)?;
            if row.called.is_some_and(|called| called.eq_ignore_ascii_case(name)) {
                return Some(row);
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// The row whose own name this is, in any case, whatever clients call it.
    pub fn find_own(&'static self, name: &[u8]) -> Option<&'static Row> {
        let is_named = |row: &&Row| row.command.name.as_bytes().eq_ignore_ascii_case(name);
        // Only renamed commands are not found where their own name says.
        self.find(name).filter(is_named).or_else(|| self.rows.iter().find(is_named))
    }

    /// The row of a full name in any case: "get", "client|list". A container's own name is the container.
    pub fn find_full(&'static self, name: &[u8]) -> Option<&'static Row> {
        full(name, |name| self.find(name))
    }

    /// As `find_full`, by the rows' own names: in the rules of users, which hold whatever clients call a command.
    pub fn find_own_full(&'static self, name: &[u8]) -> Option<&'static Row> {
        full(name, |name| self.find_own(name))
    }

    /// The row with this id, or its container when it is a subcommand.
    pub fn row(&'static self, id: usize) -> &'static Row {
        &self.rows[self.places[id] as usize]
    }

    /// All commands that clients can call, sorted by their own names.
    pub fn rows(&'static self) -> &'static [Row] {
        &self.rows[..self.called_count]
    }

    /// Commands and subcommands together: one more than the highest `Row::id`.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The rows that COMMAND shows, subcommands after their containers.
    pub fn visible_rows(&'static self) -> impl Iterator<Item = &'static Row> {
        self.rows().iter().flat_map(|row| std::iter::once(row).chain(row.visible_subcommands()))
    }

    /// Those and the ones that clients cannot call, for the rules of users.
    pub fn visible_own_rows(&'static self) -> impl Iterator<Item = &'static Row> {
        self.rows.iter().flat_map(|row| std::iter::once(row).chain(row.visible_subcommands()))
    }

    /// All rows, subcommands after their containers.
    pub fn all_rows(&'static self) -> impl Iterator<Item = &'static Row> {
        self.rows.iter().flat_map(|row| std::iter::once(row).chain(row.subcommands.iter()))
    }
}

/// The row of a full name, its first part looked up with `find`.
fn full(name: &[u8], find: impl Fn(&[u8]) -> Option<&'static Row>) -> Option<&'static Row> {
    match memchr::memchr(b'|', name) {
        None => find(name),
        Some(at) => {
            let container = find(&name[..at])?;
            let row = container.subcommand(&name[at + 1..])?;
            (!container.visible_subcommands().is_empty()).then_some(row)
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::spec::KeySpec;

    const fn spec(begin: usize, last: i32, step: usize) -> KeySpec {
        let find = FindKeys::Range { last, step, limit: 0 };
        KeySpec { flags: &["RO"], begin: BeginSearch::Index(begin), find, notes: "" }
    }

    const COUNTED: KeySpec =
        KeySpec { find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 }, ..spec(2, 0, 1) };
    const INCOMPLETE: KeySpec = KeySpec { flags: &["RW", "incomplete"], ..spec(1, 0, 1) };

    type RangeCase = (&'static str, &'static [KeySpec], (usize, i32, usize, bool));

    /// The key specifications of real commands, with first key, last key, step and `movablekeys` as Redis 7.0 prints them.
    #[test]
    fn names_match_in_any_case_and_no_others_do() {
        for row in TABLE.rows().iter() {
            let name = row.command.name;
            assert!(row.is_named(name.as_bytes()) && row.is_named(name.to_uppercase().as_bytes()), "{name}");
            for other in TABLE.rows().iter().filter(|other| other.command.name != name) {
                assert!(!row.is_named(other.command.name.as_bytes()), "{name} {}", other.command.name);
            }
            for at in 0..name.len() {
                for byte in 0..=u8::MAX {
                    let mut other = name.as_bytes().to_vec();
                    other[at] = byte;
                    assert_eq!(row.is_named(&other), other.eq_ignore_ascii_case(name.as_bytes()), "{name} {at} {byte}");
                }
            }
            assert!(!row.is_named(&name.as_bytes()[1..]) && !row.is_named(&[name.as_bytes(), b"x"].concat()), "{name}");
        }
    }

    #[test]
    fn ranges_and_movable_keys() {
        const CASES: &[RangeCase] = &[
            ("ping", &[], (0, 0, 0, false)),
            ("get", &[spec(1, 0, 1)], (1, 1, 1, false)),
            ("mset", &[spec(1, -1, 2)], (1, -1, 2, false)),
            ("blpop", &[spec(1, -2, 1)], (1, -2, 1, false)),
            ("rename", &[spec(1, 0, 1), spec(2, 0, 1)], (1, 2, 1, false)),
            ("bitop", &[spec(2, 0, 1), spec(3, -1, 1)], (2, -1, 1, false)),
            ("zunionstore", &[spec(1, 0, 1), COUNTED], (1, 1, 1, true)),
            ("lmpop", &[COUNTED], (0, 0, 0, true)),
            ("restore, were it incomplete", &[INCOMPLETE], (1, 1, 1, true)),
            ("keys apart", &[spec(1, 0, 1), spec(3, 0, 1)], (1, 1, 1, true)),
            ("keys behind the end", &[spec(1, -1, 1), spec(2, 0, 1)], (1, -1, 1, true)),
            ("steps", &[spec(1, 0, 2), spec(2, 0, 2)], (0, 0, 0, true)),
        ];
        for (name, keys, expected) in CASES {
            let range = legacy_range(&Command { keys, ..Command::BASE });
            assert_eq!((range.first_key, range.last_key, range.key_step, range.movable), *expected, "{name}");
        }
    }

    #[test]
    fn categories_follow_from_flags() {
        let of = |flags, categories| {
            let all = all_categories(&Command { flags, categories, ..Command::BASE });
            let names = Categories::NAMES.iter().filter(|(category, _)| all.has(*category));
            names.map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(Flags::NONE, Categories::NONE), "slow");
        assert_eq!(of(Flags::WRITE.and(Flags::FAST), Categories::STRING), "write string fast");
        assert_eq!(of(Flags::READONLY, Categories::STRING), "read string slow");
        assert_eq!(of(Flags::READONLY, Categories::SCRIPTING), "slow scripting");
        assert_eq!(of(Flags::ADMIN, Categories::NONE), "admin slow dangerous");
        assert_eq!(of(Flags::PUBSUB.and(Flags::BLOCKING), Categories::FAST), "pubsub fast blocking");
    }

    #[test]
    fn rows_are_found_by_name_in_any_case() {
        for row in TABLE.all_rows() {
            let found = TABLE.find_full(row.full_name.to_uppercase().as_bytes());
            assert_eq!(found.map(|found| found.full_name), Some(row.full_name));
        }
        for name in ["", "|", "nosuch", "command|", "command|nosuch", "get|x", "command|count|x", &"x".repeat(100)] {
            assert!(TABLE.find_full(name.as_bytes()).is_none(), "{name}");
        }
    }
}
