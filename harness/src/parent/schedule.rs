//! The order of epochs: models take turns, so that a slow drift of the machine meets all of them
//! alike. Pure.

use sha2::{Digest, Sha256};

use crate::plan::Planned;

/// One epoch of one cell, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Number of the cell in the plan.
    pub cell: usize,
    /// Number of the epoch in the cell.
    pub epoch: usize,
}

/// Every planned epoch once. Round `r` holds the `r`-th epoch of each cell. Subjects (a model at a
/// place) stand in a shuffled order that each round takes up one subject later, so that over
/// as many rounds as there are subjects, each stands in every position once. A subject's own
/// scenarios keep their order.
#[must_use]
pub fn schedule(cells: &[Planned], seed: u64) -> Vec<Turn> {
    let mut subjects: Vec<Vec<usize>> = Vec::new();
    for (number, cell) in cells.iter().enumerate() {
        match subjects
            .iter_mut()
            .find(|subject| same_subject(&cells[subject[0]], cell))
        {
            Some(subject) => subject.push(number),
            None => subjects.push(vec![number]),
        }
    }
    subjects.sort_by_key(|subject| seed_of(seed, "order", subject[0]));
    let rounds = cells.iter().map(|cell| cell.epochs.len()).max();
    let mut turns = Vec::new();
    for epoch in 0..rounds.unwrap_or(0) {
        let first = epoch % subjects.len().max(1);
        let (late, early) = subjects.split_at(first);
        let there = early.iter().chain(late).flatten().copied();
        let there = there.filter(|&cell| epoch < cells[cell].epochs.len());
        turns.extend(there.map(|cell| Turn { cell, epoch }));
    }
    turns
}

fn same_subject(a: &Planned, b: &Planned) -> bool {
    (&a.model, a.backend, a.device) == (&b.model, b.backend, b.device)
}

/// A number that depends on all of its parts: what the random choices of one epoch grow from. It does
/// not depend on program or machine, so that two sessions ask the same.
#[must_use]
pub fn seed_of(seed: u64, what: &str, number: usize) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update((number as u64).to_le_bytes());
    hash.update(what);
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |seed, &byte| seed << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Epoch;
    use crate::parent::tests::planned;

    fn cells(models: usize, epochs: usize) -> Vec<Planned> {
        let of = |model: usize| {
            ["text-only", "warm-inference"].map(|scenario| {
                let mut cell = planned(scenario);
                cell.model.name = format!("m{model}");
                cell.epochs = vec![Epoch::new("", 1); epochs];
                cell
            })
        };
        (0..models).flat_map(of).collect()
    }

    #[test]
    fn every_epoch_is_run_once_and_in_order() {
        let mut cells = cells(3, 4);
        cells[1].epochs.truncate(1);
        let turns = schedule(&cells, 7);
        assert_eq!(turns.len(), 5 * 4 + 1);
        for (number, cell) in cells.iter().enumerate() {
            let of: Vec<_> = turns.iter().filter(|turn| turn.cell == number).collect();
            let epochs: Vec<_> = of.iter().map(|turn| turn.epoch).collect();
            assert_eq!(epochs, (0..cell.epochs.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn each_model_stands_in_each_position_once() {
        let turns = schedule(&cells(4, 4), 1);
        for model in 0..4 {
            let positions: std::collections::BTreeSet<_> = (0..4)
                .map(|round| {
                    let round = &turns[round * 8..][..8];
                    round.iter().position(|turn| turn.cell / 2 == model)
                })
                .collect();
            assert_eq!(positions.len(), 4, "{positions:?}");
        }
    }

    #[test]
    fn the_seed_decides_the_order() {
        let order = |seed| schedule(&cells(5, 2), seed);
        assert_eq!(order(1), order(1));
        assert!((2..12).any(|seed| order(seed) != order(1)));
        assert_ne!(seed_of(1, "a", 2), seed_of(1, "b", 2));
    }
}
