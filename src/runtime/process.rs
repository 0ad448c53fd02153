//! What the system says of this process and its machine; and the one way to hold a thread up on purpose.
//!
//! Asking costs some microseconds and opens files, so commands never do it: the first core's cron asks ten times a second
//! and leaves the answers in `stats::server::Samples`.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

/// Processor time, microseconds.
#[derive(Clone, Copy, Default, Debug)]
pub struct CpuTime {
    /// In the system.
    pub system_us: u64,
    /// Outside it.
    pub user_us: u64,
}

/// What of the process is in memory.
#[derive(Clone, Copy, Default, Debug)]
pub struct Resident {
    /// All of it.
    pub bytes: u64,
    /// What belongs to no file and is not shared: heap and stacks.
    pub anonymous_bytes: u64,
}

/// Resident set of the process, zeros when it cannot be told.
pub fn resident() -> Resident {
    let Ok(text) = fs::read_to_string("/proc/self/statm") else { return Resident::default() };
    let mut pages = text.split(' ').skip(1).map(|pages| pages.parse::<u64>().unwrap_or(0));
    let (all, shared) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
    // SAFETY: sysconf only reads a constant of the system.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(0) as u64;
    Resident { bytes: all * page_bytes, anonymous_bytes: all.saturating_sub(shared) * page_bytes }
}

/// Memory of the machine in bytes, 0 when it cannot be told.
pub fn system_memory_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes: u64 = line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0);
    kilobytes * 1024
}

/// System, its release and the kind of machine: "Linux 6.18.44 x86_64".
pub fn machine() -> String {
    let read = |path| fs::read_to_string(path).map_or_else(|_| "unknown".to_string(), |text| text.trim().to_string());
    let (system, release) = (read("/proc/sys/kernel/ostype"), read("/proc/sys/kernel/osrelease"));
    format!("{system} {release} {}", std::env::consts::ARCH)
}

/// Processor time of the whole process.
pub fn cpu_time() -> CpuTime {
    usage(libc::RUSAGE_SELF)
}

/// Processor time of the calling thread.
pub fn cpu_time_of_thread() -> CpuTime {
    usage(libc::RUSAGE_THREAD)
}

fn usage(who: libc::c_int) -> CpuTime {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to memory of the right type, which the call fills; all-zero is valid for it anyway.
    let usage = unsafe {
        libc::getrusage(who, usage.as_mut_ptr());
        usage.assume_init()
    };
    let microseconds = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    CpuTime { system_us: microseconds(usage.ru_stime), user_us: microseconds(usage.ru_utime) }
}

/// Holds the calling thread up (DEBUG SLEEP, which is there to see what a server that hangs does to others).
pub fn hold_thread(duration: Duration) {
    std::thread::sleep(duration);
}

/// As `hold_thread`, for the parameters of Redis' tests that slow loading and saving down. Those below zero, which ask for
/// less than a microsecond, count as zero.
pub fn hold_thread_us(us: i64) {
    if us > 0 {
        hold_thread(Duration::from_micros(us.unsigned_abs()));
    }
}

/// A descriptor of another process that becomes readable when that process ends. Unlike its number it never comes to mean
/// another one.
///
/// # Errors
/// When there is no such process.
pub fn process_descriptor(id: u32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two numbers and no pointers.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::c_long::from(id as i32), 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the system has just made it, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as i32) })
}

/// Ends the process as a crash would (DEBUG SEGFAULT).
pub fn crash() -> ! {
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_answers() {
        let resident = resident();
        assert!(resident.anonymous_bytes > 100_000);
        assert!(resident.bytes > resident.anonymous_bytes, "the binary is a file");
        assert!(system_memory_bytes() > resident.bytes);
        assert_eq!(machine().split(' ').count(), 3);
        let (process, thread) = (cpu_time(), cpu_time_of_thread());
        assert!(thread.user_us + thread.system_us <= cpu_time().user_us + cpu_time().system_us);
        assert!(process.user_us + process.system_us > 0);
    }
}
