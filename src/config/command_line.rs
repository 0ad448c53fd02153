//! What may stand after the name of the server: `[/path/to/redis.conf | -] [--name value …] [-]`, and a few requests.
//!
//! The rules are those of redis-server 7.4: every option becomes a line of configuration, read after the file and after
//! standard input. Total: any words in, a request out. Called once, by `main`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::file::Sources;
use crate::stdx::quote::{quote, split_arguments};

/// What the words ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Load these and serve.
    Serve(Sources),
    /// Write this to standard output and exit with code 0.
    Tell(String),
    /// Write this to standard error and exit with code 1.
    Refuse(String),
}

/// Version texts of `--version`.
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    /// The version of Redis whose place this server takes.
    pub redis: &'static str,
    /// Our own.
    pub own: &'static str,
}

/// Reads the words after the program's name.
pub fn parse(arguments: &[OsString], versions: Versions) -> Request {
    if arguments.iter().any(|word| word == "--sentinel") {
        return Request::Refuse(
            "Sentinel mode is not part of this server; run redis-sentinel.\n".into(),
        );
    }
    let Some(first) = arguments.first() else {
        return Request::Serve(Sources::default());
    };
    match first.as_bytes() {
        b"-v" | b"--version" => return Request::Tell(version(versions)),
        b"-h" | b"--help" => return Request::Refuse(USAGE.into()),
        b"--test-memory" => {
            return Request::Refuse(
                "There is no memory test in this server; run memtester or memtest86+.\n".into(),
            );
        }
        b"--check-system" => {
            return Request::Refuse(
                "There is no system check in this server; the log says at start what it found.\n"
                    .into(),
            );
        }
        _ => {}
    }
    let mut sources = Sources::default();
    let mut options = arguments;
    if !first.as_bytes().starts_with(b"-") {
        sources.file = Some(absolute(first));
        options = &arguments[1..];
    }
    let alone_first = options.len() == arguments.len();
    read_options(options, alone_first, &mut sources);
    Request::Serve(sources)
}

/// A path that no longer depends on the folder the process is in (`dir` changes it).
fn absolute(path: &OsStr) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| Path::new(path).to_owned())
}

/// Turns options into lines. `first` says whether the first option is the first word of all, where `-` is allowed.
fn read_options(options: &[OsString], first: bool, sources: &mut Sources) {
    let lines = &mut sources.options;
    // Whether the option before has a value, so that a word that starts with "--" is an option and not its value.
    let mut complete = true;
    for (index, option) in options.iter().enumerate() {
        let word = option.as_bytes();
        let next = options.get(index + 1).map(|next| next.as_bytes());
        if word == b"-" && ((first && index == 0) || next.is_none()) {
            sources.stdin = true;
            continue;
        }
        let Some(name) = word.strip_prefix(b"--").filter(|_| complete) else {
            lines.extend(quote(word).bytes());
            lines.push(b' ');
            complete = true;
            continue;
        };
        if !lines.is_empty() {
            lines.push(b'\n');
        }
        lines.extend_from_slice(name);
        lines.push(b' ');
        // "--port 7000" as one word brings its value along.
        complete = split_arguments(word).map_or(true, |words| words.len() != 1);
        if !complete
            && name.eq_ignore_ascii_case(b"save")
            && next.is_none_or(|next| next.starts_with(b"--"))
        {
            // An empty list, as programs write it that build the command line from one.
            lines.extend_from_slice(b"\"\"");
            complete = true;
        }
    }
}

fn version(versions: Versions) -> String {
    let Versions { redis, own } = versions;
    format!(
        "Redis server v={redis} sha=00000000:0 malloc=mimalloc bits={} build=ringfort-{own}\n",
        usize::BITS
    )
}

const USAGE: &str = "\
Usage: ringfort [/path/to/redis.conf] [options] [-]
       ringfort -                 (configuration from standard input)
       ringfort -v or --version
       ringfort -h or --help

Every parameter of redis.conf is an option, and wins over the file:
       ringfort --port 7777 --maxmemory 2gb
       ringfort /etc/redis/redis.conf --loglevel verbose --save \"\"
       ringfort --port 7777 --replicaof 127.0.0.1 8888
       echo 'maxmemory 128mb' | ringfort -

Besides serving (each with --help):
       ringfort service start|stop|restart|status|logs [--config FILE]
       ringfort generate config|man|completions|systemd-unit
       ringfort install-links <directory>

Of this server only:
       --shards <number>             shards and threads; 0, the default, takes one per core
       --pin auto|yes|no             tie threads to cores
       --driver auto|io_uring|epoll  kernel interface for sockets
       --look-around-us <number>     microseconds a core looks for work before it sleeps
";

#[cfg(test)]
mod tests {
    use super::*;

    const VERSIONS: Versions = Versions {
        redis: "7.4.1",
        own: "0.1.0",
    };

    fn request(words: &[&str]) -> Request {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        parse(&words, VERSIONS)
    }

    #[test]
    fn options_become_lines() {
        for (words, lines) in [
            (&["--port", "7000"][..], "port \"7000\" "),
            (&["--port 7000"], "port 7000 "),
            (&["--port 7000", "--save"], "port 7000 \nsave \"\""),
            (&["--save", "900", "1"], "save \"900\" \"1\" "),
            (&["--save", ""], "save \"\" "),
            (&["--save", "--port", "1"], "save \"\"\nport \"1\" "),
            (
                &["--port", "0", "--unixsocket", "/p"],
                "port \"0\" \nunixsocket \"/p\" ",
            ),
            (
                &["--proc-title-template", "--x"],
                "proc-title-template \"--x\" ",
            ),
            (&["--requirepass", "a\"b\n"], "requirepass \"a\\\"b\\n\" "),
            (&["--maxmemory"], "maxmemory "),
            (
                &["--bind", "127.0.0.1", "-::1"],
                "bind \"127.0.0.1\" \"-::1\" ",
            ),
            (&["--bind", "-"], "bind "),
            (&["-x"], "\"-x\" "),
        ] {
            let Request::Serve(sources) = request(words) else {
                panic!("{words:?} is not a request to serve");
            };
            assert_eq!(
                String::from_utf8_lossy(&sources.options),
                lines,
                "{words:?}"
            );
            assert_eq!(sources.file, None);
        }
    }

    #[test]
    fn file_and_standard_input() {
        for (words, file, stdin) in [
            (&[][..], None, false),
            (&["-"], None, true),
            (&["/a/b.conf"], Some("/a/b.conf"), false),
            (&["/a/b.conf", "-"], Some("/a/b.conf"), true),
            (&["/a/b.conf", "--port", "1", "-"], Some("/a/b.conf"), true),
            (&["-", "--port", "1"], None, true),
            (&["/a/b.conf", "-", "--port", "1"], Some("/a/b.conf"), false),
        ] {
            let Request::Serve(sources) = request(words) else {
                panic!("{words:?} is not a request to serve");
            };
            assert_eq!(
                (sources.file.as_deref(), sources.stdin),
                (file.map(Path::new), stdin),
                "{words:?}"
            );
        }
    }

    #[test]
    fn requests_that_do_not_serve() {
        assert_eq!(
            request(&["--version"]),
            Request::Tell("Redis server v=7.4.1 sha=00000000:0 malloc=mimalloc bits=64 build=ringfort-0.1.0\n".into())
        );
        assert_eq!(request(&["-v"]), request(&["--version"]));
        for words in [
            &["-h"][..],
            &["--help"],
            &["--test-memory", "10"],
            &["--check-system"],
            &["x.conf", "--sentinel"],
        ] {
            assert!(matches!(request(words), Request::Refuse(_)), "{words:?}");
        }
    }
}
