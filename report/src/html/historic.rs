//! The Python tool's figures: drawn apart from ours, without a line between them, compared with nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveTime, Utc};
use serde::Serialize;
use store::Unit;
use store::legacy::{Guide, HistoricRow};

use super::chart::{self, Chart, Trend};
use super::frame::Frame;
use super::json;
use super::lines::{Line, Point, Stamp, Variant};
use super::table::plain_signs;
use crate::archive::Archive;
use crate::columns::{GUIDE_COLUMNS, headers};
use crate::guide;
use crate::text::one_line;

/// Kinds of historic rows whose inference figure is a mean over picture questions.
const KINDS: [&str; 2] = ["guide", "vlm_perf"];

const ABOUT: &str = "Published by the Python tool that this program replaces, kept as they were. Their clocks \
    and memory readings were not sound: some inference times hold a model reload or a process start, some \
    memory differences are negative, and no spread or sample count was recorded. They are shown for the \
    record, never compared with our own figures and never used by a check.";

#[derive(Serialize)]
struct Page {
    frame: Frame,
    about: &'static str,
    guides: Vec<PastGuide>,
    charts: Vec<Chart>,
    sessions: String,
}

/// When and of what the points of a model are.
#[derive(Serialize)]
struct Sessions<'a> {
    at: Vec<&'a str>,
    origin: Vec<&'a str>,
}

#[derive(Serialize)]
struct PastGuide {
    caption: String,
    headers: Vec<&'static str>,
    rows: Vec<[String; GUIDE_COLUMNS]>,
}

/// The page of what was imported; none where nothing was.
pub(super) fn page(archive: &Archive) -> Option<impl Serialize + use<>> {
    if archive.guides.is_empty() && archive.history.is_empty() {
        return None;
    }
    let mut rows: Vec<&HistoricRow> = archive.history.iter().collect();
    rows.retain(|row| KINDS.contains(&row.kind.as_str()) && value(row).is_some());
    rows.sort_by_key(|row| when(row));
    let stamps: Vec<Stamp> = rows.iter().map(|row| stamp(row)).collect();
    let mut models: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        let points = models.entry(&row.model).or_default();
        points.extend(value(row).map(|value| point(at, value)));
    }
    let charts = models.into_iter().enumerate();
    let charts = charts
        .map(|(at, (model, points))| chart(at, (model, points), &stamps))
        .collect();
    Some(Page {
        frame: Frame::top("Historic figures"),
        about: ABOUT,
        guides: archive.guides.iter().map(table).collect(),
        charts,
        sessions: json::block(&Sessions {
            at: stamps.iter().map(|stamp| stamp.at.as_str()).collect(),
            origin: stamps.iter().map(|stamp| stamp.commit.as_str()).collect(),
        }),
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
            .map(|row| guide::imported::cells(row).map(|text| plain_signs(&text)))
            .collect(),
    }
}

fn chart(at: usize, (model, points): (&str, Vec<Point>), stamps: &[Stamp]) -> Chart {
    let variants = [Variant {
        id: "historic".to_owned(),
        name: "historic".to_owned(),
        on: true,
        key: Default::default(),
    }];
    let line = Line {
        points,
        ..Line::default()
    };
    chart::trend(&Trend {
        id: format!("historic-{at}"),
        title: format!("{} (historic)", one_line(model)),
        about: "reported mean inference time".to_owned(),
        unit: Unit::Second,
        lines: vec![line],
        stamps,
        variants: &variants,
    })
}

fn point(stamp: usize, value: f64) -> Point {
    Point {
        stamp,
        value,
        interval: None,
        counts: None,
    }
}

/// The tool wrote 0 for a model that never answered.
fn value(row: &HistoricRow) -> Option<f64> {
    row.avg_inference_s
        .filter(|value| value.is_finite() && *value > 0.0)
}

fn stamp(row: &HistoricRow) -> Stamp {
    Stamp {
        at: when(row).format("%Y-%m-%d %H:%M").to_string(),
        commit: origin(row),
        environment: String::new(),
    }
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
