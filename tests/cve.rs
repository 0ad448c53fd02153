//! Attacks that brought down Redis, Valkey and others, each tried on the running server. An attack must be answered with an
//! error (or rightly), by a process that lives on, in bounded memory, while another client is served.
//!
//! One test for each entry that concerns what this server has; it is named after the CVE, or after what was attacked.
//! Left out are entries about parts that are tested where they live (ACL; replication; the cluster bus; TLS), about modules'
//! own types other than that they are refused, and 32-bit builds.

#[path = "cve/lua.rs"]
mod lua;
mod support;

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use support::client::{Address, Client};
use support::server::{Server, Target, Transport};
use support::text::split_arguments;
use support::value::Value;

/// Memory that a server may have taken at its worst, MiB. What an attack itself sends or stores comes on top.
const RESIDENT_MIB_MAX: u64 = 256;

/// A server, its attacker, and a client that must not notice.
struct Victim {
    server: Server,
    attacker: Client,
    witness: Client,
}

impl Victim {
    fn new() -> Victim {
        Victim::with(Transport::Unix, &[])
    }

    fn with(transport: Transport, parameters: &[&str]) -> Victim {
        let server = Server::start_with(Target::Ringfort { shards: 2 }, transport, parameters);
        let (attacker, mut witness) = (server.connect(), server.connect());
        assert_eq!(witness.call(&["SET", "witness", "here"]).to_string(), "OK");
        Victim { server, attacker, witness }
    }

    /// The reply to a line, as redis-cli shows it.
    fn line(&mut self, line: &str) -> String {
        let arguments = split_arguments(line).expect("a test's own line");
        self.attacker.call(&arguments).to_string()
    }

    fn lines(&mut self, table: &[(&str, &str)]) {
        for (line, reply) in table {
            assert_eq!(self.line(line), *reply, "{line}");
        }
    }

    /// The reply to a script, as redis-cli shows it.
    fn eval(&mut self, script: &str) -> String {
        self.attacker.call(&["EVAL", script, "0"]).to_string()
    }

    /// Scripts that fail, or return something; whichever it is, the next ones see nothing of them.
    fn scripts(&mut self, table: &[(&str, &str)]) {
        for (script, reply) in table {
            let found = self.eval(script);
            // An error's text is given up to where it names the script.
            let found =
                if found.starts_with("(error) ") { found.split(" script: ").next().unwrap_or("") } else { &found };
            assert_eq!(found, *reply, "{}", &script[..script.len().min(200)]);
            self.scripts_find_all_as_ever(script);
        }
    }

    /// The next scripts, of the same client and of another, see nothing of those before.
    fn scripts_find_all_as_ever(&mut self, after: &str) {
        const LOOK: &str = "return {#KEYS, #ARGV, rawget(_G, 'left') == nil, KEYS.left == nil, ('x'):upper(), tostring(1), \
                            redis.call('PING').ok, cjson.encode({1}), #string.rep('x', 5), table.concat({1, 2})}";
        const SEEN: &str = "1) (integer) 0\n2) (integer) 0\n3) (integer) 1\n4) (integer) 1\n5) \"X\"\n6) \"1\"\n7) \"PONG\"\n\
                            8) \"[1]\"\n9) (integer) 5\n10) \"12\"";
        for client in [&mut self.attacker, &mut self.witness] {
            let seen = client.call(&["EVAL", LOOK, "0"]).to_string();
            let seen: Vec<&str> = seen.lines().map(str::trim_start).collect();
            assert_eq!(seen.join("\n"), SEEN, "after {}", &after[..after.len().min(200)]);
        }
    }

    /// RESTORE of a payload whose checksum is not looked at.
    fn restore(&mut self, body: &[u8]) -> String {
        assert_eq!(self.line("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1"), "OK");
        let payload = [body, b"\x0b\0", &[0; 8]].concat();
        self.attacker.call(&[b"RESTORE", b"attacked" as &[u8], b"0", &payload, b"REPLACE"]).to_string()
    }

    /// Most memory it ever had, MiB.
    fn resident_mib_max(&self) -> u64 {
        let path = format!("/proc/{}/status", self.server.process_id());
        let status = std::fs::read_to_string(path).expect("the process is alive");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the kernel says it");
        line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number") / 1024
    }

    /// The same process serves the other client, nothing panicked, and it needed little memory.
    fn unharmed(self) {
        self.unharmed_within(RESIDENT_MIB_MAX);
    }

    fn unharmed_within(mut self, mib: u64) {
        assert_eq!(self.witness.call(&["GET", "witness"]).to_string(), "\"here\"");
        let info = self.witness.call(&["INFO", "server"]).to_string();
        assert!(info.contains(&format!("process_id:{}", self.server.process_id())), "{info}");
        let log = self.server.log();
        assert!(!log.contains("panicked"), "{log}");
        let taken = self.resident_mib_max();
        assert!(taken <= mib, "{taken} MiB");
    }
}

const BAD_DATA: &str = "(error) ERR Bad data format";

/// A string as RDB files have it.
fn packed(bytes: &[u8]) -> Vec<u8> {
    let length = [0x80, 0, 0, (bytes.len() >> 8) as u8, bytes.len() as u8];
    [&length, bytes].concat()
}

/// A listpack of these encoded elements, whatever they say.
fn listpack(count: u16, elements: &[u8]) -> Vec<u8> {
    let size = (elements.len() as u32 + 7).to_le_bytes();
    [&size[..], &count.to_le_bytes(), elements, b"\xff"].concat()
}

#[test]
fn cve_2026_63639_pending_entries_of_two_consumers() {
    let mut victim = Victim::new();
    victim.lines(&[
        ("XADD stream 1-1 a b", "\"1-1\""),
        ("XGROUP CREATE stream group 0", "OK"),
        ("XGROUP CREATECONSUMER stream group two", "(integer) 1"),
    ]);
    victim.line("XREADGROUP GROUP group one STREAMS stream >");
    let Value::Bulk(dump) = victim.attacker.call(&["DUMP", "stream"]) else { panic!("a string") };
    let body = &dump[..dump.len() - 10];
    // The second consumer comes last, with nothing pending.
    let (&none, before) = body.split_last().expect("a payload");
    assert_eq!(none, 0);
    assert_eq!(victim.restore(body), "OK");
    let id = |number: u64| [number.to_be_bytes(), number.to_be_bytes()].concat();
    assert_eq!(victim.restore(&[before, b"\x01", &id(1)].concat()), BAD_DATA, "pending for both");
    assert_eq!(victim.restore(&[before, b"\x01", &id(9)].concat()), BAD_DATA, "pending for the consumer only");
    victim.line("XINFO STREAM attacked FULL");
    victim.line("XGROUP DESTROY attacked group");
    victim.unharmed();
}

#[test]
fn cve_2026_54341_lengths_in_listpacks() {
    const HASH: u8 = 16;
    const SORTED_SET: u8 = 17;
    let mut victim = Victim::new();
    let long = listpack(2, b"\xf0\xff\xff\xff\x7fa\x02\x81b\x02");
    let odd = listpack(3, b"\x81a\x02\x81b\x02\x81c\x02");
    let score = [&b"\x81a\x02\xe0\x80"[..], &[b'1'; 128], b"\x01\x02"].concat();
    for (form, pack) in [(HASH, &long), (SORTED_SET, &long), (HASH, &odd), (SORTED_SET, &odd)] {
        assert_eq!(victim.restore(&[&[form], &packed(pack)[..]].concat()), BAD_DATA, "{form} {pack:?}");
    }
    assert_eq!(victim.restore(&[&[SORTED_SET], &packed(&listpack(2, &score))[..]].concat()), BAD_DATA);
    victim.unharmed();
}

/// Also CVE-2026-62356 and 2026-21864, and the lengths of CVE-2026-25243: what claims to be huge costs nothing.
#[test]
fn cve_2026_25243_payloads_that_claim_much_or_are_of_modules() {
    let mut victim = Victim::new();
    let huge = b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff";
    for form in 0..=25u8 {
        for rest in [&huge[..], b"", b"\x01", b"\x80\xff\xff\xff\xff", b"\xc3\x01\x80\xff\xff\xff\xffa"] {
            let reply = victim.restore(&[&[form], rest].concat());
            assert!(reply == BAD_DATA || (form <= 1 && reply == "OK"), "{form} {rest:?}: {reply}");
        }
    }
    victim.unharmed();
}

#[test]
fn cve_2026_27623_empty_requests_before_a_command() {
    let mut victim = Victim::new();
    victim.attacker.send_raw(b"\r\n*0\r\n*-1\r\n\r\n*1\r\n$4\r\nPING\r\n*0\r\nECHO x\r\n").expect("sent");
    assert_eq!(victim.attacker.read().expect("a reply").to_string(), "PONG");
    assert_eq!(victim.attacker.read().expect("a reply").to_string(), "\"x\"");
    victim.unharmed();
}

/// Blocked clients are killed, or kill themselves, while the command that serves them runs.
#[test]
fn cve_2026_23479_blocked_clients_that_end_while_they_are_served() {
    let mut victim = Victim::new();
    victim.line("CONFIG SET maxmemory-clients 1mb");
    for round in 0..20 {
        let mut blocked: Vec<Client> = (0..10).map(|_| victim.server.connect()).collect();
        for client in &mut blocked {
            client.send(&["BLPOP", "list", "other", "0"]).expect("sent");
        }
        victim
            .attacker
            .send_raw(b"MULTI\r\nRPUSH list a b c\r\nCLIENT KILL TYPE normal SKIPME yes\r\nEXEC\r\n")
            .expect("sent");
        for _ in 0..4 {
            victim.attacker.read().expect("a reply");
        }
        victim.witness = victim.server.connect();
        assert_eq!(victim.witness.call(&["DEL", "list"]).to_string().split(' ').next(), Some("(integer)"), "{round}");
    }
    victim.unharmed();
}

/// Without TLS, which is tested where it lives: clients with replies on their way kill themselves and others.
#[test]
fn cve_2026_56684_killed_with_replies_on_the_way() {
    let victim = Victim::new();
    for _ in 0..20 {
        let mut own = victim.server.connect();
        let Value::Integer(id) = own.call(&["CLIENT", "ID"]) else { panic!("an integer") };
        let mut other = victim.server.connect();
        let Value::Integer(other_id) = other.call(&["CLIENT", "ID"]) else { panic!("an integer") };
        let large = "x".repeat(100_000);
        let mut requests = format!("SET large {large}\r\n").into_bytes();
        for _ in 0..20 {
            requests.extend_from_slice(b"GET large\r\n");
        }
        other.send_raw(&requests).expect("sent");
        write!(requests, "CLIENT KILL ID {other_id}\r\nCLIENT KILL ID {id} SKIPME no\r\nGET large\r\n")
            .expect("written");
        // The server may close before it has taken everything.
        let _ = own.send_raw(&requests);
        while own.read().is_ok() {}
        while other.read().is_ok() {}
    }
    victim.unharmed();
}

/// Accepting goes on after the descriptors were used up (CVE-2025-48367).
#[test]
fn cve_2025_48367_no_descriptors_left() {
    let victim = Victim::with(Transport::Tcp, &[]);
    let process_id = victim.server.process_id();
    let open = std::fs::read_dir(format!("/proc/{process_id}/fd")).expect("the process is alive").count();
    let limit = Command::new("prlimit")
        .args(["--pid", &process_id.to_string(), &format!("--nofile={}:{}", open + 8, open + 8)])
        .status();
    if !limit.is_ok_and(|status| status.success()) {
        eprintln!("skipped: prlimit is not here or may not");
        return;
    }
    let Address::Tcp(address) = victim.server.address() else { panic!("started on TCP") };
    let waiting: Vec<_> =
        (0..40).map(|_| std::net::TcpStream::connect(address).expect("the kernel queues it")).collect();
    drop(waiting);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !Client::connect(victim.server.address()).and_then(|mut client| client.try_call(&["PING"])).is_ok() {
        assert!(Instant::now() < deadline, "nobody is let in any more");
    }
    victim.unharmed();
}

/// Also CVE-2021-32675: headers that announce much, from clients without rights and with.
#[test]
fn cve_2025_46686_announcements_of_many_and_long_arguments() {
    let mut victim = Victim::with(Transport::Unix, &["--maxclients", "2000"]);
    let header = b"*1048576\r\n$536870912\r\n";
    let announcing: Vec<Client> = (0..1000)
        .map(|_| {
            let mut client = victim.server.connect();
            client.send_raw(header).expect("sent");
            client
        })
        .collect();
    assert_eq!(victim.line("PING"), "PONG");
    drop(announcing);
    assert_eq!(victim.line("CONFIG SET requirepass secret"), "OK");
    let mut stranger = victim.server.connect();
    stranger.send_raw(header).expect("sent");
    let reply = stranger.read().expect("a reply").to_string();
    assert_eq!(reply, "(error) ERR Protocol error: unauthenticated multibulk length");
    let mut stranger = victim.server.connect();
    stranger.send_raw(b"*2\r\n$536870912\r\n").expect("sent");
    assert_eq!(
        stranger.read().expect("a reply").to_string(),
        "(error) ERR Protocol error: unauthenticated bulk length"
    );
    assert!(stranger.is_closed().expect("it can be asked"));
    victim.unharmed();
}

#[test]
fn cve_2025_32023_forged_hyperloglogs() {
    let mut victim = Victim::new();
    // The last byte says that the number kept in the header is out of date.
    let header = |encoding: u8| [b"HYLL", &[encoding, 0, 0, 0][..], &[0, 0, 0, 0, 0, 0, 0, 0x80]].concat();
    let sparse: [&[u8]; 7] =
        [b"", b"\x7f", b"\xff\xff\xff", b"\x80", b"\x7f\xff\x7f\xff\x7f\xff", b"\xfb", &[0x40; 40_000]];
    for registers in sparse {
        victim.attacker.call(&[b"SET" as &[u8], b"forged", &[header(1), registers.to_vec()].concat()]);
        for line in ["PFCOUNT forged", "PFADD forged a b c", "PFMERGE merged forged", "PFCOUNT forged merged"] {
            let reply = victim.line(line);
            let is_refused = reply.starts_with("(error) INVALIDOBJ") || reply.starts_with("(error) WRONGTYPE");
            assert!(is_refused || reply.starts_with("(integer)") || reply == "OK", "{line}: {reply}");
        }
        victim.line("DEL merged");
    }
    let invalid = "(error) INVALIDOBJ Corrupted HLL object detected";
    victim.attacker.call(&[b"SET" as &[u8], b"forged", &[header(1), b"\x7f\xff\x7f\xff".to_vec()].concat()]);
    victim.lines(&[("PFCOUNT forged", invalid), ("PFMERGE merged forged", invalid)]);
    for dense in [&header(0)[..], &[header(0), vec![0xff; 12_287]].concat(), &header(2)] {
        victim.attacker.call(&[b"SET", b"forged" as &[u8], dense]);
        assert!(victim.line("PFCOUNT forged").starts_with("(error) WRONGTYPE"), "{}", dense.len());
    }
    victim.line("SETRANGE forged 1048576 x");
    assert!(victim.line("PFADD forged a").starts_with("(error) WRONGTYPE"));
    victim.unharmed();
}

/// Redis' pull request 14513, and 15021.
#[test]
fn counts_of_fields_that_are_missing_or_huge() {
    let mut victim = Victim::new();
    assert_eq!(victim.line("HSET h a 1"), "(integer) 1");
    for line in [
        "HGETEX h FIELDS",
        "HGETEX h EX 10 FIELDS",
        "HGETDEL h FIELDS",
        "HSETEX h FIELDS",
        "HGETEX h FIELDS 2147483648 a",
        "HGETDEL h FIELDS 9223372036854775807 a",
        "HSETEX h FIELDS 4611686018427387904 a 1",
        "HEXPIRE h 10 FIELDS 9223372036854775807 a",
        "HEXPIRE h 10 FIELDS 2147483648 a",
        "HPEXPIREAT h 9223372036854775807 FIELDS 1 a",
        "HTTL h FIELDS -1 a",
        "HPERSIST h FIELDS 4294967297 a",
    ] {
        assert!(victim.line(line).starts_with("(error) ERR"), "{line}");
    }
    assert_eq!(victim.line("HTTL h FIELDS 1 a"), "1) (integer) -1");
    victim.unharmed();
}

/// Replies to a stranger who never reads.
#[test]
fn cve_2025_21605_output_of_a_client_that_is_not_authenticated() {
    let mut victim = Victim::new();
    assert_eq!(victim.line("CONFIG SET requirepass secret"), "OK");
    let address = victim.server.address().clone();
    let flood = std::thread::spawn(move || {
        let mut stranger = Client::connect(&address).expect("it connects");
        let requests = b"GET x\r\n".repeat(10_000);
        // Ends when the server stops reading for longer than the client waits, or when all is sent.
        (0..100).take_while(|_| stranger.send_raw(&requests).is_ok()).count()
    });
    assert!(flood.join().expect("it ends") <= 100);
    victim.unharmed_within(64);
}

/// Also CVE-2022-36021. One match may take a fraction of a second, never minutes.
#[test]
fn cve_2024_31228_patterns_that_take_for_ever() {
    let mut victim = Victim::new();
    let text = "a".repeat(60_000);
    let patterns = [
        "*a".repeat(500) + "b",
        "*?".repeat(500) + "b",
        "*a".repeat(500_000) + "b",
        "[".repeat(100_000),
        "?".repeat(1_000_000),
    ];
    victim.attacker.call(&["SET", &text, "v"]);
    victim.attacker.call(&["HSET", "hash", &text, "v"]);
    victim.attacker.call(&["SADD", "set", &text]);
    for pattern in &patterns {
        let began = Instant::now();
        for arguments in [
            &["KEYS", pattern][..],
            &["SCAN", "0", "MATCH", pattern, "COUNT", "1000"],
            &["HSCAN", "hash", "0", "MATCH", pattern],
            &["SSCAN", "set", "0", "MATCH", pattern],
            &["COMMAND", "LIST", "FILTERBY", "PATTERN", pattern],
            &["CONFIG", "GET", pattern],
        ] {
            let reply = victim.attacker.call(arguments);
            assert!(!matches!(reply, Value::Error(_)), "{}: {reply}", arguments[0]);
        }
        // Six matches of this kind; a debug build on a busy machine needs its time.
        assert!(began.elapsed() < Duration::from_secs(30), "{:?} for {}…", began.elapsed(), &pattern[..8]);
    }
    victim.unharmed();
}

#[test]
fn cve_2023_45145_permissions_of_the_socket_file() {
    let victim = Victim::with(Transport::Unix, &["--unixsocketperm", "700"]);
    let Address::Unix(path) = victim.server.address() else { panic!("started on a Unix socket") };
    let mode = std::fs::metadata(path).expect("the file is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    victim.unharmed();
}

/// Large and small arguments in turn, cut anywhere.
#[test]
fn cve_2023_41056_arguments_that_grow_and_shrink() {
    let mut victim = Victim::new();
    let sizes = [1, 40_000, 16, 33_000, 32_768, 1_000_000, 3, 16_384, 200_000, 0, 65_536];
    for (round, size) in sizes.iter().cycle().take(200).enumerate() {
        let value = vec![b'a' + (round % 26) as u8; *size];
        let mut request = Vec::new();
        support::text::encode_array(&[b"SET" as &[u8], b"k", &value], &mut request);
        support::text::encode_array(&[b"GET", b"k" as &[u8]], &mut request);
        let cut = request.len() * (round % 7) / 7;
        victim.attacker.send_raw(&request[..cut]).expect("sent");
        victim.attacker.send_raw(&request[cut..]).expect("sent");
        assert_eq!(victim.attacker.read().expect("a reply").to_string(), "OK");
        assert!(matches!(victim.attacker.read(), Ok(Value::Bulk(back)) if back == value), "{size}");
    }
    victim.unharmed();
}

/// COMMAND GETKEYS of every command with arguments that say too much.
#[test]
fn cve_2023_36824_keys_of_random_arguments() {
    let mut victim = Victim::new();
    let Value::Array(names) = victim.attacker.call(&["COMMAND", "LIST"]) else { panic!("an array") };
    let words = [
        "0",
        "1",
        "-1",
        "2",
        "9223372036854775807",
        "4294967297",
        "k",
        "KEYS",
        "STREAMS",
        "STORE",
        "GET",
        "",
        "BY",
        "FIELDS",
    ];
    let mut state = 7u64;
    let mut below = move |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    for name in &names {
        let Value::Bulk(name) = name else { panic!("a name") };
        for _ in 0..20 {
            let mut request: Vec<&[u8]> = vec![b"COMMAND", if below(2) == 0 { b"GETKEYS" } else { b"GETKEYSANDFLAGS" }];
            request.extend(name.split(|&byte| byte == b'|'));
            request.extend((0..below(8)).map(|_| words[below(words.len())].as_bytes()));
            let reply = victim.attacker.call(&request);
            assert!(matches!(reply, Value::Array(_) | Value::Error(_)), "{request:?}: {reply}");
        }
    }
    victim.unharmed();
}

#[test]
fn cve_2023_28856_floats_that_are_no_numbers() {
    let mut victim = Victim::new();
    victim.line("HSET h f 1 big 1.1e4932");
    for increment in ["nan", "-nan", "inf", "+inf", "-inf", "1e5000", "0x1p20000", "1e", ""] {
        for line in [format!("HINCRBYFLOAT h f '{increment}'"), format!("INCRBYFLOAT n '{increment}'")] {
            assert!(victim.line(&line).starts_with("(error) ERR"), "{line}");
        }
    }
    assert!(victim.line("HINCRBYFLOAT h big 1.1e4932").starts_with("(error) ERR"));
    victim.lines(&[("HGET h f", "\"1\""), ("EXISTS n", "(integer) 0")]);
    victim.unharmed();
}

#[test]
fn cve_2023_28425_the_same_key_twice() {
    let mut victim = Victim::new();
    victim.lines(&[
        ("MSETNX a 1 a 2", "(integer) 1"),
        ("GET a", "\"2\""),
        ("MSETNX a 3 b 4", "(integer) 0"),
        ("MSET c 1 c 2 c 3", "OK"),
        ("DEL c c c", "(integer) 1"),
        ("EXISTS a a a", "(integer) 3"),
    ]);
    victim.unharmed();
}

/// Also CVE-2023-22458.
#[test]
fn cve_2023_25155_counts_of_random_members() {
    let mut victim = Victim::new();
    victim.lines(&[
        ("SADD s a b c", "(integer) 3"),
        ("ZADD z 1 a 2 b", "(integer) 2"),
        ("HSET h a 1 b 2", "(integer) 2"),
    ]);
    let ends =
        ["-9223372036854775808", "-9223372036854775807", "-4611686018427387904", "-4611686018427387903", "-1000000000"];
    for count in ends {
        for command in ["SRANDMEMBER s", "ZRANDMEMBER z", "HRANDFIELD h"] {
            let reply = victim.line(&format!("{command} {count}"));
            assert!(reply.starts_with("(error) ERR value is out of range"), "{command} {count}: {reply}");
        }
        for line in [format!("ZRANDMEMBER z {count} WITHSCORES"), format!("HRANDFIELD h {count} WITHVALUES")] {
            let reply = victim.line(&line);
            assert!(reply.starts_with("(error) ERR value is out of range"), "{line}: {reply}");
        }
        assert!(victim.line(&format!("SPOP s {count}")).starts_with("(error)"));
    }
    for count in ["4611686018427387904", "9223372036854775807"] {
        for (command, lines) in [("SRANDMEMBER s", 3), ("ZRANDMEMBER z", 2), ("HRANDFIELD h", 2)] {
            assert_eq!(victim.line(&format!("{command} {count}")).lines().count(), lines, "{command} {count}");
        }
    }
    victim.unharmed();
}

/// Also offsets and sizes at the ends of what a number can hold, for strings, bits, lists and SORT.
#[test]
fn cve_2022_35977_offsets_that_overflow() {
    let mut victim = Victim::new();
    let too_long = "(error) ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    victim.lines(&[
        ("SET k v", "OK"),
        ("SETRANGE k 9223372036854775807 x", too_long),
        ("SETRANGE k 536870912 x", too_long),
        ("SETRANGE k -1 x", "(error) ERR offset is out of range"),
        ("GETRANGE k -9223372036854775808 9223372036854775807", "\"v\""),
        ("SETBIT k 4294967296 1", "(error) ERR bit offset is not an integer or out of range"),
        ("BITCOUNT k -9223372036854775808 9223372036854775807 BIT", "(integer) 5"),
        ("BITPOS k 1 9223372036854775807", "(integer) -1"),
        ("RPUSH l 3 1 2", "(integer) 3"),
        ("SORT l LIMIT 9223372036854775807 9223372036854775807", "(empty array)"),
        ("SORT l LIMIT -9223372036854775808 1", "1) \"1\""),
        ("SORT l LIMIT 2 -9223372036854775808", "1) \"3\""),
        ("LSET l -9223372036854775808 x", "(error) ERR index out of range"),
        ("LSET l 9223372036854775807 x", "(error) ERR index out of range"),
        ("LINDEX l -9223372036854775808", "(nil)"),
        ("LREM l -9223372036854775807 none", "(integer) 0"),
        ("LPOP l 9223372036854775808", "(error) ERR value is out of range, must be positive"),
        ("LTRIM l -9223372036854775808 9223372036854775807", "OK"),
        ("LLEN l", "(integer) 3"),
    ]);
    victim.unharmed();
}

/// Also CVE-2022-31144: COUNT of XAUTOCLAIM with deleted entries among the pending ones.
#[test]
fn cve_2022_35951_count_of_xautoclaim() {
    let mut victim = Victim::new();
    victim.line("XGROUP CREATE st g 0 MKSTREAM");
    for number in 1..=50 {
        victim.line(&format!("XADD st {number}-1 a b"));
    }
    victim.line("XREADGROUP GROUP g c STREAMS st >");
    for number in (1..=50).step_by(2) {
        victim.line(&format!("XDEL st {number}-1"));
    }
    let out_of_range = "(error) ERR COUNT must be > 0";
    for count in ["1152921504606846976", "9223372036854775807", "0", "-9223372036854775808"] {
        assert_eq!(victim.line(&format!("XAUTOCLAIM st g d 0 0 COUNT {count}")), out_of_range, "{count}");
    }
    let reply = victim.line("XAUTOCLAIM st g d 0 0 COUNT 1000000 JUSTID");
    assert!(reply.starts_with("1) \"0-0\"") && reply.contains("\"50-1\"") && reply.contains("\"49-1\""), "{reply}");
    let ids: Vec<String> = (0..20_000).map(|number| format!("{number}-1")).collect();
    for (command, expected) in [(vec!["XACK", "st", "g"], "(integer) 25"), (vec!["XDEL", "st"], "(integer) 25")] {
        let request: Vec<&str> = command.into_iter().chain(ids.iter().map(String::as_str)).collect();
        assert_eq!(victim.attacker.call(&request).to_string(), expected);
    }
    victim.unharmed();
}

/// CVE-2021-41099, 32687, 32628, 32627: limits of packed forms and of strings set to the most there is.
#[test]
fn cve_2021_41099_limits_set_to_the_most() {
    let mut victim = Victim::new();
    for parameter in [
        "proto-max-bulk-len 9223372036854775807",
        "client-query-buffer-limit 9223372036854775807",
        "hash-max-listpack-entries 9223372036854775807",
        "hash-max-listpack-value 9223372036854775807",
        "zset-max-listpack-entries 9223372036854775807",
        "zset-max-listpack-value 9223372036854775807",
        "set-max-listpack-entries 9223372036854775807",
        "set-max-listpack-value 9223372036854775807",
        "set-max-intset-entries 9223372036854775807",
        "list-max-listpack-size 2147483647",
        "stream-node-max-bytes 9223372036854775807",
        "stream-node-max-entries 9223372036854775807",
        "hll-sparse-max-bytes 9223372036854775807",
    ] {
        let reply = victim.line(&format!("CONFIG SET {parameter}"));
        assert!(reply == "OK" || reply.starts_with("(error) ERR CONFIG SET failed"), "{parameter}: {reply}");
    }
    let value = "v".repeat(1000);
    for number in 0..300 {
        let name = format!("{number}{value}");
        victim.attacker.call(&["HSET", "h", &name, &value]);
        victim.attacker.call(&["ZADD", "z", "1", &name]);
        victim.attacker.call(&["SADD", "s", &name]);
        victim.attacker.call(&["SADD", "i", &number.to_string()]);
        victim.attacker.call(&["RPUSH", "l", &name]);
        victim.attacker.call(&["XADD", "x", "*", &name, &value]);
        victim.attacker.call(&["PFADD", "p", &name]);
    }
    victim.lines(&[
        ("HLEN h", "(integer) 300"),
        ("ZCARD z", "(integer) 300"),
        ("SCARD s", "(integer) 300"),
        ("SCARD i", "(integer) 300"),
        ("LLEN l", "(integer) 300"),
        ("XLEN x", "(integer) 300"),
    ]);
    for key in ["h", "z", "s", "i", "l", "x", "p"] {
        let Value::Bulk(dump) = victim.attacker.call(&["DUMP", key]) else { panic!("a string") };
        let reply = victim.attacker.call(&[b"RESTORE" as &[u8], b"copy", b"0", &dump, b"REPLACE"]);
        assert_eq!(reply.to_string(), "OK", "{key}");
    }
    // A string longer than this server ever takes: nothing is taken in for it.
    victim.attacker.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9223372036854775807\r\n").expect("sent");
    assert!(victim.attacker.is_closed().expect("it can be asked"));
    victim.unharmed();
}

/// The other side: a server that announces a reply of two thousand million elements to our own client.
#[test]
fn cve_2021_32762_announcements_to_our_client() {
    for announced in
        ["*2147483647\r\n", "*9223372036854775807\r\n", "%2147483647\r\n", "$9223372036854775807\r\n", "*1\r\n*1\r\n*"]
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let liar = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 64];
            std::io::Read::read(&mut stream, &mut request).expect("a request");
            stream.write_all(announced.as_bytes()).expect("sent");
        });
        let address = ringfort::remote::Address::Tcp("127.0.0.1".to_owned(), port);
        let options = ringfort::remote::Options::at(address);
        let reply = ringfort::remote::Client::open_silent(&options).and_then(|mut client| client.command(&["PING"]));
        assert!(reply.is_err(), "{announced}: {reply:?}");
        liar.join().expect("it has sent");
    }
}

/// CVE-2021-32761, 21309, and Redis' issue 15433: offsets of BITFIELD.
#[test]
fn cve_2021_32761_offsets_of_bit_fields() {
    let mut victim = Victim::new();
    let refused = "(error) ERR bit offset is not an integer or out of range";
    for line in [
        "BITFIELD k SET u1 #9223372036854775807 1",
        "BITFIELD k GET i64 #144115188075855872",
        "BITFIELD k GET u8 9223372036854775807",
        "BITFIELD k INCRBY u8 -1 1",
        "BITFIELD k GET u8 #-1",
    ] {
        assert_eq!(victim.line(line), refused, "{line}");
    }
    victim.lines(&[
        ("BITFIELD k OVERFLOW SAT INCRBY i64 0 9223372036854775807", "1) (integer) 9223372036854775807"),
        ("BITFIELD k OVERFLOW SAT INCRBY i64 0 9223372036854775807", "1) (integer) 9223372036854775807"),
        ("BITFIELD k OVERFLOW WRAP INCRBY i64 0 1", "1) (integer) -9223372036854775808"),
        ("BITFIELD k OVERFLOW FAIL INCRBY i64 0 -1", "1) (nil)"),
        ("STRLEN k", "(integer) 8"),
    ]);
    victim.unharmed();
}

/// CVE-2021-32625, 29477, 29478: LCS of long strings, COPY of an intset.
#[test]
fn cve_2021_29477_lcs_of_long_strings_and_copies_of_intsets() {
    let mut victim = Victim::new();
    let [one, other] = ["ab", "ba"].map(|piece| piece.repeat(1_000));
    victim.attacker.call(&["MSET", "one", &one, "other", &other]);
    victim.lines(&[("LCS one other LEN", "(integer) 1999")]);
    // As long as strings may be: what LCS needs for it must be refused, not taken.
    victim.lines(&[
        ("SETRANGE huge 30000000 x", "(integer) 30000001"),
        ("SETRANGE giant 30000000 y", "(integer) 30000001"),
    ]);
    let reply = victim.line("LCS huge giant");
    assert!(reply.starts_with("(error) ERR Insufficient memory"), "{reply}");
    victim.line("CONFIG SET set-max-intset-entries 1000000");
    let numbers: Vec<String> = (0..100_000i64).map(|number| (number << 32).to_string()).collect();
    let request: Vec<&str> = ["SADD", "numbers"].into_iter().chain(numbers.iter().map(String::as_str)).collect();
    victim.attacker.call(&request);
    victim.lines(&[
        ("OBJECT ENCODING numbers", "\"intset\""),
        ("COPY numbers copy", "(integer) 1"),
        ("SADD copy 1", "(integer) 1"),
        ("SCARD copy", "(integer) 100001"),
        ("SCARD numbers", "(integer) 100000"),
        ("SISMEMBER copy 4294967296", "(integer) 1"),
    ]);
    victim.unharmed_within(2 * RESIDENT_MIB_MAX);
}

/// Plain overflows that had no CVE: Redis' issues 14982, 15390, 15163, and SINTERCARD's limit; Dragonfly's 4466.
#[test]
fn numbers_at_their_ends_elsewhere() {
    let mut victim = Victim::new();
    victim.lines(&[
        ("SADD s a b", "(integer) 2"),
        ("SINTERCARD 1 s LIMIT -1", "(error) ERR LIMIT can't be negative"),
        ("SINTERCARD 1 s LIMIT 9223372036854775808", "(error) ERR LIMIT can't be negative"),
        ("SINTERCARD 1 s LIMIT 9223372036854775807", "(integer) 2"),
        ("SINTERCARD 9223372036854775807 s", "(error) ERR Number of keys can't be greater than number of args"),
        ("SCAN 18446744073709551616", "(error) ERR invalid cursor"),
        ("SCAN 0 COUNT 9223372036854775808", "(error) ERR value is not an integer or out of range"),
        ("SSCAN s 18446744073709551615 COUNT 9223372036854775807", "1) \"0\"\n2) 1) \"a\"\n   2) \"b\""),
        ("SET k v PX 9223372036854775807", "(error) ERR invalid expire time in 'set' command"),
        ("EXPIRE s 9223372036854775807", "(error) ERR invalid expire time in 'expire' command"),
        ("COMMAND GETKEYS LMPOP 9223372036854775807 a LEFT", "(error) ERR Invalid arguments specified for command"),
    ]);
    for cursor in ["9223372036854775808", "18446744073709551615", "9223372036854775807"] {
        assert!(!victim.line(&format!("SCAN {cursor} COUNT 9223372036854775807")).starts_with("(error)"), "{cursor}");
    }
    for value in ["9223372036854775807gb", "-1", "1e30", "99999999999999999999tb"] {
        assert!(victim.line(&format!("CONFIG SET maxmemory {value}")).starts_with("(error)"), "{value}");
    }
    // A parameter that would become two lines of the configuration file.
    victim.line("CONFIG SET dbfilename \"x\\nrequirepass injected\"");
    victim.line("CONFIG REWRITE");
    assert!(!victim.line("CONFIG GET requirepass").contains("injected"));
    victim.unharmed();
}
