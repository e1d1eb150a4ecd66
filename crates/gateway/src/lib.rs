//! A reverse proxy for LLM providers round the failover engine: it draws a token for each request, sends the request with it,
//! reports what came of it, and streams the answer through.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use firedrill_failover::{Config, Settings as Rules};
//! use firedrill_gateway::{Gateway, Secret, Secrets, Settings, Vendor};
//!
//! let mut secrets = Secrets::new();
//! let token = secrets.keep("primary", Secret::from(std::env::var("OPENAI_API_KEY")?))?;
//! let pool = Config::parse(vec![token], &Rules::default()).map_err(|errors| errors[0].to_string())?;
//! let settings = Settings::new("https://api.openai.com".parse()?, Vendor::OpenAi, pool, secrets);
//! let gateway = Gateway::builder(settings).start().await?;
//! println!("ask http://{}/v1/chat/completions", gateway.address());
//! gateway.stop().await;
//! # Ok(()) }
//! ```
//!
//! **Architecture invariant:** no rule of failover is here. The engine decides who is in and who is out; this crate draws,
//! sends and reports. It never imports the mock provider, nor a scenario.

#![forbid(unsafe_code)]

mod admin;
mod file;
mod flight;
mod following;
mod gateway;
mod mask;
mod metrics;
mod probing;
mod proxy;
mod rehearsal;
mod secret;
mod settings;
mod shared;
mod telling;
mod ticking;
mod upstream;
mod vendor;
mod watch;

pub use file::{GatewayFile, LogFormat, StoreSetting, Unusable, gateway_schema};
pub use flight::InFlight;
pub use gateway::{Builder, Gateway, StartError};
pub use metrics::{Loading, Lost, Metrics, TokenCounts};
pub use rehearsal::{Lapse, Rehearsal};
pub use secret::{NotASecret, Secret, Secrets};
pub use settings::{NotARoute, Roots, Route, Settings};
pub use vendor::{UnknownVendor, Vendor};
pub use watch::Watch;
