//! A search for made-up tokens, whole or half of one, in whatever coding: for every test that looks at what was printed, logged,
//! served or written. `.ci/secrets.py` does the same, with code of its own, for what stays on disk.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Each half of a token has a block of so many bytes in it that begins at a multiple of that.
const BLOCK: usize = 6;
/// Shorter tokens have halves that stand anywhere by chance.
const SHORTEST: usize = 2 * (2 * BLOCK - 1);

/// What is searched for.
pub(crate) struct Search {
    forms: Vec<Vec<u8>>,
    /// In which forms a block stands, and where.
    blocks: BTreeMap<[u8; BLOCK], Vec<(usize, usize)>>,
}

impl Search {
    /// For each of these, and half of it.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let forms: Vec<Vec<u8>> = secrets.into_iter().flat_map(forms).collect();
        let mut blocks = BTreeMap::<_, Vec<_>>::new();
        for (number, form) in forms.iter().enumerate() {
            assert!(form.len() >= SHORTEST, "too short to search for half of it");
            for (block, at) in form.chunks_exact(BLOCK).zip((0..).step_by(BLOCK)) {
                blocks.entry(block.try_into().expect("a block")).or_default().push((number, at));
            }
        }
        Self { forms, blocks }
    }

    /// The first part of a form that is in `bytes`, if it is half of that or more.
    pub(crate) fn shown(&self, bytes: &[u8]) -> Option<String> {
        let part = bytes.windows(BLOCK).enumerate().find_map(|(found, block)| {
            let stands = self.blocks.get(block)?;
            stands.iter().find_map(|(number, at)| {
                let form = &self.forms[*number];
                let same = |(one, two): &(&u8, &u8)| one == two;
                let before =
                    bytes[..found].iter().rev().zip(form[..*at].iter().rev()).take_while(same).count();
                let after = bytes[found..].iter().zip(&form[*at..]).take_while(same).count();
                (before + after >= form.len() / 2).then(|| &bytes[found - before..found + after])
            })
        })?;
        Some(String::from_utf8_lossy(part).into_owned())
    }

    /// # Panics
    /// If `bytes` show a secret.
    #[track_caller]
    pub(crate) fn assert_hidden(&self, what: &str, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        if let Some(part) = self.shown(bytes) {
            panic!("`{part}` in {what}:\n{}", String::from_utf8_lossy(bytes));
        }
    }

    /// Plants half of every form of each of `secrets` and finds it, and nothing where nothing is.
    #[track_caller]
    pub(crate) fn prove<'a>(&self, secrets: impl IntoIterator<Item = &'a str>) {
        let bytes = |middle: &[u8]| [&[b'x'; 500], middle, b"y"].concat();
        for secret in secrets {
            for form in forms(secret) {
                let half = form.len() / 2;
                for at in 0..=form.len() - half {
                    assert!(self.shown(&bytes(&form[at..at + half])).is_some(), "{secret} from {at} on");
                }
            }
            let basic = base64(format!("user:{secret}!").as_bytes());
            assert!(self.shown(basic.as_bytes()).is_some(), "as basic authentication has it");
        }
        assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVh");
        assert_eq!(self.shown(b"sk-a"), None);
    }
}

/// The tokens of `.ci/secrets.txt`.
pub(crate) fn listed() -> impl Iterator<Item = &'static str> {
    include_str!("../.ci/secrets.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// What a secret may look like: itself, and codings of it.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let hex = |before: &str| {
        secret.bytes().fold(String::new(), |mut text, byte| {
            write!(text, "{before}{byte:02x}").expect("to a text");
            text
        })
    };
    let mut forms = vec![secret.to_owned(), secret.to_lowercase(), hex(""), hex("%"), hex("\\x")];
    // In the middle of something it may begin at any of three places.
    forms.extend((0..3).map(|before| {
        let all = format!("{}{secret}", "\0".repeat(before));
        base64(&all.as_bytes()[..all.len() / 3 * 3]).split_off(4 * before.min(1))
    }));
    let upper = [hex(""), hex("%")].map(|text| text.to_uppercase());
    forms.into_iter().chain(upper).map(String::into_bytes).collect()
}

fn base64(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let three = |three: &[u8]| {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(alphabet[bits >> shift & 63]))
    };
    bytes.chunks_exact(3).flat_map(three).collect()
}
