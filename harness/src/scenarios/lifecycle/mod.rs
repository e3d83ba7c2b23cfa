//! `lifecycle`: what loading and dropping a model leaves behind, and what a second one does to it.

#[cfg(test)]
mod tests;

use std::time::Duration;

use store::Metric;
use store::metric::Unit;
use store::stats::stop::settled;

use crate::message::Epoch;
use crate::subject::{AskError, Loaded, Message, Stop, Subject};

use super::probe::{Asked, Question};
use super::warm_inference::{DESCRIBE, Pictures};
use super::{Needs, Probe, Profile, Scenario};

/// The arm that loads, asks and unloads.
const CYCLES: &str = "cycles";

/// The arm that loads another model beside the first.
const BESIDE: &str = "beside";

/// Cycles of one process: the fewest that a slope has an interval for.
const CYCLE_COUNT: u32 = 5;

/// Timed requests before, beside and after the other model.
const TRIALS: u32 = 5;

/// Ids of a timed answer, always as many: what is compared is the work, not the answer.
const FIXED: usize = 32;

/// Requests before the first that is timed, where two in a row do not agree earlier.
const WARM_UP: usize = 8;

/// Memory that another model needs, by its weights: they, activations, and what else it makes.
const ROOM: f64 = 1.3;

/// Time between dropping a model and looking at the memory.
const SETTLE: Duration = Duration::from_millis(500);

/// A model loaded, asked and dropped several times in one process, and another one beside it.
///
/// In `cycles` memory is read after each answer and half a second after each unloading, which drops
/// the model, empties the library's caches and waits for the device. In `beside` the same request
/// is timed before another model of the plan is loaded in the same process, while that is there,
/// and after it was dropped. Without another model in the plan, or room for it, a finding says so.
pub(super) struct Lifecycle;

impl Scenario for Lifecycle {
    fn name(&self) -> &'static str {
        "lifecycle"
    }

    fn about(&self) -> &'static str {
        "load, ask and unload repeatedly; a second model beside the first"
    }

    fn version(&self) -> u32 {
        3
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric::BaseMemory,
            Metric::CallMemory,
            Metric::AfterUnload,
            Metric::Inference,
            Metric::BesideInference,
            Metric::AfterInference,
            Metric::NeighbourResidue,
        ]
    }

    fn needs(&self) -> Needs {
        Needs::Loading
    }

    fn epochs(&self, profile: Profile) -> Vec<Epoch> {
        let [cycles, beside] = profile.pick([[1, 0], [1, 3], [3, 5]]);
        let cycles = vec![Epoch::new(CYCLES, CYCLE_COUNT); cycles];
        let beside = vec![Epoch::new(BESIDE, TRIALS); beside];
        [cycles, beside].concat()
    }

    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        let visit = Visit {
            messages: DESCRIBE.messages(probe.set),
            pictures: Pictures::new(DESCRIBE, probe.seed)?,
            asked: 0,
            probe,
        };
        match visit.probe.epoch.arm.as_str() {
            BESIDE => visit.beside(subject),
            _ => visit.cycles(subject),
        }
    }
}

/// One epoch under way.
struct Visit<'a, 'p> {
    probe: &'a mut Probe<'p>,
    messages: [Message; 1],
    pictures: Pictures,
    /// Pictures asked about so far: none comes twice.
    asked: usize,
}

impl Visit<'_, '_> {
    fn ask(&mut self, subject: &mut dyn Subject, stop: Stop) -> Result<Asked, AskError> {
        let picture = self.pictures.nth(self.asked);
        self.asked += 1;
        let most = match stop {
            Stop::AtStopId => DESCRIBE.most(),
            Stop::AtLimit => FIXED,
        };
        let question = Question {
            stop,
            ..Question::new(Some(&picture), &self.messages, most)
        };
        self.probe.ask(subject, &question)
    }

    /// Loads, asks and unloads. The worker has loaded the model for the first cycle.
    fn cycles(mut self, subject: &mut dyn Subject) -> Result<(), AskError> {
        if let Some(base) = self.probe.birth.base {
            self.probe.value(Metric::BaseMemory, base as f64);
        }
        let cycles = self.probe.epoch.trials as usize;
        for cycle in 1..=cycles {
            let ended = self.cycle(subject, cycle > 1);
            ended.map_err(|error| format!("cycle {cycle}: {error}"))?;
            self.probe.progress(cycle, cycles);
        }
        Ok(())
    }

    fn cycle(&mut self, subject: &mut dyn Subject, again: bool) -> Result<(), AskError> {
        if again {
            subject.load()?;
        }
        let asked = self.ask(subject, Stop::AtStopId)?;
        let fault = asked.broken.as_deref();
        self.memory(Metric::CallMemory, fault);
        subject.unload()?;
        self.probe.rest(SETTLE);
        self.memory(Metric::AfterUnload, fault);
        Ok(())
    }

    fn memory(&mut self, metric: Metric, fault: Option<&str>) {
        match self.probe.gauge.held() {
            Some(bytes) => self.probe.value_unless(fault, metric, bytes as f64),
            None => {
                let reason = "the system does not tell the process's memory";
                self.probe.void(metric, reason);
            }
        }
    }

    /// Times the model before, beside and after another one.
    fn beside(mut self, subject: &mut dyn Subject) -> Result<(), AskError> {
        let Some(neighbour) = self.probe.neighbour else {
            let text = "no other model in this plan: nothing was loaded beside this one";
            self.probe.finding(text);
            return Ok(());
        };
        if let Some(short) = self.no_room(subject.loaded(), neighbour.weight_bytes) {
            self.probe.finding(&short);
            return Ok(());
        }
        self.warm_up(subject)?;
        self.time(Metric::Inference, subject)?;
        let before = self.probe.gauge.held();
        let other = (neighbour.load)().and_then(|mut other| {
            self.ask(other.as_mut(), Stop::AtStopId)?;
            Ok(other)
        });
        let mut other = match other {
            Ok(other) => other,
            Err(error) => {
                // What is wrong with the other model voids its figures alone.
                for metric in [Metric::BesideInference, Metric::AfterInference] {
                    self.probe.void(metric, &format!("other model: {error}"));
                }
                return Ok(());
            }
        };
        self.time(Metric::BesideInference, subject)?;
        other.unload()?;
        drop(other);
        self.probe.rest(SETTLE);
        if let Some((before, after)) = before.zip(self.probe.gauge.held()) {
            let left = after.saturating_sub(before) as f64;
            self.probe.value(Metric::NeighbourResidue, left);
        }
        self.time(Metric::AfterInference, subject)
    }

    /// Why another model is not loaded too: the system would swap, or end this process. Its weights
    /// are taken to grow in memory as this model's did.
    fn no_room(&self, own: &Loaded, weight_bytes: u64) -> Option<String> {
        let growth = own.held_bytes as f64 / own.weight_bytes.max(1) as f64;
        let need = weight_bytes as f64 * growth.max(1.0) * ROOM;
        let free = self.probe.gauge.available().map(|bytes| bytes as f64)?;
        let format = |bytes| Unit::Byte.format(bytes);
        (free < need).then(|| {
            let (free, need) = (format(free), format(need));
            format!("no room for a second model: it needs {need}, {free} are available")
        })
    }

    fn warm_up(&mut self, subject: &mut dyn Subject) -> Result<(), AskError> {
        let mut totals = Vec::new();
        while totals.len() < WARM_UP && !settled(&totals) {
            let asked = self.ask(subject, Stop::AtLimit)?;
            totals.push(asked.reply.stages.total.as_secs_f64());
        }
        self.probe.progress(0, 3 * self.probe.epoch.trials as usize);
        Ok(())
    }

    fn time(&mut self, metric: Metric, subject: &mut dyn Subject) -> Result<(), AskError> {
        let trials = self.probe.epoch.trials as usize;
        let before = match metric {
            Metric::BesideInference => trials,
            Metric::AfterInference => 2 * trials,
            _ => 0,
        };
        for trial in 1..=trials {
            let asked = self.ask(subject, Stop::AtLimit)?;
            let total = asked.reply.stages.total.as_secs_f64();
            let fault = asked.untimed.as_deref();
            self.probe.value_unless(fault, metric, total);
            self.probe.progress(before + trial, 3 * trials);
        }
        Ok(())
    }
}
