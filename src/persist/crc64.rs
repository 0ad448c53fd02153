//! CRC-64 with the polynomial of Jones, the checksum of RDB files and of DUMP's payloads.
//!
//! Bits are taken lowest first, the sum begins at 0 and is not inverted: `123456789` gives e9c6d914c4b8d9ca. Eight bytes at a
//! time through eight tables, which the compiler fills.

/// The polynomial, bits mirrored.
const POLYNOMIAL: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();

/// `TABLES[n][byte]`: what a byte does to the sum when `n` more bytes follow it.
static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// The sum of what `sum` is the sum of, followed by `bytes`. Begin with 0.
pub fn update(sum: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut sum = sum;
    for word in words {
        let mixed = sum ^ u64::from_le_bytes(*word);
        let part = |place: usize| TABLES[7 - place][(mixed >> (8 * place)) as usize & 0xff];
        sum = part(0) ^ part(1) ^ part(2) ^ part(3) ^ part(4) ^ part(5) ^ part(6) ^ part(7);
    }
    for &byte in rest {
        sum = (sum >> 8) ^ TABLES[0][((sum ^ u64::from(byte)) & 0xff) as usize];
    }
    sum
}

/// The sum of two runs of bytes, one after the other, from the sum of each and the length of the second.
pub fn joined(first: u64, second: u64, second_bytes: u64) -> u64 {
    // What a byte of zeros does to a sum is linear: a matrix of bits, squared for twice as many.
    let mut step: [u64; 64] = std::array::from_fn(|bit| update(1 << bit, &[0]));
    let (mut sum, mut left) = (first, second_bytes);
    while left > 0 {
        if left & 1 == 1 {
            sum = product(&step, sum);
        }
        step = std::array::from_fn(|bit| product(&step, step[bit]));
        left >>= 1;
    }
    sum ^ second
}

fn product(matrix: &[u64; 64], vector: u64) -> u64 {
    matrix.iter().enumerate().filter(|(bit, _)| vector >> bit & 1 == 1).fold(0, |sum, (_, column)| sum ^ column)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, one bit at a time.
    fn by_bits(bytes: &[u8]) -> u64 {
        let mut sum = 0u64;
        for &byte in bytes {
            for bit in 0..8 {
                let carry = (sum & 1 == 1) != (byte >> bit & 1 == 1);
                sum = sum >> 1 ^ if carry { POLYNOMIAL } else { 0 };
            }
        }
        sum
    }

    #[test]
    fn known_sums() {
        assert_eq!(update(0, b""), 0);
        assert_eq!(update(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        // The test vector of Redis' crc64.c beside that one.
        let text = b"This is a test of the emergency broadcast system.";
        assert_eq!(update(0, text), by_bits(text));
    }

    #[test]
    fn sums_are_joined() {
        let bytes: Vec<u8> = (0..300u32).map(|at| (at * 73 + 5) as u8).collect();
        for cut in [0, 1, 7, 9, 100, 255, 256, 300] {
            let (first, second) = bytes.split_at(cut);
            let (first, second_sum) = (update(0, first), update(0, second));
            assert_eq!(joined(first, second_sum, second.len() as u64), update(0, &bytes), "cut at {cut}");
        }
    }

    #[test]
    fn any_length_in_any_pieces() {
        let bytes: Vec<u8> = (0..100u32).map(|at| (at * 37 + 11) as u8).collect();
        for len in 0..bytes.len() {
            let whole = by_bits(&bytes[..len]);
            assert_eq!(update(0, &bytes[..len]), whole, "{len} bytes");
            for cut in 0..len {
                assert_eq!(update(update(0, &bytes[..cut]), &bytes[cut..len]), whole, "{len} bytes cut at {cut}");
            }
        }
    }
}
