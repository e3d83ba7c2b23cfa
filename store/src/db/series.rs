//! Reading series: one figure a run and metric; neither raw values, answers nor remarks.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Db;
use super::cells::Cells;
use super::open::sql;
use super::pack::unpack;
use super::read::cell;
use crate::error::Result;
use crate::metric::{Direction, Metric};
use crate::run::{Cell, Environment, Sample};
use crate::series::{Group, Night, Series, SeriesSet};

/// What is known of nights before their figures are read.
#[derive(Default)]
struct Taken {
    nights: Vec<Night>,
    /// By night, positions in `groups`.
    of: Vec<usize>,
    /// By what their sessions share and their cell, in the order of their first night.
    groups: HashMap<(usize, Cell), usize>,
    /// Nights by the number of their run.
    numbers: HashMap<i64, usize>,
}

/// What is asked of the table of samples.
struct Question<'a> {
    taken: &'a Taken,
    /// Those with a direction, and the position of each by its name.
    metrics: Vec<Metric>,
    columns: HashMap<&'static str, usize>,
    /// By group and metric: whether the series is wanted.
    asked: Vec<bool>,
    since: DateTime<Utc>,
    raw: &'a (dyn Fn(usize, Sample) + Sync),
}

/// Which series are read, and what is told beyond their figures.
pub struct Wanted<'a> {
    /// Of a scenario and a metric: whether it is wanted.
    pub series: &'a dyn Fn(&str, Metric) -> bool,
    /// Whose raw values are handed out: nights that started then or later.
    pub since: DateTime<Utc>,
    /// Takes a night, by its position, and what it measured; on any core, in no order.
    pub raw: &'a (dyn Fn(usize, Sample) + Sync),
}

impl Db {
    /// Every series of measured runs: those of metrics with a direction, oldest night first.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn series(&self) -> Result<SeriesSet> {
        self.wanted_series(&Wanted {
            series: &|_, _| true,
            since: DateTime::<Utc>::MAX_UTC,
            raw: &|_, _| (),
        })
    }

    /// Those of every series that are wanted, with the raw values of their newest nights. All nights and groups are
    /// in the set.
    ///
    /// # Errors
    /// [`Error::Row`](crate::Error::Row) with table and row of a broken cell.
    pub fn wanted_series(&self, wanted: &Wanted<'_>) -> Result<SeriesSet> {
        let (mut taken, shared) = self.nights()?;
        let groups = std::mem::take(&mut taken.groups).into_iter();
        let whole = |((of, cell), first): ((usize, Cell), usize)| (shared[of].group(cell), first);
        let mut groups: Vec<(Group, usize)> = groups.map(whole).collect();
        groups.sort_unstable();
        let mut places = vec![0; groups.len()];
        for (place, &(_, first)) in groups.iter().enumerate() {
            places[first] = place;
        }
        taken.of.iter_mut().for_each(|of| *of = places[*of]);
        let groups: Vec<Group> = groups.into_iter().map(|(group, _)| group).collect();
        let series = self.figures(&taken, &groups, wanted)?;
        Ok(SeriesSet {
            nights: taken.nights,
            groups,
            series,
        })
    }

    /// All nights, and what sessions share.
    fn nights(&self) -> Result<(Taken, Vec<Shared>)> {
        let (shared, told) = self.told()?;
        let ((), parts) = self.on_every_core(|| (), |db, numbers| db.nights_of(numbers, &told));
        let mut taken = Taken::default();
        for part in parts {
            taken.append(part?);
        }
        taken.sort();
        Ok((taken, shared))
    }

    /// Runs by themselves: each of a session's would look up and read its row anew in a join.
    fn nights_of(
        &self,
        numbers: &RangeInclusive<i64>,
        told: &HashMap<Uuid, Told>,
    ) -> Result<Taken> {
        let fail = |error| sql(&self.path, error);
        let query = format!(
            "SELECT {NIGHT} FROM run WHERE outcome = 'measured' AND number BETWEEN ?1 AND ?2"
        );
        let mut statement = self.conn.prepare_cached(&query).map_err(fail)?;
        let bounds = (numbers.start(), numbers.end());
        let mut rows = statement.query(bounds).map_err(fail)?;
        let mut taken = Taken::default();
        while let Some(row) = rows.next().map_err(fail)? {
            taken.add(&Cells::new("run", row, "id"), told)?;
        }
        Ok(taken)
    }

    /// What sessions share with others, and what each tells of its runs.
    fn told(&self) -> Result<(Vec<Shared>, HashMap<Uuid, Told>)> {
        let fail = |error| sql(&self.path, error);
        let query = "SELECT id, machine, suite, profile, branch, commit_id, threads, power,
            release_build FROM session";
        let mut statement = self.conn.prepare_cached(query).map_err(fail)?;
        let mut rows = statement.query([]).map_err(fail)?;
        let (mut shared, mut told) = (HashMap::new(), HashMap::new());
        while let Some(row) = rows.next().map_err(fail)? {
            let cells = Cells::new("session", row, "id");
            let new = shared.len();
            let place = *shared.entry(Shared::read(&cells)?).or_insert(new);
            told.insert(cells.id("id")?, Told::read(&cells, place)?);
        }
        let mut shared: Vec<(Shared, usize)> = shared.into_iter().collect();
        shared.sort_unstable_by_key(|&(_, place)| place);
        let shared = shared.into_iter().map(|(shared, _)| shared).collect();
        Ok((shared, told))
    }

    /// The figures of all nights, by group, then metric.
    fn figures(&self, taken: &Taken, groups: &[Group], wanted: &Wanted<'_>) -> Result<Vec<Series>> {
        let question = Question::new(taken, groups, wanted);
        let metrics = &question.metrics;
        let figures = vec![Vec::new(); question.asked.len()];
        let figures: Mutex<Vec<Vec<(usize, f64)>>> = Mutex::new(figures);
        let read = |db: &Self, numbers: &RangeInclusive<i64>| {
            let found = db.figures_of(numbers, &question)?;
            // Each piece at once: all of them together would be twice in memory.
            let mut figures = figures.lock().unwrap_or_else(PoisonError::into_inner);
            for (place, night, figure) in found {
                figures[place].push((night, figure));
            }
            Ok(())
        };
        let ((), read) = self.on_every_core(|| (), read);
        read.into_iter().collect::<Result<()>>()?;
        let figures = figures.into_inner().unwrap_or_else(PoisonError::into_inner);
        let series = figures.into_iter().enumerate().map(|(at, mut figures)| {
            figures.sort_unstable_by_key(|&(night, _)| night);
            figures.shrink_to_fit();
            Series {
                group: at / metrics.len(),
                metric: metrics[at % metrics.len()],
                figures,
            }
        });
        Ok(series.filter(|series| !series.figures.is_empty()).collect())
    }

    /// Place, night and figure of the runs with these numbers.
    fn figures_of(
        &self,
        numbers: &RangeInclusive<i64>,
        question: &Question<'_>,
    ) -> Result<Vec<(usize, usize, f64)>> {
        let fail = |error| sql(&self.path, error);
        let (taken, metrics) = (question.taken, &question.metrics);
        // The product's own median, kept beside the raw values; `verify` compares them.
        // Raw values are looked for only where some night's are wanted: SQLite reads what is named.
        let newest = taken.nights.last();
        let raw = match newest.is_some_and(|newest| newest.at >= question.since) {
            true => "epochs",
            false => "NULL",
        };
        let query =
            format!("SELECT run, metric, middle, {raw} FROM sample WHERE run BETWEEN ?1 AND ?2");
        let mut statement = self.conn.prepare_cached(&query).map_err(fail)?;
        let bounds = (numbers.start(), numbers.end());
        let mut rows = statement.query(bounds).map_err(fail)?;
        let mut found = Vec::new();
        // Rows of a run follow each other.
        let (mut last, mut night) = (None, None);
        while let Some(row) = rows.next().map_err(fail)? {
            let wrong = |column, error| Cells::new("sample", row, "metric").wrong(column, error);
            let run: i64 = row.get(0).map_err(|error| wrong("run", error))?;
            if last.replace(run) != Some(run) {
                night = taken.numbers.get(&run).copied();
            }
            let name = row.get_ref(1).and_then(|name| Ok(name.as_str()?));
            let name = name.map_err(|error| wrong("metric", error))?;
            let (Some(night), Some(&column)) = (night, question.columns.get(name)) else {
                continue;
            };
            let place = taken.of[night] * metrics.len() + column;
            if !question.asked[place] {
                continue;
            }
            let figure: Option<f64> = row.get(2).map_err(|error| wrong("middle", error))?;
            found.extend(figure.map(|figure| (place, night, figure)));
            if taken.nights[night].at >= question.since {
                let cells = || Cells::new("sample", row, "metric");
                let packed = row.get_ref(3).and_then(|packed| Ok(packed.as_blob()?));
                let packed = packed.map_err(|error| wrong("epochs", error))?;
                let epochs = unpack(packed).map_err(|reason| cells().wrong("epochs", reason))?;
                let metric = metrics[column];
                (question.raw)(night, Sample { metric, epochs });
            }
        }
        Ok(found)
    }
}

impl<'a> Question<'a> {
    fn new(taken: &'a Taken, groups: &[Group], wanted: &Wanted<'a>) -> Self {
        let directed = |metric: &Metric| metric.spec().direction != Direction::Neutral;
        let metrics: Vec<Metric> = Metric::ALL.iter().copied().filter(directed).collect();
        let each = |group: &Group| -> Vec<bool> {
            let asked = metrics
                .iter()
                .map(|&metric| (wanted.series)(&group.cell.scenario, metric));
            asked.collect()
        };
        Self {
            taken,
            asked: groups.iter().flat_map(each).collect(),
            columns: metrics.iter().map(|m| m.name()).zip(0..).collect(),
            metrics,
            since: wanted.since,
            raw: wanted.raw,
        }
    }
}

/// What [`Taken::add`] reads.
const NIGHT: &str = "id, session, number, at, model, scenario, version, backend, device, precision,
    weights, revision";

/// What of a group is the session's and not the cell's.
#[derive(PartialEq, Eq, Hash)]
struct Shared {
    machine: String,
    suite: String,
    profile: String,
    branch: String,
}

impl Shared {
    fn read(cells: &Cells<'_>) -> Result<Self> {
        Ok(Self {
            machine: cells.get("machine")?,
            suite: cells.get("suite")?,
            profile: cells.get("profile")?,
            branch: cells.get::<Option<String>>("branch")?.unwrap_or_default(),
        })
    }

    fn group(&self, cell: Cell) -> Group {
        Group {
            machine: self.machine.clone(),
            suite: self.suite.clone(),
            profile: self.profile.clone(),
            branch: self.branch.clone(),
            cell,
        }
    }
}

/// What a session tells of all its runs.
struct Told {
    /// Position of what it shares with others.
    shared: usize,
    commit: Option<String>,
    /// The conditions, but for the weights.
    conditions: String,
}

impl Told {
    fn read(cells: &Cells<'_>, shared: usize) -> Result<Self> {
        let environment = Environment {
            threads: cells.get("threads")?,
            power: cells.get("power")?,
            release: cells.get("release_build")?,
            ..Environment::default()
        };
        Ok(Self {
            shared,
            commit: cells.get("commit_id")?,
            conditions: environment.conditions(),
        })
    }
}

/// What makes the past no measure for a run of this cell.
fn conditions(cell: &Cell, told: &str) -> String {
    let version = cell
        .version
        .map(|version| format!("{} {version}, ", cell.scenario));
    let version = version.unwrap_or_default();
    format!("{version}weights {}, {told}", cell.revision)
}

impl Taken {
    fn add(&mut self, cells: &Cells<'_>, told: &HashMap<Uuid, Told>) -> Result<()> {
        let session = cells.id("session")?;
        let told = told.get(&session);
        let told = told.ok_or_else(|| cells.wrong("session", "names none that is there"))?;
        let cell = cell(cells)?;
        let night = Night {
            run: cells.id("id")?,
            session,
            at: cells.time("at")?,
            commit: told.commit.clone(),
            conditions: conditions(&cell, &told.conditions),
        };
        let cell = cell.in_series();
        let new = self.groups.len();
        self.of
            .push(*self.groups.entry((told.shared, cell)).or_insert(new));
        self.numbers.insert(cells.get("number")?, self.nights.len());
        self.nights.push(night);
        Ok(())
    }

    /// Takes in those of other runs.
    fn append(&mut self, other: Self) {
        let before = self.nights.len();
        let mut places = vec![0; other.groups.len()];
        for (group, at) in other.groups {
            let new = self.groups.len();
            places[at] = *self.groups.entry(group).or_insert(new);
        }
        self.of.extend(other.of.iter().map(|&of| places[of]));
        let numbers = other.numbers.into_iter();
        self.numbers
            .extend(numbers.map(|(number, at)| (number, before + at)));
        self.nights.extend(other.nights);
    }

    /// In order of time. SQLite would write the nights of years to a file to sort them.
    fn sort(&mut self) {
        let nights = std::mem::take(&mut self.nights).into_iter().zip(0..);
        let mut nights: Vec<(Night, usize)> = nights.collect();
        nights.sort_by_key(|(night, _)| (night.at, night.run));
        let mut places = vec![0; nights.len()];
        for (place, &(_, was)) in nights.iter().enumerate() {
            places[was] = place;
        }
        self.of = nights.iter().map(|&(_, was)| self.of[was]).collect();
        self.numbers.values_mut().for_each(|at| *at = places[*at]);
        self.nights = nights.into_iter().map(|(night, _)| night).collect();
    }
}
