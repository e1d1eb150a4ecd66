//! The forms that a token comes back in: as it is, in a JSON text, in a URL.

/// What some JSON writers escape although they need not, so that no HTML begins in a text (`=` ends many a token).
const UNSAFE_IN_HTML: &[u8] = b"<>&'=";

/// Every form of `token`; it is the first itself. One that is made of letters, digits, `-`, `.`, `_` and `~` has no other.
pub(super) fn forms(token: &str) -> Vec<Box<[u8]>> {
    let json = |slashes: bool, html: bool| {
        written(token, move |byte| match byte {
            b'"' | b'\\' => Some(format!("\\{}", char::from(byte))),
            b'/' if slashes => Some("\\/".to_owned()),
            byte if html && UNSAFE_IN_HTML.contains(&byte) => Some(format!("\\u{byte:04x}")),
            _ => None,
        })
    };
    let url = |digits: fn(u8) -> String| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        written(token, move |byte| (!plain(byte)).then(|| digits(byte)))
    };
    let mut forms: Vec<Box<[u8]>> = Vec::new();
    for form in [
        token.as_bytes().into(),
        json(false, false),
        json(true, false),
        json(false, true),
        url(|byte| format!("%{byte:02X}")),
        url(|byte| format!("%{byte:02x}")),
    ] {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

fn written(token: &str, escape: impl Fn(u8) -> Option<String>) -> Box<[u8]> {
    let mut form = Vec::with_capacity(token.len());
    for byte in token.bytes() {
        match escape(byte) {
            Some(escaped) => form.extend_from_slice(escaped.as_bytes()),
            None => form.push(byte),
        }
    }
    form.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(token: &str, expect: &[&str]) {
        let forms = forms(token);
        let forms: Vec<_> = forms.iter().map(|form| String::from_utf8_lossy(form)).collect();
        assert_eq!(forms, expect);
    }

    #[test]
    fn a_token_has_the_forms_that_its_characters_are_escaped_in() {
        check("sk-proj-A1_b2.c3~", &["sk-proj-A1_b2.c3~"]);
        check("ab/c", &["ab/c", r"ab\/c", "ab%2Fc", "ab%2fc"]);
        check("a+b==", &["a+b==", r"a+b\u003d\u003d", "a%2Bb%3D%3D", "a%2bb%3d%3d"]);
        check("1:2", &["1:2", "1%3A2", "1%3a2"]);
        check(r#"a"\"#, &[r#"a"\"#, r#"a\"\\"#, "a%22%5C", "a%22%5c"]);
    }
}
