//! The runtime of a core: monoio on io_uring, or on epoll where io_uring is refused (placeholder until the helper lands).

use std::future::Future;
use std::io;

/// How sockets are driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverKind {
    /// io_uring with these flags.
    IoUring,
    /// epoll.
    Epoll,
}

/// The driver that runs here, and what to say about it.
#[derive(Clone, Debug)]
pub struct Driver {
    kind: DriverKind,
    warning: Option<String>,
}

/// Chooses by the `driver` parameter: auto, io_uring or epoll.
pub fn choose(choice: &str) -> io::Result<Driver> {
    let probe = io_uring::IoUring::<io_uring::squeue::Entry, io_uring::cqueue::Entry>::builder().setup_single_issuer().setup_coop_taskrun().build(8);
    match (choice, probe) {
        ("epoll", _) => Ok(Driver { kind: DriverKind::Epoll, warning: None }),
        (_, Ok(_)) => Ok(Driver { kind: DriverKind::IoUring, warning: None }),
        ("io_uring", Err(error)) => Err(error),
        (_, Err(error)) => Ok(Driver {
            kind: DriverKind::Epoll,
            warning: Some(format!("io_uring is not available here ({error}); using epoll, which costs more CPU")),
        }),
    }
}

impl Driver {
    /// For INFO.
    pub fn name(&self) -> &'static str {
        match self.kind {
            DriverKind::IoUring => "io_uring (SINGLE_ISSUER, COOP_TASKRUN)",
            DriverKind::Epoll => "epoll",
        }
    }

    /// What the log should say.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Runs a future on this thread for good.
    pub fn run<F: Future>(&self, future: F) -> io::Result<F::Output> {
        match self.kind {
            DriverKind::IoUring => {
                let mut ring = io_uring::IoUring::<io_uring::squeue::Entry, io_uring::cqueue::Entry>::builder();
                ring.setup_single_issuer().setup_coop_taskrun().setup_cqsize(32768);
                let mut runtime = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new()
                    .uring_builder(ring)
                    .with_entries(4096)
                    .enable_timer()
                    .build()?;
                Ok(runtime.block_on(future))
            }
            DriverKind::Epoll => {
                let mut runtime =
                    monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_timer().build()?;
                Ok(runtime.block_on(future))
            }
        }
    }
}
