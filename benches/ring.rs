//! What crosses from core to core: pushing into and popping from a ring, on one thread and between two, taking a box from
//! its shelf and putting it back, and ringing a doorbell nobody waits for. `cargo bench --bench ring`.

use std::{
    hint::{black_box, spin_loop},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringfort::runtime::{
    doorbell::Doorbell,
    ring::{Receiver, Sender, ring},
    shelf::{PutResult, Shelf},
};

/// Slots of a ring.
const CAPACITY: usize = 1024;
/// Messages a core pushes before the other one looks, on one thread.
const BATCH: u64 = 16;
/// Looks in vain after which a thread lets others run: on a machine with one CPU the other side would never get its turn.
const SPINS_MAX: u32 = 10_000;

fn same_thread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring");
    let (mut sender, mut receiver) = ring::<Box<u64>>(CAPACITY);
    // As between shards: the same box goes round, nothing is allocated.
    let mut message = Some(Box::new(0));
    group.throughput(Throughput::Elements(1)).bench_function("push and pop, one thread", |bencher| {
        bencher.iter(|| {
            if let Some(value) = message.take() {
                sender.push(value).expect("the ring is empty");
            }
            message = receiver.pop();
        });
    });
    let (mut sender, mut receiver) = ring::<u64>(CAPACITY);
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function(BenchmarkId::new("push and pop, one thread, batch of", BATCH), |bencher| {
        bencher.iter(|| {
            (0..BATCH).for_each(|value| sender.push(value).expect("the ring is empty"));
            while let Some(value) = receiver.pop() {
                black_box(value);
            }
        });
    });
    group.finish();
}

/// Pushes, however full the ring is.
fn push(sender: &mut Sender<u64>, value: u64) {
    let mut spins = 0;
    while sender.push(value).is_err() {
        wait(&mut spins);
    }
}

/// Pops, however empty the ring is.
fn pop(receiver: &mut Receiver<u64>) -> u64 {
    let mut spins = 0;
    loop {
        if let Some(value) = receiver.pop() {
            return value;
        }
        wait(&mut spins);
    }
}

fn wait(spins: &mut u32) {
    *spins += 1;
    if *spins > SPINS_MAX {
        thread::yield_now();
    } else {
        spin_loop();
    }
}

/// The time `count` messages take to pass from one thread to another.
fn time_stream(count: u64) -> Duration {
    let (mut sender, mut receiver) = ring::<u64>(CAPACITY);
    thread::scope(|scope| {
        let start = Instant::now();
        scope.spawn(move || (0..count).for_each(|value| push(&mut sender, value)));
        (0..count).for_each(|value| assert_eq!(pop(&mut receiver), value));
        start.elapsed()
    })
}

/// The time `count` messages take to go to another thread and back, one after the other.
fn time_round_trips(count: u64) -> Duration {
    let (mut request, mut requests) = ring::<u64>(CAPACITY);
    let (mut reply, mut replies) = ring::<u64>(CAPACITY);
    thread::scope(|scope| {
        scope.spawn(move || (0..count).for_each(|_| push(&mut reply, pop(&mut requests))));
        let start = Instant::now();
        for value in 0..count {
            push(&mut request, value);
            assert_eq!(pop(&mut replies), value);
        }
        start.elapsed()
    })
}

fn two_threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring");
    group.sample_size(20).throughput(Throughput::Elements(1));
    group.bench_function("stream between two threads", |bencher| bencher.iter_custom(time_stream));
    group.bench_function("round trip between two threads, both awake", |bencher| bencher.iter_custom(time_round_trips));
    group.finish();
}

/// The time `count` takings of a box take that another thread takes all the while too. Looks in vain are part of it.
fn time_contended(count: u64) -> Duration {
    let shelf = Arc::new(Shelf::new(Box::new(0_u64)));
    let worker = |shelf: Arc<Shelf<u64>>| {
        let mut spins = 0;
        let mut done = 0;
        while done < count {
            let Some(mut data) = shelf.try_take(false, 30) else {
                wait(&mut spins);
                continue;
            };
            *data += 1;
            done += 1;
            spins = 0;
            assert_eq!(shelf.put(data), PutResult::Quiet);
        }
    };
    let start = Instant::now();
    thread::scope(|scope| {
        let other = Arc::clone(&shelf);
        scope.spawn(move || worker(other));
        worker(Arc::clone(&shelf));
    });
    let elapsed = start.elapsed();
    assert_eq!(shelf.try_take(true, 0).as_deref(), Some(&(2 * count)));
    elapsed
}

fn shelf_and_doorbell(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("shelf");
    let shelf = Shelf::new(Box::new(0_u64));
    group.bench_function("take and put", |bencher| {
        bencher.iter(|| {
            let data = shelf.try_take(black_box(false), 0).expect("nobody else takes it");
            black_box(shelf.put(data))
        });
    });
    let empty = Shelf::<u64>::empty();
    group.bench_function("a miss without spins", |bencher| bencher.iter(|| empty.try_take(black_box(false), 0)));
    group.sample_size(20);
    group.bench_function("take and put, two threads", |bencher| bencher.iter_custom(time_contended));
    group.finish();
    let bell = Doorbell::new().expect("an eventfd");
    let mut group = criterion.benchmark_group("doorbell");
    group.bench_function("ring, not parked", |bencher| bencher.iter(|| black_box(&bell).ring_if_parked()));
    group.bench_function("park, ring and drain, one thread", |bencher| {
        bencher.iter(|| {
            bell.prepare_to_park();
            black_box(bell.ring_if_parked());
            bell.drain()
        });
    });
    group.finish();
}

criterion_group!(benches, same_thread, two_threads, shelf_and_doorbell);
criterion_main!(benches);
