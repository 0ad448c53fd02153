//! `ringfort service`, systemd's notifications, `daemonize`, generated files and links: the real binaries.

mod support;

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ringfort::remote::{Address, Client, Options};

const RINGFORT: &str = env!("CARGO_BIN_EXE_ringfort");
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder with a configuration of a server on a socket; whatever runs there is stopped with the value.
struct Place {
    directory: PathBuf,
    config: PathBuf,
}

impl Place {
    fn new(lines: &str) -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rf-service-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("the temporary folder is writable");
        let config = directory.join("ringfort.conf");
        let socket = directory.join("s");
        let text = format!(
            "port 0\nunixsocket {}\ndir {}\nsave \"\"\nshards 2\n{lines}\n",
            socket.display(),
            directory.display()
        );
        std::fs::write(&config, text).expect("the folder is ours");
        Place { directory, config }
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.join(name)).unwrap_or_default()
    }

    fn service(&self, action: &str) -> (Option<i32>, String, String) {
        let config = self.config.to_str().expect("the path is text");
        told(Command::new(RINGFORT).args(["service", action, "--config", config]))
    }

    fn client(&self) -> Client {
        let options = Options { io_timeout: Some(PATIENCE), ..Options::at(Address::Unix(self.directory.join("s"))) };
        Client::open(&options).expect("the server runs")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.service("stop");
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn told(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_service_is_started_shown_restarted_and_stopped() {
    let place = Place::new("");
    let (code, stdout, _) = place.service("status");
    assert!(code == Some(3) && stdout.contains("not running"), "{code:?} {stdout}");
    let (code, stdout, stderr) = place.service("start");
    assert!(code == Some(0) && stdout.contains("ringfort is running: process "), "{stdout}{stderr}");
    place.client().set("key", "value").expect("it answers at once");
    let first = place.file("ringfort-0.pid");
    assert!(stdout.contains(first.trim()), "{stdout}");
    let (code, stdout, _) = place.service("start");
    assert!(code == Some(0) && stdout.contains("running already"), "{stdout}");
    let (code, stdout, _) = place.service("status");
    assert!(code == Some(0) && stdout.contains("clients: ") && stdout.contains("version: "), "{stdout}");
    let (code, stdout, stderr) = place.service("restart");
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert_ne!(first, place.file("ringfort-0.pid"));
    let (code, stdout, _) = place.service("logs");
    assert!(code == Some(0) && stdout.contains("Ready to accept connections unix"), "{stdout}");
    let (code, stdout, _) = place.service("stop");
    assert!(code == Some(0) && stdout.contains("has stopped"), "{stdout}");
    assert_eq!(place.file("ringfort-0.pid"), "", "the pidfile is gone");
    assert!(place.file("ringfort-0.log").contains("bye bye"));
    let (code, stdout, _) = place.service("stop");
    assert!(code == Some(0) && stdout.contains("not running"), "{stdout}");
}

#[test]
fn a_service_that_cannot_start_says_why() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let place = Place::new(&format!("port {port}\nbind 127.0.0.1"));
    let (code, _, stderr) = place.service("start");
    assert_eq!(code, Some(1));
    assert!(stderr.contains("did not start") && stderr.contains("Address already in use"), "{stderr}");
    let place = Place::new("maxmemory-policy nosuch");
    let (code, _, stderr) = place.service("start");
    assert!(code == Some(1) && stderr.contains("FATAL CONFIG FILE ERROR"), "{stderr}");
    let (code, _, stderr) = told(Command::new(RINGFORT).args(["service", "begin"]));
    assert!(code == Some(1) && stderr.contains("unrecognized subcommand 'begin'"), "{stderr}");
}

#[test]
fn systemd_hears_that_the_server_is_ready_and_that_it_stops() {
    let place = Place::new("");
    let path = place.directory.join("notify");
    let listener = UnixDatagram::bind(&path).expect("the folder is ours");
    listener.set_read_timeout(Some(PATIENCE)).expect("the time is not zero");
    // As the unit's command line has it.
    let mut child = Command::new(RINGFORT)
        .arg(&place.config)
        .args(["--supervised", "systemd", "--daemonize", "no", "--logfile", ""])
        .env("NOTIFY_SOCKET", &path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the server starts");
    let mut buffer = [0; 256];
    let mut heard = || {
        let count = listener.recv(&mut buffer).expect("the server tells");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    assert!(heard().contains("READY=1\n"));
    let mut client = place.client();
    let info: String = client.query(&["INFO", "server"]).expect("it answers");
    assert!(info.contains("process_supervised:systemd\r\n"));
    client.send(&["SHUTDOWN", "NOSAVE"]).expect("it is sent");
    assert!(heard().contains("STOPPING=1\n"));
    assert!(child.wait().expect("it is ours").success());
}

#[test]
fn a_daemon_leaves_its_starter_and_its_session() {
    let place = Place::new("daemonize yes\npidfile daemon.pid\nlogfile daemon.log");
    let mut child =
        Command::new(RINGFORT).args(["-", "--timeout", "77"]).stdin(Stdio::piped()).spawn().expect("the server starts");
    let text = std::fs::read(&place.config).expect("it was written");
    child.stdin.take().expect("it is piped").write_all(&text).expect("it reads");
    assert!(child.wait().expect("it is ours").success());
    let deadline = Instant::now() + PATIENCE;
    let options = Options { io_timeout: Some(PATIENCE), ..Options::at(Address::Unix(place.directory.join("s"))) };
    let mut client = loop {
        match Client::open(&options) {
            Ok(client) => break client,
            Err(error) => assert!(Instant::now() < deadline, "{error}: {}", place.file("daemon.log")),
        }
    };
    let timeout: Vec<String> = client.query(&["CONFIG", "GET", "timeout"]).expect("it answers");
    assert_eq!(timeout[1], "77", "options came along");
    let id = place.file("daemon.pid").trim().to_string();
    let facts = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs");
    let session = facts.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(3)).expect("the kernel tells");
    assert_eq!(session, id, "it leads a session of its own");
    client.send(&["SHUTDOWN", "NOSAVE"]).expect("it is sent");
    assert!(client.reply().is_err(), "it ends");
}

#[test]
fn links_take_the_place_of_redis() {
    let place = Place::new("");
    let links = place.directory.join("bin");
    let install = |more: &[&str]| told(Command::new(RINGFORT).arg("install-links").arg(&links).args(more));
    let (code, stdout, stderr) = install(&[]);
    assert_eq!((code, stdout.lines().count()), (Some(0), 5), "{stdout}{stderr}");
    assert!(install(&[]).1.contains("is there already"));
    std::fs::remove_file(links.join("redis-cli")).expect("it was made");
    std::fs::write(links.join("redis-cli"), "mine").expect("the folder is ours");
    let (code, _, stderr) = install(&[]);
    assert!(code == Some(1) && stderr.contains("--force"), "{stderr}");
    assert_eq!(install(&["--force"]).0, Some(0));
    let version = |name: &str| told(Command::new(links.join(name)).arg("--version")).1;
    assert!(version("redis-server").starts_with("Redis server v="));
    assert!(version("redis-cli").starts_with("redis-cli "));
    // Words that mean something to ringfort are a file to redis-server.
    let (code, stdout, _) = told(Command::new(links.join("redis-server")).arg("service"));
    assert!(code == Some(1) && stdout.contains("can't open config file"), "{stdout}");
}

#[test]
fn files_are_generated() {
    let place = Place::new("");
    let generated = |words: &[&str]| {
        let (code, stdout, stderr) = told(Command::new(RINGFORT).arg("generate").args(words));
        assert_eq!(code, Some(0), "{words:?}: {stderr}");
        stdout
    };
    let config = generated(&["config"]);
    assert!(config.contains("# maxmemory-policy noeviction") && config.contains("# shards 0"), "{config}");
    let shell = |text: &str, words: &[&str]| {
        let path = place.directory.join("generated");
        std::fs::write(&path, text).expect("the folder is ours");
        told(Command::new(words[0]).args(&words[1..]).arg(&path))
    };
    let (code, _, stderr) = shell(&generated(&["completions", "bash"]), &["bash", "-n"]);
    assert_eq!(code, Some(0), "{stderr}");
    let man = place.directory.join("man");
    generated(&["man", man.to_str().expect("the path is text")]);
    let pages =
        ["ringfort.1", "ringfort-cli.1", "ringfort-service.1", "ringfort-generate.1", "ringfort-install-links.1"];
    for page in pages {
        let text = std::fs::read_to_string(man.join(page)).expect("the page was written");
        assert!(text.contains(".TH ") && text.contains(".SH "), "{page}: {text}");
    }
    let unit = generated(&["systemd-unit", "--config", "/etc/redis/redis.conf", "--user", "redis"]);
    assert!(unit.contains("Type=notify\n") && unit.contains("NoNewPrivileges=yes\n") && unit.contains("User=redis\n"));
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a unit starts something");
    assert!(Path::new(line.split(' ').next().expect("there is a program")).is_file(), "{line}");
    assert!(
        line.ends_with(
            "/etc/redis/redis.conf --supervised systemd --daemonize no --logfile \"\" --dir /var/lib/ringfort"
        )
    );
}

#[test]
fn ctrl_c_ends_a_server_in_the_foreground_cleanly() {
    let place = Place::new("");
    let mut child = Command::new(RINGFORT)
        .arg(&place.config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("it is piped")));
    let mut said = |words: &str| lines.any(|line| line.is_ok_and(|line| line.contains(words)));
    assert!(said("Ready to accept connections"));
    let process = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGINT).expect("it is ours");
    assert!(said("Received SIGINT scheduling shutdown") && said("bye bye"));
    assert!(child.wait().expect("it is ours").success());
}

#[test]
fn the_log_is_followed_while_it_grows() {
    let place = Place::new("loglevel verbose");
    assert_eq!(place.service("start").0, Some(0));
    let config = place.config.to_str().expect("the path is text");
    let mut child = Command::new(RINGFORT)
        .args(["service", "logs", "-n", "3", "-f", "--config", config])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("it is piped")));
    assert!(lines.next().expect("three lines come at once").expect("it is text").contains(':'));
    place.service("stop");
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("bye bye"))), "what came later is shown");
    child.kill().expect("it runs for ever");
    child.wait().expect("it was ours");
}
