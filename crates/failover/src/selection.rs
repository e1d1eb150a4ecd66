//! What comes of drawing a token, or why one cannot be drawn.

use crate::roster::TokenId;

/// A token drawn for a request.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Which.
    pub token: TokenId,
    /// Whether it is an unavailable one, drawn because none is available.
    pub fallback: bool,
}

/// Why a token cannot be drawn. It is told after the token's label: "sk-a cannot be drawn: …".
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSelectable {
    /// The pool does not know it. Remedy: a configuration that has it.
    #[error("it is not configured")]
    NotConfigured,
    /// The same request was sent with it before. Remedy: another token.
    #[error("it was tried already")]
    Tried,
    /// A token that is available and was not tried goes first. Remedy: draw that, or wait until this one is back.
    #[error("it is unavailable while another is available")]
    Unavailable,
}
