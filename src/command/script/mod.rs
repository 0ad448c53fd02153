//! Scripts and functions: EVAL and its kin, SCRIPT, FUNCTION, FCALL. What runs a script concerns the session and the boxes
//! in hand, so it stands in `session/script` and `shard/script`; here are the rows, and the handlers of what only concerns
//! the catalogue of scripts.

pub mod eval;
pub mod function;
pub mod request;
