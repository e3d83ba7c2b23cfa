//! Reading what is newest without reading what is old.

use chrono::{DateTime, Utc};

use super::Db;
use super::cells::{Cells, stamp};
use crate::error::Result;
use crate::run::Run;

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
}
