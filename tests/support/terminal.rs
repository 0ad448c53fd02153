//! A program at a pseudo-terminal: types keys, waits for what it shows, with bounded waits.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};

/// Longest wait for an output or the end.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running program and its terminal. The program is ended with the value.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    shown: String,
    /// Where the next `expect` begins to look.
    seen: usize,
}

impl Terminal {
    /// Starts the program in a session of its own whose terminal this is.
    pub fn start(program: &str, arguments: &[&str], change: &dyn Fn(&mut Command)) -> Terminal {
        let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        let ends = openpty(Some(&size), None).expect("the system has pseudo-terminals");
        let mut command = Command::new("setsid");
        command.args(["--ctty", program]).args(arguments).env("TERM", "xterm");
        let end = || Stdio::from(ends.slave.try_clone().expect("there are descriptors left"));
        command.stdin(end()).stdout(end()).stderr(end());
        change(&mut command);
        let child = command.spawn().expect("setsid and the program start");
        drop(command);
        drop(ends.slave);
        let keyboard = File::from(ends.master);
        let mut reader = keyboard.try_clone().expect("there are descriptors left");
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            // The read fails once the program has closed its end.
            while let Ok(count @ 1..) = reader.read(&mut chunk) {
                if sender.send(chunk[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal { child, keyboard, screen, shown: String::new(), seen: 0 }
    }

    /// Presses keys. Control characters (Ctrl-D) mean something else to the terminal until the program shows its prompt again:
    /// expect that first.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Types a line and Enter.
    pub fn enter(&mut self, line: &str) {
        self.press(&format!("{line}\r"));
    }

    /// Waits until the text is shown, behind what was expected before.
    ///
    /// # Panics
    /// When it is not shown in time.
    pub fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            match self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(reason) => panic!("`{text}` was not shown ({reason}); shown since:\n{}", &self.shown[self.seen..]),
            }
        }
    }

    /// Everything shown so far.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Waits until the program ends.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().expect("the program is ours"),
                Err(RecvTimeoutError::Timeout) => panic!("the program does not end; shown:\n{}", self.shown),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
