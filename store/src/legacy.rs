//! The earlier Python tool's results: its Markdown guide and its JSON history.
//!
//! Historic figures are shown, never compared and never gated on; they live in tables of their
//! own, so that no query over runs can mix them in.

mod audit;
mod guide;
mod history;

use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

pub use audit::{Audit, audit};
pub use guide::parse_guide;
pub(crate) use history::content_id;
pub use history::parse_history;

/// One dated guide, complete enough to be rendered again byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guide {
    /// The heading, e.g. `VLM Model Loading Reference Guide`.
    pub title: String,
    /// The date of the quick summary.
    pub date: NaiveDate,
    /// The stamp at its end, local time of the machine.
    pub updated: NaiveDateTime,
    /// Where it was measured, e.g. `MacBook Air M3 (16GB RAM)`.
    pub environment: String,
    /// The capability table, in order.
    pub rows: Vec<GuideRow>,
    /// The recommendations, in order.
    pub recommendations: Vec<GuideNote>,
    /// The known issues, in order.
    pub issues: Vec<GuideNote>,
}

/// One model of a guide's capability table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuideRow {
    /// Model name.
    pub model: String,
    /// The `model_id` of its loading method.
    pub model_id: String,
    /// ✅ or ❌ under *Vision*.
    pub vision: bool,
    /// ✅ or ❌ under *Pure Text*.
    pub text: bool,
    /// Seconds, two decimals.
    pub inference_s: f64,
    /// Seconds, two decimals.
    pub load_s: f64,
    /// GB, two decimals; below zero in places: the tool subtracted two unrelated readings.
    pub memory_gb: f64,
    /// The status given by hand.
    pub status: String,
}

/// One line of the recommendations or of the known issues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuideNote {
    /// What stands before the colon, e.g. `Best Overall` or `Moondream2`.
    pub label: String,
    /// What stands after it.
    pub text: String,
}

/// One row of the JSON history. Everything in it is kept in `source`; the other fields repeat
/// what tables and charts need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoricRow {
    /// What kind of test: `guide`, `vlm_perf`, `context`, `vqa`, …
    pub kind: String,
    /// Day.
    pub date: NaiveDate,
    /// Local time of the machine, where known.
    pub timestamp: Option<NaiveDateTime>,
    /// Model name.
    pub model: String,
    /// Repository of its weights, where known.
    pub model_id: Option<String>,
    /// Whether vision was reported to work.
    pub vision: Option<bool>,
    /// Whether text without a picture was reported to work.
    pub pure_text: Option<bool>,
    /// Reported mean inference time, seconds.
    pub avg_inference_s: Option<f64>,
    /// Reported load time, seconds.
    pub load_time_s: Option<f64>,
    /// Reported memory difference, GB.
    pub memory_diff_gb: Option<f64>,
    /// Status as reported then.
    pub status: Option<String>,
    /// Status after the audit.
    pub status_reaudited: Option<String>,
    /// What the audit found wrong with the figures.
    pub flags: Vec<String>,
    /// The whole original row.
    pub source: serde_json::Value,
}
