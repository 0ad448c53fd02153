//! Passwords as they are kept: the SHA-256 in hexadecimal digits, as Redis writes it into its files.

use std::hint::black_box;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::stdx::limits::PASSWORD_DIGITS_MAX;

/// Digits of a kept password.
pub const HASH_DIGITS: usize = 64;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A kept password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PasswordHash([u8; HASH_DIGITS]);

/// What is kept is not shown in traces either.
impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("PasswordHash")
    }
}

impl PasswordHash {
    /// Of a password in clear text.
    pub fn of(password: &[u8]) -> PasswordHash {
        let hash = digest(&SHA256, password);
        let mut digits = [0; HASH_DIGITS];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(hash.as_ref()) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        PasswordHash(digits)
    }

    /// From its digits, which must be all there and in lower case.
    pub fn from_digits(digits: &[u8]) -> Option<PasswordHash> {
        let digits: [u8; HASH_DIGITS] = digits.try_into().ok()?;
        digits.iter().all(|digit| DIGITS.contains(digit)).then_some(PasswordHash(digits))
    }

    /// Its digits.
    pub fn digits(&self) -> &[u8] {
        &self.0
    }

    /// Compares in a time that does not depend on where they differ.
    pub fn is(&self, other: &PasswordHash) -> bool {
        let difference = self.0.iter().zip(&other.0).fold(0, |all, (one, two)| black_box(all | (one ^ two)));
        difference == 0
    }
}

/// So many random hexadecimal digits from the system's source for secrets; none when it has failed.
pub fn random_digits(count: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count.min(PASSWORD_DIGITS_MAX)];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| DIGITS[usize::from(byte & 15)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_redis() {
        let known = b"34344e4d60c2b6d639b7bd22e18f2b0b91bc34bf0ac5f9952744435093cfb4e6";
        assert_eq!(PasswordHash::of(b"passwd4").digits(), known);
        let hash = PasswordHash::from_digits(known).expect("64 digits");
        assert!(hash.is(&PasswordHash::of(b"passwd4")));
        assert!(!hash.is(&PasswordHash::of(b"passwd5")));
        for wrong in [&known[..63], &[&known[..63], b"q"].concat(), &known.to_ascii_uppercase(), b""] {
            assert!(PasswordHash::from_digits(wrong).is_none());
        }
    }

    #[test]
    fn random_digits_are_as_many_as_asked_for() {
        let (one, two) = (random_digits(64).expect("a source"), random_digits(64).expect("a source"));
        assert_eq!((one.len(), two.len()), (64, 64));
        assert_ne!(one, two);
        assert!(one.iter().all(|digit| DIGITS.contains(digit)));
    }
}
