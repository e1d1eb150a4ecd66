//! What stands for a text where the text itself may not be.

use firedrill_failover::Fingerprint;
use sha2::{Digest, Sha256};

/// The fingerprint of a text: the first 64 bits of its SHA-256.
pub fn fingerprint(text: &str) -> Fingerprint {
    let digest = Sha256::digest(text.as_bytes());
    let bits = digest.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte));
    Fingerprint::new(bits)
}

/// What people call a token that nobody named: `token-` and the first 48 bits of its SHA-256.
pub fn label(token: Fingerprint) -> String {
    let mut label = format!("token-{token}");
    label.truncate("token-".len() + 12);
    label
}
