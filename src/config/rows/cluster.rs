//! Rows about Redis Cluster, by name.

use crate::config::check::{host_name_is_plain, node_name_is_plain};
use crate::config::row::{
    INT_MAX, Kind, OPTIONAL_TEXT, Parameter, TEXT, integer, row, unsigned_memory,
};

const ENDPOINT_TYPES: &[(&str, i32)] = &[("ip", 0), ("hostname", 1), ("unknown-endpoint", 2)];

pub(super) const CLUSTER: &[Parameter] = &[
    row("cluster-allow-pubsubshard-when-down", Kind::YesNo, "yes")
        .stored("there is no cluster mode in this build")
        .about("Deliver sharded pub/sub messages while the cluster is down."),
    row("cluster-allow-reads-when-down", Kind::YesNo, "no")
        .stored("there is no cluster mode in this build")
        .about("Answer reads while the cluster is down."),
    row("cluster-allow-replica-migration", Kind::YesNo, "yes")
        .stored("there is no cluster mode in this build")
        .about("Let replicas move to masters that have none."),
    row("cluster-announce-bus-port", integer(0, 65535), "0")
        .stored("there is no cluster mode in this build")
        .about("Bus port told to the other nodes; 0 tells the real one."),
    row("cluster-announce-hostname", OPTIONAL_TEXT, "")
        .check(host_name_is_plain)
        .stored("there is no cluster mode in this build")
        .about("Host name told to clients and to the other nodes."),
    row("cluster-announce-human-nodename", OPTIONAL_TEXT, "")
        .check(node_name_is_plain)
        .stored("there is no cluster mode in this build")
        .about("Name for logs, told to the other nodes."),
    row("cluster-announce-ip", OPTIONAL_TEXT, "")
        .stored("there is no cluster mode in this build")
        .about("Address told to the other nodes instead of the one they see."),
    row("cluster-announce-port", integer(0, 65535), "0")
        .stored("there is no cluster mode in this build")
        .about("Client port told to the other nodes; 0 tells the real one."),
    row("cluster-announce-tls-port", integer(0, 65535), "0")
        .stored("there is no TLS in this build")
        .about("TLS port told to the other nodes; 0 tells the real one."),
    row("cluster-config-file", TEXT, "nodes.conf")
        .immutable()
        .stored("there is no cluster mode in this build")
        .about("File in which a node keeps its view of the cluster; the server writes it."),
    row("cluster-enabled", Kind::YesNo, "no")
        .immutable()
        .stored("there is no cluster mode in this build; only what it forbids is forbidden")
        .about("Run as a node of a Redis Cluster."),
    row(
        "cluster-link-sendbuf-limit",
        unsigned_memory(0, u64::MAX),
        "0",
    )
    .stored("there is no cluster mode in this build")
        .about("Most bytes queued towards one node of the cluster; 0 sets no limit."),
    row("cluster-migration-barrier", integer(0, INT_MAX), "1")
        .stored("there is no cluster mode in this build")
        .about("Replicas a master must keep before one of them may move to an orphaned master."),
    row("cluster-node-timeout", integer(0, i64::MAX), "15000")
        .stored("there is no cluster mode in this build")
        .about("Milliseconds after which a silent node is suspected to have failed."),
    row("cluster-ping-interval", integer(0, i64::MAX), "0")
        .hidden()
        .stored("the interval is derived from cluster-node-timeout")
        .about("Milliseconds between pings to a random node."),
    row("cluster-port", integer(0, 65535), "0")
        .immutable()
        .stored("there is no cluster mode in this build")
        .about("Port of the cluster bus; 0 means the client port plus 10000."),
    row(
        "cluster-preferred-endpoint-type",
        Kind::Choice(ENDPOINT_TYPES),
        "ip",
    )
    .stored("there is no cluster mode in this build")
        .about("What CLUSTER SLOTS and redirections show: address, host name or neither."),
    row("cluster-replica-no-failover", Kind::YesNo, "no")
        .alias("cluster-slave-no-failover")
        .stored("there is no cluster mode in this build")
        .about("A replica never tries to take over from its master."),
    row("cluster-replica-validity-factor", integer(0, INT_MAX), "10")
        .alias("cluster-slave-validity-factor")
        .stored("there is no cluster mode in this build")
        .about(
            "How many node timeouts old a replica's data may be for it to take over; 0 always may.",
        ),
    row("cluster-require-full-coverage", Kind::YesNo, "yes")
        .stored("there is no cluster mode in this build")
        .about("Refuse all requests while some hash slot has no node."),
];
