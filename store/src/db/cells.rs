//! Values between Rust and SQL. A hostile cell gives an error that names table and row.

use std::fmt::Display;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use rusqlite::Row;
use rusqlite::types::FromSql;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::{Error, Result};

/// One row that knows where it comes from.
pub(super) struct Cells<'r> {
    row: &'r Row<'r>,
    table: &'static str,
    key: Key<'r>,
}

/// What names a row, looked at only where an error must.
enum Key<'r> {
    Column(&'r str),
    Known(&'r dyn Display),
}

impl<'r> Cells<'r> {
    /// `key` names the column that tells rows apart.
    pub(super) fn new(table: &'static str, row: &'r Row<'r>, key: &'r str) -> Self {
        let key = Key::Column(key);
        Self { row, table, key }
    }

    /// The same row, reported with a key that the caller knows.
    pub(super) fn keyed(table: &'static str, row: &'r Row<'r>, key: &'r dyn Display) -> Self {
        let key = Key::Known(key);
        Self { row, table, key }
    }

    /// The error of a column.
    pub(super) fn wrong(&self, column: &str, reason: impl std::fmt::Display) -> Error {
        let reason = format!("{column}: {reason}");
        let row = match self.key {
            // A key that is no text is reported when it is read; here it only names the row.
            Key::Column(key) => self
                .row
                .get(key)
                .unwrap_or_else(|_| "with an unreadable key".to_owned()),
            Key::Known(key) => key.to_string(),
        };
        Error::Row {
            table: self.table,
            row,
            reason,
        }
    }

    pub(super) fn get<T: FromSql>(&self, column: &str) -> Result<T> {
        self.row
            .get(column)
            .map_err(|error| self.wrong(column, error))
    }

    /// A text, read by its type's own parser.
    pub(super) fn parsed<T: std::str::FromStr>(&self, column: &str) -> Result<T>
    where
        T::Err: std::fmt::Display,
    {
        let text = self.row.get_ref(column).and_then(|text| Ok(text.as_str()?));
        let text = text.map_err(|error| self.wrong(column, error))?;
        text.parse()
            .map_err(|error: T::Err| self.wrong(column, error))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        let text: String = self.get(column)?;
        serde_json::from_str(&text).map_err(|error| self.wrong(column, error))
    }

    pub(super) fn json_or_none<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        match self.get::<Option<String>>(column)? {
            None => Ok(None),
            Some(_) => self.json(column).map(Some),
        }
    }

    pub(super) fn id(&self, column: &str) -> Result<Uuid> {
        self.parsed(column)
    }

    pub(super) fn time(&self, column: &str) -> Result<DateTime<Utc>> {
        self.parsed(column)
    }

    pub(super) fn time_or_none(&self, column: &str) -> Result<Option<DateTime<Utc>>> {
        match self.get::<Option<String>>(column)? {
            None => Ok(None),
            Some(_) => self.time(column).map(Some),
        }
    }

    pub(super) fn day(&self, column: &str) -> Result<NaiveDate> {
        let text: String = self.get(column)?;
        NaiveDate::parse_from_str(&text, "%Y-%m-%d").map_err(|error| self.wrong(column, error))
    }

    pub(super) fn moment(&self, column: &str) -> Result<NaiveDateTime> {
        let text: String = self.get(column)?;
        NaiveDateTime::parse_from_str(&text, MOMENT).map_err(|error| self.wrong(column, error))
    }
}

/// Date and time of the earlier tool, which knew no time zone.
pub(super) const MOMENT: &str = "%Y-%m-%d %H:%M:%S";

/// A time as text of one width, so that text order is time order.
pub(super) fn stamp(at: DateTime<Utc>) -> Result<String> {
    if !(0..=9999).contains(&at.year()) {
        return Err(Error::refused(
            at.to_string(),
            "its year does not have four digits",
        ));
    }
    Ok(at.to_rfc3339_opts(SecondsFormat::Nanos, true))
}

/// JSON text of a value.
pub(super) fn json(subject: &str, value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::refused(subject, error.to_string()))
}
