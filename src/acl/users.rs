//! All users, as all cores share them, and the log of denials. See the folder's head for who takes the lock, and when.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::log::{DenialLog, Denied, Entry};
use super::user::{DEFAULT_USER, User};

/// Users by name, in the order of their names.
pub type UserMap = BTreeMap<Box<[u8]>, Arc<User>>;

#[derive(Debug)]
struct Inner {
    users: UserMap,
    next_id: u64,
    log: DenialLog,
}

/// See the file's head.
#[derive(Debug)]
pub struct Users {
    inner: Mutex<Inner>,
    generation: AtomicU64,
}

impl Default for Users {
    fn default() -> Users {
        Users::new()
    }
}

impl Users {
    /// Only the default user, who may do everything.
    pub fn new() -> Users {
        let default = User::unrestricted();
        let users = UserMap::from([(default.name.clone(), Arc::new(default))]);
        let inner = Inner { users, next_id: 1, log: DenialLog::default() };
        Users { inner: Mutex::new(inner), generation: AtomicU64::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that runs under the lock leaves it half done when it panics.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves with every change.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The user of this name.
    pub fn find(&self, name: &[u8]) -> Option<Arc<User>> {
        self.lock().users.get(name).cloned()
    }

    /// The default user.
    pub fn default_user(&self) -> Arc<User> {
        self.find(DEFAULT_USER).expect("the default user cannot be removed")
    }

    /// The user who is let in with this password.
    pub fn authenticate(&self, name: &[u8], password: &[u8]) -> Option<Arc<User>> {
        // The password is hashed without the lock.
        self.find(name).filter(|user| user.accepts(password))
    }

    /// All users, in the order of their names.
    pub fn all(&self) -> Vec<Arc<User>> {
        self.lock().users.values().cloned().collect()
    }

    /// Their lines, as ACL LIST shows them and the files have them.
    pub fn lines(&self) -> Vec<Vec<u8>> {
        self.all().iter().map(|user| user.line()).collect()
    }

    /// What has become of users, for a core that looks after its sessions: called with the way to ask for each.
    pub fn with_current<T>(&self, look: impl FnOnce(u64, &UserMap) -> T) -> T {
        let inner = self.lock();
        look(self.generation(), &inner.users)
    }

    /// Changes a user, or makes one; not if `change` fails.
    pub fn change<E>(
        &self,
        name: &[u8],
        all_channels: bool,
        change: impl FnOnce(&mut User) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut inner = self.lock();
        let mut user = match inner.users.get(name) {
            Some(user) => User::clone(user),
            None => User { id: inner.next_id, ..User::new(name, all_channels) },
        };
        change(&mut user)?;
        inner.next_id = inner.next_id.max(user.id + 1);
        inner.users.insert(name.into(), Arc::new(user));
        self.moved();
        Ok(())
    }

    /// Removes users; returns how many there were. The default user stays.
    pub fn remove<'a>(&self, names: impl Iterator<Item = &'a [u8]>) -> usize {
        let mut inner = self.lock();
        let removed = names.filter(|name| *name != DEFAULT_USER && inner.users.remove(*name).is_some()).count();
        if removed > 0 {
            self.moved();
        }
        removed
    }

    /// Puts others in the place of all users (ACL LOAD). Who has the name of an earlier one is the same user; without a
    /// default user there is one who may do everything.
    pub fn replace(&self, users: Vec<User>) {
        let mut inner = self.lock();
        let old = std::mem::take(&mut inner.users);
        let default = (!users.iter().any(|user| *user.name == *DEFAULT_USER)).then(User::unrestricted);
        for mut user in users.into_iter().chain(default) {
            user.id = match old.get(&user.name) {
                Some(known) => known.id,
                None => {
                    inner.next_id += 1;
                    inner.next_id - 1
                }
            };
            inner.users.insert(user.name.clone(), Arc::new(user));
        }
        self.moved();
    }

    /// Under the lock.
    fn moved(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Notes a denial.
    pub fn log(&self, denied: Denied, client: String, now_ms: i64, entries_max: usize) {
        self.lock().log.add(denied, client, now_ms, entries_max);
    }

    /// The newest entries of the log.
    pub fn log_entries(&self, count: usize) -> Vec<Entry> {
        self.lock().log.entries().take(count).cloned().collect()
    }

    /// Forgets the log.
    pub fn clear_log(&self) {
        self.lock().log.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enable(user: &mut User) -> Result<(), ()> {
        user.enabled = true;
        user.no_password = true;
        Ok(())
    }

    #[test]
    fn changes_move_the_generation_and_failed_ones_do_not() {
        let users = Users::new();
        let first = users.generation();
        assert_eq!(users.change(b"anna", false, enable), Ok(()));
        assert_ne!(users.generation(), first);
        let (second, anna) = (users.generation(), users.find(b"anna").expect("made"));
        assert_eq!(users.change(b"anna", false, |_| Err(())), Err(()));
        assert_eq!(users.change(b"otto", false, |_| Err(())), Err(()));
        assert_eq!((users.generation(), users.all().len()), (second, 2));
        assert_eq!(users.change(b"anna", false, |user| Err(user.enabled)), Err(true));
        assert!(Arc::ptr_eq(&anna, &users.find(b"anna").expect("unchanged")));
        assert_eq!(users.remove([DEFAULT_USER, b"nobody", b"anna"].into_iter()), 1);
        assert_eq!(users.change(b"anna", false, enable), Ok(()));
        assert_ne!(users.find(b"anna").expect("made anew").id, anna.id);
    }

    #[test]
    fn replaced_users_are_the_same_by_name() {
        let users = Users::new();
        for name in [b"anna", b"otto"] {
            assert_eq!(users.change(name, false, enable), Ok(()));
        }
        let anna = users.find(b"anna").expect("made").id;
        users.replace(vec![User::new(b"anna", false), User::new(b"emil", false)]);
        let names: Vec<Box<[u8]>> = users.all().iter().map(|user| user.name.clone()).collect();
        assert_eq!(names, [(*b"anna").into(), (*b"default").into(), Box::<[u8]>::from(*b"emil")]);
        assert_eq!(users.find(b"anna").expect("kept").id, anna);
        assert_ne!(users.find(b"emil").expect("new").id, anna);
        assert_eq!(users.default_user().id, 0);
    }

    #[test]
    fn authentication() {
        let users = Users::new();
        assert!(users.authenticate(b"default", b"x").is_some());
        assert!(users.authenticate(b"nobody", b"x").is_none());
    }
}
