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

/// The waits between the events of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    /// They are all as long.
    Same(Duration),
    /// Before the second event, the third, and so on.
    Each(Vec<Duration>),
}

impl Between {
    fn before(&self, event: usize) -> Duration {
        match self {
            Self::Same(wait) => *wait,
            Self::Each(waits) => {
                event.checked_sub(1).and_then(|at| waits.get(at)).copied().unwrap_or_default()
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Course {
    /// The events that are not begun.
    rest: Bytes,
    /// Where each of them ends, counted from the start of the first event of all.
    ends: std::vec::IntoIter<usize>,
    /// How many events are begun, and where the last of them ends.
    begun: (usize, usize),
    /// The wait before the first event.
    first: Duration,
    between: Between,
    /// What is sent over and over after that, each time after a wait.
    forever: Option<(Duration, Bytes)>,
    /// The wait between two pieces of a part.
    drip: Option<Duration>,
    /// The wait before the next piece.
    hold: Option<Duration>,
    /// How many bytes at once.
    piece: usize,
    /// Where it stops, if before its end.
    stop: Option<Stop>,
    /// What of an event, or of a body that is no stream, is not sent yet.
    left: Bytes,
}

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
    pub(crate) fn new(body: Body, fault: Option<&Fault>, first: Duration, between: Between) -> Self {
        let (mut bytes, mut ends, stream) = match body {
            Body::Whole(bytes) => (bytes, Vec::new(), false),
            Body::Events(events) => {
                let (bytes, ends) = events.into_parts();
                (bytes, ends, true)
            }
        };
        let mut course = Self {
            rest: Bytes::new(),
            ends: Vec::new().into_iter(),
            begun: (0, 0),
            first,
            between,
            forever: None,
            drip: None,
            hold: None,
            piece: usize::MAX,
            stop: None,
            left: Bytes::new(),
        };
        match fault {
            Some(Fault::Cut(after)) => {
                course.stop = Some(Stop::after(*after, stream, bytes.len(), &ends, false));
            }
            Some(Fault::StallAfter(after)) => {
                course.stop = Some(Stop::after(*after, stream, bytes.len(), &ends, true));
            }
            Some(Fault::MalformedChunk) => {
                course.stop = Some(Stop { bytes: bytes.len() as u64 / 2, hang: false });
            }
            Some(Fault::Drip(Drip { bytes, every })) => {
                course.piece = usize::try_from(bytes.get()).unwrap_or(usize::MAX);
                course.drip = Some(every.0);
            }
            Some(Fault::InvalidJson) => spoil(&mut bytes, &mut ends),
            Some(Fault::Endless) if stream => {
                let number = endless(&mut bytes, &mut ends);
                let begin = number.checked_sub(1).map_or(0, |before| ends[before]);
                let repeated = if ends.is_empty() { b": \n\n".to_vec() } else { bytes[begin..].to_vec() };
                course.forever = Some((course.wait_before(number), repeated.into()));
            }
            Some(Fault::Endless) => course.forever = Some((Duration::ZERO, Bytes::from_static(&BLANKS))),
            _ => {}
        }
        if stream {
            (course.rest, course.ends) = (bytes.into(), ends.into_iter());
        } else {
            course.left = bytes.into();
        }
        course
    }

    /// The course of `body` as it is; of a stream without waits.
    pub(crate) fn plain(body: Body, fault: Option<&Fault>) -> Self {
        Self::new(body, fault, Duration::ZERO, Between::Same(Duration::ZERO))
    }

    /// Whether nothing comes any more.
    pub(crate) fn is_over(&self) -> bool {
        self.left.is_empty()
            && self.ends.as_slice().is_empty()
            && self.forever.is_none()
            && self.stop.is_none()
    }

    /// How many bytes it has in all, before its end or its stop.
    pub(crate) fn length(&self) -> u64 {
        (self.left.len() + self.rest.len()) as u64
    }

    /// What comes next. After [`Step::End`] and [`Step::Hang`] the same again.
    pub(crate) fn next(&mut self) -> Step {
        if let Some(Stop { bytes: 0, hang }) = self.stop {
            return if hang { Step::Hang } else { Step::End };
        }
        let mut hold = self.hold.take();
        if self.left.is_empty() {
            let Some((wait, bytes)) = self.begin() else { return Step::End };
            self.left = bytes;
            hold = Some(hold.map_or(wait, |hold| hold.max(wait))).filter(|wait| *wait > Duration::ZERO);
        }
        if let Some(wait) = hold {
            return Step::Wait(wait);
        }
        let most = self.stop.as_ref().map_or(u64::MAX, |stop| stop.bytes);
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(self.piece);
        let piece =
            if most < self.left.len() { self.left.split_to(most) } else { std::mem::take(&mut self.left) };
        if let Some(stop) = &mut self.stop {
            stop.bytes -= piece.len() as u64;
        }
        self.hold = self.drip;
        Step::Send(piece)
    }

    /// The next event, and the wait before it.
    fn begin(&mut self) -> Option<(Duration, Bytes)> {
        let Some(end) = self.ends.next() else { return self.forever.clone() };
        let (number, begin) = self.begun;
        self.begun = (number + 1, end);
        Some((self.wait_before(number), self.rest.split_to(end - begin)))
    }

    fn wait_before(&self, event: usize) -> Duration {
        if event == 0 { self.first } else { self.between.before(event) }
    }
}

impl Stop {
    fn after(after: After, stream: bool, length: usize, ends: &[usize], hang: bool) -> Self {
        let bytes = match after {
            After::Events(events) if stream => {
                let events = usize::try_from(events.0).unwrap_or(usize::MAX).min(ends.len());
                events.checked_sub(1).map_or(0, |last| ends[last] as u64)
            }
            After::Bytes(bytes) | After::Events(bytes) => bytes.0,
        };
        // In the middle, even if it is asked for past the end.
        Self { bytes: bytes.min((length as u64).saturating_sub(1)), hang }
    }
}

/// Makes the whole, or the first event, something that is no JSON.
fn spoil(bytes: &mut Vec<u8>, ends: &mut [usize]) {
    let first = ends.first().copied();
    let end = first.unwrap_or(bytes.len());
    // The framing of a stream stays what it is: only the brace that closes the document goes.
    match bytes[..end].iter().rposition(|byte| *byte == b'}') {
        Some(brace) if first.is_some() => bytes[brace] = b',',
        _ => {
            bytes.drain(end / 2..end);
            for other in ends {
                *other -= end - end / 2;
            }
        }
    }
}

/// Leaves of a stream what comes before the event that is repeated for ever, and that. Gives its number, from 0.
fn endless(bytes: &mut Vec<u8>, ends: &mut Vec<usize>) -> usize {
    // One from the middle: the last ones say that the stream is over.
    let middle = ends.len() / 2;
    ends.truncate(middle + 1);
    bytes.truncate(ends.last().copied().unwrap_or(0));
    middle
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
        Body::Events(["data: {\"a\":1}\n\n", "two ", "three"].iter().collect())
    }

    fn whole() -> Body {
        Body::Whole(b"{\"a\": 1}".to_vec())
    }

    /// Plays at most `most` steps, each as a word.
    #[track_caller]
    fn check(body: Body, fault: Option<&Fault>, most: usize, expect: &str) {
        let mut course = Course::new(body, fault, ms(5), Between::Each(vec![ms(1), ms(0)]));
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
