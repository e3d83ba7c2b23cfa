//! Right answers: the same questions, asked of base and head.

use super::decide::{Finding, Shown, Way};
use super::row::{Row, Verdict};
use crate::metric::{Direction, Metric};
use crate::run::Sample;
use crate::stats::item_values;
use crate::stats::student::coins;

/// The highest two-sided chance at which a change is claimed.
const LIMIT: f64 = 0.05;

/// Compares item by item. If nothing changed, an item that differs is as likely won as lost (McNemar,
/// Psychometrika 12, 1947; the exact form).
pub(super) fn compare(cell: &str, metric: Metric, base: &Sample, head: &Sample) -> Finding {
    let (before, after) = (item_values(base), item_values(head));
    let bare = |verdict, reason: &str| Row::bare(cell, Some(metric), verdict, reason.to_owned());
    if before.is_empty() || before.len() != after.len() {
        let reason = format!(
            "{} items before, {} now: other questions",
            before.len(),
            after.len()
        );
        return Finding::Decided(bare(Verdict::Missing, &reason));
    }
    let items = before.len();
    let mean = |values: &[f64]| Some(values.iter().sum::<f64>() / items as f64);
    let row = Row {
        base: mean(&before),
        head: mean(&after),
        ..bare(Verdict::Pass, "")
    };
    let changes = before.iter().zip(&after);
    let lost = changes
        .clone()
        .filter(|(before, after)| before > after)
        .count();
    let won = changes.filter(|(before, after)| before < after).count();
    let (worse, better) = match metric.spec().direction {
        Direction::LowerIsBetter => (won, lost),
        _ => (lost, won),
    };
    if worse + better == 0 {
        let reason = format!("all {items} items as before");
        return Finding::Decided(Row { reason, ..row });
    }
    let moved = match worse.cmp(&better) {
        std::cmp::Ordering::Greater => Some(Way::Worse),
        std::cmp::Ordering::Less => Some(Way::Better),
        std::cmp::Ordering::Equal => None,
    };
    Finding::Open(Box::new(Shown {
        row,
        p: (2.0 * coins(worse.max(better), worse + better)).min(1.0),
        limit: LIMIT,
        moved,
        settled: better >= worse,
        smallest: (1.0 / items as f64, "one item"),
        unit: "items",
        beside: format!("{worse} of {items} items worse, {better} better"),
        advice: "",
    }))
}

#[cfg(test)]
mod tests {
    use super::super::decide::decide;
    use super::*;

    #[test]
    fn lost_items_are_set_against_won_ones() {
        use Verdict as V;
        let scores = |right: std::ops::Range<usize>| Sample {
            metric: Metric::VisionRight,
            epochs: vec![
                (0..24)
                    .map(|item| f64::from(u8::from(right.contains(&item))))
                    .collect(),
            ],
        };
        let check = |head, expected: Verdict, reason: &str| {
            let found = compare("c", Metric::VisionRight, &scores(0..20), &scores(head));
            let row = decide(vec![found]).remove(0);
            assert_eq!((row.verdict, row.reason.as_str()), (expected, reason));
        };
        check(0..20, V::Pass, "all 24 items as before");
        check(
            0..12,
            V::Regressed,
            "worse by more than 4.2 % (one item), p = 0.008; 8 of 24 items worse, 0 better",
        );
        check(
            0..18,
            V::Inconclusive,
            "looks worse by more than 4.2 % (one item), not certain: p = 0.500; 2 of 24 items worse, 0 better",
        );
        check(
            1..21,
            V::Pass,
            "not worse by 4.2 % (one item); 1 of 24 items worse, 1 better",
        );
        let few = Sample {
            metric: Metric::VisionRight,
            epochs: vec![vec![1.0]],
        };
        let found = decide(vec![compare(
            "c",
            Metric::VisionRight,
            &few,
            &scores(0..20),
        )])
        .remove(0);
        assert_eq!(found.verdict, V::Missing);
    }
}
