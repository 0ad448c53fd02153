//! Small real programs — sessions, a queue, a leaderboard, a rate limiter — with clients that people use: redis-py, ioredis,
//! the Rust redis crate. The first two are installed into cargo's folder for tests, once; without Python, Node or a network
//! they are skipped and say so, except in CI.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use redis::Commands;
use support::client::Address;
use support::server::{Server, Target, Transport};

fn server() -> (Server, u16) {
    server_of(2)
}

fn server_of(shards: usize) -> (Server, u16) {
    let server = Server::start_with(Target::Ringfort { shards }, Transport::Tcp, &[]);
    let Address::Tcp(address) = server.address() else { panic!("it listens on TCP") };
    let port = address.port();
    (server, port)
}

fn place() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    std::fs::create_dir_all(&path).expect("cargo's folder is writable");
    path
}

fn run(command: &mut Command) -> Result<Output, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// What could not be installed is skipped outside CI.
fn skipped<T>(installed: Result<T, String>) -> Option<T> {
    match installed {
        Ok(installed) => Some(installed),
        Err(reason) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "CI needs this client: {reason}");
            eprintln!("skipped: {reason}");
            None
        }
    }
}

fn says_ok(command: &mut Command) {
    let output = run(command).unwrap_or_else(|reason| panic!("{reason}"));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "ok");
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// A Python that has these packages; each set has a place of its own.
fn python(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = place().join(name);
    let python = folder.join("bin/python");
    let import = ["import ", &packages.join(", ")].concat();
    if run(Command::new(&python).args(["-c", &import])).is_err() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    }
    Ok(python)
}

#[test]
fn a_program_with_redis_py() {
    let Some(python) = skipped(python("python", &["redis"])) else { return };
    let (_server, port) = server();
    says_ok(Command::new(python).arg(program("program.py")).arg(port.to_string()));
}

#[test]
fn jobs_of_rq() {
    let Some(python) = skipped(python("rq", &["redis", "rq"])) else { return };
    let (_server, port) = server_of(4);
    says_ok(Command::new(python).arg(program("jobs.py")).args(["rq", &port.to_string()]));
}

#[test]
fn jobs_of_celery() {
    let Some(python) = skipped(python("celery", &["redis", "celery", "packaging"])) else { return };
    let (_server, port) = server_of(4);
    says_ok(Command::new(python).arg(program("jobs.py")).args(["celery", &port.to_string()]));
}

/// A folder of its own for each program, from which Node finds these packages; with the program in it.
fn node_program(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = place().join("node").join(name);
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    if !packages.iter().all(|package| folder.join("node_modules").join(package).is_dir()) {
        let install = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        run(Command::new("npm").args(install).arg(&folder).args(packages))?;
    }
    let copy = folder.join(name);
    std::fs::copy(program(name), &copy).map_err(|error| error.to_string())?;
    Ok(copy)
}

#[test]
fn a_program_with_ioredis() {
    let Some(program) = skipped(node_program("program.mjs", &["ioredis"])) else { return };
    let (_server, port) = server();
    says_ok(Command::new("node").arg(program).arg(port.to_string()));
}

/// BullMQ's scripts use keys that they do not declare; here they lie on four shards.
#[test]
fn jobs_of_bullmq() {
    let Some(program) = skipped(node_program("bullmq.mjs", &["bullmq", "ioredis"])) else { return };
    let (_server, port) = server_of(4);
    says_ok(Command::new("node").arg(program).arg(port.to_string()));
}

#[test]
fn a_program_with_the_rust_crate() {
    let (_server, port) = server();
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).expect("it is a URL");
    let mut server = client.get_connection().expect("it answers");
    // Sessions: a hash with a time to live.
    server.hset_multiple::<_, _, _, ()>("session:1", &[("user", "ann"), ("cart", "3")]).expect("OK");
    server.expire::<_, bool>("session:1", 100).expect("it is there");
    assert_eq!(server.hget::<_, _, String>("session:1", "user").expect("a string"), "ann");
    assert!((1..=100).contains(&server.ttl::<_, i64>("session:1").expect("a number")));
    // A queue: a worker waits, jobs come in order, none is lost.
    let mut waiting = client.get_connection().expect("it answers");
    let worker = std::thread::spawn(move || {
        let mut done = Vec::new();
        loop {
            let (_, job): (String, String) = waiting.blpop("jobs", 10.0).expect("a job comes");
            if job == "stop" {
                return done;
            }
            done.push(job);
        }
    });
    let jobs: Vec<String> = (0..100).map(|number| format!("job {number}")).collect();
    for job in &jobs {
        server.rpush::<_, _, ()>("jobs", job).expect("OK");
    }
    server.rpush::<_, _, ()>("jobs", "stop").expect("OK");
    assert_eq!(worker.join().expect("it worked"), jobs);
    // A leaderboard.
    for number in 0..50 {
        server.zadd::<_, _, _, ()>("board", format!("player {number}"), f64::from(number) * 1.5).expect("OK");
    }
    let best: Vec<(String, f64)> = server.zrevrange_withscores("board", 0, 1).expect("a list");
    assert_eq!(best, [("player 49".to_owned(), 73.5), ("player 48".to_owned(), 72.0)]);
    // A rate limiter: at most five in a window, counted in a transaction.
    let mut allowed = 0;
    for _ in 0..8 {
        let (count,): (i64,) = redis::pipe()
            .atomic()
            .cmd("INCR")
            .arg("rate:ann")
            .cmd("EXPIRE")
            .arg("rate:ann")
            .arg(60)
            .arg("NX")
            .ignore()
            .query(&mut server)
            .expect("it is counted");
        allowed += i64::from(count <= 5);
    }
    assert_eq!(allowed, 5);
}
