//! Where and on what the figures were taken.

use std::{fs, path::Path, process::Command, thread};

use serde_json::{Value, json};

/// What decides figures besides the code.
#[derive(Clone, Debug)]
pub struct Machine {
    pub cpu: String,
    pub cpus: usize,
    pub memory_bytes: u64,
    pub kernel: String,
    /// The load average over one minute, before the first run.
    pub load: String,
    /// The commit of this package, with `+` when files differ from it.
    pub commit: String,
    pub benchmark: String,
}

impl Machine {
    /// Looks around. What cannot be found out is called unknown.
    pub fn here(package: &Path) -> Machine {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let or_unknown = |text: Option<String>| text.unwrap_or_else(|| "unknown".to_owned());
        let git = |arguments: &[&str]| output(Command::new("git").arg("-C").arg(package).args(arguments));
        let commit = git(&["rev-parse", "--short=12", "HEAD"]).map(|commit| {
            let is_changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some();
            format!("{commit}{}", if is_changed { "+" } else { "" })
        });
        Machine {
            cpu: or_unknown(field(&read("/proc/cpuinfo"), "model name")),
            cpus: thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: parse_memory(&read("/proc/meminfo")).unwrap_or(0),
            kernel: or_unknown(output(Command::new("uname").arg("-sr"))),
            load: or_unknown(load_average()),
            commit: or_unknown(commit),
            benchmark: or_unknown(output(Command::new("redis-benchmark").arg("--version"))),
        }
    }

    pub fn to_json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cpus": self.cpus, "memory_bytes": self.memory_bytes, "kernel": self.kernel,
            "load_before": self.load, "commit": self.commit, "redis_benchmark": self.benchmark,
        })
    }
}

/// The load average over the last minute.
pub fn load_average() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next().map(str::to_owned)
}

/// The trimmed output of a command that succeeds and says something.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// The value of `name : value` in `/proc/cpuinfo` and its like.
fn field(text: &str, name: &str) -> Option<String> {
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields
        .map(|(key, value)| (key.trim(), value.trim()))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

fn parse_memory(text: &str) -> Option<u64> {
    let kilobytes: u64 = field(text, "MemTotal")?.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_proc() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2: 3\nmodel name\t: Other\n";
        assert_eq!(field(text, "model name").as_deref(), Some("Some CPU @ 2: 3"));
        assert_eq!(field(text, "cache"), None);
        assert_eq!(parse_memory("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2_097_152));
        assert_eq!(parse_memory("MemTotal: x kB\n"), None);
    }

    #[test]
    fn knows_this_machine() {
        let machine = Machine::here(Path::new(env!("CARGO_MANIFEST_DIR")));
        assert!(machine.kernel.starts_with("Linux") && machine.cpus > 0 && machine.memory_bytes > 0, "{machine:?}");
    }
}
