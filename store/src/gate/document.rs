//! A judgement as JSON, for scripts.

use serde::Deserialize;
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

/// Reads a document back. What it says of the verdict is not believed: rows alone count.
///
/// # Errors
/// One line that says what is wrong with it.
pub fn parse(text: &str) -> Result<Judgement, String> {
    #[derive(Deserialize)]
    struct Head {
        schema: u32,
    }
    let known = serde_json::from_str::<Head>(text).map_err(|error| error.to_string())?;
    if known.schema != SCHEMA {
        let found = known.schema;
        return Err(format!(
            "a judgement of schema {found}, this program reads {SCHEMA}"
        ));
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Extent, Verdict};
    use crate::metric::Metric;

    #[test]
    fn what_is_written_is_read_back() {
        let mut judgement = Judgement {
            base: "a".to_owned(),
            head: "b".to_owned(),
            watermark: Some("other machines".to_owned()),
            rows: vec![Row::missing("c", "gone".to_owned())],
            notes: vec!["n".to_owned()],
        };
        judgement.rows.push(Row {
            metric: Some(Metric::Inference),
            verdict: Verdict::Regressed,
            base: Some(0.5),
            head: Some(0.6),
            extent: Some(Extent {
                ratio: 1.2,
                low: Some(1.1),
                high: None,
                detectable: Some(0.02),
                more: Some(3),
                n: 20,
                p: 0.001,
            }),
            ..Row::missing("c", "slower".to_owned())
        });
        let text = document(&judgement).to_string();
        assert_eq!(parse(&text).expect("ours"), judgement);
        let lying = text.replace("\"exit_code\":1", "\"exit_code\":0");
        assert_eq!(parse(&lying).expect("ours").verdict(), Verdict::Regressed);
    }

    #[test]
    fn what_is_no_judgement_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = parse(text).expect_err("no judgement");
            assert!(error.contains(expected), "{error}");
        };
        check("", "EOF");
        check("{\"schema\": 2}", "schema 2, this program reads 1");
        check("{\"schema\": 1}", "missing field");
        check("[1]", "invalid");
    }
}
