//! Retention: of old runs the raw trials and answers go, one value an epoch stays.
//!
//! No run, score, counter, void or remark is ever deleted, and no median or interval changes: both
//! rest on the medians of epochs, which stay. A thinned run says so in a remark.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use rusqlite::types::Value;
use uuid::Uuid;

use super::cells::{Cells, stamp};
use super::open::sql;
use super::pack::{pack, unpack};
use super::read::SampleKey;
use super::schema::{Table, tables};
use super::write::{Problem, remark};
use super::{Db, sheet};
use crate::error::Result;
use crate::metric::Metric;
use crate::run::{Outcome, Remark, RemarkKind, Run, Sample, THINNED};
use crate::series::figure_of;
use crate::stats::{is_repeated, median};
use crate::summary::Kind;

/// Which runs keep their raw trials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Those that started at this moment or later.
    pub since: DateTime<Utc>,
    /// The newest of each series (machine, branch, cell), this many.
    pub newest: u32,
    /// These runs, and all runs of these sessions.
    pub protected: BTreeSet<Uuid>,
}

/// What was dropped, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs that were thinned.
    pub runs: usize,
    /// Raw trials that went.
    pub trials: usize,
    /// Answers that went.
    pub answers: usize,
}

impl Pruned {
    /// Counts a run, unless it has nothing to drop.
    fn add(&mut self, (trials, answers): (usize, usize)) {
        self.runs += usize::from(trials + answers > 0);
        self.trials += trials;
        self.answers += answers;
    }
}

impl Db {
    /// What [`prune`](Self::prune) would drop. Writes nothing, and of a run looks only at what it counts.
    ///
    /// # Errors
    /// Those of reading.
    pub fn prunable(&self, retention: &Retention) -> Result<Pruned> {
        let (mut pruned, answers) = (Pruned::default(), self.answer_counts()?);
        for number in candidates(&self.conn, retention).map_err(|problem| problem.of(&self.path))? {
            self.droppable(number, &answers)?
                .into_iter()
                .for_each(|dropped| pruned.add(dropped));
        }
        Ok(pruned)
    }

    /// Trials and answers that [`thinned`] drops of a run; none of a run that is not there.
    fn droppable(
        &self,
        number: i64,
        answers: &HashMap<i64, usize>,
    ) -> Result<Option<(usize, usize)>> {
        let query = "SELECT id, scenario, sheet FROM run WHERE number = ?1";
        let found = self.each(query, [number], |row| {
            let cells = Cells::new("run", row, "id");
            let (scenario, sheet): (String, Option<i64>) =
                (cells.get("scenario")?, cells.get("sheet")?);
            if stays_whole(&scenario) {
                return Ok((0, 0));
            }
            let answers = sheet.and_then(|sheet| answers.get(&sheet));
            let trials = self.droppable_trials(number, cells.id("id")?)?;
            Ok((trials, answers.copied().unwrap_or(0)))
        })?;
        found.into_iter().next().transpose()
    }

    /// Raw trials beside the medians of their epochs.
    fn droppable_trials(&self, number: i64, run: Uuid) -> Result<usize> {
        let query = "SELECT metric, epochs FROM sample WHERE run = ?1 ORDER BY position";
        let rows = self.each(query, [number], |row| {
            let key = SampleKey(run, row);
            let cells = Cells::keyed("sample", row, &key);
            let metric: Metric = cells.parsed("metric")?;
            let kept = match metric.is_around_trials() {
                true => 0,
                false if is_repeated(metric) => 1,
                false => return Ok(0),
            };
            let packed: Vec<u8> = cells.get("epochs")?;
            let epochs = unpack(&packed).map_err(|reason| cells.wrong("epochs", reason))?;
            // Stored values are finite: an epoch without a median is one without a value.
            Ok(epochs
                .iter()
                .map(|trials| trials.len().saturating_sub(kept))
                .sum())
        })?;
        rows.into_iter().sum()
    }

    /// Drops raw trials and answers of runs that are neither young nor among the newest of their series,
    /// in one transaction. Runs that another table refers to, or whose session one does, stay whole.
    ///
    /// # Errors
    /// Those of writing.
    pub fn prune(&mut self, retention: &Retention) -> Result<Pruned> {
        self.change("retention", |tx| {
            let mut pruned = Pruned::default();
            for number in candidates(tx, retention)? {
                let Some(whole) = self.run_of(&Value::Integer(number))? else {
                    continue;
                };
                let rest = thinned(&whole);
                if rest != whole {
                    pruned.add(dropped(&whole, &rest));
                    replace(tx, number, &whole, &rest)?;
                }
            }
            sheet::drop_unused(tx)?;
            Ok(pruned)
        })
    }

    /// Gives the space of what was dropped back to the system.
    ///
    /// # Errors
    /// Those of writing.
    pub fn vacuum(&mut self) -> Result<()> {
        let done = self.conn.execute_batch("VACUUM");
        done.map_err(|error| sql(&self.path, error))
    }
}

/// Numbers of the runs whose trials may go, oldest first.
fn candidates(conn: &Connection, retention: &Retention) -> Result<Vec<i64>, Problem> {
    let tables = tables(conn)?;
    let referred: String = tables.iter().flat_map(referred).collect();
    let query = format!(
        "SELECT number FROM (
            SELECT run.*, row_number() OVER (
                PARTITION BY session.machine, session.branch, model, scenario, backend, device,
                    precision, weights
                ORDER BY run.at DESC, run.id DESC) AS age
            FROM run JOIN session ON session.id = run.session) AS run
         WHERE age > ?1 AND at < ?2 AND outcome = 'measured'{referred}
         ORDER BY number"
    );
    let mut statement = conn.prepare(&query)?;
    let mut rows = statement.query((retention.newest, stamp(retention.since)?))?;
    let mut numbers = Vec::new();
    while let Some(row) = rows.next()? {
        numbers.push(row.get("number")?);
    }
    drop(rows);
    drop(statement);
    let mut names = conn.prepare("SELECT id, session FROM run WHERE number = ?1")?;
    let mut kept = Vec::new();
    for number in numbers {
        let ids: (String, String) = names.query_row([number], |row| row.try_into())?;
        let protected = |id: &String| id.parse().is_ok_and(|id| retention.protected.contains(&id));
        if !protected(&ids.0) && !protected(&ids.1) {
            kept.push(number);
        }
    }
    Ok(kept)
}

/// That no row of this table refers to a run or to its session, as SQL; parts of a run are no such rows.
/// A column called `run` or `session` names one by its id, where it is no reference.
fn referred(table: &Table) -> Vec<String> {
    if table.whole.is_some() || table.name == "run" {
        return Vec::new();
    }
    let to = |(column, name): (usize, &String)| {
        let link = table.links.iter().find(|link| link.column == column);
        match link.map_or(name.as_str(), |link| link.table.as_str()) {
            "run" => Some((column, link.map_or("id", |link| link.to.as_str()))),
            "session" => Some((column, "session")),
            _ => None,
        }
    };
    let test = |(column, to): (usize, &str)| {
        let (name, column) = (&table.name, table.list(std::iter::once(column)));
        format!(
            " AND NOT EXISTS (SELECT 1 FROM \"{name}\" AS other WHERE other.{column} = run.{to})"
        )
    };
    let columns = table.columns.iter().enumerate().filter_map(to);
    columns.map(test).collect()
}

/// Rewrites what thinning changed.
fn replace(conn: &Connection, number: i64, whole: &Run, rest: &Run) -> Result<(), Problem> {
    let mut update = conn.prepare_cached(
        "UPDATE sample SET trials = ?3, middle = ?4, epochs = ?5 WHERE run = ?1 AND metric = ?2",
    )?;
    for (sample, old) in rest.samples().iter().zip(whole.samples()) {
        if sample != old {
            let trials = i64::try_from(sample.values().count()).unwrap_or(i64::MAX);
            let packed = pack(&sample.epochs);
            update.execute((
                number,
                sample.metric.name(),
                trials,
                figure_of(sample),
                packed,
            ))?;
        }
    }
    conn.prepare_cached("UPDATE run SET sheet = NULL WHERE number = ?1")?
        .execute([number])?;
    for (position, new) in (0_i64..).zip(&rest.remarks).skip(whole.remarks.len()) {
        remark(conn, number, (position, new))?;
    }
    Ok(())
}

/// A run as retention leaves it; itself where there is nothing to drop.
pub(super) fn thinned(whole: &Run) -> Run {
    let mut rest = whole.clone();
    if stays_whole(&whole.cell.scenario) {
        return rest;
    }
    rest.answers.clear();
    if let Outcome::Measured { samples, .. } = &mut rest.outcome {
        for sample in samples {
            match sample.metric {
                // There are no trials left that they would be around.
                metric if metric.is_around_trials() => sample.epochs.clear(),
                metric if is_repeated(metric) => keep_medians(sample),
                _ => {}
            }
        }
    }
    let (trials, answers) = dropped(whole, &rest);
    if trials + answers > 0 {
        rest.remarks.push(Remark {
            kind: RemarkKind::Advisory,
            count: u32::try_from(trials).unwrap_or(u32::MAX),
            text: format!(
                "{THINNED}: {trials} trials, {answers} answers; an epoch holds its median"
            ),
        });
    }
    rest
}

/// Whether call after call is what a scenario is about.
fn stays_whole(scenario: &str) -> bool {
    Kind::of(scenario) == Some(Kind::Drift)
}

/// Trials and answers that a run has and what is left of it has not.
fn dropped(whole: &Run, rest: &Run) -> (usize, usize) {
    let answers = whole.answers.len() - rest.answers.len();
    (trials(whole) - trials(rest), answers)
}

fn keep_medians(sample: &mut Sample) {
    for trials in &mut sample.epochs {
        *trials = median(trials).into_iter().collect();
    }
}

fn trials(run: &Run) -> usize {
    run.samples()
        .iter()
        .map(|sample| sample.values().count())
        .sum()
}
