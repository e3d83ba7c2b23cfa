//! The side that never loads a model: starts a worker per epoch, watches it, and keeps the books.

mod child;
mod ending;
mod ledger;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use store::{Answer, Cell, Metric, Outcome};

use crate::measure::now_ns;
use crate::message::{Cache, Message, Task};
use crate::page_cache;
use crate::plan::Planned;

pub use child::{Failure, Launcher};
pub use ledger::Ledger;

/// One cell to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// What starts a worker.
    pub launcher: &'a Launcher,
    /// What to measure.
    pub planned: &'a Planned,
    /// Folder of the probe set.
    pub probes: &'a Path,
    /// Longest time for all epochs of the cell together.
    pub timeout: Duration,
}

/// How far a cell has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Trials done in it.
    pub done: u32,
    /// Trials planned in it.
    pub of: u32,
}

/// Measures one cell, whatever its workers do. Epochs are run one after the other.
pub fn measure(job: &Job<'_>, watch: &mut dyn FnMut(Step)) -> (Cell, Outcome, Vec<Answer>) {
    let deadline = Instant::now() + job.timeout;
    let mut ledger = Ledger::default();
    let mut failure = None;
    for epoch in 0..job.planned.epochs.len() {
        if let Err(error) = run_epoch(job, epoch, deadline, (&mut ledger, watch)) {
            failure = Some(error);
            break;
        }
        ledger.open_epoch();
    }
    let precision = ledger
        .loaded
        .as_ref()
        .map(|loaded| loaded.precision.clone());
    let cell = job.planned.cell(precision.unwrap_or_default());
    let (measured, answers) = ledger.close();
    let outcome = match failure {
        Some(Failure { stage, message }) => Outcome::Failed { stage, message },
        None => measured,
    };
    (cell, outcome, answers)
}

fn run_epoch(
    job: &Job<'_>,
    at: usize,
    deadline: Instant,
    (ledger, watch): (&mut Ledger, &mut dyn FnMut(Step)),
) -> Result<(), Failure> {
    let planned = job.planned;
    let epoch = &planned.epochs[at];
    watch(Step {
        epoch: at,
        done: 0,
        of: epoch.trials,
    });
    let residency = prepare(epoch.cache, &planned.model.weight_files);
    let task = Task {
        scenario: planned.scenario.name().to_owned(),
        epoch: epoch.clone(),
        model: planned.model.dir.clone(),
        backend: planned.backend,
        device: planned.device,
        precision: planned.precision,
        probes: job.probes.to_owned(),
        residency,
        references: ledger.references.clone(),
        spawned_ns: now_ns(),
    };
    let mut calls = 0;
    let mut own_peak = None;
    let mut take = |message: Message| match message {
        Message::Trial { done, of } => {
            calls = done;
            watch(Step {
                epoch: at,
                done,
                of,
            });
        }
        Message::Done { footprint } => own_peak = footprint,
        other => ledger.take(other),
    };
    let watched = child::run(job.launcher, &task, (deadline, job.timeout), &mut take);
    let seen_peak = watched.map_err(|failure| match calls {
        0 => failure,
        // The verdict on drift reads the number of the call from here.
        done => Failure {
            message: format!("call {}: {}", done.saturating_add(1), failure.message),
            ..failure
        },
    })?;
    if planned.scenario.metrics().contains(&Metric::PeakMemory) {
        ledger.peak(seen_peak.max(own_peak));
    }
    Ok(())
}

/// Brings the page cache into the wanted state; the share of resident pages, where it was proved.
fn prepare(cache: Cache, files: &[PathBuf]) -> Option<f64> {
    let prepared = match cache {
        Cache::AsIs => return None,
        Cache::Cold => page_cache::evict(files),
        Cache::Warm => page_cache::warm(files),
    };
    // Not done is not proved; the load is then measured all the same and called unknown.
    prepared.and_then(|()| page_cache::residency(files)).ok()
}
