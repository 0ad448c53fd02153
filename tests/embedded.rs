//! The engine inside an application, and `ringfort-cli --set/--get` on a data directory: what is kept is what the server and
//! stock redis-server read, and one directory has one writer.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use ringfort::embedded::{Durability, Embedded, OpenError, Options};
use ringfort::remote::{Client, Error, Pipeline, Value};
use support::client::Address;
use support::server::{Server, Target, Transport, skip_without_redis};
use support::value;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rf-embedded-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Folder(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(value: &str) -> Option<Vec<u8>> {
    Some(value.as_bytes().to_vec())
}

/// The client on a directory: exit code, output, complaint.
fn cli(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ringfort-cli"))
        .args(arguments)
        .env("RINGFORT_DIR", folder)
        .env_remove("REDISCLI_AUTH")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn said(folder: &Path, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = cli(folder, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
    stdout
}

/// A server on the folder.
fn server(target: Target, folder: &Path) -> Server {
    let folder = folder.to_str().expect("the path is text");
    Server::start_with(target, Transport::Unix, &["--dir", folder, "--appendonly", "yes"])
}

#[test]
fn what_was_written_is_there_when_it_is_opened_again() {
    let folder = Folder::new();
    for shards in [1, 2, 3] {
        let options = Options { shards, ..Options::default() };
        let mut data = Embedded::open_with(folder.path(), &options).expect("it is ours");
        if shards > 1 {
            assert_eq!(data.query::<Vec<String>>(&["LRANGE", "list", "0", "-1"]).expect("a list").len(), shards - 1);
            assert_eq!(data.get("text").expect("a string"), text(&format!("written by {}", shards - 1)));
        }
        data.set("text", format!("written by {shards}")).expect("OK");
        data.query::<i64>(&["RPUSH", "list", "element"]).expect("a length");
        let mut pipeline = Pipeline::new();
        for number in 0..1_000 {
            pipeline.command(&["SET", &format!("key:{number}"), "v"]);
        }
        assert!(data.pipeline(&pipeline).expect("all").iter().all(|reply| *reply == Value::Simple(b"OK".to_vec())));
        assert_eq!(data.query::<i64>(&["DBSIZE"]).expect("a number"), 1_002);
        let wrong = data.query::<i64>(&["INCR", "list"]);
        assert!(matches!(wrong, Err(Error::Server(error)) if error.code() == "WRONGTYPE"));
        data.close().expect("everything is written");
    }
}

#[test]
fn handles_for_several_threads() {
    let folder = Folder::new();
    let options = Options { shards: 2, durability: Durability::EverySecond, ..Options::default() };
    let mut data = Embedded::open_with(folder.path(), &options).expect("it is ours");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut handle = data.connect().expect("there are descriptors");
            scope.spawn(move || {
                for _ in 0..500 {
                    handle.query::<i64>(&["INCR", "counter"]).expect("a number");
                }
            });
        }
    });
    assert_eq!(data.get("counter").expect("a string"), text("2000"));
    drop(data);
    let mut data = Embedded::open(folder.path()).expect("dropping closes");
    assert_eq!(data.get("counter").expect("a string"), text("2000"));
}

#[test]
fn without_a_disk_and_with_parameters() {
    let options = Options {
        durability: Durability::None,
        parameters: vec![("maxmemory".into(), "1gb".into()), ("maxmemory-policy".into(), "noeviction".into())],
        ..Options::default()
    };
    let mut data = Embedded::open_with("/nosuch/directory", &options).expect("no directory is used");
    data.set("a", "1").expect("OK");
    let told: Vec<String> = data.query(&["CONFIG", "GET", "maxmemory"]).expect("a list");
    assert_eq!(told[1], "1073741824");
    data.close().expect("nothing is to be written");
    let wrong = |name: &str, value: &str| {
        let parameters = vec![(name.to_owned(), value.to_owned())];
        let options = Options { durability: Durability::None, parameters, ..Options::default() };
        Embedded::open_with("/nosuch", &options).err().expect("it is refused").to_string()
    };
    assert_eq!(wrong("nosuch", "1"), "there is no parameter 'nosuch'");
    assert!(wrong("maxmemory", "lots").starts_with("'maxmemory lots' is refused: "));
}

#[test]
fn one_directory_has_one_writer() {
    let folder = Folder::new();
    let data = Embedded::open(folder.path()).expect("it is ours");
    let own = std::process::id().to_string();
    assert!(matches!(Embedded::open(folder.path()), Err(OpenError::Held { process, url: None }) if process == own));
    let (code, _, stderr) = cli(folder.path(), &["--get", "k"]);
    assert!(code == Some(1) && stderr.contains(&format!("process {own} has the directory open")), "{stderr}");
    data.close().expect("it is written");
    let server = server(Target::Ringfort { shards: 2 }, folder.path());
    let Err(OpenError::Held { url: Some(url), .. }) = Embedded::open(folder.path()) else { panic!("a server has it") };
    let mut client = Client::connect(&url).expect("that is where it listens");
    client.set("k", "through the server").expect("OK");
    // The command line talks to the server that has the directory.
    assert_eq!(said(folder.path(), &["--get", "k"]), "through the server\n");
    assert_eq!(said(folder.path(), &["--set", "k", "through the command line"]), "OK\n");
    assert_eq!(client.get("k").expect("a string"), text("through the command line"));
    let (status, log) = server.end();
    assert!(status.is_some_and(|status| status.success()), "{log}");
    assert_eq!(said(folder.path(), &["--get", "k"]), "through the command line\n");
}

#[test]
fn values_from_the_command_line_outlive_it_and_are_read_by_servers() {
    let folder = Folder::new();
    assert_eq!(said(folder.path(), &["--set", "mykey", "my value"]), "OK\n");
    assert_eq!(said(folder.path(), &["--get", "mykey"]), "my value\n");
    assert_eq!(said(folder.path(), &["--no-raw", "--get", "mykey"]), "\"my value\"\n");
    assert_eq!(said(folder.path(), &["--no-raw", "--get", "nosuch"]), "(nil)\n");
    assert_eq!(said(folder.path(), &["--set", "-dash", "--value"]), "OK\n");
    assert_eq!(said(folder.path(), &["--get", "-dash"]), "--value\n");
    let other = Folder::new();
    let other_path = other.path().to_str().expect("the path is text");
    assert_eq!(said(folder.path(), &["--dir", other_path, "--get", "mykey"]), "\n");
    let mut targets = vec![Target::Ringfort { shards: 2 }];
    if !skip_without_redis() {
        targets.push(Target::Redis);
    }
    for target in targets {
        let server = server(target, folder.path());
        let mut client = server.connect();
        assert_eq!(client.call(&["GET", "mykey"]).to_string(), "\"my value\"", "{target:?}");
        assert_eq!(client.call(&["GET", "-dash"]), value::Value::Bulk(b"--value".to_vec()), "{target:?}");
        assert!(matches!(server.address(), Address::Unix(_)));
    }
    assert_eq!(said(folder.path(), &["--get", "mykey"]), "my value\n");
}

#[test]
fn what_cannot_be_opened_is_said() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    std::fs::write(&file, "no directory").expect("the folder is ours");
    assert!(matches!(Embedded::open(&file), Err(OpenError::Io(_))));
    let (code, _, stderr) = cli(&file, &["--set", "a", "b"]);
    assert!(code == Some(1) && stderr.starts_with("Cannot open "), "{stderr}");
    let (code, _, stderr) = cli(&file, &["--set", "a"]);
    assert!(code == Some(1) && stderr.contains("bad number of args for: '--set'"), "{stderr}");
}

/// The example of the documentation. `cargo test --test embedded` alone does not build it.
#[test]
fn the_example_counts_words_over_several_runs() {
    let test = std::env::current_exe().expect("the test is a program");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("cargo's folders");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let arguments = ["build", "--quiet", "--example", "embedded", "--profile", profile];
    let built = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built.expect("cargo runs").success());
    let place = Folder::new();
    let count = |text: &str| {
        let mut command = Command::new(folder.join("examples/embedded"));
        command.arg(place.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it was built");
        std::io::Write::write_all(&mut child.stdin.take().expect("it is piped"), text.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(count("the cat and the dog"), "the 2\nand 1\ncat 1\ndog 1\n");
    assert_eq!(count("the dog"), "the 3\ndog 2\nand 1\ncat 1\n");
}
