//! Cost of parsing requests and writing replies, per pipeline of 1, 16 and 64 commands; throughput is commands per second.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringfort::resp::reply::{Protocol, Reply};
use ringfort::resp::request::{RequestLimits, RequestParser, Requests};

const PIPELINES: [usize; 3] = [1, 16, 64];

/// As redis-benchmark sends it: keys of 16 bytes.
const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000012345\r\n";
const SET_16: &[u8] = b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000012345\r\n$16\r\nvalue:0000012345\r\n";
const INLINE: &[u8] = b"SET key:000000012345 value:0000012345\r\n";

fn parse(criterion: &mut Criterion) {
    let set_512 = [&b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000012345\r\n$512\r\n"[..], &[b'v'; 512], b"\r\n"].concat();
    let requests: [(&str, &[u8]); 4] = [("get", GET), ("set_16", SET_16), ("set_512", &set_512), ("inline", INLINE)];
    let limits = RequestLimits { bulk_bytes_max: 1 << 29, query_buffer_bytes_max: 1 << 30, authenticated: true };
    for (name, request) in requests {
        let mut group = criterion.benchmark_group(["parse_", name].concat());
        for commands in PIPELINES {
            let buffer = request.repeat(commands);
            let mut parser = RequestParser::default();
            let mut out = Requests::default();
            group.throughput(Throughput::Elements(commands as u64));
            group.bench_function(commands.to_string(), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    let (_, consumed) = parser.parse(black_box(&buffer), 0, &limits, usize::MAX, &mut out);
                    assert_eq!(consumed, buffer.len());
                    out.commands.len()
                });
            });
        }
    }
}

fn write(criterion: &mut Criterion) {
    type Write = fn(&mut Reply, i64);
    let replies: [(&str, Write); 6] = [
        ("ok", |reply, _| reply.ok()),
        ("integer", |reply, number| reply.integer(number)),
        ("bulk_16", |reply, _| reply.bulk(black_box(b"value:0000012345"))),
        ("bulk_integer", |reply, number| reply.bulk_integer(number)),
        ("double_short", |reply, number| reply.double(number as f64 / 100.0)),
        ("double_long", |reply, number| reply.double(number as f64 / 7.0)),
    ];
    for (name, write) in replies {
        let mut group = criterion.benchmark_group(["write_", name].concat());
        for commands in PIPELINES {
            let mut reply = Reply::new(Protocol::Resp3);
            group.throughput(Throughput::Elements(commands as u64));
            group.bench_function(commands.to_string(), |bencher| {
                bencher.iter(|| {
                    reply.clear();
                    for number in 0..commands {
                        write(&mut reply, black_box(12_345 + number as i64));
                    }
                    reply.len_bytes()
                });
            });
        }
    }
}

criterion_group!(benches, parse, write);
criterion_main!(benches);
