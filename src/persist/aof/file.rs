//! What the log is written to. A double stands in for a file in the simulation: it fails, writes less than it was asked
//! to, and forgets what was not synced.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

/// See the file's head. Shared, so that a sync can be under way while others append.
pub trait LogFile: Send + Sync {
    /// Appends some of these bytes; how many.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Cuts the file off behind so many bytes.
    fn cut(&self, len: u64) -> io::Result<()>;
    /// What was appended is on the disk.
    fn sync(&self) -> io::Result<()>;
}

impl LogFile for File {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Appends bytes, all or none: what was written of them when it fails is cut off again. Returns how many the file has now
/// of them — not none when even the cut fails: then the rest must follow exactly there. `len`: the file's length.
pub fn append_all(file: &dyn LogFile, bytes: &[u8], len: &mut u64) -> (usize, io::Result<()>) {
    let mut written = 0;
    let error = loop {
        if written == bytes.len() {
            *len += written as u64;
            return (written, Ok(()));
        }
        match file.append(&bytes[written..]) {
            Ok(0) => break ErrorKind::WriteZero.into(),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break error,
        }
    };
    if written > 0
        && let Err(cut) = file.cut(*len)
    {
        tracing::warn!("Could not remove short write from the append-only file. It is completed later: {cut}");
        *len += written as u64;
        return (written, Err(error));
    }
    (0, Err(error))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Mutex;

    use super::*;

    thread_local! {
        static ROOM: Cell<usize> = const { Cell::new(0) };
        static MAY_CUT: Cell<bool> = const { Cell::new(true) };
    }

    /// A disk with so much room, written three bytes at a time.
    struct Small(Mutex<Vec<u8>>);

    impl LogFile for Small {
        fn append(&self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(3).min(ROOM.get());
            if count == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            ROOM.set(ROOM.get() - count);
            self.0.lock().map_err(|_| ErrorKind::Other)?.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn cut(&self, len: u64) -> io::Result<()> {
            if !MAY_CUT.get() {
                return Err(ErrorKind::Other.into());
            }
            self.0.lock().map_err(|_| ErrorKind::Other)?.truncate(len as usize);
            Ok(())
        }

        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_short_write_is_cut_off_or_completed() {
        let (file, mut len) = (Small(Mutex::default()), 0);
        let text = |file: &Small| String::from_utf8(file.0.lock().expect("one thread").clone()).expect("letters");
        ROOM.set(9);
        assert!(matches!(append_all(&file, b"abcd", &mut len), (4, Ok(()))));
        assert!(matches!(append_all(&file, b"efghij", &mut len), (0, Err(_))));
        assert_eq!((text(&file).as_str(), len), ("abcd", 4));
        (ROOM.set(4), MAY_CUT.set(false));
        let (written, result) = append_all(&file, b"efghij", &mut len);
        assert!(result.is_err());
        assert_eq!((written, len), (4, 8));
        ROOM.set(9);
        assert!(append_all(&file, &b"efghij"[written..], &mut len).1.is_ok());
        assert_eq!((text(&file).as_str(), len), ("abcdefghij", 10));
    }
}
