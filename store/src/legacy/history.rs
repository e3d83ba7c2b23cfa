//! Reads the JSON history: a list of self-describing rows.

use chrono::{NaiveDate, NaiveDateTime};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::HistoricRow;
use crate::error::{Error, Result};

/// Reads every row of the history.
///
/// # Errors
/// [`Error::History`] with the row (from 1; 0 = the file itself) that lacks a required field or
/// has one of another type.
pub fn parse_history(text: &str) -> Result<Vec<HistoricRow>> {
    let whole = |reason| Error::History { row: 0, reason };
    let value: Value = serde_json::from_str(text).map_err(|e| whole(format!("not JSON: {e}")))?;
    let Value::Array(rows) = value else {
        return Err(whole("not a list of rows".to_owned()));
    };
    let numbered = rows.into_iter().zip(1..);
    let read = |(source, row)| {
        HistoricRow::from_source(source).map_err(|reason| Error::History { row, reason })
    };
    numbered.map(read).collect()
}

impl HistoricRow {
    /// Reads one original row; the reason where it is not one.
    pub(crate) fn from_source(source: Value) -> Result<Self, String> {
        let Value::Object(fields) = &source else {
            return Err("not an object".to_owned());
        };
        let row = Self {
            kind: required(fields, "kind")?,
            date: day(&required(fields, "date")?)?,
            timestamp: text(fields, "timestamp")?
                .map(|stamp| moment(&stamp))
                .transpose()?,
            model: required(fields, "model")?,
            model_id: text(fields, "model_id")?,
            vision: flag(fields, "vision")?,
            pure_text: flag(fields, "pure_text")?,
            avg_inference_s: number(fields, "avg_inference_s")?,
            load_time_s: number(fields, "load_time_s")?,
            memory_diff_gb: number(fields, "memory_diff_gb")?,
            status: text(fields, "status")?,
            status_reaudited: text(fields, "status_reaudited")?,
            flags: flags(fields)?,
            source: Value::Null,
        };
        Ok(Self { source, ..row })
    }

    /// Derived from the content of the original row alone, whatever the order of its fields:
    /// 32 hex digits. Importing a row again finds it known.
    #[must_use]
    pub fn id(&self) -> String {
        content_id(&self.source)
    }
}

/// The first 16 bytes of the SHA-256 over the canonical text, in hex.
pub(crate) fn content_id(value: &Value) -> String {
    let digest = Sha256::digest(canonical(value).as_bytes());
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Compact JSON with sorted keys. Sorted here, because whether `serde_json` keeps a map sorted
/// depends on the features other crates of the same build ask for.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(fields) => {
            let mut pairs: Vec<_> = fields.iter().collect();
            pairs.sort_by_key(|(key, _)| *key);
            let pair = |(key, value): (&String, &Value)| {
                format!("{}:{}", Value::from(key.as_str()), canonical(value))
            };
            let pairs: Vec<String> = pairs.into_iter().map(pair).collect();
            format!("{{{}}}", pairs.join(","))
        }
        plain => plain.to_string(),
    }
}

type Fields = Map<String, Value>;

/// A field that may be absent or null.
fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn text(fields: &Fields, name: &str) -> Result<Option<String>, String> {
    match field(fields, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("{name:?} is no text")),
    }
}

fn required(fields: &Fields, name: &str) -> Result<String, String> {
    let found = text(fields, name)?.filter(|text| !text.trim().is_empty());
    found.ok_or_else(|| format!("{name:?} is missing"))
}

fn flag(fields: &Fields, name: &str) -> Result<Option<bool>, String> {
    match field(fields, name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(format!("{name:?} is neither true nor false")),
    }
}

fn number(fields: &Fields, name: &str) -> Result<Option<f64>, String> {
    match field(fields, name) {
        None => Ok(None),
        Some(value) => match value.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{name:?} is no number")),
        },
    }
}

fn flags(fields: &Fields) -> Result<Vec<String>, String> {
    let wrong = || "\"validity_flags\" is no list of texts".to_owned();
    match field(fields, "validity_flags") {
        None => Ok(Vec::new()),
        Some(Value::Array(flags)) => {
            let flags = flags.iter().map(|flag| flag.as_str().map(str::to_owned));
            flags.collect::<Option<_>>().ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

fn day(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| format!("{text:?} is no date"))
}

fn moment(text: &str) -> Result<NaiveDateTime, String> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S")
        .map_err(|_| format!("{text:?} is no date and time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: &str = include_str!("../../../datasets/legacy/legacy-results.json");

    fn refused(text: &str) -> String {
        parse_history(text).expect_err("refused").to_string()
    }

    #[test]
    fn reads_every_row_of_the_real_history() {
        let rows = parse_history(HISTORY).expect("the committed history");
        let ids: std::collections::BTreeSet<_> = rows.iter().map(HistoricRow::id).collect();
        assert_eq!((rows.len(), ids.len()), (290, 290));
        assert_eq!(rows.iter().filter(|row| row.kind == "guide").count(), 92);
        assert_eq!(
            rows.iter()
                .filter(|row| row.avg_inference_s.is_some())
                .count(),
            266
        );
        assert_eq!(
            rows[0].timestamp.map(|at| at.to_string()).as_deref(),
            Some("2025-06-28 22:59:25")
        );
    }

    #[test]
    fn the_id_does_not_depend_on_the_order_of_fields() {
        let one =
            parse_history(r#"[{"kind":"vqa","date":"2025-07-20","model":"M","x":{"a":1,"b":2}}]"#);
        let two =
            parse_history(r#"[{"x":{"b":2,"a":1},"model":"M","date":"2025-07-20","kind":"vqa"}]"#);
        assert_eq!(one.expect("valid")[0].id(), two.expect("valid")[0].id());
    }

    #[test]
    fn errors_name_the_row_and_the_field() {
        let good = r#"{"kind":"vqa","date":"2025-07-20","model":"M"}"#;
        let check = |bad: &str, expected| assert_eq!(refused(&format!("[{good},{bad}]")), expected);
        check("7", "history, row 2: not an object");
        check(r#"{"kind":"vqa"}"#, "history, row 2: \"date\" is missing");
        check(
            r#"{"kind":"vqa","date":"22.7.2025","model":"M"}"#,
            "history, row 2: \"22.7.2025\" is no date",
        );
        check(
            r#"{"kind":"vqa","date":"2025-07-20","model":"M","load_time_s":"3"}"#,
            "history, row 2: \"load_time_s\" is no number",
        );
        check(
            r#"{"kind":"vqa","date":"2025-07-20","model":"M","validity_flags":[1]}"#,
            "history, row 2: \"validity_flags\" is no list of texts",
        );
        assert_eq!(refused("{}"), "history, row 0: not a list of rows");
        assert!(refused("[").starts_with("history, row 0: not JSON"));
    }
}
