//! Answers, kept once however many runs gave them: greedy answers repeat night after night.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use super::Db;
use super::cells::Cells;
use super::write::Problem;
use crate::error::Result;
use crate::run::Answer;

/// Derived from every field of the answers, in order.
pub(super) fn sheet_id(answers: &[Answer]) -> String {
    let mut hash = Sha256::new();
    let mut field = |text: Option<&str>| {
        let length = text.map_or(u64::MAX, |text| text.len() as u64);
        hash.update(length.to_le_bytes());
        hash.update(text.unwrap_or_default());
    };
    for answer in answers {
        let Answer {
            item,
            arm,
            prompt,
            text,
            expected,
            right,
        } = answer;
        let right = right.map(|right| if right { "1" } else { "0" });
        let texts = [item, arm, prompt, text].map(|text| Some(text.as_str()));
        texts.into_iter().for_each(&mut field);
        field(expected.as_deref());
        field(right);
    }
    let digest = hash.finalize();
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The number of the sheet with these answers, which is stored if need be; none without answers.
pub(super) fn keep(tx: &Connection, answers: &[Answer]) -> Result<Option<i64>, Problem> {
    if answers.is_empty() {
        return Ok(None);
    }
    let id = sheet_id(answers);
    let mut find = tx.prepare_cached("SELECT number FROM sheet WHERE id = ?1")?;
    if let Some(known) = find.query_row([&id], |row| row.get(0)).optional()? {
        return Ok(Some(known));
    }
    tx.prepare_cached("INSERT INTO sheet (id) VALUES (?1)")?
        .execute([&id])?;
    let number = tx.last_insert_rowid();
    let mut insert = tx.prepare_cached(
        "INSERT INTO answer (sheet, position, item, arm, prompt, text, expected, is_right)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for (position, answer) in (0_i64..).zip(answers) {
        let Answer {
            item,
            arm,
            prompt,
            text,
            expected,
            right,
        } = answer;
        insert.execute((number, position, item, arm, prompt, text, expected, right))?;
    }
    Ok(Some(number))
}

/// Drops sheets that no run names any more.
pub(super) fn drop_unused(tx: &Connection) -> Result<(), Problem> {
    tx.execute_batch(
        "DELETE FROM answer WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.sheet = answer.sheet);
         DELETE FROM sheet WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.sheet = sheet.number)",
    )?;
    Ok(())
}

impl Db {
    /// The answers of a sheet; none of no sheet. `run` names the reader in errors.
    pub(super) fn answers(&self, sheet: Option<i64>, run: &str) -> Result<Vec<Answer>> {
        let Some(sheet) = sheet else {
            return Ok(Vec::new());
        };
        let query = "SELECT * FROM answer WHERE sheet = ?1 ORDER BY position";
        let rows = self.each(query, [sheet], |row| {
            let cells = Cells::keyed("answer", row, &run);
            Ok(Answer {
                item: cells.get("item")?,
                arm: cells.get("arm")?,
                prompt: cells.get("prompt")?,
                text: cells.get("text")?,
                expected: cells.get("expected")?,
                right: cells.get("is_right")?,
            })
        })?;
        rows.into_iter().collect()
    }

    /// The number of answers of each sheet that has one.
    pub(super) fn answer_counts(&self) -> Result<HashMap<i64, usize>> {
        let query = "SELECT sheet, count(*) AS answers FROM answer GROUP BY sheet";
        let rows = self.each(query, (), |row| {
            let cells = Cells::new("answer", row, "sheet");
            Ok((cells.get("sheet")?, cells.get::<u32>("answers")? as usize))
        })?;
        rows.into_iter().collect()
    }

    /// Every sheet, its answers compared with its id.
    pub(super) fn each_sheet(&self) -> Result<Vec<Result<()>>> {
        self.each("SELECT number, id FROM sheet ORDER BY id", (), |row| {
            let cells = Cells::new("sheet", row, "id");
            let (number, id): (i64, String) = (cells.get("number")?, cells.get("id")?);
            match sheet_id(&self.answers(Some(number), &id)?) {
                content if content == id => Ok(()),
                content => Err(cells.wrong("id", format!("its content gives {content}"))),
            }
        })
    }
}
