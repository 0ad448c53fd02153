//! A blocking client over a Unix or TCP socket. Reads and writes time out, so no test can hang.

use super::text::encode_array;
use super::value::{Value, parse};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for the server to take or give bytes.
pub const IO_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// One connection. Bytes received beyond the last reply read are kept for the next.
pub struct Client {
    stream: Stream,
    received: Vec<u8>,
    consumed: usize,
}

impl Client {
    /// Opens a connection.
    pub fn connect(address: &Address) -> io::Result<Client> {
        let stream = match address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(IO_TIMEOUT))?;
                stream.set_write_timeout(Some(IO_TIMEOUT))?;
                Stream::Unix(stream)
            }
            Address::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, IO_TIMEOUT)?;
                stream.set_read_timeout(Some(IO_TIMEOUT))?;
                stream.set_write_timeout(Some(IO_TIMEOUT))?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
        };
        Ok(Client { stream, received: Vec::new(), consumed: 0 })
    }

    /// A client over one end of a socket pair.
    pub fn over(stream: UnixStream) -> Client {
        Client { stream: Stream::Unix(stream), received: Vec::new(), consumed: 0 }
    }

    /// Sends bytes as they are: inline requests, pipelines, or broken protocol.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Unix(stream) => stream.write_all(bytes),
            Stream::Tcp(stream) => stream.write_all(bytes),
        }
    }

    /// Sends one command as an array of bulk strings, without waiting for its reply.
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<()> {
        let mut request = Vec::new();
        encode_array(arguments, &mut request);
        self.send_raw(&request)
    }

    /// Reads one complete reply, both as its exact bytes and parsed. At the end of the stream: `UnexpectedEof`.
    pub fn read_both(&mut self) -> io::Result<(Vec<u8>, Value)> {
        loop {
            let unread = &self.received[self.consumed..];
            match parse(unread).map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))? {
                Some((value, length)) => {
                    let raw = unread[..length].to_vec();
                    self.consumed += length;
                    return Ok((raw, value));
                }
                None => self.receive()?,
            }
        }
    }

    /// The exact bytes of the next reply.
    pub fn read_raw(&mut self) -> io::Result<Vec<u8>> {
        self.read_both().map(|(raw, _)| raw)
    }

    /// The next reply.
    pub fn read(&mut self) -> io::Result<Value> {
        self.read_both().map(|(_, value)| value)
    }

    /// Sends a command and waits for its reply.
    pub fn try_call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Value> {
        self.send(arguments)?;
        self.read()
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Panics
    /// If the connection fails.
    pub fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Value {
        let name = arguments.first().map(|name| String::from_utf8_lossy(name.as_ref()).into_owned());
        self.try_call(arguments).unwrap_or_else(|error| panic!("no reply to {name:?}: {error}"))
    }

    /// Whether the server has closed the connection after everything read so far. Waits for the close (or the timeout).
    pub fn is_closed(&mut self) -> io::Result<bool> {
        if self.consumed < self.received.len() {
            return Ok(false);
        }
        match self.receive() {
            Ok(()) => Ok(false),
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ok(true),
                _ => Err(error),
            },
        }
    }

    /// Bytes received that belong to no reply read so far.
    pub fn unread(&self) -> &[u8] {
        &self.received[self.consumed..]
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut chunk = [0; 64 * 1024];
        let read = match &mut self.stream {
            Stream::Unix(stream) => stream.read(&mut chunk),
            Stream::Tcp(stream) => stream.read(&mut chunk),
        };
        let length = match read {
            // The end of a child of this process, for instance; whoever waits asks again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            read => read?,
        };
        if length == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed by the server"));
        }
        if self.consumed == self.received.len() {
            self.received.clear();
            self.consumed = 0;
        }
        self.received.extend_from_slice(&chunk[..length]);
        Ok(())
    }
}
