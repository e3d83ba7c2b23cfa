//! What the workers of one cell said, epoch by epoch.
//!
//! Values belong to a trial until the worker says that it is over; only then is it known whether
//! the machine left it in peace.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::{Answer, Metric, Outcome, Remark, RemarkKind, Sample, Void};

use super::trials::{Around, Trials};
use crate::conditions::Mark;
use crate::message::{Epoch, Message, Reference, Replay, one_line};
use crate::scenarios::SoFar;
use crate::scenarios::invariants::plausible;
use crate::subject::Loaded;

/// The books of one cell.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What the model is, once a worker has loaded it.
    pub loaded: Option<Loaded>,
    /// What fresh processes answered, for later epochs.
    pub references: Vec<Reference>,
    /// Sequences of calls that were tried.
    pub replays: Vec<Replay>,
    epochs: Vec<Epoch>,
    closed: Vec<BTreeMap<Metric, Vec<f64>>>,
    open: BTreeMap<Metric, Vec<f64>>,
    /// Values of the trial that is under way.
    trial: Vec<(Metric, f64)>,
    /// Those of the epoch under way.
    trials: Trials,
    voids: Vec<Void>,
    answers: Vec<Answer>,
    remarks: Vec<Remark>,
}

/// One thing to be booked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A worker said it.
    Said(Message),
    /// The parent measured it; none where the system does not tell.
    Seen(Metric, Option<f64>),
    /// A trial ended, and this is what the machine did to it.
    Trial(Vec<Mark>),
    /// What it did around all trials since the last of these entries.
    Around(Around),
    /// Something to be read beside the figures of so many trials.
    Advisory(u32, String),
}

/// What a cell came to.
#[derive(Debug)]
pub struct Told {
    /// Figures and what was refused.
    pub outcome: Outcome,
    /// What the model said.
    pub answers: Vec<Answer>,
    /// Circumstances and findings.
    pub remarks: Vec<Remark>,
}

impl Ledger {
    /// Ends an epoch: later values belong to the next. All of them are refused for a reason that only all
    /// together give.
    pub fn close_epoch(
        &mut self,
        epoch: &Epoch,
        worthless: impl FnOnce(&BTreeMap<Metric, Vec<f64>>) -> Option<String>,
    ) {
        self.keep_trial();
        if let Some(reason) = worthless(&self.open) {
            for (metric, values) in std::mem::take(&mut self.open) {
                self.void(Void {
                    metric: Some(metric),
                    count: u32::try_from(values.len()).unwrap_or(u32::MAX),
                    reason: reason.clone(),
                });
            }
            // What the machine did around values that are gone is of no use.
            self.trials = Trials::default();
        }
        self.end_epoch();
        self.epochs.push(epoch.clone());
    }

    fn end_epoch(&mut self) {
        self.keep_trial();
        self.open.extend(self.trials.take());
        self.closed.push(std::mem::take(&mut self.open));
    }

    /// Forgets the epoch under way, whose worker failed.
    pub fn drop_epoch(&mut self) {
        self.trial.clear();
        self.trials = Trials::default();
        self.open.clear();
    }

    /// What the closed epochs have shown.
    #[must_use]
    pub fn so_far(&self) -> SoFar<'_> {
        SoFar {
            epochs: &self.epochs,
            values: &self.closed,
            voids: &self.voids,
            replays: &self.replays,
        }
    }

    /// Ends a trial that the machine may have disturbed: its values are refused for the first
    /// reason to void, and marked for each advisory one.
    pub fn close_trial(&mut self, marks: &[Mark]) {
        let void = marks.iter().find_map(|mark| match mark {
            Mark::Void(reason) => Some(reason.clone()),
            Mark::Advisory(_) => None,
        });
        self.trials.end(void.is_none());
        if let Some(reason) = void {
            for (metric, _) in std::mem::take(&mut self.trial) {
                self.refuse(metric, &reason);
            }
            return;
        }
        self.keep_trial();
        for mark in marks {
            if let Mark::Advisory(reason) = mark {
                self.remark(RemarkKind::Advisory, 1, reason);
            }
        }
    }

    fn keep_trial(&mut self) {
        for (metric, value) in std::mem::take(&mut self.trial) {
            self.open.entry(metric).or_default().push(value);
        }
    }

    /// Equal remarks are counted, not repeated.
    pub fn remark(&mut self, kind: RemarkKind, count: u32, text: &str) {
        let text = one_line(text);
        let known = self
            .remarks
            .iter_mut()
            .find(|old| old.kind == kind && old.text == text);
        match known {
            Some(old) => old.count = old.count.saturating_add(count),
            None => self.remarks.push(Remark { kind, count, text }),
        }
    }

    /// Books one thing.
    pub fn book(&mut self, entry: Entry) {
        match entry {
            Entry::Said(message) => self.take(message),
            Entry::Seen(metric, Some(value)) => self.seen(metric, value),
            Entry::Seen(metric, None) => self.refuse(metric, "the system does not tell"),
            Entry::Trial(marks) => self.close_trial(&marks),
            Entry::Around(around) => self.trials.tell(around),
            Entry::Advisory(count, text) => self.remark(RemarkKind::Advisory, count, &text),
        }
    }

    /// Books what a worker said. Values are judged again: the worker may be broken.
    pub fn take(&mut self, message: Message) {
        match message {
            Message::Loaded(loaded) => self.loaded = Some(loaded),
            Message::Sample { metric, value } => self.value(metric, value),
            Message::Void(void) => self.void(void),
            Message::Answer(answer) => self.answers.push(answer),
            Message::Reference(reference) => self.references.push(reference),
            Message::Replay(replay) => self.replays.push(replay),
            Message::Finding { text } => self.remark(RemarkKind::Finding, 0, &text),
            // About a process, of which there are no trials to count.
            Message::Advisory { text } => self.remark(RemarkKind::Advisory, 0, &text),
            Message::Trial { done, .. } => self.trials.say(done),
            Message::Started | Message::Done { .. } | Message::Failed { .. } => {}
        }
    }

    fn value(&mut self, metric: Metric, value: f64) {
        match plausible(metric, value) {
            Ok(()) => self.trial.push((metric, value)),
            Err(reason) => self.refuse(metric, &reason),
        }
    }

    /// What the parent saw belongs to no trial, so that none takes it along.
    fn seen(&mut self, metric: Metric, value: f64) {
        match plausible(metric, value) {
            Ok(()) => self.open.entry(metric).or_default().push(value),
            Err(reason) => self.refuse(metric, &reason),
        }
    }

    fn refuse(&mut self, metric: Metric, reason: &str) {
        self.void(Void {
            metric: Some(metric),
            count: 1,
            reason: reason.to_owned(),
        });
    }

    /// Equal reasons are counted, not repeated.
    fn void(&mut self, void: Void) {
        let reason = one_line(&void.reason);
        let known = self
            .voids
            .iter_mut()
            .find(|old| old.metric == void.metric && old.reason == reason);
        match known {
            Some(old) => old.count = old.count.saturating_add(void.count),
            None => self.voids.push(Void { reason, ..void }),
        }
    }

    /// Ends the cell. A cell without any value and without any reason for that is void itself.
    #[must_use]
    pub fn close(mut self) -> Told {
        self.end_epoch();
        let mut samples: BTreeMap<Metric, Vec<Vec<f64>>> = BTreeMap::new();
        for (metric, values) in self.closed.into_iter().flatten() {
            samples.entry(metric).or_default().push(values);
        }
        let nothing = samples.keys().all(|metric| metric.is_around_trials());
        if nothing && self.voids.is_empty() {
            let reason =
                "no value was measured: the probe set has no item for this scenario".to_owned();
            self.voids.push(Void {
                metric: None,
                count: 1,
                reason,
            });
        }
        let samples = samples
            .into_iter()
            .map(|(metric, epochs)| Sample { metric, epochs })
            .collect();
        Told {
            outcome: Outcome::Measured {
                samples,
                voids: self.voids,
            },
            answers: self.answers,
            remarks: self.remarks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(metric: Metric, value: f64) -> Message {
        Message::Sample { metric, value }
    }

    #[test]
    fn values_are_kept_by_epoch_and_impossible_ones_refused() {
        let (mut ledger, epoch) = (Ledger::default(), Epoch::new("", 2));
        ledger.take(sample(Metric::Inference, 0.1));
        ledger.take(sample(Metric::Inference, -0.1));
        ledger.take(sample(Metric::Inference, -0.1));
        ledger.close_epoch(&epoch, |_| None);
        ledger.close_epoch(&epoch, |_| None); // an epoch of another arm leaves no hole
        ledger.take(sample(Metric::Inference, 0.2));
        let outcome = ledger.close().outcome;
        let Outcome::Measured { samples, voids } = outcome else {
            panic!("measured")
        };
        assert_eq!(samples[0].epochs, [vec![0.1], vec![0.2]]);
        assert_eq!((voids.len(), voids[0].count), (1, 2));
    }

    #[test]
    fn a_worthless_epoch_leaves_reasons_and_no_values() {
        let (mut ledger, epoch) = (Ledger::default(), Epoch::new("", 2));
        for values in [[0.1, 0.2], [0.3, 0.4]] {
            for value in values {
                ledger.take(sample(Metric::Inference, value));
                ledger.close_trial(&[]);
            }
            ledger.close_epoch(&epoch, |shown| {
                let first = shown[&Metric::Inference][0];
                (first < 0.2).then(|| "I4: one answer".to_owned())
            });
        }
        let Outcome::Measured { samples, voids } = ledger.close().outcome else {
            panic!("measured")
        };
        assert_eq!(samples[0].epochs, [vec![0.3, 0.4]]);
        assert_eq!(
            (voids[0].count, voids[0].reason.as_str()),
            (2, "I4: one answer")
        );
    }

    #[test]
    fn nothing_measured_is_void() {
        let outcome = Ledger::default().close().outcome;
        let Outcome::Measured { voids, .. } = outcome else {
            panic!("measured")
        };
        assert_eq!(voids[0].metric, None);
    }

    #[test]
    fn a_disturbed_trial_is_marked_or_refused() {
        let mut ledger = Ledger::default();
        let advisory = Mark::Advisory("background load".to_owned());
        let void = Mark::Void("the power source changed".to_owned());
        for marks in [vec![], vec![advisory.clone()], vec![advisory, void]] {
            ledger.take(sample(Metric::Inference, 0.1));
            ledger.close_trial(&marks);
        }
        let told = ledger.close();
        let Outcome::Measured { samples, voids } = told.outcome else {
            panic!("measured")
        };
        assert_eq!(samples[0].epochs, [vec![0.1, 0.1]]);
        assert_eq!(voids[0].reason, "the power source changed");
        assert_eq!((told.remarks.len(), told.remarks[0].count), (1, 1));
    }
}
