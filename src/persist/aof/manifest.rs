//! The manifest: which files make up the log, in which order. Text in, a list out, and back.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.1.base.rdb seq 1 type h
//! file appendonly.aof.4.incr.aof seq 4 type i
//! ```
//!
//! A base (`b`) holds everything up to a moment, incremental files (`i`) what came after it, history (`h`) is only to be
//! deleted. Names with blanks or unusual bytes stand in quotes.

use crate::stdx::quote;

/// Longest line, in bytes, as in Redis.
const LINE_BYTES_MAX: usize = 1024;

/// One file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name in the log's folder.
    pub name: Vec<u8>,
    /// Its number among files of its kind.
    pub sequence: i64,
}

/// See the file's head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The base.
    pub base: Option<Part>,
    /// Incremental files, the oldest first.
    pub increments: Vec<Part>,
    /// Files that are to be deleted.
    pub history: Vec<Part>,
    /// The number of the last base there was.
    pub base_sequence: i64,
    /// The number of the last incremental file there was.
    pub increment_sequence: i64,
}

/// What is wrong with a manifest, in Redis' words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// The line, from 1, and its text.
    pub line: Option<(usize, String)>,
    /// What is wrong.
    pub reason: &'static str,
}

const FORMAT: &str = "Invalid AOF manifest file format";

impl Manifest {
    /// Reads one.
    pub fn parse(text: &[u8]) -> Result<Manifest, ManifestError> {
        if text.is_empty() {
            return Err(ManifestError { line: None, reason: "Found an empty AOF manifest" });
        }
        let mut manifest = Manifest::default();
        for (index, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if line.starts_with(b"#") {
                continue;
            }
            if line.len() > LINE_BYTES_MAX || !line.ends_with(b"\n") {
                return Err(ManifestError { line: None, reason: "The AOF manifest file contains too long line" });
            }
            let line = line.trim_ascii();
            manifest.add(line).map_err(|reason| ManifestError {
                line: Some((index + 1, String::from_utf8_lossy(line).into_owned())).filter(|_| !line.is_empty()),
                reason,
            })?;
        }
        Ok(manifest)
    }

    fn add(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let words = quote::split_arguments(line).ok().filter(|words| words.len() >= 6 && words.len().is_multiple_of(2));
        let words = words.ok_or(FORMAT)?;
        let (mut name, mut sequence, mut kind) = (None, 0, 0);
        for pair in words.chunks_exact(2) {
            if pair[0].eq_ignore_ascii_case(b"file") {
                if pair[1].contains(&b'/') || pair[1].contains(&b'\\') {
                    return Err("File can't be a path, just a filename");
                }
                name = Some(pair[1].clone());
            } else if pair[0].eq_ignore_ascii_case(b"seq") {
                sequence = leading_number(&pair[1]);
            } else if pair[0].eq_ignore_ascii_case(b"type") {
                kind = pair[1].first().copied().unwrap_or(0);
            }
        }
        let (Some(name), true, true) = (name, sequence != 0, kind != 0) else { return Err(FORMAT) };
        let part = Part { name, sequence };
        match kind {
            b'b' if self.base.is_some() => return Err("Found duplicate base file information"),
            b'b' => {
                self.base_sequence = sequence;
                self.base = Some(part);
            }
            b'h' => self.history.push(part),
            b'i' if self.increments.last().is_some_and(|last| sequence <= last.sequence) || sequence < 0 => {
                return Err("Found a non-monotonic sequence number");
            }
            b'i' => {
                self.increment_sequence = sequence;
                self.increments.push(part);
            }
            _ => return Err("Unknown AOF file type"),
        }
        Ok(())
    }

    /// Writes one.
    pub fn format(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let kinds = [(self.base.as_slice(), 'b'), (&self.history[..], 'h'), (&self.increments[..], 'i')];
        for (parts, kind) in kinds {
            for part in parts {
                let is_plain = part.name.iter().all(|byte| byte.is_ascii_graphic() && !b"\"'\\".contains(byte));
                let name = if is_plain { part.name.clone() } else { quote::quote(&part.name).into_bytes() };
                text.extend_from_slice(b"file ");
                text.extend_from_slice(&name);
                text.extend_from_slice(format!(" seq {} type {kind}\n", part.sequence).as_bytes());
            }
        }
        text
    }

    /// Nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.increments.is_empty()
    }

    /// The files that hold data, in the order in which they are loaded.
    pub fn data(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.increments)
    }

    /// A new incremental file behind all others.
    pub fn add_increment(&mut self, file_name: &str) -> Part {
        self.increment_sequence += 1;
        let name = format!("{file_name}.{}.incr.aof", self.increment_sequence).into_bytes();
        let part = Part { name, sequence: self.increment_sequence };
        self.increments.push(part.clone());
        part
    }

    /// The name of the next base, of this kind ("rdb" or "aof").
    pub fn next_base(&self, file_name: &str, kind: &str) -> Part {
        let sequence = self.base_sequence + 1;
        Part { name: format!("{file_name}.{sequence}.base.{kind}").into_bytes(), sequence }
    }

    /// A new base takes the place of the old one and of all incremental files but the last `kept`.
    pub fn set_base(&mut self, base: Part, kept: usize) {
        self.base_sequence = base.sequence;
        if let Some(old) = self.base.replace(base) {
            self.history.insert(0, old);
        }
        let replaced = self.increments.len().saturating_sub(kept);
        for part in self.increments.drain(..replaced) {
            self.history.insert(0, part);
        }
    }
}

/// The number at the beginning of a text, as C's `atoll` reads it.
fn leading_number(text: &[u8]) -> i64 {
    let digits = text.iter().skip(usize::from(text.first() == Some(&b'-'))).take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0i64, |number, &digit| number.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if text.first() == Some(&b'-') { -number } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "file a.2.base.rdb seq 2 type b\nfile a.1.base.rdb seq 1 type h\nfile a.4.incr.aof seq 4 type i\n\
                        file a.5.incr.aof seq 5 type i\n";

    #[test]
    fn round_trip() {
        let mut manifest = Manifest::parse(TEXT.as_bytes()).expect("it is well-formed");
        assert_eq!((manifest.base_sequence, manifest.increment_sequence), (2, 5));
        assert_eq!(String::from_utf8_lossy(&manifest.format()), TEXT);
        assert_eq!(manifest.add_increment("a").name, b"a.6.incr.aof");
        let base = manifest.next_base("a", "aof");
        assert_eq!(base.name, b"a.3.base.aof");
        manifest.set_base(base, 1);
        let names: Vec<_> = manifest.data().map(|part| String::from_utf8_lossy(&part.name).into_owned()).collect();
        assert_eq!(names, ["a.3.base.aof", "a.6.incr.aof"]);
        assert_eq!(manifest.history.len(), 4);
        assert_eq!(Manifest::parse(&manifest.format()), Ok(manifest));
    }

    #[test]
    fn names_in_quotes_and_other_pairs() {
        let manifest = Manifest::parse(b"# x\nfile \"a b\\n.1.base.rdb\" seq 1 type b other 1\n").expect("quoted");
        let base = manifest.base.clone().expect("a base");
        assert_eq!(base.name, b"a b\n.1.base.rdb");
        assert_eq!(Manifest::parse(&manifest.format()), Ok(manifest));
    }

    #[test]
    fn what_is_refused() {
        for (text, reason) in [
            ("", "Found an empty AOF manifest"),
            ("\n", FORMAT),
            ("file a seq 1 type b", "The AOF manifest file contains too long line"),
            ("file a seq 1 type\n", FORMAT),
            ("file a seq 0 type b\n", FORMAT),
            ("file a seq 1 \"type b\n", FORMAT),
            ("file a seq 1 type x\n", "Unknown AOF file type"),
            ("file d/a seq 1 type b\n", "File can't be a path, just a filename"),
            ("file a seq 1 type b\nfile b seq 2 type b\n", "Found duplicate base file information"),
            ("file a seq 2 type i\nfile b seq 2 type i\n", "Found a non-monotonic sequence number"),
        ] {
            let error = Manifest::parse(text.as_bytes()).expect_err("it is refused");
            assert_eq!(error.reason, reason, "{text:?}");
        }
        let long = format!("file {} seq 1 type b\n", "a".repeat(LINE_BYTES_MAX));
        assert!(Manifest::parse(long.as_bytes()).is_err());
    }
}
