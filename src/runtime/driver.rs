//! Which I/O driver a core runs on, and running it: monoio on io_uring, or on epoll where io_uring is refused.
//!
//! [`probe`] is asked once at start; every core then calls [`run`] on its own thread with the answer. A ring belongs to the thread that made it (`SINGLE_ISSUER`), so the
//! runtime is built where it runs.
//!
//! Which ring flags, and why. CPU per request of `benches/floor.rs` against the first choice (monoio 0.2.4, kernel 6.18, AMD EPYC, 2 cores, server and client pinned apart,
//! redis-benchmark PING_MBULK with 50 connections, medians of 9 and 5 interleaved rounds):
//!
//! | | kernel | pipeline 1 | pipeline 16 |
//! |---|---|---|---|
//! | `SINGLE_ISSUER`, `COOP_TASKRUN` | 6.0 | 7.13 µs | 0.463 µs |
//! | `COOP_TASKRUN` | 5.19 | × 1.01 | × 1.01 |
//! | no flags | 5.6 | × 1.59 | × 1.55 |
//! | epoll | | × 0.98 | × 0.99 |
//! | `SINGLE_ISSUER`, `DEFER_TASKRUN` | 6.1 | × 0.97 | × 1.00 |
//!
//! Without flags every completion interrupts the core: dearer than epoll, so taken only when io_uring is asked for by name. `DEFER_TASKRUN` prepares completions only in calls
//! that ask for events, and monoio's `submit`, all that a core calls while it has tasks to run, never asks: a core that is kept busy would hear nothing from its sockets
//! (the test `a_busy_core_still_hears` fails with it). Three per cent are not worth that. epoll is on a par for sockets; what io_uring adds is files and fsync without blocking.
//!
//! Two more habits of monoio that whoever writes a task must know: timers are looked at only when the core parks, so tasks that wake each other without end hold them up;
//! and nobody may wake himself in a loop (see [`run`]).

use std::{future::Future, io, mem::ManuallyDrop};

use io_uring::{IoUring, Probe, opcode};
use monoio::{IoUringDriver, LegacyDriver, Runtime, RuntimeBuilder, time::TimeDriver};

use crate::stdx::limits;

/// What the configuration asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DriverChoice {
    /// io_uring where it works well, else epoll with a warning.
    Auto,
    /// io_uring or nothing.
    IoUring,
    /// epoll.
    Epoll,
}

/// What a core runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DriverKind {
    /// io_uring with these ring flags.
    IoUring(RingFlags),
    /// epoll.
    Epoll,
}

/// The ring flags that are tried, best first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingFlags {
    /// `IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN`, kernel 6.0.
    SingleIssuerCooperative,
    /// `IORING_SETUP_COOP_TASKRUN`, kernel 5.19.
    Cooperative,
    /// None, kernel 5.6.
    Plain,
}

impl DriverKind {
    /// For the log line at start.
    pub fn name(self) -> &'static str {
        match self {
            Self::IoUring(RingFlags::SingleIssuerCooperative) => "io_uring (SINGLE_ISSUER, COOP_TASKRUN)",
            Self::IoUring(RingFlags::Cooperative) => "io_uring (COOP_TASKRUN)",
            Self::IoUring(RingFlags::Plain) => "io_uring (no flags)",
            Self::Epoll => "epoll",
        }
    }
}

impl RingFlags {
    fn builder(self) -> io_uring::Builder {
        let mut builder = IoUring::builder();
        // CLAMP: a kernel with a lower limit gives what it can.
        builder.setup_cqsize(limits::RING_COMPLETIONS).setup_clamp();
        match self {
            Self::SingleIssuerCooperative => builder.setup_single_issuer().setup_coop_taskrun(),
            Self::Cooperative => builder.setup_coop_taskrun(),
            Self::Plain => &mut builder,
        };
        builder
    }
}

/// Finds the best driver that works here, and a warning for the log when it is not the one hoped for.
///
/// # Errors
/// When io_uring is asked for by name and refused: one sentence for the log.
pub fn probe(choice: DriverChoice) -> Result<(DriverKind, Option<String>), String> {
    probe_with(choice, try_ring)
}

/// [`probe`] with another way to try a ring.
fn probe_with(
    choice: DriverChoice,
    try_ring: impl Fn(RingFlags) -> io::Result<()>,
) -> Result<(DriverKind, Option<String>), String> {
    let candidates: &[RingFlags] = match choice {
        DriverChoice::Epoll => return Ok((DriverKind::Epoll, None)),
        DriverChoice::Auto => &[RingFlags::SingleIssuerCooperative, RingFlags::Cooperative],
        DriverChoice::IoUring => &[RingFlags::SingleIssuerCooperative, RingFlags::Cooperative, RingFlags::Plain],
    };
    let mut refusal = String::new();
    for flags in candidates {
        match try_ring(*flags) {
            Ok(()) => return Ok((DriverKind::IoUring(*flags), None)),
            // A flag this kernel does not know yet.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                refusal = "the kernel is older than 5.19".to_owned()
            }
            Err(error) => {
                refusal = error.to_string();
                break;
            }
        }
    }
    match choice {
        DriverChoice::IoUring => Err(format!("io_uring is not available: {refusal}. {ADVICE}")),
        _ => Ok((
            DriverKind::Epoll,
            Some(format!("io_uring is not available: {refusal}. Running on epoll instead. {ADVICE}")),
        )),
    }
}

const ADVICE: &str = "In a container, its seccomp profile must allow io_uring_setup, io_uring_enter and io_uring_register; on the host, see the sysctl kernel.io_uring_disabled.";

/// Makes a ring as large as a core's, asks it for the operations monoio uses, and drops it again.
fn try_ring(flags: RingFlags) -> io::Result<()> {
    let ring: IoUring = flags.builder().build(limits::RING_SUBMISSIONS)?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    let used = [
        opcode::Accept::CODE,
        opcode::Close::CODE,
        opcode::Connect::CODE,
        opcode::Fsync::CODE,
        opcode::OpenAt::CODE,
        opcode::PollAdd::CODE,
        opcode::Read::CODE,
        opcode::Readv::CODE,
        opcode::Recv::CODE,
        opcode::Send::CODE,
        opcode::Timeout::CODE,
        opcode::Write::CODE,
        opcode::Writev::CODE,
    ];
    if used.iter().all(|operation| probe.is_supported(*operation)) {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel lacks operations of version 5.6"))
    }
}

/// Builds a runtime with timers on the calling thread and runs `future` to its end, with everything it spawns.
///
/// Nobody may wake himself in a loop: `future` is polled again at once, and a task goes to the front of the queue, so no other task ever gets a turn. Tasks that wake each other
/// go to the back, and between rounds the sockets are heard.
///
/// The runtime is never dropped: the kernel may still write into buffers of operations in flight, and its tasks own those. It ends with the process.
///
/// # Errors
/// When the ring or the epoll instance cannot be made, as when too many files are open.
pub fn run<F: Future>(kind: DriverKind, future: F) -> io::Result<F::Output> {
    match kind {
        DriverKind::IoUring(flags) => {
            let builder = RuntimeBuilder::<IoUringDriver>::new()
                .uring_builder(flags.builder())
                .with_entries(limits::RING_SUBMISSIONS);
            let runtime: Runtime<TimeDriver<IoUringDriver>> = builder.enable_timer().build()?;
            Ok(ManuallyDrop::new(runtime).block_on(future))
        }
        DriverKind::Epoll => {
            let builder = RuntimeBuilder::<LegacyDriver>::new().with_entries(limits::EPOLL_EVENTS);
            let runtime: Runtime<TimeDriver<LegacyDriver>> = builder.enable_timer().build()?;
            Ok(ManuallyDrop::new(runtime).block_on(future))
        }
    }
}

/// What tests run on: epoll always, and io_uring when this machine has it.
#[cfg(test)]
pub(crate) fn kinds_here() -> Vec<DriverKind> {
    let mut kinds = vec![DriverKind::Epoll];
    kinds.extend(probe(DriverChoice::IoUring).map(|(kind, _)| kind));
    kinds
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
