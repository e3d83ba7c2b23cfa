//! The lines of a chart over time: who they are, their points, and what stands beside them.

use serde::Serialize;
use store::series::Group;

/// Whose figures a line holds: all that makes a series, but machine, model and scenario.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Variant {
    /// In addresses.
    pub id: String,
    /// In words: what tells it from the other variants of the page.
    pub name: String,
    /// Whether it is shown at first.
    pub on: bool,
    #[serde(skip)]
    pub key: [String; 7],
}

/// When and of what points are: one a session.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    /// `2026-05-29 02:00 UTC`.
    pub at: String,
    /// Commit and branch, in words.
    pub commit: String,
    /// What was true of software and power, in words.
    pub environment: String,
}

/// A session that ran under other conditions than the one before it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Turn {
    /// Position among the stamps of the page.
    pub at: usize,
    /// What is other, in words.
    pub text: String,
}

/// The figures of one variant.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Position among the variants of the page.
    pub variant: usize,
    /// Oldest first.
    pub points: Vec<Point>,
    /// Change points.
    pub marks: Vec<Mark>,
    /// Refused and failed.
    pub gaps: Vec<Gap>,
    /// The newest level, as wide as the noise.
    pub level: Option<Level>,
}

/// One measured figure.
#[derive(Clone, Debug)]
pub(super) struct Point {
    /// Position among the stamps of the page.
    pub stamp: usize,
    /// In the metric's unit.
    pub value: f64,
    /// 95 % interval, where there is one.
    pub interval: Option<(f64, f64)>,
    /// Samples, in words, where they were read.
    pub counts: Option<String>,
}

/// A night on which the level changed.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub stamp: usize,
    /// The new level.
    pub value: f64,
    /// `+9.8 %`.
    pub size: String,
    /// Better, worse or other.
    pub kind: &'static str,
    /// How sure it is.
    pub state: &'static str,
    /// Whether somebody accepted it.
    pub accepted: bool,
    /// All that is known of it, in one line.
    pub text: String,
}

/// A session without a figure.
#[derive(Clone, Debug)]
pub(super) struct Gap {
    pub stamp: usize,
    pub reason: String,
}

/// Between which values a figure says nothing new.
#[derive(Clone, Debug)]
pub(super) struct Level {
    /// Where it begins.
    pub stamp: usize,
    pub low: f64,
    pub high: f64,
    /// What it rests on.
    pub about: String,
}

impl Line {
    /// Whether every value is a share of something.
    pub(super) fn is_share(&self) -> bool {
        self.points
            .iter()
            .all(|point| (0.0..=1.0).contains(&point.value))
    }
}

/// What makes a variant of a group.
pub(super) fn key(group: &Group) -> [String; 7] {
    let cell = &group.cell;
    [
        &cell.backend,
        &cell.device,
        &cell.precision,
        &cell.weights,
        &group.suite,
        &group.profile,
        &group.branch,
    ]
    .map(Clone::clone)
}
