//! Tables for the configuration file, CONFIG REWRITE and the example file. `oracle_tests` runs [`BAD_FILES`] and
//! [`GOOD_FILES`] against a stock Redis, too.

use super::*;
use crate::config::rewrite::{example_file, replace_file, rewrite};

/// Content of a file that is refused, the line that is named, and the reason.
type BadFile = (&'static str, Option<(usize, &'static str)>, &'static str);

#[rustfmt::skip]
pub(in crate::config) const BAD_FILES: &[BadFile] = &[
    ("# c\nfoo bar\n", Some((2, "foo bar")), "Bad directive or wrong number of arguments"),
    ("\n\n  foo  \t\r\n", Some((3, "foo")), "Bad directive or wrong number of arguments"),
    ("port", Some((1, "port")), "wrong number of arguments"),
    ("port 1 2", Some((1, "port 1 2")), "wrong number of arguments"),
    ("PORT abc", Some((1, "PORT abc")), "argument couldn't be parsed into an integer"),
    ("dbfilename \"a", Some((1, "dbfilename \"a")), "Unbalanced quotes in configuration line"),
    ("dir /nonexistent", Some((1, "dir /nonexistent")), "No such file or directory"),
    ("save 1", Some((1, "save 1")), "Invalid save parameters"),
    ("save 1 2 x", Some((1, "save 1 2 x")), "Invalid save parameters"),
    ("unixsocketperm 999", Some((1, "unixsocketperm 999")), "argument couldn't be parsed as an octal number"),
    ("unixsocketperm 1000", Some((1, "unixsocketperm 1000")), "argument must be between 0 and 777 inclusive"),
    ("appendfilename \"\"", Some((1, "appendfilename \"\"")), "appendfilename can't be empty"),
    ("appenddirname a/b", Some((1, "appenddirname a/b")), "appenddirname can't be a path, just a dirname"),
    ("replicaof localhost", Some((1, "replicaof localhost")), "wrong number of arguments"),
    ("slaveof localhost x", Some((1, "slaveof localhost x")), "Invalid master port"),
    ("maxmemory-policy", Some((1, "maxmemory-policy")), "wrong number of arguments"),
    ("include", Some((1, "include")), "Bad directive or wrong number of arguments"),
    ("rename-command GET", Some((1, "rename-command GET")), "Bad directive or wrong number of arguments"),
    ("user", Some((1, "user")), "Bad directive or wrong number of arguments"),
    ("loadmodule", Some((1, "loadmodule")), "Bad directive or wrong number of arguments"),
    ("module.x", Some((1, "module.x")), "Module config specified without value"),
    ("sentinel monitor a b 1 1", Some((1, "sentinel monitor a b 1 1")), "sentinel directive while not in sentinel mode"),
    ("list-max-ziplist-value 1 2", Some((1, "list-max-ziplist-value 1 2")), "Bad directive or wrong number of arguments"),
    ("cluster-enabled yes\nreplicaof 127.0.0.1 1\n", None, "replicaof directive not allowed in cluster mode"),
    ("logfile /nonexistent/log", None, "Can't open the log file: No such file or directory"),
];

/// Content of a file, and what CONFIG GET prints for some names after it was loaded.
#[rustfmt::skip]
pub(in crate::config) const GOOD_FILES: &[(&str, &[(&str, &str)])] = &[
    ("", &[("save", "3600 1 300 100 60 10000"), ("bind", "* -::*")]),
    ("save 900 1\nsave 300 10\n", &[("save", "900 1 300 10")]),
    ("save 900 1\nsave \"\"\n", &[("save", "")]),
    ("save 900 1\nsave \"\"\nsave 5 5 6 6", &[("save", "5 5 6 6")]),
    ("save", &[("save", "")]),
    ("save \"60 1 50 2\"", &[("save", "60 1 50 2")]),
    ("save 900 \"\"", &[("save", "900 0")]),
    ("bind 127.0.0.1 -::1 # no comment\n", &[("bind", "127.0.0.1 -::1 # no comment")]),
    ("bind \"127.0.0.1   ::1\"", &[("bind", "127.0.0.1 ::1")]),
    ("bind", &[("bind", "")]),
    ("bind ''", &[("bind", "")]),
    ("client-output-buffer-limit normal 1mb 0 0\nclient-output-buffer-limit replica 2k 1 1\n", &[("client-output-buffer-limit", "normal 1048576 0 0 slave 2000 1 1 pubsub 33554432 8388608 60")]),
    ("slaveof localhost 1\nreplicaof no one", &[("replicaof", ""), ("slaveof", "")]),
    ("slaveof localhost 1\n", &[("replicaof", "localhost 1")]),
    ("requirepass \"a b\\x41\\n\"\n", &[("requirepass", "a bA\n")]),
    ("masterauth 'it\\'s'\n", &[("masterauth", "it's")]),
    ("  Timeout\t7  \r\n", &[("timeout", "7")]),
    ("timeout 1\ntimeout 2\n", &[("timeout", "2")]),
    ("hz 100000\nunixsocketperm 0770", &[("hz", "500"), ("unixsocketperm", "770")]),
    ("list-max-ziplist-entries 5\nlua-replicate-commands yes\n", &[("list-max-listpack-size", "-2")]),
    ("hash-max-ziplist-entries 7\n", &[("hash-max-listpack-entries", "7"), ("hash-max-ziplist-entries", "7")]),
    ("shutdown-on-sigint now save\noom-score-adj absolute\noom-score-adj-values 1 2 3", &[("shutdown-on-sigint", "save now"), ("oom-score-adj-values", "1 2 3")]),
    ("notify-keyspace-events \"KEA\"\nlatency-tracking-info-percentiles 10 20.5", &[("notify-keyspace-events", "AKE"), ("latency-tracking-info-percentiles", "10 20.5")]),
    ("latency-tracking-info-percentiles \"\"", &[("latency-tracking-info-percentiles", "")]),
    ("dir /usr\ndir lib\n", &[("dir", "/usr/lib")]),
    ("maxmemory 1gb\nmaxmemory-clients 10%\nrepl-backlog-size 2M\n", &[("maxmemory", "1073741824"), ("maxmemory-clients", "10%"), ("repl-backlog-size", "2000000")]),
];

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("ringfort-config-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Folder(std::fs::canonicalize(path).expect("the folder exists"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, text).expect("a file in a temporary folder");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn print(config: &Config, name: &str) -> String {
    let index = find(name.as_bytes()).expect("a name of the table").index;
    String::from_utf8_lossy(&config.print(index)).into_owned()
}

#[test]
fn bad_files_are_refused_with_the_line() {
    for (content, line, reason) in BAD_FILES {
        let error = load_text(content.as_bytes()).expect_err(content);
        let line = line.map(|(number, text)| (number, text.as_bytes().to_vec()));
        let expected = LoadError::Refused {
            line,
            reason: (*reason).into(),
        };
        assert_eq!(error, expected, "{content}");
    }
}

#[test]
fn the_fatal_text_is_that_of_redis() {
    let error = load_text(b"# c\nfoo bar\n").expect_err("a bad line");
    let text = "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 2\n\
                >>> 'foo bar'\nBad directive or wrong number of arguments\n";
    assert_eq!(String::from_utf8_lossy(&error.text("7.0.15")), text);
}

#[test]
fn good_files_give_values() {
    for (content, expected) in GOOD_FILES {
        let loaded = load_text(content.as_bytes()).expect(content);
        for (name, value) in *expected {
            assert_eq!(print(&loaded.config, name), *value, "{content}");
        }
    }
}

#[test]
fn modules_and_sentinel_are_refused_in_clear_words() {
    for (line, part) in [
        ("loadmodule /x.so a", "Modules cannot be loaded"),
        ("search.timeout 5", "modules cannot be loaded"),
        ("sentinel", "redis-sentinel"),
    ] {
        let error = load_text(line.as_bytes()).expect_err(line);
        assert!(error.to_string().contains(part), "{line}: {error}");
    }
}

#[test]
fn lines_for_others_are_handed_on() {
    let loaded = load_text(b"User alice on >p\n\nrename-command CONFIG \"\"\nuser bob off\n")
        .expect("valid");
    let users: Vec<(usize, &[u8])> = loaded
        .users
        .iter()
        .map(|line| (line.number, &*line.words[1]))
        .collect();
    assert_eq!(users, [(1, &b"alice"[..]), (4, b"bob")]);
    let renamed = &loaded.renamed_commands[0];
    assert_eq!(renamed.words, [&b"rename-command"[..], b"CONFIG", b""]);
    let error = renamed.error("No such command in rename-command");
    let text = String::from_utf8(error.text("7.4.1")).expect("text");
    assert!(text.ends_with(
        "at line 3\n>>> 'rename-command CONFIG \"\"'\nNo such command in rename-command\n"
    ));
}

#[test]
fn files_standard_input_and_options_in_order() {
    let folder = Folder::new("order");
    let file = folder.write("a.conf", "timeout 1\ntcp-keepalive 1\nhz 1");
    let sources = Sources {
        file: Some(file),
        stdin: true,
        options: b"hz \"3\" ".to_vec(),
    };
    let loaded = load(&sources, &mut &b"tcp-keepalive 2\nhz 2"[..]).expect("valid");
    let values: Vec<String> = ["timeout", "tcp-keepalive", "hz"]
        .map(|name| print(&loaded.config, name))
        .into();
    assert_eq!(values, ["1", "2", "3"]);
    let bad = Sources {
        options: b"hz \"x\" ".to_vec(),
        ..sources
    };
    let error = load(&bad, &mut &b""[..]).expect_err("not a number");
    assert_eq!(
        error.to_string(),
        "line 5: argument couldn't be parsed into an integer"
    );
}

#[test]
fn includes_follow_patterns_and_dir() {
    let folder = Folder::new("include");
    folder.write("conf.d/b.conf", "timeout 2");
    folder.write("conf.d/a.conf", "timeout 1\ndatabases 3");
    folder.write("conf.d/.hidden.conf", "timeout 9");
    folder.write("conf.d/c.txt", "timeout 8");
    let root = folder.0.display();
    for (text, timeout) in [
        (format!("include {root}/conf.d/*.conf"), "2"),
        (format!("dir {root}\ninclude conf.d/?.conf\n"), "2"),
        (format!("include {root}/conf.d/a.conf\ntimeout 5"), "5"),
        (format!("timeout 5\ninclude {root}/conf.d/[x-z].conf"), "5"),
        (format!("include {root}/*/a.conf"), "1"),
        (format!("include {root}/none/*.conf\ntimeout 6"), "6"),
    ] {
        let loaded = load_text(text.as_bytes()).expect(&text);
        assert_eq!(print(&loaded.config, "timeout"), timeout, "{text}");
    }
    let bad = folder.write("bad.conf", "\nport x");
    let error =
        load_text(format!("timeout 1\n\ninclude {}", bad.display()).as_bytes()).expect_err("bad");
    assert_eq!(
        error.to_string(),
        "line 2: argument couldn't be parsed into an integer",
        "the included file's line"
    );
    let missing = format!("include {root}/missing.conf");
    let error = load_text(missing.as_bytes()).expect_err("missing");
    let text = format!(
        "Fatal error, can't open config file '{root}/missing.conf': No such file or directory\n"
    );
    assert_eq!(String::from_utf8_lossy(&error.text("7.4.1")), text);
    let circle = folder.write("circle.conf", "");
    let line = format!("include {}\n", circle.display());
    folder.write("circle.conf", &line);
    let error = load_text(line.as_bytes()).expect_err("a circle");
    assert!(error.to_string().contains("include each other"), "{error}");
}

#[test]
fn cluster_has_one_database() {
    let loaded = load_text(b"cluster-enabled yes\n").expect("valid");
    assert_eq!(loaded.config.get_i64(crate::param!("databases")), 1);
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn rewriting_keeps_comments_and_order() {
    for (old, new) in [
        (
            "# c\nport 1\n\n\n\nfoo bar\n",
            "# c\nport 1\n\n# ??? foo bar\n\n",
        ),
        ("timeout 5\ntimeout 6\nhz 10\n", "timeout 6\n\nhz 10\n\n"),
        ("slave-priority 5\n", "replica-priority 5\n\n"),
        ("include /dev/null\n", "include /dev/null\n\n"),
        ("rename-command GET \"\"\n", "rename-command GET \"\"\n\n"),
        ("user bob off\nloadmodule /x\n", "\n"),
        ("save 1 1\nsave 2 2\n", "save 1 1\nsave 2 2\n\n"),
        ("save \"\"\n", "save \"\"\n\n"),
        ("replicaof no one\n", "\n"),
        ("maxmemory 2097152\n", "maxmemory 2mb\n\n"),
        ("bind * -::*\n", "\n"),
        ("bind a b\n", "bind a b\n\n"),
        (
            "unixsocketperm 770\nrequirepass 'a b'\n",
            "unixsocketperm 770\nrequirepass \"a b\"\n\n",
        ),
    ] {
        let known: String = old
            .lines()
            .filter(|line| !line.starts_with("foo") && !line.starts_with("load"))
            .fold(String::new(), |text, line| text + line + "\n");
        let config = load_text(known.as_bytes()).expect(old).config;
        let text = String::from_utf8(rewrite(&config, old.as_bytes(), &[])).expect("text");
        let kept = text
            .split("# Generated by CONFIG REWRITE\n")
            .next()
            .expect("a first part");
        assert_eq!(kept, new, "{old}");
    }
}

#[test]
fn rewriting_adds_what_is_not_default_once() {
    let config = load_text(b"timeout 9\nsave 5 5\nnotify-keyspace-events KA")
        .expect("valid")
        .config;
    let users = [b"user default on nopass ~* &* +@all".to_vec()];
    let first = rewrite(&config, b"", &users);
    let here = std::env::current_dir().expect("a folder");
    let expected = format!(
        "# Generated by CONFIG REWRITE\ntimeout 9\nlatency-tracking-info-percentiles 50 99 99.9\ndir \"{}\"\nsave 5 5\n\
         notify-keyspace-events \"AK\"\nuser default on nopass ~* &* +@all\n",
        here.display()
    );
    assert_eq!(String::from_utf8_lossy(&first), expected);
    let second = rewrite(&config, &first, &users);
    assert_eq!(
        String::from_utf8_lossy(&second),
        expected + "\n",
        "as Redis, the end of the last line counts as a line"
    );
    assert_eq!(rewrite(&config, &second, &users), second);
    let with_file = load_text(b"aclfile /x").expect("valid").config;
    assert!(
        !rewrite(&with_file, &first, &users)
            .windows(5)
            .any(|part| part == b"user ")
    );
}

#[test]
fn a_value_with_a_line_end_stays_one_line() {
    let mut config = Config::new();
    let pairs: [(&[u8], &[u8]); 4] = [
        (b"masterauth", b"x\nrequirepass hacked"),
        (b"masteruser", b"\r\n\"'\\"),
        (b"bind", b"127.0.0.1\nrequirepass\thacked"),
        (b"cluster-announce-human-nodename", b"x\nrequirepass hacked"),
    ];
    config
        .set_many(&pairs, Default::default())
        .expect("any bytes are a password");
    config
        .set_words(
            crate::param!(index of "replicaof"),
            &[b"h\nrequirepass hacked\n", b"1"],
        )
        .expect("a host");
    let file = rewrite(&config, b"", &[]);
    let loaded = load_text(&file).expect("the file loads").config;
    assert_eq!(print(&loaded, "masterauth"), "x\nrequirepass hacked");
    assert_eq!(print(&loaded, "masteruser"), "\r\n\"'\\");
    assert_eq!(print(&loaded, "requirepass"), "");
    assert_eq!(print(&loaded, "bind"), "127.0.0.1\nrequirepass\thacked");
    assert_eq!(print(&loaded, "replicaof"), "h\nrequirepass hacked\n 1");
}

#[test]
fn the_file_is_replaced_as_a_whole() {
    let folder = Folder::new("replace");
    let path = folder.write("redis.conf", "old");
    replace_file(&path, b"new\n").expect("a writable folder");
    assert_eq!(std::fs::read(&path).expect("the file"), b"new\n");
    assert_eq!(
        std::fs::read_dir(&folder.0).expect("the folder").count(),
        1,
        "nothing is left behind"
    );
    assert!(replace_file(&folder.0.join("none/redis.conf"), b"x").is_err());
}

#[test]
fn the_example_file_shows_the_defaults() {
    let text = example_file();
    let mut active = String::new();
    for line in text.lines() {
        let name = line
            .strip_prefix("# ")
            .and_then(|line| line.split(' ').next());
        if name.is_some_and(|name| PARAMETERS.iter().any(|row| row.name == name)) {
            active.push_str(&line[2..]);
            active.push('\n');
        }
    }
    let loaded = load_text(active.as_bytes())
        .expect("every default is valid")
        .config;
    for (index, row) in PARAMETERS.iter().enumerate() {
        assert_eq!(
            loaded.print(index),
            Config::new().print(index),
            "{}",
            row.name
        );
        assert!(
            row.hidden || active.contains(&format!("{} ", row.name)),
            "{} is missing",
            row.name
        );
    }
    assert_eq!(
        load_text(text.as_bytes())
            .expect("only comments")
            .config
            .generation(),
        0
    );
}

#[test]
fn any_text_is_a_configuration_or_an_error() {
    bolero::check!().with_type::<Vec<u8>>().for_each(|text| {
        // Lines that would touch files are not for this test.
        let file = [&b"include"[..], b"logfile", b"dir"];
        let lower = text.to_ascii_lowercase();
        if file
            .iter()
            .any(|word| lower.windows(word.len()).any(|part| part == *word))
        {
            return;
        }
        match load_text(text) {
            Ok(loaded) => drop(rewrite(&loaded.config, text, &[])),
            Err(error) => assert!(!error.text("7.4.1").is_empty()),
        }
    });
}

/// Lines out of real names and odd values: random bytes alone seldom reach a parameter.
#[test]
fn any_lines_of_real_names_load_or_fail() {
    bolero::check!()
        .with_type::<Vec<(u8, Vec<u8>)>>()
        .for_each(|lines| {
            let mut text = Vec::new();
            for (place, value) in lines {
                let name = PARAMETERS[usize::from(*place) % PARAMETERS.len()].name;
                if !matches!(name, "logfile" | "dir") {
                    text.extend_from_slice(name.as_bytes());
                    text.push(b' ');
                    text.extend(value.iter().filter(|byte| **byte != b'\n'));
                    text.push(b'\n');
                }
            }
            let _ = load_text(&text);
        });
}
