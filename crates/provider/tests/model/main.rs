//! The behaviour of providers, against arithmetic and against a second opinion.

mod behaviour;
mod quotas;
