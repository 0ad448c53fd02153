//! GEOADD: ZADD with places in the place of scores.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::sorted_set::add::{Options, add};
use crate::command::spec::{self, Command, Flags, Run};

use super::{GEO, point};

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "geoadd",
    arity: -5,
    run: Run::Keyed(geoadd),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: spec::KEY_UPDATE,
    since: "3.2.0",
    summary: "Adds members with a longitude and a latitude to a sorted set.",
    complexity: "O(M log N), M members given and N in the set",
    syntax: "key [condition(NX | XX)@6.2.0] [change=CH@6.2.0] data{longitude:double latitude:double member}...",
    history: &[("6.2.0", "Takes CH, NX and XX.")],
    ..GEO
}];

fn options(args: Args<'_>) -> Result<Options, CommandError> {
    let mut options = Options { first: 2, ..Options::default() };
    while options.first < args.len() {
        let index = options.first;
        if args.is(index, b"nx") {
            options.only_new = true;
        } else if args.is(index, b"xx") {
            options.only_old = true;
        } else if args.is(index, b"ch") {
            options.counts_changed = true;
        } else {
            break;
        }
        options.first += 1;
    }
    let left = args.len() - options.first;
    if left == 0 || !left.is_multiple_of(3) || (options.only_new && options.only_old) {
        return Err(CommandError::Syntax);
    }
    Ok(options)
}

fn geoadd(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let options = options(args)?;
    // Nothing is changed unless all places are on the map.
    for index in (options.first..args.len()).step_by(3) {
        point(args, index)?;
    }
    add(context, &options, 3, |index| Ok(point(args, index)?.encode() as f64))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    const SYNTAX: &str = "-ERR syntax error\r\n";

    #[test]
    fn adding() {
        check(&[
            ("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", ":2\r\n"),
            ("ZSCORE g Palermo", "$16\r\n3479099956230698\r\n"),
            ("GEOADD g NX 0 0 Palermo 1 1 x", ":1\r\n"),
            ("GEOADD g XX CH 0 0 x 1 1 y", ":1\r\n"),
            ("GEOADD g CH 0 0 x", ":0\r\n"),
            ("ZCARD g", ":3\r\n"),
            ("GEOADD g 200 0 a", "-ERR invalid longitude,latitude pair 200.000000,0.000000\r\n"),
            ("GEOADD g 1 1 a 0 -86.5 b", "-ERR invalid longitude,latitude pair 0.000000,-86.500000\r\n"),
            ("GEOADD g inf 0 a", "-ERR invalid longitude,latitude pair inf,0.000000\r\n"),
            ("GEOADD g x 0 a", "-ERR value is not a valid float\r\n"),
            ("GEOADD g 0 0 a 0", SYNTAX),
            ("GEOADD g NX XX 0 0 a", SYNTAX),
            ("GEOADD g NX CH NX", SYNTAX),
            ("GEOADD x XX 0 0 a", ":0\r\n"),
            ("SET s x", "+OK\r\n"),
            ("GEOADD s 0 0 a", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        ]);
    }
}
