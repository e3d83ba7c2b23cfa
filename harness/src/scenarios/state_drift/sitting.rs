//! The calls of one process.

use std::ops::ControlFlow;
use std::time::Duration;

use store::Metric;
use store::stats::{BURN_IN, pace};

use crate::message::{Message, Reference, Replay};
use crate::subject::{AskError, Pass, Subject, View};

use super::super::probe::{Asked, Place, Probe};
use super::arm::Arm;
use super::change::{Change, drifted, margin, noise, reference};
use super::input::{Input, names};
use super::{EXTRA, WARMED};

/// One process under way.
pub(super) struct Sitting<'a, 'p> {
    subject: &'a mut dyn Subject,
    probe: &'a mut Probe<'p>,
    pictures: Vec<(Input, Vec<u8>)>,
    /// What the arm asks, for people.
    words: String,
    /// What was asked.
    history: Vec<Input>,
    /// See [`noise`]; none where a different answer tells nothing.
    noise: Option<f64>,
    /// Whether a call has failed and its history was told.
    failed: bool,
    /// What these are times of; of a second process there is nothing else.
    timed: Metric,
    /// Times of the input that is timed.
    seconds: Vec<f64>,
}

impl<'a, 'p> Sitting<'a, 'p> {
    pub(super) fn begin(subject: &'a mut dyn Subject, probe: &'a mut Probe<'p>, arm: &Arm) -> Self {
        let mut pictures: Vec<(Input, Vec<u8>)> = Vec::new();
        for &input in arm.round() {
            if pictures.iter().all(|(known, _)| *known != input) {
                pictures.push((input, input.picture(probe.set)));
            }
        }
        Self {
            // While fresh processes are being asked, nothing is noise or drift yet.
            noise: match arm {
                Arm::Fresh(_) => None,
                _ => noise(probe.references),
            },
            subject,
            probe,
            pictures,
            words: arm.words(),
            history: Vec::new(),
            failed: false,
            timed: match arm {
                Arm::Second(_) => Metric::SecondInference,
                _ => Metric::Inference,
            },
            seconds: Vec::new(),
        }
    }

    fn ask(&mut self, input: Input, pass: Pass) -> Result<Asked, AskError> {
        self.history.push(input);
        let picture = self.pictures.iter().find(|(known, _)| *known == input);
        let picture = picture.map_or(&[][..], |(_, bytes)| bytes);
        let messages = input.messages(self.probe.set);
        let question = super::super::probe::Question {
            pass,
            ..input.question(picture, &messages)
        };
        self.probe.ask(self.subject, &question)
    }

    /// The first answer a fresh process gave.
    fn first(&self, name: &str) -> Option<&'p Reference> {
        let mut known = self.probe.references.iter();
        known.find(|reference| reference.input == name)
    }

    /// The first request (R0), and where more are wanted, the one after a warm-up (R1).
    ///
    /// The first is phased, because only that pass reads the margins.
    pub(super) fn fresh(&mut self, input: Input) -> Result<(), AskError> {
        let calls = self.probe.epoch.trials as usize;
        let asked = self.ask(input, Pass::Phased)?;
        if let Some(reason) = &asked.broken {
            self.probe.void(Metric::FreshExactMatch, reason);
            return Ok(());
        }
        let name = input.name();
        let place = Place {
            item: name,
            arm: "fresh",
        };
        self.probe.answer(place, &asked.reply, None);
        let own = reference(name, &asked.reply);
        if self.outside() {
            return self.served(input, own);
        }
        if let Some(first) = self.first(name) {
            let same = Change::between(first, &own).at.is_none();
            let same = f64::from(u8::from(same));
            self.probe.value(Metric::FreshExactMatch, same);
        }
        self.spread(own.clone(), |_| true);
        self.probe.progress(1, calls);
        let first = self.first(name).unwrap_or(&own).clone();
        for call in 2..=calls {
            let Some(asked) = self.call(input, &first)? else {
                return Ok(());
            };
            if call == WARMED as usize && asked.broken.is_none() {
                let warm = reference(&format!("{name} warm"), &asked.reply);
                self.spread(warm, |change| change.at.is_none());
            }
            self.probe.progress(call, calls);
        }
        Ok(())
    }

    fn outside(&self) -> bool {
        self.subject.loaded().view == View::Outside
    }

    /// The same of a server, which is the same process all along: whether it repeats its first answer.
    fn served(&mut self, input: Input, own: Reference) -> Result<(), AskError> {
        let calls = self.probe.epoch.trials as usize;
        let first = match self.first(input.name()) {
            Some(first) => {
                let first = first.clone();
                self.repeats(&first, &own);
                first
            }
            None => {
                self.probe.reference(own.clone());
                own
            }
        };
        self.probe.progress(1, calls);
        for call in 2..=calls {
            if self.call(input, &first)?.is_none() {
                return Ok(());
            }
            self.probe.progress(call, calls);
        }
        Ok(())
    }

    fn repeats(&mut self, first: &Reference, own: &Reference) {
        let same = Change::between(first, own).at.is_none();
        self.probe
            .value(Metric::SameText, f64::from(u8::from(same)));
    }

    /// Records how far an answer is from those of other processes with the same history, and hands
    /// it on unless one is the same bit for bit.
    fn spread(&mut self, own: Reference, counts: fn(&Change) -> bool) {
        let known = self.probe.references.iter();
        let known: Vec<_> = known.filter(|known| known.input == own.input).collect();
        let changes = known.iter().map(|known| Change::between(known, &own));
        let deltas = changes.filter(counts).map(|change| change.logits);
        let worst = deltas.reduce(|worst, delta| if delta > worst { delta } else { worst });
        if let Some(worst) = worst {
            self.probe.value(Metric::FreshLogitDelta, worst);
        }
        if !known.contains(&&own) {
            self.probe.reference(own);
        }
    }

    /// Many requests in one process.
    pub(super) fn long_lived(&mut self, arm: &Arm) -> Result<(), AskError> {
        let epoch = self.probe.epoch;
        let calls = epoch.trials as usize;
        let began = self.probe.model_time;
        let most = Duration::from_secs(u64::from(epoch.most_s));
        for at in 0..calls {
            if at >= epoch.least as usize && self.probe.model_time - began > most {
                break;
            }
            if self.step(arm, arm.input(at))?.is_break() {
                return Ok(());
            }
            self.probe.progress(at + 1, calls);
        }
        let slower = pace(&self.seconds, BURN_IN).is_some_and(|pace| pace.is_slowdown());
        // What a fresh process would do cannot be asked of a server.
        if slower && !self.outside() && self.timed == Metric::Inference {
            self.probe.cool_down();
            self.timed_calls(arm.timed(), Metric::RestedInference);
        }
        Ok(())
    }

    /// One call of a long-lived process; a break where it ended the arm.
    fn step(&mut self, arm: &Arm, input: Input) -> Result<ControlFlow<()>, AskError> {
        if input.is_fault() {
            // Refused or survived: the next call shows what is left of it.
            let _ = self.ask(input, Pass::Fused);
            return Ok(ControlFlow::Continue(()));
        }
        let Some(first) = self.first(input.name()) else {
            let reason = "no fresh process's answer to compare with";
            self.probe.void(Metric::ExactMatch, reason);
            return Ok(ControlFlow::Break(()));
        };
        let Some(asked) = self.call(input, first)? else {
            return Ok(ControlFlow::Break(()));
        };
        if input == arm.timed() {
            self.weigh(&asked);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// One call that is compared with a fresh process; none where it raised, which is recorded.
    fn call(&mut self, input: Input, first: &Reference) -> Result<Option<Asked>, AskError> {
        let asked = match self.ask(input, Pass::Fused) {
            Ok(asked) => asked,
            Err(error) if self.history.len() > 1 => {
                let call = self.history.len();
                let reason = format!("call {call}: {error} ({})", self.words);
                self.probe.void(Metric::ExactMatch, &reason);
                self.tell_failure();
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let own = reference(input.name(), &asked.reply);
        self.compare(first, &own, &asked);
        if asked.broken.is_none() && drifted(first, &own, self.noise) {
            self.tell_failure();
        }
        Ok(Some(asked))
    }

    /// Records one call against the fresh process's answer.
    fn compare(&mut self, first: &Reference, own: &Reference, asked: &Asked) {
        if self.outside() {
            if let Some(reason) = &asked.broken {
                return self.probe.void(Metric::SameText, reason);
            }
            return self.repeats(first, own);
        }
        let change = Change::between(first, own);
        let (fault, call) = (asked.broken.as_deref(), self.history.len());
        let at = change.at.map_or(-1.0, |at| at as f64);
        let same = f64::from(u8::from(change.at.is_none()));
        for (metric, value) in [
            (Metric::ExactMatch, same),
            (Metric::DivergedAt, at),
            (Metric::LogitDelta, change.logits),
        ] {
            self.probe.value_unless(fault, metric, value);
        }
        if let (None, Some(at)) = (fault, change.at) {
            // One of each a diverged call, in order: the verdict matches them up.
            self.probe.value(Metric::DivergedCall, call as f64);
            self.probe
                .value(Metric::MarginAtDivergence, margin(first, at));
            let (item, arm) = (&first.input, format!("call {call}"));
            self.probe
                .answer(Place { item, arm: &arm }, &asked.reply, None);
        }
    }

    /// Time and memory of a call.
    fn weigh(&mut self, asked: &Asked) {
        let total = asked.reply.stages.total.as_secs_f64();
        let untimed = asked.untimed.as_deref();
        self.probe.value_unless(untimed, self.timed, total);
        if untimed.is_none() {
            self.seconds.push(total);
        }
        if self.timed == Metric::SecondInference {
            return;
        }
        let allocator = self.subject.memory();
        for (metric, bytes) in [
            (Metric::CallMemory, self.probe.gauge.footprint()),
            (Metric::CallActive, allocator.active),
            (Metric::CallCache, allocator.cache),
        ] {
            if let Some(bytes) = bytes {
                self.probe.value(metric, bytes as f64);
            }
        }
    }

    /// The first failure of a process, with what led to it.
    fn tell_failure(&mut self) {
        // Shorter histories could not be tried in fresh processes.
        if !self.failed && !self.outside() {
            self.tell(true);
        }
        self.failed = true;
    }

    fn tell(&mut self, fails: bool) {
        let calls = names(&self.history);
        (self.probe.out)(Message::Replay(Replay { calls, fails }));
    }

    /// A few calls more, for their times alone.
    fn timed_calls(&mut self, input: Input, metric: Metric) {
        for _ in 0..EXTRA {
            match self.ask(input, Pass::Fused) {
                Ok(asked) => {
                    let total = asked.reply.stages.total.as_secs_f64();
                    self.probe
                        .value_unless(asked.untimed.as_deref(), metric, total);
                }
                Err(error) => return self.probe.void(metric, &error.to_string()),
            }
            let calls = self.history.len();
            self.probe.progress(calls, calls);
        }
    }

    /// Makes the calls, and says whether one of them fails and which.
    pub(super) fn replay(&mut self, calls: &[Input]) {
        for (at, &input) in calls.iter().enumerate() {
            let answer = self.ask(input, Pass::Fused);
            let first = self.first(input.name());
            let fails = match (answer, first) {
                _ if input.is_fault() => false,
                (Err(_), _) => true,
                (Ok(_), None) => false,
                (Ok(asked), Some(first)) => {
                    let own = reference(input.name(), &asked.reply);
                    drifted(first, &own, self.noise)
                }
            };
            if fails {
                return self.tell(true);
            }
            self.probe.progress(at + 1, calls.len());
        }
        self.tell(false);
    }

    /// A fresh process asked what a slow one was asked: its settled calls.
    pub(super) fn again(&mut self, input: Input) {
        for call in 1..=BURN_IN {
            if let Err(error) = self.ask(input, Pass::Fused) {
                let reason = error.to_string();
                return self.probe.void(Metric::FreshInference, &reason);
            }
            self.probe.progress(call, self.probe.epoch.trials as usize);
        }
        self.timed_calls(input, Metric::FreshInference);
    }
}
