//! Whose turn it is: pairs of all contests until every row is decided or enough was tried.

use std::io::Write;

use anyhow::Result;
use store::gate::pairs::{Next, STEP, Series, next};

use crate::parent::cool_down;

/// Something of which base and head are measured in pairs.
pub(super) trait Contest {
    /// Measures both sides once.
    ///
    /// # Errors
    /// What ends the measurement of everything.
    fn take_pair(&mut self, turn: Turn) -> Result<()>;

    /// Every pair so far.
    fn series(&self) -> Vec<Series>;

    /// Whether more pairs would be of no use.
    fn has_failed(&self) -> bool;
}

/// One pair.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    /// Pairs before it, in all sessions.
    pub(super) number: usize,
    /// Sessions before its own.
    pub(super) session: usize,
}

impl Turn {
    /// Base, 0, and head, 1, in the order in which they run: each is first in every second pair, and the second
    /// session begins with the other side.
    pub(super) const fn order(self) -> [usize; 2] {
        match (self.number + self.session) % 2 {
            0 => [0, 1],
            _ => [1, 0],
        }
    }
}

/// A contest and the pairs it was given, session by session.
struct Course<'a, C> {
    contest: &'a mut C,
    taken: Vec<usize>,
}

impl<C: Contest> Course<'_, C> {
    fn needs(&self, wanted: Next) -> bool {
        let series = self.contest.series();
        !self.contest.has_failed() && series.iter().any(|series| next(series) == wanted)
    }
}

/// Ten pairs of each, then ten more of those with an open row, and as many again in a session of their own of those
/// with a suspect one.
///
/// # Errors
/// Those of [`Contest::take_pair`].
pub(super) fn play<C: Contest>(contests: &mut [C], told: &mut dyn Write) -> Result<()> {
    let course = |contest| Course {
        contest,
        taken: vec![0],
    };
    let mut all: Vec<Course<'_, C>> = contests.iter_mut().map(course).collect();
    let mut open: Vec<&mut Course<'_, C>> = all.iter_mut().collect();
    while !open.is_empty() {
        take_turns(&mut open, (STEP, "pair"), told)?;
        open.retain(|course| course.needs(Next::More));
    }
    let suspect = all.iter_mut().filter(|course| course.needs(Next::Confirm));
    let mut open: Vec<&mut Course<'_, C>> = suspect.collect();
    let pairs = open.iter().map(|course| course.taken[0]).max();
    for course in &mut open {
        course.taken.push(0);
    }
    take_turns(&mut open, (pairs.unwrap_or(0), "confirming pair"), told)
}

/// So many pairs of each; one pair of each, then the next.
fn take_turns<C: Contest>(
    open: &mut [&mut Course<'_, C>],
    (pairs, what): (usize, &str),
    told: &mut dyn Write,
) -> Result<()> {
    let cells = match open.len() {
        1 => String::new(),
        several => format!(", {several} cells"),
    };
    for pair in 1..=pairs {
        // A display that cannot be written must not end the measurement.
        let _ = writeln!(told, "{what} {pair} of {pairs}{cells}");
        for course in open
            .iter_mut()
            .filter(|course| !course.contest.has_failed())
        {
            let turn = Turn {
                number: course.taken.iter().sum(),
                session: course.taken.len() - 1,
            };
            let _ = cool_down();
            course.contest.take_pair(turn)?;
            course.taken[turn.session] += 1;
        }
    }
    Ok(())
}

/// Adds a pair to the session that it is of.
pub(super) fn add<T: Clone>(sessions: &mut Vec<Vec<T>>, turn: Turn, pair: T) {
    sessions.resize(turn.session + 1, Vec::new());
    sessions[turn.session].push(pair);
}
