//! What the gate says: rows with a verdict each, and what they come to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metric::Metric;

/// What became of one metric of one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Not worse by the smallest change worth a verdict.
    Pass,
    /// Better by at least that.
    Improved,
    /// Worse, but accepted by a waiver.
    Waived,
    /// The figures do not tell.
    Inconclusive,
    /// There is nothing to compare, or nothing that may be compared.
    Missing,
    /// Worse by at least the smallest change worth a verdict.
    Regressed,
}

impl Verdict {
    /// The verdict as JSON and tables name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Improved => "improved",
            Self::Waived => "waived",
            Self::Inconclusive => "inconclusive",
            Self::Missing => "missing",
            Self::Regressed => "regressed",
        }
    }

    /// What `report check` and `harness ab` exit with.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pass | Self::Improved | Self::Waived => 0,
            Self::Regressed => 1,
            Self::Inconclusive => 2,
            Self::Missing => 3,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Regressed => f.pad("REGRESSED"),
            other => f.pad(other.name()),
        }
    }
}

/// How far a metric moved, as head over base.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extent {
    /// The ratio.
    pub ratio: f64,
    /// Lower end of its 95 % interval; none where there are too few values for one.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The smallest relative change that such figures would show in four of five cases.
    pub detectable: Option<f64>,
    /// About how many more pairs, or epochs a side, would settle an open row.
    pub more: Option<usize>,
    /// Units behind it: pairs, or epochs of the smaller side.
    pub n: usize,
    /// The chance of such a move without a change, two-sided, before other rows are counted.
    pub p: f64,
}

/// One metric of one cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `model/scenario/backend/device`, or the label of foreign pairs. Hostile text.
    pub cell: String,
    /// What was compared; none where it is the whole cell.
    pub metric: Option<Metric>,
    /// What became of it.
    pub verdict: Verdict,
    /// The base's figure, in the metric's unit.
    pub base: Option<f64>,
    /// The head's figure.
    pub head: Option<f64>,
    /// How far it moved, where a ratio says that.
    pub extent: Option<Extent>,
    /// Why, in one line.
    pub reason: String,
}

impl Row {
    /// A cell, `*` for all, of which nothing can be compared.
    #[must_use]
    pub fn missing(cell: &str, reason: String) -> Self {
        Self::bare(cell, None, Verdict::Missing, reason)
    }

    /// A row without figures.
    pub(crate) fn bare(
        cell: &str,
        metric: Option<Metric>,
        verdict: Verdict,
        reason: String,
    ) -> Self {
        Self {
            cell: cell.to_owned(),
            metric,
            verdict,
            base: None,
            head: None,
            extent: None,
            reason,
        }
    }

    /// How much worse the head is, as a share: `0.05` is 5 % slower, or 5 % fewer tokens a second, or answers
    /// right. None without figures, and for a counter, whose values have no size.
    #[must_use]
    pub fn worsening(&self) -> Option<f64> {
        use crate::metric::Direction as D;
        let direction = self.metric?.spec().direction;
        let ratio = match (self.extent, direction) {
            (Some(extent), _) => extent.ratio,
            (None, D::Exact) => return None,
            (None, _) => self.head? / self.base?,
        };
        let worse = match direction {
            D::HigherIsBetter => 1.0 - ratio,
            D::LowerIsBetter | D::Neutral => ratio - 1.0,
            D::Exact => (ratio - 1.0).abs(),
        };
        (!worse.is_nan()).then_some(worse)
    }
}

/// All rows of one comparison.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What the base is, in words.
    pub base: String,
    /// What the head is, in words.
    pub head: String,
    /// Why the clocks of the two must not be compared, where they must not.
    pub watermark: Option<String>,
    /// Every row, in the order of the cells.
    pub rows: Vec<Row>,
    /// What should be read beside the rows.
    pub notes: Vec<String>,
}

impl Judgement {
    /// What could not be judged at all, and why.
    #[must_use]
    pub fn broken(reason: &str) -> Self {
        Self {
            rows: vec![Row::missing("*", reason.to_owned())],
            ..Self::default()
        }
    }

    /// Takes in the rows of another comparison, in whose light the verdict is one for both.
    pub fn join(&mut self, other: Self) {
        let both = |own: &mut String, other: String| {
            if own.is_empty() || *own == other {
                *own = other;
            } else if !other.is_empty() {
                *own = format!("{own}; {other}");
            }
        };
        both(&mut self.base, other.base);
        both(&mut self.head, other.head);
        if let Some(mark) = other.watermark {
            both(self.watermark.get_or_insert_default(), mark);
        }
        self.rows.extend(other.rows);
        self.notes.extend(other.notes);
    }

    /// What the rows come to: a regression counts before a missing row, that before an open one.
    /// Nothing compared is missing, never a pass.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let worst = self.rows.iter().map(|row| row.verdict).max();
        match worst {
            None => Verdict::Missing,
            Some(Verdict::Improved | Verdict::Waived) if self.count(Verdict::Improved) > 0 => {
                Verdict::Improved
            }
            Some(worst) => worst,
        }
    }

    /// How many rows have a verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows
            .iter()
            .filter(|row| row.verdict == verdict)
            .count()
    }

    /// `REGRESSED: 1 regressed, 2 inconclusive, 9 pass`.
    #[must_use]
    pub fn headline(&self) -> String {
        use Verdict as V;
        let order = [
            V::Regressed,
            V::Missing,
            V::Inconclusive,
            V::Waived,
            V::Improved,
            V::Pass,
        ];
        let counted = order.into_iter().filter(|&verdict| self.count(verdict) > 0);
        let counts: Vec<String> = counted
            .map(|verdict| format!("{} {}", self.count(verdict), verdict.name()))
            .collect();
        let counts = match counts.is_empty() {
            true => "nothing to compare".to_owned(),
            false => counts.join(", "),
        };
        format!("{}: {counts}", self.verdict())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_comparisons_have_one_verdict() {
        let of = |base: &str, verdict, watermark: Option<&str>| Judgement {
            base: base.to_owned(),
            rows: vec![Row::bare("c", None, verdict, String::new())],
            watermark: watermark.map(ToOwned::to_owned),
            ..Judgement::default()
        };
        let mut judgement = Judgement::default();
        judgement.join(of("a", Verdict::Pass, None));
        judgement.join(of("b", Verdict::Regressed, Some("w")));
        judgement.join(of("a; b", Verdict::Pass, Some("w")));
        assert_eq!((judgement.base.as_str(), judgement.rows.len()), ("a; b", 3));
        assert_eq!(judgement.watermark.as_deref(), Some("w"));
        assert_eq!(judgement.verdict(), Verdict::Regressed);
    }

    #[test]
    fn the_worst_row_decides() {
        use Verdict as V;
        let check = |verdicts: &[Verdict], expected: Verdict, code: u8| {
            let rows = verdicts
                .iter()
                .map(|&v| Row::bare("c", None, v, String::new()));
            let judgement = Judgement {
                rows: rows.collect(),
                ..Judgement::default()
            };
            assert_eq!(judgement.verdict(), expected, "{verdicts:?}");
            assert_eq!(judgement.verdict().exit_code(), code);
        };
        check(&[], V::Missing, 3);
        check(&[V::Pass, V::Pass], V::Pass, 0);
        check(&[V::Pass, V::Improved], V::Improved, 0);
        check(&[V::Waived, V::Improved], V::Improved, 0);
        check(&[V::Pass, V::Waived], V::Waived, 0);
        check(&[V::Improved, V::Inconclusive], V::Inconclusive, 2);
        check(&[V::Missing, V::Inconclusive], V::Missing, 3);
        check(&[V::Missing, V::Regressed], V::Regressed, 1);
    }
}
