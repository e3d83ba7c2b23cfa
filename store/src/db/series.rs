//! Reading for trends and gates: one number a run in place of its raw values.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::cells::Cells;
use super::open::sql;
use super::{Db, RunFilter};
use crate::error::Result;
use crate::metric::Metric;
use crate::run::{Cell, Session};

/// What one metric of one cell was on one machine, over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Key of the machine.
    pub machine: String,
    /// The cell.
    pub cell: Cell,
    /// The metric.
    pub metric: Metric,
    /// Oldest first.
    pub points: Vec<Point>,
}

/// One run of a [`Series`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The run.
    pub run: Uuid,
    /// Its session, which has commit and environment.
    pub session: Uuid,
    /// When it started.
    pub at: DateTime<Utc>,
    /// Median of the medians of its epochs; of scores the mean.
    pub middle: f64,
    /// Values behind it.
    pub trials: u32,
}

/// A run without its samples.
struct Bare {
    number: i64,
    id: Uuid,
    session: Uuid,
    at: DateTime<Utc>,
    /// Which of the cells.
    cell: usize,
}

impl Db {
    /// The series of some metrics, of the runs that a filter lets through, in order of machine, cell and
    /// metric. Raw values are not read: years of runs take seconds. One machine at a time bounds memory.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn series(&self, filter: &RunFilter, metrics: &[Metric]) -> Result<Vec<Series>> {
        let (cells, runs) = self.bare_runs(filter)?;
        let wanted: HashMap<&str, usize> = metrics.iter().map(|m| m.name()).zip(0..).collect();
        let mut points: Vec<Vec<Point>> = vec![Vec::new(); cells.len() * metrics.len()];
        let fail = |error| sql(&self.path, error);
        let query = "SELECT metric, middle, trials FROM sample WHERE run = ?1";
        let mut statement = self.conn.prepare_cached(query).map_err(fail)?;
        for run in &runs {
            let mut rows = statement.query([run.number]).map_err(fail)?;
            while let Some(row) = rows.next().map_err(fail)? {
                let wrong = |column, error| {
                    Cells::keyed("sample", row, run.id.to_string()).wrong(column, error)
                };
                let name = row.get_ref(0).and_then(|name| Ok(name.as_str()?));
                let name = name.map_err(|error| wrong("metric", error))?;
                let Some(metric) = wanted.get(name) else {
                    continue;
                };
                let middle: Option<f64> = row.get(1).map_err(|error| wrong("middle", error))?;
                let trials = row.get(2).map_err(|error| wrong("trials", error))?;
                points[run.cell * metrics.len() + metric].extend(middle.map(|middle| Point {
                    run: run.id,
                    session: run.session,
                    at: run.at,
                    middle,
                    trials,
                }));
            }
        }
        let places = cells
            .iter()
            .flat_map(|cell| metrics.iter().map(move |metric| (cell, *metric)));
        let series = places.zip(points).filter(|(_, points)| !points.is_empty());
        Ok(series
            .map(|(((machine, cell), metric), points)| Series {
                machine: machine.clone(),
                cell: cell.clone(),
                metric,
                points,
            })
            .collect())
    }

    /// The newest sessions of a machine on a branch that came to their end, newest first, at most this
    /// many: what a gate compares with.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn newest_sessions(&self, machine: &str, branch: &str, most: u32) -> Result<Vec<Session>> {
        let tail = "WHERE session.machine = ?1 AND branch = ?2 AND finished IS NOT NULL
            ORDER BY session.at DESC, session.id DESC LIMIT ?3";
        let newest = self.each_session(tail, (machine, branch, most))?;
        newest.into_iter().collect()
    }

    /// Machines with cells in order, and runs, oldest first.
    fn bare_runs(&self, filter: &RunFilter) -> Result<(Vec<(String, Cell)>, Vec<Bare>)> {
        let mut places: BTreeMap<(String, Cell), Vec<usize>> = BTreeMap::new();
        let columns = "run.*, session.machine AS place";
        let found = self.each_filtered(columns, filter, |row| {
            let cells = Cells::new("run", row, "id");
            let place = (cells.get("place")?, super::read::cell(&cells)?);
            let bare = Bare {
                number: cells.get("number")?,
                id: cells.id("id")?,
                session: cells.id("session")?,
                at: cells.time("at")?,
                cell: 0,
            };
            Ok((place, bare))
        })?;
        let mut runs = Vec::with_capacity(found.len());
        for found in found {
            let (place, bare) = found?;
            places.entry(place).or_default().push(runs.len());
            runs.push(bare);
        }
        for (cell, numbers) in places.values().enumerate() {
            numbers.iter().for_each(|&number| runs[number].cell = cell);
        }
        Ok((places.into_keys().collect(), runs))
    }
}
