//! Agreement with people who marked changes, scored as in TCPDBench (van den Burg and Williams,
//! arXiv 2003.06222): F1 with a margin, precision against the union of all marks, recall averaged
//! over annotators, index 0 credited in every series; and covering.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::Detector;

/// Indices that may differ and still match.
const MARGIN: usize = 5;

/// A series with what each annotator marked.
#[derive(serde::Deserialize)]
pub(crate) struct Labelled {
    pub(crate) mean: Vec<f64>,
    annotations: BTreeMap<String, BTreeSet<usize>>,
}

impl Labelled {
    /// Whether nobody marked anything.
    pub(crate) fn is_null(&self) -> bool {
        self.annotations.values().all(BTreeSet::is_empty)
    }

    /// One index for each change that more than half of the annotators marked.
    fn majority(&self) -> Vec<usize> {
        let marks: BTreeSet<usize> = self.annotations.values().flatten().copied().collect();
        let near = |index: usize| {
            let marked =
                |own: &&BTreeSet<usize>| own.iter().any(|mark| mark.abs_diff(index) <= MARGIN);
            self.annotations.values().filter(marked).count()
        };
        let mut agreed: Vec<(usize, usize)> = marks
            .into_iter()
            .map(|index| (near(index), index))
            .collect();
        agreed.retain(|&(people, index)| index > 0 && 2 * people > self.annotations.len());
        agreed.sort_by_key(|&(people, index)| (std::cmp::Reverse(people), index));
        let mut points: Vec<usize> = Vec::new();
        for (_, index) in agreed {
            if points.iter().all(|point| point.abs_diff(index) > MARGIN) {
                points.push(index);
            }
        }
        points
    }
}

/// Means over series, but for the last two.
#[derive(Default)]
pub(crate) struct Score {
    pub(crate) series: usize,
    pub(crate) f1: f64,
    pub(crate) precision: f64,
    pub(crate) recall: f64,
    pub(crate) cover: f64,
    /// Points per hundred builds of series that nobody marked.
    pub(crate) on_nulls: f64,
    /// Share of the majority's points that were found.
    pub(crate) majority: f64,
}

/// The series of a file of JSON lines.
pub(crate) fn read(path: &Path) -> Vec<Labelled> {
    let text = std::fs::read_to_string(path).expect("a readable file of labelled series");
    let parsed = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a labelled series"));
    parsed.collect()
}

/// The score of a detector on the series that five people marked.
pub(crate) fn score(series: &[Labelled], detector: Detector) -> Score {
    let mut score = Score::default();
    let (mut null_points, mut null_builds, mut found, mut agreed) = (0.0, 0.0, 0.0, 0.0);
    for one in series.iter().filter(|one| one.annotations.len() == 5) {
        let mut points: BTreeSet<usize> = detector(&one.mean).into_iter().collect();
        if one.is_null() {
            null_points += points.len() as f64;
            null_builds += one.mean.len() as f64;
        }
        let near = |mark: &&usize| points.iter().any(|point| point.abs_diff(**mark) <= MARGIN);
        let majority = one.majority();
        agreed += majority.len() as f64;
        found += majority.iter().filter(near).count() as f64;
        points.insert(0);
        let (precision, recall) = agreement(one, &points);
        score.series += 1;
        score.precision += precision;
        score.recall += recall;
        score.f1 += 2.0 * precision * recall / (precision + recall);
        score.cover += covering(one, &points);
    }
    let count = score.series as f64;
    for sum in [
        &mut score.f1,
        &mut score.precision,
        &mut score.recall,
        &mut score.cover,
    ] {
        *sum /= count;
    }
    score.on_nulls = 100.0 * null_points / null_builds;
    score.majority = found / agreed;
    score
}

/// Precision and recall; index 0 is among `points` and counts as everybody's mark.
fn agreement(one: &Labelled, points: &BTreeSet<usize>) -> (f64, f64) {
    let with_start = |marks: &BTreeSet<usize>| {
        marks
            .iter()
            .copied()
            .chain([0])
            .collect::<BTreeSet<usize>>()
    };
    let each: Vec<BTreeSet<usize>> = one.annotations.values().map(with_start).collect();
    let union = each.iter().flatten().copied().collect();
    let precision = matched(&union, points) as f64 / points.len() as f64;
    let recalls = each
        .iter()
        .map(|marks| matched(marks, points) as f64 / marks.len() as f64);
    (precision, recalls.sum::<f64>() / each.len() as f64)
}

/// Marks with a point nearby; each point serves one mark.
fn matched(marks: &BTreeSet<usize>, points: &BTreeSet<usize>) -> usize {
    let mut free = points.clone();
    let mut count = 0;
    for mark in marks {
        let near = free
            .iter()
            .copied()
            .filter(|point| point.abs_diff(*mark) <= MARGIN);
        if let Some(point) = near.min_by_key(|point| (point.abs_diff(*mark), *point)) {
            free.remove(&point);
            count += 1;
        }
    }
    count
}

/// Mean over annotators of how well the segments of `points` cover theirs.
fn covering(one: &Labelled, points: &BTreeSet<usize>) -> f64 {
    let count = one.mean.len();
    let segments = |marks: &BTreeSet<usize>| -> Vec<(usize, usize)> {
        let inner = marks
            .iter()
            .copied()
            .filter(|&mark| mark > 0 && mark < count);
        let bounds: Vec<usize> = [0].into_iter().chain(inner).chain([count]).collect();
        bounds.windows(2).map(|pair| (pair[0], pair[1])).collect()
    };
    let found = segments(points);
    let overlap = |a: (usize, usize), b: (usize, usize)| {
        let both = a.1.min(b.1).saturating_sub(a.0.max(b.0));
        both as f64 / (a.1 - a.0 + b.1 - b.0 - both) as f64
    };
    let covered = |marks: &BTreeSet<usize>| -> f64 {
        let best = |own: (usize, usize)| {
            found
                .iter()
                .map(|&other| overlap(own, other))
                .fold(0.0, f64::max)
        };
        segments(marks)
            .into_iter()
            .map(|own| (own.1 - own.0) as f64 * best(own))
            .sum::<f64>()
            / count as f64
    };
    one.annotations.values().map(covered).sum::<f64>() / one.annotations.len() as f64
}
