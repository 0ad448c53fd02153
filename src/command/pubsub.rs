//! The family of publish/subscribe. Publishing is done here; who subscribes is kept by the session (`session/subscribe`).

use bytes::Bytes;

use crate::pubsub::Kind;
use crate::pubsub::registry::Name;
use crate::stdx::glob::Glob;

use super::context::SessionContext;
use super::error::CommandError;
use super::help::reply_help;
use super::request::ControlRequest;
use super::spec::{BeginSearch, Command, FindKeys, Flags, KeySpec, Run};

const ASKS: Flags = Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE);
const SUBSCRIBES: Flags = ASKS.and(Flags::NOSCRIPT);
const PUBLISHES: Flags = ASKS.and(Flags::FAST).and(Flags::MAY_REPLICATE);

/// In a cluster a shard channel lies where a key of its name would.
const SHARD_CHANNEL: KeySpec = KeySpec {
    flags: &["not_key"],
    begin: BeginSearch::Index(1),
    find: FindKeys::Range { last: 0, step: 1, limit: 0 },
    notes: "",
};
const SHARD_CHANNELS: KeySpec = KeySpec { find: FindKeys::Range { last: -1, step: 1, limit: 0 }, ..SHARD_CHANNEL };

/// A row before it says what it is about.
const ROW: Command = Command { flags: SUBSCRIBES, group: "pubsub", since: "2.0.0", ..Command::BASE };
const SUBCOMMAND: Command = Command { flags: ASKS, group: "pubsub", since: "2.8.0", ..Command::BASE };

/// The family's rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "publish",
        arity: 3,
        run: Run::Session(publish),
        flags: PUBLISHES,
        summary: "Sends a message to all who subscribe to a channel.",
        complexity: "O(N+M), N subscribers of the channel, M patterns",
        syntax: "channel message",
        ..ROW
    },
    Command {
        name: "spublish",
        arity: 3,
        run: Run::Session(spublish),
        flags: PUBLISHES,
        keys: &[SHARD_CHANNEL],
        since: "7.0.0",
        summary: "Sends a message to all who subscribe to a shard channel.",
        complexity: "O(N), N subscribers of the shard channel",
        syntax: "shardchannel message",
        ..ROW
    },
    Command {
        name: "subscribe",
        arity: -2,
        run: Run::Control(subscribe),
        summary: "Begins to listen to channels.",
        complexity: "O(N), N channels",
        syntax: "channel...",
        ..ROW
    },
    Command {
        name: "psubscribe",
        arity: -2,
        run: Run::Control(psubscribe),
        summary: "Begins to listen to all channels whose names match patterns.",
        complexity: "O(N), N patterns",
        syntax: "pattern:pattern...",
        ..ROW
    },
    Command {
        name: "ssubscribe",
        arity: -2,
        run: Run::Control(ssubscribe),
        keys: &[SHARD_CHANNELS],
        since: "7.0.0",
        summary: "Begins to listen to shard channels.",
        complexity: "O(N), N shard channels",
        syntax: "shardchannel...",
        ..ROW
    },
    Command {
        name: "unsubscribe",
        arity: -1,
        run: Run::Control(unsubscribe),
        summary: "Listens no longer to these channels, or to any.",
        complexity: "O(N), N channels",
        syntax: "[channel...]",
        ..ROW
    },
    Command {
        name: "punsubscribe",
        arity: -1,
        run: Run::Control(punsubscribe),
        summary: "Listens no longer to channels that match these patterns, or any.",
        complexity: "O(N), N patterns",
        syntax: "[pattern:pattern...]",
        ..ROW
    },
    Command {
        name: "sunsubscribe",
        arity: -1,
        run: Run::Control(sunsubscribe),
        keys: &[SHARD_CHANNELS],
        since: "7.0.0",
        summary: "Listens no longer to these shard channels, or to any.",
        complexity: "O(N), N shard channels",
        syntax: "[shardchannel...]",
        ..ROW
    },
    Command {
        name: "pubsub",
        arity: -2,
        run: Run::Container,
        flags: Flags::NONE,
        since: "2.8.0",
        summary: "Commands about who subscribes to what.",
        complexity: "Depends on subcommand.",
        subcommands: SUBCOMMANDS,
        ..ROW
    },
];

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "channels",
        arity: -2,
        run: Run::Session(channels),
        summary: "Returns the channels that somebody listens to.",
        complexity: "O(N), N such channels",
        syntax: "[pattern:pattern]",
        ..SUBCOMMAND
    },
    Command {
        name: "numpat",
        arity: 2,
        run: Run::Session(numpat),
        summary: "Counts the different patterns that somebody listens to.",
        ..SUBCOMMAND
    },
    Command {
        name: "numsub",
        arity: -2,
        run: Run::Session(numsub),
        summary: "Counts who listens to each of these channels, patterns left aside.",
        complexity: "O(N), N channels",
        syntax: "[channel...]",
        ..SUBCOMMAND
    },
    Command {
        name: "shardchannels",
        arity: -2,
        run: Run::Session(shardchannels),
        since: "7.0.0",
        summary: "Returns the shard channels that somebody listens to.",
        complexity: "O(N), N such channels",
        syntax: "[pattern:pattern]",
        ..SUBCOMMAND
    },
    Command {
        name: "shardnumsub",
        arity: -2,
        run: Run::Session(shardnumsub),
        since: "7.0.0",
        summary: "Counts who listens to each of these shard channels.",
        complexity: "O(N), N shard channels",
        syntax: "[shardchannel...]",
        ..SUBCOMMAND
    },
    Command {
        name: "help",
        arity: 2,
        run: Run::Session(help),
        flags: Flags::LOADING.and(Flags::STALE),
        since: "6.2.0",
        summary: "Explains the subcommands.",
        ..SUBCOMMAND
    },
];

fn publish(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    publish_to(context, false)
}

fn spublish(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    publish_to(context, true)
}

fn publish_to(context: &mut SessionContext<'_>, is_sharded: bool) -> Result<(), CommandError> {
    let args = context.args;
    let message = || args.shared(2).cloned().unwrap_or_else(|| Bytes::copy_from_slice(args.get(2)));
    let subscribers = context.publisher.publish(args.get(1), is_sharded, message);
    context.reply.integer(subscribers as i64);
    Ok(())
}

fn subscribe(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    Ok(ControlRequest::Subscribe { kind: Kind::Channel, names: names(context) })
}

fn psubscribe(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    Ok(ControlRequest::Subscribe { kind: Kind::Pattern, names: names(context) })
}

fn ssubscribe(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    Ok(ControlRequest::Subscribe { kind: Kind::ShardChannel, names: names(context) })
}

fn unsubscribe(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    Ok(ControlRequest::Unsubscribe { kind: Kind::Channel, names: names(context) })
}

fn punsubscribe(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    Ok(ControlRequest::Unsubscribe { kind: Kind::Pattern, names: names(context) })
}

fn sunsubscribe(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    Ok(ControlRequest::Unsubscribe { kind: Kind::ShardChannel, names: names(context) })
}

fn names(context: &SessionContext<'_>) -> Vec<Name> {
    context.args.iter_from(1).map(Name::from).collect()
}

fn channels(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_names(context, Kind::Channel)
}

fn shardchannels(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_names(context, Kind::ShardChannel)
}

fn reply_names(context: &mut SessionContext<'_>, kind: Kind) -> Result<(), CommandError> {
    let args = context.args;
    if args.len() > 3 {
        let reason = "ERR unknown subcommand or wrong number of arguments for '";
        return Err(CommandError::quoting(reason, args.get(1), "'. Try PUBSUB HELP."));
    }
    let pattern = (args.len() == 3).then(|| Glob::new(args.get(2)));
    let names = context.publisher.registry.names(kind, pattern.as_ref());
    context.reply.array(names.len());
    names.iter().for_each(|name| context.reply.bulk(name));
    Ok(())
}

fn numsub(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_subscribers(context, Kind::Channel)
}

fn shardnumsub(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_subscribers(context, Kind::ShardChannel)
}

fn reply_subscribers(context: &mut SessionContext<'_>, kind: Kind) -> Result<(), CommandError> {
    let args = context.args;
    context.reply.array((args.len() - 2) * 2);
    for channel in args.iter_from(2) {
        context.reply.bulk(channel);
        context.reply.integer(context.publisher.registry.subscribers(kind, channel) as i64);
    }
    Ok(())
}

fn numpat(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    context.reply.integer(context.publisher.registry.patterns_len() as i64);
    Ok(())
}

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(
        context.reply,
        "PUBSUB",
        &[
            "CHANNELS [<pattern>]",
            "    The channels that somebody listens to, all or those that match <pattern>.",
            "NUMPAT",
            "    How many different patterns somebody listens to.",
            "NUMSUB [<channel> ...]",
            "    How many listen to each of these channels; patterns do not count.",
            "SHARDCHANNELS [<pattern>]",
            "    The shard channels that somebody listens to, all or those that match <pattern>.",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    How many listen to each of these shard channels.",
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::request::ControlRequest;
    use crate::command::testing::{Harness, check};
    use crate::pubsub::Kind;
    use crate::pubsub::registry::Name;

    #[test]
    fn nobody_listens() {
        check(&[
            ("PUBLISH a x", ":0\r\n"),
            ("SPUBLISH a x", ":0\r\n"),
            ("PUBSUB CHANNELS", "*0\r\n"),
            ("PUBSUB SHARDCHANNELS a*", "*0\r\n"),
            ("PUBSUB NUMSUB", "*0\r\n"),
            ("PUBSUB NUMSUB a b", "*4\r\n$1\r\na\r\n:0\r\n$1\r\nb\r\n:0\r\n"),
            ("PUBSUB SHARDNUMSUB a", "*2\r\n$1\r\na\r\n:0\r\n"),
            ("PUBSUB NUMPAT", ":0\r\n"),
            (
                "PUBSUB Channels a b",
                "-ERR unknown subcommand or wrong number of arguments for 'Channels'. Try PUBSUB HELP.\r\n",
            ),
        ]);
    }

    #[test]
    fn what_is_asked_for() {
        let words = |line: &str| {
            let requested = Harness::new(1).control(line).expect("a request");
            let (what, kind, names) = match requested {
                ControlRequest::Subscribe { kind, names } => ("on", kind, names),
                ControlRequest::Unsubscribe { kind, names } => ("off", kind, names),
                other => panic!("{other:?}"),
            };
            (
                what,
                kind,
                names
                    .iter()
                    .map(|name: &Name| String::from_utf8_lossy(name).into_owned())
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        };
        assert_eq!(words("SUBSCRIBE a b"), ("on", Kind::Channel, "a b".to_string()));
        assert_eq!(words("PSUBSCRIBE a*"), ("on", Kind::Pattern, "a*".to_string()));
        assert_eq!(words("SSUBSCRIBE a"), ("on", Kind::ShardChannel, "a".to_string()));
        assert_eq!(words("UNSUBSCRIBE"), ("off", Kind::Channel, String::new()));
        assert_eq!(words("PUNSUBSCRIBE x"), ("off", Kind::Pattern, "x".to_string()));
        assert_eq!(words("SUNSUBSCRIBE x"), ("off", Kind::ShardChannel, "x".to_string()));
    }
}
