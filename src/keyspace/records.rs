//! `Records`: commands as the log keeps them, RESP requests one after the other, with SELECT where the database changes.
//!
//! The SELECT before the first record is left out: whoever puts records behind others knows whether one is needed. Appending
//! allocates only while the buffer grows.

use crate::stdx::number::{INTEGER_TEXT_BYTES_MAX, format_u64};

/// See the file's head.
#[derive(Debug, Default, Clone)]
pub struct Records {
    bytes: Vec<u8>,
    /// The database of the first record.
    first: u32,
    /// The database that is selected behind the last.
    last: u32,
    /// Records, SELECT not counted.
    count: u32,
}

/// What must be known of records to put them behind others, besides their bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The database of the first record.
    pub first: u32,
    /// The database that is selected behind the last.
    pub last: u32,
    /// Records, SELECT not counted; 0: there are no bytes.
    pub count: u32,
}

impl Records {
    /// Nothing is in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Number of records.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is to be known of it.
    pub fn extent(&self) -> Extent {
        Extent { first: self.first, last: self.last, count: self.count }
    }

    /// Empties it; a buffer beyond `kept_bytes` is given back.
    pub fn clear(&mut self, kept_bytes: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(kept_bytes);
        (self.first, self.last, self.count) = (0, 0, 0);
    }

    /// Appends one command of `len` arguments.
    pub fn push<'a>(&mut self, database: u32, len: usize, arguments: impl Iterator<Item = &'a [u8]>) {
        self.push_behind(database, &[], len, arguments);
    }

    /// Appends one command: its first arguments, and `len` others.
    pub fn push_behind<'a>(
        &mut self,
        database: u32,
        first: &[&[u8]],
        len: usize,
        arguments: impl Iterator<Item = &'a [u8]>,
    ) {
        self.select(database);
        self.count += 1;
        push_count(&mut self.bytes, b'*', first.len() + len);
        for argument in first {
            push_argument(&mut self.bytes, argument);
        }
        for argument in arguments {
            push_argument(&mut self.bytes, argument);
        }
    }

    /// Appends one command.
    pub fn push_words(&mut self, database: u32, words: &[&[u8]]) {
        self.push(database, words.len(), words.iter().copied());
    }

    /// Appends other records.
    pub fn append(&mut self, other: &Records) {
        self.append_bytes(other.extent(), &other.bytes);
    }

    /// Appends other records, given their bytes.
    pub fn append_bytes(&mut self, extent: Extent, bytes: &[u8]) {
        if extent.count > 0 {
            self.select(extent.first);
            self.bytes.extend_from_slice(bytes);
            self.last = extent.last;
            self.count += extent.count;
        }
    }

    /// Appends other records so that all or none of them take effect: several between MULTI and EXEC.
    pub fn append_whole(&mut self, other: &Records) {
        if other.count > 1 {
            self.select(other.first);
            self.open_group();
            self.append(other);
            self.close_group();
        } else {
            self.append(other);
        }
    }

    /// Appends an annotation of the time, Unix seconds. Not in front of all others: a SELECT may have to stand there.
    pub fn annotate(&mut self, unix_s: u64) {
        let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
        self.bytes.extend_from_slice(b"#TS:");
        self.bytes.extend_from_slice(format_u64(&mut scratch, unix_s));
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// What follows stands in another file: its database is selected anew.
    pub fn forget_database(&mut self) {
        self.last = u32::MAX;
    }

    /// Begins what takes effect as a whole.
    pub fn open_group(&mut self) {
        self.bytes.extend_from_slice(b"*1\r\n$5\r\nMULTI\r\n");
    }

    /// Ends it.
    pub fn close_group(&mut self) {
        self.bytes.extend_from_slice(b"*1\r\n$4\r\nEXEC\r\n");
    }

    /// The next record is for this database.
    pub fn select(&mut self, database: u32) {
        if self.bytes.is_empty() {
            self.first = database;
        } else if self.last != database {
            push_select(&mut self.bytes, database);
        }
        self.last = database;
    }
}

/// Appends a SELECT.
pub fn push_select(bytes: &mut Vec<u8>, database: u32) {
    let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
    bytes.extend_from_slice(b"*2\r\n$6\r\nSELECT\r\n");
    push_argument(bytes, format_u64(&mut scratch, u64::from(database)));
}

fn push_argument(bytes: &mut Vec<u8>, argument: &[u8]) {
    push_count(bytes, b'$', argument.len());
    bytes.extend_from_slice(argument);
    bytes.extend_from_slice(b"\r\n");
}

fn push_count(bytes: &mut Vec<u8>, mark: u8, count: usize) {
    let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
    bytes.push(mark);
    bytes.extend_from_slice(format_u64(&mut scratch, count as u64));
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(records: &Records) -> String {
        String::from_utf8_lossy(records.bytes()).replace("\r\n", " ")
    }

    #[test]
    fn databases_are_selected_where_they_change() {
        let mut records = Records::default();
        records.push_words(3, &[b"DEL", b"a"]);
        records.push_words(3, &[b"DEL", b""]);
        records.push_words(0, &[b"DEL", b"b"]);
        assert_eq!(text(&records), "*2 $3 DEL $1 a *2 $3 DEL $0  *2 $6 SELECT $1 0 *2 $3 DEL $1 b ");
        assert_eq!(records.extent(), Extent { first: 3, last: 0, count: 3 });
        let mut all = Records::default();
        all.append(&Records::default());
        assert!(all.is_empty());
        all.push_words(3, &[b"X"]);
        all.append_whole(&records);
        let whole = text(&all);
        assert!(whole.starts_with("*1 $1 X *1 $5 MULTI *2 $3 DEL $1 a "), "{whole}");
        assert!(whole.ends_with("$1 b *1 $4 EXEC "), "{whole}");
        assert_eq!(all.extent(), Extent { first: 3, last: 0, count: 4 });
        all.append_whole(&records);
        assert!(text(&all).contains("EXEC *2 $6 SELECT $1 3 *1 $5 MULTI *2 $3 DEL"));
        all.clear(0);
        assert!(all.is_empty() && all.count() == 0);
    }
}
