//! Users from text: the lines of the configuration file and the ACL file. Called at the start and by ACL LOAD.

use std::borrow::Cow;

use crate::acl::user::DEFAULT_USER;
use crate::acl::{User, Users};
use crate::config::Config;
use crate::config::file::{Line, LoadError};
use crate::persist::acl_file;

use super::rules::{RuleError, apply, has_blanks, join_selectors};

/// Whether new selectors may use all channels.
pub fn new_users_hear_all(config: &Config) -> bool {
    config.get_word(crate::param!("acl-pubsub-default")) == "allchannels"
}

/// `requirepass`: the password of the default user; empty asks for none.
pub fn set_default_password(users: &Users, password: &[u8]) {
    let set = |user: &mut User| -> Result<(), RuleError> {
        apply(user, b"resetpass", false)?;
        match password {
            [] => apply(user, b"nopass", false),
            _ => apply(user, &[b">", password].concat(), false),
        }
    };
    let set = users.change(DEFAULT_USER, true, set);
    debug_assert!(set.is_ok(), "these rules are never refused");
}

/// Looks at the `user` lines of the configuration file as far as it can be done before commands are known.
///
/// # Errors
/// The first line that cannot be right, in Redis' words.
pub fn check_lines(lines: &[Line], config: &Config) -> Result<(), LoadError> {
    let all_channels = new_users_hear_all(config);
    for (index, line) in lines.iter().enumerate() {
        let refused = |word: &[u8], reason: &str| {
            line.error(format!("Error in user declaration '{}': {reason}", String::from_utf8_lossy(word)))
        };
        let name = &line.words[1];
        if lines[..index].iter().any(|earlier| earlier.words[1] == *name) {
            return Err(refused(name, "Duplicate user found. A user can only be defined once in config files"));
        }
        let rules = join_selectors(line.words[2..].iter().map(Vec::as_slice));
        let rules = rules.map_err(|word| refused(word, "Wrong format"))?;
        let mut user = User::new(name, all_channels);
        for rule in &rules {
            match apply(&mut user, rule, all_channels) {
                Ok(()) | Err(RuleError::Unknown) => {}
                Err(error) => return Err(refused(rule, error.text())),
            }
        }
    }
    Ok(())
}

/// The users that a server begins with: those of the lines, or those of the ACL file.
///
/// # Errors
/// A text for the log; the server does not start.
pub fn at_start(config: &Config, lines: &[Line]) -> Result<Users, String> {
    let users = Users::new();
    set_default_password(&users, config.get_bytes(crate::param!("requirepass")));
    let path = config.get_path(crate::param!("aclfile"));
    if path.as_os_str().is_empty() {
        for line in lines {
            load_line(&users, line, config)?;
        }
        return Ok(users);
    }
    if !lines.is_empty() {
        return Err(
            "There are users in the configuration file, and it names an ACL file too (aclfile). Only one of the two \
                    can be; otherwise it would be hard to tell who may do what."
                .to_string(),
        );
    }
    match load_file(config) {
        Ok(loaded) => users.replace(loaded),
        Err(errors) => {
            let errors = String::from_utf8_lossy(&errors).into_owned();
            return Err(format!("Aborting Redis startup because of ACL errors: {errors}"));
        }
    }
    Ok(users)
}

fn load_line(users: &Users, line: &Line, config: &Config) -> Result<(), String> {
    let all_channels = new_users_hear_all(config);
    let name = line.words[1].as_slice();
    let shown = String::from_utf8_lossy(name);
    if has_blanks(name) {
        return Err("Spaces not allowed in ACL usernames".to_string());
    }
    let rules = join_selectors(line.words[2..].iter().map(Vec::as_slice)).unwrap_or_default();
    users.change(name, all_channels, |user| {
        user.reset(all_channels);
        for rule in &rules {
            apply(user, rule, all_channels).map_err(|error| {
                let rule = String::from_utf8_lossy(rule);
                format!("Error loading ACL rule '{rule}' for the user named '{shown}': {}", error.text())
            })?;
        }
        if !user.enabled {
            tracing::info!("The user '{shown}' is disabled: there is no 'on' in its description.");
        }
        Ok(())
    })
}

/// Reads the ACL file.
///
/// # Errors
/// All that is wrong with it, in Redis' words.
pub fn load_file(config: &Config) -> Result<Vec<User>, Vec<u8>> {
    let path = config.get_path(crate::param!("aclfile"));
    let shown = config.get_bytes(crate::param!("aclfile"));
    let text = acl_file::read(path)
        .map_err(|reason| [b"Error loading ACLs, opening file '", shown, b"': ", reason.as_bytes()].concat())?;
    read_file(&text, shown, new_users_hear_all(config))
}

fn read_file(text: &[u8], path: &[u8], all_channels: bool) -> Result<Vec<User>, Vec<u8>> {
    let mut users: Vec<User> = Vec::new();
    let mut errors = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let place = [path, b":", (index + 1).to_string().as_bytes()].concat();
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        match read_line(&words, &place, &users, all_channels) {
            Ok(user) => users.push(user),
            Err(Wrong::Text(text)) => errors.extend(text),
            Err(Wrong::Duplicate(name)) => {
                let number = (index + 1).to_string();
                errors.extend(
                    [b"WARNING: Duplicate user '", name, b"' found on line ", number.as_bytes(), b". "].concat(),
                );
            }
        }
    }
    if errors.is_empty() {
        return Ok(users);
    }
    errors
        .extend_from_slice(b"WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
    Err(errors)
}

/// What is wrong with a line.
enum Wrong<'a> {
    Text(Vec<u8>),
    Duplicate(&'a [u8]),
}

fn read_line<'a>(words: &[&'a [u8]], place: &[u8], known: &[User], all_channels: bool) -> Result<User, Wrong<'a>> {
    let wrong = |text: &[&[u8]]| Err(Wrong::Text(text.concat()));
    let (&[b"user", name, ..], [_, _, rules @ ..]) = (words, words) else {
        return wrong(&[place, b" should start with user keyword followed by the username. "]);
    };
    if has_blanks(name) {
        return wrong(&[b"'", place, b": username '", name, b"' contains invalid characters. "]);
    }
    if known.iter().any(|user| *user.name == *name) {
        return Err(Wrong::Duplicate(name));
    }
    let Ok(rules) = join_selectors(rules.iter().copied()) else {
        return wrong(&[place, b": Unmatched parenthesis in selector definition."]);
    };
    let mut user = User::new(name, all_channels);
    let mut errors = Vec::new();
    let mut is_first = true;
    for rule in rules.iter().map(Cow::as_ref) {
        let rule = rule.trim_ascii();
        match apply(&mut user, rule, all_channels) {
            Ok(()) => {}
            Err(error @ RuleError::Unknown) => {
                let parts = [place, b": Error in applying operation '", rule, b"': ", error.text().as_bytes(), b". "];
                errors.extend(parts.concat());
            }
            // Only the first: what comes behind it may be wrong because of it.
            Err(error) if std::mem::replace(&mut is_first, false) => {
                errors.extend([place, b": ", error.text().as_bytes(), b". "].concat());
            }
            Err(_) => {}
        }
    }
    if errors.is_empty() { Ok(user) } else { Err(Wrong::Text(errors)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<Line> {
        crate::config::file::load_text(text.as_bytes()).expect("lines").users
    }

    #[test]
    fn lines_of_the_configuration() {
        let config = Config::new();
        for (text, error) in [
            ("user a on\nuser b off +@nosuch", ""),
            (
                "user a on\nuser a off",
                "Error in user declaration 'a': Duplicate user found. A user can only be defined once in config files",
            ),
            ("user a (+get", "Error in user declaration '(+get': Wrong format"),
            ("user a on bogus", "Error in user declaration 'bogus': Syntax error"),
        ] {
            let checked = check_lines(&lines(text), &config);
            assert_eq!(
                checked.map_or_else(|error| error.to_string(), |()| String::new()).contains(error),
                true,
                "{text}"
            );
        }
        let users = at_start(&config, &lines("user default on ~* +@all -get\nuser a on (+get ~x)")).expect("users");
        let shown: Vec<String> = users.lines().into_iter().map(|line| String::from_utf8(line).expect("text")).collect();
        assert_eq!(
            shown,
            [
                "user a on sanitize-payload resetchannels -@all (~x resetchannels -@all +get)",
                "user default on sanitize-payload ~* resetchannels +@all -get"
            ]
        );
        assert!(at_start(&config, &lines("user a +nosuch")).is_err());
    }

    #[test]
    fn the_default_users_password() {
        let mut config = Config::new();
        config.set_words(crate::param!(index of "requirepass"), &[b"secret"]).expect("a password");
        let users = at_start(&config, &[]).expect("users");
        assert!(
            users.authenticate(DEFAULT_USER, b"secret").is_some() && users.authenticate(DEFAULT_USER, b"x").is_none()
        );
        set_default_password(&users, b"");
        assert!(users.authenticate(DEFAULT_USER, b"x").is_some());
    }

    #[test]
    fn lines_of_a_file() {
        let file = |text: &str| {
            let read = read_file(text.as_bytes(), b"f", false);
            read.map(|users| users.len()).map_err(|errors| String::from_utf8(errors).expect("text"))
        };
        const END: &str = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
        assert_eq!(file("\n  \nuser a on\t\nuser b (+get ~x) \r\n"), Ok(2));
        for (text, error) in [
            ("user a\nuser a", "WARNING: Duplicate user 'a' found on line 2. "),
            ("usr a", "f:1 should start with user keyword followed by the username. "),
            ("user", "f:1 should start with user keyword followed by the username. "),
            ("user a\tb on", "'f:1: username 'a\tb' contains invalid characters. "),
            ("\nuser a (+get", "f:2: Unmatched parenthesis in selector definition."),
            (
                "user a +nosuch bogus +@nosuch )",
                "f:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. f:1: Syntax error. \
                 f:1: Error in applying operation '+@nosuch': Unknown command or category name in ACL. ",
            ),
        ] {
            assert_eq!(file(text), Err([error, END].concat()), "{text}");
        }
    }
}
