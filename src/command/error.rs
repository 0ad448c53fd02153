//! The client's mistakes, with Redis' exact words, in one place.

use std::borrow::Cow;

use crate::keyspace::write::OtherType;

/// What a client did wrong. The text is sent as the error reply, prefix included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The key holds a value of another type.
    WrongType,
    /// Not a 64-bit integer.
    NotAnInteger,
    /// A 64-bit integer where one of 32 bits is needed.
    NotAnInt32,
    /// Not a floating point number.
    NotAFloat,
    /// It would take memory, of which there is no more (`maxmemory`).
    OutOfMemory,
    /// An unknown or ill-placed option.
    Syntax,
    /// The key must exist and does not.
    NoSuchKey,
    /// INCR and its kin past the range of 64 bits.
    Overflow,
    /// INCRBYFLOAT to infinity or nowhere.
    NanOrInfinity,
    /// A string would become longer than `proto-max-bulk-len`.
    StringTooLong,
    /// A negative offset where none may be.
    OffsetOutOfRange,
    /// A database index that is no database.
    DatabaseOutOfRange,
    /// A cursor that is no number.
    InvalidCursor,
    /// An expiry that is not positive or not representable; names the command in lower case.
    InvalidExpire(&'static str),
    /// Wrong number of arguments; names the command in lower case.
    Arity(&'static str),
    /// Source and target are one.
    SameObject,
    /// Any other fixed text.
    Text(&'static str),
    /// A text made for the occasion.
    Owned(Vec<u8>),
}

impl From<OtherType> for CommandError {
    fn from(_: OtherType) -> CommandError {
        CommandError::WrongType
    }
}

impl CommandError {
    /// A text around bytes of the client's, which are shown up to their first NUL (Redis prints C strings).
    pub fn quoting(before: &str, shown: &[u8], after: &str) -> CommandError {
        let shown = &shown[..memchr::memchr(0, shown).unwrap_or(shown.len())];
        CommandError::Owned([before.as_bytes(), shown, after.as_bytes()].concat())
    }

    /// The error reply without its leading minus.
    pub fn text(&self) -> Cow<'static, [u8]> {
        let text: &'static str = match self {
            CommandError::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            CommandError::NotAnInteger => "ERR value is not an integer or out of range",
            CommandError::NotAnInt32 => "ERR value is out of range, value must between -2147483648 and 2147483647",
            CommandError::NotAFloat => "ERR value is not a valid float",
            CommandError::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            CommandError::Syntax => "ERR syntax error",
            CommandError::NoSuchKey => "ERR no such key",
            CommandError::Overflow => "ERR increment or decrement would overflow",
            CommandError::NanOrInfinity => "ERR increment would produce NaN or Infinity",
            CommandError::StringTooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            CommandError::OffsetOutOfRange => "ERR offset is out of range",
            CommandError::DatabaseOutOfRange => "ERR DB index is out of range",
            CommandError::InvalidCursor => "ERR invalid cursor",
            CommandError::SameObject => "ERR source and destination objects are the same",
            CommandError::InvalidExpire(command) => {
                return Cow::Owned(["ERR invalid expire time in '", command, "' command"].concat().into_bytes());
            }
            CommandError::Arity(command) => {
                return Cow::Owned(["ERR wrong number of arguments for '", command, "' command"].concat().into_bytes());
            }
            CommandError::Text(text) => text,
            CommandError::Owned(text) => return Cow::Owned(text.clone()),
        };
        Cow::Borrowed(text.as_bytes())
    }
}
