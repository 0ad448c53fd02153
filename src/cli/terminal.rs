//! The terminal: standard output and error, passwords without echo, waiting for a socket, a key or Ctrl-C.
//!
//! Output that nobody reads (a closed pipe) ends the program quietly, as the system's signal would.

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};

/// Whether people read standard output. `FAKETTY` makes it so, for tests of other programs, as in redis-cli.
pub fn output_is_terminal() -> bool {
    io::stdout().is_terminal() || std::env::var_os("FAKETTY").is_some()
}

/// Whether people type.
pub fn input_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Writes to standard output and makes sure that it is seen.
pub fn print(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    if stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(1);
    }
}

/// Writes a line to standard error.
pub fn complain(text: &str) {
    // There is nowhere left to say that it failed.
    let _ = writeln!(io::stderr(), "{text}");
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The socket can be read.
    Socket,
    /// A key was pressed, or standard input ended.
    Key,
    /// Ctrl-C.
    Interrupt,
    /// The time is over.
    Timeout,
}

/// Ctrl-C as something to wait for instead of the end of the program.
pub struct Interrupts {
    pressed: UnixStream,
}

impl Interrupts {
    /// From now on Ctrl-C no longer ends the program.
    ///
    /// # Errors
    /// When the system has no descriptors left.
    pub fn catch() -> io::Result<Interrupts> {
        let (pressed, written) = UnixStream::pair()?;
        pressed.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(signal_hook::consts::SIGINT, written)?;
        Ok(Interrupts { pressed })
    }

    /// Forgets what was pressed so far.
    pub fn clear(&mut self) {
        let mut bytes = [0; 64];
        while io::Read::read(&mut self.pressed, &mut bytes).is_ok_and(|count| count == bytes.len()) {}
    }
}

/// Waits for the socket, Ctrl-C and, when `keys`, standard input.
///
/// # Errors
/// When the system refuses to wait.
pub fn wait(
    socket: Option<BorrowedFd<'_>>,
    interrupts: Option<&Interrupts>,
    keys: bool,
    limit: Option<Duration>,
) -> io::Result<Woken> {
    let stdin = io::stdin();
    let sources: Vec<(Woken, BorrowedFd<'_>)> = [
        interrupts.map(|interrupts| (Woken::Interrupt, interrupts.pressed.as_fd())),
        socket.map(|socket| (Woken::Socket, socket)),
        keys.then(|| (Woken::Key, stdin.as_fd())),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut waited: Vec<PollFd<'_>> =
        sources.iter().map(|(_, descriptor)| PollFd::new(*descriptor, PollFlags::POLLIN)).collect();
    let limit = match limit {
        None => PollTimeout::NONE,
        Some(limit) => PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX),
    };
    loop {
        match poll(&mut waited, limit) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(0) => return Ok(Woken::Timeout),
            Ok(_) => {
                let ready = |found: &PollFd<'_>| found.revents().is_some_and(|events| !events.is_empty());
                let first = waited.iter().position(ready);
                return Ok(first.map_or(Woken::Timeout, |index| sources[index].0));
            }
        }
    }
}

/// The terminal without echo and without lines; as it was when the value is dropped.
pub struct KeyMode {
    before: Option<Termios>,
}

impl KeyMode {
    /// Every key comes at once and does not show. Does nothing when standard input is no terminal.
    pub fn enter() -> KeyMode {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut changed = before.clone();
            changed.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
            changed.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
            changed.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
            // A terminal that refuses shows keys; nothing else is lost.
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &changed);
        }
        KeyMode { before }
    }
}

impl Drop for KeyMode {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

/// Asks for a password; it does not show.
///
/// # Errors
/// When standard input ends.
pub fn ask_password(question: &str) -> io::Result<String> {
    let before = tcgetattr(io::stdin()).ok();
    if let Some(before) = &before {
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent).map_err(io::Error::from)?;
    }
    complain_without_end(question);
    let mut line = String::new();
    let result = io::stdin().read_line(&mut line);
    if let Some(before) = &before {
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
        complain("");
    }
    result?;
    Ok(line.trim_end_matches(['\r', '\n']).to_string())
}

fn complain_without_end(text: &str) {
    let mut stderr = io::stderr();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Waits this long: between repetitions and samples that the user asked to space out.
pub fn pause(time: Duration) {
    if !time.is_zero() {
        // Nobody waits on a condition here; time itself is what was asked for.
        let _ = wait(None, None, false, Some(time));
    }
}

/// Waits until one of the two can be read: true for the first, which wins when both can.
///
/// # Errors
/// When the system refuses to wait.
pub fn wait_for_either(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> io::Result<bool> {
    let mut waited = [PollFd::new(one, PollFlags::POLLIN), PollFd::new(other, PollFlags::POLLIN)];
    loop {
        match poll(&mut waited, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(waited[0].any().unwrap_or(false)),
        }
    }
}

/// Lines of standard input, of which it is known whether the next one is here already.
#[derive(Default)]
pub struct InputLines {
    read: Vec<u8>,
    ended: bool,
}

impl InputLines {
    /// Whether `next` would not wait.
    pub fn has_line(&self) -> bool {
        self.ended || self.read.contains(&b'\n')
    }

    /// The next line without its end; none at the end of the input. Bytes that are not UTF-8 are replaced.
    pub fn next(&mut self) -> Option<String> {
        while !self.has_line() {
            let mut buffer = [0; 16 * 1024];
            match nix::unistd::read(io::stdin(), &mut buffer) {
                Ok(0) => self.ended = true,
                Ok(count) => self.read.extend_from_slice(&buffer[..count]),
                Err(Errno::EINTR) => {}
                Err(_) => self.ended = true,
            }
        }
        if self.read.is_empty() {
            return None;
        }
        let end = self.read.iter().position(|byte| *byte == b'\n').map_or(self.read.len(), |at| at + 1);
        let line: Vec<u8> = self.read.drain(..end).collect();
        Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_string())
    }
}
