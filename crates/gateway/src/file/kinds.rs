//! The words of a provider block's `type`: where each vendor wants its token, and where its API is.

use crate::vendor::Vendor;

/// What is known of a `type`.
#[derive(Copy, Clone, Debug)]
pub(super) struct Kind {
    pub(super) word: &'static str,
    pub(super) vendor: Vendor,
    /// Its own API; `None` where everybody has another one.
    pub(super) upstream: Option<&'static str>,
}

const fn kind(word: &'static str, vendor: Vendor, upstream: Option<&'static str>) -> Kind {
    Kind { word, vendor, upstream }
}

/// Higress's words, and those of our own. All that take `authorization: Bearer` are alike.
pub(super) const KINDS: [Kind; 24] = [
    kind("openai", Vendor::OpenAi, Some("https://api.openai.com")),
    kind("anthropic", Vendor::Anthropic, Some("https://api.anthropic.com")),
    kind("claude", Vendor::Anthropic, Some("https://api.anthropic.com")),
    kind("azure", Vendor::Azure, None),
    kind("gemini", Vendor::Gemini, Some("https://generativelanguage.googleapis.com")),
    kind("bedrock", Vendor::OpenAi, None),
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
    kind("zhipuai", Vendor::OpenAi, Some("https://open.bigmodel.cn")),
    kind("baichuan", Vendor::OpenAi, Some("https://api.baichuan-ai.com")),
    kind("stepfun", Vendor::OpenAi, Some("https://api.stepfun.com")),
    kind("doubao", Vendor::OpenAi, Some("https://ark.cn-beijing.volces.com")),
    kind("cohere", Vendor::OpenAi, Some("https://api.cohere.com")),
    kind("vllm", Vendor::OpenAi, None),
    kind("ollama", Vendor::OpenAi, None),
    kind("generic", Vendor::OpenAi, None),
];

/// Keys of Higress that say where requests go. Whoever has one means another place than the vendor's own, and tokens must
/// not be sent where nobody meant them to go.
pub(super) const PLACES: [&str; 13] = [
    "openaiCustomUrl",
    "azureServiceUrl",
    "qwenDomain",
    "doubaoDomain",
    "vllmCustomUrl",
    "vllmServerHost",
    "ollamaServerHost",
    "ollamaServerPort",
    "genericHost",
    "difyApiUrl",
    "zhipuDomain",
    "claudeCustomUrl",
    "providerDomain",
];

/// Keys that need no word: what they say holds here anyway, or has to do with Higress alone.
pub(super) const HARMLESS: [&str; 3] = ["id", "protocol", "type"];
