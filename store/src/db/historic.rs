//! The earlier tool's tables.

use rusqlite::{Connection, named_params};

use super::cells::{Cells, MOMENT, json};
use super::write::Problem;
use super::{Db, Imported};
use crate::error::{Error, Result};
use crate::legacy::{Guide, GuideNote, GuideRow, HistoricRow, content_id};

/// The two lists of notes.
const RECOMMENDATION: &str = "recommendation";
const ISSUE: &str = "issue";

impl Db {
    /// Adds a guide; one of the same content is known already.
    ///
    /// # Errors
    /// Those of writing.
    pub fn import_guide(&mut self, guide: &Guide) -> Result<Imported> {
        let id = guide_id(guide)?;
        self.change(&format!("guide of {}", guide.date), |tx| {
            insert_guide(tx, &id, guide)
        })
    }

    /// Adds the rows of a history that are not there yet, all in one transaction.
    ///
    /// # Errors
    /// Those of writing.
    pub fn import_history(&mut self, rows: &[HistoricRow]) -> Result<Imported> {
        self.change("history", |tx| {
            let mut imported = Imported::default();
            for row in rows {
                match insert_row(tx, row)? {
                    0 => imported.known += 1,
                    _ => imported.added += 1,
                }
            }
            Ok(imported)
        })
    }

    /// Every guide, oldest first.
    ///
    /// # Errors
    /// [`Error::Row`] with table and row of a broken cell.
    pub fn guides(&self) -> Result<Vec<Guide>> {
        self.each_guide()?.into_iter().collect()
    }

    /// Every row of the history, oldest first.
    ///
    /// # Errors
    /// [`Error::Row`] with table and row of a broken cell.
    pub fn history(&self) -> Result<Vec<HistoricRow>> {
        self.each_historic()?.into_iter().collect()
    }

    pub(super) fn each_guide(&self) -> Result<Vec<Result<Guide>>> {
        let query = "SELECT * FROM guide ORDER BY date, updated, id";
        self.each(query, (), |row| {
            let cells = Cells::new("guide", row, "id");
            let id: String = cells.get("id")?;
            let guide = Guide {
                title: cells.get("title")?,
                date: cells.day("date")?,
                updated: cells.moment("updated")?,
                environment: cells.get("environment")?,
                rows: self.guide_rows(&id)?,
                recommendations: self.guide_notes(&id, RECOMMENDATION)?,
                issues: self.guide_notes(&id, ISSUE)?,
            };
            match guide_id(&guide)? {
                same if same == id => Ok(guide),
                other => Err(cells.wrong("id", format!("its content gives {other}"))),
            }
        })
    }

    fn guide_rows(&self, guide: &str) -> Result<Vec<GuideRow>> {
        let query = "SELECT * FROM guide_row WHERE guide = ?1 ORDER BY position";
        let rows = self.each(query, [guide], |row| {
            let cells = Cells::keyed("guide_row", row, &guide);
            Ok(GuideRow {
                model: cells.get("model")?,
                model_id: cells.get("model_id")?,
                vision: cells.get("vision")?,
                text: cells.get("text")?,
                inference_s: cells.get("inference_s")?,
                load_s: cells.get("load_s")?,
                memory_gb: cells.get("memory_gb")?,
                status: cells.get("status")?,
            })
        })?;
        rows.into_iter().collect()
    }

    fn guide_notes(&self, guide: &str, section: &str) -> Result<Vec<GuideNote>> {
        let query = "SELECT * FROM guide_note WHERE guide = ?1 AND section = ?2 ORDER BY position";
        let rows = self.each(query, [guide, section], |row| {
            let key = format!("{guide} {section}");
            let cells = Cells::keyed("guide_note", row, &key);
            Ok(GuideNote {
                label: cells.get("label")?,
                text: cells.get("text")?,
            })
        })?;
        rows.into_iter().collect()
    }

    /// The columns only repeat `source` for SQL; what is read is `source` itself. The order is one that
    /// merging files in another order does not change.
    pub(super) fn each_historic(&self) -> Result<Vec<Result<HistoricRow>>> {
        let query = "SELECT id, source FROM historic ORDER BY date, timestamp, model, id";
        self.each(query, (), |row| {
            let cells = Cells::new("historic", row, "id");
            let source = cells.json("source")?;
            let decoded = HistoricRow::from_source(source);
            let decoded = decoded.map_err(|reason| cells.wrong("source", reason))?;
            match (cells.get::<String>("id")?, decoded.id()) {
                (id, content) if id == content => Ok(decoded),
                (_, content) => Err(cells.wrong("id", format!("its content gives {content}"))),
            }
        })
    }
}

fn guide_id(guide: &Guide) -> Result<String> {
    let value = serde_json::to_value(guide);
    value
        .map(|value| content_id(&value))
        .map_err(|error| Error::refused("guide", error.to_string()))
}

fn insert_guide(tx: &Connection, id: &str, guide: &Guide) -> Result<Imported, Problem> {
    let updated = guide.updated.format(MOMENT).to_string();
    let new = tx.execute(
        "INSERT INTO guide (id, title, date, updated, environment) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO NOTHING",
        (
            id,
            &guide.title,
            guide.date.to_string(),
            updated,
            &guide.environment,
        ),
    )?;
    if new == 0 {
        return Ok(Imported { added: 0, known: 1 });
    }
    for (position, row) in (0_i64..).zip(&guide.rows) {
        tx.prepare_cached(
            "INSERT INTO guide_row (guide, position, model, model_id, vision, text, inference_s,
                load_s, memory_gb, status)
             VALUES (:guide, :position, :model, :model_id, :vision, :text, :inference_s, :load_s,
                :memory_gb, :status)",
        )?
        .execute(named_params! {
            ":guide": id,
            ":position": position,
            ":model": row.model,
            ":model_id": row.model_id,
            ":vision": row.vision,
            ":text": row.text,
            ":inference_s": row.inference_s,
            ":load_s": row.load_s,
            ":memory_gb": row.memory_gb,
            ":status": row.status,
        })?;
    }
    insert_notes(tx, (id, RECOMMENDATION), &guide.recommendations)?;
    insert_notes(tx, (id, ISSUE), &guide.issues)?;
    Ok(Imported { added: 1, known: 0 })
}

fn insert_notes(
    tx: &Connection,
    (guide, section): (&str, &str),
    notes: &[GuideNote],
) -> Result<(), Problem> {
    for (position, note) in (0_i64..).zip(notes) {
        tx.prepare_cached(
            "INSERT INTO guide_note (guide, section, position, label, text)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((guide, section, position, &note.label, &note.text))?;
    }
    Ok(())
}

/// The number of rows added: 0 for a known one.
fn insert_row(tx: &Connection, row: &HistoricRow) -> Result<usize, Problem> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO historic (id, kind, date, timestamp, model, model_id, vision, pure_text,
            avg_inference_s, load_time_s, memory_diff_gb, status, status_reaudited, flags, source)
         VALUES (:id, :kind, :date, :timestamp, :model, :model_id, :vision, :pure_text,
            :avg_inference_s, :load_time_s, :memory_diff_gb, :status, :status_reaudited, :flags,
            :source)
         ON CONFLICT (id) DO NOTHING",
    )?;
    let added = insert.execute(named_params! {
        ":id": row.id(),
        ":kind": row.kind,
        ":date": row.date.to_string(),
        ":timestamp": row.timestamp.map(|at| at.format(MOMENT).to_string()),
        ":model": row.model,
        ":model_id": row.model_id,
        ":vision": row.vision,
        ":pure_text": row.pure_text,
        ":avg_inference_s": row.avg_inference_s,
        ":load_time_s": row.load_time_s,
        ":memory_diff_gb": row.memory_diff_gb,
        ":status": row.status,
        ":status_reaudited": row.status_reaudited,
        ":flags": json("flags", &row.flags)?,
        ":source": json("source", &row.source)?,
    })?;
    Ok(added)
}
