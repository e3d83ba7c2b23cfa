//! Which trials of a process count, and what the machine did around each of them.

use store::Metric;

/// What is told of each trial, in the order of [`Around`].
const AROUND: [Metric; 4] = [
    Metric::TrialBackgroundCpu,
    Metric::TrialSwappedIn,
    Metric::TrialSwappedOut,
    Metric::TrialThermalLevel,
];

/// Stands where the system does not tell.
const UNKNOWN: f64 = -1.0;

/// What the machine did over a span: others' share of all cores, bytes read back from swap, bytes swapped
/// out, thermal level. None where that is not known.
pub type Around = [Option<f64>; 4];

/// The trials of one process. What is told of them stays in step with them: one value for each trial that
/// counts, whatever became of the others.
#[derive(Debug, Default)]
pub(super) struct Trials {
    /// How many the worker says are done.
    said: u32,
    /// The last that ended.
    ended: u32,
    /// Those that count.
    numbers: Vec<f64>,
    /// Of the first of these, once it is known.
    around: Vec<Around>,
}

impl Trials {
    /// The worker says that so many are done.
    pub(super) const fn say(&mut self, done: u32) {
        self.said = done;
    }

    /// What was under way ended, and it counts or not. It was no trial where the worker has not counted on:
    /// it was the warm-up, or what is measured after the last trial.
    pub(super) fn end(&mut self, counts: bool) {
        if self.said > self.ended {
            self.ended = self.said;
            self.numbers.extend(counts.then(|| f64::from(self.said)));
        }
    }

    /// What the machine did around all trials since this was last told.
    pub(super) fn tell(&mut self, around: Around) {
        self.around.resize(self.numbers.len(), around);
    }

    /// The process is over: its trials as values of their metrics. Nothing where nothing was told.
    pub(super) fn take(&mut self) -> Vec<(Metric, Vec<f64>)> {
        let Self {
            numbers,
            mut around,
            ..
        } = std::mem::take(self);
        if around.is_empty() {
            return Vec::new();
        }
        around.resize(numbers.len(), [None; 4]);
        let column = |(at, metric): (usize, Metric)| {
            let values = around.iter().map(|told| told[at].unwrap_or(UNKNOWN));
            (metric, values.collect())
        };
        let told = AROUND.into_iter().enumerate().map(column);
        let told: Vec<(Metric, Vec<f64>)> = told.collect();
        [vec![(Metric::Trial, numbers)], told].concat()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::outliers::outliers;
    use store::stats::Rng;
    use store::{Outcome, Run, Void};

    use super::*;
    use crate::conditions::Mark;
    use crate::message::{Epoch, Message};
    use crate::parent::{Entry, Ledger};

    const fn work(share: f64) -> Around {
        [Some(share), None, Some(0.0), None]
    }

    #[test]
    fn each_trial_that_counts_has_one_value_of_everything() {
        let mut trials = Trials::default();
        let end = |trials: &mut Trials, done, counts| {
            trials.say(done);
            trials.end(counts);
        };
        end(&mut trials, 0, true); // the warm-up
        end(&mut trials, 1, true);
        end(&mut trials, 2, false);
        trials.tell(work(0.1));
        end(&mut trials, 3, false);
        trials.tell(work(0.2));
        end(&mut trials, 4, true);
        end(&mut trials, 5, true);
        trials.tell(work(0.3));
        end(&mut trials, 6, true);
        end(&mut trials, 6, true); // energy
        let all = trials.take();
        let of = |metric| all.iter().find(|(other, _)| *other == metric).unwrap();
        assert_eq!(of(Metric::Trial).1, [1.0, 4.0, 5.0, 6.0]);
        assert_eq!(of(Metric::TrialBackgroundCpu).1, [0.1, 0.3, 0.3, UNKNOWN]);
        assert_eq!(of(Metric::TrialSwappedIn).1, [UNKNOWN; 4]);
        assert_eq!(of(Metric::TrialSwappedOut).1, [0.0, 0.0, 0.0, UNKNOWN]);
        assert_eq!(trials.take(), [], "the next process begins anew");
    }

    #[test]
    fn nothing_is_told_where_nothing_was_watched() {
        let mut trials = Trials::default();
        trials.say(1);
        trials.end(true);
        assert_eq!(trials.take(), []);
        assert!(AROUND.iter().all(|metric| metric.is_around_trials()));
    }

    /// What the ledger makes of a process of twenty trials, of which the machine voids some and the worker
    /// refuses some values; the slow trial, if it counts, takes over 100 s. Whether all of the others count.
    fn process(ledger: &mut Ledger, rng: &mut Rng, slow: u32) -> bool {
        let metric = Metric::Inference;
        let mut all = true;
        for trial in 1..=20_u32 {
            let value = match trial == slow {
                true => 100.0 + f64::from(trial),
                false => 1.0 + f64::from(trial * 7 % 20) / 100.0,
            };
            let refused = trial != slow && rng.below(8) == 0;
            all &= !refused;
            let said = match refused {
                true => Message::Void(Void {
                    metric: Some(metric),
                    count: 1,
                    reason: "I7".to_owned(),
                }),
                false => Message::Sample { metric, value },
            };
            let void = (trial != slow && rng.below(8) == 0)
                .then(|| Mark::Void("the power source changed".to_owned()));
            let done = Message::Trial {
                done: trial,
                of: 20,
            };
            let entries = [Entry::Said(said), Entry::Said(done)];
            let ended = Entry::Trial(void.into_iter().collect());
            let told = Entry::Around(work(f64::from(trial) / 1000.0));
            for entry in entries.into_iter().chain([ended, told]) {
                ledger.book(entry);
            }
        }
        ledger.close_epoch(&Epoch::new("", 20), |_| None);
        all
    }

    fn run_of(outcome: Outcome) -> Run {
        let id = store::Uuid::nil();
        serde_json::from_value(json!({
            "id": id, "session": id, "at": "2026-05-29T00:00:00Z", "wall_s": 1.0,
            "cell": {
                "model": "tiny", "scenario": "warm-inference", "backend": "candle", "device": "cpu",
                "precision": "f32", "weights": "embedded", "revision": "r",
            },
            "outcome": outcome, "answers": [],
        }))
        .unwrap()
    }

    /// However trials and values are refused, a value is told with trials among which is its own.
    #[test]
    fn a_value_is_never_told_with_the_conditions_of_another_trial() {
        let mut rng = Rng::new(7);
        let (mut exact, mut close) = (0, 0);
        for _ in 0..300 {
            let slow = 1 + u32::try_from(rng.below(20)).unwrap();
            let mut ledger = Ledger::default();
            let all = process(&mut ledger, &mut rng, slow);
            let found = outliers(&run_of(ledger.close().outcome)).listed;
            let outlier = found.iter().find(|outlier| outlier.value > 50.0).unwrap();
            let (first, last) = outlier.trials.unwrap();
            assert!((first..=last).contains(&slow), "{slow}: {outlier:?}");
            let told = outlier.around.and_then(|around| around.background_cpu);
            assert_eq!(told, Some(f64::from(last) / 1000.0), "{outlier:?}");
            let single = first == last;
            assert!(single || !all, "{outlier:?}");
            exact += u32::from(single);
            close += u32::from(!single);
        }
        assert!(exact > 10 && close > 10, "{exact} {close}");
    }
}
