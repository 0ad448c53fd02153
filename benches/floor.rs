//! The floor: a server that does nothing but what every server must do, so that measurements have something to stand on.
//!
//! `cargo bench --bench floor -- --port N [--driver auto|io_uring|epoll] [--flags single|cooperative|plain]`
//!
//! It counts the requests of each read (the asterisks: values of the benchmark contain none) and answers `+OK` that many times, on one core, with the project's driver. No parsing, no
//! data: what it costs is the kernel and the runtime. Prints `ready PORT` once it listens; `--port 0` takes a free one. Runs until it is ended. Without `--port` it says how to
//! use it and ends, so that `cargo bench` passes it by.

use std::{env, net, process::ExitCode};

use monoio::{
    buf::IoBuf,
    io::{AsyncReadRent, AsyncWriteRentExt},
    net::{TcpListener, TcpStream},
};
use ringfort::runtime::driver::{DriverChoice, DriverKind, RingFlags, probe, run};

/// Bytes of one read, as in the server's own sessions.
const READ_BYTES: usize = 16 * 1024;
const REPLY: &[u8] = b"+OK\r\n";

pub fn main() -> ExitCode {
    let Some(port) = argument("--port").and_then(|port| port.parse().ok()) else {
        eprintln!("usage: floor --port N [--driver auto|io_uring|epoll] [--flags single|cooperative|plain]");
        return ExitCode::SUCCESS;
    };
    let kind = match choose_driver() {
        Ok(kind) => kind,
        Err(line) => {
            eprintln!("{line}");
            return ExitCode::FAILURE;
        }
    };
    eprintln!("running on {}", kind.name());
    match run(kind, serve(port)) {
        Ok(Err(error)) | Err(error) => eprintln!("{error}"),
        Ok(Ok(())) => {}
    }
    ExitCode::FAILURE
}

/// The word after `name`.
fn argument(name: &str) -> Option<String> {
    env::args().skip_while(|word| word != name).nth(1)
}

fn choose_driver() -> Result<DriverKind, String> {
    match argument("--flags").as_deref() {
        None => {}
        Some("single") => return Ok(DriverKind::IoUring(RingFlags::SingleIssuerCooperative)),
        Some("cooperative") => return Ok(DriverKind::IoUring(RingFlags::Cooperative)),
        Some("plain") => return Ok(DriverKind::IoUring(RingFlags::Plain)),
        Some(other) => return Err(format!("no such flags: {other}")),
    }
    let choice = match argument("--driver").as_deref() {
        None | Some("auto") => DriverChoice::Auto,
        Some("io_uring") => DriverChoice::IoUring,
        Some("epoll") => DriverChoice::Epoll,
        Some(other) => return Err(format!("no such driver: {other}")),
    };
    let (kind, warning) = probe(choice)?;
    if let Some(warning) = warning {
        eprintln!("{warning}");
    }
    Ok(kind)
}

async fn serve(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(net::SocketAddr::from(([127, 0, 0, 1], port)))?;
    println!("ready {}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        monoio::spawn(session(stream));
    }
}

async fn session(mut stream: TcpStream) {
    let mut input = Vec::with_capacity(READ_BYTES);
    let mut replies = Vec::new();
    loop {
        let (read, buffer) = stream.read(input).await;
        input = buffer;
        let Ok(count @ 1..) = read else {
            return;
        };
        let length = memchr::memchr_iter(b'*', &input[..count]).count() * REPLY.len();
        while replies.len() < length {
            replies.extend_from_slice(REPLY);
        }
        if length == 0 {
            continue;
        }
        let (written, slice) = stream.write_all(replies.slice(..length)).await;
        replies = slice.into_inner();
        if written.is_err() {
            return;
        }
    }
}
