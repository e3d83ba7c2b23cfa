//! Reading what is newest without reading what is old.

use chrono::{DateTime, Utc};

use super::Db;
use super::cells::{Cells, stamp};
use crate::error::Result;
use crate::metric::Metric;
use crate::run::{BY_DESIGN, Run};

/// What one reason cost the runs of a model in one scenario, over a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The machine's key.
    pub machine: String,
    /// The model.
    pub model: String,
    /// The scenario.
    pub scenario: String,
    /// Whose values were refused; none where the whole cell was, or where the runs failed.
    pub metric: Option<Metric>,
    /// The reason of a void, or the message of a failure.
    pub reason: String,
    /// Values left out; none where the runs failed.
    pub values: Option<u64>,
    /// Runs it happened in.
    pub runs: u64,
    /// When the first of them started.
    pub first: DateTime<Utc>,
    /// When the last of them started.
    pub last: DateTime<Utc>,
}

impl Db {
    /// The newest run of every cell on every machine, oldest first: what a summary is made of. Weights of
    /// another revision are another cell here.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn newest_runs(&self) -> Result<Vec<Run>> {
        // Beside max() SQLite takes the other columns from the row that holds the maximum.
        let newest = "SELECT run.number AS id, max(run.at || run.id) FROM run
            JOIN session ON session.id = run.session
            GROUP BY session.machine, model, scenario, backend, device, precision, weights, revision";
        let numbers = self.each(newest, (), |row| {
            Cells::new("run", row, "id").get::<i64>("id")
        })?;
        let mut runs = Vec::new();
        for number in numbers {
            runs.extend(self.run_of(&number?.into())?);
        }
        runs.sort_by_key(|run| (run.at, run.id));
        Ok(runs)
    }

    /// The runs since a moment that failed or refused something, oldest first, without what they measured and said.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn refused_runs(&self, since: DateTime<Utc>) -> Result<Vec<Run>> {
        let query = "SELECT * FROM run WHERE at >= ?1
            AND (outcome = 'failed' OR number IN (SELECT run FROM void)) ORDER BY at, id";
        let since = stamp(since.max(DateTime::UNIX_EPOCH))?;
        let runs = self.each(query, [since], |row| self.outline(row))?;
        runs.into_iter().collect()
    }

    /// What was refused and what failed before a moment, counted by reason: of a machine the most frequent reason first.
    /// What a model does not offer is no refusal.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn refused_before(&self, until: DateTime<Utc>) -> Result<Vec<Refused>> {
        let query = "SELECT machine, part.*, machine || ' ' || model AS id FROM (
            SELECT session, model, scenario, metric, reason, sum(void.count) AS refused, count(DISTINCT number) AS runs,
                min(at) AS first, max(at) AS last
              FROM void JOIN run ON number = void.run
              WHERE at < ?1 AND substr(reason, 1, length(?2)) != ?2
              GROUP BY (SELECT machine FROM session WHERE id = run.session), model, scenario, metric, reason
            UNION ALL
            SELECT session, model, scenario, NULL, 'failed: ' || message, NULL, count(*), min(at), max(at)
              FROM run WHERE at < ?1 AND outcome = 'failed'
              GROUP BY (SELECT machine FROM session WHERE id = run.session), model, scenario, message
          ) AS part JOIN session ON session.id = part.session
          ORDER BY machine, model, runs DESC, scenario, metric, reason";
        let until = stamp(until.max(DateTime::UNIX_EPOCH))?;
        let found = self.each(query, [until.as_str(), BY_DESIGN], |row| {
            refused(&Cells::new("run", row, "id"))
        })?;
        found.into_iter().collect()
    }
}

fn refused(cells: &Cells<'_>) -> Result<Refused> {
    let metric: Option<String> = cells.get("metric")?;
    Ok(Refused {
        machine: cells.get("machine")?,
        model: cells.get("model")?,
        scenario: cells.get("scenario")?,
        metric: metric.map(|_| cells.parsed("metric")).transpose()?,
        reason: cells.get("reason")?,
        values: cells.get::<Option<i64>>("refused")?.map(i64::unsigned_abs),
        runs: cells.get::<i64>("runs")?.unsigned_abs(),
        first: cells.time("first")?,
        last: cells.time("last")?,
    })
}
