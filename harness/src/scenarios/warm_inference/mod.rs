//! `warm-inference` and its kin: how fast a loaded model answers about pictures of one size.

mod passes;
mod stopping;
#[cfg(test)]
mod tests;
mod workload;

use std::collections::BTreeMap;

use store::Metric;

use crate::message::Epoch;
use crate::subject::{AskError, Subject, not_offered};

use super::invariants::one_answer;
use super::{Needs, Probe, Profile, Scenario, SoFar, energy};
use passes::Sitting;
use workload::{Asks, Length};

pub(super) use workload::{Pictures, Workload};

/// Epochs of one cell at most in each profile, those that follow up included.
const MOST_EPOCHS: [usize; 3] = [2, 8, 10];

/// Warm requests of one workload.
///
/// No picture is asked about twice, so that no cache of the engine answers, but for one request that
/// is to show such a cache. A trial asks as a user would (greedy, natural end, no barriers), then for
/// exactly 64 ids (16 where the answer is short); then every first of two trials for as many ids
/// again with a barrier after each phase, and every second about its own first picture again. What
/// the barriers cost, and what a known picture saves, compares requests of the same trials and of the
/// same length.
///
/// An epoch ends when its figures are narrow, see [`stopping`]; so does the cell of the main workload
/// in longer profiles. Trial 0 of so many is told when the warm-up is over.
pub(super) struct WarmInference {
    name: &'static str,
    about: &'static str,
    asks: Asks,
    /// Planned epochs in each profile.
    epochs: [usize; 3],
    /// Epochs up to which figures that are still wide get one more, in each profile.
    most_epochs: [usize; 3],
    /// Trials of an epoch whose figures stay wide, in each profile.
    most_trials: [u32; 3],
    /// Whether the energy of a request is measured.
    metered: bool,
}

impl WarmInference {
    /// A workload beside the main one: not in the shortest profile, and with no follow-ups.
    const fn beside(
        name: &'static str,
        about: &'static str,
        size: (u32, u32),
        length: Length,
    ) -> Self {
        Self {
            name,
            about,
            asks: Asks::About(Workload { size, length }),
            epochs: [0, 3, 10],
            most_epochs: [0; 3],
            most_trials: [10, 10, 60],
            metered: false,
        }
    }
}

/// The main workload.
pub(super) static MEDIUM: WarmInference = WarmInference {
    name: "warm-inference",
    about: "a loaded model's answer: total, first token, decode rate, phases",
    asks: Asks::About(DESCRIBE),
    epochs: [2, 5, 10],
    most_epochs: MOST_EPOCHS,
    most_trials: [5, 20, 60],
    metered: true,
};

/// What the main workload asks, and the first request after loading.
pub(super) const DESCRIBE: Workload = Workload {
    size: (448, 448),
    length: Length::Describe,
};

pub(super) static SMALL: WarmInference = WarmInference::beside(
    "warm-small",
    "the same with pictures of 224 x 224",
    (224, 224),
    Length::Describe,
);

pub(super) static PHOTO: WarmInference = WarmInference::beside(
    "warm-photo",
    "the same with pictures of 1024 x 683",
    (1024, 683),
    Length::Describe,
);

pub(super) static SMALL_SHORT: WarmInference = WarmInference::beside(
    "warm-small-short",
    "a few words about pictures of 224 x 224",
    (224, 224),
    Length::Short,
);

pub(super) static MEDIUM_SHORT: WarmInference = WarmInference::beside(
    "warm-short",
    "a few words about pictures of 448 x 448",
    (448, 448),
    Length::Short,
);

pub(super) static PHOTO_SHORT: WarmInference = WarmInference::beside(
    "warm-photo-short",
    "a few words about pictures of 1024 x 683",
    (1024, 683),
    Length::Short,
);

/// The language model alone: what there is to time of one that sees no pictures. Where it answers nothing
/// without a picture, that is all that is told.
pub(super) static TEXT: WarmInference = WarmInference {
    name: "warm-text",
    about: "a text as long as a description, without a picture",
    asks: Asks::InWords,
    epochs: [2, 3, 10],
    most_epochs: [0; 3],
    most_trials: [5, 10, 60],
    metered: false,
};

impl WarmInference {
    fn measure(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        let epoch = probe.epoch;
        let most = epoch.trials as usize;
        let mut sitting = Sitting::begin(subject, probe, self.asks)?;
        sitting.warm_up()?;
        sitting.probe.progress(0, most);
        let began = sitting.probe.model_time;
        let mut done = 0;
        for trial in 0..most {
            sitting.trial(trial)?;
            done = trial + 1;
            sitting.probe.progress(done, most);
            let spent = sitting.probe.model_time - began;
            if stopping::over(epoch, (done, spent), &sitting.values) {
                break;
            }
        }
        sitting.end();
        if let (true, Asks::About(workload)) = (epoch.metered, self.asks) {
            energy::measure(subject, probe, workload, energy::SPANS)?;
            // What the machine did meanwhile is told by itself.
            probe.progress(done, done);
        }
        Ok(())
    }
}

impl Scenario for WarmInference {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn version(&self) -> u32 {
        4
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric::WarmUp,
            Metric::Inference,
            Metric::Ttft,
            Metric::ModelTtft,
            Metric::InterToken,
            Metric::Decode,
            Metric::WeightBandwidth,
            Metric::MemoryBandwidth,
            Metric::BandwidthShare,
            Metric::ImagePrep,
            Metric::VisionEncode,
            Metric::VisionPerTile,
            Metric::Prefill,
            Metric::Unattributed,
            Metric::BarrierOverhead,
            Metric::RepeatedInference,
            Metric::ImageCacheGain,
            Metric::PromptTokens,
            Metric::ImageTokens,
            Metric::OutputTokens,
            Metric::OutputHash,
            Metric::LogitHash,
            Metric::TextHash,
            Metric::ServerPrefill,
            Metric::ServerDecode,
            Metric::InferPeak,
            Metric::DevicePeak,
            Metric::MappedResident,
            Metric::DeviceMemory,
            Metric::BackgroundCpu,
            Metric::SwappedOut,
            Metric::ThermalLevel,
            Metric::PerformanceCores,
            Metric::Trial,
            Metric::TrialBackgroundCpu,
            Metric::TrialSwappedIn,
            Metric::TrialSwappedOut,
            Metric::TrialThermalLevel,
            Metric::EnergyPerImage,
            Metric::EnergyPerToken,
            Metric::IdlePower,
            Metric::Overhead,
        ]
    }

    fn needs(&self) -> Needs {
        Needs::AnyWeights
    }

    fn epochs(&self, profile: Profile) -> Vec<Epoch> {
        let [least, least_s, most_s] = profile.pick([[3, 0, 60], [10, 0, 60], [10, 30, 300]]);
        let epoch = Epoch {
            least,
            least_s,
            most_s,
            // Seconds an epoch: too long for the shortest profile.
            metered: self.metered && profile != Profile::Quick,
            ..Epoch::new("", profile.pick(self.most_trials))
        };
        vec![epoch; profile.pick(self.epochs)]
    }

    fn follow_up(&self, profile: Profile, so_far: &SoFar<'_>) -> Option<Epoch> {
        let more = so_far.epochs.len() < profile.pick(self.most_epochs);
        let wanted = more && stopping::wide(so_far);
        wanted.then(|| self.epochs(profile).pop())?
    }

    fn on_request(&self) -> bool {
        self.asks == Asks::InWords
    }

    /// I4, of answers of natural length: one for each new picture.
    fn worthless(&self, shown: &BTreeMap<Metric, Vec<f64>>) -> Option<String> {
        // A server's answers are texts.
        let answers = [Metric::OutputHash, Metric::TextHash];
        let answers = answers.iter().find_map(|metric| shown.get(metric))?;
        self.asks.is_telling().then(|| one_answer(answers))?
    }

    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        match (self.measure(subject, probe), self.asks) {
            (Err(error), Asks::InWords) => {
                let what = not_offered(&error).map(ToOwned::to_owned);
                let what = what.ok_or(error)?;
                probe.not_offered(Metric::Inference, &what);
                Ok(())
            }
            (done, _) => done,
        }
    }
}
