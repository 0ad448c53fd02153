//! The configuration as all cores share it: each core keeps an `Arc` to the version it knows and looks at the generation
//! once per turn. CONFIG SET replaces the whole under a lock that no hot path takes.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::rewrite::{replace_file, rewrite, rewrite_all};
use super::{Changed, Config, ConfigError, Setter};

/// What a change needs beyond its value being stored (sockets that are opened anew). It sees the changed configuration
/// before anybody else does, and may refuse it. It runs under the lock of the configuration: it must not ask for the
/// current one.
pub type Apply = Box<dyn Fn(&Config, &Changed) -> Result<(), ConfigError> + Send + Sync>;

/// See the file's head.
pub struct SharedConfig {
    current: Mutex<Arc<Config>>,
    generation: AtomicU64,
    apply: OnceLock<Apply>,
}

impl SharedConfig {
    /// Shares what was loaded at the start.
    pub fn new(config: Config) -> SharedConfig {
        let generation = AtomicU64::new(config.generation());
        SharedConfig { generation, current: Mutex::new(Arc::new(config)), apply: OnceLock::new() }
    }

    /// From now on every change goes through `apply`; only the first call counts. Without one, changes are only stored.
    pub fn apply_with(&self, apply: Apply) {
        let _ = self.apply.set(apply);
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Config>> {
        // A panic while the lock was held cannot have left the Arc half replaced.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration as it is now.
    pub fn current(&self) -> Arc<Config> {
        self.lock().clone()
    }

    /// Changes with every CONFIG SET.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// CONFIG SET: all pairs or none.
    pub fn set(&self, pairs: &[(Vec<u8>, Vec<u8>)], setter: Setter) -> Result<(), ConfigError> {
        let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        let mut current = self.lock();
        let mut next = Config::clone(&current);
        let changed = next.set_many(&pairs, setter)?;
        if let Some(apply) = self.apply.get() {
            apply(&next, &changed)?;
        }
        let generation = next.generation();
        *current = Arc::new(next);
        self.generation.store(generation, Ordering::Release);
        Ok(())
    }

    /// CONFIG REWRITE of the file the server was started with; `users`: their lines; `all`: parameters at
    /// their defaults too.
    pub fn rewrite(&self, path: &Path, users: &[Vec<u8>], all: bool) -> std::io::Result<()> {
        let old = match std::fs::read(path) {
            Ok(old) => old,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let current = self.current();
        replace_file(path, &if all { rewrite_all(&current, &old, users) } else { rewrite(&current, &old, users) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_by_its_generation_and_a_refused_one_is_not_made() {
        let shared = SharedConfig::new(Config::new());
        let before = shared.generation();
        let setter = Setter { local: true, loading: false };
        let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        shared.set(&[pair("timeout", "77")], setter).unwrap();
        assert_ne!(shared.generation(), before);
        assert_eq!(shared.current().get_i64(crate::param!("timeout")), 77);
        let after = shared.generation();
        assert!(shared.set(&[pair("timeout", "78"), pair("port", "x")], setter).is_err());
        shared.apply_with(Box::new(|next, changed| {
            assert!(changed.includes(crate::param!(index of "timeout")));
            assert_eq!(next.get_i64(crate::param!("timeout")), 79);
            Err(ConfigError::failed("timeout", "not now"))
        }));
        assert!(shared.set(&[pair("timeout", "79")], setter).is_err());
        assert_eq!((shared.generation(), shared.current().get_i64(crate::param!("timeout"))), (after, 77));
    }
}
