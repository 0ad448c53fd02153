//! The acceptor threads: one blocking thread per listening socket. CONFIG SET port and bind close and open TCP sockets
//! while the server runs.
//!
//! Invariant: a change of the TCP sockets is made as a whole, or what was listened on before is listened on again.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::{Changed, Config, ConfigError};

use super::listen::{Endpoint, Listeners, Outside};

/// How long an acceptor rests when the process or the system has no descriptor left; it then tries again.
const REST_WITHOUT_DESCRIPTORS: Duration = Duration::from_millis(50);

/// What accepts connections.
pub struct Acceptors {
    outside: Arc<Outside>,
    tcp: Mutex<Vec<Acceptor>>,
}

/// One TCP socket with its thread, which ends once `closing` is set and the socket is shut down.
struct Acceptor {
    endpoint: Endpoint,
    listener: Arc<TcpListener>,
    closing: Arc<AtomicBool>,
}

impl Acceptor {
    fn start(endpoint: Endpoint, listener: TcpListener, outside: Arc<Outside>) -> io::Result<Acceptor> {
        let (listener, closing) = (Arc::new(listener), Arc::new(AtomicBool::new(false)));
        let acceptor = Acceptor { endpoint, listener: listener.clone(), closing: closing.clone() };
        std::thread::Builder::new().name("accept tcp".into()).spawn(move || {
            accept_loop(&closing, || listener.accept(), |(stream, peer)| outside.admit_tcp(stream, peer));
        })?;
        Ok(acceptor)
    }

    /// Nobody can connect any more when this returns. The thread is not waited for: it may be asking for the
    /// configuration, whose lock the caller holds.
    fn close(&self) {
        self.closing.store(true, Ordering::Release);
        crate::runtime::net::shutdown(self.listener.as_raw_fd());
    }
}

impl Acceptors {
    /// Starts accepting on sockets that were opened.
    pub fn start(listeners: Listeners, outside: Arc<Outside>) -> io::Result<Acceptors> {
        let mut tcp = Vec::new();
        for (endpoint, listener) in listeners.tcp {
            tcp.push(Acceptor::start(endpoint, listener, outside.clone())?);
        }
        if let Some((listener, path)) = listeners.unix {
            let (path, outside) = (path.display().to_string(), outside.clone());
            std::thread::Builder::new().name("accept unix".into()).spawn(move || {
                let never = AtomicBool::new(false);
                accept_loop(&never, || listener.accept(), |(stream, _)| outside.admit_unix(stream.into(), &path));
            })?;
        }
        Ok(Acceptors { outside, tcp: Mutex::new(tcp) })
    }

    /// Nobody can connect over TCP any more when this returns: who finds the server closing its connections shall not find
    /// it listening.
    pub fn close(&self) {
        self.tcp.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(Acceptor::close);
    }

    /// What CONFIG SET needs beyond the new value: sockets for a changed `port` or `bind`.
    pub fn apply(&self, config: &Config, changed: &Changed) -> Result<(), ConfigError> {
        if changed.includes(crate::param!(index of "tls-port")) {
            tracing::warn!("CONFIG SET tls-port: this version does not speak TLS");
            return Err(ConfigError::failed("tls-port", "Unable to listen on this port. Check server logs."));
        }
        let port = changed.includes(crate::param!(index of "port"));
        if !port && !changed.includes(crate::param!(index of "bind")) {
            return Ok(());
        }
        self.relisten(config).map_err(|_| match port {
            true => ConfigError::failed("port", "Unable to listen on this port. Check server logs."),
            false => ConfigError::failed("bind", "Failed to bind to specified addresses."),
        })
    }

    fn relisten(&self, config: &Config) -> io::Result<()> {
        let wanted = Endpoint::wanted(config);
        let mut open = self.tcp.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, closed): (Vec<_>, Vec<_>) =
            std::mem::take(&mut *open).into_iter().partition(|acceptor| wanted.contains(&acceptor.endpoint));
        // Closed first: 127.0.0.1 cannot be opened while `*` is listened on.
        closed.iter().for_each(Acceptor::close);
        let missing: Vec<Endpoint> =
            wanted.into_iter().filter(|endpoint| kept.iter().all(|acceptor| acceptor.endpoint != *endpoint)).collect();
        *open = kept;
        let kept = open.len();
        let result = missing.into_iter().try_for_each(|endpoint| self.open(endpoint, config, &mut open));
        if result.is_err() {
            open.drain(kept..).for_each(|acceptor| acceptor.close());
            for acceptor in closed {
                let (bind, port) = (acceptor.endpoint.bind.clone(), acceptor.endpoint.port);
                if self.open(acceptor.endpoint, config, &mut open).is_err() {
                    tracing::warn!("Failed to restore old listening socket {bind}:{port}");
                }
            }
        }
        result
    }

    fn open(&self, endpoint: Endpoint, config: &Config, open: &mut Vec<Acceptor>) -> io::Result<()> {
        if let Some(listener) = endpoint.open(config)? {
            open.push(Acceptor::start(endpoint, listener, self.outside.clone())?);
        }
        Ok(())
    }
}

fn accept_loop<T>(closing: &AtomicBool, accept: impl Fn() -> io::Result<T>, admit: impl Fn(T)) {
    let mut complained = false;
    loop {
        match accept() {
            Ok(accepted) => {
                complained = false;
                admit(accepted);
            }
            Err(_) if closing.load(Ordering::Acquire) => return,
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)) => {
                if !complained {
                    tracing::warn!("Accepting client connection: {error}; trying again until it works");
                    complained = true;
                }
                std::thread::sleep(REST_WITHOUT_DESCRIPTORS);
            }
            // The peer has gone already, or a signal came: the next one may be fine.
            Err(error) => tracing::debug!("Accepting client connection: {error}"),
        }
    }
}
