//! All parameters: the rows of the themes, one after the other, and typed references to single rows.
//!
//! Invariants: within a theme rows are sorted by name, and no name or alias occurs twice (tested). `req-res-logfile` has no
//! row: Redis knows it only in a build made for its own protocol tests.

mod cluster;
mod data_types;
mod log;
mod memory;
mod network;
mod persistence;
mod process;
mod replication;
mod ringfort;
mod scripting;
mod security;
mod tls;

use std::marker::PhantomData;

use super::row::{Parameter, Sort, row};

/// The themes in the order of the example file, each with its title and its rows.
pub(super) const THEMES: &[(&str, &[Parameter])] = &[
    ("Ringfort", ringfort::RINGFORT),
    ("Network", network::NETWORK),
    ("TLS", tls::TLS),
    ("Process", process::PROCESS),
    ("Log and latency", log::LOG),
    ("Persistence", persistence::PERSISTENCE),
    ("Replication", replication::REPLICATION),
    ("Security", security::SECURITY),
    ("Memory", memory::MEMORY),
    ("Scripts and modules", scripting::SCRIPTING),
    ("Cluster", cluster::CLUSTER),
    ("Data types", data_types::DATA_TYPES),
];

const COUNT: usize = {
    let mut count = 0;
    let mut theme = 0;
    while theme < THEMES.len() {
        count += THEMES[theme].1.len();
        theme += 1;
    }
    count
};

/// Every parameter, theme after theme.
pub static PARAMETERS: [Parameter; COUNT] = gather();

const fn gather() -> [Parameter; COUNT] {
    let mut all = [row("", super::row::TEXT, ""); COUNT];
    let (mut next, mut theme) = (0, 0);
    while theme < THEMES.len() {
        let rows = THEMES[theme].1;
        let mut index = 0;
        while index < rows.len() {
            all[next] = rows[index];
            next += 1;
            index += 1;
        }
        theme += 1;
    }
    all
}

/// A sort of value that a [`Param`] can promise. Implemented by the empty types below only.
pub trait OfSort {
    const SORT: Sort;
}

/// `yes` or `no`.
pub enum YesNo {}
/// A number.
pub enum Number {}
/// One word of a list, or several.
pub enum Word {}
/// Any text.
pub enum Text {}
/// A list or a record with an accessor of its own.
pub enum Special {}

impl OfSort for YesNo {
    const SORT: Sort = Sort::YesNo;
}
impl OfSort for Number {
    const SORT: Sort = Sort::Number;
}
impl OfSort for Word {
    const SORT: Sort = Sort::Word;
}
impl OfSort for Text {
    const SORT: Sort = Sort::Text;
}
impl OfSort for Special {
    const SORT: Sort = Sort::Special;
}

/// A reference to one row whose values are of sort `K`: an index, found while compiling by [`crate::param`].
pub struct Param<K> {
    index: u16,
    sort: PhantomData<fn() -> K>,
}

impl<K> Clone for Param<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Param<K> {}

impl<K: OfSort> Param<K> {
    /// The row with this name. In constant context (use [`crate::param`]) a name without a row, or a row of another
    /// sort, does not compile.
    pub const fn of(name: &str) -> Param<K> {
        let index = position(name);
        assert!(
            PARAMETERS[index].kind.sort() as u8 == K::SORT as u8,
            "this parameter has values of another sort"
        );
        Param {
            index: index as u16,
            sort: PhantomData,
        }
    }

    /// Position of the row in [`PARAMETERS`].
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// The row.
    pub fn row(self) -> &'static Parameter {
        &PARAMETERS[self.index as usize]
    }
}

/// Position in [`PARAMETERS`] of the row with this name. In constant context a name without a row does not compile.
pub const fn position(name: &str) -> usize {
    let mut index = 0;
    while index < COUNT {
        if same(PARAMETERS[index].name, name) {
            return index;
        }
        index += 1;
    }
    panic!("no parameter has this name");
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// A [`Param`] by its name, checked while compiling: `config.get_bool(param!("appendonly"))` is one array access.
/// `param!(index of "port")` is the position of the row instead, for what takes rows of any sort.
#[macro_export]
macro_rules! param {
    (index of $name:literal) => {
        const { $crate::config::position($name) }
    };
    ($name:literal) => {
        const { $crate::config::Param::of($name) }
    };
}

/// A name as someone wrote it, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Position of the row in [`PARAMETERS`].
    pub index: usize,
    /// The name or the alias of the row, whichever was written, in lower case.
    pub name: &'static str,
}

/// The parameter that has this name or alias, in any case of letters.
pub fn find(name: &[u8]) -> Option<Named> {
    names().find(|named| named.name.as_bytes().eq_ignore_ascii_case(name))
}

/// Every name and every alias, row after row.
pub(super) fn names() -> impl Iterator<Item = Named> {
    PARAMETERS.iter().enumerate().flat_map(|(index, row)| {
        let own = Named {
            index,
            name: row.name,
        };
        std::iter::once(own).chain(row.alias.map(|name| Named { index, name }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::row::Effect;

    #[test]
    fn names_are_unique_sorted_and_lower_case() {
        let mut seen = std::collections::BTreeSet::new();
        for named in names() {
            assert!(seen.insert(named.name), "{} occurs twice", named.name);
            assert_eq!(named.name, named.name.to_ascii_lowercase());
        }
        for (title, rows) in THEMES {
            for pair in rows.windows(2) {
                assert!(
                    pair[0].name < pair[1].name,
                    "{title}: {} is out of place",
                    pair[1].name
                );
            }
        }
        assert_eq!(PARAMETERS.len(), 186 + ringfort::RINGFORT.len());
    }

    #[test]
    fn rows_are_complete() {
        for row in &PARAMETERS {
            assert!(
                row.summary.ends_with('.') && !row.summary.contains('\n'),
                "{}",
                row.name
            );
            if let Effect::Stored(why) = row.effect {
                assert!(!why.is_empty() && !why.ends_with('.'), "{}", row.name);
            }
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_by_alias() {
        assert_eq!(
            find(b"MaxMemory").map(|named| named.name),
            Some("maxmemory")
        );
        let alias = find(b"SLAVE-priority").expect("an alias");
        assert_eq!(
            (alias.name, PARAMETERS[alias.index].name),
            ("slave-priority", "replica-priority")
        );
        assert_eq!(find(b""), None);
        assert_eq!(find(b"port "), None);
        let port: Param<Number> = param!("port");
        assert_eq!(port.row().name, "port");
    }
}
