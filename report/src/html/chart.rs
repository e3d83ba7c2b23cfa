//! One chart of a page: its values in the short form that the page's script draws, and the same as texts and a
//! table for who runs no script.

use serde::Serialize;
use store::Unit;

use super::json;
use super::lines::{Line, Point, Stamp, Variant};
use super::plot::{Axes, Frame, Role, frame};

/// Rows of a chart's table: what was measured before is in the chart and in the database.
const ROWS: usize = 20;

/// What to draw over time.
pub(super) struct Trend<'a> {
    /// Unique within the page; letters, digits and dashes.
    pub id: String,
    /// Name of the figure.
    pub title: String,
    /// What it is, in one line.
    pub about: String,
    /// How values print.
    pub unit: Unit,
    /// One a variant, never all empty.
    pub lines: Vec<Line>,
    /// When and of what the page's points are.
    pub stamps: &'a [Stamp],
    /// Who the lines are.
    pub variants: &'a [Variant],
}

/// What to draw over the number of a call.
pub(super) struct Curve<'a> {
    pub id: String,
    pub title: String,
    pub about: String,
    pub unit: Unit,
    /// What the numbers count.
    pub across: &'static str,
    /// A name beside the variant, e.g. of a process, its variant and its values from number 1 on.
    pub lines: Vec<(String, usize, Vec<f64>)>,
    pub variants: &'a [Variant],
}

/// A chart as the template takes it.
#[derive(Serialize)]
pub(super) struct Chart {
    pub(super) id: String,
    title: String,
    about: String,
    latest: Vec<Latest>,
    summary: String,
    headers: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    more: String,
    data: String,
}

/// The newest figure of a line.
#[derive(Serialize)]
struct Latest {
    variant: usize,
    name: String,
    value: String,
    spread: String,
}

/// What the script draws.
#[derive(Serialize)]
struct Data {
    unit: &'static str,
    plot: Frame,
    lines: Vec<Values>,
}

/// The values of a line, in the unit of the chart. A point is the same position in each list.
#[derive(Default, Serialize)]
struct Values {
    variant: usize,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    /// Positions in the page's list of sessions; none for a curve, whose points count from 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    at: Vec<usize>,
    /// The first of them, where each is the one after the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<usize>,
    y: Vec<f64>,
    /// Ends of the intervals of the newest points: the lists end where the points do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    low: Vec<Option<f64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    high: Vec<Option<f64>>,
    /// Different counts, and which of them the newest points have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    counts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    count: Vec<isize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    marks: Vec<MarkData>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<(usize, String)>,
    /// First session of the newest level, its lower and upper end, and what they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<(usize, f64, f64, String)>,
}

#[derive(Serialize)]
struct MarkData {
    at: usize,
    y: f64,
    size: String,
    kind: &'static str,
    state: &'static str,
    accepted: bool,
    text: String,
}

/// Draws figures over time.
pub(super) fn trend(trend: &Trend<'_>) -> Chart {
    let top = trend.lines.iter().flat_map(|line| &line.points);
    let top = top
        .map(|point| point.value.abs())
        .filter(|value| value.is_finite());
    let (by, unit) = trend.unit.scale(top.fold(0.0, f64::max));
    let mut roles = Vec::new();
    for (at, line) in trend.lines.iter().enumerate() {
        roles.extend(line.level.is_some().then_some((Role::Level, at)));
        let banded = line.points.iter().any(|point| point.interval.is_some());
        roles.extend(banded.then_some((Role::Band, at)));
    }
    let all = 0..trend.lines.len();
    roles.extend(all.clone().map(|at| (Role::Figures, at)));
    roles.extend(
        all.clone()
            .filter(|&at| !trend.lines[at].marks.is_empty())
            .map(|at| (Role::Marks, at)),
    );
    roles.extend(
        all.filter(|&at| !trend.lines[at].gaps.is_empty())
            .map(|at| (Role::Gaps, at)),
    );
    let axes = Axes {
        unit,
        across: None,
        shares: trend.unit == Unit::Ratio && trend.lines.iter().all(Line::is_share),
    };
    let data = Data {
        unit,
        plot: frame(&axes, &roles),
        lines: trend.lines.iter().map(|line| values(line, by)).collect(),
    };
    let (rows, more) = rows(trend);
    Chart {
        id: trend.id.clone(),
        title: trend.title.clone(),
        about: trend.about.clone(),
        latest: latest(trend),
        summary: summary(trend),
        headers: vec!["When", "Of", "Figure", "95 % interval", "From"],
        rows,
        more,
        data: json::block(&data),
    }
}

/// A number with the digits that a chart can show.
fn short(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

fn values(line: &Line, by: f64) -> Values {
    let scaled = |value: f64| short(value / by);
    // Old points have neither interval nor counts: the lists are those of the newest.
    let told = |point: &Point| point.interval.is_some() || point.counts.is_some();
    let first = line.points.iter().position(told);
    let newest = first.map_or(&[][..], |first| &line.points[first..]);
    let banded = newest.iter().any(|point| point.interval.is_some());
    let ends = |end: fn((f64, f64)) -> f64| {
        let end = |point: &Point| point.interval.map(|interval| scaled(end(interval)));
        newest
            .iter()
            .filter(|_| banded)
            .map(end)
            .collect::<Vec<_>>()
    };
    let (counts, count) = coded(newest);
    let at: Vec<usize> = line.points.iter().map(|point| point.stamp).collect();
    let from = at
        .first()
        .copied()
        .filter(|&from| at.iter().copied().eq(from..from + at.len()));
    Values {
        variant: line.variant,
        at: if from.is_some() { Vec::new() } else { at },
        from,
        y: line
            .points
            .iter()
            .map(|point| scaled(point.value))
            .collect(),
        low: ends(|(low, _)| low),
        high: ends(|(_, high)| high),
        counts,
        count,
        marks: line
            .marks
            .iter()
            .map(|mark| MarkData {
                at: mark.stamp,
                y: scaled(mark.value),
                size: mark.size.clone(),
                kind: mark.kind,
                state: mark.state,
                accepted: mark.accepted,
                text: mark.text.clone(),
            })
            .collect(),
        gaps: line
            .gaps
            .iter()
            .map(|gap| (gap.stamp, gap.reason.clone()))
            .collect(),
        level: line.level.as_ref().map(|level| {
            (
                level.stamp,
                scaled(level.low),
                scaled(level.high),
                level.about.clone(),
            )
        }),
        ..Values::default()
    }
}

/// The different counts, and the place of each point's among them; -1 for none.
fn coded(points: &[Point]) -> (Vec<String>, Vec<isize>) {
    let mut counts: Vec<String> = Vec::new();
    let count = points.iter().map(|point| {
        let Some(text) = &point.counts else { return -1 };
        let known = counts.iter().position(|known| known == text);
        let at = known.unwrap_or_else(|| {
            counts.push(text.clone());
            counts.len() - 1
        });
        at.cast_signed()
    });
    let count: Vec<isize> = count.collect();
    (counts, count)
}

/// The newest figure of every line that is shown; where it was refused, that, and the one before it.
fn latest(trend: &Trend<'_>) -> Vec<Latest> {
    let shown = trend
        .lines
        .iter()
        .filter(|line| trend.variants[line.variant].on);
    let newest = shown.map(|line| {
        let refused = line.gaps.iter().map(|gap| gap.stamp).max();
        let (value, spread) = match (line.points.last(), refused) {
            (None, _) => ("void".to_owned(), String::new()),
            // A session may hold both: some values refused, the others good.
            (Some(point), Some(at)) if at > point.stamp => (
                "void".to_owned(),
                format!("before: {}", trend.unit.format(point.value)),
            ),
            (Some(point), _) => (trend.unit.format(point.value), interval(point, trend.unit)),
        };
        Latest {
            variant: line.variant,
            name: trend.variants[line.variant].name.clone(),
            value,
            spread,
        }
    });
    newest.collect()
}

fn interval(point: &Point, unit: Unit) -> String {
    match point.interval {
        Some((low, high)) => format!("[{}, {}]", unit.format(low), unit.format(high)),
        None => "no interval".to_owned(),
    }
}

/// The newest rows of all lines, and how many there are before them.
fn rows(trend: &Trend<'_>) -> (Vec<Vec<String>>, String) {
    let mut all: Vec<(usize, &Line, Option<&Point>, &str)> = Vec::new();
    for line in &trend.lines {
        all.extend(
            line.points
                .iter()
                .map(|point| (point.stamp, line, Some(point), "")),
        );
        all.extend(
            line.gaps
                .iter()
                .map(|gap| (gap.stamp, line, None, gap.reason.as_str())),
        );
    }
    all.sort_by_key(|(stamp, line, ..)| (std::cmp::Reverse(*stamp), line.variant));
    let row = |(stamp, line, point, reason): &(usize, &Line, Option<&Point>, &str)| {
        let stamp = &trend.stamps[*stamp];
        let (figure, interval, from) = match point {
            None => ("none".to_owned(), String::new(), (*reason).to_owned()),
            Some(point) => {
                let counts = point.counts.iter().map(|counts| format!("{counts}, "));
                let from = format!("{}{}", counts.collect::<String>(), stamp.commit);
                (
                    trend.unit.format(point.value),
                    interval(point, trend.unit),
                    from,
                )
            }
        };
        let name = trend.variants[line.variant].name.clone();
        vec![stamp.at.clone(), name, figure, interval, from]
    };
    let rows = all.iter().take(ROWS).map(row).collect();
    let older = all.len().saturating_sub(ROWS);
    let more = match older {
        0 => String::new(),
        older => format!(
            "The newest {ROWS} of {}; the older {older} are in the chart and in the database.",
            all.len()
        ),
    };
    (rows, more)
}

/// What a reader who cannot see the drawing is told.
fn summary(trend: &Trend<'_>) -> String {
    let told = trend.lines.iter().map(|line| {
        let name = &trend.variants[line.variant].name;
        let (Some(first), Some(last)) = (line.points.first(), line.points.last()) else {
            return format!("{name}: no figure yet");
        };
        let value = |point: &Point| trend.unit.format(point.value);
        let day = |point: &Point| trend.stamps[point.stamp].at.get(..10).unwrap_or_default();
        let changes = match line.marks.len() {
            0 => String::new(),
            1 => ", 1 change".to_owned(),
            several => format!(", {several} changes"),
        };
        match line.points.len() {
            1 => format!("{name}: one figure, {} of {}", value(last), day(last)),
            count => format!(
                "{name}: {count} figures, from {} of {} to {} of {}{changes}",
                value(first),
                day(first),
                value(last),
                day(last)
            ),
        }
    });
    format!("{}. {}", trend.title, told.collect::<Vec<_>>().join("; "))
}

/// Draws values over the number of a call.
pub(super) fn curve(curve: &Curve<'_>) -> Chart {
    let values = || {
        curve
            .lines
            .iter()
            .flat_map(|(_, _, values)| values)
            .copied()
    };
    let top = values()
        .map(f64::abs)
        .filter(|value| value.is_finite())
        .fold(0.0, f64::max);
    let (by, unit) = curve.unit.scale(top);
    let axes = Axes {
        unit,
        across: Some(curve.across),
        shares: false,
    };
    let roles: Vec<_> = (0..curve.lines.len())
        .map(|at| (Role::Figures, at))
        .collect();
    let line = |(name, variant, values): &(String, usize, Vec<f64>)| Values {
        variant: *variant,
        name: name.clone(),
        y: values.iter().map(|value| short(value / by)).collect(),
        ..Values::default()
    };
    let data = Data {
        unit,
        plot: frame(&axes, &roles),
        lines: curve.lines.iter().map(line).collect(),
    };
    let row = |(name, variant, values): &(String, usize, Vec<f64>)| {
        let texts: Vec<String> = values
            .iter()
            .map(|&value| curve.unit.format(value))
            .collect();
        let of = [&curve.variants[*variant].name, name].map(String::as_str);
        vec![of.join(" ").trim().to_owned(), texts.join(", ")]
    };
    Chart {
        id: curve.id.clone(),
        title: curve.title.clone(),
        about: curve.about.clone(),
        latest: Vec::new(),
        summary: format!("{}. {}", curve.title, curve.about),
        headers: vec!["Of", "In order"],
        rows: curve.lines.iter().map(row).collect(),
        more: String::new(),
        data: json::block(&data),
    }
}
