//! The options of `ringfort-cli`: one definition, from which parsing, `--help`, man page and shell completions are made.
//!
//! The options and their meaning are redis-cli's. Everything from the first word that is no option on belongs to the
//! command that is sent.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::format::{Delimiters, Format};
use super::terminal;
use crate::remote::{Address, Options, Tls};
use crate::stats::server::{REDIS_VERSION, RINGFORT_VERSION};

/// What the program is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Run the command, or talk to the user when there is none.
    Commands,
    /// `--eval`.
    Eval,
    /// `--pipe`.
    Pipe,
    /// `--scan`.
    Scan,
    /// `--stat`.
    Stat,
    /// `--latency`, `--latency-history`.
    Latency { history: bool },
    /// `--bigkeys`.
    BigKeys,
    /// `--memkeys`.
    MemoryKeys,
    /// `--hotkeys`.
    HotKeys,
    /// `--rdb`, `--functions-rdb`.
    Snapshot { functions_only: bool },
    /// `--replica`.
    Replica,
    /// `--intrinsic-latency`.
    IntrinsicLatency { seconds: u64 },
}

/// What is done to the data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalAction {
    /// `--set`: key and value.
    Set(Vec<u8>, Vec<u8>),
    /// `--get`: key.
    Get(Vec<u8>),
}

impl LocalAction {
    /// The command that does it.
    pub fn words(&self) -> Vec<&[u8]> {
        match self {
            LocalAction::Set(key, value) => vec![b"SET", key, value],
            LocalAction::Get(key) => vec![b"GET", key],
        }
    }
}

/// Everything the command line says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What to do.
    pub mode: Mode,
    /// How to connect. The password may be missing until it was asked for.
    pub options: Options,
    /// RESP3 was wished for by a format only: a server without it will do.
    pub resp3_is_optional: bool,
    /// How replies are written.
    pub format: Format,
    /// What stands between them.
    pub delimiters: Delimiters,
    /// Whether push messages are shown.
    pub show_pushes: bool,
    /// How often the command is sent; negative for ever.
    pub repeat: i64,
    /// Pause between repetitions and cycles.
    pub interval: Duration,
    /// `-x`: the last argument comes from standard input.
    pub last_from_input: bool,
    /// `-X`: this argument comes from standard input.
    pub tag_from_input: Option<Vec<u8>>,
    /// `-e`: an error reply ends the program with code 1.
    pub fail_on_error: bool,
    /// `-c`: follow MOVED and ASK.
    pub cluster: bool,
    /// `--quoted-input`: arguments in quotes are unquoted.
    pub quoted_input: bool,
    /// `--eval`'s file.
    pub script: Option<std::path::PathBuf>,
    /// The file of `--rdb` or `--functions-rdb`.
    pub snapshot: std::path::PathBuf,
    /// `--pattern`.
    pub pattern: Option<Vec<u8>>,
    /// `--count`.
    pub count: Option<u64>,
    /// `--type`.
    pub kind: Option<String>,
    /// `--memkeys-samples`.
    pub samples: Option<u64>,
    /// `--pipe-timeout`, zero for ever.
    pub pipe_timeout: Duration,
    /// `--set` and `--get`.
    pub local: Option<LocalAction>,
    /// `--dir`.
    pub directory: Option<std::path::PathBuf>,
    /// The command, or the keys and arguments of the script.
    pub words: Vec<Vec<u8>>,
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

const AFTER_HELP: &str = "\
Without a command ringfort-cli reads commands from the terminal, with history, completion and hints; type \"help\" there.
A piped output gets the bytes of the replies as they are; a terminal gets them quoted, numbered and with their types.

Examples:
  ringfort-cli SET mykey \"my value\"
  ringfort-cli -u redis://ann:secret@localhost:6379/2
  cat photo.jpg | ringfort-cli -x SET photo
  ringfort-cli -r 10 -i 1 INCR visits
  ringfort-cli --scan --pattern 'user:*'
  ringfort-cli --eval script.lua key1 key2 , argument1
  ringfort-cli --pipe < commands.txt
  ringfort-cli --set mykey \"my value\" && ringfort-cli --get mykey

Environment: REDISCLI_AUTH holds a password that other users cannot see in the process list; RINGFORT_CLI_HISTFILE (or
REDISCLI_HISTFILE) names the history file, ~/.ringfort_cli_history otherwise.";

fn flag(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).action(ArgAction::SetTrue).help(help)
}

fn short_flag(id: &'static str, letter: char, help: &'static str) -> Arg {
    Arg::new(id).short(letter).action(ArgAction::SetTrue).help(help)
}

/// An option whose value may begin with a hyphen, as in redis-cli; the last one given wins.
fn option(id: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(id).value_name(value).allow_hyphen_values(true).value_parser(clap::value_parser!(OsString)).help(help)
}

/// The definition.
pub fn definition() -> Command {
    Command::new("ringfort-cli")
        .about("The command line of Ringfort, for any server that speaks the Redis protocol")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .override_usage("ringfort-cli [OPTIONS] [COMMAND [ARGUMENT...]]")
        .after_help(AFTER_HELP)
        .args(connection_arguments())
        .args(tls_arguments())
        .args(sending_arguments())
        .args(output_arguments())
        .args(mode_arguments())
        .args(local_arguments())
        .arg(Arg::new("help").long("help").action(ArgAction::SetTrue).help("Print this help and exit"))
        .arg(
            Arg::new("version")
                .short('v')
                .long("version")
                .action(ArgAction::SetTrue)
                .help("Print the version and exit"),
        )
        .arg(
            Arg::new("words")
                .value_name("COMMAND")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_parser(clap::value_parser!(OsString))
                .help("The command to send and its arguments"),
        )
}

fn connection_arguments() -> Vec<Arg> {
    let group = "Connection";
    [
        option("host", "HOST", "Name or address of the server [default: 127.0.0.1]").short('h'),
        option("port", "PORT", "Port of the server [default: 6379]").short('p'),
        option("socket", "PATH", "Unix socket of the server, instead of host and port").short('s'),
        option("url", "URL", "redis://[[user]:password@]host[:port][/database], rediss:// for TLS, or unix:///path")
            .short('u'),
        option("password", "PASSWORD", "Password; REDISCLI_AUTH in the environment is safer").short('a').long("pass"),
        option("user", "NAME", "User whose password it is").long("user"),
        flag("askpass", "Ask for the password; it does not show"),
        flag("no-auth-warning", "No warning about a password on the command line"),
        option("database", "NUMBER", "Database to select").short('n'),
        short_flag("resp2", '2', "Speak RESP2"),
        short_flag("resp3", '3', "Speak RESP3"),
        option("timeout", "SECONDS", "Longest wait for a connection; 0, the default, leaves it to the system")
            .short('t'),
        short_flag("cluster-mode", 'c', "Follow MOVED and ASK to other servers"),
        short_flag("ipv4", '4', "Accepted for redis-cli's sake; names are tried with all their addresses"),
        short_flag("ipv6", '6', "Accepted for redis-cli's sake; names are tried with all their addresses"),
    ]
    .map(|argument| argument.help_heading(group))
    .to_vec()
}

fn tls_arguments() -> Vec<Arg> {
    let group = "TLS";
    [
        flag("tls", "Secure the connection with TLS, as rediss:// does; not for --pipe, --rdb and --replica"),
        option("sni", "HOST", "Name the server's certificate must have [default: that of the server]").long("sni"),
        option("cacert", "FILE", "Certificates to trust, in PEM [default: the system's]").long("cacert"),
        option("cacertdir", "DIR", "Folder of certificates to trust, with openssl's names").long("cacertdir"),
        flag("insecure", "Trust any server, whatever its certificate"),
        option("cert", "FILE", "Own certificate, in PEM; needs --key").long("cert"),
        option("key", "FILE", "Key of the own certificate").long("key"),
    ]
    .map(|argument| argument.help_heading(group))
    .to_vec()
}

fn sending_arguments() -> Vec<Arg> {
    let group = "Sending";
    [
        option("repeat", "TIMES", "Send the command this often; a negative number for ever").short('r'),
        option("interval", "SECONDS", "Pause between repetitions, and between cycles of --scan, --stat and --bigkeys")
            .short('i'),
        short_flag("stdin-last", 'x', "Read the last argument from standard input"),
        option("stdin-tag", "TAG", "Read the argument TAG from standard input").short('X'),
        flag("quoted-input", "Unquote arguments that are in double quotes, with their escapes"),
        short_flag("error-code", 'e', "Exit with code 1 when the server replies an error"),
    ]
    .map(|argument| argument.help_heading(group))
    .to_vec()
}

fn output_arguments() -> Vec<Arg> {
    let group = "Output";
    [
        flag("raw", "Write replies as they are, even to a terminal"),
        flag("no-raw", "Write replies for people, even to a pipe"),
        flag("csv", "Write replies as comma-separated values"),
        flag("json", "Write replies as JSON; speaks RESP3 unless -2"),
        flag("quoted-json", "As --json, in ASCII"),
        option("element-delimiter", "TEXT", "Between the elements of a raw reply [default: newline]").short('d'),
        option("reply-delimiter", "TEXT", "Behind each raw reply [default: newline]").short('D'),
        option("show-pushes", "yes|no", "Show RESP3 push messages [default: yes on a terminal]").long("show-pushes"),
    ]
    .map(|argument| argument.help_heading(group))
    .to_vec()
}

fn mode_arguments() -> Vec<Arg> {
    let group = "Instead of a command";
    [
        option("eval", "FILE", "Run a Lua script; keys and arguments follow, parted by a comma between blanks")
            .long("eval"),
        flag("pipe", "Send standard input as it is, and count replies and errors"),
        option("pipe-timeout", "SECONDS", "Give up --pipe when no reply comes for so long [default: 30]")
            .long("pipe-timeout"),
        flag("scan", "List the keys"),
        option("pattern", "PATTERN", "Only keys like this, for --scan, --bigkeys, --memkeys and --hotkeys")
            .long("pattern"),
        option("quoted-pattern", "PATTERN", "As --pattern, in quotes with escapes").long("quoted-pattern"),
        option("type", "TYPE", "Only keys of this type, for --scan").long("type"),
        option("count", "COUNT", "Keys per step, for the same").long("count"),
        flag("stat", "Show keys, memory, clients and requests, again and again"),
        flag("latency", "Measure the time of a PING, again and again; once, for a second, into a pipe"),
        flag("latency-history", "As --latency, with a line every 15 seconds (see -i)"),
        option("intrinsic-latency", "SECONDS", "Measure how long this machine keeps a program waiting")
            .long("intrinsic-latency"),
        flag("bigkeys", "Find the keys with the most elements"),
        flag("memkeys", "Find the keys that take the most memory"),
        option("memkeys-samples", "COUNT", "As --memkeys, looking at so many elements of each key")
            .long("memkeys-samples"),
        option("rdb", "FILE", "Write the server's snapshot to a file, or to standard output for '-'").long("rdb"),
        option("functions-rdb", "FILE", "As --rdb, with the functions only").long("functions-rdb"),
        flag("replica", "Show the commands that the server sends to its replicas").alias("slave"),
        flag("hotkeys", "Find the keys that are used most; needs an LFU maxmemory-policy"),
    ]
    .map(|argument| argument.help_heading(group))
    .to_vec()
}

fn local_arguments() -> Vec<Arg> {
    let group = "Without a server";
    [
        option("set", "KEY", "Keep a value in a data directory; it is on the disk before this says OK")
            .long("set")
            .value_names(["KEY", "VALUE"])
            .num_args(2),
        option("get", "KEY", "Show a value of a data directory").long("get"),
        option("dir", "DIR", "The directory [default: $RINGFORT_DIR, or ringfort in your data folder]").long("dir"),
    ]
    .map(|argument| argument.help_heading(group))
    .to_vec()
}

/// Options of redis-cli that this program does not have, each with what to do instead.
const ABSENT: &[(&str, &str)] = &[
    ("--cluster", "use redis-cli --cluster, which works with this server too"),
    ("--tls-ciphers", "it uses safe ciphers only"),
    ("--tls-ciphersuites", "it uses safe ciphers only"),
    ("--ldb", "there is no debugger for scripts"),
    ("--ldb-sync-mode", "there is no debugger for scripts"),
    ("--lru-test", "use redis-cli --lru-test"),
    ("--latency-dist", "use --latency-history, or LATENCY HISTOGRAM"),
    ("--keystats", "use --bigkeys and --memkeys"),
    ("--keystats-samples", "use --memkeys-samples"),
];

/// Reads the words after the program's name. `name` is what the program was called as.
pub fn parse(name: &str, words: &[OsString]) -> Request {
    let matches = definition().try_get_matches_from(std::iter::once(OsString::from(name)).chain(words.iter().cloned()));
    let matches = match matches {
        Ok(matches) => matches,
        // -h without a host asks for help.
        Err(_) if words.last().is_some_and(|word| word == "-h") => return Request::Tell(help()),
        Err(error) => return Request::Refuse(refusal(name, &error)),
    };
    if matches.get_flag("help") {
        return Request::Tell(help());
    }
    if matches.get_flag("version") {
        return Request::Tell(version(name));
    }
    match Settings::read(name, &matches) {
        Ok(settings) => Request::Run(Box::new(settings)),
        Err(text) => Request::Refuse(text),
    }
}

fn help() -> String {
    definition().render_help().to_string()
}

fn version(name: &str) -> String {
    match name {
        "redis-cli" => format!("redis-cli {REDIS_VERSION}\n"),
        _ => format!("ringfort-cli {RINGFORT_VERSION} (redis-cli {REDIS_VERSION})\n"),
    }
}

/// A line in redis-cli's words, and where to look.
fn refusal(name: &str, error: &clap::Error) -> String {
    let argument = error.get(clap::error::ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let argument = argument.split_whitespace().next().unwrap_or_default();
    format!("Unrecognized option or bad number of args for: '{argument}'\nTry {name} --help for more information.\n")
}

/// Reads one value after the other; the first that is wrong ends it.
struct Reader<'a>(&'a ArgMatches);

impl Reader<'_> {
    fn bytes(&self, id: &str) -> Option<Vec<u8>> {
        self.0.get_one::<OsString>(id).map(|value| value.clone().into_vec())
    }

    fn text(&self, id: &str) -> Option<String> {
        self.bytes(id).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn number<N: std::str::FromStr>(&self, id: &str, complaint: &str) -> Result<Option<N>, String> {
        let Some(text) = self.text(id) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("{complaint}\n"))
    }

    fn seconds(&self, id: &str, complaint: &str) -> Result<Option<Duration>, String> {
        let Some(number) = self.number::<f64>(id, complaint)? else { return Ok(None) };
        Duration::try_from_secs_f64(number).map(Some).map_err(|_| format!("{complaint}\n"))
    }
}

impl Settings {
    fn read(name: &str, matches: &ArgMatches) -> Result<Settings, String> {
        let reader = Reader(matches);
        let words: Vec<Vec<u8>> =
            matches.get_many::<OsString>("words").into_iter().flatten().map(|word| word.clone().into_vec()).collect();
        if let Some(option) = words.first().filter(|word| word.starts_with(b"-") && word.len() > 1) {
            return Err(unknown_option(name, &String::from_utf8_lossy(option)));
        }
        let conflicts = [
            ("stdin-last", "stdin-tag", "Options -x and -X are mutually exclusive.\n"),
            ("resp2", "resp3", "Options -2 and -3 are mutually exclusive.\n"),
            ("socket", "cluster-mode", "Options -c and -s are mutually exclusive.\n"),
            ("rdb", "functions-rdb", "Option --functions-rdb and --rdb are mutually exclusive.\n"),
            ("ipv4", "ipv6", "Options -4 and -6 are mutually exclusive.\n"),
        ];
        let given = |id: &str| matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine);
        if let Some((_, _, text)) = conflicts.iter().find(|(one, other, _)| given(one) && given(other)) {
            return Err((*text).to_string());
        }
        let format = format_of(matches);
        let json = matches!(format, Format::Json | Format::QuotedJson);
        let resp3 = matches.get_flag("resp3");
        let mut options = connection(&reader)?;
        options.resp3 = resp3 || (json && !matches.get_flag("resp2"));
        let terminal = terminal::output_is_terminal();
        let show_pushes = match reader.text("show-pushes").as_deref().and_then(|text| text.chars().next()) {
            Some('y' | 'Y') => true,
            Some('n' | 'N') => false,
            Some(_) => return Err("Unknown --show-pushes value (valid: '[y]es', '[n]o')\n".into()),
            None => terminal,
        };
        Ok(Settings {
            mode: mode_of(&reader)?,
            options,
            resp3_is_optional: !resp3,
            format,
            delimiters: Delimiters {
                element: reader.bytes("element-delimiter").unwrap_or_else(|| b"\n".to_vec()),
                reply: reader.bytes("reply-delimiter").unwrap_or_else(|| b"\n".to_vec()),
            },
            show_pushes,
            repeat: reader.number("repeat", "Invalid number of repetitions for -r.")?.unwrap_or(1),
            interval: reader.seconds("interval", "Invalid interval for -i.")?.unwrap_or_default(),
            last_from_input: matches.get_flag("stdin-last"),
            tag_from_input: reader.bytes("stdin-tag"),
            fail_on_error: matches.get_flag("error-code"),
            cluster: matches.get_flag("cluster-mode"),
            quoted_input: matches.get_flag("quoted-input"),
            script: reader.0.get_one::<OsString>("eval").map(Into::into),
            snapshot: ["rdb", "functions-rdb"]
                .iter()
                .find_map(|id| reader.0.get_one::<OsString>(id))
                .map(Into::into)
                .unwrap_or_default(),
            local: local(&reader),
            directory: reader.0.get_one::<OsString>("dir").map(Into::into),
            pattern: pattern(&reader)?,
            count: reader.number("count", "Invalid --count.")?,
            kind: reader.text("type"),
            samples: reader.number("memkeys-samples", "--memkeys-samples conversion error.")?,
            pipe_timeout: reader.seconds("pipe-timeout", "Invalid --pipe-timeout.")?.unwrap_or(Duration::from_secs(30)),
            words,
        })
    }
}

/// What to say about an option that there is not.
fn unknown_option(name: &str, option: &str) -> String {
    if let Some((_, instead)) = ABSENT.iter().find(|(absent, _)| *absent == option) {
        return format!("'{option}' is an option of redis-cli that {name} does not have: {instead}.\n");
    }
    let mut text = format!("Unrecognized option or bad number of args for: '{option}'\n");
    let known = definition();
    let close = known.get_arguments().filter_map(Arg::get_long).filter(|long| {
        let typed = option.trim_start_matches('-');
        typed.len() > 2 && (long.starts_with(typed) || typed.starts_with(long))
    });
    for long in close {
        text.push_str(&format!("Did you mean --{long}?\n"));
    }
    text.push_str(&format!("Try {name} --help for more information.\n"));
    text
}

fn connection(reader: &Reader<'_>) -> Result<Options, String> {
    let mut options = match reader.text("url") {
        Some(url) => Options::from_url(&url).map_err(|error| format!("{error}\n"))?,
        None => Options::default(),
    };
    let port = reader.number::<u16>("port", "Invalid server port.")?;
    if let Some(path) = reader.0.get_one::<OsString>("socket") {
        options.address = Address::Unix(path.into());
    } else if let Address::Tcp(host, old_port) = &mut options.address {
        *host = reader.text("host").unwrap_or_else(|| std::mem::take(host));
        *old_port = port.unwrap_or(*old_port);
    }
    options.tls = tls(reader, options.tls)?;
    if options.tls.is_some() && matches!(options.address, Address::Unix(_)) {
        return Err("TLS needs a host and a port, not a Unix socket.\n".into());
    }
    options.user = reader.text("user").or(options.user);
    let on_line = reader.text("password").or(options.password);
    if on_line.is_some() && !reader.0.get_flag("no-auth-warning") {
        terminal::complain(
            "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.",
        );
    }
    let from_environment = || std::env::var("REDISCLI_AUTH").ok().filter(|password| !password.is_empty());
    options.password = on_line.or_else(from_environment);
    if reader.0.get_flag("askpass") {
        let password = terminal::ask_password("Please input password: ");
        options.password = Some(password.map_err(|error| format!("No password: {error}\n"))?);
    }
    if let Some(database) = reader.number("database", "Invalid database number.")? {
        options.database = database;
    }
    options.connect_timeout = reader.seconds("timeout", "Invalid connection timeout for -t.")?;
    Ok(options)
}

/// The options about TLS, which count only when it is asked for, by the URL or `--tls`.
fn tls(reader: &Reader<'_>, from_url: Option<Tls>) -> Result<Option<Tls>, String> {
    if from_url.is_none() && !reader.0.get_flag("tls") {
        return Ok(None);
    }
    let path = |id: &str| reader.0.get_one::<OsString>(id).map(Into::into);
    let (certificate, key) = (path("cert"), path("key"));
    if certificate.is_some() != key.is_some() {
        return Err("Options --cert and --key go together.\n".into());
    }
    Ok(Some(Tls {
        server_name: reader.text("sni"),
        authority_file: path("cacert"),
        authority_directory: path("cacertdir"),
        insecure: reader.0.get_flag("insecure"),
        certificate,
        key,
    }))
}

fn format_of(matches: &ArgMatches) -> Format {
    let all = [
        ("raw", Format::Raw),
        ("no-raw", Format::Standard),
        ("csv", Format::Csv),
        ("json", Format::Json),
        ("quoted-json", Format::QuotedJson),
    ];
    let wished = all.iter().filter(|(id, _)| matches.get_flag(id));
    // The last one on the line wins.
    match wished.max_by_key(|(id, _)| matches.index_of(id)) {
        Some((_, format)) => *format,
        None if terminal::output_is_terminal() => Format::Standard,
        None => Format::Raw,
    }
}

fn mode_of(reader: &Reader<'_>) -> Result<Mode, String> {
    let history = reader.0.get_flag("latency-history");
    let seconds = reader.number("intrinsic-latency", "Invalid --intrinsic-latency.")?;
    let all = [
        (reader.0.get_flag("latency") || history, Mode::Latency { history }),
        (reader.0.get_flag("pipe"), Mode::Pipe),
        (reader.0.get_flag("bigkeys"), Mode::BigKeys),
        (reader.0.get_flag("memkeys") || reader.0.contains_id("memkeys-samples"), Mode::MemoryKeys),
        (reader.0.get_flag("hotkeys"), Mode::HotKeys),
        (reader.0.get_flag("stat"), Mode::Stat),
        (reader.0.get_flag("scan"), Mode::Scan),
        (reader.0.contains_id("rdb"), Mode::Snapshot { functions_only: false }),
        (reader.0.contains_id("functions-rdb"), Mode::Snapshot { functions_only: true }),
        (reader.0.get_flag("replica"), Mode::Replica),
        (seconds.is_some(), Mode::IntrinsicLatency { seconds: seconds.unwrap_or(0) }),
        (reader.0.contains_id("eval"), Mode::Eval),
    ];
    Ok(all.iter().find(|(asked, _)| *asked).map_or(Mode::Commands, |(_, mode)| *mode))
}

fn local(reader: &Reader<'_>) -> Option<LocalAction> {
    let pair: Vec<Vec<u8>> =
        reader.0.get_many::<OsString>("set").into_iter().flatten().map(|word| word.clone().into_vec()).collect();
    match <[Vec<u8>; 2]>::try_from(pair) {
        Ok([key, value]) => Some(LocalAction::Set(key, value)),
        Err(_) => reader.bytes("get").map(LocalAction::Get),
    }
}

fn pattern(reader: &Reader<'_>) -> Result<Option<Vec<u8>>, String> {
    match reader.bytes("quoted-pattern") {
        None => Ok(reader.bytes("pattern")),
        Some(quoted) => match crate::stdx::quote::split_arguments(&quoted) {
            Ok(mut words) if words.len() == 1 => Ok(words.pop()),
            _ => Err("Invalid quoted string specified for --quoted-pattern.\n".into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(words: &[&str]) -> Request {
        parse("ringfort-cli", &words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    fn settings(words: &[&str]) -> Settings {
        match request(words) {
            Request::Run(settings) => *settings,
            Request::Tell(text) | Request::Refuse(text) => panic!("{words:?}: {text}"),
        }
    }

    fn refused(words: &[&str]) -> String {
        match request(words) {
            Request::Refuse(text) => text,
            _ => panic!("{words:?} is accepted"),
        }
    }

    #[test]
    fn the_definition_holds_together() {
        definition().debug_assert();
    }

    #[test]
    fn options_end_where_the_command_begins() {
        let found = settings(&["-h", "example.org", "-p", "7000", "-n", "3", "-r", "-1", "set", "-x", "--json", "-1"]);
        assert_eq!(found.options.address, Address::Tcp("example.org".into(), 7000));
        assert_eq!((found.options.database, found.repeat, found.last_from_input), (3, -1, false));
        assert_eq!(found.words, [&b"set"[..], b"-x", b"--json", b"-1"]);
        let found = settings(&["-3", "-x", "-i", "0.5", "--eval", "f.lua", "k", ",", "a"]);
        assert_eq!((found.mode, found.options.resp3, found.last_from_input), (Mode::Eval, true, true));
        assert_eq!(found.interval, Duration::from_millis(500));
        assert_eq!(found.words, [&b"k"[..], b",", b"a"]);
        assert_eq!(settings(&["-p", "1", "-p", "2"]).options.address, Address::Tcp("127.0.0.1".into(), 2));
        assert_eq!(settings(&["-s", "/x"]).options.address, Address::Unix("/x".into()));
    }

    #[test]
    fn formats_and_protocols() {
        assert_eq!(settings(&["--raw", "--csv"]).format, Format::Csv);
        assert_eq!(settings(&["--csv", "--no-raw"]).format, Format::Standard);
        let json = settings(&["--json"]);
        assert!(json.options.resp3 && json.resp3_is_optional);
        assert!(!settings(&["--json", "-2"]).options.resp3);
        assert!(!settings(&["-3", "--json"]).resp3_is_optional);
    }

    #[test]
    fn a_url_and_options_that_change_it() {
        let found = settings(&["--no-auth-warning", "-u", "redis://u:p@h:7/3", "-p", "8", "-n", "4"]).options;
        assert_eq!((found.address, found.database), (Address::Tcp("h".into(), 8), 4));
        assert_eq!((found.user.as_deref(), found.password.as_deref()), (Some("u"), Some("p")));
    }

    #[test]
    fn tls_is_asked_for_by_an_option_or_a_url() {
        assert_eq!(settings(&["--cacert", "ca", "PING"]).options.tls, None);
        let found = settings(&["--tls", "--sni", "h", "--cacert", "ca", "--cert", "c", "--key", "k"]).options.tls;
        let tls = Tls {
            server_name: Some("h".into()),
            authority_file: Some("ca".into()),
            certificate: Some("c".into()),
            key: Some("k".into()),
            ..Tls::default()
        };
        assert_eq!(found, Some(tls));
        let found = settings(&["-u", "rediss://h", "--insecure", "--cacertdir", "d"]).options.tls;
        let tls = Tls { insecure: true, authority_directory: Some("d".into()), ..Tls::default() };
        assert_eq!(found, Some(tls));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (words, text) in [
            (&["--nosuch"][..], "Unrecognized option or bad number of args for: '--nosuch'"),
            (&["--lat"], "Did you mean --latency?"),
            (&["-p"], "Unrecognized option or bad number of args for: '-p'"),
            (&["-p", "x"], "Invalid server port."),
            (&["-p", "70000"], "Invalid server port."),
            (&["-x", "-X", "t"], "Options -x and -X are mutually exclusive."),
            (&["-2", "-3"], "Options -2 and -3 are mutually exclusive."),
            (&["--cluster", "info"], "use redis-cli --cluster"),
            (&["-u", "http://x"], "Invalid URI scheme"),
            (&["--tls", "--cert", "c"], "Options --cert and --key go together."),
            (&["--tls", "-s", "/x"], "TLS needs a host and a port"),
        ] {
            assert!(refused(words).contains(text), "{words:?}: {}", refused(words));
        }
        assert!(matches!(request(&["-h"]), Request::Tell(text) if text.contains("--askpass")));
        assert!(matches!(request(&["--help"]), Request::Tell(_)));
        assert!(matches!(request(&["-v"]), Request::Tell(text) if text.starts_with("ringfort-cli ")));
    }
}
