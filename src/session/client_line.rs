//! The line that CLIENT LIST and CLIENT INFO show of a client.

use std::fmt::Write;

use crate::resp::reply::Protocol;

use super::state::{Session, Stall};

/// One line with its line end, fields in Redis' order.
pub fn client_line(session: &Session, now_ms: i64) -> String {
    let client = &session.client;
    let text = |bytes: &Option<Box<[u8]>>| bytes.as_ref().map_or(String::new(), |bytes| String::from_utf8_lossy(bytes).into_owned());
    let mut flags: String = [
        (client.monitors(), 'O'),
        (client.subscriptions.any(), 'P'),
        (session.transaction.is_some(), 'x'),
        (matches!(session.stall, Stall::Paused | Stall::Blocked), 'b'),
        (session.watch.as_ref().is_some_and(|watch| watch.is_touched()), 'd'),
        (session.closing, 'c'),
        (session.killed, 'A'),
        (client.unix_socket, 'U'),
        (client.no_evict, 'e'),
        (client.no_touch, 'T'),
    ]
    .into_iter()
    .filter_map(|(is_set, letter)| is_set.then_some(letter))
    .collect();
    if flags.is_empty() {
        flags.push('N');
    }
    let mut line = String::new();
    let memory = session.memory(now_ms);
    // Writing to a String cannot fail.
    let _ = writeln!(
        line,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} watch={} \
         qbuf={} qbuf-free={} argv-mem={} multi-mem={} rbs={} rbp={} obl={} oll={} omem={} tot-mem={} events={} cmd={} \
         user={} redir=-1 resp={} lib-name={} lib-ver={}",
        client.id,
        client.address,
        client.local_address,
        client.descriptor,
        text(&client.name),
        (now_ms - client.created_ms) / 1000,
        (now_ms - client.last_used_ms) / 1000,
        flags,
        client.database,
        client.subscriptions.channels,
        client.subscriptions.patterns,
        client.subscriptions.shard_channels,
        session.transaction.as_ref().map_or(-1, |transaction| transaction.len() as i64),
        session.watch.as_ref().map_or(0, |watch| watch.len()),
        memory.query,
        memory.query_free,
        memory.arguments,
        memory.transaction,
        memory.reply_buffer,
        memory.reply_peak,
        memory.output,
        memory.output_pieces,
        memory.output_list,
        memory.total,
        if session.is_sending() { "rw" } else { "r" },
        client.last_command,
        String::from_utf8_lossy(&client.user().name),
        if client.protocol == Protocol::Resp3 { 3 } else { 2 },
        text(&client.library_name),
        text(&client.library_version),
    );
    line
}
