//! What SCAN, SSCAN, HSCAN and ZSCAN have in common: the cursor, the words behind it, and the walk over a collection.

use crate::resp::reply::Reply;
use crate::stdx::glob::Glob;
use crate::stdx::number::{self, INTEGER_TEXT_BYTES_MAX, format_u64};

use super::args::Args;
use super::error::CommandError;

/// Elements a call looks at when COUNT does not say.
const COUNT_DEFAULT: u64 = 10;
/// Steps a call makes for each element it is asked to look at. Beyond (a nearly empty table): it returns with fewer.
const STEPS_PER_ELEMENT: u64 = 10;

/// What is walked over; some words are only for one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walked {
    /// The keys of a database: TYPE is allowed.
    Keys,
    /// A hash: NOVALUES is allowed.
    Hash,
    /// A set or a sorted set.
    Members,
}

/// The words behind the cursor.
pub struct ScanOptions<'a> {
    glob: Option<Glob>,
    count: u64,
    /// Only keys of the type with this name.
    pub type_name: Option<&'a [u8]>,
    /// Only the fields of a hash.
    pub no_values: bool,
}

/// The cursor at an argument.
pub fn cursor(args: Args<'_>, index: usize) -> Result<u64, CommandError> {
    number::parse_u64(args.get(index)).ok_or(CommandError::InvalidCursor)
}

impl<'a> ScanOptions<'a> {
    /// Reads the arguments from `first` on.
    pub fn parse(args: Args<'a>, first: usize, walked: Walked) -> Result<ScanOptions<'a>, CommandError> {
        let mut options = ScanOptions { glob: None, count: COUNT_DEFAULT, type_name: None, no_values: false };
        let mut index = first;
        while index < args.len() {
            let has_value = index + 1 < args.len();
            if has_value && args.is(index, b"count") {
                let count = args.integer(index + 1)?;
                options.count = u64::try_from(count).ok().filter(|&count| count > 0).ok_or(CommandError::Syntax)?;
            } else if has_value && args.is(index, b"match") {
                options.glob = Some(Glob::new(args.get(index + 1))).filter(|glob| !glob.is_star());
            } else if has_value && walked == Walked::Keys && args.is(index, b"type") {
                options.type_name = Some(args.get(index + 1));
            } else if args.is(index, b"novalues") {
                if walked != Walked::Hash {
                    return Err(CommandError::Text("ERR NOVALUES option can only be used in HSCAN"));
                }
                options.no_values = true;
                index += 1;
                continue;
            } else {
                return Err(CommandError::Syntax);
            }
            index += 2;
        }
        Ok(options)
    }

    /// Whether the pattern, if there is one, matches.
    #[inline]
    pub fn accepts(&self, text: &[u8]) -> bool {
        self.glob.as_ref().is_none_or(|glob| glob.matches(text))
    }

    /// Makes steps until enough elements were met. `step` goes on from a cursor, puts what it meets into the page, and
    /// returns the next cursor, 0 at the end, which is where the walk is then.
    pub fn walk(&self, page: &mut Page, cursor: u64, mut step: impl FnMut(u64, &mut Page) -> u64) -> u64 {
        let (mut cursor, mut steps_left) = (cursor, self.count.saturating_mul(STEPS_PER_ELEMENT));
        loop {
            cursor = step(cursor, page);
            steps_left -= 1;
            if cursor == 0 || page.met >= self.count || steps_left == 0 {
                return cursor;
            }
        }
    }
}

/// What one call replies: the elements are known before the cursor that comes first.
pub struct Page {
    /// Elements met, whether they are shown or not.
    pub met: u64,
    elements: Reply,
    shown: usize,
}

impl Page {
    /// An empty page for this reply.
    pub fn new(reply: &Reply) -> Page {
        Page { met: 0, elements: Reply::new(reply.protocol), shown: 0 }
    }

    /// The next item is written here, and counts.
    pub fn item(&mut self) -> &mut Reply {
        self.shown += 1;
        &mut self.elements
    }

    /// Writes the reply.
    pub fn finish(self, reply: &mut Reply, cursor: u64) {
        reply.array(2);
        reply.bulk(format_u64(&mut [0; INTEGER_TEXT_BYTES_MAX], cursor));
        reply.array(self.shown);
        reply.append_range(&self.elements, 0, self.elements.position());
    }
}
