//! Layer 2: the wire protocol, sans-IO and total: bytes in, "need more", requests or an error out; replies as bytes.

pub mod inline;
pub mod reply;
pub mod request;
