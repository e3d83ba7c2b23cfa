//! Micro-benches that other tools measured, as sessions of ours: the same series, the same gate.
//!
//! Each bench becomes a run with its raw times under [`Metric::BenchTime`]. Its cell names the bench as
//! the model and the tool as the backend. Ids are derived from the measured values, so that the same
//! file is the same session wherever and whenever it is imported.

mod criterion;
mod hyperfine;
mod pytest;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid, Variant, Version};

use crate::document::Document;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::run::{
    Asked, Cell, Environment, Facts, Machine, Outcome, Run, Sample, Session, UNKNOWN, Void,
};

pub use criterion::folder as criterion_folder;

/// Scenario of all micro-benches.
pub const SCENARIO: &str = "bench";

/// Longest name of a bench, in bytes.
const LONGEST: usize = 4096;

/// What a file of results tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// Name of the tool.
    pub(crate) tool: &'static str,
    /// Its version, where the file says it.
    pub(crate) version: Option<String>,
    /// When it measured, where the file says it.
    pub(crate) at: Option<DateTime<Utc>>,
    /// Where, where the file says it.
    pub(crate) machine: Option<Machine>,
    /// Commit, branch, compiler and system, as far as the file says them.
    pub(crate) environment: Environment,
    /// In the order of the file.
    pub(crate) benches: Vec<Bench>,
}

/// One bench: raw times and what was refused of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bench {
    /// Its id in the tool.
    pub(crate) name: String,
    /// Seconds an iteration; an epoch is a process.
    pub(crate) epochs: Vec<Vec<f64>>,
    /// Seconds that it took in all.
    pub(crate) wall_s: f64,
    /// Times that mean nothing.
    pub(crate) voids: Vec<Void>,
}

/// What is known of a measurement beside its file. What the file says itself stands, but for the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// When, if the file does not say.
    pub at: DateTime<Utc>,
    /// Where, whatever the file says.
    pub machine: Option<Machine>,
    /// Measured commit, if the file does not say.
    pub commit: Option<String>,
    /// Its branch, if the file does not say.
    pub branch: Option<String>,
}

/// Reads hyperfine's or pytest-benchmark's JSON; none for anything else.
///
/// # Errors
/// [`Error::Bench`] where it is one of these, but not whole.
pub fn parse(value: &serde_json::Value) -> Option<Result<Results>> {
    let list = |name: &str| value.get(name).is_some_and(serde_json::Value::is_array);
    if list("results") {
        return Some(hyperfine::parse(value));
    }
    (list("benchmarks") && value.get("machine_info").is_some()).then(|| pytest::parse(value))
}

impl Results {
    /// Name of the tool, e.g. `hyperfine`.
    #[must_use]
    pub const fn tool(&self) -> &'static str {
        self.tool
    }

    /// The session that these results are.
    ///
    /// Without a machine in the file and in `origin`, it belongs to one of its own, which is never
    /// compared with any other.
    ///
    /// # Errors
    /// [`Error::Bench`] without a bench, for a name or a time that cannot be.
    pub fn document(&self, origin: &Origin) -> Result<Document> {
        self.checked()?;
        let id = self.id();
        let machine = origin.machine.as_ref().or(self.machine.as_ref());
        let environment = Environment {
            commit: self.environment.commit.clone().or(origin.commit.clone()),
            branch: self.environment.branch.clone().or(origin.branch.clone()),
            backends: BTreeMap::from([(self.tool.to_owned(), self.version())]),
            harness: env!("CARGO_PKG_VERSION").to_owned(),
            power: "unknown".to_owned(),
            release: true,
            ..self.environment.clone()
        };
        let at = self.at.unwrap_or(origin.at);
        let session = Session {
            id,
            at,
            finished: Some(at),
            plan: self.plan(),
            suite: self.tool.to_owned(),
            profile: SCENARIO.to_owned(),
            machine: machine.cloned().unwrap_or_else(|| unknown(id)),
            environment,
            asked: Asked::default(),
            state: Facts::default(),
            end_state: None,
        };
        let runs = (0_u64..).zip(&self.benches);
        let runs = runs.map(|(number, bench)| self.run(&session, number, bench));
        let runs = runs.collect();
        Ok(Document::new(session, runs))
    }

    fn version(&self) -> String {
        self.version.clone().unwrap_or_else(|| "unknown".to_owned())
    }

    fn checked(&self) -> Result<()> {
        if self.benches.is_empty() {
            return Err(self.wrong("no bench in it"));
        }
        for Bench { name, epochs, .. } in &self.benches {
            if name.is_empty() || name.len() > LONGEST {
                return Err(self.wrong(format!("a name of {} bytes", name.len())));
            }
            let values = || epochs.iter().flatten();
            if let Some(value) = values().find(|value| !value.is_finite() || **value < 0.0) {
                return Err(self.wrong(format!("{name}: a time of {value} s")));
            }
        }
        Ok(())
    }

    fn wrong(&self, reason: impl Into<String>) -> Error {
        wrong(self.tool, reason)
    }

    /// Derived from tool, names and values: equal results, equal ids.
    fn id(&self) -> Uuid {
        let mut hash = Sha256::new();
        hash.update(self.tool);
        for bench in &self.benches {
            hash.update((bench.name.len() as u64).to_le_bytes());
            hash.update(&bench.name);
            for trials in &bench.epochs {
                hash.update((trials.len() as u64).to_le_bytes());
                trials
                    .iter()
                    .for_each(|value| hash.update(value.to_le_bytes()));
            }
        }
        derived(hash)
    }

    /// Hash of the names: what a later session of the same benches has in common with this one.
    fn plan(&self) -> String {
        let names: Vec<&str> = self
            .benches
            .iter()
            .map(|bench| bench.name.as_str())
            .collect();
        let digest = Sha256::digest(names.join("\n"));
        digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn run(&self, session: &Session, number: u64, bench: &Bench) -> Run {
        let hash = Sha256::new();
        let id = derived(
            hash.chain_update(session.id)
                .chain_update(number.to_le_bytes()),
        );
        Run {
            id,
            session: session.id,
            at: session.at,
            wall_s: bench.wall_s,
            cell: Cell {
                model: bench.name.clone(),
                scenario: SCENARIO.to_owned(),
                version: None,
                backend: self.tool.to_owned(),
                device: "cpu".to_owned(),
                precision: String::new(),
                weights: "none".to_owned(),
                revision: String::new(),
            },
            argument: None,
            outcome: Outcome::Measured {
                samples: vec![Sample {
                    metric: Metric::BenchTime,
                    epochs: bench.epochs.clone(),
                }],
                voids: bench.voids.clone(),
            },
            answers: Vec::new(),
            remarks: Vec::new(),
        }
    }
}

/// A machine of which only a name is known: measurements under the same name are compared.
#[must_use]
pub fn named_machine(name: &str) -> Machine {
    Machine {
        chip: name.to_owned(),
        performance_cores: 0,
        efficiency_cores: 0,
        memory_gib: 0,
        gpus: Vec::new(),
        arch: UNKNOWN.to_owned(),
        os: UNKNOWN.to_owned(),
    }
}

/// The machine of one session alone: two unknown machines are never taken for the same.
fn unknown(session: Uuid) -> Machine {
    named_machine(&format!("unknown machine of session {session}"))
}

fn derived(hash: Sha256) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    let builder = Builder::from_bytes(bytes).with_version(Version::Custom);
    builder.with_variant(Variant::RFC4122).into_uuid()
}

fn wrong(tool: &'static str, reason: impl Into<String>) -> Error {
    Error::Bench {
        tool,
        reason: reason.into(),
    }
}
