//! The `redis` crate, unmodified, against a server with four shards: connecting, pipelines, large values, scans.

mod support;

use redis::{Commands, Connection, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisResult};
use support::client::Address;
use support::server::{Server, Target, Transport};

fn connect(server: &Server, protocol: ProtocolVersion) -> Connection {
    let Address::Unix(path) = server.address() else { panic!("asked for a unix socket") };
    let info: ConnectionInfo = ConnectionAddr::Unix(path.clone()).into_connection_info().expect("a path is an address");
    let settings = info.redis_settings().clone().set_protocol(protocol);
    redis::Client::open(info.set_redis_settings(settings)).expect("a client").get_connection().expect("a connection")
}

fn exercise(connection: &mut Connection) -> RedisResult<()> {
    redis::cmd("FLUSHALL").exec(connection)?;
    let mut pipeline = redis::pipe();
    for number in 0..10_000 {
        pipeline.set(format!("key:{number}"), number).ignore();
    }
    pipeline.exec(connection)?;
    let keys: Vec<String> = (0..10_000).map(|number| format!("key:{number}")).collect();
    let values: Vec<u32> = connection.mget(&keys)?;
    assert!(values.iter().enumerate().all(|(number, &value)| value as usize == number));
    assert_eq!(connection.scan::<String>()?.map(|key| key.expect("a key")).count(), 10_000);
    let large = "x".repeat(20_000_000);
    connection.set::<_, _, ()>("large", &large)?;
    assert_eq!(connection.get::<_, String>("large")?, large);
    connection.rename::<_, _, ()>("large", "renamed")?;
    assert_eq!(connection.strlen::<_, usize>("renamed")?, large.len());
    assert_eq!(connection.del::<_, usize>(&keys)?, 10_000);
    assert_eq!(connection.incr::<_, _, i64>("counter", 41)?, 41);
    assert_eq!(connection.get::<_, Option<String>>("missing")?, None);
    let error = redis::cmd("SET").arg("a").exec(connection).expect_err("a SET without a value");
    assert!(error.to_string().contains("wrong number of arguments for 'set' command"), "{error}");
    Ok(())
}

#[test]
fn the_redis_crate_works_in_both_protocols() {
    let server = Server::start_with(Target::Ringfort { shards: 4 }, Transport::Unix, &[]);
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        exercise(&mut connect(&server, protocol)).expect("the commands work");
    }
}
