//! Reading series: one figure a run and metric; neither raw values, answers nor remarks.

use std::collections::{BTreeMap, HashMap};

use super::Db;
use super::cells::Cells;
use super::open::sql;
use super::read::cell;
use crate::error::Result;
use crate::metric::{Direction, Metric};
use crate::run::Cell;
use crate::series::{Group, Night, Series, SeriesSet};

/// What the nights of all runs share.
#[derive(Default)]
struct Taken {
    nights: Vec<Night>,
    /// By night.
    groups: Vec<Group>,
    /// Nights by the number of their run.
    numbers: HashMap<i64, usize>,
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
        let series = self.figures(&taken.numbers, &of)?;
        Ok(SeriesSet {
            nights: taken.nights,
            groups,
            series,
        })
    }

    fn nights(&self) -> Result<Taken> {
        let query = "SELECT run.*, session.machine, session.suite, session.profile, session.branch,
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
                session: cells.id("session")?,
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
                branch: cells.get::<Option<String>>("branch")?.unwrap_or_default(),
                cell: Cell {
                    revision: String::new(),
                    ..cell
                },
            };
            Ok((cells.get::<i64>("number")?, night, group))
        })?;
        let mut taken = Taken::default();
        for row in rows {
            let (number, night, group) = row?;
            taken.numbers.insert(number, taken.nights.len());
            taken.nights.push(night);
            taken.groups.push(group);
        }
        Ok(taken)
    }

    /// The figures of all nights, by the number of their run; `of`: the group of each night.
    fn figures(&self, nights: &HashMap<i64, usize>, of: &[usize]) -> Result<Vec<Series>> {
        let directed = |metric: &&Metric| metric.spec().direction != Direction::Neutral;
        let metrics = Metric::ALL.iter().filter(directed);
        let metrics: HashMap<&str, Metric> = metrics.map(|&m| (m.name(), m)).collect();
        let mut series: BTreeMap<(usize, Metric), Vec<(usize, f64)>> = BTreeMap::new();
        let fail = |error| sql(&self.path, error);
        // The product's own median, kept beside the raw values; `verify` compares them.
        let query = "SELECT run, metric, middle FROM sample";
        let mut statement = self.conn.prepare_cached(query).map_err(fail)?;
        let mut rows = statement.query([]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let wrong = |column, error| Cells::new("sample", row, "metric").wrong(column, error);
            let run: i64 = row.get(0).map_err(|error| wrong("run", error))?;
            let name = row.get_ref(1).and_then(|name| Ok(name.as_str()?));
            let name = name.map_err(|error| wrong("metric", error))?;
            let (Some(&night), Some(&metric)) = (nights.get(&run), metrics.get(name)) else {
                continue;
            };
            let figure: Option<f64> = row.get(2).map_err(|error| wrong("middle", error))?;
            let figures = series.entry((of[night], metric)).or_default();
            figures.extend(figure.map(|figure| (night, figure)));
        }
        series.retain(|_, figures| !figures.is_empty());
        let sorted = |((group, metric), mut figures): ((usize, Metric), Vec<(usize, f64)>)| {
            figures.sort_unstable_by_key(|&(night, _)| night);
            Series {
                group,
                metric,
                figures,
            }
        };
        Ok(series.into_iter().map(sorted).collect())
    }
}
