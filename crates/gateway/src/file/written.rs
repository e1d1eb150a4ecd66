//! The file of a gateway as it is written, before anything in it is checked; and its JSON schema.

use std::borrow::Cow;
use std::fmt;

use firedrill_block::{ProfileWord, ProviderBlock, Span};
use firedrill_yaml::{Spanned, Whole, custom, custom_at, quoted, unknown_key};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// The JSON schema of a gateway's file as text: draft 2020-12, with a line's end at the end. `docs/gateway.schema.json` is a
/// committed copy.
///
/// # Panics
/// Never: the schema is plain data.
pub fn gateway_schema() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Written>();
    let mut text = serde_json::to_string_pretty(&schema).expect("broken invariant: a schema is plain data");
    text.push('\n');
    text
}

/// A gateway: a pool of tokens, where their provider is, and where clients ask.
#[derive(Default, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "firedrill gateway", deny_unknown_fields)]
pub(crate) struct Written {
    /// The provider block, as Higress has it. A token is `env:NAME`, `file:PATH`, or itself.
    #[schemars(required)]
    pub(crate) provider: Option<Spanned<ProviderBlock>>,
    /// Which reading of the rules. Default: `standard`; `higress` is its exact meaning.
    pub(crate) profile: Option<ProfileWord>,
    /// What the pool is called: gateways that share a store and this name share one pool. Default: the type and the
    /// upstream.
    pub(crate) pool: Option<Spanned<String>>,
    /// Where requests go, such as `https://api.openai.com`. Default: the vendor's own API.
    pub(crate) upstream: Option<Spanned<String>>,
    /// A PEM file of authorities to trust for the upstream, beside those that everybody trusts.
    pub(crate) upstream_ca: Option<Spanned<String>>,
    /// Where clients ask. Default: `127.0.0.1:8080`.
    pub(crate) listen: Option<Spanned<String>>,
    /// Where the state is told. Default: `127.0.0.1:8081`.
    pub(crate) admin: Option<Spanned<AdminFile>>,
    /// Where the log is kept. Default: in memory.
    pub(crate) store: Option<Spanned<StoreFile>>,
    /// What clients may take.
    pub(crate) limits: Option<LimitsFile>,
    /// How the log lines are printed. Default: pretty.
    pub(crate) log: Option<LogFormat>,
}

/// What is told of the state, and to whom.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AdminMap {
    /// Where. Default: `127.0.0.1:8081`.
    listen: Option<Spanned<String>>,
    /// What whoever asks must bring as `authorization: Bearer`: `env:NAME`, `file:PATH`, or itself. Needed unless `listen`
    /// is of this machine alone.
    token: Option<Spanned<String>>,
}

/// `none`, or what is told of the state, and to whom.
#[derive(Debug, Default)]
pub(crate) struct AdminFile {
    pub(crate) none: bool,
    pub(crate) listen: Option<Spanned<String>>,
    pub(crate) token: Option<Spanned<String>>,
}

/// A log in a file or in Redis.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoreMap {
    /// In this file, for a gateway that comes back.
    file: Option<Spanned<String>>,
    /// When a file's appends reach the disk: `always` (the default), `never`, or within a time such as `100ms`.
    fsync: Option<Spanned<FsyncWord>>,
    /// On this Redis or Valkey server, for many gateways: a URL, or where it is kept, `env:NAME` or `file:PATH`.
    redis: Option<Spanned<String>>,
    /// What its keys there begin with. Default: `firedrill`.
    prefix: Option<Spanned<String>>,
    /// A PEM file of authorities to trust with `rediss://`, instead of the system's.
    certificates: Option<Spanned<String>>,
}

/// Where the log is kept: in memory unless one of these says something else.
#[derive(Debug, Default)]
pub(crate) struct StoreFile {
    pub(crate) file: Option<Spanned<String>>,
    pub(crate) fsync: Option<Spanned<FsyncWord>>,
    pub(crate) redis: Option<Spanned<String>>,
    pub(crate) prefix: Option<Spanned<String>>,
    pub(crate) certificates: Option<Spanned<String>>,
}

/// When an append reaches the disk.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum FsyncWord {
    Always,
    Never,
    Within(Span),
}

/// What clients may take. Real time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LimitsFile {
    /// Connections at the same time. Default: 10240.
    pub(crate) connections: Option<Spanned<Whole>>,
    /// Bytes of the head of a request. Default: 65536.
    pub(crate) head_bytes: Option<Spanned<Whole>>,
    /// Bytes of the body of a request. Default: 33554432.
    pub(crate) body_bytes: Option<Spanned<Whole>>,
    /// From the first byte of a request to the end of its head. Default: `10s`.
    pub(crate) head_time: Option<Spanned<Span>>,
    /// For the body of a request. Default: `1m`.
    pub(crate) body_time: Option<Spanned<Span>>,
    /// Between two requests on one connection. Default: `90s`.
    pub(crate) idle_time: Option<Spanned<Span>>,
    /// In which a client must take something of its answer. Default: `30s`.
    pub(crate) write_time: Option<Spanned<Span>>,
    /// For the answers that are being given when the gateway is asked to stop. Default: `5s`.
    pub(crate) grace: Option<Spanned<Span>>,
}

/// How log lines are printed.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// An object of JSON a line.
    Json,
}

const KEYS: [&str; 10] =
    ["provider", "profile", "pool", "upstream", "upstreamCa", "listen", "admin", "store", "limits", "log"];

/// Keys of a provider block that people paste without its `provider:`.
const OF_A_BLOCK: [&str; 9] = [
    "apiTokens",
    "failover",
    "retryOnFailure",
    "type",
    "id",
    "protocol",
    "timeout",
    "modelMapping",
    "openaiCustomUrl",
];

/// Whether `key` stands at the top of a gateway's file.
pub(super) fn is_a_key(key: &str) -> bool {
    KEYS.contains(&key)
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FileVisitor)
    }
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file of a gateway")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let mut file = Written::default();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            match key.as_str() {
                "provider" => file.provider = Some(map.next_value()?),
                "providers" => file.provider = Some(only_one(&key, map.next_value()?)?),
                "profile" => file.profile = Some(map.next_value()?),
                "pool" => file.pool = Some(map.next_value()?),
                "upstream" => file.upstream = Some(map.next_value()?),
                "upstreamCa" => file.upstream_ca = Some(map.next_value()?),
                "listen" => file.listen = Some(map.next_value()?),
                "admin" => file.admin = Some(map.next_value()?),
                "store" => file.store = Some(map.next_value()?),
                "limits" => file.limits = Some(map.next_value()?),
                "log" => file.log = Some(map.next_value()?),
                word if OF_A_BLOCK.contains(&word) => {
                    let message = format_args!("{} has no effect here", quoted(word));
                    let hint =
                        "it belongs to a provider block: put `provider:` above the block and indent it";
                    return Err(custom_at(key.place, message, hint));
                }
                _ => return Err(unknown_key(&key, &KEYS)),
            }
        }
        Ok(file)
    }
}

/// Higress's `providers` has a list. A gateway has one pool.
fn only_one<E: Error>(
    key: &Spanned<String>,
    mut blocks: Vec<Spanned<ProviderBlock>>,
) -> Result<Spanned<ProviderBlock>, E> {
    let found = blocks.len();
    blocks.pop().filter(|_| found == 1).ok_or_else(|| {
        let hint =
            "a gateway has one pool: put the block under `provider`, and give each of the others a gateway";
        custom_at(key.place, format_args!("expected one provider, found {found}"), hint)
    })
}

impl<'de> Deserialize<'de> for AdminFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = AdminFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map, or the word `none`")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<AdminFile, E> {
                if word == "none" {
                    return Ok(AdminFile { none: true, ..AdminFile::default() });
                }
                Err(custom(
                    format_args!("unknown word {}", quoted(word)),
                    "write `none`, or `{ listen: 127.0.0.1:8081 }`",
                ))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AdminFile, A::Error> {
                let AdminMap { listen, token } = AdminMap::deserialize(MapAccessDeserializer::new(map))?;
                Ok(AdminFile { none: false, listen, token })
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl JsonSchema for AdminFile {
    fn schema_name() -> Cow<'static, str> {
        "Admin".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<AdminMap>();
        json_schema!({ "anyOf": [map, { "const": "none" }] })
    }
}

impl<'de> Deserialize<'de> for StoreFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = StoreFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map, or the word `memory`")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<StoreFile, E> {
                if word == "memory" {
                    return Ok(StoreFile::default());
                }
                let hint = "write `memory`, `{ file: pool.jsonl }` or `{ redis: env:REDIS_URL }`";
                Err(custom("expected where the log is kept, found another word", hint))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<StoreFile, A::Error> {
                let StoreMap { file, fsync, redis, prefix, certificates } =
                    StoreMap::deserialize(MapAccessDeserializer::new(map))?;
                Ok(StoreFile { file, fsync, redis, prefix, certificates })
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl JsonSchema for StoreFile {
    fn schema_name() -> Cow<'static, str> {
        "Store".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<StoreMap>();
        json_schema!({ "anyOf": [{ "const": "memory" }, map] })
    }
}

impl<'de> Deserialize<'de> for FsyncWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match &*text {
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => {
                let span = serde::de::value::StrDeserializer::<D::Error>::new(&text);
                let hint = "write `always`, `never`, or a time such as `100ms`";
                let unknown = |_| custom(format_args!("unknown word {}", quoted(&text)), hint);
                Span::deserialize(span).map(Self::Within).map_err(unknown)
            }
        }
    }
}

impl JsonSchema for FsyncWord {
    fn schema_name() -> Cow<'static, str> {
        "Fsync".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let span = generator.subschema_for::<Span>();
        json_schema!({ "anyOf": [{ "enum": ["always", "never"] }, span] })
    }
}
