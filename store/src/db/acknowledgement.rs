//! Changes that somebody has looked at and accepted.

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Db;
use super::cells::{Cells, stamp};
use super::write::Problem;
use crate::error::{Error, Result};

/// The acceptance of one change of one series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// [`Group::key`](crate::series::Group::key) of the series.
    pub series: String,
    /// First run at the new level.
    pub run: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// Why, one line.
    pub reason: String,
}

fn subject(accepted: &Acknowledgement) -> String {
    format!("acknowledgement of run {}", accepted.run)
}

/// The reason, where it is one.
fn reason(accepted: &Acknowledgement) -> Result<&str> {
    let reason = accepted.reason.trim();
    match reason.is_empty() || reason.contains(char::is_control) {
        true => Err(Error::refused(
            subject(accepted),
            "it needs a reason of one line",
        )),
        false => Ok(reason),
    }
}

/// Keeps one that another database holds. Where two people accepted one change, as when databases are merged:
/// the earlier stays, of one time the one whose reason sorts first.
pub(super) fn adopt(tx: &Connection, accepted: &Acknowledgement) -> Result<(), Problem> {
    let query = "INSERT INTO acknowledgement (series, run, at, reason) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO UPDATE SET at = excluded.at, reason = excluded.reason
        WHERE (excluded.at, excluded.reason) < (at, reason)";
    let (run, at) = (accepted.run.to_string(), stamp(accepted.at)?);
    let row = (&accepted.series, run, at, reason(accepted)?);
    tx.prepare_cached(query)?.execute(row)?;
    Ok(())
}

impl Db {
    /// Keeps an acceptance.
    ///
    /// # Errors
    /// [`Error::Refused`] without a reason of one line, and for a change that is accepted already.
    pub fn acknowledge(&mut self, accepted: &Acknowledgement) -> Result<()> {
        let subject = subject(accepted);
        let reason = reason(accepted)?;
        self.change(&subject, |tx| {
            let known = tx.query_row(
                "SELECT count(*) FROM acknowledgement WHERE series = ?1 AND run = ?2",
                (&accepted.series, accepted.run.to_string()),
                |row| row.get::<_, i64>(0),
            )?;
            if known > 0 {
                return Err(Error::refused(&subject, "the change is accepted already").into());
            }
            tx.execute(
                "INSERT INTO acknowledgement (series, run, at, reason) VALUES (?1, ?2, ?3, ?4)",
                (
                    &accepted.series,
                    accepted.run.to_string(),
                    stamp(accepted.at)?,
                    reason,
                ),
            )?;
            Ok(())
        })
    }

    /// Every acceptance, by series and run.
    ///
    /// # Errors
    /// [`Error::Row`] with table and row of a broken cell.
    pub fn acknowledgements(&self) -> Result<Vec<Acknowledgement>> {
        self.each_acknowledgement()?.into_iter().collect()
    }

    pub(super) fn each_acknowledgement(&self) -> Result<Vec<Result<Acknowledgement>>> {
        let query = "SELECT series || ' ' || run AS id, acknowledgement.* FROM acknowledgement
            ORDER BY series, run";
        self.each(query, (), |row| {
            let cells = Cells::new("acknowledgement", row, "id");
            Ok(Acknowledgement {
                series: cells.get("series")?,
                run: cells.id("run")?,
                at: cells.time("at")?,
                reason: cells.get("reason")?,
            })
        })
    }
}
