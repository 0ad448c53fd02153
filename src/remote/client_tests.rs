//! Both clients against a thread that plays the server from a script: what it must read, and what it replies.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

use super::Client;
use crate::remote::{AsyncClient, Error, Options, Pipeline, Value};

/// Plays one connection: for each step reads exactly the request's bytes, then writes the reply.
fn played(steps: &'static [(&'static str, &'static str)]) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let url = format!("redis://:pw@{}/2", listener.local_addr().expect("it is bound"));
    let player = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client comes");
        for (request, reply) in steps {
            let mut bytes = vec![0; request.len()];
            stream.read_exact(&mut bytes).expect("the request comes");
            assert_eq!(String::from_utf8_lossy(&bytes), *request);
            stream.write_all(reply.as_bytes()).expect("the client reads");
        }
    });
    (url, player)
}

const AUTH: (&str, &str) = ("*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n", "+OK\r\n");
const SELECT: (&str, &str) = ("*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n", "+OK\r\n");

const SESSION: &[(&str, &str)] = &[
    AUTH,
    SELECT,
    ("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n", "+OK\r\n"),
    ("*2\r\n$3\r\nGET\r\n$1\r\na\r\n", ">1\r\n+hi\r\n$1\r\n1\r\n"),
    ("*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\n", "*2\r\n$1\r\n1\r\n$-1\r\n"),
    ("*2\r\n$4\r\nINCR\r\n$1\r\na\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n", ":2\r\n-ERR no\r\n"),
    ("*2\r\n$3\r\nDEL\r\n$1\r\na\r\n", ":1\r\n"),
    ("*1\r\n$8\r\nFLUSHALL\r\n", "-NOPERM no\r\n"),
];

fn two_increments() -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.command(&["INCR", "a"]).command(&["INCR", "a"]);
    pipeline
}

#[test]
fn a_session_of_the_blocking_client() {
    let (url, player) = played(SESSION);
    let mut client = Client::connect(&url).expect("it answers");
    client.set("a", "1").expect("OK");
    assert_eq!(client.get("a").expect("bulk"), Some(b"1".to_vec()));
    assert_eq!(client.push(), Some(vec![Value::Simple(b"hi".to_vec())]));
    assert_eq!(client.mget(&["a", "b"]).expect("array"), [Some(b"1".to_vec()), None]);
    let replies = client.pipeline(&two_increments()).expect("two replies");
    assert_eq!(replies, [Value::Integer(2), Value::Error(b"ERR no".to_vec())]);
    assert_eq!(client.delete(&["a"]).expect("integer"), 1);
    assert!(matches!(client.flush(), Err(Error::Server(error)) if error.code() == "NOPERM"));
    player.join().expect("the script was followed");
    assert!(matches!(client.get("a"), Err(Error::Closed)));
    assert!(matches!(client.get("a"), Err(Error::Broken)));
}

#[test]
fn the_same_session_of_the_client_on_monoio() {
    let (url, player) = played(SESSION);
    let mut runtime = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_timer().build().expect("it starts");
    runtime.block_on(async {
        let mut client = AsyncClient::connect(&url).await.expect("it answers");
        client.set("a", "1").await.expect("OK");
        assert_eq!(client.get("a").await.expect("bulk"), Some(b"1".to_vec()));
        assert_eq!(client.push(), Some(vec![Value::Simple(b"hi".to_vec())]));
        assert_eq!(client.mget(&["a", "b"]).await.expect("array"), [Some(b"1".to_vec()), None]);
        let replies = client.pipeline(&two_increments()).await.expect("two replies");
        assert_eq!(replies, [Value::Integer(2), Value::Error(b"ERR no".to_vec())]);
        assert_eq!(client.delete(&["a"]).await.expect("integer"), 1);
        assert!(matches!(client.flush().await, Err(Error::Server(error)) if error.code() == "NOPERM"));
        assert!(matches!(client.get("a").await, Err(Error::Closed)));
        assert!(matches!(client.get("a").await, Err(Error::Broken)));
    });
    player.join().expect("the script was followed");
}

#[test]
fn a_wrong_password_is_told_as_such() {
    let (url, player) = played(&[(AUTH.0, "-WRONGPASS invalid\r\n")]);
    let error = Client::connect(&url).err().expect("it is refused");
    assert_eq!(error.to_string(), "AUTH failed: WRONGPASS invalid");
    player.join().expect("the script was followed");
}

#[test]
fn nobody_there_is_told_with_the_address() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    let error = Client::connect(&format!("127.0.0.1:{port}")).err().expect("nobody listens");
    assert_eq!(error.to_string(), format!("Could not connect to Redis at 127.0.0.1:{port}: Connection refused"));
    let error = Client::connect("/nosuch/socket").err().expect("nobody listens");
    assert_eq!(error.to_string(), "Could not connect to Redis at /nosuch/socket: No such file or directory");
}

#[test]
fn a_silent_server_times_out() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let url = listener.local_addr().expect("it is bound").to_string();
    let limit = Some(Duration::from_millis(20));
    let options = Options { io_timeout: limit, connect_timeout: limit, ..Options::from_url(&url).expect("an address") };
    let mut client = Client::open(&options).expect("the system accepts for the listener");
    assert!(matches!(client.get("a"), Err(Error::TimedOut(_))));
    assert!(matches!(client.get("a"), Err(Error::Broken)));
    let mut runtime = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_timer().build().expect("it starts");
    runtime.block_on(async {
        let mut client = AsyncClient::open(&options).await.expect("the system accepts for the listener");
        assert!(matches!(client.get("a").await, Err(Error::TimedOut(_))));
        assert!(matches!(client.get("a").await, Err(Error::Broken)));
    });
}
