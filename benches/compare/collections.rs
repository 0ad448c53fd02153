//! Memory of collections: what a server's resident memory grows by when collections of one type and size are filled in,
//! per element. Every shape has a server of its own, freshly started.

use std::{path::Path, time::Instant};

use super::memory::Fill;
use super::options::{Options, ServerCommand};
use super::server::{Server, key_name, write_request};

/// Elements per collection.
pub const SIZES: [u64; 3] = [10, 100, 1000];
/// Types with the command that adds elements.
pub const KINDS: [(&str, &str); 4] = [("list", "RPUSH"), ("set", "SADD"), ("hash", "HSET"), ("zset", "ZADD")];
/// Bytes of a hash's value, as many as a member has.
const VALUE: &[u8] = b"value:0123456789";

/// One type and size, with what it took on each server.
#[derive(Clone, Debug)]
pub struct Case {
    pub kind: &'static str,
    pub size: u64,
    /// `Fill::keys` counts elements.
    pub fills: Vec<Result<Fill, String>>,
}

/// Fills every shape into every server.
pub fn run(options: &Options, commands: &[ServerCommand], scratch: &Path, mut tell: impl FnMut(&Case)) -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, command) in KINDS {
        for size in SIZES {
            let fills = commands.iter().map(|server| fill(options, server, scratch, command, size)).collect();
            let case = Case { kind, size, fills };
            tell(&case);
            cases.push(case);
        }
    }
    cases
}

fn fill(options: &Options, server: &ServerCommand, scratch: &Path, command: &str, size: u64) -> Result<Fill, String> {
    let server = Server::start(server, options.server_pin(), scratch)?;
    let count = (options.elements / size).max(1);
    let empty_bytes = server.settled_bytes()?;
    let started = Instant::now();
    server.fill_with(count, size as usize * 64, |index, requests| {
        add_elements(requests, command, &key_name(index), 0..size);
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let full_bytes = server.settled_bytes()?;
    Ok(Fill { empty_bytes, full_bytes, keys: count * size, seconds })
}

/// The name of an element: 16 bytes.
pub fn element_name(index: u64) -> [u8; 16] {
    let mut name = key_name(index);
    name[..4].copy_from_slice(b"elm:");
    name
}

/// Appends a request that adds elements to a collection.
pub fn add_elements(requests: &mut Vec<u8>, command: &str, key: &[u8], elements: std::ops::Range<u64>) {
    let names: Vec<([u8; 16], String)> =
        elements.map(|index| (element_name(index), (index % 1_000_003).to_string())).collect();
    let mut words: Vec<&[u8]> = vec![command.as_bytes(), key];
    for (name, score) in &names {
        match command {
            "HSET" => words.extend([&name[..], VALUE]),
            "ZADD" => words.extend([score.as_bytes(), &name[..]]),
            _ => words.push(name),
        }
    }
    write_request(requests, &words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_every_kind() {
        let text = |command| {
            let mut requests = Vec::new();
            add_elements(&mut requests, command, b"k", 7..8);
            String::from_utf8(requests).expect("only ASCII").replace("\r\n", " ")
        };
        assert_eq!(text("SADD"), "*3 $4 SADD $1 k $16 elm:000000000007 ");
        assert_eq!(text("HSET"), "*4 $4 HSET $1 k $16 elm:000000000007 $16 value:0123456789 ");
        assert_eq!(text("ZADD"), "*4 $4 ZADD $1 k $1 7 $16 elm:000000000007 ");
    }
}
