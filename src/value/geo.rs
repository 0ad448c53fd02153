//! Places on the earth as numbers of 52 bits that sort by neighbourhood (geohashes), and distances between them.
//!
//! The two coordinates, each as a fraction of its range in 26 bits, are interleaved (a Morton code; G. M. Niemeyer's
//! geohash, 2008), longitude in the higher bit of each pair. A square of the map is all numbers with a common prefix, so
//! the places in it are one range of scores. Distances are great circles by the haversine formula on a sphere. Ranges of
//! coordinates, the radius, and the order of arithmetic are Redis', so that its numbers come out to the last bit.
//!
//! Pure functions; called by the command family of geo.

use std::f64::consts::PI;
use std::ops::Range;

/// Longitudes lie within this on both sides.
pub const LONGITUDE_MAX: f64 = 180.0;
/// Latitudes lie within this on both sides: the square of the web's Mercator maps (EPSG:3857).
pub const LATITUDE_MAX: f64 = 85.051_128_78;

/// The earth's radius in meters: the quadratic mean of WGS 84.
const EARTH_RADIUS_M: f64 = 6_372_797.560856;
/// Half of the equator on Mercator maps, in meters.
const MERCATOR_MAX_M: f64 = 20_037_726.37;
/// Bits of each coordinate.
const STEPS_MAX: u32 = 26;
/// Latitudes of the standard geohash.
const STANDARD_LATITUDE_MAX: f64 = 90.0;
/// The digits of the standard geohash.
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// Digits of a geohash text.
pub const GEOHASH_TEXT_BYTES: usize = 11;

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

/// The form of an area, in a unit of so many meters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// All places up to so far from the centre.
    Circle {
        /// Distance from the centre.
        radius: f64,
    },
    /// A rectangle along the meridians, around the centre.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
}

/// An area around a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Its middle.
    pub center: Point,
    /// Its form.
    pub shape: Shape,
    /// Meters of the shape's unit.
    pub unit_m: f64,
}

/// The bits of a number at the even places.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// The bits that stand at the even places.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

/// A square of the map at one of the resolutions; the whole map is one of `1 << steps` columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    column: u32,
    row: u32,
    steps: u32,
}

impl Cell {
    /// The square of a place, on a map up to this latitude. At the northern and eastern edge it lies one beyond the map.
    fn of(point: Point, latitude_max: f64, steps: u32) -> Cell {
        let scale = (1_u64 << steps) as f64;
        let row = (point.latitude + latitude_max) / (latitude_max + latitude_max) * scale;
        let column = (point.longitude + LONGITUDE_MAX) / (LONGITUDE_MAX + LONGITUDE_MAX) * scale;
        Cell { column: column as u32, row: row as u32, steps }
    }

    fn bits(self) -> u64 {
        spread(self.row) | spread(self.column) << 1
    }

    fn of_bits(bits: u64, steps: u32) -> Cell {
        Cell { row: gather(bits), column: gather(bits >> 1), steps }
    }

    /// Where a column or row begins, on an axis up to `max` on both sides.
    fn edge(self, index: u32, max: f64) -> f64 {
        -max + f64::from(index) / (1_u64 << self.steps) as f64 * (max + max)
    }

    fn latitudes(self) -> (f64, f64) {
        (self.edge(self.row, LATITUDE_MAX), self.edge(self.row.wrapping_add(1), LATITUDE_MAX))
    }

    fn longitudes(self) -> (f64, f64) {
        (self.edge(self.column, LONGITUDE_MAX), self.edge(self.column.wrapping_add(1), LONGITUDE_MAX))
    }

    /// The square so many columns and rows further, around the map where it ends.
    fn moved(self, columns: i32, rows: i32) -> Cell {
        let mask = ((1_u64 << self.steps) - 1) as u32;
        let along = |index: u32, by: i32| if by == 0 { index } else { index.wrapping_add_signed(by) & mask };
        Cell { column: along(self.column, columns), row: along(self.row, rows), ..self }
    }

    /// The scores of the places in it.
    fn scores(self) -> Range<u64> {
        let shift = 2 * (STEPS_MAX - self.steps);
        self.bits() << shift..(self.bits() + 1) << shift
    }
}

impl Point {
    /// Whether both coordinates are on the map.
    pub fn is_valid(self) -> bool {
        (-LONGITUDE_MAX..=LONGITUDE_MAX).contains(&self.longitude)
            && (-LATITUDE_MAX..=LATITUDE_MAX).contains(&self.latitude)
    }

    /// The number of a place on the map.
    pub fn encode(self) -> u64 {
        Cell::of(self, LATITUDE_MAX, STEPS_MAX).bits()
    }

    /// The place of a number: the middle of its square.
    pub fn decode(score: f64) -> Point {
        const SIGNED_MAX: f64 = (1_u64 << 63) as f64;
        // Any score can be asked for; one that is no geohash is taken as C's cast takes it on x86_64.
        let bits = if score < SIGNED_MAX {
            score as i64 as u64
        } else if score < 2.0 * SIGNED_MAX {
            score as u64
        } else {
            0
        };
        let cell = Cell::of_bits(bits, STEPS_MAX);
        let middle = |(low, high): (f64, f64), max: f64| ((low + high) / 2.0).clamp(-max, max);
        Point { longitude: middle(cell.longitudes(), LONGITUDE_MAX), latitude: middle(cell.latitudes(), LATITUDE_MAX) }
    }

    /// The text of the standard geohash. Its last digit has no bits left and is always 0.
    pub fn geohash_text(self) -> [u8; GEOHASH_TEXT_BYTES] {
        let bits = Cell::of(self, STANDARD_LATITUDE_MAX, STEPS_MAX).bits();
        std::array::from_fn(|index| {
            let shift = (2 * STEPS_MAX as usize).checked_sub(5 * (index + 1));
            ALPHABET[shift.map_or(0, |shift| (bits >> shift) as usize & 31)]
        })
    }

    /// Meters to another place.
    pub fn distance_m(self, other: Point) -> f64 {
        let half_sine = ((radians(other.longitude) - radians(self.longitude)) / 2.0).sin();
        if half_sine == 0.0 {
            return self.north_south_m(other);
        }
        let (latitude, other_latitude) = (radians(self.latitude), radians(other.latitude));
        let rise = ((other_latitude - latitude) / 2.0).sin();
        let haversine = rise * rise + latitude.cos() * other_latitude.cos() * half_sine * half_sine;
        2.0 * EARTH_RADIUS_M * haversine.sqrt().asin()
    }

    /// Meters between the circles of latitude of two places.
    fn north_south_m(self, other: Point) -> f64 {
        EARTH_RADIUS_M * (radians(other.latitude) - radians(self.latitude)).abs()
    }
}

fn radians(degrees: f64) -> f64 {
    degrees * (PI / 180.0)
}

fn degrees(radians: f64) -> f64 {
    radians / (PI / 180.0)
}

/// The resolution at which nine squares cover most circles of this radius.
fn steps_for(radius_m: f64, latitude: f64) -> u32 {
    if radius_m == 0.0 {
        return STEPS_MAX;
    }
    let (mut reach_m, mut steps) = (radius_m, 1_i32);
    while reach_m < MERCATOR_MAX_M {
        reach_m *= 2.0;
        steps += 1;
    }
    // A square's width, and its height beside it; meridians draw nearer to each other towards the poles.
    steps -= 2 + i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    steps.clamp(1, STEPS_MAX as i32) as u32
}

impl Area {
    /// Meters from the centre to a place, if that lies in the area.
    pub fn distance_m(&self, point: Point) -> Option<f64> {
        match self.shape {
            Shape::Circle { radius } => {
                let distance_m = self.center.distance_m(point);
                (distance_m <= radius * self.unit_m).then_some(distance_m)
            }
            Shape::Box { width, height } => {
                if point.north_south_m(self.center) > height * self.unit_m / 2.0 {
                    return None;
                }
                let beside = Point { longitude: self.center.longitude, ..point };
                let is_inside = point.distance_m(beside) <= width * self.unit_m / 2.0;
                is_inside.then(|| self.center.distance_m(point))
            }
        }
    }

    /// From the centre to the edges, to the east and to the north, and to the furthest place; in meters.
    fn reaches_m(&self) -> (f64, f64, f64) {
        match self.shape {
            Shape::Circle { radius } => (self.unit_m * radius, self.unit_m * radius, radius * self.unit_m),
            Shape::Box { width, height } => {
                let (east, north) = (width / 2.0, height / 2.0);
                let corner = (east * east + north * north).sqrt();
                (self.unit_m * east, self.unit_m * north, corner * self.unit_m)
            }
        }
    }

    /// The least and the greatest longitude, and the same for latitude.
    fn edges(&self) -> ((f64, f64), (f64, f64)) {
        let Point { longitude, latitude } = self.center;
        let (east_m, north_m, _) = self.reaches_m();
        let rise = degrees(north_m / EARTH_RADIUS_M);
        // The edge nearer to the pole spans more meridians.
        let polar = if latitude < 0.0 { latitude - rise } else { latitude + rise };
        let span = degrees(east_m / EARTH_RADIUS_M / radians(polar).cos());
        ((longitude - span, longitude + span), (latitude - rise, latitude + rise))
    }

    /// Ranges of scores in which all places of the area lie (and others too), none twice.
    pub fn scores(&self) -> impl Iterator<Item = Range<u64>> {
        let ((west, east), (south, north)) = self.edges();
        let (_, _, reach_m) = self.reaches_m();
        let mut steps = steps_for(reach_m, self.center.latitude);
        let mut center = Cell::of(self.center, LATITUDE_MAX, steps);
        // The centre may lie so near to an edge of its square that the neighbour on that side does not reach far enough.
        let is_short = center.moved(0, 1).latitudes().1 < north
            || center.moved(0, -1).latitudes().0 > south
            || center.moved(1, 0).longitudes().1 < east
            || center.moved(-1, 0).longitudes().0 > west;
        if steps > 1 && is_short {
            steps -= 1;
            center = Cell::of(self.center, LATITUDE_MAX, steps);
        }
        // Sides that the square of the centre reaches beyond need no neighbours, unless a map of four squares wraps around.
        let ((own_west, own_east), (own_south, own_north)) = (center.longitudes(), center.latitudes());
        let is_fine = steps >= 2;
        let no_north = is_fine && own_north > north;
        let no_south = is_fine && own_south < south;
        let no_east = is_fine && own_east > east;
        let no_west = is_fine && own_west < west;
        const AROUND: [(i32, i32); 8] = [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut last = None;
        let around = AROUND.into_iter().filter_map(move |(columns, rows)| {
            let is_needless = (rows > 0 && no_north)
                || (rows < 0 && no_south)
                || (columns > 0 && no_east)
                || (columns < 0 && no_west);
            let cell = center.moved(columns, rows);
            // On a map of four squares both neighbours along an axis are one.
            if is_needless || last == Some(cell) {
                return None;
            }
            last = Some(cell);
            Some(cell.scores())
        });
        std::iter::once(center.scores()).chain(around)
    }
}

#[cfg(test)]
#[path = "geo_tests.rs"]
mod tests;
