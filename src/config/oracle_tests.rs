//! Our tables against a stock Redis 7.0, where /usr/bin/redis-server exists; otherwise each test says that it is skipped.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::command_line::{Request, Versions, parse};
use super::file::tests::{BAD_FILES, GOOD_FILES};
use super::file::{Sources, load};
use super::store_tests::{SET_TABLE, get};
use super::*;

const SERVER: &str = "/usr/bin/redis-server";

/// Whether there is an oracle; says so if not.
fn present() -> bool {
    let present = Path::new(SERVER).exists();
    if !present {
        println!("skipped: there is no {SERVER} to compare with");
    }
    present
}

/// A folder of its own for one server; removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("ringfort-oracle-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Folder(std::fs::canonicalize(path).expect("the folder exists"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running stock Redis.
struct Oracle {
    child: Child,
    stream: BufReader<UnixStream>,
    folder: Folder,
    // Kept open: the server writes its log there.
    _log: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts in a new folder, with `--port 0`, a socket and the arguments given.
    fn start(arguments: &[&str]) -> Oracle {
        Oracle::start_in(Folder::new(), arguments)
    }

    fn start_in(folder: Folder, arguments: &[&str]) -> Oracle {
        let socket = folder.0.join("socket");
        let mut child = Command::new(SERVER)
            .args(arguments)
            .args(["--port", "0", "--unixsocket"])
            .arg(&socket)
            .current_dir(&folder.0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the oracle starts");
        let mut log = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        while !line.contains("eady to accept connections") {
            line.clear();
            let bytes = log.read_line(&mut line).expect("the oracle's log");
            assert!(bytes > 0, "the oracle ended early");
        }
        let stream = BufReader::new(UnixStream::connect(&socket).expect("the oracle listens"));
        Oracle {
            child,
            stream,
            folder,
            _log: log,
        }
    }

    /// The strings of the reply; an error is one string that starts with `-`.
    fn call(&mut self, words: &[&str]) -> Vec<String> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream
            .get_mut()
            .write_all(request.as_bytes())
            .expect("the oracle reads");
        let mut line = self.line();
        match line.as_bytes()[0] {
            b'*' => {
                let count: usize = line[1..].parse().expect("a count");
                (0..count).map(|_| self.bulk()).collect()
            }
            _ => vec![std::mem::take(&mut line)],
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream
            .read_line(&mut line)
            .expect("the oracle answers");
        line.trim_end_matches("\r\n").to_owned()
    }

    fn bulk(&mut self) -> String {
        let header = self.line();
        let length: usize = header[1..].parse().expect("a length");
        let mut bytes = vec![0; length + 2];
        self.stream
            .read_exact(&mut bytes)
            .expect("the oracle answers");
        bytes.truncate(length);
        String::from_utf8(bytes).expect("text")
    }

    fn config_get(&mut self, pattern: &str) -> Vec<(String, String)> {
        let reply = self.call(&["CONFIG", "GET", pattern]);
        reply
            .chunks(2)
            .map(|pair| (pair[0].clone(), pair[1].clone()))
            .collect()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Names whose value in the oracle has another reason than its default.
fn depends_on_the_start(name: &str) -> bool {
    // The tests themselves choose port and socket; maxclients is lowered where the limit on open files is low; dir is the
    // folder of the process.
    matches!(name, "port" | "unixsocket" | "maxclients" | "dir")
}

#[test]
fn every_name_default_and_right_of_redis_is_ours() {
    if !present() {
        return;
    }
    let mut oracle = Oracle::start(&[]);
    let ours = Config::new();
    let all = oracle.config_get("*");
    assert!(all.len() > 180, "the oracle knows {} names", all.len());
    for (name, value) in all {
        let named = find(name.as_bytes()).unwrap_or_else(|| panic!("{name} is missing"));
        let row = &PARAMETERS[named.index];
        if !depends_on_the_start(&name) {
            assert_eq!(
                String::from_utf8_lossy(&ours.print(named.index)),
                value,
                "{name}"
            );
        }
        // 7.0 shows it for patterns, 7.4 does not.
        assert!(
            !row.hidden || name == "aof-disable-auto-gc",
            "{name} is not hidden"
        );
        let reply = &oracle.call(&["CONFIG", "SET", &name, &value])[0];
        assert_eq!(
            reply.contains("can't set immutable config"),
            !row.mutable,
            "{name}: {reply}"
        );
        assert_eq!(
            reply.contains("can't set protected config"),
            row.protected,
            "{name}: {reply}"
        );
    }
    for row in PARAMETERS
        .iter()
        .filter(|row| row.hidden && !["client-default-resp", "cluster-ping-interval"].contains(&row.name))
    {
        let found = oracle.config_get(row.name);
        assert_eq!(found, [(row.name.to_owned(), row.default.to_owned())]);
    }
}

#[test]
fn what_redis_7_0_does_not_know_is_new_in_7_4_or_ours() {
    if !present() {
        return;
    }
    let mut oracle = Oracle::start(&[]);
    let mut new: Vec<&str> = Vec::new();
    for name in PARAMETERS
        .iter()
        .flat_map(|row| [Some(row.name), row.alias])
        .flatten()
    {
        if oracle.config_get(name).is_empty() {
            new.push(name);
        }
    }
    new.sort();
    let expected = [
        "aof-rewrite-cpulist",
        "bgsave-cpulist",
        "bio-cpulist",
        "client-default-resp",
        "cluster-announce-human-nodename",
        "cluster-ping-interval",
        "driver",
        "hide-user-data-from-log",
        "locale-collate",
        "look-around-us",
        "max-new-connections-per-cycle",
        "max-new-tls-connections-per-cycle",
        "pin",
        "script-undeclared-keys",
        "server-cpulist",
        "set-max-listpack-entries",
        "set-max-listpack-value",
        "shards",
    ];
    assert_eq!(new, expected);
}

#[test]
fn config_set_table_holds_for_redis() {
    if !present() {
        return;
    }
    let mut oracle = Oracle::start(&[]);
    let defaults = Config::new();
    for (pairs, expected) in SET_TABLE {
        let mut words = vec!["CONFIG", "SET"];
        words.extend(pairs.iter().flat_map(|(name, value)| [*name, *value]));
        let reply = oracle.call(&words).remove(0);
        let outcome = match reply.strip_prefix('-') {
            Some(error) => Err(error.to_owned()),
            None => Ok(oracle.config_get(pairs[0].0)[0].1.clone()),
        };
        assert_eq!(
            outcome.as_deref().map_err(String::as_str),
            *expected,
            "{pairs:?}"
        );
        for (name, _) in pairs.iter().filter(|_| expected.is_ok()) {
            let default = get(&defaults, &[name])[0].1.clone();
            let reply = oracle.call(&["CONFIG", "SET", name, &default]);
            assert!(
                reply[0] == "+OK" || *name == "port",
                "restoring {name}: {reply:?}"
            );
        }
    }
}

/// Runs the oracle until it exits by itself; its standard error.
fn fails(folder: &Folder, arguments: &[&str]) -> String {
    let output = Command::new(SERVER)
        .args(arguments)
        .current_dir(&folder.0)
        .stdin(Stdio::null())
        .output()
        .expect("the oracle runs");
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn bad_files_fail_alike() {
    if !present() {
        return;
    }
    let folder = Folder::new();
    for (content, ..) in BAD_FILES {
        std::fs::write(folder.0.join("bad.conf"), content).expect("a file");
        let theirs = fails(&folder, &["bad.conf", "--port", "0", "--save", ""]);
        let ours = file::load_text(content.as_bytes())
            .expect_err(content)
            .text("7.0.15");
        assert_eq!(String::from_utf8_lossy(&ours), theirs, "{content}");
    }
}

/// Values that must agree: all that both know and that do not depend on how the test starts the oracle.
fn comparable(values: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut values: Vec<(String, String)> = values
        .into_iter()
        .filter(|(name, _)| !depends_on_the_start(name) || name == "dir")
        .collect();
    values.sort();
    values
}

fn assert_same(oracle: &mut Oracle, config: &Config, what: &str) {
    let password = config.get_str(crate::param!("requirepass"));
    if !password.is_empty() {
        assert_eq!(oracle.call(&["AUTH", &password]), ["+OK"], "{what}");
    }
    let theirs = comparable(oracle.config_get("*"));
    let names: Vec<&str> = theirs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(comparable(get(config, &names)), theirs, "{what}");
}

#[test]
fn good_files_load_alike() {
    if !present() {
        return;
    }
    for (content, _) in GOOD_FILES {
        let folder = Folder::new();
        std::fs::write(folder.0.join("good.conf"), content).expect("a file");
        let mut oracle = Oracle::start_in(folder, &["good.conf"]);
        let mut config = file::load_text(content.as_bytes()).expect(content).config;
        if !content.contains("dir") {
            config
                .set_words(
                    crate::param!(index of "dir"),
                    &[oracle.folder.0.as_os_str().as_encoded_bytes()],
                )
                .expect("a folder");
        }
        assert_same(&mut oracle, &config, content);
    }
}

#[test]
fn command_lines_are_read_alike() {
    if !present() {
        return;
    }
    for arguments in [
        &["--save", ""][..],
        &["--save", "900", "1", "60", "5"],
        &["--save", "900 1", "--timeout 5"],
        &["--save", "--timeout", "5"],
        &["--save", "900 1", "--save", "60 1"],
        &["--bind", "127.0.0.1", "-::1"],
        &["--requirepass", "--x y\"", "--maxmemory", "1gb"],
        &["--proc-title-template", "--{title}"],
        &["--shutdown-on-sigint", "save", "now", "--Appendfsync", "no"],
        &[
            "--slave-priority",
            "7",
            "--client-output-buffer-limit",
            "replica 1 2 3",
        ],
    ] {
        let mut oracle = Oracle::start(arguments);
        let Request::Serve(mut sources) = request(arguments) else {
            panic!("{arguments:?} is a request to serve");
        };
        sources
            .options
            .extend(format!("\ndir {}", oracle.folder.0.display()).bytes());
        let config = load(&sources, &mut std::io::empty()).expect("valid").config;
        assert_same(&mut oracle, &config, &arguments.join(" "));
    }
}

fn request(arguments: &[&str]) -> Request {
    let words: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    parse(
        &words,
        Versions {
            redis: "7.0.15",
            own: "0",
        },
    )
}

#[test]
fn bad_command_lines_fail_alike() {
    if !present() {
        return;
    }
    let folder = Folder::new();
    std::fs::write(folder.0.join("x.conf"), "timeout 1\ntimeout 2").expect("a file");
    let file = folder.0.join("x.conf");
    let file = file.to_str().expect("text");
    for arguments in [
        &["--foo", "bar"][..],
        &["--port"],
        &["--port", "a b"],
        &["--port", "--bind"],
        &["--maxmemory", "-5"],
        &["-port", "1"],
        &["--", "1"],
        &["--port 1 2"],
        &["--port \"1"],
        &[file, "--timeout", "x"],
        &[file, "7000"],
    ] {
        let theirs = fails(&folder, arguments);
        let Request::Serve(sources) = request(arguments) else {
            panic!("{arguments:?} is a request to serve");
        };
        let error = load(&sources, &mut std::io::empty()).expect_err("the oracle refuses it");
        assert_eq!(
            String::from_utf8_lossy(&error.text("7.0.15")),
            theirs,
            "{arguments:?}"
        );
    }
    assert!(load(&Sources::default(), &mut std::io::empty()).is_ok());
}

/// Content of a file, and what CONFIG SET changes before CONFIG REWRITE.
type Rewriting = (&'static str, &'static [(&'static str, &'static str)]);

const REWRITES: &[Rewriting] = &[
    ("", &[]),
    (
        "# top\ntimeout 3\n\n\n\n# middle\nsave 900 1\nsave 60 5\n# end",
        &[("timeout", "4"), ("save", "5 5")],
    ),
    (
        "slave-priority 5\nclient-output-buffer-limit pubsub 1mb 1000 7\n",
        &[("maxmemory", "3mb")],
    ),
    (
        "client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit replica 1gb 0 0\n",
        &[],
    ),
    (
        "notify-keyspace-events AKE\nrequirepass 'a b'\nmaxmemory-clients 5%\n",
        &[("masterauth", "x\ny\"z\u{e9}")],
    ),
    (
        "TIMEOUT 3\ntimeout 4\n# Generated by CONFIG REWRITE\nhz 20\n",
        &[("hz", "10"), ("bind", "127.0.0.1")],
    ),
    (
        "bind 127.0.0.1\nlatency-tracking-info-percentiles \"\"\nsave ''\n",
        &[("bind", "* -::*")],
    ),
    (
        "user bob on nopass ~* &* +@all\nrename-command GET get2\n\n",
        &[("shutdown-on-sigint", "now force")],
    ),
    (
        "oom-score-adj-values 1 2 3\nlogfile \"\"\naclfile ''\nmasteruser u\n",
        &[("masteruser", "")],
    ),
];

#[test]
fn files_are_rewritten_alike() {
    if !present() {
        return;
    }
    for (old, changes) in REWRITES {
        let folder = Folder::new();
        let path = folder.0.join("redis.conf");
        std::fs::write(&path, old).expect("a file");
        let mut oracle = Oracle::start_in(folder, &["redis.conf"]);
        let socket = oracle.folder.0.join("socket");
        let sources = Sources {
            file: Some(path.clone()),
            stdin: false,
            options: format!(
                "port 0\nunixsocket {}\ndir {}",
                socket.display(),
                oracle.folder.0.display()
            )
            .into(),
        };
        let mut config = load(&sources, &mut std::io::empty()).expect(old).config;
        let users = oracle.call(&["ACL", "LIST"]);
        if users[0].starts_with("-NOAUTH") {
            oracle.call(&["AUTH", "a b"]);
        }
        for (name, value) in *changes {
            assert_eq!(oracle.call(&["CONFIG", "SET", name, value]), ["+OK"]);
            super::store_tests::set(&mut config, &[(name, value)], Setter::default())
                .expect("valid");
        }
        let users: Vec<Vec<u8>> = oracle
            .call(&["ACL", "LIST"])
            .into_iter()
            .map(String::into_bytes)
            .collect();
        assert_eq!(oracle.call(&["CONFIG", "REWRITE"]), ["+OK"]);
        let theirs = String::from_utf8(std::fs::read(&path).expect("the file")).expect("text");
        let ours =
            String::from_utf8(rewrite::rewrite(&config, old.as_bytes(), &users)).expect("text");
        assert_eq!(
            in_any_order_at_the_end(&ours, old),
            in_any_order_at_the_end(&theirs, old),
            "{old}"
        );
    }
}

/// The lines, those that were added sorted: Redis adds them in an order that differs from process to process.
fn in_any_order_at_the_end(text: &str, old: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let kept = if old.is_empty() {
        0
    } else {
        old.split('\n').count()
    };
    let clusters = old
        .split('\n')
        .collect::<Vec<_>>()
        .windows(2)
        .filter(|pair| *pair == ["", ""])
        .count();
    // Lines of the old file that became empty can only shorten the first part; the signature starts the second.
    let start = lines
        .iter()
        .position(|line| line.starts_with("# Generated"))
        .unwrap_or(kept - clusters);
    lines[start..].sort();
    lines
}
