//! What one configuration parameter is: a row, and the words rows are written with.
//!
//! Invariants: a row is plain data, built in constant context; everything else about configuration (CONFIG GET, SET and
//! REWRITE, the configuration file, the command line, the example file, `Param`) derives from rows. The names, kinds,
//! ranges, defaults and flags are those of Redis 7.4's `config.c`. Anyone may read a row; only `rows/` writes them.

use super::value::Value;

/// Largest value of C's `int`, the bound of many of Redis' parameters.
pub const INT_MAX: i64 = i32::MAX as i64;

/// One parameter. Built with `row` and the methods below, one word per trait that is not the usual one.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Name in the configuration file and in CONFIG, lower case.
    pub name: &'static str,
    /// Second name under which Redis knows the same parameter (`slave-…`, `…-ziplist-…`).
    pub alias: Option<&'static str>,
    /// What values it takes.
    pub kind: Kind,
    /// The value without configuration, as CONFIG GET prints it.
    pub default: &'static str,
    /// False: only the configuration file and the command line can set it.
    pub mutable: bool,
    /// Not mutable, but CONFIG SET of the value it has is no error. For rows that Redis does not have: whoever sets all
    /// that CONFIG GET shows leaves only Redis' immutable ones out.
    pub echoed: bool,
    /// CONFIG SET only as far as `enable-protected-configs` allows.
    pub protected: bool,
    /// CONFIG SET is refused with LOADING while data is loaded.
    pub denied_while_loading: bool,
    /// CONFIG GET shows it only under its full name, not for a pattern.
    pub hidden: bool,
    /// Its value must not reach the slow log, MONITOR or the log.
    pub sensitive: bool,
    /// Setting it to the value it has is still a change: the value names a file whose content may be new.
    pub reread: bool,
    /// A value outside is moved to the nearer of these bounds instead of being refused.
    pub clamp: Option<(i64, i64)>,
    /// A further rule for values of the right kind; the text of the refusal is Redis'.
    pub check: fn(&Value) -> Result<(), &'static str>,
    /// Whether the value does something here.
    pub effect: Effect,
    /// One line on what it does, in our own words.
    pub summary: &'static str,
}

/// Whether a parameter does something in this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Some layer reads it.
    Used,
    /// Accepted, kept, printed and rewritten, but nothing reads it, for the reason given.
    Stored(&'static str),
}

/// What values a parameter takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `yes` or `no`.
    YesNo,
    /// A whole number within bounds, both inclusive. With `unsigned`, the bounds are the bits of two `u64`.
    Integer {
        least: i64,
        most: i64,
        unit: Unit,
        unsigned: bool,
    },
    /// One of the words, each with its number; two words may share a number, the first is printed.
    Choice(&'static [(&'static str, i32)]),
    /// Several of the words at once, or-ed together.
    Choices(&'static [(&'static str, i32)]),
    /// Any bytes. With `empty_is_none`, the empty text means "not set" and is not written by CONFIG REWRITE.
    Text { empty_is_none: bool },
    /// A folder that exists, kept as an absolute path.
    Directory,
    /// Pairs of seconds and changes.
    SavePoints,
    /// Class, hard limit, soft limit, seconds; four words per class.
    BufferLimits,
    /// Three scores.
    OomScores,
    /// Letters for classes of keyspace events.
    Events,
    /// Addresses to listen on.
    Addresses,
    /// Host and port of the master, or `no one`.
    Master,
    /// Percentages for latency figures.
    Percentiles,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Plain,
    /// Bytes, with `kb`, `mb`, `gb` (powers of 1024) or `k`, `m`, `g` (powers of 1000).
    Memory,
    /// As `Memory`, or a percentage, which is kept as a negative number.
    MemoryOrPercent,
    /// Base eight.
    Octal,
}

/// What a value looks like in memory; [`super::Param`] is typed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    YesNo,
    Number,
    Word,
    Text,
    Special,
}

impl Kind {
    /// Whether a line of the configuration file and CONFIG SET may give several values at once.
    pub const fn takes_several(&self) -> bool {
        matches!(
            self,
            Kind::Choices(_)
                | Kind::SavePoints
                | Kind::BufferLimits
                | Kind::OomScores
                | Kind::Addresses
                | Kind::Master
                | Kind::Percentiles
        )
    }

    /// The sort of value this kind is kept as.
    pub const fn sort(&self) -> Sort {
        match self {
            Kind::YesNo => Sort::YesNo,
            Kind::Integer { .. } => Sort::Number,
            Kind::Choice(_) | Kind::Choices(_) => Sort::Word,
            Kind::Text { .. } | Kind::Directory => Sort::Text,
            _ => Sort::Special,
        }
    }
}

fn no_check(_: &Value) -> Result<(), &'static str> {
    Ok(())
}

/// A parameter that anyone may change at run time and that does something; the methods say what is different.
pub(super) const fn row(name: &'static str, kind: Kind, default: &'static str) -> Parameter {
    Parameter {
        name,
        alias: None,
        kind,
        default,
        mutable: true,
        echoed: false,
        protected: false,
        denied_while_loading: false,
        hidden: false,
        sensitive: false,
        reread: false,
        clamp: None,
        check: no_check,
        effect: Effect::Used,
        summary: "",
    }
}

impl Parameter {
    pub(super) const fn alias(mut self, alias: &'static str) -> Parameter {
        self.alias = Some(alias);
        self
    }

    pub(super) const fn immutable(mut self) -> Parameter {
        self.mutable = false;
        self
    }

    pub(super) const fn echoed(mut self) -> Parameter {
        (self.mutable, self.echoed) = (false, true);
        self
    }

    pub(super) const fn protected(mut self) -> Parameter {
        self.protected = true;
        self
    }

    pub(super) const fn denied_while_loading(mut self) -> Parameter {
        self.denied_while_loading = true;
        self
    }

    pub(super) const fn hidden(mut self) -> Parameter {
        self.hidden = true;
        self
    }

    pub(super) const fn sensitive(mut self) -> Parameter {
        self.sensitive = true;
        self
    }

    pub(super) const fn reread(mut self) -> Parameter {
        self.reread = true;
        self
    }

    pub(super) const fn clamp(mut self, least: i64, most: i64) -> Parameter {
        self.clamp = Some((least, most));
        self
    }

    pub(super) const fn check(
        mut self,
        check: fn(&Value) -> Result<(), &'static str>,
    ) -> Parameter {
        self.check = check;
        self
    }

    pub(super) const fn stored(mut self, why: &'static str) -> Parameter {
        self.effect = Effect::Stored(why);
        self
    }

    pub(super) const fn about(mut self, summary: &'static str) -> Parameter {
        self.summary = summary;
        self
    }
}

pub(super) const fn integer(least: i64, most: i64) -> Kind {
    number(least, most, Unit::Plain, false)
}

pub(super) const fn unsigned(least: u64, most: u64) -> Kind {
    number(least as i64, most as i64, Unit::Plain, true)
}

pub(super) const fn memory(least: i64, most: i64) -> Kind {
    number(least, most, Unit::Memory, false)
}

pub(super) const fn unsigned_memory(least: u64, most: u64) -> Kind {
    number(least as i64, most as i64, Unit::Memory, true)
}

pub(super) const fn memory_or_percent(least: i64, most: i64) -> Kind {
    number(least, most, Unit::MemoryOrPercent, false)
}

pub(super) const fn octal(least: u64, most: u64) -> Kind {
    number(least as i64, most as i64, Unit::Octal, true)
}

const fn number(least: i64, most: i64, unit: Unit, unsigned: bool) -> Kind {
    Kind::Integer {
        least,
        most,
        unit,
        unsigned,
    }
}

/// Text whose empty form is a value.
pub(super) const TEXT: Kind = Kind::Text {
    empty_is_none: false,
};

/// Text that may be absent.
pub(super) const OPTIONAL_TEXT: Kind = Kind::Text {
    empty_is_none: true,
};
