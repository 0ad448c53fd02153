//! Which CPUs may be used (placeholder until the runtime helper lands).

/// Number of shards when none is configured.
pub fn shards_default() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get()).min(crate::stdx::limits::SHARDS_MAX)
}

/// Ties this thread to a CPU.
pub fn pin_current_thread(id: usize) -> bool {
    core_affinity::set_for_current(core_affinity::CoreId { id })
}
