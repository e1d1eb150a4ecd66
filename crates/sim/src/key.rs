//! What tells one state of a world from another: 128 bits, mixed by a function of our own that never changes.

use core::fmt;

use crate::command::Token;

/// A state, being told number by number.
///
/// Two states with the same numbers are the same state. Two with other numbers have the same key with a probability of
/// about n² / 2¹²⁹ for n states: for ten million, one in 10²⁴.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(u64, u64);

impl Key {
    /// Nothing told yet.
    pub const fn new() -> Self {
        Self(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344)
    }

    /// Tells a number.
    pub fn add(&mut self, number: u64) {
        self.0 = mix(self.0 ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.1 = mix(self.1.rotate_left(23) ^ number.wrapping_mul(0xc2b2_ae3d_27d4_eb4f) ^ self.0);
    }

    /// Tells a length or a place.
    pub fn add_len(&mut self, number: usize) {
        self.add(number as u64);
    }

    /// Tells tokens, and where they end.
    pub fn add_tokens(&mut self, tokens: &[Token]) {
        self.add_len(tokens.len());
        for token in tokens {
            self.add(token.0.into());
        }
    }

    /// Tells what another key has been told.
    pub fn add_key(&mut self, key: Self) {
        self.add(key.0);
        self.add(key.1);
    }
}

/// Tells text, seven bytes at a time.
impl fmt::Write for Key {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for chunk in text.as_bytes().chunks(7) {
            self.add(chunk.iter().fold(chunk.len() as u64, |number, byte| (number << 8) | u64::from(*byte)));
        }
        Ok(())
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

const fn mix(mut bits: u64) -> u64 {
    bits ^= bits >> 32;
    bits = bits.wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits ^= bits >> 32;
    bits = bits.wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits ^ (bits >> 32)
}
