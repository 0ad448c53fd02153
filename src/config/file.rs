//! The configuration file: lines into parameters, with `include`, and what cannot be a parameter handed on.
//!
//! The format is that of Redis 7.4's redis.conf; so are the texts of the errors, which end the start. Loading is total:
//! any bytes in, a configuration or an error out. Called once, at start, by `server`, before any core runs.

use std::ffi::OsStr;
use std::fmt;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::row::Kind;
use super::rows::{PARAMETERS, find};
use super::special::system_text;
use super::store::Config;
use super::value::{Refusal, Value};
use super::words;
use crate::stdx::glob::Glob;
use crate::stdx::limits::INCLUDE_DEPTH_MAX;
use crate::stdx::quote::split_arguments;

/// Where the configuration comes from, the later winning over the earlier. Made by `command_line`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The file; also the one that CONFIG REWRITE writes. May be a pattern.
    pub file: Option<PathBuf>,
    /// Whether standard input is read, too.
    pub stdin: bool,
    /// Lines made from the options of the command line.
    pub options: Vec<u8>,
}

/// What the sources say.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// `rename-command` lines, three words each, for whoever knows the commands.
    pub renamed_commands: Vec<Line>,
    /// `user` lines, two words or more, for whoever knows the users.
    pub users: Vec<Line>,
    /// Things the log should say at start.
    pub warnings: Vec<String>,
}

/// A line that someone else must understand. [`Line::error`] has the text if they cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1, within its file.
    pub number: usize,
    pub text: Vec<u8>,
    /// The words of the line, its directive first, in lower case.
    pub words: Vec<Vec<u8>>,
}

impl Line {
    /// "No such command in rename-command", "Error in user declaration 'x': …".
    pub fn error(&self, reason: impl Into<Refusal>) -> LoadError {
        LoadError::Refused {
            line: Some((self.number, self.text.clone())),
            reason: reason.into(),
        }
    }
}

/// Why the server cannot start with this configuration. It exits with code 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// A line, or the whole, is wrong.
    Refused {
        line: Option<(usize, Vec<u8>)>,
        reason: Refusal,
    },
    /// A file cannot be read. Redis logs this one (as a warning) instead of writing it to standard error.
    CannotOpen { path: PathBuf, reason: String },
}

impl LoadError {
    /// What to write to standard error, as Redis of this version would.
    pub fn text(&self, redis_version: &str) -> Vec<u8> {
        match self {
            LoadError::CannotOpen { path, reason } => {
                let path = path.as_os_str().as_bytes();
                [
                    b"Fatal error, can't open config file '",
                    path,
                    b"': ",
                    reason.as_bytes(),
                    b"\n",
                ]
                .concat()
            }
            LoadError::Refused { line, reason } => {
                let mut text =
                    format!("\n*** FATAL CONFIG FILE ERROR (Redis {redis_version}) ***\n")
                        .into_bytes();
                if let Some((number, line)) = line {
                    text.extend(
                        format!("Reading the configuration file, at line {number}\n>>> '").bytes(),
                    );
                    text.extend_from_slice(line);
                    text.extend_from_slice(b"'\n");
                }
                text.extend_from_slice(reason.as_bytes());
                text.push(b'\n');
                text
            }
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Refused { line: None, reason } => out.write_str(reason),
            LoadError::Refused {
                line: Some((number, _)),
                reason,
            } => write!(out, "line {number}: {reason}"),
            LoadError::CannotOpen { path, reason } => write!(out, "{}: {reason}", path.display()),
        }
    }
}

impl std::error::Error for LoadError {}

fn refused(reason: impl Into<Refusal>) -> LoadError {
    LoadError::Refused {
        line: None,
        reason: reason.into(),
    }
}

/// Names that Redis still accepts, with one value, and ignores.
const FORGOTTEN: [&[u8]; 3] = [
    b"list-max-ziplist-entries",
    b"list-max-ziplist-value",
    b"lua-replicate-commands",
];

/// Loads file, standard input and options, in this order.
pub fn load(sources: &Sources, stdin: &mut dyn Read) -> Result<Loaded, LoadError> {
    let mut loader = Loader::new();
    let mut text = match &sources.file {
        Some(file) => loader.read_files(file)?,
        None => Vec::new(),
    };
    if sources.stdin {
        end_line(&mut text);
        stdin
            .read_to_end(&mut text)
            .map_err(|error| LoadError::CannotOpen {
                path: PathBuf::from("-"),
                reason: system_text(&error),
            })?;
    }
    text.push(b'\n');
    text.extend_from_slice(&sources.options);
    loader.read_text(&text, 0)?;
    loader.finish()
}

/// What follows starts on a line of its own even if the last line of a file is not ended.
fn end_line(text: &mut Vec<u8>) {
    if text.last().is_some_and(|byte| *byte != b'\n') {
        text.push(b'\n');
    }
}

/// Loads a text instead of files. For tests and tools.
pub fn load_text(text: &[u8]) -> Result<Loaded, LoadError> {
    let mut loader = Loader::new();
    loader.read_text(text, 0)?;
    loader.finish()
}

struct Loader {
    loaded: Loaded,
    /// The first `save` line replaces the default, further ones add to it.
    save_seen: bool,
}

impl Loader {
    fn new() -> Loader {
        Loader {
            loaded: Loaded {
                config: Config::new(),
                renamed_commands: Vec::new(),
                users: Vec::new(),
                warnings: Vec::new(),
            },
            save_seen: false,
        }
    }

    fn read_text(&mut self, text: &[u8], depth: usize) -> Result<(), LoadError> {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = words::trim(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            self.read_line(index + 1, line, depth)
                .map_err(|error| match error {
                    LoadError::Refused { line: None, reason } => LoadError::Refused {
                        line: Some((index + 1, line.to_vec())),
                        reason,
                    },
                    other => other,
                })?;
        }
        Ok(())
    }

    fn read_line(&mut self, number: usize, text: &[u8], depth: usize) -> Result<(), LoadError> {
        let Ok(mut words) = split_arguments(text) else {
            return Err(refused("Unbalanced quotes in configuration line"));
        };
        let Some(directive) = words.first_mut() else {
            return Ok(());
        };
        directive.make_ascii_lowercase();
        if let Some(named) = find(directive) {
            let values: Vec<&[u8]> = words[1..].iter().map(Vec::as_slice).collect();
            return self.set(named.index, &values).map_err(refused);
        }
        if words.len() == 2 && FORGOTTEN.contains(&words[0].as_slice()) {
            return Ok(());
        }
        self.read_directive(number, text, words, depth)
    }

    fn set(&mut self, index: usize, values: &[&[u8]]) -> Result<(), Refusal> {
        let row = &PARAMETERS[index];
        if !row.kind.takes_several() {
            return self.loaded.config.set_words(index, values);
        }
        // `name "a b c"` is the same as `name a b c`.
        let split = match values {
            [value] if !value.is_empty() => Some(split_arguments(value).unwrap_or_default()),
            _ => None,
        };
        let several: Vec<&[u8]> = match &split {
            Some(split) => split.iter().map(Vec::as_slice).collect(),
            None => values.to_vec(),
        };
        let before = self.loaded.config.value(index).clone();
        self.loaded.config.set_words(index, &several)?;
        if matches!(row.kind, Kind::SavePoints) {
            self.add_save_points(index, before, several.as_slice() == [b"".as_slice()]);
        }
        Ok(())
    }

    fn add_save_points(&mut self, index: usize, before: Value, cleared: bool) {
        let first = !std::mem::replace(&mut self.save_seen, true);
        if let (false, Value::SavePoints(before), Value::SavePoints(new)) =
            (first || cleared, before, self.loaded.config.value(index))
        {
            let all = [&before[..], &new[..]].concat();
            self.loaded.config.put(index, Value::SavePoints(all.into()));
        }
    }

    /// A line that is no parameter.
    fn read_directive(
        &mut self,
        number: usize,
        text: &[u8],
        words: Vec<Vec<u8>>,
        depth: usize,
    ) -> Result<(), LoadError> {
        let line = |words| Line {
            number,
            text: text.to_vec(),
            words,
        };
        match (words[0].as_slice(), words.len()) {
            (b"include", 2) => self.include(&words[1], depth),
            (b"rename-command", 3) => {
                self.loaded.renamed_commands.push(line(words));
                Ok(())
            }
            (b"user", 2..) => {
                self.loaded.users.push(line(words));
                Ok(())
            }
            (b"loadmodule", 2..) => Err(refused("Modules cannot be loaded by this server")),
            (b"sentinel", 2..) => Err(refused("sentinel directive while not in sentinel mode")),
            (b"sentinel", 1) => Err(refused(
                "Sentinel mode is not part of this server; run redis-sentinel",
            )),
            (name, 1) if name.contains(&b'.') => {
                Err(refused("Module config specified without value"))
            }
            (name, _) if name.contains(&b'.') => Err(refused(
                "Module configuration without a module: modules cannot be loaded by this server",
            )),
            _ => Err(refused("Bad directive or wrong number of arguments")),
        }
    }

    fn include(&mut self, pattern: &[u8], depth: usize) -> Result<(), LoadError> {
        if depth == INCLUDE_DEPTH_MAX {
            return Err(refused("Too many configuration files include each other"));
        }
        let text = self.read_files(Path::new(OsStr::from_bytes(pattern)))?;
        self.read_text(&text, depth + 1)
    }

    /// The content of a file, or of all files that fit a pattern, by name. A pattern that fits nothing is no error.
    fn read_files(&self, path: &Path) -> Result<Vec<u8>, LoadError> {
        let base = self.loaded.config.directory();
        let bytes = path.as_os_str().as_bytes();
        let paths = match bytes.iter().any(|byte| b"*?[".contains(byte)) {
            true => files_like(&base, bytes),
            false => vec![path.to_owned()],
        };
        let mut content = Vec::new();
        for path in paths {
            let text = std::fs::read(base.join(&path)).map_err(|error| LoadError::CannotOpen {
                path,
                reason: system_text(&error),
            })?;
            end_line(&mut content);
            content.extend(text);
        }
        Ok(content)
    }

    /// Rules about several parameters together.
    fn finish(mut self) -> Result<Loaded, LoadError> {
        let config = &mut self.loaded.config;
        let logfile = config.get_path(crate::param!("logfile"));
        if !logfile.as_os_str().is_empty() {
            let path = config.directory().join(logfile);
            let opened = std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path);
            opened.map_err(|error| {
                refused(format!("Can't open the log file: {}", system_text(&error)))
            })?;
        }
        if config.get_bool(crate::param!("cluster-enabled")) {
            if config.replicaof().is_some() {
                return Err(refused("replicaof directive not allowed in cluster mode"));
            }
            let count = config.get_i64(crate::param!("databases"));
            if count > 1 {
                config.put(crate::param!(index of "databases"), Value::Number(1));
                self.loaded.warnings.push(format!(
                    "WARNING: Changing databases number from {count} to 1 since we are in cluster mode"
                ));
            }
        }
        Ok(self.loaded)
    }
}

/// Existing paths that fit a pattern with `*`, `?` and `[…]`, sorted. Wildcards do not match a leading dot.
fn files_like(base: &Path, pattern: &[u8]) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from(if pattern.starts_with(b"/") {
        "/"
    } else {
        ""
    })];
    for part in pattern
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
    {
        found = found
            .iter()
            .flat_map(|folder| entries_like(base, folder, part))
            .collect();
    }
    found.sort();
    found
}

fn entries_like(base: &Path, folder: &Path, part: &[u8]) -> Vec<PathBuf> {
    if !part.iter().any(|byte| b"*?[".contains(byte)) {
        let path = folder.join(OsStr::from_bytes(part));
        return Vec::from_iter(base.join(&path).exists().then_some(path));
    }
    let Ok(entries) = std::fs::read_dir(base.join(folder)) else {
        return Vec::new();
    };
    let pattern = Glob::new(part);
    entries
        .flatten()
        .map(|entry| entry.file_name().into_vec())
        .filter(|name| name.first() != Some(&b'.') || part.first() == Some(&b'.'))
        .filter(|name| pattern.matches(name))
        .map(|name| folder.join(OsStr::from_bytes(&name)))
        .collect()
}

#[cfg(test)]
#[path = "file_tests.rs"]
pub(super) mod tests;
