//! The members in an area: GEOSEARCH and GEOSEARCHSTORE, and GEORADIUS and its kin, which they replaced.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::sorted_set::{limits, reply_element, set_of};
use crate::command::spec::{self, BeginSearch, Command, Flags, KeySpec, Run};
use crate::keyspace::write::Expiry;
use crate::resp::reply::Reply;
use crate::stdx::number;
use crate::value::geo::{Area, Point, Shape};
use crate::value::listpack::Element;
use crate::value::sorted_set::{ScoreRange, SortedSet};

use super::read::point_of;
use super::{GEO, point, reply_distance, reply_point, unit_m};

/// Where GEORADIUS and GEORADIUSBYMEMBER may be told to store. The router finds the first of each word.
const fn stored_at(word: &'static str, start_from: i32) -> KeySpec {
    KeySpec { begin: BeginSearch::Keyword(word, start_from), ..spec::one(&["OW", "update"]) }
}

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "georadius",
        arity: -6,
        run: Run::Keyed(georadius),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[spec::one(&["RO", "access"]), stored_at("STORE", 6), stored_at("STOREDIST", 6)],
        since: "3.2.0",
        summary: "Returns, or stores, the members within a distance of a place.",
        complexity: "O(M + log N), M members in the squares around the area and N in the set",
        syntax: "key longitude:double latitude:double radius:double unit(M | KM | FT | MI) [WITHCOORD] [WITHDIST] \
                 [WITHHASH] [count-block{COUNT count:integer [ANY@6.2.0]}] [order(ASC | DESC)] [store(STORE \
                 storekey<key>:key | STOREDIST storedistkey<key>:key)]",
        history: &[("6.2.0", "COUNT takes ANY."), ("7.0.0", "Units may be in upper case.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")),
        ..GEO
    },
    Command {
        name: "georadius_ro",
        arity: -6,
        run: Run::Keyed(georadius_ro),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "3.2.10",
        summary: "Returns the members within a distance of a place.",
        complexity: "O(M + log N), M members in the squares around the area and N in the set",
        syntax: "key longitude:double latitude:double radius:double unit(M | KM | FT | MI) [WITHCOORD] [WITHDIST] \
                 [WITHHASH] [count-block{COUNT count:integer [ANY@6.2.0]}] [order(ASC | DESC)]",
        history: &[("6.2.0", "COUNT takes ANY."), ("7.0.0", "Units may be in upper case.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")),
        ..GEO
    },
    Command {
        name: "georadiusbymember",
        arity: -5,
        run: Run::Keyed(georadiusbymember),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[spec::one(&["RO", "access"]), stored_at("STORE", 5), stored_at("STOREDIST", 5)],
        since: "3.2.0",
        summary: "Returns, or stores, the members within a distance of another member.",
        complexity: "O(M + log N), M members in the squares around the area and N in the set",
        syntax: "key member radius:double unit(M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] [count-block{COUNT \
                 count:integer [ANY]}] [order(ASC | DESC)] [store(STORE storekey<key>:key | STOREDIST \
                 storedistkey<key>:key)]",
        history: &[("6.2.0", "COUNT takes ANY."), ("7.0.0", "Units may be in upper case.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments")),
        ..GEO
    },
    Command {
        name: "georadiusbymember_ro",
        arity: -5,
        run: Run::Keyed(georadiusbymember_ro),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "3.2.10",
        summary: "Returns the members within a distance of another member.",
        complexity: "O(M + log N), M members in the squares around the area and N in the set",
        syntax: "key member radius:double unit(M | KM | FT | MI) [WITHCOORD] [WITHDIST] [WITHHASH] [count-block{COUNT \
                 count:integer [ANY]}] [order(ASC | DESC)]",
        history: &[("6.2.0", "COUNT takes ANY."), ("7.0.0", "Units may be in upper case.")],
        deprecated: Some(("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")),
        ..GEO
    },
    Command {
        name: "geosearch",
        arity: -7,
        run: Run::Keyed(geosearch),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "6.2.0",
        summary: "Returns the members in a circle or a box.",
        complexity: "O(M + log N), M members in the squares around the area and N in the set",
        syntax: "key from(FROMMEMBER member | FROMLONLAT fromlonlat{longitude:double latitude:double}) \
                 by(circle{BYRADIUS radius:double unit(M | KM | FT | MI)} | box{BYBOX width:double height:double \
                 unit(M | KM | FT | MI)}) [order(ASC | DESC)] [count-block{COUNT count:integer [ANY]}] [WITHCOORD] \
                 [WITHDIST] [WITHHASH]",
        history: &[("7.0.0", "Units may be in upper case.")],
        ..GEO
    },
    Command {
        name: "geosearchstore",
        arity: -8,
        run: Run::Keyed(geosearchstore),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[spec::one(&["OW", "update"]), spec::key_at(2, &["RO", "access"])],
        since: "6.2.0",
        summary: "Makes a sorted set of the members in a circle or a box.",
        complexity: "O(M + log N), M members in the squares around the area and N in the set",
        syntax: "destination:key source:key from(FROMMEMBER member | FROMLONLAT fromlonlat{longitude:double \
                 latitude:double}) by(circle{BYRADIUS radius:double unit(M | KM | FT | MI)} | box{BYBOX width:double \
                 height:double unit(M | KM | FT | MI)}) [order(ASC | DESC)] [count-block{COUNT count:integer [ANY]}] \
                 [STOREDIST]",
        history: &[("7.0.0", "Units may be in upper case.")],
        ..GEO
    },
];

/// Which command asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    kind: Kind,
    /// The argument of the set's key.
    source: usize,
    /// The argument of the first option.
    first: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// GEORADIUS. Options may say where to store, if they may.
    Around { can_store: bool },
    /// GEORADIUSBYMEMBER, likewise.
    AroundMember { can_store: bool },
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self.kind, Kind::Search | Kind::SearchStore)
    }

    /// Options may say where to store.
    fn can_be_told_to_store(self) -> bool {
        matches!(self.kind, Kind::Around { can_store: true } | Kind::AroundMember { can_store: true })
    }
}

/// What comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Nearest,
    Furthest,
}

/// Everything a command says.
#[derive(Clone, Copy, Debug, Default)]
struct Request {
    center: Option<Point>,
    /// The centre is told by FROMMEMBER, or by FROMLONLAT.
    from_member: bool,
    from_point: bool,
    shape: Option<(Shape, f64)>,
    with_distance: bool,
    with_hash: bool,
    with_point: bool,
    /// ANY: the first members found will do.
    any: bool,
    order: Option<Order>,
    /// Most members; 0 is no limit.
    count: usize,
    /// The argument of the key to store at.
    store: Option<usize>,
    /// Distances are stored, not geohashes.
    stores_distances: bool,
}

/// A member in the area.
struct Found<'a> {
    member: Element<'a>,
    score: f64,
    point: Point,
    distance_m: f64,
}

impl Request {
    /// Reads all arguments. `set` is the set at the source; without it, what depends on its members is passed over.
    fn parse(args: Args<'_>, form: Form, set: Option<&SortedSet>) -> Result<Request, CommandError> {
        let mut request = Request::default();
        match form.kind {
            Kind::Around { .. } => {
                request.center = Some(point(args, 2)?);
                request.shape = Some(circle(args, 4)?);
            }
            Kind::AroundMember { .. } if set.is_some() => {
                request.center = Some(known_member(args, 2, set)?);
                request.shape = Some(circle(args, 3)?);
            }
            Kind::AroundMember { .. } | Kind::Search => {}
            Kind::SearchStore => request.store = Some(1),
        }
        let mut index = form.first;
        while index < args.len() {
            let read = if form.is_search() { request.search_option(args, index, form, set)? } else { 0 };
            let read = if read == 0 { request.option(args, index, form)? } else { read };
            index += read;
        }
        request.check(args, form)?;
        Ok(request)
    }

    /// Reads an option of every form; returns how many arguments it has.
    fn option(&mut self, args: Args<'_>, index: usize, form: Form) -> Result<usize, CommandError> {
        let has_value = index + 1 < args.len();
        if args.is(index, b"withdist") {
            self.with_distance = true;
        } else if args.is(index, b"withhash") {
            self.with_hash = true;
        } else if args.is(index, b"withcoord") {
            self.with_point = true;
        } else if args.is(index, b"any") {
            self.any = true;
        } else if args.is(index, b"asc") {
            self.order = Some(Order::Nearest);
        } else if args.is(index, b"desc") {
            self.order = Some(Order::Furthest);
        } else if has_value && args.is(index, b"count") {
            let count = args.integer(index + 1)?;
            let count = usize::try_from(count).ok().filter(|&count| count > 0);
            self.count = count.ok_or(CommandError::Text("ERR COUNT must be > 0"))?;
            return Ok(2);
        } else if has_value && form.can_be_told_to_store() && args.is(index, b"store") {
            (self.store, self.stores_distances) = (Some(index + 1), false);
            return Ok(2);
        } else if has_value && form.can_be_told_to_store() && args.is(index, b"storedist") {
            (self.store, self.stores_distances) = (Some(index + 1), true);
            return Ok(2);
        } else {
            return Err(CommandError::Syntax);
        }
        Ok(1)
    }

    /// Reads an option of GEOSEARCH or GEOSEARCHSTORE; returns how many arguments it has, 0 when it is none of theirs.
    fn search_option(
        &mut self,
        args: Args<'_>,
        index: usize,
        form: Form,
        set: Option<&SortedSet>,
    ) -> Result<usize, CommandError> {
        let values = args.len() - index - 1;
        let is_box = matches!(self.shape, Some((Shape::Box { .. }, _)));
        let is_circle = matches!(self.shape, Some((Shape::Circle { .. }, _)));
        if form.kind == Kind::SearchStore && args.is(index, b"storedist") {
            self.stores_distances = true;
            Ok(1)
        } else if values >= 1 && !self.from_point && args.is(index, b"frommember") {
            if set.is_some() {
                self.center = Some(known_member(args, index + 1, set)?);
            }
            self.from_member = true;
            Ok(2)
        } else if values >= 2 && !self.from_member && args.is(index, b"fromlonlat") {
            self.center = Some(point(args, index + 1)?);
            self.from_point = true;
            Ok(3)
        } else if values >= 2 && !is_box && args.is(index, b"byradius") {
            self.shape = Some(circle(args, index + 1)?);
            Ok(3)
        } else if values >= 3 && !is_circle && args.is(index, b"bybox") {
            self.shape = Some(rectangle(args, index + 1)?);
            Ok(4)
        } else {
            Ok(0)
        }
    }

    fn check(&self, args: Args<'_>, form: Form) -> Result<(), CommandError> {
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_point) {
            return Err(CommandError::Text(match form.kind {
                Kind::SearchStore => {
                    "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
                }
                _ => "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
            }));
        }
        if form.is_search() && !self.from_member && !self.from_point {
            const MISSING: &str = "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ";
            return Err(CommandError::quoting(MISSING, args.get(0), ""));
        }
        if form.is_search() && self.shape.is_none() {
            const MISSING: &str = "ERR exactly one of BYRADIUS and BYBOX can be specified for ";
            return Err(CommandError::quoting(MISSING, args.get(0), ""));
        }
        if self.any && self.count == 0 {
            return Err(CommandError::Text("ERR the ANY argument requires COUNT argument"));
        }
        match self.store {
            Some(index) if !form.is_search() => check_routed(args, form.first, index),
            _ => Ok(()),
        }
    }

    /// The members of a set in the area.
    fn search<'a>(&self, set: &'a SortedSet) -> Vec<Found<'a>> {
        let (Some(center), Some((shape, unit_m))) = (self.center, self.shape) else { return Vec::new() };
        let area = Area { center, shape, unit_m };
        let enough = if self.any { self.count } else { usize::MAX };
        let mut found = Vec::new();
        for scores in area.scores() {
            let range = ScoreRange {
                min: scores.start as f64,
                min_excluded: false,
                max: scores.end as f64,
                max_excluded: true,
            };
            for entry in set.range(set.ranks(&range), false) {
                if found.len() >= enough {
                    return found;
                }
                let (score, member) = (entry.score(), entry.member);
                let point = Point::decode(score);
                if let Some(distance_m) = area.distance_m(point) {
                    found.push(Found { member, score, point, distance_m });
                }
            }
        }
        found
    }

    /// Puts members in order and leaves out those beyond the count.
    fn select(&self, found: &mut Vec<Found<'_>>) {
        // Without an order, a count means the nearest ones.
        let order = self.order.or((self.count > 0 && !self.any).then_some(Order::Nearest));
        match order {
            Some(Order::Nearest) => found.sort_by(|one, other| one.distance_m.total_cmp(&other.distance_m)),
            Some(Order::Furthest) => found.sort_by(|one, other| other.distance_m.total_cmp(&one.distance_m)),
            None => {}
        }
        if self.count > 0 {
            found.truncate(self.count);
        }
    }

    fn reply(&self, reply: &mut Reply, found: &[Found<'_>]) {
        let extras = [self.with_distance, self.with_hash, self.with_point].iter().filter(|with| **with).count();
        reply.array(found.len());
        for entry in found {
            if extras > 0 {
                reply.array(1 + extras);
            }
            reply_element(reply, entry.member);
            if self.with_distance {
                reply_distance(reply, self.in_unit(entry.distance_m));
            }
            if self.with_hash {
                reply.integer(entry.score as i64);
            }
            if self.with_point {
                reply_point(reply, entry.point);
            }
        }
    }

    fn in_unit(&self, distance_m: f64) -> f64 {
        self.shape.map_or(distance_m, |(_, unit_m)| distance_m / unit_m)
    }
}

/// The place of the member at an argument, which must be in the set.
fn known_member(args: Args<'_>, index: usize, set: Option<&SortedSet>) -> Result<Point, CommandError> {
    point_of(set, args.get(index)).ok_or(CommandError::Text("ERR could not decode requested zset member"))
}

/// A circle's radius and its unit.
fn circle(args: Args<'_>, index: usize) -> Result<(Shape, f64), CommandError> {
    let radius = number::parse_double(args.get(index)).ok_or(CommandError::Text("ERR need numeric radius"))?;
    if radius < 0.0 {
        return Err(CommandError::Text("ERR radius cannot be negative"));
    }
    Ok((Shape::Circle { radius }, unit_m(args, index + 1)?))
}

/// A box's width and height and their unit.
fn rectangle(args: Args<'_>, index: usize) -> Result<(Shape, f64), CommandError> {
    let width = number::parse_double(args.get(index)).ok_or(CommandError::Text("ERR need numeric width"))?;
    let height = number::parse_double(args.get(index + 1)).ok_or(CommandError::Text("ERR need numeric height"))?;
    if width < 0.0 || height < 0.0 {
        return Err(CommandError::Text("ERR height or width cannot be negative"));
    }
    Ok((Shape::Box { width, height }, unit_m(args, index + 2)?))
}

/// Refuses to store at an argument that the router did not take for a key: when the words STORE or STOREDIST come several
/// times. (Redis takes the last of them, but its access rules and its cluster see the first.)
fn check_routed(args: Args<'_>, first_option: usize, index: usize) -> Result<(), CommandError> {
    let is_routed = ["STORE", "STOREDIST"].iter().any(|word| {
        let keys = stored_at(word, first_option as i32).keys(args);
        keys.is_ok_and(|mut keys| keys.any(|key| key == index))
    });
    if is_routed { Ok(()) } else { Err(CommandError::Syntax) }
}

fn georadius(context: &mut Context<'_>) -> Result<(), CommandError> {
    search(context, Form { kind: Kind::Around { can_store: true }, source: 1, first: 6 })
}

fn georadius_ro(context: &mut Context<'_>) -> Result<(), CommandError> {
    search(context, Form { kind: Kind::Around { can_store: false }, source: 1, first: 6 })
}

fn georadiusbymember(context: &mut Context<'_>) -> Result<(), CommandError> {
    search(context, Form { kind: Kind::AroundMember { can_store: true }, source: 1, first: 5 })
}

fn georadiusbymember_ro(context: &mut Context<'_>) -> Result<(), CommandError> {
    search(context, Form { kind: Kind::AroundMember { can_store: false }, source: 1, first: 5 })
}

fn geosearch(context: &mut Context<'_>) -> Result<(), CommandError> {
    search(context, Form { kind: Kind::Search, source: 1, first: 2 })
}

fn geosearchstore(context: &mut Context<'_>) -> Result<(), CommandError> {
    search(context, Form { kind: Kind::SearchStore, source: 2, first: 3 })
}

fn search(context: &mut Context<'_>, form: Form) -> Result<(), CommandError> {
    let (args, limits) = (context.args, limits(context.config));
    let (set, reply) = context.read_collection::<SortedSet>(form.source)?;
    let request = Request::parse(args, form, set)?;
    let mut found = set.map_or_else(Vec::new, |set| request.search(set));
    request.select(&mut found);
    let Some(store) = request.store else {
        request.reply(reply, &found);
        return Ok(());
    };
    let score = |entry: &Found<'_>| {
        if request.stores_distances { request.in_unit(entry.distance_m) } else { entry.score }
    };
    let count = found.len();
    let result = set_of(found.iter().map(|entry| (score(entry), entry.member)).collect(), limits);
    let (mut key, reply) = context.open(store);
    reply.integer(count as i64);
    key.store(result, Expiry::Never);
    // Every member is a change.
    key.changed(count.saturating_sub(1));
    Ok(())
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
