//! TODO(module docs)
pub mod lcs;
