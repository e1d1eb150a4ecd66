//! What a file says of the gateway itself: where it listens, where its log is kept, what clients may take.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration as Time;

use firedrill_block::Span;
use firedrill_failover::Duration;
use firedrill_line::Limits;
use firedrill_store::{Fsync, RedisOptions, RedisStore};
use firedrill_yaml::{Place, Spanned, Whole, quoted};

use super::StoreSetting;
use super::check::Checker;
use super::kept::bytes;
use super::written::{AdminFile, FsyncWord, LimitsFile, StoreFile};
use crate::secret::Secret;
use crate::settings::Roots;

/// Where clients ask unless the file says something else.
pub(super) const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// Where the state is told unless the file says something else.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// A file of authorities has at most so many bytes: those that everybody trusts are a quarter of one.
const MOST_PEM: u64 = 4 << 20;

impl Checker {
    /// An address to listen at.
    pub(super) fn address(
        &mut self,
        written: Option<Spanned<String>>,
        default: SocketAddr,
        port: &str,
    ) -> SocketAddr {
        let Some(written) = written else { return default };
        written.parse().unwrap_or_else(|_| {
            let hint = format!("write `127.0.0.1:{port}`, or `0.0.0.0:{port}` for every network");
            let message = format!("expected an address with its port, found {}", quoted(&written));
            self.error(written.place, message, &hint);
            default
        })
    }

    pub(super) fn admin(&mut self, written: AdminFile) -> (Option<SocketAddr>, Option<Secret>) {
        if written.none {
            return (None, None);
        }
        let place = written.listen.as_ref().map_or(Place::UNKNOWN, |listen| listen.place);
        let address = self.address(written.listen, ADMIN, "8081");
        let token = written.token.map(|token| (token.place, self.keeper.find(&token)));
        let token = match token {
            None if !address.ip().is_loopback() => {
                let hint = "add `token: env:NAME` beside `listen`, or listen at `127.0.0.1:8081`";
                self.error(place, "others reach this address, and no token guards what is told there", hint);
                None
            }
            None => None,
            Some((_, Ok(found))) if is_sendable(&found.secret) => Some(found.secret),
            Some((place, Ok(_))) => {
                self.error(
                    place,
                    "expected a token that a header can hold",
                    "letters, digits and signs of ASCII, without blanks",
                );
                None
            }
            Some((_, Err(problem))) => {
                self.errors.push(problem);
                None
            }
        };
        (Some(address), token)
    }

    pub(super) fn store(&mut self, written: StoreFile) -> StoreSetting {
        let StoreFile { file, fsync, redis, prefix, certificates } = written;
        let of_redis = prefix.as_ref().or(certificates.as_ref()).map(|key| key.place);
        let alone = match (&file, &redis) {
            (Some(_), Some(redis)) => {
                Some((redis.place, "expected one place for the log, found a file and a server"))
            }
            (_, None) if of_redis.is_some() => {
                of_redis.map(|place| (place, "this has no effect without `redis`"))
            }
            (None, _) => fsync.as_ref().map(|fsync| (fsync.place, "this has no effect without `file`")),
            (Some(_), None) => None,
        };
        if let Some((place, message)) = alone {
            self.error(place, message, "write `{ file: pool.jsonl, fsync: always }` or `{ redis: env:REDIS_URL, prefix: firedrill }`");
        }
        if let Some(file) = file {
            let fsync = match fsync.map(Spanned::into_value) {
                None | Some(FsyncWord::Always) => Fsync::Always,
                Some(FsyncWord::Never) => Fsync::Never,
                Some(FsyncWord::Within(Span(time))) => Fsync::Within(real(time)),
            };
            return StoreSetting::File { path: self.keeper.path(&file), fsync };
        }
        let Some(redis) = redis else { return StoreSetting::Memory };
        let found = match self.keeper.find(&redis) {
            Ok(found) => found,
            Err(problem) => {
                self.errors.push(problem);
                return StoreSetting::Memory;
            }
        };
        if !["redis://", "rediss://", "redis+unix://"]
            .iter()
            .any(|scheme| found.secret.expose().starts_with(scheme))
        {
            let hint = "write it as `redis://host:6379`, or say where it is kept: `env:REDIS_URL`";
            self.error(redis.place, "expected the URL of a Redis or Valkey server", hint);
            return StoreSetting::Memory;
        }
        let mut options = RedisOptions::default();
        if let Some(prefix) = prefix {
            if prefix.is_empty() || prefix.contains(|c: char| !c.is_ascii_graphic() || matches!(c, '{' | '}'))
            {
                self.error(
                    prefix.place,
                    "expected what keys begin with",
                    "letters, digits and signs, without braces",
                );
            }
            options.prefix = prefix.value;
        }
        // What is wrong with it is told where it stands, and not when it is used first.
        let (mut place, mut hint) = (redis.place, "for example `{ redis: env:REDIS_URL }`");
        let mut usable = RedisStore::check(found.secret.expose(), &options);
        if let (Ok(()), Some(path)) = (&usable, certificates) {
            (place, hint) = (path.place, "a PEM file, for `rediss://`; the path is relative to this file");
            options.certificates = Some(self.keeper.path(&path));
            usable = RedisStore::check(found.secret.expose(), &options);
        }
        if let Err(error) = usable {
            self.error(place, error.to_string(), hint);
        }
        StoreSetting::Redis { url: found.secret, options }
    }

    pub(super) fn limits(&mut self, written: &LimitsFile) -> Limits {
        let default = Limits::default();
        let &LimitsFile {
            connections,
            head_bytes,
            body_bytes,
            head_time,
            body_time,
            idle_time,
            write_time,
            grace,
        } = written;
        Limits {
            connections: self.count(connections, default.connections),
            head_bytes: self.count(head_bytes, default.head_bytes),
            body_bytes: self.count(body_bytes, default.body_bytes),
            head_time: self.time(head_time, default.head_time),
            body_time: self.time(body_time, default.body_time),
            idle_time: self.time(idle_time, default.idle_time),
            write_time: self.time(write_time, default.write_time),
            grace: grace.map_or(default.grace, |grace| real(grace.value.0)),
        }
    }

    fn count(&mut self, written: Option<Spanned<Whole>>, default: usize) -> usize {
        let Some(Spanned { value: Whole(number), place }) = written else { return default };
        let number = usize::try_from(number).ok().filter(|number| (1..1 << 40).contains(number));
        number.unwrap_or_else(|| {
            self.error(
                place,
                "expected a number from 1 to 1099511627775",
                "leave it out for what is good for most",
            );
            default
        })
    }

    fn time(&mut self, written: Option<Spanned<Span>>, default: Time) -> Time {
        let Some(Spanned { value: Span(time), place }) = written else { return default };
        if time == Duration::ZERO {
            self.error(
                place,
                "expected a length of time above zero",
                "leave it out for what is good for most",
            );
        }
        real(time)
    }

    pub(super) fn roots(&mut self, path: &Spanned<String>) -> Option<Roots> {
        let hint = "a PEM file; the path is relative to this file";
        let read = bytes(&self.keeper.path(path), MOST_PEM)
            .map_err(|why| format!("cannot read {}: {why}", quoted(path)));
        match read.and_then(|pem| Roots::from_pem(&pem)) {
            Ok(roots) => Some(roots),
            Err(message) => {
                self.error(path.place, message, hint);
                None
            }
        }
    }
}

/// Whether a header can hold it.
fn is_sendable(secret: &Secret) -> bool {
    !secret.expose().is_empty() && secret.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

fn real(time: Duration) -> Time {
    Time::from_millis(time.as_millis())
}
