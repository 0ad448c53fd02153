//! Several requests sent in one go.

use super::wire::write_request;

/// Requests to be sent together; their replies come in the same order. See [`Client::pipeline`](super::Client::pipeline).
///
/// ```
/// use ringfort::remote::Pipeline;
///
/// let mut pipeline = Pipeline::new();
/// pipeline.command(&["SET", "a", "1"]).command(&["INCR", "a"]);
/// assert_eq!(pipeline.count(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    bytes: Vec<u8>,
    count: usize,
}

impl Pipeline {
    /// Without any request.
    pub fn new() -> Pipeline {
        Pipeline::default()
    }

    /// Adds a request.
    pub fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> &mut Pipeline {
        write_request(&mut self.bytes, arguments);
        self.count += 1;
        self
    }

    /// Requests so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// What is sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets all requests, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }
}
