//! MONITOR: the row, and the lines that those who monitor get to see. Who monitors is kept by the session
//! (`session/monitor`).

use std::fmt::Write;

use crate::client::Client;
use crate::stdx::quote::quote_into;

use super::args::Args;
use super::context::SessionContext;
use super::error::CommandError;
use super::redact::is_secret;
use super::request::ControlRequest;
use super::spec::{Command, Flags, Run};
use super::table::Row;

/// The family's rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "monitor",
    arity: 1,
    run: Run::Control(monitor),
    flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE),
    since: "1.0.0",
    summary: "Shows every command that the server runs from now on.",
    ..Command::BASE
}];

fn monitor(_: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    Ok(ControlRequest::Monitor)
}

/// Who ran a command.
#[derive(Clone, Copy)]
pub enum Origin<'a> {
    /// A client.
    Client(&'a Client),
    /// A script or a function.
    Script,
}

/// Whether those who monitor see commands of this row. Administration is not for every eye, and scripts are shown when
/// they begin.
pub fn is_shown(row: &Row) -> bool {
    !row.command.flags.has(Flags::ADMIN) && !row.command.flags.has(Flags::SKIP_MONITOR)
}

/// Appends the line of a command: time, database, who, and the arguments in quotes; passwords are left out.
pub fn write_line(out: &mut String, now_us: i64, database: u32, origin: Origin<'_>, row: &Row, args: Args<'_>) {
    // Writing to a String cannot fail.
    let _ = write!(out, "+{}.{:06} [{database} ", now_us / 1_000_000, now_us % 1_000_000);
    match origin {
        Origin::Script => out.push_str("lua"),
        Origin::Client(client) if client.unix_socket => {
            out.push_str("unix:");
            out.push_str(client.address.strip_suffix(":0").unwrap_or(&client.address));
        }
        Origin::Client(client) => out.push_str(&client.address),
    }
    out.push(']');
    for at in 0..args.len() {
        out.push(' ');
        if is_secret(row, args, at) {
            out.push_str("\"(redacted)\"");
        } else {
            quote_into(out, args.get(at));
        }
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::TABLE;
    use crate::resp::request::ArgRange;

    fn line(request: &str, origin: Origin<'_>) -> String {
        let mut start = 0;
        let ranges: Vec<ArgRange> = request
            .split(' ')
            .map(|word| {
                start += word.len() as u32 + 1;
                ArgRange { start: start - 1 - word.len() as u32, len: word.len() as u32 }
            })
            .collect();
        let args = Args::new(request.as_bytes(), &ranges, &[]);
        let row = TABLE.find(args.get(0)).expect("a command");
        let mut out = String::new();
        write_line(&mut out, 1_339_518_083_007_412, 3, origin, row, args);
        out
    }

    #[test]
    fn lines_are_those_of_redis() {
        let mut client = Client::new(1, "127.0.0.1:60866".into(), String::new(), 0);
        let begin = "+1339518083.007412 [3 127.0.0.1:60866]";
        for (request, shown) in [
            ("keys *", "\"keys\" \"*\""),
            ("SET a\u{1} \"b", "\"SET\" \"a\\x01\" \"\\\"b\""),
            ("auth secret", "\"auth\" \"(redacted)\""),
            ("AUTH anna secret", "\"AUTH\" \"(redacted)\" \"(redacted)\""),
            (
                "HELLO 3 SETNAME x AUTH anna secret",
                "\"HELLO\" \"3\" \"SETNAME\" \"x\" \"AUTH\" \"(redacted)\" \"(redacted)\"",
            ),
            (
                "HELLO 3 AUTH anna secret SETNAME x",
                "\"HELLO\" \"3\" \"AUTH\" \"(redacted)\" \"(redacted)\" \"SETNAME\" \"x\"",
            ),
        ] {
            assert_eq!(line(request, Origin::Client(&client)), format!("{begin} {shown}\r\n"));
        }
        assert_eq!(line("get a", Origin::Script), "+1339518083.007412 [3 lua] \"get\" \"a\"\r\n");
        (client.unix_socket, client.address) = (true, "/tmp/x.sock:0".into());
        assert_eq!(line("get a", Origin::Client(&client)), "+1339518083.007412 [3 unix:/tmp/x.sock] \"get\" \"a\"\r\n");
    }

    #[test]
    fn what_is_not_shown() {
        for (name, shown) in
            [("get", true), ("multi", true), ("config|get", false), ("monitor", false), ("eval", false)]
        {
            assert_eq!(is_shown(TABLE.find_full(name.as_bytes()).expect("a command")), shown, "{name}");
        }
    }
}
