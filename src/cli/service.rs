//! `ringfort service`: a server in the background, found again by the pidfile that its configuration names.
//!
//! Starting waits for the server's own word that it is ready (the protocol of systemd's notifications, over a socket of
//! ours) and for its end, whichever comes first; stopping waits on a descriptor of the process. Nothing polls.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use clap::ArgMatches;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::terminal::{self, Woken, complain, print};
use crate::config::Config;
use crate::config::file::{Sources, load};
use crate::remote::{Address, Client, Error, Options};
use crate::runtime::process::process_descriptor;
use crate::server::background;
use crate::stats::server::REDIS_VERSION;

/// Exit code of `status` when the server does not run, as init scripts have it.
const NOT_RUNNING: u8 = 3;
/// Longest wait for a server to end: it may have to save its data.
const STOP_PATIENCE: Duration = Duration::from_secs(600);
/// Longest wait for an answer of a server that runs.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// Lines of the log shown when the server does not start.
const LAST_WORDS: usize = 10;

/// Does what was asked for.
pub fn run(matches: &ArgMatches) -> ExitCode {
    let Some((action, inner)) = matches.subcommand() else { return ExitCode::FAILURE };
    let service = match Service::read(inner.get_one::<String>("config").map(Path::new)) {
        Ok(service) => service,
        Err(text) => {
            complain(text.trim_end());
            return ExitCode::FAILURE;
        }
    };
    let result = match action {
        "start" => service.start(),
        "stop" => service.stop(),
        "restart" => match service.process() {
            Some(_) => service.stop().and_then(|_| service.start()),
            None => service.start(),
        },
        "status" => Ok(service.status()),
        _ => {
            let lines = inner.get_one::<usize>("lines").copied().unwrap_or(0);
            service.logs(lines, inner.get_flag("follow"))
        }
    };
    result.unwrap_or_else(|text| {
        complain(text.trim_end());
        ExitCode::FAILURE
    })
}

/// Where a server's things are.
struct Service {
    config_file: Option<PathBuf>,
    options: Options,
    pidfile: PathBuf,
    logfile: PathBuf,
}

impl Service {
    fn read(config_file: Option<&Path>) -> Result<Service, String> {
        let config_file = config_file.map(std::path::absolute).transpose().map_err(|error| error.to_string())?;
        let sources = Sources { file: config_file.clone(), ..Sources::default() };
        let loaded = load(&sources, &mut io::empty())
            .map_err(|error| String::from_utf8_lossy(&error.text(REDIS_VERSION)).into_owned())?;
        let config = loaded.config;
        let directory = config.directory();
        let port = config.get_i64(crate::param!("port"));
        let named = |path: &Path, ending: &str| {
            if path.as_os_str().is_empty() {
                directory.join(format!("ringfort-{port}.{ending}"))
            } else {
                directory.join(path)
            }
        };
        Ok(Service {
            pidfile: named(config.get_path(crate::param!("pidfile")), "pid"),
            logfile: named(config.get_path(crate::param!("logfile")), "log"),
            options: options_of(&config, &directory),
            config_file,
        })
    }

    /// The server's process, if it runs.
    fn process(&self) -> Option<u32> {
        let id = fs::read_to_string(&self.pidfile).ok()?.trim().parse().ok()?;
        // The number may be another program's by now.
        let words = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let program = words.split(|byte| *byte == 0).next()?;
        let name = Path::new(str::from_utf8(program).ok()?).file_name()?.to_str()?;
        (name.starts_with("ringfort") || name.starts_with("redis-server")).then_some(id)
    }

    fn start(&self) -> Result<ExitCode, String> {
        if let Some(id) = self.process() {
            print(format!("ringfort is running already: process {id} at {}\n", self.options.address).as_bytes());
            return Ok(ExitCode::SUCCESS);
        }
        let notices = Notices::listen().map_err(|error| format!("Cannot listen for the server: {error}"))?;
        let (mut child, words) = self.spawn(&notices).map_err(|error| format!("Cannot start the server: {error}"))?;
        if notices.wait_for_ready(&child).map_err(|error| format!("Cannot wait for the server: {error}"))? {
            print(format!("ringfort is running: process {} at {}\n", child.id(), self.options.address).as_bytes());
            print(format!("log: {}\n", self.logfile.display()).as_bytes());
            return Ok(ExitCode::SUCCESS);
        }
        let status = child.wait().map(|status| status.to_string()).unwrap_or_default();
        let mut text = format!("ringfort did not start ({status}).\n");
        let said = io::read_to_string(words).unwrap_or_default();
        let said =
            if said.trim().is_empty() { last_lines(&self.logfile, LAST_WORDS).unwrap_or_default() } else { said };
        text.push_str(said.trim());
        if said.contains("Address already in use") {
            text.push_str(&format!(
                "\nAnother program listens at {}: stop it, or choose another port.",
                self.options.address
            ));
        }
        Err(text)
    }

    /// Starts the process; what it says on standard error comes from the second value.
    fn spawn(&self, notices: &Notices) -> io::Result<(Child, io::PipeReader)> {
        let (words, writer) = io::pipe()?;
        let mut command = Command::new(std::env::current_exe()?);
        if let Some(file) = &self.config_file {
            command.arg(file);
        }
        command.args(["--daemonize", "no", "--supervised", "systemd"]);
        for (name, path) in [("--pidfile", &self.pidfile), ("--logfile", &self.logfile)] {
            command.arg(name).arg(path);
        }
        command.env(background::VARIABLE, "1").env("NOTIFY_SOCKET", &notices.path);
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let child = command.spawn()?;
        Ok((child, words))
    }

    fn stop(&self) -> Result<ExitCode, String> {
        let Some(id) = self.process() else {
            print(b"ringfort is not running\n");
            return Ok(ExitCode::SUCCESS);
        };
        let ended = process_descriptor(id).map_err(|error| format!("Cannot watch process {id}: {error}"))?;
        kill(Pid::from_raw(id as i32), Signal::SIGTERM)
            .map_err(|error| format!("Cannot stop process {id}: {error}"))?;
        match terminal::wait(Some(ended.as_fd()), None, false, Some(STOP_PATIENCE)) {
            Ok(Woken::Timeout) => Err(format!(
                "Process {id} was told to stop, but still runs after {STOP_PATIENCE:?}; its log, {}, says why",
                self.logfile.display()
            )),
            Ok(_) => {
                print(format!("ringfort has stopped (process {id})\n").as_bytes());
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => Err(format!("Cannot wait for process {id}: {error}")),
        }
    }

    fn status(&self) -> ExitCode {
        let Some(id) = self.process() else {
            print(format!("ringfort is not running ({})\n", self.options.address).as_bytes());
            return ExitCode::from(NOT_RUNNING);
        };
        let mut text = format!("ringfort is running: process {id} at {}\n", self.options.address);
        match Client::open(&self.options).and_then(|mut client| client.query::<String>(&["INFO"])) {
            Ok(info) => {
                for (name, title) in [
                    ("ringfort_version", "version"),
                    ("uptime_in_seconds", "seconds up"),
                    ("connected_clients", "clients"),
                    ("used_memory_human", "memory"),
                ] {
                    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                    text.push_str(&format!("{title}: {}\n", line.unwrap_or("unknown")));
                }
            }
            Err(Error::Server(error)) => text.push_str(&format!("it says: {error}\n")),
            Err(error) => text.push_str(&format!("but it does not answer: {error}\n")),
        }
        text.push_str(&format!("log: {}\n", self.logfile.display()));
        print(text.as_bytes());
        ExitCode::SUCCESS
    }

    fn logs(&self, lines: usize, follow: bool) -> Result<ExitCode, String> {
        let told = |error: io::Error| format!("Cannot read the log {}: {error}", self.logfile.display());
        print(last_lines(&self.logfile, lines).map_err(told)?.as_bytes());
        let mut file = fs::File::open(&self.logfile).map_err(told)?;
        let mut position = file.seek(SeekFrom::End(0)).map_err(told)?;
        if !follow {
            return Ok(ExitCode::SUCCESS);
        }
        loop {
            const LOOK_AGAIN: Duration = Duration::from_millis(200);
            terminal::pause(LOOK_AGAIN);
            // A log that was moved away begins anew.
            if fs::metadata(&self.logfile).is_ok_and(|found| found.len() < position) {
                file = fs::File::open(&self.logfile).map_err(told)?;
                position = 0;
            }
            let mut more = Vec::new();
            position += file.read_to_end(&mut more).map_err(told)? as u64;
            print(&more);
        }
    }
}

/// How to talk to the server of this configuration.
fn options_of(config: &Config, directory: &Path) -> Options {
    let socket = config.get_path(crate::param!("unixsocket"));
    let port = config.get_i64(crate::param!("port"));
    let address = if port == 0 && !socket.as_os_str().is_empty() {
        Address::Unix(directory.join(socket))
    } else {
        let wildcard = |address: &str| matches!(address, "*" | "0.0.0.0" | "::" | "::*");
        let bound = config.bind().map(|address| String::from_utf8_lossy(address).trim_start_matches('-').to_string());
        let host = bound.into_iter().find(|address| !wildcard(address)).unwrap_or_else(|| "127.0.0.1".into());
        Address::Tcp(host, port as u16)
    };
    let password = config.get_str(crate::param!("requirepass")).into_owned();
    Options {
        password: (!password.is_empty()).then_some(password),
        connect_timeout: Some(ANSWER_PATIENCE),
        io_timeout: Some(ANSWER_PATIENCE),
        ..Options::at(address)
    }
}

fn last_lines(path: &Path, count: usize) -> io::Result<String> {
    let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let mut end = lines[lines.len().saturating_sub(count)..].join("\n");
    if !end.is_empty() {
        end.push('\n');
    }
    Ok(end)
}

/// A socket on which a server says that it is ready.
struct Notices {
    socket: UnixDatagram,
    path: OsString,
}

impl Notices {
    fn listen() -> io::Result<Notices> {
        let path = std::env::temp_dir().join(format!("ringfort-start-{}", std::process::id()));
        // Of a start that was killed.
        let _ = fs::remove_file(&path);
        Ok(Notices { socket: UnixDatagram::bind(&path)?, path: path.into_os_string() })
    }

    /// True when it is ready, false when it has ended.
    fn wait_for_ready(&self, child: &Child) -> io::Result<bool> {
        let ended = process_descriptor(child.id())?;
        let (socket, ended) = (self.socket.as_fd(), ended.as_fd());
        loop {
            let ready = terminal::wait_for_either(socket, ended)?;
            if !ready {
                return Ok(false);
            }
            let mut buffer = [0; 4096];
            let count = self.socket.recv(&mut buffer)?;
            if buffer[..count].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                return Ok(true);
            }
        }
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
