//! Classes of keyspace events: the letters of `notify-keyspace-events` and their bits.
//!
//! The bits are Redis' own (`NOTIFY_…` in `server.h`). Anyone may read them; a command that changes a key names the class.

pub const KEYSPACE: u32 = 1 << 0;
pub const KEYEVENT: u32 = 1 << 1;
pub const GENERIC: u32 = 1 << 2;
pub const STRING: u32 = 1 << 3;
pub const LIST: u32 = 1 << 4;
pub const SET: u32 = 1 << 5;
pub const HASH: u32 = 1 << 6;
pub const ZSET: u32 = 1 << 7;
pub const EXPIRED: u32 = 1 << 8;
pub const EVICTED: u32 = 1 << 9;
pub const STREAM: u32 = 1 << 10;
pub const KEY_MISS: u32 = 1 << 11;
pub const MODULE: u32 = 1 << 13;
pub const NEW: u32 = 1 << 14;

/// What the letter `A` stands for: everything but key misses and new keys.
pub const ALL: u32 =
    GENERIC | STRING | LIST | SET | HASH | ZSET | EXPIRED | EVICTED | STREAM | MODULE;

/// Letters of the classes that `A` may replace, in the order in which they are printed.
const CLASSES: [(u8, u32); 11] = [
    (b'g', GENERIC),
    (b'$', STRING),
    (b'l', LIST),
    (b's', SET),
    (b'h', HASH),
    (b'z', ZSET),
    (b'x', EXPIRED),
    (b'e', EVICTED),
    (b't', STREAM),
    (b'd', MODULE),
    (b'n', NEW),
];

/// Letters that are printed after the classes.
const CHANNELS: [(u8, u32); 3] = [(b'K', KEYSPACE), (b'E', KEYEVENT), (b'm', KEY_MISS)];

/// The bits of the letters; `None` if one of them is no class.
pub fn read(letters: &[u8]) -> Option<u32> {
    letters.iter().try_fold(0, |bits, letter| {
        if *letter == b'A' {
            return Some(bits | ALL);
        }
        let known = CLASSES
            .iter()
            .chain(&CHANNELS)
            .find(|(own, _)| own == letter)?;
        Some(bits | known.1)
    })
}

/// The letters of the bits. With `A`, the letter `n` is not printed even if its bit is set: Redis does the same.
pub fn print(bits: u32) -> String {
    let mut letters = String::new();
    let all = bits & ALL == ALL;
    if all {
        letters.push('A');
    }
    let classes = CLASSES.iter().filter(|_| !all);
    for (letter, bit) in classes.chain(&CHANNELS) {
        if bits & bit != 0 {
            letters.push(char::from(*letter));
        }
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_bits() {
        for (letters, printed) in [
            ("", ""),
            ("KEA", "AKE"),
            ("Egx", "gxE"),
            ("g$lshzxetd", "A"),
            ("Anm", "Am"),
            ("EKn", "nKE"),
            ("xx", "x"),
        ] {
            assert_eq!(
                read(letters.as_bytes()).map(print).as_deref(),
                Some(printed),
                "{letters}"
            );
        }
        assert_eq!(read(b"KEq"), None);
    }
}
