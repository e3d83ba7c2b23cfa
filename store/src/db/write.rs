//! Writing sessions and runs: one transaction each.

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Transaction, TransactionBehavior, named_params};
use uuid::Uuid;

use super::acknowledgement::adopt;
use super::cells::{json, stamp};
use super::open::sql;
use super::pack::pack;
use super::prune::thinned;
use super::{Db, Imported, RunFilter, sheet};
use crate::document::Document;
use crate::error::{Error, Result};
use crate::run::{Facts, Machine, Outcome, Remark, Run, Sample, Session, Void};
use crate::series::figure_of;

impl Db {
    /// Stores a new session.
    ///
    /// # Errors
    /// [`Error::Refused`] for one that is already there.
    pub fn begin(&mut self, session: &Session) -> Result<()> {
        self.change(&format!("session {}", session.id), |tx| begin(tx, session))
    }

    /// Marks a session as complete: its end, and how the machine was then.
    ///
    /// # Errors
    /// [`Error::Refused`] for one that is not there.
    pub fn finish(&mut self, session: Uuid, at: DateTime<Utc>, state: &Facts) -> Result<()> {
        let subject = format!("session {session}");
        self.change(&subject, |tx| finish(tx, session, (at, Some(state))))
    }

    /// Stores a run whole, or not at all. When this returns, the run survives a crash.
    ///
    /// # Errors
    /// [`Error::Refused`] for a run that is already there, whose session is not, or that holds a
    /// number that is not finite.
    pub fn insert(&mut self, run: &Run) -> Result<()> {
        finite(run)?;
        self.change(&format!("run {}", run.id), |tx| insert(tx, run))
    }

    /// Adds an exported session; what is there already stays.
    ///
    /// # Errors
    /// [`Error::Refused`] where the same id is there with another content; then nothing of the
    /// document is added.
    pub fn import_session(&mut self, document: &Document) -> Result<Imported> {
        document.runs.iter().try_for_each(finite)?;
        let subject = format!("session {}", document.session.id);
        self.change(&subject, |tx| self.add_document(tx, document))
    }

    /// Adds what another tool measured; what is there already stays, with the time of its first import.
    ///
    /// # Errors
    /// [`Error::Refused`] where it is there as of another machine, commit or branch.
    pub fn import_bench(&mut self, document: &Document) -> Result<Imported> {
        document.runs.iter().try_for_each(finite)?;
        let id = document.session.id;
        self.change(&format!("session {id}"), |tx| {
            let mut document = document.clone();
            if let Some(known) = self.session(id)? {
                let new = &mut document.session;
                if known.machine != new.machine || known.environment != new.environment {
                    let reason = "it is there already, as of another machine, commit or branch";
                    return Err(Error::refused(format!("session {id}"), reason).into());
                }
                (new.at, new.finished) = (known.at, known.finished);
                document.runs.iter_mut().for_each(|run| run.at = known.at);
            }
            self.add_document(tx, &document)
        })
    }

    fn add_document(&self, tx: &Connection, document: &Document) -> Result<Imported, Problem> {
        let session = &document.session;
        let known = self.session(session.id)?;
        let stored = self.runs(&RunFilter {
            session: Some(session.id),
            ..RunFilter::default()
        })?;
        match (&known, session.finished) {
            (None, _) => begin(tx, session)?,
            (Some(known), at) => {
                same_session(known, session)?;
                if let (None, Some(at)) = (known.finished, at) {
                    finish(tx, session.id, (at, session.end_state.as_ref()))?;
                }
            }
        }
        let stored: HashMap<Uuid, &Run> = stored.iter().map(|run| (run.id, run)).collect();
        let mut imported = Imported::default();
        for run in &document.runs {
            match stored.get(&run.id) {
                None => {
                    insert(tx, run)?;
                    imported.added += 1;
                }
                Some(stored) if same_run(stored, run) => imported.known += 1,
                Some(_) => return Err(other_content(&format!("run {}", run.id)).into()),
            }
        }
        let accepted = document.acknowledgements.iter();
        { accepted }.try_for_each(|accepted| adopt(tx, accepted))?;
        Ok(imported)
    }

    /// Runs `work` in one transaction, which reserves the file before it reads.
    pub(super) fn change<T>(
        &self,
        subject: &str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Problem>,
    ) -> Result<T> {
        let settle = |problem| match problem {
            Problem::Sql(error) => {
                refused(subject, &error).unwrap_or_else(|| sql(&self.path, error))
            }
            problem => problem.of(&self.path),
        };
        // Unchecked: `work` reads through the same connection. No caller begins another one inside.
        let tx = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate);
        let tx = tx.map_err(|error| settle(error.into()))?;
        let done = work(&tx).map_err(settle)?;
        tx.commit().map_err(|error| settle(error.into()))?;
        Ok(done)
    }
}

/// What can go wrong inside a transaction, before the subject and the file are named.
pub(super) enum Problem {
    Ours(Error),
    Sql(rusqlite::Error),
}

impl Problem {
    /// The error, of this file.
    pub(super) fn of(self, path: &Path) -> Error {
        match self {
            Self::Ours(error) => error,
            Self::Sql(error) => sql(path, error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// The broken constraint in words.
fn refused(subject: &str, error: &rusqlite::Error) -> Option<Error> {
    use rusqlite::ffi;
    let code = error.sqlite_error()?.extended_code;
    let reason = match code {
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE => {
            "it, or one of its metrics, is there already"
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => "its session is not in the database",
        _ => return None,
    };
    Some(Error::refused(subject, reason))
}

fn other_content(subject: &str) -> Error {
    Error::refused(subject, "the database holds another content under this id")
}

/// Equal, or one is what retention left of the other.
fn same_run(stored: &Run, new: &Run) -> bool {
    stored == new
        || (stored.is_thinned() && *stored == thinned(new))
        || (new.is_thinned() && *new == thinned(stored))
}

/// Equal but for the end, which one side may not know yet.
fn same_session(known: &Session, new: &Session) -> Result<()> {
    let end = if known.finished.is_none() { new } else { known };
    let ended = |session: &Session| Session {
        finished: end.finished,
        end_state: end.end_state.clone(),
        ..session.clone()
    };
    let clash =
        known.finished.is_some() && new.finished.is_some() && known.finished != new.finished;
    if ended(known) != ended(new) || clash {
        return Err(other_content(&format!("session {}", new.id)));
    }
    Ok(())
}

/// JSON has no word for NaN or infinity: refuse them before they turn into null.
fn finite(run: &Run) -> Result<()> {
    let subject = format!("run {}", run.id);
    if !run.wall_s.is_finite() {
        return Err(Error::refused(subject, "its wall time is not finite"));
    }
    let broken = |sample: &&Sample| sample.values().any(|value| !value.is_finite());
    match run.samples().iter().find(broken) {
        Some(sample) => {
            let reason = format!("{} holds a value that is not finite", sample.metric);
            Err(Error::refused(subject, reason))
        }
        None => Ok(()),
    }
}

fn begin(tx: &Connection, session: &Session) -> Result<(), Problem> {
    machine(tx, &session.machine)?;
    let environment = &session.environment;
    tx.prepare_cached(
        "INSERT INTO session (id, at, finished, plan, suite, profile, machine, commit_id, branch,
            dirty, backends, harness, compiler, os_build, power, release_build, threads, asked, facts,
            state, end_state)
         VALUES (:id, :at, :finished, :plan, :suite, :profile, :machine, :commit_id, :branch,
            :dirty, :backends, :harness, :compiler, :os_build, :power, :release_build, :threads, :asked,
            :facts, :state, :end_state)",
    )?
    .execute(named_params! {
        ":id": session.id.to_string(),
        ":at": stamp(session.at)?,
        ":finished": session.finished.map(stamp).transpose()?,
        ":plan": session.plan,
        ":suite": session.suite,
        ":profile": session.profile,
        ":machine": session.machine.key(),
        ":commit_id": environment.commit,
        ":branch": environment.branch,
        ":dirty": environment.dirty,
        ":backends": json("backends", &environment.backends)?,
        ":harness": environment.harness,
        ":compiler": environment.compiler,
        ":os_build": environment.os_build,
        ":power": environment.power,
        ":release_build": environment.release,
        ":threads": environment.threads,
        ":asked": json("asked", &session.asked)?,
        ":facts": json("facts", &environment.facts)?,
        ":state": json("state", &session.state)?,
        ":end_state": end_state(session.end_state.as_ref())?,
    })?;
    Ok(())
}

/// Stores a machine once; its key is its content.
pub(super) fn machine(tx: &Connection, machine: &Machine) -> Result<(), Problem> {
    tx.prepare_cached(
        "INSERT INTO machine (key, chip, performance_cores, efficiency_cores, memory_gib, gpus,
            arch, os)
         VALUES (:key, :chip, :performance_cores, :efficiency_cores, :memory_gib, :gpus, :arch,
            :os)
         ON CONFLICT (key) DO NOTHING",
    )?
    .execute(named_params! {
        ":key": machine.key(),
        ":chip": machine.chip,
        ":performance_cores": machine.performance_cores,
        ":efficiency_cores": machine.efficiency_cores,
        ":memory_gib": machine.memory_gib,
        ":gpus": json("gpus", &machine.gpus)?,
        ":arch": machine.arch,
        ":os": machine.os,
    })?;
    Ok(())
}

fn end_state(state: Option<&Facts>) -> Result<Option<String>> {
    state.map(|state| json("end_state", state)).transpose()
}

fn finish(
    tx: &Connection,
    session: Uuid,
    (at, state): (DateTime<Utc>, Option<&Facts>),
) -> Result<(), Problem> {
    let changed = tx
        .prepare_cached("UPDATE session SET finished = ?2, end_state = ?3 WHERE id = ?1")?
        .execute((session.to_string(), stamp(at)?, end_state(state)?))?;
    if changed == 0 {
        return Err(Error::refused(format!("end of session {session}"), "it was not begun").into());
    }
    Ok(())
}

fn insert(tx: &Connection, run: &Run) -> Result<(), Problem> {
    let (cell, sheet) = (&run.cell, sheet::keep(tx, &run.answers)?);
    let (outcome, stage, message) = match &run.outcome {
        Outcome::Measured { .. } => ("measured", None, None),
        Outcome::Failed { stage, message } => ("failed", Some(stage.name()), Some(message)),
    };
    tx.prepare_cached(
        "INSERT INTO run (id, session, sheet, at, wall_s, model, scenario, version, backend, device,
            precision, weights, revision, argument, outcome, stage, message)
         VALUES (:id, :session, :sheet, :at, :wall_s, :model, :scenario, :version, :backend, :device,
            :precision, :weights, :revision, :argument, :outcome, :stage, :message)",
    )?
    .execute(named_params! {
        ":id": run.id.to_string(),
        ":session": run.session.to_string(),
        ":sheet": sheet,
        ":at": stamp(run.at)?,
        ":wall_s": run.wall_s,
        ":model": cell.model,
        ":scenario": cell.scenario,
        ":version": cell.version,
        ":backend": cell.backend,
        ":device": cell.device,
        ":precision": cell.precision,
        ":weights": cell.weights,
        ":revision": cell.revision,
        ":argument": run.argument,
        ":outcome": outcome,
        ":stage": stage,
        ":message": message,
    })?;
    let number = tx.last_insert_rowid();
    samples(tx, number, run.samples())?;
    voids(tx, number, run.voids())?;
    remarks(tx, number, &run.remarks)
}

fn samples(tx: &Connection, run: i64, samples: &[Sample]) -> Result<(), Problem> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO sample (run, metric, position, unit, trials, middle, epochs)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (position, sample) in (0_i64..).zip(samples) {
        let trials = i64::try_from(sample.values().count()).unwrap_or(i64::MAX);
        insert.execute((
            run,
            sample.metric.name(),
            position,
            sample.metric.spec().unit.name(),
            trials,
            figure_of(sample),
            pack(&sample.epochs),
        ))?;
    }
    Ok(())
}

fn voids(tx: &Connection, run: i64, voids: &[Void]) -> Result<(), Problem> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO void (run, position, metric, count, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (position, void) in (0_i64..).zip(voids) {
        let metric = void.metric.map(crate::metric::Metric::name);
        insert.execute((run, position, metric, void.count, &void.reason))?;
    }
    Ok(())
}

fn remarks(tx: &Connection, run: i64, remarks: &[Remark]) -> Result<(), Problem> {
    let mut numbered = (0_i64..).zip(remarks);
    numbered.try_for_each(|numbered| remark(tx, run, numbered))
}

/// One remark, at its position.
pub(super) fn remark(
    tx: &Connection,
    run: i64,
    (position, remark): (i64, &Remark),
) -> Result<(), Problem> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO remark (run, position, kind, count, text) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let Remark { kind, count, text } = remark;
    insert.execute((run, position, kind.name(), count, text))?;
    Ok(())
}
