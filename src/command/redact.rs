//! Which arguments of a command are secrets, or names of those who have them: shown to nobody (SLOWLOG, MONITOR).

use crate::config::{self, PARAMETERS};

use super::args::Args;
use super::table::Row;

/// Whether this argument is shown as `(redacted)`.
pub fn is_secret(row: &Row, args: Args<'_>, at: usize) -> bool {
    match row.full_name {
        "auth" => at > 0,
        "acl|setuser" | "acl|getuser" | "acl|deluser" => at > 1,
        "config|set" => at > 2 && at % 2 == 1 && is_sensitive(args.get(at - 1)),
        "hello" => {
            let mut option = 2;
            while option < at {
                let is_login = args.is(option, b"auth");
                if is_login && at <= option + 2 {
                    return true;
                }
                option += if is_login { 3 } else { 2 };
            }
            false
        }
        _ => false,
    }
}

fn is_sensitive(parameter: &[u8]) -> bool {
    config::find(parameter).is_some_and(|found| PARAMETERS[found.index].sensitive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::TABLE;
    use crate::resp::request::ArgRange;

    /// The request with what is secret left out.
    fn shown(request: &str) -> String {
        let mut start = 0;
        let ranges: Vec<ArgRange> = (request.split(' '))
            .map(|word| {
                start += word.len() as u32 + 1;
                ArgRange { start: start - 1 - word.len() as u32, len: word.len() as u32 }
            })
            .collect();
        let args = Args::new(request.as_bytes(), &ranges, &[]);
        let row = TABLE.find(args.get(0)).expect("a command");
        let row = if row.subcommands.is_empty() { row } else { row.subcommand(args.get(1)).expect("a subcommand") };
        let words = request.split(' ').enumerate();
        words.map(|(at, word)| if is_secret(row, args, at) { "*" } else { word }).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn secrets_are_left_out() {
        for (request, expected) in [
            ("AUTH a b", "AUTH * *"),
            ("HELLO 3 SETNAME auth AUTH b c", "HELLO 3 SETNAME auth AUTH * *"),
            ("HELLO 3 auth b c SETNAME x", "HELLO 3 auth * * SETNAME x"),
            ("ACL SETUSER a on", "ACL SETUSER * *"),
            ("ACL WHOAMI", "ACL WHOAMI"),
            ("CONFIG SET requirepass x timeout 5", "CONFIG SET requirepass * timeout 5"),
            ("CONFIG SET timeout 5 masterauth y", "CONFIG SET timeout 5 masterauth *"),
            ("SET auth x", "SET auth x"),
        ] {
            assert_eq!(shown(request), expected);
        }
    }
}
