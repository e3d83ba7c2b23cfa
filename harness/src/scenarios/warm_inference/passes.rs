//! The requests of one epoch, and what each of them tells.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};
use store::Metric;
use store::stats::median;
use store::stats::stop::settled;

use crate::measure::Bandwidth;
use crate::scenarios::invariants::{above_roof, memory, roof};
use crate::scenarios::pace::{decode_rate, token_times};
use crate::scenarios::probe::{Asked, Place, Probe, Question};
use crate::subject::{AskError, Pass, Reply, Stop, Subject, View};

use super::workload::{Asks, New, Requests};

/// Ids decoded where the length is fixed, or as many as an answer has at most.
pub(super) const FIXED: usize = 64;

/// Fewest and most requests before the first that counts.
const WARM_UP: (usize, usize) = (2, 8);

/// Work after which no warm-up beyond the fewest starts: a full-size model on a slow processor, half
/// a minute a request, must fit into the cell's limit.
const ENOUGH: Duration = Duration::from_secs(60);

/// New requests that a trial may need.
const REQUESTS: usize = 3;

/// What only a request with a picture has.
const OF_PICTURES: [Metric; 5] = [
    Metric::ModelTtft,
    Metric::ImagePrep,
    Metric::ImageTokens,
    Metric::VisionEncode,
    Metric::VisionPerTile,
];

/// Shares above which the phases of an epoch are less certain: of what no phase accounts for, and of
/// what the barriers cost.
const UNATTRIBUTED: f64 = 0.05;
const BARRIERS: f64 = 0.03;

/// One epoch under way.
pub(super) struct Sitting<'a, 'p> {
    pub(super) subject: &'a mut dyn Subject,
    pub(super) probe: &'a mut Probe<'p>,
    asks: Asks,
    requests: Requests,
    /// What the weights are read from, see [`memory`], and most bytes of them a second, see [`roof`].
    memory: Option<Bandwidth>,
    roof: f64,
    /// What the trials so far have shown.
    pub(super) values: BTreeMap<Metric, Vec<f64>>,
    /// Totals of a fixed number of ids, without and with barriers, of the same trials.
    barriers: Vec<(f64, f64)>,
    /// Totals about a new picture and about the same again, of the same trials.
    repeats: Vec<(f64, f64)>,
}

impl<'a, 'p> Sitting<'a, 'p> {
    /// Measures the memory's bandwidth, if need be: before the warm-up, which settles again what
    /// that disturbs.
    pub(super) fn begin(
        subject: &'a mut dyn Subject,
        probe: &'a mut Probe<'p>,
        asks: Asks,
    ) -> Result<Self, AskError> {
        let read_bytes = subject.loaded().read_bytes;
        let memory = memory(read_bytes, || probe.gauge.bandwidth());
        Ok(Self {
            requests: Requests::new(asks, probe.set, probe.seed)?,
            subject,
            probe,
            asks,
            memory,
            roof: roof(read_bytes, memory),
            values: BTreeMap::new(),
            barriers: Vec::new(),
            repeats: Vec::new(),
        })
    }

    /// Asks for the fixed number of ids until two successive totals are alike.
    pub(super) fn warm_up(&mut self) -> Result<(), AskError> {
        let began = self.probe.model_time;
        let mut totals = Vec::new();
        loop {
            let enough = settled(&totals) || self.probe.model_time - began > ENOUGH;
            if totals.len() >= WARM_UP.1 || (totals.len() >= WARM_UP.0 && enough) {
                return Ok(());
            }
            let request = self.requests.nth(totals.len());
            let asked = self.ask(&request, Stop::AtLimit, Pass::Fused)?;
            let (total, fault) = (total(&asked.reply), asked.untimed_first.as_deref());
            self.probe.value_unless(fault, Metric::WarmUp, total);
            totals.push(total);
        }
    }

    /// One trial, the first being 0.
    pub(super) fn trial(&mut self, trial: usize) -> Result<(), AskError> {
        let number = WARM_UP.1 + REQUESTS * trial;
        let request = self.requests.nth(number);
        let natural = self.natural(&request)?;
        if trial == 0 {
            let (item, arm) = ("novel", self.asks.arm());
            self.probe.answer(Place { item, arm }, &natural.reply, None);
        }
        let fixed = self.fixed(number + 1)?;
        let phases = self.subject.loaded().view == View::Inside;
        if trial.is_multiple_of(2) && phases {
            let phased = self.phased(number + 2)?;
            self.barriers.extend(timed(&fixed).zip(timed(&phased)));
        } else if request.picture.is_some() {
            let repeated = self.repeated(&request)?;
            self.repeats.extend(timed(&natural).zip(timed(&repeated)));
        }
        Ok(())
    }

    fn ask(&mut self, request: &New, stop: Stop, pass: Pass) -> Result<Asked, AskError> {
        let most = match stop {
            Stop::AtStopId => self.asks.most(),
            Stop::AtLimit => self.asks.most().min(FIXED),
        };
        let question = Question {
            stop,
            pass,
            ..Question::new(request.picture.as_deref(), &request.messages, most)
        };
        self.probe.ask(self.subject, &question)
    }

    /// As a user would ask.
    fn natural(&mut self, request: &New) -> Result<Asked, AskError> {
        let asked = self.ask(request, Stop::AtStopId, Pass::Fused)?;
        let reply = &asked.reply;
        let first = seconds(reply.stages.tokens.first().copied());
        let fault = asked.untimed.as_deref();
        self.keep(
            fault,
            &[(Metric::Inference, total(reply)), (Metric::Ttft, first)],
        );
        let count = |n: usize| n as f64;
        if let Some(counts) = reply.counts {
            let text = reply.text.bytes().map(u32::from);
            let values = [
                (Metric::PromptTokens, counts.prompt.map(count)),
                (Metric::OutputTokens, counts.generated.map(count)),
                (Metric::TextHash, Some(hash(text))),
                (Metric::ServerPrefill, counts.prefill),
                (Metric::ServerDecode, counts.decode),
            ];
            let told = values.into_iter();
            let told = told.filter_map(|(metric, value)| Some((metric, value?)));
            self.keep(fault, &told.collect::<Vec<_>>());
            return Ok(asked);
        }
        let values = [
            (
                Metric::ModelTtft,
                first - reply.stages.image_prep.as_secs_f64(),
            ),
            (Metric::PromptTokens, count(reply.positions)),
            (Metric::ImageTokens, count(reply.image_tokens)),
            (Metric::OutputTokens, count(reply.output_ids.len())),
            (Metric::OutputHash, hash(reply.output_ids.iter().copied())),
            (
                Metric::LogitHash,
                hash(reply.first_logits.iter().map(|logit| logit.to_bits())),
            ),
        ];
        self.keep(fault, &values);
        Ok(asked)
    }

    /// As a user would ask again about the same picture.
    fn repeated(&mut self, request: &New) -> Result<Asked, AskError> {
        let asked = self.ask(request, Stop::AtStopId, Pass::Fused)?;
        let values = [(Metric::RepeatedInference, total(&asked.reply))];
        self.keep(asked.untimed.as_deref(), &values);
        Ok(asked)
    }

    /// A fixed number of ids.
    fn fixed(&mut self, n: usize) -> Result<Asked, AskError> {
        let request = self.requests.nth(n);
        let asked = self.ask(&request, Stop::AtLimit, Pass::Fused)?;
        let mut fault = asked.untimed.clone();
        match decode_rate(&asked.reply) {
            Ok(rate) => {
                let bytes = rate * self.subject.loaded().read_bytes as f64;
                fault = fault.or_else(|| above_roof(bytes, self.roof));
                self.keep(fault.as_deref(), &[(Metric::Decode, rate)]);
                if self.subject.loaded().view == View::Inside {
                    self.keep(fault.as_deref(), &[(Metric::WeightBandwidth, bytes)]);
                }
            }
            Err(why) => self.probe.not_offered(Metric::Decode, why),
        }
        match token_times(&asked.reply) {
            Ok(times) => self.gaps(fault.as_deref(), times),
            Err(why) => self.probe.not_offered(Metric::InterToken, why),
        }
        Ok(asked)
    }

    fn gaps(&mut self, fault: Option<&str>, times: &[Duration]) {
        for pair in times.windows(2) {
            let gap = pair[1].saturating_sub(pair[0]).as_secs_f64();
            self.keep(fault, &[(Metric::InterToken, gap)]);
        }
    }

    /// A fixed number of ids, with a barrier after each phase.
    fn phased(&mut self, n: usize) -> Result<Asked, AskError> {
        let request = self.requests.nth(n);
        let asked = self.ask(&request, Stop::AtLimit, Pass::Phased)?;
        let vision = match self.asks {
            Asks::About(_) => asked.reply.stages.vision,
            Asks::InWords => Some(asked.reply.stages.image_prep),
        };
        let phases = phases(&asked.reply, seconds(vision));
        self.keep(asked.untimed.as_deref(), &phases);
        Ok(asked)
    }

    fn keep(&mut self, fault: Option<&str>, values: &[(Metric, f64)]) {
        let told = |metric| self.asks != Asks::InWords || !OF_PICTURES.contains(&metric);
        for &(metric, value) in values.iter().filter(|(metric, _)| told(*metric)) {
            self.probe.value_unless(fault, metric, value);
            if fault.is_none() && value.is_finite() {
                self.values.entry(metric).or_default().push(value);
            }
        }
    }

    /// What only a whole epoch shows.
    pub(super) fn end(mut self) {
        let barriers = ratio(&self.barriers).map(|ratio| ratio - 1.0);
        let gain = ratio(&self.repeats).map(|ratio| 1.0 - ratio);
        let memory = self.subject.memory().peak.map(|bytes| bytes as f64);
        let delivered = self.memory.map(Bandwidth::rate);
        let read = self.values.get(&Metric::WeightBandwidth);
        let share = read.and_then(|rates| Some(median(rates)? / delivered?));
        let mapped = self.probe.gauge.mapped().map(|bytes| bytes as f64);
        for (metric, value) in [
            (Metric::BarrierOverhead, barriers),
            (Metric::ImageCacheGain, gain),
            (Metric::MemoryBandwidth, delivered),
            (Metric::BandwidthShare, share),
            (Metric::DevicePeak, memory),
            (Metric::MappedResident, mapped),
        ] {
            // None where too few trials fitted, or the library or the system does not tell.
            self.keep(None, value.map(|value| (metric, value)).as_slice());
        }
        self.advise(
            (Metric::BarrierOverhead, BARRIERS),
            "barriers cost a phased request over 3 %: its phases are less certain",
        );
        self.advise(
            (Metric::Unattributed, UNATTRIBUTED),
            "over 5 % of a phased request belong to no phase: its phases are less certain",
        );
    }

    fn advise(&mut self, (metric, most): (Metric, f64), text: &str) {
        let found = self.values.get(&metric).and_then(|values| median(values));
        if found.is_some_and(|share| share > most) {
            self.probe.advisory(text);
        }
    }
}

/// What each phase took, given when the vision tower was done. Not a number where a mark is missing, which no
/// sample accepts.
fn phases(reply: &Reply, vision: f64) -> [(Metric, f64); 5] {
    let stages = &reply.stages;
    let image = stages.image_prep.as_secs_f64();
    let (prefill, last) = (
        seconds(stages.prefill),
        seconds(stages.tokens.last().copied()),
    );
    let total = total(reply);
    let sum = image + (vision - image) + (prefill - vision) + (last - prefill);
    let encode = vision - image;
    [
        (Metric::ImagePrep, image),
        (Metric::VisionEncode, encode),
        (Metric::VisionPerTile, encode / reply.tiles as f64),
        (Metric::Prefill, reply.positions as f64 / (prefill - vision)),
        (Metric::Unattributed, (total - sum) / total),
    ]
}

/// 52 bits of a SHA-256, which a sample's floating-point value holds exactly.
fn hash(words: impl Iterator<Item = u32>) -> f64 {
    // At once: a call for each of a vocabulary's logits would take longer than hashing them.
    let words: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    let digest = Sha256::digest(words);
    let bits = digest
        .iter()
        .take(8)
        .fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
    (bits >> 12) as f64
}

fn seconds(mark: Option<Duration>) -> f64 {
    mark.map_or(f64::NAN, |mark| mark.as_secs_f64())
}

fn total(reply: &Reply) -> f64 {
    reply.stages.total.as_secs_f64()
}

/// The total of a reply whose times count.
fn timed(asked: &Asked) -> Option<f64> {
    asked.untimed.is_none().then(|| total(&asked.reply))
}

/// Median of the second over median of the first.
fn ratio(pairs: &[(f64, f64)]) -> Option<f64> {
    let (first, second): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    Some(median(&second)? / median(&first)?)
}
