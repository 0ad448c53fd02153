//! Probing with a simulated kernel, and both drivers at work.

use std::{
    cell::Cell,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use monoio::{
    io::{AsyncReadRentExt, AsyncWriteRentExt},
    net::UnixStream,
};

use super::*;

/// A kernel that accepts these flags and answers others with this error.
fn kernel(accepts: &'static [RingFlags], otherwise: i32) -> impl Fn(RingFlags) -> io::Result<()> {
    move |flags| {
        if accepts.contains(&flags) { Ok(()) } else { Err(io::Error::from_raw_os_error(otherwise)) }
    }
}

#[test]
fn the_best_ring_that_works_is_taken() {
    use RingFlags::{Cooperative, Plain, SingleIssuerCooperative};
    let new = || kernel(&[SingleIssuerCooperative, Cooperative, Plain], libc::EINVAL);
    let middle = || kernel(&[Cooperative, Plain], libc::EINVAL);
    let old = || kernel(&[Plain], libc::EINVAL);
    for choice in [DriverChoice::Auto, DriverChoice::IoUring] {
        assert_eq!(probe_with(choice, new()), Ok((DriverKind::IoUring(SingleIssuerCooperative), None)));
        assert_eq!(probe_with(choice, middle()), Ok((DriverKind::IoUring(Cooperative), None)));
    }
    assert_eq!(probe_with(DriverChoice::IoUring, old()), Ok((DriverKind::IoUring(Plain), None)));
    let (kind, warning) = probe_with(DriverChoice::Auto, old()).expect("falls back");
    assert_eq!(kind, DriverKind::Epoll);
    assert!(warning.expect("a warning").contains("older than 5.19"));
}

#[test]
fn a_refusal_means_epoll_and_one_line() {
    for error in [libc::EPERM, libc::ENOSYS, libc::ENOMEM, libc::EMFILE] {
        let text = io::Error::from_raw_os_error(error).to_string();
        let (kind, warning) = probe_with(DriverChoice::Auto, kernel(&[], error)).expect("falls back");
        let warning = warning.expect("a warning");
        assert_eq!(kind, DriverKind::Epoll);
        assert!(warning.contains(&text) && !warning.contains('\n'), "{warning}");
        assert!(probe_with(DriverChoice::IoUring, kernel(&[], error)).is_err_and(|line| line.contains(&text)));
        assert_eq!(
            probe_with(DriverChoice::Epoll, kernel(&[], error)),
            Ok((DriverKind::Epoll, None)),
            "not even asked"
        );
    }
    let tries = Cell::new(0);
    let refuse = |_| {
        tries.set(tries.get() + 1);
        Err(io::Error::from_raw_os_error(libc::EPERM))
    };
    assert!(probe_with(DriverChoice::IoUring, refuse).is_err());
    assert_eq!(tries.get(), 1, "other flags do not help against a refusal");
}

#[test]
fn this_machine_has_a_driver() {
    let (kind, warning) = probe(DriverChoice::Auto).expect("always one");
    assert_eq!(warning.is_some(), kind == DriverKind::Epoll);
    assert_eq!(run(kind, async { 7 }).expect("it can be built"), 7);
}

#[test]
fn timers_work_on_every_driver() {
    for kind in kinds_here() {
        let start = Instant::now();
        let ticks = run(kind, async {
            monoio::time::sleep(Duration::from_millis(5)).await;
            let mut interval = monoio::time::interval(Duration::from_millis(2));
            for _ in 0..4 {
                interval.tick().await;
            }
            let never = std::future::pending::<()>();
            monoio::time::timeout(Duration::from_millis(1), never).await.is_err()
        });
        assert!(ticks.expect("it can be built"), "{}", kind.name());
        // 5 ms, four ticks of which the first comes at once, and the timeout. The monotonic clock says "at least"; nothing here says "at most".
        assert!(start.elapsed() >= Duration::from_millis(12), "{} {:?}", kind.name(), start.elapsed());
    }
}

/// A task that always has something to do must not keep the sockets from being heard.
#[test]
fn a_busy_core_still_hears() {
    const TURNS_MAX: u64 = 5_000_000;
    for kind in kinds_here() {
        let heard = run(kind, async {
            let (mut here, mut there) = UnixStream::pair().expect("a pair of sockets");
            let heard = Rc::new(Cell::new(false));
            let listener = {
                let heard = Rc::clone(&heard);
                monoio::spawn(async move {
                    // Both wait for the other's bytes, so completions must arrive in several turns.
                    for _ in 0..10 {
                        let (read, buffer) = here.read_exact(vec![0_u8; 4]).await;
                        read.expect("four bytes");
                        here.write_all(buffer).await.0.expect("four bytes back");
                    }
                    heard.set(true);
                })
            };
            let talker = monoio::spawn(async move {
                for _ in 0..10 {
                    there.write_all(vec![1_u8; 4]).await.0.expect("four bytes");
                    there.read_exact(vec![0_u8; 4]).await.0.expect("four bytes back");
                }
            });
            // Two that wake each other: one that wakes itself would stand first in line again, and the other tasks would never run.
            let wakers: Rc<[Cell<Option<Waker>>; 2]> = Rc::default();
            let busy = [0, 1].map(|index| {
                let (heard, wakers) = (Rc::clone(&heard), Rc::clone(&wakers));
                let mut turns = 0_u64;
                monoio::spawn(poll_fn(move |context| {
                    turns += 1;
                    if let Some(other) = wakers[1 - index].take() {
                        other.wake();
                    }
                    if heard.get() || turns >= TURNS_MAX {
                        return Poll::Ready(());
                    }
                    wakers[index].set(Some(context.waker().clone()));
                    Poll::Pending
                }))
            });
            for task in busy {
                task.await;
            }
            drop((listener, talker));
            heard.get()
        });
        assert!(heard.expect("it can be built"), "{} starves", kind.name());
    }
}
