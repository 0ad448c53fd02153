//! The configuration: one typed value per row, what CONFIG GET and CONFIG SET do with it, and the accessors.
//!
//! Invariants: every value is valid for its row; `set_many` changes all or nothing; `generation` grows with every change.
//! A `Config` is plain data without locks. The control thread owns the one that changes and gives every core an
//! `Arc<Config>` of the newest; a core re-reads what it derived from it when the generation differs.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::row::{Effect, Kind, Parameter};
use super::rows::{Named, Number, PARAMETERS, Param, Special, Text, Word, YesNo, find, names};
use super::value::{self, BufferLimit, Master, Refusal, SavePoint, Value};
use crate::stdx::glob::Glob;

/// All parameters with their values.
#[derive(Clone)]
pub struct Config {
    values: Vec<Value>,
    generation: u64,
}

/// Passwords are among the values, so they are not shown.
impl fmt::Debug for Config {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Config")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// Who asks for CONFIG SET, as far as it matters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setter {
    /// Connected from this machine (loopback or Unix socket).
    pub local: bool,
    /// The server is still loading data.
    pub loading: bool,
}

/// What a successful CONFIG SET changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Positions in [`PARAMETERS`], in the order of the request, each once.
    pub parameters: Vec<usize>,
}

impl Changed {
    /// Whether this parameter has a new value (or names a file to read again).
    /// `changed.includes(param!(index of "port"))`.
    pub fn includes(&self, index: usize) -> bool {
        self.parameters.contains(&index)
    }
}

/// Why CONFIG SET changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// No parameter has this name.
    Unknown(Vec<u8>),
    /// The request, or applying it, failed at this parameter.
    Failed { argument: Vec<u8>, reason: Refusal },
    /// Not while data is loaded.
    Loading,
}

impl ConfigError {
    /// A refusal by whoever applies the change ("Unable to listen on this port. Check server logs.").
    pub fn failed(argument: &str, reason: impl Into<Refusal>) -> ConfigError {
        ConfigError::Failed {
            argument: argument.as_bytes().to_vec(),
            reason: reason.into(),
        }
    }

    /// The error line for the client, without the leading `-` and without line ends: those that the client put into a
    /// name become blanks.
    pub fn text(&self) -> Vec<u8> {
        let mut text = match self {
            ConfigError::Unknown(name) => [
                b"ERR Unknown option or number of arguments for CONFIG SET - '",
                name.as_slice(),
                b"'",
            ]
            .concat(),
            ConfigError::Failed { argument, reason } => [
                b"ERR CONFIG SET failed (possibly related to argument '",
                argument.as_slice(),
                b"') - ",
                reason.as_bytes(),
            ]
            .concat(),
            ConfigError::Loading => b"LOADING Redis is loading the dataset in memory".to_vec(),
        };
        for byte in &mut text {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        text
    }
}

/// The values of the `default` column.
static DEFAULTS: LazyLock<Vec<Value>> =
    LazyLock::new(|| PARAMETERS.iter().map(default_of).collect());

fn default_of(row: &'static Parameter) -> Value {
    if matches!(row.kind, Kind::Directory) {
        return Value::Text(None);
    }
    let several: Vec<&[u8]> = row.default.as_bytes().split(|byte| *byte == b' ').collect();
    let words: &[&[u8]] = match row.kind {
        Kind::Master if row.default.is_empty() => &[b"no", b"one"],
        _ if row.kind.takes_several() => &several,
        _ => &[row.default.as_bytes()],
    };
    value::read(row, words, &Value::Text(None)).expect("the default of a row is valid (tested)")
}

/// The value a row has without configuration.
pub(super) fn default_value(index: usize) -> &'static Value {
    &DEFAULTS[index]
}

impl Default for Config {
    fn default() -> Self {
        Config::new()
    }
}

impl Config {
    /// Every parameter at its default.
    pub fn new() -> Config {
        Config {
            values: DEFAULTS.clone(),
            generation: 0,
        }
    }

    /// Grows by one with every change.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the parameter is `yes`.
    pub fn get_bool(&self, parameter: Param<YesNo>) -> bool {
        matches!(self.values[parameter.index()], Value::YesNo(true))
    }

    /// The number; a percentage is negative.
    pub fn get_i64(&self, parameter: Param<Number>) -> i64 {
        match self.values[parameter.index()] {
            Value::Number(number) => number,
            _ => 0,
        }
    }

    /// The number of a parameter that cannot be negative (`maxmemory`, whose range is that of `u64`).
    pub fn get_u64(&self, parameter: Param<Number>) -> u64 {
        self.get_i64(parameter) as u64
    }

    /// The number as a size or a count in memory.
    pub fn get_usize(&self, parameter: Param<Number>) -> usize {
        self.get_i64(parameter) as usize
    }

    /// The text; empty if it is not set.
    pub fn get_bytes(&self, parameter: Param<Text>) -> &[u8] {
        match &self.values[parameter.index()] {
            Value::Text(text) => text.as_deref().unwrap_or_default(),
            _ => b"",
        }
    }

    /// The text for people: bytes that are not UTF-8 are replaced.
    pub fn get_str(&self, parameter: Param<Text>) -> Cow<'_, str> {
        String::from_utf8_lossy(self.get_bytes(parameter))
    }

    /// The text as a path. A relative one is relative to [`Config::directory`].
    pub fn get_path(&self, parameter: Param<Text>) -> &Path {
        Path::new(OsStr::from_bytes(self.get_bytes(parameter)))
    }

    /// The word in effect, in the spelling of the row's list; for a list of options, see [`Config::has_option`].
    pub fn get_word(&self, parameter: Param<Word>) -> &'static str {
        let Value::Word(chosen) = self.values[parameter.index()] else {
            return "";
        };
        let (Kind::Choice(choices) | Kind::Choices(choices)) = parameter.row().kind else {
            return "";
        };
        let known = choices.iter().find(|(_, number)| *number == chosen);
        known.map_or("", |(name, _)| name)
    }

    /// Whether this option is among those given (`shutdown-on-sigterm`).
    pub fn has_option(&self, parameter: Param<Word>, option: &str) -> bool {
        let (Value::Word(chosen), Kind::Choices(choices)) =
            (&self.values[parameter.index()], parameter.row().kind)
        else {
            return false;
        };
        let known = choices.iter().find(|(name, _)| *name == option);
        known.is_some_and(|(_, number)| *number != 0 && chosen & number == *number)
    }

    /// When to take a snapshot; empty is never.
    pub fn save_points(&self) -> &[SavePoint] {
        match self.special(crate::param!("save")) {
            Value::SavePoints(points) => points,
            _ => &[],
        }
    }

    /// Limits on output buffers: normal clients, replicas, subscribers.
    pub fn buffer_limits(&self) -> [BufferLimit; 3] {
        match self.special(crate::param!("client-output-buffer-limit")) {
            Value::BufferLimits(limits) => **limits,
            _ => Default::default(),
        }
    }

    /// Scores for the out-of-memory killer: master, replica, background process.
    pub fn oom_scores(&self) -> [i32; 3] {
        match self.special(crate::param!("oom-score-adj-values")) {
            Value::OomScores(scores) => *scores,
            _ => [0; 3],
        }
    }

    /// Classes of keyspace events to publish: or-ed constants of [`super::events`].
    pub fn events(&self) -> u32 {
        match self.special(crate::param!("notify-keyspace-events")) {
            Value::Events(events) => *events,
            _ => 0,
        }
    }

    /// Addresses to listen on, as written: `*`, `-::*`, `127.0.0.1`.
    pub fn bind(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let addresses: &[Box<[u8]>] = match self.special(crate::param!("bind")) {
            Value::Addresses(addresses) => addresses,
            _ => &[],
        };
        addresses.iter().map(|address| &**address)
    }

    /// The master to follow.
    pub fn replicaof(&self) -> Option<&Master> {
        match self.special(crate::param!("replicaof")) {
            Value::Master(master) => master.as_deref(),
            _ => None,
        }
    }

    /// Percentiles of INFO latencystats.
    pub fn percentiles(&self) -> &[f64] {
        match self.special(crate::param!("latency-tracking-info-percentiles")) {
            Value::Percentiles(percentiles) => percentiles,
            _ => &[],
        }
    }

    /// The working directory: that of `dir`, or the one the process is in if `dir` was never set.
    pub fn directory(&self) -> PathBuf {
        text_path(&self.values[crate::param!(index of "dir")])
    }

    fn special(&self, parameter: Param<Special>) -> &Value {
        &self.values[parameter.index()]
    }

    pub(super) fn value(&self, index: usize) -> &Value {
        &self.values[index]
    }

    /// The value of the row at this position of [`PARAMETERS`], as CONFIG GET prints it.
    pub fn print(&self, index: usize) -> Vec<u8> {
        if index == crate::param!(index of "dir") {
            return self
                .directory()
                .into_os_string()
                .as_encoded_bytes()
                .to_vec();
        }
        value::print(&PARAMETERS[index].kind, &self.values[index])
    }

    /// CONFIG GET: names and values for names and patterns, each name once, in any case of letters.
    ///
    /// A plain name is answered in the spelling of the request; a pattern matches names and aliases but no hidden
    /// parameter. Rows come in the order of [`PARAMETERS`] (in Redis, the order differs from process to process).
    pub fn matching(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut add = |name: &[u8], index: usize| {
            if !found
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                found.push((name.to_vec(), self.print(index)));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|byte| b"[*?".contains(byte)) {
                if let Some(named) = find(pattern) {
                    add(pattern, named.index);
                }
                continue;
            }
            let glob = Glob::ignoring_case(pattern);
            for named in names() {
                let shown = !PARAMETERS[named.index].hidden;
                if shown && glob.matches(named.name.as_bytes()) {
                    add(named.name.as_bytes(), named.index);
                }
            }
        }
        found
    }

    /// CONFIG SET: all pairs of name and value, or none.
    ///
    /// This only changes values. Whoever calls it on a clone, applies what [`Changed`] names (sockets, limits, files),
    /// and keeps the old `Config` if that fails, has Redis' all or nothing; [`ConfigError::failed`] has the text.
    pub fn set_many(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        setter: Setter,
    ) -> Result<Changed, ConfigError> {
        let named = self.admit(pairs, setter)?;
        let mut values = self.values.clone();
        let mut changed = Changed::default();
        for (Named { index, name }, (_, text)) in named.into_iter().zip(pairs) {
            let row = &PARAMETERS[index];
            let several: Vec<&[u8]> = match text.is_empty() {
                true => Vec::new(),
                false => text.split(|byte| *byte == b' ').collect(),
            };
            let words: &[&[u8]] = if row.kind.takes_several() {
                &several
            } else {
                &[text]
            };
            let value = value::read(row, words, &values[index])
                .map_err(|reason| ConfigError::failed(name, reason))?;
            if (row.reread || values[index] != value) && !changed.parameters.contains(&index) {
                changed.parameters.push(index);
            }
            values[index] = value;
        }
        self.values = values;
        self.generation += 1;
        Ok(changed)
    }

    /// Resolves the names and refuses what may not be set; the first reason in the order of the request counts.
    fn admit(&self, pairs: &[(&[u8], &[u8])], setter: Setter) -> Result<Vec<Named>, ConfigError> {
        let mut admitted: Vec<Named> = Vec::with_capacity(pairs.len());
        for (written, text) in pairs {
            let failed = |reason: &'static str| ConfigError::Failed {
                argument: written.to_vec(),
                reason: reason.into(),
            };
            let named = find(written).ok_or_else(|| ConfigError::Unknown(written.to_vec()))?;
            let row = &PARAMETERS[named.index];
            let is_echo = row.echoed && self.print(named.index) == *text;
            if !row.mutable && !is_echo {
                return Err(failed("can't set immutable config"));
            }
            if row.protected
                && !self.allows(crate::param!("enable-protected-configs"), setter.local)
            {
                return Err(failed("can't set protected config"));
            }
            if row.denied_while_loading && setter.loading {
                return Err(ConfigError::Loading);
            }
            if admitted.contains(&named) {
                return Err(failed("duplicate parameter"));
            }
            admitted.push(named);
        }
        Ok(admitted)
    }

    /// Whether one of the `enable-…` parameters (`no`, `yes`, `local`) admits a client.
    pub fn allows(&self, parameter: Param<Word>, client_is_local: bool) -> bool {
        match self.get_word(parameter) {
            "yes" => true,
            "local" => client_is_local,
            _ => false,
        }
    }

    /// Sets a parameter as a line of the configuration file does: also one that CONFIG SET must not touch.
    /// For the loader, and for the server itself (REPLICAOF, `maxclients` lowered to what the system allows).
    pub fn set_words(&mut self, index: usize, words: &[&[u8]]) -> Result<(), Refusal> {
        let value = value::read(&PARAMETERS[index], words, &self.values[index])?;
        self.put(index, value);
        Ok(())
    }

    pub(super) fn put(&mut self, index: usize, value: Value) {
        self.values[index] = value;
        self.generation += 1;
    }

    /// Parameters that were given another value than the default although nothing reads them, with the reason: for one
    /// line each in the log at start.
    pub fn without_effect(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        PARAMETERS
            .iter()
            .enumerate()
            .filter_map(|(index, row)| match row.effect {
                Effect::Stored(why) if self.values[index] != DEFAULTS[index] => {
                    Some((row.name, why))
                }
                _ => None,
            })
    }
}

/// The folder a value of `dir` means: unset, the one the process is in.
pub(super) fn text_path(value: &Value) -> PathBuf {
    match value {
        Value::Text(Some(path)) => PathBuf::from(OsStr::from_bytes(path)),
        _ => std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
    }
}
