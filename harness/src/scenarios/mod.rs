//! What is done with a loaded model: one unit struct a file, all listed in [`SCENARIOS`].

mod cold_load;
mod context;
mod endurance;
mod energy;
pub mod invariants;
mod lifecycle;
mod pace;
pub mod probe;
mod state_drift;
mod text_only;
mod vision;
mod warm_inference;

#[cfg(test)]
mod fake;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use store::{Metric, Void};

use crate::message::{Epoch, Message, Replay};
use crate::subject::{AskError, Subject};

pub use probe::{Birth, Gauge, Probe};

/// How much time a session takes. Fixed numbers of epochs and trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Two epochs and few trials; provisional.
    Quick,
    /// Five epochs.
    Standard,
    /// Ten epochs.
    Full,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Quick, Self::Standard, Self::Full];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Full => "full",
        }
    }

    /// The number for this profile.
    #[must_use]
    pub const fn pick<T: Copy>(self, [quick, standard, full]: [T; 3]) -> T {
        match self {
            Self::Quick => quick,
            Self::Standard => standard,
            Self::Full => full,
        }
    }

    /// Fresh processes for a figure with an interval.
    #[must_use]
    pub const fn epochs(self) -> usize {
        self.pick([2, 5, 10])
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|profile| profile.name() == name);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("unknown profile {name:?}: known: {known}")
        })
    }
}

/// What a scenario makes of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Any weights: speed, memory, sameness.
    AnyWeights,
    /// Trained ones: the answers count.
    TrainedWeights,
    /// Any weights, loaded by us: those of a server are not ours to load.
    Loading,
}

/// What the epochs of a cell have shown so far.
#[derive(Clone, Copy, Debug)]
pub struct SoFar<'a> {
    /// The epochs, in order.
    pub epochs: &'a [Epoch],
    /// Values by metric, one map for each of the epochs.
    pub values: &'a [BTreeMap<Metric, Vec<f64>>],
    /// What was refused.
    pub voids: &'a [Void],
    /// Sequences of calls that were tried.
    pub replays: &'a [Replay],
}

/// A script for a loaded model.
pub trait Scenario: Sync {
    /// The database key. Never renamed.
    fn name(&self) -> &'static str;

    /// What it shows, in one line.
    fn about(&self) -> &'static str;

    /// Raised whenever its figures stop being comparable with earlier ones.
    fn version(&self) -> u32;

    /// What it may yield.
    fn metrics(&self) -> &'static [Metric];

    /// Which weights it makes sense with.
    fn needs(&self) -> Needs;

    /// Its fresh processes, in order; none where a profile leaves it out.
    fn epochs(&self, profile: Profile) -> Vec<Epoch>;

    /// Whether it is run only where it is named.
    fn on_request(&self) -> bool {
        false
    }

    /// One process more, given what those before have shown; asked again after each. For figures
    /// that are still too wide, and for questions that only an answer raises.
    fn follow_up(&self, _profile: Profile, _so_far: &SoFar<'_>) -> Option<Epoch> {
        None
    }

    /// What a worker's crash during a call, counted from 1, tells in an epoch where a crash is an answer
    /// too, and the cell goes on; none where it ends the cell. `why` is one line.
    fn crashed(&self, _epoch: &Epoch, _call: u32, _why: &str) -> Option<Vec<Message>> {
        None
    }

    /// Why no value of an epoch counts, where that shows only once all of them are there. Not asked of
    /// invented weights.
    fn worthless(&self, _shown: &BTreeMap<Metric, Vec<f64>>) -> Option<String> {
        None
    }

    /// What only all epochs together show beside the figures, in sentences: asked once, at the end.
    fn findings(&self, _so_far: &SoFar<'_>) -> Vec<String> {
        Vec::new()
    }

    /// Runs one epoch: questions to `subject`, figures to `probe`.
    ///
    /// # Errors
    /// When the model cannot answer what a fresh process must be able to.
    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError>;
}

/// Every scenario, in the order they are run.
pub static SCENARIOS: &[&dyn Scenario] = &[
    &cold_load::ColdLoad,
    &warm_inference::MEDIUM,
    &warm_inference::SMALL,
    &warm_inference::PHOTO,
    &warm_inference::SMALL_SHORT,
    &warm_inference::MEDIUM_SHORT,
    &warm_inference::PHOTO_SHORT,
    &warm_inference::TEXT,
    &vision::Vision,
    &text_only::TextOnly,
    &context::Context,
    &state_drift::StateDrift,
    &lifecycle::Lifecycle,
    &endurance::Endurance,
];

/// The scenario of that name.
///
/// # Errors
/// When there is none: one line that lists the known ones.
pub fn find(name: &str) -> Result<&'static dyn Scenario, String> {
    let found = SCENARIOS.iter().find(|scenario| scenario.name() == name);
    found.copied().ok_or_else(|| {
        let known: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name()).collect();
        format!("unknown scenario {name:?}: known: {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let names: std::collections::BTreeSet<_> = SCENARIOS.iter().map(|s| s.name()).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        for name in names {
            assert_eq!(find(name).unwrap().name(), name);
        }
        let Err(text) = find("warm") else {
            panic!("a part of a name must not do")
        };
        assert!(
            text.starts_with("unknown scenario \"warm\": known: cold-load, "),
            "{text}"
        );
    }

    #[test]
    fn one_is_run_only_where_it_is_named() {
        let named = SCENARIOS.iter().filter(|scenario| scenario.on_request());
        let named: Vec<_> = named.map(|scenario| scenario.name()).collect();
        // As `harness run --help` says.
        assert_eq!(named, ["warm-text"]);
    }

    #[test]
    fn every_scenario_has_epochs_and_metrics() {
        for scenario in SCENARIOS {
            let epochs = scenario.epochs(Profile::Full);
            assert!(!epochs.is_empty(), "{}", scenario.name());
            assert!(!scenario.metrics().is_empty(), "{}", scenario.name());
        }
    }
}
