//! Values far from the median of their process, with what the machine did around their trials. Pure.
//!
//! A sample holds the values that count, in order, and none for a trial whose value was refused. Which trial
//! a value belongs to follows from their numbers: of a metric that is taken once a trial, `n` values in `n`
//! trials are one in each; where `k` fewer are there, the first is of one of the first `k + 1` trials, and
//! so on. So a trial is told only as closely as is certain.

use std::fmt::Write;

use serde::Serialize;

use crate::metric::Metric;
use crate::run::{Run, Sample};
use crate::stats::{Figure, far, is_repeated, median};

/// Outliers of one run that are listed; the others are counted.
pub const LISTED: usize = 20;

/// Thermal levels in words, as macOS names them.
const LEVELS: [&str; 4] = ["nominal", "moderate", "heavy", "critical"];

/// The outliers of a run, which stay in all of its figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outliers {
    /// The farthest of each metric, then the second farthest of each, and so on: [`LISTED`] at most.
    pub listed: Vec<Outlier>,
    /// How many others there are.
    pub more: usize,
}

/// One value far from the median of its process, see [`far`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outlier {
    /// What was measured.
    pub metric: Metric,
    /// In which process, counted from 1 among those with a value of the metric.
    pub process: usize,
    /// The first and the last trial that it may be of, by the worker's count, which begins with 1. None in
    /// runs that do not number their trials, and for metrics that are not taken trial by trial.
    pub trials: Option<(u32, u32)>,
    /// The value, in the metric's unit.
    pub value: f64,
    /// How many times the median of its process that is; none around zero.
    pub times: Option<f64>,
    /// What the machine did then; none where the trial is not known.
    pub around: Option<Around>,
}

/// What the machine did around a trial, over most of a second at least; of several trials the most. What the
/// system did not tell is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Around {
    /// Share of all cores that other processes used.
    pub background_cpu: Option<f64>,
    /// Bytes read back from swap.
    pub swapped_in: Option<f64>,
    /// Bytes swapped out.
    pub swapped_out: Option<f64>,
    /// Thermal pressure, 0 to 3; 0 is nominal.
    pub thermal_level: Option<f64>,
}

/// The outliers of a run, of metrics that are read by their median.
#[must_use]
pub fn outliers(run: &Run) -> Outliers {
    outliers_of(run, |_| true)
}

/// The same of some metrics only.
#[must_use]
pub fn outliers_of(run: &Run, wanted: impl Fn(Metric) -> bool) -> Outliers {
    let mut ranked: Vec<(usize, Outlier)> = Vec::new();
    for sample in run.samples() {
        if is_repeated(sample.metric) && wanted(sample.metric) {
            ranked.extend(of_sample(run, sample).into_iter().enumerate());
        }
    }
    // Stable: metrics of equal rank stay in the order of the run.
    ranked.sort_by_key(|(rank, _)| *rank);
    let more = ranked.len().saturating_sub(LISTED);
    ranked.truncate(LISTED);
    Outliers {
        listed: ranked.into_iter().map(|(_, outlier)| outlier).collect(),
        more,
    }
}

/// `NOISY: decode, ttft`: figures of which over a tenth are outliers, in words; none where there is no such figure.
#[must_use]
pub fn noisy<'a>(figures: impl IntoIterator<Item = &'a Figure>) -> Option<String> {
    let repeated = figures.into_iter();
    let repeated = repeated.filter(|figure| is_repeated(figure.metric) && figure.noisy());
    let names: Vec<&str> = repeated.map(|figure| figure.metric.name()).collect();
    (!names.is_empty()).then(|| format!("NOISY: {}", names.join(", ")))
}

/// Those of one metric, the farthest first.
fn of_sample(run: &Run, sample: &Sample) -> Vec<Outlier> {
    let mut found: Vec<(f64, Outlier)> = Vec::new();
    for (epoch, values) in sample.epochs.iter().enumerate() {
        let far = far(values);
        if far.is_empty() {
            continue;
        }
        let centre = median(values).unwrap_or_default();
        let of_epoch = Trials::of(run, sample, epoch);
        for (at, distance) in far {
            let trials = of_epoch.as_ref().and_then(|trials| trials.of_value(at));
            let outlier = Outlier {
                metric: sample.metric,
                process: epoch + 1,
                trials: trials.map(|(numbers, _)| numbers),
                value: values[at],
                times: (centre != 0.0).then(|| values[at] / centre),
                around: trials.map(|(_, around)| around),
            };
            found.push((distance, outlier));
        }
    }
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    found.into_iter().map(|(_, outlier)| outlier).collect()
}

/// In which trials a metric is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// In each.
    Each,
    /// In the first of two, or in the second.
    First,
    Second,
    /// As often in each as in any other.
    Often,
}

/// None for what is not taken trial by trial. A server's requests have no phases, so that each trial asks
/// again about a known picture.
fn pace(run: &Run, metric: Metric) -> Option<Pace> {
    use Metric as M;
    Some(match metric {
        M::Inference | M::Ttft | M::ModelTtft | M::Decode | M::WeightBandwidth => Pace::Each,
        M::ServerPrefill | M::ServerDecode => Pace::Each,
        M::ImagePrep | M::VisionEncode | M::VisionPerTile | M::Prefill => Pace::First,
        M::Unattributed => Pace::First,
        M::RepeatedInference if run.cell.weights == "served" => Pace::Each,
        M::RepeatedInference => Pace::Second,
        M::InterToken => Pace::Often,
        _ => return None,
    })
}

/// The trials of one process that may hold the values of one metric.
struct Trials<'a> {
    run: &'a Run,
    /// Which process, among all.
    epoch: usize,
    /// Places in what is told of each trial, and numbers of the trials.
    known: Vec<(usize, u32)>,
    /// Values of the metric.
    values: usize,
    /// Values of the metric in one trial.
    each: usize,
}

impl<'a> Trials<'a> {
    /// None where processes or trials cannot be matched.
    fn of(run: &'a Run, sample: &Sample, epoch: usize) -> Option<Self> {
        let pace = pace(run, sample.metric)?;
        let numbers = run.sample(Metric::Trial)?;
        // A process without a value leaves no hole: only equally many are the same ones.
        if numbers.epochs.len() != sample.epochs.len() {
            return None;
        }
        let numbers = numbers.epochs.get(epoch)?;
        let is_of = |number: u32| match pace {
            Pace::Each | Pace::Often => true,
            Pace::First => number % 2 == 1,
            Pace::Second => number.is_multiple_of(2),
        };
        let known = numbers.iter().map(|&number| number as u32).enumerate();
        let known: Vec<(usize, u32)> = known.filter(|(_, number)| is_of(*number)).collect();
        let values = sample.epochs.get(epoch)?.len();
        let each = match pace {
            Pace::Often => every(run, sample, (epoch, known.len()))?,
            _ => 1,
        };
        Some(Self {
            run,
            epoch,
            known,
            values,
            each,
        })
    }

    /// The first and the last trial that the value at this place may be of, and what the machine did there.
    fn of_value(&self, at: usize) -> Option<((u32, u32), Around)> {
        let spare = self.known.len().checked_sub(self.values / self.each)?;
        let at = at / self.each;
        let possible = self.known.get(at..=at + spare)?;
        let (first, last) = (possible.first()?.1, possible.last()?.1);
        let most = |metric| {
            let told = self.run.sample(metric)?.epochs.get(self.epoch)?;
            let told = possible.iter().map(|&(place, _)| told.get(place).copied());
            // Below zero is not known.
            let told = told.map(|value| value.filter(|&value| value >= 0.0));
            told.reduce(|one, other| Some(one?.max(other?)))?
        };
        let around = Around {
            background_cpu: most(Metric::TrialBackgroundCpu),
            swapped_in: most(Metric::TrialSwappedIn),
            swapped_out: most(Metric::TrialSwappedOut),
            thermal_level: most(Metric::TrialThermalLevel),
        };
        Some(((first, last), around))
    }
}

/// How many times between tokens each of so many trials gave: the same number of ids was asked for in each.
///
/// None unless none of them was refused. They share the fate of the weight bandwidth of their request, but
/// for times that are impossible in themselves.
fn every(run: &Run, sample: &Sample, (epoch, trials): (usize, usize)) -> Option<usize> {
    let requests = run.sample(Metric::WeightBandwidth)?;
    let alike = requests.epochs.len() == sample.epochs.len();
    let all = alike && requests.epochs.get(epoch)?.len() == trials;
    let refused = run
        .voids()
        .iter()
        .any(|void| void.metric == Some(sample.metric));
    let values = sample.epochs.get(epoch)?.len();
    let whole = trials > 0 && values > 0 && values.is_multiple_of(trials);
    (all && !refused && whole).then(|| values / trials)
}

impl Outlier {
    /// Where it happened: `process 2, trial 7`; as closely as is known.
    #[must_use]
    pub fn place(&self) -> String {
        let process = self.process;
        match self.trials {
            None => format!("process {process}"),
            Some((first, last)) if first == last => format!("process {process}, trial {first}"),
            Some((first, last)) => {
                format!("process {process}, one of trials {first} to {last}")
            }
        }
    }

    /// `0.61 times`; `n/a` where the median is zero.
    #[must_use]
    pub fn times(&self) -> String {
        self.times
            .map_or_else(|| "n/a".to_owned(), |times| format!("{times:.2} times"))
    }

    /// What the machine did then, in words.
    #[must_use]
    pub fn machine(&self) -> String {
        let Some(around) = self.around else {
            return "not known of this trial".to_owned();
        };
        let words = around.words();
        match (words.is_empty(), self.trials) {
            (true, _) => "the system does not tell".to_owned(),
            (false, Some((first, last))) if first != last => format!("at most: {words}"),
            (false, _) => words,
        }
    }
}

impl Around {
    /// `others used 34 % of all cores, 2.00 MiB swapped out, thermal pressure moderate`; nothing where nothing
    /// is known. No swapping and no heat are said too.
    fn words(&self) -> String {
        let mut words = String::new();
        let mut say = |text: String| {
            let comma = if words.is_empty() { "" } else { ", " };
            let _ = write!(words, "{comma}{text}");
        };
        if let Some(share) = self.background_cpu {
            let share = Metric::TrialBackgroundCpu.format(share);
            say(format!("others used {share} of all cores"));
        }
        match (self.swapped_in, self.swapped_out) {
            (None, None) => {}
            (read, written) => {
                let bytes = [(read, "read back"), (written, "swapped out")];
                let moved = bytes.map(|(bytes, what)| (bytes.unwrap_or_default(), what));
                if moved.iter().all(|(bytes, _)| *bytes == 0.0) {
                    say("no swapping".to_owned());
                }
                for (bytes, what) in moved.into_iter().filter(|(bytes, _)| *bytes > 0.0) {
                    say(format!("{} {what}", Metric::TrialSwappedOut.format(bytes)));
                }
            }
        }
        if let Some(level) = self.thermal_level {
            let name = LEVELS.get(level as usize).unwrap_or(&"unknown");
            say(format!("thermal pressure {name}"));
        }
        words
    }
}

#[cfg(test)]
mod tests;
