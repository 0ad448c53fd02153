//! Names that Redis does not have, for people who type: DELETE for DEL and FLUSH for FLUSHALL. Each is one row with the
//! handler of the command it stands for; what they change is logged and replicated as that command.

use crate::command::spec::{self, Categories, Command, Flags, OWN_GROUP, Run};

/// The module's rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "delete",
        arity: -2,
        run: super::each_key(super::remove_one),
        flags: Flags::WRITE,
        keys: spec::KEYS_REMOVE,
        group: OWN_GROUP,
        since: "0.1.0",
        summary: "Another name of DEL.",
        complexity: "O(N), N keys; large values are freed in slices afterwards",
        syntax: "key...",
        tips: super::COUNTED_OVER_SHARDS,
        ..super::BASE
    },
    Command {
        name: "flush",
        arity: -1,
        run: Run::AllShards(super::database::flush_all),
        flags: Flags::WRITE,
        categories: Categories::KEYSPACE.and(Categories::DANGEROUS),
        group: OWN_GROUP,
        since: "0.1.0",
        summary: "Another name of FLUSHALL.",
        complexity: "O(1); the memory is freed in slices afterwards, O(N), N keys in all databases",
        syntax: "[flush-type(ASYNC | SYNC)]",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..super::BASE
    },
];

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn they_do_what_the_others_do() {
        check(&[
            ("MSET a 1 b 2 c 3", "+OK\r\n"),
            ("DELETE a b nosuch", ":2\r\n"),
            ("KEYS", "*1\r\n$1\r\nc\r\n"),
            ("KEYS *", "*1\r\n$1\r\nc\r\n"),
            ("KEYS a b", "-ERR wrong number of arguments for 'keys' command\r\n"),
            ("FLUSH", "+OK\r\n"),
            ("KEYS", "*0\r\n"),
            ("FLUSH nonsense", "-ERR syntax error\r\n"),
            ("DELETE", "-ERR wrong number of arguments for 'delete' command\r\n"),
        ]);
    }
}
