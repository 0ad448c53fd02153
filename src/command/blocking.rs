//! What a handler says when its client shall wait: for which keys, how long, and what the reply is when time is over.
//!
//! A blocking command is an ordinary keyed handler with `Flags::BLOCKING`. It first tries to do its work; when there is
//! nothing to do it calls `Context::wait`. Its session then stands still until one of the keys is written to; whoever
//! wrote runs the handler again, for the waiting client, with whatever boxes are in hand (`Context::has` tells for a key).

use crate::resp::reply::Reply;
use crate::stdx::long_double::LongDouble;
use crate::stdx::number;
use crate::value::object::ObjectType;

use super::args::Args;
use super::error::CommandError;

/// What may happen when there is nothing to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// The client waits.
    Allowed,
    /// The command replies at once as if its time were over (transactions).
    Denied,
    /// The same, in a script.
    DeniedToScript,
    /// The client waits already; it goes on waiting.
    Serving,
}

/// Which of a command's keys it waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitKeys {
    /// All of them.
    All,
    /// The first; serving the client takes the others too (BLMOVE).
    First,
}

/// The reply when time is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeoutReply {
    /// No value.
    Null,
    /// No array.
    NullArray,
}

impl TimeoutReply {
    /// Writes it.
    pub fn write(self, reply: &mut Reply) {
        match self {
            TimeoutReply::Null => reply.null(),
            TimeoutReply::NullArray => reply.null_array(),
        }
    }
}

/// A client's wish to wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wait {
    /// For which keys.
    pub keys: WaitKeys,
    /// Unix time in milliseconds when it ends; none: never.
    pub until_ms: Option<i64>,
    /// The reply then.
    pub timeout_reply: TimeoutReply,
    /// What the keys shall hold.
    pub object_type: ObjectType,
    /// It wants to know when a key is deleted or becomes something else, too (XREADGROUP).
    pub even_without_key: bool,
    /// Arguments that mean something else later (`$` in XREAD), with what shall stand in their place.
    pub replaced: Vec<(usize, Vec<u8>)>,
}

/// The end of a wait whose length an argument gives in seconds, fractions allowed; none when it is 0.
pub fn until_ms_of_seconds(args: Args<'_>, index: usize, now_ms: i64) -> Result<Option<i64>, CommandError> {
    let text = args.get(index);
    let seconds = match number::parse_double(text) {
        Some(seconds) => seconds,
        // Redis reads a long double, whose range is wider; either way the wait would be too long, or too short.
        None if LongDouble::parse(text).is_some_and(|number| !number.is_nan()) => match text.first() {
            Some(b'-') => f64::NEG_INFINITY,
            _ => f64::INFINITY,
        },
        None => return Err(CommandError::Text("ERR timeout is not a float or out of range")),
    };
    let timeout_ms = (seconds * 1000.0).ceil();
    if timeout_ms > i64::MAX as f64 {
        return Err(CommandError::Text("ERR timeout is out of range"));
    }
    until_ms(timeout_ms as i64, now_ms)
}

/// The end of a wait whose length an argument gives in milliseconds; none when it is 0.
pub fn until_ms_of_milliseconds(args: Args<'_>, index: usize, now_ms: i64) -> Result<Option<i64>, CommandError> {
    let timeout_ms = number::parse_i64(args.get(index))
        .ok_or(CommandError::Text("ERR timeout is not an integer or out of range"))?;
    until_ms(timeout_ms, now_ms)
}

fn until_ms(timeout_ms: i64, now_ms: i64) -> Result<Option<i64>, CommandError> {
    match timeout_ms {
        ..0 => Err(CommandError::Text("ERR timeout is negative")),
        0 => Ok(None),
        _ => {
            let end = timeout_ms.checked_add(now_ms).ok_or(CommandError::Text("ERR timeout is out of range"))?;
            Ok(Some(end))
        }
    }
}
