//! `--scan`, `--bigkeys`, `--memkeys` and `--hotkeys`: walks over the keyspace with SCAN.

use std::process::ExitCode;

use super::arguments::Settings;
use super::format::Format;
use super::link::Link;
use super::terminal::{self, complain, print};
use crate::remote::{Client, Error, FromReply, Pipeline, Value};
use crate::stdx::quote::quote;

/// SCANs after which `-i` pauses.
const CYCLE: u64 = 100;
/// Keys that `--hotkeys` tells.
const HOT_KEYS_MAX: usize = 16;

/// How the size of a type is asked for, and what it counts.
const TYPES: [(&str, &str, &str); 6] = [
    ("string", "STRLEN", "bytes"),
    ("list", "LLEN", "items"),
    ("set", "SCARD", "members"),
    ("hash", "HLEN", "fields"),
    ("zset", "ZCARD", "members"),
    ("stream", "XLEN", "entries"),
];

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Every key.
    Names,
    /// The keys with the most elements.
    Elements,
    /// The keys that take the most memory.
    Memory,
    /// The keys used most.
    Frequency,
}

/// Runs the mode.
pub fn run(settings: Settings, search: Search) -> ExitCode {
    let mut link = Link::new(settings.clone());
    if link.connect(false).is_err() {
        return ExitCode::FAILURE;
    }
    let Some(client) = link.client() else { return ExitCode::FAILURE };
    let result = match search {
        Search::Names => names(client, &settings),
        Search::Elements => sizes(client, &settings, false),
        Search::Memory => sizes(client, &settings, true),
        Search::Frequency => frequencies(client, &settings),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("Error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// What is done with the keys of one SCAN.
type EachScan<'a> = &'a mut dyn FnMut(&mut Client, Vec<Vec<u8>>) -> Result<(), Error>;

/// Calls `each` with the keys of one SCAN after the other.
fn scan(client: &mut Client, settings: &Settings, each: EachScan<'_>) -> Result<(), Error> {
    let mut cursor = b"0".to_vec();
    let mut loops = 0_u64;
    loop {
        let mut words = vec![b"SCAN".to_vec(), cursor];
        if let Some(pattern) = &settings.pattern {
            words.extend([b"MATCH".to_vec(), pattern.clone()]);
        }
        if let Some(count) = settings.count {
            words.extend([b"COUNT".to_vec(), count.to_string().into_bytes()]);
        }
        if let Some(kind) = &settings.kind {
            words.extend([b"TYPE".to_vec(), kind.clone().into_bytes()]);
        }
        let reply: Vec<Value> = client.query(&words)?;
        let [next, keys] = <[Value; 2]>::try_from(reply).map_err(|reply| Error::Unexpected(Value::Array(reply)))?;
        cursor = Vec::<u8>::from_reply(next)?;
        each(client, Vec::<Vec<u8>>::from_reply(keys)?)?;
        loops += 1;
        if cursor == b"0" {
            return Ok(());
        }
        if settings.mode == super::arguments::Mode::Scan || loops.is_multiple_of(CYCLE) {
            terminal::pause(settings.interval);
        }
    }
}

fn names(client: &mut Client, settings: &Settings) -> Result<(), Error> {
    scan(client, settings, &mut |_, keys| {
        let mut text = Vec::new();
        for key in keys {
            match settings.format {
                Format::Standard => text.extend_from_slice(quote(&key).as_bytes()),
                _ => text.extend_from_slice(&key),
            }
            text.push(b'\n');
        }
        print(&text);
        Ok(())
    })
}

#[derive(Clone, Default)]
struct Kind {
    name: String,
    command: Option<&'static str>,
    unit: &'static str,
    count: u64,
    total: u64,
    biggest: u64,
    biggest_key: Option<String>,
}

struct Sizes {
    kinds: Vec<Kind>,
    sampled: u64,
    name_bytes: u64,
    keys: u64,
    /// Per cent of the keys before the present SCAN.
    done: f64,
    memory: bool,
}

impl Sizes {
    fn unit(&self, kind: usize) -> &'static str {
        if self.memory { "bytes" } else { self.kinds[kind].unit }
    }

    fn kind(&mut self, name: &str) -> usize {
        match self.kinds.iter().position(|kind| kind.name == name) {
            Some(index) => index,
            None => {
                self.kinds.push(Kind { name: name.to_string(), unit: "?", ..Kind::default() });
                self.kinds.len() - 1
            }
        }
    }

    fn add(&mut self, kind: usize, key: &[u8], size: u64) {
        let done = self.done;
        self.sampled += 1;
        self.name_bytes += key.len() as u64;
        let unit = self.unit(kind);
        let found = &mut self.kinds[kind];
        found.count += 1;
        found.total += size;
        if size > found.biggest {
            found.biggest = size;
            let name = quote(key);
            print(
                format!("[{done:05.2}%] Biggest {:<6} found so far {name} with {size} {unit}\n", found.name).as_bytes(),
            );
            found.biggest_key = Some(name);
        }
    }

    fn summary(&self) -> String {
        let average = if self.sampled == 0 { 0.0 } else { self.name_bytes as f64 / self.sampled as f64 };
        let mut text = format!(
            "\n-------- summary -------\n\nSampled {} keys in the keyspace!\nTotal key length in bytes is {} (avg len {average:.2})\n\n",
            self.sampled, self.name_bytes
        );
        for (index, kind) in self.kinds.iter().enumerate() {
            if let Some(key) = &kind.biggest_key {
                let unit = self.unit(index);
                text.push_str(&format!("Biggest {:>6} found {key} has {} {unit}\n", kind.name, kind.biggest));
            }
        }
        text.push('\n');
        for (index, kind) in self.kinds.iter().enumerate() {
            let share = if self.sampled == 0 { 0.0 } else { 100.0 * kind.count as f64 / self.sampled as f64 };
            let average = if kind.count == 0 { 0.0 } else { kind.total as f64 / kind.count as f64 };
            text.push_str(&format!(
                "{} {}s with {} {} ({share:05.2}% of keys, avg size {average:.2})\n",
                kind.count,
                kind.name,
                kind.total,
                self.unit(index)
            ));
        }
        text
    }
}

fn sizes(client: &mut Client, settings: &Settings, memory: bool) -> Result<(), Error> {
    let keys: i64 = client.query(&["DBSIZE"])?;
    let kinds = TYPES.iter().map(|(name, command, unit)| Kind {
        name: (*name).to_string(),
        command: Some(command),
        unit,
        ..Kind::default()
    });
    let mut sizes =
        Sizes { kinds: kinds.collect(), sampled: 0, name_bytes: 0, keys: keys.max(0) as u64, done: 0.0, memory };
    print(
        b"\n# Scanning the entire keyspace to find biggest keys as well as\n# average sizes per key type.  You can use -i \
          0.1 to sleep 0.1 sec\n# per 100 SCAN commands (not usually needed).\n\n",
    );
    scan(client, settings, &mut |client, keys| measure(client, settings, &mut sizes, &keys))?;
    print(sizes.summary().as_bytes());
    Ok(())
}

/// Asks for the types of keys, then for their sizes, all at once each.
fn measure(client: &mut Client, settings: &Settings, sizes: &mut Sizes, keys: &[Vec<u8>]) -> Result<(), Error> {
    sizes.done = 100.0 * sizes.sampled as f64 / sizes.keys.max(1) as f64;
    let mut pipeline = Pipeline::new();
    for key in keys {
        pipeline.command(&[b"TYPE", key.as_slice()]);
    }
    let mut kinds = Vec::new();
    for reply in client.pipeline(&pipeline)? {
        let name = String::from_reply(reply)?;
        // Gone since SCAN named it.
        kinds.push((name != "none").then(|| sizes.kind(&name)));
    }
    pipeline.clear();
    let samples = settings.samples.map(|count| count.to_string());
    for (key, kind) in keys.iter().zip(&kinds) {
        let command = kind.and_then(|kind| sizes.kinds[kind].command);
        match (sizes.memory, command) {
            (true, _) if kind.is_some() => match &samples {
                Some(count) => pipeline.command(&[b"MEMORY".as_slice(), b"USAGE", key, b"SAMPLES", count.as_bytes()]),
                None => pipeline.command(&[b"MEMORY".as_slice(), b"USAGE", key]),
            },
            (false, Some(command)) => pipeline.command(&[command.as_bytes(), key]),
            _ => continue,
        };
    }
    let mut replies = client.pipeline(&pipeline)?.into_iter();
    for (key, kind) in keys.iter().zip(kinds) {
        let Some(kind) = kind else { continue };
        let asked = sizes.memory || sizes.kinds[kind].command.is_some();
        let size = if asked { replies.next().and_then(|reply| i64::from_reply(reply).ok()).unwrap_or(0) } else { 0 };
        sizes.add(kind, key, size.max(0) as u64);
    }
    Ok(())
}

fn frequencies(client: &mut Client, settings: &Settings) -> Result<(), Error> {
    let mut hottest: Vec<(i64, Vec<u8>)> = Vec::new();
    let mut sampled = 0;
    print(b"\n# Scanning the entire keyspace to find hot keys as well as\n# average sizes per key type.  You can use -i 0.1 to sleep 0.1 sec\n# per 100 SCAN commands (not usually needed).\n\n");
    scan(client, settings, &mut |client, keys| {
        let mut pipeline = Pipeline::new();
        for key in &keys {
            pipeline.command(&[b"OBJECT".as_slice(), b"FREQ", key]);
        }
        for (key, reply) in keys.into_iter().zip(client.pipeline(&pipeline)?) {
            let frequency = match reply {
                Value::Null => continue,
                reply => i64::from_reply(reply)?,
            };
            sampled += 1;
            hottest.push((frequency, key));
        }
        hottest.sort_by(|one, other| other.cmp(one));
        hottest.truncate(HOT_KEYS_MAX);
        Ok(())
    })?;
    let mut text = format!("\n-------- summary -------\n\nSampled {sampled} keys in the keyspace!\n");
    for (frequency, key) in hottest {
        text.push_str(&format!("hot key found with counter: {frequency}\tkeyname: {}\n", quote(&key)));
    }
    print(text.as_bytes());
    Ok(())
}
