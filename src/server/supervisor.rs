//! Tells the program that started the server when it is ready and when it stops: `supervised systemd`, by datagrams to the
//! socket that NOTIFY_SOCKET names (sd_notify's protocol), and `supervised upstart`, by stopping until it is continued.
//!
//! Nothing here fails: a supervisor that does not listen is warned about and then left alone.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::config::Config;

/// Whom the server reports to.
pub enum Supervisor {
    /// Nobody.
    None,
    /// Whoever listens at this address.
    Notified(UnixDatagram, SocketAddr),
    /// Upstart.
    Upstart,
}

impl Supervisor {
    /// As `supervised` says; `auto` looks at the environment.
    pub fn of(config: &Config) -> Supervisor {
        let wish = config.get_word(crate::param!("supervised"));
        let socket = std::env::var("NOTIFY_SOCKET").ok().filter(|name| !name.is_empty());
        let upstart = std::env::var_os("UPSTART_JOB").is_some();
        match (wish, socket) {
            ("systemd" | "auto", Some(name)) => match address(&name)
                .and_then(|address| Ok((UnixDatagram::unbound()?, address)))
            {
                Ok((socket, address)) => Supervisor::Notified(socket, address),
                Err(error) => {
                    tracing::warn!("systemd supervision requested, but NOTIFY_SOCKET '{name}' is of no use: {error}");
                    Supervisor::None
                }
            },
            ("systemd", None) => {
                tracing::warn!("systemd supervision requested or auto-detected, but NOTIFY_SOCKET not found");
                Supervisor::None
            }
            ("upstart", _) | ("auto", None) if upstart => Supervisor::Upstart,
            ("upstart", _) => {
                tracing::warn!("upstart supervision requested, but UPSTART_JOB not found");
                Supervisor::None
            }
            _ => Supervisor::None,
        }
    }

    /// The word of INFO's process_supervised.
    pub fn name(&self) -> &'static str {
        match self {
            Supervisor::None => "no",
            Supervisor::Notified(..) => "systemd",
            Supervisor::Upstart => "upstart",
        }
    }

    /// Clients are served from now on.
    pub fn ready(&self) {
        self.say("STATUS=Ready to accept connections\nREADY=1\n");
        if matches!(self, Supervisor::Upstart) {
            // Upstart counts a job as started once it stops itself, and continues it.
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP);
        }
    }

    /// The server is about to end.
    pub fn stopping(&self) {
        self.say("STATUS=Shutting down\nSTOPPING=1\n");
    }

    /// Something that whoever looks at the service should see.
    pub fn status(&self, text: &str) {
        self.say(&["STATUS=", text, "\n"].concat());
    }

    fn say(&self, text: &str) {
        if let Supervisor::Notified(socket, address) = self
            && let Err(error) = socket.send_to_addr(text.as_bytes(), address)
        {
            tracing::warn!("Can't send a notification to systemd: {error}");
        }
    }
}

/// The address of a socket by its name; `@` begins a name outside the file system.
fn address(name: &str) -> std::io::Result<SocketAddr> {
    match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_reach_sockets_of_both_kinds() {
        let name = format!("ringfort-notify-{}", std::process::id());
        let path = std::env::temp_dir().join(&name);
        for name in [format!("@{name}"), path.display().to_string()] {
            let bound = address(&name).expect("the name is short enough");
            let listener = UnixDatagram::bind_addr(&bound).expect("the name is free");
            let supervisor = Supervisor::Notified(UnixDatagram::unbound().expect("there are descriptors"), bound);
            supervisor.ready();
            supervisor.stopping();
            let mut buffer = [0; 200];
            let mut next = || {
                let count = listener.recv(&mut buffer).expect("it was sent");
                String::from_utf8_lossy(&buffer[..count]).into_owned()
            };
            assert_eq!(next(), "STATUS=Ready to accept connections\nREADY=1\n");
            assert_eq!(next(), "STATUS=Shutting down\nSTOPPING=1\n");
        }
        std::fs::remove_file(path).expect("it was bound");
    }
}
