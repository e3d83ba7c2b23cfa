//! The side that never loads a model: starts a worker per epoch, watches it, and keeps the books.

mod campaign;
mod child;
mod ending;
mod journal;
mod ledger;
mod observe;
pub mod schedule;
#[cfg(test)]
pub(crate) mod tests;
mod trials;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use store::{Metric, Stage};

use crate::measure::{self, now_ns};
use crate::message::{Cache, Epoch, Message, Task};
use crate::page_cache;
use crate::plan::Planned;
use crate::served::Server;
use crate::source::{Model, Seal};

pub(crate) use campaign::cool_down;
pub use campaign::{Campaign, Measured, Watch};
pub use child::{Failure, Launcher};
pub use journal::{Journal, Recorded};
pub use ledger::{Entry, Ledger, Told};
use observe::Observer;
pub use trials::Around;

/// One epoch to be run.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// What starts a worker.
    pub launcher: &'a Launcher,
    /// The cell.
    pub planned: &'a Planned,
    /// What to do.
    pub epoch: &'a Epoch,
    /// What its random choices grow from.
    pub seed: u64,
    /// Folder of the probe set.
    pub probes: &'a Path,
    /// Longest time for all epochs of the cell together, and what is left of it.
    pub timeout: (Duration, Duration),
}

/// Runs one epoch. What there is to book is told as it comes; the time it took, in any case.
///
/// # Errors
/// However the worker failed. It no longer runs then.
pub fn run_epoch(
    job: &Job<'_>,
    ledger: &mut Ledger,
    book: &mut dyn FnMut(&mut Ledger, Entry),
) -> Result<(), Failure> {
    let planned = job.planned;
    let deadline = Instant::now() + job.timeout.1;
    unchanged(&planned.model)?;
    let residency = prepare(job.epoch.cache, &planned.model.weight_files);
    let task = Task {
        scenario: planned.scenario.name().to_owned(),
        version: planned.scenario.version(),
        epoch: job.epoch.clone(),
        model: planned.model.dir.clone(),
        backend: planned.backend,
        device: planned.device,
        precision: planned.precision,
        probes: job.probes.to_owned(),
        seed: job.seed,
        neighbour: planned.neighbour.clone(),
        residency,
        references: ledger.references.clone(),
        server: planned.model.server.clone().map(with_processes),
        spawned_ns: now_ns(),
    };
    let processes = task.server.as_ref().map(|(_, processes)| processes.clone());
    let started = Instant::now();
    let worker = child::start(job.launcher, &task)?;
    let mut observer = Observer::start(planned, worker.pid(), processes.as_deref());
    let (mut ready, mut calls, mut end) = (false, 0, None);
    let mut take = |message: Message| match message {
        Message::Done {
            footprint,
            model_ns,
        } => end = Some((footprint, model_ns, started.elapsed())),
        other => {
            let (loaded, trial) = match &other {
                Message::Loaded(_) => (true, None),
                Message::Trial { done, .. } => (false, Some(*done)),
                _ => (false, None),
            };
            book(ledger, Entry::Said(other));
            if loaded {
                ready = true;
                observer.loaded();
            }
            if let Some(done) = trial {
                calls = done;
                let entries = match done {
                    0 => observer.warmed_up(),
                    _ => observer.trial(),
                };
                entries.into_iter().for_each(|entry| book(ledger, entry));
            }
        }
    };
    let ended = worker.finish((deadline, job.timeout.0), &mut take);
    unchanged(&planned.model)?;
    ended.map_err(|failure| at_call(failure, ready, calls))?;
    let seen = observer.end(end.and_then(|(own_peak, ..)| own_peak));
    seen.into_iter().for_each(|entry| book(ledger, entry));
    if planned.scenario.metrics().contains(&Metric::Overhead) {
        let overhead = end.map(|(_, model_ns, wall)| {
            1.0 - Duration::from_nanos(model_ns).as_secs_f64() / wall.as_secs_f64()
        });
        book(ledger, Entry::Seen(Metric::Overhead, overhead));
    }
    Ok(())
}

/// Refuses a model whose files are not those that were looked at when the session was planned: a worker
/// loads them anew. Asked before it starts and after its end, so that it has read nothing else.
fn unchanged(model: &Model) -> Result<(), Failure> {
    match model.seal.as_ref().and_then(Seal::broken) {
        None => Ok(()),
        Some(path) => Err(Failure::new(
            Stage::Start,
            format!(
                "{}: changed since the session began, its figures would be of two models: run it again",
                path.display()
            ),
        )),
    }
}

/// A server with its processes as they are now: some start one when a model is first wanted.
fn with_processes(server: Server) -> (Server, Vec<u32>) {
    let processes = server.process.map(measure::family);
    (server, processes.unwrap_or_default())
}

/// Says at which call a worker failed, once the model was ready and so many were done.
fn at_call(failure: Failure, ready: bool, done: u32) -> Failure {
    let call = done.saturating_add(1);
    let message = match done {
        0 => failure.message,
        // The verdict on drift reads the number of the call from here.
        _ => format!("call {call}: {}", failure.message),
    };
    Failure {
        message,
        call: ready.then_some(call),
        ..failure
    }
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
