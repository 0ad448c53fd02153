//! Where a server is and who calls: addresses, `redis://` URLs, and what is said first on a connection.
//!
//! URLs: `redis://[[user]:password@]host[:port][/database]`, the same with `rediss://` for TLS, `unix:///path/to.sock[?db=2]`, a bare `host:port`, or a path
//! that begins with `/`. User and password are percent-decoded.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::tls::Tls;

/// The port servers listen on unless told otherwise.
const PORT_DEFAULT: u16 = 6379;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A name or address, and a port.
    Tcp(String, u16),
    /// A socket's path.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(host, port) if host.contains(':') => write!(out, "[{host}]:{port}"),
            Address::Tcp(host, port) => write!(out, "{host}:{port}"),
            Address::Unix(path) => write!(out, "{}", path.display()),
        }
    }
}

/// How to connect. `Options::default()` is 127.0.0.1:6379 without a password, database 0, RESP2, no time limits.
///
/// ```
/// use ringfort::remote::{Address, Options};
///
/// let options = Options::from_url("redis://ann:s%3Acret@example.org/3").expect("it is a URL");
/// assert_eq!(options.address, Address::Tcp("example.org".into(), 6379));
/// assert_eq!((options.user.as_deref(), options.password.as_deref()), (Some("ann"), Some("s:cret")));
/// assert_eq!(options.database, 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where the server is.
    pub address: Address,
    /// How the connection is secured; without it, it is not. For TCP only.
    pub tls: Option<Tls>,
    /// The user; without one, the password is that of `default`.
    pub user: Option<String>,
    /// The password; without one, nothing is said about who calls.
    pub password: Option<String>,
    /// The database to select.
    pub database: u32,
    /// Whether to switch to RESP3.
    pub resp3: bool,
    /// Longest wait for a connection.
    pub connect_timeout: Option<Duration>,
    /// Longest wait for the server to take or give bytes.
    pub io_timeout: Option<Duration>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            address: Address::Tcp("127.0.0.1".into(), PORT_DEFAULT),
            tls: None,
            user: None,
            password: None,
            database: 0,
            resp3: false,
            connect_timeout: None,
            io_timeout: None,
        }
    }
}

impl Options {
    /// The defaults with another address.
    pub fn at(address: Address) -> Options {
        Options { address, ..Options::default() }
    }

    /// What a URL says; see the module's head for its forms.
    ///
    /// # Errors
    /// `Error::Url` with what is wrong.
    pub fn from_url(url: &str) -> Result<Options, Error> {
        let mut options = Options::default();
        if url.starts_with('/') {
            options.address = Address::Unix(url.into());
            return Ok(options);
        }
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => ("redis".to_string(), url),
        };
        match scheme.as_str() {
            "redis" => options.read_redis(rest)?,
            "unix" | "redis+unix" => options.read_unix(rest)?,
            "rediss" => {
                options.read_redis(rest)?;
                options.tls = Some(Tls::default());
            }
            other => {
                return Err(Error::Url(format!("Invalid URI scheme '{other}': use redis://host:port or unix:///path")));
            }
        }
        Ok(options)
    }

    fn read_unix(&mut self, rest: &str) -> Result<(), Error> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        self.address = Address::Unix(percent_decoded(path).into());
        if let Some(database) = query.split('&').find_map(|pair| pair.strip_prefix("db=")) {
            self.database = number(database, "database")?;
        }
        Ok(())
    }

    fn read_redis(&mut self, rest: &str) -> Result<(), Error> {
        // The last @ ends the user's part; passwords may hold further ones.
        let at = rest.rfind('@').unwrap_or(0);
        let (authority, path) = match rest[at..].find('/') {
            Some(slash) => (&rest[..at + slash], &rest[at + slash + 1..]),
            None => (rest, ""),
        };
        let server = match authority.rsplit_once('@') {
            None => authority,
            Some((caller, server)) => {
                let (user, password) = caller.split_once(':').unwrap_or(("", caller));
                self.user = (!user.is_empty()).then(|| percent_decoded(user));
                self.password = Some(percent_decoded(password));
                server
            }
        };
        let (host, port) = match server.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or_default()),
            None => server.split_once(':').unwrap_or((server, "")),
        };
        let port = if port.is_empty() { PORT_DEFAULT } else { number(port, "port")? };
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        self.address = Address::Tcp(host.to_string(), port);
        let database = path.split('?').next().unwrap_or_default();
        if !database.is_empty() {
            self.database = number(database, "database")?;
        }
        Ok(())
    }

    /// The requests that begin a connection: HELLO or AUTH, and SELECT, as their words.
    pub(super) fn greeting(&self) -> Vec<Vec<String>> {
        let mut requests = Vec::new();
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let user = self.user.as_deref().unwrap_or("default");
        match (&self.password, self.resp3) {
            (Some(password), true) => requests.push(words(&["HELLO", "3", "AUTH", user, password])),
            (None, true) => requests.push(words(&["HELLO", "3"])),
            (Some(password), false) if self.user.is_some() => requests.push(words(&["AUTH", user, password])),
            (Some(password), false) => requests.push(words(&["AUTH", password])),
            (None, false) => {}
        }
        if self.database != 0 {
            requests.push(words(&["SELECT", &self.database.to_string()]));
        }
        requests
    }
}

fn number<N: std::str::FromStr>(text: &str, what: &str) -> Result<N, Error> {
    text.parse().map_err(|_| Error::Url(format!("'{text}' is no {what} number")))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) if byte == b'%' => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let tcp = |host: &str, port| Address::Tcp(host.to_string(), port);
        let table: &[(&str, Address, Option<&str>, Option<&str>, u32)] = &[
            ("redis://", tcp("127.0.0.1", 6379), None, None, 0),
            ("REDIS://h", tcp("h", 6379), None, None, 0),
            ("redis://h:7000/4", tcp("h", 7000), None, None, 4),
            ("redis://:p@h", tcp("h", 6379), None, Some("p"), 0),
            ("redis://p@h:1", tcp("h", 1), None, Some("p"), 0),
            ("redis://u:p%40%2f@h/1", tcp("h", 6379), Some("u"), Some("p@/"), 1),
            ("redis://u:a/b@c@[::1]:7/2", tcp("::1", 7), Some("u"), Some("a/b@c"), 2),
            ("localhost:7000", tcp("localhost", 7000), None, None, 0),
            ("/tmp/x.sock", Address::Unix("/tmp/x.sock".into()), None, None, 0),
            ("unix:///tmp/x.sock?db=3", Address::Unix("/tmp/x.sock".into()), None, None, 3),
        ];
        for (url, address, user, password, database) in table {
            let options = Options::from_url(url).expect("the URL is right");
            let found = (options.address, options.user, options.password, options.database);
            let owned = |text: &Option<&str>| text.map(str::to_string);
            assert_eq!(found, (address.clone(), owned(user), owned(password), *database), "{url}");
        }
    }

    #[test]
    fn a_url_asks_for_tls() {
        let options = Options::from_url("rediss://u:p@h:7/2").expect("the URL is right");
        assert_eq!((options.address, options.tls), (Address::Tcp("h".into(), 7), Some(Tls::default())));
        assert_eq!(Options::from_url("redis://h").expect("the URL is right").tls, None);
    }

    #[test]
    fn wrong_urls_say_what_is_wrong() {
        for (url, words) in [
            ("http://h", "Invalid URI scheme 'http'"),
            ("redis://h:x", "'x' is no port number"),
            ("redis://h:70000", "'70000' is no port number"),
            ("redis://h/x", "'x' is no database number"),
        ] {
            let error = Options::from_url(url).expect_err("the URL is wrong").to_string();
            assert!(error.contains(words), "{url}: {error}");
        }
    }

    #[test]
    fn the_greeting_says_only_what_is_needed() {
        let mut options = Options::default();
        assert!(options.greeting().is_empty());
        options.password = Some("p".into());
        options.database = 2;
        assert_eq!(options.greeting(), [vec!["AUTH", "p"], vec!["SELECT", "2"]]);
        options.resp3 = true;
        assert_eq!(options.greeting()[0], ["HELLO", "3", "AUTH", "default", "p"]);
    }
}
