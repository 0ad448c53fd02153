//! The first line of a script or library: `#!lua flags=no-writes`, `#!lua name=mylib`.

use crate::stdx::quote;

/// What a script says of itself, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptFlags(u8);

const DECLARED: u8 = 1 << 7;
/// In Redis' order.
const NAMES: [(u8, &str); 5] = [
    (1 << 0, "no-writes"),
    (1 << 1, "allow-oom"),
    (1 << 2, "allow-stale"),
    (1 << 3, "no-cluster"),
    (1 << 4, "allow-cross-slot-keys"),
];

impl ScriptFlags {
    /// The flags of a function that names none, or of a script with a bare first line.
    pub const DECLARED: ScriptFlags = ScriptFlags(DECLARED);

    /// It says what it is; scripts without a first line do not, and more is allowed to them.
    pub fn is_declared(self) -> bool {
        self.0 & DECLARED != 0
    }

    /// It only reads.
    pub fn has_no_writes(self) -> bool {
        self.0 & 1 != 0
    }

    /// It may run although memory is short.
    pub fn allows_oom(self) -> bool {
        self.0 & (1 << 1 | 1) != 0
    }

    /// The same with the flag of this name; none when there is no such flag.
    pub fn with(self, name: &[u8]) -> Option<ScriptFlags> {
        let (bit, _) = NAMES.iter().find(|(_, known)| known.as_bytes() == name)?;
        Some(ScriptFlags(self.0 | bit))
    }

    /// The names of the flags that are set, in Redis' order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, name)| *name)
    }
}

fn quoting(before: &str, shown: &[u8], after: &str) -> Vec<u8> {
    [before.as_bytes(), shown, after.as_bytes()].concat()
}

/// The flags of a script, and what follows its first line (with the line feed, so that lines keep their numbers). The error
/// is the reply's text.
pub fn split_script(source: &[u8]) -> Result<(ScriptFlags, &[u8]), Vec<u8>> {
    if !source.starts_with(b"#!") {
        return Ok((ScriptFlags::default(), source));
    }
    let end = memchr::memchr(b'\n', source).ok_or(b"ERR Invalid script shebang".to_vec())?;
    let parts = quote::split_arguments(&source[..end]).ok().filter(|parts| !parts.is_empty());
    let parts = parts.ok_or(b"ERR Invalid engine in script shebang".to_vec())?;
    if parts[0] != b"#!lua" {
        return Err(quoting("ERR Unexpected engine in script shebang: ", &parts[0], ""));
    }
    let mut flags = ScriptFlags::DECLARED;
    for part in &parts[1..] {
        let names = part.strip_prefix(b"flags=").ok_or_else(|| quoting("ERR Unknown lua shebang option: ", part, ""))?;
        for name in names.split(|byte| *byte == b',').filter(|_| !names.is_empty()) {
            flags = flags.with(name).ok_or_else(|| quoting("ERR Unexpected flag in script shebang: ", name, ""))?;
        }
    }
    Ok((flags, &source[end..]))
}

/// The name of a library, and what follows its first line. The error is the reply's text.
pub fn split_library(source: &[u8]) -> Result<(Vec<u8>, &[u8]), Vec<u8>> {
    if !source.starts_with(b"#!") {
        return Err(b"ERR Missing library metadata".to_vec());
    }
    let end = memchr::memchr(b'\n', source).ok_or(b"ERR Invalid library metadata".to_vec())?;
    let parts = quote::split_arguments(&source[..end]).ok().filter(|parts| !parts.is_empty());
    let parts = parts.ok_or(b"ERR Invalid library metadata".to_vec())?;
    let engine = parts[0].strip_prefix(b"#!").unwrap_or(&parts[0]).to_vec();
    let mut name = None;
    for part in &parts[1..] {
        match part.get(..5) {
            Some(start) if start.eq_ignore_ascii_case(b"name=") => {
                if name.replace(part[5..].to_vec()).is_some() {
                    return Err(b"ERR Invalid metadata value, name argument was given multiple times".to_vec());
                }
            }
            _ => return Err(quoting("ERR Invalid metadata value given: ", part, "")),
        }
    }
    let name = name.ok_or(b"ERR Library name was not given".to_vec())?;
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if name.is_empty() || !name.iter().all(is_word) {
        return Err(b"ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character \
                     long"
            .to_vec());
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(quoting("ERR Engine '", &engine, "' not found"));
    }
    Ok((name, &source[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_of_scripts() {
        assert_eq!(split_script(b"return 1"), Ok((ScriptFlags::default(), &b"return 1"[..])));
        let (flags, rest) = split_script(b"#!lua flags=no-writes,allow-oom\nreturn 1").expect("a script");
        assert_eq!((flags.names().collect::<Vec<_>>(), rest), (vec!["no-writes", "allow-oom"], &b"\nreturn 1"[..]));
        assert!(flags.is_declared() && flags.has_no_writes());
        assert!(!split_script(b"#!lua\nx").expect("a script").0.has_no_writes());
        for (source, text) in [
            ("#!lua", "ERR Invalid script shebang"),
            ("#!python\n", "ERR Unexpected engine in script shebang: #!python"),
            ("#!lua flags=a\n", "ERR Unexpected flag in script shebang: a"),
            ("#!lua name=a\n", "ERR Unknown lua shebang option: name=a"),
        ] {
            assert_eq!(split_script(source.as_bytes()), Err(text.as_bytes().to_vec()), "{source}");
        }
    }

    #[test]
    fn first_lines_of_libraries() {
        assert_eq!(split_library(b"#!lua name=a_1\nx"), Ok((b"a_1".to_vec(), &b"\nx"[..])));
        assert_eq!(split_library(b"#!LUA NAME=a\nx"), Ok((b"a".to_vec(), &b"\nx"[..])));
        for (source, text) in [
            ("x", "ERR Missing library metadata"),
            ("#!lua name=a", "ERR Invalid library metadata"),
            ("#!lua\n", "ERR Library name was not given"),
            ("#!lua name=a name=b\n", "ERR Invalid metadata value, name argument was given multiple times"),
            ("#!lua foo=a\n", "ERR Invalid metadata value given: foo=a"),
            ("#!foo name=a\n", "ERR Engine 'foo' not found"),
        ] {
            assert_eq!(split_library(source.as_bytes()), Err(text.as_bytes().to_vec()), "{source}");
        }
        assert!(split_library(b"#!lua name=a-b\n").is_err());
    }
}
