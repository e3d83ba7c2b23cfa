//! `report check` and `report compare`: planted changes, each verdict and exit code, each refusal.
#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

#[path = "../fixture/mod.rs"]
mod fixture;

mod baselines;
mod case;
mod formats;
mod verdicts;
