//! A judgement as JSON, for scripts.

use serde_json::{Value, json};

use super::row::{Judgement, Row};

/// Version of the JSON document; grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// One JSON object. `worse_by` is a share, negative where the head is better; `extent.ratio` is head over
/// base.
#[must_use]
pub fn document(judgement: &Judgement) -> Value {
    let verdict = judgement.verdict();
    json!({
        "schema": SCHEMA,
        "verdict": verdict.name(),
        "exit_code": verdict.exit_code(),
        "base": judgement.base,
        "head": judgement.head,
        "watermark": judgement.watermark,
        "rows": judgement.rows.iter().map(row).collect::<Vec<_>>(),
        "notes": judgement.notes,
    })
}

fn row(row: &Row) -> Value {
    json!({
        "cell": row.cell,
        "metric": row.metric,
        "verdict": row.verdict.name(),
        "reason": row.reason,
        "base": row.base,
        "head": row.head,
        "extent": row.extent,
        "worse_by": row.worsening(),
    })
}
