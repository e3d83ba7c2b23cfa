//! Counters: what equal programs must count alike, on any machine and whatever else it does.

use super::row::{Extent, Row, Verdict};
use crate::metric::Metric;
use crate::run::Sample;
use crate::stats::median;

/// Sessions of the base, oldest first.
#[derive(Clone, Copy)]
pub(super) struct Bases<'a> {
    /// Those of its newest commit.
    pub newest: &'a [&'a Sample],
    /// All, the newest among them.
    pub all: &'a [&'a Sample],
}

impl<'a> Bases<'a> {
    /// Sessions of one commit.
    pub(super) const fn one(all: &'a [&'a Sample]) -> Self {
        Self { newest: all, all }
    }

    /// Whether equal programs counted differently: on one commit, or there and back again. That it became
    /// another number once is a change that was made.
    fn is_restless(self) -> bool {
        let changes = |bases: &[&Sample]| {
            let pairs = bases.windows(2);
            pairs
                .filter(|pair| Difference::of(pair[0], pair[1]).count > 0)
                .count()
        };
        changes(self.newest) > 0 || changes(self.all) > 1
    }
}

/// Compares a counter with the newest commit of the base. Epochs and trials are matched by number, for
/// the same number asks the same thing; surplus ones count for nothing.
pub(super) fn compare(cell: &str, metric: Metric, bases: Bases<'_>, head: &Sample) -> Row {
    let row = |verdict, reason| Row::bare(cell, Some(metric), verdict, reason);
    let newest = bases.newest.iter();
    let differences: Vec<Difference> = newest.map(|base| Difference::of(base, head)).collect();
    if differences.iter().all(|difference| difference.of == 0) {
        return row(Verdict::Missing, "no value on both sides".to_owned());
    }
    let matched = differences.iter().filter(|difference| difference.of > 0);
    let Some(least) = matched.min_by_key(|difference| difference.count) else {
        return row(Verdict::Missing, "no value on both sides".to_owned());
    };
    let Some(first) = &least.first else {
        return row(Verdict::Pass, format!("equal in {} values", least.of));
    };
    let changed = format!(
        "{} of {} values differ, first {}",
        least.count, least.of, first.place
    );
    let mut row = match bases.is_restless() {
        true => row(
            Verdict::Inconclusive,
            format!("{changed}; sessions of the base differ among themselves"),
        ),
        false => row(Verdict::Regressed, format!("{changed}: behaviour changed")),
    };
    (row.base, row.head) = (Some(first.base), Some(first.head));
    row
}

/// Compares an allocation peak, which a busy machine does not move: the smallest change alone decides.
pub(super) fn compare_peak(
    cell: &str,
    metric: Metric,
    bases: &[&Sample],
    head: &Sample,
) -> Option<Row> {
    let values = |sample: &Sample| sample.values().collect::<Vec<_>>();
    let base = median(
        &bases
            .iter()
            .flat_map(|base| values(base))
            .collect::<Vec<_>>(),
    )?;
    let head = median(&values(head))?;
    let smallest = metric.spec().min_change;
    let ratio = head / base;
    let (verdict, reason) = match ratio {
        ratio if ratio.is_nan() => (Verdict::Pass, "nothing was allocated"),
        ratio if ratio > 1.0 + smallest => (Verdict::Regressed, "more than the smallest change of"),
        ratio if ratio < 1.0 - smallest => (
            Verdict::Improved,
            "less by more than the smallest change of",
        ),
        _ => (Verdict::Pass, "within the smallest change of"),
    };
    let extent = ratio.is_finite().then_some(Extent {
        ratio,
        low: None,
        high: None,
        detectable: Some(smallest),
        more: None,
        n: 1,
        p: 1.0,
    });
    Some(Row {
        base: Some(base),
        head: Some(head),
        extent,
        ..Row::bare(
            cell,
            Some(metric),
            verdict,
            format!("{reason} {:.0} %", smallest * 100.0),
        )
    })
}

struct Difference {
    count: usize,
    of: usize,
    first: Option<First>,
}

struct First {
    place: String,
    base: f64,
    head: f64,
}

impl Difference {
    fn of(base: &Sample, head: &Sample) -> Self {
        let mut found = Self {
            count: 0,
            of: 0,
            first: None,
        };
        let epochs = base.epochs.iter().zip(&head.epochs);
        for (epoch, (base, head)) in (1..).zip(epochs) {
            for (trial, (&base, &head)) in (1..).zip(base.iter().zip(head)) {
                found.of += 1;
                if base == head {
                    continue;
                }
                found.count += 1;
                let place = format!("in epoch {epoch}, value {trial}");
                found.first.get_or_insert(First { place, base, head });
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(epochs: &[&[f64]]) -> Sample {
        Sample {
            metric: Metric::ImageTokens,
            epochs: epochs.iter().map(|epoch| epoch.to_vec()).collect(),
        }
    }

    #[test]
    fn any_change_counts_and_is_named() {
        use Verdict as V;
        let base = sample(&[&[576.0, 576.0], &[576.0]]);
        let check = |bases: &[&Sample], head: &[&[f64]], expected: Verdict, reason: &str| {
            let bases = Bases::one(bases);
            let row = compare("c", Metric::ImageTokens, bases, &sample(head));
            assert_eq!((row.verdict, row.reason.as_str()), (expected, reason));
        };
        check(
            &[&base],
            &[&[576.0, 576.0], &[576.0]],
            V::Pass,
            "equal in 3 values",
        );
        check(
            &[&base],
            &[&[576.0], &[576.0, 9.0]],
            V::Pass,
            "equal in 2 values",
        );
        check(
            &[&base],
            &[&[576.0, 640.0], &[640.0]],
            V::Regressed,
            "2 of 3 values differ, first in epoch 1, value 2: behaviour changed",
        );
        check(&[&base], &[], V::Missing, "no value on both sides");
        let other = sample(&[&[576.0, 576.0], &[577.0]]);
        check(
            &[&base, &other],
            &[&[576.0, 576.0], &[577.0]],
            V::Pass,
            "equal in 3 values",
        );
        check(
            &[&base, &other],
            &[&[576.0, 576.0], &[578.0]],
            V::Inconclusive,
            "1 of 3 values differ, first in epoch 2, value 1; sessions of the base differ among themselves",
        );
    }

    #[test]
    fn an_older_commit_is_no_baseline() {
        let (old, new) = (sample(&[&[576.0]]), sample(&[&[640.0]]));
        let check = |all: &[&Sample], head: &Sample, expected: Verdict| {
            let newest = &all[all.len() - 1..];
            let row = compare("c", Metric::ImageTokens, Bases { newest, all }, head);
            assert_eq!(row.verdict, expected, "{row:?}");
        };
        let other = sample(&[&[9.0]]);
        check(&[&old, &old, &new], &new, Verdict::Pass);
        check(&[&old, &old, &new], &old, Verdict::Regressed);
        check(&[&old, &old, &new], &other, Verdict::Regressed);
        check(&[&old, &new, &old], &other, Verdict::Inconclusive);
    }

    #[test]
    fn a_peak_has_a_threshold() {
        let peak = |bytes: f64| Sample {
            metric: Metric::DevicePeak,
            epochs: vec![vec![bytes]],
        };
        let check = |head: f64, expected| {
            let row = compare_peak("c", Metric::DevicePeak, &[&peak(1e6)], &peak(head)).unwrap();
            assert_eq!(row.verdict, expected, "{row:?}");
        };
        check(1.04e6, Verdict::Pass);
        check(1.06e6, Verdict::Regressed);
        check(0.9e6, Verdict::Improved);
        let nothing = compare_peak("c", Metric::DevicePeak, &[&peak(0.0)], &peak(0.0)).unwrap();
        assert_eq!(nothing.verdict, Verdict::Pass);
    }
}
