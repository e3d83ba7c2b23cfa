//! What a scenario measures with: the questions, the clock, the gauges, and the way out for figures.

use std::time::Duration;

use store::{Answer, Metric, Void};

use crate::conditions::{CoolDown, Sampler, Thermal, cool_down};
use crate::machine;
use crate::measure::energy::{self, Meter};
use crate::measure::nvml::Gpu;
use crate::measure::{self, Bandwidth, Clock};
use crate::message::{Epoch, Message, Reference, one_line};
use crate::models::{self, Device};
use crate::probes::ProbeSet;
use crate::subject::{self, AskError, Pass, Reply, Request, Stop, Subject};

use super::invariants;

/// Bytes a warm request may read from storage, for code pages touched late; more voids its times.
const PAGE_INS: u64 = 1 << 20;

/// Shortest and longest rest of a process that became slower. Many machines tell nothing of their heat,
/// and the others tell it late.
const REST: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(120));

/// Counters of the worker's own process; a fake in tests.
pub trait Gauge {
    /// Memory that only this process accounts for, in bytes.
    fn footprint(&self) -> Option<u64>;
    /// Bytes that storage delivered to this process so far.
    fn disk_read(&self) -> Option<u64>;
    /// Resident pages of mapped files, in bytes.
    fn mapped(&self) -> Option<u64> {
        None
    }
    /// Memory of the machine, in bytes.
    fn installed(&self) -> Option<u64> {
        None
    }
    /// How fast memory is read where the model computes. Of a processor it is measured now: for a moment it
    /// takes 64 MiB and all cores. None where nobody tells, as of Apple's GPUs.
    fn bandwidth(&self) -> Option<Bandwidth> {
        None
    }
    /// Does nothing until the machine is cool and idle, half a minute at least, two at most.
    fn cool_down(&self) -> CoolDown {
        let CoolDown { waited, reached } = cool_down(REST.1);
        let more = REST.0.saturating_sub(waited);
        std::thread::sleep(more);
        CoolDown {
            waited: waited + more,
            reached,
        }
    }

    /// Memory where the weights are: the process's own, or of a GPU with its own, what the library
    /// has in use there.
    fn held(&self) -> Option<u64> {
        self.footprint()
    }

    /// Bytes that programs can still have without swapping.
    fn available(&self) -> Option<u64> {
        None
    }

    /// How hot the machine finds itself.
    fn thermal(&self) -> Option<Thermal> {
        None
    }

    /// The energy of what computes; none where nothing counts it.
    fn meter(&self) -> Option<Box<dyn Meter>> {
        None
    }
}

/// The real counters.
#[derive(Clone, Copy, Debug)]
pub struct OwnProcess {
    /// Where the model computes.
    pub place: models::Place,
}

impl Gauge for OwnProcess {
    fn footprint(&self) -> Option<u64> {
        measure::memory(std::process::id()).map(|memory| memory.footprint)
    }

    fn disk_read(&self) -> Option<u64> {
        measure::disk_read_bytes(std::process::id())
    }

    fn mapped(&self) -> Option<u64> {
        measure::memory(std::process::id())?.mapped
    }

    fn installed(&self) -> Option<u64> {
        Some(u64::from(machine::detect().memory_gib) << 30).filter(|&bytes| bytes > 0)
    }

    fn bandwidth(&self) -> Option<Bandwidth> {
        match self.place.device {
            Device::Cpu => Some(Bandwidth::Measured(measure::read_bandwidth())),
            Device::Cuda => Some(Bandwidth::Rated(Gpu::open()?.bandwidth()?)),
            // Its memory is the processor's, which cannot read it as fast: no roof.
            Device::Metal | Device::Server => None,
        }
    }

    fn held(&self) -> Option<u64> {
        match self.place.device {
            Device::Cuda => models::memory(self.place).ok()?.active,
            Device::Cpu | Device::Metal | Device::Server => self.footprint(),
        }
    }

    fn available(&self) -> Option<u64> {
        Sampler::new(None).read().state.available
    }

    fn thermal(&self) -> Option<Thermal> {
        Sampler::new(None).read().state.thermal
    }

    fn meter(&self) -> Option<Box<dyn Meter>> {
        let meter = match self.place.device {
            Device::Cpu | Device::Metal => energy::of_processor(),
            Device::Cuda => energy::of_gpu(),
            Device::Server => return None,
        };
        meter.ok()
    }
}

/// Counters of a server's processes; none of them where it has none here.
#[derive(Clone, Debug)]
pub struct ServerProcesses(pub Vec<u32>);

impl ServerProcesses {
    /// Sum over the processes, where each of them tells.
    fn sum(&self, of: impl Fn(u32) -> Option<u64>) -> Option<u64> {
        let known = Some(&self.0).filter(|processes| !processes.is_empty())?;
        known.iter().map(|&process| of(process)).sum()
    }
}

impl Gauge for ServerProcesses {
    fn footprint(&self) -> Option<u64> {
        self.sum(|process| measure::memory(process).map(|memory| memory.footprint))
    }

    fn disk_read(&self) -> Option<u64> {
        self.sum(measure::disk_read_bytes)
    }

    fn mapped(&self) -> Option<u64> {
        self.sum(|process| measure::memory(process)?.mapped)
    }

    fn installed(&self) -> Option<u64> {
        None
    }

    fn bandwidth(&self) -> Option<Bandwidth> {
        None
    }

    fn thermal(&self) -> Option<Thermal> {
        Sampler::new(None).read().state.thermal
    }
}

/// How the worker came up, measured before the scenario begins.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Birth {
    /// `t_rt - t_spawn`.
    pub startup: Duration,
    /// `t_l1 - t_l0`.
    pub load: Duration,
    /// Share of the weights in the page cache before the start, where proved.
    pub residency: Option<f64>,
    /// Bytes that storage delivered while loading, where the system tells.
    pub disk_read: Option<u64>,
    /// Footprint at `t_rt`, in bytes.
    pub base: Option<u64>,
    /// Footprint at `t_l1`, in bytes.
    pub loaded: Option<u64>,
    /// What the library had in use at `t_rt`, in bytes. CUDA's driver counts its context and other
    /// processes there, before any weight is loaded.
    pub in_use: Option<u64>,
    /// Whether the machine slept meanwhile.
    pub slept: bool,
}

/// A reply with what is wrong about it.
#[derive(Debug)]
pub struct Asked {
    /// What came back.
    pub reply: Reply,
    /// The broken invariant, which voids every figure of the reply.
    pub broken: Option<String>,
    /// What voids its times, the broken invariant included.
    pub untimed: Option<String>,
    /// The same for one of the first requests, which may still read code from storage.
    pub untimed_first: Option<String>,
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The picture, if any.
    pub picture: Option<&'a [u8]>,
    /// The conversation.
    pub messages: &'a [subject::Message],
    /// Most ids.
    pub most: usize,
    /// When to end.
    pub stop: Stop,
    /// Barriers or none.
    pub pass: Pass,
}

impl<'a> Question<'a> {
    /// A greedy question with a natural end and no barriers.
    #[must_use]
    pub const fn new(
        picture: Option<&'a [u8]>,
        messages: &'a [subject::Message],
        most: usize,
    ) -> Self {
        Self {
            picture,
            messages,
            most,
            stop: Stop::AtStopId,
            pass: Pass::Fused,
        }
    }
}

/// Where one answer belongs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Id of the item.
    pub item: &'a str,
    /// Which condition.
    pub arm: &'a str,
}

/// Another model of the plan.
#[derive(Clone, Copy)]
pub struct Other<'a> {
    /// Bytes of its weight files.
    pub weight_bytes: u64,
    /// Loads it.
    pub load: &'a dyn Fn() -> Result<Box<dyn Subject>, AskError>,
}

/// The instrument of one epoch.
pub struct Probe<'a> {
    /// Pictures and questions.
    pub set: &'a ProbeSet,
    /// What this epoch is to do.
    pub epoch: &'a Epoch,
    /// How the worker came up.
    pub birth: Birth,
    /// What earlier epochs of the cell said.
    pub references: &'a [Reference],
    /// What this epoch's random choices grow from.
    pub seed: u64,
    /// Loads another model of the plan beside the one under test; none where there is none.
    pub neighbour: Option<Other<'a>>,
    /// Time inside the model so far, see [`crate::message::Message::Done`].
    pub model_time: Duration,
    /// Counters of this process.
    pub gauge: &'a dyn Gauge,
    /// Where messages go.
    pub out: &'a mut dyn FnMut(Message),
}

impl Probe<'_> {
    /// Asks, and judges the reply by the invariants.
    ///
    /// # Errors
    /// What the model raised.
    pub fn ask(
        &mut self,
        subject: &mut dyn Subject,
        question: &Question<'_>,
    ) -> Result<Asked, AskError> {
        let images: Vec<&[u8]> = question.picture.into_iter().collect();
        let request = Request {
            images: &images,
            messages: question.messages,
            max_new_tokens: question.most,
            stop: question.stop,
            pass: question.pass,
        };
        let before = self.gauge.disk_read();
        let clock = Clock::start();
        let reply = subject.ask(&request)?;
        let (wall, slept) = (clock.elapsed(), clock.slept());
        self.model_time += wall;
        let read = self
            .gauge
            .disk_read()
            .zip(before)
            .map(|(after, before)| after.saturating_sub(before));
        let broken = invariants::broken(&request, &reply, subject.loaded().placeholder.as_deref());
        let untimed_first = broken
            .clone()
            .or_else(|| slept.then(|| "the machine slept".to_owned()))
            .or_else(|| invariants::impossible_times(&request, &reply.stages, wall))
            .or_else(|| invariants::hollow(&request, &reply));
        let paged = read.filter(|&bytes| bytes > PAGE_INS);
        let untimed = untimed_first.clone().or_else(|| {
            paged.map(|bytes| format!("{bytes} bytes read from storage in a warm request"))
        });
        Ok(Asked {
            reply,
            broken,
            untimed,
            untimed_first,
        })
    }

    /// One value; void where it cannot be.
    pub fn value(&mut self, metric: Metric, value: f64) {
        match invariants::plausible(metric, value) {
            Ok(()) => (self.out)(Message::Sample { metric, value }),
            Err(reason) => self.void(metric, &reason),
        }
    }

    /// One value, void for the given reason if there is one.
    pub fn value_unless(&mut self, fault: Option<&str>, metric: Metric, value: f64) {
        match fault {
            None => self.value(metric, value),
            Some(reason) => self.void(metric, reason),
        }
    }

    /// One refused value.
    pub fn void(&mut self, metric: Metric, reason: &str) {
        let (metric, reason) = (Some(metric), one_line(reason));
        (self.out)(Message::Void(Void {
            metric,
            count: 1,
            reason,
        }));
    }

    /// A metric that the model has no form for: nothing is refused, there is nothing to take.
    pub fn not_offered(&mut self, metric: Metric, what: &str) {
        let reason = one_line(&format!("{}: {what}", store::BY_DESIGN));
        let metric = Some(metric);
        (self.out)(Message::Void(Void {
            metric,
            count: 0,
            reason,
        }));
    }

    /// Keeps an answer to be read and re-scored.
    pub fn answer(&mut self, place: Place<'_>, reply: &Reply, judged: Option<(String, bool)>) {
        let (expected, right) = judged.unzip();
        (self.out)(Message::Answer(Answer {
            item: place.item.to_owned(),
            arm: place.arm.to_owned(),
            prompt: reply.prompt.clone(),
            text: reply.text.clone(),
            expected,
            right,
        }));
    }

    /// So many trials of so many are done; none, where the warm-up is over.
    pub fn progress(&mut self, done: usize, of: usize) {
        let count = |n| u32::try_from(n).unwrap_or(u32::MAX);
        (self.out)(Message::Trial {
            done: count(done),
            of: count(of),
        });
    }

    /// Something found out, to be read beside the figures.
    pub fn finding(&mut self, text: &str) {
        (self.out)(Message::Finding {
            text: one_line(text),
        });
    }

    /// Something that makes figures of this epoch less certain, in the same words each time.
    pub fn advisory(&mut self, text: &str) {
        (self.out)(Message::Advisory {
            text: one_line(text),
        });
    }

    /// Does nothing for a while, on purpose; no overhead of the harness.
    pub fn rest(&mut self, time: Duration) {
        std::thread::sleep(time);
        self.model_time += time;
    }

    /// Rests until the machine is cool, see [`Gauge::cool_down`]; no overhead of the harness.
    pub fn cool_down(&mut self) {
        let CoolDown { waited, reached } = self.gauge.cool_down();
        self.model_time += waited;
        if !reached {
            self.advisory("the machine was hot or busy even after a rest: why calls became slower is less certain");
        }
    }

    /// Hands a reference to the next epochs of the cell.
    pub fn reference(&mut self, reference: Reference) {
        (self.out)(Message::Reference(reference));
    }
}
