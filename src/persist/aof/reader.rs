//! The commands of a log file, one after the other, from whatever bytes of it are there. Total: any bytes are a command, an
//! annotation, too few, or no log.
//!
//! As lenient as Redis with numbers, which are read up to the first byte that is no digit. Stricter behind arguments: their line
//! ends must be there, or an argument of which only the length was written before a power cut would be taken for zeros.

use crate::resp::request::ArgRange;

/// Longest header line, in bytes, as in Redis: annotations longer than this are no annotations.
pub const LINE_BYTES_MAX: usize = 1024;

/// Longest argument, in bytes.
const ARGUMENT_BYTES_MAX: u64 = u32::MAX as u64 / 2;

/// What stands at the beginning of the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A command of so many bytes; its arguments are in the given list.
    Command {
        /// Its bytes.
        bytes_len: usize,
    },
    /// An annotation of so many bytes, line end included.
    Annotation {
        /// Its bytes.
        bytes_len: usize,
    },
    /// More bytes are needed. At the end of the file: it was cut off here.
    NeedMore,
    /// This is no log.
    Broken,
}

/// Looks at the beginning of `bytes`; `arguments` gets where a command's arguments are in them.
pub fn next(bytes: &[u8], arguments: &mut Vec<ArgRange>) -> Step {
    arguments.clear();
    match bytes.first() {
        None => return Step::NeedMore,
        Some(b'#') => {
            return match line_len(bytes) {
                Some(bytes_len) => Step::Annotation { bytes_len },
                None if bytes.len() >= LINE_BYTES_MAX => Step::Broken,
                None => Step::NeedMore,
            };
        }
        Some(b'*') => {}
        Some(_) => return Step::Broken,
    }
    let Some(mut at) = line_len(bytes) else { return too_short(bytes) };
    let Some(count @ 1..) = header_number(&bytes[..at]) else { return Step::Broken };
    for _ in 0..count {
        let rest = &bytes[at..];
        match rest.first() {
            None => return Step::NeedMore,
            Some(b'$') => {}
            Some(_) => return Step::Broken,
        }
        let Some(header) = line_len(rest) else { return too_short(rest) };
        let Some(len) = header_number(&rest[..header]).filter(|&len| len <= ARGUMENT_BYTES_MAX) else {
            return Step::Broken;
        };
        let start = at + header;
        let end = start + len as usize;
        if bytes.len() < end + 2 {
            return if bytes.get(end).is_some_and(|&byte| byte != b'\r') { Step::Broken } else { Step::NeedMore };
        }
        if &bytes[end..end + 2] != b"\r\n" {
            return Step::Broken;
        }
        arguments.push(ArgRange { start: start as u32, len: len as u32 });
        at = end + 2;
    }
    Step::Command { bytes_len: at }
}

fn too_short(bytes: &[u8]) -> Step {
    if bytes.len() >= LINE_BYTES_MAX { Step::Broken } else { Step::NeedMore }
}

/// Length of the first line with its end.
fn line_len(bytes: &[u8]) -> Option<usize> {
    let seen = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    memchr::memchr(b'\n', seen).map(|at| at + 1)
}

/// The number behind the first byte of a line.
fn header_number(line: &[u8]) -> Option<u64> {
    let digits = line[1..].iter().take_while(|byte| byte.is_ascii_digit());
    let mut any = false;
    let number = digits.fold(0u64, |number, &digit| {
        any = true;
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    any.then_some(number)
}

/// The time that an annotation tells, Unix seconds.
pub fn timestamp(annotation: &[u8]) -> Option<i64> {
    let text = annotation.strip_prefix(b"#TS:")?.trim_ascii();
    crate::stdx::number::parse_i64(text)
}

/// Whether the rest of a file, up to its end, is the beginning of a command and zeros: what is left of a write when only the
/// file's length came to the disk.
pub fn is_zero_tail(bytes: &[u8]) -> bool {
    let written = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
    written < bytes.len() && matches!(next(&bytes[..written], &mut Vec::new()), Step::NeedMore)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(bytes: &[u8]) -> (Step, Vec<String>) {
        let mut arguments = Vec::new();
        let step = next(bytes, &mut arguments);
        let words = arguments.iter().map(|range| String::from_utf8_lossy(range.of(bytes, &[])).into_owned());
        (step, words.collect())
    }

    #[test]
    fn commands_and_annotations() {
        const TWO: &[u8] = b"*2\r\n$3\r\nDEL\r\n$0\r\n\r\n*1\r\n$1\r\nX\r\n";
        assert_eq!(words(TWO), (Step::Command { bytes_len: 19 }, vec!["DEL".into(), String::new()]));
        assert_eq!(words(&TWO[19..]).0, Step::Command { bytes_len: 11 });
        assert_eq!(words(b"#TS:12\r\n*1\r\n").0, Step::Annotation { bytes_len: 8 });
        assert_eq!((timestamp(b"#TS:12\r\n"), timestamp(b"#x\r\n")), (Some(12), None));
        for cut in 0..19 {
            assert_eq!(words(&TWO[..cut]).0, Step::NeedMore, "{cut}");
        }
    }

    #[test]
    fn what_is_no_log() {
        for bytes in ["x", "\0\0", "*\r\n", "*0\r\n", "*-1\r\n", "*1\r\nx", "*1\r\n$x\r\n", "*1\r\n$99999999999\r\n"] {
            assert_eq!(words(bytes.as_bytes()).0, Step::Broken, "{bytes:?}");
        }
        assert_eq!(words(&[b'*'; LINE_BYTES_MAX]).0, Step::Broken);
        assert_eq!(words(&[b'#'; LINE_BYTES_MAX]).0, Step::Broken);
        assert_eq!(words(&[&b"*1\r\n"[..], &[b'$'; LINE_BYTES_MAX]].concat()).0, Step::Broken);
        for (bytes, is_tail) in [
            (&b"\0\0"[..], true),
            (b"\0x", false),
            (b"*1\r\n$3\r\nab\0\0\0", true),
            (b"*1\r\n$\0\0", true),
            (b"x\0\0", false),
            (b"*1\r\n$1\r\nab\0", false),
        ] {
            assert_eq!(is_zero_tail(bytes), is_tail, "{bytes:?}");
        }
        assert_eq!(words(b"*1\r\n$1\r\nabc").0, Step::Broken);
    }
}
