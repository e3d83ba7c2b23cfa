//! Known regressions that a reviewed file accepts, up to a ceiling and for a time.

use chrono::NaiveDate;

use super::judge::is_clock;
use super::row::{Judgement, Row, Verdict};

/// The cell of a row about all cells.
const ALL: &str = "*";

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
    /// The most that it may be worse, as a share. A counter has no size: any other value is accepted.
    pub allowed: f64,
    /// What else it accepts.
    pub accepts: Accepts,
    /// Where it is being dealt with.
    pub issue: Option<String>,
    /// Where it stands, `FILE:LINE`.
    pub place: String,
}

/// What a waiver accepts beside a figure that is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// Nothing.
    Worse,
    /// That the figure, or the whole cell, is missing.
    Missing,
}

impl Waiver {
    /// That nothing at all could be compared is no row that a waiver is about.
    fn is_about(&self, row: &Row) -> bool {
        let metric = row.metric.map_or("*", |metric| metric.name());
        let named = (self.metric == "*" || self.metric == metric) && matches(&self.cell, &row.cell);
        named && row.cell != ALL
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
    if judgement.rows.iter().any(|row| row.cell == ALL) {
        return;
    }
    let unused = waivers.iter().filter(|waiver| {
        let needs = |row: &Row| row.verdict as u8 > Verdict::Improved as u8 && waiver.is_about(row);
        // Counters and clocks may be judged apart: nothing is known of what was not looked at.
        let of_clock = waiver.metric.parse().is_ok_and(is_clock);
        let is_judged = |row: &Row| {
            let same = row
                .metric
                .is_some_and(|metric| is_clock(metric) == of_clock);
            waiver.metric == "*" || same
        };
        judgement.rows.iter().any(is_judged) && !judgement.rows.iter().any(needs)
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
    if row.verdict == Verdict::Missing {
        let refused = waiver.accepts != Accepts::Missing;
        return refused.then(|| format!("its waiver ({place}) does not say missing = true"));
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
            accepts: Accepts::Worse,
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
    fn what_is_missing_is_waived_only_where_that_is_said() {
        let gone = |metric| {
            let reason = "vanished".to_owned();
            Row::bare("m/warm/candle/cpu", metric, Verdict::Missing, reason)
        };
        let missing = |metric| Waiver {
            accepts: Accepts::Missing,
            ..waiver("m/warm/candle/cpu", metric)
        };
        let waived = (
            Verdict::Waived,
            "vanished; waived until 2026-05-20: new tokenizer (#12)",
        );
        check(gone(None), missing("*"), day(1), waived);
        check(
            gone(Some(Metric::Decode)),
            missing("decode"),
            day(1),
            waived,
        );
        let vanished = (Verdict::Missing, "vanished");
        check(gone(None), missing("decode"), day(1), vanished);
        let refused = (
            Verdict::Missing,
            "vanished; its waiver (waivers.toml:3) does not say missing = true",
        );
        check(gone(None), waiver("*", "*"), day(1), refused);
        let nothing = Row::missing("*", "no baseline".to_owned());
        let any = Waiver {
            accepts: Accepts::Missing,
            ..waiver("*", "*")
        };
        let judged = check(nothing, any, day(1), (Verdict::Missing, "no baseline"));
        assert!(judged.notes.is_empty(), "{:?}", judged.notes);
    }

    #[test]
    fn a_score_has_a_ceiling() {
        let score = |right: f64| Row {
            base: Some(0.8),
            head: Some(right),
            ..Row::bare(
                "m/vision/candle/cpu",
                Some(Metric::VisionRight),
                Verdict::Regressed,
                "lost".to_owned(),
            )
        };
        let waived = (
            Verdict::Waived,
            "lost; waived until 2026-05-20: new tokenizer (#12)",
        );
        check(score(0.75), waiver("*", "*"), day(1), waived);
        let above = (
            Verdict::Regressed,
            "lost; its waiver (waivers.toml:3) allows 10 %, this is 100 %",
        );
        check(score(0.0), waiver("*", "*"), day(1), above);
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
