//! The cores without the process around them: for `embedded`. Nothing is listened on, no signal is heard, no log is
//! opened; connections are handed in, and somebody else decides when it ends.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use signal_hook::consts::SIGTERM;

use crate::command::acl::load::at_start;
use crate::config::Config;
use crate::runtime::driver;
use crate::stats::persistence::SaveFacts;

use super::listen::Outside;
use super::shutdown::Control;
use super::start::{ControlEvent, Plan, driver_of};
use super::supervisor::Supervisor;

/// Running cores.
pub struct Inside {
    outside: Arc<Outside>,
    events: mpsc::Sender<ControlEvent>,
    control: JoinHandle<i32>,
}

impl Inside {
    /// Loads what the directory of the configuration holds and starts the cores; none when it cannot be loaded.
    ///
    /// # Errors
    /// When the system refuses threads, descriptors or the kernel interface.
    pub fn start(config: Config) -> io::Result<Option<Inside>> {
        let (driver, _) = driver::probe(driver_of(&config)).map_err(io::Error::other)?;
        let (events, inbox) = mpsc::channel();
        let users = at_start(&config, &[]).map_err(io::Error::other)?;
        let plan = Plan::new(config, users, String::new(), driver, Supervisor::None.name(), events.clone())?;
        let (server, stopped, config) = (plan.server.clone(), plan.stopped.clone(), plan.config.clone());
        let (loading, log) = (plan.loading(), plan.log.clone());
        let outside = Arc::new(plan.start_cores(driver)?);
        if !loading.run() {
            return Ok(None);
        }
        server.saves.set_alarm(SaveFacts::LOADING, false);
        let for_control = outside.clone();
        let control = std::thread::Builder::new().name("control".into()).spawn(move || {
            let doors = [("tcp", false), ("unix", false)];
            let (outside, supervisor) = (for_control, &Supervisor::None);
            Control { inbox, outside, server, config, stopped, doors, supervisor, put_off: None, log }.run()
        })?;
        Ok(Some(Inside { outside, events, control }))
    }

    /// Serves this end of a socket pair.
    pub fn admit(&self, socket: OwnedFd) {
        self.outside.admit_unix(socket, "embedded");
    }

    /// Ends as SIGTERM ends a server.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn stop(self) -> io::Result<()> {
        // It has ended already when a client said SHUTDOWN.
        let _ = self.events.send(ControlEvent::Signal(SIGTERM));
        match self.control.join() {
            Ok(0) => Ok(()),
            Ok(_) => Err(io::Error::other("not everything could be written to the disk")),
            Err(_) => Err(io::Error::other("the control thread failed")),
        }
    }
}
