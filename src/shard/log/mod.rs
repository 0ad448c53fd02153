//! The log's side of `shard/`: how chunks travel from the cores to it (`link`), and how it puts them in order (`merge`), what is asked of it (`orders`).

pub mod link;
pub mod merge;
pub mod orders;
