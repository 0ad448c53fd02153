//! What can go wrong between a client and a server, in words for whoever reads the message.

use std::fmt;
use std::io;
use std::time::Duration;

use super::address::Address;
use crate::resp::response::{ResponseError, Value};

/// An error that the server replied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError(Vec<u8>);

impl ServerError {
    /// From the reply's text without its minus.
    pub fn new(text: Vec<u8>) -> ServerError {
        ServerError(text)
    }

    /// The whole text, "WRONGTYPE Operation against …".
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// The first word, "ERR", "WRONGTYPE", "MOVED" ….
    pub fn code(&self) -> &str {
        let word = self.0.split(|byte| *byte == b' ').next().unwrap_or_default();
        str::from_utf8(word).unwrap_or_default()
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text())
    }
}

/// Why a call failed.
#[derive(Debug)]
pub enum Error {
    /// The text is no URL or address of a server; what is wrong with it.
    Url(String),
    /// Nobody answers there.
    Connect(Address, io::Error),
    /// Somebody answers there, but not as the options for TLS ask; why.
    Tls(String),
    /// The server refuses the name or the password.
    Authentication(ServerError),
    /// The connection failed.
    Io(io::Error),
    /// The server closed the connection.
    Closed,
    /// The server did not answer in time.
    TimedOut(Duration),
    /// What came is not the Redis protocol.
    Protocol(ResponseError),
    /// An earlier call failed half-way: replies can no longer be told apart. Connect anew.
    Broken,
    /// The server replied an error.
    Server(ServerError),
    /// The reply has another type than the call is for.
    Unexpected(Value),
}

impl Error {
    /// Whether the connection is of no use any more.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Error::Server(_) | Error::Unexpected(_) | Error::Url(_))
    }

    /// The system's text without Rust's "(os error 111)".
    pub(super) fn system_text(error: &io::Error) -> String {
        let text = error.to_string();
        // Names that do not resolve have Rust's words before the system's.
        let text = text.trim_start_matches("failed to lookup address information: ");
        match text.find(" (os error ") {
            Some(end) => text[..end].to_string(),
            None => text.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Url(reason) => out.write_str(reason),
            Error::Connect(address, error) => {
                write!(out, "Could not connect to Redis at {address}: {}", Error::system_text(error))
            }
            Error::Tls(reason) => write!(out, "Could not negotiate a TLS connection: {reason}"),
            Error::Authentication(error) => write!(out, "AUTH failed: {error}"),
            Error::Io(error) => out.write_str(&Error::system_text(error)),
            Error::Closed => out.write_str("Server closed the connection"),
            Error::TimedOut(limit) => write!(out, "No answer within {limit:?}"),
            Error::Protocol(error) => write!(out, "Protocol error: what came is no reply ({error:?})"),
            Error::Broken => out.write_str("An earlier call on this connection failed half-way; connect anew"),
            Error::Server(error) => error.fmt(out),
            Error::Unexpected(value) => write!(out, "The reply has another type than expected: {value:?}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(error)
    }
}

impl From<ResponseError> for Error {
    fn from(error: ResponseError) -> Error {
        Error::Protocol(error)
    }
}
