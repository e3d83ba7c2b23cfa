//! What a comparison came to, as a page puts it above the rows.

use serde::Serialize;
use store::gate::{Judgement, Verdict};

use crate::text::one_line;

/// Verdict and counts, how they should be read, and why clocks must not be compared, where they must not.
#[derive(Serialize)]
pub(super) struct Outcome {
    headline: String,
    tone: &'static str,
    watermark: String,
}

impl Outcome {
    pub(super) fn of(judgement: &Judgement) -> Self {
        Self {
            headline: one_line(&judgement.headline()),
            tone: tone(judgement.verdict()),
            watermark: judgement
                .watermark
                .as_deref()
                .map_or_else(String::new, one_line),
        }
    }
}

/// How a verdict should be read.
pub(super) const fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "",
        Verdict::Improved => "good",
        Verdict::Waived | Verdict::Inconclusive => "warn",
        Verdict::Missing | Verdict::Regressed => "bad",
    }
}
