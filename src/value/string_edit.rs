//! Editing the buffer of a long string: growth, and writing at a place that may lie behind its end.
//!
//! Called by the string and bitmap families on what `KeyWrite::edit_string` hands out. Lengths were checked against
//! `proto-max-bulk-len` before.

use crate::stdx::limits::STRING_DOUBLING_BYTES_MAX;

/// Appends `tail`.
pub fn append(bytes: &mut Vec<u8>, tail: &[u8]) {
    reserve(bytes, bytes.len() + tail.len());
    bytes.extend_from_slice(tail);
}

/// Writes `piece` at `offset`, over what is there; what lies between the end and the offset becomes zero.
pub fn write_at(bytes: &mut Vec<u8>, offset: usize, piece: &[u8]) {
    let end = offset + piece.len();
    if offset < bytes.len() {
        let over = piece.len().min(bytes.len() - offset);
        bytes[offset..offset + over].copy_from_slice(&piece[..over]);
        append(bytes, &piece[over..]);
        return;
    }
    grow_zeroed(bytes, end);
    bytes[offset..].copy_from_slice(piece);
}

/// Makes the string at least `len` bytes long with zeros.
pub fn grow_zeroed(bytes: &mut Vec<u8>, len: usize) {
    if len <= bytes.len() {
        return;
    }
    if len > bytes.capacity() && len / 2 > bytes.len() {
        // Mostly zeros: the system hands out pages that are zero already, so only what is there is written (512 MiB: some
        // microseconds instead of 0.2 s).
        let mut grown = vec![0; len];
        grown[..bytes.len()].copy_from_slice(bytes);
        *bytes = grown;
        return;
    }
    reserve(bytes, len);
    bytes.resize(len, 0);
}

/// Room for `len` bytes, with as much again for what may follow, or an eighth of it when that is much.
fn reserve(bytes: &mut Vec<u8>, len: usize) {
    if len > bytes.capacity() {
        let spare = if len < STRING_DOUBLING_BYTES_MAX { len } else { STRING_DOUBLING_BYTES_MAX.max(len / 8) };
        bytes.reserve_exact(len + spare - bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_over_across_and_behind_the_end() {
        type Case = (&'static [u8], usize, &'static [u8], &'static [u8]);
        let table: &[Case] = &[
            (b"", 0, b"abc", b"abc"),
            (b"", 2, b"x", b"\0\0x"),
            (b"abc", 1, b"X", b"aXc"),
            (b"abc", 1, b"XYZ", b"aXYZ"),
            (b"abc", 3, b"d", b"abcd"),
            (b"abc", 5, b"z", b"abc\0\0z"),
            (b"abc", 20, b"z", b"abc\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0z"),
            (b"abc", 0, b"", b"abc"),
            (b"abc", 5, b"", b"abc\0\0"),
        ];
        for (before, offset, piece, after) in table {
            let mut bytes = before.to_vec();
            write_at(&mut bytes, *offset, piece);
            assert_eq!(bytes, *after, "{piece:?} at {offset}");
        }
    }

    #[test]
    fn a_growing_string_is_seldom_copied_and_wastes_little() {
        let (mut bytes, mut moves, mut place) = (Vec::new(), 0, std::ptr::null());
        for _ in 0..40_000 {
            append(&mut bytes, &[b'x'; 1000]);
            if bytes.as_ptr() != place {
                (moves, place) = (moves + 1, bytes.as_ptr());
            }
        }
        assert_eq!(bytes.len(), 40_000_000);
        assert!(moves < 60, "{moves} moves");
        assert!(bytes.capacity() < 46_000_000, "{} bytes for 40,000,000", bytes.capacity());
    }
}
