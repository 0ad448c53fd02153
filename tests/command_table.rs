//! Compares what COMMAND says of every command with stock redis-server: arity, flags, keys, ACL categories, tips, versions,
//! arguments. All differences are printed at once; those that must be (Redis 7.4 against the oracle's 7.0) stand in
//! `ALLOWED`, with their reasons, for as long as there is a difference. Summaries, complexities and histories are our own
//! words and are not compared.

mod support;

use ringfort::command::spec::OWN_GROUP;
use ringfort::command::syntax::{self, Argument, ArgumentType};
use support::client::Client;
use support::server::{Server, Target, redis_version, skip_without_redis};
use support::value::Value;

/// Differences that are meant: commands, field, reason.
type Allowed = (&'static [&'static str], &'static str, &'static str);

/// The version that `ALLOWED` is written for.
const ORACLE: (u32, u32) = (7, 0);

const ALLOWED: &[Allowed] = &[
    (
        &[
            "acl|cat",
            "bitcount",
            "bitfield",
            "bitfield_ro",
            "bitpos",
            "client|kill",
            "client|list",
            "client|reply",
            "client|unblock",
            "config|get",
            "config|set",
            "flushall",
            "flushdb",
            "geoadd",
            "georadius",
            "georadius_ro",
            "georadiusbymember",
            "georadiusbymember_ro",
            "geosearch",
            "geosearchstore",
            "hello",
            "hmset",
            "hset",
            "lcs",
            "mset",
            "msetnx",
            "pfmerge",
            "shutdown",
            "sort",
            "sort_ro",
            "xadd",
            "xclaim",
            "xgroup|create",
            "xgroup|createconsumer",
            "xgroup|delconsumer",
            "xgroup|destroy",
            "xgroup|setid",
            "xinfo|consumers",
            "xinfo|stream",
            "xreadgroup",
            "xsetid",
            "zadd",
            "zrange",
            "zrangebylex",
            "zrangebyscore",
            "zrangestore",
            "zrevrangebylex",
            "zrevrangebyscore",
        ],
        "syntax",
        "7.2 gave arguments better names, and display texts where the old names were those",
    ),
    (&["command|getkeys", "command|getkeysandflags"], "syntax", "7.2 lists their arguments"),
    (&["command|getkeys", "command|getkeysandflags"], "arity", "7.2 takes commands without arguments too"),
    (&["bzpopmax", "bzpopmin"], "flags", "7.2 allows them in scripts, where they do not wait"),
    (&["function|flush", "script|flush"], "syntax", "7.2 renamed the argument"),
    (&["hscan"], "syntax", "7.4 has NOVALUES"),
    (&["keys"], "arity", "KEYS alone means all keys here"),
    (&["keys"], "syntax", "likewise"),
    (&["set"], "syntax", "8.4 has conditions on the old value"),
    (&["geohash", "geopos"], "syntax", "7.2 says that they may be asked for nothing"),
    (&["zrank", "zrevrank"], "syntax", "WITHSCORE came with 7.2"),
    (&["zrank", "zrevrank"], "arity", "likewise"),
    (&["client|pause"], "since", "7.2 names the first stable version instead of the unstable 2.9.50"),
    (&["acl|deluser", "acl|save", "acl|setuser", "client|setname", "config|resetstat", "config|rewrite"], "tips", "cluster tips came with 7.2"),
    (&["randomkey", "scan"], "tips", "the tip on merging replies came after 7.2"),
    (&["blmove", "blpop", "brpop", "brpoplpush"], "flags", "scripts may run them since 7.2: there they do not wait"),
    (&["bitop"], "syntax", "8.2 added four operations"),
    (&["msetnx"], "tips", "7.2 took its tips away: it cannot be split over nodes"),
    (&["sinterstore"], "key specifications", "7.4 says that it overwrites, as the other two always did"),
    (&["psubscribe"], "syntax", "7.2 lists its patterns without a block around them"),
    (&["psetex", "quit", "setex", "setnx"], "doc_flags", "deprecated by 7.2"),
    (&["psetex", "quit", "setex", "setnx"], "deprecated_since", "deprecated by 7.2, in part from an older version on"),
    (&["psetex", "quit", "setex", "setnx"], "replaced_by", "deprecated by 7.2"),
];

// ---- replies as tables of fields ----

/// The value of a field in a flat list of names and values (RESP2's form of a map).
fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    map.items().chunks(2).find(|pair| pair[0].plain() == name.as_bytes()).map(|pair| &pair[1])
}

fn text(value: &Value) -> String {
    String::from_utf8_lossy(&value.plain()).into_owned()
}

fn text_of(map: &Value, name: &str) -> String {
    field(map, name).map(text).unwrap_or_default()
}

/// The texts of a list, in alphabetical order.
fn texts(list: &Value) -> String {
    let mut texts: Vec<String> = list.items().iter().map(text).collect();
    texts.sort();
    texts.join(" ")
}

type Fields = Vec<(&'static str, String)>;

/// An entry of COMMAND INFO, subcommands left out.
fn info_fields(entry: &Value) -> Fields {
    let items = entry.items();
    let specs: Vec<String> = items[8].items().iter().map(key_spec).collect();
    vec![
        ("name", text(&items[0])),
        ("arity", text(&items[1])),
        ("flags", texts(&items[2])),
        ("keys", [text(&items[3]), text(&items[4]), text(&items[5])].join(" ")),
        ("categories", texts(&items[6])),
        ("tips", texts(&items[7])),
        ("key specifications", specs.join("; ")),
    ]
}

fn key_spec(spec: &Value) -> String {
    let search = |name| {
        let search = field(spec, name).expect("a key specification has both searches");
        let numbers: Vec<String> =
            field(search, "spec").expect("a search has a spec").items().iter().map(text).collect();
        format!("{} {}", text_of(search, "type"), numbers.join(" "))
    };
    let flags = field(spec, "flags").map(texts).unwrap_or_default();
    format!("[{flags}] {}, {}", search("begin_search"), search("find_keys"))
}

/// A map of COMMAND DOCS, subcommands left out.
fn docs_fields(docs: &Value) -> Fields {
    let arguments = field(docs, "arguments").map(|list| list.items()).unwrap_or_default();
    let mut next_key_spec = 0;
    vec![
        ("since", text_of(docs, "since")),
        ("group", text_of(docs, "group")),
        ("doc_flags", field(docs, "doc_flags").map(texts).unwrap_or_default()),
        ("deprecated_since", text_of(docs, "deprecated_since")),
        ("replaced_by", field(docs, "replaced_by").map(|_| "yes".to_owned()).unwrap_or_default()),
        ("syntax", sequence(arguments, &mut next_key_spec, false)),
    ]
}

// ---- argument trees in the notation of src/command/syntax.rs ----

fn sequence(arguments: &[Value], next_key_spec: &mut usize, display: bool) -> String {
    let items: Vec<String> = arguments.iter().map(|argument| notation(argument, next_key_spec, display)).collect();
    items.join(" ")
}

fn quoted_token(token: &str) -> String {
    let plain = token.starts_with(|first: char| first.is_ascii_uppercase())
        && token.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
    if plain { token.to_owned() } else { format!("'{token}'") }
}

fn quoted_name(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
    if plain { name.to_owned() } else { format!("`{name}`") }
}

fn notation(argument: &Value, next_key_spec: &mut usize, display: bool) -> String {
    let flags = field(argument, "flags").map(texts).unwrap_or_default();
    let (optional, token) = (flags.contains("optional"), field(argument, "token").map(text));
    let repeats_token = flags.contains("multiple_token");
    let mut out = if optional { "[".to_owned() } else { String::new() };
    out.push_str(&part(argument, token.as_deref(), next_key_spec, display));
    if flags.split(' ').any(|flag| flag == "multiple") && !repeats_token {
        out.push_str("...");
    }
    for (mark, name) in [('@', "since"), ('!', "deprecated_since")] {
        if let Some(version) = field(argument, name) {
            out.push(mark);
            out.push_str(&text(version));
        }
    }
    out.push_str(if optional { "]" } else { "" });
    out.push_str(if repeats_token { "..." } else { "" });
    out
}

fn part(argument: &Value, token: Option<&str>, next_key_spec: &mut usize, display: bool) -> String {
    let (name, kind) = (text_of(argument, "name"), text_of(argument, "type"));
    let below = || field(argument, "arguments").map(|list| list.items()).unwrap_or_default();
    let mut out = String::new();
    if let Some(token) = token {
        if kind == "pure-token" {
            let named = if token.to_lowercase() == name { String::new() } else { quoted_name(&name) + "=" };
            return named + &quoted_token(token);
        }
        out.push_str(&quoted_token(token));
        out.push(' ');
    }
    out.push_str(&quoted_name(&name));
    match kind.as_str() {
        "oneof" => {
            let items: Vec<String> = below().iter().map(|item| notation(item, next_key_spec, display)).collect();
            return format!("{out}({})", items.join(" | "));
        }
        "block" => return format!("{out}{{{}}}", sequence(below(), next_key_spec, display)),
        _ => {}
    }
    if display && let Some(text) = field(argument, "display_text").map(text).filter(|text| *text != name) {
        out.push_str(&format!("<{text}>"));
    }
    if kind != if name == "key" { "key" } else { "string" } {
        out.push(':');
        out.push_str(&kind);
    }
    if let Some(index) = field(argument, "key_spec_index").map(|index| index.integer() as usize) {
        if kind != "key" || index != *next_key_spec {
            out.push_str(&format!("#{index}"));
        }
        *next_key_spec = index + 1;
    }
    out
}

/// What `notation` does, for a tree that our parser made; with it a round trip shows that nothing is lost.
fn value_of(argument: &Argument<'_>) -> Value {
    let bulk = |text: &str| Value::Bulk(text.as_bytes().to_vec());
    let mut items = vec![bulk("name"), bulk(&argument.name), bulk("type"), bulk(argument.kind.name())];
    let texts = [
        ("token", argument.token),
        ("since", argument.since),
        ("deprecated_since", argument.deprecated_since),
        ("display_text", argument.display),
    ];
    items.extend(texts.into_iter().filter_map(|(name, value)| Some([bulk(name), bulk(value?)])).flatten());
    if let Some(index) = argument.key_spec {
        items.extend([bulk("key_spec_index"), Value::Integer(index as i64)]);
    }
    let flags =
        [("optional", argument.optional), ("multiple", argument.multiple), ("multiple_token", argument.multiple_token)];
    let flags = flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| bulk(name)).collect();
    items.extend([bulk("flags"), Value::Array(flags)]);
    if matches!(argument.kind, ArgumentType::OneOf | ArgumentType::Block) {
        items.extend([bulk("arguments"), Value::Array(argument.arguments.iter().map(value_of).collect())]);
    }
    Value::Array(items)
}

// ---- the comparison ----

/// All fields of a command, or `None` for one the server does not have.
fn describe(client: &mut Client, name: &str) -> Option<Fields> {
    let info = client.call(&["COMMAND", "INFO", name]);
    let entry = &info.items()[0];
    if !matches!(entry, Value::Array(_)) {
        return None;
    }
    let docs = client.call(&["COMMAND", "DOCS", name]);
    let mut fields = info_fields(entry);
    fields.extend(docs_fields(&docs.items()[1]));
    Some(fields)
}

fn names(client: &mut Client) -> Vec<String> {
    let mut names: Vec<String> = client.call(&["COMMAND", "LIST"]).items().iter().map(text).collect();
    names.sort();
    names
}

fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|number| number.parse().expect("a version has numbers"));
    (numbers.next().expect("major"), numbers.next().expect("minor"))
}

/// Where ours differs from theirs, as (command, field, text).
fn differences(ours: &mut Client, theirs: &mut Client) -> Vec<(String, &'static str, String)> {
    let mut found = Vec::new();
    for name in names(ours) {
        let own = describe(ours, &name).expect("a listed command has an entry");
        let Some(other) = describe(theirs, &name) else {
            if own.iter().any(|(field, text)| *field == "group" && text == OWN_GROUP) {
                continue;
            }
            let since = &own.iter().find(|(field, _)| *field == "since").expect("a version").1;
            if Some(version(since)) <= redis_version() {
                found.push((name, "since", format!("{since}, but redis-server does not have it")));
            }
            continue;
        };
        for ((label, own), (_, other)) in own.into_iter().zip(other) {
            if own != other {
                found.push((name.clone(), label, format!("ours  {own}\n        redis {other}")));
            }
        }
    }
    found
}

#[test]
fn every_command_is_described_as_by_redis() {
    if skip_without_redis() {
        return;
    }
    let (ringfort, redis) = (Server::start(Target::Ringfort { shards: 1 }), Server::start(Target::Redis));
    let found = differences(&mut ringfort.connect(), &mut redis.connect());
    let allowed = |name: &str, label: &str| {
        ALLOWED.iter().any(|(commands, field, _)| commands.contains(&name) && *field == label)
    };
    let mut report = String::new();
    for (name, label, text) in found.iter().filter(|(name, label, _)| !allowed(name, label)) {
        report.push_str(&format!("{name}: {label}\n        {text}\n"));
    }
    for (commands, label, _) in ALLOWED.iter().filter(|_| redis_version() == Some(ORACLE)) {
        let rotten = |command: &&&str| !found.iter().any(|(name, field, _)| name == **command && field == label);
        for command in commands.iter().filter(rotten) {
            report.push_str(&format!("{command}: {label} does not differ: take it from ALLOWED\n"));
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn every_argument_tree_of_redis_can_be_written() {
    if skip_without_redis() {
        return;
    }
    let redis = Server::start(Target::Redis);
    let mut client = redis.connect();
    for name in names(&mut client) {
        let docs = client.call(&["COMMAND", "DOCS", &name]);
        let Some(arguments) = field(&docs.items()[1], "arguments").map(|list| list.items().to_vec()) else { continue };
        let written = sequence(&arguments, &mut 0, true);
        let parsed = syntax::parse(&written).unwrap_or_else(|error| panic!("{name}: {written}: {error:?}"));
        let again: Vec<Value> = parsed.iter().map(value_of).collect();
        assert_eq!(sequence(&again, &mut 0, true), written, "{name}");
    }
}

#[test]
fn names_are_looked_up_as_by_redis() {
    if skip_without_redis() {
        return;
    }
    let (ringfort, redis) = (Server::start(Target::Ringfort { shards: 1 }), Server::start(Target::Redis));
    let (mut ours, mut theirs) = (ringfort.connect(), redis.connect());
    for name in
        ["GET", "get|x", "command|COUNT", "Command|Info", "command|", "|", "", "command|count|x", "nosuch", "get "]
    {
        let first = |client: &mut Client| client.call(&["COMMAND", "INFO", name]).items()[0].to_string();
        let line = |text: String| text.lines().next().map(str::to_owned);
        assert_eq!(line(first(&mut ours)), line(first(&mut theirs)), "COMMAND INFO {name}");
    }
    for arguments in [
        &["LIST", "FILTERBY"][..],
        &["LIST", "FILTERBY", "ACLCAT"],
        &["LIST", "FILTERBY", "x", "y"],
        &["LIST", "FILTERBY", "ACLCAT", "nosuch"],
        &["LIST", "filterby", "pattern", "GE[T]"],
        &["LIST", "FILTERBY", "MODULE", "nosuch"],
        &["LIST", "FILTERBY", "PATTERN", "get", "x"],
        &["DOCS", "nosuch"],
        &["COUNT", "x"],
        &["NOSUCH"],
    ] {
        let request = [&["COMMAND"], arguments].concat();
        assert_eq!(ours.call(&request), theirs.call(&request), "{request:?}");
    }
}
