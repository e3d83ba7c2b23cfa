//! Reading sessions and runs. Every row is decoded for itself, so that verifying can go on past
//! a broken one.

use rusqlite::{CachedStatement, Params, Row, named_params};
use uuid::Uuid;

use super::cells::Cells;
use super::open::sql;
use super::{Db, RunFilter};
use crate::error::Result;
use crate::run::{Answer, Cell, Environment, Machine, Outcome, Remark, Run, Sample, Session, Void};

/// Every session with its machine; the machine's columns have names of their own.
const SESSIONS: &str = "SELECT session.*, machine.key AS machine_key, machine.chip,
    machine.performance_cores, machine.efficiency_cores, machine.memory_gib, machine.gpus,
    machine.arch, machine.os
  FROM session LEFT JOIN machine ON machine.key = session.machine";

impl Db {
    /// Every session, oldest first.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn sessions(&self) -> Result<Vec<Session>> {
        self.each_session("ORDER BY session.at, session.id", ())?
            .into_iter()
            .collect()
    }

    /// The newest session of a plan on a machine, if it was cut off.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn unfinished(&self, plan: &str, machine_key: &str) -> Result<Option<Session>> {
        let tail = "WHERE plan = ?1 AND machine = ?2 ORDER BY at DESC, id DESC LIMIT 1";
        let newest = self
            .each_session(tail, (plan, machine_key))?
            .into_iter()
            .next()
            .transpose()?;
        Ok(newest.filter(|session| session.finished.is_none()))
    }

    /// The runs that a filter lets through, oldest first.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>> {
        self.each_run(filter)?.into_iter().collect()
    }

    pub(super) fn each_session(
        &self,
        tail: &str,
        with: impl Params,
    ) -> Result<Vec<Result<Session>>> {
        self.each(&format!("{SESSIONS} {tail}"), with, |row| {
            session(&Cells::new("session", row, "id"), &self.machine_of(row))
        })
    }

    fn machine_of<'r>(&self, row: &'r Row<'r>) -> Cells<'r> {
        Cells::new("machine", row, "machine")
    }

    pub(super) fn each_run(&self, filter: &RunFilter) -> Result<Vec<Result<Run>>> {
        let query = "SELECT run.* FROM run JOIN session ON session.id = run.session
            WHERE (:session IS NULL OR run.session = :session)
              AND (:machine IS NULL OR session.machine = :machine)
              AND (:model IS NULL OR run.model = :model)
              AND (:scenario IS NULL OR run.scenario = :scenario)
            ORDER BY run.at, run.id";
        let session = filter.session.map(|id| id.to_string());
        let with = named_params! {
            ":session": session,
            ":machine": filter.machine,
            ":model": filter.model,
            ":scenario": filter.scenario,
        };
        self.each(query, with, |row| self.run(&Cells::new("run", row, "id")))
    }

    fn run(&self, cells: &Cells<'_>) -> Result<Run> {
        let id = cells.id("id")?;
        let outcome: String = cells.get("outcome")?;
        let outcome = match outcome.as_str() {
            "measured" => Outcome::Measured {
                samples: self.samples(id)?,
                voids: self.voids(id)?,
            },
            "failed" => Outcome::Failed {
                stage: cells.parsed("stage")?,
                message: cells.get("message")?,
            },
            other => return Err(cells.wrong("outcome", format!("unknown outcome {other:?}"))),
        };
        Ok(Run {
            id,
            session: cells.id("session")?,
            at: cells.time("at")?,
            wall_s: cells.get("wall_s")?,
            cell: cell(cells)?,
            outcome,
            answers: self.answers(id)?,
            remarks: self.remarks(id)?,
        })
    }

    fn samples(&self, run: Uuid) -> Result<Vec<Sample>> {
        let query = "SELECT * FROM sample WHERE run = ?1 ORDER BY position";
        let rows = self.each(query, [run.to_string()], |row| {
            let key = row
                .get::<_, String>("metric")
                .unwrap_or_else(|_| "?".to_owned());
            sample(&Cells::keyed("sample", row, format!("{run} {key}")))
        })?;
        rows.into_iter().collect()
    }

    fn voids(&self, run: Uuid) -> Result<Vec<Void>> {
        let query = "SELECT * FROM void WHERE run = ?1 ORDER BY position";
        let rows = self.each(query, [run.to_string()], |row| {
            let cells = Cells::keyed("void", row, run.to_string());
            let metric: Option<String> = cells.get("metric")?;
            Ok(Void {
                metric: metric.map(|_| cells.parsed("metric")).transpose()?,
                count: cells.get("count")?,
                reason: cells.get("reason")?,
            })
        })?;
        rows.into_iter().collect()
    }

    fn remarks(&self, run: Uuid) -> Result<Vec<Remark>> {
        let query = "SELECT * FROM remark WHERE run = ?1 ORDER BY position";
        let rows = self.each(query, [run.to_string()], |row| {
            let cells = Cells::keyed("remark", row, run.to_string());
            Ok(Remark {
                kind: cells.parsed("kind")?,
                count: cells.get("count")?,
                text: cells.get("text")?,
            })
        })?;
        rows.into_iter().collect()
    }

    fn answers(&self, run: Uuid) -> Result<Vec<Answer>> {
        let query = "SELECT * FROM answer WHERE run = ?1 ORDER BY position";
        let rows = self.each(query, [run.to_string()], |row| {
            let cells = Cells::keyed("answer", row, run.to_string());
            Ok(Answer {
                item: cells.get("item")?,
                arm: cells.get("arm")?,
                prompt: cells.get("prompt")?,
                text: cells.get("text")?,
                expected: cells.get("expected")?,
                right: cells.get("is_right")?,
            })
        })?;
        rows.into_iter().collect()
    }

    /// Every row of a query, decoded; the outer error is one of the query itself.
    pub(super) fn each<T>(
        &self,
        query: &str,
        with: impl Params,
        decode: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<Result<T>>> {
        let fail = |error| sql(&self.path, error);
        let mut statement: CachedStatement<'_> = self.conn.prepare_cached(query).map_err(fail)?;
        let mut rows = statement.query(with).map_err(fail)?;
        let mut decoded = Vec::new();
        while let Some(row) = rows.next().map_err(fail)? {
            decoded.push(decode(row));
        }
        Ok(decoded)
    }
}

fn session(cells: &Cells<'_>, machine_cells: &Cells<'_>) -> Result<Session> {
    Ok(Session {
        id: cells.id("id")?,
        at: cells.time("at")?,
        finished: cells.time_or_none("finished")?,
        plan: cells.get("plan")?,
        suite: cells.get("suite")?,
        profile: cells.get("profile")?,
        machine: machine(machine_cells)?,
        environment: Environment {
            commit: cells.get("commit_id")?,
            branch: cells.get("branch")?,
            dirty: cells.get("dirty")?,
            backends: cells.json("backends")?,
            harness: cells.get("harness")?,
            compiler: cells.get("compiler")?,
            os_build: cells.get("os_build")?,
            power: cells.get("power")?,
            release: cells.get("release_build")?,
            threads: cells.get("threads")?,
        },
    })
}

fn machine(cells: &Cells<'_>) -> Result<Machine> {
    let machine = Machine {
        chip: cells.get("chip")?,
        performance_cores: cells.get("performance_cores")?,
        efficiency_cores: cells.get("efficiency_cores")?,
        memory_gib: cells.get("memory_gib")?,
        gpus: cells.json("gpus")?,
        arch: cells.get("arch")?,
        os: cells.get("os")?,
    };
    let key: String = cells.get("machine_key")?;
    if key != machine.key() {
        return Err(cells.wrong("key", format!("its columns give {}", machine.key())));
    }
    Ok(machine)
}

pub(super) fn cell(cells: &Cells<'_>) -> Result<Cell> {
    Ok(Cell {
        model: cells.get("model")?,
        scenario: cells.get("scenario")?,
        backend: cells.get("backend")?,
        device: cells.get("device")?,
        precision: cells.get("precision")?,
        weights: cells.get("weights")?,
        revision: cells.get("revision")?,
    })
}

/// A sample whose unit and count agree with what it holds.
pub(super) fn sample(cells: &Cells<'_>) -> Result<Sample> {
    let sample = Sample {
        metric: cells.parsed("metric")?,
        epochs: cells.json("epochs")?,
    };
    let (unit, wanted): (String, _) = (cells.get("unit")?, sample.metric.spec().unit.name());
    if unit != wanted {
        return Err(cells.wrong("unit", format!("{unit:?}, wanted {wanted:?}")));
    }
    let (trials, held): (i64, _) = (cells.get("trials")?, sample.values().count());
    if usize::try_from(trials) != Ok(held) {
        return Err(cells.wrong("trials", format!("{trials}, but epochs hold {held} values")));
    }
    Ok(sample)
}
