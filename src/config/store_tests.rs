//! Tables for CONFIG GET and CONFIG SET. `oracle_tests` runs [`SET_TABLE`] against a stock Redis, too.

use super::*;
use crate::param;

/// Names and values of one CONFIG SET, then either the error, or what CONFIG GET of the first name prints afterwards.
pub(super) type SetCase = (
    &'static [(&'static str, &'static str)],
    Result<&'static str, &'static str>,
);

/// Texts proven against Redis 7.0.15 by `oracle_tests`. Every case starts from the defaults with `port 0`.
#[rustfmt::skip]
pub(super) const SET_TABLE: &[SetCase] = &[
    (&[("foo", "bar")], Err("ERR Unknown option or number of arguments for CONFIG SET - 'foo'")),
    (&[("fo\r\no", "bar")], Err("ERR Unknown option or number of arguments for CONFIG SET - 'fo  o'")),
    (&[("maxmemory", "1"), ("foo", "bar")], Err("ERR Unknown option or number of arguments for CONFIG SET - 'foo'")),
    (&[("databases", "4")], Err("ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config")),
    (&[("Databases", "4")], Err("ERR CONFIG SET failed (possibly related to argument 'Databases') - can't set immutable config")),
    (&[("databases", "4"), ("foo", "1")], Err("ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config")),
    (&[("slaveof", "a 1")], Err("ERR CONFIG SET failed (possibly related to argument 'slaveof') - can't set immutable config")),
    (&[("dir", "/tmp")], Err("ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config")),
    (&[("dbfilename", "x")], Err("ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config")),
    (&[("PORT", "0"), ("port", "0")], Err("ERR CONFIG SET failed (possibly related to argument 'port') - duplicate parameter")),
    (&[("hash-max-ziplist-entries", "1"), ("hash-max-listpack-entries", "2")], Ok("2")),
    (&[("timeout", "abc")], Err("ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer")),
    (&[("timeout", "")], Err("ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer")),
    (&[("timeout", "01")], Err("ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer")),
    (&[("TIMEOUT", "-1")], Err("ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be between 0 and 2147483647 inclusive")),
    (&[("port", "65536")], Err("ERR CONFIG SET failed (possibly related to argument 'port') - argument must be between 0 and 65535 inclusive")),
    (&[("slave-priority", "x")], Err("ERR CONFIG SET failed (possibly related to argument 'slave-priority') - argument couldn't be parsed into an integer")),
    (&[("hash-max-ziplist-entries", "-1")], Err("ERR CONFIG SET failed (possibly related to argument 'hash-max-ziplist-entries') - argument must be between 0 and 9223372036854775807 inclusive")),
    (&[("maxclients", "0")], Err("ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument must be between 1 and 4294967295 inclusive")),
    (&[("slowlog-log-slower-than", "-2")], Err("ERR CONFIG SET failed (possibly related to argument 'slowlog-log-slower-than') - argument must be between -1 and 9223372036854775807 inclusive")),
    (&[("slowlog-log-slower-than", "-1")], Ok("-1")),
    (&[("list-max-listpack-size", "-2147483648")], Ok("-2147483648")),
    (&[("hz", "9999")], Ok("500")),
    (&[("hz", "0")], Ok("1")),
    (&[("maxmemory", "2mb")], Ok("2097152")),
    (&[("maxmemory", "")], Ok("0")),
    (&[("maxmemory", "99999999999999999999")], Ok("18446744073709551615")),
    (&[("maxmemory", "-1")], Err("ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value")),
    (&[("maxmemory", "1tb")], Err("ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value")),
    (&[("proto-max-bulk-len", "1023kb")], Err("ERR CONFIG SET failed (possibly related to argument 'proto-max-bulk-len') - argument must be between 1048576 and 9223372036854775807 inclusive")),
    (&[("proto-max-bulk-len", "9223372036854775808")], Err("ERR CONFIG SET failed (possibly related to argument 'proto-max-bulk-len') - argument must be between 1048576 and 9223372036854775807 inclusive")),
    (&[("client-query-buffer-limit", "1")], Err("ERR CONFIG SET failed (possibly related to argument 'client-query-buffer-limit') - argument must be between 1048576 and 9223372036854775807 inclusive")),
    (&[("maxmemory-clients", "x")], Err("ERR CONFIG SET failed (possibly related to argument 'maxmemory-clients') - argument must be a memory or percent value")),
    (&[("maxmemory-clients", "%")], Err("ERR CONFIG SET failed (possibly related to argument 'maxmemory-clients') - argument must be a memory or percent value")),
    (&[("maxmemory-clients", "101%")], Err("ERR CONFIG SET failed (possibly related to argument 'maxmemory-clients') - percentage argument must be less or equal to 100")),
    (&[("maxmemory-clients", "5%")], Ok("5%")),
    (&[("maxmemory-clients", "1k")], Ok("1000")),
    (&[("appendonly", "maybe")], Err("ERR CONFIG SET failed (possibly related to argument 'appendonly') - argument must be 'yes' or 'no'")),
    (&[("latency-tracking", "NO")], Ok("no")),
    (&[("activedefrag", "no")], Ok("no")),
    (&[("activedefrag", "yes")], Err("ERR CONFIG SET failed (possibly related to argument 'activedefrag') - Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc like the one shipped by default with the Redis source distribution")),
    (&[("tls-port", "1234")], Err("ERR CONFIG SET failed (possibly related to argument 'tls-port') - Unable to update TLS configuration. Check server logs.")),
    (&[("tls-replication", "yes")], Err("ERR CONFIG SET failed (possibly related to argument 'tls-replication') - Unable to update TLS configuration. Check server logs.")),
    (&[("maxmemory-policy", "x")], Err("ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction")),
    (&[("maxmemory-policy", "AllKeys-LRU")], Ok("allkeys-lru")),
    (&[("oom-score-adj", "x")], Err("ERR CONFIG SET failed (possibly related to argument 'oom-score-adj') - argument(s) must be one of the following: no, yes, relative, absolute")),
    (&[("shutdown-on-sigint", "x")], Err("ERR CONFIG SET failed (possibly related to argument 'shutdown-on-sigint') - argument(s) must be one of the following: default, save, nosave, now, force")),
    (&[("shutdown-on-sigint", "")], Err("ERR CONFIG SET failed (possibly related to argument 'shutdown-on-sigint') - argument(s) must be one of the following: default, save, nosave, now, force")),
    (&[("shutdown-on-sigint", "save nosave")], Err("ERR CONFIG SET failed (possibly related to argument 'shutdown-on-sigint') - shutdown options SAVE and NOSAVE can't be used simultaneously")),
    (&[("shutdown-on-sigterm", "force NOW")], Ok("now force")),
    (&[("save", "1")], Err("ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters")),
    (&[("save", "0 1")], Err("ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters")),
    (&[("save", "900  1")], Err("ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters")),
    (&[("save", "900 1 300 10")], Ok("900 1 300 10")),
    (&[("save", "")], Ok("")),
    (&[("client-output-buffer-limit", "x")], Err("ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Wrong number of arguments in buffer limit configuration.")),
    (&[("client-output-buffer-limit", "master 1 2 3")], Err("ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Invalid client class specified in buffer limit configuration.")),
    (&[("client-output-buffer-limit", "normal 1 2 3x")], Err("ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - Error in hard, soft or soft_seconds setting in buffer limit configuration.")),
    (&[("client-output-buffer-limit", "Replica 1mb 2k 3 normal 0 0 0")], Ok("normal 0 0 0 slave 1048576 2000 3 pubsub 33554432 8388608 60")),
    (&[("client-output-buffer-limit", "")], Ok("normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60")),
    (&[("oom-score-adj-values", "1 2")], Err("ERR CONFIG SET failed (possibly related to argument 'oom-score-adj-values') - wrong number of arguments")),
    (&[("oom-score-adj-values", "1 2 2001")], Err("ERR CONFIG SET failed (possibly related to argument 'oom-score-adj-values') - Invalid oom-score-adj-values, elements must be between -2000 and 2000.")),
    (&[("oom-score-adj-values", "-1 2 +3")], Ok("-1 2 3")),
    (&[("notify-keyspace-events", "KEQ")], Err("ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")),
    (&[("notify-keyspace-events", "KEA")], Ok("AKE")),
    (&[("notify-keyspace-events", "Egx")], Ok("gxE")),
    (&[("latency-tracking-info-percentiles", "101")], Err("ERR CONFIG SET failed (possibly related to argument 'latency-tracking-info-percentiles') - latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")),
    (&[("latency-tracking-info-percentiles", "50 x")], Err("ERR CONFIG SET failed (possibly related to argument 'latency-tracking-info-percentiles') - Invalid latency-tracking-info-percentiles parameters")),
    (&[("latency-tracking-info-percentiles", "0 99.95 100")], Ok("0 99.95 100")),
    (&[("latency-tracking-info-percentiles", "")], Ok("")),
    (&[("bind", "")], Ok("")),
    (&[("bind", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17")], Err("ERR CONFIG SET failed (possibly related to argument 'bind') - Too many bind addresses specified.")),
    (&[("proc-title-template", "")], Err("ERR CONFIG SET failed (possibly related to argument 'proc-title-template') - template format is invalid or contains unknown variables")),
    (&[("proc-title-template", "{x}")], Err("ERR CONFIG SET failed (possibly related to argument 'proc-title-template') - template format is invalid or contains unknown variables")),
    (&[("cluster-announce-hostname", "a b")], Err("ERR CONFIG SET failed (possibly related to argument 'cluster-announce-hostname') - Hostnames may only contain alphanumeric characters, hyphens or dots")),
    (&[("requirepass", "a \"b\"\nport 1")], Ok("a \"b\"\nport 1")),
    (&[("masteruser", "x"), ("timeout", "x")], Err("ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer")),
    (&[("aof-disable-auto-gc", "yes")], Ok("yes")),
    (&[("watchdog-period", "x")], Err("ERR CONFIG SET failed (possibly related to argument 'watchdog-period') - argument couldn't be parsed into an integer")),
];

pub(super) fn set(
    config: &mut Config,
    pairs: &[(&str, &str)],
    setter: Setter,
) -> Result<Changed, String> {
    let pairs: Vec<(&[u8], &[u8])> = pairs
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let result = config.set_many(&pairs, setter);
    result.map_err(|error| String::from_utf8_lossy(&error.text()).into_owned())
}

pub(super) fn get(config: &Config, patterns: &[&str]) -> Vec<(String, String)> {
    let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let found = config.matching(&patterns);
    found
        .into_iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

#[test]
fn config_set_as_redis() {
    for (pairs, expected) in SET_TABLE {
        let mut config = Config::new();
        let result = set(&mut config, pairs, Setter::default());
        let outcome = result.map(|_| get(&config, &[pairs[0].0])[0].1.clone());
        assert_eq!(
            outcome.as_deref().map_err(String::as_str),
            *expected,
            "{pairs:?}"
        );
        if expected.is_err() {
            assert_eq!(
                get(&config, &["*"]),
                get(&Config::new(), &["*"]),
                "{pairs:?} changed something"
            );
            assert_eq!(config.generation(), 0);
        }
    }
}

#[test]
fn defaults_print_as_written_in_the_row() {
    let config = Config::new();
    for (index, row) in PARAMETERS
        .iter()
        .enumerate()
        .filter(|(_, row)| row.name != "dir")
    {
        assert_eq!(
            String::from_utf8_lossy(&config.print(index)),
            row.default,
            "{}",
            row.name
        );
    }
    let here = std::env::current_dir().expect("a current directory");
    assert_eq!(get(&config, &["dir"])[0].1, here.to_string_lossy());
}

#[test]
fn config_get_names_and_patterns() {
    let config = Config::new();
    for (patterns, expected) in [
        (&["MaxMemory", "maxmemory"][..], &["MaxMemory"][..]),
        (&["maxmemory", "max*memory"], &["maxmemory"]),
        (
            &["slave-pri*", "replica-pri*"],
            &["slave-priority", "replica-priority"],
        ),
        (
            &["*-threshold", "busy*"],
            &["latency-monitor-threshold", "busy-reply-threshold"],
        ),
        (&["nothing", "no[thing"], &[]),
        (&["watchdog-period"], &["watchdog-period"]),
        (&["watch*"], &[]),
        (&["LUA-TIME-LIM?T"], &["lua-time-limit"]),
    ] {
        let mut found: Vec<String> = get(&config, patterns)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let mut expected: Vec<&str> = expected.to_vec();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{patterns:?}");
    }
}

#[test]
fn protected_and_loading() {
    let mut config = Config::new();
    let protected = "ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config";
    let path = "ERR CONFIG SET failed (possibly related to argument 'dbfilename') - dbfilename can't be a path, just a filename";
    let none =
        "ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or directory";
    let file = "ERR CONFIG SET failed (possibly related to argument 'dir') - Not a directory";
    let loading = "LOADING Redis is loading the dataset in memory";
    let (near, far) = (
        Setter {
            local: true,
            loading: false,
        },
        Setter::default(),
    );
    let busy = Setter {
        local: true,
        loading: true,
    };
    for (enabled, setter, name, value, error) in [
        ("no", near, "dbfilename", "a.rdb", Some(protected)),
        ("local", far, "dbfilename", "a.rdb", Some(protected)),
        ("local", near, "dbfilename", "a.rdb", None),
        ("yes", far, "dbfilename", "b.rdb", None),
        ("yes", far, "dbfilename", "a/b", Some(path)),
        ("yes", far, "dir", "/nonexistent", Some(none)),
        ("yes", far, "dir", "/etc/passwd", Some(file)),
        ("yes", far, "dir", "", Some(none)),
        ("yes", far, "dir", "/usr/bin/../lib", None),
        ("yes", busy, "dir", "/", Some(loading)),
        ("yes", busy, "appendonly", "yes", Some(loading)),
        ("yes", busy, "timeout", "1", None),
    ] {
        config
            .set_words(
                param!(index of "enable-protected-configs"),
                &[enabled.as_bytes()],
            )
            .expect("a choice");
        let result = set(&mut config, &[(name, value)], setter);
        assert_eq!(result.err().as_deref(), error, "{name} {value}");
    }
    assert!(config.directory().is_absolute());
    assert_eq!(
        get(&config, &["dir"])[0].1,
        config.directory().to_string_lossy()
    );
}

#[test]
fn changes_are_reported_once_and_counted() {
    let mut config = Config::new();
    let setter = Setter::default();
    let changed = set(&mut config, &[("port", "7"), ("timeout", "0")], setter).expect("valid");
    assert!(
        changed.includes(param!(index of "port")) && !changed.includes(param!(index of "timeout"))
    );
    assert_eq!(config.generation(), 1);
    let pairs = [
        ("slave-priority", "1"),
        ("replica-priority", "2"),
        ("tls-cert-file", ""),
    ];
    let changed = set(&mut config, &pairs, setter).expect("valid");
    let names: Vec<&str> = changed
        .parameters
        .iter()
        .map(|index| PARAMETERS[*index].name)
        .collect();
    assert_eq!(
        names,
        ["replica-priority", "tls-cert-file"],
        "a file is read again even if its name is the same"
    );
}

#[test]
fn accessors() {
    let mut config = Config::new();
    let pairs = [
        ("maxmemory", "18446744073709551615"),
        ("maxmemory-clients", "7%"),
        ("shutdown-on-sigterm", "now force"),
        ("requirepass", "pw"),
        ("save", "60 1"),
        ("notify-keyspace-events", "Kg"),
        ("bind", "127.0.0.1 -::1"),
    ];
    set(&mut config, &pairs, Setter::default()).expect("valid");
    config
        .set_words(param!(index of "replicaof"), &[b"host", b"6380"])
        .expect("host and port");
    assert_eq!(config.get_u64(param!("maxmemory")), u64::MAX);
    assert_eq!(config.get_i64(param!("maxmemory-clients")), -7);
    assert!(config.has_option(param!("shutdown-on-sigterm"), "force"));
    assert!(!config.has_option(param!("shutdown-on-sigterm"), "save"));
    assert!(!config.has_option(param!("shutdown-on-sigint"), "default"));
    assert_eq!(config.get_word(param!("shutdown-on-sigint")), "default");
    assert_eq!(config.get_word(param!("maxmemory-policy")), "noeviction");
    assert_eq!(
        (
            config.get_bytes(param!("requirepass")),
            config.get_str(param!("masterauth"))
        ),
        (&b"pw"[..], "".into())
    );
    assert_eq!(
        config.save_points(),
        [SavePoint {
            seconds: 60,
            changes: 1
        }]
    );
    assert_eq!(config.events(), events::KEYSPACE | events::GENERIC);
    assert_eq!(
        config.bind().collect::<Vec<_>>(),
        [&b"127.0.0.1"[..], b"-::1"]
    );
    assert_eq!(
        config
            .replicaof()
            .map(|master| (&*master.host, master.port)),
        Some((&b"host"[..], 6380))
    );
    assert_eq!(config.buffer_limits()[2].soft_seconds, 60);
    assert_eq!(
        (config.oom_scores(), config.percentiles()),
        ([0, 200, 800], &[50.0, 99.0, 99.9][..])
    );
    assert!(config.get_bool(param!("protected-mode")));
    fn crosses_threads<T: Send + Sync + Clone>(_: &T) {}
    crosses_threads(&config);
}

#[test]
fn what_has_no_effect_is_named() {
    let mut config = Config::new();
    assert_eq!(config.without_effect().count(), 0);
    set(
        &mut config,
        &[("jemalloc-bg-thread", "no"), ("timeout", "5")],
        Setter::default(),
    )
    .expect("valid");
    let named: Vec<&str> = config.without_effect().map(|(name, _)| name).collect();
    assert_eq!(named, ["jemalloc-bg-thread"]);
}

#[test]
fn any_value_for_any_parameter_is_taken_or_refused_and_round_trips() {
    bolero::check!()
        .with_type::<(u16, Vec<u8>)>()
        .for_each(|(place, text)| {
            let index = usize::from(*place) % PARAMETERS.len();
            let mut config = Config::new();
            let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
            if PARAMETERS[index].name == "dir" || config.set_words(index, &words).is_err() {
                return;
            }
            // What CONFIG REWRITE writes, the loader reads back to the same values.
            let file = rewrite::rewrite(&config, b"", &[]);
            if index != param!(index of "logfile") && PARAMETERS[index].name != "cluster-enabled" {
                let loaded = file::load_text(&file)
                    .expect("a rewritten file loads")
                    .config;
                assert_eq!(
                    get(&loaded, &["*"]),
                    get(&config, &["*"]),
                    "{}",
                    String::from_utf8_lossy(&file)
                );
            }
        });
}

#[test]
fn an_echo_of_our_own_immutable_parameters_is_no_error() {
    let set = |name: &str, value: &str| {
        Config::new().set_many(&[(name.as_bytes(), value.as_bytes())], Setter::default()).map(|changed| changed.parameters)
    };
    for (index, row) in PARAMETERS.iter().enumerate().filter(|(_, row)| row.echoed) {
        let now = Config::new().print(index);
        assert_eq!(set(row.name, std::str::from_utf8(&now).expect("text")), Ok(Vec::new()), "{}", row.name);
    }
    assert!(PARAMETERS[param!(index of "driver")].echoed);
    let refused = Err(ConfigError::failed("driver", "can't set immutable config"));
    assert_eq!(set("driver", "epoll"), refused);
    assert!(set("daemonize", "no").is_err(), "as Redis");
}
