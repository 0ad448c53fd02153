//! The set family: one file per kind of command, rows beside their handlers.
//!
//! `change` SADD, SREM, SMOVE; `read` what asks one set; `random` SPOP and SRANDMEMBER; `combine` intersections, unions
//! and differences.

pub mod change;
pub mod combine;
pub mod random;
pub mod read;

use crate::config::Config;
use crate::resp::reply::Reply;
use crate::value::listpack::Element;
use crate::value::set::SetLimits;

use super::spec::{Categories, Command};

/// What the rows of this family have in common.
const SET: Command = Command { categories: Categories::SET, group: "set", ..Command::BASE };

/// How large the small forms may get.
pub(super) fn limits(config: &Config) -> SetLimits {
    let get = |parameter| usize::try_from(config.get_u64(parameter)).unwrap_or(usize::MAX);
    SetLimits {
        intset_entries: get(crate::param!("set-max-intset-entries")),
        listpack_entries: get(crate::param!("set-max-listpack-entries")),
        listpack_value: get(crate::param!("set-max-listpack-value")),
    }
}

/// Replies with one member.
#[inline]
fn reply_member(reply: &mut Reply, member: Element<'_>) {
    match member {
        Element::Integer(integer) => reply.bulk_integer(integer),
        Element::Bytes(bytes) => reply.bulk(bytes),
    }
}
