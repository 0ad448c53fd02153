//! Layer 0: the named limits, ids, numbers, quoting and glob matching that everything above may use.
pub mod limits;


pub mod double_text;
mod float_text;
pub mod glob;
pub mod long_double;
pub mod memory_units;
pub mod number;
pub mod quote;
pub mod random;

#[cfg(test)]
mod glob_tests;
#[cfg(test)]
mod long_double_tests;
