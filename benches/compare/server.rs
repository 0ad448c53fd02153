//! A server under test: started in a folder of its own on a free loopback port, asked over one connection, ended by its
//! process id when the value goes.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use ringfort::resp::response::{ResponseReader, Value};

use super::options::ServerCommand;
use super::process::{cpu_ticks, end, look_until, pinned, resident_bytes};

/// Another process may take the free port first.
const START_ATTEMPTS: u32 = 5;
const START_TIMEOUT: Duration = Duration::from_secs(20);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// For one reply; a server that says nothing for so long has failed.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of requests sent before their replies are read.
const CHUNK_BYTES: usize = 128 * 1024;
/// Requests of a chunk: their replies must fit into the sockets' buffers, since they are read afterwards only.
const CHUNK_REQUESTS: usize = 1_000;
/// How long the memory of a server may take to come to rest.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(3);

/// A running server.
#[derive(Debug)]
pub struct Server {
    pub name: String,
    pub port: u16,
    child: Child,
    folder: PathBuf,
}

impl Server {
    /// Starts a server, pinned to the CPUs of `pin`, and waits until it answers.
    ///
    /// # Errors
    /// When it does not: with the last lines it wrote.
    pub fn start(command: &ServerCommand, pin: Option<&str>, scratch: &Path) -> Result<Server, String> {
        let mut failure = String::new();
        for _ in 0..START_ATTEMPTS {
            match Self::try_start(command, pin, scratch) {
                Ok(server) => return Ok(server),
                Err(reason) => failure = reason,
            }
        }
        Err(format!("{} does not start: {failure}", command.name))
    }

    fn try_start(command: &ServerCommand, pin: Option<&str>, scratch: &Path) -> Result<Server, String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = scratch.join(format!("compare-{}-{number}", std::process::id()));
        let text = |error: std::io::Error| error.to_string();
        fs::create_dir_all(&folder).map_err(text)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(text)?;
        let port = listener.local_addr().map_err(text)?.port();
        drop(listener);
        let output = File::create(folder.join("output.log")).map_err(text)?;
        let errors = output.try_clone().map_err(text)?;
        let mut process = pinned(&command.words_at(port), pin);
        process.current_dir(&folder).stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = process.spawn().map_err(|error| format!("{process:?}: {error}"))?;
        let mut server = Server { name: command.name.clone(), port, child, folder };
        server.wait_until_ready().map_err(|reason| format!("{reason}; output: {}", server.last_output()))?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let answered = look_until(Instant::now() + START_TIMEOUT, || {
            let ping = Connection::open(address).and_then(|mut connection| connection.call(&[b"PING"]));
            match (self.child.try_wait(), ping) {
                (Ok(None), Ok(Value::Simple(_))) => Some(Ok(())),
                (Ok(None), _) => None,
                (ended, _) => Some(Err(format!("ended while starting: {ended:?}"))),
            }
        });
        answered.unwrap_or_else(|| Err(format!("no answer within {} s", START_TIMEOUT.as_secs())))
    }

    fn last_output(&self) -> String {
        let text = fs::read(self.folder.join("output.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().rev().take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Opens a connection.
    pub fn connect(&self) -> Result<Connection, String> {
        Connection::open(self.address()).map_err(|reason| format!("{}: {reason}", self.name))
    }

    /// CPU time used so far, in ticks.
    pub fn cpu_ticks(&self) -> Result<u64, String> {
        cpu_ticks(self.child.id())
    }

    /// Memory in use once it has come to rest: two looks in a row with the same result, or the last one.
    pub fn settled_bytes(&self) -> Result<u64, String> {
        let mut last = resident_bytes(self.child.id())?;
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        let mut next_look = Instant::now() + SETTLE_TIMEOUT / 6;
        look_until(deadline, || {
            if Instant::now() < next_look {
                return None;
            }
            next_look += SETTLE_TIMEOUT / 6;
            let now = resident_bytes(self.child.id()).unwrap_or(last);
            let is_settled = now == last;
            last = now;
            is_settled.then_some(())
        });
        Ok(last)
    }

    /// The version it tells in INFO, if it does.
    pub fn version(&self) -> Option<String> {
        let reply = self.connect().ok()?.call(&[b"INFO", b"server"]).ok()?;
        let Value::Bulk(text) = reply else { return None };
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().find_map(|line| line.strip_prefix("redis_version:")).map(|version| version.trim().to_owned())
    }

    /// Writes the keys `0..count` of [`key_name`] with values of `value_bytes`.
    ///
    /// # Errors
    /// The first error reply.
    pub fn fill(&self, count: u64, value_bytes: usize) -> Result<(), String> {
        let value = vec![b'v'; value_bytes];
        self.fill_with(count, value_bytes + 64, |index, requests| {
            write_request(requests, &[b"SET", &key_name(index), &value]);
        })
    }

    /// Sends the requests `0..count`, each of about `request_bytes`, as `write` makes them.
    ///
    /// # Errors
    /// The first error reply.
    pub fn fill_with(
        &self,
        count: u64,
        request_bytes: usize,
        mut write: impl FnMut(u64, &mut Vec<u8>),
    ) -> Result<(), String> {
        let mut connection = self.connect()?;
        let per_chunk = (CHUNK_BYTES / request_bytes).clamp(1, CHUNK_REQUESTS) as u64;
        let mut requests = Vec::new();
        let mut next = 0;
        while next < count {
            let end = count.min(next + per_chunk);
            requests.clear();
            (next..end).for_each(|index| write(index, &mut requests));
            connection.send(&requests)?;
            for _ in next..end {
                if let Value::Error(text) = connection.reply()? {
                    return Err(format!("{}: {}", self.name, String::from_utf8_lossy(&text)));
                }
            }
            next = end;
        }
        Ok(())
    }

    /// Whether the last of `count` keys that were filled in is there: not so on a server that only pretends.
    pub fn holds(&self, count: u64) -> bool {
        let reply = self.connect().and_then(|mut connection| connection.call(&[b"GET", &key_name(count - 1)]));
        matches!(reply, Ok(Value::Bulk(_)))
    }
}

impl Drop for Server {
    /// SIGTERM by process id, and SIGKILL when that does not end it in time. A process that has ended is let be: its id may
    /// be another's by now.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
            look_until(Instant::now() + STOP_TIMEOUT, || self.child.try_wait().ok().flatten());
        }
        end(&mut self.child);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The name redis-benchmark gives a key: 16 bytes, so that its tests find what was filled in here.
pub fn key_name(index: u64) -> [u8; 16] {
    let mut name = *b"key:000000000000";
    let mut rest = index;
    for digit in name[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    name
}

/// Appends a request as an array of bulk strings.
pub fn write_request(requests: &mut Vec<u8>, words: &[&[u8]]) {
    requests.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        requests.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        requests.extend_from_slice(word);
        requests.extend_from_slice(b"\r\n");
    }
}

/// A blocking connection with a time limit on everything.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    reader: ResponseReader,
    /// What has arrived and is not read as replies yet: from `start` on.
    input: Vec<u8>,
    start: usize,
}

impl Connection {
    fn open(address: SocketAddr) -> Result<Connection, String> {
        let text = |error: std::io::Error| error.to_string();
        let stream = TcpStream::connect_timeout(&address, REPLY_TIMEOUT).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT)).map_err(text)?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT)).map_err(text)?;
        Ok(Connection { stream, reader: ResponseReader::default(), input: Vec::new(), start: 0 })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).map_err(|error| error.to_string())
    }

    /// The next reply.
    pub fn reply(&mut self) -> Result<Value, String> {
        loop {
            let (reply, consumed) =
                self.reader.read(&self.input[self.start..]).map_err(|error| format!("no reply: {error:?}"))?;
            self.start += consumed;
            if let Some(value) = reply {
                return Ok(value);
            }
            self.input.drain(..self.start);
            self.start = 0;
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk).map_err(|error| error.to_string())? {
                0 => return Err("the server closed the connection".to_owned()),
                count => self.input.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// One request, one reply.
    pub fn call(&mut self, words: &[&[u8]]) -> Result<Value, String> {
        let mut request = Vec::new();
        write_request(&mut request, words);
        self.send(&request)?;
        self.reply()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_as_by_redis_benchmark() {
        for (index, name) in
            [(0, "key:000000000000"), (1_234_567, "key:000001234567"), (999_999_999_999, "key:999999999999")]
        {
            assert_eq!(key_name(index), name.as_bytes());
        }
    }

    #[test]
    fn requests_are_arrays_of_bulk_strings() {
        let mut requests = b"x".to_vec();
        write_request(&mut requests, &[b"GET", b""]);
        assert_eq!(requests, b"x*2\r\n$3\r\nGET\r\n$0\r\n\r\n");
    }

    #[test]
    fn a_server_that_does_not_start_says_why() {
        let command = ServerCommand {
            name: "broken".to_owned(),
            words: ["sh", "-c", "echo no such option >&2; exit 7"].map(str::to_owned).to_vec(),
        };
        let failure = Server::start(&command, None, &std::env::temp_dir()).expect_err("it ends at once");
        assert!(failure.contains("broken") && failure.contains("no such option"), "{failure}");
    }
}
