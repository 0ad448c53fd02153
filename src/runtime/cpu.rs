//! How much of the machine this process may use: CPUs (affinity mask, cgroup quota) and memory (physical, cgroup limit).
//!
//! Asked once, at start. The parsers are pure and know both versions of cgroups; formats: cgroups(7), proc(5) (`/proc/self/cgroup`, `/proc/self/mountinfo`), the kernel's
//! `admin-guide/cgroup-v2.rst` (`cpu.max`, `memory.max`) and `scheduler/sched-bwc.rst` (`cpu.cfs_quota_us`). What cannot be read limits nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::stdx::limits;

/// A limit of version 1 at or above this is none: the kernel shows "unlimited" as the largest multiple of the page size in an `i64`.
const MEMORY_UNLIMITED_BYTES: u64 = 1 << 62;

/// The CPUs this process may run on.
#[derive(Clone, PartialEq, Debug)]
pub struct Cpus {
    /// The numbers of the CPUs in the affinity mask, ascending. Never empty.
    pub ids: Vec<usize>,
    /// CPU time per time that the cgroups allow, in CPUs; the smallest of all levels. None without a limit.
    pub quota: Option<f64>,
}

/// Asks the machine which CPUs may be used.
pub fn usable_cpus() -> Cpus {
    let mut ids: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
    if ids.is_empty() {
        // The mask holds 1,024 CPUs; on a larger machine the call fails, and the count is the best there is.
        ids = (0..std::thread::available_parallelism().map_or(1, usize::from)).collect();
    }
    Cpus { ids, quota: cpu_quota(read_file) }
}

/// How many shards to run when the configuration does not say: one per usable CPU, no more than the quota pays for (rounded up), at least one, at most [`limits::SHARDS_MAX`].
pub fn shards_default(cpus: &Cpus) -> usize {
    let paid = match cpus.quota {
        // A float-to-int cast saturates, so no quota is too large.
        Some(quota) => quota.ceil() as usize,
        None => usize::MAX,
    };
    cpus.ids.len().min(paid).clamp(1, limits::SHARDS_MAX)
}

/// Ties the calling thread to one CPU of [`Cpus::ids`]. False when the kernel refuses: it then runs wherever it did.
pub fn pin_current_thread(id: usize) -> bool {
    core_affinity::set_for_current(core_affinity::CoreId { id })
}

/// Bytes of physical memory (`total_system_memory`). None when `/proc` cannot be read.
pub fn machine_memory_bytes() -> Option<u64> {
    parse_memory_total(&read_file(Path::new("/proc/meminfo"))?)
}

/// Bytes of memory the cgroups of this process allow; the smallest of all levels. None without a limit.
pub fn cgroup_memory_limit_bytes() -> Option<u64> {
    memory_limit(read_file)
}

/// Bytes of memory this process can hope for: the physical memory, or the cgroup's limit when that is less.
pub fn usable_memory_bytes() -> Option<u64> {
    [machine_memory_bytes(), cgroup_memory_limit_bytes()].into_iter().flatten().min()
}

fn read_file(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The smallest CPU quota of all levels, read through `read`.
fn cpu_quota(read: impl Fn(&Path) -> Option<String>) -> Option<f64> {
    cgroup_levels("cpu", &read)
        .iter()
        .filter_map(|level| match read(&level.join("cpu.max")) {
            Some(text) => parse_cpu_max(&text),
            None => parse_cpu_cfs(&read(&level.join("cpu.cfs_quota_us"))?, &read(&level.join("cpu.cfs_period_us"))?),
        })
        .min_by(f64::total_cmp)
}

/// The smallest memory limit of all levels, read through `read`.
fn memory_limit(read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    cgroup_levels("memory", &read)
        .iter()
        .filter_map(|level| {
            parse_memory_limit(&read(&level.join("memory.max")).or_else(|| read(&level.join("memory.limit_in_bytes")))?)
        })
        .min()
}

/// The folders of this process' cgroups that may hold limits of `controller`, in both versions, from its own up to each root.
fn cgroup_levels(controller: &str, read: impl Fn(&Path) -> Option<String>) -> Vec<PathBuf> {
    let (Some(groups), Some(mounts)) = (read(Path::new("/proc/self/cgroup")), read(Path::new("/proc/self/mountinfo")))
    else {
        return Vec::new();
    };
    // Version 1 keeps a hierarchy per controller, version 2 ("") one for all; a hybrid system has both.
    [controller, ""]
        .into_iter()
        .filter_map(|name| {
            let group = parse_own_group(&groups, name)?;
            let (root, mount) = parse_mount(&mounts, name)?;
            // Without a cgroup namespace the own path is seen from the host's root, but a container's mount shows only what is below `root`.
            let below = Path::new(&group).strip_prefix(root).or_else(|_| Path::new(&group).strip_prefix("/")).ok()?;
            let mount = PathBuf::from(mount);
            Some(below.ancestors().map(|part| mount.join(part)).collect::<Vec<_>>())
        })
        .flatten()
        .collect()
}

/// The own path in the hierarchy of `controller`, "" for version 2, out of `/proc/self/cgroup`: lines `number:controllers:path`.
fn parse_own_group(groups: &str, controller: &str) -> Option<String> {
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        controllers.split(',').any(|name| name == controller).then(|| path.to_owned())
    })
}

/// Root and mount point of the hierarchy of `controller`, "" for version 2, out of `/proc/self/mountinfo`: lines
/// `id parent device root mount-point options [optional fields] - type source super-options`.
fn parse_mount<'a>(mounts: &'a str, controller: &str) -> Option<(&'a str, &'a str)> {
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, mount) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let (kind, _source, options) = (right.next()?, right.next()?, right.next()?);
        let wanted = match controller {
            "" => kind == "cgroup2",
            _ => kind == "cgroup" && options.split(',').any(|option| option == controller),
        };
        wanted.then_some((root, mount))
    })
}

/// `cpu.max`: "quota period" in microseconds, or "max period".
fn parse_cpu_max(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    parse_cpu_cfs(quota, period)
}

/// `cpu.cfs_quota_us` (-1 for none) and `cpu.cfs_period_us`.
fn parse_cpu_cfs(quota: &str, period: &str) -> Option<f64> {
    let quota: i64 = quota.trim().parse().ok()?;
    let period: i64 = period.trim().parse().ok()?;
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// `memory.max` ("max" for none) or `memory.limit_in_bytes` (a huge number for none).
fn parse_memory_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|limit| *limit < MEMORY_UNLIMITED_BYTES)
}

/// The line `MemTotal:       16384000 kB` of `/proc/meminfo`, in bytes.
fn parse_memory_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose files are these.
    fn machine(files: &[(&'static str, &'static str)]) -> impl Fn(&Path) -> Option<String> + use<> {
        let files = files.to_vec();
        move |path| files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
    }

    const MOUNTS_V2: &str = "24 30 0:22 / /proc rw,nosuid - proc proc rw\n\
        35 24 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";
    const MOUNTS_V1: &str = "30 25 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755\n\
        31 30 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw\n\
        37 30 0:33 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:16 - cgroup cgroup rw,cpu,cpuacct\n\
        40 30 0:36 /docker/abc /sys/fs/cgroup/memory rw,relatime shared:19 - cgroup cgroup rw,memory\n";

    #[test]
    fn the_smallest_quota_on_the_way_up_wins() {
        let base = [("/proc/self/cgroup", "0::/system.slice/ringfort.service\n"), ("/proc/self/mountinfo", MOUNTS_V2)];
        let with = |more: &[(&'static str, &'static str)]| machine(&[&base[..], more].concat());
        const OWN: &str = "/sys/fs/cgroup/system.slice/ringfort.service/cpu.max";
        const PARENT: &str = "/sys/fs/cgroup/system.slice/cpu.max";
        assert_eq!(cpu_quota(with(&[])), None);
        assert_eq!(cpu_quota(with(&[(OWN, "max 100000\n")])), None);
        assert_eq!(cpu_quota(with(&[(OWN, "250000 100000\n"), (PARENT, "max 100000\n")])), Some(2.5));
        assert_eq!(cpu_quota(with(&[(OWN, "250000 100000\n"), (PARENT, "150000 100000\n")])), Some(1.5));
        assert_eq!(cpu_quota(with(&[("/sys/fs/cgroup/cpu.max", "50000 100000")])), Some(0.5));
    }

    #[test]
    fn version_1_in_a_container_without_a_namespace() {
        let files = machine(&[
            ("/proc/self/cgroup", "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc/inner\n0::/docker/abc\n"),
            ("/proc/self/mountinfo", MOUNTS_V1),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_period_us", "100000\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"),
        ]);
        assert_eq!(cpu_quota(&files), Some(3.0));
        assert_eq!(memory_limit(&files), Some(512 << 20));
    }

    #[test]
    fn memory_limits() {
        let base = [("/proc/self/cgroup", "0::/a/b\n"), ("/proc/self/mountinfo", MOUNTS_V2)];
        let with = |more: &[(&'static str, &'static str)]| memory_limit(machine(&[&base[..], more].concat()));
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("/sys/fs/cgroup/a/b/memory.max", "max\n")]), None);
        assert_eq!(
            with(&[("/sys/fs/cgroup/a/b/memory.max", "max\n"), ("/sys/fs/cgroup/a/memory.max", "1048576\n")]),
            Some(1 << 20)
        );
        assert_eq!(parse_memory_limit("9223372036854771712\n"), None, "version 1's word for no limit");
    }

    #[test]
    fn texts_that_make_no_sense_limit_nothing() {
        for text in ["", "max", "100000", "0 100000", "100000 0", "-5 100000", "a b"] {
            assert_eq!(parse_cpu_max(text), None, "{text:?}");
        }
        for groups in ["", "0", "0:", "0::", ":::", "1:name=systemd:/x"] {
            let files = machine(&[("/proc/self/mountinfo", "1 2 3\n - - -\n")]);
            assert_eq!(
                cpu_quota(|path: &Path| if path.ends_with("cgroup") { Some(groups.to_owned()) } else { files(path) }),
                None
            );
        }
        for text in ["", "MemTotal:", "MemTotal: 12", "MemTotal: kB", "MemTotal: 99999999999999999999 kB"] {
            assert_eq!(parse_memory_total(text), None, "{text:?}");
        }
        assert_eq!(parse_memory_total("MemTotal:       16384000 kB\nMemFree: 1 kB\n"), Some(16_384_000 << 10));
    }

    #[test]
    fn shards_follow_mask_and_quota() {
        let check = |cpus: usize, quota: Option<f64>, shards: usize| {
            assert_eq!(
                shards_default(&Cpus { ids: (0..cpus).collect(), quota }),
                shards,
                "{cpus} CPUs, quota {quota:?}"
            );
        };
        check(8, None, 8);
        check(8, Some(2.5), 3);
        check(8, Some(2.0), 2);
        check(2, Some(16.0), 2);
        check(8, Some(0.1), 1);
        check(8, Some(1e300), 8);
        check(500, None, limits::SHARDS_MAX);
    }

    #[test]
    fn this_machine_answers() {
        let cpus = usable_cpus();
        assert!(!cpus.ids.is_empty() && cpus.ids.is_sorted());
        assert!(shards_default(&cpus) >= 1);
        assert!(usable_memory_bytes().is_some_and(|bytes| bytes > 1 << 20));
        let id = cpus.ids[0];
        let pinned =
            std::thread::spawn(move || pin_current_thread(id).then(usable_cpus)).join().expect("the thread ends");
        assert_eq!(pinned.map(|cpus| cpus.ids), Some(vec![id]));
    }
}
