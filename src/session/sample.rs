//! What is measured ten times a second so that INFO finds it ready: by the first core for all memory, processor time and
//! rates; by each core, once a second, the memory of its clients.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

use crate::runtime::clock::Clock;
use crate::runtime::process;
use crate::stats::core::CoreStats;
use crate::stats::memory;
use crate::stats::server::ServerFacts;

use super::core::Core;

/// Rates are those over so many rounds of the cron, as in Redis.
const ROUNDS: usize = 16;

/// Seconds over which the largest buffers of clients are kept, as in Redis.
const PEAK_SECONDS: usize = 8;

#[derive(Clone, Copy)]
struct Snapshot {
    at_ns: u64,
    commands: u64,
    bytes_in: u64,
    bytes_out: u64,
    cycles: u64,
    cpu_us: u64,
}

/// The last rounds.
#[derive(Default)]
pub(super) struct Sampler {
    rounds: VecDeque<Snapshot>,
}

impl Sampler {
    /// One round; leaves the figures in `server.samples`.
    pub(super) fn sample(&mut self, clock: &Clock, server: &ServerFacts) {
        let samples = &server.samples;
        // Raises the peak.
        memory::used_bytes();
        let resident = process::resident();
        samples.rss_bytes.store(resident.bytes, Relaxed);
        samples.rss_anonymous_bytes.store(resident.anonymous_bytes, Relaxed);
        let (all, first) = (process::cpu_time(), process::cpu_time_of_thread());
        samples.cpu_system_us.store(all.system_us, Relaxed);
        samples.cpu_user_us.store(all.user_us, Relaxed);
        samples.cpu_system_first_core_us.store(first.system_us, Relaxed);
        samples.cpu_user_first_core_us.store(first.user_us, Relaxed);
        let sum = |counter: fn(&CoreStats) -> u64| server.sum(counter);
        let now = Snapshot {
            at_ns: clock.monotonic_ns(),
            commands: sum(|core| core.commands.get()),
            bytes_in: sum(|core| core.bytes_in.get()),
            bytes_out: sum(|core| core.bytes_out.get()),
            cycles: sum(|core| core.cycles.get()),
            cpu_us: samples.cpu_us(),
        };
        if self.rounds.len() > ROUNDS {
            self.rounds.pop_front();
        }
        if let Some(&then) = self.rounds.front() {
            let passed_ns = now.at_ns.saturating_sub(then.at_ns).max(1);
            // After CONFIG RESETSTAT the counters are below what they were; the rate is 0 until the old rounds are gone.
            let rate = |now: u64, then: u64| {
                (u128::from(now.saturating_sub(then)) * 1_000_000_000 / u128::from(passed_ns)) as u64
            };
            samples.commands_per_s.store(rate(now.commands, then.commands), Relaxed);
            samples.bytes_in_per_s.store(rate(now.bytes_in, then.bytes_in), Relaxed);
            samples.bytes_out_per_s.store(rate(now.bytes_out, then.bytes_out), Relaxed);
            samples.cycles_per_s.store(rate(now.cycles, then.cycles), Relaxed);
            let cycles = now.cycles.saturating_sub(then.cycles);
            samples.cycle_us.store(now.cpu_us.saturating_sub(then.cpu_us).checked_div(cycles).unwrap_or(0), Relaxed);
        }
        self.rounds.push_back(now);
    }
}

/// The largest input and output of a client of one core, second by second.
#[derive(Default)]
pub(super) struct ClientPeaks {
    second: i64,
    input_and_output: [(usize, usize); PEAK_SECONDS],
}

impl Core {
    /// Once a second: what the clients of this core take of memory.
    pub(super) fn measure_clients(&mut self) {
        let now_ms = self.clock.unix_ms();
        let second = now_ms / 1000;
        if self.client_peaks.second == second {
            return;
        }
        self.client_peaks.second = second;
        self.close_slow_subscribers();
        let (mut total, mut peak) = (0, (0, 0));
        for session in self.sessions() {
            let memory = session.memory(now_ms);
            let (input, output) = memory.input_and_output();
            total += memory.total;
            peak = (peak.0.max(input), peak.1.max(output));
        }
        let peaks = &mut self.client_peaks.input_and_output;
        peaks[second as usize % PEAK_SECONDS] = peak;
        let largest = peaks.iter().fold((0, 0), |all, one| (all.0.max(one.0), all.1.max(one.1)));
        let stats = self.stats();
        stats.clients_bytes.set(total as u64);
        stats.client_input_bytes_max.set(largest.0 as u64);
        stats.client_output_bytes_max.set(largest.1 as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rates_are_those_of_the_last_rounds() {
        let (clock, time) = Clock::simulated(1_000_000);
        let server = ServerFacts::new(2, 1, String::new(), 0);
        let mut sampler = Sampler::default();
        for _ in 0..100 {
            sampler.sample(&clock, &server);
            time.advance(Duration::from_millis(100));
            server.cores[0].commands.add(40);
            server.cores[1].commands.add(60);
            server.cores[1].bytes_in.add(5);
        }
        assert_eq!(server.samples.commands_per_s.load(Relaxed), 1000);
        assert_eq!(server.samples.bytes_in_per_s.load(Relaxed), 50);
        assert_eq!(sampler.rounds.len(), ROUNDS + 1);
        for core in &server.cores {
            core.reset();
        }
        sampler.sample(&clock, &server);
        assert_eq!(server.samples.commands_per_s.load(Relaxed), 0);
    }
}
