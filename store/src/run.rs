//! What crosses from the harness to the report: sessions, runs and their raw samples. No SQL here.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::metric::Metric;

/// What stands for a part of a [`Machine`] that is not known.
pub const UNKNOWN: &str = "unknown";

/// The hardware a run was measured on; its [`key`](Self::key) is the database's series key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Processor as its maker names it, e.g. `Apple M3`.
    pub chip: String,
    /// Fast cores; all of them where the chip has one kind.
    pub performance_cores: u32,
    /// Efficient cores; 0 where the chip has one kind.
    pub efficiency_cores: u32,
    /// Installed memory, rounded to whole GiB: what the kernel keeps for itself varies by version.
    pub memory_gib: u32,
    /// GPU names and core counts, empty where there is none.
    pub gpus: Vec<String>,
    /// Instruction set, e.g. `aarch64`.
    pub arch: String,
    /// System and major version, e.g. `macOS 15`; the full build is in [`Environment`].
    pub os: String,
}

impl Machine {
    /// Twelve hex digits of the SHA-256 over every field: equal machines, equal keys.
    #[must_use]
    pub fn key(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_else(|_| format!("{self:?}"));
        let digest = Sha256::digest(text.as_bytes());
        digest
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// One line for people, e.g. `Apple M3, 4+4 cores, 16 GiB, macOS 15`; what is not known is left out.
    #[must_use]
    pub fn describe(&self) -> String {
        let cores = match (self.performance_cores, self.efficiency_cores) {
            (0, 0) => None,
            (fast, 0) => Some(format!("{fast} cores")),
            (fast, slow) => Some(format!("{fast}+{slow} cores")),
        };
        let memory = (self.memory_gib > 0).then(|| format!("{} GiB", self.memory_gib));
        let os = (self.os != UNKNOWN).then(|| self.os.clone());
        let parts = [Some(self.chip.clone()), cores, memory];
        let parts = parts.into_iter().flatten().chain(self.gpus.iter().cloned());
        parts.chain(os).collect::<Vec<_>>().join(", ")
    }
}

/// What was true of software and power when a session started.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Environment {
    /// 40-hex git commit of the measured source, if known.
    pub commit: Option<String>,
    /// Branch of that commit, if any.
    pub branch: Option<String>,
    /// Whether the work tree held uncommitted changes; unknown without git.
    pub dirty: Option<bool>,
    /// Versions of the backend crates, by crate.
    pub backends: BTreeMap<String, String>,
    /// Version of this program.
    pub harness: String,
    /// The compiler, as it names itself.
    pub compiler: String,
    /// Full system version and build.
    pub os_build: String,
    /// `ac`, `battery` or `unknown`.
    pub power: String,
    /// Whether the program was built with optimisation.
    pub release: bool,
    /// Threads the backends may use.
    pub threads: u32,
    /// What else may matter to a reader, by name: features, GPU driver, hash of the lock file, page size,
    /// locale. Nothing is decided by it.
    #[serde(default, skip_serializing_if = "Facts::is_empty")]
    pub facts: Facts,
}

/// Short texts by name.
pub type Facts = BTreeMap<String, String>;

impl Environment {
    /// What makes figures of one machine no measure for each other, in words: threads, power source and
    /// kind of build.
    #[must_use]
    pub fn conditions(&self) -> String {
        let built = if self.release { "release" } else { "debug" };
        format!(
            "{} threads, power {}, {built} build",
            self.threads, self.power
        )
    }
}

/// What a session was asked for beyond its suite and profile, so that it can be asked again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// What the order and all random choices grew from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The suite's file as it was named; none for the embedded one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// The arithmetic, where it was not left to the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Address of the server that was measured, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// One call of `harness run`: every run made by it shares machine, environment and plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// UUIDv7, so ids sort by time and merge without conflict.
    pub id: Uuid,
    /// When it started.
    pub at: DateTime<Utc>,
    /// When its last cell was stored; none for one that was cut off.
    pub finished: Option<DateTime<Utc>>,
    /// Hash of what was to be run: `--resume` continues a session of the same plan.
    pub plan: String,
    /// Name of the suite.
    pub suite: String,
    /// `quick`, `standard` or `full`.
    pub profile: String,
    /// Where.
    pub machine: Machine,
    /// With what.
    pub environment: Environment,
    /// What for.
    #[serde(default)]
    pub asked: Asked,
    /// How the machine was at the start: heat, swap in use, others' work.
    #[serde(default, skip_serializing_if = "Facts::is_empty")]
    pub state: Facts,
    /// The same at the end; none for one that was cut off, or of a version that did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_state: Option<Facts>,
}

/// What one series is about: scenario x model x backend x device x precision x weights.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// Model name as the table prints it.
    pub model: String,
    /// Scenario name.
    pub scenario: String,
    /// Version of the scenario: figures of two versions are not of the same thing. None where not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// `candle` or `mlx`.
    pub backend: String,
    /// `cpu`, `metal` or `cuda`.
    pub device: String,
    /// Arithmetic and stored weights, e.g. `f32 (bf16 weights)`; empty until a worker has loaded.
    pub precision: String,
    /// `embedded`, `published`, `local` or `dummy`: never compared across.
    pub weights: String,
    /// Identity of the weights: a commit or a digest.
    pub revision: String,
}

impl Cell {
    /// The cell as a series has it: of whatever version and weights, for new ones continue a series behind
    /// a break.
    #[must_use]
    pub fn in_series(&self) -> Self {
        Self {
            version: None,
            revision: String::new(),
            ..self.clone()
        }
    }
}

/// The raw repeats of one metric in a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// What was measured.
    pub metric: Metric,
    /// In the metric's unit; outer: epochs (fresh processes), inner: trials, both in order.
    pub epochs: Vec<Vec<f64>>,
}

impl Sample {
    /// All values in order.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.epochs.iter().flatten().copied()
    }
}

/// Where a worker was when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The worker could not be started, or said nothing.
    Start,
    /// While loading the model.
    Load,
    /// While answering.
    Ask,
    /// Ended by the time limit.
    Timeout,
    /// Ended by a signal or an exit of its own.
    Crash,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 5] = [
        Self::Start,
        Self::Load,
        Self::Ask,
        Self::Timeout,
        Self::Crash,
    ];

    /// The stage as the database and JSON name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Load => "load",
            Self::Ask => "ask",
            Self::Timeout => "timeout",
            Self::Crash => "crash",
        }
    }
}

impl std::str::FromStr for Stage {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|stage| stage.name() == name);
        found.ok_or_else(|| format!("unknown stage {name:?}"))
    }
}

/// A figure that was taken and then refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Void {
    /// The refused metric; none where the whole cell is.
    pub metric: Option<Metric>,
    /// How many values are left out.
    pub count: u32,
    /// Why, in one line, with the invariant's id where there is one.
    pub reason: String,
}

/// What a [`Remark`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemarkKind {
    /// A circumstance that may have changed figures, which are kept and marked.
    Advisory,
    /// Something the scenario found out, e.g. the shortest failing sequence of calls.
    Finding,
}

impl RemarkKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Advisory, Self::Finding];

    /// The kind as the database and JSON name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Advisory => "advisory",
            Self::Finding => "finding",
        }
    }
}

impl std::str::FromStr for RemarkKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| format!("unknown kind of remark {name:?}"))
    }
}

/// What should be read beside a run's figures; it refuses none of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Circumstance or finding.
    pub kind: RemarkKind,
    /// Trials it is about; 0 where it is about the whole run.
    pub count: u32,
    /// What, in one line.
    pub text: String,
}

/// Begins the remark of a run of which retention has kept one value an epoch.
pub const THINNED: &str = "thinned by retention";

/// Begins the remark of a run of which no energy could be told.
pub const NO_ENERGY: &str = "no energy";

/// Begins the reason of a [`Void`] that is nobody's fault.
pub const BY_DESIGN: &str = "unsupported by design";

/// Ends it where the model cannot be told earlier turns of a conversation.
pub const NO_TURNS: &str = "no form for earlier turns";

impl Void {
    /// Whether no figure was taken because the model's makers offer no such thing: no form for
    /// earlier turns, say, or no answers without a picture.
    #[must_use]
    pub fn is_by_design(&self) -> bool {
        self.reason.starts_with(BY_DESIGN)
    }
}

/// What came of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every epoch ended; some figures may be void.
    Measured {
        /// Valid raw values.
        samples: Vec<Sample>,
        /// What was refused.
        voids: Vec<Void>,
    },
    /// No figures.
    Failed {
        /// Where.
        stage: Stage,
        /// Why, in one line.
        message: String,
    },
}

/// One answer of the model, kept to be read and re-scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Id of the probe in its set, e.g. `v1_color`.
    pub item: String,
    /// Which condition, e.g. `right`, `blank`, `turn 4`.
    pub arm: String,
    /// The rendered prompt, placeholders not yet expanded.
    pub prompt: String,
    /// What the model said. Hostile text.
    pub text: String,
    /// What was expected, where there is a known answer.
    pub expected: Option<String>,
    /// Whether it was right, where there is a known answer.
    pub right: Option<bool>,
}

/// One cell, measured once at one commit on one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// UUIDv7.
    pub id: Uuid,
    /// The [`Session`] it belongs to, which holds machine and commit.
    pub session: Uuid,
    /// When it started.
    pub at: DateTime<Utc>,
    /// Wall time of the whole cell, in seconds.
    pub wall_s: f64,
    /// What was measured.
    pub cell: Cell,
    /// The model as `--model` or the suite named it; none where not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// What the model said.
    pub answers: Vec<Answer>,
    /// Circumstances and findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
}

impl Run {
    /// The samples; none where the cell failed.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        match &self.outcome {
            Outcome::Measured { samples, .. } => samples,
            Outcome::Failed { .. } => &[],
        }
    }

    /// Whether retention has dropped its raw trials and answers.
    #[must_use]
    pub fn is_thinned(&self) -> bool {
        self.remarks
            .iter()
            .any(|remark| remark.text.starts_with(THINNED))
    }

    /// The sample of one metric.
    #[must_use]
    pub fn sample(&self, metric: Metric) -> Option<&Sample> {
        self.samples().iter().find(|sample| sample.metric == metric)
    }

    /// What was refused.
    #[must_use]
    pub fn voids(&self) -> &[Void] {
        match &self.outcome {
            Outcome::Measured { voids, .. } => voids,
            Outcome::Failed { .. } => &[],
        }
    }
}
