//! The library's client against the real server, blocking and on monoio, over both kinds of sockets.

mod support;

use std::time::Duration;

use ringfort::remote::{Address as Place, AsyncClient, Client, Error, Options, Pipeline, Value};
use support::client::Address;
use support::server::{Server, Target, Transport};

fn options(server: &Server) -> Options {
    let address = match server.address() {
        Address::Tcp(address) => Place::Tcp(address.ip().to_string(), address.port()),
        Address::Unix(path) => Place::Unix(path.clone()),
    };
    Options { io_timeout: Some(Duration::from_secs(10)), ..Options::at(address) }
}

fn text(value: &str) -> Option<Vec<u8>> {
    Some(value.as_bytes().to_vec())
}

#[test]
fn the_blocking_client_does_what_it_says() {
    for transport in [Transport::Tcp, Transport::Unix] {
        let server = Server::start_with(Target::Ringfort { shards: 2 }, transport, &[]);
        let options = options(&server);
        let mut client = Client::open(&options).expect("it answers");
        client.mset(&[("a", "1"), ("b", "2")]).expect("OK");
        client.set("c", b"\xff\x00").expect("OK");
        assert_eq!(client.mget(&["a", "b", "nosuch"]).expect("three"), [text("1"), text("2"), None]);
        assert_eq!(client.get("c").expect("bytes"), Some(b"\xff\x00".to_vec()));
        assert_eq!(client.delete(&["a", "b", "nosuch"]).expect("a number"), 2);
        let mut pipeline = Pipeline::new();
        for _ in 0..10_000 {
            pipeline.command(&["INCR", "n"]);
        }
        pipeline.command(&["INCR", "c"]);
        let replies = client.pipeline(&pipeline).expect("all of them");
        assert_eq!((replies.len(), &replies[9_999]), (10_001, &Value::Integer(10_000)));
        assert!(matches!(&replies[10_000], Value::Error(text) if text.starts_with(b"ERR value is not an integer")));
        let wrong = client.query::<i64>(&["LLEN", "n"]);
        assert!(matches!(wrong, Err(Error::Server(error)) if error.code() == "WRONGTYPE"));
        client.flush().expect("OK");
        assert_eq!(client.query::<i64>(&["DBSIZE"]).expect("a number"), 0);
        let other = Options { database: 3, resp3: true, ..options };
        let mut other = Client::open(&other).expect("it answers");
        other.set("k", "v").expect("OK");
        assert_eq!(other.query::<f64>(&["ZADD", "z", "INCR", "1.5", "m"]).expect("a double"), 1.5);
        assert_eq!(client.get("k").expect("the other database"), None);
    }
}

#[test]
fn push_messages_do_not_mix_with_replies() {
    let server = Server::start_with(Target::Ringfort { shards: 1 }, Transport::Unix, &[]);
    let mut client = Client::open(&Options { resp3: true, ..options(&server) }).expect("it answers");
    if client.query::<()>(&["CLIENT", "TRACKING", "ON"]).is_err() {
        // Tested with a played server until ours has tracking: src/remote/client_tests.rs.
        return;
    }
    client.set("k", "1").expect("OK");
    client.get("k").expect("tracked");
    Client::open(&options(&server)).expect("it answers").set("k", "2").expect("OK");
    let Value::Push(message) = client.message().expect("it comes") else { panic!("a push") };
    assert_eq!(message[0], Value::Bulk(b"invalidate".to_vec()));
    assert_eq!(client.get("k").expect("a reply"), text("2"));
}

#[test]
fn a_password_and_a_server_that_ends() {
    let server = Server::start_with(Target::Ringfort { shards: 1 }, Transport::Tcp, &[]);
    server.connect().call(&["CONFIG", "SET", "requirepass", "secret"]);
    let mut options = options(&server);
    let mut client = Client::open(&options).expect("it answers");
    assert!(matches!(client.get("k"), Err(Error::Server(error)) if error.code() == "NOAUTH"));
    options.password = Some("wrong".into());
    assert!(matches!(Client::open(&options), Err(Error::Authentication(error)) if error.code() == "WRONGPASS"));
    for resp3 in [false, true] {
        options = Options { password: Some("secret".into()), resp3, ..options };
        client = Client::open(&options).expect("it is the password");
        client.set("k", "v").expect("OK");
    }
    drop(server);
    assert!(matches!(client.get("k"), Err(Error::Closed)));
    assert!(matches!(client.get("k"), Err(Error::Broken)));
    assert!(matches!(Client::open(&options), Err(Error::Connect(..))));
}

#[test]
fn the_client_on_monoio_does_the_same() {
    let server = Server::start_with(Target::Ringfort { shards: 2 }, Transport::Unix, &[]);
    let options = options(&server);
    let mut runtime = monoio::RuntimeBuilder::<monoio::LegacyDriver>::new().enable_timer().build().expect("it starts");
    runtime.block_on(async {
        let mut client = AsyncClient::open(&options).await.expect("it answers");
        client.mset(&[("a", "1"), ("b", "2")]).await.expect("OK");
        assert_eq!(client.mget(&["b", "nosuch"]).await.expect("two"), [text("2"), None]);
        let mut pipeline = Pipeline::new();
        for _ in 0..10_000 {
            pipeline.command(&["INCR", "n"]);
        }
        let replies = client.pipeline(&pipeline).await.expect("all of them");
        assert_eq!(replies[9_999], Value::Integer(10_000));
        // Two connections of one thread wait for each other.
        let mut other = AsyncClient::open(&options).await.expect("it answers");
        let waiting = monoio::spawn(async move { other.query::<Vec<String>>(&["BLPOP", "queue", "10"]).await });
        while !client.query::<String>(&["INFO", "clients"]).await.expect("text").contains("blocked_clients:1") {}
        client.query::<i64>(&["RPUSH", "queue", "job"]).await.expect("a number");
        assert_eq!(waiting.await.expect("it was pushed"), ["queue", "job"]);
        assert_eq!(client.delete(&["a"]).await.expect("a number"), 1);
        client.flush().await.expect("OK");
    });
}
