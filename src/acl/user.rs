//! One user. What a session holds of it never changes: a change makes a new one (`Users`).

use super::password::PasswordHash;
use super::selector::{Pattern, Selector, has_channel};

/// The user of connections that have not said who they are.
pub const DEFAULT_USER: &[u8] = b"default";

/// See the file's head.
#[derive(Clone, Debug)]
pub struct User {
    /// Its name.
    pub name: Box<[u8]>,
    /// Tells it from another user who had the same name before.
    pub id: u64,
    /// It may authenticate.
    pub enabled: bool,
    /// Any password will do.
    pub no_password: bool,
    /// Payloads of RESTORE are looked through (`sanitize-payload`).
    pub sanitizes_payload: bool,
    /// Its passwords.
    pub passwords: Vec<PasswordHash>,
    /// The first is the root selector.
    pub selectors: Vec<Selector>,
}

impl User {
    /// A new user, who may do nothing, but for what `acl-pubsub-default` says.
    pub fn new(name: &[u8], all_channels: bool) -> User {
        User {
            name: name.into(),
            id: 0,
            enabled: false,
            no_password: false,
            sanitizes_payload: true,
            passwords: Vec::new(),
            selectors: vec![Selector::new(all_channels)],
        }
    }

    /// The user that may do everything without a password: the default user as long as nobody says otherwise.
    pub fn unrestricted() -> User {
        let mut user = User::new(DEFAULT_USER, true);
        (user.enabled, user.no_password) = (true, true);
        user.root().set_all_keys(true);
        user.root().set_all_commands(true);
        user
    }

    /// The root selector.
    pub fn root(&mut self) -> &mut Selector {
        &mut self.selectors[0]
    }

    /// As if it were new (the rule `reset`).
    pub fn reset(&mut self, all_channels: bool) {
        let (name, id) = (std::mem::take(&mut self.name), self.id);
        *self = User { id, ..User::new(&name, all_channels) };
    }

    /// One of its selectors allows everything.
    pub fn is_unrestricted(&self) -> bool {
        self.selectors.iter().any(Selector::is_unrestricted)
    }

    /// A connection is this user's without having authenticated.
    pub fn needs_no_password(&self) -> bool {
        self.enabled && self.no_password
    }

    /// Whether this password lets in.
    pub fn accepts(&self, password: &[u8]) -> bool {
        if !self.enabled || self.no_password {
            return self.enabled;
        }
        let given = PasswordHash::of(password);
        // All are compared, so that the time does not tell which one it is.
        self.passwords.iter().fold(false, |found, known| known.is(&given) | found)
    }

    /// Its flags as ACL GETUSER shows them.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        let payload = if self.sanitizes_payload { "sanitize-payload" } else { "skip-sanitize-payload" };
        let access = if self.enabled { "on" } else { "off" };
        [Some(access), self.no_password.then_some("nopass"), Some(payload)].into_iter().flatten()
    }

    /// The line that ACL LIST shows and ACL SAVE writes.
    pub fn line(&self) -> Vec<u8> {
        let mut line = [b"user ", &*self.name, b" "].concat();
        for flag in self.flags() {
            line.extend_from_slice(flag.as_bytes());
            line.push(b' ');
        }
        for password in &self.passwords {
            line.push(b'#');
            line.extend_from_slice(password.digits());
            line.push(b' ');
        }
        for (index, selector) in self.selectors.iter().enumerate() {
            if index == 0 {
                selector.write(&mut line);
            } else {
                line.extend_from_slice(b" (");
                selector.write(&mut line);
                line.push(b')');
            }
        }
        line
    }

    /// The channels of all selectors.
    fn channels(&self) -> impl Iterator<Item = &Pattern> {
        self.selectors.iter().flat_map(|selector| &selector.channels)
    }

    /// Subscriptions made as `before` have to be looked at: this user, who it has become, may use less. As in Redis, that
    /// is decided from the patterns as they are written.
    pub fn may_hear_less_than(&self, before: &User) -> bool {
        if self.selectors.iter().any(|selector| selector.all_channels) {
            return false;
        }
        before.selectors.iter().any(|selector| selector.all_channels)
            || before.channels().any(|old| !self.channels().any(|new| new.text == old.text))
    }

    /// Whether one of its selectors names a channel, or has this very pattern.
    pub fn may_hear(&self, name: &[u8], is_pattern: bool) -> bool {
        has_channel(self.channels(), name, is_pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_let_in() {
        let mut user = User::new(b"anna", false);
        assert!(!user.accepts(b""));
        user.passwords.push(PasswordHash::of(b"one"));
        user.passwords.push(PasswordHash::of(b"two"));
        assert!(!user.accepts(b"one"), "not enabled");
        user.enabled = true;
        assert!(user.accepts(b"one") && user.accepts(b"two") && !user.accepts(b"three") && !user.needs_no_password());
        user.no_password = true;
        assert!(user.accepts(b"three") && user.needs_no_password());
        user.enabled = false;
        assert!(!user.accepts(b"one") && !user.needs_no_password());
    }

    #[test]
    fn as_text() {
        assert_eq!(User::unrestricted().line(), b"user default on nopass sanitize-payload ~* &* +@all");
        let mut user = User::new(b"anna", false);
        user.passwords.push(PasswordHash::of(b"passwd4"));
        user.sanitizes_payload = false;
        user.selectors.push(Selector::new(true));
        let expected = "user anna off skip-sanitize-payload \
                        #34344e4d60c2b6d639b7bd22e18f2b0b91bc34bf0ac5f9952744435093cfb4e6 resetchannels -@all (&* -@all)";
        assert_eq!(String::from_utf8(user.line()).expect("text"), expected);
        user.reset(false);
        assert_eq!(user.line(), b"user anna off sanitize-payload resetchannels -@all");
    }

    #[test]
    fn subscriptions_after_a_change() {
        let with = |channels: &[&str]| {
            let mut user = User::new(b"anna", false);
            channels.iter().for_each(|channel| user.root().add_channels(channel.as_bytes()));
            user
        };
        let mut all = with(&[]);
        all.root().set_all_channels(true);
        assert!(!with(&["a", "b*"]).may_hear_less_than(&with(&["b*"])));
        assert!(with(&["a"]).may_hear_less_than(&with(&["b*"])));
        assert!(with(&["*"]).may_hear_less_than(&all));
        assert!(!all.may_hear_less_than(&with(&["x"])));
        let user = with(&["a", "b*"]);
        assert!(user.may_hear(b"b1", false) && !user.may_hear(b"b1", true) && user.may_hear(b"b*", true));
    }
}
