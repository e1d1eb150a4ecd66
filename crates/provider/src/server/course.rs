//! The course of an answer's body: what is sent, after which waits, and how it ends. Pure: whoever sends it does the waiting.
//!
//! What is sent is made when it is asked for, so that an endless body takes no more memory than a short one.

use firedrill_failover::Duration;
use hyper::body::Bytes;

use crate::exchange::Body;
use crate::fault::{After, Drip, Fault};

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Wait so long.
    Wait(Duration),
    /// Send this; never empty.
    Send(Bytes),
    /// Send nothing more, and keep the connection.
    Hang,
    /// Everything that is to be sent has been.
    End,
}

#[derive(Debug)]
pub(crate) struct Course {
    /// What is sent, each after a wait.
    parts: std::vec::IntoIter<Part>,
    /// What is sent over and over after that.
    forever: Option<Part>,
    /// The wait between two pieces of a part.
    drip: Option<Duration>,
    /// The wait before the next piece.
    hold: Option<Duration>,
    /// How many bytes at once.
    piece: usize,
    /// Where it stops, if before its end.
    stop: Option<Stop>,
    /// What of a part is not sent yet.
    left: Bytes,
}

type Part = (Duration, Bytes);

#[derive(Clone, Debug)]
struct Stop {
    /// So many bytes may be sent still.
    bytes: u64,
    /// Whether the connection is kept.
    hang: bool,
}

/// An endless answer that is no stream ends in blanks, which JSON allows.
const BLANKS: [u8; 16 << 10] = [b' '; 16 << 10];

impl Course {
    /// The course of `body` under `fault`; `first` comes before the first event of a stream and `between` before each of the
    /// others.
    pub(crate) fn new(body: Body, fault: Option<&Fault>, first: Duration, between: Vec<Duration>) -> Self {
        let stream = matches!(body, Body::Events(_));
        let mut parts: Vec<Part> = match body {
            Body::Whole(bytes) => vec![(Duration::ZERO, bytes.into())],
            Body::Events(events) => {
                let waits = std::iter::once(first).chain(between);
                waits.zip(events).map(|(wait, event)| (wait, event.into())).collect()
            }
        };
        let mut course = Self {
            parts: Vec::new().into_iter(),
            forever: None,
            drip: None,
            hold: None,
            piece: usize::MAX,
            stop: None,
            left: Bytes::new(),
        };
        match fault {
            Some(Fault::Cut(after)) => course.stop = Some(Stop::after(*after, stream, &parts, false)),
            Some(Fault::StallAfter(after)) => course.stop = Some(Stop::after(*after, stream, &parts, true)),
            Some(Fault::MalformedChunk) => {
                course.stop = Some(Stop { bytes: length(&parts) / 2, hang: false });
            }
            Some(Fault::Drip(Drip { bytes, every })) => {
                course.piece = usize::try_from(bytes.get()).unwrap_or(usize::MAX);
                course.drip = Some(every.0);
            }
            Some(Fault::InvalidJson) => spoil(&mut parts, stream),
            Some(Fault::Endless) => course.forever = Some(endless(&mut parts, stream)),
            _ => {}
        }
        course.parts = parts.into_iter();
        course
    }

    /// The course of `body` as it is; of a stream without waits.
    pub(crate) fn plain(body: Body, fault: Option<&Fault>) -> Self {
        let between = match &body {
            Body::Events(events) => vec![Duration::ZERO; events.len()],
            Body::Whole(_) => Vec::new(),
        };
        Self::new(body, fault, Duration::ZERO, between)
    }

    /// Whether nothing comes any more.
    pub(crate) fn is_over(&self) -> bool {
        self.left.is_empty()
            && self.parts.as_slice().is_empty()
            && self.forever.is_none()
            && self.stop.is_none()
    }

    /// How many bytes it has in all, before its end or its stop.
    pub(crate) fn length(&self) -> u64 {
        length(self.parts.as_slice()) + self.left.len() as u64
    }

    /// What comes next. After [`Step::End`] and [`Step::Hang`] the same again.
    pub(crate) fn next(&mut self) -> Step {
        if let Some(Stop { bytes: 0, hang }) = self.stop {
            return if hang { Step::Hang } else { Step::End };
        }
        let hold = self.hold.take();
        if self.left.is_empty() {
            let Some((wait, bytes)) = self.parts.next().or_else(|| self.forever.clone()) else {
                return Step::End;
            };
            self.left = bytes;
            return match hold.map_or(wait, |hold| hold.max(wait)) {
                Duration::ZERO => self.next(),
                wait => Step::Wait(wait),
            };
        }
        if let Some(wait) = hold {
            return Step::Wait(wait);
        }
        let most = self.stop.as_ref().map_or(u64::MAX, |stop| stop.bytes);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let piece = self.left.split_to(self.left.len().min(self.piece).min(most));
        if let Some(stop) = &mut self.stop {
            stop.bytes -= piece.len() as u64;
        }
        self.hold = self.drip;
        Step::Send(piece)
    }
}

impl Stop {
    fn after(after: After, stream: bool, parts: &[Part], hang: bool) -> Self {
        let bytes = match after {
            After::Events(events) if stream => {
                length(&parts[..parts.len().min(usize::try_from(events.0).unwrap_or(usize::MAX))])
            }
            After::Bytes(bytes) | After::Events(bytes) => bytes.0,
        };
        // In the middle, even if it is asked for past the end.
        Self { bytes: bytes.min(length(parts).saturating_sub(1)), hang }
    }
}

fn length(parts: &[Part]) -> u64 {
    parts.iter().map(|(_, bytes)| bytes.len() as u64).sum()
}

/// Makes the whole, or the first event, something that is no JSON.
fn spoil(parts: &mut [Part], stream: bool) {
    let Some((_, bytes)) = parts.first_mut() else { return };
    let mut spoilt = bytes.to_vec();
    // The framing of a stream stays what it is: only the brace that closes the document goes.
    match spoilt.iter().rposition(|byte| *byte == b'}') {
        Some(brace) if stream => spoilt[brace] = b',',
        _ => spoilt.truncate(spoilt.len() / 2),
    }
    *bytes = spoilt.into();
}

/// Leaves what comes before the part that is repeated for ever, and gives that.
fn endless(parts: &mut Vec<Part>, stream: bool) -> Part {
    if !stream {
        return (Duration::ZERO, Bytes::from_static(&BLANKS));
    }
    // One from the middle: the last ones say that the stream is over.
    let middle = parts.len() / 2;
    parts.truncate(middle + 1);
    parts.last().cloned().unwrap_or((Duration::ZERO, Bytes::from_static(b": \n\n")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use firedrill_yaml::Whole;

    use firedrill_block::Span;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn events() -> Body {
        Body::Events(vec![b"data: {\"a\":1}\n\n".to_vec(), b"two ".to_vec(), b"three".to_vec()])
    }

    fn whole() -> Body {
        Body::Whole(b"{\"a\": 1}".to_vec())
    }

    /// Plays at most `most` steps, each as a word.
    #[track_caller]
    fn check(body: Body, fault: Option<&Fault>, most: usize, expect: &str) {
        let mut course = Course::new(body, fault, ms(5), vec![ms(1), ms(0)]);
        let mut steps = Vec::new();
        while steps.len() < most {
            let step = course.next();
            steps.push(match &step {
                Step::Wait(wait) => format!("wait {wait}"),
                Step::Send(bytes) => format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(16)])),
                Step::Hang => "hang".to_owned(),
                Step::End => "end".to_owned(),
            });
            if matches!(step, Step::Hang | Step::End) {
                assert_eq!(course.next(), step);
                break;
            }
        }
        assert_eq!(steps.join(" | "), expect);
    }

    #[test]
    fn a_good_answer_comes_at_its_pace() {
        check(whole(), None, 9, r#""{\"a\": 1}" | end"#);
        check(events(), None, 9, r#"wait 5ms | "data: {\"a\":1}\n\n" | wait 1ms | "two " | "three" | end"#);
    }

    #[test]
    fn what_stops_never_comes_to_its_end() {
        let bytes = |bytes| After::Bytes(Whole(bytes));
        check(whole(), Some(&Fault::Cut(bytes(3))), 9, r#""{\"a" | end"#);
        check(whole(), Some(&Fault::Cut(bytes(0))), 9, "end");
        check(whole(), Some(&Fault::Cut(bytes(99))), 9, r#""{\"a\": 1" | end"#);
        check(whole(), Some(&Fault::Cut(After::Events(Whole(2)))), 9, r#""{\"" | end"#);
        let two = After::Events(Whole(2));
        let prefix = r#"wait 5ms | "data: {\"a\":1}\n\n" | wait 1ms | "two ""#;
        check(events(), Some(&Fault::Cut(two)), 9, &format!("{prefix} | end"));
        check(events(), Some(&Fault::StallAfter(two)), 9, &format!("{prefix} | hang"));
        check(events(), Some(&Fault::StallAfter(bytes(99))), 9, &format!("{prefix} | \"thre\" | hang"));
        check(whole(), Some(&Fault::MalformedChunk), 9, r#""{\"a\"" | end"#);
    }

    #[test]
    fn a_drip_waits_between_its_pieces() {
        let drip = Drip { bytes: 3.try_into().expect("not 0"), every: Span(ms(7)) };
        let expect = r#""{\"a" | wait 7ms | "\": " | wait 7ms | "1}" | end"#;
        check(whole(), Some(&Fault::Drip(drip)), 9, expect);
    }

    #[test]
    fn what_is_no_json_keeps_its_framing() {
        check(whole(), Some(&Fault::InvalidJson), 9, r#""{\"a\"" | end"#);
        check(events(), Some(&Fault::InvalidJson), 2, r#"wait 5ms | "data: {\"a\":1,\n\n""#);
    }

    #[test]
    fn an_endless_answer_goes_on() {
        check(whole(), Some(&Fault::Endless), 3, r#""{\"a\": 1}" | "                " | "                ""#);
        let expect = r#"wait 5ms | "data: {\"a\":1}\n\n" | wait 1ms | "two " | wait 1ms | "two ""#;
        check(events(), Some(&Fault::Endless), 6, expect);
    }
}
