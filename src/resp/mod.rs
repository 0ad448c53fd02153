//! RESP, the protocol of Redis, without IO: bytes in, requests out; replies in, bytes out.
//!
//! Everything here is total: any bytes give "need more", an item or an error, never a panic, and no announced length is
//! believed before its bytes have arrived. `request` reads what clients send (`inline` is its form for people with telnet),
//! `reply` writes what the server answers, `response` reads answers for our own client, tools and tests.

pub mod inline;
pub mod reply;
pub mod request;
#[cfg(test)]
mod request_tests;
pub mod response;
