//! What the command line asks for, with every bound, and the servers it names.

use std::path::PathBuf;

use clap::{Parser, ValueEnum, value_parser};

/// The word in a command that becomes a free port.
pub const PORT_WORD: &str = "PORT";
/// The word in a command that becomes the path of this package's server.
pub const RINGFORT_WORD: &str = "RINGFORT";
/// Requests of one run at pipeline 1: two to three seconds, hundreds of ticks of the process' clock.
const REQUESTS_UNPIPELINED: u64 = 250_000;
/// Requests of one run per unit of pipeline depth, and at most.
const REQUESTS_PER_DEPTH: u64 = 100_000;
const REQUESTS_MAX: u64 = 4_000_000;
/// `--quick` makes do with this part of the requests.
const QUICK_FRACTION: u64 = 5;

/// A part of the comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Part {
    /// redis-benchmark: requests/s and CPU time per request.
    Throughput,
    /// Open-loop load at a fixed rate, latency from the intended send time.
    Latency,
    /// Memory per key.
    Memory,
    /// Memory per element of collections.
    Collections,
    /// Latency while a large collection is built, read, scanned and deleted.
    Pauses,
    /// memtier_benchmark, where it is on PATH.
    Memtier,
    /// All of them.
    All,
}

/// The command line.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "compare",
    about = "Runs the same load against several servers, interleaved, and writes a dated record with plots.",
    after_help = "A SERVER is `ringfort` (this package, release build, --shards 1), `redis` (redis-server on PATH), `floor` (a server that \
        does nothing), or NAME=COMMAND, where the word PORT becomes a free port and RINGFORT the path of this package's server:\n\n  \
        cargo bench --bench compare -- --part throughput ringfort redis 'valkey=valkey-server --port PORT --save \"\"'\n  \
        cargo bench --bench compare -- --part all --no-pin 'two=RINGFORT --port PORT --shards 2' redis\n\n\
        Every server is held against the first one. None given: ringfort, redis, floor."
)]
pub struct Options {
    /// Servers, the first one is what the others are held against.
    #[arg(value_name = "SERVER")]
    pub servers: Vec<String>,
    /// Parts to run.
    #[arg(long, value_delimiter = ',', default_value = "all")]
    pub part: Vec<Part>,
    /// Smoke test of half a minute: one round, fewer requests, keys and seconds; the record goes to the target folder.
    #[arg(long)]
    pub quick: bool,
    /// Rounds that count; one more is run first to warm up.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Tests: redis-benchmark's names, and mget, eval, xadd (see bench-results/README.md); NAME@BYTES has values of its own size,
    /// NAME#KEYS uses only so many of the keys.
    #[arg(short = 't', long, value_delimiter = ',', default_value = "set,get")]
    pub tests: Vec<String>,
    /// Pipeline depths.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64", value_parser = value_parser!(u32).range(1..=10_000))]
    pub pipeline: Vec<u32>,
    /// Connections of redis-benchmark and of memtier_benchmark.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=10_000))]
    pub clients: u32,
    /// Threads of redis-benchmark and of memtier_benchmark.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// Keys, all present before a test starts.
    #[arg(long, default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1..=100_000_000))]
    pub keys: u64,
    /// Bytes of a value.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=1_048_576))]
    pub size: u32,
    /// Requests of one run of redis-benchmark; by default 250,000 at pipeline 1 and 100,000 per depth, at most 4 million.
    #[arg(long, value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    pub requests: Option<u64>,
    /// CPUs of the servers, as taskset takes them.
    #[arg(long, default_value = "0")]
    pub server_cpus: String,
    /// CPUs of the load generators.
    #[arg(long, default_value = "1")]
    pub client_cpus: String,
    /// Pin nothing: servers and load share all CPUs.
    #[arg(long)]
    pub no_pin: bool,
    /// Requests per second of the open-loop load; half of what the slowest server saturates at is a good choice.
    #[arg(long, default_value_t = 20_000, value_parser = value_parser!(u64).range(1..=1_000_000))]
    pub rate: u64,
    /// Connections of the open-loop load.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=1_000))]
    pub rate_clients: u32,
    /// Seconds of the open-loop load per server and round.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// A command run before the open-loop load of each round, not counted: to make what is deleted or expires in it. The
    /// word NOW+MS becomes a Unix time in milliseconds so much after it.
    #[arg(long, value_name = "COMMAND")]
    pub before: Option<String>,
    /// A command sent on a connection of its own when a quarter of the open-loop load is over, such as BGSAVE.
    #[arg(long, value_name = "COMMAND")]
    pub during: Option<String>,
    /// Keys of the memory part: 16 bytes each with values of 32.
    #[arg(long, default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1_000..=100_000_000))]
    pub memory_keys: u64,
    /// Elements of the collections part, all collections of a type and size together.
    #[arg(long, default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1_000..=100_000_000))]
    pub elements: u64,
    /// Elements of the large collection of the pauses part.
    #[arg(long, default_value_t = 10_000_000, value_parser = value_parser!(u64).range(1_000..=100_000_000))]
    pub large: u64,
    /// Name of the record: bench-results/YYYY-MM-DD-NAME.md.
    #[arg(long, default_value = "compare", value_parser = record_name)]
    pub name: String,
    /// A remark for the record; may be repeated.
    #[arg(long)]
    pub note: Vec<String>,
    /// Folder of the record.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Added by cargo, means nothing.
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Options {
    /// Reads the command line, the program's name first.
    ///
    /// # Errors
    /// clap's text, which is the help if that was asked for.
    pub fn read(words: &[String]) -> Result<Options, String> {
        let mut options = Options::try_parse_from(words).map_err(|error| error.to_string())?;
        if options.quick {
            options.cap();
        }
        Ok(options)
    }

    /// The limits of `--quick`.
    fn cap(&mut self) {
        self.rounds = self.rounds.min(1);
        self.keys = self.keys.min(10_000);
        self.memory_keys = self.memory_keys.min(100_000);
        self.elements = self.elements.min(10_000);
        self.large = self.large.min(20_000);
        self.seconds = self.seconds.min(1);
        self.rate = self.rate.min(5_000);
    }

    /// Whether a part is asked for.
    pub fn wants(&self, part: Part) -> bool {
        self.part.contains(&part) || self.part.contains(&Part::All)
    }

    /// Requests of one run at this pipeline depth.
    pub fn requests_at(&self, pipeline: u32) -> u64 {
        let of_a_record = match pipeline {
            1 => REQUESTS_UNPIPELINED,
            depth => (REQUESTS_PER_DEPTH * u64::from(depth)).min(REQUESTS_MAX),
        };
        self.requests.unwrap_or(if self.quick { of_a_record / QUICK_FRACTION } else { of_a_record })
    }

    /// CPUs of the servers, unless nothing is pinned.
    pub fn server_pin(&self) -> Option<&str> {
        (!self.no_pin).then_some(self.server_cpus.as_str())
    }

    /// CPUs of the load generators, unless nothing is pinned.
    pub fn client_pin(&self) -> Option<&str> {
        (!self.no_pin).then_some(self.client_cpus.as_str())
    }
}

/// A name that makes a file name.
fn record_name(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if fits { Ok(text.to_owned()) } else { Err("letters, digits, - and _ only, at most 64".to_owned()) }
}

/// A server to be started: its name in the record and its command, `PORT` not yet replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerCommand {
    pub name: String,
    pub words: Vec<String>,
}

impl ServerCommand {
    /// The words with `port` in place.
    pub fn words_at(&self, port: u16) -> Vec<String> {
        self.words.iter().map(|word| word.replace(PORT_WORD, &port.to_string())).collect()
    }
}

/// Reads `NAME=COMMAND`.
///
/// # Errors
/// One sentence on what is wrong.
pub fn server_command(text: &str, ringfort: &str) -> Result<ServerCommand, String> {
    let Some((name, command)) = text.split_once('=') else {
        return Err(format!("`{text}` is neither ringfort, redis, floor nor NAME=COMMAND"));
    };
    let mut words = shell_words(command)?;
    if name.is_empty() || words.is_empty() {
        return Err(format!("`{text}` lacks a name or a command"));
    }
    if !words.iter().any(|word| word.contains(PORT_WORD)) {
        return Err(format!("the command of `{name}` does not say where {PORT_WORD} goes"));
    }
    for word in words.iter_mut().filter(|word| *word == RINGFORT_WORD) {
        *word = ringfort.to_owned();
    }
    Ok(ServerCommand { name: name.to_owned(), words })
}

/// Splits a command as a shell does: blanks separate, single quotes keep everything, double quotes all but `\"` and `\\`,
/// a backslash keeps the next character. No expansion of anything.
///
/// # Errors
/// When a quote is left open.
pub fn shell_words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (Some(open), _) if open == character => quote = None,
            (None, '\\') => word.get_or_insert_default().extend(characters.next()),
            (Some('"'), '\\') if matches!(characters.peek(), Some('"' | '\\')) => {
                word.get_or_insert_default().extend(characters.next());
            }
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err(format!("a quote is left open in `{text}`"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Options, String> {
        let words: Vec<String> = ["compare"].iter().chain(words).map(|&word| word.to_owned()).collect();
        Options::read(&words)
    }

    #[test]
    fn defaults_are_the_record_of_the_goals() {
        let options = read(&["--bench"]).expect("defaults are valid");
        assert_eq!((options.rounds, options.clients, options.keys, options.size), (5, 50, 1_000_000, 64));
        assert_eq!((options.pipeline.as_slice(), options.tests.join(",")), (&[1, 16, 64][..], "set,get".to_owned()));
        assert_eq!([1, 2, 16, 64].map(|depth| options.requests_at(depth)), [250_000, 200_000, 1_600_000, 4_000_000]);
        assert_eq!((options.server_pin(), options.client_pin()), (Some("0"), Some("1")));
        assert!([Part::Throughput, Part::Latency, Part::Memory, Part::Memtier].iter().all(|part| options.wants(*part)));
    }

    #[test]
    fn parts_pins_and_quick() {
        let options = read(&["--part", "latency,memory", "--no-pin", "--quick", "--requests", "500", "redis"]);
        let options = options.expect("valid");
        assert!(options.wants(Part::Latency) && options.wants(Part::Memory) && !options.wants(Part::Throughput));
        assert_eq!((options.server_pin(), options.requests_at(64), options.rounds), (None, 500, 1));
        assert_eq!((options.servers.as_slice(), options.seconds), (&["redis".to_owned()][..], 1));
        assert_eq!(read(&["--quick"]).expect("valid").requests_at(1), 50_000);
    }

    #[test]
    fn bounds_are_checked() {
        for words in [
            ["--rounds", "0"],
            ["--pipeline", "1,0"],
            ["--clients", "10001"],
            ["--size", "0"],
            ["--name", "../up"],
            ["--name", ""],
            ["--part", "speed"],
            ["--memory-keys", "1"],
        ] {
            assert!(read(&words).is_err(), "{words:?} was taken");
        }
    }

    #[test]
    fn words_are_split_as_by_a_shell() {
        for (text, expected) in [
            ("", &[][..]),
            ("a  b\tc", &["a", "b", "c"]),
            ("x --save \"\" '' y", &["x", "--save", "", "", "y"]),
            ("a'b c'd \"e \\\" \\n\" f\\ g", &["ab cd", "e \" \\n", "f g"]),
        ] {
            assert_eq!(shell_words(text).expect(text), expected, "{text}");
        }
        assert!(shell_words("a 'b").is_err());
    }

    #[test]
    fn servers_are_named_with_their_command() {
        let server = server_command("two=RINGFORT --port PORT --dir /x=PORT", "/bin/rf").expect("valid");
        assert_eq!(server.name, "two");
        assert_eq!(server.words_at(77), ["/bin/rf", "--port", "77", "--dir", "/x=77"]);
        for text in ["keydb", "=x PORT", "x=", "x=server --port 6379", "x='PORT"] {
            assert!(server_command(text, "rf").is_err(), "{text} was taken");
        }
    }
}
