//! The target that is a URL: a gateway that somebody else runs and has pointed at the mock provider, on real time.
//!
//! [`Stranger`] is the gateway, with the mock provider that plays for it; [`Stranger::run`] runs a scenario against it. A verdict
//! is of what can be seen from outside: what a client was answered, and what the provider was asked. What cannot be asked of a
//! stranger is skipped with the reason. Whatever would have happened in a step that was skipped, nothing after it is judged.

mod ask;
mod askable;
mod chance;
mod readiness;
mod scale;
mod settings;
mod stranger;
mod target;

pub use scale::TimeScale;
pub use settings::{GatewayUrl, Header, Settings, Watch};
pub use stranger::Stranger;
