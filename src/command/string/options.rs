//! The options that SET, MSETEX and GETEX share: which lifetime a key shall have, and under which condition it is set.

use crate::command::args::Args;
use crate::command::error::CommandError;
use crate::keyspace::write::Expiry;

use super::compare::Comparison;

/// How an expiry is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// EX: seconds from now.
    Seconds,
    /// PX: milliseconds from now.
    Milliseconds,
    /// EXAT: unix time in seconds.
    UnixSeconds,
    /// PXAT: unix time in milliseconds.
    UnixMilliseconds,
}

/// What shall become of a key's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// Nothing was said.
    Unsaid,
    /// KEEPTTL.
    Keep,
    /// PERSIST.
    Persist,
    /// A time, which stands at this argument.
    Until(Unit, usize),
}

/// SET's condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// None.
    Always,
    /// NX: the key must not exist.
    Absent,
    /// XX: the key must exist.
    Present,
    /// IFEQ and its kin: the value must compare so with the argument at the index.
    Compares(Comparison, usize),
}

/// All options of SET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SetOptions {
    pub(super) condition: Condition,
    pub(super) get: bool,
    pub(super) lifetime: Lifetime,
}

impl Condition {
    /// The condition when the argument at `at` is NX or XX; they may be repeated, but not contradict each other.
    fn and_existence(self, args: Args<'_>, at: usize) -> Option<Condition> {
        let named = if args.is(at, b"nx") {
            Condition::Absent
        } else if args.is(at, b"xx") {
            Condition::Present
        } else {
            return None;
        };
        (self == Condition::Always || self == named).then_some(named)
    }
}

impl SetOptions {
    /// Reads the arguments behind the value. Options may be repeated, but not contradict each other.
    pub(super) fn parse(args: Args<'_>) -> Result<SetOptions, CommandError> {
        let mut options = SetOptions { condition: Condition::Always, get: false, lifetime: Lifetime::Unsaid };
        let mut at = 3;
        while at < args.len() {
            if args.is(at, b"get") {
                options.get = true;
                at += 1;
            } else if let Some(comparison) = Comparison::named(args, at)
                && options.condition == Condition::Always
                && at + 1 < args.len()
            {
                options.condition = Condition::Compares(comparison, at + 1);
                at += 2;
            } else {
                at += options.read_one(args, at)?;
            }
        }
        Ok(options)
    }

    /// Reads MSETEX's arguments from `at` on: those of SET without GET and comparisons.
    pub(super) fn parse_several(args: Args<'_>, mut at: usize) -> Result<SetOptions, CommandError> {
        let mut options = SetOptions { condition: Condition::Always, get: false, lifetime: Lifetime::Unsaid };
        while at < args.len() {
            at += options.read_one(args, at)?;
        }
        Ok(options)
    }

    /// Reads NX, XX, KEEPTTL or a time, and returns how many arguments that were.
    fn read_one(&mut self, args: Args<'_>, at: usize) -> Result<usize, CommandError> {
        if let Some(condition) = self.condition.and_existence(args, at) {
            self.condition = condition;
            return Ok(1);
        }
        if args.is(at, b"keepttl") && matches!(self.lifetime, Lifetime::Unsaid | Lifetime::Keep) {
            self.lifetime = Lifetime::Keep;
            return Ok(1);
        }
        self.lifetime = self.lifetime.and_time(args, at)?;
        Ok(2)
    }

    /// What shall become of the expiry, by the clock of the command.
    pub(super) fn expiry(&self, args: Args<'_>, now_ms: i64, command: &'static str) -> Result<Expiry, CommandError> {
        Ok(match self.lifetime {
            Lifetime::Until(unit, index) => Expiry::At(unit.expire_at_ms(args, index, now_ms, command)?),
            Lifetime::Keep => Expiry::Keep,
            Lifetime::Unsaid | Lifetime::Persist => Expiry::Never,
        })
    }
}

impl Lifetime {
    /// Reads the arguments of GETEX behind the key.
    pub(super) fn parse_getex(args: Args<'_>) -> Result<Lifetime, CommandError> {
        let mut lifetime = Lifetime::Unsaid;
        let mut at = 2;
        while at < args.len() {
            if args.is(at, b"persist") && matches!(lifetime, Lifetime::Unsaid | Lifetime::Persist) {
                lifetime = Lifetime::Persist;
            } else {
                lifetime = lifetime.and_time(args, at)?;
                at += 1;
            }
            at += 1;
        }
        Ok(lifetime)
    }

    /// The lifetime when a unit and a number stand at `at`; only a repetition of the same unit is allowed.
    fn and_time(self, args: Args<'_>, at: usize) -> Result<Lifetime, CommandError> {
        const UNITS: [(&[u8], Unit); 4] = [
            (b"ex", Unit::Seconds),
            (b"px", Unit::Milliseconds),
            (b"exat", Unit::UnixSeconds),
            (b"pxat", Unit::UnixMilliseconds),
        ];
        let unit = UNITS.iter().find(|(word, _)| args.is(at, word)).map(|&(_, unit)| unit);
        let unit = unit.filter(|_| at + 1 < args.len()).ok_or(CommandError::Syntax)?;
        match self {
            Lifetime::Unsaid => Ok(Lifetime::Until(unit, at + 1)),
            Lifetime::Until(other, _) if other == unit => Ok(Lifetime::Until(unit, at + 1)),
            _ => Err(CommandError::Syntax),
        }
    }
}

impl Unit {
    /// The unix time in milliseconds that the argument at `index` means. Times that are not positive or do not fit are
    /// refused in the name of `command`.
    pub(super) fn expire_at_ms(
        self,
        args: Args<'_>,
        index: usize,
        now_ms: i64,
        command: &'static str,
    ) -> Result<i64, CommandError> {
        let number = args.integer(index)?;
        let milliseconds = match self {
            Unit::Seconds | Unit::UnixSeconds => number.checked_mul(1000),
            Unit::Milliseconds | Unit::UnixMilliseconds => Some(number),
        };
        let base_ms = match self {
            Unit::Seconds | Unit::Milliseconds => now_ms,
            Unit::UnixSeconds | Unit::UnixMilliseconds => 0,
        };
        milliseconds
            .filter(|&milliseconds| milliseconds > 0)
            .and_then(|milliseconds| milliseconds.checked_add(base_ms))
            .ok_or(CommandError::InvalidExpire(command))
    }

    /// The time is an absolute one and so may lie in the past.
    pub(super) fn is_absolute(self) -> bool {
        matches!(self, Unit::UnixSeconds | Unit::UnixMilliseconds)
    }
}
