//! Rules as people write them (`on`, `>secret`, `+@read`, `~key:*`, `(…)`), put onto users. ACL SETUSER, the configuration
//! file and the ACL file all come here. Rules and texts are those of Redis 7.4.

use std::borrow::Cow;

use crate::acl::password::PasswordHash;
use crate::acl::{Access, Selector, User};
use crate::command::spec::Categories;
use crate::command::table::{Row, TABLE};
use crate::stdx::quote::split_arguments;

/// Why a rule cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleError {
    /// There is no such command or category.
    Unknown,
    /// It is no rule.
    Syntax,
    /// A pattern for keys where all are allowed.
    AllKeys,
    /// A pattern for channels where all are allowed.
    AllChannels,
    /// The password to be removed is not there.
    NoSuchPassword,
    /// Not the digits of a hash.
    BadHash,
    /// A first argument of a subcommand.
    FirstArgumentOfSubcommand,
}

impl RuleError {
    /// Redis' text.
    pub fn text(self) -> &'static str {
        match self {
            RuleError::Unknown => "Unknown command or category name in ACL",
            RuleError::Syntax => "Syntax error",
            RuleError::AllKeys => {
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try \
                 'resetkeys' to start with an empty list of patterns"
            }
            RuleError::AllChannels => {
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. \
                 Try 'resetchannels' to start with an empty list of channels"
            }
            RuleError::NoSuchPassword => "The password you are trying to remove from the user does not exist",
            RuleError::BadHash => {
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
            }
            RuleError::FirstArgumentOfSubcommand => "Allowing first-arg of a subcommand is not supported",
        }
    }
}

/// Blanks and NUL bytes cannot stand in names and patterns: the files have one user on a line, rules between blanks.
pub fn has_blanks(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b' ' | b'\t'..=b'\r' | 0))
}

/// Words that belong to one selector become one rule; the error is the word of a parenthesis that stays open.
pub fn join_selectors<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Cow<'a, [u8]>>, &'a [u8]> {
    let mut rules = Vec::new();
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for word in words {
        open = match open {
            None if word.starts_with(b"(") && !word.ends_with(b")") => Some((word, word.to_vec())),
            None => {
                rules.push(Cow::Borrowed(word));
                None
            }
            Some((first, mut selector)) => {
                selector.push(b' ');
                selector.extend_from_slice(word);
                if word.ends_with(b")") {
                    rules.push(Cow::Owned(selector));
                    None
                } else {
                    Some((first, selector))
                }
            }
        };
    }
    match open {
        None => Ok(rules),
        Some((first, _)) => Err(first),
    }
}

/// Puts one rule onto a user; `all_channels`: what a new selector may hear (`acl-pubsub-default`). A user whose rule failed
/// is not to be used.
pub fn apply(user: &mut User, rule: &[u8], all_channels: bool) -> Result<(), RuleError> {
    let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
    match rule {
        [] => {}
        _ if is("on") => user.enabled = true,
        _ if is("off") => user.enabled = false,
        _ if is("skip-sanitize-payload") => user.sanitizes_payload = false,
        _ if is("sanitize-payload") => user.sanitizes_payload = true,
        _ if is("nopass") => {
            user.no_password = true;
            user.passwords.clear();
        }
        _ if is("resetpass") => {
            user.no_password = false;
            user.passwords.clear();
        }
        [b'>' | b'#', ..] => {
            let hash = hash_of(rule)?;
            if !user.passwords.contains(&hash) {
                user.passwords.push(hash);
            }
            user.no_password = false;
        }
        [b'<' | b'!', ..] => {
            let hash = hash_of(rule)?;
            let at = user.passwords.iter().position(|known| *known == hash).ok_or(RuleError::NoSuchPassword)?;
            user.passwords.remove(at);
        }
        [b'(', inner @ .., b')'] => {
            let mut selector = Selector::new(all_channels);
            // As in Redis, what cannot be split into words is no word.
            for rule in split_arguments(inner).unwrap_or_default() {
                apply_to_selector(&mut selector, &rule)?;
            }
            user.selectors.push(selector);
        }
        _ if is("clearselectors") => user.selectors.truncate(1),
        _ if is("reset") => user.reset(all_channels),
        _ => apply_to_selector(user.root(), rule)?,
    }
    Ok(())
}

/// `>clear`, `#digits`, and the same to remove.
fn hash_of(rule: &[u8]) -> Result<PasswordHash, RuleError> {
    match rule {
        [b'>' | b'<', password @ ..] => Ok(PasswordHash::of(password)),
        _ => PasswordHash::from_digits(&rule[1..]).ok_or(RuleError::BadHash),
    }
}

fn apply_to_selector(selector: &mut Selector, rule: &[u8]) -> Result<(), RuleError> {
    let is = |words: [&str; 2]| words.iter().any(|word| rule.eq_ignore_ascii_case(word.as_bytes()));
    match rule {
        _ if is(["allkeys", "~*"]) => selector.set_all_keys(true),
        _ if is(["resetkeys", "resetkeys"]) => selector.set_all_keys(false),
        _ if is(["allchannels", "&*"]) => selector.set_all_channels(true),
        _ if is(["resetchannels", "resetchannels"]) => selector.set_all_channels(false),
        _ if is(["allcommands", "+@all"]) => selector.set_all_commands(true),
        _ if is(["nocommands", "-@all"]) => selector.set_all_commands(false),
        [b'~' | b'%', ..] => {
            if selector.all_keys {
                return Err(RuleError::AllKeys);
            }
            let (access, pattern) =
                key_pattern(rule).filter(|(_, pattern)| !has_blanks(pattern)).ok_or(RuleError::Syntax)?;
            selector.add_keys(pattern, access);
        }
        [b'&', pattern @ ..] => {
            if selector.all_channels {
                return Err(RuleError::AllChannels);
            }
            if has_blanks(pattern) {
                return Err(RuleError::Syntax);
            }
            selector.add_channels(pattern);
        }
        [sign @ (b'+' | b'-'), b'@', category @ ..] => {
            let found = Categories::of_name(category).ok_or(RuleError::Unknown)?;
            selector.add_rule(*sign == b'+', &rule[1..]);
            put_category(selector, found, *sign == b'+');
        }
        [b'-', name @ ..] => {
            let row = TABLE.find_own_full(name).ok_or(RuleError::Unknown)?;
            put_command(selector, row, false);
            selector.add_rule(false, row.full_name.as_bytes());
        }
        [b'+', name @ ..] => allow_command(selector, name)?,
        _ => return Err(RuleError::Syntax),
    }
    Ok(())
}

/// `~pattern`, `%R~pattern`, `%W~pattern`, `%RW~pattern`.
fn key_pattern(rule: &[u8]) -> Option<(Access, &[u8])> {
    let Some(letters) = rule.strip_prefix(b"%") else { return Some((Access::BOTH, &rule[1..])) };
    let end = memchr::memchr(b'~', letters)?;
    let mut access = Access::default();
    for letter in &letters[..end] {
        let part = match letter.to_ascii_uppercase() {
            b'R' => &mut access.reads,
            b'W' => &mut access.writes,
            _ => return None,
        };
        if std::mem::replace(part, true) {
            return None;
        }
    }
    (access != Access::default()).then_some((access, &letters[end + 1..]))
}

/// A command with all of its subcommands.
fn put_command(selector: &mut Selector, row: &'static Row, allows: bool) {
    selector.put_command(row.access_id(), allows);
    selector.first_arguments.remove(&row.access_id());
    for subcommand in row.visible_subcommands() {
        selector.put_command(subcommand.access_id(), allows);
    }
}

fn put_category(selector: &mut Selector, category: Categories, allows: bool) {
    // A container comes before its subcommands, and takes them along.
    for row in TABLE.visible_own_rows().filter(|row| row.categories.has(category)) {
        put_command(selector, row, allows);
    }
}

/// `+get`, `+config|get`, and `+select|0`: a command with this first argument.
fn allow_command(selector: &mut Selector, name: &[u8]) -> Result<(), RuleError> {
    let Some(at) = memchr::memrchr(b'|', name) else {
        let row = TABLE.find_own_full(name).ok_or(RuleError::Unknown)?;
        put_command(selector, row, true);
        selector.add_rule(true, row.full_name.as_bytes());
        return Ok(());
    };
    let (command, argument) = (&name[..at], &name[at + 1..]);
    let row = TABLE.find_own_full(command).ok_or(RuleError::Unknown)?;
    if row.parent.is_some() {
        return Err(RuleError::FirstArgumentOfSubcommand);
    }
    if argument.is_empty() {
        return Err(RuleError::Syntax);
    }
    if row.visible_subcommands().is_empty() {
        tracing::warn!(
            "Deprecation warning: allowing a first argument of a command that is not allowed otherwise may not be possible in \
             later versions (+{})",
            String::from_utf8_lossy(name)
        );
        selector.add_first_argument(row.access_id(), argument);
    } else {
        put_command(selector, TABLE.find_own_full(name).ok_or(RuleError::Unknown)?, true);
    }
    selector.add_rule(true, name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply_all(user: &mut User, rules: &str) -> Result<(), RuleError> {
        let words = rules.split(' ').map(str::as_bytes);
        let joined = join_selectors(words).map_err(|_| RuleError::Syntax)?;
        joined.iter().try_for_each(|rule| apply(user, rule, false))
    }

    fn line_of(rules: &str) -> Result<String, RuleError> {
        let mut user = User::new(b"u", false);
        apply_all(&mut user, rules)?;
        Ok(String::from_utf8(user.line()).expect("text")["user u ".len()..].to_string())
    }

    #[test]
    fn rules_and_what_they_come_to() {
        for (rules, line) in [
            ("on nopass", "on nopass sanitize-payload resetchannels -@all"),
            ("on +@all ~* &*", "on sanitize-payload ~* &* +@all"),
            ("ALLKEYS allChannels AllCommands", "off sanitize-payload ~* &* +@all"),
            ("~a %R~b %w~c %rW~d %R~e %W~e", "off sanitize-payload ~a %R~b %W~c ~d ~e resetchannels -@all"),
            ("skip-sanitize-payload &a &b &a", "off skip-sanitize-payload resetchannels &a &b -@all"),
            ("+@all -@hash -@slow +hget -@hash", "off sanitize-payload resetchannels +@all -@slow +hget -@hash"),
            (
                "+client|list +config|get +config +acl|list -acl",
                "off sanitize-payload resetchannels -@all +client|list +config -acl",
            ),
            ("+select|0 +SELECT|0 +debug|segfault +debug", "off sanitize-payload resetchannels -@all +select|0 +debug"),
            (
                "(+get ~a) ( +set ) ()",
                "off sanitize-payload resetchannels -@all (~a resetchannels -@all +get) (resetchannels -@all +set) (resetchannels -@all)",
            ),
            ("(+get) clearselectors", "off sanitize-payload resetchannels -@all"),
            ("on nopass ~* &* +get (+set) reset", "off sanitize-payload resetchannels -@all"),
        ] {
            assert_eq!(line_of(rules).as_deref(), Ok(line), "{rules}");
        }
    }

    #[test]
    fn rules_that_are_refused() {
        use RuleError::*;
        for (rules, error) in [
            ("nosuchrule", Syntax),
            ("+nosuch", Unknown),
            ("-nosuch", Unknown),
            ("+@nosuch", Unknown),
            ("+config|nosuch", Unknown),
            ("-select|0", Unknown),
            ("+config|get|appendonly", FirstArgumentOfSubcommand),
            ("+debug|", Syntax),
            ("%~a", Syntax),
            ("%", Syntax),
            ("%R", Syntax),
            ("%RR~a", Syntax),
            ("%X~a", Syntax),
            ("~* ~a", AllKeys),
            ("&* &a", AllChannels),
            ("~a\tb", Syntax),
            ("&a\tb", Syntax),
            ("<nosuch", NoSuchPassword),
            ("#abc", BadHash),
            ("!abc", BadHash),
            ("(~a &* &b)", AllChannels),
            ("(on)", Syntax),
            ("( +get", Syntax),
            (")", Syntax),
        ] {
            assert_eq!(line_of(rules), Err(error), "{rules}");
        }
    }

    #[test]
    fn containers_and_first_arguments() {
        let mut user = User::new(b"u", false);
        let id = |name: &str| TABLE.find_full(name.as_bytes()).expect("a command").access_id();
        apply_all(&mut user, "+client -client|kill +select|1").expect("rules");
        assert!(user.root().commands.has(id("client|list")) && !user.root().commands.has(id("client|kill")));
        assert!(!user.root().commands.has(id("select")));
        assert_eq!(user.root().first_arguments[&id("select")], [Box::<[u8]>::from(*b"1")]);
        apply_all(&mut user, "-select -@all +@scripting").expect("rules");
        assert!(user.root().first_arguments.is_empty() && user.root().commands.has(id("function|load")));
    }

    #[test]
    fn any_rule_is_read_or_refused() {
        bolero::check!().with_type::<Vec<Vec<u8>>>().for_each(|rules| {
            let mut user = User::new(b"u", false);
            if let Ok(joined) = join_selectors(rules.iter().map(Vec::as_slice)) {
                for rule in &joined {
                    let mut changed = user.clone();
                    if apply(&mut changed, rule, false).is_ok() {
                        user = changed;
                    }
                }
            }
            assert!(user.line().starts_with(b"user u o"));
        });
    }
}
