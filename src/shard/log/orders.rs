//! What is asked of the log's thread, and the way to ask.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use crate::persist::aof::files::LogFiles;

use super::link::LogMeeting;

/// See the file's head.
pub enum Order {
    /// Write to these files from now on; at the start.
    Open(Box<LogFiles>),
    /// A new file begins at the sign with this ticket: a base will follow that holds what was before it.
    Rotate(u64),
    /// A base for the file that began last was written here, or it could not be written.
    Base(Option<PathBuf>),
    /// At the sign with this ticket the log ends: changes are not recorded any more.
    Close(u64),
    /// Write and sync all there is.
    Flush(Sender<io::Result<()>>),
}

/// The way to the log's thread from outside.
#[derive(Clone)]
pub struct LogOrders {
    sender: Sender<Order>,
    meeting: Arc<LogMeeting>,
}

impl LogOrders {
    /// To a thread that has the other end.
    pub fn new(sender: Sender<Order>, meeting: Arc<LogMeeting>) -> LogOrders {
        LogOrders { sender, meeting }
    }

    /// Asks for something; the thread is woken.
    pub fn send(&self, order: Order) {
        // The thread lives as long as the process.
        let _ = self.sender.send(order);
        self.meeting.doorbell.ring_if_parked();
    }

    /// What the log and the cores share.
    pub fn meeting(&self) -> &Arc<LogMeeting> {
        &self.meeting
    }

    /// Waits until everything that was sent is on the disk.
    pub fn flush(&self) -> io::Result<()> {
        let (sender, receiver) = channel();
        self.send(Order::Flush(sender));
        receiver.recv().map_err(|_| io::Error::other("the log's thread has ended"))?
    }
}
