//! Reading sessions and runs. Every row is decoded for itself, so that verifying can go on past
//! a broken one.

use std::collections::HashMap;
use std::fmt;

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Params, Row};
use uuid::Uuid;

use super::cells::Cells;
use super::open::sql;
use super::pack::unpack;
use super::{Db, RunFilter};
use crate::error::Result;
use crate::run::{Cell, Environment, Machine, Outcome, Remark, Run, Sample, Session, Void};
use crate::series::figure_of;

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

    /// One session.
    pub(super) fn session(&self, id: Uuid) -> Result<Option<Session>> {
        let found = self.each_session("WHERE session.id = ?1", [id.to_string()])?;
        found.into_iter().next().transpose()
    }

    /// Every machine, by key.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn machines(&self) -> Result<Vec<Machine>> {
        self.each_machine()?.into_iter().collect()
    }

    pub(super) fn each_machine(&self) -> Result<Vec<Result<Machine>>> {
        let query = "SELECT *, key AS machine_key FROM machine ORDER BY key";
        self.each(query, (), |row| machine(&Cells::new("machine", row, "key")))
    }

    /// Ids of the sessions that hold a run whose id begins like this, in order.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn owners(&self, digits: &str) -> Result<Vec<Uuid>> {
        // A range, which the index of ids answers; `~` sorts behind every digit.
        let query =
            "SELECT DISTINCT session AS id FROM run WHERE id >= ?1 AND id < ?1 || '~' ORDER BY 1";
        let rows = self.each(query, [digits.to_lowercase()], |row| {
            Cells::new("run", row, "id").id("id")
        })?;
        rows.into_iter().collect()
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

    /// One run.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn run(&self, id: Uuid) -> Result<Option<Run>> {
        let query = "SELECT * FROM run WHERE id = ?1";
        let found = self.each(query, [id.to_string()], |row| self.whole(row))?;
        found.into_iter().next().transpose()
    }

    /// The number of runs of each session that has one.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn run_counts(&self) -> Result<HashMap<Uuid, usize>> {
        let query = "SELECT session AS id, count(*) AS runs FROM run GROUP BY session";
        let rows = self.each(query, (), |row| {
            let cells = Cells::new("run", row, "id");
            Ok((cells.id("id")?, cells.get::<u32>("runs")? as usize))
        })?;
        rows.into_iter().collect()
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
        self.each_filtered("run.*", filter, |row| self.whole(row))
    }

    /// Columns of every run that a filter lets through, decoded, oldest first.
    pub(super) fn each_filtered<T>(
        &self,
        select: &str,
        filter: &RunFilter,
        decode: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<Result<T>>> {
        let session = filter.session.map(|id| id.to_string());
        let wanted = [
            ("run.session", session.as_ref()),
            ("session.machine", filter.machine.as_ref()),
            ("run.model", filter.model.as_ref()),
            ("run.scenario", filter.scenario.as_ref()),
        ];
        // Only what narrows is in the query: SQLite then takes the index that serves it.
        let wanted = wanted
            .iter()
            .filter_map(|&(column, value)| Some((column, value?)));
        let (columns, values): (Vec<&str>, Vec<&String>) = wanted.unzip();
        let equal = |column: &&str| format!(" AND {column} = ?");
        let tests: String = columns.iter().map(equal).collect();
        let query = format!(
            "SELECT {select} FROM run JOIN session ON session.id = run.session WHERE 1{tests}
             ORDER BY run.at, run.id"
        );
        self.each(&query, rusqlite::params_from_iter(values), decode)
    }

    /// The run that a number stands for.
    pub(super) fn run_of(&self, number: &Value) -> Result<Option<Run>> {
        let query = "SELECT * FROM run WHERE number = ?1";
        let found = self.each(query, [number], |row| self.whole(row))?;
        found.into_iter().next().transpose()
    }

    /// A row of `run` with its parts.
    pub(super) fn whole(&self, row: &Row<'_>) -> Result<Run> {
        let mut run = self.outline(row)?;
        let cells = &Cells::new("run", row, "id");
        let number: i64 = cells.get("number")?;
        if let Outcome::Measured { samples, .. } = &mut run.outcome {
            *samples = self.samples(number, run.id)?;
        }
        run.answers = self.answers(cells.get("sheet")?, &run.id.to_string())?;
        run.remarks = self.remarks(number, run.id)?;
        Ok(run)
    }

    /// A row of `run` with what it refused, and neither samples, answers nor remarks.
    pub(super) fn outline(&self, row: &Row<'_>) -> Result<Run> {
        let cells = &Cells::new("run", row, "id");
        let (number, id): (i64, Uuid) = (cells.get("number")?, cells.id("id")?);
        let outcome: String = cells.get("outcome")?;
        let outcome = match outcome.as_str() {
            "measured" => Outcome::Measured {
                samples: Vec::new(),
                voids: self.voids(number, id)?,
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
            argument: cells.get("argument")?,
            outcome,
            answers: Vec::new(),
            remarks: Vec::new(),
        })
    }

    fn samples(&self, number: i64, run: Uuid) -> Result<Vec<Sample>> {
        // Few columns, for each is looked for by its name, and most of a database is read here.
        let query = "SELECT metric, unit, trials, middle, epochs FROM sample
            WHERE run = ?1 ORDER BY position";
        let rows = self.each(query, [number], |row| {
            let key = SampleKey(run, row);
            sample(&Cells::keyed("sample", row, &key))
        })?;
        rows.into_iter().collect()
    }

    fn voids(&self, number: i64, run: Uuid) -> Result<Vec<Void>> {
        let query = "SELECT * FROM void WHERE run = ?1 ORDER BY position";
        let rows = self.each(query, [number], |row| {
            let cells = Cells::keyed("void", row, &run);
            let metric: Option<String> = cells.get("metric")?;
            Ok(Void {
                metric: metric.map(|_| cells.parsed("metric")).transpose()?,
                count: cells.get("count")?,
                reason: cells.get("reason")?,
            })
        })?;
        rows.into_iter().collect()
    }

    fn remarks(&self, number: i64, run: Uuid) -> Result<Vec<Remark>> {
        let query = "SELECT * FROM remark WHERE run = ?1 ORDER BY position";
        let rows = self.each(query, [number], |row| {
            let cells = Cells::keyed("remark", row, &run);
            Ok(Remark {
                kind: cells.parsed("kind")?,
                count: cells.get("count")?,
                text: cells.get("text")?,
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
            facts: cells.json("facts")?,
        },
        asked: cells.json("asked")?,
        state: cells.json("state")?,
        end_state: cells.json_or_none("end_state")?,
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
        version: cells.get("version")?,
        backend: cells.get("backend")?,
        device: cells.get("device")?,
        precision: cells.get("precision")?,
        weights: cells.get("weights")?,
        revision: cells.get("revision")?,
    })
}

/// Names the sample in a row: its run and metric.
pub(super) struct SampleKey<'r>(pub(super) Uuid, pub(super) &'r Row<'r>);

impl fmt::Display for SampleKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = self.1.get("metric").unwrap_or_else(|_| "?".to_owned());
        write!(f, "{} {metric}", self.0)
    }
}

/// A sample whose unit and count agree with what it holds.
fn sample(cells: &Cells<'_>) -> Result<Sample> {
    let packed: Vec<u8> = cells.get("epochs")?;
    let sample = Sample {
        metric: cells.parsed("metric")?,
        epochs: unpack(&packed).map_err(|reason| cells.wrong("epochs", reason))?,
    };
    let (unit, wanted): (String, _) = (cells.get("unit")?, sample.metric.spec().unit.name());
    if unit != wanted {
        return Err(cells.wrong("unit", format!("{unit:?}, wanted {wanted:?}")));
    }
    let (trials, held): (i64, _) = (cells.get("trials")?, sample.values().count());
    if usize::try_from(trials) != Ok(held) {
        return Err(cells.wrong("trials", format!("{trials}, but epochs hold {held} values")));
    }
    let (stored, wanted): (Option<f64>, _) = (cells.get("middle")?, figure_of(&sample));
    if stored != wanted {
        return Err(cells.wrong("middle", format!("{stored:?}, but epochs give {wanted:?}")));
    }
    Ok(sample)
}
