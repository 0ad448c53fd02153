//! What the integration tests share: starting servers, a blocking client, reply values, command tables, and the
//! machinery of the differential test. Test binaries include it with `mod support;`; nothing in `src/` may.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

pub mod client;
pub mod compare;
pub mod duel;
pub mod generate;
pub mod grammar;
pub mod history;
pub mod linearize;
pub mod model;
pub mod seeds;
pub mod server;
pub mod shrink;
pub mod table;
pub mod terminal;
pub mod text;
pub mod value;
