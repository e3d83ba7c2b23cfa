//! The cheapest division of a growing sequence into stretches of one level.

/// Shortest stretch.
pub(super) const SHORTEST: usize = super::CONFIRMED_AFTER;

/// Nights within which a new stretch may begin. One that nothing showed for so long will not be
/// found later; it bounds the cost of a night whatever the length of the series.
const MEMORY: usize = 100;

/// Sums from which the mean and spread of any stretch follow at once.
#[derive(Debug)]
pub(super) struct Sums {
    /// Subtracted first, so that squares stay small.
    origin: f64,
    /// Of the values and of their squares, up to each.
    sums: Vec<(f64, f64)>,
}

/// Mean and sum of squared distances from it of one stretch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub count: f64,
    pub mean: f64,
    pub square: f64,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            origin: 0.0,
            sums: vec![(0.0, 0.0)],
        }
    }
}

impl Sums {
    fn push(&mut self, value: f64) {
        let count = self.len();
        if count == 0 {
            self.origin = value;
        }
        let value = value - self.origin;
        let (sum, square) = self.sums[count];
        self.sums.push((sum + value, square + value * value));
    }

    fn truncate(&mut self, count: usize) {
        self.sums.truncate(count + 1);
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.sums.len() - 1
    }

    /// Values `from..to`, at least one.
    pub(super) fn stretch(&self, from: usize, to: usize) -> Stretch {
        let count = (to - from) as f64;
        let sum = self.sums[to].0 - self.sums[from].0;
        Stretch {
            count,
            mean: self.origin + sum / count,
            square: self.cost(from, to).max(0.0),
        }
    }

    /// Sum of squared distances from the mean.
    pub(super) fn cost(&self, from: usize, to: usize) -> f64 {
        let ((first, squares), (last, all)) = (self.sums[from], self.sums[to]);
        let sum = last - first;
        all - squares - sum * sum / (to - from) as f64
    }
}

/// A division of all values so far, extended value by value.
///
/// The value of a night is settled once its neighbours are known; those of the last nights are
/// provisional and taken anew each night.
#[derive(Debug)]
pub(super) struct Partition {
    sums: Sums,
    settled: usize,
    /// Cost of the best division of the first values, by their number.
    best: Vec<f64>,
    /// Where its last stretch begins.
    start: Vec<usize>,
    /// Where the last stretch of a longer sequence may begin.
    open: Starts,
    /// What each of them costs before the price of a stretch.
    costs: Vec<f64>,
}

/// Starts of a last stretch, ascending, and what the cost of each is made of: side by side, so that
/// the processor's vectors compute several at once.
#[derive(Debug)]
struct Starts {
    from: Vec<usize>,
    /// The same as a number.
    at: Vec<f64>,
    /// Cost of the best division before it.
    best: Vec<f64>,
    /// Sum of the values before it, and of their squares.
    sum: Vec<f64>,
    square: Vec<f64>,
}

impl Default for Starts {
    fn default() -> Self {
        Self {
            from: vec![0],
            at: vec![0.0],
            best: vec![0.0],
            sum: vec![0.0],
            square: vec![0.0],
        }
    }
}

impl Starts {
    fn push(&mut self, from: usize, best: f64, (sum, square): (f64, f64)) {
        self.from.push(from);
        self.at.push(from as f64);
        self.best.push(best);
        self.sum.push(sum);
        self.square.push(square);
    }

    /// Keeps those for which `keep`, told its place and start, says so.
    fn retain(&mut self, mut keep: impl FnMut(usize, usize) -> bool) {
        let mut kept = 0;
        for place in 0..self.from.len() {
            if !keep(place, self.from[place]) {
                continue;
            }
            if kept < place {
                self.from[kept] = self.from[place];
                for parts in [
                    &mut self.at,
                    &mut self.best,
                    &mut self.sum,
                    &mut self.square,
                ] {
                    parts[kept] = parts[place];
                }
            }
            kept += 1;
        }
        self.from.truncate(kept);
        for parts in [
            &mut self.at,
            &mut self.best,
            &mut self.sum,
            &mut self.square,
        ] {
            parts.truncate(kept);
        }
    }

    /// Cost of the best division of `end` values whose last stretch begins at each of the first `many`,
    /// before the price of that stretch; `all` are the sums of these values.
    fn costs(&self, many: usize, (end, all): (usize, (f64, f64)), costs: &mut Vec<f64>) {
        let end = end as f64;
        let parts = self.best[..many].iter().zip(&self.at[..many]);
        let parts = parts.zip(self.sum[..many].iter().zip(&self.square[..many]));
        costs.clear();
        costs.extend(parts.map(|((best, at), (sum, square))| {
            let sum = all.0 - sum;
            best + (all.1 - square - sum * sum / (end - at))
        }));
    }
}

impl Default for Partition {
    fn default() -> Self {
        Self {
            sums: Sums::default(),
            settled: 0,
            best: vec![0.0],
            start: vec![0],
            open: Starts::default(),
            costs: Vec::new(),
        }
    }
}

impl Partition {
    /// Everything so far, the provisional tail included.
    pub(super) const fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Forgets the provisional tail.
    pub(super) fn reopen(&mut self) {
        self.sums.truncate(self.settled);
    }

    /// Adds the next settled value; `penalty` is the price of a new stretch.
    pub(super) fn settle(&mut self, value: f64, penalty: f64) {
        self.sums.push(value);
        self.settled += 1;
        let end = self.settled;
        let (best, start) = self.cheapest(end, penalty);
        self.best.push(best);
        self.start.push(start);
        self.close(end, best);
        if end >= SHORTEST {
            self.open.push(end, best, self.sums.sums[end]);
        }
    }

    /// Closes the starts that cannot become the best of a longer sequence.
    fn close(&mut self, end: usize, best: f64) {
        let oldest = end.saturating_sub(MEMORY);
        let (costs, starts) = (&self.costs, &self.start);
        self.open.retain(|place, from| {
            if from < oldest {
                return starts[oldest..].contains(&from);
            }
            // What is worse already, by the price of a stretch, never becomes the best. One too near to
            // the end has no cost yet.
            costs.get(place).is_none_or(|&cost| cost <= best)
        });
    }

    /// Cost and last start of the best division of the first `end` values.
    fn cheapest(&mut self, end: usize, penalty: f64) -> (f64, usize) {
        let far = |&from: &usize| from == 0 || from + SHORTEST <= end;
        let open = &self.open.from;
        let open = &open[..open.partition_point(far)];
        let all = self.sums.sums[end];
        self.open.costs(open.len(), (end, all), &mut self.costs);
        let mut cheapest = (self.sums.cost(0, end), 0);
        for (&from, cost) in open.iter().zip(&self.costs) {
            if from > 0 && cost + penalty < cheapest.0 {
                cheapest = (cost + penalty, from);
            }
        }
        cheapest
    }

    /// Where stretches begin, but for the first, with the last nights' provisional values.
    pub(super) fn cuts(&mut self, tail: &[f64], penalty: f64) -> Vec<usize> {
        for &value in tail {
            self.sums.push(value);
        }
        let (settled, end) = (self.settled, self.sums.len());
        let (mut best, mut last) = self.cheapest(end, penalty);
        // A stretch that begins within the tail follows the last one of what is settled.
        let start = self.start[settled];
        let paid = if start == 0 {
            0.0
        } else {
            self.best[start] + penalty
        };
        for from in (settled + 1).max(start + SHORTEST)..=end.saturating_sub(SHORTEST) {
            let cost = paid + self.sums.cost(start, from) + self.sums.cost(from, end) + penalty;
            if cost < best {
                (best, last) = (cost, from);
            }
        }
        self.chain(last, start)
    }

    /// The cuts that lead to a last stretch beginning at `last`.
    fn chain(&self, last: usize, start: usize) -> Vec<usize> {
        let mut cuts = Vec::new();
        let mut at = last;
        if at > self.settled {
            cuts.push(at);
            at = start;
        }
        while at > 0 {
            cuts.push(at);
            at = self.start[at];
        }
        cuts.reverse();
        cuts
    }
}
