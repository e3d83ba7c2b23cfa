//! What changed in every stored series, grouped into incidents. Pure.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::cores;
use crate::db::Acknowledgement;
use crate::metric::Direction;
use crate::series::{Series, SeriesSet, digest};
use crate::trend::{Accepted, ChangePoint, State, Trend, trend, trend_accepted};

/// What a change means for its metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// Worse.
    Regression,
    /// A counter that should not move.
    Behaviour,
    /// Better.
    Improvement,
}

impl Meaning {
    /// The word that text and JSON print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Behaviour => "changed behaviour",
            Self::Improvement => "improvement",
        }
    }

    /// What a move from `before` to `after` means.
    pub(crate) fn of(direction: Direction, point: &ChangePoint) -> Self {
        match direction {
            Direction::LowerIsBetter if point.after > point.before => Self::Regression,
            Direction::HigherIsBetter if point.after < point.before => Self::Regression,
            Direction::LowerIsBetter | Direction::HigherIsBetter => Self::Improvement,
            Direction::Exact | Direction::Neutral => Self::Behaviour,
        }
    }
}

/// A change point of a stored series.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Twelve hex digits of series and first run at the new level, as it was first found: the
    /// same however many nights are appended.
    pub id: String,
    /// Position in [`SeriesSet::series`].
    pub series: usize,
    /// The change; positions are those of [`Series::figures`].
    pub point: ChangePoint,
    /// Better, worse or other.
    pub meaning: Meaning,
    /// Whether it is smaller than the smallest change worth a verdict of its metric.
    pub is_small: bool,
    /// Why somebody accepted it; none where nobody did.
    pub accepted: Option<String>,
}

/// Findings of one machine, night and meaning: probably one cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Positions in [`Watch::findings`], the largest change first.
    pub findings: Vec<usize>,
    /// Series of the same machine and branch with a figure of that night.
    pub watched: usize,
}

impl Incident {
    /// Whether at least half of three or more series moved: then the machine is more likely than
    /// the code.
    #[must_use]
    pub const fn is_machine(&self) -> bool {
        self.watched >= 3 && 2 * self.findings.len() >= self.watched
    }
}

/// Everything found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    /// By series, then time.
    pub findings: Vec<Finding>,
    /// The newest first.
    pub incidents: Vec<Incident>,
    /// What was confirmed once and contradicted later: series, where found, where withdrawn.
    pub withdrawn: Vec<(usize, usize, usize)>,
    /// By series: relative standard deviation from night to night within one level; none without two nights.
    pub noise: Vec<Option<f64>>,
}

/// How far apart the nights of one incident may lie.
const ONE_NIGHT: TimeDelta = TimeDelta::hours(36);

/// How long before the first change of a night its other figures may have been measured.
const HALF_NIGHT: TimeDelta = TimeDelta::hours(12);

/// Judges every series, on all cores.
#[must_use]
pub fn watch(set: &SeriesSet, accepted: &[Acknowledgement]) -> Watch {
    let trends = trends(set, accepted);
    let mut watch = Watch::default();
    for (at, (series, trend)) in set.series.iter().zip(trends).enumerate() {
        let key = set.groups[series.group].key(series.metric);
        let gone = trend
            .withdrawn
            .iter()
            .map(|gone| (at, gone.found, gone.withdrawn));
        watch.withdrawn.extend(gone);
        watch.noise.push(trend.noise);
        let finding = |point| finding(set, (at, &key), point, accepted);
        watch
            .findings
            .extend(trend.changes.into_iter().map(finding));
    }
    watch.incidents = incidents(set, &watch.findings);
    watch
}

/// Series that a core takes at once: some take much longer than others.
const AT_ONCE: usize = 32;

/// The trend of each series, in order.
fn trends(set: &SeriesSet, accepted: &[Acknowledgement]) -> Vec<Trend> {
    let parts: Vec<&[Series]> = set.series.chunks(AT_ONCE).collect();
    let judged = |(): &(), at: usize| -> Vec<Trend> {
        let part = parts[at].iter();
        part.map(|series| of_series(set, series, accepted))
            .collect()
    };
    let ((), trends) = cores::on_all(parts.len(), || (&(), ()), || Some(()), judged);
    trends.into_iter().flatten().collect()
}

fn of_series(set: &SeriesSet, series: &Series, accepted: &[Acknowledgement]) -> Trend {
    let values: Vec<f64> = series.figures.iter().map(|&(_, figure)| figure).collect();
    let conditions = |at: usize| &set.nights[series.figures[at].0].conditions;
    let breaks: Vec<usize> = (1..values.len())
        .filter(|&at| conditions(at) != conditions(at - 1))
        .collect();
    match accepted_of(set, series, accepted) {
        none if none.is_empty() => trend(&values, &breaks),
        accepted => trend_accepted(&values, &breaks, &accepted),
    }
}

/// What was accepted of a series.
fn accepted_of(set: &SeriesSet, series: &Series, all: &[Acknowledgement]) -> Vec<Accepted> {
    if all.is_empty() {
        return Vec::new();
    }
    let key = set.groups[series.group].key(series.metric);
    let night = |&(night, _): &(usize, f64)| &set.nights[night];
    let accepted = |known: &Acknowledgement| {
        let is_first = |figure: &(usize, f64)| night(figure).run == known.run;
        let began = |figure: &(usize, f64)| night(figure).at <= known.at;
        Some(Accepted {
            known: series.figures.partition_point(began),
            at: series.figures.iter().position(is_first)?,
        })
    };
    let own = all.iter().filter(|known| known.series == key);
    own.filter_map(accepted).collect()
}

fn finding(
    set: &SeriesSet,
    (at, key): (usize, &str),
    point: ChangePoint,
    accepted: &[Acknowledgement],
) -> Finding {
    let series = &set.series[at];
    let spec = series.metric.spec();
    let run = |at: usize| set.nights[series.figures[at].0].run;
    let near = point.found.saturating_sub(1)..=(point.found + 1).min(series.figures.len() - 1);
    let near: Vec<_> = near.map(run).collect();
    let known = accepted
        .iter()
        .find(|known| known.series == key && near.contains(&known.run));
    Finding {
        id: digest(&[key, &run(point.found).to_string()]),
        series: at,
        meaning: Meaning::of(spec.direction, &point),
        is_small: point.size.is_some_and(|size| size.abs() < spec.min_change),
        accepted: known.map(|known| known.reason.clone()),
        point,
    }
}

/// Findings that share a machine, a night and a meaning.
fn incidents(set: &SeriesSet, findings: &[Finding]) -> Vec<Incident> {
    let machine = |finding: &Finding| {
        let series = &set.series[finding.series];
        set.groups[series.group].machine.as_str()
    };
    let night = |finding: &Finding| {
        let series = &set.series[finding.series];
        set.nights[series.figures[finding.point.index].0].at
    };
    let open =
        |finding: &Finding| finding.accepted.is_none() && finding.point.state > State::Suspect;
    let mut order: Vec<usize> = (0..findings.len()).collect();
    let sort = |&at: &usize| {
        let finding = &findings[at];
        (
            machine(finding),
            finding.meaning,
            open(finding),
            finding.point.state == State::Suspect,
        )
    };
    order.sort_by(|one, other| {
        let (a, b) = (&findings[*one], &findings[*other]);
        (sort(one), night(a)).cmp(&(sort(other), night(b)))
    });
    let together = |one: &usize, other: &usize| {
        sort(one) == sort(other) && night(&findings[*other]) - night(&findings[*one]) <= ONE_NIGHT
    };
    let mut groups: Vec<Vec<usize>> = order.chunk_by(together).map(<[usize]>::to_vec).collect();
    let size = |at: usize| findings[at].point.size.map_or(f64::INFINITY, f64::abs);
    for group in &mut groups {
        group.sort_by(|&one, &other| size(other).total_cmp(&size(one)));
    }
    let first = |group: &[usize]| group.iter().map(|&at| night(&findings[at])).min();
    groups.sort_by_key(|group| std::cmp::Reverse(first(group)));
    let incident = |group: Vec<usize>| {
        let of: Vec<&Finding> = group.iter().map(|&at| &findings[at]).collect();
        Incident {
            watched: watched(set, &of),
            findings: group,
        }
    };
    groups.into_iter().map(incident).collect()
}

/// Series that had a figure on the night of these findings, of their machine and branches: one that has
/// ended, or is of a pull request, could not have moved.
fn watched(set: &SeriesSet, findings: &[&Finding]) -> usize {
    let place = |series: usize| {
        let group = &set.groups[set.series[series].group];
        (group.machine.as_str(), group.branch.as_str())
    };
    let places: BTreeSet<_> = findings.iter().map(|of| place(of.series)).collect();
    let at = |series: &Series, figure: usize| set.nights[series.figures[figure].0].at;
    let nights = findings
        .iter()
        .map(|of| at(&set.series[of.series], of.point.index));
    let Some(first) = nights.min() else { return 0 };
    let had_figure = |series: &Series| {
        let from = series
            .figures
            .partition_point(|&(night, _)| set.nights[night].at < first - HALF_NIGHT);
        from < series.figures.len() && at(series, from) <= first + ONE_NIGHT
    };
    let of = (0..set.series.len()).filter(|&of| places.contains(&place(of)));
    of.filter(|&of| had_figure(&set.series[of])).count()
}
