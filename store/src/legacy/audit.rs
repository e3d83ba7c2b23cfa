//! Judges the earlier tool's history by the rules that runs are judged by: what it may still be
//! believed, and what not.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::HistoricRow;

/// Pictures that must have been described in one session before sameness says anything (I4).
const PICTURES: usize = 3;

/// Characters a second that no model of the history could write (I9): an engine's error text, which came
/// back after 0.03 s and was counted as an answer.
const FASTEST: f64 = 1000.0;

/// What the rules make of one model's history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Model name.
    pub model: String,
    /// Rows of the history.
    pub rows: usize,
    /// `BLIND`, where it said one thing of all pictures in every session that had three; `VARIES`, where
    /// it did not; none where no session had three.
    pub vision: Option<&'static str>,
    /// Sessions with three pictures or more, and those in which one text was said of all.
    pub sessions: (usize, usize),
    /// Described pictures over all sessions, and the distinct texts said of them.
    pub described: (usize, usize),
    /// Calls that raised an error, or whose answer came faster than any model writes.
    pub errors: usize,
    /// Refused load times by reason.
    pub loads: BTreeMap<&'static str, usize>,
    /// Refused memory figures by reason.
    pub memories: BTreeMap<&'static str, usize>,
}

/// One audit a model, by name.
#[must_use]
pub fn audit(rows: &[HistoricRow]) -> Vec<Audit> {
    let models: BTreeSet<&str> = rows.iter().map(|row| row.model.as_str()).collect();
    let of = |model: &&str| {
        let rows = rows.iter().filter(|row| row.model == *model);
        judge(model, &rows.collect::<Vec<_>>())
    };
    models.iter().map(of).collect()
}

fn judge(model: &str, rows: &[&HistoricRow]) -> Audit {
    let mut audit = Audit {
        model: model.to_owned(),
        rows: rows.len(),
        ..Audit::default()
    };
    let mut texts = BTreeSet::new();
    for row in rows {
        let items = items(row);
        audit.errors += items.iter().filter(|item| item.failed).count();
        let described: Vec<&Item> = items.iter().filter(|item| item.describes()).collect();
        let pictures: BTreeSet<&str> = described.iter().map(|item| item.picture.as_str()).collect();
        let said: BTreeSet<&str> = described.iter().map(|item| item.text.as_str()).collect();
        if pictures.len() >= PICTURES {
            audit.sessions.0 += 1;
            audit.sessions.1 += usize::from(said.len() == 1);
        }
        audit.described.0 += described.len();
        texts.extend(described.iter().map(|item| item.text.clone()));
        refuse(&mut audit, row);
    }
    audit.described.1 = texts.len();
    audit.vision = match audit.sessions {
        (0, _) => None,
        (all, same) if all == same => Some("BLIND"),
        _ => Some("VARIES"),
    };
    audit
}

/// No load time and no memory figure of the history meets the rules that ours must.
fn refuse(audit: &mut Audit, row: &HistoricRow) {
    if row.load_time_s.is_some() {
        let reason = "the page cache's state was not proved: neither cold nor warm";
        *audit.loads.entry(reason).or_default() += 1;
    }
    if let Some(gb) = row.memory_diff_gb {
        let reason = match gb {
            gb if gb < 0.0 => "below zero: loading cannot give memory back",
            _ => "resident size of a process that outlives models: no footprint of this one",
        };
        *audit.memories.entry(reason).or_default() += 1;
    }
}

/// One call of a session.
struct Item {
    picture: String,
    phase: String,
    text: String,
    with_picture: bool,
    failed: bool,
}

impl Item {
    /// Whether it is a description of a picture that came back: questions differ, descriptions are
    /// asked for in one wording.
    fn describes(&self) -> bool {
        let described = ["image", "describe"].contains(&self.phase.as_str());
        described && self.with_picture && !self.failed
    }
}

/// The calls of a row; none where it lists none. Texts were kept as digests.
fn items(row: &HistoricRow) -> Vec<Item> {
    let items = row.source.get("per_item").and_then(Value::as_array);
    let read = |item: &Value| {
        let text = |name| item.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name| item.get(name).and_then(Value::as_f64);
        let (characters, seconds) = (number("response_chars"), number("inference_s"));
        let empty = characters == Some(0.0);
        let rate = characters.zip(seconds).map(|(n, seconds)| n / seconds);
        let too_fast = rate.is_some_and(|rate| rate > FASTEST);
        Some(Item {
            picture: text("name")?,
            phase: text("phase").unwrap_or_default(),
            text: text("response_sha")?,
            with_picture: item.get("with_image").and_then(Value::as_bool) == Some(true),
            failed: empty || too_fast || item.get("error").is_some_and(|error| !error.is_null()),
        })
    };
    items.into_iter().flatten().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::legacy::parse_history;

    const HISTORY: &str = include_str!("../../../datasets/legacy/legacy-results.json");

    #[test]
    fn the_earlier_history_is_judged_as_runs_are() {
        let audits = audit(&parse_history(HISTORY).unwrap());
        let blind: Vec<_> = audits
            .iter()
            .filter(|audit| audit.vision == Some("BLIND"))
            .collect();
        let names: Vec<_> = blind.iter().map(|audit| audit.model.as_str()).collect();
        assert_eq!(names, ["llava-v1.6-mistral-7b"], "{audits:#?}");
        assert!(blind[0].sessions.0 >= 5, "{:?}", blind[0]);
    }

    #[test]
    fn every_load_and_every_memory_figure_is_refused() {
        let rows = parse_history(HISTORY).unwrap();
        let audits = audit(&rows);
        let loads: usize = audits.iter().flat_map(|audit| audit.loads.values()).sum();
        let memories: usize = audits
            .iter()
            .flat_map(|audit| audit.memories.values())
            .sum();
        let told = |field: fn(&HistoricRow) -> Option<f64>| rows.iter().filter_map(field).count();
        assert_eq!(loads, told(|row| row.load_time_s));
        assert_eq!(memories, told(|row| row.memory_diff_gb));
        let negative = rows
            .iter()
            .filter(|row| row.memory_diff_gb.is_some_and(|gb| gb < 0.0));
        assert!(negative.count() > 20);
    }

    #[test]
    fn rows_of_any_shape_are_read_without_a_panic() {
        for items in ["1", "[1, {}]", "[{\"name\": 3}]", "{\"name\": \"a\"}"] {
            let row = format!(
                "[{{\"kind\": \"k\", \"date\": \"2025-01-01\", \"model\": \"m\", \"per_item\": {items}}}]"
            );
            let audits = audit(&parse_history(&row).unwrap());
            assert_eq!((audits[0].rows, audits[0].vision), (1, None));
        }
    }
}
