//! Layer 11: what people type. `ringfort-cli`, and what the binaries do besides serving.
//!
//! `dispatch` is what both binaries call: the name they were called by and the first word decide who answers. Everything
//! that talks to a server does so through `remote`, as any application would.

pub mod arguments;
mod benchmark;
pub mod definition;
pub mod dispatch;
mod documentation;
pub mod format;
mod generate;
mod install;
mod interactive;
mod keys;
mod link;
mod local;
mod one_shot;
mod pipe;
mod program;
mod replica;
mod service;
mod terminal;
mod watch;
