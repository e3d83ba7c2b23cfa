//! One trend as inline SVG: plain geometry in, finished strings out.

use chrono::{DateTime, Utc};
use serde::Serialize;
use store::Unit;

use super::axis::Axis;

/// Size of the drawing and the edges of its plot area, in SVG user units.
const WIDTH: f64 = 280.0;
const HEIGHT: f64 = 152.0;
pub(super) const LEFT: f64 = 64.0;
pub(super) const RIGHT: f64 = WIDTH - 6.0;
pub(super) const TOP: f64 = 10.0;
pub(super) const BOTTOM: f64 = HEIGHT - 26.0;
/// Where marks for refused figures stand: just above the time axis.
const GAP_Y: f64 = BOTTOM - 7.0;

/// One measured figure of a trend.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    /// When.
    pub at: DateTime<Utc>,
    /// In the trend's unit.
    pub value: f64,
    /// 95 % interval, where there is one.
    pub interval: Option<(f64, f64)>,
    /// Where the figure came from: commit, branch, counts, in words.
    pub origin: String,
}

/// A time at which there should have been a figure.
#[derive(Clone, Debug)]
pub(crate) struct Gap {
    /// When.
    pub at: DateTime<Utc>,
    /// Why there is none.
    pub reason: String,
}

/// What to draw.
#[derive(Clone, Debug)]
pub(crate) struct Trend {
    /// Unique within the page; letters, digits and dashes.
    pub id: String,
    /// Name of the figure.
    pub title: String,
    /// What it is, in one line.
    pub about: String,
    /// How values print.
    pub unit: Unit,
    /// Oldest first, never empty.
    pub points: Vec<Point>,
    /// Refused figures.
    pub gaps: Vec<Gap>,
}

/// A drawn trend: every coordinate and label a finished string.
#[derive(Debug, Serialize)]
pub(crate) struct Chart {
    id: String,
    title: String,
    about: String,
    latest: String,
    spread: String,
    summary: String,
    view_box: String,
    left: String,
    right: String,
    bottom: String,
    ticks: Vec<Label>,
    dates: Vec<Label>,
    line: String,
    points: Vec<Dot>,
    gaps: Vec<Dot>,
    rows: Vec<[String; 4]>,
}

/// A text at a place.
#[derive(Debug, Serialize)]
pub(super) struct Label {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) anchor: &'static str,
    pub(super) text: String,
}

#[derive(Debug, Serialize)]
struct Dot {
    x: String,
    y: String,
    low: String,
    high: String,
    title: String,
}

/// Draws one trend.
pub(crate) fn draw(trend: Trend) -> Chart {
    let times = Axis::over_time(&trend);
    let values = Axis::over_values(&trend);
    let dots: Vec<Dot> = trend
        .points
        .iter()
        .map(|point| dot(point, &trend, &times, &values))
        .collect();
    let gap = |gap: &Gap| Dot {
        x: px(times.place(seconds(gap.at))),
        y: px(GAP_Y),
        low: px(GAP_Y),
        high: px(GAP_Y),
        title: format!("{}: no figure: {}", stamp(gap.at), gap.reason),
    };
    let (latest, spread) = headline(&trend);
    Chart {
        latest,
        spread,
        summary: summary(&trend),
        view_box: format!("0 0 {WIDTH} {HEIGHT}"),
        left: px(LEFT),
        right: px(RIGHT),
        bottom: px(BOTTOM),
        ticks: values.ticks(trend.unit),
        dates: dates(&trend, &times),
        line: dots
            .iter()
            .map(|dot| format!("{},{}", dot.x, dot.y))
            .collect::<Vec<_>>()
            .join(" "),
        gaps: trend.gaps.iter().map(gap).collect(),
        rows: rows(&trend),
        points: dots,
        id: trend.id,
        title: trend.title,
        about: trend.about,
    }
}

/// The newest figure and its interval; where it was refused, that, and the one before it.
fn headline(trend: &Trend) -> (String, String) {
    let newest = trend.points.last();
    let value = |point: &Point| trend.unit.format(point.value);
    let refused = trend.gaps.iter().map(|gap| gap.at).max();
    match (newest, refused) {
        (None, _) => ("void".to_owned(), String::new()),
        // A session may hold both: some values refused, the others good.
        (Some(point), Some(at)) if at > point.at => {
            ("void".to_owned(), format!("before: {}", value(point)))
        }
        (Some(point), _) => (value(point), interval(point, trend.unit)),
    }
}

fn dot(point: &Point, trend: &Trend, times: &Axis, values: &Axis) -> Dot {
    let (low, high) = point.interval.unwrap_or((point.value, point.value));
    let value = trend.unit.format(point.value);
    Dot {
        x: px(times.place(seconds(point.at))),
        y: px(values.place(point.value)),
        low: px(values.place(low)),
        high: px(values.place(high)),
        title: format!(
            "{}: {value} {}\n{}",
            stamp(point.at),
            interval(point, trend.unit),
            point.origin
        ),
    }
}

fn interval(point: &Point, unit: Unit) -> String {
    match point.interval {
        Some((low, high)) => format!("[{}, {}]", unit.format(low), unit.format(high)),
        None => "no interval".to_owned(),
    }
}

fn rows(trend: &Trend) -> Vec<[String; 4]> {
    let measured = trend.points.iter().map(|point| {
        let value = trend.unit.format(point.value);
        (
            point.at,
            [
                stamp(point.at),
                value,
                interval(point, trend.unit),
                point.origin.clone(),
            ],
        )
    });
    let refused = trend.gaps.iter().map(|gap| {
        (
            gap.at,
            [
                stamp(gap.at),
                "none".to_owned(),
                String::new(),
                gap.reason.clone(),
            ],
        )
    });
    let mut rows: Vec<_> = measured.chain(refused).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.0));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// What a reader who cannot see the drawing is told.
fn summary(trend: &Trend) -> String {
    let (Some(first), Some(last)) = (trend.points.first(), trend.points.last()) else {
        return format!("{}: no figure yet", trend.title);
    };
    let value = |point: &Point| trend.unit.format(point.value);
    let refused = match trend.gaps.len() {
        0 => String::new(),
        count => format!("; {count} without a figure"),
    };
    match trend.points.len() {
        1 => format!(
            "{}: one figure, {} at {}{refused}",
            trend.title,
            value(last),
            stamp(last.at)
        ),
        count => format!(
            "{}: {count} figures, from {} at {} to {} at {}{refused}",
            trend.title,
            value(first),
            stamp(first.at),
            value(last),
            stamp(last.at)
        ),
    }
}

fn dates(trend: &Trend, times: &Axis) -> Vec<Label> {
    let all = || {
        trend
            .points
            .iter()
            .map(|p| p.at)
            .chain(trend.gaps.iter().map(|g| g.at))
    };
    let (Some(first), Some(last)) = (all().min(), all().max()) else {
        return Vec::new();
    };
    let label = |at: DateTime<Utc>, anchor, format: &str| Label {
        x: px(times.place(seconds(at))),
        y: px(HEIGHT - 8.0),
        anchor,
        text: at.format(format).to_string(),
    };
    if first == last {
        return vec![label(first, "middle", "%Y-%m-%d")];
    }
    let same_day = first.date_naive() == last.date_naive();
    let ends = if same_day {
        ("%m-%d %H:%M", "%H:%M")
    } else {
        ("%Y-%m-%d", "%Y-%m-%d")
    };
    vec![label(first, "start", ends.0), label(last, "end", ends.1)]
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a time axis needs no more than 52 bits of milliseconds"
)]
pub(super) fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1e3
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

pub(super) fn px(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(unit: Unit, values: &[f64]) -> Trend {
        let point = |(day, &value): (usize, &f64)| Point {
            at: DateTime::from_timestamp(1_760_000_000 + 86_400 * day as i64, 0).unwrap(),
            value,
            interval: Some((value * 0.9, value * 1.1)),
            origin: "commit abc".to_owned(),
        };
        let points = values.iter().enumerate().map(point).collect();
        Trend {
            id: "t".into(),
            title: "T".into(),
            about: "A".into(),
            unit,
            points,
            gaps: Vec::new(),
        }
    }

    fn inside(dot: &Dot) -> bool {
        let number = |text: &str| text.parse::<f64>().unwrap();
        (LEFT..=RIGHT).contains(&number(&dot.x)) && (TOP..=BOTTOM).contains(&number(&dot.y))
    }

    #[test]
    fn every_point_is_inside_and_the_axis_has_distinct_round_labels() {
        let check = |unit, values: &[f64], expected: &[&str]| {
            let chart = draw(trend(unit, values));
            assert!(chart.points.iter().all(inside), "{chart:?}");
            let texts: Vec<_> = chart.ticks.iter().map(|tick| tick.text.as_str()).collect();
            assert_eq!(texts, expected);
        };
        check(
            Unit::Second,
            &[1.0, 2.0, 3.0],
            &["1.00 s", "2.00 s", "3.00 s"],
        );
        check(Unit::Second, &[0.1], &["90.0 ms", "100 ms", "110 ms"]);
        check(Unit::Ratio, &[0.5], &["0 %", "50 %", "100 %"]);
        check(Unit::Count, &[0.0], &["0", "1", "2"]);
        check(Unit::Byte, &[1.5e9, 1.6e9], &["1.40 GiB", "1.60 GiB"]);
        check(Unit::Byte, &[310e6], &["280 MiB", "300 MiB", "320 MiB"]);
    }

    #[test]
    fn what_is_not_a_number_is_not_drawn_outside() {
        let chart = draw(trend(Unit::Second, &[f64::NAN, f64::INFINITY, -1.0]));
        assert_eq!(chart.points.len(), 3);
        assert!(!chart.line.contains("inf"));
    }

    #[test]
    fn a_gap_is_listed_with_its_reason() {
        let mut trend = trend(Unit::Second, &[1.0]);
        trend.gaps.push(Gap {
            at: trend.points[0].at,
            reason: "machine slept".to_owned(),
        });
        let chart = draw(trend);
        assert!(chart.gaps[0].title.ends_with("no figure: machine slept"));
        assert!(
            chart.summary.ends_with("1 without a figure"),
            "{}",
            chart.summary
        );
        assert_eq!(chart.rows.len(), 2);
    }
}
