//! Reading series: one figure a run and metric, and neither answers nor remarks.

use std::collections::{BTreeMap, HashMap};

use super::Db;
use super::cells::Cells;
use super::read::{cell, sample};
use crate::error::Result;
use crate::metric::{Direction, Metric};
use crate::run::Cell;
use crate::series::{Group, Night, Series, SeriesSet, figure_of};

/// What the nights of all runs share.
#[derive(Default)]
struct Taken {
    nights: Vec<Night>,
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
        let series = self.figures(&taken.nights, &of)?;
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
            Ok((night, group))
        })?;
        let mut taken = Taken::default();
        for row in rows {
            let (night, group) = row?;
            taken.nights.push(night);
            taken.groups.push(group);
        }
        Ok(taken)
    }

    /// The figures of all nights; `of`: the group of each night.
    fn figures(&self, nights: &[Night], of: &[usize]) -> Result<Vec<Series>> {
        let ids: Vec<String> = nights.iter().map(|night| night.run.to_string()).collect();
        let place: HashMap<&str, usize> = ids.iter().map(String::as_str).zip(0..).collect();
        let mut series: BTreeMap<(usize, Metric), Vec<(usize, f64)>> = BTreeMap::new();
        let query = "SELECT run, metric, unit, trials, epochs FROM sample";
        let rows = self.each(query, (), |row| {
            let run: String = row.get(0).unwrap_or_default();
            let Some(&night) = place.get(run.as_str()) else {
                return Ok(None);
            };
            let sample = sample(&Cells::keyed("sample", row, run))?;
            let wanted = sample.metric.spec().direction != Direction::Neutral;
            let figure = figure_of(&sample).filter(|_| wanted);
            Ok(figure.map(|figure| (night, sample.metric, figure)))
        })?;
        for row in rows {
            if let Some((night, metric, figure)) = row? {
                series
                    .entry((of[night], metric))
                    .or_default()
                    .push((night, figure));
            }
        }
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
