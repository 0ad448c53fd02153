//! `ringfort-cli` end to end: the real binaries, one-shot through pipes and interactive at a pseudo-terminal.

mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::client::Address;
use support::server::{Server, Target, Transport, skip_without_redis};
use support::terminal::Terminal;
use support::value::Value;

const CLI: &str = env!("CARGO_BIN_EXE_ringfort-cli");

fn server() -> Server {
    Server::start_with(Target::Ringfort { shards: 2 }, Transport::Tcp, &[])
}

fn port(server: &Server) -> String {
    match server.address() {
        Address::Tcp(address) => address.port().to_string(),
        Address::Unix(_) => panic!("the server listens on TCP"),
    }
}

/// A port where nobody listens.
fn silent_port() -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port().to_string()
}

/// Runs the program to its end, with a standard input.
fn run_with(arguments: &[&str], input: &[u8], change: &dyn Fn(&mut Command)) -> Output {
    let mut command = Command::new(CLI);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("REDISCLI_AUTH").env_remove("FAKETTY");
    change(&mut command);
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    // A program that does not read its input has closed it.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

fn run(arguments: &[&str], input: &[u8]) -> Output {
    run_with(arguments, input, &|_| {})
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The program against a server: its output, and that it succeeded.
fn said(server: &Server, arguments: &[&str]) -> String {
    let port = port(server);
    let output = run(&[&["-p", &port], arguments].concat(), b"");
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn one_command_in_every_format() {
    let server = server();
    for (arguments, expected) in [
        (&["SET", "mykey", "my value"][..], "OK\n"),
        (&["GET", "mykey"], "my value\n"),
        (&["--no-raw", "GET", "mykey"], "\"my value\"\n"),
        (&["GET", "nosuch"], "\n"),
        (&["--no-raw", "GET", "nosuch"], "(nil)\n"),
        (&["RPUSH", "list", "a", "b", "c"], "3\n"),
        (&["LRANGE", "list", "0", "-1"], "a\nb\nc\n"),
        (&["--no-raw", "LRANGE", "list", "0", "-1"], "1) \"a\"\n2) \"b\"\n3) \"c\"\n"),
        (&["-d", "|", "LRANGE", "list", "0", "-1"], "a|b|c\n"),
        (&["--csv", "LRANGE", "list", "0", "-1"], "\"a\",\"b\",\"c\"\n"),
        (&["HSET", "hash", "f", "1"], "1\n"),
        (&["-3", "--no-raw", "HGETALL", "hash"], "1# \"f\" => \"1\"\n"),
        (&["--json", "HGETALL", "hash"], "{\"f\":\"1\"}\n"),
        (&["-2", "--json", "HGETALL", "hash"], "[\"f\",\"1\"]\n"),
        (&["--no-raw", "ZADD", "z", "1.5", "a"], "(integer) 1\n"),
        (&["-3", "--no-raw", "ZSCORE", "z", "a"], "(double) 1.5\n"),
        (&["-r", "3", "INCR", "counter"], "1\n2\n3\n"),
        (&["-n", "1", "DBSIZE"], "0\n"),
        (&["--quoted-input", "SET", "\"a\\x00b\"", "v"], "OK\n"),
        (&["--no-raw", "--scan", "--pattern", "a*"], "\"a\\x00b\"\n"),
        (&["--no-raw", "INCR", "mykey"], "(error) ERR value is not an integer or out of range\n"),
    ] {
        assert_eq!(said(&server, arguments), expected, "{arguments:?}");
    }
    assert!(said(&server, &["INFO", "server"]).contains("\r\nredis_version:"));
}

#[test]
fn exit_codes_and_errors_that_help() {
    let server = server();
    server.connect().call(&["CONFIG", "SET", "requirepass", "secret"]);
    let (port, silent) = (port(&server), silent_port());
    let refused = format!("Could not connect to Redis at 127.0.0.1:{silent}: Connection refused\n");
    let no_socket = "Could not connect to Redis at /nosuch/socket: No such file or directory\n";
    let url = format!("redis://:secret@127.0.0.1:{port}/3");
    let warning = "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.\n";
    let wrong = "AUTH failed: WRONGPASS invalid username-password pair or user is disabled.\n";
    type Case<'a> = (&'a [&'a str], i32, &'a str, &'a str);
    let cases: &[Case<'_>] = &[
        (&["-p", &silent, "PING"], 1, "", &refused),
        (&["-s", "/nosuch/socket", "PING"], 1, "", no_socket),
        (&["-p", &port, "PING"], 0, "NOAUTH Authentication required.\n\n", ""),
        (&["-p", &port, "-e", "PING"], 1, "", "NOAUTH Authentication required.\n"),
        (&["-p", &port, "-a", "secret", "PING"], 0, "PONG\n", warning),
        (&["-p", &port, "--no-auth-warning", "-a", "secret", "PING"], 0, "PONG\n", ""),
        (&["-p", &port, "--no-auth-warning", "--user", "default", "--pass", "secret", "PING"], 0, "PONG\n", ""),
        (&["-p", &port, "--no-auth-warning", "-a", "no", "PING"], 0, "NOAUTH Authentication required.\n\n", wrong),
        (&["--no-auth-warning", "-u", &url, "CLIENT", "NO-TOUCH", "on"], 0, "OK\n", ""),
        (&["-p", "x", "PING"], 1, "", "Invalid server port.\n"),
        (
            &["--nosuch"],
            1,
            "",
            "Unrecognized option or bad number of args for: '--nosuch'\nTry ringfort-cli --help for more information.\n",
        ),
    ];
    for (arguments, code, stdout, stderr) in cases {
        let output = run(arguments, b"");
        let found = (output.status.code(), text(&output.stdout), text(&output.stderr));
        assert_eq!(found, (Some(*code), (*stdout).to_string(), (*stderr).to_string()), "{arguments:?}");
    }
    let output = run_with(&["-p", &port, "PING"], b"", &|command| {
        command.env("REDISCLI_AUTH", "secret");
    });
    assert_eq!(text(&output.stdout), "PONG\n");
    let help = run(&["--help"], b"");
    assert!(help.status.success() && text(&help.stdout).contains("--latency-history"));
}

#[test]
fn values_and_commands_from_standard_input() {
    let server = server();
    let port = port(&server);
    let with = |arguments: &[&str], input: &[u8]| {
        let output = run(&[&["-p", &port], arguments].concat(), input);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    assert_eq!(with(&["-x", "SET", "photo"], b"\x01bytes\n"), (Some(0), "OK\n".into(), String::new()));
    assert_eq!(with(&["GET", "photo"], b"").1, "\x01bytes\n\n");
    assert_eq!(with(&["-X", "TAG", "SET", "TAG", "v"], b"name").0, Some(0));
    assert_eq!(with(&["GET", "name"], b"").1, "v\n");
    assert_eq!(with(&["-X", "TAG", "GET", "a"], b"name").0, Some(1));
    let conversation = b"SET a 1\n3 INCR a\nSELECT 1\nGET a\n\"open\nNOSUCH\nQUIT\nGET b\n";
    let (code, shown, _) = with(&[], conversation);
    let expected =
        "OK\n2\n3\n4\nOK\n\nInvalid argument(s)\nERR unknown command 'NOSUCH', with args beginning with: \n\n";
    assert_eq!((code, shown.as_str()), (Some(0), expected));
    let mut requests = Vec::new();
    for number in 0..10_000 {
        requests.extend_from_slice(format!("SET pipe:{number} {number}\r\n").as_bytes());
    }
    let transferred = "All data transferred. Waiting for the last reply...\nLast reply received from server.\n";
    let (code, shown, _) = with(&["--pipe"], &requests);
    assert_eq!((code, shown), (Some(0), format!("{transferred}errors: 0, replies: 10000\n")));
    let (code, shown, told) = with(&["--pipe"], b"SET a 1\r\nNOSUCH\r\n");
    assert_eq!((code, shown), (Some(1), format!("{transferred}errors: 1, replies: 2\n")));
    assert!(told.starts_with("ERR unknown command"));
}

#[test]
fn looking_at_a_server() {
    let server = server();
    let mut client = server.connect();
    for number in 0..100 {
        client.call(&["SET", &format!("key:{number}"), "value"]);
    }
    client.call(&["RPUSH", "list", "a", "b", "c"]);
    let mut keys: Vec<String> = said(&server, &["--scan"]).lines().map(str::to_string).collect();
    keys.sort();
    assert_eq!(keys.len(), 101);
    keys.dedup();
    assert_eq!(keys.len(), 101);
    assert_eq!(said(&server, &["--scan", "--type", "list", "--count", "1000"]), "list\n");
    let found = said(&server, &["--bigkeys"]);
    for line in
        ["Sampled 101 keys in the keyspace!", "Biggest   list found \"list\" has 3 items", "100 strings with 500 bytes"]
    {
        assert!(found.contains(line), "{line}: {found}");
    }
    assert!(said(&server, &["--memkeys"]).contains("Biggest   list found \"list\" has "));
    let latency = said(&server, &["--latency", "-i", "0.05", "--csv"]);
    assert_eq!(latency.trim().split(',').count(), 4, "{latency}");
    let port = port(&server);
    let mut statistics = Command::new(CLI);
    statistics.args(["-p", &port, "--stat", "-i", "0.01"]).stdout(Stdio::piped());
    let mut child = statistics.spawn().expect("the program starts");
    let stdout = child.stdout.take().expect("it is piped");
    let lines: Vec<String> = std::io::BufRead::lines(std::io::BufReader::new(stdout))
        .take(4)
        .map(|line| line.expect("it is text"))
        .collect();
    child.kill().expect("it runs for ever");
    child.wait().expect("it was ours");
    assert!(lines[0].starts_with("------- data"), "{lines:?}");
    assert!(lines[3].starts_with("101 "), "{lines:?}");
}

fn at_terminal(arguments: &[&str], history: &Path) -> Terminal {
    Terminal::start(CLI, arguments, &|command| {
        command.env("RINGFORT_CLI_HISTFILE", history).env_remove("REDISCLI_AUTH");
    })
}

#[test]
fn a_conversation_at_a_terminal() {
    let server = server();
    let port = port(&server);
    let history = server.directory().join("history");
    let mut terminal = at_terminal(&["-p", &port], &history);
    let prompt = format!("127.0.0.1:{port}");
    terminal.expect(&format!("{prompt}> "));
    terminal.press("SET ");
    terminal.expect("key value");
    terminal.enter("name \"Ann B\"");
    terminal.expect("OK");
    terminal.enter("get name");
    terminal.expect("\"Ann B\"");
    terminal.enter("2 incr visits");
    terminal.expect("(integer) 1");
    terminal.expect("(integer) 2");
    terminal.enter("select 1");
    terminal.expect(&format!("{prompt}[1]> "));
    terminal.enter("multi");
    terminal.expect(&format!("{prompt}[1](TX)> "));
    terminal.enter("set in transaction");
    terminal.expect("QUEUED");
    terminal.enter("exec");
    terminal.expect("1) OK");
    terminal.expect(&format!("{prompt}[1]> "));
    // Completion: the only command with this beginning.
    terminal.press("randomk\t");
    terminal.expect("randomkey");
    terminal.enter("");
    terminal.expect("\"in\"");
    terminal.enter("help getrange");
    terminal.expect("summary:");
    terminal.expect("group:");
    // Arrow up: the line before.
    terminal.press("\x1b[A");
    terminal.expect("help getrange");
    terminal.press("\x1b[A");
    terminal.expect("randomkey");
    terminal.enter("");
    terminal.expect("\"in\"");
    terminal.enter("auth never kept");
    terminal.expect("(error)");
    terminal.enter("hello 3");
    terminal.expect("1# \"server\" => \"redis\"");
    terminal.enter("exit");
    assert!(terminal.end().success());
    let kept = std::fs::read_to_string(&history).expect("the history was written");
    assert!(kept.contains("get name") && !kept.contains("never kept"), "{kept}");
    let mut again = at_terminal(&["-p", &port], &history);
    again.expect("> ");
    again.press("\x1b[A\x1b[A");
    again.expect("hello 3");
    again.press("\x04");
    drop(again);
}

#[test]
fn a_server_that_goes_away_and_comes_back() {
    let history = std::env::temp_dir().join(format!("ringfort-cli-history-{}", std::process::id()));
    let server = server();
    let port = port(&server);
    let mut terminal = at_terminal(&["-p", &port], &history);
    terminal.expect(&format!("127.0.0.1:{port}> "));
    drop(server);
    terminal.enter("ping");
    terminal.expect("Error: ");
    terminal.expect("not connected> ");
    terminal.enter("ping");
    terminal.expect("Connection refused");
    terminal.expect("not connected> ");
    let other = self::server();
    terminal.enter(&format!("connect 127.0.0.1 {}", self::port(&other)));
    terminal.expect(&format!("127.0.0.1:{}> ", self::port(&other)));
    terminal.enter("ping");
    terminal.expect("PONG");
    // Ctrl-C while a command waits takes a new connection.
    terminal.enter("blpop nosuch 0");
    terminal.expect("blpop nosuch 0");
    wait_for_blocked(&other);
    terminal.press("\x03");
    terminal.expect("^C");
    terminal.expect(&format!("127.0.0.1:{}> ", self::port(&other)));
    terminal.enter("ping");
    terminal.expect("PONG");
    terminal.expect("> ");
    terminal.press("\x04");
    assert!(terminal.end().success());
    let _ = std::fs::remove_file(history);
}

fn wait_for_blocked(server: &Server) {
    let mut client = server.connect();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !client.call(&["INFO", "clients"]).to_string().contains("blocked_clients:1") {
        assert!(std::time::Instant::now() < deadline, "the command never waited");
    }
}

#[test]
fn under_the_names_of_redis() {
    let server = server();
    let link = server.directory().join("redis-cli");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ringfort"), &link).expect("the folder is ours");
    let output = Command::new(&link).args(["-p", &port(&server), "PING"]).output().expect("it starts");
    assert_eq!(text(&output.stdout), "PONG\n");
    let output = Command::new(&link).arg("--version").output().expect("it starts");
    assert!(text(&output.stdout).starts_with("redis-cli 7."));
}

/// A server that has publish/subscribe, MONITOR and scripts: Ringfort as soon as it has them, stock redis-server until then.
fn server_with(command: &str) -> Option<Server> {
    let own = server();
    let known = matches!(own.connect().call(&["COMMAND", "INFO", command]).items()[0], Value::Array(_));
    match known {
        true => Some(own),
        false if skip_without_redis() => None,
        false => Some(Server::start_with(Target::Redis, Transport::Tcp, &[])),
    }
}

#[test]
fn a_subscription_at_a_terminal() {
    let Some(server) = server_with("subscribe") else { return };
    let port = port(&server);
    let history = server.directory().join("history");
    let mut terminal = at_terminal(&["-p", &port], &history);
    let prompt = format!("127.0.0.1:{port}> ");
    terminal.expect(&prompt);
    terminal.enter("subscribe news sport");
    terminal.expect("1) \"subscribe\"");
    terminal.expect("2) \"sport\"");
    terminal.expect("Reading messages... (press Ctrl-C to quit or any key to type command)");
    let mut publisher = server.connect();
    assert_eq!(publisher.call(&["PUBLISH", "news", "first"]), Value::Integer(1));
    terminal.expect("3) \"first\"");
    // A key brings the prompt back, the subscription goes on.
    terminal.press("p");
    terminal.expect("(subscribed mode)> ");
    terminal.enter("ing");
    terminal.expect("1) \"pong\"");
    assert_eq!(publisher.call(&["PUBLISH", "sport", "second"]), Value::Integer(1));
    terminal.expect("3) \"second\"");
    terminal.press("\x03");
    terminal.expect(&prompt);
    terminal.enter("get nosuch");
    terminal.expect("(nil)");
    assert_eq!(publisher.call(&["PUBLISH", "news", "nobody"]), Value::Integer(0));
    terminal.enter("quit");
    assert!(terminal.end().success());
}

#[test]
fn monitor_shows_commands_until_it_is_left() {
    let Some(server) = server_with("monitor") else { return };
    let port = port(&server);
    let history = server.directory().join("history");
    let mut terminal = at_terminal(&["-p", &port], &history);
    terminal.expect("> ");
    terminal.enter("monitor");
    terminal.expect("OK");
    server.connect().call(&["SET", "seen", "by monitor"]);
    terminal.expect("\"SET\" \"seen\" \"by monitor\"");
    terminal.press("\x03");
    terminal.expect(&format!("127.0.0.1:{port}> "));
    terminal.enter("get seen");
    terminal.expect("\"by monitor\"");
    terminal.expect("> ");
    terminal.press("\x04");
    assert!(terminal.end().success());
}

#[test]
fn scripts_from_files() {
    let Some(server) = server_with("eval") else { return };
    let script = server.directory().join("script.lua");
    std::fs::write(&script, "return {KEYS[1], KEYS[2], ARGV[1], #ARGV}").expect("the folder is ours");
    let path = script.to_str().expect("the path is text");
    assert_eq!(said(&server, &["--eval", path, "a", "b", ",", "x", "y"]), "a\nb\nx\n2\n");
    let output = run(&["-p", &port(&server), "--eval", "/nosuch.lua"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "Can't open file '/nosuch.lua': No such file or directory\n");
}

/// `--rdb` and `--replica` need a server that has replicas: stock redis-server until ours has.
#[test]
fn the_servers_data_as_a_replica_gets_it() {
    let Some(server) = server_with("sync") else { return };
    let mut client = server.connect();
    for number in 0..1_000 {
        client.call(&["SET", &format!("key:{number}"), "value"]);
    }
    let port = port(&server);
    for diskless in ["no", "yes"] {
        client.call(&["CONFIG", "SET", "repl-diskless-sync", diskless, "repl-diskless-sync-delay", "0"]);
        let file = server.directory().join(format!("copy-{diskless}.rdb"));
        let output = run(&["-p", &port, "--rdb", file.to_str().expect("the path is text")], b"");
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("Transfer finished with success"));
        let checked = Command::new(env!("CARGO_BIN_EXE_ringfort")).arg("--check-rdb").arg(&file).output();
        let checked = checked.expect("it starts");
        assert!(checked.status.success(), "{}", text(&checked.stdout));
        let bytes = std::fs::read(&file).expect("it was written");
        let piped = run(&["-p", &port, "--rdb", "-"], b"").stdout;
        assert_eq!(piped.len(), bytes.len(), "the same to standard output");
    }
    let mut command = Command::new(CLI);
    let child = command.args(["-p", &port, "--replica"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let mut told = std::io::BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains("Logging commands from master") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut told, &mut line).expect("it is text") > 0, "it has ended");
    }
    client.call(&["SET", "seen", "by the replica"]);
    let mut shown = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("it is piped")));
    let found = shown.any(|line| line.expect("it is text").contains("\"seen\",\"by the replica\""));
    assert!(found, "the command was not shown");
    child.kill().expect("it runs for ever");
    child.wait().expect("it was ours");
}

/// A server that sends everybody elsewhere is followed with -c, and shown without.
#[test]
fn redirections_are_followed_when_asked_for() {
    let server = server();
    server.connect().call(&["SET", "k", "found"]);
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let elsewhere = listener.local_addr().expect("it is bound").port().to_string();
    let answer = format!("-MOVED 12706 127.0.0.1:{}\r\n", port(&server));
    let sender = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("a client comes");
            let mut buffer = [0; 1024];
            assert!(std::io::Read::read(&mut stream, &mut buffer).expect("it asks") > 0);
            stream.write_all(answer.as_bytes()).expect("it reads");
        }
    });
    assert_eq!(text(&run(&["-p", &elsewhere, "-c", "GET", "k"], b"").stdout), "found\n");
    let shown = text(&run(&["-p", &elsewhere, "GET", "k"], b"").stdout);
    assert!(shown.starts_with("MOVED 12706 127.0.0.1:"), "{shown}");
    sender.join().expect("both came");
}
