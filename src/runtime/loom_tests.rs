//! Models of ring, shelf and doorbell: loom runs each through its interleavings, with at most [`PREEMPTIONS_MAX`] forced switches per execution.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --lib --profile fast loom_`
//!
//! A core that would sleep forever shows as a deadlock: a silent doorbell is asked in a loop that yields, and loom limits the branches of one execution.

use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    combiner::Combiner,
    doorbell::Doorbell,
    ring::ring,
    shelf::{PutResult, Shelf},
};

/// Forced switches in one execution. Most bugs of such small protocols show with two; three keeps all models together under two minutes.
const PREEMPTIONS_MAX: usize = 3;

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS_MAX);
    builder.check(body);
}

/// Sleeps until the bell rings. A lost wake-up makes this loop for ever, which loom reports.
fn sleep(bell: &Doorbell) {
    while !bell.take_rung() {
        thread::yield_now();
    }
}

#[test]
fn loom_ring_is_first_in_first_out() {
    model(|| {
        let (mut sender, mut receiver) = ring::<Box<usize>>(2);
        let pusher = thread::spawn(move || {
            let mut refused = 0;
            for i in 0..3 {
                let mut value = Box::new(i);
                while let Err(back) = sender.push(value) {
                    value = back;
                    refused += 1;
                    thread::yield_now();
                }
            }
            refused
        });
        let mut next = 0;
        while next < 3 {
            match receiver.pop() {
                Some(value) => {
                    assert_eq!(*value, next);
                    next += 1;
                }
                None => thread::yield_now(),
            }
        }
        assert!(receiver.pop().is_none());
        pusher.join().expect("the pusher ends");
    });
}

#[test]
fn loom_ring_frees_what_is_left() {
    model(|| {
        let witness = Arc::new(());
        let (mut sender, mut receiver) = ring::<Arc<()>>(2);
        let pusher = {
            let witness = Arc::clone(&witness);
            thread::spawn(move || {
                for _ in 0..3 {
                    // Whether the third fits depends on the receiver.
                    drop(sender.push(Arc::clone(&witness)));
                }
            })
        };
        drop(receiver.pop());
        drop(receiver);
        pusher.join().expect("the pusher ends");
        assert_eq!(Arc::strong_count(&witness), 1);
    });
}

#[test]
fn loom_ring_and_doorbell_lose_no_wake_up() {
    model(|| {
        let bell = Arc::new(Doorbell::silent());
        let (mut sender, mut receiver) = ring::<usize>(2);
        let core = {
            let bell = Arc::clone(&bell);
            thread::spawn(move || {
                let mut next = 0;
                while next < 2 {
                    if let Some(value) = receiver.pop() {
                        assert_eq!(value, next);
                        next += 1;
                        continue;
                    }
                    bell.prepare_to_park();
                    if receiver.is_empty() {
                        sleep(&bell);
                    }
                    bell.cancel_park();
                    bell.drain();
                }
            })
        };
        for i in 0..2 {
            sender.push(i).expect("two slots for two values");
            bell.ring_if_parked();
        }
        core.join().expect("the core ends");
    });
}

/// Two cores bring something to a third: whoever loses the race for the flag must not lose its message.
/// A core with more messages than the ring holds parks until there is room; the receiver of the ring rings it.
#[test]
fn loom_ring_full_sender_is_woken_when_there_is_room() {
    model(|| {
        let (mut sender, mut receiver) = ring::<usize>(1);
        let bell = Arc::new(Doorbell::silent());
        let popper = {
            let bell = Arc::clone(&bell);
            thread::spawn(move || {
                let mut next = 0;
                while next < 2 {
                    match receiver.pop() {
                        Some(value) => {
                            assert_eq!(value, next);
                            next += 1;
                        }
                        None => thread::yield_now(),
                    }
                    if receiver.take_starved() {
                        bell.ring_if_parked();
                    }
                }
            })
        };
        for value in 0..2 {
            while sender.push(value).is_err() {
                bell.prepare_to_park();
                if sender.len() == sender.capacity() {
                    sleep(&bell);
                }
                bell.cancel_park();
                bell.drain();
            }
        }
        popper.join().expect("the receiver ends");
    });
}

#[test]
fn loom_doorbell_serves_two_ringers() {
    model(|| {
        let bell = Arc::new(Doorbell::silent());
        let mut receivers = Vec::new();
        let mut pushers = Vec::new();
        for _ in 0..2 {
            let (mut sender, receiver) = ring::<usize>(1);
            receivers.push(receiver);
            let bell = Arc::clone(&bell);
            pushers.push(thread::spawn(move || {
                sender.push(1).expect("one slot for one value");
                bell.ring_if_parked();
            }));
        }
        let mut got = 0;
        while got < 2 {
            let before = got;
            got += receivers.iter_mut().filter_map(|receiver| receiver.pop()).sum::<usize>();
            if got > before {
                continue;
            }
            bell.prepare_to_park();
            if receivers.iter().all(|receiver| receiver.is_empty()) {
                sleep(&bell);
            }
            bell.cancel_park();
            bell.drain();
        }
        for pusher in pushers {
            pusher.join().expect("the pusher ends");
        }
    });
}

/// Takers work on the box without any atomic: loom reports a data race if it is in two hands or if a step is not visible to the next.
#[test]
fn loom_shelf_box_is_never_in_two_hands() {
    model(|| {
        let shelf = Arc::new(Shelf::new(Box::new(loom::cell::UnsafeCell::new(0))));
        let steps = Arc::new(AtomicUsize::new(0));
        let takers: Vec<_> = (0..2)
            .map(|_| {
                let (shelf, steps) = (Arc::clone(&shelf), Arc::clone(&steps));
                thread::spawn(move || step(&shelf, false, &steps))
            })
            .collect();
        step(&shelf, true, &steps);
        for taker in takers {
            taker.join().expect("the taker ends");
        }
        let data = shelf.try_take(true, 0).expect("everyone put it back");
        // SAFETY: the box is in this hand alone, which is what the model checks.
        data.with(|value| assert_eq!(unsafe { *value }, steps.load(Ordering::Relaxed)));
    });
}

fn step(shelf: &Shelf<loom::cell::UnsafeCell<usize>>, for_home: bool, steps: &AtomicUsize) {
    if let Some(data) = shelf.try_take(for_home, 0) {
        // SAFETY: the box is in this hand alone, which is what the model checks.
        data.with_mut(|value| unsafe { *value += 1 });
        steps.fetch_add(1, Ordering::Relaxed);
        assert_eq!(shelf.put(data), PutResult::Quiet);
    }
}

/// Another core takes the box and puts it back, ringing when told; home wants its box and sleeps until it has it.
fn home_gets_its_box(takers: usize) {
    let shelf = Arc::new(Shelf::new(Box::new(0_usize)));
    let bell = Arc::new(Doorbell::silent());
    let others: Vec<_> = (0..takers)
        .map(|_| {
            let (shelf, bell) = (Arc::clone(&shelf), Arc::clone(&bell));
            thread::spawn(move || {
                if let Some(mut data) = shelf.try_take(false, 0) {
                    *data += 1;
                    if shelf.put(data) == PutResult::Wanted {
                        bell.ring_if_parked();
                    }
                }
            })
        })
        .collect();
    let data = loop {
        if let Some(data) = shelf.want() {
            break data;
        }
        bell.prepare_to_park();
        if let Some(data) = shelf.try_take(true, 0) {
            bell.cancel_park();
            break data;
        }
        sleep(&bell);
        bell.cancel_park();
    };
    assert!(!shelf.is_wanted());
    assert!(*data <= takers);
    assert_eq!(shelf.put(data), PutResult::Quiet);
    for other in others {
        other.join().expect("the taker ends");
    }
}

#[test]
fn loom_shelf_wanted_box_comes_home() {
    model(|| home_gets_its_box(1));
}

#[test]
fn loom_shelf_wanted_box_comes_home_from_two_takers() {
    model(|| home_gets_its_box(2));
}

/// Home wishes and takes the wish back: the box stays usable for others and a late ring does no harm.
#[test]
fn loom_shelf_wish_taken_back_leaves_the_box_free() {
    model(|| {
        let shelf = Arc::new(Shelf::new(Box::new(0_usize)));
        let bell = Arc::new(Doorbell::silent());
        let other = {
            let (shelf, bell) = (Arc::clone(&shelf), Arc::clone(&bell));
            thread::spawn(move || {
                if let Some(data) = shelf.try_take(false, 0)
                    && shelf.put(data) == PutResult::Wanted
                {
                    bell.ring_if_parked();
                }
            })
        };
        if let Some(data) = shelf.want() {
            assert_eq!(shelf.put(data), PutResult::Quiet);
        } else {
            shelf.clear_wanted();
        }
        other.join().expect("the taker ends");
        assert!(shelf.try_take(false, 0).is_some());
    });
}

/// A wish that found nothing is seen by whoever puts the box, even when home does not park.
#[test]
fn loom_shelf_wish_is_seen_by_the_putter() {
    model(|| {
        let shelf = Arc::new(Shelf::new(Box::new(0_usize)));
        let other = {
            let shelf = Arc::clone(&shelf);
            thread::spawn(move || shelf.try_take(false, 0).map(|data| shelf.put(data)))
        };
        let missed = shelf.want().is_none();
        let told = other.join().expect("the taker ends");
        if missed {
            assert_eq!(told, Some(PutResult::Wanted));
        }
    });
}

/// The whole of it: a core sends its peer a message because the box is out, the home core finds the box out, wishes for it and parks; message and box both arrive.
#[test]
fn loom_home_serves_a_message_once_its_box_is_back() {
    model(|| {
        let shelf = Arc::new(Shelf::new(Box::new(0_usize)));
        let bell = Arc::new(Doorbell::silent());
        let (mut sender, mut receiver) = ring::<usize>(1);
        let other = {
            let (shelf, bell) = (Arc::clone(&shelf), Arc::clone(&bell));
            thread::spawn(move || {
                let data = shelf.try_take(false, 0);
                sender.push(7).expect("one slot for one value");
                if let Some(data) = data {
                    // The doorbell below covers this put, too.
                    let _ = shelf.put(data);
                }
                bell.ring_if_parked();
            })
        };
        let mut message = None;
        let mut data = None;
        loop {
            message = message.or_else(|| receiver.pop());
            if message.is_some() {
                data = shelf.want();
            }
            if data.is_some() {
                break;
            }
            bell.prepare_to_park();
            if receiver.is_empty() && (message.is_none() || !shelf.has_box()) {
                sleep(&bell);
            }
            bell.cancel_park();
            bell.drain();
        }
        assert_eq!((message, shelf.is_wanted()), (Some(7), false));
        other.join().expect("the sender ends");
    });
}

/// Whoever brings work finds the tool, or the one who has it looks again.
#[test]
fn loom_combiner_forgets_no_work() {
    model(|| {
        let combiner = Arc::new(Combiner::empty());
        let home = Arc::new(Doorbell::silent());
        assert!(combiner.give_back(Box::new(0_usize), &home).is_none());
        let brought = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let work = |combiner: &Combiner<usize>, brought: &[AtomicUsize; 2], home: &Doorbell, id: usize| {
            brought[id].store(1, Ordering::Relaxed);
            let mut tool = combiner.bring(0);
            while let Some(mut done) = tool {
                combiner.begin();
                *done += brought.iter().map(|count| count.swap(0, Ordering::Relaxed)).sum::<usize>();
                tool = combiner.give_back(done, home);
            }
        };
        let other = {
            let (combiner, brought, home) = (Arc::clone(&combiner), Arc::clone(&brought), Arc::clone(&home));
            thread::spawn(move || work(&combiner, &brought, &home, 1))
        };
        work(&combiner, &brought, &home, 0);
        other.join().expect("the other ends");
        assert_eq!(combiner.insist().map(|done| *done), Some(2));
    });
}
