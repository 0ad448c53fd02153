//! The count of bytes in use, exactly: one test alone in its process, so that nobody else allocates meanwhile.

use std::{
    cell::Cell,
    hint::black_box,
    sync::{Barrier, mpsc},
    thread,
};

use ringfort::{
    stats::memory::{peak_bytes, reset_peak, used_bytes, used_bytes_of_thread_cells},
    stdx::limits::MEMORY_CELLS,
};

/// Larger than anything the test harness and starting a thread may leave behind.
const SLACK: isize = 1 << 20;
const BIG: usize = 64 << 20;

fn change(work: impl FnOnce()) -> isize {
    let before = used_bytes();
    work();
    used_bytes() as isize - before as isize
}

fn about(change: isize, expected: isize) {
    assert!((change - expected).abs() < SLACK, "{change} instead of about {expected}");
}

/// A thread-local that allocates and frees while its thread ends.
struct FreesLate(Cell<Option<Vec<u8>>>);

impl Drop for FreesLate {
    fn drop(&mut self) {
        drop(self.0.take());
        drop(vec![1_u8; 100]);
    }
}

thread_local! {
    static LATE: FreesLate = const { FreesLate(Cell::new(None)) };
}

#[test]
fn bytes_in_use() {
    every_way_to_allocate();
    one_thread_allocates_and_another_frees();
    threads_come_and_go(4);
    // More threads than cells: the last cell is shared.
    for _ in 0..MEMORY_CELLS {
        assert!(thread::spawn(|| drop(Box::new(1))).join().is_ok());
    }
    assert_eq!(used_bytes_of_thread_cells().len(), MEMORY_CELLS);
    threads_come_and_go(4);
    one_thread_allocates_and_another_frees();
    the_shared_cell_loses_nothing();
}

fn every_way_to_allocate() {
    let mut kept = Vec::new();
    assert_eq!(change(|| kept = vec![1_u8; 1000]), 1000);
    assert_eq!(change(|| kept.reserve_exact(4000)), 4000);
    assert_eq!(change(|| kept.shrink_to_fit()), -4000);
    assert_eq!(change(|| drop(std::mem::take(&mut kept))), -1000);
    assert_eq!(change(|| kept = vec![0_u8; 1 << 20]), 1 << 20);
    assert_eq!(change(|| drop(std::mem::take(&mut kept))), -(1 << 20));
    assert_eq!(change(|| drop(Box::new([0_u64; 16]))), 0);
}

fn one_thread_allocates_and_another_frees() {
    let before = used_bytes() as isize;
    reset_peak();
    let (give, take) = mpsc::channel::<Vec<u8>>();
    let freeing = thread::spawn(move || drop(take.recv()));
    let data = Vec::with_capacity(BIG);
    about(used_bytes() as isize, before + BIG as isize);
    assert!(give.send(data).is_ok());
    assert!(freeing.join().is_ok());
    about(used_bytes() as isize, before);
    about(peak_bytes() as isize, before + BIG as isize);
}

fn threads_come_and_go(rounds: usize) {
    let lost = change(|| {
        for _ in 0..rounds {
            let threads: Vec<_> =
                (0..4).map(|_| thread::spawn(|| LATE.with(|late| late.0.set(Some(Vec::with_capacity(BIG)))))).collect();
            for thread in threads {
                assert!(thread.join().is_ok());
            }
        }
    });
    about(lost, 0);
}

/// A race would lose changes of 2 MiB each; that they cancel each other out exactly is not to be expected.
fn the_shared_cell_loses_nothing() {
    const STEPS: usize = 50_000;
    const BYTES: usize = 2 << 20;
    let start = Barrier::new(4);
    let kept = change(|| {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..STEPS {
                        black_box(Vec::<u8>::with_capacity(BYTES));
                    }
                });
            }
        });
    });
    about(kept, 0);
}
