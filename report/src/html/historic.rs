//! The Python tool's figures: drawn apart from ours, without a line between them, compared with nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveTime, Utc};
use serde::Serialize;
use store::Unit;
use store::legacy::{Guide, HistoricRow};

use super::chart::{Chart, Point, Trend, draw};
use super::plain_signs;
use crate::archive::Archive;
use crate::columns::{GUIDE_COLUMNS, headers};
use crate::guide;
use crate::text::one_line;

/// Kinds of historic rows whose inference figure is a mean over picture questions.
const KINDS: [&str; 2] = ["guide", "vlm_perf"];

const ABOUT: &str = "Published by the Python tool that this program replaces, kept as they were. Their clocks \
    and memory readings were not sound: some inference times hold a model reload or a process start, some \
    memory differences are negative, and no spread or sample count was recorded. They are shown for the \
    record, never compared with the figures above and never used by a check.";

/// The historic part of the page.
#[derive(Serialize)]
pub(super) struct Past {
    about: &'static str,
    guides: Vec<PastGuide>,
    charts: Vec<Chart>,
}

#[derive(Serialize)]
struct PastGuide {
    caption: String,
    headers: Vec<&'static str>,
    rows: Vec<[String; GUIDE_COLUMNS]>,
}

/// What was imported; none where nothing was.
pub(super) fn past(archive: &Archive) -> Option<Past> {
    if archive.guides.is_empty() && archive.history.is_empty() {
        return None;
    }
    let mut models: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
    for row in archive
        .history
        .iter()
        .filter(|row| KINDS.contains(&row.kind.as_str()))
    {
        if let Some(point) = point(row) {
            models.entry(&row.model).or_default().push(point);
        }
    }
    let charts = models
        .into_iter()
        .enumerate()
        .map(|(at, (model, points))| chart(at, model, points));
    Some(Past {
        about: ABOUT,
        guides: archive.guides.iter().map(table).collect(),
        charts: charts.collect(),
    })
}

fn table(guide: &Guide) -> PastGuide {
    PastGuide {
        caption: format!(
            "Historic guide of {}, {}, not comparable",
            guide.date,
            one_line(&guide.environment)
        ),
        headers: headers().into_iter().take(GUIDE_COLUMNS).collect(),
        rows: guide
            .rows
            .iter()
            .map(|row| guide::imported::cells(row).map(plain_signs))
            .collect(),
    }
}

fn chart(at: usize, model: &str, mut points: Vec<Point>) -> Chart {
    points.sort_by_key(|point| point.at);
    draw(Trend {
        id: format!("historic-{at}"),
        title: format!("{} (historic)", one_line(model)),
        about: "reported mean inference time".to_owned(),
        unit: Unit::Second,
        points,
        gaps: Vec::new(),
    })
}

fn point(row: &HistoricRow) -> Option<Point> {
    // The tool wrote 0 for a model that never answered.
    let value = row
        .avg_inference_s
        .filter(|value| value.is_finite() && *value > 0.0)?;
    Some(Point {
        at: when(row),
        value,
        interval: None,
        origin: origin(row),
    })
}

/// Its machine's local time, of unknown zone; noon for a bare date.
fn when(row: &HistoricRow) -> DateTime<Utc> {
    let noon = NaiveTime::from_hms_opt(12, 0, 0).unwrap_or_default();
    row.timestamp
        .unwrap_or_else(|| row.date.and_time(noon))
        .and_utc()
}

fn origin(row: &HistoricRow) -> String {
    let mut words = vec![format!("{}, historic, not comparable", row.kind)];
    words.extend(row.load_time_s.map(|value| format!("load {value:.2} s")));
    words.extend(
        row.memory_diff_gb
            .map(|value| format!("memory difference {value:.2} GB")),
    );
    words.extend(row.status.as_ref().map(|status| format!("status {status}")));
    words.extend(
        row.status_reaudited
            .as_ref()
            .map(|status| format!("re-audited {status}")),
    );
    if !row.flags.is_empty() {
        words.push(row.flags.join(", "));
    }
    one_line(&words.join("; "))
}
