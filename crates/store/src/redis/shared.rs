//! What the tasks of a store share, and what it does on the server: append, found anew, compact, catch up.

use std::sync::Arc;
use std::time::Duration;

use firedrill_failover::wire::{LONGEST_SNAPSHOT, snapshot_line};
use firedrill_failover::{Append, Appended, Fingerprint, Founding, Version};
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::fault::{Fault, wants_another_connection};
use super::follow::ask;
use super::link::{Away, Link, Links};
use super::mirror::{Heard, Mirror};
use super::script::{Answer, Line, PageStart, Scripts};
use super::settings::Server;
use crate::known::{Judged, checked};
use crate::store::StoreError;

/// What the tasks of a store share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) server: Server,
    pub(super) scripts: Scripts,
    pub(super) mirror: Mirror,
    pub(super) links: Links,
    /// Sent whenever the mirror or the link is another than before.
    pub(super) news: watch::Sender<()>,
    /// Held while an append is on its way. Of the workers of one process one asks the server at a time: the others would only
    /// hear that they were late, which the mirror tells them at once.
    turn: Mutex<()>,
}

impl Shared {
    pub(super) fn new(server: Server, pool: Fingerprint) -> Self {
        Self {
            scripts: Scripts::new(server.keys.clone()),
            server,
            mirror: Mirror::new(pool),
            links: Links::new(),
            news: watch::Sender::new(()),
            turn: Mutex::new(()),
        }
    }

    /// Appends what seems to be next.
    pub(super) async fn append(self: &Arc<Self>, append: &Append) -> Result<Appended, StoreError> {
        let _turn = self.turn.lock().await;
        let give_up = self.give_up();
        let mut asked = false;
        loop {
            match self.mirror.judge(append) {
                Ok(Judged::Known) => return Ok(Appended::Accepted),
                Ok(Judged::Stale(newer)) => return Ok(Appended::Refused(newer)),
                Ok(Judged::Next) => {}
                // The worker may have heard more, from another store, or the log is behind indeed.
                Err(StoreError::Behind { .. }) if !asked => {
                    self.catch_up().await?;
                    asked = true;
                    continue;
                }
                Err(error) => return Err(error),
            }
            let (number, mut on) = self.up().await?;
            let Some(line) = self.mirror.line(append)? else {
                if self.mirror.is_broken() {
                    self.begin_again(number).await?;
                }
                continue;
            };
            let answer = self.scripts.append(&mut on, append.expected, line.head, &line.text).await;
            match self.answer(number, answer)? {
                Answer::Accepted => {
                    let version = line.head.version;
                    // It is in the log. If it does not follow here, the follower finds out why.
                    if !matches!(self.hear(PageStart::Here, &[line]), Ok(Heard::All)) {
                        self.links.distrust(number);
                    }
                    self.compact_after(version, on);
                    return Ok(Appended::Accepted);
                }
                Answer::Newer(page) if page.start == PageStart::Here => {
                    if !matches!(self.hear(PageStart::Here, &page.lines), Ok(Heard::All)) {
                        self.begin_again(number).await?;
                    }
                }
                Answer::Newer(_) | Answer::Behind(_) | Answer::Refused => self.begin_again(number).await?,
            }
            self.not_past(give_up)?;
        }
    }

    /// Founds the log anew, if its head is the one that was seen and the proposal may take its place.
    pub(super) async fn found(&self, founding: &Founding) -> Result<Appended, StoreError> {
        let give_up = self.give_up();
        let line = checked(&snapshot_line(&founding.fold), LONGEST_SNAPSHOT)?;
        loop {
            if founding.replaces(founding.over) {
                let (number, mut on) = self.up().await?;
                let answer = self.scripts.found(&mut on, founding.over, founding.fold.head(), &line).await;
                let accepted = self.answer(number, answer)? == Answer::Accepted;
                let heard = self.begin_again(number).await;
                if accepted {
                    // Whether it could be heard or not.
                    return Ok(Appended::Accepted);
                }
                heard?;
            } else {
                self.catch_up().await?;
            }
            match self.mirror.judge_founding(founding)? {
                Judged::Known => return Ok(Appended::Accepted),
                Judged::Stale(newer) => return Ok(Appended::Refused(newer)),
                Judged::Next => self.not_past(give_up)?,
            }
        }
    }

    /// Hears all that is in the log by now.
    pub(super) async fn catch_up(&self) -> Result<(), StoreError> {
        loop {
            let (number, mut on) = self.up().await?;
            let before = self.mirror.head();
            let answer = ask(self, &mut on, before).await.map_err(|(fault, another)| {
                if another {
                    self.links.distrust(number);
                }
                self.away(Away { lasting: Duration::ZERO, fault })
            })?;
            let heard = match answer {
                Answer::Newer(page) if page.start == PageStart::Here => {
                    let heard = self.hear(PageStart::Here, &page.lines);
                    matches!(heard, Ok(Heard::All)).then_some(page.head)
                }
                _ => None,
            };
            let now = self.mirror.head();
            match heard {
                Some(newest) if now.version >= newest.version => return Ok(()),
                Some(_) if now != before => {}
                // What is there is another log, or damaged: the follower finds out, from the start.
                _ => return self.begin_again(number).await,
            }
        }
    }

    /// Hears `lines`, and tells who waits.
    pub(super) fn hear(&self, start: PageStart, lines: &[Line]) -> Result<Heard, Fault> {
        let silent = start == PageStart::Here && lines.is_empty();
        let heard = self.mirror.hear(start, lines);
        if !silent {
            self.news.send_replace(());
        }
        heard.map_err(Fault::from)
    }

    /// What there is of a connection from now on, for who waits.
    pub(super) fn set(&self, link: Link) {
        self.links.set(link);
        self.news.send_replace(());
    }

    /// Nothing, or why nothing is told until somebody does something.
    pub(super) fn undenied(&self) -> Result<(), StoreError> {
        self.links.denied().map_or(Ok(()), |away| Err(self.away(away)))
    }

    /// Nothing, or that the server has been away for longer than an answer may take.
    pub(super) fn reached(&self) -> Result<(), StoreError> {
        let away = self.links.away(self.server.options.response_timeout);
        away.map_or(Ok(()), |away| Err(self.away(away)))
    }

    pub(super) fn away(&self, Away { lasting, fault }: Away) -> StoreError {
        let server = self.server.name.clone();
        match fault {
            Fault::Away(why) => StoreError::Away { server, why, lasting },
            Fault::Denied { why, remedy } => StoreError::Denied { server, why, remedy },
            Fault::Damaged { place, why } => {
                StoreError::Unreadable { server, key: self.server.keys.log.clone(), place, why }
            }
        }
    }

    /// Now and then, after an append of this store: keeps the fold, and takes off what nobody needs. Nobody waits for it.
    /// If it fails, or the process ends before, the next one does it.
    fn compact_after(self: &Arc<Self>, version: Version, mut on: MultiplexedConnection) {
        let kept = self.server.options.kept;
        if !version.appends().is_multiple_of(kept) {
            return;
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let Some(fold) = shared.mirror.snapshot() else { return };
            if let Ok(line) = checked(&snapshot_line(&fold), LONGEST_SNAPSHOT) {
                let _ = shared.scripts.compact(&mut on, fold.head(), &line, kept).await;
            }
        });
    }

    async fn up(&self) -> Result<(u64, MultiplexedConnection), StoreError> {
        self.links.up(self.server.options.response_timeout).await.map_err(|away| self.away(away))
    }

    /// Has the log heard again on a new connection, for what was said on this one is not what is known.
    async fn begin_again(&self, number: u64) -> Result<(), StoreError> {
        self.links.distrust(number);
        self.up().await.map(drop)
    }

    fn answer(&self, number: u64, answer: RedisResult<Value>) -> Result<Answer, StoreError> {
        let fault = match answer {
            Ok(value) => match Answer::read(value) {
                Ok(answer) => return Ok(answer),
                Err(garbage) => garbage.into(),
            },
            Err(error) => {
                if wants_another_connection(&error) {
                    self.links.distrust(number);
                }
                Fault::of(&self.server, &error)
            }
        };
        Err(self.away(Away { lasting: Duration::ZERO, fault }))
    }

    fn give_up(&self) -> Instant {
        Instant::now() + self.server.options.response_timeout
    }

    fn not_past(&self, give_up: Instant) -> Result<(), StoreError> {
        if Instant::now() <= give_up {
            return Ok(());
        }
        let fault = Fault::Away("the log was changed again and again".to_owned());
        Err(self.away(Away { lasting: Duration::ZERO, fault }))
    }
}
