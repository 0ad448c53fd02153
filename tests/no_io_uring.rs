//! A kernel that refuses io_uring, as many container profiles do: the server says so once, with the remedy, and runs on
//! epoll. The real binary runs under a seccomp filter, which is why this file has `unsafe`: the filter must be installed in
//! the child between fork and exec.

mod support;

use std::os::unix::process::CommandExt;
use std::process::Command;

use support::server::{Server, Target, Transport};
use support::value::Value;

/// Denies io_uring_setup with EPERM to the command and everything it starts.
fn deny_io_uring(command: &mut Command) {
    // SAFETY: `install_filter` only makes system calls on data of its own stack, which is allowed after a fork.
    unsafe { command.pre_exec(install_filter) };
}

fn install_filter() -> std::io::Result<()> {
    const NUMBER_OFFSET: u32 = 0;
    let step = |code: u32, jump_if: u8, jump_else: u8, operand: u32| libc::sock_filter {
        code: code as u16,
        jt: jump_if,
        jf: jump_else,
        k: operand,
    };
    let mut steps = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, NUMBER_OFFSET),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_io_uring_setup as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: plain system calls; `program` and the steps it points to live until they have returned.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) != 0
    };
    if refused { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

#[test]
fn epoll_takes_over_with_one_warning() {
    for shards in [1, 4] {
        let target = Target::Ringfort { shards };
        let server = Server::start_changed(target, Transport::Tcp, &[], &deny_io_uring);
        let mut clients = [server.connect(), server.connect(), server.connect(), server.connect()];
        for (number, client) in clients.iter_mut().enumerate() {
            for round in 0..50 {
                let (key, value) = (format!("key:{number}:{round}"), format!("value:{round}"));
                assert_eq!(client.call(&["SET", &key, &value]).to_string(), "OK");
                assert_eq!(client.call(&["GET", &key]).plain(), value.as_bytes());
            }
        }
        assert_eq!(clients[0].call(&["DBSIZE"]), Value::Integer(200));
        let info = String::from_utf8_lossy(&clients[0].call(&["INFO"]).plain()).into_owned();
        assert!(info.contains("multiplexing_api:epoll\r\n"), "{info}");
        assert!(info.contains(&format!("\r\nshards:{shards}\r\n")), "{info}");

        let (status, log) = server.end();
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{log}");
        let warnings: Vec<&str> = log.lines().filter(|line| line.contains("io_uring")).collect();
        let [warning] = warnings[..] else { panic!("one line about io_uring, not {}:\n{log}", warnings.len()) };
        for part in [" # ", "io_uring is not available", "epoll", "seccomp", "kernel.io_uring_disabled"] {
            assert!(warning.contains(part), "{warning} says {part}");
        }
    }
}

#[test]
fn a_driver_asked_for_by_name_is_not_replaced() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringfort"));
    command.args(["--port", "0", "--unixsocket", "/tmp/ringfort-refused.sock", "--driver", "io_uring", "--save", ""]);
    deny_io_uring(&mut command);
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("io_uring is not available") && error.contains("seccomp"), "{error}");
}
