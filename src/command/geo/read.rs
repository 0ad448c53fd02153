//! What is asked of single places: where they are, how far from each other, their geohashes.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::value::geo::Point;
use crate::value::sorted_set::SortedSet;

use super::{GEO, reply_distance, reply_point, unit_m};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "geopos",
        arity: -2,
        run: Run::Keyed(geopos),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "3.2.0",
        summary: "Returns the longitudes and latitudes of members.",
        complexity: "O(M), M members given",
        syntax: "key [member...]",
        ..GEO
    },
    Command {
        name: "geodist",
        arity: -4,
        run: Run::Keyed(geodist),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "3.2.0",
        summary: "Returns the distance between two members.",
        syntax: "key member1 member2 [unit(M | KM | FT | MI)]",
        ..GEO
    },
    Command {
        name: "geohash",
        arity: -2,
        run: Run::Keyed(geohash),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "3.2.0",
        summary: "Returns the places of members as standard geohash texts.",
        complexity: "O(M), M members given",
        syntax: "key [member...]",
        ..GEO
    },
];

/// The place of a member.
pub(super) fn point_of(set: Option<&SortedSet>, member: &[u8]) -> Option<Point> {
    set?.score(member).map(Point::decode)
}

fn geopos(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (set, reply) = context.read_collection::<SortedSet>(1)?;
    reply.array(args.len() - 2);
    for member in args.iter_from(2) {
        match point_of(set, member) {
            Some(point) => reply_point(reply, point),
            None => reply.null_array(),
        }
    }
    Ok(())
}

fn geohash(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (set, reply) = context.read_collection::<SortedSet>(1)?;
    reply.array(args.len() - 2);
    for member in args.iter_from(2) {
        match point_of(set, member) {
            Some(point) => reply.bulk(&point.geohash_text()),
            None => reply.null(),
        }
    }
    Ok(())
}

fn geodist(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let unit_m = match args.len() {
        4 => 1.0,
        5 => unit_m(args, 4)?,
        _ => return Err(CommandError::Syntax),
    };
    let (set, reply) = context.read_collection::<SortedSet>(1)?;
    match (point_of(set, args.get(2)), point_of(set, args.get(3))) {
        (Some(one), Some(other)) => reply_distance(reply, one.distance_m(other) / unit_m),
        _ => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

    #[test]
    fn asking() {
        check(&[
            ("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", ":2\r\n"),
            ("GEODIST g Palermo Catania", "$11\r\n166274.1516\r\n"),
            ("GEODIST g Palermo Catania km", "$8\r\n166.2742\r\n"),
            ("GEODIST g Palermo Catania MI", "$8\r\n103.3182\r\n"),
            ("GEODIST g Palermo Palermo ft", "$6\r\n0.0000\r\n"),
            ("GEODIST g Palermo x", "$-1\r\n"),
            ("GEODIST x Palermo Catania", "$-1\r\n"),
            ("GEODIST g a b c", "-ERR unsupported unit provided. please use M, KM, FT, MI\r\n"),
            ("GEODIST g a b m x", "-ERR syntax error\r\n"),
            ("GEOHASH g Palermo x", "*2\r\n$11\r\nsqc8b49rny0\r\n$-1\r\n"),
            ("GEOHASH g", "*0\r\n"),
            ("GEOHASH x a", "*1\r\n$-1\r\n"),
            ("GEOPOS g Catania x", "*2\r\n*2\r\n$20\r\n15.08726745843887329\r\n$20\r\n37.50266842333162032\r\n*-1\r\n"),
            ("GEOPOS g", "*0\r\n"),
            ("GEOPOS x a", "*1\r\n*-1\r\n"),
            ("SET s x", "+OK\r\n"),
            ("GEOPOS s a", WRONG_TYPE),
            ("GEOHASH s a", WRONG_TYPE),
            ("GEODIST s a b", WRONG_TYPE),
        ]);
    }

    #[test]
    fn coordinates_are_doubles_in_resp3_and_distances_are_not() {
        let mut harness = Harness::new(1);
        harness.run("GEOADD g 15.087269 37.502669 Catania");
        harness.resp3();
        harness.check(&[
            ("GEOPOS g Catania x", "*2\r\n*2\r\n,15.08726745843887329\r\n,37.50266842333162032\r\n_\r\n"),
            ("GEODIST g Catania Catania", "$6\r\n0.0000\r\n"),
            ("GEODIST g Catania x", "_\r\n"),
        ]);
    }
}
