//! Scripts and function libraries as all cores share them: sources, not compiled code, which every core keeps for itself.
//!
//! The locks are taken when a core sees a script for the first time, by SCRIPT and FUNCTION, and after those have changed
//! something; a script that a core knows runs without them. Called by the scripting commands and the sessions.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::stats::scripts::ScriptFacts;
use crate::stdx::limits::EVAL_SCRIPTS_MAX;

use super::libraries::{Libraries, Library};

/// SHA-1 of a script's source in lower-case hexadecimal digits.
pub type Sha = [u8; 40];

#[derive(Default)]
struct Scripts {
    by_sha: HashMap<Sha, Arc<[u8]>>,
    /// Scripts that only EVAL brought, oldest first; SCRIPT LOAD makes one stay.
    from_eval: VecDeque<Sha>,
    source_bytes: usize,
    /// The last of those that were forgotten for others.
    evicted: VecDeque<Sha>,
}

/// The script that runs on a core, as the others see it.
#[derive(Default)]
#[repr(align(128))]
pub struct Running {
    /// Unix time of its start in milliseconds; 0: none runs.
    started_ms: AtomicI64,
    is_function: AtomicBool,
    has_written: AtomicBool,
    /// It is to end: SCRIPT KILL or FUNCTION KILL.
    kill: AtomicBool,
    /// Name of the function, and the command that called it; set when the script has run for long.
    what: Mutex<(Vec<u8>, Vec<Vec<u8>>)>,
}

impl Running {
    /// A script begins on this core.
    pub fn begin(&self, now_ms: i64, is_function: bool) {
        self.is_function.store(is_function, Ordering::Relaxed);
        self.has_written.store(false, Ordering::Relaxed);
        self.kill.store(false, Ordering::Relaxed);
        self.started_ms.store(now_ms, Ordering::Release);
    }

    /// It is over.
    pub fn end(&self) {
        self.started_ms.store(0, Ordering::Release);
    }

    /// It has changed data, so it cannot be killed any more.
    pub fn wrote(&self) {
        self.has_written.store(true, Ordering::Release);
    }

    /// Somebody wants it to end.
    #[inline]
    pub fn is_killed(&self) -> bool {
        self.kill.load(Ordering::Acquire)
    }

    /// Says what runs, for FUNCTION STATS.
    pub fn describe(&self, name: &[u8], command: Vec<Vec<u8>>) {
        *lock(&self.what) = (name.to_vec(), command);
    }

    /// What `describe` said.
    pub fn description(&self) -> (Vec<u8>, Vec<Vec<u8>>) {
        lock(&self.what).clone()
    }

    /// When the running script began (unix time in milliseconds), and whether it is a function.
    pub fn state(&self) -> Option<(i64, bool)> {
        let started_ms = self.started_ms.load(Ordering::Acquire);
        (started_ms != 0).then(|| (started_ms, self.is_function.load(Ordering::Relaxed)))
    }
}

/// Why nothing was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillRefused {
    /// No script runs.
    NotBusy,
    /// It has changed data.
    HasWritten,
    /// A script runs where a function was to be killed.
    IsScript,
    /// A function runs where a script was to be killed.
    IsFunction,
}

/// See the file's head.
pub struct SharedScripts {
    scripts: Mutex<Scripts>,
    /// Changes with SCRIPT FLUSH.
    scripts_generation: AtomicU64,
    /// Number of scripts that were forgotten for others.
    evictions: AtomicU64,
    libraries: Arc<Mutex<Arc<Libraries>>>,
    /// Changes with the libraries.
    libraries_generation: AtomicU64,
    /// What runs, per core.
    pub running: Box<[Running]>,
    /// A script has run for longer than `busy-reply-threshold`: since when (unix time in milliseconds), 0: none.
    busy_cores: AtomicU64,
    facts: Arc<ScriptFacts>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is one assignment or insertion: a panic leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SharedScripts {
    /// No scripts yet, on a server with so many cores.
    pub fn new(cores: usize, facts: Arc<ScriptFacts>) -> SharedScripts {
        let libraries = Arc::<Mutex<Arc<Libraries>>>::default();
        let catalogue = libraries.clone();
        facts.ask_for_sources(move || lock(&catalogue).iter().map(|library| library.code.clone()).collect());
        SharedScripts {
            scripts: Mutex::default(),
            scripts_generation: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            libraries,
            libraries_generation: AtomicU64::new(0),
            running: (0..cores).map(|_| Running::default()).collect(),
            busy_cores: AtomicU64::new(0),
            facts,
        }
    }

    /// Keeps a script; `from_eval`: only as long as there are not too many of these.
    pub fn insert(&self, sha: Sha, source: &Arc<[u8]>, from_eval: bool) {
        let mut scripts = lock(&self.scripts);
        let scripts = &mut *scripts;
        if !from_eval {
            scripts.from_eval.retain(|other| *other != sha);
        }
        if scripts.by_sha.contains_key(&sha) {
            return;
        }
        scripts.source_bytes += source.len();
        scripts.by_sha.insert(sha, source.clone());
        if from_eval {
            scripts.from_eval.push_back(sha);
            if scripts.from_eval.len() > EVAL_SCRIPTS_MAX
                && let Some(oldest) = scripts.from_eval.pop_front()
                && let Some(source) = scripts.by_sha.remove(&oldest)
            {
                scripts.source_bytes -= source.len();
                scripts.evicted.push_back(oldest);
                if scripts.evicted.len() > EVAL_SCRIPTS_MAX {
                    scripts.evicted.pop_front();
                }
                self.evictions.fetch_add(1, Ordering::Release);
                self.facts.evicted.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count_scripts(scripts);
    }

    /// The source of a script.
    pub fn source(&self, sha: &Sha) -> Option<Arc<[u8]>> {
        lock(&self.scripts).by_sha.get(sha).cloned()
    }

    /// Forgets all scripts.
    pub fn flush(&self) {
        let mut scripts = lock(&self.scripts);
        *scripts = Scripts::default();
        self.count_scripts(&scripts);
        self.scripts_generation.fetch_add(1, Ordering::Release);
    }

    fn count_scripts(&self, scripts: &Scripts) {
        self.facts.scripts.store(scripts.by_sha.len() as u64, Ordering::Relaxed);
        self.facts.scripts_bytes.store(scripts.source_bytes as u64, Ordering::Relaxed);
    }

    /// Changes with SCRIPT FLUSH.
    #[inline]
    pub fn scripts_generation(&self) -> u64 {
        self.scripts_generation.load(Ordering::Acquire)
    }

    /// Number of scripts that were forgotten for others.
    #[inline]
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Acquire)
    }

    /// Tells of every script that was forgotten since there were `seen` evictions; the number of now. None: these are more
    /// than are known.
    pub fn evicted_since(&self, seen: u64, mut forget: impl FnMut(&Sha)) -> Option<u64> {
        let scripts = lock(&self.scripts);
        let now = self.evictions();
        let fresh = usize::try_from(now - seen).ok().filter(|&fresh| fresh <= scripts.evicted.len())?;
        scripts.evicted.iter().rev().take(fresh).filter(|sha| !scripts.by_sha.contains_key(*sha)).for_each(&mut forget);
        Some(now)
    }

    /// The libraries as they are now.
    pub fn libraries(&self) -> Arc<Libraries> {
        lock(&self.libraries).clone()
    }

    /// Changes with the libraries.
    #[inline]
    pub fn libraries_generation(&self) -> u64 {
        self.libraries_generation.load(Ordering::Acquire)
    }

    /// The library of a function, whose name is given in lower case.
    pub fn library_of(&self, function: &[u8]) -> Option<Arc<Library>> {
        lock(&self.libraries).of_function(function).cloned()
    }

    /// Changes the libraries; nobody else does meanwhile. When it fails, nothing may have been changed.
    pub fn change_libraries<E>(&self, change: impl FnOnce(&mut Libraries) -> Result<(), E>) -> Result<(), E> {
        let mut current = lock(&self.libraries);
        // Copied only if somebody looks at them just now.
        let libraries = Arc::make_mut(&mut current);
        change(libraries)?;
        self.facts.libraries.store(libraries.len() as u64, Ordering::Relaxed);
        self.facts.functions.store(libraries.functions_len() as u64, Ordering::Relaxed);
        self.facts.libraries_bytes.store(libraries.code_bytes() as u64, Ordering::Relaxed);
        self.libraries_generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// The libraries that a file brought, if the catalogue does not have them yet.
    #[inline]
    pub fn take_loaded(&self) -> Option<Vec<bytes::Bytes>> {
        self.facts.take_loaded()
    }

    /// SCRIPT KILL, FUNCTION KILL: asks every running script of that kind to end.
    pub fn kill(&self, functions: bool) -> Result<(), KillRefused> {
        let mut refused = Err(KillRefused::NotBusy);
        for running in &self.running {
            let Some((_, is_function)) = running.state() else { continue };
            if running.has_written.load(Ordering::Acquire) {
                refused = Err(KillRefused::HasWritten);
            } else if is_function != functions {
                refused = Err(if is_function { KillRefused::IsFunction } else { KillRefused::IsScript });
            } else {
                running.kill.store(true, Ordering::Release);
                return Ok(());
            }
        }
        refused
    }

    /// The script of a core runs for so long that others get BUSY.
    pub fn set_busy(&self, core: usize, busy: bool) {
        if busy {
            self.busy_cores.fetch_or(1 << core, Ordering::Release);
            self.facts.is_busy.store(true, Ordering::Relaxed);
        } else if self.busy_cores.load(Ordering::Relaxed) & (1 << core) != 0 {
            let others = self.busy_cores.fetch_and(!(1 << core), Ordering::Release) & !(1 << core);
            self.facts.is_busy.store(others != 0, Ordering::Relaxed);
        }
    }

    /// The script that keeps the server busy: whether it is a function.
    #[inline]
    pub fn busy(&self) -> Option<bool> {
        let cores = self.busy_cores.load(Ordering::Relaxed);
        if cores == 0 {
            return None;
        }
        let (_, is_function) = self.running[cores.trailing_zeros() as usize].state()?;
        Some(is_function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha(number: usize) -> Sha {
        let mut sha = [b'0'; 40];
        sha[..8].copy_from_slice(&(number as u64).to_le_bytes());
        sha
    }

    #[test]
    fn only_the_last_scripts_of_eval_stay() {
        let facts = Arc::<ScriptFacts>::default();
        let shared = SharedScripts::new(1, facts.clone());
        let source: Arc<[u8]> = b"return 1"[..].into();
        for number in 0..EVAL_SCRIPTS_MAX + 2 {
            shared.insert(sha(number), &source, true);
            if number == 0 {
                shared.insert(sha(0), &source, false);
            }
        }
        assert!(shared.source(&sha(0)).is_some(), "SCRIPT LOAD makes it stay");
        assert!(shared.source(&sha(1)).is_none());
        assert_eq!(facts.evicted.load(Ordering::Relaxed), 1);
        let mut forgotten = Vec::new();
        assert_eq!(shared.evicted_since(0, |sha| forgotten.push(*sha)), Some(1));
        assert_eq!(forgotten, [sha(1)]);
        let count = EVAL_SCRIPTS_MAX as u64 + 1;
        let counted = || (facts.scripts.load(Ordering::Relaxed), facts.scripts_bytes.load(Ordering::Relaxed));
        assert_eq!(counted(), (count, count * source.len() as u64));
        shared.flush();
        assert_eq!((counted(), shared.scripts_generation()), ((0, 0), 1));
    }

    #[test]
    fn only_what_may_be_killed_is() {
        let shared = SharedScripts::new(2, Arc::default());
        assert_eq!(shared.kill(false), Err(KillRefused::NotBusy));
        shared.running[1].begin(5, false);
        assert_eq!(shared.kill(true), Err(KillRefused::IsScript));
        assert!(!shared.running[1].is_killed());
        assert_eq!(shared.kill(false), Ok(()));
        assert!(shared.running[1].is_killed());
        shared.running[1].begin(6, true);
        assert!(!shared.running[1].is_killed());
        shared.running[1].wrote();
        assert_eq!(shared.kill(true), Err(KillRefused::HasWritten));
        shared.running[1].end();
        assert_eq!(shared.kill(true), Err(KillRefused::NotBusy));
    }

    #[test]
    fn a_change_of_the_libraries_is_seen_by_all() {
        let facts = Arc::<ScriptFacts>::default();
        let shared = SharedScripts::new(1, facts.clone());
        let library = Arc::new(Library { name: b"a".to_vec(), code: b"code"[..].into(), functions: Vec::new() });
        assert_eq!(shared.change_libraries(|_| Err("no")), Err("no"));
        assert_eq!((shared.libraries().len(), shared.libraries_generation()), (0, 0));
        let before = shared.libraries();
        assert_eq!(shared.change_libraries(|libraries| libraries.put(library.clone())), Ok(()));
        assert_eq!((before.len(), shared.libraries().len(), shared.libraries_generation()), (0, 1, 1));
        assert_eq!(facts.sources(), [bytes::Bytes::from_static(b"code")]);
    }
}
