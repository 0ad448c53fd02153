//! What is wrong with RDB bytes, and where.

use std::fmt;

/// Why bytes are no value. `at` is the offset of the byte where it was noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Offset in what was read.
    pub at: usize,
    /// What is wrong there.
    pub cause: Cause,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The bytes end too early. A file may have more.
    Truncated,
    /// Not a form of values, or one that only a module knows.
    UnknownForm(u8),
    /// A value of a module, named by its id.
    Module(u64),
    /// A collection without elements, which no key may hold. Redis passes over such keys when it loads a file.
    Empty,
    /// Decompressed, it would take more memory than one value may.
    TooLarge,
    /// What begins otherwise than an RDB file does.
    Signature,
    /// A file of a version that cannot be read.
    Version(u16),
    /// The file's checksum is another one than its bytes'.
    Sum {
        /// What the file says.
        stated: u64,
        /// What its bytes say.
        computed: u64,
    },
    /// Anything else.
    Corrupt(&'static str),
}

impl LoadError {
    /// Something else wrong at an offset.
    pub fn corrupt(at: usize, what: &'static str) -> LoadError {
        LoadError { at, cause: Cause::Corrupt(what) }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "byte {}: {}", self.at, self.cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Truncated => write!(formatter, "the data ends too early"),
            Cause::UnknownForm(form) => write!(formatter, "unknown type of value {form}"),
            Cause::Module(id) => write!(formatter, "a value of the module type {}", ModuleName(*id)),
            Cause::Empty => write!(formatter, "a collection without elements"),
            Cause::TooLarge => write!(formatter, "a value too large to be decompressed"),
            Cause::Signature => write!(formatter, "Wrong signature trying to load DB from file"),
            Cause::Version(version) => write!(formatter, "Can't handle RDB format version {version}"),
            Cause::Sum { stated, computed } => {
                write!(formatter, "Wrong RDB checksum expected: ({computed:x}) but got ({stated:x}): RDB CRC error")
            }
            Cause::Corrupt(what) => write!(formatter, "{what}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// The nine characters of six bits that the id of a module type begins with.
pub struct ModuleName(pub u64);

impl fmt::Display for ModuleName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for place in (0..9).rev() {
            let six = (self.0 >> (10 + 6 * place)) & 0x3f;
            write!(formatter, "{}", char::from(ALPHABET[six as usize]))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let error = |at, cause| LoadError { at, cause }.to_string();
        assert_eq!(error(7, Cause::UnknownForm(99)), "byte 7: unknown type of value 99");
        // "AAAAAAAAB", version 3.
        assert_eq!(error(1, Cause::Module(1 << 10 | 3)), "byte 1: a value of the module type AAAAAAAAB");
    }
}
