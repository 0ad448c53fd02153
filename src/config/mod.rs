//! Layer 1: every configuration parameter as one row, and all that derives from rows.
//!
//! * `rows/` the rows by theme, [`PARAMETERS`], [`Param`] and the [`crate::param`] macro; `row` what a row can say;
//! * `value`, `special`, `events`, `numbers`, `check` values from words and back;
//! * `store` [`Config`]: accessors, CONFIG GET, CONFIG SET; `rewrite` CONFIG REWRITE and the example file;
//! * `file` the configuration file, `command_line` what `redis-server` accepts after its name.
//!
//! Nothing here knows a socket, a key or another core; `file` and `rewrite` touch files, at start and on REWRITE only.

mod check;
pub mod command_line;
pub mod events;
pub mod file;
mod numbers;
pub mod rewrite;
mod row;
mod rows;
pub mod shared;
mod special;
mod store;
mod value;
mod words;

#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod store_tests;

pub use row::{Effect, Kind, Parameter, Unit};
pub use rows::{
    Named, Number, OfSort, PARAMETERS, Param, Special, Text, Word, YesNo, find, position,
};
pub use store::{Changed, Config, ConfigError, Setter};
pub use value::{BufferLimit, Master, Refusal, SavePoint};
