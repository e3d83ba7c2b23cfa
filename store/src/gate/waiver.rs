//! Known regressions that a reviewed file accepts, up to a ceiling and for a time.

use chrono::NaiveDate;

use super::row::{Judgement, Row, Verdict};

/// One accepted regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiver {
    /// Metric, or `*` for any, or for a whole cell that is missing.
    pub metric: String,
    /// `model/scenario/backend/device`; `*` stands for anything.
    pub cell: String,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it counts.
    pub expires: NaiveDate,
    /// The most that it may be worse, as a share.
    pub allowed: f64,
    /// Where it is being dealt with.
    pub issue: Option<String>,
    /// Where it stands, `FILE:LINE`.
    pub place: String,
}

impl Waiver {
    fn is_about(&self, row: &Row) -> bool {
        let metric = row.metric.map_or("*", |metric| metric.name());
        (self.metric == "*" || self.metric == metric) && matches(&self.cell, &row.cell)
    }

    fn words(&self) -> String {
        match &self.issue {
            Some(issue) => format!("{} ({issue})", self.reason),
            None => self.reason.clone(),
        }
    }
}

/// Turns regressed and missing rows that a valid waiver covers into waived ones; says of the others why
/// theirs does not, and of waivers that no row needed that they can go.
pub fn apply(judgement: &mut Judgement, waivers: &[Waiver], today: NaiveDate) {
    for row in &mut judgement.rows {
        if !matches!(row.verdict, Verdict::Regressed | Verdict::Missing) {
            continue;
        }
        let about: Vec<&Waiver> = waivers
            .iter()
            .filter(|waiver| waiver.is_about(row))
            .collect();
        let refusals: Vec<Option<String>> = about
            .iter()
            .map(|waiver| refusal(waiver, row, today))
            .collect();
        let valid = about
            .iter()
            .zip(&refusals)
            .find(|(_, refusal)| refusal.is_none());
        if let Some((waiver, _)) = valid {
            row.verdict = Verdict::Waived;
            row.reason += &format!("; waived until {}: {}", waiver.expires, waiver.words());
        } else {
            let refused = refusals.into_iter().flatten();
            row.reason
                .extend(refused.map(|refusal| format!("; {refusal}")));
        }
    }
    let unused = waivers.iter().filter(|waiver| {
        let needs = |row: &Row| row.verdict as u8 > Verdict::Improved as u8 && waiver.is_about(row);
        !judgement.rows.iter().any(needs)
    });
    let notes: Vec<String> = unused
        .map(|waiver| {
            let Waiver {
                place,
                metric,
                cell,
                ..
            } = waiver;
            format!("{place}: the waiver of {metric} in {cell} was not needed: remove it")
        })
        .collect();
    judgement.notes.extend(notes);
}

/// Why a waiver does not cover a row that it is about.
fn refusal(waiver: &Waiver, row: &Row, today: NaiveDate) -> Option<String> {
    let Waiver {
        place,
        expires,
        allowed,
        ..
    } = waiver;
    if today > *expires {
        return Some(format!("its waiver ({place}) expired on {expires}"));
    }
    let worse = row.worsening().unwrap_or(0.0);
    (worse > *allowed).then(|| {
        let percent = super::decide::percent;
        format!(
            "its waiver ({place}) allows {}, this is {}",
            percent(*allowed),
            percent(worse)
        )
    })
}

/// Whether a text fits a pattern in which `*` stands for any run of characters.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::row::Extent;
    use crate::metric::Metric;

    fn waiver(cell: &str, metric: &str) -> Waiver {
        Waiver {
            metric: metric.to_owned(),
            cell: cell.to_owned(),
            reason: "new tokenizer".to_owned(),
            expires: day(20),
            allowed: 0.10,
            issue: Some("#12".to_owned()),
            place: "waivers.toml:3".to_owned(),
        }
    }

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 5, day).unwrap()
    }

    fn regressed(ratio: f64) -> Row {
        let extent = Extent {
            ratio,
            low: None,
            high: None,
            detectable: None,
            more: None,
            n: 20,
            p: 0.0,
        };
        Row {
            extent: Some(extent),
            ..Row::bare(
                "m/warm/candle/cpu",
                Some(Metric::Decode),
                Verdict::Regressed,
                "worse".to_owned(),
            )
        }
    }

    #[track_caller]
    fn check(row: Row, waiver: Waiver, today: NaiveDate, expected: (Verdict, &str)) -> Judgement {
        let mut judgement = Judgement {
            rows: vec![row],
            ..Judgement::default()
        };
        apply(&mut judgement, &[waiver], today);
        let row = &judgement.rows[0];
        assert_eq!((row.verdict, row.reason.as_str()), expected);
        judgement
    }

    #[test]
    fn a_waiver_counts_up_to_its_ceiling_and_its_day() {
        use Verdict as V;
        let decode = || waiver("m/*/candle/*", "decode");
        let waived = (
            V::Waived,
            "worse; waived until 2026-05-20: new tokenizer (#12)",
        );
        check(regressed(0.92), decode(), day(20), waived);
        check(regressed(0.92), waiver("*", "*"), day(1), waived);
        let expired = (
            V::Regressed,
            "worse; its waiver (waivers.toml:3) expired on 2026-05-20",
        );
        check(regressed(0.92), decode(), day(21), expired);
        let above = (
            V::Regressed,
            "worse; its waiver (waivers.toml:3) allows 10 %, this is 12 %",
        );
        check(regressed(0.88), decode(), day(1), above);
        let unused = check(
            regressed(0.92),
            waiver("other/*", "decode"),
            day(1),
            (V::Regressed, "worse"),
        );
        assert_eq!(
            unused.notes,
            ["waivers.toml:3: the waiver of decode in other/* was not needed: remove it"]
        );
    }

    #[test]
    fn a_missing_cell_can_be_waived_by_name() {
        let gone = Row::bare(
            "m/warm/candle/cpu",
            None,
            Verdict::Missing,
            "vanished".to_owned(),
        );
        let expected = (
            Verdict::Waived,
            "vanished; waived until 2026-05-20: new tokenizer (#12)",
        );
        check(
            gone.clone(),
            waiver("m/warm/candle/cpu", "*"),
            day(1),
            expected,
        );
        check(
            gone,
            waiver("m/warm/candle/cpu", "decode"),
            day(1),
            (Verdict::Missing, "vanished"),
        );
    }

    #[test]
    fn patterns_match_whole_names() {
        let check = |pattern, text, expected| {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}")
        };
        check("a/b", "a/b", true);
        check("a/b", "a/bc", false);
        check("a*", "a/bc", true);
        check("*c", "a/bc", true);
        check("a*b*c", "axxbyyc", true);
        check("a*b*c", "axxcyyb", false);
        check("*", "", true);
        check("ab*ba", "aba", false);
    }
}
