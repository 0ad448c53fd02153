//! The geo family: places in sorted sets, whose scores are geohashes of 52 bits (`value/geo.rs`).
//!
//! `add` GEOADD; `read` GEOPOS, GEODIST, GEOHASH; `search` GEOSEARCH, GEORADIUS and their forms that store. Here: how
//! coordinates, units and distances are written.

pub mod add;
pub mod read;
pub mod search;

use crate::resp::reply::Reply;
use crate::stdx::double_text::{DOUBLE_TEXT_BYTES_MAX, format_four_places, format_seventeen_places};
use crate::stdx::number;
use crate::value::geo::Point;

use super::args::Args;
use super::error::CommandError;
use super::spec::{Categories, Command};

/// What the rows of this family have in common.
const GEO: Command = Command { categories: Categories::GEO, group: "geo", ..Command::BASE };

/// The place whose longitude and latitude stand at two arguments.
fn point(args: Args<'_>, index: usize) -> Result<Point, CommandError> {
    let degrees = |index| number::parse_double(args.get(index)).ok_or(CommandError::NotAFloat);
    let point = Point { longitude: degrees(index)?, latitude: degrees(index + 1)? };
    if point.is_valid() {
        return Ok(point);
    }
    let Point { longitude, latitude } = point;
    let text = format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
    Err(CommandError::Owned(text.into_bytes()))
}

/// Meters of the unit at an argument.
fn unit_m(args: Args<'_>, index: usize) -> Result<f64, CommandError> {
    const UNITS: [(&[u8], f64); 4] = [(b"m", 1.0), (b"km", 1000.0), (b"ft", 0.3048), (b"mi", 1609.34)];
    let unit = UNITS.iter().find(|(name, _)| args.is(index, name));
    unit.map(|(_, meters)| *meters).ok_or(CommandError::Text("ERR unsupported unit provided. please use M, KM, FT, MI"))
}

/// Replies with a distance.
fn reply_distance(reply: &mut Reply, distance: f64) {
    reply.bulk(format_four_places(&mut [0; DOUBLE_TEXT_BYTES_MAX], distance));
}

/// Replies with a place.
fn reply_point(reply: &mut Reply, point: Point) {
    reply.array(2);
    for degrees in [point.longitude, point.latitude] {
        reply.double_text(format_seventeen_places(&mut [0; DOUBLE_TEXT_BYTES_MAX], degrees));
    }
}
