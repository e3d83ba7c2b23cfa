//! What the workers of one cell said, epoch by epoch.

use std::collections::BTreeMap;

use store::{Answer, Metric, Outcome, Sample, Void};

use crate::message::{Message, Reference, one_line};
use crate::scenarios::invariants::plausible;
use crate::subject::Loaded;

/// The books of one cell.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What the model is, once a worker has loaded it.
    pub loaded: Option<Loaded>,
    /// What fresh processes answered, for later epochs.
    pub references: Vec<Reference>,
    closed: Vec<BTreeMap<Metric, Vec<f64>>>,
    open: BTreeMap<Metric, Vec<f64>>,
    voids: Vec<Void>,
    answers: Vec<Answer>,
}

impl Ledger {
    /// Ends an epoch: later values belong to the next.
    pub fn open_epoch(&mut self) {
        self.closed.push(std::mem::take(&mut self.open));
    }

    /// Books what a worker said. Values are judged again: the worker may be broken.
    pub fn take(&mut self, message: Message) {
        match message {
            Message::Loaded(loaded) => self.loaded = Some(loaded),
            Message::Sample { metric, value } => self.value(metric, value),
            Message::Void(void) => self.void(void),
            Message::Answer(answer) => self.answers.push(answer),
            Message::Reference(reference) => self.references.push(reference),
            Message::Started | Message::Trial { .. } | Message::Done { .. } | Message::Failed { .. } => {}
        }
    }

    /// Books an epoch's peak memory.
    pub fn peak(&mut self, bytes: Option<u64>) {
        match bytes {
            Some(bytes) => self.value(Metric::PeakMemory, bytes as f64),
            None => self.refuse(Metric::PeakMemory, "the system does not tell the process's memory"),
        }
    }

    fn value(&mut self, metric: Metric, value: f64) {
        match plausible(metric, value) {
            Ok(()) => self.open.entry(metric).or_default().push(value),
            Err(reason) => self.refuse(metric, &reason),
        }
    }

    fn refuse(&mut self, metric: Metric, reason: &str) {
        self.void(Void { metric: Some(metric), count: 1, reason: reason.to_owned() });
    }

    /// Equal reasons are counted, not repeated.
    fn void(&mut self, void: Void) {
        let reason = one_line(&void.reason);
        let known = self.voids.iter_mut().find(|old| old.metric == void.metric && old.reason == reason);
        match known {
            Some(old) => old.count = old.count.saturating_add(void.count),
            None => self.voids.push(Void { reason, ..void }),
        }
    }

    /// Ends the cell. A cell without any value and without any reason for that is void itself.
    #[must_use]
    pub fn close(mut self) -> (Outcome, Vec<Answer>) {
        self.open_epoch();
        let mut samples: BTreeMap<Metric, Vec<Vec<f64>>> = BTreeMap::new();
        for (metric, values) in self.closed.into_iter().flatten() {
            samples.entry(metric).or_default().push(values);
        }
        if samples.is_empty() && self.voids.is_empty() {
            let reason = "no value was measured: the probe set has no item for this scenario".to_owned();
            self.voids.push(Void { metric: None, count: 1, reason });
        }
        let samples = samples.into_iter().map(|(metric, epochs)| Sample { metric, epochs }).collect();
        (Outcome::Measured { samples, voids: self.voids }, self.answers)
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
        let mut ledger = Ledger::default();
        ledger.take(sample(Metric::Inference, 0.1));
        ledger.take(sample(Metric::Inference, -0.1));
        ledger.take(sample(Metric::Inference, -0.1));
        ledger.open_epoch();
        ledger.open_epoch(); // an epoch of another arm leaves no hole
        ledger.take(sample(Metric::Inference, 0.2));
        let (outcome, _) = ledger.close();
        let Outcome::Measured { samples, voids } = outcome else {
            panic!("measured")
        };
        assert_eq!(samples[0].epochs, [vec![0.1], vec![0.2]]);
        assert_eq!((voids.len(), voids[0].count), (1, 2));
    }

    #[test]
    fn nothing_measured_is_void() {
        let (outcome, _) = Ledger::default().close();
        let Outcome::Measured { voids, .. } = outcome else {
            panic!("measured")
        };
        assert_eq!(voids[0].metric, None);
    }
}
