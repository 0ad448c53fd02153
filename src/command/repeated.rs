//! A bound for replies whose length the client chooses freely: SRANDMEMBER, ZRANDMEMBER and HRANDFIELD with a negative count
//! return the same few elements as often as they are asked to.
//!
//! Redis goes on until the memory is used up. Here such a reply has at most `REPEATED_REPLY_BYTES_MAX`: a count that cannot
//! fit is refused before anything is drawn, one that turns out not to fit as soon as that is seen. Called by the families of
//! those commands.

use crate::resp::reply::Reply;
use crate::stdx::limits::REPEATED_REPLY_BYTES_MAX;

use super::error::CommandError;

/// Bytes of the shortest element: an empty string.
const ELEMENT_BYTES_MIN: u64 = b"$0\r\n\r\n".len() as u64;

/// The reply would be longer than it may be.
pub const TOO_LONG: CommandError = CommandError::Text("ERR value is out of range, the reply would exceed 512 MB");
const _: () = assert!(REPEATED_REPLY_BYTES_MAX == 512 << 20, "the text says how much");

/// Refuses a count of elements that cannot fit.
pub fn check_count(count: u64) -> Result<(), CommandError> {
    if count.saturating_mul(ELEMENT_BYTES_MIN) > REPEATED_REPLY_BYTES_MAX as u64 { Err(TOO_LONG) } else { Ok(()) }
}

/// Whether the reply that began at `start` is too long already: then no more is drawn, and the command fails.
#[inline]
pub fn is_too_long(reply: &Reply, start: usize) -> bool {
    reply.position() - start > REPEATED_REPLY_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};
    use crate::stdx::limits::REPEATED_REPLY_BYTES_MAX;

    const REFUSED: &str = "-ERR value is out of range, the reply would exceed 512 MB\r\n";

    #[test]
    fn counts_that_cannot_fit() {
        check(&[
            ("SADD s a", ":1\r\n"),
            ("ZADD z 1 a", ":1\r\n"),
            ("HSET h a 1", ":1\r\n"),
            ("SRANDMEMBER s -9223372036854775807", REFUSED),
            ("SRANDMEMBER s -1000000000", REFUSED),
            ("ZRANDMEMBER z -9223372036854775807", REFUSED),
            ("ZRANDMEMBER z -4611686018427387903 WITHSCORES", REFUSED),
            ("HRANDFIELD h -9223372036854775807", REFUSED),
            ("HRANDFIELD h -4611686018427387903 WITHVALUES", REFUSED),
            ("SRANDMEMBER s 9223372036854775807", "*1\r\n$1\r\na\r\n"),
            // Nothing to be repeated.
            ("SRANDMEMBER none -9223372036854775807", "*0\r\n"),
            ("ZRANDMEMBER none -9223372036854775807", "*0\r\n"),
            ("HRANDFIELD none -9223372036854775807", "*0\r\n"),
        ]);
    }

    #[test]
    fn elements_that_turn_out_to_be_long() {
        let mut server = Harness::new(1);
        let long = vec![b'x'; 1 << 20];
        let count = format!("-{}", (REPEATED_REPLY_BYTES_MAX >> 20) + 1);
        server.run_args(&[b"SADD", b"s", &long]);
        server.run_args(&[b"ZADD", b"z", b"1", &long]);
        server.run_args(&[b"HSET", b"h", b"f", &long]);
        for line in [
            &["SRANDMEMBER", "s", &count][..],
            &["ZRANDMEMBER", "z", &count],
            &["HRANDFIELD", "h", &count, "WITHVALUES"],
        ] {
            let arguments: Vec<&[u8]> = line.iter().map(|argument| argument.as_bytes()).collect();
            assert_eq!(server.run_args(&arguments), REFUSED.as_bytes(), "{line:?}");
        }
    }
}
