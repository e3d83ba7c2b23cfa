//! Work over all runs on every core, each with a connection of its own.

use std::ops::RangeInclusive;

use super::Db;
use crate::cores;

/// Pieces that the runs of a file are cut into: many a core, for some take longer than others.
const PIECES: u64 = 256;

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
        let (ranges, path) = (between(first, last), self.path.as_path());
        cores::on_all(
            ranges.len(),
            || (self, beside()),
            || Self::open_existing(path).ok(),
            |db, at| work(db, &ranges[at]),
        )
    }
}

/// Ranges of equal width from the first to the last number; the outer ones are open.
fn between(first: i64, last: i64) -> Vec<RangeInclusive<i64>> {
    let step = last.abs_diff(first) / PIECES + 1;
    let after = |cut: &i64| cut.checked_add_unsigned(step);
    let cuts = std::iter::successors(after(&first), after).take_while(|&cut| cut <= last);
    let (mut ranges, mut start) = (Vec::new(), i64::MIN);
    for cut in cuts {
        ranges.push(start..=cut - 1);
        start = cut;
    }
    ranges.push(start..=i64::MAX);
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many ranges there are; every number is in exactly one.
    fn check(first: i64, last: i64, count: usize) {
        let ranges = between(first, last);
        let mut next = Some(i64::MIN);
        for range in &ranges {
            assert_eq!(Some(*range.start()), next, "{first} to {last}");
            assert!(range.start() <= range.end(), "{first} to {last}");
            next = range.end().checked_add(1);
        }
        assert_eq!((ranges.len(), next), (count, None));
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
