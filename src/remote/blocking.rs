//! The client that blocks its thread.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::address::{Address, Options};
use super::error::Error;
use super::pipeline::Pipeline;
use super::reply::{FromReply, checked};
use super::tls::TlsStream;
use super::wire::Wire;
use crate::resp::response::Value;

/// Bytes read from the socket at once.
const READ_BYTES: usize = 64 * 1024;

/// Why --pipe and --replica have no TLS.
const TLS_HAS_ONE_HANDLE: &str = "a TLS connection cannot be read and written apart; use one without TLS";

enum Stream {
    Tcp(TcpStream),
    Tls(TlsStream),
    Unix(UnixStream),
}

impl Stream {
    fn open(options: &Options) -> Result<Stream, Error> {
        let stream = Stream::open_plain(options).map_err(|error| Error::Connect(options.address.clone(), error))?;
        let stream = match (stream, &options.tls, &options.address) {
            (stream, None, _) => stream,
            (Stream::Tcp(socket), Some(tls), Address::Tcp(host, _)) => {
                Stream::Tls(TlsStream::open(socket, host, tls).map_err(Error::Tls)?)
            }
            _ => return Err(Error::Tls("it needs a host and a port, not a Unix socket".into())),
        };
        stream.set_timeout(options.io_timeout)?;
        Ok(stream)
    }

    /// Connected, and in a hurry for what is still to be agreed on.
    fn open_plain(options: &Options) -> io::Result<Stream> {
        let stream = match &options.address {
            Address::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
            Address::Tcp(host, port) => {
                let stream = open_tcp(host, *port, options.connect_timeout)?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
        };
        stream.set_timeout(options.connect_timeout.or(options.io_timeout))?;
        Ok(stream)
    }

    fn set_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        // Zero means no limit to the caller and is refused by the system.
        let limit = limit.filter(|limit| !limit.is_zero());
        match self {
            Stream::Tls(stream) => {
                let socket = stream.socket();
                socket.set_read_timeout(limit).and_then(|()| socket.set_write_timeout(limit))
            }
            Stream::Tcp(stream) => stream.set_read_timeout(limit).and_then(|()| stream.set_write_timeout(limit)),
            Stream::Unix(stream) => stream.set_read_timeout(limit).and_then(|()| stream.set_write_timeout(limit)),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }

    /// Reads once: a count, zero at the end, or none when nothing came that is for the caller.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer).map(Some),
            Stream::Tls(stream) => stream.receive(buffer),
            Stream::Unix(stream) => stream.read(buffer).map(Some),
        }
    }
}

/// Tries every address of the name; the last failure is told.
fn open_tcp(host: &str, port: u16, limit: Option<Duration>) -> io::Result<TcpStream> {
    let Some(limit) = limit.filter(|limit| !limit.is_zero()) else { return TcpStream::connect((host, port)) };
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A connection whose calls wait for their replies.
///
/// ```no_run
/// use std::time::Duration;
/// use ringfort::remote::{Client, Options};
///
/// # fn main() -> Result<(), ringfort::remote::Error> {
/// let options = Options { io_timeout: Some(Duration::from_secs(2)), ..Options::from_url("redis://127.0.0.1:6379")? };
/// let mut client = Client::open(&options)?;
/// client.mset(&[("a", "1"), ("b", "2")])?;
/// assert_eq!(client.mget(&["a", "nosuch"])?, [Some(b"1".to_vec()), None]);
/// let length: i64 = client.query(&["RPUSH", "list", "x", "y"])?;
/// assert_eq!(length, 2);
/// # Ok(())
/// # }
/// ```
pub struct Client {
    stream: Stream,
    wire: Wire,
    buffer: Box<[u8]>,
    io_timeout: Option<Duration>,
    broken: bool,
}

impl Client {
    /// Connects to the server that a URL names and introduces itself.
    ///
    /// # Errors
    /// When the URL is wrong, nobody answers there, or the password is refused.
    pub fn connect(url: &str) -> Result<Client, Error> {
        Client::open(&Options::from_url(url)?)
    }

    /// Connects as the options say, and introduces itself.
    ///
    /// # Errors
    /// As `connect`.
    pub fn open(options: &Options) -> Result<Client, Error> {
        let mut client = Client::open_silent(options)?;
        for request in options.greeting() {
            match client.query::<()>(&request) {
                Err(Error::Server(error)) if request[0] != "SELECT" => return Err(Error::Authentication(error)),
                result => result?,
            }
        }
        Ok(client)
    }

    /// Connects and says nothing: the caller introduces itself.
    ///
    /// # Errors
    /// When nobody answers there, or not as the options for TLS ask.
    pub fn open_silent(options: &Options) -> Result<Client, Error> {
        Ok(Client::of(Stream::open(options)?, options.io_timeout))
    }

    /// A client over a connection that is open already, and on which nothing has been said.
    pub fn over(stream: UnixStream) -> Client {
        Client::of(Stream::Unix(stream), None)
    }

    fn of(stream: Stream, io_timeout: Option<Duration>) -> Client {
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        Client { stream, wire: Wire::default(), buffer, io_timeout, broken: false }
    }

    /// Limits how long calls wait for the server; `None` waits for ever.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_io_timeout(&mut self, limit: Option<Duration>) -> Result<(), Error> {
        self.stream.set_timeout(limit)?;
        self.io_timeout = limit;
        Ok(())
    }

    /// Runs a command and returns its reply; an error reply is a value here.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<Value, Error> {
        self.send(arguments)?;
        self.reply()
    }

    /// Runs a command and returns its reply as the type asked for.
    ///
    /// # Errors
    /// When the connection fails, the server replies an error, or the reply has another type.
    pub fn query<T: FromReply>(&mut self, arguments: &[impl AsRef<[u8]>]) -> Result<T, Error> {
        T::from_reply(self.command(arguments)?)
    }

    /// Sends all requests of the pipeline and returns all replies; error replies are values here.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Vec<Value>, Error> {
        self.send_raw(pipeline.bytes())?;
        (0..pipeline.count()).map(|_| self.reply()).collect()
    }

    /// Sends a command without waiting for its reply: see `reply`.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<(), Error> {
        self.wire.request(arguments);
        let bytes = self.wire.take_outgoing();
        self.send_raw(&bytes)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.broken {
            return Err(Error::Broken);
        }
        let result = self.stream.write_all(bytes);
        result.map_err(|error| self.failed(error))
    }

    /// Waits for the next reply. Push messages that come before it are put aside for `push`.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn reply(&mut self) -> Result<Value, Error> {
        self.wait(Wire::reply)
    }

    /// Waits for the next reply or push message, whichever comes first.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn message(&mut self) -> Result<Value, Error> {
        if let Some(values) = self.wire.push() {
            return Ok(Value::Push(values));
        }
        self.wait(Wire::message)
    }

    /// The next reply or push message if it has come already. Reads once from the socket when `readable`.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn message_now(&mut self, readable: bool) -> Result<Option<Value>, Error> {
        if let Some(values) = self.wire.push() {
            return Ok(Some(Value::Push(values)));
        }
        if readable {
            self.fill()?;
        }
        let message = self.wire.message();
        self.broken |= message.is_err();
        message
    }

    /// The next push message that came with replies.
    pub fn push(&mut self) -> Option<Vec<Value>> {
        self.wire.push()
    }

    /// A second handle that only writes, for a thread that sends while this one reads.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub fn writer(&self) -> Result<Box<dyn Write + Send>, Error> {
        Ok(match &self.stream {
            Stream::Tcp(stream) => Box::new(stream.try_clone()?),
            Stream::Tls(_) => return Err(Error::Io(io::Error::other(TLS_HAS_ONE_HANDLE))),
            Stream::Unix(stream) => Box::new(stream.try_clone()?),
        })
    }

    /// A second handle that only reads, for replies that are no protocol (SYNC's snapshot). What this client has read of the
    /// socket already does not come again.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub fn reader(&self) -> Result<Box<dyn Read + Send>, Error> {
        Ok(match &self.stream {
            Stream::Tcp(stream) => Box::new(stream.try_clone()?),
            Stream::Tls(_) => return Err(Error::Io(io::Error::other(TLS_HAS_ONE_HANDLE))),
            Stream::Unix(stream) => Box::new(stream.try_clone()?),
        })
    }

    /// Closes the sending side, so that the server sees the end.
    ///
    /// # Errors
    /// When the connection has failed already.
    pub fn finish_sending(&mut self) -> Result<(), Error> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write)?,
            Stream::Tls(stream) => stream.finish_sending()?,
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write)?,
        }
        Ok(())
    }

    fn wait(&mut self, next: fn(&mut Wire) -> Result<Option<Value>, Error>) -> Result<Value, Error> {
        if self.broken {
            return Err(Error::Broken);
        }
        loop {
            match next(&mut self.wire) {
                Ok(Some(value)) => return Ok(value),
                Ok(None) => self.fill()?,
                Err(error) => {
                    self.broken = true;
                    return Err(error);
                }
            }
        }
    }

    fn fill(&mut self) -> Result<(), Error> {
        loop {
            match self.stream.receive(&mut self.buffer) {
                Ok(None) => return Ok(()),
                Ok(Some(0)) => {
                    self.broken = true;
                    return Err(Error::Closed);
                }
                Ok(Some(count)) => {
                    self.wire.received(&self.buffer[..count]);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    fn failed(&mut self, error: io::Error) -> Error {
        self.broken = true;
        match (error.kind(), self.io_timeout) {
            (io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut, Some(limit)) => Error::TimedOut(limit),
            (io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe, _) => Error::Closed,
            _ => Error::Io(error),
        }
    }

    /// GET: the value, if there is one.
    ///
    /// # Errors
    /// As `query`; so it is for all helpers below.
    pub fn get(&mut self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, Error> {
        self.query(&[b"GET", key.as_ref()])
    }

    /// SET.
    pub fn set(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.query(&[b"SET", key.as_ref(), value.as_ref()])
    }

    /// DEL: how many of the keys there were.
    pub fn delete(&mut self, keys: &[impl AsRef<[u8]>]) -> Result<i64, Error> {
        self.query(&with_name("DEL", keys.iter().map(AsRef::as_ref)))
    }

    /// MGET: the values in the order of the keys.
    pub fn mget(&mut self, keys: &[impl AsRef<[u8]>]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.query(&with_name("MGET", keys.iter().map(AsRef::as_ref)))
    }

    /// MSET: all of them or none.
    pub fn mset(&mut self, pairs: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> Result<(), Error> {
        self.query(&with_name("MSET", pairs.iter().flat_map(|(key, value)| [key.as_ref(), value.as_ref()])))
    }

    /// FLUSHALL: every key of every database is gone.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.query(&["FLUSHALL"])
    }

    /// HELLO with the given protocol version; what the server says about itself.
    pub fn hello(&mut self, protocol: u8) -> Result<Value, Error> {
        checked(self.command(&["HELLO", &protocol.to_string()])?)
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Tls(stream) => stream.socket().as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}

/// A command's name and its arguments.
pub(super) fn with_name<'a>(name: &'a str, arguments: impl Iterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    std::iter::once(name.as_bytes()).chain(arguments).collect()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
