//! What a model is compared by: raw scores and epoch medians, and draws of what they allow.

use std::fmt;

use super::context::Facts;
use super::{Kind, Newest};
use crate::metric::{Metric, Unit};
use crate::stats::{Rng, draw_epochs, draw_share, epoch_medians, item_values, median};

/// Exponents of quality, speed, memory and load in the utility.
pub const EXPONENTS: [f64; 4] = [0.5, 0.25, 0.15, 0.10];

/// The raw material of a row's comparison with others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axes {
    /// Scores of questions about pictures.
    vision: Vec<f64>,
    /// Scores of questions without one.
    text: Vec<f64>,
    /// Of each scene, over the facts that were right when asked first: their number, how many were
    /// at turn 4, and how many by chance.
    scenes: Vec<[f64; 3]>,
    /// Lower end of the retention.
    retained_from: Option<f64>,
    /// Epoch medians.
    inference: Vec<f64>,
    load: Vec<f64>,
    memory: Vec<f64>,
}

/// The point estimates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// 0 to 1.
    pub(super) quality: f64,
    /// Seconds.
    pub(super) inference: f64,
    /// Seconds.
    pub(super) load: f64,
    /// Bytes.
    pub(super) memory: f64,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, bytes) = (|v| Unit::Second.format(v), Unit::Byte.format(self.memory));
        let (inference, load) = (seconds(self.inference), seconds(self.load));
        let quality = 100.0 * self.quality;
        write!(
            f,
            "quality {quality:.0} %, {inference}, {bytes}, load {load}"
        )
    }
}

impl Axes {
    pub(super) fn of(newest: &Newest<'_>) -> Self {
        let scores = |kind, metric| newest.sample(kind, metric).map(item_values);
        let medians = |kind, metric| newest.sample(kind, metric).map(epoch_medians);
        let load = [Metric::LoadWarm, Metric::LoadUnknown, Metric::LoadCold];
        let load = load.iter().find_map(|&metric| medians(Kind::Load, metric));
        let facts = Facts::of(newest);
        let kept = facts.retention(Metric::ContextRetained);
        Self {
            vision: scores(Kind::Vision, Metric::VisionRight).unwrap_or_default(),
            text: scores(Kind::Text, Metric::TextRight).unwrap_or_default(),
            scenes: facts.totals(),
            retained_from: kept.map(|kept| kept.low),
            inference: medians(Kind::Warm, Metric::Inference).unwrap_or_default(),
            load: load.unwrap_or_default(),
            // Where the GPU has memory of its own, the model is there.
            memory: medians(Kind::Warm, Metric::DeviceMemory)
                .or_else(|| medians(Kind::Load, Metric::PeakMemory))
                .unwrap_or_default(),
        }
    }

    /// Lower end of the retention; none where it was not measured.
    pub(super) const fn retained_from(&self) -> Option<f64> {
        self.retained_from
    }

    /// None where a figure is missing.
    pub(super) fn point(&self) -> Option<Point> {
        let share = |items: &[f64]| match items.len() {
            0 => 0.0,
            n => items.iter().sum::<f64>() / n as f64,
        };
        let kept = retention(self.scenes.iter());
        Some(Point {
            quality: (share(&self.vision) + share(&self.text) + kept.unwrap_or(0.0)) / 3.0,
            inference: median(&self.inference)?,
            load: median(&self.load)?,
            memory: median(&self.memory)?,
        })
    }

    /// One draw of the utility, but for a factor that all models of a draw share.
    pub(super) fn utility(&self, random: &mut Rng) -> Option<f64> {
        let parts = [
            self.seen(random).unwrap_or(0.0),
            draw_share(&self.text, random).unwrap_or(0.0),
            self.kept(random).unwrap_or(0.0),
        ];
        let quality = parts.iter().sum::<f64>() / 3.0;
        let [q, s, m, w] = EXPONENTS;
        let cost = self.inference(random)?.powf(s)
            * self.memory(random)?.powf(m)
            * draw_epochs(&self.load, random)?.powf(w);
        Some(quality.powf(q) / cost)
    }

    /// One draw of the share right about pictures.
    pub(super) fn seen(&self, random: &mut Rng) -> Option<f64> {
        draw_share(&self.vision, random)
    }

    /// One draw of the retention, by scenes.
    pub(super) fn kept(&self, random: &mut Rng) -> Option<f64> {
        let drawn = self
            .scenes
            .iter()
            .map(|_| &self.scenes[random.below(self.scenes.len())]);
        retention(drawn)
    }

    /// One draw of the inference time, seconds.
    pub(super) fn inference(&self, random: &mut Rng) -> Option<f64> {
        draw_epochs(&self.inference, random)
    }

    /// One draw of the peak memory, bytes.
    pub(super) fn memory(&self, random: &mut Rng) -> Option<f64> {
        draw_epochs(&self.memory, random)
    }
}

/// Share kept, corrected for chance; none where nothing could be lost.
fn retention<'a>(scenes: impl Iterator<Item = &'a [f64; 3]>) -> Option<f64> {
    let add = |sum: [f64; 3], scene: &[f64; 3]| [0, 1, 2].map(|arm| sum[arm] + scene[arm]);
    let [n, later, chance] = scenes.fold([0.0; 3], add);
    (n > chance).then(|| ((later - chance) / (n - chance)).clamp(0.0, 1.0))
}
