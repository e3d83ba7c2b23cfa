//! What was refused longer ago than charts show it night by night: counted, with the reasons.

use serde::Serialize;
use store::Metric;
use store::db::Refused;

use super::model::Subject;
use super::table::Reason;
use crate::text::one_line;

/// Reasons on a page; the rest is in the database.
const REASONS: usize = 40;

/// What was refused before a day.
#[derive(Serialize)]
pub(super) struct Older {
    before: String,
    /// Runs, a run once for each reason.
    count: u64,
    reasons: Vec<Reason>,
    more: usize,
}

/// That of a model; none where nothing was.
pub(super) fn older(subject: &Subject<'_>) -> Option<Older> {
    let all = subject.site.older(&subject.place.key, &subject.model);
    (!all.is_empty()).then(|| Older {
        before: day(subject.site.since),
        count: all.iter().map(|refused| refused.runs).sum(),
        reasons: all.iter().take(REASONS).map(reason).collect(),
        more: all.len().saturating_sub(REASONS),
    })
}

fn reason(refused: &Refused) -> Reason {
    let what = match (refused.values, refused.metric) {
        (None, _) => refused.scenario.clone(),
        (Some(values), metric) => {
            let of = metric.map_or("all figures", Metric::name);
            format!("{values} values of {of}, {}", refused.scenario)
        }
    };
    let (first, last) = (day(refused.first), day(refused.last));
    let days = match first == last {
        true => format!("on {first}"),
        false => format!("from {first} to {last}"),
    };
    let runs = match refused.runs {
        1 => "1 run".to_owned(),
        runs => format!("{runs} runs"),
    };
    Reason {
        text: one_line(&refused.reason),
        of: one_line(&format!("{what}, in {runs} {days}")),
    }
}

fn day(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}
