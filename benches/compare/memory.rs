//! Memory per key: what a server's resident memory grows by when keys are filled in, one server after the other.

use std::{path::Path, time::Instant};

use super::options::{Options, ServerCommand};
use super::server::Server;

/// Bytes of a value; a key has 16.
pub const VALUE_BYTES: usize = 32;

/// One server's fill.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fill {
    pub empty_bytes: u64,
    pub full_bytes: u64,
    pub keys: u64,
    pub seconds: f64,
}

impl Fill {
    /// What one key costs, its value and all tables included.
    pub fn bytes_per_key(&self) -> f64 {
        self.full_bytes.saturating_sub(self.empty_bytes) as f64 / self.keys as f64
    }
}

/// Fills every server, freshly started. A server that keeps nothing is an error.
pub fn run(options: &Options, commands: &[ServerCommand], scratch: &Path) -> Vec<Result<Fill, String>> {
    commands.iter().map(|command| fill(options, command, scratch)).collect()
}

fn fill(options: &Options, command: &ServerCommand, scratch: &Path) -> Result<Fill, String> {
    let server = Server::start(command, options.server_pin(), scratch)?;
    let empty_bytes = server.settled_bytes()?;
    let started = Instant::now();
    server.fill(options.memory_keys, VALUE_BYTES)?;
    let seconds = started.elapsed().as_secs_f64();
    if !server.holds(options.memory_keys) {
        return Err("keeps nothing".to_owned());
    }
    let full_bytes = server.settled_bytes()?;
    Ok(Fill { empty_bytes, full_bytes, keys: options.memory_keys, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_per_key() {
        let mut fill = Fill { empty_bytes: 1_000, full_bytes: 16_000, keys: 100, seconds: 1.0 };
        assert_eq!(fill.bytes_per_key(), 150.0);
        fill.full_bytes = 500;
        assert_eq!(fill.bytes_per_key(), 0.0);
    }
}
