//! What people and programs send besides the array form: plain text as from nc and telnet, names of ours, RESP3, commands
//! of an application, several clients at once. The real server over real sockets.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ringfort::remote::{Address as Place, Client, Options, Value as Reply};
use support::client::{Address, IO_TIMEOUT};
use support::server::{Server, Target, Transport};
use support::value::Value;

fn server() -> Server {
    Server::start_with(Target::Ringfort { shards: 2 }, Transport::Tcp, &[])
}

/// Sends text, closes the sending side as nc does at the end of its input, and returns everything that comes back.
fn through_nc(address: &Address, text: &str) -> String {
    let Address::Tcp(address) = address else { panic!("it listens on TCP") };
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(IO_TIMEOUT)).expect("the time is not zero");
    stream.write_all(text.as_bytes()).expect("it reads");
    stream.shutdown(Shutdown::Write).expect("it is open");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("it answers and closes");
    reply
}

#[test]
fn plain_text_as_from_nc_and_telnet() {
    let server = server();
    for (text, replies) in [
        ("SET username Ann\r\nGET username\r\n", "+OK\r\n$3\r\nAnn\r\n"),
        ("get username\n", "$3\r\nAnn\r\n"),
        ("set greeting \"hello world\\n\"\nget greeting\n", "+OK\r\n$12\r\nhello world\n\r\n"),
        ("KEYS\n", "*2\r\n"),
        ("MSET a 1 b 2\r\nMGET a b nosuch\r\n", "+OK\r\n*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n"),
        ("DELETE a b\n", ":2\r\n"),
        ("PING\r\nQUIT\r\nPING\r\n", "+PONG\r\n+OK\r\n"),
        ("nosuch command\n", "-ERR unknown command 'nosuch', with args beginning with: 'command' \r\n"),
        ("set \"open\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
        ("FLUSH\nDBSIZE\n", "+OK\r\n:0\r\n"),
    ] {
        let reply = through_nc(server.address(), text);
        assert!(reply.starts_with(replies), "{text:?}: {reply:?}");
    }
}

#[test]
fn bare_keys_are_all_keys() {
    let server = server();
    let mut client = server.connect();
    client.call(&["MSET", "a", "1", "b", "2", "c", "3"]);
    let mut keys: Vec<String> = client.call(&["KEYS"]).items().iter().map(ToString::to_string).collect();
    keys.sort();
    assert_eq!(keys, ["\"a\"", "\"b\"", "\"c\""]);
    assert_eq!(client.call(&["DELETE", "a", "b"]), Value::Integer(2));
    client.call(&["FLUSH"]);
    assert!(client.call(&["KEYS"]).items().is_empty());
    let listed = client.call(&["COMMAND", "LIST", "FILTERBY", "ACLCAT", "dangerous"]).to_string();
    assert!(listed.contains("\"flush\"") && !listed.contains("\"delete\""), "{listed}");
}

#[test]
fn resp3_has_maps_and_hello_says_who_answers() {
    let server = server();
    let Address::Tcp(address) = server.address() else { panic!("it listens on TCP") };
    let options = Options { resp3: true, ..Options::at(Place::Tcp("127.0.0.1".into(), address.port())) };
    let mut client = Client::open(&options).expect("it answers");
    let Reply::Map(facts) = client.hello(3).expect("it answers") else { panic!("HELLO 3 is answered by a map") };
    let fact = |name: &str| {
        let found = facts.iter().find(|(key, _)| *key == Reply::Bulk(name.as_bytes().to_vec()));
        found.map(|(_, value)| value.clone()).unwrap_or_else(|| panic!("{name} is missing: {facts:?}"))
    };
    assert_eq!(fact("server"), Reply::Bulk(b"redis".to_vec()));
    assert_eq!(fact("proto"), Reply::Integer(3));
    assert_eq!(fact("role"), Reply::Bulk(b"master".to_vec()));
    client.command(&["HSET", "h", "f", "v"]).expect("it answers");
    let bulk = |text: &str| Reply::Bulk(text.as_bytes().to_vec());
    assert_eq!(client.command(&["HGETALL", "h"]).expect("it answers"), Reply::Map(vec![(bulk("f"), bulk("v"))]));
}

#[test]
fn several_clients_at_once_each_in_its_dialect() {
    let server = server();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let address = server.address();
            scope.spawn(move || match number % 2 {
                0 => {
                    let text = "INCR counter\n".repeat(100);
                    assert_eq!(through_nc(address, &text).lines().count(), 100);
                }
                _ => {
                    let mut client = support::client::Client::connect(address).expect("it listens");
                    for _ in 0..100 {
                        client.call(&["INCR", "counter"]);
                    }
                }
            });
        }
    });
    assert_eq!(server.connect().call(&["GET", "counter"]).to_string(), "\"800\"");
}

/// The example of the documentation, as a program. `cargo test --test dialects` alone does not build it.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("the test is a program");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("cargo's folders");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--example", "custom_command", "--profile", profile])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.expect("cargo runs").success());
    folder.join("examples/custom_command")
}

/// The application's command is in its categories, and can be allowed and denied by name, by category, and by key.
fn users_may_run_an_applications_command_or_not(socket: &str) {
    let (mut owner, mut user) = (Client::connect(socket).expect("it listens"), Client::connect(socket).expect("it listens"));
    let mut own = |words: &[&str]| owner.command(words).expect("it answers");
    let Reply::Array(names) = own(&["ACL", "CAT", "string"]) else { panic!("ACL CAT is a list") };
    assert!(names.contains(&Reply::Bulk(b"increxisting".to_vec())), "{names:?}");
    own(&["SET", "a1", "1"]);
    let denied = "NOPERM User anna has no permissions to run the 'increxisting' command";
    for (rules, reply) in [
        (&["+@all", "-increxisting"][..], Err(denied)),
        (&["-@all", "+increxisting"], Ok(2)),
        (&["-@all", "+@string"], Ok(3)),
        (&["+@all", "-@write"], Err(denied)),
        (&["+@all", "resetkeys", "%R~a*"], Err("NOPERM No permissions to access a key")),
        (&["+@all", "resetkeys", "%RW~a*"], Ok(4)),
        (&["-@all", "(+increxisting ~a*)"], Ok(5)),
    ] {
        own(&[&["ACL", "SETUSER", "anna", "reset", "on", "nopass", "~*"], rules].concat());
        user.command(&["AUTH", "anna", "x"]).expect("it answers");
        let expected = reply.map_or_else(|text: &str| Reply::Error(text.as_bytes().to_vec()), Reply::Integer);
        assert_eq!(user.command(&["INCREXISTING", "a1"]).expect("it answers"), expected, "{rules:?}");
    }
    own(&["ACL", "DELUSER", "anna"]);
    assert!(user.command(&["PING"]).is_err(), "the connections of a user who is removed end");
}

#[test]
fn an_application_adds_a_command() {
    let mut child = Command::new(example())
        .args(["--port", "0", "--unixsocket"])
        .arg(format!("/tmp/rf-custom-{}.sock", std::process::id()))
        .args(["--save", "", "--shards", "2", "--dir", "/tmp"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let ready = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("Ready to accept connections")));
    ready.expect("it starts").expect("it is text");
    let socket = format!("/tmp/rf-custom-{}.sock", std::process::id());
    let mut client = Client::connect(&socket).expect("it listens");
    let mut say = |words: &[&str]| client.command(words).expect("it answers");
    let error = |text: &str| Reply::Error(text.as_bytes().to_vec());
    assert_eq!(say(&["INCREXISTING", "n"]), error("ERR no such key"));
    say(&["SET", "n", "7"]);
    assert_eq!(say(&["increxisting", "n"]), Reply::Integer(8));
    say(&["SET", "n", "x"]);
    assert_eq!(say(&["INCREXISTING", "n"]), error("ERR value is not an integer or out of range"));
    say(&["RPUSH", "l", "1"]);
    assert!(matches!(say(&["INCREXISTING", "l"]), Reply::Error(text) if text.starts_with(b"WRONGTYPE")));
    assert_eq!(say(&["INCREXISTING"]), error("ERR wrong number of arguments for 'increxisting' command"));
    let text = |reply: Reply| format!("{reply:?}");
    let Reply::Array(entries) = say(&["COMMAND", "INFO", "increxisting"]) else { panic!("COMMAND INFO is a list") };
    let Reply::Array(entry) = &entries[0] else { panic!("the command is known: {entries:?}") };
    assert_eq!((&entry[1], &entry[3]), (&Reply::Integer(2), &Reply::Integer(1)), "arity and first key");
    for category in ["string", "write", "fast"] {
        let Reply::Array(names) = say(&["COMMAND", "LIST", "FILTERBY", "ACLCAT", category]) else { panic!("a list") };
        assert!(names.contains(&Reply::Bulk(b"increxisting".to_vec())), "{category}");
    }
    assert!(text(say(&["COMMAND", "DOCS", "increxisting"])).len() > 100);
    assert_eq!(say(&["COMMAND", "GETKEYS", "INCREXISTING", "n"]), Reply::Array(vec![Reply::Bulk(b"n".to_vec())]));
    users_may_run_an_applications_command_or_not(&socket);
    let help = Command::new(env!("CARGO_BIN_EXE_ringfort-cli"))
        .args(["-s", &socket, "--no-raw", "COMMAND", "DOCS", "increxisting"])
        .output()
        .expect("the client runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.contains("Adds one to the integer value of a key that must exist."), "{help}");
    let _ = client.send(&["SHUTDOWN", "NOSAVE"]);
    assert!(child.wait().expect("it is ours").success());
}
