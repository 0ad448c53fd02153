//! The client on a monoio runtime. It has no TLS.

use std::io;
use std::time::Duration;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpStream, UnixStream};

use super::address::{Address, Options};
use super::blocking::with_name;
use super::error::Error;
use super::pipeline::Pipeline;
use super::reply::FromReply;
use super::wire::Wire;
use crate::resp::response::Value;

/// Bytes read from the socket at once.
const READ_BYTES: usize = 64 * 1024;

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection for tasks of a monoio runtime; calls await their replies. Time limits need a runtime with timers.
///
/// ```no_run
/// use ringfort::remote::{AsyncClient, Options};
///
/// # async fn example() -> Result<(), ringfort::remote::Error> {
/// let mut client = AsyncClient::open(&Options::from_url("redis://127.0.0.1:6379")?).await?;
/// client.set("key", "value").await?;
/// assert_eq!(client.get("key").await?.as_deref(), Some(&b"value"[..]));
/// # Ok(())
/// # }
/// ```
pub struct AsyncClient {
    stream: Stream,
    wire: Wire,
    /// Lent to the kernel while it reads.
    buffer: Vec<u8>,
    io_timeout: Option<Duration>,
    broken: bool,
}

impl AsyncClient {
    /// Connects to the server that a URL names and introduces itself.
    ///
    /// # Errors
    /// When the URL is wrong, nobody answers there, or the password is refused.
    pub async fn connect(url: &str) -> Result<AsyncClient, Error> {
        AsyncClient::open(&Options::from_url(url)?).await
    }

    /// Connects as the options say, and introduces itself.
    ///
    /// # Errors
    /// As `connect`.
    pub async fn open(options: &Options) -> Result<AsyncClient, Error> {
        if options.tls.is_some() {
            return Err(Error::Tls("the asynchronous client has no TLS; the blocking one has".into()));
        }
        let stream = async {
            Ok(match &options.address {
                Address::Unix(path) => Stream::Unix(UnixStream::connect(path).await?),
                Address::Tcp(host, port) => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await?;
                    stream.set_nodelay(true)?;
                    Stream::Tcp(stream)
                }
            })
        };
        let stream = limited(options.connect_timeout, stream).await;
        let stream = stream.map_err(|error| Error::Connect(options.address.clone(), error))?;
        let io_timeout = options.io_timeout;
        let buffer = Vec::with_capacity(READ_BYTES);
        let mut client = AsyncClient { stream, wire: Wire::default(), buffer, io_timeout, broken: false };
        for request in options.greeting() {
            match client.query::<()>(&request).await {
                Err(Error::Server(error)) if request[0] != "SELECT" => return Err(Error::Authentication(error)),
                result => result?,
            }
        }
        Ok(client)
    }

    /// Runs a command and returns its reply; an error reply is a value here.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<Value, Error> {
        self.wire.request(arguments);
        self.send().await?;
        self.reply().await
    }

    /// Runs a command and returns its reply as the type asked for.
    ///
    /// # Errors
    /// When the connection fails, the server replies an error, or the reply has another type.
    pub async fn query<T: FromReply>(&mut self, arguments: &[impl AsRef<[u8]>]) -> Result<T, Error> {
        T::from_reply(self.command(arguments).await?)
    }

    /// Sends all requests of the pipeline and returns all replies; error replies are values here.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Vec<Value>, Error> {
        self.send_raw(pipeline.bytes()).await?;
        let mut replies = Vec::with_capacity(pipeline.count());
        for _ in 0..pipeline.count() {
            replies.push(self.reply().await?);
        }
        Ok(replies)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.wire.raw(bytes);
        self.send().await
    }

    /// Waits for the next reply. Push messages that come before it are put aside for `push`.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn reply(&mut self) -> Result<Value, Error> {
        self.wait(Wire::reply).await
    }

    /// Waits for the next reply or push message, whichever comes first.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn message(&mut self) -> Result<Value, Error> {
        match self.wire.push() {
            Some(values) => Ok(Value::Push(values)),
            None => self.wait(Wire::message).await,
        }
    }

    /// The next push message that came with replies.
    pub fn push(&mut self) -> Option<Vec<Value>> {
        self.wire.push()
    }

    async fn send(&mut self) -> Result<(), Error> {
        if self.broken {
            return Err(Error::Broken);
        }
        // Whoever drops the call half-way leaves half a request behind.
        self.broken = true;
        let bytes = self.wire.take_outgoing();
        let write = async {
            match &mut self.stream {
                Stream::Tcp(stream) => stream.write_all(bytes).await.0,
                Stream::Unix(stream) => stream.write_all(bytes).await.0,
            }
        };
        limited(self.io_timeout, write).await.map_err(|error| told(error, self.io_timeout))?;
        self.broken = false;
        Ok(())
    }

    async fn wait(&mut self, next: fn(&mut Wire) -> Result<Option<Value>, Error>) -> Result<Value, Error> {
        if self.broken {
            return Err(Error::Broken);
        }
        self.broken = true;
        loop {
            if let Some(value) = next(&mut self.wire)? {
                self.broken = false;
                return Ok(value);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), Error> {
        let buffer = std::mem::take(&mut self.buffer);
        let read = async {
            let (result, buffer) = match &mut self.stream {
                Stream::Tcp(stream) => stream.read(buffer).await,
                Stream::Unix(stream) => stream.read(buffer).await,
            };
            result.map(|count| (count, buffer))
        };
        let (count, buffer) = limited(self.io_timeout, read).await.map_err(|error| told(error, self.io_timeout))?;
        if count == 0 {
            return Err(Error::Closed);
        }
        self.wire.received(&buffer[..count]);
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    /// GET: the value, if there is one.
    ///
    /// # Errors
    /// As `query`; so it is for all helpers below.
    pub async fn get(&mut self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, Error> {
        self.query(&[b"GET", key.as_ref()]).await
    }

    /// SET.
    pub async fn set(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.query(&[b"SET", key.as_ref(), value.as_ref()]).await
    }

    /// DEL: how many of the keys there were.
    pub async fn delete(&mut self, keys: &[impl AsRef<[u8]>]) -> Result<i64, Error> {
        self.query(&with_name("DEL", keys.iter().map(AsRef::as_ref))).await
    }

    /// MGET: the values in the order of the keys.
    pub async fn mget(&mut self, keys: &[impl AsRef<[u8]>]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.query(&with_name("MGET", keys.iter().map(AsRef::as_ref))).await
    }

    /// MSET: all of them or none.
    pub async fn mset(&mut self, pairs: &[(impl AsRef<[u8]>, impl AsRef<[u8]>)]) -> Result<(), Error> {
        self.query(&with_name("MSET", pairs.iter().flat_map(|(key, value)| [key.as_ref(), value.as_ref()]))).await
    }

    /// FLUSHALL: every key of every database is gone.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.query(&["FLUSHALL"]).await
    }
}

/// The work, within a time limit if there is one.
async fn limited<T>(limit: Option<Duration>, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match limit.filter(|limit| !limit.is_zero()) {
        None => work.await,
        Some(limit) => match monoio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        },
    }
}

fn told(error: io::Error, limit: Option<Duration>) -> Error {
    match (error.kind(), limit) {
        (io::ErrorKind::TimedOut, Some(limit)) => Error::TimedOut(limit),
        (io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe, _) => Error::Closed,
        _ => Error::Io(error),
    }
}
