//! Known places and distances, and areas against a look at every place.

use super::*;
use crate::stdx::random::Random;

const PALERMO: Point = Point { longitude: 13.361389, latitude: 38.115556 };
const CATANIA: Point = Point { longitude: 15.087269, latitude: 37.502669 };

fn point(longitude: f64, latitude: f64) -> Point {
    Point { longitude, latitude }
}

#[test]
fn known_places() {
    // The examples of Redis' manual.
    assert_eq!(PALERMO.encode(), 3_479_099_956_230_698);
    assert_eq!(CATANIA.encode(), 3_479_447_370_796_909);
    assert_eq!(&PALERMO.geohash_text(), b"sqc8b49rny0");
    assert_eq!(&CATANIA.geohash_text(), b"sqdtr74hyu0");
    let (palermo, catania) = (Point::decode(3_479_099_956_230_698.0), Point::decode(3_479_447_370_796_909.0));
    assert_eq!(palermo, point(13.361_389_338_970_184, 38.115_556_395_496_3));
    assert_eq!(catania, point(15.087_267_458_438_873, 37.502_668_423_331_62));
    assert_eq!(palermo.distance_m(catania), 166_274.151_569_600_33);
    assert_eq!(palermo.distance_m(palermo), 0.0);
}

#[test]
fn edges_of_the_map() {
    for (longitude, latitude) in [(180.0, LATITUDE_MAX), (-180.0, -LATITUDE_MAX), (180.0, 0.0), (0.0, LATITUDE_MAX)] {
        let place = point(longitude, latitude);
        assert!(place.is_valid());
        let near = Point::decode(place.encode() as f64);
        assert!((near.latitude - latitude).abs() < 0.001 && (near.longitude.abs() - longitude.abs()).abs() < 0.001);
    }
    assert!(!point(180.1, 0.0).is_valid());
    assert!(!point(0.0, -85.06).is_valid());
    assert!(!point(f64::NAN, 0.0).is_valid());
    for score in [-1.0, -1e300, 1e300, f64::INFINITY, f64::NEG_INFINITY, 0.5, 1e19] {
        assert!(Point::decode(score).is_valid(), "{score}");
    }
}

fn random_point(random: &mut Random) -> Point {
    let fraction = |random: &mut Random| random.below(1_000_001) as f64 / 500_000.0 - 1.0;
    point(fraction(random) * LONGITUDE_MAX, fraction(random) * LATITUDE_MAX)
}

#[test]
fn numbers_are_places() {
    let mut random = Random::new(1);
    for _ in 0..2000 {
        let place = random_point(&mut random);
        let near = Point::decode(place.encode() as f64);
        assert!(place.distance_m(near) < 1.0, "{place:?} {near:?}");
        let cell = Cell::of(place, LATITUDE_MAX, 26);
        assert_eq!(Cell::of_bits(cell.bits(), 26), cell);
        assert_eq!(place.distance_m(near), near.distance_m(place));
    }
}

/// Whether all of the area lies between the meridians and circles where maps do not wrap around.
fn is_on_the_map(area: &Area) -> bool {
    let ((west, east), (south, north)) = area.edges();
    west > -LONGITUDE_MAX && east < LONGITUDE_MAX && south > -LATITUDE_MAX && north < LATITUDE_MAX
}

#[test]
fn the_squares_of_an_area_hold_all_its_places() {
    let mut random = Random::new(2);
    let (mut inside, mut areas) = (0, 0);
    for _ in 0..3000 {
        let center = random_point(&mut random);
        let size = (random.below(2_000_000) + 1) as f64;
        let shape = match random.below(2) {
            0 => Shape::Circle { radius: size },
            _ => Shape::Box { width: size, height: (random.below(2_000_000) + 1) as f64 },
        };
        let area = Area { center, shape, unit_m: 1.0 };
        let ranges: Vec<Range<u64>> = area.scores().collect();
        assert!(ranges.len() <= 9);
        for (index, range) in ranges.iter().enumerate() {
            assert!(range.start < range.end);
            assert!(ranges[..index].iter().all(|other| other.end <= range.start || range.end <= other.start));
        }
        if !is_on_the_map(&area) {
            continue;
        }
        areas += 1;
        for _ in 0..20 {
            let near = point(
                center.longitude + (random.below(2001) as f64 - 1000.0) / 100.0,
                (center.latitude + (random.below(2001) as f64 - 1000.0) / 100.0).clamp(-LATITUDE_MAX, LATITUDE_MAX),
            );
            let score = near.encode();
            if area.distance_m(Point::decode(score as f64)).is_some() {
                inside += 1;
                assert!(ranges.iter().any(|range| range.contains(&score)), "{area:?} {near:?}");
            }
        }
    }
    assert!(areas > 1000 && inside > 3000, "{inside} places in {areas} areas");
}
