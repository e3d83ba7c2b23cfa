//! Work over all runs on every core, each with a connection of its own.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::Db;

/// Pieces that the runs of a file are cut into: many a core, for some take longer than others.
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

/// By position of its piece.
type Done<T> = BTreeMap<usize, T>;

impl Db {
    /// Does `work` with each of many ranges that together hold every number of a run, and `beside` meanwhile;
    /// results in order of the ranges.
    ///
    /// Other cores read the file through connections of their own; when `beside` is done this one helps.
    pub(super) fn on_every_core<T: Send, B>(
        &self,
        beside: impl FnOnce() -> B,
        work: impl Fn(&Self, &RangeInclusive<i64>) -> T + Sync,
    ) -> (B, Vec<T>) {
        // Bounds that cannot be read leave one piece, whose reading tells why.
        let end = |end| self.number(&format!("SELECT coalesce({end}(number), 0) FROM run"));
        let (first, last) = (end("min").unwrap_or(0), end("max").unwrap_or(0));
        let (pieces, path) = (&Pieces::between(first, last), self.path.as_path());
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let work = &work;
        let (beside, mut done) = thread::scope(|scope| {
            let helpers: Vec<_> = (1..cores.min(pieces.ranges.len()))
                .map(|_| scope.spawn(move || helped(path, pieces, work)))
                .collect();
            let beside = beside();
            let mut done = all(self, pieces, work);
            for helper in helpers {
                done.extend(helper.join().unwrap_or_default());
            }
            (beside, done)
        });
        // What a helper that died had taken.
        for (piece, range) in pieces.ranges.iter().enumerate() {
            done.entry(piece).or_insert_with(|| work(self, range));
        }
        (beside, done.into_values().collect())
    }
}

/// What another core does. Where the file cannot be opened again, all is left to the others.
fn helped<T>(
    path: &Path,
    pieces: &Pieces,
    work: &impl Fn(&Db, &RangeInclusive<i64>) -> T,
) -> Done<T> {
    Db::open_existing(path).map_or_else(|_| Done::new(), |db| all(&db, pieces, work))
}

/// Works until no piece is left.
fn all<T>(db: &Db, pieces: &Pieces, work: &impl Fn(&Db, &RangeInclusive<i64>) -> T) -> Done<T> {
    let taken = std::iter::from_fn(|| pieces.take());
    taken
        .map(|piece| (piece, work(db, &pieces.ranges[piece])))
        .collect()
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
