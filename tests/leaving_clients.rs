//! Clients that ask for much and leave before they are answered cost the others nothing.

mod support;

use support::server::{Server, Target, Transport};
use support::value::Value;

/// Regression: a thousand keys per shard held by each of many scattered commands took seconds to compare with each other.
#[test]
fn large_commands_of_clients_that_left_do_not_hold_up_the_rest() {
    let server = Server::start_with(Target::Ringfort { shards: 2 }, Transport::Unix, &[]);
    let mut client = server.connect();
    for number in 0..2_000 {
        client.call(&["SET", &format!("key:{number}"), "v"]);
    }
    let keys: Vec<String> = (0..2_000).map(|number| format!("key:{number}")).collect();
    let mut request = vec!["MGET".to_owned()];
    request.extend(keys);
    for _ in 0..10 {
        for _ in 0..200 {
            let mut leaving = server.connect();
            leaving.send(&request).expect("sent");
        }
        // Without the limits on held keys this took longer than the client waits.
        assert_eq!(client.call(&["DBSIZE"]), Value::Integer(2_000));
    }
}
