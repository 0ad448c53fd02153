//! The arguments of one command: slices of the buffer they arrived in. The command's name is argument 0.

use bytes::Bytes;

use crate::resp::request::ArgRange;
use crate::stdx::number;

use super::error::CommandError;

/// The arguments of one command, by reference.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    buffer: &'a [u8],
    ranges: &'a [ArgRange],
    bigs: &'a [Bytes],
}

impl<'a> Args<'a> {
    /// Arguments whose ranges refer to `buffer` and `bigs`.
    pub fn new(buffer: &'a [u8], ranges: &'a [ArgRange], bigs: &'a [Bytes]) -> Args<'a> {
        Args { buffer, ranges, bigs }
    }

    /// Number of arguments, the name included.
    #[inline]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// A command always has its name, so this is false; here because `len` is.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// One argument. The index must be below `len`.
    #[inline]
    pub fn get(&self, index: usize) -> &'a [u8] {
        let range = self.ranges[index];
        match range.big_index() {
            None => &self.buffer[range.start as usize..range.start as usize + range.len as usize],
            Some(big) => &self.bigs[big],
        }
    }

    /// The argument's own buffer, when it arrived in one.
    pub fn shared(&self, index: usize) -> Option<&'a Bytes> {
        self.ranges[index].big_index().map(|big| &self.bigs[big])
    }

    /// Whether an argument is this word, in any case.
    #[inline]
    pub fn is(&self, index: usize, word: &[u8]) -> bool {
        self.get(index).eq_ignore_ascii_case(word)
    }

    /// All arguments from `first` on.
    pub fn iter_from(self, first: usize) -> impl Iterator<Item = &'a [u8]> {
        (first..self.len()).map(move |index| self.get(index))
    }

    /// The arguments from `first` on, as arguments of their own (a subcommand's view).
    pub fn tail(&self, first: usize) -> Args<'a> {
        Args { ranges: &self.ranges[first..], ..*self }
    }

    /// A 64-bit integer, or Redis' "value is not an integer or out of range".
    #[inline]
    pub fn integer(&self, index: usize) -> Result<i64, CommandError> {
        number::parse_i64(self.get(index)).ok_or(CommandError::NotAnInteger)
    }

    /// The index of one of `databases` databases, or Redis' words for what is wrong with it.
    pub fn database(&self, index: usize, databases: usize) -> Result<u32, CommandError> {
        let number = self.integer(index)?;
        let number = i32::try_from(number).map_err(|_| CommandError::NotAnInt32)?;
        u32::try_from(number)
            .ok()
            .filter(|&number| (number as usize) < databases)
            .ok_or(CommandError::DatabaseOutOfRange)
    }
}
