//! Decodes all runs, on every core.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rusqlite::Row;

use super::Db;
use crate::error::{Error, Result};

/// Pieces that the runs of a file are decoded in: many a core, for some take longer than others.
const PIECES: u64 = 256;

/// Numbers of runs, handed out piece by piece. Together they are all numbers that there can be.
struct Pieces {
    ranges: Vec<RangeInclusive<i64>>,
    next: AtomicUsize,
}

impl Pieces {
    /// Pieces of equal width from the first to the last number; the outer ones are open.
    fn between(first: i64, last: i64) -> Self {
        let step = last.abs_diff(first) / PIECES + 1;
        let after = |cut: &i64| cut.checked_add_unsigned(step);
        let cuts = std::iter::successors(after(&first), after).take_while(|&cut| cut <= last);
        let (mut ranges, mut start) = (Vec::new(), i64::MIN);
        for cut in cuts {
            ranges.push(start..=cut - 1);
            start = cut;
        }
        ranges.push(start..=i64::MAX);
        let next = AtomicUsize::new(0);
        Self { ranges, next }
    }

    /// Each piece goes to one taker.
    fn take(&self) -> Option<usize> {
        let piece = self.next.fetch_add(1, Ordering::Relaxed);
        (piece < self.ranges.len()).then_some(piece)
    }
}

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

/// What is wrong in each piece, by its position.
type Found = BTreeMap<usize, Result<Vec<Broken>>>;

impl Db {
    /// Decodes every run while `work` is done; the errors, oldest run first. The outer error is one of
    /// reading the table.
    ///
    /// Other cores read the file through connections of their own; when `work` is done this one helps.
    pub(super) fn decoding<T>(&self, work: impl FnOnce() -> T) -> (T, Result<Vec<Result<()>>>) {
        // Bounds that cannot be read leave one piece, whose decoding tells why.
        let end = |end| self.number(&format!("SELECT coalesce({end}(number), 0) FROM run"));
        let (first, last) = (end("min").unwrap_or(0), end("max").unwrap_or(0));
        let (pieces, path) = (&Pieces::between(first, last), self.path.as_path());
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let (done, mut found) = thread::scope(|scope| {
            let helpers: Vec<_> = (1..cores.min(pieces.ranges.len()))
                .map(|_| scope.spawn(move || helped(path, pieces)))
                .collect();
            let done = work();
            let mut found = self.decoded(pieces);
            for helper in helpers {
                found.extend(helper.join().unwrap_or_default());
            }
            (done, found)
        });
        // What a helper that died had taken.
        for (piece, range) in pieces.ranges.iter().enumerate() {
            found.entry(piece).or_insert_with(|| self.broken(range));
        }
        (done, in_order(found))
    }

    /// Decodes pieces until none is left.
    fn decoded(&self, pieces: &Pieces) -> Found {
        let taken = std::iter::from_fn(|| pieces.take());
        taken
            .map(|piece| (piece, self.broken(&pieces.ranges[piece])))
            .collect()
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

/// What another core does. Where the file cannot be opened again, all is left to the others.
fn helped(path: &Path, pieces: &Pieces) -> Found {
    Db::open_existing(path).map_or_else(|_| Found::new(), |db| db.decoded(pieces))
}

/// The errors in order of time, whichever core found them; of a table that cannot be read, the first.
fn in_order(found: Found) -> Result<Vec<Result<()>>> {
    let found: Vec<Vec<Broken>> = found.into_values().collect::<Result<_>>()?;
    let mut broken: Vec<Broken> = found.into_iter().flatten().collect();
    broken.sort_by(|a, b| a.order.cmp(&b.order));
    Ok(broken.into_iter().map(|run| Err(run.error)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pieces there are; every number is in exactly one, each is handed out once.
    fn check(first: i64, last: i64, count: usize) {
        let pieces = Pieces::between(first, last);
        let mut next = Some(i64::MIN);
        for range in &pieces.ranges {
            assert_eq!(Some(*range.start()), next, "{first} to {last}");
            assert!(range.start() <= range.end(), "{first} to {last}");
            next = range.end().checked_add(1);
        }
        assert_eq!((pieces.ranges.len(), next), (count, None));
        let taken: Vec<usize> = std::iter::from_fn(|| pieces.take()).collect();
        assert_eq!(taken, (0..count).collect::<Vec<_>>());
    }

    #[test]
    fn pieces_hold_every_number_once() {
        check(0, 0, 1);
        check(1, 3, 3);
        check(1, 256, 256);
        check(1, 257, 129);
        check(1, 657_000, 256);
        check(-5, 5, 11);
        check(i64::MIN, i64::MAX, 256);
        check(i64::MAX - 1, i64::MAX, 2);
        check(7, 0, 1);
    }
}
