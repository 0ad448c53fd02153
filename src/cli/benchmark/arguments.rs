//! The options of `redis-benchmark`.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;

use clap::{Arg, ArgAction, Command};

use crate::remote::{Address, Options};
use crate::stats::server::{REDIS_VERSION, RINGFORT_VERSION};

/// Most connections; every one costs a task and a descriptor.
const CLIENTS_MAX: usize = 100_000;
/// Most requests sent at once.
const PIPELINE_MAX: usize = 100_000;

/// Everything the command line says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How to connect.
    pub options: Options,
    /// Connections in all.
    pub clients: usize,
    /// Requests in all, per test.
    pub requests: u64,
    /// Bytes of values.
    pub data_bytes: usize,
    /// Random numbers are below this.
    pub random_range: Option<u64>,
    /// Requests sent at once.
    pub pipeline: usize,
    /// Whether connections are used more than once.
    pub keep_alive: bool,
    /// Threads; none said means one, and is reported otherwise.
    pub threads: Option<usize>,
    /// One line per test.
    pub quiet: bool,
    /// Lines for a table.
    pub csv: bool,
    /// Digits of latencies.
    pub precision: usize,
    /// Again and again.
    pub forever: bool,
    /// The tests to run, in lower case; none said means all.
    pub tests: Vec<String>,
    /// The command to run instead of the tests.
    pub command: Vec<Vec<u8>>,
}

/// What the command line asks for.
pub enum Request {
    /// Do this.
    Run(Box<Settings>),
    /// Write this to standard output and exit with code 0.
    Tell(String),
    /// Write this to standard error and exit with code 1.
    Refuse(String),
}

/// The definition.
pub fn definition() -> Command {
    let option = |id: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id).value_name(value).allow_hyphen_values(true).help(help)
    };
    let flag = |id: &'static str, help: &'static str| Arg::new(id).action(ArgAction::SetTrue).help(help);
    Command::new("redis-benchmark")
        .about("Measures how many requests a server answers, and how fast")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .override_usage("redis-benchmark [OPTIONS] [COMMAND [ARGUMENT...]]")
        .args([
            option("host", "HOST", "Name or address of the server [default: 127.0.0.1]").short('h'),
            option("port", "PORT", "Port of the server [default: 6379]").short('p'),
            option("socket", "PATH", "Unix socket of the server, instead of host and port").short('s'),
            option("password", "PASSWORD", "Password").short('a'),
            option("user", "NAME", "User whose password it is").long("user"),
            option("url", "URL", "redis://[[user]:password@]host[:port][/database]").short('u'),
            option("database", "NUMBER", "Database to select").long("dbnum"),
            flag("resp3", "Speak RESP3").short('3'),
            option("clients", "COUNT", "Connections [default: 50]").short('c'),
            option("requests", "COUNT", "Requests in all, per test [default: 100000]").short('n'),
            option("size", "BYTES", "Bytes of the values of SET and its like [default: 3]").short('d'),
            option("threads", "COUNT", "Threads").long("threads"),
            option("keep-alive", "0|1", "0 connects anew for every pipeline [default: 1]").short('k'),
            option("random", "RANGE", "Replace __rand_int__ by a number of 12 digits below RANGE in every request")
                .short('r'),
            option("pipeline", "COUNT", "Requests sent at once [default: 1]").short('P'),
            flag("quiet", "Only requests per second").short('q'),
            option("precision", "DIGITS", "Digits of latencies [default: 3]").long("precision"),
            flag("csv", "Lines for a table").long("csv"),
            flag("forever", "Run the tests for ever").short('l'),
            option("tests", "NAMES", "Only these tests, parted by commas: set,get,lrange_100").short('t'),
            flag("stdin-last", "Read the last argument from standard input").short('x'),
            flag("help", "Print this help and exit").long("help"),
            flag("version", "Print the version and exit").short('v').long("version"),
        ])
        .arg(
            Arg::new("words")
                .value_name("COMMAND")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_parser(clap::value_parser!(OsString))
                .help("A command to measure instead of the tests"),
        )
}

/// Reads the words after the program's name.
pub fn parse(words: &[OsString]) -> Request {
    let name = OsString::from("redis-benchmark");
    let matches = match definition().try_get_matches_from(std::iter::once(name).chain(words.iter().cloned())) {
        Ok(matches) => matches,
        Err(_) if words.last().is_some_and(|word| word == "-h") => return Request::Tell(help()),
        Err(error) => return Request::Refuse(error.render().to_string()),
    };
    if matches.get_flag("help") {
        return Request::Tell(help());
    }
    if matches.get_flag("version") {
        return Request::Tell(format!("redis-benchmark {REDIS_VERSION} (ringfort {RINGFORT_VERSION})\n"));
    }
    match Settings::read(&matches) {
        Ok(settings) => Request::Run(Box::new(settings)),
        Err(text) => Request::Refuse(text),
    }
}

fn help() -> String {
    definition().render_help().to_string()
}

impl Settings {
    fn read(matches: &clap::ArgMatches) -> Result<Settings, String> {
        let text = |id: &str| matches.get_one::<String>(id).cloned();
        fn number<N: std::str::FromStr>(text: Option<String>, what: &str) -> Result<Option<N>, String> {
            text.map(|text| text.parse().map_err(|_| format!("Invalid {what}: {text}"))).transpose()
        }
        let mut options = match text("url") {
            Some(url) => Options::from_url(&url).map_err(|error| error.to_string())?,
            None => Options::default(),
        };
        let port = number(text("port"), "port")?;
        if let Some(path) = text("socket") {
            options.address = Address::Unix(path.into());
        } else if let Address::Tcp(host, old_port) = &mut options.address {
            *host = text("host").unwrap_or_else(|| std::mem::take(host));
            *old_port = port.unwrap_or(*old_port);
        }
        options.user = text("user").or(options.user);
        options.password = text("password").or(options.password);
        options.database = number(text("database"), "database")?.unwrap_or(options.database);
        options.resp3 = matches.get_flag("resp3");
        let words = matches.get_many::<OsString>("words").into_iter().flatten();
        let mut command: Vec<Vec<u8>> = words.map(|word| word.clone().into_vec()).collect();
        if let Some(option) = command.first().filter(|word| word.starts_with(b"-")) {
            return Err(format!(
                "Invalid option \"{}\" or option argument missing\nTry redis-benchmark --help for more information.",
                String::from_utf8_lossy(option)
            ));
        }
        if matches.get_flag("stdin-last") {
            let mut last = Vec::new();
            std::io::stdin().read_to_end(&mut last).map_err(|error| format!("Cannot read standard input: {error}"))?;
            command.push(last);
        }
        let names = text("tests").unwrap_or_default().to_ascii_lowercase();
        Ok(Settings {
            options,
            clients: number(text("clients"), "number of clients")?.unwrap_or(50).clamp(1, CLIENTS_MAX),
            requests: number(text("requests"), "number of requests")?.unwrap_or(100_000),
            data_bytes: number(text("size"), "size")?.unwrap_or(3_usize).clamp(1, 1 << 30),
            random_range: number::<u64>(text("random"), "range")?.filter(|range| *range > 0),
            pipeline: number(text("pipeline"), "pipeline")?.unwrap_or(1).clamp(1, PIPELINE_MAX),
            keep_alive: text("keep-alive").is_none_or(|word| word != "0"),
            threads: number(text("threads"), "number of threads")?.map(|threads: usize| threads.clamp(1, 500)),
            quiet: matches.get_flag("quiet"),
            csv: matches.get_flag("csv"),
            precision: number(text("precision"), "precision")?.unwrap_or(3_usize).min(3),
            forever: matches.get_flag("forever"),
            tests: names.split(',').filter(|name| !name.is_empty()).map(str::to_string).collect(),
            command,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(words: &[&str]) -> Request {
        parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_definition_holds_together() {
        definition().debug_assert();
    }

    #[test]
    fn options_of_redis_benchmark_are_read() {
        let words = "-p 7000 -c 10 -n 500 -P 4 -r 1000 -k 0 -q --threads 2 -t SET,get lpush l -x";
        let Request::Run(found) = request(&words.split(' ').collect::<Vec<_>>()) else { panic!("it is right") };
        assert_eq!(found.options.address, Address::Tcp("127.0.0.1".into(), 7000));
        assert_eq!((found.clients, found.requests, found.pipeline), (10, 500, 4));
        assert_eq!(
            (found.random_range, found.keep_alive, found.quiet, found.threads),
            (Some(1000), false, true, Some(2))
        );
        assert_eq!(found.tests, ["set", "get"]);
        assert_eq!(found.command, [&b"lpush"[..], b"l", b"-x"]);
        assert!(matches!(request(&["-c", "x"]), Request::Refuse(text) if text.contains("number of clients")));
        assert!(matches!(request(&["--nosuch"]), Request::Refuse(text) if text.contains("--nosuch")));
        assert!(matches!(request(&["--help"]), Request::Tell(text) if text.contains("__rand_int__")));
    }
}
