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
mod tests {
    use super::*;
    use crate::run::{Outcome, Void};
    use crate::summary::tests::{Values, measured, with};

    /// Eight trials in one process, the fourth void: the seven others, and others' work around them.
    const NUMBERS: Values<'_> = (Metric::Trial, &[&[1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 8.0]]);
    const WORK: Values<'_> = (
        Metric::TrialBackgroundCpu,
        &[&[0.01, 0.01, 0.02, 0.5, 0.04, 0.07, -1.0]],
    );

    fn run(values: &[Values<'_>]) -> Run {
        measured("warm-inference", &[values, &[NUMBERS, WORK]].concat())
    }

    /// Trials and others' work of the only outlier.
    fn check(run: &Run, trials: Option<(u32, u32)>, work: Option<f64>) {
        let found = outliers(run);
        assert_eq!((found.listed.len(), found.more), (1, 0), "{found:?}");
        let outlier = &found.listed[0];
        let told = outlier.around.and_then(|around| around.background_cpu);
        assert_eq!((outlier.trials, told), (trials, work), "{outlier:?}");
    }

    #[test]
    fn a_value_in_each_trial_is_told_with_its_own() {
        let values: &[f64] = &[1.0, 1.1, 0.9, 2.0, 1.05, 0.95, 1.02];
        let run = run(&[(Metric::Inference, &[values])]);
        check(&run, Some((5, 5)), Some(0.5));
        let outlier = &outliers(&run).listed[0];
        assert_eq!(outlier.place(), "process 1, trial 5");
        assert_eq!(outlier.times(), "1.96 times");
        assert_eq!(outlier.machine(), "others used 50 % of all cores");
    }

    #[test]
    fn where_values_were_refused_the_trial_is_told_as_closely_as_is_certain() {
        // Five of seven: the second value is of the second, third or fourth trial that counts.
        let values: &[f64] = &[1.0, 9.0, 0.9, 1.1, 1.05];
        let run = run(&[(Metric::Inference, &[values])]);
        check(&run, Some((2, 5)), Some(0.5));
        let outlier = &outliers(&run).listed[0];
        assert_eq!(outlier.place(), "process 1, one of trials 2 to 5");
        assert_eq!(outlier.machine(), "at most: others used 50 % of all cores");
        // The last may be of a trial of which the system did not tell.
        let values: &[f64] = &[1.0, 0.9, 1.1, 1.05, 9.0];
        let run = self::run(&[(Metric::Inference, &[values])]);
        check(&run, Some((6, 8)), None);
    }

    #[test]
    fn what_is_taken_in_every_second_trial_is_matched_with_those() {
        let phased: &[f64] = &[1.0, 1.1, 0.9, 9.0];
        check(
            &run(&[(Metric::Prefill, &[phased])]),
            Some((7, 7)),
            Some(0.07),
        );
        let repeated: &[f64] = &[1.0, 9.0, 1.01];
        check(
            &run(&[(Metric::RepeatedInference, &[repeated])]),
            Some((6, 6)),
            Some(0.04),
        );
        // A server is asked again in each trial: three values of seven are of any five trials in a row.
        let mut served = run(&[(Metric::RepeatedInference, &[repeated])]);
        served.cell.weights = "served".to_owned();
        check(&served, Some((2, 7)), Some(0.5));
    }

    #[test]
    fn times_between_tokens_are_matched_only_where_all_are_there() {
        let gaps: &[f64] = &[
            1.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.0, 9.0, 1.1, 0.9, 1.0, 1.1, 0.9, 1.05,
        ];
        let requests: Values<'_> = (Metric::WeightBandwidth, &[&[5.0; 7]]);
        let all = run(&[(Metric::InterToken, &[gaps]), requests]);
        check(&all, Some((5, 5)), Some(0.5));
        check(&run(&[(Metric::InterToken, &[gaps])]), None, None);
        check(
            &run(&[(Metric::InterToken, &[&gaps[..13]]), requests]),
            None,
            None,
        );
        let mut refused = all;
        if let Outcome::Measured { voids, .. } = &mut refused.outcome {
            voids.push(Void {
                metric: Some(Metric::InterToken),
                count: 7,
                reason: "0 cannot be".to_owned(),
            });
        }
        check(&refused, None, None);
    }

    #[test]
    fn runs_that_do_not_number_trials_have_outliers_all_the_same() {
        let values: &[f64] = &[1.0, 1.1, 0.9, 2.0, 1.05];
        check(
            &measured("warm-inference", &[(Metric::Ttft, &[values])]),
            None,
            None,
        );
        // A process more than were numbered: none of them is certain.
        let more = run(&[(Metric::Ttft, &[values, &[1.0, 1.1]])]);
        check(&more, None, None);
        let outlier = &outliers(&more).listed[0];
        assert_eq!(outlier.place(), "process 1");
        assert_eq!(outlier.machine(), "not known of this trial");
    }

    #[test]
    fn scores_counters_and_what_has_an_order_have_none() {
        let values: &[f64] = &[1.0, 1.1, 0.9, 9.0, 1.05, 0.95, 1.02];
        for metric in [Metric::OutputTokens, Metric::WarmUp, Metric::BackgroundCpu] {
            assert_eq!(outliers(&run(&[(metric, &[values])])), Outliers::default());
        }
    }

    #[test]
    fn the_farthest_of_each_metric_come_first_and_the_rest_is_counted() {
        let values: Vec<f64> = (0..200)
            .map(|n| {
                f64::from(n % 7)
                    + if n % 8 == 0 {
                        100.0 + f64::from(n)
                    } else {
                        0.0
                    }
            })
            .collect();
        let one: &[f64] = &[1.0, 1.1, 0.9, 9.0, 1.05, 0.95, 1.02];
        let found = outliers(&run(&[
            (Metric::InterToken, &[&values]),
            (Metric::Ttft, &[one]),
        ]));
        assert_eq!((found.listed.len(), found.more), (LISTED, 26 - LISTED));
        let (first, second) = (&found.listed[0], &found.listed[1]);
        assert_eq!(first.metric, Metric::InterToken);
        assert!(first.value > found.listed[2].value, "{found:?}");
        assert_eq!(second.metric, Metric::Ttft);
    }

    #[test]
    fn a_row_tells_them_in_one_line_and_says_which_figures_are_noisy() {
        let values: &[f64] = &[1.0, 1.1, 0.9, 2.0, 1.05, 0.95, 1.02];
        let row = with(&[run(&[
            (Metric::Inference, &[values]),
            (Metric::RepeatedInference, &[&[1.0, 9.0, 1.01]]),
        ])]);
        let lines = crate::summary::lines(&row);
        let line = lines.iter().find(|(word, _)| *word == "outliers");
        assert_eq!(
            line.map(|(_, text)| text.as_str()),
            Some(
                "tiny: 2 values lie far from the median of their process; \
                 NOISY: inference, repeated_inference; \
                 inference 2.00 s, 1.96 times the median, process 1, trial 5 (others used 50 % of all cores); \
                 repeated_inference 9.00 s, 8.91 times the median, process 1, trial 6 (others used 4 % of all cores)"
            )
        );
        let shown = row.figures.keys().find(|metric| metric.is_around_trials());
        assert_eq!(shown, None);
    }

    #[test]
    fn the_machine_is_told_in_words() {
        let check = |around: Around, expected: &str| assert_eq!(around.words(), expected);
        check(Around::default(), "");
        let all = Around {
            background_cpu: Some(0.0),
            swapped_in: Some(4096.0),
            swapped_out: Some(2_097_152.0),
            thermal_level: Some(1.0),
        };
        check(
            all,
            "others used 0 % of all cores, 0.00 MiB read back, 2.00 MiB swapped out, thermal pressure moderate",
        );
        let calm = Around {
            swapped_in: None,
            swapped_out: Some(0.0),
            thermal_level: Some(9.0),
            ..Around::default()
        };
        check(calm, "no swapping, thermal pressure unknown");
    }
}
