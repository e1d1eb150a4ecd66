//! Where the body of a request ends, as bytes: so that the head after it is found, also if a client does not wait for answers.

use crate::proxy::scan::{After, Ambiguous};

/// A chunk may be this long; what takes more digits is no length.
const MOST_DIGITS: usize = 16;

/// How far a body is.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Body {
    /// So many bytes are left.
    Left(u64),
    Chunks(Chunk),
}

/// What comes next of a body in chunks.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Chunk {
    /// Digits of a length.
    Length {
        length: u64,
        digits: usize,
    },
    /// What may stand after them.
    Extension {
        length: u64,
    },
    /// The line feed that ends them.
    LengthEnd {
        length: u64,
    },
    /// So many bytes of a chunk.
    Data(u64),
    DataReturn,
    DataEnd,
    /// A line after the last chunk; an empty one ends the body.
    Trailer {
        empty: bool,
    },
    TrailerEnd {
        last: bool,
    },
}

impl From<After> for Body {
    fn from(after: After) -> Self {
        match after {
            After::Length(length) => Self::Left(length),
            After::Chunks => Self::Chunks(Chunk::Length { length: 0, digits: 0 }),
        }
    }
}

impl Body {
    /// How many of `bytes` are of this body, and whether it ends with them.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(usize, bool), Ambiguous> {
        match self {
            Self::Left(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                Ok((taken, *left == 0))
            }
            Self::Chunks(chunk) => {
                let mut taken = 0;
                while taken < bytes.len() {
                    if let Chunk::Data(left) = chunk {
                        let some = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len() - taken);
                        (taken, *left) = (taken + some, *left - some as u64);
                        if *left == 0 {
                            *chunk = Chunk::DataReturn;
                        }
                        continue;
                    }
                    let next = chunk.next(bytes[taken])?;
                    taken += 1;
                    match next {
                        Some(next) => *chunk = next,
                        None => return Ok((taken, true)),
                    }
                }
                Ok((taken, false))
            }
        }
    }
}

impl Chunk {
    /// What comes after `byte`; `None` at the end of the body.
    fn next(self, byte: u8) -> Result<Option<Self>, Ambiguous> {
        let next = match (self, byte) {
            (Self::Length { length, digits }, _) if byte.is_ascii_hexdigit() && digits < MOST_DIGITS => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                Self::Length { length: length << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Self::Length { length, digits: 1.. } | Self::Extension { length }, b'\r') => {
                Self::LengthEnd { length }
            }
            (Self::Length { length, digits: 1.. }, b';') => Self::Extension { length },
            (Self::Extension { length }, _) if is_text(byte) => Self::Extension { length },
            (Self::LengthEnd { length: length @ 1.. }, b'\n') => Self::Data(length),
            (Self::DataReturn, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Length { length: 0, digits: 0 },
            (Self::Trailer { empty }, b'\r') => Self::TrailerEnd { last: empty },
            (Self::Trailer { .. }, _) if is_text(byte) => Self::Trailer { empty: false },
            (Self::TrailerEnd { last: true }, b'\n') => return Ok(None),
            (Self::LengthEnd { .. } | Self::TrailerEnd { last: false }, b'\n') => {
                Self::Trailer { empty: true }
            }
            _ => return Err(Ambiguous),
        };
        Ok(Some(next))
    }
}

/// What may stand in a line: no control but a tab.
fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(after: After, bytes: &str, expect: Result<(usize, bool), Ambiguous>) {
        assert_eq!(Body::from(after).take(bytes.as_bytes()), expect, "{bytes:?}");
        let (mut body, mut taken) = (Body::from(after), Ok((0, false)));
        for byte in bytes.as_bytes() {
            match (&mut taken, body.take(&[*byte])) {
                (Ok((_, true)) | Err(_), _) => break,
                (Ok((taken, over)), Ok((one, end))) => (*taken, *over) = (*taken + one, end),
                (failed, Err(error)) => *failed = Err(error),
            }
        }
        assert_eq!(taken, expect, "{bytes:?}, byte by byte");
    }

    #[test]
    fn a_body_ends_where_its_length_says() {
        check(After::Length(3), "abcPOST", Ok((3, true)));
        check(After::Length(9), "abc", Ok((3, false)));
    }

    #[test]
    fn a_body_ends_with_its_last_chunk_and_its_trailer() {
        let chunks = "a;x=\"y\"\r\n0123456789\r\n0\r\n\r\n";
        check(After::Chunks, &format!("{chunks}GET /"), Ok((chunks.len(), true)));
        let chunks = "2\r\n\r\n\r\n00\r\ntrailer: 1\r\n\r\n";
        check(After::Chunks, &format!("{chunks}GET /"), Ok((chunks.len(), true)));
        check(After::Chunks, "2\r\nab", Ok((5, false)));
    }

    #[test]
    fn chunks_that_are_none_are_refused() {
        for bytes in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            " 2\r\nab\r\n",
            "2 \r\nab\r\n",
            "2\nab\r\n0\r\n\r\n",
            "2\r\nabc\r\n",
            "2\r\nab\n0\r\n\r\n",
            "2;\nab",
            "00000000000000002\r\nab",
            "2;a=\0\r\nab",
            "0\r\n\n",
            "0\r\nx: \0\r\n\r\n",
            "0\r\nx: 1\n\r\n",
        ] {
            let taken = Body::from(After::Chunks).take(bytes.as_bytes());
            assert_eq!(taken, Err(Ambiguous), "{bytes:?}");
        }
    }
}
