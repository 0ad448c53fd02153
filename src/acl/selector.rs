//! One set of permissions: commands, keys, channels. A user has a root selector and any number of others; a request is
//! allowed when one of them allows all of it.
//!
//! The rules about commands are kept as they were written (without those that a later one undoes), because that is what
//! ACL LIST shows and ACL SAVE writes; the set of allowed commands is what they come to.

use std::collections::BTreeMap;

use crate::stdx::glob::Glob;
use crate::stdx::limits::ACCESS_COMMANDS_MAX;

const WORDS: usize = ACCESS_COMMANDS_MAX / 64;

/// A set of commands by number, and whether commands that do not exist yet are in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandSet {
    words: [u64; WORDS],
    future: bool,
}

impl CommandSet {
    /// No command.
    pub const NONE: CommandSet = CommandSet { words: [0; WORDS], future: false };
    /// All commands, those to come included.
    pub const ALL: CommandSet = CommandSet { words: [u64::MAX; WORDS], future: true };

    /// Whether a command is in.
    #[inline]
    pub fn has(&self, id: usize) -> bool {
        self.words.get(id / 64).is_some_and(|word| word >> (id % 64) & 1 != 0)
    }

    /// Puts a command in or takes it out.
    pub fn put(&mut self, id: usize, is_in: bool) {
        let bit = 1 << (id % 64);
        match self.words.get_mut(id / 64) {
            Some(word) if is_in => *word |= bit,
            Some(word) => *word &= !bit,
            None => {}
        }
    }

    /// It began with all commands.
    pub fn has_future(&self) -> bool {
        self.future
    }
}

/// What is done to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Access {
    /// Its value is read and tells something to the client.
    pub reads: bool,
    /// It is changed.
    pub writes: bool,
}

impl Access {
    /// Both.
    pub const BOTH: Access = Access { reads: true, writes: true };

    /// All that `needed` asks for is in.
    pub fn covers(self, needed: Access) -> bool {
        (self.reads || !needed.reads) && (self.writes || !needed.writes)
    }

    /// What either allows.
    pub fn and(self, other: Access) -> Access {
        Access { reads: self.reads | other.reads, writes: self.writes | other.writes }
    }

    /// As it stands before a pattern.
    pub fn prefix(self) -> &'static [u8] {
        match self {
            Access { writes: false, .. } => b"%R~",
            Access { reads: false, .. } => b"%W~",
            _ => b"~",
        }
    }
}

/// A pattern, as it was written and ready to be used.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As it was written.
    pub text: Box<[u8]>,
    glob: Glob,
}

impl Pattern {
    /// Of a text.
    pub fn new(text: &[u8]) -> Pattern {
        Pattern { text: text.into(), glob: Glob::new(text) }
    }

    /// Whether it matches.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.glob.matches(name)
    }
}

/// Keys that match a pattern, and what may be done to them.
#[derive(Clone, Debug)]
pub struct KeyPattern {
    /// The pattern.
    pub pattern: Pattern,
    /// What is allowed.
    pub access: Access,
}

/// A rule about commands: `+get`, `-@string`, `+select|0`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// `+`, else `-`.
    pub allows: bool,
    /// What stands behind it, in lower case.
    pub name: Box<[u8]>,
}

/// See the file's head.
#[derive(Clone, Debug)]
pub struct Selector {
    /// Every command, without a look at `commands`.
    pub all_commands: bool,
    /// Every key.
    pub all_keys: bool,
    /// Every channel.
    pub all_channels: bool,
    /// The commands.
    pub commands: CommandSet,
    /// Commands that are not in the set but allowed with one of these first arguments.
    pub first_arguments: BTreeMap<usize, Vec<Box<[u8]>>>,
    /// The keys; none when there is `all_keys`.
    pub keys: Vec<KeyPattern>,
    /// The channels; none when there is `all_channels`.
    pub channels: Vec<Pattern>,
    /// What made the set of commands, behind the all or nothing that it began with.
    pub rules: Vec<Rule>,
}

impl Selector {
    /// A new one: nothing is allowed, but for what `acl-pubsub-default` says.
    pub fn new(all_channels: bool) -> Selector {
        Selector {
            all_commands: false,
            all_keys: false,
            all_channels,
            commands: CommandSet::NONE,
            first_arguments: BTreeMap::new(),
            keys: Vec::new(),
            channels: Vec::new(),
            rules: Vec::new(),
        }
    }

    /// Allows all commands, or none.
    pub fn set_all_commands(&mut self, allows: bool) {
        self.commands = if allows { CommandSet::ALL } else { CommandSet::NONE };
        self.all_commands = allows;
        self.rules.clear();
        self.first_arguments.clear();
    }

    /// Allows all keys, or none.
    pub fn set_all_keys(&mut self, allows: bool) {
        self.all_keys = allows;
        self.keys.clear();
    }

    /// Allows all channels, or none.
    pub fn set_all_channels(&mut self, allows: bool) {
        self.all_channels = allows;
        self.channels.clear();
    }

    /// Puts one command in or takes it out.
    pub fn put_command(&mut self, id: usize, allows: bool) {
        self.commands.put(id, allows);
        self.all_commands &= allows;
    }

    /// Allows a command with this first argument.
    pub fn add_first_argument(&mut self, id: usize, argument: &[u8]) {
        let known = self.first_arguments.entry(id).or_default();
        if !known.iter().any(|other| other.eq_ignore_ascii_case(argument)) {
            known.push(argument.into());
        }
    }

    /// Notes a rule; earlier ones about the same, or about a part of it, say nothing any more.
    pub fn add_rule(&mut self, allows: bool, name: &[u8]) {
        let name = name.to_ascii_lowercase();
        self.rules.retain(|rule| match rule.name.strip_prefix(name.as_slice()) {
            Some(rest) => !rest.is_empty() && rest[0] != b'|',
            None => true,
        });
        self.rules.push(Rule { allows, name: name.into() });
    }

    /// Allows keys that match a pattern.
    pub fn add_keys(&mut self, pattern: &[u8], access: Access) {
        match self.keys.iter_mut().find(|known| *known.pattern.text == *pattern) {
            Some(known) => known.access = known.access.and(access),
            None => self.keys.push(KeyPattern { pattern: Pattern::new(pattern), access }),
        }
    }

    /// Allows channels that match a pattern.
    pub fn add_channels(&mut self, pattern: &[u8]) {
        if !self.channels.iter().any(|known| *known.text == *pattern) {
            self.channels.push(Pattern::new(pattern));
        }
    }

    /// Everything is allowed.
    pub fn is_unrestricted(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels
    }

    /// Whether so much may be done to a key.
    pub fn allows_key(&self, key: &[u8], needed: Access) -> bool {
        let fits = |keys: &KeyPattern| keys.access.covers(needed) && keys.pattern.matches(key);
        self.all_keys || self.keys.iter().any(fits)
    }

    /// Whether so much may be done to every key.
    pub fn allows_every_key(&self, needed: Access) -> bool {
        self.all_keys || self.keys.iter().any(|keys| keys.access.covers(needed) && *keys.pattern.text == *b"*")
    }

    /// Whether a channel may be used; a pattern only as it stands there.
    pub fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        self.all_channels || has_channel(&self.channels, name, is_pattern)
    }

    /// The rules about commands as text: `+@all -get`.
    pub fn write_commands(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.commands.has_future() { b"+@all" } else { b"-@all" });
        for rule in &self.rules {
            out.extend_from_slice(if rule.allows { b" +" } else { b" -" });
            out.extend_from_slice(&rule.name);
        }
    }

    /// The keys as text: `~a* %R~b*`.
    pub fn write_keys(&self, out: &mut Vec<u8>) {
        if self.all_keys {
            out.extend_from_slice(b"~*");
        }
        for (index, keys) in self.keys.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(keys.access.prefix());
            out.extend_from_slice(&keys.pattern.text);
        }
    }

    /// The channels as text: `&a* &b`.
    pub fn write_channels(&self, out: &mut Vec<u8>) {
        if self.all_channels {
            out.extend_from_slice(b"&*");
        }
        for (index, channel) in self.channels.iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.push(b'&');
            out.extend_from_slice(&channel.text);
        }
    }

    /// All of it as ACL LIST shows it.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_keys(out);
        if self.all_keys || !self.keys.is_empty() {
            out.push(b' ');
        }
        if !self.all_channels {
            out.extend_from_slice(b"resetchannels ");
        }
        self.write_channels(out);
        if self.all_channels || !self.channels.is_empty() {
            out.push(b' ');
        }
        self.write_commands(out);
    }
}

/// Whether one of the patterns matches a channel, or is this very pattern.
pub fn has_channel<'a>(patterns: impl IntoIterator<Item = &'a Pattern>, name: &[u8], is_pattern: bool) -> bool {
    patterns.into_iter().any(|pattern| if is_pattern { *pattern.text == *name } else { pattern.matches(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn sets_of_commands() {
        let mut set = CommandSet::NONE;
        set.put(70, true);
        assert!(set.has(70) && !set.has(69) && !set.has(6) && !set.has_future());
        set.put(70, false);
        assert_eq!(set, CommandSet::NONE);
        set.put(ACCESS_COMMANDS_MAX, true);
        assert!(!set.has(ACCESS_COMMANDS_MAX) && CommandSet::ALL.has(ACCESS_COMMANDS_MAX - 1));
    }

    #[test]
    fn a_rule_undoes_earlier_ones_about_the_same() {
        let mut selector = Selector::new(false);
        for (allows, name) in
            [(true, "client|list"), (true, "clientele"), (true, "get"), (false, "Client"), (true, "@Set")]
        {
            selector.add_rule(allows, name.as_bytes());
        }
        assert_eq!(text_of(|out| selector.write_commands(out)), "-@all +clientele +get -client +@set");
        selector.add_rule(true, b"client|id");
        selector.add_rule(false, b"get");
        assert_eq!(text_of(|out| selector.write_commands(out)), "-@all +clientele -client +@set +client|id -get");
    }

    #[test]
    fn keys_and_channels() {
        let mut selector = Selector::new(false);
        let (reads, writes) = (Access { reads: true, writes: false }, Access { reads: false, writes: true });
        selector.add_keys(b"r*", reads);
        selector.add_keys(b"w*", writes);
        selector.add_keys(b"b*", reads);
        selector.add_keys(b"b*", writes);
        selector.add_channels(b"news.*");
        selector.add_channels(b"news.*");
        for (key, needed, allowed) in [
            ("r1", reads, true),
            ("r1", writes, false),
            ("r1", Access::default(), true),
            ("x1", Access::default(), false),
            ("w1", writes, true),
            ("w1", Access::BOTH, false),
            ("b1", Access::BOTH, true),
        ] {
            assert_eq!(selector.allows_key(key.as_bytes(), needed), allowed, "{key} {needed:?}");
        }
        assert!(selector.allows_channel(b"news.a", false) && !selector.allows_channel(b"other", false));
        assert!(selector.allows_channel(b"news.*", true) && !selector.allows_channel(b"news.a*", true));
        assert!(!selector.allows_every_key(reads));
        assert_eq!(text_of(|out| selector.write(out)), "%R~r* %W~w* ~b* resetchannels &news.* -@all");
        selector.add_keys(b"*", reads);
        assert!(selector.allows_every_key(reads) && !selector.allows_every_key(writes));
        selector.set_all_keys(true);
        selector.set_all_channels(true);
        selector.set_all_commands(true);
        assert!(selector.is_unrestricted());
        assert_eq!(text_of(|out| selector.write(out)), "~* &* +@all");
        selector.put_command(3, false);
        assert!(!selector.is_unrestricted());
    }
}
