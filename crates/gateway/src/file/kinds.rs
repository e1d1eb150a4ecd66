//! The words of a provider block's `type`: where each vendor wants its token, and where its API is.
//!
//! A token must not be sent where nobody meant it to go, so every host here was looked up: each is the one that Higress sends to
//! (`plugins/wasm-go/extensions/ai-proxy/provider/*.go` of its repository, a constant in the file named as the type), and the path
//! of a probe is from there too. Two are the vendor's own word: Cohere's path, for Higress translates to another API of Cohere's
//! (docs.cohere.com/docs/compatibility-api), and DeepSeek's (api-docs.deepseek.com).

use crate::vendor::Vendor;

/// What is known of a `type`.
#[derive(Copy, Clone, Debug)]
pub(super) struct Kind {
    pub(super) word: &'static str,
    pub(super) vendor: Vendor,
    /// Its own API; `None` where everybody has another one.
    pub(super) upstream: Option<&'static str>,
    /// Where a probe goes, if that is another path than its vendor's.
    pub(super) probe_path: Option<&'static str>,
}

const fn kind(word: &'static str, vendor: Vendor, upstream: Option<&'static str>) -> Kind {
    Kind { word, vendor, upstream, probe_path: None }
}

/// One that speaks as OpenAI does, at a path of its own.
const fn elsewhere(word: &'static str, upstream: &'static str, path: &'static str) -> Kind {
    Kind { word, vendor: Vendor::OpenAi, upstream: Some(upstream), probe_path: Some(path) }
}

/// Higress's words, and those of our own. All that take `authorization: Bearer` are alike.
pub(super) const KINDS: [Kind; 24] = [
    kind("openai", Vendor::OpenAi, Some("https://api.openai.com")),
    kind("anthropic", Vendor::Anthropic, Some("https://api.anthropic.com")),
    kind("claude", Vendor::Anthropic, Some("https://api.anthropic.com")),
    kind("azure", Vendor::Azure, None),
    kind("gemini", Vendor::Gemini, Some("https://generativelanguage.googleapis.com")),
    kind("bedrock", Vendor::Bedrock, None),
    kind("qwen", Vendor::Qwen, Some("https://dashscope.aliyuncs.com")),
    kind("dashscope", Vendor::Qwen, Some("https://dashscope.aliyuncs.com")),
    kind("deepseek", Vendor::DeepSeek, Some("https://api.deepseek.com")),
    kind("moonshot", Vendor::OpenAi, Some("https://api.moonshot.cn")),
    kind("groq", Vendor::OpenAi, Some("https://api.groq.com/openai")),
    kind("mistral", Vendor::OpenAi, Some("https://api.mistral.ai")),
    kind("openrouter", Vendor::OpenAi, Some("https://openrouter.ai/api")),
    kind("together-ai", Vendor::OpenAi, Some("https://api.together.xyz")),
    kind("grok", Vendor::OpenAi, Some("https://api.x.ai")),
    kind("yi", Vendor::OpenAi, Some("https://api.lingyiwanwu.com")),
    elsewhere("zhipuai", "https://open.bigmodel.cn", "/api/paas/v4/chat/completions"),
    kind("baichuan", Vendor::OpenAi, Some("https://api.baichuan-ai.com")),
    kind("stepfun", Vendor::OpenAi, Some("https://api.stepfun.com")),
    elsewhere("doubao", "https://ark.cn-beijing.volces.com", "/api/v3/chat/completions"),
    elsewhere("cohere", "https://api.cohere.com", "/compatibility/v1/chat/completions"),
    kind("vllm", Vendor::OpenAi, None),
    kind("ollama", Vendor::OpenAi, None),
    kind("generic", Vendor::OpenAi, None),
];

/// Keys of Higress that say where requests go: every one of `ProviderConfig` in its `provider.go` that a host is made of. Whoever
/// has one means another place than the vendor's own.
pub(super) const PLACES: [&str; 14] = [
    "providerDomain",
    "openaiCustomUrl",
    "azureServiceUrl",
    "qwenDomain",
    "zhipuDomain",
    "doubaoDomain",
    "vllmCustomUrl",
    "vllmServerHost",
    "ollamaServerHost",
    "ollamaServerPort",
    "genericHost",
    "difyApiUrl",
    "tritonDomain",
    "awsRegion",
];

/// Keys that need no word: what they say holds here anyway, or has to do with Higress alone.
pub(super) const HARMLESS: [&str; 3] = ["id", "protocol", "type"];
