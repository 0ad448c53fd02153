//! Layer 0: the named limits, ids, numbers, quoting and glob matching that everything above may use.
pub mod limits;


pub mod double_text;
mod float_text;
pub mod long_double;
pub mod number;
