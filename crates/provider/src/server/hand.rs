//! Answers that are given by hand to requests that are held.

use firedrill_yaml::{Problem, Source};

use crate::script::{Answer, Script};

/// Why a request that is held could not be answered.
#[derive(Debug)]
pub enum AnswerError {
    /// Something is wrong in the answer. Remedy: the problem says it.
    Answer(Problem),
    /// No request of this token is held just now. Remedy: `settled` waits until one has come in.
    NoneHeld(String),
}

impl std::fmt::Display for AnswerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answer(problem) => problem.fmt(f),
            Self::NoneHeld(token) => {
                write!(f, "no request of {token} is held (wait for it: `mock.settled(1).await`)")
            }
        }
    }
}

impl std::error::Error for AnswerError {}

/// An answer that is given by hand, as what it says, as a status, or as text.
pub trait IntoAnswer {
    /// What it says.
    ///
    /// # Errors
    /// What is wrong in the text, or that it is no status.
    fn into_answer(self) -> Result<Answer, Problem>;
}

impl IntoAnswer for Answer {
    fn into_answer(self) -> Result<Answer, Problem> {
        Ok(self)
    }
}

impl IntoAnswer for u16 {
    fn into_answer(self) -> Result<Answer, Problem> {
        self.to_string().as_str().into_answer()
    }
}

/// The script of one call: `429`, `{ status: 429, retryAfter: 5s }`, `{ fault: reset }`.
impl IntoAnswer for &str {
    fn into_answer(self) -> Result<Answer, Problem> {
        let script: Script = Source::new("answer", self).parse("an answer")?;
        match script.answers()[..] {
            [answer] => Ok(answer.clone()),
            ref answers => {
                let problem = Problem::new(format!("expected one answer, found {}", answers.len()));
                Err(problem.hint("each request that is held is answered by itself"))
            }
        }
    }
}
