//! Reading series: the one figure kept beside the raw values of a run and metric, and neither these
//! nor answers nor remarks: years of runs take seconds.

use std::collections::{BTreeMap, HashMap};

use super::Db;
use super::cells::Cells;
use super::open::sql;
use super::read::cell;
use crate::error::Result;
use crate::metric::{Direction, Metric};
use crate::run::{Cell, Session};
use crate::series::{Group, Night, Series, SeriesSet};

/// What the nights of all runs share.
#[derive(Default)]
struct Taken {
    nights: Vec<Night>,
    /// Number of each night's run in this file.
    numbers: Vec<i64>,
    /// By night.
    groups: Vec<Group>,
}

impl Db {
    /// Every series of measured runs: those of metrics with a direction, oldest night first.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn series(&self) -> Result<SeriesSet> {
        let taken = self.nights()?;
        let mut groups = taken.groups.clone();
        groups.sort_unstable();
        groups.dedup();
        let place: HashMap<&Group, usize> = groups.iter().zip(0..).collect();
        let of: Vec<usize> = taken.groups.iter().map(|group| place[group]).collect();
        let series = self.figures(&taken, &of)?;
        Ok(SeriesSet {
            nights: taken.nights,
            groups,
            series,
        })
    }

    fn nights(&self) -> Result<Taken> {
        let query = "SELECT run.*, session.machine, session.suite, session.profile,
                session.commit_id, session.threads, session.power, session.release_build
            FROM run JOIN session ON session.id = run.session
            WHERE run.outcome = 'measured' ORDER BY run.at, run.id";
        let rows = self.each(query, (), |row| {
            let cells = Cells::new("run", row, "id");
            let cell = cell(&cells)?;
            let (threads, power): (u32, String) = (cells.get("threads")?, cells.get("power")?);
            let built: bool = cells.get("release_build")?;
            let built = if built { "release" } else { "debug" };
            let night = Night {
                run: cells.id("id")?,
                at: cells.time("at")?,
                commit: cells.get("commit_id")?,
                conditions: format!(
                    "weights {}, {threads} threads, power {power}, {built} build",
                    cell.revision
                ),
            };
            let group = Group {
                machine: cells.get("machine")?,
                suite: cells.get("suite")?,
                profile: cells.get("profile")?,
                cell: Cell {
                    revision: String::new(),
                    ..cell
                },
            };
            Ok((night, cells.get("number")?, group))
        })?;
        let mut taken = Taken::default();
        for row in rows {
            let (night, number, group) = row?;
            taken.nights.push(night);
            taken.numbers.push(number);
            taken.groups.push(group);
        }
        Ok(taken)
    }

    /// The figures of all nights; `of`: the group of each night.
    fn figures(&self, taken: &Taken, of: &[usize]) -> Result<Vec<Series>> {
        let known = |metric: &Metric| metric.spec().direction != Direction::Neutral;
        let wanted = Metric::ALL.iter().copied().filter(known);
        let wanted: HashMap<&str, Metric> = wanted.map(|metric| (metric.name(), metric)).collect();
        let mut series: BTreeMap<(usize, Metric), Vec<(usize, f64)>> = BTreeMap::new();
        let fail = |error| sql(&self.path, error);
        let query = "SELECT metric, middle FROM sample WHERE run = ?1 AND middle IS NOT NULL";
        let mut statement = self.conn.prepare_cached(query).map_err(fail)?;
        for (night, number) in taken.numbers.iter().enumerate() {
            let mut rows = statement.query([number]).map_err(fail)?;
            while let Some(row) = rows.next().map_err(fail)? {
                let wrong = |column, error| {
                    let run = taken.nights[night].run.to_string();
                    Cells::keyed("sample", row, run).wrong(column, error)
                };
                // Compared in place: a text a row would cost more than all the rest.
                let name = row.get_ref(0).and_then(|name| Ok(name.as_str()?));
                let name = name.map_err(|error| wrong("metric", error))?;
                let Some(&metric) = wanted.get(name) else {
                    continue;
                };
                let figure: f64 = row.get(1).map_err(|error| wrong("middle", error))?;
                let of = series.entry((of[night], metric)).or_default();
                of.push((night, figure));
            }
        }
        let made = |((group, metric), figures)| Series {
            group,
            metric,
            figures,
        };
        Ok(series.into_iter().map(made).collect())
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
}
