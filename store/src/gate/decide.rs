//! From what each row shows to its verdict, all rows together.

use super::row::{Extent, Row, Verdict};

/// The share of false alarms among all alarms (Benjamini and Hochberg, Journal of the Royal
/// Statistical Society B 57, 1995).
const FALSE_SHARE: f64 = 0.05;

/// What one row shows, before the others are known.
pub(super) struct Shown {
    /// The row; its verdict and reason are still to be decided.
    pub row: Row,
    /// The chance of such a move, two-sided, without a change.
    pub p: f64,
    /// The highest chance at which this way of comparing claims anything.
    pub limit: f64,
    /// Which way it moved by at least the smallest change, if it did.
    pub moved: Option<Way>,
    /// Whether it is certainly not worse by the smallest change.
    pub settled: bool,
    /// Smallest relative change worth a verdict here, and where it comes from.
    pub smallest: (f64, &'static str),
    /// `pairs` or `epochs a side`.
    pub unit: &'static str,
    /// What else should be read with the verdict; empty for nothing.
    pub beside: String,
    /// What would help where the row stays open; empty for nothing.
    pub advice: &'static str,
}

/// Which way a figure moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Better,
    Worse,
}

/// What is known of a row: all of it, or what a common decision needs.
pub(super) enum Finding {
    /// Needs no statistics.
    Decided(Row),
    /// To be decided with all others.
    Open(Box<Shown>),
}

/// Decides all rows at once: the more rows, the clearer an alarm must be.
pub(super) fn decide(findings: Vec<Finding>) -> Vec<Row> {
    let chances = findings.iter().filter_map(|finding| match finding {
        Finding::Open(shown) => Some(shown.p),
        Finding::Decided(_) => None,
    });
    let chances: Vec<f64> = chances.collect();
    let bound = bound(&chances);
    let row = |finding| match finding {
        Finding::Decided(row) => row,
        Finding::Open(shown) => verdict(*shown, bound, chances.len()),
    };
    findings.into_iter().map(row).collect()
}

/// The highest chance among `chances` that still is an alarm; 0 where none is.
fn bound(chances: &[f64]) -> f64 {
    let mut sorted = chances.to_vec();
    sorted.sort_by(f64::total_cmp);
    let share = FALSE_SHARE / sorted.len().max(1) as f64;
    let ranked = sorted.iter().enumerate();
    let mut passing = ranked.filter(|(at, p)| **p <= share * (at + 1) as f64);
    passing.next_back().map_or(0.0, |(_, p)| *p)
}

fn verdict(shown: Shown, bound: f64, rows: usize) -> Row {
    let certain = shown.p <= bound.min(shown.limit);
    let verdict = match shown.moved {
        Some(Way::Worse) if certain => Verdict::Regressed,
        Some(Way::Better) if certain => Verdict::Improved,
        _ if shown.settled => Verdict::Pass,
        _ => Verdict::Inconclusive,
    };
    let mut row = shown.row.clone();
    row.verdict = verdict;
    row.reason = reason(&shown, verdict, rows);
    if let (Some(extent), true) = (&mut row.extent, verdict != Verdict::Inconclusive) {
        extent.more = None;
    }
    row
}

fn reason(shown: &Shown, verdict: Verdict, rows: usize) -> String {
    let (smallest, source) = shown.smallest;
    let smallest = format!("{} ({source})", percent(smallest));
    let p = match rows {
        1 => format!("p = {}", chance(shown.p)),
        _ => format!("p = {} among {rows} rows", chance(shown.p)),
    };
    let mut reason = match (verdict, shown.moved) {
        (Verdict::Regressed, _) => format!("worse by more than {smallest}, {p}"),
        (Verdict::Improved, _) => format!("better by more than {smallest}, {p}"),
        (Verdict::Pass, _) => format!("not worse by {smallest}"),
        (_, Some(Way::Worse)) => format!("looks worse by more than {smallest}, not certain: {p}"),
        _ => format!("could be worse by {smallest}"),
    };
    if let (Some(extent), Verdict::Inconclusive) = (&shown.row.extent, verdict) {
        reason += &open(extent, shown.unit);
    }
    let advice = match verdict {
        Verdict::Inconclusive => shown.advice,
        _ => "",
    };
    for more in [&shown.beside, advice] {
        if !more.is_empty() {
            reason += &format!("; {more}");
        }
    }
    reason
}

/// What an open row could have shown, and what would settle it.
fn open(extent: &Extent, unit: &str) -> String {
    let seen = match extent.detectable {
        Some(change) => format!(
            "; {} {unit} show changes from {}",
            extent.n,
            percent(change)
        ),
        None => format!("; {} {unit} are too few to tell", extent.n),
    };
    match extent.more {
        Some(more) => format!("{seen}; about {more} more would settle it"),
        None => seen,
    }
}

/// A share in percent, with one digit below 10.
pub(super) fn percent(share: f64) -> String {
    match share.abs() * 100.0 {
        size if size < 9.95 => format!("{:.1} %", share * 100.0),
        _ => format!("{:.0} %", share * 100.0),
    }
}

fn chance(p: f64) -> String {
    match p {
        p if p >= 0.001 => format!("{p:.3}"),
        p => format!("{p:.0e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(p: f64, moved: Option<Way>, settled: bool) -> Finding {
        Finding::Open(Box::new(Shown {
            row: Row::bare("c", None, Verdict::Inconclusive, String::new()),
            p,
            limit: 0.05,
            moved,
            settled,
            smallest: (0.03, "inference"),
            unit: "pairs",
            beside: String::new(),
            advice: "",
        }))
    }

    #[test]
    fn the_bound_follows_benjamini_and_hochberg() {
        let check = |chances: &[f64], expected: f64| assert_eq!(bound(chances), expected);
        check(&[], 0.0);
        check(&[0.05], 0.05);
        check(&[0.051], 0.0);
        check(&[0.03, 0.04], 0.04);
        check(&[0.03, 0.9], 0.0);
        check(&[0.01, 0.04, 0.026, 0.9], 0.01);
        // The example of the paper: the four smallest of fifteen.
        let paper = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0,
        ];
        check(&paper, 0.0095);
    }

    #[test]
    fn a_verdict_needs_certainty_and_size() {
        use Verdict as V;
        let check = |finding, expected: Verdict, reason: &str| {
            let row = decide(vec![finding]).remove(0);
            assert_eq!((row.verdict, row.reason.as_str()), (expected, reason));
        };
        let (worse, better) = (Some(Way::Worse), Some(Way::Better));
        check(
            shown(1e-4, worse, false),
            V::Regressed,
            "worse by more than 3.0 % (inference), p = 1e-4",
        );
        check(
            shown(0.2, worse, false),
            V::Inconclusive,
            "looks worse by more than 3.0 % (inference), not certain: p = 0.200",
        );
        check(
            shown(0.01, better, true),
            V::Improved,
            "better by more than 3.0 % (inference), p = 0.010",
        );
        check(
            shown(1e-9, None, true),
            V::Pass,
            "not worse by 3.0 % (inference)",
        );
        check(
            shown(0.5, None, false),
            V::Inconclusive,
            "could be worse by 3.0 % (inference)",
        );
    }

    #[test]
    fn one_odd_row_of_many_is_no_alarm() {
        let mut findings: Vec<Finding> = (0..49)
            .map(|n| shown(f64::from(n + 1) / 50.0, None, true))
            .collect();
        findings.push(shown(0.01, Some(Way::Worse), false));
        let rows = decide(findings);
        assert!(rows.iter().all(|row| row.verdict != Verdict::Regressed));
        assert!(
            rows[49].reason.contains("among 50 rows"),
            "{}",
            rows[49].reason
        );
    }
}
