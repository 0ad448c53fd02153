//! Runs one test: threads, connections, and what they measured.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::arguments::Settings;
use super::tests_of::Test;
use crate::remote::{AsyncClient, Error, Value};
use crate::runtime::driver::{self, DriverChoice, DriverKind};
use crate::stdx::random::{Random, seed_from_os};

/// Longest latency that is told apart, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

/// What a test brought.
pub struct Outcome {
    /// Requests answered.
    pub requests: u64,
    /// From the first request to the last reply.
    pub time: Duration,
    /// Latencies in microseconds.
    pub latencies: Histogram<u64>,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_US_MAX, 3).expect("the bounds are constants that fit")
}

/// What the threads share: requests that nobody has begun yet.
struct Work {
    left: AtomicU64,
    pipeline: u64,
}

impl Work {
    /// Takes a pipeline's worth; the last one may be for less than a pipeline, and is sent whole, as redis-benchmark does.
    fn take(&self) -> bool {
        let take = |left: u64| (left > 0).then(|| left.saturating_sub(self.pipeline));
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// Runs the test.
pub fn run(settings: &Settings, test: &Test) -> Result<Outcome, String> {
    let (kind, _) = driver::probe(DriverChoice::Auto)?;
    let threads = settings.threads.unwrap_or(1).min(settings.clients);
    let work = Arc::new(Work { left: AtomicU64::new(settings.requests), pipeline: settings.pipeline as u64 });
    let start = Instant::now();
    let running: Vec<_> = (0..threads)
        .map(|index| {
            let clients = settings.clients / threads + usize::from(index < settings.clients % threads);
            let (settings, test, work) = (settings.clone(), test.clone(), work.clone());
            std::thread::spawn(move || on_thread(kind, &settings, &test, &work, clients))
        })
        .collect();
    let mut latencies = histogram();
    let mut failure = None;
    for thread in running {
        match thread.join() {
            Ok(Ok(found)) => latencies.add(&found).map_err(|error| error.to_string())?,
            Ok(Err(text)) => failure = Some(text),
            Err(_) => failure = Some("A thread failed".to_string()),
        }
    }
    let time = start.elapsed();
    match failure {
        Some(text) => Err(text),
        None => Ok(Outcome { requests: latencies.len(), time, latencies }),
    }
}

fn on_thread(
    kind: DriverKind,
    settings: &Settings,
    test: &Test,
    work: &Arc<Work>,
    clients: usize,
) -> Result<Histogram<u64>, String> {
    let latencies = Rc::new(RefCell::new(histogram()));
    let (settings, test, work) = (Rc::new(settings.clone()), Rc::new(test.clone()), work.clone());
    let result = driver::run(kind, {
        let latencies = latencies.clone();
        async move {
            let tasks: Vec<_> = (0..clients)
                .map(|_| monoio::spawn(connection(settings.clone(), test.clone(), work.clone(), latencies.clone())))
                .collect();
            for task in tasks {
                task.await?;
            }
            Ok(())
        }
    });
    match result {
        Ok(Ok(())) => Ok(latencies.borrow().clone()),
        Ok(Err(text)) => Err(text),
        Err(error) => Err(error.to_string()),
    }
}

async fn connection(
    settings: Rc<Settings>,
    test: Rc<Test>,
    work: Arc<Work>,
    latencies: Rc<RefCell<Histogram<u64>>>,
) -> Result<(), String> {
    let told = |error: Error| error.to_string();
    let mut random = Random::new(seed_from_os());
    let mut bytes = test.bytes.clone();
    let mut client = None;
    while work.take() {
        let open = match client.take() {
            Some(open) if settings.keep_alive => open,
            _ => AsyncClient::open(&settings.options).await.map_err(told)?,
        };
        let client = client.insert(open);
        for &place in &test.places {
            let number = random.below(settings.random_range.unwrap_or(1));
            bytes[place..place + 12].copy_from_slice(format!("{:012}", number % 1_000_000_000_000).as_bytes());
        }
        let start = Instant::now();
        client.send_raw(&bytes).await.map_err(told)?;
        for _ in 0..settings.pipeline {
            if let Value::Error(text) = client.reply().await.map_err(told)? {
                return Err(format!("Error from server: {}", String::from_utf8_lossy(&text)));
            }
        }
        let latency_us = start.elapsed().as_micros() as u64;
        latencies.borrow_mut().saturating_record_n(latency_us.max(1), settings.pipeline as u64);
    }
    Ok(())
}
