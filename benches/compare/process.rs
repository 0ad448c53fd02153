//! What the kernel tells of a process, and programs that must end in time.

use std::{
    fs,
    io::Read,
    process::{Child, Command, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How long a condition that no descriptor announces is left alone between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until `condition` gives something or the deadline passes; at least once.
pub fn look_until<T>(deadline: Instant, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        if let Some(found) = condition() {
            return Some(found);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left.min(LOOK_EVERY));
    }
}

/// The CPU time of a process, user and system, all threads, in ticks: fields 14 and 15 of proc(5)'s `/proc/PID/stat`. The
/// kernel counts nanoseconds and shows ticks, so a difference of two readings is off by less than one.
pub fn cpu_ticks(process_id: u32) -> Result<u64, String> {
    let path = format!("/proc/{process_id}/stat");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    parse_cpu_ticks(&text).ok_or_else(|| format!("{path} has no CPU times"))
}

fn parse_cpu_ticks(text: &str) -> Option<u64> {
    // The name may hold blanks and parentheses; the third field comes after the last one.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Ticks per second.
pub fn ticks_per_second() -> u64 {
    static TICKS: OnceLock<u64> = OnceLock::new();
    *TICKS.get_or_init(|| {
        let output = Command::new("getconf").arg("CLK_TCK").output().ok();
        let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
        // 100 is what every Linux shows to user space.
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(100)
    })
}

/// Bytes of memory a process has in use: `VmRSS` of `/proc/PID/status`.
pub fn resident_bytes(process_id: u32) -> Result<u64, String> {
    let path = format!("/proc/{process_id}/status");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    parse_resident_bytes(&text).ok_or_else(|| format!("{path} has no VmRSS"))
}

fn parse_resident_bytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The command, pinned to the CPUs of `pin`. taskset becomes the program itself, so the process id is the program's.
pub fn pinned(words: &[String], pin: Option<&str>) -> Command {
    let (program, arguments) = words.split_first().expect("a command has at least one word");
    let mut command = match pin {
        Some(cpus) => {
            let mut command = Command::new("taskset");
            command.args(["-c", cpus, program]);
            command
        }
        None => Command::new(program),
    };
    command.args(arguments);
    command
}

/// Whether a program is on PATH.
pub fn is_on_path(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// Runs a program to its end and returns its standard output. Killed when the deadline passes.
///
/// # Errors
/// When it does not start, does not end in time, or fails: with what it wrote last.
pub fn output_within(mut command: Command, limit: Duration) -> Result<String, String> {
    let what = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{what}: {error}"))?;
    let output = collect(child.stdout.take());
    let errors = collect(child.stderr.take());
    let deadline = Instant::now() + limit;
    let text = output.recv_timeout(limit);
    let status = text.is_ok().then(|| look_until(deadline, || child.try_wait().transpose())).flatten();
    let Some(status) = status else {
        end(&mut child);
        return Err(format!("{what}: not done after {} s", limit.as_secs()));
    };
    let status = status.map_err(|error| format!("{what}: {error}"))?;
    let text = text.unwrap_or_default();
    if status.success() {
        return Ok(text);
    }
    let errors = errors.recv_timeout(LOOK_EVERY).unwrap_or_default();
    let last = text.lines().chain(errors.lines()).rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(format!("{status}: {last}"))
}

/// Everything a pipe gives until it ends, read by a thread of its own.
fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// Ends a child at once.
pub fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_times_come_after_the_name() {
        let line = "77 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 1 0";
        assert_eq!(parse_cpu_ticks(line), Some(175));
        for line in ["", "77 (x) S 1 2 3", "77 (x) S 1 2 3 4 5 6 7 8 9 10 a 25"] {
            assert_eq!(parse_cpu_ticks(line), None, "{line}");
        }
    }

    #[test]
    fn resident_bytes_of_status() {
        assert_eq!(parse_resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\nVmData: 1 kB\n"), Some(2_097_152));
        assert_eq!(parse_resident_bytes("VmHWM: 1 kB\n"), None);
    }

    #[test]
    fn reads_its_own_process() {
        assert!(resident_bytes(std::process::id()).expect("own status") > 100_000);
        assert!(cpu_ticks(std::process::id()).is_ok());
        assert!(ticks_per_second() >= 100);
    }

    #[test]
    fn programs_end_in_time() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let limit = Duration::from_secs(20);
        assert_eq!(output_within(shell("echo a; echo b"), limit), Ok("a\nb\n".to_owned()));
        let failure = output_within(shell("echo out; echo broken >&2; exit 3"), limit).expect_err("exit 3");
        assert!(failure.contains('3') && failure.ends_with("broken"), "{failure}");
        let failure = output_within(shell("read x </dev/zero"), Duration::from_millis(50)).expect_err("endless");
        assert!(failure.contains("not done"), "{failure}");
        assert!(output_within(Command::new("/nowhere/x"), limit).is_err());
    }

    #[test]
    fn pins_with_taskset() {
        let words = ["server".to_owned(), "--x".to_owned()];
        assert_eq!(format!("{:?}", pinned(&words, Some("0,2"))), r#""taskset" "-c" "0,2" "server" "--x""#);
        assert_eq!(format!("{:?}", pinned(&words, None)), r#""server" "--x""#);
        assert!(is_on_path("sh") && !is_on_path("no-such-program-here"));
    }
}
