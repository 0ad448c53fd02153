//! The server on both drivers: the same replies, pipelines and large values on io_uring and on epoll.

mod support;

use support::client::Client;
use support::server::{Server, Target, Transport};
use support::value::Value;

fn exercise(client: &mut Client, driver: &str) {
    let info = client.call(&["INFO", "server"]).plain();
    let expected = format!("multiplexing_api:{driver}");
    assert!(String::from_utf8_lossy(&info).contains(&expected), "{}", String::from_utf8_lossy(&info));
    for number in 0..2_000 {
        client.send(&["SET", &format!("key:{number}"), &number.to_string()]).expect("sent");
    }
    for _ in 0..2_000 {
        assert!(!client.read().expect("a reply").is_error());
    }
    let large = "x".repeat(3_000_000);
    client.call(&["SET", "large", &large]);
    assert_eq!(client.call(&["GET", "large"]).plain(), large.as_bytes());
    assert_eq!(client.call(&["DBSIZE"]), Value::Integer(2_001));
}

#[test]
fn both_drivers_serve_unix_and_tcp() {
    for driver in ["epoll", "io_uring"] {
        for transport in [Transport::Unix, Transport::Tcp] {
            let server = Server::start_with(Target::Ringfort { shards: 2 }, transport, &["--driver", driver]);
            exercise(&mut server.connect(), driver);
        }
    }
}
