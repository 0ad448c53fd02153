//! How a core's pump waits for its doorbell: one pending poll on the eventfd, on either driver.
//!
//! The poll stays in flight when a wait ends for another reason, so nothing is cancelled and at most one is ever in flight. Lives on its core's thread, inside its runtime.

use std::{
    cell::Cell,
    fmt,
    future::{Future, poll_fn},
    io,
    os::unix::net,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use monoio::net::UnixStream;

use super::doorbell::Doorbell;

/// Waits for one doorbell.
pub struct DoorbellWaiter {
    doorbell: Arc<Doorbell>,
    /// A duplicate of the eventfd in the only clothes in which monoio polls a descriptor that it did not open.
    event: Rc<UnixStream>,
    poll: Option<Pin<Box<dyn Future<Output = io::Result<()>>>>>,
    local: Rc<Local>,
}

/// Wakes the waiter from the same core, without a system call: for whoever runs while the pump has parked.
#[derive(Clone)]
pub struct LocalRing {
    doorbell: Arc<Doorbell>,
    local: Rc<Local>,
}

#[derive(Default)]
struct Local {
    rung: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl DoorbellWaiter {
    /// Call it inside the core's runtime.
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated or registered (too many open files), or the doorbell is a silent one.
    pub fn new(doorbell: &Arc<Doorbell>) -> io::Result<Self> {
        let Some(descriptor) = doorbell.descriptor() else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "a silent doorbell cannot be waited for"));
        };
        let event = UnixStream::from_std(net::UnixStream::from(descriptor.try_clone_to_owned()?))?;
        Ok(Self { doorbell: Arc::clone(doorbell), event: Rc::new(event), poll: None, local: Rc::default() })
    }

    /// Ends when the doorbell was rung, from another core or by [`LocalRing::ring`]; the doorbell is drained and no longer parked then. It may also end for nothing. To be called
    /// after `prepare_to_park` and the second look.
    ///
    /// # Errors
    /// When the kernel refuses to poll. The wait is over then, too.
    pub async fn wait(&mut self) -> io::Result<()> {
        let result = poll_fn(|context| self.poll_rung(context)).await;
        self.doorbell.cancel_park();
        result
    }

    /// The handle for the other tasks of this core.
    pub fn local_ring(&self) -> LocalRing {
        LocalRing { doorbell: Arc::clone(&self.doorbell), local: Rc::clone(&self.local) }
    }

    fn poll_rung(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.local.rung.take() {
            return Poll::Ready(Ok(()));
        }
        let event = &self.event;
        let poll = self.poll.get_or_insert_with(|| {
            let event = Rc::clone(event);
            // Not relaxed: on epoll the readiness that monoio remembers is checked against the descriptor.
            Box::pin(async move { event.readable(false).await })
        });
        let Poll::Ready(result) = poll.as_mut().poll(context) else {
            self.local.waker.set(Some(context.waker().clone()));
            return Poll::Pending;
        };
        self.poll = None;
        self.doorbell.drain();
        Poll::Ready(result)
    }
}

impl LocalRing {
    /// Wakes the pump if it has parked. From now on other cores see this core as awake, and do not ring.
    #[inline]
    pub fn ring(&self) {
        if self.doorbell.is_parked() {
            self.doorbell.cancel_park();
            self.local.rung.set(true);
            if let Some(waker) = self.local.waker.take() {
                waker.wake();
            }
        }
    }
}

impl fmt::Debug for DoorbellWaiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DoorbellWaiter")
            .field("doorbell", &self.doorbell)
            .field("in_flight", &self.poll.is_some())
            .finish()
    }
}

impl fmt::Debug for LocalRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalRing").field("doorbell", &self.doorbell).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;
    use crate::runtime::{
        driver::{kinds_here, run},
        ring::{Receiver, ring},
    };

    /// A pump as a core has it: drains its ring, parks, is woken. Ends at the value zero.
    async fn pump(doorbell: Arc<Doorbell>, mut receiver: Receiver<u32>, mut seen: impl FnMut(u32)) {
        let mut waiter = DoorbellWaiter::new(&doorbell).expect("an eventfd");
        loop {
            while let Some(value) = receiver.pop() {
                seen(value);
                if value == 0 {
                    return;
                }
            }
            doorbell.prepare_to_park();
            if receiver.is_empty() {
                monoio::time::timeout(Duration::from_secs(20), waiter.wait())
                    .await
                    .expect("a wake-up was lost")
                    .expect("a poll");
            } else {
                doorbell.cancel_park();
            }
            assert!(!doorbell.is_parked());
        }
    }

    /// Two cores send each other a number and count it down: each step is a wake-up across threads.
    #[test]
    fn two_cores_wake_each_other_on_every_driver() {
        const STEPS: u32 = 2_000;
        for kind in kinds_here() {
            let bells = [0, 1].map(|_| Arc::new(Doorbell::new().expect("an eventfd")));
            let (mut to_second, from_first) = ring(4);
            let (to_first, from_second) = ring(4);
            assert!(to_second.push(STEPS).is_ok());
            let cores: Vec<_> = [(0, from_second, to_second), (1, from_first, to_first)]
                .into_iter()
                .map(|(index, receiver, mut sender)| {
                    let (own, other) = (Arc::clone(&bells[index]), Arc::clone(&bells[1 - index]));
                    thread::spawn(move || {
                        let work = pump(own, receiver, |value| {
                            // The last two zeroes cross: the other core has ended, but its ring has room.
                            assert!(sender.push(value.saturating_sub(1)).is_ok());
                            other.ring_if_parked();
                        });
                        run(kind, work).expect("a runtime");
                    })
                })
                .collect();
            for core in cores {
                assert!(core.join().is_ok(), "{}", kind.name());
            }
        }
    }

    /// Another task of the same core wakes the pump without the eventfd, and the poll in flight serves the next wait.
    #[test]
    fn a_local_ring_wakes_and_leaves_the_poll_in_flight() {
        for kind in kinds_here() {
            let doorbell = Arc::new(Doorbell::new().expect("an eventfd"));
            run(kind, async {
                let mut waiter = DoorbellWaiter::new(&doorbell).expect("an eventfd");
                let local = waiter.local_ring();
                for _ in 0..3 {
                    doorbell.prepare_to_park();
                    let local = local.clone();
                    let other = monoio::spawn(async move { local.ring() });
                    waiter.wait().await.expect("a poll");
                    other.await;
                    assert!(waiter.poll.is_some(), "still in flight");
                    assert!(!doorbell.is_parked() && !doorbell.ring_if_parked(), "awake: others need not ring");
                }
                local.ring();
                assert!(!waiter.local.rung.get(), "an awake pump is not rung");
                doorbell.prepare_to_park();
                assert!(doorbell.ring_if_parked());
                waiter.wait().await.expect("a poll");
                assert!(waiter.poll.is_none() && !doorbell.drain(), "heard through the eventfd, and drained");
            })
            .expect("a runtime");
        }
    }

    #[test]
    fn a_silent_doorbell_cannot_be_waited_for() {
        let kind = kinds_here()[0];
        let refused = run(kind, async { DoorbellWaiter::new(&Arc::new(Doorbell::silent())).is_err() });
        assert!(refused.expect("a runtime"));
    }
}
