//! The tests of `redis-benchmark`: their names, titles and requests.

use super::arguments::Settings;
use crate::remote::Pipeline;

/// Stands for a random number.
const RANDOM: &[u8] = b"__rand_int__";

/// One test.
#[derive(Clone, Debug)]
pub struct Test {
    /// "SET", "LRANGE_100 (first 100 elements)".
    pub title: String,
    /// The bytes of one pipeline.
    pub bytes: Vec<u8>,
    /// Where in these bytes random numbers go.
    pub places: Vec<usize>,
}

impl Test {
    fn new(settings: &Settings, title: &str, words: &[&[u8]]) -> Test {
        let mut pipeline = Pipeline::new();
        for _ in 0..settings.pipeline {
            pipeline.command(words);
        }
        Test::of_bytes(settings, title, pipeline.bytes().to_vec())
    }

    fn of_bytes(settings: &Settings, title: &str, bytes: Vec<u8>) -> Test {
        let places = match settings.random_range {
            Some(_) => memchr::memmem::find_iter(&bytes, RANDOM).collect(),
            None => Vec::new(),
        };
        Test { title: title.to_string(), bytes, places }
    }
}

/// The tests asked for, in redis-benchmark's order.
pub fn wanted(settings: &Settings) -> Vec<Test> {
    if !settings.command.is_empty() {
        let words: Vec<&[u8]> = settings.command.iter().map(Vec::as_slice).collect();
        let title = String::from_utf8_lossy(&words.join(&b' ')).into_owned();
        return vec![Test::new(settings, &title, &words)];
    }
    let is_wanted = |names: &[&str]| {
        settings.tests.is_empty() || names.iter().any(|name| settings.tests.iter().any(|wanted| wanted == name))
    };
    let data = vec![b'x'; settings.data_bytes];
    let mut tests = Vec::new();
    if is_wanted(&["ping_inline", "ping"]) {
        tests.push(Test::of_bytes(settings, "PING_INLINE", b"PING\r\n".repeat(settings.pipeline)));
    }
    let score: &[u8] = if settings.random_range.is_some() { RANDOM } else { b"0" };
    let (key, element): (&[u8], &[u8]) = (b"key:__rand_int__", b"element:__rand_int__");
    let simple: [(&str, &[&[u8]]); 12] = [
        ("PING_MBULK", &[b"PING"]),
        ("SET", &[b"SET", key, &data]),
        ("GET", &[b"GET", key]),
        ("INCR", &[b"INCR", b"counter:__rand_int__"]),
        ("LPUSH", &[b"LPUSH", b"mylist", &data]),
        ("RPUSH", &[b"RPUSH", b"mylist", &data]),
        ("LPOP", &[b"LPOP", b"mylist"]),
        ("RPOP", &[b"RPOP", b"mylist"]),
        ("SADD", &[b"SADD", b"myset", element]),
        ("HSET", &[b"HSET", b"myhash", element, &data]),
        ("SPOP", &[b"SPOP", b"myset"]),
        ("ZADD", &[b"ZADD", b"myzset", score, element]),
    ];
    for (title, words) in simple {
        let name = title.to_ascii_lowercase();
        if is_wanted(&[&name, if name == "ping_mbulk" { "ping" } else { &name }]) {
            tests.push(Test::new(settings, title, words));
        }
    }
    if is_wanted(&["zpopmin"]) {
        tests.push(Test::new(settings, "ZPOPMIN", &[b"ZPOPMIN", b"myzset"]));
    }
    if is_wanted(&["lrange", "lrange_100", "lrange_300", "lrange_500", "lrange_600"]) {
        tests.push(Test::new(settings, "LPUSH (needed to benchmark LRANGE)", &[b"LPUSH", b"mylist", &data]));
    }
    for count in [100, 300, 500, 600] {
        if is_wanted(&["lrange", &format!("lrange_{count}")]) {
            let title = format!("LRANGE_{count} (first {count} elements)");
            let last = (count - 1).to_string();
            tests.push(Test::new(settings, &title, &[b"LRANGE", b"mylist", b"0", last.as_bytes()]));
        }
    }
    if is_wanted(&["mset"]) {
        let mut words: Vec<&[u8]> = vec![b"MSET"];
        for _ in 0..10 {
            words.extend([key, data.as_slice()]);
        }
        tests.push(Test::new(settings, "MSET (10 keys)", &words));
    }
    tests
}
