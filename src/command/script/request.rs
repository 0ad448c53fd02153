//! What a request of EVAL, EVALSHA or FCALL asks for.

use crate::command::args::Args;
use crate::command::error::CommandError;
use crate::command::spec::ScriptCall;
use crate::stdx::number;

/// Argument of the number of keys.
const KEY_COUNT: usize = 2;

/// Argument of the first key; the script's own arguments stand behind the keys.
pub const FIRST_KEY: usize = 3;

/// Number of keys of a request that runs a script: they are the arguments from `FIRST_KEY` on.
pub fn key_count(call: ScriptCall, args: Args<'_>) -> Result<usize, CommandError> {
    let count = number::parse_i64(args.get(KEY_COUNT)).ok_or(match call {
        ScriptCall::Function => CommandError::Text("ERR Bad number of keys provided"),
        ScriptCall::Source | ScriptCall::Digest => CommandError::NotAnInteger,
    })?;
    if count > (args.len() - KEY_COUNT - 1) as i64 {
        return Err(CommandError::Text("ERR Number of keys can't be greater than number of args"));
    }
    usize::try_from(count).map_err(|_| CommandError::Text("ERR Number of keys can't be negative"))
}
