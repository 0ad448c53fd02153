//! The options that SET and GETEX share: which lifetime a key shall have, and under which condition it is set.

use crate::command::args::Args;
use crate::command::error::CommandError;

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
}

/// All options of SET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SetOptions {
    pub(super) condition: Condition,
    pub(super) get: bool,
    pub(super) lifetime: Lifetime,
}

impl Condition {
    /// Whether a key may be set that does or does not exist.
    pub(super) fn allows(self, exists: bool) -> bool {
        match self {
            Condition::Always => true,
            Condition::Absent => !exists,
            Condition::Present => exists,
        }
    }
}

impl SetOptions {
    /// Reads the arguments behind the value. Options may be repeated, but not contradict each other.
    pub(super) fn parse(args: Args<'_>) -> Result<SetOptions, CommandError> {
        let mut options = SetOptions { condition: Condition::Always, get: false, lifetime: Lifetime::Unsaid };
        let mut at = 3;
        while at < args.len() {
            if args.is(at, b"nx") && options.condition != Condition::Present {
                options.condition = Condition::Absent;
            } else if args.is(at, b"xx") && options.condition != Condition::Absent {
                options.condition = Condition::Present;
            } else if args.is(at, b"get") {
                options.get = true;
            } else if args.is(at, b"keepttl") && matches!(options.lifetime, Lifetime::Unsaid | Lifetime::Keep) {
                options.lifetime = Lifetime::Keep;
            } else {
                options.lifetime = options.lifetime.and_time(args, at)?;
                at += 1;
            }
            at += 1;
        }
        Ok(options)
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
