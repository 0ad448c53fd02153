//! The ordered list of checks between a request and its handler: known, arity, authenticated, allowed.
//!
//! What fails becomes an error reply (or closes the client); handlers never see such a request.

use crate::client::Client;
use crate::command::args::Args;
use crate::command::acl::check::{Denial, check};
use crate::command::persist::writes_refused;
use crate::command::error::CommandError;
use crate::command::spec::{Flags, Run, Step};
use crate::command::table::{Row, TABLE};
use crate::config::Config;
use crate::resp::reply::Protocol;
use crate::stats::persistence::SaveFacts;
use crate::stats::server::ServerFacts;

use super::evict::takes_memory;
use super::state::Session;

/// What comes of the checks.
pub enum Admission {
    /// It may run.
    Run(&'static Row),
    /// Its user may not run it.
    Deny(&'static Row, Denial),
    /// It is answered with an error.
    Refuse(CommandError, Option<&'static Row>),
    /// An HTTP request: somebody makes a browser talk to us. The connection is closed without a reply.
    Attack,
}

/// Longest part of unknown arguments shown in the error, as in Redis.
const SHOWN_BYTES_MAX: usize = 128;

const DEBUG_DENIED: &str = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can \
run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the \
server.";

/// Finds the row and checks the request against it.
#[inline]
pub fn admit(client: &Client, config: &Config, last_row: Option<&'static Row>, args: Args<'_>) -> Admission {
    let name = args.get(0);
    let row = match last_row {
        Some(row) if row.is_named(name) => row,
        _ => match TABLE.find(name) {
            Some(row) => row,
            None if is_http(name) => return Admission::Attack,
            None => return Admission::Refuse(unknown_command(args), None),
        },
    };
    let row = if row.subcommands.is_empty() {
        row
    } else {
        match subcommand(row, args) {
            Ok(row) => row,
            Err(error) => return Admission::Refuse(error, Some(row)),
        }
    };
    if !row.accepts(args.len()) {
        return Admission::Refuse(CommandError::Arity(row.full_name), Some(row));
    }
    if client.must_authenticate() && !row.command.flags.has(Flags::NO_AUTH) {
        return Admission::Refuse(CommandError::Text("NOAUTH Authentication required."), Some(row));
    }
    if row.command.flags.has(Flags::PROTECTED)
        && !config.allows(crate::param!("enable-debug-command"), client.is_local())
    {
        return Admission::Refuse(CommandError::Text(DEBUG_DENIED), Some(row));
    }
    if client.is_restricted() {
        if let Err(denial) = check(client.user(), row, args) {
            return Admission::Deny(row, denial);
        }
        if client.monitors() && uses_data(row) {
            return Admission::Refuse(CommandError::Text("ERR Replica can't interact with the keyspace"), Some(row));
        }
    }
    if client.subscriptions.any() && client.protocol == Protocol::Resp2 && !runs_among_messages(row) {
        return Admission::Refuse(not_among_messages(row), Some(row));
    }
    Admission::Run(row)
}

/// What a client who monitors may not do, as in Redis, where it counts as a replica.
fn uses_data(row: &Row) -> bool {
    [Flags::READONLY, Flags::WRITE, Flags::MAY_REPLICATE].iter().any(|flag| row.command.flags.has(*flag))
}

/// The commands of a RESP2 client that subscribes: their replies cannot be taken for messages.
fn runs_among_messages(row: &Row) -> bool {
    const COMMANDS: &[&str] = &[
        "ping", "subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe", "quit", "reset",
    ];
    COMMANDS.contains(&row.full_name)
}

#[cold]
fn not_among_messages(row: &Row) -> CommandError {
    let commands = "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
    CommandError::Owned(["ERR Can't execute '", row.full_name, commands].concat().into_bytes())
}

/// Why a request that was admitted cannot run now, if the server's data cannot be read or kept.
#[cold]
pub fn refusal(server: &ServerFacts, config: &Config, session: &Session, row: &Row) -> Option<CommandError> {
    let alarms = server.saves.alarms();
    let flags = row.command.flags;
    let writes = flags.has(Flags::WRITE)
        || row.full_name == "ping"
        || (matches!(row.command.run, Run::Transaction(Step::Exec)) && session.transaction_writes());
    if writes && let Some(error) = writes_refused(server, config) {
        return Some(error);
    }
    if alarms & SaveFacts::OVER_MEMORY != 0 && takes_memory(session, row) {
        return Some(CommandError::OutOfMemory);
    }
    if alarms & SaveFacts::LOADING != 0 && !flags.has(Flags::LOADING) {
        return Some(CommandError::Text("LOADING Redis is loading the dataset in memory"));
    }
    None
}

/// The subcommand that a container's first argument names.
fn subcommand(row: &'static Row, args: Args<'_>) -> Result<&'static Row, CommandError> {
    if args.len() < 2 {
        return match row.command.run {
            Run::Container => Err(CommandError::Arity(row.full_name)),
            _ => Ok(row),
        };
    }
    if row.command.flags.has(Flags::HIDDEN_SUBCOMMANDS) {
        return Ok(row.subcommand(args.get(1)).filter(|sub| sub.accepts(args.len())).unwrap_or(row));
    }
    row.subcommand(args.get(1)).ok_or_else(|| {
        let advice = ["'. Try ", &row.command.name.to_uppercase(), " HELP."].concat();
        CommandError::quoting("ERR unknown subcommand '", clip(args.get(1), SHOWN_BYTES_MAX), &advice)
    })
}

fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Redis' text: the name and as many arguments as fit, each in quotes.
fn unknown_command(args: Args<'_>) -> CommandError {
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(clip(args.get(0), SHOWN_BYTES_MAX));
    text.extend_from_slice(b"', with args beginning with: ");
    let mut shown = Vec::new();
    for argument in args.iter_from(1) {
        if shown.len() >= SHOWN_BYTES_MAX {
            break;
        }
        shown.push(b'\'');
        shown.extend_from_slice(clip(argument, SHOWN_BYTES_MAX - (shown.len() - 1)));
        shown.extend_from_slice(b"' ");
    }
    text.extend_from_slice(&shown);
    CommandError::Owned(text)
}

/// The first `max` bytes, up to a NUL byte (Redis prints these as C strings).
fn clip(bytes: &[u8], max: usize) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(max)];
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acl::Users;
    use crate::command::acl::load::set_default_password;
    use crate::command::acl::rules::apply;
    use crate::resp::request::ArgRange;

    /// The error that a request of these words gets, if it gets one.
    fn refusal(client: &Client, config: &Config, request: &str) -> Option<String> {
        let mut ranges = Vec::new();
        let mut start = 0;
        for word in request.split(' ') {
            ranges.push(ArgRange { start, len: word.len() as u32 });
            start += word.len() as u32 + 1;
        }
        match admit(client, config, None, Args::new(request.as_bytes(), &ranges, &[])) {
            Admission::Run(_) => None,
            Admission::Refuse(error, _) => Some(String::from_utf8_lossy(&error.text()).into_owned()),
            Admission::Deny(row, denial) => Some(String::from_utf8_lossy(&denial.error(client.user(), row).text()).into_owned()),
            Admission::Attack => Some("attack".into()),
        }
    }

    fn client(address: &str) -> Client {
        Client::new(1, address.into(), String::new(), 0)
    }

    #[test]
    fn debug_is_for_those_whom_the_configuration_names() {
        let index = crate::config::find(b"enable-debug-command").expect("a parameter").index;
        let mut config = Config::new();
        for (value, near, far) in [("no", false, false), ("local", true, false), ("yes", true, true)] {
            config.set_words(index, &[value.as_bytes()]).expect("a value");
            for (address, allowed) in [("127.0.0.1:5", near), ("[::1]:5", near), ("10.0.0.1:5", far)] {
                for request in ["DEBUG DIGEST", "debug config-rewrite-force-all", "DEBUG bogus"] {
                    let refused = refusal(&client(address), &config, request);
                    assert_eq!(refused.is_none(), allowed, "{value} {address} {request}");
                }
            }
        }
    }

    #[test]
    fn before_authentication() {
        let config = Config::new();
        let mut client = client("127.0.0.1:5");
        assert_eq!(refusal(&client, &config, "CLIENT ID"), None);
        let users = Users::new();
        set_default_password(&users, b"x");
        client.set_default_user(users.default_user());
        for (request, refused) in [
            ("CLIENT ID", Some("NOAUTH Authentication required.")),
            ("PING", Some("NOAUTH Authentication required.")),
            ("AUTH x", None),
            ("HELLO", None),
            ("QUIT", None),
            ("RESET", None),
            ("GET", Some("ERR wrong number of arguments for 'get' command")),
            ("CLIENT BOGUS", Some("ERR unknown subcommand 'BOGUS'. Try CLIENT HELP.")),
            ("CLIENT", Some("ERR wrong number of arguments for 'client' command")),
            ("BOGUS a", Some("ERR unknown command 'BOGUS', with args beginning with: 'a' ")),
            ("Host: x", Some("attack")),
        ] {
            assert_eq!(refusal(&client, &config, request).as_deref(), refused, "{request}");
        }
        client.authenticated = true;
        assert_eq!(refusal(&client, &config, "PING"), None);
    }

    #[test]
    fn what_a_user_may_do() {
        let config = Config::new();
        let mut client = client("127.0.0.1:5");
        for (rules, request, denied) in [
            ("+get", "get x", Some("NOPERM No permissions to access a key")),
            ("+get", "set x 1", Some("NOPERM User default has no permissions to run the 'set' command")),
            ("+get", "auth a b", None),
            ("+client|id", "client list", Some("NOPERM User default has no permissions to run the 'client|list' command")),
            ("+client|id", "client id", None),
            ("+select|0", "select 0", None),
            ("+select|0", "select 1", Some("NOPERM User default has no permissions to run the 'select' command")),
            ("+debug|digest", "debug object x", Some("NOPERM User default has no permissions to run the 'debug' command")),
            ("+@all ~a*", "mget a1 b1", Some("NOPERM No permissions to access a key")),
            ("+@all ~a*", "mget a1 a2", None),
            ("+@all %R~a* %W~b*", "copy a1 b1", None),
            ("+@all %R~a* %W~b*", "copy b1 a1", Some("NOPERM No permissions to access a key")),
            ("+@all %R~a* %W~b*", "eval x 1 a1", Some("NOPERM No permissions to access a key")),
            ("+@all %R~a* %W~b*", "eval x 0 a1", None),
            ("+@all %R~a*", "bitfield a get u4 0", None),
            ("+@all %R~a*", "bitfield a set u4 0 1", Some("NOPERM No permissions to access a key")),
            ("+@all %R~a*", "sort_ro a", None),
            ("+@all %R~a*", "sort a store b", Some("NOPERM No permissions to access a key")),
            ("+@all ~*", "publish c x", Some("NOPERM No permissions to access a channel")),
            ("+@all &c*", "publish c x", None),
            ("+@all &c*", "psubscribe c*", None),
            ("+@all &c*", "psubscribe c1", Some("NOPERM No permissions to access a channel")),
            ("+@all &c*", "unsubscribe other", None),
            ("(+get ~a*) (+set ~b*)", "set a1 1", Some("NOPERM No permissions to access a key")),
            ("(+get ~a*) (+set ~b*)", "set b1 1", None),
            ("(+get ~a*) (+set ~b*)", "del b1", Some("NOPERM User default has no permissions to run the 'del' command")),
        ] {
            let users = Users::new();
            let words = ["reset", "on", "nopass"].into_iter().chain(rules.split_inclusive(')').flat_map(|part| match part.trim() {
                selector if selector.starts_with('(') => vec![selector],
                words => words.split(' ').collect(),
            }));
            users.change(b"default", false, |user| words.clone().try_for_each(|rule| apply(user, rule.as_bytes(), false))).expect("rules");
            client.set_default_user(users.default_user());
            let config = { let mut config = config.clone(); config.set_words(crate::param!(index of "enable-debug-command"), &[b"yes"]).expect("a value"); config };
            assert_eq!(refusal(&client, &config, request).as_deref(), denied, "{rules}: {request}");
        }
    }
}
