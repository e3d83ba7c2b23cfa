//! Years of nightly runs from a seed: level shifts, bad nights and noise of the size that published
//! studies of benchmark machines found (percent between nights, heavy tails).

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use store::stats::Rng;
use store::{
    Answer, Asked, Cell, Document, Environment, Facts, Machine, Metric, Outcome, Run, Sample,
    Session, Unit, Uuid,
};

use Metric as M;

/// What a night measures.
pub(super) const MODELS: [&str; 5] = [
    "smolvlm",
    "smolvlm2-mlx",
    "moondream2",
    "llava-4bit",
    "phi-4bit",
];
pub(super) const BACKENDS: [&str; 2] = ["candle", "mlx"];

/// Epochs, trials an epoch and metrics of one kind, as profile quick takes them.
struct Block(usize, usize, &'static [Metric]);

/// A scenario with the samples and answers of one run.
struct Shape {
    name: &'static str,
    blocks: &'static [Block],
    answers: usize,
}

#[rustfmt::skip]
const MEMORY: &[Metric] = &[
    M::Startup, M::LoadWarm, M::BaseMemory, M::LoadMemory, M::LoadPeak, M::InferPeak, M::PeakMemory,
    M::MappedResident, M::MemoryLimit, M::Overhead,
];
const AROUND: &[Metric] = &[
    M::BackgroundCpu,
    M::SwappedOut,
    M::ThermalLevel,
    M::PerformanceCores,
];
const TOKENS: &[Metric] = &[M::PromptTokens, M::ImageTokens, M::OutputTokens];
const WARM: &[Metric] = &[
    M::Inference,
    M::Ttft,
    M::Decode,
    M::Prefill,
    M::VisionEncode,
    M::ImagePrep,
    M::Unattributed,
];

#[rustfmt::skip]
const SHAPES: [Shape; 6] = [
    Shape { name: "cold-load", answers: 0, blocks: &[
        Block(4, 1, MEMORY), Block(2, 1, &[M::LoadCold]), Block(4, 1, &[M::FirstInference]), Block(4, 1, AROUND),
    ] },
    Shape { name: "warm-inference", answers: 0, blocks: &[
        Block(2, 1, MEMORY), Block(2, 5, WARM), Block(2, 5, AROUND), Block(2, 5, TOKENS),
        Block(2, 4, &[M::WarmUp]), Block(2, 315, &[M::InterToken]),
    ] },
    Shape { name: "state-drift", answers: 0, blocks: &[
        Block(3, 1, MEMORY), Block(2, 12, &[M::Inference, M::Ttft, M::CallMemory, M::CallActive, M::CallCache]),
        Block(2, 12, &[M::ExactMatch, M::DivergedAt, M::LogitDelta]), Block(2, 12, AROUND), Block(2, 12, TOKENS),
    ] },
    Shape { name: "text-only", answers: 24, blocks: &[
        Block(1, 1, MEMORY), Block(1, 24, &[M::TextRight, M::TextDegenerate]), Block(1, 24, TOKENS),
    ] },
    Shape { name: "vision", answers: 48, blocks: &[
        Block(1, 1, MEMORY), Block(1, 16, &[M::VisionRight, M::VisionBlank, M::VisionShuffled]),
        Block(1, 48, TOKENS),
    ] },
    Shape { name: "context", answers: 144, blocks: &[
        Block(1, 1, MEMORY), Block(1, 72, &[M::ContextDirect, M::ContextRetained, M::ContextTextOnly]),
        Block(1, 144, TOKENS),
    ] },
];

/// One machine's years.
pub(super) struct Nights {
    number: u64,
    random: Rng,
    /// Factor of each cell's times, moved by level shifts.
    levels: BTreeMap<(usize, usize), f64>,
}

impl Nights {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            random: Rng::new(0x5eed + number),
            levels: BTreeMap::new(),
        }
    }

    pub(super) fn machine(&self) -> Machine {
        Machine {
            chip: format!("Runner {}", self.number),
            performance_cores: 4,
            efficiency_cores: 4,
            memory_gib: 16,
            gpus: Vec::new(),
            arch: "aarch64".to_owned(),
            os: "macOS 15".to_owned(),
        }
    }

    /// The session of a night with all its runs.
    pub(super) fn night(&mut self, night: u32) -> Document {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(19_000 + i64::from(night));
        let at = at + TimeDelta::seconds(7_200 + self.number as i64);
        let session = self.session(at);
        let mut runs = Vec::new();
        for model in 0..MODELS.len() {
            for backend in 0..BACKENDS.len() {
                let factor = self.factor((model, backend));
                for shape in &SHAPES {
                    let at = at + TimeDelta::seconds(10 * runs.len() as i64);
                    runs.push(self.run((&session, at), (model, backend), shape, factor));
                }
            }
        }
        Document::new(session, runs)
    }

    /// A night's factor of a cell: its level, 2 % noise, now and then a bad night.
    fn factor(&mut self, cell: (usize, usize)) -> f64 {
        let random = &mut self.random;
        let level = self.levels.entry(cell).or_insert(1.0);
        if random.uniform() < 0.004 {
            *level *= 1.0 + 0.1 * random.normal();
        }
        let spike = if random.uniform() < 0.03 {
            1.0 + 0.4 * random.uniform()
        } else {
            1.0
        };
        *level * spike * (0.02 * random.normal()).exp()
    }

    fn session(&mut self, at: DateTime<Utc>) -> Session {
        let commit = format!("{:040x}", at.timestamp());
        Session {
            id: self.id(at),
            at,
            finished: Some(at + TimeDelta::minutes(20)),
            plan: "0123456789abcdef".to_owned(),
            suite: "embedded".to_owned(),
            profile: "quick".to_owned(),
            machine: self.machine(),
            environment: Environment {
                commit: Some(commit),
                branch: Some("main".to_owned()),
                dirty: Some(false),
                backends: BTreeMap::from([("candle-core".to_owned(), "0.11.1".to_owned())]),
                harness: "0.1.0".to_owned(),
                compiler: "rustc 1.95.0".to_owned(),
                os_build: "15.5 (24F74)".to_owned(),
                power: "ac".to_owned(),
                release: true,
                threads: 4,
                facts: Facts::default(),
            },
            asked: Asked::default(),
            state: Facts::default(),
            end_state: None,
        }
    }

    /// As a UUIDv7 of that moment.
    fn id(&mut self, at: DateTime<Utc>) -> Uuid {
        let millis = u128::from(at.timestamp_millis() as u64);
        let random = u128::from(self.random.bits()) & 0x3fff_ffff_ffff_ffff;
        Uuid::from_u128(millis << 80 | 7 << 76 | u128::from(self.number) << 64 | 2 << 62 | random)
    }

    fn run(
        &mut self,
        (session, at): (&Session, DateTime<Utc>),
        (model, backend): (usize, usize),
        shape: &Shape,
        factor: f64,
    ) -> Run {
        let samples = shape.blocks.iter().flat_map(|block| {
            let metrics = block
                .2
                .iter()
                .map(|&metric| self.sample(metric, block, factor));
            metrics.collect::<Vec<_>>()
        });
        let samples = samples.collect();
        Run {
            id: self.id(at),
            session: session.id,
            at,
            wall_s: 9.5 * factor,
            cell: Cell {
                model: MODELS[model].to_owned(),
                scenario: shape.name.to_owned(),
                version: Some(1),
                backend: BACKENDS[backend].to_owned(),
                device: "metal".to_owned(),
                precision: "f16 (4-bit/64 weights, as stored)".to_owned(),
                weights: "embedded".to_owned(),
                revision: "0123456789abcdef".to_owned(),
            },
            argument: None,
            outcome: Outcome::Measured {
                samples,
                voids: Vec::new(),
            },
            answers: answers(shape.answers),
            remarks: Vec::new(),
        }
    }

    fn sample(&mut self, metric: Metric, block: &Block, factor: f64) -> Sample {
        let mut epoch = || {
            let process = factor * (0.01 * self.random.normal()).exp();
            (0..block.1)
                .map(|_| value(&mut self.random, metric, process))
                .collect()
        };
        Sample {
            metric,
            epochs: (0..block.0).map(|_| epoch()).collect(),
        }
    }
}

/// As precise as the clock: nanoseconds, whole bytes, whole counts; rates are quotients.
fn value(random: &mut Rng, metric: Metric, process: f64) -> f64 {
    let noisy = process * (0.02 * random.normal()).exp();
    match metric.spec().unit {
        Unit::Second => Duration::from_nanos((6e7 * noisy) as u64).as_secs_f64(),
        Unit::Joule | Unit::Watt => 0.1 * noisy,
        Unit::Byte => ((3e8 * process) as u64 / 4096 * 4096) as f64,
        Unit::TokenPerSecond | Unit::BytePerSecond => 63.0 / (1.5 * noisy),
        Unit::Ratio if metric.spec().min_change > 0.0 || metric == M::BackgroundCpu => 0.03 * noisy,
        Unit::Ratio => f64::from(u8::from(random.uniform() < 0.8)),
        Unit::Count => 64.0,
        Unit::Logit => 0.0,
    }
}

/// Greedy answers: the same every night.
fn answers(number: usize) -> Vec<Answer> {
    let answer = |item| {
        Answer {
        item: format!("v{item}_color"),
        arm: "right".to_owned(),
        prompt: "<|im_start|>User:<image>What colour is the circle? Answer with one word.<end_of_utterance>\nAssistant:".to_owned(),
        text: "red".to_owned(),
        expected: Some("red".to_owned()),
        right: Some(true),
    }
    };
    (0..number).map(answer).collect()
}
