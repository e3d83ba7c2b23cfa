//! Decodes all runs, on every core.

use std::ops::RangeInclusive;

use rusqlite::Row;

use super::Db;
use crate::error::{Error, Result};

/// A run that cannot be decoded.
struct Broken {
    /// Its time and id as the file has them, to sort by.
    order: [Vec<u8>; 2],
    error: Error,
}

impl Broken {
    fn new(row: &Row<'_>, error: Error) -> Self {
        let bytes = |column| {
            let cell = row.get_ref(column).ok();
            let bytes = cell.and_then(|cell| cell.as_bytes().ok());
            bytes.unwrap_or_default().to_vec()
        };
        let order = ["at", "id"].map(bytes);
        Self { order, error }
    }
}

impl Db {
    /// Decodes every run while `work` is done; the errors, oldest run first. The outer error is one of
    /// reading the table.
    pub(super) fn decoding<T>(&self, work: impl FnOnce() -> T) -> (T, Result<Vec<Result<()>>>) {
        let (done, found) = self.on_every_core(work, |db, numbers| db.broken(numbers));
        (done, in_order(found))
    }

    /// The runs with these numbers that cannot be decoded. Those of no session are found by references.
    fn broken(&self, numbers: &RangeInclusive<i64>) -> Result<Vec<Broken>> {
        // CROSS JOIN: runs in the order of the file, however many sessions there are.
        let query = "SELECT run.* FROM run CROSS JOIN session ON session.id = run.session
            WHERE run.number BETWEEN ?1 AND ?2";
        // Each is dropped at once: years of runs do not fit into memory.
        let rows = self.each(query, (numbers.start(), numbers.end()), |row| {
            let error = self.whole(row).err();
            Ok(error.map(|error| Broken::new(row, error)))
        })?;
        let rows: Vec<Option<Broken>> = rows.into_iter().collect::<Result<_>>()?;
        Ok(rows.into_iter().flatten().collect())
    }
}

/// The errors in order of time, whichever core found them; of a table that cannot be read, the first.
fn in_order(found: Vec<Result<Vec<Broken>>>) -> Result<Vec<Result<()>>> {
    let found: Vec<Vec<Broken>> = found.into_iter().collect::<Result<_>>()?;
    let mut broken: Vec<Broken> = found.into_iter().flatten().collect();
    broken.sort_by(|a, b| a.order.cmp(&b.order));
    Ok(broken.into_iter().map(|run| Err(run.error)).collect())
}
