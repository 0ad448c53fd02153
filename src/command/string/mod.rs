//! The string family: one file per kind of command, rows beside their handlers.
//!
//! `read` GET and its kin; `write` SET and its kin; `compare` what compares values first (DIGEST, DELEX, DELIFEQ); `edit` APPEND and SETRANGE; `number` the counters; `several` MGET and
//! MSET; `lcs` LCS; `options` the words SET and GETEX share. What other families need of strings stands here.

pub mod compare;
pub mod edit;
pub mod lcs;
pub mod number;
mod options;
pub mod read;
pub mod several;
pub mod write;

use crate::config::Config;
use crate::keyspace::entry::StringValue;
use crate::keyspace::write::{Expiry, KeyWrite};
use crate::resp::reply::Reply;
use crate::stdx::limits::SHARED_VALUE_BYTES_MIN;
use crate::value::object::LongString;

use super::args::Args;
use super::error::CommandError;
use super::spec::{Categories, Command};

/// What the rows of this family have in common.
const STRING: Command = Command { categories: Categories::STRING, group: "string", ..Command::BASE };

/// Replies with a string; other types are an error. A large one goes along by reference.
#[inline]
pub fn reply_string(reply: &mut Reply, value: StringValue<'_>) -> Result<(), CommandError> {
    match value {
        StringValue::Short(bytes) => reply.bulk(bytes),
        StringValue::Integer(integer) => reply.bulk_integer(integer),
        StringValue::Long(string) => reply_long(reply, string),
        StringValue::Other => return Err(CommandError::WrongType),
    }
    Ok(())
}

#[cold]
fn reply_long(reply: &mut Reply, string: &mut LongString) {
    if string.as_bytes().len() < SHARED_VALUE_BYTES_MIN {
        reply.bulk(string.as_bytes());
    } else {
        reply.bulk_shared(string.share());
    }
}

/// Replies with a string, or that there is none.
#[inline]
fn reply_string_or_null(reply: &mut Reply, value: Option<StringValue<'_>>) -> Result<(), CommandError> {
    match value {
        Some(value) => reply_string(reply, value),
        None => {
            reply.null();
            Ok(())
        }
    }
}

/// Sets the key to an argument; a large argument keeps the buffer it arrived in.
#[inline]
fn set_to_argument(key: &mut KeyWrite<'_>, args: Args<'_>, index: usize, expiry: Expiry) {
    match args.shared(index) {
        None => key.set_string(args.get(index), expiry),
        Some(bytes) => key.set_shared(bytes.clone(), expiry),
    }
}

/// Refuses a string of `len` and `more` bytes when that is longer than `proto-max-bulk-len`.
fn check_length(config: &Config, len: usize, more: usize) -> Result<usize, CommandError> {
    match len.checked_add(more) {
        Some(total) if total as u64 <= config.get_u64(crate::param!("proto-max-bulk-len")) => Ok(total),
        _ => Err(CommandError::StringTooLong),
    }
}
