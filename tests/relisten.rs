//! CONFIG SET port and bind while the server runs: the new sockets answer, the old ones do not, and a change that fails
//! leaves everything as it was. Runs against every target under test and against stock redis-server.

mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use support::client::{Address, Client};
use support::server::{Server, Target, Transport, skip_without_redis, targets_under_test};

/// Every server to test, listening on a loopback port of its own.
fn servers() -> Vec<Server> {
    let mut targets = targets_under_test();
    if !targets.contains(&Target::Redis) && !skip_without_redis() {
        targets.push(Target::Redis);
    }
    let start = |target| Server::start_with(target, Transport::Tcp, &["--bind", "127.0.0.1"]);
    targets.into_iter().map(start).collect()
}

/// A port that nobody listened on a moment ago.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound")
}

fn answers(address: SocketAddr) -> bool {
    let call = |mut client: Client| client.try_call(&["PING"]);
    Client::connect(&Address::Tcp(address)).and_then(call).is_ok()
}

fn tcp_address(server: &Server) -> SocketAddr {
    match server.address() {
        Address::Tcp(address) => *address,
        Address::Unix(path) => panic!("started on TCP, not on {path:?}"),
    }
}

fn reply(client: &mut Client, arguments: &[&str]) -> String {
    client.call(arguments).to_string()
}

#[test]
fn the_port_moves_and_a_taken_one_is_refused() {
    for server in servers() {
        let target = server.target();
        let (old, new) = (tcp_address(&server), free_address());
        let mut client = server.connect();
        let port = new.port().to_string();
        assert_eq!(reply(&mut client, &["CONFIG", "SET", "port", &port]), "OK", "{target:?}");
        assert!(answers(new) && !answers(old), "{target:?}: the port has moved");

        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let taken = taken.local_addr().map(|address| (taken, address.port().to_string())).expect("it is bound");
        let refused = reply(&mut client, &["CONFIG", "SET", "timeout", "77", "port", &taken.1]);
        assert!(refused.contains("Unable to listen on this port. Check server logs."), "{target:?}: {refused}");
        assert!(answers(new), "{target:?}: the port from before is back");
        let shown = reply(&mut client, &["CONFIG", "GET", "port", "timeout"]);
        assert!(shown.contains(&port) && !shown.contains("\"77\""), "{target:?}: {shown}");
    }
}

#[test]
fn addresses_change_and_wrong_ones_are_refused() {
    for server in servers() {
        let target = server.target();
        let address = tcp_address(&server);
        let other = SocketAddr::from(([127, 0, 0, 2], address.port()));
        let mut client = server.connect();
        assert!(answers(address) && !answers(other), "{target:?}: one address at first");
        for (bind, at_address, at_other) in [
            ("*", true, true),
            ("127.0.0.2", false, true),
            ("127.0.0.1 127.0.0.2", true, true),
            ("", false, false),
            ("127.0.0.1 -::1", true, false),
        ] {
            assert_eq!(reply(&mut client, &["CONFIG", "SET", "bind", bind]), "OK", "{target:?}: bind {bind:?}");
            assert_eq!((answers(address), answers(other)), (at_address, at_other), "{target:?}: bind {bind:?}");
        }
        let refused = reply(&mut client, &["CONFIG", "SET", "bind", "127.0.0.2 192.0.2.1"]);
        assert!(refused.contains("Failed to bind to specified addresses."), "{target:?}: {refused}");
        assert_eq!((answers(address), answers(other)), (true, false), "{target:?}: as before");
    }
}
