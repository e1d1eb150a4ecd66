//! HTTP/1.1 as RFC 9112 says it and no other way: the requests in what a client sends, the answers in what it is sent. It shares
//! nothing with what the gateway reads with.

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub method: String,
    pub target: String,
    /// HTTP/1.1, not 1.0.
    pub is_11: bool,
    pub fields: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: u16,
    pub fields: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// How a sequence of messages ends.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a whole message, or before the first.
    Clean,
    /// In the middle of one.
    Partial,
    /// With what is none, or could be understood in two ways.
    Wrong(&'static str),
}

type Read<T> = Result<T, End>;

/// The requests in `bytes`, where each ends, and what comes after the last.
pub(crate) fn requests(bytes: &[u8]) -> (Vec<(Asked, usize)>, End) {
    let (mut asked, mut reader) = (Vec::new(), Reader { bytes, at: 0 });
    loop {
        // Empty lines before a request are none of it.
        while reader.bytes[reader.at..].starts_with(b"\r\n") {
            reader.at += 2;
        }
        if reader.at == bytes.len() {
            return (asked, End::Clean);
        }
        match reader.request() {
            Ok(request) => asked.push((request, reader.at)),
            Err(end) => return (asked, end),
        }
    }
}

/// The methods of `meant`, the requests in `bytes`, and of what comes after them if it begins as one does: it is refused as one is.
pub(crate) fn methods<'a>(bytes: &'a [u8], meant: &'a [(Asked, usize)]) -> Vec<&'a str> {
    let rest = &bytes[meant.last().map_or(0, |(_, end)| *end)..];
    let begins = rest.trim_ascii_start().split(|byte| *byte == b' ').next();
    let next = begins.and_then(|method| str::from_utf8(method).ok());
    meant.iter().map(|(asked, _)| &*asked.method).chain(next).collect()
}

/// The answers in `bytes` to requests with these methods, without those that are interim; what ends with the connection ends where
/// `bytes` do.
pub(crate) fn answers(bytes: &[u8], methods: &[&str]) -> (Vec<Answer>, End) {
    let (mut answers, mut reader) = (Vec::<Answer>::new(), Reader { bytes, at: 0 });
    while reader.at < bytes.len() {
        let is_head = methods.get(answers.len()) == Some(&"HEAD");
        match reader.answer(is_head) {
            Ok(answer) if answer.status < 200 => {}
            Ok(answer) => answers.push(answer),
            Err(end) => return (answers, end),
        }
    }
    (answers, End::Clean)
}

/// The values of the fields with this name.
pub(crate) fn values<'a>(fields: &'a [(String, Vec<u8>)], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |(known, _)| known == name).map(|(_, value)| &**value)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What comes after a head.
enum Framing {
    Length(usize),
    Chunks,
    /// Nothing says how long it is.
    Unsaid,
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> Read<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return Err(End::Partial) };
        let line = rest[..end].strip_suffix(b"\r").ok_or(End::Wrong("a line feed alone"))?;
        if line.iter().any(|byte| matches!(byte, b'\r' | 0)) {
            return Err(End::Wrong("a carriage return or a zero within a line"));
        }
        self.at += end + 1;
        Ok(line)
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or(End::Partial)?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn request(&mut self) -> Read<Asked> {
        let line = self.line()?;
        let wrong = End::Wrong("a request line that is none");
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(wrong);
        };
        let is_11 = match version {
            b"HTTP/1.1" => true,
            b"HTTP/1.0" => false,
            _ => return Err(wrong),
        };
        let is_target = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
        if method.is_empty()
            || !method.iter().copied().all(is_token)
            || target.is_empty()
            || !target.iter().all(is_target)
        {
            return Err(wrong);
        }
        let fields = self.fields()?;
        let hosts = values(&fields, "host").count();
        if hosts > 1 || hosts == 0 && is_11 {
            return Err(End::Wrong("not one host"));
        }
        let body = match framing(&fields)? {
            Framing::Length(length) => self.take(length)?.to_vec(),
            Framing::Chunks if is_11 => self.chunks()?,
            Framing::Chunks => return Err(End::Wrong("chunks in HTTP/1.0")),
            Framing::Unsaid => Vec::new(),
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Asked { method: text(method), target: text(target), is_11, fields, body })
    }

    fn answer(&mut self, is_head: bool) -> Read<Answer> {
        let line = self.line()?;
        let status = line.strip_prefix(b"HTTP/1.1 ").or_else(|| line.strip_prefix(b"HTTP/1.0 "));
        let status = status.filter(|rest| rest.get(3).is_none_or(|byte| *byte == b' '));
        let status = status.and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok());
        let status = status.ok_or(End::Wrong("a status line that is none"))?;
        let fields = self.fields()?;
        let body = match framing(&fields)? {
            _ if is_head || status < 200 || status == 204 || status == 304 => Vec::new(),
            Framing::Length(length) => self.take(length)?.to_vec(),
            Framing::Chunks => self.chunks()?,
            Framing::Unsaid => self.take(self.bytes.len() - self.at)?.to_vec(),
        };
        Ok(Answer { status, fields, body })
    }

    fn fields(&mut self) -> Read<Vec<(String, Vec<u8>)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            let colon =
                line.iter().position(|byte| *byte == b':').ok_or(End::Wrong("a field without a colon"))?;
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            let is_text = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
            if name.is_empty() || !name.iter().copied().all(is_token) || !value.iter().all(is_text) {
                return Err(End::Wrong("a field that is none"));
            }
            fields.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()));
        }
    }

    fn chunks(&mut self) -> Read<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
            let is_length =
                !digits.is_empty() && digits.len() <= 16 && digits.iter().all(u8::is_ascii_hexdigit);
            let length =
                std::str::from_utf8(digits).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
            let length =
                length.filter(|_| is_length).ok_or(End::Wrong("the length of a chunk that is none"))?;
            if length == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            body.extend_from_slice(self.take(length)?);
            let rest = &self.bytes[self.at..];
            if rest.len() < 2 && b"\r\n".starts_with(rest) {
                return Err(End::Partial);
            }
            if !rest.starts_with(b"\r\n") {
                return Err(End::Wrong("a chunk that is longer than it says"));
            }
            self.at += 2;
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn framing(fields: &[(String, Vec<u8>)]) -> Read<Framing> {
    let lengths: Vec<&[u8]> = values(fields, "content-length").collect();
    let codings: Vec<&[u8]> = values(fields, "transfer-encoding").collect();
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(Framing::Unsaid),
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunks),
        ([length], []) if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
            let length = std::str::from_utf8(length).ok().and_then(|text| text.parse().ok());
            length.map(Framing::Length).ok_or(End::Wrong("a length that no body has"))
        }
        _ => Err(End::Wrong("a body whose length can be understood in two ways")),
    }
}
