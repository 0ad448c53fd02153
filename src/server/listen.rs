//! Listening sockets, and what becomes of an accepted connection: it goes to the core with the fewest clients, so that
//! connections are spread evenly.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::acl::Users;
use crate::config::Config;
use crate::config::shared::SharedConfig;
use crate::runtime::ring::Sender;
use crate::shard::exchange::Meeting;
use crate::shard::message::{Connection, Message};
use crate::stats::server::ServerFacts;

/// A TCP address to listen on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// A word of `bind`; a leading minus: an address that may be missing on this machine.
    pub bind: String,
    /// The port, not 0.
    pub port: u16,
}

impl Endpoint {
    /// Those that `bind` and `port` ask for.
    pub fn wanted(config: &Config) -> Vec<Endpoint> {
        match config.get_i64(crate::param!("port")) as u16 {
            0 => Vec::new(),
            port => config.bind().map(|word| Endpoint { bind: String::from_utf8_lossy(word).into_owned(), port }).collect(),
        }
    }

    /// Listens; None when the address is missing but may be.
    pub fn open(&self, config: &Config) -> io::Result<Option<TcpListener>> {
        let backlog = config.get_i64(crate::param!("tcp-backlog")) as i32;
        let (optional, host) = match self.bind.strip_prefix('-') {
            Some(host) => (true, host),
            None => (false, self.bind.as_str()),
        };
        match open_tcp(host, self.port, backlog) {
            Ok(listener) => Ok(Some(listener)),
            Err(error) if optional && is_missing(&error) => Ok(None),
            Err(error) => {
                let port = self.port;
                tracing::warn!("Warning: Could not create server TCP listening socket {host}:{port}: {error}");
                Err(error)
            }
        }
    }
}

/// The listening sockets of a server that starts.
pub struct Listeners {
    /// With the addresses they were opened for.
    pub(super) tcp: Vec<(Endpoint, TcpListener)>,
    /// With its path.
    pub(super) unix: Option<(UnixListener, PathBuf)>,
}

impl Listeners {
    /// Opens what `bind`, `port` and `unixsocket` ask for.
    pub fn open(config: &Config) -> io::Result<Listeners> {
        let mut tcp = Vec::new();
        for endpoint in Endpoint::wanted(config) {
            if let Some(listener) = endpoint.open(config).inspect_err(|_| {
                // Tools that start servers look for this line to try another port.
                tracing::warn!("Failed listening on port {} (tcp), aborting.", endpoint.port);
            })? {
                tcp.push((endpoint, listener));
            }
        }
        let path = config.get_path(crate::param!("unixsocket"));
        let unix = if path.as_os_str().is_empty() {
            None
        } else {
            let permissions = config.get_i64(crate::param!("unixsocketperm")) as u32;
            Some((open_unix(path, permissions)?, path.to_owned()))
        };
        Ok(Listeners { tcp, unix })
    }

    /// The path of the unix socket.
    pub fn unix_path(&self) -> Option<&Path> {
        self.unix.as_ref().map(|(_, path)| path.as_path())
    }

    /// Nothing is listened on.
    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.unix.is_none()
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::Unsupported)
        || matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT))
}

fn open_tcp(host: &str, port: u16, backlog: i32) -> io::Result<TcpListener> {
    let ip = match host {
        "*" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        "::*" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        other => match other.parse() {
            Ok(ip) => ip,
            Err(_) => resolve(other)?,
        },
    };
    let address = SocketAddr::new(ip, port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// The IPv4 address of a host name, as Redis takes it.
fn resolve(host: &str) -> io::Result<IpAddr> {
    let found = (host, 0).to_socket_addrs()?.map(|address| address.ip()).find(IpAddr::is_ipv4);
    found.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "Name or service not known"))
}

fn open_unix(path: &Path, permissions: u32) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    // Permissions before listening: nobody can connect through a socket that is still too open (CVE-2023-45145).
    if permissions != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(permissions))?;
    }
    socket.listen(511)?;
    Ok(socket.into())
}

struct Lines {
    senders: Vec<Sender<Message>>,
    /// Connections given to each core so far.
    given: Vec<u64>,
}

/// What is not a core but talks to cores: acceptors and the control thread. They share one set of rings.
pub struct Outside {
    lines: Mutex<Lines>,
    meeting: Arc<Meeting>,
    server: Arc<ServerFacts>,
    config: Arc<SharedConfig>,
    users: Arc<Users>,
}

impl Outside {
    /// With one ring to each core.
    pub fn new(
        senders: Vec<Sender<Message>>,
        meeting: Arc<Meeting>,
        server: Arc<ServerFacts>,
        config: Arc<SharedConfig>,
        users: Arc<Users>,
    ) -> Outside {
        let given = vec![0; senders.len()];
        Outside { lines: Mutex::new(Lines { senders, given }), meeting, server, config, users }
    }

    /// Sends a message to a core; false when its ring is full.
    pub fn send(&self, core: usize, message: Message) -> bool {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = lines.senders[core].push(message).is_ok();
        drop(lines);
        self.meeting.doorbells[core].ring_if_parked();
        sent
    }

    /// Takes a TCP connection in, unless protected mode forbids it.
    pub(super) fn admit_tcp(&self, stream: TcpStream, peer: SocketAddr) {
        let config = self.config.current();
        let open = !config.get_bool(crate::param!("protected-mode"))
            || !self.users.default_user().no_password
            || is_loopback(peer.ip());
        if !open {
            let _ = (&stream).write_all(DENIED);
            return;
        }
        let socket = SockRef::from(&stream);
        // A socket whose options cannot be set has lost its peer; its first read will tell.
        let _ = socket.set_nodelay(true);
        let keepalive_s = config.get_i64(crate::param!("tcp-keepalive"));
        if keepalive_s > 0 {
            let interval = Duration::from_secs((keepalive_s as u64 / 3).max(1));
            let keepalive = TcpKeepalive::new()
                .with_time(Duration::from_secs(keepalive_s as u64))
                .with_interval(interval)
                .with_retries(3);
            let _ = socket.set_tcp_keepalive(&keepalive);
        }
        let local = stream.local_addr().map_or_else(|_| String::new(), |address| address.to_string());
        self.admit(stream.into(), false, peer.to_string(), local, &config);
    }

    /// Takes a connection over the unix socket in.
    pub(super) fn admit_unix(&self, socket: OwnedFd, path: &str) {
        let config = self.config.current();
        self.admit(socket, true, format!("{path}:0"), format!("{path}:0"), &config);
    }

    fn admit(&self, socket: OwnedFd, unix_socket: bool, address: String, local_address: String, config: &Config) {
        let clients_max = config.get_usize(crate::param!("maxclients"));
        if self.server.clients.fetch_add(1, Ordering::Relaxed) >= clients_max {
            self.server.clients.fetch_sub(1, Ordering::Relaxed);
            self.server.rejected_connections.fetch_add(1, Ordering::Relaxed);
            let _ = std::fs::File::from(socket).write_all(b"-ERR max number of clients reached\r\n");
            return;
        }
        let id = self.server.next_client_id();
        let core = self.least_loaded();
        let connection = Connection { descriptor: socket, unix_socket, address, local_address, id };
        if !self.send(core, Message::Accepted(connection)) {
            self.server.clients.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!("a core did not keep up with new connections; one was dropped");
        }
    }

    /// The core with the fewest clients, those on their way included.
    fn least_loaded(&self) -> usize {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let load = |core: usize| {
            let stats = &self.server.cores[core];
            stats.clients.get() + lines.given[core].saturating_sub(stats.adopted.get())
        };
        let core = (0..lines.given.len()).min_by_key(|&core| load(core)).unwrap_or(0);
        lines.given[core] += 1;
        core
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(ip.is_loopback(), |ip| ip.is_loopback()),
        IpAddr::V4(ip) => ip.is_loopback(),
    }
}

/// What somebody from another machine reads while nobody has set a password (the prefix is Redis').
const DENIED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is \
set for the default user. Connections are only accepted from the loopback interface. To connect from elsewhere set a \
password ('requirepass' in the configuration file, or CONFIG SET requirepass on this machine), or, if the network is \
trusted, set 'protected-mode no' and restart or CONFIG SET it.\r\n";
