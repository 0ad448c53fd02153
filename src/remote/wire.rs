//! The protocol of one connection as a state machine: requests in, bytes out; bytes in, replies out. No sockets.

use std::collections::VecDeque;

use super::error::Error;
use crate::resp::response::{ResponseReader, Value};
use crate::stdx::number::{INTEGER_TEXT_BYTES_MAX, format_u64};

/// Appends one request: an array of bulk strings.
pub(super) fn write_request<A: AsRef<[u8]>>(out: &mut Vec<u8>, arguments: &[A]) {
    let mut digits = [0; INTEGER_TEXT_BYTES_MAX];
    out.push(b'*');
    out.extend_from_slice(format_u64(&mut digits, arguments.len() as u64));
    for argument in arguments {
        let bytes = argument.as_ref();
        out.extend_from_slice(b"\r\n$");
        out.extend_from_slice(format_u64(&mut digits, bytes.len() as u64));
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(b"\r\n");
}

/// One connection's protocol state.
///
/// ```
/// use ringfort::remote::{Value, Wire};
///
/// let mut wire = Wire::default();
/// wire.request(&["GET", "key"]);
/// assert_eq!(wire.outgoing(), b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n");
/// wire.sent(wire.outgoing().len());
/// wire.received(b"$5\r\nva");
/// assert_eq!(wire.reply().expect("no error"), None);
/// wire.received(b"lue\r\n");
/// assert_eq!(wire.reply().expect("no error"), Some(Value::Bulk(b"value".to_vec())));
/// ```
#[derive(Debug, Default)]
pub struct Wire {
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    /// Bytes of `incoming` that are done with.
    consumed: usize,
    reader: ResponseReader,
    pushes: VecDeque<Vec<Value>>,
}

impl Wire {
    /// Adds a request to what is to be sent.
    pub fn request<A: AsRef<[u8]>>(&mut self, arguments: &[A]) {
        write_request(&mut self.outgoing, arguments);
    }

    /// Adds bytes to what is to be sent, as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.outgoing.extend_from_slice(bytes);
    }

    /// What is to be sent.
    pub fn outgoing(&self) -> &[u8] {
        &self.outgoing
    }

    /// So many bytes of it were.
    pub fn sent(&mut self, count: usize) {
        self.outgoing.drain(..count);
    }

    /// Takes all that is to be sent.
    pub fn take_outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing)
    }

    /// These bytes came.
    pub fn received(&mut self, bytes: &[u8]) {
        if self.consumed > 0 && self.consumed >= self.incoming.len() / 2 {
            self.incoming.drain(..self.consumed);
            self.consumed = 0;
        }
        self.incoming.extend_from_slice(bytes);
    }

    /// The next whole reply, pushes included.
    ///
    /// # Errors
    /// `Error::Protocol`; the connection is of no use afterwards.
    pub fn message(&mut self) -> Result<Option<Value>, Error> {
        let (value, consumed) = self.reader.read(&self.incoming[self.consumed..])?;
        self.consumed += consumed;
        Ok(value)
    }

    /// The next whole reply; pushes that came before it are put aside for `push`.
    ///
    /// # Errors
    /// As `message`.
    pub fn reply(&mut self) -> Result<Option<Value>, Error> {
        loop {
            match self.message()? {
                Some(Value::Push(values)) => self.pushes.push_back(values),
                other => return Ok(other),
            }
        }
    }

    /// The next push message that was put aside.
    pub fn push(&mut self) -> Option<Vec<Value>> {
        self.pushes.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_do_not_mix_with_replies() {
        let mut wire = Wire::default();
        wire.received(b">1\r\n+a\r\n:1\r\n>1\r\n+b\r\n:2\r\n");
        assert_eq!(wire.push(), None);
        assert_eq!(wire.reply().expect("whole"), Some(Value::Integer(1)));
        assert_eq!(wire.push(), Some(vec![Value::Simple(b"a".to_vec())]));
        assert_eq!(wire.push(), None);
        assert_eq!(wire.reply().expect("whole"), Some(Value::Integer(2)));
        assert_eq!(wire.reply().expect("whole"), None);
        assert_eq!(wire.push(), Some(vec![Value::Simple(b"b".to_vec())]));
    }

    #[test]
    fn many_replies_in_any_pieces() {
        let text: Vec<u8> =
            (0..500).flat_map(|number| format!("${}\r\n{number}\r\n", number.to_string().len()).into_bytes()).collect();
        for piece_bytes in [1, 7, 1000, text.len()] {
            let mut wire = Wire::default();
            let mut numbers = 0;
            for piece in text.chunks(piece_bytes) {
                wire.received(piece);
                while let Some(value) = wire.reply().expect("replies are whole") {
                    assert_eq!(value, Value::Bulk(numbers.to_string().into_bytes()));
                    numbers += 1;
                }
            }
            assert_eq!(numbers, 500);
        }
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        let mut wire = Wire::default();
        wire.received(b"HTTP/1.1 400 Bad Request\r\n");
        assert!(matches!(wire.reply(), Err(Error::Protocol(_))));
    }
}
