//! A wake-up between tasks of one thread. One task waits, any other on the same thread notifies; a notification that comes
//! first is not lost, several are one.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// See the file's head.
#[derive(Default)]
pub struct Notify {
    notified: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Notify {
    /// Wakes the waiting task, or lets the next wait pass at once.
    pub fn notify(&self) {
        if !self.notified.replace(true)
            && let Some(waker) = self.waker.borrow_mut().take()
        {
            waker.wake();
        }
    }

    /// Wakes the waiting task, if one waits now; nothing is kept for later.
    pub fn notify_waiting(&self) {
        if self.waker.borrow().is_some() {
            self.notify();
        }
    }

    /// Waits for a notification.
    pub async fn wait(&self) {
        poll_fn(|context| {
            if self.notified.replace(false) {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}
