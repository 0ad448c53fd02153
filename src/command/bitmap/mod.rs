//! The bitmap family: strings as rows of bits.
//!
//! `bit` SETBIT and GETBIT; `range` BITCOUNT and BITPOS; `combine` BITOP; `field` BITFIELD. What happens to bits stands in
//! `value/bits`; here are arguments, replies, and what they have in common.

pub mod bit;
pub mod combine;
pub mod field;
pub mod range;

use crate::config::Config;
use crate::stdx::number;

use super::args::Args;
use super::error::CommandError;
use super::spec::{Categories, Command};

/// What the rows of this family have in common.
const BITMAP: Command = Command { categories: Categories::BITMAP, group: "bitmap", ..Command::BASE };

/// The number of a bit. The byte it lies in must be one that a string may have (`proto-max-bulk-len`). With the width of an
/// integer type, "#3" is the place of the fourth integer of that width.
fn bit_offset(args: Args<'_>, index: usize, config: &Config, width: Option<u32>) -> Result<u64, CommandError> {
    let text = args.get(index);
    let bit = match (text.strip_prefix(b"#"), width) {
        (Some(digits), Some(width)) => number::parse_i64(digits).and_then(|place| place.checked_mul(i64::from(width))),
        _ => number::parse_i64(text),
    };
    let bytes_max = config.get_u64(crate::param!("proto-max-bulk-len"));
    bit.and_then(|bit| u64::try_from(bit).ok())
        .filter(|bit| bit / 8 < bytes_max)
        .ok_or(CommandError::Text("ERR bit offset is not an integer or out of range"))
}
