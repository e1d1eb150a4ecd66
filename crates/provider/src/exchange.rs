//! A request and its answer as a dialect sees them: bytes and words, without a socket.

use std::borrow::Cow;

use firedrill_failover::Status;

/// A request as it came in.
#[derive(Copy, Clone)]
pub struct Incoming<'a> {
    /// `POST`.
    pub method: &'a str,
    /// The path, without the query; `/v1/chat/completions`.
    pub path: &'a str,
    /// The query, without its question mark; empty if there is none.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a dyn Headers,
    /// The whole body.
    pub body: &'a [u8],
}

/// The headers of a request, wherever they are kept.
pub trait Headers {
    /// The first of this name, in lower case, that is text.
    fn header(&self, name: &str) -> Option<&str>;
}

/// Names, in lower case, and values.
impl Headers for Vec<(String, String)> {
    fn header(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(feature = "server")]
impl Headers for hyper::HeaderMap {
    fn header(&self, name: &str) -> Option<&str> {
        self.get_all(name).iter().find_map(|value| value.to_str().ok())
    }
}

impl Incoming<'_> {
    /// The first header of this name, in lower case, that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.header(name)
    }
}

/// What a request asks for.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// The token that it was sent with: a secret.
    pub token: String,
    /// The model it is for.
    pub model: String,
    /// The shape in which it is asked, and answered.
    pub form: Form,
    /// Whether the answer should come as a stream.
    pub stream: bool,
    /// Whether a stream should end with its usage, where that must be asked for.
    pub usage: bool,
    /// About how many LLM tokens the question has.
    pub llm_tokens: u64,
    /// How many LLM tokens the answer may have at most, if the request says.
    pub most_llm_tokens: Option<u64>,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { token: _, model, form, stream, usage, llm_tokens, most_llm_tokens } = self;
        f.debug_struct("Question")
            .field("model", model)
            .field("form", form)
            .field("stream", stream)
            .field("usage", usage)
            .field("llm_tokens", llm_tokens)
            .field("most_llm_tokens", most_llm_tokens)
            .finish_non_exhaustive()
    }
}

/// The shapes of a question and its answer that the dialects have between them.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// OpenAI's chat completions, which many others speak as well.
    Chat,
    /// Anthropic's messages.
    Messages,
    /// Gemini's `generateContent`.
    Generate {
        /// Whether a stream is one JSON array instead of events.
        array: bool,
    },
    /// Bedrock's `converse`.
    Converse,
    /// Bedrock's `invoke`, with Anthropic's messages inside.
    Invoke,
    /// DashScope's own `generation`.
    Generation {
        /// Whether the answer is a message, not a bare text.
        message: bool,
        /// Whether each event of a stream says only what is new, not all that was said so far.
        increments: bool,
    },
}

/// What a well answer says, if nothing else is said.
pub const TEXT: &str = "This is a rehearsal: the answer comes from a mock provider.";

/// An answer, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: Status,
    /// Its headers, `content-type` among them, without those that frame the body.
    pub headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// Its body.
    pub body: Body,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// All at once.
    Whole(Vec<u8>),
    /// As a stream: each event in its framing, with whatever ends it.
    Events(Events),
}

/// The events of a stream. They stand one after the other in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Events {
    /// None yet, and room for so many with so many bytes in all.
    pub(crate) fn with_capacity(events: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(events) }
    }

    /// Adds the one that `write` writes behind what is there.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Each by itself.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.bytes[begin..*end])
    }

    /// The memory in which they stand, and where each ends.
    #[cfg(feature = "server")]
    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<usize>) {
        (self.bytes, self.ends)
    }
}

impl<E: AsRef<[u8]>> FromIterator<E> for Events {
    fn from_iter<I: IntoIterator<Item = E>>(events: I) -> Self {
        let mut all = Self::default();
        events.into_iter().for_each(|event| all.push(|to| to.extend_from_slice(event.as_ref())));
        all
    }
}
