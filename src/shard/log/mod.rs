//! The log's side of `shard/`: how chunks travel from the cores to it (`link`), how it puts them in order (`merge`), how it
//! writes them (`state`), what is asked of its thread (`orders`).

pub mod link;
pub mod merge;
pub mod orders;
pub mod state;
