//! Scripts whose replies redis-server 7.4.1 gave (`tests/scripts/lua.txt`), sent through EVAL to a server with one shard and
//! with four.
//!
//! The file: blocks with an empty line between them. `> ` a script, the next line Redis' reply as it comes over the
//! connection, `SHA` standing for the script's SHA-1. Where Ringfort differs there are two more lines: `! ` our reply and
//! `? ` the reason. KEYS is k1 k2, ARGV is a1 2. In all lines `\r`, `\n`, `\xHH` and `\\` are escapes.

mod support;

use sha1::{Digest, Sha1};
use support::client::Client;
use support::server::{Server, Target};

struct Case {
    script: Vec<u8>,
    redis: Vec<u8>,
    /// Our reply, where it is another.
    ours: Option<Vec<u8>>,
}

fn unescaped(text: &str) -> Vec<u8> {
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next().expect("something is escaped") {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b'x' => {
                let digits = [bytes.next().expect("a digit"), bytes.next().expect("a digit")];
                let digits = std::str::from_utf8(&digits).expect("digits");
                out.push(u8::from_str_radix(digits, 16).expect("hexadecimal digits"));
            }
            other => out.push(other),
        }
    }
    out
}

fn cases(text: &str) -> Vec<Case> {
    let blocks = text.split("\n\n").map(|block| block.trim_matches('\n'));
    let blocks = blocks.filter(|block| !block.is_empty() && !block.starts_with('#'));
    let case = |block: &str| {
        let lines: Vec<&str> = block.lines().collect();
        let script = lines.first()?.strip_prefix("> ")?;
        let ours = match lines[1..] {
            [_] => None,
            [_, ours, reason] => {
                assert!(reason.strip_prefix("? ").is_some_and(|reason| !reason.is_empty()), "no reason: {block}");
                Some(unescaped(ours.strip_prefix("! ")?))
            }
            _ => return None,
        };
        Some(Case { script: unescaped(script), redis: unescaped(lines[1]), ours })
    };
    blocks.map(|block| case(block).unwrap_or_else(|| panic!("not a case: {block}"))).collect()
}

fn reply(client: &mut Client, script: &[u8]) -> Vec<u8> {
    client.send(&[b"EVAL" as &[u8], script, b"2", b"k1", b"k2", b"a1", b"2"]).expect("sent");
    let reply = client.read_raw().expect("a reply");
    let sha: String = Sha1::digest(script).iter().map(|byte| format!("{byte:02x}")).collect();
    match memchr::memmem::find(&reply, sha.as_bytes()) {
        Some(at) => [&reply[..at], b"SHA", &reply[at + sha.len()..]].concat(),
        None => reply,
    }
}

fn differences(shards: usize) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/lua.txt");
    let text = std::fs::read_to_string(path).expect("the scripts are there");
    let server = Server::start(Target::Ringfort { shards });
    let mut client = server.connect();
    let mut differences = Vec::new();
    for case in cases(&text) {
        assert_eq!(client.call(&["FLUSHALL"]).to_string(), "OK");
        let reply = reply(&mut client, &case.script);
        let script = String::from_utf8_lossy(&case.script).into_owned();
        if case.ours.as_ref().unwrap_or(&case.redis) != &reply {
            let (redis, reply) = (case.redis.escape_ascii(), reply.escape_ascii());
            differences.push(format!("{shards} shards: {script}\n  redis {redis}\n  ours  {reply}"));
        } else if case.ours.as_ref() == Some(&case.redis) {
            differences.push(format!("does not differ any more: {script}"));
        }
    }
    differences
}

#[test]
fn scripts_reply_as_those_of_redis() {
    let differences: Vec<String> = [1, 4].into_iter().flat_map(differences).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_file_of_scripts_is_well_formed() {
    let cases = cases("> return '\\\\x41'\n$1\\r\\nA\\r\\n\n\n> x\n+a\n! +b\n? because\n");
    assert_eq!(cases.len(), 2);
    assert_eq!((&cases[0].script[..], &cases[0].redis[..]), (&b"return '\\x41'"[..], &b"$1\r\nA\r\n"[..]));
    assert_eq!(cases[1].ours.as_deref(), Some(&b"+b"[..]));
    for bad in ["> x", "x\n+a", "> x\n+a\n! +b", "> x\n+a\n! +b\n? "] {
        assert!(std::panic::catch_unwind(|| cases_of_bad(bad)).is_err(), "{bad}");
    }
}

fn cases_of_bad(text: &str) -> usize {
    cases(text).len()
}
