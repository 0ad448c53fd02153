//! A small client for any server that speaks the Redis protocol, over TCP, TLS and Unix sockets.
//!
//! [`Client`] blocks its thread (`std` sockets); [`AsyncClient`] runs on a monoio runtime and has no TLS. Both are thin shells around
//! [`Wire`], which writes requests and reads replies without any input or output of its own, and offer the same few typed
//! helpers; every other command goes through `command`. Replies are [`Value`]s; RESP3's push messages never mix with
//! replies: they wait in a queue of their own.
//!
//! ```no_run
//! use ringfort::remote::{Client, Pipeline};
//!
//! # fn main() -> Result<(), ringfort::remote::Error> {
//! let mut client = Client::connect("redis://127.0.0.1:6379/0")?;
//! client.set("greeting", "hello")?;
//! assert_eq!(client.get("greeting")?.as_deref(), Some(&b"hello"[..]));
//!
//! let mut pipeline = Pipeline::new();
//! pipeline.command(&["INCR", "visits"]).command(&["LPUSH", "queue", "job"]);
//! for reply in client.pipeline(&pipeline)? {
//!     println!("{reply:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Invariants: nothing here knows the server's insides; anybody may use it (the command line, tests, applications).
//! A connection on which a reply was cut short (timeout, broken protocol) answers every further call with an error.

mod address;
mod asynchronous;
mod blocking;
mod error;
mod pipeline;
mod reply;
mod tls;
mod wire;

pub use self::address::{Address, Options};
pub use self::asynchronous::AsyncClient;
pub use self::blocking::Client;
pub use self::error::{Error, ServerError};
pub use self::pipeline::Pipeline;
pub use self::reply::FromReply;
pub use self::tls::Tls;
pub use self::wire::Wire;
pub use crate::resp::response::Value;

/// Connects to the server that a URL names and says hello as its user: short for [`Client::connect`].
///
/// ```no_run
/// let mut client = ringfort::remote::connect("redis://ann:secret@127.0.0.1:6379/2")?;
/// # Ok::<(), ringfort::remote::Error>(())
/// ```
pub fn connect(url: &str) -> Result<Client, Error> {
    Client::connect(url)
}
