//! Which seeds a simulated test runs, and how it reports those that fail.

/// Runs a test for `default` seeds, or for a `share`-th of `RINGFORT_SIM_SEEDS`, or for the one `RINGFORT_SIM_SEED`.
///
/// # Panics
/// If any fails; the message names all that do, and says of the first what went wrong.
pub fn for_seeds(default: u64, share: u64, run: impl Fn(u64) -> Result<(), String>) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number of seeds"));
    if let Some(seed) = number("RINGFORT_SIM_SEED") {
        run(seed).unwrap_or_else(|reason| panic!("seed {seed}: {reason}"));
        return;
    }
    let seeds = number("RINGFORT_SIM_SEEDS").map_or(default, |seeds| seeds / share);
    let failures: Vec<(u64, String)> = (0..seeds).filter_map(|seed| Some((seed, run(seed).err()?))).collect();
    if let Some((seed, reason)) = failures.first() {
        let all: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
        panic!("{} of {seeds} seeds fail: {all:?}\nRINGFORT_SIM_SEED={seed}: {reason}", failures.len());
    }
}
